//! Many made-up studios behind one port of loopback, and a log of who asked which of them when: by it politeness is judged,
//! and not by what we say of ourselves.

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use inkdex::config::{Config, MappedHost};
use inkdex::domain::clock::{Clock, SystemClock};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Below this, all hosts.
const SUFFIX: &str = "studios.example";
/// Words of a page's text; pages of one site must not look alike, or they are left as a calendar is.
const WORDS: usize = 400;

/// How many sites of which size.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub hosts: usize,
    /// Pages of a site beside its home page and its list of artists.
    pub galleries: usize,
    /// Artists of a studio, each with a page.
    pub artists: usize,
    /// The list of artists lies so deep that their pages are not read with it: each is a request of a job of its own.
    pub deep: bool,
}

/// One request, as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub host: String,
    pub path: String,
    /// The user agent that it came with.
    pub agent: String,
    /// When, by the server's monotonic clock.
    pub at: Duration,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    clock: SystemClock,
    log: Mutex<Vec<Asked>>,
}

/// The running server; dropping it stops it.
pub struct Sites {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

impl Sites {
    /// Serves on a free port, on a thread of its own.
    pub async fn start(plan: Plan) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { plan, clock: SystemClock::new(), log: Mutex::default() });
        let data = web::Data::from(Arc::clone(&shared));
        let (started, handle) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)))
                    .workers(1)
                    .disable_signals()
                    .listen(listener)
                    .unwrap()
                    .run();
                // Nobody waits for the handle only if the test is over.
                let _over = started.send(server.handle());
                server.await
            })
        });
        Self { addr, shared, handle: handle.await.unwrap() }
    }

    /// Has a configuration read these sites and no other, each `spacing` apart; its studio file goes to `folder`.
    pub fn put_into(&self, config: &mut Config, folder: &Path, spacing: Duration) {
        let mut studios = String::new();
        for number in 0..self.shared.plan.hosts {
            writeln!(studios, "- {{name: {}, website: 'http://{}/', place: 'London, UK'}}", name_of(number), host_of(number)).unwrap();
        }
        let file = folder.join("studios.yaml");
        std::fs::write(&file, studios).unwrap();
        config.discovery.studio_files = vec![file];
        let spacing_ms = u64::try_from(spacing.as_millis()).unwrap();
        config.fetch.hosts = vec![MappedHost { host: format!("*.{SUFFIX}"), address: self.addr.ip(), port: self.addr.port(), spacing_ms }];
        config.fetch.only_mapped = true;
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        // The command is sent when the future is made; nobody waits for its end here.
        drop(self.handle.stop(false));
    }
}

fn host_of(number: usize) -> String {
    format!("s{number:03}.{SUFFIX}")
}

fn name_of(number: usize) -> String {
    format!("{} Tattoo", word(&mut (number as u64 + 1), true))
}

async fn answer(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let at = shared.clock.monotonic();
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let host = text(header::HOST).split(':').next().unwrap_or_default().to_owned();
    let path = request.path().to_owned();
    let body = page(&shared.plan, &host, &path);
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { host, path, agent: text(header::USER_AGENT), at });
    match body {
        Some(body) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8")).body(body),
        None => HttpResponse::NotFound().finish(),
    }
}

/// The next of a row of numbers that look like chance (SplitMix64).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A made-up word.
fn word(seed: &mut u64, name: bool) -> String {
    let mut word = String::new();
    for _ in 0..3 {
        let chance = next(seed);
        word.push(char::from(b"bdfgklmnprstvz"[(chance % 14) as usize]));
        word.push(char::from(b"aeiou"[(chance / 14 % 5) as usize]));
    }
    if name {
        word[..1].make_ascii_uppercase();
    }
    word
}

