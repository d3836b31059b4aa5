//! Turns, holds and slow-downs: how a visit keeps its distance.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_taken_host_is_a_wait_and_its_page_is_not_fetched_again() {
    let bench = bench();
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    let mut first = bench.begin("job-1");
    first.page(&url("https://studio.example/team")).await.unwrap();
    let mut second = bench.begin("job-2");
    let waiting = second.page(&url("https://studio.example/other")).await;
    let Err(VisitError::Wait { until, why: WaitFor::Host }) = waiting else { panic!("no wait: {waiting:?}") };
    assert_eq!(until, bench.clock.now().plus(Duration::from_secs(5)), "holders give back early: ask again soon");
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(bench.holds.taken(), [], "a dropped visit gives its host back");
    assert!(matches!(second.page(&url("https://studio.example/other")).await, Err(VisitError::Fetch(FetchError::Gone { .. }))));
}

/// Two jobs want one page at once: the one that waited for the host finds the page when it gets the host.
#[tokio::test(start_paused = true)]
async fn the_cache_is_looked_at_again_under_the_hold() {
    let mut with = settings();
    with.politeness.hold_requests = 1;
    let bench = bench_with(with, Duration::from_millis(500), None);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    let run = |owner: &'static str| {
        let mut visit = bench.begin(owner);
        let clock = bench.clock.clone();
        async move {
            loop {
                match visit.page(&url("https://studio.example/team")).await {
                    Ok(page) => {
                        visit.end().await.unwrap();
                        return page.text;
                    }
                    Err(VisitError::Wait { until, .. }) => tokio::time::sleep(until.since(clock.now())).await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let texts = tokio::join!(run("job-1"), run("job-2"), run("job-3"));
    assert_eq!(texts, ("<p>Ana".to_owned(), "<p>Ana".to_owned(), "<p>Ana".to_owned()));
    let urls = bench.web.urls();
    assert_eq!(urls.iter().filter(|asked| asked.ends_with("/team")).count(), 1, "{urls:?}");
}

/// 002-R37: a rate limit is waited out by everybody and counts against no job.
#[tokio::test(start_paused = true)]
async fn a_slow_down_keeps_everybody_away_and_is_not_counted() {
    let bench = bench();
    bench.web.on("https://studio.example/a", &[slow_down(Some(90)), html("a")]);
    let mut visit = bench.begin("job-1");
    let waiting = visit.page(&url("https://studio.example/a")).await;
    let Err(VisitError::Wait { until, why: WaitFor::RateLimit }) = waiting else { panic!("no wait: {waiting:?}") };
    assert_eq!(until, bench.clock.now().plus(Duration::from_secs(90)));
    assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].back_off, until, "other processes must know too");
    assert_eq!(bench.holds.taken(), []);
    let other = bench.begin("job-2").page(&url("https://studio.example/b")).await;
    assert!(matches!(other, Err(VisitError::Wait { until: theirs, why: WaitFor::Host }) if theirs == until), "{other:?}");
    tokio::time::sleep(until.since(bench.clock.now())).await;
    assert_eq!(visit.page(&url("https://studio.example/a")).await.unwrap().text, "a");
}

/// Rule 14: who answers 429 to everything and asks for no time at all is asked less and less often, and after a success again.
#[tokio::test(start_paused = true)]
async fn slow_downs_that_ask_for_nothing_slow_us_all_the_same() {
    let bench = bench();
    let refused = vec![slow_down(Some(0)); 5];
    bench.web.on("https://studio.example/a", &[refused, vec![html("a")]].concat());
    for page in 0..5 {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("page")]);
    }
    let mut visit = bench.begin("job-1");
    let mut uncounted = 0;
    let first = loop {
        match visit.page(&url("https://studio.example/a")).await {
            Ok(page) => break page.text,
            Err(VisitError::Wait { until, why }) => {
                uncounted += u32::from(why == WaitFor::RateLimit);
                tokio::time::sleep(until.since(bench.clock.now())).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((first.as_str(), uncounted), ("a", 5));
    // One success takes one slow-down back: the spacing falls to a second in five steps.
    for page in 0..5 {
        visit.page(&url(&format!("https://studio.example/{page}"))).await.unwrap();
    }
    let asked = bench.web.asked.lock().unwrap().clone();
    let gaps: Vec<Duration> = asked[1..].windows(2).map(|pair| pair[1].began - pair[0].ended).collect();
    for (number, gap) in gaps[..5].iter().enumerate() {
        // Half of the delay is chance; 5 s doubled each time.
        let longest = Duration::from_secs(5 << number);
        assert!(*gap >= longest / 2 && *gap <= longest + Duration::from_secs(1), "{number}: {gaps:?}");
    }
    assert!(gaps[..5].is_sorted(), "{gaps:?}");
    let eased: Vec<u64> = gaps[5..].iter().map(Duration::as_secs).collect();
    assert_eq!(eased, [16, 8, 4, 2, 1], "{gaps:?}");
}

/// The slower spacing counts from the slow-down on, also for whoever takes the host next.
#[tokio::test(start_paused = true)]
async fn the_next_holder_begins_by_the_slower_spacing() {
    let mut with = settings();
    with.politeness.spacing_ms = 8_000;
    let bench = bench_with(with, Duration::from_millis(20), None);
    bench.web.on("https://studio.example/a", &[slow_down(Some(1)), html("a")]);
    let waiting = bench.begin("job-1").page(&url("https://studio.example/a")).await;
    assert!(matches!(waiting, Err(VisitError::Wait { why: WaitFor::RateLimit, .. })), "{waiting:?}");
    let left = bench.holds.rows.lock().unwrap()["studio.example"].next_at.since(bench.clock.now());
    assert_eq!(left, Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn a_mapped_host_obeys_only_its_own_spacing() {
    let mut map = HostMap::none();
    map.add("*.example", MappedHost { address: [127, 0, 0, 1].into(), port: 8080, spacing_ms: 7 }).unwrap();
    let bench = bench_with(VisitSettings { guard: Arc::new(Guard::new(map)), ..settings() }, Duration::from_millis(3), None);
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 10\nDisallow: /no")]);
    let mut visit = bench.begin("job-1");
    for page in 0..5 {
        let gone = visit.page(&url(&format!("https://studio.example/{page}"))).await;
        assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
    }
    assert!(
        matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })),
        "robots.txt counts all the same"
    );
    let asked = bench.web.asked.lock().unwrap().clone();
    for pair in asked.windows(2) {
        let gap = pair[1].began - pair[0].ended;
        assert!(gap >= Duration::from_millis(7) && gap < Duration::from_millis(50), "{gap:?}");
    }
}

/// Hosts on one address share four requests a second.
#[tokio::test(start_paused = true)]
async fn many_hosts_on_one_address_are_read_as_one() {
    let bench = bench_with(settings(), Duration::from_millis(5), Some("93.184.216.34"));
    let mut jobs = tokio::task::JoinSet::new();
    for host in 0..12 {
        let mut visit = bench.begin(&format!("job-{host}"));
        jobs.spawn(async move {
            for page in 0..3 {
                let gone = visit.page(&url(&format!("https://site{host}.example/{page}"))).await;
                assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
            }
        });
    }
    while let Some(done) = jobs.join_next().await {
        done.unwrap();
    }
    let mut starts: Vec<Duration> = bench.web.asked.lock().unwrap().iter().map(|asked| asked.began).collect();
    starts.sort();
    assert_eq!(starts.len(), 12 * 4);
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(250), "{pair:?}");
    }
    assert!(starts[47] < Duration::from_secs(14), "the address is not idle: {:?}", starts[47]);
}

