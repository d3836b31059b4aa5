//! The decision behind every write of an artist's row (rule 5): pure, so that each backend applies the same one.

use crate::domain::artist::{Artist, ArtistRow, Life, WRITERS_KEPT};
use crate::domain::change::Change;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId};
use crate::domain::keys::ArtistKeys;

/// Who writes: the running attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The job.
    pub job_id: JobId,
    /// How often an operator has requeued it, from 1.
    pub generation: u32,
    /// When the attempt began, strictly increasing per job.
    pub fence: Timestamp,
}

/// What a writer wants the row to hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// This record.
    Record(Box<Artist>),
    /// No record, because of this.
    Remove(Life),
}

/// What to do about a row.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteDecision {
    /// Put this row, if the one met still stands.
    Put(Box<PutRow>),
    /// This `(job, generation)` made this version before: nothing to do.
    AlreadyApplied {
        /// The version it made.
        version: i64,
    },
    /// The row carries a higher fence: the attempt may be late.
    Fenced {
        /// The fence met.
        fence: Timestamp,
    },
    /// The artist was removed by request and never returns.
    Removed,
    /// There is nothing to remove.
    Absent,
}

/// A row to put by compare-and-set, with what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct PutRow {
    /// The `(version, fence)` that must still stand; `None` if the row must not exist.
    pub expected: Option<(i64, Timestamp)>,
    /// The new row.
    pub row: ArtistRow,
    /// What it does to the directory; `None` if only the fence rises.
    pub change: Option<Change>,
    /// Keys after the write.
    pub keys: ArtistKeys,
    /// Keys before the write, as far as they are no longer held.
    pub stale: ArtistKeys,
}

/// Decides what `writer` does to the row met as `current`, at the time `now`.
pub fn decide_write(id: &ArtistId, current: Option<&ArtistRow>, intent: &Intent, writer: &Writer, now: Timestamp) -> WriteDecision {
    if let Some(row) = current {
        if row.life == Life::Removed {
            return WriteDecision::Removed;
        }
        let wrote_before = row.writers.iter().any(|(job, generation)| *job == writer.job_id && *generation == writer.generation);
        if wrote_before {
            return WriteDecision::AlreadyApplied { version: row.version };
        }
        // An operator's removal is not a reading of the past, so no fence stops it.
        let by_request = matches!(intent, Intent::Remove(Life::Removed));
        if row.fence > writer.fence && !by_request {
            return WriteDecision::Fenced { fence: row.fence };
        }
    }
    let record = match intent {
        Intent::Record(record) => Some(record.as_ref()),
        Intent::Remove(life) => {
            match current {
                None if *life != Life::Removed => return WriteDecision::Absent,
                Some(row) if row.record.is_none() && row.life == *life => {
                    return WriteDecision::Absent;
                }
                _ => {}
            }
            None
        }
    };
    let old_keys = current.and_then(|row| row.record.as_ref()).map(|old| ArtistKeys::of(id, old)).unwrap_or_default();
    let keys = record.map(|new| ArtistKeys::of(id, new)).unwrap_or_default();
    let stale = no_longer_held(&old_keys, &keys);
    let fence = current.map_or(writer.fence, |row| row.fence.max(writer.fence));
    let content_hash = record.map(Artist::content_hash);

    if let (Some(row), Some(_)) = (current, record)
        && row.live().is_some()
        && row.content_hash == content_hash
    {
        let row = ArtistRow { fence, checked_at: now, ..row.clone() };
        let expected = current.map(|row| (row.version, row.fence));
        return WriteDecision::Put(Box::new(PutRow { expected, row, change: None, keys, stale }));
    }

    let version = current.map_or(now.0, |row| now.0.max(row.version.saturating_add(1)));
    let mut writers = current.map(|row| row.writers.clone()).unwrap_or_default();
    writers.push((writer.job_id.clone(), writer.generation));
    let surplus = writers.len().saturating_sub(WRITERS_KEPT);
    writers.drain(..surplus);
    let had_record = current.is_some_and(|row| row.record.is_some());
    let change = match (had_record, record.is_some()) {
        (false, true) => Change::Insert,
        (true, true) => Change::Modify,
        (_, false) => Change::Remove,
    };
    let life = match intent {
        Intent::Record(_) => Life::Live,
        Intent::Remove(life) => *life,
    };
    let row = ArtistRow {
        id: id.clone(),
        version,
        fence,
        writers,
        life,
        created_version: current.map_or(version, |row| row.created_version),
        content_hash,
        record: record.cloned(),
        checked_at: now,
    };
    let expected = current.map(|row| (row.version, row.fence));
    WriteDecision::Put(Box::new(PutRow { expected, row, change: Some(change), keys, stale }))
}

fn no_longer_held(old: &ArtistKeys, new: &ArtistKeys) -> ArtistKeys {
    ArtistKeys {
        styles: old.styles.iter().filter(|key| !new.styles.contains(key)).cloned().collect(),
        gsi2pk: old.gsi2pk.clone().filter(|key| new.gsi2pk.as_ref() != Some(key)),
    }
}
