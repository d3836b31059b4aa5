//! The contract of rows that cannot be read: each is left out of every list, told and counted, and stops nobody else.

use super::fixtures::{
    begun, dead, dead_letter, made, nameless_place, row, session as session_id, settled, studio_job, write_record, writer,
};
use super::harness::{Damage, Harness, on_every_backend};
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::domain::job::{AlertDebt, JobState};
use inkdex::domain::outcome::Category;
use inkdex::domain::session::{Session, SessionState, Trigger};
use inkdex::store::{DeadLetterQuery, StoreError, unreadable_rows};
use std::collections::BTreeSet;
use std::time::Duration;

on_every_backend!(
    an_artist_that_cannot_be_read_is_hidden_and_mended,
    a_job_that_cannot_be_read_stops_no_list,
    a_job_that_cannot_be_read_leaves_its_hosts_line,
    a_letter_that_cannot_be_read_stops_no_list,
    a_session_that_cannot_be_read_stops_no_list,
);

/// Longer than any row waits before it is due again.
const LONG_AFTER: Duration = Duration::from_secs(3_600);

fn ids(jobs: Vec<inkdex::domain::job::Job>) -> BTreeSet<JobId> {
    jobs.into_iter().map(|job| job.new.id).collect()
}

fn is_corrupt<T: std::fmt::Debug>(answer: Result<T, StoreError>, key: &str) -> bool {
    matches!(answer.unwrap_err(), StoreError::Corrupt { what, .. } if what == key)
}

/// Rule 5: it is answered as damaged with version and fence, is in nobody's list, stops no scan, and its next write mends it.
async fn an_artist_that_cannot_be_read_is_hidden_and_mended(h: &impl Harness) {
    for (n, how) in [Damage::Bytes, Damage::Form].into_iter().enumerate() {
        let (id, other) = (format!("artist-{n}"), format!("other-{n}"));
        let record = || super::fixtures::record("Ana", &["dotwork"], "PT", "Porto", &format!("ana{n}"));
        let before = write_record(h, &id, record(), &writer(&format!("a{n}"), 1)).await.row();
        write_record(h, &other, nameless_place("Bea"), &writer(&format!("b{n}"), 1)).await.row();
        let known = unreadable_rows();
        h.damage("artists", &id, how).await;
        let store = h.store();
        let damaged = store.artist(&ArtistId::new(id.as_str())).await.unwrap().unwrap();
        assert!(!damaged.is_sound() && damaged.live().is_none(), "{how:?}");
        assert_eq!((damaged.version, damaged.fence), (before.version, before.fence), "{how:?}");
        assert!(unreadable_rows() > known, "{how:?}");
        let scanned: BTreeSet<String> = store.scan_artists(None, 100).await.unwrap().into_iter().map(|row| row.id.to_string()).collect();
        assert!(scanned.contains(&id) && scanned.contains(&other), "{how:?}: {scanned:?}");
        assert_eq!(store.by_instagram(&format!("INSTAGRAM#ana{n}")).await.unwrap(), None, "{how:?}");
        store.repeat_projections(&damaged.id).await.unwrap();
        let mended = write_record(h, &id, record(), &writer(&format!("c{n}"), 2)).await.row();
        assert!(mended.live().is_some() && mended.version > before.version, "{how:?}");
        assert_eq!(store.by_instagram(&format!("INSTAGRAM#ana{n}")).await.unwrap(), Some(mended), "{how:?}");
    }
}

/// One bad row stops one job: asked for by its id it says so, lists go on without it, and it is withdrawn from the counts.
async fn a_job_that_cannot_be_read_stops_no_list(h: &impl Harness) {
    let mut all = Vec::new();
    for n in 0..6 {
        all.push(made(h, &studio_job(n, None)).await.new);
    }
    // One was never begun, one is in work.
    begun(h, &all[1].id, "w").await;
    h.damage("jobs", all[0].id.as_str(), Damage::Bytes).await;
    h.damage("jobs", all[1].id.as_str(), Damage::Form).await;
    let known = unreadable_rows();
    h.advance(LONG_AFTER).await;
    let store = h.store();
    let sound: BTreeSet<JobId> = all[2..].iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids(store.due_jobs(h.now(), 2, 100).await.unwrap()), sound);
    assert!(unreadable_rows() > known);
    assert_eq!(ids(store.jobs_in(&session_id(), None, None, 100).await.unwrap()), sound);
    assert_eq!(ids(store.jobs_in(&session_id(), Some(JobState::Created), None, 100).await.unwrap()), sound);
    let mut paged = BTreeSet::new();
    while let [job] = &store.jobs_in(&session_id(), None, paged.last(), 1).await.unwrap()[..] {
        paged.insert(job.new.id.clone());
    }
    assert_eq!(paged, sound, "whoever pages on does not meet the end too soon");
    for key in &all[..2] {
        assert!(is_corrupt(store.job(&key.id).await, &format!("jobs/{}", key.id)));
        assert!(store.attempts(&key.id).await.unwrap().len() <= 1);
    }
    assert_eq!(store.depth(h.now()).await.unwrap().open, 4);
    let counts = store.step_counts(&session_id()).await.unwrap();
    assert_eq!((counts.of("find", JobState::Created), counts.of("find", JobState::Cancelled)), (4, 2));
    // Whoever makes the same jobs again makes none of them anew.
    assert_eq!(store.create_jobs(&all, h.now()).await.unwrap(), [false; 6]);
    drop(store);
    h.restart().await;
    assert_eq!(h.store().depth(h.now()).await.unwrap().open, 4);
}

