//! `inkdex doctor`: looks at every part, repairs nothing, and says what to do.

use crate::cli::daemon::Daemon;
use crate::cli::output::{self, Mark};
use crate::cli::{Common, world};
use inkdex::app::{self, single};
use inkdex::config::Config;
use inkdex::discover::file::StudioFile;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::session::SessionState;
use inkdex::jobs::reconcile;
use inkdex::store::Store;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex doctor                                   check every part
  inkdex doctor --config config/production.toml   with your settings
  inkdex doctor --json

Works beside a running daemon; nothing is repaired. Exit code 1 if any part is out of order.";

/// Problems of a studio file printed at most.
const PROBLEMS_SHOWN: usize = 5;

/// What was found about one part.
#[derive(Debug, Serialize)]
struct Finding {
    part: &'static str,
    mark: Mark,
    text: String,
    /// What to do, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, part: &'static str, text: impl Into<String>) {
        self.0.push(Finding { part, mark: Mark::Good, text: text.into(), advice: None });
    }

    fn note(&mut self, part: &'static str, text: impl Into<String>, advice: &str) {
        let advice = (!advice.is_empty()).then(|| advice.to_owned());
        self.0.push(Finding { part, mark: Mark::Note, text: text.into(), advice });
    }

    fn bad(&mut self, part: &'static str, text: impl Into<String>, advice: &str) {
        self.0.push(Finding { part, mark: Mark::Bad, text: text.into(), advice: Some(advice.to_owned()) });
    }
}

