//! Panics, freezes and aborts at planned points of a daemon in a process of its own: what died is started again, what was in
//! work is done, and what cannot be done is put aside without harm to its neighbours (rules 4 and 12, 002-C1).

use crate::support::daemon::Daemon;
use crate::support::ledger::{changes, rows, searchable, subject};
use crate::support::onlooker::Onlooker;
use crate::support::wait::{LONG, until};
use crate::support::world::World;
use inkdex::demo::{DemoArtist, DemoWeb, Fate};
use inkdex::domain::job::{Job, JobKind, JobState};
use inkdex::domain::outcome::Category;
use inkdex::jobs::reconcile::compare;
use serde_json::Value;
use std::collections::BTreeSet;

const SEED: u64 = 41;

/// The artist with a site of their own whose pages only their own job reads, and a text that stands only on its first page.
fn alone(web: &DemoWeb) -> (DemoArtist, String) {
    let studio_hosts: BTreeSet<&str> =
        web.sites().iter().filter(|site| site.kind == inkdex::demo::SiteKind::Studio).map(|site| site.host.as_str()).collect();
    let own_site = |artist: &&DemoArtist| {
        let host = artist.page.trim_start_matches("http://").split('/').next().unwrap_or_default();
        !studio_hosts.contains(host)
    };
    let artist = web.artists().iter().find(own_site).expect("a studio whose artists have sites of their own").clone();
    let marker = format!("rel=\"canonical\" href=\"{}\"", artist.page);
    let host = artist.page.trim_start_matches("http://").trim_end_matches('/');
    let page = String::from_utf8(web.respond(host, "/").body).unwrap();
    assert!(page.contains(&marker), "{marker} is not in {page}");
    (artist, marker)
}

fn planned(web: &DemoWeb, except: Option<&DemoArtist>) -> Vec<String> {
    let named = |artist: &&DemoArtist| artist.fate == Fate::Searchable && except.is_none_or(|except| except.name != artist.name);
    let mut names: Vec<String> = web.artists().iter().filter(named).map(|artist| artist.name.clone()).collect();
    names.sort();
    names
}

fn actor<'a>(survey: &'a [Value], name: &str) -> &'a Value {
    survey.iter().find(|child| child["name"] == name).unwrap_or_else(|| panic!("there is no actor {name}"))
}

/// Runs a session over `world` under a plan of faults to its end. Answers the last survey and every job.
async fn run(world: &World, faults: &str) -> (Vec<Value>, Vec<Job>) {
    let _alone = super::ALONE.lock().await;
    let mut daemon = Daemon::start(world, faults).await;
    daemon.session().await.expect("the daemon lives");
    let look = Onlooker::of(world).await;
    look.drained().await;
    // The last of the planned faults may still be to come: an actor meets its second only after its restart.
    let mut parts = faults.splitn(3, ':');
    if let (Some(point), Some((action, times))) = (parts.next(), parts.next().and_then(|plan| plan.split_once('*'))) {
        let (met, planned) = (format!("{point} {action}"), times.parse::<usize>().unwrap());
        until("every planned fault has happened", LONG, async || (world.faults_met(&met) >= planned).then_some(())).await;
    }
    // A dead or frozen actor may still be about to return.
    until("every actor lives", LONG, async || {
        let survey = daemon.survey().await.expect("the daemon lives");
        survey.iter().all(|child| child["alive"] == true).then_some(())
    })
    .await;
    let survey = daemon.survey().await.expect("the daemon lives");
    let status = daemon.stop().await;
    assert!(status.success(), "{status}");
    let jobs = look.all_jobs().await;
    assert!(jobs.iter().all(|job| job.state.is_terminal()), "jobs are left");
    (survey, jobs)
}

/// The directory says what was planned, in table and index alike, and nothing was applied twice.
async fn assert_directory(world: &World, planned: Vec<String>) {
    let ports = world.open().await;
    let found = searchable(&ports).await;
    let missing: Vec<_> = planned.iter().filter(|name| !found.contains(name)).collect();
    let surplus: Vec<_> = found.iter().filter(|name| !planned.contains(name)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, too many {surplus:?}");
    let drift = compare(&ports).await.unwrap();
    assert!(drift.is_none(), "{drift:?}");
    let changes = changes(&ports).await;
    for row in rows(ports.store.as_ref()).await {
        let versions = changes.iter().filter(|(id, _)| id == row.id.as_str()).count();
        assert_eq!((row.writers.len(), row.writers.iter().collect::<BTreeSet<_>>().len()), (versions, versions), "{}", row.id);
    }
}

fn scrape_of<'a>(jobs: &'a [Job], artist: &DemoArtist) -> &'a Job {
    jobs.iter().find(|job| subject(job) == Some(&artist.name)).unwrap_or_else(|| panic!("{} has no job", artist.name))
}

