//! [`ApiClient`]: requests to an API at a configured address, under the guard and every limit. It follows no redirect and
//! keeps no connection to anybody else, so that a key in a header goes to that API alone.

use super::answers::retry_after;
use super::{ClientError, HttpFetch, Want, shown};
use crate::domain::clock::Clock;
use crate::scrape::guard::Guard;
use crate::scrape::limits::FetchLimits;
use crate::scrape::{FetchError, Wanted};
use reqwest::header::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    /// Its status.
    pub status: u16,
    /// How long it asks us to stay away.
    pub retry_after: Option<Duration>,
    /// Its decoded body, no longer than the limit.
    pub body: Vec<u8>,
}

/// A client of one API, with connections of its own.
#[derive(Debug, Clone)]
pub struct ApiClient(HttpFetch);

impl ApiClient {
    /// A client under these limits.
    ///
    /// # Errors
    /// [`ClientError`] if the user agent is no header value or TLS cannot be set up.
    pub fn new(guard: Arc<Guard>, limits: FetchLimits, user_agent: &str, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        Ok(Self(HttpFetch::new(guard, limits, user_agent, clock)?))
    }

    /// Posts a body.
    ///
    /// # Errors
    /// As for fetching a page, but that every status is an answer. No error holds a header.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: String) -> Result<ApiAnswer, FetchError> {
        let total = self.0.limits.total();
        let over = || self.0.over(url, crate::scrape::Limit::Total);
        timeout(total, self.answer(url, headers, body)).await.unwrap_or_else(|_| Err(over()))
    }

    async fn answer(&self, url: &Url, headers: HeaderMap, body: String) -> Result<ApiAnswer, FetchError> {
        let (target, host) = self.0.target(url)?;
        let request = self.0.client.post(target).headers(headers).body(body);
        let response = self.0.send(url, request, host).await?;
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            let why = format!("it answered {status}, and an API is not followed elsewhere");
            return Err(FetchError::BadResponse { url: shown(url), why });
        }
        let retry_after = retry_after(response.headers(), self.0.clock.now());
        let body = self.0.body(url, response, self.0.limits.decoded_bytes, Want::Whole(Wanted::Page), None).await?;
        Ok(ApiAnswer { status, retry_after, body: body.bytes })
    }
}
