//! Politeness belongs to the host (rule 14): the hold on a host, the spacing of requests under it, what a host that asked us
//! to slow down gets, and the second limit by address.

use crate::domain::backoff::RetryDelay;
use crate::domain::chance::Chance;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::progress::Progress;
use crate::store::{HostAnswer, HostHolds, HostTicket, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a wait shows that it is one.
const PULSE: Duration = Duration::from_secs(1);

/// Most addresses whose next time is remembered before those that are past are dropped.
const ADDRESSES_MAX: usize = 10_000;

/// Spacing doubles with each slow-down in a row, up to this many times.
const DOUBLINGS_MAX: u32 = 6;

/// The longest Crawl-delay obeyed; a longer one is cut to it, so that a site is read slowly, not never. `/bot` tells it.
pub const CRAWL_DELAY_MAX: Duration = Duration::from_secs(300);

/// The longest `Retry-After` obeyed; a longer one is cut to it, as sites announce years by mistake. `/bot` tells it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest spacing that slow-downs alone lead to.
const SLOWED_MAX: Duration = Duration::from_secs(30);

/// How hosts are visited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolitenessSettings {
    /// Time from the end of one request to a host to the start of the next, milliseconds; a longer Crawl-delay counts instead.
    pub spacing_ms: u64,
    /// Requests under one hold of a host.
    pub hold_requests: u32,
    /// How long requests are started under one hold, milliseconds; the last one may run its total time on.
    pub hold_ms: u64,
    /// How soon a job asks again for a host that another job holds, milliseconds: holders give hosts back early.
    pub ask_again_ms: u64,
    /// Time between two requests to one public address, whatever the hosts on it, milliseconds.
    pub address_spacing_ms: u64,
    /// How long a host that answers 429 or 503 is left alone at least, whatever its `Retry-After` says.
    pub back_off: RetryDelay,
}

impl Default for PolitenessSettings {
    fn default() -> Self {
        Self {
            spacing_ms: 1_000,
            hold_requests: 10,
            hold_ms: 30_000,
            ask_again_ms: 5_000,
            address_spacing_ms: 250,
            back_off: RetryDelay { interval_ms: 5_000, rate: 2.0, max_ms: 3_600_000 },
        }
    }
}

/// The time between two requests to a host. A mapped host obeys only its map entry; another keeps at least our spacing and
/// its Crawl-delay (up to the ceiling), doubled for each slow-down it asked for and has not outlived.
pub fn spacing(settings: &PolitenessSettings, crawl_delay: Option<Duration>, mapped: Option<Duration>, slow_downs: u32) -> Duration {
    if let Some(mapped) = mapped {
        return mapped;
    }
    let base = Duration::from_millis(settings.spacing_ms).max(crawl_delay.unwrap_or_default().min(CRAWL_DELAY_MAX));
    let slowed = base.saturating_mul(1 << slow_downs.min(DOUBLINGS_MAX));
    slowed.min(SLOWED_MAX).max(base)
}

/// How long a host is left alone after a slow-down, its `slow_downs`th that it has not outlived: as long as it asks (up to the
/// ceiling), and no shorter than our own growing delay, since many answer `Retry-After: 0` to everything.
pub fn pause(settings: &PolitenessSettings, retry_after: Option<Duration>, slow_downs: u32, chance: &Chance) -> Duration {
    settings.back_off.jittered(slow_downs.max(1), retry_after.map(|asked| asked.min(RETRY_AFTER_MAX)), chance)
}

/// Slow-downs that hosts asked for: one more at each 429 or 503, one less at each success.
#[derive(Debug, Default)]
pub struct SlowDowns {
    by_host: Mutex<HashMap<String, u32>>,
}

impl SlowDowns {
    /// How many a host has not outlived.
    pub fn of(&self, host: &str) -> u32 {
        self.by_host.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied().unwrap_or(0)
    }

