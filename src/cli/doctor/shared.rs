//! The doctor's look at backends that are servers: each is opened as a start would open it.

use super::{Findings, key, ledger};
use crate::cli::world;
use inkdex::app::{self, Surroundings};
use inkdex::config::Config;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::jobs::reconcile;
use std::sync::Arc;

/// The parts in the order in which they are opened, and what to look at when one does not open.
const PARTS: [(&str, &str); 4] = [
    ("store", "look at the section `cql` of the configuration, and at the servers themselves"),
    ("queue", "look at the section `sqs` of the configuration"),
    ("index", "look at the section `opensearch` of the configuration, and at the servers themselves"),
    ("objects", "look at the section `s3` of the configuration"),
];

/// Opens each part, then compares what they hold.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let chance = Arc::new(Chance::seeded(clock.now().0.unsigned_abs()));
    let mut all_open = true;
    for (part, advice) in PARTS {
        match app::look_at(config, part, &clock, &chance).await {
            Ok(Some(backend)) => findings.good(part, format!("{}: {}", backend.name, backend.detail)),
            Ok(None) => findings.note(part, "embedded, in the data folder".to_owned(), ""),
            Err(error) => {
                all_open = false;
                findings.bad(part, format!("{error:#}"), advice);
            }
        }
    }
    let Ok((store, _)) = world::reading(config).await else { return };
    match ledger(store.as_ref()).await {
        Ok((text, None)) => findings.good("ledger", text),
        Ok((text, Some(advice))) => findings.note("ledger", text, advice),
        Err(error) => findings.bad("ledger", format!("{error:#}"), "look at the servers of the store"),
    }
    key(config, store.as_ref(), findings).await;
    if !all_open {
        findings.note("search index", "not compared with the table while a part is out".to_owned(), "");
        return;
    }
    match compare(config).await {
        Ok(drift) if drift.is_none() => findings.good("search index", format!("{} rows, table, keys and index say the same", drift.rows)),
        Ok(drift) => findings.bad("search index", drift.to_string(), "`inkdex reconcile --repair` indexes again what differs"),
        Err(error) => findings.bad("search index", format!("{error:#}"), "look at store and index above"),
    }
}

async fn compare(config: &Config) -> anyhow::Result<reconcile::Drift> {
    let ports = app::open_ports(config, Surroundings::of_this_process()?).await?;
    Ok(reconcile::compare_steadily(&ports).await?)
}
