//! The schema: what `inkdex migrate` runs, once each and one process at a time, and the check that every start makes.

use super::db::{connect, first};
use super::errors::{failed, is_missing_table};
use super::settings::CqlSettings;
use crate::domain::artist::hex;
use crate::store::{StoreError, StoreResult};
use scylla::client::session::Session;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::SerialConsistency;
use scylla::statement::unprepared::Statement;
use scylla::value::Row;
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// One file of statements, run as a whole.
struct Migration {
    version: i32,
    name: &'static str,
    text: &'static str,
}

/// In order; a migration that has been released is never changed, another is added.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "001_artists", text: include_str!("../../../deploy/cql/001_artists.cql") },
    Migration { version: 2, name: "002_ledger", text: include_str!("../../../deploy/cql/002_ledger.cql") },
    Migration { version: 3, name: "003_operations", text: include_str!("../../../deploy/cql/003_operations.cql") },
    Migration { version: 4, name: "004_removal_requests", text: include_str!("../../../deploy/cql/004_removal_requests.cql") },
];

/// The tables that the migrations themselves are kept in.
const OWN_TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text, checksum text)",
    "CREATE TABLE IF NOT EXISTS schema_lock (name text PRIMARY KEY, owner text)",
    "CREATE TABLE IF NOT EXISTS schema_settings (name text PRIMARY KEY, value text)",
];

/// How long a migrating process that died keeps others away, in seconds; a statement takes less.
const LOCK_S: i32 = 120;

/// How often a statement is sent again whose answer the database was late with.
const LATE_ANSWERS: u32 = 5;

/// How often one looks whether another is done.
const LOCK_EVERY: Duration = Duration::from_millis(250);

/// A schema change may have to wait for every node.
const DDL_TIMEOUT: Duration = Duration::from_secs(60);

/// The name under which the number of the feed's shards is kept.
const FEED_SHARDS: &str = "feed_shards";

impl Migration {
    fn checksum(&self) -> String {
        hex(&Sha256::digest(self.text.as_bytes()))
    }

    fn statements(&self) -> Vec<String> {
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
        lines.split(";\n").map(|statement| statement.trim().trim_end_matches(';').to_owned()).filter(|text| !text.is_empty()).collect()
    }
}

/// What the database says of its schema.
struct Found {
    keyspace: bool,
    /// Versions with their checksums; none if the table is not there.
    run: Option<Vec<(i32, String)>>,
}

/// Runs a statement that is not worth preparing.
async fn run(session: &Session, text: &str, values: impl SerializeRow) -> StoreResult<QueryResult> {
    let mut statement = Statement::new(text);
    statement.set_request_timeout(Some(DDL_TIMEOUT));
    statement.set_serial_consistency(Some(SerialConsistency::LocalSerial));
    session.query_unpaged(statement, values).await.map_err(|error| failed(text, &error))
}

/// Runs a conditional statement on the lock, whose outcome may stay unknown when the database is late: then it is run again, and
/// counts as applied if the lock is `owner`'s. Answers whether it was applied.
async fn run_if(session: &Session, text: &str, values: impl SerializeRow + Copy, owner: &str) -> StoreResult<bool> {
    let mut answer = run(session, text, values).await;
    for _ in 0..LATE_ANSWERS {
        let Err(StoreError::Unavailable(why)) = &answer else { break };
        tracing::warn!(why, "the database was late with `{text}`; it is asked again");
        tokio::time::sleep(LOCK_EVERY).await;
        answer = run(session, text, values).await;
    }
    let result = answer?.into_rows_result().map_err(|error| StoreError::Bug(format!("{text}: {error}")))?;
    let row = result.first_row::<Row>().map_err(|error| StoreError::Bug(format!("{text}: {error}")))?;
    let column = |name| {
        let at = result.column_specs().get_by_name(name).map(|(at, _)| at);
        at.and_then(|at| row.columns.get(at)).and_then(|value| value.as_ref())
    };
    let applied = column("[applied]").and_then(|value| value.as_boolean());
    let applied = applied.ok_or_else(|| StoreError::Bug(format!("{text}: the answer does not say [applied]")))?;
    Ok(applied || column("owner").and_then(|value| value.as_text()).is_some_and(|holder| holder == owner))
}

