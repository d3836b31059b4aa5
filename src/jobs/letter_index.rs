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

/// Prefix of the keys of what is owed to the index.
pub const OWED_PREFIX: &str = "letter_owed/";
/// Meta key of the generation of the index that was filled.
pub(crate) const FILLED_KEY: &str = "letter_index.filled";
/// Debts looked at by one sweep.
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
    let key = format!("{OWED_PREFIX}{id}");
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
    for (key, text) in ports.store.metas(OWED_PREFIX, OWED_MAX).await? {
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
    let id = JobId::new(debt.key.trim_start_matches(OWED_PREFIX));
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
    ports.store.put_meta(&debt.key, Some(&debt.text), &text(&owed)).await?;
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
                let key = format!("{OWED_PREFIX}{id}");
                if let Some(text) = ports.store.meta(&key).await? {
                    let owed = read(&text);
                    refuse(ports, &id, &Debt { key, text, owed }, &why).await?;
                }
            }
        }
    }
    Ok(ahead)
}
