//! What a contract suite needs of a backend, and the embedded backend's answer to it.
//!
//! A suite is a generic function over [`Harness`]; `on_every_backend!` makes a test of it for each backend there is.

use inkdex::domain::clock::{Clock, ManualClock, Timestamp};
use inkdex::feed::ChangeFeed;
use inkdex::feed::sqlite::SqliteFeed;
use inkdex::queue::JobQueue;
use inkdex::queue::sqlite::SqliteQueue;
use inkdex::store::host_holds::MemoryHolds;
use inkdex::store::sqlite::{OpenMode, SqliteDb, SqliteStore};
use inkdex::store::{HostHolds, Store};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A backend under test, empty at the start of each suite.
pub trait Harness {
    /// The store as it is open now; after a crash it is another value.
    fn store(&self) -> Arc<dyn Store>;
    /// The queue as it is open now.
    fn queue(&self) -> Arc<dyn JobQueue>;
    /// The feed as it is open now.
    fn feed(&self) -> Arc<dyn ChangeFeed>;
    /// Holds on hosts of a process that starts now and asks no host before `not_before`.
    async fn holds(&self, not_before: Timestamp) -> Arc<dyn HostHolds>;

    /// The backend's time.
    fn now(&self) -> Timestamp;
    /// Lets time pass: a manual clock is moved, a server is waited for on settings scaled down.
    async fn advance(&self, by: Duration);

    /// At how many places an operation of the store may be cut. At the last one it is done and only its answer is lost.
    fn crash_points(&self) -> usize;
    /// Runs `operation` and kills the backend at a crash point, then opens it again.
    async fn crash_at<F: Future<Output = ()>>(&self, point: usize, operation: impl FnOnce(Arc<dyn Store>) -> F);
    /// Ends the process of the backend between two operations and starts it again. What a suite still holds of the one
    /// before keeps an embedded backend alive, so it lets go of it first.
    async fn restart(&self);

    /// Drops feed entries made before `before`, as the backend's retention does.
    async fn prune_feed(&self, before: Timestamp);

    /// Makes the value of a row unreadable behind the backend's back: its bytes are others, or of a form that only a later
    /// build knows. `table` is `artists`, `jobs` or `sessions`.
    async fn damage(&self, table: &str, id: &str, how: Damage);
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes do not pass their checksum.
    Bytes,
    /// Sealed in order, and not of a form that this build knows.
    Form,
}

impl Damage {
    /// Body and checksum of a damaged row.
    pub fn body_and_sum(self, table: &str, id: &str) -> (String, i64) {
        use sha2::Digest;
        let body = r#"{"form":"of a later build"}"#.to_owned();
        if self == Self::Bytes {
            return (body, 7);
        }
        // As `store::seal` does it: the first 64 bits of SHA-256 over table, key and body.
        let digest = sha2::Sha256::digest([table.as_bytes(), &[0], id.as_bytes(), &[0], body.as_bytes()].concat());
        let first: [u8; 8] = digest[..8].try_into().unwrap();
        (body, i64::from_be_bytes(first))
    }
}

/// Makes a test of each suite on each backend that keeps everything, or on those named: `[embedded] suite, …`.
macro_rules! on_every_backend {
    ([$($backend:ident),+ $(,)?] $($suite:ident),+ $(,)?) => {
        $crate::contracts::harness::on_every_backend!(@each [$($backend)+] ($($suite),+));
    };
    (@each [$($backend:ident)+] $suites:tt) => {
        $( $crate::contracts::harness::on_every_backend!(@$backend $suites); )+
    };
    (@embedded ($($suite:ident),+)) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $suite() {
                    super::$suite(&$crate::contracts::harness::Embedded::start()).await;
                }
            )+
        }
    };
    (@cql ($($suite:ident),+)) => {
        #[cfg(feature = "cql")]
        mod cql {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $suite() {
                    super::$suite(&$crate::contracts::cql::Cql::start().await).await;
                }
            )+
        }
    };
    ($($suite:ident),+ $(,)?) => {
        $crate::contracts::harness::on_every_backend!([embedded, cql] $($suite),+);
    };
}
pub(crate) use on_every_backend;

/// The embedded backend in a folder of its own, on a manual clock.
pub struct Embedded {
    _folder: tempfile::TempDir,
    path: PathBuf,
    clock: Arc<ManualClock>,
    open: Mutex<Option<Open>>,
}

struct Open {
    db: Arc<SqliteDb>,
    store: SqliteStore,
}

/// When the clocks of the suites start: 2026-11-22T00:00:00Z.
pub const START: Timestamp = Timestamp(1_795_305_600_000_000);

impl Embedded {
    /// An empty backend.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inkdex.db");
        let harness = Self { _folder: folder, path, clock: Arc::new(ManualClock::at(START)), open: Mutex::new(None) };
        harness.open();
        harness
    }

    fn open(&self) {
        let db = SqliteDb::open(&self.path, OpenMode::Owner, self.clock.clone()).unwrap();
        *self.open.lock().unwrap() = Some(Open { store: SqliteStore::new(db.clone()), db });
    }

    fn close(&self) {
        *self.open.lock().unwrap() = None;
    }

    fn db(&self) -> Arc<SqliteDb> {
        self.open.lock().unwrap().as_ref().unwrap().db.clone()
    }

    fn sqlite(&self) -> SqliteStore {
        self.open.lock().unwrap().as_ref().unwrap().store.clone()
    }
}

impl Harness for Embedded {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.sqlite())
    }

    fn queue(&self) -> Arc<dyn JobQueue> {
        Arc::new(SqliteQueue::new(self.db()))
    }

    fn feed(&self) -> Arc<dyn ChangeFeed> {
        Arc::new(SqliteFeed::new(self.db()))
    }

    async fn holds(&self, not_before: Timestamp) -> Arc<dyn HostHolds> {
        Arc::new(MemoryHolds::load(self.store(), not_before, self.now()).await.unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// An operation is one transaction here: it is cut before it begins, or after its commit. What a kill in the middle
    /// of one leaves behind is shown on real processes in `kill`.
    fn crash_points(&self) -> usize {
        2
    }

    async fn crash_at<F: Future<Output = ()>>(&self, point: usize, operation: impl FnOnce(Arc<dyn Store>) -> F) {
        if point > 0 {
            operation(self.store()).await;
        }
        self.restart().await;
    }

    async fn restart(&self) {
        self.close();
        self.open();
    }

    async fn prune_feed(&self, before: Timestamp) {
        self.feed().prune(before).await.unwrap();
    }

    async fn damage(&self, table: &str, id: &str, how: Damage) {
        let (body, sum) = how.body_and_sum(table, id);
        let connection = rusqlite::Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        let sql = format!("UPDATE {table} SET body = ?1, sum = ?2 WHERE id = ?3");
        assert_eq!(connection.execute(&sql, rusqlite::params![body, sum, id]).unwrap(), 1, "{table}/{id}");
    }
}
