//! The hostile server does what its table says, so that a client's refusal means something.

use std::collections::HashSet;

use super::*;
use crate::support::wait::{LONG, until};

/// What came within a second or until the end, and whether the end came.
async fn ask(server: &HostileServer, host: &str, path: &str, most: usize) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:80\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let mut ended = false;
    let reading = async {
        let mut piece = vec![0; 65_536];
        while got.len() < most {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => {
                    ended = true;
                    break;
                }
                Ok(read) => got.extend(&piece[..read]),
            }
        }
    };
    // Only the silent behaviours run into this; the others end by themselves.
    let silent = PATHS.iter().any(|case| case.path == path && is_silent(case));
    let is_silent = silent || host == "robots-hang.example";
    let patience = if is_silent { Duration::from_millis(200) } else { Duration::from_secs(60) };
    let _ = timeout(patience, reading).await;
    (got, ended)
}

fn is_silent(case: &HostileCase) -> bool {
    [expect::HEAD_TIMEOUT, expect::TOTAL_TIMEOUT, expect::IDLE_TIMEOUT].contains(&case.expect)
}

fn head(answer: &[u8]) -> String {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    String::from_utf8_lossy(&answer[..end]).into_owned()
}

#[tokio::test]
async fn every_case_is_served_and_counted() {
    let server = HostileServer::start().unwrap();
    let paths: HashSet<_> = PATHS.iter().map(|case| case.path).collect();
    assert_eq!(paths.len(), PATHS.len(), "a path stands twice in the table");
    for case in PATHS {
        let (answer, ended) = ask(&server, HOST, case.path, 4_000_000).await;
        assert!(!head(&answer).starts_with("HTTP/1.1 404"), "{} ({}) is not served", case.path, case.what);
        assert_eq!(server.hits(case.path), 1, "{}", case.path);
        match case.expect {
            expect::HEAD_TIMEOUT => {
                assert!(!ended && !answer.ends_with(b"\r\n\r\n"), "{}", case.path)
            }
            expect::TOTAL_TIMEOUT | expect::IDLE_TIMEOUT => {
                assert!(!ended && head(&answer).starts_with("HTTP/1.1 200"), "{}", case.path);
            }
            expect::TOO_LARGE if !case.path.starts_with("/bomb") => {
                assert!(answer.len() >= 4_000_000, "{} sent {} bytes", case.path, answer.len());
            }
            expect::OVER_BUDGET => {
                assert!(ended && answer.len() < 2_000_000, "{} is refused by size", case.path);
            }
            expect::HEAD_TOO_LARGE => assert!(head(&answer).len() > 64 * 1024, "{}", case.path),
            expect::REFUSED | expect::REDIRECT_LOOP | expect::TOO_MANY_REDIRECTS => {
                assert!(head(&answer).contains("Location: "), "{}", case.path);
            }
            _ => assert!(ended, "{} does not end", case.path),
        }
    }
    assert_eq!(server.trap_hits(), 0);
    assert_eq!(server.hits_on("else.example", "/hang"), 0);
}

fn assert_known(case: &RobotsCase) {
    let known = ["allow", "allow except /secret", "disallow", "refuse", "wait", "wait or disallow", "either"];
    assert!(known.contains(&case.expect), "{}: {}", case.host, case.what);
}

#[tokio::test]
async fn every_robots_variant_is_served_beside_a_page() {
    let server = HostileServer::start().unwrap();
    for case in ROBOTS {
        assert_known(case);
        let (answer, _) = ask(&server, case.host, "/robots.txt", 60_000_000).await;
        assert!(!answer.windows(12).any(|window| window == b"no such case"), "{}", case.host);
        assert_eq!(server.hits_on(case.host, "/robots.txt"), 1);
        let (page, _) = ask(&server, case.host, "/", 10_000).await;
        assert!(head(&page).starts_with("HTTP/1.1 200"), "{}", case.host);
    }
    assert_eq!(server.sent_bytes("/moved/1"), 0);
    assert!(server.sent_bytes("/robots.txt") > 50_000_000);
}

#[tokio::test]
async fn lengths_lie_as_told() {
    let server = HostileServer::start().unwrap();
    for (path, lies) in [("/length-longer", true), ("/length-shorter", true), ("/wrong-type", false)] {
        let (answer, ended) = ask(&server, HOST, path, 1_000_000).await;
        assert!(ended);
        let head = head(&answer);
        let said = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        let body = answer.len() - head.len() - 4;
        assert_eq!(said.parse::<usize>().unwrap() != body, lies, "{path}: {said} for {body}");
    }
}

#[tokio::test]
async fn the_trap_counts_and_a_drop_frees_both_ports_while_connections_hang() {
    let server = HostileServer::start().unwrap();
    let (addr, trap) = (server.addr, server.trap);
    drop(TcpStream::connect(trap).await.unwrap());
    until("the trap counts", LONG, async || (server.trap_hits() > 0).then_some(())).await;
    let (answer, ended) = ask(&server, HOST, "/hang", 10).await;
    assert!(answer.is_empty() && !ended);
    let mut held = TcpStream::connect(addr).await.unwrap();
    held.write_all(b"GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    drop(server);
    assert!(TcpStream::connect(addr).await.is_err());
    assert!(TcpStream::connect(trap).await.is_err());
    let mut rest = Vec::new();
    let closed = timeout(Duration::from_secs(10), held.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "a connection outlives the server");
}

/// The phrase is there in the coding that a good client finds out; a phrase in no coding could not be demanded.
#[tokio::test]
async fn pages_to_be_read_hold_their_phrase() {
    let server = HostileServer::start().unwrap();
    let mut read = 0;
    for case in PATHS {
        let Some(phrase) = case.expect.strip_prefix(READS) else {
            continue;
        };
        let (answer, _) = ask(&server, HOST, case.path, 1_000_000).await;
        let body = &answer[head(&answer).len() + 4..];
        let coding = match case.path {
            "/charset-utf16" => encoding_rs::UTF_16LE,
            "/charset-1251" => encoding_rs::WINDOWS_1251,
            _ => encoding_rs::UTF_8,
        };
        let text = coding.decode(body).0;
        assert!(text.contains(phrase), "{}: {text}", case.path);
        read += 1;
    }
    assert!(read >= 8, "{read}");
}
