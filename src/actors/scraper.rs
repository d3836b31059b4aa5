//! The Scraper: spawns jobs as tasks on the multi-thread runtime, each with its escort, and sizes the pool by queue depth.

use crate::actors::Context;
use crate::actors::escort;
use crate::actors::messages::{Beat, ObservableState, RunJob};
use crate::actors::registry::{Incarnation, observe};
use crate::store::{Depth, StoreResult};
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use serde::Serialize;
use tracing::{debug, warn};

/// Runs jobs.
pub struct Scraper {
    context: Context,
    state: ScraperState,
    _life: Incarnation,
}

/// What the Scraper shows of itself.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct ScraperState {
    size: usize,
    busy: usize,
    largest: usize,
    grown: u64,
    shrunk: u64,
    started: u64,
}

/// Look at the pool's size.
#[derive(Message)]
#[rtype(result = "()")]
struct Resize;

/// Starts a Scraper.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = Scraper::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify_later(Resize, inner.settings.resize);
        Scraper { context: inner, state: ScraperState::default(), _life: life }
    });
    context.registry.scraper.set(addr);
}

impl Actor for Scraper {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Scraper {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        self.state.size = self.context.pool.size();
        self.state.busy = self.context.pool.busy();
        observe(&self.state)
    }
}

impl Handler<RunJob> for Scraper {
    type Result = ();

    fn handle(&mut self, run: RunJob, _ctx: &mut Self::Context) {
        self.state.started += 1;
        escort::send_off(&self.context, run);
    }
}

impl Handler<Resize> for Scraper {
    type Result = ();

    fn handle(&mut self, _: Resize, ctx: &mut Self::Context) {
        let ports = self.context.ports.clone();
        let look = async move { ports.store.depth(ports.clock.now()).await };
        ctx.spawn(look.into_actor(self).map(|depth, scraper, ctx| {
            scraper.resize(depth);
            ctx.notify_later(Resize, scraper.context.settings.resize);
        }));
    }
}

impl Scraper {
    fn resize(&mut self, depth: StoreResult<Depth>) {
        match depth {
            Ok(depth) => {
                let pool = &self.context.pool;
                let (old, new) = (pool.size(), pool.wanted(depth.due + depth.running, self.context.settings.jobs_per_worker));
                pool.resize(new);
                self.state.grown += u64::from(new > old);
                self.state.shrunk += u64::from(new < old);
                self.state.largest = self.state.largest.max(new);
                if new != old {
                    debug!(workers = new, due = depth.due, "the pool of workers is {new}");
                }
                self.context.metrics.observe_depth(&depth, self.context.ports.clock.now());
                self.context.metrics.observe_pool(new, pool.busy());
                self.context.metrics.observe_browsers(&self.context.ports.visitor.draw_counts());
            }
            Err(error) => warn!(%error, "the depth of the queue is unknown, the pool stays as it is"),
        }
    }
}
