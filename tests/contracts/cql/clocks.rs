//! Clocks: one that disagrees with the database's writes nothing; a writer that paused is found by the second entry and by
//! the wide lane.

use super::super::fixtures::{nameless_place, record, writer};
use super::super::harness::Harness;
use super::Cql;
use crate::support::clock::ShiftedClock;
use inkdex::domain::clock::{Clock, SystemClock, Timestamp};
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::ArtistId;
use inkdex::domain::write::{Intent, PutRow, WriteDecision, decide_write};
use inkdex::feed::cql::{CqlFeed, FeedTimes};
use inkdex::feed::{ChangeFeed, Position};
use inkdex::store::cql::{CqlDb, CqlHostHolds, CqlStore};
use inkdex::store::{ArtistStore, HostAnswer, HostHolds, IdentityStore, PutAnswer, StoreError, StyleQuery};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Issue B: a node whose clock is off by more than 5 s does not start, and writes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_refuses_to_write() {
    let h = Cql::start().await;
    let machine = SystemClock::new().now();
    for (off, allowed) in [(Duration::ZERO, true), (Duration::from_secs(3), true), (Duration::from_secs(8), false)] {
        let clock = Arc::new(ShiftedClock::at(machine));
        clock.jump_to(SystemClock::new().now().plus(off));
        let db = CqlDb::open(h.keyspace.settings.clone(), clock.clone()).await.unwrap();
        match db.watch_clock(clock).await {
            Ok(()) => assert!(allowed, "{off:?}"),
            Err(StoreError::Refused(why)) => {
                assert!(!allowed && why.contains("ahead of the database's") && why.contains("set the clock"), "{why}");
            }
            Err(other) => panic!("{other:?}"),
        }
        let seen = Duration::from_micros(db.clock_ahead_us().unwrap().unsigned_abs());
        assert!(seen.abs_diff(off) < Duration::from_secs(1), "{off:?} seen as {seen:?}");
        let key = IdentityKey::stored(format!("site:{}.example", off.as_secs()));
        let point = CqlStore::new(db).point_identity(&key, None, &KeyState::Held(ArtistId::new("a"))).await;
        assert_eq!(point.is_ok(), allowed, "{off:?}: {point:?}");
    }
}

/// Rule 14: times of holds are the database's, so that processes whose clocks disagree keep the same distance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_disagree_keep_the_same_distance() {
    // What four samples may be wrong by, each of half of the slowest round trip that tells anything.
    const WITHIN_US: i64 = 2_010_000;
    let h = Cql::start().await;
    let machine = SystemClock::new();
    let process = async |off_s: i64| {
        let clock = Arc::new(ShiftedClock::at(Timestamp(machine.now().0 + off_s * 1_000_000)));
        let db = CqlDb::open(h.keyspace.settings.clone(), clock.clone()).await.unwrap();
        db.watch_clock(clock.clone()).await.unwrap();
        (CqlHostHolds::new(CqlStore::new(db), Timestamp(0)), clock, off_s * 1_000_000)
    };
    for (giver_off_s, taker_off_s) in [(0, 3), (3, 0), (-3, 3), (3, -3)] {
        let host = format!("{giver_off_s}.{taker_off_s}.example");
        let (giver, giver_clock, giver_off) = process(giver_off_s).await;
        let (taker, taker_clock, taker_off) = process(taker_off_s).await;
        // How much later than meant a moment of the giver is for the taker.
        let later = |meant: Timestamp, met: Timestamp| (met.0 - taker_off) - (meant.0 - giver_off);
        let HostAnswer::Taken(ticket) = giver.take(&host, "giver", 30_000_000, giver_clock.now()).await.unwrap() else {
            panic!("{host} is free")
        };
        let HostAnswer::Busy(until) = taker.take(&host, "taker", 30_000_000, taker_clock.now()).await.unwrap() else {
            panic!("{host} is held")
        };
        assert!((0..WITHIN_US).contains(&later(ticket.until, until)), "{host}: the hold's end is {} us later", later(ticket.until, until));
        let next_at = giver_clock.now().plus(Duration::from_secs(1));
        giver.give_back(&ticket, next_at).await.unwrap();
        let HostAnswer::Taken(next) = taker.take(&host, "taker", 30_000_000, taker_clock.now()).await.unwrap() else {
            panic!("{host} was given back")
        };
        assert!((0..WITHIN_US).contains(&later(next_at, next.next_at)), "{host}: its turn is {} us later", later(next_at, next.next_at));
        let back_off = giver_clock.now().plus(Duration::from_secs(60));
        giver.back_off(&host, back_off).await.unwrap();
        taker.give_back(&next, taker_clock.now()).await.unwrap();
        let HostAnswer::Busy(until) = taker.take(&host, "taker", 30_000_000, taker_clock.now()).await.unwrap() else {
            panic!("{host} is to be left alone")
        };
        assert!((0..WITHIN_US).contains(&later(back_off, until)), "{host}: its back-off is {} us longer", later(back_off, until));
    }
}

