//! Statements on sealed values, and SQLite's errors translated.

use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params};
use serde::de::DeserializeOwned;

#[cfg(test)]
pub(super) use crate::store::seal::checksum;
pub(super) use crate::store::seal::{Sealed, seal, unseal};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { what: "database file".to_owned(), why: error.to_string() }
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted,
            ) => Self::Unavailable(error.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Refused(format!("the database cannot be written: {error}; check its permissions"))
            }
            _ => Self::Bug(error.to_string()),
        }
    }
}

/// The sealed values that `sql` selects; its first columns are key, body and checksum.
pub(super) fn read_all<T: DeserializeOwned>(connection: &Connection, table: &str, sql: &str, params: impl Params) -> StoreResult<Vec<T>> {
    let mut values = Vec::new();
    each(connection, table, sql, params, |_, value| {
        values.push(value?);
        Ok(())
    })?;
    Ok(values)
}

/// A row that a list left out.
#[derive(Debug)]
pub(super) struct Unread {
    pub key: String,
    pub error: StoreError,
}

/// As [`read_all`], but a row that cannot be read is noted in `unread` instead of stopping the list.
pub(super) fn read_sound<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    sql: &str,
    params: impl Params,
    unread: &mut Vec<Unread>,
) -> StoreResult<Vec<T>> {
    let mut values = Vec::new();
    each(connection, table, sql, params, |key, value| {
        match value {
            Ok(value) => values.push(value),
            Err(error) => unread.push(Unread { key, error }),
        }
        Ok(())
    })?;
    Ok(values)
}

fn each<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    sql: &str,
    params: impl Params,
    mut take: impl FnMut(String, StoreResult<T>) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let sum = row.get(2)?;
        let value = text(table, &key, row.get_ref(1)?).and_then(|body| unseal(table, &key, body, sum));
        take(key, value)?;
    }
    Ok(())
}

/// The sealed value that `sql` selects, if it does.
pub(super) fn read_one<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    sql: &str,
    params: impl Params,
) -> StoreResult<Option<T>> {
    Ok(read_all(connection, table, sql, params)?.into_iter().next())
}

/// One value of one column, if there is a row.
pub(super) fn one<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str, params: impl Params) -> StoreResult<Option<T>> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

/// The first column of every row.
pub(super) fn column<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str, params: impl Params) -> StoreResult<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let values = statement.query_map(params, |row| row.get(0))?.collect::<rusqlite::Result<Vec<T>>>()?;
    Ok(values)
}

/// Runs a statement; answers how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, params: impl Params) -> StoreResult<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

/// A text column of the row `key` of `table`.
pub(super) fn text<'a>(table: &str, key: &str, value: rusqlite::types::ValueRef<'a>) -> StoreResult<&'a str> {
    value.as_str().map_err(|error| StoreError::Corrupt { what: format!("{table}/{key}"), why: error.to_string() })
}

/// A count as SQLite wants it.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as SQLite gave it.
pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
