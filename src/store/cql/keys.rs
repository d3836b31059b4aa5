//! The key tables: projections of an artist's version, written and deleted with that version as their timestamp, so that any
//! replay in any order ends in the same rows.

use super::CqlStore;
use super::feed::spread;
use super::statement::Cql;
use crate::domain::artist::ArtistRow;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{ArtistKeys, TableKey};
use crate::store::{StoreResult, StyleQuery};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

const PUT_STYLE: Cql = Cql::write("INSERT INTO style_keys (gsi1pk, bucket, gsi1sk, artist_id) VALUES (?, ?, ?, ?) USING TIMESTAMP ?");
const DROP_STYLE: Cql = Cql::write("DELETE FROM style_keys USING TIMESTAMP ? WHERE gsi1pk = ? AND bucket = ? AND gsi1sk = ?");
const STYLE_FROM: Cql =
    Cql::read("SELECT gsi1sk, artist_id FROM style_keys WHERE gsi1pk = ? AND bucket = ? AND gsi1sk >= ? AND gsi1sk < ? LIMIT ?");
const STYLE_AFTER: Cql =
    Cql::read("SELECT gsi1sk, artist_id FROM style_keys WHERE gsi1pk = ? AND bucket = ? AND gsi1sk > ? AND gsi1sk < ? LIMIT ?");
const BUCKETS: Cql = Cql::read("SELECT buckets FROM style_buckets WHERE gsi1pk = ?");
// The number is its own timestamp, so that of two the greater stands: entries in a bucket beyond it would be found by nobody.
const RAISE_BUCKETS: Cql = Cql::write("INSERT INTO style_buckets (gsi1pk, buckets) VALUES (?, ?) USING TIMESTAMP ?");
const PUT_INSTAGRAM: Cql = Cql::write("INSERT INTO instagram_keys (gsi2pk, artist_id, version) VALUES (?, ?, ?) USING TIMESTAMP ?");
const DROP_INSTAGRAM: Cql = Cql::write("DELETE FROM instagram_keys USING TIMESTAMP ? WHERE gsi2pk = ? AND artist_id = ?");
const INSTAGRAM: Cql = Cql::read("SELECT artist_id FROM instagram_keys WHERE gsi2pk = ?");
const MAPPED: Cql = Cql::read("SELECT kind, pk, bucket, sk FROM artist_keys WHERE artist_id = ?");
const PUT_MAPPING: Cql =
    Cql::write("INSERT INTO artist_keys (artist_id, kind, pk, bucket, sk, version) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?");
const DROP_MAPPING: Cql =
    Cql::write("DELETE FROM artist_keys USING TIMESTAMP ? WHERE artist_id = ? AND kind = ? AND pk = ? AND bucket = ? AND sk = ?");

pub(super) const STATEMENTS: &[Cql] = &[
    PUT_STYLE,
    DROP_STYLE,
    STYLE_FROM,
    STYLE_AFTER,
    BUCKETS,
    RAISE_BUCKETS,
    PUT_INSTAGRAM,
    DROP_INSTAGRAM,
    INSTAGRAM,
    MAPPED,
    PUT_MAPPING,
    DROP_MAPPING,
];

/// Entries of a partition of the style table above which a style is spread over more of them.
const ENTRIES_MOST: u64 = 10_000;

/// Entries of a partition right after that: room to grow.
const ENTRIES_AFTER: u64 = 5_000;

/// Statements under way at a time within one operation.
const TOGETHER: usize = 16;

/// Key rows looked at in one go while a page of verified ones is gathered.
const GHOST_CHUNK: usize = 64;

/// Sorts after every text that begins with what it is appended to.
const AFTER_ALL: char = char::MAX;

const STYLE: &str = "style";
const HANDLE: &str = "instagram";

/// One row of a key table, as the mapping names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct KeyRow {
    kind: String,
    pk: String,
    bucket: i32,
    sk: String,
}

impl CqlStore {
    /// How many buckets a style is divided into.
    async fn buckets(&self, gsi1pk: &str) -> StoreResult<u16> {
        let now = self.db.now();
        if let Some(buckets) = self.db.memory().style_buckets(gsi1pk, now) {
            return Ok(buckets);
        }
        let stored = self.db.one::<(Option<i32>,)>(&BUCKETS, (gsi1pk,)).await?;
        let buckets = stored.and_then(|(buckets,)| u16::try_from(buckets?).ok()).unwrap_or(1).max(1);
        self.db.memory().set_style_buckets(gsi1pk, buckets, now);
        Ok(buckets)
    }

    /// Spreads a style with so many entries over more buckets, if its partitions have grown too large; answers over how many.
    pub(super) async fn raise_buckets(&self, gsi1pk: &str, entries: u64) -> StoreResult<Option<u16>> {
        if entries <= ENTRIES_MOST.saturating_mul(u64::from(self.buckets(gsi1pk).await?)) {
            return Ok(None);
        }
        let buckets = u16::try_from(entries.div_ceil(ENTRIES_AFTER)).unwrap_or(u16::MAX);
        self.db.write(&RAISE_BUCKETS, (gsi1pk, i32::from(buckets), i64::from(buckets))).await?;
        self.db.memory().set_style_buckets(gsi1pk, buckets, self.db.now());
        Ok(Some(buckets))
    }

