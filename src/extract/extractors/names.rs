//! Headings, brand lines and copyright lines: what a site calls itself.

use super::super::finding::{Field, Place};
use super::super::text::{clean, cut};
use super::{At, PageView, Sink};
use regex::Regex;
use std::sync::LazyLock;

static COPYRIGHT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:©|\(c\)|(?i:copyright))\s*(?:©|\(c\))?\s*(?:\d{4}\s*(?:[-–—/]\s*\d{4})?)?\s*(?:by\s+)?[,.:–—|·-]?\s*([^|•\n©]{2,80})")
        .expect("the expression is a constant of this file")
});

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let mut headings = 0;
    for (index, block) in page.blocks.iter().enumerate() {
        let text = block.line();
        let length = text.chars().count();
        if block.level > 0 && length <= 90 && headings < 12 && matches!(block.place, Place::Main | Place::Header | Place::Aside) {
            headings += 1;
            let confidence = match block.level {
                1 => 0.6,
                2 => 0.35,
                _ => 0.25,
            };
            sink.text(
                Field::Name,
                &text,
                At::new(Place::Heading, confidence).card(view.card_of_block(index as u32)).context(&format!("h{}", block.level)),
            );
            continue;
        }
        if length <= 160
            && let Some(found) = COPYRIGHT.captures(&text)
        {
            let name = found[1].trim();
            let name = [
                "all rights",
                "todos los",
                "todos os",
                "tous droits",
                "alle rechte",
                "tutti i",
                "alle rechten",
                "wszelkie",
                "vsechna",
                "все права",
                "всі права",
                "All rights",
                "All Rights",
                "Todos",
                "Tous",
                "Alle",
                "Tutti",
                "Wszelkie",
                "Všechna",
                "Все права",
                "Всі права",
                "ALL RIGHTS",
            ]
            .iter()
            .filter_map(|end| name.find(end))
            .min()
            .map_or(name, |at| &name[..at]);
            sink.text(
                Field::Name,
                name.trim_end_matches(['.', ',', ' ', '-', '–', '—', '·']),
                At::new(Place::Footer, 0.6).context("copyright"),
            );
            continue;
        }
        let brand = matches!(block.place, Place::Nav | Place::Header | Place::Main | Place::Footer)
            && length <= 50
            && page.lineage(block.element).take(2).any(|element| element.hints(&["logo", "brand", "sitename", "branding"]));
        if brand {
            sink.text(Field::Name, &text, At::new(Place::Header, 0.55).context("brand"));
        }
    }
    for link in page.links.iter().take(40) {
        let home = matches!(link.place, Place::Nav | Place::Header) || page.element(link.element).hints(&["logo", "brand"]);
        let to_entry = link.href == "/"
            || link.href.starts_with("index.")
            || link.href == "./"
            || link.href == "#"
            || link.href == "../"
            || link.href == "#home"
            || link.href == "#hero"
            || page.element(link.element).hints(&["logo", "brand"]);
        if home && to_entry && !link.text.is_empty() {
            sink.text(Field::Name, cut(&link.text, 60), At::new(Place::Header, 0.4).context("home link"));
        }
    }
    for image in page.images.iter().take(12) {
        let element = page.element(image.element);
        let logo = element.hints(&["logo", "brand"])
            || image.urls[0].path().to_lowercase().contains("logo")
            || image.alt.to_lowercase().contains("logo");
        if logo && !image.alt.is_empty() {
            let name = clean(&image.alt.replace("logo", "").replace("Logo", "").replace("LOGO", ""), 60);
            sink.text(Field::Name, &name, At::new(Place::Header, 0.4).context("logo"));
        }
    }
}
