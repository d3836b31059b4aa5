//! One call that goes wrong: what it means, and that the rest goes on.

use super::{Bench, asking, begun, crowded, london, settings};
use crate::support::studio_apis::{Canned, Fate, KEY};
use inkdex::discover::cells::{CallError, CellSearch};
use inkdex::discover::{SourceError, StudioSource};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// What an error of a call is, and its delay.
fn class(error: &CallError) -> (&'static str, Option<u64>) {
    match error {
        CallError::Unavailable { retry_after, .. } => ("unavailable", retry_after.map(|delay| delay.as_secs())),
        CallError::Refused { .. } => ("refused", None),
        CallError::Useless { .. } => ("useless", None),
    }
}

fn rate_limited() -> Canned {
    Canned::google("429 Too Many Requests", "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'SearchTextRequest'.")
}

fn retry_info() -> Canned {
    let details = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s" }]);
    let error = json!({ "code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": details });
    Canned::json("429 Too Many Requests", &json!({ "error": error }))
}

/// 002-R4, 002-R6: each answer of the Places API has its meaning.
#[tokio::test]
async fn each_answer_of_google_places_has_its_meaning() {
    let ok =
        |body: &str| Canned { status: "200 OK", headers: "Content-Type: application/json\r\n".to_owned(), body: body.as_bytes().to_vec() };
    let cases = [
        (rate_limited(), ("unavailable", None)),
        (rate_limited().with("Retry-After: 17"), ("unavailable", Some(17))),
        (retry_info(), ("unavailable", Some(31))),
        (Canned::google("500 Internal Server Error", "INTERNAL", "Internal error encountered."), ("unavailable", None)),
        (
            Canned::google("503 Service Unavailable", "UNAVAILABLE", "The service is currently unavailable.").with("Retry-After: 5"),
            ("unavailable", Some(5)),
        ),
        (Canned::html("502 Bad Gateway", "<html>bad gateway"), ("unavailable", None)),
        (
            Canned::google(
                "403 Forbidden",
                "PERMISSION_DENIED",
                "Places API (New) has not been used in project 1 before or it is disabled.",
            ),
            ("refused", None),
        ),
        (Canned::google("401 Unauthorized", "UNAUTHENTICATED", "Request had invalid authentication credentials."), ("refused", None)),
        (Canned::html("404 Not Found", "<p>not found"), ("refused", None)),
        (Canned::google("400 Bad Request", "INVALID_ARGUMENT", "Request contains an invalid argument."), ("useless", None)),
        (Canned::html("302 Found", "").with("Location: http://127.0.0.1:9/"), ("useless", None)),
        (Canned::html("200 OK", "<html>log in to the hotel's network"), ("useless", None)),
        (ok("[]"), ("useless", None)),
        (ok("null"), ("useless", None)),
        (ok("\"places\""), ("useless", None)),
        (ok("{\"places\": 7}"), ("useless", None)),
        (ok("{\"plaices\": []}"), ("useless", None)),
        (ok("{\"places\": [{\"id\": \"x\"}"), ("useless", None)),
        (ok(&"[".repeat(100_000)), ("useless", None)),
        (ok(&"x".repeat(200_001)), ("useless", None)),
    ];
    let bench = Bench::over(Vec::new());
    let search = bench.search_with(KEY);
    for (canned, expected) in cases {
        let shown = format!("{} {}", canned.status, String::from_utf8_lossy(&canned.body[..canned.body.len().min(80)]));
        bench.apis.plan(move |_, _| Fate::Canned(canned.clone()));
        let error = search.page(&london().rectangle, None).await.unwrap_err();
        assert_eq!(class(&error), expected, "{shown}: {error}");
        assert!(error.to_string().chars().count() < 600, "{error}");
    }
    bench.apis.plan(|_, _| Fate::Cut);
    assert_eq!(class(&search.page(&london().rectangle, None).await.unwrap_err()).0, "unavailable");
    bench.apis.answer_all();
    assert_eq!(search.page(&london().rectangle, None).await.unwrap(), inkdex::discover::cells::Page::default());
    let wrong = bench.search_with("another key").page(&london().rectangle, None).await.unwrap_err();
    assert!(class(&wrong).0 == "refused" && wrong.to_string().contains("places.key"), "{wrong}");
}

