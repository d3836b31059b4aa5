//! A whole session over a web that is mapped to this machine: what the demo and `rehearse` share.

use crate::cli::signals::Signals;
use crate::cli::{Common, progress};
use anyhow::{Context as _, bail};
use inkdex::app::{self, App};
use inkdex::config::{AlertsConfig, Config, MappedHost, PipelineConfig, PrivacyConfig};
use inkdex::domain::job::{Job, JobKind, Task};
use inkdex::domain::outcome::Done;
use inkdex::domain::session::{Session, Trigger};
use inkdex::jobs::Ports;
use inkdex::search::{SearchIndex, SearchQuery};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the index may take to show what was committed last.
const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
/// Milliseconds between two requests to a mapped host; real hosts are never visited so fast.
const SPACING_MS: u64 = 20;

/// A folder for data, removed at the end unless the caller named it.
pub struct Scratch {
    folder: PathBuf,
    temporary: bool,
}

impl Scratch {
    /// The named folder, or a fresh temporary one.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = named.is_none();
        let folder = named.unwrap_or_else(|| std::env::temp_dir().join(format!("inkdex-{}", uuid::Uuid::new_v4().simple())));
        std::fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self { folder, temporary })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary {
            // A temporary folder that cannot be removed is the system's to clean.
            let _left_to_the_system = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A web that one address of this machine serves.
pub struct MappedWeb {
    /// Where it is served.
    pub address: SocketAddr,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// The studio file (YAML) that names its sites.
    pub studio_file: String,
}

/// The configuration of a session over a mapped web, with its data in `folder`.
///
/// # Errors
/// The configuration has problems, or the folder cannot be written.
pub fn settings(common: &Common, web: MappedWeb, folder: &Path) -> anyhow::Result<Config> {
    let mut config = common.config()?;
    let file = folder.join("studios.yaml");
    std::fs::write(&file, web.studio_file).with_context(|| format!("{} cannot be written", file.display()))?;
    config.data.folder = folder.to_owned();
    config.discovery.studio_files = vec![file];
    // Nothing of a production set-up is touched by a rehearsal: neither its alerts nor its key, nor its own pipeline.
    config.pipeline = PipelineConfig { scheduled: false, ..PipelineConfig::default() };
    config.alerts = AlertsConfig { file: folder.join("alerts.jsonl"), ..AlertsConfig::default() };
    if config.backends.is_embedded() {
        // A shared store goes with its own key; the embedded one of a rehearsal is fresh.
        config.privacy = PrivacyConfig::default();
    }
    let (address, port) = (web.address.ip(), web.address.port());
    config.fetch.hosts = web.hosts.into_iter().map(|host| MappedHost { host, address, port, spacing_ms: SPACING_MS }).collect();
    config.fetch.only_mapped = true;
    // Everything that waits for a real web or a real night is shortened; nothing else differs from production.
    config.fetch.ask_again_ms = SPACING_MS;
    config.fetch.back_off_ms = 500;
    config.pipeline.tick_ms = 20;
    config.ledger.sweep_every_ms = 50;
    config.workers.resize_every_ms = 50;
    Ok(config)
}

/// Starts a session, shows its progress until it is over, and waits until the index shows what it wrote.
///
/// # Errors
/// A part of ours failed.
pub async fn run_session(app: &App, trigger: Trigger, quiet: bool) -> anyhow::Result<Session> {
    let id = app.control.start_session(trigger).await?;
    let session = progress::follow(app.ports.store.as_ref(), app.ports.clock.as_ref(), &id, quiet).await?;
    wait_in_step(&app.ports).await?;
    Ok(session)
}

/// As [`run_session`], unless a signal comes first: then everything is stopped in order.
///
/// # Errors
/// As [`run_session`], or the signal.
pub async fn run_unless_stopped(app: App, quiet: bool, signals: &mut Signals) -> anyhow::Result<(App, Session)> {
    tokio::select! {
        session = run_session(&app, Trigger::Manual, quiet) => session.map(|session| (app, session)),
        signal = signals.next() => {
            app.stop().await;
            bail!("{signal}: left before the end");
        }
    }
}

/// Waits until the index shows everything that is committed.
///
/// # Errors
/// It did not catch up in time.
pub async fn wait_in_step(ports: &Ports) -> anyhow::Result<()> {
    let began = ports.clock.monotonic();
    while !app::is_in_step(ports).await {
        anyhow::ensure!(
            ports.clock.monotonic().saturating_sub(began) < IN_STEP_WITHIN,
            "the index did not catch up within {} s; `inkdex doctor` says how far it is",
            IN_STEP_WITHIN.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// What ledger and index say after a session.
#[derive(Debug, Default)]
pub struct Tally {
    /// Sites of studios or artists that were read.
    pub studios: usize,
    /// Sites that belong to no tattooer.
    pub not_tattoo: usize,
    /// Jobs that robots.txt or a page refused.
    pub refused: usize,
    /// Artists that a search for everybody finds.
    pub searchable: u64,
    /// Dead letters: the code, and whom or what they are about.
    pub dead: Vec<(String, String)>,
    /// Jobs that are not over.
    pub open: u64,
    /// Names of artists whose jobs ended dead or refused.
    pub ended: BTreeSet<String>,
}

impl Tally {
    /// Counts the jobs of a session and asks the index.
    ///
    /// # Errors
    /// A part of ours failed.
    pub async fn of(ports: &Ports, session: &Session) -> anyhow::Result<Self> {
        let mut tally = Self { searchable: found(ports.index.as_ref(), &[]).await?.0, ..Self::default() };
        let mut after = None;
        loop {
            let jobs = ports.store.jobs_in(&session.id, None, after.as_ref(), 500).await?;
            jobs.iter().for_each(|job| tally.count(job));
            match jobs.last() {
                Some(job) => after = Some(job.new.id.clone()),
                None => return Ok(tally),
            }
        }
    }

    fn count(&mut self, job: &Job) {
        let name = match &job.new.task {
            Task::ScrapeArtist(task) => Some(task.name.clone()),
            _ => None,
        };
        if let Some(reason) = job.death() {
            let about = name.clone().or_else(|| job.new.host.clone()).unwrap_or_default();
            self.dead.push((reason.code.clone(), about));
            self.ended.extend(name.clone());
        }
        match (job.kind(), job.done()) {
            (JobKind::FindArtists, Some(Done::NotTattoo)) => self.not_tattoo += 1,
            (JobKind::FindArtists, Some(Done::Written | Done::Unchanged)) => self.studios += 1,
            (_, Some(Done::RefusedByRobots)) => {
                self.refused += 1;
                self.ended.extend(name);
            }
            _ => {}
        }
        self.open += u64::from(!job.state.is_terminal());
    }

    /// Dead letters by code.
    pub fn dead_by_reason(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for (code, _) in &self.dead {
            *reasons.entry(code.as_str()).or_default() += 1;
        }
        reasons
    }
}

/// How many artists the index finds by words, and their names.
///
/// # Errors
/// The index failed.
pub async fn found(index: &dyn SearchIndex, words: &[String]) -> anyhow::Result<(u64, Vec<String>)> {
    let page = index.search(&SearchQuery { tokens: words.to_vec(), limit: 50, ..SearchQuery::default() }).await?;
    Ok((page.total, page.hits.into_iter().map(|hit| hit.document.name).collect()))
}

/// Commit → searchable as a line.
pub fn lag_line(app: &App) -> String {
    let [p50, p99] = lags_ms(app).map(|lag| lag.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.0} ms")));
    format!("p50 {p50}, p99 {p99}")
}

/// p50 and p99 of commit → searchable in milliseconds; none if nothing was indexed.
pub fn lags_ms(app: &App) -> [Option<f64>; 2] {
    [0.5, 0.99].map(|quantile| app.metrics.lag_quantile(quantile).map(|lag| lag.as_secs_f64() * 1_000.0))
}

/// The most memory this process has had, in megabytes; none where the system does not tell.
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1_024.0)
}
