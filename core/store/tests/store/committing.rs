//! What becomes of a transaction that fails, and of a log another process left.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::path::Path;

use takings_domain::event::Subject;
use takings_store::{Ledger, Reader, StoreError, Verification};
use tempfile::{TempDir, tempdir};

use crate::support::*;

#[test]
fn p1_kept_half_of_a_step_is_never_committed() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    let before = ledger.last_seq();
    ledger.rest();
    raw(&dir)
        .execute_batch("CREATE TRIGGER trouble BEFORE INSERT ON to_do BEGIN SELECT RAISE(ABORT, 'trouble'); END")
        .unwrap();
    let payment = Subject::Payment(id(2));
    let mut tx = ledger.begin().unwrap();
    tx.append(at(2), None, &payment, charge(2, cny(100))).unwrap();
    tx.append(at(2), None, &payment, attempt(2)).unwrap();
    tx.append(at(2), None, &payment, card_read("0002")).unwrap();
    tx.append(at(2), None, &payment, deferred()).unwrap();
    assert!(tx.last_stan().is_err(), "the rows cannot be brought up to the events");
    assert!(matches!(tx.append(at(2), None, &payment, send(2, 1)), Err(StoreError::Spoiled)));
    assert!(matches!(tx.commit(), Err(StoreError::Spoiled)));
    raw(&dir).execute_batch("DROP TRIGGER trouble").unwrap();
    assert_eq!(ledger.last_seq(), before);
    assert!(ledger.begin().unwrap().payment(id(2)).unwrap().is_none());
    keep(&mut ledger, 2, cny(100));
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: before + 4 });
}

#[test]
fn p1_kept_after_a_failed_commit_the_file_says_what_happened() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    let before = ledger.last_seq();
    ledger.rest();
    raw(&dir)
        .execute_batch(
            "CREATE TABLE broken (seq INTEGER REFERENCES event (seq) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER trouble AFTER INSERT ON event BEGIN INSERT INTO broken VALUES (-1); END",
        )
        .unwrap();
    let mut tx = ledger.begin().unwrap();
    tx.append(at(2), None, &Subject::Payment(id(2)), charge(2, cny(100))).unwrap();
    assert!(matches!(tx.commit(), Err(StoreError::CommitUnknown { .. })));
    assert_eq!(ledger.unknown_commits(), 1);
    // The next use opens the file again and looks.
    let mut tx = ledger.begin().unwrap();
    assert!(tx.payment(id(2)).unwrap().is_none());
    drop(tx);
    assert_eq!((ledger.last_seq(), ledger.unknown_commits()), (before, 1));
    ledger.rest();
    raw(&dir).execute_batch("DROP TRIGGER trouble").unwrap();
    keep(&mut ledger, 2, cny(100));
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: before + 4 });
}

/// A ledger whose log another process left, opened by this one.
fn with_a_log_left(dir: &TempDir, write_again: fn(&Path) -> io::Result<()>) -> (Ledger, Reader) {
    let mut ledger = opened(dir);
    keep(&mut ledger, 1, cny(100));
    // Somebody who reads keeps the log from going back into the file.
    let reader = Reader::open(&config(dir.path())).unwrap();
    keep(&mut ledger, 2, cny(100));
    drop(ledger);
    let mut config = config(dir.path());
    config.write_again = Some(write_again);
    (Ledger::open(config).unwrap().0, reader)
}

/// A log that could not be put on disk is read, and nothing is written behind it: a power cut would take both.
#[test]
fn p1_kept_nothing_goes_behind_a_log_for_which_there_was_no_room() {
    thread_local!(static FULL: Cell<bool> = const { Cell::new(true) });
    let dir = tempdir().unwrap();
    let when_full = |_: &Path| if FULL.get() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) };
    let (mut ledger, _reader) = with_a_log_left(&dir, when_full);
    let before = ledger.last_seq();
    for _ in 0..2 {
        let mut tx = ledger.begin().unwrap();
        assert!(tx.payment(id(2)).unwrap().is_some());
        tx.append(at(3), None, &Subject::Payment(id(3)), charge(3, cny(100))).unwrap();
        assert!(matches!(tx.commit(), Err(StoreError::DiskFull)));
        ledger.rest();
    }
    assert_eq!(ledger.last_seq(), before);
    FULL.set(false);
    keep(&mut ledger, 3, cny(100));
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: before + 4 });
}

/// Nor is anything of it taken into the file: half of each would be left by a power cut, and neither whole.
#[test]
fn p5_nothing_of_a_log_for_which_there_was_no_room_goes_into_the_file() {
    thread_local!(static FULL: Cell<bool> = const { Cell::new(true) });
    let dir = tempdir().unwrap();
    let when_full = |_: &Path| if FULL.get() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) };
    let (mut ledger, reader) = with_a_log_left(&dir, when_full);
    // Nobody is in the way of a checkpoint any more.
    drop(reader);
    let file = || std::fs::read(dir.path().join("ledger.db")).unwrap();
    let before = file();
    assert!(!ledger.checkpoint_idle().unwrap());
    assert!(!ledger.truncate_after_erase().unwrap());
    ledger.rest();
    assert!(ledger.begin().unwrap().payment(id(2)).unwrap().is_some());
    drop(ledger);
    assert!(file() == before, "the file is as it was");
    FULL.set(false);
    let mut ledger = Ledger::open(config(dir.path())).unwrap().0;
    assert!(ledger.begin().unwrap().payment(id(2)).unwrap().is_some(), "and the log is still there");
    drop(ledger);
    assert!(file() != before, "with room it goes where it belongs");
}

/// What lies in the log is written once more where another process may have left it, and not where this one knows that
/// every sync succeeded: coming back from the background costs no sync.
#[test]
fn p1_kept_the_log_of_another_process_is_written_once_more_and_our_own_is_not() {
    thread_local!(static WRITTEN: Cell<u32> = const { Cell::new(0) });
    let dir = tempdir().unwrap();
    let watched = || {
        let mut config = config(dir.path());
        config.write_again = Some(|_| {
            WRITTEN.set(WRITTEN.get() + 1);
            Ok(())
        });
        Ledger::open(config).unwrap().0
    };
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    drop(watched());
    assert_eq!(WRITTEN.get(), 0, "closed in good order: there is no log");
    let mut ledger = watched();
    // Somebody who reads keeps the log from going back into the file.
    let reader = Reader::open(&config(dir.path())).unwrap();
    keep(&mut ledger, 2, cny(100));
    for number in 3..6 {
        ledger.rest();
        keep(&mut ledger, number, cny(100));
    }
    assert_eq!(WRITTEN.get(), 0, "at rest the directory stayed ours");
    drop(ledger);
    drop(watched());
    assert_eq!(WRITTEN.get(), 1);
    drop(reader);
}
