//! Keyspaces of the tests. Making one takes a server seconds, so those that are done with are emptied and used again.

use crate::support::servers::cassandra;
use inkdex::store::cql::{CqlSettings, Migrator};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryResult;
use scylla::statement::unprepared::Statement;
use std::sync::Mutex;
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

/// Keyspaces with the schema of this build that nobody uses now.
static IDLE: Mutex<Vec<CqlSettings>> = Mutex::new(Vec::new());

/// A keyspace for one test.
pub struct Keyspace {
    pub settings: CqlSettings,
    /// Whether another test may use it afterwards; else it is dropped.
    again: bool,
}

impl Keyspace {
    /// A name for one that the test makes itself.
    pub fn unmade() -> Self {
        Self { settings: settings(), again: false }
    }

    /// One with the schema of this build that the test may break.
    pub async fn made() -> Self {
        let keyspace = Self::unmade();
        Migrator::connect(keyspace.settings.clone()).await.unwrap().run().await.unwrap();
        keyspace
    }

    /// An empty one with the schema of this build.
    pub async fn empty() -> Self {
        let idle = IDLE.lock().unwrap().pop();
        let Some(settings) = idle else {
            let mut made = Self::made().await;
            made.again = true;
            return made;
        };
        let keyspace = Self { settings, again: true };
        let session = keyspace.session().await;
        let name = &keyspace.settings.keyspace;
        let tables = format!("SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{name}'");
        let tables = run(&session, &tables).await.into_rows_result().unwrap();
        // Also those without rows: what was deleted from them hides what the next test writes with an older timestamp.
        for table in tables.rows::<(String,)>().unwrap().map(|row| row.unwrap().0).filter(|table| !table.starts_with("schema_")) {
            run(&session, &format!("TRUNCATE {name}.{table}")).await;
        }
        keyspace
    }

    async fn session(&self) -> Session {
        SessionBuilder::new().known_nodes(&self.settings.nodes).fetch_schema_metadata(false).build().await.unwrap()
    }

    /// Runs a statement as an operator would, in `cqlsh`.
    pub async fn operate(&self, text: &str) -> QueryResult {
        run(&self.session().await, text).await
    }

    /// How many rows there are of `TABLE WHERE …`.
    pub async fn count(&self, of: &str) -> i64 {
        let result = self.operate(&format!("SELECT count(*) FROM {}.{of}", self.settings.keyspace)).await;
        result.into_rows_result().unwrap().single_row::<(i64,)>().unwrap().0
    }
}

async fn run(session: &Session, text: &str) -> QueryResult {
    let mut statement = Statement::new(text);
    statement.set_request_timeout(Some(Duration::from_secs(60)));
    session.query_unpaged(statement, ()).await.unwrap()
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        if self.again {
            IDLE.lock().unwrap().push(self.settings.clone());
            return;
        }
        let dropped = format!("DROP KEYSPACE IF EXISTS {}", self.settings.keyspace);
        tokio::task::block_in_place(|| drop(tokio::runtime::Handle::current().block_on(self.operate(&dropped))));
    }
}
