//! Dead letters and their index (002-C7, 002-X5): found by every filter, found no more once requeued, whatever dies on the way.

use crate::support::http::TestWeb;
use crate::support::ports::{ports, ports_in};
use crate::support::wait::{LONG, until};
use crate::support::world::{World, run};
use async_trait::async_trait;
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::{Clock, ManualClock, Timestamp};
use inkdex::domain::ids::{JobId, SessionId, StudioId};
use inkdex::domain::job::{AlertDebt, Job, JobState, NewJob, Task, Usage};
use inkdex::domain::outcome::{Cancelled, Category, Failure, Outcome};
use inkdex::jobs::courier::{self, Begun};
use inkdex::jobs::find_letters::{LettersFound, find_letters};
use inkdex::jobs::letter_index::{Swept, debts, owe, owe_dropped, sweep};
use inkdex::jobs::{Ports, letters, reconcile_letters, remove_artist};
use inkdex::queue::Receipt;
use inkdex::scrape::guard::HostMap;
use inkdex::search::letters::{IndexedLetter, LetterFilter, LetterIndex, LetterOperation, LetterPage, LetterQuery};
use inkdex::search::{ItemAnswer, SearchError};
use inkdex::store::Letters;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const START: Timestamp = Timestamp(1_795_305_600_000_000);

/// Makes a job of a studio and begins it.
async fn begun(ports: &Ports, studio: &str) -> (Job, inkdex::domain::job::Attempt) {
    let task = Task::FindArtists { studio_id: StudioId::new(studio) };
    let job = NewJob::new(&SessionId::new("night"), "find_artists", task, Some(format!("{studio}.example")));
    courier::create(ports, std::slice::from_ref(&job)).await.unwrap();
    let message = ports.store.job(&job.id).await.unwrap().unwrap().message();
    let Begun::Run { job, attempt, .. } = courier::begin(ports, &message).await.unwrap() else { panic!("the job is due") };
    (*job, *attempt)
}

/// Makes a job of a studio and lets it die, as the Dispatcher would.
async fn die(ports: &Ports, studio: &str) -> JobId {
    let (job, attempt) = begun(ports, studio).await;
    let reason = Failure::new(Category::Data, "parse_over_budget", "parse", format!("{studio}: too deep"));
    courier::settle(ports, &attempt, Outcome::Dead { reason }, Usage::default(), &Receipt("none".to_owned())).await.unwrap();
    job.id().clone()
}

fn of_stage() -> LetterFilter {
    LetterFilter { stage: Some("parse".to_owned()), ..LetterFilter::default() }
}

/// What operators are answered.
async fn listed(ports: &Ports, filter: LetterFilter) -> LettersFound {
    let query = LetterQuery { filter, limit: 50, after: None };
    find_letters(ports.store.as_ref(), Ok(ports.letters.as_ref()), &query).await.unwrap()
}

async fn listed_ids(ports: &Ports) -> Vec<JobId> {
    let found = listed(ports, of_stage()).await;
    assert!(!found.degraded);
    found.jobs.iter().map(|job| job.id().clone()).collect()
}

/// What the index itself says, unverified.
async fn indexed(ports: &Ports) -> Vec<JobId> {
    let query = LetterQuery { filter: of_stage(), limit: 50, after: None };
    ports.letters.find(&query).await.unwrap().letters.into_iter().map(|(_, id)| id).collect()
}

async fn owed(ports: &Ports) -> usize {
    debts(ports).await.unwrap().len()
}

fn settled(letters: u64) -> Swept {
    Swept { settled: letters, ..Swept::default() }
}

/// What happens to writes of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    None,
    /// Nothing is reached.
    Out,
    /// What was asked for is done, and whoever asked dies before it hears of it.
    AnswerLost,
    /// This letter is not taken.
    Refuses(JobId),
}

