//! Who is who, where keys alone cannot tell (rule 9): conflicts are noted, and an operator decides. What one decides lasts: a
//! *fixed* key names its artist whatever else is read beside it.

use crate::domain::artist::ArtistRow;
use crate::domain::clock::Timestamp;
use crate::domain::facts::{EvidenceRow, Source};
use crate::domain::identity::{IdentityDecision, IdentityKey, KeyState};
use crate::domain::ids::ArtistId;
use crate::jobs::audit::audit;
use crate::jobs::correct_artist::{CorrectError, follow};
use crate::jobs::write_artist::{SourceReading, WriteArtist};
use crate::jobs::{PortError, Ports};
use crate::store::{Store, StoreError, StoreResult};
use serde::{Deserialize, Serialize};
use tracing::debug;

/// Small values of fixed keys; after it the keyed hash of the key, since a key may name somebody.
const FIXED: &str = "identity.fixed/";
/// Small values of conflicts, alike.
const CONFLICT: &str = "identity.conflict/";
/// How often a lost race is tried again.
const RACES: usize = 32;
/// Most conflicts listed.
pub const CONFLICTS_MAX: usize = 500;
/// Most conflicts read to find the oldest of them.
const CONFLICTS_READ: usize = 20_000;

/// A key that an operator has fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// Whom it names.
    pub artist_id: ArtistId,
    /// Whom it was told apart from.
    pub from: Option<ArtistId>,
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Two names claim it, so it names nobody.
    Shared,
    /// Two records of agreeing names: one reading has keys of both.
    MayBeOne,
}

impl ConflictKind {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::MayBeOne => "may_be_one",
        }
    }
}

/// A key that two artists claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// By what operators name it.
    #[serde(default)]
    pub id: String,
    /// What is wrong.
    pub kind: ConflictKind,
    /// Who had the key first.
    pub holder: ArtistId,
    /// Who claims it as well; none if it is a studio, whose own pages show it.
    pub claimant: Option<ArtistId>,
    /// The kind of key: `instagram`, `site` or `member`.
    pub key: String,
    /// When it was met.
    pub at: Timestamp,
}

/// Why records were not told apart.
#[derive(Debug, thiserror::Error)]
pub enum TellApartError {
    /// The artist has no such source.
    #[error("artist {id} is not known from `{asked}`; known from: {known}")]
    NoSource {
        /// Whose.
        id: ArtistId,
        /// What was asked for.
        asked: String,
        /// The sources there are.
        known: String,
    },
    /// Nothing would be left.
    #[error(
        "artist {0} is known from that source alone: there is nobody to tell apart; `inkdex remove` or `inkdex correct` change one record"
    )]
    OnlySource(ArtistId),
    /// The source names the artist by nothing that could be fixed.
    #[error("that source names artist {0} by no key of its own")]
    NoKey(ArtistId),
    /// No such conflict.
    #[error("there is no conflict {0}; `inkdex identity` lists them")]
    NoConflict(String),
    /// The artist is none of those who claim the key.
    #[error("conflict {id} is about a key that {claim} claim; give it to one of them")]
    NotAParty {
        /// The conflict.
        id: String,
        /// Who may have it.
        claim: String,
    },
    /// The artist is in the directory no more.
    #[error("artist {0} is not in the directory, so no key can be theirs")]
    Gone(ArtistId),
    /// A record could not be written, or a part of ours failed.
    #[error(transparent)]
    Record(#[from] CorrectError),
}

impl From<StoreError> for TellApartError {
    fn from(error: StoreError) -> Self {
        Self::Record(PortError::from(error).into())
    }
}

fn named(ports: &Ports, prefix: &str, key: &IdentityKey) -> String {
    format!("{prefix}{}", ports.deny.of_key(key))
}

/// Whom a key names by an operator's decision.
///
/// # Errors
/// The store failed.
pub(crate) async fn fixed(ports: &Ports, key: &IdentityKey) -> StoreResult<Option<Fixed>> {
    let value = ports.store.meta(&named(ports, FIXED, key)).await?;
    Ok(value.and_then(|value| serde_json::from_str(&value).ok()))
}

