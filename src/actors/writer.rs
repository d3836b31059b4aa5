//! The Writer: validation, identity and the order of writes, one function for each request (`jobs::write_artist`).

use crate::actors::Context;
use crate::actors::messages::{Beat, ObservableState, Write};
use crate::actors::registry::{Incarnation, observe};
use crate::jobs::Ports;
use crate::jobs::write_artist::{WriteError, Written, write_artist};
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, ResponseActFuture, WrapFuture};
use futures_util::FutureExt;
use serde::Serialize;
use std::panic::AssertUnwindSafe;

/// Writes artists.
pub struct Writer {
    ports: Ports,
    state: WriterState,
    _life: Incarnation,
}

/// What the Writer shows of itself.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct WriterState {
    in_work: u64,
    written: u64,
    unchanged: u64,
    refused: u64,
    panics: u64,
}

/// Starts a Writer.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let ports = context.ports.clone();
    let addr = Writer::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        Writer { ports, state: WriterState::default(), _life: life }
    });
    context.registry.writer.set(addr);
}

impl Actor for Writer {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Writer {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        observe(&self.state)
    }
}

impl Handler<Write> for Writer {
    type Result = ResponseActFuture<Self, Result<Written, WriteError>>;

    fn handle(&mut self, Write(request): Write, _ctx: &mut Self::Context) -> Self::Result {
        crate::faults::hit(crate::faults::Point::Writer, request.job_id.as_str());
        self.state.in_work += 1;
        let ports = self.ports.clone();
        // A panic in one write is that job's failure; the others of the mailbox go on.
        let write = AssertUnwindSafe(async move { write_artist(&ports, &request).await }).catch_unwind();
        Box::pin(write.into_actor(self).map(|caught, writer, _ctx| {
            writer.state.in_work -= 1;
            let answer = caught.unwrap_or_else(|_| Err(WriteError::Unanswered("the write panicked".to_owned())));
            match &answer {
                Ok(Written::New(_) | Written::Changed(_)) => writer.state.written += 1,
                Ok(_) => writer.state.unchanged += 1,
                Err(WriteError::Unanswered(_)) => writer.state.panics += 1,
                Err(_) => writer.state.refused += 1,
            }
            answer
        }))
    }
}
