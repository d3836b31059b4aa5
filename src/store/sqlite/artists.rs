//! Artists' rows, their key tables, and the writing side of the feed.

use super::SqliteStore;
use super::core::Txn;
use super::seal::{execute, limit, one, seal, text, unseal};
use crate::domain::artist::ArtistRow;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{ArtistKeys, StyleKey, TableKey};
use crate::domain::write::PutRow;
use crate::store::unreadable::artist_as_read;
use crate::store::{ArtistStore, KeyPage, PutAnswer, StoreError, StoreResult, StyleEntry, StylePage, StyleQuery};
use async_trait::async_trait;
use rusqlite::{Connection, Params, params};

/// How the mark of a page of key rows names its table.
const STYLE_TABLE: &str = "style";
const HANDLE_TABLE: &str = "instagram";

/// Key rows looked at in one go while a page of verified ones is gathered.
const GHOST_CHUNK: usize = 64;

/// Sorts after every text that begins with what it is appended to.
const AFTER_ALL: char = char::MAX;

/// The rows that `sql` selects by id, body, checksum, version and fence. One that cannot be read is told and answered as
/// damaged: it must stop neither the feed nor a scan.
fn artists(connection: &Connection, sql: &str, params: impl Params) -> StoreResult<Vec<ArtistRow>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let id: String = row.get(0)?;
        let read = text("artists", &id, row.get_ref(1)?).and_then(|body| unseal("artists", &id, body, row.get(2)?));
        rows.push(artist_as_read(&id, read, row.get(3)?, Timestamp(row.get(4)?)));
    }
    Ok(rows)
}

fn artist(connection: &Connection, id: &ArtistId) -> StoreResult<Option<ArtistRow>> {
    let sql = "SELECT id, body, sum, version, fence FROM artists WHERE id = ?1";
    Ok(artists(connection, sql, [id.as_str()])?.into_iter().next())
}

/// The row if it is live and holds the key that it was found by.
fn verified(connection: &Connection, id: &str, holds: impl Fn(&ArtistKeys) -> bool) -> StoreResult<Option<ArtistRow>> {
    let id = ArtistId::new(id);
    let Some(row) = artist(connection, &id)? else { return Ok(None) };
    let held = row.live().is_some_and(|record| holds(&ArtistKeys::of(&id, record)));
    Ok(held.then_some(row))
}

/// Makes the key tables say `keys` of the artist and nothing else.
fn project_keys(connection: &Connection, id: &ArtistId, version: i64, keys: &ArtistKeys) -> StoreResult<()> {
    execute(connection, "DELETE FROM style_keys WHERE artist_id = ?1", [id.as_str()])?;
    execute(connection, "DELETE FROM instagram_keys WHERE artist_id = ?1", [id.as_str()])?;
    for key in &keys.styles {
        let sql = "INSERT OR REPLACE INTO style_keys (gsi1pk, gsi1sk, artist_id, version) VALUES (?1, ?2, ?3, ?4)";
        execute(connection, sql, params![key.gsi1pk, key.gsi1sk, id.as_str(), version])?;
    }
    if let Some(gsi2pk) = &keys.gsi2pk {
        let sql = "INSERT INTO instagram_keys (gsi2pk, artist_id, version) VALUES (?1, ?2, ?3)";
        execute(connection, sql, params![gsi2pk, id.as_str(), version])?;
    }
    Ok(())
}

fn append_to_feed(txn: &Txn<'_>, id: &ArtistId, version: i64, now: Timestamp) -> StoreResult<()> {
    let sql = "INSERT INTO feed (artist_id, hint, at) VALUES (?1, ?2, ?3)";
    execute(txn.connection, sql, params![id.as_str(), version, now.0])?;
    txn.feed_grew();
    Ok(())
}

