//! The database file as the adapters share it: a writer thread around the core, a small pool of readers, wake-ups.

use super::core::{BATCH_MAX, Command, Core, Grew, Txn, panic_text};
use super::open::{OwnerLock, beside, open_reader, open_writer, prepare_file};
use crate::domain::clock::{Clock, Timestamp};
use crate::store::{StoreError, StoreResult};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Reading connections at most: reads are short, and there are few cores.
const READERS_MAX: usize = 4;

/// Writes that may wait for the writer; further callers wait to be let in.
const WAITING_MAX: usize = 4 * BATCH_MAX;

/// What a process wants of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// The daemon: alone, holding the lock file; reads, writes, and brings the schema up to date.
    Owner,
    /// A command beside a running daemon: reads only.
    ReadOnly,
}

/// One open database file. Store, queue and feed share it, so that one commit holds what all of them write.
pub struct SqliteDb {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Option<Writer>,
    readers: Arc<Readers>,
    wakers: Arc<Wakers>,
    // Dropped last: whoever takes the lock next finds the writer gone.
    _lock: Option<OwnerLock>,
}

struct Writer {
    sender: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
}

/// What the writer is asked for.
enum Request {
    Command(Box<dyn Command>),
    /// Not a command: it cannot run inside a transaction.
    Checkpoint(oneshot::Sender<StoreResult<bool>>),
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// Tells those who wait for messages or changes that a commit brought some.
struct Wakers {
    queue: watch::Sender<u64>,
    feed: watch::Sender<u64>,
}

impl Wakers {
    fn wake(&self, grew: Grew) {
        let raise = |count: &mut u64| *count = count.wrapping_add(1);
        if grew.queue {
            self.queue.send_modify(raise);
        }
        if grew.feed {
            self.feed.send_modify(raise);
        }
    }
}

impl fmt::Debug for SqliteDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDb").field("path", &self.path).field("writable", &self.writer.is_some()).finish_non_exhaustive()
    }
}

impl SqliteDb {
    /// Opens the database at `path`; the owner makes it if it is absent.
    ///
    /// # Errors
    /// [`StoreError::Held`] if another process owns it; [`StoreError::Refused`] if the file is not ours, newer than this
    /// build, or not usable; [`StoreError::Corrupt`] if SQLite cannot read it.
    pub fn open(path: &Path, mode: OpenMode, clock: Arc<dyn Clock>) -> StoreResult<Arc<Self>> {
        let wakers = Arc::new(Wakers { queue: watch::Sender::new(0), feed: watch::Sender::new(0) });
        let (lock, writer) = match mode {
            OpenMode::Owner => {
                prepare_file(path)?;
                let lock = OwnerLock::take(path)?;
                let core = Core::new(open_writer(path)?, beside(path, "-wal"), clock.clone());
                (Some(lock), Some(start_writer(core, wakers.clone())?))
            }
            OpenMode::ReadOnly => (None, None),
        };
        let idle = Mutex::new(vec![open_reader(path)?]);
        let permits = Arc::new(Semaphore::new(READERS_MAX));
        let readers = Arc::new(Readers { path: path.to_owned(), idle, permits });
        Ok(Arc::new(Self { path: path.to_owned(), clock, writer, readers, wakers, _lock: lock }))
    }

    /// Whether nobody holds the database at `path`: its lock is taken and let go at once.
    ///
    /// # Errors
    /// [`StoreError::Held`] if somebody does, [`StoreError::Refused`] if the lock file cannot be used.
    pub fn try_lock(path: &Path) -> StoreResult<()> {
        OwnerLock::take(path).map(drop)
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the write-ahead log: a reader that stays open makes it grow.
    pub fn wal_bytes(&self) -> u64 {
        std::fs::metadata(beside(&self.path, "-wal")).map_or(0, |wal| wal.len())
    }

    /// Moves the write-ahead log into the database and empties its file, so that deleted bytes are gone from both.
    /// Answers whether no reader stood in the way.
    ///
    /// # Errors
    /// As for any write.
    pub async fn checkpoint(&self) -> StoreResult<bool> {
        let (reply, answer) = oneshot::channel();
        self.submit(Request::Checkpoint(reply)).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// SQLite's own check of its structure: what is wrong, nothing if it is sound. Reads the whole file.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read.
    pub async fn integrity_problems(&self) -> StoreResult<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        })
        .await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Rises whenever messages may have become receivable.
    pub(crate) fn queue_grown(&self) -> watch::Receiver<u64> {
        self.wakers.queue.subscribe()
    }

