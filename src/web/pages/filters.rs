//! Links that change a search: what is looked for now, and the same search with one filter more or less.

use crate::domain::place::key_part;
use crate::extract::Styles;
use crate::search::request::SearchRequest;
use crate::search::{FacetCount, Facets, Hit, SearchQuery};
use crate::web::pages::words;
use std::collections::HashMap;

/// Values of a facet that are seen at once; the others are a click away.
const SEEN: usize = 9;

/// A search as parameters of an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    pub query: String,
    pub place: String,
    pub styles: Vec<String>,
    /// Parameters that pages have no field for: `near`, `radius_km`, `instagram`, `limit`.
    pub others: Vec<(&'static str, String)>,
}

impl Looked {
    /// What a request looks for; styles as slugs, as far as they are known.
    pub fn of(request: &SearchRequest, styles: &Styles) -> Self {
        let text = |value: &Option<String>| value.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let mut slugs: Vec<String> = Vec::new();
        for name in &request.style {
            let slug = styles.resolve(name).map_or_else(|| name.clone(), |style| style.slug.clone());
            if !slug.trim().is_empty() && !slugs.contains(&slug) {
                slugs.push(slug);
            }
        }
        let others =
            [("near", &request.near), ("radius_km", &request.radius_km), ("instagram", &request.instagram), ("limit", &request.limit)];
        let others = others.into_iter().map(|(name, value)| (name, text(value))).filter(|(_, value)| !value.is_empty()).collect();
        Self { query: text(&request.query), place: text(&request.location), styles: slugs, others }
    }

    /// Whether nothing is looked for in particular.
    pub fn is_everything(&self) -> bool {
        self.query.is_empty() && self.place.is_empty() && self.styles.is_empty() && self.others.iter().all(|(name, _)| *name == "limit")
    }

    /// The address of this search, of the page that `page_token` begins.
    pub fn href(&self, page_token: Option<&str>) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let texts = [("query", &self.query), ("location", &self.place)];
        pairs.extend_pairs(texts.into_iter().filter(|(_, value)| !value.is_empty()));
        pairs.extend_pairs(self.styles.iter().map(|slug| ("style", slug)));
        pairs.extend_pairs(self.others.iter().map(|(name, value)| (*name, value)));
        pairs.extend_pairs(page_token.map(|token| ("page_token", token)));
        let query = pairs.finish();
        if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
    }

    fn with_place(&self, place: String) -> Self {
        Self { place, ..self.clone() }
    }

    /// With a style if it is not there, without it if it is.
    pub fn toggled_style(&self, slug: &str) -> Self {
        let mut styles = self.styles.clone();
        match styles.iter().position(|held| held == slug) {
            Some(at) => drop(styles.remove(at)),
            None => styles.push(slug.to_owned()),
        }
        Self { styles, ..self.clone() }
    }

    /// What is looked for, piece by piece, each with the search without it.
    pub fn pieces(&self, styles: &Styles) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.query.is_empty() {
            pieces.push(Piece { label: format!("“{}”", self.query), href: Self { query: String::new(), ..self.clone() }.href(None) });
        }
        for slug in &self.styles {
            pieces.push(Piece { label: words::style_label(styles, slug), href: self.toggled_style(slug).href(None) });
        }
        if !self.place.is_empty() {
            pieces.push(Piece { label: self.place.clone(), href: self.with_place(String::new()).href(None) });
        }
        let around = self.others.iter().find(|(name, _)| *name == "near");
        if let Some((_, point)) = around {
            pieces.push(Piece { label: format!("near {point}"), href: self.without(&["near", "radius_km"]).href(None) });
        }
        if let Some((_, handle)) = self.others.iter().find(|(name, _)| *name == "instagram") {
            pieces.push(Piece { label: format!("@{}", handle.trim_start_matches('@')), href: self.without(&["instagram"]).href(None) });
        }
        pieces
    }

    fn without(&self, names: &[&str]) -> Self {
        let others = self.others.iter().filter(|(name, _)| !names.contains(name)).cloned().collect();
        Self { others, ..self.clone() }
    }
}

/// A part of what is looked for.
#[derive(Debug)]
pub struct Piece {
    pub label: String,
    /// The search without it.
    pub href: String,
}

/// One value of a filter.
#[derive(Debug)]
pub struct Choice {
    /// Unique on the page, so that the focus survives a change of the results.
    pub id: String,
    pub label: String,
    pub count: u64,
    pub href: String,
    pub is_chosen: bool,
    /// Classes of the coloured dot of a style.
    pub ink: Option<usize>,
}

/// A filter with its values.
#[derive(Debug)]
pub struct Filter {
    pub title: &'static str,
    pub seen: Vec<Choice>,
    pub more: Vec<Choice>,
}

impl Filter {
    /// Chosen values first, then as the index counts them; rare ones behind a click.
    fn of(title: &'static str, mut choices: Vec<Choice>) -> Self {
        choices.sort_by_key(|choice| !choice.is_chosen);
        let more = choices.split_off(choices.len().min(SEEN));
        Self { title, seen: choices, more }
    }

