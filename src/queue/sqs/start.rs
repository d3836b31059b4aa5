//! Opening the queue: settings checked before anything is asked, queues created or found, their attributes and our rights checked.

use super::fault::{self, Place};
use super::{MAX_DELAY, MAX_VISIBILITY, SqsQueue, SqsSettings, seconds_up};
use crate::domain::clock::Clock;
use crate::queue::QueueError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_sqs::{Client, Config};
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Receives after which SQS itself puts a message aside: its greatest number, as each polite release spends one.
const MAX_RECEIVES: u32 = 1_000;
/// How long SQS keeps a message: its longest.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How long a queue just created may stay unknown to its own service, and how often it is asked.
const SETTLING: (u32, Duration) = (20, Duration::from_millis(500));
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// Attempts of a short call.
const ATTEMPTS: u32 = 2;

type Attributes = HashMap<QueueAttributeName, String>;

impl SqsQueue {
    /// Opens the queue and its dead-letter queue, or says what to change: names, region, attributes, rights, the way to it.
    ///
    /// # Errors
    /// [`QueueError::Refused`] with what a person must change, [`QueueError::Unavailable`] if nothing answered.
    pub async fn open(settings: &SqsSettings, clock: Arc<dyn Clock>) -> Result<Self, QueueError> {
        let problems = problems_of(settings);
        if !problems.is_empty() {
            return Err(QueueError::Refused(problems.join("; ")));
        }
        let client = Client::from_conf(client_config(settings).await);
        let place = Place { queue: settings.queue.clone(), region: settings.region.clone(), endpoint: settings.endpoint.clone() };
        let dead_place = Place { queue: settings.dead_letter_queue.clone(), ..place.clone() };
        let days = Attributes::from([(QueueAttributeName::MessageRetentionPeriod, RETENTION.as_secs().to_string())]);
        let dead = find_or_create(&client, &dead_place, settings.create, days.clone()).await?;
        let mut wanted = days;
        wanted.insert(QueueAttributeName::VisibilityTimeout, seconds_up(settings.lease).to_string());
        wanted.insert(QueueAttributeName::RedrivePolicy, redrive_policy(dead.arn()));
        let found = find_or_create(&client, &place, settings.create, wanted).await?;
        let mut wrong = wrong_with_both(&settings.dead_letter_queue, &dead.attributes, &settings.region);
        wrong.extend(wrong_with_both(&settings.queue, &found.attributes, &settings.region));
        wrong.extend(wrong_with_queue(settings, &found.attributes, dead.arn()));
        if !wrong.is_empty() {
            return Err(QueueError::Refused(wrong.join("; ")));
        }
        let queue = Self {
            client,
            place,
            queue_url: found.url,
            dead_letter_url: dead.url,
            clock,
            max_visibility: settings.max_visibility.min(MAX_VISIBILITY),
            answer_within: settings.answer_within,
        };
        queue.check_rights().await?;
        Ok(queue)
    }

    /// Asks for each thing that the work needs, in a form that changes nothing, so that a missing right stops the start.
    async fn check_rights(&self) -> Result<(), QueueError> {
        const NO_HANDLE: &str = "inkdex-asks-only-whether-it-may";
        let too_late = seconds_up(MAX_DELAY) + 1;
        for url in [&self.queue_url, &self.dead_letter_url] {
            let receive = self.client.receive_message().queue_url(url).visibility_timeout(0).wait_time_seconds(0).send().await;
            self.may("ReceiveMessage", receive)?;
            self.may("DeleteMessage", self.client.delete_message().queue_url(url).receipt_handle(NO_HANDLE).send().await)?;
        }
        let url = &self.queue_url;
        let change = self.client.change_message_visibility().queue_url(url).receipt_handle(NO_HANDLE).visibility_timeout(0).send().await;
        self.may("ChangeMessageVisibility", change)?;
        self.may("SendMessage", self.client.send_message().queue_url(url).message_body("-").delay_seconds(too_late).send().await)
    }

    /// Whether an answer to a question that cannot succeed shows that it might be asked.
    fn may<T, E>(&self, action: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<(), QueueError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Err(error) = answer else { return Ok(()) };
        let about_the_question = |code: &str| code.starts_with("Invalid") && code.contains("Parameter") || super::is_stale(code);
        match fault::code(&error) {
            Some(code) if about_the_question(code) => Ok(()),
            _ => Err(self.place.failed(action, &error)),
        }
    }
}

async fn client_config(settings: &SqsSettings) -> Config {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT.min(settings.answer_within))
        .operation_attempt_timeout(settings.answer_within)
        .operation_timeout(settings.answer_within * ATTEMPTS + Duration::from_secs(2));
    let builder = match &settings.access_key {
        Some(key) => Builder::new().behavior_version(BehaviorVersion::latest()).credentials_provider(Credentials::new(
            &key.id,
            key.secret.reveal(),
            None,
            None,
            "settings",
        )),
        None => Builder::from(&aws_config::defaults(BehaviorVersion::latest()).region(Region::new(settings.region.clone())).load().await),
    };
    let mut builder = builder
        .region(Region::new(settings.region.clone()))
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    // Whatever the environment says of endpoints, ours is the one of the configuration or the region's own.
    builder.set_endpoint_url(settings.endpoint.clone());
    builder.build()
}

