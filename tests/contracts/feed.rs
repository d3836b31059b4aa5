//! The contract of the feed's reading side: named at least once, positions that repeat and never skip, an end to its memory.

use super::fixtures::{nameless_place, write, write_record, writer};
use super::harness::{Harness, on_every_backend};
use inkdex::domain::artist::Life;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::write::Intent;
use inkdex::feed::{ChangeFeed, FeedError, Position, Shard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

on_every_backend!(
    every_change_is_named,
    an_older_position_repeats_and_never_skips,
    concurrent_writers_are_all_named,
    the_head_is_before_everything_later,
    a_waiting_reader_is_woken,
    a_waiting_reader_gives_up,
    a_position_outlives_a_restart,
    a_position_too_old_is_told_so,
    a_strange_position_is_refused,
    a_saved_position_is_set_by_compare_and_set,
);

/// Where a reader stands in each shard.
type Positions = BTreeMap<Shard, Position>;

/// Reads every shard from where the reader stands until nothing is left; answers whom it named and where it stands then.
async fn read_on(feed: &Arc<dyn ChangeFeed>, from: &Positions, max: usize) -> (Vec<String>, Positions) {
    let mut named = Vec::new();
    let mut positions = from.clone();
    for shard in feed.shards().await.unwrap() {
        loop {
            let batch = feed.poll(shard, positions.get(&shard), max, Duration::ZERO).await.unwrap();
            assert!(batch.dirty.len() <= max);
            let done = batch.dirty.is_empty();
            named.extend(batch.dirty.into_iter().map(|dirty| dirty.artist_id.to_string()));
            positions.insert(shard, batch.next);
            if done {
                break;
            }
        }
    }
    (named, positions)
}

/// Whom the feed names from the beginning, each once: repeats are allowed.
async fn named(h: &impl Harness) -> BTreeSet<String> {
    read_on(&h.feed(), &Positions::new(), 100).await.0.into_iter().collect()
}

async fn named_after(h: &impl Harness, from: &Positions) -> BTreeSet<String> {
    read_on(&h.feed(), from, 100).await.0.into_iter().collect()
}

async fn heads(h: &impl Harness) -> Positions {
    let feed = h.feed();
    let mut heads = Positions::new();
    for shard in feed.shards().await.unwrap() {
        heads.insert(shard, feed.head(shard).await.unwrap());
    }
    heads
}

fn only(id: &str) -> BTreeSet<String> {
    BTreeSet::from([id.to_owned()])
}

/// 002-R23, 002-R24: an artist whose row changed is named, whether it was inserted, modified or removed.
async fn every_change_is_named(h: &impl Harness) {
    let mut after = heads(h).await;
    assert_eq!(named(h).await, BTreeSet::new());
    for step in 0..4 {
        match step {
            0 => drop(write_record(h, "artist-1", nameless_place("Ana"), &writer("a", 1)).await.row()),
            1 => drop(write_record(h, "artist-1", nameless_place("Ana Lima"), &writer("b", 2)).await.row()),
            2 => {
                let gone = Intent::Remove(Life::Retired);
                write(&h.store(), &ArtistId::new("artist-1"), &gone, &writer("c", 3), h.now()).await.row();
            }
            _ => drop(write_record(h, "artist-1", nameless_place("Ana"), &writer("d", 4)).await.row()),
        }
        assert_eq!(named_after(h, &after).await, only("artist-1"), "step {step}");
        after = heads(h).await;
    }
}

async fn an_older_position_repeats_and_never_skips(h: &impl Harness) {
    for n in 0..25 {
        write_record(h, &format!("artist-{n:02}"), nameless_place("Ana"), &writer("a", 1)).await.row();
    }
    let feed = h.feed();
    let all: BTreeSet<String> = (0..25).map(|n| format!("artist-{n:02}")).collect();
    for max in [1, 7, 25, 1_000] {
        let (named, end) = read_on(&feed, &Positions::new(), max).await;
        assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), all, "by {max}");
        let nothing = read_on(&feed, &end, max).await;
        assert_eq!(nothing, (Vec::new(), end));
    }
    let mut first = Positions::new();
    let mut before = BTreeSet::new();
    for shard in feed.shards().await.unwrap() {
        let batch = feed.poll(shard, None, 10, Duration::ZERO).await.unwrap();
        before.extend(batch.dirty.into_iter().map(|dirty| dirty.artist_id.to_string()));
        first.insert(shard, batch.next);
    }
    for _ in 0..2 {
        let rest: BTreeSet<String> = read_on(&feed, &first, 4).await.0.into_iter().collect();
        assert_eq!(before.union(&rest).cloned().collect::<BTreeSet<_>>(), all);
        assert!(rest.len() < all.len(), "a position goes on and does not begin again");
    }
}

