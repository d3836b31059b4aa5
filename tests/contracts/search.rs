//! The contract of the search port: relevance, filters, paging, versions, tombstones, positions, facets.
//!
//! Every case is a function over a [`Place`], so that another engine is shown by one more line of `search_contract!` at
//! the end, and has to find the same artists in the same order with the same ranks.

mod artists;

use crate::support::opensearch::OwnIndexes;
use artists::{FIRST_VERSION, document, everybody, id, named};
use async_trait::async_trait;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::place::Coordinates;
use inkdex::domain::text::tokens;
use inkdex::feed::{Position, Shard};
use inkdex::search::plan::{LIMIT_MAX, NAME_EXACT, NAME_PREFIX, NAME_TYPO, TEXT_EXACT, WHOLE_NAME};
use inkdex::search::tantivy::{OpenOutcome, TantivyIndex, TantivySettings};
use inkdex::search::{
    FacetCount, IndexDocument, IndexOperation, IndexedVersion, ItemAnswer, Near, SearchError, SearchIndex, SearchPage, SearchQuery,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tempfile::TempDir;

/// Where one index lives: opening it again finds what was committed.
#[async_trait]
trait Place: Send + Sync {
    /// Opens the index; empty and without a position the first time. No earlier handle is in use.
    async fn open(&self) -> Arc<dyn SearchIndex>;
}

struct TantivyFolder(TempDir);

#[async_trait]
impl Place for TantivyFolder {
    async fn open(&self) -> Arc<dyn SearchIndex> {
        match TantivyIndex::open(self.0.path(), &TantivySettings::default()).expect("the folder can be used") {
            OpenOutcome::Ready(index) => Arc::new(index),
            OpenOutcome::NeedsRebuild(reason) => panic!("an index that was closed in order has to be rebuilt: {reason}"),
        }
    }
}

#[async_trait]
impl Place for OwnIndexes {
    async fn open(&self) -> Arc<dyn SearchIndex> {
        Arc::new(OwnIndexes::open(self).await.expect("the index can be used"))
    }
}

// ---- words of the cases ----

fn put(number: &str, version: i64, document: IndexDocument) -> IndexOperation {
    IndexOperation { artist_id: id(number), version, document: Some(document) }
}

fn remove(number: &str, version: i64) -> IndexOperation {
    IndexOperation { artist_id: id(number), version, document: None }
}

fn words(text: &str) -> SearchQuery {
    SearchQuery { tokens: tokens(text), limit: LIMIT_MAX, ..SearchQuery::default() }
}

fn near(lat: f64, lon: f64, radius_km: f64) -> SearchQuery {
    SearchQuery { near: Some(Near { centre: Coordinates { lat, lon }, radius_km }), ..words("") }
}

async fn filled(place: &dyn Place) -> Arc<dyn SearchIndex> {
    let index = place.open().await;
    apply(&*index, everybody()).await;
    index
}

/// Applies operations that must all be applied.
async fn apply(index: &dyn SearchIndex, operations: Vec<IndexOperation>) {
    let answers = index.apply(operations, None).await.expect("the index takes a batch");
    for (artist_id, answer) in answers {
        assert_eq!(answer, ItemAnswer::Applied, "{artist_id}");
    }
}

async fn apply_one(index: &dyn SearchIndex, operation: IndexOperation) -> ItemAnswer {
    let artist_id = operation.artist_id.clone();
    let mut answers = index.apply(vec![operation], None).await.expect("the index takes a batch");
    let (answered, answer) = answers.pop().expect("an answer");
    assert_eq!((answered, answers.len()), (artist_id, 0));
    answer
}

async fn search(index: &dyn SearchIndex, query: &SearchQuery) -> SearchPage {
    index.search(query).await.expect("the index answers a search")
}

/// The numbers of the hits in their order.
async fn found(index: &dyn SearchIndex, query: &SearchQuery) -> Vec<String> {
    let page = search(index, query).await;
    assert_eq!(page.total, page.hits.len() as u64, "everything is on one page and counted");
    page.hits.iter().map(|hit| number(&hit.artist_id)).collect()
}

async fn found_words(index: &dyn SearchIndex, text: &str) -> Vec<String> {
    found(index, &words(text)).await
}

/// The numbers of the hits, sorted: where only the set matters.
async fn set(index: &dyn SearchIndex, query: &SearchQuery) -> Vec<String> {
    let mut numbers = found(index, query).await;
    numbers.sort();
    numbers
}

fn number(artist_id: &ArtistId) -> String {
    artist_id.as_str().trim_start_matches("artist-").to_owned()
}

async fn everything(index: &dyn SearchIndex) -> Vec<IndexedVersion> {
    index.scan(None, 10_000).await.expect("the index can be scanned")
}

fn counts(facets: &[FacetCount]) -> Vec<(&str, u64)> {
    facets.iter().map(|facet| (facet.value.as_str(), facet.count)).collect()
}

// ---- relevance ----

/// 002-C6: artists are found by text; a whole name comes first, then names that hold the words, then their beginnings,
/// then typos, then text, each tier by completeness.
async fn a_name_is_found_best_match_first(place: &dyn Place) {
    let index = filled(place).await;
    assert_eq!(found_words(&*index, "alma reyes").await, ["01", "02"]);
    // Two are called so, 03 and 04 have a name that begins so and tie but for their ids, 38 works at "Alma Court".
    assert_eq!(found_words(&*index, "Alma").await, ["01", "02", "03", "04", "38"]);
    let page = search(&*index, &words("alma")).await;
    let ranks: Vec<i64> = page.hits.iter().map(|hit| hit.rank).collect();
    let eighth = 125_000;
    let expected = [
        i64::from(NAME_EXACT) + 8 * eighth,
        i64::from(NAME_EXACT) + 7 * eighth,
        i64::from(NAME_PREFIX) + 6 * eighth,
        i64::from(NAME_PREFIX) + 6 * eighth,
        i64::from(TEXT_EXACT) + 6 * eighth,
    ];
    assert_eq!(ranks, expected, "the rank is the sum that `plan` says");
}

/// 002-C6: the whole name outranks a longer name that holds it, even a more complete one.
async fn the_whole_name_comes_first(place: &dyn Place) {
    let index = filled(place).await;
    apply(&*index, vec![put("70", 1, named("Quill Marsh", 1.0))]).await;
    let page = search(&*index, &words("quill")).await;
    assert_eq!(page.hits.iter().map(|hit| number(&hit.artist_id)).collect::<Vec<_>>(), ["38", "70"]);
    assert_eq!(page.hits[0].rank, i64::from(NAME_EXACT + WHOLE_NAME) + 750_000);
}

async fn accents_case_and_script_do_not_matter(place: &dyn Place) {
    let index = filled(place).await;
    for typed in ["jose nunez", "JOSÉ NÚÑEZ", "José Núñez", "nunez jose"] {
        assert_eq!(found_words(&*index, typed).await, ["05"], "{typed}");
    }
    assert_eq!(found_words(&*index, "jorg strasser").await, ["07"]);
    assert_eq!(found_words(&*index, "lucja zak").await, ["08"]);
    assert_eq!(found_words(&*index, "олена").await, ["10"]);
    assert_eq!(found_words(&*index, "soren").await, ["22", "23"]);
}

/// A name is found while it is typed; only the last word may be half typed.
async fn the_last_word_may_be_half_typed(place: &dyn Place) {
    let index = filled(place).await;
    assert_eq!(found_words(&*index, "ken").await, ["11", "12", "13"]);
    assert_eq!(found_words(&*index, "kenj").await, ["11"]);
    assert_eq!(found_words(&*index, "mira ok").await, ["18", "19"]);
    assert_eq!(found_words(&*index, "mira okonk").await, ["19"]);
    assert!(found_words(&*index, "ken brooks").await.is_empty());
    // A beginning of text is no beginning of a name.
    assert!(found_words(&*index, "mandal").await.is_empty());
}

/// One typo in a word of four letters or more, but not in its first letter.
async fn one_typo_is_forgiven(place: &dyn Place) {
    let index = filled(place).await;
    for typed in ["kenij arata", "kenj arata", "kenji aratta", "kenji arara"] {
        assert_eq!(found_words(&*index, typed).await, ["11"], "{typed}");
    }
    assert!(found_words(&*index, "kneji aarta").await.contains(&"11".to_owned()), "a typo in each word");
    for typed in ["jenji arata", "kenij arta ito", "kejin arrrata"] {
        assert!(!found_words(&*index, typed).await.contains(&"11".to_owned()), "{typed}");
    }
    // "ana" is short, so Anna is not meant; "anna" is not, so Ana is.
    assert_eq!(found_words(&*index, "ana").await, ["24", "25"]);
    assert_eq!(found_words(&*index, "anna").await, ["26", "24", "25"]);
    let page = search(&*index, &words("anna")).await;
    assert_eq!(page.hits[1].rank, i64::from(NAME_TYPO) + 1_000_000);
    assert_eq!(found_words(&*index, "олина").await, ["10"], "letters are counted, not bytes");
}

/// 002-C6: studio, place, style, handle and bio are found by whole words, and every word must match somewhere.
async fn text_is_found_by_whole_words(place: &dyn Place) {
    let index = filled(place).await;
    assert_eq!(set(&*index, &words("red crane")).await, ["11", "21"]);
    assert_eq!(set(&*index, &words("osaka waves")).await, ["21"]);
    assert_eq!(set(&*index, &words("traditional london")).await, ["04", "12", "27", "28"]);
    assert_eq!(set(&*index, &words("ash portland")).await, ["17", "40"]);
    assert!(set(&*index, &words("osaka london")).await.is_empty());
    assert_eq!(found_words(&*index, "alma court").await, ["38"]);
}

/// A word said twice and an empty token count once.
async fn repeated_words_change_nothing(place: &dyn Place) {
    let index = filled(place).await;
    let once = search(&*index, &words("mira realism")).await;
    let mut twice = words("mira mira realism");
    twice.tokens.push(String::new());
    let twice = search(&*index, &twice).await;
    assert_eq!(once.hits.len(), 2);
    assert_eq!(once.hits, twice.hits);
}

async fn without_words_the_most_complete_come_first(place: &dyn Place) {
    let index = filled(place).await;
    let page = search(&*index, &words("")).await;
    assert_eq!((page.total, page.hits.len(), &page.next), (40, 40, &None));
    assert!(page.hits.is_sorted_by_key(|hit| (-hit.rank, hit.artist_id.clone())));
    assert_eq!((page.hits[0].rank, number(&page.hits[0].artist_id)), (1_000_000, "01".to_owned()));
    assert_eq!((page.hits[39].rank, number(&page.hits[39].artist_id)), (250_000, "40".to_owned()));
}

/// What was indexed comes back as it was, with its version.
async fn a_hit_shows_its_document(place: &dyn Place) {
    let index = filled(place).await;
    let hit = search(&*index, &words("oksana hnat")).await.hits.remove(0);
    assert_eq!((hit.artist_id, hit.version), (id("09"), FIRST_VERSION));
    assert_eq!(hit.document, document("09"));
}

// ---- filters ----

/// 002-C6: artists are found by style; several styles mean any of them.
async fn styles_filter(place: &dyn Place) {
    let index = filled(place).await;
    let styled = |styles: &[&str]| SearchQuery { styles: styles.iter().map(|style| (*style).to_owned()).collect(), ..words("") };
    assert_eq!(set(&*index, &styled(&["japanese"])).await, ["11", "21"]);
    assert_eq!(set(&*index, &styled(&["japanese", "dotwork"])).await, ["07", "11", "21", "23", "32"]);
    // A slug is one term: "traditional" is not part of "neo-traditional".
    assert!(!set(&*index, &styled(&["traditional"])).await.contains(&"13".to_owned()));
    assert!(set(&*index, &styled(&["no-such-style"])).await.is_empty());
}

/// 002-C6: artists are found by location; a city of one country is not that of another.
async fn places_filter(place: &dyn Place) {
    let index = filled(place).await;
    let at = |country: Option<&str>, city_key: Option<&str>| SearchQuery {
        country: country.map(str::to_owned),
        city_key: city_key.map(str::to_owned),
        ..words("")
    };
    assert_eq!(set(&*index, &at(Some("GB"), None)).await, ["01", "04", "12", "13", "16"]);
    assert_eq!(set(&*index, &at(None, Some("LONDON"))).await, ["01", "04", "12", "27", "28"]);
    assert_eq!(set(&*index, &at(Some("GB"), Some("LONDON"))).await, ["01", "04", "12"]);
    assert_eq!(set(&*index, &at(Some("BR"), Some("SAO-PAULO"))).await, ["24", "25"]);
    assert!(set(&*index, &at(Some("FR"), Some("LONDON"))).await.is_empty());
}

/// 002-C6: within a circle by great-circle distance; who has no coordinates is not near anything.
async fn near_filters_by_distance(place: &dyn Place) {
    let index = filled(place).await;
    assert_eq!(set(&*index, &near(51.5074, -0.1278, 25.0)).await, ["01", "04", "12"]);
    assert_eq!(set(&*index, &near(51.5074, -0.1278, 80.0)).await, ["01", "04", "12", "13", "16"]);
    assert!(set(&*index, &near(0.0, -30.0, 500.0)).await.is_empty());
    // Across the date line: Taveuni lies 225 km from Suva, not 358 degrees away.
    assert_eq!(set(&*index, &near(-18.1248, 178.45, 200.0)).await, ["36"]);
    assert_eq!(set(&*index, &near(-18.1248, 178.45, 300.0)).await, ["36", "37"]);
    // 15 works in Porto without a point, 40 in Portland.
    assert!(!set(&*index, &near(41.1579, -8.6291, 250.0)).await.contains(&"15".to_owned()));
    assert_eq!(set(&*index, &near(0.0, 0.0, 20_100.0)).await.len(), 37, "half the equator reaches everybody who has a point");
}

async fn a_handle_is_found_exactly(place: &dyn Place) {
    let index = filled(place).await;
    let handle = |handle: &str| SearchQuery { instagram: Some(handle.to_owned()), ..words("") };
    assert_eq!(set(&*index, &handle("alma.reyes")).await, ["01"]);
    assert!(set(&*index, &handle("alma")).await.is_empty());
    assert!(set(&*index, &handle("ALMA.REYES")).await.is_empty(), "handles come in normal form");
}

/// 002-C6: all filters and words together.
async fn filters_and_words_combine(place: &dyn Place) {
    let index = filled(place).await;
    let query = SearchQuery {
        styles: vec!["traditional".to_owned(), "fine-line".to_owned()],
        country: Some("GB".to_owned()),
        city_key: Some("LONDON".to_owned()),
        ..near(51.5074, -0.1278, 10.0)
    };
    assert_eq!(set(&*index, &query).await, ["01", "04", "12"]);
    assert_eq!(set(&*index, &SearchQuery { tokens: tokens("swallow ken"), ..query.clone() }).await, ["12"]);
    assert!(set(&*index, &SearchQuery { instagram: Some("tom.ash".to_owned()), ..query }).await.is_empty());
}

// ---- paging ----

/// Pages neither repeat nor skip anybody while all ranks tie, and each says the same total.
async fn pages_have_no_repeats_and_no_gaps(place: &dyn Place) {
    let index = place.open().await;
    let crowd = |from: u32, to: u32| (from..to).map(|n| put(&format!("{n:03}"), 1, named("Same Name", 0.5))).collect();
    // Several commits, so that an engine's parts of the index take turns in the order of ids.
    for batch in [crowd(100, 140), crowd(40, 100), crowd(0, 40)] {
        apply(&*index, batch).await;
    }
    for limit in [1, 7, 35, LIMIT_MAX] {
        let mut query = SearchQuery { limit, ..words("same") };
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = search(&*index, &query).await;
            assert_eq!(page.total, 140);
            assert!(page.hits.len() == limit || page.next.is_none());
            seen.extend(page.hits.iter().map(|hit| number(&hit.artist_id)));
            match page.next {
                Some(mark) => query.after = Some(mark),
                None => break,
            }
            assert!(seen.len() <= 140, "the pages end");
        }
        assert_eq!(seen, (0..140).map(|n| format!("{n:03}")).collect::<Vec<_>>(), "pages of {limit}");
    }
}

