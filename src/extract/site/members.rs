//! The people of a studio, put together from cards, their own pages and JSON-LD.

use super::super::extractors::cards::name_in;
use super::super::finding::{Card, Field, PageFindings, PageRole, Place};
use super::super::lexicon;
use super::super::styles::Styles;
use super::super::text::{fold, squash};
use super::facts::Member;
use super::reader::page_key;
use super::resolve::Site;
use std::collections::BTreeMap;
use url::Url;

/// More "artists" than any shop has; a list of that size was generated.
const MAX_MEMBERS: usize = 60;

/// A member in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub name: Option<String>,
    pub handles: Vec<String>,
    pub socials: Vec<String>,
    pub emails: Vec<String>,
    pub phones: Vec<String>,
    pub styles: Vec<String>,
    pub page: Option<Url>,
    pub own_site: Option<Url>,
    pub not_artist: Option<String>,
    pub named_artist: bool,
    pub bio: Option<String>,
    pub images: Vec<Url>,
    /// Where the first card stands.
    pub seen_on: Option<Url>,
    pub cards: usize,
    /// Known to be the site itself, not somebody at it.
    pub is_site: bool,
}

impl Draft {
    /// A present tattooer with something to be called by.
    pub fn counts(&self) -> bool {
        self.not_artist.is_none() && !self.is_site && self.name.is_some()
    }

    /// Is this page theirs?
    pub fn owns(&self, page: &PageFindings) -> bool {
        let key = page_key(&page.url);
        self.page.as_ref().is_some_and(|own| page_key(own) == key)
    }

    pub fn member(&self) -> Member {
        Member {
            name: self.name.clone().unwrap_or_default(),
            instagram: self.handles.first().cloned(),
            styles: self.styles.clone(),
            page: self.page.clone().or_else(|| self.seen_on.clone()),
            own_site: self.own_site.clone(),
        }
    }

    fn take(&mut self, card: &Card) {
        if self.name.is_none() {
            self.name.clone_from(&card.name);
        }
        let longer = |kept: &Option<String>, given: &Option<String>| {
            given.as_ref().is_some_and(|given| kept.as_ref().is_none_or(|kept| kept.chars().count() < given.chars().count()))
        };
        if longer(&self.bio, &card.bio) {
            self.bio.clone_from(&card.bio);
        }
        for (kept, given) in [
            (&mut self.handles, &card.instagram),
            (&mut self.socials, &card.socials),
            (&mut self.emails, &card.emails),
            (&mut self.phones, &card.phones),
            (&mut self.styles, &card.styles),
        ] {
            for value in given {
                if !kept.contains(value) {
                    kept.push(value.clone());
                }
            }
        }
        for image in &card.images {
            if !self.images.contains(image) {
                self.images.push(image.clone());
            }
        }
        self.page = self.page.take().or_else(|| card.page.clone());
        self.own_site = self.own_site.take().or_else(|| card.own_site.clone());
        self.not_artist = self.not_artist.take().or_else(|| card.not_artist.clone());
        self.named_artist |= card.named_artist;
        self.cards += 1;
    }

    fn same(&self, card: &Card) -> bool {
        let named = matches!((&self.name, &card.name), (Some(left), Some(right)) if same_name(left, right));
        let paged = matches!((&self.page, &card.page), (Some(left), Some(right)) if page_key(left) == page_key(right));
        let handled =
            card.instagram.len() == 1 && self.handles.contains(&card.instagram[0]) && (self.name.is_none() || card.name.is_none());
        named || paged || handled
    }
}

/// One name is the other, or its first word.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    let (left, right) = (fold(left), fold(right));
    if squash(&left) == squash(&right) {
        return true;
    }
    let (short, long) = if left.len() < right.len() { (left, right) } else { (right, left) };
    !short.contains(' ') && short.chars().count() >= 3 && long.split(' ').next() == Some(short.as_str())
}

/// Gathers the people of all pages.
pub(crate) fn collect(pages: &[PageFindings], styles: &Styles) -> Vec<Draft> {
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
            match out.iter_mut().find(|draft| draft.same(&card)) {
                Some(draft) => draft.take(&card),
                None => {
                    let mut draft = Draft { seen_on: Some(page.url.clone()), ..Draft::default() };
                    draft.take(&card);
                    out.push(draft);
                }
            }
        }
    }
    team_links(pages, styles, &mut out);
    for draft in &mut out {
        let Some(page) = pages.iter().find(|page| draft.owns(page)) else { continue };
        from_page(draft, page, pages, styles);
    }
    if out.iter().filter(|draft| draft.counts()).count() > MAX_MEMBERS {
        return Vec::new();
    }
    out
}

