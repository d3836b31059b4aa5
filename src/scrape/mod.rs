//! Fetching that harms nobody: guard, robots, politeness, limits. [`Fetch`] is the port; [`visit`] is what jobs use.

#[cfg(feature = "chrome")]
pub mod chrome;
pub mod content_signal;
pub mod draw;
pub mod evidence;
pub mod folder;
pub mod guard;
pub mod http;
pub mod known;
pub mod limits;
pub mod near_duplicates;
pub mod page_cache;
pub mod politeness;
pub mod refresh;
pub mod robots;
pub mod robots_line;
pub mod signals;
pub mod visit;
pub mod warc;

use crate::domain::clock::Timestamp;
use crate::domain::outcome::Category;
use async_trait::async_trait;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

/// A page as fetched: decoded text under the limits, nothing parsed.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FetchedPage {
    /// What was asked for.
    pub requested: Url,
    /// Where it was found, after redirects.
    pub url: Url,
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// The body, decoded to UTF-8.
    pub text: String,
    /// `X-Robots-Tag` values, as sent.
    pub robots_tags: Vec<String>,
    /// Whether the header `TDM-Reservation: 1` reserves text and data mining.
    #[serde(default)]
    pub tdm_reserved: bool,
    /// What a later request may say of it.
    #[serde(default)]
    pub validators: Validators,
    /// Bytes on the wire, headers not counted.
    pub wire_bytes: u64,
}

impl std::fmt::Debug for FetchedPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchedPage")
            .field("url", &self.url.as_str())
            .field("status", &self.status)
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// What tells whether a page is the one we have (RFC 9110, section 8.8): sent back as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Validators {
    /// `ETag`, sent back in `If-None-Match`.
    pub etag: Option<String>,
    /// `Last-Modified`, sent back in `If-Modified-Since`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// The copy of a page that we have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// What the request says of it.
    pub validators: Validators,
    /// When it came.
    pub at: Timestamp,
}

/// What a URL is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// A page: HTML, or plain text.
    #[default]
    Page,
    /// A sitemap: XML or plain text, and a gzip file of either.
    Sitemap,
}

/// How a URL is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// What for; anything else is [`FetchError::WrongType`].
    pub wanted: Wanted,
    /// The copy we have: the site may answer that it still stands, by [`Hop::NotModified`].
    pub before: Option<&'a Before>,
    /// Who keeps what goes over the wire, if anybody does.
    pub evidence: Option<&'a evidence::Evidence>,
}

/// Which limit a response broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Time to connect.
    Connect,
    /// Time to the response's head.
    Head,
    /// Time between two pieces of the body.
    Idle,
    /// Time in all.
    Total,
    /// Size of the response's head.
    HeaderBytes,
    /// Bytes on the wire.
    WireBytes,
    /// Bytes after decompression.
    DecodedBytes,
    /// Redirects in a row, or in a circle.
    Redirects,
    /// Length or shape of a URL.
    Url,
    /// Time for a browser to draw a page.
    Drawing,
    /// Memory of the browser that drew a page.
    DrawingMemory,
}

/// Why a page was not fetched: typed, and carrying what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The guard refuses the URL or an address it resolves to (rule 13).
    #[error("refused by the guard: {0}")]
    Guarded(String),
    /// The name does not resolve.
    #[error("{0} does not resolve")]
    Dns(String),
    /// Nobody accepts the connection, or it broke.
    #[error("connection to {host} failed: {why}")]
    Connection {
        /// To whom.
        host: String,
        /// What happened.
        why: String,
    },
    /// The certificate is not valid for the host.
    #[error("the certificate of {host} is not accepted: {why}")]
    Tls {
        /// Of whom.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// A limit was reached.
    #[error("{url} is over a limit: {limit:?}")]
    OverLimit {
        /// What was fetched.
        url: String,
        /// Which limit.
        limit: Limit,
    },
    /// 404 or 410.
    #[error("{url} is gone ({status})")]
    Gone {
        /// What was fetched.
        url: String,
        /// 404 or 410.
        status: u16,
    },
    /// 429, or 503: come back later.
    #[error("{url} asks to come back later ({status})")]
    SlowDown {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
        /// `Retry-After`, if it was sent.
        retry_after: Option<Duration>,
    },
    /// Another 5xx.
    #[error("{url} answered {status}")]
    Server {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
    },
    /// 401, 403 or another refusal of us.
    #[error("{url} refuses us ({status})")]
    Blocked {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
    },
    /// Not a page.
    #[error("{url} is {content_type}, not a page")]
    WrongType {
        /// What was fetched.
        url: String,
        /// What it says it is.
        content_type: String,
    },
    /// The browser that drew the page crashed, or did not do as it was told.
    #[error("{url} was not drawn: {why}")]
    NotDrawn {
        /// What was drawn.
        url: String,
        /// What happened.
        why: String,
    },
    /// The response breaks HTTP or its declared encoding.
    #[error("{url} sent an answer that cannot be read: {why}")]
    BadResponse {
        /// What was fetched.
        url: String,
        /// What is wrong.
        why: String,
    },
}

