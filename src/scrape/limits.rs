//! Limits on everything a site controls: one response ([`FetchLimits`]) and one site in one visit ([`SiteBudget`]).

use crate::scrape::near_duplicates::NearDuplicates;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use url::Url;

/// Limits on one request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchLimits {
    /// Time to resolve and connect, TLS included, milliseconds.
    pub connect_ms: u64,
    /// Time to the end of the response's head, connecting included, milliseconds.
    pub head_ms: u64,
    /// Time between two pieces of the body, milliseconds.
    pub idle_ms: u64,
    /// Time for the whole request, milliseconds.
    pub total_ms: u64,
    /// Size of the response's head, bytes.
    pub header_bytes: usize,
    /// Size of the body as sent, bytes.
    pub wire_bytes: u64,
    /// Size of the body after decompression, bytes.
    pub decoded_bytes: usize,
    /// How much of a robots.txt is read, bytes; RFC 9309 asks for at least 500 KiB. The rest is not looked at.
    pub robots_bytes: usize,
    /// Redirects in a row, `Refresh` and meta refresh included.
    pub redirects: usize,
    /// The longest delay with which a `Refresh` still counts as a redirect, milliseconds.
    pub refresh_ms: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            head_ms: 10_000,
            idle_ms: 10_000,
            total_ms: 30_000,
            header_bytes: 64 * 1024,
            wire_bytes: 2_000_000,
            decoded_bytes: 5_000_000,
            robots_bytes: 500 * 1024,
            redirects: 5,
            refresh_ms: 5_000,
        }
    }
}

impl FetchLimits {
    /// Time to connect.
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    /// Time to the end of the head.
    pub fn head(&self) -> Duration {
        Duration::from_millis(self.head_ms)
    }

    /// Time between two pieces of the body.
    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// Time for the whole request.
    pub fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }

    /// The longest delay of a `Refresh` that counts as a redirect.
    pub fn refresh(&self) -> Duration {
        Duration::from_millis(self.refresh_ms)
    }
}

/// Limits on one site in one visit: what stops calendars, endless paging and other traps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteLimits {
    /// Pages asked for.
    pub pages: usize,
    /// Length of a URL, bytes.
    pub url_bytes: usize,
    /// Segments of a path.
    pub path_segments: usize,
    /// How often one segment may occur in a path.
    pub segment_repeats: usize,
    /// Different queries of one path.
    pub query_variants: usize,
    /// Pages of one part of the site (the first segment of the path) that say what another of it said.
    pub near_duplicates: usize,
    /// Wall time, milliseconds.
    pub wall_ms: u64,
    /// Bytes on the wire in all.
    pub bytes: u64,
}

impl Default for SiteLimits {
    fn default() -> Self {
        Self {
            pages: 200,
            url_bytes: 2_048,
            path_segments: 15,
            segment_repeats: 3,
            query_variants: 20,
            near_duplicates: 10,
            wall_ms: 600_000,
            bytes: 100_000_000,
        }
    }
}

/// Which limit of a site was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetStop {
    /// [`SiteLimits::pages`]
    #[error("too many pages of one site")]
    Pages,
    /// [`SiteLimits::url_bytes`]
    #[error("the URL is too long")]
    UrlBytes,
    /// [`SiteLimits::path_segments`]
    #[error("the path has too many segments")]
    PathSegments,
    /// [`SiteLimits::segment_repeats`]
    #[error("one segment is repeated in the path")]
    SegmentRepeats,
    /// [`SiteLimits::query_variants`]
    #[error("too many queries of one path")]
    QueryVariants,
    /// [`SiteLimits::near_duplicates`]
    #[error("too many pages that say the same")]
    NearDuplicates,
    /// [`SiteLimits::wall_ms`]
    #[error("the site takes too long")]
    Wall,
    /// [`SiteLimits::bytes`]
    #[error("the site sent too many bytes")]
    Bytes,
}

impl BudgetStop {
    /// A short stable code for dead letters and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pages => "site_pages",
            Self::UrlBytes => "url_too_long",
            Self::PathSegments => "path_too_deep",
            Self::SegmentRepeats => "path_repeats",
            Self::QueryVariants => "query_variants",
            Self::NearDuplicates => "near_duplicates",
            Self::Wall => "site_wall_time",
            Self::Bytes => "site_bytes",
        }
    }
}

