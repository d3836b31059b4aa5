//! An artist's record, its row, and how the record is resolved from the evidence of several sources.

use crate::domain::clock::Timestamp;
use crate::domain::facts::{Confirmer, EvidenceRow, Fact, Source};
use crate::domain::fields::Field;
use crate::domain::ids::{ArtistId, JobId, StudioId};
use crate::domain::phone::e164;
use crate::domain::place::{Coordinates, Place};
use crate::domain::text::fold;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// How many `(job, generation)` that wrote a row it remembers.
pub const WRITERS_KEPT: usize = 8;

/// What the directory says about an artist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artist {
    /// Printed name.
    pub name: Fact<String>,
    /// Printed name of the studio.
    pub studio: Option<Fact<String>>,
    /// The studios whose sites name the artist.
    pub studio_ids: Vec<StudioId>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Fact<String>>,
    /// As printed.
    pub region: Option<Fact<String>>,
    /// As printed.
    pub city: Option<Fact<String>>,
    /// Degrees, WGS 84.
    pub coordinates: Option<Fact<Coordinates>>,
    /// Instagram handle in normal form.
    pub instagram: Option<Fact<String>>,
    /// Profiles elsewhere.
    pub socials: Vec<Fact<Url>>,
    /// Shown on the artist's own page only: never in lists, the index or exports.
    pub emails: Vec<Fact<String>>,
    /// In E.164 where their country is known, else as printed. Shown on the artist's own page only.
    pub phones: Vec<Fact<String>>,
    /// Style slugs.
    pub styles: Vec<Fact<String>>,
    /// Portfolio pictures, URLs only.
    pub images: Vec<Fact<Url>>,
    /// The artist's words about themselves.
    pub bio: Option<Fact<String>>,
    /// Public pages, the main one first; never empty.
    pub pages: Vec<Url>,
    /// The artist's own site.
    pub own_site: Option<Url>,
    /// The fields that somebody confirmed or corrected who may, and who; also one that has no value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confirmed: BTreeMap<Field, Confirmer>,
}

/// Why a record cannot be written (002-R18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// No source gives a name.
    #[error("the record has no name: no source printed one")]
    Name,
    /// No source gives a public page.
    #[error("the record has no public page")]
    Page,
}

impl Artist {
    /// The record that a set of evidence rows adds up to: each field from the most trusted source that has it.
    ///
    /// What was confirmed beats all that was read, and the newest of two confirmations wins. An artist's own site outranks a
    /// studio's; among studios the newest reading wins, then the smaller source key, so that the order in which sources were
    /// read never matters. Sets of styles, profiles and pictures are united.
    ///
    /// # Errors
    /// [`Incomplete`] if a required field (002-R18) is missing.
    pub fn resolve(rows: &[EvidenceRow]) -> Result<Self, Incomplete> {
        let (mut said, mut rows): (Vec<&EvidenceRow>, Vec<&EvidenceRow>) = rows.iter().partition(|row| row.source.confirmed_by().is_some());
        said.sort_by_key(|row| (std::cmp::Reverse(row.fence), row.source.key()));
        rows.sort_by_key(|row| (!matches!(row.source, Source::OwnSite(_)), std::cmp::Reverse(row.fence), row.source.key()));
        let mut pages: Vec<Url> = Vec::new();
        for page in rows.iter().flat_map(|row| &row.facts.pages) {
            if !pages.contains(page) {
                pages.push(page.clone());
            }
        }
        let mut studio_ids: Vec<StudioId> = rows
            .iter()
            .filter_map(|row| match &row.source {
                Source::Studio(id) => Some(id.clone()),
                Source::Artist | Source::Operator | Source::OwnSite(_) => None,
            })
            .collect();
        studio_ids.sort();
        // Who decides about a field: whoever settled it last, else all that were read.
        let settling = |field: Field| said.iter().find(|row| row.settled.contains(&field)).copied();
        let of = |field: Field| settling(field).map_or_else(|| rows.clone(), |row| vec![row]);
        let confirmer = |row: &EvidenceRow| row.source.confirmed_by();
        let fields = said.iter().flat_map(|row| &row.settled);
        let confirmed = fields.filter_map(|field| Some((*field, settling(*field).and_then(confirmer)?))).collect();
        // Place parts come from one source together: a city of one page and a country of another may not fit.
        let read = || rows.iter().find(|row| row.facts.city.is_some()).or_else(|| rows.iter().find(|row| row.facts.country.is_some()));
        let placed = settling(Field::Place).or_else(|| read().copied());
        let name = of(Field::Name).iter().find_map(|row| row.facts.name.clone()).ok_or(Incomplete::Name)?;
        if pages.is_empty() {
            return Err(Incomplete::Page);
        }
        let country = placed.and_then(|row| row.facts.country.clone());
        let phones: Vec<Fact<String>> = of(Field::Phones).iter().flat_map(|row| dialled(row, country.as_ref())).collect();
        Ok(Self {
            name,
            studio: of(Field::Studio).iter().find_map(|row| row.facts.studio.clone()),
            studio_ids,
            country,
            region: placed.and_then(|row| row.facts.region.clone()),
            city: placed.and_then(|row| row.facts.city.clone()),
            coordinates: placed.and_then(|placed| coordinates(placed, &rows)),
            instagram: of(Field::Instagram).iter().find_map(|row| row.facts.instagram.clone()),
            socials: united(of(Field::Socials).iter().flat_map(|row| &row.facts.socials), |url| url.to_string()),
            emails: united(of(Field::Emails).iter().flat_map(|row| &row.facts.emails), |email| fold(email)),
            phones: united(&phones, |phone| digits(phone)),
            styles: sorted(united(of(Field::Styles).iter().flat_map(|row| &row.facts.styles), Clone::clone)),
            images: united(of(Field::Images).iter().flat_map(|row| &row.facts.images), |url| url.to_string()),
            bio: of(Field::Bio).iter().find_map(|row| row.facts.bio.clone()),
            pages,
            own_site: of(Field::OwnSite).iter().find_map(|row| row.facts.own_site.clone()),
            confirmed,
        })
    }

