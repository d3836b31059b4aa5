//! The schema as an ordered list of migrations; the file's `user_version` says how many of them it has.

use super::open::APPLICATION_ID;
use crate::store::StoreResult;
use rusqlite::{Connection, TransactionBehavior};

/// Each brings the schema from its index to the next version. Released ones are never edited, only followed.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001_first.sql"), include_str!("schema/0002_removal_requests.sql")];

/// The version this build reads and writes.
pub(super) const LATEST: i64 = MIGRATIONS.len() as i64;

/// The version of an open file.
pub(super) fn version(connection: &Connection) -> StoreResult<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Applies what the file lacks, each migration in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> StoreResult<()> {
    let found = usize::try_from(version(connection)?).unwrap_or(0);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
