//! Builds the outline in one pass over the tree, without recursion.

use super::element::{hint_of, is_block, moved_to, place_of};
use super::{Block, Element, Item, Outline, ROOT};
use crate::extract::finding::Place;
use crate::extract::lexicon;
use crate::extract::parse::{ParseBudget, ParseStop};
use crate::extract::text::clean;
use html5ever::LocalName;
use scraper::{Html, Node, node::Element as Node5};
use std::collections::HashSet;
use url::Url;

pub(super) const MAX_BLOCK: usize = 6_000;

pub(super) const MAX_BLOCKS: usize = 20_000;

/// Stands between two inline elements that touch: a space, unless every piece is a single letter.
pub(super) const SEAM: char = '\u{1}';

pub(super) struct Builder<'page> {
    pub(super) out: Outline,
    pub(super) page: &'page Url,
    pub(super) stack: Vec<Open>,
    pub(super) current: String,
    pub(super) current_element: u32,
    pub(super) headings: Vec<u32>,
    /// Headings of parts where clients speak.
    quotes: HashSet<u32>,
    pub(super) heading_level: u8,
    pub(super) link: Option<u32>,
    pub(super) closed_inline: bool,
    /// How many bold elements are open.
    bold: u32,
    /// What the first line of the block at hand is made of.
    line: FirstLine,
    /// Depth of subtrees whose text is not content.
    pub(super) silent: u32,
    pub(super) title_open: bool,
}

#[derive(Default)]
struct FirstLine {
    /// It has text.
    filled: bool,
    /// Some of its text is not bold.
    plain: bool,
    /// How many bytes of bold text come before the first that is not.
    lead: usize,
    /// It has ended.
    ended: bool,
}

pub(super) struct Open {
    element: u32,
    headings: usize,
    block: bool,
    silent: bool,
    bold: bool,
    heading: u8,
    link: Option<u32>,
    title: bool,
}

/// Reads the tree in one pass.
pub(crate) fn outline(html: &Html, page: &Url, budget: &ParseBudget<'_>) -> Result<Outline, ParseStop> {
    let root = Element {
        tag: LocalName::from("html"),
        hint: String::new(),
        parent: ROOT,
        depth: 0,
        place: Place::Main,
        elements: 0..0,
        blocks: 0..0,
        links: 0..0,
        images: 0..0,
    };
    let mut builder = Builder {
        out: Outline {
            base: page.clone(),
            lang: None,
            title: String::new(),
            metas: Vec::new(),
            head_links: Vec::new(),
            json_ld: Vec::new(),
            items: Vec::new(),
            elements: vec![root],
            blocks: Vec::new(),
            links: Vec::new(),
            images: Vec::new(),
            frames: Vec::new(),
            actions: Vec::new(),
            has_scripts: false,
            parts: Vec::new(),
        },
        page,
        stack: Vec::new(),
        current: String::new(),
        current_element: ROOT,
        headings: Vec::new(),
        quotes: HashSet::new(),
        heading_level: 0,
        link: None,
        closed_inline: false,
        bold: 0,
        line: FirstLine::default(),
        silent: 0,
        title_open: false,
    };
    let mut depth = 0_usize;
    let mut step = 0_usize;
    let mut at = html.tree.root().first_child();
    while let Some(mut node) = at {
        step += 1;
        if step.is_multiple_of(2_048) {
            budget.check_time()?;
        }
        match node.value() {
            Node::Element(element) => {
                depth += 1;
                budget.check_depth(depth)?;
                let content = matches!(element.name(), "script" | "style")
                    .then(|| node.children().filter_map(|child| child.value().as_text().map(|text| &**text)).collect::<String>());
                builder.open(element, content);
            }
            Node::Text(text) => builder.text(text),
            _ => {}
        }
        if let Some(child) = node.first_child() {
            at = Some(child);
            continue;
        }
        // Up until somewhere to the right, closing what is left behind.
        at = loop {
            if node.value().is_element() {
                depth -= 1;
                builder.close();
            }
            if let Some(next) = node.next_sibling() {
                break Some(next);
            }
            match node.parent() {
                Some(parent) => node = parent,
                None => break None,
            }
        };
    }
    builder.flush();
    let (elements, blocks) = (builder.out.elements.len() as u32, builder.out.blocks.len() as u32);
    let (links, images) = (builder.out.links.len() as u32, builder.out.images.len() as u32);
    let root = &mut builder.out.elements[0];
    (root.elements, root.blocks, root.links, root.images) = (0..elements, 0..blocks, 0..links, 0..images);
    Ok(builder.out)
}

