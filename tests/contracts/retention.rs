//! The contract of dropping the jobs of a session: all of them or none, whatever dies on the way, and nobody finds them again.

use super::fixtures::{begun, dead, failure, made, put, row, scrape_job, session, settled, studio_job};
use super::harness::{Damage, Harness, on_every_backend};
use inkdex::domain::ids::{ArtistId, JobId, SessionId};
use inkdex::domain::job::{AlertDebt, Job, JobState, NewJob};
use inkdex::domain::ledger::requeued;
use inkdex::domain::outcome::{Category, Done, Outcome};
use inkdex::store::{DeadLetterQuery, JobPut, Letters, Store};
use std::sync::Arc;
use std::time::Duration;

on_every_backend!(
    a_session_that_is_over_is_dropped_whole,
    an_open_job_keeps_its_session,
    dead_letters_are_kept_by_choice,
    a_death_between_any_two_steps_of_dropping_is_repaired,
);

/// Longer than any row waits before its list is over.
const LONG_AFTER: Duration = Duration::from_secs(3_600);

/// Makes a job, begins it, stages a write of the artist, and ends it.
async fn done(h: &impl Harness, new: &NewJob, artist: &str) -> Job {
    made(h, new).await;
    let (job, attempt) = begun(h, &new.id, "w").await;
    h.store().stage_writing(&attempt, &ArtistId::new(artist)).await.unwrap();
    settled(h, &job, &attempt, Outcome::Done { how: Done::Written }).await.job
}

/// The session of the suites with some jobs, all of them done.
async fn over(h: &impl Harness) -> Vec<Job> {
    let mut jobs = Vec::new();
    for n in 0..3 {
        jobs.push(done(h, &studio_job(n, Some("h.example")), "artist-1").await);
    }
    jobs.push(done(h, &scrape_job("Ana", "ana", "https://ana.example/"), "artist-2").await);
    h.advance(LONG_AFTER).await;
    jobs
}

/// What is left of the jobs, wherever one may ask for them.
async fn left(store: &Arc<dyn Store>, session: &SessionId, ids: &[JobId]) -> Vec<String> {
    let mut left = Vec::new();
    for id in ids {
        if store.job(id).await.unwrap().is_some() {
            left.push(format!("row {id}"));
        }
        if !store.attempts(id).await.unwrap().is_empty() {
            left.push(format!("attempts of {id}"));
        }
    }
    for artist in ["artist-1", "artist-2"] {
        let about = store.jobs_about(&ArtistId::new(artist)).await.unwrap().len();
        left.extend((about > 0).then(|| format!("{about} about {artist}")));
    }
    left.extend(store.jobs_in(session, None, None, 100).await.unwrap().iter().map(|job| format!("listed {}", job.id())));
    if !store.step_counts(session).await.unwrap().0.is_empty() {
        left.push("counts".to_owned());
    }
    left
}

/// Row, attempts, staged writes, keys, lists and counts are gone; a message of a dropped job finds no row, and another session
/// keeps its own.
async fn a_session_that_is_over_is_dropped_whole(h: &impl Harness) {
    let other = NewJob { session_id: SessionId::new("daily-2"), id: JobId::new("of another"), ..studio_job(9, None) };
    done(h, &other, "artist-9").await;
    let jobs = over(h).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id().clone()).collect();
    let store = h.store();
    assert_eq!(store.jobs_about(&ArtistId::new("artist-1")).await.unwrap().len(), 3);
    // One that cannot be read goes with the others, once it was taken out of work.
    h.damage("jobs", ids[0].as_str(), Damage::Bytes).await;
    store.jobs_in(&session(), None, None, 100).await.unwrap();
    assert!(store.drop_jobs(&session(), Letters::Kept).await.unwrap());
    assert_eq!(left(&store, &session(), &ids).await, [""; 0]);
    assert_eq!(store.depth(h.now()).await.unwrap().open, 0);
    assert!(store.due_jobs(h.now(), 2, 100).await.unwrap().is_empty());
    // Whoever was about to put one is told that there is none, and it stays so.
    let late = Job { sends: 9, ..jobs[1].clone() };
    assert_eq!(store.put_job(&jobs[1], &late, None).await.unwrap(), JobPut::Conflict(None));
    assert!(store.drop_jobs(&session(), Letters::Kept).await.unwrap(), "again it has nothing to do");
    drop(store);
    h.restart().await;
    assert_eq!(left(&h.store(), &session(), &ids).await, [""; 0]);
    assert_eq!(row(h, &other.id).await.state, JobState::Done);
    assert_eq!(h.store().attempts(&other.id).await.unwrap().len(), 1);
}

