//! The store port for the ledger: the table of all jobs and their attempts.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{AlertDebt, Attempt, Job, JobState, NewJob};
use crate::domain::session::StepCounts;
use crate::store::StoreResult;
use async_trait::async_trait;
use std::time::Duration;

/// Answer to a compare-and-set of a job's row.
#[derive(Debug, Clone, PartialEq)]
pub enum JobPut {
    /// The row stands.
    Committed,
    /// Another row stands (or none): decide again from it.
    Conflict(Option<Box<Job>>),
}

/// How much waits, exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Jobs that are not terminal.
    pub open: u64,
    /// Of these, jobs that an attempt could begin now (rule 2): not in work, and `not_before` is past.
    pub due: u64,
    /// Of these, jobs in work.
    pub running: u64,
    /// When the oldest open job was made.
    pub oldest: Option<Timestamp>,
}

impl Depth {
    /// How long the oldest open job has been waiting.
    pub fn oldest_age(&self, now: Timestamp) -> Duration {
        self.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }
}

/// Which dead letters are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterQuery {
    /// Of this session only.
    pub session: Option<SessionId>,
    /// Of this category only, as stored.
    pub category: Option<String>,
    /// Letters at most.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<(Timestamp, JobId)>,
}

/// A page of jobs, newest settled first.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the page ended; `None` at the end.
    pub next: Option<(Timestamp, JobId)>,
}

/// Whether a session's dead letters go with its other jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// A session with dead letters is kept whole.
    Kept,
    /// They go as well.
    Dropped,
}

impl Letters {
    /// Whether a job may be dropped: it is over, owes nothing, and is no letter that is kept.
    pub(crate) fn allow(self, job: &Job) -> bool {
        job.state.is_terminal() && job.alert != AlertDebt::Owed && (self == Self::Dropped || job.state != JobState::Dead)
    }
}

/// The ledger. What becomes of a row is decided in `domain::ledger`; here it is stored.
///
/// One row that cannot be read stops one job and no more: asked for by its id it is `Corrupt`; lists leave it out, say so
/// in the log, and whoever may write takes it out of lines, depth and counts, as if it had been withdrawn.
#[async_trait]
pub trait Ledger {
    /// Inserts jobs that are absent (002-R10: one for each artist). Answers, by position, whether each is new.
    /// A new row is `Job::created`: of the generation that the job was made in.
    /// A crash in between leaves some of them; whoever repeats the call makes the rest.
    async fn create_jobs(&self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Vec<bool>>;

    /// The row of a job, read serially.
    async fn job(&self, id: &JobId) -> StoreResult<Option<Job>>;

    /// Puts `new` if `old` still stands as it was read, together with the attempt it starts, changes or ends.
    /// The attempt's row stands before the job's row does, so that a start is durable before anything is touched.
    /// Artists that the stored attempt staged stay staged, whatever the caller's copy says.
    async fn put_job(&self, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut>;

    /// The attempts of a job, oldest first, of all generations. A start that lost its race may be among them, without
    /// outcome and with nothing staged; it is told apart by owner and fence.
    async fn attempts(&self, id: &JobId) -> StoreResult<Vec<Attempt>>;

    /// Records, in the running attempt's row, the artist it is about to write. Repeating it is harmless.
    async fn stage_writing(&self, attempt: &Attempt, artist_id: &ArtistId) -> StoreResult<()>;

    /// Jobs that a message should be sent for: due (see `domain::ledger::is_due`), oldest in line first, and of each host
    /// only as many as keep it within `max_per_host` jobs SENT or RUNNING. A job that is out already may be sent again
    /// whatever their number: that leaves the number as it is. Jobs without a host have no limit.
    async fn due_jobs(&self, now: Timestamp, max_per_host: usize, limit: usize) -> StoreResult<Vec<Job>>;

    /// The jobs of one host that may be sent now: what settling one of its jobs sends next.
    async fn due_jobs_of_host(&self, host: &str, now: Timestamp, max_per_host: usize) -> StoreResult<Vec<Job>>;

    /// Jobs by step and state.
    async fn step_counts(&self, session: &SessionId) -> StoreResult<StepCounts>;

    /// Jobs of a session in a state, at most `limit`, in the order of their ids after `after`.
    async fn jobs_in(&self, session: &SessionId, state: Option<JobState>, after: Option<&JobId>, limit: usize) -> StoreResult<Vec<Job>>;

    /// Exact depth, over all sessions.
    async fn depth(&self, now: Timestamp) -> StoreResult<Depth>;

    /// Dead letters, newest first (002-C7).
    async fn dead_letters(&self, query: &DeadLetterQuery) -> StoreResult<LedgerPage>;

    /// Jobs that owe an alert (rule 19).
    async fn jobs_owing_alert(&self, limit: usize) -> StoreResult<Vec<Job>>;

    /// Jobs about an artist, removals left out: those that wrote the artist, and those whose task names it by a key that
    /// the identity table holds for the artist, in whatever state they are: also one that was done without a write, or
    /// was withdrawn, says who somebody is. What removal withdraws and blanks. A row put with another task is found by the
    /// keys of that task only.
    async fn jobs_about(&self, id: &ArtistId) -> StoreResult<Vec<Job>>;

    /// Drops the jobs of a session that is over, with their attempts and whatever lists them, unless one of them is open or owes
    /// an alert, or is a dead letter and `letters` says that those are kept. Answers whether nothing of them is left.
    /// A crash in between leaves some of them; whoever repeats the call drops the rest. A message that points to a dropped job
    /// finds no row, as one of a job that is over; who would make the same job again makes it anew, so that nobody may make
    /// jobs in the session any more.
    async fn drop_jobs(&self, session: &SessionId, letters: Letters) -> StoreResult<bool>;

    /// Ends the leases of all owners but `owner`, who holds the database alone and so knows them dead.
    /// Their named leases end as well. Answers how many jobs there were; 0 where nobody can hold the database alone.
    async fn release_leases_of_others(&self, owner: &str, now: Timestamp) -> StoreResult<u64>;
}
