//! Commands of people to the actors, found through the registry at each use.

use crate::actors::messages::{StartSession, TakeSurvey};
use crate::actors::registry::Registry;
use crate::domain::ids::SessionId;
use crate::jobs::control::{Control, ControlError, Survey};
use async_trait::async_trait;
use std::time::Duration;

/// Commands through the registry.
#[derive(Debug)]
pub struct ActorControl {
    registry: Registry,
}

impl ActorControl {
    /// To the actors of `registry`.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Control for ActorControl {
    async fn start_session(&self) -> Result<SessionId, ControlError> {
        let asked = self.registry.scheduler.ask("scheduler", StartSession, Duration::from_secs(10)).await;
        asked.map_err(|error| ControlError(error.to_string()))?.map_err(|error| ControlError(error.to_string()))
    }

    async fn survey(&self) -> Survey {
        self.registry.guardian.ask("guardian", TakeSurvey, Duration::from_secs(2)).await.unwrap_or_default()
    }
}