fn put(txn: &Txn<'_>, put: &PutRow, now: Timestamp) -> StoreResult<PutAnswer> {
    let connection = txn.connection;
    let row = &put.row;
    let sealed = seal("artists", row.id.as_str(), row)?;
    let changed = match put.expected {
        None => {
            let sql = "INSERT INTO artists (id, version, fence, body, sum) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING";
            execute(connection, sql, params![row.id.as_str(), row.version, row.fence.0, sealed.body, sealed.sum])?
        }
        Some((version, fence)) => {
            let sql = "UPDATE artists SET version = ?2, fence = ?3, body = ?4, sum = ?5 WHERE id = ?1 AND version = ?6 AND fence = ?7";
            let values = params![row.id.as_str(), row.version, row.fence.0, sealed.body, sealed.sum, version, fence.0];
            execute(connection, sql, values)?
        }
    };
    if changed == 0 {
        return Ok(PutAnswer::Conflict(artist(connection, &row.id)?.map(Box::new)));
    }
    project_keys(connection, &row.id, row.version, &put.keys)?;
    if put.change.is_some() {
        append_to_feed(txn, &row.id, row.version, now)?;
    }
    Ok(PutAnswer::Committed)
}

fn repeat(txn: &Txn<'_>, id: &ArtistId, now: Timestamp) -> StoreResult<()> {
    let Some(row) = artist(txn.connection, id)? else { return Ok(()) };
    let keys = row.live().map(|record| ArtistKeys::of(id, record)).unwrap_or_default();
    project_keys(txn.connection, id, row.version, &keys)?;
    append_to_feed(txn, id, row.version, now)
}

