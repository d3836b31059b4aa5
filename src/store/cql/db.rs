//! The session with the database: connecting, prepared statements, reads, writes, conditional writes.
//!
//! Nothing above this file knows the driver, but for the types that rows are read as.

use super::errors::{failed, is_unknown, not_connected};
use super::memory::Memory;
use super::migrate;
use super::settings::CqlSettings;
use super::skew::{ClockSample, Offset, SkewGuard};
use super::stamps::Stamps;
use super::statement::{Cas, Cql, Kind, Lwt, applied, prepare};
use super::steps::Steps;
use crate::domain::clock::{Clock, Timestamp};
use crate::store::{StoreError, StoreResult};
use futures_util::{StreamExt, TryStreamExt, stream};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::bound::BoundStatement;
use scylla::statement::prepared::PreparedStatement;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Statements prepared at a time at the start.
const PREPARING: usize = 16;

/// How often our clock is held against the database's.
const CLOCK_EVERY: Duration = Duration::from_secs(30);

/// Samples taken at the start before one gives up: two in a row decide, slow ones say nothing.
const CLOCK_TRIES: usize = 20;

/// An open keyspace. Cheap to share; one value serves the whole process.
pub struct CqlDb {
    shared: Arc<Shared>,
    steps: Steps,
}

struct Shared {
    session: Session,
    settings: CqlSettings,
    prepared: HashMap<&'static str, PreparedStatement>,
    clock: Arc<dyn Clock>,
    feed_shards: u16,
    stamps: Stamps,
    memory: Memory,
    skew: SkewGuard,
    /// Rise whenever this process adds to a shard of the feed.
    feed: Vec<watch::Sender<u64>>,
    /// The last bucket of each shard of the feed that this process has marked.
    marked: Mutex<HashMap<u16, i64>>,
}

