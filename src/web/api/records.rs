//! Artists as the API shows them: what a list says, and the whole record with the evidence of every fact.

use crate::domain::artist::{Artist, ArtistRow};
use crate::domain::clock::Timestamp;
use crate::domain::facts::{Evidence, Fact};
use crate::domain::place::{Basis, Coordinates};
use crate::search::Hit;
use serde::Serialize;
use std::collections::BTreeMap;
use url::Url;
use utoipa::ToSchema;

/// An artist in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtistSummary {
    /// For ever.
    #[schema(example = "artist-5d1a0d5c6ac45c5f9a3fd7a8f2f6c1f0")]
    pub id: String,
    /// Printed name.
    pub name: String,
    /// Printed name of the studio.
    pub studio: Option<String>,
    /// Slugs of styles.
    pub styles: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// As printed.
    pub city: Option<String>,
    /// Where the studio is.
    pub coordinates: Option<Point>,
    /// Instagram handle, without `@`.
    pub instagram: Option<String>,
    /// The share of the fields that visitors look for that are known, 0 to 1.
    pub completeness: f32,
    /// Where the whole record is.
    pub href: String,
}

impl From<Hit> for ArtistSummary {
    fn from(hit: Hit) -> Self {
        let document = hit.document;
        Self {
            href: format!("/v1/artists/{}", hit.artist_id),
            id: hit.artist_id.to_string(),
            name: document.name,
            studio: document.studio,
            styles: document.styles,
            country: document.country,
            city: document.city,
            coordinates: document.coordinates.map(Point::from),
            instagram: document.instagram,
            completeness: document.completeness,
        }
    }
}

/// A point on the earth, WGS 84.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

impl From<Coordinates> for Point {
    fn from(point: Coordinates) -> Self {
        Self { lat: point.lat, lon: point.lon }
    }
}

/// Where a value came from.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceRecord {
    /// The page that says so; of what was confirmed, the artist's main page.
    pub page: String,
    /// What read it there; `artist` or `operator`, who confirmed it.
    pub extractor: String,
    /// 0 to 1.
    pub confidence: f32,
    /// `printed`, `inferred` from something printed, `studio`: where the studio is, or `confirmed`: outranks every page.
    #[schema(value_type = String, example = "printed")]
    pub basis: Basis,
    /// When the page was read, RFC 3339.
    pub observed_at: String,
    /// Seconds since then.
    pub age_s: u64,
}

impl EvidenceRecord {
    fn of(evidence: &Evidence, now: Timestamp) -> Self {
        Self {
            page: evidence.page.to_string(),
            extractor: evidence.extractor.clone(),
            confidence: evidence.confidence,
            basis: evidence.basis,
            observed_at: evidence.observed_at.rfc3339(),
            age_s: now.since(evidence.observed_at).as_secs(),
        }
    }
}

/// A text with its evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextFact {
    /// The value.
    pub value: String,
    /// Where it came from.
    pub evidence: EvidenceRecord,
}

/// A point with its evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointFact {
    /// The value.
    pub value: Point,
    /// Where it came from.
    pub evidence: EvidenceRecord,
}

/// The whole record of an artist. E-mail and phone stand here only.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtistRecord {
    /// For ever.
    pub id: String,
    /// Raised by every change.
    pub version: i64,
    /// When the record was last confirmed by a reading, RFC 3339.
    pub checked_at: String,
    /// The share of the fields that visitors look for that are known, 0 to 1.
    pub completeness: f32,
    /// Printed name.
    pub name: TextFact,
    /// Printed name of the studio.
    pub studio: Option<TextFact>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<TextFact>,
    /// As printed.
    pub region: Option<TextFact>,
    /// As printed.
    pub city: Option<TextFact>,
    /// Where the studio is.
    pub coordinates: Option<PointFact>,
    /// Instagram handle, without `@`.
    pub instagram: Option<TextFact>,
    /// Profiles elsewhere.
    pub socials: Vec<TextFact>,
    /// E-mail addresses.
    pub emails: Vec<TextFact>,
    /// Phone numbers, as printed.
    pub phones: Vec<TextFact>,
    /// Slugs of styles.
    pub styles: Vec<TextFact>,
    /// Addresses of pictures; the pictures stay where they are.
    pub images: Vec<TextFact>,
    /// The artist's words about themselves.
    pub bio: Option<TextFact>,
    /// Public pages, the main one first.
    pub pages: Vec<String>,
    /// The artist's own site.
    pub own_site: Option<String>,
    /// The fields that were confirmed or corrected, and by whom: `artist`, by proof, or `operator`. Also one that has no value.
    pub confirmed: BTreeMap<String, String>,
}

impl ArtistRecord {
    /// The record of a live row, with ages as of `now`.
    pub fn of(row: &ArtistRow, artist: &Artist, now: Timestamp) -> Self {
        let fact = |fact: &Fact<String>| TextFact { value: fact.value.clone(), evidence: EvidenceRecord::of(&fact.evidence, now) };
        let link = |fact: &Fact<Url>| TextFact { value: fact.value.to_string(), evidence: EvidenceRecord::of(&fact.evidence, now) };
        let point = |fact: &Fact<Coordinates>| PointFact { value: fact.value.into(), evidence: EvidenceRecord::of(&fact.evidence, now) };
        Self {
            id: row.id.to_string(),
            version: row.version,
            checked_at: row.checked_at.rfc3339(),
            completeness: artist.completeness(),
            name: fact(&artist.name),
            studio: artist.studio.as_ref().map(fact),
            country: artist.country.as_ref().map(fact),
            region: artist.region.as_ref().map(fact),
            city: artist.city.as_ref().map(fact),
            coordinates: artist.coordinates.as_ref().map(point),
            instagram: artist.instagram.as_ref().map(fact),
            socials: artist.socials.iter().map(link).collect(),
            emails: artist.emails.iter().map(fact).collect(),
            phones: artist.phones.iter().map(fact).collect(),
            styles: artist.styles.iter().map(fact).collect(),
            images: artist.images.iter().map(link).collect(),
            bio: artist.bio.as_ref().map(fact),
            pages: artist.pages.iter().map(Url::to_string).collect(),
            own_site: artist.own_site.as_ref().map(Url::to_string),
            confirmed: artist.confirmed.iter().map(|(field, by)| (field.as_str().to_owned(), by.as_str().to_owned())).collect(),
        }
    }
}
