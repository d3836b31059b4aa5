//! `inkdex replay`: what the extractors of this build make of the pages that are kept, without touching any site.

use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use clap::Args;
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::outcome::Outcome;
use inkdex::jobs::Ports;
use inkdex::jobs::replay::{self, Replayed};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex replay                    after a change of extractors or of config/styles.toml: who would change, and how
  inkdex replay artist-1f0c…       only these artists
  inkdex replay --json             before and after of every field, for programs
  inkdex replay --apply            write it, as the nightly run would: compare-and-set, denylist, feed, search index

Reads what the last visits kept of each page; no site is asked for anything, nobody retires and nobody counts as seen.
A value that is found no more stays until two nights have missed it; artists who are not in the directory yet come with the
next run. The embedded database is needed for itself: stop the daemon before. On shared backends it works beside the daemons.
Exit code 0: done. 1: some of an artist's pages could not be read again, or an artist could not be written.";

/// Rows read at once.
const PAGE: usize = 200;
/// Longest value in the table, characters.
const VALUE_MAX_CHARS: usize = 60;

/// Whom to read again.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ReplayArgs {
    /// Only these artists, by the ids that `inkdex search` prints.
    #[arg(value_name = "ARTIST")]
    artists: Vec<String>,
    /// Write what would change.
    #[arg(long)]
    apply: bool,
}

/// What came of it, added up.
#[derive(Default)]
struct Sum {
    read: u64,
    changed: Vec<Value>,
    unread: Vec<Value>,
    failed: u64,
}

/// Runs the verb.
///
/// # Errors
/// There is no such artist, or a sentence that says what to change.
pub async fn run(common: Common, args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let ports = match world::open(&config).await? {
        World::Own(ports) => *ports,
        World::Daemon(daemon) => bail!("a running inkdex ({}) holds the database; stop it first, then repeat", daemon.address()),
    };
    let mut sum = Sum::default();
    if args.artists.is_empty() {
        let mut after = None;
        loop {
            let rows = ports.store.scan_artists(after.as_ref(), PAGE).await?;
            for row in rows.iter().filter(|row| row.live().is_some()) {
                one(&common, &ports, &row.id, args.apply, &mut sum).await?;
            }
            match rows.last() {
                Some(row) => after = Some(row.id.clone()),
                None => break,
            }
        }
    }
    for id in args.artists.iter().map(|id| ArtistId::new(id.trim())) {
        let row = ports.store.artist(&id).await?;
        if row.as_ref().and_then(ArtistRow::live).is_none() {
            bail!("there is no artist {id}; `inkdex search` prints ids");
        }
        one(&common, &ports, &id, args.apply, &mut sum).await?;
    }
    sum.tell(&common, args.apply)
}

async fn one(common: &Common, ports: &Ports, id: &ArtistId, apply: bool, sum: &mut Sum) -> anyhow::Result<()> {
    let Some(replayed) = replay::compare(ports, id).await? else { return Ok(()) };
    sum.read += 1;
    if !replayed.unread.is_empty() {
        sum.unread.push(json!({ "artist_id": replayed.artist_id, "name": replayed.name, "why": replayed.unread }));
        if !common.json {
            output::line(&format!("{id}  {}: not read again: {}", replayed.name, replayed.unread.join("; ")))?;
        }
    }
    if replayed.changes.is_empty() {
        return Ok(());
    }
    if !common.json {
        output::line(&told(&replayed))?;
    }
    let outcome = if apply { Some(applied(ports, id).await?) } else { None };
    if let Some(outcome) = outcome.as_ref().filter(|outcome| !matches!(outcome, Outcome::Done { .. })) {
        sum.failed += 1;
        eprintln!("{id} was not written: {outcome:?}");
    }
    let mut value = serde_json::to_value(&replayed)?;
    value["outcome"] = serde_json::to_value(&outcome)?;
    sum.changed.push(value);
    Ok(())
}

/// Writes the artist, and shows the row to the index: beside a daemon its feed does so as well, which is harmless.
async fn applied(ports: &Ports, id: &ArtistId) -> anyhow::Result<Outcome> {
    let outcome = replay::apply(ports, id).await?;
    world::show_in_index(ports, id).await?;
    Ok(outcome)
}

/// An artist who changes, field by field.
fn told(replayed: &Replayed) -> String {
    let rows: Vec<Vec<String>> = replayed
        .changes
        .iter()
        .map(|change| vec![format!("  {}", change.field), format!("{} → {}", short(&change.before), short(&change.after))])
        .collect();
    format!("{}  {}\n{}", replayed.artist_id, replayed.name, output::columns(&rows))
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "nothing".to_owned(),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    output::short(&text, VALUE_MAX_CHARS)
}

impl Sum {
    fn tell(self, common: &Common, apply: bool) -> anyhow::Result<ExitCode> {
        let good = self.unread.is_empty() && self.failed == 0;
        if common.json {
            output::json(&json!({ "read": self.read, "changed": self.changed, "unread": self.unread, "applied": apply }))?;
        } else {
            let verb = if apply { "changed" } else { "would change" };
            output::line(&format!("{} of {} artists {verb}; no site was asked for anything", self.changed.len(), self.read))?;
            if !apply && !self.changed.is_empty() {
                output::line("`inkdex replay --apply` writes it")?;
            }
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
