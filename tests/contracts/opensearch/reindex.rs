//! The index built anew beside the old one while others write and search, and indexes that were lost or never filled.

use crate::support::opensearch::OwnIndexes;
use crate::support::people::{somebody, write};
use crate::support::ports::{EmptyDesk, ports, sync_index, sync_step};
use crate::support::wait::{LONG, until};
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::Ports;
use inkdex::jobs::reconcile::{compare, compare_steadily, rebuild, repair};
use inkdex::jobs::reindex::{ReindexError, ReindexSettings, reindex};
use inkdex::jobs::sync_index::{SyncSettings, is_in_step, standing};
use inkdex::search::{IndexOperation, SearchQuery};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const SETTINGS: ReindexSettings = ReindexSettings { lease: Duration::from_secs(60), grace: Duration::from_millis(50) };

/// A store of its own, with its index on OpenSearch.
async fn world() -> (TempDir, OwnIndexes, Ports) {
    let folder = tempfile::tempdir().expect("a folder");
    let own = OwnIndexes::new();
    let index = Arc::new(own.open().await.expect("the index can be used"));
    let ports = Ports { index, ..ports(folder.path()) };
    (folder, own, ports)
}

async fn put(ports: &Ports, number: usize, bio: &str) {
    write(ports, &format!("reindex {number}"), somebody(ports, number, &format!("Person {number}"), bio)).await;
}

async fn total(ports: &Ports) -> u64 {
    ports.index.search(&SearchQuery { limit: 1, ..SearchQuery::default() }).await.expect("a search").total
}

