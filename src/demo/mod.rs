//! The made-up web of the demo, written by us and served on loopback.
