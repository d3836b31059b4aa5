//! The entries that list a session's rows and a host's line: written around each compare-and-set, read, verified, ended.

use super::CqlStore;
use super::facts::{
    Chunk, Entry, EntryRow, Facts, GHOST, GHOST_AFTER, GHOST_AT, Said, UNSURE, after_revision, before_revision, chunk_end, chunk_of,
    out_of_revision,
};
use super::ledger_rows::{Listed, Swap};
use super::many::each;
use super::statement::Cql;
use crate::domain::clock::Timestamp;
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobState};
use crate::domain::line::Waiting;
use crate::store::unreadable::taken_out;
use crate::store::{StoreError, StoreResult};
use std::time::Duration;

const SAY: Cql = Cql::write("INSERT INTO job_entries (session_id, chunk, job_id, rev, state) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?");
const EXACT: Cql = Cql::write(
    "INSERT INTO job_entries (session_id, chunk, job_id, rev, state, step, host, due_at, startable_at, line_at, created_at) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
);
const READ: Cql = Cql::read(
    "SELECT job_id, rev, state, step, host, due_at, startable_at, line_at, created_at FROM job_entries \
     WHERE session_id = ? AND chunk = ?",
);
const SAY_IN_LINE: Cql = Cql::write("INSERT INTO host_lines (host, line_at, job_id, rev, state) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?");
const EXACT_IN_LINE: Cql =
    Cql::write("INSERT INTO host_lines (host, line_at, job_id, rev, state, due_at) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?");
