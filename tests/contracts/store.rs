//! The contract of artists' rows: compare-and-set, fences, versions, keys as projections.

use super::fixtures::{Written, nameless_place, record, write, write_record, writer};
use super::harness::{Harness, on_every_backend};
use inkdex::domain::artist::Life;
use inkdex::domain::change::Change;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::domain::place::Coordinates;
use inkdex::domain::write::{Intent, WriteDecision, Writer, decide_write};
use inkdex::store::{PutAnswer, StyleQuery};
use std::collections::BTreeSet;
use std::time::Duration;

on_every_backend!(
    a_committed_record_is_read_back,
    of_racing_writers_one_wins_each_round,
    of_racing_first_writers_one_wins,
    a_late_writer_is_fenced,
    one_job_and_generation_makes_one_version,
    a_crash_at_any_point_leaves_one_version_when_repeated,
    an_unchanged_record_raises_the_fence_alone,
    repeating_projections_is_harmless,
    a_removed_artist_keeps_version_and_fence_and_never_returns,
    a_retired_artist_returns_with_a_higher_version,
    coordinates_survive_storage,
    a_scan_names_every_row_once,
);

fn intent(name: &str) -> Intent {
    Intent::Record(Box::new(record(name, &["traditional"], "GB", "London", "alextattoo")))
}

/// What the feed names, repeats included, in order.
async fn changes(h: &impl Harness) -> Vec<(String, i64)> {
    let feed = h.feed();
    let mut changes = Vec::new();
    for shard in feed.shards().await.unwrap() {
        let batch = feed.poll(shard, None, 1_000, Duration::ZERO).await.unwrap();
        changes.extend(batch.dirty.into_iter().map(|dirty| (dirty.artist_id.to_string(), dirty.hint)));
    }
    changes
}

/// The versions the feed names, each once: repeats are allowed.
async fn versions(h: &impl Harness) -> BTreeSet<i64> {
    changes(h).await.into_iter().map(|(_, version)| version).collect()
}

/// 002-R21: the aggregated record with its keys is written, and what the store confirms is what it holds.
async fn a_committed_record_is_read_back(h: &impl Harness) {
    let id = ArtistId::new("artist-123");
    assert_eq!(h.store().artist(&id).await.unwrap(), None);
    let row = write_record(h, "artist-123", record("Alex", &["traditional"], "GB", "London", "alextattoo"), &writer("j", 1)).await.row();
    assert_eq!(h.store().artist(&id).await.unwrap().as_ref(), Some(&row));
    h.restart().await;
    assert_eq!(h.store().artist(&id).await.unwrap().as_ref(), Some(&row));
    assert!(row.is_sound() && row.live().is_some());
}

/// Rule 5: every write is a compare-and-set; versions strictly rise.
async fn of_racing_writers_one_wins_each_round(h: &impl Harness) {
    let id = ArtistId::new("artist-1");
    write_record(h, "artist-1", nameless_place("Round 0"), &writer("start", 1)).await.row();
    let mut version = 0;
    for round in 0..200 {
        let met = h.store().artist(&id).await.unwrap().unwrap();
        assert!(met.version > version, "round {round}: {} after {version}", met.version);
        version = met.version;
        let attempt = |who: &str| {
            let (store, id, met, now) = (h.store(), id.clone(), met.clone(), h.now());
            let (intent, writer) = (intent(&format!("Round {round} {who}")), writer(&format!("{who}-{round}"), round + 10));
            tokio::spawn(async move {
                match decide_write(&id, Some(&met), &intent, &writer, now) {
                    WriteDecision::Put(put) => (put.row.clone(), store.put_artist(&put).await.unwrap()),
                    other => panic!("expected to put, got {other:?}"),
                }
            })
        };
        let (one, other) = tokio::join!(attempt("a"), attempt("b"));
        let answers = [one.unwrap(), other.unwrap()];
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| *answer == PutAnswer::Committed).collect();
        assert_eq!(winners.len(), 1, "round {round}: {answers:?}");
        let stands = h.store().artist(&id).await.unwrap().unwrap();
        assert_eq!(stands, winners[0].0);
        assert!(answers.iter().any(|(_, answer)| *answer == PutAnswer::Conflict(Some(Box::new(stands.clone())))), "{answers:?}");
    }
}

async fn of_racing_first_writers_one_wins(h: &impl Harness) {
    for round in 0..50 {
        let id = ArtistId::new(format!("artist-{round}"));
        let first = |who: &'static str| {
            let (store, id, now) = (h.store(), id.clone(), h.now());
            tokio::spawn(async move {
                match decide_write(&id, None, &intent(who), &writer(who, 1), now) {
                    WriteDecision::Put(put) => store.put_artist(&put).await.unwrap() == PutAnswer::Committed,
                    other => panic!("expected to put, got {other:?}"),
                }
            })
        };
        let (one, other) = tokio::join!(first("a"), first("b"));
        assert!(one.unwrap() ^ other.unwrap(), "round {round}");
    }
    let named: BTreeSet<String> = changes(h).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(named.len(), 50);
}

