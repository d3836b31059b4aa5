//! Addresses printed in text: street lines, postal codes with cities, "City, Country", map links.

mod pairs;
mod printed;
mod unspaced;

pub(crate) use pairs::pair;
use pairs::{lone_city, original};
pub(crate) use printed::printed;
use printed::{NAME, expression, is_no_city, tidy_city};

use crate::extract::extractors::handles::percent_decoded;
use crate::extract::extractors::{At, PageView, Sink};
use crate::extract::finding::{Field, PageRole, Place, PostalAddress};
use crate::extract::lexicon::role_of;
use crate::extract::places;
use crate::extract::text::{clean, cut, fold, sentences, tokens};
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

static BASED: LazyLock<Regex> = LazyLock::new(|| {
    expression(&format!(
        r"(?:\b(?i:based in|located in|studio in|shop in|tattoos? in|artist in|tattooer in|tattooing in|based out of|live in|work in|working in|piercing in|parlou?r in|ubicad[oa] en|tatuajes en|tatuador en|tatuadora en|estudio en|resido en|radicad[oa] en|tatuagem em|tatuador em|est[uú]dio em|tatuadora em|tatoueu[rs]e? [àa]|bas[ée]e? [àa]|tatouage [àa]|salon [àa]|studio [àa]|install[ée]e? [àa]|tatuatore a|tatuatrice a|tatuaggi a|studio a|con sede a|gevestigd in|tattooshop in|tattoostudio in|tatua[zż] w|studio w|studio tatua[zż]u w|tetov[aá]n[ií] v|тату (?:в|салон)|мастер в|студия в|в городе|г\.|город|місто|(?:^|[\s,])м\.)\s*)({NAME})"
    ))
});

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
            };
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

/// A place named in the sentences of a title or a description.
pub(crate) fn read_sentence(text: &str, place: Place, confidence: f32, view: &PageView<'_>, sink: &mut Sink<'_>) {
    read_sentences(text, &At::new(place, confidence), view, sink);
}

fn implied(city: String, country: &str) -> PostalAddress {
    PostalAddress { city: Some(city), country: Some(country.to_owned()), country_inferred: true, ..PostalAddress::default() }
}

fn read_sentences(text: &str, at: &At, view: &PageView<'_>, sink: &mut Sink<'_>) {
    for sentence in sentences(cut(text, 1_500)).into_iter().take(20) {
        let told = |share: f32| At { confidence: at.confidence * share, ..at.clone() }.context(sentence);
        if let Some(address) = pair(sentence, false) {
            sink.address(address, told(1.0));
            continue;
        }
        let words = tokens(sentence);
        if let Some(found) = BASED.captures(sentence) {
            let name = tidy_city(&found[1]);
            let name = name.split([',', '.']).next().unwrap_or_default().trim().to_owned();
            if let Some(country) = places::country_of_city(&name) {
                sink.address(implied(name, country), told(1.0));
                continue;
            }
            // Which of its places is meant, the rest of the site decides.
            if places::is_place(&name) && !places::is_wide(&name) && !is_no_city(&name) {
                sink.address(PostalAddress { city: Some(name), ..PostalAddress::default() }, told(0.9));
                continue;
            }
            // A name that no table knows is a city only where the head of the page says so; a style is none.
            let style = !view.styles.hits(&tokens(&name)).is_empty();
            let head = matches!(at.place, Place::Title | Place::Meta);
            if head && !style && !places::is_wide(&name) && !is_no_city(&name) && name.chars().count() >= 3 {
                sink.address(PostalAddress { city: Some(name), ..PostalAddress::default() }, told(0.7));
                continue;
            }
        }
        // Running text names cities for many reasons: guest spots, prizes, origins. Two pages must agree.
        let head = matches!(at.place, Place::Title | Place::Meta | Place::Heading | Place::Footer | Place::Header);
        if !head && words.len() > 12 {
            continue;
        }
        let Some((start, len, country)) = places::city_in(&words) else {
            continue;
        };
        let city = original(sentence, &words[start..start + len]);
        let proper = |city: &String| city.chars().next().is_some_and(|letter| letter.is_uppercase() || !letter.is_ascii());
        if let Some(city) = city.filter(proper) {
            sink.address(implied(city, country), told(if head { 0.8 } else { 0.5 }));
        }
    }
}
