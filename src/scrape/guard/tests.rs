//! The guard against the vector families that led other crawlers inwards.

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers from a list, one answer a lookup; the last one for ever. Counts how often it was asked.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn with(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(parsed), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl NameLookup for Scripted {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let first = answers.front().cloned().ok_or("no such name")?;
        if answers.len() > 1 {
            answers.pop_front();
        }
        Ok(first)
    }
}

fn guard(map: HostMap) -> Guard {
    Guard::new(map)
}

fn mapped(pattern: &str, port: u16) -> HostMap {
    let mut map = HostMap::none();
    map.add(pattern, MappedHost { address: IpAddr::from([127, 0, 0, 1]), port, spacing_ms: 5 }).unwrap();
    map
}

/// Whether the guard lets text pass as seeds, links, sitemaps and administrators' URLs do.
fn passes(guard: &Guard, text: &str) -> bool {
    read_url(text, None).is_ok_and(|url| guard.check_url(&url).is_ok())
}

/// A rehearsal leaves no machine: whatever is not mapped is refused by name, literal addresses included.
#[test]
fn only_mapped_hosts_are_reached_if_so_asked() {
    let guard = guard(mapped("*.example", 8080)).only_mapped(true);
    assert!(passes(&guard, "http://studio.example/"));
    for outside in ["http://studio.test/", "https://1.1.1.1/", "http://example/", "http://studio.example.com/"] {
        assert!(!passes(&guard, outside), "{outside}");
    }
    assert!(passes(&guard.only_mapped(false), "http://studio.test/"));
}

/// One forbidden IPv4 address in all the ways a URL can spell it.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let number = address.to_bits();
    let low24 = number & 0x00ff_ffff;
    let low16 = number & 0xffff;
    let full_width: String = address.to_string().chars().map(|ch| char::from_u32(ch as u32 + 0xfee0).unwrap_or(ch)).collect();
    let percent: String = address.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{number}"),
        format!("0{number:o}"),
        format!("0x{number:x}"),
        format!("0x{a:x}.0{b:o}.{c}.0x{d:X}"),
        format!("{a}.{low24}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{b}.{c}.{d}."),
        full_width.replace('\u{ff0e}', "."),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
        percent,
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{:x}:{:x}]", number >> 16, low16),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b:1::{a}.{b}.{c}.{d}]"),
        format!("[2002:{:x}:{:x}::1]", number >> 16, low16),
        format!("[2001:0:5ef5:79fd:0:0:{:x}:{:x}]", !number >> 16, !number & 0xffff),
    ]
}

/// 002-X4: 612 vectors of literal addresses.
#[test]
fn every_spelling_of_an_inward_address_is_refused() {
    let guard = guard(HostMap::none());
    let targets = [
        "127.0.0.1",
        "127.8.9.10",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "198.18.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
    ];
    let mut vectors = 0;
    for target in targets {
        for spelling in spellings(target.parse().unwrap()) {
            for scheme in ["http", "https"] {
                let text = format!("{scheme}://{spelling}/latest/meta-data/");
                assert!(!passes(&guard, &text), "{text} is let through");
                vectors += 1;
            }
        }
    }
    assert_eq!(vectors, 17 * 18 * 2);
    for public in spellings(Ipv4Addr::new(93, 184, 216, 34)).iter().take(12) {
        assert!(passes(&guard, &format!("http://{public}/")), "{public} is refused");
    }
}

