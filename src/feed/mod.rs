//! The reading side of the change feed (rule 7): `poll` answers who may have changed, never what.
//!
//! - After a commit of a change the artist is named **at least once**; in any order; false alarms and repeats are allowed.
//! - A [`Position`] is opaque; polling again from an older one repeats, never skips.
//! - A position older than what the feed still holds answers [`FeedError::TooOld`]: the index must be rebuilt by a scan.
//! - Appending belongs to the store adapter. The position is kept by the index where it can commit one, else saved here.

#[cfg(feature = "cql")]
pub mod cql;
pub mod sqlite;

use crate::domain::ErrorClass;
use crate::domain::change::Dirty;
use crate::domain::clock::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A part of the feed that is read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

/// Where a reader stands in a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub String);

/// What a poll found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedBatch {
    /// Whose rows to read again.
    pub dirty: Vec<Dirty>,
    /// Where to go on once all of them are indexed, superseded or parked.
    pub next: Position,
}

/// Why the feed did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FeedError {
    /// Not reachable or busy: repeat.
    #[error("the change feed is not available: {0}")]
    Unavailable(String),
    /// The position lies before what the feed still holds.
    #[error("the change feed no longer reaches back to the index's position; the index has to be rebuilt from the store")]
    TooOld,
    /// The position was not written by this feed.
    #[error("`{0}` is no position of this feed")]
    BadPosition(String),
}

impl FeedError {
    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable(_) => ErrorClass::Transient,
            Self::TooOld | Self::BadPosition(_) => ErrorClass::Permanent,
        }
    }
}

/// The change feed.
#[async_trait]
pub trait ChangeFeed: std::fmt::Debug + Send + Sync {
    /// The shards there are.
    async fn shards(&self) -> Result<Vec<Shard>, FeedError>;

    /// Who changed after `after` (`None`: the beginning of what the feed holds), at most `max`, waiting at most `wait`.
    async fn poll(&self, shard: Shard, after: Option<&Position>, max: usize, wait: Duration) -> Result<FeedBatch, FeedError>;

    /// The position now: everything committed later is after it. Where a rebuild begins to follow the feed.
    async fn head(&self, shard: Shard) -> Result<Position, FeedError>;

    /// Drops entries made before `before`, where the feed does not forget by itself; a reader that stands further back is told
    /// [`FeedError::TooOld`]. Answers how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, FeedError>;

    /// The saved position of a reader and its epoch, for indexes that cannot commit one.
    async fn saved(&self, reader: &str, shard: Shard) -> Result<Option<(Position, u64)>, FeedError>;

    /// Saves a position if the stored epoch is still `epoch` (0 if none is stored), and raises it by one. Answers whether
    /// it was. Of two readers of one name only one goes on; the other reads `saved` again.
    async fn save(&self, reader: &str, shard: Shard, epoch: u64, position: &Position) -> Result<bool, FeedError>;
}
