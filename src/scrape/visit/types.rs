//! What a visit is given, what it costs, and why it brings no page.

use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::outcome::WaitFor;
use crate::domain::progress::Progress;
use crate::objects::ObjectsError;
use crate::scrape::FetchError;
use crate::scrape::guard::Guard;
use crate::scrape::limits::{BudgetStop, FetchLimits, SiteLimits};
use crate::scrape::politeness::PolitenessSettings;
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Whether a person asked that a URL is never read again (rule 15).
#[async_trait]
pub trait UrlDenial: std::fmt::Debug + Send + Sync {
    /// Whether the denylist holds `url`.
    async fn is_denied(&self, url: &Url) -> Result<bool, StoreError>;

    /// Whether pages of a site (see [`crate::scrape::known::site_of`]) name somebody who was removed: nothing of it is kept beyond
    /// its session.
    async fn names_removed(&self, site: &str) -> Result<bool, StoreError>;
}

/// How pages are visited.
#[derive(Debug, Clone)]
pub struct VisitSettings {
    /// Holds and spacing.
    pub politeness: PolitenessSettings,
    /// Limits on one response.
    pub limits: FetchLimits,
    /// Limits on one site in one visit.
    pub site: SiteLimits,
    /// The name robots.txt and pages address us by, as `Inkdex`.
    pub product_token: String,
    /// The guard, the same that the fetcher has.
    pub guard: Arc<Guard>,
    /// Whether pages that earlier sessions kept are spared; without it every page is asked for anew.
    pub recrawl: bool,
    /// Whether what goes over the wire is kept as evidence.
    pub evidence: bool,
    /// How long it is remembered that a site has to be drawn, or read by its sitemaps.
    pub need_memory: Duration,
}

/// What a visit makes of the pages that earlier sessions kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recrawl {
    /// One that is not due is read without a request; of the others the site is asked whether they changed.
    Due,
    /// Nothing: every page is asked for anew.
    All,
    /// They are all there is: nobody is asked for anything.
    KeptOnly,
}

/// For whom pages are read.
#[derive(Debug, Clone)]
pub struct VisitContext {
    /// The session, whose page cache is used.
    pub session: SessionId,
    /// Who holds hosts: the job's id.
    pub owner: String,
    /// Pages fetched before are not used: set for a job that was requeued.
    pub fresh_after: Option<Timestamp>,
    /// What is made of pages that earlier sessions kept.
    pub recrawl: Recrawl,
    /// Whether pages are drawn by a browser.
    pub drawn: bool,
    /// The pulse of whoever reads: each request is a step, and so is waiting for its turn.
    pub progress: Progress,
}

/// What a visit cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VisitStats {
    /// Requests sent, robots.txt and redirects included.
    pub requests: u32,
    /// Bytes of bodies on the wire.
    pub wire_bytes: u64,
    /// Answers that came from the page cache.
    pub cached: u32,
    /// Pages that were asked for and have not changed: a 304 each.
    pub unmodified: u32,
    /// Pages that were not due, read from what an earlier session kept.
    pub not_due: u32,
    /// Pages that a browser drew.
    pub drawn: u32,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// Not now, through no fault of the job (not counted).
    #[error("not before {until}: the host is busy or asked for it")]
    Wait {
        /// Not before this moment.
        until: Timestamp,
        /// For what.
        why: WaitFor,
    },
    /// robots.txt refuses the page.
    #[error("refused by robots.txt: {rule}")]
    RefusedByRobots {
        /// The rule that says so.
        rule: String,
    },
    /// The denylist holds the URL.
    #[error("on the denylist")]
    Denied,
    /// Nothing is kept of it, and nobody may be asked ([`Recrawl::KeptOnly`]).
    #[error("nothing is kept of {url}")]
    NotKept {
        /// What was asked for.
        url: String,
    },
    /// The visit has taken enough of the site.
    #[error("{url}: {stop}")]
    OverBudget {
        /// What was asked for.
        url: String,
        /// Which limit.
        stop: BudgetStop,
    },
    /// It has to be drawn, and there is no browser.
    #[error("it needs a browser: {why}")]
    NoBrowser {
        /// What is missing, and what to do.
        why: String,
        /// Whether it may be there in a while without a restart.
        may_come: bool,
    },
    /// It was not fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The store failed: an outage of our own.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store failed: an outage of our own.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}
