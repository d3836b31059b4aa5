//! Every limit of a response and of a site, met by a visit: each ends it with its own name.

use crate::support::hostile::HOST;
use crate::support::visits::Bench;
use inkdex::scrape::limits::SiteLimits;
use inkdex::scrape::visit::VisitError;
use std::collections::BTreeSet;
use url::Url;

/// What ended a visit.
fn named(error: &VisitError) -> String {
    match error {
        VisitError::Fetch(error) => error.code().to_owned(),
        VisitError::OverBudget { stop, .. } => stop.code().to_owned(),
        other => other.to_string(),
    }
}

/// A page of one of many that say nearly the same.
fn month(n: usize) -> String {
    let days: String = (1..=30).map(|day| format!("<td>{day}.{n}. free, write to us and come by</td>")).collect();
    format!("<!doctype html><h1>Calendar</h1><table>{days}</table><a href=/calendar/{}>next month</a>", n + 1)
}

/// Reads pages of the hostile host one after the other in one visit, until one is refused: its name, and how many were read.
async fn visit(site: SiteLimits, pages: impl Iterator<Item = (String, String)>) -> (String, usize) {
    let bench = Bench::new(super::child::limits(), site);
    let mut visit = bench.begin("visit", false);
    let mut read = 0;
    let mut ended = "read".to_owned();
    for (path, html) in pages {
        let url = Url::parse(&format!("http://{HOST}{path}")).unwrap();
        if !html.is_empty() {
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}", html.len());
            bench.server.put_up(HOST, url.path(), answer.into_bytes());
        }
        match visit.page(&url).await {
            Ok(_) => read += 1,
            Err(error) => {
                ended = named(&error);
                break;
            }
        }
    }
    visit.end().await.unwrap();
    (ended, read)
}

/// The name of a limit, how many pages are read before it, the limits, and the pages.
type Case = (&'static str, usize, SiteLimits, Vec<(String, String)>);

/// 002-X4, S10: answers how many limits there are.
pub async fn every_limit_has_its_name() -> usize {
    let site = SiteLimits::default;
    let small = |path: &str| (path.to_owned(), "<h1>Ada</h1>".to_owned());
    let cases: Vec<Case> = vec![
        ("site_pages", 200, site(), (0..201).map(|n| small(&format!("/page{n}"))).collect()),
        ("url_over_limit", 0, site(), vec![small(&format!("/{}", "x".repeat(2_048)))]),
        ("path_too_deep", 0, site(), vec![small("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16")]),
        ("path_repeats", 0, site(), vec![small("/a/b/a/b/a/b/a")]),
        ("query_variants", 20, site(), (0..21).map(|n| small(&format!("/list?sort={n}"))).collect()),
        ("near_duplicates", 11, site(), (0..100).map(|n| (format!("/calendar/{n}"), month(n))).collect()),
        ("site_wall_time", 0, SiteLimits { wall_ms: 0, ..site() }, vec![small("/")]),
        ("site_bytes", 1, SiteLimits { bytes: 50_000, ..site() }, vec![("/long".to_owned(), "x".repeat(60_000)), small("/")]),
        ("too_many_redirects", 0, site(), vec![("/redirect-many".to_owned(), String::new())]),
        ("headers_too_large", 0, site(), vec![("/header-many".to_owned(), String::new())]),
        ("body_too_large", 0, site(), vec![("/endless".to_owned(), String::new())]),
        ("decoded_too_large", 0, site(), vec![("/bomb-zstd".to_owned(), String::new())]),
        ("head_timeout", 0, site(), vec![("/hang".to_owned(), String::new())]),
        ("idle_timeout", 0, site(), vec![("/stall".to_owned(), String::new())]),
        ("total_timeout", 0, site(), vec![("/drip".to_owned(), String::new())]),
    ];
    let names: BTreeSet<&str> = cases.iter().map(|case| case.0).collect();
    for (name, read, site, pages) in cases {
        assert_eq!(visit(site, pages.into_iter()).await, (name.to_owned(), read), "{name}");
    }
    names.len()
}
