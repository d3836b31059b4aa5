//! The decisions of the ledger (rules 1 to 4): pure functions from a row to the row that replaces it.
//!
//! Adapters apply what is decided here by compare-and-set; they hold no policy of their own.

use crate::domain::backoff::RetryDelay;
use crate::domain::chance::Chance;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::domain::job::{AlertDebt, Attempt, Job, JobState, Stage, Task};
use crate::domain::outcome::{Cancelled, Category, Failure, Outcome};
use std::time::Duration;
use url::Url;

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

/// The artists whose feed entry and keys must be repeated, because an attempt was about to write them and did not end done:
/// it died, or it was given up while its write may have been under way.
pub fn unfinished_writes(attempts: &[Attempt]) -> Vec<ArtistId> {
    let mut ids: Vec<ArtistId> = attempts
        .iter()
        .filter(|attempt| attempt.stage == Stage::Writing && !matches!(attempt.outcome, Some(Outcome::Done { .. })))
        .flat_map(|attempt| attempt.artist_ids.iter().cloned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Whether the job's parsing must run in a child process: it was started and never ended, its worker was seen dying, or
/// it was quarantined before it was requeued and has not ended otherwise since.
pub fn is_suspect(job: &Job) -> bool {
    let quarantined = matches!(&job.outcome, Some(Outcome::Dead { reason }) if reason.category == Category::Poison);
    job.orphans > 0 || job.deaths > 0 || quarantined
}

/// Whether the attempt is the one that runs the row. A row that others touched meanwhile (a message sent again, a lease
/// extended) is settled from its newest state if this holds; if not, the attempt is over and stops silently.
pub fn is_current(job: &Job, attempt: &Attempt) -> bool {
    job.state == JobState::Running
        && (job.id(), job.generation, job.attempts, job.fence) == (&attempt.job_id, attempt.generation, attempt.number, attempt.fence)
}

/// The row after its running attempt showed that it is alive; `None` if the attempt no longer runs it.
pub fn extended(job: &Job, attempt: &Attempt, limits: &LedgerLimits, now: Timestamp) -> Option<Job> {
    is_current(job, attempt).then(|| Job { lease_until: now.plus(limits.lease), ..job.clone() })
}

/// Whether one more counted failure, that of the attempt in work, is the job's last.
pub fn is_last_attempt(job: &Job, limits: &LedgerLimits) -> bool {
    job.counted.saturating_add(1) >= job.new.retry.map_or(limits.counted, |own| own.max_attempts)
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
        Outcome::Cancelled { why } => {
            let end = ended(row, JobState::Cancelled, outcome);
            // Rule 15: the removal may have looked for jobs before this one was made.
            if why == Cancelled::Removed { Settled { job: erased(&end.job, now), ..end } } else { end }
        }
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
            if is_last_attempt(job, limits) {
                let reason = reason.clone();
                return ended(row, JobState::Dead, Outcome::Dead { reason });
            }
            let rule = job.new.retry.map_or(limits.retry, |own| own.delay);
            let delay = rule.jittered(row.counted, after, chance);
            later(row, outcome, delay)
        }
    }
}

/// The row of a job that is a dead letter from the start: there is nothing to attempt.
pub fn dead_at_once(job: &Job, reason: Failure, now: Timestamp) -> Job {
    Job { state: JobState::Dead, settled_at: Some(now), outcome: Some(Outcome::Dead { reason }), alert: AlertDebt::Owed, ..job.clone() }
}

/// The row after its message was taken out of the queue without having been begun: a sent one is due again at once, any other
/// is found by what it waits for. `None` if there is nothing to change.
pub fn unsent(job: &Job, now: Timestamp) -> Option<Job> {
    (job.state == JobState::Sent).then(|| Job { state: JobState::Created, next_send_at: now, ..job.clone() })
}

/// The row after an operator requeued a dead letter: a new generation with fresh limits. `None` unless it is dead.
pub fn requeued(job: &Job, now: Timestamp) -> Option<Job> {
    (job.state == JobState::Dead).then(|| again(job, now))
}

