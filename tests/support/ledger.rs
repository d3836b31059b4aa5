//! Questions to the ledger, the store and the index that several tests ask.

use inkdex::domain::artist::ArtistRow;
use inkdex::domain::ids::SessionId;
use inkdex::domain::job::{Attempt, Job, JobKind, JobState, Task};
use inkdex::jobs::Ports;
use inkdex::jobs::report::{Report, report_key};
use inkdex::search::SearchQuery;
use inkdex::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Rows asked for at once.
const PAGE: usize = 500;

/// Every job of a session.
pub async fn jobs_of(store: &dyn Store, session: &SessionId) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let page = store.jobs_in(session, None, jobs.last().map(Job::id), PAGE).await.unwrap();
        if page.is_empty() {
            return jobs;
        }
        jobs.extend(page);
    }
}

/// The name that a scrape job is about.
pub fn subject(job: &Job) -> Option<&str> {
    match &job.new.task {
        Task::ScrapeArtist(task) => Some(&task.name),
        _ => None,
    }
}

/// The scrape job about `name`.
pub async fn scrape_of(store: &dyn Store, session: &SessionId, name: &str) -> Job {
    let jobs = jobs_of(store, session).await;
    jobs.into_iter().find(|job| subject(job) == Some(name)).unwrap_or_else(|| panic!("{name} has no job in {session}"))
}

/// How many jobs of each kind a session has.
pub fn by_kind(jobs: &[Job]) -> BTreeMap<JobKind, usize> {
    let mut counts = BTreeMap::new();
    for job in jobs {
        *counts.entry(job.kind()).or_default() += 1;
    }
    counts
}

/// Every row of the directory, deleted ones included.
pub async fn rows(store: &dyn Store) -> Vec<ArtistRow> {
    let mut rows: Vec<ArtistRow> = Vec::new();
    loop {
        let page = store.scan_artists(rows.last().map(|row| &row.id), PAGE).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// The one live row of a name.
pub async fn row_of(store: &dyn Store, name: &str) -> ArtistRow {
    let named = |row: &ArtistRow| row.live().is_some_and(|record| record.name.value == name);
    let mut found: Vec<ArtistRow> = rows(store).await.into_iter().filter(named).collect();
    assert_eq!(found.len(), 1, "live rows of {name}");
    found.remove(0)
}

/// Every name that a search without words finds, in order; two of one name are two.
pub async fn searchable(ports: &Ports) -> Vec<String> {
    let mut names = Vec::new();
    let mut query = SearchQuery { limit: 50, ..SearchQuery::default() };
    loop {
        let page = ports.index.search(&query).await.unwrap();
        names.extend(page.hits.into_iter().map(|hit| hit.document.name));
        match page.next {
            Some(mark) => query.after = Some(mark),
            None => break,
        }
    }
    names.sort();
    names
}

/// The attempts of a discovery that was given up: the only job of its session, dead, after pauses of about 100 ms and 200 ms, of
/// which jitter may take half.
pub async fn attempts_of_dead_discovery(store: &dyn Store, session: &SessionId) -> Vec<Attempt> {
    let jobs = jobs_of(store, session).await;
    assert_eq!(jobs.iter().map(|job| (job.kind(), job.state)).collect::<Vec<_>>(), [(JobKind::DiscoverStudios, JobState::Dead)]);
    let attempts = store.attempts(jobs[0].id()).await.unwrap();
    let pauses: Vec<u128> = attempts.windows(2).map(|pair| pair[1].fence.since(pair[0].ended_at.unwrap()).as_millis()).collect();
    assert!(pauses[0] >= 50 && pauses[1] >= 100, "{pauses:?}");
    attempts
}

/// A session's report.
pub async fn report_of(ports: &Ports, session: &SessionId) -> Report {
    let bytes = ports.objects.get(&report_key(session)).await.unwrap().unwrap_or_else(|| panic!("{session} has no report"));
    serde_json::from_slice(&bytes).unwrap()
}

/// Every `(artist, version)` that the feed names.
pub async fn changes(ports: &Ports) -> BTreeSet<(String, i64)> {
    let mut named = BTreeSet::new();
    for shard in ports.feed.shards().await.unwrap() {
        let mut position = None;
        loop {
            let batch = ports.feed.poll(shard, position.as_ref(), 1_000, std::time::Duration::ZERO).await.unwrap();
            if batch.dirty.is_empty() {
                break;
            }
            named.extend(batch.dirty.into_iter().map(|dirty| (dirty.artist_id.to_string(), dirty.hint)));
            position = Some(batch.next);
        }
    }
    named
}
