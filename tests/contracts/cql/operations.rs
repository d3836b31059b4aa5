//! A death between any two steps of what is done with sessions, sightings and hosts: repeating it completes it, and nobody
//! who reads in between is told of what is not so.

use super::super::harness::{Harness, START};
use super::Cql;
use inkdex::domain::facts::Source;
use inkdex::domain::ids::{ArtistId, SessionId, StudioId};
use inkdex::domain::job::{AlertDebt, JobKind};
use inkdex::domain::lifecycle::Absence;
use inkdex::domain::session::{Session, SessionState, StepDefinition, Trigger};
use inkdex::store::cql::{CqlHostHolds, CqlStore};
use inkdex::store::{HostAnswer, HostHolds};
use std::time::Duration;

/// More steps than the operations here have.
const POINTS: usize = 10;

fn session(n: usize) -> Session {
    let night = START.plus(Duration::from_secs(86_400 * n as u64));
    let step = StepDefinition { name: "discover".into(), job: JobKind::DiscoverStudios, one_call: true, deadline_s: 60, retry: None };
    Session::created("daily", vec![step], night, Trigger::Scheduled, night)
}

/// Rules 18 and 19: lists say what the rows say, whatever died on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_between_any_two_steps_of_a_session_loses_nothing() {
    let h = Cql::start().await;
    for point in 0..POINTS {
        let night = session(point);
        let cut = night.clone();
        h.crash_at(point, async |store| drop(store.create_session(&cut).await)).await;
        let store = h.store();
        let stands = store.session(&night.id).await.unwrap().is_some();
        let listed = store.open_sessions().await.unwrap();
        assert_eq!(listed.contains(&night), stands, "point {point}");
        let last = if stands { Some(night.scheduled_for) } else { point.checked_sub(1).map(|before| session(before).scheduled_for) };
        assert_eq!(store.last_scheduled("daily").await.unwrap(), last, "point {point}");
        assert_eq!(store.create_session(&night).await.unwrap(), !stands, "point {point}");
        let failed = Session { state: SessionState::Failed, alert: AlertDebt::Owed, epoch: 1, ..night.clone() };
        let cut = failed.clone();
        h.crash_at(point, async |store| drop(store.put_session(0, &cut).await)).await;
        let store = h.store();
        let stands = store.session(&night.id).await.unwrap() == Some(failed.clone());
        assert_eq!(store.sessions_owing_alert(100).await.unwrap().contains(&failed), stands, "point {point}");
        assert_eq!(store.put_session(0, &failed).await.unwrap(), !stands, "point {point}");
        let told = Session { alert: AlertDebt::Told(h.now()), epoch: 2, ..failed };
        let cut = told.clone();
        h.crash_at(point, async |store| drop(store.put_session(1, &cut).await)).await;
        let store = h.store();
        let stands = store.session(&night.id).await.unwrap() == Some(told.clone());
        assert_eq!(store.sessions_owing_alert(100).await.unwrap().len(), usize::from(!stands), "point {point}");
        assert_eq!(store.put_session(1, &told).await.unwrap(), !stands, "point {point}");
        assert!(store.sessions_owing_alert(100).await.unwrap().is_empty() && store.open_sessions().await.unwrap().is_empty());
        assert_eq!(store.sessions(100).await.unwrap().len(), point + 1);
    }
}

/// Rule 15: a removal that died on the way is completed by repeating it, and leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_between_any_two_steps_of_forgetting_is_repaired() {
    let h = Cql::start().await;
    let sources = [Source::Studio(StudioId::new("s")), Source::OwnSite("ana.example".into())];
    let nights = [SessionId::new("daily-1"), SessionId::new("daily-2")];
    for point in 0..POINTS {
        let ana = ArtistId::new(format!("ana-{point}"));
        for (source, night) in sources.iter().zip(&nights) {
            h.crash_at(point, async |store| drop(store.seen(&ana, source, true, true).await)).await;
            h.store().seen(&ana, source, true, true).await.unwrap();
            h.crash_at(point, async |store| drop(store.propose_absence(night, &ana, source, Absence::NotListed).await)).await;
            h.store().propose_absence(night, &ana, source, Absence::NotListed).await.unwrap();
        }
        for _ in 0..2 {
            h.crash_at(point, async |store| drop(store.count_absence(START, &ana, &sources[0], Absence::PageGone).await)).await;
        }
        h.store().count_absence(START, &ana, &sources[0], Absence::PageGone).await.unwrap();
        let mut gone: Vec<u32> = h.store().sightings_of(&ana).await.unwrap().iter().map(|sighting| sighting.gone).collect();
        gone.sort_unstable();
        assert_eq!(gone, [0, 1], "point {point}: counted once");
        assert_eq!(h.store().seen_at(&sources[0]).await.unwrap(), std::slice::from_ref(&ana));
        h.crash_at(point, async |store| drop(store.forget_sightings(&ana).await)).await;
        h.store().forget_sightings(&ana).await.unwrap();
        for (source, night) in sources.iter().zip(&nights) {
            assert_eq!(h.store().seen_at(source).await.unwrap(), [], "point {point}");
            assert_eq!(h.store().proposals(night).await.unwrap(), [], "point {point}");
        }
        assert_eq!(h.store().sightings_of(&ana).await.unwrap(), [], "point {point}");
        let left = ["sightings", "sightings_at", "absence_proposals", "proposals_of_artist"];
        for table in left {
            assert_eq!(h.keyspace.count(table).await, 0, "point {point}: {table}");
        }
    }
}

/// Rule 14: a back-off that was asked for and died on the way is in force or can be repeated; it is listed if it is in force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_between_the_steps_of_a_back_off_is_repaired() {
    let h = Cql::start().await;
    let until = h.now().plus(Duration::from_secs(60));
    for point in 0..2 {
        let host = format!("s{point}.example");
        let dying = CqlHostHolds::new(CqlStore::new(h.db().crashing_at(point)), h.now());
        assert_eq!(dying.back_off(&host, until).await.is_err(), point == 0);
        let holds = h.holds(h.now()).await;
        holds.back_off(&host, until).await.unwrap();
        let listed = h.store().host_back_offs(h.now()).await.unwrap();
        assert!(listed.contains(&(host.clone(), until)), "{listed:?}");
        assert_eq!(holds.take(&host, "w", 30_000_000, h.now()).await.unwrap(), HostAnswer::Busy(until));
    }
}
