//! When a page is asked for again: the interval doubles while nothing changes, and falls to a day when something does.

use crate::domain::clock::Timestamp;
use std::time::Duration;

/// The interval of a page that is new, or has just changed.
pub const SHORTEST: Duration = Duration::from_secs(24 * 3_600);
/// The longest interval, however long a page has stayed the same.
pub const LONGEST: Duration = SHORTEST.saturating_mul(30);
/// How much earlier than its interval a page is due: a night takes hours and reads pages in another order each time, so that
/// a page read late in one night would else miss the next.
const EARLY: Duration = Duration::from_secs(6 * 3_600);

/// The interval after a page answered; `before` is the one it had, if it was known.
pub fn next_interval(before: Option<Duration>, changed: bool) -> Duration {
    match before {
        Some(before) if !changed => before.saturating_mul(2).clamp(SHORTEST, LONGEST),
        _ => SHORTEST,
    }
}

/// Whether a page that answered last at `checked_at` is to be asked again. One that answered in the future did so by a wrong
/// clock, and is asked.
pub fn is_due(checked_at: Timestamp, interval: Duration, now: Timestamp) -> bool {
    checked_at > now || now.since(checked_at).saturating_add(EARLY) >= interval
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHT: Timestamp = Timestamp(1_795_399_200_000_000);

    /// Read every night by a crawler that obeys `is_due`: on which nights is a page asked that changes on those of `changes`?
    fn asked_on(nights: u32, changes: &[u32]) -> Vec<u32> {
        let (mut asked, mut known): (Vec<u32>, Option<(Timestamp, Duration, u32)>) = (Vec::new(), None);
        for night in 1..=nights {
            // Late in one night, early in the next.
            let at = NIGHT.plus(SHORTEST * night + Duration::from_secs(if night % 2 == 0 { 60 } else { 5 * 3_600 }));
            let state = changes.iter().filter(|change| **change <= night).count() as u32;
            if known.is_none_or(|(checked_at, interval, _)| is_due(checked_at, interval, at)) {
                let interval = next_interval(known.map(|(_, interval, _)| interval), known.is_some_and(|(.., seen)| seen != state));
                known = Some((at, interval, state));
                asked.push(night);
            }
        }
        asked
    }

    #[test]
    fn the_interval_doubles_to_thirty_days_and_falls_to_one() {
        let mut interval = None;
        let days: Vec<u64> = (0..8)
            .map(|_| {
                let next = next_interval(interval, false);
                interval = Some(next);
                next.as_secs() / 86_400
            })
            .collect();
        assert_eq!(days, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(next_interval(Some(LONGEST), true), SHORTEST);
        assert_eq!(next_interval(Some(Duration::ZERO), false), SHORTEST, "an interval that cannot be is none");
    }

    #[test]
    fn nights_that_begin_at_other_hours_are_nights_all_the_same() {
        assert_eq!(asked_on(70, &[]), [1, 2, 4, 8, 16, 32, 62]);
        assert_eq!(asked_on(16, &[5]), [1, 2, 4, 8, 9, 11, 15], "seen the next time it is due, and often from then on");
        assert!(is_due(NIGHT.plus(Duration::from_secs(1)), LONGEST, NIGHT), "a clock that was wrong");
    }
}