/// Reads every shard on from where the reader stands; answers who was named, with versions.
async fn named(feed: &CqlFeed, at: &mut BTreeMap<u16, Position>) -> Vec<(String, i64)> {
    let mut named = Vec::new();
    for shard in feed.shards().await.unwrap() {
        loop {
            let batch = feed.poll(shard, at.get(&shard.0), 100, Duration::ZERO).await.unwrap();
            at.insert(shard.0, batch.next);
            if batch.dirty.is_empty() {
                break;
            }
            named.extend(batch.dirty.into_iter().map(|dirty| (dirty.artist_id.to_string(), dirty.hint)));
        }
    }
    named
}

fn first_put(h: &Cql, id: &str) -> Box<PutRow> {
    let intent = Intent::Record(Box::new(record("Alex", &["traditional"], "GB", "London", "alextattoo")));
    match decide_write(&ArtistId::new(id), None, &intent, &writer("j", 1), h.now()) {
        WriteDecision::Put(put) => put,
        other => panic!("{other:?}"),
    }
}

/// Issue B: a writer stopped for minutes between the intent and the row, then continued: its change is named after it stands,
/// by the second entry; and if it dies right after the row, by whoever repeats its projections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_pauses_before_the_row_is_named_afterwards() {
    let h = Cql::start().await;
    let feed = CqlFeed::new(h.db(), FeedTimes::default());
    let mut at = BTreeMap::new();
    let (held, hold) = h.db().held_at("put_artist: between the intent and the row");
    let put = first_put(&h, "artist-1");
    let version = put.row.version;
    let writing = tokio::spawn(async move { CqlStore::new(held).put_artist(&put).await.unwrap() });
    hold.arrived().await;
    // The intent is seen, and leads to no row yet; every look at it passes.
    assert_eq!(named(&feed, &mut at).await, [("artist-1".to_owned(), version)]);
    for _ in 0..24 {
        h.clock.advance(Duration::from_secs(10));
        assert_eq!(named(&feed, &mut at).await, []);
    }
    assert_eq!(h.store().artist(&ArtistId::new("artist-1")).await.unwrap(), None);
    hold.release();
    assert_eq!(writing.await.unwrap(), PutAnswer::Committed);
    let again = named(&feed, &mut at).await;
    assert_eq!(again, [("artist-1".to_owned(), version)], "the second entry");
    for _ in 0..24 {
        h.clock.advance(Duration::from_secs(10));
        assert_eq!(named(&feed, &mut at).await, [], "nothing is handed out again that did not change");
    }
}

/// A row that becomes visible late, as one long under way or of a writer whose clock is behind: the fine lane has passed it,
/// the wide lane finds it at its first look, or at its last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wide_lane_finds_what_came_late() {
    for (late_by, found_at) in [(25, 40), (60, 190)] {
        let h = Cql::start().await;
        let feed = CqlFeed::new(h.db(), FeedTimes::default());
        let mut at = BTreeMap::new();
        // Its own clock stands still while the reader's goes on.
        let behind = CqlDb::open(h.keyspace.settings.clone(), Arc::new(inkdex::domain::clock::ManualClock::at(h.now()))).await.unwrap();
        let shown = record("Bo", &[], "PT", "Porto", "bo");
        super::super::fixtures::write_record(&h, "artist-0", shown, &writer("j", 1)).await.row();
        assert_eq!(named(&feed, &mut at).await.len(), 2, "before the row and after it");
        h.clock.advance(Duration::from_secs(late_by));
        assert_eq!(named(&feed, &mut at).await, []);
        let late: Vec<_> = (0..8).map(|n| format!("artist-late-{n}")).collect();
        for id in &late {
            let put = first_put(&h, id);
            assert_eq!(CqlStore::new(behind.clone()).put_artist(&put).await.unwrap(), PutAnswer::Committed);
        }
        let mut waited = late_by;
        let mut found = named(&feed, &mut at).await;
        assert_eq!(found, [], "the fine lane has passed that bucket");
        while found.is_empty() && waited < 400 {
            h.clock.advance(Duration::from_secs(1));
            waited += 1;
            found = named(&feed, &mut at).await;
        }
        let mut ids: Vec<_> = found.into_iter().map(|(id, _)| id).filter(|id| id != "artist-0").collect();
        ids.sort();
        ids.dedup();
        assert_eq!((waited, ids), (found_at, late), "late by {late_by} s");
    }
}

