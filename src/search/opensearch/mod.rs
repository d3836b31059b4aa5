//! The search index on OpenSearch: one index behind two aliases, `<prefix>` (searched, hides tombstones) and `<prefix>-all`
//! (written and scanned); and beside it that of dead letters. Feed positions are kept in the feed, under the index's generation.

mod bulk;
mod client;
mod errors;
mod letters;
mod pace;
mod query;
mod read;
mod rebuild;
mod settings;
mod start;
mod together;
mod write;

pub use letters::OpenSearchLetters;
pub use pace::BulkLimits;
pub use settings::{Login, OpenSearchSettings};

use self::bulk::Action;
use self::client::{Answer, Client, Request, Verb};
use self::errors::refused;
use self::pace::Pace;
use self::start::Family;
use self::together::Together;
use crate::domain::chance::Chance;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::ArtistId;
use crate::feed::{Position, Shard};
use crate::search::batch::{Batch, Operation};
use crate::search::plan::check_limit;
use crate::search::{Facets, IndexOperation, IndexedVersion, ItemAnswer, Replacement, SearchError, SearchIndex, SearchPage, SearchQuery};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the generation may be out of date: a reader of an older one only repeats work.
const GENERATION_FOR: Duration = Duration::from_secs(1);
/// Tombstones looked for and dropped in one step.
const PURGE_STEP: usize = 1_000;

/// An index on OpenSearch.
#[derive(Debug, Clone)]
pub struct OpenSearchIndex {
    shared: Arc<Shared>,
    target: Target,
    family: Family,
}

/// What all values of one connection share.
#[derive(Debug)]
struct Shared {
    client: Client,
    settings: OpenSearchSettings,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    pace: Mutex<Pace>,
    together: Together,
    /// The generation behind the alias, and when it was read, in monotonic time.
    generation: Mutex<Option<(String, Duration)>>,
}

/// Which names a value speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    searched: String,
    written: String,
    /// Behind the aliases: what is written must be searchable when the call answers.
    is_searched: bool,
}

