//! Studios, leases, the denylist, small durable values, the audit trail and back-offs of hosts.

use super::CqlStore;
use super::facts::day_of;
use super::ledger_rows::TRIES;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::domain::ids::StudioId;
use crate::domain::studio::Studio;
use crate::store::seal::{open_cell, seal_cell};
use crate::store::{AuditRow, Denylist, LeaseStore, Meta, StoreError, StoreResult, StudioStore};
use async_trait::async_trait;
use uuid::Uuid;

const STUDIO: Cql = Cql::read("SELECT sealed FROM studios WHERE id = ?");
const PUT_STUDIO: Cql = Cql::write("INSERT INTO studios (id, sealed) VALUES (?, ?) USING TIMESTAMP ?");
const STUDIOS: Cql = Cql::read("SELECT id FROM studios");
const SCAN_STUDIOS: Cql = Cql::read("SELECT id, sealed FROM studios LIMIT ?");
const SCAN_STUDIOS_AFTER: Cql = Cql::read("SELECT id, sealed FROM studios WHERE token(id) > token(?) LIMIT ?");

const LEASE: Cql = Cql::serial("SELECT owner, until FROM leases WHERE name = ?");
const MAKE_LEASE: Cql = Cql::lwt("INSERT INTO leases (name, owner, until) VALUES (?, ?, ?) IF NOT EXISTS");
const TAKE_LEASE: Cql = Cql::lwt("UPDATE leases SET owner = ?, until = ? WHERE name = ? IF owner = ? AND until = ?");
const DROP_LEASE: Cql = Cql::lwt("DELETE FROM leases WHERE name = ? IF owner = ?");

// Asked several times for each write, so not serially: a quorum knows every denial that was answered, and what a removal
// purges it reads after that answer.
// In one request: an artist has a handful of keys.
const DENIED: Cql = Cql::read("SELECT hash FROM denylist WHERE hash IN ?");
const DENY: Cql = Cql::lwt("INSERT INTO denylist (hash, at) VALUES (?, ?) IF NOT EXISTS");

const META: Cql = Cql::serial("SELECT value FROM meta_values WHERE family = ? AND key = ?");
const MAKE_META: Cql = Cql::lwt("INSERT INTO meta_values (family, key, value) VALUES (?, ?, ?) IF NOT EXISTS");
const SWAP_META: Cql = Cql::lwt("UPDATE meta_values SET value = ? WHERE family = ? AND key = ? IF value = ?");
const DROP_META: Cql = Cql::lwt("DELETE FROM meta_values WHERE family = ? AND key = ? IF EXISTS");
const DROP_META_IF: Cql = Cql::lwt("DELETE FROM meta_values WHERE family = ? AND key = ? IF value = ?");
const METAS: Cql = Cql::read("SELECT key, value FROM meta_values WHERE family = ? AND key >= ? LIMIT ?");

const AUDIT: Cql = Cql::write("INSERT INTO audit (day, at, writer, sealed) VALUES (?, ?, ?, ?) USING TIMESTAMP ?");
const AUDIT_ROWS: Cql = Cql::read("SELECT at, sealed FROM audit WHERE day = ? LIMIT ?");

const BACK_OFF: Cql = Cql::write("INSERT INTO host_back_offs (part, host, until) VALUES (0, ?, ?) USING TIMESTAMP ? AND TTL ?");
const BACK_OFFS: Cql = Cql::read("SELECT host, until FROM host_back_offs WHERE part = 0");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[
    STUDIO,
    PUT_STUDIO,
    STUDIOS,
    SCAN_STUDIOS,
    SCAN_STUDIOS_AFTER,
    LEASE,
    MAKE_LEASE,
    TAKE_LEASE,
    DROP_LEASE,
    DENIED,
    DENY,
    META,
    MAKE_META,
    SWAP_META,
    DROP_META,
    DROP_META_IF,
    METAS,
    AUDIT,
    AUDIT_ROWS,
    BACK_OFF,
    BACK_OFFS,
];

/// The list of days with audit rows.
const AUDIT_DAYS: &str = "audit";

/// Hashes looked up at a time.
const DENIED_AT_ONCE: usize = 16;

/// A back-off is listed this much longer than it lasts, since the database's clock is not ours. Seconds.
const LISTED_LONGER_S: i64 = 86_400;

