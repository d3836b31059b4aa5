//! Dropping the jobs of a session that is over: its rows first, its lists after them and whole, so that whoever goes on after a
//! crash still finds by the lists what is left.

use super::CqlStore;
use super::facts::{ID_LANES, day_of, out_of_revision};
use super::ledger_rows::{Listed, ONCE, TRIES};
use super::many::each;
use super::statement::{Cql, Lwt};
use crate::domain::ids::{JobId, SessionId};
use crate::domain::job::{Attempt, JobState};
use crate::domain::line::keys_named_by;
use crate::store::{Letters, StoreResult};

const LISTED: Cql = Cql::read("SELECT job_id FROM session_jobs WHERE session_id = ? AND lane = ?");
const THERE: Cql = Cql::serial("SELECT rev FROM jobs WHERE id = ?");
const DROP_ROW: Cql = Cql::lwt("DELETE FROM jobs WHERE id = ? IF rev = ?");
const DROP_ATTEMPTS: Cql = Cql::write("DELETE FROM attempts USING TIMESTAMP ? WHERE job_id = ?");
const DROP_STAGED: Cql = Cql::write("DELETE FROM staged USING TIMESTAMP ? WHERE artist_id = ? AND job_id = ?");
const DROP_LETTER: Cql = Cql::write("DELETE FROM letters USING TIMESTAMP ? WHERE day = ? AND settled_at = ? AND job_id = ?");
const DROP_LIST: Cql = Cql::write("DELETE FROM session_jobs USING TIMESTAMP ? WHERE session_id = ? AND lane = ?");
const DROP_ENTRIES: Cql = Cql::write("DELETE FROM job_entries USING TIMESTAMP ? WHERE session_id = ? AND chunk = ?");
const CHUNKS: Cql = Cql::read("SELECT chunk, epoch FROM session_chunks WHERE session_id = ?");
const DROP_CHUNK: Cql = Cql::lwt("DELETE FROM session_chunks WHERE session_id = ? AND chunk = ? IF epoch = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] =
    &[LISTED, THERE, DROP_ROW, DROP_ATTEMPTS, DROP_STAGED, DROP_LETTER, DROP_LIST, DROP_ENTRIES, CHUNKS, DROP_CHUNK];

/// Rows looked at, and dropped, at a time.
const AT_ONCE: usize = 16;

/// Above the timestamp of everything that was said of a job: a revision is one compare-and-set, and nobody lives to see so many.
const LAST: i64 = 1 << 40;

impl CqlStore {
    pub(super) async fn drop_jobs_of(&self, session: &SessionId, letters: Letters) -> StoreResult<bool> {
        let lanes = each(0..ID_LANES, AT_ONCE, |lane| self.db.rows::<(String,)>(&LISTED, (session.as_str(), lane))).await?;
        let ids: Vec<JobId> = lanes.into_iter().flatten().map(|(id,)| JobId::new(id)).collect();
        // All are looked at before the first goes.
        let rows = each(ids, AT_ONCE, |id| async move {
            let row = self.listed_row(&id).await?;
            Ok((id, row))
        })
        .await?;
        let has_to_stay = |row: &Listed| matches!(row, Listed::Row(row) if !letters.allow(&row.job));
        if rows.iter().any(|(_, row)| has_to_stay(row)) {
            return Ok(false);
        }
        self.db.step("drop the jobs of a session").await?;
        let dropped = each(rows, AT_ONCE, |(id, row)| async move { self.drop_job(&id, row).await }).await?;
        if dropped.contains(&false) {
            return Ok(false);
        }
        self.db.step("drop the list of a session").await?;
        each(0..ID_LANES, AT_ONCE, |lane| self.db.write(&DROP_LIST, (LAST, session.as_str(), lane))).await?;
        // Last: as long as there is one, the session counts as having jobs.
        self.db.step("drop the chunks of a session").await?;
        for _ in 0..TRIES {
            let chunks: Vec<(i64, i32)> = self.db.rows(&CHUNKS, (session.as_str(),)).await?;
            if chunks.is_empty() {
                self.db.step("answer").await?;
                return Ok(true);
            }
            each(chunks, AT_ONCE, |(chunk, epoch)| async move {
                self.db.write(&DROP_ENTRIES, (LAST, session.as_str(), chunk)).await?;
                self.db.lwt(&DROP_CHUNK, (session.as_str(), chunk, epoch)).await
            })
            .await?;
        }
        Ok(false)
    }

    /// Drops a job; answers whether it is gone. One that was requeued meanwhile stays as it is.
    async fn drop_job(&self, id: &JobId, row: Listed) -> StoreResult<bool> {
        let (rev, job) = match row {
            Listed::Absent => return self.drop_attempts(id).await,
            Listed::Unreadable(rev, _) => (rev, None),
            Listed::Row(row) => (row.rev, Some(row.job)),
        };
        let keys = job.as_ref().map(keys_named_by).unwrap_or_default();
        if let Some((JobState::Dead, Some(at))) = job.as_ref().map(|job| (job.state, job.settled_at)) {
            self.db.write(&DROP_LETTER, (out_of_revision(rev), day_of(at), at.0, id.as_str())).await?;
        }
        // Before the row, which alone tells them.
        for key in &keys {
            self.unname_key(key, id, out_of_revision(rev)).await?;
        }
        for _ in 0..TRIES {
            if let Lwt::Unknown(_) = self.db.lwt(&DROP_ROW, (id.as_str(), rev)).await? {
                continue;
            }
            if self.has_row(id).await? {
                break;
            }
            return self.drop_attempts(id).await;
        }
        self.name_keys(id, &keys, rev + 1).await?;
        Ok(false)
    }

    async fn has_row(&self, id: &JobId) -> StoreResult<bool> {
        Ok(self.db.one::<(i64,)>(&THERE, (id.as_str(),)).await?.is_some())
    }

    async fn drop_attempts(&self, id: &JobId) -> StoreResult<bool> {
        let attempts: Vec<Attempt> = self.read_attempts(id).await?;
        for artist_id in attempts.iter().flat_map(|attempt| &attempt.artist_ids) {
            self.db.write(&DROP_STAGED, (ONCE + 1, artist_id.as_str(), id.as_str())).await?;
        }
        self.db.write(&DROP_ATTEMPTS, (LAST, id.as_str())).await?;
        Ok(true)
    }
}