/// An index with planned faults, and how often they happened.
#[derive(Debug)]
struct Faulty {
    index: Arc<dyn LetterIndex>,
    fault: Mutex<Fault>,
    met: Mutex<usize>,
}

impl Faulty {
    fn before(ports: Ports) -> (Ports, Arc<Self>) {
        let faulty = Arc::new(Self { index: ports.letters.clone(), fault: Mutex::new(Fault::None), met: Mutex::default() });
        (Ports { letters: faulty.clone(), ..ports }, faulty)
    }

    /// Plans another fault; the one before must have happened.
    fn plan(&self, fault: Fault) {
        let before = std::mem::replace(&mut *self.fault.lock().unwrap(), fault);
        let met = std::mem::take(&mut *self.met.lock().unwrap());
        assert!(before == Fault::None || met > 0, "{before:?} did not happen");
    }

    fn out(&self) -> Result<(), SearchError> {
        if *self.fault.lock().unwrap() != Fault::Out {
            return Ok(());
        }
        *self.met.lock().unwrap() += 1;
        Err(SearchError::Unavailable("a planned outage".to_owned()))
    }
}

#[async_trait]
impl LetterIndex for Faulty {
    async fn apply(&self, operations: Vec<LetterOperation>) -> Result<Vec<(JobId, ItemAnswer)>, SearchError> {
        self.out()?;
        let fault = self.fault.lock().unwrap().clone();
        if let Fault::Refuses(refused) = &fault {
            let (bad, good): (Vec<_>, Vec<_>) = operations.into_iter().partition(|operation| operation.job_id == *refused);
            *self.met.lock().unwrap() += bad.len();
            let bad = bad.into_iter().map(|operation| (operation.job_id, ItemAnswer::Failed("a planned refusal".to_owned())));
            return Ok(self.index.apply(good).await?.into_iter().chain(bad).collect());
        }
        let answers = self.index.apply(operations).await?;
        if fault == Fault::AnswerLost && !answers.is_empty() {
            *self.met.lock().unwrap() += 1;
            return Err(SearchError::Unavailable("a planned death".to_owned()));
        }
        Ok(answers)
    }
    async fn find(&self, query: &LetterQuery) -> Result<LetterPage, SearchError> {
        self.out()?;
        self.index.find(query).await
    }
    async fn scan(&self, after: Option<&JobId>, limit: usize) -> Result<Vec<IndexedLetter>, SearchError> {
        self.out()?;
        self.index.scan(after, limit).await
    }
    async fn generation(&self) -> Result<String, SearchError> {
        self.out()?;
        self.index.generation().await
    }
    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        self.out()?;
        self.index.purge_tombstones(before).await
    }
    async fn clear(&self) -> Result<(), SearchError> {
        self.out()?;
        self.index.clear().await
    }
}

