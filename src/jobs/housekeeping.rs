//! What nobody needs any more: page copies after a day, feed entries after three days, tombstones after a week.

use crate::jobs::{PortError, Ports};
use std::time::Duration;
use tracing::info;

/// How long the pages of a session are kept after its end: a person removed is gone from copies soon, and a page is stale by then.
const PAGES_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long feed entries are kept; an index further behind is rebuilt.
const FEED_KEPT: Duration = Duration::from_secs(3 * 24 * 3_600);
/// Sessions looked at.
const SESSIONS: usize = 200;

/// What was dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// Page copies.
    pub pages: u64,
    /// Feed entries.
    pub feed: u64,
    /// Tombstones of the index.
    pub tombstones: u64,
}

/// Drops what is past its time. Repeating it is harmless.
///
/// # Errors
/// A part of ours failed; the next round goes on.
pub async fn tidy(ports: &Ports, tombstones_kept: Duration) -> Result<Dropped, PortError> {
    let now = ports.clock.now();
    let mut dropped = Dropped::default();
    for session in ports.store.sessions(SESSIONS).await? {
        let over = session.ended_at.is_some_and(|ended| ended <= now.minus(PAGES_KEPT));
        // No mark that it was done: a letter requeued later brings new copies.
        if over {
            dropped.pages += ports.objects.delete_below(&crate::scrape::page_cache::folder(&session.id)).await?;
        }
    }
    dropped.feed = ports.feed.prune(now.minus(FEED_KEPT)).await?;
    dropped.tombstones = ports.index.purge_tombstones(now.minus(tombstones_kept)).await?;
    if dropped != Dropped::default() {
        info!(
            pages = dropped.pages,
            feed = dropped.feed,
            tombstones = dropped.tombstones,
            "past its time and dropped: {} page copies, {} feed entries, {} tombstones",
            dropped.pages,
            dropped.feed,
            dropped.tombstones
        );
    }
    Ok(dropped)
}
