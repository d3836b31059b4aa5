//! All rows of the key tables, page by page, partition after partition in the order of their tokens: for reconcile.

use super::CqlStore;
use super::statement::Cql;
use crate::domain::ids::ArtistId;
use crate::domain::keys::{StyleKey, TableKey};
use crate::store::{KeyPage, StoreError, StoreResult};
use serde::{Deserialize, Serialize};

const STYLES: Cql = Cql::read("SELECT gsi1pk, bucket, gsi1sk, artist_id FROM style_keys LIMIT ?");
const STYLES_IN: Cql =
    Cql::read("SELECT gsi1pk, bucket, gsi1sk, artist_id FROM style_keys WHERE gsi1pk = ? AND bucket = ? AND gsi1sk > ? LIMIT ?");
const STYLES_AFTER: Cql =
    Cql::read("SELECT gsi1pk, bucket, gsi1sk, artist_id FROM style_keys WHERE token(gsi1pk, bucket) > token(?, ?) LIMIT ?");
const HANDLES: Cql = Cql::read("SELECT gsi2pk, artist_id FROM instagram_keys LIMIT ?");
const HANDLES_IN: Cql = Cql::read("SELECT gsi2pk, artist_id FROM instagram_keys WHERE gsi2pk = ? AND artist_id > ? LIMIT ?");
const HANDLES_AFTER: Cql = Cql::read("SELECT gsi2pk, artist_id FROM instagram_keys WHERE token(gsi2pk) > token(?) LIMIT ?");

pub(super) const STATEMENTS: &[Cql] = &[STYLES, STYLES_IN, STYLES_AFTER, HANDLES, HANDLES_IN, HANDLES_AFTER];

/// The last row before a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Mark {
    Style {
        gsi1pk: String,
        bucket: i32,
        gsi1sk: String,
    },
    /// The style table is through.
    Handles,
    Handle {
        gsi2pk: String,
        artist_id: String,
    },
}

/// A row of the style table: partition, bucket, sort key, artist.
type StyleRow = (String, i32, String, String);

impl CqlStore {
    pub(super) async fn key_page(&self, after: Option<&str>, limit: usize) -> StoreResult<KeyPage> {
        let unknown = |error| StoreError::Bug(format!("a page of keys was asked for after an unknown mark: {error}"));
        let mark: Option<Mark> = after.map(serde_json::from_str).transpose().map_err(unknown)?;
        let (rows, next) = match &mark {
            None => self.styles_after(None, limit).await?,
            Some(Mark::Style { gsi1pk, bucket, gsi1sk }) => self.styles_after(Some((gsi1pk, *bucket, gsi1sk)), limit).await?,
            Some(Mark::Handles) => self.handles_after(None, limit).await?,
            Some(Mark::Handle { gsi2pk, artist_id }) => self.handles_after(Some((gsi2pk, artist_id)), limit).await?,
        };
        let written = |mark| serde_json::to_string(&mark).map_err(|error| StoreError::Bug(format!("a mark of a page of keys: {error}")));
        Ok(KeyPage { rows, next: next.map(written).transpose()? })
    }

    async fn styles_after(&self, after: Option<(&str, i32, &str)>, limit: usize) -> StoreResult<(Vec<(ArtistId, TableKey)>, Option<Mark>)> {
        let most = int(limit);
        let mut found: Vec<StyleRow> = match after {
            None => self.db.rows(&STYLES, (most,)).await?,
            Some((gsi1pk, bucket, gsi1sk)) => self.db.rows(&STYLES_IN, (gsi1pk, bucket, gsi1sk, most)).await?,
        };
        if let Some((gsi1pk, bucket, _)) = after
            && found.len() < limit
        {
            found.extend(self.db.rows::<StyleRow>(&STYLES_AFTER, (gsi1pk, bucket, int(limit - found.len()))).await?);
        }
        let next = match found.last() {
            Some((gsi1pk, bucket, gsi1sk, _)) if found.len() == limit => {
                Mark::Style { gsi1pk: gsi1pk.clone(), bucket: *bucket, gsi1sk: gsi1sk.clone() }
            }
            _ => Mark::Handles,
        };
        let row = |(gsi1pk, _, gsi1sk, id): StyleRow| (ArtistId::new(id), TableKey::Style(StyleKey { gsi1pk, gsi1sk }));
        Ok((found.into_iter().map(row).collect(), Some(next)))
    }

    async fn handles_after(&self, after: Option<(&str, &str)>, limit: usize) -> StoreResult<(Vec<(ArtistId, TableKey)>, Option<Mark>)> {
        let most = int(limit);
        let mut found: Vec<(String, String)> = match after {
            None => self.db.rows(&HANDLES, (most,)).await?,
            Some((gsi2pk, artist_id)) => self.db.rows(&HANDLES_IN, (gsi2pk, artist_id, most)).await?,
        };
        if let Some((gsi2pk, _)) = after
            && found.len() < limit
        {
            found.extend(self.db.rows::<(String, String)>(&HANDLES_AFTER, (gsi2pk, int(limit - found.len()))).await?);
        }
        let last = found.last().filter(|_| found.len() == limit);
        let next = last.map(|(gsi2pk, artist_id)| Mark::Handle { gsi2pk: gsi2pk.clone(), artist_id: artist_id.clone() });
        Ok((found.into_iter().map(|(gsi2pk, id)| (ArtistId::new(id), TableKey::Instagram(gsi2pk))).collect(), next))
    }
}

/// A count as CQL's `int` holds it.
fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