    /// Counts one more; answers how many there are now.
    pub fn add(&self, host: &str) -> u32 {
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_host.entry(host.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Takes one back after a success.
    pub fn ease(&self, host: &str) {
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        match by_host.get_mut(host) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(by_host.remove(host)),
            None => {}
        }
    }
}

/// When each public address may be asked next, in monotonic time. One process: site builders put thousands of hosts on one.
#[derive(Debug, Default)]
pub struct AddressLimit {
    next: Mutex<HashMap<IpAddr, Duration>>,
}

impl AddressLimit {
    /// Reserves the first moment from `earliest` on at which all of `addresses` may be asked, unless it is after `latest`.
    /// A name with several addresses counts against each, since the connector chooses.
    ///
    /// # Errors
    /// The moment, if it is after `latest`; nothing is reserved then.
    pub fn reserve(&self, addresses: &[IpAddr], earliest: Duration, latest: Duration, spacing: Duration) -> Result<Duration, Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = addresses.iter().filter_map(|address| next.get(address)).fold(earliest, |at, free| at.max(*free));
        if at > latest {
            return Err(at);
        }
        if next.len() >= ADDRESSES_MAX {
            next.retain(|_, free| *free > earliest);
        }
        for address in addresses {
            next.insert(*address, at + spacing);
        }
        Ok(at)
    }
}

/// A host that is ours for a while.
#[derive(Debug, Clone)]
pub struct Held {
    ticket: HostTicket,
    /// Monotonic: the next request not before, whatever the spacing.
    next: Duration,
    /// Monotonic: when the last request ended, or began if it never ended.
    last: Option<Duration>,
    /// Between the end of one request and the start of the next.
    spacing: Duration,
    /// Monotonic: a request started now must not end after `ticket.until`.
    starts_until: Duration,
    requests: u32,
}

/// Whether a request may be started under a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Go,
    /// The hold's requests or time are used up.
    Spent,
    /// Its turn would come after the hold's end, at this moment.
    TooLate(Timestamp),
}

