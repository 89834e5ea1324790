//! A second schema, which no release has yet: stopped at every step of SQLite's machine it is not there or it is there,
//! nothing in between, and the next opening goes on.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use takings_domain::event::{Lane, Subject};
use tempfile::TempDir;

use super::newest;
use crate::{Head, Ledger, Patience, StoreError, Verification};
use support::*;

#[expect(dead_code, reason = "the helpers of the ledger's other tests")]
#[path = "../../tests/store/support.rs"]
mod support;

/// What goes wrong on a connection.
type Fault = Box<dyn Fn(&mut Connection)>;

thread_local! {
    static ADDED: Cell<&'static [&'static str]> = const { Cell::new(&[]) };
    static FAULT: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// What this test's build knows beyond the released schemas.
pub(super) fn added() -> impl Iterator<Item = &'static str> {
    ADDED.get().iter().copied()
}

/// The connection that migrates, with the fault that this test plans.
pub(crate) fn spoilt(mut conn: Connection) -> Connection {
    FAULT.with_borrow(|fault| fault.iter().for_each(|fault| fault(&mut conn)));
    conn
}

/// The same without it: whatever is not a migration goes well.
pub(crate) fn mended(mut conn: Connection) -> Connection {
    conn.progress_handler(0, None::<fn() -> bool>).unwrap();
    conn.commit_hook(None::<fn() -> bool>).unwrap();
    conn
}

/// Several statements of several kinds: a table, its rows, a column, an index, a trigger.
const SECOND: &str = "
    CREATE TABLE receipt_count (subject INTEGER PRIMARY KEY, times INTEGER NOT NULL) STRICT;
    INSERT INTO receipt_count SELECT seq, 0 FROM event WHERE kind = 'charge_started';
    ALTER TABLE card_blob ADD COLUMN format TEXT;
    UPDATE card_blob SET format = 'dynaflex';
    CREATE INDEX inbox_subject ON inbox (subject);
    CREATE TRIGGER receipts_are_kept BEFORE DELETE ON receipt_count BEGIN SELECT RAISE(ABORT, 'kept'); END;";

/// One that this file does not allow.
const IMPOSSIBLE: &str =
    "CREATE TABLE half (n INTEGER) STRICT; INSERT INTO half VALUES (1); INSERT INTO meta VALUES (NULL, NULL)";

const WAITING: u64 = 12;

/// A ledger of the first schema, with payments that wait.
fn of_the_first_schema() -> TempDir {
    let dir = memory_dir();
    let mut ledger = opened(&dir);
    for number in 1..=WAITING {
        keep(&mut ledger, number, cny(100));
    }
    ledger.close().unwrap();
    dir
}

fn copy(from: &Path) -> TempDir {
    let to = memory_dir();
    for file in ["ledger.db", "ledger.db-wal", "head"] {
        if from.join(file).exists() {
            fs::copy(from.join(file), to.path().join(file)).unwrap();
        }
    }
    to
}

/// What the file is, seen without this store: its schema, and how much of the second one is there.
fn schema_of(dir: &TempDir) -> (i64, i64) {
    let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
    if cfg!(feature = "sqlcipher") {
        conn.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "07".repeat(32))).unwrap();
    }
    let parts =
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('receipt_count', 'inbox_subject', 'receipts_are_kept')
                 OR (name = 'card_blob' AND sql LIKE '%format%')";
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    (version, conn.query_row(parts, [], |row| row.get(0)).unwrap())
}

fn assert_nothing_is_lost(ledger: &mut Ledger, when: &str) {
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }), "{when}");
    let mut tx = ledger.begin().unwrap();
    let due = tx.due(Lane::Drain, MORNING_MS + 86_400_000, Patience::Due, 0, 100).unwrap();
    assert_eq!(due.len() as u64, WAITING, "{when}");
    for number in 1..=WAITING {
        assert_eq!(tx.card_blob(id(number)).unwrap().as_deref(), Some(&blob(number)), "{when}");
    }
}

