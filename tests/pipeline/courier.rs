//! Between ledger and queue over real embedded backends, without actors: what a message leads to, and what is left behind.

use crate::support::ports::ports_in;
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::domain::ids::StudioId;
use inkdex::domain::job::{Job, JobState, NewJob, Task};
use inkdex::domain::message::Message;
use inkdex::domain::outcome::Cancelled;
use inkdex::domain::session::{Session, SessionState, Trigger};
use inkdex::jobs::Ports;
use inkdex::jobs::courier::{self, Begun};
use inkdex::scrape::guard::HostMap;
use std::sync::Arc;
use std::time::Duration;

/// Embedded backends in a folder of their own, and the clock they go by.
struct Bench {
    ports: Ports,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(1_795_348_800_000_000)));
    Bench { ports: ports_in(folder.path(), HostMap::none(), clock.clone()), clock, _folder: folder }
}

impl Bench {
    /// A session in a state.
    async fn session(&self, state: SessionState) -> Session {
        let now = self.clock_now();
        let session = Session { state, ..Session::created("daily", Vec::new(), now, Trigger::Manual, now) };
        assert!(self.ports.store.create_session(&session).await.unwrap());
        session
    }

    fn clock_now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    async fn row(&self, job: &NewJob) -> Job {
        self.ports.store.job(&job.id).await.unwrap().unwrap()
    }

    /// Everything the queue delivers now: begun, and acked if there is nothing to do.
    async fn deliver(&self) -> Vec<Begun> {
        let mut begun = Vec::new();
        for delivery in self.ports.queue.receive(10, Duration::from_secs(60), Duration::ZERO).await.unwrap() {
            let message = Message::from_bytes(&delivery.body).unwrap();
            let what = courier::begin(&self.ports, &message).await.unwrap();
            if matches!(what, Begun::Nothing) {
                self.ports.queue.ack(&delivery.receipt).await.unwrap();
            }
            begun.push(what);
        }
        begun
    }
}

fn studio_job(session: &Session, n: usize, host: &str) -> NewJob {
    let task = Task::FindArtists { studio_id: StudioId::new(format!("studio-{n}")) };
    NewJob::new(&session.id, "find", task, Some(host.to_owned()))
}

/// Rule 2: what an ended session left open is withdrawn when it is met, so that it does not keep its host for ever.
#[tokio::test]
async fn open_rows_of_an_ended_session_make_room_for_their_host() {
    let bench = bench();
    let session = bench.session(SessionState::Failed).await;
    let left: Vec<NewJob> = (0..5).map(|n| studio_job(&session, n, "s.example")).collect();
    courier::create(&bench.ports, &left).await.unwrap();
    for _ in 0..3 {
        assert!(bench.deliver().await.iter().all(|begun| matches!(begun, Begun::Nothing)));
        courier::sweep(&bench.ports, 100).await.unwrap();
    }
    for job in &left {
        assert_eq!(bench.row(job).await.cancelled(), Some(Cancelled::Ended), "{}", job.id);
    }
    // What a requeued job makes runs, although the session is over.
    let child = studio_job(&session, 9, "s.example").made_in(2);
    courier::create(&bench.ports, std::slice::from_ref(&child)).await.unwrap();
    let begun = bench.deliver().await;
    assert!(matches!(&begun[..], [Begun::Run { job, .. }] if job.generation == 2), "{begun:?}");
    assert_eq!(bench.row(&child).await.state, JobState::Running);
}
