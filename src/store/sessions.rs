//! The store port for sessions.

use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::session::Session;
use crate::store::StoreResult;
use async_trait::async_trait;

/// Sessions and their steps: one row each, changed by compare-and-set on the epoch.
#[async_trait]
pub trait SessionStore {
    /// Inserts a session unless its key `(pipeline, scheduled_for)` is taken (rule 18). Answers whether it is new.
    async fn create_session(&self, session: &Session) -> StoreResult<bool>;

    /// A session's row.
    async fn session(&self, id: &SessionId) -> StoreResult<Option<Session>>;

    /// Puts `new` if the stored epoch is `expected_epoch`. Answers whether it was.
    async fn put_session(&self, expected_epoch: u64, new: &Session) -> StoreResult<bool>;

    /// Sessions, newest first.
    async fn sessions(&self, limit: usize) -> StoreResult<Vec<Session>>;

    /// Sessions that are not over.
    async fn open_sessions(&self) -> StoreResult<Vec<Session>>;

    /// The newest moment a pipeline was run for.
    async fn last_scheduled(&self, pipeline: &str) -> StoreResult<Option<Timestamp>>;

    /// Sessions that owe an alert (rule 19).
    async fn sessions_owing_alert(&self, limit: usize) -> StoreResult<Vec<Session>>;
}
