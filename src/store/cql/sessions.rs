//! Sessions: a row each, made once a night and changed by compare-and-set on the epoch; listed by year, entry first.

use super::CqlStore;
use super::facts::{after_revision, before_revision, out_of_revision};
use super::ledger_rows::{ONCE, TRIES};
use super::many::each;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::job::AlertDebt;
use crate::domain::session::Session;
use crate::store::seal::{seal, unseal};
use crate::store::unreadable::{left_out, taken_out};
use crate::store::{SessionStore, StoreError, StoreResult};
use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

const READ: Cql = Cql::read("SELECT epoch, writer, body, sum FROM sessions WHERE id = ?");
const READ_SERIALLY: Cql = Cql::serial("SELECT epoch, writer, body, sum FROM sessions WHERE id = ? LIMIT 1");
const MAKE: Cql = Cql::lwt("INSERT INTO sessions (id, epoch, writer, body, sum) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
const SWAP: Cql = Cql::lwt("UPDATE sessions SET epoch = ?, writer = ?, body = ?, sum = ? WHERE id = ? IF epoch = ?");
const LIST: Cql = Cql::write("INSERT INTO session_list (year, created_at, id, hint) VALUES (?, ?, ?, ?) USING TIMESTAMP ?");
const NEWEST: Cql = Cql::read("SELECT created_at, id, hint FROM session_list WHERE year = ? LIMIT ?");
const SINCE: Cql = Cql::read("SELECT created_at, id, hint FROM session_list WHERE year = ? AND created_at >= ?");
const RUN: Cql = Cql::write("INSERT INTO pipeline_runs (pipeline, scheduled_for, session_id) VALUES (?, ?, ?) USING TIMESTAMP ?");
const RUNS: Cql = Cql::read("SELECT scheduled_for, session_id FROM pipeline_runs WHERE pipeline = ? LIMIT 8");
const ALL_RUNS: Cql = Cql::read("SELECT scheduled_for, session_id FROM pipeline_runs WHERE pipeline = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[READ, READ_SERIALLY, MAKE, SWAP, LIST, NEWEST, SINCE, RUN, RUNS, ALL_RUNS];

/// The list of years with sessions.
const YEARS: &str = "sessions";

/// Rows read at a time.
const AT_ONCE: usize = 16;

/// A session may be listed this much later than it says it was made.
const LISTED_LATE: Duration = Duration::from_secs(3_600);

/// What a list says of a session that may be changing: ask its row.
const UNSURE: &str = "?";
/// What it says of one that is over and owes no alert.
const SETTLED: &str = "settled";
/// What it says of the others.
const UNSETTLED: &str = "unsettled";

fn hint(session: &Session) -> &'static str {
    if session.state.is_terminal() && session.alert != AlertDebt::Owed { SETTLED } else { UNSETTLED }
}

/// A revision of an epoch, from 1.
fn revision(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX).saturating_add(1)
}

