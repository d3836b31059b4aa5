//! The rows of jobs, changed by compare-and-set on their revision, and the rows of attempts.

use super::CqlStore;
use super::facts::before_revision;
use super::statement::{Cql, Lwt};
use crate::domain::ids::{ArtistId, JobId};
use crate::domain::job::{Attempt, Job, Stage};
use crate::store::seal::{open_cell, seal, seal_cell, unseal};
use crate::store::unreadable::left_out;
use crate::store::{StoreError, StoreResult};
use uuid::Uuid;

const READ: Cql = Cql::read("SELECT rev, writer, body, sum FROM jobs WHERE id = ?");
const READ_SERIALLY: Cql = Cql::serial("SELECT rev, writer, body, sum FROM jobs WHERE id = ? LIMIT 1");
const MAKE: Cql = Cql::lwt("INSERT INTO jobs (id, rev, writer, body, sum) VALUES (?, 1, ?, ?, ?) IF NOT EXISTS");
const SWAP: Cql = Cql::lwt("UPDATE jobs SET rev = ?, writer = ?, body = ?, sum = ? WHERE id = ? IF rev = ?");
const RAISE: Cql = Cql::lwt("UPDATE jobs SET rev = ?, writer = ? WHERE id = ? IF rev = ?");
const READ_ATTEMPTS: Cql = Cql::read("SELECT generation, number, rev, sealed, artist_ids FROM attempts WHERE job_id = ?");
const PUT_ATTEMPT: Cql = Cql::write(
    "UPDATE attempts USING TIMESTAMP ? SET rev = ?, sealed = ?, artist_ids = artist_ids + ? \
     WHERE job_id = ? AND generation = ? AND number = ? AND fence = ? AND owner = ?",
);
const STAGED: Cql = Cql::write("INSERT INTO staged (artist_id, job_id) VALUES (?, ?) USING TIMESTAMP ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[READ, READ_SERIALLY, MAKE, SWAP, RAISE, READ_ATTEMPTS, PUT_ATTEMPT, STAGED];

/// Rows that are only ever added, and say nothing, all have this timestamp.
pub(super) const ONCE: i64 = 1;

/// How often a compare-and-set is tried that others come before, or whose answer was lost and that had not happened.
pub(super) const TRIES: usize = 8;

/// A job's row with what is compared.
#[derive(Debug, Clone)]
pub(super) struct JobRow {
    pub rev: i64,
    writer: Option<Uuid>,
    pub job: Job,
}

type Columns = (Option<i64>, Option<Uuid>, Option<String>, Option<i64>);

/// A row as a list finds it.
#[derive(Debug)]
pub(super) enum Listed {
    /// There is none.
    Absent,
    /// It cannot be read: its revision, and why.
    Unreadable(i64, StoreError),
    /// It is there.
    Row(Box<JobRow>),
}

impl Listed {
    /// The row, if it can be read.
    pub fn row(self) -> Option<JobRow> {
        match self {
            Self::Row(row) => Some(*row),
            Self::Absent | Self::Unreadable(..) => None,
        }
    }
}

/// What came of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    /// The row stands.
    Applied,
    /// Another row stands.
    Lost,
    /// The row before stands; nothing happens to it any more by this write.
    Void,
}

/// The key under which an attempt is sealed.
fn attempt_key(job_id: &JobId, generation: i64, number: i64) -> String {
    format!("{job_id}|{generation}|{number}")
}

