//! Tests of what only this backend has: the file, the writer, checksums, indexes.

use super::core::{Command, Core, Txn};
use super::ledger_queries::letters_statement;
use super::open::{beside, open_reader, open_writer, prepare_file};
use super::{OpenMode, SqliteDb, SqliteStore};
use crate::domain::clock::{Clock, ManualClock, Timestamp};
use crate::domain::ids::{ArtistId, JobId, SessionId, StudioId};
use crate::domain::job::{Job, JobState, NewJob, Task};
use crate::domain::ledger::is_due;
use crate::domain::line::due_at;
use crate::store::{DeadLetterQuery, Ledger, Meta, StoreError, StoreResult};
use proptest::prelude::*;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(Timestamp(1_000_000)))
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inkdex.db");
    (folder, path)
}

fn open(path: &Path) -> StoreResult<Arc<SqliteDb>> {
    SqliteDb::open(path, OpenMode::Owner, clock())
}

fn refusal(result: StoreResult<Arc<SqliteDb>>) -> String {
    match result {
        Err(StoreError::Refused(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn pragmas(connection: &Connection) -> Vec<(&'static str, String)> {
    let names = ["journal_mode", "synchronous", "busy_timeout", "foreign_keys", "secure_delete", "trusted_schema", "cell_size_check"];
    let read = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).map(|value| format!("{value:?}")).unwrap()
    };
    names.into_iter().map(|name| (name, read(name))).collect()
}

#[test]
fn every_connection_has_its_pragmas() {
    let (_folder, path) = folder();
    prepare_file(&path).unwrap();
    let writer = open_writer(&path).unwrap();
    let reader = open_reader(&path).unwrap();
    let expected = [
        ("journal_mode", "Text(\"wal\")"),
        ("synchronous", "Integer(2)"),
        ("busy_timeout", "Integer(5000)"),
        ("foreign_keys", "Integer(1)"),
        ("secure_delete", "Integer(1)"),
        ("trusted_schema", "Integer(0)"),
        ("cell_size_check", "Integer(1)"),
    ];
    let expected: Vec<(&str, String)> = expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(pragmas(&writer), expected);
    assert_eq!(pragmas(&reader), expected);
    assert!(reader.execute("DELETE FROM meta", []).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    let store = SqliteStore::new(open(&path).unwrap());
    store.put_meta("a", None, "b").await.unwrap();
    for file in [path.clone(), beside(&path, "-wal")] {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_who_holds_the_database() {
    let (_folder, path) = folder();
    let first = open(&path).unwrap();
    let Err(error @ StoreError::Held { .. }) = open(&path) else { panic!("a second owner was let in") };
    let why = error.to_string();
    assert!(why.contains(&format!("pid {}", std::process::id())) && why.contains("inkdex.db.lock"), "{why}");
    drop(first);
    open(&path).unwrap();
}

#[test]
fn strange_files_are_refused_and_left_alone() {
    let (folder, path) = folder();
    let why = refusal(open(folder.path()));
    assert!(why.contains("is a folder"), "{why}");

    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    assert!(refusal(open(&path)).contains("not a database of inkdex"));
    assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 4096]);

    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    assert!(refusal(open(&other)).contains("not a database of inkdex"));

    let below_a_file = path.join("inkdex.db");
    assert!(refusal(open(&below_a_file)).contains("cannot be written"));

    let absent = folder.path().join("absent.db");
    assert!(refusal(SqliteDb::open(&absent, OpenMode::ReadOnly, clock())).contains("there is no database"));
    assert!(!absent.exists());
}

#[test]
fn a_newer_database_is_refused() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for mode in [OpenMode::Owner, OpenMode::ReadOnly] {
        let why = refusal(SqliteDb::open(&path, mode, clock()));
        assert!(why.contains("schema 99, newer"), "{why}");
    }
}

#[tokio::test]
async fn a_command_beside_the_daemon_reads_and_cannot_write() {
    let (_folder, path) = folder();
    let daemon = SqliteStore::new(open(&path).unwrap());
    let beside = SqliteStore::new(SqliteDb::open(&path, OpenMode::ReadOnly, clock()).unwrap());
    daemon.put_meta("a", None, "b").await.unwrap();
    assert_eq!(beside.meta("a").await.unwrap().as_deref(), Some("b"));
    let refused = beside.put_meta("a", Some("b"), "c").await;
    assert!(matches!(refused, Err(StoreError::Refused(ref why)) if why.contains("API")), "{refused:?}");
    // The daemon may stop and start again beside it; without a daemon there is still something to read.
    drop((daemon, beside));
    let alone = SqliteStore::new(SqliteDb::open(&path, OpenMode::ReadOnly, clock()).unwrap());
    assert_eq!(alone.meta("a").await.unwrap().as_deref(), Some("b"));
    let daemon = SqliteStore::new(open(&path).unwrap());
    assert_eq!(daemon.put_meta("a", Some("b"), "c").await.unwrap(), None);
    assert_eq!(alone.meta("a").await.unwrap().as_deref(), Some("c"));
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let (_folder, path) = folder();
    let store = SqliteStore::new(open(&path).unwrap());
    store.put_meta("a", None, "b").await.unwrap();
    drop(store);
    let store = SqliteStore::new(open(&path).unwrap());
    assert_eq!(store.meta("a").await.unwrap().as_deref(), Some("b"));
}

type Answers = Arc<Mutex<Vec<(usize, StoreResult<()>)>>>;

/// A command of the tests: does `work` and keeps its answer in a shared list.
struct Scripted<F> {
    number: usize,
    work: F,
    answers: Answers,
}

impl<F: FnMut(&Txn<'_>) -> StoreResult<()> + Send> Command for Scripted<F> {
    fn run(&mut self, txn: &Txn<'_>) -> StoreResult<()> {
        (self.work)(txn)
    }
    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        self.answers.lock().unwrap().push((self.number, committed));
    }
}

fn insert(key: &'static str, answers: &Answers) -> Box<dyn Command> {
    let work = move |txn: &Txn<'_>| {
        txn.connection.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", [key, &"x".repeat(2_000)])?;
        Ok(())
    };
    Box::new(Scripted { number: 0, work, answers: answers.clone() })
}

