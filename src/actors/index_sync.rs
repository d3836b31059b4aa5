//! IndexSync: follows the change feed and keeps the search index in step; rebuilds it when the feed no longer reaches back. It
//! also brings the index of dead letters up to what is owed to it.

use crate::actors::Context;
use crate::actors::desk::ActorDesk;
use crate::actors::follow::{Follower, Left, POLL, SyncState};
use crate::actors::lease::WorkLease;
use crate::actors::messages::{Beat, ObservableState};
use crate::actors::registry::{Incarnation, observe};
use crate::alert::{AlertKind, Severity};
use crate::feed::Shard;
use crate::jobs::sync_index::alert;
use crate::jobs::{Desk, PortError, letter_index};
use crate::search::SearchError;
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tracing::{error, warn};

/// Pauses after an outage, doubling.
const OUTAGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// An idle sweep of what is owed to the index of dead letters doubles its pause up to so many times: each asks store and index.
const LETTERS_IDLE_MOST: u32 = 3;

/// How long one of several processes follows a shard for itself. Renewing it is a conditional write for each of the shards.
const LEASE: Duration = Duration::from_secs(5);

/// Follows the feed.
pub struct IndexSync {
    context: Context,
    /// Held while the index is filled.
    filling: Arc<AsyncMutex<()>>,
    /// One of several processes follows a shard.
    leases: HashMap<Shard, Arc<WorkLease>>,
    state: Arc<Mutex<SyncState>>,
    pause: Duration,
    /// One of several processes sweeps what is owed to the index of dead letters.
    letters: Arc<WorkLease>,
    letters_pause: Duration,
    /// Sweeps in a row that found nothing to do: the next may be later.
    letters_idle: u32,
    _life: Incarnation,
}

/// Follow a shard.
#[derive(Message)]
#[rtype(result = "()")]
struct Follow {
    shard: Shard,
}

/// Find the shards and follow each.
#[derive(Message)]
#[rtype(result = "()")]
struct Begin;

/// Bring the index of dead letters up to what is owed to it.
#[derive(Message)]
#[rtype(result = "()")]
struct SweepLetters;

/// Starts an IndexSync.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = IndexSync::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify(Begin);
        ctx.notify(SweepLetters);
        IndexSync {
            context: inner,
            filling: Arc::default(),
            leases: HashMap::new(),
            state: Arc::default(),
            pause: OUTAGE.0,
            letters: Arc::new(WorkLease::new("sync/letters", LEASE)),
            letters_pause: OUTAGE.0,
            letters_idle: 0,
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
        observe(&*self.state())
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

impl Handler<Follow> for IndexSync {
    type Result = ();

    fn handle(&mut self, Follow { shard }: Follow, ctx: &mut Self::Context) {
        let lease = self.leases.entry(shard).or_insert_with(|| Arc::new(WorkLease::new(format!("sync/{}", shard.0), LEASE))).clone();
        let follower = Follower { context: self.context.clone(), shard, lease, filling: self.filling.clone(), state: self.state.clone() };
        ctx.spawn(async move { follower.follow().await }.into_actor(self).map(move |left, sync, ctx| match left {
            Ok(Left::Anew) => ctx.notify(Follow { shard }),
            Ok(Left::NotOurs) => drop(ctx.notify_later(Follow { shard }, POLL)),
            Ok(Left::Halted) => error!(
                severity = "critical",
                "too many documents were parked within the hour; the index halts until the process is restarted, since a broken mapping is no bad record"
            ),
            Err(error) => {
                let had_gone_on = {
                    let mut state = sync.state();
                    state.outages += 1;
                    std::mem::take(&mut state.goes_on)
                };
                if had_gone_on {
                    sync.pause = OUTAGE.0;
                }
                if let PortError::Search(SearchError::Refused(why)) = &error {
                    sync.tell_refusal(why, ctx);
                }
                let pause = sync.longer_pause();
                // 002-R29: logged with details; an outage counts against no document.
                warn!(%error, pause_ms = pause.as_millis(), "the index is out of step, trying again");
                ctx.notify_later(Follow { shard }, pause);
            }
        }));
    }
}

impl Handler<SweepLetters> for IndexSync {
    type Result = ();

    fn handle(&mut self, _: SweepLetters, ctx: &mut Self::Context) {
        let (context, lease) = (self.context.clone(), self.letters.clone());
        let work = async move {
            if !lease.is_ours(&context).await? {
                return Ok(letter_index::Swept::default());
            }
            letter_index::sweep(&context.ports).await
        };
        ctx.spawn(work.into_actor(self).map(|swept, sync, ctx| {
            let pause = match swept {
                Ok(swept) => {
                    {
                        let mut state = sync.state();
                        state.letters += swept.settled;
                        state.letters_refused = swept.refused;
                    }
                    sync.letters_pause = OUTAGE.0;
                    sync.letters_idle = if swept.settled + swept.waiting > 0 { 0 } else { (sync.letters_idle + 1).min(LETTERS_IDLE_MOST) };
                    sync.context.settings.sweep * 2_u32.pow(sync.letters_idle)
                }
                Err(error) => {
                    sync.state().outages += 1;
                    let pause = sync.letters_pause;
                    sync.letters_pause = (pause * 2).min(OUTAGE.1);
                    // 002-C7: what is owed stays owed, so that nobody who settles a job waits for the index.
                    warn!(%error, pause_ms = pause.as_millis(), "the index of dead letters is out of step, trying again");
                    pause
                }
            };
            ctx.notify_later(SweepLetters, pause);
        }));
    }
}

impl IndexSync {
    fn state(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waiting does not mend a refusal: the feed is kept, and a person is told, once until it is over.
    fn tell_refusal(&mut self, why: &str, ctx: &mut actix::Context<Self>) {
        if std::mem::replace(&mut self.state().refused, true) {
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