impl std::fmt::Debug for CqlDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CqlDb").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Connects without a keyspace.
pub(super) async fn connect(settings: &CqlSettings) -> StoreResult<Session> {
    settings.check()?;
    let mut builder = SessionBuilder::new()
        .known_nodes(&settings.nodes)
        .connection_timeout(settings.connect_timeout)
        .keyspaces_to_fetch([&settings.keyspace])
        .schema_agreement_interval(Duration::from_millis(50))
        // Our tables' metadata is not used; the keyspace's replication comes with the regular refresh.
        .fetch_full_schema_metadata(false);
    if let Some(user) = &settings.user {
        builder = builder.user(user, settings.password.as_deref().unwrap_or_default());
    }
    if let Some(datacenter) = &settings.datacenter {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    if let Some(path) = &settings.ca_file {
        let unusable = |why: &dyn std::fmt::Display| {
            let path = path.display();
            StoreError::Refused(format!("the store's ca_file {path} cannot be used: {why}; name a file of PEM certificates"))
        };
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        if roots.is_empty() {
            return Err(unusable(&"it holds no certificate"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| unusable(&error))?.with_root_certificates(roots).with_no_client_auth();
        builder = builder.tls_context(Some(Arc::new(tls)));
    }
    let session = builder.build().await.map_err(|error| not_connected(settings, &error))?;
    if let Some(datacenter) = &settings.datacenter {
        let state = session.get_cluster_state();
        let mut known: Vec<&str> = state.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
        known.sort_unstable();
        known.dedup();
        if !known.contains(&datacenter.as_str()) {
            let known = known.join(", ");
            return Err(StoreError::Refused(format!(
                "the database has no datacenter {datacenter}; set the store's datacenter to one of: {known}"
            )));
        }
    }
    Ok(session)
}

impl CqlDb {
    /// Opens the keyspace, whose schema must be that of this build, and prepares every statement.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with what to change for wrong settings or credentials, an untrusted certificate, a missing
    /// keyspace, a schema older or newer than this build; [`StoreError::Unavailable`] if no node answers.
    pub async fn open(settings: CqlSettings, clock: Arc<dyn Clock>) -> StoreResult<Arc<Self>> {
        let session = connect(&settings).await?;
        let feed_shards = migrate::enter_keyspace(&session, &settings).await?;
        let prepared = stream::iter(super::statements())
            .map(|cql| prepare(&session, cql, settings.request_timeout))
            .buffer_unordered(PREPARING)
            .try_collect()
            .await?;
        let feed = (0..feed_shards).map(|_| watch::Sender::new(0)).collect();
        let shared = Shared {
            session,
            settings,
            prepared,
            clock,
            feed_shards,
            stamps: Stamps::new(),
            memory: Memory::default(),
            skew: SkewGuard::default(),
            feed,
            marked: Mutex::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared), steps: Steps::default() }))
    }

    /// Holds `clock` against the database's now, and every 30 s from now on; beyond 5 s nothing is written. It ends with the
    /// last user of this value.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is off now, [`StoreError::Unavailable`] if the database does not answer in time to tell.
    pub async fn watch_clock(&self, clock: Arc<dyn Clock>) -> StoreResult<()> {
        for _ in 0..CLOCK_TRIES {
            let sample = sample_clock(&self.shared, clock.as_ref()).await?;
            self.shared.skew.observe(&sample);
            if self.shared.skew.is_decided() {
                break;
            }
        }
        if let Some(why) = self.shared.skew.refusal() {
            return Err(StoreError::Refused(why));
        }
        if !self.shared.skew.is_decided() {
            return Err(StoreError::Unavailable("the database is too slow to compare clocks with".to_owned()));
        }
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            let mut was_off = false;
            loop {
                tokio::time::sleep(CLOCK_EVERY).await;
                let Some(shared) = shared.upgrade() else { return };
                // Two in a row decide, so an odd one is followed up at once.
                for _ in 0..2 {
                    match sample_clock(&shared, clock.as_ref()).await {
                        Ok(sample) => drop(shared.skew.observe(&sample)),
                        Err(error) => tracing::debug!(%error, "the database's clock could not be asked"),
                    }
                }
                match (shared.skew.refusal(), was_off) {
                    (Some(why), false) => tracing::error!("{why}"),
                    (None, true) => tracing::info!("the clock agrees with the database's again, writes go on"),
                    _ => {}
                }
                was_off = shared.skew.refusal().is_some();
            }
        });
        Ok(())
    }

    /// How far our clock was ahead of the database's when last compared, in microseconds.
    pub fn clock_ahead_us(&self) -> Option<i64> {
        self.shared.skew.offset().map(|offset| offset.ahead_us)
    }

    /// How our clock stands to the database's, for what processes tell each other by times; without a comparison, the same.
    pub(super) fn clock_offset(&self) -> Offset {
        self.shared.skew.offset().unwrap_or_default()
    }

    /// What the database says of itself: `cassandra 5.0.9`.
    ///
    /// # Errors
    /// As for any read.
    pub async fn version(&self) -> StoreResult<String> {
        let sql = "SELECT release_version FROM system.local";
        let result = self.shared.session.query_unpaged(sql, ()).await.map_err(|error| failed(sql, &error))?;
        let version = first::<(String,)>(sql, result)?.map_or_else(|| "unknown".to_owned(), |(version,)| version);
        // Only ScyllaDB has this table; its release version is that of the Cassandra it is compatible with.
        let sql = "SELECT version FROM system.versions WHERE key = 'local'";
        match self.shared.session.query_unpaged(sql, ()).await {
            Ok(result) => {
                Ok(first::<(String,)>(sql, result)?.map_or_else(|| "scylladb".to_owned(), |(version,)| format!("scylladb {version}")))
            }
            Err(_) => Ok(format!("cassandra {version}")),
        }
    }

    /// The injected clock's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Into how many shards the feed is divided.
    pub(crate) fn feed_shards(&self) -> u16 {
        self.shared.feed_shards
    }

    /// Where the feed's time-ordered ids come from.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.shared.stamps
    }

    /// What this process remembers of the ledger.
    pub(super) fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// Wakes readers of a shard of the feed in this process; only saves latency.
    pub(crate) fn feed_grew(&self, shard: u16) {
        if let Some(feed) = self.shared.feed.get(usize::from(shard)) {
            feed.send_modify(|grown| *grown = grown.wrapping_add(1));
        }
    }

    /// Rises whenever this process has added to a shard of the feed, of which there are [`CqlDb::feed_shards`].
    pub(crate) fn feed_grown(&self, shard: u16) -> watch::Receiver<u64> {
        self.shared.feed[usize::from(shard)].subscribe()
    }

    /// Whether this process has marked a bucket of the feed.
    pub(super) fn is_marked(&self, shard: u16, bucket: i64) -> bool {
        self.shared.marked.lock().unwrap_or_else(PoisonError::into_inner).get(&shard) == Some(&bucket)
    }

    /// Remembers that a bucket of the feed is marked.
    pub(super) fn mark(&self, shard: u16, bucket: i64) {
        self.shared.marked.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, bucket);
    }

    /// A place between two steps of an operation (rule 6): passes, unless a test planned otherwise.
    pub(crate) async fn step(&self, name: &'static str) -> StoreResult<()> {
        self.steps.pass(name).await
    }

    /// The same database for an operation that dies at its `at`-th step, from 0.
    #[cfg(debug_assertions)]
    pub fn crashing_at(&self, at: usize) -> Arc<Self> {
        Arc::new(Self { shared: self.shared.clone(), steps: Steps::crash_at(at) })
    }

    /// The same database for an operation that is held at the step `name`.
    #[cfg(debug_assertions)]
    pub fn held_at(&self, name: &'static str) -> (Arc<Self>, super::steps::Hold) {
        let (steps, hold) = Steps::hold_at(name);
        (Arc::new(Self { shared: self.shared.clone(), steps }), hold)
    }

    fn bind(&self, cql: &Cql, values: &impl SerializeRow) -> StoreResult<BoundStatement> {
        let Some(prepared) = self.shared.prepared.get(cql.text) else {
            return Err(StoreError::Bug(format!("a statement was not prepared at the start: {}", cql.text)));
        };
        prepared.clone().bind(values).map_err(|error| StoreError::Bug(format!("{}: {error}", cql.text)))
    }

    /// Every row that a read selects, page by page.
    pub(crate) async fn rows<T>(&self, cql: &Cql, values: impl SerializeRow + Send + Sync) -> StoreResult<Vec<T>>
    where
        T: for<'f, 'm> DeserializeRow<'f, 'm> + Send,
    {
        debug_assert!(matches!(cql.kind, Kind::Read | Kind::Serial), "{} is no read", cql.text);
        let bound = self.bind(cql, &values)?;
        let mut rows = Vec::new();
        let mut state = PagingState::start();
        loop {
            let (result, next): (QueryResult, PagingStateResponse) =
                self.shared.session.execute_bound_single_page(&bound, state).await.map_err(|error| failed(cql.text, &error))?;
            read_page(cql.text, result, &mut rows)?;
            match next.into_paging_control_flow() {
                ControlFlow::Break(()) => return Ok(rows),
                ControlFlow::Continue(next) => state = next,
            }
        }
    }

    /// The first row that a read selects, if any.
    pub(crate) async fn one<T>(&self, cql: &Cql, values: impl SerializeRow + Send + Sync) -> StoreResult<Option<T>>
    where
        T: for<'f, 'm> DeserializeRow<'f, 'm> + Send,
    {
        Ok(self.rows(cql, values).await?.into_iter().next())
    }

    /// A plain write with a timestamp of its own: repeating it changes nothing.
    pub(crate) async fn write(&self, cql: &Cql, values: impl SerializeRow + Send + Sync) -> StoreResult<()> {
        debug_assert!(cql.kind == Kind::Write, "{} is no plain write", cql.text);
        self.shared.skew.check()?;
        let bound = self.bind(cql, &values)?;
        self.shared.session.execute_bound_unpaged(&bound).await.map(drop).map_err(|error| failed(cql.text, &error))
    }

    /// One conditional write.
    pub(crate) async fn lwt(&self, cql: &Cql, values: impl SerializeRow + Send + Sync) -> StoreResult<Lwt> {
        debug_assert!(cql.kind == Kind::Conditional, "{} has no condition", cql.text);
        self.shared.skew.check()?;
        let bound = self.bind(cql, &values)?;
        match self.shared.session.execute_bound_unpaged(&bound).await {
            Ok(result) => {
                let rows = result.into_rows_result().map_err(|error| StoreError::Bug(format!("{}: {error}", cql.text)))?;
                applied(&rows).map_err(|why| StoreError::Bug(format!("{}: {why}", cql.text)))
            }
            Err(error) if is_unknown(&error) => Ok(Lwt::Unknown(error.to_string())),
            Err(error) => Err(failed(cql.text, &error)),
        }
    }

    /// A compare-and-set, settled: `read` is a serial read of what it is about, asked only if it was not applied for sure.
    /// After an unknown outcome, `is_ours` stands: applied; `is_old` stands: not applied and never will be, since the serial
    /// read fences it, so it may be repeated; anything else: another was faster.
    pub(crate) async fn cas<T: Send>(
        &self,
        cql: &Cql,
        values: impl SerializeRow + Send + Sync,
        read: impl Future<Output = StoreResult<T>> + Send,
        is_ours: impl FnOnce(&T) -> bool + Send,
        is_old: impl FnOnce(&T) -> bool + Send,
    ) -> StoreResult<Cas<T>> {
        match self.lwt(cql, values).await? {
            Lwt::Applied => Ok(Cas::Applied),
            Lwt::Met(_) => Ok(Cas::Other(read.await?)),
            Lwt::Unknown(why) => {
                let stands = read.await?;
                if is_ours(&stands) {
                    Ok(Cas::Applied)
                } else if is_old(&stands) {
                    Err(StoreError::Unavailable(format!("a conditional write was not applied: {why}")))
                } else {
                    Ok(Cas::Other(stands))
                }
            }
        }
    }
}

