//! Configuration of the work: fetching, workers, ledger, pipeline, sync.

use crate::config::section::section;
use crate::domain::backoff::RetryDelay;
use crate::domain::ledger::LedgerLimits;
use crate::scrape::robots::PRODUCT_TOKEN;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Whether a user agent carries the name that robots.txt is read for, and can be sent as a header.
fn is_our_agent(agent: &str) -> bool {
    let version = agent.strip_prefix(PRODUCT_TOKEN).and_then(|rest| rest.strip_prefix('/'));
    version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_graphic()))
        && agent.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

/// An exact host, or `*.suffix`, that is reached at a fixed address: for tests and demos, never for the public web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedHost {
    /// `studio.example` or `*.example`.
    pub host: String,
    /// The address to connect to instead of resolving the name.
    pub address: IpAddr,
    /// The port to connect to.
    pub port: u16,
    /// Milliseconds between two requests to this host.
    pub spacing_ms: u64,
}

section! {
    /// Fetching: politeness and limits.
    FetchConfig in "fetch" {
        /// Who we say we are: `Inkdex/` and a version, as robots.txt is obeyed for Inkdex; then a link to a page of yours that
        /// explains the bot and takes complaints.
        user_agent: String = "Inkdex/0.1 (+https://inkdex.example/bot)".to_owned(), |agent| is_our_agent(agent)
            => "`Inkdex/`, a version, then what you like, in visible ASCII; robots.txt is obeyed for the name Inkdex, so no other may be sent";
        /// Milliseconds between two requests to a host, unless its robots.txt asks for more.
        spacing_ms: u64 = 1_000, |ms| *ms >= 200 => "at least 200; only mapped hosts may be visited faster";
        /// Requests per second to one public address, over all hosts at it.
        per_address_rps: u32 = 4, |rps| (1..=100).contains(rps) => "1 to 100";
        /// Milliseconds after which a job asks again for a host that another job holds.
        ask_again_ms: u64 = 1_000, |ms| (1..=600_000).contains(ms) => "1 to 600000";
        /// Milliseconds a host that answers 429 or 503 is left alone at least, however little its Retry-After asks; doubles up to an hour.
        back_off_ms: u64 = 5_000, |ms| (1..=3_600_000).contains(ms) => "1 to 3600000";
        /// Milliseconds to connect.
        connect_ms: u64 = 5_000, |ms| (10..=60_000).contains(ms) => "10 to 60000";
        /// Milliseconds to the head of the answer.
        head_ms: u64 = 10_000, |ms| (10..=60_000).contains(ms) => "10 to 60000";
        /// Milliseconds between two pieces of the body.
        idle_ms: u64 = 10_000, |ms| (10..=60_000).contains(ms) => "10 to 60000";
        /// Milliseconds for a request in all.
        total_ms: u64 = 30_000, |ms| (10..=300_000).contains(ms) => "10 to 300000";
        /// Bytes of a page on the wire.
        wire_bytes: u64 = 2_000_000, |bytes| (1_000..=100_000_000).contains(bytes) => "1000 to 100000000";
        /// Bytes of a page after decompression.
        decoded_bytes: usize = 5_000_000, |bytes| (1_000..=100_000_000).contains(bytes) => "1000 to 100000000";
        /// Pages read of one site in one session.
        pages_per_site: usize = 12, |pages| (1..=200).contains(pages) => "1 to 200";
        /// Spare pages that earlier sessions kept: one that stays the same is asked for after 1, 2, 4 … 30 days, by a request that
        /// costs nothing if it did not change (ETag, Last-Modified); lists of artists every day. Off: every session asks for
        /// every page anew, as `inkdex run --fresh` does once.
        recrawl: bool = true;
        /// Days for which what went over the wire in a visit is kept as evidence: a WARC file a visit, below `visits/` among the
        /// objects. 0: none is kept.
        evidence_days: u32 = 30, |days| *days <= 3_650 => "0 to 3650";
        /// Milliseconds of processor time for parsing and reading a page.
        parse_ms: u64 = 500, |ms| (1..=60_000).contains(ms) => "1 to 60000";
        /// Nodes of a parsed page.
        parse_nodes: usize = 60_000, |nodes| (100..=5_000_000).contains(nodes) => "100 to 5000000";
        /// Depth of a parsed page.
        parse_depth: usize = 512, |depth| (16..=10_000).contains(depth) => "16 to 10000";
        /// Hosts reached at fixed addresses. Each is warned about at the start.
        hosts: Vec<MappedHost> = Vec::new();
        /// Refuse every host that is not in `hosts`: for demos and rehearsals, which must not leave this machine.
        only_mapped: bool = false;
    }
}