async fn look(session: &Session, settings: &CqlSettings) -> StoreResult<Found> {
    let text = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let keyspace = first::<(String,)>(text, run(session, text, (&settings.keyspace,)).await?)?.is_some();
    let text = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_migrations'";
    if first::<(String,)>(text, run(session, text, (&settings.keyspace,)).await?)?.is_none() {
        return Ok(Found { keyspace, run: None });
    }
    let text = format!("SELECT version, checksum FROM {}.schema_migrations", settings.keyspace);
    let result = match run(session, &text, ()).await {
        // While another process makes the table, the schema tables name it a moment before it can be read.
        Err(StoreError::Refused(why)) if is_missing_table(&why) => return Ok(Found { keyspace, run: None }),
        answer => answer?.into_rows_result(),
    };
    let result = result.map_err(|error| StoreError::Bug(format!("{text}: {error}")))?;
    let rows = result.rows::<(i32, String)>().map_err(|error| StoreError::Bug(format!("{text}: {error}")))?;
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(|error| StoreError::Bug(format!("{text}: {error}")))?;
    Ok(Found { keyspace, run: Some(rows) })
}

/// Refuses a schema that this build must not touch; answers the migrations still to run.
fn still_to_run(keyspace: &str, run: &[(i32, String)]) -> StoreResult<Vec<&'static Migration>> {
    let latest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if let Some((newer, _)) = run.iter().find(|(version, _)| *version > latest) {
        return Err(StoreError::Refused(format!(
            "the keyspace {keyspace} has schema {newer}, newer than the {latest} of this build; run the newer build"
        )));
    }
    let mut open = Vec::new();
    for migration in MIGRATIONS {
        match run.iter().find(|(version, _)| *version == migration.version) {
            None => open.push(migration),
            Some((_, checksum)) if *checksum == migration.checksum() => {}
            Some(_) => {
                return Err(StoreError::Refused(format!(
                    "the keyspace {keyspace} was migrated with another {} than that of this build; run the build it was migrated with, \
                     or name another keyspace",
                    migration.name
                )));
            }
        }
    }
    Ok(open)
}

/// Enters the keyspace if its schema is that of this build; answers the number of the feed's shards.
pub(super) async fn enter_keyspace(session: &Session, settings: &CqlSettings) -> StoreResult<u16> {
    let keyspace = &settings.keyspace;
    let found = look(session, settings).await?;
    if !found.keyspace {
        return Err(StoreError::Refused(format!(
            "the database has no keyspace {keyspace}; run `inkdex migrate` to make it, or correct the keyspace's name"
        )));
    }
    let open = still_to_run(keyspace, &found.run.unwrap_or_default())?;
    if let Some(first) = open.first() {
        return Err(StoreError::Refused(format!(
            "the keyspace {keyspace} lacks {} migrations of this build, from {} on; run `inkdex migrate`",
            open.len(),
            first.name
        )));
    }
    session.use_keyspace(keyspace, false).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let text = "SELECT value FROM schema_settings WHERE name = ?";
    let stored = first::<(String,)>(text, run(session, text, (FEED_SHARDS,)).await?)?;
    let shards = stored.and_then(|(value,)| value.parse().ok()).filter(|shards| *shards > 0);
    shards.ok_or_else(|| StoreError::Refused(format!("the keyspace {keyspace} was not migrated to the end; run `inkdex migrate` again")))
}

/// Brings a keyspace's schema to that of this build.
pub struct Migrator {
    session: Session,
    settings: CqlSettings,
}

impl std::fmt::Debug for Migrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Migrator {
    /// Connects.
    ///
    /// # Errors
    /// As [`super::CqlDb::open`], but a missing keyspace is none.
    pub async fn connect(settings: CqlSettings) -> StoreResult<Self> {
        Ok(Self { session: connect(&settings).await?, settings })
    }

    fn create_keyspace(&self) -> String {
        format!("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {}", self.settings.keyspace, self.settings.replication)
    }

    /// The statements that [`Self::run`] would run now; empty if the schema is that of this build.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the schema is newer than this build, or was made from other files.
    pub async fn plan(&self) -> StoreResult<Vec<String>> {
        let found = look(&self.session, &self.settings).await?;
        let open = still_to_run(&self.settings.keyspace, found.run.as_deref().unwrap_or_default())?;
        let mut plan = Vec::new();
        if !found.keyspace {
            plan.push(self.create_keyspace());
        }
        if found.run.is_none() {
            plan.extend(OWN_TABLES.map(ToOwned::to_owned));
        }
        plan.extend(open.iter().flat_map(|migration| migration.statements()));
        Ok(plan)
    }

