//! Bad starts of the queue on SQS, each a sentence that says what to change; and the rights it needs, no more and no less.

use super::sqs::{open, settings};
use crate::support::http::exchange;
use crate::support::proxy::CuttingProxy;
use crate::support::servers::{self, OwnServers, Server};
use crate::support::wait::{LONG, until};
use inkdex::domain::ErrorClass;
use inkdex::domain::secret::{AccessKey, Secret};
use inkdex::queue::sqs::SqsSettings;
use inkdex::queue::{JobQueue, Outgoing, QueueError, Receipted};
use std::time::Duration;

async fn refusal(settings: &SqsSettings) -> String {
    let error = open(settings).await.expect_err("a bad start");
    assert_eq!(error.class(), ErrorClass::Permanent, "{error}");
    error.to_string()
}

fn assert_says(told: &str, words: &[&str]) {
    assert!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
}

#[tokio::test]
async fn queues_are_created_once_and_then_only_checked() {
    let settings = settings();
    let (first, second) = tokio::join!(open(&settings), open(&settings));
    first.unwrap();
    second.unwrap();
    open(&SqsSettings { create: false, ..settings.clone() }).await.unwrap();
    let longer = SqsSettings { lease: Duration::from_secs(30), ..settings.clone() };
    let told = refusal(&longer).await;
    assert_says(&told, &[&settings.queue, "4 s", "lease of 30 s", "VisibilityTimeout to at least 30", "ledger.lease_ms"]);
}

#[tokio::test]
async fn an_absent_queue_is_not_created_unasked() {
    let absent = SqsSettings { create: false, ..settings() };
    let told = refusal(&absent).await;
    assert_says(&told, &["there is no queue", &absent.dead_letter_queue, "sqs.create = true", "sqs.region"]);
}

#[tokio::test]
async fn a_fifo_queue_is_refused() {
    let told = refusal(&SqsSettings { queue: "jobs.fifo".into(), ..settings() }).await;
    assert_says(&told, &["jobs.fifo is a FIFO queue", "name a standard queue"]);
}

#[tokio::test]
async fn a_wrong_region_is_told() {
    let right = settings();
    open(&right).await.unwrap();
    let told = refusal(&SqsSettings { region: "us-east-1".into(), ..right }).await;
    assert_says(&told, &["is in region eu-west-1", "sqs.region is us-east-1", "set sqs.region = \"eu-west-1\""]);
}

#[tokio::test]
async fn a_queue_that_somebody_else_made_is_checked() {
    let wanted = settings();
    // As a console makes one: no redrive, 30 s of visibility.
    let made = SqsSettings { queue: wanted.dead_letter_queue.clone(), dead_letter_queue: servers::unique("other-"), ..wanted.clone() };
    open(&made).await.unwrap();
    let swapped = SqsSettings { queue: made.dead_letter_queue.clone(), dead_letter_queue: made.queue.clone(), ..wanted };
    let told = refusal(&swapped).await;
    assert_says(&told, &["RedrivePolicy", "\"maxReceiveCount\":1000", &made.queue]);
}

#[tokio::test]
async fn an_endpoint_that_nobody_serves_is_unavailable() {
    let nobody = SqsSettings { endpoint: Some("http://127.0.0.1:1".into()), answer_within: Duration::from_secs(2), ..settings() };
    let error = open(&nobody).await.expect_err("nobody listens");
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    assert_says(&error.to_string(), &["no connection to http://127.0.0.1:1", "check sqs.endpoint, sqs.region and the network"]);
}

#[tokio::test]
async fn an_endpoint_of_something_else_is_told() {
    let other = SqsSettings { endpoint: Some(servers::opensearch()), ..settings() };
    let told = refusal(&other).await;
    assert_says(&told, &["nothing that is SQS", "check sqs.endpoint"]);
}

