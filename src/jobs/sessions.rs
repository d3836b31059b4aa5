//! Sessions: starting one, moving each of them on, and the schedule (002-R1, 002-R2).

use crate::domain::clock::Timestamp;
use crate::domain::cron::Schedule;
use crate::domain::ids::SessionId;
use crate::domain::job::{JobKind, JobState, NewJob, Task};
use crate::domain::outcome::{Cancelled, Outcome};
use crate::domain::session::{Advance, Session, SessionState, StepDefinition, Trigger, advance};
use crate::jobs::{PortError, Ports, courier};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

/// A pipeline as its file defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// When it runs by itself: `cron(0 2 * * ? *)` or five fields, in UTC.
    pub schedule: Option<String>,
    /// Its steps in order.
    pub steps: Vec<StepDefinition>,
}

/// The built-in daily pipeline.
pub const DAILY: &str = include_str!("../../config/pipelines/daily.yaml");

/// Why a pipeline's definition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pipeline {name} cannot be used: {}", .problems.join("; "))]
pub struct PipelineError {
    /// Which file.
    pub name: String,
    /// All problems.
    pub problems: Vec<String>,
}

impl Pipeline {
    /// Reads a definition (YAML).
    ///
    /// # Errors
    /// [`PipelineError`] with every problem.
    pub fn parse(name: &str, text: &str) -> Result<Self, PipelineError> {
        let refuse = |problems: Vec<String>| PipelineError { name: name.to_owned(), problems };
        let pipeline: Self = serde_norway::from_str(text).map_err(|error| refuse(vec![error.to_string()]))?;
        let mut problems = Vec::new();
        if let Some(schedule) = &pipeline.schedule
            && let Err(error) = Schedule::parse(schedule)
        {
            problems.push(format!("schedule: {error}"));
        }
        for (index, step) in pipeline.steps.iter().enumerate() {
            if pipeline.steps[..index].iter().any(|other| other.name == step.name || other.job == step.job) {
                problems.push(format!("step {} stands twice; a pipeline has one step for each kind of job", step.name));
            }
            let one_call = matches!(step.job, JobKind::DiscoverStudios | JobKind::Report);
            if one_call != step.one_call {
                let is = if one_call { "one call" } else { "a fan-out" };
                problems.push(format!("step {}: {} is {is}, set one_call to {one_call}", step.name, step.job.as_str()));
            }
            if !one_call && step.retry.is_some() {
                problems.push(format!("step {}: a fan-out retries through its jobs (ledger.max_attempts), remove its retry", step.name));
            }
            if step.deadline_s == 0 {
                problems.push(format!("step {}: deadline_s must be above 0", step.name));
            }
        }
        let order = [JobKind::DiscoverStudios, JobKind::FindArtists, JobKind::ScrapeArtist, JobKind::Report];
        let positions: Vec<Option<usize>> = order.iter().map(|kind| pipeline.steps.iter().position(|step| step.job == *kind)).collect();
        if positions.iter().any(Option::is_none) || !positions.is_sorted() {
            problems.push("the steps must be discover_studios, find_artists, scrape_artist, report, in this order".to_owned());
        }
        if problems.is_empty() { Ok(pipeline) } else { Err(refuse(problems)) }
    }
}

/// Starts a session for a moment, unless that moment has one (rule 18). Answers it, and whether it is new.
///
/// # Errors
/// The store failed; repeat, it is the same session.
pub async fn start(ports: &Ports, pipeline: &Pipeline, scheduled_for: Timestamp, trigger: Trigger) -> Result<(SessionId, bool), PortError> {
    let session = Session::created(&pipeline.name, pipeline.steps.clone(), scheduled_for, trigger, ports.clock.now());
    let new = ports.store.create_session(&session).await?;
    if new {
        info!(session.id = %session.id, "session {} begins", session.id);
    }
    Ok((session.id, new))
}

/// What the schedule asks for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueNow {
    /// Nothing.
    Nothing,
    /// Start a session for this moment.
    Start(Timestamp),
    /// A session of the pipeline still runs: this moment is skipped, and said so.
    Skip(Timestamp),
}

/// Decides what the schedule asks for at `now`, given the newest moment handled and whether a session is open.
///
/// A moment missed while the daemon was down is caught up once if `catch_up`; several missed ones are one.
pub fn due_now(schedule: &Schedule, handled: Timestamp, open: bool, catch_up: bool, started: Timestamp, now: Timestamp) -> DueNow {
    let from = if catch_up { handled } else { handled.max(started) };
    match schedule.latest_between(from, now) {
        None => DueNow::Nothing,
        Some(moment) if open => DueNow::Skip(moment),
        Some(moment) => DueNow::Start(moment),
    }
}

