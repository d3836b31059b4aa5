//! What tests share.

pub mod clock;
pub mod daemon;
pub mod hostile;
pub mod ledger;
pub mod wait;
pub mod world;
