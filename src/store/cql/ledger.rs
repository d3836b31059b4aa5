//! The ledger: rows made and changed in ordered, repeatable steps.
//!
//! Whatever lists a row stands before the row does, and is read through the row; what a crash leaves undone between two
//! steps is found by the entry that the first step left.

use super::CqlStore;
use super::facts::{Chunk, Facts, HELD_UP, after_revision, before_revision, chunk_end, id_lane};
use super::ledger_chunks::OpenRow;
use super::ledger_rows::{Listed, ONCE, Swap, TRIES};
use super::many::each;
use super::statement::Cql;
use crate::domain::clock::Timestamp;
use crate::domain::identity::IdentityKey;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{AlertDebt, Attempt, Job, JobState, NewJob};
use crate::domain::ledger::is_due;
use crate::domain::line::{choose_due, keys_named_by};
use crate::domain::session::StepCounts;
use crate::store::{DeadLetterQuery, Depth, JobPut, Ledger, LedgerPage, Letters, StoreError, StoreResult};
use async_trait::async_trait;
use std::collections::HashSet;

const IN_SESSION: Cql = Cql::write("INSERT INTO session_jobs (session_id, lane, job_id) VALUES (?, ?, ?) USING TIMESTAMP ?");
const KEY: Cql = Cql::write("INSERT INTO open_job_keys (key, job_id) VALUES (?, ?) USING TIMESTAMP ?");
const DROP_KEY: Cql = Cql::write("DELETE FROM open_job_keys USING TIMESTAMP ? WHERE key = ? AND job_id = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[IN_SESSION, KEY, DROP_KEY];

/// Rows made, read or listed at a time.
const AT_ONCE: usize = 32;

/// Places between groups of rows being made at which a crash is tried.
const GROUPS: usize = 3;

impl CqlStore {
    /// Writes whatever lists a row that is about to be made.
    async fn list_new(&self, job: &Job) -> StoreResult<()> {
        let in_session = self.db.write(&IN_SESSION, (job.new.session_id.as_str(), id_lane(job.id()), job.id().as_str(), ONCE));
        let keys = keys_named_by(job);
        tokio::try_join!(in_session, self.make_unsure(None, job, 1), self.name_keys(job.id(), &keys, 1)).map(drop)
    }

    pub(super) async fn name_keys(&self, id: &JobId, keys: &[IdentityKey], rev: i64) -> StoreResult<()> {
        for key in keys {
            self.db.write(&KEY, (key.as_str(), id.as_str(), before_revision(rev))).await?;
        }
        Ok(())
    }

    pub(super) async fn unname_key(&self, key: &IdentityKey, id: &JobId, at: i64) -> StoreResult<()> {
        self.db.write(&DROP_KEY, (at, key.as_str(), id.as_str())).await
    }

    /// The rows of `jobs` that are to be made: neither there yet nor twice in the list. Rows that nobody has touched since
    /// they were made are listed once more, should their maker have died.
    async fn absent(&self, jobs: &[NewJob]) -> StoreResult<Vec<bool>> {
        let mut met = HashSet::new();
        let first: Vec<bool> = jobs.iter().map(|new| met.insert(&new.id)).collect();
        let first = &first;
        each(0..jobs.len(), AT_ONCE, |n| async move {
            if !first[n] {
                return Ok(false);
            }
            let row = match self.listed_row(&jobs[n].id).await? {
                Listed::Row(row) => row,
                Listed::Absent => return Ok(true),
                Listed::Unreadable(..) => return Ok(false),
            };
            if row.rev == 1 {
                self.list_new(&row.job).await?;
                self.open_for_making([Chunk::of(&row.job)].into(), row.job.created_at).await?;
                self.make_exact(None, &row.job, 1).await?;
            }
            Ok(false)
        })
        .await
    }

    async fn create(&self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Vec<bool>> {
        let mut fresh = self.absent(jobs).await?;
        let made: Vec<(usize, Job)> =
            jobs.iter().enumerate().filter(|(n, _)| fresh[*n]).map(|(n, new)| (n, Job::created(new.clone(), now))).collect();
        let rows = &made;
        each(0..rows.len(), AT_ONCE, |n| self.list_new(&rows[n].1)).await?;
        self.db.step("open the chunks of new jobs").await?;
        self.open_for_making(rows.iter().map(|(_, job)| Chunk::of(job)).collect(), now).await?;
        for group in rows.chunks(rows.len().div_ceil(GROUPS).max(1)) {
            self.db.step("make some of the jobs").await?;
            let answers = each(0..group.len(), AT_ONCE, |n| self.make_row(&group[n].1)).await?;
            group.iter().zip(answers).for_each(|((n, _), is_new)| fresh[*n] = is_new);
        }
        self.db.step("say that the jobs are made").await?;
        let made: Vec<&Job> = rows.iter().filter(|(n, _)| fresh[*n]).map(|(_, job)| job).collect();
        let rows = &made;
        let said = each(0..rows.len(), AT_ONCE, |n| self.make_exact(None, rows[n], 1)).await.map(drop);
        tell(said, "new jobs");
        for job in made {
            // Held up so long that the chunk may have been called over meanwhile.
            let chunk = Chunk::of(job);
            if chunk_end(chunk.number).plus(HELD_UP) < self.db.now() {
                self.open_again(&chunk, self.db.now()).await?;
            }
        }
        self.db.step("answer").await?;
        Ok(fresh)
    }

    /// Writes whatever lists the row as revision `rev`, before it stands.
    async fn announce(&self, old: &Job, new: &Job, attempt: Option<&Attempt>, rev: i64) -> StoreResult<()> {
        let attempt = async {
            match attempt {
                Some(attempt) => self.put_attempt(attempt, rev).await,
                None => Ok(()),
            }
        };
        let entries = async { if Facts::of(old) == Facts::of(new) { Ok(()) } else { self.make_unsure(Some(old), new, rev).await } };
        let letter = async {
            match new.settled_at {
                Some(at) if new.state == JobState::Dead && (old.state != JobState::Dead || old.settled_at != new.settled_at) => {
                    self.list_letter(new, at, rev).await
                }
                _ => Ok(()),
            }
        };
        let alert = async {
            if new.alert == AlertDebt::Owed && old.alert != AlertDebt::Owed { self.owe_alert(new.id(), rev).await } else { Ok(()) }
        };
        let held = keys_named_by(old);
        let keys: Vec<_> = keys_named_by(new).into_iter().filter(|key| !held.contains(key)).collect();
        tokio::try_join!(attempt, entries, letter, alert, self.name_keys(new.id(), &keys, rev)).map(drop)
    }

    /// Says of the row as revision `rev` what is so once it stands.
    async fn follow_up(&self, old: &Job, new: &Job, rev: i64) -> StoreResult<()> {
        if Facts::of(old) != Facts::of(new) {
            self.make_exact(Some(old), new, rev).await?;
        }
        let kept = keys_named_by(new);
        for key in keys_named_by(old).iter().filter(|key| !kept.contains(key)) {
            self.unname_key(key, new.id(), after_revision(rev)).await?;
        }
        Ok(())
    }

    async fn put(&self, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut> {
        for _ in 0..TRIES {
            // Values are compared, not bytes: a build that writes one field more must still recognise a row it did not write.
            let quick = self.job_row(old.id()).await?.filter(|row| row.job == *old);
            let row = match quick {
                Some(row) => row,
                None => match self.job_row_serially(old.id()).await? {
                    Some(row) if row.job == *old => row,
                    other => return Ok(JobPut::Conflict(other.map(|row| Box::new(row.job)))),
                },
            };
            let rev = row.rev + 1;
            self.announce(old, new, attempt, rev).await?;
            if old.state.is_terminal() && Facts::of(old) != Facts::of(new) {
                self.db.step("open a chunk again").await?;
                self.open_again(&Chunk::of(old), self.db.now()).await?;
            }
            self.db.step("put a job").await?;
            if self.swap_row(row.rev, new).await? == Swap::Applied {
                self.db.step("say that the job is put").await?;
                tell(self.follow_up(old, new, rev).await, "a job");
                self.db.step("answer").await?;
                return Ok(JobPut::Committed);
            }
        }
        Err(StoreError::Unavailable(format!("job {} is contended", old.id())))
    }

    /// Rows by their ids, in their order; those that are not there or cannot be read are left out.
    pub(super) async fn jobs_of(&self, ids: impl IntoIterator<Item = JobId>) -> StoreResult<Vec<Job>> {
        let rows = each(ids, AT_ONCE, |id| async move { self.listed_row(&id).await }).await?;
        Ok(rows.into_iter().filter_map(Listed::row).map(|row| row.job).collect())
    }

    /// The due ones of the rows that were chosen. `Err`: those that cannot be read, with revision and why; they have taken the
    /// places of others, so that the choice is made again without them.
    async fn due_among(&self, chosen: Vec<JobId>, now: Timestamp) -> StoreResult<Result<Vec<Job>, Vec<Unread>>> {
        let read = each(chosen, AT_ONCE, |id| async move { Ok((self.listed_row(&id).await?, id)) }).await?;
        let (mut jobs, mut unread) = (Vec::new(), Vec::new());
        for (row, id) in read {
            match row {
                Listed::Row(row) => jobs.push(row.job),
                Listed::Unreadable(rev, why) => unread.push(Unread { id, rev, why }),
                Listed::Absent => {}
            }
        }
        jobs.retain(|job| is_due(job, now));
        Ok(if unread.is_empty() { Ok(jobs) } else { Err(unread) })
    }
}

/// A row that cannot be read.
struct Unread {
    id: JobId,
    rev: i64,
    why: StoreError,
}

/// What follows a row that stands is put right by whoever reads it; its failing is no failure of the write.
fn tell(followed: StoreResult<()>, what: &str) {
    if let Err(error) = followed {
        tracing::debug!(%error, "what lists {what} was left unsure");
    }
}

#[async_trait]
impl Ledger for CqlStore {
    async fn create_jobs(&self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Vec<bool>> {
        self.create(jobs, now).await
    }

    async fn job(&self, id: &JobId) -> StoreResult<Option<Job>> {
        Ok(self.job_row_serially(id).await?.map(|row| row.job))
    }

    async fn put_job(&self, old: &Job, new: &Job, attempt: Option<&Attempt>) -> StoreResult<JobPut> {
        let foreign = attempt.is_some_and(|attempt| attempt.job_id != *new.id());
        // A row that is erased as it ends names no host any more; else a row stays where it is.
        let erased = new.new.host.is_none() && new.state.is_terminal();
        let moved = Chunk::of(old) != Chunk::of(new) || (old.new.host != new.new.host && !erased);
        if old.id() != new.id() || foreign || moved {
            let text = format!("job {} was to be replaced by job {}, elsewhere, or with another job's attempt", old.id(), new.id());
            return Err(StoreError::Bug(text));
        }
        self.put(old, new, attempt).await
    }

    async fn attempts(&self, id: &JobId) -> StoreResult<Vec<Attempt>> {
        self.read_attempts(id).await
    }

    async fn stage_writing(&self, attempt: &Attempt, artist_id: &ArtistId) -> StoreResult<()> {
        self.stage(attempt, artist_id).await
    }

    async fn due_jobs(&self, now: Timestamp, max_per_host: usize, limit: usize) -> StoreResult<Vec<Job>> {
        let mut open = self.open_rows(now).await?;
        loop {
            let waiting = open.iter().map(|row| row.facts.waiting(&row.id)).collect();
            let unread = match self.due_among(choose_due(waiting, now, max_per_host, limit), now).await? {
                Ok(jobs) => return Ok(jobs),
                Err(unread) => unread,
            };
            for Unread { id, rev, why } in unread {
                let Some(at) = open.iter().position(|row| row.id == id) else { continue };
                let OpenRow { chunk, facts, .. } = open.swap_remove(at);
                self.take_out_of_line(&facts.host, facts.line_at, &id, rev).await?;
                self.take_out(&chunk, &id, &Facts::taken_out(facts.step, facts.created_at), rev, &why).await?;
            }
        }
    }

    async fn due_jobs_of_host(&self, host: &str, now: Timestamp, max_per_host: usize) -> StoreResult<Vec<Job>> {
        let mut open = self.read_line(host, now).await?;
        loop {
            let unread = match self.due_among(choose_due(open.clone(), now, max_per_host, usize::MAX), now).await? {
                Ok(jobs) => return Ok(jobs),
                Err(unread) => unread,
            };
            for Unread { id, rev, .. } in unread {
                let Some(at) = open.iter().position(|waiting| waiting.id == id) else { continue };
                // Its entry in the session's list goes by the sweep.
                self.take_out_of_line(host, open.swap_remove(at).line_at.0, &id, rev).await?;
            }
        }
    }

    async fn step_counts(&self, session: &SessionId) -> StoreResult<StepCounts> {
        self.count_session(session).await
    }

    async fn jobs_in(&self, session: &SessionId, state: Option<JobState>, after: Option<&JobId>, limit: usize) -> StoreResult<Vec<Job>> {
        match state {
            Some(state) => self.page_in_state(session, state, after, limit).await,
            None => self.page_of_session(session, after, limit).await,
        }
    }

    async fn depth(&self, now: Timestamp) -> StoreResult<Depth> {
        let open = self.open_rows(now).await?;
        Ok(super::facts::depth(open.iter().map(|row| &row.facts), now))
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> StoreResult<LedgerPage> {
        self.page_of_letters(query).await
    }

    async fn jobs_owing_alert(&self, limit: usize) -> StoreResult<Vec<Job>> {
        self.alerts_owed(limit).await
    }

    async fn jobs_about(&self, id: &ArtistId) -> StoreResult<Vec<Job>> {
        self.about(id).await
    }

    /// Nobody holds a cluster alone: the leases of the dead run out.
    async fn drop_jobs(&self, session: &SessionId, letters: Letters) -> StoreResult<bool> {
        self.drop_jobs_of(session, letters).await
    }

    async fn release_leases_of_others(&self, _owner: &str, _now: Timestamp) -> StoreResult<u64> {
        Ok(0)
    }
}
