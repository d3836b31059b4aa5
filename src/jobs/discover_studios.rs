//! Job `discover_studios`: asks every source for studios and queues a `find_artists` job for each (002-R3).

use crate::discover::{Asking, SourceError};
use crate::domain::ids::{SessionId, StudioId};
use crate::domain::job::{JobKind, NewJob, Task};
use crate::domain::merge::{LentContent, Merged, merge};
use crate::domain::outcome::{Category, Done, Failure, Outcome, WaitFor};
use crate::domain::studio::{FoundStudio, Lent, Studio, StudioKind};
use crate::jobs::discovery_report::{self, DiscoveryReport, discovery_of};
use crate::jobs::{PortError, Ports, Running, courier, store_outcome, wait_for_dependency};
use std::time::Duration;
use tracing::{error, info, warn};

/// Jobs made in one go: making thousands takes longer than a job may be silent.
const CHUNK: usize = 100;

/// A source that asks us to stay away for longer has failed: the step it is asked in does not wait for hours.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// How many aliases of a studio's id are followed: two, where two studios turned out to be one and then a third.
const ALIASES: usize = 4;

/// Runs the job.
pub async fn run(ports: &Ports, running: &Running) -> Outcome {
    if ports.sources.is_empty() {
        let message = "no studio source is configured; set discovery.studio_files to a file of studios, or discovery.services";
        return Outcome::Dead { reason: Failure::new(Category::Config, "no_source", "discover", message) };
    }
    match discover(ports, running).await {
        Ok(()) => Outcome::Done { how: Done::Written },
        Err(Stop::Outcome(outcome)) => outcome,
        Err(Stop::Ours(PortError::Store(error))) => store_outcome(ports, &error, "discover"),
        Err(Stop::Ours(_)) => wait_for_dependency(ports),
    }
}

/// Why an attempt ended.
enum Stop {
    /// So the job ends, or waits.
    Outcome(Outcome),
    /// A part of ours failed.
    Ours(PortError),
}

impl<E: Into<PortError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

async fn discover(ports: &Ports, running: &Running) -> Result<(), Stop> {
    let session_id = &running.job.new.session_id;
    // An attempt that died after the report had named everybody: sources that forgot what was taken must not be asked anew.
    if discovery_of(ports, session_id).await?.is_none() {
        let mut report = DiscoveryReport::default();
        let found = ask(ports, running, &mut report).await?;
        let studios = merge(found);
        report.count_shared(&studios);
        report.studios = queue_studios(ports, running, studios).await?;
        discovery_report::put(ports, session_id, &report).await?;
    }
    for source in &ports.sources {
        source.taken(session_id).await.map_err(|error| source_stop(running, ports, source.name(), error))?;
    }
    Ok(())
}

/// Asks every source.
async fn ask(ports: &Ports, running: &Running, report: &mut DiscoveryReport) -> Result<Vec<FoundStudio>, Stop> {
    let asking = Asking { run: running.job.new.session_id.clone(), progress: running.progress.clone() };
    let mut found = Vec::new();
    for source in &ports.sources {
        let discovered = source.studios(&asking).await.map_err(|error| source_stop(running, ports, source.name(), error))?;
        info!(source = source.name(), studios = discovered.studios.len(), problems = discovered.problems.len(), "source answered");
        for problem in &discovered.problems {
            warn!(source = source.name(), place = %problem.place, "{}: {}", problem.place, problem.problem);
        }
        if ports.settings.strict_sources && !discovered.problems.is_empty() {
            let message = format!("{} has {} bad entries and discovery.strict is set", source.name(), discovered.problems.len());
            return Err(Stop::Outcome(Outcome::Dead { reason: Failure::new(Category::Config, "bad_entries", "discover", message) }));
        }
        report.add(source.name(), &discovered);
        found.extend(discovered.studios);
        running.progress.step();
    }
    Ok(found)
}

/// What follows from a source's error.
fn source_stop(running: &Running, ports: &Ports, source: &str, error: SourceError) -> Stop {
    let unavailable = |why: &str| Failure::new(Category::Transient, "source_unavailable", "discover", format!("{source}: {why}"));
    // 002-R4: the failure is logged with its retry count.
    let tell = |retry: u32, why: &str| error!(source, retry, "studio source failed at attempt {retry}: {why}");
    match error {
        SourceError::Unavailable { why, retry_after, .. } => {
            tell(running.attempt.number, &why);
            Stop::Outcome(Outcome::Retry { after: retry_after, reason: unavailable(&why) })
        }
        SourceError::Failing { why, retry_after, in_a_row, .. } => {
            tell(in_a_row, &why);
            let own = running.job.new.retry;
            let too_long = retry_after.is_some_and(|delay| delay > RETRY_AFTER_MAX);
            if too_long || in_a_row >= own.map_or(ports.settings.limits.counted, |own| own.max_attempts) {
                return Stop::Outcome(Outcome::Dead { reason: unavailable(&why) });
            }
            // What was answered stands, so the attempt is not counted; the source counts its own failures. 002-R5, 002-R6: the
            // delays grow, and never fall short of what the source asks for.
            let rule = own.map_or(ports.settings.limits.retry, |own| own.delay);
            let until = ports.clock.now().plus(rule.jittered(in_a_row, retry_after, &ports.chance));
            Stop::Outcome(Outcome::Wait { until, why: WaitFor::RateLimit })
        }
        SourceError::Refused { why, .. } => {
            let reason = Failure::new(Category::Config, "source_refused", "discover", format!("{source}: {why}"));
            Stop::Outcome(Outcome::Dead { reason })
        }
        SourceError::Store(error) => Stop::Ours(error.into()),
        SourceError::Objects(error) => Stop::Ours(error.into()),
    }
}

