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
use tokio::sync::watch;

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
    /// What each shard's reader has come to.
    readers: Mutex<HashMap<Shard, Reader>>,
}

/// What the last look at a shard came to.
#[derive(Debug, Clone)]
struct Reader {
    /// The pause before the next look.
    pause: Duration,
    /// How much this process had added when it looked.
    grown: u64,
    /// Who goes on from here was handed all there was: a look right after that one finds nothing but what was added since.
    has_all_to: Option<Position>,
}

impl CqlFeed {
    /// The feed of an open keyspace.
    pub fn new(db: Arc<CqlDb>, times: FeedTimes) -> Self {
        Self { db, times, readers: Mutex::default() }
    }

    fn known(&self, shard: Shard) -> Result<(), FeedError> {
        if shard.0 < self.db.feed_shards() { Ok(()) } else { Err(FeedError::BadPosition(format!("shard {}", shard.0))) }
    }

    fn reader(&self, shard: Shard) -> Reader {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.get(&shard).cloned().unwrap_or_else(|| Reader { pause: self.first_pause(), grown: 0, has_all_to: None })
    }

    fn set_reader(&self, shard: Shard, reader: Reader) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, reader);
    }

    fn first_pause(&self) -> Duration {
        IDLE_FIRST.min(self.times.idle_max)
    }
}

/// Waits until this process has added something since.
async fn has_grown(grown: &mut watch::Receiver<u64>, since: u64) {
    if grown.wait_for(|grown| *grown != since).await.is_err() {
        // Nobody of this process will add anything any more.
        std::future::pending::<()>().await;
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
        let mut reader = self.reader(shard);
        let mut looks_now = last || after.is_none() || reader.has_all_to.as_ref() != after;
        loop {
            if looks_now {
                // Seen before the look: what is added after it is not slept through.
                reader.grown = *grown.borrow();
                let dirty = lanes::look(&self.db, &self.times, &mut place, max).await?;
                if !dirty.is_empty() {
                    reader.pause = self.first_pause();
                }
                if !dirty.is_empty() || last || max == 0 {
                    let next = place.write()?;
                    reader.has_all_to = (dirty.len() < max).then(|| next.clone());
                    self.set_reader(shard, reader);
                    return Ok(FeedBatch { dirty, next });
                }
            }
            tokio::select! {
                () = &mut over => last = true,
                // This process has added something, and what it adds in the next moment is read with it.
                () = has_grown(&mut grown, reader.grown) => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(reader.pause) => reader.pause = (reader.pause * 2).min(self.times.idle_max),
            }
            looks_now = true;
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