/// Moves a session on as far as it goes now. Answers its row as it stands then.
///
/// # Errors
/// A part of ours failed; the next tick goes on.
pub async fn move_on(ports: &Ports, id: &SessionId) -> Result<Option<Session>, PortError> {
    loop {
        let Some(session) = ports.store.session(id).await? else { return Ok(None) };
        let counts = ports.store.step_counts(id).await?;
        match advance(&session, &counts, ports.clock.now()) {
            Advance::Nothing => return Ok(Some(session)),
            Advance::Put(next) => put(ports, &session, *next).await?,
            Advance::StartRoot(next, index) => {
                let step = &next.steps[index].definition;
                let task = if step.job == JobKind::Report { Task::Report } else { Task::DiscoverStudios };
                let mut root = NewJob::new(id, &step.name, task, None);
                root.retry = step.retry;
                // Row of the root first: a session that says RUNNING always has one.
                courier::create(ports, &[root]).await?;
                put(ports, &session, *next).await?;
            }
            Advance::CancelOpen(index) => {
                let name = session.steps[index].definition.name.clone();
                warn!(session.id = %id, step = %name, "step {name} of session {id} reached its deadline, its open jobs are cancelled");
                cancel_open(ports, id, Some(&name), Cancelled::Deadline).await?;
            }
        }
    }
}

async fn put(ports: &Ports, old: &Session, new: Session) -> Result<(), PortError> {
    let mut new = new;
    if new.state.is_terminal() && !old.state.is_terminal() {
        new.failure = match &new.failure {
            Some(step) => Some(why_failed(ports, &new).await?.map_or_else(|| step.clone(), |why| format!("{step}: {why}"))),
            None => None,
        };
    }
    if ports.store.put_session(old.epoch, &new).await? && new.state.is_terminal() && !old.state.is_terminal() {
        match new.state {
            // 002-R7: exhausted retries are logged as critical; the alert is owed by the row.
            SessionState::Failed => {
                error!(session.id = %new.id, severity = "critical", "session {} failed: {}", new.id, new.failure.as_deref().unwrap_or("unknown"));
                cancel_open(ports, &new.id, None, Cancelled::Operator).await?;
            }
            _ => info!(session.id = %new.id, "session {} is {}", new.id, new.state.as_str()),
        }
    }
    Ok(())
}

async fn why_failed(ports: &Ports, session: &Session) -> Result<Option<String>, PortError> {
    let dead = ports.store.jobs_in(&session.id, Some(JobState::Dead), None, 50).await?;
    let root = dead.iter().find(|job| matches!(job.kind(), JobKind::DiscoverStudios | JobKind::Report));
    Ok(root.and_then(|job| match &job.outcome {
        Some(Outcome::Dead { reason }) => Some(reason.message.clone()),
        _ => None,
    }))
}

async fn cancel_open(ports: &Ports, id: &SessionId, step: Option<&str>, why: Cancelled) -> Result<(), PortError> {
    let mut after = None;
    loop {
        let jobs = ports.store.jobs_in(id, None, after.as_ref(), 500).await?;
        for job in jobs.iter().filter(|job| !job.state.is_terminal() && step.is_none_or(|step| job.new.step == step)) {
            courier::withdraw(ports, job, why).await?;
        }
        match jobs.last() {
            Some(job) => after = Some(job.new.id.clone()),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_pipeline_is_sound() {
        let daily = Pipeline::parse("daily.yaml", DAILY).unwrap();
        // 002-R1, 002-R5: the schedule and the three attempts asked for.
        assert_eq!(daily.schedule.as_deref(), Some("cron(0 2 * * ? *)"));
        assert_eq!(daily.steps[0].retry.unwrap().max_attempts, 3);
    }

    #[test]
    fn every_problem_of_a_pipeline_is_told() {
        let text = "name: x\nschedule: nonsense\nsteps:\n- {name: a, job: report, one_call: false, deadline_s: 0}\n- {name: a, job: report, one_call: true, deadline_s: 1}\n";
        let error = Pipeline::parse("x.yaml", text).unwrap_err();
        assert_eq!(error.problems.len(), 5, "{error}");
    }

    /// A missed night is caught up once, or not at all; a moment due while one runs is skipped.
    #[test]
    fn the_schedule_is_caught_up_once() {
        let schedule = Schedule::parse("0 2 * * *").unwrap();
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let (handled, started, now) = (at("2026-11-18T02:00:00Z"), at("2026-11-22T09:00:00Z"), at("2026-11-22T09:00:01Z"));
        let last = at("2026-11-22T02:00:00Z");
        assert_eq!(due_now(&schedule, handled, false, true, started, now), DueNow::Start(last));
        assert_eq!(due_now(&schedule, handled, false, false, started, now), DueNow::Nothing);
        assert_eq!(due_now(&schedule, handled, true, true, started, now), DueNow::Skip(last));
        assert_eq!(due_now(&schedule, last, false, true, started, now), DueNow::Nothing);
        // The clock was set back: nothing is run twice.
        assert_eq!(due_now(&schedule, last, false, true, started, at("2026-11-21T12:00:00Z")), DueNow::Nothing);
    }
}
