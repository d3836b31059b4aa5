//! Visits by the real fetcher, guard and rules, over the hostile server: its hosts are mapped to it, all others are judged as on
//! the public web, by a resolver of the test. What was judged is written down.

use super::hostile::HostileServer;
use async_trait::async_trait;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{Clock, SystemClock, Timestamp};
use inkdex::domain::ids::SessionId;
use inkdex::domain::progress::Progress;
use inkdex::objects::Objects;
use inkdex::scrape::FetchedPage;
use inkdex::scrape::draw::NoBrowser;
use inkdex::scrape::guard::{Guard, HostMap, MappedHost, NameLookup};
use inkdex::scrape::http::HttpFetch;
use inkdex::scrape::limits::{FetchLimits, SiteLimits};
use inkdex::scrape::politeness::PolitenessSettings;
use inkdex::scrape::visit::{Recrawl, UrlDenial, Visit, VisitContext, VisitError, VisitSettings, Visitor};
use inkdex::store::{HostAnswer, HostHolds, HostTicket, StoreError, StoreResult};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// Whom we say we are.
pub const USER_AGENT: &str = "Inkdex/0.1 (+https://inkdex.example/bot)";

/// Holds in memory by the contract of the port: token, end, next time, back-off.
#[derive(Debug, Default)]
struct Holds {
    rows: Mutex<HashMap<String, (u64, Timestamp, Timestamp, Timestamp)>>,
}

#[async_trait]
impl HostHolds for Holds {
    async fn take(&self, host: &str, _owner: &str, hold_us: i64, now: Timestamp) -> StoreResult<HostAnswer> {
        let mut rows = self.rows.lock().unwrap();
        let (token, until, next_at, back_off) = rows.entry(host.to_owned()).or_default();
        if (*until).max(*back_off) > now {
            return Ok(HostAnswer::Busy((*until).max(*back_off)));
        }
        *token += 1;
        *until = Timestamp(now.0 + hold_us);
        Ok(HostAnswer::Taken(HostTicket { host: host.to_owned(), token: *token, until: *until, next_at: *next_at }))
    }

    async fn give_back(&self, ticket: &HostTicket, given_next_at: Timestamp) -> StoreResult<()> {
        let mut rows = self.rows.lock().unwrap();
        if let Some((_, until, next_at, _)) = rows.get_mut(&ticket.host).filter(|row| row.0 == ticket.token) {
            *until = Timestamp(0);
            *next_at = (*next_at).max(given_next_at);
        }
        Ok(())
    }

    async fn back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        let mut rows = self.rows.lock().unwrap();
        let (_, _, _, back_off) = rows.entry(host.to_owned()).or_default();
        *back_off = (*back_off).max(until);
        Ok(())
    }
}

/// Denies nobody, and writes down every URL that a visit judged: the denylist is asked first, at each hop.
#[derive(Debug, Default)]
pub struct Judged(Mutex<Vec<Url>>);

#[async_trait]
impl UrlDenial for Judged {
    async fn is_denied(&self, url: &Url) -> Result<bool, StoreError> {
        self.0.lock().unwrap().push(url.clone());
        Ok(false)
    }

    async fn names_removed(&self, _site: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl Judged {
    /// What was judged since this was last asked.
    pub fn taken(&self) -> Vec<Url> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Nobody's resolver: it knows no name.
#[derive(Debug)]
struct NoNames;

#[async_trait]
impl NameLookup for NoNames {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, String> {
        Err("no such name".to_owned())
    }
}

/// A visitor whose `*.example` hosts are the hostile server.
pub struct Bench {
    pub server: HostileServer,
    pub visitor: Visitor,
    pub guard: Arc<Guard>,
    pub judged: Arc<Judged>,
    pub clock: Arc<dyn Clock>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// Under limits on a response and on a site.
    pub fn new(limits: FetchLimits, site: SiteLimits) -> Self {
        Self::over(limits, site, |map| Guard::with_lookup(map, Arc::new(NoNames), Arc::new(SystemClock::new())))
    }

    /// As [`Bench::new`], with the guard that `guard` makes of the map.
    pub fn over(limits: FetchLimits, site: SiteLimits, guard: impl FnOnce(HostMap) -> Guard) -> Self {
        let server = HostileServer::start().unwrap();
        let mut map = HostMap::none();
        map.add("*.example", MappedHost { address: server.addr.ip(), port: server.addr.port(), spacing_ms: 0 }).unwrap();
        let guard = Arc::new(guard(map));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let fetch = HttpFetch::new(Arc::clone(&guard), limits.clone(), USER_AGENT, Arc::clone(&clock)).unwrap();
        let settings = VisitSettings {
            politeness: PolitenessSettings { address_spacing_ms: 0, ..PolitenessSettings::default() },
            limits,
            site,
            product_token: "Inkdex".into(),
            guard: Arc::clone(&guard),
            recrawl: true,
            evidence: true,
            need_memory: Duration::ZERO,
        };
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path()).unwrap();
        let judged = Arc::new(Judged::default());
        let holds = Arc::new(Holds::default());
        let chance = Arc::new(Chance::seeded(1));
        let visitor = Visitor::new(
            (Arc::new(fetch), Arc::new(NoBrowser("none here"))),
            holds,
            objects,
            judged.clone(),
            Arc::clone(&clock),
            chance,
            settings,
        );
        Self { server, visitor, guard, judged, clock, _folder: folder }
    }

    /// Begins a visit; one of a requeued job reads no copy of before.
    pub fn begin(&self, owner: &str, requeued: bool) -> Visit {
        let fresh_after = requeued.then(|| self.clock.now());
        self.visitor.begin(VisitContext {
            session: SessionId::new("daily-1"),
            owner: owner.into(),
            fresh_after,
            recrawl: Recrawl::All,
            drawn: false,
            progress: Progress::default(),
        })
    }

    /// Reads a page in a visit of its own; answers what came and how long it took.
    pub async fn read(&self, owner: &str, host: &str, path: &str) -> (Result<FetchedPage, VisitError>, Duration) {
        let mut visit = self.begin(owner, false);
        let began = self.clock.monotonic();
        let found = visit.page(&Url::parse(&format!("http://{host}{path}")).unwrap()).await;
        let took = self.clock.monotonic() - began;
        visit.end().await.unwrap();
        (found, took)
    }
}
