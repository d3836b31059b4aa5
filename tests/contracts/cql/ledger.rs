//! What only the ledger in CQL has to show: several processes at one row, and a death between any two steps.

use super::super::fixtures::{MAX_DELAY, begun, dead, dead_letter, limits, made, put, retry, row, session, settled, studio_job};
use super::super::harness::{Harness, START};
use super::Cql;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::{JobId, SessionId};
use inkdex::domain::job::{Attempt, Job, JobKind, JobState};
use inkdex::domain::ledger::{Begin, decide_begin, requeued, sent, settle, withdrawn};
use inkdex::domain::outcome::{Cancelled, Category, Done, Outcome, WaitFor};
use inkdex::domain::session::{Session, StepCounts, StepDefinition, Trigger};
use inkdex::store::cql::{CqlDb, CqlHostHolds, CqlStore};
use inkdex::store::{HostAnswer, HostHolds, JobPut, Ledger, SessionStore, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Another process at the same keyspace: a session, memory and connections of its own.
async fn process(h: &Cql) -> Arc<CqlStore> {
    Arc::new(CqlStore::new(CqlDb::open(h.keyspace.settings.clone(), h.clock.clone()).await.unwrap()))
}

fn done() -> Outcome {
    Outcome::Done { how: Done::Written }
}

/// Rule 2: two processes race to begin one job: one start each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_begins_a_job() {
    let h = Cql::start().await;
    let (one, other) = (process(&h).await, process(&h).await);
    let (mut by_one, mut by_other) = (0, 0);
    for n in 0..200 {
        let job = made(&h, &studio_job(n, Some("s.example"))).await;
        let begin = |store: &Arc<CqlStore>, owner: &'static str| {
            let (store, job, now) = (store.clone(), job.clone(), h.now());
            tokio::spawn(async move {
                let Begin::Start(started) = decide_begin(&job, 1, owner, "build", false, &limits(), now) else { panic!("not startable") };
                store.put_job(&job, &started.job, Some(&started.attempt)).await.unwrap()
            })
        };
        let (first, second) = tokio::join!(begin(&one, "one"), begin(&other, "other"));
        let answers = [first.unwrap(), second.unwrap()];
        let won: Vec<bool> = answers.iter().map(|answer| *answer == JobPut::Committed).collect();
        assert!(won[0] ^ won[1], "job {n}: {answers:?}");
        let owner = row(&h, job.id()).await.owner.unwrap();
        assert_eq!(owner, if won[0] { "one" } else { "other" });
        if won[0] { by_one += 1 } else { by_other += 1 }
    }
    println!("200 races to begin: {by_one} won by one process, {by_other} by the other");
    let counts = h.store().step_counts(&session()).await.unwrap();
    assert_eq!(counts.of("find", JobState::Running), 200);
}

/// Rule 18: two schedulers race for 100 nights: 100 sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_make_one_session_a_night() {
    let h = Cql::start().await;
    let (one, other) = (process(&h).await, process(&h).await);
    for n in 0..100 {
        let create = |store: &Arc<CqlStore>| {
            let store = store.clone();
            let night = START.plus(Duration::from_secs(86_400) * n);
            let step =
                StepDefinition { name: "discover".into(), job: JobKind::DiscoverStudios, one_call: true, deadline_s: 60, retry: None };
            let session = Session::created("daily", vec![step], night, Trigger::Scheduled, night);
            tokio::spawn(async move { store.create_session(&session).await.unwrap() })
        };
        let (first, second) = tokio::join!(create(&one), create(&other));
        assert!(first.unwrap() ^ second.unwrap(), "night {n}");
    }
    assert_eq!(h.store().sessions(1_000).await.unwrap().len(), 100);
    assert_eq!(one.open_sessions().await.unwrap().len(), 100);
}