impl FetchError {
    /// A short stable code for dead letters and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Guarded(_) => "guarded",
            Self::Dns(_) => "dns",
            Self::Connection { .. } => "connection",
            Self::Tls { .. } => "tls",
            Self::OverLimit { limit, .. } => match limit {
                Limit::Connect => "connect_timeout",
                Limit::Head => "head_timeout",
                Limit::Idle => "idle_timeout",
                Limit::Total => "total_timeout",
                Limit::HeaderBytes => "headers_too_large",
                Limit::WireBytes => "body_too_large",
                Limit::DecodedBytes => "decoded_too_large",
                Limit::Redirects => "too_many_redirects",
                Limit::Url => "url_over_limit",
                Limit::Drawing => "draw_timeout",
                Limit::DrawingMemory => "draw_memory",
            },
            Self::Gone { .. } => "gone",
            Self::SlowDown { .. } => "slow_down",
            Self::Server { .. } => "server_error",
            Self::Blocked { .. } => "blocked",
            Self::WrongType { .. } => "wrong_type",
            Self::NotDrawn { .. } => "not_drawn",
            Self::BadResponse { .. } => "bad_response",
        }
    }

    /// What kind of failure it is for the ledger.
    pub fn category(&self) -> Category {
        match self {
            Self::Dns(_) | Self::Connection { .. } | Self::SlowDown { .. } | Self::Server { .. } | Self::NotDrawn { .. } => {
                Category::Transient
            }
            Self::OverLimit { limit: Limit::Connect | Limit::Head | Limit::Idle | Limit::Total | Limit::Drawing, .. } => {
                Category::Transient
            }
            Self::Blocked { .. } => Category::Blocked,
            Self::Guarded(_)
            | Self::Tls { .. }
            | Self::OverLimit { .. }
            | Self::Gone { .. }
            | Self::WrongType { .. }
            | Self::BadResponse { .. } => Category::Data,
        }
    }
}

/// Fetches one URL through the guard. Redirects are not followed inside: the caller asks again, so that robots, denylist
/// and the hold on the host are checked at each hop.
#[async_trait]
pub trait Fetch: std::fmt::Debug + Send + Sync {
    /// Fetches `url`, without following a redirect to another URL: a redirect is answered as [`Hop::Redirect`].
    async fn fetch(&self, url: &Url, ask: &Ask<'_>) -> Result<Hop, FetchError>;

    /// Fetches a text of any declared type, as robots.txt: what is over the limit of such texts is cut off, not refused, and
    /// a 4xx other than 429 is an answer (an empty text with its status), since it decides something.
    async fn fetch_text(&self, url: &Url, ask: &Ask<'_>) -> Result<TextHop, FetchError> {
        match self.fetch(url, &Ask { before: None, ..*ask }).await {
            Ok(Hop::Page(page)) => Ok(TextHop::Text { status: page.status, text: page.text, wire_bytes: page.wire_bytes }),
            Ok(Hop::Redirect { status, to }) => Ok(TextHop::Redirect { status, to }),
            Ok(Hop::NotModified { .. }) => {
                Err(FetchError::BadResponse { url: guard::shown(url), why: "304 to a plain request".to_owned() })
            }
            Err(FetchError::Gone { status, .. } | FetchError::Blocked { status, .. }) => {
                Ok(TextHop::Text { status, text: String::new(), wire_bytes: 0 })
            }
            Err(error) => Err(error),
        }
    }

    /// The public addresses a request for `url` may go to, for the limit by address; empty where none applies (a mapped
    /// host, a folder).
    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        let _ = url;
        Ok(Vec::new())
    }
}

/// What one request led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// A page.
    Page(FetchedPage),
    /// Somewhere else; the caller decides whether to go there.
    Redirect {
        /// The status: 301 to 308, or that of a page whose `Refresh` header moves on at once.
        status: u16,
        /// The target, resolved against the URL asked for; not yet guarded.
        to: Url,
    },
    /// The copy that [`Ask::before`] names still stands (304).
    NotModified {
        /// What the answer says of it.
        fresh: NotModified,
    },
}

/// What a 304 says of the copy that still stands; it replaces what the copy came with (RFC 9111, section 3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotModified {
    /// What a later request says of it; nothing if the answer did not say.
    pub validators: Validators,
    /// `X-Robots-Tag` values, if it has any.
    pub robots_tags: Vec<String>,
    /// Whether it reserves text and data mining.
    pub tdm_reserved: bool,
}

/// What one request for a text led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextHop {
    /// The text, cut at the limit.
    Text {
        /// 200 to 299, or a 4xx other than 429 with an empty text.
        status: u16,
        /// The text, decoded to UTF-8.
        text: String,
        /// Bytes on the wire, headers not counted.
        wire_bytes: u64,
    },
    /// Somewhere else; the caller decides whether to go there.
    Redirect {
        /// The status, 301 to 308.
        status: u16,
        /// The target, resolved against the URL asked for; not yet guarded.
        to: Url,
    },
}
