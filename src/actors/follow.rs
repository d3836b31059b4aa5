//! Following one shard of the feed: batches are taken one after the other and indexed side by side, and the position passes
//! them in their order. A batch waits for the index's next refresh, and the changes behind it must not wait for that, too.

use crate::actors::Context;
use crate::actors::desk::ActorDesk;
use crate::actors::lease::WorkLease;
use crate::feed::{FeedBatch, FeedError, Position, Shard};
use crate::jobs::sync_index::{Standing, Synced, advance, standing, sync_named};
use crate::jobs::{PortError, reconcile};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tracing::info;

/// How long a poll waits for a change.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// Batches of a shard that are indexed at once.
const AT_ONCE: usize = 4;

/// How often a position that the feed keeps is saved while changes come; once none do, it is saved at once. Whoever goes on
/// from an older one repeats work.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// What IndexSync shows of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct SyncState {
    batches: u64,
    applied: u64,
    stale: u64,
    parked: u64,
    pub outages: u64,
    /// Dead letters that the index was brought up to.
    pub letters: u64,
    /// Dead letters that their index refuses.
    pub letters_refused: u64,
    rebuilt: u64,
    pub halted: bool,
    /// It takes nothing until somebody changes something.
    pub refused: bool,
    idle: bool,
    /// Since the last failure something was indexed, or there was nothing to index.
    #[serde(skip)]
    pub goes_on: bool,
}

/// All that following a shard needs.
pub(super) struct Follower {
    pub context: Context,
    pub shard: Shard,
    /// One of several processes follows a shard.
    pub lease: Arc<WorkLease>,
    /// Held while the index is filled.
    pub filling: Arc<AsyncMutex<()>>,
    pub state: Arc<Mutex<SyncState>>,
}

/// Why following has come to an end that is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Another process has the shard.
    NotOurs,
    /// Where the index stands has to be asked again.
    Anew,
    /// Too many were parked: nothing goes on until an operator looked.
    Halted,
}

/// A batch that the index has, and where the next one begins.
struct Indexed {
    /// `None` if nobody was named.
    synced: Option<Synced>,
    next: Position,
}

/// Where the position has come to.
struct Passed {
    stands: Standing,
    /// Indexed, and not saved yet.
    unsaved: Option<Position>,
    saved_at: Duration,
}