/// The key by which a source itself knows an artist.
fn own_key(source: &Source, name: Option<&str>) -> Option<IdentityKey> {
    match source {
        Source::Studio(studio) => name.and_then(|name| IdentityKey::member(studio, name)),
        Source::OwnSite(site) => Some(IdentityKey::stored(format!("site:{site}"))),
        Source::Artist | Source::Operator => None,
    }
}

fn own_key_of(row: &EvidenceRow) -> Option<IdentityKey> {
    own_key(&row.source, row.facts.name.as_ref().map(|name| name.value.as_str()))
}

/// A request to write whose readings an operator has told apart: one part an artist, and whom it is fixed to.
pub(crate) async fn parts(ports: &Ports, request: &WriteArtist) -> StoreResult<Vec<(WriteArtist, Option<Fixed>)>> {
    let mut parts: Vec<(WriteArtist, Option<Fixed>)> = Vec::new();
    for reading in &request.sources {
        let fixed = match own_key(&reading.source, reading.facts.name.as_ref().map(|name| name.value.as_str())) {
            Some(key) => fixed(ports, &key).await?,
            None => None,
        };
        match parts.iter_mut().find(|(_, known)| *known == fixed) {
            Some((part, _)) => part.sources.push(reading.clone()),
            None => parts.push((WriteArtist { sources: vec![reading.clone()], ..request.clone() }, fixed)),
        }
    }
    // A part without a name is nobody's: the rest of the request gives it one only where nothing was told apart.
    if parts.len() > 1 {
        parts.retain(|(part, _)| part.sources.iter().any(|reading| reading.facts.name.is_some()));
    }
    Ok(parts)
}

/// An attempt that began before two were told apart may have put what the other's source said once more: it goes.
pub(crate) async fn leave_apart(ports: &Ports, fixed: &Fixed, sources: &[SourceReading]) -> StoreResult<()> {
    let Some(from) = &fixed.from else { return Ok(()) };
    for row in ports.store.evidence_of(from).await? {
        let Some(own) = own_key_of(&row).filter(|_| sources.iter().any(|reading| reading.source == row.source)) else { continue };
        if self::fixed(ports, &own).await?.is_some_and(|stray| stray.artist_id == fixed.artist_id) {
            ports.store.drop_evidence(from, Some(&row.source.key())).await?;
            if let Err(error) = follow(ports, from, false).await {
                debug!(artist.id = %from, %error, "the record of artist {from} follows with its next reading");
            }
        }
    }
    Ok(())
}

/// Notes what a decision could not decide. The note is there once, however many nights meet it.
pub(crate) async fn note(ports: &Ports, decision: &IdentityDecision) -> StoreResult<()> {
    let shared = decision.share.iter().map(|(key, holder)| (ConflictKind::Shared, key, holder));
    let rivals = decision.rivals.iter().map(|(key, holder)| (ConflictKind::MayBeOne, key, holder));
    for (kind, key, holder) in shared.chain(rivals) {
        if fixed(ports, key).await?.is_some() {
            continue;
        }
        put_note(ports, kind, key, holder, Some(&decision.id)).await?;
    }
    Ok(())
}

/// Notes that the own pages of a studio show a handle as the shop's which an artist has.
pub(crate) async fn note_shop(ports: &Ports, key: &IdentityKey, holder: &ArtistId) -> StoreResult<()> {
    put_note(ports, ConflictKind::Shared, key, holder, None).await
}

async fn put_note(ports: &Ports, kind: ConflictKind, key: &IdentityKey, holder: &ArtistId, claimant: Option<&ArtistId>) -> StoreResult<()> {
    let conflict = Conflict {
        id: String::new(),
        kind,
        holder: holder.clone(),
        claimant: claimant.cloned(),
        key: key.as_str().split(':').next().unwrap_or_default().to_owned(),
        at: ports.clock.now(),
    };
    let value = serde_json::to_string(&conflict).map_err(|error| StoreError::Bug(error.to_string()))?;
    // Whatever stands there is an earlier note of the same key.
    let _stands = ports.store.put_meta(&named(ports, CONFLICT, key), None, &value).await?;
    Ok(())
}

