//! Job `report`: the last step. Applies the run gate and the absences of the night (rule 11), and writes the session's report.

use crate::domain::artist::ArtistRow;
use crate::domain::ids::SessionId;
use crate::domain::job::{AlertDebt, Job, JobKind, JobState, Usage};
use crate::domain::lifecycle::Coverage;
use crate::domain::outcome::{Done, Outcome};
use crate::domain::session::Session;
use crate::jobs::absences::{self, known_fields};
use crate::jobs::discovery_report::{DiscoveryReport, discovery_of};
use crate::jobs::{PortError, Ports, Running, store_outcome, wait_for_dependency};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tracing::info;

/// What a session did: JSON in the object store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which session.
    pub session_id: String,
    /// For which moment, RFC 3339.
    pub scheduled_for: String,
    /// When it began and ended, RFC 3339.
    pub began_at: String,
    /// When the report was written, RFC 3339.
    pub ended_at: String,
    /// Studios read.
    pub studios: u64,
    /// Studios whose site is no tattoo studio's.
    pub not_tattoo: u64,
    /// Artists found: scrape jobs made.
    pub found: u64,
    /// Artists that were not in the directory.
    pub new: u64,
    /// Artists whose record changed.
    pub changed: u64,
    /// Artists whose record says what it said.
    pub unchanged: u64,
    /// Jobs that ended since robots.txt or the page itself asks not to be read.
    pub refused_by_robots: u64,
    /// Pages gone.
    pub gone: u64,
    /// Artists retired tonight.
    pub retired: u64,
    /// Values that went because a second night in a row missed them.
    #[serde(default)]
    pub fields_dropped: u64,
    /// Absences proposed.
    pub absences: u64,
    /// Why absences were not applied, if they were not.
    pub absences_held: Option<String>,
    /// Dead letters by code.
    pub dead_by_reason: BTreeMap<String, u64>,
    /// Jobs withdrawn, by reason.
    pub cancelled: BTreeMap<String, u64>,
    /// Live artists that have each field.
    pub coverage: Coverage,
    /// What the sources of studios named, and how far they answered.
    #[serde(default)]
    pub discovery: Option<DiscoveryReport>,
    /// Requests sent.
    pub requests: u64,
    /// Bytes received.
    pub wire_bytes: u64,
    /// Pages taken from the session's cache instead of the web.
    pub cached_pages: u64,
    /// Pages asked for that have not changed: a 304 each.
    #[serde(default)]
    pub unmodified_pages: u64,
    /// Pages that were not due, read from what earlier sessions kept.
    #[serde(default)]
    pub not_due_pages: u64,
    /// Pages that a browser drew.
    #[serde(default)]
    pub drawn_pages: u64,
}

/// Where a session's report lies.
pub fn report_key(session: &SessionId) -> String {
    format!("reports/{session}.json")
}

/// Runs the job. Every part of it may be repeated: absences count once for a night however often they are counted.
pub async fn run(ports: &Ports, running: &Running) -> Outcome {
    match write_report(ports, running).await {
        Ok(()) => Outcome::Done { how: Done::Written },
        Err(PortError::Store(error)) => store_outcome(ports, &error, "report"),
        Err(_) => wait_for_dependency(ports),
    }
}

