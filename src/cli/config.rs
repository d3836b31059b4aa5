//! `inkdex config`: check, show, default.

use crate::cli::{Common, output};
use clap::{Args, Subcommand};
use inkdex::config::{Config, default_toml};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex config default > inkdex.toml                every key with its default and what it means
  inkdex config check --config inkdex.toml           every problem with its place and a hint
  inkdex config show --config inkdex.toml            what files and --set values add up to

Files are read in the order given, later ones win, --set wins over all. INKDEX_CONFIG names a file as --config does.";

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say every problem, or that there is none.
    Check,
    /// Print the configuration in force, every key.
    Show,
    /// Print every key with its default and documentation.
    Default,
}

/// Runs the verb.
///
/// # Errors
/// The configuration has problems.
pub fn run(common: &Common, args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Check => {
            let checked = common.config_problems();
            if common.json {
                let problems = checked.as_ref().err().map(|error| &error.problems[..]).unwrap_or_default();
                let told: Vec<serde_json::Value> = problems
                    .iter()
                    .map(|problem| serde_json::json!({ "place": problem.place, "problem": problem.what, "hint": problem.hint }))
                    .collect();
                output::json(&serde_json::json!({ "good": told.is_empty(), "problems": told }))?;
                return Ok(if told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            checked?;
            output::line("the configuration is good")?;
        }
        What::Show => {
            let config = common.config()?;
            if common.json { output::json(&config)? } else { output::line(toml::to_string_pretty(&config)?.trim_end())? }
        }
        What::Default if common.json => output::json(&Config::default())?,
        What::Default => output::line(default_toml().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