fn core(path: &Path) -> Core {
    prepare_file(path).unwrap();
    Core::new(open_writer(path).unwrap(), beside(path, "-wal"), clock())
}

fn keys(path: &Path) -> Vec<String> {
    super::seal::column(&open_reader(path).unwrap(), "SELECT key FROM meta ORDER BY key", []).unwrap()
}

#[test]
fn a_failing_command_is_undone_alone() {
    let (_folder, path) = folder();
    let mut core = core(&path);
    let answers = Answers::default();
    let half = |txn: &Txn<'_>| {
        txn.connection.execute("INSERT INTO meta (key, value) VALUES ('half', '')", [])?;
        Err(StoreError::Unavailable("not today".to_owned()))
    };
    let panics = |txn: &Txn<'_>| {
        txn.connection.execute("INSERT INTO meta (key, value) VALUES ('panic', '')", [])?;
        panic!("planned panic")
    };
    let mut batch = vec![
        insert("one", &answers),
        Box::new(Scripted { number: 1, work: half, answers: answers.clone() }),
        insert("one", &answers),
        Box::new(Scripted { number: 2, work: panics, answers: answers.clone() }),
        insert("two", &answers),
    ];
    let (results, _) = core.apply(&mut batch);
    assert!(results[0].is_ok() && results[4].is_ok());
    assert!(matches!(results[1], Err(StoreError::Unavailable(_))));
    assert!(matches!(results[2], Err(StoreError::Bug(_))), "{:?}", results[2]);
    assert!(matches!(&results[3], Err(StoreError::Bug(why)) if why.contains("planned panic")), "{:?}", results[3]);
    assert_eq!(keys(&path), ["one", "two"]);
}

#[test]
fn a_full_disk_fails_the_whole_batch_and_heals() {
    let (_folder, path) = folder();
    prepare_file(&path).unwrap();
    let connection = open_writer(&path).unwrap();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let mut core = Core::new(connection, beside(&path, "-wal"), clock());
    let answers = Answers::default();
    let names = ["a", "b", "c", "d", "e", "f"];
    let (results, grew) = core.apply(&mut names.map(|name| insert(name, &answers)));
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Unavailable(_)))), "{results:?}");
    assert_eq!(grew, super::core::Grew::default());
    // What was answered with success stands, and nothing else does.
    let stood: Vec<&str> = names.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(name, _)| *name).collect();
    assert_eq!(keys(&path), stood);

    let raise = |txn: &Txn<'_>| {
        txn.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(()))?;
        Ok(())
    };
    core.apply(&mut [Box::new(Scripted { number: 0, work: raise, answers: answers.clone() }) as Box<dyn Command>]);
    let (results, _) = core.apply(&mut [insert("later", &answers)]);
    assert!(results[0].is_ok(), "{results:?}");
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_and_named() {
    let (_folder, path) = folder();
    let store = SqliteStore::new(open(&path).unwrap());
    let session = SessionId::new("s");
    let new = NewJob::new(&session, "find", Task::FindArtists { studio_id: StudioId::new("studio-1") }, None);
    store.create_jobs(std::slice::from_ref(&new), Timestamp(1)).await.unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    assert_eq!(connection.execute("UPDATE jobs SET body = replace(body, 'studio-1', 'studio-2')", []).unwrap(), 1);
    drop(connection);
    let store = SqliteStore::new(open(&path).unwrap());
    let error = store.job(&new.id).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { what, .. } if *what == format!("jobs/{}", new.id)), "{error:?}");
}