async fn write_report(ports: &Ports, running: &Running) -> Result<(), PortError> {
    let id = &running.job.new.session_id;
    let Some(session) = ports.store.session(id).await? else { return Ok(()) };
    let mut report = Report {
        session_id: id.to_string(),
        scheduled_for: session.scheduled_for.rfc3339(),
        began_at: session.created_at.rfc3339(),
        ..Report::default()
    };
    report.discovery = discovery_of(ports, id).await?;
    count_jobs(ports, running, &session, &mut report).await?;
    let (live, coverage) = count_coverage(ports, running).await?;
    report.coverage = coverage;
    let held = absences::apply(ports, running, &session, live, &mut report).await?;
    report.ended_at = ports.clock.now().rfc3339();
    let key = report_key(id);
    ports.objects.put(&key, serde_json::to_vec_pretty(&report).unwrap_or_default()).await?;
    loop {
        let Some(current) = ports.store.session(id).await? else { return Ok(()) };
        // A held session owes an alert: its decision is a person's.
        let alert = if held && !current.held { AlertDebt::Owed } else { current.alert };
        let next = Session { held, alert, report: Some(key.clone()), epoch: current.epoch + 1, ..current.clone() };
        if ports.store.put_session(current.epoch, &next).await? {
            info!(session.id = %id, new = report.new, changed = report.changed, unchanged = report.unchanged, dead = report.dead_by_reason.values().sum::<u64>(), "report of session {id} written");
            return Ok(());
        }
    }
}

async fn count_jobs(ports: &Ports, running: &Running, session: &Session, report: &mut Report) -> Result<(), PortError> {
    let mut after = None;
    loop {
        let jobs = ports.store.jobs_in(&session.id, None, after.as_ref(), 500).await?;
        for job in &jobs {
            count_job(ports, session, job, report).await?;
        }
        running.progress.step();
        match jobs.last() {
            Some(job) => after = Some(job.new.id.clone()),
            None => return Ok(()),
        }
    }
}

async fn count_job(ports: &Ports, session: &Session, job: &Job, report: &mut Report) -> Result<(), PortError> {
    match job.kind() {
        JobKind::FindArtists if matches!(job.done(), Some(Done::Written | Done::Unchanged | Done::NotTattoo)) => report.studios += 1,
        JobKind::ScrapeArtist => report.found += 1,
        _ => {}
    }
    let attempts = ports.store.attempts(job.id()).await?;
    let used = attempts.iter().fold(Usage::default(), |sum, attempt| sum + attempt.usage);
    report.requests += used.requests;
    report.wire_bytes += used.wire_bytes;
    report.cached_pages += used.cached_pages;
    report.unmodified_pages += used.unmodified_pages;
    report.not_due_pages += used.not_due_pages;
    report.drawn_pages += used.drawn_pages;
    if let Some(reason) = job.death() {
        *report.dead_by_reason.entry(reason.code.clone()).or_default() += 1;
    }
    if let (JobState::Cancelled, Some(why)) = (job.state, job.cancelled()) {
        *report.cancelled.entry(format!("{why:?}").to_lowercase()).or_default() += 1;
    }
    match (job.kind(), job.done()) {
        (_, Some(Done::NotTattoo)) => report.not_tattoo += 1,
        (_, Some(Done::RefusedByRobots)) => report.refused_by_robots += 1,
        (_, Some(Done::Gone)) => report.gone += 1,
        (JobKind::ScrapeArtist, Some(Done::Unchanged | Done::Superseded)) => report.unchanged += 1,
        (JobKind::ScrapeArtist, Some(Done::Written)) => {
            let written = attempts.iter().flat_map(|attempt| &attempt.artist_ids).next_back();
            let row = match written {
                Some(id) => ports.store.artist(id).await?,
                None => None,
            };
            let is_new = row.is_some_and(|row| row.created_version >= session.created_at.0);
            if is_new {
                report.new += 1;
            } else {
                report.changed += 1;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Live artists, and how many have each field.
async fn count_coverage(ports: &Ports, running: &Running) -> Result<(u64, Coverage), PortError> {
    let (mut live, mut coverage, mut after) = (0, Coverage::new(), None);
    loop {
        let rows = ports.store.scan_artists(after.as_ref(), 500).await?;
        for record in rows.iter().filter_map(ArtistRow::live) {
            live += 1;
            for field in known_fields(record) {
                *coverage.entry(field.to_owned()).or_default() += 1;
            }
        }
        running.progress.step();
        match rows.last() {
            Some(row) => after = Some(row.id.clone()),
            None => return Ok((live, coverage)),
        }
    }
}
