//! Reads one site for a person who asks, outside of any session: the same visit, reader and rules as a job's.

use crate::domain::clock::Clock;
use crate::domain::ids::SessionId;
use crate::domain::progress::Progress;
use crate::extract::{PageFindings, SiteFacts, SiteLimits, SiteReader, Styles};
use crate::jobs::reading::PageReader;
use crate::jobs::site_visit::{PageStop, Pages, drive, read_fetched};
use crate::scrape::visit::{Visit, VisitContext, VisitError, Visitor};
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

impl SingleVisit {
    /// Reads the site that begins at `entry` and weighs what it says.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn read(&self, entry: &Url) -> Result<SiteFacts, NotRead> {
        let who =
            VisitContext { session: SessionId::new(SESSION), owner: SESSION.to_owned(), fresh_after: None, progress: Progress::default() };
        let mut pages = OwnPages { of: self, visit: self.visitor.begin(who), until: self.clock.monotonic() + self.patience };
        let mut reader = SiteReader::new(entry.clone(), self.site);
        let done = drive(&mut reader, entry, &mut pages).await;
        super::site_visit::end(pages.visit).await;
        done.map_err(|(url, stop)| NotRead { url: crate::scrape::guard::shown(&url), stop })?;
        Ok(reader.finish(&self.styles))
    }
}

/// A job that has to wait is queued again; a person who waits at the terminal is not.
struct OwnPages<'a> {
    of: &'a SingleVisit,
    visit: Visit,
    until: Duration,
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
                Err(VisitError::Wait { until, why }) => {
                    let pause = until.since(self.of.clock.now());
                    if self.of.clock.monotonic() + pause > self.until {
                        return Err(PageStop::Visit(VisitError::Wait { until, why }));
                    }
                    tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
                }
                Err(error) => return Err(PageStop::Visit(error)),
            }
        }
    }
}
