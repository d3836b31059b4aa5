//! Between ledger and queue over real embedded backends, without actors: what a message leads to, and what is left behind.

use crate::support::people;
use crate::support::ports::ports_in;
use inkdex::domain::clock::{ManualClock, Timestamp};
use inkdex::domain::ids::{ArtistId, StudioId};
use inkdex::domain::job::{Attempt, Job, JobState, NewJob, Task, Usage};
use inkdex::domain::message::Message;
use inkdex::domain::outcome::{Cancelled, Category, Done, Failure, Outcome};
use inkdex::domain::session::{Session, SessionState, Trigger};
use inkdex::jobs::Ports;
use inkdex::jobs::courier::{self, Begun};
use inkdex::queue::Receipt;
use inkdex::scrape::guard::HostMap;
use std::sync::Arc;
use std::time::Duration;

/// Embedded backends in a folder of their own, and the clock they go by.
struct Bench {
    ports: Ports,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(1_795_348_800_000_000)));
    Bench { ports: ports_in(folder.path(), HostMap::none(), clock.clone()), clock, folder }
}

impl Bench {
    /// A session in a state.
    async fn session(&self, state: SessionState) -> Session {
        let now = self.clock_now();
        let session = Session { state, ..Session::created("daily", Vec::new(), now, Trigger::Manual, now) };
        assert!(self.ports.store.create_session(&session).await.unwrap());
        session
    }

    /// Begins a job whose attempt is about to write an artist who stands already.
    async fn begun_writing(&self) -> (NewJob, Box<Attempt>, Receipt, ArtistId) {
        let session = self.session(SessionState::Running).await;
        let job = studio_job(&session, 1, "s.example");
        let id = people::write(&self.ports, "ana", people::record_of(&self.ports, 0)).await;
        courier::create(&self.ports, std::slice::from_ref(&job)).await.unwrap();
        let delivery = self.ports.queue.receive(1, Duration::from_secs(60), Duration::ZERO).await.unwrap().remove(0);
        let begun = courier::begin(&self.ports, &Message::from_bytes(&delivery.body).unwrap()).await.unwrap();
        let Begun::Run { attempt, .. } = begun else { panic!("{begun:?}") };
        self.ports.store.stage_writing(&attempt, &id).await.unwrap();
        (job, attempt, delivery.receipt, id)
    }

