//! Card data on the disk, by the bytes: there for every payment that waits, nowhere once nothing waits any more.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// What stands in front of every ciphertext of the simulated reader: its tag, and its length of 328 bytes.
const BEFORE_CIPHERTEXT: [u8; 6] = [0xDF, 0xDF, 0x59, 0x82, 0x01, 0x48];

/// Files below a till's folder in which ciphertext stands in clear of the ledger's own encryption.
pub(super) fn files_with_ciphertext(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with_ciphertext(&path)?);
            continue;
        }
        let bytes = fs::read(&path)?;
        if bytes.windows(BEFORE_CIPHERTEXT.len()).any(|part| part == BEFORE_CIPHERTEXT) {
            found.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// What was seen in a ledger.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Payments that were accepted, have no answer, and whose card data is there.
    pub waiting: usize,
    /// What is wrong, in words.
    pub wrong: Vec<String>,
}

/// What the ledger in this folder holds after its till died, read from a copy: of each payment that was accepted and has no
/// answer, whether its card data is there, and of each that has one, that it is not.
pub(super) fn seen_in_the_ledger(dir: &Path) -> Result<Seen, Box<dyn std::error::Error>> {
    let copy = tempfile::tempdir()?;
    for name in ["ledger.db", "ledger.db-wal"] {
        if dir.join(name).exists() {
            fs::copy(dir.join(name), copy.path().join(name))?;
        }
    }
    let path = copy.path().join("ledger.db");
    if !path.exists() {
        return Ok(Seen::default());
    }
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let told = |sql: &str, what: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = match conn.prepare(sql) {
            Ok(statement) => statement,
            // It died before its tables were made.
            Err(rusqlite::Error::SqliteFailure(_, Some(why))) if why.contains("no such table") => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
        ids.map(|id| id.map(|id| format!("{id}: {what}"))).collect()
    };
    let waiting = "SELECT lower(hex(payment_id)) FROM payment WHERE class = 'deferred' AND delivery IN ('queued', 'sending', 'in_doubt')";
    let mut wrong = told(
        &format!("{waiting} AND key NOT IN (SELECT subject FROM card_blob)"),
        "accepted and unanswered, and its card data is gone",
    )?;
    wrong.extend(told(
        "SELECT lower(hex(payment_id)) FROM payment WHERE delivery = 'delivered' AND key IN (SELECT subject FROM card_blob)",
        "answered, and its card data is still there",
    )?);
    let waiting = told(&format!("{waiting} AND key IN (SELECT subject FROM card_blob)"), "waits")?.len();
    Ok(Seen { waiting, wrong })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphertext_is_found_in_any_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ledger.db"), [7; 4_096]).unwrap();
        assert_eq!(files_with_ciphertext(dir.path()).unwrap(), Vec::<String>::new());
        let mut log = vec![0; 1_000];
        log.extend_from_slice(&BEFORE_CIPHERTEXT);
        fs::create_dir(dir.path().join("ledger")).unwrap();
        fs::write(dir.path().join("ledger").join("ledger.db-wal"), log).unwrap();
        assert_eq!(files_with_ciphertext(dir.path()).unwrap(), ["ledger.db-wal"]);
    }

    #[test]
    fn what_is_missing_and_what_was_left_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let seen = || seen_in_the_ledger(dir.path()).unwrap();
        assert_eq!((seen().waiting, seen().wrong.len()), (0, 0), "nothing was written yet");
        let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
        assert_eq!((seen().waiting, seen().wrong.len()), (0, 0), "it has no tables yet");
        conn.execute_batch(
            "CREATE TABLE payment (key INTEGER, payment_id BLOB, class TEXT, delivery TEXT);
             CREATE TABLE card_blob (subject INTEGER, bytes BLOB);
             INSERT INTO payment VALUES (1, x'01', 'deferred', 'queued'), (2, x'02', 'deferred', 'delivered'),
                                        (3, x'03', NULL, NULL), (4, x'04', 'deferred', 'in_doubt');
             INSERT INTO card_blob VALUES (1, x'00'), (4, x'00');",
        )
        .unwrap();
        assert_eq!((seen().waiting, seen().wrong.len()), (2, 0));
        conn.execute_batch("DELETE FROM card_blob WHERE subject = 4; INSERT INTO card_blob VALUES (2, x'00')").unwrap();
        let Seen { waiting, wrong } = seen();
        assert_eq!(waiting, 1);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].starts_with("04: accepted and unanswered") && wrong[1].starts_with("02: answered"),
            "{wrong:?}"
        );
    }
}