/// Rule 14: of two processes one holds a host, and what one gives back the other keeps to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_holds_a_host() {
    let h = Cql::start().await;
    let holds = [h.now(), h.now()].map(|now| Arc::new(CqlHostHolds::new(CqlStore::new(h.db()), now)));
    for n in 0..50 {
        let now = h.now();
        let take = |holds: &Arc<CqlHostHolds>| {
            let holds = holds.clone();
            tokio::spawn(async move { holds.take("s.example", "w", 30_000_000, now).await.unwrap() })
        };
        let (one, other) = tokio::join!(take(&holds[0]), take(&holds[1]));
        let (ticket, busy) = match (one.unwrap(), other.unwrap()) {
            (HostAnswer::Taken(ticket), HostAnswer::Busy(busy)) | (HostAnswer::Busy(busy), HostAnswer::Taken(ticket)) => (ticket, busy),
            both => panic!("round {n}: {both:?}"),
        };
        assert_eq!(busy, ticket.until);
        let next_at = now.plus(Duration::from_millis(500));
        holds[n % 2].give_back(&ticket, next_at).await.unwrap();
        holds[0].back_off("s.example", next_at).await.unwrap();
        assert_eq!(holds[1].take("s.example", "w", 30_000_000, now).await.unwrap(), HostAnswer::Busy(next_at));
        h.advance(Duration::from_secs(1)).await;
    }
}

/// The rows of the suites' session counted one by one.
async fn counted(store: &Arc<dyn Store>, ids: &[JobId]) -> StepCounts {
    let mut counts = StepCounts(BTreeMap::new());
    for id in ids {
        if let Some(job) = store.job(id).await.unwrap() {
            *counts.0.entry(job.new.step.clone()).or_default().entry(job.state).or_default() += 1;
        }
    }
    counts
}

/// What a put is to be cut in.
struct Cut {
    old: Job,
    new: Job,
    attempt: Option<Attempt>,
}

fn ended(attempt: &Attempt, outcome: &Outcome, now: Timestamp) -> Option<Attempt> {
    Some(Attempt { ended_at: Some(now), outcome: Some(outcome.clone()), ..attempt.clone() })
}

/// A put of each kind, of studio `n`.
async fn cuts(h: &Cql, n: usize) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let host = Some("s.example");
    let fresh = made(h, &studio_job(n, host)).await;
    cuts.push(Cut { new: sent(&fresh, &limits(), h.now()), old: fresh, attempt: None });
    let fresh = made(h, &studio_job(n + 1, host)).await;
    let Begin::Start(started) = decide_begin(&fresh, 1, "a", "build", false, &limits(), h.now()) else { panic!("not startable") };
    cuts.push(Cut { old: fresh, new: started.job, attempt: Some(started.attempt) });
    let until = h.now().plus(Duration::from_secs(1_800));
    let outcomes = [done(), retry(Category::Transient), Outcome::Wait { until, why: WaitFor::RateLimit }, dead(Category::Data)];
    for (m, outcome) in outcomes.into_iter().enumerate() {
        let new = studio_job(n + 2 + m, host);
        made(h, &new).await;
        let (job, attempt) = begun(h, &new.id, "a").await;
        let settled = settle(&job, outcome.clone(), &limits(), MAX_DELAY, &Chance::seeded(1), h.now());
        cuts.push(Cut { old: job, new: settled.job, attempt: ended(&attempt, &outcome, h.now()) });
    }
    let letter = dead_letter(h, n + 6, Category::Data).await;
    cuts.push(Cut { new: requeued(&letter, h.now()).unwrap(), old: letter, attempt: None });
    let letter = dead_letter(h, n + 7, Category::Data).await;
    cuts.push(Cut { new: withdrawn(&letter, Cancelled::Operator, h.now()).unwrap(), old: letter, attempt: None });
    cuts
}

