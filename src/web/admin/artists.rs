//! Removal of a person for good (rule 15).

use crate::domain::ids::ArtistId;
use crate::jobs::remove_artist::remove;
use crate::web::admin::{ACTOR, Because};
use crate::web::admission::Operator;
use crate::web::body::JsonBody;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, post};
use serde::Serialize;
use utoipa::ToSchema;

/// Somebody was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtistRemoved {
    /// Whose id it was.
    pub artist_id: String,
    /// Always true.
    pub removed: bool,
}

/// Remove an artist for good: denied first, then purged. Repeating it is harmless.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The artist's id")),
    request_body = Because,
    responses(
        (status = 200, description = "No interface returns the person any more", body = ArtistRemoved),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/artists/{id}:remove")]
pub async fn remove_artist(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(because): JsonBody<Because>,
) -> Result<Json<ArtistRemoved>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = ArtistId::new(id.into_inner());
    remove(web.ports(), &id, ACTOR, because.line().as_deref()).await?;
    Ok(Json(ArtistRemoved { artist_id: id.to_string(), removed: true }))
}
