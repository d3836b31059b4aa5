//! The search page: the whole directory, narrowed by words, styles and places (002-C6).

use crate::extract::Styles;
use crate::jobs::directory::Found;
use crate::search::Hit;
use crate::web::api::artists::find;
use crate::web::errors::{Code, ParameterProblem, WebError};
use crate::web::pages::filters::{Filter, Looked, Piece, filters};
use crate::web::pages::{Frame, PageError, page, words};
use crate::web::params;
use crate::web::state::Web;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

/// Cards of a page: it fills rows of one, two and three.
const CARDS: &str = "24";
/// Styles on a card; the others are counted.
const CARD_STYLES: usize = 3;

/// A style as a small label.
#[derive(Debug)]
pub(super) struct StyleTag {
    pub label: String,
    pub href: String,
    pub ink: usize,
}

impl StyleTag {
    pub fn of(styles: &Styles, slug: &str) -> Self {
        let href = Looked { styles: vec![slug.to_owned()], ..Looked::default() }.href(None);
        Self { label: words::style_label(styles, slug), href, ink: words::ink(styles, slug) }
    }
}

#[derive(Debug)]
struct Card {
    href: String,
    name: String,
    monogram: String,
    monogram_class: String,
    studio: Option<String>,
    place: Option<String>,
    tags: Vec<StyleTag>,
    more_tags: usize,
}

impl Card {
    fn of(hit: Hit, styles: &Styles) -> Self {
        let document = hit.document;
        let country = document.country.as_deref().map(words::country_label);
        let place: Vec<String> = document.city.clone().into_iter().chain(country).collect();
        Self {
            href: format!("/artists/{}", hit.artist_id),
            monogram: words::monogram(&document.name),
            monogram_class: words::monogram_class(styles, &document.styles),
            studio: document.studio.filter(|studio| *studio != document.name),
            place: (!place.is_empty()).then(|| place.join(", ")),
            tags: document.styles.iter().take(CARD_STYLES).map(|slug| StyleTag::of(styles, slug)).collect(),
            more_tags: document.styles.len().saturating_sub(CARD_STYLES),
            name: document.name,
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "search.html", config = "src/web/askama.toml")]
struct SearchView {
    frame: Frame,
    looked: Looked,
    is_everything: bool,
    degraded: bool,
    pieces: Vec<Piece>,
    problems: Vec<ParameterProblem>,
    count: String,
    total: u64,
    filters: Vec<Filter>,
    cards: Vec<Card>,
    next: Option<String>,
    first: Option<String>,
    /// Styles that are held by somebody, for who found nobody.
    popular: Vec<StyleTag>,
}

/// Search the directory.
#[get("/")]
pub async fn search_page(web: Data<Web>, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let mut pairs = params::pairs(&request);
    let has_limit = pairs.iter().any(|(name, _)| name == "limit");
    if !has_limit {
        pairs.push(("limit".to_owned(), CARDS.to_owned()));
    }
    let (mut asked, query) = params::search(&web, &pairs);
    if !has_limit {
        asked.limit = None;
    }
    let styles = &web.ports().styles;
    let looked = Looked::of(&asked, styles);
    let mut view = SearchView {
        frame: Frame::new(),
        is_everything: looked.is_everything(),
        degraded: false,
        pieces: looked.pieces(styles),
        problems: Vec::new(),
        count: String::new(),
        total: 0,
        filters: Vec::new(),
        cards: Vec::new(),
        next: None,
        first: asked.page_token.as_deref().filter(|token| !token.trim().is_empty()).map(|_| looked.href(None)),
        popular: Vec::new(),
        looked,
    };
    match query {
        Ok(query) => {
            let (found, facets) = tokio::join!(find(&web, &query), web.directory.facets(&query));
            let Found { page: found, degraded } = found?;
            // The filters are counts, which nobody but the index has: without it the page goes without them.
            view.degraded = degraded || facets.is_err();
            view.filters = facets.map(|facets| filters(&view.looked, &query, &facets, &found.hits, styles)).unwrap_or_default();
            view.next = found.next.as_ref().map(|mark| view.looked.href(Some(&web.tokens.issue(&query, mark))));
            view.total = found.total;
            view.count = words::counted(found.total, "artist", "artists");
            view.cards = found.hits.into_iter().map(|hit| Card::of(hit, styles)).collect();
        }
        Err(error) if error.code == Code::InvalidParameters => view.problems = error.problems,
        Err(error) => return Err(error.into()),
    }
    if view.cards.is_empty() && view.problems.is_empty() && !view.degraded {
        view.popular = popular(&web).await?;
    }
    let status = if view.problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let mut response = page(status, &view);
    // While somebody types, the address follows without empty parameters and without filling the history.
    let is_typed = request.headers().get("HX-Trigger").is_some_and(|trigger| trigger == "q" || trigger == "search");
    if is_typed && let Ok(address) = HeaderValue::from_str(&view.looked.href(None)) {
        response.headers_mut().insert(HeaderName::from_static("hx-replace-url"), address);
    }
    Ok(response)
}

/// The styles that most artists work in.
async fn popular(web: &Web) -> Result<Vec<StyleTag>, WebError> {
    let everything = crate::search::SearchQuery { limit: 1, ..Default::default() };
    let facets = web.directory.facets(&everything).await?;
    Ok(facets.styles.iter().take(8).map(|style| StyleTag::of(&web.ports().styles, &style.value)).collect())
}
