//! The job that reads somebody again whose key turned out to be shared (rule 9).

use crate::domain::artist::ArtistRow;
use crate::domain::identity::IdentityKey;
use crate::domain::ids::{ArtistId, JobId};
use crate::domain::job::{JobKind, NewJob, ScrapeTask, Task};
use crate::jobs::Ports;
use crate::jobs::write_artist::WriteArtist;
use crate::store::StoreError;

/// Makes the job that reads the first holder of a key again, so that its record loses the key. Answers whose line it is in.
pub(crate) async fn make(ports: &Ports, request: &WriteArtist, key: &IdentityKey, holder: &ArtistId) -> Result<Option<String>, StoreError> {
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
    let session = ports.store.session(&request.session_id).await?;
    let step = session.and_then(|session| session.step_of(JobKind::ScrapeArtist).map(|step| step.definition.name.clone()));
    let host = task.entry.host_str().map(str::to_owned);
    let step = step.unwrap_or_else(|| "scrape".to_owned());
    let job = NewJob::new(&request.session_id, &step, Task::ScrapeArtist(Box::new(task)), host.clone());
    let mut job = job.made_in(request.attempt.generation);
    // The holder may have had its job in this session already: this one is about the lost key. One for each attempt at the
    // write, as the job of an attempt that died before the key was shared may have run while the key still named its holder.
    let (writer, attempt) = (&request.job_id, &request.attempt);
    let subject = format!("shared:{holder}:{}:{writer}:{}:{}", key.as_str(), attempt.generation, attempt.number);
    job.id = JobId::derived_from(&request.session_id, "scrape_artist", &subject);
    ports.store.create_jobs(&[job], ports.clock.now()).await?;
    Ok(host)
}