/// Rule 6: a crash at each step of putting an artist, repaired by repeating its projections alone if the row stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_each_step_is_repaired_by_repeating_the_projections() {
    let h = Cql::start().await;
    let (mut standing, mut not) = (0, 0);
    for point in 0..h.crash_points() {
        let id = ArtistId::new(format!("artist-{point:02}"));
        let before = record("Alex", &["traditional", "fine-line"], "GB", "London", &format!("alex{point}"));
        let met = super::super::fixtures::write_record(&h, id.as_str(), before, &writer("j", 1)).await.row();
        let after = Intent::Record(Box::new(record("Alex", &["fine-line", "blackwork"], "FR", "Paris", &format!("ink{point}"))));
        h.clock.advance(Duration::from_secs(1));
        let WriteDecision::Put(put) = decide_write(&id, Some(&met), &after, &writer("k", 2), h.now()) else { panic!("expected to put") };
        let cut = put.clone();
        h.crash_at(point, async |store| drop(store.put_artist(&cut).await)).await;
        let store = h.store();
        let row = store.artist(&id).await.unwrap().unwrap();
        let stands = row == put.row;
        assert!(stands || row == met, "point {point}: {row:?}");
        if stands {
            standing += 1
        } else {
            not += 1
        }
        // Even before any repair nothing is found under a key that its row does not hold.
        let (old, new) = (format!("INSTAGRAM#alex{point}"), format!("INSTAGRAM#ink{point}"));
        assert_eq!(store.by_instagram(if stands { &old } else { &new }).await.unwrap(), None, "point {point}");
        store.repeat_projections(&id).await.unwrap();
        let found = store.by_instagram(if stands { &new } else { &old }).await.unwrap();
        assert_eq!(found, Some(row.clone()), "point {point}");
        for (style, place, held) in [
            ("traditional", "LOCATION#UK#LONDON#", !stands),
            ("fine-line", "LOCATION#UK#LONDON#", !stands),
            ("fine-line", "LOCATION#FR#PARIS#", stands),
            ("blackwork", "LOCATION#FR#PARIS#", stands),
        ] {
            let query = StyleQuery { gsi1pk: format!("STYLE#{style}"), gsi1sk_prefix: format!("{place}{id}"), limit: 10, after: None };
            assert_eq!(!store.by_style(&query).await.unwrap().entries.is_empty(), held, "point {point}: {style} {place}");
        }
        let mut at = BTreeMap::new();
        let hints = named(&CqlFeed::new(h.db(), FeedTimes::default()), &mut at).await;
        assert!(hints.contains(&(id.to_string(), row.version)), "point {point}");
        // What a crash left in the key tables is gone: the mapping names just what the row holds.
        let left = h.keyspace.count(&format!("artist_keys WHERE artist_id = '{id}'")).await;
        assert_eq!(left, 3, "point {point}");
        let ghosts = h.keyspace.count(&format!("instagram_keys WHERE gsi2pk = '{}'", if stands { old } else { new })).await;
        assert_eq!(ghosts, 0, "point {point}");
    }
    println!("crashes of put_artist: {standing} with the new row, {not} with the old one");
    assert!(standing >= 5 && not >= 2);
}

/// A clock set back takes readers with it: what is written then is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_hides_nothing() {
    let h = Cql::start().await;
    let feed = CqlFeed::new(h.db(), FeedTimes::default());
    let mut at = BTreeMap::new();
    super::super::fixtures::write_record(&h, "artist-1", nameless_place("Ana"), &writer("j", 1)).await.row();
    assert_eq!(named(&feed, &mut at).await.len(), 2);
    h.clock.jump_to(h.now().minus(Duration::from_secs(600)));
    super::super::fixtures::write_record(&h, "artist-2", nameless_place("Bo"), &writer("j", 1)).await.row();
    assert!(named(&feed, &mut at).await.iter().any(|(id, _)| id == "artist-2"));
}