/// A queue as it was found.
struct Found {
    url: String,
    attributes: Attributes,
}

impl Found {
    fn arn(&self) -> &str {
        self.attributes.get(&QueueAttributeName::QueueArn).map_or("", String::as_str)
    }
}

fn is_absent(code: &str) -> bool {
    matches!(code, "QueueDoesNotExist" | "NonExistentQueue")
}

async fn find_or_create(client: &Client, place: &Place, create: bool, wanted: Attributes) -> Result<Found, QueueError> {
    let find = || async { client.get_queue_url().queue_name(&place.queue).send().await };
    let mut attempts = 1;
    let url = match find().await {
        Ok(found) => found.queue_url,
        Err(error) if create && fault::code(&error).is_some_and(is_absent) => {
            attempts = SETTLING.0;
            match client.create_queue().queue_name(&place.queue).set_attributes(Some(wanted)).send().await {
                Ok(created) => created.queue_url,
                // Another process was faster, with other settings: what it made is checked like any other.
                Err(error) if matches!(fault::code(&error), Some("QueueNameExists" | "QueueAlreadyExists")) => {
                    find().await.map_err(|error| place.failed("GetQueueUrl", &error))?.queue_url
                }
                Err(error) => return Err(place.failed("CreateQueue", &error)),
            }
        }
        Err(error) => return Err(place.failed("GetQueueUrl", &error)),
    };
    let url = url.ok_or_else(|| QueueError::Unavailable(format!("{} answered without the URL of {}", place.address(), place.queue)))?;
    loop {
        attempts -= 1;
        match client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await {
            Ok(answer) => return Ok(Found { url, attributes: answer.attributes.unwrap_or_default() }),
            Err(error) if attempts > 0 && fault::code(&error).is_some_and(is_absent) => tokio::time::sleep(SETTLING.1).await,
            Err(error) => return Err(place.failed("GetQueueAttributes", &error)),
        }
    }
}

fn redrive_policy(dead_letter_arn: &str) -> String {
    serde_json::json!({ "deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVES }).to_string()
}

/// What is wrong with the settings by themselves.
fn problems_of(settings: &SqsSettings) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, name) in [("sqs.queue", &settings.queue), ("sqs.dead_letter_queue", &settings.dead_letter_queue)] {
        if name.ends_with(".fifo") {
            problems.push(fifo(key, name));
        } else if name.is_empty() || name.len() > 80 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            problems.push(format!("{key} is `{name}`; a queue's name has 1 to 80 letters, digits, `-` and `_`"));
        }
    }
    if settings.queue == settings.dead_letter_queue {
        problems.push("sqs.queue and sqs.dead_letter_queue are the same; give the dead-letter queue another name".to_owned());
    }
    if settings.region.is_empty() || !settings.region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        problems.push(format!("sqs.region is `{}`; set it to the queue's region, as `eu-west-1`", settings.region));
    }
    if seconds_up(settings.lease) > seconds_up(MAX_VISIBILITY) {
        problems
            .push(format!("a lease of {} s is longer than SQS hides a message (12 h); shorten ledger.lease_ms", settings.lease.as_secs()));
    }
    if let Some(endpoint) = &settings.endpoint {
        match Url::parse(endpoint) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                if let Some(region) = region_of(&url).filter(|region| *region != settings.region) {
                    problems.push(format!(
                        "sqs.endpoint {endpoint} is in region {region} and sqs.region is {}; set both alike",
                        settings.region
                    ));
                }
            }
            _ => problems.push(format!("sqs.endpoint is `{endpoint}`; set it to a URL, as `http://127.0.0.1:9324`, or leave it empty")),
        }
    }
    problems
}

/// The region in the name of one of Amazon's own endpoints.
fn region_of(endpoint: &Url) -> Option<&str> {
    endpoint.host_str()?.strip_prefix("sqs.")?.split_once(".amazonaws.com").map(|(region, _)| region)
}

fn fifo(place: &str, name: &str) -> String {
    format!("{place} {name} is a FIFO queue, where one failing message stops its group; name a standard queue")
}

/// What is wrong with either queue.
fn wrong_with_both(name: &str, attributes: &Attributes, region: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let told = |attribute| attributes.get(&attribute).map(String::as_str);
    if told(QueueAttributeName::FifoQueue) == Some("true") {
        wrong.push(fifo("queue", name));
    }
    let its_region = told(QueueAttributeName::QueueArn).and_then(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty());
    if let Some(its_region) = its_region.filter(|its| *its != region) {
        wrong.push(format!("queue {name} is in region {its_region} and sqs.region is {region}; set sqs.region = \"{its_region}\""));
    }
    let wanted = RETENTION.as_secs();
    if let Some(kept) =
        told(QueueAttributeName::MessageRetentionPeriod).and_then(|text| text.parse::<u64>().ok()).filter(|kept| *kept < wanted)
    {
        wrong.push(format!(
            "queue {name} forgets messages after {kept} s; set its MessageRetentionPeriod to {wanted} (14 days), as an outage may last longer"
        ));
    }
    wrong
}

