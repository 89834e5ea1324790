//! Files that are not as they were left: every one is told apart by a typed error or an honest state, none is deleted.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;
use takings_store::Head;
use takings_till::TillError;

use crate::support::{KEY, Phone, Process, Stall, is_error, till_process};

/// The file behind the till's back.
fn raw(dir: &Path) -> Connection {
    let conn = Connection::open(dir.join("ledger.db")).unwrap();
    if cfg!(feature = "sqlcipher") {
        let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        conn.execute_batch(&format!("PRAGMA key = \"x'{hex}'\"")).unwrap();
    }
    conn
}

/// A till in business with three payments kept, closed.
fn closed_with_three_kept() -> (Stall, Vec<String>) {
    let mut stall = Stall::in_business();
    let kept = [500, 700, 1_100].map(|amount| stall.keep(amount)).into();
    stall.phone.close();
    // Everything into the one file.
    let rows = raw(&stall.phone.dir).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.unwrap(), 0);
    (stall, kept)
}

/// What the witness says is unsent: how many, how much.
fn at_stake(dir: &Path) -> (u64, i64) {
    let unsent = Head::read(dir).unwrap().sound().unwrap().unsent;
    (unsent[0].count, unsent[0].amount_minor)
}

fn bytes(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("ledger.db")).unwrap()
}

#[test]
fn p12_opens_a_ledger_of_a_newer_version_asks_for_the_upgrade_and_is_not_touched() {
    let (mut stall, kept) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    raw(&dir).execute_batch("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE").unwrap();
    let before = bytes(&dir);
    let error = stall.phone.try_open().unwrap_err();
    assert!(is_error(&error, "upgrade_app", "newer_ledger"), "{error:?}");
    assert!(error.to_string().contains("99"), "{error}");
    assert_eq!(bytes(&dir), before);
    assert_eq!(at_stake(&dir), (3, 2_300));
    // The upgraded app.
    raw(&dir).execute_batch("PRAGMA user_version = 1").unwrap();
    stall.phone.try_open().unwrap();
    stall.heals(&kept, "an upgrade");
}

/// A kind of event that a later version wrote, at its end.
fn event_of_a_later_version(dir: &Path) {
    raw(dir).execute("INSERT INTO event_kind VALUES ('teleported', 1)", []).unwrap();
}

#[test]
fn p12_opens_an_event_of_a_newer_version_makes_the_till_read_only_and_lists_are_read() {
    let (mut stall, kept) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    event_of_a_later_version(&dir);
    stall.phone.try_open().unwrap();
    let status = stall.phone.wait(stall.phone.till().status()).unwrap();
    assert!(status.read_only.as_ref().is_some_and(|why| why.contains("upgrade the app")), "{status:?}");
    assert_eq!((status.unsent_count, status.unsent[0].amount_minor), (3, 2_300));
    let listed: Vec<String> = stall.phone.payments().into_iter().map(|payment| payment.payment_id).collect();
    assert_eq!(listed.len(), 3);
    assert!(kept.iter().all(|id| listed.contains(id)));
    assert!(!stall.phone.wait(stall.phone.till().payment(&kept[0])).unwrap().timeline.is_empty());
    stall.phone.wait(stall.phone.till().next_alerts(10)).unwrap();
    let till = stall.phone.till();
    let refused: [(&str, TillError); 5] = [
        ("charge", till.charge(crate::support::offline(500)).err().unwrap()),
        ("sync", stall.phone.wait(till.sync(1_000)).unwrap_err()),
        ("sign_on", stall.phone.wait(till.sign_on()).unwrap_err()),
        ("cancel", stall.phone.wait(till.cancel(&kept[0], None)).unwrap_err()),
        ("acknowledge", stall.phone.wait(till.acknowledge(1)).unwrap_err()),
    ];
    for (what, error) in refused {
        assert!(is_error(&error, "upgrade_app", "read_only"), "{what}: {error:?}");
    }
    stall.phone.wait(stall.phone.till().tick()).unwrap();
    stall.phone.wait(stall.phone.till().verify()).unwrap();
    stall.phone.wait(stall.phone.till().going_to_background()).unwrap();
    assert_eq!(stall.phone.payments().len(), 3);
    stall.phone.close();
    raw(&dir).execute("DELETE FROM event_kind WHERE kind = 'teleported'", []).unwrap();
    stall.phone.try_open().unwrap();
    stall.heals(&kept, "an upgrade");
}

