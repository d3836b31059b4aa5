//! Invented artists, studios and jobs for the contract suites, and the two loops that every writer runs.

use super::harness::Harness;
use inkdex::domain::artist::{Artist, ArtistRow};
use inkdex::domain::backoff::RetryDelay;
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::facts::{Evidence, Fact};
use inkdex::domain::ids::{ArtistId, JobId, SessionId, StudioId};
use inkdex::domain::job::{Attempt, Job, NewJob, ScrapeTask, Task};
use inkdex::domain::ledger::{Begin, LedgerLimits, Settled, decide_begin, settle};
use inkdex::domain::outcome::{Category, Failure, Outcome};
use inkdex::domain::place::Basis;
use inkdex::domain::write::{Intent, WriteDecision, Writer, decide_write};
use inkdex::store::{JobPut, PutAnswer, Store};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A value as an extractor of the tests found it.
pub fn fact<T>(value: T) -> Fact<T> {
    let page = Url::parse("https://studio.example/artists").unwrap();
    let evidence = Evidence { page, extractor: "test".into(), confidence: 0.9, observed_at: Timestamp(1), basis: Basis::Printed };
    Fact { value, evidence }
}

/// A record with a name and a page, and nothing else.
pub fn nameless_place(name: &str) -> Artist {
    Artist {
        name: fact(name.to_owned()),
        studio: None,
        studio_ids: Vec::new(),
        country: None,
        region: None,
        city: None,
        coordinates: None,
        instagram: None,
        socials: Vec::new(),
        emails: Vec::new(),
        phones: Vec::new(),
        styles: Vec::new(),
        images: Vec::new(),
        bio: None,
        pages: vec![Url::parse("https://studio.example/artists").unwrap()],
        own_site: None,
        confirmed: std::collections::BTreeMap::new(),
    }
}

/// A record with the fields that make its keys.
pub fn record(name: &str, styles: &[&str], country: &str, city: &str, handle: &str) -> Artist {
    Artist {
        country: Some(fact(country.to_owned())),
        city: Some(fact(city.to_owned())),
        instagram: Some(fact(handle.to_owned())),
        styles: styles.iter().map(|style| fact((*style).to_owned())).collect(),
        ..nameless_place(name)
    }
}

/// The attempt of a job that writes.
pub fn writer(job: &str, fence: i64) -> Writer {
    Writer { job_id: JobId::new(job), generation: 1, fence: Timestamp(fence) }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    Put(Box<ArtistRow>),
    AlreadyApplied(i64),
    Fenced(Timestamp),
    Removed,
    Absent,
}

impl Written {
    /// The row that was put.
    pub fn row(self) -> ArtistRow {
        match self {
            Self::Put(row) => *row,
            other => panic!("expected a row to be put, got {other:?}"),
        }
    }
}

/// Reads, decides and puts until no other writer came in between.
pub async fn write(store: &Arc<dyn Store>, id: &ArtistId, intent: &Intent, writer: &Writer, now: Timestamp) -> Written {
    loop {
        let current = store.artist(id).await.unwrap();
        let put = match decide_write(id, current.as_ref(), intent, writer, now) {
            WriteDecision::Put(put) => put,
            WriteDecision::AlreadyApplied { version } => return Written::AlreadyApplied(version),
            WriteDecision::Fenced { fence } => return Written::Fenced(fence),
            WriteDecision::Removed => return Written::Removed,
            WriteDecision::Absent => return Written::Absent,
        };
        if store.put_artist(&put).await.unwrap() == PutAnswer::Committed {
            return Written::Put(Box::new(put.row));
        }
    }
}

/// Writes a record at the harness's time.
pub async fn write_record(h: &impl Harness, id: &str, artist: Artist, writer: &Writer) -> Written {
    write(&h.store(), &ArtistId::new(id), &Intent::Record(Box::new(artist)), writer, h.now()).await
}

/// The limits of the suites: those of the design.
pub fn limits() -> LedgerLimits {
    LedgerLimits {
        counted: 5,
        deaths: 3,
        orphans: 10,
        lease: Duration::from_secs(60),
        resend_first: Duration::from_secs(600),
        resend_max: Duration::from_secs(6 * 3600),
        retry: RetryDelay { interval_ms: 1_000, rate: 2.0, max_ms: 60_000 },
    }
}

/// The longest delay of the suites' queue.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// The session of the suites.
pub fn session() -> SessionId {
    SessionId::new("daily-1")
}

/// A job that reads the site of studio number `n`, on a host.
pub fn studio_job(n: usize, host: Option<&str>) -> NewJob {
    let task = Task::FindArtists { studio_id: StudioId::new(format!("studio-{n}")) };
    NewJob::new(&session(), "find", task, host.map(ToOwned::to_owned))
}

/// A job that reads an artist's own site.
pub fn scrape_job(name: &str, handle: &str, site: &str) -> NewJob {
    let entry = Url::parse(site).unwrap();
    let host = entry.host_str().map(ToOwned::to_owned);
    let task = ScrapeTask { studio_id: None, name: name.into(), instagram: Some(handle.into()), entry, own_site: true, listed_on: None };
    NewJob::new(&session(), "scrape", Task::ScrapeArtist(Box::new(task)), host)
}

/// Makes a job and answers its row.
pub async fn made(h: &impl Harness, new: &NewJob) -> Job {
    h.store().create_jobs(std::slice::from_ref(new), h.now()).await.unwrap();
    row(h, &new.id).await
}

/// The row of a job that must be there.
pub async fn row(h: &impl Harness, id: &JobId) -> Job {
    h.store().job(id).await.unwrap().unwrap()
}

/// Puts a row that must still stand.
pub async fn put(h: &impl Harness, old: &Job, new: &Job, attempt: Option<&Attempt>) {
    assert_eq!(h.store().put_job(old, new, attempt).await.unwrap(), JobPut::Committed);
}

/// Begins the job as it stands now; it must be startable.
pub async fn begun(h: &impl Harness, id: &JobId, owner: &str) -> (Job, Attempt) {
    let job = row(h, id).await;
    match decide_begin(&job, job.generation, owner, "build", false, &limits(), h.now()) {
        Begin::Start(started) => {
            put(h, &job, &started.job, Some(&started.attempt)).await;
            (started.job, started.attempt)
        }
        other => panic!("expected a start, got {other:?}"),
    }
}

/// Settles a running row; the attempt must still be the one that stands.
pub async fn settled(h: &impl Harness, job: &Job, attempt: &Attempt, outcome: Outcome) -> Settled {
    let settled = settle(job, outcome, &limits(), MAX_DELAY, &Chance::seeded(1), h.now());
    let ended = Attempt { ended_at: Some(h.now()), outcome: Some(settled.outcome.clone()), ..attempt.clone() };
    put(h, job, &settled.job, Some(&ended)).await;
    settled
}

/// A failure of a category.
pub fn failure(category: Category) -> Failure {
    Failure::new(category, "test_failure", "fetch", "the site did not answer")
}

/// A counted failure.
pub fn retry(category: Category) -> Outcome {
    Outcome::Retry { after: None, reason: failure(category) }
}

/// A failure for good.
pub fn dead(category: Category) -> Outcome {
    Outcome::Dead { reason: failure(category) }
}

/// Makes a job of studio `n` and lets it die.
pub async fn dead_letter(h: &impl Harness, n: usize, category: Category) -> Job {
    let new = studio_job(n, None);
    made(h, &new).await;
    let (job, attempt) = begun(h, &new.id, "w").await;
    settled(h, &job, &attempt, dead(category)).await.job
}