/// 002-C7, 002-X5, 002-X6: a job dies and is found by each filter over the admin API; requeued, it is found no more, and a
/// stale replay of its death does not bring it back.
#[test]
fn a_letter_is_found_by_each_filter_until_it_is_requeued() {
    let web = TestWeb::start();
    let (id, other) = web.run(async { (die(&web.ports, "needle").await, die(&web.ports, "anchor").await) });
    let found = |query: &str| -> Vec<String> {
        let page = web.get(&format!("/admin/v1/dead-letters?{query}")).json();
        assert_eq!(page["degraded"], false, "{page}");
        page["dead_letters"].as_array().expect("a list").iter().map(|letter| letter["job_id"].as_str().expect("an id").to_owned()).collect()
    };
    assert!(found("host=needle.example").is_empty(), "the index has not seen it");
    assert_eq!(web.run(sweep(&web.ports)).unwrap(), settled(2));
    assert_eq!(web.run(owed(&web.ports)), 0);
    let job = web.run(web.ports.store.job(&id)).unwrap().unwrap();
    let fingerprint = format!("fingerprint={}", job.death().unwrap().fingerprint());
    let only =
        ["host=needle.example", fingerprint.as_str(), "host=needle.example&session=night&category=data&kind=find_artists&stage=parse"];
    for query in only {
        assert_eq!(found(query), [id.to_string()], "{query}");
    }
    for query in ["code=parse_over_budget", "kind=find_artists", "stage=parse", "session=night&stage=parse", "category=data&stage=parse"] {
        assert_eq!(found(query), [other.to_string(), id.to_string()], "{query}");
    }
    for query in ["host=ne.example", "code=timeout", "kind=report", "stage=fetch", "fingerprint=0", "session=day&stage=parse"] {
        assert!(found(query).is_empty(), "{query}");
    }
    // Pages go on where they ended.
    let page = web.get("/admin/v1/dead-letters?stage=parse&limit=1").json();
    let next = page["next_page_token"].as_str().expect("there is another");
    assert_eq!(found(&format!("stage=parse&limit=1&page_token={next}")), [id.to_string()]);

    assert_eq!(web.post(&format!("/admin/v1/dead-letters/{id}:requeue"), "").status, 200);
    assert_eq!(found("stage=parse"), [other.to_string()], "its row says so before the index does");
    web.run(async {
        assert_eq!(indexed(&web.ports).await, [other.clone(), id.clone()]);
        assert_eq!(sweep(&web.ports).await.unwrap(), settled(1));
        assert_eq!(indexed(&web.ports).await, std::slice::from_ref(&other));
        let replay = web.ports.letters.apply(vec![LetterOperation::of(&job, START)]).await.unwrap();
        assert_eq!(replay, [(id.clone(), ItemAnswer::Stale { held: 3 })]);
        assert_eq!(indexed(&web.ports).await, std::slice::from_ref(&other));
    });
    assert_eq!(web.post(&format!("/admin/v1/dead-letters/{other}:discard"), "").status, 200);
    assert_eq!(web.run(sweep(&web.ports)).unwrap(), settled(1));
    assert!(web.run(indexed(&web.ports)).is_empty());
}

/// Whoever dies after the debt and before the row leaves a debt that waits for the row, and is forgotten if none comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_after_the_debt_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let ports = ports_in(folder.path(), HostMap::none(), clock.clone());
    let (job, attempt) = begun(&ports, "needle").await;
    owe(&ports, job.id(), 2).await.unwrap();
    assert_eq!(sweep(&ports).await.unwrap(), Swept { waiting: 1, ..Swept::default() });
    assert_eq!(owed(&ports).await, 1, "its row may still come");
    // It does: by another process, long after, with a debt of its own.
    let reason = Failure::new(Category::Data, "parse_over_budget", "parse", "too deep");
    courier::settle(&ports, &attempt, Outcome::Dead { reason }, Usage::default(), &Receipt("none".to_owned())).await.unwrap();
    assert_eq!(sweep(&ports).await.unwrap(), settled(1));
    assert_eq!(indexed(&ports).await, [job.id().clone()]);

    // Of a requeue that never came to its row nothing is left but the letter.
    owe(&ports, job.id(), 3).await.unwrap();
    assert_eq!(sweep(&ports).await.unwrap().waiting, 1);
    clock.advance(Duration::from_secs(601));
    assert_eq!(sweep(&ports).await.unwrap(), settled(1));
    assert_eq!((owed(&ports).await, indexed(&ports).await), (0, vec![job.id().clone()]));
}

/// Whoever dies after the row is found by the debt, by another process on the same data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_after_the_row_is_made_good_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let (died, discarded) = {
        let ports = ports(folder.path());
        sweep(&ports).await.unwrap();
        let discarded = die(&ports, "anchor").await;
        sweep(&ports).await.unwrap();
        letters::discard(&ports, &discarded, "test", None).await.unwrap();
        (die(&ports, "needle").await, discarded)
    };
    let ports = ports(folder.path());
    assert_eq!(indexed(&ports).await, [discarded]);
    assert_eq!(sweep(&ports).await.unwrap(), settled(2));
    assert_eq!((owed(&ports).await, indexed(&ports).await), (0, vec![died]));
}

