//! The storm: artists by the thousand through the whole path on real servers, by several processes that are killed, over a
//! database that is paused, a queue and an index that are cut off and an index that is restarted. Nothing is lost, nothing is
//! applied twice, nobody who was removed comes back. A target of its own, since it pauses servers.

mod faults;
mod nights;
mod removals;
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;
mod verdict;
mod watch;

use inkdex::app::{Surroundings, open_ports};
use inkdex::config::Config;
use inkdex::demo::DemoWeb;
use inkdex::domain::artist::{ArtistRow, Life};
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::jobs::Ports;
use nights::{Nights, planned};
use removals::Removals;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use support::fleet::{Fleet, Part};
use support::ledger::row_of;
use support::proxy::CuttingProxy;
use support::servers::{Addresses, OwnServers, Server};
use support::wait::{until, until_every};
use support::world::{World, program};
use verdict::{Verdict, all_agree, stay_away};
use watch::AtWork;

const SEED: u64 = 20_261_123;
/// How many artists there are, unless the variable says otherwise (`make storm`: 2,000).
const ARTISTS: usize = 320;
const ARTISTS_VARIABLE: &str = "INKDEX_STORM_ARTISTS";
const ARTISTS_PER_STUDIO: usize = 16;
/// Studios of the calm nights before: one of each layout that has changes to come.
const CALM_STUDIOS: usize = 3;
/// What each process does.
const ROLES: [&str; 3] = ["web,schedule,sync,work", "work", "schedule,sync,work"];
const KILLS: usize = 20;
/// Of the kills, those in the middle of a write at least.
const MID_WRITE: usize = 5;
const REMOVALS: usize = 12;
/// How long a process may take to have something in work.
const BUSY_WITHIN: Duration = Duration::from_secs(30);
/// How long a kill waits for a write.
const WRITES_WITHIN: Duration = Duration::from_secs(2);
/// How long everything may take, or it hangs.
const WITHIN: Duration = Duration::from_secs(1_800);
/// OpenSearch forgets the version of a deleted document after this long (`index.gc_deletes`).
const GC_DELETES: Duration = Duration::from_secs(60);
/// How often it is looked who has what in work.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is asked how far the session is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What happens when a part of the work is done.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Kill,
    Remove,
    PauseCassandra,
    CutQueue,
    CutIndex,
    RestartIndex,
}

/// The events, evenly mixed. Each pause of the database brings a kill in the middle of it.
fn events() -> Vec<Event> {
    use Event::{CutIndex, CutQueue, Kill, PauseCassandra, Remove, RestartIndex};
    let faults = [PauseCassandra, CutQueue, CutIndex, RestartIndex, CutQueue, PauseCassandra, CutIndex];
    let paused = faults.iter().filter(|fault| **fault == PauseCassandra).count();
    let mut mixed: Vec<(usize, Event)> = Vec::new();
    for (event, times) in [(Kill, KILLS - paused), (Remove, REMOVALS)] {
        mixed.extend((0..times).map(|n| ((2 * n + 1) * 1_000 / (2 * times), event)));
    }
    mixed.extend(faults.iter().enumerate().map(|(n, fault)| ((2 * n + 1) * 1_000 / (2 * faults.len()), *fault)));
    mixed.sort_by_key(|(at, _)| *at);
    mixed.into_iter().map(|(_, event)| event).collect()
}

/// The storm as it goes on.
struct Storm<'w> {
    servers: Arc<OwnServers>,
    fleet: Arc<Fleet>,
    ports: &'w Ports,
    queue: Arc<CuttingProxy>,
    index: Arc<CuttingProxy>,
    nights: Nights<'w>,
    removals: Removals,
    chance: Chance,
    began: Duration,
    /// A server that is away by now.
    away: Option<tokio::task::JoinHandle<String>>,
    kills: usize,
    mid_write: usize,
}

