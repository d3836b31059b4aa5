//! What one page says: findings with their place, cards of people, links; serialisable and bounded.

use crate::domain::place::Coordinates;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use url::Url;

/// Most findings, links and cards kept of one page; what is beyond is dropped, never an error.
pub(crate) const MAX_FINDINGS: usize = 4_000;
pub(crate) const MAX_LINKS: usize = 1_500;
pub(crate) const MAX_CARDS: usize = 120;
/// Longest text kept in one value, in characters.
pub(crate) const MAX_VALUE: usize = 2_000;

/// Which fact a finding is about.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// What the site or its owner is called.
    Name,
    /// The shop where an artist works.
    Studio,
    /// An address or a part of it.
    Address,
    /// Where on the earth it is, as a map link or structured data says.
    Point,
    /// An Instagram handle in normal form.
    Instagram,
    /// An e-mail address in lower case.
    Email,
    /// A phone number as printed.
    Phone,
    /// A profile elsewhere, as a URL.
    Social,
    /// A canonical style name.
    Style,
    /// The URL of a portfolio picture.
    Image,
    /// A text about the artist or the studio.
    Bio,
    /// A word that tells what kind of site this is (`artist`, `studio`, `negative:<why>`).
    Kind,
}

/// Where on a page a finding stands.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// JSON-LD.
    JsonLd,
    /// Microdata attributes.
    Microdata,
    /// `<meta>` of the head.
    Meta,
    /// `<title>`.
    Title,
    /// A heading of the body.
    Heading,
    /// A navigation list.
    Nav,
    /// The page header.
    Header,
    /// Running content.
    Main,
    /// The page footer.
    Footer,
    /// A side column.
    Aside,
    /// A form, its labels and options.
    Form,
    /// A review, a testimonial or a quotation.
    Quote,
    /// The card of one person.
    Card,
    /// The credit of whoever built the site.
    Credit,
}

/// How a place was learnt.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It stands on a page.
    Printed,
    /// It follows from something printed: ZIP code, dialling code, national domain.
    Inferred,
    /// It is the place of the studio where the artist works.
    Studio,
}

/// An address as far as the page gives it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PostalAddress {
    /// Street and number, as printed.
    pub street: Option<String>,
    /// Postal code, as printed.
    pub postcode: Option<String>,
    /// City, as printed.
    pub city: Option<String>,
    /// Region, state or province, as printed.
    pub region: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: Option<String>,
    /// Whether the country stands there or follows from the rest.
    pub country_inferred: bool,
    /// Name printed with the address, such as that of the shop.
    pub venue: Option<String>,
}

/// The value of a finding.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Anything that is one text.
    Text(String),
    /// An address.
    Address(Box<PostalAddress>),
    /// A point on the earth.
    Point(Coordinates),
}

impl Value {
    /// The text, when the value is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Address(_) | Self::Point(_) => None,
        }
    }
}

/// One value, and where it comes from.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the value is about.
    pub field: Field,
    /// The value in its normal form.
    pub value: Value,
    /// The page it stands on.
    pub page: Url,
    /// Where on the page.
    pub place: Place,
    /// The label, heading or text beside it that decides whose value it is; at most a sentence.
    pub context: String,
    /// Index into [`PageFindings::cards`] when it stands inside the card of a person.
    pub card: Option<u16>,
    /// Name of the extractor.
    pub extractor: Cow<'static, str>,
    /// 0 to 1.
    #[serde(serialize_with = "crate::domain::facts::in_thousandths")]
    pub confidence: f32,
}

/// What a page is for, by its title, headings and the text of links to it; never by its file name.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum PageRole {
    /// The artists of a studio.
    Team,
    /// About the artist or the studio.
    About,
    /// How to reach them.
    Contact,
    /// Pictures of work.
    Portfolio,
    /// Styles and services.
    Services,
    /// Legal notice that names who runs the site.
    Imprint,
    /// Questions and answers.
    Faq,
    /// Booking.
    Booking,
    /// Aftercare.
    Aftercare,
    /// A blog or one of its posts.
    Blog,
    /// A shop or one of its products.
    Shop,
    /// Privacy, terms, cookies.
    Legal,
    /// Guests and events.
    Guests,
    /// None of these.
    #[default]
    Other,
}

