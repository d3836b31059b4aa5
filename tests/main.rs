//! The one integration binary: contracts of the ports, the pipeline, the web, faults, and rules of the house.

#[cfg(feature = "chrome")]
mod browser;
mod cli;
mod contracts;
mod discovery;
mod faults;
mod hostile;
mod pipeline;
mod rules;
mod support;
mod web;
