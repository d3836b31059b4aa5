//! Contract suites: each runs on every implementation of its port.

mod feed;
mod harness;
mod ledger;
mod queue;
mod search;
mod store;
