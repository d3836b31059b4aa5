//! Between ledger and queue: row first, then the message; outcome row first, then the ack (rules 1 to 3).

use crate::domain::ids::ArtistId;
use crate::domain::job::{Attempt, Job, JobState, NewJob, Usage};
use crate::domain::ledger::{self, AfterSettle, Begin};
use crate::domain::message::Message;
use crate::domain::outcome::{Cancelled, Outcome};
use crate::jobs::{PortError, Ports, letter_index, strangers};
use crate::queue::{Outgoing, Receipt};
use crate::store::{JobPut, StoreError, StoreResult};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// How often a lost race for a row is tried again before the sweeper is left to it.
const RACES: usize = 8;

/// Lets one of a process at a time read what a host's line allows and mark it as sent: two that read the same line could
/// between them send more than the host may have.
#[derive(Debug, Clone, Default)]
pub struct Sending(Arc<tokio::sync::Mutex<()>>);

/// Makes jobs and sends what their hosts' lines allow; answers how many are new.
///
/// # Errors
/// A part of ours failed: whatever was made stands, and repeating the call makes the rest.
pub async fn create(ports: &Ports, jobs: &[NewJob]) -> Result<usize, PortError> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let made = ports.store.create_jobs(jobs, ports.clock.now()).await?;
    let mut hosts: Vec<&str> = jobs.iter().filter_map(|job| job.host.as_deref()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut messages = Vec::new();
    for host in hosts {
        messages.extend(take_next_of(ports, host).await?);
    }
    let mut hostless = Vec::new();
    for new in jobs.iter().filter(|job| job.host.is_none()) {
        hostless.extend(ports.store.job(&new.id).await?.filter(|job| ledger::is_due(job, ports.clock.now())));
    }
    messages.extend(mark_sent(ports, &hostless).await?);
    send(ports, messages).await?;
    Ok(made.iter().filter(|new| **new).count())
}

/// Sends what one host's line allows now.
///
/// # Errors
/// A part of ours failed; the sweeper sends later.
pub async fn send_next_of(ports: &Ports, host: &str) -> Result<usize, PortError> {
    let messages = take_next_of(ports, host).await?;
    send(ports, messages).await
}

/// Marks as sent what a host's line allows now. Answers the messages.
async fn take_next_of(ports: &Ports, host: &str) -> Result<Vec<Outgoing>, PortError> {
    let _alone = ports.sending.0.lock().await;
    let due = ports.store.due_jobs_of_host(host, ports.clock.now(), ports.settings.jobs_per_host).await?;
    mark_sent(ports, &due).await
}

/// Sends whatever is due: created and never sent, sent and never started, parked, or started and lost. Answers how many.
///
/// # Errors
/// A part of ours failed; the next sweep goes on.
pub async fn sweep(ports: &Ports, limit: usize) -> Result<usize, PortError> {
    let due = ports.store.due_jobs(ports.clock.now(), ports.settings.jobs_per_host, limit).await?;
    let (hosted, hostless): (Vec<Job>, Vec<Job>) = due.into_iter().partition(|job| job.new.host.is_some());
    let mut messages = mark_sent(ports, &hostless).await?;
    let mut hosts: Vec<String> = Vec::new();
    for host in hosted.into_iter().filter_map(|job| job.new.host) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    // Each line is read again when its turn comes, so that nobody who settles a job waits for a whole sweep.
    for host in hosts {
        messages.extend(take_next_of(ports, &host).await?);
    }
    send(ports, messages).await
}

/// Marks jobs as sent, as far as nobody else was faster. Answers their messages.
async fn mark_sent(ports: &Ports, jobs: &[Job]) -> Result<Vec<Outgoing>, PortError> {
    let mut messages = Vec::new();
    for job in jobs {
        let sent = ledger::sent(job, &ports.settings.limits, ports.clock.now());
        if letter_index::put_job(ports, job, &sent, None).await? == JobPut::Committed {
            messages.push(Outgoing { body: sent.message().to_bytes(), delay: Duration::ZERO });
        }
    }
    Ok(messages)
}

