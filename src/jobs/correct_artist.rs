//! Confirmation and correction of a field by an operator, or by the artist who proved to be one: kept as evidence of a source of
//! its own, which outranks all that is read (rule 5). Repeating it is harmless.

use crate::domain::artist::{Artist, ArtistRow};
use crate::domain::clock::Timestamp;
use crate::domain::correction::{BadValue, SAYABLE, read_value};
use crate::domain::facts::{Confirmer, Evidence, EvidenceRow, SourceFacts};
use crate::domain::fields::{Field, MissedFields};
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::{ArtistId, JobId};
use crate::domain::outcome::Failure;
use crate::domain::place::Basis;
use crate::domain::write::{Intent, WriteDecision, Writer, decide_write};
use crate::extract::Styles;
use crate::jobs::added_up::resolved;
use crate::jobs::audit::audit;
use crate::jobs::write_artist::WriteError;
use crate::jobs::{PortError, Ports, remove_artist};
use crate::store::{PutAnswer, StoreError};
use std::collections::BTreeSet;

/// How often a lost race is tried again.
const RACES: usize = 32;

/// What is to become of a field.
#[derive(Clone, PartialEq, Eq)]
pub enum Saying {
    /// It says this; nothing, if it is empty.
    Value(String),
    /// It is right as it is.
    AsItIs,
    /// Nothing is said of it any more: it follows the pages again.
    Withdrawn,
}

impl Saying {
    fn verb(&self) -> &'static str {
        match self {
            Self::Value(_) => "artist.correct",
            Self::AsItIs => "artist.confirm",
            Self::Withdrawn => "artist.withdraw",
        }
    }
}

impl std::fmt::Debug for Saying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.verb())
    }
}

