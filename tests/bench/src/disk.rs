//! Bytes on disk for one payment.

use std::fs;
use std::path::Path;

use crate::drain;
use crate::history::{self, Life};
use crate::syncs::{self, Mode};
use crate::table::Table;
use crate::{Outcome, bare};

/// What a ledger file holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Bytes of the file, its log written back.
    pub file: u64,
    /// Of these, pages in use.
    pub used: u64,
    /// Events in it.
    pub events: u64,
}

/// Measures the file of a closed ledger.
///
/// # Errors
/// As SQLite.
pub fn held(dir: &Path) -> Outcome<Held> {
    let path = history::config(dir).ledger_path();
    let conn = bare::connect(&path, crate::KEY, true)?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let number =
        |sql: &str| -> Outcome<u64> { Ok(u64::try_from(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)?) };
    let (pages, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
    let file = fs::metadata(path)?.len();
    // SQLCipher answers the size of a page in words of its own.
    let used = file / pages.max(1) * (pages - free);
    Ok(Held { file, used, events: number("SELECT count(*) FROM event")? })
}

/// A ledger of the store's with `payments` payments of this life.
///
/// # Errors
/// As the store.
pub fn written(payments: u64, life: Life) -> Outcome<Held> {
    let dir = tempfile::tempdir()?;
    history::write(dir.path(), payments, life)?;
    held(dir.path())
}

/// A till's ledger after it sold, and after it drained.
///
/// # Errors
/// As the till.
pub fn sold(payments: u32) -> Outcome<(Held, Held)> {
    let dir = tempfile::tempdir()?;
    let till = dir.path().join("till");
    let (stall, acquirer) = drain::waiting(&till, payments)?;
    let waiting = held(&till)?;
    drain::drain(&stall, &acquirer, payments)?;
    stall.close()?;
    Ok((waiting, held(&till)?))
}

/// Measures and shows.
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, payments: u32) -> Outcome<()> {
    syncs::set(Mode::Skip);
    let count = u64::from(payments);
    let columns = ["what", "events a payment", "bytes a payment in use", "bytes a payment of the file"];
    table.heading(&format!("Disk for one payment ({payments} payments)"), &columns);
    let (waiting, answered) = sold(payments)?;
    for (what, held) in [
        ("**six events** (charge, attempt, card, acceptance, send, answer)", written(count, Life::SixEvents)?),
        ("till: waiting, with its ciphertext", waiting),
        ("till: answered, ciphertext erased", answered),
        ("all its events, its line in a payout that arrived", written(count, Life::Whole)?),
    ] {
        table.row(&[
            what.to_owned(),
            crate::measure::hundredths(held.events.into(), payments.into()),
            (held.used / count).to_string(),
            (held.file / count).to_string(),
        ]);
    }
    syncs::set(Mode::Real);
    Ok(())
}

/// What lies in the file of a ledger of `payments` payments, table by table.
///
/// # Errors
/// As the store, or if SQLite was built without `dbstat`.
pub fn anatomy(table: &mut Table, payments: u64, life: Life) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    syncs::set(Mode::Skip);
    history::write(dir.path(), payments, life)?;
    syncs::set(Mode::Real);
    let conn = bare::connect(&history::config(dir.path()).ledger_path(), crate::KEY, false)?;
    table.heading(&format!("What lies in the file ({life:?})"), &["table or index", "bytes a payment"]);
    let mut statement = conn.prepare("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 20")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    for row in rows {
        let (name, bytes) = row?;
        table.row(&[name, (u64::try_from(bytes)? / payments).to_string()]);
    }
    Ok(())
}