async fn send(ports: &Ports, messages: Vec<Outgoing>) -> Result<usize, PortError> {
    if messages.is_empty() {
        return Ok(0);
    }
    let answers = ports.queue.send(messages).await?;
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        warn!(%error, "a message was not sent, the sweeper will send it again");
    }
    Ok(answers.iter().filter(|answer| answer.is_ok()).count())
}

/// Messages taken back at once.
const TAKE_BACK: usize = 10;

/// Takes back what the queue's service put aside (its own dead-letter queue), which says nothing about a job: a message of a
/// terminal job is dropped, the row of an open one is marked unsent first, and what is not ours becomes a letter (rule 8).
/// Answers how many.
///
/// # Errors
/// A part of ours failed; what was not acked is delivered again.
pub async fn take_back(ports: &Ports) -> Result<usize, PortError> {
    let mut taken = 0;
    loop {
        let deliveries = ports.queue.drain_undeliverable(TAKE_BACK).await?;
        if deliveries.is_empty() {
            return Ok(taken);
        }
        for delivery in deliveries {
            match Message::from_bytes(&delivery.body) {
                Ok(message) => {
                    warn!(job.id = %message.job_id, "the queue gave up delivering job {}, its row decides what becomes of it", message.job_id);
                    mark_unsent(ports, &message).await?;
                }
                Err(error) => strangers::record(ports, &delivery, &error).await?,
            }
            ports.queue.ack(&delivery.receipt).await?;
            taken += 1;
        }
    }
}

async fn mark_unsent(ports: &Ports, message: &Message) -> Result<(), PortError> {
    for _ in 0..RACES {
        let Some(job) = ports.store.job(&message.job_id).await? else { return Ok(()) };
        let Some(row) = ledger::unsent(&job, ports.clock.now()) else { return Ok(()) };
        if job.generation != message.generation || letter_index::put_job(ports, &job, &row, None).await? == JobPut::Committed {
            return Ok(());
        }
    }
    Ok(())
}

/// What a delivered message leads to.
#[derive(Debug)]
pub enum Begun {
    /// An attempt runs.
    Run {
        /// The row.
        job: Box<Job>,
        /// The attempt.
        attempt: Box<Attempt>,
        /// Artists whose projections were repeated, as an earlier attempt may have left them half done.
        repeated: Vec<ArtistId>,
    },
    /// Release the message for this long.
    Later(Duration),
    /// Ack the message.
    Nothing,
}

