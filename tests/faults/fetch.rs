//! The fetcher and visits against a server that misbehaves in every way: each case ends within its limits with a typed reason,
//! the trap is never touched, and other sites are read meanwhile. Times are scaled to milliseconds.

use crate::support::hostile::{HOST, PATHS, READS, ROBOTS, codes};
use crate::support::visits::Bench;
use inkdex::domain::outcome::{Category, WaitFor};
use inkdex::scrape::limits::{FetchLimits, SiteLimits};
use inkdex::scrape::visit::VisitError;
use inkdex::scrape::{FetchError, FetchedPage};
use std::sync::Arc;
use std::time::Duration;

/// What a limit may be overrun by on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// Time limits, milliseconds: above the server's pauses of a second where it drips, else short.
const TIMES: FetchLimitsMs = FetchLimitsMs { connect: 500, head: 1_200, idle: 1_500, total: 2_500 };

struct FetchLimitsMs {
    connect: u64,
    head: u64,
    idle: u64,
    total: u64,
}

fn bench() -> Bench {
    let limits = FetchLimits {
        connect_ms: TIMES.connect,
        head_ms: TIMES.head,
        idle_ms: TIMES.idle,
        total_ms: TIMES.total,
        ..FetchLimits::default()
    };
    Bench::new(limits, SiteLimits::default())
}

/// What came of a page: `read`, or the failure's code.
fn word(found: &Result<FetchedPage, VisitError>) -> &'static str {
    match found {
        Ok(_) => "read",
        Err(VisitError::Fetch(error)) => error.code(),
        Err(VisitError::Wait { .. }) => "wait",
        Err(VisitError::RefusedByRobots { .. }) => "robots",
        Err(_) => "other",
    }
}

/// 002-X4: a site that hangs, is endless, is 500 MB, is a bomb, redirects in circles or to 127.0.0.1, or lies about itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_page_ends_typed_within_its_limits() {
    let bench = bench();
    let mut wrong = Vec::new();
    for case in PATHS {
        let (found, took) = bench.read(case.path, HOST, case.path).await;
        let mut fits = codes(case.expect).contains(&word(&found));
        if let (Some(phrase), Ok(page)) = (case.expect.strip_prefix(READS), &found) {
            fits = page.text.contains(phrase);
        }
        if !fits || took > Duration::from_millis(TIMES.total) + SLACK {
            let shown = found.as_ref().map_or_else(ToString::to_string, |page| format!("{page:?}"));
            wrong.push(format!("{} ({}): expected {}, got {} in {took:?}: {shown}", case.path, case.what, case.expect, word(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(bench.server.trap_hits(), 0);
    // What the sockets hold may be on its way when a limit closes the connection; loopback sockets hold some megabytes.
    for path in ["/huge", "/endless", "/header-endless"] {
        assert!(bench.server.sent_bytes(path) < 20_000_000, "{path}: {} bytes were taken", bench.server.sent_bytes(path));
    }
    let (good, _) = bench.read("after", "good.example", "/no-type").await;
    assert!(good.is_ok(), "a good page is read after all that: {good:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_robots_file_decides() {
    let bench = bench();
    let mut wrong = Vec::new();
    for case in ROBOTS {
        let (page, took) = bench.read("page", case.host, "/").await;
        let (secret, _) = bench.read("secret", case.host, "/secret").await;
        let unreachable = |found: &Result<FetchedPage, VisitError>| matches!(found, Err(VisitError::Fetch(error)) if error.category() == Category::Transient);
        let fits = match case.expect {
            "allow" => page.is_ok() && secret.is_ok(),
            "allow except /secret" => page.is_ok() && word(&secret) == "robots",
            "disallow" => unreachable(&page) && unreachable(&secret),
            "refuse" => [&page, &secret].iter().all(|found| matches!(found, Err(VisitError::Fetch(FetchError::Guarded(_))))),
            "wait" | "wait or disallow" => matches!(page, Err(VisitError::Wait { why: WaitFor::RateLimit, .. })),
            "either" => ["read", "robots"].contains(&word(&page)),
            other => panic!("unknown expectation {other}"),
        };
        if !fits || took > Duration::from_millis(2 * TIMES.total) + SLACK {
            wrong.push(format!("{} ({}): expected {}, got {} and {}", case.host, case.what, case.expect, word(&page), word(&secret)));
        }
        if !["allow", "allow except /secret", "either"].contains(&case.expect) {
            assert_eq!(bench.server.hits_on(case.host, "/"), 0, "{} was asked for a page", case.host);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(bench.server.trap_hits(), 0);
    let taken = bench.server.sent_bytes("/robots.txt");
    assert!(taken < 20_000_000, "a robots.txt of 50 MB was taken in: {taken} bytes");
}

/// A site that hangs costs its own jobs their time, and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_go_on_while_one_hangs() {
    let bench = Arc::new(bench());
    let hanging = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.read("hanging", HOST, "/hang").await })
    };
    for site in 0..20 {
        let (found, _) = bench.read("good", &format!("good{site}.example"), "/no-type").await;
        assert!(found.is_ok(), "{found:?}");
    }
    let (found, took) = hanging.await.unwrap();
    assert_eq!(word(&found), "head_timeout");
    assert!(took < Duration::from_millis(TIMES.head) + SLACK, "{took:?}");
    let (busy, _) = bench.read("again", HOST, "/empty").await;
    assert!(busy.is_ok(), "the host is given back: {busy:?}");
}

/// Nothing of ours reaches a port of this machine that the map does not name, whatever a redirect says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_inwards_are_refused_by_name() {
    let bench = bench();
    for path in
        ["/redirect-loopback", "/redirect-spelled", "/redirect-mapped", "/redirect-metadata", "/redirect-port", "/redirect-userinfo"]
    {
        let (found, _) = bench.read("inward", HOST, path).await;
        let Err(VisitError::Fetch(FetchError::Guarded(why))) = &found else { panic!("{path}: {found:?}") };
        assert!(!why.is_empty() && !why.contains("pw"), "{path}: {why}");
        assert_eq!(bench.server.hits(path), 1, "{path}");
    }
    assert_eq!(bench.server.trap_hits(), 0);
}
