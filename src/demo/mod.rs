//! The made-up web of `inkdex demo`: studios, artists and sites of ours, generated from a seed and served on
//! loopback. Its people do not exist; its hosts lie under `.example`. What each artist must come to is known
//! here ([`Fate`]), so that a run over this web can count what it lost.

mod build;
mod cast;
mod dice;
mod folder_server;
mod people;
mod places;
mod prose;
mod render;
mod respond;
mod server;
mod site;
mod styles;
mod words;

use std::collections::HashMap;

pub use crate::scrape::folder::FolderSite;
pub use folder_server::FolderServer;
pub use respond::DemoResponse;
pub use server::{DemoServer, DemoServerOptions, NowMs, RequestLog};
pub use site::{DemoSite, Layout, SiteKind};

/// What a whole session must make of an artist of the made-up web.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The artist ends in the index.
    Searchable,
    /// The artist's page lies under a part that robots.txt forbids: `Done{refused_by_robots}`.
    RefusedByRobots,
    /// The artist's page is beyond the parse budget: a dead letter.
    DeadLetter,
}

/// An artist that the made-up web names as a present tattooer of a studio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoArtist {
    /// The name as the site prints it.
    pub name: String,
    /// Name of the studio.
    pub studio: String,
    /// Instagram handle without `@`, lower case.
    pub instagram: Option<String>,
    /// City as the site prints it, in its own language.
    pub city: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// Canonical style names.
    pub styles: Vec<String>,
    /// The text about the artist, complete.
    pub bio: String,
    /// The page that says most of the artist: their own site, their page on the studio's site, or the page
    /// with their card.
    pub page: String,
    /// What a session must make of them.
    pub fate: Fate,
}

/// What differs from the first day of the same web, see [`DemoWeb::with_changes`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DemoChanges {
    /// Name of the artist whose card is gone from the team page of the first studio with cards.
    pub left: Option<String>,
    /// Name of the artist, first of the first studio with JSON-LD, whose bio has a new last sentence; and it.
    pub bio_changed: Option<(String, String)>,
    /// Name and page of the artist, first of the first studio with a page each, whose page answers 404
    /// although the list still links to it.
    pub page_gone: Option<(String, String)>,
    /// Name and handle of the artist, another of the first studio with JSON-LD, who names no Instagram any more.
    pub handle_gone: Option<(String, String)>,
    /// Name of the artist who is new in the first studio with a single page.
    pub joined: Option<String>,
}

/// A whole made-up web: the same seed gives the same web, byte by byte.
#[derive(Debug, Clone)]
pub struct DemoWeb {
    seed: u64,
    studios: Vec<build::Studio>,
    /// People of the one site that is no tattoo studio; empty in generated webs.
    roasters: Vec<people::Person>,
    sites: Vec<DemoSite>,
    by_host: HashMap<String, usize>,
    artists: Vec<DemoArtist>,
    changes: DemoChanges,
}

impl DemoWeb {
    /// The demo's web: eight studios that look different, 33 artists of whom 31 end in the index, one is
    /// refused by robots.txt and one is a dead letter, a coffee roaster that is no studio, one slow site and
    /// one that answers 429 once. The seed draws people, handles, styles and texts; studios are the same.
    pub fn generate(seed: u64) -> Self {
        build::web(cast::cast(), seed, true)
    }

    /// A web of `studios` with `artists_per_studio` each, built from the same templates, for tests and
    /// measurements: no delays, no 429, nobody refused or dead, no site that is not a studio.
    pub fn generate_sized(seed: u64, studios: usize, artists_per_studio: usize) -> Self {
        build::web(cast::generated(studios, artists_per_studio), seed, false)
    }

    /// The state of this web `day` days later; day 0 is this web. From day 1 on the five changes of
    /// [`DemoChanges`] hold; from day 10 on the artist who left is back on the team page. A change whose
    /// layout the web does not have is left out. Call it on a first-day web.
    pub fn with_changes(&self, day: u32) -> Self {
        build::changed(self, day)
    }

    /// What differs from the first day; all empty on it.
    pub fn changes(&self) -> &DemoChanges {
        &self.changes
    }

    /// The seed it was generated from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All sites, studios first, each studio followed by its artists' own sites.
    pub fn sites(&self) -> &[DemoSite] {
        &self.sites
    }

    /// Every host of the web, to be mapped to the server's address.
    pub fn hosts(&self) -> Vec<String> {
        self.sites.iter().map(|site| site.host.clone()).collect()
    }

    /// Present tattooers of all studios. Whoever left, or whose page is gone, is not among them.
    pub fn artists(&self) -> &[DemoArtist] {
        &self.artists
    }

    /// Names that stand on pages and must never enter the directory: piercers, guests, former residents and
    /// the roaster's staff.
    pub fn decoys(&self) -> Vec<String> {
        let staff = self.studios.iter().flat_map(|studio| &studio.people);
        staff.filter(|person| person.role != people::Role::Resident).chain(&self.roasters).map(|person| person.name.clone()).collect()
    }

    /// Links of the web that lead nowhere on purpose, as (host, path).
    pub fn planned_dead_links(&self) -> Vec<(String, String)> {
        let mut links: Vec<(String, String)> = self
            .sites
            .iter()
            .filter(|site| site.layout == Layout::Table)
            .map(|site| (site.host.clone(), render::GUESTBOOK_PATH.to_owned()))
            .collect();
        links.extend(self.changes.page_gone.iter().filter_map(|(_, page)| {
            let (host, path) = page.strip_prefix("http://")?.split_once('/')?;
            Some((host.to_owned(), format!("/{path}")))
        }));
        links
    }

    /// The studio file of this web: a YAML list with `name`, `website`, `place` and, for some, `lat`, `lon`
    /// and `place_id`.
    pub fn studio_file(&self) -> String {
        build::studio_file(self)
    }

    /// What the site `host` answers to a GET of `path` (a query is ignored). An unknown host gets 421. The
    /// one 429 of a site is not given here but by [`DemoServer`], which knows what was asked before.
    pub fn respond(&self, host: &str, path: &str) -> DemoResponse {
        respond::respond(self, host, path)
    }

    fn site(&self, host: &str) -> Option<&DemoSite> {
        self.by_host.get(host).map(|index| &self.sites[*index])
    }
}

#[cfg(test)]
mod tests;
