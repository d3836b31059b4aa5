//! Reads one site politely: a [`SiteReader`] says which page is next, a [`Visit`] fetches it, the [`PageReader`] reads it.

use crate::domain::clock::Timestamp;
use crate::domain::job::{Attempt, JobKind, Usage};
use crate::domain::ledger::is_suspect;
use crate::domain::outcome::{Cancelled, Category, Done, Failure, Outcome, WaitFor};
use crate::domain::session::Trigger;
use crate::extract::{Miss, PageFindings, SiteReader, Sitemap, SitemapError};
use crate::jobs::drive::{Pages, drive};
use crate::jobs::reading::PageReader;
use crate::jobs::{Ports, Running, store_outcome, wait_for_dependency};
use crate::scrape::robots::PRODUCT_TOKEN;
use crate::scrape::signals::headers_refuse;
use crate::scrape::visit::{Recrawl, Visit, VisitContext, VisitError};
use crate::scrape::{FetchError, FetchedPage};
use async_trait::async_trait;
use std::collections::HashMap;
use url::Url;

/// A site as read.
#[derive(Debug)]
pub struct SiteRead {
    /// The reader, fed with every page.
    pub reader: SiteReader,
    /// What it used.
    pub usage: Usage,
    /// Pages that nobody was asked for, as they are not due, and when they answered last.
    pub unasked: HashMap<Url, Timestamp>,
    /// Whether a browser drew its pages.
    pub drawn: bool,
}

impl SiteRead {
    /// The pages that answered: what is missing on others is not missed (rule 11).
    pub fn answered(&self) -> Vec<Url> {
        self.reader.answered().filter(|page| !self.unasked.contains_key(page)).cloned().collect()
    }

    /// Whether every page that lists people was asked for: else nobody is missing from the list (rule 11).
    pub fn lists_were_asked(&self) -> bool {
        self.reader.list_pages().all(|page| !self.unasked.contains_key(page))
    }
}

/// Why a site was not read: the job's outcome, and what it used so far.
pub type Unread = (Outcome, Usage);

/// Begins a visit on behalf of a running job; its pages are `drawn` by a browser or taken as they come.
pub async fn begin(ports: &Ports, running: &Running, drawn: bool) -> Visit {
    let fresh_after = (running.job.generation > 1).then_some(running.job.created_at.max(running.job.line_at));
    let session = running.job.new.session_id.clone();
    let replays = running.job.kind() == JobKind::ReplayArtist;
    // Should the store be out, the job meets that by itself.
    let spares = ports.store.session(&session).await.is_ok_and(|row| row.is_none_or(|row| row.trigger != Trigger::Fresh));
    let context = VisitContext {
        session,
        owner: running.job.new.id.to_string(),
        fresh_after,
        recrawl: match (replays, spares) {
            (true, _) => Recrawl::KeptOnly,
            (false, true) => Recrawl::Due,
            (false, false) => Recrawl::All,
        },
        drawn,
        progress: running.progress.clone(),
    };
    ports.visitor.begin(context)
}

/// Reads the site that begins at `entry`: as it comes, and drawn by a browser if nothing comes out of it without one. That it
/// needs one is remembered for a while.
///
/// # Errors
/// The outcome of a job that cannot go on: the entry is refused, gone or broken, or something has to be waited for.
/// Pages fetched so far are in the session's cache, so that nothing is fetched twice.
pub async fn read_site(ports: &Ports, running: &Running, entry: &Url) -> Result<SiteRead, Unread> {
    let out = |_| (wait_for_dependency(ports), Usage::default());
    if ports.visitor.needs_browser(entry).await.map_err(out)? {
        return read_as(ports, running, entry, true).await;
    }
    let site = read_as(ports, running, entry, false).await?;
    // A replay asks nobody, so nobody drew what it reads.
    if running.job.kind() == JobKind::ReplayArtist || !site.reader.wants_browser(&ports.styles) {
        return Ok(site);
    }
    let drawn = read_as(ports, running, entry, true).await;
    let drawn = drawn.map_err(|(outcome, usage)| (outcome, usage + site.usage))?;
    if let Err(error) = ports.visitor.note_browser(entry).await {
        tracing::debug!(job.id = %running.job.id(), %error, "that a site needs a browser was not noted, the next reading finds out anew");
    }
    Ok(SiteRead { usage: drawn.usage + site.usage, ..drawn })
}

