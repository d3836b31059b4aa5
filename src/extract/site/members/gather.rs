//! Gathers the people of all pages into drafts: cards, team links, their own pages.

use super::{Draft, MAX_MEMBERS, same_name};
use crate::extract::extractors::cards::name_in;
use crate::extract::finding::{Card, Field, PageFindings, PageRole, Place};
use crate::extract::lexicon;
use crate::extract::site::reader::page_key;
use crate::extract::styles::Styles;
use crate::extract::text::fold;
use std::collections::{HashMap, HashSet};
use url::Url;

/// People of every kind that one site may name; a list beyond it was generated, and comparing it would take its square.
const MAX_DRAFTS: usize = 4 * MAX_MEMBERS;

/// How often a value stands on the pages of a site, to tell what is somebody's own from what the theme repeats.
#[derive(Default)]
struct Shared {
    pages: usize,
    last: Option<usize>,
    /// Pages where it stands outside any card: how many, and the last of them.
    loose: usize,
    last_loose: Option<usize>,
}

type SharedValues<'pages> = HashMap<(Field, &'pages str), Shared>;

fn shared_values(pages: &[PageFindings]) -> SharedValues<'_> {
    let mut out = SharedValues::new();
    for (at, page) in pages.iter().enumerate() {
        for finding in &page.findings {
            let Some(text) = finding.value.text() else { continue };
            let entry = out.entry((finding.field, text)).or_default();
            if entry.last != Some(at) {
                entry.last = Some(at);
                entry.pages += 1;
            }
            if finding.card.is_none() && entry.last_loose != Some(at) {
                entry.last_loose = Some(at);
                entry.loose += 1;
            }
        }
    }
    out
}

/// Gathers the people of all pages.
///
/// # Errors
/// How many they are, if they are more than any shop has (`MAX_MEMBERS`): none is believed then.
pub(crate) fn collect(pages: &[PageFindings], styles: &Styles) -> Result<Vec<Draft>, usize> {
    let mut out: Vec<Draft> = Vec::new();
    for page in pages {
        if matches!(page.role, PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare) {
            continue;
        }
        for card in page.cards.iter().filter(|card| card.name.is_some() || card.page.is_some()) {
            let mut card = card.clone();
            if page.role == PageRole::Guests && card.not_artist.is_none() {
                card.not_artist = Some("guest".to_owned());
            }
            let full = out.len() >= MAX_DRAFTS;
            match out.iter_mut().find(|draft| draft.same(&card)) {
                Some(draft) => draft.take(&card),
                None if full => return Err(out.len() + 1),
                None => {
                    let mut draft = Draft { seen_on: Some(page.url.clone()), ..Draft::default() };
                    draft.take(&card);
                    out.push(draft);
                }
            }
        }
    }
    let shared: Vec<String> = out.iter().filter_map(|draft| draft.page.as_ref()).map(page_key).collect();
    for draft in &mut out {
        let many = draft.page.as_ref().is_some_and(|own| {
            shared.iter().filter(|key| **key == page_key(own)).count() > 1
                || pages.first().is_some_and(|home| page_key(&home.url) == page_key(own))
                || pages.iter().any(|page| page_key(&page.url) == page_key(own) && is_list(page) && !is_headed(page, draft.name.as_deref()))
        });
        if many {
            draft.page = None;
        }
    }
    team_links(pages, styles, &mut out);
    let shared = shared_values(pages);
    for draft in &mut out {
        let Some(page) = pages.iter().find(|page| draft.owns(page)) else {
            continue;
        };
        from_page(draft, page, pages, &shared, styles);
    }
    let mut out = merged(out);
    for draft in &mut out {
        draft.name = draft.name.as_deref().map(crate::extract::site::names::proper);
    }
    match out.iter().filter(|draft| draft.counts()).count() {
        listed if listed > MAX_MEMBERS => Err(listed),
        _ => Ok(out),
    }
}

/// A page that presents several people is nobody's own.
fn is_list(page: &PageFindings) -> bool {
    page.role == PageRole::Team && page.cards.iter().filter(|card| card.name.is_some() && card.group != "mention").count() > 1
}

/// Does a page name this person at its head? Others may follow below.
fn is_headed(page: &PageFindings, name: Option<&str>) -> bool {
    let name = name.map(fold).unwrap_or_default();
    !name.is_empty() && [&page.heading, &page.title].into_iter().any(|text| fold(text).contains(&name))
}

