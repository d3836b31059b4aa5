//! Contract suites: each runs on every implementation of its port.

mod feed;
mod fixtures;
mod harness;
mod keys;
mod kill;
mod ledger;
mod operations;
mod queue;
mod search;
#[cfg(feature = "sqs")]
mod sqs;
mod store;
mod sweep;
