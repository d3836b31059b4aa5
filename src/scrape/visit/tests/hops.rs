//! Every hop is judged: checks in their order, redirects and their end.

use super::*;

#[tokio::test(start_paused = true)]
async fn checks_come_in_order_and_the_first_refusal_ends_it() {
    let bench = bench();
    bench.denied.0.lock().unwrap().insert("http://127.0.0.1/".into());
    let mut visit = bench.begin("job-1");
    assert!(matches!(visit.page(&url("http://127.0.0.1/")).await, Err(VisitError::Denied)), "the denylist comes before the guard");
    assert!(matches!(visit.page(&url("http://10.0.0.1/")).await, Err(VisitError::Fetch(FetchError::Guarded(_)))));
    assert_eq!(limit_of(visit.page(&url(&format!("https://studio.example/{}", "x".repeat(3_000)))).await), Some(Limit::Url));
    assert_eq!(bench.web.urls(), Vec::<String>::new());
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nDisallow: /private")]);
    let refused = visit.page(&url("https://studio.example/private/x")).await;
    assert!(matches!(&refused, Err(VisitError::RefusedByRobots { rule }) if rule.contains("/private")), "{refused:?}");
    assert_eq!(bench.web.urls(), ["https://studio.example/robots.txt"], "a refused page is never asked for");
}

#[tokio::test(start_paused = true)]
async fn every_hop_is_judged_like_the_first_url() {
    let bench = bench();
    bench.web.on("https://studio.example/ok", &[Reply::To("/moved#x".into())]);
    bench.web.on("https://studio.example/moved", &[html("<meta http-equiv=refresh content='0;url=https://other.example/final'>")]);
    bench.web.on("https://other.example/final", &[html("<p>Ana")]);
    bench.web.on("https://studio.example/inward", &[Reply::To("http://169.254.169.254/latest".into())]);
    bench.web.on("https://studio.example/meta-inward", &[html("<meta http-equiv=refresh content='0;url=http://127.0.0.1/'>")]);
    bench.web.on("https://studio.example/to-file", &[Reply::To("file:///etc/passwd".into())]);
    bench.web.on("https://studio.example/to-denied", &[Reply::To("https://denied.example/".into())]);
    bench.web.on("https://studio.example/to-forbidden", &[Reply::To("https://other.example/no".into())]);
    bench.web.on("https://other.example/robots.txt", &[html("User-agent: *\nDisallow: /no")]);
    bench.denied.0.lock().unwrap().insert("https://denied.example/".into());
    let mut visit = bench.begin("job-1");
    let page = visit.page(&url("https://studio.example/ok")).await.unwrap();
    assert_eq!((page.requested.as_str(), page.url.as_str()), ("https://studio.example/ok", "https://other.example/final"));
    assert_eq!(bench.holds.taken(), [("other.example".to_owned(), "job-1".to_owned())], "one host at a time");
    for path in ["inward", "meta-inward", "to-file"] {
        let refused = visit.page(&url(&format!("https://studio.example/{path}"))).await;
        assert!(matches!(refused, Err(VisitError::Fetch(FetchError::Guarded(_)))), "{path}: {refused:?}");
    }
    assert!(matches!(visit.page(&url("https://studio.example/to-denied")).await, Err(VisitError::Denied)));
    let refused = visit.page(&url("https://studio.example/to-forbidden")).await;
    assert!(matches!(refused, Err(VisitError::RefusedByRobots { .. })), "{refused:?}");
    assert!(bench.web.urls().iter().all(|asked| asked.contains("studio.example") || asked.contains("other.example")));
}

#[tokio::test(start_paused = true)]
async fn redirects_end_in_circles_and_after_five() {
    let bench = bench();
    bench.web.on("https://studio.example/self", &[Reply::To("/self".into())]);
    bench.web.on("https://studio.example/here", &[Reply::To("/there".into())]);
    bench.web.on("https://studio.example/there", &[Reply::To("/here".into())]);
    for hop in 0..7 {
        bench.web.on(&format!("https://studio.example/hop{hop}"), &[Reply::To(format!("/hop{}", hop + 1))]);
    }
    bench.web.on("https://studio.example/hop7", &[html("end")]);
    let mut visit = bench.begin("job-1");
    for path in ["self", "here", "hop0", "hop1"] {
        assert_eq!(limit_of(visit.page(&url(&format!("https://studio.example/{path}"))).await), Some(Limit::Redirects), "{path}");
    }
    let page = visit.page(&url("https://studio.example/hop2")).await.unwrap();
    assert_eq!(page.text, "end", "five redirects are followed");
}