/// Drafts that turned out to be one person once their pages gave names.
pub(super) fn merged(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut out: Vec<Draft> = Vec::new();
    for draft in drafts {
        let known = out.iter_mut().find(|known| matches!((&known.name, &draft.name), (Some(left), Some(right)) if same_name(left, right)));
        let Some(known) = known else {
            out.push(draft);
            continue;
        };
        let shout = |name: &str| name.chars().filter(|letter| letter.is_alphabetic()).all(char::is_uppercase);
        if let (Some(old), Some(new)) = (&known.name, &draft.name)
            && (shout(old) && !shout(new) || new.chars().count() > old.chars().count() && !shout(new))
        {
            known.name = Some(new.clone());
        }
        known.mentioned &= draft.mentioned;
        let page = known.page.take().or(draft.page);
        let card = Card {
            instagram: draft.handles,
            socials: draft.socials,
            emails: draft.emails,
            phones: draft.phones,
            styles: draft.styles,
            images: draft.images,
            bio: draft.bio,
            own_site: draft.own_site,
            not_artist: draft.not_artist,
            named_artist: draft.named_artist,
            ..Card::default()
        };
        let mentioned = known.mentioned;
        known.take(&card);
        known.mentioned = mentioned;
        known.page = page;
    }
    out
}

/// Pages that a team page links to in its body are pages of people when they are headed by a name.
pub(super) fn team_links(pages: &[PageFindings], styles: &Styles, out: &mut Vec<Draft>) {
    for page in pages.iter().filter(|page| page.role == PageRole::Team) {
        for link in page.links.iter().filter(|link| matches!(link.place, Place::Main | Place::Card) && link.role == PageRole::Other) {
            let key = page_key(&link.url);
            if out.iter().any(|draft| draft.page.as_ref().is_some_and(|own| page_key(own) == key)) {
                continue;
            }
            // The title of the site leads home.
            let Some(target) = pages.iter().skip(1).find(|target| {
                page_key(&target.url) == key && target.role == PageRole::Other && page_key(&target.url) != page_key(&page.url)
            }) else {
                continue;
            };
            let Some(name) = name_in(&target.heading, styles).or_else(|| name_in(&link.text, styles)) else {
                continue;
            };
            out.push(Draft {
                name: Some(name),
                page: Some(target.url.clone()),
                named_artist: true,
                seen_on: Some(page.url.clone()),
                ..Draft::default()
            });
        }
    }
}

/// What a member's own page adds.
fn from_page(draft: &mut Draft, page: &PageFindings, pages: &[PageFindings], shared: &SharedValues<'_>, styles: &Styles) {
    if draft.name.is_none() {
        let title = page.title.split(['|', '–', '—', '·', '•']).flat_map(|part| part.split(" - ")).find_map(|part| name_in(part, styles));
        let heading =
            name_in(&page.heading, styles).filter(|heading| pages.iter().filter(|other| fold(&other.heading) == fold(heading)).count() < 2);
        draft.name = heading.or(title);
    }
    let mut loose_here: HashSet<(Field, &str)> = HashSet::new();
    for finding in page.findings.iter().filter(|finding| finding.card.is_none()) {
        loose_here.extend(finding.value.text().map(|text| (finding.field, text)));
    }
    // On several pages, and on one that is not theirs outside anybody's card.
    let common = |field: Field, value: &str| {
        shared
            .get(&(field, value))
            .is_some_and(|shared| shared.pages > 1 && shared.loose > usize::from(loose_here.contains(&(field, value))))
    };
    for finding in &page.findings {
        let Some(text) = finding.value.text() else {
            continue;
        };
        if matches!(finding.place, Place::Footer | Place::Nav | Place::Header | Place::Credit | Place::Form | Place::Quote)
            && finding.field != Field::Style
        {
            continue;
        }
        let (list, least) = match finding.field {
            Field::Instagram => (&mut draft.handles, 0.45),
            Field::Email => (&mut draft.emails, 0.5),
            Field::Phone => (&mut draft.phones, 0.5),
            Field::Social => (&mut draft.socials, 0.5),
            Field::Style => (&mut draft.styles, 0.5),
            Field::Image => {
                if let Ok(url) = Url::parse(text)
                    && !draft.images.contains(&url)
                    && draft.images.len() < 200
                {
                    draft.images.push(url);
                }
                continue;
            }
            _ => continue,
        };
        let shared = finding.field != Field::Style && common(finding.field, text);
        if finding.confidence >= least && !shared && !list.iter().any(|known| known == text) {
            list.push(text.to_owned());
        }
    }
    let first: Vec<&str> = page
        .findings
        .iter()
        .filter(|finding| matches!(finding.place, Place::Heading))
        .filter_map(|finding| finding.value.text())
        .take(4)
        .collect();
    if draft.not_artist.is_none() && draft.cards == 0 {
        draft.not_artist = first.iter().find_map(|text| lexicon::not_artist(text)).map(str::to_owned);
    }
    let bio = page
        .findings
        .iter()
        .filter(|finding| finding.field == Field::Bio && finding.place == Place::Main)
        .max_by(|left, right| left.confidence.total_cmp(&right.confidence))
        .and_then(|finding| finding.value.text());
    if let Some(bio) = bio.filter(|bio| draft.bio.as_ref().is_none_or(|known| known.chars().count() < bio.chars().count())) {
        draft.bio = Some(bio.to_owned());
    }
}
