//! The embedded feed: a gapless sequence that the store appends to in the transaction of the change.

use crate::domain::clock::Timestamp;
use crate::feed::{ChangeFeed, FeedBatch, FeedError, Position, Shard};
use crate::store::StoreError;
use crate::store::sqlite::{SqliteDb, feed};
use async_trait::async_trait;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

/// The one shard.
pub const SHARD: Shard = Shard(0);

/// The feed of a SQLite file. A position is a sequence number in decimal.
#[derive(Debug, Clone)]
pub struct SqliteFeed {
    db: Arc<SqliteDb>,
}

impl SqliteFeed {
    /// The feed of an open database.
    pub fn new(db: Arc<SqliteDb>) -> Self {
        Self { db }
    }
}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn position(seq: i64) -> Position {
    Position(seq.to_string())
}

fn only(shard: Shard) -> Result<(), FeedError> {
    if shard == SHARD { Ok(()) } else { Err(FeedError::BadPosition(format!("shard {}", shard.0))) }
}

/// The sequence number of a position, if it has the form that [`position`] writes.
fn sequence(position: &Position) -> Result<i64, FeedError> {
    let seq = position.0.parse::<i64>().ok().filter(|seq| *seq >= 0 && seq.to_string() == position.0);
    seq.ok_or_else(|| FeedError::BadPosition(position.0.clone()))
}

/// Why a position that can be read cannot be gone on from.
enum Gone {
    TooOld,
    Ahead,
}

fn read(connection: &Connection, after: Option<i64>, max: usize) -> Result<Result<FeedBatch, Gone>, StoreError> {
    let floor = feed::floor(connection)?;
    let after = after.unwrap_or(floor);
    if after < floor {
        return Ok(Err(Gone::TooOld));
    }
    let entries = feed::entries(connection, after, max)?;
    // A position never given: the index belongs to another database, or the database is an older copy.
    if entries.is_empty() && after > feed::head(connection)? {
        return Ok(Err(Gone::Ahead));
    }
    let next = position(entries.last().map_or(after, |(seq, _)| *seq));
    Ok(Ok(FeedBatch { dirty: entries.into_iter().map(|(_, dirty)| dirty).collect(), next }))
}

#[async_trait]
impl ChangeFeed for SqliteFeed {
    async fn shards(&self) -> Result<Vec<Shard>, FeedError> {
        Ok(vec![SHARD])
    }

    async fn poll(&self, shard: Shard, after: Option<&Position>, max: usize, wait: Duration) -> Result<FeedBatch, FeedError> {
        only(shard)?;
        let seq = after.map(sequence).transpose()?;
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        let mut last = wait.is_zero();
        let mut grown = self.db.feed_grown();
        loop {
            // Seen before the read: what is committed after it is not slept through.
            grown.mark_unchanged();
            let batch = match self.db.read(move |connection| read(connection, seq, max)).await? {
                Ok(batch) => batch,
                Err(Gone::TooOld) => return Err(FeedError::TooOld),
                Err(Gone::Ahead) => return Err(FeedError::BadPosition(after.map(|position| position.0.clone()).unwrap_or_default())),
            };
            if !batch.dirty.is_empty() || last || max == 0 {
                return Ok(batch);
            }
            tokio::select! {
                () = &mut over => last = true,
                // Woken: the next look decides.
                _woken = grown.changed() => {}
            }
        }
    }

    async fn head(&self, shard: Shard) -> Result<Position, FeedError> {
        only(shard)?;
        Ok(position(self.db.read(feed::head).await?))
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, FeedError> {
        let mut pruned = 0;
        loop {
            let chunk = self.db.write(move |txn| feed::prune_chunk(txn.connection, before)).await?;
            if chunk == 0 {
                return Ok(pruned);
            }
            pruned += chunk;
        }
    }

    async fn saved(&self, reader: &str, shard: Shard) -> Result<Option<(Position, u64)>, FeedError> {
        only(shard)?;
        let reader = reader.to_owned();
        let saved = self.db.read(move |connection| feed::saved(connection, &reader, shard.0)).await?;
        Ok(saved.map(|(position, epoch)| (Position(position), epoch)))
    }

    async fn save(&self, reader: &str, shard: Shard, epoch: u64, position: &Position) -> Result<bool, FeedError> {
        only(shard)?;
        sequence(position)?;
        let (reader, position) = (reader.to_owned(), position.0.clone());
        Ok(self.db.write(move |txn| feed::save(txn.connection, &reader, shard.0, epoch, &position)).await?)
    }
}
