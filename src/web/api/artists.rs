//! `/v1/artists`: search, and one artist (002-C6, 002-X9).

use crate::domain::artist::{Artist, ArtistRow};
use crate::domain::identity::IdentityKey;
use crate::domain::ids::ArtistId;
use crate::jobs::directory::Found;
use crate::search::{SearchPage, SearchQuery};
use crate::web::api::records::{ArtistRecord, ArtistSummary};
use crate::web::errors::{Code, ProblemDetails, WebError};
use crate::web::params::{self, Params};
use crate::web::state::Web;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, get};
use serde::Serialize;
use utoipa::ToSchema;

/// Longest id that is looked up, bytes: no id of ours is longer.
const ID_MAX_BYTES: usize = 512;

/// A page of artists, best match first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtistList {
    /// The artists.
    pub artists: Vec<ArtistSummary>,
    /// How many match in all.
    pub total: u64,
    /// For the next page; none at the end.
    pub next_page_token: Option<String>,
    /// The search index is out: the page was made of styles and places alone, and has at most the first thousand artists.
    pub degraded: bool,
}

/// Search the directory.
#[utoipa::path(
    tag = "directory",
    params(
        (
            "query" = Option<String>,
            Query,
            description = "Words that must all match: of a name (the last may be half typed, longer ones may have a typo), a studio, a place, a style"
        ),
        (
            "style" = Option<Vec<String>>,
            Query,
            description = "A style by its slug or another name; repeat it for several, of which an artist must have one"
        ),
        ("location" = Option<String>, Query, description = "A city, a country, or `city, country`", example = "Berlin, Germany"),
        ("near" = Option<String>, Query, description = "A point in degrees, `latitude,longitude`", example = "51.5074,-0.1278"),
        ("radius_km" = Option<f64>, Query, description = "Kilometres around `near`, up to 500; 25 if it is not given"),
        ("instagram" = Option<String>, Query, description = "An Instagram handle, with or without `@`"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before; it belongs to the same search"),
        ("limit" = Option<u8>, Query, description = "Artists of a page, 1 to 50; 20 if it is not given")
    ),
    responses(
        (status = 200, description = "A page of artists", body = ArtistList),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/v1/artists")]
pub async fn search_artists(web: Data<Web>, request: HttpRequest) -> Result<Json<ArtistList>, WebError> {
    let (_, query) = params::search(&web, &params::pairs(&request));
    let query = query?;
    let Found { page, degraded } = find(&web, &query).await?;
    let next_page_token = page.next.as_ref().map(|mark| web.tokens.issue(&query, mark));
    let artists = page.hits.into_iter().map(ArtistSummary::from).collect();
    Ok(Json(ArtistList { artists, total: page.total, next_page_token, degraded }))
}

/// Show one artist: every fact with the page it came from.
#[utoipa::path(
    tag = "directory",
    params(("id" = String, Path, description = "The artist's id")),
    responses(
        (status = 200, description = "The artist", body = ArtistRecord),
        (status = 404, description = "There is no such artist", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/v1/artists/{id}")]
pub async fn show_artist(web: Data<Web>, id: Path<String>, request: HttpRequest) -> Result<Json<ArtistRecord>, WebError> {
    Params::of(&request, &[]).finish()?;
    let (row, artist) = live_artist(&web, &id).await?;
    Ok(Json(ArtistRecord::of(&row, &artist, web.ports().clock.now())))
}

/// A page of hits. A search by handle is a read by key, so the denylist is asked as well (rule 15).
pub async fn find(web: &Web, query: &SearchQuery) -> Result<Found, WebError> {
    let ports = web.ports();
    if let Some(key) = query.instagram.as_deref().and_then(IdentityKey::instagram)
        && ports.store.is_denied(&[ports.deny.of_key(&key)]).await?
    {
        return Ok(Found { page: SearchPage { hits: Vec::new(), total: 0, next: None }, degraded: false });
    }
    Ok(web.directory.find(query).await?)
}

/// The live artist of an id. Retired, removed, denied and unknown ones cannot be told apart (rule 15).
pub async fn live_artist(web: &Web, id: &str) -> Result<(ArtistRow, Artist), WebError> {
    let ports = web.ports();
    let unknown = || WebError::new(Code::UnknownArtist, "nobody in the directory has this id; /v1/artists finds people");
    if id.len() > ID_MAX_BYTES {
        return Err(unknown());
    }
    let row = ports.store.artist(&ArtistId::new(id)).await?.ok_or_else(unknown)?;
    let artist = row.live().cloned().ok_or_else(unknown)?;
    if ports.store.is_denied(&ports.deny.of_record(&row.id, &artist)).await? {
        return Err(unknown());
    }
    Ok((row, artist))
}
