//! The identity table and the evidence of sources.

use super::SqliteStore;
use super::seal::{column, execute, one, read_all, seal};
use crate::domain::facts::EvidenceRow;
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::ArtistId;
use crate::store::{EvidenceStore, IdentityStore, StoreResult};
use async_trait::async_trait;
use rusqlite::{Connection, params};

fn identity(connection: &Connection, key: &IdentityKey) -> StoreResult<Option<KeyState>> {
    let holder: Option<Option<String>> = one(connection, "SELECT artist_id FROM identity WHERE key = ?1", [key.as_str()])?;
    Ok(holder.map(|holder| holder.map_or(KeyState::Shared, |id| KeyState::Held(ArtistId::new(id)))))
}

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn identity(&self, key: &IdentityKey) -> StoreResult<Option<KeyState>> {
        let key = key.clone();
        self.db.read(move |connection| identity(connection, &key)).await
    }

    async fn point_identity(
        &self,
        key: &IdentityKey,
        expected: Option<&KeyState>,
        new: &KeyState,
    ) -> StoreResult<Option<Option<KeyState>>> {
        let (key, expected, new) = (key.clone(), expected.cloned(), new.clone());
        let point = move |txn: &super::core::Txn<'_>| {
            let stored = identity(txn.connection, &key)?;
            if stored.as_ref() == Some(&new) {
                return Ok(None);
            }
            if stored != expected {
                return Ok(Some(stored));
            }
            let holder = match &new {
                KeyState::Held(id) => Some(id.as_str()),
                KeyState::Shared => None,
            };
            let sql =
                "INSERT INTO identity (key, artist_id) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET artist_id = excluded.artist_id";
            execute(txn.connection, sql, params![key.as_str(), holder])?;
            Ok(None)
        };
        self.db.write(point).await
    }

    async fn identities_of(&self, id: &ArtistId) -> StoreResult<Vec<IdentityKey>> {
        let id = id.clone();
        let read = move |connection: &Connection| {
            let keys: Vec<String> = column(connection, "SELECT key FROM identity WHERE artist_id = ?1 ORDER BY key", [id.as_str()])?;
            Ok(keys.into_iter().map(IdentityKey::stored).collect())
        };
        self.db.read(read).await
    }

    async fn forget_identities(&self, id: &ArtistId) -> StoreResult<()> {
        let id = id.clone();
        let forget = move |txn: &super::core::Txn<'_>| {
            execute(txn.connection, "DELETE FROM identity WHERE artist_id = ?1", [id.as_str()])?;
            Ok(())
        };
        self.db.write(forget).await
    }
}

/// The key under which evidence is sealed.
fn evidence_key(artist_id: &ArtistId, source_key: &str) -> String {
    format!("{artist_id}|{source_key}")
}

#[async_trait]
impl EvidenceStore for SqliteStore {
    async fn put_evidence(&self, row: &EvidenceRow) -> StoreResult<bool> {
        let row = row.clone();
        let put = move |txn: &super::core::Txn<'_>| {
            let source_key = row.source.key();
            let sealed = seal("evidence", &evidence_key(&row.artist_id, &source_key), &row)?;
            let sql = "INSERT INTO evidence (artist_id, source_key, fence, body, sum) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (artist_id, source_key) DO UPDATE
                       SET fence = excluded.fence, body = excluded.body, sum = excluded.sum WHERE excluded.fence >= fence";
            let values = params![row.artist_id.as_str(), source_key, row.fence.0, sealed.body, sealed.sum];
            Ok(execute(txn.connection, sql, values)? == 1)
        };
        self.db.write(put).await
    }

    async fn evidence_of(&self, id: &ArtistId) -> StoreResult<Vec<EvidenceRow>> {
        let id = id.clone();
        let read = move |connection: &Connection| {
            let sql = "SELECT artist_id || '|' || source_key, body, sum FROM evidence WHERE artist_id = ?1 ORDER BY source_key";
            read_all(connection, "evidence", sql, [id.as_str()])
        };
        self.db.read(read).await
    }

    async fn drop_evidence(&self, id: &ArtistId, source_key: Option<&str>) -> StoreResult<()> {
        let (id, source_key) = (id.clone(), source_key.map(ToOwned::to_owned));
        let forget = move |txn: &super::core::Txn<'_>| {
            match &source_key {
                Some(source) => {
                    let sql = "DELETE FROM evidence WHERE artist_id = ?1 AND source_key = ?2";
                    execute(txn.connection, sql, params![id.as_str(), source])?
                }
                None => execute(txn.connection, "DELETE FROM evidence WHERE artist_id = ?1", [id.as_str()])?,
            };
            Ok(())
        };
        self.db.write(forget).await
    }
}
