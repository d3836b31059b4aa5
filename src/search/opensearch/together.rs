//! Callers that write at the same time share a bulk request: each waits for the index's next refresh, and sixteen requests of
//! one document cost the server sixteen times as much as one of sixteen.

use crate::domain::ids::ArtistId;
use crate::search::opensearch::OpenSearchIndex;
use crate::search::opensearch::bulk::Action;
use crate::search::{IndexOperation, ItemAnswer, SearchError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, oneshot};

/// How long a request waits for company.
const GATHER: Duration = Duration::from_millis(25);

/// Requests on their way at once. All of them come back with the refresh, every 200 ms, and one leaves every [`GATHER`] until
/// then: with fewer, whoever comes late waits for two refreshes.
const LANES: usize = 8;

/// What a caller is told.
type Answers = Result<Vec<(ArtistId, ItemAnswer)>, SearchError>;

/// A caller that waits.
#[derive(Debug)]
struct Waiting {
    operations: Vec<IndexOperation>,
    answer: oneshot::Sender<Answers>,
}

/// Callers that wait for a lane.
#[derive(Debug)]
pub(super) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    lanes: Arc<Semaphore>,
    /// Held by whoever gathers company for the next request.
    gathering: AsyncMutex<()>,
}

impl Together {
    /// With nobody waiting.
    pub fn new() -> Self {
        Self { waiting: Mutex::default(), lanes: Arc::new(Semaphore::new(LANES)), gathering: AsyncMutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who goes together now: the first, and others while all of it fits one request. Nobody is split.
    fn next(&self, most: usize) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let mut operations = 0;
        let fitting = waiting.iter().take_while(|one| {
            operations += one.operations.len();
            operations <= most
        });
        let count = fitting.count().max(1).min(waiting.len());
        waiting.drain(..count).collect()
    }
}

impl OpenSearchIndex {
    /// Applies operations beside those of other callers.
    pub(super) async fn apply_together(&self, operations: Vec<IndexOperation>) -> Answers {
        let (answer, answered) = oneshot::channel();
        let together = &self.shared.together;
        together.waiting().push(Waiting { operations, answer });
        let lane = Arc::clone(&together.lanes).acquire_owned().await;
        let group = {
            let _gathering = together.gathering.lock().await;
            if !together.waiting().is_empty() {
                tokio::time::sleep(GATHER).await;
            }
            let most = self.pace().limits().operations;
            together.next(most)
        };
        if !group.is_empty() {
            let index = self.clone();
            // A task of its own: a caller that gives up takes nobody else's answer with it.
            tokio::spawn(async move {
                index.apply_group(group).await;
                drop(lane);
            });
        }
        answered
            .await
            .unwrap_or_else(|_| Err(SearchError::Unavailable("a bulk request was cut off; the same may be sent again".to_owned())))
    }

    async fn apply_group(&self, group: Vec<Waiting>) {
        let (mut all, mut callers) = (Vec::new(), Vec::with_capacity(group.len()));
        for Waiting { operations, answer } in group {
            callers.push((operations.len(), answer));
            all.extend(operations);
        }
        let mut answers = self.apply_now(all, Action::write).await.map(Vec::into_iter);
        for (count, caller) in callers {
            let own = match &mut answers {
                Ok(answers) => Ok(answers.by_ref().take(count).collect()),
                Err(error) => Err(error.clone()),
            };
            // Whoever does not listen any more asks again.
            drop(caller.send(own));
        }
    }
}
