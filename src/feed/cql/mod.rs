//! The feed in CQL: rows by shard and ten seconds, named before a change and once more after it, read by two lanes.
//!
//! - The fine lane reads the newest buckets again and again, an overlap back, and hands out what it has not handed out yet.
//! - The wide lane looks at each closed bucket once more after 30 s and after 180 s, and hands it out again if it holds
//!   anything else than before: a row whose writer's clock is behind, or that was long under way.
//! - Both go on from the saved position, never from now, and a position passes a bucket only after its last look.
//!
//! What was handed out is in the position itself, so a reader that starts again knows it, and one that goes back repeats.

mod lanes;
mod place;

use crate::domain::clock::Timestamp;
use crate::feed::{ChangeFeed, FeedBatch, FeedError, Position, Shard};
use crate::store::cql::{CqlDb, feed};
use async_trait::async_trait;
use place::Place;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The first pause of an idle reader; it doubles from there. What this process adds wakes the reader; with a shorter pause the
/// looks for what others add cost the database more than the changes do.
const IDLE_FIRST: Duration = Duration::from_millis(80);

/// How long a reader that is woken waits for more: a look costs the same for one row and for many.
const GATHER: Duration = Duration::from_millis(20);

/// The times of the feed's readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedTimes {
    /// How far back a reader may go; at most the six days that rows are sure to stand.
    pub retention: Duration,
    /// How far back the fine lane reads what it has handed out before: by how much writers' clocks may differ for their
    /// changes to be found at once.
    pub overlap: Duration,
    /// When the wide lane looks at a bucket again, counted from its end: the first and the last time.
    pub looks: [Duration; 2],
    /// The longest pause of an idle reader.
    pub idle_max: Duration,
}

impl Default for FeedTimes {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(3 * 86_400),
            overlap: Duration::from_secs(2),
            looks: [Duration::from_secs(30), Duration::from_secs(180)],
            idle_max: Duration::from_millis(250),
        }
    }
}

/// The feed of a keyspace. A position is a JSON object.
#[derive(Debug)]
pub struct CqlFeed {
    db: Arc<CqlDb>,
    times: FeedTimes,
    /// The pause that each idle shard has come to.
    idle: Mutex<HashMap<Shard, Duration>>,
}

impl CqlFeed {
    /// The feed of an open keyspace.
    pub fn new(db: Arc<CqlDb>, times: FeedTimes) -> Self {
        Self { db, times, idle: Mutex::default() }
    }

    fn known(&self, shard: Shard) -> Result<(), FeedError> {
        if shard.0 < self.db.feed_shards() { Ok(()) } else { Err(FeedError::BadPosition(format!("shard {}", shard.0))) }
    }

    /// The pause before the next look; the one after it is twice as long.
    fn pause(&self, shard: Shard) -> Duration {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = idle.entry(shard).or_insert(IDLE_FIRST.min(self.times.idle_max));
        let now = *pause;
        *pause = (now * 2).min(self.times.idle_max);
        now
    }

    fn is_busy(&self, shard: Shard) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&shard);
    }
}

#[async_trait]
impl ChangeFeed for CqlFeed {
    async fn shards(&self) -> Result<Vec<Shard>, FeedError> {
        Ok((0..self.db.feed_shards()).map(Shard).collect())
    }

    async fn poll(&self, shard: Shard, after: Option<&Position>, max: usize, wait: Duration) -> Result<FeedBatch, FeedError> {
        self.known(shard)?;
        let mut place = match after {
            Some(position) => Place::read(position, shard, self.db.now())?,
            None => Place::beginning(shard, &self.times, self.db.now()),
        };
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        let mut last = wait.is_zero();
        let mut grown = self.db.feed_grown(shard.0);
        loop {
            // Seen before the look: what is added after it is not slept through.
            grown.mark_unchanged();
            let dirty = lanes::look(&self.db, &self.times, &mut place, max).await?;
            if !dirty.is_empty() {
                self.is_busy(shard);
            }
            if !dirty.is_empty() || last || max == 0 {
                return Ok(FeedBatch { dirty, next: place.write()? });
            }
            tokio::select! {
                () = &mut over => last = true,
                // This process has added something, and what it adds in the next moment is read with it.
                _woken = grown.changed() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(self.pause(shard)) => {}
            }
        }
    }

    async fn head(&self, shard: Shard) -> Result<Position, FeedError> {
        self.known(shard)?;
        Place::head(shard, &self.times, self.db.now()).write()
    }

    /// Rows run out by themselves.
    async fn prune(&self, _before: Timestamp) -> Result<u64, FeedError> {
        Ok(0)
    }

    async fn saved(&self, reader: &str, shard: Shard) -> Result<Option<(Position, u64)>, FeedError> {
        self.known(shard)?;
        let saved = feed::saved(&self.db, reader, shard.0).await?;
        Ok(saved.map(|(position, epoch)| (Position(position), epoch)))
    }

    async fn save(&self, reader: &str, shard: Shard, epoch: u64, position: &Position) -> Result<bool, FeedError> {
        self.known(shard)?;
        Place::read(position, shard, self.db.now())?;
        Ok(feed::save(&self.db, reader, shard.0, epoch, &position.0).await?)
    }
}
