//! Addresses printed in text: street lines, postal codes with cities, "City, Country", map links.

mod inflected;
mod pairs;
mod printed;
mod prose;
mod unspaced;

use pairs::lone_city;
pub(crate) use pairs::pair;
use printed::expression;
pub(crate) use printed::printed;
pub(crate) use prose::read_sentence;
use prose::read_sentences;

use crate::extract::extractors::handles::percent_decoded;
use crate::extract::extractors::{At, PageView, Sink};
use crate::extract::finding::{Field, PageRole, Place};
use crate::extract::lexicon::role_of;
use crate::extract::text::{clean, cut, fold, tokens};
use regex::Regex;
use std::sync::LazyLock;

static MAP_QUERY: LazyLock<Regex> = LazyLock::new(|| expression(r"[?&](?:q|query|daddr|destination|address)=([^&#]+)"));

static MAP_NAME: LazyLock<Regex> = LazyLock::new(|| expression(r"!2s([^!]+)"));

/// Where a map link points: `!3d41.15!4d-8.61` is the house, `@41.15,-8.61` and `ll=` the middle of the view.
static MAP_POINT: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    [
        expression(r"!3d(-?\d{1,2}\.\d{2,})!4d(-?\d{1,3}\.\d{2,})"),
        expression(
            r"[?&#](?:q|query|ll|sll|center|destination|daddr|cp|mlat)=(?:loc:)?(-?\d{1,2}\.\d{2,})(?:,|%2C|~|&mlon=)\s*\+?(-?\d{1,3}\.\d{2,})",
        ),
        expression(r"/(?:@|place/|search/|dir//)(-?\d{1,2}\.\d{2,}),\+?(-?\d{1,3}\.\d{2,})"),
        expression(r"#map=\d+/(-?\d{1,2}\.\d{2,})/(-?\d{1,3}\.\d{2,})"),
    ]
});

/// In frames of embedded maps the two stand the other way round: `!2d-8.61!3d41.15`.
static MAP_FRAME: LazyLock<Regex> = LazyLock::new(|| expression(r"!2d(-?\d{1,3}\.\d{2,})!3d(-?\d{1,2}\.\d{2,})"));

/// In links of Yandex as well: `ll=37.61,55.75`.
static MAP_EAST_FIRST: LazyLock<Regex> = LazyLock::new(|| expression(r"[?&](?:ll|pt)=(-?\d{1,3}\.\d{2,})(?:,|%2C)(-?\d{1,2}\.\d{2,})"));

/// The point that a map link or frame gives: degrees north and east.
fn map_point(link: &str) -> Option<(f64, f64)> {
    let both = |found: regex::Captures<'_>| Some((found[1].parse::<f64>().ok()?, found[2].parse::<f64>().ok()?));
    let swapped = |(east, north)| (north, east);
    if link.contains("yandex") {
        return MAP_EAST_FIRST.captures(link).and_then(both).map(swapped);
    }
    MAP_POINT
        .iter()
        .find_map(|expression| expression.captures(link))
        .and_then(both)
        .or_else(|| MAP_FRAME.captures(link).and_then(both).map(swapped))
}

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    for (index, block) in page.blocks.iter().enumerate() {
        if matches!(block.place, Place::Quote | Place::Credit) || block.text.chars().count() > 1_500 {
            continue;
        }
        let card = view.card_of_block(index as u32);
        let heading = page.heading_text(block.heading);
        let tagged = page.lineage(block.element).take(2).any(|element| {
            element.is("address")
                || element.hints(&["address", "adres", "adresse", "direccion", "indirizzo", "endereco", "location", "ubicacion"])
        });
        let label = index.checked_sub(1).map(|at| cut(&page.blocks[at].text, 60).to_owned()).unwrap_or_default();
        let contact = view.role == PageRole::Contact || role_of(&heading) == PageRole::Contact;
        let labelled = tagged || is_label(&label) || is_label(cut(&block.text, 30)) || is_label(&heading);
        let context = format!("{} | {}", cut(&label, 60), cut(&heading, 60));
        let text = block.text.replace('\n', ", ");
        if let Some(address) = printed(&text) {
            let confidence = if labelled {
                0.85
            } else if matches!(block.place, Place::Form) {
                0.3
            } else {
                0.75
            } * if is_letter_box(&text) { 0.3 } else { 1.0 };
            sink.address(address, At::new(block.place, confidence).card(card).context(&context));
            continue;
        }
        // Lines of one address are often blocks of their own.
        if let Some(next) = page.blocks.get(index + 1).filter(|next| {
            next.level == 0
                && next.element != block.element
                && text.chars().count() < 80
                && next.text.chars().count() < 80
                && text.chars().any(|letter| letter.is_ascii_digit())
        }) && printed(&next.text).is_none()
            && next.text.chars().any(char::is_alphabetic)
            && labelled
            && let Some(address) = printed(&format!("{text}, {}", next.text.replace('\n', ", ")))
        {
            sink.address(address, At::new(block.place, 0.7).card(card).context(&context));
            continue;
        }
        if text.chars().count() < 160 {
            if let Some(address) = pair(&text, labelled) {
                let confidence = if labelled {
                    0.7
                } else if block.place == Place::Footer || block.level > 0 {
                    0.55
                } else {
                    0.5
                };
                sink.address(address, At::new(block.place, confidence).card(card).context(&context));
                continue;
            }
            if (labelled || contact)
                && block.level == 0
                && let Some(address) = lone_city(&text)
            {
                sink.address(address, At::new(block.place, 0.5).card(card).context(&context));
                continue;
            }
        }
        let spot = if block.level > 0 && block.place == Place::Main { Place::Heading } else { block.place };
        if block.place != Place::Nav && block.place != Place::Form {
            read_sentences(&text, &At::new(spot, 0.4).card(card), view, sink);
        }
    }
    for link in &page.links {
        if let Some(url) = link.url.as_ref().filter(|url| is_map(url.as_str())) {
            map(url.as_str(), view, sink);
        }
    }
    for frame in page.frames.iter().filter(|frame| is_map(frame)) {
        map(frame, view, sink);
    }
}

