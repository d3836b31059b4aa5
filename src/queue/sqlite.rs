//! The embedded queue: messages in a table of the store's file, with the rules of SQS.

use crate::domain::clock::Timestamp;
use crate::queue::{Delivery, JobQueue, Outgoing, QueueDepth, QueueError, Receipt, Receipted};
use crate::store::StoreError;
use crate::store::sqlite::{SqliteDb, Txn};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::time::Duration;

/// The longest delay, as in SQS.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// The longest that one delivery may stay invisible, counted from its receipt, as in SQS.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest body, as in SQS.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long a waiting receiver sleeps at least before it looks again for a message whose delay should be over.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Messages in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteQueue {
    db: Arc<SqliteDb>,
}

impl SqliteQueue {
    /// The queue in an open database.
    pub fn new(db: Arc<SqliteDb>) -> Self {
        Self { db }
    }
}

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Refused(_) | StoreError::Held { .. } | StoreError::Corrupt { .. } | StoreError::Bug(_) => {
                Self::Refused(error.to_string())
            }
        }
    }
}

/// What a claim found: deliveries, or when to look again.
struct Claimed {
    deliveries: Vec<Delivery>,
    next_visible: Option<Timestamp>,
}

fn refusal(message: &Outgoing) -> Option<QueueError> {
    let why = if message.delay > MAX_DELAY {
        format!("a delay of {} s, at most {} s can be expressed", message.delay.as_secs(), MAX_DELAY.as_secs())
    } else if message.body.is_empty() || message.body.len() > MAX_BODY_BYTES {
        format!("a body of {} bytes, 1 to {MAX_BODY_BYTES} are allowed", message.body.len())
    } else if std::str::from_utf8(&message.body).is_err() {
        "a body that is not UTF-8".to_owned()
    } else {
        return None;
    };
    Some(QueueError::Refused(why))
}

fn send(txn: &Txn<'_>, messages: &[Outgoing], now: Timestamp) -> Result<Vec<Result<(), QueueError>>, StoreError> {
    let mut statement = txn.connection.prepare_cached("INSERT INTO messages (body, visible_at, receive_count) VALUES (?1, ?2, 0)")?;
    let mut answers = Vec::with_capacity(messages.len());
    for message in messages {
        match refusal(message) {
            Some(refused) => answers.push(Err(refused)),
            None => {
                statement.execute(params![message.body, now.plus(message.delay).0])?;
                answers.push(Ok(()));
            }
        }
    }
    txn.queue_grew();
    Ok(answers)
}

fn claim(connection: &Connection, max: usize, visibility: Duration, now: Timestamp) -> Result<Claimed, StoreError> {
    let sql = "UPDATE messages SET receipt = lower(hex(randomblob(16))), receive_count = receive_count + 1,
                   received_at = ?1, visible_at = ?2
               WHERE id IN (SELECT id FROM messages WHERE visible_at <= ?1 ORDER BY visible_at, id LIMIT ?3)
               RETURNING id, receipt, body, receive_count";
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![now.0, now.plus(visibility.min(MAX_VISIBILITY)).0, max], |row| {
        let (id, secret): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok((id, Delivery { receipt: Receipt(format!("{id}-{secret}")), body: row.get(2)?, receive_count: row.get(3)? }))
    })?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    // RETURNING promises no order.
    rows.sort_by_key(|(id, _)| *id);
    let deliveries: Vec<Delivery> = rows.into_iter().map(|(_, delivery)| delivery).collect();
    let mut next_visible = None;
    if deliveries.is_empty() {
        let min: Option<i64> = connection.prepare_cached("SELECT min(visible_at) FROM messages")?.query_row([], |row| row.get(0))?;
        next_visible = min.map(Timestamp);
    }
    Ok(Claimed { deliveries, next_visible })
}

/// A receipt's message and secret; a receipt that is not ours names nothing.
fn parts(receipt: &Receipt) -> (i64, String) {
    let parsed = receipt.0.split_once('-').and_then(|(id, secret)| Some((id.parse().ok()?, secret.to_owned())));
    parsed.unwrap_or((0, String::new()))
}

