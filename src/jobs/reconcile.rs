//! Compares table and index both ways and repairs what differs; and the rebuild of an index that the feed cannot reach.

use crate::domain::artist::ArtistRow;
use crate::domain::ids::ArtistId;
use crate::feed::{Position, Shard};
use crate::jobs::sync_index::{SyncSettings, sync};
use crate::jobs::{Desk, PortError, Ports};
use crate::search::{IndexOperation, IndexedVersion};
use serde::Serialize;
use std::collections::BTreeMap;
use tracing::info;

/// Rows read at once.
const PAGE: usize = 500;

/// How table and index differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Rows compared.
    pub rows: u64,
    /// Live or deleted rows that the index lacks.
    pub missing: Vec<ArtistId>,
    /// Entries older or newer than their row, or live where the row is not.
    pub differing: Vec<ArtistId>,
    /// Entries without a row.
    pub unknown: Vec<ArtistId>,
    /// Rows that do not pass their own hash.
    pub unsound: Vec<ArtistId>,
}

impl Drift {
    /// Whether table and index say the same.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.differing.is_empty() && self.unknown.is_empty() && self.unsound.is_empty()
    }
}

/// Compares every row with the index.
///
/// # Errors
/// A part of ours failed.
pub async fn compare(ports: &Ports) -> Result<Drift, PortError> {
    let mut indexed = whole_index(ports).await?;
    let mut drift = Drift::default();
    let mut after = None;
    loop {
        let rows = ports.store.scan_artists(after.as_ref(), PAGE).await?;
        for row in &rows {
            drift.rows += 1;
            if !row.is_sound() {
                drift.unsound.push(row.id.clone());
            }
            let live = row.live().is_some();
            match indexed.remove(&row.id) {
                // A tombstone may have been purged; a live row must be there.
                None if live => drift.missing.push(row.id.clone()),
                None => {}
                Some(entry) if entry.version != row.version || entry.deleted == live => drift.differing.push(row.id.clone()),
                Some(_) => {}
            }
        }
        match rows.last() {
            Some(row) => after = Some(row.id.clone()),
            None => break,
        }
    }
    drift.unknown = indexed.into_values().filter(|entry| !entry.deleted).map(|entry| entry.artist_id).collect();
    Ok(drift)
}

async fn whole_index(ports: &Ports) -> Result<BTreeMap<ArtistId, IndexedVersion>, PortError> {
    let mut entries = BTreeMap::new();
    let mut after = None;
    loop {
        let page = ports.index.scan(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = Some(last.artist_id.clone());
        entries.extend(page.into_iter().map(|entry| (entry.artist_id.clone(), entry)));
    }
}

/// Compares and repairs: rows that differ are indexed again, entries without a row get a tombstone.
///
/// # Errors
/// A part of ours failed; repeat.
pub async fn repair(ports: &Ports, desk: &dyn Desk, settings: &SyncSettings) -> Result<Drift, PortError> {
    let drift = compare(ports).await?;
    let differing: Vec<&ArtistId> = drift.missing.iter().chain(&drift.differing).collect();
    for batch in differing.chunks(PAGE) {
        sync(ports, desk, settings, &batch.iter().map(|id| (*id).clone()).collect(), None).await?;
    }
    let now = ports.clock.now().0;
    for batch in drift.unknown.chunks(PAGE) {
        let tombstone = |id: &ArtistId| IndexOperation { artist_id: id.clone(), version: now, document: None };
        ports.index.apply(batch.iter().map(tombstone).collect(), None).await?;
    }
    Ok(drift)
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows indexed.
    pub rows: u64,
    /// Where to follow the feed from; committed already by an index that keeps positions.
    pub heads: Vec<(Shard, Position)>,
    /// Too many documents were refused: it stopped there, and no position was committed.
    pub halted: bool,
}

/// Builds the index again from the store: everything committed after it began is found by the feed from the position kept.
///
/// # Errors
/// A part of ours failed; repeat from the beginning.
pub async fn rebuild(ports: &Ports, desk: &dyn Desk, settings: &SyncSettings) -> Result<Rebuilt, PortError> {
    let mut heads: Vec<(Shard, Position)> = Vec::new();
    for shard in ports.feed.shards().await? {
        heads.push((shard, ports.feed.head(shard).await?));
    }
    ports.index.clear().await?;
    let (mut count, mut after) = (0, None);
    loop {
        let rows: Vec<ArtistRow> = ports.store.scan_artists(after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id.clone());
        count += rows.len() as u64;
        let synced = sync(ports, desk, settings, &rows.into_iter().map(|row| row.id).collect(), None).await?;
        if synced.halted {
            return Ok(Rebuilt { rows: count, heads: Vec::new(), halted: true });
        }
        info!(rows = count, "rebuilding the index: {count} rows");
    }
    if ports.index.keeps_position() {
        for head in &heads {
            ports.index.apply(Vec::new(), Some(head.clone())).await?;
        }
    }
    Ok(Rebuilt { rows: count, heads, halted: false })
}
