//! The command line: one file a verb.

mod demo;
mod progress;

use clap::{Args, Parser, Subcommand};
use inkdex::config::{Config, ConfigText};
use std::path::PathBuf;
use std::process::ExitCode;

/// An open directory of tattoo artists, kept current every night.
#[derive(Debug, Parser)]
#[command(name = "inkdex", version, max_term_width = 100, after_help = FIRST_STEPS)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What newcomers try first.
const FIRST_STEPS: &str = "First steps:
  inkdex demo                                    see everything work on a made-up web
  inkdex run --set discovery.studio_files='[\"studios.yaml\"]'
                                                 read your own studios once
  inkdex serve                                   the search page, the API and the nightly run";

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file (TOML); later ones win. `inkdex config default` prints every key.
    #[arg(long, short, global = true, value_name = "FILE", env = "INKDEX_CONFIG")]
    config: Vec<PathBuf>,
    /// One setting, as `workers.max=4`; wins over files.
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    settings: Vec<String>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the whole path on a made-up web on this machine, then show the search page.
    Demo(demo::DemoArgs),
    /// The child process that reads a suspect's page.
    #[command(name = "__read-page", hide = true)]
    ReadPage,
}

impl Common {
    /// The configuration that files and settings add up to.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mut texts = Vec::new();
        for file in &self.config {
            texts.push(ConfigText::from_file(file)?);
        }
        for setting in &self.settings {
            texts.push(ConfigText::from_setting(setting)?);
        }
        Ok(Config::read(&texts)?)
    }
}

/// Runs the verb; errors are printed with everything that led to them.
pub fn main(cli: Cli) -> ExitCode {
    let done = match cli.verb {
        Verb::ReadPage => {
            let read = inkdex::jobs::reading::child_main(&inkdex::extract::Styles::standard());
            return if read.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Verb::Demo(args) => block_on(demo::run(cli.common, args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inkdex: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a verb on the multi-thread runtime on which jobs run.
fn block_on(verb: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("jobs").build()?;
    let done = runtime.block_on(verb);
    // Blocking tasks that are stuck must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    done
}
