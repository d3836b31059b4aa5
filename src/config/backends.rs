//! Configuration of the backends: which stands behind each port, and where the services are.

use crate::actors::Role;
use crate::config::section::section;
use crate::config::{Config, Problem};
use crate::domain::secret::Secret;
use std::path::PathBuf;

section! {
    /// Which implementation stands behind each port. `embedded` needs no server; nothing is ever replaced silently.
    BackendsConfig in "backends" {
        /// Store of artists, ledger and sessions, and with it the change feed: `embedded` (SQLite) or `cql` (ScyllaDB, Cassandra).
        store: String = "embedded".to_owned(), |name| matches!(name.as_str(), "embedded" | "cql") => "`embedded` or `cql`";
        /// Queue of messages: `embedded` (in the embedded store) or `sqs`.
        queue: String = "embedded".to_owned(), |name| matches!(name.as_str(), "embedded" | "sqs") => "`embedded` or `sqs`";
        /// Search index: `embedded` (tantivy) or `opensearch`.
        search: String = "embedded".to_owned(), |name| matches!(name.as_str(), "embedded" | "opensearch") => "`embedded` or `opensearch`";
        /// Objects: `folder` or `s3`.
        objects: String = "folder".to_owned(), |name| matches!(name.as_str(), "folder" | "s3") => "`folder` or `s3`";
    }
}

impl BackendsConfig {
    /// Whether everything lies in this machine's folder, for one process alone.
    pub fn is_embedded(&self) -> bool {
        self.store == "embedded"
    }

    /// Whether several processes can share what these backends keep.
    pub fn is_shared(&self) -> bool {
        self.store != "embedded" && self.queue != "embedded" && self.search != "embedded" && self.objects != "folder"
    }
}

section! {
    /// The store on ScyllaDB or Apache Cassandra. Secrets here and below may be written as `env:NAME` or `file:PATH`.
    CqlConfig in "cql" {
        /// Contact points, `host:port`; the others are found through them.
        nodes: Vec<String> = vec!["127.0.0.1:9042".to_owned()], |nodes| !nodes.is_empty() => "at least one `host:port`";
        /// The keyspace; `inkdex migrate` makes it.
        keyspace: String = "inkdex".to_owned();
        /// What `inkdex migrate` makes the keyspace with.
        replication: String = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}".to_owned();
        /// The database's user. Empty: no credentials are sent.
        user: String = String::new();
        /// The user's password.
        password: Secret = Secret::default();
        /// Certificates (PEM) of the authorities that may vouch for a node; with one, every connection is encrypted. Empty: no TLS.
        ca_file: PathBuf = PathBuf::new();
        /// The datacenter this process runs in. Empty: the cluster has one.
        datacenter: String = String::new();
        /// How long a connection may take to be made, milliseconds.
        connect_ms: u64 = 5_000, |ms| (100..=60_000).contains(ms) => "100 to 60000";
        /// How long a statement may take, milliseconds; then its outcome is unknown and is asked for.
        request_ms: u64 = 5_000, |ms| (100..=60_000).contains(ms) => "100 to 60000";
        /// Into how many shards `inkdex migrate` divides the change feed; fixed from then on.
        feed_shards: u16 = 16, |shards| (1..=256).contains(shards) => "1 to 256";
        /// When the feed looks at what was committed late, milliseconds after a ten-second bucket's end: the first time.
        feed_look_again_ms: u64 = 30_000, |ms| (100..=600_000).contains(ms) => "100 to 600000";
        /// And the last time: a writer that is stopped for longer between two of its writes is found by `inkdex reconcile` only.
        feed_look_last_ms: u64 = 180_000, |ms| (200..=3_600_000).contains(ms) => "200 to 3600000";
    }
}

