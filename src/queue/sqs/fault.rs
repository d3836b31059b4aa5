//! What a failed call to SQS means for us, and the sentence that says what to change.

use crate::queue::QueueError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;

/// Which queue at which place, for sentences.
#[derive(Debug, Clone)]
pub struct Place {
    /// The queue's name.
    pub queue: String,
    /// The region asked.
    pub region: String,
    /// The endpoint, if it is not the region's own.
    pub endpoint: Option<String>,
}

impl Place {
    /// Where calls go, for a sentence.
    pub fn address(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("Amazon SQS in region {}", self.region),
        }
    }

    /// A failed call `action` as an error of the port.
    pub fn failed<E>(&self, action: &str, error: &SdkError<E, HttpResponse>) -> QueueError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let address = self.address();
        match error {
            SdkError::ConstructionFailure(_) => QueueError::Refused(format!("{action} cannot be asked of {address}: {}", causes(error))),
            SdkError::TimeoutError(_) => QueueError::Unavailable(format!("{address} did not answer {action} in time")),
            // An absent key is met while a request is being sent, but no repetition brings one.
            SdkError::DispatchFailure(failure) if failure.as_connector_error().is_none_or(|error| error.is_other()) && lacks_key(error) => {
                QueueError::Refused(format!(
                    "no access key was found for {address}; set sqs.access_key_id and sqs.secret_access_key, or give this machine a role"
                ))
            }
            SdkError::DispatchFailure(_) => QueueError::Unavailable(format!(
                "no connection to {address} ({}); check sqs.endpoint, sqs.region and the network",
                causes(error)
            )),
            SdkError::ServiceError(told) if told.err().code().is_some() => {
                let (status, code) = (told.raw().status().as_u16(), short(told.err().code()));
                self.answered(action, &Refusal { status, code, said: told.err().message() })
            }
            _ => self.answered_strangely(action, error.raw_response()),
        }
    }

    /// An answer without an error of the protocol we speak: of a gateway, of the older protocol, or of something else.
    fn answered_strangely(&self, action: &str, answer: Option<&HttpResponse>) -> QueueError {
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        let body = answer.and_then(|answer| answer.body().bytes()).unwrap_or_default();
        if let Some(code) = xml_code(&String::from_utf8_lossy(body)) {
            return self.answered(action, &Refusal { status, code: short(Some(code)), said: None });
        }
        let address = self.address();
        let told = format!("{address} answered {action} with status {status} and nothing that is SQS; check sqs.endpoint");
        if status >= 500 { QueueError::Unavailable(told) } else { QueueError::Refused(told) }
    }

    /// An error that the service itself told.
    pub fn answered(&self, action: &str, refusal: &Refusal<'_>) -> QueueError {
        let (address, queue) = (self.address(), &self.queue);
        let Refusal { status, code, said } = *refusal;
        let said = said.unwrap_or("no reason given");
        match code {
            "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "KmsAccessDenied" => QueueError::Refused(format!(
                "the access key may not do {action} on queue {queue}; grant it as deploy/iam-policy.json says ({code}: {said})"
            )),
            "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
            | "InvalidSecurity"
            | "InvalidAccessKeyId"
            | "MissingAuthenticationToken"
            | "IncompleteSignature"
            | "ExpiredToken"
            | "InvalidSignatureException"
            | "OptInRequired" => QueueError::Refused(format!(
                "{address} does not accept the access key; check sqs.access_key_id, sqs.secret_access_key and sqs.region ({code}: {said})"
            )),
            "QueueDoesNotExist" | "NonExistentQueue" => QueueError::Refused(format!(
                "there is no queue {queue} at {address}; create it, set sqs.create = true, or check sqs.queue and sqs.region"
            )),
            "PurgeQueueInProgress" => {
                QueueError::Unavailable(format!("queue {queue} was purged less than a minute ago; repeat in a minute"))
            }
            code if status >= 500 || status == 429 || code.contains("Throttl") || matches!(code, "OverLimit" | "ServiceUnavailable") => {
                QueueError::Unavailable(format!("{address} is overloaded or failing at {action} ({code}: {said})"))
            }
            code => QueueError::Refused(format!("{address} refuses {action} on queue {queue} ({code}: {said})")),
        }
    }
}

/// What the service said.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// HTTP status, or one that means the same.
    pub status: u16,
    /// The code without the names of its protocol.
    pub code: &'a str,
    /// The service's own words.
    pub said: Option<&'a str>,
}

/// A code without the prefixes of the two protocols: `AWS.SimpleQueueService.NonExistentQueue` is `NonExistentQueue`.
pub fn short(code: Option<&str>) -> &str {
    code.and_then(|code| code.rsplit(['.', '#']).next()).unwrap_or("no code")
}

/// The code in an error of the older protocol, which gateways still speak.
fn xml_code(body: &str) -> Option<&str> {
    body.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code)
}

/// The code of a failed call, if the service answered it.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().map(|told| short(told.code()))
}

fn lacks_key(error: &(dyn Error + 'static)) -> bool {
    let text = causes(error);
    text.contains("credential") || text.contains("identity")
}

/// The chain of causes in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if told.last().is_none_or(|last| !last.contains(&text)) {
            told.push(text);
        }
        next = cause.source();
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ErrorClass;

    fn answered(status: u16, code: &str) -> QueueError {
        let place = Place { queue: "jobs".into(), region: "eu-west-1".into(), endpoint: None };
        place.answered("ReceiveMessage", &Refusal { status, code: short(Some(code)), said: Some("said") })
    }

    #[test]
    fn codes_of_both_protocols_read_the_same() {
        assert_eq!(short(Some("AWS.SimpleQueueService.NonExistentQueue")), "NonExistentQueue");
        assert_eq!(short(Some("com.amazonaws.sqs#QueueDoesNotExist")), "QueueDoesNotExist");
        assert_eq!(short(None), "no code");
        assert_eq!(xml_code("<Error><Code>AccessDenied</Code></Error>"), Some("AccessDenied"));
        assert_eq!(xml_code("<html>not found</html>"), None);
    }

    #[test]
    fn what_may_pass_is_told_from_what_a_person_must_change() {
        for (status, code) in [(500, "InternalFailure"), (503, "ServiceUnavailable"), (400, "RequestThrottled"), (403, "OverLimit")] {
            assert_eq!(answered(status, code).class(), ErrorClass::Transient, "{code}");
        }
        for code in ["AccessDenied", "InvalidClientTokenId", "AWS.SimpleQueueService.NonExistentQueue", "InvalidParameterValue"] {
            assert_eq!(answered(400, code).class(), ErrorClass::Permanent, "{code}");
        }
    }

    #[test]
    fn a_person_reads_what_to_change() {
        let denied = answered(403, "AccessDeniedException").to_string();
        assert!(denied.contains("ReceiveMessage") && denied.contains("deploy/iam-policy.json"), "{denied}");
        let absent = answered(400, "QueueDoesNotExist").to_string();
        assert!(absent.contains("no queue jobs") && absent.contains("sqs.create"), "{absent}");
        let key = answered(403, "InvalidClientTokenId").to_string();
        assert!(key.contains("sqs.access_key_id"), "{key}");
    }
}
