//! What is asked of the ledger. Rows are found by indexed columns and checked by their bodies.

use super::seal::{Unread, column, count, limit, one, read_sound};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{Job, JobKind, JobState};
use crate::domain::ledger::is_due;
use crate::domain::session::StepCounts;
use crate::store::{DeadLetterQuery, Depth, LedgerPage, StoreError, StoreResult};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

/// The rows of a host that may be sent now, oldest in line first.
///
/// A row that is out already (SENT and overdue, or RUNNING with its lease run out) may always be sent again: that leaves
/// the number of rows out as it is. The rest only as far as there is room below `max_per_host`; no host, no limit.
fn due_of_host(
    connection: &Connection,
    host: &str,
    now: Timestamp,
    max_per_host: usize,
    most: usize,
    unread: &mut Vec<Unread>,
) -> StoreResult<Vec<Job>> {
    let out: i64 = one(connection, "SELECT count(*) FROM jobs WHERE host = ?1 AND state IN ('SENT', 'RUNNING')", [host])?.unwrap_or(0);
    let mut jobs: Vec<Job> = Vec::new();
    if out > 0 {
        // Few: at most two of a named host, and jobs without a host are the rare ones.
        let sql = "SELECT id, body, sum FROM jobs INDEXED BY jobs_out
                   WHERE host = ?1 AND due_at <= ?2 AND state IN ('SENT', 'RUNNING') ORDER BY line_at, id LIMIT ?3";
        jobs = read_sound(connection, "jobs", sql, params![host, now.0, limit(most)], unread)?;
    }
    let room = if host.is_empty() { most } else { max_per_host.saturating_sub(usize::try_from(out).unwrap_or(0)).min(most) };
    if room > 0 {
        let sql = "SELECT id, body, sum FROM jobs INDEXED BY jobs_in_line
                   WHERE host = ?1 AND due_at <= ?2 AND state IN ('CREATED', 'PARKED') ORDER BY line_at, id LIMIT ?3";
        jobs.extend(read_sound::<Job>(connection, "jobs", sql, params![host, now.0, limit(room)], unread)?);
    }
    jobs.retain(|job| is_due(job, now));
    sort_by_line(&mut jobs);
    jobs.truncate(most);
    Ok(jobs)
}

fn sort_by_line(jobs: &mut [Job]) {
    jobs.sort_by(|one, other| (one.line_at, one.id()).cmp(&(other.line_at, other.id())));
}

pub(super) fn due_jobs(
    connection: &Connection,
    now: Timestamp,
    max_per_host: usize,
    most: usize,
    unread: &mut Vec<Unread>,
) -> StoreResult<Vec<Job>> {
    let mut jobs = due_of_host(connection, "", now, usize::MAX, most, unread)?;
    // One seek a host: a host with a long line costs no more than one with a short line.
    let sql = "SELECT host FROM jobs INDEXED BY jobs_in_line WHERE due_at IS NOT NULL AND host > ?1 ORDER BY host LIMIT 1";
    let mut host = String::new();
    while let Some(next) = one::<String>(connection, sql, [&host])? {
        jobs.extend(due_of_host(connection, &next, now, max_per_host, most, unread)?);
        host = next;
    }
    sort_by_line(&mut jobs);
    jobs.truncate(most);
    Ok(jobs)
}

pub(super) fn due_jobs_of_host(
    connection: &Connection,
    host: &str,
    now: Timestamp,
    max_per_host: usize,
    unread: &mut Vec<Unread>,
) -> StoreResult<Vec<Job>> {
    due_of_host(connection, host, now, max_per_host, max_per_host, unread)
}

/// A state as stored.
fn state(text: &str) -> StoreResult<JobState> {
    let corrupt = || StoreError::Corrupt { what: "job_counts".to_owned(), why: format!("`{text}` is no state of a job") };
    JobState::parse(text).ok_or_else(corrupt)
}

pub(super) fn step_counts(connection: &Connection, session: &SessionId) -> StoreResult<StepCounts> {
    let mut counts = StepCounts::default();
    let mut statement = connection.prepare_cached("SELECT step, state, n FROM job_counts WHERE session_id = ?1")?;
    let mut rows = statement.query([session.as_str()])?;
    while let Some(row) = rows.next()? {
        let state = state(&row.get::<_, String>(1)?)?;
        counts.0.entry(row.get(0)?).or_default().insert(state, count(row.get(2)?));
    }
    Ok(counts)
}

