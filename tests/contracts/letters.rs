//! The contract of the index of dead letters (002-C7, 002-X5): every case runs on both engines and demands the same ids.

#[cfg(feature = "opensearch")]
use crate::support::opensearch::OwnIndexes;
use async_trait::async_trait;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::{JobId, SessionId};
use inkdex::domain::job::JobKind;
use inkdex::domain::outcome::Category;
use inkdex::search::ItemAnswer;
use inkdex::search::letters::{
    IndexedLetter, LetterDocument, LetterFilter, LetterIndex, LetterMark, LetterOperation, LetterPage, LetterQuery,
};
#[cfg(feature = "opensearch")]
use inkdex::search::opensearch::OpenSearchLetters;
use inkdex::search::tantivy::TantivyLetters;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// When the indexes of the suite are made.
const NOW: Timestamp = Timestamp(1_795_305_600_000_000);

/// Where one index lives: opening it again finds what was written.
#[async_trait]
trait Place: Send + Sync {
    async fn open(&self) -> Arc<dyn LetterIndex>;
}

#[async_trait]
impl Place for TempDir {
    async fn open(&self) -> Arc<dyn LetterIndex> {
        Arc::new(TantivyLetters::open(self.path(), NOW).expect("the folder can be used"))
    }
}

#[cfg(feature = "opensearch")]
#[async_trait]
impl Place for OwnIndexes {
    async fn open(&self) -> Arc<dyn LetterIndex> {
        let artists = OwnIndexes::open(self).await.expect("the index can be used");
        Arc::new(OpenSearchLetters::open(&artists).await.expect("the index of letters can be used"))
    }
}

fn id(number: u32) -> JobId {
    JobId::new(format!("job-{number:03}"))
}

/// A letter of a crowd in which every value is shared by some and lacked by others, and moments of death tie.
fn letter(number: u32) -> LetterOperation {
    let pick = |values: &[&str]| values[number as usize % values.len()].to_owned();
    let document = LetterDocument {
        session: SessionId::new(pick(&["night-1", "night-2", "operations"])),
        kind: [JobKind::FindArtists, JobKind::ScrapeArtist][number as usize / 3 % 2],
        step: pick(&["find_artists", "scrape"]),
        host: (!number.is_multiple_of(5)).then(|| pick(&["a.example", "b.example", "sub.a.example", "A.example"])),
        category: [Category::Data, Category::Transient, Category::Blocked][number as usize / 2 % 3],
        code: pick(&["timeout", "parse_over_budget", "timeout again"]),
        stage: pick(&["fetch", "parse", "write", "fetch"]),
        fingerprint: format!("{:016x}", number % 7),
        generation: 1,
    };
    LetterOperation { job_id: id(number), version: 2, settled_at: Timestamp(i64::from(number / 4)), document: Some(document) }
}

fn tombstone(number: u32, version: i64, at: i64) -> LetterOperation {
    LetterOperation { job_id: id(number), version, settled_at: Timestamp(at), document: None }
}

async fn answers(index: &dyn LetterIndex, operations: Vec<LetterOperation>) -> Vec<ItemAnswer> {
    let asked: Vec<JobId> = operations.iter().map(|operation| operation.job_id.clone()).collect();
    let answers = index.apply(operations).await.expect("the index takes a batch");
    assert_eq!(answers.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), asked, "one answer for each, in their order");
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn filled(place: &dyn Place) -> (Arc<dyn LetterIndex>, Vec<LetterOperation>) {
    let index = place.open().await;
    let letters: Vec<LetterOperation> = (0..60).map(letter).collect();
    assert!(answers(&*index, letters.clone()).await.iter().all(|answer| *answer == ItemAnswer::Applied));
    (index, letters)
}

/// Every letter that a filter finds, page by page.
async fn found(index: &dyn LetterIndex, filter: &LetterFilter, limit: usize) -> Vec<LetterMark> {
    let mut query = LetterQuery { filter: filter.clone(), limit, after: None };
    let mut all = Vec::new();
    loop {
        let LetterPage { letters, more } = index.find(&query).await.expect("a page");
        assert!(letters.len() <= limit && (!more || letters.len() == limit), "{letters:?}");
        all.extend(letters);
        assert!(all.len() <= 60, "pages repeat themselves");
        if !more {
            return all;
        }
        query.after = all.last().cloned();
    }
}

async fn ids(index: &dyn LetterIndex) -> Vec<JobId> {
    found(index, &LetterFilter::default(), 50).await.into_iter().map(|(_, id)| id).collect()
}

