//! Addresses with a postal code: the patterns of many countries, read into parts.

use super::pairs::BRAZIL;
use crate::extract::finding::PostalAddress;
use crate::extract::lexicon::{self, holds_any};
use crate::extract::places;
use crate::extract::text::{clean, tokens};
use regex::{Captures, Regex};
use std::sync::LazyLock;

pub(super) fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant of this file")
}

/// A place name: capitalised words joined by spaces, hyphens and small particles.
pub(super) const NAME: &str = r"\p{Lu}[\p{L}'’.]*(?:[ -](?:\p{Lu}[\p{L}'’.]*|am|an|der|den|de|del|della|di|da|do|dos|la|las|le|les|los|lès|sur|sous|en|op|aan|bei|im|in|upon|on|y|d'\p{L}+|l'\p{L}+)){0,4}";

pub(super) static NORTH_AMERICA: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(r"(?:^|[,\n·|•–—-]\s*|\s)({NAME}),?\s+([A-Z]{{2}})\.?,?\s+(\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d)\b"))
});

pub(super) static AUSTRALIA: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"(?:^|[,\n·|•]\s*|\s)({NAME}),?\s+(NSW|VIC|QLD|WA|SA|TAS|ACT|NT),?\s+(\d{{4}})\b")));

pub(super) static BRITAIN: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"(?:^|[,\n·|•]\s*|\s)({NAME})[,.\s]+((?:[A-Z]{{1,2}}\d[A-Z\d]?)\s*\d[A-Z]{{2}})\b")));

/// The name that ends a text.
static TOWN_AT_END: LazyLock<Regex> = LazyLock::new(|| expression(&format!(r"(?:^|[,\n·|•]\s*)({NAME})$")));

/// "Portland, Oregon 97209", "Fitzroy, Victoria 3065": the state in full before its code.
static STATE_IN_FULL: LazyLock<Regex> = LazyLock::new(|| {
    let states = places::region_pattern(&["US", "CA", "AU"]);
    expression(&format!(
        r"(?:^|[,\n·|•–—-]\s*|\s)({NAME}),?\s+(?i:({states})),?\s+(\d{{5}}(?:-\d{{4}})?|\d{{4}}|[A-Z]\d[A-Z]\s?\d[A-Z]\d)\b"
    ))
});

/// "C1043 CABA", "B1900AVK La Plata": the Argentine code, with the letter of its province.
static ARGENTINA: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"(?:^|[\s,(·|•-])([A-HJ-NP-Z]\d{{4}}(?:[A-Z]{{3}})?)[,\s]\s*({NAME})")));

/// "São Paulo, SP 05417-020", "Recife - PE, CEP 50050-000": the code of the state stands between city and postal code.
static BRAZIL_STATE: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(r"(?:^|[,\n·|•–—-]\s*|\s)({NAME})\s*[,/–—-]?\s+([A-Z]{{2}})[,\s]\s*(?:CEP:?\s*)?(\d{{5}}-\d{{3}})\b"))
});

pub(super) static POSTCODE_CITY: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:^|[\s,(·|•-])(?:([A-Z]{{1,2}})[- ])?(\d{{4}}\s?[A-Z]{{2}}|\d{{2}}-\d{{3}}|\d{{3}} \d{{2}}|\d{{5}}(?:-\d{{3,4}})?|\d{{8}}|\d{{4}}-\d{{3}}|\d{{4}})[,\s]\s*(?:[-–]\s*)?(?:(?:г|м|с|смт|пгт|obec|mun)\.\s*)?({NAME})(?:\s*\(?\b([A-Z]{{2}})\b\)?)?"
    ))
});

pub(super) static CITY_POSTCODE: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(r"(?:^|[,\n·|•]\s*)({NAME})[,\s]\s*(?:CEP\s*)?(\d{{5}}-\d{{3}}|\d{{6}}|\d{{5}}|\d{{3}}-\d{{4}})\b"))
});

