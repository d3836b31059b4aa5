//! The port of the index of dead letters: what operators filter them by, and nothing about a person (002-C7). A projection of
//! the ledger, as the artists' index is one of their table, and of the same rules.
//!
//! - A write carries a version that follows from the row (see [`version_of`]) and is refused as [`ItemAnswer::Stale`] if the
//!   index holds a higher one; the same again is accepted. A letter that goes leaves a versioned tombstone, purged later.
//! - Answers of [`LetterIndex::apply`] are matched by job id, one for each operation, in their order; a bad one fails alone.
//! - Whoever reads verifies each id against the ledger's row.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::{Job, JobKind, JobState};
use crate::domain::outcome::Category;
use crate::search::document::{id_problem, is_token_too_long};
use crate::search::{ItemAnswer, SearchError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Raised when the same row leads to another document: embedded indexes are then made anew. Also in the template's file.
pub const LETTER_FORM: u32 = 1;

/// The fields that are filtered by, as both engines call them.
pub const KEYWORDS: [&str; 8] = ["session", "kind", "step", "host", "category", "code", "stage", "fingerprint"];

/// What is indexed of a dead letter: a pure function of the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterDocument {
    /// Its session.
    pub session: SessionId,
    /// What the job does.
    pub kind: JobKind,
    /// Its step of the pipeline.
    pub step: String,
    /// The host it visits.
    pub host: Option<String>,
    /// What kind of failure it was.
    pub category: Category,
    /// The failure's short stable code.
    pub code: String,
    /// Where in the job.
    pub stage: String,
    /// The same for failures of one cause.
    pub fingerprint: String,
    /// In which it died.
    pub generation: u32,
}

/// The version of what the index says of a row: it rises with whatever happens to the row. Dead in generation g is 2g; dead
/// no more, or over otherwise, is 2g + 1, which is also what the next generation is while it is open.
pub fn version_of(job: &Job) -> i64 {
    let dead = i64::from(job.generation) * 2;
    match job.state {
        JobState::Dead => dead,
        JobState::Done | JobState::Cancelled => dead + 1,
        JobState::Created | JobState::Sent | JobState::Running | JobState::Parked => dead - 1,
    }
}

impl LetterDocument {
    /// The document of a dead letter; `None` of any other row.
    pub fn of(job: &Job) -> Option<Self> {
        let reason = job.death()?;
        Some(Self {
            session: job.new.session_id.clone(),
            kind: job.kind(),
            step: job.new.step.clone(),
            host: job.new.host.clone(),
            category: reason.category,
            code: reason.code.clone(),
            stage: reason.stage.clone(),
            fingerprint: reason.fingerprint(),
            generation: job.generation,
        })
    }

    /// The values of [`KEYWORDS`], in their order.
    pub fn keywords(&self) -> [Option<&str>; 8] {
        let (session, kind, category) = (self.session.as_str(), self.kind.as_str(), self.category.as_str());
        let own = [&self.step, &self.code, &self.stage, &self.fingerprint].map(|text| Some(text.as_str()));
        let [step, code, stage, fingerprint] = own;
        [Some(session), Some(kind), step, self.host.as_deref(), Some(category), code, stage, fingerprint]
    }
}

/// One operation on the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterOperation {
    /// About which letter.
    pub job_id: JobId,
    /// See [`version_of`].
    pub version: i64,
    /// When it died, or when it was found gone: tombstones are purged by it.
    pub settled_at: Timestamp,
    /// The document, or `None` for a tombstone.
    pub document: Option<LetterDocument>,
}

/// An operation as it is indexed.
#[derive(Serialize)]
pub(crate) struct WrittenLetter<'a> {
    job_id: &'a JobId,
    version: i64,
    deleted: bool,
    settled_at: i64,
    #[serde(flatten)]
    document: Option<&'a LetterDocument>,
}

impl LetterOperation {
    /// What brings the index up to a row: its document if it is dead, else a tombstone.
    pub fn of(job: &Job, now: Timestamp) -> Self {
        let document = LetterDocument::of(job);
        let settled_at = job.settled_at.filter(|_| document.is_some()).unwrap_or(now);
        Self { job_id: job.id().clone(), version: version_of(job), settled_at, document }
    }

    /// What brings the index up to a row that is there no more, which `version` was the last known of.
    pub fn gone(job_id: JobId, version: i64, now: Timestamp) -> Self {
        Self { job_id, version: version | 1, settled_at: now, document: None }
    }

    /// Why no engine can take this operation; `None` if nothing is wrong.
    pub fn problem(&self) -> Option<String> {
        let keywords = self.document.iter().flat_map(LetterDocument::keywords).flatten();
        id_problem(self.job_id.as_str()).or_else(|| keywords.into_iter().find_map(is_token_too_long))
    }

    pub(crate) fn written(&self) -> WrittenLetter<'_> {
        let document = self.document.as_ref();
        WrittenLetter { job_id: &self.job_id, version: self.version, deleted: document.is_none(), settled_at: self.settled_at.0, document }
    }
}

