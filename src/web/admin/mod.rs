//! The admin API: one file a resource. Every handler's first argument is an [`Operator`](crate::web::admission::Operator).

pub mod actors;
pub mod artists;
pub mod audit;
pub mod dead_letters;
pub mod depth;
pub mod identity;
pub mod removal_requests;
pub mod sessions;

use serde::Deserialize;
use utoipa::ToSchema;

/// Who the audit trail says it was: keys and roles come later.
const ACTOR: &str = "api";

/// Entries of a page unless somebody asks for another number, and at most.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 500;

/// Longest reason kept, characters.
const REASON_MAX_CHARS: usize = 500;

/// Why an operator does something, for the audit trail.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// In a sentence; no personal data.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Because {
    /// The reason as one line, if there is one.
    fn line(&self) -> Option<String> {
        let line = crate::domain::text::clean_line(self.reason.as_deref()?, REASON_MAX_CHARS);
        (!line.is_empty()).then_some(line)
    }
}