/// One flipped bit stops one job: the lists go on without it, its host has room again, and the counts are right.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_left_out_and_retired() {
    let (_folder, path) = folder();
    let store = SqliteStore::new(open(&path).unwrap());
    let session = SessionId::new("s");
    let task = |n: usize| Task::FindArtists { studio_id: StudioId::new(format!("studio-{n}")) };
    let jobs: Vec<NewJob> = (0..6).map(|n| NewJob::new(&session, "find", task(n), Some("h.example".to_owned()))).collect();
    store.create_jobs(&jobs, Timestamp(1)).await.unwrap();
    // Two are out and keep everybody else of their host waiting; one more owes an alert, one runs.
    let states = [(0, "SENT", 0), (1, "SENT", 0), (2, "DEAD", 1), (3, "RUNNING", 0)];
    let connection = Connection::open(&path).unwrap();
    for (n, state, alert) in states {
        let sql = "UPDATE jobs SET body = replace(body, 'studio-', 'stud!o-'), state = ?2, alert_owed = ?3, owner = 'x' WHERE id = ?1";
        assert_eq!(connection.execute(sql, rusqlite::params![jobs[n].id.as_str(), state, alert]).unwrap(), 1);
    }
    assert_eq!(store.release_leases_of_others("me", Timestamp(2)).await.unwrap(), 1);
    let due: Vec<JobId> = store.due_jobs_of_host("h.example", Timestamp(2), 2).await.unwrap().into_iter().map(|job| job.new.id).collect();
    let mut sound = vec![jobs[4].id.clone(), jobs[5].id.clone()];
    let mut found = due.clone();
    sound.sort();
    found.sort();
    assert_eq!(found, sound);
    assert_eq!(store.due_jobs(Timestamp(2), 2, 100).await.unwrap().len(), 2);
    assert_eq!(store.jobs_owing_alert(10).await.unwrap(), []);
    assert_eq!(store.dead_letters(&DeadLetterQuery { limit: 10, ..DeadLetterQuery::default() }).await.unwrap().jobs, []);
    let mut paged = Vec::new();
    while let [job] = &store.jobs_in(&session, None, paged.last(), 1).await.unwrap()[..] {
        paged.push(job.new.id.clone());
    }
    assert_eq!(paged, sound, "whoever pages on does not meet the end too soon");
    assert_eq!(store.depth(Timestamp(2)).await.unwrap().open, 2);
    assert_eq!(store.step_counts(&session).await.unwrap().of("find", JobState::Cancelled), 4);
    // Beside the daemon a command leaves them out as well.
    let reader = SqliteStore::new(SqliteDb::open(&path, OpenMode::ReadOnly, clock()).unwrap());
    connection.execute("UPDATE jobs SET sum = sum + 1, state = 'SENT' WHERE id = ?1", [jobs[4].id.as_str()]).unwrap();
    assert_eq!(reader.jobs_in(&session, None, None, 10).await.unwrap().len(), 1);
}

