//! Dead letters: list by filters, show, requeue and discard one (002-C7, 002-X5).

use crate::domain::clock::Timestamp;
use crate::domain::ids::JobId;
use crate::domain::job::{Attempt, Job, JobKind};
use crate::domain::outcome::Category;
use crate::jobs::find_letters::find_letters;
use crate::jobs::letters;
use crate::search::letters::{LetterFilter, LetterQuery};
use crate::web::admin::{ACTOR, Because, PAGE_DEFAULT, PAGE_MAX};
use crate::web::admission::Operator;
use crate::web::body::JsonBody;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

const CATEGORIES: [Category; 7] =
    [Category::Transient, Category::Blocked, Category::Config, Category::Data, Category::Poison, Category::Bug, Category::Unknown];

/// A job as operators see it. Names and messages in it come from pages: show them as text.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobRecord {
    /// Its id.
    pub job_id: String,
    /// The session it belongs to.
    pub session_id: String,
    /// The step it belongs to.
    pub step: String,
    /// What it does and to what.
    #[schema(value_type = Object)]
    pub task: serde_json::Value,
    /// The host it visits.
    pub host: Option<String>,
    /// CREATED, SENT, RUNNING, PARKED, DONE, DEAD or CANCELLED.
    #[schema(example = "DEAD")]
    pub state: &'static str,
    /// 1, and one more for each requeue.
    pub generation: u32,
    /// Starts in this generation.
    pub attempts: u32,
    /// When the row was made, RFC 3339.
    pub created_at: String,
    /// When it became terminal, RFC 3339.
    pub settled_at: Option<String>,
    /// Why it died; none unless it is a dead letter.
    pub death: Option<Death>,
}

/// Why a job died.
#[derive(Debug, Serialize, ToSchema)]
pub struct Death {
    /// transient, blocked, config, data, poison, bug or unknown.
    #[schema(example = "data")]
    pub category: &'static str,
    /// A short stable code.
    #[schema(example = "parse_over_budget")]
    pub code: String,
    /// Where in the job.
    pub stage: String,
    /// What happened.
    pub message: String,
    /// The same for failures of one cause.
    pub fingerprint: String,
}

impl From<&Job> for JobRecord {
    fn from(job: &Job) -> Self {
        Self {
            job_id: job.id().to_string(),
            session_id: job.new.session_id.to_string(),
            step: job.new.step.clone(),
            task: serde_json::to_value(&job.new.task).unwrap_or_default(),
            host: job.new.host.clone(),
            state: job.state.as_str(),
            generation: job.generation,
            attempts: job.attempts,
            created_at: job.created_at.rfc3339(),
            settled_at: job.settled_at.map(|at| at.rfc3339()),
            death: job.death().map(|reason| Death {
                category: reason.category.as_str(),
                code: reason.code.clone(),
                stage: reason.stage.clone(),
                message: reason.message.clone(),
                fingerprint: reason.fingerprint(),
            }),
        }
    }
}

/// One start of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptRecord {
    /// Of which generation.
    pub generation: u32,
    /// Its number within the generation.
    pub number: u32,
    /// When it began, RFC 3339.
    pub began_at: String,
    /// When it ended, RFC 3339; none while it runs, or if its process died.
    pub ended_at: Option<String>,
    /// The process.
    pub owner: String,
    /// The build.
    pub build: String,
    /// How far it got.
    #[schema(value_type = String, example = "writing")]
    pub stage: crate::domain::job::Stage,
    /// The artists it was about to write.
    pub artist_ids: Vec<String>,
    /// How it ended.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<serde_json::Value>,
    /// Requests sent.
    pub requests: u64,
    /// Bytes received.
    pub wire_bytes: u64,
    /// Pages that another job of the session had fetched.
    pub cached_pages: u64,
    /// Pages asked for that have not changed: a 304 each.
    pub unmodified_pages: u64,
    /// Pages that were not due, read from what an earlier session kept.
    pub not_due_pages: u64,
}

impl From<&Attempt> for AttemptRecord {
    fn from(attempt: &Attempt) -> Self {
        Self {
            generation: attempt.generation,
            number: attempt.number,
            began_at: attempt.fence.rfc3339(),
            ended_at: attempt.ended_at.map(|at| at.rfc3339()),
            owner: attempt.owner.clone(),
            build: attempt.build.clone(),
            stage: attempt.stage,
            artist_ids: attempt.artist_ids.iter().map(ToString::to_string).collect(),
            outcome: attempt.outcome.as_ref().and_then(|outcome| serde_json::to_value(outcome).ok()),
            requests: attempt.usage.requests,
            wire_bytes: attempt.usage.wire_bytes,
            cached_pages: attempt.usage.cached_pages,
            unmodified_pages: attempt.usage.unmodified_pages,
            not_due_pages: attempt.usage.not_due_pages,
        }
    }
}

/// A page of dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterList {
    /// The one that died last first.
    pub dead_letters: Vec<JobRecord>,
    /// For the next page; none at the end.
    pub next_page_token: Option<String>,
    /// The index of dead letters is out and the ledger's list was looked through: a page may be short and yet have a next one.
    pub degraded: bool,
}

/// A job with its history.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterDetail {
    /// The job.
    pub job: JobRecord,
    /// Its attempts, oldest first, of all generations.
    pub attempts: Vec<AttemptRecord>,
}

