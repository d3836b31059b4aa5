//! Visits in virtual time, over a web in memory and holds that follow the port's contract: the order of checks, spacing,
//! back-off, the page cache, one host at a time.

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
        draw_memory: Duration::from_secs(14 * 24 * 3_600),
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

#[tokio::test(start_paused = true)]
async fn checks_come_in_order_and_the_first_refusal_ends_it() {
    let bench = bench();
    bench.denied.0.lock().unwrap().insert("http://127.0.0.1/".into());
    let mut visit = bench.begin("job-1");
    assert!(matches!(visit.page(&url("http://127.0.0.1/")).await, Err(VisitError::Denied)), "the denylist comes before the guard");
    assert!(matches!(visit.page(&url("http://10.0.0.1/")).await, Err(VisitError::Fetch(FetchError::Guarded(_)))));
    assert_eq!(limit_of(visit.page(&url(&format!("https://studio.example/{}", "x".repeat(3_000)))).await), Some(Limit::Url));
    assert_eq!(bench.web.urls(), Vec::<String>::new());
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nDisallow: /private")]);
    let refused = visit.page(&url("https://studio.example/private/x")).await;
    assert!(matches!(&refused, Err(VisitError::RefusedByRobots { rule }) if rule.contains("/private")), "{refused:?}");
    assert_eq!(bench.web.urls(), ["https://studio.example/robots.txt"], "a refused page is never asked for");
}

#[tokio::test(start_paused = true)]
async fn every_hop_is_judged_like_the_first_url() {
    let bench = bench();
    bench.web.on("https://studio.example/ok", &[Reply::To("/moved#x".into())]);
    bench.web.on("https://studio.example/moved", &[html("<meta http-equiv=refresh content='0;url=https://other.example/final'>")]);
    bench.web.on("https://other.example/final", &[html("<p>Ana")]);
    bench.web.on("https://studio.example/inward", &[Reply::To("http://169.254.169.254/latest".into())]);
    bench.web.on("https://studio.example/meta-inward", &[html("<meta http-equiv=refresh content='0;url=http://127.0.0.1/'>")]);
    bench.web.on("https://studio.example/to-file", &[Reply::To("file:///etc/passwd".into())]);
    bench.web.on("https://studio.example/to-denied", &[Reply::To("https://denied.example/".into())]);
    bench.web.on("https://studio.example/to-forbidden", &[Reply::To("https://other.example/no".into())]);
    bench.web.on("https://other.example/robots.txt", &[html("User-agent: *\nDisallow: /no")]);
    bench.denied.0.lock().unwrap().insert("https://denied.example/".into());
    let mut visit = bench.begin("job-1");
    let page = visit.page(&url("https://studio.example/ok")).await.unwrap();
    assert_eq!((page.requested.as_str(), page.url.as_str()), ("https://studio.example/ok", "https://other.example/final"));
    assert_eq!(bench.holds.taken(), [("other.example".to_owned(), "job-1".to_owned())], "one host at a time");
    for path in ["inward", "meta-inward", "to-file"] {
        let refused = visit.page(&url(&format!("https://studio.example/{path}"))).await;
        assert!(matches!(refused, Err(VisitError::Fetch(FetchError::Guarded(_)))), "{path}: {refused:?}");
    }
    assert!(matches!(visit.page(&url("https://studio.example/to-denied")).await, Err(VisitError::Denied)));
    let refused = visit.page(&url("https://studio.example/to-forbidden")).await;
    assert!(matches!(refused, Err(VisitError::RefusedByRobots { .. })), "{refused:?}");
    assert!(bench.web.urls().iter().all(|asked| asked.contains("studio.example") || asked.contains("other.example")));
}

#[tokio::test(start_paused = true)]
async fn redirects_end_in_circles_and_after_five() {
    let bench = bench();
    bench.web.on("https://studio.example/self", &[Reply::To("/self".into())]);
    bench.web.on("https://studio.example/here", &[Reply::To("/there".into())]);
    bench.web.on("https://studio.example/there", &[Reply::To("/here".into())]);
    for hop in 0..7 {
        bench.web.on(&format!("https://studio.example/hop{hop}"), &[Reply::To(format!("/hop{}", hop + 1))]);
    }
    bench.web.on("https://studio.example/hop7", &[html("end")]);
    let mut visit = bench.begin("job-1");
    for path in ["self", "here", "hop0", "hop1"] {
        assert_eq!(limit_of(visit.page(&url(&format!("https://studio.example/{path}"))).await), Some(Limit::Redirects), "{path}");
    }
    let page = visit.page(&url("https://studio.example/hop2")).await.unwrap();
    assert_eq!(page.text, "end", "five redirects are followed");
}

