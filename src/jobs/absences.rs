//! Use case: a person lets the absences pass that the run gate held back (rule 11).

use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::JobKind;
use crate::domain::ledger;
use crate::domain::session::{Session, Trigger};
use crate::jobs::{PortError, Ports, courier};
use crate::store::{AuditRow, JobPut};

/// Why the absences of a session were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such session.
    #[error("there is no session {0}; `inkdex sessions` lists them")]
    Unknown(SessionId),
    /// Nothing of it is held back.
    #[error("session {0} holds nothing back; `inkdex sessions show {0}` tells what it did")]
    NotHeld(SessionId),
    /// A later night has looked since.
    #[error("session {later} of a later night has replaced what session {id} proposed; look at that one")]
    Replaced {
        /// Which session.
        id: SessionId,
        /// The later one.
        later: SessionId,
    },
    /// A part of ours failed; repeat.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<crate::store::StoreError> for AcceptError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Port(error.into())
    }
}

/// How many sessions are looked at for a later night.
const LOOKED_AT: usize = 50;

/// Accepts the absences that the run gate held back: the report of the session is written again, past the gate.
///
/// # Errors
/// [`AcceptError`]; accepting twice is refused the second time.
pub async fn accept(ports: &Ports, id: &SessionId, actor: &str, reason: Option<&str>) -> Result<(), AcceptError> {
    let effect = decide(ports, id).await;
    let row = AuditRow {
        at: ports.clock.now(),
        actor: actor.to_owned(),
        verb: "session.accept_absences".to_owned(),
        target: id.to_string(),
        reason: reason.map(str::to_owned),
        effect: if effect.is_ok() { "accepted".to_owned() } else { "refused".to_owned() },
    };
    ports.store.audit(&row).await?;
    effect
}

async fn decide(ports: &Ports, id: &SessionId) -> Result<(), AcceptError> {
    loop {
        let session = ports.store.session(id).await?.ok_or_else(|| AcceptError::Unknown(id.clone()))?;
        if !session.held {
            return Err(AcceptError::NotHeld(id.clone()));
        }
        if let Some(later) = later_night(ports, &session).await? {
            return Err(AcceptError::Replaced { id: id.clone(), later });
        }
        let next = Session { accepted: true, epoch: session.epoch + 1, ..session.clone() };
        if session.accepted || ports.store.put_session(session.epoch, &next).await? {
            break;
        }
    }
    let report = JobId::derived_from(id, JobKind::Report.as_str(), "");
    loop {
        // A report that is not over yet sees the acceptance by itself.
        let Some(job) = ports.store.job(&report).await? else { return Ok(()) };
        let Some(row) = ledger::repeated(&job, ports.clock.now()) else { return Ok(()) };
        if ports.store.put_job(&job, &row, None).await? == JobPut::Committed {
            courier::sweep(ports, 16).await?;
            return Ok(());
        }
    }
}

async fn later_night(ports: &Ports, session: &Session) -> Result<Option<SessionId>, PortError> {
    let sessions = ports.store.sessions(LOOKED_AT).await?;
    let later = sessions.into_iter().find(|other| {
        other.pipeline == session.pipeline
            && other.trigger == Trigger::Scheduled
            && other.scheduled_for > session.scheduled_for
            && other.report.is_some()
    });
    Ok(later.map(|other| other.id))
}
