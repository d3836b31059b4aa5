//! Requests to be removed or corrected: a row each, changed by compare-and-set on the revision; listed by hour, entry first.

use super::CqlStore;
use super::facts::{GHOST_AFTER, HELD_UP};
use super::ledger_rows::TRIES;
use super::many::each;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::domain::removal_request::{RemovalRequest, RequestId, RequestState};
use crate::store::seal::{seal, unseal};
use crate::store::unreadable::left_out;
use crate::store::{RemovalRequestStore, StoreError, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

const READ: Cql = Cql::read("SELECT rev, writer, body, sum FROM removal_requests WHERE id = ?");
const READ_SERIALLY: Cql = Cql::serial("SELECT rev, writer, body, sum FROM removal_requests WHERE id = ? LIMIT 1");
const MAKE: Cql = Cql::lwt("INSERT INTO removal_requests (id, rev, writer, body, sum) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS");
const SWAP: Cql = Cql::lwt("UPDATE removal_requests SET rev = ?, writer = ?, body = ?, sum = ? WHERE id = ? IF rev = ?");
const DROP: Cql = Cql::lwt("DELETE FROM removal_requests WHERE id = ? IF rev = ?");
const LIST: Cql = Cql::write("INSERT INTO removal_request_list (hour, id) VALUES (?, ?) USING TIMESTAMP ?");
const LISTED: Cql = Cql::read("SELECT id FROM removal_request_list WHERE hour = ?");
const DROP_LIST: Cql = Cql::write("DELETE FROM removal_request_list USING TIMESTAMP ? WHERE hour = ?");
const LIST_HOUR: Cql = Cql::write("INSERT INTO removal_request_hours (part, hour) VALUES (0, ?) USING TIMESTAMP ?");
const HOURS: Cql = Cql::read("SELECT hour FROM removal_request_hours WHERE part = 0");
const DROP_HOUR: Cql = Cql::write("DELETE FROM removal_request_hours USING TIMESTAMP ? WHERE part = 0 AND hour = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[READ, READ_SERIALLY, MAKE, SWAP, DROP, LIST, LISTED, DROP_LIST, LIST_HOUR, HOURS, DROP_HOUR];

const TABLE: &str = "removal_requests";

/// Rows read at a time.
const AT_ONCE: usize = 16;

/// The list, beside those of hours, of what is proven or approved: it is read first, and dropped whole as they are.
const URGENT: i32 = -1;

const HOUR_US: i64 = 3_600_000_000;

/// The hour in which a request came, counted from 1970.
fn hour_of(at: Timestamp) -> i32 {
    i32::try_from(at.0.div_euclid(HOUR_US)).unwrap_or(i32::MAX)
}

/// The moment after which nobody lists a request of an hour any more, but for those who say so again.
fn hour_is_over(hour: i32, now: Timestamp) -> bool {
    Timestamp((i64::from(hour) + 1).saturating_mul(HOUR_US)).plus(GHOST_AFTER) < now
}

fn is_urgent(request: &RemovalRequest) -> bool {
    matches!(request.state, RequestState::Proven | RequestState::Approved)
}

/// A revision as stored.
fn stored(rev: u64) -> i64 {
    i64::try_from(rev).unwrap_or(i64::MAX)
}

type Columns = (Option<i64>, Option<Uuid>, Option<String>, Option<i64>);

struct RequestRow {
    rev: i64,
    writer: Option<Uuid>,
    request: RemovalRequest,
}

fn read_row(id: &str, (rev, writer, body, sum): Columns) -> StoreResult<RequestRow> {
    let request = unseal(TABLE, id, &body.unwrap_or_default(), sum.unwrap_or_default())?;
    Ok(RequestRow { rev: rev.unwrap_or_default(), writer, request })
}

/// What an entry of an hour leads to.
enum Entry {
    /// A request that is not ended, or one that cannot be read.
    Stays(Option<Box<RemovalRequest>>),
    /// One that is ended, or that was never made.
    Over,
}

impl CqlStore {
    async fn request_row(&self, cql: &Cql, id: &str) -> StoreResult<Option<RequestRow>> {
        self.db.one::<Columns>(cql, (id,)).await?.map(|columns| read_row(id, columns)).transpose()
    }

    async fn list_request(&self, request: &RemovalRequest, hour: i32, at: Timestamp) -> StoreResult<()> {
        self.db.write(&LIST_HOUR, (hour, at.0)).await?;
        self.db.write(&LIST, (hour, request.id.as_str(), at.0)).await
    }

    async fn make_request(&self, request: &RemovalRequest) -> StoreResult<bool> {
        let sealed = seal(TABLE, request.id.as_str(), request)?;
        let mut lost = String::new();
        for _ in 0..TRIES {
            let writer = Uuid::new_v4();
            match self.db.lwt(&MAKE, (request.id.as_str(), stored(request.rev), writer, &sealed.body, sealed.sum)).await? {
                Lwt::Applied => return Ok(true),
                Lwt::Met(_) => return Ok(false),
                Lwt::Unknown(why) => match self.request_row(&READ_SERIALLY, request.id.as_str()).await? {
                    Some(row) => return Ok(row.writer == Some(writer)),
                    None => lost = why,
                },
            }
        }
        Err(StoreError::Unavailable(format!("request {} could not be made: {lost}", request.id)))
    }

    /// What an entry leads to. Whether one without a row was never made is asked serially.
    async fn entry(&self, id: &str, hour_is_over: bool) -> StoreResult<Entry> {
        let cql = if hour_is_over { &READ_SERIALLY } else { &READ };
        let Some(columns) = self.db.one::<Columns>(cql, (id,)).await? else { return Ok(Entry::Over) };
        Ok(match read_row(id, columns) {
            Ok(row) if row.request.state.is_ended() => Entry::Over,
            Ok(row) => Entry::Stays(Some(Box::new(row.request))),
            Err(why) => {
                left_out(TABLE, id, &why);
                Entry::Stays(None)
            }
        })
    }

    /// The open requests of an hour; the hour's list is dropped once it is of no more use.
    async fn open_of_hour(&self, hour: i32) -> StoreResult<Vec<RemovalRequest>> {
        let now = self.db.now();
        let is_over = hour_is_over(hour, now);
        let ids: Vec<(String,)> = self.db.rows(&LISTED, (hour,)).await?;
        let entries = each(ids, AT_ONCE, |(id,)| async move { self.entry(&id, is_over).await }).await?;
        if is_over && entries.iter().all(|entry| matches!(entry, Entry::Over)) {
            // Entries first: as long as the hour is named, they are looked at.
            self.db.write(&DROP_LIST, (now.0, hour)).await?;
            self.db.step("drop an hour of requests").await?;
            self.db.write(&DROP_HOUR, (now.0, hour)).await?;
        }
        let stays = |entry| match entry {
            Entry::Stays(request) => request.map(|request| *request),
            Entry::Over => None,
        };
        Ok(entries.into_iter().filter_map(stays).collect())
    }
}

#[async_trait]
impl RemovalRequestStore for CqlStore {
    async fn create_request(&self, request: &RemovalRequest) -> StoreResult<bool> {
        let begun = self.db.now();
        self.list_request(request, hour_of(request.created_at), begun).await?;
        self.db.step("make a request").await?;
        let is_new = self.make_request(request).await?;
        self.db.step("answer").await?;
        if self.db.now().since(begun) > HELD_UP {
            // Whoever was held up so long may have been taken for dead, and the hour dropped, by a clock that is ahead of ours.
            self.list_request(request, hour_of(request.created_at), self.db.now().plus(GHOST_AFTER)).await?;
        }
        Ok(is_new)
    }

    async fn request(&self, id: &RequestId) -> StoreResult<Option<RemovalRequest>> {
        Ok(self.request_row(&READ_SERIALLY, id.as_str()).await?.map(|row| row.request))
    }

    async fn put_request(&self, expected_rev: u64, new: &RemovalRequest) -> StoreResult<bool> {
        let (id, expected) = (new.id.as_str(), stored(expected_rev));
        let sealed = seal(TABLE, id, new)?;
        let mut lost = String::new();
        if is_urgent(new) {
            // Should this entry be lost to somebody who drops the list just now, that of the request's hour still stands.
            self.list_request(new, URGENT, self.db.now()).await?;
        }
        self.db.step("put a request").await?;
        for _ in 0..TRIES {
            let writer = Uuid::new_v4();
            match self.db.lwt(&SWAP, (stored(new.rev), writer, &sealed.body, sealed.sum, id, expected)).await? {
                Lwt::Applied => {
                    self.db.step("answer").await?;
                    return Ok(true);
                }
                Lwt::Met(_) => return Ok(false),
                Lwt::Unknown(why) => match self.request_row(&READ_SERIALLY, id).await? {
                    Some(row) if row.writer == Some(writer) => return Ok(true),
                    Some(row) if row.rev == expected => lost = why,
                    _ => return Ok(false),
                },
            }
        }
        Err(StoreError::Unavailable(format!("request {id} could not be put: {lost}")))
    }

    async fn drop_request(&self, id: &RequestId) -> StoreResult<()> {
        let id = id.as_str();
        let mut lost = String::new();
        for _ in 0..TRIES {
            let Some(row) = self.request_row(&READ_SERIALLY, id).await?.filter(|row| row.request.state.is_ended()) else { return Ok(()) };
            self.db.step("drop a request").await?;
            match self.db.lwt(&DROP, (id, row.rev)).await? {
                Lwt::Applied => return self.db.step("answer").await,
                Lwt::Met(_) => {}
                Lwt::Unknown(why) => lost = why,
            }
        }
        Err(StoreError::Unavailable(format!("request {id} could not be dropped: {lost}")))
    }

    async fn open_requests(&self, limit: usize) -> StoreResult<Vec<RemovalRequest>> {
        let mut open = Vec::new();
        let hours: Vec<(i32,)> = self.db.rows(&HOURS, ()).await?;
        for (hour,) in hours {
            open.extend(self.open_of_hour(hour).await?);
            if open.len() >= limit {
                break;
            }
        }
        let order = |request: &RemovalRequest| (!is_urgent(request), request.created_at, request.id.clone());
        open.sort_by_key(order);
        open.dedup_by(|one, other| one.id == other.id);
        open.truncate(limit);
        Ok(open)
    }
}
