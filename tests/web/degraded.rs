//! The search index is out: styles and places are answered by the key tables, other searches tell when to ask again (002-X9).

use crate::support::http::TestWeb;
use crate::support::opensearch::connect;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::jobs::Ports;
use inkdex::search::SearchIndex;
use inkdex::search::opensearch::OpenSearchSettings;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// An index on a server that is not there.
fn out() -> Arc<dyn SearchIndex> {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    index_at(&format!("http://{closed}"))
}

fn index_at(url: &str) -> Arc<dyn SearchIndex> {
    Arc::new(connect(OpenSearchSettings::new(Url::parse(url).expect("a URL"), "artists")))
}

/// A directory whose rows and keys are there, and whose index is `index` once `seed` wrote them.
fn web_with(index: Arc<dyn SearchIndex>) -> (TestWeb, TestWeb) {
    let whole = TestWeb::seeded();
    let ports = whole.ports.clone();
    let degraded = TestWeb::start_over(true, |_| Ports { index, ..ports });
    (whole, degraded)
}

fn names(answer: &Value) -> BTreeSet<String> {
    answer["artists"].as_array().expect("a list").iter().map(|artist| artist["name"].as_str().expect("a name").to_owned()).collect()
}

/// 002-X9: the same artists in the same order with the same pages, marked as degraded.
#[test]
fn styles_and_places_are_answered_without_the_index() {
    let (whole, degraded) = web_with(out());
    for query in [
        "style=traditional",
        "style=chicano&style=trash-polka",
        "style=watercolour&location=Brazil",
        "style=fine-line&location=Lisbon",
        "style=traditional&location=London,+UK",
        "location=Germany",
        "location=Berlin,+Germany",
        "location=Krak%C3%B3w",
        "style=traditional&limit=2",
        "style=handpoke&location=Japan",
    ] {
        let expected = whole.get(&format!("/v1/artists?{query}")).json();
        let found = degraded.get(&format!("/v1/artists?{query}"));
        assert_eq!(found.status, 200, "{query}: {}", found.body);
        let found = found.json();
        assert_eq!((&expected["degraded"], &found["degraded"]), (&Value::Bool(false), &Value::Bool(true)), "{query}");
        assert_eq!(found["artists"], expected["artists"], "{query}");
        assert_eq!(found["total"], expected["total"], "{query}");
        assert_eq!(found["next_page_token"], expected["next_page_token"], "{query}");
    }
    // A page that was begun with the index goes on without it.
    let first = whole.get("/v1/artists?style=traditional&limit=2").json();
    let token = first["next_page_token"].as_str().expect("there are more than two");
    let query = format!("/v1/artists?style=traditional&limit=2&page_token={token}");
    assert_eq!(degraded.get(&query).json()["artists"], whole.get(&query).json()["artists"]);
}

/// 002-X9: what the key tables cannot say is told to be asked again, not answered wrongly and not looked for in every row.
#[test]
fn other_searches_are_told_when_to_ask_again() {
    let (_whole, degraded) = web_with(out());
    for query in ["", "query=ana", "query=ana&style=floral", "near=38.7223,-9.1393", "instagram=yuki.nagi"] {
        let answer = degraded.get(&format!("/v1/artists?{query}"));
        assert_eq!(answer.status, 503, "{query}: {}", answer.body);
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{query}");
        assert_eq!(answer.json()["code"], "unavailable", "{query}");
    }
    assert_eq!(degraded.get("/v1/styles").status, 503);
    assert_eq!(degraded.get("/v1/artists?style=nonsense").status, 400, "what is wrong is told as ever");
}

/// The page says so in words, and shows no filters whose counts nobody knows.
#[test]
fn the_page_says_that_it_is_degraded() {
    let (whole, degraded) = web_with(out());
    let page = degraded.page("/?style=traditional");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Part of the search is out right now") && page.body.contains("Marta Kowalczyk"), "{}", page.body);
    assert!(!page.body.contains("aria-label=\"Filters\""));
    assert!(!whole.page("/?style=traditional").body.contains("Part of the search is out"));
    let nobody = degraded.page("/?style=handpoke&location=Japan");
    assert_eq!(nobody.status, 200, "{}", nobody.body);
    assert_eq!(degraded.page("/").status, 503);
    assert_eq!(degraded.page("/?query=ana").status, 503);
}

/// Rule 15: who is denied is not shown by a read of keys either.
#[test]
fn a_denied_artist_is_not_shown() {
    let (whole, degraded) = web_with(out());
    let before = names(&degraded.get("/v1/artists?style=japanese").json());
    assert!(before.contains("Yuki Tanabe"), "{before:?}");
    whole.run(async {
        let ports = &whole.ports;
        let hash = ports.deny.of_key(&inkdex::domain::identity::IdentityKey::instagram("yuki.nagi").expect("a handle"));
        ports.store.deny(&[hash], ports.clock.now()).await.expect("the store");
    });
    let after = names(&degraded.get("/v1/artists?style=japanese").json());
    assert!(!after.contains("Yuki Tanabe"), "{after:?}");
}

/// An index that takes connections and says nothing costs three seconds a few times, then nobody waits for it.
#[test]
fn a_silent_index_is_not_waited_for_again_and_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (_whole, degraded) = web_with(index_at(&format!("http://{}", listener.local_addr().expect("an address"))));
    let clock = SystemClock::new();
    let timed = || {
        let began = clock.monotonic();
        let answer = degraded.get("/v1/artists?style=japanese");
        assert_eq!((answer.status, &answer.json()["degraded"]), (200, &Value::Bool(true)));
        clock.monotonic() - began
    };
    for _ in 0..4 {
        assert!(timed() < Duration::from_secs(10));
    }
    for _ in 0..5 {
        let took = timed();
        assert!(took < Duration::from_secs(1), "the breaker is open: {took:?}");
    }
}
