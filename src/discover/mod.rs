//! The port of studio sources, and its implementations.
//!
//! A source names studios; it promises neither order nor uniqueness. What it names is hostile until checked: websites
//! pass the same guard as every other URL.

mod account;
pub mod cells;
pub mod file;
pub mod grid;
pub mod overpass;
pub mod places;

use crate::domain::ids::SessionId;
use crate::domain::progress::Progress;
use crate::domain::studio::FoundStudio;
use crate::objects::ObjectsError;
use crate::store::StoreError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A problem with one entry; the others stand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntryProblem {
    /// Where: `studios.csv:17`.
    pub place: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// How far a source answered for an area.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaCoverage {
    /// Which source.
    pub source: String,
    /// Which area, as the configuration names it.
    pub area: String,
    /// Studios it named in this run, each once.
    pub studios: u64,
    /// Cells answered in this grid so far.
    pub cells: u64,
    /// Cells not asked yet.
    pub open: u64,
    /// Cells too small to be divided whose answer was full all the same: there is more than is known.
    pub still_full: Vec<String>,
    /// Cells given up after useless answers, with why.
    pub failed: Vec<String>,
    /// Entries of answers that could not be used.
    pub unusable: u64,
    /// Why cells are left open, if any are; the next run goes on with them.
    pub stopped: Option<String>,
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovered {
    /// The studios it names.
    pub studios: Vec<FoundStudio>,
    /// Entries that could not be used.
    pub problems: Vec<EntryProblem>,
    /// How far it answered for each area, if it is asked by area.
    pub areas: Vec<AreaCoverage>,
    /// Calls of this run, if it counts them.
    pub calls: u64,
}

impl Discovered {
    /// How many studios have no website, so that nobody can be looked for there.
    pub fn without_website(&self) -> usize {
        self.studios.iter().filter(|studio| studio.website.is_none()).count()
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asking {
    /// In which session: asked again in it, a source goes on where it stood.
    pub run: SessionId,
    /// The pulse of the job that asks.
    pub progress: Progress,
}

/// Why a source did not answer.
#[derive(Debug, thiserror::Error)]
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
    /// As [`SourceError::Unavailable`], of a source that is asked many times in a run: what was answered stands, and only
    /// failures one after the other count.
    #[error("studio source {source_name} does not answer: {why}")]
    Failing {
        /// Which source.
        source_name: String,
        /// What happened.
        why: String,
        /// The delay before it may be asked again, at least.
        retry_after: Option<Duration>,
        /// Calls of this run that failed since the last one that did not.
        in_a_row: u32,
    },
    /// Will not answer by itself.
    #[error("studio source {source_name} cannot be used: {why}")]
    Refused {
        /// Which source.
        source_name: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A part of ours failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of ours failed.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

/// A source of studios (002-R3).
#[async_trait]
pub trait StudioSource: std::fmt::Debug + Send + Sync {
    /// Its name in logs and records.
    fn name(&self) -> &str;

    /// The studios it knows.
    async fn studios(&self, asking: &Asking) -> Result<Discovered, SourceError>;

    /// What it named in a run stands in rows of ours: whatever it kept of that until then is dropped.
    async fn taken(&self, _run: &SessionId) -> Result<(), SourceError> {
        Ok(())
    }
}
