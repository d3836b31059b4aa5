//! Writes an artist: validation, identity, evidence, the compare-and-set loop, and the denylist before and after (rules 5,
//! 9, 15). The Writer actor runs this; everything is idempotent, so whoever is unsure runs it again.

use crate::domain::artist::{Artist, ArtistRow, Incomplete, Life};
use crate::domain::clock::Timestamp;
use crate::domain::facts::{EvidenceRow, Source, SourceFacts};
use crate::domain::fields::{Field, MissedFields};
use crate::domain::identity::{Holder, IdentityDecision, IdentityKey, KeyReading, KeyState, decide_identity, decided_identity};
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::Attempt;
use crate::domain::lifecycle::Absence;
use crate::domain::outcome::{Category, Failure};
use crate::domain::write::{Intent, WriteDecision, Writer, decide_write};
use crate::jobs::added_up::{self, added_up, resolved};
use crate::jobs::read_again::MetBy;
use crate::jobs::tell_apart::{self, Fixed};
use crate::jobs::{Ports, courier, read_again, remove_artist};
use crate::store::{PutAnswer, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// How often a lost race is tried again within one write.
const RACES: usize = 32;

/// What one source said.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceReading {
    /// Which source.
    pub source: Source,
    /// What it said.
    pub facts: SourceFacts,
    /// Whether it has a page of the artist's own.
    pub own_page: bool,
    /// The pages that were read for it or found gone: only a field of theirs can be missed (rule 11).
    pub answered: Vec<Url>,
}

/// A request to write an artist.
#[derive(Clone, PartialEq)]
pub struct WriteArtist {
    /// Whose attempt it is.
    pub job_id: JobId,
    /// In which session.
    pub session_id: SessionId,
    /// The attempt; its fence is the write's.
    pub attempt: Attempt,
    /// The readings.
    pub sources: Vec<SourceReading>,
}

impl std::fmt::Debug for WriteArtist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteArtist").field("job_id", &self.job_id.as_str()).field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The artist was not in the directory.
    New(ArtistId),
    /// The record is another.
    Changed(ArtistId),
    /// The record says what it said.
    Unchanged(ArtistId),
    /// A newer attempt has the job.
    Superseded,
    /// The artist was removed by request.
    Denied,
}

/// Why nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The record is not fit to be written (002-R18).
    #[error("the record is not fit to be written: {}", .0.message)]
    Invalid(Failure),
    /// The store failed; the write is unknown and may be repeated.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever writes died before answering; the write is unknown.
    #[error("the writer gave no answer: {0}")]
    Unanswered(String),
}

pub(crate) fn invalid(code: &str, message: impl AsRef<str>) -> WriteError {
    WriteError::Invalid(Failure::new(Category::Data, code, "validate", message))
}

/// Writes an artist. The answer comes after the write is confirmed (002-R21).
///
/// # Errors
/// [`WriteError`].
pub async fn write_artist(ports: &Ports, request: &WriteArtist) -> Result<Written, WriteError> {
    let mut all = None;
    // Rule 9: what an operator has told apart is written apart.
    for (part, fixed) in tell_apart::parts(ports, request).await? {
        let written = write_part(ports, &part, fixed.as_ref()).await?;
        all = match (all, written) {
            (Some(new @ (Written::New(_) | Written::Changed(_))), Written::Unchanged(_) | Written::Denied) => Some(new),
            (_, written) => Some(written),
        };
    }
    all.ok_or_else(|| invalid("no_name", Incomplete::Name.to_string()))
}

