//! A small table of countries, states and well-known cities; enough to read an address until a gazetteer is at hand.

use super::text::{fold, tokens};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

/// `config/places.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    country: Vec<Country>,
    region: Vec<Region>,
    cities: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Country {
    code: String,
    dialling: String,
    /// National domain; empty where it is sold as a word.
    domain: String,
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Region {
    country: String,
    /// As printed in addresses; empty where none is.
    code: String,
    names: Vec<String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../config/places.toml")).expect("config/places.toml is checked by a test of this file")
});

fn key(name: &str) -> String {
    tokens(name).join(" ")
}

static BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    TABLE.country.iter().flat_map(|country| country.names.iter().map(|name| (key(name), country.code.as_str()))).collect()
});
static REGION_BY_NAME: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| TABLE.region.iter().flat_map(|region| region.names.iter().map(|name| (key(name), region.country.as_str()))).collect());
static CITY_BY_NAME: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| TABLE.cities.iter().flat_map(|(country, names)| names.iter().map(|name| (key(name), country.as_str()))).collect());

/// The country a text names, as ISO code; two letters count only in capitals.
pub(crate) fn country_by_name(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches('.');
    if text.chars().count() == 2 {
        return if text == "UK" { Some("GB") } else { country_by_code(text) };
    }
    BY_NAME.get(&key(text)).copied().or_else(|| {
        (text.len() == 3 && text.chars().all(|letter| letter.is_ascii_uppercase()))
            .then(|| rust_iso3166::from_alpha3(text))
            .flatten()
            .and_then(|country| country_by_code(country.alpha2))
    })
}

/// An ISO code that is in use.
pub(crate) fn country_by_code(code: &str) -> Option<&'static str> {
    rust_iso3166::from_alpha2(&code.to_uppercase()).map(|country| country.alpha2)
}

/// The country of a state, province or region by its name.
pub(crate) fn country_of_region(text: &str) -> Option<&'static str> {
    REGION_BY_NAME.get(&key(text)).copied()
}

/// The country of a code such as `OR` or `VIC`; only for the three countries whose addresses carry one.
pub(crate) fn country_of_region_code(code: &str, postcode_digits: usize) -> Option<&'static str> {
    let wanted = match postcode_digits {
        5 | 9 => "US",
        4 => "AU",
        _ => "CA",
    };
    TABLE.region.iter().find(|region| region.country == wanted && region.code == code).map(|region| region.country.as_str())
}

/// Is this a code of a US state or Canadian province, and of which country?
pub(crate) fn north_american_code(code: &str) -> Option<&'static str> {
    let named = TABLE.region.iter().find(|region| matches!(region.country.as_str(), "US" | "CA") && region.code == code);
    named.filter(|_| !code.is_empty()).map(|region| region.country.as_str())
}

/// The country of a well-known city.
pub(crate) fn country_of_city(text: &str) -> Option<&'static str> {
    CITY_BY_NAME.get(&key(text)).copied()
}

/// The country that an international number is dialled into; `+1` and `+7` stay ambiguous.
pub(crate) fn country_by_dialling(phone: &str) -> Option<&'static str> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let trimmed = phone.trim();
    let rest = if trimmed.starts_with('+') || trimmed.starts_with("(+") { digits.as_str() } else { digits.strip_prefix("00")? };
    if rest.starts_with('1') {
        return None;
    }
    if rest.starts_with('7') {
        return (rest.len() == 11).then(|| if matches!(rest.as_bytes().get(1), Some(b'6' | b'7')) { "KZ" } else { "RU" });
    }
    (1..=3).rev().find_map(|len| {
        let code = rest.get(..len)?;
        TABLE.country.iter().find(|country| country.dialling == code).map(|country| country.code.as_str())
    })
}

/// The country of a host name's national ending; endings sold as words (`.co`, `.me`, `.io`, `.tv`) tell nothing.
pub(crate) fn country_by_domain(host: &str) -> Option<&'static str> {
    let ending = host.rsplit('.').next()?.to_lowercase();
    if matches!(ending.as_str(), "co" | "me" | "io" | "tv" | "ge" | "is" | "in") {
        return None;
    }
    TABLE.country.iter().find(|country| country.domain == ending).map(|country| country.code.as_str())
}

/// The known cities as folded names, for finding one inside a sentence.
pub(crate) fn city_in(words: &[String]) -> Option<(usize, usize, &'static str)> {
    for at in 0..words.len() {
        for len in (1..=3).rev() {
            if let Some(window) = words.get(at..at + len)
                && let Some(country) = CITY_BY_NAME.get(&window.join(" "))
            {
                return Some((at, len, country));
            }
        }
    }
    None
}

/// Is the text a country, a region or a continent, so no city?
pub(crate) fn is_wide(text: &str) -> bool {
    country_by_name(text).is_some()
        || country_of_region(text).is_some()
        || ["europe", "europa", "asia", "america", "worldwide", "south america"].contains(&fold(text).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_numbers_lead_to_countries() {
        assert_eq!(country_by_name("Deutschland"), Some("DE"));
        assert_eq!(country_by_name("España"), Some("ES"));
        assert_eq!(country_by_name("UK"), Some("GB"));
        assert_eq!(country_by_name("xx"), None);
        assert_eq!(country_by_dialling("+48 531 000 111"), Some("PL"));
        assert_eq!(country_by_dialling("+1 218 730 4416"), None);
        assert_eq!(country_by_dialling("531 000 111"), None);
        assert_eq!(country_by_domain("ink.co"), None);
        assert_eq!(country_by_domain("ink.nl"), Some("NL"));
        assert_eq!(country_of_region_code("OR", 5), Some("US"));
        assert_eq!(country_of_region_code("VIC", 4), Some("AU"));
        assert_eq!(country_of_region("Ontario"), Some("CA"));
    }
}
