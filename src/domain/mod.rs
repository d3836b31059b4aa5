//! Pure values and decisions; no tokio, no I/O.

pub mod artist;
pub mod backoff;
pub mod breaker;
pub mod chance;
pub mod change;
pub mod clock;
pub mod correction;
pub mod country;
pub mod cron;
pub mod facts;
pub mod fields;
pub mod gazetteer;
pub mod grid;
pub mod identity;
pub mod ids;
pub mod job;
pub mod keys;
pub mod ledger;
pub mod lifecycle;
pub mod line;
pub mod merge;
pub mod message;
pub mod outcome;
pub mod phone;
pub mod place;
pub mod progress;
pub mod recrawl;
pub mod removal_request;
mod request_names;
pub mod same_studio;
pub mod secret;
pub mod session;
pub mod studio;
pub mod task;
pub mod text;
pub mod write;

/// What a caller may do about an error of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The service may answer later; nothing is wrong with the request. Waited out, counted against nobody.
    Transient,
    /// The same request will fail again.
    Permanent,
}