/// Takes hosts and spaces requests. One for all visits of a process.
#[derive(Debug)]
pub struct Politeness {
    holds: Arc<dyn HostHolds>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    settings: PolitenessSettings,
    request_time: Duration,
    slow_downs: SlowDowns,
    addresses: AddressLimit,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Politeness {
    /// `request_time` is the longest a request may take.
    pub fn new(
        holds: Arc<dyn HostHolds>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        settings: PolitenessSettings,
        request_time: Duration,
    ) -> Self {
        Self { holds, clock, chance, settings, request_time, slow_downs: SlowDowns::default(), addresses: AddressLimit::default() }
    }

    /// The time between two requests to `host`.
    pub fn spacing(&self, host: &str, crawl_delay: Option<Duration>, mapped: Option<Duration>) -> Duration {
        spacing(&self.settings, crawl_delay, mapped, self.slow_downs.of(host))
    }

    /// Takes a host for requests that are `spacing` apart. `Err` says when to ask again if it is taken or wants to be left
    /// alone. The hold outlasts its last request by the spacing: should it run out without being given back, it was kept.
    ///
    /// # Errors
    /// [`StoreError`] if the store of holds fails.
    pub async fn take(&self, host: &str, owner: &str, spacing: Duration) -> Result<Result<Held, Timestamp>, StoreError> {
        let whole = Duration::from_millis(self.settings.hold_ms) + self.request_time + spacing;
        let (now, start) = (self.clock.now(), self.clock.monotonic());
        match self.holds.take(host, owner, micros(whole), now).await? {
            HostAnswer::Taken(ticket) => {
                let next = start + ticket.next_at.since(now);
                let starts_until = start + ticket.until.since(now).saturating_sub(self.request_time);
                Ok(Ok(Held { ticket, next, last: None, spacing, starts_until, requests: 0 }))
            }
            HostAnswer::Busy(until) => {
                // Further away than any hold lasts: the host itself wants it. Else the holder is likely to be done earlier.
                let by_host = until.since(now) > whole;
                let again = now.plus(Duration::from_millis(self.settings.ask_again_ms));
                Ok(Err(if by_host { until } else { until.min(again) }))
            }
        }
    }

    /// Waits for the next request's turn under a hold, without holding anything but the host; waiting is progress.
    pub async fn turn(&self, held: &mut Held, addresses: &[IpAddr], progress: &Progress) -> Turn {
        let now = self.clock.monotonic();
        if held.requests > 0 && (held.requests >= self.settings.hold_requests || now > held.last_start()) {
            return Turn::Spent;
        }
        let earliest = held.due().max(now);
        let between = Duration::from_millis(self.settings.address_spacing_ms);
        let at = match self.addresses.reserve(addresses, earliest, held.last_start(), between) {
            Ok(at) => at,
            Err(_) if held.requests > 0 => return Turn::Spent,
            Err(at) => return Turn::TooLate(self.clock.now().plus(at.saturating_sub(now))),
        };
        loop {
            let now = self.clock.monotonic();
            if now >= at {
                break;
            }
            progress.step();
            tokio::time::sleep((at - now).min(PULSE)).await;
        }
        // The process may have slept longer than it was told to (a suspended machine).
        let now = self.clock.monotonic();
        if now > held.last_start() {
            return Turn::Spent;
        }
        held.requests += 1;
        // Should the request be dropped before it ends, its spacing counts from here.
        held.last = Some(now);
        Turn::Go
    }

    /// A request has ended: the spacing to the next one counts from now, since only then it has surely reached the host.
    pub fn ended(&self, held: &mut Held) {
        held.last = Some(self.clock.monotonic());
    }

    /// The host answered as it should.
    pub fn succeeded(&self, host: &str) {
        self.slow_downs.ease(host);
    }

    /// The host asked us to slow down: everybody keeps away until the moment answered. Whoever holds it spaces its requests anew
    /// before giving it back, so that the next holder begins by the slower spacing.
    ///
    /// # Errors
    /// [`StoreError`] if the store of holds fails.
    pub async fn slow_down(&self, held: &Held, retry_after: Option<Duration>) -> Result<Timestamp, StoreError> {
        let host = held.host();
        let pause = pause(&self.settings, retry_after, self.slow_downs.add(host), &self.chance);
        let until = self.clock.now().plus(pause);
        self.holds.back_off(host, until).await?;
        Ok(until)
    }

    /// Gives a host back.
    ///
    /// # Errors
    /// [`StoreError`] if the store of holds fails.
    pub async fn give_back(&self, held: &Held) -> Result<(), StoreError> {
        let left = held.due().saturating_sub(self.clock.monotonic());
        self.holds.give_back(&held.ticket, self.clock.now().plus(left)).await
    }
}

impl Held {
    fn due(&self) -> Duration {
        self.next.max(self.last.map_or(Duration::ZERO, |last| last + self.spacing))
    }

    /// Monotonic: no request is started after, so that it ends, and its spacing after it, before the hold does.
    fn last_start(&self) -> Duration {
        self.starts_until.saturating_sub(self.spacing)
    }

    /// From now on requests are this far apart; also counts for the one just made.
    pub fn space_by(&mut self, spacing: Duration) {
        self.spacing = spacing;
    }