/// Rule 1: nobody loses a job that is not over, nor an alert that is owed.
async fn an_open_job_keeps_its_session(h: &impl Harness) {
    let jobs = over(h).await;
    let open = made(h, &studio_job(7, None)).await;
    let listed = async || h.store().jobs_in(&session(), None, None, 100).await.unwrap();
    let before = listed().await;
    assert_eq!(before.len(), jobs.len() + 1);
    for letters in [Letters::Kept, Letters::Dropped] {
        assert!(!h.store().drop_jobs(&session(), letters).await.unwrap());
        assert_eq!(listed().await, before, "nothing goes as long as one is open");
    }
    assert_eq!(h.store().due_jobs(h.now(), 2, 100).await.unwrap(), std::slice::from_ref(&open));
    // In work, then dead and untold: still kept.
    let (running, attempt) = begun(h, open.id(), "w").await;
    assert!(!h.store().drop_jobs(&session(), Letters::Dropped).await.unwrap());
    let letter = settled(h, &running, &attempt, dead(Category::Data)).await.job;
    assert_eq!(letter.alert, AlertDebt::Owed);
    assert!(!h.store().drop_jobs(&session(), Letters::Dropped).await.unwrap());
    assert_eq!(h.store().jobs_owing_alert(10).await.unwrap(), [letter]);
}

/// 002-C7: a session with letters is kept whole until its letters are over as well; one that was requeued is open.
async fn dead_letters_are_kept_by_choice(h: &impl Harness) {
    let jobs = over(h).await;
    let new = studio_job(7, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "w").await;
    let letter = settled(h, &job, &attempt, Outcome::Dead { reason: failure(Category::Data) }).await.job;
    let told = Job { alert: AlertDebt::Told(h.now()), ..letter.clone() };
    put(h, &letter, &told, None).await;
    let query = DeadLetterQuery { limit: 10, ..DeadLetterQuery::default() };
    assert!(!h.store().drop_jobs(&session(), Letters::Kept).await.unwrap());
    assert_eq!(h.store().dead_letters(&query).await.unwrap().jobs, std::slice::from_ref(&told));
    let again = requeued(&told, h.now()).expect("a letter can be requeued");
    put(h, &told, &again, None).await;
    assert!(!h.store().drop_jobs(&session(), Letters::Dropped).await.unwrap(), "it is open again");
    assert_eq!(row(h, &new.id).await, again);
    let (job, attempt) = begun(h, &new.id, "w").await;
    settled(h, &job, &attempt, Outcome::Done { how: Done::Written }).await;
    h.advance(LONG_AFTER).await;
    assert!(h.store().drop_jobs(&session(), Letters::Kept).await.unwrap(), "it is no letter any more");
    assert!(h.store().dead_letters(&query).await.unwrap().jobs.is_empty());
    assert_eq!(left(&h.store(), &session(), &jobs.iter().map(|job| job.id().clone()).collect::<Vec<_>>()).await, [""; 0]);
}

/// Rule 6: whoever repeats it drops the rest.
async fn a_death_between_any_two_steps_of_dropping_is_repaired(h: &impl Harness) {
    for point in 0..h.crash_points().min(6) {
        // A session of its own: in one that was dropped no jobs are made again.
        let session = SessionId::new(format!("daily-{}", 10 + point));
        let mut ids = Vec::new();
        for n in 0..3 {
            let id = JobId::new(format!("{n} of {session}"));
            let new = NewJob { session_id: session.clone(), id, ..studio_job(n, Some("h.example")) };
            ids.push(done(h, &new, "artist-1").await.id().clone());
        }
        h.advance(LONG_AFTER).await;
        let dropped = session.clone();
        h.crash_at(point, |store| async move { drop(store.drop_jobs(&dropped, Letters::Kept).await) }).await;
        assert!(h.store().drop_jobs(&session, Letters::Kept).await.unwrap(), "point {point}");
        assert_eq!(left(&h.store(), &session, &ids).await, [""; 0], "point {point}");
    }
}
