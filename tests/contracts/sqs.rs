//! The queue on ElasticMQ: its harness for the contract of the queue, and what only this adapter must do.

use super::queue::QueueHarness;
use crate::support::servers;
use async_trait::async_trait;
use inkdex::domain::clock::SystemClock;
use inkdex::domain::secret::{AccessKey, Secret};
use inkdex::queue::sqs::{SqsQueue, SqsSettings};
use inkdex::queue::{Delivery, JobQueue, Outgoing, QueueDepth, QueueError, Receipt, Receipted};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Times of the suites are divided by this: a minute is 4 s, a quarter of it the second that SQS knows.
const SCALE: u32 = 15;
/// What a message may come later than its second.
const LATE: Duration = Duration::from_millis(100);
/// The longest visibility in these tests, as nobody waits for 12 hours: 18 s.
const MAX_VISIBILITY: Duration = Duration::from_secs(18);

/// Settings for queues of a test's own.
pub fn settings() -> SqsSettings {
    let queue = servers::unique("jobs-");
    SqsSettings {
        dead_letter_queue: format!("{queue}-dead"),
        queue,
        region: "eu-west-1".to_owned(),
        endpoint: Some(servers::sqs()),
        access_key: Some(AccessKey { id: "tests".to_owned(), secret: Secret::new("tests") }),
        create: true,
        lease: Duration::from_secs(4),
        max_visibility: MAX_VISIBILITY,
        answer_within: Duration::from_secs(20),
    }
}

/// Opens a queue.
pub async fn open(settings: &SqsSettings) -> Result<SqsQueue, QueueError> {
    SqsQueue::open(settings, Arc::new(SystemClock::new())).await
}

/// Puts messages into the dead-letter queue, where after a thousand receives the service itself would put them.
pub async fn put_aside(settings: &SqsSettings, bodies: &[Vec<u8>]) {
    use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .endpoint_url(settings.endpoint.clone().unwrap())
        .credentials_provider(Credentials::new("tests", "tests", None, None, "tests"));
    let client = aws_sdk_sqs::Client::from_conf(config.build());
    let url = client.get_queue_url().queue_name(&settings.dead_letter_queue).send().await.unwrap().queue_url.unwrap();
    for body in bodies {
        client.send_message().queue_url(&url).message_body(std::str::from_utf8(body).unwrap()).send().await.unwrap();
    }
}

/// A queue of its own on ElasticMQ.
pub struct Sqs {
    settings: SqsSettings,
    queue: Mutex<Arc<dyn JobQueue>>,
}

impl Sqs {
    /// An empty queue.
    pub async fn start() -> Self {
        let settings = settings();
        let queue = Mutex::new(Self::scaled(&settings).await);
        Self { settings, queue }
    }

    async fn scaled(settings: &SqsSettings) -> Arc<dyn JobQueue> {
        Arc::new(Scaled(open(settings).await.unwrap()))
    }
}

impl QueueHarness for Sqs {
    fn queue(&self) -> Arc<dyn JobQueue> {
        self.queue.lock().unwrap().clone()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by / SCALE + LATE).await;
    }

    async fn restart(&self) {
        let again = Self::scaled(&self.settings).await;
        *self.queue.lock().unwrap() = again;
    }

    fn just_before(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn max_visibility(&self) -> Duration {
        MAX_VISIBILITY * SCALE
    }
}

/// The adapter with the times of its callers divided; how long a receive waits is left as it is.
#[derive(Debug)]
struct Scaled(SqsQueue);

#[async_trait]
impl JobQueue for Scaled {
    async fn send(&self, mut messages: Vec<Outgoing>) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        messages.iter_mut().for_each(|message| message.delay /= SCALE);
        self.0.send(messages).await
    }

    async fn receive(&self, max: usize, visibility: Duration, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        self.0.receive(max, visibility / SCALE, wait).await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Receipted, QueueError> {
        self.0.ack(receipt).await
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipted, QueueError> {
        self.0.extend(receipt, visibility / SCALE).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<Receipted, QueueError> {
        self.0.release(receipt, delay / SCALE).await
    }

    fn max_delay(&self) -> Duration {
        self.0.max_delay() * SCALE
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        self.0.depth().await
    }

    async fn purge(&self) -> Result<(), QueueError> {
        self.0.purge().await
    }

    async fn recover(&self) -> Result<u64, QueueError> {
        self.0.recover().await
    }

    async fn drain_undeliverable(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.0.drain_undeliverable(max).await
    }
}

/// Noise of every kind comes back byte by byte, whatever characters the service takes.
#[tokio::test]
async fn any_bytes_travel() {
    let queue = open(&settings()).await.unwrap();
    let bodies: Vec<Vec<u8>> = vec![
        (0..=255).collect(),
        b"\0\x01\x1b[2J".to_vec(),
        "\u{fffe}é\r\n\t".as_bytes().to_vec(),
        vec![0xff; 190 * 1024],
        vec![b'x'; 256 * 1024],
    ];
    let outgoing = bodies.iter().map(|body| Outgoing { body: body.clone(), delay: Duration::ZERO }).collect();
    assert!(queue.send(outgoing).await.unwrap().iter().all(Result::is_ok));
    let mut received = Vec::new();
    while received.len() < bodies.len() {
        let deliveries = queue.receive(10, Duration::from_secs(60), Duration::from_secs(5)).await.unwrap();
        assert!(!deliveries.is_empty(), "{} of {}", received.len(), bodies.len());
        received.extend(deliveries.into_iter().map(|delivery| delivery.body));
    }
    received.sort();
    let mut bodies = bodies;
    bodies.sort();
    assert!(received == bodies, "bytes changed on their way");
}

/// More than ten in one call go in several batches, each answered by position.
#[tokio::test]
async fn many_messages_go_in_batches() {
    let queue = open(&settings()).await.unwrap();
    let message = |n: usize| Outgoing { body: if n % 7 == 3 { Vec::new() } else { n.to_string().into_bytes() }, delay: Duration::ZERO };
    let answers = queue.send((0..45).map(message).collect()).await.unwrap();
    let refused: Vec<usize> = answers.iter().enumerate().filter(|(_, answer)| answer.is_err()).map(|(n, _)| n).collect();
    assert_eq!(refused, [3, 10, 17, 24, 31, 38]);
    assert_eq!(queue.depth().await.unwrap().visible, 39);
}
