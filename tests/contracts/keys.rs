//! The contract of the key tables, of identity and of evidence.

use super::fixtures::{fact, nameless_place, record, write, write_record, writer};
use super::harness::{Harness, on_every_backend};
use inkdex::domain::artist::Life;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::{EvidenceRow, Source, SourceFacts};
use inkdex::domain::fields::MissedFields;
use inkdex::domain::identity::{Holder, IdentityKey, KeyReading, KeyState, decide_identity};
use inkdex::domain::ids::{ArtistId, JobId, StudioId};
use inkdex::domain::keys::{ArtistKeys, TableKey};
use inkdex::domain::write::Intent;
use inkdex::store::{Store, StyleQuery};
use std::collections::BTreeSet;
use std::sync::Arc;

on_every_backend!(
    an_artist_is_found_under_the_keys_asked_for,
    keys_no_longer_held_are_gone,
    ghosts_are_never_returned,
    a_place_is_a_prefix_and_never_half_a_name,
    pages_of_a_style_hold_every_artist_once,
    the_key_tables_are_read_whole,
    of_one_handle_the_oldest_live_artist_is_meant,
    a_key_is_pointed_by_compare_and_set,
    of_racing_claims_one_wins,
    one_handle_is_one_artist_whoever_comes_first,
    names_of_an_artist_are_listed_and_forgotten,
    the_newest_evidence_of_a_source_stands,
    evidence_is_dropped_by_source_or_whole,
);

fn query(style: &str, prefix: &str, limit: usize, after: Option<String>) -> StyleQuery {
    StyleQuery { gsi1pk: format!("STYLE#{style}"), gsi1sk_prefix: prefix.to_owned(), limit, after }
}

async fn found(h: &impl Harness, style: &str, prefix: &str) -> Vec<String> {
    let page = h.store().by_style(&query(style, prefix, 100, None)).await.unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| entry.gsi1sk).collect()
}

/// 002-R14, 002-R15, 002-R16, 002-X1, 002-C8: `STYLE#…`, `LOCATION#…#…#…` and `INSTAGRAM#…`, one row for each style held.
async fn an_artist_is_found_under_the_keys_asked_for(h: &impl Harness) {
    let artist = record("Alex", &["traditional", "fine-line"], "GB", "London", "alextattoo");
    let row = write_record(h, "artist-123", artist, &writer("j", 1)).await.row();
    assert_eq!(found(h, "traditional", "LOCATION#UK#LONDON#").await, ["LOCATION#UK#LONDON#artist-123"]);
    assert_eq!(found(h, "fine-line", "LOCATION#UK#LONDON#artist-123").await, ["LOCATION#UK#LONDON#artist-123"]);
    assert_eq!(found(h, "blackwork", "LOCATION#").await, [""; 0]);
    assert_eq!(h.store().by_instagram("INSTAGRAM#alextattoo").await.unwrap(), Some(row.clone()));
    assert_eq!(h.store().by_instagram("INSTAGRAM#alex").await.unwrap(), None);
    let entries = h.store().by_style(&query("traditional", "LOCATION#", 1, None)).await.unwrap().entries;
    assert_eq!(entries[0].row, row);
    let nowhere = nameless_place("Bo");
    let nowhere = inkdex::domain::artist::Artist { styles: vec![fact("dotwork".to_owned())], ..nowhere };
    write_record(h, "artist-9", nowhere, &writer("j", 1)).await.row();
    assert_eq!(found(h, "dotwork", "LOCATION#").await, ["LOCATION#UNKNOWN#UNKNOWN#artist-9"]);
}

/// 002-X1, 002-R14, 002-R16: a re-scrape removes the rows of styles, places and handles no longer held.
async fn keys_no_longer_held_are_gone(h: &impl Harness) {
    let first = record("Alex", &["traditional", "fine-line"], "GB", "London", "alextattoo");
    write_record(h, "artist-1", first, &writer("a", 1)).await.row();
    let second = record("Alex", &["fine-line", "blackwork"], "FR", "Paris", "alex.ink");
    let row = write_record(h, "artist-1", second, &writer("b", 2)).await.row();
    assert_eq!(found(h, "traditional", "LOCATION#").await, [""; 0]);
    assert_eq!(found(h, "fine-line", "LOCATION#").await, ["LOCATION#FR#PARIS#artist-1"]);
    assert_eq!(found(h, "blackwork", "LOCATION#").await, ["LOCATION#FR#PARIS#artist-1"]);
    assert_eq!(h.store().by_instagram("INSTAGRAM#alextattoo").await.unwrap(), None);
    assert_eq!(h.store().by_instagram("INSTAGRAM#alex.ink").await.unwrap(), Some(row));
}

