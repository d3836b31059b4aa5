//! The search port: versioned documents in, ranked pages out. Both engines index the tokens of `domain::text` by white
//! space and get canonical style and place ids, so both find the same.
//!
//! - A write carries the row's version and is refused as [`ItemAnswer::Stale`] if the index holds a higher one; the same
//!   version again is accepted. A removal is a versioned tombstone, hidden from every search, purged after seven days.
//! - Answers of [`SearchIndex::apply`] are matched by artist id, one for each operation, in their order; one bad document
//!   fails alone. Of several operations about one artist the highest version is written, [`batch`] says what the others get.
//! - While an operation of a call failed, the call's position is not committed: a checkpoint passes an artist only when it
//!   is indexed, superseded or parked, and the caller parks first and then commits the position with no operations.
//! - What matches and how it ranks is said once, in [`plan`]: each engine computes the same whole number.

pub mod batch;
pub mod document;
pub mod guarded;
pub mod letters;
#[cfg(feature = "opensearch")]
pub mod opensearch;
pub mod plan;
pub mod request;
pub mod tantivy;
pub mod token;

use crate::domain::ErrorClass;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::place::Coordinates;
use crate::feed::{Position, Shard};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why the index did not do what was asked of it as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SearchError {
    /// Busy, blocked or not reachable: waited out, counted against no document.
    #[error("the search index is not available: {0}")]
    Unavailable(String),
    /// The request can never succeed.
    #[error("the search index refuses: {0}")]
    Refused(String),
    /// A page token that was not made by this service for this query.
    #[error("the page token does not belong to this query; start again without it")]
    BadToken,
}

impl SearchError {
    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable(_) => ErrorClass::Transient,
            Self::Refused(_) | Self::BadToken => ErrorClass::Permanent,
        }
    }
}

/// What is indexed of an artist: a pure function of the row. No e-mail address, no phone number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexDocument {
    /// Printed name.
    pub name: String,
    /// Folded tokens of the name.
    pub name_tokens: Vec<String>,
    /// Printed studio name.
    pub studio: Option<String>,
    /// Style slugs.
    pub styles: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Printed city.
    pub city: Option<String>,
    /// The city as in keys: `SAO-PAULO`.
    pub city_key: Option<String>,
    /// Degrees, WGS 84.
    pub coordinates: Option<Coordinates>,
    /// Instagram handle in normal form.
    pub instagram: Option<String>,
    /// Folded tokens of studio, place, style names and bio: what free text finds besides names.
    pub text_tokens: Vec<String>,
    /// 0 to 1.
    pub completeness: f32,
}

/// One operation on the index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexOperation {
    /// About whom.
    pub artist_id: ArtistId,
    /// The row's version.
    pub version: i64,
    /// The document, or `None` for a tombstone.
    pub document: Option<IndexDocument>,
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemAnswer {
    /// It stands.
    Applied,
    /// The index holds this higher version: success for the feed.
    Stale {
        /// The version held.
        held: i64,
    },
    /// This document cannot be indexed.
    Failed(String),
}

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Folded tokens that must all match: a name's tokens, prefixes (last token), one typo (4 letters and more), or text.
    pub tokens: Vec<String>,
    /// Style slugs; an artist must hold one of them.
    pub styles: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// As in keys: `SAO-PAULO`.
    pub city_key: Option<String>,
    /// Within so many kilometres of a point.
    pub near: Option<Near>,
    /// Exactly this handle.
    pub instagram: Option<String>,
    /// Hits at most, 1 to 50.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<PageMark>,
}

/// A circle on the earth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// Its centre.
    pub centre: Coordinates,
    /// Kilometres.
    pub radius_km: f64,
}

/// Sort values of the last hit of a page: higher rank first, then the smaller id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageMark {
    /// The hit's rank as a whole number (millionths), so that it survives text exactly.
    pub rank: i64,
    /// The hit's id.
    pub artist_id: ArtistId,
}