impl SiteLimits {
    /// Whether a URL has the shape of a page, and not of a trap.
    ///
    /// # Errors
    /// The limit its length or path breaks.
    pub fn check_shape(&self, url: &Url) -> Result<(), BudgetStop> {
        if url.as_str().len() > self.url_bytes {
            return Err(BudgetStop::UrlBytes);
        }
        let segments: Vec<&str> = url.path_segments().map(|parts| parts.filter(|part| !part.is_empty()).collect()).unwrap_or_default();
        if segments.len() > self.path_segments {
            return Err(BudgetStop::PathSegments);
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for segment in segments {
            let count = counts.entry(segment).or_default();
            *count += 1;
            if *count > self.segment_repeats {
                return Err(BudgetStop::SegmentRepeats);
            }
        }
        Ok(())
    }
}

/// What one visit has spent on one site.
#[derive(Debug, Clone, Default)]
pub struct SiteBudget {
    admitted: HashSet<Url>,
    queries: HashMap<String, usize>,
    said: NearDuplicates,
    bytes: u64,
}

impl SiteBudget {
    /// Nothing spent yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits a page `elapsed` after the visit began. The same page again costs nothing.
    ///
    /// # Errors
    /// The limit it would break; nothing is spent then.
    pub fn admit(&mut self, limits: &SiteLimits, url: &Url, elapsed: Duration) -> Result<(), BudgetStop> {
        limits.check_shape(url)?;
        if elapsed > Duration::from_millis(limits.wall_ms) {
            return Err(BudgetStop::Wall);
        }
        if self.bytes > limits.bytes {
            return Err(BudgetStop::Bytes);
        }
        if self.admitted.contains(url) {
            return Ok(());
        }
        if self.admitted.len() >= limits.pages {
            return Err(BudgetStop::Pages);
        }
        if self.said.of_part(url) >= limits.near_duplicates {
            return Err(BudgetStop::NearDuplicates);
        }
        if url.query().is_some() {
            let variants = self.queries.entry(url.path().to_owned()).or_default();
            if *variants >= limits.query_variants {
                return Err(BudgetStop::QueryVariants);
            }
            *variants += 1;
        }
        self.admitted.insert(url.clone());
        Ok(())
    }

    /// Takes note of what a page said.
    pub fn note(&mut self, url: &Url, html: &str) {
        self.said.note(url, html);
    }

    /// Counts bytes received from the site.
    pub fn spend(&mut self, wire_bytes: u64) {
        self.bytes = self.bytes.saturating_add(wire_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse("https://site.example/").unwrap().join(path).unwrap()
    }

    #[test]
    fn traps_have_a_shape() {
        let limits = SiteLimits::default();
        assert_eq!(limits.check_shape(&url("/artists/ana?page=2")), Ok(()));
        assert_eq!(limits.check_shape(&url("/a/b/a/b/a")), Ok(()), "three times is still a path");
        assert_eq!(limits.check_shape(&url("/a/b/a/b/a/b/a")), Err(BudgetStop::SegmentRepeats));
        assert_eq!(limits.check_shape(&url("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15")), Ok(()));
        assert_eq!(limits.check_shape(&url("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16")), Err(BudgetStop::PathSegments));
        assert_eq!(limits.check_shape(&url(&format!("/{}", "x".repeat(2_048)))), Err(BudgetStop::UrlBytes));
    }

    #[test]
    fn a_site_ends_at_each_of_its_limits() {
        let limits = SiteLimits { pages: 30, query_variants: 3, bytes: 100, ..SiteLimits::default() };
        let mut budget = SiteBudget::new();
        for day in 0..3 {
            assert_eq!(budget.admit(&limits, &url(&format!("/calendar?day={day}")), Duration::ZERO), Ok(()));
        }
        assert_eq!(budget.admit(&limits, &url("/calendar?day=3"), Duration::ZERO), Err(BudgetStop::QueryVariants));
        assert_eq!(budget.admit(&limits, &url("/calendar?day=1"), Duration::ZERO), Ok(()), "the same page costs nothing");
        for page in 0..27 {
            assert_eq!(budget.admit(&limits, &url(&format!("/p{page}")), Duration::ZERO), Ok(()));
        }
        assert_eq!(budget.admit(&limits, &url("/one-more"), Duration::ZERO), Err(BudgetStop::Pages));
        assert_eq!(budget.admit(&limits, &url("/p1"), Duration::from_secs(601)), Err(BudgetStop::Wall));
        budget.spend(101);
        assert_eq!(budget.admit(&limits, &url("/p1"), Duration::ZERO), Err(BudgetStop::Bytes));
    }
}