    /// Where the artist works, as far as it is known.
    pub fn place(&self) -> Place {
        Place {
            country: self.country.as_ref().map(|fact| fact.value.clone()),
            region: self.region.as_ref().map(|fact| fact.value.clone()),
            city: self.city.as_ref().map(|fact| fact.value.clone()),
            coordinates: self.coordinates.as_ref().map(|fact| fact.value),
        }
    }

    /// The share of the fields a visitor looks for that are known, 0 to 1: completeness, never a condition of a write.
    pub fn completeness(&self) -> f32 {
        let known = [
            self.studio.is_some(),
            self.country.is_some(),
            self.city.is_some(),
            self.instagram.is_some(),
            !self.styles.is_empty(),
            !self.images.is_empty(),
            self.bio.is_some(),
            !self.emails.is_empty() || !self.phones.is_empty(),
        ];
        let count = known.iter().filter(|known| **known).count();
        count as f32 / known.len() as f32
    }

    /// SHA-256 (hex) over the values and what of them is confirmed: the same facts read again at another time hash the same.
    pub fn content_hash(&self) -> String {
        let mut values: Vec<Value> = self.values().into_iter().map(|(_, value)| value).collect();
        // Only where there is something to say: the hashes of all other records stay what they are.
        if !self.confirmed.is_empty() {
            values.push(json!(self.confirmed));
        }
        hex(&Sha256::digest(Value::from(values).to_string().as_bytes()))
    }

    /// The fields by name, with their values alone.
    fn values(&self) -> [(&'static str, Value); 16] {
        [
            ("name", json!(self.name.value)),
            ("studio", json!(self.studio.as_ref().map(|f| &f.value))),
            ("studio_ids", json!(self.studio_ids)),
            ("country", json!(self.country.as_ref().map(|f| &f.value))),
            ("region", json!(self.region.as_ref().map(|f| &f.value))),
            ("city", json!(self.city.as_ref().map(|f| &f.value))),
            ("coordinates", json!(self.coordinates.as_ref().map(|f| f.value))),
            ("instagram", json!(self.instagram.as_ref().map(|f| &f.value))),
            ("socials", json!(values(&self.socials))),
            ("emails", json!(values(&self.emails))),
            ("phones", json!(values(&self.phones))),
            ("styles", json!(values(&self.styles))),
            ("images", json!(values(&self.images))),
            ("bio", json!(self.bio.as_ref().map(|f| &f.value))),
            ("pages", json!(self.pages)),
            ("own_site", json!(self.own_site)),
        ]
    }

    /// The fields whose values differ in another record of the same artist.
    pub fn changes_to(&self, after: &Self) -> Vec<FieldChange> {
        let pairs = self.values().into_iter().zip(after.values());
        let differing = pairs.filter(|((_, before), (_, after))| before != after);
        differing.map(|((field, before), (_, after))| FieldChange { field, before, after }).collect()
    }
}

/// A field that differs between two records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its name.
    pub field: &'static str,
    /// Its value before.
    pub before: Value,
    /// Its value after.
    pub after: Value,
}

