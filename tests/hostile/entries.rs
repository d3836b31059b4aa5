//! The entries by which a URL comes in, and what each does with one that leads inwards.

use crate::support::hostile::vectors::{Inward, Reason};
use crate::support::visits::{Bench, USER_AGENT};
use inkdex::discover::file;
use inkdex::extract::{PageFindings, ParseLimits, SiteLimits as ReadLimits, SiteReader, Styles};
use inkdex::jobs::reading::{ChildSettings, PageReader};
use inkdex::jobs::single_visit::SingleVisit;
use inkdex::jobs::site_visit::{PageStop, read_fetched};
use inkdex::jobs::why::{Decision, Inquiry};
use inkdex::scrape::guard::{Guard, read_url};
use inkdex::scrape::http::api::ApiClient;
use inkdex::scrape::limits::{FetchLimits, SiteLimits};
use inkdex::scrape::visit::VisitError;
use inkdex::scrape::{FetchError, FetchedPage};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How a page sends its reader elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Status(u16),
    Meta,
    Header,
}

/// Where URLs come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
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
    /// A sitemap that moved there.
    SitemapMoved,
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

pub const ENTRIES: [Entry; 19] = [
    Entry::Seed,
    Entry::Requeue,
    Entry::Link,
    Entry::Canonical,
    Entry::Sitemap,
    Entry::SitemapMoved,
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

/// What the entries lead into.
pub struct Trial {
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
    pub fn new(names: Arc<Inward>, port: u16) -> Self {
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
    pub async fn attempt(&self, entry: Entry, n: usize, text: &str) -> Result<Reason, String> {
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
            Entry::SitemapMoved => self.sitemap_moved(n, text).await,
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

    async fn sitemap_moved(&self, n: usize, text: &str) -> Result<Reason, String> {
        let (host, path) = ("moved-map.example", format!("/{n}.xml"));
        self.bench.server.put_up(host, &path, answer("301 Moved", &format!("Location: {text}\r\n"), ""));
        let mut visit = self.bench.begin("map", false);
        let found = visit.sitemap(&Url::parse(&format!("http://{host}{path}")).unwrap()).await;
        visit.end().await.unwrap();
        self.went(host, &path, &found)
    }

    /// What became of a page that leads elsewhere.
    fn went(&self, host: &str, path: &str, found: &Result<FetchedPage, VisitError>) -> Result<Reason, String> {
        if self.bench.server.hits(path) != 1 {
            return Err("its page was not asked for".to_owned());
        }
        match refused_for(found) {
            Ok(reason) => Ok(reason),
            // What a page or the server itself answers: the target was no URL, or one on the server.
            Err(other) => self.only_of(host).map_err(|gone| format!("{gone}: {other}")),
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
        self.went(host, &path, &found)
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
