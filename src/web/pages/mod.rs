//! Pages for people: server-rendered, every value escaped, usable without JavaScript.

mod about;
mod artist;
mod assets;
mod filters;
mod removal;
mod search;
mod words;

use crate::web::errors::{Code, ProblemDetails, WebError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use askama::Template;
use std::fmt;
use tracing::error;

/// Registers the pages.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(search::search_page)
        .service(artist::artist_page)
        .service(removal::removal_page)
        .service(removal::send_request)
        .service(removal::check_request)
        .service(removal::status_page)
        .service(about::bot_page)
        .service(about::privacy_page)
        .service(about::errors_page)
        .service(about::api_page)
        .service(assets::asset);
}

/// What the frame of every page links to.
#[derive(Debug, Clone, Copy)]
struct Frame {
    style_sheet: &'static str,
    script: &'static str,
    icon: &'static str,
}

impl Frame {
    fn new() -> Self {
        Self { style_sheet: assets::STYLE_SHEET.url(), script: assets::SCRIPT.url(), icon: assets::ICON.url() }
    }
}

#[derive(Debug, Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
struct ErrorPage {
    frame: Frame,
    is_missing: bool,
    details: ProblemDetails,
}

/// Whether a person rather than a program asks.
pub fn wants_page(request: &HttpRequest) -> bool {
    request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// The page for an address that leads nowhere.
pub fn not_found() -> HttpResponse {
    PageError(WebError::new(Code::UnknownRoute, "The address may be mistyped, or what was here is gone.")).error_response()
}

/// Renders a page.
fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(error) => {
            error!(%error, "a page could not be rendered: {error}");
            WebError::new(Code::Internal, "the page could not be rendered; the log of the service says why").error_response()
        }
    }
}

/// An error shown to a person.
#[derive(Debug)]
pub struct PageError(WebError);

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a visitor is told where the API speaks to programs.
fn for_visitors(code: Code) -> Option<&'static str> {
    match code {
        Code::UnknownRequest => Some("There is no request of this receipt, or its address is mistyped. Artists are found by name:"),
        Code::UnknownArtist => Some("This artist is not in the directory, or not any more. Look for them by name:"),
        _ => None,
    }
}

impl From<WebError> for PageError {
    fn from(error: WebError) -> Self {
        Self(error)
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.0.code.status();
        let mut details = self.0.details();
        if let Some(words) = for_visitors(self.0.code) {
            words.clone_into(&mut details.detail);
        }
        let template = ErrorPage { frame: Frame::new(), is_missing: status == StatusCode::NOT_FOUND, details };
        let mut response = page(status, &template);
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        response
    }
}
