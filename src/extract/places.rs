//! What names, codes, numbers and hosts tell of a country: `config/places.toml`, and the gazetteer for everything else.

use super::text::{fold, tokens};
use crate::domain::country;
use crate::domain::gazetteer::{self, Country};
use crate::domain::text::folded_name;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// `config/places.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    country: Vec<CountryNames>,
    region: Vec<Region>,
    /// The gazetteer's name and the country by what people say instead.
    nicknames: HashMap<String, (String, String)>,
    everyday: Everyday,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountryNames {
    code: String,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Everyday {
    names: HashSet<String>,
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

/// Countries whose English names are names of states or people as well, so that only other names of them count.
const ALSO_OTHER: &[&str] = &["georgia", "jordan", "chad", "jersey", "guernsey", "mali", "reunion", "niger", "dominica", "cuba", "togo"];

/// Endings of host names that are sold as words and tell nothing.
const SOLD_AS_WORDS: &[&str] = &[
    "ac", "ag", "ai", "am", "as", "bz", "cc", "cd", "cf", "cm", "co", "cx", "dj", "fm", "ga", "gd", "ge", "gg", "gl", "gq", "gs", "im",
    "in", "io", "is", "it.com", "la", "lc", "ly", "me", "ml", "mn", "ms", "mu", "nu", "pm", "pn", "pw", "re", "sb", "sc", "sh", "so", "st",
    "sx", "tc", "tk", "tl", "tm", "to", "tv", "vc", "vg", "vu", "ws", "yt",
];

/// Area codes of Canada within +1.
const CANADA: &str = "204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 474 506 514 519 \
    548 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902 905 942";

/// The country a text names, as ISO code; two letters count only in capitals.
pub(crate) fn country_by_name(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches('.');
    if text.chars().count() == 2 && text.is_ascii() {
        return if text == "UK" { Some("GB") } else { country_by_code(text) };
    }
    if text.chars().count() > 60 {
        return None;
    }
    let name = key(text);
    let listed = BY_NAME.get(&name).copied();
    // What is three letters long is a code, and may be anything else as well.
    let spelled = || (name.chars().count() > 3 && !ALSO_OTHER.contains(&name.as_str())).then(|| country::find(&name)).flatten();
    listed.or_else(|| spelled().and_then(|code| country_by_code(&code))).or_else(|| {
        (text.len() == 3 && text.chars().all(|letter| letter.is_ascii_uppercase()))
            .then(|| rust_iso3166::from_alpha3(text))
            .flatten()
            .and_then(|country| country_by_code(country.alpha2))
    })
}

/// An ISO code that is in use, in capitals.
pub(crate) fn country_by_code(code: &str) -> Option<&'static str> {
    rust_iso3166::from_alpha2(&code.to_uppercase()).map(|country| country.alpha2)
}

/// The country of a state, province or region by its name.
pub(crate) fn country_of_region(text: &str) -> Option<&'static str> {
    REGION_BY_NAME.get(&key(text)).copied()
}

/// The names of a region by its code as addresses print it, or itself: of `ON` in Canada `ontario`, of `Bayern` its other names.
pub(crate) fn region_names(country: Option<&str>, text: &str) -> Vec<String> {
    let name = key(text);
    let fits = |region: &&Region| {
        country.is_none_or(|code| region.country == code)
            && !region.code.is_empty()
            && (region.code == text || region.names.contains(&name))
    };
    let listed = TABLE.region.iter().find(fits).map(|region| region.names.clone()).unwrap_or_default();
    [vec![text.to_owned()], listed].concat()
}

/// An expression for the names of regions of some countries, longest first.
pub(crate) fn region_pattern(countries: &[&str]) -> String {
    let regions = TABLE.region.iter().filter(|region| countries.contains(&region.country.as_str()) && !region.code.is_empty());
    let mut names: Vec<&str> = regions.flat_map(|region| region.names.iter().map(String::as_str)).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.join("|")
}

/// Of the countries whose addresses carry a state, the one whose postal codes have so many digits.
pub(crate) fn country_of_digits(postcode_digits: usize) -> &'static str {
    match postcode_digits {
        5 | 9 => "US",
        4 => "AU",
        _ => "CA",
    }
}

