//! Whole sessions with services: attempts and alerts, several sources of one studio, terms, and what the report says.

use super::{Bench, crowded};
use crate::support::http::TestWeb;
use crate::support::ledger::{attempts_of_dead_discovery, jobs_of, searchable};
use crate::support::people;
use crate::support::studio_apis::{Canned, Fate, KEY, Known, OVERPASS_HOST, PLACES_HOST, StudioApis};
use crate::support::world::{World, run};
use inkdex::alert::{AlertKind, Severity};
use inkdex::app::App;
use inkdex::config::{AreaConfig, MappedHost};
use inkdex::demo::DemoWeb;
use inkdex::discover::StudioSource;
use inkdex::discover::file::parse;
use inkdex::domain::artist::Artist;
use inkdex::domain::ids::{SessionId, StudioId};
use inkdex::domain::job::{JobKind, NewJob, Task};
use inkdex::domain::outcome::{Done, Outcome};
use inkdex::domain::secret::Secret;
use inkdex::domain::session::{Session, SessionState, StepState};
use inkdex::domain::studio::{FoundStudio, LENT_CONTENT_KEPT, LENT_COORDINATES_KEPT, NamedBy, Studio, StudioKind, Terms};
use inkdex::jobs::courier::{self, Begun};
use inkdex::jobs::discovery_report::discovery_of;
use inkdex::jobs::report::{Report, report_key};
use inkdex::jobs::{Ports, Progress, Running, discover_studios, housekeeping};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SEED: u64 = 3;

/// The studios of a made-up web, as its studio file names them.
fn studios_of(web: &DemoWeb) -> Vec<FoundStudio> {
    parse(Path::new("studios.yaml"), "file:studios.yaml", &web.studio_file()).unwrap().studios
}

/// The studios of a made-up web as services know them, a kilometre apart; Google by names of its own.
fn known(web: &DemoWeb) -> Vec<Known> {
    let known = |(n, studio): (usize, FoundStudio)| {
        let mut known = Known::new(n as u64 + 1, &format!("ZQX {} at Google", studio.name), (51.3 + n as f64 / 90.0, -0.1));
        known.website = studio.website.map(|url| url.to_string());
        known.city = studio.place.city.unwrap_or_default();
        known
    };
    studios_of(web).into_iter().enumerate().map(known).collect()
}

/// A world whose application asks services at a server of ours.
async fn asking(services: &[&str], with_file: bool) -> (World, StudioApis) {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 3, 2)).await;
    let apis = StudioApis::start(known(&world.web));
    let config = &mut world.config;
    for host in [PLACES_HOST, OVERPASS_HOST] {
        let (address, port) = (apis.address.ip(), apis.address.port());
        config.fetch.hosts.push(MappedHost { host: host.to_owned(), address, port, spacing_ms: 1 });
    }
    if with_file {
        // The file puts studios where the made-up web has them, and the services into one area: two studios a thousand kilometres
        // apart are two.
        let file = &config.discovery.studio_files[0];
        let all = std::fs::read_to_string(file).unwrap();
        let points = |line: &&str| ["lat:", "lon:", "place_id:"].iter().any(|key| line.trim_start().starts_with(key));
        let left: String = all.lines().filter(|line| !points(line)).map(|line| format!("{line}\n")).collect();
        std::fs::write(file, left).unwrap();
    } else {
        config.discovery.studio_files.clear();
    }
    config.discovery.services = services.iter().map(|name| (*name).to_owned()).collect();
    config.discovery.areas = vec![AreaConfig { name: "london".to_owned(), south: 51.2, west: -0.6, north: 51.8, east: 0.4 }];
    config.places.url = format!("https://{PLACES_HOST}");
    config.places.key = Secret::new(KEY);
    config.places.spacing_ms = 0;
    config.overpass.url = format!("https://{OVERPASS_HOST}/api/interpreter");
    config.overpass.spacing_ms = 0;
    (world, apis)
}

async fn rows(app: &App) -> Vec<Studio> {
    app.ports.store.scan_studios(None, 1_000).await.unwrap()
}

async fn report(app: &App, session: &Session) -> Report {
    serde_json::from_slice(&app.ports.objects.get(&report_key(&session.id)).await.unwrap().unwrap()).unwrap()
}

async fn found_jobs(app: &App, session: &SessionId) -> usize {
    jobs_of(app.ports.store.as_ref(), session).await.iter().filter(|job| job.kind() == JobKind::FindArtists).count()
}

fn out() -> Fate {
    Fate::Canned(Canned::google("503 Service Unavailable", "UNAVAILABLE", "The service is currently unavailable."))
}

