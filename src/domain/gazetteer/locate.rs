//! Which place a name means: what stands beside it decides, else a clearly larger number of people, else nothing does.

use super::table::{City, Gazetteer, Named, get};
use crate::domain::place::{Coordinates, key_part};
use crate::domain::text::folded_name;

/// How many times the people of every rival a place must have, to be meant where nothing else tells.
const CLEARLY: f64 = 3.0;
/// A place found by another than its first name counts as if it had this share of its people.
const OTHER_NAME_SHARE: f64 = 0.5;
/// Places of one name in one country that lie so near are one, in kilometres: a city and its municipality.
const SAME_PLACE_KM: f64 = 30.0;
/// Steps after which a key is taken as it is.
const KEY_STEPS: usize = 4;
/// How far from a point of the page its city may be, in kilometres.
const POINT_KM: f64 = 60.0;

/// What a page tells of where it is, beside the name of a city.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence<'a> {
    /// The country that stands there, ISO 3166-1 alpha-2: no place elsewhere is meant.
    pub country: Option<&'a str>,
    /// Names or codes of the region that stands there; no place elsewhere is meant if one in it is so called.
    pub regions: &'a [String],
    /// A point of a map: no place far from it is meant.
    pub point: Option<Coordinates>,
    /// Countries that something hints at, and how many times likelier each is for that.
    pub hints: &'a [(&'a str, f64)],
}

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    /// One place.
    City(City<'a>),
    /// One of several places, all that count in this country.
    Country(&'a str),
    /// Places of several countries.
    Ambiguous,
    /// No place that is known, or none that fits what is told.
    Unknown,
}

impl<'a> Found<'a> {
    /// The place, if it is one.
    pub fn city(self) -> Option<City<'a>> {
        match self {
            Self::City(city) => Some(city),
            _ => None,
        }
    }

    /// The country, if it is one.
    pub fn country(self) -> Option<&'a str> {
        match self {
            Self::City(city) => Some(city.country),
            Self::Country(code) => Some(code),
            Self::Ambiguous | Self::Unknown => None,
        }
    }
}

impl Gazetteer {
    /// The place that a name means, as far as what is told decides.
    pub fn locate(&self, name: &str, told: &Evidence<'_>) -> Found<'_> {
        let mut candidates = self.named(name);
        candidates.retain(|found| {
            told.country.is_none_or(|code| found.city.country == code)
                && told.point.is_none_or(|point| found.city.at.distance_km(point) <= POINT_KM)
        });
        let in_region: Vec<Named<'_>> = candidates.iter().filter(|found| self.lies_in(&found.city, told.regions)).copied().collect();
        let candidates = if in_region.is_empty() { candidates } else { in_region };
        let weight = |found: &Named<'_>| {
            let hinted: f64 = told.hints.iter().filter(|(code, _)| *code == found.city.country).map(|(_, times)| times).product();
            f64::from(found.city.people) * hinted * if found.own { 1.0 } else { OTHER_NAME_SHARE }
        };
        let Some(best) = candidates.iter().max_by(|one, other| weight(one).total_cmp(&weight(other))) else { return Found::Unknown };
        let same = |found: &Named<'_>| found.city.country == best.city.country && found.city.at.distance_km(best.city.at) <= SAME_PLACE_KM;
        let rivals: Vec<&Named<'_>> = candidates.iter().filter(|found| !same(found) && weight(found) * CLEARLY > weight(best)).collect();
        match rivals.iter().all(|rival| rival.city.country == best.city.country) {
            _ if rivals.is_empty() => Found::City(best.city),
            true => Found::Country(best.city.country),
            false => Found::Ambiguous,
        }
    }

    /// Whether a place lies in one of the regions, by name or code.
    fn lies_in(&self, city: &City<'_>, regions: &[String]) -> bool {
        let name = self.region(city.country, city.region_code).map(folded_name);
        regions.iter().any(|region| city.region_code == region || name.as_deref() == Some(folded_name(region).as_str()))
    }

    /// The country whose division of this name holds a place of that name: "Lecce, Apulia".
    pub fn country_of_pair(&self, city: &str, region: &str) -> Option<&str> {
        let regions = [region.to_owned()];
        let mut fits = self.named(city).into_iter().filter(|found| region.chars().count() > 3 && self.lies_in(&found.city, &regions));
        let first = fits.next()?.city.country;
        fits.all(|found| found.city.country == first).then_some(first)
    }
}

/// A city as keys and the index write it, the same for all its spellings: `MUNICH` for München, `TOKYO` for 東京.
///
/// It depends on the name alone, so that whoever asks without a country finds the same. A name that means no place clearly
/// stays itself: `SPRINGFIELD`. The key of a key is that key.
pub fn key_city(name: &str) -> Option<String> {
    let mut key = keyed(name)?;
    // What the first step leads to may be another name of something larger still; a few steps end it.
    for _ in 0..KEY_STEPS {
        let next = keyed(&key)?;
        if next == key {
            break;
        }
        key = next;
    }
    Some(key)
}

fn keyed(name: &str) -> Option<String> {
    let all = get().named(name);
    let most = |own: bool| all.iter().filter(|found| found.own == own).max_by_key(|found| found.city.people);
    let people = |found: &Named<'_>| f64::from(found.city.people);
    let Some(other) = most(false) else { return key_part(name) };
    if most(true).is_some_and(|own| people(other) < CLEARLY * people(own)) {
        return key_part(name);
    }
    let rivals = all.iter().filter(|found| !found.own && found.city.name != other.city.name);
    let is_clear = rivals.map(people).fold(0.0, f64::max) * CLEARLY <= people(other);
    if is_clear { key_part(other.city.name).or_else(|| key_part(name)) } else { key_part(name) }
}
