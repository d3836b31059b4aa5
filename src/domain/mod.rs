//! Pure values and decisions; no tokio, no I/O.
