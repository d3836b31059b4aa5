//! The store port for studios, sightings, hosts, leases, the denylist and audit rows.

use crate::domain::clock::Timestamp;
use crate::domain::facts::Source;
use crate::domain::ids::{ArtistId, SessionId, StudioId};
use crate::domain::lifecycle::{Absence, Sighting};
use crate::domain::studio::Studio;
use crate::store::StoreResult;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Studios.
#[async_trait]
pub trait StudioStore {
    /// A studio's row.
    async fn studio(&self, id: &StudioId) -> StoreResult<Option<Studio>>;

    /// Puts a studio's row; the newest `updated_at` wins.
    async fn put_studio(&self, studio: &Studio) -> StoreResult<()>;

    /// Studios after an id, in an order of the store's own, for walking through all of them.
    async fn scan_studios(&self, after: Option<&StudioId>, limit: usize) -> StoreResult<Vec<Studio>>;

    /// How many studios are known.
    async fn studio_count(&self) -> StoreResult<u64>;
}

/// Who was seen where, and the absences that sessions propose (rule 11).
#[async_trait]
pub trait SightingStore {
    /// Records that a source named an artist: misses start again from zero. `gone` starts again when `page_alive`.
    async fn seen(&self, artist_id: &ArtistId, source: &Source, own_page: bool, page_alive: bool) -> StoreResult<()>;

    /// The sightings of an artist at all its sources.
    async fn sightings_of(&self, artist_id: &ArtistId) -> StoreResult<Vec<Sighting>>;

    /// The artists a source has named, missed since or not: whom its next reading looks for.
    async fn seen_at(&self, source: &Source) -> StoreResult<Vec<ArtistId>>;

    /// Proposes an absence for a session; proposing it again is the same proposal.
    async fn propose_absence(&self, session: &SessionId, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()>;

    /// What a session proposes, in a stable order.
    async fn proposals(&self, session: &SessionId) -> StoreResult<Vec<(ArtistId, Source, Absence)>>;

    /// Counts one proposal for a night, once however often it is called for that night. Nobody is missed at a source that
    /// never named them, or whose sightings were forgotten. A missed field changes no sighting: its evidence counts it.
    async fn count_absence(&self, night: Timestamp, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()>;

    /// Forgets every sighting and proposal of an artist: on removal.
    async fn forget_sightings(&self, artist_id: &ArtistId) -> StoreResult<()>;
}

/// A hold on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTicket {
    /// Which host.
    pub host: String,
    /// Proves that the hold is still the caller's.
    pub token: u64,
    /// The hold's end: no request may be started that cannot end before it.
    pub until: Timestamp,
    /// The next request not before.
    pub next_at: Timestamp,
}

/// Answer to asking for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostAnswer {
    /// It is the caller's until `until`.
    Taken(HostTicket),
    /// Somebody has it, or it asked us to stay away, until this moment.
    Busy(Timestamp),
}

/// Holds on hosts (rule 14). In the store where several processes share a database, in memory where one process is alone.
#[async_trait]
pub trait HostHolds: std::fmt::Debug + Send + Sync {
    /// Takes a host for `hold_us` microseconds from `now` if it is free.
    async fn take(&self, host: &str, owner: &str, hold_us: i64, now: Timestamp) -> StoreResult<HostAnswer>;

    /// Gives a host back: the next request not before `next_at`. A stale token changes nothing.
    async fn give_back(&self, ticket: &HostTicket, next_at: Timestamp) -> StoreResult<()>;

    /// Keeps everybody away from a host until `until`, whoever holds it; never shortens an earlier back-off.
    async fn back_off(&self, host: &str, until: Timestamp) -> StoreResult<()>;
}

/// Named leases: they only save work, correctness never rests on one (rule 18).
#[async_trait]
pub trait LeaseStore {
    /// Takes or renews a lease until `until` if it is free, run out, or the owner's. Answers whether it is the owner's now.
    async fn take_lease(&self, name: &str, owner: &str, until: Timestamp, now: Timestamp) -> StoreResult<bool>;

    /// Gives a lease back if it is the owner's.
    async fn give_back_lease(&self, name: &str, owner: &str) -> StoreResult<()>;
}

/// The denylist (rule 15): keyed hashes of identity keys, never the keys themselves.
#[async_trait]
pub trait Denylist {
    /// Adds hashes; they are never taken out.
    async fn deny(&self, hashes: &[String], now: Timestamp) -> StoreResult<()>;

    /// Whether any of the hashes is listed: whatever `deny` has answered for is seen.
    async fn is_denied(&self, hashes: &[String]) -> StoreResult<bool>;
}

/// One audit row: who did what to what, and the effect; no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who: `cli`, `api`, or a component.
    pub actor: String,
    /// What, as `dead_letter.requeue`.
    pub verb: String,
    /// To what: an id.
    pub target: String,
    /// Why, as the actor said.
    pub reason: Option<String>,
    /// What came of it, as `done` or `refused`.
    pub effect: String,
}

/// Small durable values of the whole store, back-offs of hosts, and the audit trail.
#[async_trait]
pub trait Meta {
    /// A value.
    async fn meta(&self, key: &str) -> StoreResult<Option<String>>;

    /// Sets a value if it says `expected`. Answers what it says instead, if it does.
    async fn put_meta(&self, key: &str, expected: Option<&str>, new: &str) -> StoreResult<Option<Option<String>>>;

    /// Values whose keys begin with `prefix`, in the order of their keys.
    async fn metas(&self, prefix: &str, limit: usize) -> StoreResult<Vec<(String, String)>>;

    /// Forgets a value.
    async fn drop_meta(&self, key: &str) -> StoreResult<()>;

    /// Forgets a value if it says `expected`. Answers whether it is forgotten by this.
    async fn drop_meta_if(&self, key: &str, expected: &str) -> StoreResult<bool>;

    /// Appends an audit row.
    async fn audit(&self, row: &AuditRow) -> StoreResult<()>;

    /// Audit rows, newest first.
    async fn audit_rows(&self, limit: usize) -> StoreResult<Vec<AuditRow>>;

    /// Back-offs of hosts that are not over: what a start must know (the holds themselves are in memory).
    async fn host_back_offs(&self, now: Timestamp) -> StoreResult<Vec<(String, Timestamp)>>;

    /// Records a host's back-off.
    async fn put_host_back_off(&self, host: &str, until: Timestamp) -> StoreResult<()>;
}
