//! Keys of the directory's key tables: by style and place (gsi1) and by Instagram handle (gsi2).

use crate::domain::artist::Artist;
use crate::domain::gazetteer::key_city;
use crate::domain::ids::ArtistId;
use crate::domain::place::Place;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What stands for a part that is not known.
pub const UNKNOWN: &str = "UNKNOWN";

/// One row of the style table: an artist has one for each style held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StyleKey {
    /// `STYLE#{style}`, as `STYLE#fine-line` (002-R14).
    pub gsi1pk: String,
    /// `LOCATION#{country}#{city}#{artist_id}`, as `LOCATION#UK#LONDON#artist-123` (002-R15).
    pub gsi1sk: String,
}

/// All keys under which an artist is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtistKeys {
    /// One for each style held.
    pub styles: Vec<StyleKey>,
    /// `INSTAGRAM#{handle}`, as `INSTAGRAM#alextattoo` (002-R16).
    pub gsi2pk: Option<String>,
}

/// One row of a key table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableKey {
    /// Of the style table.
    Style(StyleKey),
    /// Of the table of handles: `INSTAGRAM#{handle}`.
    Instagram(String),
}

/// The partition key of a style, by its slug.
pub fn style_partition(style_slug: &str) -> String {
    format!("STYLE#{style_slug}")
}

/// The country as keys write it: alpha-2, but `UK` for GB.
pub fn country_part(country: Option<&str>) -> &str {
    match country {
        Some("GB") => "UK",
        Some(code) => code,
        None => UNKNOWN,
    }
}

/// The beginning of the sort keys of a place: `LOCATION#`, `LOCATION#UK#` or `LOCATION#UK#LONDON#`.
pub fn location_prefix(country: Option<&str>, city: Option<&str>) -> String {
    match (country, city.and_then(key_city)) {
        (None, _) => "LOCATION#".to_owned(),
        (Some(country), None) => format!("LOCATION#{}#", country_part(Some(country))),
        (Some(country), Some(city)) => format!("LOCATION#{}#{city}#", country_part(Some(country))),
    }
}

/// The sort key of an artist at a place.
pub fn location_sort(place: &Place, id: &ArtistId) -> String {
    let city = place.city.as_deref().and_then(key_city);
    let city = city.as_deref().unwrap_or(UNKNOWN);
    format!("LOCATION#{}#{city}#{id}", country_part(place.country.as_deref()))
}

/// The key of an Instagram handle (lower case, without `@`).
pub fn instagram_partition(handle: &str) -> String {
    format!("INSTAGRAM#{handle}")
}

impl ArtistKeys {
    /// The rows of the key tables that these keys are.
    pub fn rows(&self) -> BTreeSet<TableKey> {
        let styles = self.styles.iter().cloned().map(TableKey::Style);
        styles.chain(self.gsi2pk.iter().cloned().map(TableKey::Instagram)).collect()
    }

    /// The keys of a record (002-R17): computed from its styles, place and handle, and from nothing else.
    pub fn of(id: &ArtistId, artist: &Artist) -> Self {
        let sort = location_sort(&artist.place(), id);
        let mut styles: Vec<StyleKey> =
            artist.styles.iter().map(|style| StyleKey { gsi1pk: style_partition(&style.value), gsi1sk: sort.clone() }).collect();
        styles.sort();
        styles.dedup();
        Self { styles, gsi2pk: artist.instagram.as_ref().map(|handle| instagram_partition(&handle.value)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(country: Option<&str>, city: Option<&str>) -> Place {
        Place { country: country.map(Into::into), city: city.map(Into::into), ..Place::default() }
    }

    /// 002-R14, 002-R15, 002-R16: the literal forms asked for.
    #[test]
    fn keys_have_the_forms_asked_for() {
        let id = ArtistId::new("artist-123");
        assert_eq!(style_partition("traditional"), "STYLE#traditional");
        assert_eq!(location_sort(&place(Some("GB"), Some("London")), &id), "LOCATION#UK#LONDON#artist-123");
        assert_eq!(location_sort(&place(Some("BR"), Some("São Paulo")), &id), "LOCATION#BR#SAO-PAULO#artist-123");
        assert_eq!(location_sort(&place(None, None), &id), "LOCATION#UNKNOWN#UNKNOWN#artist-123");
        assert_eq!(instagram_partition("alextattoo"), "INSTAGRAM#alextattoo");
    }

    proptest! {
        /// 002-R15: a sort key always has four parts and starts with the prefix its place is searched by.
        #[test]
        fn a_place_is_found_by_its_prefix(city in ".{0,30}", country in proptest::option::of("[A-Z]{2}")) {
            let id = ArtistId::new("artist-1");
            let sort = location_sort(&place(country.as_deref(), Some(&city)), &id);
            prop_assert_eq!(sort.split('#').count(), 4);
            prop_assert!(sort.starts_with(&location_prefix(country.as_deref(), Some(&city))));
        }
    }
}
