//! How pages say things: names of countries and cities, ages, monograms, and the colour of a style.

use crate::domain::country;
use crate::domain::facts::{Confirmer, Evidence};
use crate::domain::gazetteer::key_city;
use crate::domain::place::Basis;
use crate::extract::Styles;
use crate::search::request::read_location;
use std::time::Duration;
use url::Url;

/// Hues of the style sheet: `ink-0` to `ink-17`, `wash-0` to `wash-17`.
const INKS: usize = 18;
/// The colour of styles that live without colour.
const BLACK_INK: usize = INKS;
/// Neighbours in the vocabulary are this many colours apart; it has no factor in common with [`INKS`].
const INK_STEP: usize = 5;

/// Countries whose official name is not what people call them.
const COUNTRY_LABELS: &[(&str, &str)] = &[
    ("BN", "Brunei"),
    ("BO", "Bolivia"),
    ("CD", "DR Congo"),
    ("FM", "Micronesia"),
    ("GB", "United Kingdom"),
    ("IR", "Iran"),
    ("KP", "North Korea"),
    ("KR", "South Korea"),
    ("LA", "Laos"),
    ("MD", "Moldova"),
    ("PS", "Palestine"),
    ("RU", "Russia"),
    ("SY", "Syria"),
    ("TW", "Taiwan"),
    ("TZ", "Tanzania"),
    ("US", "United States"),
    ("VA", "Vatican City"),
    ("VE", "Venezuela"),
    ("VN", "Vietnam"),
];

/// A country by its code, as people call it.
pub fn country_label(code: &str) -> String {
    if let Some((_, label)) = COUNTRY_LABELS.iter().find(|(known, _)| *known == code) {
        return (*label).to_owned();
    }
    let official = country::names(code).next().unwrap_or(code);
    official.split(" (").next().unwrap_or(official).to_owned()
}

/// A city by its key: `SAO-PAULO` is `Sao Paulo`.
pub fn city_label(key: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_string() + &letters.as_str().to_lowercase()).unwrap_or_default()
    };
    key.split('-').map(capital).collect::<Vec<_>>().join(" ")
}

/// What to write into the place field for a country, so that it is understood again.
pub fn country_search(code: &str) -> String {
    let label = country_label(code);
    let is_understood = read_location(&label).is_some_and(|place| place.country.as_deref() == Some(code) && place.city_key.is_none());
    if is_understood { label } else { code.to_owned() }
}

/// What to write into the place field for a city by its name and key, in a country if one is known.
pub fn city_search(city: &str, key: &str, code: Option<&str>) -> String {
    let city = city.to_owned();
    let Some(code) = code else { return city };
    let understood = |text: &String| {
        read_location(text).is_some_and(|place| place.country.as_deref() == Some(code) && place.city_key.as_deref() == Some(key))
    };
    [format!("{city}, {}", country_label(code)), format!("{city}, {code}")].into_iter().find(understood).unwrap_or(city)
}

/// A printed city as its key.
pub fn city_key(city: &str) -> Option<String> {
    key_city(city)
}

/// At most two letters that stand for a name.
pub fn monogram(name: &str) -> String {
    let mut initials = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = initials.next();
    let last = initials.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).take(3).collect()
}

/// The colour of a style, 0 to 18: by its place in the vocabulary, so that two styles that stand together differ.
pub fn ink(styles: &Styles, slug: &str) -> usize {
    if slug.contains("black") {
        return BLACK_INK;
    }
    let place = styles.all().iter().position(|style| style.slug == slug).unwrap_or(0);
    place * INK_STEP % INKS
}

/// The classes of a monogram in the colours of its styles.
pub fn monogram_class(styles: &Styles, slugs: &[String]) -> String {
    match slugs {
        [] => "ink-none".to_owned(),
        [only] => format!("ink-{0} wash-{0}", ink(styles, only)),
        [first, second, ..] => format!("ink-{} wash-{}", ink(styles, first), ink(styles, second)),
    }
}

/// The shown name of a style.
pub fn style_label(styles: &Styles, slug: &str) -> String {
    styles.all().iter().find(|style| style.slug == slug).map_or_else(|| slug.replace('-', " "), |style| style.name.clone())
}

