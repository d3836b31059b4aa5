//! 002-R8: a source that fails is left alone, by virtual time; and what it names is checked.

use super::{Bench, LEFT_ALONE, asking, crowded};
use crate::support::studio_apis::{Canned, Fate, Known};
use inkdex::discover::{SourceError, StudioSource};
use std::time::Duration;

fn out() -> Fate {
    Fate::Canned(Canned::google("503 Service Unavailable", "UNAVAILABLE", "The service is currently unavailable."))
}

/// 002-R8: after three failures in a row nothing is asked for a minute, then once; what answers is asked on.
#[tokio::test]
async fn the_breaker_opens_and_tries_once_after_a_while() {
    let bench = Bench::over(crowded(31));
    bench.apis.plan(|_, _| out());
    let source = bench.places();
    let failing = async |run: &str| match source.studios(&asking(run)).await {
        Err(SourceError::Failing { in_a_row, retry_after, .. }) => (in_a_row, retry_after),
        other => panic!("{other:?}"),
    };
    for expected in 1..=3 {
        assert_eq!(failing("daily-1").await, (expected, None));
    }
    assert_eq!(bench.apis.calls().len(), 3);
    // Open: other runs are refused as well, without a call.
    assert_eq!(failing("daily-1").await, (3, Some(LEFT_ALONE)));
    assert_eq!(failing("by-hand").await, (0, Some(LEFT_ALONE)));
    bench.clock.advance(LEFT_ALONE - Duration::from_secs(1));
    assert_eq!(failing("by-hand").await, (0, Some(Duration::from_secs(1))));
    assert_eq!(bench.apis.calls().len(), 3);
    // Half open: one call, which fails.
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(failing("by-hand").await, (1, None));
    assert_eq!(failing("by-hand").await, (1, Some(LEFT_ALONE)));
    assert_eq!(bench.apis.calls().len(), 4);
    // Half open again: it answers, and is asked on.
    bench.clock.advance(LEFT_ALONE);
    bench.apis.answer_all();
    assert_eq!(source.studios(&asking("by-hand")).await.unwrap().studios.len(), 1_000);
}

/// Failures far apart among answers open nothing: each seventh call fails, and everything is found all the same.
#[tokio::test]
async fn failures_among_answers_cost_only_time() {
    let bench = Bench::over(crowded(32));
    bench.apis.plan(|number, _| if number % 7 == 0 { out() } else { Fate::Answered });
    let source = bench.places();
    let mut failures = 0;
    let found = loop {
        match source.studios(&asking("daily-1")).await {
            Ok(found) => break found,
            Err(SourceError::Failing { in_a_row: 1, .. }) => failures += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert!(failures < 1_000, "the grid never ends");
    };
    assert!(failures > 10, "{failures} failures");
    assert_eq!(found.studios.len(), 1_000);
}

/// Names are cleaned, sites checked, ids refused that are none; the others stand.
#[tokio::test]
async fn what_a_source_names_is_checked() {
    let mut world: Vec<Known> = (0..4).map(|number| Known::new(number, "Fine", (51.5, -0.1))).collect();
    world[0].name = format!("\u{202e}Evil\u{0}\n{}", "x".repeat(5_000));
    world[1].website = Some("javascript:alert(document.domain)".to_owned());
    world[2].website = Some("https://user:hush@fine.example/".to_owned());
    world[3].name = "\u{200b}".to_owned();
    let bench = Bench::over(world);
    for found in [bench.places().studios(&asking("a")).await.unwrap(), bench.overpass(100).studios(&asking("a")).await.unwrap()] {
        assert_eq!((found.studios.len(), found.areas[0].unusable), (3, 1), "{found:?}");
        assert!(found.studios.iter().all(|studio| studio.website.is_none()));
        let longest = found.studios.iter().map(|studio| studio.name.chars().count()).max();
        assert_eq!(longest, Some(200));
        assert!(found.studios.iter().all(|studio| !studio.name.contains(['\u{202e}', '\0', '\n'])));
    }
}
