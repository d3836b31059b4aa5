//! What a job does: plain async functions over the ports.
