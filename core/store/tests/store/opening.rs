//! Whose file it is, and whether it is whole.

use std::fs;

use rusqlite::Connection;
use takings_domain::Authorization;
use takings_domain::event::Subject;
use takings_store::{Ledger, OpenConfig, Reader, StoreError, Verification};
use tempfile::{TempDir, tempdir};

use crate::random::live;
use crate::support::*;

/// A file without the triggers that keep events as they are.
pub(crate) fn unguarded(dir: &TempDir) -> Connection {
    let conn = raw(dir);
    conn.execute_batch(
        "DROP TRIGGER event_is_not_updated; DROP TRIGGER event_is_not_deleted; PRAGMA foreign_keys = OFF",
    )
    .unwrap();
    conn
}

#[test]
fn one_opener_at_a_time() {
    let dir = tempdir().unwrap();
    let ledger = opened(&dir);
    assert!(matches!(try_open(&dir), Err(StoreError::InUse)));
    drop(ledger);
    assert!(try_open(&dir).is_ok());
}

#[test]
fn p5_append_only_events_are_not_changed_by_sql() {
    let dir = tempdir().unwrap();
    drop(opened(&dir));
    let conn = raw(&dir);
    assert!(conn.execute("UPDATE event SET operator = 'Wu'", []).is_err());
    assert!(conn.execute("DELETE FROM event", []).is_err());
}

#[test]
fn p5_append_only_one_changed_byte_in_any_column_is_found_at_its_event() {
    let changes = [
        "seq = 700",
        "at_ms = at_ms + 1",
        "monotonic_ms = monotonic_ms + 1",
        "boot_id = boot_id + 1",
        "operator = 'Lj'",
        "operator = NULL",
        "operator = CAST(x'FF' AS TEXT)",
        "kind = CAST(x'61FF' AS TEXT)",
        "body = CAST(x'7BFF7D' AS TEXT)",
        "subject = subject + 1",
        "kind = 'accepteD'",
        "body_version = 2",
        "body = replace(body, 'deferred', 'deferreD')",
        "body = body || ' '",
        "hash = zeroblob(32)",
    ];
    for change in changes {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        for number in 1..30 {
            keep(&mut ledger, number, cny(100));
        }
        let mut tx = ledger.begin().unwrap();
        let target = tx.payment(id(7)).unwrap().unwrap().last_seq;
        drop(tx);
        drop(ledger);
        let conn = unguarded(&dir);
        assert_eq!(
            conn.execute(&format!("UPDATE event SET {change} WHERE seq = ?"), [target.cast_signed()]).unwrap(),
            1
        );
        drop(conn);
        let mut ledger = open(&dir);
        match ledger.verify().unwrap() {
            Verification::Broken { seq, .. } => assert_eq!(seq, target, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[test]
fn p5_a_changed_newest_event_stops_writing_at_once() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    unguarded(&dir).execute("UPDATE event SET operator = 'Wu' WHERE seq = 4", []).unwrap();
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert_eq!(report.read_only.as_deref(), Some("event 4 does not verify"));
    let mut tx = ledger.begin().unwrap();
    let refused = tx.append(at(9), None, &Subject::Payment(id(9)), charge(9, cny(1)));
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
    assert!(tx.payment(id(1)).unwrap().is_some(), "reading goes on");
    drop(tx);
    assert!(matches!(ledger.verify().unwrap(), Verification::Broken { seq: 4, .. }));
}

#[test]
fn p5_a_byte_that_is_no_text_in_a_new_event_opens_for_reading_only() {
    let changes = ["operator = CAST(x'FF' AS TEXT)", "kind = CAST(x'61FF' AS TEXT)", "body = CAST(x'7BFF7D' AS TEXT)"];
    for change in changes {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        keep(&mut ledger, 1, cny(100));
        keep(&mut ledger, 2, cny(100));
        drop(ledger);
        unguarded(&dir).execute(&format!("UPDATE event SET {change} WHERE seq = 4"), []).unwrap();
        let (mut ledger, report) = try_open(&dir).unwrap();
        assert_eq!(report.read_only.as_deref(), Some("event 4 does not verify"), "{change}");
        assert!(matches!(ledger.verify().unwrap(), Verification::Broken { seq: 4, .. }), "{change}");
        assert!(ledger.begin().unwrap().payment(id(2)).unwrap().is_some(), "{change}: reading goes on");
        let reader = Reader::open(&config(dir.path())).unwrap();
        let timeline = reader.payment(id(1)).unwrap().unwrap().timeline;
        let bad: Vec<_> = timeline.iter().filter(|event| !event.as_written).map(|event| event.seq).collect();
        assert_eq!((timeline.len(), bad), (4, vec![4]), "{change}");
    }
}

/// What cannot be read is shown as U+FFFD: an event that really holds one must not be taken for it, nor the reverse.
#[test]
fn p5_a_bad_byte_does_not_pass_for_the_character_that_stands_for_it() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let mut tx = ledger.begin().unwrap();
    tx.append(at(1), Some("\u{FFFD}"), &Subject::Payment(id(1)), charge(1, cny(5))).unwrap();
    tx.commit().unwrap();
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: 2 });
    drop(ledger);
    unguarded(&dir).execute("UPDATE event SET operator = CAST(x'FF' AS TEXT) WHERE seq = 2", []).unwrap();
    assert!(matches!(open(&dir).verify().unwrap(), Verification::Broken { seq: 2, .. }));
}

