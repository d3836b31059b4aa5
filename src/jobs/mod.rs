//! What a job does: plain async functions over the ports. Actors call them; nothing here knows an actor.

pub mod absences;
mod added_up;
pub(crate) mod audit;
pub mod control;
pub mod correct_artist;
pub mod courier;
pub mod deny;
pub mod directory;
pub mod discover_studios;
pub mod discovery_report;
pub mod drive;
pub mod find_artists;
pub mod find_letters;
pub mod housekeeping;
pub mod letter_index;
pub mod letters;
pub mod named_sites;
pub mod prove_request;
pub(crate) mod read_again;
pub mod reading;
pub mod reconcile;
pub mod reconcile_letters;
pub mod reindex;
pub mod removal_requests;
pub mod remove_artist;
pub(crate) mod remove_studio;
pub mod replay;
pub mod report;
pub mod scrape_artist;
pub mod sessions;
pub mod single_visit;
pub mod site_visit;
pub mod strangers;
pub mod sync_index;
pub mod tell_apart;
pub mod why;
pub mod write_artist;

use crate::alert::Alert;
use crate::discover::StudioSource;
use crate::domain::chance::Chance;
use crate::domain::clock::Clock;
use crate::domain::job::{Attempt, Job, Task, Usage};
use crate::domain::ledger::LedgerLimits;
use crate::domain::outcome::{Category, Failure, Outcome, WaitFor};
pub use crate::domain::progress::Progress;
use crate::extract::{SiteLimits, Styles};
use crate::feed::ChangeFeed;
use crate::objects::Objects;
use crate::queue::{JobQueue, QueueError};
use crate::scrape::visit::Visitor;
use crate::search::letters::LetterIndex;
use crate::search::{SearchError, SearchIndex};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// What stands behind a port, as the thing itself said at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// `store`, `queue`, `index` or `objects`.
    pub part: &'static str,
    /// `cassandra`, `sqs`, …
    pub name: String,
    /// Its version or place, for people.
    pub detail: String,
}

/// Everything a job reaches the world through.
#[derive(Debug, Clone)]
pub struct Ports {
    /// Artists, ledger, sessions …
    pub store: Arc<dyn Store>,
    /// Delivery.
    pub queue: Arc<dyn JobQueue>,
    /// Who changed.
    pub feed: Arc<dyn ChangeFeed>,
    /// Search.
    pub index: Arc<dyn SearchIndex>,
    /// Dead letters by what they are filtered by.
    pub letters: Arc<dyn LetterIndex>,
    /// Pages and reports.
    pub objects: Objects,
    /// Polite fetching.
    pub visitor: Visitor,
    /// Parsing, in this process or in a child.
    pub reader: Arc<reading::PageReader>,
    /// Sources of studios.
    pub sources: Vec<Arc<dyn StudioSource>>,
    /// The denylist's hashes.
    pub deny: Arc<deny::DenyHasher>,
    /// Style vocabulary.
    pub styles: Arc<Styles>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<Chance>,
    /// Settings.
    pub settings: Arc<JobSettings>,
    /// What stands behind the ports.
    pub backends: Arc<[Backend]>,
    /// Whoever sends jobs of this process.
    pub sending: courier::Sending,
}

/// What jobs need of the configuration.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Rules of the ledger.
    pub limits: LedgerLimits,
    /// Jobs of a host sent or running at once.
    pub jobs_per_host: usize,
    /// Pages of a site.
    pub site: SiteLimits,
    /// Refuse a source with bad entries.
    pub strict_sources: bool,
    /// How long a job waits for a browser that is not there before it is a dead letter.
    pub browser_wait: Duration,
    /// After how long a removal looks once more for what attempts put that were under way.
    pub look_again: Duration,
    /// This process, in leases and attempts.
    pub owner: String,
    /// This build, in attempts.
    pub build: String,
}

/// One attempt at work.
#[derive(Debug, Clone)]
pub struct Running {
    /// The row as the attempt began.
    pub job: Job,
    /// The attempt.
    pub attempt: Attempt,
    /// Its pulse.
    pub progress: Progress,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, usage: Usage::default() }
    }
}

/// Where jobs hand over artists to be written, and alerts to be told: the actors behind it are not their business.
#[async_trait::async_trait]
pub trait Desk: std::fmt::Debug + Send + Sync {
    /// Has an artist written; the answer comes after the write is confirmed (002-R21).
    async fn write(&self, request: write_artist::WriteArtist) -> Result<write_artist::Written, write_artist::WriteError>;

    /// Tells an alert that no row owes.
    async fn alert(&self, alert: Alert);
}

/// Runs the body of a job.
pub async fn run(ports: &Ports, desk: &dyn Desk, running: &Running) -> Ended {
    match &running.job.new.task {
        Task::DiscoverStudios => discover_studios::run(ports, running).await.into(),
        Task::FindArtists { studio_id } => find_artists::run(ports, running, studio_id).await,
        Task::ScrapeArtist(task) => scrape_artist::run(ports, desk, running, task).await,
        Task::Report => report::run(ports, running).await.into(),
        Task::RemoveArtist { artist_id, leftovers } => remove_artist::run(ports, running, artist_id, leftovers).await.into(),
        Task::ReplayArtist { artist_id, .. } => replay::run(ports, desk, running, artist_id).await,
        Task::ReadStranger { hash } => strangers::run(ports, running, hash).await.into(),
    }
}

/// How long a job waits for a part of ours that is out.
const OUTAGE_WAIT: Duration = Duration::from_secs(5);

/// An outage of our own parts burns nothing; anything else of the store is a fault of ours.
pub fn store_outcome(ports: &Ports, error: &StoreError, stage: &str) -> Outcome {
    match error.class() {
        crate::domain::ErrorClass::Transient => wait_for_dependency(ports),
        crate::domain::ErrorClass::Permanent => {
            Outcome::Retry { after: None, reason: Failure::new(Category::Unknown, "store", stage, error.to_string()) }
        }
    }
}

pub(crate) fn wait_for_dependency(ports: &Ports) -> Outcome {
    let pause = OUTAGE_WAIT / 2 + ports.chance.up_to(OUTAGE_WAIT / 2);
    Outcome::Wait { until: ports.clock.now().plus(pause), why: WaitFor::Dependency }
}

/// Any failure of a part of ours, for callers that are no jobs.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Of the queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Of the index.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// Of the feed.
    #[error(transparent)]
    Feed(#[from] crate::feed::FeedError),
    /// Of the object store.
    #[error(transparent)]
    Objects(#[from] crate::objects::ObjectsError),
}
