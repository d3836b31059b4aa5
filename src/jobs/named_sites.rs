//! Sites whose pages name somebody who was removed (rule 15): nothing of them is kept beyond its session. A mark says so. Whoever
//! removes marks before copies are deleted, and whoever keeps a copy looks before and after, so that one of the two meets the other.

use crate::domain::clock::Timestamp;
use crate::jobs::deny::DenyHasher;
use crate::jobs::{PortError, Ports};
use crate::store::{StoreError, StoreResult};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Below which keys the marks lie, by keyed hash: a site may be the person's own.
const MARKS: &str = "names-removed/";
/// How long a mark stands that nobody renews: a reading of the site that still finds the name does, and a dead letter may be
/// requeued as long as it is kept.
pub const MARKED_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Marks looked at in one round.
const MARKS_MAX: usize = 10_000;
/// How often a lost race for a mark is tried again.
const RACES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// When it was set or renewed last.
    at: Timestamp,
    /// Which site, until copies were looked for once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<String>,
}

impl Mark {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The key of a site's mark.
pub(crate) fn key(deny: &DenyHasher, site: &str) -> String {
    format!("{MARKS}{}", deny.of_named_site(site))
}

/// Sets or renews the mark of a site, as [`crate::scrape::known::site_of`] names it.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn mark(ports: &Ports, site: &str) -> StoreResult<()> {
    let key = key(&ports.deny, site);
    let mut known = ports.store.meta(&key).await?;
    for _ in 0..RACES {
        // Where a mark stands nothing was kept since, so that there is nothing to look for once more.
        let site = known.as_deref().map_or_else(|| Some(site.to_owned()), |known| Mark::read(known)?.site);
        let mark = Mark { at: ports.clock.now(), site };
        match ports.store.put_meta(&key, known.as_deref(), &mark.text()).await? {
            None => return Ok(()),
            Some(met) => known = met,
        }
    }
    Err(StoreError::Unavailable("the mark of a site is set by too many at once".to_owned()))
}

/// Deletes once more what is kept of sites that were marked a while ago, for whoever died between keeping a copy and looking again,
/// and drops marks that nobody renewed for long.
///
/// # Errors
/// A part of ours failed; the next round goes on.
pub(crate) async fn tidy(ports: &Ports) -> Result<(), PortError> {
    let now = ports.clock.now();
    for (key, text) in ports.store.metas(MARKS, MARKS_MAX).await? {
        let Some(mark) = Mark::read(&text) else { continue };
        if mark.at <= now.minus(MARKED_FOR) {
            ports.store.drop_meta_if(&key, &text).await?;
        } else if let Some(site) = mark.site.as_ref().filter(|_| mark.at <= now.minus(ports.settings.look_again)) {
            ports.visitor.forget_site(site).await?;
            ports.store.put_meta(&key, Some(&text), &Mark { site: None, ..mark }.text()).await?;
        }
    }
    Ok(())
}
