//! OpenStreetMap by the Overpass API: tattoo shops as nodes, ways and relations. What it says is under the Open Database
//! License: © OpenStreetMap contributors, to be said where it shows.

use crate::discover::cells::{self, CallError, CellSearch, Page, told};
use crate::domain::grid::Rectangle;
use crate::domain::place::{Coordinates, Place, country_code};
use crate::domain::studio::{FoundStudio, Terms};
use crate::domain::text::clean_line;
use crate::scrape::http::api::{ApiAnswer, ApiClient};
use crate::scrape::{FetchError, Limit};
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

/// The source's name.
pub const NAME: &str = "openstreetmap";

/// Tags of what is looked for.
const WANTED: [(&str, &str); 2] = [("shop", "tattoo"), ("craft", "tattoo")];

/// Longest name of a city, characters.
const CITY_MAX_CHARS: usize = 100;

/// How a server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverpassSettings {
    /// Where the interpreter is.
    pub url: Url,
    /// How long the server may work on a query, seconds.
    pub query_s: u64,
    /// Elements of an answer at most; as many mean that there may be more.
    pub elements_max: usize,
}

/// The search.
#[derive(Debug)]
pub struct Overpass {
    client: ApiClient,
    settings: OverpassSettings,
}

impl Overpass {
    /// Searches at the server that `settings` name.
    pub fn new(client: ApiClient, settings: OverpassSettings) -> Self {
        Self { client, settings }
    }

    fn query(&self, cell: &Rectangle) -> String {
        let Rectangle { south, west, north, east } = cell;
        let wanted: String = WANTED.iter().map(|(key, value)| format!("nwr[\"{key}\"=\"{value}\"];")).collect();
        let OverpassSettings { query_s, elements_max, .. } = &self.settings;
        // `center`: a way or a relation is told with one point.
        format!("[out:json][timeout:{query_s}][bbox:{south},{west},{north},{east}];({wanted});out tags center {elements_max};")
    }

    fn error(answer: &ApiAnswer) -> CallError {
        // Its errors are pages for people; what matters stands in the first lines of text.
        let text = without_tags(&String::from_utf8_lossy(&answer.body));
        let why = format!("Overpass answered {}: {}", answer.status, told(&text));
        match answer.status {
            401 | 403 | 404 => CallError::Refused { why: format!("{why}; check overpass.url, and whether its operator lets you ask") },
            408 | 429 | 500..=599 => CallError::Unavailable { why, retry_after: answer.retry_after },
            _ => CallError::Useless { why },
        }
    }
}

/// The text of a page for people, roughly: enough for a log line.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars().take(4_000) {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text
}

