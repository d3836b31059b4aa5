//! Messages that cross actors; private ones stand beside their handlers.

use crate::alert::Alert;
use crate::domain::ids::SessionId;
use crate::domain::job::{Attempt, Job};
use crate::domain::session::Trigger;
use crate::jobs::control::Survey;
use crate::jobs::write_artist::{WriteArtist, WriteError, Written};
use crate::jobs::{Ended, PortError};
use crate::queue::Receipt;
use actix::Message;
use serde::Serialize;
use std::fmt;
use tokio::sync::OwnedSemaphorePermit;

/// Asks an actor for its state; the answer is its heartbeat.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "ObservableState")]
pub struct Beat;

/// An actor's state as JSON: counters and sizes, never bodies.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ObservableState(pub serde_json::Value);

impl<A, M> actix::dev::MessageResponse<A, M> for ObservableState
where
    A: actix::Actor,
    M: Message<Result = ObservableState>,
{
    fn handle(self, _ctx: &mut A::Context, sender: Option<actix::dev::OneshotSender<Self>>) {
        if let Some(sender) = sender {
            // Whoever asked may have given up waiting.
            let _gone = sender.send(self);
        }
    }
}

/// Runs a job whose attempt has begun. The permit travels with the work and bounds how much of it there is.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RunJob {
    /// The row.
    pub job: Box<Job>,
    /// The attempt.
    pub attempt: Box<Attempt>,
    /// The delivery to ack or release at the end.
    pub receipt: Receipt,
    /// The right to run.
    pub permit: OwnedSemaphorePermit,
}

impl fmt::Debug for RunJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunJob").field("job_id", &self.job.new.id.as_str()).field("attempt", &self.attempt.number).finish_non_exhaustive()
    }
}

/// An attempt has ended; to be settled. Answers once its outcome stands.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), NotSettled>")]
pub struct JobEnded {
    /// The attempt.
    pub attempt: Box<Attempt>,
    /// How it ended.
    pub ended: Ended,
    /// The delivery.
    pub receipt: Receipt,
    /// How long it ran, milliseconds.
    pub ran_ms: u64,
}

/// The outcome could not be recorded; say it again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the outcome was not recorded: {0}")]
pub struct NotSettled(pub String);

/// Writes an artist; answers after the write is confirmed.
#[derive(Debug, Message)]
#[rtype(result = "Result<Written, WriteError>")]
pub struct Write(pub WriteArtist);

/// Tells an alert that no row owes.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Raise(pub Alert);

/// Starts a session of the pipeline now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<SessionId, PortError>")]
pub struct StartSession {
    /// How it comes to be.
    pub trigger: Trigger,
}

/// Asks the Guardian for the state of every child.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Survey")]
pub struct TakeSurvey;
