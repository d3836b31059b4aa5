//! Builds the search index anew beside the old one while searches and writes go on, and puts it in its place.
//!
//! The new index is filled from the rows, follows the feed from where it was before the first row was read, is compared with
//! the table, and its position is saved under its own generation before it takes its place: whoever follows the feed goes on
//! from there, so that nothing written to the old index alone is missing in the new one.

use crate::domain::ids::ArtistId;
use crate::feed::{FeedError, Position, Shard};
use crate::jobs::reconcile::{Filling, compare, heads, rebuild, write};
use crate::jobs::sync_index::{advance, operation_for, standing};
use crate::jobs::{PortError, Ports};
use crate::search::{Replacement, SearchError};
use crate::store::StoreError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::{info, warn};

/// The lease of the one rebuild that runs.
const LEASE: &str = "reindex";
/// Changes of the feed taken at once.
const BATCH: usize = 500;
/// How often table and new index are compared before the rebuild is given up.
const LOOKS: usize = 5;

/// How an index is built anew.
#[derive(Debug, Clone, Copy)]
pub struct ReindexSettings {
    /// How long the lease holds without being renewed, which is done every 500 rows.
    pub lease: Duration,
    /// How long the old index stays for searches that began there.
    pub grace: Duration,
}

impl Default for ReindexSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(120), grace: Duration::from_secs(10) }
    }
}

/// What a rebuild did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Rows read.
    pub rows: u64,
    /// Changes that were made meanwhile and followed.
    pub followed: u64,
    /// Artists whose document the index does not take; they are parked.
    pub parked: Vec<ArtistId>,
    /// Whether it was built beside the old one, or that was emptied and filled.
    pub beside: bool,
}

/// Why an index was not built anew; the old one is in use as before.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// Two at once would drop each other's work.
    #[error("another process builds the index anew, or did within the last two minutes and was stopped; wait for it")]
    Busy,
    /// The new index does not say what the table says.
    #[error("{count} artists are missing or differ in the new index after {LOOKS} looks, as {example}; the old one stays in use, repeat")]
    Incomplete {
        /// How many.
        count: usize,
        /// One of them.
        example: ArtistId,
    },
    /// A part of ours failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<StoreError> for ReindexError {
    fn from(error: StoreError) -> Self {
        Self::Port(error.into())
    }
}

impl From<SearchError> for ReindexError {
    fn from(error: SearchError) -> Self {
        Self::Port(error.into())
    }
}

impl From<FeedError> for ReindexError {
    fn from(error: FeedError) -> Self {
        Self::Port(error.into())
    }
}

/// Builds the index anew.
///
/// # Errors
/// The old index is in use as before; repeat.
pub async fn reindex(ports: &Ports, settings: &ReindexSettings) -> Result<Reindexed, ReindexError> {
    let lease = Lease { ports, holds: settings.lease };
    lease.renew().await?;
    let done = with_lease(ports, settings, &lease).await;
    if let Err(error) = ports.store.give_back_lease(LEASE, &ports.settings.owner).await {
        warn!(%error, "the lease of the rebuild was not given back, it runs out by itself");
    }
    done
}

async fn with_lease(ports: &Ports, settings: &ReindexSettings, lease: &Lease<'_>) -> Result<Reindexed, ReindexError> {
    let Some(replacement) = ports.index.begin_replacement().await? else {
        return Ok(Reindexed { rows: rebuild(ports).await?, ..Reindexed::default() });
    };
    let done = match Building::begin(ports, &*replacement, lease).await {
        Ok(building) => building.finish().await,
        Err(error) => Err(error),
    };
    match done {
        Ok(done) => {
            tokio::time::sleep(settings.grace).await;
            replacement.drop_old().await?;
            Ok(done)
        }
        Err(error) => {
            replacement.abandon().await;
            Err(error)
        }
    }
}

/// The right to be the only rebuild.
struct Lease<'a> {
    ports: &'a Ports,
    holds: Duration,
}

impl Lease<'_> {
    async fn renew(&self) -> Result<(), ReindexError> {
        let now = self.ports.clock.now();
        let mine = self.ports.store.take_lease(LEASE, &self.ports.settings.owner, now.plus(self.holds), now).await?;
        if mine { Ok(()) } else { Err(ReindexError::Busy) }
    }
}

