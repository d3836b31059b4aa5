//! Writing: bulk requests under the pace, each record's answer settled, what was busy sent again, what was too much cut.

use crate::search::opensearch::OpenSearchIndex;
use crate::search::opensearch::bulk::{Action, Fate, body, fates};
use crate::search::opensearch::client::{Answer, Request, Verb};
use crate::search::opensearch::errors::{is_busy, of_status, refused};
use crate::search::opensearch::pace::cut;
use crate::search::{ItemAnswer, SearchError};
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tracing::debug;

/// How often what is busy is sent again before the caller is told to wait.
const BUSY_ROUNDS: u32 = 4;
/// Pauses before that, full jitter, doubling between these.
const BUSY_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// Versions read back in one request.
const READ_BACK: usize = 1_000;

/// What became of some actions.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// By id; what the reply did not name is not in it.
    pub answers: HashMap<String, ItemAnswer>,
    /// How many changed the index.
    pub changed: u64,
}

/// What a whole request came to.
enum Sent {
    Fates(HashMap<String, Fate>),
    /// All of it may be taken later.
    Busy(String),
    /// Too large, or one of them makes the whole unreadable: cut it in two.
    Cut(String),
}

/// Everything about a call of [`OpenSearchIndex::write`] that goes on over its rounds.
#[derive(Default)]
struct Progress {
    written: Written,
    conflicts: Vec<String>,
    busy: Vec<Action>,
    /// Why the last of them was busy.
    why: String,
    /// Requests of the next round that must not be put together again.
    halves: Vec<Vec<Action>>,
    /// Changes whose request did not wait until they were searchable.
    unseen: bool,
}

impl OpenSearchIndex {
    /// Writes, at most one action a record. When it answers, what was changed is searchable if this index is searched.
    pub(super) async fn write(&self, actions: Vec<Action>) -> Result<Written, SearchError> {
        let mut progress = Progress::default();
        let mut requests = cut(actions, |action| action.lines.len(), self.pace().limits());
        let mut busy_rounds = 0;
        while !requests.is_empty() {
            // One request waits for the next refresh by itself. Several would each wait for one, so a refresh is asked for once.
            let waits = self.target.is_searched && requests.len() == 1;
            let concurrency = self.pace().limits().concurrency;
            let sending: Vec<_> = requests.into_iter().map(|request| self.send_bulk(request, waits)).collect();
            let sent: Vec<_> = stream::iter(sending).buffer_unordered(concurrency).collect().await;
            for (request, sent) in sent {
                self.settle(request, sent?, waits, &mut progress)?;
            }
            requests = std::mem::take(&mut progress.halves);
            let busy = std::mem::take(&mut progress.busy);
            if !busy.is_empty() {
                if busy_rounds == BUSY_ROUNDS {
                    let told = format!("OpenSearch at {} is too busy to write ({})", self.shared.client.url(), progress.why);
                    return Err(SearchError::Unavailable(told));
                }
                let pause = self.shared.chance.up_to((BUSY_PAUSE.0 * 2_u32.pow(busy_rounds + 1)).min(BUSY_PAUSE.1));
                debug!(documents = busy.len(), "OpenSearch is busy, the same is sent again in {pause:?}");
                tokio::time::sleep(pause).await;
                busy_rounds += 1;
                requests.extend(cut(busy, |action| action.lines.len(), self.pace().limits()));
            }
        }
        if progress.unseen && self.target.is_searched {
            self.refresh().await?;
        }
        let held = self.held(&progress.conflicts).await?;
        for id in progress.conflicts {
            let answer = match held.get(&id) {
                Some(held) => ItemAnswer::Stale { held: *held },
                None => ItemAnswer::Failed("a newer entry was dropped from the index while this one was written".to_owned()),
            };
            progress.written.answers.insert(id, answer);
        }
        Ok(progress.written)
    }

    /// Makes what was written searchable.
    pub(super) async fn refresh(&self) -> Result<(), SearchError> {
        let path = format!("/{}/_refresh", self.target.written);
        let request = Request { verb: Verb::Post, path, parameters: &[], body: None, within: self.shared.settings.write_within };
        self.expect_ok("refresh the index", request).await.map(drop)
    }

