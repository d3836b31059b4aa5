//! Discovery: runs the jobs that ask studio sources, apart from the Scraper so that a slow source holds no worker's place.

use crate::actors::Context;
use crate::actors::escort;
use crate::actors::messages::{Beat, ObservableState, RunJob};
use crate::actors::registry::{Incarnation, observe};
use actix::{Actor, AsyncContext, Handler};
use serde::Serialize;

/// Runs discovery.
pub struct Discovery {
    context: Context,
    state: DiscoveryState,
    _life: Incarnation,
}

/// What Discovery shows of itself.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct DiscoveryState {
    sources: usize,
    started: u64,
}

/// Starts Discovery.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = Discovery::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        let state = DiscoveryState { sources: inner.ports.sources.len(), started: 0 };
        Discovery { context: inner, state, _life: life }
    });
    context.registry.discovery.set(addr);
}

impl Actor for Discovery {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Discovery {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        observe(&self.state)
    }
}

impl Handler<RunJob> for Discovery {
    type Result = ();

    fn handle(&mut self, run: RunJob, _ctx: &mut Self::Context) {
        self.state.started += 1;
        escort::send_off(&self.context, run);
    }
}
