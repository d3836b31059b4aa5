//! Tests of the key tables behind the port: no stale row stays, no planted row is served, lost rows come back.

use super::seal::{checksum, column, execute, one};
use super::{OpenMode, SqliteDb, SqliteStore};
use crate::domain::artist::Artist;
use crate::domain::clock::{ManualClock, Timestamp};
use crate::domain::facts::{Evidence, Fact};
use crate::domain::ids::{ArtistId, JobId};
use crate::domain::place::Basis;
use crate::domain::write::{Intent, WriteDecision, Writer, decide_write};
use crate::store::{ArtistStore, PutAnswer, StyleQuery};
use std::sync::Arc;
use url::Url;

fn fact<T>(value: T) -> Fact<T> {
    let page = Url::parse("https://studio.example/").unwrap();
    let evidence = Evidence { page, extractor: "test".into(), confidence: 1.0, observed_at: Timestamp(1), basis: Basis::Printed };
    Fact { value, evidence }
}

fn artist(styles: &[&str], handle: &str) -> Artist {
    Artist {
        name: fact("Ana".to_owned()),
        studio: None,
        studio_ids: Vec::new(),
        country: Some(fact("PT".to_owned())),
        region: None,
        city: Some(fact("Porto".to_owned())),
        coordinates: None,
        instagram: Some(fact(handle.to_owned())),
        socials: Vec::new(),
        emails: Vec::new(),
        phones: Vec::new(),
        styles: styles.iter().map(|style| fact((*style).to_owned())).collect(),
        images: Vec::new(),
        bio: None,
        pages: vec![Url::parse("https://studio.example/").unwrap()],
        own_site: None,
        confirmed: std::collections::BTreeMap::new(),
    }
}

fn store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    let db = SqliteDb::open(&folder.path().join("inkdex.db"), OpenMode::Owner, clock).unwrap();
    (folder, SqliteStore::new(db))
}

async fn put(store: &SqliteStore, record: Artist, fence: i64) {
    let id = ArtistId::new("artist-1");
    let current = store.artist(&id).await.unwrap();
    let writer = Writer { job_id: JobId::new(format!("j{fence}")), generation: 1, fence: Timestamp(fence) };
    let decision = decide_write(&id, current.as_ref(), &Intent::Record(Box::new(record)), &writer, Timestamp(fence));
    let WriteDecision::Put(put) = decision else { panic!("expected to put, got {decision:?}") };
    assert_eq!(store.put_artist(&put).await.unwrap(), PutAnswer::Committed);
}

/// Every key row there is.
async fn keys(store: &SqliteStore) -> Vec<String> {
    let sql = "SELECT gsi1pk || ' ' || gsi1sk || ' ' || artist_id FROM style_keys
               UNION SELECT gsi2pk || ' ' || artist_id FROM instagram_keys ORDER BY 1";
    store.db.read(|connection| column(connection, sql, [])).await.unwrap()
}

async fn run(store: &SqliteStore, sql: &'static str) {
    store.db.write(move |txn| execute(txn.connection, sql, [])).await.unwrap();
}

/// 002-X1: no row of a key that is no longer held stays in the tables.
#[tokio::test]
async fn no_stale_key_row_stays() {
    let (_folder, store) = store();
    put(&store, artist(&["blackwork", "fine-line"], "ana"), 1).await;
    put(&store, artist(&["fine-line"], "ana.ink"), 2).await;
    assert_eq!(keys(&store).await, ["INSTAGRAM#ana.ink artist-1", "STYLE#fine-line LOCATION#PT#PORTO#artist-1 artist-1"]);
}

/// 002-R14, 002-R16: a key row that its artist does not hold is never served.
#[tokio::test]
async fn a_ghost_is_never_served() {
    let (_folder, store) = store();
    put(&store, artist(&["fine-line"], "ana"), 1).await;
    run(&store, "INSERT INTO style_keys VALUES ('STYLE#dotwork', 'LOCATION#PT#PORTO#artist-1', 'artist-1', 1)").await;
    run(&store, "INSERT INTO style_keys VALUES ('STYLE#dotwork', 'LOCATION#PT#PORTO#artist-9', 'artist-9', 1)").await;
    run(&store, "INSERT INTO instagram_keys VALUES ('INSTAGRAM#other', 'artist-1', 1)").await;
    let query = StyleQuery { gsi1pk: "STYLE#dotwork".into(), gsi1sk_prefix: "LOCATION#".into(), limit: 10, after: None };
    assert_eq!(store.by_style(&query).await.unwrap().entries, []);
    assert_eq!(store.by_instagram("INSTAGRAM#other").await.unwrap(), None);
}

/// Rule 5: keys are projections of a version, replayable at any time.
#[tokio::test]
async fn lost_key_rows_come_back() {
    let (_folder, store) = store();
    put(&store, artist(&["fine-line"], "ana"), 1).await;
    let before = keys(&store).await;
    run(&store, "DELETE FROM style_keys").await;
    run(&store, "UPDATE instagram_keys SET gsi2pk = 'INSTAGRAM#other'").await;
    store.repeat_projections(&ArtistId::new("artist-1")).await.unwrap();
    assert_eq!(keys(&store).await, before);
}

/// Rule 5: a row whose record does not pass its own content hash, or whose bytes cannot be read, is not sound and is served
/// to nobody; it stops no scan, and the next write mends it.
#[tokio::test]
async fn a_damaged_row_is_hidden_and_mended() {
    let (_folder, store) = store();
    put(&store, artist(&["fine-line"], "ana"), 1).await;
    let tamper = |txn: &super::Txn<'_>| {
        let body: Option<String> = one(txn.connection, "SELECT replace(body, '\"Ana\"', '\"Bob\"') FROM artists", [])?;
        let body = body.unwrap_or_default();
        let sum = checksum("artists", "artist-1", &body);
        execute(txn.connection, "UPDATE artists SET body = ?1, sum = ?2", rusqlite::params![body, sum])
    };
    assert_eq!(store.db.write(tamper).await.unwrap(), 1);
    let id = ArtistId::new("artist-1");
    let hidden = async |what: &str| {
        let row = store.artist(&id).await.unwrap().unwrap();
        assert!(!row.is_sound() && row.live().is_none(), "{what}");
        assert_eq!(store.scan_artists(None, 10).await.unwrap(), std::slice::from_ref(&row), "{what}");
        assert_eq!(store.by_instagram("INSTAGRAM#ana").await.unwrap(), None, "{what}");
        row
    };
    let tampered = hidden("another record").await;
    run(&store, "UPDATE artists SET body = '{\"id\": '").await;
    let unreadable = hidden("no record").await;
    assert_eq!((unreadable.version, unreadable.fence, unreadable.record), (tampered.version, tampered.fence, None));
    put(&store, artist(&["fine-line"], "ana"), 2).await;
    let mended = store.artist(&id).await.unwrap().unwrap();
    assert!(mended.is_sound() && mended.live().is_some() && mended.version > tampered.version);
    assert_eq!(store.by_instagram("INSTAGRAM#ana").await.unwrap(), Some(mended));
}
