//! Holds on hosts that several processes share: a row a host, changed by compare-and-set on its revision. Its times are in the
//! database's clock, as that of another process may say something else; where it is not known to the microsecond, later counts.

use super::CqlStore;
use super::ledger_rows::TRIES;
use super::statement::{Cql, Lwt};
use crate::domain::clock::Timestamp;
use crate::store::{HostAnswer, HostHolds, HostTicket, Meta, StoreError, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

const HOST: Cql = Cql::serial("SELECT rev, hold, owner, until, next_at, back_off FROM hosts WHERE host = ?");
const MAKE: Cql =
    Cql::lwt("INSERT INTO hosts (host, rev, hold, owner, until, next_at, back_off) VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS");
const SWAP: Cql = Cql::lwt("UPDATE hosts SET rev = ?, hold = ?, owner = ?, until = ?, next_at = ?, back_off = ? WHERE host = ? IF rev = ?");

/// The statements of this file.
pub(super) const STATEMENTS: &[Cql] = &[HOST, MAKE, SWAP];

/// What a row says. Every change raises the revision; a hold is proved by the token that it was taken with.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    rev: i64,
    token: i64,
    owner: String,
    until: i64,
    next_at: i64,
    back_off: i64,
}

/// A token that no other hold has, on whatever host.
fn fresh_token() -> i64 {
    Uuid::new_v4().as_u64_pair().1.cast_signed()
}

/// Holds on hosts in the store.
#[derive(Debug)]
pub struct CqlHostHolds {
    store: CqlStore,
    /// No host is asked anything before.
    not_before: Timestamp,
}

impl CqlHostHolds {
    /// Holds of a process that asks no host anything before `not_before`.
    pub fn new(store: CqlStore, not_before: Timestamp) -> Self {
        Self { store, not_before }
    }

    async fn read(&self, host: &str) -> StoreResult<Option<Row>> {
        type Columns = (i64, i64, String, i64, i64, i64);
        let columns: Option<Columns> = self.store.db.one(&HOST, (host,)).await?;
        Ok(columns.map(|(rev, token, owner, until, next_at, back_off)| Row { rev, token, owner, until, next_at, back_off }))
    }

    /// Changes a row until nobody came in between. `change` answers the row to be, or what to answer without changing it.
    async fn change<T: Send>(&self, host: &str, change: impl Fn(&Row) -> Result<Row, T> + Send + Sync) -> StoreResult<Result<Row, T>> {
        for _ in 0..TRIES {
            let met = self.read(host).await?;
            let unknown = Row { rev: 0, token: 0, owner: String::new(), until: 0, next_at: 0, back_off: 0 };
            let row = met.as_ref().unwrap_or(&unknown);
            let next = match change(row) {
                Ok(next) => Row { rev: row.rev + 1, ..next },
                Err(answer) => return Ok(Err(answer)),
            };
            let says = (next.rev, next.token, next.owner.as_str(), next.until, next.next_at, next.back_off);
            let answer = match &met {
                None => self.store.db.lwt(&MAKE, (host, says.0, says.1, says.2, says.3, says.4, says.5)).await?,
                Some(row) => self.store.db.lwt(&SWAP, (says.0, says.1, says.2, says.3, says.4, says.5, host, row.rev)).await?,
            };
            // After an unknown outcome it is decided again from the row: a hold that was taken all the same is met as
            // somebody's and runs out.
            if let Lwt::Applied = answer {
                return Ok(Ok(next));
            }
        }
        Err(StoreError::Unavailable(format!("host {host} is contended")))
    }
}

#[async_trait]
impl HostHolds for CqlHostHolds {
    async fn take(&self, host: &str, owner: &str, hold_us: i64, now: Timestamp) -> StoreResult<HostAnswer> {
        let clock = self.store.db.clock_offset();
        let ours = |theirs: i64| clock.ours(Timestamp(theirs));
        let (earliest, not_before) = (clock.earliest(now).0, clock.latest(self.not_before).0);
        let until = now.0.saturating_add(hold_us);
        let take = |row: &Row| {
            let busy = if row.until > earliest { row.until.max(row.back_off) } else { row.back_off };
            if busy > earliest {
                return Err(HostAnswer::Busy(ours(busy)));
            }
            // A hold in which no request may begin would only keep others away.
            let next_at = row.next_at.max(not_before);
            if ours(next_at).0 >= until {
                return Err(HostAnswer::Busy(ours(next_at)));
            }
            Ok(Row { token: fresh_token(), owner: owner.to_owned(), until: clock.latest(Timestamp(until)).0, next_at, ..row.clone() })
        };
        Ok(match self.change(host, take).await? {
            Ok(row) => {
                let token = row.token.cast_unsigned();
                let next_at = ours(row.next_at);
                HostAnswer::Taken(HostTicket { host: host.to_owned(), token, until: Timestamp(until), next_at })
            }
            Err(answer) => answer,
        })
    }

    async fn give_back(&self, ticket: &HostTicket, next_at: Timestamp) -> StoreResult<()> {
        let next_at = self.store.db.clock_offset().latest(next_at);
        let give = |row: &Row| {
            // The token is spent: giving back twice must not end the next one's hold.
            if row.token.cast_unsigned() != ticket.token {
                return Err(());
            }
            Ok(Row { token: 0, owner: String::new(), until: 0, next_at: row.next_at.max(next_at.0), ..row.clone() })
        };
        self.change(&ticket.host, give).await.map(drop)
    }

    async fn back_off(&self, host: &str, until: Timestamp) -> StoreResult<()> {
        let until = self.store.db.clock_offset().latest(until);
        // Listed first: who asks for all back-offs may see one that is not in force, never miss one that is.
        self.store.put_host_back_off(host, until).await?;
        self.store.db.step("put the back-off").await?;
        // A hold goes on under its token: only who comes next is kept away.
        let back_off = |row: &Row| {
            if row.back_off >= until.0 { Err(()) } else { Ok(Row { back_off: until.0, ..row.clone() }) }
        };
        self.change(host, back_off).await.map(drop)
    }
}