fn read_page<T>(text: &str, result: QueryResult, rows: &mut Vec<T>) -> StoreResult<()>
where
    T: for<'f, 'm> DeserializeRow<'f, 'm>,
{
    let unreadable = |why: &dyn std::fmt::Display| StoreError::Corrupt { what: format!("the answer to `{text}`"), why: why.to_string() };
    let result = result.into_rows_result().map_err(|error| unreadable(&error))?;
    for row in result.rows::<T>().map_err(|error| unreadable(&error))? {
        rows.push(row.map_err(|error| unreadable(&error))?);
    }
    Ok(())
}

/// The first row of an answer to a statement that was not prepared.
pub(super) fn first<T>(text: &str, result: QueryResult) -> StoreResult<Option<T>>
where
    T: for<'f, 'm> DeserializeRow<'f, 'm>,
{
    let mut rows = Vec::new();
    read_page(text, result, &mut rows)?;
    Ok(rows.into_iter().next())
}

async fn sample_clock(shared: &Shared, clock: &dyn Clock) -> StoreResult<ClockSample> {
    let text = "SELECT toUnixTimestamp(now()) FROM system.local";
    let (asked, started) = (clock.now(), clock.monotonic());
    let answer: Result<QueryResult, ExecutionError> = shared.session.query_unpaged(text, ()).await;
    let (answered, ended) = (clock.now(), clock.monotonic());
    let said = first::<(i64,)>(text, answer.map_err(|error| failed(text, &error))?)?;
    let Some((said_ms,)) = said else { return Err(StoreError::Unavailable("the database did not say its time".to_owned())) };
    Ok(ClockSample { asked, answered, round_trip: ended.saturating_sub(started), said: Timestamp(said_ms.saturating_mul(1_000)) })
}
