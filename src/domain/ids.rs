//! Identifiers as newtypes, so that a job id can never be passed where an artist id is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Namespace of every id derived by name (UUID version 5, RFC 9562).
const NAMESPACE: Uuid = Uuid::from_u128(0x1a6b_7c1e_8d0f_4e2a_9b3c_5d4e_6f70_8192);

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an id that was made before, as read from storage or from a request.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// An artist, for ever: it outlives renames, moves and removal.
    ArtistId
);
string_id!(
    /// A studio.
    StudioId
);
string_id!(
    /// A row of the ledger.
    JobId
);
string_id!(
    /// One execution of a pipeline.
    SessionId
);

/// Joins parts so that no two different lists of parts give the same text.
fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(&part.len().to_string());
        text.push(':');
        text.push_str(part);
    }
    text
}

fn derived(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, joined(parts).as_bytes())
}

impl ArtistId {
    /// The id proposed for an artist first met under `identity_key`.
    pub fn proposed(identity_key: &str) -> Self {
        Self(format!("artist-{}", derived(&["artist", identity_key]).simple()))
    }
}

impl StudioId {
    /// The id of a studio known by its place id, or else by its canonical site.
    pub fn derived_from(natural_key: &str) -> Self {
        Self(format!("studio-{}", derived(&["studio", natural_key]).simple()))
    }
}

impl JobId {
    /// The id of the job of `kind` for `subject` in `session`: whoever is retried makes the same children.
    pub fn derived_from(session: &SessionId, kind: &str, subject: &str) -> Self {
        Self(derived(&["job", session.as_str(), kind, subject]).to_string())
    }
}

impl SessionId {
    /// The id of the execution of `pipeline` scheduled for `scheduled_for` (RFC 3339): one night is one session.
    pub fn derived_from(pipeline: &str, scheduled_for: &str) -> Self {
        Self(format!("{pipeline}-{}", derived(&["session", pipeline, scheduled_for]).simple()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_run_together() {
        let session = SessionId::new("s");
        assert_ne!(JobId::derived_from(&session, "ab", "c"), JobId::derived_from(&session, "a", "bc"));
    }

    #[test]
    fn the_same_parts_give_the_same_id() {
        let session = SessionId::derived_from("daily", "2026-11-22T02:00:00Z");
        assert_eq!(session, SessionId::derived_from("daily", "2026-11-22T02:00:00Z"));
        assert_eq!(JobId::derived_from(&session, "scrape_artist", "x"), JobId::derived_from(&session, "scrape_artist", "x"));
    }
}