/// Rules 1 and 6: a process that dies between any two steps of any put loses nothing: the counts are those of the rows, an
/// open job is found by the sweep once it is due, and repeating the put completes it or is told what stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_between_any_two_steps_of_a_put_loses_nothing() {
    let h = Cql::start().await;
    let mut ids = Vec::new();
    let (mut stood, mut not) = (0, 0);
    for point in 0..5 {
        for (m, cut) in cuts(&h, 100 * point).await.into_iter().enumerate() {
            ids.push(cut.old.new.id.clone());
            let (old, new, attempt) = (cut.old.clone(), cut.new.clone(), cut.attempt.clone());
            h.crash_at(point, async |store| drop(store.put_job(&old, &new, attempt.as_ref()).await)).await;
            let stands = row(&h, cut.old.id()).await;
            assert!(stands == cut.old || stands == cut.new, "point {point}, put {m}");
            if stands == cut.new {
                stood += 1
            } else {
                not += 1
            }
            // Nobody ended an attempt that the row does not say is over.
            let attempts = h.store().attempts(cut.old.id()).await.unwrap();
            if stands == cut.old && stands.state == JobState::Running {
                assert!(attempts.iter().all(|attempt| attempt.outcome.is_none()), "point {point}, put {m}: {attempts:?}");
            }
            if m % 2 == point % 2 {
                // Whoever repeats it completes it, or is told that it stands.
                let repeated = h.store().put_job(&cut.old, &cut.new, cut.attempt.as_ref()).await.unwrap();
                let told = JobPut::Conflict(Some(Box::new(cut.new.clone())));
                assert_eq!(repeated, if stands == cut.old { JobPut::Committed } else { told }, "point {point}, put {m}");
                assert_eq!(row(&h, cut.old.id()).await, cut.new);
            }
        }
        assert_eq!(h.store().step_counts(&session()).await.unwrap(), counted(&h.store(), &ids).await, "point {point}");
    }
    assert!(stood >= 10 && not >= 10, "{stood} rows stood, {not} did not");
    // Everything becomes due in time: leases run out, waits end, messages are called lost.
    h.advance(Duration::from_secs(6 * 3_600)).await;
    let due: Vec<JobId> = h.store().due_jobs(h.now(), 1_000, 1_000).await.unwrap().into_iter().map(|job| job.new.id).collect();
    let of_host: Vec<JobId> =
        h.store().due_jobs_of_host("s.example", h.now(), 1_000).await.unwrap().into_iter().map(|job| job.new.id).collect();
    for id in &ids {
        let job = row(&h, id).await;
        assert_eq!(due.contains(id), !job.state.is_terminal(), "{job:?}");
        assert_eq!(of_host.contains(id), !job.state.is_terminal() && job.new.host.is_some(), "{job:?}");
    }
    assert_eq!(h.store().step_counts(&session()).await.unwrap(), counted(&h.store(), &ids).await);
    let depth = h.store().depth(h.now()).await.unwrap();
    assert_eq!((depth.open, depth.due), (due.len() as u64, due.len() as u64));
    let letters = h.store().dead_letters(&inkdex::store::DeadLetterQuery { limit: 100, ..Default::default() }).await.unwrap();
    assert_eq!(letters.jobs.len() as u64, counted(&h.store(), &ids).await.of("find", JobState::Dead));
    assert_eq!(h.store().jobs_owing_alert(100).await.unwrap().len(), letters.jobs.len());
    println!("40 deaths in put_job: {stood} left the new row, {not} the old one; {} jobs found due again", due.len());
}

/// Rules 1 and 6: a process that dies between any two steps of making jobs leaves rows that the sweep finds, and nothing else;
/// whoever repeats it makes the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_between_any_two_steps_of_making_jobs_loses_nothing() {
    let h = Cql::start().await;
    let mut ids = Vec::new();
    for point in 0..8 {
        let jobs: Vec<_> = (0..7).map(|n| studio_job(100 * point + n, Some("s.example"))).collect();
        ids.extend(jobs.iter().map(|new| new.id.clone()));
        let (cut, now) = (jobs.clone(), h.now());
        h.crash_at(point, async |store| drop(store.create_jobs(&cut, now).await)).await;
        let counts = counted(&h.store(), &ids).await;
        assert_eq!(h.store().step_counts(&session()).await.unwrap(), counts, "point {point}");
        let due = h.store().due_jobs(h.now(), 1_000, 1_000).await.unwrap();
        assert_eq!(due.len() as u64, counts.all("find"), "point {point}");
        // Much later, when entries without a row are no longer waited for.
        h.advance(Duration::from_secs(3_600)).await;
        assert_eq!(h.store().depth(h.now()).await.unwrap().open, counts.all("find"), "point {point}");
        h.store().create_jobs(&jobs, h.now()).await.unwrap();
        assert_eq!(h.store().due_jobs(h.now(), 1_000, 1_000).await.unwrap().len(), ids.len(), "point {point}");
        assert_eq!(h.store().jobs_in(&session(), None, None, 1_000).await.unwrap().len(), ids.len(), "point {point}");
    }
}

