//! Crash points (rule 6): every place between two steps of an operation is named, so that tests can end or hold it there.
//!
//! In release builds a step is nothing.

use crate::store::StoreResult;

/// More steps than any operation has; the contract suites cut at each of them.
#[cfg(debug_assertions)]
pub const STEPS_MAX: usize = 14;

/// What tests plan for the steps of a store value.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    #[cfg(debug_assertions)]
    plan: Option<std::sync::Arc<planned::Plan>>,
}

impl Steps {
    /// Passes a step, unless a test planned otherwise.
    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_async, reason = "in debug builds a step can be held")]
    pub async fn pass(&self, _name: &'static str) -> StoreResult<()> {
        Ok(())
    }

    /// Passes a step, unless a test planned otherwise.
    #[cfg(debug_assertions)]
    pub async fn pass(&self, name: &'static str) -> StoreResult<()> {
        match &self.plan {
            Some(plan) => plan.pass(name).await,
            None => Ok(()),
        }
    }
}

#[cfg(debug_assertions)]
pub use planned::Hold;

#[cfg(debug_assertions)]
mod planned {
    use super::{STEPS_MAX, Steps};
    use crate::store::{StoreError, StoreResult};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[derive(Debug)]
    pub(in crate::store::cql) struct Plan {
        taken: AtomicUsize,
        what: What,
    }

    #[derive(Debug)]
    enum What {
        CrashAt(usize),
        HoldAt(&'static str, Hold),
    }

    /// An operation held at a step until it is let go.
    #[derive(Debug, Clone)]
    pub struct Hold {
        arrived: Arc<Semaphore>,
        released: Arc<Semaphore>,
    }

    impl Hold {
        /// Waits until the operation has arrived at its step.
        pub async fn arrived(&self) {
            if let Ok(permit) = self.arrived.acquire().await {
                permit.forget();
            }
        }

        /// Lets the operation go on.
        pub fn release(&self) {
            self.released.add_permits(1);
        }
    }

    impl Plan {
        pub(super) async fn pass(&self, name: &'static str) -> StoreResult<()> {
            let taken = self.taken.fetch_add(1, Ordering::SeqCst);
            match &self.what {
                What::CrashAt(at) => {
                    assert!(taken < STEPS_MAX, "{name} is step {taken}: raise STEPS_MAX");
                    // Once dead, dead: nothing after it happens either.
                    if taken >= *at { Err(StoreError::Unavailable(format!("planned crash before {name}"))) } else { Ok(()) }
                }
                What::HoldAt(held, hold) if *held == name => {
                    hold.arrived.add_permits(1);
                    if let Ok(permit) = hold.released.acquire().await {
                        permit.forget();
                    }
                    Ok(())
                }
                What::HoldAt(..) => Ok(()),
            }
        }
    }

    impl Steps {
        /// Every step from the `at`-th on (from 0) fails.
        pub(in crate::store::cql) fn crash_at(at: usize) -> Self {
            Self { plan: Some(Arc::new(Plan { taken: AtomicUsize::new(0), what: What::CrashAt(at) })) }
        }

        /// The step `name` waits until it is let go.
        pub(in crate::store::cql) fn hold_at(name: &'static str) -> (Self, Hold) {
            let hold = Hold { arrived: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) };
            let what = What::HoldAt(name, hold.clone());
            (Self { plan: Some(Arc::new(Plan { taken: AtomicUsize::new(0), what })) }, hold)
        }
    }
}
