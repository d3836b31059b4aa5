//! Replay: what the extractors of this build make of the pages that are kept, without asking anybody for anything. Says who
//! would change and how; the job writes it as any other job does.
//!
//! Nobody is seen and nobody is missed by it (rule 11): no page answered.

use crate::alert::Alert;
use crate::domain::artist::{Artist, ArtistRow, FieldChange};
use crate::domain::facts::{EvidenceRow, Source};
use crate::domain::ids::{ArtistId, SessionId};
use crate::domain::job::{Job, NewJob, ScrapeTask, Task, Usage};
use crate::domain::ledger::{self, Begin};
use crate::domain::outcome::{Cancelled, Done, Outcome};
use crate::jobs::added_up::names_of;
use crate::jobs::courier::{self, Begun};
use crate::jobs::find_artists::{is_about, members};
use crate::jobs::remove_artist::OPERATIONS;
use crate::jobs::scrape_artist::{self, Read, read_own_site, read_studio};
use crate::jobs::write_artist::{SourceReading, WriteArtist, WriteError, Written, preview, write_artist};
use crate::jobs::{Desk, Ended, PortError, Ports, Progress, Running, site_visit, store_outcome};
use crate::queue::Receipt;
use crate::store::StoreError;
use async_trait::async_trait;
use serde::Serialize;
use tracing::warn;

/// What a replay makes of one artist.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// Whom.
    pub artist_id: ArtistId,
    /// By the name in the directory.
    pub name: String,
    /// What would be another value.
    pub changes: Vec<FieldChange>,
    /// The sources that could not be read again, and why; what they said stands.
    pub unread: Vec<String>,
}

/// Artists are written where the replay runs: there is no Writer beside it.
#[derive(Debug)]
struct Here<'a>(&'a Ports);

#[async_trait]
impl Desk for Here<'_> {
    async fn write(&self, request: WriteArtist) -> Result<Written, WriteError> {
        write_artist(self.0, &request).await
    }

    async fn alert(&self, alert: Alert) {
        warn!(alert.kind = alert.kind.as_str(), alert.subject = %alert.subject, "{}", alert.text);
    }
}

/// What was read again, and what could not be.
struct Readings {
    sources: Vec<SourceReading>,
    unread: Vec<String>,
}

/// What the pages kept of an artist would make of the record now. Nothing for whoever has none, or is on the denylist.
///
/// # Errors
/// A part of ours failed.
pub async fn compare(ports: &Ports, id: &ArtistId) -> Result<Option<Replayed>, PortError> {
    let Some(record) = record_of(ports, id).await? else { return Ok(None) };
    let running = rehearsed(ports, id);
    let Readings { sources, mut unread } = read_again(ports, &running, &record, &ports.store.evidence_of(id).await?).await?;
    let changes = match preview(ports, &running.attempt, id, &sources).await {
        Ok(after) => record.changes_to(&after),
        Err(WriteError::Invalid(failure)) => {
            unread.push(failure.message);
            Vec::new()
        }
        Err(WriteError::Store(error)) => return Err(error.into()),
        Err(WriteError::Unanswered(why)) => return Err(StoreError::Unavailable(why).into()),
    };
    Ok(Some(Replayed { artist_id: id.clone(), name: record.name.value, changes, unread }))
}

/// Makes the job that writes what [`compare`] says, and runs it here. Whoever dies in between leaves it to the daemon.
///
/// # Errors
/// A part of ours failed; the job stands.
pub async fn apply(ports: &Ports, id: &ArtistId) -> Result<Outcome, PortError> {
    let new = new_job(ports, id);
    ports.store.create_jobs(std::slice::from_ref(&new), ports.clock.now()).await?;
    let message = Job::created(new, ports.clock.now()).message();
    let Begun::Run { job, attempt, .. } = courier::begin(ports, &message).await? else {
        // The sweeper of a daemon was faster, and its workers have it.
        return Ok(Outcome::Done { how: Done::Superseded });
    };
    let running = Running { job: *job, attempt: *attempt, progress: Progress::default() };
    let Ended { outcome, usage } = run(ports, &Here(ports), &running, id).await;
    // No message was sent, so there is none to ack: a receipt of nothing is stale.
    courier::settle(ports, &running.attempt, outcome.clone(), usage, &Receipt(String::new())).await?;
    Ok(outcome)
}

/// The job.
pub async fn run(ports: &Ports, desk: &dyn Desk, running: &Running, id: &ArtistId) -> Ended {
    match replay(ports, desk, running, id).await {
        Ok(outcome) => outcome.into(),
        Err(PortError::Store(error)) => store_outcome(ports, &error, "replay").into(),
        Err(_) => crate::jobs::wait_for_dependency(ports).into(),
    }
}

