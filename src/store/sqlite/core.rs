//! The synchronous core of the embedded database: one writing connection, commands applied in batches, one commit a batch.
//!
//! It owns no thread and never waits for one; `db` puts a thread around it.

use crate::domain::clock::Clock;
use crate::store::{StoreError, StoreResult};
use rusqlite::Connection;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Commands that one commit holds at most.
pub(super) const BATCH_MAX: usize = 256;

/// A write-ahead log longer than this is cut back by force; below it SQLite's own passive checkpoints do.
const WAL_FORCED_BYTES: u64 = 16 * 1024 * 1024;

/// At most one forced checkpoint in this time: a long reader makes it fail.
const WAL_FORCED_EVERY: Duration = Duration::from_secs(1);

/// Which readers have something new to look at after a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Grew {
    /// A message may be receivable, or will be earlier than was known.
    pub queue: bool,
    /// The change feed has a new entry.
    pub feed: bool,
}

/// What a command works with: the connection inside an open transaction.
pub(crate) struct Txn<'c> {
    /// Inside `BEGIN IMMEDIATE` and a savepoint of the command's own.
    pub connection: &'c Connection,
    grew: Cell<Grew>,
}

impl Txn<'_> {
    /// Says that a receiver has reason to look again.
    pub fn queue_grew(&self) {
        self.grew.set(Grew { queue: true, ..self.grew.get() });
    }

    /// Says that a reader of the feed has reason to look again.
    pub fn feed_grew(&self) {
        self.grew.set(Grew { feed: true, ..self.grew.get() });
    }
}

/// A write, with the place its answer goes to.
pub(super) trait Command: Send {
    /// Does the work and keeps the answer until the commit.
    fn run(&mut self, txn: &Txn<'_>) -> StoreResult<()>;

    /// Hands the answer over: its own if it was committed, else the error.
    fn answer(self: Box<Self>, committed: StoreResult<()>);
}

/// The writing connection.
pub(super) struct Core {
    connection: Connection,
    wal: PathBuf,
    clock: Arc<dyn Clock>,
    forced_at: Duration,
}

impl Core {
    /// Takes over the writing connection of the database whose write-ahead log is `wal`.
    pub fn new(connection: Connection, wal: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let forced_at = clock.monotonic();
        Self { connection, wal, clock, forced_at }
    }

    /// Runs a batch in one transaction, each command in a savepoint, and answers by position once it is committed.
    ///
    /// A command that fails or panics is undone alone. If the transaction as a whole fails (disk full, I/O error), every
    /// command of it is answered with that error and nothing of it stands.
    pub fn apply(&mut self, batch: &mut [Box<dyn Command>]) -> (Vec<StoreResult<()>>, Grew) {
        match self.apply_in_transaction(batch) {
            Ok(done) => done,
            Err(error) => {
                if !self.connection.is_autocommit()
                    && let Err(error) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "a failed transaction could not be rolled back");
                }
                (batch.iter().map(|_| Err(error.clone())).collect(), Grew::default())
            }
        }
    }

    fn apply_in_transaction(&mut self, batch: &mut [Box<dyn Command>]) -> StoreResult<(Vec<StoreResult<()>>, Grew)> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut grew = Grew::default();
        let mut results = Vec::with_capacity(batch.len());
        for command in batch.iter_mut() {
            let (result, its) = self.apply_one(command.as_mut())?;
            if result.is_ok() {
                grew = Grew { queue: grew.queue || its.queue, feed: grew.feed || its.feed };
            }
            results.push(result);
        }
        self.connection.execute_batch("COMMIT")?;
        Ok((results, grew))
    }

    /// The inner result is the command's, the outer one the transaction's.
    fn apply_one(&self, command: &mut dyn Command) -> StoreResult<(StoreResult<()>, Grew)> {
        self.connection.prepare_cached("SAVEPOINT command")?.execute([])?;
        let txn = Txn { connection: &self.connection, grew: Cell::default() };
        let result = catch_unwind(AssertUnwindSafe(|| command.run(&txn)))
            .unwrap_or_else(|panic| Err(StoreError::Bug(format!("a write panicked: {}", panic_text(panic.as_ref())))));
        // Some errors (disk full, I/O, out of memory) make SQLite roll back everything: what follows would commit by itself.
        if self.connection.is_autocommit() {
            let error = result.err().unwrap_or_else(|| StoreError::Bug("a command ended the transaction it ran in".to_owned()));
            return Err(error);
        }
        if result.is_err() {
            self.connection.prepare_cached("ROLLBACK TO command")?.execute([])?;
        }
        self.connection.prepare_cached("RELEASE command")?.execute([])?;
        Ok((result, txn.grew.get()))
    }

    /// Cuts the write-ahead log back if it has grown large, at most once a second.
    pub fn checkpoint_if_grown(&mut self) {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.forced_at) < WAL_FORCED_EVERY {
            return;
        }
        let grown = std::fs::metadata(&self.wal).is_ok_and(|wal| wal.len() > WAL_FORCED_BYTES);
        if grown {
            self.forced_at = now;
            if let Err(error) = self.checkpoint() {
                tracing::warn!(%error, "the write-ahead log could not be cut back");
            }
        }
    }

    /// Moves the write-ahead log into the database and empties its file. Answers whether no reader stood in the way.
    pub fn checkpoint(&mut self) -> StoreResult<bool> {
        self.connection.busy_timeout(Duration::from_millis(100))?;
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.connection.busy_timeout(super::open::BUSY_TIMEOUT)?;
        Ok(busy? == 0)
    }
}

/// What a panic said, if it said something.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
