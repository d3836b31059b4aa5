//! `inkdex run`: one session now, in this process or in the daemon that holds the database.

use crate::cli::daemon::Daemon;
use crate::cli::signals::{INTERRUPTED, Signals};
use crate::cli::world::{self, is_held};
use crate::cli::{Common, logs, output, progress, rehearsal, sessions};
use anyhow::{anyhow, bail};
use clap::Args;
use inkdex::app::{App, single};
use inkdex::config::Config;
use inkdex::discover::file::StudioFile;
use inkdex::domain::ids::SessionId;
use inkdex::domain::session::{Session, SessionState, Trigger};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex run --studios studios.yaml              read these studios once, and everybody who works there
  inkdex run --config config/production.toml     the studio files of a configuration
  inkdex run --studios studios.csv --strict      refuse a file with any bad entry
  inkdex run --fresh                             ask for every page anew
  inkdex run --json                              the session and its report when it is over

A studio file is YAML, JSON or CSV with name, website, place, and optionally lat, lon and place_id:
  - {name: Quiet Needle, website: https://quiet-needle.example, place: 'London, UK'}

Pages are spared: what stayed the same is asked for after 1, 2, 4 … 30 days only, and then by a request that costs nothing if
it did not change; lists of artists every day. --fresh asks for everything once; `fetch.recrawl = false` does so always.

If a daemon holds the database, the session runs there and is followed from here.
Exit code 0: the session is COMPLETED (single artists may have failed; the report counts them). 1: it FAILED. 130: Ctrl-C.";

/// What is logged beside the progress: problems, but neither those of studio files, which are printed at once, nor each dead
/// letter twice, as its alert says what to do about it.
const FILTER: &str = "warn,inkdex::jobs::discover_studios=error,inkdex::actors::dispatcher=error";
/// How often a followed daemon is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Problems of one studio file printed at most.
const PROBLEMS_SHOWN: usize = 50;

/// Which studios.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct RunArgs {
    /// Read this studio file instead of discovery.studio_files; may be given several times.
    #[arg(long, value_name = "FILE")]
    studios: Vec<PathBuf>,
    /// Refuse studio files with bad entries instead of going on with the good ones.
    #[arg(long)]
    strict: bool,
    /// Ask for every page anew, instead of sparing those that earlier sessions kept.
    #[arg(long)]
    fresh: bool,
}

impl RunArgs {
    fn trigger(&self) -> Trigger {
        if self.fresh { Trigger::Fresh } else { Trigger::Manual }
    }
}

/// Runs the verb.
///
/// # Errors
/// A sentence that says what to change.
pub async fn run(common: Common, args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut config = common.config()?;
    if !args.studios.is_empty() {
        config.discovery.studio_files = args.studios.clone();
    }
    config.discovery.strict |= args.strict;
    // A run by hand is no reason to catch up nights.
    config.pipeline.scheduled = false;
    logs::start_quiet(&config.log, FILTER)?;
    let mut signals = Signals::listen()?;
    if config.backends.is_embedded() && config.data.database().exists() && single::holder(&config)?.is_some() {
        return beside(&common, &config, &args, &mut signals).await;
    }
    check_studio_files(&config).await?;
    match App::start(&config, false).await {
        Ok(app) => own(&common, &config, app, args.trigger(), &mut signals).await,
        Err(error) if is_held(&error) => beside(&common, &config, &args, &mut signals).await,
        Err(error) => Err(error),
    }
}

/// Reads every studio file before anything is started, and names what is wrong by line.
async fn check_studio_files(config: &Config) -> anyhow::Result<()> {
    let files = &config.discovery.studio_files;
    if files.is_empty() && config.discovery.services.is_empty() {
        bail!(
            "no studios are configured; give --studios FILE, or set discovery.studio_files or discovery.services (`inkdex run --help` shows what a file looks like)"
        );
    }
    let mut bad = 0;
    for file in files {
        let read = StudioFile::new(file).read().await?;
        let silent = read.without_website();
        if silent > 0 {
            eprintln!(
                "{}: {silent} of {} studios have no website; they are kept, and nobody is looked for there",
                file.display(),
                read.studios.len()
            );
        }
        if read.problems.is_empty() {
            continue;
        }
        bad += read.problems.len();
        eprintln!("{}: {} studios can be used, {} entries cannot:", file.display(), read.studios.len(), read.problems.len());
        for problem in read.problems.iter().take(PROBLEMS_SHOWN) {
            eprintln!("  {}: {}", problem.place, problem.problem);
        }
        if read.problems.len() > PROBLEMS_SHOWN {
            eprintln!("  … and {} more", read.problems.len() - PROBLEMS_SHOWN);
        }
    }
    if bad > 0 && config.discovery.strict {
        bail!(
            "nothing was started: strict is set and {bad} entries cannot be used; correct them, or leave strict out to go on without them"
        );
    }
    Ok(())
}

