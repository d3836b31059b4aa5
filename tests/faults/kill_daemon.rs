//! kill -9 of the whole daemon, twenty times in nights over the made-up web, most of them in the middle of a write or
//! between an outcome and its ack: nothing is lost, nothing is applied twice, nobody innocent is quarantined.

use crate::support::daemon::Daemon;
use crate::support::ledger::{changes, rows, searchable, subject};
use crate::support::onlooker::Onlooker;
use crate::support::wait::{LONG, until, until_every};
use crate::support::world::World;
use inkdex::demo::{DemoWeb, Fate};
use inkdex::domain::artist::ArtistRow;
use inkdex::domain::chance::Chance;
use inkdex::domain::job::{Job, JobState};
use inkdex::domain::outcome::Category;
use inkdex::jobs::reconcile::compare_steadily;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SEED: u64 = 20_261_122;
const KILLS: usize = 20;
const MID_WRITE: usize = 15;
/// The windows that kills are aimed at, held open a little longer.
const FAULTS: &str = "before_put:sleep40:,before_ack:sleep40:";

/// What a kill waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Aim {
    Writing,
    Unacked,
    Anything,
}

/// The nights of the made-up web that the sessions meet, over and over; what is planned to be found is known of each.
struct Nights<'w> {
    world: &'w World,
    days: std::iter::Cycle<std::array::IntoIter<u32, 3>>,
    planned: BTreeSet<String>,
    sessions: usize,
}

impl Nights<'_> {
    /// Serves the web of another day and has a session begin over it.
    async fn begin(&mut self, daemon: &mut Daemon) {
        let web = self.world.serve_day(self.days.next().unwrap());
        let searchable = web.artists().iter().filter(|artist| artist.fate == Fate::Searchable);
        self.planned.extend(searchable.map(|artist| artist.name.clone()));
        self.sessions += 1;
        daemon.session().await.expect("the daemon lives");
    }
}

/// Lets the daemon work until the aim is met, beginning sessions as they drain, and kills it.
async fn run_and_kill(daemon: &mut Daemon, look: &Onlooker, nights: &mut Nights<'_>, aim: Aim, after_jobs: usize) {
    let owner = daemon.owner.clone();
    if look.is_drained().await {
        nights.begin(daemon).await;
    }
    let settled = async || look.all_jobs().await.iter().filter(|job| job.state.is_terminal()).count();
    let goal = settled().await + after_jobs;
    until("jobs are settled", LONG, async || (settled().await >= goal || look.is_drained().await).then_some(())).await;
    let mut again = false;
    until_every(Duration::from_millis(1), "the moment to kill", LONG, async || {
        if look.is_drained().await {
            again = true;
            return Some(());
        }
        let met = match aim {
            Aim::Writing => look.writing(&owner).await > 0,
            Aim::Unacked => look.unacked(&owner).await > 0,
            Aim::Anything => true,
        };
        met.then_some(())
    })
    .await;
    if again {
        Box::pin(run_and_kill(daemon, look, nights, aim, 0)).await;
        return;
    }
    daemon.kill();
}

