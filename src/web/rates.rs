//! How often strangers may have something written: by address, and all of them together. In memory: a restart forgets it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time in which is counted.
const WINDOW: Duration = Duration::from_secs(3_600);
/// Requests of one address within it.
pub const OF_ONE: u32 = 10;
/// Requests of all within it.
pub const OF_ALL: u32 = 100;
/// Addresses remembered; who comes when as many are known counts with all only.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
struct Counted {
    since: Duration,
    all: u32,
    each: HashMap<IpAddr, u32>,
}

/// Counts what comes in.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Counted>);

/// Whom an address stands for: an IPv6 line has as many addresses as it likes.
fn line_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// Whether an address is that of a proxy of ours rather than of a visitor.
fn is_ours(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

impl Rates {
    /// Counts a request from `peer` at the monotonic time `now`.
    ///
    /// # Errors
    /// There were too many: how long to wait.
    pub fn admit(&self, peer: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(counted.since) >= WINDOW {
            *counted = Counted { since: now, ..Counted::default() };
        }
        let wait = counted.since.saturating_add(WINDOW).saturating_sub(now);
        if counted.all >= OF_ALL {
            return Err(wait);
        }
        if let Some(line) = peer.filter(|peer| !is_ours(*peer)).map(line_of)
            && (counted.each.len() < REMEMBERED || counted.each.contains_key(&line))
        {
            let own = counted.each.entry(line).or_default();
            if *own >= OF_ONE {
                return Err(wait);
            }
            *own += 1;
        }
        counted.all += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_is_not_all() {
        let (rates, now) = (Rates::default(), Duration::from_secs(5));
        for n in 0..OF_ONE {
            // One IPv6 line, however many addresses it uses.
            rates.admit(address(&format!("2001:db8:1:2::{n}")), now).unwrap();
        }
        assert!(rates.admit(address("2001:db8:1:2:ffff::1"), now).is_err());
        rates.admit(address("2001:db8:1:3::1"), now).unwrap();
        rates.admit(address("203.0.113.9"), now).unwrap();
        // An hour later everybody may again.
        rates.admit(address("2001:db8:1:2::1"), now + WINDOW).unwrap();
    }

    #[test]
    fn a_proxy_of_ours_is_not_one_visitor() {
        let (rates, now) = (Rates::default(), Duration::ZERO);
        for _ in 0..OF_ALL {
            rates.admit(address("::ffff:10.0.0.1"), now).unwrap();
        }
        assert_eq!(rates.admit(address("127.0.0.1"), Duration::from_secs(60)), Err(WINDOW - Duration::from_secs(60)));
        assert!(rates.admit(None, now).is_err());
    }
}
