//! Requests of people to be removed from the directory, or corrected in it: what is kept of them, and which step may follow
//! which. Pure.

use crate::domain::artist::hex;
use crate::domain::clock::Timestamp;
use crate::domain::fields::Field;
use crate::domain::identity::{IdentityKey, normal_handle};
use crate::domain::ids::ArtistId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use url::Url;

/// How long a request waits for its proof or for an operator's word.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Between two looks for the proof.
pub const CHECK_EVERY: Duration = Duration::from_secs(60);
/// Looks for the proof of one request at most.
pub const CHECKS_MAX: u32 = 50;
/// Longest address that names somebody, bytes.
const ADDRESS_MAX_BYTES: usize = 500;
/// Longest beginning of an artist's id that is looked up, bytes.
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

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// To be taken out for good.
    Removal,
    /// To have a field corrected.
    Correction,
}

impl Wish {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removal => "removal",
            Self::Correction => "correction",
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestState {
    /// It waits for a proof, or for an operator's word.
    Received,
    /// The token stands on the artist's own site.
    Proven,
    /// It will be done, whatever dies in between.
    Approved,
    /// It is done.
    Done,
    /// An operator said no.
    Refused,
    /// Nobody proved it in time.
    Expired,
}

impl RequestState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Received, Self::Proven, Self::Approved, Self::Done, Self::Refused, Self::Expired];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RECEIVED",
            Self::Proven => "PROVEN",
            Self::Approved => "APPROVED",
            Self::Done => "DONE",
            Self::Refused => "REFUSED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Whether nothing follows any more.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Expired)
    }
}

/// On whose word a request is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovedBy {
    /// The token stood on the artist's own site.
    Proof,
    /// An operator said so.
    Operator,
}

/// What the request wants a field to say.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedCorrection {
    /// Which field.
    pub field: Field,
    /// What it should say.
    pub value: String,
}

/// A request. Whom it is about, how they are reached and what they want said is personal: it goes with the request's end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalRequest {
    /// Which.
    pub id: RequestId,
    /// Raised by every change, from 1.
    pub rev: u64,
    /// What is asked for.
    pub wish: Wish,
    /// Where it stands.
    pub state: RequestState,
    /// When it came.
    pub created_at: Timestamp,
    /// When it got where it stands.
    pub changed_at: Timestamp,
    /// Whom it is about; none once it is ended.
    pub about: Option<About>,
    /// How to reach whoever asked; none once it is ended.
    pub contact: Option<String>,
    /// What should be said instead; none once it is ended, and for removals.
    pub correction: Option<AskedCorrection>,
    /// How often the proof was looked for.
    pub checks: u32,
    /// When it was looked for last.
    pub checked_at: Option<Timestamp>,
    /// Who is meant, once it is approved.
    pub artist_id: Option<ArtistId>,
    /// On whose word, once it is approved.
    pub approved_by: Option<ApprovedBy>,
    /// What an operator answers to whoever asked.
    pub answer: Option<String>,
}

impl fmt::Debug for RemovalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemovalRequest").field("id", &self.id).field("rev", &self.rev).field("state", &self.state).finish_non_exhaustive()
    }
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Where it stands, nothing of the kind follows.
    #[error("the request is {}, and can not be {step} any more", .state.as_str())]
    State {
        /// Where it stands.
        state: RequestState,
        /// What was asked for.
        step: &'static str,
    },
    /// A proof is looked for once a minute.
    #[error("the proof was looked for a moment ago; ask again after {0}")]
    TooSoon(Timestamp),
    /// It was looked for often enough.
    #[error("the proof was looked for {CHECKS_MAX} times; an operator has to decide now")]
    TooOften,
}

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Whom it is about.
    pub about: About,
    /// How to reach whoever asks.
    pub contact: String,
    /// For a correction: what should be said.
    pub correction: Option<AskedCorrection>,
}

