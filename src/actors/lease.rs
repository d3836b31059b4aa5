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
    held_until: Mutex<Timestamp>,
}

impl WorkLease {
    /// A lease that is not held yet.
    pub fn new(name: impl Into<String>, length: Duration) -> Self {
        Self { name: name.into(), length, held_until: Mutex::new(Timestamp(0)) }
    }

    /// Whether the work is this process's now. The store is asked again only in the second half of the lease.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_ours(&self, context: &Context) -> Result<bool, PortError> {
        if !context.settings.shared {
            return Ok(true);
        }
        let now = context.ports.clock.now();
        if *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) > now.plus(self.length / 2) {
            return Ok(true);
        }
        let until = now.plus(self.length);
        let ours = context.ports.store.take_lease(&self.name, &context.ports.settings.owner, until, now).await?;
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = if ours { until } else { Timestamp(0) };
        Ok(ours)
    }
}
