//! Typed configuration, one file a topic; every problem is reported at once.

mod backends;
mod browser;
mod discovery;
mod read;
pub(crate) mod section;
mod service;
mod work;

pub use backends::{BackendsConfig, CqlConfig, OpenSearchConfig, S3Config, SqsConfig};
pub use browser::BrowserConfig;
pub use discovery::{AreaConfig, DiscoveryConfig, OverpassConfig, PlacesConfig};
pub use read::{ConfigError, ConfigText, default_toml};
pub use section::Problem;
pub use service::{AlertsConfig, DataConfig, LogConfig, PrivacyConfig, ProcessConfig, ServerConfig, link_of_contact};
pub use work::{FetchConfig, LedgerConfig, MappedHost, PipelineConfig, SyncConfig, WorkersConfig};

use section::SectionDoc;

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Config {
    /// Where data lies.
    pub data: DataConfig,
    /// Which implementation stands behind each port.
    pub backends: BackendsConfig,
    /// This process among others.
    pub process: ProcessConfig,
    /// The store in CQL.
    pub cql: CqlConfig,
    /// The queue on SQS.
    pub sqs: SqsConfig,
    /// The index on OpenSearch.
    pub opensearch: OpenSearchConfig,
    /// Objects on S3.
    pub s3: S3Config,
    /// HTTP.
    pub server: ServerConfig,
    /// Sources of studios.
    pub discovery: DiscoveryConfig,
    /// Google Places.
    pub places: PlacesConfig,
    /// OpenStreetMap.
    pub overpass: OverpassConfig,
    /// Fetching and politeness.
    pub fetch: FetchConfig,
    /// The browser for pages that need JavaScript.
    pub browser: BrowserConfig,
    /// The pool of workers.
    pub workers: WorkersConfig,
    /// Attempts, leases and re-sends.
    pub ledger: LedgerConfig,
    /// Schedule and pipeline.
    pub pipeline: PipelineConfig,
    /// From the change feed to the index.
    pub sync: SyncConfig,
    /// Alerts.
    pub alerts: AlertsConfig,
    /// Removal.
    pub privacy: PrivacyConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Config {
    /// The documentation of every section, in the order of the generated file.
    pub const SECTIONS: [&'static SectionDoc; 20] = [
        &DataConfig::DOC,
        &BackendsConfig::DOC,
        &ProcessConfig::DOC,
        &CqlConfig::DOC,
        &SqsConfig::DOC,
        &OpenSearchConfig::DOC,
        &S3Config::DOC,
        &ServerConfig::DOC,
        &DiscoveryConfig::DOC,
        &PlacesConfig::DOC,
        &OverpassConfig::DOC,
        &FetchConfig::DOC,
        &BrowserConfig::DOC,
        &WorkersConfig::DOC,
        &LedgerConfig::DOC,
        &PipelineConfig::DOC,
        &SyncConfig::DOC,
        &AlertsConfig::DOC,
        &PrivacyConfig::DOC,
        &LogConfig::DOC,
    ];

    fn set(&mut self, section: &str, key: &str, value: &toml::Value) -> Result<(), String> {
        match section {
            "data" => self.data.set(key, value),
            "backends" => self.backends.set(key, value),
            "process" => self.process.set(key, value),
            "cql" => self.cql.set(key, value),
            "sqs" => self.sqs.set(key, value),
            "opensearch" => self.opensearch.set(key, value),
            "s3" => self.s3.set(key, value),
            "server" => self.server.set(key, value),
            "discovery" => self.discovery.set(key, value),
            "places" => self.places.set(key, value),
            "overpass" => self.overpass.set(key, value),
            "fetch" => self.fetch.set(key, value),
            "browser" => self.browser.set(key, value),
            "workers" => self.workers.set(key, value),
            "ledger" => self.ledger.set(key, value),
            "pipeline" => self.pipeline.set(key, value),
            "sync" => self.sync.set(key, value),
            "alerts" => self.alerts.set(key, value),
            "privacy" => self.privacy.set(key, value),
            "log" => self.log.set(key, value),
            _ => Err("unknown section".to_owned()),
        }
    }

    /// Problems between keys, which no single key can show.
    fn check_together(&self) -> Vec<Problem> {
        let mut problems = backends::check_together(self);
        problems.extend(discovery::check_together(self));
        problems.extend(browser::check_together(self));
        let mut problem = |place: &str, what: String, hint: &str| {
            problems.push(Problem { place: place.to_owned(), what, hint: hint.to_owned() });
        };
        if self.workers.min > self.workers.max {
            let what = format!("min ({}) is above max ({})", self.workers.min, self.workers.max);
            problem("workers.min", what, "set workers.max at least as high as workers.min");
        }
        if self.ledger.lease_ms < self.workers.extend_lease_ms.saturating_mul(2) {
            let what = format!("a lease of {} ms cannot be kept alive every {} ms", self.ledger.lease_ms, self.workers.extend_lease_ms);
            problem("ledger.lease_ms", what, "set ledger.lease_ms to at least twice workers.extend_lease_ms");
        }
        if self.workers.stall_ms <= self.fetch.total_ms {
            let what = format!("a job is given up after {} ms, and one request may take {} ms", self.workers.stall_ms, self.fetch.total_ms);
            problem("workers.stall_ms", what, "set workers.stall_ms above fetch.total_ms");
        }
        if self.server.admin && !self.server.bind.ip().is_loopback() {
            let what = format!("the admin API would be reachable at {}, and it has no keys or roles yet", self.server.bind);
            problem("server.bind", what, "bind to 127.0.0.1, or set server.admin = false");
        }
        problems
    }
}