#[test]
fn p5_a_missing_event_in_the_middle_is_found() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in 1..30 {
        keep(&mut ledger, number, cny(100));
    }
    drop(ledger);
    unguarded(&dir).execute("DELETE FROM event WHERE seq = 10", []).unwrap();
    assert!(matches!(open(&dir).verify().unwrap(), Verification::Broken { seq: 10, .. }));
}

#[test]
fn p5_an_index_that_does_not_fit_its_table_is_found() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    let conn = raw(&dir);
    // A list by the last four digits finds nothing from now on, and every row is as the events say.
    conn.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'payout_status')
         WHERE name = 'payment_last_four'",
    )
    .unwrap();
    drop(conn);
    let mut ledger = open(&dir);
    let found = ledger.verify().unwrap();
    assert!(matches!(found, Verification::Broken { seq: 5.., .. }), "{found:?}");
}

/// No row shows it: the first payout to be written would.
#[test]
fn p5_a_column_of_another_name_in_an_empty_table_is_found() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    let renamed = "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'net_minor', 'net_oinor') WHERE name = 'payout'";
    raw(&dir).execute_batch(renamed).unwrap();
    let found = open(&dir).verify().unwrap();
    let Verification::Broken { why, .. } = &found else { panic!("{found:?}") };
    assert!(why.contains("payout.net_minor"), "{why}");
}

#[test]
fn somebody_elses_file_is_not_touched() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    fs::write(&path, "a diary, not a database. ".repeat(300)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = try_open(&dir).unwrap_err();
    // With encryption a foreign file and a wrong key look alike.
    assert!(matches!(error, StoreError::NotALedger | StoreError::WrongKey), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);

    let dir = tempdir().unwrap();
    raw(&dir).execute_batch("CREATE TABLE diary (day TEXT); PRAGMA user_version = 1").unwrap();
    let before = fs::read(dir.path().join("ledger.db")).unwrap();
    assert!(matches!(try_open(&dir), Err(StoreError::NotALedger)));
    assert_eq!(fs::read(dir.path().join("ledger.db")).unwrap(), before);
}

#[test]
fn p12_opens_a_newer_ledger_is_refused_and_left_as_it_is() {
    let dir = tempdir().unwrap();
    drop(opened(&dir));
    raw(&dir).execute_batch("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE").unwrap();
    let before = fs::read(dir.path().join("ledger.db")).unwrap();
    assert!(matches!(try_open(&dir), Err(StoreError::NewerLedger { found: 99, known: 1 })));
    assert_eq!(fs::read(dir.path().join("ledger.db")).unwrap(), before);
}

#[test]
fn p12_opens_an_event_of_a_newer_version_makes_the_ledger_read_only() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    drop(ledger);
    raw(&dir).execute("INSERT INTO event_kind VALUES ('teleported', 1)", []).unwrap();
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert!(report.read_only.unwrap().contains("teleported"));
    let mut tx = ledger.begin().unwrap();
    assert!(matches!(tx.set_meta("cursor", b""), Err(StoreError::ReadOnly { .. })));
    assert!(matches!(
        tx.append(at(1), None, &Subject::Payment(id(2)), charge(2, cny(1))),
        Err(StoreError::ReadOnly { .. })
    ));
    assert!(tx.payment(id(1)).unwrap().is_some());
    drop(tx);
    assert!(matches!(ledger.rebuild_projections(), Err(StoreError::ReadOnly { .. })));
}

#[test]
fn p12_opens_projections_of_another_version_are_recomputed() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    live(&mut ledger, 12, 20, 300);
    drop(ledger);
    raw(&dir)
        .execute_batch("UPDATE meta SET value = x'00000000' WHERE key = 'projection_version'; DROP TABLE takings")
        .unwrap();
    let (mut ledger, report) = try_open(&dir).unwrap();
    assert!(!report.created);
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
}

