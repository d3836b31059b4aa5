//! From the feed to the index when a document is refused, and when a denied row still stands (rules 7 and 15).

use crate::support::http::TestWeb;
use crate::support::ledger::{row_of, searchable};
use crate::support::people;
use crate::support::world::{World, in_step, run};
use async_trait::async_trait;
use inkdex::alert::{Alert, AlertKind};
use inkdex::demo::DemoWeb;
use inkdex::domain::clock::Timestamp;
use inkdex::domain::ids::ArtistId;
use inkdex::feed::{Position, Shard};
use inkdex::jobs::sync_index::{PARKED_PREFIX, SyncSettings, Synced, sync};
use inkdex::jobs::write_artist::{WriteArtist, WriteError, Written};
use inkdex::jobs::{Desk, Ports, reconcile};
use inkdex::search::{Facets, IndexOperation, IndexedVersion, ItemAnswer, SearchError, SearchIndex, SearchPage, SearchQuery};
use inkdex::store::StoreError;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The real index behind a mapping that one artist's document does not fit.
#[derive(Debug)]
struct Refusing {
    index: Arc<dyn SearchIndex>,
    refused: Mutex<Option<ArtistId>>,
}

#[async_trait]
impl SearchIndex for Refusing {
    async fn apply(
        &self,
        operations: Vec<IndexOperation>,
        position: Option<(Shard, Position)>,
    ) -> Result<Vec<(ArtistId, ItemAnswer)>, SearchError> {
        let refused = self.refused.lock().unwrap().clone();
        let (bad, good): (Vec<_>, Vec<_>) = operations.into_iter().partition(|operation| Some(&operation.artist_id) == refused.as_ref());
        // As the port says: while an operation of a call failed, its position is not committed.
        let mut answers = self.index.apply(good, position.filter(|_| bad.is_empty())).await?;
        answers.extend(bad.into_iter().map(|operation| (operation.artist_id, ItemAnswer::Failed("no such field".to_owned()))));
        Ok(answers)
    }
    async fn position(&self, shard: Shard) -> Result<Option<Position>, SearchError> {
        self.index.position(shard).await
    }
    fn keeps_position(&self) -> bool {
        true
    }
    async fn generation(&self) -> Result<String, SearchError> {
        self.index.generation().await
    }
    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchError> {
        self.index.search(query).await
    }
    async fn facets(&self, query: &SearchQuery) -> Result<Facets, SearchError> {
        self.index.facets(query).await
    }
    async fn scan(&self, after: Option<&ArtistId>, limit: usize) -> Result<Vec<IndexedVersion>, SearchError> {
        self.index.scan(after, limit).await
    }
    async fn purge_tombstones(&self, before: Timestamp) -> Result<u64, SearchError> {
        self.index.purge_tombstones(before).await
    }
    async fn clear(&self) -> Result<(), SearchError> {
        self.index.clear().await
    }
}

/// Keeps the alerts that are handed to it.
#[derive(Debug, Default)]
struct Listening(Mutex<Vec<Alert>>);

