//! Projections made anew while the ledger is in use: every event once, whatever is cut off and whoever sells meanwhile.

use std::fs;

use takings_domain::event::{Lane, Subject};
use takings_domain::{Authorization, PayoutStatus};
use takings_store::{Ledger, Patience, Reader, StoreError, Verification};
use tempfile::TempDir;

use crate::opening::dump;
use crate::random::live;
use crate::support::*;

/// Small ones, so that there are many.
const PIECE: u32 = 60;

/// Random moves about a hundred and fifty payments and their payouts: more than a thousand events.
fn busy(dir: &TempDir, seed: u64) -> Ledger {
    let mut ledger = opened(dir);
    assert!(live(&mut ledger, seed, 150, 5_000) > 1_000, "seed {seed}");
    ledger
}

/// A few hundred events.
fn quiet(dir: &TempDir, seed: u64) -> Ledger {
    let mut ledger = opened(dir);
    assert!(live(&mut ledger, seed, 60, 900) > 150, "seed {seed}");
    ledger
}

/// What stands in the directory at this instant, as a killed process leaves it.
fn killed_here(dir: &TempDir) -> TempDir {
    let copy = memory_dir();
    for file in ["ledger.db", "ledger.db-wal", "head"] {
        let from = dir.path().join(file);
        if from.exists() {
            fs::copy(from, copy.path().join(file)).unwrap();
        }
    }
    copy
}

fn assert_as_made_in_one_go(dir: &TempDir, when: &str) {
    let mut ledger = open(dir);
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }), "{when}");
    drop(ledger);
    let found = dump(dir);
    let mut ledger = open(dir);
    ledger.rebuild_projections().unwrap();
    drop(ledger);
    for ((table, found), (_, wanted)) in found.iter().zip(dump(dir)) {
        assert_eq!(*found, wanted, "{when}: {table}");
    }
    let left: i64 = raw(dir)
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'next_%' OR name LIKE 'old_%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(left, 0, "{when}: nothing is left over");
}

/// A sale that ends, one that waits, and a payout that names an old payment.
fn a_little_more(ledger: &mut Ledger, step: u64) {
    keep(ledger, 1_000 + step, cny(700));
    answer(ledger, 1_000 + step, Authorization::Approved);
    keep(ledger, 2_000 + step, cny(900));
    let payout_subject = Subject::Payout(payout_id(500 + step));
    let mut tx = ledger.begin().unwrap();
    let report = payout(500 + step, 1, PayoutStatus::Sent, 398, 2);
    tx.append(at(20_000), None, &payout_subject, report).unwrap();
    let lines = vec![line(500 + step, step, 200, 1), line(500 + step, 1_000 + step, 200, 1)];
    tx.append(at(20_000), None, &payout_subject, page(1, 0, true, lines)).unwrap();
    tx.commit().unwrap();
}

#[test]
fn p4_balanced_a_rebuild_in_pieces_takes_every_event_once_killed_at_each_piece_with_sales_in_between() {
    for seed in [11] {
        let dir = memory_dir();
        let mut ledger = busy(&dir, seed);
        ledger.begin_rebuild().unwrap();
        let mut pieces = 0;
        while ledger.rebuild_chunk(PIECE).unwrap() {
            pieces += 1;
            let copy = killed_here(&dir);
            let mut resumed = open(&copy);
            while resumed.rebuild_chunk(PIECE).unwrap() {}
            // It compares every row of every table with the fold of the events.
            let found = resumed.verify().unwrap();
            assert!(matches!(found, Verification::Sound { .. }), "seed {seed}, killed at piece {pieces}: {found:?}");
            drop(resumed);
            if pieces % 2 == 1 {
                a_little_more(&mut ledger, pieces);
            } else {
                drop(ledger);
                ledger = open(&dir);
            }
        }
        assert!(pieces >= 25, "seed {seed}: {pieces} pieces");
        drop(ledger);
        assert_as_made_in_one_go(&dir, &format!("seed {seed}, after {pieces} pieces"));
    }
}

/// What an earlier version of these tables may have looked like: a column and a table fewer, other words in a column.
fn make_it_older(dir: &TempDir) {
    raw(dir)
        .execute_batch(
            "ALTER TABLE payment DROP COLUMN withheld_minor; DROP TABLE takings; UPDATE payment SET cause = NULL;
             UPDATE meta SET value = x'00000004' WHERE key = 'projection_version'",
        )
        .unwrap();
}

