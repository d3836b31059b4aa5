//! One made-up site: its host, what it is, and the paths of its pages.

use std::time::Duration;

use super::Fate;
use super::build::Studio;
use super::people::{Person, Role};
use super::prose::Topic;

/// How a made-up site is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// A list of artists with JSON-LD Person objects and a page each.
    JsonLd,
    /// A team page with cards that have no pages of their own.
    Cards,
    /// A blog-like site with a list of names and a page for each artist, and a page of guests.
    Pages,
    /// A studio of one person.
    Solo,
    /// A collective whose artists have portfolio sites on hosts of their own.
    OwnSites,
    /// Tables and definition lists in windows-1252, declared only in a meta tag.
    Table,
    /// Everything on one page.
    OnePage,
    /// A site builder's nest of `div`s with microdata and a page for each artist.
    Microdata,
    /// An artist's own portfolio site.
    Portfolio,
    /// A coffee roaster.
    Roaster,
}

/// What a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SiteKind {
    /// A tattoo studio; it stands in the studio file.
    Studio,
    /// The portfolio site of one artist; only a studio's site links to it.
    Portfolio,
    /// Not a tattoo studio, though the studio file lists it.
    NotTattoo,
}

/// A made-up site.
#[derive(Debug, Clone)]
pub struct DemoSite {
    /// Host name, lower case, under `.example`.
    pub host: String,
    /// Name as the site prints it.
    pub name: String,
    /// What the site is.
    pub kind: SiteKind,
    /// How it is built.
    pub layout: Layout,
    /// Delay before each answer.
    pub delay: Duration,
    /// Whether the first request for a page (not robots.txt) is answered 429 with `Retry-After: 1`.
    pub rate_limits_once: bool,
    /// What robots.txt forbids, as path prefixes.
    pub disallowed: Vec<String>,
    pub(super) pages: Vec<PageAt>,
    /// Index of the studio, none for the roaster.
    pub(super) studio: Option<usize>,
    /// Index of the person in the studio, for a portfolio site.
    pub(super) person: Option<usize>,
}

/// A page and where it lies.
#[derive(Debug, Clone)]
pub(super) struct PageAt {
    pub path: String,
    pub content: Content,
}

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Home,
    Team,
    /// The person of that index in the studio.
    Person(usize),
    Guests,
    Works,
    Contact,
    Prose(Topic),
}

impl DemoSite {
    /// Paths of all HTML pages, the entry first; robots.txt, style sheet and pictures not counted.
    pub fn paths(&self) -> Vec<&str> {
        self.pages.iter().map(|page| page.path.as_str()).collect()
    }

    /// URL of the entry page.
    pub fn entry(&self) -> String {
        format!("http://{}/", self.host)
    }
}

impl Layout {
    fn suffix(self) -> &'static str {
        match self {
            Layout::JsonLd | Layout::Pages | Layout::OwnSites => "/",
            Layout::Cards | Layout::OnePage => ".html",
            Layout::Table => ".htm",
            Layout::Solo | Layout::Microdata | Layout::Portfolio | Layout::Roaster => "",
        }
    }

    fn contents(self) -> &'static [Content] {
        use Content::{Contact, Guests, Home, Prose, Team, Works};
        use Topic::{Aftercare, Booking, Journal, Questions, Shop};
        match self {
            Layout::JsonLd => &[Home, Team, Prose(Booking), Prose(Aftercare), Prose(Questions), Prose(Journal), Contact],
            Layout::Cards => &[Home, Team, Prose(Aftercare), Prose(Booking), Contact],
            Layout::Pages => &[Home, Team, Guests, Prose(Shop), Prose(Journal), Prose(Aftercare), Prose(Booking), Contact],
            Layout::Solo => &[Home, Works, Prose(Booking), Prose(Aftercare), Contact],
            Layout::OwnSites => &[Home, Team, Prose(Aftercare), Prose(Booking), Contact],
            Layout::Table => &[Home, Team, Prose(Aftercare), Prose(Booking), Contact],
            Layout::OnePage => &[Home, Prose(Aftercare), Prose(Questions)],
            Layout::Microdata => &[Home, Team, Prose(Questions), Prose(Shop), Prose(Booking), Contact],
            Layout::Portfolio | Layout::Roaster => &[Home, Works, Contact],
        }
    }

    /// Whether the layout gives every resident a page on the studio's site.
    pub(super) fn has_person_pages(self) -> bool {
        matches!(self, Layout::JsonLd | Layout::Pages | Layout::Microdata)
    }
}