#[tokio::test(start_paused = true)]
async fn a_site_has_a_budget_and_an_outage_of_ours_is_told_apart() {
    let mut with = settings();
    with.site.pages = 3;
    let bench = bench_with(with, Duration::from_millis(1), None);
    let mut visit = bench.begin("job-1");
    for page in 0..3 {
        let _ = visit.page(&url(&format!("https://studio.example/{page}"))).await;
    }
    let over = visit.page(&url("https://studio.example/3")).await;
    assert!(matches!(over, Err(VisitError::OverBudget { stop: BudgetStop::Pages, .. })), "{over:?}");
    *bench.holds.down.lock().unwrap() = true;
    let down = visit.page(&url("https://other.example/")).await;
    assert!(matches!(down, Err(VisitError::Store(StoreError::Unavailable(_)))), "{down:?}");
}

/// A hold is for at most 10 requests or 30 s: then the host is given back and taken again, so that others get a chance.
#[tokio::test(start_paused = true)]
async fn a_hold_ends_after_its_requests_or_its_time() {
    for (latency_ms, pages, takes) in [(1, 24, 3), (9_000, 8, 3)] {
        let bench = bench_with(settings(), Duration::from_millis(latency_ms), None);
        let mut visit = bench.begin("job-1");
        for page in 0..pages {
            let gone = visit.page(&url(&format!("https://studio.example/{page}"))).await;
            assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
        }
        assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].token, takes, "{latency_ms} ms");
    }
}

