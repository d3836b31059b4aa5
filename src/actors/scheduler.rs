//! The Scheduler: fires the cron, moves sessions on, and sweeps the ledger for jobs that are due, lost or parked.

use crate::actors::Context;
use crate::actors::lease::WorkLease;
use crate::actors::messages::{Beat, ObservableState, StartSession};
use crate::actors::registry::{Incarnation, observe};
use crate::domain::clock::Timestamp;
use crate::domain::cron::Schedule;
use crate::domain::ids::SessionId;
use crate::domain::session::Trigger;
use crate::jobs::sessions::{self, DueNow, Pipeline};
use crate::jobs::{PortError, Ports, courier, housekeeping, removal_requests};
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, ResponseActFuture, WrapFuture};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long one of several schedulers has the schedule and the sweep for itself.
const LEASE: Duration = Duration::from_secs(2);

/// Jobs sent by one sweep at most.
const SWEEP: usize = 500;

/// How often messages are taken back that the queue's service put aside.
const TAKE_BACK_EVERY: Duration = Duration::from_secs(30);

/// How often requests are looked at that a crash or an outage left approved and not done: well within the minute that is promised.
const DRIVE_EVERY: Duration = Duration::from_secs(5);

/// How soon after the start, and how often, what is past its time is dropped.
const TIDY_FIRST: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(3_600);

/// Meta key of the newest moment of the schedule that was handled: started, or skipped and said so.
fn handled_key(pipeline: &str) -> String {
    format!("schedule.handled.{pipeline}")
}

/// Fires, moves on, sweeps.
pub struct Scheduler {
    context: Context,
    started: Timestamp,
    state: SchedulerState,
    lease: Arc<WorkLease>,
    _life: Incarnation,
}

/// What the Scheduler shows of itself.
#[derive(Debug, Clone, Default, Serialize)]
struct SchedulerState {
    open_sessions: usize,
    sessions_started: u64,
    skipped: u64,
    sent: u64,
    taken_back: u64,
    requests_driven: u64,
    failures: u64,
    next_run: Option<String>,
}

/// Look at the schedule and the open sessions.
#[derive(Message)]
#[rtype(result = "()")]
struct Tick;

/// Look for jobs to send.
#[derive(Message)]
#[rtype(result = "()")]
struct Sweep;

/// Take back what the queue's service put aside.
#[derive(Message)]
#[rtype(result = "()")]
struct TakeBack;

/// Go on with what people asked for: removals that were approved, and requests whose time is over.
#[derive(Message)]
#[rtype(result = "()")]
struct DriveRequests;

/// Drop what is past its time.
#[derive(Message)]
#[rtype(result = "()")]
struct Tidy;

/// Starts a Scheduler.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = Scheduler::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify(Tick);
        ctx.notify(Sweep);
        ctx.notify(TakeBack);
        ctx.notify(DriveRequests);
        ctx.notify_later(Tidy, TIDY_FIRST);
        let started = inner.ports.clock.now();
        let lease = Arc::new(WorkLease::new("schedule", LEASE.max(inner.settings.tick * 3)));
        Scheduler { context: inner, started, state: SchedulerState::default(), lease, _life: life }
    });
    context.registry.scheduler.set(addr);
}

impl Actor for Scheduler {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Scheduler {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        observe(&self.state)
    }
}

/// What a tick did.
#[derive(Debug, Default)]
struct Ticked {
    open: usize,
    started: bool,
    skipped: bool,
    failures: u64,
    next_run: Option<String>,
}

impl Handler<Tick> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        let (context, lease) = (self.context.clone(), self.lease.clone());
        let started = self.started;
        let work = async move {
            if *context.stopping.borrow() || !lease.is_ours(&context).await? {
                return Ok(Ticked::default());
            }
            tick(&context, started).await
        };
        ctx.spawn(work.into_actor(self).map(|ticked, scheduler, ctx| {
            match ticked {
                Ok(ticked) => {
                    scheduler.state.open_sessions = ticked.open;
                    scheduler.state.sessions_started += u64::from(ticked.started);
                    scheduler.state.skipped += u64::from(ticked.skipped);
                    scheduler.state.failures += ticked.failures;
                    scheduler.state.next_run = ticked.next_run;
                }
                Err(error) => {
                    scheduler.state.failures += 1;
                    warn!(%error, "schedule and sessions are looked at again later");
                }
            }
            ctx.notify_later(Tick, scheduler.context.settings.tick);
        }));
    }
}

async fn tick(context: &Context, started: Timestamp) -> Result<Ticked, PortError> {
    let ports = &context.ports;
    let mut ticked = Ticked::default();
    if context.settings.scheduled
        && let Some(schedule) = context.pipeline.schedule.as_deref().and_then(|text| Schedule::parse(text).ok())
    {
        ticked.next_run = schedule.next_after(ports.clock.now()).map(Timestamp::rfc3339);
        fire(ports, &context.pipeline, &schedule, context.settings.catch_up, started, &mut ticked).await?;
    }
    for session in ports.store.open_sessions().await? {
        // What one session fails on holds no other one up.
        let moved = match sessions::move_on(ports, &session.id).await {
            Ok(moved) => moved,
            Err(error) => {
                warn!(session.id = %session.id, %error, "session {} is moved on later", session.id);
                ticked.failures += 1;
                ticked.open += 1;
                continue;
            }
        };
        if let Some(moved) = &moved {
            context.metrics.observe_steps(&session, moved);
        }
        if moved.is_some_and(|session| !session.state.is_terminal()) {
            ticked.open += 1;
        }
    }
    Ok(ticked)
}

