//! A page as flat lists in reading order: elements with ranges, text blocks, links, pictures.
//!
//! One pass over the tree; whatever lies inside an element is a range of each list, so asking for the content of a
//! card costs nothing and no walk recurses.

mod build;
mod element;
mod parts;
mod targets;

pub(crate) use build::outline;

use crate::extract::finding::Place;
use html5ever::LocalName;
use std::ops::Range;
use url::Url;

const ROOT: u32 = 0;

#[derive(Debug)]
pub(crate) struct Element {
    pub tag: LocalName,
    /// Class, id, role and label as words between single spaces, in lower case.
    pub hint: String,
    pub parent: u32,
    pub depth: u16,
    pub place: Place,
    pub elements: Range<u32>,
    pub blocks: Range<u32>,
    pub links: Range<u32>,
    pub images: Range<u32>,
}

impl Element {
    pub fn is(&self, tag: &str) -> bool {
        &*self.tag == tag
    }

    pub fn hints(&self, words: &[&str]) -> bool {
        self.hint.split(' ').any(|word| words.contains(&word))
    }
}

#[derive(Debug)]
pub(crate) struct Block {
    /// Cleaned text; lines of `<br>` are kept as `\n`.
    pub text: String,
    pub element: u32,
    pub place: Place,
    /// 1 to 6 for a heading, else 0.
    pub level: u8,
    /// Its first line is bold from end to end: the heading of pages that know no headings.
    pub bold: bool,
    /// The bold beginning of a first line that goes on in plain letters; empty without one.
    pub lead: String,
    /// The heading this block stands under.
    pub heading: Option<u32>,
}

