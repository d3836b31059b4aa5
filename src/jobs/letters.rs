//! Dead letters: show, requeue and discard one (002-C7), each audited and idempotent.

use crate::domain::ids::JobId;
use crate::domain::job::{Attempt, Job, JobState};
use crate::domain::ledger;
use crate::domain::outcome::Cancelled;
use crate::jobs::audit::audit;
use crate::jobs::{PortError, Ports, courier, letter_index};
use crate::store::JobPut;

/// Why an operator's command on a letter did nothing.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// There is no such job.
    #[error("there is no job {0}; `inkdex dead-letters` lists them")]
    Unknown(JobId),
    /// It is no dead letter (any more).
    #[error("job {id} is {state}, not a dead letter; only dead letters can be requeued or discarded")]
    NotDead {
        /// Which job.
        id: JobId,
        /// What it is.
        state: &'static str,
    },
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<crate::store::StoreError> for LetterError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// A letter with its history.
///
/// # Errors
/// [`LetterError`] if there is no such job.
pub async fn show(ports: &Ports, id: &JobId) -> Result<(Job, Vec<Attempt>), LetterError> {
    let job = ports.store.job(id).await?.ok_or_else(|| LetterError::Unknown(id.clone()))?;
    Ok((job, ports.store.attempts(id).await?))
}

/// Requeues a dead letter as a new generation with fresh limits (002-X6). Answers the generation.
///
/// # Errors
/// [`LetterError`]; requeueing twice is refused the second time, as the job is no dead letter any more.
pub async fn requeue(ports: &Ports, id: &JobId, actor: &str, reason: Option<&str>) -> Result<u32, LetterError> {
    loop {
        let job = ports.store.job(id).await?.ok_or_else(|| LetterError::Unknown(id.clone()))?;
        let Some(row) = ledger::requeued(&job, ports.clock.now()) else {
            audit(ports, actor, "dead_letter.requeue", id, reason, "refused: not dead").await?;
            return Err(LetterError::NotDead { id: id.clone(), state: job.state.as_str() });
        };
        if letter_index::put_job(ports, &job, &row, None).await? == JobPut::Committed {
            audit(ports, actor, "dead_letter.requeue", id, reason, &format!("generation {}", row.generation)).await?;
            match &row.new.host {
                Some(host) => courier::send_next_of(ports, host).await?,
                None => courier::sweep(ports, 16).await?,
            };
            return Ok(row.generation);
        }
    }
}

/// Discards a dead letter: it is withdrawn and never comes back by itself.
///
/// # Errors
/// [`LetterError`].
pub async fn discard(ports: &Ports, id: &JobId, actor: &str, reason: Option<&str>) -> Result<(), LetterError> {
    let job = ports.store.job(id).await?.ok_or_else(|| LetterError::Unknown(id.clone()))?;
    if job.state != JobState::Dead || !courier::withdraw(ports, &job, Cancelled::Operator).await? {
        audit(ports, actor, "dead_letter.discard", id, reason, "refused: not dead").await?;
        return Err(LetterError::NotDead { id: id.clone(), state: job.state.as_str() });
    }
    audit(ports, actor, "dead_letter.discard", id, reason, "discarded").await?;
    Ok(())
}
