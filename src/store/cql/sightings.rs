//! Who was seen where, and the absences that sessions propose.

use super::CqlStore;
use super::ledger_rows::TRIES;
use super::many::each;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::domain::facts::Source;
use crate::domain::ids::{ArtistId, SessionId};
use crate::domain::lifecycle::{Absence, Sighting};
use crate::store::seal::{seal, unseal};
use crate::store::{SightingStore, StoreError, StoreResult};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const OF_ARTIST: Cql = Cql::read("SELECT source_key, rev, writer, body, sum FROM sightings WHERE artist_id = ?");
const ROW: Cql = Cql::serial("SELECT source_key, rev, writer, body, sum FROM sightings WHERE artist_id = ? AND source_key = ?");
const ROW_BY_QUORUM: Cql =
    Cql::read("SELECT source_key, rev, writer, body, sum FROM sightings WHERE artist_id = ? AND source_key = ? LIMIT 1");
const MAKE: Cql = Cql::lwt("INSERT INTO sightings (artist_id, source_key, rev, writer, body, sum) VALUES (?, ?, 1, ?, ?, ?) IF NOT EXISTS");
const SWAP: Cql = Cql::lwt("UPDATE sightings SET rev = ?, writer = ?, body = ?, sum = ? WHERE artist_id = ? AND source_key = ? IF rev = ?");
const FORGET: Cql = Cql::lwt("DELETE FROM sightings WHERE artist_id = ? AND source_key = ? IF EXISTS");
const SEEN_AT: Cql = Cql::write("INSERT INTO sightings_at (source_key, artist_id) VALUES (?, ?) USING TIMESTAMP ?");
const AT_SOURCE: Cql = Cql::read("SELECT artist_id FROM sightings_at WHERE source_key = ?");
const UNSEEN_AT: Cql = Cql::write("DELETE FROM sightings_at USING TIMESTAMP ? WHERE source_key = ? AND artist_id = ?");
const PROPOSE: Cql = Cql::write(
    "INSERT INTO absence_proposals (session_id, artist_id, source_key, absence, source) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
);
const PROPOSALS: Cql = Cql::read("SELECT artist_id, absence, source FROM absence_proposals WHERE session_id = ?");
const WITHDRAW: Cql = Cql::write("DELETE FROM absence_proposals USING TIMESTAMP ? WHERE session_id = ? AND artist_id = ?");
const PROPOSED: Cql = Cql::write("INSERT INTO proposals_of_artist (artist_id, session_id) VALUES (?, ?) USING TIMESTAMP ?");
const OF_SESSIONS: Cql = Cql::read("SELECT session_id FROM proposals_of_artist WHERE artist_id = ?");
const UNPROPOSED: Cql = Cql::write("DELETE FROM proposals_of_artist USING TIMESTAMP ? WHERE artist_id = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[
    OF_ARTIST,
    ROW,
    ROW_BY_QUORUM,
    MAKE,
    SWAP,
    FORGET,
    SEEN_AT,
    AT_SOURCE,
    UNSEEN_AT,
    PROPOSE,
    PROPOSALS,
    WITHDRAW,
    PROPOSED,
    OF_SESSIONS,
    UNPROPOSED,
];

/// Counted absences that a row remembers: some two weeks of nights.
const REMEMBERED: usize = 32;

/// Rows read at a time.
const AT_ONCE: usize = 32;

/// A sighting with the absences counted last, so that each counts once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    sighting: Sighting,
    counted: Vec<(Absence, Timestamp)>,
}

impl Stored {
    /// Whether an absence of a night was counted; one older than whatever is remembered was.
    fn has_counted(&self, absence: Absence, night: Timestamp) -> bool {
        let forgotten = self.counted.len() >= REMEMBERED && self.counted.iter().all(|(_, counted)| *counted > night);
        forgotten || self.counted.contains(&(absence, night))
    }

    fn count(&mut self, absence: Absence, night: Timestamp) {
        match absence {
            Absence::NotListed => self.sighting.misses = self.sighting.misses.saturating_add(1),
            Absence::PageGone => self.sighting.gone = self.sighting.gone.saturating_add(1),
            Absence::FieldMissed(_) => return,
        }
        self.counted.push((absence, night));
        self.counted.sort_by_key(|(_, night)| *night);
        let surplus = self.counted.len().saturating_sub(REMEMBERED);
        self.counted.drain(..surplus);
    }
}

