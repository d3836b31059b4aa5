//! A part of ours is out in the middle of a session on the production backends: `/readyz` names it, running jobs end
//! without the queue, nothing is burnt, and the session ends as if nothing had been (rules 3 and 4).

use crate::support::http::exchange;
use crate::support::ledger::{jobs_of, searchable};
use crate::support::proxy::CuttingProxy;
use crate::support::wait::{LONG, until};
use crate::support::world::{World, in_step, program};
use inkdex::app::{App, Surroundings};
use inkdex::demo::{DemoWeb, Fate};
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::{Job, JobState};
use inkdex::domain::session::{SessionState, Trigger};

const SEED: u64 = 29;

/// A session that has begun, behind a proxy each for store and queue.
struct Begun {
    world: World,
    app: App,
    store: CuttingProxy,
    queue: CuttingProxy,
    session: SessionId,
}

impl Begun {
    async fn begin() -> Self {
        println!("seed {SEED}");
        let mut world = World::on_servers(DemoWeb::generate(SEED)).await;
        let config = &mut world.config;
        let store = CuttingProxy::to_url(&config.cql.nodes[0]).await;
        let queue = CuttingProxy::to_url(&config.sqs.endpoint).await;
        config.cql.nodes = vec![store.address().to_string()];
        config.sqs.endpoint = format!("http://{}", queue.address());
        config.server.bind = "127.0.0.1:0".parse().unwrap();
        let surroundings = Surroundings { clock: world.clock.clone(), program: program(), sources: Vec::new() };
        let app = App::start_in(surroundings, &world.config, true).await.unwrap();
        let session = app.control.start_session(Trigger::Manual).await.unwrap();
        until("jobs are done, in work and open", LONG, async || {
            let jobs = jobs_of(app.ports.store.as_ref(), &session).await;
            let count = |is: fn(&Job) -> bool| jobs.iter().filter(|job| is(job)).count();
            let (over, open) = (count(|job| job.state.is_terminal()), count(|job| !job.state.is_terminal()));
            (over >= 3 && open >= 3 && count(|job| job.state == JobState::Running) > 0).then_some(())
        })
        .await;
        Self { world, app, store, queue, session }
    }

    /// `/readyz`: its status and what it says.
    async fn ready(&self) -> (u16, String) {
        let address = self.app.web.unwrap();
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || exchange(address, request.as_bytes())).await.unwrap();
        (answer.status, answer.body)
    }

    /// Waits until `/readyz` names `part`, and `not` is not named beside it.
    async fn named(&self, part: &str, not: &str) {
        until(&format!("/readyz names the {part}"), LONG, async || {
            let (status, said) = self.ready().await;
            (status == 503 && said.contains(&format!("{part}: ")) && !said.contains(&format!("{not}: "))).then_some(())
        })
        .await;
    }

    /// The session ends as the generator planned, and the outage counted against no job.
    async fn ends_well(self) {
        let session = until("the session is over", LONG, async || {
            // The first reads after an outage may fail as well.
            let read = self.app.ports.store.session(&self.session).await.ok().flatten();
            read.filter(|session| session.state.is_terminal())
        })
        .await;
        in_step(&self.app).await;
        assert_eq!(session.state, SessionState::Completed, "{:?}", session.failure);
        for job in jobs_of(self.app.ports.store.as_ref(), &self.session).await {
            assert_eq!((job.deaths, job.counted), (0, u32::from(job.state == JobState::Dead)), "{:?}", job.new.task);
        }
        let planned = self.world.web.artists().iter().filter(|artist| artist.fate == Fate::Searchable);
        let mut planned: Vec<String> = planned.map(|artist| artist.name.clone()).collect();
        planned.sort();
        assert_eq!(searchable(&self.app.ports).await, planned);
        until("/readyz is ready", LONG, async || (self.ready().await.0 == 200).then_some(())).await;
        self.app.stop().await;
    }
}

/// Without the store nothing is burnt: what was in work goes on once it is back, and `/readyz` names the part meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_nothing_is_burnt() {
    let begun = Begun::begin().await;
    begun.store.cut().await;
    begun.named("store", "queue").await;
    begun.store.restore().await;
    begun.ends_well().await;
}

/// Without the queue running jobs end, and what they made is owed: rows without a message, which the sweeper sends afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_queue_running_jobs_end_and_what_is_owed_is_sent_later() {
    let begun = Begun::begin().await;
    begun.queue.cut().await;
    begun.named("queue", "store").await;
    let store = begun.app.ports.store.clone();
    let running = until("nothing is in work", LONG, async || {
        let jobs = jobs_of(store.as_ref(), &begun.session).await;
        jobs.iter().all(|job| job.state != JobState::Running).then_some(jobs)
    })
    .await;
    assert!(running.iter().any(|job| !job.state.is_terminal()), "nothing was left to be owed: the test shows too little");
    begun.queue.restore().await;
    begun.ends_well().await;
}
