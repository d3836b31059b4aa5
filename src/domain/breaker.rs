//! When to stop asking a part that fails, and when to try again: a circuit breaker as a pure state machine. The search index
//! (002-X9) and the sources of studios (002-R8) stand behind one each.

use std::collections::VecDeque;
use std::time::Duration;

/// When it opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Calls that ended within this time count.
    pub window: Duration,
    /// Fewer calls than this say nothing.
    pub calls_min: usize,
    /// It opens once so many of a hundred calls failed.
    pub failed_percent: usize,
    /// It opens as well once so many calls in a row failed, however few there were.
    pub in_a_row: Option<usize>,
    /// How long nothing is asked then.
    pub open_for: Duration,
    /// A trial that did not end within this time is forgotten, and another one may be made.
    pub trial_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls_min: 4,
            failed_percent: 50,
            in_a_row: None,
            open_for: Duration::from_secs(30),
            trial_for: Duration::from_secs(5),
        }
    }
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Ask, and tell with this ticket how it ended.
    Go(Ticket),
    /// Do not ask before so much time has passed.
    Wait(Duration),
}

/// The right to ask once. What is told with a ticket of an earlier state is not news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// A circuit breaker. Times are monotonic.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Counts states, so that tickets of earlier ones are known.
    era: u64,
}

#[derive(Debug)]
enum State {
    /// All may ask; when calls ended, and whether well.
    Closed(VecDeque<(Duration, bool)>),
    /// Nobody may ask until then.
    Open(Duration),
    /// One asks, since then.
    Trial(Duration),
}

