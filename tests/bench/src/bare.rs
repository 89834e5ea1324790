//! What the core is compared with: a file and a sync call, and SQLite without us.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::Outcome;

/// A file that is written and synced.
pub struct BareFile(File);

impl BareFile {
    /// A new file.
    ///
    /// # Errors
    /// As the file system.
    pub fn create(path: &Path) -> Outcome<Self> {
        Ok(Self(OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?))
    }

    /// Appends 4 kB and waits for the disk.
    ///
    /// # Errors
    /// As the file system.
    pub fn append(&mut self) -> Outcome<()> {
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(&[1; 4096])?;
        Ok(self.0.sync_all()?)
    }

    /// Writes the first 4 kB again and waits for the disk.
    ///
    /// # Errors
    /// As the file system.
    pub fn overwrite(&mut self) -> Outcome<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&[2; 4096])?;
        Ok(self.0.sync_all()?)
    }
}

/// A connection to the ledger or to a file of our own, with the settings of the core that cost time.
///
/// # Errors
/// As SQLite.
pub fn connect(path: &Path, key: Option<[u8; 32]>, writes: bool) -> Outcome<Connection> {
    let access = if writes {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.set_prepared_statement_cache_capacity(64);
    // As the core: a floor that plans its statements anew each time would flatter us.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if let Some(key) = key {
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        conn.pragma(None, "cipher_log_level", "NONE", |_| Ok(()))?;
        conn.pragma(None, "key", format!("x'{digits}'"), |_| Ok(()))?;
    }
    if writes {
        conn.pragma(None, "journal_mode", "WAL", |_| Ok(()))?;
        conn.pragma(None, "synchronous", "FULL", |_| Ok(()))?;
        conn.pragma(None, "secure_delete", "ON", |_| Ok(()))?;
        conn.pragma(None, "wal_autocheckpoint", "4000", |_| Ok(()))?;
    }
    Ok(conn)
}

/// One table, one row to a commit.
pub struct BareTable {
    conn: Connection,
    text: String,
}

impl BareTable {
    /// A new file with the table, encrypted if this build is.
    ///
    /// # Errors
    /// As SQLite.
    pub fn create(path: &Path) -> Outcome<Self> {
        let conn = connect(path, crate::KEY, true)?;
        conn.execute_batch("CREATE TABLE record (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")?;
        Ok(Self { conn, text: "r".repeat(400) })
    }

    /// Inserts a row of 400 bytes and commits.
    ///
    /// # Errors
    /// As SQLite.
    pub fn insert(&self) -> Outcome<()> {
        self.conn.prepare_cached("INSERT INTO record (body) VALUES (?)")?.execute([&self.text])?;
        Ok(())
    }
}
