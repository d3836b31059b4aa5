//! What jobs do, and to what.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, StudioId};
use serde::{Deserialize, Serialize};
use url::Url;

/// What a job does and to what. The subject lives in the ledger only: the queue carries no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Task {
    /// Asks the sources for studios.
    DiscoverStudios,
    /// Finds the artists who work at a studio.
    FindArtists {
        /// Whose site to read.
        studio_id: StudioId,
    },
    /// Reads an artist's public pages and writes the record.
    ScrapeArtist(Box<ScrapeTask>),
    /// Applies the run gate and the absences, and writes the session's report.
    Report,
    /// Purges a removed artist.
    RemoveArtist {
        /// Whom.
        artist_id: ArtistId,
        /// What else is looked for at the end.
        #[serde(default, skip_serializing_if = "Leftovers::is_empty")]
        leftovers: Leftovers,
    },
    /// Reads what is kept of an artist's pages again, asking nobody, and writes the record.
    ReplayArtist {
        /// Whom.
        artist_id: ArtistId,
        /// When it was asked for: each time is a job of its own.
        asked_at: Timestamp,
    },
    /// Reads a message again that was not ours: its bytes are kept in the object store.
    ReadStranger {
        /// SHA-256 of its bytes, in hex: the same bytes again are the same letter.
        hash: String,
    },
}

/// Where attempts that are under way may put something about somebody who is removed meanwhile; nothing here names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// The ids that whoever meets their keys anew would give them.
    pub ids: Vec<ArtistId>,
    /// The keyed hashes of their keys.
    pub hashes: Vec<String>,
}

impl Leftovers {
    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.hashes.is_empty()
    }
}

/// An artist to be read, as the page that named them said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrapeTask {
    /// The studio whose site named the artist, if one did.
    pub studio_id: Option<StudioId>,
    /// The printed name.
    pub name: String,
    /// Instagram handle in normal form.
    pub instagram: Option<String>,
    /// Where to begin: the artist's own site, or the page of the studio's site that names them.
    pub entry: Url,
    /// Whether `entry` is the artist's own site.
    pub own_site: bool,
    /// The page of the studio's site that names the artist: read again, from the session's pages, for what it adds.
    pub listed_on: Option<Url>,
}

/// The names of tasks, in the order of the daily pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// [`Task::DiscoverStudios`]
    DiscoverStudios,
    /// [`Task::FindArtists`]
    FindArtists,
    /// [`Task::ScrapeArtist`]
    ScrapeArtist,
    /// [`Task::Report`]
    Report,
    /// [`Task::RemoveArtist`]
    RemoveArtist,
    /// [`Task::ReplayArtist`]
    ReplayArtist,
    /// [`Task::ReadStranger`]
    ReadStranger,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::DiscoverStudios,
        Self::FindArtists,
        Self::ScrapeArtist,
        Self::Report,
        Self::RemoveArtist,
        Self::ReplayArtist,
        Self::ReadStranger,
    ];

    /// The kind as stored, sent and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiscoverStudios => "discover_studios",
            Self::FindArtists => "find_artists",
            Self::ScrapeArtist => "scrape_artist",
            Self::Report => "report",
            Self::RemoveArtist => "remove_artist",
            Self::ReplayArtist => "replay_artist",
            Self::ReadStranger => "read_stranger",
        }
    }

    /// Reads a kind back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Task {
    /// Which kind of job it is.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::DiscoverStudios => JobKind::DiscoverStudios,
            Self::FindArtists { .. } => JobKind::FindArtists,
            Self::ScrapeArtist(_) => JobKind::ScrapeArtist,
            Self::Report => JobKind::Report,
            Self::RemoveArtist { .. } => JobKind::RemoveArtist,
            Self::ReplayArtist { .. } => JobKind::ReplayArtist,
            Self::ReadStranger { .. } => JobKind::ReadStranger,
        }
    }

    /// What makes the job one within its session: the same subject again is the same job.
    pub fn subject(&self) -> String {
        match self {
            Self::DiscoverStudios | Self::Report => String::new(),
            Self::FindArtists { studio_id } => studio_id.to_string(),
            Self::RemoveArtist { artist_id, .. } => artist_id.to_string(),
            Self::ReplayArtist { artist_id, asked_at } => format!("{artist_id}:{}", asked_at.0),
            Self::ReadStranger { hash } => hash.clone(),
            Self::ScrapeArtist(task) if task.own_site => format!("own:{}", crate::domain::identity::canonical_site(&task.entry)),
            Self::ScrapeArtist(task) => {
                let studio = task.studio_id.as_ref().map(StudioId::as_str).unwrap_or_default();
                format!("{studio}:{}", crate::domain::text::folded_name(&task.name))
            }
        }
    }
}
