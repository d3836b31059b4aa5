//! Places without a postal code: "City, Country", lines read backwards from the country, well-known cities.

use super::printed::{NAME, expression, has_street_word, is_no_city, is_placeholder, tidy_city};
use crate::extract::finding::PostalAddress;
use crate::extract::places;
use crate::extract::text::{clean, fold, tokens};
use regex::Regex;
use std::sync::LazyLock;

/// Codes of the Brazilian states, printed after a hyphen or a slash: "Recife - PE".
pub(super) const BRAZIL: &[&str] = &[
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE", "PI", "PR", "RJ", "RN", "RO", "RR",
    "RS", "SC", "SE", "SP", "TO",
];

pub(super) static PAIR: LazyLock<Regex> = LazyLock::new(|| expression(&format!(r"({NAME})\s*[,(·|/–—-]\s*({NAME}|[A-Z]{{2,3}})\b")));

/// "City, Country" or "City, Region": the second part must be known.
pub(crate) fn pair(text: &str, labelled: bool) -> Option<PostalAddress> {
    let text = clean(text, 300);
    if let Some(address) = comma_line(&text) {
        return Some(address);
    }
    if let Some(address) = country_first(&text) {
        return Some(address);
    }
    let mut from = 0;
    while let Some(found) = PAIR.captures_at(&text, from) {
        let (first, second) = (found.get(1)?, found.get(2)?);
        from = second.start();
        let (city, wide) = (tidy_city(first.as_str()), second.as_str());
        let after = &text[second.end()..];
        let before = &text[..first.start()];
        let third = after
            .trim_start_matches([',', ' ', '(', '-', '–', '·', '|'])
            .split([',', '.', '|', '·', ')', ';'])
            .next()
            .unwrap_or_default()
            .trim();
        let code = places::north_american_code(wide).filter(|_| wide.len() == 2);
        let region = places::country_of_region(wide);
        let country = if wide.len() == 2 { (wide == "UK").then_some("GB") } else { places::country_by_name(wide) };
        if places::is_wide(&city) && places::country_of_city(&city).is_none() || is_no_city(&city) || city.chars().count() < 3 {
            continue;
        }
        let city = strip_lead(&city);
        // The first part of an address line may be a street that is named after a city.
        let run = before.rsplit([',', '|', '·', '–', '—', '\n']).next().and_then(|run| run.rsplit(" - ").next()).unwrap_or_default();
        if city.is_empty() || run.chars().any(|letter| letter.is_ascii_digit()) || has_street_word(run) {
            continue;
        }
        let known = places::country_of_city(&city);
        if let Some(country) = country {
            return Some(PostalAddress { city: Some(city), country: Some(country.to_owned()), ..PostalAddress::default() });
        }
        if wide.len() == 2
            && BRAZIL.contains(&wide)
            && (places::country_of_city(&city) == Some("BR")
                || text[first.end()..second.start()].contains(['-', '/', '–'])
                    && !third.chars().take(5).all(|letter| letter.is_ascii_digit()))
            && code.is_none_or(|_| places::country_of_city(&city) == Some("BR") || third.to_lowercase().starts_with("bra"))
        {
            return Some(PostalAddress {
                city: Some(city),
                region: Some(wide.to_owned()),
                country: Some("BR".to_owned()),
                country_inferred: !third.to_lowercase().starts_with("bra"),
                ..PostalAddress::default()
            });
        }
        if let Some(state) = code.or(region) {
            let named = places::country_by_name(third);
            if named.is_some_and(|named| named != state) {
                continue;
            }
            return Some(PostalAddress {
                city: Some(city),
                region: Some(wide.to_owned()),
                country: Some(state.to_owned()),
                country_inferred: named.is_none(),
                ..PostalAddress::default()
            });
        }
        // Only a division that holds a place of that name: "Lecce, Apulia".
        if let Some(named) = places::country_of_pair(&city, wide) {
            return Some(PostalAddress {
                city: Some(city),
                region: Some(wide.to_owned()),
                country: Some(named.to_owned()),
                country_inferred: places::country_by_name(third) != Some(named),
                ..PostalAddress::default()
            });
        }
        if let Some(named) = (third.chars().count() > 2).then(|| places::country_by_name(third)).flatten() {
            return Some(PostalAddress {
                city: Some(city),
                region: Some(wide.to_owned()),
                country: Some(named.to_owned()),
                ..PostalAddress::default()
            });
        }
        if labelled && known.is_some() {
            return Some(PostalAddress {
                city: Some(city),
                country: known.map(str::to_owned),
                country_inferred: true,
                ..PostalAddress::default()
            });
        }
    }
    None
}

