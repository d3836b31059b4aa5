//! Opens the backends that the configuration names, and asks each server what it is.

#[cfg(feature = "cql")]
use super::{fetching, settings};
use crate::config::Config;
use crate::domain::chance::Chance;
use crate::domain::clock::Clock;
#[cfg(any(feature = "sqs", feature = "s3"))]
use crate::domain::secret::AccessKey;
use crate::domain::secret::Secret;
use crate::feed::ChangeFeed;
use crate::feed::sqlite::SqliteFeed;
use crate::jobs::Backend;
use crate::objects::Objects;
use crate::queue::JobQueue;
use crate::queue::sqlite::SqliteQueue;
use crate::search::SearchIndex;
use crate::search::letters::LetterIndex;
use crate::search::tantivy::{OpenOutcome, TantivyIndex, TantivyLetters, TantivySettings};
use crate::store::sqlite::{OpenMode, SqliteDb, SqliteStore};
use crate::store::{HostHolds, Ledger, Store};
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "cql", feature = "sqs", feature = "s3"))]
use std::time::Duration;
use tracing::{info, warn};

/// Holds on hosts that processes share, where they do.
type SharedHolds = Option<Arc<dyn HostHolds>>;

/// The line that names all backends.
pub fn backends_line(backends: &[Backend]) -> String {
    let parts: Vec<String> = backends.iter().map(|backend| format!("{}={}", backend.part, backend.name)).collect();
    format!("backends: {}", parts.join(" "))
}

/// The backends of a process.
pub(super) struct Backends {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn JobQueue>,
    pub feed: Arc<dyn ChangeFeed>,
    pub index: Arc<dyn SearchIndex>,
    pub letters: Arc<dyn LetterIndex>,
    pub objects: Objects,
    /// Holds on hosts that processes share; `None` where one process is alone and keeps them in memory.
    pub holds: SharedHolds,
    pub named: Vec<Backend>,
}

/// A secret as written, or from where it says: `env:NAME`, `file:PATH`.
pub(super) fn secret(key: &str, written: &Secret) -> anyhow::Result<Option<Secret>> {
    let text = written.reveal();
    let read = if let Some(name) = text.strip_prefix("env:") {
        std::env::var(name).with_context(|| format!("{key} is to be read from the environment, and {name} is not set there"))?
    } else if let Some(path) = text.strip_prefix("file:") {
        let read = std::fs::read_to_string(path).with_context(|| format!("{key} is to be read from {path}, which cannot be read"))?;
        read.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        text.to_owned()
    };
    Ok((!read.is_empty()).then(|| Secret::new(read)))
}

#[cfg(any(feature = "sqs", feature = "s3"))]
fn access_key(section: &str, id: &str, written: &Secret) -> anyhow::Result<Option<AccessKey>> {
    let key = format!("{section}.secret_access_key");
    match (id.is_empty(), secret(&key, written)?) {
        (true, None) => Ok(None),
        (false, Some(secret)) => Ok(Some(AccessKey { id: id.to_owned(), secret })),
        _ => bail!("{section}.access_key_id and {key} belong together; set both, or neither to use the machine's role"),
    }
}

