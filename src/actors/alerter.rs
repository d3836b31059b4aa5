//! The Alerter: delivers what rows owe (rule 19), and what others hand it, to every sink.

use crate::actors::Context;
use crate::actors::lease::WorkLease;
use crate::actors::messages::{Beat, ObservableState, Raise};
use crate::actors::registry::{Incarnation, observe};
use crate::alert::{Alert, AlertKind, Severity, Sink};
use crate::domain::job::{AlertDebt, Job};
use crate::domain::session::{Session, SessionState};
use crate::jobs::{PortError, Ports, letter_index};
use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// How long one of several processes tells what rows owe.
const LEASE: Duration = Duration::from_secs(2);

/// Rows told in one round.
const ROUND: usize = 50;
/// Handed alerts kept while sinks fail; the oldest goes first and is counted.
const KEPT: usize = 256;

/// Tells alerts.
pub struct Alerter {
    context: Context,
    handed: VecDeque<Alert>,
    lease: Arc<WorkLease>,
    state: AlerterState,
    _life: Incarnation,
}

/// What the Alerter shows of itself.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct AlerterState {
    told: u64,
    failed: u64,
    dropped: u64,
    waiting: usize,
}

/// Tell what is owed.
#[derive(Message)]
#[rtype(result = "()")]
struct Tell;

/// Starts an Alerter.
pub fn spawn(context: &Context, life: Incarnation, mailbox: usize) {
    let inner = context.clone();
    let addr = Alerter::create(move |ctx| {
        ctx.set_mailbox_capacity(mailbox);
        life.begin(&ctx.address());
        ctx.notify(Tell);
        let lease = Arc::new(WorkLease::new("alerts", LEASE.max(inner.settings.alerts * 3)));
        Alerter { context: inner, handed: VecDeque::new(), lease, state: AlerterState::default(), _life: life }
    });
    context.registry.alerter.set(addr);
}

impl Actor for Alerter {
    type Context = actix::Context<Self>;
}

impl Handler<Beat> for Alerter {
    type Result = ObservableState;

    fn handle(&mut self, _: Beat, _ctx: &mut Self::Context) -> ObservableState {
        self.state.waiting = self.handed.len();
        observe(&self.state)
    }
}

impl Handler<Raise> for Alerter {
    type Result = ();

    fn handle(&mut self, Raise(alert): Raise, _ctx: &mut Self::Context) {
        // Alerts of one cause are one alert.
        if self.handed.iter().any(|other| other.kind == alert.kind && other.subject == alert.subject) {
            return;
        }
        if self.handed.len() >= KEPT {
            self.handed.pop_front();
            self.state.dropped += 1;
        }
        self.handed.push_back(alert);
    }
}

impl Handler<Tell> for Alerter {
    type Result = ();

    fn handle(&mut self, _: Tell, ctx: &mut Self::Context) {
        let (context, lease) = (self.context.clone(), self.lease.clone());
        let handed: Vec<Alert> = self.handed.drain(..).collect();
        let work = async move {
            // What rows owe is told by one process; whoever cannot ask for the lease tells, since twice is better than never.
            let tells_owed = lease.is_ours(&context).await.unwrap_or(true);
            tell_round(&context.ports, &context.sinks, handed, tells_owed).await
        };
        ctx.spawn(work.into_actor(self).map(|(told, failed, left), alerter, ctx| {
            alerter.state.told += told;
            alerter.state.failed += failed;
            alerter.handed.extend(left);
            ctx.notify_later(Tell, alerter.context.settings.alerts);
        }));
    }
}

/// Tells handed alerts and owed ones. Answers how many were told, how many failed, and the handed ones left.
async fn tell_round(ports: &Ports, sinks: &[Arc<dyn Sink>], handed: Vec<Alert>, tells_owed: bool) -> (u64, u64, Vec<Alert>) {
    let (mut told, mut failed, mut left) = (0, 0, Vec::new());
    for alert in handed {
        if deliver(sinks, &alert).await {
            told += 1;
        } else {
            failed += 1;
            left.push(alert);
        }
    }
    if !tells_owed {
        return (told, failed, left);
    }
    match tell_owed(ports, sinks).await {
        Ok((owed_told, owed_failed)) => {
            told += owed_told;
            failed += owed_failed;
        }
        Err(error) => {
            failed += 1;
            warn!(%error, "owed alerts are looked for again later");
        }
    }
    (told, failed, left)
}

async fn deliver(sinks: &[Arc<dyn Sink>], alert: &Alert) -> bool {
    let mut taken = true;
    for sink in sinks {
        if let Err(error) = sink.deliver(alert).await {
            warn!(%error, "alert {} stays owed", alert.kind.as_str());
            taken = false;
        }
    }
    taken
}

async fn tell_owed(ports: &Ports, sinks: &[Arc<dyn Sink>]) -> Result<(u64, u64), PortError> {
    let (mut told, mut failed) = (0, 0);
    for job in ports.store.jobs_owing_alert(ROUND).await? {
        if !deliver(sinks, &job_alert(ports, &job)).await {
            failed += 1;
            continue;
        }
        let paid = Job { alert: AlertDebt::Told(ports.clock.now()), ..job.clone() };
        // A row that moved on meanwhile still owes and is told again: twice, never not at all.
        letter_index::put_job(ports, &job, &paid, None).await?;
        told += 1;
    }
    for session in ports.store.sessions_owing_alert(ROUND).await? {
        if !deliver(sinks, &session_alert(ports, &session)).await {
            failed += 1;
            continue;
        }
        let paid = Session { alert: AlertDebt::Told(ports.clock.now()), epoch: session.epoch + 1, ..session.clone() };
        ports.store.put_session(session.epoch, &paid).await?;
        told += 1;
    }
    Ok((told, failed))
}

fn job_alert(ports: &Ports, job: &Job) -> Alert {
    let id = job.id();
    let (kind, severity, text) = match job.death() {
        Some(reason) => {
            let text = format!(
                "{} job {id} is a dead letter ({}): {}. Look at `inkdex dead-letters show {id}`, then requeue or discard it",
                job.kind().as_str(),
                reason.code,
                reason.message
            );
            (AlertKind::DeadLetter, Severity::Warning, text)
        }
        None => {
            let text =
                format!("{} job {id} was started {} times without an outcome; does it kill the process?", job.kind().as_str(), job.orphans);
            (AlertKind::OrphanedJob, Severity::Critical, text)
        }
    };
    Alert { kind, severity, text, subject: id.to_string(), at: ports.clock.now() }
}

fn session_alert(ports: &Ports, session: &Session) -> Alert {
    let id = &session.id;
    let (kind, severity, text) = if session.state == SessionState::Failed {
        let why = session.failure.as_deref().unwrap_or("unknown");
        let text = format!("session {id} failed: {why}. Look at `inkdex sessions show {id}`");
        (AlertKind::SessionFailed, Severity::Critical, text)
    } else {
        let text = format!(
            "the absences of session {id} are held back by the run gate. `inkdex sessions show {id}` says why; \
             `inkdex sessions accept {id}` applies them, and the next night replaces them"
        );
        (AlertKind::AbsencesHeld, Severity::Warning, text)
    };
    Alert { kind, severity, text, subject: id.to_string(), at: ports.clock.now() }
}
