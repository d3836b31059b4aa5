//! `inkdex dead-letters`: list by filters, show, requeue and discard (002-C7, 002-X5).

use crate::cli::daemon::segment;
use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use clap::{Args, Subcommand};
use inkdex::app::single;
use inkdex::config::Config;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::JobId;
use inkdex::domain::job::{Attempt, Job, JobKind, Task};
use inkdex::domain::outcome::{Category, Outcome};
use inkdex::jobs::find_letters::find_letters;
use inkdex::jobs::{letters, strangers};
use inkdex::search::SearchError;
use inkdex::search::letters::{LetterFilter, LetterQuery};
use inkdex::store::{DeadLetterQuery, Store};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex dead-letters                                  the newest letters
  inkdex dead-letters --session daily-1f0c…            those of one session
  inkdex dead-letters --host studio.example --stage parse
  inkdex dead-letters --fingerprint 9c1e…              those of one cause
  inkdex dead-letters show 7d3a…                       one with every attempt
  inkdex dead-letters requeue 7d3a… --reason \"the site is back\"
  inkdex dead-letters discard 7d3a… --reason \"not a studio any more\"

A dead letter is a job that is not tried again by itself. Requeueing gives it a new generation with fresh limits.
Filters by host, code, kind, stage and fingerprint are answered by the search index and checked against the ledger; while the index
is out the ledger's own list is looked through. Looking works beside a running daemon; requeue and discard go through its API.";

/// How a person at this terminal is named in the audit trail.
const ACTOR: &str = "cli";

/// Newest letters among which the beginning of an id is looked for.
const LOOKED_THROUGH: usize = 500;

/// Every category.
const CATEGORIES: [Category; 7] =
    [Category::Transient, Category::Blocked, Category::Config, Category::Data, Category::Poison, Category::Bug, Category::Unknown];

/// Which letters.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Args)]
struct Filter {
    /// Of this session only.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Of this category only: transient, blocked, config, data, poison, bug, unknown.
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// Of this host only, exactly.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Of this code only, as `show` prints it: timeout, parse_over_budget …
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Of this kind of job only: find_artists, scrape_artist …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// That failed at this stage only: fetch, parse, write …
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Of this cause only, as `show` prints it.
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// Letters at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = super::sessions::limit_of)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List letters, newest first.
    List(Filter),
    /// Show one letter with every attempt.
    Show {
        /// The job's id, or its beginning.
        id: String,
    },
    /// Put a letter back into the queue.
    Requeue(Command),
    /// Withdraw a letter for good.
    Discard(Command),
}