const READ_LINE: Cql = Cql::read("SELECT line_at, job_id, state, due_at FROM host_lines WHERE host = ? AND line_at >= ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[SAY, EXACT, READ, SAY_IN_LINE, EXACT_IN_LINE, READ_LINE];

/// Rows verified at a time.
const AT_ONCE: usize = 64;

/// A host's line is read from its first open place on; places may still be taken this much earlier.
const LINE_SLACK: Duration = Duration::from_secs(600);

/// What the entries of a chunk say, verified.
#[derive(Debug, Clone)]
pub(super) struct ChunkSays {
    /// The rows of the chunk.
    pub rows: Vec<(JobId, Facts)>,
    /// Whether nobody may be changing one of them.
    pub sure: bool,
}

/// The host in whose line the row stands or stood: one that was erased names none any more, and leaves its line as it ends.
fn line_of<'a>(old: Option<&'a Job>, new: &'a Job) -> Option<&'a str> {
    new.new.host.as_deref().or_else(|| old.and_then(|old| old.new.host.as_deref()))
}

impl CqlStore {
    async fn say(&self, chunk: &Chunk, id: &JobId, rev: i64, what: &str, at: i64) -> StoreResult<()> {
        self.db.write(&SAY, (chunk.session.as_str(), chunk.number, id.as_str(), rev, what, at)).await
    }

    async fn say_in_line(&self, host: &str, line_at: i64, id: &JobId, rev: i64, what: &str, at: i64) -> StoreResult<()> {
        self.db.write(&SAY_IN_LINE, (host, line_at, id.as_str(), rev, what, at)).await
    }

    /// Makes the row's entries unsure, before the compare-and-set that makes revision `rev` of it.
    pub(super) async fn make_unsure(&self, old: Option<&Job>, new: &Job, rev: i64) -> StoreResult<()> {
        let at = before_revision(rev);
        let chunk = Chunk::of(new);
        let entry = self.say(&chunk, new.id(), rev, UNSURE, at);
        let line = async {
            let Some(host) = line_of(old, new) else { return Ok(()) };
            if let Some(old) = old.filter(|old| old.line_at != new.line_at) {
                self.say_in_line(host, old.line_at.0, new.id(), rev, UNSURE, at).await?;
            }
            self.say_in_line(host, new.line_at.0, new.id(), rev, UNSURE, at).await
        };
        tokio::try_join!(entry, line).map(drop)
    }

    /// Makes the row's entries exact about revision `rev`, which stands (or stood).
    pub(super) async fn make_exact(&self, old: Option<&Job>, new: &Job, rev: i64) -> StoreResult<()> {
        let line = async {
            let Some(host) = line_of(old, new) else { return Ok(()) };
            if let Some(old) = old.filter(|old| old.line_at != new.line_at) {
                self.say_in_line(host, old.line_at.0, new.id(), rev, GHOST, after_revision(rev)).await?;
            }
            self.make_exact_in_line(host, new, rev).await
        };
        tokio::try_join!(self.make_entry_exact(new, rev), line).map(drop)
    }

    async fn make_entry_exact(&self, job: &Job, rev: i64) -> StoreResult<()> {
        self.say_exactly(&Chunk::of(job), job.id(), &Facts::of(job), rev, after_revision(rev)).await
    }

    async fn say_exactly(&self, chunk: &Chunk, id: &JobId, facts: &Facts, rev: i64, at: i64) -> StoreResult<()> {
        let place = (chunk.session.as_str(), chunk.number, id.as_str());
        let says = (rev, facts.state.as_str(), facts.step.as_str(), facts.host.as_str());
        let times = (facts.due_at, facts.startable_at, facts.line_at, facts.created_at, at);
        let values = (place.0, place.1, place.2, says.0, says.1, says.2, says.3, times.0, times.1, times.2, times.3, times.4);
        self.db.write(&EXACT, values).await
    }

    async fn make_exact_in_line(&self, host: &str, job: &Job, rev: i64) -> StoreResult<()> {
        let facts = Facts::of(job);
        let values = (host, facts.line_at, job.id().as_str(), rev, facts.state.as_str(), facts.due_at, after_revision(rev));
        self.db.write(&EXACT_IN_LINE, values).await
    }

    /// Reads the entries of a chunk; what they are unsure about is asked of the rows.
    pub(super) async fn read_chunk(&self, chunk: &Chunk, now: Timestamp) -> StoreResult<ChunkSays> {
        let rows: Vec<EntryRow> = self.db.rows(&READ, (chunk.session.as_str(), chunk.number)).await?;
        let mut says = ChunkSays { rows: Vec::with_capacity(rows.len()), sure: true };
        let mut unsure = Vec::new();
        for row in rows {
            let entry = Entry::read(row);
            match entry.said {
                Said::Exact(facts) => says.rows.push((entry.id, facts)),
                Said::Unsure => unsure.push(entry),
                Said::Ghost => {}
            }
        }
        let verified = each(unsure, AT_ONCE, |entry| async move { self.verify(chunk, entry, now).await }).await?;
        for (row, sure) in verified {
            says.sure &= sure;
            says.rows.extend(row);
        }
        Ok(says)
    }

    /// What the row of an unsure entry says, and whether that is bound to stay so. What a crash left is put right.
    async fn verify(&self, chunk: &Chunk, entry: Entry, now: Timestamp) -> StoreResult<(Option<(JobId, Facts)>, bool)> {
        let row = match self.listed_row(&entry.id).await? {
            Listed::Row(row) => row,
            Listed::Unreadable(rev, why) => {
                let facts = Facts::taken_out(entry.step, chunk_end(chunk.number).0);
                self.take_out(chunk, &entry.id, &facts, rev, &why).await?;
                return Ok((Some((entry.id, facts)), true));
            }
            Listed::Absent => {
                let old = chunk_end(chunk.number).plus(GHOST_AFTER) <= now;
                let gone = old && self.job_row_serially(&entry.id).await?.is_none();
                if gone {
                    self.say(chunk, &entry.id, 0, GHOST, GHOST_AT).await?;
                }
                return Ok((None, gone));
            }
        };
        if row.job.new.session_id != chunk.session || chunk_of(row.job.created_at, &entry.id) != chunk.number {
            // Made at another time by somebody else: it is listed there.
            self.say(chunk, &entry.id, 0, GHOST, GHOST_AT).await?;
            return Ok((None, true));
        }
        let facts = Facts::of(&row.job);
        let mut sure = entry.rev <= row.rev;
        if sure {
            self.make_entry_exact(&row.job, row.rev).await?;
        } else if row.job.state.is_terminal() && row.job.settled_at.is_some_and(|at| at.plus(GHOST_AFTER) <= now) {
            // Somebody was about to open it again and has not: a revision of its own ends what they said.
            if self.raise_row(row.rev, &entry.id).await? == Swap::Applied {
                self.make_entry_exact(&row.job, row.rev + 1).await?;
                sure = true;
            }
        }
        Ok((Some((entry.id, facts)), sure))
    }

    /// Takes a row that cannot be read out of its chunk, as if it had been withdrawn.
    pub(super) async fn take_out(&self, chunk: &Chunk, id: &JobId, facts: &Facts, rev: i64, why: &StoreError) -> StoreResult<()> {
        self.say_exactly(chunk, id, facts, rev, out_of_revision(rev)).await?;
        taken_out("jobs", id.as_str(), why);
        Ok(())
    }

    /// Takes a row that cannot be read out of the line of its host, if it has one.
    pub(super) async fn take_out_of_line(&self, host: &str, line_at: i64, id: &JobId, rev: i64) -> StoreResult<()> {
        if host.is_empty() {
            return Ok(());
        }
        self.say_in_line(host, line_at, id, rev, GHOST, out_of_revision(rev)).await
    }

    /// The open rows in the line of a host.
    pub(super) async fn read_line(&self, host: &str, now: Timestamp) -> StoreResult<Vec<Waiting>> {
        type Columns = (i64, String, Option<String>, Option<i64>);
        let floor = self.db.memory().line_floor(host);
        let rows: Vec<Columns> = self.db.rows(&READ_LINE, (host, floor)).await?;
        let mut open = Vec::new();
        let mut unsure = Vec::new();
        let mut first = now.minus(LINE_SLACK).0;
        for (line_at, id, state, due_at) in rows {
            let id = JobId::new(id);
            let state = state.unwrap_or_default();
            match (JobState::parse(&state), due_at) {
                _ if state == GHOST => continue,
                (None, _) | (_, None) => unsure.push((line_at, id)),
                (Some(state), Some(due_at)) => {
                    if state.is_terminal() {
                        continue;
                    }
                    let (due_at, line_at) = (Timestamp(due_at), Timestamp(line_at));
                    open.push(Waiting { id, host: host.to_owned(), state, due_at, line_at });
                }
            }
            first = first.min(line_at);
        }
        self.db.memory().set_line_floor(host, first);
        let verified = each(unsure, AT_ONCE, |(line_at, id)| async move {
            let row = match self.listed_row(&id).await? {
                Listed::Row(row) if row.job.line_at.0 == line_at => row,
                Listed::Row(_) | Listed::Absent => return Ok(None),
                Listed::Unreadable(rev, _) => {
                    self.take_out_of_line(host, line_at, &id, rev).await?;
                    return Ok(None);
                }
            };
            self.make_exact_in_line(host, &row.job, row.rev).await?;
            Ok(Some(row.job).filter(|job| !job.state.is_terminal()).map(|job| Facts::of(&job).waiting(&id)))
        });
        open.extend(verified.await?.into_iter().flatten());
        Ok(open)
    }
}