/// Pages that a team page links to in its body are pages of people when they are headed by a name.
fn team_links(pages: &[PageFindings], styles: &Styles, out: &mut Vec<Draft>) {
    for page in pages.iter().filter(|page| page.role == PageRole::Team) {
        for link in page.links.iter().filter(|link| matches!(link.place, Place::Main | Place::Card) && link.role == PageRole::Other) {
            let key = page_key(&link.url);
            if out.iter().any(|draft| draft.page.as_ref().is_some_and(|own| page_key(own) == key)) {
                continue;
            }
            let Some(target) = pages.iter().find(|target| {
                page_key(&target.url) == key && target.role == PageRole::Other && page_key(&target.url) != page_key(&page.url)
            }) else {
                continue;
            };
            let Some(name) = name_in(&target.heading, styles).or_else(|| name_in(&link.text, styles)) else { continue };
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
fn from_page(draft: &mut Draft, page: &PageFindings, pages: &[PageFindings], styles: &Styles) {
    if draft.name.is_none() {
        let title = page.title.split(['|', '–', '—', '·', '•']).flat_map(|part| part.split(" - ")).find_map(|part| name_in(part, styles));
        let heading =
            name_in(&page.heading, styles).filter(|heading| pages.iter().filter(|other| fold(&other.heading) == fold(heading)).count() < 2);
        draft.name = heading.or(title);
    }
    let common = |field: Field, value: &str| {
        let on = pages
            .iter()
            .filter(|other| other.findings.iter().any(|finding| finding.field == field && finding.value.text() == Some(value)))
            .count();
        on > 1
            && pages.iter().any(|other| {
                !std::ptr::eq(other, page)
                    && other
                        .findings
                        .iter()
                        .any(|finding| finding.field == field && finding.value.text() == Some(value) && finding.card.is_none())
            })
    };
    for finding in &page.findings {
        let Some(text) = finding.value.text() else { continue };
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
                if let Ok(url) = Url::parse(text) {
                    if !draft.images.contains(&url) && draft.images.len() < 200 {
                        draft.images.push(url);
                    }
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

/// After the site's own name and kind are known: the shop is no member of itself, its handle is nobody's own.
pub(crate) fn settle(site: &mut Site<'_>) {
    let name = site.name.clone();
    let core = name.as_deref().map(super::names::core_key).unwrap_or_default();
    let mut handles: BTreeMap<String, usize> = BTreeMap::new();
    for draft in site.members.iter().filter(|draft| draft.counts()) {
        for handle in &draft.handles {
            *handles.entry(handle.clone()).or_default() += 1;
        }
    }
    // Handles that stand outside any card and outside members' pages are the shop's.
    let mut shop: Vec<String> = Vec::new();
    for page in site.pages {
        if site.members.iter().any(|draft| draft.owns(page)) {
            continue;
        }
        for finding in page.findings.iter().filter(|finding| {
            finding.field == Field::Instagram && finding.card.is_none() && finding.confidence >= 0.7 && finding.place != Place::JsonLd
        }) {
            if let Some(handle) = finding.value.text() {
                shop.push(handle.to_owned());
            }
        }
    }
    for draft in &mut site.members {
        let own = draft.name.as_deref().map(super::names::core_key).unwrap_or_default();
        if !core.is_empty()
            && own == core
            && draft.handles.iter().all(|handle| shop.contains(handle))
            && site.kind == super::facts::SiteKind::Studio
        {
            draft.is_site = true;
        }
        let keep = |handle: &String| {
            let many = handles.get(handle).copied().unwrap_or_default() > 1;
            let resembles = draft.name.as_deref().is_some_and(|name| resembles(handle, name));
            !many && (!shop.contains(handle) || resembles)
        };
        draft.handles = draft.handles.iter().filter(|handle| keep(handle)).cloned().collect();
        let name = draft.name.clone().unwrap_or_default();
        draft.handles.sort_by_key(|handle| !resembles(handle, &name));
    }
}

/// Does a handle hold a word of the name?
pub(crate) fn resembles(handle: &str, name: &str) -> bool {
    let handle = squash(handle);
    let words: Vec<String> = super::super::text::tokens(&deunicode::deunicode(name))
        .into_iter()
        .filter(|word| word.len() >= 3 && !["tattoo", "tattoos", "ink", "studio", "art", "the"].contains(&word.as_str()))
        .collect();
    words.iter().any(|word| handle.contains(word.as_str())) || (handle.len() >= 5 && squash(name).contains(&handle))
}

/// Did every page that lists artists give at least one?
pub(crate) fn lists_complete(site: &Site<'_>) -> bool {
    site.pages.iter().filter(|page| page.role == PageRole::Team && !site.is_member_page(page)).all(|page| {
        page.cards.iter().any(|card| card.not_artist.is_none())
            || page.links.iter().any(|link| {
                site.members
                    .iter()
                    .any(|draft| draft.counts() && draft.page.as_ref().is_some_and(|own| page_key(own) == page_key(&link.url)))
            })
    })
}