section! {
    /// The pool of scraping workers: it grows and shrinks with the depth of the queue.
    WorkersConfig in "workers" {
        /// Fewest jobs in work at once.
        min: usize = 2, |n| (1..=1_000).contains(n) => "1 to 1000";
        /// Most jobs in work at once.
        max: usize = 16, |n| (1..=1_000).contains(n) => "1 to 1000";
        /// Waiting jobs per worker above which the pool grows.
        jobs_per_worker: usize = 4, |n| (1..=10_000).contains(n) => "1 to 10000";
        /// How often the pool's size is looked at, milliseconds.
        resize_every_ms: u64 = 1_000, |ms| (10..=60_000).contains(ms) => "10 to 60000";
        /// Pages parsed at once.
        parsers: usize = 2, |n| (1..=256).contains(n) => "1 to 256";
        /// How often the leases of running jobs are extended, milliseconds.
        extend_lease_ms: u64 = 20_000, |ms| (10..=600_000).contains(ms) => "10 to 600000";
        /// A job that makes no progress for this long is given up, milliseconds.
        stall_ms: u64 = 120_000, |ms| (2_000..=3_600_000).contains(ms) => "2000 to 3600000";
        /// Milliseconds a suspect's child process may take for one page.
        child_ms: u64 = 5_000, |ms| (50..=600_000).contains(ms) => "50 to 600000";
        /// Megabytes of memory a suspect's child process may have.
        child_mb: u64 = 512, |mb| (64..=16_384).contains(mb) => "64 to 16384";
        /// How often actors are asked for a heartbeat, milliseconds; three missed ones mean frozen.
        heartbeat_ms: u64 = 5_000, |ms| (20..=60_000).contains(ms) => "20 to 60000";
        /// Restarts of one actor within a minute above which the process ends with an error.
        restarts_per_minute: usize = 10, |n| (1..=1_000).contains(n) => "1 to 1000";
        /// Milliseconds for a graceful stop to finish running jobs; what is left is released.
        drain_ms: u64 = 20_000, |ms| (0..=25_000).contains(ms) => "0 to 25000";
    }
}

impl WorkersConfig {
    /// Time for a graceful stop to finish running jobs.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

section! {
    /// Attempts, leases and re-sends.
    LedgerConfig in "ledger" {
        /// Attempts that may end in a counted outcome before a job is a dead letter.
        max_attempts: u32 = 5, |n| (1..=100).contains(n) => "1 to 100";
        /// Deaths of a job's worker, seen by the living parent, before it is quarantined.
        max_deaths: u32 = 3, |n| (1..=100).contains(n) => "1 to 100";
        /// Starts without outcome after which a job goes to the end of its line and an alert is owed.
        max_orphans: u32 = 10, |n| (1..=1_000).contains(n) => "1 to 1000";
        /// Milliseconds an attempt holds its job without extending.
        lease_ms: u64 = 60_000, |ms| (20..=43_200_000).contains(ms) => "20 to 43200000";
        /// Milliseconds after a send at which a message that was not started is sent again; doubles each time.
        resend_ms: u64 = 600_000, |ms| (20..=86_400_000).contains(ms) => "20 to 86400000";
        /// The longest such wait, milliseconds.
        resend_max_ms: u64 = 21_600_000, |ms| (20..=864_000_000).contains(ms) => "20 to 864000000";
        /// Delay before the first retry, milliseconds.
        retry_ms: u64 = 5_000, |ms| (1..=3_600_000).contains(ms) => "1 to 3600000";
        /// The longest delay before a retry, milliseconds.
        retry_max_ms: u64 = 900_000, |ms| (1..=86_400_000).contains(ms) => "1 to 86400000";
        /// How often due, lost and parked jobs are looked for, milliseconds.
        sweep_every_ms: u64 = 500, |ms| (5..=600_000).contains(ms) => "5 to 600000";
        /// Jobs of one host that may be sent or running at once.
        jobs_per_host: usize = 2, |n| (1..=100).contains(n) => "1 to 100";
        /// Days after the end of a session when its jobs and their attempts are dropped; the session and its report stay.
        keep_days: u32 = 90, |days| (30..=3_650).contains(days) => "30 to 3650";
        /// The same for sessions with dead letters. Never sooner than the others.
        keep_letters_days: u32 = 365, |days| (30..=3_650).contains(days) => "30 to 3650";
    }
}

impl LedgerConfig {
    /// The limits as the ledger's decisions take them.
    pub fn limits(&self) -> LedgerLimits {
        LedgerLimits {
            counted: self.max_attempts,
            deaths: self.max_deaths,
            orphans: self.max_orphans,
            lease: Duration::from_millis(self.lease_ms),
            resend_first: Duration::from_millis(self.resend_ms),
            resend_max: Duration::from_millis(self.resend_max_ms),
            retry: RetryDelay { interval_ms: self.retry_ms, rate: 2.0, max_ms: self.retry_max_ms },
        }
    }
}

section! {
    /// The nightly run.
    PipelineConfig in "pipeline" {
        /// The pipeline's definition. Empty: the built-in `config/pipelines/daily.yaml`.
        file: PathBuf = PathBuf::new();
        /// Whether the schedule fires at all.
        scheduled: bool = true;
        /// Whether a run missed while the daemon was down is caught up, once.
        catch_up: bool = true;
        /// How often schedule and sessions are looked at, milliseconds.
        tick_ms: u64 = 500, |ms| (5..=60_000).contains(ms) => "5 to 60000";
    }
}

section! {
    /// From the change feed to the search index.
    SyncConfig in "sync" {
        /// Changes taken at once.
        batch: usize = 500, |n| (1..=10_000).contains(n) => "1 to 10000";
        /// Milliseconds to wait for further changes before a batch is indexed.
        linger_ms: u64 = 20, |ms| *ms <= 1_000 => "0 to 1000";
        /// Attempts for a document's own failure before it is parked (an outage counts for none).
        item_attempts: u32 = 3, |n| (1..=100).contains(n) => "1 to 100";
        /// Documents parked within an hour above which the shard halts: a broken mapping is no bad record.
        parked_per_hour: usize = 100, |n| (1..=100_000).contains(n) => "1 to 100000";
        /// Days after which tombstones leave the index.
        tombstone_days: u32 = 7, |n| (4..=365).contains(n) => "4 to 365, above the feed's 3 days";
    }
}