/// A count as CQL's `int` holds it.
fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl CqlStore {
    fn read_row(id: &JobId, columns: Option<Columns>) -> StoreResult<Option<JobRow>> {
        let read = |(rev, writer, body, sum): Columns| {
            let job = unseal("jobs", id.as_str(), &body.unwrap_or_default(), sum.unwrap_or_default())?;
            Ok(JobRow { rev: rev.unwrap_or_default(), writer, job })
        };
        columns.map(read).transpose()
    }

    /// A row as a quorum has it: it sees every acknowledged write.
    pub(super) async fn job_row(&self, id: &JobId) -> StoreResult<Option<JobRow>> {
        Self::read_row(id, self.db.one(&READ, (id.as_str(),)).await?)
    }

    /// A row for a list, as a quorum has it: one that cannot be read is left out.
    pub(super) async fn listed_row(&self, id: &JobId) -> StoreResult<Listed> {
        let Some(columns) = self.db.one::<Columns>(&READ, (id.as_str(),)).await? else { return Ok(Listed::Absent) };
        let rev = columns.0.unwrap_or_default();
        match Self::read_row(id, Some(columns)) {
            Ok(row) => Ok(row.map_or(Listed::Absent, |row| Listed::Row(Box::new(row)))),
            Err(why) => {
                left_out("jobs", id.as_str(), &why);
                Ok(Listed::Unreadable(rev, why))
            }
        }
    }

    /// A row read serially: it also decides what was left undecided.
    pub(super) async fn job_row_serially(&self, id: &JobId) -> StoreResult<Option<JobRow>> {
        Self::read_row(id, self.db.one(&READ_SERIALLY, (id.as_str(),)).await?)
    }

    /// Inserts a row unless there is one. Answers whether it is new.
    pub(super) async fn make_row(&self, job: &Job) -> StoreResult<bool> {
        let sealed = seal("jobs", job.id().as_str(), job)?;
        let mut lost = String::new();
        for _ in 0..TRIES {
            let writer = Uuid::new_v4();
            match self.db.lwt(&MAKE, (job.id().as_str(), writer, &sealed.body, sealed.sum)).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(_) => return Ok(false),
                Lwt::Unknown(error) => match self.job_row_serially(job.id()).await? {
                    // One of ours may have come through and been followed by others: who made it is no longer known.
                    Some(row) => return Ok(row.writer == Some(writer)),
                    None => lost = error,
                },
            }
        }
        Err(StoreError::Unavailable(format!("job {} could not be made: {lost}", job.id())))
    }

    /// Puts revision `rev + 1` if `rev` still stands.
    pub(super) async fn swap_row(&self, rev: i64, new: &Job) -> StoreResult<Swap> {
        let sealed = seal("jobs", new.id().as_str(), new)?;
        let writer = Uuid::new_v4();
        let answer = self.db.lwt(&SWAP, (rev + 1, writer, &sealed.body, sealed.sum, new.id().as_str(), rev)).await?;
        self.settle_row(new.id(), rev, writer, answer).await
    }

    /// Makes revision `rev + 1` the same row again, so that nothing said about it before it was tried stands.
    pub(super) async fn raise_row(&self, rev: i64, id: &JobId) -> StoreResult<Swap> {
        let writer = Uuid::new_v4();
        let answer = self.db.lwt(&RAISE, (rev + 1, writer, id.as_str(), rev)).await?;
        self.settle_row(id, rev, writer, answer).await
    }

    async fn settle_row(&self, id: &JobId, rev: i64, writer: Uuid, answer: Lwt) -> StoreResult<Swap> {
        match answer {
            Lwt::Applied => Ok(Swap::Applied),
            Lwt::Met(_) => Ok(Swap::Lost),
            Lwt::Unknown(_) => Ok(match self.job_row_serially(id).await? {
                Some(row) if row.rev == rev => Swap::Void,
                Some(row) if row.rev == rev + 1 && row.writer == Some(writer) => Swap::Applied,
                _ => Swap::Lost,
            }),
        }
    }

    /// Writes an attempt as revision `rev` of its row has it. What was staged stays staged.
    pub(super) async fn put_attempt(&self, attempt: &Attempt, rev: i64) -> StoreResult<()> {
        for artist_id in &attempt.artist_ids {
            self.db.write(&STAGED, (artist_id.as_str(), attempt.job_id.as_str(), ONCE)).await?;
        }
        self.write_attempt(attempt, rev, before_revision(rev), &attempt.artist_ids).await
    }

    /// Records a write about to be made in the attempt's row; should the row be missing, the attempt itself as well.
    pub(super) async fn stage(&self, attempt: &Attempt, artist_id: &ArtistId) -> StoreResult<()> {
        self.db.write(&STAGED, (artist_id.as_str(), attempt.job_id.as_str(), ONCE)).await?;
        self.db.step("stage in the attempt").await?;
        self.write_attempt(attempt, 0, ONCE, std::slice::from_ref(artist_id)).await
    }

    async fn write_attempt(&self, attempt: &Attempt, rev: i64, at: i64, artist_ids: &[ArtistId]) -> StoreResult<()> {
        let (generation, number) = (int(attempt.generation), int(attempt.number));
        let key = attempt_key(&attempt.job_id, generation.into(), number.into());
        let sealed = seal_cell("attempts", &key, attempt)?;
        let artist_ids: Vec<&str> = artist_ids.iter().map(ArtistId::as_str).collect();
        let place = (attempt.job_id.as_str(), generation, number, attempt.fence.0, attempt.owner.as_str());
        let values = (at, rev, sealed, artist_ids, place.0, place.1, place.2, place.3, place.4);
        self.db.write(&PUT_ATTEMPT, values).await
    }

    /// The attempts of a job. An end that was written for a revision that never came to stand is no end.
    pub(super) async fn read_attempts(&self, id: &JobId) -> StoreResult<Vec<Attempt>> {
        type Columns = (i32, i32, Option<i64>, Option<String>, Option<Vec<String>>);
        let rows: Vec<Columns> = self.db.rows(&READ_ATTEMPTS, (id.as_str(),)).await?;
        let stands = match self.listed_row(id).await? {
            Listed::Row(row) => row.rev,
            Listed::Unreadable(rev, _) => rev,
            Listed::Absent => 0,
        };
        let mut attempts = Vec::with_capacity(rows.len());
        for (generation, number, rev, sealed, staged) in rows {
            let Some(sealed) = sealed else { continue };
            let key = attempt_key(id, generation.into(), number.into());
            let mut attempt: Attempt = match open_cell("attempts", &key, &sealed) {
                Ok(attempt) => attempt,
                Err(why) => {
                    left_out("attempts", &key, &why);
                    continue;
                }
            };
            if rev.is_some_and(|rev| rev > stands) {
                (attempt.ended_at, attempt.outcome) = (None, None);
            }
            for artist_id in staged.into_iter().flatten().map(ArtistId::new) {
                attempt.stage = Stage::Writing;
                if !attempt.artist_ids.contains(&artist_id) {
                    attempt.artist_ids.push(artist_id);
                }
            }
            attempts.push(attempt);
        }
        Ok(attempts)
    }
}
