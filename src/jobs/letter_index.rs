//! Keeps the index of dead letters in step with the ledger, without a feed: whoever makes a dead letter or unmakes one owes it
//! to the index first and then puts the row; the sweep brings the index up to the rows of what is owed, and drops the debt
//! last. So a death between any two steps leaves a debt, and an outage of the index hinders nobody who settles a job.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::{Attempt, Job, JobState};
use crate::domain::outcome::{Category, Failure};
use crate::jobs::{PortError, Ports};
use crate::search::ItemAnswer;
use crate::search::letters::{LetterOperation, version_of};
use crate::store::{DeadLetterQuery, JobPut, StoreError, StoreResult};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::{error, info};

/// What the keys of debts begin with. They are listed by the hour in which they were made, so that nobody reads over the marks
/// of those that were dropped before.
const OWED: &str = "letter_owed";
/// Meta key of the first hour in which a debt may be left.
const OWED_FROM_KEY: &str = "letter_index.owed_from";
const HOUR_US: i64 = 3_600_000_000;
/// Hours that are looked at however empty they are: whoever made up its mind about an hour puts its debt before they are over.
const HOURS_OPEN: i64 = 2;
/// Meta key of the generation of the index that was filled.
pub(crate) const FILLED_KEY: &str = "letter_index.filled";
/// Debts of an hour looked at by one sweep.
const OWED_MAX: usize = 10_000;
/// Letters read or written at once.
pub(crate) const PAGE: usize = 500;
/// Rows read at a time.
const READ_AT_ONCE: usize = 16;
/// How often a lost race for a debt is tried again.
const RACES: usize = 8;
/// A row is put at most this long after its debt stands. A debt of which the row knows nothing by then was made by somebody
/// who died or lost the race for the row.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// How soon a letter that the index refused is offered again.
const REFUSED_FOR: Duration = Duration::from_secs(3_600);

/// What is owed to the index of one letter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Owed {
    /// The row's version once it is put.
    version: i64,
    /// Since when, microseconds since 1970.
    at: i64,
    /// Why the index did not take it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// A debt as it was read.
struct Debt {
    key: String,
    text: String,
    owed: Owed,
}

/// What a sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Letters that the index is up to.
    pub settled: u64,
    /// Debts whose row is still to come.
    pub waiting: u64,
    /// Letters that the index refuses.
    pub refused: u64,
}

