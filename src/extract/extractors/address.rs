//! Addresses printed in text: street lines, postal codes with cities, "City, Country", map links.

use super::super::finding::{Field, Place, PostalAddress};
use super::super::places;
use super::super::text::{clean, cut, fold, sentences, tokens};
use super::handles::percent_decoded;
use super::{At, PageView, Sink};
use regex::Regex;
use std::sync::LazyLock;

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the expression is a constant of this file")
}

/// A place name: capitalised words joined by spaces, hyphens and small particles.
const NAME: &str = r"\p{Lu}[\p{L}'’.]*(?:[ -](?:\p{Lu}[\p{L}'’.]*|am|an|der|den|de|del|della|di|da|do|dos|la|las|le|les|los|lès|sur|sous|en|op|aan|bei|im|in|upon|on|y|d'\p{L}+|l'\p{L}+)){0,4}";

static NORTH_AMERICA: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(r"(?:^|[,\n·|•–—-]\s*|\s)({NAME}),?\s+([A-Z]{{2}})\.?,?\s+(\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d)\b"))
});
static AUSTRALIA: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"(?:^|[,\n·|•]\s*|\s)({NAME}),?\s+(NSW|VIC|QLD|WA|SA|TAS|ACT|NT),?\s+(\d{{4}})\b")));
static BRITAIN: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"(?:^|[,\n·|•]\s*|\s)({NAME})[,.\s]+((?:[A-Z]{{1,2}}\d[A-Z\d]?)\s*\d[A-Z]{{2}})\b")));
static POSTCODE_CITY: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:^|[\s,(·|•-])(?:([A-Z]{{1,2}})[- ])?(\d{{4}}\s?[A-Z]{{2}}|\d{{2}}-\d{{3}}|\d{{3}} \d{{2}}|\d{{5}}-?\d{{0,3}}|\d{{4}}-\d{{3}}|\d{{4}})[,\s]\s*({NAME})(?:\s*\(?\b([A-Z]{{2}})\b\)?)?"
    ))
});
static CITY_POSTCODE: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(r"(?:^|[,\n·|•]\s*)({NAME})[,\s]\s*(?:CEP\s*)?(\d{{5}}-\d{{3}}|\d{{6}}|\d{{5}}|\d{{3}}-\d{{4}})\b"))
});
static MAP_QUERY: LazyLock<Regex> = LazyLock::new(|| expression(r"[?&](?:q|query|daddr|destination|address)=([^&#]+)"));
static MAP_NAME: LazyLock<Regex> = LazyLock::new(|| expression(r"!2s([^!]+)"));
static BASED: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:\b(?i:based in|located in|studio in|shop in|tattoos? in|artist in|tattooer in|tattooing in|based out of|live in|work in|working in|piercing in|parlou?r in|ubicad[oa] en|tatuajes en|tatuador en|tatuadora en|estudio en|resido en|radicad[oa] en|tatuagem em|tatuador em|est[uú]dio em|tatuadora em|tatoueu[rs]e? [àa]|bas[ée]e? [àa]|tatouage [àa]|salon [àa]|studio [àa]|install[ée]e? [àa]|in|aus|tattoo studio|tattoostudio|tatuatore a|tatuatrice a|tatuaggi a|studio a|con sede a|gevestigd in|tattooshop|tattooshop in|tatua[zż] w|studio w|studio tatua[zż]u w|tetov[aá]n[ií] v|тату (?:в|салон)|мастер в|студия в|в городе|г\.|город)\s+)({NAME})"
    ))
});
static PAIR: LazyLock<Regex> = LazyLock::new(|| expression(&format!(r"({NAME})\s*[,(·|/–—-]\s*({NAME}|[A-Z]{{2,3}})\b")));

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Quote | Place::Credit) || block.text.chars().count() > 1_500 {
            continue;
        }
        let card = view.card_of_block(index as u32);
        let heading = page.heading_text(block.heading);
        let tagged = page.lineage(block.element).take(2).any(|element| {
            element.is("address")
                || element.hints(&["address", "adres", "adresse", "direccion", "indirizzo", "endereco", "location", "ubicacion"])
        });
        let label = index.checked_sub(1).map(|at| cut(&page.blocks[at].text, 60).to_owned()).unwrap_or_default();
        let labelled = tagged || is_label(&label) || is_label(cut(&block.text, 30)) || is_label(&heading);
        let context = format!("{} | {}", cut(&label, 60), cut(&heading, 60));
        let text = block.text.replace('\n', ", ");
        if let Some(address) = printed(&text) {
            let confidence = if labelled {
                0.85
            } else if matches!(block.place, Place::Form) {
                0.3
            } else {
                0.75
            };
            sink.address(address, At::new(block.place, confidence).card(card).context(&context));
            continue;
        }
        // Lines of one address are often blocks of their own.
        if let Some(next) = page.blocks.get(index + 1).filter(|next| {
            next.level == 0
                && next.element != block.element
                && text.chars().count() < 80
                && next.text.chars().count() < 80
                && text.chars().any(|letter| letter.is_ascii_digit())
        }) {
            if printed(&next.text).is_none() && next.text.chars().any(char::is_alphabetic) && labelled {
                if let Some(address) = printed(&format!("{text}, {}", next.text.replace('\n', ", "))) {
                    sink.address(address, At::new(block.place, 0.7).card(card).context(&context));
                    continue;
                }
            }
        }
        if text.chars().count() < 160 {
            if let Some(address) = pair(&text, labelled) {
                let confidence = if labelled {
                    0.7
                } else if block.place == Place::Footer || block.level > 0 {
                    0.55
                } else {
                    0.5
                };
                sink.address(address, At::new(block.place, confidence).card(card).context(&context));
                continue;
            }
            if labelled && block.level == 0 {
                if let Some(address) = lone_city(&text) {
                    sink.address(address, At::new(block.place, 0.5).card(card).context(&context));
                    continue;
                }
            }
        }
        if block.place != Place::Nav && block.place != Place::Form {
            read_sentences(&text, block.place, 0.4, card, sink);
        }
    }
    for link in &page.links {
        if let Some(url) = link.url.as_ref().filter(|url| is_map(url.as_str())) {
            map(url.as_str(), view, sink);
        }
    }
    for frame in page.frames.iter().filter(|frame| is_map(frame)) {
        map(frame, view, sink);
    }
}

