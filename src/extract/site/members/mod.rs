//! The people of a studio, put together from cards, their own pages and JSON-LD.

mod gather;

pub(crate) use gather::collect;

use crate::extract::extractors::cards::without_nickname;
use crate::extract::finding::{Card, Field, PageFindings, PageRole, Place};
use crate::extract::site::facts::Member;
use crate::extract::site::reader::page_key;
use crate::extract::site::resolve::Site;
use crate::extract::text::{fold, squash};
use std::collections::BTreeMap;
use url::Url;

/// More "artists" than any shop has; a list of that size was generated, and is refused by the rule of this name. Below what is
/// kept of one page, so that no list escapes by being cut.
pub const MAX_MEMBERS: usize = 60;
const _: () = assert!(MAX_MEMBERS < crate::extract::finding::MAX_CARDS);

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
    /// Only named in a sentence.
    pub mentioned: bool,
}

impl Draft {
    /// A present tattooer with something to be called by.
    pub fn counts(&self) -> bool {
        self.not_artist.is_none() && !self.is_site && !self.mentioned && self.name.is_some()
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
        self.mentioned = (self.cards == 0 || self.mentioned) && card.group == "mention";
        self.cards += 1;
    }

    fn same(&self, card: &Card) -> bool {
        let named = matches!((&self.name, &card.name), (Some(left), Some(right)) if same_name(left, right));
        // One page for several people is a booking form, not a page of theirs.
        let apart = matches!((&self.name, &card.name), (Some(left), Some(right)) if !same_name(left, right));
        let paged = !apart && matches!((&self.page, &card.page), (Some(left), Some(right)) if page_key(left) == page_key(right));
        let handled =
            card.instagram.len() == 1 && self.handles.contains(&card.instagram[0]) && (self.name.is_none() || card.name.is_none());
        named || paged || handled
    }
}

/// One name is the other, or its first word; a nickname in quotation marks may be left out.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    let bare = |name: &str| fold(&without_nickname(name).unwrap_or_else(|| name.to_owned()));
    let (left, right) = (bare(left), bare(right));
    if squash(&left) == squash(&right) {
        return true;
    }
    let (short, long) = if left.len() < right.len() { (left, right) } else { (right, left) };
    !short.contains(' ') && short.chars().count() >= 3 && long.split(' ').next() == Some(short.as_str())
}

/// After the site's own name and kind are known: the shop is no member of itself, its handle is nobody's own.
pub(crate) fn settle(site: &mut Site<'_>) {
    let name = site.name.clone();
    let core = name.as_deref().map(crate::extract::site::names::core_key).unwrap_or_default();
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
    // A sentence names the one artist of a small shop only when nothing else names anybody.
    if !site.members.iter().any(Draft::counts)
        && let [only] =
            site.members.iter_mut().filter(|draft| draft.mentioned && draft.not_artist.is_none()).collect::<Vec<_>>().as_mut_slice()
    {
        only.mentioned = false;
    }
    for draft in &mut site.members {
        let own = draft.name.as_deref().map(crate::extract::site::names::core_key).unwrap_or_default();
        let theirs = |handle: &String| !shop.contains(handle) && draft.name.as_deref().is_some_and(|name| resembles(handle, name));
        if !core.is_empty()
            && own == core
            && !draft.handles.iter().any(theirs)
            && site.kind == crate::extract::site::facts::SiteKind::Studio
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
    let words: Vec<String> = crate::extract::text::tokens(&deunicode::deunicode(name))
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
