//! Who is who, for operators: conflicts of keys, and telling two people apart (rule 9).

use crate::domain::ids::ArtistId;
use crate::jobs::tell_apart::{self, Conflict};
use crate::web::admin::{ACTOR, PAGE_DEFAULT, PAGE_MAX};
use crate::web::admission::Operator;
use crate::web::body::JsonBody;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A key that two artists claim.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityConflict {
    /// By what operators name it.
    pub id: String,
    /// `shared` (two names claim it, so it names nobody) or `may_be_one` (two records of agreeing names).
    pub kind: String,
    /// `instagram`, `site` or `member`.
    pub key: String,
    /// Who had it first.
    pub holder_id: String,
    /// Who claims it as well; none if it is a studio, whose own pages show it.
    pub claimant_id: Option<String>,
    /// When it was met, RFC 3339.
    pub at: String,
}

impl From<Conflict> for IdentityConflict {
    fn from(conflict: Conflict) -> Self {
        Self {
            kind: conflict.kind.as_str().to_owned(),
            holder_id: conflict.holder.to_string(),
            claimant_id: conflict.claimant.map(|claimant| claimant.to_string()),
            at: conflict.at.rfc3339(),
            id: conflict.id,
            key: conflict.key,
        }
    }
}

/// Conflicts.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityConflicts {
    /// The oldest first.
    pub conflicts: Vec<IdentityConflict>,
}

/// To whom a key is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyGiven {
    /// One of the two artists.
    pub artist_id: String,
    /// In a sentence; no personal data.
    pub reason: Option<String>,
}

/// What is told apart.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToldApart {
    /// The source that speaks of somebody else.
    #[schema(example = "studio:studio-9a2e")]
    pub source: String,
    /// In a sentence; no personal data.
    pub reason: Option<String>,
}

/// Two people who were one.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtistSplit {
    /// Who they were.
    pub artist_id: String,
    /// Whom the source speaks of.
    pub other_id: String,
}

/// List the keys that two artists claim and nobody has decided on, the oldest conflict first.
#[utoipa::path(
    tag = "admin",
    params(("limit" = Option<u16>, Query, description = "Conflicts at most, 1 to 500; 50 if it is not given")),
    responses(
        (status = 200, description = "Conflicts", body = IdentityConflicts),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/identity-conflicts")]
pub async fn list_identity_conflicts(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<IdentityConflicts>, WebError> {
    let mut params = Params::of(&request, &["limit"]);
    let limit = params.limit(PAGE_DEFAULT, PAGE_MAX);
    params.finish()?;
    let conflicts = tell_apart::conflicts(web.ports().store.as_ref(), limit).await?;
    Ok(Json(IdentityConflicts { conflicts: conflicts.into_iter().map(Into::into).collect() }))
}

/// Give the key of a conflict to one of the two, for good.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The conflict's id")),
    request_body = KeyGiven,
    responses(
        (status = 200, description = "The key names that artist, whoever else claims it", body = IdentityConflicts),
        (status = 409, description = "There is no such conflict, or it is between others", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/identity-conflicts/{id}:give")]
pub async fn give_identity_key(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(given): JsonBody<KeyGiven>,
) -> Result<Json<IdentityConflicts>, WebError> {
    Params::of(&request, &[]).finish()?;
    let artist = ArtistId::new(given.artist_id.trim());
    tell_apart::give(web.ports(), &id, &artist, (ACTOR, given.reason.as_deref())).await?;
    let left = tell_apart::conflicts(web.ports().store.as_ref(), PAGE_DEFAULT).await?;
    Ok(Json(IdentityConflicts { conflicts: left.into_iter().map(Into::into).collect() }))
}

/// Make an artist of their own of what one source says of an artist, and of whatever it says from now on. Repeating it is harmless.
#[utoipa::path(
    tag = "admin",
    params(("id" = String, Path, description = "The id of the artist who is two")),
    request_body = ToldApart,
    responses(
        (status = 200, description = "They are two, and stay so", body = ArtistSplit),
        (status = 404, description = "There is no such artist", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "There is no such source, or no other", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/admin/v1/artists/{id}:split")]
pub async fn split_artist(
    _: Operator,
    web: Data<Web>,
    id: Path<String>,
    request: HttpRequest,
    JsonBody(told): JsonBody<ToldApart>,
) -> Result<Json<ArtistSplit>, WebError> {
    Params::of(&request, &[]).finish()?;
    let id = ArtistId::new(id.into_inner());
    let other = tell_apart::split(web.ports(), &id, told.source.trim(), (ACTOR, told.reason.as_deref())).await?;
    Ok(Json(ArtistSplit { artist_id: id.to_string(), other_id: other.to_string() }))
}