/// A link of a page.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PageLink {
    /// Absolute address, without fragment.
    pub url: Url,
    /// What a reader sees: text, else label, title or alternative text.
    pub text: String,
    /// Marked `nofollow`, or the whole page is.
    pub nofollow: bool,
    /// Where it stands.
    pub place: Place,
    /// What the text of the link says of its target.
    pub role: PageRole,
    /// Index into [`PageFindings::cards`] when the link stands inside one.
    pub card: Option<u16>,
}

/// One person as a page presents them: a card of a team list, a section, or a person in JSON-LD.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// As presented.
    pub name: Option<String>,
    /// The line that says what they do.
    pub role: Option<String>,
    /// Handles linked or printed inside the card.
    pub instagram: Vec<String>,
    /// Other profiles.
    pub socials: Vec<String>,
    /// Their own site on another host.
    pub own_site: Option<Url>,
    /// Their page on the same host.
    pub page: Option<Url>,
    /// Canonical styles named inside the card.
    pub styles: Vec<String>,
    /// E-mail addresses inside the card.
    pub emails: Vec<String>,
    /// Phones inside the card, as printed.
    pub phones: Vec<String>,
    /// Pictures inside the card.
    pub images: Vec<Url>,
    /// The longest text of the card.
    pub bio: Option<String>,
    /// Why this person is not a present tattooer (`piercer`, `guest`, `former`, `staff`), if so.
    pub not_artist: Option<String>,
    /// The heading above the cards, such as "Our artists".
    pub group: String,
    /// The page says in so many words that these are its artists: heading, role line or JSON-LD.
    pub named_artist: bool,
    /// Name of the extractor.
    pub extractor: Cow<'static, str>,
}

/// Words of one trade on a page.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct TradeSignal {
    /// Which trade.
    pub trade: String,
    /// Weighted count, strong places more than running text.
    pub weight: f32,
    /// Count in title, description and main headings.
    pub strong: f32,
}

/// Counts that tell what a page is; kept so that a site is judged without its pages.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct PageSignals {
    /// Weighted words of tattooing as a craft offered.
    pub tattoo: f32,
    /// The same, counted only in title, description and main headings.
    pub tattoo_strong: f32,
    /// Phrases of somebody who offers tattoos in title, description and main headings.
    pub offer_strong: f32,
    /// Words of other trades: `pmu`, `removal`, `supply`, `piercing`, `photo`, `beauty`, `theme`, `blog`,
    /// `convention`.
    pub other: Vec<TradeSignal>,
    /// "I", "my", "me" in their languages.
    pub first_person: u32,
    /// "we", "our", "us" in their languages.
    pub first_plural: u32,
    /// Characters of readable text.
    pub text_len: u32,
    /// The page is an empty root that a script fills.
    pub drawn_by_script: bool,
    /// Says in words that body tattoos are not offered.
    pub denies_tattooing: bool,
}

/// One page's findings; serialisable because the parsing of a suspect job runs in a child process.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct PageFindings {
    /// The page as it was asked for.
    pub url: Url,
    /// `rel=canonical`, kept only on the same host.
    pub canonical: Option<Url>,
    /// The page asks not to be indexed (also `none`, `noai`, `tdm-reservation`).
    pub noindex: bool,
    /// The page asks that its links be left alone.
    pub nofollow: bool,
    /// `<html lang>`, not to be trusted.
    pub lang: Option<String>,
    /// `<title>`, cleaned.
    pub title: String,
    /// The first `<h1>` with text, cleaned.
    pub heading: String,
    /// What the page is for.
    pub role: PageRole,
    /// Links in reading order.
    pub links: Vec<PageLink>,
    /// People presented on the page.
    pub cards: Vec<Card>,
    /// All findings.
    pub findings: Vec<Finding>,
    /// Words counted for the judgement of the site.
    pub signals: PageSignals,
}
