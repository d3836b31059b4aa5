//! The queue on Amazon SQS (standard queues), or on whatever speaks its protocol. Delivery only: identity is the ledger's.

mod body;
mod fault;
mod start;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::secret::AccessKey;
use crate::queue::{Delivery, JobQueue, Outgoing, QueueDepth, QueueError, Receipt, Receipted};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry};
use fault::{Place, Refusal};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The longest delay that SQS can express.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// The longest that one delivery may stay invisible, counted from its receipt: beyond it SQS refuses to extend.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest wait of one receive.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Entries in one batch.
const BATCH: usize = 10;

/// Batches sent at the same time.
const BATCHES_AT_ONCE: usize = 4;

/// How long a message of the dead-letter queue is ours to record.
const DRAIN_VISIBILITY: Duration = Duration::from_secs(60);

/// Where the queue is and what it must be.
#[derive(Debug, Clone)]
pub struct SqsSettings {
    /// The queue's name; never a FIFO queue.
    pub queue: String,
    /// The name of the queue where SQS puts what was received 1,000 times.
    pub dead_letter_queue: String,
    /// The region, as `eu-west-1`.
    pub region: String,
    /// The endpoint; without one, the region's own.
    pub endpoint: Option<String>,
    /// What signs the requests; without one, the machine's role or environment, as AWS tools find them.
    pub access_key: Option<AccessKey>,
    /// Whether queues that do not exist are created at the start. Existing ones are only checked, never changed.
    pub create: bool,
    /// The lease of a job: the queue's own visibility time-out must not be shorter.
    pub lease: Duration,
    /// The longest that one delivery may stay invisible; [`MAX_VISIBILITY`] but in tests that cannot wait for it.
    pub max_visibility: Duration,
    /// How long one attempt of a call may take, beyond the time it was asked to wait.
    pub answer_within: Duration,
}

/// A queue of SQS and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    place: Place,
    queue_url: String,
    dead_letter_url: String,
    clock: Arc<dyn Clock>,
    max_visibility: Duration,
    answer_within: Duration,
}

/// Which of the two queues a delivery came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Queue,
    DeadLetters,
}

/// A receipt taken apart: SQS counts its 12 hours from the receive, so that moment travels in it.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    side: Side,
    received_at: Timestamp,
    handle: &'a str,
}

impl Parts<'_> {
    fn receipt(&self) -> Receipt {
        let side = match self.side {
            Side::Queue => 'q',
            Side::DeadLetters => 'd',
        };
        Receipt(format!("{side}:{}:{}", self.received_at.0, self.handle))
    }
}

/// A receipt that is not ours names nothing.
fn parts(receipt: &Receipt) -> Option<Parts<'_>> {
    let (side, rest) = receipt.0.split_once(':')?;
    let (received_at, handle) = rest.split_once(':')?;
    let side = match side {
        "q" => Side::Queue,
        "d" => Side::DeadLetters,
        _ => return None,
    };
    Some(Parts { side, received_at: Timestamp(received_at.parse().ok()?), handle })
}

/// Whole seconds, not less than asked: a lease is never shortened.
fn seconds_up(duration: Duration) -> i32 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn seconds_down(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// Whether a call on a receipt failed because the delivery is over. `InvalidParameterValue` is what SQS says of a handle it
/// no longer knows, of a message that is not in flight, and of a time beyond its 12 hours.
fn is_stale(code: &str) -> bool {
    matches!(code, "ReceiptHandleIsInvalid" | "InvalidReceiptHandle" | "MessageNotInflight" | "InvalidIdFormat" | "InvalidParameterValue")
}

/// A message as it will travel, or why it cannot.
fn prepare(message: &Outgoing) -> Result<String, QueueError> {
    if message.delay > MAX_DELAY {
        let (asked, most) = (message.delay.as_secs_f64(), MAX_DELAY.as_secs());
        return Err(QueueError::Refused(format!("a delay of {asked} s, at most {most} s can be expressed; park the job")));
    }
    if message.body.is_empty() {
        return Err(QueueError::Refused("an empty body".to_owned()));
    }
    let text = body::encode(&message.body);
    if text.len() > body::MAX_BODY_BYTES {
        return Err(QueueError::Refused(format!("a body of {} bytes as sent, at most {} are allowed", text.len(), body::MAX_BODY_BYTES)));
    }
    Ok(text)
}

/// Positions that go together: at most ten entries, and together no longer than one body may be.
fn batches(lengths: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for &(position, length) in lengths {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + length <= body::MAX_BODY_BYTES => {
                batch.push(position);
                bytes += length;
            }
            _ => {
                batches.push(vec![position]);
                bytes = length;
            }
        }
    }
    batches
}

