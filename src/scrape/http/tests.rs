//! The fetcher over real sockets, against small servers that answer by hand; limits are scaled to milliseconds.

use super::*;
use crate::domain::clock::SystemClock;
use crate::scrape::Before;
use crate::scrape::guard::{HostMap, MappedHost};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection with the same bytes, then closes it. Keeps the heads of the requests.
struct Canned {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

async fn canned(answer: impl Into<Vec<u8>>) -> Canned {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (answer, kept) = (Arc::new(answer.into()), Arc::clone(&heads));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut piece = [0; 1024];
                    match stream.read(&mut piece).await {
                        Ok(read) if read > 0 => head.extend(&piece[..read]),
                        _ => return,
                    }
                }
                kept.lock().unwrap().push(String::from_utf8_lossy(&head).to_ascii_lowercase());
                // The client may close first: that is what limits do.
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    Canned { port, heads }
}

/// Sizes that a test sends in a moment; times are those of the defaults, as a busy machine may need them.
fn limits() -> FetchLimits {
    FetchLimits { wire_bytes: 20_000, decoded_bytes: 50_000, robots_bytes: 1_000, ..FetchLimits::default() }
}

fn fetcher(port: u16, limits: FetchLimits) -> HttpFetch {
    let mut map = HostMap::none();
    map.add("*.example", MappedHost { address: [127, 0, 0, 1].into(), port, spacing_ms: 0 }).unwrap();
    HttpFetch::new(Arc::new(Guard::new(map)), limits, "Inkdex/0.1 (+https://inkdex.example/bot)", Arc::new(SystemClock::new())).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

async fn answered(answer: impl Into<Vec<u8>>) -> Result<Hop, FetchError> {
    let server = canned(answer).await;
    fetcher(server.port, limits()).fetch(&url("http://studio.example/team"), &Ask::default()).await
}

fn text_of(hop: Result<Hop, FetchError>) -> FetchedPage {
    match hop {
        Ok(Hop::Page(page)) => page,
        other => panic!("no page: {other:?}"),
    }
}

fn html(headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// 002-X4: an honest user agent, and nothing that tracks.
#[tokio::test]
async fn a_mapped_host_is_asked_by_its_own_name_without_tracks() {
    let server =
        canned(html("X-Robots-Tag: noai\r\nX-Robots-Tag: otherbot: none\r\nTDM-Reservation: 1\r\nSet-Cookie: id=1\r\n", b"<p>Ana")).await;
    let fetch = fetcher(server.port, limits());
    for asked in ["http://studio.example/team?x=1#top", "https://studio.example/team?x=1"] {
        let page = text_of(fetch.fetch(&url(asked), &Ask::default()).await);
        assert_eq!((page.text.as_str(), page.status, page.wire_bytes, page.url.as_str()), ("<p>Ana", 200, 6, asked));
        assert_eq!(page.robots_tags, ["noai", "otherbot: none"]);
        assert!(page.tdm_reserved);
    }
    let signals = "Content-Signal: ai-train=no\r\nX-Robots-Tag: nofollow\r\nContent-Signal: search=no\r\n";
    assert_eq!(text_of(answered(html(signals, b"<p>Ana")).await).robots_tags, ["nofollow", "noindex"]);
    let heads = server.heads.lock().unwrap();
    assert_eq!(heads.len(), 2);
    for head in heads.iter() {
        assert!(head.starts_with("get /team?x=1 http/1.1\r\n"), "{head}");
        assert!(
            head.contains("\r\nhost: studio.example\r\n") && head.contains("user-agent: inkdex/0.1 (+https://inkdex.example/bot)"),
            "{head}"
        );
        assert!(!head.contains("cookie") && !head.contains("referer") && !head.contains("authorization"), "{head}");
    }
}

/// 002-X4: what a site gave to tell its page by is sent back as it came, and a 304 means that the copy stands.
#[tokio::test]
async fn a_kept_page_costs_a_304() {
    let page = text_of(answered(html("ETag: W/\"a b\"\r\nLast-Modified: Sun, 01 Mar 2026 12:00:00 GMT\r\n", b"<p>Ana")).await);
    let validators = Validators { etag: Some("W/\"a b\"".into()), last_modified: Some("Sun, 01 Mar 2026 12:00:00 GMT".into()) };
    assert_eq!(page.validators, validators);
    let long = text_of(answered(html(&format!("ETag: \"{}\"\r\n", "x".repeat(2_000)), b"<p>Ana")).await);
    assert!(long.validators.is_empty(), "a validator of any length would make every request as long");

    let unmodified = "HTTP/1.1 304 Not Modified\r\nETag: \"c\"\r\nX-Robots-Tag: noindex\r\n\r\n";
    let server = canned(unmodified).await;
    let before = Before { validators: validators.clone(), at: Timestamp(0) };
    let team = url("http://studio.example/team");
    let hop = fetcher(server.port, limits()).fetch(&team, &Ask { before: Some(&before), ..Ask::default() }).await;
    let fresh = NotModified {
        validators: Validators { etag: Some("\"c\"".into()), last_modified: None },
        robots_tags: vec!["noindex".into()],
        tdm_reserved: false,
    };
    assert_eq!(hop, Ok(Hop::NotModified { fresh }));
    let head = server.heads.lock().unwrap()[0].clone();
    assert!(head.contains("\r\nif-none-match: w/\"a b\"\r\n"), "{head}");
    assert!(head.contains("\r\nif-modified-since: sun, 01 mar 2026 12:00:00 gmt\r\n"), "{head}");
    let refused = answered(unmodified).await;
    assert!(matches!(refused, Err(FetchError::BadResponse { .. })), "nobody said that a copy is kept: {refused:?}");
}

#[tokio::test]
async fn loopback_without_a_map_entry_is_never_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fetch = HttpFetch::new(Arc::new(Guard::new(HostMap::none())), limits(), "Inkdex/0.1", Arc::new(SystemClock::new())).unwrap();
    for text in [
        format!("http://127.0.0.1:{port}/"),
        "http://127.0.0.1/".into(),
        "http://0x7f.1/".into(),
        "http://[::1]/".into(),
        "http://localhost/".into(),
    ] {
        let refused = fetch.fetch(&url(&text), &Ask::default()).await;
        assert!(matches!(refused, Err(FetchError::Guarded(_))), "{text}: {refused:?}");
        assert!(matches!(fetch.fetch_text(&url(&text), &Ask::default()).await, Err(FetchError::Guarded(_))), "{text}");
    }
    let touched = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(touched.is_err(), "somebody connected");
}

/// A name that resolves inwards is refused inside the connector: the client itself asks the guard.
#[tokio::test]
async fn a_name_that_resolves_inwards_is_refused_by_the_connector() {
    #[derive(Debug)]
    struct Inward;
    #[async_trait]
    impl crate::scrape::guard::NameLookup for Inward {
        async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
            match host {
                "nowhere.test" => Err("no such name".into()),
                _ => Ok(vec![[93, 184, 216, 34].into(), [127, 0, 0, 1].into()]),
            }
        }
    }
    let guard = Guard::with_lookup(HostMap::none(), Arc::new(Inward), Arc::new(SystemClock::new()));
    let fetch = HttpFetch::new(Arc::new(guard), limits(), "Inkdex/0.1", Arc::new(SystemClock::new())).unwrap();
    for text in ["http://inward.test/", "https://inward.test/"] {
        let refused = fetch.fetch(&url(text), &Ask::default()).await;
        assert!(matches!(&refused, Err(FetchError::Guarded(why)) if why.contains("127.0.0.1")), "{refused:?}");
    }
    assert_eq!(fetch.fetch(&url("http://nowhere.test/"), &Ask::default()).await, Err(FetchError::Dns("nowhere.test".into())));
    assert_eq!(fetch.addresses(&url("http://nowhere.test/")).await, Err(FetchError::Dns("nowhere.test".into())));
}

