//! A studio: where artists are found.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{SessionId, StudioId};
use crate::domain::place::{Coordinates, Place};
use crate::domain::text::folded_name;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// How long a name and an address of Google's are kept: for the run that was given them, as page copies are.
pub const LENT_CONTENT_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long coordinates of Google's are kept: a day less than the thirty allowed, as what is past its time is dropped hourly
/// and a daemon may be stopped.
pub const LENT_COORDINATES_KEPT: Duration = Duration::from_secs(29 * 24 * 3_600);

/// The source of a row that was blanked: none.
const BLANKED: &str = "removed";

/// What a source asks of whoever keeps what it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// Nothing: a file of ours, or the studio's own site.
    #[default]
    Own,
    /// OpenStreetMap's licence (ODbL): attribution where it shows.
    Odbl,
    /// Google's: only the place id is kept for good, coordinates for 30 days, attribution where it shows.
    Google,
}

/// A studio as a source names it, before anything of it was fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundStudio {
    /// Its name.
    pub name: String,
    /// Its site, if one is known; without it there is nothing to read.
    pub website: Option<Url>,
    /// Where it is.
    pub place: Place,
    /// The place as the source printed it.
    pub place_text: Option<String>,
    /// The source's id of the place, kept for good.
    pub place_id: Option<String>,
    /// Its telephone, by which two sources are recognised to mean one studio; not kept beyond that.
    #[serde(default)]
    pub phone: Option<String>,
    /// Which source named it.
    pub source: String,
    /// What that source asks for.
    #[serde(default)]
    pub terms: Terms,
}

impl FoundStudio {
    /// The studio's id: by place id, else by canonical site, else by folded name and city.
    pub fn id(&self) -> StudioId {
        if let Some(place_id) = &self.place_id {
            return StudioId::derived_from(&format!("place:{place_id}"));
        }
        if let Some(website) = &self.website {
            return StudioId::derived_from(&format!("site:{}", crate::domain::identity::canonical_site(website)));
        }
        let city = self.place.city.as_deref().unwrap_or_default();
        StudioId::derived_from(&format!("name:{}:{}", folded_name(&self.name), folded_name(city)))
    }
}

/// What the last reading of a studio's site said it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudioKind {
    /// Not read yet.
    Unread,
    /// A studio with one or several artists.
    Studio,
    /// The site of a single artist.
    OneArtist,
    /// No tattoo studio.
    NotTattoo,
}

/// A source that names a studio, and why what it names is this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedBy {
    /// Which source.
    pub source: String,
    /// Its id of the place.
    pub place_id: Option<String>,
    /// What it asks for.
    pub terms: Terms,
    /// How sure it is that it means this studio, of a hundred.
    pub score: u8,
    /// Why, unless it is the first of them.
    pub reason: Option<String>,
}

/// What a source's terms let us use for a while and not keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lent {
    /// The studio's name.
    pub name: Option<String>,
    /// Its site.
    pub website: Option<Url>,
    /// Where it is.
    pub coordinates: Option<Coordinates>,
    /// When the source said so.
    pub at: Timestamp,
}

impl Lent {
    /// What may still be used at `now`; `None` if that is nothing.
    fn left(&self, now: Timestamp) -> Option<Self> {
        let content = now < self.at.plus(LENT_CONTENT_KEPT);
        let left = Self {
            name: self.name.clone().filter(|_| content),
            website: self.website.clone().filter(|_| content),
            coordinates: self.coordinates.filter(|_| now < self.at.plus(LENT_COORDINATES_KEPT)),
            at: self.at,
        };
        (left.name.is_some() || left.website.is_some() || left.coordinates.is_some()).then_some(left)
    }
}

/// A studio's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Studio {
    /// Stable id.
    pub id: StudioId,
    /// What may be kept of what the sources say, and what its own site says. Its name is empty while only a source knows it
    /// whose content may not be kept.
    pub found: FoundStudio,
    /// Every source that named it last.
    #[serde(default)]
    pub named_by: Vec<NamedBy>,
    /// What may be used for a while.
    #[serde(default)]
    pub lent: Option<Lent>,
    /// What its site turned out to be.
    pub kind: StudioKind,
    /// The session that saw it last.
    pub last_session: SessionId,
    /// When the row was written last.
    pub updated_at: Timestamp,
}

impl Studio {
    /// Its site, as far as it may be used at `now`.
    pub fn website(&self, now: Timestamp) -> Option<Url> {
        self.found.website.clone().or_else(|| self.lent.as_ref()?.left(now)?.website)
    }

    /// Its name, as far as it may be used at `now`, or what else it is known by. A name of Google's says so.
    pub fn name(&self, now: Timestamp) -> String {
        if !self.found.name.is_empty() {
            return self.found.name.clone();
        }
        let lent = self.lent.as_ref().and_then(|lent| lent.left(now)?.name);
        let known_as = || self.found.place_id.clone().unwrap_or_else(|| self.id.to_string());
        lent.map_or_else(known_as, |name| format!("{name} (Google Maps)"))
    }

    /// The row once its site was read: its address and the name it prints are facts of our own from then on, so neither is
    /// kept as somebody else's.
    #[must_use]
    pub fn read_as(mut self, website: &Url, printed_name: Option<&str>) -> Self {
        if self.found.name.is_empty() {
            self.found.name = printed_name.unwrap_or_default().to_owned();
        }
        self.found.website = Some(website.clone());
        if let Some(lent) = &mut self.lent {
            (lent.name, lent.website) = (None, None);
        }
        self
    }