/// Drops what is noted of somebody who is removed: keys that were fixed to them, and conflicts in which nobody else is left to
/// whom the key could be given.
pub(crate) async fn forget(ports: &Ports, id: &ArtistId, keys: &[IdentityKey], evidence: &[EvidenceRow]) -> StoreResult<()> {
    let mut all: Vec<IdentityKey> = keys.to_vec();
    all.extend(evidence.iter().flat_map(keys_in));
    all.sort();
    all.dedup();
    for key in &all {
        if fixed(ports, key).await?.is_some_and(|fixed| fixed.artist_id == *id) {
            ports.store.drop_meta(&named(ports, FIXED, key)).await?;
        }
        let place = named(ports, CONFLICT, key);
        let Some(conflict) = ports.store.meta(&place).await?.and_then(|value| read_conflict(&place, &value)) else { continue };
        let mut left = false;
        for party in std::iter::once(&conflict.holder).chain(&conflict.claimant).filter(|party| *party != id) {
            left |= is_here(ports, party).await?;
        }
        if !left {
            ports.store.drop_meta(&place).await?;
        }
    }
    Ok(())
}

/// The conflicts that nobody has decided, the oldest first.
///
/// # Errors
/// The store failed.
pub async fn conflicts(store: &dyn Store, limit: usize) -> StoreResult<Vec<Conflict>> {
    // They are stored by the hashes of their keys, so which are the oldest is seen when all are read.
    let rows = store.metas(CONFLICT, CONFLICTS_READ).await?;
    let mut found: Vec<Conflict> = rows.iter().filter_map(|(place, value)| read_conflict(place, value)).collect();
    found.sort_by_key(|conflict| conflict.at);
    found.truncate(limit);
    Ok(found)
}

fn read_conflict(place: &str, value: &str) -> Option<Conflict> {
    let conflict: Conflict = serde_json::from_str(value).ok()?;
    Some(Conflict { id: place.strip_prefix(CONFLICT)?.to_owned(), ..conflict })
}

async fn fix(ports: &Ports, key: &IdentityKey, fixed: &Fixed) -> StoreResult<()> {
    let (place, value) = (named(ports, FIXED, key), serde_json::to_string(fixed).map_err(|error| StoreError::Bug(error.to_string()))?);
    let mut expected: Option<String> = None;
    for _ in 0..RACES {
        match ports.store.put_meta(&place, expected.as_deref(), &value).await? {
            None => return Ok(()),
            Some(stands) => expected = stands,
        }
    }
    Err(StoreError::Unavailable("identity keys are contended".to_owned()))
}

/// Points a key at an artist, whomever it names now.
async fn point(ports: &Ports, key: &IdentityKey, id: &ArtistId) -> StoreResult<()> {
    let (held, mut expected) = (KeyState::Held(id.clone()), ports.store.identity(key).await?);
    for _ in 0..RACES {
        match ports.store.point_identity(key, expected.as_ref(), &held).await? {
            None => return Ok(()),
            Some(stands) => expected = stands,
        }
    }
    Err(StoreError::Unavailable("identity keys are contended".to_owned()))
}

