//! People without a visible card: pictures that link to their pages, names below a menu entry.

use super::{Span, name_in};
use crate::extract::finding::{MAX_CARDS, PageRole, Place};
use crate::extract::lexicon;
use crate::extract::outline::Outline;
use crate::extract::styles::Styles;

/// A menu stands on a page twice at most: wide and narrow.
const MAX_MENUS: usize = 4;

/// A menu entry "Artists" with the names of people below it.
pub(super) fn menu_roster(page: &Outline, styles: &Styles, out: &mut Vec<Span>) {
    let mut heads = 0;
    for (index, head) in page.links.iter().enumerate() {
        if !matches!(head.place, Place::Nav | Place::Header) || lexicon::role_exact(&head.text) != PageRole::Team {
            continue;
        }
        let parent = page.element(page.element(head.element).parent);
        let entry = if parent.is("li") || parent.links.len() > 1 { parent } else { page.element(parent.parent) };
        if !entry.is("li") && !entry.hints(&["dropdown", "submenu", "item"]) {
            continue;
        }
        heads += 1;
        if heads > MAX_MENUS || entry.links.len() > 2 * MAX_CARDS {
            break;
        }
        for at in entry.links.clone().filter(|at| *at as usize > index) {
            let link = &page.links[at as usize];
            let Some(name) = name_in(&link.text, styles).filter(|_| link.url.is_some() && !link.href.starts_with('#')) else {
                continue;
            };
            if out.len() < MAX_CARDS && !out.iter().any(|span| span.links.contains(&at)) {
                let group = head.text.clone();
                let not_artist = lexicon::not_artist(&link.text).map(str::to_owned);
                out.push(Span {
                    blocks: 0..0,
                    links: at..at + 1,
                    images: 0..0,
                    name: Some(name),
                    group,
                    named_artist: true,
                    not_artist,
                    role: None,
                });
            }
        }
    }
}

/// Cards without any text: a picture that links to the page of a person.
pub(super) fn pictures_only(page: &Outline, styles: &Styles, out: &mut Vec<Span>) {
    let mut found: Vec<(u32, Span)> = Vec::new();
    for (index, element) in page.elements.iter().enumerate() {
        if found.len() > 2 * MAX_CARDS {
            return;
        }
        let single = element.hints(&["artist", "artista", "artiste", "member", "tatuador", "tatoueur", "resident", "person"]);
        if !single
            || !element.blocks.is_empty()
            || element.links.is_empty()
            || element.images.is_empty()
            || matches!(element.place, Place::Nav | Place::Footer | Place::Form)
        {
            continue;
        }
        if found.iter().any(|(other, _)| page.elements[*other as usize].elements.contains(&(index as u32)))
            || out.iter().any(|span| span.links.contains(&element.links.start))
        {
            continue;
        }
        let name = page
            .images_of(&element.images)
            .iter()
            .map(|image| image.alt.as_str())
            .chain(page.links_of(&element.links).iter().map(|link| link.text.as_str()))
            .find_map(|text| name_in(text, styles));
        found.push((
            index as u32,
            Span {
                blocks: 0..0,
                links: element.links.clone(),
                images: element.images.clone(),
                name,
                group: String::new(),
                named_artist: true,
                not_artist: None,
                role: None,
            },
        ));
    }
    if found.len() >= 2 {
        out.extend(found.into_iter().map(|(_, span)| span).take(MAX_CARDS.saturating_sub(out.len())));
    }
}