section! {
    /// The queue on Amazon SQS.
    SqsConfig in "sqs" {
        /// The queue's name; a standard queue, never FIFO.
        queue: String = "inkdex".to_owned();
        /// The name of the queue where SQS puts what was received 1,000 times.
        dead_letter_queue: String = "inkdex-dead".to_owned();
        /// The region.
        region: String = "eu-west-1".to_owned();
        /// The endpoint. Empty: the region's own.
        endpoint: String = String::new();
        /// The key that signs requests. Empty: the machine's role or environment, as AWS tools find them.
        access_key_id: String = String::new();
        /// Its secret half.
        secret_access_key: Secret = Secret::default();
        /// Whether queues that do not exist are created at the start. Existing ones are only checked, never changed.
        create: bool = false;
        /// How long one attempt of a call may take beyond the time it was asked to wait, milliseconds.
        answer_ms: u64 = 10_000, |ms| (500..=60_000).contains(ms) => "500 to 60000";
    }
}

section! {
    /// The search index on OpenSearch.
    OpenSearchConfig in "opensearch" {
        /// Where it is, without user and password.
        url: String = "http://127.0.0.1:9200".to_owned();
        /// What the names of indexes, aliases and template begin with.
        prefix: String = "artists".to_owned();
        /// Who we are there. Empty: nobody asks.
        user: String = String::new();
        /// The user's password.
        password: Secret = Secret::default();
        /// Certificates (PEM) of authorities to trust beside those of the system. Empty: none.
        ca_file: PathBuf = PathBuf::new();
        /// Documents of one bulk request at most.
        bulk_documents: usize = 500, |count| (1..=10_000).contains(count) => "1 to 10000";
        /// Bulk requests at once at most.
        bulk_concurrency: usize = 2, |count| (1..=32).contains(count) => "1 to 32";
    }
}

section! {
    /// Objects (page copies, reports) on S3.
    S3Config in "s3" {
        /// The bucket's name.
        bucket: String = "inkdex".to_owned();
        /// The region.
        region: String = "eu-west-1".to_owned();
        /// The endpoint. Empty: the region's own.
        endpoint: String = String::new();
        /// The key that signs requests. Empty: the machine's role or environment.
        access_key_id: String = String::new();
        /// Its secret half.
        secret_access_key: Secret = Secret::default();
        /// Whether the bucket is named in the path and not in the host, as other services than Amazon's mostly want it.
        path_style: bool = false;
        /// How long one request may take, milliseconds.
        answer_ms: u64 = 10_000, |ms| (500..=60_000).contains(ms) => "500 to 60000";
    }
}

/// Problems between the backends that were chosen.
pub(super) fn check_together(config: &Config) -> Vec<Problem> {
    let backends = &config.backends;
    let mut problems = Vec::new();
    let mut problem = |place: &str, what: &str, hint: &str| {
        problems.push(Problem { place: place.to_owned(), what: what.to_owned(), hint: hint.to_owned() });
    };
    if backends.queue == "embedded" && !backends.is_embedded() {
        problem(
            "backends.queue",
            "the embedded queue lies in the embedded store, and backends.store is `cql`",
            "set backends.queue = \"sqs\"",
        );
    }
    let built = [
        ("backends.store", backends.store == "cql", cfg!(feature = "cql"), "cql"),
        ("backends.queue", backends.queue == "sqs", cfg!(feature = "sqs"), "sqs"),
        ("backends.search", backends.search == "opensearch", cfg!(feature = "opensearch"), "opensearch"),
        ("backends.objects", backends.objects == "s3", cfg!(feature = "s3"), "s3"),
    ];
    for (place, asked, there, feature) in built {
        if asked && !there {
            problem(place, "this build lacks it", &format!("build with the feature `{feature}`, which is on by default"));
        }
    }
    if !backends.is_shared() && Role::ALL.iter().any(|role| !config.process.roles.contains(role)) {
        let hint = "leave process.roles as it is, or set store, queue, search and objects to shared backends";
        problem("process.roles", "an embedded backend belongs to one process, which has to do everything", hint);
    }
    if backends.is_shared() && config.privacy.hash_key_file.as_os_str().is_empty() {
        let hint = "set it to a file that every process has, as made by `head -c 32 /dev/urandom`";
        problem("privacy.hash_key_file", "processes that share a store need the same key of the denylist", hint);
    }
    if config.cql.feed_look_last_ms <= config.cql.feed_look_again_ms {
        problem("cql.feed_look_last_ms", "the last look comes before the first", "set it above cql.feed_look_again_ms");
    }
    problems
}