impl SqsQueue {
    fn url(&self, side: Side) -> &str {
        match side {
            Side::Queue => &self.queue_url,
            Side::DeadLetters => &self.dead_letter_url,
        }
    }

    /// Sends one batch; answers by position. An entry that the service says nothing about is not known to be sent.
    async fn send_batch(&self, entries: Vec<(usize, String, Duration)>) -> Vec<(usize, Result<(), QueueError>)> {
        let positions: Vec<usize> = entries.iter().map(|(position, ..)| *position).collect();
        let mut request = self.client.send_message_batch().queue_url(&self.queue_url);
        for (position, text, delay) in entries {
            let entry =
                SendMessageBatchRequestEntry::builder().id(position.to_string()).message_body(text).delay_seconds(seconds_up(delay));
            match entry.build() {
                Ok(entry) => request = request.entries(entry),
                Err(error) => return all(&positions, &QueueError::Refused(error.to_string())),
            }
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return all(&positions, &self.place.failed("SendMessageBatch", &error)),
        };
        let mut told: HashMap<String, Result<(), QueueError>> = HashMap::new();
        told.extend(answer.successful().iter().map(|sent| (sent.id().to_owned(), Ok(()))));
        for failed in answer.failed() {
            // Under HTTP 200 an entry fails alone; whose fault it was stands in for a status.
            let status = if failed.sender_fault() { 400 } else { 500 };
            let refusal = Refusal { status, code: fault::short(Some(failed.code())), said: failed.message() };
            told.insert(failed.id().to_owned(), Err(self.place.answered("SendMessageBatch", &refusal)));
        }
        let answer = |position: usize| {
            let unknown = || Err(QueueError::Unavailable("the service said nothing about this message".to_owned()));
            (position, told.remove(&position.to_string()).unwrap_or_else(unknown))
        };
        positions.into_iter().map(answer).collect()
    }

    /// One receive from one of the queues.
    async fn receive_from(&self, side: Side, max: usize, visibility: Duration, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        // Before the request: SQS begins to count later, so that what is computed from this moment never goes beyond its limit.
        let received_at = self.clock.now();
        let wait = wait.min(MAX_WAIT);
        let long_poll = TimeoutConfig::builder()
            .operation_attempt_timeout(wait + Duration::from_secs(1) + self.answer_within)
            .operation_timeout(wait + Duration::from_secs(1) + self.answer_within);
        // A poll that waits is quiet by intent, and one that failed is repeated by its caller.
        let patient = Builder::new()
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(long_poll.build())
            .retry_config(RetryConfig::disabled());
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(side))
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .visibility_timeout(seconds_up(visibility.min(self.max_visibility)))
            .wait_time_seconds(seconds_up(wait))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer =
            request.customize().config_override(patient).send().await.map_err(|error| self.place.failed("ReceiveMessage", &error))?;
        let deliver = |message: aws_sdk_sqs::types::Message| {
            let handle = message.receipt_handle?;
            let count = message.attributes.and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok());
            Some(Delivery {
                receipt: Parts { side, received_at, handle: &handle }.receipt(),
                body: body::decode(message.body.unwrap_or_default()),
                receive_count: count.unwrap_or(1),
            })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(deliver).collect())
    }

    /// Makes a delivered message visible in `visibility`, or at the end of the time that SQS gives a delivery.
    async fn change_visibility(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipted, QueueError> {
        let Some(Parts { side, received_at, handle }) = parts(receipt) else { return Ok(Receipted::Stale) };
        let left = self.max_visibility.saturating_sub(self.clock.now().since(received_at));
        let seconds = seconds_up(visibility).min(seconds_down(left));
        let request = self.client.change_message_visibility().queue_url(self.url(side)).receipt_handle(handle);
        self.receipted("ChangeMessageVisibility", request.visibility_timeout(seconds).send().await)
    }

    fn receipted<T, E>(&self, action: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<Receipted, QueueError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match answer {
            Ok(_) => Ok(Receipted::Ok),
            Err(error) if fault::code(&error).is_some_and(is_stale) => Ok(Receipted::Stale),
            Err(error) => Err(self.place.failed(action, &error)),
        }
    }
}

fn all(positions: &[usize], error: &QueueError) -> Vec<(usize, Result<(), QueueError>)> {
    positions.iter().map(|position| (*position, Err(error.clone()))).collect()
}