async fn read_as(ports: &Ports, running: &Running, entry: &Url, drawn: bool) -> Result<SiteRead, Unread> {
    let mut pages = JobPages { ports, running, visit: begin(ports, running, drawn).await };
    let mut reader = SiteReader::new(entry.clone(), ports.settings.site);
    let stopped = drive(&mut reader, entry, &ports.styles, &mut pages).await;
    let (usage, unasked) = (usage_of(&pages.visit), pages.visit.unasked().clone());
    end(pages.visit).await;
    match stopped {
        Err((url, PageStop::Visit(VisitError::NoBrowser { why, may_come }))) => {
            Err((without_browser(ports, running, &url, &why, may_come).await, usage))
        }
        Err((url, stop)) => Err((stop.outcome(ports, &url), usage)),
        Ok(()) => Ok(SiteRead { reader, usage, unasked, drawn }),
    }
}

/// How often a job that needs a browser looks for one while it waits.
const BROWSER_LOOKS: u32 = 20;

/// A job whose site needs a browser waits for one, uncounted, so that installing it is all there is to do; but a session is not
/// held open for it: after a while the job is a dead letter that says so.
async fn without_browser(ports: &Ports, running: &Running, url: &Url, why: &str, may_come: bool) -> Outcome {
    let attempts = match ports.store.attempts(running.job.id()).await {
        Ok(attempts) => attempts,
        Err(error) => return store_outcome(ports, &error, "draw"),
    };
    let waited = |attempt: &Attempt| matches!(attempt.outcome, Some(Outcome::Wait { why: WaitFor::NeedsBrowser, .. }));
    let of_this = attempts.iter().filter(|attempt| attempt.generation == running.job.generation && waited(attempt));
    let (now, patience) = (ports.clock.now(), ports.settings.browser_wait);
    let began = of_this.filter_map(|attempt| attempt.ended_at).min().unwrap_or(now);
    if may_come && now.since(began) < patience {
        return Outcome::Wait { until: now.plus(patience / BROWSER_LOOKS), why: WaitFor::NeedsBrowser };
    }
    Outcome::Dead { reason: needs_browser(url, why) }
}

fn needs_browser(url: &Url, why: &str) -> Failure {
    Failure::new(Category::Config, "needs_browser", "draw", format!("{url} is drawn by a script and needs a browser: {why}"))
}

/// The pages of a running job.
struct JobPages<'a> {
    ports: &'a Ports,
    running: &'a Running,
    visit: Visit,
}

#[async_trait]
impl Pages for JobPages<'_> {
    async fn page(&mut self, url: &Url) -> Result<PageFindings, PageStop> {
        let findings = one_page(self.ports, self.running, &mut self.visit, url).await;
        self.running.progress.step();
        findings
    }

    async fn sitemaps(&mut self, page: &Url) -> Result<Vec<Url>, PageStop> {
        self.visit.sitemaps(page).await.map_err(PageStop::Visit)
    }

    async fn sitemap(&mut self, url: &Url) -> Result<Sitemap, PageStop> {
        let fetched = self.visit.sitemap(url).await.map_err(PageStop::Visit)?;
        let sitemap = read_sitemap(&self.ports.reader, fetched).await?;
        self.visit.page_says(&sitemap.signature()).await.map_err(PageStop::Visit)?;
        self.running.progress.step();
        Ok(sitemap)
    }

    async fn needs_sitemap(&mut self, entry: &Url) -> Result<bool, PageStop> {
        self.ports.visitor.needs_sitemap(entry).await.map_err(|error| PageStop::Visit(error.into()))
    }

    async fn note_sitemaps(&mut self, entry: &Url, sitemaps: &[Url]) -> Result<(), PageStop> {
        // A replay learns nothing new about the site.
        if self.running.job.kind() == JobKind::ReplayArtist {
            return Ok(());
        }
        self.ports.visitor.note_sitemaps(entry, sitemaps).await.map_err(PageStop::Visit)
    }
}

