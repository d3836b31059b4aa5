//! What is seen of the ledger beside the processes, and after their deaths.

use crate::support::ledger::jobs_of;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::{Job, JobState, Stage};
use inkdex::jobs::Ports;
use inkdex::jobs::remove_artist::OPERATIONS;
use inkdex::store::StoreResult;
use std::collections::BTreeMap;

/// How far a session is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Jobs that are over.
    pub over: u64,
    /// Jobs that are not.
    pub open: u64,
    /// Of these, jobs in work.
    pub running: u64,
}

/// What a process has in work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AtWork {
    /// Attempts without outcome.
    pub running: usize,
    /// Of these, attempts that are about to write, or have written.
    pub writing: usize,
}

/// How far a session is.
pub async fn progress(ports: &Ports, session: &SessionId) -> StoreResult<Progress> {
    let counts = ports.store.step_counts(session).await?;
    let mut progress = Progress::default();
    for (state, jobs) in counts.0.values().flatten() {
        match state {
            state if state.is_terminal() => progress.over += jobs,
            _ => progress.open += jobs,
        }
        if *state == JobState::Running {
            progress.running += jobs;
        }
    }
    Ok(progress)
}

/// What each process, living or dead, has in work of a session.
pub async fn at_work(ports: &Ports, session: &SessionId) -> StoreResult<BTreeMap<u32, AtWork>> {
    let mut processes: BTreeMap<u32, AtWork> = BTreeMap::new();
    for job in ports.store.jobs_in(session, Some(JobState::Running), None, 500).await? {
        // The name of a process in leases and attempts begins with its id.
        let Some(owner) = &job.owner else { continue };
        let Some(pid) = owner.split('-').next().and_then(|pid| pid.parse().ok()) else { continue };
        let work = processes.entry(pid).or_default();
        for attempt in ports.store.attempts(job.id()).await? {
            if attempt.owner == *owner && attempt.outcome.is_none() {
                work.running += 1;
                work.writing += usize::from(attempt.stage == Stage::Writing);
            }
        }
    }
    Ok(processes)
}

/// Every job of every session, those of removals included.
pub async fn all_jobs(ports: &Ports) -> Vec<Job> {
    let mut jobs = jobs_of(ports.store.as_ref(), &SessionId::new(OPERATIONS)).await;
    for session in ports.store.sessions(1_000).await.unwrap() {
        jobs.extend(jobs_of(ports.store.as_ref(), &session.id).await);
    }
    jobs
}
