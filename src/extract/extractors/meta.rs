//! `<meta>` and `<title>`: names, descriptions, keywords, geo tags.

use super::super::finding::{Field, Place, PostalAddress};
use super::super::places;
use super::super::text::fold;
use super::{At, PageView, Sink, address, style_words};

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let meta = |confidence: f32, context: &str| At::new(Place::Meta, confidence).context(context);
    for (names, confidence) in
        [(["og:site_name", "application-name", "apple-mobile-web-app-title"], 0.8), (["author", "dc.creator", "article:author"], 0.3)]
    {
        for name in names {
            if let Some(value) = page.meta(&[name]) {
                sink.text(Field::Name, value, meta(confidence, name));
            }
        }
    }
    if !page.title.is_empty() {
        sink.text(Field::Name, &page.title, At::new(Place::Title, 0.6).context("title"));
    }
    if let Some(title) = page.meta(&["og:title", "twitter:title"]) {
        sink.text(Field::Name, title, At::new(Place::Title, 0.5).context("og:title"));
    }
    let mut seen = Vec::new();
    for name in ["description", "og:description", "twitter:description"] {
        let Some(text) = page.meta(&[name]) else {
            continue;
        };
        if seen.contains(&fold(text)) {
            continue;
        }
        seen.push(fold(text));
        sink.text(Field::Bio, text, meta(0.3, name));
        for style in style_words::styles_in_offer(text, view.styles) {
            sink.text(Field::Style, &view.styles.all()[style].name.clone(), meta(0.7, text));
        }
        address::read_sentence(text, Place::Meta, 0.45, view, sink);
    }
    if let Some(words) = page.meta(&["keywords"]) {
        // Long keyword lists are written for search engines and claim everything.
        let confidence = if words.split(',').count() > 15 { 0.3 } else { 0.6 };
        for style in style_words::styles_in_offer(words, view.styles) {
            sink.text(Field::Style, &view.styles.all()[style].name.clone(), meta(confidence, "keywords"));
        }
    }
    let title = page.title.clone();
    address::read_sentence(&title, Place::Title, 0.45, view, sink);
    geo(view, sink);
}

fn geo(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let page = view.outline;
    let region = page.meta(&["geo.region"]).unwrap_or_default();
    let place = page.meta(&["geo.placename"]).unwrap_or_default();
    let country = region.split(['-', ' ']).next().filter(|code| code.len() == 2).and_then(places::country_by_code);
    let mut parts = place.split(',').map(str::trim).filter(|part| !part.is_empty());
    let city = parts.next().map(str::to_owned);
    let named = parts.next_back().map(str::to_owned);
    let point = page.meta(&["geo.position"]).and_then(|text| text.split_once([';', ','])).or_else(|| page.meta(&["icbm"])?.split_once(','));
    if let Some((lat, lon)) = point
        && let (Ok(lat), Ok(lon)) = (lat.trim().parse(), lon.trim().parse())
    {
        sink.point(lat, lon, At::new(Place::Meta, 0.8).context("geo"));
    }
    if city.is_some() || country.is_some() {
        let region = named.filter(|part| places::country_by_name(part).is_none());
        let address = PostalAddress { city, region, country: country.map(str::to_owned), ..PostalAddress::default() };
        sink.address(address, At::new(Place::Meta, 0.8).context("geo"));
    }
}
