//! Sessions: list, show with counts and report, start one by hand (002-C5).

use crate::domain::ids::SessionId;
use crate::domain::session::{Session, StepCounts, Trigger};
use crate::jobs::absences;
use crate::jobs::audit::audit;
use crate::web::admin::{ACTOR, Because, PAGE_DEFAULT, PAGE_MAX};
use crate::web::admission::Operator;
use crate::web::body::JsonBody;
use crate::web::errors::{Code, ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tracing::warn;
use utoipa::ToSchema;

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionSummary {
    /// Derived from pipeline and schedule.
    pub id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The moment it was scheduled for, RFC 3339.
    pub scheduled_for: String,
    /// `scheduled`, `manual` or `fresh`.
    #[schema(value_type = String, example = "scheduled")]
    pub trigger: crate::domain::session::Trigger,
    /// CREATED, RUNNING, COMPLETED, FAILED or CANCELLED.
    #[schema(example = "COMPLETED")]
    pub state: &'static str,
    /// When it began, RFC 3339.
    pub began_at: String,
    /// When it ended, RFC 3339.
    pub ended_at: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether its absences were held back for a person to decide.
    pub held: bool,
}

impl From<&Session> for SessionSummary {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            pipeline: session.pipeline.clone(),
            scheduled_for: session.scheduled_for.rfc3339(),
            trigger: session.trigger,
            state: session.state.as_str(),
            began_at: session.created_at.rfc3339(),
            ended_at: session.ended_at.map(|at| at.rfc3339()),
            failure: session.failure.clone(),
            held: session.held,
        }
    }
}

/// Sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionSummary>,
}

/// A step of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepStatus {
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub job: &'static str,
    /// PENDING, RUNNING, SUCCEEDED, FAILED, TIMED_OUT or CANCELLED.
    #[schema(value_type = String, example = "SUCCEEDED")]
    pub state: crate::domain::session::StepState,
    /// When the step before it had ended, RFC 3339.
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    pub ended_at: Option<String>,
    /// Its jobs by state.
    pub jobs: BTreeMap<String, u64>,
}

/// A session with its steps.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// Its steps in order.
    pub steps: Vec<StepStatus>,
    /// Jobs of the session that belong to no step of it, by state.
    pub other_jobs: BTreeMap<String, u64>,
    /// Its report, once written.
    #[schema(value_type = Option<Object>)]
    pub report: Option<serde_json::Value>,
}

/// A session was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionStarted {
    /// Its id.
    pub session_id: String,
}

/// Absences were accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AbsencesAccepted {
    /// Of which session.
    pub session_id: String,
    /// Always true.
    pub accepted: bool,
}

/// List sessions, newest first.
#[utoipa::path(
    tag = "admin",
    params(("limit" = Option<u16>, Query, description = "Sessions at most, 1 to 500; 50 if it is not given")),
    responses(
        (status = 200, description = "Sessions", body = SessionList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/sessions")]
pub async fn list_sessions(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<SessionList>, WebError> {
    let mut params = Params::of(&request, &["limit"]);
    let limit = params.limit(PAGE_DEFAULT, PAGE_MAX);
    params.finish()?;
    let sessions = web.ports().store.sessions(limit).await?;
    Ok(Json(SessionList { sessions: sessions.iter().map(SessionSummary::from).collect() }))
}

/// Show a session: its steps, their jobs by state, and its report.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = SessionDetail),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/sessions/{id}")]
pub async fn show_session(_: Operator, web: Data<Web>, id: Path<String>, request: HttpRequest) -> Result<Json<SessionDetail>, WebError> {
    Params::of(&request, &[]).finish()?;
    let ports = web.ports();
    let id = SessionId::new(id.into_inner());
    let unknown = || WebError::new(Code::UnknownSession, format!("there is no session {id}; /admin/v1/sessions lists them"));
    let session = ports.store.session(&id).await?.ok_or_else(unknown)?;
    let mut counts = ports.store.step_counts(&id).await?;
    let steps = session
        .steps
        .iter()
        .map(|step| StepStatus {
            name: step.definition.name.clone(),
            job: step.definition.job.as_str(),
            state: step.state,
            started_at: step.started_at.map(|at| at.rfc3339()),
            ended_at: step.ended_at.map(|at| at.rfc3339()),
            jobs: take_counts(&mut counts, &step.definition.name),
        })
        .collect();
    let mut other_jobs = BTreeMap::new();
    let left: Vec<String> = counts.0.keys().cloned().collect();
    for step in left {
        for (state, jobs) in take_counts(&mut counts, &step) {
            *other_jobs.entry(state).or_default() += jobs;
        }
    }
    let report = match &session.report {
        Some(key) => ports.objects.get(key).await.map_err(crate::jobs::PortError::from)?,
        None => None,
    };
    let report = report.and_then(|bytes| {
        serde_json::from_slice(&bytes).inspect_err(|error| warn!(session.id = %id, %error, "the report of session {id} is no JSON")).ok()
    });
    Ok(Json(SessionDetail { summary: SessionSummary::from(&session), steps, other_jobs, report }))
}

fn take_counts(counts: &mut StepCounts, step: &str) -> BTreeMap<String, u64> {
    counts.0.remove(step).unwrap_or_default().into_iter().map(|(state, jobs)| (state.as_str().to_owned(), jobs)).collect()
}

/// How a session is started.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSession {
    /// Ask for every page anew, instead of sparing those that earlier sessions kept.
    pub fresh: bool,
}

/// Start a session now.
#[utoipa::path(
    tag = "admin",
    request_body(content = NewSession, description = "May be left out"),
    responses(
        (status = 202, description = "It was started; `Location` says where it stands", body = SessionStarted),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/sessions")]
pub async fn start_session(
    _: Operator,
    web: Data<Web>,
    request: HttpRequest,
    JsonBody(NewSession { fresh }): JsonBody<NewSession>,
) -> Result<HttpResponse, WebError> {
    Params::of(&request, &[]).finish()?;
    if let Some(open) = web.ports().store.open_sessions().await?.first() {
        let detail = format!("session {} is running and would be asked the same sites; wait for its end", open.id);
        return Err(WebError::new(Code::SessionRuns, detail));
    }
    let trigger = if fresh { Trigger::Fresh } else { Trigger::Manual };
    let id = web.state.control.start_session(trigger).await?;
    let effect = if fresh { "started, every page is asked for anew" } else { "started" };
    audit(web.ports(), ACTOR, "session.start", &id, None, effect).await?;
    let location = format!("/admin/v1/sessions/{id}");
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(SessionStarted { session_id: id.to_string() }))
}

/// Accept the absences that the run gate held back. A second time it is refused, and so it is once a later night has run.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The session's id")),
    request_body = Because,
    responses(
        (status = 202, description = "They are applied; the session's report tells how many", body = AbsencesAccepted),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/sessions/{id}:accept-absences")]
pub async fn accept_absences(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<HttpResponse, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = SessionId::new(id.into_inner());
    absences::accept(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(HttpResponse::Accepted().json(AbsencesAccepted { session_id: id.to_string(), accepted: true }))
}
