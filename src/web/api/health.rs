//! For load balancers and monitoring: alive, ready, and what is measured (002-R34, 002-R42, 002-R43).

use crate::search::SearchQuery;
use crate::web::errors::{Code, ProblemDetails, WebError};
use crate::web::state::Web;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a part may take to answer before it counts as not ready.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What prometheus-client writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: &'static str,
}

/// Every part answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyParts {
    /// Always `ready`.
    pub status: &'static str,
    /// The parts that were asked.
    pub parts: Vec<&'static str>,
}

/// Whether the process is alive; no part of it is asked.
#[utoipa::path(tag = "health", responses((status = 200, description = "It is alive", body = Alive)))]
#[get("/healthz")]
pub async fn healthz() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether requests can be served; names the parts that are not ready.
#[utoipa::path(
    tag = "health",
    responses(
        (status = 200, description = "Every part answers", body = ReadyParts),
        (status = 503, description = "Some part does not", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/readyz")]
pub async fn readyz(web: Data<Web>) -> Result<Json<ReadyParts>, WebError> {
    let ports = web.ports();
    let asked = tokio::join!(
        answered("store", async { ports.store.depth(ports.clock.now()).await.map(drop).map_err(|error| error.to_string()) }),
        answered("queue", async { ports.queue.depth().await.map(drop).map_err(|error| error.to_string()) }),
        answered("index", async {
            let query = SearchQuery { limit: 1, ..SearchQuery::default() };
            ports.index.search(&query).await.map(drop).map_err(|error| error.to_string())
        }),
        answered("actors", actors(&web)),
    );
    let mut unready: Vec<String> = [asked.0, asked.1, asked.2, asked.3].into_iter().filter_map(Result::err).collect();
    if *web.state.stopping.borrow() {
        unready.push("process: it is stopping".to_owned());
    }
    if unready.is_empty() {
        return Ok(Json(ReadyParts { status: "ready", parts: vec!["store", "queue", "index", "actors"] }));
    }
    Err(WebError::new(Code::NotReady, unready.join("; ")))
}

async fn answered(part: &str, asked: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|why| format!("{part}: {why}")),
        Err(_) => Err(format!("{part}: no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

async fn actors(web: &Web) -> Result<(), String> {
    let survey = web.state.control.survey().await;
    if survey.children.is_empty() {
        return Err("the guardian does not answer".to_owned());
    }
    let silent: Vec<&str> = survey.children.iter().filter(|child| !child.alive).map(|child| child.name.as_str()).collect();
    if silent.is_empty() { Ok(()) } else { Err(format!("{} not alive", silent.join(", "))) }
}

/// What is measured, for Prometheus.
#[utoipa::path(tag = "health", responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")))]
#[get("/metrics")]
pub async fn metrics(web: Data<Web>) -> HttpResponse {
    HttpResponse::Ok().content_type(OPENMETRICS).body(web.state.metrics.text())
}