impl OpenSearchIndex {
    /// Opens the index behind the aliases, making template, index and aliases if they are not there.
    ///
    /// # Errors
    /// A sentence that says what to change: the address, the user, the certificate, the mapping.
    pub async fn open(settings: OpenSearchSettings, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Self, SearchError> {
        let index = Self::connect(settings, clock, chance)?;
        index.prepare().await?;
        Ok(index)
    }

    /// The index behind the aliases without a look at it: for `inkdex reindex`, which replaces one that cannot be used.
    ///
    /// # Errors
    /// The settings or the certificate file cannot be used.
    pub fn connect(settings: OpenSearchSettings, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Self, SearchError> {
        settings.check()?;
        let shared = Shared {
            client: Client::new(&settings)?,
            pace: Mutex::new(Pace::new(settings.bulk)),
            together: Together::new(),
            generation: Mutex::new(None),
            clock,
            chance,
            settings,
        };
        let target = Target { searched: shared.settings.searched(), written: shared.settings.written(), is_searched: true };
        Ok(Self { shared: Arc::new(shared), target, family: Family::Artists })
    }

    /// What the server says it is: its distribution and version.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn server(&self) -> Result<(String, String), SearchError> {
        let within = self.shared.settings.search_within;
        let request = Request { verb: Verb::Get, path: "/".to_owned(), parameters: &[], body: None, within };
        let answer = self.expect_ok("ask what it is", request).await?;
        let text = |key: &str| answer.body["version"][key].as_str().unwrap_or("unknown").to_owned();
        Ok((text("distribution"), text("number")))
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.shared.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn expect_ok(&self, doing: &str, request: Request<'_>) -> Result<Answer, SearchError> {
        let answer = self.shared.client.send(request).await?;
        if answer.is_ok() { Ok(answer) } else { Err(refused(self.shared.client.url(), doing, &answer)) }
    }

    /// Applies operations in requests of their own; `action` writes one.
    async fn apply_now<O: Operation>(
        &self,
        operations: Vec<O>,
        action: impl Fn(&O) -> serde_json::Result<Action>,
    ) -> Result<Vec<(O::Id, ItemAnswer)>, SearchError> {
        let batch = Batch::of(operations);
        let (mut actions, mut answers) = (Vec::new(), HashMap::new());
        for operation in batch.to_write() {
            match (operation.problem(), action(operation)) {
                (None, Ok(action)) => actions.push(action),
                (Some(problem), _) => {
                    answers.insert(operation.key().to_owned(), ItemAnswer::Failed(problem));
                }
                (None, Err(error)) => {
                    let told = format!("its document has no JSON form: {error}");
                    answers.insert(operation.key().to_owned(), ItemAnswer::Failed(told));
                }
            }
        }
        answers.extend(self.write(actions).await?.answers);
        Ok(batch.answers(&answers))
    }

    /// The unique id of the index behind a name.
    async fn generation_of(&self, name: &str) -> Result<String, SearchError> {
        let path = format!("/{name}/_settings");
        let parameters = &[("filter_path", "*.settings.index.uuid")];
        let request = Request { verb: Verb::Get, path, parameters, body: None, within: self.shared.settings.search_within };
        let answer = self.expect_ok("read which index is used", request).await?;
        let mut uuids = answer.body.as_object().into_iter().flat_map(|indexes| indexes.values());
        let uuid = uuids.next().and_then(|index| index["settings"]["index"]["uuid"].as_str());
        match (uuid, uuids.next()) {
            (Some(uuid), None) => Ok(uuid.to_owned()),
            _ => Err(SearchError::Refused(format!("{name} does not stand for one index of OpenSearch; start inkdex again to see why"))),
        }
    }

    fn forget_generation(&self) {
        *self.shared.generation.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known_generation(&self) -> Option<String> {
        let known = self.shared.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.monotonic();
        known.as_ref().filter(|(_, read_at)| now.saturating_sub(*read_at) < GENERATION_FOR).map(|(generation, _)| generation.clone())
    }
}

#[async_trait]
impl SearchIndex for OpenSearchIndex {
    async fn apply(
        &self,
        operations: Vec<IndexOperation>,
        _position: Option<(Shard, Position)>,
    ) -> Result<Vec<(ArtistId, ItemAnswer)>, SearchError> {
        // What nobody searches does not wait for refreshes.
        if self.target.is_searched && !operations.is_empty() {
            self.apply_together(operations).await
        } else {
            self.apply_now(operations, Action::write).await
        }
    }

    async fn position(&self, _shard: Shard) -> Result<Option<Position>, SearchError> {
        Ok(None)
    }

    fn keeps_position(&self) -> bool {
        false
    }

    async fn generation(&self) -> Result<String, SearchError> {
        if !self.target.is_searched {
            return self.generation_of(&self.target.written).await;
        }
        if let Some(generation) = self.known_generation() {
            return Ok(generation);
        }
        let generation = self.generation_of(&self.target.written).await?;
        let read_at = self.shared.clock.monotonic();
        *self.shared.generation.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation.clone(), read_at));
        Ok(generation)
    }

    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchError> {
        check_limit(query)?;
        self.page(query).await
    }

    async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        self.counts(query).await
    }

    async fn scan(&self, after: Option<&ArtistId>, limit: usize) -> Result<Vec<IndexedVersion>, SearchError> {
        self.entries(&query::scan(after, limit)).await
    }

    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        let (mut purged, mut after) = (0, None);
        loop {
            let old = self.entries(&query::tombstones(before.0, after.as_ref(), PURGE_STEP)).await?;
            let Some(last) = old.last() else { return Ok(purged) };
            after = Some(last.artist_id.clone());
            purged += self.write(old.iter().map(|entry| Action::drop(entry.artist_id.as_str(), entry.version)).collect()).await?.changed;
        }
    }

    async fn clear(&self) -> Result<(), SearchError> {
        let empty = self.make_beside().await?;
        empty.loaded().await?;
        empty.swap(true).await
    }

    async fn begin_replacement(&self) -> Result<Option<Arc<dyn Replacement>>, SearchError> {
        Ok(Some(Arc::new(self.make_beside().await?)))
    }
}