/// Writes studios' rows and makes their jobs. Answers how many studios are not on the denylist.
async fn queue_studios(ports: &Ports, running: &Running, studios: Vec<Merged>) -> Result<u64, PortError> {
    let session_id = &running.job.new.session_id;
    let step = step_of(ports, running, JobKind::FindArtists).await?;
    let mut jobs = Vec::new();
    let mut known = 0;
    for studio in studios {
        let id = known_as(ports, &studio.ids).await?;
        let website = studio.found.website.clone().or_else(|| studio.lent.as_ref()?.website.clone());
        if let Some(website) = &website
            && ports.store.is_denied(&[ports.deny.of_site(website)]).await?
        {
            info!(studio.id = %id, "studio {id} is on the denylist, it is left out");
            continue;
        }
        let before = ports.store.studio(&id).await?;
        if before.as_ref().is_some_and(Studio::is_blanked) {
            info!(studio.id = %id, "studio {id} is somebody who was removed, it is left out");
            continue;
        }
        known += 1;
        ports.store.put_studio(&row(ports, session_id, &id, studio, before)).await?;
        // A studio without a site is kept, but there is nothing to read.
        if let Some(host) = website.as_ref().and_then(|url| url.host_str()).map(str::to_owned) {
            let job = NewJob::new(session_id, &step, Task::FindArtists { studio_id: id }, Some(host));
            jobs.push(job.made_in(running.job.generation));
        }
        running.progress.step();
    }
    for chunk in jobs.chunks(CHUNK) {
        courier::create(ports, chunk).await?;
        running.progress.step();
    }
    Ok(known)
}

/// A studio's row as it is now; what its own site said before is kept where the sources say nothing.
fn row(ports: &Ports, session_id: &SessionId, id: &StudioId, studio: Merged, before: Option<Studio>) -> Studio {
    let now = ports.clock.now();
    let kind = before.as_ref().map_or(StudioKind::Unread, |known| known.kind);
    let mut found = studio.found;
    let mut lent = studio.lent.map(|LentContent { name, website, coordinates }| Lent { name, website, coordinates, at: now });
    if let (Some(before), Some(lent)) = (before, &mut lent) {
        if found.name.is_empty() && !before.found.name.is_empty() {
            (found.name, lent.name) = (before.found.name, None);
        }
        // The site that was read is the studio's own word for as long as the source names the same one.
        if before.found.website.is_some() && before.found.website == lent.website {
            found.website = lent.website.take();
        }
    }
    Studio { id: id.clone(), found, named_by: studio.named_by, lent, kind, last_session: session_id.clone(), updated_at: now }
}

/// The id under which a studio is known, whatever subset of its sources names it tonight; every id of it leads there from then on.
async fn known_as(ports: &Ports, ids: &[StudioId]) -> Result<StudioId, PortError> {
    let mut known: Option<StudioId> = None;
    let mut resolved = Vec::new();
    for id in ids {
        let root = root_of(ports, id).await?;
        if known.is_none() && (root != *id || ports.store.studio(&root).await?.is_some()) {
            known = Some(root.clone());
        }
        resolved.push(root);
    }
    let known = known.unwrap_or_else(|| ids[0].clone());
    for root in resolved.into_iter().chain(ids.iter().cloned()) {
        if root != known {
            let key = alias_key(&root);
            let stored = ports.store.meta(&key).await?;
            if stored.as_deref() != Some(known.as_str()) {
                ports.store.put_meta(&key, stored.as_deref(), known.as_str()).await?;
            }
        }
    }
    Ok(known)
}

/// Where an id leads.
async fn root_of(ports: &Ports, id: &StudioId) -> Result<StudioId, PortError> {
    let mut root = id.clone();
    for _ in 0..ALIASES {
        match ports.store.meta(&alias_key(&root)).await? {
            Some(next) => root = StudioId::new(next),
            None => break,
        }
    }
    Ok(root)
}

fn alias_key(id: &StudioId) -> String {
    format!("studio.alias/{id}")
}

/// The name of the step that jobs of `kind` belong to in the running job's session; of a session that is gone, its own.
pub(crate) async fn step_of(ports: &Ports, running: &Running, kind: JobKind) -> Result<String, PortError> {
    let session = ports.store.session(&running.job.new.session_id).await?;
    let step = session.and_then(|session| session.step_of(kind).map(|step| step.definition.name.clone()));
    Ok(step.unwrap_or_else(|| running.job.new.step.clone()))
}