/// "Россия, г. Казань": some languages begin with the country.
fn country_first(text: &str) -> Option<PostalAddress> {
    let (country, rest) = text.split_once(',')?;
    let country = places::country_by_name(country).filter(|_| country.trim().chars().count() > 2)?;
    let first = rest.split(',').next().unwrap_or_default().trim();
    let city = ["г.", "м.", "город ", "місто ", "city of "].iter().find_map(|lead| first.strip_prefix(lead)).unwrap_or(first).trim();
    let short = (1..=3).contains(&city.split_whitespace().count()) && !city.chars().any(|letter| letter.is_ascii_digit());
    let fine = short && city.chars().next().is_some_and(char::is_uppercase) && !places::is_wide(city) && !is_no_city(city);
    fine.then(|| PostalAddress { city: Some(tidy_city(city)), country: Some(country.to_owned()), ..PostalAddress::default() })
}

/// "31 rue de Paris, Vitré, France": read from the country backwards; what holds digits or a kind of street is the street.
pub(super) fn comma_line(text: &str) -> Option<PostalAddress> {
    let text = text.split_once(':').filter(|(label, _)| label.split_whitespace().count() <= 2).map_or(text, |(_, rest)| rest);
    let parts: Vec<&str> = text.trim().trim_end_matches('.').split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if !(3..=7).contains(&parts.len()) || parts.iter().any(|part| part.chars().count() > 60) {
        return None;
    }
    let last = *parts.last()?;
    let country = places::country_by_name(last).filter(|_| last.chars().count() > 2 || last == "UK");
    let wide = country.or_else(|| places::country_of_region(last)).or_else(|| places::north_american_code(last))?;
    let region_last = country.is_none().then(|| last.to_owned());
    let is_street = |part: &str| part.chars().any(|letter| letter.is_ascii_digit()) || has_street_word(part);
    let mut rest = parts[..parts.len() - 1].to_vec();
    let mut region = region_last;
    if region.is_none() && rest.len() >= 2 {
        let before = rest[rest.len() - 1];
        let known = places::country_of_region(before) == Some(wide) || places::north_american_code(before) == Some(wide);
        if known && !is_street(rest[rest.len() - 2]) {
            region = Some(before.to_owned());
            rest.pop();
        }
    }
    let city = *rest.last()?;
    let street = rest.iter().rev().skip(1).find(|part| is_street(part))?;
    let fine = !is_street(city)
        && city.chars().count() > 2
        && !is_placeholder(street)
        && city.split_whitespace().count() <= 4
        && city.chars().next().is_some_and(char::is_uppercase)
        && !is_no_city(city);
    fine.then(|| PostalAddress {
        street: Some((*street).to_owned()),
        city: Some(tidy_city(city)),
        region,
        country: Some(wide.to_owned()),
        country_inferred: country.is_none(),
        ..PostalAddress::default()
    })
}

/// "Based in Portland" and "Salon Minou - Rennes": leading words that are no part of the name.
pub(super) fn strip_lead(city: &str) -> String {
    let mut words: Vec<&str> = city.split(' ').collect();
    while let Some(first) = words.first() {
        let folded = fold(first);
        if [
            "in",
            "based",
            "located",
            "tattoo",
            "tattoos",
            "studio",
            "shop",
            "en",
            "de",
            "from",
            "at",
            "the",
            "visit",
            "location",
            "ubicacion",
            "adresse",
            "address",
            "est",
            "find",
            "my",
            "our",
        ]
        .contains(&folded.as_str())
            && words.len() > 1
        {
            words.remove(0);
        } else {
            break;
        }
    }
    words.join(" ")
}

pub(super) fn lone_city(text: &str) -> Option<PostalAddress> {
    let words = tokens(text);
    // Under a label a whole line that is a place's name is that place, whichever the rest of the site decides it is.
    let whole = text.trim().trim_end_matches(['.', ',']);
    let named = whole.chars().next().is_some_and(|letter| letter.is_uppercase() || !letter.is_ascii()) && whole.chars().count() > 2;
    if named && places::country_of_city(whole).is_none() && !places::is_wide(whole) && !is_no_city(whole) && places::is_large_place(whole) {
        return Some(PostalAddress { city: Some(tidy_city(whole)), ..PostalAddress::default() });
    }
    let (at, len, country) = places::city_in(&words)?;
    if words.len() > len + 4 {
        return None;
    }
    let city = original(text, &words[at..at + len])?;
    Some(PostalAddress { city: Some(city), country: Some(country.to_owned()), country_inferred: true, ..PostalAddress::default() })
}

/// The printed form of folded words inside a text.
pub(super) fn original(text: &str, words: &[String]) -> Option<String> {
    let pieces: Vec<&str> = text
        .split(|letter: char| {
            letter.is_whitespace() || matches!(letter, ',' | '.' | '|' | '·' | '(' | ')' | ';' | ':' | '/' | '—' | '–' | '•' | '!')
        })
        .filter(|piece| !piece.is_empty())
        .collect();
    let wanted = words.join(" ");
    for len in 1..=3 {
        for window in pieces.windows(len) {
            let joined = window.join(" ");
            if tokens(&joined).join(" ") == wanted {
                return Some(tidy_city(&joined));
            }
        }
    }
    None
}
