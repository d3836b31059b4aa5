//! People removed for good while the storm goes on, by the admin API and by the command.

use crate::support::exchange::try_exchange;
use crate::support::fleet::{Fleet, PROGRAM};
use crate::support::ledger::rows;
use crate::support::wait::{LONG, until};
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::chance::Chance;
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::Ports;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Who was removed, as their rows were before.
pub struct Removals {
    config: PathBuf,
    /// The rows before the removal.
    pub removed: Vec<ArtistRow>,
}

impl Removals {
    /// Nobody yet. Commands are given this configuration.
    pub fn new(config: PathBuf) -> Self {
        Self { config, removed: Vec::new() }
    }

    /// Removes one of those in the directory, but none of `spared`; answers by which way.
    pub async fn one_more(&mut self, ports: &Ports, fleet: &Fleet, chance: &Chance, spared: &[ArtistId]) -> &'static str {
        let mut live = rows(ports.store.as_ref()).await;
        live.retain(|row| row.live().is_some() && !spared.contains(&row.id));
        assert!(!live.is_empty(), "nobody is there to be removed");
        let spread = u64::try_from(live.len() - 1).unwrap();
        let row = live.swap_remove(usize::try_from(chance.up_to(Duration::from_micros(spread)).as_micros()).unwrap());
        let by_command = self.removed.len().is_multiple_of(2);
        // Whoever is killed in the middle of it, or finds a server away, is asked again: that is what the answer is for.
        until("somebody is removed", LONG, async || {
            let done = if by_command { self.by_command(&row.id) } else { by_api(fleet, &row.id) };
            done.then_some(())
        })
        .await;
        self.removed.push(row);
        if by_command { "command" } else { "API" }
    }

    fn by_command(&self, id: &ArtistId) -> bool {
        let mut command = Command::new(PROGRAM);
        command.args(["remove", id.as_str(), "--yes", "--reason", "storm", "--config"]).arg(&self.config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program runs").success()
    }
}

fn by_api(fleet: &Fleet, id: &ArtistId) -> bool {
    let Some(address) = fleet.web() else { return false };
    let body = r#"{"reason":"storm"}"#;
    let request = format!(
        "POST /admin/v1/artists/{id}:remove HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    try_exchange(address, request.as_bytes()).is_ok_and(|answer| answer.status == 200)
}
