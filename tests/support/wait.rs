//! Waiting for a condition with a deadline (rule 16): the one place where tests let time pass.

use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(10);

/// What a busy machine may need for anything; whoever waits that long has met a fault.
pub const LONG: Duration = Duration::from_secs(240);

/// Waits until `condition` has an answer, and gives it. Panics with `what` after `within`.
pub async fn until<T>(what: &str, within: Duration, condition: impl AsyncFnMut() -> Option<T>) -> T {
    until_every(EVERY, what, within, condition).await
}

/// As [`until`], looking every `pause`.
pub async fn until_every<T>(pause: Duration, what: &str, within: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = async {
        loop {
            ticks.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    match timeout(within, look).await {
        Ok(found) => found,
        Err(_) => panic!("not within {within:?}: {what}"),
    }
}
