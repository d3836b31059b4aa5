//! What every handler is given, and the start of the server.

use crate::jobs::Ports;
use crate::jobs::control::Control;
use crate::jobs::directory::Directory;
use crate::metrics::Metrics;
use crate::search::guarded::GuardSettings;
use crate::search::token::PageTokens;
use crate::web::rates::Rates;
use crate::web::routes;
use actix_web::dev::Server;
use actix_web::{HttpServer, web};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Threads that serve requests; what blocks runs on their blocking pools.
const WORKERS: usize = 2;
/// Blocking threads of each worker: reads of the embedded store, of the index and of the object folder.
const BLOCKING_THREADS: usize = 16;
/// Connections of one worker at most.
const CONNECTIONS: usize = 1_024;
/// How long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Looks for proofs at once: each is a visit to a site that may be slow.
const LOOKS_AT_ONCE: usize = 4;
/// How long requests under way may take once the server is told to stop.
const STOP_WITHIN_S: u64 = 2;

/// Whom people write to who want to be removed or corrected.
#[derive(Clone, Debug)]
pub struct Contact {
    /// As it is read.
    pub text: String,
    /// Where it leads.
    pub href: String,
}

/// What the web serves from.
#[derive(Clone, Debug)]
pub struct WebState {
    /// The world.
    pub ports: Ports,
    /// Commands to the daemon, and the state of its actors.
    pub control: Arc<dyn Control>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Whether the admin API is served.
    pub admin: bool,
    /// Signs page tokens; instances that serve the same people must have the same one.
    pub token_key: Arc<[u8]>,
    /// Whom people write to, with the link that leads there.
    pub contact: Option<Contact>,
    /// How long the body of a request may take.
    pub body_deadline: Duration,
    /// Turns from `false` to `true` when the process is to stop.
    pub stopping: watch::Receiver<bool>,
}

/// The state with what follows from it, shared by all workers.
#[derive(Debug)]
pub(crate) struct Web {
    pub state: WebState,
    pub tokens: PageTokens,
    /// Search as the public asks it.
    pub directory: Directory,
    /// Slugs of all styles, to offer instead of unknown ones.
    pub style_slugs: Vec<String>,
    /// How often strangers may have something written.
    pub rates: Rates,
    /// Looks for proofs under way.
    pub looks: Semaphore,
}

impl Web {
    fn new(state: WebState) -> Self {
        let key: [u8; 32] = Sha256::new_with_prefix(b"inkdex page tokens").chain_update(&state.token_key).finalize().into();
        let style_slugs = state.ports.styles.all().iter().map(|style| style.slug.clone()).collect();
        let directory = Directory::new(state.ports.clone(), GuardSettings::default());
        let looks = Semaphore::new(LOOKS_AT_ONCE);
        Self { tokens: PageTokens::new(key), directory, style_slugs, rates: Rates::default(), looks, state }
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.state.ports
    }
}

/// Binds to an address and serves on it. Call it inside an actix system; the caller awaits or spawns the server.
///
/// # Errors
/// The address cannot be bound.
pub fn start(state: WebState, bind: SocketAddr) -> std::io::Result<(SocketAddr, Server)> {
    let shared = web::Data::new(Web::new(state));
    let server = HttpServer::new(move || routes::app(shared.clone()))
        .workers(WORKERS)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_WITHIN)
        .shutdown_timeout(STOP_WITHIN_S)
        .disable_signals()
        .bind(bind)?;
    // One address was bound, whose port may have been chosen by the system.
    let address = server.addrs().first().copied().unwrap_or(bind);
    Ok((address, server.run()))
}