async fn own(common: &Common, config: &Config, app: App, trigger: Trigger, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    let session = tokio::select! {
        session = sessions_in(&app, trigger, common.json) => session,
        why = app.gave_up() => Err(anyhow!("the actors gave up: {why}")),
        signal = signals.next() => {
            eprintln!("{signal}: stopping; the session stays open and goes on with the next `inkdex run` or `inkdex serve`");
            app.stop().await;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let told = match &session {
        Ok(session) => tell(common, config, session, Some(rehearsal::lag_line(&app))).await,
        Err(_) => Ok(()),
    };
    app.stop().await;
    let session = session?;
    told?;
    Ok(code(&session))
}

/// Finishes sessions that an earlier process left open, then runs a new one.
async fn sessions_in(app: &App, trigger: Trigger, quiet: bool) -> anyhow::Result<Session> {
    let (store, clock) = (app.ports.store.as_ref(), app.ports.clock.as_ref());
    for open in store.open_sessions().await? {
        eprintln!("session {} was left open and is finished first", open.id);
        progress::follow(store, clock, &open.id, quiet).await?;
    }
    rehearsal::run_session(app, trigger, quiet).await
}

/// Has the daemon run a session, and follows it in the database, which can be read beside it.
async fn beside(common: &Common, config: &Config, args: &RunArgs, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    if !args.studios.is_empty() || args.strict {
        bail!(
            "another inkdex holds {} and goes by its own settings; leave --studios and --strict out, or stop it first",
            config.data.database().display()
        );
    }
    let daemon = Daemon::at(config.server.bind)?;
    let (store, clock) = world::reading(config).await?;
    let id = match store.open_sessions().await?.into_iter().next() {
        // Two sessions at once would ask the same sites twice.
        Some(open) => {
            eprintln!(
                "session {} is running in the daemon at {} already; it is followed here, and no other is started",
                open.id,
                daemon.address()
            );
            open.id
        }
        None => {
            let answer = daemon.post("/admin/v1/sessions", &json!({ "fresh": args.fresh })).await?;
            let id = answer.get("session_id").and_then(Value::as_str).map(SessionId::new).ok_or_else(|| {
                anyhow!("the daemon at {} started a session but did not say which; see `inkdex sessions`", daemon.address())
            })?;
            if !common.json {
                eprintln!("the daemon at {} runs session {id}", daemon.address());
            }
            id
        }
    };
    let session = tokio::select! {
        session = progress::follow(store.as_ref(), clock.as_ref(), &id, common.json) => session?,
        () = daemon_gone(config) => bail!(
            "the daemon that ran session {id} is gone; the session stays open and goes on with the next `inkdex serve` or `inkdex run`"
        ),
        signal = signals.next() => {
            eprintln!("{signal}: the session goes on in the daemon; `inkdex sessions show {id}` says how it ended");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    tell(common, config, &session, None).await?;
    Ok(code(&session))
}

/// Returns once nobody holds the database, seen twice: a daemon that is replaced leaves it for a moment.
async fn daemon_gone(config: &Config) {
    let mut free = 0;
    while free < 2 {
        tokio::time::sleep(LOOK_EVERY).await;
        match single::holder(config) {
            Ok(None) => free += 1,
            Ok(Some(_)) | Err(_) => free = 0,
        }
    }
}

fn code(session: &Session) -> ExitCode {
    if session.state == SessionState::Completed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn tell(common: &Common, config: &Config, session: &Session, lag: Option<String>) -> anyhow::Result<()> {
    let report = sessions::report_of(config, session).await?;
    if common.json {
        let mut value = sessions::value_of(session, None);
        value["report"] = serde_json::to_value(&report)?;
        return output::json(&value);
    }
    let took = session.ended_at.map_or_else(String::new, |ended| format!(" in {}", output::took(ended.since(session.created_at))));
    output::line(&format!("session {} is {}{took}", session.id, session.state.as_str()))?;
    if let Some(why) = &session.failure {
        output::line(&format!("failed: {why}"))?;
    }
    if let Some(report) = report {
        output::line(&sessions::report_text(&report))?;
        if let Some(lag) = lag.filter(|_| report.new + report.changed > 0) {
            output::line(&format!("commit → searchable      {lag}"))?;
        }
        if !report.dead_by_reason.is_empty() {
            output::line(&format!("\n`inkdex dead-letters --session {}` lists what failed", session.id))?;
        }
    }
    Ok(())
}