/// A cut queue is unavailable, at once or within its time-outs, and the same client goes on once it is back.
#[tokio::test]
async fn an_outage_passes() {
    let proxy = CuttingProxy::to_url(&servers::sqs()).await;
    let through =
        SqsSettings { endpoint: Some(format!("http://{}", proxy.address())), answer_within: Duration::from_secs(3), ..settings() };
    let queue = open(&through).await.unwrap();
    let message = || vec![Outgoing { body: b"a".to_vec(), delay: Duration::ZERO }];
    assert!(queue.send(message()).await.unwrap()[0].is_ok());
    let delivery = queue.receive(1, Duration::from_secs(60), Duration::ZERO).await.unwrap().remove(0);
    proxy.cut().await;
    let transient = |error: &QueueError| error.class() == ErrorClass::Transient;
    assert!(queue.send(message()).await.unwrap()[0].as_ref().is_err_and(transient));
    assert!(queue.receive(1, Duration::from_secs(60), Duration::from_secs(1)).await.as_ref().is_err_and(transient));
    assert!(queue.ack(&delivery.receipt).await.as_ref().is_err_and(transient));
    proxy.restore().await;
    assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Ok);
    // A receive that waits while the queue is cut fails then, and not after its whole wait.
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(1, Duration::from_secs(1), Duration::from_secs(20)).await }
    });
    assert!(queue.depth().await.unwrap().visible == 0);
    proxy.cut().await;
    assert!(tokio::time::timeout(Duration::from_secs(15), waiting).await.unwrap().unwrap().as_ref().is_err_and(transient));
    proxy.restore().await;
    assert!(queue.send(message()).await.unwrap()[0].is_ok());
    // The service may give it to the poll that was cut, whose answer is lost: then it comes when that visibility is over.
    let receive = async || queue.receive(1, Duration::from_secs(60), Duration::from_secs(1)).await.unwrap().pop();
    let delivery = until("the message comes", LONG, receive).await;
    assert_eq!(delivery.body, b"a");
}

/// Users of an identity service, each with a policy, that moto then enforces.
struct Users {
    address: String,
    _moto: OwnServers,
}

impl Users {
    fn alone() -> Self {
        let moto = OwnServers::start(&[Server::Moto]);
        Self { address: moto.address(Server::Moto), _moto: moto }
    }

    fn ask(&self, form: &str) -> String {
        let server = self.address.trim_start_matches("http://");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=admin/20261122/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{form}",
            form.len()
        );
        let answer = exchange(server.parse().unwrap(), request.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// A user who may do what the policy says, and their key.
    fn create(&self, policy: &str) -> AccessKey {
        let name = servers::unique("user-");
        let encoded: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        self.ask(&format!("Action=CreateUser&Version=2010-05-08&UserName={name}"));
        self.ask(&format!("Action=PutUserPolicy&Version=2010-05-08&UserName={name}&PolicyName=p&PolicyDocument={encoded}"));
        let made = self.ask(&format!("Action=CreateAccessKey&Version=2010-05-08&UserName={name}"));
        let between = |tag: &str| {
            let (_, rest) = made.split_once(&format!("<{tag}>")).unwrap();
            rest.split_once("</").unwrap().0.to_owned()
        };
        AccessKey { id: between("AccessKeyId"), secret: Secret::new(between("SecretAccessKey")) }
    }

    /// From now on every request is checked.
    fn enforce(&self) {
        let server = self.address.trim_start_matches("http://");
        let request = format!(
            "POST /moto-api/reset-auth HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n0"
        );
        assert_eq!(exchange(server.parse().unwrap(), request.as_bytes()).status, 200);
    }
}

/// The policy of `deploy/`, as moto can check it: it knows the resources of S3 but not those of SQS, takes a batch for an
/// action of its own where Amazon asks for the right to the single one, and asks for deletes of many on the bucket too.
fn policy(bucket: &str, without: &[&str]) -> String {
    let text = include_str!("../../deploy/iam-policy.json").replace("BUCKET", bucket);
    let mut policy: serde_json::Value = serde_json::from_str(&text).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = match &statement["Action"] {
            serde_json::Value::String(one) => vec![one.clone()],
            many => serde_json::from_value(many.clone()).unwrap(),
        };
        let mut actions: Vec<String> = actions.into_iter().filter(|action| !without.contains(&action.as_str())).collect();
        if actions.iter().any(|action| action == "sqs:SendMessage") {
            actions.push("sqs:SendMessageBatch".to_owned());
        }
        if actions.is_empty() {
            actions.push("sqs:ListQueues".to_owned());
        }
        if actions[0].starts_with("sqs:") {
            statement["Resource"] = "*".into();
        } else if actions.iter().any(|action| action == "s3:DeleteObject") {
            statement["Resource"] = vec![format!("arn:aws:s3:::{bucket}/*"), format!("arn:aws:s3:::{bucket}")].into();
        }
        statement["Action"] = actions.into();
    }
    policy.to_string()
}