fn style_page(connection: &Connection, query: &StyleQuery) -> StoreResult<StylePage> {
    let mut page = StylePage { entries: Vec::new(), next: None };
    let end = format!("{}{AFTER_ALL}", query.gsi1sk_prefix);
    let mut after = query.after.clone().unwrap_or_default();
    let sql = "SELECT gsi1sk, artist_id FROM style_keys
               WHERE gsi1pk = ?1 AND gsi1sk >= ?2 AND gsi1sk < ?3 AND gsi1sk > ?4 ORDER BY gsi1sk LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    loop {
        let wanted = (query.limit - page.entries.len()).saturating_add(1).min(GHOST_CHUNK);
        let values = params![query.gsi1pk, query.gsi1sk_prefix, end, after, limit(wanted)];
        let keys = statement
            .query_map(values, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let last_chunk = keys.len() < wanted;
        for (gsi1sk, id) in keys {
            if page.entries.len() == query.limit {
                page.next = page.entries.last().map(|entry: &StyleEntry| entry.gsi1sk.clone());
                return Ok(page);
            }
            let holds = |keys: &ArtistKeys| keys.styles.iter().any(|key| key.gsi1pk == query.gsi1pk && key.gsi1sk == gsi1sk);
            let row = verified(connection, &id, holds)?;
            after.clone_from(&gsi1sk);
            if let Some(row) = row {
                page.entries.push(StyleEntry { gsi1sk, row });
            }
        }
        if last_chunk {
            return Ok(page);
        }
    }
}

/// The last row before a page of key rows: table, partition key, and sort key or artist.
type Mark = (String, String, String);

/// Rows of both key tables after a mark: those of styles first, then those of handles.
fn key_page(connection: &Connection, after: Option<&str>, wanted: usize) -> StoreResult<KeyPage> {
    let unknown = |error| StoreError::Bug(format!("a page of keys was asked for after an unknown mark: {error}"));
    let mark: Option<Mark> = after.map(serde_json::from_str).transpose().map_err(unknown)?;
    let (table, pk, sk) = mark.unwrap_or_else(|| (STYLE_TABLE.to_owned(), String::new(), String::new()));
    let of_styles = table == STYLE_TABLE;
    let sql = if of_styles {
        "SELECT gsi1pk, gsi1sk, artist_id FROM style_keys WHERE (gsi1pk, gsi1sk) > (?1, ?2) ORDER BY gsi1pk, gsi1sk LIMIT ?3"
    } else {
        "SELECT gsi2pk, artist_id, artist_id FROM instagram_keys WHERE (gsi2pk, artist_id) > (?1, ?2) ORDER BY gsi2pk, artist_id LIMIT ?3"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
    let found = statement.query_map(params![pk, sk, limit(wanted)], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let next: Option<Mark> = match found.last() {
        Some((pk, sk, _)) if found.len() == wanted => Some((table, pk.clone(), sk.clone())),
        _ if of_styles => Some((HANDLE_TABLE.to_owned(), String::new(), String::new())),
        _ => None,
    };
    let key = |pk, sk| if of_styles { TableKey::Style(StyleKey { gsi1pk: pk, gsi1sk: sk }) } else { TableKey::Instagram(pk) };
    let rows = found.into_iter().map(|(pk, sk, id)| (ArtistId::new(id), key(pk, sk))).collect();
    let written = |mark| serde_json::to_string(&mark).map_err(|error| StoreError::Bug(format!("a mark of a page of keys: {error}")));
    Ok(KeyPage { rows, next: next.map(written).transpose()? })
}

#[async_trait]
impl ArtistStore for SqliteStore {
    async fn artist(&self, id: &ArtistId) -> StoreResult<Option<ArtistRow>> {
        let id = id.clone();
        self.db.read(move |connection| artist(connection, &id)).await
    }

    async fn put_artist(&self, row: &PutRow) -> StoreResult<PutAnswer> {
        let (row, now) = (row.clone(), self.db.now());
        self.db.write(move |txn| put(txn, &row, now)).await
    }

    async fn repeat_projections(&self, id: &ArtistId) -> StoreResult<()> {
        let (id, now) = (id.clone(), self.db.now());
        self.db.write(move |txn| repeat(txn, &id, now)).await
    }

    async fn mend_keys(&self, id: &ArtistId, _ghosts: &[TableKey]) -> StoreResult<()> {
        let id = id.clone();
        let mend = move |txn: &Txn<'_>| {
            let row = artist(txn.connection, &id)?;
            let keys = row.as_ref().and_then(ArtistRow::live).map(|record| ArtistKeys::of(&id, record)).unwrap_or_default();
            project_keys(txn.connection, &id, row.map_or(0, |row| row.version), &keys)
        };
        self.db.write(mend).await
    }

    async fn scan_keys(&self, after: Option<&str>, limit: usize) -> StoreResult<KeyPage> {
        let after = after.map(str::to_owned);
        self.db.read(move |connection| key_page(connection, after.as_deref(), limit)).await
    }

    async fn by_style(&self, query: &StyleQuery) -> StoreResult<StylePage> {
        let query = query.clone();
        self.db.read(move |connection| style_page(connection, &query)).await
    }

    async fn by_instagram(&self, gsi2pk: &str) -> StoreResult<Option<ArtistRow>> {
        let gsi2pk = gsi2pk.to_owned();
        let read = move |connection: &Connection| {
            let sql = "SELECT artist_id FROM instagram_keys WHERE gsi2pk = ?1 ORDER BY artist_id";
            let mut oldest: Option<ArtistRow> = None;
            for id in super::seal::column::<String>(connection, sql, [&gsi2pk])? {
                let found = verified(connection, &id, |keys| keys.gsi2pk.as_deref() == Some(&gsi2pk))?;
                let older = |row: &ArtistRow| oldest.as_ref().is_none_or(|oldest| row.created_version < oldest.created_version);
                if let Some(row) = found.filter(older) {
                    oldest = Some(row);
                }
            }
            Ok(oldest)
        };
        self.db.read(read).await
    }

    async fn scan_artists(&self, after: Option<&ArtistId>, rows: usize) -> StoreResult<Vec<ArtistRow>> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let read = move |connection: &Connection| {
            let sql = "SELECT id, body, sum, version, fence FROM artists WHERE id > ?1 ORDER BY id LIMIT ?2";
            artists(connection, sql, params![after, limit(rows)])
        };
        self.db.read(read).await
    }
}

impl SqliteStore {
    /// How many artists have a row, deleted ones included.
    ///
    /// # Errors
    /// As for any read.
    pub async fn artist_count(&self) -> StoreResult<u64> {
        let read = |connection: &Connection| one::<i64>(connection, "SELECT count(*) FROM artists", []);
        Ok(self.db.read(read).await?.map_or(0, super::seal::count))
    }
}