#[derive(Debug, Deserialize)]
struct Answer {
    elements: Vec<Value>,
    #[serde(default)]
    remark: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Element {
    #[serde(rename = "type")]
    kind: Kind,
    id: u64,
    lat: Option<f64>,
    lon: Option<f64>,
    center: Option<Point>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Node,
    Way,
    Relation,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Way => "way",
            Self::Relation => "relation",
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Point {
    lat: f64,
    lon: f64,
}

/// An element as a studio.
///
/// # Errors
/// Why it cannot be used.
fn studio(value: Value) -> Result<FoundStudio, String> {
    let element: Element = cells::object(value).map_err(|why| format!("no element: {why}"))?;
    let id = format!("osm:{}/{}", element.kind.as_str(), element.id);
    let tag = |keys: &[&str]| keys.iter().find_map(|key| element.tags.get(*key)).map(String::as_str);
    let unusable = |what: &str| format!("{id}: {what}");
    if !WANTED.iter().any(|(key, value)| tag(&[key]) == Some(value)) {
        return Err(unusable("no tattoo shop"));
    }
    let name = cells::name(tag(&["name", "brand", "operator"])).ok_or_else(|| unusable("without a name"))?;
    let own = element.lat.zip(element.lon).map(|(lat, lon)| Point { lat, lon });
    let at = own.or(element.center).ok_or_else(|| unusable("without a point"))?;
    let coordinates = Coordinates::new(at.lat, at.lon).ok_or_else(|| unusable("not on the earth"))?;
    let city = tag(&["addr:city"]).map(|city| clean_line(city, CITY_MAX_CHARS)).filter(|city| !city.is_empty());
    Ok(FoundStudio {
        name,
        website: cells::website(tag(&["website", "contact:website", "url"])).unwrap_or_default(),
        place: Place { country: tag(&["addr:country"]).and_then(country_code), region: None, city, coordinates: Some(coordinates) },
        place_text: None,
        phone: cells::phone(tag(&["phone", "contact:phone"])),
        place_id: Some(id),
        source: NAME.to_owned(),
        terms: Terms::Odbl,
    })
}

#[async_trait]
impl CellSearch for Overpass {
    fn name(&self) -> &'static str {
        NAME
    }

    fn question(&self) -> String {
        format!("{WANTED:?}")
    }

    fn pages_max(&self) -> usize {
        1
    }

    async fn page(&self, cell: &Rectangle, _token: Option<&str>) -> Result<Page, CallError> {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("data", &self.query(cell)).finish();
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))];
        let asked = self.client.post(&self.settings.url, HeaderMap::from_iter(headers), form).await;
        let answer = match asked {
            Ok(answer) => answer,
            // More than may be taken in is more than fits: its quarters are smaller.
            Err(FetchError::OverLimit { limit: Limit::WireBytes | Limit::DecodedBytes, .. }) => {
                return Ok(Page { full: true, unusable: vec!["an answer over overpass.answer_bytes".to_owned()], ..Page::default() });
            }
            Err(error) => return Err(cells::failed(NAME, &error)),
        };
        if answer.status != 200 {
            return Err(Self::error(&answer));
        }
        let read: Answer =
            cells::body(&answer.body).map_err(|why| CallError::Useless { why: format!("Overpass answered with no elements: {why}") })?;
        let remark = read.remark.unwrap_or_default();
        // With status 200 and what was found until then.
        let cut_off = remark.contains("timed out") || remark.contains("out of memory");
        if remark.contains("error") && !cut_off {
            return Err(CallError::Unavailable {
                why: format!("Overpass did not finish: {}", told(&remark)),
                retry_after: answer.retry_after,
            });
        }
        let mut page = Page { full: cut_off || read.elements.len() >= self.settings.elements_max, ..Page::default() };
        for element in read.elements.into_iter().take(self.settings.elements_max) {
            match studio(element) {
                Ok(studio) => page.studios.push(studio),
                Err(why) => page.unusable.push(why),
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nodes_ways_and_relations_are_studios() {
        let tags = json!({
            "shop": "tattoo", "name": "Quiet Needle", "website": "quiet.example", "phone": "+44 20 7946 0001",
            "addr:city": "London", "addr:country": "GB",
        });
        let node = studio(json!({ "type": "node", "id": 7, "lat": 51.5, "lon": -0.1, "tags": tags })).unwrap();
        assert_eq!((node.name.as_str(), node.place_id.as_deref(), node.terms), ("Quiet Needle", Some("osm:node/7"), Terms::Odbl));
        assert_eq!(node.website.as_ref().map(Url::as_str), Some("https://quiet.example/"));
        assert_eq!((node.place.city.as_deref(), node.place.country.as_deref()), (Some("London"), Some("GB")));
        for kind in ["way", "relation"] {
            let tags = json!({ "craft": "tattoo", "name": "Quiet Needle" });
            let found = studio(json!({ "type": kind, "id": 8, "center": { "lat": 51.5, "lon": -0.1 }, "tags": tags })).unwrap();
            assert_eq!((found.place_id, found.place.coordinates), (Some(format!("osm:{kind}/8")), node.place.coordinates));
        }
    }

    #[test]
    fn what_is_no_studio_is_told() {
        let tags = json!({ "shop": "tattoo", "name": "Quiet Needle" });
        for element in [
            json!({ "type": "node", "id": 7, "lat": 51.5, "lon": -0.1, "tags": { "shop": "bakery", "name": "Crumb" } }),
            json!({ "type": "node", "id": 7, "lat": 51.5, "lon": -0.1, "tags": { "shop": "tattoo" } }),
            json!({ "type": "node", "id": 7, "lat": 151.5, "lon": -0.1, "tags": tags }),
            json!({ "type": "node", "id": 7, "lat": 51.5, "tags": tags }),
            json!({ "type": "area", "id": 7, "lat": 51.5, "lon": -0.1, "tags": tags }),
            json!({ "type": "node", "id": -7, "lat": 51.5, "lon": -0.1, "tags": tags }),
            json!("node"),
        ] {
            assert!(studio(element.clone()).is_err(), "{element}");
        }
    }

    #[test]
    fn a_page_for_people_is_told_as_text() {
        let html = "<html><head><title>OSM3S</title></head><body>\n<p><strong>Error</strong>: rate_limited</p></body>";
        assert_eq!(told(&without_tags(html)), "OSM3S Error : rate_limited");
    }
}
