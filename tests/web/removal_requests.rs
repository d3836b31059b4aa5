//! Asking to be removed or corrected, by the API and by the pages: what is taken, what is refused, and that nothing is told about
//! anybody.

use crate::support::http::{Answer, TestWeb};
use crate::support::ports::sync_index;
use inkdex::domain::removal_request::{CHECK_EVERY, ReceiptToken, RequestId};
use serde_json::{Value, json};

const TARGET: &str = "/v1/removal-requests";

fn ask(web: &TestWeb, body: &Value) -> Answer {
    web.post(TARGET, &body.to_string())
}

/// Sends a form as a browser does.
fn send_form(web: &TestWeb, target: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
    web.send("POST", target, &headers, Some(&body))
}

fn request_id(receipt: &str) -> String {
    RequestId::of(&ReceiptToken::parse(receipt).expect("a receipt")).to_string()
}

fn artist_id(web: &TestWeb, handle: &str) -> String {
    web.get(&format!("/v1/artists?instagram={handle}")).json()["artists"][0]["id"].as_str().expect("an id").to_owned()
}

/// 006-6: asked for, approved, and gone from every address; the receipt tells each step, and nothing personal is left.
#[test]
fn a_request_goes_from_the_receipt_to_its_end() {
    let web = TestWeb::seeded();
    let id = artist_id(&web, "ana.lima.ink");
    let received = ask(&web, &json!({ "handle": "@Ana.Lima.Ink", "contact": "ana@post.example" }));
    assert_eq!(received.status, 201, "{}", received.body);
    assert_eq!(received.header("cache-control"), Some("no-store"));
    let said = received.json();
    let (receipt, href) = (said["receipt"].as_str().unwrap(), said["href"].as_str().unwrap());
    assert_eq!((received.header("location"), said["state"].as_str()), (Some(href), Some("RECEIVED")));
    let token = said["proof"]["token"].as_str().unwrap();
    assert!(said["proof"]["meta"].as_str().unwrap().contains(token) && token.starts_with("inkdex-proof-"));
    assert_eq!(web.get(href).json()["state"], "RECEIVED");

    let list = web.get("/admin/v1/removal-requests").json();
    let shown = &list["requests"][0];
    assert_eq!((shown["id"].as_str(), shown["about"].as_str()), (Some(request_id(receipt).as_str()), Some("@ana.lima.ink")));
    assert_eq!((shown["contact"].as_str(), shown["artist_id"].as_str()), (Some("ana@post.example"), Some(id.as_str())));
    assert!(!list.to_string().contains(receipt), "operators do not hold the receipt");
    let approve = format!("/admin/v1/removal-requests/{}:approve", request_id(receipt));
    let approved = web.post(&approve, r#"{"reason":"answered by mail"}"#);
    assert_eq!((approved.status, &approved.json()["state"]), (200, &"DONE".into()), "{}", approved.body);

    assert_eq!(web.get(&format!("/v1/artists/{id}")).status, 404);
    assert_eq!(web.page(&format!("/artists/{id}")).status, 404);
    web.run(sync_index(&web.ports));
    assert_eq!(web.get("/v1/artists?query=ana+lima").json()["total"], 0);
    let ended = web.get(href).json();
    assert_eq!((&ended["state"], &ended["proof"]), (&"DONE".into(), &Value::Null));
    assert_eq!(web.get("/admin/v1/removal-requests").json()["requests"].as_array().map(Vec::len), Some(0));
    for answer in [web.get("/admin/v1/audit"), web.get(href), web.get(&format!("/admin/v1/removal-requests/{}", request_id(receipt)))] {
        assert!(
            !answer.body.contains("ana.lima") && !answer.body.contains("post.example") && !answer.body.contains("Ana Lima"),
            "{}",
            answer.body
        );
    }
    let again = web.post(&approve, "{}");
    assert_eq!((again.status, &again.json()["code"]), (409, &"request_state".into()));
}

/// Rule 15: whether somebody was removed, never was here, or is here without a site of their own is answered alike.
#[test]
fn nobody_learns_who_is_here() {
    let web = TestWeb::seeded();
    let removed = artist_id(&web, "yuki.nagi");
    assert_eq!(web.post(&format!("/admin/v1/artists/{removed}:remove"), "{}").status, 200);
    let plain = |answer: &Answer| {
        let mut said = answer.json();
        for told_once in ["receipt", "href", "created_at", "changed_at"] {
            said[told_once] = Value::Null;
        }
        said["proof"]["token"] = Value::Null;
        said["proof"]["meta"] = Value::Null;
        (answer.status, said)
    };
    let mut answers = Vec::new();
    for handle in ["hanaseo.line", "yuki.nagi", "nobody.at.all"] {
        let received = ask(&web, &json!({ "handle": handle, "contact": "c" }));
        let href = received.json()["href"].as_str().unwrap().to_owned();
        let looked = web.post(&format!("{href}:check-proof"), "");
        answers.push((plain(&received), plain(&looked), plain(&web.get(&href))));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(answers[0].1.1["look"], "not_found");
    // A second look comes too soon, and a receipt that was never given leads nowhere.
    let href = ask(&web, &json!({ "site": "ana.example", "contact": "c" })).json()["href"].as_str().unwrap().to_owned();
    assert_eq!(web.post(&format!("{href}:check-proof"), "").status, 200);
    let soon = web.post(&format!("{href}:check-proof"), "");
    assert_eq!((soon.status, &soon.json()["code"]), (409, &"request_state".into()), "within {CHECK_EVERY:?}");
    for receipt in ["0".repeat(32), "x".to_owned(), "%2e%2e%2f".to_owned(), "A".repeat(5_000)] {
        assert_eq!(web.get(&format!("{TARGET}/{receipt}")).json()["code"], "unknown_request");
        assert_eq!(web.page(&format!("/removal/{receipt}")).status, 404);
    }
}

/// Everything that is wrong is told at once, and nothing of it is stored.
#[test]
fn hostile_requests_are_refused() {
    let web = TestWeb::start();
    let long = "x".repeat(60_000);
    for (body, blamed) in [
        (json!({}), vec!["site", "contact"]),
        (json!({ "handle": "a b", "contact": "c" }), vec!["handle"]),
        (json!({ "handle": "ana", "site": "ana.example", "contact": "c" }), vec!["site"]),
        (json!({ "site": "http://127.0.0.1/", "contact": "c" }), vec!["site"]),
        (json!({ "site": "http://[::1]/", "contact": "c" }), vec!["site"]),
        (json!({ "site": "file:///etc/passwd", "contact": "c" }), vec!["site"]),
        (json!({ "artist": "artist-\u{202e}x", "contact": "\u{200b}\u{202e}" }), vec!["artist", "contact"]),
        (json!({ "handle": "ana", "contact": long }), vec!["contact"]),
        (json!({ "handle": long, "contact": "c" }), vec!["handle"]),
        (json!({ "handle": "ana", "contact": "c", "correction": { "field": "colour", "value": "red" } }), vec!["correction"]),
        (json!({ "handle": "ana", "contact": "c", "correction": { "field": "emails", "value": "no" } }), vec!["correction"]),
    ] {
        let answer = ask(&web, &body);
        let told = answer.json();
        assert_eq!((answer.status, &told["code"]), (400, &"invalid_parameters".into()), "{}", answer.body);
        let names: Vec<&str> = told["problems"].as_array().unwrap().iter().map(|one| one["parameter"].as_str().unwrap()).collect();
        assert_eq!(names, blamed, "{}", answer.body);
    }
    for body in [r#"{"handle":"ana","contact":"c","admin":true}"#, "{", r#"{"handle":7,"contact":"c"}"#] {
        assert_eq!(web.post(TARGET, body).json()["code"], "invalid_body", "{body}");
    }
    assert_eq!(web.run(web.ports.store.open_requests(10)).unwrap().len(), 0);
    let script = "<script>alert(1)</script>";
    let page = send_form(&web, "/removal", &[("named", "handle"), ("about", script), ("contact", script)]);
    assert_eq!(page.status, 400);
    assert!(!page.body.contains(script) && page.body.contains("&#60;script&#62;"), "{}", page.body);
    assert!(!web.page("/removal?artist=%22%3E%3Cscript%3E").body.contains("\"><script>"));
    assert_eq!(web.send("POST", "/removal", &[("Content-Type", "text/plain")], Some("about=x")).status, 400);
    let many: Vec<(&str, &str)> = vec![("a", "b"); 200];
    assert_eq!(send_form(&web, "/removal", &many).status, 400);
}

/// Strangers write so much and no more.
#[test]
fn too_many_requests_are_turned_away() {
    let web = TestWeb::start();
    let statuses: Vec<u16> = (0..101).map(|n| ask(&web, &json!({ "handle": format!("ana{n}"), "contact": "c" })).status).collect();
    assert!(statuses[..100].iter().all(|status| *status == 201), "{statuses:?}");
    assert_eq!(statuses[100], 429);
    let refused = ask(&web, &json!({ "handle": "bo", "contact": "c" }));
    assert_eq!(refused.json()["code"], "too_many_requests");
    assert!(refused.header("retry-after").and_then(|wait| wait.parse::<u64>().ok()).is_some_and(|wait| (1..=3_600).contains(&wait)));
    assert_eq!(send_form(&web, "/removal", &[("named", "handle"), ("about", "bo"), ("contact", "c")]).status, 429);
    assert_eq!(web.run(web.ports.store.open_requests(1_000)).unwrap().len(), 100);
}

/// 006-7: an operator's word stands on the page and in the API, and is told apart from what was read.
#[test]
fn a_correction_says_whose_word_it_is() {
    let web = TestWeb::seeded();
    let id = artist_id(&web, "ana.lima.ink");
    let correct = |body: Value| web.post(&format!("/admin/v1/artists/{id}:correct"), &body.to_string());
    assert_eq!(web.get(&format!("/v1/artists/{id}")).json()["confirmed"], json!({}));
    for (body, status, code) in [
        (json!({ "field": "colour", "value": "red" }), 400, "invalid_parameters"),
        (json!({ "field": "place", "value": "Porto, Atlantis" }), 400, "invalid_parameters"),
        (json!({ "field": "place" }), 400, "invalid_parameters"),
        (json!({ "field": "place", "value": "Porto", "confirm": true }), 400, "invalid_parameters"),
        (json!({ "field": "socials", "confirm": true }), 409, "not_corrected"),
        (json!({ "field": "bio", "withdraw": true }), 409, "not_corrected"),
        (json!({ "field": "instagram", "value": "yuki.nagi" }), 409, "not_corrected"),
    ] {
        let refused = correct(body);
        assert_eq!((refused.status, refused.json()["code"].as_str().unwrap()), (status, code), "{}", refused.body);
    }
    // The seed has no evidence rows, which a scrape writes: the name and page come from one.
    web.run(crate::support::people::evidence_of(&web.ports, &id));
    let corrected = correct(json!({ "field": "place", "value": "Porto, Portugal", "reason": "she moved" }));
    assert_eq!(corrected.status, 200, "{}", corrected.body);
    let now = web.get(&format!("/v1/artists/{id}")).json();
    assert_eq!((&now["confirmed"]["place"], &now["city"]["value"]), (&"operator".into(), &"Porto".into()));
    assert_eq!((&now["city"]["evidence"]["basis"], &now["city"]["evidence"]["extractor"]), (&"confirmed".into(), &"operator".into()));
    assert_eq!(now["name"]["evidence"]["basis"], "printed");
    assert!(web.page(&format!("/artists/{id}")).body.contains("confirmed by an operator"));
    let audit = web.get("/admin/v1/audit").json()["entries"][0].clone();
    assert_eq!((&audit["verb"], &audit["reason"]), (&"artist.correct".into(), &"she moved".into()));
    assert!(!audit.to_string().contains("Porto"), "{audit}");
    assert_eq!(correct(json!({ "field": "place", "withdraw": true })).status, 200);
    assert_eq!(web.get(&format!("/v1/artists/{id}")).json()["city"]["value"], "Lisbon");
}
