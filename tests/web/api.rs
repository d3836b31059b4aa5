//! The public API: filters, pages, records, counts, health.

use crate::support::http::TestWeb;
use crate::support::people::CAST_SIZE;
use crate::support::ports::child;
use serde_json::Value;
use std::collections::BTreeSet;

fn names(answer: &Value) -> BTreeSet<&str> {
    answer["artists"].as_array().expect("a list").iter().map(|artist| artist["name"].as_str().expect("a name")).collect()
}

fn search(web: &TestWeb, query: &str) -> Value {
    let answer = web.get(&format!("/v1/artists?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()
}

/// 002-C6, 002-X9: artists are found by style, place, point, handle and text, and by several of them at once.
#[test]
fn artists_are_found_by_every_filter() {
    let web = TestWeb::seeded();
    for (query, expected) in [
        ("query=ana+lima", vec!["Ana Lima"]),
        // A name half typed, one with a typo, and words of the text.
        ("query=ana+li", vec!["Ana Lima"]),
        ("query=kowalzcyk", vec!["Marta Kowalczyk"]),
        ("query=mushrooms", vec!["Clara Weiss"]),
        ("query=quiet+needle&style=watercolor", vec!["Lucía Ferrer"]),
        ("style=handpoke", vec!["June Halloran"]),
        // Another name of the style, and one of two styles.
        ("style=watercolour&location=Brazil", vec!["Renata Alves"]),
        ("style=chicano&style=trash-polka", vec!["Mateo Rivas", "Felix Brandt"]),
        ("location=Krak%C3%B3w", vec!["Marta Kowalczyk", "Piotr Zając", "Zofia Lis"]),
        ("location=krakow,+Poland&style=floral", vec!["Zofia Lis"]),
        ("location=sao+paulo", vec!["Bruna Teixeira", "Diego Prado", "Renata Alves"]),
        ("instagram=@yuki.nagi", vec!["Yuki Tanabe"]),
        ("instagram=https://www.instagram.com/Yuki.Nagi/", vec!["Yuki Tanabe"]),
        ("near=38.7223,-9.1393&radius_km=1", vec!["Ana Lima"]),
        ("query=nobody+is+called+this", vec![]),
    ] {
        let found = search(&web, query);
        assert_eq!(names(&found), expected.iter().copied().collect(), "{query}");
        assert_eq!(found["total"], expected.len(), "{query}");
        assert_eq!(found["next_page_token"], Value::Null, "{query}");
    }
    assert_eq!(search(&web, "near=38.7223,-9.1393&radius_km=40")["total"], 4);
    assert_eq!(search(&web, "")["total"], CAST_SIZE);
}

/// 002-X9: pages follow each other without gap and repetition, and their tokens belong to their search.
#[test]
fn pages_follow_each_other() {
    let web = TestWeb::seeded();
    let mut seen = Vec::new();
    let mut next = String::new();
    let mut first_token = None;
    loop {
        let page = search(&web, &format!("limit=7{next}"));
        assert_eq!(page["total"], CAST_SIZE);
        seen.extend(page["artists"].as_array().expect("a list").iter().map(|artist| artist["id"].as_str().expect("an id").to_owned()));
        let Some(token) = page["next_page_token"].as_str() else { break };
        first_token.get_or_insert(token.to_owned());
        next = format!("&page_token={token}");
    }
    assert_eq!(seen.len(), CAST_SIZE);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), CAST_SIZE);
    let token = first_token.expect("more than one page");
    assert_eq!(web.get(&format!("/v1/artists?limit=20&page_token={token}")).status, 200, "the limit is free to change");
    let other = web.get(&format!("/v1/artists?style=blackwork&page_token={token}"));
    assert_eq!((other.status, &other.json()["problems"][0]["parameter"]), (400, &Value::from("page_token")));
}

