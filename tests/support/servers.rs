//! The real servers that tests speak to (`scripts/servers.sh`). `INKDEX_TEST_SERVERS` names the `servers.env` of a run that is
//! up, as in `make test`; without it the script starts what is asked for, once in this process, and stops it when we are gone.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    let found = pairs.find(|(key, _)| *key == variable).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| format!("{} tells no {variable}: {name} does not run there", file.display()))
}

fn start(name: &str) -> Result<PathBuf, String> {
    let pid = std::process::id();
    let run = std::env::temp_dir().join(format!("inkdex-test-servers-{pid}"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers.sh");
    let mut command = Command::new(script);
    command.args(["start", name, "--for-pid", &pid.to_string(), "--run"]).arg(&run);
    let output = command.output().map_err(|error| format!("{script} cannot be run: {error}"))?;
    if output.status.success() {
        Ok(run.join("servers.env"))
    } else {
        Err(format!("{script} start {name} failed:\n{}", String::from_utf8_lossy(&output.stderr)))
    }
}