/// One page behind two redirects of a slow site that asks for half a minute between requests takes minutes, and none of them
/// looks like a hung job.
#[tokio::test(start_paused = true)]
async fn waiting_politely_is_progress() {
    let bench = bench_with(settings(), Duration::from_secs(20), None);
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 29")]);
    bench.web.on("https://studio.example/", &[Reply::To("/a".into())]);
    bench.web.on("https://studio.example/a", &[Reply::To("/b".into())]);
    bench.web.on("https://studio.example/b", &[html("page")]);
    let progress = Progress::default();
    let who = VisitContext { progress: progress.clone(), ..who("daily-1", "job-1") };
    let mut visit = bench.visitor.begin(who);
    let began = Instant::now();
    let reading = tokio::spawn(async move { visit.page(&url("https://studio.example/")).await.unwrap() });
    let (mut seen, mut still, mut longest) = (0, 0, 0);
    while !reading.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        still = if progress.steps() == seen { still + 1 } else { 0 };
        seen = progress.steps();
        longest = longest.max(still);
    }
    assert_eq!(reading.await.unwrap().text, "page");
    assert!(began.elapsed() > Duration::from_secs(120), "{:?}", began.elapsed());
    assert!(longest <= 21, "no progress for {longest} s, though a request takes 20 s");
}

/// Whoever takes a host after a hold that was never given back still keeps the spacing to its last request.
#[tokio::test(start_paused = true)]
async fn a_hold_that_runs_out_was_spaced_to_its_end() {
    let bench = bench();
    let (request_time, spacing) = (FetchLimits::default().total(), Duration::from_secs(20));
    let chance = Arc::new(Chance::seeded(1));
    let politeness = Politeness::new(bench.holds.clone(), bench.clock.clone(), chance, PolitenessSettings::default(), request_time);
    let take = async |owner: &str| politeness.take("studio.example", owner, spacing).await.unwrap();
    let mut held = take("job-1").await.unwrap();
    let mut last_end = Duration::ZERO;
    while politeness.turn(&mut held, &[], &Progress::default()).await == Turn::Go {
        // The longest that a request may take.
        tokio::time::sleep(request_time).await;
        politeness.ended(&mut held);
        last_end = bench.clock.monotonic();
    }
    let mut next = loop {
        match take("job-2").await {
            Ok(held) => break held,
            Err(until) => tokio::time::sleep(until.since(bench.clock.now())).await,
        }
    };
    assert_eq!(politeness.turn(&mut next, &[], &Progress::default()).await, Turn::Go);
    let gap = bench.clock.monotonic() - last_end;
    assert!(gap >= spacing && last_end > Duration::ZERO, "{gap:?}");
}

/// Another job fetched the page after we looked for it and before we took the host.
#[tokio::test(start_paused = true)]
async fn a_page_fetched_while_the_name_was_looked_up_is_not_fetched_again() {
    let bench = bench_with(settings(), Duration::from_millis(500), None);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    *bench.web.lookup.lock().unwrap() = Duration::from_secs(3);
    let run = |owner: &'static str, start_s: u64| {
        let mut visit = bench.begin(owner);
        async move {
            tokio::time::sleep(Duration::from_secs(start_s)).await;
            let page = visit.page(&url("https://studio.example/team")).await.unwrap();
            let stats = visit.stats();
            visit.end().await.unwrap();
            (page.text, stats.cached)
        }
    };
    // The first has the page after two look-ups of 3 s and two requests; the second looks for it in between.
    let (first, second) = tokio::join!(run("job-1", 0), run("job-2", 5));
    assert_eq!((first, second), (("<p>Ana".to_owned(), 0), ("<p>Ana".to_owned(), 1)));
    assert_eq!(bench.web.urls(), ["https://studio.example/robots.txt", "https://studio.example/team"]);
}

