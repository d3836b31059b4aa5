//! Opening the database file: refusals, permissions, pragmas and the lock that proves the previous owner dead.

use super::schema;
use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a connection waits for a lock of the database; only other processes can make it wait.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept compiled a connection.
const STATEMENTS_CACHED: usize = 128;

/// Marks the file as ours ("INKD").
pub(super) const APPLICATION_ID: i64 = 0x494E_4B44;

/// A path with something appended to its last part, as SQLite does for `-wal`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Holds the database for this process until dropped; the kernel lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    /// Takes the lock file of the database at `path`, and writes this process's id into it.
    ///
    /// # Errors
    /// [`StoreError::Held`] if another process holds it, [`StoreError::Refused`] if it cannot be written.
    pub fn take(path: &Path) -> StoreResult<Self> {
        let lock = beside(path, ".lock");
        let refused = |what: &str, error: &dyn std::fmt::Display| {
            StoreError::Refused(format!("the lock file {} cannot be {what}: {error}; check the folder's permissions", lock.display()))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(|error| refused("opened", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The holder may be between locking and writing; the pid is a help to people, nothing rests on it.
                let read = file.read_to_string(&mut pid);
                let pid = if read.is_ok() && !pid.trim().is_empty() { pid.trim() } else { "unknown" };
                return Err(StoreError::Held {
                    database: path.display().to_string(),
                    holder: pid.to_owned(),
                    lock: lock.display().to_string(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refused("locked", &error)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| refused("written", &error))?;
        Ok(Self { _file: file })
    }
}

/// Refuses paths at which no database can lie, makes the folder and an empty file that only its owner may read.
pub(super) fn prepare_file(path: &Path) -> StoreResult<()> {
    if path.is_dir() {
        return Err(StoreError::Refused(format!(
            "{} is a folder; name a file in it, as {}",
            path.display(),
            path.join("inkdex.db").display()
        )));
    }
    let refused = |error: std::io::Error| {
        StoreError::Refused(format!("the database {} cannot be written: {error}; check the folder and its permissions", path.display()))
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // The file holds e-mail addresses and phone numbers; `-wal` and `-shm` take over its permissions.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(refused)
}

/// Opens the one writing connection and brings the schema up to date.
pub(super) fn open_writer(path: &Path) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    refuse_strangers(&connection, path)?;
    // SQLite falls back to reading alone without a word.
    if connection.is_readonly("main")? {
        return Err(StoreError::Refused(format!("the database {} is not writable; check its permissions", path.display())));
    }
    set_pragmas(&connection)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a reading connection to a database whose schema is up to date.
pub(super) fn open_reader(path: &Path) -> StoreResult<Connection> {
    if !path.is_file() {
        return Err(StoreError::Refused(format!(
            "there is no database at {} yet; `inkdex run` or `inkdex serve` makes it, or set data.folder to where it lies",
            path.display()
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    refuse_strangers(&connection, path)?;
    let version = schema::version(&connection)?;
    if version < schema::LATEST {
        return Err(StoreError::Refused(format!(
            "the database {} has schema {version}, this build reads {}; start the daemon of this build once to bring it up to date",
            path.display(),
            schema::LATEST
        )));
    }
    set_pragmas(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn refuse_strangers(connection: &Connection, path: &Path) -> StoreResult<()> {
    let stranger = || {
        let path = path.display();
        StoreError::Refused(format!("{path} is not a database of inkdex; name another file, this one was left untouched"))
    };
    let read = || -> rusqlite::Result<(i64, i64)> {
        let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((application, tables))
    };
    let (application, tables) = match read() {
        Ok(found) => found,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => return Err(stranger()),
        Err(error) => return Err(error.into()),
    };
    let fresh = application == 0 && tables == 0;
    if application != APPLICATION_ID && !fresh {
        return Err(stranger());
    }
    let version = schema::version(connection)?;
    if version > schema::LATEST {
        return Err(StoreError::Refused(format!(
            "the database {} has schema {version}, newer than the {} of this build; run the newer build",
            path.display(),
            schema::LATEST
        )));
    }
    Ok(())
}

/// What every connection is set to; a test reads it back.
fn set_pragmas(connection: &Connection) -> StoreResult<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // NORMAL would not sync a commit in WAL mode: an acknowledged write could be lost with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Removal promises that the bytes are gone: freed space is overwritten.
    connection.pragma_update_and_check(None, "secure_delete", true, |row| row.get::<_, i64>(0))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 16 * 1024 * 1024, |row| row.get::<_, i64>(0))?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}
