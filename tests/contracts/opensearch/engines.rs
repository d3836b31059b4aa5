//! Both engines over the same made-up people, asked the same made-up questions: the same pages, ranks, totals and counts.

use super::own;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::place::Coordinates;
use inkdex::domain::text::tokens;
use inkdex::search::tantivy::TantivyIndex;
use inkdex::search::{IndexDocument, IndexOperation, Near, SearchIndex, SearchQuery};

/// A repeatable stream of numbers (splitmix64): what failed once fails again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn sometimes<T>(&mut self, of_ten: usize, value: T) -> Option<T> {
        (self.below(10) < of_ten).then_some(value)
    }
}

const WORDS: &[&str] = &[
    "ana",
    "anna",
    "hanna",
    "annan",
    "kenji",
    "kenija",
    "keni",
    "kenjii",
    "олена",
    "олина",
    "núñez",
    "nunes",
    "li",
    "lima",
    "limas",
    "straße",
    "strasser",
    "o",
    "ash",
    "ashe",
    "東京",
    "mira",
    "miro",
    "moira",
    "x",
    "quill",
    "quills",
    "qiull",
];
const STYLES: &[&str] = &["fine-line", "dotwork", "traditional", "neo-traditional", "realism"];
const COUNTRIES: &[&str] = &["GB", "US", "PT", "BR"];
const CITIES: &[&str] = &["LONDON", "PORTO", "SAO-PAULO", "PORTLAND", "PORT"];

fn words(dice: &mut Dice, most: usize) -> String {
    let count = 1 + dice.below(most);
    (0..count).map(|_| dice.one(WORDS)).collect::<Vec<_>>().join(" ")
}

fn person(dice: &mut Dice, number: usize) -> IndexOperation {
    let name = words(dice, 3);
    let point = (dice.below(180) as f64 - 89.5, dice.below(360) as f64 - 179.5);
    let document = IndexDocument {
        name_tokens: tokens(&name),
        studio: dice.sometimes(5, "Quiet Needle".to_owned()),
        styles: (0..dice.below(4)).map(|_| dice.one(STYLES).to_owned()).collect(),
        country: (dice.below(10) < 8).then(|| dice.one(COUNTRIES).to_owned()),
        city: None,
        city_key: (dice.below(10) < 8).then(|| dice.one(CITIES).to_owned()),
        coordinates: dice.sometimes(7, Coordinates { lat: point.0, lon: point.1 }),
        instagram: dice.sometimes(5, format!("handle{}", number % 40)),
        text_tokens: tokens(&words(dice, 6)),
        completeness: dice.below(9) as f32 / 8.0,
        name,
    };
    let artist_id = ArtistId::new(format!("artist-{}", (number * 7919) % 1000));
    IndexOperation { artist_id, version: number as i64 + 1, document: (dice.below(12) > 0).then_some(document) }
}

fn question(dice: &mut Dice) -> SearchQuery {
    let text = if dice.below(4) == 0 { String::new() } else { words(dice, 3) };
    let mut tokens = tokens(&text);
    if let Some(last) = tokens.last_mut() {
        // Half typed, as the last word may be.
        let kept = 1 + dice.below(last.chars().count());
        *last = last.chars().take(kept).collect();
    }
    let centre = Coordinates { lat: dice.below(160) as f64 - 80.0, lon: dice.below(340) as f64 - 170.0 };
    SearchQuery {
        tokens,
        styles: if dice.below(3) == 0 { (0..1 + dice.below(2)).map(|_| dice.one(STYLES).to_owned()).collect() } else { Vec::new() },
        country: (dice.below(4) == 0).then(|| dice.one(COUNTRIES).to_owned()),
        city_key: (dice.below(4) == 0).then(|| dice.one(CITIES).to_owned()),
        near: (dice.below(5) == 0).then(|| Near { centre, radius_km: 100.3 + dice.below(8_000) as f64 }),
        instagram: (dice.below(20) == 0).then(|| format!("handle{}", dice.below(40))),
        limit: 1 + dice.below(20),
        after: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_answer_alike() {
    let (_own, opensearch) = own().await;
    let tantivy = TantivyIndex::in_memory().expect("an index in memory");
    let mut dice = Dice(20_261_122);
    let people: Vec<IndexOperation> = (0..600).map(|number| person(&mut dice, number)).collect();
    for batch in people.chunks(170) {
        let answers = tantivy.apply(batch.to_vec(), None).await.expect("a batch");
        assert_eq!(opensearch.apply(batch.to_vec(), None).await.expect("a batch"), answers);
    }
    assert_eq!(opensearch.scan(None, 10_000).await.expect("a scan"), tantivy.scan(None, 10_000).await.expect("a scan"));
    let (mut pages, mut hits) = (0, 0);
    for _ in 0..250 {
        let mut query = question(&mut dice);
        assert_eq!(opensearch.facets(&query).await.expect("counts"), tantivy.facets(&query).await.expect("counts"), "{query:?}");
        for _ in 0..3 {
            let expected = tantivy.search(&query).await.expect("a page");
            assert_eq!(opensearch.search(&query).await.expect("a page"), expected, "{query:?}");
            (pages, hits) = (pages + 1, hits + expected.hits.len());
            match expected.next {
                Some(mark) => query.after = Some(mark),
                None => break,
            }
        }
    }
    println!("both engines: {pages} pages with {hits} hits are equal");
    assert!(hits > 500, "the questions find somebody: {hits}");
}
