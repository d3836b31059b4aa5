//! The actors and their own counters.

use crate::jobs::control::Survey;
use crate::web::admission::Operator;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};

/// Show the state of every actor; none if the guardian does not answer.
#[utoipa::path(
    tag = "admin",
    responses(
        (status = 200, description = "The actors", body = Survey),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/actors")]
pub async fn survey_actors(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<Survey>, WebError> {
    Params::of(&request, &[]).finish()?;
    Ok(Json(web.state.control.survey().await))
}
