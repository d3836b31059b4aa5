//! How pages are reached: limits, mapped hosts, and the visitor that keeps to them.

use crate::config::{Config, FetchConfig};
use crate::domain::backoff::RetryDelay;
use crate::domain::chance::Chance;
use crate::domain::clock::Clock;
use crate::objects::Objects;
use crate::scrape::Fetch;
use crate::scrape::guard::{Guard, HostMap, MappedHost};
use crate::scrape::limits::FetchLimits;
use crate::scrape::politeness::PolitenessSettings;
use crate::scrape::visit::{UrlDenial, VisitSettings, Visitor};
use crate::store::Store;
use crate::store::host_holds::MemoryHolds;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// The hosts that the configuration sends elsewhere, each warned about.
///
/// # Errors
/// A pattern names no host.
pub fn host_map(config: &FetchConfig) -> anyhow::Result<HostMap> {
    let mut map = HostMap::none();
    for host in &config.hosts {
        map.add(&host.host, MappedHost { address: host.address, port: host.port, spacing_ms: host.spacing_ms })?;
    }
    if let [first, rest @ ..] = config.hosts.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more hosts are mapped", rest.len()) };
        warn!(
            "{} is reached at {}:{} instead of its own address{more}; never do this on the public web",
            first.host, first.address, first.port
        );
    }
    Ok(map)
}

/// The limits of one response.
pub fn fetch_limits(fetch: &FetchConfig) -> FetchLimits {
    FetchLimits {
        connect_ms: fetch.connect_ms,
        head_ms: fetch.head_ms,
        idle_ms: fetch.idle_ms,
        total_ms: fetch.total_ms,
        wire_bytes: fetch.wire_bytes,
        decoded_bytes: fetch.decoded_bytes,
        ..FetchLimits::default()
    }
}

/// Where a visitor gets pages from, and what keeps it from some.
pub(super) struct Reach {
    pub fetch: Arc<dyn Fetch>,
    pub guard: Arc<Guard>,
    pub denial: Arc<dyn UrlDenial>,
    /// Whether sites of others are visited: a start then waits one interval, as the process before may just have asked them.
    pub on_public_web: bool,
}

/// A visitor with holds in memory.
pub(super) async fn visitor(
    config: &Config,
    store: &Arc<dyn Store>,
    objects: &Objects,
    clock: &Arc<dyn Clock>,
    chance: &Arc<Chance>,
    reach: Reach,
) -> anyhow::Result<Visitor> {
    let fetch = &config.fetch;
    let limits = fetch_limits(fetch);
    let politeness = PolitenessSettings {
        spacing_ms: fetch.spacing_ms,
        ask_again_ms: fetch.ask_again_ms,
        address_spacing_ms: 1_000 / u64::from(fetch.per_address_rps.max(1)),
        back_off: RetryDelay { interval_ms: fetch.back_off_ms, ..PolitenessSettings::default().back_off },
        ..PolitenessSettings::default()
    };
    // Mapped hosts obey only their own spacing, so only a start on the public web has to wait an interval.
    let not_before = if reach.on_public_web { clock.now().plus(Duration::from_millis(fetch.spacing_ms)) } else { clock.now() };
    let back_offs = store.host_back_offs(clock.now()).await?;
    let holds = Arc::new(MemoryHolds::new(store.clone(), back_offs, not_before));
    let settings = VisitSettings {
        politeness,
        limits,
        site: crate::scrape::limits::SiteLimits::default(),
        product_token: crate::scrape::robots::PRODUCT_TOKEN.to_owned(),
        guard: reach.guard,
    };
    Ok(Visitor::new(reach.fetch, holds, objects.clone(), reach.denial, clock.clone(), chance.clone(), settings))
}