/// The address in one line of text, if it holds a postal code with a city.
pub(crate) fn printed(text: &str) -> Option<PostalAddress> {
    let text = clean(text, 400);
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    // City, state and code, in this order.
    let stated = |found: &Captures<'_>, city: String, country: &str| {
        let (state, code) = (Some(found[2].to_owned()), Some(found[3].to_owned()));
        finish(text, found.get(1)?.start(), city, state, code, Some(country), found.get(0)?.end())
    };
    if let Some(found) = NORTH_AMERICA.captures(text) {
        let digits = found[3].chars().filter(char::is_ascii_digit).count();
        if let Some(country) = places::country_of_region_code(&found[2], if digits == 3 { 0 } else { digits }) {
            return stated(&found, city_after_street(&found[1]), country);
        }
    }
    if let Some(found) = STATE_IN_FULL.captures(text) {
        let digits = found[3].chars().filter(char::is_ascii_digit).count();
        let country = places::country_of_digits(digits);
        if places::country_of_region(&found[2]) == Some(country) {
            return stated(&found, city_after_street(&found[1]), country);
        }
    }
    if let Some(found) = AUSTRALIA.captures(text) {
        return stated(&found, city_after_street(&found[1]), "AU");
    }
    if let Some(found) = BRITAIN.captures(text).filter(|found| british(&found[2])) {
        // "Maidstone, Kent, ME14 1AA": a county stands between the city and the code.
        let above = text[..found.get(1)?.start()].trim_end_matches([',', ' ']);
        let county = places::country_of_region(&found[1]) == Some("GB") && places::country_of_city(&found[1]).is_none();
        if county && let Some(town) = TOWN_AT_END.captures(above).filter(|town| !has_street_word(&town[1])) {
            return finish(
                text,
                town.get(1)?.start(),
                town[1].to_owned(),
                Some(found[1].to_owned()),
                Some(found[2].to_owned()),
                Some("GB"),
                found.get(0)?.end(),
            );
        }
        return finish(
            text,
            found.get(1)?.start(),
            city_after_street(&found[1]),
            None,
            Some(found[2].to_owned()),
            Some("GB"),
            found.get(0)?.end(),
        );
    }
    if let Some(found) = BRAZIL_STATE.captures(text).filter(|found| BRAZIL.contains(&&found[2])) {
        return stated(&found, found[1].to_owned(), "BR");
    }
    if let Some(found) = ARGENTINA.captures(text).filter(|found| !is_no_city(&found[2])) {
        let city = if &found[2] == "CABA" { "Buenos Aires" } else { &found[2] };
        return finish(text, found.get(1)?.start(), city.to_owned(), None, Some(found[1].to_owned()), Some("AR"), found.get(0)?.end());
    }
    if let Some(address) = super::unspaced::printed(text) {
        return Some(address);
    }
    for found in POSTCODE_CITY.captures_iter(text).take(6) {
        let (code, city) = (found[2].to_owned(), found[3].to_owned());
        let year = code.len() == 4 && (code.starts_with("19") || code.starts_with("20"));
        // A bare four-digit number is a year or a count more often than a code; a street or a country must stand with it.
        let rest = &text[found.get(0)?.end()..];
        let named = rest.split([',', '·', '|', '-', '–']).map(str::trim).find_map(places::country_by_name);
        let prefixed = found.get(1).and_then(|letters| match letters.as_str() {
            "D" => Some("DE"),
            "A" => Some("AT"),
            "F" => Some("FR"),
            "I" => Some("IT"),
            "E" => Some("ES"),
            "B" => Some("BE"),
            other => places::country_by_code(other),
        });
        let before = &text[..found.get(2)?.start()];
        let street = before.chars().any(|letter| letter.is_ascii_digit()) || has_street_word(before);
        if (year && !has_street_word(before))
            || (code.len() == 4 && !street && places::country_of_city(&city).is_none() && named.is_none() && prefixed.is_none())
            || is_no_city(&city)
            || city.chars().count() < 2
        {
            continue;
        }
        let shaped = if code.len() >= 6 && code.ends_with(|letter: char| letter.is_ascii_uppercase()) {
            Some("NL")
        } else if code.as_bytes().get(2) == Some(&b'-') {
            Some("PL")
        } else if code.len() == 8 && code.as_bytes().get(4) == Some(&b'-') {
            Some("PT")
        } else {
            None
        };
        // "37121 Verona VR": a province in two capitals belongs to no name.
        let (city, tail) = match city.rsplit_once(' ') {
            Some((name, code)) if code.len() == 2 && code.chars().all(|letter| letter.is_ascii_uppercase()) => {
                (name.to_owned(), Some(code.to_owned()))
            }
            // "2200 København N": so does the letter of a district.
            Some((name, letter)) if letter.chars().count() == 1 && places::is_place(name) && !places::is_place(&city) => {
                (name.to_owned(), None)
            }
            _ => (city, None),
        };
        let shaped = shaped.or_else(|| by_street(before, &code));
        let region = tail
            .or_else(|| found.get(4).map(|code| code.as_str().to_owned()))
            .filter(|code| named.is_some() || places::country_by_code(code).is_none() || code.len() == 2);
        // "150-0001, Japan": what follows the code may be no city; then the next one counts.
        let (start, end) = (found.get(2)?.start(), found.get(3)?.end());
        let Some(mut address) = finish(text, start, city, region, Some(code), named.or(prefixed).or(shaped), end) else { continue };
        address.country_inferred = named.is_none();
        return Some(address);
    }
    if let Some(found) = CITY_POSTCODE.captures(text).filter(|found| !is_no_city(&found[1])) {
        let rest = &text[found.get(0)?.end()..];
        let named = rest.split([',', '·', '|', '-']).map(str::trim).find_map(places::country_by_name);
        let code = found[2].to_owned();
        let shaped = if code.len() == 9 {
            Some("BR")
        } else if code.len() == 8 && code.contains('-') {
            Some("JP")
        } else {
            None
        };
        if named.is_some() || shaped.is_some() || has_street_word(&text[..found.get(1)?.start()]) {
            let mut address =
                finish(text, found.get(1)?.start(), found[1].to_owned(), None, Some(code), named.or(shaped), found.get(0)?.end())?;
            address.country_inferred = named.is_none();
            return Some(address);
        }
    }
    None
}