    /// Which host.
    pub fn host(&self) -> &str {
        &self.ticket.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_slowest_of_what_is_asked_for_counts() {
        let settings = PolitenessSettings::default();
        assert_eq!(spacing(&settings, None, None, 0), SECOND);
        assert_eq!(spacing(&settings, Some(SECOND / 2), None, 0), SECOND, "never faster than our own");
        assert_eq!(spacing(&settings, Some(5 * SECOND), None, 0), 5 * SECOND);
        assert_eq!(spacing(&settings, Some(300 * SECOND), None, 0), 300 * SECOND);
        assert_eq!(spacing(&settings, Some(3_600 * SECOND), None, 0), CRAWL_DELAY_MAX, "cut to the ceiling");
        assert_eq!(spacing(&settings, Some(60 * SECOND), None, 3), 60 * SECOND, "slow-downs do not add to a delay that long");
        assert_eq!(spacing(&settings, None, None, 3), 8 * SECOND);
        assert_eq!(spacing(&settings, Some(25 * SECOND), None, 3), 30 * SECOND);
        assert_eq!(spacing(&settings, Some(5 * SECOND), Some(SECOND / 100), 3), SECOND / 100, "a mapped host obeys only its entry");
    }

    #[test]
    fn slow_downs_grow_and_decay() {
        let slow_downs = SlowDowns::default();
        slow_downs.ease("a.example");
        assert_eq!([slow_downs.add("a.example"), slow_downs.add("a.example"), slow_downs.add("a.example")], [1, 2, 3]);
        slow_downs.ease("a.example");
        assert_eq!((slow_downs.of("a.example"), slow_downs.of("b.example")), (2, 0));
        slow_downs.ease("a.example");
        slow_downs.ease("a.example");
        slow_downs.ease("a.example");
        assert_eq!(slow_downs.of("a.example"), 0);
        assert!(slow_downs.by_host.lock().unwrap().is_empty(), "hosts that behave take no memory");
    }

    #[test]
    fn an_address_is_reserved_only_if_its_turn_comes_in_time() {
        let limit = AddressLimit::default();
        let (one, two): (IpAddr, IpAddr) = ("93.184.216.34".parse().unwrap(), "2606:4700::1".parse().unwrap());
        let quarter = SECOND / 4;
        assert_eq!(limit.reserve(&[one, two], SECOND, 9 * SECOND, quarter), Ok(SECOND));
        assert_eq!(limit.reserve(&[two], SECOND, 9 * SECOND, quarter), Ok(SECOND + quarter), "each address of a name counts");
        assert_eq!(limit.reserve(&[one], SECOND, SECOND, quarter), Err(SECOND + quarter));
        assert_eq!(limit.reserve(&[one], SECOND, 9 * SECOND, quarter), Ok(SECOND + quarter), "a refusal reserves nothing");
        assert_eq!(limit.reserve(&[], SECOND, 9 * SECOND, quarter), Ok(SECOND));
    }

    proptest! {
        #[test]
        fn spacing_is_never_below_ours_and_pauses_obey_retry_after(
            spacing_ms in 0_u64..10_000, crawl_delay_ms in proptest::option::of(0_u64..1_000_000), slow_downs in 0_u32..100, seed: u64,
            retry_after_s in proptest::option::of(0_u64..200_000),
        ) {
            let settings = PolitenessSettings { spacing_ms, ..PolitenessSettings::default() };
            let crawl_delay = crawl_delay_ms.map(Duration::from_millis);
            let found = spacing(&settings, crawl_delay, None, slow_downs);
            prop_assert!(found >= Duration::from_millis(spacing_ms));
            prop_assert!(found >= crawl_delay.unwrap_or_default().min(CRAWL_DELAY_MAX));
            prop_assert!(found <= Duration::from_millis(spacing_ms).max(SLOWED_MAX).max(crawl_delay.unwrap_or_default().min(CRAWL_DELAY_MAX)));
            let asked = retry_after_s.map(Duration::from_secs);
            let after = |slow_downs: u32| pause(&settings, asked, slow_downs, &Chance::seeded(seed));
            let (found, ours) = (after(slow_downs), settings.back_off.bare(slow_downs.max(1)));
            let kept = asked.unwrap_or_default().min(24 * 3_600 * SECOND);
            prop_assert!(found >= kept, "as long as it asks, up to the ceiling: {found:?}");
            prop_assert!(found >= ours / 2 && found <= kept.max(ours), "our own growing delay, whatever it asks: {found:?}");
            prop_assert!(after(slow_downs + 1) >= found.min(ours), "one more slow-down never shortens it");
        }
    }
}
