//! Where a reader stands in a shard, with what it has been handed: all that the lanes need to go on.

use super::FeedTimes;
use crate::domain::clock::Timestamp;
use crate::feed::{FeedError, Position, Shard};
use crate::store::cql::feed::{BUCKET_TICKS, FeedRow, bucket_of};
use crate::store::cql::stamps::{ticks, ticks_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// The only form there has been.
const FORM: u8 = 1;

/// By how much a writer's clock may differ from a reader's: five seconds each against the database's.
pub(super) const CLOCKS_APART: Duration = Duration::from_secs(10);

/// A position this far ahead of the clock was never given here.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// Rows remembered after the floor; more raise it.
const SEEN_MAX: usize = 200;

/// What a bucket held when it was handed out: how many rows, and their hashes combined so that order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest(u32, u64);

impl Digest {
    pub fn add(&mut self, id: Uuid) {
        self.0 = self.0.wrapping_add(1);
        self.1 ^= hash(id);
    }

    pub fn of(rows: &[FeedRow]) -> Self {
        let mut digest = Self::default();
        rows.iter().for_each(|row| digest.add(row.id));
        digest
    }
}

/// A hash of an id (splitmix64 of both halves): ids are unlike each other in few bits.
fn hash(id: Uuid) -> u64 {
    let (upper, lower) = id.as_u64_pair();
    let mix = |value: u64| {
        let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    mix(upper ^ mix(lower))
}

/// A closed bucket that is being handed out again and did not fit one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Partly {
    /// Which look: 0 the first, 1 the last.
    pub look: usize,
    pub bucket: i64,
    pub after: Uuid,
}

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    form: u8,
    shard: u16,
    /// The first bucket that has not been looked at again for the first time, and for the last.
    pub looks: [i64; 2],
    /// The fine lane has handed out everything up to here, in ticks since 1970.
    pub floor: i64,
    /// What it has handed out after the floor: ticks, and a hash, since two writers may share one.
    seen: BTreeSet<(i64, u32)>,
    /// What the buckets before their last look held when handed out.
    sums: BTreeMap<i64, Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partly: Option<Partly>,
}

fn seen_as(id: Uuid) -> (i64, u32) {
    // The lower half of the hash is enough beside the tick.
    (ticks_of(id), u32::try_from(hash(id) & 0xffff_ffff).unwrap_or(0))
}

impl Place {
    fn at(shard: Shard, bucket: i64) -> Self {
        Self {
            form: FORM,
            shard: shard.0,
            looks: [bucket, bucket],
            floor: bucket * BUCKET_TICKS - 1,
            seen: BTreeSet::new(),
            sums: BTreeMap::new(),
            partly: None,
        }
    }

    /// The first bucket that readers are still promised.
    pub fn first_kept(times: &FeedTimes, now: Timestamp) -> i64 {
        bucket_of(ticks(now.minus(times.retention)))
    }

    /// Before everything the feed holds.
    pub fn beginning(shard: Shard, times: &FeedTimes, now: Timestamp) -> Self {
        Self::at(shard, Self::first_kept(times, now))
    }

    /// Before everything that is committed from now on, also by writers that are between their first entry and the row.
    pub fn head(shard: Shard, times: &FeedTimes, now: Timestamp) -> Self {
        Self::at(shard, bucket_of(ticks(now.minus(times.looks[1]).minus(CLOCKS_APART))))
    }

    /// Reads a position back.
    pub fn read(position: &Position, shard: Shard, now: Timestamp) -> Result<Self, FeedError> {
        let bad = || FeedError::BadPosition(position.0.clone());
        let place: Self = serde_json::from_str(&position.0).map_err(|_| bad())?;
        let ahead = place.looks[0] > bucket_of(ticks(now.plus(AHEAD_MAX)));
        let lost = place.partly.as_ref().is_some_and(|partly| partly.look > 1);
        if place.form != FORM || place.shard != shard.0 || place.looks[1] > place.looks[0] || place.looks[1] < 0 || ahead || lost {
            return Err(bad());
        }
        Ok(place)
    }

    pub fn write(&self) -> Result<Position, FeedError> {
        let text = serde_json::to_string(self).map_err(|error| FeedError::Unavailable(format!("a position cannot be written: {error}")))?;
        Ok(Position(text))
    }

    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// A clock that was set back takes the place with it: what is written from now on is then after it.
    pub fn follow_clock(&mut self, times: &FeedTimes, now: Timestamp) {
        if self.floor > ticks(now.plus(CLOCKS_APART)) {
            for (look, delay) in self.looks.iter_mut().zip(times.looks) {
                *look = (*look).min(last_due(now, delay) + 1);
            }
        }
        self.floor = self.floor.min(ticks(now));
    }

    /// How many rows after the floor the fine lane has to read past.
    pub fn seen_count(&self) -> usize {
        self.seen.len()
    }

    /// Takes note of a row that the fine lane meets; answers whether it is new.
    pub fn meet(&mut self, row: &FeedRow) -> bool {
        let is_new = self.seen.insert(seen_as(row.id));
        if is_new {
            self.sums.entry(bucket_of(ticks_of(row.id))).or_default().add(row.id);
        }
        is_new
    }

    /// Whether a bucket holds just what was handed out of it.
    pub fn is_same(&self, bucket: i64, rows: &[FeedRow]) -> bool {
        rows.is_empty() || self.sums.get(&bucket) == Some(&Digest::of(rows))
    }

    /// Remembers what a bucket holds as it is handed out.
    pub fn set_sum(&mut self, bucket: i64, rows: &[FeedRow]) {
        self.sums.insert(bucket, Digest::of(rows));
    }

    /// A look has passed everything before `bucket`.
    pub fn passed(&mut self, look: usize, bucket: i64) {
        self.looks[look] = self.looks[look].max(bucket);
        // The last look is also the first, of buckets that had none.
        self.looks[0] = self.looks[0].max(self.looks[1]);
        let first_open = self.looks[1];
        self.sums.retain(|bucket, _| *bucket >= first_open);
        self.raise_floor(self.looks[0] * BUCKET_TICKS - 1);
    }

    /// Everything before `bucket` is no longer kept, and nothing of it was missed.
    pub fn skip_to(&mut self, bucket: i64) {
        self.partly = None;
        self.passed(1, bucket);
    }

    /// The fine lane has read up to `now`, `all` of it or as much as fitted.
    pub fn fine_lane_read(&mut self, times: &FeedTimes, now: Timestamp, all: bool) {
        if let Some((newest, _)) = self.seen.last().copied() {
            // A writer whose clock is ahead must not hide the others.
            self.raise_floor(newest.min(ticks(now)) - ticks(Timestamp(0).plus(times.overlap)));
        }
        if all {
            self.raise_floor((bucket_of(ticks(now)) - 1) * BUCKET_TICKS - 1);
        }
        if let Some((forgotten, _)) = self.seen.len().checked_sub(SEEN_MAX + 1).and_then(|n| self.seen.iter().nth(n)).copied() {
            self.raise_floor(forgotten);
        }
    }

    fn raise_floor(&mut self, floor: i64) {
        if floor > self.floor {
            self.floor = floor;
            self.seen = self.seen.split_off(&(floor.saturating_add(1), 0));
        }
    }
}

/// The last bucket that has been over for `delay`.
pub(super) fn last_due(now: Timestamp, delay: Duration) -> i64 {
    bucket_of(ticks(now.minus(delay))) - 1
}