#[test]
fn tricks_with_names_and_urls_are_refused() {
    let guard = guard(HostMap::none());
    for text in [
        "file:///etc/passwd",
        "ftp://studio.example/",
        "gopher://studio.example/",
        "data:text/html,x",
        "javascript:alert(1)",
        "ws://studio.example/",
        "view-source:http://studio.example/",
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST/",
        "https://sub.localhost/",
        "http://printer/",
        "http://printer.local/",
        "http://db.internal/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://nas.lan/",
        "http://router.home.arpa/",
        "http://x.corp./",
        "http://a..b.example/",
        "http://.example/",
        "http://user@studio.example/",
        "http://user:pw@studio.example/",
        "http://:pw@studio.example/",
        "http://studio.example:8080/",
        "http://studio.example:22/",
        "https://studio.example:6379/",
        "http://127.0.0.1\\@1.1.1.1/",
        "http://1.1.1.1\\@127.0.0.1/",
        "http://studio.example\\.evil.example/",
        "http://stu\tdio.example/",
        "http://studio.example/\n",
        "ht\ntp://127.0.0.1/",
        "http://studio.example/\u{7}",
        "http:///etc/passwd",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::1%25eth0]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://1.1.1.1@127.0.0.1/",
        "http://127.0.0.1#@studio.example/",
        "http://127.0.0.1?@studio.example/",
        "http://①②⑦.⓪.⓪.①/",
        "http://studio.example:0/",
        "//studio.example/",
        "/path",
        "",
        "http://",
        "http://hidden.onion/",
    ] {
        let trailing_newline = text == "http://studio.example/\n";
        assert_eq!(passes(&guard, text), trailing_newline, "{text:?}");
    }
    for text in [
        "http://studio.example/",
        "https://studio.example/",
        "https://studio.example./",
        "http://studio.example:80/",
        "https://studio.example:443/x?y#z",
        "http://studio.example:443/",
        "https://xn--ttowierer-q5a.example/",
        "https://tätowierer.example/",
        "http://a_b.example/",
        "http://mylocal.example/",
        "http://localhost.example/",
        "  https://studio.example/  ",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
    ] {
        assert!(passes(&guard, text), "{text:?} is refused");
    }
}

#[test]
fn a_redirect_target_is_read_against_its_page_and_judged_anew() {
    let guard = guard(HostMap::none());
    let page = Url::parse("https://studio.example/team/").unwrap();
    for (location, to) in [
        ("../ana", "https://studio.example/ana"),
        ("//other.example/x", "https://other.example/x"),
        ("?p=2", "https://studio.example/team/?p=2"),
    ] {
        let url = read_url(location, Some(&page)).unwrap();
        assert_eq!(url.as_str(), to);
        assert_eq!(guard.check_url(&url), Ok(()));
    }
    for location in
        ["//127.0.0.1/", "//0x7f.1/", "http:/\\127.0.0.1/", "file:/etc/passwd", "//metadata.google.internal/", "https://[::ffff:a00:1]/"]
    {
        let allowed = read_url(location, Some(&page)).is_ok_and(|url| guard.check_url(&url).is_ok());
        assert!(!allowed, "{location} is let through");
    }
}

