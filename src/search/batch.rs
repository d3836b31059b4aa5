//! Several operations about one artist in one batch: which is written, and what each of them is answered.

use crate::domain::ids::ArtistId;
use crate::search::{IndexOperation, ItemAnswer};
use std::collections::HashMap;

/// A batch with one operation to write for each artist.
#[derive(Debug)]
pub struct Batch {
    asked: Vec<(ArtistId, i64)>,
    chosen: HashMap<ArtistId, IndexOperation>,
}

impl Batch {
    /// Chooses the highest version of each artist, of equal ones the last.
    pub fn of(operations: Vec<IndexOperation>) -> Self {
        let mut batch = Self { asked: Vec::with_capacity(operations.len()), chosen: HashMap::new() };
        for operation in operations {
            batch.asked.push((operation.artist_id.clone(), operation.version));
            let higher_known = batch.chosen.get(&operation.artist_id).is_some_and(|known| known.version > operation.version);
            if !higher_known {
                batch.chosen.insert(operation.artist_id.clone(), operation);
            }
        }
        batch
    }

    /// What to write, one for each artist, in no order.
    pub fn to_write(&self) -> impl Iterator<Item = &IndexOperation> {
        self.chosen.values()
    }

    /// The answers in the order of the operations, from what became of those written.
    ///
    /// A lower version is stale once the higher one stands; if the higher one failed nothing was written, so it failed too.
    pub fn answers(&self, written: &HashMap<ArtistId, ItemAnswer>) -> Vec<(ArtistId, ItemAnswer)> {
        self.asked
            .iter()
            .map(|(artist_id, version)| {
                let chosen = self.chosen.get(artist_id).map_or(*version, |operation| operation.version);
                let answer = match written.get(artist_id) {
                    Some(ItemAnswer::Applied) if chosen > *version => ItemAnswer::Stale { held: chosen },
                    Some(answer) => answer.clone(),
                    None => ItemAnswer::Failed("the index did not answer for this artist".to_owned()),
                };
                (artist_id.clone(), answer)
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
        let written = HashMap::from([(ArtistId::new("a"), ItemAnswer::Applied), (ArtistId::new("b"), ItemAnswer::Stale { held: 3 })]);
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