    async fn send_bulk(&self, request: Vec<Action>, waits: bool) -> (Vec<Action>, Result<Sent, SearchError>) {
        let sent = self.send_body(body(&request), waits).await;
        (request, sent)
    }

    async fn send_body(&self, body: String, waits: bool) -> Result<Sent, SearchError> {
        let mut parameters = vec![("refresh", if waits { "wait_for" } else { "false" })];
        if self.target.is_searched {
            // Without it a lost alias would be made anew as an index with whatever mapping its first document suggests.
            parameters.push(("require_alias", "true"));
        }
        let path = format!("/{}/_bulk", self.target.written);
        let request =
            Request { verb: Verb::Post, path, parameters: &parameters, body: Some(body), within: self.shared.settings.write_within };
        let answer = self.shared.client.send(request).await?;
        let at = self.shared.clock.monotonic();
        match answer.status {
            _ if answer.is_ok() => {
                let fates = fates(&answer.body);
                if fates.values().any(|fate| matches!(fate, Fate::Busy(_))) {
                    self.pace().refused(at)
                } else {
                    self.pace().accepted(at)
                }
                Ok(Sent::Fates(fates))
            }
            413 => {
                self.pace().refused(at);
                Ok(Sent::Cut(answer.reason()))
            }
            400 => Ok(Sent::Cut(answer.reason())),
            429 => {
                self.pace().refused(at);
                Ok(Sent::Busy(answer.reason()))
            }
            status => {
                if is_busy(status) {
                    self.pace().refused(at);
                }
                Err(refused(self.shared.client.url(), "write", &answer))
            }
        }
    }

    fn settle(&self, mut request: Vec<Action>, sent: Sent, waited: bool, progress: &mut Progress) -> Result<(), SearchError> {
        match sent {
            Sent::Busy(why) => {
                progress.why = why;
                progress.busy.extend(request);
            }
            Sent::Cut(why) if request.len() == 1 => {
                let bad = request.into_iter().map(|action| (action.id, ItemAnswer::Failed(why.clone())));
                progress.written.answers.extend(bad);
            }
            Sent::Cut(_) => {
                let second = request.split_off(request.len() / 2);
                progress.halves.extend([request, second]);
            }
            Sent::Fates(mut fates) => {
                for action in request {
                    // One that the reply does not name stays without an answer, which its caller takes for a failure.
                    if let Some(fate) = fates.remove(&action.id) {
                        self.settle_one(action, fate, waited, progress)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn settle_one(&self, action: Action, fate: Fate, waited: bool, progress: &mut Progress) -> Result<(), SearchError> {
        let answer = match fate {
            Fate::Done { changed } => {
                progress.unseen |= changed && !waited;
                progress.written.changed += u64::from(changed);
                ItemAnswer::Applied
            }
            Fate::Conflict => {
                progress.conflicts.push(action.id);
                return Ok(());
            }
            Fate::Busy(why) => {
                progress.why = why;
                progress.busy.push(action);
                return Ok(());
            }
            Fate::Stopped { status, kind, reason } => return Err(of_status(self.shared.client.url(), "write", status, &kind, &reason)),
            Fate::Bad(why) => ItemAnswer::Failed(why),
        };
        progress.written.answers.insert(action.id, answer);
        Ok(())
    }

    /// The versions that the index holds now, searchable or not.
    async fn held(&self, ids: &[String]) -> Result<HashMap<String, i64>, SearchError> {
        let mut held = HashMap::new();
        for ids in ids.chunks(READ_BACK) {
            let path = format!("/{}/_mget", self.target.written);
            let body = Some(json!({ "ids": ids }).to_string());
            let within = self.shared.settings.write_within;
            let request = Request { verb: Verb::Post, path, parameters: &[("_source", "false")], body, within };
            let answer: Answer = self.expect_ok("read versions back", request).await?;
            let found = answer.body["docs"].as_array().map(Vec::as_slice).unwrap_or_default();
            held.extend(found.iter().filter_map(|entry| Some((entry["_id"].as_str()?.to_owned(), entry["_version"].as_i64()?))));
        }
        Ok(held)
    }
}