    /// Changes the database behind the back of its owner.
    fn sql(&self, statement: &str, id: &str) -> usize {
        let connection = rusqlite::Connection::open(self.folder.path().join("inkdex.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection.execute(statement, [id]).unwrap()
    }

    /// How often the feed has told of an artist.
    async fn told(&self, id: &ArtistId) -> usize {
        let mut told = 0;
        for shard in self.ports.feed.shards().await.unwrap() {
            let batch = self.ports.feed.poll(shard, None, 1_000, Duration::ZERO).await.unwrap();
            told += batch.dirty.iter().filter(|dirty| dirty.artist_id == *id).count();
        }
        told
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

fn stalled() -> Outcome {
    Outcome::Retry { after: None, reason: Failure::new(Category::Poison, "stalled", "run", "no progress for 60000 ms") }
}

/// Rule 2: the Writer may still be at its write when an attempt is given up, so whoever begins next repeats its projections.
#[tokio::test]
async fn a_write_of_an_attempt_that_was_given_up_is_repeated() {
    let bench = bench();
    let (_, attempt, receipt, id) = bench.begun_writing().await;
    let before = bench.told(&id).await;
    courier::settle(&bench.ports, &attempt, stalled(), Usage::default(), &receipt).await.unwrap();
    assert_eq!(bench.told(&id).await, before, "whoever begins it next repeats it");
    bench.clock.advance(Duration::from_secs(60));
    let begun = bench.deliver().await;
    assert!(matches!(&begun[..], [Begun::Run { repeated, .. }] if *repeated == [id.clone()]), "{begun:?}");
    assert_eq!(bench.told(&id).await, before + 1);
}

/// Rule 2: what becomes terminal is begun by nobody, so its projections are repeated as it is settled or withdrawn.
#[tokio::test]
async fn a_write_of_a_job_that_ends_or_is_withdrawn_is_repeated() {
    let bench = bench();
    let (job, attempt, receipt, id) = bench.begun_writing().await;
    let before = bench.told(&id).await;
    let dead = Outcome::Dead { reason: Failure::new(Category::Data, "no_name", "validate", "no name") };
    courier::settle(&bench.ports, &attempt, dead, Usage::default(), &receipt).await.unwrap();
    assert_eq!((bench.row(&job).await.state, bench.told(&id).await), (JobState::Dead, before + 1));

    let bench = self::bench();
    let (job, _, _, id) = bench.begun_writing().await;
    let before = bench.told(&id).await;
    let row = bench.row(&job).await;
    assert!(courier::withdraw(&bench.ports, &row, Cancelled::Deadline).await.unwrap());
    assert_eq!((bench.row(&job).await.state, bench.told(&id).await), (JobState::Cancelled, before + 1));

    let bench = self::bench();
    let (_, attempt, receipt, id) = bench.begun_writing().await;
    let before = bench.told(&id).await;
    let done = Outcome::Done { how: Done::Written };
    courier::settle(&bench.ports, &attempt, done, Usage::default(), &receipt).await.unwrap();
    assert_eq!(bench.told(&id).await, before, "what ended well is not repeated");
}

/// Rule 2: a start that cannot repeat what is owed has not begun; the row is not left RUNNING with nobody running it.
#[tokio::test]
async fn a_start_that_cannot_repeat_leaves_no_running_row() {
    let bench = bench();
    let (job, attempt, receipt, id) = bench.begun_writing().await;
    courier::settle(&bench.ports, &attempt, stalled(), Usage::default(), &receipt).await.unwrap();
    // A row that cannot even be called damaged.
    let spoiled = bench.sql("UPDATE artists SET sum = sum + 1, version = 'v' || version WHERE id = ?1", id.as_str());
    assert_eq!(spoiled, 1);
    bench.clock.advance(Duration::from_secs(60));
    let message = bench.row(&job).await.message();
    courier::begin(&bench.ports, &message).await.unwrap_err();
    assert_eq!(bench.row(&job).await.state, JobState::Sent);
    bench.sql("UPDATE artists SET sum = sum - 1, version = CAST(substr(version, 2) AS INTEGER) WHERE id = ?1", id.as_str());
    assert!(matches!(courier::begin(&bench.ports, &message).await.unwrap(), Begun::Run { .. }));
}

/// A row that cannot be read is nobody's work: its message is taken out, and the jobs of a session that cannot be read are over.
#[tokio::test]
async fn messages_of_unreadable_rows_are_taken_out() {
    let bench = bench();
    let session = bench.session(SessionState::Running).await;
    let jobs: Vec<NewJob> = (0..2).map(|n| studio_job(&session, n, "s.example")).collect();
    courier::create(&bench.ports, &jobs).await.unwrap();
    bench.sql("UPDATE jobs SET sum = sum + 1 WHERE id = ?1", jobs[0].id.as_str());
    bench.sql("UPDATE sessions SET sum = sum + 1 WHERE id = ?1", session.id.as_str());
    let begun = bench.deliver().await;
    assert!(matches!(&begun[..], [Begun::Nothing, Begun::Nothing]), "{begun:?}");
    assert_eq!(bench.row(&jobs[1]).await.cancelled(), Some(Cancelled::Ended));
    assert_eq!(courier::sweep(&bench.ports, 10).await.unwrap(), 0);
}

/// Rule 14: however many send at once, no more jobs of a host are out than it may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_send_at_once_keep_to_a_hosts_limit() {
    let bench = bench();
    let session = bench.session(SessionState::Running).await;
    for round in 0..20 {
        let host = format!("h{round}.example");
        let jobs: Vec<NewJob> = (0..8).map(|n| studio_job(&session, 10 * round + n, &host)).collect();
        bench.ports.store.create_jobs(&jobs, bench.clock_now()).await.unwrap();
        let senders = (0..4).map(|n| {
            let (ports, host) = (bench.ports.clone(), host.clone());
            tokio::spawn(async move {
                if n % 2 == 0 { courier::sweep(&ports, 100).await.unwrap() } else { courier::send_next_of(&ports, &host).await.unwrap() }
            })
        });
        let sent: usize = futures_util::future::join_all(senders).await.into_iter().map(Result::unwrap).sum();
        assert_eq!(sent, 2, "round {round}");
        let out = bench.ports.store.jobs_in(&session.id, Some(JobState::Sent), None, 1_000).await.unwrap();
        assert_eq!(out.iter().filter(|job| job.new.host.as_deref() == Some(&host)).count(), 2, "round {round}");
    }
}
