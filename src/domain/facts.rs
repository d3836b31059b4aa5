//! What one source says about an artist, each value with its evidence; the rows from which a record is resolved.

use crate::domain::clock::Timestamp;
use crate::domain::fields::{Field, MissedFields};
use crate::domain::ids::{ArtistId, JobId, StudioId};
use crate::domain::place::{Basis, Coordinates};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeSet;
use url::Url;

/// A value with where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub evidence: Evidence,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The page that says so.
    pub page: Url,
    /// The extractor that read it.
    pub extractor: String,
    /// 0 to 1.
    #[serde(serialize_with = "in_thousandths")]
    pub confidence: f32,
    /// When the page was read.
    pub observed_at: Timestamp,
    /// Whether it was printed or inferred.
    pub basis: Basis,
}

/// A confidence as it is written: `0.82`, also where numbers are doubles, which would print `0.8199999928474426`.
///
/// # Errors
/// The serialiser's.
pub fn in_thousandths<S: Serializer>(confidence: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((f64::from(*confidence) * 1_000.0).round() / 1_000.0)
}

/// Which page or site a set of facts was read from, or who said them. The order is the order of trust: what somebody confirmed
/// who may first, then an artist's own site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Source {
    /// The artist, who proved to have their own site.
    Artist,
    /// An operator of this directory.
    Operator,
    /// The artist's own portfolio site, by its canonical form.
    OwnSite(String),
    /// A studio's site.
    Studio(StudioId),
}

impl Source {
    /// The source as a storage key.
    pub fn key(&self) -> String {
        match self {
            Self::Artist => "said:artist".to_owned(),
            Self::Operator => "said:operator".to_owned(),
            Self::OwnSite(site) => format!("own:{site}"),
            Self::Studio(id) => format!("studio:{id}"),
        }
    }

    /// Who confirmed the facts, unless they were read from a site.
    pub fn confirmed_by(&self) -> Option<Confirmer> {
        match self {
            Self::Artist => Some(Confirmer::Artist),
            Self::Operator => Some(Confirmer::Operator),
            Self::OwnSite(_) | Self::Studio(_) => None,
        }
    }
}

/// Who confirmed or corrected a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmer {
    /// The artist.
    Artist,
    /// An operator.
    Operator,
}

impl Confirmer {
    /// As stored and shown, and the extractor of what they said.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artist => "artist",
            Self::Operator => "operator",
        }
    }

    /// The source under which what they said is kept.
    pub fn source(self) -> Source {
        match self {
            Self::Artist => Source::Artist,
            Self::Operator => Source::Operator,
        }
    }
}

/// Everything one source said about an artist when it was read last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Printed name.
    pub name: Option<Fact<String>>,
    /// Printed name of the studio where they work.
    pub studio: Option<Fact<String>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Fact<String>>,
    /// As printed.
    pub region: Option<Fact<String>>,
    /// As printed.
    pub city: Option<Fact<String>>,
    /// Degrees, WGS 84.
    pub coordinates: Option<Fact<Coordinates>>,
    /// Instagram handle in normal form.
    pub instagram: Option<Fact<String>>,
    /// Profiles elsewhere.
    pub socials: Vec<Fact<Url>>,
    /// As printed, lower case.
    pub emails: Vec<Fact<String>>,
    /// As printed.
    pub phones: Vec<Fact<String>>,
    /// Slugs of the style vocabulary.
    pub styles: Vec<Fact<String>>,
    /// Portfolio pictures, URLs only.
    pub images: Vec<Fact<Url>>,
    /// The artist's words about themselves.
    pub bio: Option<Fact<String>>,
    /// Public pages about the artist at this source, the main one first.
    pub pages: Vec<Url>,
    /// The artist's own site, as the source links it.
    pub own_site: Option<Url>,
}

/// The evidence row of an artist and a source: the newest reading, with the last values of what it lacked; never read by
/// the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// About whom.
    pub artist_id: ArtistId,
    /// Read where.
    pub source: Source,
    /// By which job.
    pub job_id: JobId,
    /// When the attempt that read it began (its fence): an older reading never replaces a newer one.
    pub fence: Timestamp,
    /// What it said.
    pub facts: SourceFacts,
    /// The fields whose value is that of an earlier reading.
    #[serde(default)]
    pub missed: MissedFields,
    /// The fields that this source decides, whatever others say; one without a value is confirmed to have none. Only of those
    /// who confirm.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settled: BTreeSet<Field>,
}
