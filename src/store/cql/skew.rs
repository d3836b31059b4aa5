//! Whether our clock agrees with the database's: versions, fences and buckets of the feed are our time, so a process whose
//! clock is off by more than [`SKEW_MAX`] writes nothing.

use crate::domain::clock::Timestamp;
use crate::store::{StoreError, StoreResult};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Beyond this, writes are refused.
pub const SKEW_MAX: Duration = Duration::from_secs(5);

/// A round trip longer than this says too little about the moment in its middle.
const SLOW: Duration = Duration::from_secs(1);

/// What the database says is rounded down to this.
const RESOLUTION: Duration = Duration::from_millis(1);

/// How our clock stands to the database's. Without a sample they are taken for the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    /// How far we are ahead, in microseconds.
    pub ahead_us: i64,
    /// How far that may be wrong, either way.
    pub within_us: i64,
}

impl Offset {
    /// The earliest that the database's clock may say at this moment of ours.
    pub fn earliest(self, ours: Timestamp) -> Timestamp {
        Timestamp(ours.0.saturating_sub(self.ahead_us).saturating_sub(self.within_us))
    }

    /// The latest that it may say then.
    pub fn latest(self, ours: Timestamp) -> Timestamp {
        Timestamp(ours.0.saturating_sub(self.ahead_us).saturating_add(self.within_us))
    }

    /// The latest that our clock may say at this moment of the database's.
    pub fn ours(self, theirs: Timestamp) -> Timestamp {
        Timestamp(theirs.0.saturating_add(self.ahead_us).saturating_add(self.within_us))
    }
}

/// One question to the database for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// Our wall clock when the question left.
    pub asked: Timestamp,
    /// Our wall clock when the answer came.
    pub answered: Timestamp,
    /// How long it took by our monotonic clock.
    pub round_trip: Duration,
    /// What the database said.
    pub said: Timestamp,
}

impl ClockSample {
    /// How we stand to the database; none if the sample is too slow to tell, or our clock was set during it.
    fn offset(&self) -> Option<Offset> {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let by_wall = self.answered.0.saturating_sub(self.asked.0);
        let (by_monotonic, slow) = (micros(self.round_trip), micros(SLOW));
        if by_monotonic > slow || (by_wall - by_monotonic).abs() > slow {
            return None;
        }
        let ahead_us = self.asked.0.saturating_add(by_monotonic / 2).saturating_sub(self.said.0);
        Some(Offset { ahead_us, within_us: by_monotonic / 2 + micros(RESOLUTION) })
    }
}

#[derive(Debug, Default)]
struct State {
    /// What the last sample that could tell said.
    last: Option<Offset>,
    /// What two in a row decided; none before the first two.
    off: Option<bool>,
}

/// Decides from samples whether writes are allowed; two that agree decide.
#[derive(Debug, Default)]
pub struct SkewGuard {
    state: Mutex<State>,
}

fn is_off(ahead_us: i64) -> bool {
    Duration::from_micros(ahead_us.unsigned_abs()) > SKEW_MAX
}

impl SkewGuard {
    /// Takes a sample in. Answers whether it could tell anything.
    pub fn observe(&self, sample: &ClockSample) -> bool {
        let Some(offset) = sample.offset() else { return false };
        let off = is_off(offset.ahead_us);
        let mut state = self.state();
        if state.last.is_some_and(|last| is_off(last.ahead_us) == off) {
            state.off = Some(off);
        }
        state.last = Some(offset);
        true
    }

    /// How our clock stood to the database's when last seen.
    pub fn offset(&self) -> Option<Offset> {
        self.state().last
    }

    /// Whether two samples have decided.
    pub fn is_decided(&self) -> bool {
        self.state().off.is_some()
    }

    /// Why nothing may be written, if so.
    pub fn refusal(&self) -> Option<String> {
        let state = self.state();
        if state.off != Some(true) {
            return None;
        }
        let ahead_us = state.last.unwrap_or_default().ahead_us;
        let direction = if ahead_us > 0 { "ahead of" } else { "behind" };
        let seconds = Duration::from_micros(ahead_us.unsigned_abs()).as_secs_f64();
        Some(format!(
            "this machine's clock is {seconds:.1} s {direction} the database's, and beyond {} s nothing is written; set the clock \
             (for example by starting chrony), writes go on by themselves",
            SKEW_MAX.as_secs()
        ))
    }