#[tokio::test(start_paused = true)]
async fn no_page_is_fetched_twice_in_a_session() {
    let bench = bench();
    bench.web.on("https://studio.example/", &[Reply::To("/team".into())]);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    bench
        .web
        .on("https://studio.example/file", &[Reply::Fail(FetchError::WrongType { url: String::new(), content_type: "image/png".into() })]);
    let mut first = bench.begin("job-1");
    first.page(&url("https://studio.example/")).await.unwrap();
    assert!(matches!(first.page(&url("https://studio.example/none")).await, Err(VisitError::Fetch(FetchError::Gone { status: 404, .. }))));
    assert!(matches!(first.page(&url("https://studio.example/file")).await, Err(VisitError::Fetch(FetchError::WrongType { .. }))));
    first.end().await.unwrap();
    let asked = bench.web.urls().len();
    let mut second = bench.begin("job-2");
    let page = second.page(&url("https://studio.example/#top")).await.unwrap();
    assert_eq!(
        (page.text.as_str(), page.url.as_str(), page.requested.as_str()),
        ("<p>Ana", "https://studio.example/team", "https://studio.example/#top")
    );
    assert!(matches!(second.page(&url("https://studio.example/none")).await, Err(VisitError::Fetch(FetchError::Gone { status: 404, .. }))));
    assert!(matches!(second.page(&url("https://studio.example/file")).await, Err(VisitError::Fetch(FetchError::WrongType { .. }))));
    assert_eq!(second.stats(), VisitStats { cached: 4, ..VisitStats::default() });
    assert_eq!(bench.web.urls().len(), asked);
    assert_eq!(bench.holds.taken(), [], "what is known needs no host");
    bench.denied.0.lock().unwrap().insert("https://studio.example/team".into());
    assert!(matches!(second.page(&url("https://studio.example/")).await, Err(VisitError::Denied)), "a kept page is judged too");
    // A requeued job uses only pages fetched after its requeue.
    bench.denied.0.lock().unwrap().clear();
    let fresh_after = Some(bench.clock.now());
    let requeued = VisitContext { fresh_after, ..who("daily-1", "job-1") };
    bench.visitor.begin(requeued).page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(bench.web.urls().len(), asked + 1);
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A page that is not due costs no request, a due one that did not change none of its bytes, and both say so.
#[tokio::test(start_paused = true)]
async fn pages_of_earlier_sessions_are_spared() {
    let bench = bench();
    let (team, plain) = ("https://studio.example/team", "https://studio.example/plain");
    bench.web.on(team, &[Reply::Tagged("\"1\"", "<p>Ana".into())]);
    bench.web.on(plain, &[html("<p>Ana")]);
    for page in [team, plain] {
        bench.read("daily-1", Recrawl::Due, page).await.0.unwrap();
        let (read, stats) = bench.read("daily-2", Recrawl::Due, page).await;
        assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { not_due: 1, ..VisitStats::default() }));
    }
    let mut visit = bench.visitor.begin(who("daily-2", "job-2"));
    visit.page(&url(team)).await.unwrap();
    let unasked: Vec<(&Url, Duration)> = visit.unasked().iter().map(|(page, at)| (page, at.since(EPOCH))).collect();
    assert!(matches!(unasked.as_slice(), [(page, at)] if page.as_str() == team && *at < Duration::from_secs(5)), "{unasked:?}");
    visit.end().await.unwrap();
    tokio::time::sleep(DAY).await;
    // robots.txt is a day old as well.
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { requests: 2, unmodified: 1, ..VisitStats::default() }));
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats { cached: 1, ..VisitStats::default() }), "a 304 is an answer");
    let (_, stats) = bench.read("daily-3", Recrawl::Due, plain).await;
    assert_eq!(stats, VisitStats { requests: 1, wire_bytes: 6, ..VisitStats::default() }, "a site without validators sends it again");
    tokio::time::sleep(DAY).await;
    for page in [team, plain] {
        assert_eq!(bench.read("daily-4", Recrawl::Due, page).await.1.not_due, 1, "both stayed the same: {page}");
    }
    bench.web.on(team, &[Reply::Tagged("\"2\"", "<p>Ana, Bea".into())]);
    tokio::time::sleep(DAY).await;
    let (read, stats) = bench.read("daily-5", Recrawl::Due, team).await;
    assert_eq!((read.unwrap().as_str(), stats.unmodified), ("<p>Ana, Bea", 0));
    tokio::time::sleep(DAY).await;
    assert_eq!(bench.read("daily-6", Recrawl::Due, team).await.1.unmodified, 1, "what changed is asked for the next day");
}

