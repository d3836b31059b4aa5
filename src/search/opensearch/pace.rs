//! How much OpenSearch is asked to write at once: halved when it says that it is too much, raised while it keeps up. Pure.

use std::time::Duration;

/// Bytes of a bulk request that are always allowed: a few documents.
const BYTES_MIN: usize = 64 * 1024;
/// In how many clean seconds sizes come back from nothing to their limit.
const STEPS: usize = 8;

/// What a bulk request holds, and how many run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// Documents and tombstones of a request.
    pub operations: usize,
    /// Bytes of a request; a single document may be larger.
    pub bytes: usize,
    /// Requests of one process at once.
    pub concurrency: usize,
}

/// The limits as they are now.
#[derive(Debug)]
pub(super) struct Pace {
    most: BulkLimits,
    now: BulkLimits,
    /// Since when nothing was refused, in monotonic time.
    clean_since: Duration,
}

impl Pace {
    /// Begins at `most`.
    pub fn new(most: BulkLimits) -> Self {
        Self { most, now: most, clean_since: Duration::ZERO }
    }

    /// What may be asked now.
    pub fn limits(&self) -> BulkLimits {
        self.now
    }

    /// OpenSearch said at `at` that it was too much.
    pub fn refused(&mut self, at: Duration) {
        self.now = BulkLimits {
            operations: (self.now.operations / 2).max(1),
            bytes: (self.now.bytes / 2).max(BYTES_MIN.min(self.most.bytes)),
            concurrency: (self.now.concurrency / 2).max(1),
        };
        self.clean_since = at;
    }

    /// A request ended well at `at`: each whole second since the last refusal raises the limits one step.
    pub fn accepted(&mut self, at: Duration) {
        let seconds = at.saturating_sub(self.clean_since).as_secs();
        if seconds == 0 || self.now == self.most {
            return;
        }
        let steps = usize::try_from(seconds).unwrap_or(usize::MAX).min(STEPS.max(self.most.concurrency));
        let raised = |now: usize, most: usize, step: usize| now.saturating_add(step.saturating_mul(steps)).min(most);
        self.now = BulkLimits {
            operations: raised(self.now.operations, self.most.operations, self.most.operations.div_ceil(STEPS)),
            bytes: raised(self.now.bytes, self.most.bytes, self.most.bytes.div_ceil(STEPS)),
            concurrency: raised(self.now.concurrency, self.most.concurrency, 1),
        };
        self.clean_since += Duration::from_secs(seconds);
    }
}

/// Cuts `items` into requests, in their order. A single item larger than the limit is a request by itself.
pub(super) fn cut<T>(items: Vec<T>, bytes_of: impl Fn(&T) -> usize, limits: BulkLimits) -> Vec<Vec<T>> {
    let mut requests: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = bytes_of(&item);
        match requests.last_mut() {
            Some(last) if last.len() < limits.operations && bytes + size <= limits.bytes => {
                last.push(item);
                bytes += size;
            }
            _ => {
                requests.push(vec![item]);
                bytes = size;
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: BulkLimits = BulkLimits { operations: 500, bytes: 2_000_000, concurrency: 4 };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn refusals_halve_and_clean_seconds_raise() {
        let mut pace = Pace::new(MOST);
        pace.refused(seconds(10));
        assert_eq!(pace.limits(), BulkLimits { operations: 250, bytes: 1_000_000, concurrency: 2 });
        pace.accepted(seconds(10) + Duration::from_millis(900));
        assert_eq!(pace.limits().concurrency, 2, "the second is not over");
        pace.accepted(seconds(11));
        assert_eq!(pace.limits(), BulkLimits { operations: 313, bytes: 1_250_000, concurrency: 3 });
        pace.accepted(seconds(11));
        assert_eq!(pace.limits().concurrency, 3, "a second counts once");
        pace.accepted(seconds(60));
        assert_eq!(pace.limits(), MOST);
    }

    #[test]
    fn it_never_stops_altogether() {
        let mut pace = Pace::new(MOST);
        for second in 0..40 {
            pace.refused(seconds(second));
        }
        assert_eq!(pace.limits(), BulkLimits { operations: 1, bytes: BYTES_MIN, concurrency: 1 });
    }

    proptest! {
        #[test]
        fn limits_stay_between_one_and_the_most(steps in prop::collection::vec((any::<bool>(), 0_u64..5_000), 0..60)) {
            let mut pace = Pace::new(MOST);
            let mut now = Duration::ZERO;
            for (refused, passed_ms) in steps {
                now += Duration::from_millis(passed_ms);
                let before = pace.limits();
                if refused { pace.refused(now) } else { pace.accepted(now) }
                let after = pace.limits();
                prop_assert!((1..=MOST.operations).contains(&after.operations));
                prop_assert!((BYTES_MIN..=MOST.bytes).contains(&after.bytes));
                prop_assert!((1..=MOST.concurrency).contains(&after.concurrency));
                prop_assert!(refused || after.operations >= before.operations);
                prop_assert!(!refused || after.operations <= before.operations);
            }
        }

        #[test]
        fn cutting_keeps_every_item_in_order_and_within_limits(
            sizes in prop::collection::vec(1_usize..50, 0..80), operations in 1_usize..10, bytes in 1_usize..100,
        ) {
            let limits = BulkLimits { operations, bytes, concurrency: 1 };
            let requests = cut(sizes.clone(), |size| *size, limits);
            prop_assert_eq!(requests.concat(), sizes);
            for request in &requests {
                let total: usize = request.iter().sum();
                prop_assert!(!request.is_empty() && request.len() <= operations && (total <= bytes || request.len() == 1));
            }
        }
    }
}
