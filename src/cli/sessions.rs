//! `inkdex sessions`: what ran, and the report of one run.

use crate::cli::daemon::Daemon;
use crate::cli::{Common, output, world};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use inkdex::app;
use inkdex::config::Config;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::JobState;
use inkdex::domain::session::{Session, StepCounts};
use inkdex::jobs::report::Report;
use inkdex::store::Store;
use serde_json::{Value, json};
use std::process::ExitCode;

mod coverage;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex sessions                       the newest runs
  inkdex sessions show daily-1f0c…      steps, jobs and the report of one; the beginning of an id is enough
  inkdex sessions show last --json
  inkdex sessions accept last           let pass what the run gate held back (asks the daemon)

Works beside a running daemon. `inkdex dead-letters --session ID` lists what failed in a run.";

/// How far back the beginning of an id is looked for.
const LOOKED_AT: usize = 500;

/// A number of rows to list.
pub fn limit_of(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| (1..=500).contains(limit)).ok_or_else(|| "1 to 500 can be listed at once".to_owned())
}

/// Which sessions.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SessionsArgs {
    /// Sessions at most.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = limit_of)]
    limit: usize,
    #[command(subcommand)]
    which: Option<Which>,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Show one session with its report.
    Show {
        /// The id, its beginning, or `last`.
        id: String,
    },
    /// Apply the absences that the run gate held back: too many artists would have retired at once.
    Accept {
        /// The id, its beginning, or `last`.
        id: String,
        /// Why, for the audit trail.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Runs the verb.
///
/// # Errors
/// There is no such session, or a sentence that says what to change.
pub async fn run(common: Common, args: SessionsArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let (store, clock) = world::reading(&config).await?;
    match args.which {
        Some(Which::Show { id }) => {
            let session = session_of(store.as_ref(), &id).await?;
            let counts = store.step_counts(&session.id).await?;
            let report = report_of(&config, &session).await?;
            if common.json {
                let mut value = value_of(&session, Some(&counts));
                value["report"] = serde_json::to_value(&report)?;
                output::json(&value)?;
            } else {
                output::line(&text_of(&session, &counts, report.as_ref()))?;
            }
        }
        Some(Which::Accept { id, reason }) => {
            let session = session_of(store.as_ref(), &id).await?;
            let path = format!("/admin/v1/sessions/{}:accept-absences", session.id);
            let answer = Daemon::at(config.server.bind)?.post(&path, &json!({ "reason": reason })).await?;
            if common.json {
                output::json(&answer)?;
            } else {
                output::line(&format!("accepted; `inkdex sessions show {}` tells what became of them", session.id))?;
            }
        }
        None => {
            let sessions = store.sessions(args.limit).await?;
            if common.json {
                output::json(&json!({ "sessions": sessions.iter().map(|session| value_of(session, None)).collect::<Vec<_>>() }))?;
            } else if sessions.is_empty() {
                output::line("no session has run yet; `inkdex run` starts one")?;
            } else {
                let now = clock.now();
                let mut rows = vec![["session", "state", "trigger", "for", "took", ""].map(str::to_owned).to_vec()];
                rows.extend(sessions.iter().map(|session| row_of(session, now)));
                output::line(&output::list(&rows))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn session_of(store: &dyn Store, id: &str) -> anyhow::Result<Session> {
    match store.session(&SessionId::new(id)).await? {
        Some(session) => Ok(session),
        None => by_beginning(store.sessions(LOOKED_AT).await?, id),
    }
}

fn by_beginning(all: Vec<Session>, id: &str) -> anyhow::Result<Session> {
    let mut found: Vec<Session> = all.into_iter().filter(|session| id == "last" || session.id.as_str().starts_with(id)).collect();
    if id == "last" {
        found.truncate(1);
    }
    let Some(first) = found.pop() else { bail!("there is no session {id}; `inkdex sessions` lists them") };
    if !found.is_empty() {
        bail!("{} sessions begin with {id}; give more of the id", found.len() + 1);
    }
    Ok(first)
}

/// The report of a session, once it is written.
///
/// # Errors
/// The object store failed, or the report cannot be read.
pub async fn report_of(config: &Config, session: &Session) -> anyhow::Result<Option<Report>> {
    let Some(key) = &session.report else { return Ok(None) };
    let Some(bytes) = app::open_objects(config).await?.0.get(key).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("the report {key} cannot be read"))?))
}

fn row_of(session: &Session, now: Timestamp) -> Vec<String> {
    let took = session.ended_at.map_or_else(
        || format!("{} so far", output::span(now.since(session.created_at))),
        |ended| output::took(ended.since(session.created_at)),
    );
    vec![
        session.id.to_string(),
        session.state.as_str().to_owned(),
        format!("{:?}", session.trigger).to_lowercase(),
        output::moment(session.scheduled_for),
        took,
        session.failure.clone().unwrap_or_else(|| if session.held { "its absences are held back".to_owned() } else { String::new() }),
    ]
}

/// A session for programs.
pub fn value_of(session: &Session, counts: Option<&StepCounts>) -> Value {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    let steps: Vec<Value> = session
        .steps
        .iter()
        .map(|step| {
            let jobs = counts.map(|counts| {
                let of = |state: &JobState| (state.as_str().to_owned(), Value::from(counts.of(&step.definition.name, *state)));
                JobState::ALL.iter().map(of).filter(|(_, count)| *count != 0).collect::<serde_json::Map<_, _>>()
            });
            json!({
                "name": step.definition.name, "state": step.state, "started_at": moment(step.started_at),
                "ended_at": moment(step.ended_at), "jobs": jobs,
            })
        })
        .collect();
    json!({
        "id": session.id, "pipeline": session.pipeline, "scheduled_for": session.scheduled_for.rfc3339(), "trigger": session.trigger,
        "state": session.state, "began_at": session.created_at.rfc3339(), "ended_at": moment(session.ended_at),
        "failure": session.failure, "held": session.held, "steps": steps,
    })
}

fn text_of(session: &Session, counts: &StepCounts, report: Option<&Report>) -> String {
    let mut lines = vec![format!("session {}   {}", session.id, session.state.as_str())];
    lines.push(format!("for {}, begun {}", output::moment(session.scheduled_for), output::moment(session.created_at)));
    lines.extend(session.failure.as_ref().map(|why| format!("failed: {why}")));
    lines.push(String::new());
    let mut rows = vec![["step", "state", "jobs", "done", "open", "dead", "cancelled"].map(str::to_owned).to_vec()];
    for step in &session.steps {
        let name = &step.definition.name;
        let of = |state| counts.of(name, state).to_string();
        let state = format!("{:?}", step.state).to_lowercase();
        let (all, open) = (counts.all(name).to_string(), counts.open(name).to_string());
        rows.push(vec![name.clone(), state, all, of(JobState::Done), open, of(JobState::Dead), of(JobState::Cancelled)]);
    }
    lines.push(output::columns(&rows));
    if let Some(report) = report {
        lines.push(String::new());
        lines.push(report_text(report));
    }
    lines.join("\n")
}

/// A report as lines.
pub fn report_text(report: &Report) -> String {
    let mut rows: Vec<Vec<String>> = report.discovery.as_ref().map(coverage::rows).unwrap_or_default();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let list = |map: &std::collections::BTreeMap<String, u64>| {
        map.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    row("studio sites read", report.studios.to_string());
    row("of these no tattoo studio", report.not_tattoo.to_string());
    row("artists found", report.found.to_string());
    row("new, changed, unchanged", format!("{}, {}, {}", report.new, report.changed, report.unchanged));
    row("asked not to be read", report.refused_by_robots.to_string());
    row("pages gone", report.gone.to_string());
    row("retired", report.retired.to_string());
    if report.fields_dropped > 0 {
        row("values dropped, missed twice", report.fields_dropped.to_string());
    }
    if let Some(why) = &report.absences_held {
        row("absences", format!("{} proposed, none applied: {why}", report.absences));
    }
    let dead: u64 = report.dead_by_reason.values().sum();
    row("dead letters", if dead == 0 { "0".to_owned() } else { format!("{dead}: {}", list(&report.dead_by_reason)) });
    if !report.cancelled.is_empty() {
        row("cancelled", list(&report.cancelled));
    }
    row(
        "requests",
        format!("{}, {:.1} MB, {} pages from the session's copies", report.requests, report.wire_bytes as f64 / 1e6, report.cached_pages),
    );
    row("pages spared", format!("{} not due, {} unchanged (304)", report.not_due_pages, report.unmodified_pages));
    row("pages drawn", format!("{} by a browser", report.drawn_pages));
    row("directory: artists with", list(&report.coverage));
    output::columns(&rows)
}