/// A dead letter was requeued.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterRequeued {
    /// Which.
    pub job_id: String,
    /// Its new generation.
    pub generation: u32,
}

/// A dead letter was discarded.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterDiscarded {
    /// Which.
    pub job_id: String,
    /// Always true.
    pub discarded: bool,
}

/// List dead letters, newest first.
#[utoipa::path(
    tag = "admin",
    params(
        ("session" = Option<String>, Query, description = "Of this session only"),
        ("category" = Option<String>, Query, description = "transient, blocked, config, data, poison, bug or unknown"),
        ("host" = Option<String>, Query, description = "Of this host only, exactly"),
        ("code" = Option<String>, Query, description = "Of this code only, as `timeout`"),
        ("kind" = Option<String>, Query, description = "Of this kind of job only, as `scrape_artist`"),
        ("stage" = Option<String>, Query, description = "That failed at this stage only, as `parse`"),
        ("fingerprint" = Option<String>, Query, description = "Of this cause only"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
        ("limit" = Option<u16>, Query, description = "Letters of a page, 1 to 500; 50 if it is not given")
    ),
    responses(
        (status = 200, description = "A page of dead letters", body = LetterList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/dead-letters")]
pub async fn list_dead_letters(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<LetterList>, WebError> {
    let mut params = Params::of(&request, &["session", "category", "host", "code", "kind", "stage", "fingerprint", "page_token", "limit"]);
    let category = params.text("category");
    if let Some(category) = &category
        && !CATEGORIES.iter().any(|known| known.as_str() == category)
    {
        let known: Vec<&str> = CATEGORIES.iter().map(|known| known.as_str()).collect();
        params.problem("category", format!("`{category}` is no category; there are {}", known.join(", ")));
    }
    let kind = params.text("kind");
    if let Some(kind) = &kind
        && JobKind::parse(kind).is_none()
    {
        params.problem("kind", format!("`{kind}` is no kind of job; there are {}", JobKind::ALL.map(JobKind::as_str).join(", ")));
    }
    let after = params.text("page_token").map(|token| read_token(&token));
    if after.as_ref().is_some_and(Option::is_none) {
        params.problem("page_token", "it is none of ours; start again without it");
    }
    let filter = LetterFilter {
        session: params.text("session"),
        kind,
        host: params.text("host"),
        category,
        code: params.text("code"),
        stage: params.text("stage"),
        fingerprint: params.text("fingerprint"),
    };
    let query = LetterQuery { filter, limit: params.limit(PAGE_DEFAULT, PAGE_MAX), after: after.flatten() };
    params.finish()?;
    let page = find_letters(web.ports().store.as_ref(), Ok(web.ports().letters.as_ref()), &query).await?;
    Ok(Json(LetterList {
        dead_letters: page.jobs.iter().map(JobRecord::from).collect(),
        next_page_token: page.next.as_ref().map(|(at, id)| token(*at, id)),
        degraded: page.degraded,
    }))
}

/// Not signed: operators may read everything that a forged one leads to.
fn token(at: Timestamp, id: &JobId) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{id}", at.0))
}

fn read_token(token: &str) -> Option<(Timestamp, JobId)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (at, id) = text.split_once(':')?;
    Some((Timestamp(at.parse().ok()?), JobId::new(id)))
}

/// Show a job, dead or not, with all its attempts.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = LetterDetail),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/dead-letters/{id}")]
pub async fn show_dead_letter(_: Operator, web: Data<Web>, id: Path<String>, request: HttpRequest) -> Result<Json<LetterDetail>, WebError> {
    Params::of(&request, &[]).finish()?;
    let (job, attempts) = letters::show(web.ports(), &JobId::new(id.into_inner())).await?;
    Ok(Json(LetterDetail { job: JobRecord::from(&job), attempts: attempts.iter().map(AttemptRecord::from).collect() }))
}

/// Requeue a dead letter as a new generation with fresh limits. A second time it is refused: it is no dead letter any more.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The job's id")),
    request_body = Because,
    responses(
        (status = 200, description = "It is open again", body = LetterRequeued),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/dead-letters/{id}:requeue")]
pub async fn requeue_dead_letter(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<Json<LetterRequeued>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = JobId::new(id.into_inner());
    let generation = letters::requeue(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(Json(LetterRequeued { job_id: id.to_string(), generation }))
}

/// Discard a dead letter: it is withdrawn for good.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The job's id")),
    request_body = Because,
    responses(
        (status = 200, description = "It is withdrawn", body = LetterDiscarded),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/dead-letters/{id}:discard")]
pub async fn discard_dead_letter(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<Json<LetterDiscarded>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = JobId::new(id.into_inner());
    letters::discard(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(Json(LetterDiscarded { job_id: id.to_string(), discarded: true }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn page_tokens_round_trip(at in any::<i64>(), id in "[a-zA-Z0-9:-]{0,60}") {
            let id = JobId::new(id);
            prop_assert_eq!(read_token(&token(Timestamp(at), &id)), Some((Timestamp(at), id)));
        }

        #[test]
        fn any_text_may_come_as_a_token(text in ".{0,80}") {
            let _never_panics = read_token(&text);
        }
    }
}
