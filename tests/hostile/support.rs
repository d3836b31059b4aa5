//! What the hostile run shares with the other tests.

#[path = "../support/hostile/mod.rs"]
pub mod hostile;
#[path = "../support/visits.rs"]
pub mod visits;
#[path = "../support/wait.rs"]
pub mod wait;
