//! The page of one artist: what is known, and where each fact came from.

use crate::domain::artist::Artist;
use crate::domain::clock::Timestamp;
use crate::domain::facts::{Evidence, Fact};
use crate::domain::phone::spaced;
use crate::domain::place::Basis;
use crate::domain::studio::Terms;
use crate::extract::Styles;
use crate::store::{Store, StoreError};
use crate::web::api::artists::live_artist;
use crate::web::errors::WebError;
use crate::web::pages::filters::Looked;
use crate::web::pages::search::StyleTag;
use crate::web::pages::{Frame, PageError, page, words};
use crate::web::state::Web;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use askama::Template;
use std::collections::BTreeSet;
use url::Url;

/// Pictures linked on the page; a portfolio may have hundreds.
const PICTURES: usize = 24;

/// A link that leaves the directory, or text where it is none of the web.
#[derive(Debug)]
struct Outward {
    text: String,
    href: Option<String>,
}

impl Outward {
    fn of(url: &Url) -> Self {
        Self { text: words::shown(url), href: words::link(url) }
    }

    /// By the name of the file alone: those of one artist differ in nothing else.
    fn of_file(url: &Url) -> Self {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).filter(|name| !name.is_empty());
        Self { text: name.map_or_else(|| words::shown(url), str::to_owned), href: words::link(url) }
    }
}

/// A fact and its evidence.
#[derive(Debug)]
struct FactRow {
    label: &'static str,
    value: String,
    page: Outward,
    extractor: String,
    /// Who confirmed it, instead of a page that says so.
    confirmed: Option<&'static str>,
    /// How it follows from the page, unless it stands there.
    basis: Option<&'static str>,
    /// Whole per cent.
    confidence: u32,
    /// Tenths, for the bar.
    tenths: u32,
    read_at: String,
    age: String,
}

impl FactRow {
    fn of(label: &'static str, value: String, evidence: &Evidence, now: Timestamp) -> Self {
        let confidence = f64::from(evidence.confidence.clamp(0.0, 1.0));
        Self {
            label,
            value,
            page: Outward::of(&evidence.page),
            extractor: evidence.extractor.clone(),
            confirmed: words::confirmed(evidence),
            basis: match evidence.basis {
                Basis::Printed | Basis::Confirmed => None,
                Basis::Inferred => Some("inferred from it"),
                Basis::Studio => Some("where the studio is"),
            },
            confidence: (confidence * 100.0).round() as u32,
            tenths: (confidence * 10.0).round() as u32,
            read_at: evidence.observed_at.rfc3339(),
            age: words::age(now.since(evidence.observed_at)),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "artist.html", config = "src/web/askama.toml")]
struct ArtistView {
    frame: Frame,
    id: String,
    name: String,
    monogram: String,
    monogram_class: String,
    studio: Option<String>,
    city: Option<(String, String)>,
    country: Option<(String, String)>,
    tags: Vec<StyleTag>,
    bio: Option<String>,
    instagram: Option<(String, String)>,
    own_site: Option<Outward>,
    socials: Vec<Outward>,
    pages: Vec<Outward>,
    emails: Vec<String>,
    phones: Vec<String>,
    pictures: Vec<Outward>,
    more_pictures: usize,
    known: u32,
    checked: String,
    checked_at: String,
    facts: Vec<FactRow>,
    found_through: Vec<Attribution>,
}

/// A source that named a studio of the artist and wants to be named for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribution {
    before: &'static str,
    link: &'static str,
    href: &'static str,
    after: &'static str,
}

impl Attribution {
    fn of(terms: Terms) -> Option<Self> {
        match terms {
            Terms::Own => None,
            Terms::Odbl => Some(Self {
                before: "A studio was found through ",
                link: "OpenStreetMap",
                href: "https://www.openstreetmap.org/copyright",
                after: ": © OpenStreetMap contributors, under the Open Database License.",
            }),
            Terms::Google => {
                Some(Self { before: "A studio was found through ", link: "Google Maps", href: "https://www.google.com/maps", after: "." })
            }
        }
    }
}

/// Who named the studios of an artist and wants to be named for it.
async fn attributions(store: &dyn Store, artist: &Artist) -> Result<Vec<Attribution>, StoreError> {
    let mut named = BTreeSet::new();
    for id in &artist.studio_ids {
        let studio = store.studio(id).await?;
        named.extend(studio.into_iter().flat_map(|studio| studio.named_by).filter_map(|by| Attribution::of(by.terms)));
    }
    Ok(named.into_iter().collect())
}

