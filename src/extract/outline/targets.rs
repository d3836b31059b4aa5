//! Links, pictures and the head of a page: addresses made absolute, labels and sizes kept.

use super::build::Builder;
use super::{Image, Link, parts};
use crate::extract::finding::Place;
use crate::extract::text::{clean, cut};
use scraper::node::Element as Node5;
use url::Url;

const MAX_JSON_LD: usize = 300_000;
const MAX_LINKS: usize = 5_000;
const MAX_IMAGES: usize = 4_000;
/// How much of a style is looked at, characters.
const MAX_STYLE: usize = 3_000;
/// Endings of pictures.
const PICTURES: [&str; 6] = [".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif"];

/// Does the value of an attribute name a picture? Image servers put their own words behind the file name.
fn leads_to_picture(value: &str) -> bool {
    let value = value.trim();
    if value.len() > 4_096 || value.starts_with(['{', '[', '<', '#']) || value.starts_with("data:") {
        return false;
    }
    let lower = value.to_lowercase();
    PICTURES.iter().any(|ending| {
        lower.match_indices(ending).any(|(at, found)| {
            let after = lower[at + found.len()..].chars().next();
            at > 0 && after.is_none_or(|letter| matches!(letter, '?' | '#' | '/' | ' ' | '&' | ':'))
        })
    })
}

/// The addresses of a style: `background-image: url('a.jpg')`.
fn addresses_of_style(style: &str) -> Vec<&str> {
    let style = cut(style, MAX_STYLE);
    if !style.contains("background") {
        return Vec::new();
    }
    let inside = style.split("url(").skip(1).filter_map(|rest| rest.split(')').next());
    inside.map(|address| address.trim().trim_matches(['"', '\''])).filter(|address| !address.is_empty()).take(2).collect()
}

impl Builder<'_> {
    pub(super) fn open_link(&mut self, element: &Node5, index: u32, place: Place, href: &str) {
        if self.out.links.len() >= MAX_LINKS {
            return;
        }
        let href: String = href.trim().chars().take(2_048).collect();
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

    pub(super) fn image(&mut self, element: &Node5, index: u32, place: Place) {
        if self.out.images.len() >= MAX_IMAGES {
            return;
        }
        let mut urls: Vec<Url> = Vec::new();
        for name in ["src", "data-src", "data-lazy-src", "data-original", "data-lazy", "data-full", "srcset", "data-srcset"] {
            self.add_address(&mut urls, name, element.attr(name).unwrap_or_default());
        }
        // Whatever a lazy loader calls its attribute, its value is the address of a picture.
        for (name, value) in element.attrs().filter(|(name, _)| name.starts_with("data-")) {
            if leads_to_picture(value) {
                self.add_address(&mut urls, name, value);
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
            let block = self.out.blocks.len() as u32;
            self.out.images.push(Image { urls, alt, element: index, place, heading, block, link: self.link, side, background: false });
        }
    }

    /// A picture that an element shows behind itself: by its style, or by what a script puts there once it is seen.
    pub(super) fn background(&mut self, element: &Node5, index: u32, place: Place) {
        if self.out.images.len() >= MAX_IMAGES {
            return;
        }
        let mut urls: Vec<Url> = Vec::new();
        // The style often holds a blurred stamp, the attribute the picture itself.
        for (name, value) in element.attrs().filter(|(name, value)| name.starts_with("data-") && leads_to_picture(value)) {
            self.add_address(&mut urls, name, value);
        }
        for address in element.attr("style").into_iter().flat_map(addresses_of_style) {
            self.add_address(&mut urls, "style", address);
        }
        if !urls.is_empty() {
            let alt = clean(element.attr("aria-label").or_else(|| element.attr("title")).unwrap_or_default(), 300);
            let heading = self.headings.last().copied();
            let block = self.out.blocks.len() as u32;
            self.out.images.push(Image { urls, alt, element: index, place, heading, block, link: self.link, side: 0, background: true });
        }
    }

    fn add_address(&self, urls: &mut Vec<Url>, name: &str, value: &str) {
        let value = if name.contains("srcset") {
            // The last candidate is the largest by custom; commas also occur inside addresses, so cut at spaces.
            value.split_whitespace().rev().find(|part| part.len() > 6 && !part.ends_with(['w', 'x'])).unwrap_or_default()
        } else {
            value
        };
        let value = value.trim().trim_end_matches(',');
        if value.is_empty() || value.starts_with("data:") || value.len() > 2_048 {
            return;
        }
        if let Ok(url) = self.out.base.join(value)
            && !urls.contains(&url)
        {
            urls.push(url);
        }
    }

    pub(super) fn other_tag(&mut self, tag: &str, element: &Node5, index: u32, content: Option<String>) {
        let attr = |name: &str| element.attr(name).unwrap_or_default();
        parts::add(&mut self.out.parts, parts::of_element(element));
        match tag {
            "html" if self.out.lang.is_none() => {
                self.out.lang = element.attr("lang").map(|lang| clean(lang, 20)).filter(|lang| !lang.is_empty());
            }
            "base" if self.out.base == *self.page => {
                if let Ok(base) = self.page.join(attr("href"))
                    && base.scheme().starts_with("http")
                {
                    self.out.base = base;
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
                let data = attr("type").to_lowercase().contains("json");
                self.out.has_scripts |=
                    element.attr("src").is_some() || !data && content.as_deref().is_some_and(|code| !code.trim().is_empty());
                if !data {
                    let named = parts::of_script(attr("src"), content.as_deref().unwrap_or_default());
                    parts::add(&mut self.out.parts, named);
                }
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
            // The pages of a frameset are what it shows.
            "frame" => {
                self.open_link(element, index, Place::Nav, attr("src"));
                self.link = None;
            }
            "form" => self.out.actions.push(attr("action").chars().take(500).collect()),
            _ => {}
        }
    }
}
