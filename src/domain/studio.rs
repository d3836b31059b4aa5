//! A studio: where artists are found.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{SessionId, StudioId};
use crate::domain::place::Place;
use crate::domain::text::folded_name;
use serde::{Deserialize, Serialize};
use url::Url;

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
    /// Which source named it.
    pub source: String,
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

/// A studio's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Studio {
    /// Stable id.
    pub id: StudioId,
    /// As the source named it last.
    pub found: FoundStudio,
    /// What its site turned out to be.
    pub kind: StudioKind,
    /// The session that saw it last.
    pub last_session: SessionId,
    /// When the row was written last.
    pub updated_at: Timestamp,
}
