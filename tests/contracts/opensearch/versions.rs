//! Versions on the real server (002-X10): its own test vectors, what it forgets of deletes, and why tombstones are documents.

use super::{apply_one, crowd, document, ids, own, put, remove, total};
use crate::support::wait::{LONG, until};
use inkdex::domain::clock::Timestamp;
use inkdex::search::{IndexDocument, ItemAnswer, SearchIndex};
use serde_json::Value;

fn stale(held: i64) -> ItemAnswer {
    ItemAnswer::Stale { held }
}

/// The vectors of OpenSearch's SimpleVersioningIT by the port: what is gone is a tombstone here, with the same outcome.
#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_the_servers_own_vectors() {
    let (_own, index) = own().await;
    // Delete v17 of what is not there, then index v13 conflicts and v18 is taken.
    assert_eq!(apply_one(&index, remove("a", 17)).await, ItemAnswer::Applied);
    assert_eq!(apply_one(&index, put("a", 13, "Late")).await, stale(17));
    assert_eq!(apply_one(&index, put("a", 18, "New")).await, ItemAnswer::Applied);
    // 12, 12 and 14 are taken, 13 conflicts.
    for version in [12, 12, 14] {
        assert_eq!(apply_one(&index, put("b", version, "B")).await, ItemAnswer::Applied, "{version}");
    }
    assert_eq!(apply_one(&index, put("b", 13, "B")).await, stale(14));
    // Delete v2 conflicts, deletes 14 to 17 are taken, v2 conflicts still, index v18 is taken.
    assert_eq!(apply_one(&index, remove("b", 2)).await, stale(14));
    for version in 14..=17 {
        assert_eq!(apply_one(&index, remove("b", version)).await, ItemAnswer::Applied, "{version}");
    }
    assert_eq!(apply_one(&index, remove("b", 2)).await, stale(17));
    assert_eq!(apply_one(&index, put("b", 18, "B")).await, ItemAnswer::Applied);
    assert_eq!(total(&index).await, 2);
}

