//! Keyspaces of the tests: each has its own, dropped afterwards. None is emptied to be used again: in Cassandra 5.0 a `TRUNCATE`
//! beside a `CREATE TABLE` can stop the whole server, when the first waits for a flush that waits for the gossip of the second.

use crate::support::servers::cassandra;
use inkdex::store::cql::{CqlSettings, Migrator};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryResult;
use scylla::statement::unprepared::Statement;
use std::time::Duration;

/// Settings for a keyspace that nobody else uses.
fn settings() -> CqlSettings {
    CqlSettings {
        nodes: vec![cassandra()],
        keyspace: format!("t{}", uuid::Uuid::new_v4().simple()),
        replication: "{'class': 'SimpleStrategy', 'replication_factor': 1}".to_owned(),
        request_timeout: Duration::from_secs(30),
        feed_shards: 4,
        ..CqlSettings::default()
    }
}

/// A keyspace for one test.
pub struct Keyspace {
    pub settings: CqlSettings,
}

impl Keyspace {
    /// A name for one that the test makes itself.
    pub fn unmade() -> Self {
        Self { settings: settings() }
    }

    /// One with the schema of this build that the test may break.
    pub async fn made() -> Self {
        let keyspace = Self::unmade();
        Migrator::connect(keyspace.settings.clone()).await.unwrap().run().await.unwrap();
        keyspace
    }

    async fn session(&self) -> Session {
        SessionBuilder::new().known_nodes(&self.settings.nodes).fetch_schema_metadata(false).build().await.unwrap()
    }

    /// Runs a statement as an operator would, in `cqlsh`.
    pub async fn operate(&self, text: &str) -> QueryResult {
        run(&self.session().await, text).await.unwrap()
    }

    /// How many rows there are of `TABLE WHERE …`.
    pub async fn count(&self, of: &str) -> i64 {
        let result = self.operate(&format!("SELECT count(*) FROM {}.{of}", self.settings.keyspace)).await;
        result.into_rows_result().unwrap().single_row::<(i64,)>().unwrap().0
    }
}

async fn run(session: &Session, text: &str) -> Result<QueryResult, ExecutionError> {
    let mut statement = Statement::new(text);
    statement.set_request_timeout(Some(Duration::from_secs(60)));
    session.query_unpaged(statement, ()).await
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let dropped = format!("DROP KEYSPACE IF EXISTS {}", self.settings.keyspace);
        let dropping = async { run(&self.session().await, &dropped).await.map(drop).map_err(Box::new) };
        if let Err(error) = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(dropping)) {
            // No panic: the test may have failed already, and a second one would take all others with it.
            eprintln!("{dropped}: {error}");
        }
    }
}
