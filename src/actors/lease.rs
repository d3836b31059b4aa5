//! Leases that save work where several processes share a store: one of them does what need not be done twice. Correctness
//! never rests on one (rule 18).

use crate::actors::Context;
use crate::domain::clock::Timestamp;
use crate::jobs::PortError;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A named lease of this process.
#[derive(Debug)]
pub struct WorkLease {
    name: String,
    length: Duration,
    known: Mutex<Known>,
}

/// What the store said last.
#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    /// It is this process's until then.
    Ours(Timestamp),
    /// It was another's then.
    Anothers(Timestamp),
}

impl WorkLease {
    /// A lease that is not held yet.
    pub fn new(name: impl Into<String>, length: Duration) -> Self {
        Self { name: name.into(), length, known: Mutex::new(Known::Nothing) }
    }

    /// Whether the work is this process's now. The store is asked again only in the second half of a lease of ours, and a
    /// quarter of a lease after it was another's: many shards are followed, and each question is a serial read.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_ours(&self, context: &Context) -> Result<bool, PortError> {
        if !context.settings.shared {
            return Ok(true);
        }
        let now = context.ports.clock.now();
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Known::Ours(until) if until > now.plus(self.length / 2) => return Ok(true),
            Known::Anothers(asked) if asked <= now && now.since(asked) < self.length / 4 => return Ok(false),
            _ => {}
        }
        let until = now.plus(self.length);
        let ours = context.ports.store.take_lease(&self.name, &context.ports.settings.owner, until, now).await?;
        let known = if ours { Known::Ours(until) } else { Known::Anothers(now) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(ours)
    }
}