/// Rule 14, `--fresh` and `fetch.recrawl = false`: every page is asked for, by requests that say nothing of a copy.
#[tokio::test(start_paused = true)]
async fn whoever_asks_for_all_is_spared_nothing() {
    let team = "https://studio.example/team";
    for recrawl in [true, false] {
        let bench = bench_with(VisitSettings { recrawl, ..settings() }, Duration::from_millis(20), None);
        bench.web.on(team, &[Reply::Tagged("\"1\"", "<p>Ana".into())]);
        bench.read("daily-1", Recrawl::Due, team).await.0.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let how = if recrawl { Recrawl::All } else { Recrawl::Due };
        let anew = VisitStats { requests: 1, wire_bytes: 6, ..VisitStats::default() };
        assert_eq!(bench.read("daily-2", how, team).await.1, anew);
        let requeued = VisitContext { fresh_after: Some(bench.clock.now()), ..who("daily-1", "job-1") };
        let mut visit = bench.visitor.begin(requeued);
        visit.page(&url(team)).await.unwrap();
        assert_eq!((visit.stats(), visit.unasked().len()), (anew, 0));
        visit.end().await.unwrap();
    }
}

/// Rule 11: what is gone or has moved is asked each time, and a page that went is not read from what was kept of it.
#[tokio::test(start_paused = true)]
async fn only_pages_wait() {
    let bench = bench();
    let (gone, moved, team) = ("https://studio.example/gone", "https://studio.example/", "https://studio.example/team");
    bench.web.on(team, &[html("<p>Ana")]);
    bench.web.on(moved, &[Reply::To("/team".into())]);
    for session in ["daily-1", "daily-2"] {
        let asked = bench.web.urls().len();
        assert!(matches!(bench.read(session, Recrawl::Due, gone).await.0, Err(VisitError::Fetch(FetchError::Gone { .. }))));
        bench.read(session, Recrawl::Due, moved).await.0.unwrap();
        assert!(
            bench.web.urls()[asked..].iter().any(|asked| asked == gone) && bench.web.urls()[asked..].iter().any(|asked| asked == moved)
        );
    }
    bench.web.on(team, &[Reply::Fail(FetchError::Gone { url: String::new(), status: 410 })]);
    tokio::time::sleep(DAY).await;
    for session in ["daily-3", "daily-4"] {
        let (read, stats) = bench.read(session, Recrawl::Due, team).await;
        assert!(matches!(read, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{read:?}");
        assert_eq!((stats.not_due, stats.cached), (0, 0), "it was asked");
    }
}

/// A page that is not due is not read where the robots.txt that is known forbids it.
#[tokio::test(start_paused = true)]
async fn robots_hold_for_kept_pages() {
    let bench = bench();
    let team = "https://studio.example/team";
    bench.web.on(team, &[html("<p>Ana")]);
    bench.web.on("https://studio.example/open", &[html("<p>Bea")]);
    for session in ["daily-1", "daily-2"] {
        bench.read(session, Recrawl::Due, team).await.0.unwrap();
        tokio::time::sleep(DAY).await;
    }
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nDisallow: /team")]);
    bench.read("daily-3", Recrawl::Due, "https://studio.example/open").await.0.unwrap();
    let (read, stats) = bench.read("daily-3", Recrawl::Due, team).await;
    assert!(matches!(read, Err(VisitError::RefusedByRobots { .. })), "{read:?}");
    assert_eq!(stats, VisitStats::default());
}

/// Rule 15: a removal that came in between request and answer leaves no copy; a visit to kept pages asks nobody.
#[tokio::test(start_paused = true)]
async fn kept_pages_end_with_a_removal() {
    let bench = bench();
    let team = "https://studio.example/team";
    bench.web.on(team, &[html("<p>Ana")]);
    bench.read("daily-1", Recrawl::Due, team).await.0.unwrap();
    let asked = bench.web.urls().len();
    let (read, stats) = bench.read("daily-2", Recrawl::KeptOnly, team).await;
    assert_eq!((read.unwrap().as_str(), stats), ("<p>Ana", VisitStats::default()));
    assert!(matches!(bench.read("daily-2", Recrawl::KeptOnly, "https://studio.example/none").await.0, Err(VisitError::NotKept { .. })));
    assert_eq!(bench.web.urls().len(), asked);

    let mut visit = bench.visitor.begin(VisitContext { recrawl: Recrawl::All, ..who("daily-3", "job-1") });
    let page = url(team);
    let (read, ()) = tokio::join!(visit.page(&page), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        bench.denied.0.lock().unwrap().insert(team.into());
    });
    assert!(matches!(read, Err(VisitError::Denied)), "{read:?}");
    assert_eq!(bench.web.urls().len(), asked + 1, "it was under way");
    visit.end().await.unwrap();
    bench.denied.0.lock().unwrap().clear();
    for session in ["daily-1", "daily-3"] {
        assert!(matches!(bench.read(session, Recrawl::KeptOnly, team).await.0, Err(VisitError::NotKept { .. })));
    }
}

/// Rule 15: somebody is removed whom a site names while a visit reads it. What the visit kept by then the removal deletes, and what
/// it would keep afterwards, the file of the whole visit among it, is not kept; nor is what later visits read, until the mark goes.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_site_that_names_somebody_who_was_removed() {
    let bench = bench();
    let objects = Objects::in_folder(bench._folder.path()).unwrap();
    let kept = async || {
        let (mut keys, visits) = (objects.keys("known").await.unwrap(), objects.keys("visits").await.unwrap());
        keys.extend(visits);
        keys.len()
    };
    for page in ["team", "bob"] {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("<p>Ana and Bob")]);
    }
    let mut visit = bench.begin("job-1");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(kept().await, 1);
    bench.denied.1.lock().unwrap().insert("studio.example".into());
    bench.visitor.forget_site("studio.example").await.unwrap();
    visit.end().await.unwrap();
    assert_eq!(kept().await, 0, "the file of a visit that began before");
    let mut visit = bench.begin("job-2");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    assert_eq!(visit.stats().cached, 1, "the session's own pages serve its jobs");
    visit.page(&url("https://studio.example/bob")).await.unwrap();
    visit.end().await.unwrap();
    assert_eq!(kept().await, 0);
    bench.denied.1.lock().unwrap().clear();
    bench.read("daily-2", Recrawl::Due, "https://studio.example/bob").await.0.unwrap();
    assert_eq!(kept().await, 2, "a page and the file of its visit");
}

