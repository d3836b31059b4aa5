//! The contract of the ledger's rows: made once, changed by compare-and-set, begun and settled through `domain::ledger`.

use super::fixtures::{
    MAX_DELAY, begun, dead, dead_letter, failure, limits, made, put, retry, row, scrape_job, session, settled, studio_job,
};
use super::harness::{Harness, on_every_backend};
use inkdex::domain::chance::Chance;
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::domain::job::{AlertDebt, Attempt, Job, JobState, Stage, Task};
use inkdex::domain::ledger::{AfterSettle, Begin, decide_begin, is_suspect, requeued, sent, settle, unfinished_writes, withdrawn};
use inkdex::domain::outcome::{Cancelled, Category, Done, Outcome, WaitFor};
use inkdex::store::JobPut;
use std::time::Duration;

on_every_backend!(
    jobs_are_made_once,
    making_jobs_is_resumable,
    a_row_is_put_only_over_the_row_that_was_read,
    of_racing_starts_one_begins,
    a_running_job_is_held,
    a_parked_job_is_held_until_its_time,
    every_outcome_is_settled,
    a_terminal_job_is_never_begun,
    counted_failures_end_in_a_dead_letter,
    three_seen_deaths_are_poison,
    a_start_without_outcome_makes_a_suspect,
    ten_orphans_go_to_the_end_of_the_line,
    a_stale_settle_is_a_conflict,
    staged_artists_are_never_forgotten,
    a_crash_around_a_start_is_recovered,
    a_requeue_is_a_new_generation,
    a_withdrawn_job_is_over,
    dead_owners_lose_their_leases,
    jobs_about_an_artist_are_found,
);

fn done() -> Outcome {
    Outcome::Done { how: Done::Written }
}

/// 002-R10, rule 1: one job for each artist, however often it is asked for; what has begun is not made anew.
async fn jobs_are_made_once(h: &impl Harness) {
    let (ana, bo) = (scrape_job("Ana", "ana", "https://ana.example/"), scrape_job("Bo", "bo", "https://bo.example/"));
    let create = async |jobs: &[_]| h.store().create_jobs(jobs, h.now()).await.unwrap();
    assert_eq!(create(&[ana.clone(), ana.clone()]).await, [true, false]);
    assert_eq!(row(h, &ana.id).await, Job::created(ana.clone(), h.now()));
    let (running, _) = begun(h, &ana.id, "w").await;
    h.advance(Duration::from_secs(1)).await;
    assert_eq!(create(&[ana.clone(), bo.clone()]).await, [false, true]);
    assert_eq!(row(h, &ana.id).await, running);
    assert_eq!(create(&[]).await, [false; 0]);
    for n in 0..20 {
        let race = || {
            let (store, now) = (h.store(), h.now());
            tokio::spawn(async move { store.create_jobs(&[studio_job(n, None)], now).await.unwrap()[0] })
        };
        let (one, other) = tokio::join!(race(), race());
        assert!(one.unwrap() ^ other.unwrap(), "job {n}");
    }
    assert_eq!(h.store().job(&JobId::new("nobody")).await.unwrap(), None);
}

/// Rule 6: a crash leaves some of the jobs, and whoever repeats the call makes the rest.
async fn making_jobs_is_resumable(h: &impl Harness) {
    for point in 0..h.crash_points() {
        let jobs: Vec<_> = (0..30).map(|n| studio_job(100 * point + n, Some("s.example"))).collect();
        let (cut, now) = (jobs.clone(), h.now());
        h.crash_at(point, async |store| drop(store.create_jobs(&cut, now).await)).await;
        h.store().create_jobs(&jobs, h.now()).await.unwrap();
        for job in &jobs {
            assert_eq!(row(h, &job.id).await.state, JobState::Created, "point {point}");
        }
        let counts = h.store().step_counts(&session()).await.unwrap();
        assert_eq!(counts.of("find", JobState::Created), 30 * (point as u64 + 1), "point {point}");
    }
}