#[test]
fn p12_opens_a_newer_event_about_the_ledger_itself_still_lets_lists_be_read() {
    let (mut stall, _) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    let conn = raw(&dir);
    let kinds = "INSERT INTO event_kind VALUES ('moved_house', 2);
        INSERT INTO event SELECT seq + 1, at_ms, monotonic_ms, boot_id, NULL, 0, 'moved_house', 2, '{}', hash
        FROM event ORDER BY seq DESC LIMIT 1";
    conn.execute_batch(kinds).unwrap();
    drop(conn);
    stall.phone.try_open().unwrap();
    let status = stall.phone.wait(stall.phone.till().status()).unwrap();
    assert!(status.read_only.is_some_and(|why| why.contains("upgrade the app")));
    assert_eq!(stall.phone.payments().len(), 3);
    let error = stall.phone.till().charge(crate::support::offline(500)).err().unwrap();
    assert!(is_error(&error, "upgrade_app", "read_only"), "{error:?}");
}

#[test]
fn p5_append_only_a_changed_history_is_read_only_and_no_upgrade_is_asked_for() {
    let (mut stall, _) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    let conn = raw(&dir);
    conn.execute_batch("DROP TRIGGER event_is_not_updated; PRAGMA foreign_keys = OFF").unwrap();
    conn.execute("UPDATE event SET operator = 'Wu' WHERE seq = (SELECT max(seq) FROM event)", []).unwrap();
    drop(conn);
    stall.phone.try_open().unwrap();
    let error = stall.phone.till().charge(crate::support::offline(500)).err().unwrap();
    assert!(is_error(&error, "storage", "read_only"), "an upgrade would not mend it: {error:?}");
    assert_eq!(stall.phone.payments().len(), 3);
    let report = stall.phone.wait(stall.phone.till().verify()).unwrap();
    assert!(!report.sound && report.broken_at.is_some());
}

#[test]
fn somebody_elses_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let acquirer = crate::support::Acquirer::start();
    let mut phone = Phone::new(dir.path(), acquirer.url());
    let foreign = |sql: &str| {
        let conn = raw(dir.path());
        conn.execute_batch(sql).unwrap();
    };
    for sql in [
        "CREATE TABLE diary (day TEXT)",
        "CREATE TABLE event (seq INTEGER); PRAGMA user_version = 1",
        "PRAGMA application_id = 77; PRAGMA user_version = 1; CREATE TABLE diary (day TEXT)",
    ] {
        let _ = fs::remove_file(&path);
        foreign(sql);
        let before = fs::read(&path).unwrap();
        let error = phone.try_open().unwrap_err();
        assert!(is_error(&error, "storage", "not_a_ledger"), "{sql}: {error:?}");
        assert_eq!(fs::read(&path).unwrap(), before, "{sql}");
    }
    // Our mark on a file that holds nothing of ours.
    let _ = fs::remove_file(&path);
    foreign("PRAGMA application_id = 1413565233; PRAGMA user_version = 1; CREATE TABLE diary (day TEXT)");
    let error = phone.try_open().unwrap_err();
    assert!(matches!(error, TillError::Storage { .. }), "{error:?}");
    assert!(path.exists() || fs::read_dir(dir.path()).unwrap().count() > 1, "nothing is deleted");
    // No database at all.
    for content in [b"a diary".to_vec(), b"a diary, not a database. ".repeat(400), vec![0; 100_000], vec![0xFF; 4_096]]
    {
        let _ = fs::remove_file(&path);
        fs::write(&path, &content).unwrap();
        let error = phone.try_open().unwrap_err();
        let codes =
            if cfg!(feature = "sqlcipher") { ["wrong_key", "not_a_ledger"] } else { ["not_a_ledger", "damaged"] };
        assert!(codes.iter().any(|code| is_error(&error, "storage", code)), "{} bytes: {error:?}", content.len());
        assert_eq!(fs::read(&path).unwrap(), content, "not touched");
    }
}

