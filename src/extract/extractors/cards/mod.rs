//! Cards of people: repeated blocks with a name in a part of the page that presents artists.

mod menus;
mod name;
mod pages;
mod spans;

use menus::{menu_roster, pictures_only};
pub(crate) use name::{name_in, name_like, without_nickname};
pub(crate) use pages::page_of;
use spans::{group_heading, spans};

use crate::extract::finding::{MAX_CARDS, PageRole, Place};
use crate::extract::lexicon;
use crate::extract::outline::{Block, Outline};
use crate::extract::styles::Styles;
use crate::extract::text::{fold, tokens};
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

const NAME_HINTS: &[&str] = &["name", "nombre", "nome", "naam", "nom", "imie", "title", "heading"];

/// More names of one shape than any team has.
const MAX_GROUP: usize = 200;

/// What the names of one list have in common: level of heading, tag, depth.
type Key = (u8, String, u16);

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

/// The short line that may be a name, and whether what follows it in its block is about that person.
fn name_line<'block>(page: &Outline, block: &'block Block) -> (&'block str, bool) {
    let first = block.text.split('\n').next().unwrap_or_default();
    if block.level > 0 {
        return (block.text.as_str(), false);
    }
    // "<b>Mila Vento</b> – realism – @mila": a sign after the bold beginning ends the name; a word goes on with a sentence.
    if let Some(rest) = first.strip_prefix(block.lead.as_str()).filter(|rest| !block.lead.is_empty() && !rest.is_empty())
        && rest.trim_start().starts_with(['–', '—', '-', ':', ',', '|', '(', '·', '•', '/', '@'])
    {
        return (block.lead.as_str(), true);
    }
    // In a caption the name is the first line, what follows is about the person.
    let lead = block.text.contains('\n') && !is_menu(page, block);
    if lead { (first, true) } else { (block.text.as_str(), false) }
}

/// The name of the site at the head of its pages, which leads home.
fn is_site_title(page: &Outline, block: &Block) -> bool {
    block.level == 0
        && block.place == Place::Header
        && page.links_of(&page.element(block.element).links).iter().any(|link| {
            link.url
                .as_ref()
                .is_some_and(|url| matches!(url.path(), "/" | "/index.html" | "/index.htm" | "/index.php") && url.query().is_none())
        })
}

