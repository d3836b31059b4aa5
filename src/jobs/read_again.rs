//! Keys that turn out to be shared: nobody is named by them any more, and a job reads their first holder again (rule 9).

use crate::domain::artist::ArtistRow;
use crate::domain::identity::{IdentityKey, KeyState};
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{Attempt, JobKind, NewJob, ScrapeTask, Task};
use crate::jobs::{Ports, courier};
use crate::store::StoreError;
use tracing::{debug, info};

/// Who met a key that another artist holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MetBy<'a> {
    /// In which session.
    pub session_id: &'a SessionId,
    /// Which job.
    pub job_id: &'a JobId,
    /// In which attempt.
    pub attempt: &'a Attempt,
}

/// Takes a key from its holder, so that it names nobody until an operator decides. Answers whether that was so; if not, somebody
/// else was faster, and the key is to be read again.
pub(crate) async fn share(ports: &Ports, met: MetBy<'_>, key: &IdentityKey, holder: &ArtistId) -> Result<bool, StoreError> {
    let expected = KeyState::Held(holder.clone());
    // The job stands before the key is shared: whoever repeats this write after a crash meets a key that says nothing
    // of its first holder any more.
    let again = make(ports, met, key, holder).await?;
    if ports.store.point_identity(key, Some(&expected), &KeyState::Shared).await?.is_some() {
        return Ok(false);
    }
    info!(artist.id = %holder, "a key of artist {holder} is claimed by another name; it is shared until an operator decides");
    if let Some(host) = again
        && let Err(error) = courier::send_next_of(ports, &host).await
    {
        debug!(artist.id = %holder, %error, "the job that reads artist {holder} again was not sent, the sweeper will send it");
    }
    Ok(true)
}

/// Makes the job that reads the first holder of a key again, so that its record loses the key. Answers whose line it is in.
async fn make(ports: &Ports, met: MetBy<'_>, key: &IdentityKey, holder: &ArtistId) -> Result<Option<String>, StoreError> {
    let row = ports.store.artist(holder).await?;
    let Some(record) = row.as_ref().and_then(ArtistRow::live) else { return Ok(None) };
    let studio_id = record.studio_ids.first().cloned();
    let Some(entry) = record.own_site.clone().or_else(|| record.pages.first().cloned()) else { return Ok(None) };
    let task = ScrapeTask {
        own_site: record.own_site.is_some(),
        listed_on: studio_id.as_ref().and(record.pages.last().cloned()),
        name: record.name.value.clone(),
        instagram: None,
        studio_id,
        entry,
    };
    let session = ports.store.session(met.session_id).await?;
    let step = session.and_then(|session| session.step_of(JobKind::ScrapeArtist).map(|step| step.definition.name.clone()));
    let host = task.entry.host_str().map(str::to_owned);
    let step = step.unwrap_or_else(|| "scrape".to_owned());
    let job = NewJob::new(met.session_id, &step, Task::ScrapeArtist(Box::new(task)), host.clone());
    let mut job = job.made_in(met.attempt.generation);
    // The holder may have had its job in this session already: this one is about the lost key. One for each attempt at the
    // write, as the job of an attempt that died before the key was shared may have run while the key still named its holder.
    let (writer, attempt) = (met.job_id, met.attempt);
    let subject = format!("shared:{holder}:{}:{writer}:{}:{}", key.as_str(), attempt.generation, attempt.number);
    job.id = JobId::derived_from(met.session_id, "scrape_artist", &subject);
    ports.store.create_jobs(&[job], ports.clock.now()).await?;
    Ok(host)
}
