//! Portfolio pictures by address: shown, lazy, in sets, linked in full size; no logos, icons or theme pictures.

use super::super::finding::{Field, PageRole, Place};
use super::super::outline::Link;
use super::super::text::{fold, tokens};
use super::{At, PageView, Sink};
use std::collections::{HashMap, HashSet};
use url::Url;

const PICTURES: &[&str] = &["jpg", "jpeg", "png", "webp", "avif", "gif", "heic"];
const NOT_WORK: &[&str] = &[
    "logo",
    "logos",
    "icon",
    "icons",
    "icone",
    "icono",
    "iconos",
    "favicon",
    "sprite",
    "placeholder",
    "avatar",
    "banner",
    "background",
    "bg",
    "separator",
    "seperator",
    "divider",
    "loader",
    "loading",
    "spinner",
    "preload",
    "pixel",
    "payment",
    "visa",
    "mastercard",
    "paypal",
    "btn",
    "qr",
    "qrcode",
    "captcha",
    "cookie",
    "instagram",
    "facebook",
    "whatsapp",
    "tiktok",
    "youtube",
    "hero",
    "blank",
    "spacer",
    "swatch",
    "ig",
    "fb",
    "email",
    "menu",
    "cart",
    "thumbtack",
    "watermark",
    "gravatar",
    "emoji",
    "header",
    "footer",
    "sponsor",
    "certificate",
    "tracking",
    "og",
];
const ICON_HOSTS: &[&str] = &[
    "icons8.com",
    "flaticon.com",
    "gravatar.com",
    "shields.io",
    "googleusercontent.com/a/",
    "facebook.com/tr",
    "doubleclick",
    "mc.yandex.",
    "counter.yadro.",
    "top-fwz1.mail.",
    "tildacdn.com/img/",
    "google-analytics",
    "unsplash.com",
    "pexels.com",
    "pixabay.com",
    "placeholder.com",
    "placehold.co",
    "picsum.photos",
    "fontawesome",
    "iconify",
    "wp.com/i/",
    "s.w.org",
];

/// Elements of one kind with a picture behind them, to be taken for a gallery.
const MIN_TILES: usize = 3;
/// Longest caption of such an element, in characters.
const MAX_TILE_TEXT: usize = 120;

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let factor = match view.role {
        PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare => 0.3,
        _ => 1.0,
    };
    let mut seen: HashSet<String> = HashSet::new();
    // A row of tiles shows works behind its elements; a single picture there is the mood of a section.
    let mut tiles: HashMap<(&str, u16), usize> = HashMap::new();
    for image in page.images.iter().filter(|image| image.background) {
        let element = page.element(image.element);
        *tiles.entry((&*element.tag, element.depth)).or_default() += 1;
    }
    for (index, image) in page.images.iter().enumerate() {
        let element = page.element(image.element);
        let tile = || {
            let alike = tiles.get(&(&*element.tag, element.depth)).copied().unwrap_or_default();
            let words: usize = page.blocks_of(&element.blocks).iter().map(|block| block.text.chars().count()).sum();
            alike >= MIN_TILES && words <= MAX_TILE_TEXT
        };
        if image.background && !tile() {
            continue;
        }
        let hints = page.lineage(image.element).take(4).any(|above| {
            above.hints(&[
                "logo",
                "icon",
                "icons",
                "avatar",
                "brand",
                "partner",
                "partners",
                "sponsor",
                "sponsors",
                "payment",
                "badge",
                "loader",
                "preloader",
                "spinner",
            ]) && (above.tag == element.tag || above.images.len() <= 2)
                || !image.background && above.hints(&["background"]) && (above.tag == element.tag || above.images.len() <= 2)
        });
        let full =
            image.link.and_then(|link| page.links.get(link as usize)).and_then(|link| link.url.as_ref()).filter(|url| is_picture(url));
        let shown = full.or(image.urls.iter().find(|url| !is_stub(url))).or(image.urls.first());
        let Some(url) = shown else { continue };
        if !acceptable(url, &image.alt, full.is_some())
            || hints
            || (1..=64).contains(&image.side)
            || matches!(image.place, Place::Nav | Place::Footer | Place::Quote | Place::Form | Place::Credit)
        {
            continue;
        }
        if image.place == Place::Header
            && image.link.is_some()
            && full.is_none()
            && page.element(image.element).depth < 12
            && view.role != PageRole::Portfolio
        {
            continue;
        }
        if !seen.insert(url.as_str().to_owned()) {
            continue;
        }
        let card = view.card_of_image(index as u32);
        sink.text(
            Field::Image,
            url.as_str(),
            At::new(image.place, 0.7 * factor).card(card).context(&format!("{} | {}", image.alt, page.heading_text(image.heading))),
        );
    }
    let leads_to_picture = |link: &Link| link.url.as_ref().is_some_and(is_picture);
    let mut row: HashMap<u32, usize> = HashMap::new();
    for link in page.links.iter().filter(|link| leads_to_picture(link)) {
        *row.entry(link.block).or_default() += 1;
    }
    for (index, link) in page.links.iter().enumerate() {
        let Some(url) = link.url.as_ref().filter(|url| is_picture(url) && acceptable(url, "", !link.visible)) else {
            continue;
        };
        // "1 2 3 4" in one line are pictures; a single link in words is a flyer or a form.
        let numbered = row.get(&link.block).is_some_and(|links| *links > 1) && !link.text.chars().any(char::is_alphabetic);
        if (!link.visible || numbered) && seen.insert(url.as_str().to_owned()) {
            sink.text(Field::Image, url.as_str(), At::new(link.place, 0.6 * factor).card(view.card_of_link(index as u32)).context("link"));
        }
    }
}

