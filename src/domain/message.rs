//! The message that points to a job, and the reading of whatever else a queue may deliver.

use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::JobKind;
use serde::{Deserialize, Serialize};

/// The version of [`Message`] this build writes; others are refused.
pub const MESSAGE_SCHEMA: u32 = 1;

/// What travels in the queue: a pointer, no payload, nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// [`MESSAGE_SCHEMA`].
    pub schema: u32,
    /// What kind of job, for routing.
    pub kind: JobKind,
    /// Which row.
    pub job_id: JobId,
    /// Which generation of it.
    pub generation: u32,
    /// Which session.
    pub session_id: SessionId,
}

/// Why bytes from a queue are no message of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// Not the JSON we write.
    #[error("not a message of ours: {0}")]
    Malformed(String),
    /// A schema this build does not know.
    #[error(
        "message schema {0} is unknown to this build, which reads schema {MESSAGE_SCHEMA}; upgrade every process that reads this queue"
    )]
    Schema(u32),
}

/// Longest message accepted, bytes: ours are below 400.
pub const MESSAGE_MAX_BYTES: usize = 4 * 1024;

impl Message {
    /// The message as sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message holds strings and numbers only, which always serialise")
    }

    /// Reads what a queue delivered, which is hostile until checked.
    ///
    /// # Errors
    /// [`NotOurs`] if the bytes are not a message that this build can read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotOurs> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        if bytes.len() > MESSAGE_MAX_BYTES {
            return Err(NotOurs::Malformed(format!("{} bytes, ours have at most {MESSAGE_MAX_BYTES}", bytes.len())));
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| NotOurs::Malformed(error.to_string()))?;
        if head.schema != MESSAGE_SCHEMA {
            return Err(NotOurs::Schema(head.schema));
        }
        serde_json::from_slice(bytes).map_err(|error| NotOurs::Malformed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::job::{Job, NewJob, ScrapeTask, Task};
    use url::Url;

    #[test]
    fn messages_survive_the_wire_and_strangers_are_refused() {
        let session = SessionId::new("daily-1");
        let job = Job::created(NewJob::new(&session, "discover", Task::DiscoverStudios, None), Timestamp(1));
        let message = job.message();
        assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        assert_eq!(Message::from_bytes(br#"{"schema":9}"#), Err(NotOurs::Schema(9)));
        for noise in [&b"noise"[..], b"{}", b"[1]", &[0xff; 8192]] {
            assert!(matches!(Message::from_bytes(noise), Err(NotOurs::Malformed(_))));
        }
    }

    #[test]
    fn a_message_carries_no_name() {
        let task = ScrapeTask {
            studio_id: None,
            name: "Ana Lima".into(),
            instagram: Some("ana".into()),
            entry: Url::parse("https://ana.example/").unwrap(),
            own_site: true,
            listed_on: None,
        };
        let new = NewJob::new(&SessionId::new("s"), "scrape", Task::ScrapeArtist(Box::new(task)), None);
        let bytes = String::from_utf8(Job::created(new, Timestamp(1)).message().to_bytes()).unwrap();
        assert!(!bytes.contains("Ana") && !bytes.contains("ana.example"), "{bytes}");
    }
}
