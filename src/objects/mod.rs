//! The object store: page cache, reports, evidence.