#[async_trait]
impl Desk for Listening {
    async fn write(&self, _: WriteArtist) -> Result<Written, WriteError> {
        Err(WriteError::Store(StoreError::Unavailable("this test has no writer".to_owned())))
    }
    async fn alert(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}

/// Gives an artist another bio.
async fn change(ports: &Ports, name: &str) -> ArtistId {
    let mut record = row_of(ports.store.as_ref(), name).await.live().unwrap().clone();
    let bio = record.bio.as_mut().unwrap();
    bio.value.push_str(" Open on Sundays.");
    people::write(ports, name, record).await
}

/// Takes what the feed has, once. Answers what came of it, and whether the position went on.
async fn sync_once(ports: &Ports, desk: &Listening, parked_per_hour: usize) -> (Synced, bool) {
    let shard = ports.feed.shards().await.unwrap()[0];
    let before = ports.index.position(shard).await.unwrap();
    let batch = ports.feed.poll(shard, before.as_ref(), 500, Duration::ZERO).await.unwrap();
    let ids: BTreeSet<ArtistId> = batch.dirty.into_iter().map(|dirty| dirty.artist_id).collect();
    let settings = SyncSettings { item_attempts: 3, parked_per_hour };
    let synced = sync(ports, desk, &settings, &ids, Some((shard, batch.next.clone()))).await.unwrap();
    let after = ports.index.position(shard).await.unwrap();
    assert!(after == before || after == Some(batch.next));
    (synced, after != before)
}

/// 002-R29, 002-R30, 002-R31: a document's own failure is tried three times, then parked and alerted; the others of its batch
/// and what comes behind it are indexed; once it can be indexed it is parked no more.
#[test]
fn a_document_that_cannot_be_indexed_is_parked_and_stops_nobody() {
    let web = TestWeb::seeded();
    let refusing = Arc::new(Refusing { index: web.ports.index.clone(), refused: Mutex::new(None) });
    let ports = Ports { index: refusing.clone(), ..web.ports.clone() };
    let desk = Listening::default();
    web.run(async {
        let bad = change(&ports, "Jonas Wirth").await;
        let good = change(&ports, "Ana Lima").await;
        *refusing.refused.lock().unwrap() = Some(bad.clone());
        let (synced, went_on) = sync_once(&ports, &desk, 100).await;
        assert_eq!((synced.applied, synced.parked, synced.halted, went_on), (1, 1, false, true));
        let kinds: Vec<_> = desk.0.lock().unwrap().iter().map(|alert| (alert.kind, alert.subject.clone())).collect();
        assert_eq!(kinds, [(AlertKind::SyncParked, bad.to_string())]);
        assert_eq!(ports.store.metas(PARKED_PREFIX, 10).await.unwrap().len(), 1);
        let indexed = ports.index.scan(None, 100).await.unwrap();
        let version = |id: &ArtistId| indexed.iter().find(|entry| entry.artist_id == *id).unwrap().version;
        assert_eq!(version(&good), ports.store.artist(&good).await.unwrap().unwrap().version);
        assert!(version(&bad) < ports.store.artist(&bad).await.unwrap().unwrap().version);

        // What is committed behind it goes its way.
        change(&ports, "Marta Kowalczyk").await;
        let (synced, went_on) = sync_once(&ports, &desk, 100).await;
        assert_eq!((synced.applied, synced.parked, went_on), (1, 0, true));
        // Mended, it is indexed at its next change.
        *refusing.refused.lock().unwrap() = None;
        change(&ports, "Jonas Wirth").await;
        assert_eq!(sync_once(&ports, &desk, 100).await.0.applied, 1);
        assert!(ports.store.metas(PARKED_PREFIX, 10).await.unwrap().is_empty());
        assert_eq!(desk.0.lock().unwrap().len(), 1, "one alert for one record");
    });
}

/// Rule 7: a broken mapping is no bad record: too many parked within the hour halt the shard where it stands.
#[test]
fn too_many_parked_documents_halt_the_shard() {
    let web = TestWeb::seeded();
    let refusing = Arc::new(Refusing { index: web.ports.index.clone(), refused: Mutex::new(None) });
    let ports = Ports { index: refusing.clone(), ..web.ports.clone() };
    web.run(async {
        *refusing.refused.lock().unwrap() = Some(change(&ports, "Jonas Wirth").await);
        let (synced, went_on) = sync_once(&ports, &Listening::default(), 0).await;
        assert_eq!((synced.parked, synced.halted, went_on), (1, true, false));
    });
}

/// Rule 15: a row that is denied and not purged yet is not brought back by a rebuild or a repair of the index.
#[test]
fn a_rebuild_does_not_show_who_is_denied() {
    let web = TestWeb::seeded();
    let ports = &web.ports;
    web.run(async {
        let row = row_of(ports.store.as_ref(), "Ana Lima").await;
        ports.store.deny(&ports.deny.of_record(&row.id, row.live().unwrap()), ports.clock.now()).await.unwrap();
        let before = searchable(ports).await.len();
        reconcile::rebuild(ports).await.unwrap();
        let after = searchable(ports).await;
        assert!(!after.contains(&"Ana Lima".to_owned()), "{after:?}");
        assert_eq!(after.len(), before - 1);
    });
}

/// Rule 7: an index that was lost after the feed forgot the changes is built from the table, not from what the feed still holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_index_is_built_from_the_table() {
    let world = World::of(DemoWeb::generate_sized(3, 3, 2)).await;
    let app = world.start().await;
    run(&app).await;
    let before = searchable(&app.ports).await;
    assert!(!before.is_empty());
    let tomorrow = app.ports.clock.now().plus(Duration::from_secs(86_400));
    assert!(app.ports.feed.prune(tomorrow).await.unwrap() > 0, "the feed holds nothing any more");
    app.stop().await;
    std::fs::remove_dir_all(world.config.data.index()).unwrap();
    let app = world.start().await;
    in_step(&app).await;
    assert_eq!(searchable(&app.ports).await, before);
    app.stop().await;
}

/// Rule 7: a table restored from a backup is older than the index: its position lies ahead of the feed, and it is built again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_ahead_of_a_restored_table_is_built_again() {
    let world = World::of(DemoWeb::generate_sized(3, 3, 2)).await;
    let app = world.start().await;
    run(&app).await;
    let before = searchable(&app.ports).await;
    app.stop().await;
    let (database, backup) = (world.config.data.database(), world.config.data.folder.join("backup.db"));
    let vacuum = |source: &std::path::Path| {
        rusqlite::Connection::open(source).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap()
    };
    vacuum(&database);
    world.server.replace(Arc::new(DemoWeb::generate_sized(4, 3, 2)));
    let app = world.start().await;
    run(&app).await;
    let later = searchable(&app.ports).await;
    assert_ne!(later, before, "the second day differs");
    app.stop().await;
    std::fs::copy(&backup, &database).unwrap();
    for side in ["-wal", "-shm"] {
        // What the later database left beside its file is not the backup's.
        drop(std::fs::remove_file(database.with_file_name(format!("inkdex.db{side}"))));
    }
    let app = world.start().await;
    in_step(&app).await;
    assert_eq!(searchable(&app.ports).await, before);
    assert!(reconcile::compare(&app.ports).await.unwrap().is_none());
    app.stop().await;
}
