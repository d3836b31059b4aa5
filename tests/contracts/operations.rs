//! The contract of sessions, studios, sightings, leases, holds on hosts, the denylist, small values and the audit trail.

use super::harness::{Harness, START, on_every_backend};
use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::Source;
use inkdex::domain::ids::{ArtistId, SessionId, StudioId};
use inkdex::domain::job::{AlertDebt, JobKind};
use inkdex::domain::lifecycle::{Absence, Sighting};
use inkdex::domain::place::Place;
use inkdex::domain::session::{Session, SessionState, StepDefinition, Trigger};
use inkdex::domain::studio::{FoundStudio, Studio, StudioKind, Terms};
use inkdex::store::{AuditRow, HostAnswer, HostTicket};
use std::time::Duration;

on_every_backend!(
    one_night_is_one_session,
    a_session_is_changed_by_compare_and_set,
    sessions_are_listed,
    the_newest_reading_of_a_studio_stands,
    studios_are_scanned_in_pages,
    an_absence_counts_once_a_night,
    being_seen_ends_the_misses,
    what_was_forgotten_of_an_artist_stays_forgotten,
    a_lease_is_taken_renewed_and_given_back,
    a_host_is_held_by_one,
    a_start_waits_and_knows_the_back_offs,
    the_denylist_only_grows,
    small_values_are_set_by_compare_and_set,
    the_audit_trail_is_newest_first,
);

const DAY: Duration = Duration::from_secs(86_400);

fn night(n: u32) -> Timestamp {
    START.plus(DAY * n)
}

fn session(n: u32) -> Session {
    let step = StepDefinition { name: "discover".into(), job: JobKind::DiscoverStudios, one_call: true, deadline_s: 60, retry: None };
    Session::created("daily", vec![step], night(n), Trigger::Scheduled, night(n))
}

/// Rule 18: one night is one session, whoever makes it.
async fn one_night_is_one_session(h: &impl Harness) {
    for n in 0..100 {
        let create = || {
            let store = h.store();
            tokio::spawn(async move { store.create_session(&session(n)).await.unwrap() })
        };
        let (one, other) = tokio::join!(create(), create());
        assert!(one.unwrap() ^ other.unwrap(), "night {n}");
    }
    // The key is pipeline and schedule, not the id or how it came to be.
    let by_hand = Session { id: SessionId::new("another"), trigger: Trigger::Manual, ..session(7) };
    assert!(!h.store().create_session(&by_hand).await.unwrap());
    assert_eq!(h.store().session(&by_hand.id).await.unwrap(), None);
    assert_eq!(h.store().sessions(1_000).await.unwrap().len(), 100);
    assert_eq!(h.store().last_scheduled("daily").await.unwrap(), Some(night(99)));
    assert_eq!(h.store().last_scheduled("weekly").await.unwrap(), None);
}

async fn a_session_is_changed_by_compare_and_set(h: &impl Harness) {
    let created = session(0);
    assert!(!h.store().put_session(0, &created).await.unwrap(), "a session that was never made cannot be changed");
    assert!(h.store().create_session(&created).await.unwrap());
    for epoch in 0..50 {
        let put = |failure: &'static str| {
            let (store, next) = (h.store(), Session { epoch: epoch + 1, failure: Some(failure.into()), ..created.clone() });
            tokio::spawn(async move { store.put_session(epoch, &next).await.unwrap() })
        };
        let (one, other) = tokio::join!(put("a"), put("b"));
        assert!(one.unwrap() ^ other.unwrap(), "epoch {epoch}");
    }
    h.restart().await;
    assert_eq!(h.store().session(&created.id).await.unwrap().map(|session| session.epoch), Some(50));
}

/// Rule 19: a session that owes an alert is listed until it is told.
async fn sessions_are_listed(h: &impl Harness) {
    for n in 0..5 {
        assert!(h.store().create_session(&session(n)).await.unwrap());
    }
    let ids = |sessions: Vec<Session>| sessions.into_iter().map(|session| session.scheduled_for).collect::<Vec<_>>();
    assert_eq!(ids(h.store().sessions(2).await.unwrap()), [night(4), night(3)]);
    let failed = Session { state: SessionState::Failed, alert: AlertDebt::Owed, epoch: 1, ..session(2) };
    assert!(h.store().put_session(0, &failed).await.unwrap());
    assert_eq!(ids(h.store().open_sessions().await.unwrap()), [night(0), night(1), night(3), night(4)]);
    assert_eq!(h.store().sessions_owing_alert(10).await.unwrap(), std::slice::from_ref(&failed));
    let told = Session { alert: AlertDebt::Told(h.now()), epoch: 2, ..failed };
    assert!(h.store().put_session(1, &told).await.unwrap());
    assert_eq!(h.store().sessions_owing_alert(10).await.unwrap(), []);
}

