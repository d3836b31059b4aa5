//! The audit trail, read only.

use crate::store::AuditRow;
use crate::web::admin::{PAGE_DEFAULT, PAGE_MAX};
use crate::web::admission::Operator;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};
use serde::Serialize;
use utoipa::ToSchema;

/// Who did what to what.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// When, RFC 3339.
    pub at: String,
    /// Who: `cli`, `api`, or a component.
    pub actor: String,
    /// What.
    #[schema(example = "dead_letter.requeue")]
    pub verb: String,
    /// To what: an id.
    pub target: String,
    /// Why, as the actor said.
    pub reason: Option<String>,
    /// What came of it.
    pub effect: String,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self { at: row.at.rfc3339(), actor: row.actor, verb: row.verb, target: row.target, reason: row.reason, effect: row.effect }
    }
}

/// Audit entries.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
}

/// List what operators did, newest first.
#[utoipa::path(
    tag = "admin",
    params(("limit" = Option<u16>, Query, description = "Entries at most, 1 to 500; 50 if it is not given")),
    responses(
        (status = 200, description = "Audit entries", body = AuditList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/audit")]
pub async fn list_audit_rows(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<AuditList>, WebError> {
    let mut params = Params::of(&request, &["limit"]);
    let limit = params.limit(PAGE_DEFAULT, PAGE_MAX);
    params.finish()?;
    let rows = web.ports().store.audit_rows(limit).await?;
    Ok(Json(AuditList { entries: rows.into_iter().map(AuditEntry::from).collect() }))
}
