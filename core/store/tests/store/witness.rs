//! What the witness beside the ledger says of a history that is shorter, another, or gone.

use std::fs;

use takings_domain::Authorization;
use takings_store::{Head, StoreError, Verification};
use tempfile::tempdir;

use crate::opening::unguarded;
use crate::support::*;

#[test]
fn p5_a_shortened_history_is_ahead_of_by_its_witness() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    let kept = dir.path().join("copy");
    drop(ledger);
    fs::copy(dir.path().join("ledger.db"), &kept).unwrap();
    let mut ledger = open(&dir);
    keep(&mut ledger, 2, cny(250));
    let last = ledger.last_seq();
    drop(ledger);
    // Yesterday's file comes back.
    fs::copy(&kept, dir.path().join("ledger.db")).unwrap();
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert_eq!((report.missing_events, report.read_only), (4, None));
    let stake = report.at_stake.unwrap();
    assert_eq!((stake.seq, stake.unsent[0].count, stake.unsent[0].amount_minor), (last, 2, 350));
    assert_eq!(ledger.verify().unwrap(), Verification::HeadAhead { events: last - 4, missing: 4 });
    // The witness moves on, the loss stays known.
    keep(&mut ledger, 3, cny(100));
    keep(&mut ledger, 4, cny(100));
    assert_eq!(ledger.verify().unwrap(), Verification::HeadAhead { events: last + 4, missing: 4 });
    drop(ledger);
    assert_eq!(try_open(&dir).unwrap().1.missing_events, 4);
}

#[test]
fn p5_a_deleted_tail_is_counted() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in 1..4 {
        keep(&mut ledger, number, cny(100));
    }
    let last = ledger.last_seq();
    drop(ledger);
    let conn = unguarded(&dir);
    conn.execute("DELETE FROM card_blob WHERE subject = (SELECT key FROM payment ORDER BY key DESC LIMIT 1)", [])
        .unwrap();
    conn.execute("DELETE FROM event WHERE seq > ?", [(last - 4).cast_signed()]).unwrap();
    drop(conn);
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert_eq!(report.missing_events, 4);
    ledger.rebuild_projections().unwrap();
    assert_eq!(ledger.verify().unwrap(), Verification::HeadAhead { events: last - 4, missing: 4 });
}

#[test]
fn a_replaced_history_of_the_same_length_is_found_by_its_witness() {
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    let mut ledger = opened(&one);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    let mut ledger = opened(&other);
    keep(&mut ledger, 2, cny(100));
    drop(ledger);
    fs::copy(other.path().join("ledger.db"), one.path().join("ledger.db")).unwrap();
    let (mut ledger, report) = try_open(&one).unwrap();
    assert_eq!(report.differs_at, Some(5));
    assert!(matches!(ledger.verify().unwrap(), Verification::Broken { seq: 5, .. }));
}

#[test]
fn a_truncated_file_is_set_aside_and_the_witness_says_how_much_is_missing() {
    for keep_bytes in [0, 4_096, 20_000] {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        for number in 1..20 {
            keep(&mut ledger, number, cny(100));
        }
        let last = ledger.last_seq();
        ledger.close().unwrap();
        let path = dir.path().join("ledger.db");
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.metadata().unwrap().len() > 20_000);
        file.set_len(keep_bytes).unwrap();
        drop(file);
        let error = try_open(&dir).unwrap_err();
        let StoreError::Damaged { set_aside, head } = error else { panic!("{keep_bytes}: {error}") };
        let head = head.unwrap();
        assert_eq!((head.seq, head.unsent[0].count, head.unsent[0].amount_minor), (last, 19, 1_900));
        assert_eq!(fs::metadata(&set_aside).unwrap().len(), keep_bytes, "set aside as it was");
        assert!(!path.exists());
        // Life goes on in a new ledger that knows what was lost.
        let (mut ledger, report) = try_open(&dir).unwrap();
        assert!(report.created);
        assert_eq!(report.missing_events, last);
        assert_eq!(ledger.verify().unwrap(), Verification::HeadAhead { events: 0, missing: last });
    }
}

#[test]
fn p5_append_only_an_older_witness_is_brought_up_at_the_opening() {
    for older in ["an older one", "none", "nothing sound"] {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        keep(&mut ledger, 1, cny(1_000));
        let before = fs::read(dir.path().join("head")).unwrap();
        keep(&mut ledger, 2, cny(500));
        drop(ledger);
        let newest = Head::read(dir.path()).unwrap().sound().unwrap();
        match older {
            "an older one" => fs::write(dir.path().join("head"), before).unwrap(),
            "none" => fs::remove_file(dir.path().join("head")).unwrap(),
            _ => fs::write(dir.path().join("head"), [0; 1024]).unwrap(),
        }
        drop(open(&dir));
        let found = Head::read(dir.path()).unwrap().sound().unwrap();
        assert_eq!((found.seq, found.hash, found.unsent), (newest.seq, newest.hash, newest.unsent), "{older}");
    }
}

#[test]
fn the_witness_is_read_without_key_and_lock() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(700));
    let head = Head::read(dir.path()).unwrap().sound().unwrap();
    assert_eq!((head.seq, head.hash), (ledger.last_seq(), ledger.last_hash()));
    assert_eq!((head.unsent[0].currency.as_str(), head.unsent[0].count), ("CNY", 1));
    answer(&mut ledger, 1, Authorization::Approved);
    assert_eq!(Head::read(dir.path()).unwrap().sound().unwrap().unsent, []);
}
