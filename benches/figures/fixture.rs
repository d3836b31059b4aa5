//! A keyspace, queues and an index of a run's own on the servers that `INKDEX_TEST_SERVERS` tells of.

use anyhow::{Context, anyhow};
use inkdex::app::cql_settings;
use inkdex::config::Config;
use inkdex::domain::secret::Secret;
use inkdex::store::cql::Migrator;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::unprepared::Statement;
use std::collections::HashMap;
use std::time::Duration;
use tempfile::TempDir;

/// Names that nobody else has, and the configuration that uses them.
pub struct Fixture {
    pub config: Config,
    _folder: TempDir,
}

impl Fixture {
    /// Prepares the production backends; objects, which nothing here uses, lie in a folder.
    pub async fn prepare() -> anyhow::Result<Self> {
        let servers = servers()?;
        let server = |key: &str| servers.get(key).cloned().ok_or_else(|| anyhow!("the servers' file tells no {key}"));
        let folder = tempfile::tempdir()?;
        let name = format!("f{}", uuid::Uuid::new_v4().simple());
        let mut config = Config::default();
        config.backends.store = "cql".to_owned();
        config.backends.queue = "sqs".to_owned();
        config.backends.search = "opensearch".to_owned();
        config.data.folder = folder.path().join("data");
        std::fs::create_dir_all(&config.data.folder)?;
        config.privacy.hash_key_file = folder.path().join("denylist.key");
        config.cql.nodes = vec![server("INKDEX_TEST_CASSANDRA")?];
        config.cql.keyspace = name.clone();
        config.cql.replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}".to_owned();
        config.sqs.endpoint = server("INKDEX_TEST_SQS")?;
        config.sqs.access_key_id = "figures".to_owned();
        config.sqs.secret_access_key = Secret::new("figures");
        config.sqs.queue = name.clone();
        config.sqs.dead_letter_queue = format!("{name}-dead");
        config.sqs.create = true;
        config.opensearch.url = server("INKDEX_TEST_OPENSEARCH")?;
        config.opensearch.prefix = name;
        // Nothing is scraped; everything else is as it is installed.
        config.pipeline.scheduled = false;
        config.alerts.log = false;
        Migrator::connect(cql_settings(&config)?).await?.run().await?;
        Ok(Self { config, _folder: folder })
    }

    /// Drops what was made: the next run meets the same servers as this one did.
    pub async fn drop_all(self) -> anyhow::Result<()> {
        let session = SessionBuilder::new().known_nodes(&self.config.cql.nodes).build().await?;
        let mut dropping = Statement::new(format!("DROP KEYSPACE {}", self.config.cql.keyspace));
        dropping.set_request_timeout(Some(Duration::from_secs(60)));
        session.query_unpaged(dropping, ()).await?;
        crate::bare::drop_indexes(&crate::bare::index(&self.config)?, &self.config.opensearch.prefix).await
    }
}

fn servers() -> anyhow::Result<HashMap<String, String>> {
    let file = std::env::var("INKDEX_TEST_SERVERS").context("INKDEX_TEST_SERVERS does not name running servers; use `make figures`")?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("{file} cannot be read; use `make figures`"))?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