/// A page goes on after its mark even if the artist of the mark is gone.
async fn a_mark_outlives_its_artist(place: &dyn Place) {
    let index = filled(place).await;
    let first = search(&*index, &SearchQuery { limit: 10, ..words("") }).await;
    let mark = first.next.expect("there are more than ten");
    let rest = SearchQuery { after: Some(mark.clone()), ..words("") };
    let before = search(&*index, &rest).await.hits;
    assert_eq!(before.len(), 30);
    apply(&*index, vec![remove(&number(&mark.artist_id), FIRST_VERSION + 1)]).await;
    assert_eq!(search(&*index, &rest).await.hits, before);
}

async fn limits_out_of_range_are_refused(place: &dyn Place) {
    let index = filled(place).await;
    for limit in [0, LIMIT_MAX + 1] {
        let refused = index.search(&SearchQuery { limit, ..words("") }).await;
        assert!(matches!(refused, Err(SearchError::Refused(_))), "{limit}");
    }
}

// ---- versions and tombstones ----

/// 002-R25, 002-R26: an INSERT creates the document and a MODIFY replaces it, searchable when the call returns.
async fn inserts_create_and_modifications_replace(place: &dyn Place) {
    let index = place.open().await;
    assert!(found_words(&*index, "vera").await.is_empty());
    apply(&*index, vec![put("39", 10, document("39"))]).await;
    assert_eq!(found_words(&*index, "vera").await, ["39"]);
    apply(&*index, vec![put("39", 11, named("Iris Moss", 0.5))]).await;
    assert!(found_words(&*index, "vera").await.is_empty(), "the old name is not found any more");
    let page = search(&*index, &words("iris")).await;
    assert_eq!((page.total, page.hits[0].version, page.hits[0].document.name.as_str()), (1, 11, "Iris Moss"));
    assert_eq!(everything(&*index).await.len(), 1);
}

