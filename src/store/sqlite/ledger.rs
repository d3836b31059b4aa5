//! The ledger: jobs and their attempts, written by compare-and-set.

use super::SqliteStore;
use super::core::Txn;
use super::ledger_queries as queries;
use super::seal::{Unread, column, execute, limit, one, read_one, read_sound, seal};
use super::unread::{listed, retire};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{AlertDebt, Attempt, Job, JobState, NewJob, Stage, Task};
use crate::domain::line::{due_at, keys_of, startable_at};
use crate::domain::session::StepCounts;
use crate::store::{DeadLetterQuery, Depth, JobPut, Ledger, LedgerPage, Letters, StoreError, StoreResult};
use async_trait::async_trait;
use rusqlite::{Connection, named_params, params};

/// Writes the row and its indexed columns. Answers whether a row was written: with `fresh` only if there was none.
fn write_row(connection: &Connection, job: &Job, fresh: bool) -> StoreResult<bool> {
    const INSERT: &str = "INSERT INTO jobs (id, session_id, step, kind, state, host, line_at, due_at, startable_at, owner, created_at,
             settled_at, category, alert_owed, body, sum)
         VALUES (:id, :session_id, :step, :kind, :state, :host, :line_at, :due_at, :startable_at, :owner, :created_at,
             :settled_at, :category, :alert_owed, :body, :sum)
         ON CONFLICT (id) DO NOTHING";
    const UPDATE: &str = "UPDATE jobs SET session_id = :session_id, step = :step, kind = :kind, state = :state, host = :host,
             line_at = :line_at, due_at = :due_at, startable_at = :startable_at, owner = :owner, created_at = :created_at,
             settled_at = :settled_at, category = :category, alert_owed = :alert_owed, body = :body, sum = :sum
         WHERE id = :id";
    let sealed = seal("jobs", job.id().as_str(), job)?;
    let values = named_params! {
        ":id": job.id().as_str(),
        ":session_id": job.new.session_id.as_str(),
        ":step": job.new.step,
        ":kind": job.kind().as_str(),
        ":state": job.state.as_str(),
        ":host": job.new.host.as_deref().unwrap_or_default(),
        ":line_at": job.line_at.0,
        ":due_at": due_at(job).map(|at| at.0),
        ":startable_at": startable_at(job).map(|at| at.0),
        ":owner": job.owner,
        ":created_at": job.created_at.0,
        ":settled_at": job.settled_at.map(|at| at.0),
        ":category": job.death().map(|reason| reason.category.as_str()),
        ":alert_owed": job.alert == AlertDebt::Owed,
        ":body": sealed.body,
        ":sum": sealed.sum,
    };
    Ok(execute(connection, if fresh { INSERT } else { UPDATE }, values)? == 1)
}

/// Keeps the table of jobs by identity key in step: a row is in it by every key that its task names, whatever its state.
fn write_keys(connection: &Connection, job: &Job) -> StoreResult<()> {
    if let Task::ScrapeArtist(task) = &job.new.task {
        for key in keys_of(task) {
            let sql = "INSERT OR IGNORE INTO open_job_keys (key, job_id) VALUES (?1, ?2)";
            execute(connection, sql, params![key.as_str(), job.id().as_str()])?;
        }
    }
    Ok(())
}

pub(super) fn job(connection: &Connection, id: &JobId) -> StoreResult<Option<Job>> {
    read_one(connection, "jobs", "SELECT id, body, sum FROM jobs WHERE id = ?1", [id.as_str()])
}

fn create(connection: &Connection, new: &NewJob, now: Timestamp) -> StoreResult<bool> {
    let job = Job::created(new.clone(), now);
    let fresh = write_row(connection, &job, true)?;
    if fresh {
        write_keys(connection, &job)?;
    }
    Ok(fresh)
}

