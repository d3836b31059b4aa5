//! What a visit makes of robots.txt.

use super::*;

#[tokio::test(start_paused = true)]
async fn robots_that_cannot_be_had_decide_by_their_failure() {
    let fail = |error| Reply::Fail(error);
    let server = FetchError::Server { url: String::new(), status: 500 };
    let hang = FetchError::OverLimit { url: String::new(), limit: Limit::Head };
    let bench = bench();
    for (host, replies) in [
        ("r500.example", vec![fail(server.clone())]),
        ("hang.example", vec![fail(hang)]),
        ("dns.example", vec![fail(FetchError::Dns("dns.example".into()))]),
        ("r429.example", vec![slow_down(None)]),
        ("r403.example", vec![Reply::Text(403, String::new())]),
        ("loop.example", vec![Reply::To("/robots.txt".into())]),
        ("inward.example", vec![Reply::To("http://127.0.0.1/robots.txt".into())]),
        ("denied.example", vec![Reply::To("https://removed.example/robots.txt".into())]),
        ("moved.example", vec![Reply::To("https://rules.example/all".into())]),
    ] {
        bench.web.on(&format!("https://{host}/robots.txt"), &replies);
        bench.web.on(&format!("https://{host}/page"), &[html("page")]);
    }
    bench.web.on("https://rules.example/all", &[html("User-agent: *\nDisallow: /page")]);
    let mut visit = bench.begin("job-1");
    let mut ask = async |host: &str| visit.page(&url(&format!("https://{host}/page"))).await;
    for host in ["r500.example", "hang.example", "dns.example"] {
        let unreachable = ask(host).await;
        let Err(VisitError::Fetch(error)) = unreachable else { panic!("{host}: {unreachable:?}") };
        assert_eq!(error.category(), crate::domain::outcome::Category::Transient, "{host}");
    }
    assert!(matches!(ask("r429.example").await, Err(VisitError::Wait { why: WaitFor::RateLimit, .. })));
    // There is a file, and it cannot be had: nothing is read.
    let inward = ask("inward.example").await;
    assert!(
        matches!(&inward, Err(VisitError::Fetch(FetchError::Guarded(why))) if why.starts_with("the robots.txt of https://inward.example leads to")),
        "{inward:?}"
    );
    bench.denied.0.lock().unwrap().insert("https://removed.example/robots.txt".into());
    let denied = ask("denied.example").await;
    assert!(matches!(denied, Err(VisitError::Fetch(FetchError::Guarded(_)))), "{denied:?}");
    for host in ["r403.example", "loop.example"] {
        assert_eq!(ask(host).await.unwrap().text, "page", "{host}");
    }
    assert!(matches!(ask("moved.example").await, Err(VisitError::RefusedByRobots { .. })), "the file belongs to the first host");
    let pages: Vec<String> = bench.web.urls().into_iter().filter(|asked| asked.ends_with("/page")).collect();
    assert_eq!(pages, ["https://r403.example/page", "https://loop.example/page"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_robots_file_is_obeyed_while_the_site_is_unreachable() {
    let bench = bench();
    bench.web.on(
        "https://studio.example/robots.txt",
        &[html("User-agent: *\nDisallow: /no"), Reply::Fail(FetchError::Server { url: String::new(), status: 502 })],
    );
    bench.web.on("https://studio.example/yes", &[html("yes")]);
    bench.begin("job-1").page(&url("https://studio.example/yes")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2 * 24 * 60 * 60)).await;
    let mut visit = bench.begin("job-2");
    assert!(matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })));
    assert_eq!(visit.page(&url("https://studio.example/yes")).await.unwrap().text, "yes");
}

#[tokio::test(start_paused = true)]
async fn crawl_delay_counts_from_the_robots_file_on_and_has_a_ceiling() {
    for (asked_s, kept_s) in [(3, 3), (45, 45), (240, 240), (3_600, 300)] {
        let bench = bench();
        bench.web.on("https://studio.example/robots.txt", &[html(&format!("User-agent: *\nCrawl-delay: {asked_s}"))]);
        let mut visit = bench.begin("job-1");
        for page in 0..3 {
            loop {
                match visit.page(&url(&format!("https://studio.example/{page}"))).await {
                    Err(VisitError::Wait { until, .. }) => {
                        // As a job does: it ends, and begins again then.
                        tokio::time::sleep(until.since(bench.clock.now())).await;
                        visit = bench.begin("job-1");
                    }
                    other => break assert!(matches!(other, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{other:?}"),
                }
            }
        }
        let asked = bench.web.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 4);
        for pair in asked.windows(2) {
            let gap = pair[1].began - pair[0].ended;
            assert!(gap >= Duration::from_secs(kept_s) && gap < Duration::from_secs(kept_s + 6), "{asked_s} s: {gap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_read_only_robots_leaves_the_host_with_its_crawl_delay() {
    let bench = bench();
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 10\nDisallow: /no")]);
    let mut visit = bench.begin("job-1");
    assert!(matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })));
    visit.end().await.unwrap();
    assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].next_at, bench.clock.now().plus(Duration::from_secs(10)));
}