/// 002-R3, 002-R5, 002-R6, 002-R7, 002-R8: three calls with growing delays, then the session has failed, which is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_out_fails_the_session_after_three_calls_and_is_told() {
    let (world, apis) = asking(&["google_places"], true).await;
    apis.plan(|_, _| out());
    let app = world.start().await;
    let session = run(&app).await;
    assert_eq!(session.state, SessionState::Failed);
    assert_eq!(session.steps[0].state, StepState::Failed);
    assert!(session.failure.as_deref().is_some_and(|why| why.contains("google_places") && why.contains("503")), "{:?}", session.failure);
    assert_eq!(apis.calls().len(), 3);
    let attempts = attempts_of_dead_discovery(app.ports.store.as_ref(), &session.id).await;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.clone().unwrap()).collect();
    assert!(matches!(outcomes[..], [Outcome::Wait { .. }, Outcome::Wait { .. }, Outcome::Dead { .. }]), "{outcomes:?}");
    crate::support::wait::until("the failure is told", crate::support::wait::LONG, async || {
        let alerts = world.alerts();
        alerts.into_iter().find(|alert| alert.kind == AlertKind::SessionFailed && alert.severity == Severity::Critical)
    })
    .await;
    app.stop().await;
}

/// 002-R6: a rate limit is waited out for as long as the service asks, and nothing is missing after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_is_waited_out() {
    let (world, apis) = asking(&["google_places"], false).await;
    let limited = Canned::google("429 Too Many Requests", "RESOURCE_EXHAUSTED", "Quota exceeded.").with("Retry-After: 1");
    apis.plan(move |number, _| if number < 2 { Fate::Canned(limited.clone()) } else { Fate::Answered });
    let app = world.start().await;
    let session = run(&app).await;
    assert_eq!(session.state, SessionState::Completed);
    assert_eq!(apis.calls().len(), 3);
    let jobs = jobs_of(app.ports.store.as_ref(), &session.id).await;
    let root = jobs.iter().find(|job| job.kind() == JobKind::DiscoverStudios).unwrap();
    let attempts = app.ports.store.attempts(root.id()).await.unwrap();
    for pair in attempts.windows(2) {
        let pause = pair[1].fence.since(pair[0].ended_at.unwrap());
        assert!(pause >= Duration::from_millis(900), "{pause:?}");
    }
    assert_eq!((attempts.len(), root.counted), (3, 0));
    assert_eq!(searchable(&app.ports).await.len(), 6);
    app.stop().await;
    assert!(world.alerts().is_empty());
}

/// A service that asks to be left alone for a day has failed: the night does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_asks_for_a_day_fails_the_session_at_once() {
    let (world, apis) = asking(&["google_places"], true).await;
    let limited = Canned::google("429 Too Many Requests", "RESOURCE_EXHAUSTED", "Quota exceeded.").with("Retry-After: 86400");
    apis.plan(move |_, _| Fate::Canned(limited.clone()));
    let app = world.start().await;
    let session = run(&app).await;
    assert_eq!((session.state, apis.calls().len()), (SessionState::Failed, 1));
    assert!(session.failure.as_deref().is_some_and(|why| why.contains("Quota exceeded")), "{:?}", session.failure);
    app.stop().await;
}

/// An attempt that is repeated after everything stood asks nobody again and makes nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_attempt_asks_nobody_again() {
    let bench = Bench::over(crowded(51));
    let sources: Vec<Arc<dyn StudioSource>> = vec![Arc::new(bench.places()), Arc::new(bench.overpass(500))];
    let ports = Ports { sources, ..bench.ports.clone() };
    let session = SessionId::new("daily-1");
    let root = NewJob::new(&session, "discover", Task::DiscoverStudios, None);
    courier::create(&ports, std::slice::from_ref(&root)).await.unwrap();
    let message = ports.store.job(&root.id).await.unwrap().unwrap().message();
    let Begun::Run { job, attempt, .. } = courier::begin(&ports, &message).await.unwrap() else { panic!("not begun") };
    let running = Running { job: *job, attempt: *attempt, progress: Progress::default() };
    for _ in 0..2 {
        assert_eq!(discover_studios::run(&ports, &running).await, Outcome::Done { how: Done::Written });
    }
    let report = discovery_of(&ports, &session).await.unwrap().unwrap();
    assert_eq!((report.studios, report.shared.values().sum::<u64>()), (1_000, 1_000));
    assert_eq!(report.calls.values().sum::<u64>(), bench.apis.calls().len() as u64);
    let rows = ports.store.scan_studios(None, 2_000).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    assert!(rows.iter().all(|row| row.named_by.len() == 2 && row.found.phone.is_none()));
}

