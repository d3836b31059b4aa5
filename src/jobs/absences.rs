//! What the absences of a night do once the run gate lets them pass, and how a person lets pass what it held back (rule 11).

use crate::domain::artist::{Artist, ArtistRow, Life};
use crate::domain::clock::Timestamp;
use crate::domain::facts::{EvidenceRow, Source};
use crate::domain::fields::count_miss;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::JobKind;
use crate::domain::ledger;
use crate::domain::lifecycle::{Absence, Coverage, HeldBy, Sighting, gate, retires};
use crate::domain::session::{Session, Trigger};
use crate::domain::write::Writer;
use crate::jobs::audit::audit;
use crate::jobs::report::Report;
use crate::jobs::write_artist::{WriteError, follow_evidence, remove_record};
use crate::jobs::{PortError, Ports, Running, courier, letter_index};
use crate::store::{JobPut, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use tracing::{info, warn};

/// Meta key of the coverage at the last session whose absences were let through.
const COVERAGE_KEY: &str = "coverage.last";

/// Prefix of the meta keys of the run gate's decisions, by session: why it holds the absences back, empty if it does not.
const GATE_PREFIX: &str = "gate/";

/// The absences of a night, by artist.
type Proposals = BTreeMap<ArtistId, Vec<(Source, Absence)>>;

/// The fields of a record that have a value, as the run gate counts them.
pub fn known_fields(record: &Artist) -> BTreeSet<&'static str> {
    let fields = [
        ("city", record.city.is_some()),
        ("country", record.country.is_some()),
        ("instagram", record.instagram.is_some()),
        ("styles", !record.styles.is_empty()),
        ("images", !record.images.is_empty()),
        ("bio", record.bio.is_some()),
        ("contact", !record.emails.is_empty() || !record.phones.is_empty()),
    ];
    fields.into_iter().filter(|(_, known)| *known).map(|(field, _)| field).collect()
}

/// Applies the night's absences if the gate lets them pass. Answers whether it held them.
pub(super) async fn apply(ports: &Ports, running: &Running, session: &Session, live: u64, report: &mut Report) -> Result<bool, PortError> {
    let mut proposals = Proposals::new();
    for (id, source, absence) in ports.store.proposals(&session.id).await? {
        proposals.entry(id).or_default().push((source, absence));
        report.absences += 1;
    }
    if session.trigger != Trigger::Scheduled {
        if !proposals.is_empty() {
            report.absences_held = Some("the session was started by hand; absences count once a scheduled night".to_owned());
        }
        return Ok(false);
    }
    let prospect = prospect(ports, running, session.scheduled_for, &proposals, &report.coverage).await?;
    let why = decided(ports, session, live, &prospect).await?;
    if !why.is_empty() {
        warn!(session.id = %session.id, "the absences of session {} are held back: {why}; a person decides", session.id);
        report.absences_held = Some(why);
        return Ok(true);
    }
    for (id, absences) in &proposals {
        count(ports, running, session, id, absences, report).await?;
        running.progress.step();
    }
    report.coverage = prospect.coverage;
    let now = serde_json::to_string(&report.coverage).unwrap_or_default();
    let stored = ports.store.meta(COVERAGE_KEY).await?;
    ports.store.put_meta(COVERAGE_KEY, stored.as_deref(), &now).await?;
    Ok(false)
}

/// What the directory would look like, were the absences counted.
struct Prospect {
    /// Artists that would retire.
    retirements: u64,
    /// Live artists that would still have each field.
    coverage: Coverage,
}