/// 002-X10: a late event cannot undo a newer one; the same version again is accepted.
async fn an_older_version_is_refused(place: &dyn Place) {
    let index = place.open().await;
    apply(&*index, vec![put("01", 20, named("Newest", 1.0))]).await;
    assert_eq!(apply_one(&*index, put("01", 19, named("Late", 1.0))).await, ItemAnswer::Stale { held: 20 });
    assert_eq!(apply_one(&*index, remove("01", 19)).await, ItemAnswer::Stale { held: 20 });
    assert_eq!(found_words(&*index, "newest").await, ["01"]);
    assert_eq!(apply_one(&*index, put("01", 20, named("Newest", 1.0))).await, ItemAnswer::Applied);
    assert_eq!(apply_one(&*index, put("01", 21, named("Newer still", 1.0))).await, ItemAnswer::Applied);
    assert_eq!(found_words(&*index, "newer").await, ["01"]);
    // Across a reopening as well.
    drop(index);
    let index = place.open().await;
    assert_eq!(apply_one(&*index, put("01", 20, named("Late", 1.0))).await, ItemAnswer::Stale { held: 21 });
}

/// 002-X10: in whatever order five versions of an artist arrive, each twice, alone or in one batch, the newest stands.
async fn the_order_of_arrival_does_not_matter(place: &dyn Place) {
    let index = place.open().await;
    let version = |number: &str, version: i64| match version {
        3 => remove(number, 3),
        _ => put(number, version, named(&format!("Name{version}"), 1.0)),
    };
    for (turn, order) in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 5, 1, 4, 2], [2, 5, 5, 3, 1]].iter().enumerate() {
        let (alone, together) = (format!("a{turn}"), format!("t{turn}"));
        for v in order.iter().chain(order) {
            index.apply(vec![version(&alone, *v)], None).await.expect("the index takes a batch");
        }
        let all = order.iter().chain(order).map(|v| version(&together, *v)).collect();
        index.apply(all, None).await.expect("the index takes a batch");
    }
    let page = search(&*index, &words("name5")).await;
    assert_eq!(page.total, 8);
    assert_eq!(everything(&*index).await.len(), 8);
    assert!(page.hits.iter().all(|hit| hit.version == 5));
}

