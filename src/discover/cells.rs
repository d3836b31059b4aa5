//! Sources that are asked for one cell of an area at a time and cut their answers off at a ceiling: what an adapter of such a
//! source does, and the text fields that all of them check alike.

use crate::domain::grid::Rectangle;
use crate::domain::studio::FoundStudio;
use crate::domain::text::clean_line;
use crate::scrape::guard::read_url;
use crate::scrape::{FetchError, Limit};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// Longest name of a studio, characters.
pub const NAME_MAX_CHARS: usize = 200;
/// Longest website, bytes.
const WEBSITE_MAX_BYTES: usize = 2_048;
/// Longest telephone, characters.
const PHONE_MAX_CHARS: usize = 40;
/// Characters of a foreign answer that are told.
const TOLD_MAX_CHARS: usize = 300;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The studios it names.
    pub studios: Vec<FoundStudio>,
    /// What of it could not be used, and why.
    pub unusable: Vec<String>,
    /// Continues it: valid for the same cell only, and not for long.
    pub next: Option<String>,
    /// Whether there may be more in the cell than the source will ever say.
    pub full: bool,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The source may answer later: rate limit, server error, no connection.
    #[error("{why}")]
    Unavailable {
        /// What happened.
        why: String,
        /// The delay it asked for.
        retry_after: Option<Duration>,
    },
    /// The source will answer no call of ours: a wrong key, a missing right.
    #[error("{why}")]
    Refused {
        /// What is wrong and what to do.
        why: String,
    },
    /// The answer to this call cannot be used: nonsense, a field the source does not know, a token that is no longer valid.
    #[error("{why}")]
    Useless {
        /// What is wrong.
        why: String,
    },
}

/// A source that is asked cell by cell. A call is one request; what calls may cost and what follows from an error is not its
/// business.
#[async_trait]
pub trait CellSearch: std::fmt::Debug + Send + Sync {
    /// Its name in logs, records and keys: lower case letters and underscores.
    fn name(&self) -> &'static str;

    /// What is asked of each cell, so that another question is known as another one.
    fn question(&self) -> String;

    /// Pages of one cell at most; a source that has more after that is full.
    fn pages_max(&self) -> usize;

    /// One page about a cell: the first, or the one that `token` of the page before continues.
    async fn page(&self, cell: &Rectangle, token: Option<&str>) -> Result<Page, CallError>;
}

/// What a failed request means to a grid.
pub(super) fn failed(source: &str, error: &FetchError) -> CallError {
    let why = format!("{source}: {error}");
    match error {
        FetchError::Guarded(_) => {
            CallError::Refused { why: format!("{why}; an API elsewhere than on the public web has to be mapped in fetch.hosts") }
        }
        FetchError::OverLimit { limit: Limit::HeaderBytes | Limit::WireBytes | Limit::DecodedBytes, .. }
        | FetchError::BadResponse { .. } => CallError::Useless { why },
        _ => CallError::Unavailable { why, retry_after: None },
    }
}

/// Text of a foreign answer as it is told: one line, not long.
pub(super) fn told(text: &str) -> String {
    clean_line(text, TOLD_MAX_CHARS)
}

/// Reads an object: a list would be read as its fields in order.
///
/// # Errors
/// Why it is none of those that are expected.
pub(super) fn object<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("it is no object".to_owned());
    }
    serde_json::from_value(value).map_err(|error| told(&error.to_string()))
}

/// Reads the body of an answer.
///
/// # Errors
/// As [`object`].
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    object(serde_json::from_slice(bytes).map_err(|error| told(&error.to_string()))?)
}

/// A name, if there is one.
pub(super) fn name(text: Option<&str>) -> Option<String> {
    text.map(|text| clean_line(text, NAME_MAX_CHARS)).filter(|name| !name.is_empty())
}

/// A website, if it can be one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn website(text: Option<&str>) -> Result<Option<Url>, String> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > WEBSITE_MAX_BYTES {
        return Err(format!("a website of {} bytes", text.len()));
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = read_url(&with_scheme, None).map_err(|error| error.to_string())?;
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    let named = url.username().is_empty() && url.password().is_none();
    (web && named).then_some(Some(url)).ok_or_else(|| format!("a website that is none of the web: {}", clean_line(text, 100)))
}

/// A telephone as printed.
pub(super) fn phone(text: Option<&str>) -> Option<String> {
    text.map(|text| clean_line(text, PHONE_MAX_CHARS)).filter(|phone| phone.chars().any(|c| c.is_ascii_digit()))
}
