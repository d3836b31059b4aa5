//! Pages that are drawn by a browser. The page itself comes as any other does, past robots.txt, hold and limits; drawing it is
//! another turn on its host, since its scripts ask that host for more. What comes out is kept beside the page as it was sent.

use super::{Recrawl, Visit, VisitError, Visitor};
use crate::domain::outcome::WaitFor;
use crate::objects::ObjectsError;
use crate::scrape::draw::{DrawCounts, DrawError, Drawn};
use crate::scrape::known::Need;
use crate::scrape::page_cache::Kept;
use crate::scrape::{FetchedPage, Wanted};
use std::time::Duration;
use url::Url;

/// How long a job waits for its turn when every browser is busy.
const TURN_WAIT: Duration = Duration::from_secs(2);

/// Under which name a drawn page is kept: pages as they were sent have no fragment.
pub(super) fn name_of(url: &Url) -> Url {
    let mut name = url.clone();
    name.set_fragment(Some("drawn"));
    name
}

impl Visitor {
    /// Whether the pages of a URL's site have to be drawn, as far as is remembered.
    ///
    /// # Errors
    /// The object store failed.
    pub async fn needs_browser(&self, url: &Url) -> Result<bool, ObjectsError> {
        self.shared.known.needs(url, Need::Browser, self.shared.settings.need_memory).await
    }

    /// Remembers that the pages of a URL's site have to be drawn.
    ///
    /// # Errors
    /// The object store failed; the next reading finds out anew.
    pub async fn note_browser(&self, url: &Url) -> Result<(), ObjectsError> {
        self.shared.known.note_need(url, Need::Browser).await
    }

    /// What browsers did so far.
    pub fn draw_counts(&self) -> DrawCounts {
        self.shared.draw.counts()
    }

    /// Ends what does not end by itself: browsers.
    pub async fn close(&self) {
        self.shared.draw.close().await;
    }
}

impl Visit {
    /// One URL as a browser draws it; whatever is no page is as it was sent.
    pub(super) async fn drawn(&mut self, url: &Url) -> Result<Kept, VisitError> {
        let name = name_of(url);
        if self.who.recrawl == Recrawl::KeptOnly {
            return self.kept_only(url, &name).await;
        }
        if let Some(kept) = self.cached(&name).await? {
            return Ok(kept);
        }
        let known = self.shared.known.get(&name).await?;
        if let Some(kept) = self.not_due(url, known.as_ref()).await? {
            return Ok(kept);
        }
        let kept = match self.as_sent(url, Wanted::Page).await? {
            Kept::Page(page) => self.draw(url, page).await?,
            other => return Ok(other),
        };
        self.keep(url, &name, known.as_ref(), &kept, false).await?;
        Ok(kept)
    }

    async fn draw(&mut self, url: &Url, page: FetchedPage) -> Result<Kept, VisitError> {
        let crawl_delay = self.rules_of(url).await?.crawl_delay();
        self.admit(url, crawl_delay, None).await?;
        let drawn = self.shared.draw.draw(&page).await;
        self.after(url, crawl_delay, None).await?;
        match drawn {
            Ok(Drawn::Page { text, wire_bytes }) => {
                self.stats.drawn += 1;
                self.count_bytes(url, wire_bytes);
                self.note(url, &text);
                Ok(Kept::Page(FetchedPage { text, wire_bytes, validators: Default::default(), ..page }))
            }
            Ok(Drawn::Moved { to }) => Ok(Kept::Moved { to }),
            Err(DrawError::Busy) => {
                self.release().await?;
                Err(VisitError::Wait { until: self.shared.clock.now().plus(TURN_WAIT), why: WaitFor::Browser })
            }
            Err(DrawError::NoBrowser { why, may_come }) => Err(VisitError::NoBrowser { why, may_come }),
            Err(DrawError::Page(error)) => Err(error.into()),
        }
    }
}