/// Text of a setting where empty means none.
#[cfg(any(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Opens everything, as the only owner of what is embedded.
pub(super) async fn open(config: &Config, clock: &Arc<dyn Clock>, chance: &Arc<Chance>, owner: &str) -> anyhow::Result<Backends> {
    let backends = &config.backends;
    let mut named = Vec::new();
    let folder = &config.data.folder;
    if !backends.is_shared() {
        std::fs::create_dir_all(folder).with_context(|| format!("the data folder {} cannot be made; set data.folder", folder.display()))?;
    }
    let mut embedded_queue: Option<Arc<dyn JobQueue>> = None;
    let (store, feed, holds): (Arc<dyn Store>, Arc<dyn ChangeFeed>, SharedHolds) = if backends.store == "cql" {
        let (store, feed, holds, backend) = cql(config, clock).await?;
        named.push(backend);
        (store, feed, Some(holds))
    } else {
        let db = SqliteDb::open(&config.data.database(), OpenMode::Owner, clock.clone())?;
        named.push(Backend { part: "store", name: "sqlite".to_owned(), detail: config.data.database().display().to_string() });
        embedded_queue = Some(Arc::new(SqliteQueue::new(db.clone())));
        (Arc::new(SqliteStore::new(db.clone())), Arc::new(SqliteFeed::new(db)), None)
    };
    let queue = match (backends.queue.as_str(), embedded_queue) {
        ("sqs", _) => {
            let (queue, backend) = sqs(config, clock).await?;
            named.push(backend);
            queue
        }
        (_, Some(queue)) => {
            named.push(Backend { part: "queue", name: "sqlite".to_owned(), detail: "in the store".to_owned() });
            queue
        }
        (_, None) => bail!("the embedded queue lies in the embedded store; set backends.queue = \"sqs\""),
    };
    recover(store.as_ref(), queue.as_ref(), owner, clock.as_ref()).await?;
    let (index, letters, backend) = if backends.search == "opensearch" {
        opensearch(config, clock, chance).await?
    } else {
        let index: Arc<dyn SearchIndex> = Arc::new(open_index(&config.data.index())?);
        let letters: Arc<dyn LetterIndex> = Arc::new(TantivyLetters::open(&config.data.letters(), clock.now())?);
        (index, letters, Backend { part: "index", name: "tantivy".to_owned(), detail: config.data.index().display().to_string() })
    };
    named.push(backend);
    let (objects, backend) = open_objects(config).await?;
    named.push(backend);
    Ok(Backends { store, queue, feed, index, letters, objects, holds, named })
}

/// The object store that the configuration names.
pub async fn open_objects(config: &Config) -> anyhow::Result<(Objects, Backend)> {
    if config.backends.objects == "s3" {
        return s3(config).await;
    }
    let folder = config.data.objects();
    let backend = Backend { part: "objects", name: "folder".to_owned(), detail: folder.display().to_string() };
    Ok((Objects::in_folder(&folder)?, backend))
}

/// Holding the lock file proves the previous owner dead: its leases and deliveries are released at once (rule 17).
async fn recover(store: &dyn Store, queue: &dyn JobQueue, owner: &str, clock: &dyn Clock) -> anyhow::Result<()> {
    let leases = Ledger::release_leases_of_others(store, owner, clock.now()).await?;
    let deliveries = queue.recover().await?;
    if leases + deliveries > 0 {
        info!(leases, deliveries, "the previous process left {leases} jobs in work and {deliveries} messages in flight; they go on");
    }
    Ok(())
}

fn open_index(folder: &Path) -> anyhow::Result<TantivyIndex> {
    let settings = TantivySettings::default();
    match TantivyIndex::open(folder, &settings)? {
        OpenOutcome::Ready(index) => Ok(index),
        OpenOutcome::NeedsRebuild(why) => {
            warn!("the search index cannot be used and is built again from the store: {why}");
            Ok(TantivyIndex::recreate(folder, &settings)?)
        }
    }
}

/// How the store in CQL is reached.
///
/// # Errors
/// A secret cannot be read.
#[cfg(feature = "cql")]
pub fn cql_settings(config: &Config) -> anyhow::Result<crate::store::cql::CqlSettings> {
    let cql = &config.cql;
    Ok(crate::store::cql::CqlSettings {
        nodes: cql.nodes.clone(),
        keyspace: cql.keyspace.clone(),
        replication: cql.replication.clone(),
        user: given(&cql.user),
        password: secret("cql.password", &cql.password)?.map(|secret| secret.reveal().to_owned()),
        ca_file: given(&cql.ca_file.to_string_lossy()).map(Into::into),
        datacenter: given(&cql.datacenter),
        connect_timeout: Duration::from_millis(cql.connect_ms),
        request_timeout: Duration::from_millis(cql.request_ms),
        feed_shards: cql.feed_shards,
    })
}

#[cfg(feature = "cql")]
type CqlBackends = (Arc<dyn Store>, Arc<dyn ChangeFeed>, Arc<dyn HostHolds>, Backend);

