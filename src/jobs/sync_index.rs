//! One batch from the change feed to the search index (rule 7): re-read the rows, write their current state.

use crate::alert::{Alert, AlertKind, Severity};
use crate::domain::artist::{ArtistRow, Life};
use crate::domain::change::Dirty;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::outcome::Failure;
use crate::feed::{Position, Shard};
use crate::jobs::{Desk, PortError, Ports, courier, remove_artist};

use crate::search::{IndexOperation, ItemAnswer};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Where the feed keeps the positions of an index that keeps none, followed by the index's generation.
const READER_PREFIX: &str = "index/";

/// Prefix of the meta keys of parked documents.
pub const PARKED_PREFIX: &str = "sync_parked/";

/// Parked documents looked at; far more than halt a shard.
const PARKED_MAX: usize = 10_000;

/// Rows read at a time.
const READ_AT_ONCE: usize = 16;

/// A write takes less than this from its entry in the feed to its row. What was meant longer ago is no reason to wait.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// How a batch is indexed.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// Attempts for a document's own failure (002-R29).
    pub item_attempts: u32,
    /// Parked within an hour above which the shard halts.
    pub parked_per_hour: usize,
}

/// A document that could not be indexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The version that failed.
    pub version: i64,
    /// Why.
    pub why: String,
    /// When, microseconds since 1970.
    pub at: i64,
}

/// What a batch came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Synced {
    /// Documents and tombstones that stand now.
    pub applied: u64,
    /// Operations for which the index held something newer.
    pub stale: u64,
    /// Documents parked.
    pub parked: u64,
    /// From the commit of each applied change to its being searchable.
    pub lags: Vec<Duration>,
    /// Too many were parked within the hour: the shard halts until an operator looks.
    pub halted: bool,
}

/// Where an index stands in a shard of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `None`: it was never filled, so that what the feed still holds is not enough.
    pub position: Option<Position>,
    /// Under which name and epoch the feed keeps it; `None` where the index does.
    kept: Option<(String, u64)>,
}

/// Where the index stands.
///
/// # Errors
/// Index or feed do not answer.
pub async fn standing(ports: &Ports, shard: Shard) -> Result<Standing, PortError> {
    if ports.index.keeps_position() {
        return Ok(Standing { position: ports.index.position(shard).await?, kept: None });
    }
    let reader = format!("{READER_PREFIX}{}", ports.index.generation().await?);
    let (position, epoch) = match ports.feed.saved(&reader, shard).await? {
        Some((position, epoch)) => (Some(position), epoch),
        None => (None, 0),
    };
    Ok(Standing { position, kept: Some((reader, epoch)) })
}

/// Moves the index's position on from `standing`: everything before `next` is indexed, superseded or parked. Answers where it
/// stands now; `None` if another process moved it, and the place where it stands has to be asked again.
///
/// # Errors
/// Index or feed do not answer.
pub async fn advance(ports: &Ports, shard: Shard, standing: &Standing, next: &Position) -> Result<Option<Standing>, PortError> {
    let position = Some(next.clone());
    let Some((reader, epoch)) = &standing.kept else {
        ports.index.apply(Vec::new(), Some((shard, next.clone()))).await?;
        return Ok(Some(Standing { position, kept: None }));
    };
    let is_saved = ports.feed.save(reader, shard, *epoch, next).await?;
    Ok(is_saved.then(|| Standing { position, kept: Some((reader.clone(), epoch.saturating_add(1))) }))
}

/// Brings the index up to the rows of `ids`, and commits `position` with them.
///
/// # Errors
/// An outage: nothing is counted, the same batch is tried again.
pub async fn sync(
    ports: &Ports,
    desk: &dyn Desk,
    settings: &SyncSettings,
    ids: &BTreeSet<ArtistId>,
    position: Option<(Shard, Position)>,
) -> Result<Synced, PortError> {
    let rows = rows_of(ports, ids.iter()).await?;
    sync_rows(ports, desk, settings, rows, position).await
}

