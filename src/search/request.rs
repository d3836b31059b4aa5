//! From what a person types to a [`SearchQuery`]: every parameter is checked and all problems are told at once.

use crate::domain::country;
use crate::domain::gazetteer::key_city;
use crate::domain::identity::normal_handle;
use crate::domain::place::Coordinates;
use crate::domain::text::{folded_name, tokens};
use crate::search::plan::LIMIT_MAX;
use crate::search::token::PageTokens;
use crate::search::{Near, SearchQuery};
use serde::Serialize;
use std::fmt;
use strsim::jaro_winkler;

/// Hits of a page unless somebody asks for another number.
pub const LIMIT_DEFAULT: usize = 20;
/// Kilometres around a point unless somebody asks for another number.
pub const RADIUS_DEFAULT_KM: f64 = 25.0;
/// Kilometres around a point at most.
pub const RADIUS_MAX_KM: f64 = 500.0;
/// Longest text of a parameter, in characters.
pub const TEXT_MAX_CHARS: usize = 200;
/// Different words of a query at most.
pub const WORDS_MAX: usize = 16;
/// Styles of a query at most.
pub const STYLES_MAX: usize = 20;

/// How alike two style names must be, 0 to 1, for one to be offered instead of the other, and how many are.
const ALIKE: f64 = 0.84;
const OFFERED_MAX: usize = 3;

/// Words that people put around what they look for, which are part of no match as long as something else is said.
const FILLERS: &[&str] = &[
    "a",
    "and",
    "artist",
    "artists",
    "at",
    "by",
    "for",
    "from",
    "in",
    "near",
    "of",
    "the",
    "tattoo",
    "tattooer",
    "tattooers",
    "tattooing",
    "tattooist",
    "tattooists",
    "tattoos",
    "with",
];

/// The parameters as they came; blank ones count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Free text: a name, a studio, a style, a place.
    pub query: Option<String>,
    /// Styles by slug or alias; any of them.
    pub style: Vec<String>,
    /// `London`, `London, UK`, `Germany`, `de`.
    pub location: Option<String>,
    /// `51.5074,-0.1278`.
    pub near: Option<String>,
    /// Kilometres around `near`.
    pub radius_km: Option<String>,
    /// A handle, with or without `@`, or the address of a profile.
    pub instagram: Option<String>,
    /// From the page before.
    pub page_token: Option<String>,
    /// Hits of a page.
    pub limit: Option<String>,
}

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The parameter by name.
    pub parameter: String,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

/// Everything that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadRequest {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.problems.iter().map(|problem| format!("{}: {}", problem.parameter, problem.message)).collect();
        f.write_str(&texts.join("; "))
    }
}

/// The style vocabulary, as far as a request needs it.
#[derive(Clone, Copy)]
pub struct StyleNames<'a> {
    /// The slug of a style by its slug, name or alias.
    pub resolve: &'a dyn Fn(&str) -> Option<String>,
    /// Slugs to offer instead of one that is not known; may be empty.
    pub known: &'a [String],
}

impl SearchRequest {
    /// Sorts the pairs of a query string into parameters.
    ///
    /// # Errors
    /// [`BadRequest`] naming the parameters that do not exist or may not be repeated.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadRequest> {
        let mut request = Self::default();
        let mut problems = Problems::default();
        for (name, value) in pairs {
            let slot = match name.as_str() {
                "query" => &mut request.query,
                "location" => &mut request.location,
                "near" => &mut request.near,
                "radius_km" => &mut request.radius_km,
                "instagram" => &mut request.instagram,
                "page_token" => &mut request.page_token,
                "limit" => &mut request.limit,
                "style" => {
                    request.style.push(value);
                    continue;
                }
                _ => {
                    let names = "query, style, location, near, radius_km, instagram, page_token and limit";
                    problems.add(&name, format!("there is no such parameter; there are {names}"));
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                problems.add(&name, "it is given twice; give it once");
            }
        }
        problems.or(request)
    }

