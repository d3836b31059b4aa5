//! Search as the public asks it: by the index, or, while that is out, by the key tables for styles and places (002-X9).

use crate::domain::artist::ArtistRow;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{location_prefix, style_partition};
use crate::jobs::{PortError, Ports};
use crate::search::guarded::{GuardSettings, GuardedSearch};
use crate::search::plan::{MatchPlan, completeness_permille};
use crate::search::{Facets, Hit, IndexDocument, PageMark, SearchError, SearchPage, SearchQuery};
use crate::store::StyleQuery;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tracing::debug;

/// Entries read at once of a key table.
const PAGE: usize = 100;
/// Reads of key tables for one search at most: what needs more is not answered by them.
const READS_MAX: usize = 200;
/// Artists gathered for one search at most; those of the first places come.
const GATHERED_MAX: usize = 1_000;

/// A page, and whether it came from the key tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The page.
    pub page: SearchPage,
    /// The index is out: the page has what style and place say, in the same order, and nothing newer is missing.
    pub degraded: bool,
}

/// The directory as it is searched.
#[derive(Debug)]
pub struct Directory {
    ports: Ports,
    index: GuardedSearch,
}

impl Directory {
    /// Over the ports.
    pub fn new(ports: Ports, settings: GuardSettings) -> Self {
        Self { index: GuardedSearch::new(ports.index.clone(), ports.clock.clone(), settings), ports }
    }

    /// A page of artists.
    ///
    /// # Errors
    /// The index is out, and the search has words, a point or a handle, or no style and no place.
    pub async fn find(&self, query: &SearchQuery) -> Result<Found, PortError> {
        match self.index.search(query).await {
            Ok(page) => Ok(Found { page, degraded: false }),
            Err(error @ SearchError::Unavailable(_)) => match by_keys(&self.ports, query).await? {
                Some(page) => {
                    debug!(%error, "a search is answered from the key tables");
                    Ok(Found { page, degraded: true })
                }
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Counts beside a search, by the index alone.
    ///
    /// # Errors
    /// The index is out.
    pub async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        self.index.facets(query).await
    }
}

/// What the key tables say; `None` if they are not made for this query. Without words a rank is completeness alone, so the
/// order and the page marks are those of the index.
async fn by_keys(ports: &Ports, query: &SearchQuery) -> Result<Option<SearchPage>, PortError> {
    let has_place = query.country.is_some() || query.city_key.is_some();
    let is_keyed = query.tokens.iter().all(String::is_empty) && query.near.is_none() && query.instagram.is_none();
    if !is_keyed || (query.styles.is_empty() && !has_place) {
        return Ok(None);
    }
    let styles: Vec<String> = match &query.styles[..] {
        [] => ports.styles.all().iter().map(|style| style.slug.clone()).collect(),
        styles => styles.to_vec(),
    };
    let mut gathering = Gathering { ports, query, reads_left: READS_MAX, found: BTreeMap::new() };
    for style in &styles {
        if !gathering.style(style).await? {
            return Ok(None);
        }
    }
    gathering.page().await.map(Some)
}

/// Artists as they are gathered from the key tables, in the order of the index.
struct Gathering<'a> {
    ports: &'a Ports,
    query: &'a SearchQuery,
    reads_left: usize,
    found: BTreeMap<(Reverse<i64>, ArtistId), Hit>,
}

impl Gathering<'_> {
    /// Takes those of a style. Answers whether the reads sufficed.
    async fn style(&mut self, style: &str) -> Result<bool, PortError> {
        let gsi1pk = style_partition(style);
        match (&self.query.country, &self.query.city_key) {
            (None, Some(city_key)) => self.city_of_any_country(&gsi1pk, city_key).await,
            (country, city_key) => self.place(&gsi1pk, location_prefix(country.as_deref(), city_key.as_deref())).await,
        }
    }

    /// A city may lie in several countries: their keys are jumped to one by one, since each begins with its country.
    async fn city_of_any_country(&mut self, gsi1pk: &str, city_key: &str) -> Result<bool, PortError> {
        let every = location_prefix(None, None);
        let mut after = None;
        loop {
            if !self.may_read() {
                return Ok(false);
            }
            let first = StyleQuery { gsi1pk: gsi1pk.to_owned(), gsi1sk_prefix: every.clone(), limit: 1, after };
            let page = self.ports.store.by_style(&first).await?;
            // A page may be empty and not the last: ghosts are left out.
            let Some(at) = page.entries.first().map(|entry| entry.gsi1sk.clone()).or(page.next) else { return Ok(true) };
            let Some(country) = at.strip_prefix(&every).and_then(|rest| rest.split('#').next()) else { return Ok(true) };
            if !self.place(gsi1pk, format!("{every}{country}#{city_key}#")).await? {
                return Ok(false);
            }
            // `$` follows `#`, so this lies behind every key of the country.
            after = Some(format!("{every}{country}$"));
        }
    }

    async fn place(&mut self, gsi1pk: &str, gsi1sk_prefix: String) -> Result<bool, PortError> {
        let mut after = None;
        loop {
            if self.found.len() >= GATHERED_MAX {
                return Ok(true);
            }
            if !self.may_read() {
                return Ok(false);
            }
            let asked = StyleQuery { gsi1pk: gsi1pk.to_owned(), gsi1sk_prefix: gsi1sk_prefix.clone(), limit: PAGE, after };
            let page = self.ports.store.by_style(&asked).await?;
            page.entries.iter().for_each(|entry| self.take(&entry.row));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(true),
            }
        }
    }

    fn may_read(&mut self) -> bool {
        let may = self.reads_left > 0;
        self.reads_left = self.reads_left.saturating_sub(1);
        may
    }

    fn take(&mut self, row: &ArtistRow) {
        if let Some(document) = IndexDocument::of(row) {
            let permille = i64::try_from(completeness_permille(document.completeness)).unwrap_or(0);
            let rank = permille * i64::from(MatchPlan::of(self.query).completeness_factor);
            let hit = Hit { artist_id: row.id.clone(), version: row.version, rank, document };
            self.found.insert((Reverse(rank), row.id.clone()), hit);
        }
    }

    /// The page of the query. Whoever is denied is not shown by a read of keys either (rule 15).
    async fn page(self) -> Result<SearchPage, PortError> {
        let total = self.found.len() as u64;
        let after = self.query.after.as_ref().map(|mark| (Reverse(mark.rank), mark.artist_id.clone()));
        let mut rest = self.found.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).map(|(_, hit)| hit);
        let (mut hits, mut last) = (Vec::new(), None);
        for hit in rest.by_ref().take(self.query.limit) {
            last = Some(PageMark { rank: hit.rank, artist_id: hit.artist_id.clone() });
            if !is_denied(self.ports, &hit.artist_id).await? {
                hits.push(hit);
            }
        }
        let next = last.filter(|_| rest.next().is_some());
        Ok(SearchPage { hits, total, next })
    }
}

async fn is_denied(ports: &Ports, id: &ArtistId) -> Result<bool, PortError> {
    let row = ports.store.artist(id).await?;
    match row.as_ref().and_then(|row| row.live()) {
        Some(record) => Ok(ports.store.is_denied(&ports.deny.of_record(id, record)).await?),
        // Gone since the keys were read.
        None => Ok(true),
    }
}