pub(crate) fn usage_of(visit: &Visit) -> Usage {
    let stats = visit.stats();
    Usage {
        requests: u64::from(stats.requests),
        wire_bytes: stats.wire_bytes,
        cached_pages: u64::from(stats.cached),
        unmodified_pages: u64::from(stats.unmodified),
        not_due_pages: u64::from(stats.not_due),
        drawn_pages: u64::from(stats.drawn),
    }
}

pub(crate) async fn end(visit: Visit) {
    if let Err(error) = visit.end().await {
        tracing::debug!(%error, "a host was not given back, its hold runs out by itself");
    }
}

/// Why one page was not read.
#[derive(Debug, thiserror::Error)]
pub enum PageStop {
    /// While fetching.
    #[error(transparent)]
    Visit(VisitError),
    /// While parsing.
    #[error(transparent)]
    Read(super::reading::ReadError),
    /// The page asks not to be used.
    #[error("the page asks not to be used (noindex)")]
    NoIndex,
    /// While reading a sitemap.
    #[error(transparent)]
    Sitemap(SitemapError),
}

impl PageStop {
    /// How a reader of a whole site takes it, if the rest of the site can do without the page.
    pub(crate) fn as_miss(&self, is_entry: bool) -> Option<Miss> {
        if is_entry {
            return None;
        }
        match self {
            // The page of somebody who was removed is not the rest of the site's business.
            Self::Visit(VisitError::RefusedByRobots { .. } | VisitError::Denied) | Self::NoIndex => Some(Miss::Forbidden),
            Self::Visit(VisitError::Fetch(FetchError::Gone { .. })) => Some(Miss::Gone),
            Self::Visit(VisitError::Fetch(_) | VisitError::OverBudget { .. } | VisitError::NotKept { .. }) => Some(Miss::Failed),
            // Only a page over the budget is a property of the page; a death or a panic is met again and counted.
            Self::Read(super::reading::ReadError::Stopped(_)) | Self::Sitemap(_) => Some(Miss::Failed),
            Self::Visit(_) | Self::Read(_) => None,
        }
    }

    /// The outcome of a job that cannot do without the page.
    pub(crate) fn outcome(&self, ports: &Ports, url: &Url) -> Outcome {
        match self {
            Self::NoIndex => Outcome::Done { how: Done::RefusedByRobots },
            Self::Read(error) => error.outcome(url),
            Self::Sitemap(error) => {
                Outcome::Dead { reason: Failure::new(Category::Data, "no_sitemap", "parse", format!("{url}: {error}")) }
            }
            Self::Visit(VisitError::RefusedByRobots { .. }) => Outcome::Done { how: Done::RefusedByRobots },
            Self::Visit(VisitError::Denied) => Outcome::Cancelled { why: Cancelled::Removed },
            Self::Visit(VisitError::Wait { until, why }) => Outcome::Wait { until: (*until).max(Timestamp(0)), why: *why },
            Self::Visit(VisitError::Fetch(error)) => fetch_outcome(error),
            Self::Visit(VisitError::NoBrowser { why, .. }) => Outcome::Dead { reason: needs_browser(url, why) },
            Self::Visit(error @ VisitError::NotKept { .. }) => {
                Outcome::Dead { reason: Failure::new(Category::Data, "not_kept", "read", error.to_string()) }
            }
            Self::Visit(error @ VisitError::OverBudget { .. }) => {
                Outcome::Dead { reason: Failure::new(Category::Data, "site_over_budget", "fetch", error.to_string()) }
            }
            Self::Visit(VisitError::Objects(_)) => wait_for_dependency(ports),
            Self::Visit(VisitError::Store(error)) => store_outcome(ports, error, "fetch"),
        }
    }
}