#[async_trait]
impl JobQueue for SqsQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let mut answers: Vec<Result<(), QueueError>> = Vec::with_capacity(messages.len());
        let mut texts: HashMap<usize, (String, Duration)> = HashMap::new();
        let mut lengths = Vec::new();
        for (position, message) in messages.iter().enumerate() {
            match prepare(message) {
                Ok(text) => {
                    lengths.push((position, text.len()));
                    texts.insert(position, (text, message.delay));
                    answers.push(Ok(()));
                }
                Err(refused) => answers.push(Err(refused)),
            }
        }
        let with_texts = |batch: Vec<usize>| -> Vec<(usize, String, Duration)> {
            batch.into_iter().filter_map(|position| texts.remove(&position).map(|(text, delay)| (position, text, delay))).collect()
        };
        let prepared: Vec<_> = batches(&lengths).into_iter().map(with_texts).collect();
        let mut sent = futures_util::stream::iter(prepared.into_iter().map(|batch| self.send_batch(batch))).buffered(BATCHES_AT_ONCE);
        while let Some(told) = sent.next().await {
            for (position, answer) in told {
                answers[position] = answer;
            }
        }
        Ok(answers)
    }

    /// At most ten messages. SQS knows whole seconds: `visibility` and `wait` are rounded up, waits beyond 20 s are cut there.
    async fn receive(&self, max: usize, visibility: Duration, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        self.receive_from(Side::Queue, max, visibility, wait).await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Receipted, QueueError> {
        let Some(Parts { side, handle, .. }) = parts(receipt) else { return Ok(Receipted::Stale) };
        self.receipted("DeleteMessage", self.client.delete_message().queue_url(self.url(side)).receipt_handle(handle).send().await)
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipted, QueueError> {
        self.change_visibility(receipt, visibility).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<Receipted, QueueError> {
        if delay > MAX_DELAY {
            let (asked, most) = (delay.as_secs_f64(), MAX_DELAY.as_secs());
            return Err(QueueError::Refused(format!("a release after {asked} s, at most {most} s can be expressed; park the job")));
        }
        self.change_visibility(receipt, delay).await
    }

    fn max_delay(&self) -> Duration {
        MAX_DELAY
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible};
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesNotVisible)
            .attribute_names(ApproximateNumberOfMessagesDelayed);
        let answer = request.send().await.map_err(|error| self.place.failed("GetQueueAttributes", &error))?;
        let told = answer.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| told.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(QueueDepth {
            visible: count(&ApproximateNumberOfMessages),
            in_flight: count(&ApproximateNumberOfMessagesNotVisible),
            delayed: count(&ApproximateNumberOfMessagesDelayed),
        })
    }

    /// Of the queue, not of its dead-letter queue: what lies there may be a stranger that nobody has recorded.
    async fn purge(&self) -> Result<(), QueueError> {
        let answer = self.client.purge_queue().queue_url(&self.queue_url).send().await;
        answer.map(|_| ()).map_err(|error| self.place.failed("PurgeQueue", &error))
    }

    async fn recover(&self) -> Result<u64, QueueError> {
        Ok(0)
    }

    async fn drain_undeliverable(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        self.receive_from(Side::DeadLetters, max, DRAIN_VISIBILITY, Duration::ZERO).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_receipt_carries_its_queue_and_its_moment() {
        let handle = "AQEB+/=:x#1";
        let taken = Parts { side: Side::DeadLetters, received_at: Timestamp(7), handle };
        let receipt = taken.receipt();
        assert_eq!(parts(&receipt), Some(taken));
        for strange in ["", "q", "q:", "q:x:h", "z:1:h", "1-abc"] {
            assert_eq!(parts(&Receipt(strange.to_owned())), None, "{strange}");
        }
    }

    #[test]
    fn times_are_whole_seconds_and_never_shorter_than_asked() {
        let rounded = |ms| (seconds_up(Duration::from_millis(ms)), seconds_down(Duration::from_millis(ms)));
        assert_eq!(rounded(0), (0, 0));
        assert_eq!(rounded(1), (1, 0));
        assert_eq!(rounded(1_000), (1, 1));
        assert_eq!(rounded(59_001), (60, 59));
        assert_eq!(seconds_up(Duration::MAX), i32::MAX);
    }

    proptest! {
        #[test]
        fn batches_keep_every_entry_once_within_both_limits(lengths in proptest::collection::vec(1..body::MAX_BODY_BYTES, 0..60)) {
            let positions: Vec<(usize, usize)> = lengths.iter().copied().enumerate().collect();
            let made = batches(&positions);
            prop_assert_eq!(made.concat(), (0..lengths.len()).collect::<Vec<_>>());
            for batch in made {
                prop_assert!(batch.len() <= BATCH);
                prop_assert!(batch.iter().map(|position| lengths[*position]).sum::<usize>() <= body::MAX_BODY_BYTES);
            }
        }
    }
}