impl Storm<'_> {
    fn tell(&self, text: &str) {
        say(&format!("storm {:>4} s: {text}", (self.ports.clock.monotonic() - self.began).as_secs()));
    }

    /// A number below `bound`.
    fn below(&self, bound: usize) -> usize {
        let most = u64::try_from(bound - 1).unwrap();
        usize::try_from(self.chance.up_to(Duration::from_micros(most)).as_micros()).unwrap()
    }

    /// Waits until so many jobs of the storm are over; begins another night over the web if they run out. Answers how many
    /// were over in nights before this one.
    async fn work(&mut self, web: &DemoWeb, goal: u64, before: u64) -> u64 {
        let mut told = self.ports.clock.monotonic();
        loop {
            let Ok(progress) = watch::progress(self.ports, &self.nights.session).await else {
                tokio::time::sleep(PROGRESS_EVERY).await;
                continue;
            };
            if self.ports.clock.monotonic() - told >= TELL_EVERY {
                told = self.ports.clock.monotonic();
                self.tell(&format!("{} jobs over, {} open, {} running", before + progress.over, progress.open, progress.running));
            }
            if before + progress.over >= goal {
                return before;
            }
            if self.nights.is_over().await == Some(true) {
                self.tell("the night is over, the next begins");
                self.nights.begin(web, None).await;
                return Box::pin(self.work(web, goal, before + progress.over)).await;
            }
            assert!(told - self.began < WITHIN, "the storm does not end");
            tokio::time::sleep(PROGRESS_EVERY).await;
        }
    }

    async fn happen(&mut self, event: Event, spared: &[ArtistRow]) {
        let is_fault = !matches!(event, Event::Kill | Event::Remove);
        if let Some(away) = self.away.take_if(|away| is_fault || away.is_finished()) {
            let told = away.await.expect("the fault happened");
            self.tell(&told);
        }
        match event {
            Event::Kill => self.kill().await,
            Event::Remove => {
                let spared: Vec<_> = spared.iter().map(|row| row.id.clone()).collect();
                let way = self.removals.one_more(self.ports, &self.fleet, &self.chance, &spared).await;
                self.tell(&format!("removal {} by the {way}", self.removals.removed.len()));
            }
            Event::PauseCassandra => {
                self.tell("cassandra is paused");
                let (servers, ports) = (Arc::clone(&self.servers), self.ports);
                let victim = self.victim().await;
                let mut lived = false;
                faults::pause_cassandra(&servers, ports, async || lived = self.fleet.kill(victim)).await;
                assert!(lived, "whom the pause was to kill was dead");
                self.tell("cassandra goes on");
                self.count(victim).await;
            }
            Event::CutQueue => {
                self.tell("elasticmq is cut off");
                self.away = Some(tokio::spawn(faults::cut("elasticmq", Arc::clone(&self.queue))));
            }
            Event::CutIndex => {
                self.tell("opensearch is cut off");
                self.away = Some(tokio::spawn(faults::cut("opensearch", Arc::clone(&self.index))));
            }
            Event::RestartIndex => {
                self.tell("opensearch is stopped");
                self.away = Some(tokio::spawn(faults::restart_opensearch(Arc::clone(&self.servers))));
            }
        }
    }

    /// A process with something in work, in the middle of a write if there is one soon.
    async fn victim(&self) -> u32 {
        let (ports, session) = (self.ports, &self.nights.session);
        let first = self.below(ROLES.len());
        let busy = async |writing: bool| {
            let mut pids = self.fleet.pids();
            let turn = first % pids.len().max(1);
            pids.rotate_left(turn);
            let processes = watch::at_work(ports, session).await.unwrap_or_default();
            let fits = |work: &AtWork| work.writing > 0 || (!writing && work.running > 0);
            pids.into_iter().find(|pid| processes.get(pid).is_some_and(fits))
        };
        let look = until_every(LOOK, "a write", BUSY_WITHIN, async || busy(true).await);
        match tokio::time::timeout(WRITES_WITHIN, look).await {
            Ok(pid) => pid,
            Err(_) => until_every(LOOK, "a process has work", BUSY_WITHIN, async || busy(false).await).await,
        }
    }

    async fn kill(&mut self) {
        let victim = self.victim().await;
        if self.fleet.kill(victim) {
            self.count(victim).await;
        }
    }

    /// Counts a kill, by what the dead left and not by what was seen before.
    async fn count(&mut self, victim: u32) {
        let read = async || watch::at_work(self.ports, &self.nights.session).await.ok();
        let left = until("the ledger is read", BUSY_WITHIN, read).await.remove(&victim).unwrap_or_default();
        if left.running > 0 {
            self.kills += 1;
            self.mid_write += usize::from(left.writing > 0);
        }
        self.tell(&format!("kill {}: process {victim} had {} jobs in work, {} of them writing", self.kills, left.running, left.writing));
    }
}

