//! The real servers that tests speak to (`scripts/servers.sh`). `INKDEX_TEST_SERVERS` names the `servers.env` of a run that is
//! up, as in `make test`; without it the script starts what is asked for, once in this process, and stops it when we are gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Where another process tells of running servers.
const ENV_FILE: &str = "INKDEX_TEST_SERVERS";

/// One of the servers that the script knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Apache Cassandra, addressed as `host:port`.
    Cassandra,
    /// OpenSearch, addressed by a URL.
    OpenSearch,
    /// ElasticMQ, addressed by a URL.
    ElasticMq,
    /// moto, addressed by a URL.
    Moto,
}

impl Server {
    /// The script's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::Cassandra => "cassandra",
            Self::OpenSearch => "opensearch",
            Self::ElasticMq => "elasticmq",
            Self::Moto => "moto",
        }
    }

    /// What `servers.env` calls its address.
    fn variable(self) -> &'static str {
        match self {
            Self::Cassandra => "INKDEX_TEST_CASSANDRA",
            Self::OpenSearch => "INKDEX_TEST_OPENSEARCH",
            Self::ElasticMq => "INKDEX_TEST_SQS",
            Self::Moto => "INKDEX_TEST_S3",
        }
    }
}

/// Where each server is.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Cassandra, as `host:port`.
    pub cassandra: String,
    /// ElasticMQ, as a URL.
    pub sqs: String,
    /// OpenSearch, as a URL.
    pub opensearch: String,
    /// moto, as a URL.
    pub s3: String,
}

/// The servers that all tests share.
pub fn shared() -> Addresses {
    Addresses { cassandra: cassandra(), sqs: sqs(), opensearch: opensearch(), s3: s3() }
}

/// Apache Cassandra, as `host:port`.
pub fn cassandra() -> String {
    address(Server::Cassandra)
}

/// OpenSearch, as a URL.
pub fn opensearch() -> String {
    address(Server::OpenSearch)
}

/// ElasticMQ, as a URL.
pub fn sqs() -> String {
    address(Server::ElasticMq)
}

/// moto, as a URL.
pub fn s3() -> String {
    address(Server::Moto)
}

/// A name that no other test has, for a queue, a bucket, a keyspace (put a letter and no hyphen) or an index.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

fn address(server: Server) -> String {
    // What a start came to is kept: one that failed is not tried again by each of a hundred tests.
    static KNOWN: LazyLock<Mutex<BTreeMap<Server, Result<String, String>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.entry(server).or_insert_with(|| find(server));
    match found {
        Ok(address) => address.clone(),
        Err(why) => panic!("{why}"),
    }
}

fn find(server: Server) -> Result<String, String> {
    let file = match std::env::var_os(ENV_FILE) {
        Some(file) => PathBuf::from(file),
        None => start_in(&std::env::temp_dir().join(format!("inkdex-test-servers-{}", std::process::id())), &[server])?,
    };
    told(&file, server.variable())
}

fn told(file: &Path, variable: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    let found = pairs.find(|(key, _)| *key == variable).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| format!("{} tells no {variable}: it does not run there", file.display()))
}

/// Servers of a test's own, to be stopped, paused or set otherwise; gone when this is dropped.
#[derive(Debug)]
pub struct OwnServers {
    run: PathBuf,
}

impl OwnServers {
    /// Starts them, without data.
    pub fn start(servers: &[Server]) -> Self {
        let own = Self { run: std::env::temp_dir().join(unique("inkdex-test-own-")) };
        own.start_again(servers);
        own
    }

    /// Where one listens.
    pub fn address(&self, server: Server) -> String {
        told(&self.run.join("servers.env"), server.variable()).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The process of one.
    pub fn pid(&self, server: Server) -> u32 {
        let told = told(&self.run.join("servers.env"), &format!("{}_PID", server.variable()));
        told.unwrap_or_else(|why| panic!("{why}")).parse().expect("a process id")
    }

    /// Stops one; its data stays.
    pub fn stop(&self, server: Server) {
        let output = Command::new(SCRIPT).args(["stop", server.name(), "--run"]).arg(&self.run).output().expect("the script runs");
        assert!(output.status.success(), "{SCRIPT} stop {}: {}", server.name(), String::from_utf8_lossy(&output.stderr));
    }

    /// Starts those that do not run, on their data and where they were before.
    pub fn start_again(&self, servers: &[Server]) {
        start_in(&self.run, servers).unwrap_or_else(|why| panic!("{why}"));
    }
}

impl Drop for OwnServers {
    fn drop(&mut self) {
        // A stop that fails is done again by the script's own watch on this process.
        let _stopped = Command::new(SCRIPT).args(["stop", "--run"]).arg(&self.run).output();
    }
}

/// What starts and stops them.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers.sh");

fn start_in(run: &Path, servers: &[Server]) -> Result<PathBuf, String> {
    let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
    let mut command = Command::new(SCRIPT);
    command.arg("start").args(&names).args(["--for-pid", &std::process::id().to_string(), "--run"]).arg(run);
    let output = command.output().map_err(|error| format!("{SCRIPT} cannot be run: {error}"))?;
    if output.status.success() {
        Ok(run.join("servers.env"))
    } else {
        Err(format!("{SCRIPT} start {} failed:\n{}", names.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}