/// Runs the verb.
///
/// # Errors
/// Standard output is closed.
pub async fn run(common: Common) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    match common.config_problems() {
        Ok(config) => {
            findings.good("configuration", "every key can be used");
            look(&config, &mut findings).await;
        }
        Err(error) => findings.bad("configuration", error.to_string(), "correct it; the other parts are looked at after that"),
    }
    let good = findings.0.iter().all(|finding| finding.mark != Mark::Bad);
    if common.json {
        output::json(&serde_json::json!({ "good": good, "parts": findings.0 }))?;
    } else {
        for finding in &findings.0 {
            output::line(&format!("{} {:<15}{}", output::mark(finding.mark), finding.part, finding.text.replace('\n', "\n    ")))?;
            if let Some(advice) = &finding.advice {
                output::line(&format!("                 → {advice}"))?;
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

mod shared;

async fn look(config: &Config, findings: &mut Findings) {
    address(config, findings).await;
    user_agent(config, findings);
    pipeline(config, findings);
    studio_files(config, findings).await;
    browser(config, findings).await;
    if !config.backends.is_embedded() {
        shared::look(config, findings).await;
        return;
    }
    let folder = &config.data.folder;
    if !folder.is_dir() {
        findings.note("data folder", format!("{} does not exist yet", folder.display()), "`inkdex run` or `inkdex serve` makes it");
        return;
    }
    writable("data folder", folder, findings);
    let database = config.data.database();
    if !database.exists() {
        findings.note("database", format!("{} does not exist yet", database.display()), "`inkdex run` or `inkdex serve` makes it");
        return;
    }
    let store = match world::reading(config).await {
        Ok((store, _)) => store,
        Err(error) => {
            findings.bad("database", format!("{error:#}"), "set another data.folder if this one is not meant");
            return;
        }
    };
    let held = database_parts(config, store.as_ref(), findings).await;
    objects(config, findings);
    key(config, store.as_ref(), findings).await;
    index(config, held, findings).await;
}

/// Whether a daemon could listen where it is told to, unless one does.
async fn address(config: &Config, findings: &mut Findings) {
    let bind = config.server.bind;
    let daemon_answers = match Daemon::at(bind) {
        Ok(daemon) => daemon.get("/healthz", &[]).await.is_ok(),
        Err(_) => false,
    };
    match std::net::TcpListener::bind(bind) {
        _ if daemon_answers => findings.good("address", format!("a daemon answers at {bind}")),
        Ok(_) => findings.good("address", format!("{bind} is free")),
        Err(error) => {
            findings.bad("address", format!("{bind} cannot be listened at: {error}"), "stop what listens there, or set server.bind")
        }
    }
}

/// A crawler says whose it is.
fn user_agent(config: &Config, findings: &mut Findings) {
    if config.fetch.user_agent.contains("inkdex.example") {
        let text = format!("fetch.user_agent is still `{}`", config.fetch.user_agent);
        findings.note("user agent", text, "set it to name a page of yours that explains the bot, as /bot of your server does");
    }
}

fn pipeline(config: &Config, findings: &mut Findings) {
    match app::pipeline(config) {
        Ok(pipeline) => {
            let schedule = pipeline.schedule.as_deref().filter(|_| config.pipeline.scheduled);
            let when = schedule.map_or_else(|| "only by hand".to_owned(), |schedule| format!("at {schedule} UTC"));
            findings.good("pipeline", format!("{}, {} steps, {when}", pipeline.name, pipeline.steps.len()));
        }
        Err(error) => findings.bad("pipeline", format!("{error:#}"), "correct the file, or leave pipeline.file empty for the built-in one"),
    }
}

async fn studio_files(config: &Config, findings: &mut Findings) {
    if config.discovery.studio_files.is_empty() && config.discovery.services.is_empty() {
        findings.note(
            "studio files",
            "none are configured: a run finds nobody",
            "set discovery.studio_files or discovery.services, or `inkdex run --studios FILE`",
        );
    }
    for service in &config.discovery.services {
        let areas: Vec<&str> = config.discovery.areas.iter().map(|area| area.name.as_str()).collect();
        findings.good("studio services", format!("{service} is asked for {}", areas.join(", ")));
    }
    for file in &config.discovery.studio_files {
        match StudioFile::new(file).read().await {
            Ok(read) if read.problems.is_empty() => {
                let silent = match read.without_website() {
                    0 => String::new(),
                    count => format!(", {count} of them without a website, where nobody can be looked for"),
                };
                findings.good("studio files", format!("{}: {} studios{silent}", file.display(), read.studios.len()));
            }
            Ok(read) => {
                let mut text =
                    format!("{}: {} studios, {} entries cannot be used", file.display(), read.studios.len(), read.problems.len());
                for problem in read.problems.iter().take(PROBLEMS_SHOWN) {
                    text.push_str(&format!("\n{}: {}", problem.place, problem.problem));
                }
                if read.problems.len() > PROBLEMS_SHOWN {
                    text.push_str(&format!("\n… and {} more", read.problems.len() - PROBLEMS_SHOWN));
                }
                match config.discovery.strict {
                    true => findings.bad("studio files", text, "correct them: discovery.strict refuses the file"),
                    false => findings.note("studio files", text, "correct them; a run goes on without them"),
                }
            }
            Err(error) => findings.bad("studio files", error.to_string(), "check discovery.studio_files"),
        }
    }
}

/// Whether a browser starts, sandbox and all, and draws.
async fn browser(config: &Config, findings: &mut Findings) {
    match app::look_at_browser(config, Arc::new(SystemClock::new())).await {
        Ok(Some(version)) if config.browser.without_sandbox => {
            findings.note("browser", format!("{version} draws pages, without its sandbox"), "set browser.without_sandbox = false");
        }
        Ok(Some(version)) => findings.good("browser", format!("{version} draws pages, in its sandbox")),
        Ok(None) => findings.note("browser", "switched off: sites drawn by scripts are dead letters (`needs_browser`)", ""),
        Err(error) => findings.note(
            "browser",
            format!("{error:#}"),
            "`apt-get install chromium`, or set browser.program; until then sites drawn by scripts wait, and end as `needs_browser`",
        ),
    }
}

/// Whether a folder takes a file. Nothing is left in it.
fn writable(part: &'static str, folder: &std::path::Path, findings: &mut Findings) {
    let probe = folder.join(format!(".doctor-{}", uuid::Uuid::new_v4().simple()));
    let tried = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => findings.good(part, format!("{} can be written", folder.display())),
        Err(error) => {
            findings.bad(part, format!("{} cannot be written: {error}", folder.display()), "give this user the right to write there")
        }
    }
}

/// The database itself. Answers whether another process holds it.
async fn database_parts(config: &Config, store: &dyn Store, findings: &mut Findings) -> bool {
    let database = config.data.database();
    // Asked before anything is opened as owner: the lock is tried and let go.
    let holder = match single::holder(config) {
        Ok(holder) => holder,
        Err(error) => {
            findings.bad("database", error.to_string(), "check the folder's permissions");
            None
        }
    };
    match single::integrity_problems(config, Arc::new(SystemClock::new())).await {
        Ok(problems) if problems.is_empty() => findings.good("database", format!("{} is ours and sound", database.display())),
        Ok(problems) => findings.bad(
            "database",
            format!("{} is damaged:\n{}", database.display(), problems.join("\n")),
            "stop the daemon, keep a copy, and restore a backup",
        ),
        Err(error) => findings.bad("database", format!("{error:#}"), "restore a backup"),
    }
    match &holder {
        None => findings.note("daemon", "none holds the database", ""),
        Some(pid) => daemon(config, pid, findings).await,
    }
    match ledger(store).await {
        Ok((text, None)) => findings.good("ledger", text),
        Ok((text, Some(advice))) => findings.note("ledger", text, advice),
        Err(error) => findings.bad("ledger", format!("{error:#}"), "restore a backup, or report this"),
    }
    holder.is_some()
}

async fn daemon(config: &Config, pid: &str, findings: &mut Findings) {
    let asked = match Daemon::at(config.server.bind) {
        Ok(daemon) => daemon.alive().await.map(|()| daemon.address().to_string()),
        Err(error) => Err(error),
    };
    match asked {
        Ok(address) => findings.good("daemon", format!("process {pid} holds the database and answers at {address}")),
        Err(error) => findings.note(
            "daemon",
            format!("process {pid} holds the database; {error:#}"),
            "if it is a daemon, give this command its configuration; an `inkdex run` has no API",
        ),
    }
}

async fn ledger(store: &dyn Store) -> anyhow::Result<(String, Option<&'static str>)> {
    let depth = store.depth(SystemClock::new().now()).await?;
    let last = store.sessions(1).await?.pop();
    let ran = last.as_ref().map_or_else(
        || "no session yet".to_owned(),
        |session| format!("last session {} ({})", session.state.as_str(), output::moment(session.created_at)),
    );
    let text = format!("{} open jobs, {} in work, {} studios, {ran}", depth.open, depth.running, store.studio_count().await?);
    let failed = last.is_some_and(|session| session.state == SessionState::Failed);
    Ok((text, failed.then_some("`inkdex sessions show last` says why it failed")))
}

fn objects(config: &Config, findings: &mut Findings) {
    let folder = config.data.objects();
    if folder.is_dir() {
        writable("objects", &folder, findings);
    } else {
        findings.note("objects", format!("{} does not exist yet", folder.display()), "the next start makes it");
    }
}

async fn key(config: &Config, store: &dyn Store, findings: &mut Findings) {
    match single::deny_hasher(config, store).await {
        Ok(Some(_)) => {
            findings.good("denylist key", format!("{} is the one the store was used with", app::hash_key_file(config).display()))
        }
        Ok(None) => findings.note("denylist key", "none was made yet", "the next start makes it"),
        Err(error) => {
            findings.bad("denylist key", format!("{error:#}"), "removed people cannot be recognised without it, so no start is possible")
        }
    }
}

async fn index(config: &Config, held: bool, findings: &mut Findings) {
    if held {
        findings.note("search index", "the daemon holds it and keeps it in step", "its figures are at /metrics (inkdex_sync_…)");
        return;
    }
    if !config.data.index().is_dir() {
        findings.note("search index", format!("{} does not exist yet", config.data.index().display()), "the next start builds it");
        return;
    }
    if let Some(why) = match single::index_damage(config) {
        Ok(why) => why,
        Err(error) => {
            findings.bad("search index", format!("{error:#}"), "check the folder's permissions");
            return;
        }
    } {
        findings.bad(
            "search index",
            format!("it cannot be used: {why}"),
            "`inkdex reconcile --repair` or the next start builds it again from the store",
        );
        return;
    }
    let compared = match world::open(config).await {
        Ok(world::World::Own(ports)) => match reconcile::compare_steadily(&ports).await {
            Ok(drift) => Ok((drift, app::is_in_step(&ports).await)),
            Err(error) => Err(error.into()),
        },
        Ok(world::World::Daemon(_)) => {
            findings.note("search index", "a daemon has just started and holds it", "");
            return;
        }
        Err(error) => Err(error),
    };
    match compared {
        Ok((drift, _)) if drift.is_none() => {
            findings.good("search index", format!("{} rows, table, keys and index say the same", drift.rows))
        }
        Ok((drift, in_step)) => {
            let counts = drift.to_string();
            if !in_step && drift.unsound.is_empty() {
                findings.note("search index", format!("behind the store: {counts}"), "the next start catches up by itself");
            } else {
                findings.bad("search index", counts, "`inkdex reconcile --repair` indexes again what differs");
            }
        }
        Err(error) => findings.bad("search index", format!("{error:#}"), "`inkdex reconcile --repair` builds it again from the store"),
    }
}
