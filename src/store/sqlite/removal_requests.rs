//! Requests to be removed or corrected: one row each, changed by compare-and-set on the revision.

use super::SqliteStore;
use super::seal::{execute, limit, read_one, read_sound, seal};
use super::unread::listed;
use crate::domain::removal_request::{RemovalRequest, RequestId, RequestState};
use crate::store::{RemovalRequestStore, StoreResult};
use async_trait::async_trait;
use rusqlite::params;

const TABLE: &str = "removal_requests";

/// The column by which open requests are listed: 0 for an ended one, and more the sooner it is to be looked at.
fn urgency(state: RequestState) -> i64 {
    match state {
        state if state.is_ended() => 0,
        RequestState::Proven | RequestState::Approved => 2,
        _ => 1,
    }
}

/// A revision as stored.
fn stored(rev: u64) -> i64 {
    i64::try_from(rev).unwrap_or(i64::MAX)
}

#[async_trait]
impl RemovalRequestStore for SqliteStore {
    async fn create_request(&self, request: &RemovalRequest) -> StoreResult<bool> {
        let request = request.clone();
        let write = move |txn: &super::core::Txn<'_>| {
            let (id, sealed) = (request.id.as_str(), seal(TABLE, request.id.as_str(), &request)?);
            let sql = "INSERT INTO removal_requests (id, rev, created_at, open, body, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                       ON CONFLICT DO NOTHING";
            let open = urgency(request.state);
            let values = params![id, stored(request.rev), request.created_at.0, open, sealed.body, sealed.sum];
            Ok(execute(txn.connection, sql, values)? == 1)
        };
        self.db.write(write).await
    }

    async fn request(&self, id: &RequestId) -> StoreResult<Option<RemovalRequest>> {
        let id = id.clone();
        let sql = "SELECT id, body, sum FROM removal_requests WHERE id = ?1";
        self.db.read(move |connection| read_one(connection, TABLE, sql, [id.as_str()])).await
    }

    async fn put_request(&self, expected_rev: u64, new: &RemovalRequest) -> StoreResult<bool> {
        let new = new.clone();
        let write = move |txn: &super::core::Txn<'_>| {
            let sealed = seal(TABLE, new.id.as_str(), &new)?;
            let sql = "UPDATE removal_requests SET rev = ?2, open = ?3, body = ?4, sum = ?5 WHERE id = ?1 AND rev = ?6";
            let open = urgency(new.state);
            let values = params![new.id.as_str(), stored(new.rev), open, sealed.body, sealed.sum, stored(expected_rev)];
            Ok(execute(txn.connection, sql, values)? == 1)
        };
        self.db.write(write).await
    }

    async fn drop_request(&self, id: &RequestId) -> StoreResult<()> {
        let id = id.clone();
        let sql = "DELETE FROM removal_requests WHERE id = ?1 AND open = 0";
        self.db.write(move |txn: &super::core::Txn<'_>| execute(txn.connection, sql, [id.as_str()]).map(|_| ())).await
    }

    async fn open_requests(&self, most: usize) -> StoreResult<Vec<RemovalRequest>> {
        let sql = "SELECT id, body, sum FROM removal_requests WHERE open > 0 ORDER BY open DESC, created_at, id LIMIT ?1";
        listed(&self.db, TABLE, move |connection, unread| read_sound(connection, TABLE, sql, [limit(most)], unread)).await
    }
}