/// The longest time to live that both databases take, in seconds.
const TTL_MAX_S: i64 = 630_720_000;

fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn contended(what: &str) -> StoreError {
    StoreError::Unavailable(format!("{what} is contended"))
}

#[async_trait]
impl StudioStore for CqlStore {
    async fn studio(&self, id: &StudioId) -> StoreResult<Option<Studio>> {
        let row: Option<(String,)> = self.db.one(&STUDIO, (id.as_str(),)).await?;
        row.map(|(cell,)| open_cell("studios", id.as_str(), &cell)).transpose()
    }

    async fn put_studio(&self, studio: &Studio) -> StoreResult<()> {
        let id = studio.id.as_str();
        self.db.write(&PUT_STUDIO, (id, seal_cell("studios", id, studio)?, studio.updated_at.0)).await?;
        self.db.step("answer").await
    }

    async fn scan_studios(&self, after: Option<&StudioId>, limit: usize) -> StoreResult<Vec<Studio>> {
        let rows: Vec<(String, String)> = match after {
            None => self.db.rows(&SCAN_STUDIOS, (int(limit),)).await?,
            Some(after) => self.db.rows(&SCAN_STUDIOS_AFTER, (after.as_str(), int(limit))).await?,
        };
        rows.into_iter().map(|(id, cell)| open_cell("studios", &id, &cell)).collect()
    }

    async fn studio_count(&self) -> StoreResult<u64> {
        let ids: Vec<(String,)> = self.db.rows(&STUDIOS, ()).await?;
        Ok(ids.len() as u64)
    }
}

#[async_trait]
impl LeaseStore for CqlStore {
    async fn take_lease(&self, name: &str, owner: &str, until: Timestamp, now: Timestamp) -> StoreResult<bool> {
        // Whoever holds a lease knows what stands, and is told if that has changed.
        let mut known = self.db.memory().lease(name).filter(|(holder, _)| holder == owner);
        for _ in 0..TRIES {
            let met: Option<(String, i64)> = match known.take() {
                Some(ours) => Some(ours),
                None => self.db.one(&LEASE, (name,)).await?,
            };
            let answer = match met {
                None => self.db.lwt(&MAKE_LEASE, (name, owner, until.0)).await?,
                Some((holder, ends)) if holder == owner || ends <= now.0 => {
                    self.db.lwt(&TAKE_LEASE, (owner, until.0, name, holder, ends)).await?
                }
                Some(_) => return Ok(false),
            };
            if let Lwt::Applied = answer {
                self.db.memory().set_lease(name, Some((owner.to_owned(), until.0)));
                self.db.step("answer").await?;
                return Ok(true);
            }
            self.db.memory().set_lease(name, None);
        }
        Ok(false)
    }

    async fn give_back_lease(&self, name: &str, owner: &str) -> StoreResult<()> {
        self.db.memory().set_lease(name, None);
        match self.db.lwt(&DROP_LEASE, (name, owner)).await? {
            Lwt::Applied | Lwt::Met(_) => Ok(()),
            Lwt::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }
}

#[async_trait]
impl Denylist for CqlStore {
    async fn deny(&self, hashes: &[String], now: Timestamp) -> StoreResult<()> {
        for hash in hashes {
            if let Lwt::Unknown(why) = self.db.lwt(&DENY, (hash, now.0)).await? {
                return Err(StoreError::Unavailable(why));
            }
            self.db.step("deny the next").await?;
        }
        Ok(())
    }

