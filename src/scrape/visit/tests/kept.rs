//! What a visit reads of earlier sessions and leaves for later ones, removals among them.

use super::*;

#[tokio::test(start_paused = true)]
async fn no_page_is_fetched_twice_in_a_session() {
    let bench = bench();
    bench.web.on("https://studio.example/", &[Reply::To("/team".into())]);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    bench
        .web
        .on("https://studio.example/file", &[Reply::Fail(FetchError::WrongType { url: String::new(), content_type: "image/png".into() })]);
    let mut first = bench.begin("job-1");
    first.page(&url("https://studio.example/")).await.unwrap();
    assert!(matches!(first.page(&url("https://studio.example/none")).await, Err(VisitError::Fetch(FetchError::Gone { status: 404, .. }))));
    assert!(matches!(first.page(&url("https://studio.example/file")).await, Err(VisitError::Fetch(FetchError::WrongType { .. }))));
    first.end().await.unwrap();
    let asked = bench.web.urls().len();
    let mut second = bench.begin("job-2");
    let page = second.page(&url("https://studio.example/#top")).await.unwrap();
    assert_eq!(
        (page.text.as_str(), page.url.as_str(), page.requested.as_str()),
        ("<p>Ana", "https://studio.example/team", "https://studio.example/#top")
    );
    assert!(matches!(second.page(&url("https://studio.example/none")).await, Err(VisitError::Fetch(FetchError::Gone { status: 404, .. }))));
    assert!(matches!(second.page(&url("https://studio.example/file")).await, Err(VisitError::Fetch(FetchError::WrongType { .. }))));
    assert_eq!(second.stats(), VisitStats { cached: 4, ..VisitStats::default() });
    assert_eq!(bench.web.urls().len(), asked);
    assert_eq!(bench.holds.taken(), [], "what is known needs no host");
    bench.denied.0.lock().unwrap().insert("https://studio.example/team".into());
    assert!(matches!(second.page(&url("https://studio.example/")).await, Err(VisitError::Denied)), "a kept page is judged too");
    // A requeued job uses only pages fetched after its requeue.
    bench.denied.0.lock().unwrap().clear();
    let fresh_after = Some(bench.clock.now());
    let requeued = VisitContext { fresh_after, ..who("daily-1", "job-1") };
    bench.visitor.begin(requeued).page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(bench.web.urls().len(), asked + 1);
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A page that is not due costs no request, a due one that did not change none of its bytes, and both say so.
#[tokio::test(start_paused = true)]
async fn pages_of_earlier_sessions_are_spared() {
    let bench = bench();
    let (team, plain) = ("https://studio.example/team", "https://studio.example/plain");
    bench.web.on(team, &[Reply::Tagged("\"1\"", "<p>Ana".into())]);
    bench.web.on(plain, &[html("<p>Ana")]);
    for page in [team, plain] {
        bench.read("daily-1", Recrawl::Due, page).await.0.unwrap();
        let (read, stats) = bench.read("daily-2", Recrawl::Due, page).await;
        assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { not_due: 1, ..VisitStats::default() }));
    }
    let mut visit = bench.visitor.begin(who("daily-2", "job-2"));
    visit.page(&url(team)).await.unwrap();
    let unasked: Vec<(&Url, Duration)> = visit.unasked().iter().map(|(page, at)| (page, at.since(EPOCH))).collect();
    assert!(matches!(unasked.as_slice(), [(page, at)] if page.as_str() == team && *at < Duration::from_secs(5)), "{unasked:?}");
    visit.end().await.unwrap();
    tokio::time::sleep(DAY).await;
    // robots.txt is a day old as well.
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { requests: 2, unmodified: 1, ..VisitStats::default() }));
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { cached: 1, ..VisitStats::default() }), "a 304 is an answer");
    let (_, stats) = bench.read("daily-3", Recrawl::Due, plain).await;
    assert_eq!(stats, VisitStats { requests: 1, wire_bytes: 6, ..VisitStats::default() }, "a site without validators sends it again");
    tokio::time::sleep(DAY).await;
    for page in [team, plain] {
        assert_eq!(bench.read("daily-4", Recrawl::Due, page).await.1.not_due, 1, "both stayed the same: {page}");
    }
    bench.web.on(team, &[Reply::Tagged("\"2\"", "<p>Ana, Bea".into())]);
    tokio::time::sleep(DAY).await;
    let (read, stats) = bench.read("daily-5", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats.unmodified), ("<p>Ana, Bea", 0));
    tokio::time::sleep(DAY).await;
    assert_eq!(bench.read("daily-6", Recrawl::Due, team).await.1.unmodified, 1, "what changed is asked for the next day");
}

