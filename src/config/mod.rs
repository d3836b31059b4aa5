//! Typed configuration, one file a topic; every problem is reported at once.
