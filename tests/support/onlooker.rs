//! The ledger as it is read beside a running daemon, or after its death.

use super::ledger::jobs_of;
use super::wait::{LONG, until};
use super::world::World;
use inkdex::domain::clock::SystemClock;
use inkdex::domain::ids::JobId;
use inkdex::domain::job::{Attempt, Job, JobState, Stage};
use inkdex::domain::message::Message;
use inkdex::store::Store;
use inkdex::store::sqlite::{OpenMode, SqliteDb};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The ledger as an onlooker reads it, beside the daemon or after its death.
pub struct Onlooker {
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// The file of an embedded store.
    path: Option<PathBuf>,
}

impl Onlooker {
    /// Looks at the data of `world`, which a daemon has made.
    pub async fn of(world: &World) -> Self {
        let store = inkdex::app::single::open_for_reading(&world.config, Arc::new(SystemClock::new())).await.unwrap();
        Self { store, path: world.config.backends.is_embedded().then(|| world.config.data.database()) }
    }

    /// Every job of every session.
    pub async fn all_jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for session in self.store.sessions(1_000).await.unwrap() {
            jobs.extend(jobs_of(self.store.as_ref(), &session.id).await);
        }
        jobs
    }

    /// Whether no session is open.
    pub async fn is_drained(&self) -> bool {
        self.store.open_sessions().await.unwrap().is_empty()
    }

    /// Waits until no session is open.
    pub async fn drained(&self) {
        until("the daemon has drained", LONG, async || self.is_drained().await.then_some(())).await;
    }

    /// What SQLite finds wrong with the file; of a shared store nothing is known.
    pub async fn integrity_problems(&self) -> Vec<String> {
        let Some(path) = &self.path else { return Vec::new() };
        let db = SqliteDb::open(path, OpenMode::ReadOnly, Arc::new(SystemClock::new())).unwrap();
        db.integrity_problems().await.unwrap()
    }

    /// Attempts of `owner` that are about to write, or have written, and have no outcome.
    pub async fn writing(&self, owner: &str) -> usize {
        let mut writing = 0;
        for session in self.store.open_sessions().await.unwrap() {
            for job in self.store.jobs_in(&session.id, Some(JobState::Running), None, 500).await.unwrap() {
                let attempts = self.store.attempts(job.id()).await.unwrap();
                writing += attempts.iter().filter(|attempt| attempt.owner == owner && is_writing(attempt)).count();
            }
        }
        writing
    }

    /// Whether it can look into the queue, to see what is not acked.
    pub fn sees_queue(&self) -> bool {
        self.path.is_some()
    }

    /// Messages in somebody's hands whose job has the outcome that ends it, by an attempt of `owner`.
    pub async fn unacked(&self, owner: &str) -> usize {
        let mut unacked = 0;
        for id in self.in_flight() {
            let Some(job) = self.store.job(&id).await.unwrap() else { continue };
            let attempts = self.store.attempts(&id).await.unwrap();
            let ended = attempts.last().is_some_and(|last| last.owner == owner && last.outcome.is_some());
            unacked += usize::from(job.state.is_terminal() && ended);
        }
        unacked
    }

    fn in_flight(&self) -> Vec<JobId> {
        let path = self.path.as_ref().expect("a queue that can be looked into");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(path, flags).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut statement = connection.prepare("SELECT body FROM messages WHERE receipt IS NOT NULL").unwrap();
        let bodies = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        bodies.map(|body| Message::from_bytes(&body.unwrap()).unwrap().job_id).collect()
    }
}

fn is_writing(attempt: &Attempt) -> bool {
    attempt.stage == Stage::Writing && attempt.outcome.is_none()
}