/// A new index while it is filled.
struct Building<'a> {
    /// The world with the new index in the place of the old one.
    beside: Ports,
    replacement: &'a dyn Replacement,
    lease: &'a Lease<'a>,
    positions: BTreeMap<Shard, Position>,
    filling: Filling,
    followed: u64,
}

impl<'a> Building<'a> {
    async fn begin(ports: &Ports, replacement: &'a dyn Replacement, lease: &'a Lease<'a>) -> Result<Self, ReindexError> {
        let beside = Ports { index: replacement.index(), ..ports.clone() };
        // Before the first row is read: what is committed later is found by following.
        let positions = heads(ports).await?.into_iter().collect();
        Ok(Self { beside, replacement, lease, positions, filling: Filling::default(), followed: 0 })
    }

    async fn finish(mut self) -> Result<Reindexed, ReindexError> {
        while self.filling.step(&self.beside).await? {
            self.lease.renew().await?;
        }
        self.agree().await?;
        // What was committed during the last comparison, so that the new index is hardly older than the old one.
        self.follow().await?;
        for (shard, position) in &self.positions {
            let stands = standing(&self.beside, *shard).await?;
            advance(&self.beside, *shard, &stands, position).await?;
        }
        // Whoever lost the lease may have lost the new index as well.
        self.lease.renew().await?;
        self.replacement.take_place().await?;
        // And what was written to the old one since: whoever follows the feed does that as well, but a moment later.
        if let Err(error) = self.follow().await {
            warn!(%error, "the last changes reach the new index by the feed alone: {error}");
        }
        info!(rows = self.filling.rows, followed = self.followed, "the new index took the old one's place");
        Ok(Reindexed { rows: self.filling.rows, followed: self.followed, parked: self.filling.parked, beside: true })
    }

    /// Takes what the feed says until it says nothing new.
    async fn follow(&mut self) -> Result<(), ReindexError> {
        let shards: Vec<Shard> = self.positions.keys().copied().collect();
        for shard in shards {
            loop {
                let batch = self.beside.feed.poll(shard, self.positions.get(&shard), BATCH, Duration::ZERO).await?;
                self.positions.insert(shard, batch.next);
                if batch.dirty.is_empty() {
                    break;
                }
                let ids: BTreeSet<ArtistId> = batch.dirty.into_iter().map(|dirty| dirty.artist_id).collect();
                self.followed += ids.len() as u64;
                self.index_again(&ids).await?;
            }
        }
        Ok(())
    }

    async fn index_again(&mut self, ids: &BTreeSet<ArtistId>) -> Result<(), ReindexError> {
        self.lease.renew().await?;
        let mut operations = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(row) = self.beside.store.artist(id).await? {
                operations.push(operation_for(&self.beside, &row).await?);
            }
        }
        self.filling.parked.extend(write(&self.beside, &operations).await?);
        Ok(())
    }

    /// Follows and compares until every artist was seen to agree in one of the looks: others write meanwhile, so that at no
    /// moment all of them do.
    async fn agree(&mut self) -> Result<(), ReindexError> {
        let mut suspects: Option<BTreeSet<ArtistId>> = None;
        for _ in 0..LOOKS {
            self.follow().await?;
            self.replacement.loaded().await?;
            let drift = compare(&self.beside).await?;
            let mut differing: BTreeSet<ArtistId> = drift.missing.into_iter().chain(drift.differing).collect();
            differing.retain(|id| !self.filling.parked.contains(id));
            let still: BTreeSet<ArtistId> = match &suspects {
                Some(suspects) => differing.intersection(suspects).cloned().collect(),
                None => differing.clone(),
            };
            if still.is_empty() {
                return Ok(());
            }
            info!(artists = still.len(), "{} artists differ in the new index and are looked at again", still.len());
            self.index_again(&differing).await?;
            suspects = Some(still);
        }
        let suspects = suspects.unwrap_or_default();
        match suspects.first() {
            Some(example) => Err(ReindexError::Incomplete { count: suspects.len(), example: example.clone() }),
            None => Ok(()),
        }
    }
}
