//! What is kept of a studio that is one person, when that person is removed (rule 15): its jobs and dead letters, the robots.txt of
//! its site, and its row.

use crate::domain::job::{NewJob, Task};
use crate::domain::studio::{Studio, StudioKind};
use crate::jobs::{Ports, remove_artist};
use crate::store::{StoreError, StoreResult};
use std::collections::BTreeSet;
use tracing::info;
use url::Url;

/// Studios read at once.
const STUDIOS: usize = 500;
/// Sessions looked at for jobs: more nights than anybody keeps.
const SESSIONS_EVER: usize = 10_000;

/// Blanks every studio whose site is listed under one of these keyed hashes, but for those where several people work: who is one of
/// them is none of the others' business. Answers how many.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn purge(ports: &Ports, hashes: &BTreeSet<String>) -> StoreResult<usize> {
    let (mut blanked, mut after) = (0, None);
    loop {
        let studios = ports.store.scan_studios(after.as_ref(), STUDIOS).await?;
        let Some(last) = studios.last() else { return Ok(blanked) };
        after = Some(last.id.clone());
        for studio in studios.iter().filter(|studio| studio.kind != StudioKind::Studio) {
            if sites(studio).any(|site| hashes.contains(&ports.deny.of_site(site))) {
                blank(ports, studio).await?;
                blanked += 1;
            }
        }
    }
}

fn sites(studio: &Studio) -> impl Iterator<Item = &Url> {
    studio.found.website.iter().chain(studio.lent.iter().filter_map(|lent| lent.website.as_ref()))
}

/// Blanks a studio: jobs first, since its row tells of whom they are.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn blank(ports: &Ports, studio: &Studio) -> StoreResult<()> {
    for session in ports.store.sessions(SESSIONS_EVER).await? {
        let id = NewJob::new(&session.id, "find_artists", Task::FindArtists { studio_id: studio.id.clone() }, None).id;
        match ports.store.job(&id).await {
            Ok(Some(job)) => remove_artist::erase(ports, job).await?,
            // What cannot be read is withdrawn and dropped with its session.
            Ok(None) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for site in sites(studio) {
        remove_artist::forget_robots(ports, site).await?;
    }
    ports.store.put_studio(&studio.blanked(ports.clock.now())).await?;
    info!(studio.id = %studio.id, "studio {} is somebody who was removed; its row is blank", studio.id);
    Ok(())
}
