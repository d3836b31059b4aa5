//! What OpenSearch alone does: its versions and their limits, its start, its faults, its speed; and both engines compared.

mod engines;
mod faults;
mod reindex;
mod start;
mod together;
mod versions;

use crate::support::opensearch::OwnIndexes;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::text::tokens;
use inkdex::search::{IndexDocument, IndexOperation, ItemAnswer, SearchIndex, SearchQuery};
use std::collections::BTreeSet;

fn document(name: &str) -> IndexDocument {
    IndexDocument {
        name: name.to_owned(),
        name_tokens: tokens(name),
        studio: None,
        styles: Vec::new(),
        country: None,
        city: None,
        city_key: None,
        coordinates: None,
        instagram: None,
        text_tokens: Vec::new(),
        completeness: 0.5,
    }
}

fn put(id: &str, version: i64, name: &str) -> IndexOperation {
    IndexOperation { artist_id: ArtistId::new(id), version, document: Some(document(name)) }
}

fn remove(id: &str, version: i64) -> IndexOperation {
    IndexOperation { artist_id: ArtistId::new(id), version, document: None }
}

fn crowd(size: usize, version: i64) -> Vec<IndexOperation> {
    (0..size).map(|n| put(&format!("artist-{n:04}"), version, &format!("Person {n}"))).collect()
}

async fn apply_one(index: &dyn SearchIndex, operation: IndexOperation) -> ItemAnswer {
    index.apply(vec![operation], None).await.expect("the index takes a batch").remove(0).1
}

async fn total(index: &dyn SearchIndex) -> u64 {
    index.search(&SearchQuery { limit: 1, ..SearchQuery::default() }).await.expect("an answer").total
}

async fn ids(index: &dyn SearchIndex) -> BTreeSet<String> {
    let entries = index.scan(None, 10_000).await.expect("a scan");
    entries.into_iter().filter(|entry| !entry.deleted).map(|entry| entry.artist_id.to_string()).collect()
}

async fn own() -> (OwnIndexes, impl SearchIndex) {
    let own = OwnIndexes::new();
    let index = own.open().await.expect("the index can be used");
    (own, index)
}
