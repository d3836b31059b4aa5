//! The hours of requests: dropped whole once nothing in them is open, and never with somebody who was held up.

use super::super::harness::Harness;
use super::super::removal_requests::request;
use super::Cql;
use std::time::Duration;

/// Partitions stay small: an hour goes with its last open request, and its number with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_goes_with_its_last_open_request() {
    let h = Cql::start().await;
    let mut made = Vec::new();
    for n in 0..3 {
        let request = request(n, h.now());
        assert!(h.store().create_request(&request).await.unwrap());
        made.push(request);
        h.advance(Duration::from_secs(3_600)).await;
    }
    // An entry whose maker died before its row.
    let never = request(9, h.now());
    h.crash_at(0, async |store| drop(store.create_request(&never).await)).await;
    assert_eq!(h.keyspace.count("removal_request_hours").await, 4);
    for request in &made[1..] {
        let ended = request.refused(None, h.now()).unwrap();
        assert!(h.store().put_request(request.rev, &ended).await.unwrap());
    }
    h.advance(Duration::from_secs(2 * 3_600)).await;
    for _ in 0..2 {
        let open = h.store().open_requests(10).await.unwrap();
        assert_eq!(open, std::slice::from_ref(&made[0]));
    }
    assert_eq!(h.keyspace.count("removal_request_hours").await, 1);
    assert_eq!(h.keyspace.count("removal_request_list").await, 1);
    assert_eq!(h.keyspace.count("removal_requests").await, 3);
}

/// A maker who was held up until its hour was dropped says again that its request is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_held_up_is_listed_all_the_same() {
    let h = Cql::start().await;
    let made = request(1, h.now());
    let (held, hold) = h.db().held_at("make a request");
    let store = inkdex::store::cql::CqlStore::new(held);
    let late = made.clone();
    let making = tokio::spawn(async move { inkdex::store::RemovalRequestStore::create_request(&store, &late).await });
    hold.arrived().await;
    h.advance(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(h.store().open_requests(10).await.unwrap(), []);
    assert_eq!(h.keyspace.count("removal_request_hours").await, 0, "the hour was dropped meanwhile");
    hold.release();
    assert!(making.await.unwrap().unwrap());
    assert_eq!(h.store().open_requests(10).await.unwrap(), [made]);
}