/// Whoever dies after the index and before the debt is dropped does it again, and nothing is different.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_after_the_index_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (ports, faulty) = Faulty::before(ports(folder.path()));
    let id = die(&ports, "needle").await;
    faulty.plan(Fault::AnswerLost);
    assert!(sweep(&ports).await.is_err());
    assert_eq!((owed(&ports).await, indexed(&ports).await), (1, vec![id.clone()]));
    faulty.plan(Fault::None);
    // Meanwhile it was requeued: what is written then is what the row says then.
    letters::requeue(&ports, &id, "test", None).await.unwrap();
    assert_eq!(sweep(&ports).await.unwrap(), settled(1));
    assert_eq!((owed(&ports).await, indexed(&ports).await), (0, Vec::new()));
}

/// An outage of the index hinders nobody who settles, requeues or asks: lists are answered from the ledger and say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_index_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let (ports, faulty) = Faulty::before(ports(folder.path()));
    let requeued = die(&ports, "anchor").await;
    sweep(&ports).await.unwrap();
    faulty.plan(Fault::Out);
    let died = die(&ports, "needle").await;
    letters::requeue(&ports, &requeued, "test", None).await.unwrap();
    assert_eq!(ports.store.job(&died).await.unwrap().unwrap().state, JobState::Dead);
    for filter in [of_stage(), LetterFilter { host: Some("needle.example".to_owned()), ..of_stage() }] {
        let found = listed(&ports, filter).await;
        assert!(found.degraded && found.next.is_none());
        assert_eq!(found.jobs.iter().map(Job::id).collect::<Vec<_>>(), [&died]);
    }
    assert!(sweep(&ports).await.is_err());
    assert_eq!(owed(&ports).await, 2);
    faulty.plan(Fault::None);
    assert_eq!(sweep(&ports).await.unwrap(), settled(2));
    assert_eq!((owed(&ports).await, indexed(&ports).await), (0, vec![died.clone()]));
    assert_eq!(listed_ids(&ports).await, [died]);
}

/// 002-R31: a letter that the index does not take hinders no other one, stays owed and is offered again after an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_letter_stays_owed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let (ports, faulty) = Faulty::before(ports_in(folder.path(), HostMap::none(), clock.clone()));
    sweep(&ports).await.unwrap();
    let (bad, good) = (die(&ports, "needle").await, die(&ports, "anchor").await);
    faulty.plan(Fault::Refuses(bad.clone()));
    assert_eq!(sweep(&ports).await.unwrap(), Swept { settled: 1, refused: 1, waiting: 0 });
    assert_eq!(indexed(&ports).await, [good]);
    clock.advance(Duration::from_secs(3_601));
    let refused_again = Swept { refused: 1, ..Swept::default() };
    assert_eq!((sweep(&ports).await.unwrap(), owed(&ports).await), (refused_again, 1));
    assert!(reconcile_letters::compare(&ports).await.unwrap().missing.iter().eq([&bad]));
    faulty.plan(Fault::None);
    assert_eq!(sweep(&ports).await.unwrap(), Swept { refused: 1, ..Swept::default() }, "not yet");
    clock.advance(Duration::from_secs(3_601));
    assert_eq!(sweep(&ports).await.unwrap(), settled(1));
    assert_eq!((owed(&ports).await, indexed(&ports).await.len()), (0, 2));
    assert!(indexed(&ports).await.contains(&bad));
}

