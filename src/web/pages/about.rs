//! Pages about the service itself: the bot, privacy and removal, and the codes of errors.

use crate::scrape::politeness::{CRAWL_DELAY_MAX, RETRY_AFTER_MAX};
use crate::scrape::robots::PRODUCT_TOKEN;
use crate::web::errors::Code;
use crate::web::openapi::{Described, Document};
use crate::web::pages::{Frame, page};
use crate::web::state::{Contact, Web};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use askama::Template;

#[derive(Debug, Template)]
#[template(path = "bot.html", config = "src/web/askama.toml")]
struct BotPage {
    frame: Frame,
    token: &'static str,
    /// Seconds.
    crawl_delay_max: u64,
    /// Hours.
    retry_after_max: u64,
    contact: Option<Contact>,
}

#[derive(Debug, Template)]
#[template(path = "privacy.html", config = "src/web/askama.toml")]
struct PrivacyPage {
    frame: Frame,
    contact: Option<Contact>,
}

#[derive(Debug, Template)]
#[template(path = "errors.html", config = "src/web/askama.toml")]
struct ErrorsPage {
    frame: Frame,
    codes: &'static [Code],
}

#[derive(Debug, Template)]
#[template(path = "api.html", config = "src/web/askama.toml")]
struct ApiPage {
    frame: Frame,
    public: Vec<Described>,
    admin: Vec<Described>,
}

/// The API for people; programs read the OpenAPI document.
#[get("/api")]
pub async fn api_page(document: Data<Document>, web: Data<Web>) -> HttpResponse {
    let (admin, mut public): (Vec<_>, Vec<_>) = document.operations().iter().cloned().partition(Described::is_admin);
    // What people come for stands before what monitoring asks.
    public.sort_by_key(|one| !one.path.starts_with("/v1/"));
    page(StatusCode::OK, &ApiPage { frame: Frame::new(), public, admin: if web.state.admin { admin } else { Vec::new() } })
}

/// What the bot does, and how to keep it away.
#[get("/bot")]
pub async fn bot_page(web: Data<Web>) -> HttpResponse {
    let (crawl_delay_max, retry_after_max) = (CRAWL_DELAY_MAX.as_secs(), RETRY_AFTER_MAX.as_secs() / 3_600);
    let contact = web.state.contact.clone();
    page(StatusCode::OK, &BotPage { frame: Frame::new(), token: PRODUCT_TOKEN, crawl_delay_max, retry_after_max, contact })
}

/// What is kept of people, and how to be removed.
#[get("/privacy")]
pub async fn privacy_page(web: Data<Web>) -> HttpResponse {
    page(StatusCode::OK, &PrivacyPage { frame: Frame::new(), contact: web.state.contact.clone() })
}

/// The codes of errors, to which every problem's `type` points.
#[get("/errors")]
pub async fn errors_page() -> HttpResponse {
    page(StatusCode::OK, &ErrorsPage { frame: Frame::new(), codes: Code::ALL })
}
