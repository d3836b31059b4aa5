//! What hostile pages cost: this test binary, executed again, reads pages of a server of its parent by the real fetcher and
//! parser, and tells of each how it ended, how long it took and the most memory the process ever held.

use crate::support::visits::USER_AGENT;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::extract::{ParseLimits, ParseStop, SitemapError, Styles};
use inkdex::jobs::reading::{ChildSettings, PageReader, ReadError};
use inkdex::scrape::guard::{Guard, HostMap, MappedHost};
use inkdex::scrape::http::HttpFetch;
use inkdex::scrape::limits::FetchLimits;
use inkdex::scrape::{Ask, Fetch, Hop, Wanted};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const ADDRESS: &str = "INKDEX_TEST_HOSTILE";
/// Begins every line that is ours; the test runner of the child speaks too.
const MARK: &str = "inkdex-test ";

/// The name of the child's test for the runner: this module, without the crate.
fn name() -> String {
    let module = module_path!().split_once("::").map_or("", |(_, rest)| rest);
    format!("{module}::reads_what_it_is_told")
}

/// How the reading of one page ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    pub path: String,
    /// `read`, the code of the failed fetch, or the limit of the parser.
    pub ended: String,
    pub took_ms: u64,
    /// Processor time of the whole process, so that what else the machine does is not in it.
    pub cpu_ms: u64,
    /// The most memory held since the process began, kilobytes.
    pub peak_kb: u64,
}

/// Limits of an ordinary visit, with times scaled to milliseconds.
pub fn limits() -> FetchLimits {
    FetchLimits { connect_ms: 500, head_ms: 1_200, idle_ms: 1_500, total_ms: 2_500, ..FetchLimits::default() }
}

/// Reads `paths` of the server in a process of their own; the first answer is that of an honest page before them.
pub fn read_in_child(server: SocketAddr, paths: &[String]) -> Vec<Reading> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name(), "--nocapture", "--test-threads=1"])
        .env(ADDRESS, server.to_string())
        // One heap for all threads: what each of several keeps for later is not what a page costs.
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(paths.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "the reading process ended with {}: {told}", output.status);
    let readings: Vec<Reading> =
        told.lines().filter_map(|line| line.split_once(MARK)).map(|(_, json)| serde_json::from_str(json).unwrap()).collect();
    assert_eq!(readings.len(), paths.len() + 1, "{told}");
    readings
}

/// Processor time of this process, all threads.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// The most memory this process ever held.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells the peak of a process");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What is read as a sitemap, by the beginning of its path.
pub const SITEMAPS: &str = "/sitemap";

async fn read(fetch: &HttpFetch, reader: &PageReader, path: &str) -> String {
    let url = Url::parse(&format!("http://hostile.example{path}")).unwrap();
    let is_sitemap = path.starts_with(SITEMAPS);
    let wanted = if is_sitemap { Wanted::Sitemap } else { Wanted::Page };
    let page = match fetch.fetch(&url, &Ask { wanted, ..Ask::default() }).await {
        Ok(Hop::Page(page)) => page,
        Ok(Hop::Redirect { .. }) => return "redirect".to_owned(),
        Ok(Hop::NotModified { .. }) => return "not modified".to_owned(),
        Err(error) => return error.code().to_owned(),
    };
    let stopped = |stop: ParseStop| serde_json::to_value(stop).unwrap()["stop"].as_str().unwrap().to_owned();
    if is_sitemap {
        return match reader.read_sitemap(&page.url, page.text).await.unwrap() {
            Ok(_) => "read".to_owned(),
            Err(SitemapError::Stopped(stop)) => stopped(stop),
            Err(SitemapError::NotOne) => "no_sitemap".to_owned(),
        };
    }
    match reader.read(&page.url, page.text, false).await {
        Ok(_) => "read".to_owned(),
        Err(ReadError::Stopped(stop)) => stopped(stop),
        Err(error) => error.to_string(),
    }
}

/// Executed by [`read_in_child`] it reads what it is told; by itself it is the proof that an honest page is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_what_it_is_told() {
    let Ok(address) = std::env::var(ADDRESS) else {
        let server = crate::support::hostile::HostileServer::start().unwrap();
        let told = tokio::task::spawn_blocking(move || read_in_child(server.addr, &[])).await.unwrap();
        assert_eq!(told[0].ended, "read");
        return;
    };
    let address: SocketAddr = address.parse().unwrap();
    let mut map = HostMap::none();
    map.add("*.example", MappedHost { address: address.ip(), port: address.port(), spacing_ms: 0 }).unwrap();
    let clock = Arc::new(SystemClock::new());
    let fetch = HttpFetch::new(Arc::new(Guard::new(map)), limits(), USER_AGENT, clock.clone()).unwrap();
    let child = ChildSettings { program: PathBuf::new(), time: Duration::ZERO, memory_mb: 0 };
    let reader = PageReader::new(Arc::new(Styles::standard()), ParseLimits::default(), 1, child);
    let paths: Vec<String> = std::io::stdin().lines().map_while(Result::ok).collect();
    for path in std::iter::once("/charset-lie".to_owned()).chain(paths) {
        let (began, spent) = (clock.monotonic(), processor_time());
        let ended = read(&fetch, &reader, &path).await;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let (took_ms, cpu_ms) = (ms(clock.monotonic() - began), ms(processor_time() - spent));
        println!("{MARK}{}", serde_json::to_string(&Reading { path, ended, took_ms, cpu_ms, peak_kb: peak_kb() }).unwrap());
    }
}
