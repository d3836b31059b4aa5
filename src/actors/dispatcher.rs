//! The Dispatcher: receives messages under permits, begins attempts in the ledger, and settles their outcomes.

use crate::actors::Context;
use crate::actors::messages::{Beat, JobEnded, NotSettled, ObservableState, RunJob};
use crate::actors::registry::{Incarnation, Unreached, observe};
use crate::domain::job::{JobKind, Usage};
use crate::domain::message::Message as JobMessage;
use crate::domain::outcome::{Outcome, WaitFor};
use crate::jobs::courier::{self, Begun, Settling};
use crate::jobs::{PortError, strangers};
use crate::queue::Delivery;
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, ResponseActFuture, WrapFuture};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

/// How long one receive waits for a first message.
const LONG_POLL: Duration = Duration::from_millis(500);
/// Messages taken at once.
const BATCH: usize = 10;
/// Pause after a failed receive.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// A key of the store that is only asked for.
const ASKED: &str = "dispatcher/asks";
/// How long the Scraper may take to accept a job.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Receives and settles.
pub struct Dispatcher {
    context: Context,
    state: DispatcherState,
    _life: Incarnation,
}

/// What the Dispatcher shows of itself.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct DispatcherState {
    /// The last receive went well.
    receiving: bool,
    received: u64,
    begun: u64,
    held: u64,
    terminal: u64,
    not_ours: u64,
    settled: u64,
    not_current: u64,
    failed_receives: u64,
}

/// Receive the next messages.
#[derive(Message)]
#[rtype(result = "()")]
struct Receive;

/// Starts a Dispatcher.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = Dispatcher::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify(Receive);
        Dispatcher { context: inner, state: DispatcherState::default(), _life: life }
    });
    context.registry.dispatcher.set(addr);
}

impl Actor for Dispatcher {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Dispatcher {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        observe(&self.state)
    }
}

/// What became of the messages of one receive.
#[derive(Debug, Default)]
struct Round {
    received: u64,
    begun: u64,
    held: u64,
    terminal: u64,
    not_ours: u64,
    failed: bool,
}

impl Handler<Receive> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Receive, ctx: &mut Self::Context) {
        if *self.context.stopping.borrow() {
            self.state.receiving = false;
            return;
        }
        let (context, ask_first) = (self.context.clone(), !self.state.receiving);
        ctx.spawn(async move { receive(&context, ask_first).await }.into_actor(self).map(|round, dispatcher, ctx| {
            let state = &mut dispatcher.state;
            state.receiving = !round.failed;
            state.received += round.received;
            state.begun += round.begun;
            state.held += round.held;
            state.terminal += round.terminal;
            state.not_ours += round.not_ours;
            state.failed_receives += u64::from(round.failed);
            if round.failed {
                ctx.notify_later(Receive, AFTER_FAILURE);
            } else {
                ctx.notify(Receive);
            }
        }));
    }
}

/// One receive: never more messages than permits, and never without one (prefetch would cost leases). After a failure the store
/// is asked first: what cannot be begun is not received, since it would only be hidden from others and count as delivered.
async fn receive(context: &Context, ask_first: bool) -> Round {
    let mut round = Round::default();
    if ask_first && let Err(error) = context.ports.store.meta(ASKED).await {
        warn!(%error, "nothing is received while the store is out");
        round.failed = true;
        return round;
    }
    let mut stopping = context.stopping.clone();
    let first = tokio::select! {
        permit = context.pool.acquire() => permit,
        _ = stopping.wait_for(|now| *now) => return round,
    };
    let mut permits = vec![first];
    while permits.len() < BATCH
        && let Some(permit) = context.pool.try_acquire()
    {
        permits.push(permit);
    }
    let lease = context.ports.settings.limits.lease;
    let deliveries = match context.ports.queue.receive(permits.len(), lease, LONG_POLL).await {
        Ok(deliveries) => deliveries,
        Err(error) => {
            warn!(%error, "nothing was received");
            round.failed = true;
            return round;
        }
    };
    for delivery in deliveries {
        round.received += 1;
        if let Err(error) = take_in(context, delivery, &mut permits, &mut round).await {
            // The message becomes visible again by itself; nothing was begun and nothing is burnt.
            warn!(%error, "a message could not be begun");
            round.failed = true;
        }
    }
    round
}

