//! The registry of extractors: one pure function a file, each turning a page into findings.

pub(crate) mod address;
pub(crate) mod bio;
pub(crate) mod cards;
mod contact_links;
mod contact_text;
pub mod handles;
mod images;
mod json_ld;
mod meta;
mod microdata;
mod names;
mod people;
pub(crate) mod signals;
mod style_words;
mod workplace;

use super::disguise::without_look_alikes;
use super::finding::{Card, Field, Finding, MAX_FINDINGS, MAX_VALUE, PageRole, Place, PostalAddress, Value};
use super::outline::Outline;
use super::parse::{ParseBudget, ParseStop};
use super::styles::Styles;
use super::text::{clean, cut, is_one_place};
use crate::domain::place::Coordinates;
use std::borrow::Cow;
use url::Url;

/// One extractor.
#[derive(Clone, Copy)]
pub struct Extractor {
    /// Written beside every finding.
    pub name: &'static str,
    read: fn(&PageView<'_>, &mut Sink<'_>),
}

impl std::fmt::Debug for Extractor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Extractor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All extractors in the order they run. To add one: its file, a line here, a fixture.
pub const EXTRACTORS: &[Extractor] = &[
    Extractor { name: "json_ld", read: json_ld::read },
    Extractor { name: "microdata", read: microdata::read },
    Extractor { name: "meta", read: meta::read },
    Extractor { name: "names", read: names::read },
    Extractor { name: "people", read: people::read },
    Extractor { name: "workplace", read: workplace::read },
    Extractor { name: "contact_links", read: contact_links::read },
    Extractor { name: "contact_text", read: contact_text::read },
    Extractor { name: "address", read: address::read },
    Extractor { name: "style_words", read: style_words::read },
    Extractor { name: "images", read: images::read },
    Extractor { name: "bio", read: bio::read },
];

/// What an extractor may look at.
#[derive(Debug)]
pub struct PageView<'page> {
    pub(crate) url: &'page Url,
    pub(crate) outline: &'page Outline,
    pub(crate) styles: &'page Styles,
    pub(crate) role: PageRole,
    pub(crate) spans: &'page [cards::Span],
}

impl PageView<'_> {
    /// The card of a person that a block lies in.
    pub(crate) fn card_of_block(&self, block: u32) -> Option<u16> {
        self.spans.iter().position(|span| span.blocks.contains(&block)).map(|at| at as u16)
    }

    /// The card of a person that a link lies in.
    pub(crate) fn card_of_link(&self, link: u32) -> Option<u16> {
        self.spans.iter().position(|span| span.links.contains(&link)).map(|at| at as u16)
    }

    /// The card of a person that a picture lies in.
    pub(crate) fn card_of_image(&self, image: u32) -> Option<u16> {
        self.spans.iter().position(|span| span.images.contains(&image)).map(|at| at as u16)
    }
}

/// Where extractors put what they found.
#[derive(Debug)]
pub(crate) struct Sink<'page> {
    pub page: &'page Url,
    pub extractor: &'static str,
    pub findings: Vec<Finding>,
    /// People named outside the visible cards, as in JSON-LD.
    pub people: Vec<Card>,
}

/// Everything about a finding but its value.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub place: Place,
    pub context: String,
    pub card: Option<u16>,
    pub confidence: f32,
}

impl At {
    pub fn new(place: Place, confidence: f32) -> Self {
        Self { place, context: String::new(), card: None, confidence }
    }

    pub fn context(mut self, context: &str) -> Self {
        self.context = cut(context, 200).to_owned();
        self
    }

    pub fn card(mut self, card: Option<u16>) -> Self {
        self.card = card;
        self
    }
}

impl Sink<'_> {
    pub fn text(&mut self, field: Field, value: &str, at: At) {
        // Rule `lost letters`: a name of which a letter was lost is no name; other places may have it whole.
        let names_somebody = matches!(field, Field::Name | Field::Studio);
        if names_somebody && value.contains(char::REPLACEMENT_CHARACTER) {
            return;
        }
        let mut value = clean(value, MAX_VALUE).replace(char::REPLACEMENT_CHARACTER, "");
        if names_somebody {
            value = without_look_alikes(&value);
        }
        if !value.is_empty() {
            self.push(field, Value::Text(value), at);
        }
    }

    pub fn address(&mut self, mut address: PostalAddress, at: At) {
        address.city = address.city.filter(|city| is_one_place(city));
        address.region = address.region.filter(|region| is_one_place(region));
        self.push(Field::Address, Value::Address(Box::new(address)), at);
    }

    /// Where a map or structured data puts it. Whole degrees are the middle of nowhere, and 0, 0 is what is left unset.
    pub fn point(&mut self, lat: f64, lon: f64, at: At) {
        let set = lat.fract() != 0.0 || lon.fract() != 0.0;
        if let Some(point) = Coordinates::new(lat, lon).filter(|_| set) {
            self.push(Field::Point, Value::Point(point), at);
        }
    }

    fn push(&mut self, field: Field, value: Value, at: At) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                field,
                value,
                page: self.page.clone(),
                place: at.place,
                context: at.context,
                card: at.card,
                extractor: Cow::Borrowed(self.extractor),
                confidence: at.confidence,
            });
        }
    }
}

/// Runs every extractor over a page, looking at the time after each.
pub(crate) fn run(view: &PageView<'_>, budget: &ParseBudget<'_>) -> Result<(Vec<Finding>, Vec<Card>), ParseStop> {
    let mut sink = Sink { page: view.url, extractor: "", findings: Vec::new(), people: Vec::new() };
    for extractor in EXTRACTORS {
        sink.extractor = extractor.name;
        (extractor.read)(view, &mut sink);
        budget.check_time()?;
    }
    Ok((sink.findings, sink.people))
}