fn is_map(link: &str) -> bool {
    let head: String = link.chars().take(60).collect::<String>().to_lowercase();
    (head.contains("google.") && head.contains("/maps"))
        || head.contains("maps.google")
        || head.contains("maps.apple.com")
        || head.contains("bing.com/maps")
        || head.contains("openstreetmap")
        || head.contains("yandex") && head.contains("maps")
}

fn map(link: &str, view: &PageView<'_>, sink: &mut Sink<'_>) {
    let link = cut(link, 1_500);
    let at = || At::new(Place::Main, 0.6).context("map");
    if let Some((lat, lon)) = map_point(link) {
        sink.point(lat, lon, at());
    }
    if let Some(found) = MAP_QUERY.captures(link) {
        let text = clean(&percent_decoded(&found[1]), 200);
        if let Some(mut address) = printed(&text) {
            address.venue = None;
            sink.address(address, at());
        } else if let Some(address) = pair(&text, true) {
            sink.address(address, At::new(Place::Main, 0.45).context("map"));
        }
    }
    if let Some(found) = MAP_NAME
        .captures_iter(link)
        .map(|found| clean(&percent_decoded(&found[1]), 120))
        .find(|name| name.chars().any(char::is_alphabetic) && !name.starts_with("0x") && name.chars().count() > 3)
    {
        if let Some(address) = printed(&found) {
            sink.address(address, at());
        } else if fold(&found).contains("tattoo") || fold(&found).contains("tatu") {
            sink.text(Field::Studio, &found, At::new(Place::Main, 0.3).context("map"));
        }
    }
    let _ = view;
}

/// Where letters are taken in for somebody is not where they work.
fn is_letter_box(text: &str) -> bool {
    let folded = fold(text);
    [
        "c/o",
        "postfach",
        "briefkasten",
        "p.o. box",
        "po box",
        "skrytka",
        "apartado",
        "caixa postal",
        "boite postale",
        "casella postale",
        "postbus",
    ]
    .iter()
    .any(|mark| folded.contains(mark))
}

fn is_label(text: &str) -> bool {
    let words = tokens(text);
    crate::extract::lexicon::holds_any(
        &words,
        &[
            "address",
            "location",
            "find us",
            "visit us",
            "visit",
            "where",
            "studio",
            "direccion",
            "ubicacion",
            "endereco",
            "localizacao",
            "adresse",
            "anschrift",
            "standort",
            "indirizzo",
            "dove siamo",
            "sede",
            "adres",
            "locatie",
            "vestiging",
            "adresa",
            "адрес",
            "адреса",
            "как добраться",
            "based in",
            "shop",
            "lugar",
            "ciudad",
            "city",
            "lieu",
            "stadt",
            "住所",
            "所在地",
            "gdzie jestesmy",
            "kde nas najdete",
        ],
    )
}
