//! Studios, leases, the denylist, small durable values, the audit trail and back-offs of hosts.

use super::SqliteStore;
use super::seal::{execute, limit, one, read_all, read_one, seal, unseal};
use crate::domain::clock::Timestamp;
use crate::domain::ids::StudioId;
use crate::domain::studio::Studio;
use crate::store::{AuditRow, Denylist, LeaseStore, Meta, StoreResult, StudioStore};
use async_trait::async_trait;
use rusqlite::{Connection, params};

#[async_trait]
impl StudioStore for SqliteStore {
    async fn studio(&self, id: &StudioId) -> StoreResult<Option<Studio>> {
        let id = id.clone();
        let sql = "SELECT id, body, sum FROM studios WHERE id = ?1";
        self.db.read(move |connection| read_one(connection, "studios", sql, [id.as_str()])).await
    }

    async fn put_studio(&self, studio: &Studio) -> StoreResult<()> {
        let studio = studio.clone();
        let write = move |txn: &super::core::Txn<'_>| {
            let sealed = seal("studios", studio.id.as_str(), &studio)?;
            let sql = "INSERT INTO studios (id, updated_at, body, sum) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, body = excluded.body, sum = excluded.sum
                       WHERE excluded.updated_at >= updated_at";
            execute(txn.connection, sql, params![studio.id.as_str(), studio.updated_at.0, sealed.body, sealed.sum])?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn scan_studios(&self, after: Option<&StudioId>, rows: usize) -> StoreResult<Vec<Studio>> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let read = move |connection: &Connection| {
            let sql = "SELECT id, body, sum FROM studios WHERE id > ?1 ORDER BY id LIMIT ?2";
            read_all(connection, "studios", sql, params![after, limit(rows)])
        };
        self.db.read(read).await
    }

    async fn studio_count(&self) -> StoreResult<u64> {
        let read = |connection: &Connection| one::<i64>(connection, "SELECT count(*) FROM studios", []);
        Ok(self.db.read(read).await?.map_or(0, super::seal::count))
    }
}

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn take_lease(&self, name: &str, owner: &str, until: Timestamp, now: Timestamp) -> StoreResult<bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let write = move |txn: &super::core::Txn<'_>| {
            let sql = "INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
                       WHERE leases.owner = excluded.owner OR leases.until <= ?4";
            Ok(execute(txn.connection, sql, params![name, owner, until.0, now.0])? == 1)
        };
        self.db.write(write).await
    }

    async fn give_back_lease(&self, name: &str, owner: &str) -> StoreResult<()> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let write = move |txn: &super::core::Txn<'_>| {
            execute(txn.connection, "DELETE FROM leases WHERE name = ?1 AND owner = ?2", params![name, owner])?;
            Ok(())
        };
        self.db.write(write).await
    }
}

#[async_trait]
impl Denylist for SqliteStore {
    async fn deny(&self, hashes: &[String], now: Timestamp) -> StoreResult<()> {
        let hashes = hashes.to_vec();
        let write = move |txn: &super::core::Txn<'_>| {
            for hash in &hashes {
                let sql = "INSERT INTO denylist (hash, at) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING";
                execute(txn.connection, sql, params![hash, now.0])?;
            }
            Ok(())
        };
        self.db.write(write).await
    }

    async fn is_denied(&self, hashes: &[String]) -> StoreResult<bool> {
        let hashes = hashes.to_vec();
        let read = move |connection: &Connection| {
            for hash in &hashes {
                if one::<i64>(connection, "SELECT 1 FROM denylist WHERE hash = ?1", [hash])?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.db.read(read).await
    }
}

fn meta(connection: &Connection, key: &str) -> StoreResult<Option<String>> {
    one(connection, "SELECT value FROM meta WHERE key = ?1", [key])
}

/// The key under which audit rows are sealed: their number is not known before they stand.
const AUDIT_KEY: &str = "row";

#[async_trait]
impl Meta for SqliteStore {
    async fn meta(&self, key: &str) -> StoreResult<Option<String>> {
        let key = key.to_owned();
        self.db.read(move |connection| meta(connection, &key)).await
    }

    async fn put_meta(&self, key: &str, expected: Option<&str>, new: &str) -> StoreResult<Option<Option<String>>> {
        let (key, expected, new) = (key.to_owned(), expected.map(ToOwned::to_owned), new.to_owned());
        let write = move |txn: &super::core::Txn<'_>| {
            let stored = meta(txn.connection, &key)?;
            if stored != expected {
                return Ok(Some(stored));
            }
            execute(txn.connection, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![key, new])?;
            Ok(None)
        };
        self.db.write(write).await
    }

    async fn metas(&self, prefix: &str, most: usize) -> StoreResult<Vec<(String, String)>> {
        let prefix = prefix.to_owned();
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT key, value FROM meta WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
            let mut rows = statement.query(params![prefix, limit(most)])?;
            let mut metas = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(&prefix) {
                    break;
                }
                metas.push((key, row.get(1)?));
            }
            Ok(metas)
        };
        self.db.read(read).await
    }

    async fn drop_meta(&self, key: &str) -> StoreResult<()> {
        let key = key.to_owned();
        // Most keys asked for were never set: a write transaction is spent only where there is something to drop.
        if self.meta(&key).await?.is_none() {
            return Ok(());
        }
        let write = move |txn: &super::core::Txn<'_>| {
            execute(txn.connection, "DELETE FROM meta WHERE key = ?1", [key])?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn drop_meta_if(&self, key: &str, expected: &str) -> StoreResult<bool> {
        let (key, expected) = (key.to_owned(), expected.to_owned());
        let sql = "DELETE FROM meta WHERE key = ?1 AND value = ?2";
        self.db.write(move |txn: &super::core::Txn<'_>| Ok(execute(txn.connection, sql, params![key, expected])? > 0)).await
    }

    async fn audit(&self, row: &AuditRow) -> StoreResult<()> {
        let row = row.clone();
        let write = move |txn: &super::core::Txn<'_>| {
            let sealed = seal("audit", AUDIT_KEY, &row)?;
            execute(txn.connection, "INSERT INTO audit (body, sum) VALUES (?1, ?2)", params![sealed.body, sealed.sum])?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn audit_rows(&self, most: usize) -> StoreResult<Vec<AuditRow>> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT body, sum FROM audit ORDER BY seq DESC LIMIT ?1")?;
            let mut rows = statement.query([limit(most)])?;
            let mut audit = Vec::new();
            while let Some(row) = rows.next()? {
                audit.push(unseal("audit", AUDIT_KEY, &row.get::<_, String>(0)?, row.get(1)?)?);
            }
            Ok(audit)
        };
        self.db.read(read).await
    }

    async fn host_back_offs(&self, now: Timestamp) -> StoreResult<Vec<(String, Timestamp)>> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT host, until FROM host_back_offs WHERE until > ?1 ORDER BY until")?;
            let rows = statement.query_map([now.0], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        self.db.read(read).await
    }

    async fn put_host_back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        let (host, now) = (host.to_owned(), self.db.now());
        let write = move |txn: &super::core::Txn<'_>| {
            execute(txn.connection, "DELETE FROM host_back_offs WHERE until <= ?1", [now.0])?;
            let sql = "INSERT INTO host_back_offs (host, until) VALUES (?1, ?2)
                       ON CONFLICT (host) DO UPDATE SET until = max(until, excluded.until)";
            execute(txn.connection, sql, params![host, until.0])?;
            Ok(())
        };
        self.db.write(write).await
    }
}
