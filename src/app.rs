//! The only file that names concrete adapters: it builds the ports from the configuration, starts the actors and the web,
//! and stops everything in order (rule 17).

mod backends;
mod discovery;
mod drawing;
mod fetching;
mod settings;
pub mod single;

#[cfg(feature = "cql")]
pub use backends::cql_settings;
pub use backends::{backends_line, look_at, open_objects};
pub use drawing::look_at_browser;
pub use fetching::{fetch_limits, host_map};
pub use settings::sync_settings;

use crate::actors::control::ActorControl;
use crate::actors::desk::ActorDesk;
use crate::actors::guardian::Guardian;
use crate::actors::lease::HeldLeases;
use crate::actors::pool::Pool;
use crate::actors::registry::Registry;
use crate::actors::{Context, Role};
use crate::alert::Sink;
use crate::alert::sinks::{FileSink, LogSink};
use crate::config::{Config, Problem, link_of_contact};
use crate::discover::StudioSource;
use crate::domain::chance::Chance;
use crate::domain::clock::{Clock, SystemClock};
use crate::extract::{ParseLimits, Styles};
use crate::jobs::control::Control;
use crate::jobs::courier::Sending;
use crate::jobs::deny::{DenyHasher, SiteDenial};
use crate::jobs::reading::{ChildSettings, PageReader};
use crate::jobs::sessions::{DAILY, Pipeline};
pub use crate::jobs::sync_index::is_in_step;
use crate::jobs::{Desk, Ports};
use crate::metrics::Metrics;
use crate::scrape::guard::{Guard, HostMap};
use crate::scrape::http::HttpFetch;
use crate::scrape::visit::UrlDenial;
use crate::web::Contact;
use anyhow::{Context as _, anyhow};
use backends::Backends;
use fetching::{Reach, visitor};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{info, warn};

/// How long running jobs that were told to give up may take to be released.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);
/// How long the threads of actors may take to end; one that is stuck ends with the process.
const END_WITHIN: Duration = Duration::from_secs(3);
/// How long leases may take to be given back.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(2);
/// How long the index may take to catch up at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(4);

/// This build, as attempts record it.
pub const BUILD: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// What the application is given besides its configuration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Time; the machine's, but for tests of nights to come.
    pub clock: Arc<dyn Clock>,
    /// The program whose hidden verb reads the pages of suspects; this one, but for tests that run in another.
    pub program: PathBuf,
    /// Sources of studios beside the configured files.
    pub sources: Vec<Arc<dyn StudioSource>>,
}

impl Surroundings {
    /// The machine's clock and the running program.
    ///
    /// # Errors
    /// The system does not tell where this program lies.
    pub fn of_this_process() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the path of this program is not known, and suspects are read by a child of it")?;
        Ok(Self { clock: Arc::new(SystemClock::new()), program, sources: Vec::new() })
    }
}

/// Builds the ports over the configured backends; of embedded ones this process is the only owner.
///
/// # Errors
/// A sentence that says what to change.
pub async fn open_ports(config: &Config, Surroundings { clock, program, sources }: Surroundings) -> anyhow::Result<Ports> {
    let owner = format!("{}-{}-{:08x}", std::process::id(), clock.now().0, rand::random::<u32>());
    let chance = Arc::new(Chance::seeded(clock.now().0.unsigned_abs()));
    let Backends { store, queue, feed, index, letters, objects, holds, named } = backends::open(config, &clock, &chance, &owner).await?;
    let deny = Arc::new(DenyHasher::open(&hash_key_file(config), store.as_ref()).await?);
    let styles = Arc::new(Styles::standard());
    let guard = Arc::new(Guard::new(host_map(&config.fetch)?).only_mapped(config.fetch.only_mapped));
    let http = Arc::new(HttpFetch::new(guard.clone(), fetch_limits(&config.fetch), &config.fetch.user_agent, clock.clone())?);
    let around = discovery::Around { config, guard: &guard, store: &store, objects: &objects, clock: &clock };
    let sources = discovery::sources(&around)?.into_iter().chain(sources).collect();
    let denial: Arc<dyn UrlDenial> = Arc::new(SiteDenial::new(store.clone(), deny.clone()));
    let draw = drawing::draw(config, &guard, &denial, &clock)?;
    let reach = Reach { fetch: http, draw, guard, denial, keeps: true, shared_holds: holds, remembers: store.clone() };
    let visitor = visitor(config, &store, &objects, &clock, &chance, reach).await?;
    let parse = ParseLimits { time_ms: config.fetch.parse_ms, nodes: config.fetch.parse_nodes, depth: config.fetch.parse_depth };
    let child = ChildSettings { program, time: Duration::from_millis(config.workers.child_ms), memory_mb: config.workers.child_mb };
    let reader = Arc::new(PageReader::new(styles.clone(), parse, config.workers.parsers, child));
    Ok(Ports {
        feed,
        index,
        letters,
        sources,
        settings: Arc::new(settings::jobs(config, owner)),
        store,
        queue,
        objects,
        visitor,
        reader,
        deny,
        styles,
        clock,
        chance,
        backends: named.into(),
        sending: Sending::default(),
    })
}

