//! Configuration of discovery: files of studios, areas, and the services that are asked for them.

use crate::config::section::section;
use crate::config::{Config, Problem};
use crate::discover::grid::Area;
use crate::discover::{overpass, places};
use crate::domain::grid::Rectangle;
use crate::domain::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use url::Url;

/// Longest name of an area.
const AREA_NAME_MAX: usize = 40;

/// A rectangle in which services are asked for studios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaConfig {
    /// Its name in reports: lower case letters, digits and hyphens.
    pub name: String,
    /// Its southern edge, degrees.
    pub south: f64,
    /// Its western edge, degrees.
    pub west: f64,
    /// Its northern edge, degrees.
    pub north: f64,
    /// Its eastern edge, degrees.
    pub east: f64,
}

impl AreaConfig {
    /// The area, if its name and its edges are ones.
    pub fn area(&self) -> Option<Area> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let named = !self.name.is_empty() && self.name.len() <= AREA_NAME_MAX && self.name.bytes().all(plain);
        let rectangle = Rectangle::new(self.south, self.west, self.north, self.east)?;
        named.then(|| Area { name: self.name.clone(), rectangle })
    }
}

/// Whether areas can be used, and none is named twice.
fn are_areas(areas: &[AreaConfig]) -> bool {
    let names: BTreeSet<&str> = areas.iter().map(|area| area.name.as_str()).collect();
    names.len() == areas.len() && areas.iter().all(|area| area.area().is_some())
}

/// Whether each is a service that is known, named once.
fn are_services(names: &[String]) -> bool {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    known.len() == names.len() && known.iter().all(|name| matches!(*name, places::NAME | overpass::NAME))
}

/// Whether a text is the address of an API that a key may be sent to.
fn is_https(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.query().is_none())
}

section! {
    /// Sources of studios. Findings of several sources that mean one studio become one, with the reason.
    DiscoveryConfig in "discovery" {
        /// Studio files (YAML, JSON or CSV): name, website, place, optional lat, lon, place_id.
        studio_files: Vec<PathBuf> = Vec::new();
        /// Refuse a studio file with any bad entry instead of going on with the good ones.
        strict: bool = false;
        /// Services that are asked for studios, any of `google_places` (needs places.key) and `openstreetmap`. Empty: none.
        services: Vec<String> = Vec::new(), |names| are_services(names) => "`google_places` or `openstreetmap`, each once";
        /// Where they are asked, as `[{ name = "london", south = 51.28, west = -0.51, north = 51.69, east = 0.33 }]` in degrees.
        /// An area is divided while an answer is cut off, and may be a whole country.
        areas: Vec<AreaConfig> = Vec::new(), |areas| are_areas(areas)
            => "names of lower case letters, digits and hyphens, each once, with south below north and west before east";
    }
}

section! {
    /// Google Places API (New), the service `google_places`. Of what it says only place ids are kept for good, coordinates for
    /// 30 days; names and sites for the run only. Its calls cost money: mind the budgets here and set quotas at Google as well.
    PlacesConfig in "places" {
        /// Where the API is.
        url: String = "https://places.googleapis.com".to_owned(), |url| is_https(url) => "an https address without user name and query";
        /// The key. It is sent there and nowhere else. May be written as `env:NAME` or `file:PATH`.
        key: Secret = Secret::default();
        /// What is searched for.
        query: String = "tattoo studio".to_owned(), |query| (1..=200).contains(&query.trim().len()) => "1 to 200 bytes";
        /// The language of names, BCP 47.
        language: String = "en".to_owned();
        /// Calls in one run at most; what was not asked then is asked in the next. A call names up to 20 studios.
        calls_per_run: u64 = 1_000, |calls| (3..=1_000_000).contains(calls) => "3 to 1000000, as one cell may take 3";
        /// Calls in one day (UTC) at most, over all runs.
        calls_per_day: u64 = 1_000, |calls| (3..=1_000_000).contains(calls) => "3 to 1000000, as one cell may take 3";
        /// A cell whose answer is full is divided down to this width, metres; below it is reported as still full.
        cell_min_m: f64 = 100.0, |metres| (10.0..=100_000.0).contains(metres) => "10 to 100000";
        /// Milliseconds between two calls.
        spacing_ms: u64 = 100, |ms| *ms <= 60_000 => "0 to 60000";
        /// Milliseconds an answer may take.
        answer_ms: u64 = 10_000, |ms| (100..=60_000).contains(ms) => "100 to 60000";
        /// Bytes of an answer; a longer one is useless.
        answer_bytes: usize = 1_000_000, |bytes| (1_000..=100_000_000).contains(bytes) => "1000 to 100000000";
    }
}

