//! Leases that save work where several processes share a store: one of them does what need not be done twice. Correctness
//! never rests on one (rule 18).

use crate::actors::Context;
use crate::domain::clock::Timestamp;
use crate::jobs::PortError;
use crate::store::Store;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::debug;

/// Leases that this process holds by name, to be given back when it stops: whoever goes on has not to wait for their end.
#[derive(Debug, Default)]
pub struct HeldLeases(Mutex<BTreeSet<String>>);

impl HeldLeases {
    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &str, ours: bool) {
        let mut names = self.names();
        if !ours {
            names.remove(name);
        } else if !names.contains(name) {
            names.insert(name.to_owned());
        }
    }

    /// Gives all of them back. Nothing is lost where that fails: they run out.
    pub async fn give_back(&self, store: &dyn Store, owner: &str) {
        let held = std::mem::take(&mut *self.names());
        for name in held {
            if let Err(error) = store.give_back_lease(&name, owner).await {
                debug!(lease = name, %error, "a lease was not given back and runs out");
            }
        }
    }
}

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
        context.leases.note(&self.name, ours);
        let known = if ours { Known::Ours(until) } else { Known::Anothers(now) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(ours)
    }
}
