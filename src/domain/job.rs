//! A job (one row of the ledger) and its attempts.

use crate::domain::backoff::RetryDelay;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::message::{MESSAGE_SCHEMA, Message};
use crate::domain::outcome::{Cancelled, Done, Failure, Outcome};
pub use crate::domain::task::{JobKind, Leftovers, ScrapeTask, Task};
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// The row stands, no message was sent yet.
    Created,
    /// A message is on its way.
    Sent,
    /// An attempt runs under a lease.
    Running,
    /// Not before a moment; the sweeper sends it then.
    Parked,
    /// Finished.
    Done,
    /// A dead letter.
    Dead,
    /// Withdrawn.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 7] = [Self::Created, Self::Sent, Self::Running, Self::Parked, Self::Done, Self::Dead, Self::Cancelled];

    /// Whether nothing more happens by itself.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }

    /// The state as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Sent => "SENT",
            Self::Running => "RUNNING",
            Self::Parked => "PARKED",
            Self::Done => "DONE",
            Self::Dead => "DEAD",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Reads a state back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A job to be made, insert-if-absent by its derived id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Derived from session, kind and subject.
    pub id: JobId,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// The step of the pipeline it belongs to.
    pub step: String,
    /// What to do.
    pub task: Task,
    /// The host it will visit; at most two jobs of a host are out at a time.
    pub host: Option<String>,
    /// A retry rule of its own (steps that are one call); else the general limits hold.
    pub retry: Option<StepRetry>,
    /// The generation that its row begins with: that of the job that makes it, so that what a requeued job makes after
    /// the end of its session runs as the job itself does.
    #[serde(default = "first_generation")]
    pub first_generation: u32,
}

/// The generation of what was asked for by no job.
fn first_generation() -> u32 {
    1
}

impl NewJob {
    /// The job of `task` in a step of a session.
    pub fn new(session_id: &SessionId, step: &str, task: Task, host: Option<String>) -> Self {
        let id = JobId::derived_from(session_id, task.kind().as_str(), &task.subject());
        Self { id, session_id: session_id.clone(), step: step.to_owned(), task, host, retry: None, first_generation: 1 }
    }

    /// The same job as an attempt of `generation` makes it.
    #[must_use]
    pub fn made_in(self, generation: u32) -> Self {
        Self { first_generation: generation, ..self }
    }
}

/// Retry of a step that is one call, as in AWS Step Functions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRetry {
    /// Attempts in all.
    pub max_attempts: u32,
    /// Delays between them.
    pub delay: RetryDelay,
}

/// A row of the ledger. The row owns the job; the queue only delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for.
    #[serde(flatten)]
    pub new: NewJob,
    /// Where it stands.
    pub state: JobState,
    /// Raised by each requeue of an operator; the first is [`NewJob::first_generation`].
    pub generation: u32,
    /// Messages sent so far; compare-and-set on it keeps two sweepers from sending both.
    pub sends: u32,
    /// When the sweeper may send again a message that was not started.
    pub next_send_at: Timestamp,
    /// Not to be started before.
    pub not_before: Timestamp,
    /// Its place in its host's line: the smaller first.
    pub line_at: Timestamp,
    /// Starts in this generation.
    pub attempts: u32,
    /// Attempts of this generation that ended in a counted outcome.
    pub counted: u32,
    /// Deaths, overruns and panics of this generation that the living parent saw.
    pub deaths: u32,
    /// Starts of this generation without an outcome: the process died, nobody knows why.
    pub orphans: u32,
    /// The fence of the newest attempt, strictly increasing over all generations.
    pub fence: Timestamp,
    /// Who runs it.
    pub owner: Option<String>,
    /// Until when, unless extended.
    pub lease_until: Timestamp,
    /// How the last ended attempt ended.
    pub outcome: Option<Outcome>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it became terminal.
    pub settled_at: Option<Timestamp>,
    /// Whether an alert is owed for it (rule 19), and since when it has been delivered.
    pub alert: AlertDebt,
}

/// Whether a row owes an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertDebt {
    /// Nothing to tell.
    None,
    /// To be told.
    Owed,
    /// Told at this moment.
    Told(Timestamp),
}