    async fn key_rows(&self, id: &ArtistId, keys: &BTreeSet<TableKey>) -> StoreResult<BTreeSet<KeyRow>> {
        let mut rows = BTreeSet::new();
        for key in keys {
            rows.insert(match key {
                TableKey::Style(key) => {
                    let bucket = i32::from(spread(id.as_str(), self.buckets(&key.gsi1pk).await?));
                    KeyRow { kind: STYLE.to_owned(), pk: key.gsi1pk.clone(), bucket, sk: key.gsi1sk.clone() }
                }
                TableKey::Instagram(gsi2pk) => {
                    KeyRow { kind: HANDLE.to_owned(), pk: gsi2pk.clone(), bucket: 0, sk: id.as_str().to_owned() }
                }
            });
        }
        Ok(rows)
    }

    async fn put_mapping(&self, id: &ArtistId, version: i64, row: &KeyRow) -> StoreResult<()> {
        self.db.write(&PUT_MAPPING, (id.as_str(), &row.kind, &row.pk, row.bucket, &row.sk, version, version)).await
    }

    async fn drop_mapping(&self, id: &ArtistId, version: i64, row: &KeyRow) -> StoreResult<()> {
        self.db.write(&DROP_MAPPING, (version, id.as_str(), &row.kind, &row.pk, row.bucket, &row.sk)).await
    }

    async fn put_key(&self, id: &ArtistId, version: i64, row: &KeyRow) -> StoreResult<()> {
        if row.kind == STYLE {
            self.db.write(&PUT_STYLE, (&row.pk, row.bucket, &row.sk, id.as_str(), version)).await
        } else {
            self.db.write(&PUT_INSTAGRAM, (&row.pk, &row.sk, version, version)).await
        }
    }

    async fn drop_key(&self, version: i64, row: &KeyRow) -> StoreResult<()> {
        if row.kind == STYLE {
            self.db.write(&DROP_STYLE, (version, &row.pk, row.bucket, &row.sk)).await
        } else {
            self.db.write(&DROP_INSTAGRAM, (version, &row.pk, &row.sk)).await
        }
    }

    /// Makes the key tables say `keys` of the artist and nothing else, as of `version`.
    pub(super) async fn project_keys(&self, id: &ArtistId, version: i64, keys: &ArtistKeys, stale: &BTreeSet<TableKey>) -> StoreResult<()> {
        let held = self.key_rows(id, &keys.rows()).await?;
        let mut gone = self.key_rows(id, stale).await?;
        let mapped = self.db.rows::<(String, String, i32, String)>(&MAPPED, (id.as_str(),)).await?;
        gone.extend(mapped.into_iter().map(|(kind, pk, bucket, sk)| KeyRow { kind, pk, bucket, sk }));
        gone.retain(|row| !held.contains(row));
        all(held.iter().map(|row| self.put_mapping(id, version, row)).collect()).await?;
        self.db.step("keys: mapped, before they are written").await?;
        all(held.iter().map(|row| self.put_key(id, version, row)).collect()).await?;
        if gone.is_empty() {
            return Ok(());
        }
        self.db.step("keys: written, before old ones are deleted").await?;
        all(gone.iter().map(|row| self.drop_key(version, row)).collect()).await?;
        self.db.step("keys: old ones deleted, still mapped").await?;
        all(gone.iter().map(|row| self.drop_mapping(id, version, row)).collect()).await.map(drop)
    }

    /// Entries of a style after a sort key, in order over all its buckets, with their artists' ids; and whether they are the last.
    pub(super) async fn style_keys(
        &self,
        query: &StyleQuery,
        after: Option<&str>,
        wanted: usize,
    ) -> StoreResult<(Vec<(String, String)>, bool)> {
        let wanted = wanted.min(GHOST_CHUNK);
        let buckets = self.buckets(&query.gsi1pk).await?;
        let chunks = all((0..buckets).map(|bucket| self.style_chunk(query, bucket, after, wanted)).collect()).await?;
        let is_last = chunks.iter().all(|chunk| chunk.len() < wanted);
        // An artist stands in two buckets while the number of buckets is being raised.
        let merged: BTreeMap<String, String> = chunks.into_iter().flatten().collect();
        let is_last = is_last && merged.len() <= wanted;
        Ok((merged.into_iter().take(wanted).collect(), is_last))
    }

    async fn style_chunk(&self, query: &StyleQuery, bucket: u16, after: Option<&str>, wanted: usize) -> StoreResult<Vec<(String, String)>> {
        let prefix = query.gsi1sk_prefix.as_str();
        let end = format!("{prefix}{AFTER_ALL}");
        let limit = i32::try_from(wanted).unwrap_or(i32::MAX);
        match after.filter(|after| *after >= prefix) {
            Some(after) => self.db.rows(&STYLE_AFTER, (&query.gsi1pk, i32::from(bucket), after, end, limit)).await,
            None => self.db.rows(&STYLE_FROM, (&query.gsi1pk, i32::from(bucket), prefix, end, limit)).await,
        }
    }

    /// The artists under a handle, in the order of their ids.
    pub(super) async fn instagram_holders(&self, gsi2pk: &str) -> StoreResult<Vec<ArtistId>> {
        let ids = self.db.rows::<(String,)>(&INSTAGRAM, (gsi2pk,)).await?;
        Ok(ids.into_iter().map(|(id,)| ArtistId::new(id)).collect())
    }

    /// The rows of artists, in the order asked for.
    pub(super) async fn rows_of(&self, ids: Vec<ArtistId>) -> StoreResult<Vec<Option<ArtistRow>>> {
        all(ids.iter().map(|id| self.artist_row(id)).collect()).await
    }
}

/// Runs operations a few at a time; answers in their order.
pub(super) async fn all<T: Send>(operations: Vec<impl Future<Output = StoreResult<T>> + Send>) -> StoreResult<Vec<T>> {
    stream::iter(operations).buffered(TOGETHER).try_collect().await
}
