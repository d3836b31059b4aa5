//! What the site calls itself, who the artist is, and in which shop they work.

mod candidates;
mod people;

pub(crate) use candidates::core_key;
use candidates::{Claim, best_form, clusters};
pub(crate) use people::{Person, people};

use crate::extract::finding::Field;
use crate::extract::lexicon;
use crate::extract::site::facts::SiteKind;
use crate::extract::site::resolve::Site;
use crate::extract::text::{cut, tokens};

/// The strongest name of the site, whatever it is.
pub(crate) fn site_name(site: &Site<'_>) -> Option<String> {
    clusters(site).first().map(|cluster| best_form(&cluster.claims))
}

/// The name to show.
pub(crate) fn resolve(site: &mut Site<'_>, people: &[Person]) -> Option<String> {
    let clusters = clusters(site);
    let top = clusters.first().cloned();
    if site.kind == SiteKind::Artist {
        let introduced = people.iter().find(|person| person.introduces && person.name.split_whitespace().count() >= 2);
        let known = people.iter().find(|person| person.name.split_whitespace().count() >= 2 && person.weight >= 0.8);
        let top_key = top.as_ref().map(|cluster| cluster.key.clone()).unwrap_or_default();
        let same = people.iter().find(|person| core_key(&person.name) == top_key && person.name.split_whitespace().count() >= 2);
        if let Some(person) =
            introduced.or(same).or(known.filter(|person| top.as_ref().is_none_or(|cluster| person.weight * 1.5 >= cluster.weight)))
        {
            let name = proper(&person.name);
            let (page, extractor) = (person.page.clone(), person.extractor.clone());
            site.note("name", &name, &page, &extractor, 0.8);
            return Some(name);
        }
    }
    let Some(cluster) = top else {
        let person = people.first()?;
        site.note("name", &person.name, &person.page, &person.extractor, 0.5);
        return Some(person.name.clone());
    };
    let name = proper(&best_form(&cluster.claims));
    if let Some(claim) = cluster.claims.first() {
        site.note("name", &name, &claim.page, &claim.extractor, (cluster.weight / 2.0).min(0.99));
    }
    Some(name)
}

/// A name in capitals throughout is written as a name.
pub(crate) fn proper(name: &str) -> String {
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

/// The house an artist runs alone: the site carries its name beside that of the person.
fn own_house(site: &Site<'_>, own: &str) -> Option<Claim> {
    const KINDS: &[&str] =
        &["studio", "studios", "ink", "atelier", "parlour", "parlor", "shop", "estudio", "collective", "salon", "house", "room", "&"];
    let title = site.pages.first().map(|page| tokens(&page.title)).unwrap_or_default();
    let private = title.iter().any(|word| ["studio", "estudio", "atelier", "salon", "tattoostudio", "shop"].contains(&word.as_str()));
    let other = |key: &str| key != own && !key.contains(own) && !own.contains(key);
    let brands = clusters(site).into_iter().take(2);
    brands.filter(|cluster| !own.is_empty() && other(&cluster.key) && cluster.weight >= 0.9).find_map(|cluster| {
        let form = best_form(&cluster.claims);
        let housed = private || tokens(&form).iter().any(|word| KINDS.contains(&word.as_str()));
        let claim = cluster.claims.first()?;
        let weight = (cluster.weight / 3.0).min(0.7);
        housed.then(|| Claim { text: form, weight, page: claim.page.clone(), extractor: claim.extractor.clone() })
    })
}

/// Where an artist works, when a page says so.
pub(crate) fn studio_of_artist(site: &mut Site<'_>) -> Option<String> {
    let own = site.name.as_deref().map(core_key).unwrap_or_default();
    let mut best: Option<Claim> = None;
    for finding in site.pages.iter().flat_map(|page| &page.findings).filter(|finding| finding.field == Field::Studio) {
        let Some(text) = finding.value.text() else {
            continue;
        };
        let key = core_key(text);
        if key.is_empty()
            || ((key == own || !own.is_empty() && key.contains(&own)) && finding.confidence < 0.8)
            || lexicon::role_of(text) != crate::extract::finding::PageRole::Other && tokens(text).len() < 2
        {
            continue;
        }
        let better = best.as_ref().is_none_or(|known| finding.confidence > known.weight);
        if finding.confidence >= 0.5 && better {
            best = Some(Claim {
                text: cut(text, 60).to_owned(),
                weight: finding.confidence,
                page: finding.page.clone(),
                extractor: finding.extractor.to_string(),
            });
        }
    }
    let claim = best.or_else(|| own_house(site, &own))?;
    site.note("studio", &claim.text, &claim.page, &claim.extractor, claim.weight);
    Some(claim.text)
}