/// Two operations of one artist in one batch: the highest version is written, and each is answered in its place.
async fn the_highest_version_of_a_batch_is_written(place: &dyn Place) {
    let index = place.open().await;
    let batch = vec![put("01", 5, named("Five", 1.0)), remove("02", 1), remove("01", 7), put("01", 6, named("Six", 1.0))];
    let answers = index.apply(batch, None).await.expect("the index takes a batch");
    let superseded = ItemAnswer::Stale { held: 7 };
    let expected =
        [(id("01"), superseded.clone()), (id("02"), ItemAnswer::Applied), (id("01"), ItemAnswer::Applied), (id("01"), superseded)];
    assert_eq!(answers, expected);
    assert_eq!(search(&*index, &words("")).await.total, 0);
}

/// 002-R27, 002-X10: a REMOVE hides the artist everywhere at once, an older INSERT does not bring them back, a newer does.
async fn a_removed_artist_is_hidden_everywhere(place: &dyn Place) {
    let index = filled(place).await;
    apply(&*index, vec![remove("11", FIRST_VERSION + 5)]).await;
    assert!(found_words(&*index, "kenji arata").await.is_empty());
    assert!(found(&*index, &SearchQuery { instagram: Some("kenjiarata".to_owned()), ..words("") }).await.is_empty());
    assert_eq!(found(&*index, &near(34.6937, 135.5023, 50.0)).await, ["21"]);
    assert_eq!(search(&*index, &words("")).await.total, 39);
    let facets = index.facets(&words("")).await.expect("the index counts");
    assert!(counts(&facets.countries).contains(&("JP", 1)));
    let scanned = everything(&*index).await;
    assert!(scanned.contains(&IndexedVersion { artist_id: id("11"), version: FIRST_VERSION + 5, deleted: true }));

    let late = put("11", FIRST_VERSION + 4, document("11"));
    assert_eq!(apply_one(&*index, late).await, ItemAnswer::Stale { held: FIRST_VERSION + 5 });
    assert!(found_words(&*index, "kenji arata").await.is_empty());
    apply(&*index, vec![put("11", FIRST_VERSION + 6, document("11"))]).await;
    assert_eq!(found_words(&*index, "kenji arata").await, ["11"]);
}