type Columns = (String, i64, Option<Uuid>, String, i64);

struct SightingRow {
    rev: i64,
    writer: Option<Uuid>,
    stored: Stored,
}

/// The key under which a sighting is sealed.
fn seal_key(artist_id: &ArtistId, source_key: &str) -> String {
    format!("{artist_id}|{source_key}")
}

fn read_row(artist_id: &ArtistId, columns: Columns) -> StoreResult<SightingRow> {
    let (source_key, rev, writer, body, sum) = columns;
    Ok(SightingRow { rev, writer, stored: unseal("sightings", &seal_key(artist_id, &source_key), &body, sum)? })
}

fn written(value: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Bug(format!("a proposal cannot be written as JSON: {error}")))
}

impl CqlStore {
    async fn sighting(&self, cql: &Cql, artist_id: &ArtistId, source_key: &str) -> StoreResult<Option<SightingRow>> {
        let columns: Option<Columns> = self.db.one(cql, (artist_id.as_str(), source_key)).await?;
        columns.map(|columns| read_row(artist_id, columns)).transpose()
    }

    /// Changes a sighting until nobody came in between. `change` answers the row to be, or `None` if it may stay as it is.
    async fn change_sighting(
        &self,
        artist_id: &ArtistId,
        source_key: &str,
        change: impl Fn(Option<&Stored>) -> Option<Stored> + Send + Sync,
    ) -> StoreResult<()> {
        // Mostly nothing is to be changed, which a quorum knows as well: it has every change that was answered.
        for cql in [&ROW_BY_QUORUM].into_iter().chain([&ROW; TRIES]) {
            let met = self.sighting(cql, artist_id, source_key).await?;
            let Some(next) = change(met.as_ref().map(|row| &row.stored)) else { return Ok(()) };
            let sealed = seal("sightings", &seal_key(artist_id, source_key), &next)?;
            let writer = Uuid::new_v4();
            let answer = match &met {
                None => self.db.lwt(&MAKE, (artist_id.as_str(), source_key, writer, &sealed.body, sealed.sum)).await?,
                Some(row) => {
                    let values = (row.rev + 1, writer, &sealed.body, sealed.sum, artist_id.as_str(), source_key, row.rev);
                    self.db.lwt(&SWAP, values).await?
                }
            };
            let applied = match answer {
                Lwt::Applied => true,
                Lwt::Met(_) => false,
                Lwt::Unknown(_) => self.sighting(&ROW, artist_id, source_key).await?.is_some_and(|row| row.writer == Some(writer)),
            };
            if applied {
                return self.db.step("answer").await;
            }
        }
        Err(StoreError::Unavailable(format!("the sighting of {artist_id} at {source_key} is contended")))
    }
}

#[async_trait]
impl SightingStore for CqlStore {
    async fn seen(&self, artist_id: &ArtistId, source: &Source, own_page: bool, page_alive: bool) -> StoreResult<()> {
        let source_key = source.key();
        self.db.write(&SEEN_AT, (&source_key, artist_id.as_str(), self.db.now().0)).await?;
        self.db.step("put the sighting").await?;
        let seen = |met: Option<&Stored>| {
            let fresh = || Stored {
                sighting: Sighting { artist_id: artist_id.clone(), source: source.clone(), misses: 0, gone: 0, own_page },
                counted: Vec::new(),
            };
            let mut next = met.cloned().unwrap_or_else(fresh);
            next.sighting.misses = 0;
            next.sighting.own_page = own_page;
            if page_alive {
                next.sighting.gone = 0;
            }
            (met != Some(&next)).then_some(next)
        };
        self.change_sighting(artist_id, &source_key, seen).await
    }

    async fn sightings_of(&self, artist_id: &ArtistId) -> StoreResult<Vec<Sighting>> {
        let rows: Vec<Columns> = self.db.rows(&OF_ARTIST, (artist_id.as_str(),)).await?;
        rows.into_iter().map(|columns| Ok(read_row(artist_id, columns)?.stored.sighting)).collect()
    }

