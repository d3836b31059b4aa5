//! Every URL that leads inwards, through every entry by which a URL comes in: none of them is asked for, each is refused for its
//! own reason, and nobody knocks at the canaries.

use crate::support::hostile::canary::Canary;
use crate::support::hostile::vectors::{self, Inward, Reason, Vector};
use crate::support::visits::{Bench, USER_AGENT};
use inkdex::discover::file;
use inkdex::extract::{PageFindings, ParseLimits, SiteLimits as ReadLimits, SiteReader, Styles};
use inkdex::jobs::reading::{ChildSettings, PageReader};
use inkdex::jobs::single_visit::SingleVisit;
use inkdex::jobs::site_visit::{PageStop, read_fetched};
use inkdex::jobs::why::{Decision, Inquiry};
use inkdex::scrape::FetchError;
use inkdex::scrape::guard::{Guard, NameLookup, read_url};
use inkdex::scrape::http::api::ApiClient;
use inkdex::scrape::limits::{FetchLimits, SiteLimits};
use inkdex::scrape::visit::VisitError;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How a page sends its reader elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Status(u16),
    Meta,
    Header,
}

/// Where URLs come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// A studio's website in a file of studios.
    Seed,
    /// As a job that was requeued reads it.
    Requeue,
    /// A link on a page, as the own site of the artist it stands beside.
    Link,
    /// `rel=canonical`.
    Canonical,
    /// A `Sitemap:` line of a robots.txt.
    Sitemap,
    /// A page that a sitemap names.
    SitemapPage,
    /// The robots.txt of its host.
    Robots,
    /// A robots.txt that moved there.
    RobotsMoved,
    /// A page that moved there.
    Moved(Way),
    /// `inkdex why URL`.
    Why,
    /// `inkdex extract URL`.
    Extract,
    /// The configured address of an API.
    Api,
}

const ENTRIES: [Entry; 18] = [
    Entry::Seed,
    Entry::Requeue,
    Entry::Link,
    Entry::Canonical,
    Entry::Sitemap,
    Entry::SitemapPage,
    Entry::Robots,
    Entry::RobotsMoved,
    Entry::Moved(Way::Status(301)),
    Entry::Moved(Way::Status(302)),
    Entry::Moved(Way::Status(303)),
    Entry::Moved(Way::Status(307)),
    Entry::Moved(Way::Status(308)),
    Entry::Moved(Way::Meta),
    Entry::Moved(Way::Header),
    Entry::Why,
    Entry::Extract,
    Entry::Api,
];

/// What all attempts came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub vectors: usize,
    pub entries: usize,
    pub attempts: usize,
    /// Vectors by which a client without a guard met a canary: what the zero means.
    pub unguarded: usize,
    pub canary_hits: usize,
    pub reasons: BTreeMap<Reason, usize>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { vectors, entries, attempts, unguarded, canary_hits, reasons } = self;
        write!(f, "{vectors} vectors by {entries} entries are {attempts} attempts, {canary_hits} canary hits; ")?;
        write!(f, "{unguarded} vectors lead a client without a guard to a canary; refused as {reasons:?}")
    }
}

struct Trial {
    bench: Bench,
    single: SingleVisit,
    inquiry: Inquiry,
    api: ApiClient,
}

fn single(bench: &Bench) -> SingleVisit {
    let styles = Arc::new(Styles::standard());
    let child = ChildSettings { program: PathBuf::new(), time: Duration::ZERO, memory_mb: 0 };
    let parse = ParseLimits { time_ms: 60_000, ..ParseLimits::default() };
    SingleVisit {
        visitor: bench.visitor.clone(),
        reader: PageReader::new(styles.clone(), parse, 1, child),
        styles,
        clock: bench.clock.clone(),
        site: ReadLimits::default(),
        obeys_noindex: true,
        draws: false,
        patience: Duration::ZERO,
    }
}

impl Trial {
    fn new(names: Arc<Inward>, port: u16) -> Self {
        let site = SiteLimits { pages: usize::MAX, wall_ms: u64::MAX, ..SiteLimits::default() };
        let limits = FetchLimits { connect_ms: 2_000, ..FetchLimits::default() };
        let clock = Arc::new(inkdex::domain::clock::SystemClock::new());
        let bench = Bench::over(limits.clone(), site, |map| Guard::with_lookup(map, names, clock.clone()).and_port(port));
        let inquiry = Inquiry {
            visit: single(&bench),
            guard: bench.guard.clone(),
            denial: bench.judged.clone(),
            known: None,
            back_offs: Vec::new(),
            clock: bench.clock.clone(),
        };
        let api = ApiClient::new(bench.guard.clone(), limits, USER_AGENT, clock).unwrap();
        Self { single: single(&bench), bench, inquiry, api }
    }

