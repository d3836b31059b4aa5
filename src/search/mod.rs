//! The search port and its engines.
