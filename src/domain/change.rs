//! What a commit of an artist did, and how the feed speaks of it.

use crate::domain::ids::ArtistId;
use serde::{Deserialize, Serialize};

/// The kind of a change (002-R23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Change {
    /// The artist has a record where there was none.
    Insert,
    /// The record is another.
    Modify,
    /// The record is gone.
    Remove,
}

/// A hint of the feed that an artist's row may have changed; the row itself is the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dirty {
    /// Whose row to read again.
    pub artist_id: ArtistId,
    /// The version the writer meant to make; a row may already be newer, or the write may have failed.
    pub hint: i64,
}
