//! The progress of a session: bars on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use inkdex::domain::clock::Clock;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::JobState;
use inkdex::domain::session::{Session, StepCounts, StepState};
use inkdex::store::Store;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the ledger is asked.
const EVERY: Duration = Duration::from_millis(100);
/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(2);

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
    loop {
        let session = store.session(id).await?;
        let counts = store.step_counts(id).await?;
        let elapsed = clock.monotonic().saturating_sub(began);
        match session {
            Some(session) => {
                view.show(&session, &counts, elapsed);
                if session.state.is_terminal() {
                    view.end(&session, &counts, elapsed);
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

    fn counts(&self, elapsed: Duration) -> String {
        let ended = self.done + self.dead;
        let rate = ended as f64 / elapsed.as_secs_f64().max(0.001);
        let open = self.all.saturating_sub(ended);
        let left = if rate > 0.0 && open > 0 { format!(", about {:.0} s left", (open as f64 / rate).ceil()) } else { String::new() };
        format!("{} running, {} waiting, {} failed  {rate:.1} jobs/s{left}", self.running, self.waiting, self.dead)
    }

    fn line(&self, session: &Session, elapsed: Duration) -> String {
        format!("{}  {} done, {}", steps_of(session), self.done, self.counts(elapsed))
    }
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
            ProgressStyle::with_template("{prefix}\n{bar:30.cyan/dim} {pos}/{len}  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self::Bar(bar)
    }

    fn show(&mut self, session: &Session, counts: &StepCounts, elapsed: Duration) {
        let sum = Sum::of(session, counts);
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_length(sum.all.max(1));
                bar.set_position(sum.done + sum.dead);
                bar.set_prefix(steps_of(session));
                bar.set_message(sum.counts(elapsed));
            }
            Self::Lines { last } => {
                if last.is_none_or(|at| elapsed.saturating_sub(at) >= LINE_EVERY) {
                    *last = Some(elapsed);
                    eprintln!("{:>6.1} s  {}", elapsed.as_secs_f64(), sum.line(session, elapsed));
                }
            }
        }
    }

    fn end(&mut self, session: &Session, counts: &StepCounts, elapsed: Duration) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines { .. } => eprintln!("{:>6.1} s  {}", elapsed.as_secs_f64(), Sum::of(session, counts).line(session, elapsed)),
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
