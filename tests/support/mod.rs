//! What tests share.

pub mod bucket;
pub mod clock;
#[cfg(feature = "cql")]
pub mod cql_proxy;
pub mod daemon;
pub mod exchange;
#[cfg(feature = "opensearch")]
pub mod fault_proxy;
pub mod folder_web;
pub mod hostile;
pub mod http;
pub mod kept;
pub mod ledger;
pub mod onlooker;
#[cfg(feature = "opensearch")]
pub mod opensearch;
pub mod people;
pub mod ports;
pub mod proxy;
pub mod servers;
pub mod sites;
pub mod studio_apis;
pub mod visits;
pub mod wait;
pub mod world;

#[cfg(test)]
mod tests;