/// An index that is new, or was lost, is filled from the ledger; so is one whose filling was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_index_is_filled_from_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (ports, faulty) = Faulty::before(ports(folder.path()));
    let (one, two) = (die(&ports, "needle").await, die(&ports, "anchor").await);
    sweep(&ports).await.unwrap();
    ports.letters.clear().await.unwrap();
    faulty.plan(Fault::AnswerLost);
    assert!(sweep(&ports).await.is_err(), "it died while it filled");
    faulty.plan(Fault::None);
    faulty.index.apply(vec![LetterOperation::gone(JobId::new("another"), 2, START)]).await.unwrap();
    assert_eq!(owed(&ports).await, 0, "nothing but its generation says that it was lost");
    assert_eq!(sweep(&ports).await.unwrap(), settled(0));
    assert_eq!(indexed(&ports).await, [two, one]);
}

/// The letters of a session go with it, once the session is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_letters_leave_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let ports = ports_in(folder.path(), HostMap::none(), clock.clone());
    let id = die(&ports, "needle").await;
    sweep(&ports).await.unwrap();
    let session = SessionId::new("night");
    owe_dropped(&ports, &session).await.unwrap();
    assert!(!ports.store.drop_jobs(&session, Letters::Dropped).await.unwrap(), "it owes an alert");
    assert_eq!(sweep(&ports).await.unwrap().waiting, 1);
    assert_eq!(listed_ids(&ports).await, std::slice::from_ref(&id));

    let job = ports.store.job(&id).await.unwrap().unwrap();
    ports.store.put_job(&job, &Job { alert: AlertDebt::Told(clock.now()), ..job.clone() }, None).await.unwrap();
    owe_dropped(&ports, &session).await.unwrap();
    assert!(ports.store.drop_jobs(&session, Letters::Dropped).await.unwrap());
    assert!(listed_ids(&ports).await.is_empty());
    assert_eq!(sweep(&ports).await.unwrap(), settled(1));
    assert!(indexed(&ports).await.is_empty());
    assert_eq!(ports.letters.apply(vec![LetterOperation::of(&job, START)]).await.unwrap()[0].1, ItemAnswer::Stale { held: 3 });
}

/// Rule 15: a letter about somebody who is removed goes with them.
#[test]
fn letters_about_a_removed_artist_leave_the_index() {
    let web = TestWeb::seeded();
    let ports = &web.ports;
    web.run(async {
        let artist = ports.store.scan_artists(None, 1).await.unwrap().remove(0).id;
        let (job, attempt) = begun(ports, "needle").await;
        ports.store.stage_writing(&attempt, &artist).await.unwrap();
        let reason = Failure::new(Category::Data, "parse_over_budget", "parse", "too deep");
        courier::settle(ports, &attempt, Outcome::Dead { reason }, Usage::default(), &Receipt("none".to_owned())).await.unwrap();
        let other = die(ports, "anchor").await;
        sweep(ports).await.unwrap();
        assert_eq!(indexed(ports).await, [other.clone(), job.id().clone()]);
        remove_artist::remove(ports, &artist, "test", None).await.unwrap();
        assert_eq!(ports.store.job(job.id()).await.unwrap().unwrap().cancelled(), Some(Cancelled::Removed));
        assert_eq!(sweep(ports).await.unwrap(), settled(1));
        assert_eq!(indexed(ports).await, [other]);
    });
}

