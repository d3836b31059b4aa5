//! Commands of people to the actors, found through the registry at each use.

use crate::actors::messages::{StartSession, TakeSurvey};
use crate::actors::registry::Registry;
use crate::actors::{Context, Role};
use crate::domain::ids::SessionId;
use crate::domain::session::Trigger;
use crate::jobs::Ports;
use crate::jobs::control::{Control, ControlError, Survey};
use crate::jobs::sessions::{self, Pipeline};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Commands through the registry.
#[derive(Debug)]
pub struct ActorControl {
    registry: Registry,
    ports: Ports,
    pipeline: Arc<Pipeline>,
    /// Whether the Scheduler runs in this process.
    schedules: bool,
}

impl ActorControl {
    /// To the actors of a process.
    pub fn new(context: &Context) -> Self {
        Self {
            registry: context.registry.clone(),
            ports: context.ports.clone(),
            pipeline: context.pipeline.clone(),
            schedules: context.roles.contains(&Role::Schedule),
        }
    }
}

#[async_trait]
impl Control for ActorControl {
    async fn start_session(&self, trigger: Trigger) -> Result<SessionId, ControlError> {
        if !self.schedules {
            // The row is enough: the process that schedules moves it on.
            let now = self.ports.clock.now();
            let started = sessions::start(&self.ports, &self.pipeline, now, trigger).await;
            return started.map(|(id, _)| id).map_err(|error| ControlError(error.to_string()));
        }
        let asked = self.registry.scheduler.ask("scheduler", StartSession { trigger }, Duration::from_secs(10)).await;
        asked.map_err(|error| ControlError(error.to_string()))?.map_err(|error| ControlError(error.to_string()))
    }

    async fn survey(&self) -> Survey {
        self.registry.guardian.ask("guardian", TakeSurvey, Duration::from_secs(2)).await.unwrap_or_default()
    }
}