#[test]
fn errors_show_neither_passwords_nor_queries() {
    let guard = guard(HostMap::none());
    let url = Url::parse("http://user:secret@studio.example:99/a?token=secret").unwrap();
    let shown = guard.check_url(&url).unwrap_err().to_string();
    assert!(shown.contains("http://studio.example:99/a") && !shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn one_inward_answer_refuses_the_name() {
    let clock = || Arc::new(ManualClock::at(Timestamp(0)));
    let cases: &[(&[&str], bool)] = &[
        (&["93.184.216.34"], true),
        (&["93.184.216.34", "2606:4700::1"], true),
        (&["93.184.216.34", "10.0.0.1"], false),
        (&["2606:4700::1", "::1"], false),
        (&["::ffff:127.0.0.1"], false),
        (&["64:ff9b::a9fe:a9fe"], false),
        (&["127.0.0.1"], false),
    ];
    for (answer, allowed) in cases {
        let guard = Guard::with_lookup(HostMap::none(), Scripted::with(&[answer]), clock());
        let resolved = guard.resolve("Studio.Example.").await;
        assert_eq!(resolved.is_ok(), *allowed, "{answer:?}");
        assert!(*allowed || matches!(resolved, Err(FetchError::Guarded(_))), "{answer:?}");
    }
    let guard = Guard::with_lookup(HostMap::none(), Scripted::with(&[]), clock());
    assert_eq!(guard.resolve("nowhere.example").await, Err(FetchError::Dns("nowhere.example".into())));
    let guard = Guard::with_lookup(HostMap::none(), Scripted::with(&[&[]]), clock());
    assert_eq!(guard.resolve("empty.example").await, Err(FetchError::Dns("empty.example".into())));
}

#[tokio::test]
async fn rebinding_meets_the_same_judge_at_every_answer() {
    let lookup = Scripted::with(&[&["93.184.216.34"], &["127.0.0.1"], &["8.8.8.8"], &["8.8.8.8", "10.0.0.1"]]);
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let guard = Guard::with_lookup(HostMap::none(), lookup.clone(), clock.clone());
    let first = guard.resolve("rebind.example").await.unwrap();
    assert_eq!(guard.resolve("rebind.example").await.unwrap(), first, "the limit by address and the connector see one answer");
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    clock.advance(ANSWER_LIFE);
    assert!(matches!(guard.resolve("rebind.example").await, Err(FetchError::Guarded(_))));
    assert!(guard.resolve("rebind.example").await.is_ok(), "a refusal is not remembered as an answer");
    clock.advance(ANSWER_LIFE);
    assert!(matches!(guard.resolve("rebind.example").await, Err(FetchError::Guarded(_))));
}

#[test]
fn a_mapped_host_is_the_only_exception_and_goes_nowhere_else() {
    let guard = guard(mapped("*.example", 4711));
    let url = |text: &str| Url::parse(text).unwrap();
    for text in ["http://studio.example/", "https://studio.example/", "http://studio.example:4711/", "https://studio.example./"] {
        assert_eq!(guard.check_url(&url(text)), Ok(()), "{text}");
    }
    for text in [
        "http://studio.example:4712/",
        "http://user@studio.example/",
        "ftp://studio.example/",
        "http://127.0.0.1:4711/",
        "http://127.0.0.1/",
    ] {
        assert!(guard.check_url(&url(text)).is_err(), "{text}");
    }
    let peer = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    assert_eq!(guard.check_peer(&url("http://studio.example/"), peer("127.0.0.1:4711")), Ok(()));
    assert!(guard.check_peer(&url("http://studio.example/"), peer("127.0.0.1:4712")).is_err());
    assert!(guard.check_peer(&url("http://other.test/"), peer("127.0.0.1:4711")).is_err());
    assert_eq!(guard.check_peer(&url("http://other.test/"), peer("93.184.216.34:80")), Ok(()));
    assert!(guard.check_peer(&url("http://other.test/"), None).is_err());
}

#[test]
fn one_host_has_one_key() {
    let key = |text: &str| host_key(&Url::parse(text).unwrap());
    for text in ["http://Studio.example/a", "https://studio.example/b", "http://studio.example./", "https://studio.example:80/"] {
        assert_eq!(key(text), "studio.example", "{text}");
    }
    assert_eq!(key("http://studio.example:8080/"), "studio.example:8080");
    assert_eq!(key("https://[2606:4700::1]/"), "[2606:4700::1]");
}

proptest! {
    /// Whatever passes as a literal is an address that the table lets through.
    #[test]
    fn no_literal_passes_that_the_table_refuses(bits: u32, scheme in "https?", form in 0_usize..18) {
        let address = Ipv4Addr::from_bits(bits);
        let text = format!("{scheme}://{}/", spellings(address)[form]);
        let guard = guard(HostMap::none());
        if passes(&guard, &text) {
            prop_assert_eq!(addresses::refused(address.into()), None, "{}", text);
        }
    }

    #[test]
    fn any_text_is_judged(text in ".{0,80}", rest in "[a-z0-9.:@\\\\/%\\[\\]-]{0,40}") {
        let guard = guard(mapped("*.example", 80));
        let _ = passes(&guard, &text);
        let _ = passes(&guard, &format!("http://{rest}"));
    }
}