/// What is wrong with the queue of the work alone.
fn wrong_with_queue(settings: &SqsSettings, attributes: &Attributes, dead_letter_arn: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = &settings.queue;
    let lease = seconds_up(settings.lease);
    let visibility = attributes.get(&QueueAttributeName::VisibilityTimeout).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
    if visibility < lease {
        wrong.push(format!(
            "queue {name} hides a message for {visibility} s, shorter than a job's lease of {lease} s; \
             set its VisibilityTimeout to at least {lease}, or shorten ledger.lease_ms"
        ));
    }
    let redrive: Option<serde_json::Value> =
        attributes.get(&QueueAttributeName::RedrivePolicy).and_then(|text| serde_json::from_str(text).ok());
    let number = |value: &serde_json::Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let receives = redrive.as_ref().and_then(|policy| number(policy.get("maxReceiveCount")?)).unwrap_or(0);
    let target = redrive.as_ref().and_then(|policy| policy.get("deadLetterTargetArn")?.as_str()).unwrap_or("nowhere");
    if receives < u64::from(MAX_RECEIVES) || target != dead_letter_arn {
        wrong.push(format!(
            "queue {name} puts a message aside after {receives} receives, to {target}; set its RedrivePolicy to {}, as a polite release \
             counts as a receive",
            redrive_policy(dead_letter_arn)
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::{AccessKey, Secret};

    fn settings() -> SqsSettings {
        SqsSettings {
            queue: "jobs".into(),
            dead_letter_queue: "jobs-dead".into(),
            region: "eu-west-1".into(),
            endpoint: None,
            access_key: Some(AccessKey { id: "id".into(), secret: Secret::new("hush") }),
            create: true,
            lease: Duration::from_secs(60),
            max_visibility: MAX_VISIBILITY,
            answer_within: Duration::from_secs(10),
        }
    }

    const DEAD: &str = "arn:aws:sqs:eu-west-1:1:jobs-dead";

    fn attributes(visibility: &str, policy: &str) -> Attributes {
        Attributes::from([
            (QueueAttributeName::QueueArn, "arn:aws:sqs:eu-west-1:1:jobs".to_owned()),
            (QueueAttributeName::VisibilityTimeout, visibility.to_owned()),
            (QueueAttributeName::MessageRetentionPeriod, "1209600".to_owned()),
            (QueueAttributeName::RedrivePolicy, policy.to_owned()),
        ])
    }

    #[test]
    fn settings_are_checked_before_anything_is_asked() {
        assert_eq!(problems_of(&settings()), Vec::<String>::new());
        let wrong = SqsSettings {
            queue: "jobs.fifo".into(),
            dead_letter_queue: "so many words".into(),
            region: "Ireland".into(),
            endpoint: Some("sqs:9324".into()),
            lease: Duration::from_secs(50_000),
            ..settings()
        };
        let problems = problems_of(&wrong);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        let other = SqsSettings { endpoint: Some("https://sqs.us-east-1.amazonaws.com".into()), ..settings() };
        assert!(problems_of(&other)[0].contains("is in region us-east-1 and sqs.region is eu-west-1"));
    }

    #[test]
    fn a_queue_as_we_create_it_has_nothing_wrong() {
        let right = attributes("60", &redrive_policy(DEAD));
        assert_eq!(wrong_with_both("jobs", &right, "eu-west-1"), Vec::<String>::new());
        assert_eq!(wrong_with_queue(&settings(), &right, DEAD), Vec::<String>::new());
        // Amazon tells the count as a string where a console wrote it so.
        let text = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":"1000"}}"#);
        assert_eq!(wrong_with_queue(&settings(), &attributes("60", &text), DEAD), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_attribute_is_a_sentence() {
        let short = wrong_with_queue(&settings(), &attributes("59", &redrive_policy(DEAD)), DEAD);
        assert!(short.len() == 1 && short[0].contains("VisibilityTimeout to at least 60"), "{short:?}");
        let none = wrong_with_queue(&settings(), &attributes("60", "{}"), DEAD);
        assert!(none.len() == 1 && none[0].contains(r#""maxReceiveCount":1000"#), "{none:?}");
        let elsewhere = wrong_with_queue(&settings(), &attributes("60", &redrive_policy("arn:x")), DEAD);
        assert!(elsewhere[0].contains("to arn:x"), "{elsewhere:?}");
        let mut fifo = attributes("60", "{}");
        fifo.insert(QueueAttributeName::FifoQueue, "true".into());
        fifo.insert(QueueAttributeName::MessageRetentionPeriod, "345600".into());
        let wrong = wrong_with_both("jobs", &fifo, "us-east-1");
        assert!(wrong.len() == 3 && wrong[0].contains("FIFO") && wrong[1].contains("set sqs.region = \"eu-west-1\""), "{wrong:?}");
    }
}
