//! Reads one page: parse, outline, cards, extractors, and the page's own wishes.

use super::extractors::{self, PageView, cards, signals};
use super::finding::{Card, Field, Finding, MAX_CARDS, MAX_FINDINGS, MAX_LINKS, PageFindings, PageLink, PageRole, Place};
use super::lexicon;
use super::outline::{Outline, outline};
use super::parse::{ParseBudget, ParseStop, parse};
use super::styles::Styles;
use super::text::{clean, cut, fold};
use std::borrow::Cow;
use url::Url;

/// Parses and reads one page under a budget. `text` is decoded; what it costs is checked between pieces.
pub fn read_page(url: &Url, text: &str, vocabulary: &Styles, budget: &ParseBudget<'_>) -> Result<PageFindings, ParseStop> {
    let html = parse(text, budget)?;
    let mut page = outline(&html, url, budget)?;
    drop(html);
    set_third_parties_apart(&mut page);
    let heading = page.blocks.iter().find(|block| block.level == 1).map(|block| block.line()).unwrap_or_default();
    let role = role_of_page(&page, &heading);
    let spans = cards::find(&page, role, vocabulary);
    budget.check_time()?;
    let view = PageView { url, outline: &page, styles: vocabulary, role, spans: &spans };
    let (findings, people) = extractors::run(&view, budget)?;
    let mut cards: Vec<Card> = spans.iter().enumerate().map(|(index, span)| card(&view, span, index as u16, &findings)).collect();
    cards.extend(people);
    cards.truncate(MAX_CARDS);
    let robots = page
        .metas
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "robots" | "googlebot" | "inkdex"))
        .map(|(_, value)| value.to_lowercase())
        .collect::<Vec<_>>()
        .join(",");
    let asks = |words: &[&str]| robots.split([',', ' ', ';']).any(|word| words.contains(&word));
    let nofollow = asks(&["nofollow", "none"]);
    let reserved = page.metas.iter().any(|(name, value)| name == "tdm-reservation" && value.trim() == "1");
    let mut findings = findings;
    findings.truncate(MAX_FINDINGS);
    Ok(PageFindings {
        url: url.clone(),
        canonical: canonical(&page, url),
        noindex: reserved || asks(&["noindex", "none", "noai", "noimageai"]),
        nofollow,
        lang: page.lang.clone(),
        title: page.title.clone(),
        heading: clean(&heading, 200),
        role,
        links: links(&view, nofollow),
        cards,
        findings,
        signals: signals::read(&page),
    })
}

/// Longest block that speaks of somebody else as a whole, in characters.
const THIRD_PARTY_MAX: usize = 400;

/// Blocks that name who keeps the server or settles disputes are nobody's contacts here, and neither are their links.
fn set_third_parties_apart(page: &mut Outline) {
    let speaks = |text: &str| {
        let folded = fold(text);
        lexicon::words().third_party.iter().any(|stem| {
            folded.split(|letter: char| !letter.is_alphanumeric() && letter != ' ').any(|part| {
                part.trim_start().split(' ').any(|word| word.starts_with(stem.as_str()))
                    || stem.contains(' ') && part.contains(stem.as_str())
            })
        })
    };
    let apart: Vec<bool> = page
        .blocks
        .iter()
        .map(|block| {
            let short = block.level == 0 && block.text.chars().count() <= THIRD_PARTY_MAX && block.text.lines().count() <= 4;
            short && (speaks(&block.text) || speaks(cut(&page.heading_text(block.heading), 60)))
        })
        .collect();
    for (block, _) in page.blocks.iter_mut().zip(&apart).filter(|(_, apart)| **apart) {
        block.place = Place::Credit;
    }
    for link in page.links.iter_mut().filter(|link| apart.get(link.block as usize).is_some_and(|apart| *apart)) {
        link.place = Place::Credit;
    }
}

fn canonical(page: &Outline, url: &Url) -> Option<Url> {
    let (_, href) = page.head_links.iter().find(|(rel, _)| rel.split(' ').any(|part| part == "canonical"))?;
    page.base.join(href).ok().filter(|target| target.host_str() == url.host_str() && target.scheme().starts_with("http"))
}

/// What a page is for: its title without the name of the site, else its first heading.
fn role_of_page(page: &Outline, heading: &str) -> PageRole {
    let by_title = page
        .title
        .split(['|', '–', '—', '·', ':', '•'])
        .flat_map(|part| part.split(" - "))
        .map(lexicon::role_exact)
        .find(|role| *role != PageRole::Other);
    let by_heading = lexicon::role_of(heading);
    match (by_title, by_heading) {
        (Some(title), PageRole::Other) => title,
        (_, heading) if heading != PageRole::Other => heading,
        _ => PageRole::Other,
    }
}

fn links(view: &PageView<'_>, nofollow: bool) -> Vec<PageLink> {
    let mut out: Vec<PageLink> = Vec::new();
    for (index, link) in view.outline.links.iter().enumerate() {
        let Some(mut url) = link.url.clone().filter(|url| matches!(url.scheme(), "http" | "https")) else {
            continue;
        };
        if link.href.starts_with('#') || out.len() >= MAX_LINKS {
            continue;
        }
        url.set_fragment(None);
        let role = lexicon::role_of(&link.text);
        let card = view.card_of_link(index as u32);
        if let Some(known) = out.iter_mut().find(|known| known.url == url && known.place == link.place && known.card == card) {
            if known.role == PageRole::Other {
                known.role = role;
            }
            continue;
        }
        out.push(PageLink {
            url,
            text: cut(&link.text, 120).to_owned(),
            nofollow: nofollow || link.rel.contains("nofollow"),
            place: link.place,
            role,
            card,
        });
    }
    out.extend(parts(view, nofollow));
    out
}

