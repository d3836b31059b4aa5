//! Looks for a request's token on the artist's own site: a bounded visit through the guard, robots.txt and the hold on the host,
//! as every other one.
//!
//! Only the site that the directory has as an artist's own counts, so that nobody is taken out by whoever lists them: not a
//! studio's site, not one that several people show as theirs, and not one that only the request names.

use crate::domain::artist::ArtistRow;
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::{ArtistId, SessionId};
use crate::domain::progress::Progress;
use crate::domain::removal_request::{About, RemovalRequest};
use crate::jobs::{PortError, Ports};
use crate::scrape::visit::{Recrawl, Visit, VisitContext, VisitError};
use crate::scrape::{FetchedPage, page_cache};
use crate::store::StoreResult;
use std::time::Duration;
use tracing::{debug, info};
use url::Url;

/// Below which folder of the page cache the pages of looks lie: each look has one of its own, which is deleted at its end.
pub(crate) const LOOKS: &str = "proofs";
/// How long a look may take in all.
const LOOK_WITHIN: Duration = Duration::from_secs(20);
/// The file in which a token may stand.
pub const FILE: &str = "/.well-known/inkdex-proof.txt";
/// The name of the `meta` element in which a token may stand.
pub const META: &str = "inkdex-proof";

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The token stands there.
    Found,
    /// It does not, or there is no site that counts: which of the two is told to nobody.
    NotFound,
    /// The site asks not to be read (robots.txt).
    Refused,
    /// The site is busy, slow or broken: look again later.
    NotNow,
}

/// Whom a request means now, as the identity table has it.
///
/// # Errors
/// The store failed.
pub async fn meant(ports: &Ports, about: &About) -> StoreResult<Option<ArtistId>> {
    match (about, about.key()) {
        (About::Artist(id), _) => Ok(Some(id.clone())),
        (_, Some(key)) => Ok(match ports.store.identity(&key).await? {
            Some(KeyState::Held(id)) => Some(id),
            Some(KeyState::Shared) | None => None,
        }),
        (_, None) => Ok(None),
    }
}

/// The site on which a proof counts, if there is one.
async fn own_site(ports: &Ports, about: &About) -> StoreResult<Option<Url>> {
    let Some(id) = meant(ports, about).await? else { return Ok(None) };
    let row = ports.store.artist(&id).await?;
    let Some(record) = row.as_ref().and_then(ArtistRow::live) else { return Ok(None) };
    if ports.store.is_denied(&ports.deny.of_record(&id, record)).await? {
        return Ok(None);
    }
    let Some(site) = record.own_site.clone() else { return Ok(None) };
    // One key, one artist: a site that is shared proves nothing for anybody.
    if ports.store.identity(&IdentityKey::site(&site)).await? != Some(KeyState::Held(id)) {
        return Ok(None);
    }
    for studio in &record.studio_ids {
        let website = ports.store.studio(studio).await?.and_then(|studio| studio.website(ports.clock.now()));
        if website.is_some_and(|website| host(&website) == host(&site)) {
            return Ok(None);
        }
    }
    Ok(Some(site))
}

fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host.strip_prefix("www.").unwrap_or(host)
}

/// Whether a page that answered is part of the site that was asked: the same host and, where hosts are shared, the same folder.
fn is_of(page: &Url, site: &Url) -> bool {
    let folder = site.path().trim_end_matches('/');
    let below = page.path() == folder || page.path().strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    host(page) == host(site) && page.port_or_known_default() == site.port_or_known_default().map(|port| of_https(port, page)) && below
}

/// A site that moved from `http` to `https` is the same site.
fn of_https(port: u16, page: &Url) -> u16 {
    if port == 80 && page.scheme() == "https" { 443 } else { port }
}