    /// The query that is meant.
    ///
    /// # Errors
    /// [`BadRequest`] with every problem. The page token is looked at when all else is in order, since it belongs to it.
    pub fn read(&self, styles: StyleNames<'_>, page_tokens: &PageTokens) -> Result<SearchQuery, BadRequest> {
        let mut problems = Problems::default();
        let mut query = SearchQuery { limit: self.read_limit(&mut problems), ..SearchQuery::default() };
        if let Some(text) = problems.text("query", self.query.as_deref()) {
            query.tokens = read_words(text, &mut problems);
        }
        query.styles = self.read_styles(styles, &mut problems);
        if let Some(text) = problems.text("location", self.location.as_deref()) {
            match read_location(text) {
                Some(location) => (query.country, query.city_key) = (location.country, location.city_key),
                None => problems.add("location", format!("`{text}` names no place; write a city, a country, or `city, country`")),
            }
        }
        query.near = self.read_near(&mut problems);
        if let Some(text) = problems.text("instagram", self.instagram.as_deref()) {
            query.instagram = normal_handle(handle_of(text));
            if query.instagram.is_none() {
                problems.add("instagram", format!("`{text}` is no Instagram handle; it has letters, digits, `.` and `_`, at most 30"));
            }
        }
        let mut query = problems.or(query)?;
        if let Some(token) = self.page_token.as_deref().map(str::trim).filter(|token| !token.is_empty()) {
            query.after = match page_tokens.read(token, &query) {
                Ok(mark) => Some(mark),
                Err(error) => return Problems::one("page_token", error.to_string()),
            };
        }
        Ok(query)
    }

    fn read_limit(&self, problems: &mut Problems) -> usize {
        let Some(text) = problems.text("limit", self.limit.as_deref()) else { return LIMIT_DEFAULT };
        match text.parse() {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => limit,
            _ => {
                problems.add("limit", format!("`{text}` is no whole number from 1 to {LIMIT_MAX}"));
                LIMIT_DEFAULT
            }
        }
    }

    fn read_styles(&self, styles: StyleNames<'_>, problems: &mut Problems) -> Vec<String> {
        if self.style.len() > STYLES_MAX {
            problems.add("style", format!("{} styles are too many; give at most {STYLES_MAX}", self.style.len()));
            return Vec::new();
        }
        let mut slugs = Vec::new();
        for name in &self.style {
            let Some(name) = problems.text("style", Some(name)) else { continue };
            match (styles.resolve)(name) {
                Some(slug) => slugs.push(slug),
                None => problems.add("style", unknown_style(name, styles.known)),
            }
        }
        // In one order, so that a page token does not depend on the order in which styles were picked.
        slugs.sort();
        slugs.dedup();
        slugs
    }

    fn read_near(&self, problems: &mut Problems) -> Option<Near> {
        let near = problems.text("near", self.near.as_deref());
        let radius = problems.text("radius_km", self.radius_km.as_deref());
        let radius_km = match radius.map(str::parse) {
            None => RADIUS_DEFAULT_KM,
            Some(Ok(radius_km)) if radius_km > 0.0 && radius_km <= RADIUS_MAX_KM => radius_km,
            Some(_) => {
                problems.add("radius_km", format!("`{}` is no number above 0 and up to {RADIUS_MAX_KM}", radius.unwrap_or_default()));
                RADIUS_DEFAULT_KM
            }
        };
        let Some(near) = near else {
            if radius.is_some() {
                problems.add("radius_km", "it needs `near`, the point it is around");
            }
            return None;
        };
        let centre = read_point(near);
        if centre.is_none() {
            let form = "write `latitude,longitude` in degrees, -90 to 90 and -180 to 180, as `51.5074,-0.1278`";
            problems.add("near", format!("`{near}` is no point on the earth; {form}"));
        }
        centre.map(|centre| Near { centre, radius_km })
    }
}