/// As [`sync`], for those whom a feed named: an entry may be made before its row, and one whose row is still to come is passed
/// over, since it is named again once that stands.
///
/// # Errors
/// As [`sync`].
pub async fn sync_named(
    ports: &Ports,
    desk: &dyn Desk,
    settings: &SyncSettings,
    dirty: &[Dirty],
    position: Option<(Shard, Position)>,
) -> Result<Synced, PortError> {
    let mut meant: BTreeMap<&ArtistId, i64> = BTreeMap::new();
    for Dirty { artist_id, hint } in dirty {
        meant.entry(artist_id).and_modify(|least| *least = (*least).min(*hint)).or_insert(*hint);
    }
    let mut rows = rows_of(ports, meant.keys().copied()).await?;
    let begun_lately = ports.clock.now().minus(UNDER_WAY);
    rows.retain(|row| meant.get(&row.id).is_none_or(|meant| row.version >= *meant || Timestamp(*meant) < begun_lately));
    sync_rows(ports, desk, settings, rows, position).await
}

async fn rows_of<'a>(ports: &Ports, ids: impl Iterator<Item = &'a ArtistId>) -> Result<Vec<ArtistRow>, PortError> {
    let read: Vec<_> = ids.map(|id| ports.store.artist(id)).collect();
    let rows: Vec<Option<ArtistRow>> = stream::iter(read).buffered(READ_AT_ONCE).try_collect().await?;
    Ok(rows.into_iter().flatten().collect())
}

async fn sync_rows(
    ports: &Ports,
    desk: &dyn Desk,
    settings: &SyncSettings,
    rows: Vec<ArtistRow>,
    position: Option<(Shard, Position)>,
) -> Result<Synced, PortError> {
    let made: Vec<_> = rows.iter().map(|row| operation_for(ports, row)).collect();
    let operations: Vec<IndexOperation> = stream::iter(made).buffered(READ_AT_ONCE).try_collect().await?;
    let listed: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    crate::faults::hit(crate::faults::Point::SyncBatch, &listed.join(" "));
    let mut synced = Synced::default();
    let mut applied = Vec::new();
    let mut left = operations;
    for attempt in 1..=settings.item_attempts.max(1) {
        let answers = ports.index.apply(left.clone(), position.clone()).await?;
        let searchable_at = ports.clock.now();
        let mut failed = Vec::new();
        for (id, answer) in answers {
            let Some(operation) = left.iter().find(|operation| operation.artist_id == id) else {
                warn!(artist.id = %id, "the index answered for artist {id}, which was not asked for");
                continue;
            };
            match answer {
                ItemAnswer::Applied => {
                    synced.applied += 1;
                    let committed = Timestamp(operation.version);
                    synced.lags.push(searchable_at.since(committed));
                    applied.push(id);
                }
                ItemAnswer::Stale { held } => {
                    synced.stale += 1;
                    settle_stale(ports, desk, &id, held).await?;
                }
                ItemAnswer::Failed(why) => failed.push((operation.clone(), why)),
            }
        }
        if failed.is_empty() {
            break;
        }
        if attempt < settings.item_attempts {
            let pause = Duration::from_millis(50 << attempt.min(8));
            warn!(documents = failed.len(), retry = attempt, "documents were refused by the index, trying again in {pause:?}");
            tokio::time::sleep(pause).await;
            left = failed.into_iter().map(|(operation, _)| operation).collect();
            continue;
        }
        for (operation, why) in failed {
            park(ports, desk, &operation, &why).await?;
            synced.parked += 1;
        }
    }
    if synced.applied > 0 {
        are_parked_no_more(ports, &applied).await?;
        // 002-R28: confirmed, and said so.
        debug!(applied = synced.applied, stale = synced.stale, "index synced");
    }
    synced.halted = synced.parked > 0 && parked_within_hour(ports).await? > settings.parked_per_hour;
    if synced.parked > 0 && !synced.halted && ports.index.keeps_position() {
        // It was not committed with the documents, since some of them failed; those are parked by now.
        ports.index.apply(Vec::new(), position).await?;
    }
    Ok(synced)
}

/// The operation that brings the index up to a row; a denied artist is a tombstone, and its removal is begun (rule 15).
pub(crate) async fn operation_for(ports: &Ports, row: &ArtistRow) -> Result<IndexOperation, PortError> {
    if let Some(record) = row.live()
        && ports.store.is_denied(&ports.deny.of_record(&row.id, record)).await?
    {
        info!(artist.id = %row.id, "artist {} is denied, its removal begins", row.id);
        let leftovers = remove_artist::leftovers(ports, &row.id, Some(record)).await?;
        courier::create(ports, &[remove_artist::job(&row.id, leftovers)]).await?;
        return Ok(IndexOperation { artist_id: row.id.clone(), version: row.version, document: None });
    }
    if row.life == Life::Live && row.live().is_none() {
        error!(artist.id = %row.id, "the row of artist {} does not pass its own hash; it is hidden until it is scraped again", row.id);
    }
    Ok(IndexOperation::of(row))
}