/// Why a field was not corrected.
#[derive(Debug, thiserror::Error)]
pub enum CorrectError {
    /// Nobody in the directory has this id.
    #[error("there is no artist {0} in the directory; `inkdex search` prints ids")]
    Unknown(ArtistId),
    /// The field cannot say that.
    #[error(transparent)]
    Bad(#[from] BadValue),
    /// The handle or site is somebody else's.
    #[error("this {field} names another artist, {holder}; correct theirs first, or remove the one that should not be there")]
    Taken {
        /// Which field.
        field: &'static str,
        /// Whose it is.
        holder: ArtistId,
    },
    /// The handle or site is several people's.
    #[error("this {0} is shared: several artists' pages show it as theirs, so it names nobody")]
    Shared(&'static str),
    /// There is no value to confirm.
    #[error("nothing is known of {0} that could be confirmed; give a value, or an empty one to say that there is none")]
    NothingKnown(&'static str),
    /// Nothing was said of the field.
    #[error("nobody has confirmed or corrected {0}, so there is nothing to withdraw")]
    NothingSaid(&'static str),
    /// The record would not be one any more.
    #[error("{}", .0.message)]
    Invalid(Failure),
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<StoreError> for CorrectError {
    fn from(error: StoreError) -> Self {
        Self::Port(error.into())
    }
}

impl From<WriteError> for CorrectError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Invalid(failure) => Self::Invalid(failure),
            WriteError::Store(error) => error.into(),
            WriteError::Unanswered(why) => StoreError::Unavailable(why).into(),
        }
    }
}

/// The slug of a style by one of its names.
pub fn style_slug(styles: &Styles, name: &str) -> Option<String> {
    styles.resolve(name).map(|style| style.slug.clone())
}

/// Has `by` say something of a field, and writes the record that this adds up to. The audit trail tells the field, never the value.
///
/// # Errors
/// [`CorrectError`].
pub async fn correct(
    ports: &Ports,
    id: &ArtistId,
    by: Confirmer,
    field: Field,
    saying: &Saying,
    (actor, reason): (&str, Option<&str>),
) -> Result<(), CorrectError> {
    let record = live_record(ports, id).await?;
    let rows = ports.store.evidence_of(id).await?;
    match saying {
        Saying::Withdrawn => withdraw(ports, by, field, rows).await?,
        Saying::Value(_) | Saying::AsItIs => say(ports, id, &record, by, field, saying, &rows).await?,
    }
    follow(ports, id, false).await?;
    let effect = format!("{} said by the {}", field.as_str(), by.as_str());
    Ok(audit(ports, actor, saying.verb(), id, reason, &effect).await?)
}

/// The record of somebody who is in the directory.
async fn live_record(ports: &Ports, id: &ArtistId) -> Result<Artist, CorrectError> {
    let row = ports.store.artist(id).await?;
    let record = row.as_ref().and_then(ArtistRow::live).cloned().ok_or_else(|| CorrectError::Unknown(id.clone()))?;
    if ports.store.is_denied(&ports.deny.of_record(id, &record)).await? {
        return Err(CorrectError::Unknown(id.clone()));
    }
    Ok(record)
}

async fn say(
    ports: &Ports,
    id: &ArtistId,
    record: &Artist,
    by: Confirmer,
    field: Field,
    saying: &Saying,
    rows: &[EvidenceRow],
) -> Result<(), CorrectError> {
    let now = ports.clock.now();
    let page = record.own_site.as_ref().filter(|_| by == Confirmer::Artist).or(record.pages.first());
    let page = page.cloned().ok_or(CorrectError::NothingKnown(field.as_str()))?;
    let evidence = Evidence { page, extractor: by.as_str().to_owned(), confidence: 1.0, observed_at: now, basis: Basis::Confirmed };
    let facts = match saying {
        Saying::Value(text) => read_value(field, text, &evidence, &|name| style_slug(&ports.styles, name))?,
        _ => as_it_is(field, record, &evidence)?,
    };
    claim(ports, id, field, &facts).await?;
    let source = by.source();
    let before = rows.iter().find(|row| row.source == source);
    let mut row = EvidenceRow {
        artist_id: id.clone(),
        job_id: JobId::new(format!("said:{}:{id}:{}", by.as_str(), now.0)),
        // Above the row that it replaces, whose other fields it keeps.
        fence: before.map_or(now, |before| now.max(Timestamp(before.fence.0.saturating_add(1)))),
        facts: before.map(|before| before.facts.clone()).unwrap_or_default(),
        missed: MissedFields::new(),
        settled: before.map(|before| before.settled.clone()).unwrap_or_default(),
        source,
    };
    row.facts.take(field, &facts);
    row.settled.insert(field);
    put(ports, &row).await
}

async fn put(ports: &Ports, row: &EvidenceRow) -> Result<(), CorrectError> {
    if ports.store.put_evidence(row).await? {
        return Ok(());
    }
    Err(StoreError::Unavailable("somebody else said something of this artist just now; repeat".to_owned()).into())
}

/// The record's own values of a field, as said now.
fn as_it_is(field: Field, record: &Artist, evidence: &Evidence) -> Result<SourceFacts, CorrectError> {
    if !SAYABLE.contains(&field) {
        return Err(BadValue::Field(field.as_str().to_owned()).into());
    }
    let whole = SourceFacts {
        name: Some(record.name.clone()),
        studio: record.studio.clone(),
        country: record.country.clone(),
        region: record.region.clone(),
        city: record.city.clone(),
        coordinates: record.coordinates.clone(),
        instagram: record.instagram.clone(),
        socials: record.socials.clone(),
        emails: record.emails.clone(),
        phones: record.phones.clone(),
        styles: record.styles.clone(),
        bio: record.bio.clone(),
        own_site: record.own_site.clone(),
        ..SourceFacts::default()
    };
    let mut facts = SourceFacts::default();
    facts.take(field, &whole);
    if !facts.has(field) {
        return Err(CorrectError::NothingKnown(field.as_str()));
    }
    facts.each_evidence(|old| *old = evidence.clone());
    Ok(facts)
}

/// A handle or site that is said to be the artist's is theirs by the identity table as well, or it is refused (rule 9).
async fn claim(ports: &Ports, id: &ArtistId, field: Field, facts: &SourceFacts) -> Result<(), CorrectError> {
    let key = match field {
        Field::Instagram => facts.instagram.as_ref().and_then(|handle| IdentityKey::instagram(&handle.value)),
        Field::OwnSite => facts.own_site.as_ref().map(IdentityKey::site),
        _ => None,
    };
    let Some(key) = key else { return Ok(()) };
    if ports.store.is_denied(&[ports.deny.of_key(&key)]).await? {
        // As if it were several people's: that somebody was removed is told to nobody.
        return Err(CorrectError::Shared(field.as_str()));
    }
    let held = KeyState::Held(id.clone());
    let mut expected = None;
    for _ in 0..RACES {
        match ports.store.point_identity(&key, expected.as_ref(), &held).await? {
            None => return Ok(()),
            Some(Some(KeyState::Shared)) => return Err(CorrectError::Shared(field.as_str())),
            Some(Some(KeyState::Held(holder))) => {
                let lives = ports.store.artist(&holder).await?.is_some_and(|row| row.live().is_some());
                if lives && holder != *id {
                    return Err(CorrectError::Taken { field: field.as_str(), holder });
                }
                expected = Some(KeyState::Held(holder));
            }
            Some(None) => expected = None,
        }
    }
    Err(StoreError::Unavailable("identity keys are contended".to_owned()).into())
}

/// Takes back what was said of a field: an operator what anybody said, the artist what they said.
async fn withdraw(ports: &Ports, by: Confirmer, field: Field, rows: Vec<EvidenceRow>) -> Result<(), CorrectError> {
    let mut withdrawn = false;
    let theirs = |row: &EvidenceRow| row.source.confirmed_by().is_some_and(|who| who == by || by == Confirmer::Operator);
    for mut row in rows.into_iter().filter(|row| theirs(row) && row.settled.contains(&field)) {
        row.settled.remove(&field);
        row.facts.clear(field);
        row.fence = ports.clock.now().max(Timestamp(row.fence.0.saturating_add(1)));
        put(ports, &row).await?;
        withdrawn = true;
    }
    if withdrawn { Ok(()) } else { Err(CorrectError::NothingSaid(field.as_str())) }
}

/// Writes the record that the evidence adds up to now. What is said now is no reading of the past, so no fence stops it; a later
/// attempt of a scrape adds up the same evidence. Nobody is made anew by it, unless `may_be_new`.
pub(crate) async fn follow(ports: &Ports, id: &ArtistId, may_be_new: bool) -> Result<(), CorrectError> {
    for _ in 0..RACES {
        // The row first: evidence that came in after it was read is met by whoever put it, whose row is then a newer one.
        let current = ports.store.artist(id).await?;
        if !may_be_new && current.as_ref().and_then(ArtistRow::live).is_none() {
            purge_if_denied(ports, id, &[ports.deny.of_artist(id)]).await?;
            return Err(CorrectError::Unknown(id.clone()));
        }
        let record = resolved(ports, id, &BTreeSet::new()).await?;
        let hashes = ports.deny.of_record(id, &record);
        let now = ports.clock.now();
        let fence = current.as_ref().map_or(now, |row| now.max(row.fence));
        let writer = Writer { job_id: JobId::new(format!("said:{id}:{}", now.0)), generation: 1, fence };
        let WriteDecision::Put(put) = decide_write(id, current.as_ref(), &Intent::Record(Box::new(record)), &writer, now) else {
            purge_if_denied(ports, id, &hashes).await?;
            return Err(CorrectError::Unknown(id.clone()));
        };
        if ports.store.put_artist(&put).await? == PutAnswer::Committed {
            if purge_if_denied(ports, id, &hashes).await? {
                return Err(CorrectError::Unknown(id.clone()));
            }
            return Ok(());
        }
    }
    Err(StoreError::Unavailable(format!("the row of artist {id} is contended")).into())
}

/// 002-X7: a removal that came in between has not seen what was put after it looked. Answers whether there was one.
async fn purge_if_denied(ports: &Ports, id: &ArtistId, hashes: &[String]) -> Result<bool, CorrectError> {
    let denied = ports.store.is_denied(hashes).await?;
    if denied {
        remove_artist::purge(ports, id).await?;
    }
    Ok(denied)
}
