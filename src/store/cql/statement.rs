//! A statement with the settings that its kind needs, and what came of a conditional one.

use super::errors::not_prepared;
use crate::store::{StoreError, StoreResult};
use scylla::client::session::Session;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::response::query_result::QueryRowsResult;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};
use std::sync::Arc;
use std::time::Duration;

/// Rows fetched in one page.
const PAGE_ROWS: i32 = 500;

/// What a statement does; its settings follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads at LOCAL_QUORUM: sees every write that was answered.
    Read,
    /// Reads at LOCAL_SERIAL: also settles a conditional write that is under way.
    Serial,
    /// Writes with a fixed timestamp, so that repeating it changes nothing.
    Write,
    /// Writes on a condition. The driver never repeats it: it may have been applied.
    Conditional,
}

/// A statement of this build: its text (the key of its prepared form) and its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cql {
    pub(crate) text: &'static str,
    pub(crate) kind: Kind,
}

impl Cql {
    /// A read at LOCAL_QUORUM.
    pub const fn read(text: &'static str) -> Self {
        Self { text, kind: Kind::Read }
    }

    /// A read at LOCAL_SERIAL.
    pub const fn serial(text: &'static str) -> Self {
        Self { text, kind: Kind::Serial }
    }

    /// A plain write; its text says `USING TIMESTAMP ?`.
    pub const fn write(text: &'static str) -> Self {
        Self { text, kind: Kind::Write }
    }

    /// A lightweight transaction; its text says `IF …`.
    pub const fn lwt(text: &'static str) -> Self {
        Self { text, kind: Kind::Conditional }
    }

    /// Sets what the kind needs.
    pub(super) fn configure(&self, prepared: &mut PreparedStatement, request_timeout: Duration) {
        prepared.set_request_timeout(Some(request_timeout));
        prepared.set_page_size(PAGE_ROWS);
        prepared.set_consistency(if self.kind == Kind::Serial { Consistency::LocalSerial } else { Consistency::LocalQuorum });
        prepared.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        prepared.set_is_idempotent(self.kind != Kind::Conditional);
        if self.kind == Kind::Conditional {
            prepared.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        }
    }
}

/// Prepares a statement and configures it for its kind.
pub(super) async fn prepare(
    session: &Session,
    cql: &'static Cql,
    request_timeout: Duration,
) -> StoreResult<(&'static str, PreparedStatement)> {
    let prepared = tokio::time::timeout(request_timeout, session.prepare(cql.text)).await;
    let late = |_| StoreError::Unavailable(format!("the database did not prepare a statement within {request_timeout:?}"));
    let mut prepared = prepared.map_err(late)?.map_err(|error| not_prepared(cql.text, &error))?;
    cql.configure(&mut prepared, request_timeout);
    Ok((cql.text, prepared))
}

/// What came of one conditional write.
#[derive(Debug)]
pub(crate) enum Lwt {
    /// The condition held; it is written.
    Applied,
    /// The condition did not hold.
    Met(Met),
    /// Nobody knows; a serial read settles it.
    Unknown(String),
}

/// What a conditional write met instead, as far as the database says: Cassandra names the condition's columns (all of the
/// row for `IF NOT EXISTS`), and none if there is no row; ScyllaDB names them always, as nulls.
#[derive(Debug, Default)]
pub(crate) struct Met(Vec<(String, CqlValue)>);

impl Met {
    fn value(&self, column: &str) -> Option<&CqlValue> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// A text column, if the row is there and it is set.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column).and_then(CqlValue::as_text).map(String::as_str)
    }

    /// A bigint column, if the row is there and it is set.
    pub fn bigint(&self, column: &str) -> Option<i64> {
        self.value(column).and_then(CqlValue::as_bigint)
    }
}

/// Reads the answer to a conditional write: `[applied]` by its name, the rest as far as it is there.
pub(super) fn applied(result: &QueryRowsResult) -> Result<Lwt, String> {
    let names: Vec<String> = result.column_specs().iter().map(|spec| spec.name().to_owned()).collect();
    let row = result.first_row::<Row>().map_err(|error| error.to_string())?;
    let columns = names.into_iter().zip(row.columns).filter_map(|(name, value)| value.map(|value| (name, value)));
    let met = Met(columns.collect());
    match met.value("[applied]").and_then(CqlValue::as_boolean) {
        Some(true) => Ok(Lwt::Applied),
        Some(false) => Ok(Lwt::Met(met)),
        None => Err("the answer to a conditional write does not say [applied]".to_owned()),
    }
}

/// What came of a compare-and-set once it is settled.
#[derive(Debug)]
pub(crate) enum Cas<T> {
    /// Ours stands.
    Applied,
    /// This stands instead.
    Other(T),
}