/// Rule 14, `--fresh` and `fetch.recrawl = false`: every page is asked for, by requests that say nothing of a copy.
#[tokio::test(start_paused = true)]
async fn whoever_asks_for_all_is_spared_nothing() {
    let team = "https://studio.example/team";
    for recrawl in [true, false] {
        let bench = bench_with(VisitSettings { recrawl, ..settings() }, Duration::from_millis(20), None);
        bench.web.on(team, &[Reply::Tagged("\"1\"", "<p>Ana".into())]);
        bench.read("daily-1", Recrawl::Due, team).await.0.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let how = if recrawl { Recrawl::All } else { Recrawl::Due };
        let anew = VisitStats { requests: 1, wire_bytes: 6, ..VisitStats::default() };
        assert_eq!(bench.read("daily-2", how, team).await.1, anew);
        let requeued = VisitContext { fresh_after: Some(bench.clock.now()), ..who("daily-1", "job-1") };
        let mut visit = bench.visitor.begin(requeued);
        visit.page(&url(team)).await.unwrap();
        assert_eq!((visit.stats(), visit.unasked().len()), (anew, 0));
        visit.end().await.unwrap();
    }
}

/// Rule 11: what is gone or has moved is asked each time, and a page that went is not read from what was kept of it.
#[tokio::test(start_paused = true)]
async fn only_pages_wait() {
    let bench = bench();
    let (gone, moved, team) = ("https://studio.example/gone", "https://studio.example/", "https://studio.example/team");
    bench.web.on(team, &[html("<p>Ana")]);
    bench.web.on(moved, &[Reply::To("/team".into())]);
    for session in ["daily-1", "daily-2"] {
        let asked = bench.web.urls().len();
        assert!(matches!(bench.read(session, Recrawl::Due, gone).await.0, Err(VisitError::Fetch(FetchError::Gone { .. }))));
        bench.read(session, Recrawl::Due, moved).await.0.unwrap();
        assert!(
            bench.web.urls()[asked..].iter().any(|asked| asked == gone) && bench.web.urls()[asked..].iter().any(|asked| asked == moved)
        );
    }
    bench.web.on(team, &[Reply::Fail(FetchError::Gone { url: String::new(), status: 410 })]);
    tokio::time::sleep(DAY).await;
    for session in ["daily-3", "daily-4"] {
        let (read, stats) = bench.read(session, Recrawl::Due, team).await;
        assert!(matches!(read, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{read:?}");
        assert_eq!((stats.not_due, stats.cached), (0, 0), "it was asked");
    }
}

/// A page that is not due is not read where the robots.txt that is known forbids it.
#[tokio::test(start_paused = true)]
async fn robots_hold_for_kept_pages() {
    let bench = bench();
    let team = "https://studio.example/team";
    bench.web.on(team, &[html("<p>Ana")]);
    bench.web.on("https://studio.example/open", &[html("<p>Bea")]);
    for session in ["daily-1", "daily-2"] {
        bench.read(session, Recrawl::Due, team).await.0.unwrap();
        tokio::time::sleep(DAY).await;
    }
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nDisallow: /team")]);
    bench.read("daily-3", Recrawl::Due, "https://studio.example/open").await.0.unwrap();
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert!(matches!(read, Err(VisitError::RefusedByRobots { .. })), "{read:?}");
    assert_eq!(stats, VisitStats::default());
}

/// Rule 15: a removal that came in between request and answer leaves no copy; a visit to kept pages asks nobody.
#[tokio::test(start_paused = true)]
async fn kept_pages_end_with_a_removal() {
    let bench = bench();
    let team = "https://studio.example/team";
    bench.web.on(team, &[html("<p>Ana")]);
    bench.read("daily-1", Recrawl::Due, team).await.0.unwrap();
    let asked = bench.web.urls().len();
    let (read, stats) = bench.read("daily-2", Recrawl::KeptOnly, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats::default()));
    assert!(matches!(bench.read("daily-2", Recrawl::KeptOnly, "https://studio.example/none").await.0, Err(VisitError::NotKept { .. })));
    assert_eq!(bench.web.urls().len(), asked);

    let mut visit = bench.visitor.begin(VisitContext { recrawl: Recrawl::All, ..who("daily-3", "job-1") });
    let page = url(team);
    let (read, ()) = tokio::join!(visit.page(&page), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        bench.denied.0.lock().unwrap().insert(team.into());
    });
    assert!(matches!(read, Err(VisitError::Denied)), "{read:?}");
    assert_eq!(bench.web.urls().len(), asked + 1, "it was under way");
    visit.end().await.unwrap();
    bench.denied.0.lock().unwrap().clear();
    for session in ["daily-1", "daily-3"] {
        assert!(matches!(bench.read(session, Recrawl::KeptOnly, team).await.0, Err(VisitError::NotKept { .. })));
    }
}