/// How long ago something was, in its largest unit.
pub fn age(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = age.as_secs();
    let (count, unit) = match seconds {
        0..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ if seconds < 60 * DAY => (seconds / DAY, "day"),
        _ if seconds < 730 * DAY => (seconds / (30 * DAY), "month"),
        _ => (seconds / (365 * DAY), "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// A number with its noun.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { one } else { many })
}

/// An address that may stand in a link: http or https.
pub fn link(url: &Url) -> Option<String> {
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// An address as people read it: without scheme, `www.`, query and a slash at the end, cut to fit.
pub fn shown(url: &Url) -> String {
    const SHOWN_MAX: usize = 56;
    let host = url.host_str().unwrap_or_default();
    let text = format!("{}{}", host.strip_prefix("www.").unwrap_or(host), url.path().trim_end_matches('/'));
    if text.chars().nth(SHOWN_MAX).is_none() { text } else { text.chars().take(SHOWN_MAX - 1).chain(['…']).collect() }
}

/// Who confirmed a fact, if nobody has to look for it on a page.
pub fn confirmed(evidence: &Evidence) -> Option<&'static str> {
    (evidence.basis == Basis::Confirmed)
        .then(|| if evidence.extractor == Confirmer::Artist.as_str() { "confirmed by the artist" } else { "confirmed by an operator" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a filter writes into the place field means the place it stands for.
    #[test]
    fn every_country_is_understood_again() {
        for country in rust_iso3166::ALL {
            let place = read_location(&country_search(country.alpha2)).expect("a place");
            assert_eq!((place.country.as_deref(), place.city_key), (Some(country.alpha2), None), "{}", country.name);
            assert!(!country_label(country.alpha2).contains('('), "{}", country.name);
        }
    }

    #[test]
    fn cities_are_understood_again() {
        for (key, code, text) in [
            ("BERLIN", "DE", "Berlin, Germany"),
            ("SAO-PAULO", "BR", "Sao Paulo, Brazil"),
            ("LONDON", "GB", "London, United Kingdom"),
            ("SEOUL", "KR", "Seoul, South Korea"),
            ("TBILISI", "GE", "Tbilisi, GE"),
        ] {
            assert_eq!(city_search(&city_label(key), key, Some(code)), text);
        }
        assert_eq!(city_search("New York", "NEW-YORK", None), "New York");
        assert_eq!(city_search("Kraków", "KRAKOW", Some("PL")), "Kraków, Poland");
    }

    #[test]
    fn monograms() {
        for (name, letters) in
            [("Ana Núñez", "AN"), ("Zoë", "Z"), ("Jan van der Berg", "JB"), ("\"Mad\" Max", "MM"), ("李 明", "李明"), ("", ""), ("—", "")]
        {
            assert_eq!(monogram(name), letters, "{name}");
        }
    }

    #[test]
    fn ages_and_counts() {
        for (seconds, text) in [
            (0, "just now"),
            (61, "1 minute ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
            (60 * 86_400, "2 months ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
        assert_eq!(counted(1, "artist", "artists"), "1 artist");
        assert_eq!(counted(1_234_567, "artist", "artists"), "1,234,567 artists");
    }

    #[test]
    fn styles_that_stand_together_differ() {
        let styles = Styles::standard();
        let inks: Vec<usize> = styles.all().iter().map(|style| ink(&styles, &style.slug)).collect();
        assert!(inks.windows(4).all(|near| near[0] == BLACK_INK || near.iter().skip(1).all(|ink| *ink != near[0])), "{inks:?}");
        assert_eq!((ink(&styles, "blackwork"), inks.iter().max()), (BLACK_INK, Some(&BLACK_INK)));
    }

    #[test]
    fn only_the_web_is_linked() {
        for text in ["javascript:alert(1)", "data:text/html,x", "ftp://needle.example/", "mailto:ana@needle.example"] {
            assert_eq!(link(&Url::parse(text).unwrap()), None, "{text}");
        }
        assert!(link(&Url::parse("https://needle.example/ana").unwrap()).is_some());
    }

    proptest! {
        #[test]
        fn a_monogram_is_short(name in ".{0,40}") {
            prop_assert!(monogram(&name).chars().count() <= 3);
        }
    }
}
