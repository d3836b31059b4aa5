//! What the storm shares with the other tests.

#[path = "../support/bucket.rs"]
pub mod bucket;
#[path = "../support/clock.rs"]
pub mod clock;
#[path = "../support/exchange.rs"]
pub mod exchange;
#[path = "../support/fleet.rs"]
pub mod fleet;
#[path = "../support/ledger.rs"]
pub mod ledger;
#[path = "../support/proxy.rs"]
pub mod proxy;
#[path = "../support/servers.rs"]
pub mod servers;
#[path = "../support/wait.rs"]
pub mod wait;
#[path = "../support/world.rs"]
pub mod world;