#[tokio::test]
async fn each_answer_of_overpass_has_its_meaning() {
    let remark = |text: &str| Canned::json("200 OK", &json!({ "version": 0.6, "elements": [], "remark": text }));
    let cases = [
        (Canned::html("429 Too Many Requests", "<p><strong>Error</strong>: runtime error: rate_limited"), ("unavailable", None)),
        (Canned::html("429 Too Many Requests", "<p>slots").with("Retry-After: 60"), ("unavailable", Some(60))),
        (Canned::html("504 Gateway Timeout", "<p>The server is probably too busy to handle your request."), ("unavailable", None)),
        (
            remark("runtime error: open64: 0 Success /osm3s_osm_base Dispatcher_Client::request_read_and_idx::timeout."),
            ("unavailable", None),
        ),
        (Canned::html("400 Bad Request", "<p>line 1: parse error"), ("useless", None)),
        (Canned::html("403 Forbidden", "<p>blocked"), ("refused", None)),
        (Canned::html("200 OK", "<p>maintenance"), ("useless", None)),
        (Canned::json("200 OK", &json!({ "version": 0.6 })), ("useless", None)),
    ];
    let bench = Bench::over(Vec::new());
    let search = bench.overpass_search(2_000);
    for (canned, expected) in cases {
        let shown = format!("{} {}", canned.status, String::from_utf8_lossy(&canned.body));
        bench.apis.plan(move |_, _| Fate::Canned(canned.clone()));
        let error = search.page(&london().rectangle, None).await.unwrap_err();
        assert_eq!(class(&error), expected, "{shown}: {error}");
    }
    for cut_off in [
        "runtime error: Query timed out in \"query\" at line 1 after 61 seconds.",
        "runtime error: Query run out of memory using about 2048 MB of RAM.",
    ] {
        let canned = remark(cut_off);
        bench.apis.plan(move |_, _| Fate::Canned(canned.clone()));
        assert!(search.page(&london().rectangle, None).await.unwrap().full, "{cut_off}");
    }
    // More than is taken in is more than fits.
    bench.apis.plan(|_, _| Fate::Canned(Canned::html("200 OK", &"x".repeat(200_001))));
    assert!(search.page(&london().rectangle, None).await.unwrap().full);
}

/// A cell with useless answers is asked again, then reported; the rest goes on.
#[tokio::test]
async fn one_cell_of_nonsense_is_given_up_and_the_rest_goes_on() {
    let world = crowded(21);
    let bench = Bench::over(world.clone());
    // The north-eastern quarter.
    let spoilt =
        |call: &crate::support::studio_apis::Call| call.cell.0 > 51.48 && call.cell.1 > -0.1 && call.cell.2 > 51.68 && call.cell.3 > 0.32;
    bench.apis.plan(move |_, call| match spoilt(call) {
        true => Fate::Canned(Canned::html("200 OK", "<html>nonsense")),
        false => Fate::Answered,
    });
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    let coverage = &found.areas[0];
    assert_eq!((coverage.failed.len(), coverage.open, &coverage.stopped), (1, 0, &None), "{coverage:?}");
    assert!(coverage.failed[0].contains("no list of places"), "{coverage:?}");
    assert_eq!(bench.apis.calls().iter().filter(|call| spoilt(call)).count(), 3);
    let outside = world.iter().filter(|known| known.at.0 <= 51.485 || known.at.1 <= -0.09).count();
    // Its full parent had named some of it.
    assert!(found.studios.len() >= outside && found.studios.len() < 1_000, "{} of {outside}", found.studios.len());
}

