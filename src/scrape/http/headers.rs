//! What the headers of an answer say: its type, its wishes, and what a later request may send back.

use crate::scrape::Validators;
use crate::scrape::content_signal;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const TDM_RESERVATION: HeaderName = HeaderName::from_static("tdm-reservation");

/// Most values of `X-Robots-Tag` kept.
const ROBOTS_TAGS_MAX: usize = 20;

/// Longest validator kept, bytes: one that is longer would make every later request as long.
const VALIDATOR_MAX: usize = 1_000;

pub(super) fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What `X-Robots-Tag` and `Content-Signal` say, in the words of the former.
pub(super) fn robots_tags(headers: &HeaderMap) -> Vec<String> {
    let tags = headers.get_all(X_ROBOTS_TAG).iter().take(ROBOTS_TAGS_MAX);
    let signal =
        content_signal::as_robots_tag(headers.get_all(content_signal::NAME).iter().take(ROBOTS_TAGS_MAX).map(HeaderValue::as_bytes));
    tags.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).chain(signal.map(str::to_owned)).collect()
}

pub(super) fn is_tdm_reserved(headers: &HeaderMap) -> bool {
    headers.get_all(TDM_RESERVATION).iter().any(|value| value.as_bytes().trim_ascii() == b"1")
}

/// What a later request may send back: whatever it means to the site, it is theirs to compare.
pub(super) fn validators(headers: &HeaderMap) -> Validators {
    let value = |name| header(headers, name).map(str::trim).filter(|value| !value.is_empty() && value.len() <= VALIDATOR_MAX);
    Validators { etag: value(ETAG).map(str::to_owned), last_modified: value(LAST_MODIFIED).map(str::to_owned) }
}

/// The media type without its parameters, cut to what an operator needs to see.
pub(super) fn media_type(content_type: Option<&str>) -> String {
    let kind = content_type.unwrap_or("of no declared type").split(';').next().unwrap_or_default();
    crate::domain::text::clean_line(kind.trim(), 80)
}

/// The types that may be a page.
pub(super) const PAGE_TYPES: [&str; 3] = ["text/html", "application/xhtml+xml", "text/plain"];

/// The types that sitemaps are sent as. Some servers send every file they make as HTML.
pub(super) const SITEMAP_TYPES: [&str; 7] =
    ["application/xml", "text/xml", "text/plain", "text/html", "application/gzip", "application/x-gzip", "application/octet-stream"];

/// Whether a declared type is one of those. No type at all is: the text decides then.
pub(super) fn is_of_type(content_type: Option<&str>, accepted: &[&str]) -> bool {
    let Some(content_type) = content_type else { return true };
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    accepted.iter().any(|known| known.eq_ignore_ascii_case(kind))
}
