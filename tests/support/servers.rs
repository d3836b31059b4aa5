//! The real servers that tests speak to (`scripts/servers.sh`). `INKDEX_TEST_SERVERS` names the `servers.env` of a run that is
//! up, as in `make test`; without it the script starts what is asked for, once in this process, and stops it when we are gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Where another process tells of running servers.
const ENV_FILE: &str = "INKDEX_TEST_SERVERS";

/// Apache Cassandra, as `host:port`.
pub fn cassandra() -> String {
    address("cassandra", "INKDEX_TEST_CASSANDRA")
}

/// OpenSearch, as a URL.
pub fn opensearch() -> String {
    address("opensearch", "INKDEX_TEST_OPENSEARCH")
}

/// ElasticMQ, as a URL.
pub fn sqs() -> String {
    address("elasticmq", "INKDEX_TEST_SQS")
}

/// moto, as a URL.
pub fn s3() -> String {
    address("moto", "INKDEX_TEST_S3")
}

/// A name that no other test has, for a queue, a bucket, a keyspace (put a letter and no hyphen) or an index.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

fn address(name: &str, variable: &str) -> String {
    // What a start came to is kept: one that failed is not tried again by each of a hundred tests.
    static KNOWN: LazyLock<Mutex<BTreeMap<String, Result<String, String>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.entry(name.to_owned()).or_insert_with(|| find(name, variable));
    match found {
        Ok(address) => address.clone(),
        Err(why) => panic!("{why}"),
    }
}

fn find(name: &str, variable: &str) -> Result<String, String> {
    let file = match std::env::var_os(ENV_FILE) {
        Some(file) => PathBuf::from(file),
        None => start(name)?,
    };
    told(&file, name, variable)
}

fn told(file: &Path, name: &str, variable: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    let found = pairs.find(|(key, _)| *key == variable).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| format!("{} tells no {variable}: {name} does not run there", file.display()))
}

/// A server of a test's own, to be stopped, paused or set otherwise; gone when this is dropped.
#[derive(Debug)]
pub struct OwnServer {
    run: PathBuf,
    /// Where it listens.
    pub address: String,
}

impl OwnServer {
    /// moto without data.
    pub fn moto() -> Self {
        Self::start("moto", "INKDEX_TEST_S3")
    }

    fn start(name: &str, variable: &str) -> Self {
        let run = std::env::temp_dir().join(unique("inkdex-test-own-"));
        let started = start_in(&run, name).and_then(|file| told(&file, name, variable));
        Self { run, address: started.unwrap_or_else(|why| panic!("{why}")) }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A stop that fails is done again by the script's own watch on this process.
        let _stopped = Command::new(SCRIPT).args(["stop", "--run"]).arg(&self.run).output();
    }
}

/// What starts and stops them.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers.sh");

fn start(name: &str) -> Result<PathBuf, String> {
    start_in(&std::env::temp_dir().join(format!("inkdex-test-servers-{}", std::process::id())), name)
}

fn start_in(run: &Path, name: &str) -> Result<PathBuf, String> {
    let mut command = Command::new(SCRIPT);
    command.args(["start", name, "--for-pid", &std::process::id().to_string(), "--run"]).arg(run);
    let output = command.output().map_err(|error| format!("{SCRIPT} cannot be run: {error}"))?;
    if output.status.success() {
        Ok(run.join("servers.env"))
    } else {
        Err(format!("{SCRIPT} start {name} failed:\n{}", String::from_utf8_lossy(&output.stderr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn every_server_listens() {
        for address in [cassandra(), opensearch(), sqs(), s3()] {
            let bare = address.trim_start_matches("http://");
            assert!(TcpStream::connect(bare).is_ok(), "{address}");
        }
    }
}
