//! IndexSync: follows the change feed and keeps the search index in step; rebuilds it when the feed no longer reaches back.

use crate::actors::Context;
use crate::actors::desk::ActorDesk;
use crate::actors::lease::WorkLease;
use crate::actors::messages::{Beat, Nudge, ObservableState};
use crate::actors::registry::{Incarnation, observe};
use crate::alert::{AlertKind, Severity};
use crate::domain::ids::ArtistId;
use crate::feed::{FeedError, Shard};
use crate::jobs::Desk;
use crate::jobs::sync_index::{advance, alert, standing, sync};
use crate::jobs::{PortError, reconcile};
use crate::search::SearchError;
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tracing::{error, info, warn};

/// How long a poll waits for a change.
const POLL: Duration = Duration::from_millis(250);
/// Pauses after an outage, doubling.
const OUTAGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// How long one of several processes follows a shard for itself.
const LEASE: Duration = Duration::from_secs(3);

/// Follows the feed.
pub struct IndexSync {
    context: Context,
    nudged: Arc<Notify>,
    /// Held while the index is filled.
    filling: Arc<Mutex<()>>,
    /// One of several processes follows a shard.
    leases: HashMap<Shard, Arc<WorkLease>>,
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
    /// It takes nothing until somebody changes something.
    refused: bool,
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
            filling: Arc::default(),
            leases: HashMap::new(),
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
        let (context, nudged, filling) = (self.context.clone(), self.nudged.clone(), self.filling.clone());
        let lease = self.leases.entry(shard).or_insert_with(|| Arc::new(WorkLease::new(format!("sync/{}", shard.0), LEASE))).clone();
        let work = async move {
            if !lease.is_ours(&context).await? {
                tokio::time::sleep(POLL).await;
                return Ok(Followed { idle: true, ..Followed::default() });
            }
            follow(&context, &nudged, &filling, shard).await
        };
        ctx.spawn(work.into_actor(self).map(move |followed, sync, ctx| {
            match followed {
                Ok(followed) => {
                    sync.pause = OUTAGE.0;
                    sync.state.refused = false;
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
                    if let PortError::Search(SearchError::Refused(why)) = &error {
                        sync.tell_refusal(why, ctx);
                    }
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
    /// Waiting does not mend a refusal: the feed is kept, and a person is told, once until it is over.
    fn tell_refusal(&mut self, why: &str, ctx: &mut actix::Context<Self>) {
        if std::mem::replace(&mut self.state.refused, true) {
            return;
        }
        let text = format!("the index takes nothing, and changes wait in the feed: {why}");
        error!(severity = "critical", "{text}");
        let alert = alert(&self.context.ports, AlertKind::IndexRefuses, Severity::Critical, text, "index");
        let desk = ActorDesk::new(self.context.registry.clone());
        ctx.spawn(async move { desk.alert(alert).await }.into_actor(self));
    }

    fn longer_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(OUTAGE.1);
        pause / 2 + self.context.ports.chance.up_to(pause / 2)
    }
}

async fn follow(context: &Context, nudged: &Notify, filling: &Mutex<()>, shard: Shard) -> Result<Followed, PortError> {
    let ports = &context.ports;
    let stands = standing(ports, shard).await?;
    let Some(after) = &stands.position else { return fill(context, filling, shard, "was never filled").await };
    let polled = tokio::select! {
        polled = ports.feed.poll(shard, Some(after), context.settings.sync_batch, POLL) => polled,
        // A wake-up only saves latency: the poll is made again at once.
        () = nudged.notified() => ports.feed.poll(shard, Some(after), context.settings.sync_batch, Duration::ZERO).await,
    };
    let mut batch = match polled {
        Ok(batch) => batch,
        Err(FeedError::TooOld) => return fill(context, filling, shard, "stands further back than the feed reaches").await,
        Err(FeedError::BadPosition(_)) => return fill(context, filling, shard, "stands where this feed never was").await,
        Err(error) => return Err(error.into()),
    };
    if batch.dirty.is_empty() {
        // Time passes in a feed by itself, and one who stands still is too old some day.
        if batch.next != *after {
            advance(ports, shard, &stands, &batch.next).await?;
        }
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
    if !ports.index.keeps_position() && !synced.halted && !advance(ports, shard, &stands, &batch.next).await? {
        info!("another process has moved this shard's position on");
    }
    context.metrics.observe_sync(&synced);
    Ok(Followed { applied: synced.applied, stale: synced.stale, parked: synced.parked, halted: synced.halted, ..Followed::default() })
}

/// Fills the index from the store, one shard for all: those that waited find their positions.
async fn fill(context: &Context, filling: &Mutex<()>, shard: Shard, why: &str) -> Result<Followed, PortError> {
    let ports = &context.ports;
    let _one_at_a_time = filling.lock().await;
    if let Some(position) = standing(ports, shard).await?.position
        && !matches!(ports.feed.poll(shard, Some(&position), 1, Duration::ZERO).await, Err(FeedError::TooOld | FeedError::BadPosition(_)))
    {
        return Ok(Followed::default());
    }
    info!("the index {why}; it is filled from the store");
    let rows = reconcile::rebuild(ports).await?;
    info!(rows, "the index was filled from {rows} rows");
    Ok(Followed { rebuilt: true, ..Followed::default() })
}