async fn a_row_is_put_only_over_the_row_that_was_read(h: &impl Harness) {
    let job = made(h, &studio_job(1, Some("s.example"))).await;
    let sent_once = sent(&job, &limits(), h.now());
    put(h, &job, &sent_once, None).await;
    // Rule 1: a second sweeper that read the same row is told of the first one's send.
    let again = h.store().put_job(&job, &sent_once, None).await.unwrap();
    assert_eq!(again, JobPut::Conflict(Some(Box::new(sent_once.clone()))));
    for round in 0..50 {
        let met = row(h, job.id()).await;
        let send = || {
            let (store, met, next) = (h.store(), met.clone(), sent(&met, &limits(), h.now()));
            tokio::spawn(async move { store.put_job(&met, &next, None).await.unwrap() == JobPut::Committed })
        };
        let (one, other) = tokio::join!(send(), send());
        assert!(one.unwrap() ^ other.unwrap(), "round {round}");
    }
    assert_eq!(row(h, job.id()).await.sends, 51);
    let stranger = Job::created(studio_job(2, None), h.now());
    assert_eq!(h.store().put_job(&stranger, &stranger, None).await.unwrap(), JobPut::Conflict(None));
    assert!(h.store().put_job(&sent_once, &stranger, None).await.is_err(), "one job is never put over another");
}

/// 002-R12, rule 2: of two deliveries of one job, one begins; the start is in the ledger before anything is touched.
async fn of_racing_starts_one_begins(h: &impl Harness) {
    for n in 0..100 {
        let job = made(h, &studio_job(n, None)).await;
        let start = |owner: &'static str| {
            let (store, job, now) = (h.store(), job.clone(), h.now());
            tokio::spawn(async move {
                match decide_begin(&job, 1, owner, "build", false, &limits(), now) {
                    Begin::Start(started) => store.put_job(&job, &started.job, Some(&started.attempt)).await.unwrap(),
                    other => panic!("expected a start, got {other:?}"),
                }
            })
        };
        let (one, other) = tokio::join!(start("a"), start("b"));
        let answers = [one.unwrap(), other.unwrap()];
        let stands = row(h, job.id()).await;
        assert_eq!(answers.iter().filter(|answer| **answer == JobPut::Committed).count(), 1, "job {n}: {answers:?}");
        assert!(answers.contains(&JobPut::Conflict(Some(Box::new(stands.clone())))), "job {n}");
        // The loser may have left an attempt without outcome; the winner's is there as it was begun.
        let attempts = h.store().attempts(job.id()).await.unwrap();
        let winners = attempts.iter().filter(|attempt| Some(&attempt.owner) == stands.owner.as_ref() && attempt.fence == stands.fence);
        assert_eq!(winners.count(), 1, "job {n}: {attempts:?}");
    }
}

/// 002-R12, rule 2: while an attempt is alive the message is released, never acked.
async fn a_running_job_is_held(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (job, _) = begun(h, &new.id, "a").await;
    let held = decide_begin(&row(h, &new.id).await, 1, "b", "build", false, &limits(), h.now());
    assert_eq!(held, Begin::Held(job.lease_until));
}

async fn a_parked_job_is_held_until_its_time(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "a").await;
    let until = h.now().plus(Duration::from_secs(3_600));
    let parked = settled(h, &job, &attempt, Outcome::Wait { until, why: WaitFor::RateLimit }).await;
    assert_eq!((parked.job.state, parked.message), (JobState::Parked, AfterSettle::Ack));
    assert_eq!(decide_begin(&row(h, &new.id).await, 1, "b", "build", false, &limits(), h.now()), Begin::Held(until));
    h.advance(Duration::from_secs(3_600)).await;
    let (again, _) = begun(h, &new.id, "b").await;
    assert_eq!((again.attempts, again.counted, again.orphans), (2, 0, 0), "waiting burns nothing");
}

/// 002-R22, 002-R37, 002-R40, rule 3: one type of outcome, settled by one function, outcome first and ack last.
async fn every_outcome_is_settled(h: &impl Harness) {
    let until = h.now().plus(Duration::from_secs(60));
    let cases = [
        (done(), JobState::Done, 0, AlertDebt::None),
        (Outcome::Wait { until, why: WaitFor::Host }, JobState::Sent, 0, AlertDebt::None),
        (retry(Category::Transient), JobState::Sent, 1, AlertDebt::None),
        (dead(Category::Blocked), JobState::Dead, 1, AlertDebt::Owed),
        (Outcome::Cancelled { why: Cancelled::Removed }, JobState::Cancelled, 0, AlertDebt::None),
    ];
    for (n, (outcome, state, counted, alert)) in cases.into_iter().enumerate() {
        let new = studio_job(n, None);
        made(h, &new).await;
        let (job, attempt) = begun(h, &new.id, "a").await;
        let settled = settled(h, &job, &attempt, outcome.clone()).await;
        h.restart().await;
        let stands = row(h, &new.id).await;
        assert_eq!(stands, settled.job);
        assert_eq!((stands.state, stands.counted, stands.alert), (state, counted, alert));
        assert_eq!(stands.owner, None);
        assert_eq!(stands.settled_at.is_some(), state.is_terminal());
        let attempts = h.store().attempts(&new.id).await.unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].ended_at, &attempts[0].outcome), (Some(h.now()), &Some(outcome)));
    }
}