/// The rights in `deploy/iam-policy.json` suffice for queue and objects, and a start without any one of them names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_are_the_least_and_each_missing_one_is_told() {
    const NEEDED: [&str; 6] =
        ["GetQueueUrl", "GetQueueAttributes", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "SendMessage"];
    let users = Users::alone();
    let bucket = servers::unique("objects-");
    let all = users.create(&policy(&bucket, &[]));
    let lacking: Vec<(&str, AccessKey)> =
        NEEDED.iter().map(|action| (*action, users.create(&policy(&bucket, &[&format!("sqs:{action}")])))).collect();
    let uncreating = users.create(&policy(&bucket, &["sqs:CreateQueue"]));
    #[cfg(feature = "s3")]
    let unwriting = users.create(&policy(&bucket, &["s3:PutObject"]));
    #[cfg(feature = "s3")]
    crate::support::bucket::create(&users.address, &bucket);
    users.enforce();

    let with = |key: &AccessKey| SqsSettings {
        endpoint: Some(users.address.clone()),
        access_key: Some(key.clone()),
        queue: "inkdex-jobs".into(),
        dead_letter_queue: "inkdex-jobs-dead".into(),
        ..settings()
    };
    assert_says(&refusal(&with(&uncreating)).await, &["CreateQueue", "inkdex-jobs-dead", "deploy/iam-policy.json"]);
    let queue = open(&with(&all)).await.unwrap();
    open(&with(&uncreating)).await.unwrap();
    for (action, key) in &lacking {
        assert_says(&refusal(&with(key)).await, &[action, "inkdex-jobs", "deploy/iam-policy.json"]);
    }
    let stranger = AccessKey { id: "AKIASTRANGER".into(), secret: Secret::new("x") };
    let forged = AccessKey { secret: Secret::new("x"), ..all.clone() };
    for key in [&stranger, &forged] {
        assert_says(&refusal(&with(key)).await, &["does not accept the access key", "sqs.access_key_id"]);
    }

    let sent = queue.send(vec![Outgoing { body: b"a".to_vec(), delay: Duration::ZERO }]).await.unwrap();
    assert!(sent[0].is_ok(), "{sent:?}");
    let delivery = queue.receive(1, Duration::from_secs(60), Duration::from_secs(1)).await.unwrap().remove(0);
    assert_eq!(queue.extend(&delivery.receipt, Duration::from_secs(60)).await.unwrap(), Receipted::Ok);
    assert_eq!(queue.ack(&delivery.receipt).await.unwrap(), Receipted::Ok);
    queue.depth().await.unwrap();
    queue.purge().await.unwrap();
    queue.drain_undeliverable(10).await.unwrap();

    #[cfg(feature = "s3")]
    {
        use inkdex::objects::Objects;
        use inkdex::objects::s3::S3Settings;
        let with = |key: &AccessKey| S3Settings {
            bucket: bucket.clone(),
            region: "eu-west-1".into(),
            endpoint: Some(users.address.clone()),
            access_key: Some(key.clone()),
            path_style: true,
            answer_within: Duration::from_secs(20),
        };
        let objects = Objects::in_bucket(&with(&all)).await.unwrap();
        objects.put("pages/a", b"x".to_vec()).await.unwrap();
        assert_eq!(objects.delete_below("pages").await.unwrap(), 1);
        let told = Objects::in_bucket(&with(&unwriting)).await.unwrap_err().to_string();
        assert_says(&told, &[&bucket, "may not read, write, list and delete", "deploy/iam-policy.json"]);
        for key in [&stranger, &forged] {
            let told = Objects::in_bucket(&with(key)).await.unwrap_err().to_string();
            assert_says(&told, &["does not accept the access key", "s3.access_key_id"]);
        }
    }
}
