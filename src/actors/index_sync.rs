//! IndexSync: follows the change feed and keeps the search index in step; rebuilds it when the feed no longer reaches back.

use crate::actors::Context;
use crate::actors::desk::ActorDesk;
use crate::actors::messages::{Beat, Nudge, ObservableState};
use crate::actors::registry::{Incarnation, observe};
use crate::domain::ids::ArtistId;
use crate::feed::{FeedError, Position, Shard};
use crate::jobs::sync_index::sync;
use crate::jobs::{PortError, reconcile};
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tracing::{error, info, warn};

/// How long a poll waits for a change.
const POLL: Duration = Duration::from_millis(250);
/// Pauses after an outage, doubling.
const OUTAGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Name of this reader where the feed keeps its position.
const READER: &str = "index";

/// Follows the feed.
pub struct IndexSync {
    context: Context,
    nudged: Arc<Notify>,
    /// Held while the index is built again: one build serves all shards.
    building: Arc<Mutex<()>>,
    state: SyncState,
    pause: Duration,
    _life: Incarnation,
}

/// What IndexSync shows of itself.
#[derive(Debug, Clone, Default, Serialize)]
struct SyncState {
    batches: u64,
    applied: u64,
    stale: u64,
    parked: u64,
    outages: u64,
    rebuilt: u64,
    halted: bool,
    idle: bool,
}

/// Take the next batch of a shard.
#[derive(Message)]
#[rtype(result = "()")]
struct Follow {
    shard: Shard,
}

/// Find the shards and follow each.
#[derive(Message)]
#[rtype(result = "()")]
struct Begin;

/// Starts an IndexSync.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = IndexSync::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify(Begin);
        IndexSync {
            context: inner,
            nudged: Arc::new(Notify::new()),
            building: Arc::new(Mutex::new(())),
            state: SyncState::default(),
            pause: OUTAGE.0,
            _life: life,
        }
    });
    context.registry.index_sync.set(addr);
}

impl Actor for IndexSync {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for IndexSync {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        observe(&self.state)
    }
}

impl Handler<Nudge> for IndexSync {
    type Result = ();

    fn handle(&mut self, _: Nudge, _ctx: &mut Self::Context) {
        self.nudged.notify_one();
    }
}

impl Handler<Begin> for IndexSync {
    type Result = ();

    fn handle(&mut self, _: Begin, ctx: &mut Self::Context) {
        let feed = self.context.ports.feed.clone();
        ctx.spawn(async move { feed.shards().await }.into_actor(self).map(|shards, sync, ctx| match shards {
            Ok(shards) => shards.into_iter().for_each(|shard| ctx.notify(Follow { shard })),
            Err(error) => {
                warn!(%error, "the change feed is asked again");
                ctx.notify_later(Begin, sync.longer_pause());
            }
        }));
    }
}

/// What one round of a shard did.
#[derive(Debug, Default)]
struct Followed {
    applied: u64,
    stale: u64,
    parked: u64,
    halted: bool,
    rebuilt: bool,
    idle: bool,
}

impl Handler<Follow> for IndexSync {
    type Result = ();

    fn handle(&mut self, Follow { shard }: Follow, ctx: &mut Self::Context) {
        let (context, nudged, building) = (self.context.clone(), self.nudged.clone(), self.building.clone());
        ctx.spawn(async move { follow(&context, &nudged, &building, shard).await }.into_actor(self).map(move |followed, sync, ctx| {
            match followed {
                Ok(followed) => {
                    sync.pause = OUTAGE.0;
                    let state = &mut sync.state;
                    state.batches += u64::from(!followed.idle);
                    state.applied += followed.applied;
                    state.stale += followed.stale;
                    state.parked += followed.parked;
                    state.rebuilt += u64::from(followed.rebuilt);
                    state.idle = followed.idle;
                    state.halted = followed.halted;
                    if followed.halted {
                        error!(severity = "critical", "too many documents were parked within the hour; the index halts until the process is restarted, since a broken mapping is no bad record");
                        return;
                    }
                    ctx.notify(Follow { shard });
                }
                Err(error) => {
                    sync.state.outages += 1;
                    let pause = sync.longer_pause();
                    // 002-R29: logged with details; an outage counts against no document.
                    warn!(%error, pause_ms = pause.as_millis(), "the index is out of step, trying again");
                    ctx.notify_later(Follow { shard }, pause);
                }
            }
        }));
    }
}