/// A session that cannot be read holds no other one up.
#[tokio::test]
async fn a_session_that_cannot_be_read_is_left_out_and_closed() {
    use crate::domain::session::{Session, Trigger};
    use crate::store::SessionStore;
    let (_folder, path) = folder();
    let store = SqliteStore::new(open(&path).unwrap());
    for night in 1..=2 {
        let session = Session::created("daily", Vec::new(), Timestamp(night), Trigger::Scheduled, Timestamp(night));
        assert!(store.create_session(&session).await.unwrap());
    }
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE sessions SET sum = sum + 1, alert_owed = 1 WHERE scheduled_for = 1", []).unwrap();
    let open = store.open_sessions().await.unwrap();
    assert_eq!(open.iter().map(|session| session.scheduled_for).collect::<Vec<_>>(), [Timestamp(2)]);
    assert_eq!(store.sessions_owing_alert(10).await.unwrap(), []);
    assert_eq!(store.sessions(10).await.unwrap(), open);
    let left: i64 = connection.query_row("SELECT count(*) FROM sessions WHERE open = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_long_log_is_cut_back() {
    let (_folder, path) = folder();
    let db = open(&path).unwrap();
    let store = SqliteStore::new(db.clone());
    store.put_meta("a", None, &"x".repeat(100_000)).await.unwrap();
    assert!(db.wal_bytes() > 100_000);
    assert!(db.checkpoint().await.unwrap());
    assert_eq!(db.wal_bytes(), 0);
    assert_eq!(db.integrity_problems().await.unwrap(), Vec::<String>::new());
}

/// No statement of the adapters reads a table from end to end.
#[tokio::test]
async fn every_query_has_its_index() {
    let (_folder, path) = folder();
    prepare_file(&path).unwrap();
    let connection = open_writer(&path).unwrap();
    // A count of a whole table reads an index from end to end; min and max read one entry of it.
    let allowed = ["SELECT count(*) FROM studios", "SELECT count(*) FROM artists", "SELECT state, sum(n) FROM job_counts GROUP BY state"];
    let sources = [
        include_str!("artists.rs"),
        include_str!("feed.rs"),
        include_str!("identity.rs"),
        include_str!("ledger.rs"),
        include_str!("ledger_queries.rs"),
        include_str!("operations.rs"),
        include_str!("sessions.rs"),
        include_str!("sightings.rs"),
        include_str!("unread.rs"),
        include_str!("../../queue/sqlite.rs"),
    ];
    let mut seen = 0;
    for statement in sources.iter().flat_map(|source| statements(source)).chain(letter_statements()) {
        let Ok(mut explained) = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")) else {
            panic!("not understood: {statement}");
        };
        for parameter in 1..=explained.parameter_count() {
            explained.raw_bind_parameter(parameter, "x").unwrap();
        }
        let mut rows = explained.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            let ordered = statement.contains(" LIMIT ") || statement.contains("min(") || statement.contains("max(");
            let scan = step.starts_with("SCAN") && !step.contains("CONSTANT") && !(ordered && step.contains("INDEX"));
            // In the order of the row's number; a handful of rows; a partial index that holds just the rows wanted.
            let bounded = ["ORDER BY seq", "min(seq)", "FROM sqlite_sequence", "FROM leases WHERE owner"];
            let bounded = bounded.iter().any(|part| statement.contains(part))
                || ["jobs_running", "sessions_open"].iter().any(|index| step.ends_with(&format!("USING INDEX {index}")));
            assert!(!scan || bounded || allowed.contains(&statement.as_str()), "{step}: {statement}");
            let sorts = step.contains("TEMP B-TREE") && !statement.contains("UNION");
            let few = statement.contains("INDEXED BY jobs_out") || allowed.contains(&statement.as_str());
            assert!(!sorts || few, "{step}: {statement}");
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen} statements were found");
}

/// The SQL among the string literals of a source file.
fn statements(source: &str) -> Vec<String> {
    // A purge reads all there is by intent; the other is the beginning of a statement that `letter_statements` completes.
    let built = ["DELETE FROM messages", "SELECT id, body, sum FROM jobs WHERE state = 'DEAD'"];
    let starts = ["SELECT ", "UPDATE ", "DELETE FROM ", "INSERT "];
    let literals = source.split('"').map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let sql = literals.filter(|text| starts.iter().any(|start| text.starts_with(start)));
    sql.map(|text| text.replace("{table}", "sightings")).filter(|text| !built.contains(&text.as_str())).collect()
}

/// The SQL of dead letters, which is built.
fn letter_statements() -> Vec<String> {
    let choices = [(false, false, false), (true, false, false), (false, true, false), (false, false, true), (true, true, true)];
    let query = |(session, category, after): (bool, bool, bool)| DeadLetterQuery {
        session: session.then(|| SessionId::new("s")),
        category: category.then(|| "data".to_owned()),
        limit: 10,
        after: after.then(|| (Timestamp(1), JobId::new("j"))),
    };
    choices.into_iter().map(|choice| letters_statement(&query(choice)).0).collect()
}

fn any_job() -> impl Strategy<Value = Job> {
    let times = (0i64..10, 0i64..10, 0i64..10);
    (0usize..JobState::ALL.len(), times).prop_map(|(state, (not_before, next_send, lease))| {
        let new = NewJob::new(&SessionId::new("s"), "find", Task::FindArtists { studio_id: StudioId::new("x") }, None);
        let job = Job::created(new, Timestamp(0));
        let (not_before, next_send_at, lease_until) = (Timestamp(not_before), Timestamp(next_send), Timestamp(lease));
        Job { state: JobState::ALL[state], not_before, next_send_at, lease_until, ..job }
    })
}

proptest! {
    /// The indexed column and the domain's decision say the same.
    #[test]
    fn due_at_is_when_a_job_becomes_due(job in any_job(), now in 0i64..12) {
        let by_column = due_at(&job).is_some_and(|at| at <= Timestamp(now));
        prop_assert_eq!(by_column, is_due(&job, Timestamp(now)));
    }
}

#[test]
fn a_row_in_anothers_place_does_not_pass_its_checksum() {
    let sealed = super::seal::seal("artists", "a", &ArtistId::new("x")).unwrap();
    let read = |table, key| super::seal::unseal::<JobId>(table, key, &sealed.body, sealed.sum).is_ok();
    assert!(read("artists", "a"));
    assert!(!read("artists", "b"));
    assert!(!read("jobs", "a"));
}
