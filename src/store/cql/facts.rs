//! What the ledger's entries repeat of a row, and the timestamps that put them in order. Pure.
//!
//! An entry is *exact* about a revision of its row, or *unsure*. Whoever changes a row first makes its entry unsure, with
//! a timestamp above that of every earlier revision, and exact again after the compare-and-set. So an exact entry that is
//! read is true at that moment; an unsure one (somebody is at work, or died) is verified against the row.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::{Job, JobState};
use crate::domain::line::{Waiting, due_at, startable_at};
use crate::domain::session::StepCounts;
use crate::store::Depth;
use std::time::Duration;

/// A moment that never comes.
const NEVER: i64 = i64::MAX;

/// The state of an entry whose row may be changing.
pub(super) const UNSURE: &str = "?";
/// The state of an entry that has no row, or whose row is listed elsewhere.
pub(super) const GHOST: &str = "-";

/// Entries of one partition are of rows made within this time, microseconds …
const CHUNK_US: i64 = 60_000_000;
/// … and of one of this many lanes, so that a burst does not grow a partition without end.
const LANES: i64 = 8;

/// How long after a chunk's time its rows may still be in the making: only then it can be over.
pub(super) const MAKING: Duration = Duration::from_secs(900);
/// A maker who was held up longer than this says again that its chunk is open.
pub(super) const HELD_UP: Duration = Duration::from_secs(300);
/// An entry without a row is a ghost after this long.
pub(super) const GHOST_AFTER: Duration = Duration::from_secs(600);

/// The timestamp of writes that stand before the compare-and-set that makes revision `rev`.
pub(super) fn before_revision(rev: i64) -> i64 {
    rev.saturating_mul(4)
}

/// The timestamp of writes about revision `rev` once it stands.
pub(super) fn after_revision(rev: i64) -> i64 {
    before_revision(rev).saturating_add(2)
}

/// The timestamp of taking revision `rev` off a list, since it cannot be read.
pub(super) fn out_of_revision(rev: i64) -> i64 {
    before_revision(rev).saturating_add(3)
}

/// The timestamp of calling an entry a ghost: above its making, below anything said about a row that stands.
pub(super) const GHOST_AT: i64 = 5;

/// The day of a moment, counted from 1970-01-01.
pub(super) fn day_of(at: Timestamp) -> i32 {
    i32::try_from(at.0.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
}

/// The partition of the entry of a row made at `created_at`.
pub(super) fn chunk_of(created_at: Timestamp, id: &JobId) -> i64 {
    let lane = id.as_str().bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 65_521) % LANES;
    created_at.0.div_euclid(CHUNK_US) * LANES + lane
}

/// The moment after which no row of the chunk is made.
pub(super) fn chunk_end(chunk: i64) -> Timestamp {
    Timestamp((chunk.div_euclid(LANES) + 1).saturating_mul(CHUNK_US))
}

/// Lanes of `session_jobs`.
pub(super) const ID_LANES: i32 = 16;

/// The lane of an id in `session_jobs`. Lanes are in the order of the ids.
pub(super) fn id_lane(id: &JobId) -> i32 {
    match id.as_str().bytes().next() {
        Some(digit @ b'0'..=b'9') => i32::from(digit - b'0'),
        Some(b':'..=b'a') => 10,
        Some(digit @ b'b'..=b'f') => i32::from(digit - b'a') + 10,
        Some(byte) if byte > b'f' => ID_LANES - 1,
        _ => 0,
    }
}

/// What an entry repeats of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub state: JobState,
    pub step: String,
    /// Empty for none.
    pub host: String,
    pub due_at: i64,
    pub startable_at: i64,
    pub line_at: i64,
    pub created_at: i64,
}

impl Facts {
    pub fn of(job: &Job) -> Self {
        Self {
            state: job.state,
            step: job.new.step.clone(),
            host: job.new.host.clone().unwrap_or_default(),
            due_at: due_at(job).map_or(NEVER, |at| at.0),
            startable_at: startable_at(job).map_or(NEVER, |at| at.0),
            line_at: job.line_at.0,
            created_at: job.created_at.0,
        }
    }

    /// What is said of a row that cannot be read, once it is taken out: withdrawn, in the step where it was.
    pub fn taken_out(step: String, created_at: i64) -> Self {
        let (due_at, startable_at) = (NEVER, NEVER);
        Self { state: JobState::Cancelled, step, host: String::new(), due_at, startable_at, line_at: created_at, created_at }
    }

    /// The row's place in line.
    pub fn waiting(&self, id: &JobId) -> Waiting {
        let (due_at, line_at) = (Timestamp(self.due_at), Timestamp(self.line_at));
        Waiting { id: id.clone(), host: self.host.clone(), state: self.state, due_at, line_at }
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The row stands so.
    Exact(Facts),
    /// Ask the row.
    Unsure,
    /// Nothing.
    Ghost,
}

/// An entry as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: JobId,
    pub rev: i64,
    pub said: Said,
    /// The row's step, as far as the entry has ever been exact.
    pub step: String,
}

