//! What the feed's reading side asks of the database; the port is implemented in `feed::sqlite`.

use super::seal::{execute, one};
use crate::domain::change::Dirty;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::store::StoreResult;
use rusqlite::{Connection, params};

/// Entries pruned in one transaction.
const PRUNE_CHUNK: i64 = 5_000;

/// The key in `meta` under which the last pruned sequence number stands.
const FLOOR: &str = "feed_floor";

/// The last sequence number ever given, 0 before the first.
pub(crate) fn head(connection: &Connection) -> StoreResult<i64> {
    Ok(one(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'feed'", [])?.unwrap_or(0))
}

/// The last sequence number that was pruned, 0 if none was.
pub(crate) fn floor(connection: &Connection) -> StoreResult<i64> {
    let stored: Option<String> = one(connection, "SELECT value FROM meta WHERE key = ?1", [FLOOR])?;
    Ok(stored.and_then(|floor| floor.parse().ok()).unwrap_or(0))
}

/// Entries after a sequence number, in order.
pub(crate) fn entries(connection: &Connection, after: i64, max: usize) -> StoreResult<Vec<(i64, Dirty)>> {
    let mut statement = connection.prepare_cached("SELECT seq, artist_id, hint FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let entries = statement.query_map(params![after, super::seal::limit(max)], |row| {
        let artist_id = ArtistId::new(row.get::<_, String>(1)?);
        Ok((row.get(0)?, Dirty { artist_id, hint: row.get(2)? }))
    })?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

/// The saved position of a reader and its epoch.
pub(crate) fn saved(connection: &Connection, reader: &str, shard: u16) -> StoreResult<Option<(String, u64)>> {
    let mut statement = connection.prepare_cached("SELECT position, epoch FROM feed_positions WHERE reader = ?1 AND shard = ?2")?;
    let mut rows = statement.query(params![reader, shard])?;
    match rows.next()? {
        Some(row) => Ok(Some((row.get(0)?, super::seal::count(row.get(1)?)))),
        None => Ok(None),
    }
}

/// Saves a position if the stored epoch (0 if none is stored) is `epoch`, and raises it by one.
pub(crate) fn save(connection: &Connection, reader: &str, shard: u16, epoch: u64, position: &str) -> StoreResult<bool> {
    let stored = saved(connection, reader, shard)?.map_or(0, |(_, epoch)| epoch);
    if stored != epoch {
        return Ok(false);
    }
    let next = i64::try_from(epoch.saturating_add(1)).unwrap_or(i64::MAX);
    let sql = "INSERT OR REPLACE INTO feed_positions (reader, shard, epoch, position) VALUES (?1, ?2, ?3, ?4)";
    execute(connection, sql, params![reader, shard, next, position])?;
    Ok(true)
}

/// Drops entries from the front of the feed while they are older than `before`. Answers how many; 0 when there are none left.
pub(crate) fn prune_chunk(connection: &Connection, before: Timestamp) -> StoreResult<u64> {
    // Times may step back with the clock, sequence numbers never do: only a prefix is ever dropped.
    let mut statement = connection.prepare_cached("SELECT seq, at FROM feed ORDER BY seq LIMIT ?1")?;
    let mut rows = statement.query([PRUNE_CHUNK])?;
    let (mut pruned, mut last) = (0_u64, 0_i64);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before.0 {
            break;
        }
        (pruned, last) = (pruned + 1, row.get(0)?);
    }
    if pruned == 0 {
        return Ok(0);
    }
    execute(connection, "DELETE FROM feed WHERE seq <= ?1", [last])?;
    execute(connection, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![FLOOR, last.to_string()])?;
    Ok(pruned)
}
