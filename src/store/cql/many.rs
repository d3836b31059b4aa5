//! Many statements at a time, but never more than a bound.

use crate::store::StoreResult;
use futures_util::{StreamExt, TryStreamExt, stream};

/// Does `work` for every item, `at_once` at a time; the answers are in the order of the items. The first error ends it.
pub(super) async fn each<T, R, F: Future<Output = StoreResult<R>>>(
    items: impl IntoIterator<Item = T>,
    at_once: usize,
    work: impl FnMut(T) -> F,
) -> StoreResult<Vec<R>> {
    stream::iter(items).map(work).buffered(at_once).try_collect().await
}
