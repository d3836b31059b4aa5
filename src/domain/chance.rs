//! The one source of randomness, seeded, so that a failed run can be repeated from its printed seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// A seeded random source shared by everything that needs jitter.
pub struct Chance {
    seed: u64,
    rng: Mutex<StdRng>,
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chance").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Chance {
    /// A source that repeats itself for the same `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, rng: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// The seed, for the log line that lets a run be repeated.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Full jitter: a duration evenly spread over `[0, bound]`.
    pub fn up_to(&self, bound: Duration) -> Duration {
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Duration::from_micros(rng.random_range(0..=bound_us))
    }
}