async fn the_newest_reading_of_a_studio_stands(h: &impl Harness) {
    let place = Place { city: Some("Porto".into()), ..Place::default() };
    let found = FoundStudio {
        name: "Ink".into(),
        website: None,
        place,
        place_text: None,
        place_id: None,
        phone: None,
        source: "file".into(),
        terms: Terms::Own,
    };
    let studio = |at: i64, kind: StudioKind| Studio {
        id: StudioId::new("s"),
        found: found.clone(),
        named_by: Vec::new(),
        lent: None,
        kind,
        last_session: SessionId::new("n"),
        updated_at: Timestamp(at),
    };
    let store = h.store();
    assert_eq!((store.studio(&StudioId::new("s")).await.unwrap(), store.studio_count().await.unwrap()), (None, 0));
    store.put_studio(&studio(5, StudioKind::Unread)).await.unwrap();
    store.put_studio(&studio(6, StudioKind::Studio)).await.unwrap();
    store.put_studio(&studio(4, StudioKind::NotTattoo)).await.unwrap();
    assert_eq!(store.studio(&StudioId::new("s")).await.unwrap(), Some(studio(6, StudioKind::Studio)));
    assert_eq!(store.studio_count().await.unwrap(), 1);
}

async fn studios_are_scanned_in_pages(h: &impl Harness) {
    let found = FoundStudio {
        name: "Ink".into(),
        website: None,
        place: Place::default(),
        place_text: None,
        place_id: None,
        phone: None,
        source: "file".into(),
        terms: Terms::Own,
    };
    for n in 0..7 {
        let studio = Studio {
            id: StudioId::new(format!("s{n}")),
            found: found.clone(),
            named_by: Vec::new(),
            lent: None,
            kind: StudioKind::Unread,
            last_session: SessionId::new("n"),
            updated_at: Timestamp(5),
        };
        h.store().put_studio(&studio).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = h.store().scan_studios(after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|studio| studio.id.to_string()));
    }
    seen.sort();
    assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4", "s5", "s6"]);
}

fn source() -> Source {
    Source::Studio(StudioId::new("s"))
}
fn ana() -> ArtistId {
    ArtistId::new("ana")
}
fn sighting(misses: u32, gone: u32, own_page: bool) -> Vec<Sighting> {
    vec![Sighting { artist_id: ana(), source: source(), misses, gone, own_page }]
}

/// Rule 11: absences count once per scheduled night, however often the last step is repeated.
async fn an_absence_counts_once_a_night(h: &impl Harness) {
    let store = h.store();
    store.seen(&ana(), &source(), true, true).await.unwrap();
    for n in 1..=3 {
        let session = SessionId::new(format!("daily-{n}"));
        for _ in 0..3 {
            store.propose_absence(&session, &ana(), &source(), Absence::NotListed).await.unwrap();
            store.propose_absence(&session, &ana(), &source(), Absence::PageGone).await.unwrap();
        }
        let proposals = store.proposals(&session).await.unwrap();
        assert_eq!(proposals, [(ana(), source(), Absence::NotListed), (ana(), source(), Absence::PageGone)]);
        for _ in 0..3 {
            for (artist, source, absence) in &proposals {
                store.count_absence(night(n), artist, source, *absence).await.unwrap();
            }
        }
        assert_eq!(store.sightings_of(&ana()).await.unwrap(), sighting(n, n, true), "night {n}");
    }
    assert_eq!(store.proposals(&SessionId::new("daily-9")).await.unwrap(), []);
    // Still asked for the next night: a miss does not end the misses.
    assert_eq!(store.seen_at(&source()).await.unwrap(), [ana()]);
}