/// 002-R15, 002-R16: an entry is served only if the row it names still holds the key.
async fn ghosts_are_never_returned(h: &impl Harness) {
    for n in 0..10 {
        let artist = record("Ana", &["traditional"], "PT", "Porto", &format!("ana{n}"));
        write_record(h, &format!("artist-{n}"), artist, &writer("a", 1)).await.row();
    }
    for n in (0..10).step_by(2) {
        let (id, life) = (ArtistId::new(format!("artist-{n}")), if n == 0 { Life::Removed } else { Life::Retired });
        write(&h.store(), &id, &Intent::Remove(life), &writer("r", 2), h.now()).await.row();
        assert_eq!(h.store().by_instagram(&format!("INSTAGRAM#ana{n}")).await.unwrap(), None);
    }
    let expected: Vec<String> = (1..10).step_by(2).map(|n| format!("LOCATION#PT#PORTO#artist-{n}")).collect();
    assert_eq!(found(h, "traditional", "LOCATION#PT#").await, expected);
}

/// 002-R15: `LOCATION#UK#LONDON#` is London and not Londonville.
async fn a_place_is_a_prefix_and_never_half_a_name(h: &impl Harness) {
    for (n, (country, city)) in [("GB", "London"), ("GB", "Londonville"), ("CA", "London"), ("US", "Łondon")].into_iter().enumerate() {
        let artist = record("Ana", &["traditional"], country, city, &format!("ana{n}"));
        write_record(h, &format!("artist-{n}"), artist, &writer("a", 1)).await.row();
    }
    assert_eq!(found(h, "traditional", "LOCATION#UK#LONDON#").await, ["LOCATION#UK#LONDON#artist-0"]);
    assert_eq!(found(h, "traditional", "LOCATION#UK#").await, ["LOCATION#UK#LONDON#artist-0", "LOCATION#UK#LONDONVILLE#artist-1"]);
    assert_eq!(found(h, "traditional", "LOCATION#US#").await, ["LOCATION#US#LONDON#artist-3"]);
    assert_eq!(found(h, "traditional", "LOCATION#").await.len(), 4);
}

async fn pages_of_a_style_hold_every_artist_once(h: &impl Harness) {
    for n in 0..23 {
        let artist = record("Ana", &["traditional"], "PT", "Porto", &format!("ana{n}"));
        write_record(h, &format!("artist-{n:02}"), artist, &writer("a", 1)).await.row();
    }
    for limit in [1, 5, 23, 24] {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = h.store().by_style(&query("traditional", "LOCATION#PT#PORTO#", limit, after)).await.unwrap();
            assert!(page.entries.len() <= limit);
            all.extend(page.entries.into_iter().map(|entry| entry.gsi1sk));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<String> = (0..23).map(|n| format!("LOCATION#PT#PORTO#artist-{n:02}")).collect();
        assert_eq!(all, expected, "pages of {limit}");
    }
}

/// Every row of the key tables.
pub async fn scanned(h: &impl Harness, limit: usize) -> Vec<(ArtistId, TableKey)> {
    let mut met = Vec::new();
    let mut after = None;
    loop {
        let page = h.store().scan_keys(after.as_deref(), limit).await.unwrap();
        assert!(page.rows.len() <= limit);
        met.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return met;
        }
    }
}

/// For reconcile: every row of both tables, in pages of any size, and nothing of those who are gone.
async fn the_key_tables_are_read_whole(h: &impl Harness) {
    let mut expected = BTreeSet::new();
    for n in 0..9 {
        let id = format!("artist-{n}");
        // Two styles, of which one has all artists; two places; one handle that several print.
        let (styles, city) = (["traditional", ["dotwork", "blackwork"][n % 2]], ["Porto", "Lisboa"][n / 5]);
        let row = write_record(h, &id, record("Ana", &styles, "PT", city, &format!("ana{}", n / 3)), &writer("a", 1)).await.row();
        if n == 4 {
            write(&h.store(), &row.id, &Intent::Remove(Life::Retired), &writer("r", 2), h.now()).await.row();
        } else {
            let keys = ArtistKeys::of(&row.id, row.live().unwrap()).rows();
            assert_eq!(keys.len(), 3);
            expected.extend(keys.into_iter().map(|key| (row.id.clone(), key)));
        }
    }
    // What they are made again is what they are.
    h.store().mend_keys(&ArtistId::new("artist-0"), &[]).await.unwrap();
    h.store().mend_keys(&ArtistId::new("artist-nobody"), &[]).await.unwrap();
    for limit in [1, 2, 5, 100] {
        let met = scanned(h, limit).await;
        assert_eq!(met.len(), expected.len(), "pages of {limit}");
        assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), expected, "pages of {limit}");
    }
}