/// The settings of the storm: those of tests on servers, but as many things at once as a small machine bears, and a database
/// that may be away without anybody waiting for it.
fn settle(config: &mut Config) {
    config.cql.request_ms = 5_000;
    // Enough for the list of members; every job of a studio reads them, and after a kill in a child process each.
    config.fetch.pages_per_site = 4;
    config.workers.min = 4;
    config.workers.max = 6;
    config.workers.resize_every_ms = 5_000;
    config.workers.heartbeat_ms = 5_000;
    config.workers.extend_lease_ms = 5_000;
    config.ledger.lease_ms = 15_000;
    config.ledger.resend_ms = 15_000;
    config.ledger.resend_max_ms = 30_000;
    config.ledger.sweep_every_ms = 2_000;
    config.pipeline.tick_ms = 2_000;
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    config.privacy.look_again_ms = 60_000;
    config.privacy.hash_key_file = config.alerts.file.with_file_name("denylist.key");
}

/// Tells how it goes, past the runner's capture: minutes without a word look like a hang.
fn say(line: &str) {
    // Nobody may be listening.
    let _told = writeln!(std::io::stderr(), "{line}");
}

/// Where logs and settings of the processes lie; what an earlier run left is gone.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("storm");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn artists() -> usize {
    std::env::var(ARTISTS_VARIABLE).map_or(ARTISTS, |text| text.parse().expect("a number of artists"))
}