async fn prospect(
    ports: &Ports,
    running: &Running,
    night: Timestamp,
    proposals: &Proposals,
    coverage: &Coverage,
) -> Result<Prospect, PortError> {
    let mut prospect = Prospect { retirements: 0, coverage: coverage.clone() };
    for (id, absences) in proposals {
        running.progress.step();
        let row = ports.store.artist(id).await?;
        let Some(record) = row.as_ref().and_then(ArtistRow::live) else { continue };
        let mut sightings: Vec<Sighting> = ports.store.sightings_of(id).await?;
        for sighting in &mut sightings {
            for (_, absence) in absences.iter().filter(|(source, _)| *source == sighting.source) {
                match absence {
                    Absence::NotListed => sighting.misses += 1,
                    Absence::PageGone => sighting.gone += 1,
                    Absence::FieldMissed(_) => {}
                }
            }
        }
        if retires(&sightings) {
            prospect.retirements += 1;
            continue;
        }
        let over = over(&sightings);
        let mut evidence = ports.store.evidence_of(id).await?;
        count_fields(&mut evidence, absences, night);
        evidence.retain(|row| !over.contains(&row.source));
        // What adds up to no record is left as it is.
        let Ok(left) = Artist::resolve(&evidence) else { continue };
        let left = known_fields(&left);
        for field in known_fields(record).difference(&left) {
            if let Some(count) = prospect.coverage.get_mut(*field) {
                *count = count.saturating_sub(1);
            }
        }
    }
    Ok(prospect)
}

/// The sources that have no more to say about an artist.
fn over(sightings: &[Sighting]) -> BTreeSet<Source> {
    sightings.iter().filter(|sighting| sighting.is_over()).map(|sighting| sighting.source.clone()).collect()
}

/// Counts the missed fields of an artist, each once a night. Answers the rows that changed, and how many values went.
fn count_fields(evidence: &mut [EvidenceRow], absences: &[(Source, Absence)], night: Timestamp) -> (Vec<EvidenceRow>, u64) {
    let (mut changed, mut dropped) = (Vec::new(), 0);
    for row in evidence {
        let missed_before = row.missed.len();
        let fields = absences.iter().filter(|(source, _)| *source == row.source).filter_map(|(_, absence)| match absence {
            Absence::FieldMissed(field) => Some(*field),
            Absence::NotListed | Absence::PageGone => None,
        });
        let counted = fields.filter(|field| count_miss(&mut row.facts, &mut row.missed, *field, night)).count();
        dropped += (missed_before - row.missed.len()) as u64;
        if counted > 0 {
            changed.push(row.clone());
        }
    }
    (changed, dropped)
}

/// What the run gate says, empty if it lets the absences pass. Decided once: a report that died while it counted must not
/// count again what it has counted, and hold back the rest.
async fn decided(ports: &Ports, session: &Session, live: u64, prospect: &Prospect) -> Result<String, PortError> {
    if session.accepted {
        info!(session.id = %session.id, "the absences of session {} pass the run gate: a person accepted them", session.id);
        return Ok(String::new());
    }
    let key = format!("{GATE_PREFIX}{}", session.id);
    if let Some(decided) = ports.store.meta(&key).await? {
        return Ok(decided);
    }
    let before: Coverage = match ports.store.meta(COVERAGE_KEY).await? {
        Some(text) => serde_json::from_str(&text).unwrap_or_default(),
        None => Coverage::new(),
    };
    let held = gate(prospect.retirements, live, &before, &prospect.coverage);
    let why = held.map_or_else(String::new, |held| match held {
        HeldBy::Retirements { retirements, live } => format!("{retirements} of {live} artists would retire"),
        HeldBy::Coverage { field, before, now } => format!("{field} would be known for {now} artists, {before} before"),
    });
    Ok(ports.store.put_meta(&key, None, &why).await?.flatten().unwrap_or(why))
}

