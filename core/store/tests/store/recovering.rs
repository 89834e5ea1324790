//! A key that is lost: nothing is deleted, nothing is begun by itself, and what was at stake stays known.

use std::fs;

use takings_store::{Head, StoreError, begin_anew};
use tempfile::tempdir;

use crate::support::*;

#[test]
fn a_ledger_is_put_aside_by_an_explicit_call_alone_and_the_next_one_knows_what_is_missing() {
    let dir = tempdir().unwrap();
    assert_eq!(begin_anew(dir.path()).unwrap(), None, "there is nothing to put aside");
    let mut ledger = opened(&dir);
    for number in 1..4 {
        keep(&mut ledger, number, cny(100));
    }
    let last = ledger.last_seq();
    assert!(matches!(begin_anew(dir.path()), Err(StoreError::InUse)));
    ledger.close().unwrap();
    if cfg!(feature = "sqlcipher") {
        let mut wrong = config(dir.path());
        wrong.key = Some(takings_store::DatabaseKey::new([8; 32]));
        for _ in 0..2 {
            assert!(matches!(takings_store::Ledger::open(wrong.clone()), Err(StoreError::WrongKey)));
        }
        assert!(dir.path().join("ledger.db").exists(), "nobody begins anew by himself");
    }
    let before = fs::read(dir.path().join("ledger.db")).unwrap();
    let aside = begin_anew(dir.path()).unwrap().unwrap();
    assert_eq!(fs::read(&aside).unwrap(), before, "nothing is deleted");
    assert_eq!(Head::read(dir.path()).unwrap().sound().unwrap().unsent[0].count, 3);
    let (ledger, report) = try_open(&dir).unwrap();
    assert!(report.created);
    let stake = report.at_stake.unwrap();
    assert_eq!((report.missing_events, stake.seq, stake.unsent[0].amount_minor), (last, last, 300));
    drop(ledger);
    // Twice is twice: the first one stays where it is.
    let second = begin_anew(dir.path()).unwrap().unwrap();
    assert!(second != aside && aside.exists() && second.exists());
}