fn filter(name: &str, value: &str) -> LetterFilter {
    let mut filter = LetterFilter::default();
    let field = match name {
        "session" => &mut filter.session,
        "kind" => &mut filter.kind,
        "host" => &mut filter.host,
        "category" => &mut filter.category,
        "code" => &mut filter.code,
        "stage" => &mut filter.stage,
        "fingerprint" => &mut filter.fingerprint,
        _ => panic!("no filter {name}"),
    };
    *field = Some(value.to_owned());
    filter
}

/// 002-C7: whatever is asked for, each engine finds exactly the letters that have it, the one that died last first.
async fn each_filter_finds_the_letters_that_have_its_value(place: &dyn Place) {
    let (index, letters) = filled(place).await;
    let asked = [
        LetterFilter::default(),
        filter("session", "night-2"),
        filter("kind", "scrape_artist"),
        filter("host", "a.example"),
        filter("category", "blocked"),
        filter("code", "timeout"),
        filter("stage", "fetch"),
        filter("fingerprint", "0000000000000003"),
        LetterFilter { stage: Some("parse".to_owned()), category: Some("data".to_owned()), ..filter("host", "b.example") },
        filter("host", "nobody.example"),
        filter("code", ""),
    ];
    let mut counts = Vec::new();
    for filter in &asked {
        let has = |operation: &&LetterOperation| {
            let held = operation.document.as_ref().expect("a document").keywords();
            filter.asked().all(|(name, value)| {
                let place = inkdex::search::letters::KEYWORDS.iter().position(|known| *known == name).expect("a field");
                held[place] == Some(value)
            })
        };
        let mut expected: Vec<LetterMark> =
            letters.iter().filter(has).map(|operation| (operation.settled_at, operation.job_id.clone())).collect();
        expected.sort_by(|one, other| other.cmp(one));
        counts.push(expected.len());
        for limit in [7, 60] {
            assert_eq!(found(&*index, filter, limit).await, expected, "{filter:?}");
        }
    }
    assert_eq!(counts, [60, 20, 30, 12, 20, 20, 30, 9, 4, 0, 0], "the crowd is mixed");
}

/// 002-R27: an older write is refused, the same again is taken, and a letter that went does not come back by a stale replay.
async fn an_older_write_undoes_nothing(place: &dyn Place) {
    let index = place.open().await;
    assert_eq!(answers(&*index, vec![letter(1)]).await, [ItemAnswer::Applied]);
    assert_eq!(answers(&*index, vec![letter(1)]).await, [ItemAnswer::Applied]);
    assert_eq!(ids(&*index).await, [id(1)]);
    assert_eq!(answers(&*index, vec![tombstone(1, 3, 9)]).await, [ItemAnswer::Applied]);
    assert_eq!(answers(&*index, vec![letter(1)]).await, [ItemAnswer::Stale { held: 3 }]);
    assert!(ids(&*index).await.is_empty());
    // A removal may overtake the death it follows.
    assert_eq!(answers(&*index, vec![tombstone(2, 3, 9)]).await, [ItemAnswer::Applied]);
    assert_eq!(answers(&*index, vec![letter(2)]).await, [ItemAnswer::Stale { held: 3 }]);
    // It dies again, in the next generation; in one batch the highest version stands.
    let again = LetterOperation { version: 4, ..letter(1) };
    let batch = vec![tombstone(1, 3, 9), again, letter(1)];
    assert_eq!(answers(&*index, batch).await, [ItemAnswer::Stale { held: 4 }, ItemAnswer::Applied, ItemAnswer::Stale { held: 4 }]);
    drop(index);
    let index = place.open().await;
    assert_eq!(ids(&*index).await, [id(1)]);
    assert_eq!(answers(&*index, vec![letter(2)]).await, [ItemAnswer::Stale { held: 3 }], "after a restart as well");
}

/// 002-R31: a record that no engine can take fails alone.
async fn a_bad_record_fails_alone(place: &dyn Place) {
    let index = place.open().await;
    let mut bad = letter(2);
    bad.document.as_mut().expect("a document").code = "x".repeat(40_000);
    let nameless = LetterOperation { job_id: JobId::new(""), ..letter(3) };
    let answers = answers(&*index, vec![letter(1), bad, nameless, letter(4)]).await;
    assert!(matches!(&answers[1], ItemAnswer::Failed(_)) && matches!(&answers[2], ItemAnswer::Failed(_)), "{answers:?}");
    assert_eq!([&answers[0], &answers[3]], [&ItemAnswer::Applied; 2]);
    assert_eq!(ids(&*index).await, [id(4), id(1)]);
}

