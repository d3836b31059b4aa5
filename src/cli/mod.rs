//! The command line: one file a verb.

mod config;
mod correct;
mod daemon;
mod dead_letters;
mod demo;
mod demo_web;
mod doctor;
mod eval;
mod extract;
mod identity;
mod logs;
#[cfg(feature = "cql")]
mod migrate;
mod output;
mod progress;
mod reconcile;
mod rehearsal;
mod rehearse;
mod reindex;
mod removals;
mod remove;
mod replay;
mod run;
mod search;
mod serve;
mod sessions;
mod show;
mod signals;
mod why;
mod world;

use clap::{Args, Parser, Subcommand};
use inkdex::config::{Config, ConfigError, ConfigText};
use std::path::PathBuf;
use std::process::ExitCode;

/// An open directory of tattoo artists, kept current every night.
#[derive(Debug, Parser)]
#[command(name = "inkdex", version, max_term_width = 110, after_help = FIRST_STEPS)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What newcomers try first.
const FIRST_STEPS: &str = "First steps:
  inkdex demo                                    see everything work on a made-up web
  inkdex run --studios studios.yaml              read your own studios once
  inkdex search --style fine-line                look who was found
  inkdex serve                                   the search page, the API and the nightly run

Every verb explains itself with examples: `inkdex run --help`. When something does not work: `inkdex doctor`.";

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file (TOML); later ones win. `inkdex config default` prints every key.
    #[arg(long, short, global = true, value_name = "FILE", env = "INKDEX_CONFIG", hide_env_values = true)]
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
    #[command(after_help = demo::HELP)]
    Demo(demo::DemoArgs),
    /// Run one session now: find studios' artists, read their sites, write, index, report.
    Run(run::RunArgs),
    /// Be the daemon: search page, API, admin API and the nightly run.
    Serve(serve::ServeArgs),
    /// Search the directory.
    Search(search::SearchArgs),
    /// Show an artist, and what each fact rests on.
    Show(show::ShowArgs),
    /// List runs, or show one with its report.
    Sessions(sessions::SessionsArgs),
    /// List, show, requeue or discard jobs that failed for good.
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Remove a person from the directory for good.
    Remove(remove::RemoveArgs),
    /// List, show, approve or refuse what people asked for: to be removed, or corrected.
    Removals(removals::RemovalsArgs),
    /// Confirm or correct a field of an artist: it outranks all that is read.
    Correct(correct::CorrectArgs),
    /// Say who is who where keys alone cannot tell: list conflicts, decide them, tell two people apart.
    Identity(identity::IdentityArgs),
    /// Compare table, keys and index, and repair.
    Reconcile(reconcile::ReconcileArgs),
    /// Read the kept pages again with the extractors of this build, and say who would change.
    Replay(replay::ReplayArgs),
    /// Build the search index anew, beside the old one where it is shared.
    #[command(after_help = reindex::HELP)]
    Reindex,
    /// Bring the database of a shared store to the schema of this build.
    #[cfg(feature = "cql")]
    Migrate(migrate::MigrateArgs),
    /// Read one site and print what it says.
    Extract(extract::ExtractArgs),
    /// Say what would happen to URLs, and which rule says so.
    Why(why::WhyArgs),
    /// Score extraction against labelled sites.
    Eval(eval::EvalArgs),
    /// Run a whole session over labelled sites, served on this machine.
    Rehearse(rehearse::RehearseArgs),
    /// Check, show or explain the configuration.
    Config(config::ConfigArgs),
    /// Check every part, and say what to do.
    #[command(after_help = doctor::HELP)]
    Doctor,
    /// The made-up web by itself, for tests.
    #[command(name = "__demo-web", hide = true)]
    DemoWeb(demo_web::DemoWebArgs),
    /// The child process that reads a suspect's page.
    #[command(name = "__read-page", hide = true)]
    ReadPage,
}

impl Common {
    /// The configuration that files and settings add up to.
    ///
    /// # Errors
    /// Every problem of every file and setting, with its place.
    pub fn config_problems(&self) -> Result<Config, ConfigError> {
        let (mut texts, mut problems) = (Vec::new(), Vec::new());
        let read = self.config.iter().map(|file| ConfigText::from_file(file));
        for text in read.chain(self.settings.iter().map(|setting| ConfigText::from_setting(setting))) {
            match text {
                Ok(text) => texts.push(text),
                Err(error) => problems.extend(error.problems),
            }
        }
        match Config::read(&texts) {
            Ok(config) => {
                problems.extend(inkdex::app::problems(&config));
                if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
            }
            Err(error) => {
                problems.extend(error.problems);
                Err(ConfigError { problems })
            }
        }
    }

    /// Adds a setting as `--set` does.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// As [`Common::config_problems`], for verbs that only go on with a good configuration.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn config(&self) -> anyhow::Result<Config> {
        Ok(self.config_problems()?)
    }
}

/// Runs the verb; errors are printed with everything that led to them.
pub fn main(cli: Cli) -> ExitCode {
    let common = cli.common;
    let done = match cli.verb {
        Verb::ReadPage => {
            let read = inkdex::jobs::reading::child_main(&inkdex::extract::Styles::standard());
            return if read.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Verb::Demo(args) => block_on(demo::run(common, args)),
        Verb::Run(args) => block_on(run::run(common, args)),
        Verb::Serve(args) => block_on(serve::run(common, args)),
        Verb::Search(args) => block_on(search::run(common, args)),
        Verb::Show(args) => block_on(show::run(common, args)),
        Verb::Sessions(args) => block_on(sessions::run(common, args)),
        Verb::DeadLetters(args) => block_on(dead_letters::run(common, args)),
        Verb::Remove(args) => block_on(remove::run(common, args)),
        Verb::Removals(args) => block_on(removals::run(common, args)),
        Verb::Correct(args) => block_on(correct::run(common, args)),
        Verb::Identity(args) => block_on(identity::run(common, args)),
        Verb::Reconcile(args) => block_on(reconcile::run(common, args)),
        #[cfg(feature = "cql")]
        Verb::Migrate(args) => block_on(migrate::run(common, args)),
        Verb::Replay(args) => block_on(replay::run(common, args)),
        Verb::Reindex => block_on(reindex::run(common)),
        Verb::Extract(args) => block_on(extract::run(common, args)),
        Verb::Why(args) => block_on(why::run(common, args)),
        Verb::Eval(args) => block_on(eval::run(common, args)),
        Verb::Rehearse(args) => block_on(rehearse::run(common, args)),
        Verb::Config(args) => config::run(&common, &args),
        Verb::Doctor => block_on(doctor::run(common)),
        Verb::DemoWeb(args) => block_on(demo_web::run(args)),
    };
    match done {
        Ok(code) => code,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inkdex: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a verb on the multi-thread runtime on which jobs run.
fn block_on(verb: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("jobs").build()?;
    let done = runtime.block_on(verb);
    // Blocking tasks that are stuck must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    done
}
