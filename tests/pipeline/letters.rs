//! Dead letters: shown, requeued, discarded (002-C7, 002-X6).

use crate::support::ledger::{jobs_of, searchable, subject};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, run};
use inkdex::app::App;
use inkdex::config::Config;
use inkdex::demo::{DemoWeb, Fate};
use inkdex::domain::job::{Job, JobKind, JobState};
use inkdex::domain::outcome::Cancelled;
use inkdex::jobs::letters::{self, LetterError};
use inkdex::store::DeadLetterQuery;

const SEED: u64 = 13;

async fn dead_letters(app: &App) -> Vec<Job> {
    let query = DeadLetterQuery { limit: 100, ..DeadLetterQuery::default() };
    app.ports.store.dead_letters(&query).await.unwrap().jobs
}

/// Waits until a job is terminal in a generation.
async fn settled(app: &App, letter: &Job, generation: u32) -> Job {
    until("the requeued job is settled", LONG, async || {
        let job = app.ports.store.job(letter.id()).await.unwrap().unwrap();
        (job.generation == generation && job.state.is_terminal()).then_some(job)
    })
    .await
}

/// 002-C7, 002-X6: a requeued letter runs again as another generation, although its session is over, on pages fetched anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requeued_letter_runs_again_on_fresh_pages() {
    let mut world = World::of(DemoWeb::generate(SEED)).await;
    let oversized = world.web.artists().iter().find(|artist| artist.fate == Fate::DeadLetter).unwrap().clone();
    let path = oversized.page.trim_start_matches("http://").split_once('/').map(|(_, path)| format!("/{path}")).unwrap();
    let fetched = |world: &World| world.server.requests().iter().filter(|request| request.path == path).count();
    let app = world.start().await;
    let session = run(&app).await;
    let letter = dead_letters(&app).await.remove(0);
    assert_eq!((subject(&letter), letter.generation), (Some(oversized.name.as_str()), 1));
    assert_eq!(fetched(&world), 1);

    // Nothing has changed, so it dies again, as generation 2 and with both histories.
    assert_eq!(letters::requeue(&app.ports, letter.id(), "test", Some("once more")).await.unwrap(), 2);
    let again = settled(&app, &letter, 2).await;
    assert_eq!((again.state, again.attempts, again.counted), (JobState::Dead, 1, 1));
    assert_eq!(fetched(&world), 2, "a page fetched before the requeue must not be used");
    let (_, attempts) = letters::show(&app.ports, letter.id()).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.generation).collect::<Vec<_>>(), [1, 2]);
    app.stop().await;

    // The budget is raised, and it is requeued: done, and the artist is found.
    world.config.fetch.parse_depth = 10_000;
    let app = world.start().await;
    assert_eq!(letters::requeue(&app.ports, letter.id(), "test", None).await.unwrap(), 3);
    assert_eq!(settled(&app, &letter, 3).await.state, JobState::Done);
    in_step(&app).await;
    assert!(searchable(&app.ports).await.contains(&oversized.name));
    assert!(dead_letters(&app).await.is_empty());
    let refused = letters::requeue(&app.ports, letter.id(), "test", None).await;
    assert!(matches!(refused, Err(LetterError::NotDead { state: "DONE", .. })), "{refused:?}");
    let verbs: Vec<(String, String)> =
        app.ports.store.audit_rows(10).await.unwrap().into_iter().map(|row| (row.verb, row.effect)).rev().collect();
    let effects = ["generation 2", "generation 3", "refused: not dead"];
    assert_eq!(verbs, effects.map(|effect| ("dead_letter.requeue".to_owned(), effect.to_owned())));
    assert!(jobs_of(app.ports.store.as_ref(), &session.id).await.iter().all(|job| job.state.is_terminal()));
    app.stop().await;
}

/// 002-C7: a discarded letter is gone from the list and never comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_letter_is_withdrawn() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let app = world.start().await;
    run(&app).await;
    let letter = dead_letters(&app).await.remove(0);
    letters::discard(&app.ports, letter.id(), "test", Some("too big")).await.unwrap();
    let job = app.ports.store.job(letter.id()).await.unwrap().unwrap();
    assert_eq!((job.state, job.cancelled()), (JobState::Cancelled, Some(Cancelled::Operator)));
    assert!(dead_letters(&app).await.is_empty());
    for _ in 0..2 {
        let refused = letters::discard(&app.ports, letter.id(), "test", None).await;
        assert!(matches!(refused, Err(LetterError::NotDead { .. })), "{refused:?}");
    }
    run(&app).await;
    assert_eq!(app.ports.store.job(letter.id()).await.unwrap().unwrap(), job);
    app.stop().await;
}

/// 002-X6: studios whose pages could not be read are requeued after the night; what they find is scraped, and no row is left open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requeued_studio_has_its_artists_read_after_the_night() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 2, 4)).await;
    world.config.fetch.parse_depth = 2;
    let app = world.start().await;
    let session = run(&app).await;
    assert!(searchable(&app.ports).await.is_empty());
    let letters = dead_letters(&app).await;
    assert_eq!(letters.iter().filter(|letter| letter.kind() == JobKind::FindArtists).count(), 2, "{letters:?}");
    app.stop().await;

    world.config.fetch.parse_depth = Config::default().fetch.parse_depth;
    let app = world.start().await;
    for letter in &letters {
        letters::requeue(&app.ports, letter.id(), "test", None).await.unwrap();
    }
    let jobs = until("everything is settled", LONG, async || {
        let jobs = jobs_of(app.ports.store.as_ref(), &session.id).await;
        (jobs.len() > 3 && jobs.iter().all(|job| job.state.is_terminal())).then_some(jobs)
    })
    .await;
    let scrapes: Vec<&Job> = jobs.iter().filter(|job| job.kind() == JobKind::ScrapeArtist).collect();
    assert_eq!(scrapes.len(), 8);
    assert!(scrapes.iter().all(|job| job.state == JobState::Done && job.generation == 2), "{scrapes:?}");
    in_step(&app).await;
    assert_eq!(searchable(&app.ports).await.len(), 8);
    app.stop().await;
}