#[derive(Debug, Args)]
struct Command {
    /// The job's id, or its beginning.
    id: String,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// There is no such letter, or a sentence that says what to change.
pub async fn run(common: Common, args: DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    match args.what {
        None => list(&common, &config, &args.filter).await?,
        Some(What::List(filter)) => list(&common, &config, &filter).await?,
        Some(What::Show { id }) => show(&common, &config, &id).await?,
        Some(What::Requeue(command)) => requeue(&common, &config, &command).await?,
        Some(What::Discard(command)) => discard(&common, &config, &command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(common: &Common, config: &Config, filter: &Filter) -> anyhow::Result<()> {
    if let Some(category) = &filter.category
        && !CATEGORIES.iter().any(|known| known.as_str() == category)
    {
        let names: Vec<&str> = CATEGORIES.iter().map(|known| known.as_str()).collect();
        bail!("--category {category} is none; there are {}", names.join(", "));
    }
    if let Some(kind) = &filter.kind
        && JobKind::parse(kind).is_none()
    {
        bail!("--kind {kind} is none; there are {}", JobKind::ALL.map(JobKind::as_str).join(", "));
    }
    let (store, clock) = world::reading(config).await?;
    let query = LetterQuery {
        filter: LetterFilter {
            session: filter.session.clone(),
            kind: filter.kind.clone(),
            host: filter.host.clone(),
            category: filter.category.clone(),
            code: filter.code.clone(),
            stage: filter.stage.clone(),
            fingerprint: filter.fingerprint.clone(),
        },
        limit: filter.limit,
        after: None,
    };
    let index = single::letters_for_reading(config, &clock).map_err(|error| SearchError::Unavailable(format!("{error:#}")));
    let page = find_letters(store.as_ref(), index.as_ref().map(AsRef::as_ref), &query).await?;
    if common.json {
        let mut values = Vec::new();
        for job in &page.jobs {
            values.push(value_of(job, &subject_of(store.as_ref(), job, clock.now()).await?));
        }
        return output::json(&json!({ "dead_letters": values, "more": page.next.is_some(), "degraded": page.degraded }));
    }
    if page.degraded {
        output::line("the index of dead letters is out; the ledger's own list was looked through instead")?;
    }
    if page.jobs.is_empty() {
        return output::line("no dead letters");
    }
    let now = clock.now();
    let mut rows = vec![["job", "kind", "about", "reason", "category", "age", "what happened"].map(str::to_owned).to_vec()];
    for job in &page.jobs {
        let Some(reason) = job.death() else { continue };
        let about = subject_of(store.as_ref(), job, clock.now()).await?;
        rows.push(vec![
            job.id().to_string(),
            job.kind().as_str().to_owned(),
            output::short(&about, 30),
            reason.code.clone(),
            reason.category.as_str().to_owned(),
            output::span(now.since(job.settled_at.unwrap_or(job.created_at))),
            output::short(&reason.message, 90),
        ]);
    }
    output::line(&output::list(&rows))?;
    if page.next.is_some() {
        output::line("there are more; --limit and the filters choose")?;
    }
    Ok(())
}

/// The job that an id names: whole, or by its beginning if that is the beginning of one letter only. What is the beginning of
/// none is taken as it is, and whoever looks for it says that it is not there.
async fn letter_named(store: &dyn Store, text: &str) -> anyhow::Result<JobId> {
    let beginning = text.trim_end_matches('…');
    let id = JobId::new(beginning);
    if store.job(&id).await?.is_some() {
        return Ok(id);
    }
    let newest = DeadLetterQuery { session: None, category: None, limit: LOOKED_THROUGH, after: None };
    let letters = store.dead_letters(&newest).await?.jobs;
    let mut named = letters.iter().map(Job::id).filter(|id| !beginning.is_empty() && id.as_str().starts_with(beginning));
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(one), Some(other)) => bail!("{beginning} is the beginning of several letters, among them {one} and {other}; give more of it"),
        (None, _) => Ok(id),
    }
}

/// Whom or what a job is about, for people.
async fn subject_of(store: &dyn Store, job: &Job, now: Timestamp) -> anyhow::Result<String> {
    Ok(match &job.new.task {
        Task::ScrapeArtist(task) => task.name.clone(),
        Task::FindArtists { studio_id } => store.studio(studio_id).await?.map_or_else(|| studio_id.to_string(), |studio| studio.name(now)),
        Task::RemoveArtist { artist_id, .. } | Task::ReplayArtist { artist_id, .. } => artist_id.to_string(),
        Task::ReadStranger { hash } => strangers::key(hash),
        Task::DiscoverStudios | Task::Report => job.new.session_id.to_string(),
    })
}

/// A job with the keys of the admin API, and whom or what it is about.
fn value_of(job: &Job, about: &str) -> Value {
    json!({
        "job_id": job.id(), "about": about, "session_id": job.new.session_id, "step": job.new.step, "task": job.new.task,
        "host": job.new.host, "state": job.state, "generation": job.generation, "attempts": job.attempts,
        "created_at": job.created_at.rfc3339(), "settled_at": job.settled_at.map(Timestamp::rfc3339),
        "death": job.death().map(|reason| json!({
            "category": reason.category, "code": reason.code, "stage": reason.stage, "message": reason.message,
            "fingerprint": reason.fingerprint(),
        })),
    })
}

async fn show(common: &Common, config: &Config, id: &str) -> anyhow::Result<()> {
    let (store, clock) = world::reading(config).await?;
    let id = letter_named(store.as_ref(), id).await?;
    let Some(job) = store.job(&id).await? else { bail!("{}", letters::LetterError::Unknown(id)) };
    let attempts = store.attempts(&id).await?;
    let about = subject_of(store.as_ref(), &job, clock.now()).await?;
    if common.json {
        let attempts: Vec<Value> = attempts.iter().map(attempt_value).collect();
        return output::json(&json!({ "job": value_of(&job, &about), "attempts": attempts }));
    }
    let mut rows = vec![
        vec!["job".to_owned(), job.id().to_string()],
        vec!["kind".to_owned(), job.kind().as_str().to_owned()],
        vec!["about".to_owned(), about],
        vec!["state".to_owned(), format!("{}, generation {}", job.state.as_str(), job.generation)],
        vec!["session".to_owned(), job.new.session_id.to_string()],
    ];
    rows.extend(job.new.host.clone().map(|host| vec!["host".to_owned(), host]));
    if let Task::ScrapeArtist(task) = &job.new.task {
        rows.push(vec!["page".to_owned(), task.entry.to_string()]);
    }
    if let Some(reason) = job.death() {
        rows.push(vec!["reason".to_owned(), format!("{} ({}, while {})", reason.code, reason.category.as_str(), reason.stage)]);
        rows.push(vec!["what".to_owned(), reason.message.clone()]);
        rows.push(vec!["fingerprint".to_owned(), reason.fingerprint()]);
    }
    output::line(&output::columns(&rows))?;
    output::line("\nattempts")?;
    let now = clock.now();
    let rows: Vec<Vec<String>> = attempts.iter().map(|attempt| attempt_row(attempt, now)).collect();
    output::line(&output::columns(&rows))
}

fn attempt_row(attempt: &Attempt, now: Timestamp) -> Vec<String> {
    vec![
        format!("  {}.{}", attempt.generation, attempt.number),
        output::age(attempt.fence, now),
        attempt.ended_at.map_or_else(|| "no end known".to_owned(), |ended| format!("took {}", output::took(ended.since(attempt.fence)))),
        attempt.outcome.as_ref().map_or_else(|| "no outcome".to_owned(), outcome_text),
    ]
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { how } => format!("done: {how:?}").to_lowercase(),
        Outcome::Wait { why, .. } => format!("waited for {why:?}").to_lowercase(),
        Outcome::Retry { reason, .. } => format!("to be tried again: {} ({})", reason.message, reason.code),
        Outcome::Dead { reason } => format!("dead: {} ({})", reason.message, reason.code),
        Outcome::Cancelled { why } => format!("cancelled: {why:?}").to_lowercase(),
    }
}

fn attempt_value(attempt: &Attempt) -> Value {
    json!({
        "generation": attempt.generation, "number": attempt.number, "began_at": attempt.fence.rfc3339(),
        "ended_at": attempt.ended_at.map(Timestamp::rfc3339), "owner": attempt.owner, "build": attempt.build, "stage": attempt.stage,
        "artist_ids": attempt.artist_ids, "outcome": attempt.outcome, "usage": attempt.usage,
    })
}

async fn named(config: &Config, command: &Command) -> anyhow::Result<JobId> {
    let (store, _clock) = world::reading(config).await?;
    letter_named(store.as_ref(), &command.id).await
}

async fn requeue(common: &Common, config: &Config, command: &Command) -> anyhow::Result<()> {
    let id = named(config, command).await?;
    let (answer, note) = match world::open(config).await? {
        World::Own(ports) => {
            let generation = letters::requeue(&ports, &id, ACTOR, command.reason.as_deref()).await?;
            (json!({ "job_id": id, "generation": generation }), "; it runs when a daemon runs (`inkdex serve`, `inkdex run`)")
        }
        World::Daemon(daemon) => (daemon.post(&path(&id, "requeue"), &json!({ "reason": command.reason })).await?, "; the daemon runs it"),
    };
    done(common, &answer, &format!("{id} is queued again{note}"))
}

async fn discard(common: &Common, config: &Config, command: &Command) -> anyhow::Result<()> {
    let id = named(config, command).await?;
    let answer = match world::open(config).await? {
        World::Own(ports) => {
            letters::discard(&ports, &id, ACTOR, command.reason.as_deref()).await?;
            json!({ "job_id": id, "discarded": true })
        }
        World::Daemon(daemon) => daemon.post(&path(&id, "discard"), &json!({ "reason": command.reason })).await?,
    };
    done(common, &answer, &format!("{id} is discarded"))
}

fn path(id: &JobId, verb: &str) -> String {
    format!("/admin/v1/dead-letters/{}:{verb}", segment(id.as_str()))
}

fn done(common: &Common, answer: &Value, sentence: &str) -> anyhow::Result<()> {
    if common.json { output::json(answer) } else { output::line(sentence) }
}
