//! A phone's files, read by a connection of the judge's own: it writes nothing, and leaves the log as it is.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::record::{RawColumns, RawEvent};

/// The rows after `after` of the ledger in this directory, in order; 0 for all. `key` is the database's, where it is encrypted.
/// The system's own VFS is used: faults of a simulated disk do not reach it.
///
/// # Errors
/// The file cannot be opened or read, or a column is of another type.
pub fn events(dir: &Path, key: Option<&[u8; 32]>, after: u64) -> Result<Vec<RawEvent>, rusqlite::Error> {
    let conn = open(dir, key)?;
    let mut statement = conn.prepare(
        "SELECT seq, at_ms, monotonic_ms, boot_id, operator, subject, kind, body_version, body, hash
         FROM event WHERE seq > ? ORDER BY seq",
    )?;
    let rows = statement.query_map([after.cast_signed()], |row| {
        let columns = RawColumns {
            at_ms: row.get(1)?,
            monotonic_ms: row.get(2)?,
            boot_id: row.get(3)?,
            operator: row.get(4)?,
            subject: row.get(5)?,
            kind: row.get(6)?,
            body_version: row.get(7)?,
            body: row.get(8)?,
        };
        Ok(RawEvent { seq: row.get::<_, i64>(0)?.cast_unsigned(), columns, hash: row.get(9)? })
    })?;
    rows.collect()
}

fn open(dir: &Path, key: Option<&[u8; 32]>) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags_and_vfs(dir.join("ledger.db"), flags, c"unix")?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if let Some(key) = key {
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        conn.execute_batch(&format!("PRAGMA key = \"x'{digits}'\""))?;
    }
    Ok(conn)
}
