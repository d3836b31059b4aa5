//! Reads one site for a person who asks, outside of any session: the same visit, reader and rules as a job's.

use crate::domain::clock::Clock;
use crate::domain::ids::SessionId;
use crate::domain::progress::Progress;
use crate::extract::{PageFindings, SiteFacts, SiteLimits, SiteReader, Sitemap, Styles};
use crate::jobs::drive::{Pages, drive};
use crate::jobs::reading::PageReader;
use crate::jobs::site_visit::{PageStop, read_fetched, read_sitemap};
use crate::scrape::robots::RobotsFile;
use crate::scrape::visit::{Recrawl, Visit, VisitContext, VisitError, Visitor};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Whose pages are kept under what name; the folder they lie in is thrown away.
const SESSION: &str = "single-visit";

/// What a single visit works with.
#[derive(Debug)]
pub struct SingleVisit {
    /// Polite fetching.
    pub visitor: Visitor,
    /// Parsing.
    pub reader: PageReader,
    /// Style vocabulary.
    pub styles: Arc<Styles>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How much of the site is read.
    pub site: SiteLimits,
    /// Whether a page's wish not to be used is obeyed: always, except for a folder of this machine.
    pub obeys_noindex: bool,
    /// Whether a browser draws pages that say nothing without one.
    pub draws: bool,
    /// How long to wait for the site in all before giving up.
    pub patience: Duration,
}

/// Why a site was not read.
#[derive(Debug, thiserror::Error)]
#[error("{url} cannot be read: {stop}")]
pub struct NotRead {
    /// The page without which nothing can be said.
    pub url: String,
    /// Why.
    pub stop: PageStop,
}

/// A site as far as it could be read.
#[derive(Debug)]
pub struct Reading {
    /// What it says.
    pub facts: SiteFacts,
    /// Why it was not drawn, though it says little without: then the facts are those of its pages as they were sent.
    pub undrawn: Option<NotRead>,
}

impl SingleVisit {
    /// The robots.txt of a URL's origin, fetched if it is not known.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn robots_file(&self, url: &Url) -> Result<RobotsFile, NotRead> {
        let mut pages = self.pages(false);
        let file = loop {
            match pages.visit.robots_file(url).await {
                Ok(file) => break Ok(file),
                Err(stop) => {
                    if let Err(stop) = pages.wait(stop).await {
                        break Err(stop);
                    }
                }
            }
        };
        super::site_visit::end(pages.visit).await;
        file.map_err(|stop| NotRead { url: crate::scrape::guard::shown(url), stop })
    }

    fn pages(&self, drawn: bool) -> OwnPages<'_> {
        let who = VisitContext {
            session: SessionId::new(SESSION),
            owner: SESSION.to_owned(),
            fresh_after: None,
            recrawl: Recrawl::All,
            drawn,
            progress: Progress::default(),
        };
        OwnPages { of: self, visit: self.visitor.begin(who), until: self.clock.monotonic() + self.patience }
    }

    /// Reads the site that begins at `entry`, drawn by a browser if nothing comes out of it without one, and weighs what it says.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn read(&self, entry: &Url) -> Result<SiteFacts, NotRead> {
        let reading = self.read_as_far(entry).await?;
        reading.undrawn.map_or(Ok(reading.facts), Err)
    }

    /// As [`SingleVisit::read`], but a site that a browser should draw and did not is read as it was sent.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn read_as_far(&self, entry: &Url) -> Result<Reading, NotRead> {
        let plain = self.read_as(entry, false).await?;
        if !self.draws || !plain.wants_browser(&self.styles) {
            return Ok(Reading { facts: plain.finish(&self.styles), undrawn: None });
        }
        let drawn = self.read_as(entry, true).await;
        self.visitor.close().await;
        let (reader, undrawn) = match drawn {
            Ok(drawn) => (drawn, None),
            Err(why) => (plain, Some(why)),
        };
        Ok(Reading { facts: reader.finish(&self.styles), undrawn })
    }

    async fn read_as(&self, entry: &Url, drawn: bool) -> Result<SiteReader, NotRead> {
        let mut pages = self.pages(drawn);
        let mut reader = SiteReader::new(entry.clone(), self.site);
        let done = drive(&mut reader, entry, &self.styles, &mut pages).await;
        super::site_visit::end(pages.visit).await;
        done.map_err(|(url, stop)| NotRead { url: crate::scrape::guard::shown(&url), stop })?;
        Ok(reader)
    }
}

/// A job that has to wait is queued again; a person who waits at the terminal is not.
struct OwnPages<'a> {
    of: &'a SingleVisit,
    visit: Visit,
    until: Duration,
}

impl OwnPages<'_> {
    /// Waits for what a visit has to wait for, so that it can be asked again.
    ///
    /// # Errors
    /// It is no wait, or one beyond the patience.
    async fn wait(&self, stop: VisitError) -> Result<(), PageStop> {
        let VisitError::Wait { until, .. } = &stop else { return Err(PageStop::Visit(stop)) };
        let pause = until.since(self.of.clock.now());
        if self.of.clock.monotonic() + pause > self.until {
            return Err(PageStop::Visit(stop));
        }
        tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
        Ok(())
    }
}

#[async_trait]
impl Pages for OwnPages<'_> {
    async fn page(&mut self, url: &Url) -> Result<PageFindings, PageStop> {
        loop {
            match self.visit.page(url).await {
                Ok(page) => {
                    let (findings, refuses) = read_fetched(&self.of.reader, page, false).await?;
                    return if refuses && self.of.obeys_noindex { Err(PageStop::NoIndex) } else { Ok(findings) };
                }
                Err(stop) => self.wait(stop).await?,
            }
        }
    }

    async fn sitemaps(&mut self, page: &Url) -> Result<Vec<Url>, PageStop> {
        self.visit.sitemaps(page).await.map_err(PageStop::Visit)
    }

    async fn sitemap(&mut self, url: &Url) -> Result<Sitemap, PageStop> {
        loop {
            match self.visit.sitemap(url).await {
                Ok(page) => return read_sitemap(&self.of.reader, page).await,
                Err(stop) => self.wait(stop).await?,
            }
        }
    }

    async fn needs_sitemap(&mut self, _: &Url) -> Result<bool, PageStop> {
        Ok(false)
    }

    /// What is read for a person is thrown away.
    async fn note_sitemaps(&mut self, _: &Url, _: &[Url]) -> Result<(), PageStop> {
        Ok(())
    }
}