fn fetch_outcome(error: &FetchError) -> Outcome {
    let failure = |category| Failure::new(category, error.code(), "fetch", error.to_string());
    match error {
        FetchError::Gone { .. } => Outcome::Done { how: Done::Gone },
        FetchError::SlowDown { retry_after, .. } => Outcome::Retry { after: *retry_after, reason: failure(Category::Transient) },
        _ => match error.category() {
            Category::Transient => Outcome::Retry { after: None, reason: failure(Category::Transient) },
            category => Outcome::Dead { reason: failure(category) },
        },
    }
}

pub(crate) async fn one_page(ports: &Ports, running: &Running, visit: &mut Visit, url: &Url) -> Result<PageFindings, PageStop> {
    let page = visit.page(url).await.map_err(PageStop::Visit)?;
    running.progress.step();
    let (mut findings, refuses) = read_fetched(&ports.reader, page, is_suspect(&running.job)).await?;
    visit.page_says(&findings.signature()).await.map_err(PageStop::Visit)?;
    leave_links_alone(&mut findings);
    if refuses { Err(PageStop::NoIndex) } else { Ok(findings) }
}

/// Links that are not to be followed lead nobody to the pages of the people named beside them either.
fn leave_links_alone(findings: &mut PageFindings) {
    let PageFindings { url, nofollow, links, cards, .. } = findings;
    let asked = |target: &Url| {
        let mut plain = target.clone();
        plain.set_fragment(None);
        plain != *url && (*nofollow || links.iter().any(|link| link.nofollow && link.url == plain))
    };
    for card in cards {
        card.own_site.take_if(|target| asked(target));
        card.page.take_if(|target| asked(target));
    }
}

/// Reads a fetched page. Answers what it says, and whether it asks not to be used.
///
/// # Errors
/// [`PageStop::Read`].
pub async fn read_fetched(reader: &PageReader, page: FetchedPage, suspect: bool) -> Result<(PageFindings, bool), PageStop> {
    let signals = headers_refuse(&page, PRODUCT_TOKEN);
    let mut findings = reader.read(&page.url, page.text, suspect).await.map_err(PageStop::Read)?;
    findings.nofollow |= signals.nofollow;
    let refuses = findings.noindex || signals.refuses_record();
    Ok((findings, refuses))
}