/// E-mail and phone stand on the artist's own record only; every fact there says where it came from.
#[test]
fn a_record_says_where_each_fact_came_from() {
    let web = TestWeb::seeded();
    let list = web.get("/v1/artists?limit=50");
    for private in ["hello@", "7946", "email", "phone"] {
        assert!(!list.body.contains(private), "{private} stands in a list");
    }
    let ana = search(&web, "query=ana+lima")["artists"][0].clone();
    assert_eq!((&ana["country"], &ana["city"], &ana["studio"]), (&"PT".into(), &"Lisbon".into(), &"Quiet Needle".into()));
    let record = web.get(ana["href"].as_str().expect("a path")).json();
    assert_eq!(record["emails"][0]["value"], "hello@ana-lima.example");
    assert_eq!(record["phones"][0]["value"], "+44 20 7946 0100");
    assert_eq!(record["styles"].as_array().map(Vec::len), Some(2));
    let mut facts = 0;
    let fields = record.as_object().expect("an object").values();
    for fact in fields.flat_map(|field| field.as_array().cloned().unwrap_or_else(|| vec![field.clone()])) {
        if fact.get("value").is_none() {
            continue;
        }
        facts += 1;
        let evidence = &fact["evidence"];
        assert!(evidence["page"].as_str().is_some_and(|page| page.starts_with("https://quietneedle.example/")), "{fact}");
        assert!(evidence["extractor"].is_string() && evidence["observed_at"].is_string(), "{fact}");
        assert_eq!(evidence["basis"], "printed");
        assert!(evidence["confidence"].as_f64().is_some_and(|confidence| (0.5..=1.0).contains(&confidence)), "{fact}");
        let four_hours = 4 * 3_600 + 300;
        assert!(evidence["age_s"].as_u64().is_some_and(|age| (four_hours..four_hours + 600).contains(&age)), "{fact}");
    }
    // Name, studio, country, city, coordinates, handle, e-mail, phone, bio, two styles, fourteen pictures.
    assert_eq!(facts, 9 + 2 + 14);
}

/// 002-X9: each count is the number of artists that a search by the style finds.
#[test]
fn styles_are_counted() {
    let web = TestWeb::seeded();
    let styles = web.get("/v1/styles").json();
    let styles = styles["styles"].as_array().expect("a list");
    assert_eq!(styles.len(), web.ports.styles.all().len());
    let counts: Vec<u64> = styles.iter().map(|style| style["artists"].as_u64().expect("a count")).collect();
    assert!(counts.is_sorted_by(|one, other| one >= other), "{counts:?}");
    assert!(counts[0] > 4 && counts.last() == Some(&0), "{counts:?}");
    for (style, count) in styles.iter().zip(counts) {
        let slug = style["slug"].as_str().expect("a slug");
        assert_eq!(search(&web, &format!("style={slug}&limit=1"))["total"], count, "{slug}");
    }
}

#[test]
fn health_names_the_part_that_is_not_ready() {
    let web = TestWeb::start();
    assert_eq!(web.get("/healthz").json()["status"], "alive");
    let ready = web.get("/readyz");
    assert_eq!((ready.status, ready.json()["parts"].as_array().map(Vec::len)), (200, Some(4)));
    web.control.set_children(vec![child("scheduler", true), child("index_sync", false)]);
    let unready = web.get("/readyz");
    assert_eq!((unready.status, unready.header("retry-after")), (503, Some("5")));
    assert_eq!(unready.json()["detail"], "actors: index_sync not alive");
    web.control.set_children(Vec::new());
    web.stopping.send_replace(true);
    assert_eq!(web.get("/readyz").json()["detail"], "actors: the guardian does not answer; process: it is stopping");
    assert_eq!(web.get("/healthz").status, 200, "alive to the end");
}

/// What is measured can be read by Prometheus.
#[test]
fn metrics_are_open_metrics() {
    let web = TestWeb::start();
    let metrics = web.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(metrics.body.contains("# TYPE inkdex_open_jobs gauge") && metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
}

#[test]
fn head_is_answered_as_get_without_a_body() {
    let web = TestWeb::start();
    for target in ["/healthz", "/v1/styles", "/", "/openapi.json"] {
        let (get, head) = (web.page(target), web.send("HEAD", target, &[("Accept", "text/html")], None));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{target}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{target}");
    }
}
