//! A conditional write whose answer never comes (rule 5): a serial read tells whether it was applied, so that nothing happens
//! twice and nothing is taken for done that is not.

use super::super::fixtures::{begun, limits, made, nameless_place, row, studio_job, writer};
use super::super::harness::Harness;
use super::Cql;
use crate::support::cql_proxy::{CqlProxy, Lost};
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::identity::{IdentityKey, KeyState};
use inkdex::domain::ids::{ArtistId, JobId};
use inkdex::domain::job::{Attempt, Job};
use inkdex::domain::ledger::{Begin, decide_begin};
use inkdex::domain::write::{Intent, PutRow, WriteDecision, decide_write};
use inkdex::store::cql::{CqlDb, CqlSettings, CqlStore};
use inkdex::store::{ArtistStore, IdentityStore, JobPut, Ledger, PutAnswer, StoreError};
use std::time::Duration;

/// A store that loses what the proxy is told to, beside the one of the harness.
async fn lossy(h: &Cql) -> (CqlProxy, CqlStore) {
    let proxy = CqlProxy::before(&h.keyspace.settings.nodes[0]).await;
    let settings = CqlSettings {
        nodes: vec![proxy.address.to_string()],
        // How long one waits for an answer that was lost.
        request_timeout: Duration::from_secs(3),
        ..h.keyspace.settings.clone()
    };
    let store = CqlStore::new(CqlDb::open(settings, h.clock.clone()).await.unwrap());
    (proxy, store)
}

fn decided(h: &Cql, current: Option<&ArtistRow>, name: &str, fence: i64) -> Box<PutRow> {
    let intent = Intent::Record(Box::new(nameless_place(name)));
    match decide_write(&ArtistId::new("artist-1"), current, &intent, &writer(name, fence), h.now()) {
        WriteDecision::Put(put) => put,
        other => panic!("{other:?}"),
    }
}

fn is_unavailable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// The first row of an artist and the ones after it: committed once, at the version that was decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_whose_answer_is_lost_is_committed_once() {
    let h = Cql::start().await;
    let (proxy, store) = lossy(&h).await;
    let id = ArtistId::new("artist-1");
    let mut current: Option<ArtistRow> = None;
    for round in 0..3_i64 {
        // It was applied, and nobody said so.
        let put = decided(&h, current.as_ref(), &format!("Answer {round}"), 2 * round + 1);
        proxy.lose(Lost::Answer, &serde_json::to_string(&put.row).unwrap());
        assert_eq!(store.put_artist(&put).await.unwrap(), PutAnswer::Committed, "round {round}");
        let stands = h.store().artist(&id).await.unwrap();
        assert_eq!(stands.as_ref(), Some(&put.row), "round {round}");
        // It never arrived: nothing stands of it, whoever puts it again commits it, and then it is there once.
        let put = decided(&h, stands.as_ref(), &format!("Request {round}"), 2 * round + 2);
        proxy.lose(Lost::Request, &serde_json::to_string(&put.row).unwrap());
        let answer = store.put_artist(&put).await;
        assert!(is_unavailable(&answer), "round {round}: {answer:?}");
        assert_eq!(h.store().artist(&id).await.unwrap(), stands, "round {round}");
        assert_eq!(store.put_artist(&put).await.unwrap(), PutAnswer::Committed, "round {round}");
        assert_eq!(proxy.lost(), usize::try_from(2 * round + 2).unwrap(), "the fault happened");
        current = h.store().artist(&id).await.unwrap();
        assert_eq!(current.as_ref(), Some(&put.row), "round {round}");
        // By the same writer again it changes nothing.
        let again = decide_write(
            &id,
            current.as_ref(),
            &Intent::Record(Box::new(nameless_place("x"))),
            &writer(&format!("Request {round}"), 99),
            h.now(),
        );
        assert_eq!(again, WriteDecision::AlreadyApplied { version: put.row.version }, "round {round}");
    }
    let current = current.unwrap();
    let mut writers = current.writers.clone();
    writers.dedup();
    assert_eq!(writers.len(), 6, "six writes made six versions: {:?}", current.writers);
}

