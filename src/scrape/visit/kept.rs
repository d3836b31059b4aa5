//! What a visit makes of pages that earlier sessions kept, what it keeps for later ones, and how that is forgotten.

use super::drawn;
use super::{Recrawl, Shared, Visit, VisitError, Visitor};
use crate::domain::ids::SessionId;
use crate::objects::ObjectsError;
use crate::scrape::evidence::{self, Evidence};
use crate::scrape::guard::shown;
use crate::scrape::known::{Known, site_of};
use crate::scrape::page_cache::Kept;
use crate::scrape::{FetchError, FetchedPage, NotModified};
use url::Url;

impl Visitor {
    /// Deletes the copy of a page that a session kept: on removal.
    ///
    /// # Errors
    /// The object store failed; repeat.
    pub async fn forget(&self, session: &SessionId, url: &Url) -> Result<(), ObjectsError> {
        self.shared.pages.forget(session, &drawn::name_of(url)).await?;
        self.shared.pages.forget(session, url).await
    }

    /// Deletes everything that is kept of a site across sessions (see [`crate::scrape::known::site_of`]), evidence included: on
    /// removal.
    ///
    /// # Errors
    /// The object store failed; repeat.
    pub async fn forget_site(&self, site: &str) -> Result<(), ObjectsError> {
        self.shared.known.forget_site(site).await?;
        evidence::forget_site(&self.shared.objects, site).await
    }

    /// Notes that a page lists people who come and go: it is due every day.
    ///
    /// # Errors
    /// The store or the object store failed; the page may be read a few days late.
    pub async fn lists(&self, page: &Url) -> Result<(), VisitError> {
        self.shared.known.lists(&drawn::name_of(page)).await?;
        self.shared.known.lists(page).await?;
        // Rule 15: the note is written into the copy, which a removal may just have deleted.
        let site = site_of(page);
        if self.shared.deny.names_removed(&site).await? {
            self.shared.known.forget_site(&site).await?;
        }
        Ok(())
    }
}

impl Visit {
    /// Whether pages that earlier sessions kept are spared. A job that was requeued uses only pages fetched since (rule 14).
    pub(super) fn spares(&self) -> bool {
        self.who.recrawl == Recrawl::Due && self.shared.settings.recrawl && self.who.fresh_after.is_none()
    }

    /// A page that is not due, if it may be read without asking.
    pub(super) async fn not_due(&mut self, url: &Url, known: Option<&Known>) -> Result<Option<Kept>, VisitError> {
        let now = self.shared.clock.now();
        let Some(known) = known.filter(|known| self.spares() && !known.is_due(now)) else { return Ok(None) };
        if !self.allowed_as_known(url).await? {
            return Ok(None);
        }
        self.stats.not_due += 1;
        Ok(Some(self.unasked_for(url, known.clone())))
    }

    /// A URL as it was kept last under a name, however long ago.
    pub(super) async fn kept_only(&mut self, url: &Url, name: &Url) -> Result<Kept, VisitError> {
        let known = self.shared.known.get(name).await?.ok_or_else(|| VisitError::NotKept { url: shown(url) })?;
        Ok(self.unasked_for(url, known))
    }

    fn unasked_for(&mut self, url: &Url, known: Known) -> Kept {
        self.unasked.insert(url.clone(), known.checked_at);
        known.kept
    }

    /// The kept page, as a 304 leaves it.
    pub(super) fn still_stands(&mut self, url: &Url, known: Option<&Known>, fresh: NotModified) -> Result<Kept, VisitError> {
        let Some(Kept::Page(page)) = known.map(|known| &known.kept) else {
            return Err(FetchError::BadResponse { url: shown(url), why: "304, but no copy is kept".to_owned() }.into());
        };
        self.stats.unmodified += 1;
        let NotModified { validators, robots_tags, tdm_reserved } = fresh;
        Ok(Kept::Page(FetchedPage {
            validators: if validators.is_empty() { page.validators.clone() } else { validators },
            robots_tags: if robots_tags.is_empty() { page.robots_tags.clone() } else { robots_tags },
            tdm_reserved: page.tdm_reserved || tdm_reserved,
            wire_bytes: 0,
            ..page.clone()
        }))
    }

