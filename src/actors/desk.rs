//! The desk of jobs: writes go to the Writer, alerts to the Alerter, found through the registry at each use.

use crate::actors::messages::{Raise, Write};
use crate::actors::registry::{Registry, Unreached};
use crate::alert::Alert;
use crate::jobs::Desk;
use crate::jobs::write_artist::{WriteArtist, WriteError, Written};
use crate::store::StoreError;
use async_trait::async_trait;
use std::time::Duration;
use tracing::warn;

/// How long a write may take.
const WRITE_WITHIN: Duration = Duration::from_secs(60);

/// A desk in front of the actors.
#[derive(Debug, Clone)]
pub struct ActorDesk {
    registry: Registry,
}

impl ActorDesk {
    /// In front of the actors of `registry`.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Desk for ActorDesk {
    async fn write(&self, request: WriteArtist) -> Result<Written, WriteError> {
        match self.registry.writer.ask("writer", Write(request), WRITE_WITHIN).await {
            Ok(answer) => answer,
            // Nobody took the request, or its taker died with it: an outage of ours, which burns no attempt.
            Err(error @ (Unreached::Down(_) | Unreached::Full(_) | Unreached::NoAnswer(_))) => {
                Err(WriteError::Store(StoreError::Unavailable(error.to_string())))
            }
        }
    }

    async fn alert(&self, alert: Alert) {
        if let Err(error) = self.registry.alerter.tell("alerter", Raise(alert)) {
            warn!(%error, "an alert was not handed over");
        }
    }
}
