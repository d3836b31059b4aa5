//! The port through which alerts leave, and its sinks.
//!
//! An alert is owed by a row until a sink confirmed it (rule 19), so a sink may see one twice, never none.

pub mod sinks;

use crate::domain::clock::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// How urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look in working hours.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// Which rule raised an alert: each is a section of `docs/OPERATIONS.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A job failed for good.
    DeadLetter,
    /// A job was started again and again and its process died each time.
    OrphanedJob,
    /// A session failed after its retries.
    SessionFailed,
    /// The run gate held a night's absences back.
    AbsencesHeld,
    /// A document cannot be indexed.
    SyncParked,
    /// The index held a newer version than the table.
    IndexAhead,
    /// The index takes nothing at all until somebody changes something.
    IndexRefuses,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::DeadLetter,
        Self::OrphanedJob,
        Self::SessionFailed,
        Self::AbsencesHeld,
        Self::SyncParked,
        Self::IndexAhead,
        Self::IndexRefuses,
    ];

    /// The kind as shown, and as its section is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::OrphanedJob => "orphaned_job",
            Self::SessionFailed => "session_failed",
            Self::AbsencesHeld => "absences_held",
            Self::SyncParked => "sync_parked",
            Self::IndexAhead => "index_ahead",
            Self::IndexRefuses => "index_refuses",
        }
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which rule.
    pub kind: AlertKind,
    /// How urgent.
    pub severity: Severity,
    /// What happened, to what, and what to do; no personal data.
    pub text: String,
    /// The id it is about.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}

/// Why a sink did not take an alert; it stays owed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("alert sink {sink} did not take the alert: {why}")]
pub struct SinkError {
    /// Which sink.
    pub sink: String,
    /// What happened.
    pub why: String,
}

/// Where alerts go.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Delivers an alert; `Ok` means it was taken.
    async fn deliver(&self, alert: &Alert) -> Result<(), SinkError>;
}
