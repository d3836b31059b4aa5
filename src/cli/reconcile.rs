//! `inkdex reconcile`: compares table, keys and index in full, and repairs what differs.

use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use async_trait::async_trait;
use clap::Args;
use inkdex::alert::Alert;
use inkdex::app;
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::write_artist::{WriteArtist, WriteError, Written};
use inkdex::jobs::{Desk, reconcile};
use inkdex::store::StoreError;
use serde_json::json;
use std::process::ExitCode;
use tracing::warn;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex reconcile              compare; exit code 1 if table, keys and index differ
  inkdex reconcile --repair     and write again what differs

Needs the database for itself: stop the daemon before (it keeps the index in step by itself).";

/// Ids printed of each kind at most.
const SHOWN: usize = 10;

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ReconcileArgs {
    /// Write again what differs.
    #[arg(long)]
    repair: bool,
}

/// Alerts of a verb go to its log: there is no Alerter beside it.
#[derive(Debug)]
struct OnTheLog;

#[async_trait]
impl Desk for OnTheLog {
    async fn write(&self, _: WriteArtist) -> Result<Written, WriteError> {
        Err(WriteError::Store(StoreError::Unavailable("reconcile writes no artist".to_owned())))
    }

    async fn alert(&self, alert: Alert) {
        warn!(alert.kind = alert.kind.as_str(), alert.subject = %alert.subject, "{}", alert.text);
    }
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: ReconcileArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let ports = match world::open(&config).await? {
        World::Own(ports) => ports,
        World::Daemon(daemon) => bail!(
            "a running inkdex ({}) holds the index and keeps it in step by itself; stop it first, or see its figures at {}metrics",
            daemon.address(),
            daemon.address()
        ),
    };
    let drift = if args.repair {
        reconcile::repair(&ports, &OnTheLog, &app::sync_settings(&config)).await?
    } else {
        reconcile::compare_steadily(&ports).await?
    };
    let repaired = args.repair && !drift.is_none();
    if common.json {
        output::json(&json!({ "drift": drift, "in_step": drift.is_none(), "repaired": repaired }))?;
    } else {
        output::line(&format!("{} rows compared", drift.rows))?;
        for (what, ids) in [
            ("missing in the index", &drift.missing),
            ("differing from their row", &drift.differing),
            ("in the index without a row", &drift.unknown),
            ("not passing their own hash", &drift.unsound),
            ("lacking keys", &drift.keys_missing),
            ("in the key tables with more than their row holds", &drift.keys_surplus),
        ] {
            if !ids.is_empty() {
                output::line(&format!("{:>6} {what}: {}", ids.len(), listed(ids)))?;
            }
        }
        output::line(match (drift.is_none(), repaired) {
            (true, _) => "table, keys and index say the same",
            (false, true) => "what differed was written again",
            (false, false) => "table, keys and index differ; `inkdex reconcile --repair` writes again what differs",
        })?;
        if !drift.unsound.is_empty() {
            output::line("rows that do not pass their own hash are hidden until they are scraped again (`inkdex run`)")?;
        }
    }
    let good = drift.is_none() || (repaired && drift.unsound.is_empty());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn listed(ids: &[ArtistId]) -> String {
    let mut shown: Vec<&str> = ids.iter().take(SHOWN).map(ArtistId::as_str).collect();
    if ids.len() > SHOWN {
        shown.push("…");
    }
    shown.join(" ")
}