/// Rule 2: the message of a finished job is acked.
async fn a_terminal_job_is_never_begun(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "a").await;
    settled(h, &job, &attempt, done()).await;
    h.advance(Duration::from_secs(86_400)).await;
    assert_eq!(decide_begin(&row(h, &new.id).await, 1, "b", "build", false, &limits(), h.now()), Begin::Terminal);
    let open = made(h, &studio_job(2, None)).await;
    assert_eq!(decide_begin(&open, 1, "b", "build", true, &limits(), h.now()), Begin::Terminal, "its session is over");
    // What a requeued job makes begins in its generation, and runs though the session is over.
    let child = made(h, &studio_job(3, None).made_in(2)).await;
    assert_eq!((row(h, child.id()).await.generation, child.message().generation), (2, 2));
    assert!(matches!(decide_begin(&child, 2, "b", "build", true, &limits(), h.now()), Begin::Start(_)));
}

/// 002-R41, 002-X5, rule 4: the fifth counted failure is a dead letter with its reason and every attempt.
async fn counted_failures_end_in_a_dead_letter(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    for number in 1..=5 {
        let (job, attempt) = begun(h, &new.id, "a").await;
        assert_eq!(attempt.number, number);
        let settled = settled(h, &job, &attempt, retry(Category::Transient)).await;
        assert_eq!(settled.job.state == JobState::Dead, number == 5, "attempt {number}");
        h.advance(Duration::from_secs(120)).await;
    }
    let letter = row(h, &new.id).await;
    assert_eq!(letter.death(), Some(&failure(Category::Transient)));
    assert_eq!(letter.alert, AlertDebt::Owed);
    let attempts = h.store().attempts(&new.id).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(attempts.is_sorted_by(|one, other| one.fence < other.fence), "fences rise");
}

/// Rule 4: three deaths that the living parent saw are poison.
async fn three_seen_deaths_are_poison(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    for death in 1..=3 {
        let (job, attempt) = begun(h, &new.id, "a").await;
        assert_eq!(is_suspect(&job), death > 1);
        settled(h, &job, &attempt, retry(Category::Bug)).await;
        h.advance(Duration::from_secs(120)).await;
    }
    let letter = row(h, &new.id).await;
    assert_eq!(letter.death().map(|reason| reason.category), Some(Category::Poison));
}

/// Rules 2 and 4: a start without outcome counts for nobody, makes a suspect, and names the artist to be repeated.
async fn a_start_without_outcome_makes_a_suspect(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (first, attempt) = begun(h, &new.id, "a").await;
    assert!(!is_suspect(&first));
    h.store().stage_writing(&attempt, &ArtistId::new("artist-1")).await.unwrap();
    h.restart().await;
    h.advance(limits().lease).await;
    let (second, _) = begun(h, &new.id, "b").await;
    assert!(is_suspect(&second));
    assert_eq!((second.orphans, second.counted, second.deaths), (1, 0, 0));
    assert!(second.fence > first.fence);
    let attempts = h.store().attempts(&new.id).await.unwrap();
    assert_eq!(unfinished_writes(&attempts), [ArtistId::new("artist-1")]);
}

/// Rule 4: after ten starts without outcome the job goes to the end of its line and an alert is owed; it is not lost.
async fn ten_orphans_go_to_the_end_of_the_line(h: &impl Harness) {
    let new = studio_job(1, Some("s.example"));
    let other = made(h, &studio_job(2, Some("s.example"))).await;
    made(h, &new).await;
    for _ in 0..10 {
        begun(h, &new.id, "a").await;
        h.advance(limits().lease).await;
    }
    let job = row(h, &new.id).await;
    let Begin::ToEndOfLine(last) = decide_begin(&job, 1, "b", "build", false, &limits(), h.now()) else { panic!("not held back") };
    put(h, &job, &last, None).await;
    assert_eq!((last.state, last.orphans, last.counted, last.alert), (JobState::Parked, 10, 0, AlertDebt::Owed));
    assert_eq!(h.store().jobs_owing_alert(10).await.unwrap(), [*last.clone()]);
    h.advance(limits().resend_first).await;
    let line: Vec<_> = h.store().due_jobs(h.now(), 2, 10).await.unwrap().into_iter().map(|job| job.new.id).collect();
    assert_eq!(line, [other.id().clone(), new.id.clone()]);
    begun(h, &new.id, "b").await;
}

