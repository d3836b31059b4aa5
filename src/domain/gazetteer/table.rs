//! The table: one text in memory, lines found by binary search, so that it is there within milliseconds.

use crate::domain::place::Coordinates;
use crate::domain::text::folded_name;
use std::io::Read as _;
use std::sync::{LazyLock, OnceLock};

const PACKED: &[u8] = include_bytes!("../../../config/gazetteer/places.gz");
const HEAD: &str = "inkdex gazetteer 1; data of GeoNames, CC BY 4.0";
/// Of a point and a place that covers it, in kilometres: how far it may lie outside what the place's people would fill.
const OUTSKIRTS_KM: f64 = 3.0;
/// What a point's distance counts from, in kilometres: so near, a quarter of a city is no better than the city.
const NEARBY_KM: f64 = 2.0;

static TABLE: LazyLock<Gazetteer> = LazyLock::new(|| Gazetteer::read(PACKED).expect("config/gazetteer/places.gz is checked by a test"));

/// The gazetteer; read when it is asked for first.
pub fn get() -> &'static Gazetteer {
    &TABLE
}

/// A place where people live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct City<'a> {
    /// Its line in the table.
    pub number: u32,
    /// As GeoNames calls it: the English name of famous ones, else the local one.
    pub name: &'a str,
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// Code of its first-level division, such as `OR`; some are numbers.
    pub region_code: &'a str,
    /// Where it is, to about a hundred metres.
    pub at: Coordinates,
    /// People.
    pub people: u32,
}

/// A place and how the name found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named<'a> {
    /// The place.
    pub city: City<'a>,
    /// Whether it is the place's first name; else one of its others.
    pub own: bool,
}

/// A country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// In English.
    pub name: String,
    /// Digits of its dialling codes, `1809` for +1 809.
    pub dialling: Vec<String>,
    /// National domain; may be empty.
    pub domain: String,
    /// Primary language subtags, most spoken first.
    pub languages: Vec<String>,
}

/// All places with their names.
pub struct Gazetteer {
    text: String,
    countries: Vec<Country>,
    /// Where the lines of each table begin.
    regions: Vec<u32>,
    cities: Vec<u32>,
    names: Vec<u32>,
    known: Vec<u32>,
    /// Latitude and longitude of each city, degrees; read when a point is asked for first.
    points: OnceLock<Vec<(f32, f32)>>,
}

