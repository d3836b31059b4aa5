//! Indexes of a test's own on the real OpenSearch, dropped with it, and plain requests beside the adapter.

use crate::support::servers;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::SystemClock;
use inkdex::search::SearchError;
use inkdex::search::opensearch::{OpenSearchIndex, OpenSearchSettings};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use url::Url;

/// A prefix that no other test has.
pub struct OwnIndexes {
    pub settings: OpenSearchSettings,
}

impl OwnIndexes {
    /// On the server of this test run.
    pub fn new() -> Self {
        let url = Url::parse(&servers::opensearch()).expect("the URL of the server");
        Self { settings: OpenSearchSettings::new(url, servers::unique("it-")) }
    }

    /// Opens the index as a process does.
    pub async fn open(&self) -> Result<OpenSearchIndex, SearchError> {
        open(self.settings.clone()).await
    }

    /// The same indexes by another way to the server, as through a proxy.
    pub fn by(&self, url: &Url) -> OpenSearchSettings {
        OpenSearchSettings { url: url.clone(), ..self.settings.clone() }
    }

    /// A request beside the adapter; answers status and JSON. `{all}` and `{prefix}` stand for our names.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let path = path.replace("{all}", &self.settings.written()).replace("{prefix}", &self.settings.prefix);
        request(&self.settings.url, method, &path, body).expect("OpenSearch answers")
    }

    /// The names of our indexes.
    pub fn names(&self) -> Vec<String> {
        let (_, indexes) = self.ask("GET", "/{prefix}-*/_alias", "");
        indexes.as_object().expect("indexes").keys().cloned().collect()
    }
}

impl Drop for OwnIndexes {
    fn drop(&mut self) {
        let prefix = &self.settings.prefix;
        for path in [format!("/{prefix}*"), format!("/_index_template/{prefix}"), format!("/_index_template/{prefix}-letters")] {
            // A test that failed since nobody answers is told of that by itself.
            drop(request(&self.settings.url, "DELETE", &path, ""));
        }
    }
}

/// Opens an index by settings.
pub async fn open(settings: OpenSearchSettings) -> Result<OpenSearchIndex, SearchError> {
    OpenSearchIndex::open(settings, Arc::new(SystemClock::new()), Arc::new(Chance::seeded(7))).await
}

/// The adapter without a look at the server.
pub fn connect(settings: OpenSearchSettings) -> OpenSearchIndex {
    OpenSearchIndex::connect(settings, Arc::new(SystemClock::new()), Arc::new(Chance::seeded(7))).expect("good settings")
}

fn request(url: &Url, method: &str, path: &str, body: &str) -> std::io::Result<(u16, Value)> {
    let address = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let mut stream = TcpStream::connect(&address)?;
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}
