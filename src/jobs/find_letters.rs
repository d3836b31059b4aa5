//! Dead letters by filters (002-C7): the index names them, the ledger's rows decide. What only the ledger's own list can be
//! asked for, and everything while the index is out, is read from that list.

use crate::domain::ids::SessionId;
use crate::domain::job::Job;
use crate::search::SearchError;
use crate::search::letters::{LetterFilter, LetterIndex, LetterMark, LetterQuery};
use crate::store::{DeadLetterQuery, Store, StoreError, StoreResult};
use futures_util::{StreamExt, stream};
use tracing::warn;

/// Letters of the ledger's list read at once.
const PAGE: usize = 500;
/// How many such reads, or pages of the index, one answer may take; what is behind them is another page's.
const ROUNDS: usize = 20;
/// Rows read at a time.
const READ_AT_ONCE: usize = 16;

/// A page of dead letters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LettersFound {
    /// The one that died last first.
    pub jobs: Vec<Job>,
    /// Where the page ended; `None` at the end.
    pub next: Option<LetterMark>,
    /// The index is out: the letters were looked for among those of the ledger's list, so that a page may be short of its
    /// limit and yet have a next one.
    pub degraded: bool,
}

/// What hinders an answer of the index.
enum Hindrance {
    Index(SearchError),
    Store(StoreError),
}

impl From<SearchError> for Hindrance {
    fn from(error: SearchError) -> Self {
        Self::Index(error)
    }
}

impl From<StoreError> for Hindrance {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The dead letters that a query asks for; `index` may be one that cannot be opened.
///
/// # Errors
/// The store failed; an outage of the index is no error.
pub async fn find_letters(
    store: &dyn Store,
    index: Result<&dyn LetterIndex, &SearchError>,
    query: &LetterQuery,
) -> StoreResult<LettersFound> {
    let LetterFilter { kind, host, code, stage, fingerprint, .. } = &query.filter;
    if [kind, host, code, stage, fingerprint].into_iter().all(Option::is_none) {
        let page = store.dead_letters(&listed(query, query.limit)).await?;
        return Ok(LettersFound { jobs: page.jobs, next: page.next, degraded: false });
    }
    match of_index(store, index, query).await {
        Ok(found) => Ok(found),
        Err(Hindrance::Store(error)) => Err(error),
        Err(Hindrance::Index(error)) => {
            warn!(%error, "dead letters are looked for in the ledger's list: {error}");
            of_list(store, query).await
        }
    }
}

async fn of_index(
    store: &dyn Store,
    index: Result<&dyn LetterIndex, &SearchError>,
    query: &LetterQuery,
) -> Result<LettersFound, Hindrance> {
    let index = index.map_err(Clone::clone)?;
    let mut found = LettersFound::default();
    let mut asked = query.clone();
    for _ in 0..ROUNDS {
        let page = index.find(&asked).await?;
        let reads: Vec<_> = page.letters.iter().map(|(_, id)| store.job(id)).collect();
        let mut rows = stream::iter(reads).buffered(READ_AT_ONCE);
        for mark in &page.letters {
            if found.jobs.len() == query.limit {
                return Ok(found);
            }
            found.next = Some(mark.clone());
            match rows.next().await {
                // Requeued or discarded a moment ago.
                Some(Ok(row)) => found.jobs.extend(row.filter(|job| query.filter.matches(job))),
                Some(Err(StoreError::Corrupt { .. })) | None => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
        if !page.more {
            found.next = None;
            return Ok(found);
        }
        if found.jobs.len() == query.limit {
            return Ok(found);
        }
        asked.after.clone_from(&found.next);
    }
    Ok(found)
}

/// As the index would answer, from the whole list.
async fn of_list(store: &dyn Store, query: &LetterQuery) -> StoreResult<LettersFound> {
    let mut found = LettersFound { degraded: true, ..LettersFound::default() };
    let mut asked = listed(query, PAGE);
    for _ in 0..ROUNDS {
        let page = store.dead_letters(&asked).await?;
        for job in page.jobs {
            if found.jobs.len() == query.limit {
                found.next = found.jobs.last().and_then(mark_of);
                return Ok(found);
            }
            if query.filter.matches(&job) {
                found.jobs.push(job);
            }
        }
        found.next = page.next;
        if found.next.is_none() {
            return Ok(found);
        }
        asked.after.clone_from(&found.next);
    }
    Ok(found)
}

fn mark_of(job: &Job) -> Option<LetterMark> {
    Some((job.settled_at?, job.id().clone()))
}

fn listed(query: &LetterQuery, limit: usize) -> DeadLetterQuery {
    DeadLetterQuery {
        session: query.filter.session.clone().map(SessionId::new),
        category: query.filter.category.clone(),
        limit,
        after: query.after.clone(),
    }
}
