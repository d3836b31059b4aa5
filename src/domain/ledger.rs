//! The decisions of the ledger (rules 1 to 4): pure functions from a row to the row that replaces it.
//!
//! Adapters apply what is decided here by compare-and-set; they hold no policy of their own.

use crate::domain::backoff::RetryDelay;
use crate::domain::chance::Chance;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::job::{AlertDebt, Attempt, Job, JobState, Stage};
use crate::domain::outcome::{Cancelled, Category, Failure, Outcome};
use std::time::Duration;

/// The limits of rule 4 and the spacing of re-sends.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLimits {
    /// Attempts that may end in a counted outcome.
    pub counted: u32,
    /// Deaths seen by the living parent before a job is quarantined.
    pub deaths: u32,
    /// Starts without outcome after which the job goes to the end of its line and an alert is owed.
    pub orphans: u32,
    /// How long an attempt may go on without extending its lease.
    pub lease: Duration,
    /// How long after a send the sweeper sends again, doubling.
    pub resend_first: Duration,
    /// The longest such wait.
    pub resend_max: Duration,
    /// Delays between counted attempts.
    pub retry: RetryDelay,
}

/// What may be done with a delivered message.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    /// An attempt begins: put this row and this attempt.
    Start(Box<Started>),
    /// Not now: release the message till then, never ack it; it may be the only one.
    Held(Timestamp),
    /// Start refused after too many starts without outcome: put this row (end of the line, alert owed), then as `Held`.
    ToEndOfLine(Box<Job>),
    /// Nothing left to do for this message: ack it.
    Terminal,
}

/// An attempt that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The row to put.
    pub job: Job,
    /// The attempt to record.
    pub attempt: Attempt,
}

/// When a message that was sent for the `sends`-th time may be sent again.
pub fn next_send_at(limits: &LedgerLimits, sends: u32, now: Timestamp) -> Timestamp {
    let doubled = limits.resend_first.saturating_mul(1 << sends.saturating_sub(1).min(16));
    now.plus(doubled.min(limits.resend_max))
}

/// Whether the sweeper should send a message for the row now (its host's line permitting).
pub fn is_due(job: &Job, now: Timestamp) -> bool {
    if job.not_before > now {
        return false;
    }
    match job.state {
        JobState::Created | JobState::Parked => true,
        JobState::Sent => job.next_send_at <= now,
        JobState::Running => job.lease_until <= now && job.next_send_at <= now,
        JobState::Done | JobState::Dead | JobState::Cancelled => false,
    }
}

/// The row after a message for it was sent; a running row whose lease ran out stays running, so that its orphan is seen.
pub fn sent(job: &Job, limits: &LedgerLimits, now: Timestamp) -> Job {
    let sends = job.sends.saturating_add(1);
    let state = if job.state == JobState::Running { JobState::Running } else { JobState::Sent };
    Job { state, sends, next_send_at: next_send_at(limits, sends, now), ..job.clone() }
}

/// Decides what a delivered message of `generation` may do (rule 2). `ended` says that its session is over.
pub fn decide_begin(job: &Job, generation: u32, owner: &str, build: &str, ended: bool, limits: &LedgerLimits, now: Timestamp) -> Begin {
    if job.state.is_terminal() || generation < job.generation || (ended && job.generation == 1) {
        return Begin::Terminal;
    }
    if job.state == JobState::Running && job.lease_until > now {
        return Begin::Held(job.lease_until);
    }
    if job.not_before > now {
        return Begin::Held(job.not_before);
    }
    let orphaned = job.state == JobState::Running;
    let orphans = job.orphans + u32::from(orphaned);
    if orphaned && limits.orphans > 0 && orphans.is_multiple_of(limits.orphans) {
        let until = now.plus(limits.resend_first);
        let job =
            Job { state: JobState::Parked, orphans, owner: None, line_at: now, not_before: until, alert: AlertDebt::Owed, ..job.clone() };
        return Begin::ToEndOfLine(Box::new(job));
    }
    let fence = Timestamp(now.0.max(job.fence.0.saturating_add(1)));
    let number = job.attempts + 1;
    let row = Job {
        state: JobState::Running,
        attempts: number,
        orphans,
        fence,
        owner: Some(owner.to_owned()),
        lease_until: now.plus(limits.lease),
        ..job.clone()
    };
    let attempt = Attempt {
        job_id: job.new.id.clone(),
        generation: job.generation,
        number,
        fence,
        owner: owner.to_owned(),
        build: build.to_owned(),
        stage: Stage::Started,
        artist_ids: Vec::new(),
        ended_at: None,
        outcome: None,
        usage: crate::domain::job::Usage::default(),
    };
    Begin::Start(Box::new(Started { job: row, attempt }))
}