/// Looks for the token of a request.
///
/// # Errors
/// A part of ours failed.
pub async fn look(ports: &Ports, request: &RemovalRequest) -> Result<Look, PortError> {
    let Some(about) = &request.about else { return Ok(Look::NotFound) };
    let Some(site) = own_site(ports, about).await? else {
        debug!("request {} names no site on which a proof counts", request.id);
        return Ok(Look::NotFound);
    };
    let mut places = vec![site.clone()];
    // At the root of a host that is shared stands what its provider puts there.
    if site.path().trim_end_matches('/').is_empty() {
        places.extend(site.join(FILE));
    }
    let token = request.id.proof_token();
    let session = SessionId::new(format!("{LOOKS}/{}", request.id));
    let looked = tokio::time::timeout(LOOK_WITHIN, look_at(ports, &session, &site, &places, &token)).await;
    // As a whole: a redirect leads to pages of other names.
    if let Err(error) = ports.objects.delete_below(&page_cache::folder(&session)).await {
        debug!(%error, "a page that was looked at for a proof is kept until the next round of housekeeping");
    }
    let look = looked.unwrap_or(Ok(Look::NotNow))?;
    info!("the proof of request {} was looked for: {look:?}", request.id);
    Ok(look)
}

async fn look_at(ports: &Ports, session: &SessionId, site: &Url, places: &[Url], token: &str) -> Result<Look, PortError> {
    let who = VisitContext {
        session: session.clone(),
        owner: LOOKS.to_owned(),
        // Whatever was read before the request came cannot hold its token.
        fresh_after: Some(ports.clock.now()),
        recrawl: Recrawl::All,
        drawn: false,
        progress: Progress::default(),
    };
    let mut visit = ports.visitor.begin(who);
    let mut answer = Ok(Look::NotFound);
    for place in places {
        match page(ports, &mut visit, place).await {
            Ok(page) if is_of(&page.url, site) && page.text.contains(token) => {
                answer = Ok(Look::Found);
                break;
            }
            Ok(_) => {}
            Err(VisitError::Fetch(crate::scrape::FetchError::Gone { .. } | crate::scrape::FetchError::WrongType { .. })) => {}
            Err(VisitError::RefusedByRobots { .. } | VisitError::Denied) => answer = Ok(Look::Refused),
            Err(VisitError::Store(error)) => answer = Err(error.into()),
            Err(VisitError::Objects(error)) => answer = Err(error.into()),
            Err(error) => {
                debug!(%error, "a site did not answer to a look for a proof");
                answer = Ok(Look::NotNow);
            }
        }
        if answer.is_err() {
            break;
        }
    }
    super::site_visit::end(visit).await;
    answer
}

/// A page, waiting for its host as long as the look may take.
async fn page(ports: &Ports, visit: &mut Visit, url: &Url) -> Result<FetchedPage, VisitError> {
    loop {
        match visit.page(url).await {
            Err(VisitError::Wait { until, why }) => {
                let pause = until.since(ports.clock.now());
                if pause > LOOK_WITHIN {
                    return Err(VisitError::Wait { until, why });
                }
                tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
            }
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// A redirect to somebody else's page proves nothing, one to `https` or `www.` does.
    #[test]
    fn only_the_own_site_counts() {
        for (page, site, counts) in [
            ("https://ana.example/", "https://ana.example/", true),
            ("https://www.ana.example/home", "http://ana.example/", true),
            ("https://ana.example/.well-known/inkdex-proof.txt", "https://ana.example/", true),
            ("https://evil.example/", "https://ana.example/", false),
            ("https://ana.example.evil.example/", "https://ana.example/", false),
            ("https://ana.example:8443/", "https://ana.example/", false),
            ("https://links.example/ana", "https://links.example/ana", true),
            ("https://links.example/ana/page", "https://links.example/ana/", true),
            ("https://links.example/anabel", "https://links.example/ana", false),
            ("https://links.example/", "https://links.example/ana", false),
        ] {
            assert_eq!(is_of(&url(page), &url(site)), counts, "{page} of {site}");
        }
    }
}