/// A tombstone of somebody the index never held is kept: the INSERT it overtook must not appear after it.
async fn a_removal_may_overtake_its_insert(place: &dyn Place) {
    let index = place.open().await;
    apply(&*index, vec![remove("01", 9)]).await;
    assert_eq!(apply_one(&*index, put("01", 8, document("01"))).await, ItemAnswer::Stale { held: 9 });
    assert_eq!(everything(&*index).await, [IndexedVersion { artist_id: id("01"), version: 9, deleted: true }]);
}

/// Tombstones older than a moment are dropped and nothing else is.
async fn old_tombstones_are_purged(place: &dyn Place) {
    let index = filled(place).await;
    apply(&*index, vec![remove("01", 5_000), remove("02", 6_000), remove("03", 7_000)]).await;
    assert_eq!(index.purge_tombstones(Timestamp(6_000)).await.expect("the index purges"), 1);
    let scanned = everything(&*index).await;
    assert_eq!(scanned.len(), 39);
    let tombstones: Vec<String> = scanned.iter().filter(|entry| entry.deleted).map(|entry| number(&entry.artist_id)).collect();
    assert_eq!(tombstones, ["02", "03"]);
    assert_eq!(search(&*index, &words("")).await.total, 37);
    assert_eq!(index.purge_tombstones(Timestamp(6_000)).await.expect("the index purges"), 0);
    assert_eq!(apply_one(&*index, remove("02", 5_999)).await, ItemAnswer::Stale { held: 6_000 });
}

