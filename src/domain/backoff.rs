//! Delays before a retry: the bare exponential from the `backoff` crate, jitter and `Retry-After` from us.
//!
//! Only arithmetic is taken from the crate: a sleeping retry would die with the process, so delays are persisted.

use crate::domain::chance::Chance;
use ::backoff::ExponentialBackoff;
use ::backoff::backoff::Backoff as _;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long to wait before each further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryDelay {
    /// Delay before the first retry, milliseconds.
    pub interval_ms: u64,
    /// Factor from one delay to the next.
    pub rate: f64,
    /// Longest bare delay, milliseconds.
    pub max_ms: u64,
}

impl RetryDelay {
    /// The bare delay after `failures` failed attempts (1 = the first), without jitter.
    pub fn bare(&self, failures: u32) -> Duration {
        let mut delays = ExponentialBackoff {
            initial_interval: Duration::from_millis(self.interval_ms),
            current_interval: Duration::from_millis(self.interval_ms),
            // The crate's jitter cannot be seeded and its default time limit would end the series after 15 minutes.
            randomization_factor: 0.0,
            multiplier: self.rate,
            max_interval: Duration::from_millis(self.max_ms),
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        let longest = Duration::from_millis(self.max_ms);
        let mut delay = Duration::ZERO;
        for _ in 0..failures.clamp(1, 64) {
            delay = delays.next_backoff().unwrap_or(longest);
        }
        delay.min(longest)
    }

    /// The delay with equal jitter (half fixed, half random), never shorter than `retry_after` asks for.
    pub fn jittered(&self, failures: u32, retry_after: Option<Duration>, chance: &Chance) -> Duration {
        let bare = self.bare(failures);
        let jittered = bare / 2 + chance.up_to(bare / 2);
        jittered.max(retry_after.unwrap_or(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delay = RetryDelay { interval_ms: 1_000, rate: 2.0, max_ms: 5_000 };
        let seconds: Vec<u64> = (1..=5).map(|n| delay.bare(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_bounds_and_obeys_retry_after(
            interval_ms in 1u64..10_000, rate in 1.0f64..4.0, max_ms in 1u64..100_000, failures in 1u32..40,
            retry_after_s in proptest::option::of(0u64..1_000), seed: u64,
        ) {
            let delay = RetryDelay { interval_ms, rate, max_ms };
            let asked = retry_after_s.map(Duration::from_secs);
            let got = delay.jittered(failures, asked, &Chance::seeded(seed));
            let bare = delay.bare(failures);
            prop_assert!(bare <= Duration::from_millis(max_ms));
            prop_assert!(got >= bare / 2);
            prop_assert!(got >= asked.unwrap_or_default());
            prop_assert!(got <= bare.max(asked.unwrap_or_default()));
        }
    }
}
