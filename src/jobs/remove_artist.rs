//! Removal for good (rule 15): the denylist first, then the purge; each step idempotent, so a crash in between is finished by
//! the job's next attempt.

use crate::domain::artist::{Artist, Life};
use crate::domain::clock::Timestamp;
use crate::domain::facts::{EvidenceRow, Source};
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{Job, Leftovers, NewJob, Task};
use crate::domain::ledger;
use crate::domain::outcome::{Done, Outcome, WaitFor};
use crate::domain::write::Writer;
use crate::jobs::audit::audit;
use crate::jobs::write_artist::remove_record;
use crate::jobs::{
    PortError, Ports, Running, courier, deny, letter_index, named_sites, remove_studio, store_outcome, tell_apart, wait_for_dependency,
};
use crate::scrape::known::site_of;
use crate::store::{JobPut, StoreError, StoreResult};
use std::collections::BTreeSet;
use tracing::info;
use url::Url;

/// The session under which jobs of operators run: it has no row and never ends.
pub const OPERATIONS: &str = "operations";

/// Why somebody was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Nobody has this id.
    #[error("there is no artist {0}; `inkdex search` prints ids")]
    Unknown(ArtistId),
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<StoreError> for RemoveError {
    fn from(error: StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// Denies an artist and purges what there is. When this answers, no interface returns the person; a job stands that
/// finishes whatever a crash in between leaves.
///
/// # Errors
/// [`RemoveError`].
pub async fn remove(ports: &Ports, id: &ArtistId, actor: &str, reason: Option<&str>) -> Result<(), RemoveError> {
    if ports.store.artist(id).await?.is_none() {
        return Err(RemoveError::Unknown(id.clone()));
    }
    Ok(remove_whoever(ports, id, actor, reason).await?)
}

/// As [`remove`], also where nobody has the id yet: whoever the identity keys that point there mean.
///
/// # Errors
/// A part of ours failed; repeat.
pub(crate) async fn remove_whoever(ports: &Ports, id: &ArtistId, actor: &str, reason: Option<&str>) -> StoreResult<()> {
    let row = ports.store.artist(id).await?;
    let leftovers = deny_all(ports, id, row.as_ref().and_then(|row| row.record.as_ref())).await?;
    let hashes = leftovers.hashes.len();
    audit(ports, actor, "artist.remove.deny", id, reason, &format!("{hashes} keyed hashes are on the denylist")).await?;
    ports.store.create_jobs(&[job(id, leftovers)], ports.clock.now()).await?;
    purge_and_note(ports, id, actor, &[]).await?;
    audit(ports, actor, "artist.remove", id, reason, "denied and purged").await
}

/// The job that stands for the removal of somebody.
pub(crate) fn job(id: &ArtistId, leftovers: Leftovers) -> NewJob {
    NewJob::new(&SessionId::new(OPERATIONS), "remove", Task::RemoveArtist { artist_id: id.clone(), leftovers }, None)
}

/// The job: repeats the purge until it went through, and once more when whatever was under way has ended, for what was put by
/// attempts that died before they looked at the denylist again.
pub async fn run(ports: &Ports, running: &Running, id: &ArtistId, leftovers: &Leftovers) -> Outcome {
    running.progress.step();
    let look_again = running.job.created_at.plus(ports.settings.look_again);
    let purged = if ports.clock.now() < look_again {
        let wait = Outcome::Wait { until: look_again, why: WaitFor::Laggards };
        purge_and_note(ports, id, "job", &[]).await.map(|()| wait)
    } else {
        purge_leftovers(ports, id, leftovers).await.map(|()| Outcome::Done { how: Done::Written })
    };
    match purged {
        Ok(outcome) => outcome,
        Err(error) if error.class() == crate::domain::ErrorClass::Transient => wait_for_dependency(ports),
        Err(error) => store_outcome(ports, &error, "remove"),
    }
}

/// Purges somebody for the last time, and whoever was made of their keys meanwhile.
async fn purge_leftovers(ports: &Ports, id: &ArtistId, leftovers: &Leftovers) -> StoreResult<()> {
    purge_and_note(ports, id, "job", &leftovers.hashes).await?;
    for other in &leftovers.ids {
        // Whoever has a row was written to the end, and looked up then.
        if ports.store.artist(other).await?.is_none() {
            purge_and_note(ports, other, "job", &[]).await?;
        }
    }
    Ok(())
}

/// What somebody's keys lead to: those of their record, and those that name them.
pub(crate) async fn leftovers(ports: &Ports, id: &ArtistId, record: Option<&Artist>) -> StoreResult<Leftovers> {
    let mut keys = record.map(deny::identity_keys).unwrap_or_default();
    keys.extend(ports.store.identities_of(id).await?);
    keys.sort();
    keys.dedup();
    let ids = keys.iter().map(|key| ArtistId::proposed(key.as_str())).filter(|other| other != id).collect();
    let hashes = std::iter::once(ports.deny.of_artist(id)).chain(keys.iter().map(|key| ports.deny.of_key(key))).collect();
    Ok(Leftovers { ids, hashes })
}

/// Lists every key the artist ever had. Answers what they lead to.
async fn deny_all(ports: &Ports, id: &ArtistId, record: Option<&Artist>) -> StoreResult<Leftovers> {
    let leftovers = leftovers(ports, id, record).await?;
    ports.store.deny(&leftovers.hashes, ports.clock.now()).await?;
    Ok(leftovers)
}

/// Purges whoever holds one of these keys that is denied: what somebody left who died between taking them and looking again.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn purge_holders(ports: &Ports, keys: &[IdentityKey]) -> StoreResult<()> {
    for key in keys {
        if ports.store.is_denied(&[ports.deny.of_key(key)]).await?
            && let Some(KeyState::Held(id)) = ports.store.identity(key).await?
        {
            purge(ports, &id).await?;
        }
    }
    Ok(())
}

/// What a purge took out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Jobs withdrawn or blanked, dead letters among them.
    pub jobs: usize,
    /// Whether there was a record.
    pub record: bool,
    /// Sites whose copies and evidence objects went.
    pub sites: usize,
    /// Evidence rows.
    pub evidence: usize,
    /// Studios that are this one person.
    pub studios: usize,
    /// Identity keys.
    pub keys: usize,
}

