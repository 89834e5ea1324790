//! From any released schema to this build's: one ordered list, one transaction each, never back (promise P12). Stopped
//! anywhere, a ledger is of one schema or of the next, and the next opening goes on from there.

#[cfg(test)]
pub(crate) mod tests;

use rusqlite::{Connection, OptionalExtension};
use takings_domain::LedgerId;

use crate::{StoreError, projection};

/// `TAK1` in the file's header: this file is a ledger.
pub(crate) const APPLICATION_ID: i64 = 0x5441_4B31;

/// Changes of what is kept for good. The projections have a version of their own.
const MIGRATIONS: [&str; 1] = [include_str!("schema/0001_kept.sql")];

/// Meta: the ledger's id, sixteen bytes.
pub(crate) const META_LEDGER_ID: &str = "ledger_id";
/// Meta: the version of the projections in the file, four bytes.
pub(crate) const META_PROJECTIONS: &str = "projection_version";

/// All of them, oldest first.
#[cfg(not(test))]
fn migrations() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter()
}

/// All of them, and those a test adds: there has been one only.
#[cfg(test)]
fn migrations() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter().chain(tests::added())
}

/// The schema this build writes.
pub(crate) fn newest() -> i64 {
    i64::try_from(migrations().count()).unwrap_or(i64::MAX)
}

/// Makes a new ledger, whole or not at all.
pub(crate) fn create(conn: &Connection, id: LedgerId) -> Result<(), StoreError> {
    in_transaction(conn, |conn| {
        conn.execute_batch(MIGRATIONS[0])?;
        conn.execute_batch(projection::SCHEMA)?;
        set_meta(conn, META_LEDGER_ID, id.as_bytes())?;
        set_meta(conn, META_PROJECTIONS, &projection::VERSION.to_be_bytes())?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
        conn.pragma_update(None, "user_version", 1)?;
        Ok(())
    })?;
    migrate(conn, 1)
}

/// Brings a ledger of an older version up to this one.
pub(crate) fn migrate(conn: &Connection, from: i64) -> Result<(), StoreError> {
    for (to, sql) in (1_i64..).zip(migrations()).skip_while(|(to, _)| *to <= from) {
        in_transaction(conn, |conn| {
            conn.execute_batch(sql)?;
            conn.pragma_update(None, "user_version", to)?;
            Ok(())
        })?;
    }
    Ok(())
}

/// True if the projections in the file are of another form than this build's.
pub(crate) fn projections_are_old(conn: &Connection) -> Result<bool, StoreError> {
    Ok(meta(conn, META_PROJECTIONS)?.as_deref() != Some(&projection::VERSION.to_be_bytes()))
}

/// The ledger's id.
pub(crate) fn ledger_id(conn: &Connection) -> Result<LedgerId, StoreError> {
    let bytes = meta(conn, META_LEDGER_ID)?.and_then(|bytes| bytes.try_into().ok());
    bytes.map(LedgerId::from_bytes).ok_or(StoreError::Unreadable { what: "meta.ledger_id" })
}

/// Runs all of it or nothing.
pub(crate) fn in_transaction<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = work(conn).and_then(|done| {
        conn.execute_batch("COMMIT").map_err(|source| StoreError::CommitUnknown { source })?;
        Ok(done)
    });
    if done.is_err() && !conn.is_autocommit() {
        // The first error is the one to report.
        let _ = conn.execute_batch("ROLLBACK");
    }
    done
}

/// Reads a kept value.
pub(crate) fn meta(conn: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Keeps a value.
pub(crate) fn set_meta(conn: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?.execute((key, value))?;
    Ok(())
}
