//! Sites that say by `Content-Signal` for what they may be used.

use crate::support::folder_web::FolderWeb;
use crate::support::ledger::{jobs_of, report_of, searchable};
use crate::support::world::{World, run};
use inkdex::demo::DemoWeb;
use inkdex::domain::job::{Job, JobKind};
use inkdex::domain::outcome::Done;

const SEED: u64 = 5;

/// What a robots.txt says, and whether the site is read.
const FILES: [(&str, bool); 4] = [
    ("User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n", true),
    ("User-agent: *\nContent-Signal: search=no\nAllow: /\n", false),
    ("User-agent: *\nAllow: /\n\nUser-agent: Inkdex\nContent-Signal: ai-train=no, ai-input=no\n", false),
    ("User-agent: OtherBot\nContent-Signal: search=no\n\nUser-agent: *\nDisallow: /checkout/\n", true),
];

/// A studio that wants in no index is not read: done, no dead letter, and none of its artists becomes findable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_studio_that_wants_in_no_index_is_left_alone() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 4, 2)).await;
    let web = FolderWeb::instead_of(&mut world).await;
    let studios: Vec<(String, String)> =
        world.web.artists().iter().step_by(2).map(|artist| (artist.studio.clone(), host_of(&artist.page).to_owned())).collect();
    assert_eq!(studios.len(), FILES.len());
    for ((_, host), (text, _)) in studios.iter().zip(FILES) {
        web.put(host, "robots.txt", text);
    }
    let app = world.start().await;
    let session = run(&app).await;
    let jobs = jobs_of(app.ports.store.as_ref(), &session.id).await;
    for ((studio, host), (text, read)) in studios.iter().zip(FILES) {
        let of_host = |job: &&Job| job.kind() == JobKind::FindArtists && job.new.host.as_deref() == Some(host.as_str());
        let job = jobs.iter().find(of_host).unwrap_or_else(|| panic!("{host} has no job"));
        assert_eq!(job.done() == Some(Done::RefusedByRobots), !read, "{studio} says {text:?}: {job:?}");
        assert!(job.death().is_none(), "{studio} says {text:?}: {job:?}");
    }
    let is_read = |studio: &str| studios.iter().zip(FILES).any(|((name, _), (_, read))| name == studio && read);
    let mut expected: Vec<String> =
        world.web.artists().iter().filter(|artist| is_read(&artist.studio)).map(|artist| artist.name.clone()).collect();
    expected.sort();
    assert_eq!(searchable(&app.ports).await, expected);
    assert_eq!(report_of(&app.ports, &session.id).await.refused_by_robots, 2);
    app.stop().await;
}

fn host_of(page: &str) -> &str {
    page.trim_start_matches("http://").split('/').next().unwrap_or_default()
}
