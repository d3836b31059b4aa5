//! What could be the name of a site: pieces of titles, headings and brand lines, gathered by their own words.

use crate::extract::finding::{Field, Place};
use crate::extract::lexicon::{self, listed, role_exact};
use crate::extract::places;
use crate::extract::site::resolve::Site;
use crate::extract::text::{fold, tokens};
use url::Url;

/// Something a page says, with its weight and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub text: String,
    pub weight: f32,
    pub page: Url,
    pub extractor: String,
}

/// Spellings of one name.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// The own words of the name, joined.
    pub key: String,
    pub weight: f32,
    pub claims: Vec<Claim>,
}

/// The words of a name that are its own, joined.
pub(crate) fn core_key(name: &str) -> String {
    let words = tokens(name);
    let own: Vec<&String> = words.iter().filter(|word| !listed(&lexicon::words().name_trade, word)).collect();
    own.into_iter().map(String::as_str).collect::<Vec<_>>().join("")
}

/// The name without words of the trade at its ends: "Mila Vento Tattoo" → "Mila Vento".
pub(crate) fn bare_name(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    let trade = |word: &str| tokens(word).iter().all(|part| listed(&lexicon::words().name_trade, part) && part != "ink");
    while words.len() > 1 && words.last().is_some_and(|word| trade(word)) {
        words.pop();
    }
    while words.len() > 1 && words.first().is_some_and(|word| trade(word)) {
        words.remove(0);
    }
    words.join(" ")
}

pub(super) const LEADS: &[&str] = &[
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
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut parts: Vec<&str> = vec![text];
    for cutter in ["|", " – ", " — ", " - ", " · ", "•", " :: ", ": ", "»", " / ", " // ", "~"] {
        parts = parts.into_iter().flat_map(|part| part.split(cutter)).collect();
    }
    let mut out = Vec::new();
    for part in parts {
        let mut part = part.trim().trim_matches(['"', '“', '”', '.', ',', '!', '-', '–', '—', '©', '®', '™', '@', '*', ' ', '„']).trim();
        // "Tattoo Co." keeps its point.
        let abbreviated = ["Co", "Inc", "Ltd", "Bros", "St", "LLC"].iter().any(|end| part.ends_with(&format!(" {end}")));
        if abbreviated && text.contains(&format!("{part}.")) {
            part = &text[text.find(part).unwrap_or(0)..][..part.len() + 1];
        }
        let folded = fold(part);
        for lead in LEADS {
            if folded.starts_with(lead) && lead.is_ascii() {
                part = cut_start(part, lead.chars().count());
                break;
            }
        }
        // "Tattoo Art by Mila Vento", "Tattoos von Mila Vento"
        if let Some((_, after)) = [" by ", " von ", " par "].iter().find_map(|by| part.split_once(by))
            && after.split_whitespace().count() <= 4
        {
            out.push(after.trim().to_owned());
        }
        out.push(part.trim().to_owned());
    }
    out
}

pub(super) fn cut_start(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or("", |(at, _)| text[at..].trim())
}

/// Could this be the name of a site at all?
pub(super) fn plausible(site: &Site<'_>, name: &str) -> bool {
    let folded = fold(name);
    let words = tokens(name);
    let count = name.chars().count();
    if !(2..=48).contains(&count)
        || words.is_empty()
        || words.len() > 6
        || listed(&lexicon::words().nobody, &folded)
        || role_exact(name) != crate::extract::finding::PageRole::Other
    {
        return false;
    }
    if core_key(name).is_empty() || core_key(name).chars().count() < 2 {
        return false;
    }
    if places::is_wide(name) || places::country_of_city(name).is_some() || crate::extract::extractors::address::pair(name, true).is_some() {
        return false;
    }
    let covered: usize = site.vocabulary.hits(&words).iter().map(|hit| hit.end - hit.start).sum();
    let trade = words.iter().filter(|word| listed(&lexicon::words().name_trade, word)).count();
    if covered + trade >= words.len() {
        return false;
    }
    // Sentences and slogans: a verb's place is hard to tell, but small words in a row are not a name.
    let lower = name.split_whitespace().filter(|word| word.chars().next().is_some_and(char::is_lowercase)).count();
    let total = name.split_whitespace().count();
    let slogan = total >= 3 && lower * 2 > total;
    let listing = total > 3 && name.contains(',');
    !slogan && !listing && !name.contains('?')
}

/// Every candidate for the site's name with its weight.
pub(super) fn candidates(site: &Site<'_>) -> Vec<Claim> {
    let mut out: Vec<Claim> = Vec::new();
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
            let Some(text) = finding.value.text() else {
                continue;
            };
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
                out.push(Claim { text: piece, weight, page: page.url.clone(), extractor: finding.extractor.to_string() });
            }
        }
    }
    out
}

/// Claims whose own words are the same, the strongest name first.
pub(super) fn clusters(site: &Site<'_>) -> Vec<Cluster> {
    let mut out: Vec<Cluster> = Vec::new();
    for claim in candidates(site) {
        let key = core_key(&claim.text);
        match out.iter_mut().find(|cluster| cluster.key == key) {
            Some(cluster) => {
                cluster.weight += claim.weight;
                cluster.claims.push(claim);
            }
            None => out.push(Cluster { key, weight: claim.weight, claims: vec![claim] }),
        }
    }
    out.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    join_cities(&mut out);
    out
}

/// "Copper Fox Tattoo Hamburg" in a title is "Copper Fox Tattoo" where the pages also say that alone: the city tells where.
fn join_cities(clusters: &mut Vec<Cluster>) {
    let at_city = |long: &Cluster, short: &Cluster| {
        long.claims.iter().any(|claim| {
            let words: Vec<&str> = claim.text.split_whitespace().collect();
            (1..=3.min(words.len().saturating_sub(1))).any(|len| {
                let (name, city) = words.split_at(words.len() - len);
                places::country_of_city(&city.join(" ")).is_some()
                    && short.claims.iter().any(|claim| fold(&claim.text) == fold(name.join(" ").trim_end_matches([',', '-'])))
            })
        })
    };
    let mut at = 0;
    while at < clusters.len().min(8) {
        let shorter = (0..clusters.len().min(8)).find(|other| {
            *other != at && clusters[*other].weight >= clusters[at].weight * 0.5 && at_city(&clusters[at], &clusters[*other])
        });
        let Some(shorter) = shorter else {
            at += 1;
            continue;
        };
        let weight = clusters[at].weight;
        clusters[shorter].weight += weight;
        clusters.remove(at);
        at = 0;
    }
    clusters.sort_by(|left, right| right.weight.total_cmp(&left.weight));
}

/// Of several spellings the one with the most weight; capitals throughout lose against a mixed spelling.
pub(super) fn best_form(claims: &[Claim]) -> String {
    let mut forms: Vec<(String, f32)> = Vec::new();
    for Claim { text: name, weight, .. } in claims {
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
