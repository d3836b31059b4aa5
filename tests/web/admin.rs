//! The admin API (002-C7): whom it answers, sessions, actors, depth, audit, and what bodies it takes.

use crate::support::http::{BODY_DEADLINE, TestWeb};
use inkdex::domain::ids::SessionId;
use inkdex::domain::session::Session;
use inkdex::jobs::report::{Report, report_key};
use inkdex::jobs::sessions::move_on;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Every address of the admin API with its method, from the API's own description.
fn addresses(web: &TestWeb) -> Vec<(String, String)> {
    let document = web.get("/openapi.json").json();
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut addresses = Vec::new();
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/admin/")) {
        for method in item.as_object().expect("methods").keys() {
            addresses.push((method.to_uppercase(), path.replace("{id}", "some-id")));
        }
    }
    assert!(addresses.len() >= 11, "{addresses:?}");
    addresses
}

/// 002-C7: other names than this machine's, proxies, and pages of other origins are refused everywhere, before anything else.
#[test]
fn strangers_are_refused_everywhere() {
    let web = TestWeb::start();
    let local = web.address.to_string();
    let by_name = format!("localhost:{}", web.address.port());
    for (method, target) in addresses(&web) {
        let mut refused: Vec<Vec<(&str, &str)>> = vec![
            vec![("Host", "evil.example")],
            vec![("Host", "127.0.0.1.evil.example")],
            vec![("Host", &local), ("X-Forwarded-For", "203.0.113.9")],
            vec![("Host", &local), ("Forwarded", "for=203.0.113.9")],
            vec![("Host", "")],
        ];
        if method != "GET" {
            refused.push(vec![("Host", &local), ("Origin", "http://evil.example")]);
            refused.push(vec![("Host", &local), ("Origin", "null")]);
            refused.push(vec![("Host", &local), ("Sec-Fetch-Site", "cross-site")]);
            refused.push(vec![("Host", &local), ("Sec-Fetch-Site", "same-site")]);
        }
        for headers in refused {
            let answer = web.send(&method, &target, &headers, None);
            assert_eq!(answer.status, 403, "{method} {target} {headers:?}: {}", answer.body);
            assert_eq!(answer.json()["code"], "forbidden");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        for headers in [vec![("Host", local.as_str())], vec![("Host", by_name.as_str())]] {
            let answer = web.send(&method, &target, &headers, None);
            assert_ne!(answer.status, 403, "{method} {target} {headers:?}: {}", answer.body);
        }
    }
    assert_eq!(
        web.run(web.ports.store.sessions(10)).unwrap().len(),
        1,
        "only the first admitted start began a session, the second met it running"
    );
    // An address that is not there tells strangers no more than the others.
    assert_eq!(web.send("GET", "/admin/v1/nothing", &[("Host", "evil.example")], None).status, 403);
    assert_eq!(web.get("/admin/v1/nothing").status, 404);
}

#[test]
fn two_host_headers_and_a_foreign_request_target_are_refused() {
    let web = TestWeb::start();
    let local = web.address;
    for head in [
        format!("GET /admin/v1/depth HTTP/1.1\r\nHost: {local}\r\nHost: evil.example\r\n"),
        format!("GET /admin/v1/depth HTTP/1.1\r\nHost: evil.example\r\nHost: {local}\r\n"),
        format!("GET http://evil.example/admin/v1/depth HTTP/1.1\r\nHost: {local}\r\n"),
        "GET /admin/v1/depth HTTP/1.0\r\n".to_owned(),
    ] {
        let answer = web.raw(format!("{head}Connection: close\r\n\r\n").as_bytes());
        assert!(matches!(answer.status, 400 | 403), "{head}: {} {}", answer.status, answer.body);
    }
}

#[test]
fn the_admin_api_can_be_turned_off() {
    let web = TestWeb::start_with(false);
    assert_eq!(web.get("/admin/v1/depth").json()["code"], "unknown_route");
    assert_eq!(web.post("/admin/v1/sessions", "{}").status, 404);
    let document = web.get("/openapi.json").json();
    assert!(document["paths"].as_object().expect("paths").keys().all(|path| !path.starts_with("/admin")));
    assert_eq!(web.get("/v1/styles").status, 200);
}

/// 002-C5: a session is started by hand, and is shown with its steps, their jobs and its report.
#[test]
fn a_session_is_started_and_shown() {
    let web = TestWeb::start();
    let started = web.post("/admin/v1/sessions", "");
    assert_eq!(started.status, 202, "{}", started.body);
    let id = started.json()["session_id"].as_str().expect("an id").to_owned();
    let location = format!("/admin/v1/sessions/{id}");
    assert_eq!(started.header("location"), Some(location.as_str()));
    web.run(move_on(&web.ports, &SessionId::new(&id))).expect("the session moves on");
    let second = web.post("/admin/v1/sessions", "");
    assert_eq!((second.status, &second.json()["code"]), (409, &"session_runs".into()), "two sessions ask the same sites twice");
    let list = web.get("/admin/v1/sessions").json();
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!((&list["sessions"][0]["trigger"], &list["sessions"][0]["state"]), (&"manual".into(), &"RUNNING".into()));
    let detail = web.get(&location).json();
    let steps: Vec<&str> = detail["steps"].as_array().expect("steps").iter().map(|step| step["name"].as_str().expect("a name")).collect();
    assert_eq!(steps, ["discover", "find_artists", "scrape", "report"]);
    assert_eq!(detail["steps"][0]["jobs"].as_object().expect("counts").values().filter_map(Value::as_u64).sum::<u64>(), 1);
    assert_eq!(detail["report"], Value::Null);
    web.run(async {
        let key = report_key(&SessionId::new(&id));
        let report = Report { session_id: id.clone(), found: 3, ..Report::default() };
        web.ports.objects.put(&key, serde_json::to_vec(&report).unwrap()).await.unwrap();
        let session = web.ports.store.session(&SessionId::new(&id)).await.unwrap().unwrap();
        let next = Session { report: Some(key), epoch: session.epoch + 1, ..session.clone() };
        assert!(web.ports.store.put_session(session.epoch, &next).await.unwrap());
    });
    assert_eq!(web.get(&location).json()["report"]["found"], 3);
    assert_eq!(web.get("/admin/v1/sessions/nothing").json()["code"], "unknown_session");
    assert_eq!(web.get("/admin/v1/sessions?limit=0").status, 400);
}

/// As `inkdex run --fresh` asks the daemon: the session says that every page is asked for anew.
#[test]
fn a_session_may_ask_for_every_page_anew() {
    for (body, trigger) in [("{\"fresh\": true}", "fresh"), ("{\"fresh\": false}", "manual")] {
        let web = TestWeb::start();
        let id = web.post("/admin/v1/sessions", body).json()["session_id"].as_str().expect("an id").to_owned();
        assert_eq!(web.get(&format!("/admin/v1/sessions/{id}")).json()["trigger"], trigger);
    }
    assert_eq!(TestWeb::start().post("/admin/v1/sessions", "{\"fresher\": true}").status, 400);
}

#[test]
fn actors_and_depth_are_shown() {
    let web = TestWeb::start();
    let survey = web.get("/admin/v1/actors").json();
    assert_eq!((&survey["children"][0]["name"], &survey["children"][0]["alive"]), (&"scheduler".into(), &true.into()));
    assert_eq!(web.get("/admin/v1/depth").json()["ledger"]["open"], 0);
    let id = web.post("/admin/v1/sessions", "{}").json()["session_id"].as_str().expect("an id").to_owned();
    web.run(move_on(&web.ports, &SessionId::new(id))).expect("the session moves on");
    let depth = web.get("/admin/v1/depth").json();
    assert_eq!((&depth["ledger"]["open"], &depth["queue"]["visible"]), (&1.into(), &1.into()), "{depth}");
}

/// Bodies are JSON, of the fields that are known, small, and in time.
#[test]
fn bodies_are_refused_for_what_is_wrong_with_them() {
    let web = TestWeb::start();
    let target = "/admin/v1/artists/artist-1:remove";
    let code = |answer: &crate::support::http::Answer| (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(code(&web.post(target, r#"{"reson":"typo"}"#)), (400, "invalid_body".to_owned()));
    assert_eq!(code(&web.post(target, r#"{"reason":1}"#)), (400, "invalid_body".to_owned()));
    assert_eq!(code(&web.post(target, "reason=x")), (400, "invalid_body".to_owned()));
    assert_eq!(code(&web.send("POST", target, &[("Content-Type", "text/plain")], Some("{}"))), (415, "not_json".to_owned()));
    assert_eq!(code(&web.send("POST", target, &[], Some("{}"))), (415, "not_json".to_owned()));
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(code(&web.post(target, &long)), (413, "body_too_large".to_owned()));
    assert_eq!(code(&web.post(target, r#"{"reason":"asked by letter"}"#)), (404, "unknown_artist".to_owned()));
    assert_eq!(code(&web.post("/admin/v1/sessions", r#"{"pipeline":"daily"}"#)), (400, "invalid_body".to_owned()));
}

#[test]
fn a_body_that_drips_is_cut_off() {
    let web = TestWeb::start();
    let mut stream = TcpStream::connect(web.address).unwrap();
    stream.set_read_timeout(Some(BODY_DEADLINE * 50)).unwrap();
    let head = format!(
        "POST /admin/v1/sessions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{",
        web.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(web.run(web.ports.store.sessions(10)).unwrap().len(), 0);
}