/// Reads a fetched sitemap. Many are sent with `noindex`, which is about the file itself and not about the pages it names.
///
/// # Errors
/// [`PageStop::Read`] or [`PageStop::Sitemap`]; [`PageStop::NoIndex`] if it asks that nobody goes on from it.
pub async fn read_sitemap(reader: &PageReader, page: FetchedPage) -> Result<Sitemap, PageStop> {
    if headers_refuse(&page, PRODUCT_TOKEN).nofollow {
        return Err(PageStop::NoIndex);
    }
    reader.read_sitemap(&page.url, page.text).await.map_err(PageStop::Read)?.map_err(PageStop::Sitemap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Card, ParseLimits, SiteLimits, Styles};
    use crate::jobs::reading::ChildSettings;
    use crate::scrape::Validators;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    const TEAM: &str = "<!doctype html><title>Team</title><h1>Artists</h1><a href=/ana>Ana</a> <a href=/bea rel=nofollow>Bea</a>";

    fn url(path: &str) -> Url {
        Url::parse("https://studio.example/").unwrap().join(path).unwrap()
    }

    fn reader() -> PageReader {
        let child = ChildSettings { program: PathBuf::new(), time: Duration::ZERO, memory_mb: 0 };
        let limits = ParseLimits { time_ms: 60_000, ..ParseLimits::default() };
        PageReader::new(Arc::new(Styles::standard()), limits, 1, child)
    }

    fn fetched(text: &str, robots_tags: &[&str], tdm_reserved: bool) -> FetchedPage {
        FetchedPage {
            requested: url("/"),
            url: url("/"),
            status: 200,
            text: text.to_owned(),
            robots_tags: robots_tags.iter().map(|tag| (*tag).to_owned()).collect(),
            tdm_reserved,
            validators: Validators::default(),
            wire_bytes: 0,
        }
    }

    async fn read(text: &str, robots_tags: &[&str], tdm_reserved: bool) -> (PageFindings, bool) {
        read_fetched(&reader(), fetched(text, robots_tags, tdm_reserved), false).await.unwrap()
    }

    /// What `/bot` promises of single pages.
    #[tokio::test]
    async fn a_page_is_obeyed_by_header_and_by_meta() {
        let tdm = TEAM.replace("<title>", "<meta name=tdm-reservation content=1><title>");
        let cases: [(&str, &[&str], bool, bool, bool); 6] = [
            (TEAM, &["index"], false, false, false),
            (TEAM, &["noindex"], false, true, false),
            (TEAM, &["otherbot: noindex, nofollow"], false, false, false),
            (TEAM, &["inkdex: nofollow"], false, false, true),
            (TEAM, &[], true, true, false),
            (&tdm, &[], false, true, false),
        ];
        for (text, tags, tdm_reserved, refused, nofollow) in cases {
            let (findings, refuses) = read(text, tags, tdm_reserved).await;
            assert_eq!((refuses, findings.nofollow), (refused, nofollow), "{tags:?} {tdm_reserved} {text}");
        }
    }

    #[tokio::test]
    async fn links_are_left_alone_where_header_or_link_say_so() {
        let cases: [(&[&str], Option<Url>, &[&str]); 2] = [(&[], Some(url("/ana")), &["/ana"]), (&["nofollow"], None, &[])];
        for (tags, next, kept) in cases {
            let (mut findings, _) = read(TEAM, tags, false).await;
            findings.cards = ["/", "/ana", "/bea"]
                .iter()
                .map(|page| Card { page: Some(url(page)), own_site: Some(url(page)), ..Card::default() })
                .collect();
            leave_links_alone(&mut findings);
            let left =
                |target: fn(&Card) -> &Option<Url>| -> Vec<Url> { findings.cards.iter().filter_map(|card| target(card).clone()).collect() };
            let expected: Vec<Url> = ["/"].iter().chain(kept).map(|page| url(page)).collect();
            assert_eq!(left(|card| &card.page), expected, "the page itself is no link");
            assert_eq!(left(|card| &card.own_site), expected);
            let mut reader = SiteReader::new(url("/"), SiteLimits::default());
            assert_eq!(reader.next_page(), Some(url("/")));
            reader.page_read(&url("/"), findings);
            assert_eq!(reader.next_page(), next, "{tags:?}");
            assert_eq!(reader.next_page(), None);
        }
    }

    #[tokio::test]
    async fn a_sitemap_is_obeyed_too() {
        for (tag, read) in [("noindex, follow", true), ("noindex, nofollow", false)] {
            let page = fetched("<urlset><url><loc>/team</loc></url></urlset>", &[tag], false);
            assert_eq!(read_sitemap(&reader(), page).await.is_ok(), read, "{tag}");
        }
    }

    /// Rule 15: a member's page that is denied is left out of the studio's site; a site that is denied itself is not read.
    #[test]
    fn a_denied_page_costs_its_site_nothing_but_the_page() {
        let denied = PageStop::Visit(VisitError::Denied);
        assert_eq!(denied.as_miss(false), Some(Miss::Forbidden));
        assert_eq!(denied.as_miss(true), None);
    }
}
