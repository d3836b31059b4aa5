//! What the change feed is made of: rows by shard and ten seconds, and the buckets that hold any. The port is implemented in
//! `feed::cql`.

use super::db::CqlDb;
use super::stamps::ticks_of;
use super::statement::Cql;
use crate::domain::ids::ArtistId;
use crate::store::StoreResult;
use crate::store::seal::checksum;
use scylla::value::CqlTimeuuid;
use uuid::Uuid;

/// A bucket's length in ticks of 100 ns: ten seconds.
pub(crate) const BUCKET_TICKS: i64 = 100_000_000;

/// Buckets of a day.
pub(crate) const BUCKETS_A_DAY: i64 = 8_640;

/// How long rows stand at least, by the table's TTL, in seconds; a day is left for clocks and repairs.
pub(crate) const KEPT_S: u64 = 6 * 86_400;

const MARK: Cql = Cql::write("INSERT INTO feed_buckets (shard, day, bucket) VALUES (?, ?, ?) USING TIMESTAMP ?");
const APPEND: Cql = Cql::write("INSERT INTO feed (shard, bucket, ts, artist_id, hint) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?");
const ROWS: Cql = Cql::read("SELECT ts, artist_id, hint FROM feed WHERE shard = ? AND bucket = ? AND ts > ? LIMIT ?");
const MARKED: Cql = Cql::read("SELECT bucket FROM feed_buckets WHERE shard = ? AND day = ? AND bucket >= ? AND bucket <= ?");
const POSITION: Cql = Cql::serial("SELECT position, epoch, saver FROM feed_positions WHERE reader = ? AND shard = ?");
const FIRST_POSITION: Cql =
    Cql::lwt("INSERT INTO feed_positions (reader, shard, position, epoch, saver) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
const NEXT_POSITION: Cql =
    Cql::lwt("UPDATE feed_positions SET position = ?, epoch = ?, saver = ? WHERE reader = ? AND shard = ? IF epoch = ?");

pub(super) const STATEMENTS: &[Cql] = &[MARK, APPEND, ROWS, MARKED, POSITION, FIRST_POSITION, NEXT_POSITION];

/// One row of the feed.
#[derive(Debug, Clone)]
pub(crate) struct FeedRow {
    /// When it was written by its writer's clock, and which it is.
    pub id: Uuid,
    /// Who may have changed.
    pub artist_id: ArtistId,
    /// The version that was meant.
    pub hint: i64,
}

/// Evenly over `0..count`, the same for ever.
pub(super) fn spread(key: &str, count: u16) -> u16 {
    let hash = checksum("spread", "", key).unsigned_abs();
    u16::try_from(hash % u64::from(count.max(1))).unwrap_or(0)
}

/// The bucket of a moment in ticks.
pub(crate) fn bucket_of(ticks: i64) -> i64 {
    ticks.div_euclid(BUCKET_TICKS)
}

fn smallint(shard: u16) -> i16 {
    // At most 1024, which the settings check.
    i16::try_from(shard).unwrap_or(i16::MAX)
}

/// Whether the row that an entry announces stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// It is still to come: who reads the entry now finds nothing, so nobody is woken for it.
    ToCome,
    /// It stands.
    Standing,
}

/// Appends that an artist may have changed: the bucket's mark first, the row second.
pub(super) async fn append(db: &CqlDb, id: &ArtistId, hint: i64, row: Announced) -> StoreResult<()> {
    let stamp = db.stamps().next(db.now());
    let ticks = ticks_of(stamp);
    let bucket = bucket_of(ticks);
    let shard = spread(id.as_str(), db.feed_shards());
    if !db.is_marked(shard, bucket) {
        let day = bucket.div_euclid(BUCKETS_A_DAY);
        db.write(&MARK, (smallint(shard), day, bucket, bucket.saturating_mul(BUCKET_TICKS / 10))).await?;
        db.step("feed: the bucket is marked").await?;
        db.mark(shard, bucket);
    }
    let values = (smallint(shard), bucket, CqlTimeuuid::from(stamp), id.as_str(), hint, ticks / 10);
    db.write(&APPEND, values).await?;
    if row == Announced::Standing {
        db.feed_grew(shard);
    }
    Ok(())
}

/// Rows of a bucket after an id, in order, at most `limit`.
pub(crate) async fn rows(db: &CqlDb, shard: u16, bucket: i64, after: Uuid, limit: usize) -> StoreResult<Vec<FeedRow>> {
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let rows = db.rows::<(CqlTimeuuid, String, i64)>(&ROWS, (smallint(shard), bucket, CqlTimeuuid::from(after), limit)).await?;
    let row = |(id, artist_id, hint): (CqlTimeuuid, String, i64)| FeedRow { id: id.into(), artist_id: ArtistId::new(artist_id), hint };
    Ok(rows.into_iter().map(row).collect())
}

/// The buckets between two, both included, that hold rows or held some before they ran out.
pub(crate) async fn marked(db: &CqlDb, shard: u16, first: i64, last: i64) -> StoreResult<Vec<i64>> {
    let mut buckets = Vec::new();
    for day in first.div_euclid(BUCKETS_A_DAY)..=last.div_euclid(BUCKETS_A_DAY) {
        let found = db.rows::<(i64,)>(&MARKED, (smallint(shard), day, first, last)).await?;
        buckets.extend(found.into_iter().map(|(bucket,)| bucket));
    }
    Ok(buckets)
}

/// A saved position: its text, its epoch, and who saved it.
type Saved = Option<(String, i64, Uuid)>;

async fn position(db: &CqlDb, reader: &str, shard: u16) -> StoreResult<Saved> {
    db.one::<(String, i64, Uuid)>(&POSITION, (reader, smallint(shard))).await
}

/// The saved position of a reader and its epoch.
pub(crate) async fn saved(db: &CqlDb, reader: &str, shard: u16) -> StoreResult<Option<(String, u64)>> {
    Ok(position(db, reader, shard).await?.map(|(text, epoch, _)| (text, u64::try_from(epoch).unwrap_or(0))))
}

/// Saves a position if the epoch still stands. Answers whether it did.
pub(crate) async fn save(db: &CqlDb, reader: &str, shard: u16, epoch: u64, text: &str) -> StoreResult<bool> {
    let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
    let (next, saver) = (epoch.saturating_add(1), Uuid::new_v4());
    let read = position(db, reader, shard);
    let is_ours = |stands: &Saved| stands.as_ref().is_some_and(|(_, _, stored)| *stored == saver);
    let is_old = |stands: &Saved| stands.as_ref().map_or(0, |(_, stored, _)| *stored) == epoch;
    let settled = if epoch == 0 {
        db.cas(&FIRST_POSITION, (reader, smallint(shard), text, next, saver), read, is_ours, is_old).await?
    } else {
        db.cas(&NEXT_POSITION, (text, next, saver, reader, smallint(shard), epoch), read, is_ours, is_old).await?
    };
    Ok(matches!(settled, super::statement::Cas::Applied))
}