/// The country that a kind of street and a length of code have in common; only where no neighbour shares both.
fn by_street(street: &str, code: &str) -> Option<&'static str> {
    let digits = code.chars().filter(char::is_ascii_digit).count();
    let words = tokens(street);
    let ends = |endings: &[&str]| words.iter().any(|word| endings.iter().any(|ending| word.ends_with(ending)));
    let has = |kinds: &[&str]| holds_any(&words, kinds);
    if code.len() != digits {
        return None;
    }
    match digits {
        5 if ends(&["strasse", "platz", "gasse", "allee"]) || has(&["str", "weg"]) => Some("DE"),
        5 if has(&["rue", "quai", "impasse", "chemin", "faubourg"]) => Some("FR"),
        5 if has(&["via", "viale", "piazza", "corso", "vicolo", "piazzale"]) => Some("IT"),
        5 if has(&["carrer", "passeig", "avda", "calle"]) && !has(&["col", "cp", "colonia"]) => Some("ES"),
        4 if ends(&["straat", "laan", "steenweg"]) => Some("BE"),
        4 if ends(&["gade", "vej"]) => Some("DK"),
        4 if ends(&["gata", "veien", "gaten"]) => Some("NO"),
        _ => None,
    }
}

pub(super) fn british(code: &str) -> bool {
    let code: Vec<char> = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    (5..=7).contains(&code.len()) && !code[..2].iter().all(char::is_ascii_digit)
}