/// The country of a code such as `OR` or `VIC`; only for the three countries whose addresses carry one.
pub(crate) fn country_of_region_code(code: &str, postcode_digits: usize) -> Option<&'static str> {
    let wanted = country_of_digits(postcode_digits);
    TABLE.region.iter().find(|region| region.country == wanted && region.code == code).map(|region| region.country.as_str())
}

/// Is this a code of a US state or Canadian province, and of which country?
pub(crate) fn north_american_code(code: &str) -> Option<&'static str> {
    let named = TABLE.region.iter().find(|region| matches!(region.country.as_str(), "US" | "CA") && region.code == code);
    named.filter(|_| !code.is_empty()).map(|region| region.country.as_str())
}

/// The country of a city that needs no more than its name: a large one that no other country rivals, and no everyday word.
pub(crate) fn country_of_city(text: &str) -> Option<&'static str> {
    if text.chars().count() > 60 {
        return None;
    }
    let name = folded_name(text);
    if TABLE.everyday.names.contains(&name) {
        return None;
    }
    let nickname = TABLE.nicknames.get(&name).map(|(_, country)| country.as_str());
    nickname.or_else(|| gazetteer::get().known(&name))
}

/// The name by which the gazetteer finds a city, if people call it otherwise.
pub(crate) fn name_in_gazetteer(text: &str) -> String {
    let name = folded_name(text);
    TABLE.nicknames.get(&name).map_or(name, |(listed, _)| listed.clone())
}

/// Whether any place of the gazetteer is so called; for texts that are places by what stands beside them.
pub(crate) fn is_place(text: &str) -> bool {
    (2..=60).contains(&text.chars().count()) && !gazetteer::get().named(&name_in_gazetteer(text)).is_empty()
}

/// The country whose region of this name holds a city of that name: "Lecce, Apulia".
pub(crate) fn country_of_pair(city: &str, region: &str) -> Option<&'static str> {
    (city.chars().count() <= 60 && region.chars().count() <= 60)
        .then(|| gazetteer::get().country_of_pair(&name_in_gazetteer(city), region))
        .flatten()
}

/// Whether a place of at least 15,000 people is so called first.
pub(crate) fn is_large_place(text: &str) -> bool {
    (3..=60).contains(&text.chars().count()) && gazetteer::get().named(text).iter().any(|found| found.own && found.city.people >= 15_000)
}

/// The country that an international number is dialled into.
pub(crate) fn country_by_dialling(phone: &str) -> Option<&'static str> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let trimmed = phone.trim();
    let rest = if trimmed.starts_with('+') || trimmed.starts_with("(+") { digits.as_str() } else { digits.strip_prefix("00")? };
    if rest.starts_with('7') {
        return (rest.len() == 11).then(|| if matches!(rest.as_bytes().get(1), Some(b'6' | b'7')) { "KZ" } else { "RU" });
    }
    if let Some(national) = rest.strip_prefix('1') {
        let area = national.get(..3)?;
        if CANADA.split(' ').any(|code| code == area) {
            return Some("CA");
        }
    }
    let of = |country: &'static Country, code: &str| country.dialling.iter().any(|known| known == code);
    let all = gazetteer::get().countries();
    (2..=7).rev().find_map(|len| {
        let code = rest.get(..len)?;
        // Territories share the code of the country that addresses name.
        let listed = TABLE.country.iter().find_map(|listed| all.iter().find(|country| country.code == listed.code && of(country, code)));
        listed.or_else(|| all.iter().find(|country| of(country, code))).map(|country| country.code.as_str())
    })
}

/// Countries whose national numbers look like this one: `(503) 555-0100` in North America, eleven digits from 07 in Britain.
pub(crate) fn countries_by_form(phone: &str) -> Option<&'static [&'static str]> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let mut groups = phone.split(|letter: char| !letter.is_ascii_digit()).filter(|group| !group.is_empty()).map(str::len);
    let shape = [groups.next(), groups.next(), groups.next(), groups.next()];
    if shape == [Some(3), Some(3), Some(4), None] && !digits.starts_with(['0', '1']) {
        return Some(&["US", "CA"]);
    }
    (digits.len() == 11 && digits.starts_with("07")).then_some(&["GB"])
}

