//! The reading side of the change feed.
