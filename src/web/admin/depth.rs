//! How much waits: exactly by the ledger, as delivered by the queue (002-R42).

use crate::web::admission::Operator;
use crate::web::errors::{ProblemDetails, WebError};
use crate::web::params::Params;
use crate::web::state::Web;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};
use serde::Serialize;
use utoipa::ToSchema;

/// Jobs by the ledger, which owns them.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerDepth {
    /// Jobs that are not terminal.
    pub open: u64,
    /// Of these, jobs that could run now.
    pub due: u64,
    /// Of these, jobs in work.
    pub running: u64,
    /// How long the oldest open job has been waiting, seconds.
    pub oldest_age_s: u64,
}

/// Messages by the queue, which may only estimate them.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageDepth {
    /// Can be received now.
    pub visible: u64,
    /// In somebody's hands.
    pub in_flight: u64,
    /// Delayed.
    pub delayed: u64,
}

/// Both depths.
#[derive(Debug, Serialize, ToSchema)]
pub struct Depths {
    /// By the ledger.
    pub ledger: LedgerDepth,
    /// By the queue.
    pub queue: MessageDepth,
}

/// Show how much waits.
#[utoipa::path(
    tag = "admin",
    responses(
        (status = 200, description = "Both depths", body = Depths),
        (status = "default", description = "An error", body = ProblemDetails, content_type = "application/problem+json")
    )
)]
#[get("/admin/v1/depth")]
pub async fn show_depth(_: Operator, web: Data<Web>, request: HttpRequest) -> Result<Json<Depths>, WebError> {
    Params::of(&request, &[]).finish()?;
    let ports = web.ports();
    let now = ports.clock.now();
    let ledger = ports.store.depth(now).await?;
    let queue = ports.queue.depth().await.map_err(crate::jobs::PortError::from)?;
    Ok(Json(Depths {
        ledger: LedgerDepth { open: ledger.open, due: ledger.due, running: ledger.running, oldest_age_s: ledger.oldest_age(now).as_secs() },
        queue: MessageDepth { visible: queue.visible, in_flight: queue.in_flight, delayed: queue.delayed },
    }))
}
