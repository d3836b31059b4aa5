//! Holds on hosts in memory, for a process that is alone with its database: only back-offs outlive it.

use crate::domain::clock::Timestamp;
use crate::store::{HostAnswer, HostHolds, HostTicket, Meta, Store, StoreResult};
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Hosts kept before those with nothing to say are forgotten.
const FORGET_ABOVE: usize = 4_096;

/// Callers read the clock before they get here, so their times may come a little out of order; further back, it was set.
const CLOCK_SET_US: i64 = 1_000_000;

/// What is known of a host.
#[derive(Debug, Clone, Copy)]
struct Hold {
    token: u64,
    /// The hold's end; past when nobody has it.
    until: Timestamp,
    next_at: Timestamp,
    back_off: Timestamp,
}

#[derive(Debug)]
struct Holds {
    hosts: HashMap<String, Hold>,
    /// No host is asked anything before.
    not_before: Timestamp,
    /// The latest time seen.
    latest: Timestamp,
    last_token: u64,
    forget_above: usize,
}

/// Holds in memory; back-offs are written through to the store.
pub struct MemoryHolds {
    store: Arc<dyn Store>,
    holds: Mutex<Holds>,
}

impl fmt::Debug for MemoryHolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHolds").field("hosts", &self.holds().hosts.len()).finish_non_exhaustive()
    }
}

impl MemoryHolds {
    /// Holds that begin with the back-offs read from the store.
    ///
    /// No host is asked anything before `not_before`: a process that died may have asked it just now, so a start waits
    /// one interval.
    pub fn new(store: Arc<dyn Store>, back_offs: Vec<(String, Timestamp)>, not_before: Timestamp) -> Self {
        let hosts = back_offs
            .into_iter()
            .map(|(host, back_off)| (host, Hold { token: 0, until: Timestamp(0), next_at: not_before, back_off }))
            .collect();
        let holds = Holds { hosts, not_before, latest: Timestamp(0), last_token: 0, forget_above: FORGET_ABOVE };
        Self { store, holds: Mutex::new(holds) }
    }

    /// Holds that begin with what `store` remembers at `now`.
    ///
    /// # Errors
    /// As for reading the store.
    pub async fn load(store: Arc<dyn Store>, not_before: Timestamp, now: Timestamp) -> StoreResult<Self> {
        let back_offs = Meta::host_back_offs(store.as_ref(), now).await?;
        Ok(Self::new(store, back_offs, not_before))
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holds {
    fn unknown(&self) -> Hold {
        Hold { token: 0, until: Timestamp(0), next_at: self.not_before, back_off: Timestamp(0) }
    }

    /// Waits are spans of time: a clock that was set back by a day takes them with it, or every host would be left alone for
    /// that day. A clock that was set forth ends them early, by which no host is asked more often than its visits' own spacing.
    fn look_at_clock(&mut self, now: Timestamp) {
        let back = self.latest.0 - now.0;
        if back <= CLOCK_SET_US {
            self.latest = self.latest.max(now);
            return;
        }
        self.latest = now;
        self.not_before = Timestamp(self.not_before.0.saturating_sub(back));
        for hold in self.hosts.values_mut() {
            for moment in [&mut hold.until, &mut hold.next_at, &mut hold.back_off] {
                *moment = Timestamp(moment.0.saturating_sub(back));
            }
        }
    }

    /// Forgets hosts that nothing is known of any more, once there are many; then waits until there are twice as many.
    fn forget_idle(&mut self, now: Timestamp) {
        if self.hosts.len() > self.forget_above {
            self.hosts.retain(|_, hold| hold.until > now || hold.next_at > now || hold.back_off > now);
            self.forget_above = FORGET_ABOVE.max(self.hosts.len() * 2);
        }
    }
}

#[async_trait]
impl HostHolds for MemoryHolds {
    async fn take(&self, host: &str, _owner: &str, hold_us: i64, now: Timestamp) -> StoreResult<HostAnswer> {
        let mut holds = self.holds();
        holds.look_at_clock(now);
        holds.forget_idle(now);
        let hold = holds.hosts.get(host).copied().unwrap_or_else(|| holds.unknown());
        let until = Timestamp(now.0.saturating_add(hold_us));
        let busy = if hold.until > now { hold.until.max(hold.back_off) } else { hold.back_off };
        if busy > now {
            return Ok(HostAnswer::Busy(busy));
        }
        // A hold in which no request may begin would only keep others away.
        if hold.next_at >= until {
            return Ok(HostAnswer::Busy(hold.next_at));
        }
        holds.last_token += 1;
        let token = holds.last_token;
        holds.hosts.insert(host.to_owned(), Hold { token, until, ..hold });
        Ok(HostAnswer::Taken(HostTicket { host: host.to_owned(), token, until, next_at: hold.next_at }))
    }

    async fn give_back(&self, ticket: &HostTicket, next_at: Timestamp) -> StoreResult<()> {
        if let Some(hold) = self.holds().hosts.get_mut(&ticket.host).filter(|hold| hold.token == ticket.token) {
            // The token is spent: giving back twice must not end the next one's hold.
            *hold = Hold { token: 0, until: Timestamp(0), next_at: hold.next_at.max(next_at), back_off: hold.back_off };
        }
        Ok(())
    }

    async fn back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        {
            let mut holds = self.holds();
            let unknown = holds.unknown();
            let hold = holds.hosts.entry(host.to_owned()).or_insert(unknown);
            hold.back_off = hold.back_off.max(until);
        }
        // In force already: if it cannot be written, this process keeps away all the same.
        self.store.put_host_back_off(host, until).await
    }
}