async fn being_seen_ends_the_misses(h: &impl Harness) {
    let store = h.store();
    store.seen(&ana(), &source(), true, true).await.unwrap();
    for absence in [Absence::NotListed, Absence::PageGone] {
        store.count_absence(night(1), &ana(), &source(), absence).await.unwrap();
    }
    // Named again, but the page is still gone.
    store.seen(&ana(), &source(), true, false).await.unwrap();
    assert_eq!(store.sightings_of(&ana()).await.unwrap(), sighting(0, 1, true));
    store.seen(&ana(), &source(), false, true).await.unwrap();
    assert_eq!(store.sightings_of(&ana()).await.unwrap(), sighting(0, 0, false));
    let elsewhere = Source::OwnSite("ana.example".into());
    store.seen(&ana(), &elsewhere, true, true).await.unwrap();
    store.seen(&ArtistId::new("bo"), &source(), true, true).await.unwrap();
    assert_eq!(store.sightings_of(&ana()).await.unwrap().len(), 2);
    assert_eq!(store.seen_at(&source()).await.unwrap(), [ana(), ArtistId::new("bo")]);
    assert_eq!(store.seen_at(&elsewhere).await.unwrap(), [ana()]);
}

/// Rule 15: a removal leaves no trace of where somebody was seen, and a late count makes none.
async fn what_was_forgotten_of_an_artist_stays_forgotten(h: &impl Harness) {
    let (store, session) = (h.store(), SessionId::new("daily-1"));
    store.seen(&ana(), &source(), true, true).await.unwrap();
    store.propose_absence(&session, &ana(), &source(), Absence::NotListed).await.unwrap();
    for _ in 0..2 {
        store.forget_sightings(&ana()).await.unwrap();
    }
    store.count_absence(night(1), &ana(), &source(), Absence::NotListed).await.unwrap();
    assert_eq!(store.sightings_of(&ana()).await.unwrap(), []);
    assert_eq!(store.proposals(&session).await.unwrap(), []);
    assert_eq!(store.seen_at(&source()).await.unwrap(), []);
}

async fn a_lease_is_taken_renewed_and_given_back(h: &impl Harness) {
    let store = h.store();
    let take = async |owner: &str, now: i64| store.take_lease("sweep", owner, Timestamp(now + 10), Timestamp(now)).await.unwrap();
    assert!(take("a", 0).await);
    assert!(!take("b", 9).await);
    assert!(take("a", 9).await, "renewed till 19");
    assert!(!take("b", 18).await);
    assert!(take("b", 19).await, "run out");
    store.give_back_lease("sweep", "a").await.unwrap();
    assert!(!take("a", 20).await, "only its owner gives a lease back");
    store.give_back_lease("sweep", "b").await.unwrap();
    assert!(take("a", 20).await);
}

fn ticket(answer: HostAnswer) -> HostTicket {
    match answer {
        HostAnswer::Taken(ticket) => ticket,
        HostAnswer::Busy(until) => panic!("busy until {until:?}"),
    }
}

/// Rule 14: one job has a host at a time, and gives back when the next request may be made.
async fn a_host_is_held_by_one(h: &impl Harness) {
    let now = h.now();
    let at = |seconds: u64| now.plus(Duration::from_secs(seconds));
    let holds = h.holds(now).await;
    let take = async |host: &str, owner: &str, seconds: u64| holds.take(host, owner, 30_000_000, at(seconds)).await.unwrap();
    let first = ticket(take("a.example", "one", 0).await);
    assert_eq!((first.until, first.next_at), (at(30), now));
    assert_eq!(take("a.example", "two", 1).await, HostAnswer::Busy(at(30)));
    let elsewhere = ticket(take("b.example", "two", 1).await);
    assert_ne!(elsewhere.token, first.token);
    holds.give_back(&first, at(5)).await.unwrap();
    let second = ticket(take("a.example", "two", 2).await);
    assert_eq!(second.next_at, at(5));
    // A stale token changes nothing.
    holds.give_back(&first, at(500)).await.unwrap();
    assert_eq!(take("a.example", "three", 3).await, HostAnswer::Busy(at(32)));
    // A hold that was never given back ends by itself; its spacing stands.
    let third = ticket(take("a.example", "three", 32).await);
    assert_eq!(third.next_at, at(5));
    holds.give_back(&second, at(500)).await.unwrap();
    // A spacing longer than a hold: nothing could be asked in it.
    holds.give_back(&third, at(100)).await.unwrap();
    assert_eq!(take("a.example", "four", 40).await, HostAnswer::Busy(at(100)));
    assert_eq!(ticket(take("a.example", "four", 80).await).next_at, at(100));
    // A back-off keeps everybody away, the holder's host too, and is never shortened.
    holds.back_off("b.example", at(300)).await.unwrap();
    holds.back_off("b.example", at(200)).await.unwrap();
    holds.give_back(&elsewhere, at(10)).await.unwrap();
    assert_eq!(take("b.example", "five", 299).await, HostAnswer::Busy(at(300)));
    ticket(take("b.example", "five", 300).await);
}