#[test]
fn p4_balanced_rebuilding_ends_with_the_same_rows() {
    for seed in [1, 2, 3, 4] {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        let events = live(&mut ledger, seed, 60, 2_500);
        assert!(events > 500, "seed {seed}: {events}");
        let found = ledger.verify().unwrap();
        assert!(matches!(found, Verification::Sound { .. }), "seed {seed}: {found:?}");
        drop(ledger);
        let before = dump(&dir);
        assert!(before.iter().all(|(table, rows)| *table == "spread" || !rows.is_empty()), "every table is in use");
        let mut ledger = open(&dir);
        ledger.rebuild_projections().unwrap();
        drop(ledger);
        for ((table, before), (_, after)) in before.iter().zip(dump(&dir)) {
            assert_eq!(*before, after, "seed {seed}: {table}");
        }
    }
}

/// Every row of every projection, as text.
pub(crate) fn dump(dir: &TempDir) -> Vec<(&'static str, Vec<String>)> {
    let tables = [
        ("payment", "key"),
        ("attempt", "subject, number"),
        ("payout", "key"),
        ("payout_entry", "payout, number"),
        ("spread", "payout"),
        ("to_do", "subject"),
        ("balance", "account, currency, business_day"),
        ("takings", "captured_on, currency, stage"),
        ("waiting", "what, currency"),
        ("alert", "seq"),
    ];
    let conn = raw(dir);
    let rows = |(table, order)| {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY {order}")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at).unwrap());
            Ok(format!("{:?}", values.collect::<Vec<_>>()))
        });
        (table, rows.unwrap().map(Result::unwrap).collect())
    };
    tables.map(rows).into()
}

#[test]
fn p4_balanced_a_changed_row_of_any_projection_is_found() {
    let changes = [
        "UPDATE payment SET stage = 'arrived' WHERE stage = 'saved_on_phone'",
        "UPDATE payment SET amount_minor = amount_minor + 1 WHERE key = (SELECT min(key) FROM payment)",
        "UPDATE balance SET amount_minor = amount_minor + 1",
        "DELETE FROM balance",
        "UPDATE takings SET amount_minor = amount_minor + 1",
        "UPDATE waiting SET count = count - 1",
        "DELETE FROM to_do",
        "DELETE FROM alert",
        "UPDATE payout SET status = 'arrived'",
        "UPDATE payout_entry SET net_minor = net_minor - 1",
        "DELETE FROM attempt",
    ];
    for change in changes {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        for number in 1..4 {
            keep(&mut ledger, number, cny(100));
        }
        answer(&mut ledger, 1, Authorization::Approved);
        answer(&mut ledger, 2, Authorization::Declined);
        let payout_subject = Subject::Payout(payout_id(1));
        let mut tx = ledger.begin().unwrap();
        let sent = takings_domain::PayoutStatus::Sent;
        tx.append(at(1), None, &payout_subject, payout(1, 1, sent, 99, 1)).unwrap();
        tx.append(at(1), None, &payout_subject, page(1, 0, true, vec![line(1, 1, 100, 1)])).unwrap();
        tx.commit().unwrap();
        assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
        drop(ledger);
        assert!(raw(&dir).execute(change, []).unwrap() > 0, "{change}");
        assert!(matches!(open(&dir).verify().unwrap(), Verification::Broken { .. }), "{change}");
    }
}

#[test]
fn a_key_and_a_build_must_fit() {
    let dir = tempdir().unwrap();
    let mut wrong: OpenConfig = config(dir.path());
    if cfg!(feature = "sqlcipher") {
        drop(opened(&dir));
        assert!(!fs::read(dir.path().join("ledger.db")).unwrap().starts_with(b"SQLite"));
        wrong.key = Some(takings_store::DatabaseKey::new([8; 32]));
        assert!(matches!(Ledger::open(wrong.clone()), Err(StoreError::WrongKey)));
        wrong.key = None;
        assert!(matches!(Ledger::open(wrong), Err(StoreError::KeyMissing)));
        assert!(try_open(&dir).is_ok(), "nothing was harmed");
    } else {
        wrong.key = Some(takings_store::DatabaseKey::new([8; 32]));
        assert!(matches!(Ledger::open(wrong), Err(StoreError::KeyWithoutEncryption)));
        assert!(!dir.path().join("ledger.db").exists());
    }
}