/// The country of a host name's national ending; endings sold as words (`.co`, `.me`, `.io`, `.tv`) tell nothing.
pub(crate) fn country_by_domain(host: &str) -> Option<&'static str> {
    let ending = host.trim_end_matches('.').rsplit('.').next()?.to_lowercase();
    if ending.is_empty() || SOLD_AS_WORDS.contains(&ending.as_str()) {
        return None;
    }
    gazetteer::get().countries().iter().find(|country| country.domain == ending).map(|country| country.code.as_str())
}

/// The known cities as folded names, for finding one inside a sentence.
pub(crate) fn city_in(words: &[String]) -> Option<(usize, usize, &'static str)> {
    for at in 0..words.len() {
        for len in (1..=3).rev() {
            if let Some(window) = words.get(at..at + len)
                && let Some(country) = country_of_city(&window.join(" "))
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
        assert_eq!(country_by_name("Georgia"), None);
        assert_eq!(country_by_dialling("+48 531 000 111"), Some("PL"));
        assert_eq!(country_by_dialling("+1 218 730 4416"), None);
        assert_eq!(country_by_dialling("+1 416 730 4416"), Some("CA"));
        assert_eq!(country_by_dialling("+1 809 730 4416"), Some("DO"));
        assert_eq!(country_by_dialling("+55 11 91234 5678"), Some("BR"));
        assert_eq!(country_by_dialling("+44 20 7946 0000"), Some("GB"));
        assert_eq!(country_by_dialling("+47 22 00 00 00"), Some("NO"));
        assert_eq!(country_by_dialling("0048 531 000 111"), Some("PL"));
        assert_eq!(country_by_dialling("531 000 111"), None);
        assert_eq!(country_by_domain("ink.co"), None);
        assert_eq!(country_by_domain("ink.nl"), Some("NL"));
        assert_eq!(country_by_domain("ink.co.uk"), Some("GB"));
        assert_eq!(country_of_region_code("OR", 5), Some("US"));
        assert_eq!(country_of_region_code("VIC", 4), Some("AU"));
        assert_eq!(country_of_region("Ontario"), Some("CA"));
    }

    /// Short exonyms, nicknames and local names mean their country; words, people and names of many places mean none.
    #[test]
    fn a_city_by_itself_leads_to_its_country_only_if_nothing_else_can_be_meant() {
        for (name, country) in [
            ("Wien", "AT"),
            ("Vienna", "AT"),
            ("MÜNCHEN", "DE"),
            ("Munich", "DE"),
            ("København", "DK"),
            ("Київ", "UA"),
            ("Киев", "UA"),
            ("Москва", "RU"),
            ("東京", "JP"),
            ("大阪", "JP"),
            ("NYC", "US"),
            ("London", "GB"),
            ("Manchester", "GB"),
            ("Portland", "US"),
            ("São Paulo", "BR"),
            ("Ciudad de México", "MX"),
            ("Lisboa", "PT"),
            ("Praha", "CZ"),
            ("Kraków", "PL"),
            ("Łódź", "PL"),
            ("Sevilla", "ES"),
            ("Donostia", "ES"),
            ("Genève", "CH"),
            ("서울", "KR"),
            ("Αθήνα", "GR"),
        ] {
            assert_eq!(country_of_city(name), Some(country), "{name}");
        }
        for name in
            ["San José", "Springfield Gardens Way", "Victoria", "Charlotte", "Nice", "Reading", "Mia", "Lara", "Tattoo", "Black", ""]
        {
            assert_eq!(country_of_city(name), None, "{name}");
        }
    }

    #[test]
    fn the_table_is_folded_and_its_nicknames_are_found() {
        for (nickname, (name, country)) in &TABLE.nicknames {
            assert_eq!(&folded_name(nickname), nickname);
            let found = gazetteer::get().named(name);
            assert!(found.iter().any(|found| found.city.country == country), "{nickname}: no {name} in {country}");
        }
        for name in &TABLE.everyday.names {
            assert_eq!(&folded_name(name), name);
        }
    }
}
