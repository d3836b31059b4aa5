//! Compares table, keys and index both ways and repairs what differs; and the rebuild of an index that the feed cannot reach.

use crate::domain::artist::ArtistRow;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{ArtistKeys, TableKey};
use crate::feed::{Position, Shard};
use crate::jobs::sync_index::{SyncSettings, advance, note_parked, operation_for, standing, sync};
use crate::jobs::{Desk, PortError, Ports};
use crate::search::{IndexOperation, IndexedVersion, ItemAnswer};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;
use tracing::info;

/// Rows read at once.
pub(crate) const PAGE: usize = 500;
/// How often what differs is looked at again before it counts, where others write meanwhile.
pub(crate) const LOOKS: usize = 2;
/// The pause before that, in which the index catches up.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(1);

/// How table, keys and index differ.
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
    /// Artists of whose keys some are not in the key tables.
    pub keys_missing: Vec<ArtistId>,
    /// Artists of whom the key tables hold more than their row does.
    pub keys_surplus: Vec<ArtistId>,
    /// How many entries each style has.
    #[serde(skip)]
    pub style_entries: BTreeMap<String, u64>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [missing, differing, unknown, unsound] = [&self.missing, &self.differing, &self.unknown, &self.unsound].map(Vec::len);
        let (rows, lacking, surplus) = (self.rows, self.keys_missing.len(), self.keys_surplus.len());
        write!(f, "of {rows} rows {missing} are missing, {differing} differ, {unknown} entries have no row, {unsound} rows are unsound, ")?;
        write!(f, "{lacking} lack keys, {surplus} have keys that they should not")
    }
}

impl Drift {
    /// Whether table, keys and index say the same.
    pub fn is_none(&self) -> bool {
        let of_the_index = [&self.missing, &self.differing, &self.unknown, &self.unsound];
        of_the_index.into_iter().chain([&self.keys_missing, &self.keys_surplus]).all(Vec::is_empty)
    }

    /// What differed then and differs now.
    fn still_in(self, now: Self) -> Self {
        let both = |then: Vec<ArtistId>, now: Vec<ArtistId>| {
            let then: HashSet<ArtistId> = then.into_iter().collect();
            now.into_iter().filter(|id| then.contains(id)).collect()
        };
        // A row may be missing in one look and of an older version in the next.
        let out_of_step: Vec<ArtistId> = self.missing.into_iter().chain(self.differing).collect();
        Self {
            rows: now.rows,
            missing: both(out_of_step.clone(), now.missing),
            differing: both(out_of_step, now.differing),
            unknown: both(self.unknown, now.unknown),
            unsound: both(self.unsound, now.unsound),
            keys_missing: both(self.keys_missing, now.keys_missing),
            keys_surplus: both(self.keys_surplus, now.keys_surplus),
            style_entries: now.style_entries,
        }
    }
}

