//! What the adapter is told: where OpenSearch is, who we are there, and how much it is asked at once.

use crate::search::SearchError;
use crate::search::opensearch::pace::BulkLimits;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Longest prefix of index names, in bytes; OpenSearch takes names of 255.
const PREFIX_MAX_BYTES: usize = 100;

/// A user of OpenSearch's security plugin, or of a proxy before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Name.
    pub user: String,
    /// Password, which is never printed.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How OpenSearch is reached and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSearchSettings {
    /// `https://search.example:9200`, without user and password.
    pub url: Url,
    /// What the names of our indexes, aliases and template begin with.
    pub prefix: String,
    /// Who we are there; `None` where nobody asks.
    pub login: Option<Login>,
    /// Certificates in PEM of authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for a page of hits, counts or a scan.
    pub search_within: Duration,
    /// Longest wait for one bulk request, until what it wrote is searchable.
    pub write_within: Duration,
    /// Longest wait for a change of indexes and aliases.
    pub admin_within: Duration,
    /// What a bulk request holds and how many run at once, while OpenSearch keeps up.
    pub bulk: BulkLimits,
}

impl OpenSearchSettings {
    /// The settings for a server, with the time limits and sizes that suit most.
    pub fn new(url: Url, prefix: impl Into<String>) -> Self {
        Self {
            url,
            prefix: prefix.into(),
            login: None,
            ca_file: None,
            search_within: Duration::from_secs(3),
            write_within: Duration::from_secs(15),
            admin_within: Duration::from_secs(30),
            bulk: BulkLimits { operations: 500, bytes: 2_000_000, concurrency: 2 },
        }
    }

    /// Refuses what OpenSearch would refuse later, or misread.
    pub(super) fn check(&self) -> Result<(), SearchError> {
        let refuse = |why: String| Err(SearchError::Refused(why));
        if !matches!(self.url.scheme(), "http" | "https") || self.url.host().is_none() {
            return refuse(format!("opensearch.url is `{}`; write it as https://host:9200", self.url));
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return refuse("opensearch.url holds a user or a password; set opensearch.user and opensearch.password instead".to_owned());
        }
        let first_fits = self.prefix.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let rest_fits = self.prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !first_fits || !rest_fits || self.prefix.len() > PREFIX_MAX_BYTES {
            let form = "lower-case letters, digits and hyphens, beginning with a letter or digit, at most 100";
            return refuse(format!("opensearch.prefix is `{}`; it has {form}", self.prefix));
        }
        if self.bulk.operations == 0 || self.bulk.bytes == 0 || self.bulk.concurrency == 0 {
            return refuse("opensearch's bulk sizes and concurrency are at least 1".to_owned());
        }
        Ok(())
    }

    /// The alias that is searched: it hides tombstones.
    pub fn searched(&self) -> String {
        self.prefix.clone()
    }

    /// The alias that is written and scanned: it has all.
    pub fn written(&self) -> String {
        format!("{}-all", self.prefix)
    }

    /// The alias of dead letters, written and searched.
    pub fn letters(&self) -> String {
        format!("{}-letters", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, prefix: &str) -> OpenSearchSettings {
        OpenSearchSettings::new(Url::parse(url).unwrap(), prefix)
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_key_to_change() {
        assert!(settings("https://search.example:9200", "artists").check().is_ok());
        for (url, prefix, key) in [
            ("ftp://search.example", "artists", "opensearch.url"),
            ("https://admin:secret@search.example", "artists", "opensearch.user"),
            ("https://search.example", "Artists", "opensearch.prefix"),
            ("https://search.example", "-artists", "opensearch.prefix"),
            ("https://search.example", "", "opensearch.prefix"),
            ("https://search.example", "a*", "opensearch.prefix"),
        ] {
            let refused = settings(url, prefix).check().expect_err(url).to_string();
            assert!(refused.contains(key) && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = Login { user: "inkdex".to_owned(), password: "hunter2".to_owned() };
        let settings = OpenSearchSettings { login: Some(login), ..settings("https://search.example", "artists") };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
