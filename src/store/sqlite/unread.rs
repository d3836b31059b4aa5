//! Lists in which a row that cannot be read stops nobody: it is left out, told, and retired by the owner of the database.

use super::SqliteDb;
use super::seal::{Unread, execute};
use crate::store::unreadable::{left_out, taken_out};
use crate::store::{StoreError, StoreResult};
use rusqlite::Connection;
use std::sync::Arc;
use tracing::warn;

/// Reads a list of `table`. Rows that it left out are retired, and if that changed anything it is read again, as they may
/// have taken the places of others; whoever only reads the database leaves them out and nothing more.
pub(super) async fn listed<T: Send + 'static>(
    db: &SqliteDb,
    table: &'static str,
    query: impl Fn(&Connection, &mut Vec<Unread>) -> StoreResult<T> + Send + Sync + 'static,
) -> StoreResult<T> {
    let query = Arc::new(query);
    loop {
        let reading = query.clone();
        let read = move |connection: &Connection| {
            let mut unread = Vec::new();
            reading(connection, &mut unread).map(|list| (list, unread))
        };
        let (list, unread) = db.read(read).await?;
        if unread.is_empty() {
            return Ok(list);
        }
        for row in &unread {
            left_out(table, &row.key, &row.error);
        }
        let retiring = move |connection: &Connection| {
            let mut changed = 0;
            for row in &unread {
                changed += retire(connection, table, &row.key, &row.error)?;
            }
            Ok(changed)
        };
        match db.write(move |txn| retiring(txn.connection)).await {
            Ok(0) | Err(StoreError::Refused(_)) => return Ok(list),
            Ok(_) => {}
            Err(error) => {
                warn!(table, %error, "a row that cannot be read was not retired, the next list tries again");
                return Ok(list);
            }
        }
    }
}

/// Takes a row that cannot be read out of the indexes by which it would be found, and so out of the counts: nobody can work
/// on it, and its place is wanted. Its bytes stay as they are. Answers how many rows that changed.
pub(super) fn retire(connection: &Connection, table: &str, key: &str, why: &StoreError) -> StoreResult<usize> {
    let sql = match table {
        "jobs" => {
            "UPDATE jobs SET state = 'CANCELLED', due_at = NULL, startable_at = NULL, alert_owed = 0
             WHERE id = ?1 AND (state <> 'CANCELLED' OR due_at IS NOT NULL OR startable_at IS NOT NULL OR alert_owed <> 0)"
        }
        "sessions" => "UPDATE sessions SET open = 0, alert_owed = 0 WHERE id = ?1 AND (open <> 0 OR alert_owed <> 0)",
        _ => return Ok(0),
    };
    let changed = execute(connection, sql, [key])?;
    if changed > 0 {
        taken_out(table, key, why);
    }
    Ok(changed)
}
