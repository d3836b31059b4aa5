//! Cards of people: repeated blocks with a name in a part of the page that presents artists.

mod menus;
mod name;
mod pages;

use menus::{menu_roster, pictures_only};
pub(crate) use name::{name_in, name_like};
pub(crate) use pages::page_of;

use crate::extract::finding::{MAX_CARDS, PageRole, Place};
use crate::extract::lexicon::{self, holds_any, role_of};
use crate::extract::outline::{Block, Outline};
use crate::extract::styles::Styles;
use crate::extract::text::{cut, fold, tokens};
use std::collections::HashMap;
use std::ops::Range;

/// Where a card lies in the lists of the outline.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub blocks: Range<u32>,
    pub links: Range<u32>,
    pub images: Range<u32>,
    pub name: Option<String>,
    /// The heading above the card.
    pub group: String,
    /// A heading, a class or the page says that these are artists.
    pub named_artist: bool,
    pub not_artist: Option<String>,
    pub role: Option<String>,
}

const TEAM_HINTS: &[&str] = &[
    "artist",
    "artists",
    "artista",
    "artistas",
    "artiste",
    "artistes",
    "artisti",
    "artiesten",
    "artiest",
    "team",
    "member",
    "members",
    "crew",
    "staff",
    "equipo",
    "equipe",
    "tatuador",
    "tatuadores",
    "tatoueur",
    "tatoueurs",
    "tatuatori",
    "tatuatore",
    "kunstler",
    "kuenstler",
    "tattooer",
    "tattooers",
    "tattooist",
    "tattooists",
    "resident",
    "residents",
    "artysta",
    "artysci",
    "artyści",
    "master",
    "masters",
    "mastera",
    "profile",
    "person",
    "people",
];

const NAME_HINTS: &[&str] = &["name", "nombre", "nome", "naam", "nom", "imie", "title", "heading"];

/// More names of one shape than any team has.
const MAX_GROUP: usize = 200;

struct Candidate {
    block: u32,
    name: String,
    level: u8,
    /// The line is nothing but a link.
    linked: bool,
    hinted: bool,
    /// The name is the first of several lines.
    lead: bool,
    /// The line stands out as a heading would: bold, or the term of a definition list.
    bold: bool,
}

/// Finds the cards of a page.
pub(crate) fn find(page: &Outline, role: PageRole, styles: &Styles) -> Vec<Span> {
    let mut groups: HashMap<(u8, String, u16), Vec<Candidate>> = HashMap::new();
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Nav | Place::Form | Place::Quote | Place::Footer | Place::Credit) {
            continue;
        }
        // In a caption the name is the first line, what follows is about the person.
        let lead = block.level == 0 && block.text.contains('\n') && !is_menu(page, block);
        let text = if lead { block.text.split('\n').next().unwrap_or_default() } else { block.text.as_str() };
        if text.chars().count() > 90 || block.text.chars().count() > 600 {
            continue;
        }
        let element = page.element(block.element);
        let linked = page.links_of(&element.links).iter().any(|link| link.visible && link.text == block.line() && link.url.is_some());
        let hinted = page.lineage(block.element).take(2).any(|element| element.hints(NAME_HINTS));
        let bold = block.level == 0 && (block.bold || element.is("dt"));
        if block.level == 0 && !linked && !hinted && !lead && !bold {
            continue;
        }
        let Some(name) = name_in(text, styles) else {
            continue;
        };
        let key = (block.level, element.tag.to_string(), element.depth);
        groups.entry(key).or_default().push(Candidate { block: index as u32, name, level: block.level, linked, hinted, lead, bold });
    }
    groups.values_mut().for_each(drop_labels);
    let mut groups: Vec<Vec<Candidate>> = groups.into_values().collect();
    // Hundreds of alike lines are a list of something else; below the heading of a team they are a generated one, of which enough is
    // kept to be refused by its rule.
    groups.retain(|group| group.first().is_some_and(|first| group.len() <= MAX_GROUP || group_heading(page, group, first.block).2));
    groups.iter_mut().for_each(|group| group.truncate(MAX_GROUP));
    groups.sort_by_key(|group| group[0].block);
    let mut out: Vec<Span> = Vec::new();
    for group in &groups {
        for span in spans(page, role, group) {
            let overlaps = out.iter().any(|other| other.blocks.start < span.blocks.end && span.blocks.start < other.blocks.end);
            if !overlaps && out.len() < MAX_CARDS {
                out.push(span);
            }
        }
    }
    pictures_only(page, styles, &mut out);
    menu_roster(page, styles, &mut out);
    out.sort_by_key(|span| (span.blocks.start, span.links.start));
    out
}

