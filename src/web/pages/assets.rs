//! Style sheet, script and icon: embedded in the binary, at addresses that name their content, so that they are cached for ever.

use crate::domain::artist::hex;
use crate::web::pages::not_found;
use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file that pages link to.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    url: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = hex(&Sha256::digest(bytes)[..8]);
        Self { name, content_type, bytes, url: format!("/static/{hash}/{name}") }
    }

    /// Where it is served.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The style sheet.
pub static STYLE_SHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("inkdex.css", "text/css; charset=utf-8", include_bytes!("../static/inkdex.css")));
/// htmx 2.0.11, unchanged; its licence lies beside it.
pub static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("htmx.min.js", "text/javascript; charset=utf-8", include_bytes!("../static/htmx.min.js")));
/// The icon.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_bytes!("../static/icon.svg")));

/// Serves a file at exactly its address.
#[get("/static/{hash}/{name}")]
pub async fn asset(path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let asked = format!("/static/{hash}/{name}");
    let Some(asset) = [&STYLE_SHEET, &SCRIPT, &ICON].into_iter().find(|asset| asset.url == asked && asset.name == name) else {
        return not_found();
    };
    HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.bytes)
}
