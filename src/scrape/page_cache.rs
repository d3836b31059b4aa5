//! Fetched pages of a session in the object store: later jobs of the session read them there, so that no page is fetched
//! twice. Answers that stay what they are for a session (gone, not a page, moved) are kept too.

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::SessionId;
use crate::objects::{Objects, ObjectsError};
use crate::scrape::FetchedPage;
use flate2::Compression;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// No page is used that is older.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Largest object unpacked, bytes: a page of 5 MB decoded may grow threefold as UTF-8, and again as JSON.
const UNPACKED_MAX: u64 = 64_000_000;

/// What is known of a URL in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Kept {
    /// A page.
    Page(FetchedPage),
    /// A redirect, by status, `Refresh` or meta refresh.
    Moved {
        /// To where; guarded when it is followed.
        to: Url,
    },
    /// 404 or 410.
    Gone {
        /// Which.
        status: u16,
    },
    /// Not a page.
    WrongType {
        /// What it says it is.
        content_type: String,
    },
}

impl Kept {
    /// Whether two answers say the same; how they came, and what tells whether they are new, does not matter.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Page(one), Self::Page(other)) => {
                one.text == other.text && one.robots_tags == other.robots_tags && one.tdm_reserved == other.tdm_reserved
            }
            _ => self == other,
        }
    }

    /// Whether they are pages that differ by their texts alone: what those say is not known before they are read.
    pub fn differs_in_text(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Page(one), Self::Page(other)) => {
                one.text != other.text && one.robots_tags == other.robots_tags && one.tdm_reserved == other.tdm_reserved
            }
            _ => false,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    url: Url,
    fetched_at: Timestamp,
    kept: Kept,
}

/// Pages by session and URL.
#[derive(Debug, Clone)]
pub struct PageCache {
    objects: Objects,
    clock: Arc<dyn Clock>,
}

/// A value as compressed JSON.
pub(crate) fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, std::io::Error> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&serde_json::to_vec(value)?)?;
    packer.finish()
}

/// A value packed before; `None` if the bytes are not that, so that it is fetched again.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(UNPACKED_MAX).read_to_end(&mut plain).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Below which keys the pages of a session lie.
pub fn folder(session: &SessionId) -> String {
    format!("pages/{session}")
}

fn key(session: &SessionId, url: &Url) -> String {
    format!("{}/{}", folder(session), crate::domain::artist::hex(&Sha256::digest(url.as_str().as_bytes())[..]))
}

impl PageCache {
    /// The pages in an object store.
    pub fn new(objects: Objects, clock: Arc<dyn Clock>) -> Self {
        Self { objects, clock }
    }

    /// What the session knows of `url` (without fragment), if it is not older than a day nor than `fresh_after`.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails. An entry that cannot be read is none.
    pub async fn get(&self, session: &SessionId, url: &Url, fresh_after: Option<Timestamp>) -> Result<Option<Kept>, ObjectsError> {
        let Some(bytes) = self.objects.get(&key(session, url)).await? else { return Ok(None) };
        let Some(entry) = unpack::<Entry>(&bytes) else {
            tracing::warn!(session.id = %session, "a kept page cannot be read and is fetched again");
            return Ok(None);
        };
        let fresh = self.clock.now().since(entry.fetched_at) <= MAX_AGE && fresh_after.is_none_or(|after| entry.fetched_at >= after);
        Ok((fresh && entry.url == *url).then_some(entry.kept))
    }

    /// Keeps what was just fetched for `url` (without fragment).
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn put(&self, session: &SessionId, url: &Url, kept: &Kept) -> Result<(), ObjectsError> {
        let key = key(session, url);
        let entry = Entry { url: url.clone(), fetched_at: self.clock.now(), kept: kept.clone() };
        let bytes = pack(&entry).map_err(|error| ObjectsError::Failed { key: key.clone(), why: error.to_string() })?;
        self.objects.put(&key, bytes).await
    }

    /// Forgets what the session knows of `url`: on removal of a person.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn forget(&self, session: &SessionId, url: &Url) -> Result<(), ObjectsError> {
        self.objects.delete(&key(session, url)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;
    use crate::scrape::Validators;

    fn page(url: &Url, text: &str) -> Kept {
        Kept::Page(FetchedPage {
            requested: url.clone(),
            url: url.clone(),
            status: 200,
            text: text.into(),
            robots_tags: vec!["noai".into()],
            tdm_reserved: true,
            validators: Validators::default(),
            wire_bytes: 7,
        })
    }

    #[tokio::test]
    async fn pages_are_read_back_by_their_session_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000)));
        let cache = PageCache::new(Objects::in_folder(folder.path()).unwrap(), clock.clone());
        let (one, two) = (SessionId::new("daily-1"), SessionId::new("daily-2"));
        let url = Url::parse("https://studio.example/team?page=2").unwrap();
        let kept = page(&url, "Ana tätowiert");
        assert_eq!(cache.get(&one, &url, None).await.unwrap(), None);
        cache.put(&one, &url, &kept).await.unwrap();
        assert_eq!(cache.get(&one, &url, None).await.unwrap(), Some(kept.clone()));
        assert_eq!(cache.get(&two, &url, None).await.unwrap(), None, "a session reads only its own pages");
        assert_eq!(cache.get(&one, &url, Some(Timestamp(1_000_000_000))).await.unwrap(), Some(kept.clone()));
        assert_eq!(cache.get(&one, &url, Some(Timestamp(1_000_000_001))).await.unwrap(), None, "fetched before the requeue");
        clock.advance(MAX_AGE);
        assert_eq!(cache.get(&one, &url, None).await.unwrap(), Some(kept));
        clock.advance(Duration::from_micros(1));
        assert_eq!(cache.get(&one, &url, None).await.unwrap(), None, "never older than 24 h");
    }

    #[tokio::test]
    async fn a_broken_entry_is_none_and_a_forgotten_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path()).unwrap();
        let cache = PageCache::new(objects.clone(), Arc::new(ManualClock::at(Timestamp(5))));
        let session = SessionId::new("daily-1");
        let url = Url::parse("https://studio.example/").unwrap();
        cache.put(&session, &url, &Kept::Gone { status: 410 }).await.unwrap();
        assert_eq!(cache.get(&session, &url, None).await.unwrap(), Some(Kept::Gone { status: 410 }));
        objects.put(&key(&session, &url), b"noise".to_vec()).await.unwrap();
        assert_eq!(cache.get(&session, &url, None).await.unwrap(), None);
        cache.put(&session, &url, &page(&url, "x")).await.unwrap();
        cache.forget(&session, &url).await.unwrap();
        assert_eq!(cache.get(&session, &url, None).await.unwrap(), None);
    }
}
