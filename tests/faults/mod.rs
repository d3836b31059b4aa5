//! Faults planned by point and count: what must not be lost, and what must go on.

mod fetch;
mod kill_daemon;
mod supervision;
