//! Artists' rows: one lightweight transaction between two entries of the feed, then the keys.

use super::CqlStore;
use super::feed::{self, Announced};
use super::statement::{Cas, Cql};
use crate::domain::artist::ArtistRow;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{ArtistKeys, TableKey};
use crate::domain::write::PutRow;
use crate::store::seal::{seal, unseal};
use crate::store::unreadable::artist_as_read;
use crate::store::{ArtistStore, KeyPage, PutAnswer, StoreResult, StyleEntry, StylePage, StyleQuery};
use async_trait::async_trait;
use std::collections::BTreeSet;

const ROW: Cql = Cql::read("SELECT id, body, sum, version, fence FROM artists WHERE id = ?");
const ROW_SERIALLY: Cql = Cql::serial("SELECT id, body, sum, version, fence FROM artists WHERE id = ? LIMIT 1");
const INSERT: Cql = Cql::lwt("INSERT INTO artists (id, version, fence, body, sum) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
const UPDATE: Cql = Cql::lwt("UPDATE artists SET version = ?, fence = ?, body = ?, sum = ? WHERE id = ? IF version = ? AND fence = ?");
const SCAN: Cql = Cql::read("SELECT id, body, sum, version, fence FROM artists LIMIT ?");
// Two ids of one token would be passed over together; among millions of artists that is one chance in a million.
const SCAN_AFTER: Cql = Cql::read("SELECT id, body, sum, version, fence FROM artists WHERE token(id) > token(?) LIMIT ?");

pub(super) const STATEMENTS: &[Cql] = &[ROW, ROW_SERIALLY, INSERT, UPDATE, SCAN, SCAN_AFTER];

/// A row as stored: id, body, checksum, and what is compared.
type Stored = (String, Option<String>, Option<i64>, Option<i64>, Option<i64>);

/// Reads a row; one that cannot be read is answered as damaged.
fn read((id, body, sum, version, fence): Stored) -> ArtistRow {
    let read = unseal("artists", &id, &body.unwrap_or_default(), sum.unwrap_or_default());
    artist_as_read(&id, read, version.unwrap_or_default(), Timestamp(fence.unwrap_or_default()))
}

/// The keys that a row holds.
fn keys_of(row: &ArtistRow) -> ArtistKeys {
    row.live().map(|record| ArtistKeys::of(&row.id, record)).unwrap_or_default()
}

impl CqlStore {
    pub(super) async fn artist_row(&self, id: &ArtistId) -> StoreResult<Option<ArtistRow>> {
        Ok(self.db.one::<Stored>(&ROW, (id.as_str(),)).await?.map(read))
    }

    async fn artist_row_serially(&self, id: &ArtistId) -> StoreResult<Option<ArtistRow>> {
        Ok(self.db.one::<Stored>(&ROW_SERIALLY, (id.as_str(),)).await?.map(read))
    }

    async fn set_row(&self, put: &PutRow) -> StoreResult<Cas<Option<ArtistRow>>> {
        let row = &put.row;
        let sealed = seal("artists", row.id.as_str(), row)?;
        let stands = self.artist_row_serially(&row.id);
        let is_ours = |stands: &Option<ArtistRow>| stands.as_ref() == Some(row);
        let is_old = |stands: &Option<ArtistRow>| stands.as_ref().map(|stands| (stands.version, stands.fence)) == put.expected;
        match put.expected {
            None => {
                let values = (row.id.as_str(), row.version, row.fence.0, &sealed.body, sealed.sum);
                self.db.cas(&INSERT, values, stands, is_ours, is_old).await
            }
            Some((version, fence)) => {
                let values = (row.version, row.fence.0, &sealed.body, sealed.sum, row.id.as_str(), version, fence.0);
                self.db.cas(&UPDATE, values, stands, is_ours, is_old).await
            }
        }
    }

    /// Makes the key tables say what the row says, until no newer one came in between.
    async fn project(&self, mut row: ArtistRow, mut stale: BTreeSet<TableKey>) -> StoreResult<()> {
        loop {
            self.project_keys(&row.id, row.version, &keys_of(&row), &stale).await?;
            match self.artist_row(&row.id).await? {
                Some(newer) if newer.version > row.version => row = newer,
                _ => return Ok(()),
            }
            // The mapping names what the version before left.
            stale = BTreeSet::new();
        }
    }
}

#[async_trait]
impl ArtistStore for CqlStore {
    async fn artist(&self, id: &ArtistId) -> StoreResult<Option<ArtistRow>> {
        self.artist_row(id).await
    }

    async fn put_artist(&self, put: &PutRow) -> StoreResult<PutAnswer> {
        let (db, row) = (&self.db, &put.row);
        db.step("put_artist begins").await?;
        if put.change.is_some() {
            // Before: whoever dies after the row was set has named it already.
            feed::append(db, &row.id, row.version, Announced::ToCome).await?;
            db.step("put_artist: between the intent and the row").await?;
        }
        if let Cas::Other(stands) = self.set_row(put).await? {
            return Ok(PutAnswer::Conflict(stands.map(Box::new)));
        }
        if put.change.is_some() {
            db.step("put_artist: after the row").await?;
            // Again: whoever paused so long before the row that readers passed the first entry names it now.
            feed::append(db, &row.id, row.version, Announced::Standing).await?;
            db.step("put_artist: before the keys").await?;
            self.project(row.clone(), put.stale.rows()).await?;
        }
        Ok(PutAnswer::Committed)
    }

    async fn repeat_projections(&self, id: &ArtistId) -> StoreResult<()> {
        // Serially: a conditional write of the attempt that ended is settled by this, one way or the other.
        let Some(row) = self.artist_row_serially(id).await? else { return Ok(()) };
        self.db.step("repeat_projections begins").await?;
        feed::append(&self.db, id, row.version, Announced::Standing).await?;
        self.db.step("repeat_projections: before the keys").await?;
        self.project(row, BTreeSet::new()).await
    }

    async fn mend_keys(&self, id: &ArtistId, ghosts: &[TableKey]) -> StoreResult<()> {
        match self.artist_row_serially(id).await? {
            Some(row) => self.project(row, ghosts.iter().cloned().collect()).await,
            // Nobody ever had a row of this id, so no version is in the way.
            None => self.project_keys(id, self.db.now().0, &ArtistKeys::default(), &ghosts.iter().cloned().collect()).await,
        }
    }

    async fn scan_keys(&self, after: Option<&str>, limit: usize) -> StoreResult<KeyPage> {
        self.key_page(after, limit).await
    }

    async fn spread_style(&self, gsi1pk: &str, entries: u64) -> StoreResult<Option<u16>> {
        self.raise_buckets(gsi1pk, entries).await
    }

    async fn by_style(&self, query: &StyleQuery) -> StoreResult<StylePage> {
        let mut page = StylePage { entries: Vec::new(), next: None };
        let mut after = query.after.clone();
        loop {
            let wanted = (query.limit - page.entries.len()).saturating_add(1);
            let (keys, is_last) = self.style_keys(query, after.as_deref(), wanted).await?;
            let ids = keys.iter().map(|(_, id)| ArtistId::new(id.clone())).collect();
            let rows = self.rows_of(ids).await?;
            for ((gsi1sk, _), row) in keys.into_iter().zip(rows) {
                if page.entries.len() == query.limit {
                    page.next = page.entries.last().map(|entry: &StyleEntry| entry.gsi1sk.clone());
                    return Ok(page);
                }
                after = Some(gsi1sk.clone());
                let holds = |row: &ArtistRow| keys_of(row).styles.iter().any(|key| key.gsi1pk == query.gsi1pk && key.gsi1sk == gsi1sk);
                if let Some(row) = row.filter(holds) {
                    page.entries.push(StyleEntry { gsi1sk, row });
                }
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    async fn by_instagram(&self, gsi2pk: &str) -> StoreResult<Option<ArtistRow>> {
        let ids = self.instagram_holders(gsi2pk).await?;
        let rows = self.rows_of(ids).await?;
        let held = rows.into_iter().flatten().filter(|row| keys_of(row).gsi2pk.as_deref() == Some(gsi2pk));
        // Of equals the first: the ids come in order.
        Ok(held.min_by_key(|row| row.created_version))
    }

    async fn scan_artists(&self, after: Option<&ArtistId>, limit: usize) -> StoreResult<Vec<ArtistRow>> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let rows = match after {
            None => self.db.rows::<Stored>(&SCAN, (limit,)).await?,
            Some(after) => self.db.rows::<Stored>(&SCAN_AFTER, (after.as_str(), limit)).await?,
        };
        Ok(rows.into_iter().map(read).collect())
    }
}