/// Rule 15: somebody is removed whom a site names while a visit reads it. What the visit kept by then the removal deletes, and what
/// it would keep afterwards, the file of the whole visit among it, is not kept; nor is what later visits read, until the mark goes.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_site_that_names_somebody_who_was_removed() {
    let bench = bench();
    let objects = Objects::in_folder(bench._folder.path()).unwrap();
    let kept = async || {
        let (mut keys, visits) = (objects.keys("known").await.unwrap(), objects.keys("visits").await.unwrap());
        keys.extend(visits);
        keys.len()
    };
    for page in ["team", "bob"] {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("<p>Ana and Bob")]);
    }
    let mut visit = bench.begin("job-1");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(kept().await, 1);
    bench.denied.1.lock().unwrap().insert("studio.example".into());
    bench.visitor.forget_site("studio.example").await.unwrap();
    visit.end().await.unwrap();
    assert_eq!(kept().await, 0, "the file of a visit that began before");
    let mut visit = bench.begin("job-2");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(visit.stats().cached, 1, "the session's own pages serve its jobs");
    visit.page(&url("https://studio.example/bob")).await.unwrap();
    visit.end().await.unwrap();
    assert_eq!(kept().await, 0);
    bench.denied.1.lock().unwrap().clear();
    bench.read("daily-2", Recrawl::Due, "https://studio.example/bob").await.0.unwrap();
    assert_eq!(kept().await, 2, "a page and the file of its visit");
}

/// Rule 15: the removal may come between two pages of one visit, after the visit has looked whether the site may be kept.
#[tokio::test(start_paused = true)]
async fn a_removal_between_two_pages_of_a_visit_is_met() {
    let bench = bench();
    let objects = Objects::in_folder(bench._folder.path()).unwrap();
    for page in ["team", "bob"] {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("<p>Ana and Bob")]);
    }
    let mut visit = bench.begin("job-1");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    bench.denied.1.lock().unwrap().insert("studio.example".into());
    bench.visitor.forget_site("studio.example").await.unwrap();
    visit.page(&url("https://studio.example/bob")).await.unwrap();
    visit.end().await.unwrap();
    for folder in ["known", "visits"] {
        assert_eq!(objects.keys(folder).await.unwrap(), Vec::<String>::new());
    }
}

/// A sitemap is a request like any other: judged, spaced, kept, and not due while it says the same. It is never drawn.
#[tokio::test(start_paused = true)]
async fn a_sitemap_is_judged_spaced_and_kept_like_a_page() {
    let bench = bench();
    let map = "https://studio.example/map.xml";
    bench.web.on("https://studio.example/robots.txt", &[html(&format!("Sitemap: {map}\nUser-agent: *\nDisallow: /no"))]);
    bench.web.on("https://studio.example/", &[html("<p>Ana")]);
    bench.web.on(map, &[html("<urlset>")]);
    let home = url("https://studio.example/");
    let mut visit = bench.begin("job-1");
    assert_eq!(visit.sitemaps(&home).await.unwrap(), [], "nobody is asked for a robots.txt because of it");
    visit.page(&home).await.unwrap();
    assert_eq!(visit.sitemaps(&home).await.unwrap(), [url(map)]);
    assert_eq!(visit.sitemap(&url(map)).await.unwrap().text, "<urlset>");
    visit.page_says("a, b").await.unwrap();
    assert!(matches!(visit.sitemap(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })));
    assert!(matches!(visit.sitemap(&url("http://10.0.0.1/map.xml")).await, Err(VisitError::Fetch(FetchError::Guarded(_)))));
    visit.end().await.unwrap();
    let asked = bench.web.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().map(|asked| asked.url.as_str()).collect::<Vec<_>>(), ["https://studio.example/robots.txt", home.as_str(), map]);
    assert!(asked.windows(2).all(|pair| pair[1].began >= pair[0].ended + Duration::from_secs(1)), "{asked:?}");

    // The next day, as a browser would draw the site.
    let mut visit = bench.visitor.begin(VisitContext { drawn: true, ..who("daily-2", "job-2") });
    assert_eq!(visit.sitemap(&url(map)).await.unwrap().text, "<urlset>");
    assert_eq!((visit.stats().not_due, visit.stats().requests), (1, 0));
    visit.end().await.unwrap();
    let kept = bench.visitor.begin(VisitContext { recrawl: Recrawl::KeptOnly, ..who("replay-1", "job-3") });
    assert_eq!(kept.sitemaps(&home).await.unwrap(), [url(map)], "a replay knows what was known");
}
