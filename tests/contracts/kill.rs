//! kill -9 at any moment: a child writes through store and queue in a loop and prints what was acknowledged; the parent
//! kills it, opens the file again and recounts. (A kill keeps the page cache: it cannot find a missing sync.)

use super::fixtures::{MAX_DELAY, limits, nameless_place, write, writer};
use inkdex::domain::chance::Chance;
use inkdex::domain::clock::{Clock, SystemClock};
use inkdex::domain::ids::{ArtistId, JobId, SessionId, StudioId};
use inkdex::domain::job::{Attempt, JobState, NewJob, Task};
use inkdex::domain::ledger::{Begin, decide_begin, settle};
use inkdex::domain::outcome::{Done, Outcome};
use inkdex::domain::write::{Intent, Writer};
use inkdex::feed::sqlite::{SHARD, SqliteFeed};
use inkdex::feed::{ChangeFeed, Position};
use inkdex::queue::sqlite::SqliteQueue;
use inkdex::queue::{JobQueue, Outgoing};
use inkdex::store::sqlite::{OpenMode, SqliteDb, SqliteStore};
use inkdex::store::{ArtistStore, JobPut, Ledger, Store};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const FOLDER: &str = "INKDEX_KILL_TEST_FOLDER";
const ROUND: &str = "INKDEX_KILL_TEST_ROUND";
const ROUNDS: u32 = 12;
const SEED: u64 = 4_711;

fn open(folder: &Path) -> Arc<SqliteDb> {
    SqliteDb::open(&folder.join("inkdex.db"), OpenMode::Owner, Arc::new(SystemClock::new())).unwrap()
}

fn session(round: &str) -> SessionId {
    SessionId::new(format!("round-{round}"))
}

/// One job from its making to its settling, printing each acknowledgement once it is there.
async fn one_job(store: &Arc<dyn Store>, queue: &SqliteQueue, round: &str, worker: u32, n: u32) {
    let clock = SystemClock::new();
    let task = Task::FindArtists { studio_id: StudioId::new(format!("{worker}-{n}")) };
    let new = NewJob::new(&session(round), "find", task, Some(format!("h{worker}.example")));
    assert_eq!(store.create_jobs(std::slice::from_ref(&new), clock.now()).await.unwrap(), [true]);
    println!("made {}", new.id);
    let body = format!("{round}-{worker}-{n}");
    let sent = queue.send(vec![Outgoing { body: body.clone().into_bytes(), delay: Duration::ZERO }]).await.unwrap();
    assert!(sent[0].is_ok());
    println!("sent {body}");
    let job = store.job(&new.id).await.unwrap().unwrap();
    let Begin::Start(started) = decide_begin(&job, 1, round, "build", false, &limits(), clock.now()) else { panic!("not startable") };
    assert_eq!(store.put_job(&job, &started.job, Some(&started.attempt)).await.unwrap(), JobPut::Committed);
    println!("begun {}", new.id);
    let artist = ArtistId::new(format!("artist-{worker}-{}", n % 20));
    store.stage_writing(&started.attempt, &artist).await.unwrap();
    let intent = Intent::Record(Box::new(nameless_place(&body)));
    let writer = Writer { job_id: new.id.clone(), fence: started.attempt.fence, ..writer("", 0) };
    let row = write(store, &artist, &intent, &writer, clock.now()).await.row();
    println!("wrote {artist} {}", row.version);
    let outcome = Outcome::Done { how: Done::Written };
    let end = settle(&started.job, outcome, &limits(), MAX_DELAY, &Chance::seeded(1), clock.now());
    let ended = Attempt { ended_at: Some(clock.now()), outcome: Some(end.outcome), ..started.attempt };
    assert_eq!(store.put_job(&started.job, &end.job, Some(&ended)).await.unwrap(), JobPut::Committed);
    println!("done {}", new.id);
}

/// Executed by `nothing_acknowledged_is_lost_by_kill_minus_nine` it works until it is killed; by itself it does one job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
        one_job(&store, &SqliteQueue::new(db), "0", 0, 0).await;
        assert_eq!(store.depth(SystemClock::new().now()).await.unwrap().open, 0);
        return;
    };
    let round = std::env::var(ROUND).unwrap();
    let db = open(Path::new(&folder));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (store, queue, round) = (store.clone(), SqliteQueue::new(db.clone()), round.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    one_job(&store, &queue, &round, worker, n).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

/// What the children said was acknowledged.
#[derive(Default)]
struct Acknowledged {
    made: BTreeSet<String>,
    begun: BTreeSet<String>,
    done: BTreeSet<String>,
    sent: BTreeSet<String>,
    wrote: BTreeSet<(String, i64)>,
}

impl Acknowledged {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["made", id] => drop(self.made.insert((*id).to_owned())),
            ["begun", id] => drop(self.begun.insert((*id).to_owned())),
            ["done", id] => drop(self.done.insert((*id).to_owned())),
            ["sent", body] => drop(self.sent.insert((*body).to_owned())),
            ["wrote", id, version] => drop(self.wrote.insert(((*id).to_owned(), version.parse().unwrap()))),
            // The test runner of the child speaks too.
            _ => {}
        }
    }
}