/// Compares every row with its keys and with the index.
///
/// # Errors
/// A part of ours failed.
pub async fn compare(ports: &Ports) -> Result<Drift, PortError> {
    let mut indexed = whole_index(ports).await?;
    let mut keyed = whole_keys(ports).await?;
    let mut drift = Drift { style_entries: entries_by_style(&keyed), ..Drift::default() };
    let mut after = None;
    loop {
        let rows = ports.store.scan_artists(after.as_ref(), PAGE).await?;
        for row in &rows {
            drift.rows += 1;
            if !row.is_sound() {
                drift.unsound.push(row.id.clone());
            }
            let live = row.live().is_some();
            let keys = row.live().map(|record| ArtistKeys::of(&row.id, record).rows()).unwrap_or_default();
            let held = keyed.remove(&row.id).unwrap_or_default();
            // What a damaged row holds is not known.
            if row.is_sound() && !keys.is_subset(&held) {
                drift.keys_missing.push(row.id.clone());
            }
            if row.is_sound() && !held.is_subset(&keys) {
                drift.keys_surplus.push(row.id.clone());
            }
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
    drift.keys_surplus.extend(keyed.into_keys());
    drift.unknown = indexed.into_values().filter(|entry| !entry.deleted).map(|entry| entry.artist_id).collect();
    Ok(drift)
}

/// Compares. Where the index is shared, others write meanwhile: what differs is looked at again after a pause, in which the
/// index catches up, and counts only if it still does.
///
/// # Errors
/// A part of ours failed.
pub async fn compare_steadily(ports: &Ports) -> Result<Drift, PortError> {
    let mut drift = compare(ports).await?;
    let looks = if ports.index.keeps_position() { 0 } else { LOOKS };
    for _ in 0..looks {
        if drift.is_none() {
            break;
        }
        tokio::time::sleep(CATCH_UP).await;
        drift = drift.still_in(compare(ports).await?);
    }
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

/// What the key tables hold of each artist.
async fn whole_keys(ports: &Ports) -> Result<BTreeMap<ArtistId, BTreeSet<TableKey>>, PortError> {
    let mut keys: BTreeMap<ArtistId, BTreeSet<TableKey>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = ports.store.scan_keys(after.as_deref(), PAGE).await?;
        for (id, key) in page.rows {
            keys.entry(id).or_default().insert(key);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

fn entries_by_style(keyed: &BTreeMap<ArtistId, BTreeSet<TableKey>>) -> BTreeMap<String, u64> {
    let mut entries = BTreeMap::new();
    for key in keyed.values().flatten() {
        if let TableKey::Style(style) = key {
            *entries.entry(style.gsi1pk.clone()).or_default() += 1;
        }
    }
    entries
}

/// Compares steadily and repairs: styles that have grown large are spread, keys are made what their rows say, rows that differ are indexed again, entries without a
/// row get a tombstone.
///
/// # Errors
/// A part of ours failed; repeat.
pub async fn repair(ports: &Ports, desk: &dyn Desk, settings: &SyncSettings) -> Result<Drift, PortError> {
    let drift = compare_steadily(ports).await?;
    for (style, entries) in &drift.style_entries {
        if let Some(buckets) = ports.store.spread_style(style, *entries).await? {
            info!(entries, "{style} has {entries} entries and is spread over {buckets} partitions, artist by artist as they are written");
        }
    }
    if !drift.keys_missing.is_empty() || !drift.keys_surplus.is_empty() {
        let held = whole_keys(ports).await?;
        for id in drift.keys_missing.iter().chain(&drift.keys_surplus) {
            let met: Vec<TableKey> = held.get(id).into_iter().flatten().cloned().collect();
            ports.store.mend_keys(id, &met).await?;
        }
    }
    let differing: Vec<&ArtistId> = drift.missing.iter().chain(&drift.differing).collect();
    for batch in differing.chunks(PAGE) {
        // As the feed would: an entry above its row raises the row, one that is refused is parked and told.
        sync(ports, desk, settings, &batch.iter().map(|id| (*id).clone()).collect(), None).await?;
    }
    let now = ports.clock.now().0;
    let tombstone = |id: &ArtistId| IndexOperation { artist_id: id.clone(), version: now, document: None };
    let unknown: Vec<IndexOperation> = drift.unknown.iter().map(tombstone).collect();
    for batch in unknown.chunks(PAGE) {
        write(ports, batch).await?;
    }
    Ok(drift)
}

/// Fills the index from the store: everything committed after it began is found by the feed from the position kept. An index
/// that keeps its position is emptied before; one that does not may be searched by others meanwhile, and every row of the
/// store, tombstones included, comes to it in its version.
///
/// # Errors
/// A part of ours failed; repeat from the beginning.
pub async fn rebuild(ports: &Ports) -> Result<u64, PortError> {
    let heads = heads(ports).await?;
    if ports.index.keeps_position() {
        ports.index.clear().await?;
    }
    let mut filling = Filling::default();
    while filling.step(ports).await? {}
    for (shard, head) in heads {
        let standing = standing(ports, shard).await?;
        if advance(ports, shard, &standing, &head).await?.is_none() {
            info!("another process has filled the index as well");
        }
    }
    Ok(filling.rows)
}

/// Where the feed is now in every shard.
pub(crate) async fn heads(ports: &Ports) -> Result<Vec<(Shard, Position)>, PortError> {
    let mut heads = Vec::new();
    for shard in ports.feed.shards().await? {
        heads.push((shard, ports.feed.head(shard).await?));
    }
    Ok(heads)
}

/// A walk through all rows into the index.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    /// Rows so far.
    pub rows: u64,
    /// Of those, the ones that could not be indexed and were parked.
    pub parked: Vec<ArtistId>,
    after: Option<ArtistId>,
}

impl Filling {
    /// Indexes the next rows. Answers whether there were any.
    pub async fn step(&mut self, ports: &Ports) -> Result<bool, PortError> {
        let rows: Vec<ArtistRow> = ports.store.scan_artists(self.after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        let last = last.id.clone();
        let mut operations = Vec::with_capacity(rows.len());
        for row in &rows {
            operations.push(operation_for(ports, row).await?);
        }
        self.parked.extend(write(ports, &operations).await?);
        self.rows += rows.len() as u64;
        self.after = Some(last);
        info!(rows = self.rows, "filling the index: {} rows", self.rows);
        Ok(true)
    }
}

/// Writes to the index; what it does not take is parked, and answered.
pub(crate) async fn write(ports: &Ports, operations: &[IndexOperation]) -> Result<Vec<ArtistId>, PortError> {
    let mut parked = Vec::new();
    for (artist_id, answer) in ports.index.apply(operations.to_vec(), None).await? {
        if let (ItemAnswer::Failed(why), Some(operation)) = (answer, operations.iter().find(|operation| operation.artist_id == artist_id)) {
            note_parked(ports, operation, &why).await?;
            parked.push(artist_id);
        }
    }
    Ok(parked)
}
