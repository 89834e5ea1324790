//! The log that SQLite writes ahead of the file: when it goes back into the file, and why an opening does not trust what
//! it finds in it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::StoreError;
use crate::config::OpenConfig;

/// So much of the log is in memory at once, bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Whether a power cut can take what the log shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// This process wrote it, or wrote it once more, and every sync of it succeeded; or there is none.
    Synced,
    /// Another process may have, or a commit failed: what it shows may be in memory alone.
    Doubtful,
}

/// What a checkpoint did, in pages of the log.
pub(crate) struct Checkpoint {
    pub(crate) busy: bool,
    log_pages: i64,
    done_pages: i64,
}

impl Checkpoint {
    /// Pages that are not in the file yet.
    pub(crate) fn waiting(&self) -> i64 {
        self.log_pages.saturating_sub(self.done_pages)
    }
}

/// Writes the log back: `PASSIVE`, `TRUNCATE`, or `NOOP` to ask only.
pub(crate) fn checkpoint(conn: &Connection, mode: &str) -> Result<Checkpoint, StoreError> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    Ok(conn.query_row(&sql, [], |row| {
        Ok(Checkpoint { busy: row.get::<_, i64>(0)? != 0, log_pages: row.get(1)?, done_pages: row.get(2)? })
    })?)
}

/// What an opening does with the log it finds, before anything is shown or written. A sync of the process before may have
/// failed just before it was killed: then the log can be read and is not on disk, and no later sync will put it there,
/// since the system takes it for clean. Written once more, each byte where it is, it is on disk. A full disk must not keep a
/// till shut: there the log stays as it was found, and nothing may be written behind it yet.
pub(crate) fn put_on_disk(config: &OpenConfig) -> Result<Log, StoreError> {
    let log = config.log_path();
    match fs::metadata(&log) {
        Ok(found) if found.len() > 0 => {}
        Ok(_) => return Ok(Log::Synced),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Synced),
        Err(error) => return Err(error.into()),
    }
    match again(config, &log) {
        Err(error) if error.kind() == ErrorKind::StorageFull => Ok(Log::Doubtful),
        done => Ok(done.map(|()| Log::Synced)?),
    }
}

/// After a commit that failed, once [`put_on_disk`] was done: what the log shows goes into the file, and the log is emptied,
/// so that what it does not show cannot come back with the next process, nor, the emptiness being on disk, after a power cut.
pub(crate) fn settle(conn: &Connection, config: &OpenConfig) -> Result<(), StoreError> {
    if checkpoint(conn, "TRUNCATE")?.busy {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, Some("a reader is in the way".to_owned())).into());
    }
    Ok(again(config, &config.log_path())?)
}

/// Closing writes the log back, unless it may not be on the disk.
pub(crate) fn fold_on_close(conn: &Connection, log: Log) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log == Log::Doubtful)?;
    Ok(())
}

fn again(config: &OpenConfig, log: &Path) -> io::Result<()> {
    config.write_again.unwrap_or(write_again)(log)
}

/// Writes a file's bytes where they are, and syncs it.
fn write_again(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        file.seek_relative(-i64::try_from(read).unwrap_or(0))?;
        file.write_all(bytes)?;
    }
    file.sync_all()
}
