//! The actor graph as one table ([`CHILDREN`]), and what supervises it. Spawn, health, restart and drain all iterate the table.
//!
//! Mailboxes carry wake-ups and handles: losing any of them loses time only. Jobs live in the ledger under a lease.

pub mod alerter;
pub mod control;
pub mod desk;
pub mod discovery;
pub mod dispatcher;
pub mod escort;
mod follow;
pub mod guardian;
pub mod index_sync;
pub mod lease;
pub mod messages;
pub mod pool;
pub mod registry;
pub mod scheduler;
pub mod scraper;
pub mod writer;

use crate::alert::Sink;
use crate::jobs::Ports;
use crate::jobs::housekeeping::Kept;
use crate::jobs::sessions::Pipeline;
use crate::jobs::sync_index::SyncSettings;
use crate::metrics::Metrics;
use lease::HeldLeases;
use pool::Pool;
use registry::{Incarnation, Registry};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a process does; several processes share the work in any mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves pages and APIs.
    Web,
    /// Fires the schedule, moves sessions on, sweeps the ledger.
    Schedule,
    /// Takes jobs from the queue.
    Work,
    /// Keeps the index in step.
    Sync,
}

impl Role {
    /// All roles: what a process does that is alone.
    pub const ALL: [Self; 4] = [Self::Web, Self::Schedule, Self::Work, Self::Sync];

    /// The role as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Schedule => "schedule",
            Self::Work => "work",
            Self::Sync => "sync",
        }
    }
}

/// What every actor is spawned with: configuration and ports are passed, never looked up globally (002-C2).
#[derive(Debug, Clone)]
pub struct Context {
    /// The world.
    pub ports: Ports,
    /// Where the others are.
    pub registry: Registry,
    /// The permits that jobs carry.
    pub pool: Arc<Pool>,
    /// The multi-thread runtime on which jobs run.
    pub jobs: tokio::runtime::Handle,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Where alerts go.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// The nightly pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Timings.
    pub settings: Arc<ActorSettings>,
    /// What this process does.
    pub roles: Arc<BTreeSet<Role>>,
    /// Leases this process holds.
    pub leases: Arc<HeldLeases>,
    /// Turns from `false` to `true` when the process is to stop.
    pub stopping: watch::Receiver<bool>,
}

/// What actors need of the configuration.
#[derive(Debug, Clone)]
pub struct ActorSettings {
    /// Schedule and sessions are looked at this often.
    pub tick: Duration,
    /// Due jobs are looked for this often.
    pub sweep: Duration,
    /// Leases of running jobs are extended this often.
    pub extend_lease: Duration,
    /// A job without progress for this long is given up.
    pub stall: Duration,
    /// The pool's size is looked at this often.
    pub resize: Duration,
    /// Waiting jobs per worker above which the pool grows.
    pub jobs_per_worker: usize,
    /// Owed alerts are looked for this often.
    pub alerts: Duration,
    /// Whether the schedule fires.
    pub scheduled: bool,
    /// Whether a missed run is caught up.
    pub catch_up: bool,
    /// Changes taken at once, and how long is waited for more.
    pub sync_batch: usize,
    /// How long further changes are waited for.
    pub sync_linger: Duration,
    /// What happens to documents that fail.
    pub sync: SyncSettings,
    /// How long things are kept.
    pub kept: Kept,
    /// Whether other processes share the store.
    pub shared: bool,
    /// Heartbeats are asked for this often; three missed ones mean frozen.
    pub heartbeat: Duration,
    /// First and longest delay of a restart.
    pub restart: (Duration, Duration),
    /// More restarts than this within a minute end the process with an error.
    pub restarts_per_minute: usize,
}

/// What a child does when the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopPhase {
    /// Stops taking in work at once.
    Intake,
    /// Goes on until running jobs are finished or released.
    Work,
    /// Stops last, after its queue is flushed.
    Flush,
}

/// One child of the Guardian.
#[derive(Debug)]
pub struct ChildSpec {
    /// Its name in logs, metrics and the admin API.
    pub name: &'static str,
    /// Its mailbox: messages waiting at most.
    pub mailbox: usize,
    /// Why that many.
    pub why: &'static str,
    /// Who sends to it, by name; `web` and `task` stand for handlers and job tasks.
    pub from: &'static [&'static str],
    /// In processes of which roles it runs.
    pub roles: &'static [Role],
    /// When it stops.
    pub stop: StopPhase,
    /// Starts it afresh on the current arbiter and puts it into the registry.
    pub spawn: fn(&Context, Incarnation, usize),
}

/// Every actor under the Guardian, in the order in which they start; they stop in reverse within their phase.
pub const CHILDREN: &[ChildSpec] = &[
    ChildSpec {
        name: "alerter",
        mailbox: 64,
        why: "alerts of one minute; when full the oldest loss is counted, rows still owe theirs",
        from: &["index_sync", "task", "guardian"],
        roles: &[Role::Schedule, Role::Work, Role::Sync],
        stop: StopPhase::Flush,
        spawn: alerter::spawn,
    },
    ChildSpec {
        name: "index_sync",
        mailbox: 64,
        why: "heartbeats, and a note to itself for each shard; the feed wakes it",
        from: &[],
        roles: &[Role::Sync],
        stop: StopPhase::Flush,
        spawn: index_sync::spawn,
    },
    ChildSpec {
        name: "writer",
        mailbox: 64,
        why: "about twice the workers; every sender awaits its answer under a permit",
        from: &["task"],
        roles: &[Role::Work],
        stop: StopPhase::Work,
        spawn: writer::spawn,
    },
    ChildSpec {
        name: "scraper",
        mailbox: 16,
        why: "the queue is the buffer: a job is handed over only under a permit",
        from: &["dispatcher"],
        roles: &[Role::Work],
        stop: StopPhase::Work,
        spawn: scraper::spawn,
    },
    ChildSpec {
        name: "discovery",
        mailbox: 4,
        why: "one discovery a session, rarely two",
        from: &["dispatcher"],
        roles: &[Role::Work],
        stop: StopPhase::Work,
        spawn: discovery::spawn,
    },
    ChildSpec {
        name: "dispatcher",
        mailbox: 64,
        why: "outcomes of jobs; each carries its permit until it is settled",
        from: &["task"],
        roles: &[Role::Work],
        stop: StopPhase::Intake,
        spawn: dispatcher::spawn,
    },
    ChildSpec {
        name: "scheduler",
        mailbox: 16,
        why: "commands of people, and its own timers",
        from: &["web"],
        roles: &[Role::Schedule],
        stop: StopPhase::Intake,
        spawn: scheduler::spawn,
    },
];