/// Problems as they are found.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, parameter: &str, message: impl Into<String>) {
        self.0.push(Problem { parameter: parameter.to_owned(), message: message.into() });
    }

    fn one<T>(parameter: &str, message: String) -> Result<T, BadRequest> {
        Err(BadRequest { problems: vec![Problem { parameter: parameter.to_owned(), message }] })
    }

    /// A parameter's text; none if it is blank, or too long, which is a problem.
    fn text<'a>(&mut self, parameter: &str, text: Option<&'a str>) -> Option<&'a str> {
        let text = text?.trim();
        if text.chars().nth(TEXT_MAX_CHARS).is_some() {
            self.add(parameter, format!("it is longer than {TEXT_MAX_CHARS} characters"));
            return None;
        }
        (!text.is_empty()).then_some(text)
    }

    fn or<T>(self, value: T) -> Result<T, BadRequest> {
        if self.0.is_empty() { Ok(value) } else { Err(BadRequest { problems: self.0 }) }
    }
}

/// The words to look for. Fillers go if anything else is said; a style's name stays a word, since text holds it.
fn read_words(text: &str, problems: &mut Problems) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in tokens(text) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.iter().any(|word| !FILLERS.contains(&word.as_str())) {
        words.retain(|word| !FILLERS.contains(&word.as_str()));
    }
    if words.is_empty() {
        problems.add("query", "it has no letters and no digits");
    }
    if words.len() > WORDS_MAX {
        problems.add("query", format!("{} different words are too many; give at most {WORDS_MAX}", words.len()));
    }
    words
}

fn unknown_style(name: &str, known: &[String]) -> String {
    let asked = folded_name(name);
    let mut alike: Vec<(f64, &String)> = known.iter().map(|slug| (jaro_winkler(&asked, &folded_name(slug)), slug)).collect();
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    let offered: Vec<&str> = alike.iter().take(OFFERED_MAX).map(|(_, slug)| slug.as_str()).collect();
    match offered.split_last() {
        None => format!("`{name}` is no style that we know"),
        Some((only, [])) => format!("`{name}` is no style that we know; did you mean {only}?"),
        Some((last, others)) => format!("`{name}` is no style that we know; did you mean {} or {last}?", others.join(", ")),
    }
}

fn read_point(text: &str) -> Option<Coordinates> {
    let (lat, lon) = text.split_once(',')?;
    Coordinates::new(lat.trim().parse().ok()?, lon.trim().parse().ok()?)
}

/// The handle in the address of a profile, or the text itself.
fn handle_of(text: &str) -> &str {
    let bare = text.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    match bare.strip_prefix("instagram.com/") {
        Some(path) => path.split(['/', '?', '#']).next().unwrap_or_default(),
        None => text,
    }
}

/// A place as an index knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// As in keys: `SAO-PAULO`.
    pub city_key: Option<String>,
}