/// 002-C7: reconcile finds what the index lacks, what it has of another version and what is no letter, and mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_compares_both_ways_and_repairs() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ports(folder.path());
    let ids = [die(&ports, "needle").await, die(&ports, "anchor").await, die(&ports, "rose").await];
    assert!(reconcile_letters::compare(&ports).await.unwrap().is_none(), "what is owed is on its way");
    sweep(&ports).await.unwrap();
    let whole = reconcile_letters::compare(&ports).await.unwrap();
    assert!(whole.is_none() && whole.letters == 3);

    // Behind: a requeue of which the index was never told. Ahead: the ledger was restored from a backup.
    let job = ports.store.job(&ids[0]).await.unwrap().unwrap();
    let requeued = inkdex::domain::ledger::requeued(&job, Timestamp(1)).unwrap();
    ports.store.put_job(&job, &requeued, None).await.unwrap();
    let drift = reconcile_letters::repair(&ports).await.unwrap();
    assert_eq!((drift.letters, drift.unknown.iter().collect::<Vec<_>>()), (2, vec![&ids[0]]));
    assert!(reconcile_letters::compare(&ports).await.unwrap().is_none());

    let row = ports.store.job(&ids[1]).await.unwrap().unwrap();
    let stranger = LetterOperation { job_id: JobId::new("nobody"), ..LetterOperation::of(&row, START) };
    let ahead = LetterOperation { version: 8, ..LetterOperation::of(&row, START) };
    let gone = LetterOperation::gone(ids[2].clone(), 9, START);
    ports.letters.apply(vec![stranger, ahead, gone]).await.unwrap();
    let drift = reconcile_letters::repair(&ports).await.unwrap();
    assert_eq!(drift.missing.iter().collect::<Vec<_>>(), [&ids[2]]);
    assert_eq!(drift.differing.iter().collect::<Vec<_>>(), [&ids[1]]);
    assert_eq!(drift.unknown.iter().map(JobId::as_str).collect::<Vec<_>>(), ["nobody"]);
    assert!(reconcile_letters::compare(&ports).await.unwrap().is_none());
    assert_eq!(listed_ids(&ports).await, [ids[2].clone(), ids[1].clone()]);
}

/// The running application does all of it by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_sync_brings_letters_into_the_index() {
    letters_come_and_go(World::of(DemoWeb::generate(13)).await).await;
}

/// As above, on the production backends.
#[cfg(all(feature = "cql", feature = "sqs", feature = "opensearch", feature = "s3"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_sync_brings_letters_into_the_index_on_servers() {
    letters_come_and_go(World::on_servers(DemoWeb::generate(13)).await).await;
}

async fn letters_come_and_go(world: World) {
    let app = world.start().await;
    run(&app).await;
    let letters = until("the night's letters are indexed", LONG, async || {
        let indexed = indexed(&app.ports).await;
        (!indexed.is_empty() && owed(&app.ports).await == 0).then_some(indexed)
    })
    .await;
    assert_eq!(listed_ids(&app.ports).await, letters);
    letters::discard(&app.ports, &letters[0], "test", None).await.unwrap();
    until("a discarded letter leaves the index", LONG, async || (!indexed(&app.ports).await.contains(&letters[0])).then_some(())).await;
    until("nothing is owed", LONG, async || (owed(&app.ports).await == 0).then_some(())).await;
    assert!(reconcile_letters::compare_steadily(&app.ports).await.unwrap().is_none());
    app.stop().await;
}

/// Debts are listed by the hour: however long an outage is, none is passed over, and none is looked for where none can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debts_of_a_long_outage_are_all_found() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let (ports, faulty) = Faulty::before(ports_in(folder.path(), HostMap::none(), clock.clone()));
    sweep(&ports).await.unwrap();
    faulty.plan(Fault::Out);
    let mut died = Vec::new();
    for studio in ["needle", "anchor", "rose"] {
        died.insert(0, die(&ports, studio).await);
        assert!(sweep(&ports).await.is_err());
        clock.advance(Duration::from_secs(30 * 3_600));
    }
    assert_eq!(owed(&ports).await, 3);
    faulty.plan(Fault::None);
    assert_eq!(sweep(&ports).await.unwrap(), settled(3));
    assert_eq!((owed(&ports).await, indexed(&ports).await), (0, died.clone()));
    // Nobody writes into an hour that is long over.
    owe(&ports, &died[0], 3).await.unwrap();
    sweep(&ports).await.unwrap();
    clock.advance(Duration::from_secs(30 * 3_600));
    assert_eq!((owed(&ports).await, sweep(&ports).await.unwrap()), (1, settled(1)));
    assert_eq!(indexed(&ports).await, died);
}
