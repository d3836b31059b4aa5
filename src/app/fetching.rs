//! How pages are reached: limits, mapped hosts, and the visitor that keeps to them.

use crate::config::{Config, FetchConfig};
use crate::domain::backoff::RetryDelay;
use crate::domain::chance::Chance;
use crate::domain::clock::{Clock, Timestamp};
use crate::objects::Objects;
use crate::scrape::Fetch;
use crate::scrape::draw::Draw;
use crate::scrape::guard::{Guard, HostMap, MappedHost};
use crate::scrape::limits::FetchLimits;
use crate::scrape::politeness::PolitenessSettings;
use crate::scrape::visit::{UrlDenial, VisitSettings, Visitor};
use crate::store::host_holds::MemoryHolds;
use crate::store::{HostHolds, Store};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Most mapped hosts that are warned about one by one.
const WARNINGS_MAX: usize = 20;

const MAPPED: &str = "reached there instead of at its own address; never do this on the public web";

/// The hosts that the configuration sends elsewhere, each warned about.
///
/// # Errors
/// A pattern names no host.
pub fn host_map(config: &FetchConfig) -> anyhow::Result<HostMap> {
    let mut map = HostMap::none();
    for host in &config.hosts {
        map.add(&host.host, MappedHost { address: host.address, port: host.port, spacing_ms: host.spacing_ms })?;
    }
    for warning in map_warnings(&map) {
        warn!("{warning}");
    }
    Ok(map)
}

/// What to say of mapped hosts: a line each (all hosts of a wildcard are one), and a count of those that would be too many.
fn map_warnings(map: &HostMap) -> Vec<String> {
    let lines = map.lines();
    let mut warnings: Vec<String> = lines.iter().take(WARNINGS_MAX).map(|line| format!("{line}: {MAPPED}")).collect();
    if lines.len() > WARNINGS_MAX {
        warnings.push(format!("and {} more hosts: {MAPPED}", lines.len() - WARNINGS_MAX));
    }
    warnings
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
    pub draw: Arc<dyn Draw>,
    pub guard: Arc<Guard>,
    pub denial: Arc<dyn UrlDenial>,
    /// Whether what goes over the wire may be kept: not for a visit by hand, whose copies are thrown away.
    pub keeps: bool,
    /// Holds on hosts that processes share; without, they are kept in memory.
    pub shared_holds: Option<Arc<dyn HostHolds>>,
    /// The store that knows which hosts asked to be left alone.
    pub remembers: Arc<dyn Store>,
}

/// When the first request may be made: where sites of others can be visited, beside mapped ones or not, a start waits one
/// interval, as the process before may just have asked them.
pub(super) fn not_before(config: &Config, clock: &dyn Clock) -> Timestamp {
    let wait = if config.fetch.only_mapped { 0 } else { config.fetch.spacing_ms };
    clock.now().plus(Duration::from_millis(wait))
}

/// A visitor; back-offs that it meets are written to `store`.
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
    let holds = match reach.shared_holds {
        Some(holds) => holds,
        None => {
            let back_offs = reach.remembers.host_back_offs(clock.now()).await?;
            Arc::new(MemoryHolds::new(store.clone(), back_offs, not_before(config, clock.as_ref())))
        }
    };
    let settings = VisitSettings {
        politeness,
        limits,
        site: crate::scrape::limits::SiteLimits::default(),
        product_token: crate::scrape::robots::PRODUCT_TOKEN.to_owned(),
        guard: reach.guard,
        recrawl: fetch.recrawl,
        evidence: reach.keeps && fetch.evidence_days > 0,
        need_memory: Duration::from_secs(u64::from(config.browser.remember_days) * 24 * 3_600),
    };
    Ok(Visitor::new((reach.fetch, reach.draw), holds, objects.clone(), reach.denial, clock.clone(), chance.clone(), settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MappedHost as Entry;

    fn mapped(patterns: impl Iterator<Item = String>) -> Vec<String> {
        let hosts = patterns.map(|host| Entry { host, address: [127, 0, 0, 1].into(), port: 8080, spacing_ms: 1 }).collect();
        map_warnings(&host_map(&FetchConfig { hosts, ..FetchConfig::default() }).unwrap())
    }

    #[test]
    fn each_mapped_host_is_warned_about_up_to_twenty() {
        assert!(mapped(std::iter::empty()).is_empty());
        let two = mapped(["studio.example", "*.test"].into_iter().map(str::to_owned));
        assert_eq!(two, [format!("*.test -> 127.0.0.1:8080: {MAPPED}"), format!("studio.example -> 127.0.0.1:8080: {MAPPED}")]);
        assert_eq!(mapped((0..20).map(|site| format!("site{site:02}.example"))).len(), 20);
        let many = mapped((0..25).map(|site| format!("site{site:02}.example")));
        assert_eq!(many.len(), 21);
        assert!(many[19].starts_with("site19.example -> ") && many[20].starts_with("and 5 more hosts: "), "{many:?}");
    }
}