/// Rule 3: an attempt is settled by compare-and-set; who comes late changes nothing.
async fn a_stale_settle_is_a_conflict(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (first, attempt) = begun(h, &new.id, "a").await;
    h.advance(limits().lease).await;
    let (second, second_attempt) = begun(h, &new.id, "b").await;
    let late = settle(&first, done(), &limits(), MAX_DELAY, &Chance::seeded(1), h.now());
    let ended = Attempt { ended_at: Some(h.now()), outcome: Some(done()), ..attempt };
    let answer = h.store().put_job(&first, &late.job, Some(&ended)).await.unwrap();
    assert_eq!(answer, JobPut::Conflict(Some(Box::new(second.clone()))));
    assert_eq!(row(h, &new.id).await, second);
    settled(h, &second, &second_attempt, done()).await;
    assert_eq!(h.store().attempts(&new.id).await.unwrap().len(), 2);
}

/// Rule 2: what an attempt staged stays in its row, also when it is settled from a copy read before.
async fn staged_artists_are_never_forgotten(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "a").await;
    for id in ["artist-1", "artist-2", "artist-1"] {
        h.store().stage_writing(&attempt, &ArtistId::new(id)).await.unwrap();
    }
    settled(h, &job, &attempt, done()).await;
    let attempts = h.store().attempts(&new.id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].stage), (1, Stage::Writing));
    assert_eq!(attempts[0].artist_ids, [ArtistId::new("artist-1"), ArtistId::new("artist-2")]);
    assert_eq!(attempts[0].outcome, Some(done()));
    assert_eq!(unfinished_writes(&attempts), [], "it ended");
}

/// Rule 6: whatever a crash around a start leaves, the job can be begun and its attempts are in order.
async fn a_crash_around_a_start_is_recovered(h: &impl Harness) {
    for point in 0..h.crash_points() {
        let job = made(h, &studio_job(point, None)).await;
        let Begin::Start(started) = decide_begin(&job, 1, "a", "build", false, &limits(), h.now()) else { panic!("not startable") };
        let cut = started.clone();
        h.crash_at(point, async |store| drop(store.put_job(&job, &cut.job, Some(&cut.attempt)).await)).await;
        h.advance(limits().lease).await;
        let (again, attempt) = begun(h, job.id(), "b").await;
        assert!(again.fence > started.job.fence, "point {point}");
        let attempts = h.store().attempts(job.id()).await.unwrap();
        assert_eq!(attempts.last(), Some(&attempt), "point {point}");
        settled(h, &again, &attempt, done()).await;
    }
}

/// 002-X6, 002-C7: a requeue starts afresh under a new generation; messages of the old one are acked.
async fn a_requeue_is_a_new_generation(h: &impl Harness) {
    let letter = dead_letter(h, 1, Category::Data).await;
    h.advance(Duration::from_secs(10)).await;
    let again = requeued(&letter, h.now()).unwrap();
    put(h, &letter, &again, None).await;
    assert_eq!(h.store().put_job(&letter, &again, None).await.unwrap(), JobPut::Conflict(Some(Box::new(again.clone()))));
    assert_eq!((again.generation, again.attempts, again.counted), (2, 0, 0));
    assert_eq!(decide_begin(&again, 1, "b", "build", false, &limits(), h.now()), Begin::Terminal);
    let (job, attempt) = begun(h, letter.id(), "b").await;
    assert!(job.fence > letter.fence);
    settled(h, &job, &attempt, done()).await;
    let attempts = h.store().attempts(letter.id()).await.unwrap();
    let numbers: Vec<_> = attempts.iter().map(|attempt| (attempt.generation, attempt.number)).collect();
    assert_eq!(numbers, [(1, 1), (2, 1)]);
}

async fn a_withdrawn_job_is_over(h: &impl Harness) {
    let new = studio_job(1, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "a").await;
    let gone = withdrawn(&job, Cancelled::Removed, h.now()).unwrap();
    put(h, &job, &gone, None).await;
    // The attempt that was running is told, and stops.
    let late = settle(&job, done(), &limits(), MAX_DELAY, &Chance::seeded(1), h.now());
    let answer = h.store().put_job(&job, &late.job, Some(&attempt)).await.unwrap();
    assert_eq!(answer, JobPut::Conflict(Some(Box::new(gone.clone()))));
    assert_eq!(row(h, &new.id).await.cancelled(), Some(Cancelled::Removed));
    assert_eq!(withdrawn(&gone, Cancelled::Operator, h.now()), None);
}

