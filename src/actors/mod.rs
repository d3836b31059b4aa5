//! The actor graph as one table, and what supervises it.
