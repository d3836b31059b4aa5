//! Messages in our queue that are not ours: each becomes a dead letter, keyed by the hash of its bytes, which are kept (rule 8).

use crate::domain::ids::SessionId;
use crate::domain::job::{NewJob, Task};
use crate::domain::ledger;
use crate::domain::message::{Message, NotOurs};
use crate::domain::outcome::{Category, Done, Failure, Outcome};
use crate::jobs::remove_artist::OPERATIONS;
use crate::jobs::{PortError, Ports, Running, letter_index, wait_for_dependency};
use crate::queue::Delivery;
use crate::store::{AuditRow, JobPut};
use sha2::{Digest, Sha256};
use tracing::warn;

/// Where the bytes of a stranger are kept.
pub fn key(hash: &str) -> String {
    format!("strangers/{hash}")
}

/// Keeps the bytes of a delivered message and records it as a dead letter; the same bytes again change nothing. Once this
/// answers the message may go.
///
/// # Errors
/// A part of ours failed: the message stays where it is and comes again.
pub async fn record(ports: &Ports, delivery: &Delivery, why: &NotOurs) -> Result<(), PortError> {
    let hash = crate::domain::artist::hex(&Sha256::digest(&delivery.body));
    ports.objects.put(&key(&hash), delivery.body.clone()).await?;
    let new = NewJob::new(&SessionId::new(OPERATIONS), "strangers", Task::ReadStranger { hash: hash.clone() }, None);
    let now = ports.clock.now();
    let made = ports.store.create_jobs(std::slice::from_ref(&new), now).await?;
    if made != [true] && ports.store.job(&new.id).await?.is_none_or(|job| job.state.is_terminal()) {
        return Ok(());
    }
    if let Some(job) = ports.store.job(&new.id).await? {
        let row = ledger::dead_at_once(&job, failure(why), now);
        // Whoever was faster, the sweeper, reads the same bytes and comes to the same end.
        if letter_index::put_job(ports, &job, &row, None).await? == JobPut::Committed {
            warn!(job.id = %new.id, bytes = delivery.body.len(), "a message that is not ours is dead letter {}: {why}", new.id);
        }
    }
    let row = AuditRow {
        at: now,
        actor: "dispatcher".to_owned(),
        verb: "message.not_ours".to_owned(),
        target: hash,
        reason: Some(why.to_string()),
        effect: format!("dead letter {}, bytes kept", new.id),
    };
    Ok(ports.store.audit(&row).await?)
}

fn failure(why: &NotOurs) -> Failure {
    let code = match why {
        NotOurs::Malformed(_) => "not_a_message",
        NotOurs::Schema(_) => "unknown_schema",
    };
    Failure::new(Category::Data, code, "receive", why.to_string())
}

/// The job: an operator requeued the letter. A build that knows its schema finds a pointer to a row that the ledger owns anyway.
pub async fn run(ports: &Ports, running: &Running, hash: &str) -> Outcome {
    running.progress.step();
    let bytes = match ports.objects.get(&key(hash)).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let what = format!("its bytes are no longer kept as {}", key(hash));
            return Outcome::Dead { reason: Failure::new(Category::Data, "bytes_gone", "read", what) };
        }
        Err(_) => return wait_for_dependency(ports),
    };
    match Message::from_bytes(&bytes) {
        Ok(_) => Outcome::Done { how: Done::Superseded },
        Err(why) => Outcome::Dead { reason: failure(&why) },
    }
}
