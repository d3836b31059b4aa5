//! The contract of requests to be removed or corrected.

use super::harness::{Harness, on_every_backend};
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::removal_request::{About, ApprovedBy, NewRequest, ReceiptToken, RemovalRequest, RequestId, RequestState};
use std::time::Duration;

on_every_backend!(
    a_request_is_made_once,
    a_request_is_changed_by_compare_and_set,
    open_requests_are_listed_the_oldest_first,
    a_cut_step_is_completed_by_repeating_it,
    what_was_personal_is_not_in_an_ended_row,
    an_ended_request_is_dropped_and_an_open_one_is_not,
);

pub fn request(n: u128, now: Timestamp) -> RemovalRequest {
    let about = About::handle(&format!("ana.{n}")).unwrap();
    let new = NewRequest { about, contact: format!("ana{n}@post.example"), correction: None };
    RemovalRequest::received(&ReceiptToken::of_random(n), new, now)
}

async fn open(h: &impl Harness) -> Vec<RequestId> {
    h.store().open_requests(1_000).await.unwrap().into_iter().map(|request| request.id).collect()
}

async fn a_request_is_made_once(h: &impl Harness) {
    for n in 0..20 {
        let create = || {
            let (store, request) = (h.store(), request(n, h.now()));
            tokio::spawn(async move { store.create_request(&request).await.unwrap() })
        };
        let (one, other) = tokio::join!(create(), create());
        assert!(one.unwrap() ^ other.unwrap(), "request {n}");
    }
    assert_eq!(h.store().request(&RequestId::new("request-nobody")).await.unwrap(), None);
    h.restart().await;
    let met = request(7, h.now());
    assert_eq!(h.store().request(&met.id).await.unwrap(), Some(met));
    assert_eq!(open(h).await.len(), 20);
}

async fn a_request_is_changed_by_compare_and_set(h: &impl Harness) {
    let mut at = request(1, h.now());
    assert!(!h.store().put_request(0, &at).await.unwrap(), "a request that was never made cannot be changed");
    assert!(h.store().create_request(&at).await.unwrap());
    for round in 0..20 {
        let put = |answer: &'static str| {
            let (store, rev) = (h.store(), at.rev);
            let next = RemovalRequest { rev: rev + 1, answer: Some(answer.to_owned()), ..at.clone() };
            tokio::spawn(async move { store.put_request(rev, &next).await.unwrap() })
        };
        let (one, other) = tokio::join!(put("a"), put("b"));
        assert!(one.unwrap() ^ other.unwrap(), "round {round}");
        at = h.store().request(&at.id).await.unwrap().unwrap();
    }
    assert_eq!(at.rev, 21);
}

async fn open_requests_are_listed_the_oldest_first(h: &impl Harness) {
    let mut made = Vec::new();
    for n in 0..6 {
        let request = request(n, h.now());
        assert!(h.store().create_request(&request).await.unwrap());
        made.push(request);
        h.advance(Duration::from_secs(1_800)).await;
    }
    let ids = |requests: &[RemovalRequest]| requests.iter().map(|request| request.id.clone()).collect::<Vec<_>>();
    assert_eq!(open(h).await, ids(&made));
    assert_eq!(h.store().open_requests(2).await.unwrap().len(), 2);
    // Each of them moves, three to their end.
    let refused = |request: &RemovalRequest| request.refused(None, h.now()).unwrap();
    for request in &made[..3] {
        assert!(h.store().put_request(request.rev, &refused(request)).await.unwrap());
    }
    let approved = made[4].approved(ArtistId::new("artist-1"), ApprovedBy::Operator, h.now()).unwrap();
    assert!(h.store().put_request(made[4].rev, &approved).await.unwrap());
    let first = [made[4].clone(), made[3].clone(), made[5].clone()];
    assert_eq!(open(h).await, ids(&first), "what is approved comes before what only waits");
    assert_eq!(h.store().open_requests(1).await.unwrap().iter().map(|request| &request.id).collect::<Vec<_>>(), [&made[4].id]);
    // Hours later the lists of hours in which nothing is open are of no more use; what is open stays listed.
    h.advance(Duration::from_secs(30 * 86_400)).await;
    for _ in 0..2 {
        assert_eq!(open(h).await, ids(&first));
    }
    h.restart().await;
    assert_eq!(h.store().request(&made[0].id).await.unwrap().unwrap().state, RequestState::Refused, "its receipt still tells its end");
}

