//! Time-ordered ids (UUID version 1) of the feed's rows: the injected clock's time, strictly rising in a process, and never
//! the same in two.

use crate::domain::clock::Timestamp;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Ticks of 100 ns between 1582-10-15, where version 1 begins to count, and 1970-01-01.
const TICKS_TO_1970: i64 = 0x01B2_1DD2_1381_4000;

/// Ticks in a microsecond.
const TICKS_PER_US: i64 = 10;

/// How far a clock may be set back before the ids follow it; less is bridged by counting on.
const BRIDGED_TICKS: i64 = 5_000_000 * TICKS_PER_US;

/// Sorts after every id of the same tick: the databases compare the lower half as signed bytes.
const AFTER_ALL: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// The ids of one process.
#[derive(Debug)]
pub(crate) struct Stamps {
    last_ticks: Mutex<i64>,
    /// Clock sequence and node, at random: what differs between processes.
    lower: u64,
}

impl Stamps {
    pub fn new() -> Self {
        let random = Uuid::new_v4().as_u64_pair().1;
        // The variant's bits stand above; the multicast bit says that the node is no network card.
        let lower = (random & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000 | (1 << 40);
        Self { last_ticks: Mutex::new(i64::MIN), lower }
    }

    /// The next id at `now`.
    pub fn next(&self, now: Timestamp) -> Uuid {
        let ticks = ticks(now);
        let mut last = self.last_ticks.lock().unwrap_or_else(PoisonError::into_inner);
        let bridged = ticks <= *last && *last - ticks < BRIDGED_TICKS;
        *last = if bridged { *last + 1 } else { ticks };
        of_ticks(*last, self.lower)
    }
}

/// A moment in ticks since 1970.
pub(crate) fn ticks(moment: Timestamp) -> i64 {
    moment.0.saturating_mul(TICKS_PER_US)
}

/// An id's ticks since 1970.
pub(crate) fn ticks_of(id: Uuid) -> i64 {
    let (upper, _) = id.as_u64_pair();
    let counted = (upper >> 32) | ((upper & 0xffff_0000) << 16) | ((upper & 0x0fff) << 48);
    i64::try_from(counted).unwrap_or(i64::MAX).saturating_sub(TICKS_TO_1970)
}

/// The last id that a tick may have: everything later sorts after it.
pub(crate) fn last_of(ticks: i64) -> Uuid {
    of_ticks(ticks, AFTER_ALL)
}

fn of_ticks(ticks: i64, lower: u64) -> Uuid {
    let counted = u64::try_from(ticks.saturating_add(TICKS_TO_1970)).unwrap_or(0) & 0x0fff_ffff_ffff_ffff;
    let upper = (counted << 32) | ((counted >> 16) & 0xffff_0000) | 0x1000 | (counted >> 48);
    Uuid::from_u64_pair(upper, lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_rise_while_the_clock_stands_or_is_set_back_a_little() {
        let stamps = Stamps::new();
        let now = Timestamp(1_795_305_600_000_000);
        let mut last = ticks_of(stamps.next(now));
        assert_eq!(last, ticks(now));
        for back_us in [0, 0, 1, 1_000_000] {
            let next = ticks_of(stamps.next(Timestamp(now.0 - back_us)));
            assert!(next > last, "set back by {back_us} us");
            last = next;
        }
        assert_eq!(ticks_of(stamps.next(Timestamp(now.0 - 3_600_000_000))), ticks(now) - 3_600_000_000 * TICKS_PER_US);
    }

    #[test]
    fn ids_of_two_processes_differ() {
        let now = Timestamp(1);
        assert_ne!(Stamps::new().next(now), Stamps::new().next(now));
    }

    proptest! {
        #[test]
        fn an_id_says_its_time(micros in 0i64..4_000_000_000_000_000) {
            let id = Stamps::new().next(Timestamp(micros));
            prop_assert_eq!(ticks_of(id), ticks(Timestamp(micros)));
            prop_assert_eq!(id.get_version_num(), 1);
            prop_assert_eq!(ticks_of(last_of(ticks(Timestamp(micros)))), ticks(Timestamp(micros)));
        }
    }
}