/// One hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Who.
    pub artist_id: ArtistId,
    /// The version indexed.
    pub version: i64,
    /// Rank in millionths.
    pub rank: i64,
    /// What a list shows.
    pub document: IndexDocument,
}

/// How many hits have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetCount {
    /// The value: a style slug, a country code, or a city key.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// Counts beside a search; each facet is counted under the query without its own filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    /// By style slug, most first, then by value.
    pub styles: Vec<FacetCount>,
    /// By country code, in the same order.
    pub countries: Vec<FacetCount>,
    /// By city key (within the query's country if it names one), in the same order.
    pub cities: Vec<FacetCount>,
}

/// A page of hits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPage {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Hits in all.
    pub total: u64,
    /// Where this page ended, if there is more.
    pub next: Option<PageMark>,
}

/// An entry as reconcile compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedVersion {
    /// Who.
    pub artist_id: ArtistId,
    /// The version indexed.
    pub version: i64,
    /// Whether it is a tombstone.
    pub deleted: bool,
}

/// The search index.
#[async_trait]
pub trait SearchIndex: std::fmt::Debug + Send + Sync {
    /// Applies operations and, where the index can, commits `position` with them unless one failed; when it answers, what
    /// was applied is searchable. Answers by artist id, one for each operation. No operations: commits the position alone.
    async fn apply(
        &self,
        operations: Vec<IndexOperation>,
        position: Option<(Shard, Position)>,
    ) -> Result<Vec<(ArtistId, ItemAnswer)>, SearchError>;

    /// The position committed with the documents; `None` if the index cannot keep one or has none yet.
    async fn position(&self, shard: Shard) -> Result<Option<Position>, SearchError>;

    /// Whether the index commits positions itself.
    fn keeps_position(&self) -> bool;

    /// A name for what it holds: another once the index was cleared, replaced or lost. Where the index keeps no position,
    /// the feed keeps it under this name, so that an index without its documents never has the position of one with them.
    /// May be a second behind: whoever goes on under an older name repeats work and skips none.
    async fn generation(&self) -> Result<String, SearchError>;

    /// A page of hits. A limit outside 1 to 50 is refused.
    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchError>;

    /// Counts beside a search, at most [`plan::FACET_VALUES_MAX`] values each; `limit` and `after` do not matter.
    async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError>;

    /// What the index holds, in the order of ids after `after`, tombstones included.
    async fn scan(&self, after: Option<&ArtistId>, limit: usize) -> Result<Vec<IndexedVersion>, SearchError>;

    /// Drops tombstones whose version is older than `before`.
    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError>;

    /// Drops everything, positions included: the first step of a rebuild.
    async fn clear(&self) -> Result<(), SearchError>;

    /// Begins an empty index beside the one that is searched and written; `None` where there can be only one, which is
    /// cleared and filled instead. One rebuild runs at a time: what an earlier one left is dropped.
    async fn begin_replacement(&self) -> Result<Option<Arc<dyn Replacement>>, SearchError> {
        Ok(None)
    }
}

/// A new index beside the one that is searched, until it takes its place.
#[async_trait]
pub trait Replacement: std::fmt::Debug + Send + Sync {
    /// The new index. Until [`Replacement::loaded`] what is applied to it need not be searchable.
    fn index(&self) -> Arc<dyn SearchIndex>;

    /// Ends the load: what was applied can be scanned and searched. What is applied later is so once it took its place.
    async fn loaded(&self) -> Result<(), SearchError>;

    /// Puts it in the place of the old one in one step, all that was applied searchable: every search and every write goes to
    /// one of the two. After [`Replacement::loaded`].
    async fn take_place(&self) -> Result<(), SearchError>;

    /// Drops the old one, once no search that began there is under way.
    async fn drop_old(&self) -> Result<(), SearchError>;

    /// Drops the new one instead, unless it is in place all the same. A failure is logged: the next rebuild drops it.
    async fn abandon(&self);
}
