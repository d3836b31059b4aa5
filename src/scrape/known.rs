//! What is kept of each page across sessions: its last answer, what a later request says of it so that an unchanged page costs
//! a 304, and when it is due. The page cache of a session is another thing: it spares a second fetch within the session.
//!
//! Objects lie by period, then by site, so that what nobody asked for in two periods goes as a folder, and a site as a whole.

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::recrawl::{LONGEST, SHORTEST, is_due, next_interval};
use crate::objects::{Objects, ObjectsError};
use crate::scrape::Before;
use crate::scrape::page_cache::{Kept, pack, unpack};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Below which keys everything lies.
pub const FOLDER: &str = "known";

/// Days of a period: more than the longest interval, so that whatever is asked for again lies in this period or in the last.
const PERIOD_DAYS: i64 = 32;
const DAY_US: i64 = SHORTEST.as_micros() as i64;
const _: () = assert!(LONGEST.as_micros() as i64 <= PERIOD_DAYS * DAY_US);

/// What is known of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    url: Url,
    /// Its last answer.
    pub kept: Kept,
    /// When that answer came.
    fetched_at: Timestamp,
    /// When it was last confirmed: an answer, or a 304.
    pub checked_at: Timestamp,
    interval: Duration,
    /// Whether it lists people who come and go: such a page is due every day.
    lists: bool,
    /// The signature of what it said when it was read last.
    #[serde(default)]
    said: Option<String>,
    /// The interval it had, while its text is another than before and nobody has told yet whether it says anything else.
    #[serde(default)]
    unsettled: Option<Duration>,
}

impl Known {
    /// Whether it is to be asked for again. Only pages wait: what is gone or has moved is asked each time, since an absence is
    /// only ever proposed from an answer (rule 11).
    pub fn is_due(&self, now: Timestamp) -> bool {
        let interval = if self.lists { SHORTEST } else { self.interval };
        !matches!(self.kept, Kept::Page(_)) || is_due(self.checked_at, interval, now)
    }

    /// What a request may say of the kept page, so that an unchanged one is not sent again.
    pub fn before(&self) -> Option<Before> {
        let Kept::Page(page) = &self.kept else { return None };
        (!page.validators.is_empty()).then(|| Before { validators: page.validators.clone(), at: self.fetched_at })
    }

    /// What becomes of `before` by an answer at `now`. An answer of the same text is no change, whatever validators it has; one of
    /// another text is taken for one until it is read ([`KnownPages::read`]). Should nobody read it, it is due a day later.
    fn settled(before: Option<&Self>, url: &Url, kept: &Kept, unmodified: bool, now: Timestamp) -> Self {
        let same = before.is_some_and(|before| unmodified || before.kept.says_the_same(kept));
        Self {
            url: url.clone(),
            kept: kept.clone(),
            fetched_at: before.filter(|_| unmodified).map_or(now, |before| before.fetched_at),
            checked_at: now,
            interval: next_interval(before.map(|before| before.interval), !same),
            lists: before.is_some_and(|before| before.lists),
            said: before.and_then(|before| before.said.clone()),
            unsettled: before.filter(|before| !unmodified && before.kept.differs_in_text(kept)).map(|before| before.interval),
        }
    }

    /// The same after it was read: if it says what it said before, it has not changed.
    fn settled_by(self, said: &str) -> Self {
        let interval = match self.unsettled {
            Some(before) if self.said.as_deref() == Some(said) => next_interval(Some(before), false),
            _ => self.interval,
        };
        Self { interval, said: Some(said.to_owned()), unsettled: None, ..self }
    }

    /// Whether what it says when it is read is still to be told.
    fn is_to_be_read(&self) -> bool {
        matches!(self.kept, Kept::Page(_)) && (self.unsettled.is_some() || self.said.is_none())
    }
}

/// The site a URL belongs to, as folders are named: its host without `www.`.
pub fn site_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    // The brackets and colons of an address would be escaped in keys.
    host.strip_prefix("www.").unwrap_or(host).replace(['[', ']', ':'], "_")
}

