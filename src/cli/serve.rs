//! `inkdex serve`: the daemon.

use crate::cli::signals::{INTERRUPTED, Signals};
use crate::cli::{Common, logs, output};
use clap::Args;
use inkdex::actors::Role;
use inkdex::app::{App, backends_line};
use std::process::ExitCode;
use std::time::Duration;
use tracing::{error, info, warn};

/// How long a stop may take in all (rule 17).
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex serve                                       search page, API and nightly run on http://127.0.0.1:8600
  inkdex serve --config config/production.toml        with your own settings
  inkdex serve --config config/production.toml --roles work   one of several processes on shared backends
  inkdex serve --set server.bind=127.0.0.1:9000 --set log.format=json

Ctrl-C or SIGTERM stops in order within 30 seconds: running jobs are finished or go on after the next start.
A second signal leaves at once; nothing is lost then either.";

/// What this process does.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ServeArgs {
    /// What this process does, separated by commas; other processes on the same shared backends do the rest. Default: all of it,
    /// or process.roles of the configuration.
    #[arg(long, value_delimiter = ',', value_name = "web,schedule,work,sync")]
    roles: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(mut common: Common, args: ServeArgs) -> anyhow::Result<ExitCode> {
    if !args.roles.is_empty() {
        // As a setting, so that it is checked with all others.
        let quoted: Vec<String> = args.roles.iter().map(|role| format!("{:?}", role.trim())).collect();
        common.set(&format!("process.roles=[{}]", quoted.join(", ")));
    }
    let config = common.config()?;
    logs::start(&config.log)?;
    let mut signals = Signals::listen()?;
    if config.discovery.studio_files.is_empty() && config.process.roles.contains(&Role::Schedule) {
        warn!("no studios are configured, so that every session fails: set discovery.studio_files, or `inkdex run --studios FILE`");
    }
    let app = App::start(&config, true).await?;
    if let Some(address) = app.web {
        let page = format!("http://{address}/");
        if common.json {
            output::json(&serde_json::json!({ "listening": page, "data": config.data.folder }))?;
        } else {
            output::line(&format!("inkdex listens at {page}   data in {}   Ctrl-C stops", config.data.folder.display()))?;
        }
    }
    info!("{}", backends_line(&app.ports.backends));
    if app.web.is_none() && !common.json {
        let roles: Vec<&str> = config.process.roles.iter().map(|role| role.as_str()).collect();
        output::line(&format!("inkdex does {}   {}   Ctrl-C stops", roles.join(", "), backends_line(&app.ports.backends)))?;
    }
    let gave_up = tokio::select! {
        why = app.gave_up() => Some(why),
        signal = signals.next() => {
            info!("{signal}: stopping, at most {} s; a second signal leaves at once", STOP_WITHIN.as_secs());
            None
        }
    };
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(INTERRUPTED.into());
    });
    if tokio::time::timeout(STOP_WITHIN, app.stop()).await.is_err() {
        error!("the stop took longer than {} s and is cut short; what was in work goes on after the next start", STOP_WITHIN.as_secs());
        return Ok(ExitCode::FAILURE);
    }
    match gave_up {
        None => Ok(ExitCode::SUCCESS),
        Some(why) => {
            error!(severity = "critical", "the daemon gave up: {why}");
            Ok(ExitCode::FAILURE)
        }
    }
}
