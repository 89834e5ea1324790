//! The settings that the promises rest on: set, read back, refused on a mismatch.

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::StoreError;

/// The oldest SQLite without the WAL-reset fault, as `sqlite3_libversion_number` counts.
pub const OLDEST_SQLITE: i32 = 3_051_003;

/// Checkpoints by themselves only when this many pages wait: idle time is the place for them.
pub const BACKSTOP_PAGES: i64 = 4_000;

/// Pages that make an idle checkpoint worth its while.
pub const IDLE_PAGES: i64 = 1_000;

/// Pragmas of the writer: name, what to set, what to read back.
const WRITER: &[(&str, &str, &str)] = &[
    ("journal_mode", "WAL", "wal"),
    // Every commit waits for the disk: NORMAL loses acknowledged payments when the power goes.
    ("synchronous", "FULL", "2"),
    ("foreign_keys", "ON", "1"),
    // Erased card data is overwritten, not just unlinked.
    ("secure_delete", "ON", "1"),
    ("temp_store", "MEMORY", "2"),
    ("wal_autocheckpoint", "4000", "4000"),
    ("cell_size_check", "ON", "1"),
];

/// On Apple `fsync` leaves data in the drive's cache.
#[cfg(target_vendor = "apple")]
const APPLE: &[(&str, &str, &str)] = &[("fullfsync", "ON", "1"), ("checkpoint_fullfsync", "ON", "1")];
#[cfg(not(target_vendor = "apple"))]
const APPLE: &[(&str, &str, &str)] = &[];

/// Pragmas of a reader.
const READER: &[(&str, &str, &str)] = &[("query_only", "ON", "1"), ("temp_store", "MEMORY", "2")];

/// Refuses a SQLite that is too old.
pub(crate) fn check_version() -> Result<(), StoreError> {
    let found = rusqlite::version_number();
    if found >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(StoreError::Setting {
        name: "sqlite_version",
        wanted: OLDEST_SQLITE.to_string(),
        found: rusqlite::version().to_owned(),
    })
}

/// Sets and reads back what the one writer needs.
pub(crate) fn apply_writer(conn: &Connection) -> Result<(), StoreError> {
    WRITER.iter().chain(APPLE).try_for_each(|setting| apply(conn, setting))?;
    #[cfg(feature = "planted")]
    if takings_domain::planted::is("synchronous_normal") {
        apply(conn, &("synchronous", "NORMAL", "1"))?;
    }
    #[cfg(feature = "planted")]
    if takings_domain::planted::is("secure_delete_off") {
        apply(conn, &("secure_delete", "OFF", "0"))?;
    }
    Ok(())
}

/// Sets and reads back what a reader needs.
pub(crate) fn apply_reader(conn: &Connection) -> Result<(), StoreError> {
    READER.iter().try_for_each(|setting| apply(conn, setting))
}

fn apply(conn: &Connection, (name, set, wanted): &(&'static str, &str, &str)) -> Result<(), StoreError> {
    // Some pragmas answer, some do not: the answer is not looked at, only what is read back.
    conn.pragma(None, name, set, |_| Ok(()))?;
    let found = read(conn, name)?;
    if found == *wanted {
        return Ok(());
    }
    Err(StoreError::Setting { name, wanted: (*wanted).to_owned(), found })
}

/// A setting as it stands.
pub(crate) fn read(conn: &Connection, name: &str) -> Result<String, StoreError> {
    Ok(match conn.pragma_query_value(None, name, |row| row.get(0))? {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        _ => String::new(),
    })
}