/// Follows the feed until told to stop, and then to its end.
fn follower(ports: &Ports, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    let (ports, stop) = (ports.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        let shard = ports.feed.shards().await.expect("shards")[0];
        loop {
            let stopped = stop.load(Ordering::SeqCst);
            let worked = sync_step(&ports, shard).await;
            if stopped && !worked {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// Nothing is lost and nothing old comes back while the index is replaced three times under writes and searches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_replaced_while_writes_and_searches_go_on() {
    let (_folder, own, ports) = world().await;
    for number in 0..300 {
        put(&ports, number, "first").await;
    }
    rebuild(&ports).await.expect("a first filling");
    assert_eq!(total(&ports).await, 300);
    let stop = Arc::new(AtomicBool::new(false));
    let following = follower(&ports, &stop);
    let (writer, writes_stop) = (ports.clone(), Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        let mut number = 0;
        while !writes_stop.load(Ordering::SeqCst) {
            // New people, and changes of everybody by turns.
            put(&writer, 300 + number, "new").await;
            put(&writer, number % 300, &format!("changed {number}")).await;
            number += 1;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        number
    });
    let (reader, reads_stop) = (ports.clone(), Arc::clone(&stop));
    let reading = tokio::spawn(async move {
        let mut searches = 0;
        while !reads_stop.load(Ordering::SeqCst) {
            let total = total(&reader).await;
            assert!(total >= 300, "{total} of 300 artists are found");
            searches += 1;
        }
        searches
    });
    for _ in 0..3 {
        let done = reindex(&ports, &SETTINGS).await.expect("a rebuild");
        assert!(done.beside && done.rows >= 300 && done.parked.is_empty(), "{done:?}");
        assert_eq!(own.names().len(), 1, "the old one is gone: {:?}", own.names());
    }
    stop.store(true, Ordering::SeqCst);
    let written = writing.await.expect("no panic");
    assert!(reading.await.expect("searches went on") > 10);
    following.await.expect("no panic");
    assert!(written > 10, "there were writes meanwhile: {written}");
    let drift = compare(&ports).await.expect("a comparison");
    assert!(drift.is_none(), "{drift:?}");
    assert_eq!(total(&ports).await, 300 + written as u64);
    let (_, settings) = own.ask("GET", "/{all}/_settings", "");
    let index = &settings.as_object().expect("settings")[&own.names()[0]]["settings"]["index"];
    assert_eq!((&index["refresh_interval"], &index["auto_expand_replicas"]), (&json!("200ms"), &json!("0-1")));
    // The next start finds nothing wrong.
    own.open().await.expect("the index can be used");
}

/// The mapping of another build stops a start; a rebuild replaces it, through a connection that does not look.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_mends_what_stops_the_start() {
    let (_folder, own, ports) = world().await;
    for number in 0..20 {
        put(&ports, number, "first").await;
    }
    sync_index(&ports).await;
    assert_eq!(own.ask("PUT", "/{all}/_mapping", r#"{"properties":{"shoe_size":{"type":"long"}}}"#).0, 200);
    assert!(own.open().await.is_err());
    let index = Arc::new(crate::support::opensearch::connect(own.settings.clone()));
    reindex(&Ports { index, ..ports.clone() }, &SETTINGS).await.expect("a rebuild");
    own.open().await.expect("the index can be used again");
    assert_eq!(total(&ports).await, 20);
    assert!(is_in_step(&ports).await);
}

/// One rebuild at a time, and what an interrupted one left is dropped by the next.
#[tokio::test(flavor = "multi_thread")]
async fn one_rebuild_at_a_time() {
    let (_folder, own, ports) = world().await;
    put(&ports, 1, "first").await;
    let interrupted = ports.index.begin_replacement().await.expect("an answer").expect("OpenSearch has room for two");
    assert_eq!(own.names().len(), 2);
    drop(interrupted);
    let now = ports.clock.now();
    assert!(ports.store.take_lease("reindex", "another process", now.plus(Duration::from_secs(60)), now).await.expect("the store"));
    let busy = reindex(&ports, &SETTINGS).await;
    assert!(matches!(busy, Err(ReindexError::Busy)), "{busy:?}");
    ports.store.give_back_lease("reindex", "another process").await.expect("the store");
    reindex(&ports, &SETTINGS).await.expect("a rebuild");
    assert_eq!(own.names().len(), 1);
    assert_eq!(total(&ports).await, 1);
}

/// A lost index is made anew by the next start, and is seen to be one that was never filled.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_is_filled_again() {
    let (_folder, own, ports) = world().await;
    for number in 0..30 {
        put(&ports, number, "first").await;
    }
    rebuild(&ports).await.expect("a filling");
    assert!(is_in_step(&ports).await);
    assert_eq!(own.ask("DELETE", &format!("/{}", own.names()[0]), "").0, 200);
    let ports = Ports { index: Arc::new(own.open().await.expect("the index can be used")), ..ports };
    assert!(!is_in_step(&ports).await);
    let shard = ports.feed.shards().await.expect("shards")[0];
    assert_eq!(standing(&ports, shard).await.expect("a position").position, None);
    rebuild(&ports).await.expect("a filling");
    assert!(is_in_step(&ports).await);
    assert_eq!(total(&ports).await, 30);
}

/// Table, keys and index are compared both ways, and what differs is mended.
#[tokio::test(flavor = "multi_thread")]
async fn drift_is_found_and_mended_both_ways() {
    let (folder, own, ports) = world().await;
    for number in 0..10 {
        put(&ports, number, "first").await;
    }
    sync_index(&ports).await;
    let rows = ports.store.scan_artists(None, 100).await.expect("rows");
    let delete = |id: &str| own.ask("DELETE", &format!("/{{all}}/_doc/{id}?refresh=true"), "").0;
    assert_eq!(delete(rows[0].id.as_str()), 200);
    // Older than its row, as after a restore of the index; and one of whom the table knows nothing.
    assert_eq!(delete(rows[1].id.as_str()), 200);
    let older = IndexOperation { version: rows[1].version - 1, ..IndexOperation::of(&rows[1]) };
    let ghost = IndexOperation { artist_id: ArtistId::new("artist-ghost"), ..IndexOperation::of(&rows[2]) };
    own.ask("PUT", "/{all}/_settings", r#"{"index":{"gc_deletes":"0ms"}}"#);
    ports.index.apply(vec![ghost], None).await.expect("a batch");
    let body = json!({ "artist_id": older.artist_id, "version": older.version, "deleted": true }).to_string();
    let path = format!("/{{all}}/_doc/{}?version={}&version_type=external_gte&refresh=true", older.artist_id, older.version);
    // The server forgets the version of the delete when it next has time to.
    until("the delete is forgotten", LONG, async || {
        let status = own.ask("PUT", &path, &body).0;
        assert!(matches!(status, 201 | 409), "{status}");
        (status == 201).then_some(())
    })
    .await;
    let planted = rusqlite::Connection::open(folder.path().join("inkdex.db")).expect("the database");
    planted.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    let [lacking, surplus] = [&rows[3].id, &rows[4].id].map(ToString::to_string);
    assert!(planted.execute("DELETE FROM style_keys WHERE artist_id = ?1", [&lacking]).expect("a delete") > 0);
    for id in [surplus.as_str(), "artist-ghost"] {
        planted.execute("INSERT INTO instagram_keys VALUES ('INSTAGRAM#ghost', ?1, 1)", [id]).expect("an insert");
    }
    let settings = SyncSettings { item_attempts: 3, parked_per_hour: 100 };
    let drift = compare_steadily(&ports).await.expect("a comparison");
    assert_eq!((drift.missing.len(), drift.differing.len(), drift.unknown.len()), (1, 1, 1), "{drift:?}");
    let ids = |ids: &[ArtistId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((ids(&drift.keys_missing), ids(&drift.keys_surplus)), (vec![lacking], vec![surplus, "artist-ghost".to_owned()]));
    assert_eq!(repair(&ports, &EmptyDesk, &settings).await.expect("a repair"), drift);
    assert!(compare(&ports).await.expect("a comparison").is_none());
    assert_eq!(total(&ports).await, 10);
}