fn put(connection: &Connection, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut> {
    let foreign = attempt.is_some_and(|attempt| attempt.job_id != *new.id());
    if old.id() != new.id() || foreign {
        return Err(StoreError::Bug(format!("job {} was to be replaced by job {} or with another job's attempt", old.id(), new.id())));
    }
    // Values are compared, not bytes: a build that writes one field more must still recognise a row it did not write.
    let stored = job(connection, old.id())?;
    if stored.as_ref() != Some(old) {
        return Ok(JobPut::Conflict(stored.map(Box::new)));
    }
    if let Some(attempt) = attempt {
        put_attempt(connection, attempt)?;
    }
    write_row(connection, new, false)?;
    if old.new.task != new.new.task {
        // Whom the task no longer names the table must not name either.
        execute(connection, "DELETE FROM open_job_keys WHERE job_id = ?1", [new.id().as_str()])?;
        write_keys(connection, new)?;
    }
    Ok(JobPut::Committed)
}

/// The key under which an attempt is sealed.
fn attempt_key(attempt: &Attempt) -> String {
    format!("{}|{}|{}", attempt.job_id, attempt.generation, attempt.number)
}

const ATTEMPTS: &str = "SELECT job_id || '|' || generation || '|' || number, body, sum FROM attempts WHERE job_id = ?1";

/// Writes an attempt. What was staged stays staged: the caller's copy may be older than the row.
fn put_attempt(connection: &Connection, attempt: &Attempt) -> StoreResult<()> {
    let sql = format!("{ATTEMPTS} AND generation = ?2 AND number = ?3");
    let id = attempt.job_id.as_str();
    // An attempt that cannot be read is written anew, or its job could never be settled; `staged` keeps whom it wrote.
    let values = params![id, attempt.generation, attempt.number];
    let stored = read_sound::<Attempt>(connection, "attempts", &sql, values, &mut Vec::new())?.into_iter().next();
    let mut attempt = attempt.clone();
    if let Some(stored) = stored {
        if stored.stage == Stage::Writing {
            attempt.stage = Stage::Writing;
        }
        let missing = stored.artist_ids.into_iter().filter(|id| !attempt.artist_ids.contains(id)).collect::<Vec<_>>();
        attempt.artist_ids.extend(missing);
    }
    write_attempt(connection, &attempt)
}

fn write_attempt(connection: &Connection, attempt: &Attempt) -> StoreResult<()> {
    let sealed = seal("attempts", &attempt_key(attempt), attempt)?;
    let id = attempt.job_id.as_str();
    let sql = "INSERT OR REPLACE INTO attempts (job_id, generation, number, body, sum) VALUES (?1, ?2, ?3, ?4, ?5)";
    execute(connection, sql, params![id, attempt.generation, attempt.number, sealed.body, sealed.sum])?;
    for artist_id in &attempt.artist_ids {
        execute(connection, "INSERT OR IGNORE INTO staged (artist_id, job_id) VALUES (?1, ?2)", params![artist_id.as_str(), id])?;
    }
    Ok(())
}

fn stage(connection: &Connection, attempt: &Attempt, artist_id: &ArtistId) -> StoreResult<()> {
    let sql = format!("{ATTEMPTS} AND generation = ?2 AND number = ?3");
    let values = params![attempt.job_id.as_str(), attempt.generation, attempt.number];
    let stored = read_sound::<Attempt>(connection, "attempts", &sql, values, &mut Vec::new())?.into_iter().next();
    let mut row = stored.unwrap_or_else(|| attempt.clone());
    row.stage = Stage::Writing;
    if !row.artist_ids.contains(artist_id) {
        row.artist_ids.push(artist_id.clone());
    }
    write_attempt(connection, &row)
}

fn release_leases(txn: &Txn<'_>, owner: &str, now: Timestamp) -> StoreResult<u64> {
    let connection = txn.connection;
    let ids: Vec<String> = column(connection, "SELECT id FROM jobs WHERE state = 'RUNNING' AND owner IS NOT ?1", [owner])?;
    for id in &ids {
        match job(connection, &JobId::new(id.as_str())) {
            Ok(Some(row)) => {
                write_row(connection, &Job { lease_until: now, next_send_at: now, ..row }, false)?;
            }
            Ok(None) => {}
            Err(error @ StoreError::Corrupt { .. }) => retire(connection, "jobs", id, &error).map(drop)?,
            Err(error) => return Err(error),
        }
    }
    execute(connection, "DELETE FROM leases WHERE owner <> ?1", [owner])?;
    Ok(ids.len() as u64)
}

/// Drops what a session's jobs left, in the caller's transaction; nothing if one of them has to stay.
fn drop_jobs(connection: &Connection, session: &SessionId, letters: Letters) -> StoreResult<bool> {
    let sql = "SELECT id, body, sum FROM jobs WHERE session_id = ?1 ORDER BY id";
    // One that cannot be read was taken out of work, and its columns say so.
    let mut unread = Vec::new();
    let jobs: Vec<Job> = read_sound(connection, "jobs", sql, [session.as_str()], &mut unread)?;
    let taken_out = |row: &Unread| {
        let sql = "SELECT 1 FROM jobs WHERE id = ?1 AND due_at IS NULL AND alert_owed = 0";
        Ok::<_, StoreError>(one::<i64>(connection, sql, [row.key.as_str()])?.is_some())
    };
    if !jobs.iter().all(|job| letters.allow(job)) || !unread.iter().map(taken_out).all(|gone| gone.is_ok_and(|gone| gone)) {
        return Ok(false);
    }
    for id in jobs.iter().map(|job| job.id().as_str()).chain(unread.iter().map(|row| row.key.as_str())) {
        for attempt in read_sound::<Attempt>(connection, "attempts", ATTEMPTS, [id], &mut Vec::new())? {
            for artist_id in &attempt.artist_ids {
                execute(connection, "DELETE FROM staged WHERE artist_id = ?1 AND job_id = ?2", params![artist_id.as_str(), id])?;
            }
        }
        execute(connection, "DELETE FROM attempts WHERE job_id = ?1", [id])?;
        execute(connection, "DELETE FROM open_job_keys WHERE job_id = ?1", [id])?;
        execute(connection, "DELETE FROM jobs WHERE id = ?1", [id])?;
    }
    Ok(true)
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn create_jobs(&self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Vec<bool>> {
        let jobs = jobs.to_vec();
        self.db.write(move |txn| jobs.iter().map(|new| create(txn.connection, new, now)).collect()).await
    }

    async fn job(&self, id: &JobId) -> StoreResult<Option<Job>> {
        let id = id.clone();
        self.db.read(move |connection| job(connection, &id)).await
    }

    async fn put_job(&self, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut> {
        let (old, new, attempt) = (old.clone(), new.clone(), attempt.cloned());
        self.db.write(move |txn| put(txn.connection, &old, &new, attempt.as_ref())).await
    }

    async fn attempts(&self, id: &JobId) -> StoreResult<Vec<Attempt>> {
        let id = id.clone();
        let sql = format!("{ATTEMPTS} ORDER BY generation, number");
        listed(&self.db, "attempts", move |connection, unread| read_sound(connection, "attempts", &sql, [id.as_str()], unread)).await
    }

    async fn stage_writing(&self, attempt: &Attempt, artist_id: &ArtistId) -> StoreResult<()> {
        let (attempt, artist_id) = (attempt.clone(), artist_id.clone());
        self.db.write(move |txn| stage(txn.connection, &attempt, &artist_id)).await
    }

    async fn due_jobs(&self, now: Timestamp, max_per_host: usize, limit: usize) -> StoreResult<Vec<Job>> {
        listed(&self.db, "jobs", move |connection, unread| queries::due_jobs(connection, now, max_per_host, limit, unread)).await
    }

    async fn due_jobs_of_host(&self, host: &str, now: Timestamp, max_per_host: usize) -> StoreResult<Vec<Job>> {
        let host = host.to_owned();
        listed(&self.db, "jobs", move |connection, unread| queries::due_jobs_of_host(connection, &host, now, max_per_host, unread)).await
    }

    async fn step_counts(&self, session: &SessionId) -> StoreResult<StepCounts> {
        let session = session.clone();
        self.db.read(move |connection| queries::step_counts(connection, &session)).await
    }

    async fn jobs_in(&self, session: &SessionId, state: Option<JobState>, after: Option<&JobId>, limit: usize) -> StoreResult<Vec<Job>> {
        let (session, after) = (session.clone(), after.cloned());
        listed(&self.db, "jobs", move |connection, unread| queries::jobs_in(connection, &session, state, after.as_ref(), limit, unread))
            .await
    }

    async fn depth(&self, now: Timestamp) -> StoreResult<Depth> {
        self.db.read(move |connection| queries::depth(connection, now)).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> StoreResult<LedgerPage> {
        let query = query.clone();
        listed(&self.db, "jobs", move |connection, unread| queries::dead_letters(connection, &query, unread)).await
    }

    async fn jobs_owing_alert(&self, most: usize) -> StoreResult<Vec<Job>> {
        let sql = "SELECT id, body, sum FROM jobs WHERE alert_owed = 1 ORDER BY id LIMIT ?1";
        listed(&self.db, "jobs", move |connection, unread| read_sound(connection, "jobs", sql, [limit(most)], unread)).await
    }

    async fn jobs_about(&self, id: &ArtistId) -> StoreResult<Vec<Job>> {
        let id = id.clone();
        listed(&self.db, "jobs", move |connection, unread| queries::jobs_about(connection, &id, unread)).await
    }

    async fn drop_jobs(&self, session: &SessionId, letters: Letters) -> StoreResult<bool> {
        let session = session.clone();
        self.db.write(move |txn| drop_jobs(txn.connection, &session, letters)).await
    }

    async fn release_leases_of_others(&self, owner: &str, now: Timestamp) -> StoreResult<u64> {
        let owner = owner.to_owned();
        self.db.write(move |txn| release_leases(txn, &owner, now)).await
    }
}
