//! Visits in virtual time, over a web in memory and holds that follow the port's contract: the order of checks, spacing,
//! back-off, the page cache, one host at a time.

mod hops;
mod kept;
mod pace;
mod robots;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::progress::Progress;
use crate::scrape::draw::NoBrowser;
use crate::scrape::evidence::Exchange;
use crate::scrape::guard::{Guard, HostMap};
use crate::scrape::limits::{BudgetStop, FetchLimits, SiteLimits};
use crate::scrape::politeness::PolitenessSettings;
use crate::scrape::{NotModified, TextHop, Validators};
use crate::store::{HostAnswer, HostTicket, StoreError, StoreResult};
use async_trait::async_trait;
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::time::Instant;

/// The runtime's virtual time as both clocks.
#[derive(Debug)]
struct RuntimeClock {
    started: Instant,
}

const EPOCH: Timestamp = Timestamp(1_772_366_400_000_000);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        EPOCH.plus(self.started.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

#[derive(Debug, Clone, Default)]
struct HoldRow {
    token: u64,
    owner: String,
    until: Timestamp,
    next_at: Timestamp,
    back_off: Timestamp,
}

/// Holds in memory, by the contract of the port.
#[derive(Debug, Default)]
struct Holds {
    rows: Mutex<HashMap<String, HoldRow>>,
    down: Mutex<bool>,
}

#[async_trait]
impl HostHolds for Holds {
    async fn take(&self, host: &str, owner: &str, hold_us: i64, now: Timestamp) -> StoreResult<HostAnswer> {
        if *self.down.lock().unwrap() {
            return Err(StoreError::Unavailable("switched off".into()));
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(host.to_owned()).or_default();
        if row.back_off > now {
            return Ok(HostAnswer::Busy(row.back_off));
        }
        if row.until > now {
            return Ok(HostAnswer::Busy(row.until));
        }
        row.token += 1;
        row.owner = owner.to_owned();
        row.until = Timestamp(now.0 + hold_us);
        Ok(HostAnswer::Taken(HostTicket { host: host.to_owned(), token: row.token, until: row.until, next_at: row.next_at }))
    }

    async fn give_back(&self, ticket: &HostTicket, next_at: Timestamp) -> StoreResult<()> {
        let mut rows = self.rows.lock().unwrap();
        if let Some(row) = rows.get_mut(&ticket.host).filter(|row| row.token == ticket.token) {
            row.until = Timestamp(0);
            row.next_at = row.next_at.max(next_at);
        }
        Ok(())
    }

    async fn back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(host.to_owned()).or_default();
        row.back_off = row.back_off.max(until);
        Ok(())
    }
}

impl Holds {
    fn taken(&self) -> Vec<(String, String)> {
        let rows = self.rows.lock().unwrap();
        rows.iter().filter(|(_, row)| row.until > Timestamp(0)).map(|(host, row)| (host.clone(), row.owner.clone())).collect()
    }
}

#[derive(Debug, Clone)]
enum Reply {
    Html(String),
    /// A page with an ETag, which is not sent to whoever has it.
    Tagged(&'static str, String),
    Text(u16, String),
    To(String),
    Fail(FetchError),
}

#[derive(Debug, Clone)]
struct Asked {
    url: String,
    host: String,
    began: Duration,
    ended: Duration,
    slow_down: Option<Option<Duration>>,
}

/// A web in memory: by URL a list of replies, the last one for ever; 404 for what is not listed. Every reply takes `latency`.
#[derive(Debug)]
struct Web {
    clock: Arc<RuntimeClock>,
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    latency: Duration,
    lookup: Mutex<Duration>,
    asked: Mutex<Vec<Asked>>,
    address: Option<IpAddr>,
}

impl Web {
    fn on(&self, url: &str, replies: &[Reply]) {
        self.replies.lock().unwrap().insert(url.to_owned(), replies.to_vec());
    }

    fn urls(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.url.clone()).collect()
    }

    fn exchange(&self, url: &Url, text: &str) -> Exchange {
        Exchange {
            url: url.clone(),
            at: self.clock.now(),
            took: self.latency,
            peer: None,
            request: format!("GET {} HTTP/1.1\r\n\r\n", url.path()),
            status: 200,
            headers: Vec::new(),
            body: text.as_bytes().to_vec(),
            whole: true,
            copy_from: None,
            outcome: "page",
        }
    }

    async fn reply(&self, url: &Url) -> Reply {
        let began = self.clock.monotonic();
        tokio::time::sleep(self.latency).await;
        let reply = {
            let mut replies = self.replies.lock().unwrap();
            let gone = Reply::Fail(FetchError::Gone { url: url.to_string(), status: 404 });
            replies.get_mut(url.as_str()).map_or(gone, |list| if list.len() > 1 { list.remove(0) } else { list[0].clone() })
        };
        let slow_down = match &reply {
            Reply::Fail(FetchError::SlowDown { retry_after, .. }) => Some(*retry_after),
            _ => None,
        };
        let asked = Asked { url: url.to_string(), host: host_key(url), began, ended: self.clock.monotonic(), slow_down };
        self.asked.lock().unwrap().push(asked);
        reply
    }
}

#[async_trait]
impl Fetch for Web {
    async fn fetch(&self, url: &Url, ask: &Ask<'_>) -> Result<Hop, FetchError> {
        let page = |text: String, etag: Option<&str>| {
            let validators = Validators { etag: etag.map(str::to_owned), last_modified: None };
            let (requested, wire_bytes) = (url.clone(), text.len() as u64);
            let (robots_tags, tdm_reserved) = (Vec::new(), false);
            if let Some(evidence) = ask.evidence {
                evidence.note(&self.exchange(url, &text));
            }
            Ok(Hop::Page(FetchedPage { requested, url: url.clone(), status: 200, text, robots_tags, tdm_reserved, validators, wire_bytes }))
        };
        match self.reply(url).await {
            Reply::Html(text) | Reply::Text(_, text) => page(text, None),
            Reply::Tagged(etag, _) if ask.before.is_some_and(|before| before.validators.etag.as_deref() == Some(etag)) => {
                Ok(Hop::NotModified { fresh: NotModified::default() })
            }
            Reply::Tagged(etag, text) => page(text, Some(etag)),
            Reply::To(to) => Ok(Hop::Redirect { status: 302, to: url.join(&to).unwrap() }),
            Reply::Fail(error) => Err(error),
        }
    }

    async fn fetch_text(&self, url: &Url, _: &Ask<'_>) -> Result<TextHop, FetchError> {
        match self.reply(url).await {
            Reply::Html(text) | Reply::Tagged(_, text) => Ok(TextHop::Text { status: 200, wire_bytes: text.len() as u64, text }),
            Reply::Text(status, text) => Ok(TextHop::Text { status, wire_bytes: text.len() as u64, text }),
            Reply::To(to) => Ok(TextHop::Redirect { status: 302, to: url.join(&to).unwrap() }),
            Reply::Fail(FetchError::Gone { status, .. }) => Ok(TextHop::Text { status, text: String::new(), wire_bytes: 0 }),
            Reply::Fail(error) => Err(error),
        }
    }

    async fn addresses(&self, _url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        let lookup = *self.lookup.lock().unwrap();
        tokio::time::sleep(lookup).await;
        Ok(self.address.into_iter().collect())
    }
}

/// URLs that are denied, and sites that name somebody who was removed.
#[derive(Debug, Default)]
struct Denied(Mutex<HashSet<String>>, Mutex<HashSet<String>>);

#[async_trait]
impl UrlDenial for Denied {
    async fn is_denied(&self, url: &Url) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().contains(url.as_str()))
    }

    async fn names_removed(&self, site: &str) -> Result<bool, StoreError> {
        Ok(self.1.lock().unwrap().contains(site))
    }
}

