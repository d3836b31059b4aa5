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

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let factor = match view.role {
        PageRole::Blog | PageRole::Legal | PageRole::Shop | PageRole::Aftercare => 0.3,
        _ => 1.0,
    };
    let mut seen: HashSet<String> = HashSet::new();
    for (index, image) in page.images.iter().enumerate() {
        let element = page.element(image.element);
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
                "background",
                "loader",
                "preloader",
                "spinner",
            ]) && (above.tag == element.tag || above.images.len() <= 2)
        });
        let full =
            image.link.and_then(|link| page.links.get(link as usize)).and_then(|link| link.url.as_ref()).filter(|url| is_picture(url));
        let shown = full.or(image.urls.iter().find(|url| !is_stub(url))).or(image.urls.first());
        let Some(url) = shown else { continue };
        if !acceptable(url, &image.alt)
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
        let Some(url) = link.url.as_ref().filter(|url| is_picture(url) && acceptable(url, "")) else {
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
fn acceptable(url: &Url, alt: &str) -> bool {
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
    !file.iter().any(|word| NOT_WORK.contains(&word.as_str()) || word.contains("logo") || word.contains("favicon"))
        && !folder.iter().any(|word| ["icons", "icon", "logos", "logo", "flags", "sprites", "favicons"].contains(&word.as_str()))
        && !alt.split(' ').any(|word| matches!(word, "logo" | "icon" | "icono" | "icone" | "avatar" | "background"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn theme_pictures_are_left_out() {
        let takes = |link: &str| acceptable(&Url::parse(link).expect(link), "");
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
}