    /// Passes unless the clock is off.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with the sentence to print.
    pub fn check(&self) -> StoreResult<()> {
        self.refusal().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample of a clock that is `ahead_ms` ahead, with a round trip of `round_trip_ms`.
    fn sample(ahead_ms: i64, round_trip_ms: i64) -> ClockSample {
        let asked = Timestamp(1_795_305_600_000_000);
        ClockSample {
            asked,
            answered: Timestamp(asked.0 + round_trip_ms * 1_000),
            round_trip: Duration::from_millis(round_trip_ms.unsigned_abs()),
            said: Timestamp(asked.0 + round_trip_ms * 500 - ahead_ms * 1_000),
        }
    }

    #[test]
    fn skew_is_measured_against_the_middle_of_the_round_trip() {
        for ahead_ms in [-7_000, -1, 0, 300, 5_001] {
            for round_trip_ms in [0, 2, 900] {
                let offset = Offset { ahead_us: ahead_ms * 1_000, within_us: round_trip_ms * 500 + 1_000 };
                assert_eq!(sample(ahead_ms, round_trip_ms).offset(), Some(offset), "{ahead_ms} in {round_trip_ms}");
            }
        }
    }

    #[test]
    fn what_one_clock_says_is_not_met_too_early_by_another() {
        let moment = Timestamp(1_795_305_600_000_000);
        for (ahead_us, within_us) in [(3_000_000, 2_000), (-3_000_000, 2_000), (0, 0)] {
            let offset = Offset { ahead_us, within_us };
            assert_eq!(offset.latest(moment).0 - offset.earliest(moment).0, 2 * within_us);
            assert_eq!(offset.ours(offset.earliest(moment)), moment);
            assert_eq!(offset.ours(offset.latest(moment)).0 - moment.0, 2 * within_us, "never sooner than it was meant");
        }
    }

    #[test]
    fn two_in_a_row_decide() {
        let guard = SkewGuard::default();
        assert!(!guard.is_decided());
        guard.observe(&sample(6_000, 10));
        assert_eq!((guard.is_decided(), guard.refusal()), (false, None));
        guard.observe(&sample(0, 10));
        assert_eq!((guard.is_decided(), guard.refusal()), (false, None));
        guard.observe(&sample(0, 10));
        assert!(guard.is_decided() && guard.check().is_ok());
        guard.observe(&sample(-6_000, 10));
        assert!(guard.check().is_ok());
        guard.observe(&sample(-6_100, 10));
        let why = guard.check().unwrap_err().to_string();
        assert!(why.contains("6.1 s behind the database's") && why.contains("set the clock"), "{why}");
        guard.observe(&sample(10, 10));
        assert!(guard.check().is_err());
        guard.observe(&sample(10, 10));
        assert!(guard.check().is_ok());
    }

    #[test]
    fn slow_samples_and_clocks_set_meanwhile_say_nothing() {
        let guard = SkewGuard::default();
        let set = ClockSample { answered: Timestamp(sample(0, 10).answered.0 + 60_000_000), ..sample(60_000, 10) };
        for nothing in [sample(60_000, 1_001), sample(60_000, 30_000), set] {
            for _ in 0..3 {
                assert!(!guard.observe(&nothing));
            }
        }
        assert_eq!((guard.offset(), guard.is_decided()), (None, false));
    }

    #[test]
    fn exactly_five_seconds_is_allowed() {
        let guard = SkewGuard::default();
        for _ in 0..2 {
            guard.observe(&sample(5_000, 10));
        }
        assert_eq!(guard.refusal(), None);
        for _ in 0..2 {
            guard.observe(&sample(5_001, 10));
        }
        assert!(guard.refusal().is_some_and(|why| why.contains("5.0 s ahead of")));
    }
}