fn artist(host: &str, number: usize) -> (String, String) {
    let mut seed = host.bytes().fold(number as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (word(&mut seed, true), word(&mut seed, true))
}

fn page(plan: &Plan, host: &str, path: &str) -> Option<String> {
    let studio = name_of(host.split('.').next()?.strip_prefix('s')?.parse().ok()?);
    let mut nav = String::from("<a href=/>Home</a> ");
    nav += if plan.deep { "<a href=/house>The house</a> " } else { "<a href=/artists>Artists</a> " };
    for number in 0..plan.galleries {
        write!(nav, "<a href=/walk{number}/room>Room {number}</a> ").ok()?;
    }
    let mut seed = path.bytes().chain(host.bytes()).fold(7_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let prose: Vec<String> = (0..WORDS).map(|_| word(&mut seed, false)).collect();
    let main = match path.strip_prefix("/artists") {
        Some("") => (0..plan.artists).fold(String::from("<h1>Artists</h1><ul>"), |list, number| {
            let (first, last) = artist(host, number);
            list + &format!("<li class=artist-item><a href=/artists/{number}><span class=artist-name>{first} {last}</span></a></li>")
        }),
        Some(person) => {
            let number = person.strip_prefix('/')?.parse().ok().filter(|number| *number < plan.artists)?;
            let (first, last) = artist(host, number);
            let handle = format!("{first}{last}.{}", host.split('.').next()?).to_lowercase();
            format!(
                "<article><h1>{first} {last}</h1><p>Tattoo artist at {studio}. <strong>Styles:</strong> Blackwork, Fine line</p>\
                 <p><a href=https://instagram.com/{handle}>Instagram</a></p></article>"
            )
        }
        None if path == "/" => format!("<h1>{studio}</h1><p>A tattoo studio in London.</p>"),
        None if path == "/house" => format!("<h1>The house</h1><p>Meet <a href=/artists>our artists</a> of {studio}.</p>"),
        None => format!("<h1>{}</h1>", path.strip_prefix("/walk")?.strip_suffix("/room")?),
    };
    Some(format!(
        "<!doctype html><html lang=en><head><title>{studio}</title></head><body><nav>{nav}</nav><main>{main}<p>{}</p></main></body></html>",
        prose.join(" ")
    ))
}

/// What the log says.
#[derive(Debug, Clone)]
pub struct Tally {
    pub hosts: usize,
    pub requests: usize,
    /// From the first request to the last.
    pub span: Duration,
    /// Requests less than the spacing after another to their host, robots.txt included.
    pub violations: usize,
    pub smallest_gap: Duration,
    pub median_gap: Duration,
    /// Requests made of those that the spacing allows, from the moment when each host had been asked to that when the first
    /// was asked for the last time: while every host had work.
    pub share: f64,
    /// How long that was.
    pub window: Duration,
    /// The same from the first request to the last, without those for robots.txt.
    pub share_of_all: f64,
    /// Who asked, by user agents.
    pub askers: BTreeSet<String>,
    /// Hosts that more than one of them asked.
    pub shared_hosts: usize,
    /// Requests to a host that somebody else had asked before.
    pub changes: usize,
}

impl Tally {
    /// Reads a log by the spacing that was to be kept.
    pub fn of(log: &[Asked], spacing: Duration) -> Self {
        let mut hosts: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
        for asked in log {
            hosts.entry(&asked.host).or_default().push(asked);
        }
        hosts.values_mut().for_each(|asked| asked.sort_by_key(|asked| asked.at));
        let pairs = || hosts.values().flat_map(|asked| asked.windows(2));
        let mut gaps: Vec<Duration> = pairs().map(|pair| pair[1].at - pair[0].at).collect();
        gaps.sort();
        let pages = || log.iter().filter(|asked| asked.path != "/robots.txt");
        let span = |times: &mut dyn Iterator<Item = Duration>| {
            times.fold(None, |span: Option<(Duration, Duration)>, at| Some(span.map_or((at, at), |(min, max)| (min.min(at), max.max(at)))))
        };
        let length = |(from, to): (Duration, Duration)| to - from;
        let all = span(&mut log.iter().map(|asked| asked.at)).map(length).unwrap_or_default();
        let of_pages = span(&mut pages().map(|asked| asked.at)).map(length).unwrap_or_default();
        let from = hosts.values().map(|asked| asked[0].at).max().unwrap_or_default();
        let to = hosts.values().map(|asked| asked[asked.len() - 1].at).min().unwrap_or_default();
        let window = to.saturating_sub(from);
        let made = log.iter().filter(|asked| asked.at > from && asked.at <= to).count();
        let possible = |time: Duration| hosts.len() as f64 * time.as_secs_f64() / spacing.as_secs_f64();
        let askers_of = |asked: &[&Asked]| asked.iter().map(|asked| asked.agent.clone()).collect::<BTreeSet<_>>();
        Self {
            hosts: hosts.len(),
            requests: log.len(),
            span: all,
            violations: gaps.iter().filter(|gap| **gap < spacing).count(),
            smallest_gap: gaps.first().copied().unwrap_or_default(),
            median_gap: gaps.get(gaps.len() / 2).copied().unwrap_or_default(),
            share: made as f64 / possible(window),
            window,
            share_of_all: pages().count().saturating_sub(hosts.len()) as f64 / possible(of_pages),
            askers: log.iter().map(|asked| asked.agent.clone()).collect(),
            shared_hosts: hosts.values().filter(|asked| askers_of(asked).len() > 1).count(),
            changes: pairs().filter(|pair| pair[0].agent != pair[1].agent).count(),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} hosts, {} requests in {:.1} s; {:.1}% of the possible rate while every host had work ({:.1} s), {:.1}% from the first \
             request to the last; gaps: smallest {:.3} s, median {:.3} s; {} violations",
            self.hosts,
            self.requests,
            self.span.as_secs_f64(),
            self.share * 100.0,
            self.window.as_secs_f64(),
            self.share_of_all * 100.0,
            self.smallest_gap.as_secs_f64(),
            self.median_gap.as_secs_f64(),
            self.violations
        )
    }
}
