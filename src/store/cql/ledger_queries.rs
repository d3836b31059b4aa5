//! What else is asked of the ledger: a session's rows in pages, dead letters, alerts owed, rows about an artist. Found by
//! their lists, read through their rows.

use super::CqlStore;
use super::facts::{ID_LANES, after_revision, before_revision, day_of, id_lane, out_of_revision};
use super::ledger_rows::{Listed, ONCE};
use super::many::each;
use super::memory::DayList;
use super::statement::Cql;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArtistId, JobId, SessionId};
use crate::domain::job::{AlertDebt, Job, JobKind, JobState};
use crate::domain::line::keys_named_by;
use crate::store::unreadable::taken_out;
use crate::store::{DeadLetterQuery, IdentityStore, LedgerPage, StoreResult};
use std::collections::BTreeMap;

const SESSION_JOBS: Cql = Cql::read("SELECT job_id FROM session_jobs WHERE session_id = ? AND lane = ? AND job_id > ? LIMIT ?");
const LETTER: Cql =
    Cql::write("INSERT INTO letters (day, settled_at, job_id, session_id, category) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?");
const LETTERS: Cql = Cql::read("SELECT settled_at, job_id, session_id, category FROM letters WHERE day = ? LIMIT ?");
const LETTERS_AFTER: Cql =
    Cql::read("SELECT settled_at, job_id, session_id, category FROM letters WHERE day = ? AND (settled_at, job_id) < (?, ?) LIMIT ?");
