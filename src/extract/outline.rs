//! A page as flat lists in reading order: elements with ranges, text blocks, links, pictures.
//!
//! One pass over the tree; whatever lies inside an element is a range of each list, so asking for the content of a
//! card costs nothing and no walk recurses.

use super::finding::Place;
use super::lexicon;
use super::parse::{ParseBudget, ParseStop};
use super::text::clean;
use html5ever::LocalName;
use scraper::{Html, Node, node::Element as Node5};
use std::ops::Range;
use url::Url;

const MAX_BLOCK: usize = 6_000;
const MAX_BLOCKS: usize = 20_000;
const MAX_LINKS: usize = 5_000;
const MAX_IMAGES: usize = 4_000;
const MAX_HINT: usize = 240;
const MAX_JSON_LD: usize = 300_000;
const ROOT: u32 = 0;

/// Stands between two inline elements that touch: a space, unless every piece is a single letter.
const SEAM: char = '\u{1}';

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
    /// The link around it.
    pub link: Option<u32>,
    /// Declared size; 0 = not declared.
    pub side: u32,
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

struct Builder<'page> {
    out: Outline,
    page: &'page Url,
    stack: Vec<Open>,
    current: String,
    current_element: u32,
    headings: Vec<u32>,
    heading_level: u8,
    link: Option<u32>,
    closed_inline: bool,
    /// Depth of subtrees whose text is not content.
    silent: u32,
    title_open: bool,
}

