//! Several operations about one record in one batch: which is written, and what each of them is answered.

use crate::domain::ids::{ArtistId, JobId};
use crate::search::letters::LetterOperation;
use crate::search::{IndexOperation, ItemAnswer};
use std::collections::HashMap;

/// A versioned write about one record.
pub trait Operation {
    /// What its records are called by.
    type Id: Clone;

    /// About which record.
    fn id(&self) -> &Self::Id;

    /// The id as text.
    fn key(&self) -> &str;

    /// The record's version.
    fn version(&self) -> i64;

    /// Why no engine can take it; `None` if nothing is wrong. Checked before an engine sees it (002-R31).
    fn problem(&self) -> Option<String>;
}

impl Operation for IndexOperation {
    type Id = ArtistId;

    fn id(&self) -> &ArtistId {
        &self.artist_id
    }
    fn key(&self) -> &str {
        self.artist_id.as_str()
    }
    fn version(&self) -> i64 {
        self.version
    }
    fn problem(&self) -> Option<String> {
        Self::problem(self)
    }
}

impl Operation for LetterOperation {
    type Id = JobId;

    fn id(&self) -> &JobId {
        &self.job_id
    }
    fn key(&self) -> &str {
        self.job_id.as_str()
    }
    fn version(&self) -> i64 {
        self.version
    }
    fn problem(&self) -> Option<String> {
        Self::problem(self)
    }
}

/// A batch with one operation to write for each record.
#[derive(Debug)]
pub struct Batch<O: Operation> {
    asked: Vec<(O::Id, String, i64)>,
    chosen: HashMap<String, O>,
}

impl<O: Operation> Batch<O> {
    /// Chooses the highest version of each record, of equal ones the last.
    pub fn of(operations: Vec<O>) -> Self {
        let mut batch = Self { asked: Vec::with_capacity(operations.len()), chosen: HashMap::new() };
        for operation in operations {
            batch.asked.push((operation.id().clone(), operation.key().to_owned(), operation.version()));
            let higher_known = batch.chosen.get(operation.key()).is_some_and(|known| known.version() > operation.version());
            if !higher_known {
                batch.chosen.insert(operation.key().to_owned(), operation);
            }
        }
        batch
    }

    /// What to write, one for each record, in no order.
    pub fn to_write(&self) -> impl Iterator<Item = &O> {
        self.chosen.values()
    }

    /// The answers in the order of the operations, from what became of those written, by id.
    ///
    /// A lower version is stale once the higher one stands; if the higher one failed nothing was written, so it failed too.
    pub fn answers(&self, written: &HashMap<String, ItemAnswer>) -> Vec<(O::Id, ItemAnswer)> {
        self.asked
            .iter()
            .map(|(id, key, version)| {
                let chosen = self.chosen.get(key).map_or(*version, Operation::version);
                let answer = match written.get(key) {
                    Some(ItemAnswer::Applied) if chosen > *version => ItemAnswer::Stale { held: chosen },
                    Some(answer) => answer.clone(),
                    None => ItemAnswer::Failed("the index did not answer for this record".to_owned()),
                };
                (id.clone(), answer)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(id: &str, version: i64) -> IndexOperation {
        IndexOperation { artist_id: ArtistId::new(id), version, document: None }
    }

    #[test]
    fn the_highest_version_is_written_and_each_operation_answered() {
        let batch = Batch::of(vec![tombstone("a", 5), tombstone("b", 1), tombstone("a", 7), tombstone("a", 7), tombstone("a", 6)]);
        let mut versions: Vec<i64> = batch.to_write().map(|operation| operation.version).collect();
        versions.sort_unstable();
        assert_eq!(versions, [1, 7]);
        let written = HashMap::from([("a".to_owned(), ItemAnswer::Applied), ("b".to_owned(), ItemAnswer::Stale { held: 3 })]);
        let answers: Vec<ItemAnswer> = batch.answers(&written).into_iter().map(|(_, answer)| answer).collect();
        let superseded = ItemAnswer::Stale { held: 7 };
        assert_eq!(answers, [superseded.clone(), ItemAnswer::Stale { held: 3 }, ItemAnswer::Applied, ItemAnswer::Applied, superseded]);
    }

    /// 002-R31: an artist that the engine's reply does not name was not written, whatever the others' answers are.
    #[test]
    fn silence_about_an_artist_is_a_failure() {
        let batch = Batch::of(vec![tombstone("a", 1)]);
        assert!(matches!(&batch.answers(&HashMap::new())[..], [(_, ItemAnswer::Failed(_))]));
    }
}