/// 002-R16, 002-R20: two records may print one handle; the answer does not depend on who was written last.
async fn of_one_handle_the_oldest_live_artist_is_meant(h: &impl Harness) {
    let oldest = write_record(h, "artist-z", record("Ana", &[], "PT", "Porto", "studio"), &writer("a", 1)).await.row();
    h.advance(std::time::Duration::from_secs(1)).await;
    let younger = write_record(h, "artist-a", record("Bo", &[], "PT", "Porto", "studio"), &writer("b", 1)).await.row();
    assert_eq!(h.store().by_instagram("INSTAGRAM#studio").await.unwrap(), Some(oldest.clone()));
    write(&h.store(), &oldest.id, &Intent::Remove(Life::Retired), &writer("c", 2), h.now()).await.row();
    assert_eq!(h.store().by_instagram("INSTAGRAM#studio").await.unwrap(), Some(younger));
}

fn key(text: &str) -> IdentityKey {
    IdentityKey::stored(text)
}
fn held(id: &str) -> KeyState {
    KeyState::Held(ArtistId::new(id))
}

/// Rule 9: insert-if-absent, then compare-and-set; a key that says so already is done.
async fn a_key_is_pointed_by_compare_and_set(h: &impl Harness) {
    let (store, ana) = (h.store(), key("instagram:ana"));
    assert_eq!(store.identity(&ana).await.unwrap(), None);
    // Nobody holds it: whoever believes otherwise is told.
    assert_eq!(store.point_identity(&ana, Some(&held("x")), &held("a")).await.unwrap(), Some(None));
    assert_eq!(store.point_identity(&ana, None, &held("a")).await.unwrap(), None);
    assert_eq!(store.point_identity(&ana, None, &held("a")).await.unwrap(), None);
    assert_eq!(store.point_identity(&ana, None, &held("b")).await.unwrap(), Some(Some(held("a"))));
    assert_eq!(store.point_identity(&ana, Some(&held("a")), &KeyState::Shared).await.unwrap(), None);
    assert_eq!(store.point_identity(&ana, Some(&held("a")), &held("b")).await.unwrap(), Some(Some(KeyState::Shared)));
    drop(store);
    h.restart().await;
    assert_eq!(h.store().identity(&ana).await.unwrap(), Some(KeyState::Shared));
}

async fn of_racing_claims_one_wins(h: &impl Harness) {
    for round in 0..200 {
        let claim = |id: &'static str| {
            let (store, key) = (h.store(), key(&format!("site:{round}.example")));
            tokio::spawn(async move { store.point_identity(&key, None, &held(id)).await.unwrap() })
        };
        let (one, other) = tokio::join!(claim("a"), claim("b"));
        let answers = [one.unwrap(), other.unwrap()];
        let stands = h.store().identity(&key(&format!("site:{round}.example"))).await.unwrap();
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 1, "round {round}: {answers:?}");
        assert!(answers.contains(&Some(stands)), "round {round}: {answers:?}");
    }
}

/// Reads the keys, decides who is meant, and claims; again until no other claim came in between.
async fn resolve(store: Arc<dyn Store>, name: String, keys: Vec<IdentityKey>) -> ArtistId {
    'again: loop {
        let mut readings = Vec::new();
        for key in &keys {
            let state = store.identity(key).await.unwrap();
            let holder = match &state {
                Some(KeyState::Held(id)) => store.artist(id).await.unwrap(),
                _ => None,
            };
            let holder = holder
                .as_ref()
                .and_then(|row| row.live().map(|record| Holder { name: record.name.value.clone(), created: row.created_version }));
            readings.push(KeyReading { key: key.clone(), state, holder });
        }
        let decision = decide_identity(&name, &readings).unwrap();
        for (key, read) in &decision.claim {
            if store.point_identity(key, read.as_ref(), &KeyState::Held(decision.id.clone())).await.unwrap().is_some() {
                continue 'again;
            }
        }
        return decision.id;
    }
}