/// Rule 6: whatever dies between two steps, repeating completes it, and no list names what is not so.
async fn a_cut_step_is_completed_by_repeating_it(h: &impl Harness) {
    for point in 0..h.crash_points() {
        let made = request(100 + point as u128, h.now());
        h.crash_at(point, async |store| drop(store.create_request(&made).await)).await;
        let stands = h.store().request(&made.id).await.unwrap().is_some();
        assert_eq!(open(h).await.contains(&made.id), stands, "point {point}");
        assert_eq!(h.store().create_request(&made).await.unwrap(), !stands, "point {point}");
        assert!(open(h).await.contains(&made.id), "point {point}");
        let ended = made.refused(None, h.now()).unwrap();
        h.crash_at(point, async |store| drop(store.put_request(made.rev, &ended).await)).await;
        let stands = h.store().request(&made.id).await.unwrap() == Some(ended.clone());
        assert_eq!(open(h).await.contains(&made.id), !stands, "point {point}");
        assert_eq!(h.store().put_request(made.rev, &ended).await.unwrap(), !stands, "point {point}");
        assert!(!open(h).await.contains(&made.id), "point {point}");
    }
}

/// 006-6: what whoever asked told of themselves goes with the end of the request.
async fn what_was_personal_is_not_in_an_ended_row(h: &impl Harness) {
    let made = request(1, h.now());
    assert!(h.store().create_request(&made).await.unwrap());
    assert!(h.store().put_request(made.rev, &made.refused(None, h.now()).unwrap()).await.unwrap());
    h.restart().await;
    let met = h.store().request(&made.id).await.unwrap().unwrap();
    let stored = serde_json::to_string(&met).unwrap();
    assert!(met.about.is_none() && met.contact.is_none() && !stored.contains("ana"), "{stored}");
}

/// A request is kept for a while after its end, with what was answered, and no longer; whatever dies in between, repeating it drops it.
async fn an_ended_request_is_dropped_and_an_open_one_is_not(h: &impl Harness) {
    let (waits, ended) = (request(1, h.now()), request(2, h.now()));
    for made in [&waits, &ended] {
        assert!(h.store().create_request(made).await.unwrap());
    }
    let refused = ended.refused(Some("you are Ana, I know you".to_owned()), h.now()).unwrap();
    assert!(h.store().put_request(ended.rev, &refused).await.unwrap());
    for _ in 0..2 {
        for id in [&waits.id, &ended.id, &RequestId::new("request-nobody")] {
            h.store().drop_request(id).await.unwrap();
        }
        assert_eq!(h.store().request(&ended.id).await.unwrap(), None);
        assert_eq!(h.store().request(&waits.id).await.unwrap().as_ref(), Some(&waits));
        assert_eq!(open(h).await, std::slice::from_ref(&waits.id));
        h.restart().await;
    }
    for point in 0..h.crash_points() {
        let made = request(100 + point as u128, h.now());
        assert!(h.store().create_request(&made).await.unwrap());
        assert!(h.store().put_request(made.rev, &made.refused(None, h.now()).unwrap()).await.unwrap());
        h.crash_at(point, async |store| drop(store.drop_request(&made.id).await)).await;
        h.store().drop_request(&made.id).await.unwrap();
        assert_eq!(h.store().request(&made.id).await.unwrap(), None, "point {point}");
    }
    assert_eq!(open(h).await, [waits.id]);
}