const ALERT: Cql = Cql::write("INSERT INTO alerts_owed (day, job_id, told) VALUES (?, ?, ?) USING TIMESTAMP ?");
const ALERTS: Cql = Cql::read("SELECT job_id, told FROM alerts_owed WHERE day = ?");
const STAGED: Cql = Cql::read("SELECT job_id FROM staged WHERE artist_id = ?");
const BY_KEY: Cql = Cql::read("SELECT job_id FROM open_job_keys WHERE key = ?");
const PART: Cql = Cql::write("INSERT INTO list_parts (list, part) VALUES (?, ?) USING TIMESTAMP ?");
const PARTS: Cql = Cql::read("SELECT part FROM list_parts WHERE list = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[SESSION_JOBS, LETTER, LETTERS, LETTERS_AFTER, ALERT, ALERTS, STAGED, BY_KEY, PART, PARTS];

/// The list of days with letters.
const LETTER_DAYS: &str = "letters";

/// Alerts are looked for on this many days before today.
const ALERT_DAYS: i32 = 15;

/// Rows read at a time.
const AT_ONCE: usize = 32;

/// Entries asked for at once: some of them are about rows that have moved on.
const LETTERS_AT_ONCE: usize = 200;

type LetterRow = (i64, String, Option<String>, Option<String>);

/// A count as CQL's `int` holds it.
fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl CqlStore {
    /// Names the partition of a list, before anything is written into it.
    pub(super) async fn list_part(&self, list: &'static str, part: i32) -> StoreResult<()> {
        if !self.db.memory().is_listed(list, part) {
            self.db.write(&PART, (list, part, ONCE)).await?;
            self.db.memory().listed(list, part);
        }
        Ok(())
    }

    /// The partitions of a list, the highest first.
    pub(super) async fn parts_of(&self, list: &str) -> StoreResult<Vec<i32>> {
        let rows: Vec<(i32,)> = self.db.rows(&PARTS, (list,)).await?;
        Ok(rows.into_iter().map(|(part,)| part).collect())
    }

    /// A page of a session's rows in the order of their ids.
    pub(super) async fn page_of_session(&self, session: &SessionId, after: Option<&JobId>, limit: usize) -> StoreResult<Vec<Job>> {
        let mut after = after.cloned().unwrap_or_else(|| JobId::new(""));
        let mut jobs: Vec<Job> = Vec::new();
        for lane in id_lane(&after)..ID_LANES {
            while jobs.len() < limit {
                let wanted = int(limit - jobs.len());
                let rows: Vec<(String,)> = self.db.rows(&SESSION_JOBS, (session.as_str(), lane, after.as_str(), wanted)).await?;
                let Some((last,)) = rows.last() else { break };
                after = JobId::new(last.as_str());
                let is_last = int(rows.len()) < wanted;
                // An entry without a row is one that was never made.
                jobs.extend(self.jobs_of(rows.into_iter().map(|(id,)| JobId::new(id))).await?);
                if is_last {
                    break;
                }
            }
        }
        Ok(jobs)
    }

    /// A page of a session's rows in a state, in the order of their ids.
    pub(super) async fn page_in_state(
        &self,
        session: &SessionId,
        state: JobState,
        after: Option<&JobId>,
        limit: usize,
    ) -> StoreResult<Vec<Job>> {
        let mut ids = self.rows_in(session, state).await?;
        ids.retain(|id| after.is_none_or(|after| id > after));
        ids.sort();
        let mut jobs: Vec<Job> = Vec::new();
        let mut ids = ids.into_iter();
        while jobs.len() < limit {
            let some: Vec<JobId> = ids.by_ref().take(limit - jobs.len()).collect();
            if some.is_empty() {
                break;
            }
            let rows = self.jobs_of(some).await?;
            jobs.extend(rows.into_iter().filter(|job| job.state == state));
        }
        Ok(jobs)
    }

    /// Lists a row that is about to be a dead letter.
    pub(super) async fn list_letter(&self, job: &Job, settled_at: Timestamp, rev: i64) -> StoreResult<()> {
        let day = day_of(settled_at);
        self.list_part(LETTER_DAYS, day).await?;
        let category = job.death().map_or("", |reason| reason.category.as_str());
        let values = (day, settled_at.0, job.id().as_str(), job.new.session_id.as_str(), category, before_revision(rev));
        self.db.write(&LETTER, values).await
    }

    pub(super) async fn page_of_letters(&self, query: &DeadLetterQuery) -> StoreResult<LedgerPage> {
        // One more than asked for tells whether there is a next page.
        let wanted = query.limit.saturating_add(1);
        let mut jobs: Vec<Job> = Vec::new();
        let newest = query.after.as_ref().map_or(i32::MAX, |(at, _)| day_of(*at));
        for day in self.parts_of(LETTER_DAYS).await?.into_iter().filter(|day| *day <= newest) {
            let mut after = query.after.clone().filter(|_| day == newest);
            loop {
                let most = int(LETTERS_AT_ONCE);
                let rows: Vec<LetterRow> = match &after {
                    Some((at, id)) => self.db.rows(&LETTERS_AFTER, (day, at.0, id.as_str(), most)).await?,
                    None => self.db.rows(&LETTERS, (day, most)).await?,
                };
                let is_last = rows.len() < LETTERS_AT_ONCE;
                after = rows.last().map(|(at, id, ..)| (Timestamp(*at), JobId::new(id.as_str())));
                jobs.extend(self.letters_among(query, rows, wanted - jobs.len()).await?);
                if is_last || jobs.len() >= wanted {
                    break;
                }
            }
            if jobs.len() >= wanted {
                break;
            }
        }
        let more = jobs.len() > query.limit;
        jobs.truncate(query.limit);
        let next = jobs.last().filter(|_| more).and_then(|job| Some((job.settled_at?, job.id().clone())));
        Ok(LedgerPage { jobs, next })
    }

    /// The first `wanted` of the listed rows that are letters still and such as are asked for.
    async fn letters_among(&self, query: &DeadLetterQuery, rows: Vec<LetterRow>, wanted: usize) -> StoreResult<Vec<Job>> {
        let asked = |(_, _, session, category): &LetterRow| {
            let session_fits = query.session.as_ref().is_none_or(|wanted| session.as_deref() == Some(wanted.as_str()));
            session_fits && query.category.as_ref().is_none_or(|wanted| category.as_ref() == Some(wanted))
        };
        let mut letters: Vec<Job> = Vec::new();
        let mut rows = rows.into_iter().filter(asked);
        while letters.len() < wanted {
            let some: Vec<(i64, JobId)> = rows.by_ref().take(wanted - letters.len()).map(|(at, id, ..)| (at, JobId::new(id))).collect();
            if some.is_empty() {
                break;
            }
            let read = each(some, AT_ONCE, |(at, id)| async move {
                let row = self.listed_row(&id).await?.row();
                Ok(row.map(|row| row.job).filter(|job| job.state == JobState::Dead && job.settled_at == Some(Timestamp(at))))
            });
            letters.extend(read.await?.into_iter().flatten());
        }
        Ok(letters)
    }

    /// Lists a row that is about to owe an alert, on today's list.
    pub(super) async fn owe_alert(&self, id: &JobId, rev: i64) -> StoreResult<()> {
        self.db.write(&ALERT, (day_of(self.db.now()), id.as_str(), false, before_revision(rev))).await
    }

    /// Rows that owe an alert, the oldest debts first. Debts that were paid are marked so.
    pub(super) async fn alerts_owed(&self, limit: usize) -> StoreResult<Vec<Job>> {
        let now = self.db.now();
        let today = day_of(now);
        let days: Vec<i32> = (today.saturating_sub(ALERT_DAYS)..=today.saturating_add(1))
            .filter(|day| !self.db.memory().is_quiet(DayList::Alerts, *day, now))
            .collect();
        let mut owing: Vec<Job> = Vec::new();
        for day in days {
            let mut rows: Vec<(String, Option<bool>)> = self.db.rows(&ALERTS, (day,)).await?;
            rows.retain(|(_, told)| *told != Some(true));
            if rows.is_empty() && day < today - 1 {
                self.db.memory().quiet(DayList::Alerts, day, now);
            }
            let read = each(rows, AT_ONCE, |(id, _)| async move {
                let id = JobId::new(id);
                let row = match self.listed_row(&id).await? {
                    Listed::Row(row) => row,
                    Listed::Absent => return Ok(None),
                    Listed::Unreadable(rev, why) => {
                        self.db.write(&ALERT, (day, id.as_str(), true, out_of_revision(rev))).await?;
                        taken_out("jobs", id.as_str(), &why);
                        return Ok(None);
                    }
                };
                if row.job.alert != AlertDebt::Owed {
                    self.db.write(&ALERT, (day, id.as_str(), true, after_revision(row.rev))).await?;
                    return Ok(None);
                }
                Ok(Some(row.job))
            });
            let found: Vec<Job> =
                read.await?.into_iter().flatten().filter(|job| owing.iter().all(|other| other.id() != job.id())).collect();
            owing.extend(found);
            if owing.len() >= limit {
                break;
            }
        }
        owing.truncate(limit);
        Ok(owing)
    }

    /// Rows whose attempts staged a write of the artist, and open or dead ones by a key that names the artist.
    pub(super) async fn about(&self, id: &ArtistId) -> StoreResult<Vec<Job>> {
        let staged: Vec<(String,)> = self.db.rows(&STAGED, (id.as_str(),)).await?;
        let mut found: BTreeMap<JobId, bool> = staged.into_iter().map(|(job_id,)| (JobId::new(job_id), true)).collect();
        let keys = self.identities_of(id).await?;
        for key in &keys {
            let rows: Vec<(String,)> = self.db.rows(&BY_KEY, (key.as_str(),)).await?;
            for (job_id,) in rows {
                found.entry(JobId::new(job_id)).or_insert(false);
            }
        }
        let keys = &keys;
        let read = each(found, AT_ONCE, |(job_id, is_staged)| async move {
            let about = |job: &Job| is_staged || keys_named_by(job).iter().any(|key| keys.contains(key));
            let row = self.listed_row(&job_id).await?.row();
            Ok(row.map(|row| row.job).filter(|job| job.kind() != JobKind::RemoveArtist && about(job)))
        });
        Ok(read.await?.into_iter().flatten().collect())
    }
}
