//! Contract suites: each runs on every implementation of its port.

#[cfg(feature = "cql")]
mod cql;
mod feed;
mod fixtures;
mod harness;
mod keys;
mod kill;
mod ledger;
mod letters;
mod objects;
#[cfg(feature = "opensearch")]
mod opensearch;
mod operations;
mod queue;
mod removal_requests;
mod retention;
mod search;
#[cfg(feature = "sqs")]
mod sqs;
#[cfg(feature = "sqs")]
mod sqs_start;
mod store;
mod strangers;
mod sweep;
mod unreadable;