async fn replay(ports: &Ports, desk: &dyn Desk, running: &Running, id: &ArtistId) -> Result<Outcome, PortError> {
    let Some(record) = record_of(ports, id).await? else { return Ok(Outcome::Cancelled { why: Cancelled::Removed }) };
    let Readings { sources, .. } = read_again(ports, running, &record, &ports.store.evidence_of(id).await?).await?;
    if sources.is_empty() {
        return Ok(Outcome::Done { how: Done::Unchanged });
    }
    Ok(scrape_artist::write(ports, desk, running, sources).await)
}

/// The record of somebody who is in the directory.
async fn record_of(ports: &Ports, id: &ArtistId) -> Result<Option<Artist>, PortError> {
    let Some(record) = ports.store.artist(id).await?.as_ref().and_then(ArtistRow::live).cloned() else { return Ok(None) };
    let denied = ports.store.is_denied(&ports.deny.of_record(id, &record)).await?;
    Ok((!denied).then_some(record))
}

/// Reads every source of an artist again, each as the job of a session does, from what is kept of its pages.
async fn read_again(ports: &Ports, running: &Running, record: &Artist, evidence: &[EvidenceRow]) -> Result<Readings, PortError> {
    let mut readings = Readings { sources: Vec::new(), unread: Vec::new() };
    for row in evidence {
        let read = match &row.source {
            Source::OwnSite(_) => own_site_again(ports, running, record, row).await,
            Source::Studio(_) => studio_again(ports, running, record, row).await,
            // What was confirmed stands whatever extractors make of pages.
            Source::Artist | Source::Operator => continue,
        };
        match read {
            // Another source's row is not this artist's to write.
            Ok((Some(reading), _)) if reading.source == row.source => readings.sources.push(reading),
            Ok(_) => readings.unread.push(format!("{}: nothing there speaks of them any more", row.source.key())),
            Err((Outcome::Wait { .. }, _)) => return Err(StoreError::Unavailable("a part of ours is out".to_owned()).into()),
            Err((outcome, _)) => readings.unread.push(format!("{}: {}", row.source.key(), why(&outcome))),
        }
    }
    Ok(readings)
}

async fn own_site_again(ports: &Ports, running: &Running, record: &Artist, row: &EvidenceRow) -> Read<Option<SourceReading>> {
    let Some(entry) = row.facts.own_site.clone().or_else(|| row.facts.pages.first().cloned()) else { return Ok((None, Usage::default())) };
    let task = ScrapeTask { studio_id: None, name: record.name.value.clone(), instagram: None, entry, own_site: true, listed_on: None };
    read_own_site(ports, running, &task).await
}

async fn studio_again(ports: &Ports, running: &Running, record: &Artist, row: &EvidenceRow) -> Read<Option<SourceReading>> {
    let nothing = Ok((None, Usage::default()));
    let Source::Studio(id) = &row.source else { return nothing };
    let studio = ports.store.studio(id).await.map_err(|error| (store_outcome(ports, &error, "replay"), Usage::default()))?;
    let Some((studio, website)) = studio.and_then(|studio| studio.website(ports.clock.now()).map(|website| (studio, website))) else {
        return nothing;
    };
    let facts = site_visit::read_site(ports, running, &website).await?.reader.finish(&ports.styles);
    let known_as = names_of(ports, &row.artist_id, record).await;
    let names = known_as.map_err(|error| (store_outcome(ports, &error, "replay"), Usage::default()))?;
    match members(&studio, &website, &facts).into_iter().find(|task| is_about(task, record, &names)) {
        Some(task) => read_studio(ports, running, &task).await,
        None => nothing,
    }
}

/// Why a source was not read, for a person.
fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Dead { reason } | Outcome::Retry { reason, .. } => reason.message.clone(),
        Outcome::Done { how: Done::Gone } => "its page is gone".to_owned(),
        Outcome::Done { how: Done::RefusedByRobots } => "its page asks not to be used".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn new_job(ports: &Ports, id: &ArtistId) -> NewJob {
    let task = Task::ReplayArtist { artist_id: id.clone(), asked_at: ports.clock.now() };
    NewJob::new(&SessionId::new(OPERATIONS), "replay", task, None)
}

/// A job as it would run, of which the ledger knows nothing.
fn rehearsed(ports: &Ports, id: &ArtistId) -> Running {
    let now = ports.clock.now();
    let job = Job::created(new_job(ports, id), now);
    let (settings, progress) = (&ports.settings, Progress::default());
    match ledger::decide_begin(&job, job.generation, &settings.owner, &settings.build, false, &settings.limits, now) {
        Begin::Start(started) => Running { job: started.job, attempt: started.attempt, progress },
        Begin::Held(_) | Begin::ToEndOfLine(_) | Begin::Terminal => unreachable!("a job that was just made can begin"),
    }
}