/// Rules 1 to 8, 15 and 17, 002-R33.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_loses_nothing_and_applies_nothing_twice() {
    let clock = SystemClock::new();
    let servers = Arc::new(OwnServers::start(&[Server::Cassandra, Server::OpenSearch, Server::ElasticMq, Server::Moto]));
    let addresses = Addresses {
        cassandra: servers.address(Server::Cassandra),
        sqs: servers.address(Server::ElasticMq),
        opensearch: servers.address(Server::OpenSearch),
        s3: servers.address(Server::Moto),
    };
    let queue = Arc::new(CuttingProxy::to_url(&addresses.sqs).await);
    let index = Arc::new(CuttingProxy::to_url(&addresses.opensearch).await);

    let mut world = World::on(DemoWeb::generate_sized(SEED, artists().div_ceil(ARTISTS_PER_STUDIO), ARTISTS_PER_STUDIO), &addresses).await;
    settle(&mut world.config);
    let folder = folder();
    let mut cut_off = world.config.clone();
    cut_off.sqs.endpoint = format!("http://{}", queue.address());
    cut_off.opensearch.url = format!("http://{}", index.address());
    let config = folder.join("inkdex.toml");
    std::fs::write(&config, toml::to_string(&cut_off).unwrap()).unwrap();
    let surroundings = Surroundings { clock: Arc::new(SystemClock::new()), program: program(), sources: Vec::new() };
    let ports = open_ports(&world.config, surroundings).await.unwrap();
    let fleet = Fleet::start(config.clone(), &folder, ROLES.map(Part::doing).to_vec());

    let first_day = world.web.clone();
    let mut nights = Nights::new(&world, &ports);
    nights.calm(&first_day, CALM_STUDIOS).await;
    let web = world.serve_day(1);
    let (gone, left) = (web.changes().page_gone.clone().unwrap().0, web.changes().left.clone().unwrap());
    let gone = row_of(ports.store.as_ref(), &gone).await;
    let left = row_of(ports.store.as_ref(), &left).await;
    nights.calm(&web, CALM_STUDIOS).await;

    let mut storm = Storm {
        servers: Arc::clone(&servers),
        fleet: Arc::clone(&fleet),
        ports: &ports,
        queue,
        index,
        nights,
        removals: Removals::new(config),
        chance: Chance::seeded(SEED),
        began: ports.clock.monotonic(),
        away: None,
        kills: 0,
        mid_write: 0,
    };
    storm.tell(&format!("{} artists, {} processes; calm nights took {} s", web.artists().len(), ROLES.len(), clock.monotonic().as_secs()));
    storm.nights.begin(&web, None).await;
    let events = events();
    let jobs = u64::try_from(web.artists().len()).unwrap();
    let mut before = 0;
    for (n, event) in events.iter().enumerate() {
        let goal = jobs * (2 * u64::try_from(n).unwrap() + 1) / (2 * u64::try_from(events.len()).unwrap());
        before = storm.work(&web, goal, before).await;
        storm.happen(*event, &[gone.clone(), left.clone()]).await;
    }
    while storm.kills < KILLS {
        before = storm.work(&web, 0, before).await;
        storm.happen(Event::Kill, &[]).await;
    }
    if let Some(away) = storm.away.take() {
        let told = away.await.expect("the fault happened");
        storm.tell(&told);
    }
    until("the last night is over", WITHIN, async || storm.nights.is_over().await.filter(|over| *over)).await;
    let drained = ports.clock.monotonic();
    storm.tell("every session is over");

    until("the index is in step", WITHIN, async || inkdex::app::is_in_step(&ports).await.then_some(())).await;
    let removed = until("removals are over", WITHIN, async || {
        let jobs = watch::all_jobs(&ports).await;
        let open =
            jobs.iter().any(|job| matches!(job.new.task, inkdex::domain::job::Task::RemoveArtist { .. }) && !job.state.is_terminal());
        (!open).then_some(&storm.removals.removed)
    })
    .await;
    let mut expected = planned(&web);
    // Whoever left the list stays until three nights have missed them.
    if ports.store.artist(&left.id).await.unwrap().is_some_and(|row| row.live().is_some()) {
        expected.insert(left.live().unwrap().name.value.clone());
    }
    for row in removed {
        assert!(expected.remove(&row.live().unwrap().name.value), "{} was planned", row.id);
    }
    let rest = (GC_DELETES + Duration::from_secs(2)).saturating_sub(ports.clock.monotonic() - drained);
    tokio::time::sleep(rest).await;
    stay_away(&ports, removed, Life::Removed).await;
    stay_away(&ports, std::slice::from_ref(&gone), Life::Retired).await;

    let by_themselves = fleet.by_themselves();
    let statuses = fleet.stop().await;
    assert!(statuses.len() == ROLES.len() && statuses.iter().all(|status| status.success()), "{statuses:?}");
    let jobs = watch::all_jobs(&ports).await;
    let verdict = Verdict::of(&ports, &jobs, &expected).await;
    all_agree(&ports).await;
    say(&format!(
        "storm: {} artists, {} processes, {} kills ({} mid-write), cassandra paused 2x{} s, elasticmq cut 2x{} s, opensearch cut 2x{} s \
         and restarted, {} removed, {} jobs, {} attempts, {} ended by themselves, {} lost, {} twice, table = keys = index, {} s; seed {SEED}",
        web.artists().len(),
        ROLES.len(),
        storm.kills,
        storm.mid_write,
        faults::PAUSE.as_secs(),
        faults::CUT.as_secs(),
        faults::CUT.as_secs(),
        removed.len(),
        jobs.len(),
        jobs.iter().map(|job| job.attempts).sum::<u32>(),
        by_themselves.len(),
        verdict.lost(),
        verdict.twice,
        clock.monotonic().as_secs()
    ));
    assert!(storm.mid_write >= MID_WRITE, "only {} kills met a write: the storm has shown too little", storm.mid_write);
    assert_eq!((verdict.lost(), verdict.twice), (0, 0), "{verdict:?}");
    assert!(verdict.surplus.is_empty() && verdict.dead.is_empty(), "{verdict:?}");
}
