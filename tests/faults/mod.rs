//! Faults planned by point and count: what must not be lost, and what must go on.

mod fetch;
mod kill_daemon;
mod supervision;

/// Held by each test that kills or stalls daemons: two of them on one small machine take each other's leases away.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
