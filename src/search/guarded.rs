//! The index as the public asks it: with a time limit, and behind a breaker, so that an outage costs nobody three seconds a page.

use crate::domain::breaker::{Admission, Breaker, BreakerSettings, Ticket};
use crate::domain::clock::Clock;
use crate::search::plan::check_limit;
use crate::search::{Facets, SearchError, SearchIndex, SearchPage, SearchQuery};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// How the index is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardSettings {
    /// An answer after this time is none.
    pub within: Duration,
    /// When it is no longer asked.
    pub breaker: BreakerSettings,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { within: Duration::from_secs(3), breaker: BreakerSettings::default() }
    }
}

/// An index behind a breaker.
#[derive(Debug)]
pub struct GuardedSearch {
    index: Arc<dyn SearchIndex>,
    clock: Arc<dyn Clock>,
    within: Duration,
    breaker: Mutex<Breaker>,
}

impl GuardedSearch {
    /// In front of an index.
    pub fn new(index: Arc<dyn SearchIndex>, clock: Arc<dyn Clock>, settings: GuardSettings) -> Self {
        Self { index, clock, within: settings.within, breaker: Mutex::new(Breaker::new(settings.breaker)) }
    }

    /// A page of hits.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] for everything that the index does not answer, whatever the reason; a limit that no index
    /// is asked for is refused.
    pub async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchError> {
        check_limit(query)?;
        self.ask(self.index.search(query)).await
    }

    /// Counts beside a search.
    ///
    /// # Errors
    /// As [`GuardedSearch::search`].
    pub async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        self.ask(self.index.facets(query)).await
    }

    async fn ask<T>(&self, asked: impl Future<Output = Result<T, SearchError>>) -> Result<T, SearchError> {
        let ticket = match self.breaker().admit(self.clock.monotonic()) {
            Admission::Go(ticket) => ticket,
            Admission::Wait(wait) => {
                let told = format!("it failed too often just now and is asked again in {} s", wait.as_secs_f32().ceil());
                return Err(SearchError::Unavailable(told));
            }
        };
        let answer = match tokio::time::timeout(self.within, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(SearchError::Unavailable(format!("no answer within {} ms", self.within.as_millis()))),
        };
        self.ended(ticket, &answer);
        // To who asks, an index that refuses is out as much as one that does not answer.
        answer.map_err(|error| SearchError::Unavailable(error.to_string()))
    }

    fn ended<T>(&self, ticket: Ticket, answer: &Result<T, SearchError>) {
        let mut breaker = self.breaker();
        let was_open = breaker.is_open();
        breaker.ended(ticket, self.clock.monotonic(), answer.is_ok());
        match (was_open, breaker.is_open(), answer) {
            (false, true, Err(error)) => warn!(%error, "the search index fails too often and is not asked for a while: {error}"),
            (true, false, _) => info!("the search index answers again"),
            _ => {}
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