/// Where the key of the denylist's hashes lies.
pub fn hash_key_file(config: &Config) -> PathBuf {
    let configured = &config.privacy.hash_key_file;
    if configured.as_os_str().is_empty() { config.data.folder.join("denylist.key") } else { configured.clone() }
}

/// Problems that only show where a value is used: mapped hosts, the log's filter, the pipeline's file.
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |place: &str, what: String, hint: &str| {
        problems.push(Problem { place: place.to_owned(), what, hint: hint.to_owned() });
    };
    for host in &config.fetch.hosts {
        let mapped = crate::scrape::guard::MappedHost { address: host.address, port: host.port, spacing_ms: host.spacing_ms };
        if let Err(error) = HostMap::none().add(&host.host, mapped) {
            problem("fetch.hosts", error.to_string(), "write an exact host, or *.suffix");
        }
    }
    if tracing_subscriber::EnvFilter::try_new(&config.log.filter).is_err() {
        let what = format!("`{}` is no filter", config.log.filter);
        problem("log.filter", what, "write for example `info` or `inkdex=debug,warn`");
    }
    if let Err(error) = Styles::shipped() {
        problem("config/styles.toml", error.to_string(), "correct it, and build again");
    }
    if let Err(error) = pipeline(config) {
        problem("pipeline.file", format!("{error:#}"), "leave it empty for the built-in pipeline");
    }
    problems
}

/// The pipeline that the configuration names.
///
/// # Errors
/// The file cannot be read, or what is wrong with it.
pub fn pipeline(config: &Config) -> anyhow::Result<Pipeline> {
    let file = &config.pipeline.file;
    if file.as_os_str().is_empty() {
        return Ok(Pipeline::parse("daily.yaml", DAILY)?);
    }
    let text =
        std::fs::read_to_string(file).with_context(|| format!("the pipeline {} cannot be read; check pipeline.file", file.display()))?;
    Ok(Pipeline::parse(&file.display().to_string(), &text)?)
}

/// A running Inkdex: actors and, if asked for, the web.
#[derive(Debug)]
pub struct App {
    /// The world it works on.
    pub ports: Ports,
    /// What it measures.
    pub metrics: Arc<Metrics>,
    /// Commands to it.
    pub control: Arc<dyn Control>,
    /// Where its jobs have artists written.
    pub desk: Arc<dyn Desk>,
    /// Where the web listens, if it does.
    pub web: Option<SocketAddr>,
    pool: Arc<Pool>,
    leases: Arc<HeldLeases>,
    stopping: watch::Sender<bool>,
    gave_up: watch::Receiver<Option<String>>,
    system: actix::System,
    thread: std::thread::JoinHandle<std::io::Result<()>>,
    drain: Duration,
}