/// Parts of the page that its scripts fetch: read for the contacts that every page shares.
fn parts(view: &PageView<'_>, nofollow: bool) -> Vec<PageLink> {
    let mut parts: Vec<Url> = view.outline.parts.iter().filter_map(|part| view.outline.base.join(part).ok()).collect();
    parts.dedup();
    let link = |url| PageLink { url, text: String::new(), nofollow, place: Place::Footer, role: PageRole::Contact, card: None };
    parts.into_iter().map(link).collect()
}

fn card(view: &PageView<'_>, span: &cards::Span, index: u16, findings: &[Finding]) -> Card {
    let of = |field: Field, least: f32| {
        let mut out: Vec<String> = Vec::new();
        for finding in findings.iter().filter(|finding| {
            finding.card == Some(index) && finding.field == field && finding.confidence >= least && finding.place != Place::Credit
        }) {
            if let Some(text) = finding.value.text()
                && !out.iter().any(|known| fold(known) == fold(text))
            {
                out.push(text.to_owned());
            }
        }
        out.truncate(200);
        out
    };
    let page = view.outline;
    let own_site = page
        .links
        .get(span.links.start as usize..span.links.end as usize)
        .into_iter()
        .flatten()
        .filter_map(|link| link.url.as_ref().map(|url| (link, url)))
        .find(|(link, url)| {
            matches!(url.scheme(), "http" | "https")
                && extractors::handles::profile_of(url).is_none()
                && !super::site::reader::same_site(url, view.url)
                && lexicon::role_of(&link.text) != PageRole::Booking
                && !is_service(url)
        });
    let bio = findings
        .iter()
        .filter(|finding| finding.card == Some(index) && finding.field == Field::Bio)
        .filter_map(|finding| finding.value.text())
        .collect::<Vec<_>>()
        .join(" ");
    Card {
        name: span.name.clone(),
        role: span.role.clone(),
        instagram: of(Field::Instagram, 0.3),
        socials: of(Field::Social, 0.3),
        own_site: own_site.map(|(_, url)| url.clone()),
        page: cards::page_of(page, span, view.url),
        styles: of(Field::Style, 0.4),
        emails: of(Field::Email, 0.2),
        phones: of(Field::Phone, 0.2),
        images: of(Field::Image, 0.2).iter().filter_map(|link| Url::parse(link).ok()).collect(),
        bio: (!bio.is_empty()).then(|| cut(&bio, 2_000).to_owned()),
        not_artist: span.not_artist.clone(),
        group: span.group.clone(),
        named_artist: span.named_artist,
        extractor: Cow::Borrowed("cards"),
    }
}

/// Booking desks, map and payment services: a link there is not somebody's own site.
fn is_service(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    [
        "google.",
        "goo.gl",
        "calendly.com",
        "as.me",
        "acuityscheduling.com",
        "square.site",
        "squareup.com",
        "booksy.com",
        "fresha.com",
        "vagaro.com",
        "setmore.com",
        "paypal.",
        "stripe.com",
        "typeform.com",
        "forms.gle",
        "jotform.com",
        "tattoodo.com",
        "inkde.sk",
        "apple.com",
        "venmo.com",
        "cash.app",
        "youtu.be",
        "spotify.com",
        "etsy.com",
        "eventbrite.",
        "tripadvisor.",
        "yelp.",
        "trustpilot.",
        "airtable.com",
        "notion.site",
        "simplybook.",
        "treatwell.",
        "salonized.com",
        "planity.com",
        "github.com",
        "waze.com",
        "openstreetmap.org",
    ]
    .iter()
    .any(|mark| host.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::ParseLimits;
    use std::time::Duration;

    #[test]
    fn a_page_asks_by_its_meta_elements() {
        let url = Url::parse("https://studio.example/").unwrap();
        for (meta, noindex, nofollow) in [
            ("", false, false),
            ("<meta name=robots content='index, follow'>", false, false),
            ("<meta name=otherbot content=none>", false, false),
            ("<meta name=ROBOTS content='noindex,follow'>", true, false),
            ("<meta name=Inkdex content=none>", true, true),
            ("<meta name=robots content='max-snippet:20, NoFollow'>", false, true),
            ("<meta name=robots content=noimageai>", true, false),
            ("<meta name='TDM-Reservation' content=' 1 '>", true, false),
            ("<meta name=tdm-reservation content=0>", false, false),
        ] {
            let text = format!("<!doctype html><head>{meta}</head><body><h1>Ana</h1>");
            let elapsed = || Duration::ZERO;
            let found = read_page(&url, &text, &Styles::standard(), &ParseBudget::new(ParseLimits::default(), &elapsed)).unwrap();
            assert_eq!((found.noindex, found.nofollow), (noindex, nofollow), "{meta}");
        }
    }
}
