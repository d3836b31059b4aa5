//! A source of studios that does not answer (002-R4, 002-R5, 002-R6, 002-R7).

use crate::support::ledger::{attempts_of_dead_discovery, jobs_of, searchable};
use crate::support::ports::ports;
use crate::support::wait::{LONG, until};
use crate::support::world::{World, over, run};
use async_trait::async_trait;
use inkdex::alert::{AlertKind, Severity};
use inkdex::demo::DemoWeb;
use inkdex::discover::{Asking, Discovered, SourceError, StudioSource};
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::{AlertDebt, NewJob, Task};
use inkdex::domain::outcome::{Done, Outcome};
use inkdex::domain::place::Place;
use inkdex::domain::session::{SessionState, StepState, Trigger};
use inkdex::domain::studio::{FoundStudio, Terms};
use inkdex::jobs::courier::{self, Begun};
use inkdex::jobs::{Ports, Progress, Running, discover_studios};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

const SEED: u64 = 3;

/// A source that does not answer the first times it is asked, and knows no studio.
#[derive(Debug)]
struct Silent {
    asked: AtomicU32,
    silent: u32,
}

#[async_trait]
impl StudioSource for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn studios(&self, _: &Asking) -> Result<Discovered, SourceError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        if asked < self.silent {
            let source_name = self.name().to_owned();
            return Err(SourceError::Unavailable { source_name, why: "no answer".to_owned(), retry_after: None });
        }
        Ok(Discovered::default())
    }
}

fn silent(times: u32) -> Arc<Silent> {
    Arc::new(Silent { asked: AtomicU32::new(0), silent: times })
}

/// 002-R4, 002-R5, 002-R7: three attempts with growing delays, then the run has failed, and the failure is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_source_fails_the_run_after_three_attempts_and_is_told() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 2, 2)).await;
    // At first the alert cannot be delivered: it stays owed.
    let folder = world.config.alerts.file.with_file_name("not-there-yet");
    world.config.alerts.file = folder.join("alerts.jsonl");
    let source = silent(u32::MAX);
    let app = world.start_with(vec![source.clone()]).await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    let session = over(&app, &id).await;
    assert_eq!(session.state, SessionState::Failed);
    assert_eq!(session.steps.iter().map(|step| step.state).collect::<Vec<_>>()[..2], [StepState::Failed, StepState::Cancelled]);
    assert!(session.failure.as_deref().is_some_and(|why| why.contains("no answer")), "{:?}", session.failure);
    assert_eq!(source.asked.load(Ordering::SeqCst), 3);

    let attempts = attempts_of_dead_discovery(app.ports.store.as_ref(), &id).await;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.clone().unwrap()).collect();
    assert!(matches!(outcomes[..], [Outcome::Retry { .. }, Outcome::Retry { .. }, Outcome::Dead { .. }]), "{outcomes:?}");

    assert_eq!(app.ports.store.session(&id).await.unwrap().unwrap().alert, AlertDebt::Owed);
    // Rule 19: a restart delivers what a dead process owed.
    app.stop().await;
    std::fs::create_dir_all(&folder).unwrap();
    let app = world.start_with(vec![silent(0)]).await;
    until("the failure is told", LONG, async || {
        let told = app.ports.store.session(&id).await.unwrap().unwrap().alert;
        matches!(told, AlertDebt::Told(_)).then_some(())
    })
    .await;
    let alerts = world.alerts();
    let failed: Vec<_> = alerts.iter().filter(|alert| alert.kind == AlertKind::SessionFailed).collect();
    assert_eq!(failed.len(), 1, "{alerts:?}");
    assert_eq!((failed[0].severity, failed[0].subject.as_str()), (Severity::Critical, id.as_str()));
    assert!(failed[0].text.contains("no answer"), "{}", failed[0].text);

    // The next run is not held up by the one that failed.
    assert_eq!(run(&app).await.state, SessionState::Completed);
    assert_eq!(searchable(&app.ports).await.len(), 4);
    app.stop().await;
}

/// 002-R5: a source that answers at the third attempt costs nothing but time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_answers_at_the_third_attempt_costs_only_time() {
    let world = World::of(DemoWeb::generate_sized(SEED, 2, 2)).await;
    let source = silent(2);
    let app = world.start_with(vec![source.clone()]).await;
    assert_eq!(run(&app).await.state, SessionState::Completed);
    assert_eq!(source.asked.load(Ordering::SeqCst), 3);
    assert_eq!(searchable(&app.ports).await.len(), 4);
    app.stop().await;
    assert!(world.alerts().is_empty());
}

/// A source that knows many studios, each with a site of its own.
#[derive(Debug)]
struct Many(usize);

#[async_trait]
impl StudioSource for Many {
    fn name(&self) -> &str {
        "many"
    }

    async fn studios(&self, _: &Asking) -> Result<Discovered, SourceError> {
        let studio = |n: usize| FoundStudio {
            name: format!("Studio {n}"),
            website: Some(Url::parse(&format!("https://studio-{n}.example/")).unwrap()),
            place: Place::default(),
            place_text: None,
            place_id: None,
            phone: None,
            source: "many".to_owned(),
            terms: Terms::Own,
        };
        Ok(Discovered { studios: (0..self.0).map(studio).collect(), ..Discovered::default() })
    }
}

/// Rule 12: however many studios there are, making their jobs shows progress, so that it is not taken for a hung job.
#[tokio::test]
async fn making_many_jobs_shows_progress() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports { sources: vec![Arc::new(Many(230))], ..ports(folder.path()) };
    let session = SessionId::new("daily-1");
    let root = NewJob::new(&session, "discover", Task::DiscoverStudios, None);
    courier::create(&ports, std::slice::from_ref(&root)).await.unwrap();
    let message = ports.store.job(&root.id).await.unwrap().unwrap().message();
    let Begun::Run { job, attempt, .. } = courier::begin(&ports, &message).await.unwrap() else { panic!("not begun") };
    let running = Running { job: *job, attempt: *attempt, progress: Progress::default() };
    let outcome = discover_studios::run(&ports, &running).await;
    assert_eq!(outcome, Outcome::Done { how: Done::Written });
    assert_eq!(jobs_of(ports.store.as_ref(), &session).await.len(), 231);
    // One for the source, one for each studio, one for each hundred jobs.
    assert_eq!(running.progress.steps(), 1 + 230 + 3);
}
