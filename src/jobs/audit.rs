//! Audit rows: who did what to whom, why, and what came of it.

use crate::jobs::Ports;
use crate::store::{AuditRow, StoreResult};
use std::fmt::Display;

/// Writes an audit row about `target`, as of now: ids and counts, nothing that a page said.
///
/// # Errors
/// The store failed.
pub(crate) async fn audit(
    ports: &Ports,
    actor: &str,
    verb: &str,
    target: impl Display,
    reason: Option<&str>,
    effect: &str,
) -> StoreResult<()> {
    let row = AuditRow {
        at: ports.clock.now(),
        actor: actor.to_owned(),
        verb: verb.to_owned(),
        target: target.to_string(),
        reason: reason.map(str::to_owned),
        effect: effect.to_owned(),
    };
    ports.store.audit(&row).await
}
