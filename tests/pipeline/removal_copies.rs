//! Rule 15 and what is kept of pages across sessions: no copy names somebody who was removed, whoever else's job reads the page.

use crate::support::folder_web::FolderWeb;
use crate::support::kept::naming;
use crate::support::ledger::{jobs_of, row_of, subject};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, run_night};
use inkdex::demo::{DemoArtist, DemoWeb};
use inkdex::domain::job::JobState;
use inkdex::domain::ledger::dead_at_once;
use inkdex::domain::outcome::{Category, Failure};
use inkdex::jobs::letter_index::put_job;
use inkdex::jobs::remove_artist::remove;
use inkdex::jobs::{Ports, letters};
use inkdex::scrape::{evidence, known};
use inkdex::store::JobPut;

const SEED: u64 = 31;

/// A studio whose pages all name its first artist, read in a first night.
async fn studio_of(artists: usize) -> (World, FolderWeb, DemoArtist, String) {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 1, artists)).await;
    let files = FolderWeb::instead_of(&mut world).await;
    let ana = world.web.artists()[0].clone();
    let host = world.web.sites()[0].host.clone();
    let menu = format!("<nav><a href=\"/\">{}</a></nav></body>", ana.name);
    assert!(files.replace(&host, "</body>", &menu) > artists, "the menu stands on each page");
    (world, files, ana, host)
}

async fn copies(ports: &Ports, artist: &DemoArtist) -> Vec<String> {
    naming(&ports.objects, &[known::FOLDER, evidence::FOLDER], artist).await
}

/// More artists' pages than one reading of the site takes: the rest are read by the artists' own jobs, after the studio's job has
/// found that the site names somebody who was removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_only_a_colleagues_job_reads_is_not_kept() {
    let (world, _files, ana, host) = studio_of(30).await;
    let app = world.start().await;
    run_night(&app, &world, 1).await;
    assert!(!copies(&app.ports, &ana).await.is_empty());
    let met = row_of(app.ports.store.as_ref(), &ana.name).await;
    remove(&app.ports, &met.id, "test", None).await.unwrap();
    assert_eq!(copies(&app.ports, &ana).await, Vec::<String>::new());
    for number in 2..4 {
        let session = run_night(&app, &world, number).await;
        let mut by_themselves = 0;
        for job in jobs_of(app.ports.store.as_ref(), &session.id).await.iter().filter(|job| subject(job).is_some()) {
            let attempts = app.ports.store.attempts(job.id()).await.unwrap();
            by_themselves += usize::from(attempts.iter().any(|attempt| attempt.usage.requests > 0));
        }
        assert!(by_themselves > 0, "some pages of {host} were fetched by the jobs of single artists");
        assert_eq!(copies(&app.ports, &ana).await, Vec::<String>::new(), "night {number}");
    }
    app.stop().await;
}

/// A job that is requeued reads its pages anew, when nobody reads the list that names the removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleagues_job_that_is_requeued_keeps_nothing() {
    let (world, _files, ana, _) = studio_of(3).await;
    let app = world.start().await;
    let ports = &app.ports;
    run_night(&app, &world, 1).await;
    let met = row_of(ports.store.as_ref(), &ana.name).await;
    remove(ports, &met.id, "test", None).await.unwrap();
    let session = run_night(&app, &world, 2).await;
    let colleague = jobs_of(ports.store.as_ref(), &session.id).await.into_iter().find(|job| subject(job).is_some()).unwrap();
    let reason = Failure::new(Category::Data, "parse_over_budget", "parse", "too deep");
    let dead = dead_at_once(&colleague, reason, ports.clock.now());
    assert_eq!(put_job(ports, &colleague, &dead, None).await.unwrap(), JobPut::Committed);
    letters::requeue(ports, colleague.id(), "test", None).await.unwrap();
    let again = until("the requeued job is over", LONG, async || {
        let job = ports.store.job(colleague.id()).await.unwrap().unwrap();
        (job.generation > colleague.generation && job.state.is_terminal()).then_some(job)
    })
    .await;
    assert_eq!(again.state, JobState::Done);
    let attempts = ports.store.attempts(again.id()).await.unwrap();
    assert!(attempts.iter().any(|attempt| attempt.generation == again.generation && attempt.usage.requests > 0), "it asked anew");
    assert_eq!(copies(ports, &ana).await, Vec::<String>::new());
    app.stop().await;
}