/// Makes an artist of their own of what one source says, and of whatever it says from now on. Answers who that is. Repeating it
/// is harmless.
///
/// # Errors
/// [`TellApartError`].
pub async fn split(ports: &Ports, id: &ArtistId, source: &str, (actor, reason): (&str, Option<&str>)) -> Result<ArtistId, TellApartError> {
    if !is_here(ports, id).await? {
        return Err(CorrectError::Unknown(id.clone()).into());
    }
    let rows = ports.store.evidence_of(id).await?;
    let read: Vec<&EvidenceRow> = rows.iter().filter(|row| row.source.confirmed_by().is_none()).collect();
    let Some(row) = read.iter().find(|row| row.source.key() == source) else {
        let known = read.iter().map(|row| row.source.key()).collect::<Vec<_>>().join(", ");
        return Err(TellApartError::NoSource { id: id.clone(), asked: source.to_owned(), known });
    };
    if read.len() < 2 {
        return Err(TellApartError::OnlySource(id.clone()));
    }
    let own = own_key_of(row).ok_or_else(|| TellApartError::NoKey(id.clone()))?;
    let other = ArtistId::proposed(&format!("apart:{id}:{}", own.as_str()));
    // The decision stands first: whoever reads the source from now on finds it.
    fix(ports, &own, &Fixed { artist_id: other.clone(), from: Some(id.clone()) }).await?;
    point(ports, &own, &other).await?;
    let others = |key: &IdentityKey| read.iter().any(|other| other.source != row.source && keys_in(other).contains(key));
    for key in keys_in(row).into_iter().filter(|key| *key != own && !others(key)) {
        if ports.store.identity(&key).await? == Some(KeyState::Held(id.clone())) {
            point(ports, &key, &other).await?;
        }
    }
    ports.store.put_evidence(&EvidenceRow { artist_id: other.clone(), ..(*row).clone() }).await?;
    ports.store.drop_evidence(id, Some(source)).await?;
    let sightings = ports.store.sightings_of(id).await?;
    ports.store.forget_sightings(id).await?;
    for sighting in sightings {
        let whose = if sighting.source == row.source { &other } else { id };
        ports.store.seen(whose, &sighting.source, sighting.own_page, sighting.gone == 0).await?;
    }
    follow(ports, &other, true).await?;
    follow(ports, id, false).await?;
    audit(ports, actor, "artist.split", id, reason, &format!("what one source says is {other}")).await?;
    Ok(other)
}

/// Whether an artist has a live row and was not removed.
async fn is_here(ports: &Ports, id: &ArtistId) -> StoreResult<bool> {
    let lives = ports.store.artist(id).await?.as_ref().and_then(ArtistRow::live).is_some();
    Ok(lives && !ports.store.is_denied(&[ports.deny.of_artist(id)]).await?)
}

/// The keys that a source's row claims.
fn keys_in(row: &EvidenceRow) -> Vec<IdentityKey> {
    let facts = &row.facts;
    let handle = facts.instagram.as_ref().and_then(|handle| IdentityKey::instagram(&handle.value));
    let site = facts.own_site.as_ref().map(IdentityKey::site);
    handle.into_iter().chain(site).chain(own_key_of(row)).collect()
}

/// Gives the key of a conflict to one of the two for good.
///
/// # Errors
/// [`TellApartError`].
pub async fn give(ports: &Ports, conflict: &str, id: &ArtistId, (actor, reason): (&str, Option<&str>)) -> Result<(), TellApartError> {
    let place = format!("{CONFLICT}{conflict}");
    let value = ports.store.meta(&place).await?;
    let found = value.and_then(|value| read_conflict(&place, &value)).ok_or_else(|| TellApartError::NoConflict(conflict.to_owned()))?;
    let parties: Vec<&ArtistId> = std::iter::once(&found.holder).chain(&found.claimant).collect();
    if !parties.contains(&id) {
        let claim = parties.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        return Err(TellApartError::NotAParty { id: found.id, claim });
    }
    if !is_here(ports, id).await? {
        return Err(TellApartError::Gone(id.clone()));
    }
    let mut keys = Vec::new();
    for party in &parties {
        keys.extend(ports.store.evidence_of(party).await?.iter().flat_map(keys_in));
    }
    let key = keys.into_iter().find(|key| ports.deny.of_key(key) == found.id);
    // Neither claims it any more: there is nothing left to decide.
    if let Some(key) = key {
        fix(ports, &key, &Fixed { artist_id: id.clone(), from: None }).await?;
        point(ports, &key, id).await?;
        for party in parties {
            if ports.store.artist(party).await?.as_ref().and_then(ArtistRow::live).is_some() {
                follow(ports, party, false).await?;
            }
        }
    }
    ports.store.drop_meta(&place).await?;
    audit(ports, actor, "identity.give", id, reason, &format!("a key of the kind {} that two claimed", found.key)).await?;
    Ok(())
}