/// Lines that are links and nothing else are a menu, as in the left column of a table.
fn is_menu(page: &Outline, block: &Block) -> bool {
    let links = page.links_of(&page.element(block.element).links);
    let is_link = |line: &str| links.iter().any(|link| link.visible && link.text == line);
    links.len() > 2 && block.text.split('\n').count() > 2 && block.text.split('\n').take(40).all(is_link)
}

/// A bold line that stands there again and again labels what follows; nobody's name is on every card.
fn drop_labels(group: &mut Vec<Candidate>) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for candidate in group.iter().filter(|candidate| candidate.bold) {
        *times.entry(fold(&candidate.name)).or_default() += 1;
    }
    group.retain(|candidate| {
        let label =
            candidate.bold && !candidate.linked && !candidate.hinted && times.get(&fold(&candidate.name)).is_some_and(|times| *times > 1);
        !label
    });
}

/// The group heading: the nearest heading above that is no name of the group.
fn group_heading(page: &Outline, group: &[Candidate], block: u32) -> (Option<u32>, String, bool) {
    let mut at = page.blocks[block as usize].heading;
    for _ in 0..6 {
        let Some(index) = at else { break };
        if !group.iter().any(|other| other.block == index) {
            let text = page.blocks[index as usize].line();
            let eyebrow = index
                .checked_sub(1)
                .map(|above| page.blocks[above as usize].line())
                .filter(|text| text.chars().count() < 40)
                .unwrap_or_default();
            let team = role_of(&text) == PageRole::Team || role_of(&eyebrow) == PageRole::Team;
            return (Some(index), text, team);
        }
        at = page.blocks[index as usize].heading;
    }
    (None, String::new(), false)
}

