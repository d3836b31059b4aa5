//! Migrations and starts: what is refused says what to change, and two who migrate at once make one schema.

use super::keyspace::Keyspace;
use crate::support::servers::cassandra;
use inkdex::domain::clock::SystemClock;
use inkdex::store::StoreError;
use inkdex::store::cql::{CqlDb, CqlSettings, Migrator};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

async fn open(settings: CqlSettings) -> Result<Arc<CqlDb>, StoreError> {
    CqlDb::open(settings, Arc::new(SystemClock::new())).await
}

async fn refusal(settings: CqlSettings) -> String {
    match open(settings).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn migrator(settings: &CqlSettings) -> Migrator {
    Migrator::connect(settings.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyspace_is_made_by_migrate_and_by_nothing_else() {
    let keyspace = Keyspace::unmade();
    let why = refusal(keyspace.settings.clone()).await;
    assert!(why.contains(&format!("no keyspace {}", keyspace.settings.keyspace)) && why.contains("inkdex migrate"), "{why}");
    let migrator = migrator(&keyspace.settings).await;
    let plan = migrator.plan().await.unwrap();
    assert!(plan[0].starts_with("CREATE KEYSPACE") && plan.len() > 10, "{plan:?}");
    assert_eq!(migrator.plan().await.unwrap(), plan, "a plan changes nothing");
    assert_eq!(migrator.run().await.unwrap()[0], "001_artists");
    assert_eq!(migrator.plan().await.unwrap(), [""; 0]);
    assert_eq!(migrator.run().await.unwrap(), [""; 0]);
    let db = open(keyspace.settings.clone()).await.unwrap();
    assert!(db.version().await.unwrap().starts_with("cassandra "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_migrate_at_once_run_each_migration_once() {
    let keyspace = Keyspace::unmade();
    let run = || {
        let settings = keyspace.settings.clone();
        tokio::spawn(async move { migrator(&settings).await.run().await.unwrap() })
    };
    let (one, other) = tokio::join!(run(), run());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_empty() ^ other.is_empty(), "{one:?} {other:?}");
    open(keyspace.settings.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_another_build_is_refused() {
    let keyspace = Keyspace::made().await;
    let name = keyspace.settings.keyspace.clone();
    keyspace.operate(&format!("UPDATE {name}.schema_migrations SET checksum = 'x' WHERE version = 1")).await;
    let why = refusal(keyspace.settings.clone()).await;
    assert!(why.contains("migrated with another 001_artists"), "{why}");
    keyspace.operate(&format!("INSERT INTO {name}.schema_migrations (version, name, checksum) VALUES (999, 'x', 'x')")).await;
    let why = refusal(keyspace.settings.clone()).await;
    assert!(why.contains("schema 999, newer than") && why.contains("run the newer build"), "{why}");
    assert!(matches!(migrator(&keyspace.settings).await.run().await, Err(StoreError::Refused(_))));
    keyspace.operate(&format!("DELETE FROM {name}.schema_migrations WHERE version = 999")).await;
    keyspace.operate(&format!("DELETE FROM {name}.schema_migrations WHERE version = 1")).await;
    let why = refusal(keyspace.settings.clone()).await;
    assert!(why.contains("run `inkdex migrate`"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = CqlSettings { nodes: vec![closed.clone()], connect_timeout: Duration::from_secs(2), ..CqlSettings::default() };
    match open(settings).await {
        Err(StoreError::Unavailable(why)) => assert!(why.contains(&closed) && why.contains("start it"), "{why}"),
        other => panic!("expected no answer, got {other:?}"),
    }
    let settings = CqlSettings { nodes: vec!["no-such-host.invalid:9042".into()], ..CqlSettings::default() };
    let why = refusal(settings).await;
    assert!(why.contains("no-such-host.invalid:9042") && why.contains("correct the names"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_be_used_are_refused() {
    let usable = CqlSettings { nodes: vec![cassandra()], ..CqlSettings::default() };
    let mut empty = tempfile::NamedTempFile::new().unwrap();
    writeln!(empty, "no certificate").unwrap();
    let cases = [
        (CqlSettings { nodes: Vec::new(), ..usable.clone() }, "name at least one as host:port"),
        (CqlSettings { keyspace: "Ink; DROP".into(), ..usable.clone() }, "cannot be a keyspace"),
        (CqlSettings { replication: "3".into(), ..usable.clone() }, "is no replication"),
        (CqlSettings { feed_shards: 0, ..usable.clone() }, "cannot have 0 shards"),
        (
            CqlSettings { datacenter: Some("nowhere".into()), ..usable.clone() },
            "no datacenter nowhere; set the store's datacenter to one of: ",
        ),
        (CqlSettings { ca_file: Some(empty.path().into()), ..usable.clone() }, "holds no certificate"),
        (CqlSettings { ca_file: Some("/no/such/file.pem".into()), ..usable }, "ca_file /no/such/file.pem cannot be used"),
    ];
    for (settings, expected) in cases {
        let why = refusal(settings).await;
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn settings_do_not_print_the_password() {
    let settings = CqlSettings { user: Some("ink".into()), password: Some("s3cret".into()), ..CqlSettings::default() };
    assert!(!format!("{settings:?}").contains("s3cret"));
}
