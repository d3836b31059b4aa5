//! The one integration binary: contracts of the ports, the pipeline, the web, faults, and rules of the house.

mod contracts;
mod rules;
mod support;
