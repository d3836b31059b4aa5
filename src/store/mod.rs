//! The store port: artists, keys, the ledger of jobs, sessions, leases.