fn is_map(link: &str) -> bool {
    let head: String = link.chars().take(60).collect::<String>().to_lowercase();
    (head.contains("google.") && head.contains("/maps"))
        || head.contains("maps.google")
        || head.contains("maps.apple.com")
        || head.contains("openstreetmap")
        || head.contains("yandex") && head.contains("maps")
}

fn map(link: &str, view: &PageView<'_>, sink: &mut Sink<'_>) {
    let link = cut(link, 1_500);
    let at = || At::new(Place::Main, 0.6).context("map");
    if let Some(found) = MAP_QUERY.captures(link) {
        let text = clean(&percent_decoded(&found[1]), 200);
        if let Some(mut address) = printed(&text) {
            address.venue = None;
            sink.address(address, at());
        } else if let Some(address) = pair(&text, true) {
            sink.address(address, At::new(Place::Main, 0.45).context("map"));
        }
    }
    if let Some(found) = MAP_NAME
        .captures_iter(link)
        .map(|found| clean(&percent_decoded(&found[1]), 120))
        .find(|name| name.chars().any(char::is_alphabetic) && !name.starts_with("0x") && name.chars().count() > 3)
    {
        if let Some(address) = printed(&found) {
            sink.address(address, at());
        } else if fold(&found).contains("tattoo") || fold(&found).contains("tatu") {
            sink.text(Field::Studio, &found, At::new(Place::Main, 0.3).context("map"));
        }
    }
    let _ = view;
}

fn is_label(text: &str) -> bool {
    let words = tokens(text);
    super::super::lexicon::holds_any(
        &words,
        &[
            "address",
            "location",
            "find us",
            "visit us",
            "visit",
            "where",
            "studio",
            "direccion",
            "ubicacion",
            "endereco",
            "localizacao",
            "adresse",
            "anschrift",
            "standort",
            "indirizzo",
            "dove siamo",
            "sede",
            "adres",
            "locatie",
            "vestiging",
            "adresa",
            "адрес",
            "адреса",
            "как добраться",
            "based in",
            "shop",
            "lugar",
            "ciudad",
            "city",
            "lieu",
            "stadt",
            "住所",
            "所在地",
            "gdzie jestesmy",
            "kde nas najdete",
        ],
    )
}

