//! `/v1/removal-requests`: to be removed or corrected, without an account. Nothing that is answered tells whether anybody is, or was,
//! in the directory.

use crate::domain::removal_request::{About, NewRequest, RemovalRequest, RequestId, RequestState};
use crate::domain::text::clean_line;
use crate::jobs::prove_request::{FILE, Look, META};
use crate::jobs::removal_requests::{self, asked_correction};
use crate::web::body::JsonBody;
use crate::web::errors::{Code, ParameterProblem, ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest contact kept, characters.
pub const CONTACT_MAX_CHARS: usize = 200;

/// What somebody asks for. One of `artist`, `handle` and `site` says who they are.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewRemovalRequest {
    /// An artist's id, or the address of their page here.
    pub artist: Option<String>,
    /// An Instagram handle.
    pub handle: Option<String>,
    /// The address of a site of one's own.
    pub site: Option<String>,
    /// How to reach whoever asks. Kept until the request is ended, and shown to operators only.
    pub contact: String,
    /// To have a field corrected instead of being removed.
    pub correction: Option<FieldCorrection>,
}

/// What a field should say.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldCorrection {
    /// Which field.
    #[schema(example = "place")]
    pub field: String,
    /// What it should say; nothing, if it is empty.
    #[schema(example = "Porto, Portugal")]
    pub value: String,
}

/// Where a request stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovalRequestStatus {
    /// `removal` or `correction`.
    pub wish: String,
    /// `RECEIVED`, `PROVEN`, `APPROVED`, `DONE`, `REFUSED` or `EXPIRED`.
    #[schema(example = "RECEIVED")]
    pub state: String,
    /// When it came, RFC 3339.
    pub created_at: String,
    /// When it got where it stands, RFC 3339.
    pub changed_at: String,
    /// How to prove it; only while that is open.
    pub proof: Option<Proof>,
    /// What whoever decided has to say.
    pub answer: Option<String>,
}

/// How a request is proven: by one of these on the site that the directory has as the artist's own.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Proof {
    /// What has to stand there.
    pub token: String,
    /// As an element of the first page's head.
    pub meta: String,
    /// Or in this file.
    pub file: String,
    /// Until when, RFC 3339.
    pub until: String,
}

/// A request that was received.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovalRequestReceived {
    /// Proves whose request it is. It is told once and stored nowhere.
    pub receipt: String,
    /// Where the request's status is.
    pub href: String,
    /// Where it stands.
    #[serde(flatten)]
    pub status: RemovalRequestStatus,
}

/// What a look for the proof came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProofLooked {
    /// `found`, `not_found`, `refused` (the site's robots.txt keeps the bot away) or `not_now` (the site did not answer).
    pub look: String,
    /// Where the request stands.
    #[serde(flatten)]
    pub status: RemovalRequestStatus,
}

impl RemovalRequestStatus {
    /// Of a request.
    pub fn of(request: &RemovalRequest) -> Self {
        Self {
            wish: request.wish.as_str().to_owned(),
            state: request.state.as_str().to_owned(),
            created_at: request.created_at.rfc3339(),
            changed_at: request.changed_at.rfc3339(),
            proof: (request.state == RequestState::Received).then(|| Proof::of(&request.id, &request.expires_at().day())),
            answer: request.answer.clone(),
        }
    }
}

impl Proof {
    fn of(id: &RequestId, until: &str) -> Self {
        let token = id.proof_token();
        Self { meta: format!("<meta name=\"{META}\" content=\"{token}\">"), token, file: FILE.to_owned(), until: until.to_owned() }
    }
}

impl NewRemovalRequest {
    /// The request, if everything in it can be used; else everything that can not.
    pub fn read(&self, web: &Web) -> Result<NewRequest, Vec<ParameterProblem>> {
        let mut problems = Vec::new();
        let mut problem = |parameter: &str, message: String| problems.push(ParameterProblem { parameter: parameter.to_owned(), message });
        let named: Vec<(&str, &str)> = [("artist", &self.artist), ("handle", &self.handle), ("site", &self.site)]
            .into_iter()
            .filter_map(|(name, text)| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(|text| (name, text)))
            .collect();
        let about = match named.as_slice() {
            [("artist", text)] => Some(About::artist(text)),
            [("handle", text)] => Some(About::handle(text)),
            [(_, text)] => Some(About::site(text)),
            _ => None,
        };
        let about = match about {
            Some(Ok(about)) => Some(about),
            Some(Err(error)) => {
                problem(named.first().map_or("site", |(name, _)| name), error.to_string());
                None
            }
            None => {
                problem("site", "give exactly one of artist, handle and site: each is proven by itself".to_owned());
                None
            }
        };
        let contact = clean_line(&self.contact, CONTACT_MAX_CHARS + 1);
        if contact.is_empty() {
            problem("contact", "say how you can be reached, as by an e-mail address; it is deleted when your request is ended".to_owned());
        } else if contact.chars().nth(CONTACT_MAX_CHARS).is_some() {
            problem("contact", format!("it is longer than {CONTACT_MAX_CHARS} characters"));
        }
        let correction = self.correction.as_ref().map(|asked| asked_correction(web.ports(), &asked.field, &asked.value)).transpose();
        let correction = correction.unwrap_or_else(|error| {
            problem("correction", error.to_string());
            None
        });
        match about {
            Some(about) if problems.is_empty() => Ok(NewRequest { about, contact, correction }),
            _ => Err(problems),
        }
    }
}