/// The first day of the period in which a moment lies, `back` periods earlier.
fn period(at: Timestamp, back: i64) -> String {
    let length = PERIOD_DAYS * DAY_US;
    Timestamp((at.0.div_euclid(length) - back).saturating_mul(length)).day()
}

fn key(period: &str, url: &Url) -> String {
    let name = crate::domain::artist::hex(&Sha256::digest(url.as_str().as_bytes())[..]);
    format!("{FOLDER}/{period}/{}/{name}", site_of(url))
}

/// What a site needs to be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Its pages have to be drawn.
    Browser,
    /// Its links lead to nobody.
    Sitemap,
}

/// A note of what a site needs.
#[derive(Serialize, Deserialize)]
struct Noted {
    at: Timestamp,
}

/// No page of a site has such a name: those of pages are digests.
fn need_key(period: &str, url: &Url, need: Need) -> String {
    let name = match need {
        Need::Browser => "needs-browser",
        Need::Sitemap => "needs-sitemap",
    };
    format!("{FOLDER}/{period}/{}/{name}", site_of(url))
}

/// The pages known. Several processes may write at once: each writes what a site answered, and the last one stands.
#[derive(Debug, Clone)]
pub struct KnownPages {
    objects: Objects,
    clock: Arc<dyn Clock>,
}

impl KnownPages {
    /// The pages in an object store.
    pub fn new(objects: Objects, clock: Arc<dyn Clock>) -> Self {
        Self { objects, clock }
    }

    /// What is known of `url` (without fragment).
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails. An entry that cannot be read is none.
    pub async fn get(&self, url: &Url) -> Result<Option<Known>, ObjectsError> {
        let now = self.clock.now();
        for back in [0, 1] {
            if let Some(bytes) = self.objects.get(&key(&period(now, back), url)).await? {
                return Ok(unpack::<Known>(&bytes).filter(|known| known.url == *url));
            }
        }
        Ok(None)
    }

    /// Keeps an answer to a request for `url` made just now; `before` is what was known. `unmodified` if it was a 304. Answers
    /// whether whoever reads the page is to tell what it says.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn put(&self, url: &Url, before: Option<&Known>, kept: &Kept, unmodified: bool) -> Result<bool, ObjectsError> {
        let known = Known::settled(before, url, kept, unmodified, self.clock.now());
        self.write(&known).await?;
        let (old, new) = (before.map(|before| period(before.checked_at, 0)), period(known.checked_at, 0));
        if let Some(old) = old.filter(|old| *old != new) {
            self.objects.delete(&key(&old, url)).await?;
        }
        Ok(known.is_to_be_read())
    }

    /// Takes note of what a page says ([`crate::extract::PageFindings::signature`]): that decides whether it has changed.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails; the page is read a few days early.
    pub async fn read(&self, url: &Url, said: &str) -> Result<(), ObjectsError> {
        match self.get(url).await? {
            Some(known) if known.is_to_be_read() => self.write(&known.settled_by(said)).await,
            _ => Ok(()),
        }
    }

    async fn write(&self, known: &Known) -> Result<(), ObjectsError> {
        let key = key(&period(known.checked_at, 0), &known.url);
        let bytes = pack(known).map_err(|error| ObjectsError::Failed { key: key.clone(), why: error.to_string() })?;
        self.objects.put(&key, bytes).await
    }

    /// Notes that a page lists people who come and go: from now on it is due every day.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn lists(&self, url: &Url) -> Result<(), ObjectsError> {
        match self.get(url).await? {
            Some(known) if !known.lists => self.write(&Known { lists: true, ..known }).await,
            _ => Ok(()),
        }
    }

    /// Notes what a URL's site needs.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn note_need(&self, url: &Url, need: Need) -> Result<(), ObjectsError> {
        let at = self.clock.now();
        let key = need_key(&period(at, 0), url, need);
        let bytes = pack(&Noted { at }).map_err(|error| ObjectsError::Failed { key: key.clone(), why: error.to_string() })?;
        self.objects.put(&key, bytes).await
    }

    /// Whether it was noted within the last `memory` (at most a period) that a URL's site needs this. After that the site is read
    /// as any other again: it may have changed.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails.
    pub async fn needs(&self, url: &Url, need: Need, memory: Duration) -> Result<bool, ObjectsError> {
        let now = self.clock.now();
        for back in [0, 1] {
            if let Some(bytes) = self.objects.get(&need_key(&period(now, back), url, need)).await? {
                return Ok(unpack::<Noted>(&bytes).is_some_and(|noted| now.since(noted.at) < memory));
            }
        }
        Ok(false)
    }

    /// Deletes everything known of a site (see [`site_of`]): on removal of a person whom its pages name.
    ///
    /// # Errors
    /// [`ObjectsError`] if the object store fails; repeat.
    pub async fn forget_site(&self, site: &str) -> Result<(), ObjectsError> {
        self.objects.delete_in_folders_of(FOLDER, site).await
    }
}