impl App {
    /// Starts everything. Must be called on a multi-thread tokio runtime: jobs run there.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub async fn start(config: &Config, with_web: bool) -> anyhow::Result<Self> {
        Self::start_in(Surroundings::of_this_process()?, config, with_web).await
    }

    /// Starts everything in other surroundings than those of this process.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_in(surroundings: Surroundings, config: &Config, with_web: bool) -> anyhow::Result<Self> {
        let ports = open_ports(config, surroundings).await?;
        let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
        if config.alerts.log {
            sinks.push(Arc::new(LogSink));
        }
        if !config.alerts.file.as_os_str().is_empty() {
            sinks.push(Arc::new(FileSink::new(config.alerts.file.clone())));
        }
        let (stopping, stop) = watch::channel(false);
        let (gave_up, failed) = watch::channel(None);
        let metrics = Arc::new(Metrics::new());
        let pool = Arc::new(Pool::new(config.workers.min, config.workers.max));
        let registry = Registry::default();
        let leases = Arc::<HeldLeases>::default();
        let roles: Arc<BTreeSet<Role>> = Arc::new(config.process.roles.iter().copied().collect());
        let with_web = with_web && roles.contains(&Role::Web);
        let context = Context {
            ports: ports.clone(),
            registry: registry.clone(),
            pool: pool.clone(),
            jobs: tokio::runtime::Handle::current(),
            metrics: metrics.clone(),
            sinks,
            pipeline: Arc::new(pipeline(config)?),
            settings: Arc::new(settings::actors(config)),
            roles: roles.clone(),
            leases: leases.clone(),
            stopping: stop.clone(),
        };
        let control: Arc<dyn Control> = Arc::new(ActorControl::new(&context));
        let desk: Arc<dyn Desk> = Arc::new(ActorDesk::new(registry));
        let web = with_web.then(|| web_settings(config, &ports, &control, &metrics, stop));
        let bind = config.server.bind;
        let (started, starting) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("actors".to_owned()).spawn(move || {
            let runner = actix::System::new();
            let (ending, ended) = std::sync::mpsc::channel();
            let web_address = runner.block_on(async move {
                // The port first: a daemon that cannot listen must not have begun anything.
                let web = web.map(|state| crate::web::start(state, bind)).transpose()?;
                Guardian::start_graph(context, gave_up, ending);
                Ok::<_, std::io::Error>(web.map(|(address, server)| {
                    actix::spawn(server);
                    address
                }))
            });
            // The caller may be gone only if the whole process is going.
            let _caller_gone = started.send(web_address.map(|address| (actix::System::current(), address)));
            let ran = runner.run();
            // The Guardian ended with its system, and hands over the threads of its children, told to end.
            ended.into_iter().for_each(|arbiter| drop(arbiter.join()));
            ran
        })?;
        let answer = starting.await.map_err(|_| anyhow!("the actor system did not start"))?;
        let (system, web) = answer.with_context(|| format!("nothing can listen at {bind}; is another daemon running? set server.bind"))?;
        Ok(Self {
            ports,
            metrics,
            control,
            desk,
            web,
            pool,
            leases,
            stopping,
            gave_up: failed,
            system,
            thread,
            drain: config.workers.drain(),
        })
    }

    /// Waits until the Guardian gives up, and says why.
    pub async fn gave_up(&self) -> String {
        let mut failed = self.gave_up.clone();
        let why = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| "the actor system ended by itself".to_owned())
    }

    /// Stops in order: intake, running jobs (finished, or released without burning an attempt), index, actors.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.wait_idle(self.drain).await;
        if self.pool.held() > 0 {
            info!(jobs = self.pool.busy(), "running jobs are released, they go on after the next start");
            self.pool.give_up();
            self.wait_idle(RELEASE_WITHIN).await;
        }
        self.ports.visitor.close().await;
        self.flush_index().await;
        self.system.stop();
        // Once every actor's thread has ended nobody holds the database any more, and the next owner may have it.
        let joined = tokio::time::timeout(END_WITHIN, tokio::task::spawn_blocking(move || self.thread.join())).await;
        if !matches!(joined, Ok(Ok(Ok(Ok(()))))) {
            warn!("the actor system did not end cleanly");
        }
        let giving = self.leases.give_back(self.ports.store.as_ref(), &self.ports.settings.owner);
        if tokio::time::timeout(GIVE_BACK_WITHIN, giving).await.is_err() {
            info!("leases were not given back in time and run out");
        }
    }

    async fn wait_idle(&self, within: Duration) {
        let began = self.ports.clock.monotonic();
        while self.pool.held() > 0 && self.ports.clock.monotonic().saturating_sub(began) < within {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets IndexSync catch up with what is committed; what is left is found after the next start.
    async fn flush_index(&self) {
        let began = self.ports.clock.monotonic();
        while self.ports.clock.monotonic().saturating_sub(began) < FLUSH_WITHIN {
            if is_in_step(&self.ports).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        info!("the index catches up after the next start");
    }
}

fn web_settings(
    config: &Config,
    ports: &Ports,
    control: &Arc<dyn Control>,
    metrics: &Arc<Metrics>,
    stopping: watch::Receiver<bool>,
) -> crate::web::WebState {
    crate::web::WebState {
        ports: ports.clone(),
        control: control.clone(),
        metrics: metrics.clone(),
        admin: config.server.admin,
        // Every process that serves the same people has the same key of the denylist.
        token_key: ports.deny.derived("page tokens").into_bytes().into(),
        contact: link_of_contact(&config.privacy.contact).map(|href| Contact { text: config.privacy.contact.clone(), href }),
        body_deadline: Duration::from_millis(config.server.body_deadline_ms),
        stopping,
    }
}