fn assert_nobody_else_is_dead(jobs: &[Job], quarantined: Option<&Job>) {
    for job in jobs.iter().filter(|job| job.death().is_some()) {
        let planned = job.death().is_some_and(|why| why.code == "parse_over_budget");
        assert!(planned || quarantined.is_some_and(|other| other.id() == job.id()), "{:?} is dead: {:?}", subject(job), job.death());
    }
}

/// Rule 12: a panic in one job is that job's failure; it is tried again and done, in a child process as a suspect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_job_is_its_own_failure() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let (artist, marker) = alone(&world.web);
    let (survey, jobs) = run(&world, &format!("read_page:panic*1:{marker}")).await;
    assert_eq!(world.faults_met("read_page panic"), 1);
    let job = scrape_of(&jobs, &artist);
    assert_eq!((job.state, job.attempts, job.counted, job.deaths), (JobState::Done, 2, 1, 1));
    assert_nobody_else_is_dead(&jobs, None);
    assert!(survey.iter().all(|child| child["panics"] == 0 && child["starts"] == 1), "{survey:?}");
    assert_directory(&world, planned(&world.web, None)).await;
}

/// Rule 4: a page whose reading always panics is quarantined after three deaths, and everybody else is searchable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_always_panics_is_quarantined() {
    let world = World::of(DemoWeb::generate(SEED)).await;
    let (artist, marker) = alone(&world.web);
    let (_, jobs) = run(&world, &format!("read_page:panic:{marker}")).await;
    assert_eq!(world.faults_met("read_page panic"), 3);
    let job = scrape_of(&jobs, &artist);
    assert_eq!((job.state, job.attempts, job.deaths, job.orphans), (JobState::Dead, 3, 3, 0));
    assert_eq!(job.death().unwrap().category, Category::Poison);
    assert_nobody_else_is_dead(&jobs, Some(job));
    assert_directory(&world, planned(&world.web, Some(&artist))).await;
}

/// Rule 12: the Writer is started again, twice; the writes that it took with it burn no attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_panics_is_started_again() {
    let world = World::of(DemoWeb::generate_sized(SEED, 4, 3)).await;
    let (survey, jobs) = run(&world, "writer:panic*2:").await;
    assert_eq!(world.faults_met("writer panic"), 2);
    let writer = actor(&survey, "writer");
    assert_eq!((&writer["panics"], &writer["starts"]), (&Value::from(2), &Value::from(3)), "{writer}");
    assert!(jobs.iter().all(|job| job.state == JobState::Done && job.counted == 0));
    assert_directory(&world, planned(&world.web, None)).await;
}

/// Rule 12: IndexSync is started again, twice, and finds by the feed what it had not indexed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_sync_that_panics_is_started_again() {
    let world = World::of(DemoWeb::generate_sized(SEED, 4, 3)).await;
    let (survey, jobs) = run(&world, "sync_batch:panic*2:").await;
    assert_eq!(world.faults_met("sync_batch panic"), 2);
    let sync = actor(&survey, "index_sync");
    assert_eq!((&sync["panics"], &sync["starts"]), (&Value::from(2), &Value::from(3)), "{sync}");
    assert!(jobs.iter().all(|job| job.state == JobState::Done && job.counted == 0));
    assert_directory(&world, planned(&world.web, None)).await;
}

/// Rule 12: an actor that answers no heartbeat gets a new thread, and the session goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_actor_gets_a_new_thread() {
    let mut world = World::of(DemoWeb::generate_sized(SEED, 4, 3)).await;
    world.config.workers.heartbeat_ms = 50;
    // On a loaded machine a healthy actor may miss three of these as well, and is replaced: that loses nothing either.
    world.config.workers.restarts_per_minute = 1_000;
    let (survey, jobs) = run(&world, "sync_batch:hang*1:").await;
    assert_eq!(world.faults_met("sync_batch hang"), 1);
    let sync = actor(&survey, "index_sync");
    assert!(sync["freezes"].as_u64() >= Some(1) && sync["starts"].as_u64() >= Some(2), "{sync}");
    assert!(jobs.iter().all(|job| job.state == JobState::Done));
    assert_directory(&world, planned(&world.web, None)).await;
}

