//! A made-up web on loopback, a data folder, and the application over both on settings scaled to milliseconds.

use super::bucket;
use super::clock::ShiftedClock;
use super::servers::{self, Addresses};
use super::wait::{LONG, until};
use inkdex::alert::Alert;
use inkdex::app::{App, Surroundings, open_ports};
use inkdex::config::{Config, MappedHost};
use inkdex::demo::{DemoServer, DemoServerOptions, DemoWeb};
use inkdex::discover::StudioSource;
use inkdex::domain::clock::{Clock, SystemClock, Timestamp};
use inkdex::domain::ids::SessionId;
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
use inkdex::domain::secret::Secret;
use inkdex::domain::session::{Session, Trigger};
use inkdex::jobs::Ports;
use inkdex::jobs::sessions::{self, DAILY};
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
use inkdex::store::cql::Migrator;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Noon before the nights of these tests: 2026-11-22T12:00:00Z.
pub const NOON: Timestamp = Timestamp(1_795_348_800_000_000);

/// The 02:00 of the `number`th night after [`NOON`], counted from 1.
pub fn night(number: u32) -> Timestamp {
    NOON.plus(Duration::from_secs(14 * 3_600) + Duration::from_secs(24 * 3_600) * (number - 1))
}

/// Everything around an application under test; outlives its restarts.
pub struct World {
    /// The web as it was generated: its first day.
    pub web: DemoWeb,
    /// Serves the web of some day.
    pub server: DemoServer,
    /// What the application is started with.
    pub config: Config,
    /// The application's clock.
    pub clock: Arc<ShiftedClock>,
    _folder: tempfile::TempDir,
}

/// The program whose hidden verb reads suspects' pages.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_inkdex"))
}

impl World {
    /// Serves `web`, its slow sites a tenth as slow, and prepares a data folder with its studio file.
    pub async fn of(web: DemoWeb) -> Self {
        Self::slowed(web, 0.1).await
    }

    /// As [`World::of`], on the production backends: a keyspace, queues, an index and a bucket of its own on the real servers.
    #[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
    pub async fn on_servers(web: DemoWeb) -> Self {
        Self::on(web, &servers::shared()).await
    }

