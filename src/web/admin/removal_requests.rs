//! Requests to be removed or corrected, for operators: list, show, approve, refuse; and corrections of their own.

use crate::domain::correction::field_named;
use crate::domain::facts::Confirmer;
use crate::domain::ids::ArtistId;
use crate::domain::removal_request::{RemovalRequest, RequestId};
use crate::jobs::correct_artist::{CorrectError, Saying, correct};
use crate::jobs::removal_requests::{self, known_as};
use crate::web::admin::{ACTOR, Because, PAGE_DEFAULT, PAGE_MAX};
use crate::web::admission::Operator;
use crate::web::body::JsonBody;
use crate::web::errors::{ParameterProblem, ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request as operators see it. What is personal in it is gone once it is ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestRecord {
    /// By what operators name it.
    pub id: String,
    /// `removal` or `correction`.
    pub wish: String,
    /// Where it stands.
    pub state: String,
    /// When it came, RFC 3339.
    pub created_at: String,
    /// When it got where it stands, RFC 3339.
    pub changed_at: String,
    /// When it runs out unless it is proven or decided, RFC 3339.
    pub expires_at: String,
    /// Whom it names: an id, a handle or a site.
    pub about: Option<String>,
    /// How to reach whoever asked.
    pub contact: Option<String>,
    /// The field to be corrected.
    pub field: Option<String>,
    /// What it should say.
    pub value: Option<String>,
    /// Who is meant, if the directory knows.
    pub artist_id: Option<String>,
    /// How often the proof was looked for.
    pub checks: u32,
    /// What was answered.
    pub answer: Option<String>,
}

/// Requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestList {
    /// The oldest first.
    pub requests: Vec<RequestRecord>,
}

/// What an operator says of a field. One of `value`, `confirm` and `withdraw`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSaying {
    /// Which field.
    #[schema(example = "place")]
    pub field: String,
    /// What it says; nothing, if it is empty.
    pub value: Option<String>,
    /// It is right as it is.
    pub confirm: bool,
    /// It follows the pages again.
    pub withdraw: bool,
    /// In a sentence; no personal data.
    pub reason: Option<String>,
}

/// A field was corrected.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldCorrected {
    /// Whose.
    pub artist_id: String,
    /// Which field.
    pub field: String,
}

async fn record(web: &Web, request: &RemovalRequest) -> Result<RequestRecord, WebError> {
    let correction = request.correction.as_ref();
    Ok(RequestRecord {
        id: request.id.to_string(),
        wish: request.wish.as_str().to_owned(),
        state: request.state.as_str().to_owned(),
        created_at: request.created_at.rfc3339(),
        changed_at: request.changed_at.rfc3339(),
        expires_at: request.expires_at().rfc3339(),
        about: request.about.as_ref().map(|about| about.shown()),
        contact: request.contact.clone(),
        field: correction.map(|asked| asked.field.as_str().to_owned()),
        value: correction.map(|asked| asked.value.clone()),
        artist_id: known_as(web.ports(), request).await?.map(|id| id.to_string()),
        checks: request.checks,
        answer: request.answer.clone(),
    })
}

/// List the requests that are not ended, the oldest first.
#[utoipa::path(
    tag = "admin",
    params(("limit" = Option<u16>, Query, description = "Requests at most, 1 to 500; 50 if it is not given")),
    responses(
        (status = 200, description = "Requests", body = RequestList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/removal-requests")]
pub async fn list_removal_requests(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<RequestList>, WebError> {
    let mut params = Params::of(&request, &["limit"]);
    let limit = params.limit(PAGE_DEFAULT, PAGE_MAX);
    params.finish()?;
    let mut requests = Vec::new();
    for request in web.ports().store.open_requests(limit).await? {
        requests.push(record(&web, &request).await?);
    }
    Ok(Json(RequestList { requests }))
}

/// Show one request.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "The request", body = RequestRecord),
        (status = 404, description = "There is no such request", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/removal-requests/{id}")]
pub async fn inspect_removal_request(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<Json<RequestRecord>, WebError> {
    Params::of(&request, &[]).finish()?;
    let found = removal_requests::find(web.ports(), &RequestId::new(id.into_inner())).await?;
    Ok(Json(record(&web, &found).await?))
}

/// Approve a request on an operator's word, and do what it asks for. Repeating it is harmless.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The request's id")),
    request_body = Because,
    responses(
        (status = 200, description = "It is done, or it is APPROVED and done as soon as the parts it needs answer", body = RequestRecord),
        (status = 409, description = "It is ended, or names several people", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/removal-requests/{id}:approve")]
pub async fn approve_removal_request(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<Json<RequestRecord>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = RequestId::new(id.into_inner());
    let approved = removal_requests::approve(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(Json(record(&web, &approved).await?))
}

/// Refuse a request. The reason is shown to whoever asked.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The request's id")),
    request_body = Because,
    responses(
        (status = 200, description = "It is refused", body = RequestRecord),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/removal-requests/{id}:refuse")]
pub async fn refuse_removal_request(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<Json<RequestRecord>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = RequestId::new(id.into_inner());
    let refused = removal_requests::refuse(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(Json(record(&web, &refused).await?))
}

/// Confirm or correct a field of an artist, or take that back. It outranks all that is read.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The artist's id")),
    request_body = FieldSaying,
    responses(
        (status = 200, description = "The record says so", body = FieldCorrected),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/artists/{id}:correct")]
pub async fn correct_artist(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(said): JsonBody<FieldSaying>,
) -> Result<Json<FieldCorrected>, WebError> {
    Params::of(&request, &[]).finish()?;
    let saying = match (said.value, said.confirm, said.withdraw) {
        (Some(value), false, false) => Saying::Value(value),
        (None, true, false) => Saying::AsItIs,
        (None, false, true) => Saying::Withdrawn,
        _ => {
            let message = "give exactly one of value, confirm and withdraw".to_owned();
            return Err(WebError::parameters(vec![ParameterProblem { parameter: "value".to_owned(), message }]));
        }
    };
    let (id, because) = (ArtistId::new(id.into_inner()), Because { reason: said.reason });
    let field = field_named(&said.field).map_err(CorrectError::from)?;
    correct(web.ports(), &id, Confirmer::Operator, field, &saying, (ACTOR, because.line().as_deref())).await?;
    Ok(Json(FieldCorrected { artist_id: id.to_string(), field: field.as_str().to_owned() }))
}