impl RemovalRequest {
    /// A request as it comes in.
    pub fn received(receipt: &ReceiptToken, new: NewRequest, now: Timestamp) -> Self {
        Self {
            id: RequestId::of(receipt),
            rev: 1,
            wish: if new.correction.is_some() { Wish::Correction } else { Wish::Removal },
            state: RequestState::Received,
            created_at: now,
            changed_at: now,
            about: Some(new.about),
            contact: Some(new.contact),
            correction: new.correction,
            checks: 0,
            checked_at: None,
            artist_id: None,
            approved_by: None,
            answer: None,
        }
    }

    /// When it runs out, unless it is proven or decided before.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(EXPIRES_AFTER)
    }

    fn refuse_step<T>(&self, step: &'static str) -> Result<T, NotNow> {
        Err(NotNow::State { state: self.state, step })
    }

    fn moved(&self, state: RequestState, now: Timestamp) -> Self {
        let mut next = Self { rev: self.rev.saturating_add(1), state, changed_at: now, ..self.clone() };
        if state.is_ended() {
            (next.about, next.contact, next.correction) = (None, None, None);
        }
        next
    }

    /// A look for the proof is about to be taken: counted before, so that whatever dies on the way has counted.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn checked(&self, now: Timestamp) -> Result<Self, NotNow> {
        if self.state != RequestState::Received || now >= self.expires_at() {
            return self.refuse_step("proven");
        }
        if self.checks >= CHECKS_MAX {
            return Err(NotNow::TooOften);
        }
        match self.checked_at.map(|last| last.plus(CHECK_EVERY)).filter(|next| now < *next) {
            Some(next) => Err(NotNow::TooSoon(next)),
            None => Ok(Self { rev: self.rev.saturating_add(1), checks: self.checks + 1, checked_at: Some(now), ..self.clone() }),
        }
    }

    /// The token stood on the site.
    ///
    /// # Errors
    /// [`NotNow::State`].
    pub fn proven(&self, now: Timestamp) -> Result<Self, NotNow> {
        if self.state == RequestState::Received { Ok(self.moved(RequestState::Proven, now)) } else { self.refuse_step("proven") }
    }

    /// It will be done for `artist_id`. An operator may say so at any time, the proof only once it was found.
    ///
    /// # Errors
    /// [`NotNow::State`].
    pub fn approved(&self, artist_id: ArtistId, by: ApprovedBy, now: Timestamp) -> Result<Self, NotNow> {
        match (self.state, by) {
            (RequestState::Proven, _) | (RequestState::Received, ApprovedBy::Operator) => {
                let next = self.moved(RequestState::Approved, now);
                Ok(Self { artist_id: Some(artist_id), approved_by: Some(by), ..next })
            }
            _ => self.refuse_step("approved"),
        }
    }

    /// An operator says no, and why.
    ///
    /// # Errors
    /// [`NotNow::State`].
    pub fn refused(&self, answer: Option<String>, now: Timestamp) -> Result<Self, NotNow> {
        match self.state {
            RequestState::Received | RequestState::Proven => Ok(Self { answer, ..self.moved(RequestState::Refused, now) }),
            _ => self.refuse_step("refused"),
        }
    }

    /// What was approved is done.
    ///
    /// # Errors
    /// [`NotNow::State`].
    pub fn done(&self, now: Timestamp) -> Result<Self, NotNow> {
        if self.state == RequestState::Approved { Ok(self.moved(RequestState::Done, now)) } else { self.refuse_step("done") }
    }

    /// Its time is over. Only a request that nobody proved or decided runs out.
    ///
    /// # Errors
    /// [`NotNow::State`].
    pub fn expired(&self, now: Timestamp) -> Result<Self, NotNow> {
        let is_due = self.state == RequestState::Received && now >= self.expires_at();
        if is_due { Ok(self.moved(RequestState::Expired, now)) } else { self.refuse_step("expired") }
    }
}

#[cfg(test)]
#[path = "removal_request_tests.rs"]
mod tests;