    /// Takes note of what the page that was read last says, by its signature: whether it has changed since the last session decides
    /// when it is due. A page that came from a cache was noted before.
    ///
    /// # Errors
    /// [`VisitError::Denied`] as for a page. Without the note the page is only due earlier.
    pub async fn page_says(&mut self, signature: &str) -> Result<(), VisitError> {
        let Some((url, name)) = self.unread.take() else { return Ok(()) };
        let Shared { known, deny, .. } = self.shared.as_ref();
        if let Err(error) = known.read(&name, signature).await {
            tracing::debug!(session.id = %self.who.session, "what a page says was not noted: {error}");
        }
        // Rule 15: as when it was kept.
        if deny.is_denied(&url).await? {
            known.forget_site(&site_of(&url)).await?;
            return Err(VisitError::Denied);
        }
        Ok(())
    }

    /// Keeps what went over the wire. Without it the visit was none the worse.
    pub(super) async fn keep_evidence(&mut self) -> Result<(), VisitError> {
        let Some((first, key, bytes)) = self.evidence.take().and_then(Evidence::finish) else { return Ok(()) };
        let Shared { objects, deny, .. } = self.shared.as_ref();
        self.sites.entry(site_of(&first)).or_default();
        if self.some_site_names_removed().await? {
            return Ok(());
        }
        if let Err(error) = objects.put(&key, bytes).await {
            tracing::warn!(session.id = %self.who.session, "the evidence of a visit was not kept: {error}");
        }
        // Rule 15: as for a page.
        if deny.is_denied(&first).await? {
            objects.delete(&key).await?;
            return Err(VisitError::Denied);
        }
        if self.some_site_names_removed().await? {
            objects.delete(&key).await?;
        }
        Ok(())
    }

    async fn some_site_names_removed(&self) -> Result<bool, VisitError> {
        for site in self.sites.keys() {
            if self.shared.deny.names_removed(site).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps an answer under its name, for this session and for later ones, unless its site names somebody who was removed: then it goes with
    /// its session, a day after that. The page is worth more than its copy: without the copy it may be fetched once more.
    pub(super) async fn keep(
        &mut self,
        url: &Url,
        name: &Url,
        before: Option<&Known>,
        kept: &Kept,
        unmodified: bool,
    ) -> Result<(), VisitError> {
        let Shared { pages, known, deny, .. } = self.shared.as_ref();
        let session = &self.who.session;
        let site = site_of(url);
        if let Err(error) = pages.put(session, name, kept).await {
            tracing::warn!(session.id = %session, "a fetched page was not kept: {error}");
        }
        let names_removed = match self.sites.get(&site) {
            Some(names_removed) => *names_removed,
            None => deny.names_removed(&site).await?,
        };
        self.unread = None;
        if !names_removed {
            match known.put(name, before, kept, unmodified).await {
                Ok(unread) => self.unread = unread.then(|| (url.clone(), name.clone())),
                Err(error) => tracing::warn!(session.id = %session, "a fetched page was not kept for later sessions: {error}"),
            }
        }
        // Rule 15: a removal that came in between has looked for copies already.
        if deny.is_denied(url).await? {
            pages.forget(session, name).await?;
            known.forget_site(&site).await?;
            self.evidence = None;
            return Err(VisitError::Denied);
        }
        let marked_since = !names_removed && deny.names_removed(&site).await?;
        if marked_since {
            self.unread = None;
            known.forget_site(&site).await?;
        }
        if names_removed || marked_since {
            self.evidence = None;
        }
        self.sites.insert(site, names_removed || marked_since);
        Ok(())
    }
}
