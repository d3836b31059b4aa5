//! Jobs over sites that say nothing without their scripts: such a site is drawn, that it has to be is remembered for a while, and
//! where there is no browser its job waits for one, but no session does.

use super::bench::{Site, nothing_left, open_folder, processes_of, serve};
use crate::support::daemon::Daemon;
use crate::support::ledger::{jobs_of, report_of, searchable};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, over, run};
use inkdex::app::App;
use inkdex::config::MappedHost;
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::Clock;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::{Attempt, Job, JobKind};
use inkdex::domain::outcome::{Category, Outcome, WaitFor};
use inkdex::domain::session::Trigger;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use url::Url;

const SITE: &str = "http://shell.example/";
const DAY: Duration = Duration::from_secs(24 * 3_600);

const SHELL: &str =
    "<!doctype html><html lang=en><head><title>Harbour</title></head><body><div id=app></div><script src=/app.js></script></body></html>";

/// Fills every page of the site from what it asks for.
const APP: &str = "fetch('/pages.json').then(answer => answer.json()).then(pages => { document.title = 'Harbour Tattoo'; \
    document.getElementById('app').innerHTML = pages[location.pathname] || '<p>nothing here</p>' })";

const HOME: &str = "<header><h1>Harbour Tattoo</h1><nav><a href='/artists'>Our artists</a></nav></header><main><p>Harbour Tattoo is a tattoo studio in \
    London. We tattoo by appointment and welcome walk-ins on Saturdays.</p><address>12 Dock Road, London E1 6AN, United Kingdom</address></main>";
const TEAM: &str = "<header><a href='/'>Harbour Tattoo</a></header><main><h1>Our artists</h1><ul><li><h2><a href='/artists/mara-quill'>Mara Quill</a></h2>\
    <p>Resident tattoo artist. Fine line and blackwork tattoos.</p><a href='https://www.instagram.com/maraquill'>@maraquill</a></li>\
    <li><h2><a href='/artists/odo-finch'>Odo Finch</a></h2><p>Resident tattoo artist. Japanese tattoos.</p></li></ul></main>";
const MARA: &str = "<header><a href='/artists'>Our artists</a></header><main><h1>Mara Quill</h1><p>Mara Quill is a tattoo artist at Harbour Tattoo in \
    London. She tattoos fine line and blackwork.</p><a href='https://www.instagram.com/maraquill'>@maraquill</a></main>";
const ODO: &str = "<header><a href='/artists'>Our artists</a></header><main><h1>Odo Finch</h1><p>Odo Finch is a tattoo artist at Harbour Tattoo in London. \
    He tattoos Japanese work.</p></main>";

const PAGES: [(&str, &str); 4] = [("/", HOME), ("/artists", TEAM), ("/artists/mara-quill", MARA), ("/artists/odo-finch", ODO)];

/// The site: shells, or, once `plain` is set, the pages themselves.
async fn site(plain: Arc<AtomicBool>) -> Site {
    serve(move |_, path| match path {
        "/app.js" => Some(("content-type: text/javascript\r\n", APP.into())),
        "/pages.json" => {
            let pages: serde_json::Map<_, _> = PAGES.iter().map(|(path, body)| ((*path).to_owned(), (*body).into())).collect();
            Some(("content-type: application/json\r\n", serde_json::to_vec(&pages).unwrap()))
        }
        path => {
            let (_, body) = PAGES.iter().find(|(known, _)| *known == path)?;
            let text = if plain.load(Ordering::SeqCst) {
                format!("<!doctype html><html lang=en><title>Harbour Tattoo</title><body>{body}</body></html>")
            } else {
                SHELL.to_owned()
            };
            Some(("content-type: text/html\r\n", text.into()))
        }
    })
    .await
}

/// A world of one studio, whose site is `site`.
async fn world(site: &Site) -> (World, TempDir) {
    let mut world = World::of(DemoWeb::generate_sized(5, 1, 1)).await;
    let config = &mut world.config;
    std::fs::write(&config.discovery.studio_files[0], format!("- name: Harbour Tattoo\n  website: {SITE}\n  place: London, UK\n")).unwrap();
    let (address, port) = (site.address.ip(), site.address.port());
    config.fetch.hosts.push(MappedHost { host: "shell.example".to_owned(), address, port, spacing_ms: 1 });
    // What a loaded machine keeps.
    config.fetch.total_ms = 200_000;
    config.workers.stall_ms = 600_000;
    let folder = open_folder();
    let browser = &mut config.browser;
    browser.folder = folder.path().to_owned();
    (browser.launch_ms, browser.page_ms, browser.settle_ms) = (100_000, 60_000, 20_000);
    browser.wait_ms = 2_000;
    (world, folder)
}

/// The job that reads the studio's site, and its attempts.
async fn reading(app: &App, session: &SessionId) -> Option<(Job, Vec<Attempt>)> {
    let jobs = jobs_of(app.ports.store.as_ref(), session).await;
    let job = jobs.into_iter().find(|job| job.kind() == JobKind::FindArtists)?;
    let attempts = app.ports.store.attempts(job.id()).await.unwrap();
    Some((job, attempts))
}

