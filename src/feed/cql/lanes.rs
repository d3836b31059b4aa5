//! One look of a reader: what its position has let go for too long, then the wide lane, then the fine one.

use super::FeedTimes;
use super::place::{Partly, Place, last_due};
use crate::domain::change::Dirty;
use crate::domain::clock::Timestamp;
use crate::feed::FeedError;
use crate::store::cql::CqlDb;
use crate::store::cql::feed::{self, BUCKET_TICKS, BUCKETS_A_DAY, FeedRow, bucket_of};
use crate::store::cql::stamps::{last_of, ticks};
use std::time::Duration;
use uuid::Uuid;

/// Up to so many buckets are read one by one; of more, the list is asked which hold anything.
const FEW: i64 = 8;

/// A writer's clock may be a little ahead of ours when a bucket begins; further ahead, its rows wait until we are there.
const AHEAD: Duration = Duration::from_secs(1);

/// What is handed out, and how much of it may be.
struct Batch {
    dirty: Vec<Dirty>,
    max: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.dirty.len() >= self.max
    }

    fn add(&mut self, row: &FeedRow) {
        self.dirty.push(Dirty { artist_id: row.artist_id.clone(), hint: row.hint });
    }
}

/// The id before the first of a bucket.
fn before(bucket: i64) -> Uuid {
    last_of(bucket * BUCKET_TICKS - 1)
}

async fn whole(db: &CqlDb, shard: u16, bucket: i64) -> Result<Vec<FeedRow>, FeedError> {
    Ok(feed::rows(db, shard, bucket, before(bucket), usize::MAX).await?)
}

/// Hands out at most `max` artists and moves the place on.
pub(super) async fn look(db: &CqlDb, times: &FeedTimes, place: &mut Place, max: usize) -> Result<Vec<Dirty>, FeedError> {
    let now = db.now();
    place.follow_clock(times, now);
    let mut batch = Batch { dirty: Vec::new(), max };
    if max == 0 {
        return Ok(batch.dirty);
    }
    leave_what_is_gone(db, times, place, now).await?;
    if let Some(partly) = place.partly.take()
        && !hand_out_rest(db, place, partly, &mut batch).await?
    {
        return Ok(batch.dirty);
    }
    for look in [1, 0] {
        if !look_again(db, times, place, look, now, &mut batch).await? {
            return Ok(batch.dirty);
        }
    }
    fine_lane(db, times, place, now, &mut batch).await?;
    Ok(batch.dirty)
}

/// A reader that stands before what is kept may go on only if it was handed all that was let go.
async fn leave_what_is_gone(db: &CqlDb, times: &FeedTimes, place: &mut Place, now: Timestamp) -> Result<(), FeedError> {
    let first_kept = Place::first_kept(times, now);
    if place.looks[1] >= first_kept {
        return Ok(());
    }
    // Further back nobody knows any more what there was.
    if place.looks[1] < bucket_of(ticks(now.minus(Duration::from_secs(feed::KEPT_S)))) || place.partly.is_some() {
        return Err(FeedError::TooOld);
    }
    for bucket in feed::marked(db, place.shard(), place.looks[1], first_kept - 1).await? {
        if !place.is_same(bucket, &whole(db, place.shard(), bucket).await?) {
            return Err(FeedError::TooOld);
        }
    }
    place.skip_to(first_kept);
    Ok(())
}

/// Looks again at the buckets that have been over long enough; answers whether it came to the end of them.
async fn look_again(
    db: &CqlDb,
    times: &FeedTimes,
    place: &mut Place,
    look: usize,
    now: Timestamp,
    batch: &mut Batch,
) -> Result<bool, FeedError> {
    let due = last_due(now, times.looks[look]);
    while place.looks[look] <= due {
        let first = place.looks[look];
        // One partition of the list at a time.
        let last = due.min((first.div_euclid(BUCKETS_A_DAY) + 1) * BUCKETS_A_DAY - 1);
        let buckets = if last - first < FEW { (first..=last).collect() } else { feed::marked(db, place.shard(), first, last).await? };
        for bucket in buckets {
            if batch.is_full() {
                return Ok(false);
            }
            let rows = whole(db, place.shard(), bucket).await?;
            if !place.is_same(bucket, &rows) {
                place.set_sum(bucket, &rows);
                if !hand_out(place, look, bucket, &rows, batch) {
                    return Ok(false);
                }
            }
            place.passed(look, bucket + 1);
        }
        place.passed(look, last + 1);
    }
    Ok(true)
}

/// Hands out rows of a bucket, of which the first fits for sure; answers whether all did. The rest is for the next batch.
fn hand_out(place: &mut Place, look: usize, bucket: i64, rows: &[FeedRow], batch: &mut Batch) -> bool {
    let mut after = before(bucket);
    for row in rows {
        if batch.is_full() {
            place.partly = Some(Partly { look, bucket, after });
            return false;
        }
        batch.add(row);
        after = row.id;
    }
    true
}

/// Goes on with the bucket that did not fit the last batch; answers whether the rest did.
async fn hand_out_rest(db: &CqlDb, place: &mut Place, partly: Partly, batch: &mut Batch) -> Result<bool, FeedError> {
    let Partly { look, bucket, after } = partly;
    let rows = feed::rows(db, place.shard(), bucket, after, usize::MAX).await?;
    let fitted = hand_out(place, look, bucket, &rows, batch);
    if fitted {
        place.passed(look, bucket + 1);
    }
    Ok(fitted)
}

/// Reads the newest buckets from the floor on.
async fn fine_lane(db: &CqlDb, times: &FeedTimes, place: &mut Place, now: Timestamp, batch: &mut Batch) -> Result<(), FeedError> {
    let first = bucket_of(place.floor.saturating_add(1)).max(place.looks[0]);
    let last = bucket_of(ticks(now.plus(AHEAD)));
    let mut all = true;
    'buckets: for bucket in first..=last {
        let mut after = last_of(place.floor.max(bucket * BUCKET_TICKS - 1));
        loop {
            if batch.is_full() {
                all = false;
                break 'buckets;
            }
            let limit = batch.max.saturating_add(place.seen_count());
            let rows = feed::rows(db, place.shard(), bucket, after, limit).await?;
            let more = rows.len() >= limit;
            for row in &rows {
                if batch.is_full() {
                    all = false;
                    break 'buckets;
                }
                if place.meet(row) {
                    batch.add(row);
                }
                after = row.id;
            }
            if !more {
                break;
            }
        }
    }
    place.fine_lane_read(times, now, all);
    Ok(())
}
