//! Ports over real embedded backends in a folder of their own, and a desk and a control for tests without actors.

use async_trait::async_trait;
use inkdex::alert::Alert;
use inkdex::domain::backoff::RetryDelay;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::ids::SessionId;
use inkdex::domain::ledger::LedgerLimits;
use inkdex::domain::session::Trigger;
use inkdex::extract::{ParseLimits, SiteLimits, Styles};
use inkdex::feed::Shard;
use inkdex::feed::sqlite::SqliteFeed;
use inkdex::jobs::control::{ChildState, Control, ControlError, Survey};
use inkdex::jobs::courier::Sending;
use inkdex::jobs::deny::{DenyHasher, SiteDenial};
use inkdex::jobs::reading::{ChildSettings, PageReader};
use inkdex::jobs::sessions::{DAILY, Pipeline};
use inkdex::jobs::sync_index::{SyncSettings, advance, standing, sync};
use inkdex::jobs::write_artist::{WriteArtist, WriteError, Written};
use inkdex::jobs::{Desk, JobSettings, Ports};
use inkdex::objects::Objects;
use inkdex::queue::sqlite::SqliteQueue;
use inkdex::scrape::draw::NoBrowser;
use inkdex::scrape::guard::{Guard, HostMap};
use inkdex::scrape::http::HttpFetch;
use inkdex::scrape::limits::FetchLimits;
use inkdex::scrape::politeness::PolitenessSettings;
use inkdex::scrape::visit::{VisitSettings, Visitor};
use inkdex::search::tantivy::{OpenOutcome, TantivyIndex, TantivyLetters, TantivySettings};
use inkdex::store::host_holds::MemoryHolds;
use inkdex::store::sqlite::{OpenMode, SqliteDb, SqliteStore};
use inkdex::store::{Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Ports over embedded backends in `folder`: SQLite for store, queue and feed, tantivy, a folder of objects; a guard that
/// maps no host, so that nothing outside is ever reached unless `hosts` says where.
pub fn ports_in(folder: &Path, hosts: HostMap, clock: Arc<dyn Clock>) -> Ports {
    let db = SqliteDb::open(&folder.join("inkdex.db"), OpenMode::Owner, clock.clone()).expect("a fresh database");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let OpenOutcome::Ready(index) = TantivyIndex::open(&folder.join("index"), &TantivySettings::default()).expect("a fresh index") else {
        panic!("a fresh index is usable");
    };
    let letters = TantivyLetters::open(&folder.join("index/letters"), clock.now()).expect("a fresh index of letters");
    let objects = Objects::in_folder(&folder.join("objects")).expect("a fresh folder");
    let deny = Arc::new(DenyHasher::new(b"a key of tests, 16 bytes or more".to_vec()));
    let chance = Arc::new(Chance::seeded(7));
    let styles = Arc::new(Styles::standard());
    let guard = Arc::new(Guard::new(hosts));
    let limits = FetchLimits::default();
    let http = HttpFetch::new(guard.clone(), limits.clone(), "Inkdex/0.1 (+http://localhost/bot)", clock.clone()).expect("an HTTP client");
    let visits = VisitSettings {
        politeness: PolitenessSettings::default(),
        limits,
        site: inkdex::scrape::limits::SiteLimits::default(),
        product_token: "Inkdex".to_owned(),
        guard,
        recrawl: true,
        evidence: true,
        need_memory: Duration::ZERO,
    };
    let holds = Arc::new(MemoryHolds::new(store.clone(), Vec::new(), clock.now()));
    let denial = Arc::new(SiteDenial::new(store.clone(), deny.clone()));
    let visitor = Visitor::new(
        (Arc::new(http), Arc::new(NoBrowser("none here"))),
        holds,
        objects.clone(),
        denial,
        clock.clone(),
        chance.clone(),
        visits,
    );
    let child = ChildSettings { program: "inkdex".into(), time: Duration::from_secs(5), memory_mb: 512 };
    Ports {
        queue: Arc::new(SqliteQueue::new(db.clone())),
        feed: Arc::new(SqliteFeed::new(db)),
        index: Arc::new(index),
        letters: Arc::new(letters),
        reader: Arc::new(PageReader::new(styles.clone(), ParseLimits::default(), 2, child)),
        sources: Vec::new(),
        settings: Arc::new(JobSettings {
            look_again: std::time::Duration::from_secs(2),
            limits: limits_of_tests(),
            jobs_per_host: 2,
            site: SiteLimits::default(),
            strict_sources: false,
            browser_wait: Duration::ZERO,
            owner: "test".to_owned(),
            build: "inkdex test".to_owned(),
        }),
        store,
        objects,
        visitor,
        deny,
        styles,
        clock,
        chance,
        backends: Arc::new([]),
        sending: Sending::default(),
    }
}

/// Ports in `folder` by the machine's clock, reaching nobody.
pub fn ports(folder: &Path) -> Ports {
    ports_in(folder, HostMap::none(), Arc::new(SystemClock::new()))
}

fn limits_of_tests() -> LedgerLimits {
    LedgerLimits {
        counted: 5,
        deaths: 3,
        orphans: 10,
        lease: Duration::from_secs(60),
        resend_first: Duration::from_secs(600),
        resend_max: Duration::from_secs(3_600),
        retry: RetryDelay { interval_ms: 10, rate: 2.0, max_ms: 100 },
    }
}

/// A desk at which nobody sits: whoever writes or raises an alert in a test without actors has gone astray.
#[derive(Debug)]
pub struct EmptyDesk;

#[async_trait]
impl Desk for EmptyDesk {
    async fn write(&self, _: WriteArtist) -> Result<Written, WriteError> {
        Err(WriteError::Store(StoreError::Unavailable("this test has no writer".to_owned())))
    }

    async fn alert(&self, alert: Alert) {
        panic!("an alert in a test that expects none: {alert:?}");
    }
}

/// Brings the index up to the feed, as IndexSync does.
pub async fn sync_index(ports: &Ports) {
    for shard in ports.feed.shards().await.expect("shards") {
        while sync_step(ports, shard).await {}
    }
}

/// One batch of a shard. Answers whether there was anything in it.
pub async fn sync_step(ports: &Ports, shard: Shard) -> bool {
    let settings = SyncSettings { item_attempts: 3, parked_per_hour: 100 };
    let stands = standing(ports, shard).await.expect("a position");
    let batch = ports.feed.poll(shard, stands.position.as_ref(), 500, Duration::ZERO).await.expect("the feed");
    if batch.dirty.is_empty() {
        return false;
    }
    let ids = batch.dirty.iter().map(|dirty| dirty.artist_id.clone()).collect();
    sync(ports, &EmptyDesk, &settings, &ids, Some((shard, batch.next.clone()))).await.expect("the index");
    if !ports.index.keeps_position() {
        advance(ports, shard, &stands, &batch.next).await.expect("the feed");
    }
    true
}

/// Commands to a daemon without actors: sessions are started as the Scheduler does, and the survey is what the test says.
#[derive(Debug)]
pub struct TestControl {
    ports: Ports,
    survey: std::sync::Mutex<Survey>,
}

impl TestControl {
    /// Over ports; two actors are alive.
    pub fn new(ports: Ports) -> Self {
        let survey = Survey { children: vec![child("scheduler", true), child("index_sync", true)] };
        Self { ports, survey: std::sync::Mutex::new(survey) }
    }

    /// What the survey says from now on.
    pub fn set_children(&self, children: Vec<ChildState>) {
        self.survey.lock().expect("no test panics here").children = children;
    }
}

/// The state of an actor.
pub fn child(name: &str, alive: bool) -> ChildState {
    ChildState {
        name: name.to_owned(),
        alive,
        starts: 1,
        panics: 0,
        freezes: 0,
        missed_beats: 0,
        mailbox: 16,
        last_beat: None,
        state: serde_json::json!({}),
    }
}

#[async_trait]
impl Control for TestControl {
    async fn start_session(&self, trigger: Trigger) -> Result<SessionId, ControlError> {
        let pipeline = Pipeline::parse("daily.yaml", DAILY).expect("the built-in pipeline");
        let started = inkdex::jobs::sessions::start(&self.ports, &pipeline, self.ports.clock.now(), trigger).await;
        started.map(|(id, _)| id).map_err(|error| ControlError(error.to_string()))
    }

    async fn survey(&self) -> Survey {
        self.survey.lock().expect("no test panics here").clone()
    }
}
