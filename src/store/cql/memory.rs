//! What a process remembers of the ledger so as not to ask again. Forgetting any of it only costs reads.

use super::facts::{Chunk, HELD_UP, chunk_end};
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Things of each sort remembered at most.
const REMEMBERED: usize = 8_192;

/// A day whose list said nothing is looked at again after this long.
const QUIET: Duration = Duration::from_secs(60);

/// How long a style's number of buckets is believed. A process that reads by the old one misses what others have written by the
/// new one until then; what it writes by the old one is found by all.
const BUCKETS_BELIEVED: Duration = Duration::from_secs(10);

/// Lists by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum DayList {
    /// Sessions with open jobs.
    Ledger,
    /// Alerts owed.
    Alerts,
}

#[derive(Debug, Default)]
struct Known {
    open_chunks: HashSet<Chunk>,
    open_days: HashSet<(i32, SessionId)>,
    listed: HashSet<(&'static str, i32)>,
    quiet: HashMap<(DayList, i32), Timestamp>,
    line_floors: HashMap<String, i64>,
    /// Into how many buckets a style is divided, and when that was read.
    style_buckets: HashMap<String, (u16, Timestamp)>,
    /// Leases taken by this process: their holder and their end as stored.
    leases: HashMap<String, (String, i64)>,
    /// Sessions made before are over and owe nothing, and when all of them were looked at.
    sessions_floor: Option<(i64, Timestamp)>,
}

/// The memory of a store value.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Known>);

/// Keeps a set from growing without end.
fn remember<T: std::hash::Hash + Eq>(set: &mut HashSet<T>, value: T) {
    if set.len() >= REMEMBERED {
        set.clear();
    }
    set.insert(value);
}

impl Memory {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease as this process last put it.
    pub fn lease(&self, name: &str) -> Option<(String, i64)> {
        self.known().leases.get(name).cloned()
    }

    /// Remembers a lease, or that nothing is known of it.
    pub fn set_lease(&self, name: &str, stands: Option<(String, i64)>) {
        let mut known = self.known();
        match stands {
            Some(stands) => drop(known.leases.insert(name.to_owned(), stands)),
            None => drop(known.leases.remove(name)),
        }
    }

    /// Whether a chunk was opened here and cannot be over yet.
    pub fn is_open(&self, chunk: &Chunk, now: Timestamp) -> bool {
        now <= chunk_end(chunk.number).plus(HELD_UP) && self.known().open_chunks.contains(chunk)
    }

    pub fn opened(&self, chunk: Chunk) {
        remember(&mut self.known().open_chunks, chunk);
    }

    /// Whether a session was opened here on a day. Only today's is asked for, which is never over.
    pub fn is_day_open(&self, day: i32, session: &SessionId) -> bool {
        self.known().open_days.contains(&(day, session.clone()))
    }

    pub fn opened_day(&self, day: i32, session: SessionId) {
        remember(&mut self.known().open_days, (day, session));
    }

    /// Whether the partition of a list was named here.
    pub fn is_listed(&self, list: &'static str, part: i32) -> bool {
        self.known().listed.contains(&(list, part))
    }

    pub fn listed(&self, list: &'static str, part: i32) {
        remember(&mut self.known().listed, (list, part));
    }

    /// Whether a day had nothing to say a moment ago.
    pub fn is_quiet(&self, list: DayList, day: i32, now: Timestamp) -> bool {
        self.known().quiet.get(&(list, day)).is_some_and(|looked| *looked <= now && now.since(*looked) < QUIET)
    }

    pub fn quiet(&self, list: DayList, day: i32, now: Timestamp) {
        let mut known = self.known();
        if known.quiet.len() >= REMEMBERED {
            known.quiet.clear();
        }
        known.quiet.insert((list, day), now);
    }

    /// The place from which a host's line is read.
    pub fn line_floor(&self, host: &str) -> i64 {
        self.known().line_floors.get(host).copied().unwrap_or(i64::MIN)
    }

    pub fn set_line_floor(&self, host: &str, line_at: i64) {
        let mut known = self.known();
        if known.line_floors.len() >= REMEMBERED {
            known.line_floors.clear();
        }
        known.line_floors.insert(host.to_owned(), line_at);
    }

    /// Into how many buckets a style is divided, if that was read a moment ago.
    pub fn style_buckets(&self, gsi1pk: &str, now: Timestamp) -> Option<u16> {
        let known = self.known().style_buckets.get(gsi1pk).copied();
        known.filter(|(_, read_at)| *read_at <= now && now.since(*read_at) < BUCKETS_BELIEVED).map(|(buckets, _)| buckets)
    }

    pub fn set_style_buckets(&self, gsi1pk: &str, buckets: u16, now: Timestamp) {
        let mut known = self.known();
        if known.style_buckets.len() >= REMEMBERED {
            known.style_buckets.clear();
        }
        known.style_buckets.insert(gsi1pk.to_owned(), (buckets, now));
    }

    /// The time from which sessions may be open or owe an alert; from time to time all of them are looked at.
    pub fn sessions_floor(&self, now: Timestamp) -> i64 {
        let fresh = |(_, looked): &(i64, Timestamp)| *looked <= now && now.since(*looked) < QUIET;
        self.known().sessions_floor.filter(fresh).map_or(i64::MIN, |(floor, _)| floor)
    }

    pub fn set_sessions_floor(&self, created_at: i64, now: Timestamp) {
        let mut known = self.known();
        let looked = known.sessions_floor.map(|(_, looked)| looked).filter(|looked| *looked <= now && now.since(*looked) < QUIET);
        known.sessions_floor = Some((created_at, looked.unwrap_or(now)));
    }
}