/// 002-R20: whoever meets a handle first, all who meet it mean one artist, also when they met other keys before it.
async fn one_handle_is_one_artist_whoever_comes_first(h: &impl Harness) {
    for round in 0..100 {
        let handle = key(&format!("instagram:ana{round}"));
        let find = |own: String| {
            let keys = if own.starts_with("site") { vec![key(&own), handle.clone()] } else { vec![handle.clone(), key(&own)] };
            tokio::spawn(resolve(h.store(), "Ana".to_owned(), keys))
        };
        let (one, other) = tokio::join!(find(format!("site:ana{round}.example")), find(format!("member:s:ana{round}")));
        let met = [one.unwrap(), other.unwrap()];
        // Two who race may each have gone on with a key of their own; who reads all keys afterwards means one artist.
        let all = vec![key(&format!("site:ana{round}.example")), handle.clone(), key(&format!("member:s:ana{round}"))];
        let settled = resolve(h.store(), "Ana".to_owned(), all.clone()).await;
        assert!(met.contains(&settled), "round {round}: {met:?}, then {settled}");
        for key in all {
            assert_eq!(h.store().identity(&key).await.unwrap(), Some(KeyState::Held(settled.clone())), "round {round}: {key:?}");
        }
    }
}

async fn names_of_an_artist_are_listed_and_forgotten(h: &impl Harness) {
    let store = h.store();
    for (name, id) in [("instagram:ana", "a"), ("site:ana.example", "a"), ("instagram:bo", "b")] {
        assert_eq!(store.point_identity(&key(name), None, &held(id)).await.unwrap(), None);
    }
    let ana = ArtistId::new("a");
    assert_eq!(store.identities_of(&ana).await.unwrap(), [key("instagram:ana"), key("site:ana.example")]);
    for _ in 0..2 {
        store.forget_identities(&ana).await.unwrap();
        assert_eq!(store.identities_of(&ana).await.unwrap(), []);
        assert_eq!(store.identity(&key("instagram:ana")).await.unwrap(), None);
    }
    assert_eq!(store.identity(&key("instagram:bo")).await.unwrap(), Some(held("b")));
}

fn evidence(source: Source, fence: i64, name: &str) -> EvidenceRow {
    let facts = SourceFacts { name: Some(fact(name.to_owned())), ..SourceFacts::default() };
    EvidenceRow {
        artist_id: ArtistId::new("a"),
        source,
        job_id: JobId::new("j"),
        fence: Timestamp(fence),
        facts,
        missed: MissedFields::new(),
        settled: std::collections::BTreeSet::new(),
    }
}

fn names(rows: Vec<EvidenceRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.facts.name.unwrap().value).collect()
}

/// Rule 5: evidence of a source is replaced by a newer reading only.
async fn the_newest_evidence_of_a_source_stands(h: &impl Harness) {
    let (store, site, studio) = (h.store(), Source::OwnSite("ana.example".into()), Source::Studio(StudioId::new("s")));
    assert!(store.put_evidence(&evidence(site.clone(), 5, "Ana")).await.unwrap());
    assert!(store.put_evidence(&evidence(site.clone(), 5, "Ana again")).await.unwrap());
    assert!(!store.put_evidence(&evidence(site.clone(), 4, "Old Ana")).await.unwrap());
    assert!(store.put_evidence(&evidence(studio, 1, "A. Lima")).await.unwrap());
    let rows = store.evidence_of(&ArtistId::new("a")).await.unwrap();
    assert_eq!(names(rows), ["Ana again", "A. Lima"]);
    assert!(store.put_evidence(&evidence(site, 6, "Ana Lima")).await.unwrap());
    assert_eq!(names(store.evidence_of(&ArtistId::new("a")).await.unwrap()), ["Ana Lima", "A. Lima"]);
    assert_eq!(store.evidence_of(&ArtistId::new("b")).await.unwrap(), []);
}

async fn evidence_is_dropped_by_source_or_whole(h: &impl Harness) {
    let (store, ana) = (h.store(), ArtistId::new("a"));
    let sources = [Source::OwnSite("ana.example".into()), Source::Studio(StudioId::new("s")), Source::Studio(StudioId::new("t"))];
    for (n, source) in sources.iter().enumerate() {
        assert!(store.put_evidence(&evidence(source.clone(), 1, &format!("Ana {n}"))).await.unwrap());
    }
    store.drop_evidence(&ana, Some(&sources[1].key())).await.unwrap();
    assert_eq!(names(store.evidence_of(&ana).await.unwrap()), ["Ana 0", "Ana 2"]);
    store.drop_evidence(&ana, None).await.unwrap();
    store.drop_evidence(&ana, None).await.unwrap();
    assert_eq!(store.evidence_of(&ana).await.unwrap(), []);
}