/// The columns of `job_entries` after its partition key, as selected.
pub(super) type EntryRow =
    (String, Option<i64>, Option<String>, Option<String>, Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

impl Entry {
    /// Reads an entry. One that lacks a column was never exact.
    pub fn read(row: EntryRow) -> Self {
        let (id, rev, state, step, host, due_at, startable_at, line_at, created_at) = row;
        let id = JobId::new(id);
        let state = state.unwrap_or_default();
        let said = match (JobState::parse(&state), &step, host, due_at, startable_at, line_at, created_at) {
            _ if state == GHOST => Said::Ghost,
            (Some(state), Some(step), Some(host), Some(due_at), Some(startable_at), Some(line_at), Some(created_at)) => {
                Said::Exact(Facts { state, step: step.clone(), host, due_at, startable_at, line_at, created_at })
            }
            // Also of a state that this build does not know: the row decides.
            _ => Said::Unsure,
        };
        Self { id, rev: rev.unwrap_or(0), said, step: step.unwrap_or_default() }
    }
}

/// Adds a row to the counts.
pub(super) fn count(counts: &mut StepCounts, facts: &Facts) {
    *counts.0.entry(facts.step.clone()).or_default().entry(facts.state).or_default() += 1;
}

/// Adds other counts.
pub(super) fn add(counts: &mut StepCounts, more: StepCounts) {
    for (step, states) in more.0 {
        let of_step = counts.0.entry(step).or_default();
        for (state, n) in states {
            *of_step.entry(state).or_default() += n;
        }
    }
}

/// The depth of open rows.
pub(super) fn depth<'a>(open: impl Iterator<Item = &'a Facts>, now: Timestamp) -> Depth {
    let mut depth = Depth::default();
    for facts in open {
        depth.open += 1;
        depth.running += u64::from(facts.state == JobState::Running);
        depth.due += u64::from(facts.startable_at <= now.0);
        let created_at = Timestamp(facts.created_at);
        depth.oldest = Some(depth.oldest.map_or(created_at, |oldest| oldest.min(created_at)));
    }
    depth
}

/// The session and the chunk of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub session: SessionId,
    pub number: i64,
}

impl Chunk {
    pub fn of(job: &Job) -> Self {
        Self { session: job.new.session_id.clone(), number: chunk_of(job.created_at, job.id()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::StudioId;
    use crate::domain::job::{NewJob, Task};
    use proptest::prelude::*;

    fn job(n: u32, at: Timestamp) -> Job {
        let task = Task::FindArtists { studio_id: StudioId::new(format!("{n}")) };
        Job::created(NewJob::new(&SessionId::new("s"), "find", task, Some("h.example".into())), at)
    }

    #[test]
    fn what_is_known_of_a_later_revision_wins() {
        for rev in 1..9 {
            let order = [before_revision(rev), after_revision(rev), out_of_revision(rev), before_revision(rev + 1)];
            assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
        }
        assert!(before_revision(1) < GHOST_AT && GHOST_AT < after_revision(1));
    }

    #[test]
    fn an_entry_reads_back_as_the_facts_it_was_made_of() {
        let facts = Facts::of(&job(1, Timestamp(5)));
        let row = |state: &str, host: Option<&str>| {
            let some = facts.clone();
            let (due, startable, line, created) = (some.due_at, some.startable_at, some.line_at, some.created_at);
            let host = host.map(ToOwned::to_owned);
            ("id".to_owned(), Some(1), Some(state.to_owned()), Some(some.step), host, Some(due), Some(startable), Some(line), Some(created))
        };
        let said = |state: &str, host: Option<&str>| Entry::read(row(state, host)).said;
        assert_eq!(said("CREATED", Some("h.example")), Said::Exact(facts.clone()));
        assert_eq!(said("CREATED", None), Said::Unsure);
        assert_eq!((said(UNSURE, Some("")), said(GHOST, None)), (Said::Unsure, Said::Ghost));
        assert_eq!((said("", Some("")), said("LOST", Some("h.example"))), (Said::Unsure, Said::Unsure));
    }

    #[test]
    fn the_longest_burst_is_spread_over_the_lanes() {
        let mut sizes = std::collections::BTreeMap::<i64, usize>::new();
        for n in 0..8_000 {
            let job = job(n, Timestamp(7));
            *sizes.entry(chunk_of(job.created_at, job.id())).or_default() += 1;
        }
        assert_eq!(sizes.len(), 8);
        assert!(sizes.values().all(|size| (800..1_200).contains(size)), "{sizes:?}");
    }

    proptest! {
        #[test]
        fn lanes_are_in_the_order_of_ids(one in "[0-9a-f]{0,3}|[ -~]{0,3}", other in "[0-9a-f]{0,3}|[ -~]{0,3}") {
            let (one, other) = (JobId::new(one), JobId::new(other));
            let lanes = (id_lane(&one), id_lane(&other));
            prop_assert!((0..ID_LANES).contains(&lanes.0));
            prop_assert!(one > other || lanes.0 <= lanes.1, "{one} {other} {lanes:?}");
        }

        #[test]
        fn a_chunk_ends_after_its_rows_are_made(at in -200_000_000i64..1i64 << 55, n in 0u32..100) {
            let job = job(n, Timestamp(at));
            let end = chunk_end(chunk_of(job.created_at, job.id()));
            prop_assert!(end.0 > at && end.0 - at <= CHUNK_US);
        }

        #[test]
        fn depth_counts_what_is_there(startable in prop::collection::vec((0i64..20, 0i64..20), 0..30)) {
            let facts: Vec<Facts> = startable.iter().map(|(startable_at, created_at)| {
                Facts { startable_at: *startable_at, created_at: *created_at, ..Facts::of(&job(1, Timestamp(1))) }
            }).collect();
            let depth = depth(facts.iter(), Timestamp(10));
            prop_assert_eq!(depth.open, startable.len() as u64);
            prop_assert_eq!(depth.due, startable.iter().filter(|(at, _)| *at <= 10).count() as u64);
            prop_assert_eq!(depth.oldest.map(|at| at.0), startable.iter().map(|(_, at)| *at).min());
        }
    }
}