/// Finds the cards of a page.
pub(crate) fn find(page: &Outline, role: PageRole, styles: &Styles) -> Vec<Span> {
    let mut groups: HashMap<Key, Vec<Candidate>> = HashMap::new();
    let mut invented: Vec<(Key, Option<u32>)> = Vec::new();
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Nav | Place::Form | Place::Quote | Place::Footer | Place::Credit) || is_site_title(page, block) {
            continue;
        }
        let (text, lead) = name_line(page, block);
        if text.chars().count() > 90 || block.text.chars().count() > 600 {
            continue;
        }
        let element = page.element(block.element);
        let linked = page.links_of(&element.links).iter().any(|link| link.visible && link.text == block.line() && link.url.is_some());
        let hinted = page.lineage(block.element).take(2).any(|element| element.hints(NAME_HINTS));
        let bold = block.level == 0 && (block.bold || !block.lead.is_empty() && lead || element.is("dt") || element.is("summary"));
        if block.level == 0 && !linked && !hinted && !lead && !bold {
            continue;
        }
        // Captions and the lines of an accordion are of one kind however deep they stand.
        let depth = if matches!(&*element.tag, "figcaption" | "summary" | "dt") { 0 } else { element.depth };
        let key = (block.level, element.tag.to_string(), depth);
        if lexicon::listed(&lexicon::words().placeholder_names, &tokens(text).join(" ")) {
            let heading = if block.level > 0 { page.blocks[index].heading } else { block.heading };
            invented.push((key, heading));
            continue;
        }
        let Some(name) = name_in(text, styles) else {
            continue;
        };
        groups.entry(key).or_default().push(Candidate { block: index as u32, name, level: block.level, linked, hinted, lead, bold });
    }
    groups.values_mut().for_each(drop_labels);
    groups.values_mut().for_each(drop_handles);
    let mut found: Vec<(usize, Span)> = Vec::new();
    let mut groups: Vec<(Key, Vec<Candidate>)> = groups.into_iter().collect();
    // Hundreds of alike lines are a list of something else; below the heading of a team they are a generated one, of which enough is
    // kept to be refused by its rule.
    groups.retain(|(_, group)| group.first().is_some_and(|first| group.len() <= MAX_GROUP || group_heading(page, group, first.block).2));
    groups.iter_mut().for_each(|(_, group)| group.truncate(MAX_GROUP));
    groups.sort_by_key(|(_, group)| group[0].block);
    for (at, (key, group)) in groups.iter().enumerate() {
        let theme: Vec<Option<u32>> = invented.iter().filter(|(other, _)| other == key).map(|(_, heading)| *heading).collect();
        for span in spans(page, role, group) {
            let heading = page.blocks[span.blocks.start as usize..].first().and_then(|block| block.heading);
            // Beside "Full Name" and "John Doe" stand the people a theme came with, unless they lead to a profile.
            if theme.iter().any(|other| *other == heading || other.is_none()) && !has_profile(page, &span) {
                continue;
            }
            found.push((at, span));
        }
    }
    drop_headings_of_cards(page, &groups, &mut found);
    let mut out: Vec<Span> = Vec::new();
    for (_, span) in found {
        let overlaps = out.iter().any(|other| other.blocks.start < span.blocks.end && span.blocks.start < other.blocks.end);
        if !overlaps && out.len() < MAX_CARDS {
            out.push(span);
        }
    }
    pictures_only(page, styles, &mut out);
    menu_roster(page, styles, &mut out);
    out.sort_by_key(|span| (span.blocks.start, span.links.start));
    out
}

/// Does a card lead to somebody's profile?
fn has_profile(page: &Outline, span: &Span) -> bool {
    let links = page.links_of(&span.links).iter().filter_map(|link| link.url.as_ref());
    links.filter(|url| url.path().len() > 1).any(|url| super::handles::profile_of(url).is_some())
}

/// "Downtown" above the cards of those who work there: a card of which everything lies in the cards of a list is a heading.
fn drop_headings_of_cards(page: &Outline, groups: &[(Key, Vec<Candidate>)], found: &mut Vec<(usize, Span)>) {
    let inner: Vec<(usize, Span)> = found.iter().filter(|(at, _)| groups[*at].1.len() > 1).cloned().collect();
    found.retain(|(at, span)| {
        let within: Vec<&Span> = inner
            .iter()
            .filter(|(other, part)| other != at && part.blocks.start > span.blocks.start && part.blocks.end <= span.blocks.end)
            .map(|(_, part)| part)
            .collect();
        let own_link =
            span.links.clone().any(|link| page.links[link as usize].url.is_some() && !within.iter().any(|part| part.links.contains(&link)));
        let own_image = span.images.clone().any(|image| !within.iter().any(|part| part.images.contains(&image)));
        within.is_empty() || own_link || own_image
    });
}

/// Lines that are links and nothing else are a menu, as in the left column of a table.
fn is_menu(page: &Outline, block: &Block) -> bool {
    let links = page.links_of(&page.element(block.element).links);
    let is_link = |line: &str| links.iter().any(|link| link.visible && link.text == line);
    links.len() > 2 && block.text.split('\n').count() > 2 && block.text.split('\n').take(40).all(is_link)
}

/// Where a list names people, the handles in its other column are how to reach them.
fn drop_handles(group: &mut Vec<Candidate>) {
    if group.iter().any(|candidate| !candidate.name.starts_with('@')) {
        group.retain(|candidate| !candidate.name.starts_with('@'));
    }
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

#[cfg(test)]
mod tests;
