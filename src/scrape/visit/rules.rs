//! The robots.txt of the hosts that a visit comes to.

use super::{Shared, Visit, VisitError, Visitor};
use crate::objects::ObjectsError;
use crate::scrape::guard::shown;
use crate::scrape::page_cache::unpack;
use crate::scrape::robots::{self, RobotsFile, RobotsRules, RobotsVerdict, STALE_FOR, origin};
use crate::scrape::{Ask, FetchError, TextHop};
use std::sync::Arc;
use url::Url;

impl Visitor {
    /// Deletes the robots.txt that is kept of a site, by either scheme, with and without `www.`: on removal of whose site it is.
    ///
    /// # Errors
    /// The object store failed; repeat.
    pub async fn forget_robots(&self, site: &Url) -> Result<(), ObjectsError> {
        let host = site.host_str().unwrap_or_default();
        let host = host.strip_prefix("www.").unwrap_or(host);
        let port = site.port().map(|port| format!(":{port}")).unwrap_or_default();
        for start in ["http://", "https://", "http://www.", "https://www."] {
            self.shared.objects.delete(&robots::key(&format!("{start}{host}{port}"))).await?;
        }
        Ok(())
    }

    /// Deletes every robots.txt that is too old to be obeyed. Answers how many.
    ///
    /// # Errors
    /// The object store failed; repeat.
    pub async fn drop_old_robots(&self) -> Result<u64, ObjectsError> {
        let Shared { objects, clock, .. } = self.shared.as_ref();
        let mut dropped = 0;
        for key in objects.keys("robots").await? {
            let file: Option<RobotsFile> = objects.get(&key).await?.and_then(|bytes| unpack(&bytes));
            // One that cannot be read is of no use at all.
            if file.is_none_or(|file| clock.now().since(file.fetched_at) >= STALE_FOR) {
                objects.delete(&key).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

impl Visit {
    /// The robots rules of a URL's origin, fetched if they are not known.
    pub(super) async fn rules_of(&mut self, url: &Url) -> Result<Arc<RobotsRules>, VisitError> {
        let shared = Arc::clone(&self.shared);
        let origin = origin(url);
        if let Some(rules) = shared.robots.fresh(&origin).await? {
            return Ok(rules);
        }
        match self.fetch_rules(url).await {
            Ok((status, text)) => Ok(shared.robots.keep(RobotsFile { origin, fetched_at: shared.clock.now(), status, text }).await),
            // Unreachable: what it said before holds, else nothing is read and the job tries again.
            Err(VisitError::Fetch(error)) => match shared.robots.stale(&origin).await? {
                Some(rules) => Ok(rules),
                None => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    /// Fetches the robots.txt of a URL's origin: its status and text. More redirects than allowed are the same as no file (RFC
    /// 9309, section 2.3.1.2). One to where the guard or the denylist does not let us go leaves the file unreachable (section
    /// 2.3.1.4): there is one, and what it forbids is not known.
    async fn fetch_rules(&mut self, url: &Url) -> Result<(u16, String), VisitError> {
        const NO_FILE: (u16, String) = (404, String::new());
        let Ok(mut at) = url.join("/robots.txt") else { return Ok(NO_FILE) };
        for hop in 0..=self.shared.settings.limits.redirects {
            match self.judge(&at).await {
                Ok(()) => {}
                // The page asked for is neither inside nor on the denylist: only its rules are.
                Err(error @ (VisitError::Denied | VisitError::Fetch(_))) if hop > 0 => {
                    return Err(FetchError::Guarded(format!("the robots.txt of {} leads to {}: {error}", origin(url), shown(&at))).into());
                }
                Err(error) => return Err(error),
            }
            self.admit(&at, None, None).await?;
            let answer = self.shared.fetch.fetch_text(&at, &Ask { evidence: self.evidence.as_ref(), ..Ask::default() }).await;
            self.after(&at, None, answer.as_ref().err()).await?;
            match answer? {
                TextHop::Text { status, text, wire_bytes } => {
                    self.count_bytes(&at, wire_bytes);
                    return Ok((status, text));
                }
                TextHop::Redirect { mut to, .. } => {
                    to.set_fragment(None);
                    at = to;
                }
            }
        }
        Ok(NO_FILE)
    }

    /// Whether the robots.txt that is known allows a URL that is not asked for: without one the file is asked for first, and
    /// then the page.
    pub(super) async fn allowed_as_known(&self, url: &Url) -> Result<bool, VisitError> {
        let rules = self.rules_as_known(url).await?;
        Ok(rules.is_some_and(|rules| rules.verdict(url) == RobotsVerdict::Allowed))
    }

    pub(super) async fn rules_as_known(&self, url: &Url) -> Result<Option<Arc<RobotsRules>>, ObjectsError> {
        let (robots, origin) = (&self.shared.robots, origin(url));
        match robots.fresh(&origin).await? {
            Some(rules) => Ok(Some(rules)),
            None => robots.stale(&origin).await,
        }
    }
}