fn spans(page: &Outline, role: PageRole, group: &[Candidate]) -> Vec<Span> {
    let mut out = Vec::new();
    for (position, candidate) in group.iter().enumerate() {
        let block = &page.blocks[candidate.block as usize];
        let (heading, group_text, team) = group_heading(page, group, candidate.block);
        // Climb while the container holds no other name of the group and not the heading above them all.
        let mut card = block.element;
        loop {
            let parent = page.element(card).parent;
            let above = page.element(parent);
            let shared = group.iter().any(|other| other.block != candidate.block && above.blocks.contains(&other.block))
                || heading.is_some_and(|at| above.blocks.contains(&at));
            if parent == card || shared || matches!(&*above.tag, "body" | "html" | "main") {
                break;
            }
            card = parent;
        }
        let element = page.element(card);
        let lone = group.len() == 1;
        let mut blocks = element.blocks.clone();
        let mut links = element.links.clone();
        let mut images = element.images.clone();
        let flat = blocks.len() <= 1 && images.is_empty() && (links.is_empty() || candidate.linked && candidate.level > 0)
            || card == block.element && candidate.level > 0;
        let flow = flat && (candidate.level > 0 || candidate.bold && !candidate.linked && !candidate.lead);
        if flow {
            let parent = page.element(page.element(card).parent);
            let next = group.get(position + 1).map(|next| next.block).filter(|next| parent.blocks.contains(next));
            let end = next.unwrap_or_else(|| {
                (candidate.block + 1..parent.blocks.end)
                    .find(|at| {
                        let level = page.blocks[*at as usize].level;
                        level > 0 && (level <= candidate.level || candidate.level == 0)
                    })
                    .unwrap_or(parent.blocks.end)
            });
            blocks = candidate.block..end;
            let inside = |at: u32| blocks.contains(&at);
            let first = parent.links.clone().find(|at| inside(page.links[*at as usize].block)).unwrap_or(parent.links.end);
            let last = parent.links.clone().rfind(|at| inside(page.links[*at as usize].block)).map_or(first, |at| at + 1);
            links = first..last.max(first);
            images = parent.images.end..parent.images.end;
            if candidate.level == 0 {
                let inside = |at: &u32| blocks.contains(&page.images[*at as usize].block);
                let first = parent.images.clone().find(inside).unwrap_or(parent.images.end);
                images = first..parent.images.clone().rfind(inside).map_or(first, |at| at + 1);
            }
        }
        let own_lines: Vec<String> =
            if candidate.lead { block.text.split('\n').skip(1).take(2).map(str::to_owned).collect() } else { Vec::new() };
        let near: Vec<String> = own_lines
            .into_iter()
            .chain(
                (blocks.start..blocks.end.min(blocks.start + 8))
                    .filter(|at| *at != candidate.block && page.blocks[*at as usize].place != Place::Nav)
                    .map(|at| page.blocks[at as usize].line())
                    .filter(|text| text.chars().count() <= 90)
                    .take(3),
            )
            .collect();
        let own_hint = page
            .lineage(block.element)
            .take_while(|above| !matches!(&*above.tag, "body" | "html"))
            .take(5)
            .any(|above| above.hints(TEAM_HINTS));
        let role_words = near.iter().any(|line| {
            let words = tokens(line);
            holds_any(&words, &lexicon::words().tattooer) && words.len() <= 7
        });
        let pictured = !images.is_empty();
        let reachable = links.clone().any(|at| page.links[at as usize].url.is_some());
        let on_team = role == PageRole::Team && candidate.level > 1 && (pictured || reachable);
        let said = team || role_words && (pictured || reachable);
        let handled = || page.blocks_of(&blocks).iter().any(|block| block.text.split_whitespace().any(|word| word.starts_with('@')));
        let accepted = if candidate.level == 0 && !candidate.hinted {
            // A line that is only a link is a person when its container says so.
            (team || own_hint || role == PageRole::Team && (candidate.lead || candidate.bold))
                && !lone
                && (pictured || candidate.linked || (candidate.lead || candidate.bold) && reachable || candidate.bold && handled())
        } else {
            said && (pictured || reachable || blocks.len() > 1)
                || own_hint && (pictured || reachable || blocks.len() > 1 && !lone)
                || on_team
        };
        if !accepted || blocks.len() > 120 {
            continue;
        }
        // A heading of the page that names the site is no card; it stands alone and owns everything.
        if lone && candidate.level == 1 && role != PageRole::Team {
            continue;
        }
        let card_hint = page.lineage(card).take(1).map(|above| above.hint.clone()).collect::<String>();
        // "In memoriam" right above a name of the same level is no heading of the group and still tells.
        let above = blocks.start.checked_sub(1).map(|at| &page.blocks[at as usize]).filter(|above| above.level > 0);
        let above = above.map(|above| above.line()).unwrap_or_default();
        let not_artist = near
            .iter()
            .map(String::as_str)
            .chain([above.as_str(), group_text.as_str(), card_hint.as_str(), block.text.as_str()])
            .find_map(lexicon::not_artist)
            .map(str::to_owned);
        let role_line = near.iter().find(|line| {
            let words = tokens(line);
            holds_any(&words, &lexicon::words().tattooer) || lexicon::not_artist(line).is_some()
        });
        out.push(Span {
            blocks,
            links,
            images,
            name: Some(candidate.name.clone()),
            group: cut(&group_text, 100).to_owned(),
            named_artist: said || own_hint,
            not_artist,
            role: role_line.cloned(),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, handles and reasons to leave somebody out, of the cards of a page headed "Our artists".
    fn people(body: &str) -> Vec<(String, Vec<String>, bool)> {
        let clock = || std::time::Duration::ZERO;
        let budget = crate::extract::ParseBudget::new(crate::extract::ParseLimits::default(), &clock);
        let text = format!("<title>Ink House Tattoo</title><h1>Our artists</h1>{body}");
        let url = url::Url::parse("http://house.example/crew").expect("address");
        let page = crate::extract::read_page(&url, &text, &Styles::standard(), &budget).expect("page");
        page.cards.into_iter().map(|card| (card.name.unwrap_or_default(), card.instagram, card.not_artist.is_some())).collect()
    }

    #[test]
    fn bold_names_open_cards_in_rows_in_running_text_and_in_definition_lists() {
        let mila = ("Mila Vento".to_owned(), vec!["mila.v".to_owned()], false);
        let jan = ("Jan Holt".to_owned(), vec!["janholt".to_owned()], false);
        let ida = ("Ida Berg".to_owned(), vec!["ida.b".to_owned()], true);
        for body in [
            "<table><tr><td><img src=m.jpg><td><b>Mila Vento</b><td>Instagram: @mila.v<tr><td><img src=j.jpg><td><b>Jan Holt</b><td>Instagram: @janholt\
             <tr><td><img src=i.jpg><td><b>Ida Berg</b><td>Piercer<td>Instagram: @ida.b</table>",
            "<p><strong>Mila Vento</strong></p><p>Realism</p><p>Instagram @mila.v</p><p><strong>Jan Holt</strong></p><p>Instagram @janholt</p>\
             <p><strong>Ida Berg</strong></p><p>Piercer</p><p>Instagram @ida.b</p>",
            "<dl><dt>Mila Vento<dd>Realism<dd>Instagram @mila.v<dt>Jan Holt<dd>Instagram @janholt<dt>Ida Berg<dd>Piercer<dd>Instagram @ida.b</dl>",
        ] {
            assert_eq!(people(body), [mila.clone(), jan.clone(), ida.clone()], "{body}");
        }
    }

    #[test]
    fn bold_labels_and_columns_of_links_are_nobody() {
        let labels = "<p><b>Rates</b></p><p>90 an hour @ink.house</p><p><b>Walk-Ins</b></p><p>On Fridays <a href=/x>more</a></p>";
        let menu = "<table><tr><td><b>Ink House</b><td><a href=/a>Roses</a><br><a href=/b>Panthers</a><br><a href=/c>Anchors</a></table>";
        let repeated = "<dl><dt>Panther<dd>a <a href=/1>b</a><dt>Panther<dd>a <a href=/2>b</a></dl>";
        for body in [labels, menu, repeated] {
            assert_eq!(people(body), [], "{body}");
        }
    }

    #[test]
    fn names_are_told_from_headings() {
        let styles = Styles::standard();
        for text in
            ["Mila Vento", "Lola.ink", "shezi_tattoo", "Ana de la Cruz", "JOHN O'NEILL", "Олена Коваль", "Big Tony", "Kasper Brandt Tattoo"]
        {
            assert!(name_like(text, &styles), "{text}");
        }
        for text in [
            "Our Services",
            "Custom Tattoos",
            "Blackwork",
            "Book now",
            "Opening hours",
            "Fine Line Tattoo",
            "What to expect",
            "Contact",
            "Professional Piercer",
            "12:00",
            "Get in touch",
        ] {
            assert!(!name_like(text, &styles), "{text}");
        }
        assert_eq!(name_in("Mila Vento – Tattoo Artist", &styles).as_deref(), Some("Mila Vento"));
        assert_eq!(name_in("Mila Vento (@mila.ink)", &styles).as_deref(), Some("Mila Vento"));
        assert_eq!(name_in("Design – from idea to skin", &styles), None);
    }
}