/// Counts a request of a visitor.
///
/// # Errors
/// [`Code::TooManyRequests`].
pub fn admit(web: &Web, request: &HttpRequest) -> Result<(), WebError> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    web.rates.admit(peer, web.ports().clock.monotonic()).map_err(|wait| {
        let minutes = wait.as_secs().div_ceil(60);
        let detail =
            format!("too many requests came within the hour; try again in {minutes} minutes, or write to whoever runs this directory");
        let retry_after_s = u32::try_from(wait.as_secs()).ok();
        WebError { retry_after_s, ..WebError::new(Code::TooManyRequests, detail) }
    })
}

/// Looks for the proof, few at a time: each is a visit to a site.
///
/// # Errors
/// [`Code::Unavailable`] while others are looked for.
pub async fn look(web: &Web, receipt: &str) -> Result<(Look, RemovalRequest), WebError> {
    let Ok(_permit) = web.looks.try_acquire() else {
        return Err(WebError::new(Code::Unavailable, "other proofs are being looked for right now; try again in a moment"));
    };
    let ports = web.ports();
    let request = removal_requests::of_receipt(ports, receipt).await?;
    Ok(removal_requests::check(ports, &request.id).await?)
}

/// What a look came to, for programs.
fn look_name(look: Look) -> &'static str {
    match look {
        Look::Found => "found",
        Look::NotFound => "not_found",
        Look::Refused => "refused",
        Look::NotNow => "not_now",
    }
}

/// Ask to be removed from the directory, or to have a field corrected.
#[utoipa::path(
    tag = "directory",
    request_body = NewRemovalRequest,
    responses(
        (status = 201, description = "It was received; keep the receipt", body = RemovalRequestReceived),
        (status = 429, description = "Too many came within the hour", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/v1/removal-requests")]
pub async fn ask_for_removal(
    web: Data<Web>,
    request: HttpRequest,
    JsonBody(new): JsonBody<NewRemovalRequest>,
) -> Result<HttpResponse, WebError> {
    Params::of(&request, &[]).finish()?;
    let new = new.read(&web).map_err(WebError::parameters)?;
    admit(&web, &request)?;
    let (receipt, request) = removal_requests::receive(web.ports(), new).await?;
    let href = format!("/v1/removal-requests/{}", receipt.reveal());
    let body =
        RemovalRequestReceived { receipt: receipt.reveal().to_owned(), href: href.clone(), status: RemovalRequestStatus::of(&request) };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, href)).insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Say where a request stands.
#[utoipa::path(
    tag = "directory",
    params(("id" = String, Path, description = "The receipt")),
    responses(
        (status = 200, description = "Where it stands", body = RemovalRequestStatus),
        (status = 404, description = "There is no such request", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/v1/removal-requests/{id}")]
pub async fn show_removal_request(web: Data<Web>, id: Path<String>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    Params::of(&request, &[]).finish()?;
    let request = removal_requests::of_receipt(web.ports(), &id).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(RemovalRequestStatus::of(&request)))
}

/// Look for the proof of a request now: once a minute at most.
#[utoipa::path(
    tag = "directory",
    params(("id" = String, Path, description = "The receipt")),
    responses(
        (status = 200, description = "What came of it", body = ProofLooked),
        (status = 409, description = "It was looked for a moment ago, or the request is ended", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[post("/v1/removal-requests/{id}:check-proof")]
pub async fn check_proof(web: Data<Web>, id: Path<String>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    Params::of(&request, &[]).finish()?;
    let (look, request) = look(&web, &id).await?;
    let body = ProofLooked { look: look_name(look).to_owned(), status: RemovalRequestStatus::of(&request) };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}
