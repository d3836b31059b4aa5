//! What jobs use to read pages: [`Visitor`] (one a process) and [`Visit`] (one a job). Every hop passes, in this order,
//! denylist, guard, page cache, what earlier sessions kept and is not due, robots.txt, the hold on its host, and only then the
//! network.

mod drawn;
mod kept;
mod rules;
mod sitemaps;
mod types;

pub use types::{Recrawl, UrlDenial, VisitContext, VisitError, VisitSettings, VisitStats};

use crate::domain::chance::Chance;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::outcome::WaitFor;
use crate::objects::{Objects, ObjectsError};
use crate::scrape::draw::Draw;
use crate::scrape::evidence::{About, Evidence};
use crate::scrape::guard::{MappedHost, host_key, shown};
use crate::scrape::known::{Known, KnownPages};
use crate::scrape::limits::SiteBudget;
use crate::scrape::page_cache::{Kept, PageCache};
use crate::scrape::politeness::{Held, Politeness, Turn};
use crate::scrape::refresh::meta_refresh;
use crate::scrape::robots::{RobotsFile, RobotsFiles, RobotsVerdict, origin};
use crate::scrape::{Ask, Fetch, FetchError, FetchedPage, Hop, Limit, Wanted};
use crate::store::HostHolds;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

#[derive(Debug)]
struct Shared {
    fetch: Arc<dyn Fetch>,
    draw: Arc<dyn Draw>,
    deny: Arc<dyn UrlDenial>,
    clock: Arc<dyn Clock>,
    settings: VisitSettings,
    politeness: Arc<Politeness>,
    pages: PageCache,
    known: KnownPages,
    robots: RobotsFiles,
    objects: Objects,
}

/// Begins visits. One a process: it knows the hosts' robots.txt and slow-downs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Visitor {
    shared: Arc<Shared>,
}

impl Visitor {
    /// A visitor over what fetches and what draws, the store's holds and the object store.
    pub fn new(
        (fetch, draw): (Arc<dyn Fetch>, Arc<dyn Draw>),
        holds: Arc<dyn HostHolds>,
        objects: Objects,
        deny: Arc<dyn UrlDenial>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        settings: VisitSettings,
    ) -> Self {
        let request_time = settings.limits.total();
        let politeness = Politeness::new(holds, Arc::clone(&clock), chance, settings.politeness.clone(), request_time);
        let pages = PageCache::new(objects.clone(), Arc::clone(&clock));
        let known = KnownPages::new(objects.clone(), Arc::clone(&clock));
        let robots = RobotsFiles::new(objects.clone(), Arc::clone(&clock), &settings.product_token);
        let shared = Shared { fetch, draw, deny, clock, settings, politeness: Arc::new(politeness), pages, known, robots, objects };
        Self { shared: Arc::new(shared) }
    }

    /// Begins a visit; nothing is asked of anybody yet.
    pub fn begin(&self, who: VisitContext) -> Visit {
        let about = About { session: who.session.to_string(), job: who.owner.clone() };
        Visit {
            evidence: self.shared.settings.evidence.then(|| Evidence::of(about)),
            shared: Arc::clone(&self.shared),
            began: self.shared.clock.monotonic(),
            who,
            held: None,
            takes: 0,
            budgets: HashMap::new(),
            unasked: HashMap::new(),
            unread: None,
            stats: VisitStats::default(),
            sites: HashMap::new(),
        }
    }
}

/// Reads pages for one job, holding at most one host at a time. Dropped without [`Visit::end`], it gives its host back as
/// well as it can: at worst the hold runs out.
#[derive(Debug)]
pub struct Visit {
    shared: Arc<Shared>,
    who: VisitContext,
    began: Duration,
    held: Option<Held>,
    /// Hosts taken so far.
    takes: u64,
    budgets: HashMap<String, SiteBudget>,
    /// Pages that nobody was asked for, and when they answered last.
    unasked: HashMap<Url, Timestamp>,
    stats: VisitStats,
    /// The page kept last and its name among the kept, if what it says is still to be told.
    unread: Option<(Url, Url)>,
    /// The sites of pages that were kept, and whether one names somebody who was removed.
    sites: HashMap<String, bool>,
    /// What went over the wire, if it is kept.
    evidence: Option<Evidence>,
}

/// What a turn on a host led to.
enum Admission {
    /// A request may be sent now.
    Go,
    /// Another job fetched the page while we waited for its host.
    Known(Box<Kept>),
}

impl Visit {
    /// Reads a page, following redirects and meta refreshes; each hop is judged like the first URL.
    ///
    /// # Errors
    /// [`VisitError`]; after [`VisitError::Wait`] the pages read so far are in the session's cache.
    pub async fn page(&mut self, url: &Url) -> Result<FetchedPage, VisitError> {
        self.read(url, Wanted::Page).await
    }