/// Real deletes are remembered for `index.gc_deletes` only, and not beyond a restart; a tombstone is neither forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_artist_does_not_come_back_where_a_deleted_document_would() {
    let (own, index) = own().await;
    index.apply(vec![put("a", 1, "Gone"), remove("a", 2)], None).await.expect("a batch");
    let by_hand = |version: i64, id: &str| {
        let path = format!("/{{all}}/_doc/{id}?version={version}&version_type=external_gte");
        let body = format!(r#"{{"artist_id":"{id}","version":{version},"deleted":true}}"#);
        own.ask("PUT", &path, &body).0
    };
    let delete = |version: i64| own.ask("DELETE", &format!("/{{all}}/_doc/z?version={version}&version_type=external_gte"), "").0;
    assert_eq!((by_hand(9, "z"), delete(10), by_hand(9, "z")), (201, 200, 409), "remembered for a minute");

    // What is meant by "a minute" is set to nothing, and the engine is opened anew, as at a restart of the node.
    let refused = own.ask("PUT", "/{all}/_settings", r#"{"index":{"gc_deletes":"42"}}"#);
    assert_eq!(refused.0, 400, "a time needs a unit: {}", refused.1);
    assert_eq!(own.ask("PUT", "/{all}/_settings", r#"{"index":{"gc_deletes":"0ms"}}"#).0, 200);
    let name = own.names().remove(0);
    for step in ["_flush?force=true", "_close", "_open?wait_for_active_shards=1"] {
        let (status, told) = own.ask("POST", &format!("/{name}/{step}"), "");
        assert_eq!(status, 200, "{step}: {told}");
    }
    assert_eq!(own.ask("GET", "/_cluster/health/{all}?wait_for_status=yellow&timeout=60s", "").0, 200);

    assert_eq!(by_hand(9, "z"), 201, "the deleted document is back: this is what tombstones are for");
    assert_eq!(apply_one(&index, put("a", 1, "Gone")).await, stale(2));
    assert_eq!(total(&index).await, 0);
}

/// 002-R27, rule 7: once the server has forgotten a delete (`index.gc_deletes`, here a second), a late older write of a deleted
/// document is taken; one of a removed artist is refused all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_artist_stays_removed_once_deletes_are_forgotten() {
    let (own, index) = own().await;
    let (status, told) = own.ask("PUT", "/{all}/_settings", r#"{"index":{"gc_deletes":"1s"}}"#);
    assert_eq!(status, 200, "{told}");
    index.apply(vec![put("a", 1, "Gone")], None).await.expect("a batch");
    index.apply(vec![remove("a", 2)], None).await.expect("a batch");
    let late = |version: i64| {
        let path = format!("/{{all}}/_doc/z?version={version}&version_type=external_gte");
        own.ask("PUT", &path, &format!(r#"{{"artist_id":"z","version":{version},"deleted":true}}"#)).0
    };
    assert_eq!(late(9), 201);
    let (status, told) = own.ask("DELETE", "/{all}/_doc/z?version=10&version_type=external_gte", "");
    assert_eq!((status, late(9)), (200, 409), "remembered at first: {told}");
    // Its return is the proof that the time is over.
    until("the server has forgotten the delete", LONG, async || (late(9) == 201).then_some(())).await;
    assert_eq!(apply_one(&index, put("a", 1, "Gone")).await, stale(2));
    let (status, told) =
        own.ask("PUT", "/{all}/_doc/a?version=1&version_type=external_gte", r#"{"artist_id":"a","version":1,"deleted":false}"#);
    assert_eq!(status, 409, "{told}");
    assert_eq!(total(&index).await, 0);
    assert!(!ids(&index).await.contains("a"));
}

/// Tombstones are dropped in steps and by their version, so that whoever returned meanwhile stays.
#[tokio::test(flavor = "multi_thread")]
async fn old_tombstones_are_dropped_in_any_number() {
    let (own, index) = own().await;
    let gone = (0..1_300).map(|n| remove(&format!("artist-{n:04}"), 100 + n)).collect();
    index.apply(gone, None).await.expect("a batch");
    assert_eq!(index.purge_tombstones(Timestamp(1_350)).await.expect("a purge"), 1_250);
    let left: Vec<i64> = index.scan(None, 10_000).await.expect("a scan").iter().map(|entry| entry.version).collect();
    assert_eq!(left, (1_350..1_400).collect::<Vec<_>>());
    // By hand what a purge that was overtaken does.
    index.apply(vec![put("artist-1299", 2_000, "Returned")], None).await.expect("a batch");
    let (status, told) = own.ask("DELETE", "/{all}/_doc/artist-1299?version=1399&version_type=external_gte", "");
    assert_eq!(status, 409, "{told}");
    assert_eq!(total(&index).await, 1);
}

/// 002-R31: of a hundred documents the one that OpenSearch itself does not take fails alone.
#[tokio::test(flavor = "multi_thread")]
async fn one_document_of_a_hundred_fails_alone() {
    let (_own, index) = own().await;
    let mut batch = crowd(100, 1);
    // Each token is short, and their whole is longer than Lucene takes for one term.
    let endless = IndexDocument { name_tokens: vec!["longname".to_owned(); 5_000], ..document("Endless") };
    batch[42].document = Some(endless);
    let answers = index.apply(batch, None).await.expect("a batch");
    let failed: Vec<&str> =
        answers.iter().filter(|(_, answer)| matches!(answer, ItemAnswer::Failed(_))).map(|(id, _)| id.as_str()).collect();
    assert_eq!(failed, ["artist-0042"]);
    assert!(matches!(&answers[42].1, ItemAnswer::Failed(why) if why.contains("whole_name")), "{:?}", answers[42]);
    assert_eq!(total(&index).await, 99);
    assert!(!ids(&index).await.contains("artist-0042"));
}

/// What a removed artist leaves on the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_holds_nothing_about_the_person() {
    let (own, index) = own().await;
    index.apply(vec![put("a", 1, "Somebody")], None).await.expect("a batch");
    index.apply(vec![remove("a", 2)], None).await.expect("a batch");
    let (_, told) = own.ask("GET", "/{all}/_doc/a", "");
    let kept: Vec<&String> = told["_source"].as_object().expect("a document").keys().collect();
    assert_eq!(kept, ["artist_id", "version", "deleted"]);
    let (_, searched) = own.ask("GET", "/{prefix}/_search", "");
    assert_eq!(searched["hits"]["hits"], Value::Array(Vec::new()), "the alias hides it from whoever searches");
}
