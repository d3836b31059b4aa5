//! Inkdex: an open directory of tattoo artists, kept current every night.
//!
//! Dependencies point inward: `domain` <- ports <- `jobs` <- `actors`, `web` <- `app`; `tests/` checks it.

pub mod actors;
pub mod alert;
pub mod app;
pub mod config;
pub mod demo;
pub mod discover;
pub mod domain;
pub mod eval;
pub mod extract;
pub mod faults;
pub mod feed;
pub mod jobs;
pub mod metrics;
pub mod objects;
pub mod queue;
pub mod scrape;
pub mod search;
pub mod store;
pub mod web;