    /// One vector by one entry: why it was not asked for.
    async fn attempt(&self, entry: Entry, n: usize, text: &str) -> Result<Reason, String> {
        self.bench.judged.taken();
        match entry {
            Entry::Seed => self.seed(text).await,
            Entry::Requeue => match read_url(text, None) {
                Ok(url) => self.visited(&url, true).await,
                Err(error) => reason(&error),
            },
            Entry::Link => self.link(n, text).await,
            Entry::Canonical => self.canonical(n, text).await,
            Entry::Sitemap => self.sitemap(n, text).await,
            Entry::SitemapPage => self.sitemap_page(n, text).await,
            Entry::Robots => self.robots(text).await,
            Entry::RobotsMoved => self.robots_moved(n, text).await,
            Entry::Moved(way) => self.moved(way, n, text).await,
            Entry::Why => self.why(text).await,
            Entry::Extract => match read_url(text, None) {
                Ok(url) => match self.single.read(&url).await {
                    Ok(facts) => Err(format!("it was read: {facts:?}")),
                    Err(not_read) => stopped(&not_read.stop),
                },
                Err(error) => reason(&error),
            },
            Entry::Api => match read_url(text, None) {
                Ok(url) => match self.api.post(&url, reqwest::header::HeaderMap::new(), "{}".to_owned()).await {
                    Ok(answer) => Err(format!("it answered: {answer:?}")),
                    Err(error) => reason(&error),
                },
                Err(error) => reason(&error),
            },
        }
    }

    /// A visit asked for it, and it was judged; that is what an attempt is.
    async fn visited(&self, url: &Url, requeued: bool) -> Result<Reason, String> {
        let mut visit = self.bench.begin("visit", requeued);
        let found = visit.page(url).await;
        visit.end().await.unwrap();
        let mut plain = url.clone();
        plain.set_fragment(None);
        if !self.bench.judged.taken().contains(&plain) {
            return Err("no visit ever judged it".to_owned());
        }
        refused_for(&found)
    }

    async fn seed(&self, text: &str) -> Result<Reason, String> {
        let studios = serde_json::json!([{ "name": "Ada", "website": text }]).to_string();
        let found = file::parse(Path::new("studios.json"), "file:studios.json", &studios)?;
        match (found.studios.first(), found.problems.first()) {
            (Some(studio), None) => match &studio.website {
                Some(url) => self.visited(url, false).await,
                None => Err("the studio has no website".to_owned()),
            },
            (None, Some(problem)) => Reason::told(&problem.problem).ok_or_else(|| problem.problem.clone()),
            other => Err(format!("{other:?}")),
        }
    }

    /// The page at `n` of a host, read as a job reads it.
    async fn page(&self, host: &str, n: usize, html: &str) -> Result<(Url, PageFindings), String> {
        let path = format!("/{n}");
        self.bench.server.put_up(host, &path, answer("200 OK", "", html));
        let (found, _) = self.bench.read("page", host, &path).await;
        let page = found.map_err(|error| format!("its page was not read: {error}"))?;
        let url = page.url.clone();
        let (findings, _) = read_fetched(&self.single.reader, page, false).await.map_err(|error| error.to_string())?;
        Ok((url, findings))
    }

    async fn link(&self, n: usize, text: &str) -> Result<Reason, String> {
        let html = format!("<!doctype html><title>Ada</title><h1>Ada</h1><p>tattoo artist <a href=\"{}\">her own site</a>", escaped(text));
        let (page, findings) = self.page("link.example", n, &html).await?;
        let Some(link) = findings.links.first().map(|link| link.url.clone()) else { return Ok(Reason::LeftAlone) };
        if link.host() == page.host() {
            return Ok(Reason::LeftAlone);
        }
        let mut reader = SiteReader::new(page.clone(), ReadLimits::default());
        assert_eq!(reader.next_page().as_ref(), Some(&page));
        reader.page_read(&page, findings);
        if let Some(next) = reader.next_page() {
            return Err(format!("the reader of the site goes on to {next}"));
        }
        self.bench.judged.taken();
        self.visited(&link, false).await
    }

    async fn canonical(&self, n: usize, text: &str) -> Result<Reason, String> {
        let html = format!("<!doctype html><title>Ada</title><link rel=canonical href=\"{}\"><h1>Ada</h1>", escaped(text));
        let (page, findings) = self.page("canonical.example", n, &html).await?;
        if let Some(canonical) = findings.canonical.filter(|canonical| canonical.host() != page.host()) {
            return Err(format!("it is taken for {canonical}"));
        }
        self.only_of(page.host_str().unwrap_or_default())
    }

