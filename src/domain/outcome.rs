//! The one type in which an attempt ends, and the reasons it carries (rule 3).

use crate::domain::clock::Timestamp;
use crate::domain::text::fold;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How an attempt at a job ended. Exhaustive: a new outcome does not compile until every reader decides about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The job is finished; no `Done` is ever a dead letter.
    Done {
        /// In which way.
        how: Done,
    },
    /// Not now, through no fault of the job: not counted.
    Wait {
        /// Not before this moment.
        until: Timestamp,
        /// For what.
        why: WaitFor,
    },
    /// Failed, may succeed later: counted.
    Retry {
        /// The delay that the other side asked for, if it did; otherwise the retry rule decides.
        after: Option<Duration>,
        /// What failed.
        reason: Failure,
    },
    /// Will not succeed by itself: a dead letter.
    Dead {
        /// What failed.
        reason: Failure,
    },
    /// Withdrawn.
    Cancelled {
        /// Why.
        why: Cancelled,
    },
}

/// In which way a job was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Something was written, or further jobs were made.
    Written,
    /// What is known already was found again.
    Unchanged,
    /// The site belongs to no tattooer.
    NotTattoo,
    /// robots.txt or the page asks not to be read; seen again in the next session.
    RefusedByRobots,
    /// The page is gone (404, 410): proposed for retirement.
    Gone,
    /// A newer attempt or a newer reading has done the work.
    Superseded,
}

impl Done {
    /// As it is written in rows and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::NotTattoo => "not_tattoo",
            Self::RefusedByRobots => "refused_by_robots",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
        }
    }
}

/// What a job waits for without being at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Another job holds the host, or its spacing is not over.
    Host,
    /// The host asked for it (429, 503, `Retry-After`).
    RateLimit,
    /// A part of our own is out.
    Dependency,
    /// A browser to draw its pages: all are busy.
    Browser,
    /// A browser to draw its pages: there is none.
    NeedsBrowser,
    /// Whatever was under way when it began has to end.
    Laggards,
    /// The process is stopping.
    Stop,
}

/// Why a job was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// Its step reached its deadline.
    Deadline,
    /// The person it is about was removed.
    Removed,
    /// An operator discarded it or its session.
    Operator,
    /// It was still open when its session was over.
    Ended,
}

/// What kind of failure it was, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Time-out, connection lost, server error.
    Transient,
    /// The other side refuses us alone (block page, 401, 403).
    Blocked,
    /// Credentials or settings of ours.
    Config,
    /// What came back cannot be used.
    Data,
    /// It kills or hangs its worker.
    Poison,
    /// A panic: a fault of ours.
    Bug,
    /// None of these.
    Unknown,
}

impl Category {
    /// The category as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Blocked => "blocked",
            Self::Config => "config",
            Self::Data => "data",
            Self::Poison => "poison",
            Self::Bug => "bug",
            Self::Unknown => "unknown",
        }
    }
}

/// A typed failure that carries what an operator needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub category: Category,
    /// A short stable code, as `parse_over_budget`.
    pub code: String,
    /// What happened, to what; never a body, a token or an address of a person.
    pub message: String,
    /// Where in the job: `fetch`, `parse`, `write` …
    pub stage: String,
}

/// Longest message kept, characters: what a site says is hostile until cut.
const MESSAGE_MAX_CHARS: usize = 500;

impl Failure {
    /// A failure with its message made one line of at most 500 characters.
    pub fn new(category: Category, code: &str, stage: &str, message: impl AsRef<str>) -> Self {
        let message = crate::domain::text::clean_line(message.as_ref(), MESSAGE_MAX_CHARS);
        Self { category, code: code.to_owned(), message, stage: stage.to_owned() }
    }

    /// Groups failures of one cause: SHA-256 over code, stage and the message without its digits and URLs, 16 hex digits.
    pub fn fingerprint(&self) -> String {
        let mut cause = String::new();
        for word in fold(&self.message).split_whitespace().filter(|word| !word.contains("://")) {
            cause.extend(word.chars().filter(|c| !c.is_ascii_digit()));
            cause.push(' ');
        }
        let digest = Sha256::digest(format!("{}|{}|{cause}", self.code, self.stage).as_bytes());
        crate::domain::artist::hex(&digest[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_has_one_fingerprint() {
        let failure = |message: &str| Failure::new(Category::Transient, "timeout", "fetch", message);
        let one = failure("https://a.example/x timed out after 1000 ms");
        assert_eq!(one.fingerprint(), failure("https://b.example/y timed out after 2500 ms").fingerprint());
        assert_ne!(one.fingerprint(), failure("https://a.example/x refused the connection").fingerprint());
    }
}