/// Rule 5: a lower fence is told so and changes nothing; with a fence above the one met it writes.
async fn a_late_writer_is_fenced(h: &impl Harness) {
    let row = write_record(h, "artist-1", nameless_place("New"), &writer("new", 20)).await.row();
    let late = write_record(h, "artist-1", nameless_place("Old"), &writer("old", 10)).await;
    assert_eq!(late, Written::Fenced(Timestamp(20)));
    assert_eq!(h.store().artist(&row.id).await.unwrap(), Some(row));
    let above = write_record(h, "artist-1", nameless_place("Old"), &writer("old", 21)).await.row();
    assert_eq!((above.fence, above.record.unwrap().name.value.as_str()), (Timestamp(21), "Old"));
}

/// 002-X2, rule 5: "twice" would mean two versions from one job and generation.
async fn one_job_and_generation_makes_one_version(h: &impl Harness) {
    let first = write_record(h, "artist-1", nameless_place("Ana"), &writer("j", 1)).await.row();
    let named = changes(h).await;
    for fence in [1, 2, 50] {
        let again = write_record(h, "artist-1", nameless_place("Ana of a later reading"), &writer("j", fence)).await;
        assert_eq!(again, Written::AlreadyApplied(first.version));
    }
    assert_eq!(changes(h).await, named);
    let requeued = Writer { job_id: JobId::new("j"), generation: 2, fence: Timestamp(60) };
    assert!(write_record(h, "artist-1", nameless_place("Ana requeued"), &requeued).await.row().version > first.version);
    assert_eq!(versions(h).await.len(), 2);
}

/// Rule 6: whatever a crash leaves, repeating the write completes it: one version, its keys, and the artist in the feed.
async fn a_crash_at_any_point_leaves_one_version_when_repeated(h: &impl Harness) {
    for point in 0..h.crash_points() {
        let id = ArtistId::new(format!("artist-{point}"));
        let (intent, writer, now) = (intent("Alex"), writer(&format!("j{point}"), 1), h.now());
        let WriteDecision::Put(put) = decide_write(&id, None, &intent, &writer, now) else { panic!("expected to put") };
        let cut = put.clone();
        h.crash_at(point, async |store| drop(store.put_artist(&cut).await)).await;
        h.advance(Duration::from_secs(1)).await;
        // The next attempt of the same job: a later fence, a later time.
        let next = Writer { fence: Timestamp(2), ..writer };
        match write(&h.store(), &id, &intent, &next, h.now()).await {
            Written::Put(_) => {}
            Written::AlreadyApplied(version) => {
                assert_eq!(version, put.row.version, "point {point}");
                h.store().repeat_projections(&id).await.unwrap();
            }
            other => panic!("point {point}: {other:?}"),
        }
        let row = h.store().artist(&id).await.unwrap().unwrap();
        assert_eq!((row.writers.len(), row.created_version), (1, row.version), "point {point}");
        assert!(changes(h).await.contains(&(id.to_string(), row.version)), "point {point}");
        let query = StyleQuery { gsi1pk: "STYLE#traditional".into(), gsi1sk_prefix: "LOCATION#".into(), limit: 10, after: None };
        let page = h.store().by_style(&query).await.unwrap();
        assert_eq!(page.entries.iter().filter(|entry| entry.row.id == id).count(), 1, "point {point}");
    }
}

/// Rule 5: the same content makes no version and no change, but the fence rises, so that a late writer stays late.
async fn an_unchanged_record_raises_the_fence_alone(h: &impl Harness) {
    let first = write_record(h, "artist-1", record("Ana", &["fine-line"], "PT", "Porto", "ana"), &writer("a", 1)).await.row();
    let named = changes(h).await;
    h.advance(Duration::from_secs(60)).await;
    let again = write_record(h, "artist-1", record("Ana", &["fine-line"], "PT", "Porto", "ana"), &writer("b", 9)).await.row();
    assert_eq!((again.version, again.fence, again.checked_at), (first.version, Timestamp(9), h.now()));
    assert_eq!(h.store().artist(&first.id).await.unwrap(), Some(again));
    assert_eq!(changes(h).await, named);
    let late = write_record(h, "artist-1", nameless_place("Late"), &writer("c", 8)).await;
    assert_eq!(late, Written::Fenced(Timestamp(9)));
    let found = h.store().by_instagram("INSTAGRAM#ana").await.unwrap();
    assert_eq!(found.map(|row| row.fence), Some(Timestamp(9)));
}

