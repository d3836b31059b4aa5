//! What must hold when the storm is over.

use crate::support::ledger::{rows, searchable, subject};
use inkdex::domain::artist::{ArtistRow, Life};
use inkdex::domain::job::Job;
use inkdex::jobs::Ports;
use inkdex::jobs::reconcile::compare_steadily;
use inkdex::search::{IndexDocument, IndexOperation, ItemAnswer};
use std::collections::{BTreeMap, BTreeSet};

/// Whom the storm lost, and what it did twice.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Names that should be searchable and are not.
    pub missing: Vec<String>,
    /// Names that are searchable and should not be, or more than once.
    pub surplus: Vec<String>,
    /// Jobs that are not over.
    pub open: Vec<String>,
    /// Dead letters, which nothing planned.
    pub dead: Vec<String>,
    /// Versions beyond the first from one `(job, generation)`.
    pub twice: usize,
}

impl Verdict {
    /// Jobs and artists lost.
    pub fn lost(&self) -> usize {
        self.missing.len() + self.open.len()
    }

    /// Compares what is with what was planned: `expected` are the names that must be searchable, each once.
    pub async fn of(ports: &Ports, jobs: &[Job], expected: &BTreeSet<String>) -> Self {
        let mut met: BTreeMap<String, usize> = BTreeMap::new();
        for name in searchable(ports).await {
            *met.entry(name).or_default() += 1;
        }
        let told = |job: &Job| format!("{} {:?} {}: {:?}", job.id(), job.state, subject(job).unwrap_or_default(), job.outcome);
        Self {
            missing: expected.iter().filter(|name| !met.contains_key(*name)).cloned().collect(),
            surplus: met.iter().filter(|(name, times)| **times > 1 || !expected.contains(*name)).map(|(name, _)| name.clone()).collect(),
            open: jobs.iter().filter(|job| !job.state.is_terminal()).map(told).collect(),
            dead: jobs.iter().filter(|job| job.death().is_some()).map(told).collect(),
            twice: rows(ports.store.as_ref()).await.iter().map(twice).sum(),
        }
    }
}

/// Versions of a row beyond the first from one `(job, generation)` (rule 5).
fn twice(row: &ArtistRow) -> usize {
    row.writers.len() - row.writers.iter().collect::<BTreeSet<_>>().len()
}

/// Whoever was removed or retired stays away: their rows are without records, and a late writer with the old document is
/// refused by the index, which remembers no delete of its own any more (rules 7 and 15).
pub async fn stay_away(ports: &Ports, deleted: &[ArtistRow], life: Life) {
    for before in deleted {
        let row = ports.store.artist(&before.id).await.unwrap().expect("a base row stays for ever");
        assert_eq!((row.life, row.record.is_some()), (life, false), "{}", before.id);
        assert!(row.version > before.version, "{} fell back", before.id);
        let late = IndexOperation { artist_id: before.id.clone(), version: before.version, document: IndexDocument::of(before) };
        assert!(late.document.is_some(), "{} was searchable before", before.id);
        let answers = ports.index.apply(vec![late], None).await.unwrap();
        let refused = matches!(answers[..], [(_, ItemAnswer::Stale { held })] if held == row.version);
        assert!(refused, "{}: {answers:?}", before.id);
    }
}

/// Table, keys and index say the same.
pub async fn all_agree(ports: &Ports) {
    let drift = compare_steadily(ports).await.unwrap();
    assert!(drift.is_none(), "{drift:?}");
}
