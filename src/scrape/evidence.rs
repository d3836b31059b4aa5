//! Evidence: what went over the wire in a visit, kept as one WARC file in the object store until it is past its time or somebody
//! whom it may name is removed.

use crate::domain::clock::Timestamp;
use crate::objects::{Objects, ObjectsError};
use crate::scrape::known::site_of;
use crate::scrape::warc::Warc;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// Below which keys the files lie: by day, then by site, as `visits/2026-08-21/studio.example/…warc.gz`.
pub const FOLDER: &str = "visits";

/// Packed bytes above which a file takes no more bodies.
const FILE_MAX: usize = 20_000_000;

/// A request and its answer.
pub struct Exchange {
    /// What was asked for.
    pub url: Url,
    /// When.
    pub at: Timestamp,
    /// Until the answer was taken in.
    pub took: Duration,
    /// Who answered.
    pub peer: Option<IpAddr>,
    /// The request: its line and headers as they were sent, but for those that the connection adds.
    pub request: String,
    /// The answer's status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body as it came over the wire, content coding and all.
    pub body: Vec<u8>,
    /// Whether that is all of the body: of an answer that brings no page the body is not taken in.
    pub whole: bool,
    /// When the copy came that a 304 speaks of.
    pub copy_from: Option<Timestamp>,
    /// What we took it for: `page`, `moved`, `unmodified`, or the code of a failure.
    pub outcome: &'static str,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (url, bytes) = (self.url.as_str(), self.body.len());
        f.debug_struct("Exchange").field("url", &url).field("status", &self.status).field("body_bytes", &bytes).finish_non_exhaustive()
    }
}

impl Exchange {
    /// The answer's head as HTTP/1.1, whatever version it came by. The connection has taken transfer codings off the body.
    pub(super) fn head(&self) -> Vec<u8> {
        // The library does not tell the reason phrase, and the standard lets it be empty.
        let mut head = format!("HTTP/1.1 {} \r\n", self.status).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "transfer-encoding") {
            head.extend([name.as_bytes(), b": ", value.as_slice(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }
}

/// What a visit keeps of its exchanges.
#[derive(Debug)]
pub struct Evidence {
    about: About,
    file: Mutex<Option<(Url, Timestamp, Warc)>>,
}

/// Whose exchanges they are.
#[derive(Debug, Clone)]
pub struct About {
    /// The session.
    pub session: String,
    /// The job.
    pub job: String,
}

impl Evidence {
    /// Nothing yet.
    pub fn of(about: About) -> Self {
        Self { about, file: Mutex::new(None) }
    }

    /// Adds an exchange.
    pub fn note(&self, exchange: &Exchange) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (.., warc) = file.get_or_insert_with(|| {
            let About { session, job } = &self.about;
            let visit = format!("{job}/{}", exchange.at.0);
            let warc = Warc::begun(&visit, exchange.at, &[("isPartOf", session), ("description", &format!("job {job}"))]);
            (exchange.url.clone(), exchange.at, warc)
        });
        let with_body = warc.packed_bytes() <= FILE_MAX;
        warc.add(exchange, with_body);
    }

    /// The first URL asked for, and the key and the bytes of the file; nothing if nobody was asked for anything.
    pub fn finish(self) -> Option<(Url, String, Vec<u8>)> {
        let file = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (first, at, warc) = file?;
        // Two visits of one job are apart in time.
        let key = format!("{FOLDER}/{}/{}/{}-{}.warc.gz", at.day(), site_of(&first), at.0, self.about.job);
        Some((first, key, warc.into_bytes()))
    }
}

/// Deletes the files of visits to a site: on removal of a person whom its pages name.
///
/// # Errors
/// [`ObjectsError`] if the object store fails; repeat.
pub async fn forget_site(objects: &Objects, site: &str) -> Result<(), ObjectsError> {
    objects.delete_in_folders_of(FOLDER, site).await
}