/// Rule 7: a reader that follows while many write misses none of them.
async fn concurrent_writers_are_all_named(h: &impl Harness) {
    let feed = h.feed();
    let writers: Vec<_> = (0..4)
        .map(|w| {
            let (store, now) = (h.store(), h.now());
            tokio::spawn(async move {
                for n in 0..50 {
                    let intent = Intent::Record(Box::new(nameless_place("Ana")));
                    write(&store, &ArtistId::new(format!("artist-{w}-{n}")), &intent, &writer("a", 1), now).await.row();
                }
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    let shards = feed.shards().await.unwrap();
    let mut positions: Vec<Option<Position>> = vec![None; shards.len()];
    let follow = async {
        while seen.len() < 200 {
            for (shard, position) in shards.iter().zip(&mut positions) {
                let batch = feed.poll(*shard, position.as_ref(), 16, Duration::from_millis(20)).await.unwrap();
                seen.extend(batch.dirty.into_iter().map(|dirty| dirty.artist_id));
                *position = Some(batch.next);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), follow).await.unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), 200);
}

async fn the_head_is_before_everything_later(h: &impl Harness) {
    write_record(h, "artist-1", nameless_place("Ana"), &writer("a", 1)).await.row();
    let head = heads(h).await;
    write_record(h, "artist-2", nameless_place("Bo"), &writer("a", 1)).await.row();
    assert!(named_after(h, &head).await.contains("artist-2"));
}

/// 002-R32: a reader does not sleep through a change, whichever shard it is in.
async fn a_waiting_reader_is_woken(h: &impl Harness) {
    let feed = h.feed();
    for n in 0..20 {
        let mut waiting = JoinSet::new();
        for (shard, head) in heads(h).await {
            let feed = feed.clone();
            waiting.spawn(async move { feed.poll(shard, Some(&head), 10, Duration::from_secs(30)).await.unwrap() });
        }
        tokio::task::yield_now().await;
        write_record(h, &format!("artist-{n}"), nameless_place("Ana"), &writer("a", 1)).await.row();
        let woken = tokio::time::timeout(Duration::from_secs(20), waiting.join_next()).await.unwrap().unwrap();
        assert!(!woken.unwrap().dirty.is_empty());
    }
}

async fn a_waiting_reader_gives_up(h: &impl Harness) {
    let feed = h.feed();
    let poll = feed.poll(Shard(0), None, 10, Duration::from_millis(50));
    let batch = tokio::time::timeout(Duration::from_secs(20), poll).await.unwrap().unwrap();
    assert_eq!(batch.dirty, []);
}

async fn a_position_outlives_a_restart(h: &impl Harness) {
    write_record(h, "artist-1", nameless_place("Ana"), &writer("a", 1)).await.row();
    let (_, end) = read_on(&h.feed(), &Positions::new(), 10).await;
    h.restart().await;
    write_record(h, "artist-2", nameless_place("Bo"), &writer("a", 1)).await.row();
    assert_eq!(named_after(h, &end).await, only("artist-2"));
}

/// Whether some shard answers that it no longer reaches back to a position.
async fn too_old(h: &impl Harness, positions: &Positions) -> bool {
    let feed = h.feed();
    let mut too_old = false;
    for (shard, position) in positions {
        match feed.poll(*shard, Some(position), 10, Duration::ZERO).await {
            Ok(_) => {}
            Err(FeedError::TooOld) => too_old = true,
            Err(other) => panic!("{other:?}"),
        }
    }
    too_old
}

/// Rule 7: what the feed no longer holds is never passed over in silence.
async fn a_position_too_old_is_told_so(h: &impl Harness) {
    let start = heads(h).await;
    for n in 0..5 {
        write_record(h, &format!("artist-{n}"), nameless_place("Ana"), &writer("a", 1)).await.row();
    }
    let (_, end) = read_on(&h.feed(), &Positions::new(), 10).await;
    assert!(!too_old(h, &start).await);
    h.advance(Duration::from_secs(4 * 86_400)).await;
    write_record(h, "artist-9", nameless_place("Bo"), &writer("a", 1)).await.row();
    h.prune_feed(h.now().minus(Duration::from_secs(3 * 86_400))).await;
    h.restart().await;
    assert!(too_old(h, &start).await);
    // A reader that had read all of what was dropped goes on; so does one that begins anew.
    assert_eq!(named_after(h, &end).await, only("artist-9"));
    assert_eq!(named(h).await, only("artist-9"));
    // Dropping everything does not start the positions again.
    h.advance(Duration::from_secs(4 * 86_400)).await;
    h.prune_feed(h.now()).await;
    assert!(too_old(h, &end).await);
    let head = heads(h).await;
    write_record(h, "artist-10", nameless_place("Cy"), &writer("a", 1)).await.row();
    assert_eq!(named_after(h, &head).await, only("artist-10"));
}

async fn a_strange_position_is_refused(h: &impl Harness) {
    write_record(h, "artist-1", nameless_place("Ana"), &writer("a", 1)).await.row();
    for strange in ["", "x", "-1", "01", "1.5", "99999999999999999999", "4711"] {
        let answer = h.feed().poll(Shard(0), Some(&Position(strange.to_owned())), 10, Duration::ZERO).await;
        assert!(matches!(answer, Err(FeedError::BadPosition(_))), "{strange}: {answer:?}");
    }
}

/// Rule 7: of two readers of one name only one goes on.
async fn a_saved_position_is_set_by_compare_and_set(h: &impl Harness) {
    let feed = h.feed();
    assert_eq!(feed.saved("index", Shard(0)).await.unwrap(), None);
    let position = feed.head(Shard(0)).await.unwrap();
    let mut epoch = 0;
    for round in 0..30 {
        let save = || {
            let (feed, position) = (feed.clone(), position.clone());
            tokio::spawn(async move { feed.save("index", Shard(0), epoch, &position).await.unwrap() })
        };
        let (one, other) = tokio::join!(save(), save());
        assert!(one.unwrap() ^ other.unwrap(), "round {round}");
        let (saved, next) = feed.saved("index", Shard(0)).await.unwrap().unwrap();
        assert_eq!((saved, next), (position.clone(), epoch + 1));
        epoch = next;
    }
    assert_eq!(feed.saved("another", Shard(0)).await.unwrap(), None);
}