    /// Makes the keyspace if it is missing and runs what is still to run; another process that migrates is waited for.
    /// Answers the names of the migrations it ran.
    ///
    /// # Errors
    /// As [`Self::plan`]; after any other error running it again completes it.
    pub async fn run(&self) -> StoreResult<Vec<&'static str>> {
        let found = look(&self.session, &self.settings).await?;
        still_to_run(&self.settings.keyspace, found.run.as_deref().unwrap_or_default())?;
        let keyspace = &self.settings.keyspace;
        // A keyspace that another process is making is named by the schema tables a moment before it can be used; making it waits for
        // that. Only then, since who migrates an old keyspace need not be allowed to make one.
        if !found.keyspace || self.session.use_keyspace(keyspace, false).await.is_err() {
            run(&self.session, &self.create_keyspace(), ()).await?;
            self.session.use_keyspace(keyspace, false).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        }
        for table in OWN_TABLES {
            run(&self.session, table, ()).await?;
        }
        let owner = Uuid::new_v4().to_string();
        self.lock(&owner).await?;
        let result = self.run_locked(&owner).await;
        let text = "DELETE FROM schema_lock WHERE name = 'migrate' IF owner = ?";
        if let Err(error) = run_if(&self.session, text, (owner.as_str(),), &owner).await {
            tracing::warn!(%error, "the lock on the schema could not be given back; it runs out within {LOCK_S} s");
        }
        result
    }

    async fn lock(&self, owner: &str) -> StoreResult<()> {
        let text = format!("INSERT INTO schema_lock (name, owner) VALUES ('migrate', ?) IF NOT EXISTS USING TTL {LOCK_S}");
        let wait = async {
            while !run_if(&self.session, &text, (owner,), owner).await? {
                tokio::time::sleep(LOCK_EVERY).await;
            }
            Ok(())
        };
        let long = Duration::from_secs(u64::from(LOCK_S.unsigned_abs()) * 2);
        let late = |_| StoreError::Unavailable(format!("another process has been migrating for {long:?}; stop it, and run this again"));
        tokio::time::timeout(long, wait).await.map_err(late)?
    }

    async fn run_locked(&self, owner: &str) -> StoreResult<Vec<&'static str>> {
        let renew = format!("UPDATE schema_lock USING TTL {LOCK_S} SET owner = ? WHERE name = 'migrate' IF owner = ?");
        // Again, now that nobody else migrates.
        let found = look(&self.session, &self.settings).await?;
        let open = still_to_run(&self.settings.keyspace, found.run.as_deref().unwrap_or_default())?;
        for migration in &open {
            for statement in migration.statements() {
                run(&self.session, &statement, ()).await?;
                if !run_if(&self.session, &renew, (owner, owner), owner).await? {
                    return Err(StoreError::Unavailable("another process began to migrate; run this again".to_owned()));
                }
            }
            let text = "INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?) IF NOT EXISTS";
            run_if(&self.session, text, (migration.version, migration.name, migration.checksum().as_str()), owner).await?;
        }
        let text = "INSERT INTO schema_settings (name, value) VALUES (?, ?) IF NOT EXISTS";
        run_if(&self.session, text, (FEED_SHARDS, self.settings.feed_shards.to_string().as_str()), owner).await?;
        Ok(open.into_iter().map(|migration| migration.name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_rise_and_say_if_not_exists() {
        for (n, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), n + 1);
            assert!(migration.name.starts_with(&format!("{:03}_", n + 1)));
            let statements = migration.statements();
            assert!(!statements.is_empty());
            for statement in statements {
                assert!(statement.contains("IF NOT EXISTS") && !statement.contains("--") && !statement.contains(';'), "{statement}");
            }
        }
    }

    #[test]
    fn a_schema_of_another_build_is_refused() {
        let run = |rows: &[(i32, &str)]| {
            let rows: Vec<_> = rows.iter().map(|(version, checksum)| (*version, (*checksum).to_owned())).collect();
            still_to_run("inkdex", &rows).map(|open| open.len()).map_err(|error| error.to_string())
        };
        assert_eq!(run(&[]), Ok(MIGRATIONS.len()));
        assert_eq!(run(&[(1, &MIGRATIONS[0].checksum())]), Ok(MIGRATIONS.len() - 1));
        assert!(run(&[(999, "x")]).unwrap_err().contains("schema 999, newer than"));
        assert!(run(&[(1, "x")]).unwrap_err().contains("another 001_artists"));
    }
}
