//! `inkdex reconcile`: compares table, keys and index, and dead letters and their index, in full, and repairs what differs.

use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use async_trait::async_trait;
use clap::Args;
use inkdex::alert::Alert;
use inkdex::app;
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::jobs::write_artist::{WriteArtist, WriteError, Written};
use inkdex::jobs::{Desk, reconcile, reconcile_letters};
use inkdex::store::StoreError;
use serde_json::json;
use std::process::ExitCode;
use tracing::warn;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex reconcile              compare; exit code 1 if table, keys, dead letters and indexes differ
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
    let (drift, letters) = if args.repair {
        let drift = reconcile::repair(&ports, &OnTheLog, &app::sync_settings(&config)).await?;
        (drift, reconcile_letters::repair(&ports).await?)
    } else {
        (reconcile::compare_steadily(&ports).await?, reconcile_letters::compare_steadily(&ports).await?)
    };
    let in_step = drift.is_none() && letters.is_none();
    let repaired = args.repair && !in_step;
    if common.json {
        output::json(&json!({ "drift": drift, "letters": letters, "in_step": in_step, "repaired": repaired }))?;
    } else {
        output::line(&format!("{} rows and {} dead letters compared", drift.rows, letters.letters))?;
        for (what, ids) in [
            ("missing in the index", &drift.missing),
            ("differing from their row", &drift.differing),
            ("in the index without a row", &drift.unknown),
            ("not passing their own hash", &drift.unsound),
            ("lacking keys", &drift.keys_missing),
            ("in the key tables with more than their row holds", &drift.keys_surplus),
        ] {
            if !ids.is_empty() {
                output::line(&format!("{:>6} {what}: {}", ids.len(), listed(ids.iter().map(ArtistId::as_str))))?;
            }
        }
        for (what, ids) in [
            ("dead letters missing in their index", &letters.missing),
            ("dead letters differing from their row", &letters.differing),
            ("in the index of dead letters without one", &letters.unknown),
        ] {
            if !ids.is_empty() {
                output::line(&format!("{:>6} {what}: {}", ids.len(), listed(ids.iter().map(JobId::as_str))))?;
            }
        }
        output::line(match (in_step, repaired) {
            (true, _) => "table, keys and index say the same",
            (false, true) => "what differed was written again",
            (false, false) => "table, keys and index differ; `inkdex reconcile --repair` writes again what differs",
        })?;
        if !drift.unsound.is_empty() {
            output::line("rows that do not pass their own hash are hidden until they are scraped again (`inkdex run`)")?;
        }
    }
    let good = in_step || (repaired && drift.unsound.is_empty());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn listed<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = ids.len() > SHOWN;
    let mut shown: Vec<&str> = ids.take(SHOWN).collect();
    if more {
        shown.push("…");
    }
    shown.join(" ")
}