impl Block {
    pub fn line(&self) -> String {
        self.text.replace('\n', " ")
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    pub url: Option<Url>,
    pub href: String,
    /// Visible text, else label, title or the alternative text of a picture inside.
    pub text: String,
    pub visible: bool,
    pub rel: String,
    pub element: u32,
    pub block: u32,
    pub place: Place,
    pub heading: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Image {
    /// Addresses of the same picture; the first is what the page shows.
    pub urls: Vec<Url>,
    pub alt: String,
    pub element: u32,
    pub place: Place,
    pub heading: Option<u32>,
    /// The block it stands in or before.
    pub block: u32,
    /// The link around it.
    pub link: Option<u32>,
    /// Declared size; 0 = not declared.
    pub side: u32,
    /// It lies behind an element rather than in an `<img>`.
    pub background: bool,
}

/// An element with `itemprop` or `itemtype`.
#[derive(Debug)]
pub(crate) struct Item {
    pub element: u32,

    pub prop: Option<String>,
    pub value: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Outline {
    pub base: Url,
    pub lang: Option<String>,
    pub title: String,
    pub metas: Vec<(String, String)>,
    pub head_links: Vec<(String, String)>,
    pub json_ld: Vec<String>,
    pub items: Vec<Item>,
    pub elements: Vec<Element>,
    pub blocks: Vec<Block>,
    pub links: Vec<Link>,
    pub images: Vec<Image>,
    pub frames: Vec<String>,
    pub actions: Vec<String>,
    pub has_scripts: bool,
    /// Addresses of parts that scripts put into the page.
    pub parts: Vec<String>,
}

impl Outline {
    pub fn element(&self, index: u32) -> &Element {
        &self.elements[index as usize]
    }

    pub fn blocks_of(&self, range: &Range<u32>) -> &[Block] {
        &self.blocks[range.start as usize..range.end as usize]
    }

    pub fn links_of(&self, range: &Range<u32>) -> &[Link] {
        &self.links[range.start as usize..range.end as usize]
    }

    pub fn images_of(&self, range: &Range<u32>) -> &[Image] {
        &self.images[range.start as usize..range.end as usize]
    }

    /// The element and its ancestors, innermost first.
    pub fn lineage(&self, index: u32) -> impl Iterator<Item = &Element> {
        let mut next = Some(index);
        std::iter::from_fn(move || {
            let at = next?;
            let element = self.element(at);
            next = (at != ROOT).then_some(element.parent);
            Some(element)
        })
    }

    pub fn heading_text(&self, heading: Option<u32>) -> String {
        heading.map(|at| self.blocks[at as usize].line()).unwrap_or_default()
    }

    pub fn meta(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.metas.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::parse::{ParseBudget, ParseLimits, parse};
    use std::time::Duration;

    fn read(text: &str) -> Outline {
        let clock = || Duration::ZERO;
        let budget = ParseBudget::new(ParseLimits::default(), &clock);
        let page = Url::parse("http://ink.example/a/").expect("page address");
        outline(&parse(text, &budget).expect("parse"), &page, &budget).expect("outline")
    }

    #[test]
    fn blocks_follow_the_reading_order_with_their_headings() {
        let page = read("<header><a href=/>Ink</a></header><section><h2>About</h2><div><p>One<br>two</p></div></section><p>Loose</p>");
        let blocks: Vec<_> = page.blocks.iter().map(|block| (block.text.as_str(), block.level)).collect();
        assert_eq!(blocks, [("Ink", 0), ("About", 2), ("One\ntwo", 0), ("Loose", 0)]);
        assert_eq!(page.heading_text(page.blocks[2].heading), "About");
        assert_eq!(page.blocks[3].heading, None, "a heading ends with its section");
        assert_eq!(page.blocks[0].place, Place::Header);
    }

    #[test]
    fn touching_spans_are_words_unless_they_are_letters() {
        let page = read("<p><span>Mila</span><span>Vento</span></p><p><i>I</i><i>N</i><i>K</i></p><p><b>F</b>ine</p>");
        let blocks: Vec<_> = page.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(blocks, ["Mila Vento", "INK", "Fine"]);
    }

    #[test]
    fn bold_lines_are_told_from_lines_with_a_bold_word() {
        let page = read(
            "<table><tr><td><b>Mila Vento</b></td><td>A <b>b</b></td><th>C</th></tr></table><p><br><strong>Jan</strong><br>tattoos</p>",
        );
        let bold: Vec<_> = page.blocks.iter().map(|block| (block.text.as_str(), block.bold)).collect();
        assert_eq!(bold, [("Mila Vento", true), ("A b", false), ("C", true), ("Jan\ntattoos", true)]);
    }

    #[test]
    fn an_element_knows_what_lies_inside() {
        let page = read("<div id=x class='artistCard big'><h3>Mila</h3><a href=m><img src=a.jpg alt=M></a></div><p>Out</p>");
        let card = page.elements.iter().find(|element| element.hints(&["x"])).expect("card");
        assert!(card.hints(&["card"]), "{}", card.hint);
        assert_eq!(page.blocks_of(&card.blocks).len(), 1);
        assert_eq!(page.links_of(&card.links)[0].text, "M");
        assert_eq!(page.images_of(&card.images)[0].urls[0].as_str(), "http://ink.example/a/a.jpg");
    }

    #[test]
    fn buttons_that_move_by_script_are_links() {
        let page = read("<button onclick=\"location.href='team.html'\">Our artists</button><div onclick=\"open()\">x</div>");
        assert_eq!(page.links.len(), 1);
        assert_eq!((page.links[0].href.as_str(), page.links[0].text.as_str()), ("team.html", "Our artists"));
    }

    #[test]
    fn reviews_are_told_apart_by_heading_and_by_class() {
        let page = read("<h2>What clients say</h2><p>Best!</p><h2>Contact</h2><p>Call</p><div class=testimonial><p>Wow</p></div>");
        let places: Vec<_> = page.blocks.iter().map(|block| block.place).collect();
        assert_eq!(places[1], Place::Quote);
        assert_eq!(places[3], Place::Main);
        assert_eq!(places[4], Place::Quote);
    }
}