/// Counts the absences of one artist, and does what they come to: retires it, or takes out of its record what is no longer said.
async fn count(
    ports: &Ports,
    running: &Running,
    session: &Session,
    id: &ArtistId,
    absences: &[(Source, Absence)],
    report: &mut Report,
) -> Result<(), PortError> {
    for (source, absence) in absences {
        ports.store.count_absence(session.scheduled_for, id, source, *absence).await?;
    }
    let sightings = ports.store.sightings_of(id).await?;
    if retires(&sightings) {
        let fence = running.attempt.fence.max(Timestamp(session.created_at.0));
        let writer = Writer { job_id: running.job.new.id.clone(), generation: running.attempt.generation, fence };
        if remove_record(ports, id, Life::Retired, &writer).await? {
            info!(artist.id = %id, "artist {id} is retired: no source names them any more");
        }
        // Also what an earlier attempt of this job retired, but nobody who was retired before.
        let row = ports.store.artist(id).await?;
        let tonight = row.is_some_and(|row| row.life == Life::Retired && row.writers.iter().any(|(job, _)| *job == writer.job_id));
        report.retired += u64::from(tonight);
        return Ok(());
    }
    let mut evidence = ports.store.evidence_of(id).await?;
    let (changed, dropped) = count_fields(&mut evidence, absences, session.scheduled_for);
    for row in &changed {
        ports.store.put_evidence(row).await?;
    }
    report.fields_dropped += dropped;
    for source in over(&sightings) {
        ports.store.drop_evidence(id, Some(&source.key())).await?;
    }
    match follow_evidence(ports, &running.attempt, id).await {
        Ok(()) => Ok(()),
        Err(WriteError::Invalid(failure)) => {
            info!(artist.id = %id, "the record of artist {id} stays as it is: {}", failure.message);
            Ok(())
        }
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Unanswered(why)) => Err(StoreError::Unavailable(why).into()),
    }
}

/// Why the absences of a session were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such session.
    #[error("there is no session {0}; `inkdex sessions` lists them")]
    Unknown(SessionId),
    /// Nothing of it is held back.
    #[error("session {0} holds nothing back; `inkdex sessions show {0}` tells what it did")]
    NotHeld(SessionId),
    /// A later night has looked since.
    #[error("session {later} of a later night has replaced what session {id} proposed; look at that one")]
    Replaced {
        /// Which session.
        id: SessionId,
        /// The later one.
        later: SessionId,
    },
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<crate::store::StoreError> for AcceptError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// How many sessions are looked at for a later night.
const LOOKED_AT: usize = 50;

/// Accepts the absences that the run gate held back: the report of the session is written again, past the gate.
///
/// # Errors
/// [`AcceptError`]; accepting twice is refused the second time.
pub async fn accept(ports: &Ports, id: &SessionId, actor: &str, reason: Option<&str>) -> Result<(), AcceptError> {
    let effect = decide(ports, id).await;
    audit(ports, actor, "session.accept_absences", id, reason, if effect.is_ok() { "accepted" } else { "refused" }).await?;
    effect
}

async fn decide(ports: &Ports, id: &SessionId) -> Result<(), AcceptError> {
    loop {
        let session = ports.store.session(id).await?.ok_or_else(|| AcceptError::Unknown(id.clone()))?;
        if !session.held {
            return Err(AcceptError::NotHeld(id.clone()));
        }
        if let Some(later) = later_night(ports, &session).await? {
            return Err(AcceptError::Replaced { id: id.clone(), later });
        }
        let next = Session { accepted: true, epoch: session.epoch + 1, ..session.clone() };
        if session.accepted || ports.store.put_session(session.epoch, &next).await? {
            break;
        }
    }
    let report = JobId::derived_from(id, JobKind::Report.as_str(), "");
    loop {
        // A report that is not over yet sees the acceptance by itself.
        let Some(job) = ports.store.job(&report).await? else { return Ok(()) };
        let Some(row) = ledger::repeated(&job, ports.clock.now()) else { return Ok(()) };
        if letter_index::put_job(ports, &job, &row, None).await? == JobPut::Committed {
            courier::sweep(ports, 16).await?;
            return Ok(());
        }
    }
}

async fn later_night(ports: &Ports, session: &Session) -> Result<Option<SessionId>, PortError> {
    let sessions = ports.store.sessions(LOOKED_AT).await?;
    let later = sessions.into_iter().find(|other| {
        other.pipeline == session.pipeline
            && other.trigger == Trigger::Scheduled
            && other.scheduled_for > session.scheduled_for
            && other.report.is_some()
    });
    Ok(later.map(|other| other.id))
}