/// Should a connection ever lead elsewhere than the guard said, its answer is not read.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a client that leads elsewhere than the guard says is what is tested")]
async fn an_answer_from_an_inward_peer_is_refused() {
    let server = canned(html("", b"<p>inside")).await;
    let strange = Client::builder().no_proxy().resolve("studio.test", ([127, 0, 0, 1], server.port).into()).build().unwrap();
    let fetch = HttpFetch { client: strange, guard: Arc::new(Guard::new(HostMap::none())), ..fetcher(server.port, limits()) };
    let refused = fetch.fetch(&url("http://studio.test/"), &Ask::default()).await;
    assert!(matches!(&refused, Err(FetchError::Guarded(why)) if why.contains("127.0.0.1")), "{refused:?}");
    assert_eq!(server.heads.lock().unwrap().len(), 1, "the connection was there to be refused");
}

#[tokio::test]
async fn redirects_are_answered_not_followed() {
    for (location, to) in
        [("/ana", "http://studio.example/ana"), ("http://127.0.0.1/", "http://127.0.0.1/"), ("//other.example", "http://other.example/")]
    {
        for status in [301, 302, 303, 307, 308] {
            let hop = answered(format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
            assert_eq!(hop, Ok(Hop::Redirect { status, to: url(to) }));
        }
    }
    let hop = answered("HTTP/1.1 302 Found\r\nLocation: http:/\\127.0.0.1/\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(hop, Err(FetchError::Guarded(_))), "{hop:?}");
    let hop = answered("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(hop, Err(FetchError::BadResponse { .. })), "{hop:?}");
    let hop = answered(html("Refresh: 0; url=/moved\r\n", b"<p>moving")).await;
    assert_eq!(hop, Ok(Hop::Redirect { status: 200, to: url("http://studio.example/moved") }));
    assert_eq!(text_of(answered(html("Refresh: 900\r\n", b"<p>news")).await).text, "<p>news");
}

/// 002-X4
#[tokio::test]
async fn sizes_are_limited_on_the_wire_and_decoded() {
    let over = |hop: Result<Hop, FetchError>, limit: Limit| {
        assert!(matches!(&hop, Err(FetchError::OverLimit { limit: found, .. }) if *found == limit), "{hop:?}")
    };
    over(answered("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 500000000\r\n\r\n<p>").await, Limit::WireBytes);
    let endless = [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n".to_vec(), vec![b'a'; 30_000]].concat();
    over(answered(endless).await, Limit::WireBytes);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &vec![0; 1_000_000]).unwrap();
    let bomb = packer.finish().unwrap();
    over(answered(html("Content-Encoding: gzip\r\n", &bomb)).await, Limit::DecodedBytes);
    over(answered(format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(70_000))).await, Limit::HeaderBytes);
    over(answered(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X-Many: 1\r\n".repeat(5_000))).await, Limit::HeaderBytes);
    over(answered([b"HTTP/1.1 200 OK\r\nX-Endless: ".to_vec(), vec![b'a'; 2_000_000]].concat()).await, Limit::HeaderBytes);
    let page = text_of(answered(html("Content-Encoding: gzip\r\n", &gzip(&b"<p>Ana".repeat(1_000)))).await);
    assert_eq!((page.text.len(), page.wire_bytes < 200), (6_000, true), "wire bytes are those of the wire");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, plain).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn what_is_no_page_is_typed() {
    let hop = answered("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\nx").await;
    assert!(matches!(&hop, Err(FetchError::WrongType { content_type, .. }) if content_type == "image/png"), "{hop:?}");
    let hop = answered(html("", b"%PDF-1.7 ...")).await;
    assert!(matches!(&hop, Err(FetchError::WrongType { .. })), "{hop:?}");
    let hop = answered("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<p>Ana").await;
    assert_eq!(text_of(hop).text, "<p>Ana", "no declared type is read as HTML");
    let hop = answered("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(hop, Err(FetchError::Gone { status: 404, .. })), "{hop:?}");
    let hop = answered("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
    assert!(
        matches!(hop, Err(FetchError::SlowDown { status: 429, retry_after: Some(wait), .. }) if wait == Duration::from_secs(7)),
        "{hop:?}"
    );
    let hop = answered(html("Content-Encoding: gzip, gzip\r\n", &gzip(&gzip(b"<p>")))).await;
    assert!(matches!(hop, Err(FetchError::BadResponse { .. })), "{hop:?}");
    let hop = answered("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<p>half").await;
    assert!(matches!(hop, Err(FetchError::Connection { .. })), "a body cut short is transient: {hop:?}");
    let hop = answered("\x16\x03\x01\x02 not HTTP at all\r\n\r\n").await;
    assert!(matches!(hop, Err(FetchError::BadResponse { .. })), "{hop:?}");
    let hop = answered("").await;
    assert!(matches!(hop, Err(FetchError::Connection { .. })), "{hop:?}");
}

#[tokio::test]
async fn nobody_there_and_no_tls_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let hop = fetcher(free, limits()).fetch(&url("http://studio.example/"), &Ask::default()).await;
    assert!(matches!(&hop, Err(FetchError::Connection { host, .. }) if host == "studio.example"), "{hop:?}");
    // A mapped host is never asked over TLS, so the client is asked directly for the error of a server that speaks none.
    let server = canned("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let target = url(&format!("https://127.0.0.1:{plain}/"));
    let error = fetcher(server.port, limits()).client.get(target.clone()).send().await.unwrap_err();
    let error = transport_error(&target, &error);
    assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
}

/// Real time: each limit ends the request within its own bound, and names itself.
#[tokio::test]
async fn time_is_limited_at_each_stage() {
    async fn dripping(start: &'static [u8], drop_every_ms: Option<u64>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(start).await;
                    while let Some(pause) = drop_every_ms {
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                        if stream.write_all(b"a").await.is_err() {
                            return;
                        }
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        port
    }
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10000\r\n\r\n";
    for (start, drops, limit, at_most_ms) in [
        (&b""[..], None, Limit::Head, 300),
        (b"HTTP/1.1 200 OK\r\nX-", Some(20), Limit::Head, 300),
        (HEAD, None, Limit::Idle, 500),
        (HEAD, Some(20), Limit::Total, 600),
    ] {
        let short = FetchLimits { connect_ms: 300, head_ms: 300, idle_ms: 200, total_ms: 600, ..limits() };
        let fetch = fetcher(dripping(start, drops).await, short);
        let began = fetch.clock.monotonic();
        let hop = fetch.fetch(&url("http://slow.example/"), &Ask::default()).await;
        let took = fetch.clock.monotonic() - began;
        assert!(matches!(&hop, Err(FetchError::OverLimit { limit: found, .. }) if *found == limit), "{limit:?}: {hop:?}");
        assert!(took < Duration::from_millis(at_most_ms + 1_000), "{limit:?} took {took:?}");
    }
}

#[tokio::test]
async fn a_text_is_cut_instead_of_refused() {
    let long = format!("User-agent: *\nDisallow: /secret\n{}", "# comment\n".repeat(3_000));
    let server =
        canned(format!("HTTP/1.1 200 OK\r\nContent-Type: application/x-anything\r\nContent-Length: 500000000\r\n\r\n{long}")).await;
    let hop = fetcher(server.port, limits()).fetch_text(&url("http://studio.example/robots.txt"), &Ask::default()).await;
    let Ok(TextHop::Text { status: 200, text, .. }) = hop else { panic!("no text: {hop:?}") };
    assert!(text.starts_with("User-agent: *\nDisallow: /secret\n") && text.len() == 1_000, "{} bytes", text.len());
    for (status, line) in [(403, "403 Forbidden"), (404, "404 Not Found"), (418, "418 Teapot")] {
        let server = canned(format!("HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nno")).await;
        let hop = fetcher(server.port, limits()).fetch_text(&url("http://studio.example/robots.txt"), &Ask::default()).await;
        assert_eq!(hop, Ok(TextHop::Text { status, text: String::new(), wire_bytes: 0 }));
    }
    let server = canned("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n").await;
    let hop = fetcher(server.port, limits()).fetch_text(&url("http://studio.example/robots.txt"), &Ask::default()).await;
    assert!(matches!(hop, Err(FetchError::SlowDown { status: 429, retry_after: None, .. })), "{hop:?}");
}

/// C6: a sitemap comes as XML or as a gzip file, under the limits of a page, and is nothing that is taken for a page.
#[tokio::test]
async fn a_sitemap_is_unpacked_under_the_limit_and_is_no_page() {
    let packed = |bytes: usize| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, &b"<urlset>".iter().copied().chain(std::iter::repeat_n(b' ', bytes)).collect::<Vec<u8>>())
            .unwrap();
        packer.finish().unwrap()
    };
    let sent = |kind: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let limit = limits().decoded_bytes;
    let map = Ask { wanted: Wanted::Sitemap, ..Ask::default() };
    for (kind, body, ended) in [
        ("application/xml; charset=utf-8", b"<urlset>".to_vec(), None),
        ("application/x-gzip", packed(100), None),
        ("application/xml", packed(100), None),
        ("application/gzip", packed(limit), Some("decoded_too_large")),
        ("application/gzip", packed(100)[..20].to_vec(), Some("bad_response")),
        ("image/png", b"<urlset>".to_vec(), Some("wrong_type")),
        ("text/plain", b"\x89PNG".to_vec(), Some("wrong_type")),
    ] {
        let server = canned(sent(kind, &body)).await;
        let hop = fetcher(server.port, limits()).fetch(&url("http://studio.example/map"), &map).await;
        match ended {
            None => assert!(text_of(hop).text.starts_with("<urlset>"), "{kind}"),
            Some(code) => assert_eq!(hop.unwrap_err().code(), code, "{kind}"),
        }
    }
    let server = canned(sent("application/xml", b"<urlset>")).await;
    let hop = fetcher(server.port, limits()).fetch(&url("http://studio.example/map"), &Ask::default()).await;
    assert!(matches!(hop, Err(FetchError::WrongType { .. })), "{hop:?}");
}