// ---- batches and positions ----

/// 002-R31: one bad record does not affect the rest of its batch.
async fn a_bad_document_fails_alone(place: &dyn Place) {
    let index = place.open().await;
    let off_earth = IndexDocument { coordinates: Some(Coordinates { lat: 123.0, lon: 0.0 }), ..document("02") };
    let endless = IndexDocument { text_tokens: vec!["x".repeat(40_000)], ..document("03") };
    let nameless = IndexOperation { artist_id: ArtistId::new(""), version: 1, document: Some(document("04")) };
    let batch = vec![put("01", 1, document("01")), put("02", 1, off_earth), put("03", 1, endless), nameless, put("05", 1, document("05"))];
    let answers = index.apply(batch, None).await.expect("a bad document does not fail the call");
    let failed: Vec<bool> = answers.iter().map(|(_, answer)| matches!(answer, ItemAnswer::Failed(_))).collect();
    assert_eq!(failed, [false, true, true, true, false]);
    assert_eq!(answers.iter().map(|(artist_id, _)| artist_id.as_str()).collect::<Vec<_>>()[1], "artist-02");
    assert_eq!(set(&*index, &words("")).await, ["01", "05"]);
    // What failed left nothing behind: the repaired document of the same version is taken.
    assert_eq!(apply_one(&*index, put("02", 1, document("02"))).await, ItemAnswer::Applied);
}