async fn purge_and_note(ports: &Ports, id: &ArtistId, actor: &str, hashes: &[String]) -> StoreResult<()> {
    let purged = purge_all(ports, id, hashes).await?;
    let steps = [
        ("artist.remove.jobs", purged.jobs > 0, format!("{} jobs and dead letters were withdrawn and blanked", purged.jobs)),
        ("artist.remove.studios", purged.studios > 0, format!("{} studios that are one person were blanked", purged.studios)),
        ("artist.remove.record", purged.record, "row, key tables and index entry are withdrawn".to_owned()),
        ("artist.remove.copies", purged.sites > 0, format!("page copies and evidence objects of {} sites were deleted", purged.sites)),
        ("artist.remove.evidence", purged.evidence > 0, format!("{} evidence rows were deleted", purged.evidence)),
        ("artist.remove.keys", purged.keys > 0, format!("sightings and {} identity keys were deleted", purged.keys)),
    ];
    for (verb, _, effect) in steps.iter().filter(|(_, happened, _)| *happened) {
        audit(ports, actor, verb, id, None, effect).await?;
    }
    Ok(())
}

/// Takes an artist that is denied out of the ledger, the row, the keys, the evidence and the page copies.
///
/// # Errors
/// The store failed; repeat.
pub async fn purge(ports: &Ports, id: &ArtistId) -> StoreResult<Purged> {
    purge_all(ports, id, &[]).await
}

