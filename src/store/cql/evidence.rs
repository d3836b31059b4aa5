//! Evidence: the newest reading of each source, by a lightweight transaction on its fence.
//!
//! Timestamps would not do: two readings of one attempt have one fence, and of two writes with one timestamp a database keeps
//! each cell of whichever is greater.

use super::CqlStore;
use super::statement::{Cql, Lwt};
use crate::domain::facts::EvidenceRow;
use crate::domain::ids::ArtistId;
use crate::store::seal::{seal, unseal};
use crate::store::{EvidenceStore, StoreError, StoreResult};
use async_trait::async_trait;

const INSERT: Cql = Cql::lwt("INSERT INTO evidence (artist_id, source_key, fence, body, sum) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
const REPLACE: Cql = Cql::lwt("UPDATE evidence SET fence = ?, body = ?, sum = ? WHERE artist_id = ? AND source_key = ? IF fence <= ?");
const STANDS: Cql = Cql::serial("SELECT fence, sum FROM evidence WHERE artist_id = ? AND source_key = ?");
const ROWS: Cql = Cql::read("SELECT source_key, body, sum FROM evidence WHERE artist_id = ?");
const SOURCES: Cql = Cql::serial("SELECT source_key FROM evidence WHERE artist_id = ?");
const DROP: Cql = Cql::lwt("DELETE FROM evidence WHERE artist_id = ? AND source_key = ? IF EXISTS");

pub(super) const STATEMENTS: &[Cql] = &[INSERT, REPLACE, STANDS, ROWS, SOURCES, DROP];

/// How often a row may appear and vanish between two looks before one gives up.
const TRIES: usize = 8;

/// The key under which evidence is sealed.
fn sealed_key(artist_id: &ArtistId, source_key: &str) -> String {
    format!("{artist_id}|{source_key}")
}

impl CqlStore {
    /// What an unknown outcome came to: ours stands, a newer one does, or it may be repeated.
    async fn settle(&self, row: &EvidenceRow, source_key: &str, sum: i64, why: String) -> StoreResult<bool> {
        match self.db.one::<(i64, i64)>(&STANDS, (row.artist_id.as_str(), source_key)).await? {
            Some((fence, stored)) if fence == row.fence.0 && stored == sum => Ok(true),
            Some((fence, _)) if fence > row.fence.0 => Ok(false),
            _ => Err(StoreError::Unavailable(format!("evidence was not put: {why}"))),
        }
    }
}

#[async_trait]
impl EvidenceStore for CqlStore {
    async fn put_evidence(&self, row: &EvidenceRow) -> StoreResult<bool> {
        let source_key = row.source.key();
        let sealed = seal("evidence", &sealed_key(&row.artist_id, &source_key), row)?;
        let (id, fence) = (row.artist_id.as_str(), row.fence.0);
        self.db.step("put_evidence begins").await?;
        for _ in 0..TRIES {
            match self.db.lwt(&REPLACE, (fence, &sealed.body, sealed.sum, id, &source_key, fence)).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(met) if met.bigint("fence").is_some() => return Ok(false),
                Lwt::Met(_) => {}
                Lwt::Unknown(why) => return self.settle(row, &source_key, sealed.sum, why).await,
            }
            match self.db.lwt(&INSERT, (id, &source_key, fence, &sealed.body, sealed.sum)).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(_) => {}
                Lwt::Unknown(why) => return self.settle(row, &source_key, sealed.sum, why).await,
            }
        }
        Err(StoreError::Unavailable(format!("evidence of {id} is changed by others all the time")))
    }

    async fn evidence_of(&self, id: &ArtistId) -> StoreResult<Vec<EvidenceRow>> {
        let rows = self.db.rows::<(String, String, i64)>(&ROWS, (id.as_str(),)).await?;
        rows.iter().map(|(source_key, body, sum)| unseal("evidence", &sealed_key(id, source_key), body, *sum)).collect()
    }

    async fn drop_evidence(&self, id: &ArtistId, source_key: Option<&str>) -> StoreResult<()> {
        let sources = match source_key {
            Some(source_key) => vec![source_key.to_owned()],
            None => self.db.rows::<(String,)>(&SOURCES, (id.as_str(),)).await?.into_iter().map(|(source_key,)| source_key).collect(),
        };
        for source_key in sources {
            self.db.step("drop_evidence: before a source").await?;
            if let Lwt::Unknown(why) = self.db.lwt(&DROP, (id.as_str(), source_key)).await? {
                return Err(StoreError::Unavailable(why));
            }
        }
        Ok(())
    }
}