/// The artists whose feed entry and keys must be repeated, because an attempt was about to write them and never ended.
pub fn unfinished_writes(attempts: &[Attempt]) -> Vec<ArtistId> {
    let mut ids: Vec<ArtistId> = attempts
        .iter()
        .filter(|attempt| attempt.stage == Stage::Writing && attempt.outcome.is_none())
        .flat_map(|attempt| attempt.artist_ids.iter().cloned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Whether the job's parsing must run in a child process: it was started and never ended, or its worker was seen dying.
pub fn is_suspect(job: &Job) -> bool {
    job.orphans > 0 || job.deaths > 0
}

/// What to do with the message once the row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSettle {
    /// Ack it: the row is terminal, or parked and the sweeper will send another.
    Ack,
    /// Make it visible again after this long.
    Release(Duration),
}

/// A settled attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The row to put.
    pub job: Job,
    /// The outcome as recorded: a counted failure past the limit is `Dead`.
    pub outcome: Outcome,
    /// What to do with the message afterwards.
    pub message: AfterSettle,
}

/// Settles an attempt (rule 3): the one function that turns an outcome into a row.
///
/// `max_delay` is the longest delay that the queue can express; longer ones park the job in the ledger.
pub fn settle(job: &Job, outcome: Outcome, limits: &LedgerLimits, max_delay: Duration, chance: &Chance, now: Timestamp) -> Settled {
    let mut row = Job { owner: None, lease_until: now, ..job.clone() };
    let later = |mut row: Job, outcome: Outcome, delay: Duration| {
        row.not_before = now.plus(delay);
        row.next_send_at = next_send_at(limits, row.sends.max(1), row.not_before);
        let message = if delay <= max_delay {
            row.state = JobState::Sent;
            AfterSettle::Release(delay)
        } else {
            row.state = JobState::Parked;
            AfterSettle::Ack
        };
        row.outcome = Some(outcome.clone());
        Settled { job: row, outcome, message }
    };
    let ended = |mut row: Job, state: JobState, outcome: Outcome| {
        row.state = state;
        row.settled_at = Some(now);
        if state == JobState::Dead {
            row.alert = AlertDebt::Owed;
        }
        row.outcome = Some(outcome.clone());
        Settled { job: row, outcome, message: AfterSettle::Ack }
    };
    match outcome {
        Outcome::Done { .. } => ended(row, JobState::Done, outcome),
        Outcome::Cancelled { .. } => ended(row, JobState::Cancelled, outcome),
        Outcome::Dead { .. } => {
            row.counted += 1;
            ended(row, JobState::Dead, outcome)
        }
        Outcome::Wait { until, .. } => later(row, outcome, until.since(now)),
        Outcome::Retry { after, ref reason } => {
            row.counted += 1;
            let witnessed = matches!(reason.category, Category::Poison | Category::Bug);
            row.deaths += u32::from(witnessed);
            if row.deaths >= limits.deaths {
                let message = format!("quarantined after {} deaths of its worker; the last: {}", row.deaths, reason.message);
                let reason = Failure::new(Category::Poison, &reason.code, &reason.stage, message);
                return ended(row, JobState::Dead, Outcome::Dead { reason });
            }
            let (max_attempts, rule) = match job.new.retry {
                Some(own) => (own.max_attempts, own.delay),
                None => (limits.counted, limits.retry),
            };
            if row.counted >= max_attempts {
                let reason = reason.clone();
                return ended(row, JobState::Dead, Outcome::Dead { reason });
            }
            let delay = rule.jittered(row.counted, after, chance);
            later(row, outcome, delay)
        }
    }
}

/// The row after an operator requeued a dead letter: a new generation with fresh limits. `None` unless it is dead.
pub fn requeued(job: &Job, now: Timestamp) -> Option<Job> {
    (job.state == JobState::Dead).then(|| Job {
        state: JobState::Created,
        generation: job.generation + 1,
        sends: 0,
        next_send_at: now,
        not_before: Timestamp(0),
        line_at: now,
        attempts: 0,
        counted: 0,
        deaths: 0,
        orphans: 0,
        owner: None,
        settled_at: None,
        alert: AlertDebt::None,
        ..job.clone()
    })
}

/// The row after it was withdrawn. `None` if it is terminal and not a dead letter.
pub fn withdrawn(job: &Job, why: Cancelled, now: Timestamp) -> Option<Job> {
    (!job.state.is_terminal() || job.state == JobState::Dead).then(|| Job {
        state: JobState::Cancelled,
        owner: None,
        lease_until: now,
        settled_at: Some(now),
        outcome: Some(Outcome::Cancelled { why }),
        alert: AlertDebt::None,
        ..job.clone()
    })
}
