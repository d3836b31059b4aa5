//! What the CQL store is told: where the database is, who we are there, how long we wait.

use crate::store::{StoreError, StoreResult};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach and use a ScyllaDB or Cassandra cluster.
#[derive(Clone, PartialEq)]
pub struct CqlSettings {
    /// Contact points, `host:port`; the others are found through them.
    pub nodes: Vec<String>,
    /// The keyspace: lower-case letters, digits and `_`, at most 48.
    pub keyspace: String,
    /// What `migrate` makes the keyspace with, as `{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}`.
    pub replication: String,
    /// The database's user; without one, no credentials are sent.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Certificates (PEM) of the authorities that may vouch for a node. With one, every connection is encrypted, and a
    /// node's certificate must name its address (IP), since nodes are found by address.
    pub ca_file: Option<PathBuf>,
    /// The datacenter this process runs in: its nodes are asked, and `LOCAL_…` consistency means it.
    pub datacenter: Option<String>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a statement may take; then its outcome is unknown.
    pub request_timeout: Duration,
    /// Into how many shards `migrate` divides the change feed; fixed from then on.
    pub feed_shards: u16,
}

impl Default for CqlSettings {
    fn default() -> Self {
        Self {
            nodes: vec!["127.0.0.1:9042".to_owned()],
            keyspace: "inkdex".to_owned(),
            replication: "{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}".to_owned(),
            user: None,
            password: None,
            ca_file: None,
            datacenter: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            feed_shards: 16,
        }
    }
}

impl fmt::Debug for CqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CqlSettings")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("ca_file", &self.ca_file)
            .field("datacenter", &self.datacenter)
            .finish_non_exhaustive()
    }
}

impl CqlSettings {
    /// Refuses settings that cannot be used: both texts become part of a statement.
    pub(super) fn check(&self) -> StoreResult<()> {
        let refused = |text: String| Err(StoreError::Refused(text));
        if self.nodes.is_empty() {
            return refused("no node of the database is named; name at least one as host:port".to_owned());
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let named = self.keyspace.bytes().all(plain) && self.keyspace.starts_with(|first: char| first.is_ascii_lowercase());
        if !named || self.keyspace.len() > 48 {
            return refused(format!("`{}` cannot be a keyspace: use at most 48 lower-case letters, digits and _", self.keyspace));
        }
        let replication = self.replication.trim();
        if !replication.starts_with('{') || !replication.ends_with('}') || replication.contains(';') {
            return refused(format!("`{replication}` is no replication; write it as {}", Self::default().replication));
        }
        if self.feed_shards == 0 || self.feed_shards > 1_024 {
            return refused(format!("the change feed cannot have {} shards; 1 to 1024 are possible", self.feed_shards));
        }
        Ok(())
    }

    /// The nodes, for sentences.
    pub(super) fn node_list(&self) -> String {
        self.nodes.join(", ")
    }
}
