//! Compares dead letters and their index both ways, and repairs what differs.

use crate::domain::ids::JobId;
use crate::jobs::letter_index::{FILLED_KEY, PAGE, debts, fill, is_refused, job_of, write};
use crate::jobs::reconcile::{CATCH_UP, LOOKS};
use crate::jobs::{PortError, Ports};
use crate::search::letters::{IndexedLetter, LetterOperation, version_of};
use crate::store::{DeadLetterQuery, StoreError};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How dead letters and their index differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LetterDrift {
    /// Dead letters compared.
    pub letters: u64,
    /// Those that the index lacks.
    pub missing: BTreeSet<JobId>,
    /// Those that the index has of another version.
    pub differing: BTreeSet<JobId>,
    /// Entries of what is no dead letter.
    pub unknown: BTreeSet<JobId>,
}

impl LetterDrift {
    /// Whether ledger and index say the same.
    pub fn is_none(&self) -> bool {
        self.ids().next().is_none()
    }

    fn ids(&self) -> impl Iterator<Item = &JobId> {
        self.missing.iter().chain(&self.differing).chain(&self.unknown)
    }

    /// What differed then and differs now.
    fn still_in(&self, mut now: Self) -> Self {
        let then: BTreeSet<&JobId> = self.ids().collect();
        for ids in [&mut now.missing, &mut now.differing, &mut now.unknown] {
            ids.retain(|id| then.contains(id));
        }
        now
    }
}

/// Compares every dead letter with the index. What is owed to the index is on its way, and so no
/// difference, unless the index has refused it.
///
/// # Errors
/// A part of ours failed.
pub async fn compare(ports: &Ports) -> Result<LetterDrift, PortError> {
    let mut indexed = whole_index(ports).await?;
    let mut drift = LetterDrift::default();
    let mut query = DeadLetterQuery { limit: PAGE, ..DeadLetterQuery::default() };
    loop {
        let page = ports.store.dead_letters(&query).await?;
        for job in &page.jobs {
            drift.letters += 1;
            match indexed.remove(job.id()) {
                Some(entry) if !entry.deleted && entry.version == version_of(job) => {}
                Some(entry) if !entry.deleted => drop(drift.differing.insert(job.id().clone())),
                _ => drop(drift.missing.insert(job.id().clone())),
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    drift.unknown = indexed.into_values().filter(|entry| !entry.deleted).map(|entry| entry.job_id).collect();
    // Read last: what became owed while the others were read is on its way as well.
    for (key, _) in debts(ports).await?.into_iter().filter(|(_, text)| !is_refused(text)) {
        let owed = job_of(&key);
        for ids in [&mut drift.missing, &mut drift.differing, &mut drift.unknown] {
            ids.remove(&owed);
        }
    }
    Ok(drift)
}

/// Compares. Where the index is shared, what differs counts only if it still does after a pause.
///
/// # Errors
/// A part of ours failed.
pub async fn compare_steadily(ports: &Ports) -> Result<LetterDrift, PortError> {
    let mut drift = compare(ports).await?;
    let looks = if ports.index.keeps_position() { 0 } else { LOOKS };
    for _ in 0..looks {
        if drift.is_none() {
            break;
        }
        tokio::time::sleep(CATCH_UP).await;
        drift = drift.still_in(compare(ports).await?);
    }
    Ok(drift)
}

async fn whole_index(ports: &Ports) -> Result<BTreeMap<JobId, IndexedLetter>, PortError> {
    let mut entries = BTreeMap::new();
    let mut after = None;
    loop {
        let page = ports.letters.scan(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = Some(last.job_id.clone());
        entries.extend(page.into_iter().map(|entry| (entry.job_id.clone(), entry)));
    }
}

/// Compares steadily and repairs: the index is brought up to the rows of what differs. Where it is ahead of them, or holds what
/// has no row, nothing that is written would stand: then it is emptied and filled.
///
/// # Errors
/// A part of ours failed; repeat.
pub async fn repair(ports: &Ports) -> Result<LetterDrift, PortError> {
    let drift = compare_steadily(ports).await?;
    let mut anew = false;
    let ids: Vec<&JobId> = drift.ids().collect();
    for batch in ids.chunks(PAGE) {
        let mut operations = Vec::new();
        for id in batch {
            match ports.store.job(id).await {
                Ok(Some(job)) => operations.push(LetterOperation::of(&job, ports.clock.now())),
                Ok(None) | Err(StoreError::Corrupt { .. }) => anew = true,
                Err(error) => return Err(error.into()),
            }
        }
        anew |= write(ports, operations).await?;
    }
    if anew {
        ports.letters.clear().await?;
        let filled = ports.store.meta(FILLED_KEY).await?;
        let generation = ports.letters.generation().await?;
        fill(ports).await?;
        ports.store.put_meta(FILLED_KEY, filled.as_deref(), &generation).await?;
    }
    Ok(drift)
}
