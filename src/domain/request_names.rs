//! By what requests are named, and by what people are named in them. Pure.

use crate::domain::artist::hex;
use crate::domain::identity::{IdentityKey, normal_handle};
use crate::domain::ids::ArtistId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use url::Url;

/// Longest address that names somebody, bytes.
const ADDRESS_MAX_BYTES: usize = 500;
/// Longest id of an artist that is looked up, bytes.
const ARTIST_ID_MAX_BYTES: usize = 100;

/// What whoever asked keeps: unguessable, and nowhere stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptToken(String);

impl ReceiptToken {
    /// A receipt of 128 random bits.
    pub fn of_random(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Reads what somebody presents; `None` unless it has the form of a receipt.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (text.len() == 32 && is_hex).then(|| Self(text.to_owned()))
    }

    /// The receipt itself, for whoever asked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ReceiptToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptToken")
    }
}

/// A request by name: the hash of its receipt, so that operators can speak of it without holding it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// The request of a receipt.
    pub fn of(receipt: &ReceiptToken) -> Self {
        let mut hash = hex(&Sha256::new_with_prefix("inkdex receipt:").chain_update(&receipt.0).finalize());
        hash.truncate(32);
        Self(format!("request-{hash}"))
    }

    /// Wraps an id that was made before, as read from storage or from an operator.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What has to stand on the artist's own site. Public by nature; only whoever made the request is told it.
    pub fn proof_token(&self) -> String {
        let mut hash = hex(&Sha256::new_with_prefix("inkdex proof:").chain_update(&self.0).finalize());
        hash.truncate(32);
        format!("inkdex-proof-{hash}")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom a request is about. Exactly one: a proof for a site says nothing about a handle named beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum About {
    /// The artist of a page here.
    Artist(ArtistId),
    /// Whoever has an Instagram handle, in normal form.
    Handle(String),
    /// Whoever has a site.
    Site(Url),
}

/// Why nobody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NobodyNamed {
    /// No id.
    #[error("that is neither an id, as artist-1f0c…, nor the address of a page of this directory")]
    Artist,
    /// No handle.
    #[error("that is no Instagram handle: letters, digits, dots and underscores, 30 at most")]
    Handle,
    /// No address.
    #[error("that is no address of a site, as https://ana.example/")]
    Site,
}

impl About {
    /// The artist of an id, or of the address of a page here.
    ///
    /// # Errors
    /// [`NobodyNamed::Artist`].
    pub fn artist(text: &str) -> Result<Self, NobodyNamed> {
        let id = text.trim().rsplit_once("/artists/").map_or(text.trim(), |(_, id)| id);
        let id = id.split(['?', '#', '/']).next().unwrap_or_default();
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let formed = plain && id.len() > "artist-".len() && id.len() <= ARTIST_ID_MAX_BYTES && id.starts_with("artist-");
        if formed { Ok(Self::Artist(ArtistId::new(id))) } else { Err(NobodyNamed::Artist) }
    }

    /// Whoever has a handle: as it is written, or as the address of its profile.
    ///
    /// # Errors
    /// [`NobodyNamed::Handle`].
    pub fn handle(text: &str) -> Result<Self, NobodyNamed> {
        let text = text.trim();
        let of_profile = text.split_once("instagram.com/").map(|(_, path)| path.split(['/', '?', '#']).next().unwrap_or_default());
        normal_handle(of_profile.unwrap_or(text)).map(Self::Handle).ok_or(NobodyNamed::Handle)
    }

    /// Whoever has a site; `https://` may be left out.
    ///
    /// # Errors
    /// [`NobodyNamed::Site`].
    pub fn site(text: &str) -> Result<Self, NobodyNamed> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let parsed = (whole.len() <= ADDRESS_MAX_BYTES).then(|| Url::parse(&whole).ok()).flatten();
        let is_site = |url: &Url| {
            let named = url.domain().is_some_and(|domain| domain.trim_end_matches('.').contains('.'));
            named && matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        };
        let mut url = parsed.filter(is_site).ok_or(NobodyNamed::Site)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self::Site(url))
    }

    /// The identity key that names them, unless an id does.
    pub fn key(&self) -> Option<IdentityKey> {
        match self {
            Self::Artist(_) => None,
            Self::Handle(handle) => IdentityKey::instagram(handle),
            Self::Site(url) => Some(IdentityKey::site(url)),
        }
    }

    /// As an operator reads it.
    pub fn shown(&self) -> String {
        match self {
            Self::Artist(id) => id.to_string(),
            Self::Handle(handle) => format!("@{handle}"),
            Self::Site(url) => url.to_string(),
        }
    }
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Artist(_) => "About::Artist",
            Self::Handle(_) => "About::Handle",
            Self::Site(_) => "About::Site",
        })
    }
}