/// The place that a text names; `None` if it names none.
///
/// A text that is a country means the country. Otherwise what follows the last comma is the country, if it is one and not
/// also a state ("San Francisco, CA" is not in Canada), and the first part is the city. Without a comma only `UK` and `USA`
/// are taken off the end: other countries end names of cities ("Ciudad de México").
pub fn read_location(text: &str) -> Option<Location> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let (first, last) = (*parts.first()?, *parts.last()?);
    if parts.len() == 1 {
        if let Some(code) = country::find(first) {
            return Some(Location { country: Some(code), city_key: None });
        }
        let (city, country) = match first.rsplit_once(char::is_whitespace) {
            Some((city, end)) if matches!(folded_name(end).as_str(), "uk" | "usa") => (city, country::find(end)),
            _ => (first, None),
        };
        return Some(Location { country, city_key: Some(key_city(city)?) });
    }
    let country = if country::may_be_a_state(last) { None } else { country::find(last) };
    if country.is_some() && country::is_part(first) {
        return Some(Location { country, city_key: None });
    }
    Some(Location { country, city_key: Some(key_city(first)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ArtistId;
    use crate::search::PageMark;
    use proptest::prelude::*;

    fn resolve(name: &str) -> Option<String> {
        match folded_name(name).as_str() {
            "traditional" | "old school" => Some("traditional".to_owned()),
            "fine line" | "fineline" => Some("fine-line".to_owned()),
            _ => None,
        }
    }

    fn read(request: &SearchRequest) -> Result<SearchQuery, BadRequest> {
        let known = ["traditional", "neo-traditional", "fine-line", "japanese"].map(str::to_owned);
        request.read(StyleNames { resolve: &resolve, known: &known }, &PageTokens::new([1; 32]))
    }

    fn request(query_string: &[(&str, &str)]) -> SearchRequest {
        let pairs = query_string.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SearchRequest::from_pairs(pairs).expect("known parameters")
    }

    fn problems(query_string: &[(&str, &str)]) -> Vec<String> {
        match read(&request(query_string)) {
            Ok(query) => panic!("no problem in {query:?}"),
            Err(bad) => bad.problems.into_iter().map(|problem| problem.parameter).collect(),
        }
    }

    #[test]
    fn everything_that_can_be_said() {
        let query = read(&request(&[
            ("query", "  Ána  LIMA ana"),
            ("style", "Old School"),
            ("style", "fineline"),
            ("style", "traditional"),
            ("location", "São Paulo, Brazil"),
            ("near", "-23.55, -46.63"),
            ("radius_km", "12.5"),
            ("instagram", "https://www.instagram.com/Ana.Inks/?hl=en"),
            ("limit", "50"),
        ]))
        .expect("a good request");
        let expected = SearchQuery {
            tokens: vec!["ana".to_owned(), "lima".to_owned()],
            styles: vec!["fine-line".to_owned(), "traditional".to_owned()],
            country: Some("BR".to_owned()),
            city_key: Some("SAO-PAULO".to_owned()),
            near: Some(Near { centre: Coordinates { lat: -23.55, lon: -46.63 }, radius_km: 12.5 }),
            instagram: Some("ana.inks".to_owned()),
            limit: 50,
            after: None,
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn nothing_and_blanks_mean_everybody() {
        let nothing = SearchQuery { limit: LIMIT_DEFAULT, ..SearchQuery::default() };
        assert_eq!(read(&SearchRequest::default()), Ok(nothing.clone()));
        let blanks = ["query", "style", "location", "near", "radius_km", "instagram", "page_token", "limit"].map(|name| (name, " "));
        assert_eq!(read(&request(&blanks)), Ok(nothing));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let bad = [
            ("query", "!?"),
            ("style", "tradtional"),
            ("location", "???"),
            ("near", "91,0"),
            ("radius_km", "501"),
            ("instagram", "not a handle"),
            ("limit", "0"),
        ];
        let mut told = problems(&bad);
        told.sort();
        assert_eq!(told, ["instagram", "limit", "location", "near", "query", "radius_km", "style"]);
    }

    #[test]
    fn numbers_have_bounds() {
        for limit in ["0", "51", "-1", "ten", "1.5"] {
            assert_eq!(problems(&[("limit", limit)]), ["limit"], "{limit}");
        }
        for near in ["51.5", "51.5;0", "90.1,0", "0,180.1", "NaN,0", "a,b", "1,2,3"] {
            assert_eq!(problems(&[("near", near)]), ["near"], "{near}");
        }
        for radius in ["0", "-5", "500.1", "NaN", "inf", "far"] {
            assert_eq!(problems(&[("near", "0,0"), ("radius_km", radius)]), ["radius_km"], "{radius}");
        }
        assert_eq!(problems(&[("radius_km", "5")]), ["radius_km"], "a radius around nothing");
        let longest = "x".repeat(TEXT_MAX_CHARS);
        assert!(read(&request(&[("query", &longest)])).is_ok());
        assert_eq!(problems(&[("query", &format!("{longest}x"))]), ["query"]);
        let wordy: Vec<String> = (0..=WORDS_MAX).map(|n| format!("w{n}")).collect();
        assert_eq!(problems(&[("query", &wordy.join(" "))]), ["query"]);
        assert!(read(&request(&[("query", &wordy[1..].join(" "))])).is_ok());
        assert_eq!(problems(&[("style", "traditional"); STYLES_MAX + 1]), ["style"]);
    }

    #[test]
    fn unknown_and_repeated_parameters_are_told() {
        let pairs = [("qurey", "a"), ("limit", "1"), ("limit", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told = SearchRequest::from_pairs(pairs).expect_err("two problems");
        assert_eq!(told.problems.iter().map(|problem| problem.parameter.as_str()).collect::<Vec<_>>(), ["qurey", "limit"]);
    }

    #[test]
    fn an_unknown_style_names_those_that_are_alike() {
        let told = read(&request(&[("style", "tradtional")])).expect_err("no such style").to_string();
        assert_eq!(told, "style: `tradtional` is no style that we know; did you mean traditional?");
        let told = read(&request(&[("style", "zzz")])).expect_err("no such style").to_string();
        assert_eq!(told, "style: `zzz` is no style that we know");
    }

    #[test]
    fn fillers_go_unless_they_are_all_there_is() {
        let words = |text: &str| read(&request(&[("query", text)])).expect("a good request").tokens;
        assert_eq!(words("tattoo artists in London"), ["london"]);
        assert_eq!(words("traditional london"), ["traditional", "london"]);
        assert_eq!(words("The Tattoo"), ["the", "tattoo"]);
    }

    #[test]
    fn locations_as_people_type_them() {
        for (typed, country, city_key) in [
            ("London", None, Some("LONDON")),
            ("London, UK", Some("GB"), Some("LONDON")),
            ("london uk", Some("GB"), Some("LONDON")),
            ("London, England, UK", Some("GB"), Some("LONDON")),
            ("London, Ontario", None, Some("LONDON")),
            ("London, Ontario, Canada", Some("CA"), Some("LONDON")),
            ("UK", Some("GB"), None),
            ("Scotland, UK", Some("GB"), None),
            ("Germany", Some("DE"), None),
            ("de", Some("DE"), None),
            ("São Paulo, Brazil", Some("BR"), Some("SAO-PAULO")),
            ("sao paulo, Brasil", Some("BR"), Some("SAO-PAULO")),
            ("Ciudad de México", None, Some("MEXICO-CITY")),
            ("San Francisco, CA", None, Some("SAN-FRANCISCO")),
            ("Atlanta, Georgia", None, Some("ATLANTA")),
            ("Georgia", Some("GE"), None),
            ("Wien, Österreich", Some("AT"), Some("VIENNA")),
            ("Vienna", None, Some("VIENNA")),
            (" , Paris ,", None, Some("PARIS")),
        ] {
            let expected = Location { country: country.map(str::to_owned), city_key: city_key.map(str::to_owned) };
            assert_eq!(read_location(typed), Some(expected), "{typed}");
        }
        for typed in ["", ",", "???", "?, UK"] {
            assert_eq!(read_location(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_page_token_goes_with_its_request() {
        let asked = request(&[("query", "ana"), ("limit", "5")]);
        let query = read(&asked).expect("a good request");
        let mark = PageMark { rank: 42, artist_id: ArtistId::new("artist-1") };
        let token = PageTokens::new([1; 32]).issue(&query, &mark);
        let next = SearchRequest { page_token: Some(token.clone()), ..asked };
        assert_eq!(read(&next).expect("its own token").after, Some(mark));
        assert_eq!(problems(&[("query", "bob"), ("page_token", &token)]), ["page_token"]);
        assert_eq!(problems(&[("query", "ana"), ("page_token", "x")]), ["page_token"]);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_query_in_bounds_or_a_problem(
            query in ".{0,60}", style in ".{0,10}", location in ".{0,30}", near in "[0-9.,\\- ]{0,12}", limit in "[0-9]{0,3}",
        ) {
            let asked = request(&[("query", &query), ("style", &style), ("location", &location), ("near", &near), ("limit", &limit)]);
            match read(&asked) {
                Ok(query) => {
                    prop_assert!((1..=LIMIT_MAX).contains(&query.limit));
                    prop_assert!(query.tokens.len() <= WORDS_MAX && query.tokens.iter().all(|word| !word.is_empty()));
                    prop_assert!(query.near.is_none_or(|near| near.radius_km > 0.0));
                }
                Err(bad) => prop_assert!(!bad.problems.is_empty()),
            }
        }
    }
}