#[cfg(feature = "cql")]
async fn cql(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<CqlBackends> {
    use crate::feed::cql::CqlFeed;
    use crate::store::cql::{CqlDb, CqlHostHolds, CqlStore};
    let db = CqlDb::open(cql_settings(config)?, clock.clone()).await?;
    db.watch_clock(clock.clone()).await?;
    let version = db.version().await?;
    let name = version.split(' ').next().unwrap_or_default().to_owned();
    let backend = Backend { part: "store", name, detail: format!("{version}, keyspace {}", config.cql.keyspace) };
    let store = CqlStore::new(db.clone());
    let holds = CqlHostHolds::new(store.clone(), fetching::not_before(config, clock.as_ref()));
    Ok((Arc::new(store), Arc::new(CqlFeed::new(db, settings::feed_times(config))), Arc::new(holds), backend))
}

/// The shared store alone, for verbs that read.
#[cfg(feature = "cql")]
pub(super) async fn shared_store(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Store>> {
    let db = crate::store::cql::CqlDb::open(cql_settings(config)?, clock.clone()).await?;
    Ok(Arc::new(crate::store::cql::CqlStore::new(db)))
}

#[cfg(feature = "sqs")]
async fn sqs(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<(Arc<dyn JobQueue>, Backend)> {
    use crate::queue::sqs::{MAX_VISIBILITY, SqsQueue, SqsSettings};
    let sqs = &config.sqs;
    let queue = SqsQueue::open(
        &SqsSettings {
            queue: sqs.queue.clone(),
            dead_letter_queue: sqs.dead_letter_queue.clone(),
            region: sqs.region.clone(),
            endpoint: given(&sqs.endpoint),
            access_key: access_key("sqs", &sqs.access_key_id, &sqs.secret_access_key)?,
            create: sqs.create,
            lease: Duration::from_millis(config.ledger.lease_ms),
            max_visibility: MAX_VISIBILITY,
            answer_within: Duration::from_millis(sqs.answer_ms),
        },
        clock.clone(),
    )
    .await?;
    // Opening it read and checked the attributes that only SQS has.
    Ok((Arc::new(queue), Backend { part: "queue", name: "sqs".to_owned(), detail: sqs.queue.clone() }))
}

#[cfg(feature = "opensearch")]
fn opensearch_settings(config: &Config) -> anyhow::Result<crate::search::opensearch::OpenSearchSettings> {
    use crate::search::opensearch::{BulkLimits, Login, OpenSearchSettings};
    let opensearch = &config.opensearch;
    let url = url::Url::parse(&opensearch.url)
        .with_context(|| format!("opensearch.url is `{}`; write it as https://host:9200", opensearch.url))?;
    let password = secret("opensearch.password", &opensearch.password)?;
    let mut settings = OpenSearchSettings::new(url, opensearch.prefix.clone());
    settings.login =
        given(&opensearch.user).map(|user| Login { user, password: password.map(|secret| secret.reveal().to_owned()).unwrap_or_default() });
    settings.ca_file = given(&opensearch.ca_file.to_string_lossy()).map(Into::into);
    settings.bulk = BulkLimits { operations: opensearch.bulk_documents, concurrency: opensearch.bulk_concurrency, ..settings.bulk };
    Ok(settings)
}

type Indexes = (Arc<dyn SearchIndex>, Arc<dyn LetterIndex>, Backend);

#[cfg(feature = "opensearch")]
async fn opensearch(config: &Config, clock: &Arc<dyn Clock>, chance: &Arc<Chance>) -> anyhow::Result<Indexes> {
    use crate::search::opensearch::{OpenSearchIndex, OpenSearchLetters};
    let index = OpenSearchIndex::open(opensearch_settings(config)?, clock.clone(), chance.clone()).await?;
    let letters = OpenSearchLetters::open(&index).await?;
    let (name, version) = index.server().await?;
    let backend = Backend { part: "index", name, detail: format!("{version}, prefix {}", config.opensearch.prefix) };
    Ok((Arc::new(index), Arc::new(letters), backend))
}

/// The shared index of dead letters alone, for verbs that read.
#[cfg(feature = "opensearch")]
pub(super) fn shared_letters(config: &Config, clock: &Arc<dyn Clock>, chance: &Arc<Chance>) -> anyhow::Result<Arc<dyn LetterIndex>> {
    use crate::search::opensearch::{OpenSearchIndex, OpenSearchLetters};
    let index = OpenSearchIndex::connect(opensearch_settings(config)?, clock.clone(), chance.clone())?;
    Ok(Arc::new(OpenSearchLetters::beside(&index)))
}

#[cfg(feature = "s3")]
async fn s3(config: &Config) -> anyhow::Result<(Objects, Backend)> {
    let s3 = &config.s3;
    let settings = crate::objects::s3::S3Settings {
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        endpoint: given(&s3.endpoint),
        access_key: access_key("s3", &s3.access_key_id, &s3.secret_access_key)?,
        path_style: s3.path_style,
        answer_within: Duration::from_millis(s3.answer_ms),
    };
    // Opening it wrote, read, listed and deleted a small object there.
    let objects = Objects::in_bucket(&settings).await?;
    Ok((objects, Backend { part: "objects", name: "s3".to_owned(), detail: format!("bucket {}", s3.bucket) }))
}

/// Opens one part and asks it what it is, as a start would; embedded parts are not opened.
///
/// # Errors
/// The sentence with which a start would be refused.
pub async fn look_at(config: &Config, part: &str, clock: &Arc<dyn Clock>, chance: &Arc<Chance>) -> anyhow::Result<Option<Backend>> {
    let backends = &config.backends;
    Ok(match part {
        "store" if backends.store == "cql" => Some(cql(config, clock).await?.3),
        "queue" if backends.queue == "sqs" => Some(sqs(config, clock).await?.1),
        "index" if backends.search == "opensearch" => Some(opensearch(config, clock, chance).await?.2),
        "objects" if backends.objects == "s3" => Some(s3(config).await?.1),
        _ => None,
    })
}

/// Backends that this build lacks are refused when the configuration is read; these say so to whoever goes round it.
#[cfg(not(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3")))]
mod lacking {
    use super::{Arc, Backend, Chance, Clock, Config, HostHolds, Indexes, JobQueue, LetterIndex, Objects, Store, bail};
    use crate::feed::ChangeFeed;

    #[cfg(not(feature = "cql"))]
    pub(super) async fn cql(
        _: &Config,
        _: &Arc<dyn Clock>,
    ) -> anyhow::Result<(Arc<dyn Store>, Arc<dyn ChangeFeed>, Arc<dyn HostHolds>, Backend)> {
        bail!("this build lacks the store in CQL; build with the feature `cql`")
    }

    #[cfg(not(feature = "cql"))]
    pub(in crate::app) async fn shared_store(_: &Config, _: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Store>> {
        bail!("this build lacks the store in CQL; build with the feature `cql`")
    }

    #[cfg(not(feature = "sqs"))]
    pub(super) async fn sqs(_: &Config, _: &Arc<dyn Clock>) -> anyhow::Result<(Arc<dyn JobQueue>, Backend)> {
        bail!("this build lacks SQS; build with the feature `sqs`")
    }

    #[cfg(not(feature = "opensearch"))]
    pub(super) async fn opensearch(_: &Config, _: &Arc<dyn Clock>, _: &Arc<Chance>) -> anyhow::Result<Indexes> {
        bail!("this build lacks OpenSearch; build with the feature `opensearch`")
    }

    #[cfg(not(feature = "opensearch"))]
    pub(in crate::app) fn shared_letters(_: &Config, _: &Arc<dyn Clock>, _: &Arc<Chance>) -> anyhow::Result<Arc<dyn LetterIndex>> {
        bail!("this build lacks OpenSearch; build with the feature `opensearch`")
    }

    #[cfg(not(feature = "s3"))]
    pub(super) async fn s3(_: &Config) -> anyhow::Result<(Objects, Backend)> {
        bail!("this build lacks S3; build with the feature `s3`")
    }
}
#[cfg(not(feature = "cql"))]
use lacking::cql;
#[cfg(not(feature = "opensearch"))]
use lacking::opensearch;
#[cfg(not(feature = "s3"))]
use lacking::s3;
#[cfg(not(feature = "opensearch"))]
pub(super) use lacking::shared_letters;
#[cfg(not(feature = "cql"))]
pub(super) use lacking::shared_store;
#[cfg(not(feature = "sqs"))]
use lacking::sqs;
