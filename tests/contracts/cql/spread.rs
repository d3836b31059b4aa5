//! A style whose partition has grown too large is spread over several, and nobody is lost meanwhile.

use super::super::fixtures::{record, write_record, writer};
use super::super::keys::scanned;
use super::Cql;
use crate::contracts::harness::Harness;
use inkdex::store::StyleQuery;

const ARTISTS: usize = 24;
const STYLE: &str = "STYLE#fine-line";

async fn found(h: &Cql) -> Vec<String> {
    let query = StyleQuery { gsi1pk: STYLE.to_owned(), gsi1sk_prefix: "LOCATION#".to_owned(), limit: 100, after: None };
    let entries = h.store().by_style(&query).await.unwrap().entries;
    entries.into_iter().map(|entry| entry.row.id.to_string()).collect()
}

/// Writes everybody's next version, so that their keys are written anew.
async fn write_all(h: &Cql, edition: usize) {
    for number in 0..ARTISTS {
        let artist = record(&format!("Ana {edition}"), &["fine-line"], "PT", "Porto", &format!("ana{number}"));
        write_record(h, &format!("artist-{number:02}"), artist, &writer(&format!("j{edition}"), 1 + i64::try_from(edition).unwrap()))
            .await
            .row();
    }
}

/// 002-C8: an artist is found in every page before, while and after a style is spread, and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_style_is_spread_and_nobody_is_lost() {
    let h = Cql::start().await;
    write_all(&h, 0).await;
    let everybody: Vec<String> = (0..ARTISTS).map(|number| format!("artist-{number:02}")).collect();
    assert_eq!(found(&h).await, everybody);
    assert_eq!(h.store().spread_style(STYLE, 10_000).await.unwrap(), None, "it fits one partition");
    assert_eq!(h.store().spread_style(STYLE, 24_000).await.unwrap(), Some(5));
    assert_eq!(found(&h).await, everybody, "nobody has moved yet");
    write_all(&h, 1).await;
    assert_eq!(found(&h).await, everybody);
    assert_eq!(scanned(&h, 7).await.iter().filter(|(_, key)| format!("{key:?}").contains(STYLE)).count(), ARTISTS, "each once");
    assert_eq!(h.store().spread_style(STYLE, 30_000).await.unwrap(), None, "five partitions hold that");
    // A process that looked before the style was spread raises it by what it knows, and lowers nothing.
    let name = &h.keyspace.settings.keyspace;
    h.keyspace.operate(&format!("INSERT INTO {name}.style_buckets (gsi1pk, buckets) VALUES ('{STYLE}', 3) USING TIMESTAMP 3")).await;
    h.restart().await;
    assert_eq!(found(&h).await, everybody);
}
