//! The store in CQL under the contract suites, in a keyspace of its own on a real server, on a manual clock; and what only
//! this backend has to show.

mod clocks;
mod ghosts;
mod keyspace;
mod ledger;
mod open;
mod operations;
mod races;
mod requests;
mod spread;
mod unknown;

use super::harness::{Damage, Harness, START};
use inkdex::domain::clock::{Clock, ManualClock, Timestamp};
use inkdex::feed::ChangeFeed;
use inkdex::feed::cql::{CqlFeed, FeedTimes};
use inkdex::queue::JobQueue;
use inkdex::queue::sqlite::SqliteQueue;
use inkdex::store::cql::{CqlDb, CqlHostHolds, CqlStore, STEPS_MAX};
use inkdex::store::sqlite::{OpenMode, SqliteDb};
use inkdex::store::{HostHolds, Store};
use keyspace::Keyspace;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The backend in a keyspace of its own; its queue is the embedded one, since the store's suites ask little of it.
pub struct Cql {
    pub keyspace: Keyspace,
    pub clock: Arc<ManualClock>,
    db: Mutex<Arc<CqlDb>>,
    retention: Mutex<Duration>,
    queue: Arc<SqliteDb>,
    _folder: tempfile::TempDir,
}

impl Cql {
    /// An empty backend.
    pub async fn start() -> Self {
        let keyspace = Keyspace::made().await;
        let clock = Arc::new(ManualClock::at(START));
        let db = CqlDb::open(keyspace.settings.clone(), clock.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let queue = SqliteDb::open(&folder.path().join("queue.db"), OpenMode::Owner, clock.clone()).unwrap();
        let retention = FeedTimes::default().retention;
        Self { keyspace, clock, db: Mutex::new(db), retention: Mutex::new(retention), queue, _folder: folder }
    }

    /// The database as it is open now.
    pub fn db(&self) -> Arc<CqlDb> {
        self.db.lock().unwrap().clone()
    }
}

impl Harness for Cql {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(CqlStore::new(self.db()))
    }

    fn queue(&self) -> Arc<dyn JobQueue> {
        Arc::new(SqliteQueue::new(self.queue.clone()))
    }

    fn feed(&self) -> Arc<dyn ChangeFeed> {
        let times = FeedTimes { retention: *self.retention.lock().unwrap(), ..FeedTimes::default() };
        Arc::new(CqlFeed::new(self.db(), times))
    }

    async fn holds(&self, not_before: Timestamp) -> Arc<dyn HostHolds> {
        Arc::new(CqlHostHolds::new(CqlStore::new(self.db()), not_before))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// At each step, and once after the last.
    fn crash_points(&self) -> usize {
        STEPS_MAX + 1
    }

    async fn crash_at<F: Future<Output = ()>>(&self, point: usize, operation: impl FnOnce(Arc<dyn Store>) -> F) {
        operation(Arc::new(CqlStore::new(self.db().crashing_at(point)))).await;
        self.restart().await;
    }

    async fn restart(&self) {
        let db = CqlDb::open(self.keyspace.settings.clone(), self.clock.clone()).await.unwrap();
        *self.db.lock().unwrap() = db;
    }

    /// Rows run out by the database's own clock; the promise shrinks instead.
    async fn prune_feed(&self, before: Timestamp) {
        *self.retention.lock().unwrap() = self.now().since(before);
    }

    async fn damage(&self, table: &str, id: &str, how: Damage) {
        let (body, sum) = how.body_and_sum(table, id);
        let keyspace = &self.keyspace.settings.keyspace;
        assert_eq!(self.keyspace.count(&format!("{table} WHERE id = '{id}'")).await, 1, "{table}/{id}");
        // In the order of the transactions that wrote the row.
        self.keyspace.operate(&format!("UPDATE {keyspace}.{table} SET body = '{body}', sum = {sum} WHERE id = '{id}' IF EXISTS")).await;
    }
}