fn ending(url: &Url) -> String {
    url.path().rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_lowercase()).unwrap_or_default()
}

fn is_picture(url: &Url) -> bool {
    PICTURES.contains(&ending(url).as_str())
}

fn is_stub(url: &Url) -> bool {
    let path = url.path().to_lowercase();
    ["placeholder", "blank.", "spacer", "lazy", "loading", "transparent", "pixel."].iter().any(|mark| path.contains(mark))
}

/// Names in an address that tell theme pictures; tried on the file name and the folder before it.
fn acceptable(url: &Url, alt: &str, linked: bool) -> bool {
    if !matches!(url.scheme(), "http" | "https")
        || matches!(ending(url).as_str(), "svg" | "ico" | "mp4" | "webm" | "mov" | "html" | "php" | "js")
    {
        return false;
    }
    let text = url.as_str();
    if ICON_HOSTS.iter().any(|host| text.contains(host)) || text.len() > 2_000 {
        return false;
    }
    let path = super::handles::percent_decoded(url.path());
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    let file = tokens(parts.first().copied().unwrap_or_default());
    let folder = tokens(parts.get(1).copied().unwrap_or_default());
    let alt = fold(alt);
    // Nobody links to the full size of a background; "bg-1" is then black and grey.
    let mood = |word: &str| linked && ["bg", "background", "header", "hero", "banner"].contains(&word);
    !file.iter().any(|word| NOT_WORK.contains(&word.as_str()) && !mood(word) || word.contains("logo") || word.contains("favicon"))
        && !folder.iter().any(|word| ["icons", "icon", "logos", "logo", "flags", "sprites", "favicons"].contains(&word.as_str()))
        && !alt.split(' ').any(|word| matches!(word, "logo" | "icon" | "icono" | "icone" | "avatar" | "background"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn theme_pictures_are_left_out() {
        let takes = |link: &str| acceptable(&Url::parse(link).expect(link), "", false);
        assert!(takes("http://ink.example/img/work/snake-arm.jpg"));
        assert!(takes("http://ink.example/img/IMG_2031.webp"));
        for link in [
            "http://ink.example/logo-white.png",
            "http://ink.example/icons/a.png",
            "http://ink.example/x.svg",
            "http://ink.example/hero-bg.jpg",
            "https://images.unsplash.com/photo-1",
        ] {
            assert!(!takes(link), "{link}");
        }
    }

    fn pictures(body: &str) -> Vec<String> {
        let clock = || std::time::Duration::ZERO;
        let budget = crate::extract::ParseBudget::new(crate::extract::ParseLimits::default(), &clock);
        let url = Url::parse("http://ink.example/").expect("address");
        let page = crate::extract::read_page(&url, body, &crate::extract::Styles::standard(), &budget).expect("page");
        let images = page.findings.iter().filter(|finding| finding.field == Field::Image);
        images.filter_map(|finding| finding.value.text()?.strip_prefix("http://ink.example/").map(str::to_owned)).collect()
    }

    #[test]
    fn lazy_pictures_are_found_whatever_their_loader_calls_them() {
        let stub = "src='data:image/gif;base64,R0lGODlhAQABAAAAACw='";
        for name in ["data-src", "data-srclazy", "data-bg-src", "data-lazyload", "data-img-zoom-url"] {
            assert_eq!(pictures(&format!("<img {stub} {name}='w/arm.jpg'>")), ["w/arm.jpg"], "{name}");
        }
        let set = format!("<img {stub} data-srcsetlazy='w/arm.jpg/:/rs=w:365,h:365 1x, w/arm.jpg/:/rs=w:730,h:730 2x'>");
        assert_eq!(pictures(&set), ["w/arm.jpg/:/rs=w:730,h:730"]);
        assert_eq!(pictures(&format!("<img {stub} data-id='a.b' data-settings='{{\"x\":\"w/arm.jpg\"}}' data-title='arm.jpg.'>")), [""; 0]);
    }

    #[test]
    fn tiles_with_pictures_behind_them_are_works_and_the_mood_of_a_section_is_not() {
        let tile = |at: usize| format!("<div class=tile style=\"background-image:url('s/{at}.jpg')\" data-original='w/{at}.jpg'></div>");
        let tiles: String = (1..=3).map(tile).collect();
        assert_eq!(pictures(&tiles), ["w/1.jpg", "w/2.jpg", "w/3.jpg"]);
        let styled = "<p><a style='background:#000 url(w/1.webp) center'></a><a style='background-image: url(\"w/2.webp\")'></a><a style='background-image:url(w/3.webp)'></a></p>";
        assert_eq!(pictures(styled), ["w/1.webp", "w/2.webp", "w/3.webp"]);
        let moods = "<div style='background-image:url(m/1.jpg)'><h1>Ink House</h1></div><div style='background-image:url(m/2.jpg)'><p>Custom work</p></div>";
        assert_eq!(pictures(moods), [""; 0]);
    }
}