async fn write_part(ports: &Ports, request: &WriteArtist, fixed: Option<&Fixed>) -> Result<Written, WriteError> {
    let name = request
        .sources
        .iter()
        .find_map(|reading| reading.facts.name.as_ref())
        .ok_or_else(|| invalid("no_name", Incomplete::Name.to_string()))?;
    crate::faults::hit(crate::faults::Point::WriteArtist, &name.value);
    let keys = identity_keys(request, &name.value);
    let mut hashes: Vec<String> = keys.iter().map(|key| ports.deny.of_key(key)).collect();
    if ports.store.is_denied(&hashes).await? {
        remove_artist::purge_holders(ports, &keys).await?;
        return Ok(Written::Denied);
    }
    let Resolved { id, held } = resolve_identity(ports, request, &name.value, &keys, fixed).await?;
    hashes.push(ports.deny.of_artist(&id));
    if ports.store.is_denied(&hashes).await? {
        // The keys that were just pointed at the removed person say whose they are: they are denied and go.
        remove_artist::purge(ports, &id).await?;
        return Ok(Written::Denied);
    }
    // Rule 2: whoever meets this attempt dead repeats the projections of this artist.
    ports.store.stage_writing(&request.attempt, &id).await?;
    put_evidence(ports, request, &id).await?;
    crate::faults::hit(crate::faults::Point::BeforePut, &name.value);
    let written = put_record(ports, &request.attempt, &id, held).await?;
    if let Some(fixed) = fixed {
        tell_apart::leave_apart(ports, fixed, &request.sources).await?;
    }
    if matches!(written, Written::New(_) | Written::Changed(_) | Written::Unchanged(_)) {
        // Rule 11: whoever was read from what was kept was not seen tonight.
        for reading in request.sources.iter().filter(|reading| !reading.answered.is_empty()) {
            ports.store.seen(&id, &reading.source, reading.own_page, true).await?;
        }
    }
    // 002-X7: checked again after the write; if the removal came in between, what was written goes.
    if ports.store.is_denied(&hashes).await? {
        remove_artist::purge(ports, &id).await?;
        return Ok(Written::Denied);
    }
    Ok(written)
}

/// Puts what each source said. What a source says no more keeps its last value, and its absence is proposed (rule 11).
async fn put_evidence(ports: &Ports, request: &WriteArtist, id: &ArtistId) -> Result<(), StoreError> {
    let before = ports.store.evidence_of(id).await?;
    for reading in &request.sources {
        let row = evidence_row(&request.attempt, id, reading, &before);
        if !ports.store.put_evidence(&row).await? {
            continue;
        }
        let was_read = |field: &Field| row.facts.pages_of(*field).into_iter().all(|page| reading.answered.contains(page));
        for field in row.missed.keys().filter(|field| was_read(field)) {
            ports.store.propose_absence(&request.session_id, id, &row.source, Absence::FieldMissed(*field)).await?;
        }
    }
    Ok(())
}

/// The evidence row that a reading makes, beside the rows there were.
fn evidence_row(attempt: &Attempt, id: &ArtistId, reading: &SourceReading, before: &[EvidenceRow]) -> EvidenceRow {
    let mut row = EvidenceRow {
        artist_id: id.clone(),
        source: reading.source.clone(),
        job_id: attempt.job_id.clone(),
        fence: attempt.fence,
        facts: reading.facts.clone(),
        missed: MissedFields::new(),
        settled: BTreeSet::new(),
    };
    if let Some(before) = before.iter().find(|before| before.source == reading.source) {
        for field in row.facts.keep_from(&before.facts) {
            row.missed.insert(field, before.missed.get(&field).copied().unwrap_or_default());
        }
    }
    row
}

/// The record that readings would lead to; nothing is written.
///
/// # Errors
/// [`WriteError`].
pub async fn preview(ports: &Ports, attempt: &Attempt, id: &ArtistId, readings: &[SourceReading]) -> Result<Artist, WriteError> {
    let before = ports.store.evidence_of(id).await?;
    let mut rows: Vec<EvidenceRow> = readings.iter().map(|reading| evidence_row(attempt, id, reading, &before)).collect();
    let other = |row: &EvidenceRow| readings.iter().all(|reading| reading.source != row.source);
    rows.extend(before.into_iter().filter(other));
    added_up(ports, id, rows, &BTreeSet::new()).await
}