struct Bench {
    web: Arc<Web>,
    holds: Arc<Holds>,
    denied: Arc<Denied>,
    clock: Arc<RuntimeClock>,
    visitor: Visitor,
    _folder: tempfile::TempDir,
}

fn settings() -> VisitSettings {
    VisitSettings {
        politeness: PolitenessSettings::default(),
        limits: FetchLimits::default(),
        site: SiteLimits::default(),
        product_token: "Inkdex".into(),
        guard: Arc::new(Guard::new(HostMap::none())),
        recrawl: true,
        evidence: true,
        need_memory: Duration::from_secs(14 * 24 * 3_600),
    }
}

fn bench_with(settings: VisitSettings, latency: Duration, address: Option<&str>) -> Bench {
    let clock = Arc::new(RuntimeClock { started: Instant::now() });
    let address = address.map(|text| text.parse().unwrap());
    let web = Arc::new(Web {
        clock: clock.clone(),
        replies: Mutex::default(),
        latency,
        lookup: Mutex::default(),
        asked: Mutex::default(),
        address,
    });
    let (holds, denied) = (Arc::new(Holds::default()), Arc::new(Denied::default()));
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::in_folder(folder.path()).unwrap();
    let visitor = Visitor::new(
        (web.clone(), Arc::new(NoBrowser("none here"))),
        holds.clone(),
        objects,
        denied.clone(),
        clock.clone(),
        Arc::new(Chance::seeded(7)),
        settings,
    );
    Bench { web, holds, denied, clock, visitor, _folder: folder }
}

