//! Who was seen where, and the absences that sessions propose.

use super::SqliteStore;
use super::seal::{column, execute, one};
use crate::domain::clock::Timestamp;
use crate::domain::facts::Source;
use crate::domain::ids::{ArtistId, SessionId};
use crate::domain::lifecycle::{Absence, Sighting};
use crate::store::{SightingStore, StoreError, StoreResult};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn written(value: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Bug(format!("a sighting cannot be written as JSON: {error}")))
}

fn read<T: DeserializeOwned>(table: &str, artist_id: &str, text: &str) -> StoreResult<T> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { what: format!("{table}/{artist_id}"), why: error.to_string() };
    serde_json::from_str(text).map_err(corrupt)
}

fn sightings(connection: &Connection, artist_id: &ArtistId) -> StoreResult<Vec<Sighting>> {
    let sql = "SELECT source, misses, gone, own_page FROM sightings WHERE artist_id = ?1 ORDER BY source_key";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([artist_id.as_str()])?;
    let mut sightings = Vec::new();
    while let Some(row) = rows.next()? {
        let source = read("sightings", artist_id.as_str(), &row.get::<_, String>(0)?)?;
        let sighting = Sighting { artist_id: artist_id.clone(), source, misses: row.get(1)?, gone: row.get(2)?, own_page: row.get(3)? };
        sightings.push(sighting);
    }
    Ok(sightings)
}

fn proposals(connection: &Connection, session: &SessionId) -> StoreResult<Vec<(ArtistId, Source, Absence)>> {
    let sql = "SELECT artist_id, source, absence FROM absence_proposals WHERE session_id = ?1 ORDER BY artist_id, source_key, absence";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([session.as_str()])?;
    let mut proposals = Vec::new();
    while let Some(row) = rows.next()? {
        let artist_id: String = row.get(0)?;
        let source = read("absence_proposals", &artist_id, &row.get::<_, String>(1)?)?;
        let absence = read("absence_proposals", &artist_id, &row.get::<_, String>(2)?)?;
        proposals.push((ArtistId::new(artist_id), source, absence));
    }
    Ok(proposals)
}

fn count_absence(connection: &Connection, night: Timestamp, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()> {
    let counting = match absence {
        Absence::NotListed => "UPDATE sightings SET misses = misses + 1 WHERE artist_id = ?1 AND source_key = ?2",
        Absence::PageGone => "UPDATE sightings SET gone = gone + 1 WHERE artist_id = ?1 AND source_key = ?2",
        Absence::FieldMissed(_) => return Ok(()),
    };
    let source_key = source.key();
    let known = "SELECT 1 FROM sightings WHERE artist_id = ?1 AND source_key = ?2";
    // Nobody is missed where they were never seen; and what a removal forgot stays forgotten.
    if one::<i64>(connection, known, params![artist_id.as_str(), source_key])?.is_none() {
        return Ok(());
    }
    let sql = "INSERT INTO absences_counted (artist_id, source_key, absence, night) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    if execute(connection, sql, params![artist_id.as_str(), source_key, written(&absence)?, night.0])? == 0 {
        return Ok(());
    }
    execute(connection, counting, params![artist_id.as_str(), source_key])?;
    Ok(())
}

#[async_trait]
impl SightingStore for SqliteStore {
    async fn seen(&self, artist_id: &ArtistId, source: &Source, own_page: bool, page_alive: bool) -> StoreResult<()> {
        let (artist_id, source) = (artist_id.clone(), source.clone());
        let write = move |txn: &super::core::Txn<'_>| {
            let sql = "INSERT INTO sightings (artist_id, source_key, source, misses, gone, own_page) VALUES (?1, ?2, ?3, 0, 0, ?4)
                       ON CONFLICT (artist_id, source_key) DO UPDATE
                       SET misses = 0, own_page = excluded.own_page, gone = CASE WHEN ?5 THEN 0 ELSE gone END";
            let values = params![artist_id.as_str(), source.key(), written(&source)?, own_page, page_alive];
            execute(txn.connection, sql, values)?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn sightings_of(&self, artist_id: &ArtistId) -> StoreResult<Vec<Sighting>> {
        let artist_id = artist_id.clone();
        self.db.read(move |connection| sightings(connection, &artist_id)).await
    }

    async fn seen_at(&self, source: &Source) -> StoreResult<Vec<ArtistId>> {
        let source_key = source.key();
        let read = move |connection: &Connection| {
            let sql = "SELECT artist_id FROM sightings WHERE source_key = ?1 ORDER BY artist_id";
            Ok(column::<String>(connection, sql, [source_key])?.into_iter().map(ArtistId::new).collect())
        };
        self.db.read(read).await
    }

    async fn propose_absence(&self, session: &SessionId, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()> {
        let (session, artist_id, source) = (session.clone(), artist_id.clone(), source.clone());
        let write = move |txn: &super::core::Txn<'_>| {
            let sql = "INSERT INTO absence_proposals (session_id, artist_id, source_key, absence, source) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT DO NOTHING";
            let values = params![session.as_str(), artist_id.as_str(), source.key(), written(&absence)?, written(&source)?];
            execute(txn.connection, sql, values)?;
            Ok(())
        };
        self.db.write(write).await
    }

    async fn proposals(&self, session: &SessionId) -> StoreResult<Vec<(ArtistId, Source, Absence)>> {
        let session = session.clone();
        self.db.read(move |connection| proposals(connection, &session)).await
    }

    async fn count_absence(&self, night: Timestamp, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()> {
        let (artist_id, source) = (artist_id.clone(), source.clone());
        self.db.write(move |txn| count_absence(txn.connection, night, &artist_id, &source, absence)).await
    }

    async fn forget_sightings(&self, artist_id: &ArtistId) -> StoreResult<()> {
        let artist_id = artist_id.clone();
        let write = move |txn: &super::core::Txn<'_>| {
            for table in ["sightings", "absence_proposals", "absences_counted"] {
                execute(txn.connection, &format!("DELETE FROM {table} WHERE artist_id = ?1"), [artist_id.as_str()])?;
            }
            Ok(())
        };
        self.db.write(write).await
    }
}