/// Kinds of streets as American and British addresses end them.
const STREET_KINDS: &str = "st street ave avenue rd road blvd boulevard dr drive ln lane way hwy highway pkwy parkway ct court pl place sq square \
    suite ste unit floor cres crescent terrace parade n s e w ne nw se sw";

/// "Harbor St Duluth" is a street and a city in one run of capitals: what follows the kind of street is the city.
pub(super) fn city_after_street(run: &str) -> String {
    let words: Vec<&str> = run.split(' ').collect();
    let kind = |word: &str| STREET_KINDS.split(' ').any(|known| known == word.to_lowercase().trim_end_matches(['.', ',']));
    let street = words.iter().rposition(|word| kind(word));
    // "St. Louis" begins with the word and is a city.
    // "Oak Ave. St. Louis": after a street the same letters are a saint.
    let saint = street.filter(|at| *at > 1 && kind(words[at - 1]));
    let street = saint.map(|at| at - 1).or(street);
    match street {
        Some(at) if at > 0 && at + 1 < words.len() => words[at + 1..].join(" "),
        _ => run.to_owned(),
    }
}

pub(super) fn has_street_word(text: &str) -> bool {
    let words = tokens(text);
    holds_any(&words, &lexicon::words().street_words)
        || words.iter().any(|word| {
            word.len() > 6
                && ["strasse", "straat", "weg", "platz", "gasse", "allee", "laan", "plein", "steenweg", "gatan", "vagen", "veien"]
                    .iter()
                    .any(|end| word.ends_with(end))
        })
}

pub(super) fn is_no_city(text: &str) -> bool {
    let words = tokens(text);
    words.iter().any(|word| lexicon::listed(&lexicon::words().no_city, word) && words.len() < 3)
        || words.is_empty()
        || has_street_word(text) && words.len() < 3
}

/// Streets that templates come with.
pub(super) fn is_placeholder(street: &str) -> bool {
    const STREETS: &[&str] = &[
        "123 street",
        "123 main",
        "123 anywhere",
        "123 fake",
        "123 demo",
        "1234 street",
        "12345 street",
        "street name",
        "your address",
        "your street",
        "musterstr",
        "calle falsa",
        "rua exemplo",
        "ul przykladowa",
        "rue exemple",
        "via esempio",
        "123 tattoo",
        "123 example",
        "123 ink",
    ];
    let words = tokens(street).join(" ");
    STREETS.iter().any(|known| words.contains(known))
}

pub(super) fn finish(
    text: &str,
    start: usize,
    city: String,
    region: Option<String>,
    postcode: Option<String>,
    country: Option<&str>,
    end: usize,
) -> Option<PostalAddress> {
    // "10125 Torino (TO)": two letters in brackets after an Italian city are its province.
    let rest = &text[end..];
    let rest = rest.trim_start().strip_prefix('(').filter(|rest| rest.find(')') == Some(2)).map_or(rest, |rest| &rest[3..]);
    let named = rest.split([',', '·', '|', '(', ')']).map(str::trim).find_map(places::country_by_name);
    let street = text[..start].trim().trim_end_matches([',', '·', '|', '-', '–']).trim();
    let street = street.rsplit(['|', '•', '·']).next().unwrap_or_default().trim();
    let street = street.rsplit_once(':').map_or(street, |(_, after)| after.trim());
    let venue = street
        .split_once(',')
        .filter(|(name, rest)| !name.chars().any(|letter| letter.is_ascii_digit()) && rest.chars().any(|letter| letter.is_ascii_digit()))
        .map(|(name, _)| name.trim().to_owned());
    let street = venue.as_ref().and_then(|name| street.strip_prefix(name.as_str())).unwrap_or(street).trim_start_matches([',', ' ']);
    let city = tidy_city(&city);
    if is_placeholder(street) {
        return None;
    }
    (!city.is_empty() && city.chars().count() <= 60 && !places::is_wide(&city)
        || places::country_of_city(&city).is_some()
        || city == "Victoria")
        .then(|| PostalAddress {
            street: (!street.is_empty() && street.chars().count() <= 100 && street.chars().any(|letter| letter.is_ascii_digit()))
                .then(|| street.to_owned()),
            postcode,
            city: Some(city),
            region,
            country: named.or(country).map(str::to_owned),
            country_inferred: named.is_none(),
            venue: venue.filter(|name| (3..=60).contains(&name.chars().count())),
        })
}