async fn take_in(
    context: &Context,
    delivery: Delivery,
    permits: &mut Vec<OwnedSemaphorePermit>,
    round: &mut Round,
) -> Result<(), PortError> {
    let ports = &context.ports;
    let message = match JobMessage::from_bytes(&delivery.body) {
        Ok(message) => message,
        Err(error) => {
            round.not_ours += 1;
            strangers::record(ports, &delivery, &error).await?;
            ports.queue.ack(&delivery.receipt).await?;
            return Ok(());
        }
    };
    match courier::begin(ports, &message).await? {
        Begun::Nothing => {
            round.terminal += 1;
            ports.queue.ack(&delivery.receipt).await?;
        }
        Begun::Later(delay) => {
            round.held += 1;
            ports.queue.release(&delivery.receipt, delay).await?;
        }
        Begun::Run { job, attempt, .. } => {
            round.begun += 1;
            let Some(permit) = permits.pop() else {
                // A queue that delivers more than was asked for.
                let wait = Outcome::Wait { until: ports.clock.now(), why: WaitFor::Dependency };
                courier::settle(ports, &attempt, wait, Usage::default(), &delivery.receipt).await?;
                return Ok(());
            };
            let (kind, settle_attempt, receipt) = (job.kind(), attempt.clone(), delivery.receipt.clone());
            let run = RunJob { job, attempt, receipt: delivery.receipt, permit };
            let handed = match kind {
                JobKind::DiscoverStudios => context.registry.discovery.ask("discovery", run, HAND_OVER).await,
                _ => context.registry.scraper.ask("scraper", run, HAND_OVER).await,
            };
            match handed {
                // After a time-out the job may run: settling it here would be a second opinion.
                Ok(()) | Err(Unreached::NoAnswer(_)) => {}
                Err(error) => {
                    warn!(job.id = %settle_attempt.job_id, %error, "job {} waits for its worker", settle_attempt.job_id);
                    let wait = Outcome::Wait { until: ports.clock.now().plus(AFTER_FAILURE), why: WaitFor::Dependency };
                    courier::settle(ports, &settle_attempt, wait, Usage::default(), &receipt).await?;
                }
            }
        }
    }
    Ok(())
}

impl Handler<JobEnded> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<(), NotSettled>>;

    fn handle(&mut self, message: JobEnded, _ctx: &mut Self::Context) -> Self::Result {
        let (ports, metrics) = (self.context.ports.clone(), self.context.metrics.clone());
        let settle = async move {
            let kind = ports.store.job(&message.attempt.job_id).await.ok().flatten().map(|job| job.kind());
            let settled = courier::settle(&ports, &message.attempt, message.ended.outcome, message.ended.usage, &message.receipt).await;
            if let (Ok(Settling::Settled { outcome }), Some(kind)) = (&settled, kind) {
                metrics.observe_outcome(kind, outcome, Duration::from_millis(message.ran_ms), message.ended.usage);
                tell(&message.attempt.job_id, kind, outcome);
            }
            settled
        };
        Box::pin(settle.into_actor(self).map(|settled, dispatcher, _ctx| match settled {
            Ok(Settling::Settled { .. }) => {
                dispatcher.state.settled += 1;
                Ok(())
            }
            Ok(Settling::NotCurrent) => {
                dispatcher.state.not_current += 1;
                Ok(())
            }
            Err(error) => Err(NotSettled(error.to_string())),
        }))
    }
}

/// One failure, one line, here where it is handled (002-R36, 002-R38).
fn tell(id: &crate::domain::ids::JobId, kind: JobKind, outcome: &Outcome) {
    let kind = kind.as_str();
    match outcome {
        Outcome::Dead { reason } => {
            warn!(job.id = %id, job.kind = kind, category = reason.category.as_str(), code = %reason.code, "job {id} is a dead letter: {}", reason.message);
        }
        Outcome::Retry { reason, .. } => {
            info!(job.id = %id, job.kind = kind, category = reason.category.as_str(), code = %reason.code, "job {id} will be tried again: {}", reason.message);
        }
        Outcome::Done { how } => tracing::debug!(job.id = %id, job.kind = kind, ?how, "job {id} is done"),
        Outcome::Wait { why, .. } => tracing::debug!(job.id = %id, job.kind = kind, ?why, "job {id} waits"),
        Outcome::Cancelled { why } => tracing::debug!(job.id = %id, job.kind = kind, ?why, "job {id} is cancelled"),
    }
}
