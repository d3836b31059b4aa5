//! The progress of a session: bars on a terminal, plain lines elsewhere.

use crate::cli::output;
use indicatif::{ProgressBar, ProgressStyle};
use inkdex::domain::clock::Clock;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::JobState;
use inkdex::domain::outcome::Outcome;
use inkdex::domain::session::{Session, StepCounts, StepState};
use inkdex::store::Store;
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the ledger is asked.
const EVERY: Duration = Duration::from_millis(100);
/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Over how long the pace is taken.
const PACE_OVER: Duration = Duration::from_secs(10);
/// How long nothing may end before one asks what is waited for.
const STILL_AFTER: Duration = Duration::from_secs(3);
/// Longest reason that is shown, characters.
const WHY_MAX_CHARS: usize = 140;

/// How long a session's row may be missing before it is taken for one of another database.
const ROW_WITHIN: Duration = Duration::from_secs(10);

/// The bar that is drawn now, if one is.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes something on standard error without tearing the bar.
pub fn beside_bar<T>(write: impl FnOnce() -> T) -> T {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Follows a session until it is over, showing steps, jobs done, waiting and failed, rate and time left.
///
/// # Errors
/// The store failed, or knows no such session.
pub async fn follow(store: &dyn Store, clock: &dyn Clock, id: &SessionId, quiet: bool) -> anyhow::Result<Session> {
    let mut view = View::new(quiet);
    let began = clock.monotonic();
    let mut pace = Pace::default();
    let (mut why, mut asked_at) = (None, Duration::ZERO);
    loop {
        let session = store.session(id).await?;
        let counts = store.step_counts(id).await?;
        let elapsed = clock.monotonic().saturating_sub(began);
        match session {
            Some(session) => {
                pace.see(elapsed, Sum::of(&session, &counts).over());
                if !pace.is_still() {
                    why = None;
                } else if elapsed.saturating_sub(asked_at) >= LINE_EVERY {
                    asked_at = elapsed;
                    why = waits_for(store, clock, id).await?;
                }
                view.show(&session, &counts, elapsed, &pace, why.as_deref());
                if session.state.is_terminal() {
                    view.end(&session, &counts, elapsed, &pace);
                    return Ok(session);
                }
            }
            None if elapsed > ROW_WITHIN => anyhow::bail!(
                "session {id} is not in this database; the daemon asked works on another one: give this command the daemon's configuration"
            ),
            None => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}

enum View {
    Quiet,
    Bar(ProgressBar),
    Lines { last: Option<Duration> },
}

/// Jobs of a session, added up.
struct Sum {
    all: u64,
    done: u64,
    running: u64,
    waiting: u64,
    dead: u64,
}

impl Sum {
    fn of(session: &Session, counts: &StepCounts) -> Self {
        let mut sum = Self { all: 0, done: 0, running: 0, waiting: 0, dead: 0 };
        for step in &session.steps {
            let name = &step.definition.name;
            let of = |state| counts.of(name, state);
            sum.all += counts.all(name);
            sum.done += of(JobState::Done) + of(JobState::Cancelled);
            sum.running += of(JobState::Running);
            sum.waiting += of(JobState::Created) + of(JobState::Sent) + of(JobState::Parked);
            sum.dead += of(JobState::Dead);
        }
        sum
    }

    fn over(&self) -> u64 {
        self.done + self.dead
    }

    fn counts(&self, pace: &Pace) -> String {
        let open = self.all.saturating_sub(self.over());
        let pace = match pace.per_second() {
            Some(rate) if open > 0 => format!("  {rate:.1}/s, ~{:.0} s left", (open as f64 / rate).ceil()),
            Some(rate) => format!("  {rate:.1}/s"),
            None => String::new(),
        };
        format!("{} running, {} waiting, {} failed{pace}", self.running, self.waiting, self.dead)
    }

    fn line(&self, session: &Session, pace: &Pace) -> String {
        format!("{}  {} done, {}", steps_of(session), self.done, self.counts(pace))
    }
}

/// How fast jobs ended of late: what ended before we looked says nothing about it.
#[derive(Debug, Default)]
struct Pace {
    /// When we looked, and how many jobs were over then.
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    fn see(&mut self, elapsed: Duration, over: u64) {
        self.seen.push_back((elapsed, over));
        // The oldest that is kept lies just before the window.
        while self.seen.get(1).is_some_and(|(at, _)| elapsed.saturating_sub(*at) > PACE_OVER) {
            self.seen.pop_front();
        }
    }

    /// Jobs a second; none if none ended of late.
    fn per_second(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.seen.front()?, self.seen.back()?);
        let (time, ended) = (to.saturating_sub(*from).as_secs_f64(), now.saturating_sub(*before));
        (time > 0.0 && ended > 0).then(|| ended as f64 / time)
    }

    /// Whether nothing has ended for a while.
    fn is_still(&self) -> bool {
        let span = self.seen.back().zip(self.seen.front()).map(|((to, _), (from, _))| to.saturating_sub(*from));
        self.per_second().is_none() && span.is_some_and(|span| span >= STILL_AFTER)
    }
}

/// What a session that stands still waits for, in the words of one of its jobs.
async fn waits_for(store: &dyn Store, clock: &dyn Clock, id: &SessionId) -> anyhow::Result<Option<String>> {
    let now = clock.now();
    let parked = store.jobs_in(id, Some(JobState::Parked), None, 50).await?;
    let Some(job) = parked.iter().filter(|job| job.not_before > now).min_by_key(|job| job.not_before) else { return Ok(None) };
    let attempts = store.attempts(job.id()).await?;
    let why = match attempts.iter().rev().find_map(|attempt| attempt.outcome.as_ref()) {
        Some(Outcome::Retry { reason, .. }) => reason.message.clone(),
        Some(Outcome::Wait { why, .. }) => {
            format!("{} waits for its turn ({why:?})", job.new.host.as_deref().unwrap_or("a job")).to_lowercase()
        }
        _ => return Ok(None),
    };
    Ok(Some(format!("{}; tried again in {}", output::short(&why, WHY_MAX_CHARS), output::span(job.not_before.since(now)))))
}

fn steps_of(session: &Session) -> String {
    session.steps.iter().map(|step| format!("{} {}", mark(step.state), step.definition.name)).collect::<Vec<_>>().join("  ")
}

fn mark(state: StepState) -> char {
    match state {
        StepState::Pending => '·',
        StepState::Running => '▸',
        StepState::Succeeded => '✓',
        StepState::Failed | StepState::TimedOut | StepState::Cancelled => '✗',
    }
}

impl View {
    fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::new(1);
        // The template is a constant of ours; should it ever be wrong, the plain bar shows as much.
        let style =
            ProgressStyle::with_template("{prefix}\n{bar:16.cyan/dim} {pos}/{len}  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self::Bar(bar)
    }

    fn show(&mut self, session: &Session, counts: &StepCounts, elapsed: Duration, pace: &Pace, why: Option<&str>) {
        let sum = Sum::of(session, counts);
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_length(sum.all.max(1));
                bar.set_position(sum.over());
                bar.set_prefix(match why {
                    Some(why) => format!("{}\n{why}", steps_of(session)),
                    None => steps_of(session),
                });
                bar.set_message(sum.counts(pace));
            }
            Self::Lines { last } => {
                if last.is_none_or(|at| elapsed.saturating_sub(at) >= LINE_EVERY) {
                    *last = Some(elapsed);
                    eprintln!("{:>6.1} s  {}", elapsed.as_secs_f64(), sum.line(session, pace));
                    if let Some(why) = why {
                        eprintln!("          {why}");
                    }
                }
            }
        }
    }

    fn end(&mut self, session: &Session, counts: &StepCounts, elapsed: Duration, pace: &Pace) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines { .. } => eprintln!("{:>6.1} s  {}", elapsed.as_secs_f64(), Sum::of(session, counts).line(session, pace)),
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
            *BAR.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(seen: &[(u64, u64)]) -> Pace {
        let mut pace = Pace::default();
        for (second, over) in seen {
            pace.see(Duration::from_secs(*second), *over);
        }
        pace
    }

    /// What an earlier process did is nobody's pace, and what ended long ago is none either.
    #[test]
    fn the_pace_is_that_of_late() {
        assert_eq!(pace(&[(0, 19_000)]).per_second(), None);
        assert_eq!(pace(&[(0, 100), (2, 110)]).per_second(), Some(5.0));
        assert_eq!(pace(&[(0, 0), (5, 100), (10, 100), (16, 100), (21, 100)]).per_second(), None);
        assert!(pace(&[(0, 1), (4, 1)]).is_still());
        assert!(!pace(&[(0, 1), (4, 2)]).is_still() && !pace(&[(0, 1)]).is_still());
    }
}
