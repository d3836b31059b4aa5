//! What is measured, in Prometheus' text format (002-R34, 002-R35, 002-R42, 002-R43).

use crate::domain::clock::Timestamp;
use crate::domain::job::{JobKind, Usage};
use crate::domain::outcome::Outcome;
use crate::domain::session::Session;
use crate::jobs::sync_index::Synced;
use crate::scrape::draw::DrawCounts;
use crate::store::Depth;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How many of the newest lags are kept for the exact quantiles of summaries.
const LAGS_KEPT: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: String,
}

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    jobs: Family<JobLabels, Counter>,
    job_seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    step_seconds: Family<StepLabel, Histogram, fn() -> Histogram>,
    requests: Counter,
    wire_bytes: Counter,
    open_jobs: Gauge,
    due_jobs: Gauge,
    running_jobs: Gauge,
    oldest_seconds: Gauge<f64, AtomicU64>,
    workers: Gauge,
    busy_workers: Gauge,
    sync_seconds: Histogram,
    sync_applied: Counter,
    sync_stale: Counter,
    sync_parked: Counter,
    unreadable_rows: Gauge,
    drawn_pages: Gauge,
    browsers: Gauge,
    browsers_killed: Gauge,
    browser_leaks: Gauge,
    lags: Mutex<VecDeque<Duration>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        let mut metrics = Self {
            registry: Registry::with_prefix("inkdex"),
            jobs: Family::default(),
            job_seconds: Family::new_with_constructor(seconds),
            step_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.1, 2.0, 18))),
            requests: Counter::default(),
            wire_bytes: Counter::default(),
            open_jobs: Gauge::default(),
            due_jobs: Gauge::default(),
            running_jobs: Gauge::default(),
            oldest_seconds: Gauge::default(),
            workers: Gauge::default(),
            busy_workers: Gauge::default(),
            sync_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            sync_applied: Counter::default(),
            sync_stale: Counter::default(),
            sync_parked: Counter::default(),
            unreadable_rows: Gauge::default(),
            drawn_pages: Gauge::default(),
            browsers: Gauge::default(),
            browsers_killed: Gauge::default(),
            browser_leaks: Gauge::default(),
            lags: Mutex::new(VecDeque::new()),
        };
        let registry = &mut metrics.registry;
        registry.register("jobs", "Attempts ended, by kind of job and outcome", metrics.jobs.clone());
        registry.register("job_seconds", "Time of an attempt", metrics.job_seconds.clone());
        registry.register("step_seconds", "Time of a step of a session", metrics.step_seconds.clone());
        registry.register("requests", "Requests sent to sites", metrics.requests.clone());
        registry.register("wire_bytes", "Bytes received from sites", metrics.wire_bytes.clone());
        registry.register("open_jobs", "Jobs that are not terminal, by the ledger", metrics.open_jobs.clone());
        registry.register("due_jobs", "Jobs that could run now", metrics.due_jobs.clone());
        registry.register("running_jobs", "Jobs in work", metrics.running_jobs.clone());
        registry.register("oldest_open_job_seconds", "Age of the oldest open job", metrics.oldest_seconds.clone());
        registry.register("workers", "Jobs that may be in work at once", metrics.workers.clone());
        registry.register("busy_workers", "Workers in use", metrics.busy_workers.clone());
        registry.register("sync_seconds", "From a committed change to its being searchable", metrics.sync_seconds.clone());
        registry.register("sync_applied", "Documents and tombstones indexed", metrics.sync_applied.clone());
        registry.register("sync_stale", "Operations for which the index held something newer", metrics.sync_stale.clone());
        registry.register("unreadable_rows", "Times a row was left out since it cannot be read", metrics.unreadable_rows.clone());
        registry.register("drawn_pages", "Pages drawn by a browser since the start", metrics.drawn_pages.clone());
        registry.register("browsers", "Browsers running", metrics.browsers.clone());
        registry.register("browsers_killed", "Browsers killed over a page since the start", metrics.browsers_killed.clone());
        registry.register(
            "browser_leaked_processes",
            "Processes that outlived their browser since the start",
            metrics.browser_leaks.clone(),
        );
        registry.register("sync_parked", "Documents that could not be indexed", metrics.sync_parked.clone());
        metrics
    }

    /// An attempt ended.
    pub fn observe_outcome(&self, kind: JobKind, outcome: &Outcome, ran: Duration, usage: Usage) {
        let name = match outcome {
            Outcome::Done { how } => format!("done_{}", how.as_str()),
            Outcome::Wait { .. } => "wait".to_owned(),
            Outcome::Retry { .. } => "retry".to_owned(),
            Outcome::Dead { .. } => "dead".to_owned(),
            Outcome::Cancelled { .. } => "cancelled".to_owned(),
        };
        self.jobs.get_or_create(&JobLabels { kind: kind.as_str().to_owned(), outcome: name }).inc();
        self.job_seconds.get_or_create(&KindLabel { kind: kind.as_str().to_owned() }).observe(ran.as_secs_f64());
        self.requests.inc_by(usage.requests);
        self.wire_bytes.inc_by(usage.wire_bytes);
    }

    /// Steps of a session that ended between two looks at it.
    pub fn observe_steps(&self, before: &Session, after: &Session) {
        for (was, is) in before.steps.iter().zip(&after.steps) {
            if let (None, Some(began), Some(ended)) = (was.ended_at, is.started_at, is.ended_at) {
                let label = StepLabel { step: is.definition.name.clone() };
                self.step_seconds.get_or_create(&label).observe(ended.since(began).as_secs_f64());
            }
        }
    }

    /// The ledger's exact depth.
    pub fn observe_depth(&self, depth: &Depth, now: Timestamp) {
        self.open_jobs.set(gauge(depth.open));
        self.due_jobs.set(gauge(depth.due));
        self.running_jobs.set(gauge(depth.running));
        self.oldest_seconds.set(depth.oldest_age(now).as_secs_f64());
    }

    /// What browsers did since the start.
    pub fn observe_browsers(&self, counts: &DrawCounts) {
        self.drawn_pages.set(gauge(counts.drawn));
        self.browsers.set(gauge(counts.running));
        self.browsers_killed.set(gauge(counts.killed));
        self.browser_leaks.set(gauge(counts.leaked));
    }

    /// The pool's size and use.
    pub fn observe_pool(&self, size: usize, busy: usize) {
        self.workers.set(gauge(size as u64));
        self.busy_workers.set(gauge(busy as u64));
    }

    /// A batch reached the index.
    pub fn observe_sync(&self, synced: &Synced) {
        self.sync_applied.inc_by(synced.applied);
        self.sync_stale.inc_by(synced.stale);
        self.sync_parked.inc_by(synced.parked);
        for lag in &synced.lags {
            self.sync_seconds.observe(lag.as_secs_f64());
        }
        let mut lags = self.lags.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lags.extend(&synced.lags);
        let surplus = lags.len().saturating_sub(LAGS_KEPT);
        lags.drain(..surplus);
    }

    /// The exact quantile of commit → searchable over what this process indexed; `None` if it indexed nothing.
    pub fn lag_quantile(&self, quantile: f64) -> Option<Duration> {
        let mut lags: Vec<Duration> = self.lags.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().copied().collect();
        lags.sort_unstable();
        let last = lags.len().checked_sub(1)?;
        let index = (quantile.clamp(0.0, 1.0) * last as f64).ceil() as usize;
        lags.get(index.min(last)).copied()
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> String {
        self.unreadable_rows.set(gauge(crate::store::unreadable_rows()));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# metrics could not be encoded: {error}\n"),
        }
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
