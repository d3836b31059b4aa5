//! The store port: artists and their keys, identity, evidence, the ledger of jobs, sessions, hosts, leases, denylist, audit.
//!
//! Every operation promises *resumability, never atomicity* (rule 6): it may be made of ordered, idempotent steps, a crash
//! between two of them leaves something that repeating the operation completes, and nothing outside an adapter relies on
//! one commit. Policy is in `domain`; an adapter applies decided rows by compare-and-set.

mod artists;
#[cfg(feature = "cql")]
pub mod cql;
pub mod host_holds;
mod ledger;
mod operations;
mod removal_requests;
mod seal;
mod sessions;
pub mod sqlite;
mod unreadable;

pub use artists::{ArtistStore, EvidenceStore, IdentityStore, KeyPage, PutAnswer, StyleEntry, StylePage, StyleQuery};
pub use ledger::{DeadLetterQuery, Depth, JobPut, Ledger, LedgerPage, Letters};
pub use operations::{AuditRow, Denylist, HostAnswer, HostHolds, HostTicket, LeaseStore, Meta, SightingStore, StudioStore};
pub use removal_requests::RemovalRequestStore;
pub use sessions::SessionStore;
pub use unreadable::unreadable_rows;

use crate::domain::ErrorClass;

/// Everything a backend keeps; one value implements it all.
pub trait Store:
    ArtistStore
    + IdentityStore
    + EvidenceStore
    + Ledger
    + SessionStore
    + StudioStore
    + SightingStore
    + LeaseStore
    + Denylist
    + RemovalRequestStore
    + Meta
    + std::fmt::Debug
    + Send
    + Sync
{
}

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Busy, out of space, or not reachable. A write that answered so is *unknown*: repeat it, it is idempotent.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A stored value cannot be read.
    #[error("stored {what} cannot be read: {why}; run `inkdex doctor`")]
    Corrupt {
        /// Which value, by table and key: `jobs/{id}`, `sessions/{id}`.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database is not one that this build may use.
    #[error("{0}")]
    Refused(String),
    /// Another process owns the database, so this one may only read it.
    #[error(
        "{database} is held by another inkdex process (pid {holder}, lock file {lock}); stop that process, or send commands through its API"
    )]
    Held {
        /// The database's file.
        database: String,
        /// The owner's process id, or `unknown`.
        holder: String,
        /// The lock file.
        lock: String,
    },
    /// A fault of ours, as a panic inside a write: the same request will fail again.
    #[error("a fault in the store, please report it: {0}")]
    Bug(String),
}

impl StoreError {
    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable(_) => ErrorClass::Transient,
            Self::Corrupt { .. } | Self::Refused(_) | Self::Held { .. } | Self::Bug(_) => ErrorClass::Permanent,
        }
    }
}

/// The result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;