/// Show one artist.
#[get("/artists/{id}")]
pub async fn artist_page(web: Data<Web>, id: Path<String>) -> Result<HttpResponse, PageError> {
    let (row, artist) = live_artist(&web, &id).await?;
    let ports = web.ports();
    let now = ports.clock.now();
    let styles = &ports.styles;
    let slugs: Vec<String> = artist.styles.iter().map(|style| style.value.clone()).collect();
    let country_code = artist.country.as_ref().map(|country| country.value.clone());
    let place_link = |place: String| Looked { place, ..Looked::default() }.href(None);
    let view = ArtistView {
        frame: Frame::new(),
        id: row.id.to_string(),
        name: artist.name.value.clone(),
        monogram: words::monogram(&artist.name.value),
        monogram_class: words::monogram_class(styles, &slugs),
        studio: artist.studio.as_ref().map(|studio| studio.value.clone()),
        city: artist.city.as_ref().map(|city| {
            let key = words::city_key(&city.value);
            let search = key.map_or_else(|| city.value.clone(), |key| words::city_search(&city.value, &key, country_code.as_deref()));
            (city.value.clone(), place_link(search))
        }),
        country: country_code.as_deref().map(|code| (words::country_label(code), place_link(words::country_search(code)))),
        tags: slugs.iter().map(|slug| StyleTag::of(styles, slug)).collect(),
        bio: artist.bio.as_ref().map(|bio| bio.value.clone()),
        instagram: artist.instagram.as_ref().map(|handle| {
            let handle = handle.value.clone();
            (format!("https://www.instagram.com/{}/", path_part(&handle)), handle)
        }),
        own_site: artist.own_site.as_ref().map(Outward::of),
        socials: artist.socials.iter().map(|profile| Outward::of(&profile.value)).collect(),
        pages: artist.pages.iter().map(Outward::of).collect(),
        emails: artist.emails.iter().map(|email| email.value.clone()).collect(),
        phones: artist.phones.iter().map(|phone| spaced(&phone.value)).collect(),
        pictures: artist.images.iter().take(PICTURES).map(|picture| Outward::of_file(&picture.value)).collect(),
        more_pictures: artist.images.len().saturating_sub(PICTURES),
        known: (artist.completeness() * 100.0).round() as u32,
        checked: words::age(now.since(row.checked_at)),
        checked_at: row.checked_at.rfc3339(),
        facts: facts(&artist, styles, now),
        found_through: attributions(ports.store.as_ref(), &artist).await.map_err(WebError::from)?,
    };
    Ok(page(StatusCode::OK, &view))
}

/// A handle as a part of a path; handles are plain, but this one was read from storage.
fn path_part(handle: &str) -> String {
    url::form_urlencoded::byte_serialize(handle.as_bytes()).collect()
}

fn facts(artist: &Artist, styles: &Styles, now: Timestamp) -> Vec<FactRow> {
    let mut rows = Vec::new();
    let texts = [
        ("Name", Some(&artist.name)),
        ("Studio", artist.studio.as_ref()),
        ("City", artist.city.as_ref()),
        ("Region", artist.region.as_ref()),
    ];
    rows.extend(texts.into_iter().filter_map(|(label, fact)| fact.map(|fact| text_row(label, fact, now))));
    if let Some(country) = &artist.country {
        rows.push(FactRow::of("Country", words::country_label(&country.value), &country.evidence, now));
    }
    if let Some(point) = &artist.coordinates {
        let value = format!("{:.4}, {:.4}", point.value.lat, point.value.lon);
        rows.push(FactRow::of("Coordinates", value, &point.evidence, now));
    }
    rows.extend(artist.instagram.as_ref().map(|handle| text_row("Instagram", handle, now)));
    rows.extend(artist.styles.iter().map(|style| FactRow::of("Style", words::style_label(styles, &style.value), &style.evidence, now)));
    rows.extend(artist.emails.iter().map(|email| text_row("E-mail", email, now)));
    rows.extend(artist.phones.iter().map(|phone| FactRow::of("Phone", spaced(&phone.value), &phone.evidence, now)));
    rows.extend(artist.socials.iter().map(|profile| FactRow::of("Profile", words::shown(&profile.value), &profile.evidence, now)));
    rows.extend(artist.bio.as_ref().map(|bio| FactRow::of("About", cut(&bio.value), &bio.evidence, now)));
    rows.extend(picture_rows(&artist.images, now));
    rows
}

/// One row a page for all pictures found on it.
fn picture_rows(pictures: &[Fact<Url>], now: Timestamp) -> Vec<FactRow> {
    let mut by_page: Vec<(&Evidence, u64)> = Vec::new();
    for picture in pictures {
        match by_page.iter_mut().find(|(evidence, _)| evidence.page == picture.evidence.page) {
            Some((_, count)) => *count += 1,
            None => by_page.push((&picture.evidence, 1)),
        }
    }
    by_page
        .into_iter()
        .map(|(evidence, count)| FactRow::of("Pictures", words::counted(count, "picture", "pictures"), evidence, now))
        .collect()
}

fn text_row(label: &'static str, fact: &Fact<String>, now: Timestamp) -> FactRow {
    FactRow::of(label, fact.value.clone(), &fact.evidence, now)
}

/// The beginning of a text that stands in full above.
fn cut(text: &str) -> String {
    const CUT: usize = 80;
    if text.chars().nth(CUT).is_none() { text.to_owned() } else { text.chars().take(CUT - 1).chain(['…']).collect() }
}