/// Rule 17: who holds the database alone ends the leases of the dead, and the sweeper sends their jobs at once.
async fn dead_owners_lose_their_leases(h: &impl Harness) {
    for (n, owner) in ["dead-1", "dead-2", "alive"].into_iter().enumerate() {
        let new = studio_job(n, Some(&format!("h{n}.example")));
        let job = made(h, &new).await;
        put(h, &job, &sent(&job, &limits(), h.now()), None).await;
        begun(h, &new.id, owner).await;
    }
    assert_eq!(h.store().due_jobs(h.now(), 2, 10).await.unwrap(), []);
    h.restart().await;
    if h.store().release_leases_of_others("alive", h.now()).await.unwrap() == 0 {
        // A backend that is never held alone waits for the leases; here the living one would have been extended.
        h.advance(limits().resend_first).await;
    }
    let mut due = h.store().due_jobs(h.now(), 2, 10).await.unwrap();
    due.retain(|job| job.owner.as_deref() != Some("alive") || job.lease_until > h.now());
    let owners: Vec<_> = due.iter().map(|job| job.owner.as_deref()).collect();
    assert_eq!(due.len(), 2);
    assert!(owners.contains(&Some("dead-1")) && owners.contains(&Some("dead-2")), "{owners:?}");
    let (again, _) = begun(h, due[0].id(), "alive").await;
    assert_eq!(again.orphans, 1);
}

/// Rule 15: a removal finds the jobs that wrote the artist, and those that name it in whatever state they are, and not itself.
async fn jobs_about_an_artist_are_found(h: &impl Harness) {
    let ana = ArtistId::new("artist-ana");
    let key = inkdex::domain::identity::IdentityKey::instagram("ana").unwrap();
    let by_handle = scrape_job("Ana", "ana", "https://elsewhere.example/");
    let stranger = scrape_job("Bo", "bo", "https://bo.example/");
    let (wrote, finished) = (studio_job(1, None), studio_job(2, None));
    for new in [&by_handle, &stranger, &wrote, &finished] {
        made(h, new).await;
    }
    let held = inkdex::domain::identity::KeyState::Held(ana.clone());
    assert_eq!(h.store().point_identity(&key, None, &held).await.unwrap(), None);
    for new in [&wrote, &finished] {
        let (job, attempt) = begun(h, &new.id, "a").await;
        h.store().stage_writing(&attempt, &ana).await.unwrap();
        let outcome = if new.id == wrote.id { retry(Category::Transient) } else { done() };
        settled(h, &job, &attempt, outcome).await;
    }
    let removal = inkdex::domain::job::NewJob::new(
        &session(),
        "remove",
        Task::RemoveArtist { artist_id: ana.clone(), leftovers: Default::default() },
        None,
    );
    made(h, &removal).await;
    let (_, attempt) = begun(h, &removal.id, "a").await;
    h.store().stage_writing(&attempt, &ana).await.unwrap();
    let mut found: Vec<_> = h.store().jobs_about(&ana).await.unwrap().into_iter().map(|job| job.new.id).collect();
    let mut expected = vec![by_handle.id.clone(), wrote.id.clone(), finished.id.clone()];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    // A dead letter still names somebody, and so does a job that was withdrawn, or done without a write.
    let (job, attempt) = begun(h, &by_handle.id, "a").await;
    let letter = settled(h, &job, &attempt, dead(Category::Data)).await.job;
    assert_eq!(h.store().jobs_about(&ana).await.unwrap().len(), 3);
    let withdrawn = inkdex::domain::ledger::withdrawn(&letter, inkdex::domain::outcome::Cancelled::Removed, h.now()).unwrap();
    put(h, &letter, &withdrawn, None).await;
    assert_eq!(h.store().jobs_about(&ana).await.unwrap().len(), 3);
    let gone = scrape_job("Ana", "ana", "https://gone.example/");
    made(h, &gone).await;
    let (job, attempt) = begun(h, &gone.id, "a").await;
    let gone = settled(h, &job, &attempt, Outcome::Done { how: Done::Gone }).await.job;
    assert_eq!(h.store().jobs_about(&ana).await.unwrap().len(), 4);
    // Erased, it names nobody, and only a job that wrote the artist is still about it.
    for job in [&withdrawn, &gone] {
        put(h, job, &inkdex::domain::ledger::erased(job, h.now()), None).await;
    }
    let mut found: Vec<_> = h.store().jobs_about(&ana).await.unwrap().into_iter().map(|job| job.new.id).collect();
    let mut expected = vec![wrote.id, finished.id];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
