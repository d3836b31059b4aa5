//! Pages about the service itself: the bot, privacy and removal, and the codes of errors.

use crate::scrape::politeness::{CRAWL_DELAY_MAX, RETRY_AFTER_MAX};
use crate::scrape::robots::PRODUCT_TOKEN;
use crate::web::errors::Code;
use crate::web::pages::{Frame, page};
use actix_web::http::StatusCode;
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
}

#[derive(Debug, Template)]
#[template(path = "privacy.html", config = "src/web/askama.toml")]
struct PrivacyPage {
    frame: Frame,
}

#[derive(Debug, Template)]
#[template(path = "errors.html", config = "src/web/askama.toml")]
struct ErrorsPage {
    frame: Frame,
    codes: &'static [Code],
}

/// What the bot does, and how to keep it away.
#[get("/bot")]
pub async fn bot_page() -> HttpResponse {
    let (crawl_delay_max, retry_after_max) = (CRAWL_DELAY_MAX.as_secs(), RETRY_AFTER_MAX.as_secs() / 3_600);
    page(StatusCode::OK, &BotPage { frame: Frame::new(), token: PRODUCT_TOKEN, crawl_delay_max, retry_after_max })
}

/// What is kept of people, and how to be removed.
#[get("/privacy")]
pub async fn privacy_page() -> HttpResponse {
    page(StatusCode::OK, &PrivacyPage { frame: Frame::new() })
}

/// The codes of errors, to which every problem's `type` points.
#[get("/errors")]
pub async fn errors_page() -> HttpResponse {
    page(StatusCode::OK, &ErrorsPage { frame: Frame::new(), codes: Code::ALL })
}
