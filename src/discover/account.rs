//! What calls to a source were made and how they went: counted durably before each call, so that a death never forgets one.

use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::store::{Store, StoreError, StoreResult};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How often a lost race for the row is tried again.
const RACES: usize = 8;

/// How many calls may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In one run.
    pub per_run: u64,
    /// In one day of UTC, all runs together.
    pub per_day: u64,
}

/// The row, as JSON in a small value of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    day: String,
    day_calls: u64,
    run: String,
    run_calls: u64,
    /// Calls of the run that failed one after the other, up to the last.
    failures: u32,
}

/// The account of one source.
#[derive(Debug)]
pub(super) struct Account {
    store: Arc<dyn Store>,
    key: String,
    budget: Budget,
}

impl Account {
    pub fn of(store: Arc<dyn Store>, source: &str, budget: Budget) -> Self {
        Self { store, key: format!("discovery.calls/{source}"), budget }
    }

    /// Counts a call before it is made; else says which budget is used up.
    pub async fn charge(&self, run: &SessionId, now: Timestamp) -> StoreResult<Result<(), String>> {
        let day: String = now.rfc3339().chars().take("2026-11-22".len()).collect();
        self.change(run, |counts| {
            // A clock that was set back does not begin a day anew.
            if day > counts.day {
                (counts.day, counts.day_calls) = (day.clone(), 0);
            }
            if counts.run_calls >= self.budget.per_run {
                return Err(format!("the budget of {} calls a run is used up", self.budget.per_run));
            }
            if counts.day_calls >= self.budget.per_day {
                return Err(format!("the budget of {} calls a day is used up for {} (UTC)", self.budget.per_day, counts.day));
            }
            (counts.day_calls, counts.run_calls) = (counts.day_calls + 1, counts.run_calls + 1);
            Ok(())
        })
        .await
    }

    /// A call failed. Answers how many did one after the other.
    pub async fn failed(&self, run: &SessionId) -> StoreResult<u32> {
        self.change(run, |counts| {
            counts.failures = counts.failures.saturating_add(1);
            counts.failures
        })
        .await
    }

    /// A call was answered.
    pub async fn went_well(&self, run: &SessionId) -> StoreResult<()> {
        self.change(run, |counts| counts.failures = 0).await
    }

    /// Calls of a run so far, and how many failed one after the other.
    pub async fn of_run(&self, run: &SessionId) -> StoreResult<(u64, u32)> {
        self.change(run, |counts| (counts.run_calls, counts.failures)).await
    }

    async fn change<T>(&self, run: &SessionId, change: impl Fn(&mut Counts) -> T) -> StoreResult<T> {
        for _ in 0..RACES {
            let stored = self.store.meta(&self.key).await?;
            let read = |text: &String| serde_json::from_str::<Counts>(text);
            let before = match stored.as_ref().map(read).transpose() {
                Ok(counts) => counts.unwrap_or_default(),
                Err(error) => return Err(StoreError::Corrupt { what: format!("meta/{}", self.key), why: error.to_string() }),
            };
            let mut after = before.clone();
            if after.run != run.as_str() {
                (after.run, after.run_calls, after.failures) = (run.to_string(), 0, 0);
            }
            let answer = change(&mut after);
            if after == before {
                return Ok(answer);
            }
            let text = serde_json::to_string(&after).map_err(|error| StoreError::Bug(error.to_string()))?;
            if self.store.put_meta(&self.key, stored.as_deref(), &text).await?.is_none() {
                return Ok(answer);
            }
        }
        Err(StoreError::Unavailable(format!("{} is contended", self.key)))
    }
}