/// What is over is not read again, is counted all the same, and is found when it is opened again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_counted_and_can_be_opened_again() {
    let h = Cql::start().await;
    let mut letters = Vec::new();
    for n in 0..20 {
        letters.push(dead_letter(&h, n, Category::Data).await);
    }
    h.advance(Duration::from_secs(3 * 86_400)).await;
    let store = h.store();
    for _ in 0..3 {
        assert_eq!(store.due_jobs(h.now(), 2, 10).await.unwrap(), []);
    }
    let over = |table: &'static str| {
        let h = &h;
        async move {
            let text = format!("SELECT epoch, over_epoch FROM {}.{table}", h.keyspace.settings.keyspace);
            let rows = h.keyspace.operate(&text).await.into_rows_result().unwrap();
            let rows: Vec<(i32, i32)> = rows.rows::<(i32, i32)>().unwrap().map(Result::unwrap).collect();
            rows.iter().all(|(epoch, over)| epoch == over) && !rows.is_empty()
        }
    };
    assert!(over("session_chunks").await && over("ledger_days").await, "everything is over");
    let of = async |state| h.store().step_counts(&session()).await.unwrap().of("find", state);
    assert_eq!((of(JobState::Dead).await, of(JobState::Created).await), (20, 0));
    // One is requeued, one withdrawn, by a process that dies right after the row.
    let again = requeued(&letters[3], h.now()).unwrap();
    h.crash_at(2, async |store| drop(store.put_job(&letters[3], &again, None).await)).await;
    let gone = withdrawn(&letters[4], Cancelled::Operator, h.now()).unwrap();
    h.crash_at(2, async |store| drop(store.put_job(&letters[4], &gone, None).await)).await;
    assert_eq!((row(&h, letters[3].id()).await, row(&h, letters[4].id()).await), (again.clone(), gone));
    assert_eq!((of(JobState::Dead).await, of(JobState::Created).await, of(JobState::Cancelled).await), (18, 1, 1));
    assert_eq!(h.store().due_jobs(h.now(), 2, 10).await.unwrap(), std::slice::from_ref(&again));
    assert_eq!(h.store().jobs_in(&session(), Some(JobState::Dead), None, 100).await.unwrap().len(), 18);
    // A requeue that dies before the row: the letter stays one, and its chunk ends all the same in time.
    let never = requeued(&letters[5], h.now()).unwrap();
    h.crash_at(1, async |store| drop(store.put_job(&letters[5], &never, None).await)).await;
    assert_eq!(row(&h, letters[5].id()).await, letters[5]);
    let (job, attempt) = begun(&h, again.id(), "b").await;
    settled(&h, &job, &attempt, done()).await;
    h.advance(Duration::from_secs(3 * 86_400)).await;
    for _ in 0..3 {
        assert_eq!(h.store().due_jobs(h.now(), 2, 10).await.unwrap(), []);
    }
    assert!(over("session_chunks").await && over("ledger_days").await, "everything is over again");
    assert_eq!((of(JobState::Dead).await, of(JobState::Done).await, of(JobState::Cancelled).await), (18, 1, 1));
    // The letter whose requeue died can be requeued still.
    put(&h, &letters[5], &never, None).await;
    assert_eq!(h.store().due_jobs(h.now(), 2, 10).await.unwrap(), [never]);
}

/// How long the questions of every tick take with 2,000 open jobs in one session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_open_jobs_are_listed_fast() {
    let h = Cql::start().await;
    let clock = inkdex::domain::clock::SystemClock::new();
    use inkdex::domain::clock::Clock;
    let jobs: Vec<_> = (0..2_000).map(|n| studio_job(n, Some(&format!("h{}.example", n % 400)))).collect();
    let store = process(&h).await;
    let began = clock.monotonic();
    for some in jobs.chunks(250) {
        store.create_jobs(some, h.now()).await.unwrap();
        h.advance(Duration::from_secs(1)).await;
    }
    println!("2,000 jobs made in {:?}", clock.monotonic() - began);
    for state in ["cold", "warm", "warm"] {
        let store = if state == "cold" { process(&h).await } else { store.clone() };
        let began = clock.monotonic();
        let due = store.due_jobs(h.now(), 2, 100).await.unwrap();
        let due_took = clock.monotonic() - began;
        let counts = store.step_counts(&session()).await.unwrap();
        let counts_took = clock.monotonic() - began - due_took;
        let depth = store.depth(h.now()).await.unwrap();
        let depth_took = clock.monotonic() - began - due_took - counts_took;
        println!("2,000 open jobs, {state}: due_jobs(100) {due_took:?}, step_counts {counts_took:?}, depth {depth_took:?}");
        assert_eq!((due.len(), counts.of("find", JobState::Created), depth.open, depth.due), (100, 2_000, 2_000, 2_000));
    }
    let of_other = store.step_counts(&SessionId::new("other")).await.unwrap();
    assert_eq!(of_other, StepCounts::default());
}
