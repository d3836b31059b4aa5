//! A session (one execution of a pipeline), its steps, and when each of them is over.

use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::job::{AlertDebt, JobKind, JobState, StepRetry};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SessionState {
    /// The row stands.
    Created,
    /// Its steps run.
    Running,
    /// Every step ended; some of its jobs may have died, its report counts them.
    Completed,
    /// A step that is one call failed after its retries.
    Failed,
    /// Withdrawn by an operator.
    Cancelled,
}

impl SessionState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Created, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether it is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The state as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StepState {
    /// The step before it has not ended. Its jobs may run all the same: they are queued as they are found.
    Pending,
    /// Its root job or its jobs are open.
    Running,
    /// All its jobs are terminal.
    Succeeded,
    /// Its one call failed after the retries.
    Failed,
    /// Its deadline passed with jobs open.
    TimedOut,
    /// The session ended before it.
    Cancelled,
}

impl StepState {
    /// Whether it is over.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// How a session came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// By its schedule: its absences count.
    Scheduled,
    /// By hand.
    Manual,
    /// By hand, asking for every page anew instead of sparing those that earlier sessions kept.
    Fresh,
}

/// A step as the pipeline's file defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    /// Unique within the pipeline.
    pub name: String,
    /// The kind of its jobs.
    pub job: JobKind,
    /// Whether it is one call (a root job), or a fan-out of jobs that the steps before it queue.
    pub one_call: bool,
    /// Seconds after its start at which open jobs are cancelled.
    pub deadline_s: u64,
    /// Retry of the one call.
    pub retry: Option<StepRetry>,
}

/// A step of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// As defined when the session began.
    pub definition: StepDefinition,
    /// Where it stands.
    pub state: StepState,
    /// When the step before it had ended.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A session's row. Every change is a compare-and-set on `epoch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Derived from pipeline and schedule.
    pub id: SessionId,
    /// The pipeline's name.
    pub pipeline: String,
    /// The moment it was scheduled for; with `pipeline` its unique key.
    pub scheduled_for: Timestamp,
    /// How it came to be.
    pub trigger: Trigger,
    /// Where it stands.
    pub state: SessionState,
    /// Raised by every change.
    pub epoch: u64,
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed, for a person.
    pub failure: Option<String>,
    /// Whether the run gate held its absences back.
    pub held: bool,
    /// Whether a person let them pass all the same.
    #[serde(default)]
    pub accepted: bool,
    /// Where its report lies in the object store.
    pub report: Option<String>,
    /// Whether an alert is owed for it.
    pub alert: AlertDebt,
}

impl Session {
    /// A fresh session of a pipeline.
    pub fn created(pipeline: &str, steps: Vec<StepDefinition>, scheduled_for: Timestamp, trigger: Trigger, now: Timestamp) -> Self {
        let steps =
            steps.into_iter().map(|definition| Step { definition, state: StepState::Pending, started_at: None, ended_at: None }).collect();
        Self {
            id: SessionId::derived_from(pipeline, &scheduled_for.rfc3339()),
            pipeline: pipeline.to_owned(),
            scheduled_for,
            trigger,
            state: SessionState::Created,
            epoch: 0,
            steps,
            created_at: now,
            ended_at: None,
            failure: None,
            held: false,
            accepted: false,
            report: None,
            alert: AlertDebt::None,
        }
    }

    /// The step of a name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.definition.name == name)
    }

    /// The step whose jobs are of a kind.
    pub fn step_of(&self, kind: JobKind) -> Option<&Step> {
        self.steps.iter().find(|step| step.definition.job == kind)
    }
}

/// How many jobs of a step are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCounts(pub BTreeMap<String, BTreeMap<JobState, u64>>);

impl StepCounts {
    /// Jobs of `step` in `state`.
    pub fn of(&self, step: &str, state: JobState) -> u64 {
        self.0.get(step).and_then(|states| states.get(&state)).copied().unwrap_or(0)
    }

    /// Jobs of `step` in any state.
    pub fn all(&self, step: &str) -> u64 {
        self.0.get(step).map_or(0, |states| states.values().sum())
    }

    /// Jobs of `step` that are not terminal.
    pub fn open(&self, step: &str) -> u64 {
        self.0.get(step).map_or(0, |states| states.iter().filter(|(state, _)| !state.is_terminal()).map(|(_, n)| n).sum())
    }
}

/// What is to be done next about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Nothing has changed.
    Nothing,
    /// Put this row.
    Put(Box<Session>),
    /// Insert the root job of this step (its id is derived, so doing it again is harmless), then put this row.
    StartRoot(Box<Session>, usize),
    /// Cancel the open jobs of this step (deadline), then look again.
    CancelOpen(usize),
}

impl Eq for Session {}

