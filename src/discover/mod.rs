//! The port of studio sources, and its implementations.
//!
//! A source names studios; it promises neither order nor uniqueness. What it names is hostile until checked: websites
//! pass the same guard as every other URL.

pub mod file;

use crate::domain::studio::FoundStudio;
use async_trait::async_trait;
use std::time::Duration;

/// A problem with one entry; the others stand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntryProblem {
    /// Where: `studios.csv:17`.
    pub place: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovered {
    /// The studios it names.
    pub studios: Vec<FoundStudio>,
    /// Entries that could not be used.
    pub problems: Vec<EntryProblem>,
}

/// Why a source did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// May answer later (002-R6: rate limits with growing delays).
    #[error("studio source {source_name} does not answer: {why}")]
    Unavailable {
        /// Which source.
        source_name: String,
        /// What happened.
        why: String,
        /// The delay it asked for.
        retry_after: Option<Duration>,
    },
    /// Will not answer by itself.
    #[error("studio source {source_name} cannot be used: {why}")]
    Refused {
        /// Which source.
        source_name: String,
        /// What is wrong and what to do.
        why: String,
    },
}

/// A source of studios (002-R3).
#[async_trait]
pub trait StudioSource: std::fmt::Debug + Send + Sync {
    /// Its name in logs and records.
    fn name(&self) -> &str;

    /// The studios it knows.
    async fn studios(&self) -> Result<Discovered, SourceError>;
}
