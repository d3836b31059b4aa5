//! Sessions: one row each, changed by compare-and-set on the epoch.

use super::SqliteStore;
use super::seal::{Sealed, execute, limit, one, read_one, read_sound, seal};
use super::unread::listed;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::job::AlertDebt;
use crate::domain::session::Session;
use crate::store::{SessionStore, StoreResult};
use async_trait::async_trait;
use rusqlite::{Connection, params};

fn sealed(session: &Session) -> StoreResult<Sealed> {
    seal("sessions", session.id.as_str(), session)
}

/// An epoch as stored.
fn stored_epoch(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn create(connection: &Connection, session: &Session) -> StoreResult<bool> {
    let sealed = sealed(session)?;
    let sql = "INSERT INTO sessions (id, pipeline, scheduled_for, epoch, created_at, open, alert_owed, body, sum)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    let values = params![
        session.id.as_str(),
        session.pipeline,
        session.scheduled_for.0,
        stored_epoch(session.epoch),
        session.created_at.0,
        !session.state.is_terminal(),
        session.alert == AlertDebt::Owed,
        sealed.body,
        sealed.sum
    ];
    Ok(execute(connection, sql, values)? == 1)
}

fn put(connection: &Connection, expected_epoch: u64, new: &Session) -> StoreResult<bool> {
    let sealed = sealed(new)?;
    let sql = "UPDATE sessions SET epoch = ?2, open = ?3, alert_owed = ?4, body = ?5, sum = ?6 WHERE id = ?1 AND epoch = ?7";
    let values = params![
        new.id.as_str(),
        stored_epoch(new.epoch),
        !new.state.is_terminal(),
        new.alert == AlertDebt::Owed,
        sealed.body,
        sealed.sum,
        stored_epoch(expected_epoch)
    ];
    Ok(execute(connection, sql, values)? == 1)
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create_session(&self, session: &Session) -> StoreResult<bool> {
        let session = session.clone();
        self.db.write(move |txn| create(txn.connection, &session)).await
    }

    async fn session(&self, id: &SessionId) -> StoreResult<Option<Session>> {
        let id = id.clone();
        let sql = "SELECT id, body, sum FROM sessions WHERE id = ?1";
        self.db.read(move |connection| read_one(connection, "sessions", sql, [id.as_str()])).await
    }

    async fn put_session(&self, expected_epoch: u64, new: &Session) -> StoreResult<bool> {
        let new = new.clone();
        self.db.write(move |txn| put(txn.connection, expected_epoch, &new)).await
    }

    async fn sessions(&self, most: usize) -> StoreResult<Vec<Session>> {
        let sql = "SELECT id, body, sum FROM sessions ORDER BY created_at DESC, id DESC LIMIT ?1";
        listed(&self.db, "sessions", move |connection, unread| read_sound(connection, "sessions", sql, [limit(most)], unread)).await
    }

    async fn open_sessions(&self) -> StoreResult<Vec<Session>> {
        let sql = "SELECT id, body, sum FROM sessions WHERE open = 1 ORDER BY created_at, id";
        listed(&self.db, "sessions", move |connection, unread| read_sound(connection, "sessions", sql, [], unread)).await
    }

    async fn last_scheduled(&self, pipeline: &str) -> StoreResult<Option<Timestamp>> {
        let pipeline = pipeline.to_owned();
        let sql = "SELECT max(scheduled_for) FROM sessions WHERE pipeline = ?1";
        let newest = self.db.read(move |connection| one::<Option<i64>>(connection, sql, [pipeline])).await?;
        Ok(newest.flatten().map(Timestamp))
    }

    async fn sessions_owing_alert(&self, most: usize) -> StoreResult<Vec<Session>> {
        let sql = "SELECT id, body, sum FROM sessions WHERE alert_owed = 1 ORDER BY id LIMIT ?1";
        listed(&self.db, "sessions", move |connection, unread| read_sound(connection, "sessions", sql, [limit(most)], unread)).await
    }
}
