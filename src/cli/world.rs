//! Which world a verb works on: the database itself when nobody holds it, else the daemon that does.

use crate::cli::daemon::Daemon;
use anyhow::{Context as _, bail};
use inkdex::app::{self, Surroundings, single};
use inkdex::config::Config;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::ids::ArtistId;
use inkdex::jobs::Ports;
use inkdex::search::IndexOperation;
use inkdex::store::{Store, StoreError};
use std::sync::Arc;

/// Where a command goes.
pub enum World {
    /// Nobody holds the database: the ports are ours.
    Own(Box<Ports>),
    /// A daemon does.
    Daemon(Daemon),
}

/// Whether an error says that another process owns the database.
pub fn is_held(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<StoreError>(), Some(StoreError::Held { .. })))
}

/// Opens what a command works on. Nothing is made: without a database there is nothing to work on.
///
/// # Errors
/// A sentence that says what to change.
pub async fn open(config: &Config) -> anyhow::Result<World> {
    let database = config.data.database();
    let there = database
        .try_exists()
        .with_context(|| format!("{} cannot be looked at; set data.folder to one you may read", database.display()))?;
    if config.backends.is_embedded() && !there {
        bail!("there is no database at {} yet; `inkdex run` or `inkdex serve` makes it, or set data.folder", database.display());
    }
    match app::open_ports(config, Surroundings::of_this_process()?).await {
        Ok(ports) => Ok(World::Own(Box::new(ports))),
        Err(error) if is_held(&error) => Ok(World::Daemon(Daemon::at(config.server.bind)?)),
        Err(error) => Err(error),
    }
}

/// Shows an artist's row to the index. Without a daemon no IndexSync follows the feed; when one does, it repeats this, which is
/// harmless.
///
/// # Errors
/// The store or the index failed.
pub async fn show_in_index(ports: &Ports, id: &ArtistId) -> anyhow::Result<()> {
    if let Some(row) = ports.store.artist(id).await? {
        ports.index.apply(vec![IndexOperation::of(&row)], None).await?;
    }
    Ok(())
}

/// The store for reading, whoever holds it, and the time.
///
/// # Errors
/// A sentence that says what to change.
pub async fn reading(config: &Config) -> anyhow::Result<(Arc<dyn Store>, Arc<dyn Clock>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok((single::open_for_reading(config, clock.clone()).await?, clock))
}