/// A position is committed with its documents, by shard, and outlives reopening and batches without one.
async fn a_position_is_committed_with_its_documents(place: &dyn Place) {
    let index = place.open().await;
    let (one, two) = (Shard(0), Shard(7));
    let at = |text: &str| Position(text.to_owned());
    if !index.keeps_position() {
        index.apply(everybody(), Some((one, at("7")))).await.expect("the index takes a batch");
        assert_eq!(index.position(one).await.expect("an answer"), None, "an index that keeps no position has none");
        return;
    }
    assert_eq!(index.position(one).await.expect("an answer"), None);
    index.apply(everybody(), Some((one, at("7")))).await.expect("the index takes a batch");
    index.apply(Vec::new(), Some((two, at("\"x\" {y}")))).await.expect("the index takes a position alone");
    apply(&*index, vec![remove("01", FIRST_VERSION + 1)]).await;
    // Nothing of this batch is news, yet the feed was read.
    index.apply(vec![remove("01", 1)], Some((one, at("8")))).await.expect("the index takes a batch");
    drop(index);
    let index = place.open().await;
    assert_eq!(index.position(one).await.expect("an answer"), Some(at("8")));
    assert_eq!(index.position(two).await.expect("an answer"), Some(at("\"x\" {y}")));
    assert_eq!(index.position(Shard(1)).await.expect("an answer"), None);
    assert_eq!(search(&*index, &words("")).await.total, 39);
}

/// 002-R31: while a record of the batch failed its position is not committed, so a crash before it is parked loses nothing.
async fn a_position_does_not_pass_a_failed_record(place: &dyn Place) {
    let index = place.open().await;
    let at = |text: &str| Some((Shard(0), Position(text.to_owned())));
    index.apply(vec![put("01", 1, document("01"))], at("1")).await.expect("the index takes a batch");
    let bad = IndexDocument { completeness: 7.0, ..document("02") };
    index.apply(vec![put("02", 1, bad), put("03", 1, document("03"))], at("2")).await.expect("the index takes a batch");
    assert_eq!(set(&*index, &words("")).await, ["01", "03"]);
    if index.keeps_position() {
        assert_eq!(index.position(Shard(0)).await.expect("an answer"), Some(Position("1".to_owned())));
        index.apply(Vec::new(), at("2")).await.expect("parked, so the position moves on");
        assert_eq!(index.position(Shard(0)).await.expect("an answer"), Some(Position("2".to_owned())));
    }
}

/// A cleared index is empty, tombstones and positions included, and takes any version.
async fn clearing_drops_everything(place: &dyn Place) {
    let index = filled(place).await;
    index.apply(vec![remove("01", 9_000)], Some((Shard(0), Position("5".to_owned())))).await.expect("the index takes a batch");
    index.clear().await.expect("the index is cleared");
    assert_eq!(search(&*index, &words("")).await.total, 0);
    assert!(everything(&*index).await.is_empty());
    assert_eq!(index.position(Shard(0)).await.expect("an answer"), None);
    apply(&*index, vec![put("01", 1, document("01"))]).await;
    drop(index);
    let index = place.open().await;
    assert_eq!(set(&*index, &words("")).await, ["01"]);
    assert_eq!(index.position(Shard(0)).await.expect("an answer"), None);
}

/// A scan meets everybody once, in the order of ids, in steps of any size.
async fn a_scan_is_in_the_order_of_ids(place: &dyn Place) {
    let index = place.open().await;
    for chunk in everybody().rchunks(9) {
        apply(&*index, chunk.to_vec()).await;
    }
    apply(&*index, vec![remove("20", FIRST_VERSION + 1), put("21", FIRST_VERSION + 2, document("21"))]).await;
    let mut seen: Vec<IndexedVersion> = Vec::new();
    loop {
        let step = index.scan(seen.last().map(|entry| &entry.artist_id), 7).await.expect("the index can be scanned");
        if step.is_empty() {
            break;
        }
        assert!(step.len() <= 7 && seen.len() < 40, "a scan ends");
        seen.extend(step);
    }
    let numbers: Vec<String> = seen.iter().map(|entry| number(&entry.artist_id)).collect();
    assert_eq!(numbers, (1..=40).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    let (tombstones, versions): (BTreeSet<bool>, BTreeSet<i64>) = (
        seen.iter().map(|entry| entry.deleted == (entry.artist_id == id("20"))).collect(),
        seen.iter().map(|entry| entry.version).collect(),
    );
    assert_eq!(tombstones, BTreeSet::from([true]));
    assert_eq!(versions, BTreeSet::from([FIRST_VERSION, FIRST_VERSION + 1, FIRST_VERSION + 2]));
}

/// What is applied by one caller while others search is seen as a whole by each of them.
async fn searches_go_on_while_the_index_is_written(place: &dyn Place) {
    let index = place.open().await;
    apply(&*index, vec![put("a", 1, named("Pair One", 0.5)), put("b", 1, named("Pair One", 0.5))]).await;
    let reader = Arc::clone(&index);
    let reading = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while !seen.contains(&9) {
            let hits = reader.search(&words("pair")).await.expect("a search beside writes").hits;
            let versions: BTreeSet<i64> = hits.iter().map(|hit| hit.version).collect();
            assert_eq!((hits.len(), versions.len()), (2, 1), "both of a batch or none");
            seen.extend(versions);
        }
    });
    for version in 2..=9 {
        apply(&*index, vec![put("a", version, named("Pair One", 0.5)), put("b", version, named("Pair One", 0.5))]).await;
    }
    tokio::time::timeout(std::time::Duration::from_secs(30), reading).await.expect("the last version is seen").expect("no torn batch");
}