/// Puts a row by compare-and-set, as [`crate::store::Ledger::put_job`]: the one way in which jobs are put here, so that no dead
/// letter comes or goes without being owed to the index first.
///
/// # Errors
/// The store failed.
pub async fn put_job(ports: &Ports, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut> {
    if (old.state == JobState::Dead) != (new.state == JobState::Dead) {
        owe(ports, new.id(), version_of(new)).await?;
    }
    ports.store.put_job(old, new, attempt).await
}

/// Owes a letter to the index, before its row is put as `version` says.
///
/// # Errors
/// The store failed.
pub async fn owe(ports: &Ports, id: &JobId, version: i64) -> StoreResult<()> {
    let key = key_now(ports, id);
    let mut known = ports.store.meta(&key).await?;
    for _ in 0..RACES {
        // What somebody else is about to put stays owed.
        let version = known.as_deref().map(read).map_or(version, |before| before.version.max(version));
        let owed = text(&Owed { version, at: ports.clock.now().0, refused: None });
        match ports.store.put_meta(&key, known.as_deref(), &owed).await? {
            None => return Ok(()),
            Some(met) => known = met,
        }
    }
    Err(StoreError::Unavailable(format!("what is owed to the index of letter {id} is changed by too many at once")))
}

/// Owes the dead letters of a session that are about to be dropped.
///
/// # Errors
/// The store failed.
pub async fn owe_dropped(ports: &Ports, session: &SessionId) -> StoreResult<()> {
    let mut after = None;
    loop {
        let letters = ports.store.jobs_in(session, Some(JobState::Dead), after.as_ref(), PAGE).await?;
        let Some(last) = letters.last() else { return Ok(()) };
        after = Some(last.id().clone());
        for letter in &letters {
            owe(ports, letter.id(), version_of(letter) | 1).await?;
        }
    }
}

/// The hour of a moment, counted from 1970.
fn hour(at: Timestamp) -> i64 {
    at.0.div_euclid(HOUR_US)
}

fn key_now(ports: &Ports, id: &JobId) -> String {
    format!("{OWED}.{}/{id}", hour(ports.clock.now()))
}

/// Whose debt is under a key.
pub(crate) fn job_of(key: &str) -> JobId {
    JobId::new(key.split_once('/').map_or("", |(_, id)| id))
}

/// Whether the index did not take what is owed.
pub(crate) fn is_refused(text: &str) -> bool {
    read(text).refused.is_some()
}

/// What is owed to the index, as keys and values among the store's small ones.
///
/// # Errors
/// The store failed.
pub async fn debts(ports: &Ports) -> StoreResult<Vec<(String, String)>> {
    Ok(debts_by_hour(ports).await?.1)
}

/// The first hour looked at as it is stored, what is owed, and the first hour that has to be looked at again.
async fn debts_by_hour(ports: &Ports) -> StoreResult<(Option<String>, Vec<(String, String)>, i64)> {
    let stored = ports.store.meta(OWED_FROM_KEY).await?;
    let now = hour(ports.clock.now());
    let mut again = now - HOURS_OPEN;
    let from = stored.as_deref().and_then(|text| text.parse().ok()).unwrap_or(again).min(again);
    let mut debts = Vec::new();
    for hour in from..=now {
        let of_hour = ports.store.metas(&format!("{OWED}.{hour}/"), OWED_MAX).await?;
        if !of_hour.is_empty() {
            again = again.min(hour);
        }
        debts.extend(of_hour);
    }
    Ok((stored, debts, again))
}

fn text(owed: &Owed) -> String {
    serde_json::to_string(owed).unwrap_or_default()
}

/// A debt that cannot be read is one of long ago: whatever the row says is written.
fn read(text: &str) -> Owed {
    serde_json::from_str(text).unwrap_or_default()
}

/// Brings the index up to the rows of what is owed to it; one that is new or was lost is filled from the ledger first.
///
/// # Errors
/// A part of ours failed: what is owed stays owed.
pub async fn sweep(ports: &Ports) -> Result<Swept, PortError> {
    let generation = ports.letters.generation().await?;
    let filled = ports.store.meta(FILLED_KEY).await?;
    if filled.as_deref() != Some(&*generation) {
        let letters = fill(ports).await?;
        ports.store.put_meta(FILLED_KEY, filled.as_deref(), &generation).await?;
        info!(letters, "the index of dead letters was filled from the ledger: {letters} letters");
    }
    let mut swept = Swept::default();
    let mut debts = Vec::new();
    let (from, listed, again) = debts_by_hour(ports).await?;
    let again = again.to_string();
    if from.as_ref() != Some(&again) {
        ports.store.put_meta(OWED_FROM_KEY, from.as_deref(), &again).await?;
    }
    for (key, text) in listed {
        let owed = read(&text);
        if owed.refused.is_some() && ports.clock.now().since(Timestamp(owed.at)) < REFUSED_FOR {
            swept.refused += 1;
        } else {
            debts.push(Debt { key, text, owed });
        }
    }
    let asked: Vec<_> = debts.into_iter().map(|debt| operation_for(ports, debt)).collect();
    let mut due: Vec<(Debt, LetterOperation)> = Vec::new();
    let mut read = stream::iter(asked).buffered(READ_AT_ONCE);
    while let Some((debt, operation)) = read.try_next().await? {
        match operation {
            Some(operation) => due.push((debt, operation)),
            None => swept.waiting += 1,
        }
    }
    for batch in due.chunks(PAGE) {
        pay(ports, batch, &mut swept).await?;
    }
    Ok(swept)
}

/// What brings the index up to a debt's row; `None` while the row is still to come.
async fn operation_for(ports: &Ports, debt: Debt) -> Result<(Debt, Option<LetterOperation>), PortError> {
    let id = job_of(&debt.key);
    let now = ports.clock.now();
    let operation = match ports.store.job(&id).await {
        Ok(Some(job)) if version_of(&job) < debt.owed.version && now.since(Timestamp(debt.owed.at)) < UNDER_WAY => None,
        Ok(Some(job)) => Some(LetterOperation::of(&job, now)),
        // The row was dropped with its session.
        Ok(None) => Some(LetterOperation::gone(id, debt.owed.version, now)),
        // No list of the ledger has it any more.
        Err(StoreError::Corrupt { .. }) => Some(LetterOperation::gone(id, debt.owed.version, now)),
        Err(error) => return Err(error.into()),
    };
    Ok((debt, operation))
}

async fn pay(ports: &Ports, batch: &[(Debt, LetterOperation)], swept: &mut Swept) -> Result<(), PortError> {
    let operations = batch.iter().map(|(_, operation)| operation.clone()).collect();
    for (id, answer) in ports.letters.apply(operations).await? {
        let Some((debt, _)) = batch.iter().find(|(_, operation)| operation.job_id == id) else { continue };
        match answer {
            ItemAnswer::Applied | ItemAnswer::Stale { .. } => {
                // By compare-and-set: whoever owes it anew meanwhile is not forgotten.
                ports.store.drop_meta_if(&debt.key, &debt.text).await?;
                swept.settled += 1;
            }
            ItemAnswer::Failed(why) => {
                refuse(ports, &id, debt, &why).await?;
                swept.refused += 1;
            }
        }
    }
    Ok(())
}

/// Notes that the index does not take a letter: it is found by no filter, and offered again later.
async fn refuse(ports: &Ports, id: &JobId, debt: &Debt, why: &str) -> Result<(), PortError> {
    let why = Failure::new(Category::Data, "index", "sync", why).message;
    error!(job.id = %id, "dead letter {id} cannot be indexed, no filter finds it: {why}");
    let owed = Owed { refused: Some(why), at: ports.clock.now().0, ..debt.owed.clone() };
    let key = key_now(ports, id);
    if key == debt.key {
        ports.store.put_meta(&key, Some(&debt.text), &text(&owed)).await?;
    } else {
        // It goes along with the hours; whoever owes it anew in this one says no less.
        ports.store.put_meta(&key, None, &text(&owed)).await?;
        ports.store.drop_meta_if(&debt.key, &debt.text).await?;
    }
    Ok(())
}

/// Fills the index with every dead letter of the ledger. Answers how many there are.
pub(crate) async fn fill(ports: &Ports) -> Result<u64, PortError> {
    let mut count = 0;
    let mut query = DeadLetterQuery { limit: PAGE, ..DeadLetterQuery::default() };
    loop {
        let page = ports.store.dead_letters(&query).await?;
        let now = ports.clock.now();
        count += page.jobs.len() as u64;
        write(ports, page.jobs.iter().map(|job| LetterOperation::of(job, now)).collect()).await?;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(count),
        }
    }
}

/// Writes to the index; what it does not take is owed and noted. Answers whether it held something newer than a row.
pub(crate) async fn write(ports: &Ports, operations: Vec<LetterOperation>) -> Result<bool, PortError> {
    let versions: BTreeMap<JobId, i64> = operations.iter().map(|operation| (operation.job_id.clone(), operation.version)).collect();
    let mut ahead = false;
    for (id, answer) in ports.letters.apply(operations).await? {
        match answer {
            ItemAnswer::Applied => {}
            ItemAnswer::Stale { .. } => ahead = true,
            ItemAnswer::Failed(why) => {
                let version = versions.get(&id).copied().unwrap_or_default();
                owe(ports, &id, version).await?;
                let key = key_now(ports, &id);
                if let Some(text) = ports.store.meta(&key).await? {
                    let owed = read(&text);
                    refuse(ports, &id, &Debt { key, text, owed }, &why).await?;
                }
            }
        }
    }
    Ok(ahead)
}
