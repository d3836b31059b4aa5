//! What discovery found: how many studios each source named, how far it answered for each area, and how many of them two
//! sources share. Written once all of it stands in studios' rows, so it also says that a session's discovery is done.

use crate::discover::{AreaCoverage, Discovered};
use crate::domain::ids::SessionId;
use crate::domain::merge::Merged;
use crate::jobs::{PortError, Ports};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// JSON in the object store, and part of the session's report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryReport {
    /// Studios that each source named.
    pub named: BTreeMap<String, u64>,
    /// Studios that these are, those on the denylist not counted.
    pub studios: u64,
    /// Studios that two sources named both, by their names.
    pub shared: BTreeMap<String, u64>,
    /// Entries of each source that could not be used.
    pub unusable: BTreeMap<String, u64>,
    /// Calls to each source that counts them.
    pub calls: BTreeMap<String, u64>,
    /// How far each source answered for each area.
    pub areas: Vec<AreaCoverage>,
}

impl DiscoveryReport {
    /// Adds what a source answered.
    pub fn add(&mut self, source: &str, discovered: &Discovered) {
        *self.named.entry(source.to_owned()).or_default() += discovered.studios.len() as u64;
        let unusable = discovered.problems.len() as u64 + discovered.areas.iter().map(|area| area.unusable).sum::<u64>();
        if unusable > 0 {
            *self.unusable.entry(source.to_owned()).or_default() += unusable;
        }
        if discovered.calls > 0 {
            self.calls.insert(source.to_owned(), discovered.calls);
        }
        self.areas.extend(discovered.areas.iter().cloned());
    }

    /// Counts what sources share.
    pub fn count_shared(&mut self, studios: &[Merged]) {
        for studio in studios {
            let sources: BTreeSet<&str> = studio.named_by.iter().map(|by| by.source.as_str()).collect();
            let sources: Vec<&str> = sources.into_iter().collect();
            for (n, one) in sources.iter().enumerate() {
                for other in &sources[n + 1..] {
                    *self.shared.entry(format!("{one} + {other}")).or_default() += 1;
                }
            }
        }
    }
}

fn key(session: &SessionId) -> String {
    format!("{}/report.json", crate::discover::grid::run_folder(session))
}

/// The report of a session's discovery, once it is done.
///
/// # Errors
/// The object store failed.
pub async fn discovery_of(ports: &Ports, session: &SessionId) -> Result<Option<DiscoveryReport>, PortError> {
    let bytes = ports.objects.get(&key(session)).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Says that a session's discovery is done.
pub(super) async fn put(ports: &Ports, session: &SessionId, report: &DiscoveryReport) -> Result<(), PortError> {
    ports.objects.put(&key(session), serde_json::to_vec_pretty(report).unwrap_or_default()).await?;
    Ok(())
}
