//! The pages: links that work without JavaScript, and nothing of a page that was read runs in ours.

use crate::support::http::{Answer, TestWeb};
use crate::support::people::{fact, write};
use crate::support::ports::sync_index;
use inkdex::domain::artist::Artist;
use inkdex::domain::facts::Fact;
use inkdex::domain::ids::StudioId;
use inkdex::jobs::Ports;
use std::time::Duration;
use url::Url;

/// Attribute values of elements of a class, in order, with the text up to the element's end.
fn elements<'a>(page: &'a str, opening: &str, attribute: &str, closing: &str) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    for part in page.split(opening).skip(1) {
        let value = part.split(&format!("{attribute}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("the attribute");
        let text = part.split(closing).next().expect("the end");
        found.push((value.replace("&#38;", "&").replace("&amp;", "&"), text));
    }
    found
}

fn count_of(page: &Answer) -> u64 {
    let text = page.body.split("role=\"status\"><strong>").nth(1).and_then(|rest| rest.split(' ').next()).expect("a count");
    text.replace(',', "").parse().expect("a number")
}

/// 002-C6: the filters are plain links, and each leads to as many artists as it says.
#[test]
fn every_filter_is_a_link_to_what_it_counts() {
    let web = TestWeb::seeded();
    for start in ["/", "/?style=blackwork", "/?location=Berlin,+Germany", "/?query=quiet+needle"] {
        let page = web.page(start);
        let choices = elements(&page.body, "<a class=\"choice\"", "href", "</a>");
        assert!(choices.len() > 4, "{start} has {} filters", choices.len());
        for (href, text) in choices {
            let count: u64 =
                text.split("choice-count\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a count").parse().unwrap();
            let there = web.page(&href);
            assert_eq!(there.status, 200, "{start} -> {href}");
            // Leaving a filter or adding a style to others widens; only a first choice leads to exactly what it counts.
            let adds_a_style = start.contains("style=") && href.matches("style=").count() > 1;
            if !text.contains("aria-current") && !adds_a_style {
                assert_eq!(count_of(&there), count, "{start} -> {href}");
            } else {
                assert!(count_of(&there) >= count, "{start} -> {href}");
            }
        }
    }
}

#[test]
fn the_next_page_is_a_link() {
    let web = TestWeb::seeded();
    let first = web.page("/?style=blackwork&style=realism&style=floral&limit=5");
    let total = count_of(&first);
    let mut cards = elements(&first.body, "<li class=\"card\">", "href", "</li>").len() as u64;
    assert_eq!(cards, 5);
    let mut page = first;
    while let Some((next, _)) = elements(&page.body, "id=\"page-next\"", "href", "</a>").first() {
        page = web.page(next);
        cards += elements(&page.body, "<li class=\"card\">", "href", "</li>").len() as u64;
    }
    assert_eq!(cards, total);
    assert!(page.body.contains("id=\"page-first\""));
}

#[test]
fn the_form_works_without_javascript() {
    let web = TestWeb::seeded();
    let page = web.page("/?query=&location=Berlin&style=blackwork");
    assert_eq!((page.status, count_of(&page)), (200, 1));
    assert!(page.body.contains(r#"<input type="hidden" name="style" value="blackwork" form="search">"#));
    assert!(page.body.contains(r#"value="Berlin""#));
    // What is typed is not kept in the address beyond what it says.
    let typed = web.send("GET", "/?query=ana&location=&style=fine-line", &[("HX-Request", "true"), ("HX-Trigger", "q")], None);
    assert_eq!(typed.header("hx-replace-url"), Some("/?query=ana&style=fine-line"));
    assert_eq!(page.header("hx-replace-url"), None);
}

#[test]
fn pages_say_what_went_wrong() {
    let web = TestWeb::seeded();
    let nobody = web.page("/?query=zebra");
    assert_eq!(nobody.status, 200);
    assert!(nobody.body.contains("Nobody fits all of that") && nobody.body.contains("href=\"/?style=blackwork\""));
    let wrong = web.page("/?style=blackwrok&near=north");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("did you mean blackwork") && wrong.body.contains("is no point on the earth"), "{}", wrong.body);
    for target in ["/nowhere", "/artists/artist-nobody"] {
        let missing = web.page(target);
        assert_eq!((missing.status, missing.header("content-type")), (404, Some("text/html; charset=utf-8")), "{target}");
        assert!(missing.body.contains("Nothing here."));
    }
    let empty = TestWeb::start().page("/");
    assert!(empty.status == 200 && empty.body.contains("The directory is still empty"));
}

#[test]
fn the_bot_and_removal_are_explained() {
    let web = TestWeb::start();
    let bot = web.page("/bot").body;
    assert!(bot.contains("User-agent: Inkdex\nDisallow: /") && bot.contains("/privacy#removal"));
    // The ceilings that fetching keeps to.
    assert!(bot.contains("<code>Content-Signal</code>") && bot.contains("<code>search=no</code> keeps it away"), "{bot}");
    assert!(bot.contains("up to 300 seconds") && bot.contains("up to 24 hours"), "{bot}");
    let privacy = web.page("/privacy").body;
    assert!(privacy.contains("id=\"removal\"") && privacy.contains("href=\"/removal\"") && privacy.contains("id=\"correction\""));
    let errors = web.page("/errors").body;
    for code in inkdex::web::Code::ALL {
        assert!(errors.contains(&format!("<tr id=\"{}\">", code.as_str())), "{code:?}");
    }
}

/// What a hostile page may have put into a field; `mark` tells where it came out.
/// People read the API on a page of its own; whom to write to stands where removal is explained.
#[test]
fn the_api_and_whom_to_write_to_are_shown_to_people() {
    let web = TestWeb::start();
    let api = web.page("/api").body;
    for told in ["GET /v1/artists", "radius_km", "GET /v1/artists/{id}", "POST /admin/v1/sessions", "/openapi.json"] {
        assert!(api.contains(told), "/api does not tell {told}");
    }
    assert!(!TestWeb::start_with(false).page("/api").body.contains("/admin/"), "requests are explained that are not served");
    for target in ["/privacy", "/bot"] {
        let page = web.page(target).body;
        assert!(page.contains("<a href=\"mailto:help@inkdex.example\">help@inkdex.example</a>"), "{target} names nobody to write to");
    }
    let unknown = web.page("/artists/artist-nobody").body;
    assert!(unknown.contains("not in the directory") && !unknown.contains("/v1/artists"), "a visitor is told of the API");
}

fn payload(mark: &str) -> String {
    format!("{mark}\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{{{7*7}}}}")
}

fn hostile_url(mark: &str) -> Url {
    Url::parse(&format!("https://needle.example/{mark}\"'><script>alert(1)</script>?q=\"'><img src=x>#\"onload='")).unwrap()
}

fn hostile_artist(ports: &Ports) -> Artist {
    let page = hostile_url("evidence");
    let text = |mark: &str| -> Fact<String> { fact(ports, payload(mark), &page, &payload("extractor"), 0.5, Duration::ZERO) };
    let link = |url: Url| -> Fact<Url> { fact(ports, url, &page, "links", 0.5, Duration::ZERO) };
    let script = Url::parse("javascript:alert(document.domain)").unwrap();
    let data = Url::parse("data:text/html,<script>alert(1)</script>").unwrap();
    Artist {
        name: text("name"),
        studio: Some(text("studio")),
        studio_ids: vec![StudioId::new("studio-1")],
        country: Some(text("country")),
        region: Some(text("region")),
        city: Some(text("city")),
        coordinates: None,
        instagram: Some(text("instagram")),
        socials: vec![link(hostile_url("social")), link(script.clone())],
        emails: vec![text("email")],
        phones: vec![text("phone")],
        styles: vec![text("style")],
        images: vec![link(hostile_url("image")), link(script.clone()), link(data)],
        bio: Some(text("bio")),
        pages: vec![hostile_url("page"), script.clone()],
        own_site: Some(script),
        confirmed: std::collections::BTreeMap::new(),
    }
}

fn assert_harmless(page: &Answer, target: &str) {
    let body = &page.body;
    for hostile in ["<script>alert", "<img", "onerror=alert(2)>", "href=\"javascript:", "href=\"data:", "49}}"] {
        assert!(!body.contains(hostile), "{target} holds {hostile}");
    }
    // Every double quote inside a tag belongs to us: none of a payload's closes an attribute.
    assert!(!body.contains("\"'>"), "{target} closes an attribute");
    assert_eq!(body.matches("<script").count(), 1, "{target} has our script and no other");
}

/// Every field that was read somewhere comes out escaped, on every page; links lead to the web only, and are marked.
#[test]
fn nothing_that_was_read_runs() {
    let web = TestWeb::start();
    let id = web.run(async {
        let id = write(&web.ports, "hostile", hostile_artist(&web.ports)).await;
        sync_index(&web.ports).await;
        id
    });
    let target = format!("/artists/{id}");
    let page = web.page(&target);
    assert_eq!(page.status, 200);
    assert_harmless(&page, &target);
    for mark in ["name", "studio", "country", "region", "city", "instagram", "email", "phone", "style", "bio", "extractor"] {
        assert!(page.body.contains(&format!("{mark}&#34;&#39;&#62;&#60;script&#62;")), "{mark} is not shown, or not escaped");
    }
    for mark in ["social", "image", "page", "evidence"] {
        assert!(page.body.contains(&format!("href=\"https://needle.example/{mark}%22")), "{mark} is not linked");
    }
    // All but the credit at the foot, which is ours.
    let (read, _) = page.body.split_once("<footer").expect("a footer");
    let outward = elements(read, "<a href=\"https://", "rel", ">");
    assert!(outward.len() > 10);
    assert!(outward.iter().all(|(rel, _)| rel == "noopener nofollow ugc"), "{outward:?}");
    let list = web.page("/");
    assert!(list.body.contains("name&#34;&#39;"), "{}", list.body);
    assert_harmless(&list, "/");
    let hostile: String = url::form_urlencoded::byte_serialize(payload("typed").as_bytes()).collect();
    for name in ["query", "style", "location", "near", "radius_km", "instagram", "page_token", "limit", "surprise", &hostile] {
        let target = format!("/?{name}={hostile}");
        assert_harmless(&web.page(&target), &target);
    }
    assert_harmless(&web.page(&format!("/artists/{hostile}")), "an artist");
    assert_harmless(&web.page(&format!("/{hostile}")), "nowhere");
}

/// No page of ours asks for a style, a script or a picture of another origin, nor for an inline one.
#[test]
fn nothing_comes_from_elsewhere() {
    let web = TestWeb::seeded();
    let artist = elements(&web.page("/").body, "<li class=\"card\">", "href", "</li>")[0].0.clone();
    for target in ["/", "/bot", "/privacy", "/errors", "/api", "/nowhere", artist.as_str()] {
        let body = web.page(target).body;
        for (src, _) in elements(&body, "<script", "src", ">") {
            assert!(src.starts_with("/static/"), "{target}: {src}");
        }
        for (href, _) in elements(&body, "<link", "href", ">") {
            assert!(href.starts_with("/static/"), "{target}: {href}");
        }
        for inline in ["<style", " style=", " onclick=", "hx-on", "<img", "<iframe"] {
            assert!(!body.contains(inline), "{target} has {inline}");
        }
        assert!(body.starts_with("<!doctype html>"), "{target}: {}", &body[..40]);
    }
}