    /// A site that shows next to nothing is read whole, its sitemaps included; `rules` are its robots.txt.
    async fn bare_site(&self, host: &str, rules: &str) -> Result<Reason, String> {
        self.bench.server.put_up(host, "/robots.txt", answer("200 OK", "", rules));
        self.bench.server.put_up(host, "/", answer("200 OK", "", "<h1>Ada</h1>"));
        let url = Url::parse(&format!("http://{host}/")).unwrap();
        self.single.read(&url).await.map_err(|error| format!("its page was not read: {error}"))?;
        if self.bench.server.hits_on(host, "/robots.txt") != 1 {
            return Err("its robots.txt was not read".to_owned());
        }
        self.only_of(host)
    }

    async fn sitemap(&self, n: usize, text: &str) -> Result<Reason, String> {
        let host = format!("sitemap{n}.example");
        self.bare_site(&host, &format!("Sitemap: {text}\nUser-agent: *\nAllow: /\nSitemap: {text}\n")).await
    }

    async fn sitemap_page(&self, n: usize, text: &str) -> Result<Reason, String> {
        let host = format!("mapped{n}.example");
        let text = escaped(text);
        let map = format!("<urlset><url><loc>{text}</loc></url><sitemap><loc>{text}</loc></sitemap></urlset>");
        self.bench.server.put_up(&host, "/map", answer("200 OK", "", &map));
        let reason = self.bare_site(&host, &format!("Sitemap: http://{host}/map\n")).await?;
        match self.bench.server.hits_on(&host, "/map") {
            1 => Ok(reason),
            hits => Err(format!("its sitemap was read {hits} times")),
        }
    }

    /// Nothing but URLs of one host was so much as judged.
    fn only_of(&self, host: &str) -> Result<Reason, String> {
        match self.bench.judged.taken().into_iter().find(|url| url.host_str() != Some(host)) {
            Some(url) => Err(format!("a visit went on to {url}")),
            None => Ok(Reason::LeftAlone),
        }
    }

    async fn robots(&self, text: &str) -> Result<Reason, String> {
        let url = match read_url(text, None) {
            Ok(url) => url,
            Err(error) => return reason(&error),
        };
        let mut visit = self.bench.begin("robots", false);
        let found = visit.robots_file(&url).await;
        visit.end().await.unwrap();
        refused_for(&found)
    }

    async fn robots_moved(&self, n: usize, text: &str) -> Result<Reason, String> {
        let host = format!("moved{n}.example");
        let status = [301, 302, 303, 307, 308][n % 5];
        let moved = answer(&format!("{status} Moved"), &format!("Location: {text}\r\n"), "");
        self.bench.server.put_up(&host, "/robots.txt", moved);
        self.bench.server.put_up(&host, "/", answer("200 OK", "", "<h1>Ada</h1>"));
        let (found, _) = self.bench.read("moved", &host, "/").await;
        if self.bench.server.hits_on(&host, "/robots.txt") != 1 {
            return Err("its robots.txt was not asked for".to_owned());
        }
        // A robots.txt that moved to where the guard lets nobody go is no robots.txt, and the page is read.
        let target = self.bench.judged.taken().into_iter().find(|url| url.host_str() != Some(host.as_str()));
        match (found, target) {
            (Ok(_), Some(target)) => match self.bench.guard.check_url(&target) {
                Err(error) => reason(&error),
                Ok(()) => Err(format!("{target} was asked for a robots.txt")),
            },
            (Ok(_), None) => Ok(Reason::LeftAlone),
            (found, _) => refused_for(&found),
        }
    }

    async fn moved(&self, way: Way, n: usize, text: &str) -> Result<Reason, String> {
        let (host, path) = ("elsewhere.example", format!("/{way:?}/{n}"));
        let path = path.replace(['(', ')'], "-");
        let moving = match way {
            Way::Status(status) => answer(&format!("{status} Moved"), &format!("Location: {text}\r\n"), ""),
            Way::Header => answer("200 OK", &format!("Refresh: 0; url={text}\r\n"), "<h1>Ada</h1>"),
            Way::Meta => answer("200 OK", "", &format!("<meta http-equiv=refresh content=\"0; url={}\"><h1>Ada</h1>", escaped(text))),
        };
        self.bench.server.put_up(host, &path, moving);
        let (found, _) = self.bench.read("moved", host, &path).await;
        if self.bench.server.hits(&path) != 1 {
            return Err("its page was not asked for".to_owned());
        }
        match refused_for(&found) {
            Ok(reason) => Ok(reason),
            // What a page or the server itself answers: the target was no URL, or one on the server.
            Err(other) => self.only_of(host).map_err(|gone| format!("{gone}: {other}")),
        }
    }