/// As [`purge`], with studios that are listed under further keyed hashes.
async fn purge_all(ports: &Ports, id: &ArtistId, hashes: &[String]) -> StoreResult<Purged> {
    let row = ports.store.artist(id).await?;
    let record = row.and_then(|row| row.record);
    // Whatever keys came to the artist after it was denied are denied as well.
    let denied = deny_all(ports, id, record.as_ref()).await?.hashes;
    let hashes: BTreeSet<String> = denied.into_iter().chain(hashes.iter().cloned()).collect();
    let jobs = ports.store.jobs_about(id).await?;
    let mut purged = Purged { jobs: jobs.len(), ..Purged::default() };
    // Before the jobs are blanked, since of somebody who was never written only they say where copies may lie.
    let mut pages: BTreeSet<Url> = jobs.iter().flat_map(pages_of_job).collect();
    purged.sites += forget_copies(ports, &pages).await?;
    for job in jobs {
        erase(ports, job).await?;
    }
    // While the record and the keys say which site is the person's own.
    purged.studios = remove_studio::purge(ports, &hashes).await?;
    if let Some(site) = record.as_ref().and_then(|record| record.own_site.as_ref()) {
        forget_robots(ports, site).await?;
    }
    let now = ports.clock.now();
    let writer = Writer { job_id: JobId::new(format!("remove:{id}:{}", now.0)), generation: 1, fence: Timestamp(now.0) };
    purged.record = remove_record(ports, id, Life::Removed, &writer).await?;
    // The evidence says which pages name the person, so it goes after their copies: whoever repeats this finds them again.
    let evidence = ports.store.evidence_of(id).await?;
    pages = pages_of(ports, &evidence).await?;
    purged.sites += forget_copies(ports, &pages).await?;
    let keys = ports.store.identities_of(id).await?;
    tell_apart::forget(ports, id, &keys, &evidence).await?;
    ports.store.drop_evidence(id, None).await?;
    ports.store.forget_sightings(id).await?;
    purged.evidence = evidence.len();
    purged.keys = keys.len();
    ports.store.forget_identities(id).await?;
    info!(artist.id = %id, "artist {id} was removed for good");
    Ok(purged)
}

/// The pages that a job was to read.
fn pages_of_job(job: &Job) -> Vec<Url> {
    match &job.new.task {
        Task::ScrapeArtist(task) => std::iter::once(&task.entry).chain(&task.listed_on).cloned().collect(),
        _ => Vec::new(),
    }
}

/// Withdraws a job about the person and blanks what names them, in its row and in its attempts.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn erase(ports: &Ports, job: Job) -> StoreResult<()> {
    let mut met = job;
    let row = loop {
        // Another artist may be among those whom its attempts left half written.
        courier::repeat_unfinished(ports, &met).await?;
        let row = ledger::erased(&met, ports.clock.now());
        match letter_index::put_job(ports, &met, &row, None).await? {
            JobPut::Committed => break row,
            JobPut::Conflict(Some(current)) => met = *current,
            JobPut::Conflict(None) => return Ok(()),
        }
    };
    // Should the row move on meanwhile, the job is met again by the removal's next repetition.
    courier::erase_attempts(ports, &row, &ports.store.attempts(row.id()).await?).await?;
    Ok(())
}

/// Deletes the robots.txt of somebody's own site.
///
/// # Errors
/// The object store failed; repeat.
pub(crate) async fn forget_robots(ports: &Ports, site: &Url) -> StoreResult<()> {
    ports.visitor.forget_robots(site).await.map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// The pages that name the artist, and the sites of their studios, since a list or a menu names people too.
async fn pages_of(ports: &Ports, evidence: &[EvidenceRow]) -> StoreResult<BTreeSet<Url>> {
    let mut pages: BTreeSet<Url> = evidence.iter().flat_map(|row| row.facts.every_page().cloned()).collect();
    for row in evidence {
        if let Source::Studio(studio) = &row.source {
            let studio = ports.store.studio(studio).await?;
            pages.extend(studio.and_then(|studio| studio.website(ports.clock.now())));
        }
    }
    Ok(pages)
}

/// Deletes the copies of pages that name the artist: those of recent sessions, and all that is kept of these sites across
/// sessions. What others have there is fetched again. Answers of how many sites.
async fn forget_copies(ports: &Ports, pages: &BTreeSet<Url>) -> StoreResult<usize> {
    if pages.is_empty() {
        return Ok(0);
    }
    for session in ports.store.sessions(8).await? {
        for page in pages {
            if let Err(error) = ports.visitor.forget(&session.id, page).await {
                tracing::warn!(%error, "a page copy was not deleted, it goes with its session after a day");
            }
        }
    }
    forget_sites(ports, pages).await
}

/// Marks the sites to which pages belong as naming somebody who was removed, and deletes all that is kept of them across sessions.
/// Answers how many sites.
///
/// # Errors
/// The store or the object store failed; repeat.
pub(crate) async fn forget_sites<'a>(ports: &Ports, pages: impl IntoIterator<Item = &'a Url>) -> StoreResult<usize> {
    let sites: BTreeSet<String> = pages.into_iter().map(site_of).filter(|site| !site.is_empty()).collect();
    for site in &sites {
        // First: whoever keeps a copy from now on meets the mark, and whoever kept one before is met here.
        named_sites::mark(ports, site).await?;
        ports.visitor.forget_site(site).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    }
    Ok(sites.len())
}