fn receipted(changed: usize) -> Receipted {
    if changed == 1 { Receipted::Ok } else { Receipted::Stale }
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let now = self.db.now();
        Ok(self.db.write(move |txn| send(txn, &messages, now)).await?)
    }

    async fn receive(&self, max: usize, visibility: Duration, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        let mut last = wait.is_zero();
        let mut grown = self.db.queue_grown();
        loop {
            // Seen before the claim: what arrives after it is not slept through.
            grown.mark_unchanged();
            let now = self.db.now();
            let claimed = self.db.write(move |txn| claim(txn.connection, max, visibility, now)).await?;
            if !claimed.deliveries.is_empty() || last {
                return Ok(claimed.deliveries);
            }
            let until_visible = claimed.next_visible.map_or(wait, |at| at.since(now).max(LOOK_AGAIN));
            tokio::select! {
                () = &mut over => last = true,
                // Woken, or a delay is over: the next look decides.
                _woken = tokio::time::timeout(until_visible, grown.changed()) => {}
            }
        }
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Receipted, QueueError> {
        let (id, secret) = parts(receipt);
        let delete = move |txn: &Txn<'_>| {
            let mut statement = txn.connection.prepare_cached("DELETE FROM messages WHERE id = ?1 AND receipt = ?2")?;
            Ok(receipted(statement.execute(params![id, secret])?))
        };
        Ok(self.db.write(delete).await?)
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipted, QueueError> {
        let (id, secret) = parts(receipt);
        let now = self.db.now();
        let extend = move |txn: &Txn<'_>| {
            // A delivery that ran out is over, even if nobody else has got the message yet.
            let sql = "UPDATE messages SET visible_at = min(?3, received_at + ?4) WHERE id = ?1 AND receipt = ?2 AND visible_at > ?5";
            let cap = Timestamp(0).plus(MAX_VISIBILITY).0;
            let mut statement = txn.connection.prepare_cached(sql)?;
            let changed = statement.execute(params![id, secret, now.plus(visibility).0, cap, now.0])?;
            // It may be visible earlier than a waiting receiver believes.
            txn.queue_grew();
            Ok(receipted(changed))
        };
        Ok(self.db.write(extend).await?)
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<Receipted, QueueError> {
        if delay > MAX_DELAY {
            let (asked, most) = (delay.as_secs(), MAX_DELAY.as_secs());
            return Err(QueueError::Refused(format!("a release after {asked} s, at most {most} s can be expressed; park the job")));
        }
        let (id, secret) = parts(receipt);
        let now = self.db.now();
        let release = move |txn: &Txn<'_>| {
            let sql = "UPDATE messages SET visible_at = ?3, receipt = NULL, received_at = NULL
                       WHERE id = ?1 AND receipt = ?2 AND visible_at > ?4";
            let mut statement = txn.connection.prepare_cached(sql)?;
            let changed = statement.execute(params![id, secret, now.plus(delay).0, now.0])?;
            txn.queue_grew();
            Ok(receipted(changed))
        };
        Ok(self.db.write(release).await?)
    }

    fn max_delay(&self) -> Duration {
        MAX_DELAY
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let now = self.db.now();
        let count = move |connection: &Connection| {
            let count = |sql: &str| -> Result<u64, StoreError> {
                let n: i64 = connection.prepare_cached(sql)?.query_row([now.0], |row| row.get(0))?;
                Ok(u64::try_from(n).unwrap_or(0))
            };
            let visible = count("SELECT count(*) FROM messages WHERE visible_at <= ?1")?;
            let in_flight = count("SELECT count(*) FROM messages WHERE visible_at > ?1 AND receipt IS NOT NULL")?;
            let delayed = count("SELECT count(*) FROM messages WHERE visible_at > ?1 AND receipt IS NULL")?;
            Ok(QueueDepth { visible, in_flight, delayed })
        };
        Ok(self.db.read(count).await?)
    }

    async fn purge(&self) -> Result<(), QueueError> {
        let purge = |txn: &Txn<'_>| {
            txn.connection.prepare_cached("DELETE FROM messages")?.execute([])?;
            Ok(())
        };
        Ok(self.db.write(purge).await?)
    }

    async fn recover(&self) -> Result<u64, QueueError> {
        let now = self.db.now();
        let recover = move |txn: &Txn<'_>| {
            // Their receipts end too: whoever held them is dead, and a copy must not ack what it did not finish.
            let sql =
                "UPDATE messages SET visible_at = ?1, receipt = NULL, received_at = NULL WHERE receipt IS NOT NULL AND visible_at > ?1";
            let recovered = txn.connection.prepare_cached(sql)?.execute([now.0])?;
            txn.queue_grew();
            Ok(recovered as u64)
        };
        Ok(self.db.write(recover).await?)
    }

    async fn drain_undeliverable(&self, _max: usize) -> Result<Vec<Delivery>, QueueError> {
        Ok(Vec::new())
    }
}
