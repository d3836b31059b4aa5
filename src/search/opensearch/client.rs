//! The one file that knows the `opensearch` client: requests with raw JSON bodies, answers as status and JSON.

use crate::search::SearchError;
use crate::search::opensearch::settings::OpenSearchSettings;
use opensearch::auth::Credentials;
use opensearch::cert::{Certificate, CertificateValidation};
use opensearch::http::Method;
use opensearch::http::headers::HeaderMap;
use opensearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Characters of a foreign answer that are told.
const TOLD_MAX_CHARS: usize = 300;

/// What is asked of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

/// A request. The path is made of names of ours, so it needs no escapes.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub verb: Verb,
    pub path: String,
    pub parameters: &'a [(&'a str, &'a str)],
    pub body: Option<String>,
    pub within: Duration,
}

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    /// The JSON of the answer, or its text if it is none.
    pub body: Value,
}

impl Answer {
    /// Whether it says that all is well.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// OpenSearch's name of the error.
    pub fn kind(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }

    /// What OpenSearch says of the error, shortened.
    pub fn reason(&self) -> String {
        let error = &self.body["error"];
        let text = match (error["type"].as_str(), error["reason"].as_str(), error.as_str(), self.body.as_str()) {
            (Some(kind), Some(reason), ..) => format!("{kind}: {reason}"),
            (_, _, Some(text), _) | (.., Some(text)) => text.to_owned(),
            _ => self.body.to_string(),
        };
        text.chars().take(TOLD_MAX_CHARS).collect()
    }
}

/// Connections to one OpenSearch.
pub(super) struct Client {
    transport: Transport,
    url: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares connections; nothing is sent yet.
    pub fn new(settings: &OpenSearchSettings) -> Result<Self, SearchError> {
        let refuse = |why: String| SearchError::Refused(why);
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(settings.url.clone())).disable_proxy();
        if let Some(login) = &settings.login {
            builder = builder.auth(Credentials::Basic(login.user.clone(), login.password.clone()));
        }
        if let Some(file) = &settings.ca_file {
            let told = |error: &dyn fmt::Display| refuse(format!("opensearch.ca_file {}: {error}", file.display()));
            let pem = std::fs::read(file).map_err(|error| told(&error))?;
            let authorities = Certificate::from_pem(&pem).map_err(|error| told(&error))?;
            builder = builder.cert_validation(CertificateValidation::Full(authorities));
        }
        let transport = builder.build().map_err(|error| refuse(format!("no connection to OpenSearch can be prepared: {error}")))?;
        Ok(Self { transport, url: settings.url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Where OpenSearch is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// No answer: [`SearchError::Unavailable`], or [`SearchError::Refused`] if the certificate is not trusted.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, SearchError> {
        let method = match request.verb {
            Verb::Get => Method::Get,
            Verb::Put => Method::Put,
            Verb::Post => Method::Post,
            Verb::Delete => Method::Delete,
        };
        let parameters = (!request.parameters.is_empty()).then_some(request.parameters);
        let asked = self.transport.send(method, &request.path, HeaderMap::new(), parameters, request.body, Some(request.within));
        let response = asked.await.map_err(|error| self.no_answer(&error, request.within))?;
        let status = response.status_code().as_u16();
        let text = response.text().await.map_err(|error| self.no_answer(&error, request.within))?;
        let body = match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(error) if (200..300).contains(&status) => {
                let told: String = text.chars().take(TOLD_MAX_CHARS).collect();
                return Err(SearchError::Unavailable(format!(
                    "{} answered {status} with something that is no JSON ({error}): {told}",
                    self.url
                )));
            }
            Err(_) => Value::String(text),
        };
        Ok(Answer { status, body })
    }

    fn no_answer(&self, error: &opensearch::Error, within: Duration) -> SearchError {
        let url = &self.url;
        if error.is_timeout() {
            return SearchError::Unavailable(format!("OpenSearch at {url} did not answer within {} ms", within.as_millis()));
        }
        let mut causes = Vec::new();
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let told = causes.last().cloned().unwrap_or_else(|| error.to_string());
        if causes.iter().any(|cause| cause.contains("certificate")) {
            let hint = "set opensearch.ca_file to the certificate (PEM) of the authority that signed it, or write the name it is made out to in opensearch.url";
            return SearchError::Refused(format!("the certificate of {url} is not trusted ({told}); {hint}"));
        }
        SearchError::Unavailable(format!("OpenSearch at {url} cannot be reached ({told}); is it running, and is opensearch.url right?"))
    }
}