/// What letters are filtered by: a letter has each value that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this session.
    pub session: Option<String>,
    /// A [`JobKind`] as stored.
    pub kind: Option<String>,
    /// A host, exactly.
    pub host: Option<String>,
    /// A [`Category`] as stored.
    pub category: Option<String>,
    /// A code, exactly.
    pub code: Option<String>,
    /// Where in the job.
    pub stage: Option<String>,
    /// A cause.
    pub fingerprint: Option<String>,
}

impl LetterFilter {
    /// What is asked for, by the names of [`KEYWORDS`].
    pub fn asked(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { session, kind, host, category, code, stage, fingerprint } = self;
        let values = [session, kind, &None, host, category, code, stage, fingerprint];
        KEYWORDS.into_iter().zip(values).filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Whether a row is a dead letter of those asked for.
    pub fn matches(&self, job: &Job) -> bool {
        LetterDocument::of(job).is_some_and(|document| {
            let held = document.keywords();
            self.asked().all(|(name, value)| KEYWORDS.into_iter().zip(held).any(|pair| pair == (name, Some(value))))
        })
    }
}

/// Where a page of letters ended: when the last one died, and its id.
pub type LetterMark = (Timestamp, JobId);

/// Letters that are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterQuery {
    /// Which.
    pub filter: LetterFilter,
    /// Letters at most.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<LetterMark>,
}

/// A page of letters' ids, the one that died last first, of equal ones the greater id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterPage {
    /// The marks of the letters, each with its id.
    pub letters: Vec<LetterMark>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// An entry as reconcile compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedLetter {
    /// Which letter.
    pub job_id: JobId,
    /// The version indexed.
    pub version: i64,
    /// Whether it is a tombstone.
    pub deleted: bool,
}

/// The index of dead letters.
#[async_trait]
pub trait LetterIndex: std::fmt::Debug + Send + Sync {
    /// Applies operations; when it answers, what was applied is found.
    async fn apply(&self, operations: Vec<LetterOperation>) -> Result<Vec<(JobId, ItemAnswer)>, SearchError>;

    /// A page of letters.
    async fn find(&self, query: &LetterQuery) -> Result<LetterPage, SearchError>;

    /// What the index holds, in the order of ids after `after`, tombstones included.
    async fn scan(&self, after: Option<&JobId>, limit: usize) -> Result<Vec<IndexedLetter>, SearchError>;

    /// A name for what it holds: another once the index was cleared, replaced or lost, so that it has to be filled.
    async fn generation(&self) -> Result<String, SearchError>;

    /// Drops tombstones made before `before`.
    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError>;

    /// Drops everything.
    async fn clear(&self) -> Result<(), SearchError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{NewJob, ScrapeTask, Task};
    use crate::domain::ledger::{dead_at_once, requeued, withdrawn};
    use crate::domain::outcome::{Cancelled, Failure};

    fn letter() -> Job {
        let task = ScrapeTask {
            studio_id: None,
            name: "Ana Lima".to_owned(),
            instagram: Some("ana.ink".to_owned()),
            entry: url::Url::parse("https://studio.example/ana").unwrap(),
            own_site: false,
            listed_on: None,
        };
        let new = NewJob::new(&SessionId::new("night"), "scrape", Task::ScrapeArtist(Box::new(task)), Some("studio.example".to_owned()));
        let reason = Failure::new(Category::Data, "parse_over_budget", "parse", "Ana Lima's page is too deep");
        dead_at_once(&Job::created(new, Timestamp(1)), reason, Timestamp(2))
    }

    /// 002-C7: whatever happens to a row raises its version, so that an older write is told from a newer one.
    #[test]
    fn each_step_of_a_letters_life_has_a_higher_version() {
        let dead = letter();
        let again = requeued(&dead, Timestamp(3)).unwrap();
        let dead_again = dead_at_once(&again, Failure::new(Category::Bug, "panic", "parse", "again"), Timestamp(4));
        let discarded = withdrawn(&dead_again, Cancelled::Operator, Timestamp(5)).unwrap();
        let lives = [&dead, &again, &dead_again, &discarded];
        assert_eq!(lives.map(version_of), [2, 3, 4, 5]);
        assert_eq!(lives.map(|job| LetterDocument::of(job).is_some()), [true, false, true, false]);
        assert_eq!(LetterOperation::gone(dead.id().clone(), 4, Timestamp(6)).version, 5);
    }

    /// Nothing that names a person, or that a page said, is in the index.
    #[test]
    fn a_document_says_nothing_about_a_person() {
        let written = serde_json::to_string(&LetterOperation::of(&letter(), Timestamp(9)).written()).unwrap();
        assert!(written.contains("studio.example") && written.contains("parse_over_budget"), "{written}");
        for secret in ["Ana", "ana", "Lima", "deep"] {
            assert!(!written.contains(secret), "{secret} in {written}");
        }
    }

    #[test]
    fn a_filter_asks_for_every_value_it_names() {
        let filter = LetterFilter { host: Some("studio.example".to_owned()), stage: Some("parse".to_owned()), ..LetterFilter::default() };
        assert_eq!(filter.asked().collect::<Vec<_>>(), [("host", "studio.example"), ("stage", "parse")]);
        assert!(filter.matches(&letter()));
        assert!(!LetterFilter { code: Some("timeout".to_owned()), ..filter.clone() }.matches(&letter()));
        assert!(!filter.matches(&requeued(&letter(), Timestamp(3)).unwrap()));
    }
}