    async fn is_denied(&self, hashes: &[String]) -> StoreResult<bool> {
        for hashes in hashes.chunks(DENIED_AT_ONCE) {
            if self.db.one::<(String,)>(&DENIED, (hashes,)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The partition of a small value: its key before the first slash.
fn family(key: &str) -> &str {
    key.split_once('/').map_or(key, |(family, _)| family)
}

/// The key under which audit rows are sealed.
const AUDIT_KEY: &str = "row";

#[async_trait]
impl Meta for CqlStore {
    async fn meta(&self, key: &str) -> StoreResult<Option<String>> {
        let row: Option<(String,)> = self.db.one(&META, (family(key), key)).await?;
        Ok(row.map(|(value,)| value))
    }

    async fn put_meta(&self, key: &str, expected: Option<&str>, new: &str) -> StoreResult<Option<Option<String>>> {
        for _ in 0..TRIES {
            let stored = self.meta(key).await?;
            if stored.as_deref() != expected {
                return Ok(Some(stored));
            }
            let answer = match expected {
                None => self.db.lwt(&MAKE_META, (family(key), key, new)).await?,
                Some(expected) => self.db.lwt(&SWAP_META, (new, family(key), key, expected)).await?,
            };
            match answer {
                Lwt::Applied => {
                    self.db.step("answer").await?;
                    return Ok(None);
                }
                Lwt::Met(_) => {}
                // Whose write it was does not matter: it says what was asked for.
                Lwt::Unknown(_) if self.meta(key).await?.as_deref() == Some(new) => return Ok(None),
                Lwt::Unknown(_) => {}
            }
        }
        Err(contended(key))
    }

    /// `prefix` must name a family: `family/…`.
    async fn metas(&self, prefix: &str, most: usize) -> StoreResult<Vec<(String, String)>> {
        if !prefix.contains('/') {
            return Err(StoreError::Bug(format!("values are listed by what is before their first slash, and `{prefix}` has none")));
        }
        let rows: Vec<(String, String)> = self.db.rows(&METAS, (family(prefix), prefix, int(most))).await?;
        Ok(rows.into_iter().take_while(|(key, _)| key.starts_with(prefix)).collect())
    }

    async fn drop_meta(&self, key: &str) -> StoreResult<()> {
        // Most keys asked for were never set: a condition is spent only where there is something to drop.
        if self.meta(key).await?.is_none() {
            return Ok(());
        }
        match self.db.lwt(&DROP_META, (family(key), key)).await? {
            Lwt::Applied | Lwt::Met(_) => Ok(()),
            Lwt::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// After an unknown outcome the value may be forgotten or not: whoever asks again is told that it is not forgotten by this.
    async fn drop_meta_if(&self, key: &str, expected: &str) -> StoreResult<bool> {
        match self.db.lwt(&DROP_META_IF, (family(key), key, expected)).await? {
            Lwt::Applied => Ok(true),
            Lwt::Met(_) => Ok(false),
            Lwt::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// The moment in the key is the store's and rises within a day, whatever the clock does; the row keeps its own.
    async fn audit(&self, row: &AuditRow) -> StoreResult<()> {
        let now = self.db.now();
        let newest_day = self.parts_of(AUDIT_DAYS).await?.into_iter().next().unwrap_or(i32::MIN);
        let day = day_of(now).max(newest_day);
        let newest: Option<(i64, String)> = self.db.one(&AUDIT_ROWS, (day, 1)).await?;
        let at = now.0.max(newest.map_or(i64::MIN, |(at, _)| at.saturating_add(1)));
        self.list_part(AUDIT_DAYS, day).await?;
        self.db.step("append to the audit trail").await?;
        self.db.write(&AUDIT, (day, at, Uuid::new_v4(), seal_cell("audit", AUDIT_KEY, row)?, at)).await
    }

    async fn audit_rows(&self, most: usize) -> StoreResult<Vec<AuditRow>> {
        let mut rows = Vec::new();
        for day in self.parts_of(AUDIT_DAYS).await? {
            if rows.len() >= most {
                break;
            }
            let cells: Vec<(i64, String)> = self.db.rows(&AUDIT_ROWS, (day, int(most - rows.len()))).await?;
            for (_, cell) in cells {
                rows.push(open_cell("audit", AUDIT_KEY, &cell)?);
            }
        }
        Ok(rows)
    }

    async fn host_back_offs(&self, now: Timestamp) -> StoreResult<Vec<(String, Timestamp)>> {
        let rows: Vec<(String, i64)> = self.db.rows(&BACK_OFFS, ()).await?;
        let mut back_offs: Vec<_> =
            rows.into_iter().map(|(host, until)| (host, Timestamp(until))).filter(|(_, until)| *until > now).collect();
        back_offs.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        Ok(back_offs)
    }

    async fn put_host_back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        let lasts = i64::try_from(until.since(self.db.now()).as_secs()).unwrap_or(TTL_MAX_S);
        let ttl = i32::try_from(lasts.saturating_add(LISTED_LONGER_S).min(TTL_MAX_S)).unwrap_or(i32::MAX);
        self.db.write(&BACK_OFF, (host, until.0, until.0, ttl)).await
    }
}