/// The address in one line of text, if it holds a postal code with a city.
pub(crate) fn printed(text: &str) -> Option<PostalAddress> {
    let text = clean(text, 400);
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    if let Some(found) = NORTH_AMERICA.captures(text) {
        let digits = found[3].chars().filter(char::is_ascii_digit).count();
        if let Some(country) = places::country_of_region_code(&found[2], if digits == 3 { 0 } else { digits }) {
            return finish(
                text,
                found.get(1)?.start(),
                city_after_street(&found[1]),
                Some(found[2].to_owned()),
                Some(found[3].to_owned()),
                Some(country),
                found.get(0)?.end(),
            );
        }
    }
    if let Some(found) = AUSTRALIA.captures(text) {
        return finish(
            text,
            found.get(1)?.start(),
            city_after_street(&found[1]),
            Some(found[2].to_owned()),
            Some(found[3].to_owned()),
            Some("AU"),
            found.get(0)?.end(),
        );
    }
    if let Some(found) = BRITAIN.captures(text).filter(|found| british(&found[2])) {
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
        if year && !street || (code.len() == 4 && !street && named.is_none() && prefixed.is_none()) || is_no_city(&city) {
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
        let region = found
            .get(4)
            .map(|code| code.as_str().to_owned())
            .filter(|code| named.is_some() || places::country_by_code(code).is_none() || code.len() == 2);
        let mut address =
            finish(text, found.get(2)?.start(), city, region, Some(code), named.or(prefixed).or(shaped), found.get(3)?.end())?;
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

fn british(code: &str) -> bool {
    let code: Vec<char> = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    (5..=7).contains(&code.len()) && !code[..2].iter().all(char::is_ascii_digit)
}

/// "Division St Portland" is a street and a city in one run of capitals: what follows the kind of street is the city.
fn city_after_street(run: &str) -> String {
    let words: Vec<&str> = run.split(' ').collect();
    let street = words.iter().rposition(|word| {
        [
            "st",
            "street",
            "ave",
            "avenue",
            "rd",
            "road",
            "blvd",
            "boulevard",
            "dr",
            "drive",
            "ln",
            "lane",
            "way",
            "hwy",
            "highway",
            "pkwy",
            "parkway",
            "ct",
            "court",
            "pl",
            "place",
            "sq",
            "square",
            "suite",
            "ste",
            "unit",
            "floor",
            "cres",
            "crescent",
            "terrace",
            "parade",
            "n",
            "s",
            "e",
            "w",
            "ne",
            "nw",
            "se",
            "sw",
        ]
        .contains(&word.to_lowercase().trim_end_matches('.').trim_end_matches(','))
    });
    // "St. Louis" begins with the word and is a city.
    match street {
        Some(at) if at > 0 && at + 1 < words.len() => words[at + 1..].join(" "),
        _ => run.to_owned(),
    }
}

fn has_street_word(text: &str) -> bool {
    let words = tokens(text);
    super::super::lexicon::holds_any(
        &words,
        &[
            "street",
            "st",
            "road",
            "rd",
            "avenue",
            "ave",
            "lane",
            "calle",
            "carrera",
            "avenida",
            "av",
            "rua",
            "travessa",
            "rue",
            "boulevard",
            "place",
            "quai",
            "via",
            "viale",
            "piazza",
            "corso",
            "piazzetta",
            "plaza",
            "passeig",
            "carrer",
            "ul",
            "ulica",
            "al",
            "ulice",
            "namesti",
            "ул",
            "улица",
            "пр",
            "проспект",
            "вул",
            "вулиця",
            "strasse",
            "str",
            "platz",
            "weg",
            "allee",
            "gasse",
            "straat",
            "laan",
            "plein",
            "kade",
            "gracht",
        ],
    ) || words.iter().any(|word| {
        word.len() > 6
            && ["strasse", "straat", "weg", "platz", "gasse", "allee", "laan", "plein", "steenweg", "gatan", "vagen", "veien"]
                .iter()
                .any(|end| word.ends_with(end))
    })
}

fn is_no_city(text: &str) -> bool {
    let words = tokens(text);
    words.iter().any(|word| {
        [
            "tattoo",
            "tattoos",
            "tatuajes",
            "tatuaje",
            "kunden",
            "clients",
            "euro",
            "eur",
            "usd",
            "uhr",
            "years",
            "jahre",
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
            "januar",
            "februar",
            "marz",
            "mai",
            "juni",
            "juli",
            "oktober",
            "dezember",
            "enero",
            "febrero",
            "marzo",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
            "janvier",
            "fevrier",
            "mars",
            "avril",
            "juin",
            "juillet",
            "aout",
            "septembre",
            "octobre",
            "novembre",
            "decembre",
            "all",
            "copyright",
            "monday",
            "sunday",
            "instagram",
            "tel",
            "telefon",
            "phone",
            "email",
            "studio",
            "ink",
            "art",
            "de",
            "cup",
            "rub",
            "by",
            "from",
            "facebook",
            "whatsapp",
            "book",
            "contact",
            "home",
            "portfolio",
            "gallery",
            "about",
            "rights",
            "reserved",
            "open",
            "closed",
            "mon",
            "tue",
            "wed",
            "thu",
            "fri",
            "sat",
            "sun",
            "lun",
            "mar",
            "mer",
            "jeu",
            "ven",
            "sam",
            "dim",
            "mo",
            "di",
            "mi",
            "do",
            "fr",
            "sa",
            "so",
            "lic",
            "iva",
        ]
        .contains(&word.as_str())
            && words.len() < 3
    }) || words.is_empty()
        || has_street_word(text) && words.len() < 3
}

#[allow(clippy::too_many_arguments)]
fn finish(
    text: &str,
    start: usize,
    city: String,
    region: Option<String>,
    postcode: Option<String>,
    country: Option<&str>,
    end: usize,
) -> Option<PostalAddress> {
    let named = text[end..].split([',', '·', '|', '(', ')']).map(str::trim).find_map(places::country_by_name);
    let street = text[..start].trim().trim_end_matches([',', '·', '|', '-', '–']).trim();
    let street = street.rsplit(['|', '•', '·']).next().unwrap_or_default().trim();
    let street = street.rsplit_once(':').map_or(street, |(_, after)| after.trim());
    let venue = street
        .split_once(',')
        .filter(|(name, rest)| !name.chars().any(|letter| letter.is_ascii_digit()) && rest.chars().any(|letter| letter.is_ascii_digit()))
        .map(|(name, _)| name.trim().to_owned());
    let street = venue.as_ref().and_then(|name| street.strip_prefix(name.as_str())).unwrap_or(street).trim_start_matches([',', ' ']);
    let city = tidy_city(&city);
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
fn tidy_city(city: &str) -> String {
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

/// "City, Country" or "City, Region": the second part must be known.
pub(crate) fn pair(text: &str, labelled: bool) -> Option<PostalAddress> {
    let text = clean(text, 300);
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
        let city = strip_lead(&city, before);
        if city.is_empty() {
            continue;
        }
        let known = places::country_of_city(&city);
        if let Some(country) = country {
            return Some(PostalAddress { city: Some(city), country: Some(country.to_owned()), ..PostalAddress::default() });
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

/// "Based in Portland" and "Salon Mashinka - Herblay": leading words that are no part of the name.
fn strip_lead(city: &str, _before: &str) -> String {
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

fn lone_city(text: &str) -> Option<PostalAddress> {
    let words = tokens(text);
    let (at, len, country) = places::city_in(&words)?;
    if words.len() > len + 4 {
        return None;
    }
    let city = original(text, &words[at..at + len])?;
    Some(PostalAddress { city: Some(city), country: Some(country.to_owned()), country_inferred: true, ..PostalAddress::default() })
}

/// The printed form of folded words inside a text.
fn original(text: &str, words: &[String]) -> Option<String> {
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

/// A place named in a sentence of a title or a description.
pub(crate) fn read_sentence(text: &str, place: Place, confidence: f32, sink: &mut Sink<'_>) {
    read_sentences(text, place, confidence, None, sink);
}

fn read_sentences(text: &str, place: Place, confidence: f32, card: Option<u16>, sink: &mut Sink<'_>) {
    for sentence in sentences(cut(text, 1_500)).into_iter().take(20) {
        if let Some(address) = pair(sentence, false) {
            sink.address(address, At::new(place, confidence).card(card).context(sentence));
            continue;
        }
        let words = tokens(sentence);
        if let Some(found) = BASED.captures(sentence) {
            let name = tidy_city(&found[1]);
            let name = name.split([',', '.']).next().unwrap_or_default().trim().to_owned();
            if let Some(country) = places::country_of_city(&name) {
                let address = PostalAddress {
                    city: Some(name),
                    country: Some(country.to_owned()),
                    country_inferred: true,
                    ..PostalAddress::default()
                };
                sink.address(address, At::new(place, confidence).card(card).context(sentence));
                continue;
            }
            if !places::is_wide(&name) && !is_no_city(&name) && name.chars().count() >= 3 && matches!(place, Place::Title | Place::Meta) {
                let address = PostalAddress { city: Some(name), ..PostalAddress::default() };
                sink.address(address, At::new(place, confidence * 0.7).card(card).context(sentence));
                continue;
            }
        }
        if matches!(place, Place::Title | Place::Meta | Place::Heading | Place::Footer | Place::Header) || words.len() <= 12 {
            if let Some((at, len, country)) = places::city_in(&words) {
                if let Some(city) = original(sentence, &words[at..at + len])
                    .filter(|city| city.chars().next().is_some_and(|letter| letter.is_uppercase() || !letter.is_ascii()))
                {
                    let address = PostalAddress {
                        city: Some(city),
                        country: Some(country.to_owned()),
                        country_inferred: true,
                        ..PostalAddress::default()
                    };
                    sink.address(address, At::new(place, confidence * 0.8).card(card).context(sentence));
                }
            }
        }
    }
}