/// An epoch as stored.
fn stored(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

/// About the year of a moment; partitions of equal length, which is what counts.
fn year_of(at: i64) -> i32 {
    const YEAR_US: i64 = 31_556_952_000_000;
    i32::try_from(1970 + at.div_euclid(YEAR_US)).unwrap_or(i32::MAX)
}

type Listed = (i64, String, Option<String>);

/// A session's row with what is compared.
struct SessionRow {
    epoch: i64,
    writer: Option<Uuid>,
    session: Session,
}

type Columns = (Option<i64>, Option<Uuid>, Option<String>, Option<i64>);

fn read_row(id: &SessionId, (epoch, writer, body, sum): Columns) -> StoreResult<SessionRow> {
    let session = unseal("sessions", id.as_str(), &body.unwrap_or_default(), sum.unwrap_or_default())?;
    Ok(SessionRow { epoch: epoch.unwrap_or_default(), writer, session })
}

impl CqlStore {
    async fn session_row(&self, cql: &Cql, id: &SessionId) -> StoreResult<Option<SessionRow>> {
        self.db.one::<Columns>(cql, (id.as_str(),)).await?.map(|columns| read_row(id, columns)).transpose()
    }

    /// Whether there is a row, also one that cannot be read: that night was run.
    async fn is_there(&self, cql: &Cql, id: &SessionId) -> StoreResult<bool> {
        Ok(self.db.one::<Columns>(cql, (id.as_str(),)).await?.is_some())
    }

    async fn list_session(&self, session: &Session, hint: &str, at: i64) -> StoreResult<()> {
        let (year, created_at) = (year_of(session.created_at.0), session.created_at.0);
        self.list_part(YEARS, year).await?;
        self.db.write(&LIST, (year, created_at, session.id.as_str(), hint, at)).await
    }

    /// Inserts the row unless there is one. Answers whether it is new.
    async fn make_session(&self, session: &Session) -> StoreResult<bool> {
        let sealed = seal("sessions", session.id.as_str(), session)?;
        let mut lost = String::new();
        for _ in 0..TRIES {
            let writer = Uuid::new_v4();
            let values = (session.id.as_str(), stored(session.epoch), writer, &sealed.body, sealed.sum);
            match self.db.lwt(&MAKE, values).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(_) => return Ok(false),
                Lwt::Unknown(why) => match self.session_row(&READ_SERIALLY, &session.id).await? {
                    Some(row) => return Ok(row.writer == Some(writer)),
                    None => lost = why,
                },
            }
        }
        Err(StoreError::Unavailable(format!("session {} could not be made: {lost}", session.id)))
    }

    async fn swap_session(&self, expected: i64, new: &Session) -> StoreResult<bool> {
        let sealed = seal("sessions", new.id.as_str(), new)?;
        let mut lost = String::new();
        for _ in 0..TRIES {
            let writer = Uuid::new_v4();
            let values = (stored(new.epoch), writer, &sealed.body, sealed.sum, new.id.as_str(), expected);
            match self.db.lwt(&SWAP, values).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(_) => return Ok(false),
                Lwt::Unknown(why) => match self.session_row(&READ_SERIALLY, &new.id).await? {
                    Some(row) if row.writer == Some(writer) => return Ok(true),
                    Some(row) if row.epoch == expected => lost = why,
                    _ => return Ok(false),
                },
            }
        }
        Err(StoreError::Unavailable(format!("session {} could not be put: {lost}", new.id)))
    }

    /// The row of a listed session; what a list is unsure about is made sure, and one that cannot be read is called settled.
    async fn listed_session(&self, (created_at, id, said): Listed) -> StoreResult<Option<Session>> {
        let Some(columns) = self.db.one::<Columns>(&READ, (id.as_str(),)).await? else { return Ok(None) };
        let epoch = columns.0.unwrap_or_default();
        let row = match read_row(&SessionId::new(id.as_str()), columns) {
            Ok(row) => Some(row),
            Err(why) => {
                left_out("sessions", &id, &why);
                if said.as_deref() != Some(SETTLED) {
                    let at = out_of_revision(epoch.saturating_add(1));
                    self.db.write(&LIST, (year_of(created_at), created_at, id.as_str(), SETTLED, at)).await?;
                    taken_out("sessions", &id, &why);
                }
                None
            }
        };
        // One that was made at another moment is listed there.
        let Some(row) = row.filter(|row| row.session.created_at.0 == created_at) else { return Ok(None) };
        if said.as_deref() != Some(hint(&row.session)) {
            self.list_session(&row.session, hint(&row.session), after_revision(revision(row.session.epoch))).await?;
        }
        Ok(Some(row.session))
    }

    /// Sessions that are open or owe an alert, the oldest first.
    async fn unsettled_sessions(&self) -> StoreResult<Vec<Session>> {
        let now = self.db.now();
        let floor = self.db.memory().sessions_floor(now);
        let mut first = now.minus(LISTED_LATE).0;
        let mut listed: Vec<Listed> = Vec::new();
        for year in self.parts_of(YEARS).await?.into_iter().filter(|year| *year >= year_of(floor.max(0))) {
            let rows: Vec<Listed> = self.db.rows(&SINCE, (year, floor)).await?;
            listed.extend(rows.into_iter().filter(|(_, _, hint)| hint.as_deref() != Some(SETTLED)));
        }
        listed.sort();
        for (created_at, ..) in &listed {
            first = first.min(*created_at);
        }
        self.db.memory().set_sessions_floor(first, now);
        let sessions = each(listed, AT_ONCE, |listed| self.listed_session(listed)).await?;
        Ok(sessions.into_iter().flatten().collect())
    }
}