/// A page token that ran out: the cell is asked again from its first page, and nothing is missing.
#[tokio::test]
async fn a_token_that_expires_costs_its_cell_another_attempt() {
    let world = crowded(22);
    let bench = Bench::over(world.clone());
    let expired = Canned::google("400 Bad Request", "INVALID_ARGUMENT", "The page token has expired.");
    let hit = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let seen = hit.clone();
    bench.apis.plan(move |number, call| {
        // Each tenth call, if it continues a cell that this did not happen to.
        let again = number % 10 != 9 || !call.paging || !seen.lock().unwrap().insert(format!("{:?}", call.cell));
        if again { Fate::Answered } else { Fate::Canned(expired.clone()) }
    });
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!((found.studios.len(), found.areas[0].failed.len(), found.areas[0].open), (1_000, 0, 0));
    let hit = hit.lock().unwrap().clone();
    assert!(hit.len() > 3, "{} tokens expired", hit.len());
    let begun = begun(&bench.apis.calls());
    for cell in hit {
        assert_eq!(begun.iter().filter(|begun| **begun == cell).count(), 2, "{cell}");
    }
}

/// Where tokens never live long enough, cells that need them are given up; the source is left alone soon.
#[tokio::test]
async fn tokens_that_never_live_are_told() {
    let bench = Bench::over(crowded(23));
    bench.apis.expire_tokens_after(0);
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert!(found.studios.is_empty());
    assert_eq!(found.areas[0].failed.len(), 1, "{:?}", found.areas);
    assert!(found.areas[0].failed[0].contains("The page token has expired"), "{:?}", found.areas);
}

/// A field that Google no longer knows: told, and not asked a thousand times.
#[tokio::test]
async fn a_field_that_google_does_not_know_is_told() {
    let bench = Bench::over(crowded(24));
    bench.apis.forget_field("places.businessStatus");
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!((found.studios.len(), bench.apis.calls().len()), (0, 3));
    assert!(found.areas[0].failed[0].contains("Cannot find matching fields for path 'places.businessStatus'"), "{:?}", found.areas);
}

/// Nonsense to every call leaves the source alone, instead of costing each cell its attempts.
#[tokio::test]
async fn nonsense_to_everything_stops_the_run_and_keeps_the_cells() {
    let bench = Bench::over(crowded(25));
    bench.apis.plan(|number, _| if number < 30 { Fate::Answered } else { Fate::Canned(Canned::html("200 OK", "<html>")) });
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!(bench.apis.calls().len(), 33);
    let coverage = &found.areas[0];
    assert!(coverage.stopped.as_deref().is_some_and(|why| why.contains("useless answers in a row")) && coverage.open > 0, "{coverage:?}");
    assert!(!found.studios.is_empty());
}

/// A wrong key, or a missing right, is told with what to change, after one call.
#[tokio::test]
async fn a_refused_key_is_told_at_once() {
    let bench = Bench::over(crowded(26));
    let source = bench.grid(bench.search_with("wrong"), vec![london()], settings());
    let Err(SourceError::Refused { why, .. }) = source.studios(&asking("daily-1")).await else { panic!("not refused") };
    assert!(why.contains("API key not valid") && why.contains("set places.key"), "{why}");
    assert_eq!(bench.apis.calls().len(), 1);
}

/// 002-R6: the delay that a service asks for reaches whoever plans the next attempt, with the count of failures (002-R4).
#[tokio::test]
async fn a_rate_limit_carries_its_delay_and_its_count() {
    let bench = Bench::over(crowded(27));
    bench.apis.plan(|number, _| match number {
        12 | 13 => Fate::Canned(rate_limited().with("Retry-After: 17")),
        _ => Fate::Answered,
    });
    let source = bench.places();
    for expected in 1..=2 {
        let Err(SourceError::Failing { in_a_row, retry_after, .. }) = source.studios(&asking("daily-1")).await else {
            panic!("no failure")
        };
        assert_eq!((in_a_row, retry_after), (expected, Some(Duration::from_secs(17))));
    }
    assert_eq!(source.studios(&asking("daily-1")).await.unwrap().studios.len(), 1_000);
}