impl Builder<'_> {
    fn open(&mut self, element: &Node5, content: Option<String>) {
        let tag = element.name();
        let block = is_block(tag);
        if block {
            self.flush();
        }
        let parent = self.stack.last().map_or(ROOT, |open| open.element);
        let hint = hint_of(element);
        let place = place_of(element, &hint, self.out.element(parent).place);
        let index = self.out.elements.len() as u32;
        self.out.elements.push(Element {
            tag: element.name.local.clone(),
            hint,
            parent,
            depth: self.stack.len().min(u16::MAX as usize) as u16,
            place,
            elements: index..index + 1,
            blocks: self.out.blocks.len() as u32..0,
            links: self.out.links.len() as u32..0,
            images: self.out.images.len() as u32..0,
        });
        let silent = matches!(tag, "script" | "style" | "svg" | "template" | "noscript" | "head" | "object" | "math");
        let bold = matches!(tag, "b" | "strong" | "th");
        let mut open =
            Open { element: index, headings: self.headings.len(), block, silent, bold, heading: 0, link: self.link, title: tag == "title" };
        self.silent += u32::from(silent);
        self.bold += u32::from(bold);
        match tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                open.heading = self.heading_level;
                self.heading_level = tag.as_bytes()[1] - b'0';
            }
            "br" => {
                self.current.push('\n');
                self.line.ended = self.line.filled;
            }
            "a" | "area" => {
                self.open_link(element, index, place, element.attr("href").unwrap_or_default());
                self.background(element, index, place);
            }
            "img" | "amp-img" => self.image(element, index, place),
            "source" => self.image(element, index, place),
            "title" => self.title_open = self.out.title.is_empty(),
            "html" | "head" | "body" | "meta" | "link" | "script" | "iframe" | "video" => {}
            _ => self.background(element, index, place),
        }
        if !matches!(tag, "a" | "area") {
            // Buttons that move by script are links to a reader.
            let target = element.attr("data-href").or_else(|| element.attr("onclick").and_then(moved_to));
            if let Some(target) = target {
                self.open_link(element, index, place, target);
            }
        }
        self.other_tag(tag, element, index, content);
        if let Some(prop) = element.attr("itemprop").or_else(|| element.attr("itemtype").map(|_| "")) {
            let value = ["content", "datetime", "href", "src"].iter().find_map(|name| element.attr(name));
            self.out.items.push(Item {
                element: index,

                prop: (!prop.is_empty()).then(|| prop.to_owned()),
                value: value.map(|value| clean(value, 1_000)),
            });
        }
        if !block {
            if self.closed_inline && !self.current.is_empty() && !self.current.ends_with(char::is_whitespace) {
                self.current.push(SEAM);
            }
            self.closed_inline = false;
        }
        self.stack.push(open);
    }

    fn text(&mut self, text: &str) {
        if self.title_open {
            let title = std::mem::take(&mut self.out.title);
            self.out.title = clean(&format!("{title} {text}"), 300);
            return;
        }
        if self.silent > 0 || self.current.len() > MAX_BLOCK * 4 {
            return;
        }
        if self.current.trim().is_empty() && !text.trim().is_empty() {
            let inner = self.stack.iter().rev().find(|open| open.block).map_or(ROOT, |open| open.element);
            self.current_element = inner;
        }
        if !text.trim().is_empty() {
            if self.bold == 0 && !self.line.plain {
                self.line.lead = if self.line.filled { self.current.len() } else { 0 };
            }
            self.line.filled = true;
            self.line.plain |= self.bold == 0 && !self.line.ended;
        }
        self.current.extend(text.chars().take(MAX_BLOCK * 2).map(|letter| if letter == '\n' { ' ' } else { letter }));
        self.closed_inline = false;
        if let Some(link) = self.link {
            let link = &mut self.out.links[link as usize];
            let text = clean(text, 200);
            if !text.is_empty() {
                link.text = if link.visible { clean(&format!("{} {text}", link.text), 200) } else { text };
                link.visible = true;
            }
        }
    }

    fn flush(&mut self) {
        self.closed_inline = false;
        let current = std::mem::take(&mut self.current);
        let line = std::mem::take(&mut self.line);
        if current.trim().is_empty() || self.out.blocks.len() >= MAX_BLOCKS {
            return;
        }
        let single = current.split(SEAM).all(|piece| piece.trim().chars().count() <= 1) && current.matches(SEAM).count() > 1;
        let joined = current.replace(SEAM, if single { "" } else { " " });
        let lines: Vec<String> = joined.split('\n').map(|line| clean(line, MAX_BLOCK)).filter(|line| !line.is_empty()).collect();
        let text = lines.join("\n");
        if text.is_empty() {
            return;
        }
        let lead = if line.plain { current.get(..line.lead).unwrap_or_default() } else { "" };
        let lead = clean(&lead.replace([SEAM, '\n'], " "), 90);
        let index = self.out.blocks.len() as u32;
        let level = self.heading_level;
        while level > 0 && self.headings.last().is_some_and(|at| self.out.blocks[*at as usize].level >= level) {
            self.headings.pop();
        }
        let mut place = self.out.element(self.current_element).place;
        if place != Place::Form && self.headings.iter().any(|at| self.quotes.contains(at)) {
            place = Place::Quote;
        }
        if level > 0 && lexicon::is_quote_heading(&text) {
            self.quotes.insert(index);
        }
        self.out.blocks.push(Block {
            text,
            element: self.current_element,
            place,
            level: self.heading_level,
            bold: line.filled && !line.plain,
            lead,
            heading: self.headings.last().copied(),
        });
        if self.heading_level > 0 {
            self.headings.push(index);
        }
    }

    fn close(&mut self) {
        let Some(open) = self.stack.pop() else { return };
        let tag = self.out.element(open.element).tag.clone();
        self.link = open.link;
        if open.block {
            self.flush();
        } else {
            self.closed_inline = true;
        }
        self.silent -= u32::from(open.silent);
        self.bold -= u32::from(open.bold);
        if open.title {
            self.title_open = false;
        }
        match &*tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading_level = open.heading,
            // A heading rules what follows beside it, but not what follows outside its section.
            "section" | "article" | "aside" | "footer" | "nav" | "form" | "main" => self.headings.truncate(open.headings),
            _ => {}
        }
        let (elements, blocks) = (self.out.elements.len() as u32, self.out.blocks.len() as u32);
        let (links, images) = (self.out.links.len() as u32, self.out.images.len() as u32);
        let element = &mut self.out.elements[open.element as usize];
        element.elements.end = elements;
        element.blocks.end = blocks.max(element.blocks.start);
        element.links.end = links;
        element.images.end = images;
    }
}