#[async_trait]
impl SessionStore for CqlStore {
    async fn create_session(&self, session: &Session) -> StoreResult<bool> {
        let key = SessionId::derived_from(&session.pipeline, &session.scheduled_for.rfc3339());
        if session.id != key {
            // The row's key is pipeline and moment, as the id that is derived from them.
            if self.is_there(&READ_SERIALLY, &key).await? {
                return Ok(false);
            }
            return Err(StoreError::Bug(format!("session {} is not named after its pipeline and its moment, as {key}", session.id)));
        }
        if self.is_there(&READ, &key).await? {
            return Ok(false);
        }
        let revision = revision(session.epoch);
        self.list_session(session, UNSURE, before_revision(revision)).await?;
        self.db.write(&RUN, (session.pipeline.as_str(), session.scheduled_for.0, key.as_str(), ONCE)).await?;
        self.db.step("make a session").await?;
        let is_new = self.make_session(session).await?;
        self.db.step("say that the session is made").await?;
        if is_new && let Err(error) = self.list_session(session, hint(session), after_revision(revision)).await {
            tracing::debug!(%error, "the list of sessions was left unsure about {key}");
        }
        self.db.step("answer").await?;
        Ok(is_new)
    }

    async fn session(&self, id: &SessionId) -> StoreResult<Option<Session>> {
        Ok(self.session_row(&READ_SERIALLY, id).await?.map(|row| row.session))
    }

    async fn put_session(&self, expected_epoch: u64, new: &Session) -> StoreResult<bool> {
        let expected = stored(expected_epoch);
        if new.epoch != expected_epoch.saturating_add(1) && self.session_row(&READ_SERIALLY, &new.id).await?.is_some() {
            return Err(StoreError::Bug(format!("epoch {expected_epoch} of session {} was to be followed by {}", new.id, new.epoch)));
        }
        let Some(row) = self.session_row(&READ, &new.id).await?.filter(|row| row.epoch == expected) else {
            // A quorum knows every epoch that a caller can have read.
            return Ok(false);
        };
        let revision = revision(new.epoch);
        let changes = hint(&row.session) != hint(new);
        if changes {
            self.list_session(new, UNSURE, before_revision(revision)).await?;
        }
        self.db.step("put a session").await?;
        let is_put = self.swap_session(expected, new).await?;
        self.db.step("say that the session is put").await?;
        if is_put
            && changes
            && let Err(error) = self.list_session(new, hint(new), after_revision(revision)).await
        {
            tracing::debug!(%error, "the list of sessions was left unsure about {}", new.id);
        }
        self.db.step("answer").await?;
        Ok(is_put)
    }

    async fn sessions(&self, most: usize) -> StoreResult<Vec<Session>> {
        let wanted = i32::try_from(most).unwrap_or(i32::MAX);
        let mut sessions: Vec<Session> = Vec::new();
        for year in self.parts_of(YEARS).await? {
            // Entries without a row are few: a page of twice as many as are wanted has them all but for a crash a session.
            let listed: Vec<Listed> = self.db.rows(&NEWEST, (year, wanted.saturating_mul(2))).await?;
            sessions.extend(each(listed, AT_ONCE, |listed| self.listed_session(listed)).await?.into_iter().flatten());
            if sessions.len() >= most {
                break;
            }
        }
        sessions.truncate(most);
        Ok(sessions)
    }

    async fn open_sessions(&self) -> StoreResult<Vec<Session>> {
        let mut open = self.unsettled_sessions().await?;
        open.retain(|session| !session.state.is_terminal());
        Ok(open)
    }

    async fn last_scheduled(&self, pipeline: &str) -> StoreResult<Option<Timestamp>> {
        // An entry without a row is one whose maker died: the next one then.
        for runs in [&RUNS, &ALL_RUNS] {
            let rows: Vec<(i64, String)> = self.db.rows(runs, (pipeline,)).await?;
            for (scheduled_for, id) in rows {
                if self.is_there(&READ, &SessionId::new(id)).await? {
                    return Ok(Some(Timestamp(scheduled_for)));
                }
            }
        }
        Ok(None)
    }

    async fn sessions_owing_alert(&self, most: usize) -> StoreResult<Vec<Session>> {
        let mut owing = self.unsettled_sessions().await?;
        owing.retain(|session| session.alert == AlertDebt::Owed);
        owing.sort_by(|one, other| one.id.cmp(&other.id));
        owing.truncate(most);
        Ok(owing)
    }
}