/// Rule 14: two that cannot be read are not the two that a host may have out for ever.
async fn a_job_that_cannot_be_read_leaves_its_hosts_line(h: &impl Harness) {
    let host = "h.example";
    let mut all = Vec::new();
    for n in 0..4 {
        all.push(made(h, &studio_job(n, Some(host))).await.new);
    }
    for job in &all[..2] {
        begun(h, &job.id, "w").await;
        h.damage("jobs", job.id.as_str(), Damage::Bytes).await;
    }
    h.advance(LONG_AFTER).await;
    let sound: BTreeSet<JobId> = all[2..].iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids(h.store().due_jobs_of_host(host, h.now(), 2).await.unwrap()), sound);
    assert_eq!(ids(h.store().due_jobs(h.now(), 2, 100).await.unwrap()), sound);
    assert_eq!(h.store().depth(h.now()).await.unwrap().open, 2);
}

/// 002-C7, rule 19: letters and debts of others are listed.
async fn a_letter_that_cannot_be_read_stops_no_list(h: &impl Harness) {
    let mut letters = Vec::new();
    for n in 0..3 {
        letters.push(dead_letter(h, n, Category::Data).await);
    }
    for letter in &letters {
        assert_eq!(row(h, letter.id()).await.alert, AlertDebt::Owed);
    }
    h.damage("jobs", letters[1].id().as_str(), Damage::Form).await;
    let store = h.store();
    let sound = BTreeSet::from([letters[0].id().clone(), letters[2].id().clone()]);
    let query = DeadLetterQuery { limit: 10, ..DeadLetterQuery::default() };
    assert_eq!(ids(store.dead_letters(&query).await.unwrap().jobs), sound);
    let first = store.dead_letters(&DeadLetterQuery { limit: 1, ..DeadLetterQuery::default() }).await.unwrap();
    let rest = store.dead_letters(&DeadLetterQuery { limit: 1, after: first.next, ..DeadLetterQuery::default() }).await.unwrap();
    assert_eq!(ids([first.jobs, rest.jobs].concat()), sound);
    assert_eq!(ids(store.jobs_owing_alert(10).await.unwrap()), sound);
    assert_eq!(ids(store.jobs_owing_alert(10).await.unwrap()), sound, "and its debt is asked for no more");
    // A letter is still settled and requeued beside it.
    let (job, attempt) = {
        let new = studio_job(7, None);
        made(h, &new).await;
        begun(h, &new.id, "w").await
    };
    settled(h, &job, &attempt, dead(Category::Data)).await;
    assert_eq!(store.dead_letters(&query).await.unwrap().jobs.len(), 3);
}

/// Rule 18: its night counts as run, it is open no more and owes nothing, and the others go on.
async fn a_session_that_cannot_be_read_stops_no_list(h: &impl Harness) {
    let night = |n: u64| h.now().plus(Duration::from_secs(86_400 * n));
    let session = |n| Session::created("daily", Vec::new(), night(n), Trigger::Scheduled, night(n));
    for n in 0..3 {
        assert!(h.store().create_session(&session(n)).await.unwrap());
    }
    let owing = Session { state: SessionState::Failed, alert: AlertDebt::Owed, epoch: 1, ..session(1) };
    assert!(h.store().put_session(0, &owing).await.unwrap());
    for n in [1, 2] {
        h.damage("sessions", session(n).id.as_str(), if n == 1 { Damage::Bytes } else { Damage::Form }).await;
    }
    h.restart().await;
    let (store, known) = (h.store(), unreadable_rows());
    assert_eq!(store.open_sessions().await.unwrap(), [session(0)]);
    assert!(unreadable_rows() > known);
    assert_eq!(store.sessions_owing_alert(10).await.unwrap(), []);
    assert_eq!(store.sessions(10).await.unwrap(), [session(0)]);
    assert_eq!(store.last_scheduled("daily").await.unwrap(), Some(night(2)));
    assert!(!store.create_session(&session(2)).await.unwrap());
    assert!(is_corrupt(store.session(&session(2).id).await, &format!("sessions/{}", session(2).id)));
    assert!(store.put_session(0, &Session { epoch: 1, ..session(0) }).await.unwrap());
}