/// Begins an attempt by compare-and-set, before anything is touched (rule 2).
///
/// # Errors
/// A part of ours failed: the message is released and nothing is burnt.
pub async fn begin(ports: &Ports, message: &Message) -> Result<Begun, PortError> {
    for _ in 0..RACES {
        let job = match ports.store.job(&message.job_id).await {
            Ok(Some(job)) => job,
            // The row stands before its message: a message without one was sent by another database's daemon.
            Ok(None) => return Ok(Begun::Nothing),
            Err(error) if is_unreadable(&error, "jobs", message.job_id.as_str()) => {
                error!(job.id = %message.job_id, %error, "job {} cannot be begun, its message is taken out", message.job_id);
                return Ok(Begun::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        let id = &job.new.session_id;
        let ended = match ports.store.session(id).await {
            Ok(session) => session.is_some_and(|session| session.state.is_terminal()),
            // Nobody moves it on any more, so its jobs are those of a session that is over.
            Err(error) if is_unreadable(&error, "sessions", id.as_str()) => true,
            Err(error) => return Err(error.into()),
        };
        let now = ports.clock.now();
        let settings = &ports.settings;
        let decision = ledger::decide_begin(&job, message.generation, &settings.owner, &settings.build, ended, &settings.limits, now);
        match decision {
            Begin::Terminal => {
                // An open row of an ended session: nobody will begin it, and its place in its host's line is wanted.
                if !job.state.is_terminal() && message.generation == job.generation {
                    warn!(job.id = %job.id(), "job {} was left open by its session, which is over; it is withdrawn", job.id());
                    withdraw(ports, &job, Cancelled::Ended).await?;
                }
                return Ok(Begun::Nothing);
            }
            Begin::Held(until) => return Ok(Begun::Later(until.since(now).min(ports.queue.max_delay()))),
            Begin::ToEndOfLine(row) => {
                if letter_index::put_job(ports, &job, &row, None).await? == JobPut::Committed {
                    warn!(job.id = %job.id(), starts = row.orphans, "job was started {} times without an outcome, it goes to the end of its line", row.orphans);
                    return Ok(Begun::Nothing);
                }
            }
            Begin::Start(started) => {
                let orphaned = job.state == JobState::Running;
                // Before the row says RUNNING: should this fail, nobody holds the job and the message comes again.
                let repeated = repeat_unfinished(ports, &job).await?;
                if letter_index::put_job(ports, &job, &started.job, Some(&started.attempt)).await? == JobPut::Committed {
                    if orphaned {
                        info!(job.id = %job.id(), "job was started before without an outcome, it runs as a suspect");
                    }
                    return Ok(Begun::Run { job: Box::new(started.job), attempt: Box::new(started.attempt), repeated });
                }
            }
        }
    }
    Ok(Begun::Later(Duration::from_millis(200)))
}

/// Whether it is this one row that cannot be read, and not the whole database.
fn is_unreadable(error: &StoreError, table: &str, key: &str) -> bool {
    matches!(error, StoreError::Corrupt { what, .. } if *what == format!("{table}/{key}"))
}

/// Repeats the feed entry and the keys of every artist that an attempt of the job may have left half written (rule 2).
/// Answers who they are.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn repeat_unfinished(ports: &Ports, job: &Job) -> StoreResult<Vec<ArtistId>> {
    if job.attempts == 0 && job.generation == job.new.first_generation {
        return Ok(Vec::new());
    }
    let unfinished = ledger::unfinished_writes(&ports.store.attempts(job.id()).await?);
    for id in &unfinished {
        ports.store.repeat_projections(id).await?;
    }
    Ok(unfinished)
}

/// Whether an attempt still holds its job.
fn is_current(job: &Job, attempt: &Attempt) -> bool {
    job.state == JobState::Running && job.generation == attempt.generation && job.attempts == attempt.number
}

/// Whether the ledger still knows the attempt as the running one.
///
/// # Errors
/// The store failed.
pub async fn still_current(ports: &Ports, attempt: &Attempt) -> StoreResult<bool> {
    Ok(ports.store.job(&attempt.job_id).await?.is_some_and(|job| is_current(&job, attempt)))
}

/// Extends the lease of a running attempt. Answers whether it still holds its job.
///
/// # Errors
/// The store failed: unknown, ask again before the lease runs out.
pub async fn extend(ports: &Ports, attempt: &Attempt) -> StoreResult<bool> {
    for _ in 0..RACES {
        let Some(job) = ports.store.job(&attempt.job_id).await?.filter(|job| is_current(job, attempt)) else {
            return Ok(false);
        };
        let longer = Job { lease_until: ports.clock.now().plus(ports.settings.limits.lease), ..job.clone() };
        if letter_index::put_job(ports, &job, &longer, None).await? == JobPut::Committed {
            return Ok(true);
        }
    }
    Ok(true)
}

/// What settling came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Settling {
    /// The outcome stands; the message was acked or released.
    Settled {
        /// As recorded: a failure past its limit is a dead letter.
        outcome: Outcome,
    },
    /// The attempt no longer held its job: somebody else settles it.
    NotCurrent,
}

/// Settles an attempt: outcome row first, then release or ack, ack last; then the host's line moves on (rule 3).
///
/// # Errors
/// A part of ours failed. Before the row stands: settle again. After it: the message comes back and is found terminal.
pub async fn settle(ports: &Ports, attempt: &Attempt, outcome: Outcome, usage: Usage, receipt: &Receipt) -> Result<Settling, PortError> {
    for _ in 0..RACES {
        let Some(job) = ports.store.job(&attempt.job_id).await?.filter(|job| is_current(job, attempt)) else {
            return Ok(Settling::NotCurrent);
        };
        let now = ports.clock.now();
        let settled = ledger::settle(&job, outcome.clone(), &ports.settings.limits, ports.queue.max_delay(), &ports.chance, now);
        let mut attempts = ports.store.attempts(&attempt.job_id).await?;
        let own = attempts.iter().position(|row| row.generation == attempt.generation && row.number == attempt.number);
        let stored = own.map_or_else(|| attempt.clone(), |own| attempts.swap_remove(own));
        let removed = Outcome::Cancelled { why: Cancelled::Removed };
        // Rule 15: before the row, since nobody comes back to a job that is over.
        if settled.outcome == removed && !erase_attempts(ports, &job, &attempts).await? {
            continue;
        }
        let ended = Attempt { ended_at: Some(now), outcome: Some(settled.outcome.clone()), usage, ..stored };
        if settled.job.state.is_terminal() {
            // Nobody will begin it again to repeat what its attempts, this one included, may have left half written.
            attempts.push(ended.clone());
            for id in ledger::unfinished_writes(&attempts) {
                ports.store.repeat_projections(&id).await?;
            }
        }
        if letter_index::put_job(ports, &job, &settled.job, Some(&ended)).await? != JobPut::Committed {
            continue;
        }
        crate::faults::hit(crate::faults::Point::BeforeAck, job.id().as_str());
        let receipted = match settled.message {
            AfterSettle::Ack => ports.queue.ack(receipt).await,
            AfterSettle::Release(delay) => ports.queue.release(receipt, delay).await,
        };
        if let Err(error) = receipted {
            debug!(job.id = %job.id(), %error, "the message was not taken back; when it comes again its row will say so");
        }
        if let Some(host) = &job.new.host
            && let Err(error) = send_next_of(ports, host).await
        {
            debug!(site.host = %host, %error, "the next job of the host was not sent, the sweeper will send it");
        }
        return Ok(Settling::Settled { outcome: settled.outcome });
    }
    Ok(Settling::NotCurrent)
}

/// Blanks what attempts of a job about somebody who was removed may say of them. Answers whether the row stood meanwhile.
///
/// # Errors
/// The store failed; repeat.
pub(crate) async fn erase_attempts(ports: &Ports, row: &Job, attempts: &[Attempt]) -> StoreResult<bool> {
    for attempt in attempts.iter().filter(|attempt| attempt.outcome.is_some()) {
        if letter_index::put_job(ports, row, row, Some(&ledger::erased_attempt(attempt))).await? != JobPut::Committed {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Withdraws a job, after repeating what an attempt of it may have left half written. Answers whether it was open or a
/// dead letter.
///
/// # Errors
/// The store failed; repeat.
pub async fn withdraw(ports: &Ports, job: &Job, why: Cancelled) -> StoreResult<bool> {
    let mut job = job.clone();
    for _ in 0..RACES {
        let Some(row) = ledger::withdrawn(&job, why, ports.clock.now()) else { return Ok(false) };
        repeat_unfinished(ports, &job).await?;
        match letter_index::put_job(ports, &job, &row, None).await? {
            JobPut::Committed => return Ok(true),
            JobPut::Conflict(Some(current)) => job = *current,
            JobPut::Conflict(None) => return Ok(false),
        }
    }
    Ok(false)
}
