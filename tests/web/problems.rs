//! Errors of the API (002-X9: RFC 9457) and the headers of every answer.

use crate::support::http::{Answer, TestWeb};

fn pretty(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    serde_json::to_string_pretty(&answer.json()).expect("JSON")
}

/// Every wrong parameter is told at once, an unknown one among them, each with what to write instead.
#[test]
fn all_wrong_parameters_are_told_at_once() {
    let web = TestWeb::start();
    let answer = web.get("/v1/artists?style=blackwrok&limit=51&near=north&sort=name&location=Berlin&location=London");
    insta::assert_snapshot!(pretty(&answer), @r#"
    {
      "type": "/errors#invalid_parameters",
      "title": "Parameters of the request cannot be used",
      "status": 400,
      "detail": "sort: there is no such parameter; there are query, style, location, near, radius_km, instagram, page_token and limit; location: it is given twice; give it once; limit: `51` is no whole number from 1 to 50; style: `blackwrok` is no style that we know; did you mean blackwork or blackout?; near: `north` is no point on the earth; write `latitude,longitude` in degrees, -90 to 90 and -180 to 180, as `51.5074,-0.1278`",
      "code": "invalid_parameters",
      "retryable": false,
      "problems": [
        {
          "parameter": "sort",
          "message": "there is no such parameter; there are query, style, location, near, radius_km, instagram, page_token and limit"
        },
        {
          "parameter": "location",
          "message": "it is given twice; give it once"
        },
        {
          "parameter": "limit",
          "message": "`51` is no whole number from 1 to 50"
        },
        {
          "parameter": "style",
          "message": "`blackwrok` is no style that we know; did you mean blackwork or blackout?"
        },
        {
          "parameter": "near",
          "message": "`north` is no point on the earth; write `latitude,longitude` in degrees, -90 to 90 and -180 to 180, as `51.5074,-0.1278`"
        }
      ]
    }
    "#);
    for target in ["/v1/styles?sort=name", "/v1/artists/artist-1?fields=name", "/admin/v1/depth?x=1"] {
        let answer = web.get(target);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("invalid_parameters")), "{target}");
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("this address takes none")), "{}", answer.body);
    }
}

#[test]
fn what_is_not_there_is_a_problem() {
    let web = TestWeb::start();
    insta::assert_snapshot!(pretty(&web.get("/v1/artists/artist-nobody")), @r#"
    {
      "type": "/errors#unknown_artist",
      "title": "There is no such artist",
      "status": 404,
      "detail": "nobody in the directory has this id; /v1/artists finds people",
      "code": "unknown_artist",
      "retryable": false
    }
    "#);
    insta::assert_snapshot!(pretty(&web.get("/v1/painters")), @r#"
    {
      "type": "/errors#unknown_route",
      "title": "There is nothing at this address",
      "status": 404,
      "detail": "there is nothing at /v1/painters; /openapi.json lists the API",
      "code": "unknown_route",
      "retryable": false
    }
    "#);
    let page = web.page("/v1/painters");
    assert_eq!(page.header("content-type"), Some("application/problem+json"), "the API speaks to browsers as to programs");
    let odd = ["/v1/artists/%00", "/v1/artists/..%2f..%2fetc", &format!("/v1/artists/{}", "x".repeat(5_000))];
    for target in odd {
        assert_eq!(web.get(target).status, 404, "{target}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let web = TestWeb::start();
    for (method, target, allow) in [
        ("DELETE", "/v1/artists/artist-1", "GET, HEAD"),
        ("POST", "/v1/styles", "GET, HEAD"),
        ("PUT", "/admin/v1/sessions", "GET, POST, HEAD"),
        // 002-C7: nothing is changed by reading.
        ("GET", "/admin/v1/artists/artist-1:remove", "POST"),
        ("HEAD", "/admin/v1/artists/artist-1:remove", "POST"),
    ] {
        let answer = web.send(method, target, &[], None);
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
    }
    insta::assert_snapshot!(pretty(&web.send("DELETE", "/v1/styles", &[], None)), @r#"
    {
      "type": "/errors#method_not_allowed",
      "title": "The address does not take this method",
      "status": 405,
      "detail": "/v1/styles does not take DELETE; it takes GET, HEAD",
      "code": "method_not_allowed",
      "retryable": false
    }
    "#);
}

/// Headers as sent, but for the date and the length.
fn headers(answer: &Answer) -> String {
    let mut lines: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length" | "connection"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn headers_are_exactly_these() {
    let web = TestWeb::start();
    insta::assert_snapshot!(headers(&web.page("/")), @r#"
    cache-control: no-cache
    content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: no-referrer
    x-content-type-options: nosniff
    "#);
    insta::assert_snapshot!(headers(&web.get("/v1/styles")), @r#"
    cache-control: no-cache
    content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: application/json
    cross-origin-opener-policy: same-origin
    referrer-policy: no-referrer
    x-content-type-options: nosniff
    "#);
    insta::assert_snapshot!(headers(&web.get("/admin/v1/depth")), @r#"
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: application/json
    cross-origin-opener-policy: same-origin
    referrer-policy: no-referrer
    x-content-type-options: nosniff
    "#);
    let home = web.page("/").body;
    for name in ["inkdex.css", "htmx.min.js", "icon.svg"] {
        let end = home.find(name).expect("a link") + name.len();
        let start = home[..end].rfind("/static/").expect("a path");
        let asset = web.get(&home[start..end]);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{name}");
        assert_eq!(web.get(&format!("/static/0000000000000000/{name}")).status, 404, "{name} of another content");
    }
    // Refusals and missing pages carry them as well.
    for answer in [web.page("/nowhere"), web.get("/nowhere"), web.send("GET", "/admin/v1/depth", &[("Host", "evil.example")], None)] {
        for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy"] {
            assert!(answer.header(name).is_some(), "{name}: {answer:?}");
        }
    }
}

/// Answers are compressed where the other side takes it.
#[test]
fn answers_are_compressed_on_request() {
    let web = TestWeb::start();
    let plain = web.get("/v1/styles");
    let packed = web.send("GET", "/v1/styles", &[("Accept-Encoding", "gzip")], None);
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
}