section! {
    /// OpenStreetMap by an Overpass server, the service `openstreetmap`. Public servers are for small amounts: run one of your
    /// own for whole countries. What it says is © OpenStreetMap contributors, under the ODbL.
    OverpassConfig in "overpass" {
        /// The server's interpreter.
        url: String = "https://overpass-api.de/api/interpreter".to_owned(), |url| is_https(url) => "an https address without user name and query";
        /// Calls in one run at most; what was not asked then is asked in the next.
        calls_per_run: u64 = 200, |calls| (1..=1_000_000).contains(calls) => "1 to 1000000";
        /// Calls in one day (UTC) at most, over all runs.
        calls_per_day: u64 = 1_000, |calls| (1..=1_000_000).contains(calls) => "1 to 1000000";
        /// A cell whose answer is full is divided down to this width, metres; below it is reported as still full.
        cell_min_m: f64 = 1_000.0, |metres| (10.0..=100_000.0).contains(metres) => "10 to 100000";
        /// Elements of an answer; as many, or an answer cut off by time or size, mean that there are more.
        elements_max: usize = 2_000, |count| (1..=100_000).contains(count) => "1 to 100000";
        /// Seconds the server may work on one query.
        query_s: u64 = 60, |seconds| (1..=600).contains(seconds) => "1 to 600";
        /// Milliseconds between two calls.
        spacing_ms: u64 = 2_000, |ms| *ms <= 60_000 => "0 to 60000";
        /// Milliseconds an answer may take; more than query_s, as a query may wait for its turn.
        answer_ms: u64 = 90_000, |ms| (100..=600_000).contains(ms) => "100 to 600000";
        /// Bytes of an answer; more mean that there are more than fit.
        answer_bytes: usize = 10_000_000, |bytes| (1_000..=100_000_000).contains(bytes) => "1000 to 100000000";
    }
}

impl DiscoveryConfig {
    /// Whether a service is to be asked.
    pub fn asks(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }
}

/// Problems between what is asked for and what that needs.
pub(super) fn check_together(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |place: &str, what: String, hint: &str| {
        problems.push(Problem { place: place.to_owned(), what, hint: hint.to_owned() });
    };
    let discovery = &config.discovery;
    if discovery.asks(places::NAME) && config.places.key.is_empty() {
        let what = "discovery.services names `google_places`, which needs a key".to_owned();
        problem("places.key", what, "set places.key = \"env:PLACES_KEY\" or \"file:/path/to/key\", or take the service out");
    }
    if !discovery.services.is_empty() && discovery.areas.is_empty() {
        let what = format!("discovery.services names {}, and there is no area to ask them for", discovery.services.join(" and "));
        problem("discovery.areas", what, "set discovery.areas, `inkdex config default` shows how");
    }
    let times =
        [(places::NAME, "places.answer_ms", config.places.answer_ms), (overpass::NAME, "overpass.answer_ms", config.overpass.answer_ms)];
    for (service, place, answer_ms) in times {
        if discovery.asks(service) && config.workers.stall_ms <= answer_ms {
            let what = format!("a job is given up after {} ms, and one answer may take {answer_ms} ms", config.workers.stall_ms);
            problem(place, what, "set it below workers.stall_ms");
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigText};

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&[ConfigText { name: "c.toml".into(), text: text.into() }]).map_err(|error| error.to_string())
    }

    const AREA: &str = "areas = [{ name = \"london\", south = 51.2, west = -0.6, north = 51.7, east = 0.4 }]";

    #[test]
    fn no_service_is_asked_unless_it_is_named() {
        let config = read("[places]\nkey = \"hush\"\n").unwrap();
        assert!(config.discovery.services.is_empty());
        let config = read(&format!("[discovery]\nservices = [\"openstreetmap\"]\n{AREA}\n")).unwrap();
        assert!(config.discovery.asks("openstreetmap") && !config.discovery.asks("google_places"));
        assert_eq!(config.discovery.areas[0].area().unwrap().name, "london");
    }

    #[test]
    fn a_service_without_what_it_needs_names_the_key() {
        let error = read(&format!("[discovery]\nservices = [\"google_places\"]\n{AREA}\n")).unwrap_err();
        assert!(error.contains("places.key: discovery.services names `google_places`, which needs a key"), "{error}");
        let error = read("[discovery]\nservices = [\"openstreetmap\"]\n").unwrap_err();
        assert!(error.contains("discovery.areas: discovery.services names openstreetmap, and there is no area"), "{error}");
        let error = read(&format!("[discovery]\nservices = [\"openstreetmap\"]\n{AREA}\n[workers]\nstall_ms = 90000\n")).unwrap_err();
        assert!(error.contains("overpass.answer_ms: a job is given up after 90000 ms"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (text, told) in [
            ("[discovery]\nservices = [\"google\"]\n", "`google_places` or `openstreetmap`"),
            ("[discovery]\nservices = [\"openstreetmap\", \"openstreetmap\"]\n", "each once"),
            ("[discovery]\nareas = [{ name = \"a\", south = 2.0, west = 0.0, north = 1.0, east = 1.0 }]\n", "south below north"),
            ("[discovery]\nareas = [{ name = \"a/../b\", south = 0.0, west = 0.0, north = 1.0, east = 1.0 }]\n", "lower case letters"),
            ("[discovery]\nareas = [{ name = \"a\", south = 0.0, west = 0.0, north = 1.0 }]\n", "missing field `east`"),
            ("[places]\nurl = \"http://places.googleapis.com\"\n", "an https address"),
            ("[places]\nurl = \"https://me:hush@places.example\"\n", "an https address"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("google_places, google_places"));
        }
    }
}
