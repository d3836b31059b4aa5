//! The embedded search index: tantivy in a folder, or in memory for tests. It keeps the feed position in its commits.
//!
//! tantivy's calls block, so each runs on the blocking pool; `core.rs` holds what they do and knows no runtime.

mod collect;
mod core;
mod errors;
mod folder;
mod held;
mod letters;
mod open;
mod query;
mod schema;

pub use letters::TantivyLetters;

use self::collect::{BestHits, RankedHit, ValueCounts};
use self::core::Core;
use self::errors::unavailable;
use self::query::Without;
use self::schema::column;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArtistId;
use crate::feed::{Position, Shard};
use crate::search::plan::{FACET_VALUES_MAX, MatchPlan, check_limit};
use crate::search::{
    FacetCount, Facets, Hit, IndexDocument, IndexOperation, IndexedVersion, ItemAnswer, PageMark, SearchError, SearchIndex, SearchPage,
    SearchQuery,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tantivy::schema::Value;
use tantivy::{Index, Searcher, TantivyDocument};

/// How the index works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TantivySettings {
    /// Memory for documents between two commits, in bytes; tantivy refuses less than 15 million.
    pub writer_heap_bytes: usize,
}

impl Default for TantivySettings {
    /// Room for a batch of some thousand artists without a second segment.
    fn default() -> Self {
        Self { writer_heap_bytes: 32_000_000 }
    }
}

/// What opening a folder led to.
#[derive(Debug)]
pub enum OpenOutcome {
    /// The index, of this form and undamaged; new if the folder held none.
    Ready(TantivyIndex),
    /// The folder holds an index that cannot be used, and why. [`TantivyIndex::recreate`] makes an empty one in its place,
    /// which has no position, so that it is filled from the store.
    NeedsRebuild(String),
}

/// A search index of tantivy. One process writes to a folder at a time. A commit outlives the process, and not always a
/// loss of power: then opening finds an older commit with its older position, or asks for a rebuild.
#[derive(Clone)]
pub struct TantivyIndex {
    core: Arc<Core>,
}

impl fmt::Debug for TantivyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let searcher = self.core.searcher();
        f.debug_struct("TantivyIndex")
            .field("documents", &searcher.num_docs())
            .field("segments", &searcher.segment_readers().len())
            .finish()
    }
}

impl TantivyIndex {
    /// Opens the index in `folder`, making both if they are not there. Every file is read once to check its checksum.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if the folder cannot be used or another process writes to it.
    pub fn open(folder: &Path, settings: &TantivySettings) -> Result<OpenOutcome, SearchError> {
        open::open(folder, settings)
    }

    /// Drops the index in `folder`, usable or not, and opens an empty one. Other files of the folder stay.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if the folder cannot be used or another process writes to it.
    pub fn recreate(folder: &Path, settings: &TantivySettings) -> Result<Self, SearchError> {
        open::recreate(folder, settings)
    }

    /// An index that is gone with its last handle.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if there is no memory for it.
    pub fn in_memory() -> Result<Self, SearchError> {
        let index = Index::create_in_ram(schema::schema().0);
        Core::start(index, &TantivySettings::default()).map(Self::of)
    }

    fn of(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let core = Arc::clone(&self.core);
        match tokio::task::spawn_blocking(move || work(&core)).await {
            Ok(result) => result,
            Err(error) => Err(SearchError::Unavailable(format!("a call of the search index did not end: {error}"))),
        }
    }
}

#[async_trait]
impl SearchIndex for TantivyIndex {
    async fn apply(
        &self,
        operations: Vec<IndexOperation>,
        position: Option<(Shard, Position)>,
    ) -> Result<Vec<(ArtistId, ItemAnswer)>, SearchError> {
        self.blocking(|core| core.apply(operations, position)).await
    }

    async fn position(&self, shard: Shard) -> Result<Option<Position>, SearchError> {
        Ok(self.core.position(shard))
    }

    fn keeps_position(&self) -> bool {
        true
    }

    async fn generation(&self) -> Result<String, SearchError> {
        Ok("embedded".to_owned())
    }

    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchError> {
        check_limit(query)?;
        let query = query.clone();
        self.blocking(move |core| page(core, &query)).await
    }

    async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        let query = query.clone();
        self.blocking(move |core| facets(core, &query).map_err(unavailable("count in the search index"))).await
    }

    async fn scan(&self, after: Option<&ArtistId>, limit: usize) -> Result<Vec<IndexedVersion>, SearchError> {
        let after = after.cloned();
        self.blocking(move |core| core.scan(after.as_ref(), limit).map_err(unavailable("scan the search index"))).await
    }

    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        self.blocking(move |core| core.purge_tombstones(before)).await
    }

    async fn clear(&self) -> Result<(), SearchError> {
        self.blocking(Core::clear).await
    }
}

fn page(core: &Core, query: &SearchQuery) -> Result<SearchPage, SearchError> {
    let failed = unavailable("search the index");
    let searcher = core.searcher();
    let plan = MatchPlan::of(query);
    let asked = query::build(&searcher, &core.fields, query, &plan, Without::Nothing).map_err(&failed)?;
    // One more than the page tells whether there is a next one.
    let collector = BestHits { keep: query.limit + 1, after: query.after.as_ref(), completeness_factor: plan.completeness_factor };
    let best = searcher.search(&asked, &collector).map_err(&failed)?;
    let more = best.hits.len() > query.limit;
    let hits = best.hits.iter().take(query.limit).map(|hit| read_hit(core, &searcher, hit)).collect::<Result<Vec<_>, _>>()?;
    let next = hits.last().filter(|_| more).map(|last| PageMark { rank: last.rank, artist_id: last.artist_id.clone() });
    Ok(SearchPage { hits, total: best.total, next })
}

