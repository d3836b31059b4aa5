//! Two processes race for one artist and for one identity key: one winner each time, nothing lost.

use super::super::fixtures::{nameless_place, writer};
use super::Cql;
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::ArtistId;
use inkdex::domain::write::{Intent, WriteDecision, decide_write};
use inkdex::store::cql::{CqlDb, CqlStore};
use inkdex::store::{ArtistStore, IdentityStore, PutAnswer};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked for.
const ROUNDS: i64 = 1_000;

/// A machine on which they take longer prints how many it came to.
const ENOUGH: Duration = Duration::from_secs(25);

/// Two stores with a connection of their own, as two processes have.
async fn two(h: &Cql) -> [CqlStore; 2] {
    let other = CqlDb::open(h.keyspace.settings.clone(), h.clock.clone()).await.unwrap();
    [CqlStore::new(h.db()), CqlStore::new(other)]
}

async fn put(store: CqlStore, met: Option<ArtistRow>, id: ArtistId, who: &'static str, round: i64, h_now: i64) -> (ArtistRow, PutAnswer) {
    let intent = Intent::Record(Box::new(nameless_place(&format!("{who} {round}"))));
    let writer = writer(&format!("{who}-{round}"), round + 1);
    match decide_write(&id, met.as_ref(), &intent, &writer, inkdex::domain::clock::Timestamp(h_now)) {
        WriteDecision::Put(put) => (put.row.clone(), store.put_artist(&put).await.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Issue B: two writers race for one artist 1,000 times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_of_one_artist_one_wins_each_time() {
    let h = Cql::start().await;
    let stores = two(&h).await;
    let id = ArtistId::new("artist-1");
    let started = Instant::now();
    let (mut version, mut wins) = (0, [0, 0]);
    let mut met: Option<ArtistRow> = None;
    let mut rounds = 0;
    for round in (0..ROUNDS).take_while(|_| started.elapsed() < ENOUGH) {
        rounds += 1;
        let now = super::super::harness::START.0;
        let race = |n: usize, who| tokio::spawn(put(stores[n].clone(), met.clone(), id.clone(), who, round, now));
        let (one, other) = tokio::join!(race(0, "a"), race(1, "b"));
        let answers = [one.unwrap(), other.unwrap()];
        let won: Vec<usize> = (0..2).filter(|n| answers[*n].1 == PutAnswer::Committed).collect();
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        wins[won[0]] += 1;
        let stands = stores[round as usize % 2].artist(&id).await.unwrap().unwrap();
        assert_eq!(stands, answers[won[0]].0, "round {round}: the winner's row stands");
        assert_eq!(answers[1 - won[0]].1, PutAnswer::Conflict(Some(Box::new(stands.clone()))), "round {round}");
        assert!(stands.version > version, "round {round}: {} after {version}", stands.version);
        version = stands.version;
        met = Some(stands);
    }
    assert!(rounds >= 100, "{rounds} rounds are no race");
    println!("{rounds} races for one artist in {:?}: {} won by one, {} by the other", started.elapsed(), wins[0], wins[1]);
}

/// Issue B: two claim one identity key 1,000 times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_claims_of_one_key_one_wins_each_time() {
    let h = Cql::start().await;
    let stores = two(&h).await;
    let started = Instant::now();
    let mut wins = [0, 0];
    // Each round moves one key on from what the round before left.
    let key = IdentityKey::stored("instagram:ana");
    let mut met: Option<KeyState> = None;
    let mut rounds = 0;
    for round in (0..ROUNDS).take_while(|_| started.elapsed() < ENOUGH) {
        rounds += 1;
        let claim = |n: usize| {
            let (store, key, met) = (stores[n].clone(), key.clone(), met.clone());
            let state = KeyState::Held(ArtistId::new(format!("artist-{n}-{round}")));
            tokio::spawn(async move { (state.clone(), store.point_identity(&key, met.as_ref(), &state).await.unwrap()) })
        };
        let (one, other) = tokio::join!(claim(0), claim(1));
        let answers = [one.unwrap(), other.unwrap()];
        let won: Vec<usize> = (0..2).filter(|n| answers[*n].1.is_none()).collect();
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        wins[won[0]] += 1;
        let stands = Some(answers[won[0]].0.clone());
        assert_eq!(answers[1 - won[0]].1, Some(stands.clone()), "round {round}: the loser is told who holds it");
        assert_eq!(stores[0].identity(&key).await.unwrap(), stands, "round {round}");
        met = stands;
    }
    assert!(rounds >= 100, "{rounds} rounds are no race");
    println!("{rounds} races for one key in {:?}: {} won by one, {} by the other", started.elapsed(), wins[0], wins[1]);
}

/// Many writers of one artist that each read, decide and put until they have: every one of them is in the row's count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost_among_many_writers() {
    let h = Cql::start().await;
    let stores = two(&h).await;
    let store: [Arc<dyn inkdex::store::Store>; 2] = stores.map(|store| Arc::new(store) as _);
    let writers: Vec<_> = (0..8)
        .map(|w| {
            let store = store[w % 2].clone();
            tokio::spawn(async move {
                let mut versions = Vec::new();
                for n in 0..10 {
                    let intent = Intent::Record(Box::new(nameless_place(&format!("{w} {n}"))));
                    // Fences rise together: whoever is late takes one above the one met, as jobs do.
                    let mut fence = 1;
                    let row = loop {
                        let id = ArtistId::new("artist-1");
                        let writer = writer(&format!("j-{w}-{n}"), fence);
                        match super::super::fixtures::write(&store, &id, &intent, &writer, super::super::harness::START).await {
                            super::super::fixtures::Written::Put(row) => break row,
                            super::super::fixtures::Written::Fenced(met) => fence = met.plus(Duration::from_micros(1)).0,
                            other => panic!("{other:?}"),
                        }
                    };
                    versions.push(row.version);
                }
                versions
            })
        })
        .collect();
    let mut versions = Vec::new();
    for writer in writers {
        let own = writer.await.unwrap();
        assert!(own.is_sorted_by(|one, other| one < other));
        versions.extend(own);
    }
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 80, "80 writes made 80 versions");
    let first = versions[0];
    assert_eq!(versions, (first..first + 80).collect::<Vec<_>>(), "each decided on the one before");
}