/// The extractor named in evidence of coordinates that are those of the city.
pub const BY_CITY: &str = "gazetteer";

/// Where the place is: as its own source says, else as another source that names the same city does.
fn coordinates(placed: &EvidenceRow, rows: &[&EvidenceRow]) -> Option<Fact<Coordinates>> {
    let city = |row: &EvidenceRow| row.facts.city.as_ref().map(|city| fold(&city.value));
    let country = |row: &EvidenceRow| row.facts.country.as_ref().map(|country| country.value.clone());
    let same = |row: &&&EvidenceRow| city(row).is_some() && city(row) == city(placed) && country(row) == country(placed);
    // The middle of the city is the last resort: another source may know the house.
    let exact = |row: &EvidenceRow| row.facts.coordinates.clone().filter(|at| at.evidence.extractor != BY_CITY);
    let elsewhere = || rows.iter().filter(same).find_map(|row| exact(row));
    exact(placed).or_else(elsewhere).or_else(|| placed.facts.coordinates.clone())
}

fn values<T>(facts: &[Fact<T>]) -> Vec<&T> {
    facts.iter().map(|fact| &fact.value).collect()
}

fn united<'a, T: Clone + 'a>(facts: impl IntoIterator<Item = &'a Fact<T>>, key: impl Fn(&T) -> String) -> Vec<Fact<T>> {
    let mut seen = BTreeSet::new();
    facts.into_iter().filter(|fact| seen.insert(key(&fact.value))).cloned().collect()
}

fn sorted(mut facts: Vec<Fact<String>>) -> Vec<Fact<String>> {
    facts.sort_by(|one, other| one.value.cmp(&other.value));
    facts
}

/// The telephone numbers of a source as E.164 writes them, where its country or else the record's is known; others as printed.
fn dialled(row: &EvidenceRow, country: Option<&Fact<String>>) -> Vec<Fact<String>> {
    let country = row.facts.country.as_ref().or(country).map(|fact| fact.value.as_str());
    let whole = |fact: &Fact<String>| e164(&fact.value, country).unwrap_or_else(|| fact.value.clone());
    row.facts.phones.iter().map(|fact| Fact { value: whole(fact), evidence: fact.evidence.clone() }).collect()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an artist's row has a record, and if not why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// In the directory.
    Live,
    /// Gone from every source; may return.
    Retired,
    /// Removed by request; never returns.
    Removed,
}

/// The row of an artist: the truth, and the fence against late writers (rule 5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtistRow {
    /// For ever.
    pub id: ArtistId,
    /// Raised by every change, strictly; microseconds since 1970 where the clock allows.
    pub version: i64,
    /// When the writing attempt began; an attempt with a lower one is late.
    pub fence: Timestamp,
    /// The last `(job, generation)` that made a version, newest last, at most [`WRITERS_KEPT`].
    pub writers: Vec<(JobId, u32)>,
    /// Whether there is a record.
    pub life: Life,
    /// The first version: the row's age.
    pub created_version: i64,
    /// [`Artist::content_hash`] of the record, checked when read.
    pub content_hash: Option<String>,
    /// What the directory says; none once retired or removed.
    pub record: Option<Artist>,
    /// When the record was last confirmed by a reading, changed or not.
    pub checked_at: Timestamp,
}

impl ArtistRow {
    /// The record, if the row is live and its content passes its own hash.
    pub fn live(&self) -> Option<&Artist> {
        match (self.life, &self.record) {
            (Life::Live, Some(record)) if self.is_sound() => Some(record),
            _ => None,
        }
    }

    /// What is left of a row whose content cannot be read: it is hidden and not sound, and a scrape puts it right by the usual
    /// compare-and-set. Were it a removed one, the denylist still knows the artist.
    pub fn damaged(id: ArtistId, version: i64, fence: Timestamp) -> Self {
        Self {
            id,
            version,
            fence,
            writers: Vec::new(),
            life: Life::Live,
            created_version: version,
            content_hash: Some("damaged".to_owned()),
            record: None,
            checked_at: Timestamp(0),
        }
    }

    /// Whether the content passes its own hash; a row that never had any or lost it in order is sound.
    pub fn is_sound(&self) -> bool {
        self.content_hash == self.record.as_ref().map(Artist::content_hash)
    }
}