/// Interrupts a migration after so many steps of SQLite's machine. False if it was through before.
fn interrupted_after(dir: &TempDir, steps: u64) -> (bool, Option<TempDir>) {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    let (count, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let path = dir.path().to_owned();
    let (counted, saw) = (Arc::clone(&count), Arc::clone(&seen));
    FAULT.set(Some(Box::new(move |conn| {
        let (count, seen, path) = (Arc::clone(&counted), Arc::clone(&saw), path.clone());
        let stop = move || {
            let now = count.fetch_add(1, Ordering::Relaxed) + 1 >= steps;
            if now {
                // What a process that is killed here leaves behind.
                seen.lock().unwrap().get_or_insert_with(|| copy(&path));
            }
            now
        };
        conn.progress_handler(1, Some(stop)).unwrap();
    })));
    let opened = Ledger::open(config(dir.path()));
    FAULT.set(None);
    let (mut ledger, report) = opened.unwrap();
    // The very last step comes too late to stop anything.
    let interrupted = report.read_only.is_some();
    assert!(interrupted || count.load(Ordering::Relaxed) <= steps, "{steps}: {report:?}");
    if interrupted {
        let why = report.read_only.unwrap();
        assert!(why.contains("could not be brought up to this version"), "{why}");
        assert_nothing_is_lost(&mut ledger, "read-only");
        let refused = ledger.begin().unwrap().append(at(1), None, &Subject::Payment(id(90)), charge(90, cny(1)));
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
    }
    drop(ledger);
    (interrupted, seen.lock().unwrap().take())
}

#[test]
fn p12_opens_a_migration_stopped_at_any_step_is_not_there_or_is_and_the_next_opening_goes_on() {
    let first = of_the_first_schema();
    ADDED.set(&[SECOND]);
    let mut steps = 0;
    loop {
        steps += if steps < 40 { 1 } else { 7 };
        let dir = copy(first.path());
        let (interrupted, killed) = interrupted_after(&dir, steps);
        if !interrupted {
            assert_eq!(schema_of(&dir), (2, 4));
            break;
        }
        assert_eq!(schema_of(&dir), (1, 0), "interrupted after {steps} steps");
        for (dir, how) in [(Some(dir), "interrupted"), (killed, "killed")] {
            let dir = dir.unwrap();
            let mut ledger = open(&dir);
            assert_eq!(ledger.read_only(), None);
            assert_nothing_is_lost(&mut ledger, &format!("{how} after {steps} steps"));
            keep(&mut ledger, 50, cny(1));
            drop(ledger);
            assert_eq!(schema_of(&dir), (2, 4), "{how} after {steps} steps");
        }
    }
    assert!(steps > 300, "{steps} steps of SQLite's machine");
    ADDED.set(&[]);
}

#[test]
fn p12_opens_a_commit_of_a_migration_that_fails_is_looked_up() {
    let first = of_the_first_schema();
    ADDED.set(&[SECOND]);
    let dir = copy(first.path());
    FAULT.set(Some(Box::new(|conn| conn.commit_hook(Some(|| true)).unwrap())));
    let (mut ledger, report) = Ledger::open(config(dir.path())).unwrap();
    FAULT.set(None);
    assert!(report.read_only.is_some());
    assert_nothing_is_lost(&mut ledger, "the commit failed");
    drop(ledger);
    assert_eq!(schema_of(&dir), (1, 0));
    assert_nothing_is_lost(&mut open(&dir), "the next opening");
    assert_eq!(schema_of(&dir), (2, 4));
    ADDED.set(&[]);
}

#[test]
fn p12_opens_a_migration_that_cannot_be_leaves_everything_readable_and_says_why() {
    let dir = of_the_first_schema();
    ADDED.set(&[SECOND, IMPOSSIBLE]);
    assert_eq!(newest(), 3);
    for _ in 0..2 {
        let (mut ledger, report) = try_open(&dir).unwrap();
        let why = report.read_only.unwrap();
        assert!(why.contains("NOT NULL constraint failed"), "{why}");
        assert!(!report.upgrade_needed);
        assert_nothing_is_lost(&mut ledger, "the third schema is impossible");
        drop(ledger);
        assert_eq!(schema_of(&dir), (2, 4), "each migration is for itself");
    }
    assert_eq!(Head::read(dir.path()).unwrap().sound().unwrap().unsent[0].count, WAITING);
    // A build that knows better goes on.
    ADDED.set(&[SECOND, "CREATE TABLE half (n INTEGER) STRICT"]);
    let mut ledger = open(&dir);
    assert_eq!(ledger.read_only(), None);
    keep(&mut ledger, 50, cny(1));
    ADDED.set(&[]);
}