/// The part of an artist-pages site that robots.txt forbids.
const PRIVATE_PREFIX: &str = "/artist/private/";

/// Path of a person's page on the studio's site, for the layouts that have one.
pub(super) fn person_path(studio: &Studio, person: &Person) -> Option<String> {
    let slug = &person.slug;
    let list = studio.words().artists_path;
    match studio.plan.layout {
        Layout::JsonLd => Some(format!("/{list}/{slug}/")),
        Layout::Pages if person.fate == Fate::RefusedByRobots => Some(format!("{PRIVATE_PREFIX}{slug}/")),
        Layout::Pages => Some(format!("/artist/{slug}/")),
        Layout::Microdata => Some(format!("/{list}/{slug}")),
        _ => None,
    }
}

/// Path of a page that is not a person's.
pub(super) fn plain_path(layout: Layout, studio: &Studio, content: Content) -> String {
    let words = studio.words();
    let name = match content {
        Content::Home | Content::Person(_) => return "/".to_owned(),
        Content::Team => words.artists_path,
        Content::Guests => words.guests_path,
        Content::Works => words.works_path,
        Content::Contact => words.contact_path,
        Content::Prose(topic) => topic.prose(studio.plan.place.lang).path,
    };
    format!("/{name}{}", layout.suffix())
}

/// The studio's site and the sites of those of its people who have their own.
pub(super) fn sites_of(index: usize, studio: &Studio) -> Vec<DemoSite> {
    let plan = &studio.plan;
    let mut pages: Vec<PageAt> = plan
        .layout
        .contents()
        .iter()
        .map(|content| PageAt { path: plain_path(plan.layout, studio, *content), content: *content })
        .collect();
    if plan.layout.has_person_pages() {
        for (at, person) in studio.people.iter().enumerate() {
            if person.role == Role::Resident
                && !person.page_gone
                && let Some(path) = person_path(studio, person)
            {
                pages.push(PageAt { path, content: Content::Person(at) });
            }
        }
    }
    let mut disallowed = Vec::new();
    if plan.last_refused {
        disallowed.push(PRIVATE_PREFIX.to_owned());
    }
    let mut sites = vec![DemoSite {
        host: plan.host.clone(),
        name: plan.name.clone(),
        kind: SiteKind::Studio,
        layout: plan.layout,
        delay: Duration::from_millis(plan.delay_ms),
        rate_limits_once: plan.limits_once,
        disallowed,
        pages,
        studio: Some(index),
        person: None,
    }];
    for (at, person) in studio.people.iter().enumerate() {
        if let Some(host) = &person.own_host {
            sites.push(portfolio(index, studio, at, person, host));
        }
    }
    sites
}

fn portfolio(index: usize, studio: &Studio, at: usize, person: &Person, host: &str) -> DemoSite {
    let pages = Layout::Portfolio
        .contents()
        .iter()
        .map(|content| PageAt { path: plain_path(Layout::Portfolio, studio, *content), content: *content });
    DemoSite {
        host: host.to_owned(),
        name: person.name.clone(),
        kind: SiteKind::Portfolio,
        layout: Layout::Portfolio,
        delay: Duration::ZERO,
        rate_limits_once: false,
        disallowed: Vec::new(),
        pages: pages.collect(),
        studio: Some(index),
        person: Some(at),
    }
}

/// The coffee roaster's site.
pub(super) fn roaster(host: &str, name: &str) -> DemoSite {
    let page = |path: &str, content| PageAt { path: path.to_owned(), content };
    DemoSite {
        host: host.to_owned(),
        name: name.to_owned(),
        kind: SiteKind::NotTattoo,
        layout: Layout::Roaster,
        delay: Duration::ZERO,
        rate_limits_once: false,
        disallowed: Vec::new(),
        pages: vec![
            page("/", Content::Home),
            page("/team", Content::Team),
            page("/shop", Content::Prose(Topic::Shop)),
            page("/contact", Content::Contact),
        ],
        studio: None,
        person: None,
    }
}
