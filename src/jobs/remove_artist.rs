//! Removal for good (rule 15): the denylist first, then the purge; each step idempotent, so a crash in between is finished by
//! the job's next attempt.

use crate::domain::artist::{Artist, Life};
use crate::domain::clock::Timestamp;
use crate::domain::facts::{EvidenceRow, Source};
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{Attempt, Job, NewJob, Task};
use crate::domain::ledger;
use crate::domain::outcome::{Done, Outcome};
use crate::domain::write::Writer;
use crate::jobs::write_artist::remove_record;
use crate::jobs::{PortError, Ports, Running, courier, deny, letter_index, store_outcome, wait_for_dependency};
use crate::objects::ObjectsError;
use crate::scrape::known::site_of;
use crate::store::{AuditRow, JobPut};
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

impl From<crate::store::StoreError> for RemoveError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// Denies an artist and purges what there is. When this answers, no interface returns the person; a job stands that
/// finishes whatever a crash in between leaves.
///
/// # Errors
/// [`RemoveError`].
pub async fn remove(ports: &Ports, id: &ArtistId, actor: &str, reason: Option<&str>) -> Result<(), RemoveError> {
    let row = ports.store.artist(id).await?.ok_or_else(|| RemoveError::Unknown(id.clone()))?;
    deny_all(ports, id, row.record.as_ref()).await?;
    let session = SessionId::new(OPERATIONS);
    let job = NewJob::new(&session, "remove", Task::RemoveArtist { artist_id: id.clone() }, None);
    ports.store.create_jobs(std::slice::from_ref(&job), ports.clock.now()).await?;
    purge(ports, id).await?;
    let audit = AuditRow {
        at: ports.clock.now(),
        actor: actor.to_owned(),
        verb: "artist.remove".to_owned(),
        target: id.to_string(),
        reason: reason.map(str::to_owned),
        effect: "denied and purged".to_owned(),
    };
    ports.store.audit(&audit).await?;
    Ok(())
}

/// The job: repeats the purge until it went through.
pub async fn run(ports: &Ports, running: &Running, id: &ArtistId) -> Outcome {
    running.progress.step();
    let purged = async {
        let row = ports.store.artist(id).await?;
        deny_all(ports, id, row.as_ref().and_then(|row| row.record.as_ref())).await?;
        purge(ports, id).await
    };
    match purged.await {
        Ok(()) => Outcome::Done { how: Done::Written },
        Err(error) if error.class() == crate::domain::ErrorClass::Transient => wait_for_dependency(ports),
        Err(error) => store_outcome(ports, &error, "remove"),
    }
}

/// Lists every key the artist ever had.
async fn deny_all(ports: &Ports, id: &ArtistId, record: Option<&Artist>) -> Result<(), crate::store::StoreError> {
    let mut hashes = vec![ports.deny.of_artist(id)];
    if let Some(record) = record {
        hashes.extend(ports.deny.of_record(id, record));
        hashes.extend(deny::identity_keys(record).iter().map(|key| ports.deny.of_key(key)));
    }
    hashes.extend(ports.store.identities_of(id).await?.iter().map(|key| ports.deny.of_key(key)));
    hashes.sort();
    hashes.dedup();
    ports.store.deny(&hashes, ports.clock.now()).await
}

/// Takes an artist that is denied out of the ledger, the row, the keys, the evidence and the page copies.
///
/// # Errors
/// The store failed; repeat.
pub async fn purge(ports: &Ports, id: &ArtistId) -> Result<(), crate::store::StoreError> {
    let row = ports.store.artist(id).await?;
    let record = row.and_then(|row| row.record);
    // Whatever keys came to the artist after it was denied are denied as well.
    deny_all(ports, id, record.as_ref()).await?;
    for job in ports.store.jobs_about(id).await? {
        erase(ports, job).await?;
    }
    let now = ports.clock.now();
    let writer = Writer { job_id: JobId::new(format!("remove:{id}:{}", now.0)), generation: 1, fence: Timestamp(now.0) };
    remove_record(ports, id, Life::Removed, &writer).await?;
    // The evidence says which pages name the person, so it goes after their copies: whoever repeats this finds them again.
    forget_copies(ports, &ports.store.evidence_of(id).await?).await?;
    ports.store.drop_evidence(id, None).await?;
    ports.store.forget_sightings(id).await?;
    ports.store.forget_identities(id).await?;
    info!(artist.id = %id, "artist {id} was removed for good");
    Ok(())
}

/// Withdraws a job about the person and blanks what names them, in its row and in its attempts.
async fn erase(ports: &Ports, job: Job) -> Result<(), crate::store::StoreError> {
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
    for attempt in ports.store.attempts(row.id()).await? {
        let blank = Attempt { outcome: attempt.outcome.clone().map(ledger::erased_outcome), ..attempt };
        // Should the row move on meanwhile, the job is met again by the removal's next repetition.
        letter_index::put_job(ports, &row, &row, Some(&blank)).await?;
    }
    Ok(())
}

/// Deletes the copies of pages that name the artist: those of recent sessions, and all that is kept of these sites across
/// sessions, since a list or a menu names people too. What others have there is fetched again.
async fn forget_copies(ports: &Ports, evidence: &[EvidenceRow]) -> Result<(), crate::store::StoreError> {
    let mut pages: BTreeSet<Url> = evidence.iter().flat_map(|row| row.facts.every_page().cloned()).collect();
    for row in evidence {
        if let Source::Studio(studio) = &row.source {
            let studio = ports.store.studio(studio).await?;
            pages.extend(studio.and_then(|studio| studio.website(ports.clock.now())));
        }
    }
    for session in ports.store.sessions(8).await? {
        for page in &pages {
            if let Err(error) = ports.visitor.forget(&session.id, page).await {
                tracing::warn!(%error, "a page copy was not deleted, it goes with its session after a day");
            }
        }
    }
    let forgotten = forget_sites(ports, &pages).await;
    forgotten.map_err(|error| crate::store::StoreError::Unavailable(error.to_string()))
}

/// Deletes all that is kept across sessions of the sites to which pages belong.
///
/// # Errors
/// The object store failed; repeat.
pub(crate) async fn forget_sites<'a>(ports: &Ports, pages: impl IntoIterator<Item = &'a Url>) -> Result<(), ObjectsError> {
    let sites: BTreeSet<String> = pages.into_iter().map(site_of).collect();
    for site in sites {
        ports.visitor.forget_site(&site).await?;
    }
    Ok(())
}