fn waits(attempts: &[Attempt]) -> usize {
    attempts.iter().filter(|attempt| matches!(attempt.outcome, Some(Outcome::Wait { why: WaitFor::NeedsBrowser, .. }))).count()
}

fn both() -> Vec<String> {
    vec!["Mara Quill".to_owned(), "Odo Finch".to_owned()]
}

/// C9: drawn where nothing comes without, remembered, forgotten after a while, and read plainly again where that suffices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_drawn_by_scripts_is_read_and_that_is_remembered_for_a_while() {
    let plain = Arc::<AtomicBool>::default();
    let site = site(Arc::clone(&plain)).await;
    let (mut world, folder) = world(&site).await;
    world.config.fetch.recrawl = true;
    let app = world.start().await;
    let entry = Url::parse(SITE).unwrap();
    let needs = async || app.ports.visitor.needs_browser(&entry).await.unwrap();
    assert!(!needs().await);

    let first = run(&app).await;
    assert_eq!(searchable(&app.ports).await, both());
    let drawn = report_of(&app.ports, &first.id).await.drawn_pages;
    assert!(drawn >= PAGES.len() as u64 && needs().await, "{drawn} pages drawn");
    assert_eq!(site.asked("shell.example/"), 1, "no page is fetched twice in a session");

    // The day after, lists are drawn again, and nothing is read without a browser first; the rest is not due.
    world.clock.jump_to(world.clock.now().plus(DAY));
    let second = run(&app).await;
    let again = report_of(&app.ports, &second.id).await;
    assert!(again.drawn_pages > 0 && again.unchanged > 0, "{again:?}");
    let counts = app.ports.visitor.draw_counts();
    assert_eq!((counts.killed, counts.leaked), (0, 0), "{counts:?}");

    // It is forgotten, and the site has become one that needs no browser.
    world.clock.jump_to(world.clock.now().plus(DAY * 14));
    assert!(!needs().await);
    plain.store(true, Ordering::SeqCst);
    let third = run(&app).await;
    let plainly = report_of(&app.ports, &third.id).await;
    assert_eq!((plainly.drawn_pages, needs().await), (0, false), "{plainly:?}");
    assert_eq!(searchable(&app.ports).await, both());
    app.stop().await;
    nothing_left(folder.path()).await;
}

/// C9: without Chromium the job waits in a typed `needs browser`; once it is there the job goes on, and nobody has to requeue it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_a_browser_to_be_installed() {
    let site = site(Arc::default()).await;
    let (mut world, folder) = world(&site).await;
    let program = world.config.alerts.file.with_file_name("chromium");
    world.config.browser.program = program.clone();
    world.config.browser.wait_ms = 200_000;
    let app = world.start().await;
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    let (job, _) =
        until("the job waits for a browser", LONG, async || reading(&app, &id).await.filter(|(_, attempts)| waits(attempts) > 0)).await;
    assert_eq!((job.counted, job.state.is_terminal()), (0, false), "{job:?}");
    let installed =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].iter().map(PathBuf::from).find(|file| file.is_file());
    // What is installed is a script: found beside, it finds its own parts by its own path.
    std::fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", installed.expect("Chromium is installed").display())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(program.parent().unwrap(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    over(&app, &id).await;
    crate::support::world::in_step(&app).await;
    assert_eq!(searchable(&app.ports).await, both());
    app.stop().await;
    nothing_left(folder.path()).await;
}

/// C9: no session is held open by a browser that does not come; the letter says what is missing. Switched off, nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_without_a_browser() {
    for (enabled, expected) in [(true, "browser.program is /nowhere/chromium"), (false, "browser.enabled is false")] {
        let site = site(Arc::default()).await;
        let (mut world, _folder) = world(&site).await;
        world.config.browser.program = PathBuf::from("/nowhere/chromium");
        world.config.browser.enabled = enabled;
        let app = world.start().await;
        let session = run(&app).await;
        let (job, attempts) = reading(&app, &session.id).await.unwrap();
        let reason = job.death().unwrap_or_else(|| panic!("{job:?}"));
        assert_eq!((reason.code.as_str(), reason.category, job.counted), ("needs_browser", Category::Config, 1));
        assert!(reason.message.contains(expected) && reason.message.contains(SITE), "{}", reason.message);
        assert_eq!(waits(&attempts) > 0, enabled, "{attempts:?}");
        assert_eq!(report_of(&app.ports, &session.id).await.dead_by_reason.get("needs_browser"), Some(&1));
        assert_eq!(site.asked("shell.example/"), 1, "waiting fetches nothing again");
        app.stop().await;
    }
}

/// kill -9 of the daemon while a page is drawn: its browser goes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_leaves_no_browser() {
    let site = serve(|_, path| {
        let page = "<!doctype html><title>x</title><div id=app></div><script>for (;;) {}</script>";
        (path != "/robots.txt").then(|| ("content-type: text/html\r\n", page.into()))
    })
    .await;
    let (world, folder) = world(&site).await;
    let mut daemon = Daemon::start(&world, "").await;
    daemon.session().await.expect("the daemon lives");
    until("a page is drawn", LONG, async || (processes_of(folder.path()).len() > 2).then_some(())).await;
    daemon.kill();
    until("no process is left", LONG, async || processes_of(folder.path()).is_empty().then_some(())).await;
}
