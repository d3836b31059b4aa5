//! What the site calls itself, who the artist is, and in which shop they work.

use super::super::extractors::cards::name_like;
use super::super::finding::{Field, Finding, Place};
use super::super::lexicon::{self, role_exact};
use super::super::places;
use super::super::text::{cut, fold, tokens};
use super::facts::SiteKind;
use super::resolve::Site;
use std::collections::HashMap;
use url::Url;

/// Words of a name that say only what the trade is.
const TRADE: &[&str] = &[
    "tattoo",
    "tattoos",
    "tattooing",
    "tattooer",
    "tattooist",
    "tatto",
    "studio",
    "studios",
    "tattoostudio",
    "tattooshop",
    "shop",
    "parlor",
    "parlour",
    "the",
    "official",
    "artist",
    "artists",
    "art",
    "arts",
    "tattooart",
    "ink",
    "tatuajes",
    "tatuaje",
    "estudio",
    "de",
    "tatuagem",
    "tatuagens",
    "tatouage",
    "tatouages",
    "salon",
    "tatuaggi",
    "tatuaz",
    "tatuazu",
    "tatuador",
    "tatuadora",
    "tatoueur",
    "tatoueuse",
    "tatuatore",
    "tatuatrice",
    "prive",
    "private",
    "by",
    "piercing",
    "piercings",
    "&",
    "and",
    "y",
    "e",
    "und",
    "et",
    "website",
    "home",
    "portfolio",
    "atelier",
    "company",
    "co",
    "тату",
    "студия",
    "салон",
    "мастер",
    "custom",
    "gallery",
    "logo",
    "handpoke",
    "collective",
    "tatowierer",
    "tatowiererin",
    "kunstler",
    "kunstlerin",
    "tetovani",
    "studios",
    "llc",
    "inc",
    "ltd",
    "gmbh",
];

/// Names that are nobody's.
const NOBODY: &[&str] = &[
    "document",
    "untitled",
    "untitled document",
    "home",
    "homepage",
    "index",
    "digital portfolio",
    "portfolio",
    "website",
    "my website",
    "welcome",
    "vite app",
    "react app",
    "my site",
    "new page",
    "page",
    "loading",
    "gallery",
    "contact",
    "about",
    "menu",
    "book now",
    "booking",
    "untitled page",
    "site",
    "web",
    "inicio",
    "accueil",
    "startseite",
    "strona glowna",
    "coming soon",
    "vite react ts",
    "vite react",
    "next app",
    "create next app",
    "logo",
    "404",
    "error",
    "lorem ipsum",
    "title",
    "back to home",
    "tattoo artist",
    "tattooer",
    "tattooist",
];

/// A person named on the pages.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub name: String,
    pub weight: f32,
    /// "My name is …", "I'm …".
    pub introduces: bool,
    pub page: Url,
    pub extractor: String,
}

/// The words of a name that are its own, joined.
pub(crate) fn core_key(name: &str) -> String {
    let words = tokens(name);
    let own: Vec<&String> = words.iter().filter(|word| !TRADE.contains(&word.as_str())).collect();
    own.into_iter().map(String::as_str).collect::<Vec<_>>().join("")
}

/// The name without words of the trade at its ends: "Mila Vento Tattoo" → "Mila Vento".
pub(crate) fn bare_name(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    let trade = |word: &str| tokens(word).iter().all(|part| TRADE.contains(&part.as_str()) && part != "ink");
    while words.len() > 1 && words.last().is_some_and(|word| trade(word)) {
        words.pop();
    }
    while words.len() > 1 && words.first().is_some_and(|word| trade(word)) {
        words.remove(0);
    }
    words.join(" ")
}

const LEADS: &[&str] = &[
    "welcome to ",
    "welkom bij ",
    "willkommen bei ",
    "willkommen im ",
    "bienvenidos a ",
    "bienvenido a ",
    "bem vindo ao ",
    "bem-vindo ao ",
    "bem-vindo a ",
    "bienvenue chez ",
    "bienvenue a ",
    "benvenuti da ",
    "benvenuti in ",
    "benvenuto da ",
    "witamy w ",
    "vitejte v ",
    "about ",
    "meet ",
    "contact ",
    "salon ",
    "welcome at ",
];

/// Pieces of a title, heading or brand line that could be a name.
fn pieces(text: &str) -> Vec<String> {
    let mut parts: Vec<&str> = vec![text];
    for cutter in ["|", " – ", " — ", " - ", " · ", "•", " :: ", ": ", "»", " / ", " // ", "~"] {
        parts = parts.into_iter().flat_map(|part| part.split(cutter)).collect();
    }
    let mut out = Vec::new();
    for part in parts {
        let mut part = part.trim().trim_matches(['"', '“', '”', '.', ',', '!', '-', '–', '—', '©', '®', '™', '@', '*', ' ', '„']).trim();
        let folded = fold(part);
        for lead in LEADS {
            if folded.starts_with(lead) && lead.is_ascii() {
                part = cut_start(part, lead.chars().count());
                break;
            }
        }
        // "Tattoo Art by Mila Vento", "Tattoos von Mila Vento"
        if let Some((_, after)) = [" by ", " von ", " par "].iter().find_map(|by| part.split_once(by)) {
            if after.split_whitespace().count() <= 4 {
                out.push(after.trim().to_owned());
            }
        }
        out.push(part.trim().to_owned());
    }
    out
}