/// The index holds a newer version: normally the row has it by now; if not, the row's version is raised.
async fn settle_stale(ports: &Ports, desk: &dyn Desk, id: &ArtistId, held: i64) -> Result<(), PortError> {
    let Some(row) = ports.store.artist(id).await? else { return Ok(()) };
    if row.version >= held {
        return Ok(());
    }
    let raised = ArtistRow { version: held + 1, ..row.clone() };
    let keys = raised.record.as_ref().map(|record| crate::domain::keys::ArtistKeys::of(id, record)).unwrap_or_default();
    let put = crate::domain::write::PutRow {
        expected: Some((row.version, row.fence)),
        row: raised,
        change: Some(crate::domain::change::Change::Modify),
        keys,
        stale: crate::domain::keys::ArtistKeys::default(),
    };
    ports.store.put_artist(&put).await?;
    let text = format!(
        "the index held version {held} of artist {id}, above the row's {}; the row was raised. Was the store restored from a backup?",
        row.version
    );
    warn!(artist.id = %id, "{text}");
    desk.alert(alert(ports, AlertKind::IndexAhead, Severity::Warning, text, id.as_str())).await;
    Ok(())
}

async fn park(ports: &Ports, desk: &dyn Desk, operation: &IndexOperation, why: &str) -> Result<(), PortError> {
    let told = note_parked(ports, operation, why).await?;
    desk.alert(alert(ports, AlertKind::SyncParked, Severity::Critical, told, operation.artist_id.as_str())).await;
    Ok(())
}

/// Parks a document and answers what to tell of it.
pub(crate) async fn note_parked(ports: &Ports, operation: &IndexOperation, why: &str) -> Result<String, PortError> {
    let id = &operation.artist_id;
    let why = Failure::new(crate::domain::outcome::Category::Data, "index", "sync", why).message;
    let parked = Parked { version: operation.version, why: why.clone(), at: ports.clock.now().0 };
    let key = format!("{PARKED_PREFIX}{id}");
    let text = serde_json::to_string(&parked).unwrap_or_default();
    let before = ports.store.meta(&key).await?;
    ports.store.put_meta(&key, before.as_deref(), &text).await?;
    // 002-R30: retries exhausted.
    let told = format!("artist {id} cannot be indexed and was parked: {why}. Look at `inkdex show {id}`, then `inkdex reconcile`");
    error!(artist.id = %id, severity = "critical", "{told}");
    Ok(told)
}

/// What is indexed is parked no more.
async fn are_parked_no_more(ports: &Ports, indexed: &[ArtistId]) -> Result<(), PortError> {
    for (key, _) in ports.store.metas(PARKED_PREFIX, PARKED_MAX).await? {
        if indexed.iter().any(|id| key.strip_prefix(PARKED_PREFIX) == Some(id.as_str())) {
            ports.store.drop_meta(&key).await?;
        }
    }
    Ok(())
}

async fn parked_within_hour(ports: &Ports) -> Result<usize, PortError> {
    let hour_ago = ports.clock.now().minus(Duration::from_secs(3_600)).0;
    let parked = ports.store.metas(PARKED_PREFIX, PARKED_MAX).await?;
    Ok(parked.iter().filter_map(|(_, text)| serde_json::from_str::<Parked>(text).ok()).filter(|parked| parked.at >= hour_ago).count())
}

pub(crate) fn alert(ports: &Ports, kind: AlertKind, severity: Severity, text: String, subject: &str) -> Alert {
    Alert { kind, severity, text, subject: subject.to_owned(), at: ports.clock.now() }
}

/// Whether the index has seen everything that is in the feed now.
pub async fn is_in_step(ports: &Ports) -> bool {
    let Ok(shards) = ports.feed.shards().await else { return false };
    for shard in shards {
        let Ok(Standing { position: Some(position), .. }) = standing(ports, shard).await else { return false };
        match ports.feed.poll(shard, Some(&position), 1, Duration::ZERO).await {
            Ok(batch) if batch.dirty.is_empty() => {}
            _ => return false,
        }
    }
    true
}
