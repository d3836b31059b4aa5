//! What people may ask of a running daemon, and what it shows of itself; the actors behind it are not the callers' business.

use crate::domain::ids::SessionId;
use crate::domain::session::Trigger;
use async_trait::async_trait;
use serde::Serialize;

/// Why a command reached nobody.
#[derive(Debug, thiserror::Error)]
#[error("the daemon could not do it: {0}; try again in a moment")]
pub struct ControlError(pub String);

/// The state of every actor.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Survey {
    /// In the order of the table of children.
    pub children: Vec<ChildState>,
}

/// The state of one actor.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ChildState {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub alive: bool,
    /// Lives so far.
    pub starts: u64,
    /// Lives that ended by a panic.
    pub panics: u64,
    /// Times it was replaced because it did not answer.
    pub freezes: u64,
    /// Heartbeats missed in a row.
    pub missed_beats: u32,
    /// Its mailbox's size.
    pub mailbox: usize,
    /// When it last answered, RFC 3339.
    pub last_beat: Option<String>,
    /// Its own counters.
    #[schema(value_type = Object)]
    pub state: serde_json::Value,
}

/// Commands to a running daemon.
#[async_trait]
pub trait Control: std::fmt::Debug + Send + Sync {
    /// Starts a session of the pipeline now, by hand: [`Trigger::Manual`], or [`Trigger::Fresh`] to ask for every page anew.
    async fn start_session(&self, trigger: Trigger) -> Result<SessionId, ControlError>;

    /// The state of every actor; an empty survey if the Guardian does not answer.
    async fn survey(&self) -> Survey;
}
