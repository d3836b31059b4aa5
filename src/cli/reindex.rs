//! `inkdex reindex`: builds the search index anew beside the old one, and puts it in its place.

use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use inkdex::jobs::reindex::{ReindexSettings, reindex};
use serde_json::json;
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex reindex                after a change of the mapping, or when the index is not trusted any more

With OpenSearch the new index is built beside the old one: searches and writes go on, and the alias is moved in one step.
The embedded index is emptied and filled, and needs the database for itself: stop the daemon before.
The index of dead letters is left as it is: an empty or lost one is filled from the ledger by the next `inkdex serve`, and
`inkdex reconcile --repair` mends it.";

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let ports = match world::open(&config).await? {
        World::Own(ports) => ports,
        World::Daemon(daemon) => bail!(
            "a running inkdex ({}) holds the embedded index; stop it first, then repeat: an index that cannot be used is also built anew at its next start",
            daemon.address()
        ),
    };
    let done = reindex(&ports, &ReindexSettings::default()).await?;
    if common.json {
        output::json(&json!({
            "rows": done.rows, "followed": done.followed, "parked": done.parked, "beside": done.beside
        }))?;
    } else {
        let how = if done.beside { "built beside the old one and put in its place" } else { "emptied and filled" };
        output::line(&format!("the index was {how}: {} rows, {} changes followed meanwhile", done.rows, done.followed))?;
        if !done.parked.is_empty() {
            output::line(&format!("{} artists cannot be indexed and were parked; the log says why", done.parked.len()))?;
        }
    }
    Ok(if done.parked.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
