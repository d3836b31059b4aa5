//! `inkdex eval`: extraction against labelled sites; predicts first, reading only `entry` of the labels, then scores.

use crate::cli::extract::prediction;
use crate::cli::rehearsal::Scratch;
use crate::cli::{Common, logs, output};
use anyhow::Context as _;
use clap::Args;
use inkdex::app::single::{self, SiteAt};
use inkdex::config::Config;
use inkdex::domain::clock::SystemClock;
use inkdex::eval::{entry_of, faults_table, read_truth, score, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex eval corpus/dev                               the table by field
  inkdex eval corpus/dev --errors                      and every wrong, missed or invented value
  inkdex eval corpus/dev --json                        the figures
  inkdex eval corpus/dev --predictions out.jsonl       keep what was predicted, one site a line

FOLDER holds one folder a site, each with its pages and a truth.json. Sites are read before any label but its `entry` is.";

/// Which labels.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct EvalArgs {
    /// The folder above the labelled sites.
    folder: PathBuf,
    /// Read without a browser, and score sites drawn by scripts on what their bare HTML gives away.
    #[arg(long = "static")]
    static_only: bool,
    /// Print every wrong, missed or invented value.
    #[arg(long)]
    errors: bool,
    /// Write the predictions to this file, one JSON object a line.
    #[arg(long, value_name = "OUT.jsonl")]
    predictions: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// The folder holds no labels, or a file cannot be read or written.
pub async fn run(common: Common, args: EvalArgs) -> anyhow::Result<ExitCode> {
    let mut config = common.config()?;
    logs::start_quiet(&config.log, "error")?;
    config.browser.enabled &= !args.static_only;
    let predictions = predict(&config, &args.folder).await?;
    if let Some(file) = &args.predictions {
        let lines: Vec<String> = predictions.values().map(|value| value.to_string() + "\n").collect();
        std::fs::write(file, lines.concat()).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    // From here on the labels are read; before, only `entry` was.
    let rows = read_truth(&args.folder)?;
    let report = score(&rows, &predictions, args.static_only);
    if common.json {
        let mut value = serde_json::to_value(&report)?;
        if args.errors {
            value["errors"] = serde_json::to_value(&report.faults)?;
        }
        output::json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.errors {
        output::line(&(faults_table(&report) + "\n"))?;
    }
    output::line(&table(&report))?;
    Ok(ExitCode::SUCCESS)
}

/// The folders of labelled sites, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or holds none.
pub fn site_folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).with_context(|| {
        format!("{} cannot be read; give a folder that holds one folder a site, each with truth.json", folder.display())
    })?;
    let mut sites: Vec<PathBuf> =
        list.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.join("truth.json").is_file()).collect();
    sites.sort();
    anyhow::ensure!(!sites.is_empty(), "no */truth.json under {}; give the folder above the sites", folder.display());
    Ok(sites)
}

/// Reads each site as `inkdex extract` does, knowing its first page and nothing else of its label.
async fn predict(config: &Config, folder: &Path) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut predictions = BTreeMap::new();
    for root in site_folders(folder)? {
        let id = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let site = SiteAt::Folder { entry: entry_of(&root)?, root };
        let scratch = Scratch::new(None)?;
        let (visit, entry) = single::single_visit(config, scratch.folder(), &site, Arc::new(SystemClock::new())).await?;
        let reading = match visit.read_as_far(&entry).await {
            Ok(reading) => reading,
            Err(unread) => {
                eprintln!("{id}: no prediction: {unread}");
                continue;
            }
        };
        if let Some(undrawn) = reading.undrawn {
            eprintln!("{id}: read as it was sent: {undrawn}");
        }
        let mut value = prediction(&reading.facts)?;
        value["id"] = json!(id);
        predictions.insert(id, value);
    }
    Ok(predictions)
}
