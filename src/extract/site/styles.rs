//! The styles of a site: the union of what its pages offer.

use super::super::finding::{Field, PageRole};
use super::resolve::Site;
use std::collections::BTreeMap;

/// A style counts when one good place names it.
const ENOUGH: f32 = 0.5;

/// Weighs all style findings.
pub(crate) fn resolve(site: &mut Site<'_>) -> Vec<String> {
    let mut best: BTreeMap<String, (f32, usize)> = BTreeMap::new();
    let mut notes = Vec::new();
    for page in site.pages {
        if matches!(page.role, PageRole::Guests) || site.members.iter().any(|member| member.not_artist.is_some() && member.owns(page)) {
            continue;
        }
        for finding in page.findings.iter().filter(|finding| finding.field == Field::Style) {
            let Some(name) = finding.value.text() else {
                continue;
            };
            let other = finding.card.and_then(|card| page.cards.get(card as usize)).is_some_and(|card| card.not_artist.is_some());
            if other {
                continue;
            }
            let entry = best.entry(name.to_owned()).or_insert((0.0, 0));
            if finding.confidence > entry.0 {
                entry.0 = finding.confidence;
                notes.push((name.to_owned(), page.url.clone(), finding.extractor.to_string(), finding.confidence));
            }
            entry.1 += 1;
        }
    }
    let kept: Vec<String> = site
        .vocabulary
        .all()
        .iter()
        .map(|style| style.name.clone())
        .filter(|name| best.get(name).is_some_and(|(confidence, _)| *confidence >= ENOUGH))
        .collect();
    for (name, page, extractor, confidence) in notes.into_iter().rev() {
        if kept.contains(&name) && !site.evidence.get("styles").is_some_and(|list| list.iter().any(|known| known.value == name)) {
            site.note("styles", &name, &page, &extractor, confidence);
        }
    }
    kept
}
