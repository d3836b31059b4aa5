//! Sitemaps: judged, spaced, kept and asked for anew like pages, under names of their own, and never drawn.

use super::{Visit, VisitError, Visitor};
use crate::objects::ObjectsError;
use crate::scrape::guard::shown;
use crate::scrape::known::{Need, site_of};
use crate::scrape::page_cache::Kept;
use crate::scrape::{FetchError, FetchedPage, Wanted};
use std::borrow::Cow;
use url::Url;

/// Under which name an answer is kept: what is asked for as a sitemap is another answer than the page at the same address.
pub(super) fn name_of(url: &Url, wanted: Wanted) -> Cow<'_, Url> {
    match wanted {
        Wanted::Page => Cow::Borrowed(url),
        Wanted::Sitemap => {
            let mut name = url.clone();
            name.set_fragment(Some("sitemap"));
            Cow::Owned(name)
        }
    }
}

/// Whether a redirect is followed: one of a sitemap must stay on its host, with whose pages its copy is forgotten.
pub(super) fn stays(wanted: Wanted, from: &Url, to: &Url) -> Result<(), FetchError> {
    if wanted == Wanted::Page || site_of(from) == site_of(to) {
        return Ok(());
    }
    Err(FetchError::BadResponse { url: shown(from), why: "the sitemap leads to another host".to_owned() })
}

impl Visitor {
    /// Whether a site's links led to nobody and its sitemap to somebody, as far as is remembered.
    ///
    /// # Errors
    /// The object store failed.
    pub async fn needs_sitemap(&self, url: &Url) -> Result<bool, ObjectsError> {
        self.shared.known.needs(url, Need::Sitemap, self.shared.settings.need_memory).await
    }

    /// Remembers that a site's links lead to nobody and its sitemap to somebody: from now on its sitemaps are due every day.
    ///
    /// # Errors
    /// The object store failed; the next reading finds out anew.
    pub async fn note_sitemaps(&self, url: &Url, sitemaps: &[Url]) -> Result<(), VisitError> {
        self.shared.known.note_need(url, Need::Sitemap).await?;
        for sitemap in sitemaps {
            self.shared.known.lists(&name_of(sitemap, Wanted::Sitemap)).await?;
        }
        // Rule 15: as for a page that lists people.
        let site = site_of(url);
        if self.shared.deny.names_removed(&site).await? {
            self.shared.known.forget_site(&site).await?;
        }
        Ok(())
    }
}

impl Visit {
    /// The sitemaps that the robots.txt of a page's host names of itself, as far as it is known: nobody is asked for it.
    ///
    /// # Errors
    /// [`VisitError::Objects`].
    pub async fn sitemaps(&self, page: &Url) -> Result<Vec<Url>, VisitError> {
        let rules = self.rules_as_known(page).await?;
        let named = rules.map(|rules| rules.sitemaps().to_vec()).unwrap_or_default();
        Ok(named.into_iter().filter(|sitemap| site_of(sitemap) == site_of(page)).collect())
    }

    /// Reads a sitemap.
    ///
    /// # Errors
    /// As for a page; [`FetchError::BadResponse`] if it leads to another host.
    pub async fn sitemap(&mut self, url: &Url) -> Result<FetchedPage, VisitError> {
        self.read(url, Wanted::Sitemap).await
    }

    /// Takes note that a sitemap failed: the next job of the session does not ask for it again, since it can do without.
    pub(super) async fn note_failed_sitemap(&self, name: &Url, error: &FetchError) {
        let kept = Kept::WrongType { content_type: format!("a sitemap that was not read ({})", error.code()) };
        if let Err(error) = self.shared.pages.put(&self.who.session, name, &kept).await {
            tracing::debug!(session.id = %self.who.session, "a failed sitemap was not noted, the next job asks again: {error}");
        }
    }
}