/// Whoever named a studio is named on the pages of its artists, as their terms ask.
#[test]
fn sources_that_ask_for_it_are_named_on_the_page() {
    let web = TestWeb::start();
    let ports = &web.ports;
    let studio = |number: u64, terms: Terms| {
        let by = NamedBy { source: "source".to_owned(), place_id: None, terms, score: 100, reason: None };
        let found = parse(Path::new("s.yaml"), "file:s.yaml", "- name: Ink").unwrap().studios.remove(0);
        let (kind, last_session) = (StudioKind::Studio, SessionId::new("daily-1"));
        let id = StudioId::new(format!("studio-{number}"));
        Studio { id, found, named_by: vec![by], lent: None, kind, last_session, updated_at: ports.clock.now() }
    };
    for (number, terms, named) in [(0, Terms::Own, None), (1, Terms::Odbl, Some("OpenStreetMap")), (2, Terms::Google, Some("Google Maps"))]
    {
        let studio = studio(number, terms);
        let id = web.run(async {
            ports.store.put_studio(&studio).await.unwrap();
            let record = Artist { studio_ids: vec![studio.id.clone()], ..people::record_of(ports, 0) };
            people::write(ports, &format!("artist {number}"), record).await
        });
        let page = web.page(&format!("/artists/{id}"));
        assert_eq!(page.status, 200);
        for source in ["OpenStreetMap", "Google Maps"] {
            assert_eq!(page.body.contains(source), named == Some(source), "{terms:?}: {source}");
        }
        assert_eq!(page.body.contains("© OpenStreetMap contributors"), terms == Terms::Odbl);
    }
}

/// A studio that a file, OpenStreetMap and Google name is one: read once, with why, and the report counts what they share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sources_of_one_studio_make_one() {
    let (world, _apis) = asking(&["openstreetmap", "google_places"], true).await;
    let studios = studios_of(&world.web).len();
    let app = world.start().await;
    let session = run(&app).await;
    assert_eq!(session.state, SessionState::Completed);
    assert_eq!(found_jobs(&app, &session.id).await, studios);
    assert_eq!(searchable(&app.ports).await.len(), 6);
    let first = rows(&app).await;
    assert_eq!(first.len(), studios);
    for studio in &first {
        let sources: Vec<&str> = studio.named_by.iter().map(|by| by.source.as_str()).collect();
        assert_eq!(sources, ["file:studios.yaml", "google_places", "openstreetmap"]);
        assert!(studio.named_by.iter().all(|by| by.score == 100 || by.reason.as_deref().is_some_and(|why| why.contains("the same site"))));
        assert!(!studio.found.name.contains("ZQX") && studio.lent.is_none(), "{studio:?}");
    }
    let found = report(&app, &session).await.discovery.unwrap();
    let counted = studios as u64;
    assert_eq!(found.named.into_values().collect::<Vec<_>>(), [counted; 3]);
    assert_eq!((found.studios, found.shared.len(), found.shared.values().sum::<u64>()), (counted, 3, 3 * counted));
    assert_eq!(found.areas.iter().map(|area| (area.studios, area.open)).collect::<Vec<_>>(), [(counted, 0); 2]);
    app.stop().await;

    let shown = Command::new(env!("CARGO_BIN_EXE_inkdex"))
        .args(["sessions", "show", "last", "--set", &format!("data.folder={}", world.config.data.folder.display())])
        .env_remove("INKDEX_CONFIG")
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    for line in ["studios named", "named by both", "google_places + openstreetmap", "area london"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// Rule 9, for studios: once its sources are known to mean one studio it stays one row, whichever of them names it the next night.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_studio_stays_one_row_whichever_source_names_it_next() {
    let (mut world, _apis) = asking(&["openstreetmap", "google_places"], true).await;
    let files = world.config.discovery.studio_files.clone();
    let ids = async |app: &App| rows(app).await.into_iter().map(|studio| studio.id.to_string()).collect::<BTreeSet<_>>();
    let app = world.start().await;
    assert_eq!(run(&app).await.state, SessionState::Completed);
    let first = ids(&app).await;
    app.stop().await;
    for (services, has_file) in [(vec![], true), (vec!["openstreetmap"], false), (vec!["google_places"], false)] {
        world.config.discovery.services = services.iter().map(|name| (*name).to_owned()).collect();
        world.config.discovery.studio_files = if has_file { files.clone() } else { Vec::new() };
        let app = world.start().await;
        let session = run(&app).await;
        assert_eq!(session.state, SessionState::Completed);
        assert_eq!(report(&app, &session).await.discovery.unwrap().studios, first.len() as u64, "{services:?} named them all");
        assert_eq!(ids(&app).await, first, "{services:?} alone made other rows");
        app.stop().await;
    }
}

