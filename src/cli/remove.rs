//! `inkdex remove`: takes a person out of the directory, for good (rule 15).

use crate::cli::daemon::segment;
use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use clap::Args;
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::remove_artist;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex remove artist-1f0c… --reason \"asked by mail\"      asks before it does it
  inkdex remove artist-1f0c… --yes                         for scripts

The person is put on the denylist, and row, keys, evidence, page copies and index entry go. Nobody finds them again,
no later run brings them back, and it cannot be undone. Goes through the API of a running daemon.";

/// Whom to remove.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct RemoveArgs {
    /// The artist's id, as `inkdex search` prints it.
    artist: String,
    /// Why, for the audit trail; no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Runs the verb.
///
/// # Errors
/// There is no such artist, nobody said yes, or a sentence that says what to change.
pub async fn run(common: Common, args: RemoveArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let id = ArtistId::new(args.artist.trim());
    let name = {
        let (store, _) = world::reading(&config).await?;
        let row = store.artist(&id).await?;
        let Some(row) = row else { bail!("{}", remove_artist::RemoveError::Unknown(id)) };
        row.record.map(|record| record.name.value)
    };
    if !args.yes && !confirmed(&id, name.as_deref())? {
        bail!("nothing was removed; answer `yes`, or give --yes");
    }
    let answer = match world::open(&config).await? {
        World::Own(ports) => {
            remove_artist::remove(&ports, &id, "cli", args.reason.as_deref()).await?;
            world::show_in_index(&ports, &id).await?;
            json!({ "artist_id": id, "removed": true })
        }
        World::Daemon(daemon) => {
            daemon.post(&format!("/admin/v1/artists/{}:remove", segment(id.as_str())), &json!({ "reason": args.reason })).await?
        }
    };
    if common.json {
        output::json(&answer)?;
    } else {
        output::line(&format!("{id} is removed for good"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn confirmed(id: &ArtistId, name: Option<&str>) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("removal cannot be undone, and nobody can be asked here; give --yes");
    }
    eprint!("Remove {} ({id}) for good? This cannot be undone. Type yes: ", name.unwrap_or("an artist without record"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