/// Rule 15: the removal may come between two pages of one visit, after the visit has looked whether the site may be kept.
#[tokio::test(start_paused = true)]
async fn a_removal_between_two_pages_of_a_visit_is_met() {
    let bench = bench();
    let objects = Objects::in_folder(bench._folder.path()).unwrap();
    for page in ["team", "bob"] {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("<p>Ana and Bob")]);
    }
    let mut visit = bench.begin("job-1");
    visit.page(&url("https://studio.example/team")).await.unwrap();
    bench.denied.1.lock().unwrap().insert("studio.example".into());
    bench.visitor.forget_site("studio.example").await.unwrap();
    visit.page(&url("https://studio.example/bob")).await.unwrap();
    visit.end().await.unwrap();
    for folder in ["known", "visits"] {
        assert_eq!(objects.keys(folder).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_taken_host_is_a_wait_and_its_page_is_not_fetched_again() {
    let bench = bench();
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    let mut first = bench.begin("job-1");
    first.page(&url("https://studio.example/team")).await.unwrap();
    let mut second = bench.begin("job-2");
    let waiting = second.page(&url("https://studio.example/other")).await;
    let Err(VisitError::Wait { until, why: WaitFor::Host }) = waiting else { panic!("no wait: {waiting:?}") };
    assert_eq!(until, bench.clock.now().plus(Duration::from_secs(5)), "holders give back early: ask again soon");
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(bench.holds.taken(), [], "a dropped visit gives its host back");
    assert!(matches!(second.page(&url("https://studio.example/other")).await, Err(VisitError::Fetch(FetchError::Gone { .. }))));
}

/// Two jobs want one page at once: the one that waited for the host finds the page when it gets the host.
#[tokio::test(start_paused = true)]
async fn the_cache_is_looked_at_again_under_the_hold() {
    let mut with = settings();
    with.politeness.hold_requests = 1;
    let bench = bench_with(with, Duration::from_millis(500), None);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    let run = |owner: &'static str| {
        let mut visit = bench.begin(owner);
        let clock = bench.clock.clone();
        async move {
            loop {
                match visit.page(&url("https://studio.example/team")).await {
                    Ok(page) => {
                        visit.end().await.unwrap();
                        return page.text;
                    }
                    Err(VisitError::Wait { until, .. }) => tokio::time::sleep(until.since(clock.now())).await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let texts = tokio::join!(run("job-1"), run("job-2"), run("job-3"));
    assert_eq!(texts, ("<p>Ana".to_owned(), "<p>Ana".to_owned(), "<p>Ana".to_owned()));
    let urls = bench.web.urls();
    assert_eq!(urls.iter().filter(|asked| asked.ends_with("/team")).count(), 1, "{urls:?}");
}

/// 002-R37: a rate limit is waited out by everybody and counts against no job.
#[tokio::test(start_paused = true)]
async fn a_slow_down_keeps_everybody_away_and_is_not_counted() {
    let bench = bench();
    bench.web.on("https://studio.example/a", &[slow_down(Some(90)), html("a")]);
    let mut visit = bench.begin("job-1");
    let waiting = visit.page(&url("https://studio.example/a")).await;
    let Err(VisitError::Wait { until, why: WaitFor::RateLimit }) = waiting else { panic!("no wait: {waiting:?}") };
    assert_eq!(until, bench.clock.now().plus(Duration::from_secs(90)));
    assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].back_off, until, "other processes must know too");
    assert_eq!(bench.holds.taken(), []);
    let other = bench.begin("job-2").page(&url("https://studio.example/b")).await;
    assert!(matches!(other, Err(VisitError::Wait { until: theirs, why: WaitFor::Host }) if theirs == until), "{other:?}");
    tokio::time::sleep(until.since(bench.clock.now())).await;
    assert_eq!(visit.page(&url("https://studio.example/a")).await.unwrap().text, "a");
}

/// Rule 14: who answers 429 to everything and asks for no time at all is asked less and less often, and after a success again.
#[tokio::test(start_paused = true)]
async fn slow_downs_that_ask_for_nothing_slow_us_all_the_same() {
    let bench = bench();
    let refused = vec![slow_down(Some(0)); 5];
    bench.web.on("https://studio.example/a", &[refused, vec![html("a")]].concat());
    for page in 0..5 {
        bench.web.on(&format!("https://studio.example/{page}"), &[html("page")]);
    }
    let mut visit = bench.begin("job-1");
    let mut uncounted = 0;
    let first = loop {
        match visit.page(&url("https://studio.example/a")).await {
            Ok(page) => break page.text,
            Err(VisitError::Wait { until, why }) => {
                uncounted += u32::from(why == WaitFor::RateLimit);
                tokio::time::sleep(until.since(bench.clock.now())).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((first.as_str(), uncounted), ("a", 5));
    // One success takes one slow-down back: the spacing falls to a second in five steps.
    for page in 0..5 {
        visit.page(&url(&format!("https://studio.example/{page}"))).await.unwrap();
    }
    let asked = bench.web.asked.lock().unwrap().clone();
    let gaps: Vec<Duration> = asked[1..].windows(2).map(|pair| pair[1].began - pair[0].ended).collect();
    for (number, gap) in gaps[..5].iter().enumerate() {
        // Half of the delay is chance; 5 s doubled each time.
        let longest = Duration::from_secs(5 << number);
        assert!(*gap >= longest / 2 && *gap <= longest + Duration::from_secs(1), "{number}: {gaps:?}");
    }
    assert!(gaps[..5].is_sorted(), "{gaps:?}");
    let eased: Vec<u64> = gaps[5..].iter().map(Duration::as_secs).collect();
    assert_eq!(eased, [16, 8, 4, 2, 1], "{gaps:?}");
}

/// The slower spacing counts from the slow-down on, also for whoever takes the host next.
#[tokio::test(start_paused = true)]
async fn the_next_holder_begins_by_the_slower_spacing() {
    let mut with = settings();
    with.politeness.spacing_ms = 8_000;
    let bench = bench_with(with, Duration::from_millis(20), None);
    bench.web.on("https://studio.example/a", &[slow_down(Some(1)), html("a")]);
    let waiting = bench.begin("job-1").page(&url("https://studio.example/a")).await;
    assert!(matches!(waiting, Err(VisitError::Wait { why: WaitFor::RateLimit, .. })), "{waiting:?}");
    let left = bench.holds.rows.lock().unwrap()["studio.example"].next_at.since(bench.clock.now());
    assert_eq!(left, Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn robots_that_cannot_be_had_decide_by_their_failure() {
    let fail = |error| Reply::Fail(error);
    let server = FetchError::Server { url: String::new(), status: 500 };
    let hang = FetchError::OverLimit { url: String::new(), limit: Limit::Head };
    let bench = bench();
    for (host, replies) in [
        ("r500.example", vec![fail(server.clone())]),
        ("hang.example", vec![fail(hang)]),
        ("dns.example", vec![fail(FetchError::Dns("dns.example".into()))]),
        ("r429.example", vec![slow_down(None)]),
        ("r403.example", vec![Reply::Text(403, String::new())]),
        ("loop.example", vec![Reply::To("/robots.txt".into())]),
        ("inward.example", vec![Reply::To("http://127.0.0.1/robots.txt".into())]),
        ("denied.example", vec![Reply::To("https://removed.example/robots.txt".into())]),
        ("moved.example", vec![Reply::To("https://rules.example/all".into())]),
    ] {
        bench.web.on(&format!("https://{host}/robots.txt"), &replies);
        bench.web.on(&format!("https://{host}/page"), &[html("page")]);
    }
    bench.web.on("https://rules.example/all", &[html("User-agent: *\nDisallow: /page")]);
    let mut visit = bench.begin("job-1");
    let mut ask = async |host: &str| visit.page(&url(&format!("https://{host}/page"))).await;
    for host in ["r500.example", "hang.example", "dns.example"] {
        let unreachable = ask(host).await;
        let Err(VisitError::Fetch(error)) = unreachable else { panic!("{host}: {unreachable:?}") };
        assert_eq!(error.category(), crate::domain::outcome::Category::Transient, "{host}");
    }
    assert!(matches!(ask("r429.example").await, Err(VisitError::Wait { why: WaitFor::RateLimit, .. })));
    // There is a file, and it cannot be had: nothing is read.
    let inward = ask("inward.example").await;
    assert!(
        matches!(&inward, Err(VisitError::Fetch(FetchError::Guarded(why))) if why.starts_with("the robots.txt of https://inward.example leads to")),
        "{inward:?}"
    );
    bench.denied.0.lock().unwrap().insert("https://removed.example/robots.txt".into());
    let denied = ask("denied.example").await;
    assert!(matches!(denied, Err(VisitError::Fetch(FetchError::Guarded(_)))), "{denied:?}");
    for host in ["r403.example", "loop.example"] {
        assert_eq!(ask(host).await.unwrap().text, "page", "{host}");
    }
    assert!(matches!(ask("moved.example").await, Err(VisitError::RefusedByRobots { .. })), "the file belongs to the first host");
    let pages: Vec<String> = bench.web.urls().into_iter().filter(|asked| asked.ends_with("/page")).collect();
    assert_eq!(pages, ["https://r403.example/page", "https://loop.example/page"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_robots_file_is_obeyed_while_the_site_is_unreachable() {
    let bench = bench();
    bench.web.on(
        "https://studio.example/robots.txt",
        &[html("User-agent: *\nDisallow: /no"), Reply::Fail(FetchError::Server { url: String::new(), status: 502 })],
    );
    bench.web.on("https://studio.example/yes", &[html("yes")]);
    bench.begin("job-1").page(&url("https://studio.example/yes")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2 * 24 * 60 * 60)).await;
    let mut visit = bench.begin("job-2");
    assert!(matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })));
    assert_eq!(visit.page(&url("https://studio.example/yes")).await.unwrap().text, "yes");
}

#[tokio::test(start_paused = true)]
async fn crawl_delay_counts_from_the_robots_file_on_and_has_a_ceiling() {
    for (asked_s, kept_s) in [(3, 3), (45, 45), (240, 240), (3_600, 300)] {
        let bench = bench();
        bench.web.on("https://studio.example/robots.txt", &[html(&format!("User-agent: *\nCrawl-delay: {asked_s}"))]);
        let mut visit = bench.begin("job-1");
        for page in 0..3 {
            loop {
                match visit.page(&url(&format!("https://studio.example/{page}"))).await {
                    Err(VisitError::Wait { until, .. }) => {
                        // As a job does: it ends, and begins again then.
                        tokio::time::sleep(until.since(bench.clock.now())).await;
                        visit = bench.begin("job-1");
                    }
                    other => break assert!(matches!(other, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{other:?}"),
                }
            }
        }
        let asked = bench.web.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 4);
        for pair in asked.windows(2) {
            let gap = pair[1].began - pair[0].ended;
            assert!(gap >= Duration::from_secs(kept_s) && gap < Duration::from_secs(kept_s + 6), "{asked_s} s: {gap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_read_only_robots_leaves_the_host_with_its_crawl_delay() {
    let bench = bench();
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 10\nDisallow: /no")]);
    let mut visit = bench.begin("job-1");
    assert!(matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })));
    visit.end().await.unwrap();
    assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].next_at, bench.clock.now().plus(Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_mapped_host_obeys_only_its_own_spacing() {
    let mut map = HostMap::none();
    map.add("*.example", MappedHost { address: [127, 0, 0, 1].into(), port: 8080, spacing_ms: 7 }).unwrap();
    let bench = bench_with(VisitSettings { guard: Arc::new(Guard::new(map)), ..settings() }, Duration::from_millis(3), None);
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 10\nDisallow: /no")]);
    let mut visit = bench.begin("job-1");
    for page in 0..5 {
        let gone = visit.page(&url(&format!("https://studio.example/{page}"))).await;
        assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
    }
    assert!(
        matches!(visit.page(&url("https://studio.example/no")).await, Err(VisitError::RefusedByRobots { .. })),
        "robots.txt counts all the same"
    );
    let asked = bench.web.asked.lock().unwrap().clone();
    for pair in asked.windows(2) {
        let gap = pair[1].began - pair[0].ended;
        assert!(gap >= Duration::from_millis(7) && gap < Duration::from_millis(50), "{gap:?}");
    }
}

/// Hosts on one address share four requests a second.
#[tokio::test(start_paused = true)]
async fn many_hosts_on_one_address_are_read_as_one() {
    let bench = bench_with(settings(), Duration::from_millis(5), Some("93.184.216.34"));
    let mut jobs = tokio::task::JoinSet::new();
    for host in 0..12 {
        let mut visit = bench.begin(&format!("job-{host}"));
        jobs.spawn(async move {
            for page in 0..3 {
                let gone = visit.page(&url(&format!("https://site{host}.example/{page}"))).await;
                assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
            }
        });
    }
    while let Some(done) = jobs.join_next().await {
        done.unwrap();
    }
    let mut starts: Vec<Duration> = bench.web.asked.lock().unwrap().iter().map(|asked| asked.began).collect();
    starts.sort();
    assert_eq!(starts.len(), 12 * 4);
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(250), "{pair:?}");
    }
    assert!(starts[47] < Duration::from_secs(14), "the address is not idle: {:?}", starts[47]);
}

#[tokio::test(start_paused = true)]
async fn a_site_has_a_budget_and_an_outage_of_ours_is_told_apart() {
    let mut with = settings();
    with.site.pages = 3;
    let bench = bench_with(with, Duration::from_millis(1), None);
    let mut visit = bench.begin("job-1");
    for page in 0..3 {
        let _ = visit.page(&url(&format!("https://studio.example/{page}"))).await;
    }
    let over = visit.page(&url("https://studio.example/3")).await;
    assert!(matches!(over, Err(VisitError::OverBudget { stop: BudgetStop::Pages, .. })), "{over:?}");
    *bench.holds.down.lock().unwrap() = true;
    let down = visit.page(&url("https://other.example/")).await;
    assert!(matches!(down, Err(VisitError::Store(StoreError::Unavailable(_)))), "{down:?}");
}

/// A hold is for at most 10 requests or 30 s: then the host is given back and taken again, so that others get a chance.
#[tokio::test(start_paused = true)]
async fn a_hold_ends_after_its_requests_or_its_time() {
    for (latency_ms, pages, takes) in [(1, 24, 3), (9_000, 8, 3)] {
        let bench = bench_with(settings(), Duration::from_millis(latency_ms), None);
        let mut visit = bench.begin("job-1");
        for page in 0..pages {
            let gone = visit.page(&url(&format!("https://studio.example/{page}"))).await;
            assert!(matches!(gone, Err(VisitError::Fetch(FetchError::Gone { .. }))), "{gone:?}");
        }
        assert_eq!(bench.holds.rows.lock().unwrap()["studio.example"].token, takes, "{latency_ms} ms");
    }
}

/// One page behind two redirects of a slow site that asks for half a minute between requests takes minutes, and none of them
/// looks like a hung job.
#[tokio::test(start_paused = true)]
async fn waiting_politely_is_progress() {
    let bench = bench_with(settings(), Duration::from_secs(20), None);
    bench.web.on("https://studio.example/robots.txt", &[html("User-agent: *\nCrawl-delay: 29")]);
    bench.web.on("https://studio.example/", &[Reply::To("/a".into())]);
    bench.web.on("https://studio.example/a", &[Reply::To("/b".into())]);
    bench.web.on("https://studio.example/b", &[html("page")]);
    let progress = Progress::default();
    let who = VisitContext { progress: progress.clone(), ..who("daily-1", "job-1") };
    let mut visit = bench.visitor.begin(who);
    let began = Instant::now();
    let reading = tokio::spawn(async move { visit.page(&url("https://studio.example/")).await.unwrap() });
    let (mut seen, mut still, mut longest) = (0, 0, 0);
    while !reading.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        still = if progress.steps() == seen { still + 1 } else { 0 };
        seen = progress.steps();
        longest = longest.max(still);
    }
    assert_eq!(reading.await.unwrap().text, "page");
    assert!(began.elapsed() > Duration::from_secs(120), "{:?}", began.elapsed());
    assert!(longest <= 21, "no progress for {longest} s, though a request takes 20 s");
}

/// Whoever takes a host after a hold that was never given back still keeps the spacing to its last request.
#[tokio::test(start_paused = true)]
async fn a_hold_that_runs_out_was_spaced_to_its_end() {
    let bench = bench();
    let (request_time, spacing) = (FetchLimits::default().total(), Duration::from_secs(20));
    let chance = Arc::new(Chance::seeded(1));
    let politeness = Politeness::new(bench.holds.clone(), bench.clock.clone(), chance, PolitenessSettings::default(), request_time);
    let take = async |owner: &str| politeness.take("studio.example", owner, spacing).await.unwrap();
    let mut held = take("job-1").await.unwrap();
    let mut last_end = Duration::ZERO;
    while politeness.turn(&mut held, &[], &Progress::default()).await == Turn::Go {
        // The longest that a request may take.
        tokio::time::sleep(request_time).await;
        politeness.ended(&mut held);
        last_end = bench.clock.monotonic();
    }
    let mut next = loop {
        match take("job-2").await {
            Ok(held) => break held,
            Err(until) => tokio::time::sleep(until.since(bench.clock.now())).await,
        }
    };
    assert_eq!(politeness.turn(&mut next, &[], &Progress::default()).await, Turn::Go);
    let gap = bench.clock.monotonic() - last_end;
    assert!(gap >= spacing && last_end > Duration::ZERO, "{gap:?}");
}

/// Another job fetched the page after we looked for it and before we took the host.
#[tokio::test(start_paused = true)]
async fn a_page_fetched_while_the_name_was_looked_up_is_not_fetched_again() {
    let bench = bench_with(settings(), Duration::from_millis(500), None);
    bench.web.on("https://studio.example/team", &[html("<p>Ana")]);
    *bench.web.lookup.lock().unwrap() = Duration::from_secs(3);
    let run = |owner: &'static str, start_s: u64| {
        let mut visit = bench.begin(owner);
        async move {
            tokio::time::sleep(Duration::from_secs(start_s)).await;
            let page = visit.page(&url("https://studio.example/team")).await.unwrap();
            let stats = visit.stats();
            visit.end().await.unwrap();
            (page.text, stats.cached)
        }
    };
    // The first has the page after two look-ups of 3 s and two requests; the second looks for it in between.
    let (first, second) = tokio::join!(run("job-1", 0), run("job-2", 5));
    assert_eq!((first, second), (("<p>Ana".to_owned(), 0), ("<p>Ana".to_owned(), 1)));
    assert_eq!(bench.web.urls(), ["https://studio.example/robots.txt", "https://studio.example/team"]);
}

/// What a job does with a wait: it comes back at that moment and goes on where it was.
async fn run_job(bench: &Bench, owner: &str, pages: usize) {
    let mut visit = bench.begin(owner);
    let mut page = 0;
    while page < pages {
        match visit.page(&url(&format!("https://studio.example/{owner}/{page}"))).await {
            Err(VisitError::Wait { until, .. }) => {
                visit.end().await.unwrap();
                tokio::time::sleep(until.since(bench.clock.now())).await;
                visit = bench.begin(owner);
            }
            Ok(_) => page += 1,
            Err(error) => panic!("{error}"),
        }
    }
    visit.end().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever happens, requests to a host never overlap, are never nearer than the spacing, never within a Retry-After, and
    /// none is started that could end after its hold.
    #[test]
    fn spacing_is_never_below_the_delay_and_retry_after_is_obeyed(
        spacing_ms in 1_u64..3_000, crawl_delay_s in proptest::option::of(1_u64..40), latency_ms in 0_u64..3_000, hold_requests in 1_u32..12,
        hold_ms in 1_000_u64..40_000, pages in 1_usize..8, waits in proptest::collection::vec((0_usize..8, proptest::option::of(0_u64..200)), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut with = settings();
            with.politeness.spacing_ms = spacing_ms;
            with.politeness.hold_requests = hold_requests;
            with.politeness.hold_ms = hold_ms;
            let bench = bench_with(with, Duration::from_millis(latency_ms), None);
            let robots = crawl_delay_s.map(|delay| format!("User-agent: *\nCrawl-delay: {delay}")).unwrap_or_default();
            bench.web.on("https://studio.example/robots.txt", &[html(&robots)]);
            for owner in ["job-1", "job-2"] {
                for page in 0..pages {
                    let mut replies = vec![html("page")];
                    for (_, retry_after) in waits.iter().filter(|(at, _)| *at == page) {
                        replies.insert(0, slow_down(*retry_after));
                    }
                    bench.web.on(&format!("https://studio.example/{owner}/{page}"), &replies);
                }
            }
            tokio::join!(run_job(&bench, "job-1", pages), run_job(&bench, "job-2", pages));
            let mut slow_downs: u32 = 0;
            let asked = bench.web.asked.lock().unwrap().clone();
            let pages_asked = asked.iter().filter(|asked| asked.slow_down.is_none() && !asked.url.ends_with("robots.txt")).count();
            assert_eq!(pages_asked, 2 * pages, "each page once");
            for pair in asked.windows(2) {
                let delay = Duration::from_millis(spacing_ms).max(Duration::from_secs(crawl_delay_s.unwrap_or(0).min(300)));
                let gap = pair[1].began.checked_sub(pair[0].ended).expect("requests to a host never overlap");
                assert!(gap >= delay, "{gap:?} < {delay:?}");
                slow_downs = if pair[0].slow_down.is_some() { slow_downs + 1 } else { slow_downs.saturating_sub(1) };
                if let Some(asked) = pair[0].slow_down {
                    let ours = settings().politeness.back_off.bare(slow_downs) / 2;
                    assert!(gap >= asked.unwrap_or_default().max(ours), "{gap:?} after the {slow_downs}th slow-down, which asks for {asked:?}");
                }
                let slowed = delay.saturating_mul(1 << slow_downs.min(6)).min(Duration::from_secs(30)).max(delay);
                let is_robots = pair[0].url.ends_with("robots.txt");
                assert!(is_robots || gap >= slowed, "{gap:?} < {slowed:?} after {slow_downs} slow-downs");
                assert_eq!(&pair[0].host, &pair[1].host);
            }
            assert_eq!(bench.holds.taken(), []);
        });
    }
}