/// Google's terms: once its site was read nothing of Google's but the place id and coordinates is left, and those go in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_google_only_the_place_id_is_kept_for_good() {
    let (world, apis) = asking(&["google_places"], false).await;
    // One that nobody reads: it has no site.
    apis.change(|known| known.push(Known::new(99, "ZQX Without A Site", (51.35, 0.1))));
    let app = world.start().await;
    let session = run(&app).await;
    assert_eq!(session.state, SessionState::Completed);
    assert_eq!(searchable(&app.ports).await.len(), 6);
    let text = |rows: &[Studio]| serde_json::to_string(rows).unwrap();
    let now = rows(&app).await;
    for studio in now.iter().filter(|studio| studio.found.place_id.as_deref() != Some("ChIJ00000099")) {
        let lent = studio.lent.as_ref().unwrap();
        assert!(
            studio.found.website.is_some() && lent.website.is_none() && lent.name.is_none() && lent.coordinates.is_some(),
            "{studio:?}"
        );
        assert!(studio.named_by.iter().all(|by| by.terms == Terms::Google));
    }
    assert_eq!(text(&now).matches("ZQX").count(), 1, "only of the one that was not read");
    let cells = app.ports.objects.delete_below(&format!("discovery/{}/cells", session.id)).await.unwrap();
    assert_eq!(cells, 0, "what the cells named is dropped once it stands in rows");

    let ended = app.ports.clock.now();
    let month = Duration::from_secs(30 * 24 * 3_600);
    let kept = housekeeping::Kept { evidence: month, tombstones: month, jobs: 12 * month, letters: 12 * month };
    for (passed, names, lent) in [(Duration::ZERO, 1, 4), (LENT_CONTENT_KEPT, 0, 4), (LENT_COORDINATES_KEPT, 0, 0)] {
        world.clock.jump_to(ended.plus(passed));
        housekeeping::tidy(&app.ports, &kept).await.unwrap();
        let rows = rows(&app).await;
        assert_eq!(text(&rows).matches("ZQX").count(), names, "after {passed:?}");
        assert_eq!(rows.iter().filter(|studio| studio.lent.is_some()).count(), lent, "after {passed:?}");
        assert!(rows.iter().all(|studio| studio.found.place_id.as_deref().is_some_and(|id| id.starts_with("ChIJ"))));
    }
    // Named again, its coordinates are there anew.
    let session = run(&app).await;
    assert_eq!(session.state, SessionState::Completed);
    assert!(rows(&app).await.iter().all(|studio| studio.lent.as_ref().is_some_and(|lent| lent.coordinates.is_some())));
    app.stop().await;
}

/// 002-R4, 002-R7: on the command line a failed discovery says each attempt with its count, and never the key.
#[tokio::test]
async fn the_command_says_each_attempt_and_never_the_key() {
    let (world, apis) = asking(&["google_places"], false).await;
    apis.plan(|_, _| Fate::Canned(Canned::google("503 Service Unavailable", "UNAVAILABLE", &format!("try {KEY} later"))));
    let folder = tempfile::tempdir().unwrap();
    let (key_file, config_file) = (folder.path().join("places.key"), folder.path().join("c.toml"));
    std::fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let config = format!(
        "[data]\nfolder = {:?}\n[discovery]\nservices = [\"google_places\"]\n\
         areas = [{{ name = \"london\", south = 51.2, west = -0.6, north = 51.8, east = 0.4 }}]\n\
         [places]\nurl = \"https://{PLACES_HOST}\"\nkey = \"file:{}\"\n\
         [fetch]\nhosts = [{{ host = \"{PLACES_HOST}\", address = \"127.0.0.1\", port = {}, spacing_ms = 1 }}]\n\
         [pipeline]\nfile = {:?}\n",
        folder.path().join("data"),
        key_file.display(),
        apis.address.port(),
        world.config.pipeline.file,
    );
    std::fs::write(&config_file, config).unwrap();
    let ran = tokio::task::spawn_blocking(move || {
        let command = |arguments: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_inkdex"))
                .args(arguments)
                .arg("-c")
                .arg(&config_file)
                .env_remove("INKDEX_CONFIG")
                .output()
                .unwrap()
        };
        (command(&["run"]), command(&["config", "show"]))
    });
    let (ran, shown) = ran.await.unwrap();
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert_eq!((ran.status.code(), apis.calls().len()), (Some(1), 3), "{out}{err}");
    for attempt in 1..=3 {
        assert!(err.contains(&format!("studio source failed at attempt {attempt}: ")), "{err}");
    }
    assert!(err.contains("critical") && out.contains("is FAILED"), "{out}{err}");
    assert!(!out.contains(KEY) && !err.contains(KEY), "{out}{err}");
    assert!(!String::from_utf8_lossy(&shown.stdout).contains(KEY));
}
