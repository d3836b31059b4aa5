//! What an element is by its tag, its class names and its scripts.

use crate::extract::finding::Place;
use crate::extract::lexicon;
use crate::extract::text::cut;
use scraper::node::Element as Node5;

const MAX_HINT: usize = 240;

/// The target of `location.href='…'`, `location='…'`, `location.assign('…')`, `window.open('…')`.
pub(super) fn moved_to(script: &str) -> Option<&str> {
    let script = cut(script, 300);
    let after = ["location", "window.open("].iter().find_map(|mark| script.split_once(mark)).map(|(_, after)| after)?;
    let quote = after.find(['\'', '"'])?;
    // Between the word and the quotation mark stands an assignment or a call and nothing else.
    let between = after[..quote].trim().trim_start_matches(".href").trim_start_matches(".assign").trim_start_matches(".replace").trim();
    let mark = after[quote..].chars().next()?;
    let target = after[quote + 1..].split(mark).next()?;
    (matches!(between, "=" | "(" | "") && !target.is_empty() && !target.starts_with("javascript")).then_some(target)
}

pub(super) fn is_block(tag: &str) -> bool {
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
pub(super) fn hint_of(element: &Node5) -> String {
    let mut out = String::from(" ");
    for name in ["class", "id", "role", "aria-label", "data-section", "itemprop"] {
        let Some(value) = element.attr(name) else {
            continue;
        };
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

pub(super) fn place_of(element: &Node5, hint: &str, parent: Place) -> Place {
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
        "form" => {
            return if hinted(&["aspnet", "aspnetform", "form1"]) { parent } else { Place::Form };
        }
        "body" | "html" | "main" => return parent,
        _ => {}
    }
    if hint.split(' ').any(|word| lexicon::listed(&lexicon::words().quote_hints, word)) {
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