/// What a job does with a wait: it comes back at that moment and goes on where it was.
async fn run_job(bench: &Bench, owner: &str, pages: usize) {
    let mut visit = bench.begin(owner);
    let mut page = 0;
    while page < pages {
        match visit.page(&url(&format!("https://studio.example/{owner}/{page}"))).await {
            Err(VisitError::Wait { until, .. }) => {
                visit.end().await.unwrap();
                tokio::time::sleep(until.since(bench.clock.now())).await;
                visit = bench.begin(owner);
            }
            Ok(_) => page += 1,
            Err(error) => panic!("{error}"),
        }
    }
    visit.end().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever happens, requests to a host never overlap, are never nearer than the spacing, never within a Retry-After, and
    /// none is started that could end after its hold.
    #[test]
    fn spacing_is_never_below_the_delay_and_retry_after_is_obeyed(
        spacing_ms in 1_u64..3_000, crawl_delay_s in proptest::option::of(1_u64..40), latency_ms in 0_u64..3_000, hold_requests in 1_u32..12,
        hold_ms in 1_000_u64..40_000, pages in 1_usize..8, waits in proptest::collection::vec((0_usize..8, proptest::option::of(0_u64..200)), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut with = settings();
            with.politeness.spacing_ms = spacing_ms;
            with.politeness.hold_requests = hold_requests;
            with.politeness.hold_ms = hold_ms;
            let bench = bench_with(with, Duration::from_millis(latency_ms), None);
            let robots = crawl_delay_s.map(|delay| format!("User-agent: *\nCrawl-delay: {delay}")).unwrap_or_default();
            bench.web.on("https://studio.example/robots.txt", &[html(&robots)]);
            for owner in ["job-1", "job-2"] {
                for page in 0..pages {
                    let mut replies = vec![html("page")];
                    for (_, retry_after) in waits.iter().filter(|(at, _)| *at == page) {
                        replies.insert(0, slow_down(*retry_after));
                    }
                    bench.web.on(&format!("https://studio.example/{owner}/{page}"), &replies);
                }
            }
            tokio::join!(run_job(&bench, "job-1", pages), run_job(&bench, "job-2", pages));
            let mut slow_downs: u32 = 0;
            let asked = bench.web.asked.lock().unwrap().clone();
            let pages_asked = asked.iter().filter(|asked| asked.slow_down.is_none() && !asked.url.ends_with("robots.txt")).count();
            assert_eq!(pages_asked, 2 * pages, "each page once");
            for pair in asked.windows(2) {
                let delay = Duration::from_millis(spacing_ms).max(Duration::from_secs(crawl_delay_s.unwrap_or(0).min(300)));
                let gap = pair[1].began.checked_sub(pair[0].ended).expect("requests to a host never overlap");
                assert!(gap >= delay, "{gap:?} < {delay:?}");
                slow_downs = if pair[0].slow_down.is_some() { slow_downs + 1 } else { slow_downs.saturating_sub(1) };
                if let Some(asked) = pair[0].slow_down {
                    let ours = settings().politeness.back_off.bare(slow_downs) / 2;
                    assert!(gap >= asked.unwrap_or_default().max(ours), "{gap:?} after the {slow_downs}th slow-down, which asks for {asked:?}");
                }
                let slowed = delay.saturating_mul(1 << slow_downs.min(6)).min(Duration::from_secs(30)).max(delay);
                let is_robots = pair[0].url.ends_with("robots.txt");
                assert!(is_robots || gap >= slowed, "{gap:?} < {slowed:?} after {slow_downs} slow-downs");
                assert_eq!(&pair[0].host, &pair[1].host);
            }
            assert_eq!(bench.holds.taken(), []);
        });
    }
}
