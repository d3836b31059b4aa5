//! The text about the artist or the studio: the best paragraph and what stands beside it.

use super::super::extractors::bio::OPENING;
use super::super::finding::{Field, Finding, Place};
use super::super::text::{cut, fold};
use super::facts::SiteKind;
use super::resolve::Site;

/// Longest text kept, in characters.
const MAX_BIO: usize = 1_800;
/// A paragraph beside the best one must be about the people, too.
const ENOUGH: f32 = 0.4;

/// The heading a paragraph stands under, its place on the page, and whether it opens the page.
fn parts(finding: &Finding) -> (String, Option<usize>, bool) {
    match finding.context.rsplit_once('#') {
        Some((heading, index)) => {
            let bare = heading.strip_suffix(OPENING);
            (bare.unwrap_or(heading).to_owned(), index.parse().ok(), bare.is_some())
        }
        None => (String::new(), None, false),
    }
}

/// How much a paragraph tells about whoever the site belongs to; `at` counts pages from the entry.
fn weight_of(finding: &Finding, at: usize) -> f32 {
    let opens = at == 0 && parts(finding).2;
    // What stands in the head is written for search engines; it speaks where the pages do not.
    let head = if matches!(finding.place, Place::Meta | Place::JsonLd) { 0.1 } else { 0.0 };
    finding.confidence + if at == 0 { 0.06 } else { 0.0 } + if opens { 0.12 } else { 0.0 } - 0.01 * at as f32 - head
}

/// Chooses the text.
pub(crate) fn resolve(site: &mut Site<'_>) -> Option<String> {
    let mut best: Option<(f32, usize, usize)> = None;
    for (at, page) in site.pages.iter().enumerate() {
        if site.is_member_page(page) && site.kind == SiteKind::Studio {
            continue;
        }
        for (index, finding) in page.findings.iter().enumerate().filter(|(_, finding)| finding.field == Field::Bio) {
            if finding.card.is_some() && site.kind == SiteKind::Studio {
                continue;
            }
            let weight = weight_of(finding, at);
            if best.is_none_or(|(known, ..)| weight > known) {
                best = Some((weight, at, index));
            }
        }
    }
    let (weight, at, index) = best?;
    let page = &site.pages[at];
    let chosen = &page.findings[index];
    let (heading, Some(place), _) = parts(chosen) else {
        let text = chosen.value.text()?.to_owned();
        site.note("bio", cut(&text, 80), &page.url.clone(), "meta", weight);
        return Some(text);
    };
    // Paragraphs under the same heading belong together.
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for finding in
        page.findings.iter().filter(|finding| finding.field == Field::Bio && !matches!(finding.place, Place::Meta | Place::JsonLd))
    {
        let (other, Some(line), _) = parts(finding) else {
            continue;
        };
        if other == heading && line.abs_diff(place) <= 12 && finding.confidence > 0.15 {
            lines.extend(finding.value.text().map(|text| (line, text)));
        }
    }
    lines.sort_by_key(|(line, _)| *line);
    let mut out = String::new();
    let mut seen: Vec<String> = Vec::new();
    for (_, text) in lines {
        let folded = fold(text);
        if seen.contains(&folded) {
            continue;
        }
        seen.push(folded);
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(text);
    }
    // Other paragraphs about the same people follow, the best first, while there is room.
    let mut others: Vec<(f32, &str)> = Vec::new();
    for (order, other) in site.pages.iter().enumerate() {
        if site.is_member_page(other) && site.kind == SiteKind::Studio {
            continue;
        }
        for finding in other.findings.iter().filter(|finding| finding.field == Field::Bio) {
            let theirs = finding.card.is_some() && site.kind == SiteKind::Studio;
            let weight = weight_of(finding, order);
            if theirs || matches!(finding.place, Place::Meta | Place::JsonLd | Place::Footer) || weight < ENOUGH {
                continue;
            }
            others.extend(finding.value.text().map(|text| (weight, text)));
        }
    }
    others.sort_by(|left, right| right.0.total_cmp(&left.0));
    for (_, text) in others {
        let folded = fold(text);
        if seen.contains(&folded) || out.chars().count() + text.chars().count() >= MAX_BIO {
            continue;
        }
        seen.push(folded);
        out.push(' ');
        out.push_str(text);
    }
    let out = cut(&out, MAX_BIO).to_owned();
    let url = page.url.clone();
    site.note("bio", cut(&out, 80), &url, "bio", weight);
    Some(out)
}