/// Capitals throughout become a name again; trailing signs go.
pub(super) fn tidy_city(city: &str) -> String {
    let city = city.trim().trim_end_matches(['.', ',', '-', ' ']);
    let letters = city.chars().filter(|letter| letter.is_alphabetic()).count();
    if letters > 3 && city.chars().filter(|letter| letter.is_alphabetic()).all(char::is_uppercase) {
        let mut out = String::new();
        let mut first = true;
        for letter in city.chars() {
            if first {
                out.push(letter)
            } else {
                out.extend(letter.to_lowercase())
            }
            first = !letter.is_alphabetic() && letter != '\'';
        }
        return out;
    }
    city.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::pair;
    use super::*;

    fn read(text: &str) -> (String, String, String) {
        let address = printed(text).or_else(|| pair(text, true)).unwrap_or_default();
        let text = |part: Option<String>| part.unwrap_or_default();
        (text(address.city), text(address.region), text(address.country))
    }

    #[test]
    fn addresses_of_many_countries_are_read() {
        for (text, city, region, country) in [
            ("118 W Harbor St, Duluth, MN 55802", "Duluth", "MN", "US"),
            ("Suite 4, 901 Oak Ave. St. Louis, MO 63101", "St. Louis", "MO", "US"),
            ("22 Mill Rd #3, Guelph, ON N1H 2L5", "Guelph", "ON", "CA"),
            ("7 Banksia Parade, Fremantle WA 6160", "Fremantle", "WA", "AU"),
            ("14 Kirk Arcade, Leeds, LS1 6DL", "Leeds", "", "GB"),
            ("71 MILL ROAD, CAMBRIDGE CB1 3NL", "Cambridge", "", "GB"),
            ("Holländische Straße 74, 34127 Kassel", "Kassel", "", "DE"),
            ("D-34127 Kassel, Holländische Straße 74", "Kassel", "", "DE"),
            ("7 rue des Halles, 44000 Nantes, France", "Nantes", "", "FR"),
            ("31 rue de Paris, Vitré, France", "Vitré", "", "FR"),
            ("Via dei Perroni 18, 73100 Lecce (LE)", "Lecce", "LE", "IT"),
            ("Piazzetta Nievo, 4, 37121 Verona VR, Italia", "Verona", "VR", "IT"),
            ("Molenpad 3, 1621 AJ Hoorn", "Hoorn", "", "NL"),
            ("ul. Józefa 9/2, 31-056 Kraków", "Kraków", "", "PL"),
            ("Calle de la Luna 31, 28004 Madrid", "Madrid", "", "ES"),
            ("Recife - PE", "Recife", "PE", "BR"),
            ("Rua das Gaivotas, 271, Recife, PE 50050-000", "Recife", "PE", "BR"),
            ("Boa Vista, Recife - PE, 50050-000", "Recife", "PE", "BR"),
            ("Chía, Cundinamarca", "Chía", "Cundinamarca", "CO"),
            ("Guelph, Ontario", "Guelph", "Ontario", "CA"),
            ("Temuco, Chile", "Temuco", "", "CL"),
            ("Россия, г. Казань", "Казань", "", "RU"),
        ] {
            assert_eq!(read(text), (city.to_owned(), region.to_owned(), country.to_owned()), "{text}");
        }
    }

    #[test]
    fn dates_prices_and_years_are_no_addresses() {
        for text in
            ["12 March 2024 Berlin Convention", "Since 2014 Tattoo", "from 1500 Euro", "© 2016 Ink House", "1000 Clients", "Mon 1100 Open"]
        {
            assert_eq!(printed(text), None, "{text}");
        }
    }
}