/// Another writer comes between a request that was lost and the look at what stands: the loser is told who stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_request_that_another_overtook_is_a_conflict() {
    let h = Cql::start().await;
    let (proxy, store) = lossy(&h).await;
    let (late, first) = (decided(&h, None, "Late", 1), decided(&h, None, "First", 2));
    proxy.lose(Lost::Request, &serde_json::to_string(&late.row).unwrap());
    let putting = {
        let (store, late) = (store.clone(), late.clone());
        tokio::spawn(async move { store.put_artist(&late).await })
    };
    crate::support::wait::until("the request is lost", crate::support::wait::LONG, async || (proxy.lost() == 1).then_some(())).await;
    assert_eq!(h.store().put_artist(&first).await.unwrap(), PutAnswer::Committed);
    assert_eq!(putting.await.unwrap().unwrap(), PutAnswer::Conflict(Some(Box::new(first.row.clone()))));
    assert_eq!(h.store().artist(&first.row.id).await.unwrap(), Some(first.row));
}

/// Rule 9: a claim whose answer is lost holds the key; one that never arrived does not, and may be repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_is_lost_is_made_once() {
    let h = Cql::start().await;
    let (proxy, store) = lossy(&h).await;
    let mut before: Option<KeyState> = None;
    let key = IdentityKey::stored("instagram:ana");
    for (n, lost) in [Lost::Answer, Lost::Request, Lost::Answer, Lost::Request].into_iter().enumerate() {
        let state = KeyState::Held(ArtistId::new(format!("artist-{n}")));
        proxy.lose(lost, &serde_json::to_string(&state).unwrap());
        let answer = store.point_identity(&key, before.as_ref(), &state).await;
        assert_eq!(proxy.lost(), n + 1, "the fault happened");
        match lost {
            Lost::Answer => assert_eq!(answer.unwrap(), None, "{n}"),
            Lost::Request => {
                assert!(is_unavailable(&answer), "{n}: {answer:?}");
                assert_eq!(h.store().identity(&key).await.unwrap(), before, "{n}");
                assert_eq!(store.point_identity(&key, before.as_ref(), &state).await.unwrap(), None, "{n}");
            }
        }
        assert_eq!(h.store().identity(&key).await.unwrap(), Some(state.clone()), "{n}");
        before = Some(state);
    }
}

async fn revision(h: &Cql, id: &JobId) -> i64 {
    let sql = format!("SELECT rev FROM {}.jobs WHERE id = '{id}'", h.keyspace.settings.keyspace);
    h.keyspace.operate(&sql).await.into_rows_result().unwrap().single_row::<(i64,)>().unwrap().0
}

fn start(h: &Cql, job: &Job) -> (Job, Attempt) {
    match decide_begin(job, job.generation, "w", "build", false, &limits(), h.now()) {
        Begin::Start(started) => (started.job, started.attempt),
        other => panic!("{other:?}"),
    }
}

/// Rules 1 and 2: a job is made once and begun once, whichever half of the exchange is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_whose_answer_is_lost_is_one_begin() {
    let h = Cql::start().await;
    let (proxy, store) = lossy(&h).await;
    for (n, lost) in [Lost::Answer, Lost::Request].into_iter().enumerate() {
        let new = studio_job(n, Some("h.example"));
        let created = Job::created(new.clone(), h.now());
        proxy.lose(lost, &serde_json::to_string(&created).unwrap());
        assert_eq!(store.create_jobs(std::slice::from_ref(&new), h.now()).await.unwrap(), [true], "{lost:?}");
        assert_eq!((row(&h, &new.id).await, revision(&h, &new.id).await), (created.clone(), 1), "{lost:?}");
        let (running, attempt) = start(&h, &created);
        proxy.lose(lost, &serde_json::to_string(&running).unwrap());
        assert_eq!(store.put_job(&created, &running, Some(&attempt)).await.unwrap(), JobPut::Committed, "{lost:?}");
        assert_eq!(proxy.lost(), 2 * n + 2, "the faults happened");
        assert_eq!((row(&h, &new.id).await, revision(&h, &new.id).await), (running.clone(), 2), "{lost:?}");
        assert_eq!(store.attempts(&new.id).await.unwrap(), [attempt], "{lost:?}");
        // Whoever begins it from the row as it was is refused.
        assert!(matches!(store.put_job(&created, &running, None).await.unwrap(), JobPut::Conflict(Some(stands)) if *stands == running));
    }
    // The ledger goes on as ever.
    let other = made(&h, &studio_job(7, Some("h.example"))).await;
    begun(&h, other.id(), "w").await;
    assert_eq!(h.store().depth(h.now()).await.unwrap().running, 3);
}