// ---- facets ----

async fn facets_count_what_a_search_finds(place: &dyn Place) {
    let index = filled(place).await;
    let facets = index.facets(&words("traditional london")).await.expect("the index counts");
    assert_eq!(counts(&facets.styles), [("traditional", 4), ("lettering", 1)]);
    assert_eq!(counts(&facets.countries), [("GB", 2), ("US", 2)]);
    assert_eq!(counts(&facets.cities), [("LONDON", 4)]);
    let all = index.facets(&words("")).await.expect("the index counts");
    assert_eq!(counts(&all.styles)[..3], [("traditional", 7), ("fine-line", 6), ("blackwork", 5)]);
    assert_eq!(counts(&all.countries)[..3], [("GB", 5), ("US", 5), ("MX", 3)]);
}

/// Each facet leaves out its own filter and keeps the others, so that a person sees what else to choose.
async fn each_facet_leaves_out_its_own_filter(place: &dyn Place) {
    let index = filled(place).await;
    let query = SearchQuery {
        styles: vec!["traditional".to_owned()],
        country: Some("GB".to_owned()),
        city_key: Some("LONDON".to_owned()),
        ..words("")
    };
    let facets = index.facets(&query).await.expect("the index counts");
    assert_eq!(counts(&facets.styles), [("traditional", 2), ("botanical", 1), ("fine-line", 1), ("lettering", 1)]);
    assert_eq!(counts(&facets.countries), [("GB", 2), ("US", 2)]);
    assert_eq!(counts(&facets.cities), [("LONDON", 2)]);
    let near_suva = SearchQuery { styles: vec!["polynesian".to_owned()], ..near(-18.1248, 178.45, 300.0) };
    let facets = index.facets(&near_suva).await.expect("the index counts");
    assert_eq!(counts(&facets.cities), [("SUVA", 1), ("TAVEUNI", 1)]);
}

/// Makes a test of each case on one engine; `$place` is evaluated once a test.
macro_rules! search_contract {
    ($engine:ident, $place:expr) => {
        search_contract!(@cases $engine, $place,
            a_name_is_found_best_match_first, the_whole_name_comes_first, accents_case_and_script_do_not_matter,
            the_last_word_may_be_half_typed, one_typo_is_forgiven, text_is_found_by_whole_words, repeated_words_change_nothing,
            without_words_the_most_complete_come_first, a_hit_shows_its_document, styles_filter, places_filter,
            near_filters_by_distance, a_handle_is_found_exactly, filters_and_words_combine, pages_have_no_repeats_and_no_gaps,
            a_mark_outlives_its_artist, limits_out_of_range_are_refused, inserts_create_and_modifications_replace,
            an_older_version_is_refused, the_order_of_arrival_does_not_matter, the_highest_version_of_a_batch_is_written,
            a_removed_artist_is_hidden_everywhere, a_removal_may_overtake_its_insert, old_tombstones_are_purged,
            a_bad_document_fails_alone, a_position_is_committed_with_its_documents, a_position_does_not_pass_a_failed_record,
            clearing_drops_everything, a_scan_is_in_the_order_of_ids, searches_go_on_while_the_index_is_written,
            facets_count_what_a_search_finds, each_facet_leaves_out_its_own_filter);
    };
    (@cases $engine:ident, $place:expr, $($case:ident),+) => {
        mod $engine {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(&$place).await;
                }
            )+
        }
    };
}

search_contract!(tantivy, TantivyFolder(tempfile::tempdir().expect("a folder for the test")));
search_contract!(opensearch, OwnIndexes::new());