/// The first day whose folder is still read at `now`.
pub fn kept_since(now: Timestamp) -> String {
    period(now, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;
    use crate::scrape::{FetchedPage, Validators};

    fn url(path: &str) -> Url {
        Url::parse("https://www.studio.example/").unwrap().join(path).unwrap()
    }

    fn page(text: &str, etag: Option<&str>) -> Kept {
        Kept::Page(FetchedPage {
            requested: url("/team"),
            url: url("/team"),
            status: 200,
            text: text.into(),
            robots_tags: Vec::new(),
            tdm_reserved: false,
            validators: Validators { etag: etag.map(str::to_owned), last_modified: None },
            wire_bytes: 7,
        })
    }

    struct Bench {
        objects: Objects,
        clock: Arc<ManualClock>,
        known: KnownPages,
        _folder: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path()).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_795_399_200_000_000)));
        Bench { known: KnownPages::new(objects.clone(), clock.clone()), objects, clock, _folder: folder }
    }

    impl Bench {
        async fn answered(&self, kept: &Kept, unmodified: bool) -> Known {
            let before = self.known.get(&url("/team")).await.unwrap();
            self.known.put(&url("/team"), before.as_ref(), kept, unmodified).await.unwrap();
            self.known.get(&url("/team")).await.unwrap().unwrap()
        }

        /// Days until it is due, six hours before each.
        fn due_in(&self, known: &Known) -> u32 {
            let now = self.clock.now();
            (0..40).find(|days| known.is_due(now.plus(SHORTEST * *days))).unwrap()
        }
    }

    #[tokio::test]
    async fn a_page_waits_longer_while_it_says_the_same_and_lies_in_one_place() {
        let bench = bench();
        for days in [1, 2, 4, 8, 16, 30, 30] {
            let known = bench.answered(&page("Ana", Some("\"1\"")), days == 4).await;
            assert_eq!(bench.due_in(&known), days);
            assert_eq!(bench.objects.keys(FOLDER).await.unwrap().len(), 1, "the copy of the last period is gone");
            bench.clock.advance(SHORTEST * days);
        }
        assert_eq!(bench.due_in(&bench.answered(&page("Ana", Some("\"2\"")), false).await), 30, "another ETag is no other page");
        assert_eq!(bench.due_in(&bench.answered(&page("Ana, Bea", Some("\"3\"")), false).await), 1);
        assert_eq!(bench.due_in(&bench.answered(&Kept::Gone { status: 404 }, false).await), 0, "what is gone is asked each time");
    }

    /// Of pages that are another text each time, what they say decides; a reading that was never told costs a day.
    #[tokio::test]
    async fn what_a_page_says_decides_and_not_its_text() {
        let bench = bench();
        let read = async |text: &str, said: Option<&str>| {
            let before = bench.known.get(&url("/team")).await.unwrap();
            let asked = bench.known.put(&url("/team"), before.as_ref(), &page(text, None), false).await.unwrap();
            if let Some(said) = said {
                bench.known.read(&url("/team"), said).await.unwrap();
            }
            let days = bench.due_in(&bench.known.get(&url("/team")).await.unwrap().unwrap());
            bench.clock.advance(SHORTEST * days);
            (asked, days)
        };
        assert_eq!(read("Ana 1", Some("ana")).await, (true, 1));
        assert_eq!(read("Ana 2", Some("ana")).await, (true, 2));
        assert_eq!(read("Ana 3", Some("ana")).await, (true, 4));
        assert_eq!(read("Ana 3", None).await, (false, 8), "the same text is the same page");
        assert_eq!(read("Ana 4", None).await, (true, 1), "whoever fetched it died before reading it");
        assert_eq!(read("Ana 5", Some("ana")).await, (true, 2));
        assert_eq!(read("Bea 6", Some("bea")).await, (true, 1));
        assert_eq!(read("Bea 7", Some("bea")).await, (true, 2));
        bench.known.read(&url("/none"), "ana").await.unwrap();
        assert_eq!(bench.known.get(&url("/none")).await.unwrap(), None);
    }

    /// Headers are no part of what the text says: a page that asks for something else has changed.
    #[tokio::test]
    async fn other_headers_are_a_change_whatever_the_text_says() {
        let bench = bench();
        let tagged = |text: &str, tag: &str| match page(text, None) {
            Kept::Page(page) => Kept::Page(FetchedPage { robots_tags: vec![tag.to_owned()], ..page }),
            other => other,
        };
        for (text, tag, days) in [("Ana 1", "all", 1), ("Ana 2", "all", 2), ("Ana 3", "noindex", 1)] {
            bench.answered(&tagged(text, tag), false).await;
            bench.known.read(&url("/team"), "ana").await.unwrap();
            assert_eq!(bench.due_in(&bench.known.get(&url("/team")).await.unwrap().unwrap()), days, "{text} {tag}");
        }
    }

    #[tokio::test]
    async fn a_page_that_lists_people_is_due_every_day() {
        let bench = bench();
        bench.answered(&page("Ana", None), false).await;
        bench.known.lists(&url("/team")).await.unwrap();
        bench.clock.advance(SHORTEST);
        let known = bench.answered(&page("Ana", None), false).await;
        assert_eq!((bench.due_in(&known), known.before()), (1, None), "without validators nothing is said of it");
        bench.known.lists(&url("/none")).await.unwrap();
        assert_eq!(bench.known.get(&url("/none")).await.unwrap(), None);
    }

    /// C9: what a site needs is remembered, for all its pages and no other site's, and forgotten after a while.
    #[tokio::test]
    async fn that_a_site_needs_a_browser_is_forgotten_after_a_while() {
        let bench = bench();
        let (other, memory) = (Url::parse("https://other.example/").unwrap(), SHORTEST * 14);
        let needs = async |url: &Url| bench.known.needs(url, Need::Browser, memory).await.unwrap();
        assert!(!needs(&url("/")).await);
        bench.known.note_need(&url("/team"), Need::Browser).await.unwrap();
        assert!(!bench.known.needs(&url("/"), Need::Sitemap, memory).await.unwrap(), "one need is not the other");
        assert!(needs(&url("/")).await && needs(&Url::parse("http://studio.example/a").unwrap()).await && !needs(&other).await);
        bench.clock.advance(memory - Duration::from_secs(1));
        assert!(needs(&url("/")).await, "into the next period if need be");
        bench.clock.advance(Duration::from_secs(1));
        assert!(!needs(&url("/")).await);
        bench.known.note_need(&url("/"), Need::Browser).await.unwrap();
        assert!(needs(&url("/")).await);
        bench.known.forget_site(&site_of(&url("/"))).await.unwrap();
        assert!(!needs(&url("/")).await);
    }

    #[tokio::test]
    async fn a_site_is_forgotten_whole_and_others_stay() {
        let bench = bench();
        let other = Url::parse("https://other.example/").unwrap();
        bench.known.put(&other, None, &Kept::Gone { status: 404 }, false).await.unwrap();
        bench.answered(&page("Ana", None), false).await;
        bench.clock.advance(SHORTEST * 31);
        bench.known.put(&Url::parse("http://studio.example/a").unwrap(), None, &page("Ana", None), false).await.unwrap();
        bench.known.forget_site(&site_of(&url("/"))).await.unwrap();
        assert_eq!(bench.objects.keys(FOLDER).await.unwrap().len(), 1);
        assert!(bench.known.get(&other).await.unwrap().is_some());
        bench.clock.advance(SHORTEST * 32);
        assert_eq!(bench.known.get(&other).await.unwrap(), None, "two periods later nobody reads it");
    }
}
