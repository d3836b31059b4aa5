//! The store on ScyllaDB or Apache Cassandra: ordered, idempotent steps over lightweight transactions, key tables as
//! projections, index tables written before the rows they list.
//!
//! - Tables that decide (artists, identity, ledger, sessions, leases …) are changed by lightweight transactions only; key and
//!   index tables by plain writes with a timestamp of their own only. The two never meet in one table.
//! - A conditional write whose outcome is unknown is settled by a serial read ([`db::CqlDb`]).
//! - Every place between two steps is a crash point ([`steps`]).

mod artists;
mod db;
mod errors;
mod evidence;
mod facts;
pub(crate) mod feed;
mod hosts;
mod identity;
mod key_scan;
mod keys;
mod ledger;
mod ledger_chunks;
mod ledger_drop;
mod ledger_entries;
mod ledger_queries;
mod ledger_rows;
mod many;
mod memory;
mod migrate;
mod operations;
mod removal_requests;
mod sessions;
mod settings;
mod sightings;
mod skew;
pub(crate) mod stamps;
mod statement;
mod steps;

pub use db::CqlDb;
pub use hosts::CqlHostHolds;
pub use migrate::Migrator;
pub use settings::CqlSettings;
pub use skew::{ClockSample, SKEW_MAX, SkewGuard};
#[cfg(debug_assertions)]
pub use steps::{Hold, STEPS_MAX};

use statement::Cql;
use std::sync::Arc;

/// The statements of every family of tables, prepared at the start. A family lists its own in its file.
const FAMILIES: &[&[Cql]] = &[
    artists::STATEMENTS,
    evidence::STATEMENTS,
    feed::STATEMENTS,
    hosts::STATEMENTS,
    identity::STATEMENTS,
    key_scan::STATEMENTS,
    keys::STATEMENTS,
    ledger::STATEMENTS,
    ledger_chunks::STATEMENTS,
    ledger_drop::STATEMENTS,
    ledger_entries::STATEMENTS,
    ledger_queries::STATEMENTS,
    ledger_rows::STATEMENTS,
    operations::STATEMENTS,
    removal_requests::STATEMENTS,
    sessions::STATEMENTS,
    sightings::STATEMENTS,
];

fn statements() -> impl Iterator<Item = &'static Cql> {
    FAMILIES.iter().copied().flatten()
}

/// The store in a keyspace.
#[derive(Debug, Clone)]
pub struct CqlStore {
    db: Arc<CqlDb>,
}

impl CqlStore {
    /// The store in an open keyspace.
    pub fn new(db: Arc<CqlDb>) -> Self {
        Self { db }
    }

    /// The keyspace it is in.
    pub fn db(&self) -> &Arc<CqlDb> {
        &self.db
    }
}

impl crate::store::Store for CqlStore {}

#[cfg(test)]
mod tests {
    use super::statement::Kind;

    #[test]
    fn statements_are_what_their_kind_says() {
        for cql in super::statements() {
            let text = cql.text;
            assert_eq!(text.starts_with("SELECT "), matches!(cql.kind, Kind::Read | Kind::Serial), "{text}");
            assert_eq!(text.contains(" IF "), cql.kind == Kind::Conditional, "{text}");
            // A lightweight transaction takes its timestamp from its ballot.
            assert_eq!(text.contains(" USING TIMESTAMP ?"), cql.kind == Kind::Write, "{text}");
            assert!(!text.contains("ALLOW FILTERING"), "{text}");
        }
    }
}