/// Runs a child until it has acknowledged something, lets it go on for `extra`, and kills it.
fn run_and_kill(folder: &Path, round: u32, extra: Duration, heard: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "contracts::kill::child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).unwrap_or(0) > 0 {
            // A line without its end was cut by the kill: what it said was not said.
            if line.ends_with('\n') && sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let before = heard.done.len();
    while heard.done.len() == before {
        heard.hear(&lines.recv_timeout(Duration::from_secs(60)).expect("the child acknowledges a job within a minute"));
    }
    #[expect(clippy::disallowed_methods, reason = "the moment of the kill is random: nothing is waited for")]
    std::thread::sleep(extra);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    reader.join().unwrap();
    lines.iter().for_each(|line| heard.hear(&line));
}

/// Recounts what was acknowledged. Answers how many jobs the kills left unfinished.
async fn recount(folder: &Path, rounds: u32, heard: &Acknowledged) -> usize {
    let db = open(folder);
    let store = SqliteStore::new(db.clone());
    assert_eq!(db.integrity_problems().await.unwrap(), Vec::<String>::new());
    for id in &heard.made {
        let id = JobId::new(id.as_str());
        let job = store.job(&id).await.unwrap().unwrap_or_else(|| panic!("job {id} is lost"));
        let attempts = store.attempts(&id).await.unwrap();
        assert!(attempts.len() == 1 || !heard.begun.contains(id.as_str()), "the start of {id} is lost");
        assert!(job.state == JobState::Done || !heard.done.contains(id.as_str()), "the end of {id} is lost");
        assert_eq!(attempts.iter().any(|attempt| attempt.outcome.is_some()), job.state == JobState::Done);
    }
    for (id, version) in &heard.wrote {
        let row = store.artist(&ArtistId::new(id.as_str())).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        assert!(row.version >= *version && row.is_sound(), "version {version} of {id} is lost");
    }
    let mut unfinished = 0;
    for round in 0..rounds {
        let session = session(&round.to_string());
        let counts = store.step_counts(&session).await.unwrap();
        for state in JobState::ALL {
            let listed = store.jobs_in(&session, Some(state), None, usize::MAX).await.unwrap().len();
            assert_eq!(counts.of("find", state), listed as u64, "{state:?} jobs of round {round}");
            unfinished += if state.is_terminal() { 0 } else { listed };
        }
    }
    let feed = SqliteFeed::new(db);
    let mut named = BTreeSet::new();
    let mut position: Option<Position> = None;
    loop {
        let batch = feed.poll(SHARD, position.as_ref(), 1_000, Duration::ZERO).await.unwrap();
        if batch.dirty.is_empty() {
            break;
        }
        // Gapless: each entry is one position further.
        let from: i64 = position.map_or(0, |position| position.0.parse().unwrap());
        assert_eq!(batch.next.0.parse::<i64>().unwrap() - from, batch.dirty.len() as i64);
        named.extend(batch.dirty.into_iter().map(|dirty| (dirty.artist_id.to_string(), dirty.hint)));
        position = Some(batch.next);
    }
    let missing: Vec<_> = heard.wrote.difference(&named).collect();
    assert!(missing.is_empty(), "changes missing in the feed: {missing:?}");
    unfinished
}

/// Rules 1, 5 and 17: 0 jobs, starts, writes, changes and messages lost; a dead owner's lock is free at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_minus_nine() {
    let folder = tempfile::tempdir().unwrap();
    let chance = Chance::seeded(SEED);
    let mut heard = Acknowledged::default();
    let mut unfinished = 0;
    for round in 0..ROUNDS {
        run_and_kill(folder.path(), round, chance.up_to(Duration::from_millis(250)), &mut heard);
        unfinished = recount(folder.path(), round + 1, &heard).await;
    }
    let queue = SqliteQueue::new(open(folder.path()));
    let mut received = BTreeSet::new();
    loop {
        let deliveries = queue.receive(1_000, Duration::from_secs(3_600), Duration::ZERO).await.unwrap();
        if deliveries.is_empty() {
            break;
        }
        received.extend(deliveries.into_iter().map(|delivery| String::from_utf8(delivery.body).unwrap()));
    }
    let lost: Vec<_> = heard.sent.difference(&received).collect();
    assert!(lost.is_empty(), "messages lost: {lost:?}");
    println!(
        "seed {SEED}: {ROUNDS} kills, {} jobs acknowledged done of {} made, {} writes, {} messages; {unfinished} jobs were in work",
        heard.done.len(),
        heard.made.len(),
        heard.wrote.len(),
        heard.sent.len()
    );
    assert!(unfinished > 0, "no kill met a job in work: the test has shown nothing");
}