impl Job {
    /// A fresh row of `new`, made at `now`.
    pub fn created(new: NewJob, now: Timestamp) -> Self {
        Self {
            generation: new.first_generation,
            new,
            state: JobState::Created,
            sends: 0,
            next_send_at: now,
            not_before: Timestamp(0),
            line_at: now,
            attempts: 0,
            counted: 0,
            deaths: 0,
            orphans: 0,
            fence: Timestamp(0),
            owner: None,
            lease_until: Timestamp(0),
            outcome: None,
            created_at: now,
            settled_at: None,
            alert: AlertDebt::None,
        }
    }

    /// The id.
    pub fn id(&self) -> &JobId {
        &self.new.id
    }

    /// The kind.
    pub fn kind(&self) -> JobKind {
        self.new.task.kind()
    }

    /// Why it is a dead letter, if it is one.
    pub fn death(&self) -> Option<&Failure> {
        match (&self.state, &self.outcome) {
            (JobState::Dead, Some(Outcome::Dead { reason })) => Some(reason),
            _ => None,
        }
    }

    /// In which way it was done, if it was.
    pub fn done(&self) -> Option<Done> {
        match (&self.state, &self.outcome) {
            (JobState::Done, Some(Outcome::Done { how })) => Some(*how),
            _ => None,
        }
    }

    /// Why it was withdrawn, if it was.
    pub fn cancelled(&self) -> Option<Cancelled> {
        match (&self.state, &self.outcome) {
            (JobState::Cancelled, Some(Outcome::Cancelled { why })) => Some(*why),
            _ => None,
        }
    }

    /// The message that points to the row.
    pub fn message(&self) -> Message {
        Message {
            schema: MESSAGE_SCHEMA,
            kind: self.kind(),
            job_id: self.new.id.clone(),
            generation: self.generation,
            session_id: self.new.session_id.clone(),
        }
    }
}

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It began.
    Started,
    /// It is about to write, or has written, the artist named in the attempt.
    Writing,
}

/// One start of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Of which job.
    pub job_id: JobId,
    /// Of which generation.
    pub generation: u32,
    /// Its number within the generation, from 1.
    pub number: u32,
    /// When it began: the fence of its writes.
    pub fence: Timestamp,
    /// Which process ran it.
    pub owner: String,
    /// Which build that was.
    pub build: String,
    /// How far it got.
    pub stage: Stage,
    /// The artists it was about to write.
    pub artist_ids: Vec<ArtistId>,
    /// When it ended; an attempt without end whose lease ran out is an orphan.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
}

/// What an attempt used of the web.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests sent.
    pub requests: u64,
    /// Bytes received on the wire, headers not counted.
    pub wire_bytes: u64,
    /// Pages that another job of the session had fetched.
    pub cached_pages: u64,
    /// Pages that were asked for and have not changed: a 304 each.
    #[serde(default)]
    pub unmodified_pages: u64,
    /// Pages that were not due, read from what an earlier session kept.
    #[serde(default)]
    pub not_due_pages: u64,
    /// Pages that a browser drew.
    #[serde(default)]
    pub drawn_pages: u64,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            wire_bytes: self.wire_bytes + other.wire_bytes,
            cached_pages: self.cached_pages + other.cached_pages,
            unmodified_pages: self.unmodified_pages + other.unmodified_pages,
            not_due_pages: self.not_due_pages + other.not_due_pages,
            drawn_pages: self.drawn_pages + other.drawn_pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::StudioId;

    /// A child runs as its parent does, and a row of a build without the field begins as ever.
    #[test]
    fn a_row_begins_in_the_generation_it_was_made_in() {
        let task = Task::FindArtists { studio_id: StudioId::new("studio-1") };
        let new = NewJob::new(&SessionId::new("s"), "find", task, None);
        let child = Job::created(new.clone().made_in(3), Timestamp(1));
        assert_eq!(child.generation, 3);
        let stored = serde_json::to_value(&child).unwrap();
        assert_eq!(serde_json::from_value::<Job>(stored.clone()).unwrap(), child);
        let mut older = stored;
        older.as_object_mut().unwrap().remove("first_generation");
        assert_eq!(serde_json::from_value::<Job>(older).unwrap().new.first_generation, 1);
        assert_eq!(Job::created(new, Timestamp(1)).generation, 1);
    }
}
