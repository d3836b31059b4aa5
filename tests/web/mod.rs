//! The web: API, admin API, pages, and what a browser makes of them. Each test has a server and a directory of its own.

mod admin;
mod api;
mod browser;
#[cfg(feature = "opensearch")]
mod degraded;
mod letters;
mod openapi;
mod pages;
mod problems;
mod removal;
mod removal_requests;