fn bench() -> Bench {
    bench_with(settings(), Duration::from_millis(20), None)
}

fn who(session: &str, owner: &str) -> VisitContext {
    VisitContext {
        session: SessionId::new(session),
        owner: owner.into(),
        fresh_after: None,
        recrawl: Recrawl::Due,
        drawn: false,
        progress: Progress::default(),
    }
}

impl Bench {
    fn begin(&self, owner: &str) -> Visit {
        self.visitor.begin(who("daily-1", owner))
    }

    /// Reads a page in a session; answers its text and what that cost.
    async fn read(&self, session: &str, recrawl: Recrawl, page: &str) -> (Result<String, VisitError>, VisitStats) {
        let mut visit = self.visitor.begin(VisitContext { recrawl, ..who(session, "job-1") });
        let read = visit.page(&url(page)).await.map(|page| page.text);
        let stats = visit.stats();
        visit.end().await.unwrap();
        (read, stats)
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn html(text: &str) -> Reply {
    Reply::Html(text.into())
}

fn slow_down(retry_after: Option<u64>) -> Reply {
    Reply::Fail(FetchError::SlowDown { url: String::new(), status: 429, retry_after: retry_after.map(Duration::from_secs) })
}

fn limit_of(result: Result<FetchedPage, VisitError>) -> Option<Limit> {
    match result {
        Err(VisitError::Fetch(FetchError::OverLimit { limit, .. })) => Some(limit),
        _ => None,
    }
}

/// 002-X4: robots.txt first, the delay by host, one host at a time.
#[tokio::test(start_paused = true)]
async fn robots_first_then_pages_a_second_apart_then_the_host_is_given_back() {
    let bench = bench();
    for page in ["a", "b", "c"] {
        bench.web.on(&format!("https://studio.example/{page}"), &[html(page)]);
    }
    let mut visit = bench.begin("job-1");
    for page in ["a", "b#part", "c"] {
        let found = visit.page(&url(&format!("https://studio.example/{page}"))).await.unwrap();
        assert_eq!(found.text, page[..1]);
    }
    assert_eq!(bench.holds.taken(), [("studio.example".to_owned(), "job-1".to_owned())]);
    assert_eq!(visit.stats(), VisitStats { requests: 4, wire_bytes: 3, ..VisitStats::default() });
    visit.end().await.unwrap();
    assert_eq!(bench.holds.taken(), []);
    let asked = bench.web.asked.lock().unwrap().clone();
    assert_eq!(asked[0].url, "https://studio.example/robots.txt");
    for pair in asked.windows(2) {
        assert!(pair[1].began >= pair[0].ended + Duration::from_secs(1), "{pair:?}");
    }
}