async fn fire(
    ports: &Ports,
    pipeline: &Pipeline,
    schedule: &Schedule,
    catch_up: bool,
    started: Timestamp,
    ticked: &mut Ticked,
) -> Result<(), PortError> {
    let key = handled_key(&pipeline.name);
    let stored = ports.store.meta(&key).await?;
    let now = ports.clock.now();
    let Some(handled) = stored.as_deref().and_then(|text| text.parse().ok()).map(Timestamp) else {
        // The first start: nothing was missed before it.
        ports.store.put_meta(&key, None, &now.0.to_string()).await?;
        return Ok(());
    };
    let open = ports.store.open_sessions().await?.iter().any(|session| session.pipeline == pipeline.name);
    let moment = match sessions::due_now(schedule, handled, open, catch_up, started, now) {
        DueNow::Nothing => return Ok(()),
        DueNow::Skip(moment) => {
            warn!(pipeline = %pipeline.name, "the run of {moment} is skipped: a session of {} still runs", pipeline.name);
            ticked.skipped = true;
            moment
        }
        DueNow::Start(moment) => {
            // The session stands before the moment counts as handled: a crash in between finds its key taken.
            let (id, new) = sessions::start(ports, pipeline, moment, Trigger::Scheduled).await?;
            info!(session.id = %id, new, "the run of {moment} is session {id}");
            ticked.started = new;
            moment
        }
    };
    ports.store.put_meta(&key, stored.as_deref(), &moment.0.to_string()).await?;
    Ok(())
}

impl Handler<Sweep> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Sweep, ctx: &mut Self::Context) {
        let (context, lease) = (self.context.clone(), self.lease.clone());
        let work = async move {
            if *context.stopping.borrow() || !lease.is_ours(&context).await? {
                return Ok(0);
            }
            courier::sweep(&context.ports, SWEEP).await
        };
        ctx.spawn(work.into_actor(self).map(|sent, scheduler, ctx| {
            match sent {
                Ok(sent) => scheduler.state.sent += sent as u64,
                Err(error) => {
                    scheduler.state.failures += 1;
                    warn!(%error, "the ledger is swept again later");
                }
            }
            ctx.notify_later(Sweep, scheduler.context.settings.sweep);
        }));
    }
}

impl Handler<TakeBack> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: TakeBack, ctx: &mut Self::Context) {
        let context = self.context.clone();
        let work = async move {
            if *context.stopping.borrow() {
                return Ok(0);
            }
            courier::take_back(&context.ports).await
        };
        ctx.spawn(work.into_actor(self).map(|taken, scheduler, ctx| {
            match taken {
                Ok(taken) => scheduler.state.taken_back += taken as u64,
                Err(error) => {
                    scheduler.state.failures += 1;
                    warn!(%error, "messages that the queue's service put aside are taken back later");
                }
            }
            ctx.notify_later(TakeBack, TAKE_BACK_EVERY);
        }));
    }
}

impl Handler<DriveRequests> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: DriveRequests, ctx: &mut Self::Context) {
        let (context, lease) = (self.context.clone(), self.lease.clone());
        let work = async move {
            if *context.stopping.borrow() || !lease.is_ours(&context).await? {
                return Ok(0);
            }
            removal_requests::drive_open(&context.ports).await
        };
        ctx.spawn(work.into_actor(self).map(|driven, scheduler, ctx| {
            match driven {
                Ok(driven) => scheduler.state.requests_driven += driven as u64,
                Err(error) => {
                    scheduler.state.failures += 1;
                    warn!(%error, "what people asked for is looked at again later");
                }
            }
            ctx.notify_later(DriveRequests, DRIVE_EVERY);
        }));
    }
}

impl Handler<Tidy> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Tidy, ctx: &mut Self::Context) {
        let context = self.context.clone();
        let work = async move { housekeeping::tidy(&context.ports, &context.settings.kept).await };
        ctx.spawn(work.into_actor(self).map(|tidied, scheduler, ctx| {
            if let Err(error) = tidied {
                scheduler.state.failures += 1;
                warn!(%error, "what is past its time is dropped later");
            }
            ctx.notify_later(Tidy, TIDY_EVERY);
        }));
    }
}

impl Handler<StartSession> for Scheduler {
    type Result = ResponseActFuture<Self, Result<SessionId, PortError>>;

    fn handle(&mut self, StartSession { trigger }: StartSession, _ctx: &mut Self::Context) -> Self::Result {
        let context = self.context.clone();
        let start = async move {
            let now = context.ports.clock.now();
            let (id, _) = sessions::start(&context.ports, &context.pipeline, now, trigger).await?;
            sessions::move_on(&context.ports, &id).await?;
            Ok(id)
        };
        Box::pin(start.into_actor(self).map(|started: Result<SessionId, PortError>, scheduler, _ctx| {
            scheduler.state.sessions_started += u64::from(started.is_ok());
            started
        }))
    }
}
