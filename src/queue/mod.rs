//! The delivery port: messages that point to jobs in the ledger.
