//! The faults of the storm. Each proves that it happened.

use crate::support::fleet::signal;
use crate::support::proxy::CuttingProxy;
use crate::support::servers::{OwnServers, Server};
use crate::support::wait::{LONG, until};
use inkdex::jobs::Ports;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// How long Cassandra is paused.
pub const PAUSE: Duration = Duration::from_secs(20);
/// How long a server is out of reach.
pub const CUT: Duration = Duration::from_secs(10);
/// After this long without an answer a paused database is believed to be paused.
const UNANSWERED: Duration = Duration::from_secs(3);

/// Whether a process is stopped by a signal, as the kernel says.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
}

/// Pauses Cassandra; in the middle of it `meanwhile` happens.
pub async fn pause_cassandra(servers: &OwnServers, ports: &Ports, meanwhile: impl AsyncFnOnce()) {
    let pid = servers.pid(Server::Cassandra);
    signal(pid, "STOP");
    until("Cassandra is stopped", LONG, async || is_stopped(pid).then_some(())).await;
    let began = ports.clock.monotonic();
    let asked = tokio::time::timeout(UNANSWERED, ports.store.meta("storm")).await;
    assert!(!matches!(asked, Ok(Ok(_))), "Cassandra answered though it was paused");
    tokio::time::sleep((PAUSE / 2).saturating_sub(ports.clock.monotonic() - began)).await;
    meanwhile().await;
    tokio::time::sleep(PAUSE.saturating_sub(ports.clock.monotonic() - began)).await;
    assert!(is_stopped(pid), "Cassandra was woken before its time");
    signal(pid, "CONT");
    until("Cassandra answers again", LONG, async || ports.store.meta("storm").await.ok()).await;
}

/// Cuts a server off; answers how many connections that broke.
pub async fn cut(name: &'static str, proxy: Arc<CuttingProxy>) -> String {
    let dropped = proxy.cut().await;
    assert!(dropped > 0, "nobody was connected to {name} when it was cut off");
    tokio::time::sleep(CUT).await;
    assert!(TcpStream::connect(proxy.address()).is_err(), "{name} was reached though it was cut off");
    proxy.restore().await;
    format!("{name} is back after {} s, {dropped} connections were broken", CUT.as_secs())
}

/// Stops OpenSearch and starts it again on its data.
pub async fn restart_opensearch(servers: Arc<OwnServers>) -> String {
    let restarted = tokio::task::spawn_blocking(move || {
        let before = servers.pid(Server::OpenSearch);
        let address = servers.address(Server::OpenSearch);
        servers.stop(Server::OpenSearch);
        assert!(TcpStream::connect(address.trim_start_matches("http://")).is_err(), "OpenSearch was reached though it was stopped");
        servers.start_again(&[Server::OpenSearch]);
        assert_ne!(servers.pid(Server::OpenSearch), before);
        assert_eq!(servers.address(Server::OpenSearch), address);
    });
    restarted.await.expect("OpenSearch comes back");
    "opensearch runs again on its data".to_owned()
}
