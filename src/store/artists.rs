//! The store port for artists: rows, key tables, identity and evidence.

use crate::domain::artist::ArtistRow;
use crate::domain::facts::EvidenceRow;
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::ArtistId;
use crate::domain::keys::TableKey;
use crate::domain::write::PutRow;
use crate::store::StoreResult;
use async_trait::async_trait;

/// Answer to a compare-and-set of an artist's row.
#[derive(Debug, Clone, PartialEq)]
pub enum PutAnswer {
    /// The row stands, its keys are projected, the change (if any) is in the feed.
    Committed,
    /// Another row stands: decide again from it.
    Conflict(Option<Box<ArtistRow>>),
}

/// Whose entries of the style table are asked for (002-C8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyleQuery {
    /// `STYLE#{slug}`.
    pub gsi1pk: String,
    /// The beginning of the sort key, as `LOCATION#UK#LONDON#`.
    pub gsi1sk_prefix: String,
    /// Entries at most.
    pub limit: usize,
    /// The sort key after which to go on.
    pub after: Option<String>,
}

/// One verified entry of the style table.
#[derive(Debug, Clone, PartialEq)]
pub struct StyleEntry {
    /// The sort key, to go on from.
    pub gsi1sk: String,
    /// The row it was verified against.
    pub row: ArtistRow,
}

/// A page of the style table.
#[derive(Debug, Clone, PartialEq)]
pub struct StylePage {
    /// Entries in the order of their sort keys.
    pub entries: Vec<StyleEntry>,
    /// The sort key to go on from; `None` at the end.
    pub next: Option<String>,
}

/// A page of the key tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyPage {
    /// Whose rows, and which.
    pub rows: Vec<(ArtistId, TableKey)>,
    /// Where to go on from; `None` at the end.
    pub next: Option<String>,
}

/// Artists' rows, their key tables and the writing side of the change feed.
#[async_trait]
pub trait ArtistStore {
    /// The row of an artist, deleted ones included (then without a record). One whose content cannot be read any more is
    /// answered as [`ArtistRow::damaged`], here and in scans: it is hidden, named by reconcile, and mended by its next write.
    async fn artist(&self, id: &ArtistId) -> StoreResult<Option<ArtistRow>>;

    /// Puts a decided row if `put.expected` still stands.
    ///
    /// A committed change is in the feed at least once, and its keys are what `put.keys` says: rows of `put.stale` are
    /// gone. A write that only raises the fence makes no feed entry. After an error the write is *unknown*.
    async fn put_artist(&self, put: &PutRow) -> StoreResult<PutAnswer>;

    /// Repeats the feed entry and the keys of the row as it stands (rule 2: after a start without outcome). Harmless.
    async fn repeat_projections(&self, id: &ArtistId) -> StoreResult<()>;

    /// Makes the key tables say of an artist what its row says. `ghosts` are rows met there that it does not hold, also if
    /// nobody has a row of that id. For reconcile.
    async fn mend_keys(&self, id: &ArtistId, ghosts: &[TableKey]) -> StoreResult<()>;

    /// A page of all rows of the key tables as they stand there, verified by nobody, each at least once and in an order of
    /// the backend's own; `after` is what the page before answered. For reconcile.
    async fn scan_keys(&self, after: Option<&str>, limit: usize) -> StoreResult<KeyPage>;

    /// Told how many entries a style has, a backend whose partitions must stay small spreads it over more of them; answers into
    /// how many if it does. Entries move as their artists are written; readers find them before and after. For reconcile.
    async fn spread_style(&self, gsi1pk: &str, entries: u64) -> StoreResult<Option<u16>> {
        let _one_table_holds_all = (gsi1pk, entries);
        Ok(None)
    }

    /// A page of the style table; every entry is verified against its row, ghosts are left out.
    async fn by_style(&self, query: &StyleQuery) -> StoreResult<StylePage>;

    /// The live artist of `INSTAGRAM#{handle}`, verified against its row; of several that print it, the oldest.
    async fn by_instagram(&self, gsi2pk: &str) -> StoreResult<Option<ArtistRow>>;

    /// Rows after the one of `after`, deleted ones included, each once and in an order of the backend's own (in CQL that
    /// of tokens): for reconcile and rebuild.
    async fn scan_artists(&self, after: Option<&ArtistId>, limit: usize) -> StoreResult<Vec<ArtistRow>>;
}

/// The identity table (rule 9): `key → artist`, insert-if-absent.
#[async_trait]
pub trait IdentityStore {
    /// What a key says, read serially: it sees every committed claim.
    async fn identity(&self, key: &IdentityKey) -> StoreResult<Option<KeyState>>;

    /// Points a key by compare-and-set. `Ok(None)`: done (also if it said so already). `Ok(Some(state))`: it says this
    /// instead, `Some(None)` that nobody holds it any more.
    async fn point_identity(&self, key: &IdentityKey, expected: Option<&KeyState>, new: &KeyState)
    -> StoreResult<Option<Option<KeyState>>>;

    /// The keys that name an artist, in a stable order.
    async fn identities_of(&self, id: &ArtistId) -> StoreResult<Vec<IdentityKey>>;

    /// Forgets the keys that name an artist: after removal, the denylist's hashes stand in their place.
    async fn forget_identities(&self, id: &ArtistId) -> StoreResult<()>;
}

/// Evidence: what each source said last. IndexSync never reads it.
#[async_trait]
pub trait EvidenceStore {
    /// Puts the evidence of a source unless a newer reading (higher fence) stands. Answers whether it stands now.
    async fn put_evidence(&self, row: &EvidenceRow) -> StoreResult<bool>;

    /// The evidence of an artist, one row a source.
    async fn evidence_of(&self, id: &ArtistId) -> StoreResult<Vec<EvidenceRow>>;

    /// Drops the evidence of an artist: on removal, or when a source no longer names it.
    async fn drop_evidence(&self, id: &ArtistId, source_key: Option<&str>) -> StoreResult<()>;
}
