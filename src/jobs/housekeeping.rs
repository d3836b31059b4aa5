//! What nobody needs any more: page copies of a session and what discovery was lent after a day, feed entries after three days,
//! tombstones after a week, coordinates of Google's before a month is over, pages that no session asked for in two months, the
//! jobs of a session and its dead letters after as many days as the configuration says, robots.txt that is not obeyed any more, and
//! requests that ended three months ago.

use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::jobs::{PortError, Ports, letter_index, named_sites, prove_request, removal_requests};
use crate::store::Letters;
use std::time::Duration;
use tracing::info;

/// How long the pages of a session are kept after its end: a person removed is gone from copies soon, and a page is stale by then.
const PAGES_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long feed entries are kept; an index further behind is rebuilt.
const FEED_KEPT: Duration = Duration::from_secs(3 * 24 * 3_600);
/// Studios read at once.
const STUDIOS: usize = 500;
/// Sessions looked at for their pages.
const SESSIONS: usize = 200;
/// Sessions looked at for their jobs: more nights than anybody keeps.
const SESSIONS_EVER: usize = 10_000;
/// Meta key of the day on which old jobs were last looked for.
const LOOKED_FOR_JOBS: &str = "ledger.dropped_on";
/// Meta key of the day on which old files of robots.txt were last looked for.
const LOOKED_FOR_ROBOTS: &str = "robots.dropped_on";
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long things are kept that a configuration decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Evidence of visits; nothing is kept of a day that lies further back.
    pub evidence: Duration,
    /// Tombstones of the index.
    pub tombstones: Duration,
    /// The jobs of a session, from its end.
    pub jobs: Duration,
    /// Those of a session that has dead letters.
    pub letters: Duration,
}

/// What was dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// Page copies.
    pub pages: u64,
    /// Evidence of visits.
    pub visits: u64,
    /// Feed entries.
    pub feed: u64,
    /// Tombstones of the indexes.
    pub tombstones: u64,
    /// Sessions whose jobs went.
    pub sessions: u64,
    /// Files of robots.txt.
    pub robots: u64,
    /// Ended requests to be removed or corrected.
    pub requests: u64,
    /// Studios' rows that held what a source's terms do not let us keep.
    pub lent: u64,
}

/// Drops what is past its time. Repeating it is harmless.
///
/// # Errors
/// A part of ours failed; the next round goes on.
pub async fn tidy(ports: &Ports, kept: &Kept) -> Result<Dropped, PortError> {
    let now = ports.clock.now();
    let mut dropped = Dropped::default();
    for session in ports.store.sessions(SESSIONS).await? {
        let over = session.ended_at.is_some_and(|ended| ended <= now.minus(PAGES_KEPT));
        // No mark that it was done: a letter requeued later brings new copies.
        if over {
            dropped.pages += ports.objects.delete_below(&crate::scrape::page_cache::folder(&session.id)).await?;
            ports.objects.delete_below(&crate::discover::grid::run_folder(&session.id)).await?;
        }
    }
    // A look for a proof takes its own pages along; these are of looks that died.
    dropped.pages += ports.objects.delete_below(&crate::scrape::page_cache::folder(&SessionId::new(prove_request::LOOKS))).await?;
    let known_since = crate::scrape::known::kept_since(now);
    dropped.pages += ports.objects.delete_days_before(crate::scrape::known::FOLDER, &known_since).await?;
    named_sites::tidy(ports).await?;
    let evidence_since = now.minus(kept.evidence).day();
    dropped.visits = ports.objects.delete_days_before(crate::scrape::evidence::FOLDER, &evidence_since).await?;
    dropped.lent = give_back(ports).await?;
    dropped.feed = ports.feed.prune(now.minus(FEED_KEPT)).await?;
    dropped.tombstones = ports.index.purge_tombstones(now.minus(kept.tombstones)).await?;
    dropped.tombstones += ports.letters.purge_tombstones(now.minus(kept.tombstones)).await?;
    dropped.requests = removal_requests::drop_ended(ports).await?;
    if is_first_today(ports, LOOKED_FOR_ROBOTS).await? {
        dropped.robots = ports.visitor.drop_old_robots().await?;
    }
    dropped.sessions = drop_old_jobs(ports, kept).await?;
    if dropped != Dropped::default() {
        info!(
            pages = dropped.pages,
            visits = dropped.visits,
            feed = dropped.feed,
            tombstones = dropped.tombstones,
            sessions = dropped.sessions,
            robots = dropped.robots,
            requests = dropped.requests,
            "past its time and dropped: {} page copies, the evidence of {} visits, {} feed entries, {} tombstones, the jobs of {} sessions, {} files of robots.txt, {} ended requests, what was lent of {} studios",
            dropped.pages,
            dropped.visits,
            dropped.feed,
            dropped.tombstones,
            dropped.sessions,
            dropped.robots,
            dropped.requests,
            dropped.lent
        );
    }
    Ok(dropped)
}

/// Whether nobody has looked today for what is looked for once a day; from now on somebody has.
async fn is_first_today(ports: &Ports, key: &str) -> Result<bool, PortError> {
    let today = (ports.clock.now().since(Timestamp(0)).as_secs() / DAY.as_secs()).to_string();
    let looked = ports.store.meta(key).await?;
    Ok(looked.as_ref() != Some(&today) && ports.store.put_meta(key, looked.as_deref(), &today).await?.is_none())
}

/// Drops the jobs of sessions that have been over for long, once a day and by one process. Answers of how many sessions.
async fn drop_old_jobs(ports: &Ports, kept: &Kept) -> Result<u64, PortError> {
    let now = ports.clock.now();
    if !is_first_today(ports, LOOKED_FOR_JOBS).await? {
        return Ok(0);
    }
    let mut dropped = 0;
    for session in ports.store.sessions(SESSIONS_EVER).await? {
        let Some(ended) = session.ended_at.filter(|ended| session.state.is_terminal() && *ended <= now.minus(kept.jobs)) else { continue };
        if ports.store.step_counts(&session.id).await?.0.is_empty() {
            continue;
        }
        let letters = if ended <= now.minus(kept.letters) { Letters::Dropped } else { Letters::Kept };
        if letters == Letters::Dropped {
            letter_index::owe_dropped(ports, &session.id).await?;
        }
        dropped += u64::from(ports.store.drop_jobs(&session.id, letters).await?);
    }
    Ok(dropped)
}

/// Drops what studios' rows may no longer hold of what a source said. Answers how many rows that changed.
async fn give_back(ports: &Ports) -> Result<u64, PortError> {
    let (mut count, mut after) = (0, None);
    loop {
        let studios = ports.store.scan_studios(after.as_ref(), STUDIOS).await?;
        for studio in &studios {
            if let Some(row) = studio.without_expired(ports.clock.now()) {
                ports.store.put_studio(&row).await?;
                count += 1;
            }
        }
        match studios.last() {
            Some(studio) => after = Some(studio.id.clone()),
            None => return Ok(count),
        }
    }
}
