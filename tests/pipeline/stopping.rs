//! A graceful stop in the middle of a session, and a pool that follows the depth of the queue (rule 17, 002-X3, 002-R11).

use crate::support::ledger::{changes, jobs_of, rows, searchable};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, over, run};
use inkdex::app::App;
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::job::{JobKind, JobState};
use inkdex::domain::outcome::{Outcome, WaitFor};
use inkdex::domain::session::{SessionState, Trigger};
use inkdex::jobs::reconcile::compare;
use std::collections::BTreeSet;
use std::time::Duration;

const SEED: u64 = 23;

/// Waits until the jobs of the slow site and others are in work.
async fn busy(app: &App, id: &inkdex::domain::ids::SessionId) {
    until("the slow site is being read", LONG, async || {
        let jobs = jobs_of(app.ports.store.as_ref(), id).await;
        let running = jobs.iter().filter(|job| job.state == JobState::Running && job.kind() != JobKind::DiscoverStudios);
        (running.count() >= 2).then_some(())
    })
    .await;
}

/// Rule 17: what is in work is released, burns no attempt, and goes on after the next start; the index lacks nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_session_burns_nothing() {
    let mut world = World::slowed(DemoWeb::generate(SEED), 1.0).await;
    world.config.workers.drain_ms = 0;
    let clock = SystemClock::new();
    let mut app = world.start().await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    let mut released = 0;
    for _ in 0..3 {
        busy(&app, &id).await;
        let (store, began) = (app.ports.store.clone(), clock.monotonic());
        app.stop().await;
        let took = clock.monotonic().saturating_sub(began);
        assert!(took < Duration::from_secs(30), "stopping took {took:?}");
        for job in jobs_of(store.as_ref(), &id).await {
            assert_ne!(job.state, JobState::Running, "{:?} was left in work", job.new.task);
            let attempts = store.attempts(job.id()).await.unwrap();
            assert!(attempts.iter().all(|attempt| attempt.outcome.is_some()), "a start of {} has no outcome", job.id());
            let stops = |outcome: &Outcome| matches!(outcome, Outcome::Wait { why: WaitFor::Stop, .. });
            released += attempts.iter().filter(|attempt| attempt.outcome.as_ref().is_some_and(stops)).count();
        }
        drop(store);
        app = world.start().await;
    }
    assert!(released >= 3, "only {released} jobs were in work at a stop: the test has shown too little");
    let session = over(&app, &id).await;
    in_step(&app).await;
    assert_eq!(session.state, SessionState::Completed);
    for job in jobs_of(app.ports.store.as_ref(), &id).await {
        assert_eq!((job.orphans, job.deaths), (0, 0), "{:?}", job.new.task);
        assert_eq!(job.counted, u32::from(job.state == JobState::Dead), "{:?}", job.new.task);
    }
    assert_eq!(searchable(&app.ports).await.len(), 31);
    assert!(compare(&app.ports).await.unwrap().is_none());
    let changes = changes(&app.ports).await;
    for row in rows(app.ports.store.as_ref()).await {
        let versions = changes.iter().filter(|(id, _)| id == row.id.as_str()).count();
        assert_eq!((row.writers.len(), row.writers.iter().collect::<BTreeSet<_>>().len()), (versions, versions));
    }
    app.stop().await;
}

/// Rule 17: given time, what is in work is finished and nothing is released.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_time_finishes_what_is_in_work() {
    let mut world = World::slowed(DemoWeb::generate(SEED), 0.5).await;
    world.config.workers.drain_ms = 25_000;
    let app = world.start().await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    busy(&app, &id).await;
    let store = app.ports.store.clone();
    app.stop().await;
    let jobs = jobs_of(store.as_ref(), &id).await;
    assert!(jobs.iter().any(|job| job.state == JobState::Done));
    for job in &jobs {
        assert_ne!(job.state, JobState::Running);
        let attempts = store.attempts(job.id()).await.unwrap();
        let stops = |attempt: &&inkdex::domain::job::Attempt| matches!(attempt.outcome, Some(Outcome::Wait { why: WaitFor::Stop, .. }));
        assert_eq!(attempts.iter().filter(stops).count(), 0);
    }
}

/// 002-R11: the pool grows while jobs wait and shrinks when they are done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_grows_and_shrinks() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 5, 6)).await;
    (world.config.workers.min, world.config.workers.max, world.config.workers.jobs_per_worker) = (1, 6, 2);
    let app = world.start().await;
    assert_eq!(run(&app).await.state, SessionState::Completed);
    let scraper = until("the pool is at its smallest", LONG, async || {
        let survey = app.control.survey().await;
        let scraper = survey.children.into_iter().find(|child| child.name == "scraper")?.state;
        (scraper["size"] == 1 && scraper["busy"] == 0 && scraper["shrunk"].as_u64() > Some(0)).then_some(scraper)
    })
    .await;
    assert_eq!(scraper["largest"], 6, "{scraper}");
    assert!(scraper["grown"].as_u64() > Some(0), "{scraper}");
    assert_eq!(searchable(&app.ports).await.len(), 30);
    app.stop().await;
}

/// Rule 17: leases are given back, so that whoever goes on with the work has not to wait until they run out.
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_gives_leases_back() {
    let world = World::on_servers(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    let store = app.ports.store.clone();
    // Long before any lease of now ends: whoever asks then is refused as long as one stands, run out or not.
    let before = SystemClock::new().now().minus(Duration::from_secs(3_600));
    let stands = async |name: &str| {
        let taken = store.take_lease(name, "another", before, before).await.expect("the store answers");
        if taken {
            store.give_back_lease(name, "another").await.expect("the store answers");
        }
        !taken
    };
    for name in ["schedule", "alerts", "sync/0"] {
        until("the process has its leases", LONG, async || stands(name).await.then_some(())).await;
    }
    app.stop().await;
    for name in ["schedule", "alerts", "sync/0"] {
        assert!(!stands(name).await, "the lease {name} was kept");
    }
}