fn cut_start(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or("", |(at, _)| text[at..].trim())
}

/// Could this be the name of a site at all?
fn plausible(site: &Site<'_>, name: &str) -> bool {
    let folded = fold(name);
    let words = tokens(name);
    let count = name.chars().count();
    if !(2..=48).contains(&count)
        || words.is_empty()
        || words.len() > 6
        || NOBODY.contains(&folded.as_str())
        || role_exact(name) != super::super::finding::PageRole::Other
    {
        return false;
    }
    if core_key(name).is_empty() || core_key(name).chars().count() < 2 {
        return false;
    }
    if places::is_wide(name) || places::country_of_city(name).is_some() || super::super::extractors::address::pair(name, true).is_some() {
        return false;
    }
    let covered: usize = site.vocabulary.hits(&words).iter().map(|hit| hit.end - hit.start).sum();
    let trade = words.iter().filter(|word| TRADE.contains(&word.as_str())).count();
    if covered + trade >= words.len() {
        return false;
    }
    // Sentences and slogans: a verb's place is hard to tell, but small words in a row are not a name.
    let lower = name.split_whitespace().filter(|word| word.chars().next().is_some_and(char::is_lowercase)).count();
    let total = name.split_whitespace().count();
    !(total >= 3 && lower * 2 > total) && !name.contains('?') && !(name.contains(',') && total > 3)
}

/// Every candidate for the site's name with its weight.
fn candidates(site: &Site<'_>) -> Vec<(String, f32, Url, String)> {
    let mut out: Vec<(String, f32, Url, String)> = Vec::new();
    for (at, page) in site.pages.iter().enumerate() {
        let member = site.is_member_page(page);
        let page_factor = if at == 0 {
            1.0
        } else if member {
            0.15
        } else {
            0.3
        };
        let mut seen: Vec<(String, Place)> = Vec::new();
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Name) {
            let Some(text) = finding.value.text() else { continue };
            let person = finding.place == Place::JsonLd && finding.context.starts_with("person");
            if person
                || finding.context == "author"
                || finding.context.starts_with("dc.")
                || finding.card.is_some()
                || finding.context.starts_with("self")
            {
                continue;
            }
            for (order, piece) in pieces(text).into_iter().enumerate() {
                if !plausible(site, &piece) {
                    continue;
                }
                let key = (core_key(&piece), finding.place);
                if seen.contains(&key) {
                    continue;
                }
                seen.push(key);
                let weight = finding.confidence * page_factor * if order == 0 { 1.0 } else { 0.8 };
                out.push((piece, weight, page.url.clone(), finding.extractor.to_string()));
            }
        }
    }
    out
}

fn clusters(site: &Site<'_>) -> Vec<(String, f32, Vec<(String, f32, Url, String)>)> {
    let mut map: HashMap<String, Vec<(String, f32, Url, String)>> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    for candidate in candidates(site) {
        let key = core_key(&candidate.0);
        if !map.contains_key(&key) {
            order.push(key.clone());
        }
        map.entry(key).or_default().push(candidate);
    }
    let mut out: Vec<(String, f32, Vec<_>)> = order
        .into_iter()
        .map(|key| {
            let list = map.remove(&key).unwrap_or_default();
            (key, list.iter().map(|(_, weight, ..)| weight).sum(), list)
        })
        .collect();
    out.sort_by(|left, right| right.1.total_cmp(&left.1));
    out
}

/// The strongest name of the site, whatever it is.
pub(crate) fn site_name(site: &Site<'_>) -> Option<String> {
    clusters(site).first().map(|(_, _, list)| best_form(list))
}

/// Of several spellings the one with the most weight; capitals throughout lose against a mixed spelling.
fn best_form(list: &[(String, f32, Url, String)]) -> String {
    let mut forms: Vec<(String, f32)> = Vec::new();
    for (name, weight, ..) in list {
        match forms.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += weight,
            None => forms.push((name.clone(), *weight)),
        }
    }
    forms.sort_by(|left, right| {
        let shout = |name: &str| name.chars().filter(|letter| letter.is_alphabetic()).all(char::is_uppercase) && name.chars().count() > 3;
        shout(&left.0).cmp(&shout(&right.0)).then(right.1.total_cmp(&left.1))
    });
    forms.into_iter().next().map(|(name, _)| name).unwrap_or_default()
}