    async fn seen_at(&self, source: &Source) -> StoreResult<Vec<ArtistId>> {
        let source_key = source.key();
        let rows: Vec<(String,)> = self.db.rows(&AT_SOURCE, (&source_key,)).await?;
        let source_key = &source_key;
        let read = each(rows, AT_ONCE, |(artist_id,)| async move {
            let artist_id = ArtistId::new(artist_id);
            Ok(self.sighting(&ROW, &artist_id, source_key).await?.map(|_| artist_id))
        });
        Ok(read.await?.into_iter().flatten().collect())
    }

    async fn propose_absence(&self, session: &SessionId, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()> {
        let at = self.db.now().0;
        self.db.write(&PROPOSED, (artist_id.as_str(), session.as_str(), at)).await?;
        self.db.step("put the proposal").await?;
        let values = (session.as_str(), artist_id.as_str(), source.key(), written(&absence)?, written(source)?, at);
        self.db.write(&PROPOSE, values).await?;
        self.db.step("answer").await
    }

    async fn proposals(&self, session: &SessionId) -> StoreResult<Vec<(ArtistId, Source, Absence)>> {
        let rows: Vec<(String, String, String)> = self.db.rows(&PROPOSALS, (session.as_str(),)).await?;
        let read = |(artist_id, absence, source): (String, String, String)| {
            let corrupt = |error: serde_json::Error| StoreError::Corrupt {
                what: format!("absence_proposals/{session}/{artist_id}"),
                why: error.to_string(),
            };
            let source = serde_json::from_str(&source).map_err(corrupt)?;
            let absence = serde_json::from_str(&absence).map_err(corrupt)?;
            Ok((ArtistId::new(artist_id.as_str()), source, absence))
        };
        rows.into_iter().map(read).collect()
    }

    async fn count_absence(&self, night: Timestamp, artist_id: &ArtistId, source: &Source, absence: Absence) -> StoreResult<()> {
        let counted = |met: Option<&Stored>| {
            // Nobody is missed where they were never seen; and what a removal forgot stays forgotten.
            let met = met.filter(|met| !met.has_counted(absence, night))?;
            let mut next = met.clone();
            next.count(absence, night);
            (next != *met).then_some(next)
        };
        self.change_sighting(artist_id, &source.key(), counted).await
    }

    async fn forget_sightings(&self, artist_id: &ArtistId) -> StoreResult<()> {
        let id = artist_id.as_str();
        // What is written from now on is newer, also within this microsecond.
        let at = self.db.now().0;
        let sources: Vec<Columns> = self.db.rows(&OF_ARTIST, (id,)).await?;
        for (source_key, ..) in &sources {
            self.db.step("forget where").await?;
            self.db.write(&UNSEEN_AT, (at, source_key.as_str(), id)).await?;
            if let Lwt::Unknown(why) = self.db.lwt(&FORGET, (id, source_key.as_str())).await? {
                return Err(StoreError::Unavailable(why));
            }
        }
        let sessions: Vec<(String,)> = self.db.rows(&OF_SESSIONS, (id,)).await?;
        for (session,) in &sessions {
            self.db.step("forget what was proposed").await?;
            self.db.write(&WITHDRAW, (at, session.as_str(), id)).await?;
        }
        self.db.step("forget that anything was proposed").await?;
        self.db.write(&UNPROPOSED, (at, id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::StudioId;

    #[test]
    fn an_absence_counts_once_however_many_came_since() {
        let source = Source::Studio(StudioId::new("s"));
        let sighting = Sighting { artist_id: ArtistId::new("a"), source, misses: 0, gone: 0, own_page: true };
        let mut stored = Stored { sighting, counted: Vec::new() };
        for night in 1..=100 {
            assert!(!stored.has_counted(Absence::NotListed, Timestamp(night)), "night {night}");
            stored.count(Absence::NotListed, Timestamp(night));
            assert!((1..=night).all(|night| stored.has_counted(Absence::NotListed, Timestamp(night))), "night {night}");
        }
        assert_eq!((stored.sighting.misses, stored.counted.len()), (100, REMEMBERED));
    }
}
