//! What a made-up site answers: pages, robots.txt, style sheet, pictures, and the errors of a real server.

use std::time::Duration;

use super::site::{DemoSite, Layout};
use super::{DemoWeb, render};

/// An answer of a made-up site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoResponse {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case with their values; `content-length` is the server's.
    pub headers: Vec<(&'static str, String)>,
    /// The body as it goes over the wire, before any content coding.
    pub body: Vec<u8>,
    /// How long the site takes before it answers.
    pub delay: Duration,
}

/// A picture of four bytes more than nothing: pictures are never looked at.
const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 5"><rect width="4" height="5" fill="#888"/></svg>"##;

/// See [`DemoWeb::respond`].
pub(super) fn respond(web: &DemoWeb, host: &str, path: &str) -> DemoResponse {
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let Some(site) = web.site(&host) else {
        return answer(421, "text/plain; charset=utf-8", "no such made-up site\n");
    };
    let mut response = on_site(web, site, path);
    response.delay = site.delay;
    response
}

/// The 429 that a site with `rate_limits_once` gives to the first request for a page.
pub(super) fn too_many_requests(delay: Duration) -> DemoResponse {
    let mut response = answer(429, "text/plain; charset=utf-8", "slow down, please\n");
    response.headers.push(("retry-after", "1".to_owned()));
    response.delay = delay;
    response
}

fn on_site(web: &DemoWeb, site: &DemoSite, path: &str) -> DemoResponse {
    if path == "/robots.txt" {
        return answer(200, "text/plain; charset=utf-8", &robots(site));
    }
    if path == "/style.css" {
        return answer(200, "text/css; charset=utf-8", render::STYLE_SHEET);
    }
    if path.ends_with(".jpg") {
        return answer(200, "image/svg+xml", PICTURE);
    }
    if let Some(page) = site.pages.iter().find(|page| page.path == path) {
        return match render::page(web, site, page.content, path) {
            Ok(html) => html_answer(site, 200, &html),
            Err(error) => answer(500, "text/plain; charset=utf-8", &format!("template failed: {error}\n")),
        };
    }
    let with_slash = format!("{path}/");
    if site.pages.iter().any(|page| page.path == with_slash) {
        let mut response = answer(301, "text/plain; charset=utf-8", "moved\n");
        response.headers.push(("location", with_slash));
        return response;
    }
    html_answer(site, 404, "<!doctype html><title>404</title><h1>404</h1><p>Nothing here. <a href=\"/\">Home</a></p>")
}

fn robots(site: &DemoSite) -> String {
    let mut lines = vec!["User-agent: *".to_owned()];
    // A checkout is what most shops forbid; it does not exist here, as it mostly does not there.
    let forbidden = site.disallowed.iter().map(String::as_str).chain(["/checkout/"]);
    lines.extend(forbidden.map(|prefix| format!("Disallow: {prefix}")));
    lines.push(String::new());
    lines.join("\n")
}

fn html_answer(site: &DemoSite, status: u16, html: &str) -> DemoResponse {
    if site.layout == Layout::Table {
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(html);
        let mut response = answer(status, "text/html", "");
        response.body = bytes.into_owned();
        return response;
    }
    answer(status, "text/html; charset=utf-8", html)
}

fn answer(status: u16, content_type: &str, body: &str) -> DemoResponse {
    DemoResponse { status, headers: vec![("content-type", content_type.to_owned())], body: body.as_bytes().to_vec(), delay: Duration::ZERO }
}