    /// Whether there is nothing to choose.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

/// The filters beside a search. Cities are named as the hits print them; those of none of them by their keys.
pub fn filters(looked: &Looked, query: &SearchQuery, facets: &Facets, hits: &[Hit], styles: &Styles) -> Vec<Filter> {
    let printed: HashMap<&str, &str> =
        hits.iter().filter_map(|hit| Some((hit.document.city_key.as_deref()?, hit.document.city.as_deref()?))).collect();
    let all = [
        Filter::of("Style", style_choices(looked, query, facets, styles)),
        Filter::of(
            "Country",
            place_choices("country", looked, query.country.as_deref(), query.city_key.is_none(), &facets.countries, |code| {
                (words::country_label(code), words::country_search(code))
            }),
        ),
        Filter::of(
            "City",
            place_choices("city", looked, query.city_key.as_deref(), true, &facets.cities, |key| {
                let city = printed.get(key).map_or_else(|| words::city_label(key), |city| (*city).to_owned());
                let search = words::city_search(&city, key, query.country.as_deref());
                (city, search)
            }),
        ),
    ];
    all.into_iter().filter(|filter| !filter.is_empty()).collect()
}

/// The values of a facet, and the one chosen even if nobody is left in it.
fn values<'a>(facet: &'a [FacetCount], chosen: impl Iterator<Item = &'a str>) -> Vec<(&'a str, u64)> {
    let mut values: Vec<(&str, u64)> = facet.iter().map(|value| (value.value.as_str(), value.count)).collect();
    for value in chosen {
        if !values.iter().any(|(known, _)| *known == value) {
            values.push((value, 0));
        }
    }
    values
}

fn style_choices(looked: &Looked, query: &SearchQuery, facets: &Facets, styles: &Styles) -> Vec<Choice> {
    values(&facets.styles, query.styles.iter().map(String::as_str))
        .into_iter()
        .map(|(slug, count)| Choice {
            id: format!("style-{slug}"),
            label: words::style_label(styles, slug),
            count,
            href: looked.toggled_style(slug).href(None),
            is_chosen: query.styles.iter().any(|held| held == slug),
            ink: Some(words::ink(styles, slug)),
        })
        .collect()
}

/// Choosing the chosen place again leaves it, unless a narrower one is chosen: then it widens to it.
fn place_choices(
    kind: &str,
    looked: &Looked,
    chosen: Option<&str>,
    is_narrowest: bool,
    facet: &[FacetCount],
    texts: impl Fn(&str) -> (String, String),
) -> Vec<Choice> {
    values(facet, chosen.into_iter())
        .into_iter()
        .map(|(value, count)| {
            let is_chosen = chosen == Some(value);
            let (label, search) = texts(value);
            let place = match (is_chosen, is_narrowest, kind) {
                (true, true, "city") => widened(&looked.place),
                (true, true, _) => String::new(),
                _ => search,
            };
            let id = format!("{kind}-{}", key_part(value).unwrap_or_default().to_lowercase());
            Choice { id, label, count, href: looked.with_place(place).href(None), is_chosen, ink: None }
        })
        .collect()
}

/// The place without its city.
fn widened(place: &str) -> String {
    place.rsplit_once(',').map(|(_, country)| country.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked() -> Looked {
        Looked {
            query: "ana & co".to_owned(),
            place: "Berlin, Germany".to_owned(),
            styles: vec!["fine-line".to_owned()],
            others: vec![("limit", "10".to_owned())],
        }
    }

    #[test]
    fn addresses_say_what_is_looked_for() {
        let text = "/?query=ana+%26+co&location=Berlin%2C+Germany&style=fine-line&limit=10";
        assert_eq!(looked().href(None), text);
        assert_eq!(looked().href(Some("abc")), format!("{text}&page_token=abc"));
        assert_eq!(Looked::default().href(None), "/");
        let pairs = url::form_urlencoded::parse(&text.as_bytes()[2..]).into_owned();
        let request = SearchRequest::from_pairs(pairs).unwrap();
        assert_eq!(Looked::of(&request, &Styles::standard()), looked());
    }

    #[test]
    fn a_chosen_filter_is_left_by_choosing_it_again() {
        let facet = |value: &str| vec![FacetCount { value: value.to_owned(), count: 3 }];
        let facets = Facets { styles: facet("fine-line"), countries: facet("DE"), cities: facet("BERLIN") };
        let query = SearchQuery {
            styles: vec!["fine-line".to_owned()],
            country: Some("DE".to_owned()),
            city_key: Some("BERLIN".to_owned()),
            ..SearchQuery::default()
        };
        let links: Vec<String> =
            filters(&looked(), &query, &facets, &[], &Styles::standard()).iter().map(|filter| filter.seen[0].href.clone()).collect();
        assert_eq!(
            links,
            [
                "/?query=ana+%26+co&location=Berlin%2C+Germany&limit=10",
                "/?query=ana+%26+co&location=Germany&style=fine-line&limit=10",
                "/?query=ana+%26+co&location=Germany&style=fine-line&limit=10",
            ]
        );
    }

    /// Nobody is stuck with a filter that leaves nobody.
    #[test]
    fn a_filter_without_hits_can_be_left() {
        let query = SearchQuery { styles: vec!["fine-line".to_owned()], ..SearchQuery::default() };
        let filters = filters(&looked(), &query, &Facets::default(), &[], &Styles::standard());
        assert_eq!((filters[0].seen[0].count, filters[0].seen[0].is_chosen), (0, true));
    }
}