/// Decides the next move of a session from the ledger's counts (rule 1): a step ends when the step before it ended and
/// its own root row and jobs are terminal; at its deadline its open jobs are cancelled.
pub fn advance(session: &Session, counts: &StepCounts, now: Timestamp) -> Advance {
    if session.state.is_terminal() {
        return Advance::Nothing;
    }
    let mut next = session.clone();
    next.epoch += 1;
    if session.state == SessionState::Created {
        next.state = SessionState::Running;
    }
    let Some(index) = session.steps.iter().position(|step| !step.state.is_terminal()) else {
        next.state = SessionState::Completed;
        next.ended_at = Some(now);
        return Advance::Put(Box::new(next));
    };
    let step = &session.steps[index];
    let name = &step.definition.name;
    if step.state == StepState::Pending {
        next.steps[index].state = StepState::Running;
        next.steps[index].started_at = Some(now);
        return if step.definition.one_call { Advance::StartRoot(Box::new(next), index) } else { Advance::Put(Box::new(next)) };
    }
    let open = counts.open(name);
    if step.definition.one_call && counts.of(name, JobState::Dead) > 0 {
        next.steps[index].state = StepState::Failed;
        next.steps[index].ended_at = Some(now);
        for later in &mut next.steps[index + 1..] {
            later.state = StepState::Cancelled;
        }
        next.state = SessionState::Failed;
        next.ended_at = Some(now);
        next.failure = Some(format!("step {name} failed after its retries"));
        next.alert = AlertDebt::Owed;
        return Advance::Put(Box::new(next));
    }
    // A one-call step without any row yet: the root is inserted again, whoever died before it stood.
    if step.definition.one_call && counts.all(name) == 0 {
        return Advance::StartRoot(Box::new(next), index);
    }
    if open > 0 {
        let deadline = step.started_at.unwrap_or(session.created_at).plus(std::time::Duration::from_secs(step.definition.deadline_s));
        return if now >= deadline { Advance::CancelOpen(index) } else { unless_same(session, next) };
    }
    let timed_out = counts.of(name, JobState::Cancelled) > 0
        && step.started_at.is_some_and(|at| now >= at.plus(std::time::Duration::from_secs(step.definition.deadline_s)));
    next.steps[index].state = if timed_out { StepState::TimedOut } else { StepState::Succeeded };
    next.steps[index].ended_at = Some(now);
    Advance::Put(Box::new(next))
}

fn unless_same(session: &Session, next: Session) -> Advance {
    if session.state == next.state { Advance::Nothing } else { Advance::Put(Box::new(next)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, job: JobKind, one_call: bool) -> StepDefinition {
        StepDefinition { name: name.into(), job, one_call, deadline_s: 100, retry: None }
    }
    fn session() -> Session {
        let steps = vec![definition("discover", JobKind::DiscoverStudios, true), definition("scrape", JobKind::ScrapeArtist, false)];
        Session::created("daily", steps, Timestamp(0), Trigger::Manual, Timestamp(0))
    }
    fn counts(rows: &[(&str, JobState, u64)]) -> StepCounts {
        let mut counts = StepCounts::default();
        for (step, state, n) in rows {
            counts.0.entry((*step).into()).or_default().insert(*state, *n);
        }
        counts
    }
    fn put(advance: Advance) -> Session {
        match advance {
            Advance::Put(session) | Advance::StartRoot(session, _) => *session,
            other => panic!("expected a row, got {other:?}"),
        }
    }

    /// 002-R2: steps end in order; a step's jobs may be done before the step before it has ended.
    #[test]
    fn steps_end_in_order() {
        let one = put(advance(&session(), &StepCounts::default(), Timestamp(1)));
        assert_eq!((one.state, one.steps[0].state), (SessionState::Running, StepState::Running));
        let early = counts(&[("discover", JobState::Running, 1), ("scrape", JobState::Done, 5)]);
        assert_eq!(advance(&one, &early, Timestamp(2)), Advance::Nothing);
        let drained = counts(&[("discover", JobState::Done, 1), ("scrape", JobState::Done, 5), ("scrape", JobState::Dead, 1)]);
        let two = put(advance(&one, &drained, Timestamp(3)));
        assert_eq!(two.steps[0].state, StepState::Succeeded);
        let three = put(advance(&two, &drained, Timestamp(4)));
        let four = put(advance(&three, &drained, Timestamp(5)));
        assert_eq!(four.steps[1].state, StepState::Succeeded);
        assert_eq!(put(advance(&four, &drained, Timestamp(6))).state, SessionState::Completed);
    }

    /// 002-R7: a one-call step that died fails the session, and an alert is owed.
    #[test]
    fn a_dead_root_fails_the_session() {
        let one = put(advance(&session(), &StepCounts::default(), Timestamp(1)));
        let failed = put(advance(&one, &counts(&[("discover", JobState::Dead, 1)]), Timestamp(2)));
        assert_eq!((failed.state, failed.alert), (SessionState::Failed, AlertDebt::Owed));
        assert_eq!(failed.steps[1].state, StepState::Cancelled);
    }

    #[test]
    fn open_jobs_are_cancelled_at_the_deadline() {
        let one = put(advance(&session(), &StepCounts::default(), Timestamp(1)));
        let open = counts(&[("discover", JobState::Sent, 1)]);
        assert_eq!(advance(&one, &open, Timestamp(99_000_000)), Advance::Nothing);
        assert_eq!(advance(&one, &open, Timestamp(100_000_002)), Advance::CancelOpen(0));
        let cancelled = counts(&[("discover", JobState::Cancelled, 1)]);
        assert_eq!(put(advance(&one, &cancelled, Timestamp(100_000_003))).steps[0].state, StepState::TimedOut);
    }

    #[test]
    fn a_root_that_was_never_inserted_is_inserted_again() {
        let one = put(advance(&session(), &StepCounts::default(), Timestamp(1)));
        assert!(matches!(advance(&one, &StepCounts::default(), Timestamp(2)), Advance::StartRoot(_, 0)));
    }
}