impl IndexSync {
    fn longer_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(OUTAGE.1);
        pause / 2 + self.context.ports.chance.up_to(pause / 2)
    }
}

/// Where the index stands in a shard, and the epoch of the saved position if the feed keeps it.
async fn position(context: &Context, shard: Shard) -> Result<(Option<Position>, u64), PortError> {
    let ports = &context.ports;
    if ports.index.keeps_position() {
        return Ok((ports.index.position(shard).await?, 0));
    }
    Ok(ports.feed.saved(READER, shard).await?.map_or((None, 0), |(position, epoch)| (Some(position), epoch)))
}

async fn follow(context: &Context, nudged: &Notify, building: &Mutex<()>, shard: Shard) -> Result<Followed, PortError> {
    let ports = &context.ports;
    let (after, epoch) = position(context, shard).await?;
    if after.is_none() {
        // The feed reaches back for days only, the table for ever: an index without a position has to see the table first.
        return rebuild(context, building, shard, None, "it has no position yet").await;
    }
    let polled = tokio::select! {
        polled = ports.feed.poll(shard, after.as_ref(), context.settings.sync_batch, POLL) => polled,
        // A wake-up only saves latency: the poll is made again at once.
        () = nudged.notified() => ports.feed.poll(shard, after.as_ref(), context.settings.sync_batch, Duration::ZERO).await,
    };
    let mut batch = match polled {
        Ok(batch) => batch,
        Err(error @ (FeedError::TooOld | FeedError::BadPosition(_))) => {
            return rebuild(context, building, shard, after.as_ref(), &error.to_string()).await;
        }
        Err(error) => return Err(error.into()),
    };
    if batch.dirty.is_empty() {
        return Ok(Followed { idle: true, ..Followed::default() });
    }
    if batch.dirty.len() < context.settings.sync_batch && !context.settings.sync_linger.is_zero() {
        tokio::time::sleep(context.settings.sync_linger).await;
        let room = context.settings.sync_batch - batch.dirty.len();
        let more = ports.feed.poll(shard, Some(&batch.next), room, Duration::ZERO).await?;
        batch.dirty.extend(more.dirty);
        batch.next = more.next;
    }
    let ids: BTreeSet<ArtistId> = batch.dirty.into_iter().map(|dirty| dirty.artist_id).collect();
    let desk = ActorDesk::new(context.registry.clone());
    let synced = sync(ports, &desk, &context.settings.sync, &ids, Some((shard, batch.next.clone()))).await?;
    if !ports.index.keeps_position() && !ports.feed.save(READER, shard, epoch, &batch.next).await? {
        info!("another process has moved this shard's position on");
    }
    context.metrics.observe_sync(&synced);
    Ok(Followed { applied: synced.applied, stale: synced.stale, parked: synced.parked, halted: synced.halted, ..Followed::default() })
}

/// Builds the index again from the store; a kill in the middle leaves no position, so the next start begins again.
async fn rebuild(context: &Context, building: &Mutex<()>, shard: Shard, met: Option<&Position>, why: &str) -> Result<Followed, PortError> {
    let ports = &context.ports;
    let _alone = building.lock().await;
    if position(context, shard).await?.0.as_ref() != met {
        // Another shard of ours found the same and has built it meanwhile.
        return Ok(Followed::default());
    }
    warn!("the index is built from the store: {why}");
    let desk = ActorDesk::new(context.registry.clone());
    let rebuilt = reconcile::rebuild(ports, &desk, &context.settings.sync).await?;
    if !ports.index.keeps_position() {
        for (shard, head) in &rebuilt.heads {
            let epoch = ports.feed.saved(READER, *shard).await?.map_or(0, |(_, epoch)| epoch);
            // Another process that moved it on meanwhile has rebuilt as well, or follows.
            let _moved = ports.feed.save(READER, *shard, epoch, head).await?;
        }
    }
    info!(rows = rebuilt.rows, "the index was built from {} rows", rebuilt.rows);
    Ok(Followed { rebuilt: true, halted: rebuilt.halted, ..Followed::default() })
}
