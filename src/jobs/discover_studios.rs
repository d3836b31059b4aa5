//! Job `discover_studios`: asks every source for studios and queues a `find_artists` job for each (002-R3).

use crate::discover::SourceError;
use crate::domain::job::{JobKind, NewJob, Task};
use crate::domain::outcome::{Category, Done, Failure, Outcome};
use crate::domain::studio::{FoundStudio, Studio, StudioKind};
use crate::jobs::{PortError, Ports, Running, courier, store_outcome, wait_for_dependency};
use tracing::{error, info, warn};

/// Jobs made in one go: making thousands takes longer than a job may be silent.
const CHUNK: usize = 100;

/// Runs the job.
pub async fn run(ports: &Ports, running: &Running) -> Outcome {
    let attempt = running.attempt.number;
    if ports.sources.is_empty() {
        let message = "no studio source is configured; set discovery.studio_files to a file of studios";
        return Outcome::Dead { reason: Failure::new(Category::Config, "no_source", "discover", message) };
    }
    let mut found: Vec<FoundStudio> = Vec::new();
    for source in &ports.sources {
        match source.studios().await {
            Ok(discovered) => {
                info!(source = source.name(), studios = discovered.studios.len(), problems = discovered.problems.len(), "source answered");
                for problem in &discovered.problems {
                    warn!(source = source.name(), place = %problem.place, "{}: {}", problem.place, problem.problem);
                }
                if ports.settings.strict_sources && !discovered.problems.is_empty() {
                    let message = format!("{} has {} bad entries and discovery.strict is set", source.name(), discovered.problems.len());
                    return Outcome::Dead { reason: Failure::new(Category::Config, "bad_entries", "discover", message) };
                }
                found.extend(discovered.studios);
            }
            Err(SourceError::Unavailable { why, retry_after, .. }) => {
                // 002-R4: the failure is logged with its retry count.
                error!(source = source.name(), retry = attempt, "studio source failed at attempt {attempt}: {why}");
                let reason = Failure::new(Category::Transient, "source_unavailable", "discover", format!("{}: {why}", source.name()));
                return Outcome::Retry { after: retry_after, reason };
            }
            Err(SourceError::Refused { why, .. }) => {
                let reason = Failure::new(Category::Config, "source_refused", "discover", format!("{}: {why}", source.name()));
                return Outcome::Dead { reason };
            }
        }
        running.progress.step();
    }
    match queue_studios(ports, running, found).await {
        Ok(()) => Outcome::Done { how: Done::Written },
        Err(PortError::Store(error)) => store_outcome(ports, &error, "discover"),
        Err(_) => wait_for_dependency(ports),
    }
}

async fn queue_studios(ports: &Ports, running: &Running, found: Vec<FoundStudio>) -> Result<(), PortError> {
    let session_id = &running.job.new.session_id;
    let step = step_of(ports, running, JobKind::FindArtists).await?;
    let mut jobs = Vec::new();
    for studio in found {
        let id = studio.id();
        if let Some(website) = &studio.website
            && ports.store.is_denied(&[ports.deny.of_site(website)]).await?
        {
            info!(studio.id = %id, "studio {id} is on the denylist, it is left out");
            continue;
        }
        let kind = ports.store.studio(&id).await?.map_or(StudioKind::Unread, |known| known.kind);
        let host = studio.website.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
        let row = Studio { id: id.clone(), found: studio, kind, last_session: session_id.clone(), updated_at: ports.clock.now() };
        ports.store.put_studio(&row).await?;
        // A studio without a site is kept, but there is nothing to read.
        if host.is_some() {
            let job = NewJob::new(session_id, &step, Task::FindArtists { studio_id: id }, host);
            jobs.push(job.made_in(running.job.generation));
        }
        running.progress.step();
    }
    for chunk in jobs.chunks(CHUNK) {
        courier::create(ports, chunk).await?;
        running.progress.step();
    }
    Ok(())
}

/// The name of the step that jobs of `kind` belong to in the running job's session; of a session that is gone, its own.
pub(crate) async fn step_of(ports: &Ports, running: &Running, kind: JobKind) -> Result<String, PortError> {
    let session = ports.store.session(&running.job.new.session_id).await?;
    let step = session.and_then(|session| session.step_of(kind).map(|step| step.definition.name.clone()));
    Ok(step.unwrap_or_else(|| running.job.new.step.clone()))
}