    async fn why(&self, text: &str) -> Result<Reason, String> {
        let why = self.inquiry.ask(text).await.map_err(|error| error.to_string())?;
        let says = why.parts.last().map(|part| part.says.clone()).unwrap_or_default();
        if why.decision != Decision::Refuse || why.allowed {
            return Err(format!("{:?}: {says}", why.decision));
        }
        Reason::told(&says).ok_or(says)
    }
}

/// A whole answer.
fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

fn reason(error: &FetchError) -> Result<Reason, String> {
    let text = error.to_string();
    let typed = matches!(error, FetchError::Guarded(_) | FetchError::BadResponse { .. });
    Reason::told(&text).filter(|_| typed).ok_or(text)
}

pub fn refused_for<T: std::fmt::Debug>(found: &Result<T, VisitError>) -> Result<Reason, String> {
    match found {
        Err(VisitError::Fetch(error)) => reason(error),
        other => Err(format!("{other:?}")),
    }
}

fn stopped(stop: &PageStop) -> Result<Reason, String> {
    match stop {
        PageStop::Visit(VisitError::Fetch(error)) => reason(error),
        other => Err(other.to_string()),
    }
}

/// A resolver that asks no guard.
struct Plain(Arc<Inward>);

impl reqwest::dns::Resolve for Plain {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let names = Arc::clone(&self.0);
        Box::pin(async move {
            match names.addresses(name.as_str()).await {
                Ok(found) => Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as reqwest::dns::Addrs),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// How many vectors lead a client without a guard to a canary; each that is said to must.
#[expect(clippy::disallowed_methods, reason = "a client without the guard shows what the guard keeps away")]
async fn unguarded(canary: &Canary, vectors: &[Vector], names: &Arc<Inward>) -> usize {
    let client = reqwest::Client::builder().no_proxy().dns_resolver(Plain(names.clone())).timeout(Duration::from_secs(5)).build().unwrap();
    let v6 = canary.addresses.iter().any(|address| address.is_ipv6());
    let mut met = 0;
    for vector in vectors.iter().filter(|vector| vector.reaches) {
        let before = canary.hits();
        let url = Url::parse(&vector.text).unwrap();
        // It is the connection that counts; over TLS there is no answer.
        let answer = client.get(url).send().await;
        let hit = canary.hits() > before;
        assert!(hit || !v6, "{} does not lead to the canary even without a guard: {answer:?}", vector.text);
        met += usize::from(hit);
    }
    met
}

/// S1, rule 13.
pub async fn every_vector_by_every_entry() -> Tally {
    let canary = Canary::listen().await.unwrap();
    assert_eq!(canary.sing().await.unwrap(), canary.addresses.len(), "a canary is deaf");
    let before = canary.hits();
    let (vectors, names) = vectors::all(canary.port);
    let names = Arc::new(names);
    let trial = Trial::new(names.clone(), canary.port);
    let mut tally = Tally { vectors: vectors.len(), entries: ENTRIES.len(), ..Tally::default() };
    let mut wrong = Vec::new();
    for entry in ENTRIES {
        let mut left_alone = 0;
        for (n, vector) in vectors.iter().enumerate() {
            tally.attempts += 1;
            match trial.attempt(entry, n, &vector.text).await {
                Ok(reason) if reason == Reason::LeftAlone || vector.reasons.contains(&reason) => {
                    *tally.reasons.entry(reason).or_default() += 1;
                    left_alone += usize::from(reason == Reason::LeftAlone);
                }
                Ok(reason) => wrong.push(format!("{entry:?} {:?}: {reason:?} instead of {:?}", vector.text, vector.reasons)),
                Err(what) => wrong.push(format!("{entry:?} {:?}: {what}", vector.text)),
            }
            if canary.hits() > before + tally.canary_hits {
                tally.canary_hits = canary.hits() - before;
                wrong.push(format!("{entry:?} {:?} met a canary", vector.text));
            }
        }
        // Only what no visit asks for, and what an entry reads as something else, may be left alone.
        let most = if matches!(entry, Entry::Canonical | Entry::Sitemap) { vectors.len() } else { vectors.len() / 5 };
        assert!(left_alone <= most, "{entry:?} tried {} vectors only", vectors.len() - left_alone);
    }
    assert!(wrong.is_empty(), "{} of {} attempts:\n{}", wrong.len(), tally.attempts, wrong.join("\n"));
    assert_eq!(tally.canary_hits, 0);
    tally.unguarded = unguarded(&canary, &vectors, &names).await;
    assert!(tally.unguarded >= 60, "{} vectors lead to canaries without a guard", tally.unguarded);
    tally
}
