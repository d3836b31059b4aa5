//! The store port for requests of people to be removed or corrected.

use crate::domain::removal_request::{RemovalRequest, RequestId};
use crate::store::StoreResult;
use async_trait::async_trait;

/// Requests: a row each, changed by compare-and-set on its revision. What is personal in a row goes when a later revision lacks it.
#[async_trait]
pub trait RemovalRequestStore {
    /// Makes a request's row, listed as open. Answers whether it is new.
    async fn create_request(&self, request: &RemovalRequest) -> StoreResult<bool>;

    /// A request's row, read serially.
    async fn request(&self, id: &RequestId) -> StoreResult<Option<RemovalRequest>>;

    /// Puts a later revision if `expected_rev` still stands. Answers whether it did.
    async fn put_request(&self, expected_rev: u64, new: &RemovalRequest) -> StoreResult<bool>;

    /// Drops the row of an ended request; one that is open stays. Repeating it is harmless.
    async fn drop_request(&self, id: &RequestId) -> StoreResult<()>;

    /// Requests that are not ended: those that are proven or approved before the others, then the oldest first, so that no flood
    /// of requests keeps a promise waiting. One whose row cannot be read is left out.
    async fn open_requests(&self, limit: usize) -> StoreResult<Vec<RemovalRequest>>;
}