    /// Rises whenever the feed has grown.
    pub(crate) fn feed_grown(&self) -> watch::Receiver<u64> {
        self.wakers.feed.subscribe()
    }

    /// Runs `work` on the writer's connection and answers after its commit. If the caller stops waiting, it may be done all the same.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Txn<'_>) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(Request::Command(Box::new(Call { work: Some(work), done: None, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    async fn submit(&self, request: Request) -> StoreResult<()> {
        let Some(writer) = &self.writer else {
            let path = self.path.display();
            return Err(StoreError::Refused(format!("{path} was opened for reading; send the command through the running daemon's API")));
        };
        writer.sender.send(request).await.map_err(|_| stopped())
    }

    /// Runs `work` on a reading connection, on a blocking thread, within one snapshot that holds every commit answered before.
    pub(crate) async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.readers.permits.clone().acquire_owned().await.map_err(|_| stopped())?;
        let readers = self.readers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = readers.idle().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&readers.path)?,
            };
            let snapshot = connection.unchecked_transaction()?;
            let result = work(&snapshot);
            drop(snapshot);
            readers.idle().push(connection);
            result
        });
        match reading.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => Err(StoreError::Bug(format!("a read panicked: {}", panic_text(error.into_panic().as_ref())))),
            Err(_) => Err(stopped()),
        }
    }
}

impl Drop for SqliteDb {
    fn drop(&mut self) {
        if let Some(Writer { sender, thread }) = self.writer.take() {
            drop(sender);
            // What waits is still committed; a panic of the thread was logged by it.
            let _ended = thread.join();
        }
    }
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the database is closed or its writer has stopped; restart the process".to_owned())
}

fn start_writer(mut core: Core, wakers: Arc<Wakers>) -> StoreResult<Writer> {
    let (sender, mut waiting) = mpsc::channel::<Request>(WAITING_MAX);
    let run = move || {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        while waiting.blocking_recv_many(&mut requests, BATCH_MAX) > 0 {
            let mut batch = Vec::with_capacity(requests.len());
            let mut checkpoints = Vec::new();
            for request in requests.drain(..) {
                match request {
                    Request::Command(command) => batch.push(command),
                    Request::Checkpoint(reply) => checkpoints.push(reply),
                }
            }
            if !batch.is_empty() {
                let (results, grew) = core.apply(&mut batch);
                batch.into_iter().zip(results).for_each(|(command, result)| command.answer(result));
                wakers.wake(grew);
            }
            for reply in checkpoints {
                let _unheard = reply.send(core.checkpoint());
            }
            core.checkpoint_if_grown();
        }
    };
    let thread = std::thread::Builder::new().name("inkdex-writer".to_owned()).spawn(run);
    let thread = thread.map_err(|error| StoreError::Unavailable(format!("the writer's thread cannot start: {error}")))?;
    Ok(Writer { sender, thread })
}

struct Call<F, T> {
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<F, T> Command for Call<F, T>
where
    F: FnOnce(&Txn<'_>) -> StoreResult<T> + Send,
    T: Send,
{
    fn run(&mut self, txn: &Txn<'_>) -> StoreResult<()> {
        let work = self.work.take().ok_or_else(|| StoreError::Bug("a command ran twice".to_owned()))?;
        self.done = Some(work(txn)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let result = match (committed, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(StoreError::Bug("a command was committed without an answer".to_owned())),
            (Err(error), _) => Err(error),
        };
        // A caller that stopped waiting gets no answer, and repeats.
        let _unheard = self.reply.send(result);
    }
}