fn identity_keys(request: &WriteArtist, name: &str) -> Vec<IdentityKey> {
    let mut keys = Vec::new();
    for reading in &request.sources {
        keys.extend(reading.facts.instagram.as_ref().and_then(|handle| IdentityKey::instagram(&handle.value)));
    }
    for reading in &request.sources {
        keys.extend(reading.facts.own_site.as_ref().map(IdentityKey::site));
    }
    for reading in &request.sources {
        if let Source::Studio(studio) = &reading.source {
            keys.extend(IdentityKey::member(studio, reading.facts.name.as_ref().map_or(name, |fact| &fact.value)));
        }
    }
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

/// Whom the keys of a request mean.
struct Resolved {
    id: ArtistId,
    /// The keys that were theirs a moment ago.
    held: BTreeSet<IdentityKey>,
}

/// Reads all keys serially, decides who they mean, and points them there by compare-and-set (rule 9).
async fn resolve_identity(
    ports: &Ports,
    request: &WriteArtist,
    name: &str,
    keys: &[IdentityKey],
    fixed: Option<&Fixed>,
) -> Result<Resolved, WriteError> {
    for _ in 0..RACES {
        let (mut readings, mut holders) = (Vec::new(), Holders::new());
        for key in keys {
            readings.push(read_key(ports, key, name, &mut holders).await?);
        }
        let decision = match fixed {
            Some(fixed) => Some(decided_identity(&fixed.artist_id, &readings)),
            None => decide_identity(name, &readings),
        };
        let Some(decision) = decision else {
            return Err(invalid(
                "no_identity",
                format!("{name} has no key of their own: every handle and site is shared with somebody else"),
            ));
        };
        if apply_identity(ports, request, &decision).await? {
            let is_held = |reading: &&KeyReading| reading.state.as_ref() == Some(&KeyState::Held(decision.id.clone()));
            let mut held: BTreeSet<_> = readings.iter().filter(is_held).map(|reading| reading.key.clone()).collect();
            held.extend(decision.claim.into_iter().map(|(key, _)| key));
            held.retain(|key| decision.share.iter().all(|(shared, _)| shared != key));
            return Ok(Resolved { id: decision.id, held });
        }
    }
    Err(WriteError::Store(StoreError::Unavailable("identity keys are contended".to_owned())))
}

/// Whom keys name, read once each: mostly all keys of an artist name one.
type Holders = BTreeMap<ArtistId, Option<Holder>>;

async fn read_key(ports: &Ports, key: &IdentityKey, name: &str, holders: &mut Holders) -> Result<KeyReading, StoreError> {
    let state = ports.store.identity(key).await?;
    let holder = match &state {
        Some(KeyState::Held(id)) => match holders.get(id) {
            Some(known) => known.clone(),
            None => {
                let row = ports.store.artist(id).await?;
                let record = row.as_ref().and_then(ArtistRow::live);
                let known_as = match record {
                    Some(record) => Some(added_up::name_like(ports, id, record, name).await?),
                    None => None,
                };
                let holder = known_as.zip(row).map(|(name, row)| Holder { name, created: row.created_version });
                holders.insert(id.clone(), holder.clone());
                holder
            }
        },
        _ => None,
    };
    Ok(KeyReading { key: key.clone(), state, holder })
}

/// Answers whether every key could be pointed as decided; if not, somebody else was faster: read again.
async fn apply_identity(ports: &Ports, request: &WriteArtist, decision: &IdentityDecision) -> Result<bool, StoreError> {
    let held = KeyState::Held(decision.id.clone());
    for (key, expected) in &decision.claim {
        if ports.store.point_identity(key, expected.as_ref(), &held).await?.is_some() {
            return Ok(false);
        }
    }
    tell_apart::note(ports, decision).await?;
    for (key, holder) in &decision.share {
        if tell_apart::fixed(ports, key).await?.is_some() {
            continue;
        }
        let met = MetBy { session_id: &request.session_id, job_id: &request.job_id, attempt: &request.attempt };
        if !read_again::share(ports, met, key, holder).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the record that the evidence of an artist adds up to: the compare-and-set loop of rule 5. `held` are keys that were
/// theirs a moment ago: if one is shared in between, a job that reads them again is made by whoever shares it.
async fn put_record(ports: &Ports, attempt: &Attempt, id: &ArtistId, held: BTreeSet<IdentityKey>) -> Result<Written, WriteError> {
    let (mut fence, mut held) = (attempt.fence, held);
    for _ in 0..RACES {
        // The row first: evidence that came in after it was read is met by whoever put it, whose row is then a newer one.
        let current = ports.store.artist(id).await?;
        let record = resolved(ports, id, &std::mem::take(&mut held)).await?;
        let writer = Writer { job_id: attempt.job_id.clone(), generation: attempt.generation, fence };
        match decide_write(id, current.as_ref(), &Intent::Record(Box::new(record)), &writer, ports.clock.now()) {
            WriteDecision::AlreadyApplied { .. } => return Ok(Written::Unchanged(id.clone())),
            WriteDecision::Removed => return Ok(Written::Denied),
            WriteDecision::Absent => return Ok(Written::Unchanged(id.clone())),
            WriteDecision::Fenced { fence: met } => {
                if !courier::still_current(ports, attempt).await? {
                    return Ok(Written::Superseded);
                }
                fence = Timestamp(met.0.saturating_add(1));
            }
            WriteDecision::Put(put) => {
                if ports.store.put_artist(&put).await? == PutAnswer::Committed {
                    return Ok(match put.change {
                        None => Written::Unchanged(id.clone()),
                        Some(crate::domain::change::Change::Insert) => Written::New(id.clone()),
                        Some(_) => Written::Changed(id.clone()),
                    });
                }
            }
        }
    }
    Err(WriteError::Store(StoreError::Unavailable(format!("the row of artist {id} is contended"))))
}

/// Writes an artist's record again if its evidence adds up to another one: what a source no longer says was taken out of it.
///
/// # Errors
/// [`WriteError`]; repeat.
pub async fn follow_evidence(ports: &Ports, attempt: &Attempt, id: &ArtistId) -> Result<(), WriteError> {
    let row = ports.store.artist(id).await?;
    if let Some(record) = row.as_ref().and_then(ArtistRow::live)
        && resolved(ports, id, &BTreeSet::new()).await?.content_hash() != record.content_hash()
    {
        put_record(ports, attempt, id, BTreeSet::new()).await?;
    }
    // 002-X7: a removal that came in between finds nothing that was written after it looked.
    if ports.store.is_denied(&[ports.deny.of_artist(id)]).await? {
        remove_artist::purge(ports, id).await?;
    }
    Ok(())
}

/// Removes the record of an artist for `life`, by the same decision as every other write. Answers whether it had one.
/// Nobody is retired whom a later attempt has written meanwhile: they were just seen.
///
/// # Errors
/// The store failed; repeat.
pub async fn remove_record(ports: &Ports, id: &ArtistId, life: Life, writer: &Writer) -> Result<bool, StoreError> {
    for _ in 0..RACES {
        let current = ports.store.artist(id).await?;
        match decide_write(id, current.as_ref(), &Intent::Remove(life), writer, ports.clock.now()) {
            WriteDecision::Put(put) => {
                if ports.store.put_artist(&put).await? == PutAnswer::Committed {
                    return Ok(true);
                }
            }
            WriteDecision::Fenced { .. } | WriteDecision::AlreadyApplied { .. } | WriteDecision::Removed | WriteDecision::Absent => {
                return Ok(false);
            }
        }
    }
    Err(StoreError::Unavailable(format!("the row of artist {id} is contended")))
}
