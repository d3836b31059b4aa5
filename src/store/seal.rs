//! Stored values: JSON sealed with a checksum, since databases do not notice every flipped bit.

use crate::store::{StoreError, StoreResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// A value as stored: its JSON and the checksum over table, key and JSON.
pub(crate) struct Sealed {
    pub body: String,
    pub sum: i64,
}

/// Seals `value` for the row `key` of `table`.
pub(crate) fn seal(table: &str, key: &str, value: &impl Serialize) -> StoreResult<Sealed> {
    let body = serde_json::to_string(value)
        .map_err(|error| StoreError::Bug(format!("a value for {table}/{key} cannot be written as JSON: {error}")))?;
    Ok(Sealed { sum: checksum(table, key, &body), body })
}

/// The first 64 bits of SHA-256 over table, key and body: a row put in another's place does not pass either.
pub(crate) fn checksum(table: &str, key: &str, body: &str) -> i64 {
    let digest = Sha256::new().chain_update(table).chain_update([0]).chain_update(key).chain_update([0]).chain_update(body).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// Reads a sealed value back.
pub(crate) fn unseal<T: DeserializeOwned>(table: &str, key: &str, body: &str, sum: i64) -> StoreResult<T> {
    let corrupt = |why: String| StoreError::Corrupt { what: format!("{table}/{key}"), why };
    if checksum(table, key, body) != sum {
        return Err(corrupt("its bytes do not pass their checksum".to_owned()));
    }
    serde_json::from_str(body).map_err(|error| corrupt(error.to_string()))
}

/// A value sealed in one cell, where a database may keep each cell of two equal writes by itself.
#[cfg(feature = "cql")]
pub(crate) fn seal_cell(table: &str, key: &str, value: &impl Serialize) -> StoreResult<String> {
    let sealed = seal(table, key, value)?;
    Ok(format!("{:016x}{}", sealed.sum, sealed.body))
}

/// Reads a value sealed in one cell back.
#[cfg(feature = "cql")]
pub(crate) fn open_cell<T: DeserializeOwned>(table: &str, key: &str, cell: &str) -> StoreResult<T> {
    let corrupt = || StoreError::Corrupt { what: format!("{table}/{key}"), why: "it does not begin with its checksum".to_owned() };
    let (sum, body) = cell.split_at_checked(16).ok_or_else(corrupt)?;
    let sum = u64::from_str_radix(sum, 16).map_err(|_| corrupt())?;
    unseal(table, key, body, sum.cast_signed())
}
