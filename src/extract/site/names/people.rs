//! The people that the pages name as the one who tattoos here.

use super::candidates::{bare_name, core_key, pieces, plausible};
use crate::extract::extractors::cards::name_like;
use crate::extract::finding::{Field, Finding, Place};
use crate::extract::lexicon::{self, listed};
use crate::extract::site::resolve::Site;
use crate::extract::text::{fold, tokens};
use url::Url;

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

/// More people than any site introduces by name.
const MAX_PEOPLE: usize = 300;

/// People the pages name as the one who tattoos here.
pub(crate) fn people(site: &Site<'_>) -> Vec<Person> {
    let mut out: Vec<Person> = Vec::new();
    let mut add = |name: &str, weight: f32, introduces: bool, finding: &Finding| {
        let name = bare_name(name);
        let house = tokens(&name).iter().any(|word| listed(&lexicon::words().house, word));
        if !name_like(&name, site.vocabulary) || core_key(&name).is_empty() || house {
            return;
        }
        let full = out.len() >= MAX_PEOPLE;
        match out.iter_mut().find(|person| fold(&person.name) == fold(&name)) {
            Some(person) => {
                person.weight += weight;
                person.introduces |= introduces;
            }
            None if full => {}
            None => out.push(Person { name, weight, introduces, page: finding.page.clone(), extractor: finding.extractor.to_string() }),
        }
    };
    for (at, page) in site.pages.iter().enumerate() {
        if site.is_member_page(page) {
            continue;
        }
        let factor = if at == 0 { 1.0 } else { 0.4 };
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Name && finding.card.is_none()) {
            let Some(text) = finding.value.text() else {
                continue;
            };
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
