//! `inkdex removals`: what people asked for, to be removed or corrected, and an operator's yes or no.

use crate::cli::daemon::segment;
use crate::cli::world::{self, World};
use crate::cli::{Common, output};
use anyhow::bail;
use clap::{Args, Subcommand};
use inkdex::config::Config;
use inkdex::domain::removal_request::{RemovalRequest, RequestId};
use inkdex::jobs::removal_requests::{self, OPEN_MAX};
use inkdex::store::Store;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What newcomers need to know of it.
pub const HELP: &str = "Examples:
  inkdex removals                                        the open requests, the oldest first
  inkdex removals show request-7d3a…                     one of them, with how to reach whoever asked
  inkdex removals approve request-7d3a… --reason \"answered by mail\"
  inkdex removals refuse request-7d3a… --answer \"this is the studio's page, not yours\"

Approving does what was asked at once, and for good: a removal denies and purges as `inkdex remove` does, also of somebody who is
not in the directory. A request that was proven on the artist's own site needs nobody. Whom a request names and how they are
reached is deleted with its end. Looking works beside a running daemon; approve and refuse go through its API.";

/// How a person at this terminal is named in the audit trail.
const ACTOR: &str = "cli";

/// What to do with requests.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct RemovalsArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the open requests, the oldest first.
    List,
    /// Show one request.
    Show {
        /// The request's id, or its beginning.
        id: String,
    },
    /// Do what is asked for, on your word.
    Approve {
        /// The request's id, or its beginning.
        id: String,
        /// Why, for the audit trail; no personal data.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Say no.
    Refuse {
        /// The request's id, or its beginning.
        id: String,
        /// Why; whoever asked reads it.
        #[arg(long, value_name = "TEXT")]
        answer: Option<String>,
    },
}

/// Runs the verb.
///
/// # Errors
/// There is no such request, or a sentence that says what to change.
pub async fn run(common: Common, args: RemovalsArgs) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    match args.what {
        None | Some(What::List) => list(&common, &config).await?,
        Some(What::Show { id }) => show(&common, &config, &id).await?,
        Some(What::Approve { id, reason }) => decide(&common, &config, &id, "approve", reason).await?,
        Some(What::Refuse { id, answer }) => decide(&common, &config, &id, "refuse", answer).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A request for programs, by the names that the admin API has.
fn view(request: &RemovalRequest) -> Value {
    let correction = request.correction.as_ref();
    json!({
        "id": request.id, "wish": request.wish.as_str(), "state": request.state.as_str(),
        "created_at": request.created_at.rfc3339(), "changed_at": request.changed_at.rfc3339(),
        "expires_at": request.expires_at().rfc3339(), "about": request.about.as_ref().map(|about| about.shown()),
        "contact": request.contact, "field": correction.map(|asked| asked.field.as_str()),
        "value": correction.map(|asked| &asked.value), "artist_id": request.artist_id, "checks": request.checks,
        "answer": request.answer,
    })
}

async fn list(common: &Common, config: &Config) -> anyhow::Result<()> {
    let (store, clock) = world::reading(config).await?;
    let requests = store.open_requests(OPEN_MAX).await?;
    if common.json {
        return output::json(&json!({ "requests": requests.iter().map(view).collect::<Vec<_>>() }));
    }
    if requests.is_empty() {
        return output::line("nobody asks to be removed or corrected");
    }
    let now = clock.now();
    let mut rows = vec![["request", "asks for", "names", "state", "age"].map(str::to_owned).to_vec()];
    rows.extend(requests.iter().map(|request| {
        vec![
            request.id.to_string(),
            request.wish.as_str().to_owned(),
            output::short(&request.about.as_ref().map(|about| about.shown()).unwrap_or_default(), 48),
            request.state.as_str().to_owned(),
            output::age(request.created_at, now),
        ]
    }));
    output::line(&output::list(&rows))
}

/// The request of an id or, among the open ones, of its beginning.
async fn find(store: &dyn Store, asked: &str) -> anyhow::Result<RemovalRequest> {
    let asked = asked.trim().trim_end_matches('…');
    if let Some(request) = store.request(&RequestId::new(asked)).await? {
        return Ok(request);
    }
    let open = store.open_requests(OPEN_MAX).await?;
    let mut found = open.into_iter().filter(|request| !asked.is_empty() && request.id.as_str().starts_with(asked));
    match (found.next(), found.next()) {
        (Some(request), None) => Ok(request),
        (Some(_), Some(_)) => bail!("several requests begin with {asked}; give more of the id"),
        (None, _) => bail!("there is no request {asked}; `inkdex removals` lists the open ones"),
    }
}

async fn show(common: &Common, config: &Config, id: &str) -> anyhow::Result<()> {
    let (store, clock) = world::reading(config).await?;
    let request = find(store.as_ref(), id).await?;
    if common.json {
        return output::json(&view(&request));
    }
    let now = clock.now();
    let gone = || "deleted with the request's end".to_owned();
    output::line(&format!("{}   {}", request.id, request.state.as_str()))?;
    let mut rows = vec![
        vec!["asks for".to_owned(), request.wish.as_str().to_owned()],
        vec!["names".to_owned(), request.about.as_ref().map_or_else(gone, |about| about.shown())],
        vec!["contact".to_owned(), request.contact.clone().unwrap_or_else(gone)],
        vec!["received".to_owned(), output::age(request.created_at, now)],
        vec!["looked for".to_owned(), format!("{} times", request.checks)],
    ];
    if let Some(asked) = &request.correction {
        rows.push(vec![asked.field.as_str().to_owned(), asked.value.clone()]);
    }
    rows.extend(request.artist_id.iter().map(|id| vec!["artist".to_owned(), id.to_string()]));
    rows.extend(request.answer.iter().map(|answer| vec!["answer".to_owned(), answer.clone()]));
    output::line(&output::columns(&rows))
}

async fn decide(common: &Common, config: &Config, asked: &str, verb: &str, said: Option<String>) -> anyhow::Result<()> {
    let request = {
        let (store, _) = world::reading(config).await?;
        find(store.as_ref(), asked).await?
    };
    let answer = match world::open(config).await? {
        World::Own(ports) => {
            let decided = match verb {
                "approve" => removal_requests::approve(&ports, &request.id, ACTOR, said.as_deref()).await?,
                _ => removal_requests::refuse(&ports, &request.id, ACTOR, said.as_deref()).await?,
            };
            if let Some(artist) = &decided.artist_id {
                world::show_in_index(&ports, artist).await?;
            }
            view(&decided)
        }
        World::Daemon(daemon) => {
            let path = format!("/admin/v1/removal-requests/{}:{verb}", segment(request.id.as_str()));
            daemon.post(&path, &json!({ "reason": said })).await?
        }
    };
    if common.json {
        return output::json(&answer);
    }
    output::line(&format!("{} is {}", request.id, answer["state"].as_str().unwrap_or("decided")))
}
