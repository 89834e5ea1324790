//! Opening the file: key first, then identity, and only then anything that writes.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::config::OpenConfig;
use crate::write_ahead::{Log, fold_on_close, put_on_disk};
use crate::{StoreError, migration, settings};

/// Prepared statements kept; there are fewer different ones.
const STATEMENTS: usize = 160;

/// How long a lock of SQLite's is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What stands at the ledger's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet.
    Nothing,
    /// A ledger with this schema.
    Ledger(i64),
}

/// Refuses a key that would be ignored, and the lack of one that is needed.
pub(crate) fn check_key(config: &OpenConfig) -> Result<(), StoreError> {
    match (cfg!(feature = "sqlcipher"), config.key.is_some()) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(StoreError::KeyMissing),
        (false, true) => Err(StoreError::KeyWithoutEncryption),
    }
}

/// The writer's connection, with what it found, and its log as it is now. The file is not changed if it is not ours.
pub(crate) fn open_writer(config: &OpenConfig, log: Log) -> Result<(Connection, Found, Log), StoreError> {
    settings::check_version()?;
    let conn = open(config, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // Closing would write the log back: not into a file that is not ours, or not with this key.
    fold_on_close(&conn, Log::Doubtful)?;
    let found = identify(&conn, config)?;
    let log = if found != Found::Nothing && log == Log::Doubtful { put_on_disk(config)? } else { Log::Synced };
    fold_on_close(&conn, log)?;
    settings::apply_writer(&conn)?;
    Ok((conn, found, log))
}

/// A reader's connection to an existing ledger.
pub(crate) fn open_reader(config: &OpenConfig) -> Result<Connection, StoreError> {
    let conn = open(config, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match identify(&conn, config)? {
        Found::Nothing => Err(StoreError::NotALedger),
        Found::Ledger(_) => {
            settings::apply_reader(&conn)?;
            Ok(conn)
        }
    }
}

fn open(config: &OpenConfig, flags: OpenFlags) -> Result<Connection, StoreError> {
    check_key(config)?;
    let path: &Path = &config.ledger_path();
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match &config.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans do not depend on the values bound: else SQLite plans many a kept statement anew at each use, and the same
    // question may be answered by another index tomorrow.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A reader that starts while the writer opens the log waits a moment; nobody else ever holds the file.
    conn.busy_timeout(BUSY_TIMEOUT)?;
    apply_key(&conn, config)?;
    Ok(conn)
}

#[cfg(feature = "sqlcipher")]
fn apply_key(conn: &Connection, config: &OpenConfig) -> Result<(), StoreError> {
    // It prints integrity failures to standard error unless told not to.
    for (name, value) in [("cipher_log_level", "NONE"), ("cipher_log", "off")] {
        conn.pragma(None, name, value, |_| Ok(()))?;
    }
    let key = config.key.as_ref().ok_or(StoreError::KeyMissing)?.to_sql();
    let statement = zeroize::Zeroizing::new(format!("PRAGMA key = \"{}\"", key.as_str()));
    conn.query_row(&statement, [], |_| Ok(())).or_else(|error| match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    })?;
    // A build that calls itself encrypted and is not would answer nothing here.
    match settings::read(conn, "cipher_version") {
        Ok(version) if !version.is_empty() => Ok(()),
        _ => Err(StoreError::Setting {
            name: "cipher_version",
            wanted: "a version".to_owned(),
            found: "none".to_owned(),
        }),
    }
}

#[cfg(not(feature = "sqlcipher"))]
fn apply_key(_conn: &Connection, _config: &OpenConfig) -> Result<(), StoreError> {
    Ok(())
}

/// Tells whose file this is by reading alone.
fn identify(conn: &Connection, config: &OpenConfig) -> Result<Found, StoreError> {
    let application: i64 =
        conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|error| foreign(error, config))?;
    let schema: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (application, schema) {
        (0, 0) if tables(conn)? == 0 => Ok(Found::Nothing),
        (migration::APPLICATION_ID, found) if found > migration::newest() => {
            Err(StoreError::NewerLedger { found, known: migration::newest() })
        }
        (migration::APPLICATION_ID, found) if found > 0 => Ok(Found::Ledger(found)),
        _ => Err(StoreError::NotALedger),
    }
}

fn tables(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?)
}

/// What it means that the first look into a file failed.
fn foreign(error: rusqlite::Error, config: &OpenConfig) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) if cfg!(feature = "sqlcipher") && is_plain(config) => StoreError::NotEncrypted,
        Some(ErrorCode::NotADatabase) if cfg!(feature = "sqlcipher") => StoreError::WrongKey,
        Some(ErrorCode::NotADatabase) => StoreError::NotALedger,
        _ => error.into(),
    }
}

/// The file begins as SQLite's own do: nobody encrypted it.
fn is_plain(config: &OpenConfig) -> bool {
    let mut start = [0; 16];
    let read = File::open(config.ledger_path()).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"SQLite format 3\0"
}

/// True for errors that mean the file's content is broken.
pub(crate) fn is_corrupt(error: &StoreError) -> bool {
    matches!(error, StoreError::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt))
}

impl StoreError {
    /// True if a part of the file cannot be read: its content is broken. Nothing was set aside yet.
    #[must_use]
    pub fn is_unreadable_file(&self) -> bool {
        is_corrupt(self)
    }
}

#[cfg(all(test, feature = "sqlcipher"))]
mod tests {
    #[test]
    fn the_build_encrypts() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        assert!(!crate::settings::read(&conn, "cipher_version").unwrap().is_empty());
    }
}

#[cfg(all(test, not(feature = "sqlcipher")))]
mod tests {
    #[test]
    fn the_build_does_not_encrypt() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        assert!(crate::settings::read(&conn, "cipher_version").is_err());
    }
}