impl Breaker {
    /// A closed one.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed(VecDeque::new()), era: 0 }
    }

    /// Whether to ask at `now`.
    pub fn admit(&mut self, now: Duration) -> Admission {
        let again_at = match &self.state {
            State::Closed(_) => return Admission::Go(Ticket(self.era)),
            State::Open(until) => *until,
            State::Trial(since) => *since + self.settings.trial_for,
        };
        if now < again_at {
            return Admission::Wait(again_at - now);
        }
        self.enter(State::Trial(now));
        Admission::Go(Ticket(self.era))
    }

    /// A call ended at `now`.
    pub fn ended(&mut self, ticket: Ticket, now: Duration, well: bool) {
        if ticket.0 != self.era {
            return;
        }
        match &mut self.state {
            State::Closed(calls) => {
                calls.push_back((now, well));
                let begin = now.saturating_sub(self.settings.window);
                while calls.front().is_some_and(|(at, _)| *at < begin) {
                    calls.pop_front();
                }
                let failed = calls.iter().filter(|(_, well)| !well).count();
                let often = calls.len() >= self.settings.calls_min && failed * 100 >= self.settings.failed_percent * calls.len();
                let last_failed = calls.iter().rev().take_while(|(_, well)| !well).count();
                if often || self.settings.in_a_row.is_some_and(|most| last_failed >= most) {
                    self.enter(State::Open(now + self.settings.open_for));
                }
            }
            State::Trial(_) if well => self.enter(State::Closed(VecDeque::new())),
            State::Trial(_) => self.enter(State::Open(now + self.settings.open_for)),
            State::Open(_) => {}
        }
    }

    /// Whether calls are refused, or only tried one at a time.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ask(breaker: &mut Breaker, at: Duration, well: bool) -> bool {
        match breaker.admit(at) {
            Admission::Go(ticket) => {
                breaker.ended(ticket, at, well);
                true
            }
            Admission::Wait(_) => false,
        }
    }

    /// 002-X9: it opens at half of the calls failed, and asks once after 30 seconds.
    #[test]
    fn it_opens_at_half_and_tries_once_after_half_a_minute() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for (n, well) in [true, true, false].into_iter().enumerate() {
            assert!(ask(&mut breaker, ms(n as u64), well));
        }
        assert!(!breaker.is_open(), "one of three");
        assert!(ask(&mut breaker, ms(10), false));
        assert!(breaker.is_open(), "two of four");
        assert_eq!(breaker.admit(ms(10)), Admission::Wait(Duration::from_secs(30)));
        assert!(!ask(&mut breaker, ms(30_009), true));
        let Admission::Go(trial) = breaker.admit(ms(30_010)) else { panic!("half a minute is over") };
        assert_eq!(breaker.admit(ms(30_011)), Admission::Wait(ms(4_999)), "one trial at a time");
        breaker.ended(trial, ms(30_020), false);
        assert_eq!(breaker.admit(ms(30_021)), Admission::Wait(ms(29_999)), "open again");
        assert!(ask(&mut breaker, ms(60_020), true));
        assert!(!breaker.is_open());
        assert!(ask(&mut breaker, ms(60_021), false), "what failed before counts no more");
        assert!(!breaker.is_open());
    }

    /// 002-R8: a source of studios is left alone after three failures in a row, but not for three among many.
    #[test]
    fn it_opens_after_so_many_in_a_row() {
        let settings = BreakerSettings {
            window: Duration::from_secs(3_600),
            calls_min: usize::MAX,
            in_a_row: Some(3),
            open_for: Duration::from_secs(300),
            ..BreakerSettings::default()
        };
        let mut breaker = Breaker::new(settings);
        for n in 0..30 {
            assert!(ask(&mut breaker, Duration::from_secs(n), n % 3 == 0), "two of three fail, never three in a row");
        }
        assert!(!breaker.is_open());
        for n in 30..33 {
            assert!(ask(&mut breaker, Duration::from_secs(n), n == 30));
        }
        assert!(ask(&mut breaker, Duration::from_secs(33), false), "the third");
        assert!(breaker.is_open());
        assert_eq!(breaker.admit(Duration::from_secs(33)), Admission::Wait(Duration::from_secs(300)));
        assert!(ask(&mut breaker, Duration::from_secs(333), false), "one trial");
        assert!(!ask(&mut breaker, Duration::from_secs(334), true), "which failed");
        assert!(ask(&mut breaker, Duration::from_secs(633), true));
        assert!(!breaker.is_open());
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for n in 0..50 {
            assert!(ask(&mut breaker, Duration::from_secs(4 * n), false));
        }
    }

    #[test]
    fn a_trial_that_never_ends_is_forgotten_and_told_late_is_no_news() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for n in 0..4 {
            ask(&mut breaker, ms(n), false);
        }
        let Admission::Go(lost) = breaker.admit(ms(40_000)) else { panic!("a trial") };
        let Admission::Go(_next) = breaker.admit(ms(45_000)) else { panic!("another trial") };
        breaker.ended(lost, ms(45_001), true);
        assert!(breaker.is_open(), "the lost trial says nothing any more");
    }

    proptest! {
        /// While it is open nobody asks, and there is always a moment at which somebody may.
        #[test]
        fn open_means_nobody_asks_and_open_ends(calls in prop::collection::vec((0_u64..20_000, any::<bool>(), any::<bool>()), 1..200)) {
            let settings = BreakerSettings::default();
            let mut breaker = Breaker::new(settings);
            let (mut now, mut opened_at): (Duration, Option<Duration>) = (Duration::ZERO, None);
            for (passed_ms, well, answers) in calls {
                now += ms(passed_ms);
                match breaker.admit(now) {
                    Admission::Go(ticket) => {
                        prop_assert!(opened_at.is_none_or(|at| now >= at + settings.open_for));
                        if answers {
                            breaker.ended(ticket, now, well);
                            opened_at = breaker.is_open().then_some(now);
                        } else if breaker.is_open() {
                            opened_at = None;
                        }
                    }
                    Admission::Wait(wait) => {
                        prop_assert!(breaker.is_open());
                        prop_assert!(wait <= settings.open_for.max(settings.trial_for));
                        prop_assert!(matches!(breaker.admit(now + wait), Admission::Go(_)));
                        opened_at = None;
                        now += wait;
                    }
                }
            }
        }

        #[test]
        fn it_stays_closed_while_less_than_half_fail(pattern in prop::collection::vec(0_u64..500, 1..100)) {
            let mut breaker = Breaker::new(BreakerSettings::default());
            let mut now = Duration::ZERO;
            for passed_ms in pattern {
                for well in [true, true, false] {
                    now += ms(passed_ms);
                    prop_assert!(ask(&mut breaker, now, well));
                }
            }
        }
    }
}
