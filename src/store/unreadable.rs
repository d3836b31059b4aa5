//! Rows that cannot be read: damaged, or of a form that this build does not know. Asked for by its key such a row is an error;
//! a list leaves it out, so that it stops nobody, and says so.

use crate::domain::artist::ArtistRow;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::store::{StoreError, StoreResult};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{debug, error};

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// How often this process has left a row out that it could not read.
pub fn unreadable_rows() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// A list leaves a row out.
pub(crate) fn left_out(table: &str, key: &str, why: &StoreError) {
    LEFT_OUT.fetch_add(1, Ordering::Relaxed);
    debug!(table, key, error = %why, "row {key} of {table} cannot be read and is left out of a list");
}

/// A row is taken out of whatever it would be found by, for good.
pub(crate) fn taken_out(table: &str, key: &str, why: &StoreError) {
    error!(table, key, error = %why, "row {key} of {table} cannot be read and is taken out of work; run `inkdex doctor`");
}

/// An artist's row as read; one that cannot be read is told and answered as damaged: it must stop neither the feed nor a scan.
pub(crate) fn artist_as_read(id: &str, read: StoreResult<ArtistRow>, version: i64, fence: Timestamp) -> ArtistRow {
    read.unwrap_or_else(|why| {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        error!(artist.id = %id, error = %why, "the row of artist {id} is damaged; it is hidden until it is scraped again");
        ArtistRow::damaged(ArtistId::new(id), version, fence)
    })
}