/// Rule 2: after a start without outcome the feed entry and the keys are repeated, however often.
async fn repeating_projections_is_harmless(h: &impl Harness) {
    let row = write_record(h, "artist-1", record("Ana", &["fine-line"], "PT", "Porto", "ana"), &writer("a", 1)).await.row();
    for _ in 0..3 {
        let before = changes(h).await.len();
        h.store().repeat_projections(&row.id).await.unwrap();
        assert!(changes(h).await.len() > before);
    }
    h.store().repeat_projections(&ArtistId::new("artist-nobody")).await.unwrap();
    assert_eq!(versions(h).await, BTreeSet::from([row.version]));
    assert_eq!(h.store().artist(&row.id).await.unwrap().as_ref(), Some(&row));
    assert_eq!(h.store().by_instagram("INSTAGRAM#ana").await.unwrap(), Some(row));
}

/// Rules 5 and 15: the base row of a removed artist stays with version and fence, its keys go, and it never returns.
async fn a_removed_artist_keeps_version_and_fence_and_never_returns(h: &impl Harness) {
    let first = write_record(h, "artist-1", record("Ana", &["fine-line"], "PT", "Porto", "ana"), &writer("a", 50)).await.row();
    // A person's request is no reading of the past: no fence stops it.
    let request = writer("removal", 2);
    let gone = write(&h.store(), &first.id, &Intent::Remove(Life::Removed), &request, h.now()).await.row();
    assert_eq!((gone.life, gone.record.is_none(), gone.fence), (Life::Removed, true, Timestamp(50)));
    assert!(gone.version > first.version);
    h.restart().await;
    assert_eq!(h.store().artist(&first.id).await.unwrap(), Some(gone));
    assert_eq!(h.store().by_instagram("INSTAGRAM#ana").await.unwrap(), None);
    let back = write_record(h, "artist-1", nameless_place("Ana"), &writer("b", 99)).await;
    assert_eq!(back, Written::Removed);
    assert_eq!(versions(h).await.len(), 2);
}

/// 002-R23: INSERT, MODIFY and REMOVE are each captured; a retired artist may come back.
async fn a_retired_artist_returns_with_a_higher_version(h: &impl Harness) {
    let id = ArtistId::new("artist-1");
    let nobody = write(&h.store(), &id, &Intent::Remove(Life::Retired), &writer("x", 1), h.now()).await;
    assert_eq!(nobody, Written::Absent);
    let steps = [
        (intent("Ana"), Change::Insert),
        (intent("Ana Lima"), Change::Modify),
        (Intent::Remove(Life::Retired), Change::Remove),
        (intent("Ana Lima"), Change::Insert),
    ];
    let mut made = Vec::new();
    for (number, (intent, change)) in steps.into_iter().enumerate() {
        let current = h.store().artist(&id).await.unwrap();
        let writer = writer(&format!("j{number}"), 10 + number as i64);
        let WriteDecision::Put(put) = decide_write(&id, current.as_ref(), &intent, &writer, h.now()) else { panic!("expected to put") };
        assert_eq!(put.change, Some(change));
        assert_eq!(h.store().put_artist(&put).await.unwrap(), PutAnswer::Committed);
        made.push(put.row.version);
    }
    assert!(made.is_sorted_by(|one, other| one < other), "{made:?}");
    assert_eq!(versions(h).await.into_iter().collect::<Vec<_>>(), made);
}

/// A record passes its own content hash after storage, whatever its numbers: else every night would write it anew.
async fn coordinates_survive_storage(h: &impl Harness) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    for n in 0..300 {
        let point = Coordinates::new(random() * 180.0 - 90.0, random() * 360.0 - 180.0).unwrap();
        let artist = inkdex::domain::artist::Artist { coordinates: Some(super::fixtures::fact(point)), ..nameless_place("Ana") };
        let row = write_record(h, &format!("artist-{n}"), artist, &writer("j", 1)).await.row();
        assert_eq!(h.store().artist(&row.id).await.unwrap(), Some(row), "{point:?}");
    }
}

async fn a_scan_names_every_row_once(h: &impl Harness) {
    for n in 0..25 {
        write_record(h, &format!("artist-{n:02}"), nameless_place("Ana"), &writer("j", 1)).await.row();
    }
    write(&h.store(), &ArtistId::new("artist-07"), &Intent::Remove(Life::Removed), &writer("r", 2), h.now()).await.row();
    let mut seen = Vec::new();
    let mut after: Option<ArtistId> = None;
    loop {
        let rows = h.store().scan_artists(after.as_ref(), 10).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.id.clone());
        seen.extend(rows.into_iter().map(|row| (row.id.to_string(), row.life == Life::Live)));
    }
    assert_eq!(seen.len(), 25);
    seen.sort();
    seen.dedup_by(|one, other| one.0 == other.0);
    assert_eq!(seen.len(), 25, "each once");
    assert_eq!(seen[7], ("artist-07".to_owned(), false));
}
