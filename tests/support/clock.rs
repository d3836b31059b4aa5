//! The machine's clock, moved: nights to come without waiting for them, while sockets and timers go on as they are.

use inkdex::domain::clock::{Clock, SystemClock, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Wall-clock time runs as the machine's does, from wherever it was put; monotonic time is the machine's.
#[derive(Debug)]
pub struct ShiftedClock {
    machine: SystemClock,
    shift_us: AtomicI64,
}

impl ShiftedClock {
    /// A clock that says `now` now.
    pub fn at(now: Timestamp) -> Self {
        let clock = Self { machine: SystemClock::new(), shift_us: AtomicI64::new(0) };
        clock.jump_to(now);
        clock
    }

    /// Sets the wall clock, forth or back.
    pub fn jump_to(&self, now: Timestamp) {
        self.shift_us.store(now.0 - self.machine.now().0, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.machine.now().0 + self.shift_us.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}