#[test]
fn p12_opens_older_projections_serve_while_the_next_are_made() {
    let dir = memory_dir();
    let mut ledger = busy(&dir, 21);
    keep(&mut ledger, 300, cny(5_000));
    drop(ledger);
    make_it_older(&dir);
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert_eq!(report.read_only, None);
    let progress = ledger.rebuild_progress().unwrap().unwrap();
    assert_eq!((progress.done, progress.of), (0, ledger.last_seq()), "opening did nothing of it");
    let mut step = 0;
    loop {
        step += 1;
        // The guard, the queue and the counters are right at every moment.
        let mut tx = ledger.begin().unwrap();
        assert_eq!(tx.payments_of_order("order-300").unwrap(), [id(300)]);
        let due = tx.due(Lane::Drain, MORNING_MS + 86_400_000, Patience::Due, 0, 10_000).unwrap();
        assert!(due.iter().any(|item| item.payment_id == id(300)));
        let unsent = tx.waiting().unwrap();
        drop(tx);
        keep(&mut ledger, 3_000 + step, cny(11));
        let more = ledger.begin().unwrap().waiting().unwrap();
        let sum = |rows: &[takings_store::WaitingRow]| rows.iter().map(|row| (row.count, row.amount_minor)).collect();
        let (before, after): (Vec<_>, Vec<_>) = (sum(&unsent), sum(&more));
        assert!(before.iter().zip(&after).all(|(a, b)| (a.0 + 1, a.1 + 11) == *b), "{before:?} {after:?}");
        let reader = Reader::open(&config(dir.path())).unwrap();
        assert!(reader.payment(id(3_000 + step)).unwrap().is_some());
        assert!(ledger.rebuild_chunk(PIECE).is_ok());
        if ledger.rebuild_progress().unwrap().is_none() {
            break;
        }
        if step % 3 == 0 {
            drop(ledger);
            ledger = open(&dir);
        }
    }
    assert!(step > 3, "{step}");
    drop(ledger);
    assert_as_made_in_one_go(&dir, "after an upgrade");
}

#[test]
fn p12_opens_projections_that_cannot_serve_are_made_before_anything_else() {
    let unfit = [
        "UPDATE meta SET value = x'00000003' WHERE key = 'projection_version'",
        "UPDATE meta SET value = x'00000004' WHERE key = 'projection_version'; DROP INDEX alert_once",
        "UPDATE meta SET value = x'00000004' WHERE key = 'projection_version';
         ALTER TABLE payment DROP COLUMN open_work_is_gone",
        "UPDATE meta SET value = x'00000004' WHERE key = 'projection_version';
         ALTER TABLE payment ADD COLUMN tip_minor INTEGER NOT NULL DEFAULT 0; DROP TABLE to_do; CREATE TABLE to_do (subject TEXT)",
        "UPDATE meta SET value = x'0000FFFF' WHERE key = 'projection_version'",
    ];
    for change in unfit {
        let dir = memory_dir();
        drop(quiet(&dir, 31));
        if change.contains("open_work_is_gone") {
            // An index stands on it; without both the column cannot be added again: it must hold something.
            raw(&dir).execute_batch("DROP INDEX payment_open_work; ALTER TABLE payment DROP COLUMN open_work").unwrap();
            raw(&dir).execute_batch("UPDATE meta SET value = x'00000004' WHERE key = 'projection_version'").unwrap();
        } else {
            raw(&dir).execute_batch(change).unwrap();
        }
        let mut ledger = open(&dir);
        let progress = ledger.rebuild_progress().unwrap();
        assert!(progress.is_none_or(|progress| progress.done == progress.of), "{change}: {progress:?}");
        while ledger.rebuild_chunk(PIECE).unwrap() {}
        drop(ledger);
        assert_as_made_in_one_go(&dir, change);
    }
}

#[test]
fn what_another_build_made_of_the_next_tables_is_not_gone_on_with() {
    let dir = memory_dir();
    let mut ledger = quiet(&dir, 41);
    ledger.begin_rebuild().unwrap();
    assert!(ledger.rebuild_chunk(PIECE).unwrap());
    drop(ledger);
    // Another version's work, half done, in another form.
    raw(&dir)
        .execute_batch(
            "UPDATE meta SET value = x'000000090000000000000100' WHERE key = 'projection_next';
             ALTER TABLE next_payment DROP COLUMN cause;
             UPDATE meta SET value = x'00000004' WHERE key = 'projection_version'",
        )
        .unwrap();
    let mut ledger = open(&dir);
    assert_eq!(ledger.rebuild_progress().unwrap().unwrap().done, 0);
    while ledger.rebuild_chunk(PIECE).unwrap() {}
    drop(ledger);
    assert_as_made_in_one_go(&dir, "begun anew");
}

#[test]
fn a_rebuild_waits_while_there_is_no_room_and_takes_none_of_an_answers() {
    let dir = memory_dir();
    let mut ledger = quiet(&dir, 51);
    ledger.begin_rebuild().unwrap();
    assert!(ledger.rebuild_chunk(PIECE).unwrap());
    let done = ledger.rebuild_progress().unwrap();
    drop(ledger);
    let mut full = config(dir.path());
    full.free_bytes = Some(|_| 300 * 1024);
    let (mut ledger, report) = Ledger::open(full).unwrap();
    assert_eq!(report.read_only, None);
    assert!(matches!(ledger.rebuild_chunk(PIECE), Err(StoreError::DiskFull)));
    assert_eq!(ledger.rebuild_progress().unwrap().map(|progress| progress.done), done.map(|progress| progress.done));
    keep(&mut ledger, 700, cny(5));
    answer(&mut ledger, 700, Authorization::Approved);
    drop(ledger);
    let mut ledger = open(&dir);
    while ledger.rebuild_chunk(PIECE).unwrap() {}
    drop(ledger);
    assert_as_made_in_one_go(&dir, "when there was room again");
}