/// Rule 14: back-offs outlive the process; every host waits one interval after a start.
async fn a_start_waits_and_knows_the_back_offs(h: &impl Harness) {
    let now = h.now();
    let at = |seconds: u64| now.plus(Duration::from_secs(seconds));
    let holds = h.holds(now).await;
    holds.back_off("slow.example", at(3_600)).await.unwrap();
    holds.back_off("slow.example", at(60)).await.unwrap();
    holds.back_off("past.example", at(1)).await.unwrap();
    drop(holds);
    h.restart().await;
    h.advance(Duration::from_secs(10)).await;
    assert_eq!(h.store().host_back_offs(h.now()).await.unwrap(), [("slow.example".to_owned(), at(3_600))]);
    let holds = h.holds(at(12)).await;
    let take = async |host: &str, seconds: u64| holds.take(host, "one", 30_000_000, at(seconds)).await.unwrap();
    assert_eq!(ticket(take("fresh.example", 10).await).next_at, at(12));
    assert_eq!(ticket(take("past.example", 10).await).next_at, at(12));
    assert_eq!(take("slow.example", 20).await, HostAnswer::Busy(at(3_600)));
}

/// Rule 15: what is denied stays denied.
async fn the_denylist_only_grows(h: &impl Harness) {
    let hashes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert!(!h.store().is_denied(&hashes(&["a", "b"])).await.unwrap());
    for _ in 0..2 {
        h.store().deny(&hashes(&["a", "b"]), h.now()).await.unwrap();
    }
    h.restart().await;
    assert!(h.store().is_denied(&hashes(&["x", "b"])).await.unwrap());
    assert!(!h.store().is_denied(&hashes(&["x"])).await.unwrap());
    assert!(!h.store().is_denied(&[]).await.unwrap());
}

async fn small_values_are_set_by_compare_and_set(h: &impl Harness) {
    let store = h.store();
    assert_eq!(store.meta("k").await.unwrap(), None);
    assert_eq!(store.put_meta("k", Some("x"), "a").await.unwrap(), Some(None));
    assert_eq!(store.put_meta("k", None, "a").await.unwrap(), None);
    assert_eq!(store.put_meta("k", None, "b").await.unwrap(), Some(Some("a".to_owned())));
    assert_eq!(store.put_meta("k", Some("a"), "b").await.unwrap(), None);
    assert_eq!(store.meta("k").await.unwrap().as_deref(), Some("b"));
    assert!(!store.drop_meta_if("k", "a").await.unwrap());
    assert_eq!(store.meta("k").await.unwrap().as_deref(), Some("b"), "only what it was expected to say is forgotten");
    assert!(store.drop_meta_if("k", "b").await.unwrap());
    assert!(!store.drop_meta_if("k", "b").await.unwrap());
    assert_eq!(store.meta("k").await.unwrap(), None);
}

async fn the_audit_trail_is_newest_first(h: &impl Harness) {
    let row = |n: i64| AuditRow {
        at: Timestamp(n),
        actor: "cli".into(),
        verb: "dead_letter.requeue".into(),
        target: format!("job-{n}"),
        reason: None,
        effect: "done".into(),
    };
    // Equal times and a clock that stepped back do not change the order of the acts.
    for n in [1, 3, 3, 2] {
        h.store().audit(&row(n)).await.unwrap();
    }
    h.restart().await;
    assert_eq!(h.store().audit_rows(10).await.unwrap(), [row(2), row(3), row(3), row(1)]);
    assert_eq!(h.store().audit_rows(1).await.unwrap(), [row(2)]);
}
