//! What a site says, weighed: the object that `inkdex extract` prints, and the view of one artist in it.

use super::super::finding::Basis;
use crate::domain::place::Coordinates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use url::Url;

/// What a site is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// The site of one tattoo artist.
    Artist,
    /// The site of a shop.
    Studio,
    /// Neither; it carries no values.
    Negative,
}

/// Where a value comes from.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The value as resolved.
    pub value: String,
    /// The page it stands on.
    pub page: Url,
    /// Name of the extractor.
    pub extractor: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// A place and how it was learnt.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Located {
    /// As printed.
    pub city: Option<String>,
    /// As printed.
    pub region: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: Option<String>,
    /// Street and number, as printed.
    pub street: Option<String>,
    /// As printed.
    pub postcode: Option<String>,
    /// How the country was learnt.
    pub basis: Option<Basis>,
    /// What the gazetteer adds.
    pub implied: Implied,
}

/// What follows from a place that a page prints or points at, by the gazetteer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Implied {
    /// The region, where none is printed.
    pub region: Option<String>,
    /// Whether the city follows from a point of a map alone.
    pub city: bool,
    /// Where it is, WGS 84 degrees: as the page says, else the middle of the city.
    pub coordinates: Option<Coordinates>,
    /// How the coordinates were learnt.
    pub basis: Option<Basis>,
}

/// A present tattooer of a studio.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Member {
    /// As presented; a handle when that is all there is.
    pub name: String,
    /// In normal form.
    pub instagram: Option<String>,
    /// Canonical names.
    pub styles: Vec<String>,
    /// Their page on the studio's site.
    pub page: Option<Url>,
    /// Their own site on another host.
    pub own_site: Option<Url>,
}

/// Everything a site says of itself. Unknown is `None` or an empty list.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SiteFacts {
    /// Artist, studio or neither.
    pub kind: SiteKind,
    /// Why it is neither, if so.
    pub why_negative: Option<String>,
    /// The artist, or the shop.
    pub name: Option<String>,
    /// The shop: the site's own, or where the artist works.
    pub studio: Option<String>,
    /// As printed.
    pub city: Option<String>,
    /// As printed.
    pub region: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: Option<String>,
    /// How the country was learnt.
    pub country_basis: Option<Basis>,
    /// What the gazetteer adds to the place.
    pub implied: Implied,
    /// Street and number, as printed.
    pub street: Option<String>,
    /// As printed.
    pub postcode: Option<String>,
    /// Handles of the artist or the shop, not of members.
    pub instagram: Vec<String>,
    /// Lower case.
    pub emails: Vec<String>,
    /// As printed, or `+` and digits.
    pub phones: Vec<String>,
    /// Profiles elsewhere.
    pub socials: Vec<String>,
    /// Canonical names.
    pub styles: Vec<String>,
    /// Portfolio pictures.
    pub images: Vec<Url>,
    /// What the site says about the artist or the shop.
    pub bio: Option<String>,
    /// Present tattooers of a studio.
    pub artists: Vec<Member>,
    /// How many it lists at least, if they are more than any shop has (`MAX_MEMBERS`): then none is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_many_artists: Option<usize>,
    /// By field.
    pub evidence: BTreeMap<String, Vec<Evidence>>,
    /// All pages that list artists were read and gave at least one artist.
    pub list_pages_complete: bool,
    /// The text is drawn by a script, so a browser would see more.
    pub drawn_by_script: bool,
}

/// Everything known about one artist from one site.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct ArtistFacts {
    /// As presented.
    pub name: Option<String>,
    /// Where they work.
    pub studio: Option<String>,
    /// Where they work; basis `studio` when it is the studio's place.
    pub place: Located,
    /// In normal form.
    pub instagram: Option<String>,
    /// Their own, never the studio's.
    pub emails: Vec<String>,
    /// Their own, never the studio's.
    pub phones: Vec<String>,
    /// Profiles elsewhere.
    pub socials: Vec<String>,
    /// Canonical names.
    pub styles: Vec<String>,
    /// Portfolio pictures.
    pub images: Vec<Url>,
    /// About the artist.
    pub bio: Option<String>,
    /// Their page on the studio's site, or the entry of their own.
    pub page: Option<Url>,
    /// Their own site on another host.
    pub own_site: Option<Url>,
    /// By field.
    pub evidence: BTreeMap<String, Vec<Evidence>>,
}

impl SiteFacts {
    /// Whether it tells no way to write to anybody.
    #[must_use]
    pub fn is_mute(&self) -> bool {
        self.instagram.is_empty() && self.emails.is_empty() && self.phones.is_empty()
    }

    pub(crate) fn empty(kind: SiteKind) -> Self {
        Self {
            kind,
            why_negative: None,
            name: None,
            studio: None,
            city: None,
            region: None,
            country: None,
            country_basis: None,
            implied: Implied::default(),
            street: None,
            postcode: None,
            instagram: Vec::new(),
            emails: Vec::new(),
            phones: Vec::new(),
            socials: Vec::new(),
            styles: Vec::new(),
            images: Vec::new(),
            bio: None,
            artists: Vec::new(),
            too_many_artists: None,
            evidence: BTreeMap::new(),
            list_pages_complete: false,
            drawn_by_script: false,
        }
    }

    /// The facts of an artist's own site as those of the artist; also right for a studio of one person.
    #[must_use]
    pub fn as_artist(&self) -> ArtistFacts {
        let alone = match (self.kind, self.artists.as_slice()) {
            (SiteKind::Studio, [member]) => Some(member),
            _ => None,
        };
        let handle = self.instagram.first().cloned();
        ArtistFacts {
            name: alone.map(|member| member.name.clone()).or_else(|| self.name.clone()),
            studio: self.studio.clone(),
            place: Located {
                city: self.city.clone(),
                region: self.region.clone(),
                country: self.country.clone(),
                street: self.street.clone(),
                postcode: self.postcode.clone(),
                basis: self.country_basis,
                implied: self.implied.clone(),
            },
            instagram: alone.and_then(|member| member.instagram.clone()).or(handle),
            emails: self.emails.clone(),
            phones: self.phones.clone(),
            socials: self.socials.clone(),
            styles: self.styles.clone(),
            images: self.images.clone(),
            bio: self.bio.clone(),
            page: None,
            own_site: None,
            evidence: self.evidence.clone(),
        }
    }
}