impl Gazetteer {
    fn read(packed: &[u8]) -> Result<Self, String> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).map_err(|error| error.to_string())?;
        text.shrink_to_fit();
        let mut begins = vec![0_u32];
        begins.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1));
        let line = |number: usize| text[begins[number] as usize..].split('\n').next().unwrap_or_default();
        if line(0) != HEAD {
            return Err("another table is expected".to_owned());
        }
        let mut next = 1;
        let mut section = |name: &str| {
            let head = line(next);
            let count = head.strip_prefix(name).and_then(|count| count.trim().parse::<usize>().ok());
            let count = count.ok_or_else(|| format!("`{head}` stands where {name} should begin"))?;
            let lines = begins.get(next + 1..next + 1 + count).ok_or_else(|| format!("{name} are cut off"))?.to_vec();
            next += 1 + count;
            Ok::<_, String>(lines)
        };
        let (countries, regions) = (section("countries")?, section("regions")?);
        let (cities, names, known) = (section("cities")?, section("names")?, section("known")?);
        let countries = countries.iter().filter_map(|at| country(text[*at as usize..].split('\n').next().unwrap_or_default())).collect();
        Ok(Self { text, countries, regions, cities, names, known, points: OnceLock::new() })
    }

    fn line(&self, begin: u32) -> &str {
        let rest = &self.text.as_bytes()[begin as usize..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        &self.text[begin as usize..begin as usize + end]
    }

    /// All countries.
    pub fn countries(&self) -> &[Country] {
        &self.countries
    }

    /// The country of a code.
    pub fn country(&self, code: &str) -> Option<&Country> {
        self.countries.binary_search_by(|country| country.code.as_str().cmp(code)).ok().map(|at| &self.countries[at])
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.cities.len()
    }

    /// Whether there is no place at all.
    pub fn is_empty(&self) -> bool {
        self.cities.is_empty()
    }

    /// A place by its number.
    pub fn city(&self, number: u32) -> Option<City<'_>> {
        let mut parts = self.line(*self.cities.get(number as usize)?).split('\t');
        let (name, country, region_code) = (parts.next()?, parts.next()?, parts.next()?);
        let (lat, lon) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(City { number, name, country, region_code, at: Coordinates::new(lat, lon)?, people: parts.next()?.parse().ok()? })
    }

    /// The name of a first-level division: of `US` and `OR`, `Oregon`.
    pub fn region(&self, country: &str, code: &str) -> Option<&str> {
        let wanted = format!("{country}.{code}");
        let at = self.find(&self.regions, &wanted)?;
        self.line(self.regions[at]).split('\t').nth(1)
    }

    /// The line whose first field is `wanted`.
    fn find(&self, lines: &[u32], wanted: &str) -> Option<usize> {
        lines
            .binary_search_by(|begin| {
                let field = self.text.as_bytes()[*begin as usize..].iter();
                // Fields end before every letter they may hold, so bytes compare as the fields do.
                field.take_while(|byte| **byte != b'\t').cmp(wanted.as_bytes())
            })
            .ok()
    }

    /// All places of a name, folded or not; those so called first.
    pub fn named(&self, name: &str) -> Vec<Named<'_>> {
        let Some(at) = self.find(&self.names, &folded_name(name)) else { return Vec::new() };
        let mut fields = self.line(self.names[at]).split('\t').skip(1);
        let mut read = |own| {
            let numbers = fields.next().unwrap_or_default().split_ascii_whitespace();
            numbers.filter_map(|number| self.city(number.parse().ok()?)).map(|city| Named { city, own }).collect::<Vec<_>>()
        };
        let mut all = read(true);
        all.extend(read(false));
        all
    }

    /// The country that a folded name means by itself: that of a large city that no other country rivals.
    pub fn known(&self, folded: &str) -> Option<&str> {
        let at = self.find(&self.known, folded)?;
        self.line(self.known[at]).split('\t').nth(1)
    }

    /// All names, folded, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|begin| self.line(*begin).split('\t').next().unwrap_or_default())
    }

    fn points(&self) -> &[(f32, f32)] {
        let of = |number| self.city(number as u32).map_or((0.0, 0.0), |city| (city.at.lat as f32, city.at.lon as f32));
        self.points.get_or_init(|| (0..self.len()).map(of).collect())
    }

    /// The place that a point lies in: of those whose people would fill the ground as far as the point, the one it is deepest in.
    pub fn at(&self, point: Coordinates) -> Option<City<'_>> {
        let mut best: Option<(f64, City<'_>)> = None;
        // A degree north is 111 km, so a place of forty million people reaches half of one; more than one is too far for any.
        for (number, (lat, lon)) in self.points().iter().enumerate() {
            let far_east = (f64::from(*lon) - point.lon).abs();
            if (f64::from(*lat) - point.lat).abs() > 0.7 || (far_east > 3.0 && far_east < 357.0) {
                continue;
            }
            let Some(city) = self.city(number as u32) else { continue };
            let (far, reach) = (city.at.distance_km(point), reach_km(city.people));
            let depth = (far + NEARBY_KM) / reach;
            if far <= reach + OUTSKIRTS_KM && best.as_ref().is_none_or(|(least, _)| depth < *least) {
                best = Some((depth, city));
            }
        }
        best.map(|(_, city)| city)
    }
}

/// How far the ground reaches that so many people fill, in kilometres: a million fill 15.
fn reach_km(people: u32) -> f64 {
    (0.015 * f64::from(people).sqrt()).clamp(1.5, 40.0)
}

fn country(line: &str) -> Option<Country> {
    let mut parts = line.split('\t');
    let (code, name, dialling, domain) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let list = |text: &str, read: &dyn Fn(&str) -> String| {
        let mut found: Vec<String> = text.split([',', ' ']).map(read).filter(|part| !part.is_empty()).collect();
        found.dedup();
        found
    };
    Some(Country {
        code: code.to_owned(),
        name: name.to_owned(),
        dialling: list(&dialling.replace(" and ", ","), &|part| part.chars().filter(char::is_ascii_digit).collect()),
        domain: domain.to_owned(),
        languages: list(parts.next()?, &|part| part.split('-').next().unwrap_or_default().to_owned()),
    })
}
