//! The chunks that a session's entries lie in, and the days that sessions got open jobs on: opened before a row is, and
//! over once every row in them is terminal. What the sweep, depth and counts go through.

use super::CqlStore;
use super::facts::{Chunk, Facts, MAKING, chunk_end, count, day_of};
use super::ledger_entries::ChunkSays;
use super::ledger_rows::TRIES;
use super::many::each;
use super::memory::DayList;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::JobState;
use crate::domain::session::StepCounts;
use crate::store::{StoreError, StoreResult};
use std::collections::{BTreeMap, BTreeSet};

const CHUNKS: Cql = Cql::read("SELECT chunk, epoch, over_epoch, counts FROM session_chunks WHERE session_id = ?");
const CHUNK: Cql = Cql::serial("SELECT epoch, over_epoch FROM session_chunks WHERE session_id = ? AND chunk = ?");
const OPEN_CHUNK: Cql = Cql::lwt("INSERT INTO session_chunks (session_id, chunk, epoch, over_epoch) VALUES (?, ?, 1, 0) IF NOT EXISTS");
const RAISE_CHUNK: Cql = Cql::lwt("UPDATE session_chunks SET epoch = ? WHERE session_id = ? AND chunk = ? IF epoch = ?");
const END_CHUNK: Cql = Cql::lwt("UPDATE session_chunks SET over_epoch = ?, counts = ? WHERE session_id = ? AND chunk = ? IF epoch = ?");
const DAY: Cql = Cql::read("SELECT session_id, epoch, over_epoch FROM ledger_days WHERE day = ?");
const SESSION_OF_DAY: Cql = Cql::serial("SELECT epoch, over_epoch FROM ledger_days WHERE day = ? AND session_id = ?");
const OPEN_DAY: Cql = Cql::lwt("INSERT INTO ledger_days (day, session_id, epoch, over_epoch) VALUES (?, ?, 1, 0) IF NOT EXISTS");
const RAISE_DAY: Cql = Cql::lwt("UPDATE ledger_days SET epoch = ? WHERE day = ? AND session_id = ? IF epoch = ?");
const END_DAY: Cql = Cql::lwt("UPDATE ledger_days SET over_epoch = ? WHERE day = ? AND session_id = ? IF epoch = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] =
    &[CHUNKS, CHUNK, OPEN_CHUNK, RAISE_CHUNK, END_CHUNK, DAY, SESSION_OF_DAY, OPEN_DAY, RAISE_DAY, END_DAY];

/// Jobs are looked for on this many days before today: no job is open longer.
const DAYS: i32 = 15;

/// Partitions read at a time.
const AT_ONCE: usize = 16;

/// A chunk of a session.
#[derive(Debug)]
struct ChunkRow {
    chunk: Chunk,
    epoch: i32,
    /// How many rows there are of each sort, if every row is terminal.
    over: Option<StepCounts>,
}

/// An open row of the ledger, as its entry says.
#[derive(Debug)]
pub(super) struct OpenRow {
    /// Where the entry lies.
    pub chunk: Chunk,
    /// Which row.
    pub id: JobId,
    /// What it says.
    pub facts: Facts,
}

/// How an epoch is to be opened.
enum Opening<'a> {
    Chunk(&'a Chunk),
    Day(i32, &'a SessionId),
}

impl Opening<'_> {
    async fn insert(&self, store: &CqlStore) -> StoreResult<Lwt> {
        match self {
            Self::Chunk(chunk) => store.db.lwt(&OPEN_CHUNK, (chunk.session.as_str(), chunk.number)).await,
            Self::Day(day, session) => store.db.lwt(&OPEN_DAY, (day, session.as_str())).await,
        }
    }

    async fn read(&self, store: &CqlStore) -> StoreResult<Option<(i32, i32)>> {
        match self {
            Self::Chunk(chunk) => store.db.one(&CHUNK, (chunk.session.as_str(), chunk.number)).await,
            Self::Day(day, session) => store.db.one(&SESSION_OF_DAY, (day, session.as_str())).await,
        }
    }

    async fn raise(&self, store: &CqlStore, epoch: i32) -> StoreResult<Lwt> {
        let next = epoch.saturating_add(1);
        match self {
            Self::Chunk(chunk) => store.db.lwt(&RAISE_CHUNK, (next, chunk.session.as_str(), chunk.number, epoch)).await,
            Self::Day(day, session) => store.db.lwt(&RAISE_DAY, (next, day, session.as_str(), epoch)).await,
        }
    }
}

impl CqlStore {
    /// Makes an epoch that is not over. With `anew` one that begins now, so that whoever read the entries before cannot end
    /// it any more; else one that is there already will do.
    async fn open(&self, what: &Opening<'_>, anew: bool) -> StoreResult<()> {
        for _ in 0..TRIES {
            if let Lwt::Applied = what.insert(self).await? {
                return Ok(());
            }
            match what.read(self).await? {
                Some((epoch, over)) if !anew && over < epoch => return Ok(()),
                Some((epoch, _)) => {
                    // After an unknown outcome it is raised once more, which is harmless.
                    if let Lwt::Applied = what.raise(self, epoch).await? {
                        return Ok(());
                    }
                }
                None => {}
            }
        }
        Err(StoreError::Unavailable("a session's list of open jobs is contended".to_owned()))
    }

    /// Opens the chunks and days of rows about to be made at `now`.
    pub(super) async fn open_for_making(&self, chunks: BTreeSet<Chunk>, now: Timestamp) -> StoreResult<()> {
        let day = day_of(now);
        let sessions: BTreeSet<SessionId> = chunks.iter().map(|chunk| chunk.session.clone()).collect();
        let unopened: Vec<Chunk> = chunks.into_iter().filter(|chunk| !self.db.memory().is_open(chunk, self.db.now())).collect();
        each(unopened, AT_ONCE, |chunk| async move {
            self.open(&Opening::Chunk(&chunk), false).await?;
            self.db.memory().opened(chunk);
            Ok(())
        })
        .await?;
        for session in sessions {
            if day != day_of(self.db.now()) || !self.db.memory().is_day_open(day, &session) {
                self.open(&Opening::Day(day, &session), false).await?;
                self.db.memory().opened_day(day, session);
            }
        }
        Ok(())
    }

    /// Opens the chunk of a row that is about to be open again, or to change its terminal state. Its entry is unsure by now,
    /// so whoever reads the chunk from here on does not end it.
    pub(super) async fn open_again(&self, chunk: &Chunk, now: Timestamp) -> StoreResult<()> {
        self.open(&Opening::Chunk(chunk), true).await?;
        self.open(&Opening::Day(day_of(now), &chunk.session), true).await
    }

    async fn chunks_of(&self, session: &SessionId) -> StoreResult<Vec<ChunkRow>> {
        let rows: Vec<(i64, i32, i32, Option<String>)> = self.db.rows(&CHUNKS, (session.as_str(),)).await?;
        let read = |(number, epoch, over, counts): (i64, i32, i32, Option<String>)| {
            // Counts that cannot be read are counted again.
            let over = counts.filter(|_| over == epoch).and_then(|text| serde_json::from_str(&text).ok());
            ChunkRow { chunk: Chunk { session: session.clone(), number }, epoch, over }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Every row of a session in one of the states, as the entries of its chunks say; `None`: in any state.
    pub(super) async fn rows_in(&self, session: &SessionId, state: JobState) -> StoreResult<Vec<JobId>> {
        let holds = |over: &StepCounts| over.0.values().any(|states| states.get(&state).is_some_and(|n| *n > 0));
        let mut chunks = self.chunks_of(session).await?;
        chunks.retain(|row| row.over.as_ref().is_none_or(holds));
        let now = self.db.now();
        let says = each(chunks, AT_ONCE, |row| async move { self.read_chunk(&row.chunk, now).await }).await?;
        Ok(says.into_iter().flat_map(|says| says.rows).filter(|(_, facts)| facts.state == state).map(|(id, _)| id).collect())
    }

    /// The rows of a session by step and state.
    pub(super) async fn count_session(&self, session: &SessionId) -> StoreResult<StepCounts> {
        let mut counts = StepCounts::default();
        let mut open = Vec::new();
        for row in self.chunks_of(session).await? {
            match row.over {
                Some(over) => super::facts::add(&mut counts, over),
                None => open.push(row.chunk),
            }
        }
        let now = self.db.now();
        for says in each(open, AT_ONCE, |chunk| async move { self.read_chunk(&chunk, now).await }).await? {
            says.rows.iter().for_each(|(_, facts)| count(&mut counts, facts));
        }
        Ok(counts)
    }

    /// Every open row of the ledger. Ends the chunks and days that are over.
    pub(super) async fn open_rows(&self, now: Timestamp) -> StoreResult<Vec<OpenRow>> {
        let today = day_of(now);
        let days =
            (today.saturating_sub(DAYS)..=today.saturating_add(1)).filter(|day| !self.db.memory().is_quiet(DayList::Ledger, *day, now));
        // Days are read before their chunks: who opens a row again opens today, which is never over.
        let days = each(days, AT_ONCE, |day| async move { Ok((day, self.db.rows(&DAY, (day,)).await?)) }).await?;
        let mut sessions: BTreeMap<SessionId, Vec<(i32, i32)>> = BTreeMap::new();
        for (day, rows) in days {
            let mut is_quiet = true;
            for (session, epoch, over) in rows as Vec<(String, i32, i32)> {
                if over < epoch {
                    is_quiet = false;
                    sessions.entry(SessionId::new(session)).or_default().push((day, epoch));
                }
            }
            if is_quiet && day < today - 1 {
                self.db.memory().quiet(DayList::Ledger, day, now);
            }
        }
        let mut open = Vec::new();
        for (session, days) in sessions {
            open.extend(self.open_rows_of(&session, &days, now).await?);
        }
        Ok(open)
    }

    async fn open_rows_of(&self, session: &SessionId, days: &[(i32, i32)], now: Timestamp) -> StoreResult<Vec<OpenRow>> {
        let mut chunks = self.chunks_of(session).await?;
        chunks.retain(|row| row.over.is_none());
        let read = |row: ChunkRow| async move {
            let says = self.read_chunk(&row.chunk, now).await?;
            let is_over = self.end_chunk(&row, &says, now).await?;
            Ok((row.chunk, says, is_over))
        };
        let mut all_over = true;
        let mut open = Vec::new();
        for (chunk, says, is_over) in each(chunks, AT_ONCE, read).await? {
            all_over &= is_over;
            let rows = says.rows.into_iter().filter(|(_, facts)| !facts.state.is_terminal());
            open.extend(rows.map(|(id, facts)| OpenRow { chunk: chunk.clone(), id, facts }));
        }
        if all_over {
            let past = day_of(now.minus(MAKING));
            for (day, epoch) in days.iter().filter(|(day, _)| *day < past) {
                self.db.lwt(&END_DAY, (epoch, day, session.as_str(), epoch)).await?;
            }
        }
        Ok(open)
    }

    /// Ends a chunk whose rows are all terminal and that gets no more of them. Answers whether it is over.
    async fn end_chunk(&self, row: &ChunkRow, says: &ChunkSays, now: Timestamp) -> StoreResult<bool> {
        let may = says.sure && chunk_end(row.chunk.number).plus(MAKING) <= now;
        if !may || says.rows.iter().any(|(_, facts)| !facts.state.is_terminal()) {
            return Ok(false);
        }
        let mut counts = StepCounts::default();
        says.rows.iter().for_each(|(_, facts)| count(&mut counts, facts));
        let text = serde_json::to_string(&counts).map_err(|error| StoreError::Bug(format!("counts cannot be written: {error}")))?;
        let values = (row.epoch, text, row.chunk.session.as_str(), row.chunk.number, row.epoch);
        Ok(matches!(self.db.lwt(&END_CHUNK, values).await?, Lwt::Applied))
    }
}