    /// The row of a studio that is one person, once that person was removed: an id that names nobody.
    #[must_use]
    pub fn blanked(&self, now: Timestamp) -> Self {
        let found = FoundStudio {
            name: String::new(),
            website: None,
            place: Place::default(),
            place_text: None,
            place_id: None,
            phone: None,
            source: BLANKED.to_owned(),
            terms: Terms::Own,
        };
        let updated_at = now.max(self.updated_at.plus(Duration::from_micros(1)));
        Self { found, named_by: Vec::new(), lent: None, updated_at, ..self.clone() }
    }

    /// Whether the row was blanked.
    pub fn is_blanked(&self) -> bool {
        self.found.source == BLANKED
    }

    /// The row without what may no longer be kept at `now`; `None` if nothing is past its time. It is a microsecond newer, so
    /// that whatever a source says meanwhile wins over it.
    pub fn without_expired(&self, now: Timestamp) -> Option<Self> {
        let lent = self.lent.as_ref()?;
        let left = lent.left(now);
        let updated_at = self.updated_at.plus(Duration::from_micros(1));
        (left.as_ref() != Some(lent)).then(|| Self { lent: left, updated_at, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_google() -> Studio {
        let found = FoundStudio {
            name: String::new(),
            website: None,
            place: Place::default(),
            place_text: None,
            place_id: Some("ChIJ1".to_owned()),
            phone: None,
            source: "google_places".to_owned(),
            terms: Terms::Google,
        };
        let lent = Lent {
            name: Some("Quiet Needle".to_owned()),
            website: Some(Url::parse("https://quiet.example/").unwrap()),
            coordinates: Coordinates::new(51.5, -0.1),
            at: Timestamp(0),
        };
        let (kind, last_session) = (StudioKind::Unread, SessionId::new("daily-1"));
        Studio { id: found.id(), found, named_by: Vec::new(), lent: Some(lent), kind, last_session, updated_at: Timestamp(7) }
    }

    /// Google's terms: the place id for good, coordinates for 30 days, the rest for the run.
    #[test]
    fn what_google_lent_is_given_back_in_time() {
        let studio = from_google();
        let after = |days: u64| Timestamp(0).plus(Duration::from_secs(days * 24 * 3_600));
        assert_eq!(studio.without_expired(Timestamp(1)), None);
        assert_eq!(studio.name(Timestamp(1)), "Quiet Needle (Google Maps)");
        assert!(studio.website(Timestamp(1)).is_some());
        // Past its time it is not used, dropped or not.
        assert_eq!((studio.name(after(1)), studio.website(after(1))), ("ChIJ1".to_owned(), None));
        let next_day = studio.without_expired(after(1)).unwrap();
        let lent = next_day.lent.clone().unwrap();
        assert_eq!((lent.name, lent.website, lent.coordinates.is_some()), (None, None, true));
        assert_eq!(next_day.updated_at, Timestamp(8));
        assert_eq!(next_day.without_expired(after(28)), None);
        let next_month = next_day.without_expired(after(29)).unwrap();
        assert_eq!((next_month.lent.clone(), next_month.found.place_id.as_deref()), (None, Some("ChIJ1")));
        let stored = serde_json::to_string(&next_month).unwrap();
        assert!(!stored.contains("Quiet") && !stored.contains("quiet") && !stored.contains("51.5"), "{stored}");
    }

    /// Rule 15: nothing but the id is left, and the blank row wins over the one before.
    #[test]
    fn a_blanked_row_names_nobody() {
        let read = from_google().read_as(&Url::parse("https://quiet.example/").unwrap(), Some("Quiet Needle"));
        let blank = read.blanked(Timestamp(3));
        assert!(blank.is_blanked() && !read.is_blanked() && blank.updated_at > read.updated_at && blank.id == read.id);
        let stored = serde_json::to_string(&blank).unwrap().to_lowercase();
        assert!(["quiet", "chij1", "51.5"].iter().all(|told| !stored.contains(told)), "{stored}");
    }

    #[test]
    fn what_its_site_says_is_kept() {
        let site = Url::parse("https://quiet.example/").unwrap();
        let read = from_google().read_as(&site, Some("Quiet Needle Tattoo"));
        assert_eq!(read.name(Timestamp(1)), "Quiet Needle Tattoo");
        let later = read.without_expired(Timestamp(0).plus(LENT_COORDINATES_KEPT)).unwrap();
        assert_eq!((later.website(Timestamp(i64::MAX)), later.lent), (Some(site), None));
    }

    /// Rows of earlier builds, which knew neither several sources nor lent content, are read as they are.
    #[test]
    fn rows_of_earlier_builds_are_read() {
        let stored = r#"{"id":"s","found":{"name":"Ink","website":null,"place":{"country":null,"region":null,"city":"Porto","coordinates":null},"place_text":null,"place_id":null,"source":"file:a.yaml"},"kind":"unread","last_session":"n","updated_at":5}"#;
        let studio: Studio = serde_json::from_str(stored).unwrap();
        assert_eq!((studio.named_by, studio.lent, studio.found.terms), (Vec::new(), None, Terms::Own));
    }
}