impl Follower {
    fn note(&self, change: impl FnOnce(&mut SyncState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Follows the shard for as long as it is ours and nothing fails. Whatever ends it, what was not passed is taken again.
    pub async fn follow(&self) -> Result<Left, PortError> {
        let ports = &self.context.ports;
        if !self.lease.is_ours(&self.context).await? {
            self.note(|state| state.idle = true);
            return Ok(Left::NotOurs);
        }
        let generation = ports.index.generation().await?;
        let stands = standing(ports, self.shard).await?;
        let Some(mut taken) = stands.position.clone() else { return self.fill("was never filled").await };
        let mut passed = Passed { stands, unsaved: None, saved_at: ports.clock.monotonic() };
        let mut indexing = FuturesOrdered::new();
        loop {
            let batch = {
                let taking = self.take(&taken);
                tokio::pin!(taking);
                loop {
                    tokio::select! {
                        biased;
                        Some(indexed) = indexing.next() => {
                            if let Some(left) = self.pass(&mut passed, indexed?).await? {
                                return Ok(left);
                            }
                        }
                        batch = &mut taking => break batch,
                    }
                }
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(FeedError::TooOld) => return self.fill("stands further back than the feed reaches").await,
                Err(FeedError::BadPosition(_)) => return self.fill("stands where this feed never was").await,
                Err(error) => return Err(error.into()),
            };
            let is_idle = batch.dirty.is_empty();
            self.note(|state| {
                state.idle = is_idle;
                state.goes_on |= is_idle && indexing.is_empty();
            });
            let at_once = self.at_once(&batch);
            // Time passes in a feed by itself, and one who stands still is too old some day.
            if !is_idle || batch.next != taken {
                taken = batch.next.clone();
                indexing.push_back(self.index(batch));
            }
            while indexing.len() >= at_once
                && let Some(indexed) = indexing.next().await
            {
                if let Some(left) = self.pass(&mut passed, indexed?).await? {
                    return Ok(left);
                }
            }
            if is_idle && indexing.is_empty() && !self.save(&mut passed).await? {
                return Ok(Left::Anew);
            }
            if !self.lease.is_ours(&self.context).await? || ports.index.generation().await? != generation {
                return Ok(Left::Anew);
            }
        }
    }

    /// How many batches may be under way with this one: who has far to go gains nothing by doing more at once, and an index
    /// that commits its position itself has to be told in order.
    fn at_once(&self, batch: &FeedBatch) -> usize {
        let is_full = batch.dirty.len() >= self.context.settings.sync_batch;
        if is_full || self.context.ports.index.keeps_position() { 1 } else { AT_ONCE }
    }

    /// The next batch after a position; empty if nothing came in time.
    async fn take(&self, after: &Position) -> Result<FeedBatch, FeedError> {
        let (ports, settings) = (&self.context.ports, &self.context.settings);
        let mut batch = ports.feed.poll(self.shard, Some(after), settings.sync_batch, POLL).await?;
        // A commit of an index of ours costs the same for one change and for many; a server's requests are put together there.
        let lingers = ports.index.keeps_position() && !settings.sync_linger.is_zero();
        if lingers && !batch.dirty.is_empty() && batch.dirty.len() < settings.sync_batch {
            tokio::time::sleep(settings.sync_linger).await;
            let room = settings.sync_batch - batch.dirty.len();
            let more = ports.feed.poll(self.shard, Some(&batch.next), room, Duration::ZERO).await?;
            batch.dirty.extend(more.dirty);
            batch.next = more.next;
        }
        Ok(batch)
    }

    /// Brings the index up to a batch.
    async fn index(&self, batch: FeedBatch) -> Result<Indexed, PortError> {
        let ports = &self.context.ports;
        if batch.dirty.is_empty() {
            return Ok(Indexed { synced: None, next: batch.next });
        }
        let desk = ActorDesk::new(self.context.registry.clone());
        let position = Some((self.shard, batch.next.clone()));
        let synced = sync_named(ports, &desk, &self.context.settings.sync, &batch.dirty, position).await?;
        self.context.metrics.observe_sync(&synced);
        Ok(Indexed { synced: Some(synced), next: batch.next })
    }

    /// Takes note of a batch that is indexed, as those before it are.
    async fn pass(&self, passed: &mut Passed, indexed: Indexed) -> Result<Option<Left>, PortError> {
        let Indexed { synced, next } = indexed;
        let is_committed = synced.is_some() && self.context.ports.index.keeps_position();
        if let Some(synced) = synced {
            self.note(|state| {
                state.batches += 1;
                state.applied += synced.applied;
                state.stale += synced.stale;
                state.parked += synced.parked;
                state.halted = synced.halted;
                (state.refused, state.goes_on) = (false, true);
            });
            if synced.halted {
                return Ok(Some(Left::Halted));
            }
        }
        if is_committed {
            return Ok(None);
        }
        passed.unsaved = Some(next);
        let is_due = self.context.ports.clock.monotonic().saturating_sub(passed.saved_at) >= SAVE_EVERY;
        Ok(if is_due && !self.save(passed).await? { Some(Left::Anew) } else { None })
    }

    /// Saves the position that has been passed, if it is not saved. Answers false if another process moved it.
    async fn save(&self, passed: &mut Passed) -> Result<bool, PortError> {
        let Some(position) = passed.unsaved.take() else { return Ok(true) };
        let ports = &self.context.ports;
        let Some(stands) = advance(ports, self.shard, &passed.stands, &position).await? else {
            info!("another process has moved this shard's position on");
            return Ok(false);
        };
        passed.stands = stands;
        passed.saved_at = ports.clock.monotonic();
        Ok(true)
    }

    /// Fills the index from the store, one shard for all: those that waited find their positions.
    async fn fill(&self, why: &str) -> Result<Left, PortError> {
        let ports = &self.context.ports;
        let _one_at_a_time = self.filling.lock().await;
        if let Some(position) = standing(ports, self.shard).await?.position
            && !matches!(
                ports.feed.poll(self.shard, Some(&position), 1, Duration::ZERO).await,
                Err(FeedError::TooOld | FeedError::BadPosition(_))
            )
        {
            return Ok(Left::Anew);
        }
        info!("the index {why}; it is filled from the store");
        let rows = reconcile::rebuild(ports).await?;
        info!(rows, "the index was filled from {rows} rows");
        self.note(|state| state.rebuilt += 1);
        Ok(Left::Anew)
    }
}