async fn a_scan_is_in_the_order_of_ids_and_has_tombstones(place: &dyn Place) {
    let index = place.open().await;
    answers(&*index, vec![letter(3), letter(1)]).await;
    answers(&*index, vec![tombstone(2, 7, 5), letter(4)]).await;
    let entry = |number, version, deleted| IndexedLetter { job_id: id(number), version, deleted };
    let all = [entry(1, 2, false), entry(2, 7, true), entry(3, 2, false), entry(4, 2, false)];
    assert_eq!(index.scan(None, 10).await.expect("a scan"), all);
    assert_eq!(index.scan(Some(&id(1)), 2).await.expect("a scan"), all[1..3]);
    assert_eq!(index.scan(Some(&id(4)), 2).await.expect("a scan"), []);
}

async fn old_tombstones_are_purged(place: &dyn Place) {
    let index = place.open().await;
    answers(&*index, vec![letter(1), tombstone(2, 3, 10), tombstone(3, 3, 20)]).await;
    assert_eq!(index.purge_tombstones(Timestamp(20)).await.expect("a purge"), 1);
    let held: Vec<JobId> = index.scan(None, 10).await.expect("a scan").into_iter().map(|entry| entry.job_id).collect();
    assert_eq!(held, [id(1), id(3)], "letters and younger tombstones stay");
}

/// Whoever fills it knows by its generation that it holds nothing of before.
async fn a_cleared_index_has_another_generation(place: &dyn Place) {
    let (index, _) = filled(place).await;
    let before = index.generation().await.expect("a generation");
    index.clear().await.expect("it is cleared");
    assert!(index.scan(None, 10).await.expect("a scan").is_empty());
    let after = index.generation().await.expect("a generation");
    assert_ne!(before, after);
    assert_eq!(answers(&*index, vec![letter(1)]).await, [ItemAnswer::Applied]);
    drop(index);
    let index = place.open().await;
    assert_eq!(index.generation().await.expect("a generation"), after);
    assert_eq!(ids(&*index).await, [id(1)]);
}

/// Makes a test of each case on one engine.
macro_rules! letters_contract {
    ($engine:ident, $place:expr) => {
        letters_contract!(@cases $engine, $place,
            each_filter_finds_the_letters_that_have_its_value, an_older_write_undoes_nothing, a_bad_record_fails_alone,
            a_scan_is_in_the_order_of_ids_and_has_tombstones, old_tombstones_are_purged, a_cleared_index_has_another_generation);
    };
    (@cases $engine:ident, $place:expr, $($case:ident),+) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(&$place).await;
                }
            )+
        }
    };
}

letters_contract!(tantivy, tempfile::tempdir().expect("a folder for the test"));
#[cfg(feature = "opensearch")]
letters_contract!(opensearch, super::OwnIndexes::new());

/// An embedded index whose files are damaged is made anew, empty and of another generation.
#[tokio::test]
async fn a_damaged_folder_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (index, _) = filled(&folder).await;
    let before = index.generation().await.expect("a generation");
    drop(index);
    let list = folder.path().join("meta.json");
    let text = fs::read_to_string(&list).expect("a list of segments");
    fs::write(&list, text.replacen("\"deletes\"", "\"deleted\"", 1)).expect("a write");
    assert_ne!(fs::read_to_string(&list).expect("a list"), text, "it was damaged");
    let index = TantivyLetters::open(folder.path(), Timestamp(NOW.0 + 1)).expect("it is made anew");
    assert_ne!(index.generation().await.expect("a generation"), before);
    assert!(index.scan(None, 10).await.expect("a scan").is_empty());
}

/// As the artists' index, one of another build's mapping stops the start and says what to do.
#[cfg(feature = "opensearch")]
#[tokio::test]
async fn a_mapping_of_another_build_stops_the_start() {
    let own = OwnIndexes::new();
    drop(Place::open(&own).await);
    let name = format!("{}-letters-v1-000001", own.settings.prefix);
    assert_eq!(own.ask("PUT", &format!("/{name}/_mapping"), r#"{"properties":{"shoe_size":{"type":"long"}}}"#).0, 200);
    let artists = own.open().await.expect("the artists' index is another one");
    let why = OpenSearchLetters::open(&artists).await.expect_err("another mapping").to_string();
    assert!(why.contains("shoe_size") && why.contains(&name) && why.contains("fills it from the ledger"), "{why}");
}