    async fn read(&mut self, url: &Url, wanted: Wanted) -> Result<FetchedPage, VisitError> {
        self.unread = None;
        let mut at = url.clone();
        at.set_fragment(None);
        let mut seen = HashSet::new();
        for _ in 0..=self.shared.settings.limits.redirects {
            if !seen.insert(at.clone()) {
                break;
            }
            match self.hop(&at, wanted).await? {
                Kept::Page(page) => return Ok(FetchedPage { requested: url.clone(), ..page }),
                Kept::Moved { mut to } => {
                    to.set_fragment(None);
                    sitemaps::stays(wanted, &at, &to)?;
                    at = to;
                }
                Kept::Gone { status } => return Err(FetchError::Gone { url: shown(&at), status }.into()),
                Kept::WrongType { content_type } => return Err(FetchError::WrongType { url: shown(&at), content_type }.into()),
            }
        }
        Err(FetchError::OverLimit { url: shown(url), limit: Limit::Redirects }.into())
    }

    /// The robots.txt of a URL's origin, fetched if it is not known.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn robots_file(&mut self, url: &Url) -> Result<RobotsFile, VisitError> {
        self.judge(url).await?;
        self.rules_of(url).await?;
        let kept = self.shared.robots.stored(&origin(url)).await?;
        kept.ok_or_else(|| ObjectsError::Failed { key: origin(url), why: "its robots.txt was not kept".to_owned() }.into())
    }

    /// What the visit cost so far.
    pub fn stats(&self) -> VisitStats {
        self.stats
    }

    /// The pages that were read without asking anybody, and when they answered last: nothing is missing because of them.
    pub fn unasked(&self) -> &HashMap<Url, Timestamp> {
        &self.unasked
    }

    /// Ends the visit: gives its host back and keeps its evidence.
    ///
    /// # Errors
    /// [`VisitError::Store`] if the host was not given back, and its hold runs out by itself; [`VisitError::Denied`] as for a page.
    pub async fn end(mut self) -> Result<(), VisitError> {
        let released = self.release().await;
        self.keep_evidence().await?;
        released
    }

    /// One URL: its answer from the session's cache, from what is kept across sessions, or from the network.
    async fn hop(&mut self, url: &Url, wanted: Wanted) -> Result<Kept, VisitError> {
        self.judge(url).await?;
        if self.who.drawn && wanted == Wanted::Page {
            return self.drawn(url).await;
        }
        if self.who.recrawl == Recrawl::KeptOnly {
            return self.kept_only(url, &sitemaps::name_of(url, wanted)).await;
        }
        self.as_sent(url, wanted).await
    }

    /// One URL as its site sends it.
    async fn as_sent(&mut self, url: &Url, wanted: Wanted) -> Result<Kept, VisitError> {
        let (looked_at, name) = (self.takes, sitemaps::name_of(url, wanted));
        if let Some(kept) = self.cached(&name).await? {
            return Ok(kept);
        }
        let known = self.shared.known.get(&name).await?;
        let drawn = self.who.drawn && wanted == Wanted::Page;
        // What is to be drawn is asked for: that it says the same does not mean that its scripts do.
        if !drawn && let Some(kept) = self.not_due(url, known.as_ref()).await? {
            return Ok(kept);
        }
        let rules = self.rules_of(url).await?;
        // The file itself was a request: the Crawl-delay it asks for counts from it on.
        self.space(url, rules.crawl_delay());
        if let RobotsVerdict::Disallowed { rule } = rules.verdict(url) {
            return Err(VisitError::RefusedByRobots { rule });
        }
        let elapsed = self.shared.clock.monotonic().saturating_sub(self.began);
        let budget = self.budgets.entry(host_key(url)).or_default();
        budget.admit(&self.shared.settings.site, url, elapsed).map_err(|stop| VisitError::OverBudget { url: shown(url), stop })?;
        if let Admission::Known(kept) = self.admit(url, rules.crawl_delay(), Some((looked_at, &name))).await? {
            return Ok(*kept);
        }
        let before = known.as_ref().filter(|_| self.spares()).and_then(Known::before);
        let answer = self.shared.fetch.fetch(url, &Ask { wanted, before: before.as_ref(), evidence: self.evidence.as_ref() }).await;
        self.after(url, rules.crawl_delay(), answer.as_ref().err()).await?;
        let unmodified = matches!(answer, Ok(Hop::NotModified { .. }));
        let kept = match answer {
            Ok(Hop::NotModified { fresh }) => self.still_stands(url, known.as_ref(), fresh)?,
            Ok(Hop::Redirect { to, .. }) => Kept::Moved { to },
            Ok(Hop::Page(page)) => {
                self.count_bytes(url, page.wire_bytes);
                // The shells of a site are all alike: what is drawn counts. So are sitemaps.
                if !drawn && wanted == Wanted::Page {
                    self.note(url, &page.text);
                }
                match meta_refresh(&page.text, url, self.shared.settings.limits.refresh()) {
                    Some(to) => Kept::Moved { to },
                    None => Kept::Page(page),
                }
            }
            Err(FetchError::Gone { status, .. }) => Kept::Gone { status },
            Err(FetchError::WrongType { content_type, .. }) => Kept::WrongType { content_type },
            Err(error) => {
                if wanted == Wanted::Sitemap {
                    self.note_failed_sitemap(&name, &error).await;
                }
                return Err(error.into());
            }
        };
        self.keep(url, &name, known.as_ref(), &kept, unmodified).await?;
        Ok(kept)
    }

    /// Denylist, then guard.
    async fn judge(&self, url: &Url) -> Result<(), VisitError> {
        if self.shared.deny.is_denied(url).await? {
            return Err(VisitError::Denied);
        }
        if url.as_str().len() > self.shared.settings.site.url_bytes {
            return Err(FetchError::OverLimit { url: shown(url), limit: Limit::Url }.into());
        }
        Ok(self.shared.settings.guard.check_url(url)?)
    }

    async fn cached(&mut self, url: &Url) -> Result<Option<Kept>, VisitError> {
        let kept = self.shared.pages.get(&self.who.session, url, self.who.fresh_after).await?;
        self.stats.cached += u32::from(kept.is_some());
        Ok(kept)
    }

    /// Takes the URL's host, if it is not held, and waits for the request's turn. `looked_at` is the number of takes when the
    /// cache was last looked at, and for which name: whoever held the host since may have fetched just this page.
    async fn admit(
        &mut self,
        url: &Url,
        crawl_delay: Option<Duration>,
        mut looked_at: Option<(u64, &Url)>,
    ) -> Result<Admission, VisitError> {
        let shared = Arc::clone(&self.shared);
        let host = host_key(url);
        self.who.progress.step();
        let addresses = shared.fetch.addresses(url).await?;
        if self.held.as_ref().is_some_and(|held| held.host() != host) {
            self.release().await?;
        }
        loop {
            if self.held.is_none() {
                let taken = shared.politeness.take(&host, &self.who.owner, self.spacing(url, crawl_delay)).await?;
                self.held = Some(taken.map_err(|until| VisitError::Wait { until, why: WaitFor::Host })?);
                self.takes += 1;
            }
            if let Some((_, name)) = looked_at.filter(|(takes, _)| *takes != self.takes) {
                looked_at = Some((self.takes, name));
                if let Some(kept) = self.cached(name).await? {
                    return Ok(Admission::Known(Box::new(kept)));
                }
            }
            self.space(url, crawl_delay);
            let Some(held) = &mut self.held else { continue };
            match shared.politeness.turn(held, &addresses, &self.who.progress).await {
                Turn::Go => {
                    self.stats.requests += 1;
                    return Ok(Admission::Go);
                }
                Turn::Spent => self.release().await?,
                Turn::TooLate(until) => {
                    self.release().await?;
                    return Err(VisitError::Wait { until, why: WaitFor::Host });
                }
            }
        }
    }

    /// Sets how far the requests to the URL's host are apart, if it is held.
    fn space(&mut self, url: &Url, crawl_delay: Option<Duration>) {
        let (host, spacing) = (host_key(url), self.spacing(url, crawl_delay));
        if let Some(held) = self.held.as_mut().filter(|held| held.host() == host) {
            held.space_by(spacing);
        }
    }

    fn spacing(&self, url: &Url, crawl_delay: Option<Duration>) -> Duration {
        let mapped = self.shared.settings.guard.mapped(url).map(MappedHost::spacing);
        self.shared.politeness.spacing(&host_key(url), crawl_delay, mapped)
    }

    /// Settles a request with its host: spacing, and what a 429 or 503 asks for.
    async fn after(&mut self, url: &Url, crawl_delay: Option<Duration>, error: Option<&FetchError>) -> Result<(), VisitError> {
        self.who.progress.step();
        let Some(held) = &mut self.held else { return Ok(()) };
        let politeness = &self.shared.politeness;
        politeness.ended(held);
        match error {
            Some(FetchError::SlowDown { retry_after, .. }) => {
                let until = politeness.slow_down(held, *retry_after).await?;
                self.space(url, crawl_delay);
                self.release().await?;
                Err(VisitError::Wait { until, why: WaitFor::RateLimit })
            }
            None | Some(FetchError::Gone { .. }) => {
                politeness.succeeded(held.host());
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    fn count_bytes(&mut self, url: &Url, wire_bytes: u64) {
        self.stats.wire_bytes = self.stats.wire_bytes.saturating_add(wire_bytes);
        self.budgets.entry(host_key(url)).or_default().spend(wire_bytes);
    }

    fn note(&mut self, url: &Url, text: &str) {
        self.budgets.entry(host_key(url)).or_default().note(url, text);
    }

    async fn release(&mut self) -> Result<(), VisitError> {
        match self.held.take() {
            Some(held) => Ok(self.shared.politeness.give_back(&held).await?),
            None => Ok(()),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let politeness = Arc::clone(&self.shared.politeness);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = politeness.give_back(&held).await {
                    tracing::debug!(site.host = %held.host(), "a host was not given back, its hold runs out: {error}");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