/// 0 twice (rule 5): no two versions of a row from one `(job, generation)`, and as many changes as versions.
fn count_twice(rows: &[ArtistRow], changes: Option<&BTreeSet<(String, i64)>>) -> usize {
    let mut twice = 0;
    for row in rows {
        let writers: BTreeSet<_> = row.writers.iter().collect();
        twice += row.writers.len() - writers.len();
        if let Some(changes) = changes {
            let versions = changes.iter().filter(|(id, _)| id == row.id.as_str()).count();
            twice += versions.abs_diff(row.writers.len());
        }
    }
    twice
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_and_apply_nothing_twice() {
    twenty_kills(World::of(DemoWeb::generate(SEED)).await).await;
}

/// The same on ScyllaDB's and Amazon's protocols: Cassandra, ElasticMQ, OpenSearch and moto.
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_on_production_backends_lose_nothing_and_apply_nothing_twice() {
    twenty_kills(World::on_servers(DemoWeb::generate(SEED)).await).await;
}

/// Rules 1 to 5 and 17, 002-R33: 0 lost, 0 twice, 0 innocents quarantined after 20 kills, 15 of them in the middle of a write.
async fn twenty_kills(world: World) {
    let _alone = super::ALONE.lock().await;
    let chance = Chance::seeded(SEED);
    let mut nights = Nights { world: &world, days: [0, 1, 10].into_iter().cycle(), planned: BTreeSet::new(), sessions: 0 };
    let (mut mid_write, mut mid_job, mut slowest) = (0, 0, Duration::ZERO);
    for kill in 0..KILLS {
        let mut daemon = Daemon::start(&world, FAULTS).await;
        slowest = slowest.max(daemon.took);
        let look = Onlooker::of(&world).await;
        let aim = match kill % 10 {
            3 | 6 if look.sees_queue() => Aim::Unacked,
            9 => Aim::Anything,
            _ => Aim::Writing,
        };
        let after_jobs = chance.up_to(Duration::from_micros(7)).as_micros() as usize;
        run_and_kill(&mut daemon, &look, &mut nights, aim, after_jobs).await;
        // What the dead daemon left, not what was seen before the signal, is what counts.
        let jobs = look.all_jobs().await;
        let running = jobs.iter().filter(|job| job.state == JobState::Running && job.owner.as_deref() == Some(&daemon.owner));
        mid_job += usize::from(running.count() > 0);
        let writing = look.writing(&daemon.owner).await;
        let unacked = if look.sees_queue() { look.unacked(&daemon.owner).await } else { 0 };
        mid_write += usize::from(writing + unacked > 0);
    }

    let daemon = Daemon::start(&world, "").await;
    slowest = slowest.max(daemon.took);
    let look = Onlooker::of(&world).await;
    look.drained().await;
    let status = daemon.stop().await;
    assert!(status.success(), "{status}");

    let ports = world.open().await;
    let jobs = look.all_jobs().await;
    let lost = jobs.iter().filter(|job| !job.state.is_terminal()).count();
    let rows = rows(ports.store.as_ref()).await;
    // A feed of intents may name what was never committed, so its names are counted only where it names commits.
    let named = if look.sees_queue() { Some(changes(&ports).await) } else { None };
    let twice = count_twice(&rows, named.as_ref());
    println!(
        "seed {SEED}: {KILLS} kills ({mid_write} in the middle of a write, {mid_job} of a job), {} sessions, {} jobs, {} attempts, {lost} lost, \
         {twice} twice, slowest start {} ms",
        nights.sessions,
        jobs.len(),
        jobs.iter().map(|job| job.attempts).sum::<u32>(),
        slowest.as_millis()
    );
    assert!(mid_write >= MID_WRITE, "only {mid_write} kills met a write: the test has shown too little");
    assert_eq!((lost, twice), (0, 0));
    let poisoned: Vec<_> = jobs.iter().filter(|job| job.death().is_some_and(|why| why.category == Category::Poison)).collect();
    assert!(poisoned.is_empty(), "quarantined though innocent: {:?}", poisoned.iter().map(|job| subject(job)).collect::<Vec<_>>());
    let dead: BTreeMap<&str, usize> = jobs.iter().filter_map(Job::death).fold(BTreeMap::new(), |mut codes, why| {
        *codes.entry(why.code.as_str()).or_default() += 1;
        codes
    });
    assert!(dead.keys().all(|code| *code == "parse_over_budget"), "{dead:?}");
    assert_eq!(searchable(&ports).await, nights.planned.into_iter().collect::<Vec<_>>());
    let drift = compare_steadily(&ports).await.unwrap();
    assert!(drift.is_none(), "{drift:?}");
    assert_eq!(look.integrity_problems().await, Vec::<String>::new());
}