struct Open {
    element: u32,
    headings: usize,
    block: bool,
    silent: bool,
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
        },
        page,
        stack: Vec::new(),
        current: String::new(),
        current_element: ROOT,
        headings: Vec::new(),
        heading_level: 0,
        link: None,
        closed_inline: false,
        silent: 0,
        title_open: false,
    };
    let mut depth = 0_usize;
    let mut step = 0_usize;
    let mut at = html.tree.root().first_child();
    while let Some(mut node) = at {
        step += 1;
        if step % 2_048 == 0 {
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

fn is_block(tag: &str) -> bool {
    matches!(
        tag,
        "html"
            | "body"
            | "address"
            | "article"
            | "aside"
            | "blockquote"
            | "button"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "iframe"
            | "label"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "optgroup"
            | "option"
            | "p"
            | "pre"
            | "section"
            | "select"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "textarea"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
            | "video"
    )
}

/// Class names as words: `artistCard--wide` becomes ` artist card wide `.
fn hint_of(element: &Node5) -> String {
    let mut out = String::from(" ");
    for name in ["class", "id", "role", "aria-label", "data-section", "itemprop"] {
        let Some(value) = element.attr(name) else { continue };
        let mut lower = false;
        for letter in value.chars().take(MAX_HINT) {
            if letter.is_alphanumeric() {
                if letter.is_uppercase() && lower {
                    out.push(' ');
                }
                lower = letter.is_lowercase();
                out.extend(letter.to_lowercase());
            } else {
                lower = false;
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
        }
        if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

fn place_of(element: &Node5, hint: &str, parent: Place) -> Place {
    if parent == Place::Form || matches!(parent, Place::Quote | Place::Credit) {
        return parent;
    }
    let hinted = |words: &[&str]| hint.split(' ').any(|word| words.contains(&word));
    match element.name() {
        "nav" | "menu" => return Place::Nav,
        "header" if parent == Place::Main => return Place::Header,
        "footer" => return Place::Footer,
        "aside" => return Place::Aside,
        "select" | "label" | "legend" | "textarea" | "fieldset" | "datalist" => return Place::Form,
        "blockquote" => return Place::Quote,
        "form" => return if hinted(&["aspnet", "aspnetform", "form1"]) { parent } else { Place::Form },
        "body" | "html" | "main" => return parent,
        _ => {}
    }
    if hinted(lexicon::QUOTE_HINTS) {
        return Place::Quote;
    }
    if parent == Place::Main || parent == Place::Header {
        if hinted(&["nav", "navbar", "navigation", "menu", "hamburger", "breadcrumb", "breadcrumbs"])
            && !matches!(element.name(), "section" | "article")
        {
            return Place::Nav;
        }
        if hinted(&["footer", "colophon", "copyright"]) {
            return Place::Footer;
        }
    }
    parent
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
        let mut open =
            Open { element: index, headings: self.headings.len(), block, silent, heading: 0, link: self.link, title: tag == "title" };
        if silent {
            self.silent += 1;
        }
        match tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                open.heading = self.heading_level;
                self.heading_level = tag.as_bytes()[1] - b'0';
            }
            "br" => self.current.push('\n'),
            "a" | "area" => self.open_link(element, index, place),
            "img" | "amp-img" => self.image(element, index, place),
            "source" => self.image(element, index, place),
            "title" => self.title_open = self.out.title.is_empty(),
            _ => {}
        }
        self.other_tag(tag, element, content);
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

    fn other_tag(&mut self, tag: &str, element: &Node5, content: Option<String>) {
        let attr = |name: &str| element.attr(name).unwrap_or_default();
        match tag {
            "html" if self.out.lang.is_none() => {
                self.out.lang = element.attr("lang").map(|lang| clean(lang, 20)).filter(|lang| !lang.is_empty());
            }
            "base" if self.out.base == *self.page => {
                if let Ok(base) = self.page.join(attr("href")) {
                    if base.scheme().starts_with("http") {
                        self.out.base = base;
                    }
                }
            }
            "meta" => {
                let name = ["name", "property", "itemprop", "http-equiv"].iter().find_map(|name| element.attr(name));
                if let Some(name) = name {
                    self.out.metas.push((clean(name, 80).to_lowercase(), clean(attr("content"), 4_000)));
                }
            }
            "link" => self.out.head_links.push((attr("rel").to_lowercase(), attr("href").to_owned())),
            "script" => {
                self.out.has_scripts |= element.attr("src").is_some();
                if attr("type").to_lowercase().contains("ld+json") {
                    let content = content.unwrap_or_default();
                    if content.len() <= MAX_JSON_LD {
                        self.out.json_ld.push(content);
                    }
                }
            }
            "iframe" | "embed" => {
                let source = if attr("src").is_empty() { attr("data-src") } else { attr("src") };
                self.out.frames.push(source.chars().take(2_000).collect());
            }
            "form" => self.out.actions.push(attr("action").chars().take(500).collect()),
            _ => {}
        }
    }

    fn open_link(&mut self, element: &Node5, index: u32, place: Place) {
        if self.out.links.len() >= MAX_LINKS {
            return;
        }
        let href: String = element.attr("href").unwrap_or_default().trim().chars().take(2_048).collect();
        let label = ["aria-label", "title"].iter().find_map(|name| element.attr(name)).unwrap_or_default();
        self.link = Some(self.out.links.len() as u32);
        self.out.links.push(Link {
            url: if href.is_empty() { None } else { self.out.base.join(&href).ok() },
            href,
            text: clean(label, 200),
            visible: false,
            rel: element.attr("rel").unwrap_or_default().to_lowercase(),
            element: index,
            block: self.out.blocks.len() as u32,
            place,
            heading: self.headings.last().copied(),
        });
    }

    fn image(&mut self, element: &Node5, index: u32, place: Place) {
        if self.out.images.len() >= MAX_IMAGES {
            return;
        }
        let mut urls: Vec<Url> = Vec::new();
        for name in ["src", "data-src", "data-lazy-src", "data-original", "data-lazy", "data-full", "srcset", "data-srcset"] {
            let Some(value) = element.attr(name) else { continue };
            let value = if name.ends_with("srcset") {
                // The last candidate is the largest by custom; commas also occur inside addresses, so cut at spaces.
                value.split_whitespace().rev().find(|part| part.len() > 6 && !part.ends_with(['w', 'x'])).unwrap_or_default()
            } else {
                value
            };
            let value = value.trim().trim_end_matches(',');
            if value.is_empty() || value.starts_with("data:") || value.len() > 2_048 {
                continue;
            }
            if let Ok(url) = self.out.base.join(value) {
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
        let side = ["width", "height"]
            .iter()
            .filter_map(|name| element.attr(name).and_then(|value| value.trim_end_matches("px").parse::<u32>().ok()))
            .max()
            .unwrap_or(0);
        let alt = clean(element.attr("alt").unwrap_or_default(), 300);
        if let Some(link) = self.link {
            let link = &mut self.out.links[link as usize];
            if link.text.is_empty() {
                link.text.clone_from(&alt);
            }
        }
        if !urls.is_empty() {
            let heading = self.headings.last().copied();
            self.out.images.push(Image { urls, alt, element: index, place, heading, link: self.link, side });
        }
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
        let text = text.get(..).unwrap_or_default();
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
        let index = self.out.blocks.len() as u32;
        let mut place = self.out.element(self.current_element).place;
        if place != Place::Form && self.headings.iter().any(|at| lexicon::is_quote_heading(&self.out.blocks[*at as usize].text)) {
            place = Place::Quote;
        }
        if self.heading_level > 0 {
            let level = self.heading_level;
            while self.headings.last().is_some_and(|at| self.out.blocks[*at as usize].level >= level) {
                self.headings.pop();
            }
            if place == Place::Quote && !self.headings.iter().any(|at| lexicon::is_quote_heading(&self.out.blocks[*at as usize].text)) {
                place = self.out.element(self.current_element).place;
            }
        }
        self.out.blocks.push(Block {
            text,
            element: self.current_element,
            place,
            level: self.heading_level,
            heading: self.headings.last().copied(),
        });
        if self.heading_level > 0 {
            self.headings.push(index);
        }
    }

    fn close(&mut self) {
        let Some(open) = self.stack.pop() else { return };
        let tag = self.out.element(open.element).tag.clone();
        if open.block {
            self.flush();
        } else {
            self.closed_inline = true;
        }
        if open.silent {
            self.silent -= 1;
        }
        if open.title {
            self.title_open = false;
        }
        match &*tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading_level = open.heading,
            "a" | "area" => {
                self.link = open.link;
            }
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

#[cfg(test)]
mod tests {
    use super::super::parse::{ParseLimits, parse};
    use super::*;
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
    fn an_element_knows_what_lies_inside() {
        let page = read("<div id=x class='artistCard big'><h3>Mila</h3><a href=m><img src=a.jpg alt=M></a></div><p>Out</p>");
        let card = page.elements.iter().find(|element| element.hints(&["x"])).expect("card");
        assert!(card.hints(&["card"]), "{}", card.hint);
        assert_eq!(page.blocks_of(&card.blocks).len(), 1);
        assert_eq!(page.links_of(&card.links)[0].text, "M");
        assert_eq!(page.images_of(&card.images)[0].urls[0].as_str(), "http://ink.example/a/a.jpg");
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
