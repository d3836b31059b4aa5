//! `/v1/styles`: the vocabulary with counts (002-X9).

use crate::search::SearchQuery;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A style of the vocabulary.
#[derive(Debug, Serialize, ToSchema)]
pub struct StyleCount {
    /// As in `style=`.
    #[schema(example = "fine-line")]
    pub slug: String,
    /// As shown.
    #[schema(example = "fine line")]
    pub name: String,
    /// The style one would also look under.
    pub broader: Option<String>,
    /// Artists who work in it.
    pub artists: u64,
}

/// All styles.
#[derive(Debug, Serialize, ToSchema)]
pub struct StyleList {
    /// Most artists first, then by slug.
    pub styles: Vec<StyleCount>,
}

/// List all styles, each with the number of artists who work in it.
#[utoipa::path(
    tag = "directory",
    responses(
        (status = 200, description = "All styles", body = StyleList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/v1/styles")]
pub async fn list_styles(web: Data<Web>, request: HttpRequest) -> Result<Json<StyleList>, WebError> {
    Params::of(&request, &[]).finish()?;
    let ports = web.ports();
    let facets = web.directory.facets(&SearchQuery { limit: 1, ..SearchQuery::default() }).await?;
    let counts: HashMap<String, u64> = facets.styles.into_iter().map(|facet| (facet.value, facet.count)).collect();
    let mut styles: Vec<StyleCount> = ports
        .styles
        .all()
        .iter()
        .map(|style| StyleCount {
            slug: style.slug.clone(),
            name: style.name.clone(),
            broader: style.broader.clone(),
            artists: counts.get(&style.slug).copied().unwrap_or(0),
        })
        .collect();
    styles.sort_by(|one, other| other.artists.cmp(&one.artists).then_with(|| one.slug.cmp(&other.slug)));
    Ok(Json(StyleList { styles }))
}
