//! Politeness at speed (`make politeness`): the real program reads many hosts, each at one request a second, and the server's
//! own log is the judge. Alone on its machine, since a share of a rate is measured.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;

use inkdex::app::{Surroundings, open_ports, pipeline};
use inkdex::config::Config;
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::{Clock, SystemClock, Timestamp};
use inkdex::domain::session::Trigger;
use inkdex::jobs::sessions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use support::exchange::exchange;
use support::fleet::{Fleet, PROGRAM, Part, signal};
use support::sites::{Plan, Sites, Tally};
use support::wait::{LONG, until, until_every};
use support::world::{World, program};

/// Between two requests to a host.
const SPACING: Duration = Duration::from_secs(1);
/// What must be reached of the rate that it allows.
const SHARE: f64 = 0.97;
/// Hosts of one process, with more pages than it is watched for.
const ONE: Plan = Plan { hosts: 200, galleries: 90, artists: 4, deep: false };
/// How long it is watched.
const WATCHED_ONE: Duration = Duration::from_secs(75);
/// Hosts of two processes; each artist's page is asked for by a job of its own, so that hosts go to and fro.
const TWO: Plan = Plan { hosts: 50, galleries: 0, artists: 40, deep: true };
/// How long the two are watched.
const WATCHED_TWO: Duration = Duration::from_secs(120);
/// How often it is looked how far they are.
const LOOK: Duration = Duration::from_millis(500);
/// How far the clock of one of them is ahead.
const AHEAD: Duration = Duration::from_secs(3);

/// Tells how it goes, past the runner's capture.
fn say(line: &str) {
    // Nobody may be listening.
    let _told = writeln!(std::io::stderr(), "{line}");
}

/// A folder for the logs and settings of a run; what an earlier run left is gone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("politeness").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(config: &Config, file: &Path) {
    std::fs::write(file, toml::to_string(config).unwrap()).unwrap();
}

/// Rule 14: 200 hosts at one request a second, one process on embedded backends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_keeps_the_pace_of_two_hundred_hosts() {
    let sites = Sites::start(ONE).await;
    let folder = folder("one");
    let mut config = Config::default();
    sites.put_into(&mut config, &folder, SPACING);
    config.data.folder = folder.join("data");
    config.alerts.file = folder.join("alerts.jsonl");
    config.fetch.pages_per_site = ONE.galleries + 2;
    // A job that waits for its host's turn has a place among them.
    (config.workers.min, config.workers.max) = (ONE.hosts + 20, ONE.hosts + 20);
    let file = folder.join("inkdex.toml");
    write(&config, &file);
    let log = std::fs::File::create(folder.join("run.log")).unwrap();
    let mut run = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", PROGRAM, "run", "--config"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    until("somebody is asked", LONG, async || (!sites.asked().is_empty()).then_some(())).await;
    tokio::time::sleep(WATCHED_ONE).await;
    let asked = sites.asked();
    assert_eq!(run.try_wait().unwrap(), None, "every host has work to the end; the log is in {}", folder.display());
    signal(run.id(), "TERM");
    until("the run stops", LONG, async || run.try_wait().unwrap()).await;
    let tally = Tally::of(&asked, SPACING);
    say(&format!("politeness: embedded backends, one process: {tally}"));
    assert_eq!((tally.hosts, tally.violations), (ONE.hosts, 0), "{tally}");
    assert!(tally.share >= SHARE, "{tally}");
}

/// What makes a process believe in a clock that is ahead, without touching its monotonic one.
fn clock_ahead() -> Vec<(&'static str, String)> {
    let told = Command::new("faketime").args(["-f", "+0s", "printenv", "LD_PRELOAD"]).output();
    let told = told.expect("faketime runs (apt-get install faketime)");
    assert!(told.status.success(), "{told:?}");
    let library = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    vec![("LD_PRELOAD", library), ("FAKETIME", format!("+{}s", AHEAD.as_secs())), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())]
}

/// What time it is for a process, to the second.
fn clock_of(web: SocketAddr) -> Timestamp {
    let answer = exchange(web, format!("GET / HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n").as_bytes());
    let date = jiff::fmt::rfc2822::parse(answer.header("date").expect("a date")).expect("a date");
    Timestamp(date.timestamp().as_microsecond())
}

/// Rule 14: 50 hosts, two processes on the production backends, their clocks 3 s apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_whose_clocks_disagree_ask_as_one() {
    let sites = Sites::start(TWO).await;
    let folder = folder("two");
    let mut world = World::on_servers(DemoWeb::generate_sized(1, 1, 1)).await;
    let config = &mut world.config;
    sites.put_into(config, &folder, SPACING);
    (config.workers.min, config.workers.max) = (TWO.hosts, TWO.hosts);
    config.workers.heartbeat_ms = 5_000;
    config.workers.extend_lease_ms = 5_000;
    config.ledger.lease_ms = 15_000;
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    let file = folder.join("inkdex.toml");
    write(config, &file);
    let agent = |name: &str| vec!["--set".to_owned(), format!("fetch.user_agent=Inkdex/0.1 ({name})")];
    let parts = vec![
        Part { roles: "schedule,sync,work", arguments: agent("one"), environment: Vec::new() },
        Part { roles: "web,work", arguments: agent("other"), environment: clock_ahead() },
    ];
    let fleet = Fleet::start(file, &folder, parts);
    let web = until("the process whose clock is ahead listens", LONG, async || fleet.web()).await;
    let ahead = clock_of(web).since(SystemClock::new().now());
    assert!(ahead.abs_diff(AHEAD) <= Duration::from_millis(1_500), "its clock is {ahead:?} ahead");

    let surroundings = Surroundings { clock: Arc::new(SystemClock::new()), program: program(), sources: Vec::new() };
    let ports = open_ports(&world.config, surroundings).await.unwrap();
    let (session, _) = sessions::start(&ports, &pipeline(&world.config).unwrap(), ports.clock.now(), Trigger::Manual).await.unwrap();
    until("somebody is asked", LONG, async || (!sites.asked().is_empty()).then_some(())).await;
    let began = ports.clock.monotonic();
    until_every(LOOK, "the session is over, or enough was shown", LONG, async || {
        let over = ports.store.session(&session).await.ok().flatten().is_some_and(|session| session.state.is_terminal());
        let shown = Tally::of(&sites.asked(), SPACING).shared_hosts >= TWO.hosts / 2;
        (over || (shown && ports.clock.monotonic() - began >= WATCHED_TWO)).then_some(())
    })
    .await;
    assert_eq!(fleet.by_themselves(), Vec::<String>::new());
    let statuses = fleet.stop().await;
    assert!(statuses.iter().all(|status| status.success()), "{statuses:?}");
    let tally = Tally::of(&sites.asked(), SPACING);
    say(&format!(
        "politeness: production backends, two processes, clocks {} s apart: {tally}; {} hosts asked by both, {} changes between them",
        AHEAD.as_secs(),
        tally.shared_hosts,
        tally.changes
    ));
    assert_eq!((tally.hosts, tally.askers.len(), tally.violations), (TWO.hosts, 2, 0), "{tally}");
    assert!(tally.shared_hosts >= TWO.hosts / 2, "only {} hosts were asked by both: too little was shown", tally.shared_hosts);
}
