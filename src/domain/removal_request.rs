//! Requests of people to be removed from the directory, or corrected in it: what is kept of them, and which step may follow
//! which. Pure.

use crate::domain::clock::Timestamp;
use crate::domain::fields::Field;
use crate::domain::ids::ArtistId;
pub use crate::domain::request_names::{About, NobodyNamed, ReceiptToken, RequestId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long a request waits for its proof or for an operator's word.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long an ended request is kept, for whoever has its receipt.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Between two looks for the proof.
pub const CHECK_EVERY: Duration = Duration::from_secs(60);
/// Looks for the proof of one request at most.
pub const CHECKS_MAX: u32 = 50;

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
        let is_due = matches!(self.state, RequestState::Received | RequestState::Proven) && now >= self.expires_at();
        if is_due { Ok(self.moved(RequestState::Expired, now)) } else { self.refuse_step("expired") }
    }
}

#[cfg(test)]
#[path = "removal_request_tests.rs"]
mod tests;
