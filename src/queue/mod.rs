//! The delivery port: at-least-once messages that point to jobs in the ledger. Contract below, one file per implementation.
//!
//! - `send` reports each entry by itself. A message is delivered at least once, in any order, perhaps twice.
//! - A received message is invisible for the visibility time; then it is delivered again with a **new** receipt and a
//!   receive count one higher.
//! - `ack`, `extend` and `release` with a stale receipt answer [`Receipted::Stale`] (or `Ok`) and never disturb the
//!   delivery of another consumer. An extend that succeeds proves nothing: the ledger's lease decides.
//! - `extend` replaces the remaining time, counted from the call; `release(0)` makes visible at once.
//! - Delays beyond [`JobQueue::max_delay`] are refused: the caller parks the job in the ledger instead.

pub mod sqlite;
#[cfg(feature = "sqs")]
pub mod sqs;

use crate::domain::ErrorClass;
use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

/// Why the queue did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Not reachable or busy: repeat.
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    /// The request can never succeed.
    #[error("the queue refuses: {0}")]
    Refused(String),
}

impl QueueError {
    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable(_) => ErrorClass::Transient,
            Self::Refused(_) => ErrorClass::Permanent,
        }
    }
}

/// A message to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The bytes of a [`crate::domain::message::Message`].
    pub body: Vec<u8>,
    /// Invisible for this long, at most [`JobQueue::max_delay`].
    pub delay: Duration,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("bytes", &self.body.len()).field("delay", &self.delay).finish()
    }
}

/// What names one delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// A delivered message; hostile until read with [`crate::domain::message::Message::from_bytes`].
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names this delivery.
    pub receipt: Receipt,
    /// What was sent.
    pub body: Vec<u8>,
    /// Deliveries so far, this one included (approximate where the service only estimates it).
    pub receive_count: u32,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("bytes", &self.body.len()).field("receive_count", &self.receive_count).finish_non_exhaustive()
    }
}

/// Whether a receipt still meant something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipted {
    /// Done, as far as the service can tell.
    Ok,
    /// The delivery was over: the message was acked, or has been delivered to somebody else.
    Stale,
}

/// Messages by visibility, approximate where the service only estimates it; exact depth comes from the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct QueueDepth {
    /// Can be received now.
    pub visible: u64,
    /// In somebody's hands.
    pub in_flight: u64,
    /// Delayed.
    pub delayed: u64,
}

/// The queue.
#[async_trait]
pub trait JobQueue: fmt::Debug + Send + Sync {
    /// Sends messages; the answer is by position.
    async fn send(&self, messages: Vec<Outgoing>) -> Result<Vec<Result<(), QueueError>>, QueueError>;

    /// Receives at most `max` messages, invisible to others for `visibility`, waiting at most `wait` for the first (where the
    /// service knows whole seconds, both are rounded up).
    async fn receive(&self, max: usize, visibility: Duration, wait: Duration) -> Result<Vec<Delivery>, QueueError>;

    /// Deletes a delivered message.
    async fn ack(&self, receipt: &Receipt) -> Result<Receipted, QueueError>;

    /// Keeps a message invisible for `visibility` from now.
    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipted, QueueError>;

    /// Makes a message visible again after `delay`, at most [`JobQueue::max_delay`].
    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<Receipted, QueueError>;

    /// The longest delay that `send` and `release` can express.
    fn max_delay(&self) -> Duration;

    /// Messages by visibility.
    async fn depth(&self) -> Result<QueueDepth, QueueError>;

    /// Deletes every message: the ledger still owns the jobs, and the sweeper sends again what is open.
    async fn purge(&self) -> Result<(), QueueError>;

    /// Makes every message in flight visible at once. Called at the start by an owner that knows itself alone (embedded);
    /// where that cannot be known it does nothing, and visibility runs out by itself.
    async fn recover(&self) -> Result<u64, QueueError>;

    /// Receives messages that the service itself put aside (its own dead-letter queue); embedded: none. Like any delivery,
    /// each comes again unless it is acked, which is done once it has been recorded.
    async fn drain_undeliverable(&self, max: usize) -> Result<Vec<Delivery>, QueueError>;
}
