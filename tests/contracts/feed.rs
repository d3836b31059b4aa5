//! The contract of the feed's reading side: named at least once, positions that repeat and never skip, an end to its memory.

use super::fixtures::{nameless_place, write, write_record, writer};
use super::harness::{Harness, on_every_backend};
use inkdex::domain::artist::Life;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::write::Intent;
use inkdex::feed::{ChangeFeed, FeedError, Position, Shard};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

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

/// Reads every shard from `after` until nothing is left; answers whom it named.
async fn read_on(feed: &Arc<dyn ChangeFeed>, shard: Shard, after: Option<Position>, max: usize) -> (Vec<String>, Position) {
    let mut named = Vec::new();
    let mut after = after;
    loop {
        let batch = feed.poll(shard, after.as_ref(), max, Duration::ZERO).await.unwrap();
        assert!(batch.dirty.len() <= max);
        if batch.dirty.is_empty() {
            return (named, batch.next);
        }
        named.extend(batch.dirty.into_iter().map(|dirty| dirty.artist_id.to_string()));
        after = Some(batch.next);
    }
}

async fn named(h: &impl Harness) -> Vec<String> {
    let feed = h.feed();
    let mut all = Vec::new();
    for shard in feed.shards().await.unwrap() {
        all.extend(read_on(&feed, shard, None, 100).await.0);
    }
    all
}

/// 002-R23, 002-R24: an artist whose row changed is named, whether it was inserted, modified or removed.
async fn every_change_is_named(h: &impl Harness) {
    assert_eq!(named(h).await, [""; 0]);
    write_record(h, "artist-1", nameless_place("Ana"), &writer("a", 1)).await.row();
    assert_eq!(named(h).await, ["artist-1"]);
    write_record(h, "artist-1", nameless_place("Ana Lima"), &writer("b", 2)).await.row();
    write(&h.store(), &ArtistId::new("artist-1"), &Intent::Remove(Life::Retired), &writer("c", 3), h.now()).await.row();
    write_record(h, "artist-2", nameless_place("Bo"), &writer("a", 1)).await.row();
    let all = named(h).await;
    assert!(all.iter().filter(|id| *id == "artist-1").count() >= 3 && all.contains(&"artist-2".to_owned()), "{all:?}");
}

async fn an_older_position_repeats_and_never_skips(h: &impl Harness) {
    for n in 0..25 {
        write_record(h, &format!("artist-{n:02}"), nameless_place("Ana"), &writer("a", 1)).await.row();
    }
    let feed = h.feed();
    for shard in feed.shards().await.unwrap() {
        let (all, end) = read_on(&feed, shard, None, 1_000).await;
        for max in [1, 7, 25, 100] {
            assert_eq!(read_on(&feed, shard, None, max).await, (all.clone(), end.clone()), "by {max}");
        }
        let first = feed.poll(shard, None, 10, Duration::ZERO).await.unwrap();
        for _ in 0..2 {
            let rest = read_on(&feed, shard, Some(first.next.clone()), 4).await.0;
            let both: BTreeSet<String> = first.dirty.iter().map(|dirty| dirty.artist_id.to_string()).chain(rest).collect();
            assert_eq!(both, all.iter().cloned().collect());
        }
        let nothing = feed.poll(shard, Some(&end), 10, Duration::ZERO).await.unwrap();
        assert_eq!((nothing.dirty.len(), nothing.next), (0, end));
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
    let feed = h.feed();
    let mut heads = Vec::new();
    for shard in feed.shards().await.unwrap() {
        heads.push((shard, feed.head(shard).await.unwrap()));
    }
    write_record(h, "artist-2", nameless_place("Bo"), &writer("a", 1)).await.row();
    let mut later = Vec::new();
    for (shard, head) in heads {
        later.extend(read_on(&feed, shard, Some(head), 10).await.0);
    }
    assert!(later.contains(&"artist-2".to_owned()), "{later:?}");
}

/// 002-R32: a reader does not sleep through a change.
async fn a_waiting_reader_is_woken(h: &impl Harness) {
    let feed = h.feed();
    for n in 0..20 {
        let shard = feed.shards().await.unwrap()[0];
        let head = feed.head(shard).await.unwrap();
        let waiting = {
            let feed = feed.clone();
            tokio::spawn(async move { feed.poll(shard, Some(&head), 10, Duration::from_secs(30)).await.unwrap() })
        };
        tokio::task::yield_now().await;
        write_record(h, &format!("artist-{n}"), nameless_place("Ana"), &writer("a", 1)).await.row();
        let batch = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        assert_eq!(batch.dirty.len(), 1);
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
    let (_, end) = read_on(&h.feed(), Shard(0), None, 10).await;
    h.restart().await;
    write_record(h, "artist-2", nameless_place("Bo"), &writer("a", 1)).await.row();
    assert_eq!(read_on(&h.feed(), Shard(0), Some(end), 10).await.0, ["artist-2"]);
}

/// Rule 7: what the feed no longer holds is never passed over in silence.
async fn a_position_too_old_is_told_so(h: &impl Harness) {
    let start = h.feed().head(Shard(0)).await.unwrap();
    for n in 0..5 {
        write_record(h, &format!("artist-{n}"), nameless_place("Ana"), &writer("a", 1)).await.row();
    }
    let (_, end) = read_on(&h.feed(), Shard(0), None, 10).await;
    h.advance(Duration::from_secs(4 * 86_400)).await;
    write_record(h, "artist-9", nameless_place("Bo"), &writer("a", 1)).await.row();
    h.prune_feed(h.now().minus(Duration::from_secs(3 * 86_400))).await;
    h.restart().await;
    let old = h.feed().poll(Shard(0), Some(&start), 10, Duration::ZERO).await;
    assert!(matches!(old, Err(FeedError::TooOld)), "{old:?}");
    // A reader that had read all of what was dropped goes on; so does one that begins anew.
    assert_eq!(read_on(&h.feed(), Shard(0), Some(end.clone()), 10).await.0, ["artist-9"]);
    assert_eq!(named(h).await, ["artist-9"]);
    // Dropping everything does not start the positions again.
    h.advance(Duration::from_secs(4 * 86_400)).await;
    h.prune_feed(h.now()).await;
    let old = h.feed().poll(Shard(0), Some(&end), 10, Duration::ZERO).await;
    assert!(matches!(old, Err(FeedError::TooOld)), "{old:?}");
    let head = h.feed().head(Shard(0)).await.unwrap();
    write_record(h, "artist-10", nameless_place("Cy"), &writer("a", 1)).await.row();
    assert_eq!(read_on(&h.feed(), Shard(0), Some(head), 10).await.0, ["artist-10"]);
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