/// Rule 4: a page that kills the process makes its job a suspect; its reading dies in a child three times, is quarantined,
/// and the neighbours finish. The daemon's own death counts for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_aborts_the_process_is_quarantined() {
    let _alone = super::ALONE.lock().await;
    let world = World::of(DemoWeb::generate(SEED)).await;
    let (artist, marker) = alone(&world.web);
    let faults = format!("read_page:abort:{marker}");
    let mut daemon = Daemon::start(&world, &faults).await;
    daemon.session().await;
    let look = Onlooker::of(&world).await;
    let mut deaths = 0;
    loop {
        let died = until("the daemon drains or dies", LONG, async || match daemon.ended() {
            Some(status) => Some(Some(status)),
            None => look.is_drained().await.then_some(None),
        })
        .await;
        let Some(status) = died else { break };
        #[cfg(unix)]
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{status}");
        deaths += 1;
        assert!(deaths <= 3, "the suspect is still read in the daemon's own process");
        daemon = Daemon::start(&world, &faults).await;
    }
    let status = daemon.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!((deaths, world.faults_met("read_page abort")), (1, 4), "once in the daemon, then three times in a child");
    let jobs = look.all_jobs().await;
    let job = scrape_of(&jobs, &artist);
    assert_eq!((job.state, job.orphans, job.deaths, job.counted), (JobState::Dead, 1, 3, 3));
    assert_eq!(job.death().unwrap().category, Category::Poison);
    let attempts = look.store.attempts(job.id()).await.unwrap();
    assert_eq!(attempts.iter().filter(|attempt| attempt.outcome.is_none()).count(), 1, "the start that took the daemon with it");
    assert_nobody_else_is_dead(&jobs, Some(job));
    assert_directory(&world, planned(&world.web, Some(&artist))).await;
}

/// Rule 4 where every job of a studio reads the page: the studio's own job is quarantined, other studios finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_kills_costs_its_own_studio_only() {
    let world = World::of(DemoWeb::generate_sized(SEED, 4, 3)).await;
    let artist = world.web.artists()[0].clone();
    let page = artist.page.trim_start_matches("http://");
    let (host, path) = page.split_at(page.find('/').unwrap());
    let body = String::from_utf8(world.web.respond(host, path).body).unwrap();
    let marker = body.lines().find(|line| line.contains("<title>")).unwrap().trim().to_owned();
    let (survey, jobs) = run(&world, &format!("read_page:panic:{marker}")).await;
    assert!(survey.iter().all(|child| child["panics"] == 0), "{survey:?}");
    let dead: Vec<&Job> = jobs.iter().filter(|job| job.death().is_some()).collect();
    assert_eq!(dead.len(), 1, "one letter for one page");
    assert_eq!((dead[0].kind(), dead[0].new.host.as_deref(), dead[0].deaths), (JobKind::FindArtists, Some(host), 3));
    let others: Vec<String> = world.web.artists().iter().filter(|other| other.studio != artist.studio).map(|a| a.name.clone()).collect();
    let mut others = others;
    others.sort();
    assert_directory(&world, others).await;
}

/// Rule 12: an actor that dies whenever it is started uses up its budget, and the process ends with an error; the next
/// start, without the fault, finds everything as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guardian_gives_up_on_an_actor_that_always_panics() {
    let _alone = super::ALONE.lock().await;
    let mut world = World::of(DemoWeb::generate_sized(SEED, 2, 3)).await;
    world.config.workers.restarts_per_minute = 3;
    let mut daemon = Daemon::start(&world, "sync_batch:panic:").await;
    daemon.session().await.expect("the daemon lives");
    let why = daemon.gave_up().await.expect("the daemon says why it ends");
    assert_eq!(why, "actor index_sync was restarted 3 times within a minute");
    let status = until("the daemon ends", LONG, async || daemon.ended()).await;
    assert_eq!(status.code(), Some(3));
    assert_eq!(world.faults_met("sync_batch panic"), 4);

    let daemon = Daemon::start(&world, "").await;
    Onlooker::of(&world).await.drained().await;
    assert!(daemon.stop().await.success());
    assert_directory(&world, planned(&world.web, None)).await;
}