#[test]
fn a_file_cut_short_anywhere_is_set_aside_and_what_was_at_stake_is_said() {
    let (stall, _) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    let whole = bytes(&dir);
    let sizes = [
        0,
        1,
        10,
        16,
        99,
        100,
        511,
        512,
        4_095,
        4_096,
        4_097,
        20_000,
        whole.len() / 2,
        whole.len() - 4_096,
        whole.len() - 1,
    ];
    for size in sizes {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(dir.join("head"), copy.path().join("head")).unwrap();
        fs::write(copy.path().join("ledger.db"), &whole[..size]).unwrap();
        let mut phone = Phone::new(copy.path(), stall.acquirer.url());
        let Err(error) = phone.try_open() else {
            // A piece of the last page is gone. A crash while the file grew looks the same, and is mended by the log: only
            // a check of everything tells them apart.
            assert!(size > whole.len() - 4_096, "{size} bytes of {}", whole.len());
            let report = phone.wait(phone.till().verify());
            assert!(report.is_err() || report.is_ok_and(|report| !report.sound || report.events > 0), "{size} bytes");
            continue;
        };
        assert!(is_error(&error, "storage", "damaged"), "{size} bytes: {error:?}");
        let stake = takings_till::Till::at_stake(copy.path()).unwrap().unwrap();
        assert_eq!((stake.unsent[0].count, stake.unsent[0].amount_minor), (3, 2_300), "{size} bytes");
        let aside: Vec<_> = fs::read_dir(copy.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().contains("damaged"))
            .collect();
        assert_eq!(fs::read(aside[0].path()).unwrap(), whole[..size], "{size} bytes: set aside as it was");
        // Life goes on in a new ledger that knows what is missing.
        phone.try_open().unwrap();
        let status = phone.wait(phone.till().status()).unwrap();
        assert!(status.missing_events > 0, "{size} bytes: {status:?}");
    }
}

#[test]
fn a_log_cut_short_anywhere_loses_nothing_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let stall = Stall::in_business();
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--seed", "5"]));
    till.hear();
    let code = stall.acquirer.activation_code();
    till.must(&serde_json::json!({"cmd": "activate", "code": code}));
    till.must(&serde_json::json!({"cmd": "sign_on"}));
    for amount in [500, 700, 1_100] {
        assert_eq!(till.charge(amount, "offline")["outcome"]["outcome"], "saved");
    }
    till.kill();
    let ledger = dir.path().join("ledger");
    let wal = fs::read(ledger.join("ledger.db-wal")).unwrap();
    assert!(wal.len() > 10_000, "the log holds the newest");
    for size in [0, 1, 32, 100, 4_000, 4_152, wal.len() / 3, wal.len() / 2, wal.len() - 5_000, wal.len() - 1, wal.len()]
    {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(dir.path()).unwrap().chain(fs::read_dir(&ledger).unwrap()).map(Result::unwrap) {
            let to = copy.path().join(entry.path().strip_prefix(dir.path()).unwrap());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir_all(to).unwrap();
            } else {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(entry.path(), to).unwrap();
            }
        }
        let path = copy.path().join("ledger/ledger.db-wal");
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(size as u64).unwrap();
        let mut till = Process::start(&mut till_process(copy.path(), stall.acquirer.url(), &["--seed", "5"]));
        let opened = till.hear().unwrap();
        if opened.get("event").is_some() {
            let kept = till.must(&serde_json::json!({"cmd": "payments"}))["payments"].as_array().unwrap().len();
            let missing = opened["missing_events"].as_u64().unwrap();
            assert!(kept == 3 || missing > 0, "{size} bytes: {kept} kept, {missing} events missing");
            assert_eq!(size == wal.len(), kept == 3 && missing == 0, "{size} bytes: {kept} kept, {missing} missing");
            let report = till.must(&serde_json::json!({"cmd": "verify"}));
            assert_eq!(report["report"]["sound"], Value::from(missing == 0), "{size} bytes: {report}");
        } else {
            assert_eq!(opened["error"]["kind"], "storage", "{size} bytes: {opened}");
            assert_eq!(opened["error"]["code"], "damaged", "{size} bytes: {opened}");
        }
    }
}

#[test]
fn one_till_at_a_time_and_the_second_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let stall = Stall::in_business();
    let mut first = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    first.hear();
    let second = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    let (lines, stderr, code) = second.end();
    assert_eq!((lines.len(), stderr.as_str(), code), (1, "", Some(1)), "{lines:?}");
    assert_eq!((&lines[0]["error"]["kind"], &lines[0]["error"]["code"]), (&"storage".into(), &"in_use".into()));
    first.must(&serde_json::json!({"cmd": "status"}));
    first.kill();
    let mut third = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    assert_eq!(third.hear().unwrap()["event"], "opened", "a lock dies with its process");
}

#[test]
fn a_witness_of_nonsense_does_not_keep_the_ledger_from_opening() {
    let (mut stall, kept) = closed_with_three_kept();
    let dir = stall.phone.dir.clone();
    for content in [Vec::new(), vec![0; 1_024], vec![0xFF; 10], b"TKHEAD01".repeat(200)] {
        fs::write(dir.join("head"), content).unwrap();
        stall.phone.try_open().unwrap();
        assert_eq!(stall.phone.payments().len(), 3);
        stall.phone.close();
    }
    fs::remove_file(dir.join("head")).unwrap();
    stall.phone.try_open().unwrap();
    stall.heals(&kept, "a lost witness");
}
