//! The nights of the storm: sessions as the schedule makes them, over a part of the made-up web or all of it.

use crate::support::wait::until;
use crate::support::world::World;
use inkdex::app::pipeline;
use inkdex::demo::{DemoWeb, Fate};
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::SessionId;
use inkdex::domain::session::Trigger;
use inkdex::jobs::{Ports, sessions};
use std::collections::BTreeSet;
use std::time::Duration;

/// Between the moments of two nights.
const A_DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long a night over a few studios may take.
const CALM: Duration = Duration::from_secs(180);

/// Sessions, each a day after the one before.
pub struct Nights<'w> {
    world: &'w World,
    ports: &'w Ports,
    next: Timestamp,
    /// Of those begun, the newest.
    pub session: SessionId,
}

impl<'w> Nights<'w> {
    /// Before the first night.
    pub fn new(world: &'w World, ports: &'w Ports) -> Self {
        Self { world, ports, next: ports.clock.now().minus(A_DAY * 30), session: SessionId::new("") }
    }

    /// Has a session begin over the first `studios` of `web`, or over all of it.
    pub async fn begin(&mut self, web: &DemoWeb, studios: Option<usize>) {
        let file = web.studio_file();
        let entries: Vec<&str> = file.split_inclusive("\n- ").collect();
        // The first piece is the file's own head; each ends with the next one's hyphen.
        let kept = studios.map_or(entries.len(), |studios| studios + 1).min(entries.len());
        let text = entries[..kept].concat();
        std::fs::write(&self.world.config.discovery.studio_files[0], text.trim_end_matches("- ")).unwrap();
        let pipeline = pipeline(&self.world.config).unwrap();
        let (session, new) = sessions::start(self.ports, &pipeline, self.next, Trigger::Scheduled).await.unwrap();
        assert!(new, "a night of its own");
        self.next = self.next.plus(A_DAY);
        self.session = session;
    }

    /// Whether the newest session is over; `None` if the store does not tell.
    pub async fn is_over(&self) -> Option<bool> {
        Some(self.ports.store.session(&self.session).await.ok()??.state.is_terminal())
    }

    /// Runs a session over the first studios to its end, without faults.
    pub async fn calm(&mut self, web: &DemoWeb, studios: usize) {
        self.begin(web, Some(studios)).await;
        until("a calm night is over", CALM, async || self.is_over().await.filter(|over| *over)).await;
    }
}

/// The names that a session over the whole web must make searchable.
pub fn planned(web: &DemoWeb) -> BTreeSet<String> {
    web.artists().iter().filter(|artist| artist.fate == Fate::Searchable).map(|artist| artist.name.clone()).collect()
}
