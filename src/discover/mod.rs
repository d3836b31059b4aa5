//! The port of studio sources, and its implementations.