pub(super) fn jobs_in(
    connection: &Connection,
    session: &SessionId,
    state: Option<JobState>,
    after: Option<&JobId>,
    most: usize,
    unread: &mut Vec<Unread>,
) -> StoreResult<Vec<Job>> {
    let session = session.as_str();
    let mut after = after.map(ToString::to_string).unwrap_or_default();
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let (wanted, skipped) = (most - jobs.len(), unread.len());
        let found: Vec<Job> = match state {
            Some(state) => {
                let sql = "SELECT id, body, sum FROM jobs WHERE session_id = ?1 AND state = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
                read_sound(connection, "jobs", sql, params![session, state.as_str(), after, limit(wanted)], unread)?
            }
            None => {
                let sql = "SELECT id, body, sum FROM jobs WHERE session_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
                read_sound(connection, "jobs", sql, params![session, after, limit(wanted)], unread)?
            }
        };
        // An empty page is the end for whoever pages on, so rows that were left out are made up for.
        let skipped = &unread[skipped..];
        let ends = skipped.is_empty() || found.len() + skipped.len() < wanted;
        if let Some(last) = skipped.last() {
            after.clone_from(&last.key);
        }
        if let Some(last) = found.last().filter(|last| *last.id().as_str() > *after) {
            after = last.id().to_string();
        }
        jobs.extend(found);
        if ends {
            return Ok(jobs);
        }
    }
}

pub(super) fn depth(connection: &Connection, now: Timestamp) -> StoreResult<Depth> {
    let mut depth = Depth::default();
    let mut statement = connection.prepare_cached("SELECT state, sum(n) FROM job_counts GROUP BY state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (state, n) = (state(&row.get::<_, String>(0)?)?, count(row.get(1)?));
        if !state.is_terminal() {
            depth.open += n;
        }
        if state == JobState::Running {
            depth.running += n;
        }
    }
    let due: Option<i64> = one(connection, "SELECT count(*) FROM jobs WHERE startable_at <= ?1", [now.0])?;
    let oldest: Option<Option<i64>> = one(connection, "SELECT min(created_at) FROM jobs WHERE due_at IS NOT NULL", [])?;
    Ok(Depth { due: count(due.unwrap_or(0)), oldest: oldest.flatten().map(Timestamp), ..depth })
}

/// The statement that a query of dead letters becomes: each of its forms has an index of its own.
pub(super) fn letters_statement(query: &DeadLetterQuery) -> (String, Vec<Value>) {
    let mut sql = "SELECT id, body, sum FROM jobs WHERE state = 'DEAD'".to_owned();
    let mut values: Vec<Value> = Vec::new();
    if let Some(session) = &query.session {
        sql.push_str(" AND session_id = ?");
        values.push(session.to_string().into());
    }
    if let Some(category) = &query.category {
        sql.push_str(" AND category = ?");
        values.push(category.clone().into());
    }
    if let Some((at, id)) = &query.after {
        sql.push_str(" AND (settled_at, id) < (?, ?)");
        values.push(at.0.into());
        values.push(id.to_string().into());
    }
    // One more than asked for tells whether there is a next page.
    sql.push_str(" ORDER BY settled_at DESC, id DESC LIMIT ?");
    values.push(limit(query.limit.saturating_add(1)).into());
    (sql, values)
}

pub(super) fn dead_letters(connection: &Connection, query: &DeadLetterQuery, unread: &mut Vec<Unread>) -> StoreResult<LedgerPage> {
    let (sql, values) = letters_statement(query);
    let mut jobs: Vec<Job> = read_sound(connection, "jobs", &sql, params_from_iter(values), unread)?;
    let more = jobs.len() + unread.len() > query.limit;
    jobs.truncate(query.limit);
    let last = jobs.last().filter(|_| more);
    let next = last.and_then(|job| Some((job.settled_at?, job.id().clone())));
    Ok(LedgerPage { jobs, next })
}

/// Jobs whose attempts staged a write of the artist, and scrapes, open or over, by a key that names the artist.
pub(super) fn jobs_about(connection: &Connection, id: &ArtistId, unread: &mut Vec<Unread>) -> StoreResult<Vec<Job>> {
    let sql = "SELECT job_id FROM staged WHERE artist_id = ?1
               UNION SELECT job_id FROM open_job_keys JOIN identity USING (key) WHERE artist_id = ?1 ORDER BY job_id";
    let mut jobs = Vec::new();
    for job_id in column::<String>(connection, sql, [id.as_str()])? {
        let sql = "SELECT id, body, sum FROM jobs WHERE id = ?1";
        let found: Vec<Job> = read_sound(connection, "jobs", sql, [job_id], unread)?;
        jobs.extend(found.into_iter().filter(|job| job.kind() != JobKind::RemoveArtist));
    }
    Ok(jobs)
}
