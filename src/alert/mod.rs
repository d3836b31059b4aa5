//! The port through which alerts leave, and its sinks.
