//! The embedded store: one SQLite file for store, queue and feed, one writer thread, short readers.
//!
//! A command is one transaction here; the port promises less, and nothing outside may rely on more (rule 6).

mod artists;
mod core;
mod db;
pub(crate) mod feed;
mod identity;
mod ledger;
mod ledger_queries;
mod open;
mod operations;
#[cfg(test)]
mod projection_tests;
mod removal_requests;
mod schema;
mod seal;
mod sessions;
mod sightings;
#[cfg(test)]
mod tests;
mod unread;

pub(crate) use core::Txn;
pub use db::{OpenMode, SqliteDb};

use crate::store::Store;
use std::sync::Arc;

/// The store in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Arc<SqliteDb>,
}

impl SqliteStore {
    /// The store in an open database.
    pub fn new(db: Arc<SqliteDb>) -> Self {
        Self { db }
    }
}

impl Store for SqliteStore {}