fn read_hit(core: &Core, searcher: &Searcher, hit: &RankedHit) -> Result<Hit, SearchError> {
    let failed = unavailable("read a hit from the search index");
    let stored: TantivyDocument = searcher.doc(hit.address).map_err(&failed)?;
    let source = stored.get_first(core.fields.source).and_then(|value| value.as_bytes()).unwrap_or_default();
    let document: IndexDocument = serde_json::from_slice(source)
        .map_err(|error| SearchError::Refused(format!("the document of {} cannot be read: {error}; rebuild the index", hit.artist_id)))?;
    let versions = searcher.segment_reader(hit.address.segment_ord).fast_fields().i64(column::VERSION).map_err(&failed)?;
    let version = versions.first(hit.address.doc_id).unwrap_or_default();
    Ok(Hit { artist_id: ArtistId::new(hit.artist_id.clone()), version, rank: hit.rank.0, document })
}

fn facets(core: &Core, query: &SearchQuery) -> tantivy::Result<Facets> {
    let searcher = core.searcher();
    let plan = MatchPlan::of(query);
    let count = |columns: Vec<&'static str>, without| -> tantivy::Result<Vec<Vec<FacetCount>>> {
        let asked = query::build(&searcher, &core.fields, query, &plan, without)?;
        let counts = searcher.search(&asked, &ValueCounts { columns })?;
        Ok(counts.into_iter().map(most_first).collect())
    };
    let own_filters = [
        (column::STYLE, Without::Styles, !query.styles.is_empty()),
        (column::COUNTRY, Without::Country, query.country.is_some()),
        (column::CITY_KEY, Without::City, query.city_key.is_some()),
    ];
    // Facets that have no filter of their own are counted in one pass over the same hits.
    let together: Vec<&str> = own_filters.iter().filter(|(_, _, filtered)| !filtered).map(|(column, ..)| *column).collect();
    let mut counted: BTreeMap<&str, Vec<FacetCount>> = BTreeMap::new();
    if !together.is_empty() {
        counted.extend(together.iter().copied().zip(count(together.clone(), Without::Nothing)?));
    }
    for (column, without, _) in own_filters.iter().filter(|(_, _, filtered)| *filtered) {
        counted.extend([*column].into_iter().zip(count(vec![*column], *without)?));
    }
    let mut take = |column| counted.remove(column).unwrap_or_default();
    Ok(Facets { styles: take(column::STYLE), countries: take(column::COUNTRY), cities: take(column::CITY_KEY) })
}

fn most_first(counts: BTreeMap<String, u64>) -> Vec<FacetCount> {
    let mut counts: Vec<FacetCount> = counts.into_iter().map(|(value, count)| FacetCount { value, count }).collect();
    // Stable, so equal counts stay in the order of their values.
    counts.sort_by_key(|facet| std::cmp::Reverse(facet.count));
    counts.truncate(FACET_VALUES_MAX);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::tokens;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    fn operation(id: u16, name: &str, completeness: f32) -> IndexOperation {
        let document = IndexDocument {
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
            completeness,
        };
        IndexOperation { artist_id: ArtistId::new(format!("artist-{id}")), version: 1, document: Some(document) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However ranks tie and wherever the commits fall, the pages together are all hits, each once, in the one order.
        #[test]
        fn pages_cover_all_hits_once(
            crowd in prop::collection::btree_map(0_u16..200, (0_u8..3, 0_usize..3), 1..60),
            commit in 1_usize..20,
            limit in 1_usize..12,
            words in prop::sample::select(vec!["", "ana", "an"]),
        ) {
            let index = TantivyIndex::in_memory().expect("an index in memory");
            let names = ["Ana", "Ana Lima", "Anna"];
            let operations: Vec<IndexOperation> =
                crowd.iter().map(|(id, (half, name))| operation(*id, names[*name], f32::from(*half) / 2.0)).collect();
            for batch in operations.chunks(commit) {
                index.core.apply(batch.to_vec(), None).expect("a batch");
            }
            let mut query = SearchQuery { tokens: tokens(words), limit, ..SearchQuery::default() };
            let mut seen: Vec<(Reverse<i64>, ArtistId)> = Vec::new();
            let mut totals = Vec::new();
            loop {
                let page = page(&index.core, &query).expect("a page");
                totals.push(page.total);
                seen.extend(page.hits.into_iter().map(|hit| (Reverse(hit.rank), hit.artist_id)));
                match page.next {
                    Some(mark) => query.after = Some(mark),
                    None => break,
                }
                prop_assert!(seen.len() <= crowd.len());
            }
            prop_assert!(seen.is_sorted_by(|one, next| one < next));
            // "ana" does not reach Anna, being too short for a typo and no beginning of it.
            let expected = crowd.values().filter(|(_, name)| words != "ana" || *name != 2).count();
            prop_assert_eq!(seen.len(), expected);
            prop_assert!(totals.iter().all(|total| *total == expected as u64));
        }
    }
}
