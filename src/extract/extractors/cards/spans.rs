//! From the names of one list to their cards: where each begins and ends, and whether it presents somebody who tattoos.

use super::{Candidate, Span, name_line};
use crate::extract::finding::{PageRole, Place};
use crate::extract::lexicon::{self, holds_any, role_of};
use crate::extract::outline::Outline;
use crate::extract::text::{cut, tokens};

/// More blocks than the card of one person has.
const MAX_CARD_BLOCKS: u32 = 120;

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

/// The group heading: the nearest heading above that is no name of the group.
pub(super) fn group_heading(page: &Outline, group: &[Candidate], block: u32) -> (Option<u32>, String, bool) {
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
            let above = page.blocks[index as usize].heading.map(|above| page.blocks[above as usize].line()).unwrap_or_default();
            let team = [&text, &eyebrow, &above].into_iter().any(|text| role_of(text) == PageRole::Team);
            return (Some(index), text, team);
        }
        at = page.blocks[index as usize].heading;
    }
    (None, String::new(), false)
}

/// A heading of higher rank than the name opens another part of the page.
fn outranks(page: &Outline, at: u32, candidate: &Candidate) -> bool {
    let rank = if candidate.level == 0 { 3 } else { candidate.level };
    at != candidate.block && (1..rank).contains(&page.blocks[at as usize].level)
}

/// The cards of a list of names that the page presents as people who tattoo, or as others beside them.
pub(super) fn spans(page: &Outline, role: PageRole, group: &[Candidate]) -> Vec<Span> {
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
                || heading.is_some_and(|at| above.blocks.contains(&at))
                || (above.blocks.start..above.blocks.end.min(above.blocks.start + MAX_CARD_BLOCKS)).any(|at| outranks(page, at, candidate));
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
        let (line, _) = name_line(page, block);
        let own_lines: Vec<String> = match block.text.strip_prefix(line).filter(|_| candidate.lead) {
            Some(rest) => rest.split('\n').map(str::trim).filter(|line| !line.is_empty()).take(2).map(str::to_owned).collect(),
            None => Vec::new(),
        };
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
                || candidate.hinted && candidate.level == 0 && role == PageRole::Team && !lone && (pictured || reachable)
        };
        if !accepted || blocks.len() > MAX_CARD_BLOCKS as usize {
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
            .or_else(|| page.blocks_of(&blocks).iter().any(|block| lexicon::learns_only(&block.text)).then_some("trainee"))
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
