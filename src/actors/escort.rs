//! The escort of a running job: a task that joins the job's body, keeps its lease alive while it makes progress, and hands
//! the outcome to the Dispatcher. It outlives every actor, so that a restarted actor never makes an innocent job a suspect.

use crate::actors::Context;
use crate::actors::desk::ActorDesk;
use crate::actors::messages::{JobEnded, RunJob};
use crate::domain::outcome::{Category, Failure, Outcome, WaitFor};
use crate::jobs::{self, Ended, Progress, Running, courier};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, warn};

/// How long the Dispatcher may take to record one outcome before it is asked again.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// Runs a job's body on the jobs' runtime, watched.
pub fn send_off(context: &Context, run: RunJob) {
    let context = context.clone();
    context.jobs.clone().spawn(async move { escort(context, run).await });
}

async fn escort(context: Context, run: RunJob) {
    let RunJob { job, attempt, receipt, permit } = run;
    let _working = context.pool.work();
    let started = context.ports.clock.monotonic();
    let running = Running { job: *job, attempt: (*attempt).clone(), progress: Progress::default() };
    let progress = running.progress.clone();
    let (ports, desk) = (context.ports.clone(), ActorDesk::new(context.registry.clone()));
    let mut body = tokio::spawn(async move { jobs::run(&ports, &desk, &running).await });

    let mut giving_up = context.pool.giving_up();
    let mut seen = (progress.steps(), started);
    let ended = loop {
        let due = tokio::select! {
            joined = &mut body => Due::Joined(Box::new(joined.unwrap_or_else(|error| panicked(error).into()))),
            () = told(&mut giving_up) => Due::GiveUp,
            () = tokio::time::sleep(context.settings.extend_lease) => Due::Lease,
        };
        match due {
            Due::Joined(ended) => break *ended,
            Due::GiveUp => {
                body.abort();
                break Outcome::Wait { until: context.ports.clock.now(), why: WaitFor::Stop }.into();
            }
            Due::Lease => {
                let now = context.ports.clock.monotonic();
                if progress.steps() != seen.0 {
                    seen = (progress.steps(), now);
                }
                if now.saturating_sub(seen.1) > context.settings.stall {
                    // A hung job must lose its lease; this parent lives and saw it, so it counts.
                    body.abort();
                    let message = format!("no progress for {} ms", context.settings.stall.as_millis());
                    break Outcome::Retry { after: None, reason: Failure::new(Category::Poison, "stalled", "run", message) }.into();
                }
                let extended = courier::extend(&context.ports, &attempt).await;
                if matches!(extended, Ok(false)) {
                    warn!(job.id = %attempt.job_id, "job {} lost its lease, the attempt is given up", attempt.job_id);
                    body.abort();
                    return;
                }
                let lease = context.ports.settings.limits.lease;
                if let Err(error) = context.ports.queue.extend(&receipt, lease).await {
                    warn!(job.id = %attempt.job_id, %error, "the message of job {} was not kept invisible; its copies are harmless", attempt.job_id);
                }
            }
        }
    };
    let ran = context.ports.clock.monotonic().saturating_sub(started);
    let message = JobEnded { attempt, ended, receipt, ran_ms: u64::try_from(ran.as_millis()).unwrap_or(u64::MAX) };
    hand_over(&context, message).await;
    drop(permit);
}

/// What the escort has to do next.
enum Due {
    /// The body ended.
    Joined(Box<Ended>),
    /// The process stops and will not wait longer.
    GiveUp,
    /// The lease is to be extended.
    Lease,
}

/// Waits until the flag is set; never, if nobody can set it any more.
async fn told(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|set| *set).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Hands the outcome to the Dispatcher until it answers that it stands, or the lease is lost.
async fn hand_over(context: &Context, message: JobEnded) {
    let mut pause = Duration::from_millis(20);
    loop {
        let asked = context.registry.dispatcher.ask("dispatcher", message.clone(), SETTLE_WITHIN).await;
        match asked {
            Ok(Ok(())) => return,
            Ok(Err(error)) => warn!(job.id = %message.attempt.job_id, %error, "outcome of job {} is told again", message.attempt.job_id),
            // The Guardian restarts it; meanwhile the outcome waits here.
            Err(error) => warn!(job.id = %message.attempt.job_id, %error, "outcome of job {} waits", message.attempt.job_id),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
        if matches!(courier::extend(&context.ports, &message.attempt).await, Ok(false)) {
            return;
        }
    }
}

/// The join error is the isolation of a panic: that job's failure, and nobody else's (rule 12).
fn panicked(error: tokio::task::JoinError) -> Outcome {
    let text = if error.is_panic() {
        let payload = error.into_panic();
        let text = payload.downcast_ref::<&str>().map(ToString::to_string).or_else(|| payload.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    } else {
        "the job was cancelled".to_owned()
    };
    error!("a job panicked: {text}");
    Outcome::Retry { after: None, reason: Failure::new(Category::Bug, "panic", "run", text) }
}