/// The row of a job that was done and is to be done again as a new generation. `None` if it is not done.
pub fn repeated(job: &Job, now: Timestamp) -> Option<Job> {
    (job.state == JobState::Done).then(|| again(job, now))
}

fn again(job: &Job, now: Timestamp) -> Job {
    Job {
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
    }
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

/// The row of a job about a person who was removed: withdrawn unless it was done, and without anything that names them.
pub fn erased(job: &Job, now: Timestamp) -> Job {
    let mut row = withdrawn(job, Cancelled::Removed, now).unwrap_or_else(|| job.clone());
    // Often the person's own domain. A terminal row is in no host's line.
    row.new.host = None;
    if let Task::ScrapeArtist(task) = &mut row.new.task {
        task.name = "removed".to_owned();
        task.instagram = None;
        task.entry = Url::parse("https://removed.invalid/").expect("a constant that parses");
        task.listed_on = None;
        task.own_site = false;
        task.studio_id = None;
    }
    row.outcome = row.outcome.map(erased_outcome);
    row
}

/// An attempt without what its outcome may say about a person.
pub fn erased_attempt(attempt: &Attempt) -> Attempt {
    Attempt { outcome: attempt.outcome.clone().map(erased_outcome), ..attempt.clone() }
}

/// An outcome without what its message may say about a person.
pub fn erased_outcome(outcome: Outcome) -> Outcome {
    let blank = |reason: Failure| Failure { message: "removed by request".to_owned(), ..reason };
    match outcome {
        Outcome::Retry { after, reason } => Outcome::Retry { after, reason: blank(reason) },
        Outcome::Dead { reason } => Outcome::Dead { reason: blank(reason) },
        outcome @ (Outcome::Done { .. } | Outcome::Wait { .. } | Outcome::Cancelled { .. }) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{SessionId, StudioId};
    use crate::domain::job::{NewJob, Task};
    use crate::domain::outcome::{Done, WaitFor};
    use proptest::prelude::*;

    const MAX_DELAY: Duration = Duration::from_secs(900);

    fn limits() -> LedgerLimits {
        LedgerLimits {
            counted: 5,
            deaths: 3,
            orphans: 10,
            lease: Duration::from_secs(60),
            resend_first: Duration::from_secs(600),
            resend_max: Duration::from_secs(21_600),
            retry: RetryDelay { interval_ms: 1_000, rate: 2.0, max_ms: 60_000 },
        }
    }
    fn job() -> Job {
        let task = Task::FindArtists { studio_id: StudioId::new("studio-1") };
        Job::created(NewJob::new(&SessionId::new("s"), "find", task, None), Timestamp(1))
    }
    fn start(job: &Job, now: Timestamp) -> (Job, Attempt) {
        match decide_begin(job, job.generation, "w", "build", false, &limits(), now) {
            Begin::Start(started) => (started.job, started.attempt),
            other => panic!("expected a start, got {other:?}"),
        }
    }
    fn settled(job: &Job, outcome: Outcome, now: Timestamp) -> Settled {
        settle(job, outcome, &limits(), MAX_DELAY, &Chance::seeded(7), now)
    }
    fn failure(category: Category) -> Failure {
        Failure::new(category, "code", "fetch", "it failed")
    }
    fn retry(category: Category, after: Option<Duration>) -> Outcome {
        Outcome::Retry { after, reason: failure(category) }
    }
    fn seconds(n: u64) -> Timestamp {
        Timestamp(0).plus(Duration::from_secs(n))
    }

    /// Rule 1: 10 minutes after the last send, doubling to 6 hours.
    #[test]
    fn sends_space_out_up_to_six_hours() {
        let minutes: Vec<u64> = (1..=8).map(|sends| next_send_at(&limits(), sends, seconds(0)).since(seconds(0)).as_secs() / 60).collect();
        assert_eq!(minutes, [10, 20, 40, 80, 160, 320, 360, 360]);
        assert_eq!(next_send_at(&limits(), u32::MAX, seconds(0)), seconds(21_600));
    }

    #[test]
    fn a_sent_row_is_due_again_only_after_its_spacing() {
        let row = sent(&job(), &limits(), seconds(100));
        assert_eq!((row.state, row.sends), (JobState::Sent, 1));
        assert!(!is_due(&row, seconds(699)) && is_due(&row, seconds(700)));
    }

    /// Rule 2: alive or early is held, terminal, old or of an ended session is acked.
    #[test]
    fn a_message_meets_every_state() {
        let fresh = job();
        let begin =
            |job: &Job, generation: u32, ended: bool, now: u64| decide_begin(job, generation, "w", "build", ended, &limits(), seconds(now));
        let (running, _) = start(&fresh, seconds(100));
        assert_eq!(begin(&running, 1, false, 159), Begin::Held(seconds(160)));
        assert!(matches!(begin(&running, 1, false, 160), Begin::Start(_)), "its lease ran out");
        let early = Job { not_before: seconds(500), ..fresh.clone() };
        assert_eq!(begin(&early, 1, false, 499), Begin::Held(seconds(500)));
        assert!(matches!(begin(&early, 1, false, 500), Begin::Start(_)));
        for state in [JobState::Done, JobState::Dead, JobState::Cancelled] {
            assert_eq!(begin(&Job { state, ..fresh.clone() }, 1, false, 100), Begin::Terminal);
        }
        assert_eq!(begin(&fresh, 1, true, 100), Begin::Terminal, "its session is over");
        let by_hand = Job { generation: 2, ..fresh };
        assert_eq!(begin(&by_hand, 1, false, 100), Begin::Terminal, "of an older generation");
        assert!(matches!(begin(&by_hand, 2, true, 100), Begin::Start(_)), "requeued by hand, after its session");
    }

    /// Rule 15: nothing of a removed person is left in a row, its host included.
    #[test]
    fn an_erased_row_names_nobody() {
        let entry = Url::parse("https://ana.example/").unwrap();
        let task = crate::domain::job::ScrapeTask {
            studio_id: Some(StudioId::new("studio-1")),
            name: "Ana Lima".to_owned(),
            instagram: Some("ana".to_owned()),
            listed_on: Some(entry.clone()),
            entry,
            own_site: true,
        };
        let new = NewJob::new(&SessionId::new("s"), "scrape", Task::ScrapeArtist(Box::new(task)), Some("ana.example".to_owned()));
        let open = Job::created(new, seconds(1));
        let done = Job { state: JobState::Done, outcome: Some(Outcome::Done { how: Done::Gone }), ..open.clone() };
        for job in [open, done] {
            let is_open = !job.state.is_terminal();
            let row = erased(&job, seconds(2));
            let text = serde_json::to_string(&row).unwrap().to_lowercase();
            assert!(row.state.is_terminal() && !text.contains("ana"), "{text}");
            if is_open {
                let end = settled(&start(&job, seconds(3)).0, Outcome::Cancelled { why: Cancelled::Removed }, seconds(4));
                let text = serde_json::to_string(&end.job).unwrap().to_lowercase();
                assert!(end.job.cancelled() == Some(Cancelled::Removed) && !text.contains("ana"), "{text}");
            }
        }
    }

    #[test]
    fn fences_rise_though_the_clock_steps_back() {
        let (first, _) = start(&job(), seconds(1_000));
        let back = Job { lease_until: Timestamp(0), ..first.clone() };
        let (second, attempt) = start(&back, seconds(10));
        assert!(second.fence > first.fence);
        assert_eq!((attempt.fence, attempt.number), (second.fence, 2));
    }

    /// 002-R37, rule 3: a delay that the queue can express goes back to it, a longer one parks the row.
    #[test]
    fn long_delays_park_and_short_ones_release() {
        let (running, _) = start(&job(), seconds(100));
        let short = settled(&running, Outcome::Wait { until: seconds(1_000), why: WaitFor::Host }, seconds(100));
        assert_eq!((short.job.state, short.message), (JobState::Sent, AfterSettle::Release(MAX_DELAY)));
        assert_eq!(short.job.not_before, seconds(1_000));
        let long = settled(&running, Outcome::Wait { until: seconds(1_001), why: WaitFor::Host }, seconds(100));
        assert_eq!((long.job.state, long.message), (JobState::Parked, AfterSettle::Ack));
        let past = settled(&running, Outcome::Wait { until: seconds(1), why: WaitFor::Stop }, seconds(100));
        assert_eq!(past.message, AfterSettle::Release(Duration::ZERO));
        let asked = settled(&running, retry(Category::Transient, Some(Duration::from_secs(3_600))), seconds(100));
        assert_eq!((asked.job.state, asked.job.not_before), (JobState::Parked, seconds(3_700)), "Retry-After is obeyed");
    }

    /// 002-R5, 002-R7: a step that is one call has a rule of its own.
    #[test]
    fn a_step_may_have_its_own_limit() {
        let mut own = job();
        let delay = RetryDelay { interval_ms: 2_000, rate: 2.0, max_ms: 60_000 };
        own.new.retry = Some(crate::domain::job::StepRetry { max_attempts: 3, delay });
        let mut now = 100;
        for attempt in 1..=3 {
            let (running, _) = start(&own, seconds(now));
            let end = settled(&running, retry(Category::Transient, None), seconds(now));
            assert_eq!(end.job.state == JobState::Dead, attempt == 3, "attempt {attempt}");
            assert_eq!(end.job.alert == AlertDebt::Owed, attempt == 3);
            own = end.job;
            now += 600;
        }
    }

    /// Rule 4: deaths that the parent saw are quarantined at three, whatever the counted limit.
    #[test]
    fn seen_deaths_quarantine_and_stay_suspect_when_requeued() {
        let mut row = job();
        for death in 1..=3 {
            let (running, _) = start(&row, seconds(death * 1_000));
            assert_eq!(is_suspect(&running), death > 1);
            row = settled(&running, retry(Category::Poison, None), seconds(death * 1_000)).job;
        }
        assert_eq!(row.death().map(|reason| reason.category), Some(Category::Poison));
        let again = requeued(&row, seconds(9_000)).unwrap();
        assert!(is_suspect(&again), "what killed its worker is not tried beside healthy jobs again");
        let (running, _) = start(&again, seconds(9_000));
        let fine = settled(&running, retry(Category::Transient, None), seconds(9_000)).job;
        assert!(!is_suspect(&fine));
    }

    /// Rule 4: the daemon's own death counts for nobody, but not for ever.
    #[test]
    fn every_tenth_orphan_goes_to_the_end_of_the_line() {
        let mut row = job();
        let mut ends_of_line = Vec::new();
        for start in 0..35_u32 {
            let now = seconds(1_000 * u64::from(start + 1));
            match decide_begin(&row, 1, "w", "build", false, &limits(), now) {
                Begin::Start(started) => row = started.job,
                Begin::ToEndOfLine(held) => {
                    assert_eq!((held.line_at, held.not_before, held.alert), (now, now.plus(limits().resend_first), AlertDebt::Owed));
                    ends_of_line.push(held.orphans);
                    row = *held;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(ends_of_line, [10, 20, 30]);
        assert_eq!((row.counted, row.deaths), (0, 0));
    }

    #[test]
    fn only_the_attempt_that_runs_a_row_is_current() {
        let (running, attempt) = start(&job(), seconds(100));
        assert!(is_current(&running, &attempt));
        let longer = extended(&running, &attempt, &limits(), seconds(130)).unwrap();
        assert_eq!(longer.lease_until, seconds(190));
        let resent = sent(&longer, &limits(), seconds(1_000));
        assert!(is_current(&resent, &attempt), "a message sent again does not end the attempt");
        let (second, _) = start(&resent, seconds(1_000));
        assert!(!is_current(&second, &attempt));
        assert_eq!(extended(&second, &attempt, &limits(), seconds(1_000)), None);
        let done = settled(&running, Outcome::Done { how: Done::Written }, seconds(110)).job;
        assert!(!is_current(&done, &attempt));
    }

    #[test]
    fn unfinished_writes_name_each_artist_once() {
        let (_, attempt) = start(&job(), seconds(100));
        let ids = |names: &[&str]| names.iter().map(|name| ArtistId::new(*name)).collect::<Vec<_>>();
        let writing = |names: &[&str]| Attempt { stage: Stage::Writing, artist_ids: ids(names), ..attempt.clone() };
        let ended = Attempt { outcome: Some(Outcome::Done { how: Done::Written }), ..writing(&["ended"]) };
        let started = Attempt { stage: Stage::Started, ..writing(&["not yet"]) };
        // The Writer may still have been at it when a stalled attempt was given up.
        let given_up = Attempt { outcome: Some(retry(Category::Poison, None)), ..writing(&["c"]) };
        let attempts = [writing(&["b", "a"]), writing(&["a"]), ended, started, given_up];
        assert_eq!(unfinished_writes(&attempts), ids(&["a", "b", "c"]));
    }

    /// What happens to a row in a run of the model.
    #[derive(Debug, Clone)]
    enum Step {
        Pass(u64),
        Send,
        Deliver,
        Orphan,
        Settle(u8),
        Requeue,
        Withdraw,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u64..2_000).prop_map(Step::Pass),
            Just(Step::Send),
            Just(Step::Deliver),
            Just(Step::Orphan),
            (0u8..5).prop_map(Step::Settle),
            Just(Step::Requeue),
            Just(Step::Withdraw),
        ]
    }

    proptest! {
        /// Whatever happens to a row: fences rise, limits hold, an open row is always due some day, a terminal one never.
        #[test]
        fn a_row_is_never_lost_and_never_over_its_limits(steps in proptest::collection::vec(step(), 1..60)) {
            let mut row = job();
            let mut now = seconds(1);
            for step in steps {
                let before = row.clone();
                match step {
                    Step::Pass(s) => now = now.plus(Duration::from_secs(s)),
                    Step::Send if is_due(&row, now) => row = sent(&row, &limits(), now),
                    Step::Deliver => match decide_begin(&row, row.generation, "w", "build", false, &limits(), now) {
                        Begin::Start(started) => {
                            prop_assert!(started.attempt.fence > before.fence);
                            prop_assert_eq!(started.job.orphans > before.orphans, before.state == JobState::Running);
                            row = started.job;
                        }
                        Begin::ToEndOfLine(held) => row = *held,
                        Begin::Held(until) => prop_assert!(until > now && !row.state.is_terminal()),
                        Begin::Terminal => prop_assert!(row.state.is_terminal()),
                    },
                    Step::Orphan => row.lease_until = row.lease_until.min(now),
                    Step::Settle(n) if row.state == JobState::Running => {
                        let outcome = match n {
                            0 => Outcome::Done { how: Done::Unchanged },
                            1 => Outcome::Wait { until: now.plus(Duration::from_secs(5_000)), why: WaitFor::Host },
                            2 => retry(Category::Transient, None),
                            3 => retry(Category::Bug, None),
                            _ => Outcome::Dead { reason: failure(Category::Data) },
                        };
                        let end = settled(&row, outcome, now);
                        prop_assert_eq!(end.job.state == JobState::Dead, matches!(end.outcome, Outcome::Dead { .. }));
                        row = end.job;
                    }
                    Step::Requeue => row = requeued(&row, now).unwrap_or(row),
                    Step::Withdraw => row = withdrawn(&row, Cancelled::Operator, now).unwrap_or(row),
                    Step::Send | Step::Settle(_) => {}
                }
                prop_assert!(row.fence >= before.fence && row.generation >= before.generation);
                prop_assert!(row.counted <= limits().counted && row.deaths <= limits().deaths);
                let far = now.plus(Duration::from_secs(86_400));
                prop_assert_eq!(is_due(&row, far), !row.state.is_terminal());
                prop_assert_eq!(row.settled_at.is_some(), row.state.is_terminal());
                prop_assert_eq!(row.owner.is_some(), row.state == JobState::Running);
            }
        }
    }
}
