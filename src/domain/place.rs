//! Where an artist works: country, region, city and coordinates, each possibly unknown.

use deunicode::deunicode;
use serde::{Deserialize, Serialize};

/// How a place came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It stands on a page.
    Printed,
    /// It follows from something on a page: a dialling code, a ZIP code, a national domain.
    Inferred,
    /// It is where the studio is, by the studio's own record.
    Studio,
    /// The artist or an operator said so; no page has to.
    Confirmed,
}

/// A place as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// As printed.
    pub region: Option<String>,
    /// As printed.
    pub city: Option<String>,
    /// Degrees north and east, WGS 84.
    pub coordinates: Option<Coordinates>,
}

/// A point on the earth, WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lon: f64,
}

impl Coordinates {
    /// A point, if both numbers are on the earth; kept to 7 decimals, which is a centimetre.
    ///
    /// More digits do not always survive JSON bit by bit, and a record must pass its own content hash when read back.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let kept = |degrees: f64| (degrees * 1e7).round() / 1e7;
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then(|| Self { lat: kept(lat), lon: kept(lon) })
    }

    /// Great-circle distance in kilometres (haversine, mean radius 6371.0088 km).
    pub fn distance_km(self, other: Self) -> f64 {
        let (lat_a, lat_b) = (self.lat.to_radians(), other.lat.to_radians());
        let half_lat = (lat_b - lat_a) / 2.0;
        let half_lon = (other.lon - self.lon).to_radians() / 2.0;
        let a = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
        2.0 * 6371.0088 * a.clamp(0.0, 1.0).sqrt().asin()
    }
}

impl Place {
    /// Whether nothing at all is known.
    pub fn is_unknown(&self) -> bool {
        self.country.is_none() && self.region.is_none() && self.city.is_none() && self.coordinates.is_none()
    }
}

/// A name as part of a key: upper case ASCII letters and digits joined by single hyphens; `None` if nothing is left.
pub fn key_part(name: &str) -> Option<String> {
    let mut part = String::new();
    for c in deunicode(name).chars() {
        if c.is_ascii_alphanumeric() {
            part.push(c.to_ascii_uppercase());
        } else if c != '\'' && !part.is_empty() && !part.ends_with('-') {
            part.push('-');
        }
    }
    let part = part.trim_end_matches('-');
    (!part.is_empty()).then(|| part.to_owned())
}

/// Reads an ISO 3166-1 alpha-2 country code in any case; `UK` is read as `GB`. Anything else is no country.
pub fn country_code(text: &str) -> Option<String> {
    let upper = text.trim().to_ascii_uppercase();
    if upper == "UK" {
        return Some("GB".to_owned());
    }
    rust_iso3166::from_alpha2(&upper).map(|country| country.alpha2.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn city_names_become_key_parts() {
        assert_eq!(key_part("São Paulo").as_deref(), Some("SAO-PAULO"));
        assert_eq!(key_part("  Stratford-upon-Avon ").as_deref(), Some("STRATFORD-UPON-AVON"));
        assert_eq!(key_part("L'Aquila").as_deref(), Some("LAQUILA"));
        assert_eq!(key_part("Киев").as_deref(), Some("KIEV"));
        assert_eq!(key_part(" # "), None);
    }

    #[test]
    fn countries_are_read_by_code() {
        assert_eq!(country_code("uk").as_deref(), Some("GB"));
        assert_eq!(country_code("de").as_deref(), Some("DE"));
        assert_eq!(country_code("zz"), None);
    }

    #[test]
    fn london_to_paris_is_344_km() {
        let (london, paris) = (Coordinates { lat: 51.5074, lon: -0.1278 }, Coordinates { lat: 48.8566, lon: 2.3522 });
        assert!((london.distance_km(paris) - 343.6).abs() < 1.0);
    }

    proptest! {
        #[test]
        fn key_parts_hold_no_separator(name in ".{0,40}") {
            if let Some(part) = key_part(&name) {
                prop_assert!(part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(!part.starts_with('-') && !part.ends_with('-') && !part.contains("--"));
            }
        }
    }
}
