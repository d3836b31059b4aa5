//! Rows of the key tables that nobody holds, as no command of ours makes them: reconcile finds them and drops them.

use super::super::fixtures::{record, write_record, writer};
use super::super::keys::scanned;
use super::Cql;
use crate::contracts::harness::Harness;
use inkdex::domain::ids::ArtistId;
use inkdex::domain::keys::{ArtistKeys, TableKey};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ghosts_are_seen_and_dropped() {
    let h = Cql::start().await;
    let row = write_record(&h, "artist-1", record("Ana", &["fine-line"], "PT", "Porto", "ana"), &writer("j", 1)).await.row();
    let name = &h.keyspace.settings.keyspace;
    for (table, values) in [
        ("style_keys (gsi1pk, bucket, gsi1sk, artist_id)", "('STYLE#dotwork', 0, 'LOCATION#PT#PORTO#artist-1', 'artist-1')"),
        ("instagram_keys (gsi2pk, artist_id, version)", "('INSTAGRAM#other', 'artist-1', 1)"),
        ("instagram_keys (gsi2pk, artist_id, version)", "('INSTAGRAM#another', 'artist-1', 1)"),
        ("instagram_keys (gsi2pk, artist_id, version)", "('INSTAGRAM#nobody', 'artist-9', 1)"),
    ] {
        h.keyspace.operate(&format!("INSERT INTO {name}.{table} VALUES {values} USING TIMESTAMP 1")).await;
    }
    let met = scanned(&h, 2).await;
    assert_eq!(met.len(), 6, "{met:?}");
    for id in ["artist-1", "artist-9"].map(ArtistId::new) {
        let of_them: Vec<TableKey> = met.iter().filter(|(whose, _)| *whose == id).map(|(_, key)| key.clone()).collect();
        h.store().mend_keys(&id, &of_them).await.unwrap();
    }
    let held = ArtistKeys::of(&row.id, row.live().unwrap()).rows();
    let expected: Vec<_> = held.into_iter().map(|key| (row.id.clone(), key)).collect();
    assert_eq!(scanned(&h, 2).await, expected);
}
