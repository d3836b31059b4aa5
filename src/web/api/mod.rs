//! The public API: one file a resource.

pub mod artists;
pub mod health;
pub mod records;
pub mod removal_requests;
pub mod styles;