/// People the pages name as the one who tattoos here.
pub(crate) fn people(site: &Site<'_>) -> Vec<Person> {
    let mut out: Vec<Person> = Vec::new();
    let mut add = |name: &str, weight: f32, introduces: bool, finding: &Finding| {
        let name = bare_name(name);
        if !name_like(&name, site.vocabulary) || core_key(&name).is_empty() {
            return;
        }
        match out.iter_mut().find(|person| fold(&person.name) == fold(&name)) {
            Some(person) => {
                person.weight += weight;
                person.introduces |= introduces;
            }
            None => out.push(Person { name, weight, introduces, page: finding.page.clone(), extractor: finding.extractor.to_string() }),
        }
    };
    for (at, page) in site.pages.iter().enumerate() {
        if site.is_member_page(page) {
            continue;
        }
        let factor = if at == 0 { 1.0 } else { 0.4 };
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Name && finding.card.is_none()) {
            let Some(text) = finding.value.text() else { continue };
            if finding.context.starts_with("self") {
                add(text, 0.9 * factor, true, finding);
                continue;
            }
            if finding.place == Place::JsonLd && finding.context.starts_with("person") {
                add(text, 0.9 * factor, false, finding);
                continue;
            }
            for piece in pieces(text) {
                let bare = bare_name(&piece);
                let words = bare.split_whitespace().count();
                if (2..=3).contains(&words)
                    && plausible(site, &piece)
                    && bare.split_whitespace().all(|word| word.chars().next().is_some_and(char::is_uppercase))
                {
                    add(&bare, finding.confidence * factor * 0.8, false, finding);
                }
            }
        }
    }
    out.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    out
}

/// The name to show.
pub(crate) fn resolve(site: &mut Site<'_>, people: &[Person]) -> Option<String> {
    let clusters = clusters(site);
    let top = clusters.first().cloned();
    if site.kind == SiteKind::Artist {
        let introduced = people.iter().find(|person| person.introduces && person.name.split_whitespace().count() >= 2);
        let known = people.iter().find(|person| person.name.split_whitespace().count() >= 2 && person.weight >= 0.8);
        let top_key = top.as_ref().map(|(key, ..)| key.clone()).unwrap_or_default();
        let same = people.iter().find(|person| core_key(&person.name) == top_key && person.name.split_whitespace().count() >= 2);
        if let Some(person) =
            introduced.or(same).or(known.filter(|person| top.as_ref().is_none_or(|(_, weight, _)| person.weight * 1.5 >= *weight)))
        {
            let name = proper(&person.name);
            let (page, extractor) = (person.page.clone(), person.extractor.clone());
            site.note("name", &name, &page, &extractor, 0.8);
            return Some(name);
        }
    }
    let Some((_, weight, list)) = top else {
        let person = people.first()?;
        site.note("name", &person.name, &person.page, &person.extractor, 0.5);
        return Some(person.name.clone());
    };
    let name = proper(&best_form(&list));
    if let Some((_, _, page, extractor)) = list.first() {
        site.note("name", &name, page, extractor, (weight / 2.0).min(0.99));
    }
    Some(name)
}

/// A name in capitals throughout is written as a name.
fn proper(name: &str) -> String {
    let letters: Vec<char> = name.chars().filter(|letter| letter.is_alphabetic()).collect();
    if letters.len() < 5 || !letters.iter().all(|letter| letter.is_uppercase()) || !name.contains(' ') {
        return name.to_owned();
    }
    let mut out = String::new();
    let mut first = true;
    for letter in name.chars() {
        if first {
            out.push(letter)
        } else {
            out.extend(letter.to_lowercase())
        }
        first = !letter.is_alphabetic() && letter != '\'' && letter != '’';
    }
    out
}

/// Where an artist works, when a page says so.
pub(crate) fn studio_of_artist(site: &mut Site<'_>) -> Option<String> {
    let own = site.name.as_deref().map(core_key).unwrap_or_default();
    let mut best: Option<(String, f32, Url, String)> = None;
    for finding in site.pages.iter().flat_map(|page| &page.findings).filter(|finding| finding.field == Field::Studio) {
        let Some(text) = finding.value.text() else { continue };
        let key = core_key(text);
        if key.is_empty()
            || (key == own && finding.confidence < 0.8)
            || lexicon::role_of(text) != super::super::finding::PageRole::Other && tokens(text).len() < 2
        {
            continue;
        }
        if finding.confidence >= 0.5 && best.as_ref().is_none_or(|(_, weight, ..)| finding.confidence > *weight) {
            best = Some((cut(text, 60).to_owned(), finding.confidence, finding.page.clone(), finding.extractor.to_string()));
        }
    }
    let (name, weight, page, extractor) = best?;
    site.note("studio", &name, &page, &extractor, weight);
    Some(name)
}