    /// As [`World::on_servers`], on these servers.
    #[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
    pub async fn on(web: DemoWeb, servers: &Addresses) -> Self {
        let mut world = Self::of(web).await;
        // The servers have clocks of their own, and a store off by more than five seconds is refused.
        world.clock = Arc::new(ShiftedClock::at(SystemClock::new().now()));
        let config = &mut world.config;
        config.backends.store = "cql".to_owned();
        config.backends.queue = "sqs".to_owned();
        config.backends.search = "opensearch".to_owned();
        config.backends.objects = "s3".to_owned();
        config.cql.nodes = vec![servers.cassandra.clone()];
        config.cql.keyspace = servers::unique("w");
        config.cql.replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}".to_owned();
        config.cql.feed_shards = 4;
        config.cql.request_ms = 30_000;
        config.cql.connect_ms = 30_000;
        config.sqs.endpoint = servers.sqs.clone();
        config.sqs.queue = servers::unique("jobs-");
        config.sqs.dead_letter_queue = format!("{}-dead", config.sqs.queue);
        config.sqs.create = true;
        config.opensearch.url = servers.opensearch.clone();
        config.opensearch.prefix = servers::unique("w");
        config.s3.endpoint = servers.s3.clone();
        config.s3.bucket = servers::unique("w-");
        config.s3.path_style = true;
        for (id, secret) in [
            (&mut config.sqs.access_key_id, &mut config.sqs.secret_access_key),
            (&mut config.s3.access_key_id, &mut config.s3.secret_access_key),
        ] {
            *id = "test".to_owned();
            *secret = Secret::new("test");
        }
        config.privacy.hash_key_file = config.alerts.file.with_file_name("denylist.key");
        // A write is several round trips here, on a machine that runs four servers besides.
        config.workers.extend_lease_ms = 1_000;
        config.ledger.lease_ms = 5_000;
        config.ledger.resend_ms = 3_000;
        config.ledger.resend_max_ms = 12_000;
        config.ledger.sweep_every_ms = 200;
        config.pipeline.tick_ms = 200;
        config.alerts.every_ms = 500;
        bucket::create(&config.s3.endpoint, &config.s3.bucket);
        Migrator::connect(inkdex::app::cql_settings(config).unwrap()).await.unwrap().run().await.unwrap();
        world
    }

    /// As [`World::of`], with this factor on the delays of slow sites.
    pub async fn slowed(web: DemoWeb, delay_scale: f64) -> Self {
        Self::served(web, |options| options.delay_scale = delay_scale).await
    }

    /// As [`World::of`], sparing pages that earlier sessions kept; whether the web helps with ETags is `validators`.
    pub async fn sparing(web: DemoWeb, validators: bool) -> Self {
        let mut world = Self::served(web, |options| (options.delay_scale, options.validators) = (0.1, validators)).await;
        world.config.fetch.recrawl = true;
        world
    }

    /// As [`World::sparing`] without help from the web, each of whose pages is another text at each request.
    pub async fn sparing_with_nonces(web: DemoWeb) -> Self {
        let how = |options: &mut DemoServerOptions| (options.delay_scale, options.validators, options.nonces) = (0.1, false, true);
        let mut world = Self::served(web, how).await;
        world.config.fetch.recrawl = true;
        world
    }

    async fn served(web: DemoWeb, how: impl FnOnce(&mut DemoServerOptions)) -> Self {
        let machine = SystemClock::new();
        let mut options = DemoServerOptions::new(Arc::new(move || machine.now().0 / 1_000));
        how(&mut options);
        let server = DemoServer::start(Arc::new(web.clone()), options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = scaled();
        config.data.folder = folder.path().join("data");
        config.alerts.file = folder.path().join("alerts.jsonl");
        config.discovery.studio_files = vec![folder.path().join("studios.yaml")];
        std::fs::write(&config.discovery.studio_files[0], web.studio_file()).unwrap();
        config.pipeline.file = folder.path().join("daily.yaml");
        // The retries of one call are seconds apart; here a tenth of a second.
        let pipeline = DAILY.replace("interval_ms: 2000", "interval_ms: 100");
        assert_ne!(pipeline, DAILY);
        std::fs::write(&config.pipeline.file, pipeline).unwrap();
        let (address, port) = (server.addr.ip(), server.addr.port());
        config.fetch.hosts = web.hosts().into_iter().map(|host| MappedHost { host, address, port, spacing_ms: 1 }).collect();
        Self { web, server, config, clock: Arc::new(ShiftedClock::at(NOON)), _folder: folder }
    }

    /// Starts the application, without the web.
    pub async fn start(&self) -> App {
        self.start_with(Vec::new()).await
    }

    /// Starts the application with further sources of studios.
    pub async fn start_with(&self, sources: Vec<Arc<dyn StudioSource>>) -> App {
        let surroundings = Surroundings { clock: self.clock.clone(), program: program(), sources };
        App::start_in(surroundings, &self.config, false).await.unwrap()
    }

    /// Opens the data that a daemon left, by the machine's clock.
    pub async fn open(&self) -> Ports {
        let surroundings = Surroundings { clock: Arc::new(SystemClock::new()), program: program(), sources: Vec::new() };
        open_ports(&self.config, surroundings).await.unwrap()
    }

    /// Serves the web as it is `day` days after the first.
    pub fn serve_day(&self, day: u32) -> DemoWeb {
        let web = self.web.with_changes(day);
        self.server.replace(Arc::new(web.clone()));
        web
    }

    /// Where planned faults are tallied.
    pub fn tally(&self) -> PathBuf {
        let folder = self.config.alerts.file.with_file_name("tally");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// How often planned faults happened, as `point action`.
    pub fn faults_met(&self, fault: &str) -> usize {
        let hits = std::fs::read_to_string(self.tally().join("hits")).unwrap_or_default();
        hits.lines().filter(|line| *line == fault).count()
    }

    /// The alerts told so far.
    pub fn alerts(&self) -> Vec<Alert> {
        let lines = std::fs::read_to_string(&self.config.alerts.file).unwrap_or_default();
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// Everything that waits for a real web or a real night, in milliseconds.
fn scaled() -> Config {
    let mut config = Config::default();
    config.fetch.only_mapped = true;
    config.fetch.ask_again_ms = 10;
    config.fetch.back_off_ms = 50;
    // Most tests change the web between two sessions of one minute: each asks for every page anew.
    config.fetch.recrawl = false;
    // A loaded machine is no oversized page.
    config.fetch.parse_ms = 30_000;
    config.workers.min = 4;
    config.workers.max = 8;
    config.workers.resize_every_ms = 20;
    config.workers.extend_lease_ms = 100;
    config.workers.child_ms = 60_000;
    config.workers.heartbeat_ms = 2_000;
    // Long enough that a loaded machine keeps it; nobody waits for it to run out but after a death.
    config.ledger.lease_ms = 1_500;
    config.ledger.resend_ms = 300;
    config.ledger.resend_max_ms = 2_400;
    config.ledger.retry_ms = 20;
    config.ledger.retry_max_ms = 200;
    config.ledger.sweep_every_ms = 20;
    config.pipeline.tick_ms = 20;
    config.pipeline.scheduled = false;
    config.alerts.every_ms = 50;
    config.sync.linger_ms = 5;
    config.privacy.look_again_ms = 2_000;
    config
}

/// Waits until a session is over.
pub async fn over(app: &App, id: &SessionId) -> Session {
    let ports = &app.ports;
    until(&format!("session {id} is over"), LONG, async || {
        ports.store.session(id).await.unwrap().filter(|session| session.state.is_terminal())
    })
    .await
}

/// Waits until the index has seen what is committed.
pub async fn in_step(app: &App) {
    until("the index is in step", LONG, async || inkdex::app::is_in_step(&app.ports).await.then_some(())).await;
}

/// Runs a session by hand to its end.
pub async fn run(app: &App) -> Session {
    let id = app.control.start_session(Trigger::Manual).await.unwrap();
    let session = over(app, &id).await;
    in_step(app).await;
    session
}

/// Lets the `number`th night come and runs its session to its end.
pub async fn run_night(app: &App, world: &World, number: u32) -> Session {
    let moment = night(number);
    world.clock.jump_to(moment);
    let pipeline = inkdex::app::pipeline(&world.config).unwrap();
    let (id, new) = sessions::start(&app.ports, &pipeline, moment, Trigger::Scheduled).await.unwrap();
    assert!(new, "night {number} was run before");
    let session = over(app, &id).await;
    in_step(app).await;
    session
}
