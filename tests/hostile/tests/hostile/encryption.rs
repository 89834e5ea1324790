//! The ledger at rest: what a build with encryption leaves readable (nothing), and what each mismatch of key, file and
//! build says.

use std::fs;
use std::path::Path;

use takings_till::Till;
use zeroize::Zeroizing;

use crate::support::{Process, Stall, is_error, till_process};

/// Every byte of every file of the ledger.
fn all_bytes(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap())).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Three kept for CNY 23.00.
fn assert_at_stake(dir: &Path) {
    let stake = Till::at_stake(dir).unwrap().unwrap();
    assert_eq!(
        (stake.unsent[0].currency.as_str(), stake.unsent[0].count, stake.unsent[0].amount_minor),
        ("CNY", 3, 2_300)
    );
}

#[cfg(feature = "sqlcipher")]
mod with_encryption {
    use super::*;

    fn closed() -> (Stall, Vec<String>) {
        let mut stall = Stall::in_business();
        let kept = [500, 700, 1_100].map(|amount| stall.keep(amount)).into();
        stall.phone.close();
        (stall, kept)
    }

    #[test]
    fn nothing_known_is_readable_in_file_or_log() {
        let stall = Stall::in_business();
        for amount in [500, 700, 1_100] {
            stall.keep(amount);
        }
        // Open still: the log holds the newest.
        let files = all_bytes(&stall.phone.dir);
        assert!(
            files.iter().any(|(name, bytes)| name.ends_with("-wal") && bytes.len() > 10_000),
            "a log that is not empty"
        );
        for (name, bytes) in &files {
            assert!(!bytes.starts_with(b"SQLite format 3"), "{name}");
            for known in [
                "SQLite format",
                "CREATE TABLE",
                "amount_minor",
                "charge_started",
                "M000001",
                "CNY\",",
                "payment_id",
                "deferred",
            ] {
                assert!(!holds(bytes, known), "{name} holds {known}");
            }
        }
    }

    #[test]
    fn a_wrong_key_says_so_prints_nothing_and_harms_nothing() {
        let (mut stall, kept) = closed();
        let dir = stall.phone.dir.clone();
        // The log too: whoever has another key does not even write it back.
        let ledger = || ["ledger.db", "ledger.db-wal"].map(|name| fs::read(dir.join(name)).unwrap());
        let before = ledger();
        assert!(!before[1].is_empty(), "a log that is not empty");
        let mut config = stall.phone.config();
        config.encryption_key = Some(Zeroizing::new([0x11; 32]));
        let error = stall.phone.open_with(config).unwrap_err();
        assert!(is_error(&error, "storage", "wrong_key"), "{error:?}");
        assert!(ledger() == before, "not touched");
        assert_at_stake(&dir);
        stall.phone.try_open().unwrap();
        stall.heals(&kept, "a wrong key");
    }

    #[test]
    fn a_lost_key_says_so_and_what_is_at_stake() {
        let (mut stall, _) = closed();
        let mut config = stall.phone.config();
        config.encryption_key = None;
        let error = stall.phone.open_with(config).unwrap_err();
        assert!(is_error(&error, "storage", "key_missing"), "{error:?}");
        assert_at_stake(&stall.phone.dir);
    }

    #[test]
    fn a_plain_ledger_is_called_plain_and_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        // The header any SQLite writes; the rest need not be ours to be told apart from a wrong key.
        let mut plain = b"SQLite format 3\0".to_vec();
        plain.resize(8_192, 7);
        fs::write(&path, &plain).unwrap();
        let mut phone = crate::support::Phone::new(dir.path(), "http://127.0.0.1:9");
        let error = phone.try_open().unwrap_err();
        assert!(is_error(&error, "storage", "not_encrypted"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), plain);
    }

    #[test]
    fn the_terminal_takes_a_key_and_standard_error_stays_empty() {
        let stall = Stall::in_business();
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = ("5c".repeat(32), "11".repeat(32));
        let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--key", &ours]));
        assert_eq!(till.hear().unwrap()["event"], "opened");
        till.must(&serde_json::json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
        till.must(&serde_json::json!({"cmd": "sign_on"}));
        for amount in [500, 700, 1_100] {
            assert_eq!(till.charge(amount, "offline")["outcome"]["outcome"], "saved");
        }
        let (_, stderr, code) = till.end();
        assert_eq!((stderr.as_str(), code), ("", Some(0)));
        let till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--key", &other]));
        let (lines, stderr, code) = till.end();
        assert_eq!((stderr.as_str(), code), ("", Some(1)), "SQLCipher prints nothing");
        assert_eq!(lines[0]["error"]["code"], "wrong_key", "{lines:?}");
        assert_eq!(
            lines[0]["at_stake"]["unsent"][0],
            serde_json::json!({"currency": "CNY", "count": 3, "amount_minor": 2_300})
        );
        // A damaged page in the middle: noticed, and still nothing printed.
        let path = dir.path().join("ledger/ledger.db");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--key", &ours]));
        let (lines, stderr, _) = till.end();
        assert_eq!(stderr, "", "{lines:?}");
    }

    #[test]
    fn the_build_is_the_one_that_encrypts() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let version: String = conn.pragma_query_value(None, "cipher_version", |row| row.get(0)).unwrap();
        assert!(version.starts_with('4'), "{version}");
    }
}

#[cfg(not(feature = "sqlcipher"))]
mod without_encryption {
    use super::*;

    #[test]
    fn a_key_given_to_a_plain_build_is_refused_before_anything_is_touched() {
        let mut stall = Stall::in_business();
        let kept: Vec<String> = [500, 700, 1_100].map(|amount| stall.keep(amount)).into();
        stall.phone.close();
        let mut config = stall.phone.config();
        config.encryption_key = Some(Zeroizing::new([0x11; 32]));
        let error = stall.phone.open_with(config).unwrap_err();
        assert!(is_error(&error, "storage", "key_without_encryption"), "{error:?}");
        assert_at_stake(&stall.phone.dir);
        let dir = tempfile::tempdir().unwrap();
        let till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--key", &"11".repeat(32)]));
        let (lines, stderr, code) = till.end();
        assert_eq!(
            (lines[0]["error"]["code"].as_str(), stderr.as_str(), code),
            (Some("key_without_encryption"), "", Some(1))
        );
        assert!(all_bytes(&stall.phone.dir).iter().any(|(_, bytes)| bytes.starts_with(b"SQLite format 3")));
        stall.phone.try_open().unwrap();
        stall.heals(&kept, "a needless key");
    }

    #[test]
    fn an_encrypted_ledger_is_no_ledger_to_a_plain_build_and_is_not_touched() {
        let mut stall = Stall::in_business();
        for amount in [500, 700, 1_100] {
            stall.keep(amount);
        }
        stall.phone.close();
        let path = stall.phone.dir.join("ledger.db");
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(conn);
        // What encryption leaves: no header, no structure.
        let cipher: Vec<u8> =
            fs::read(&path).unwrap().iter().enumerate().map(|(at, byte)| byte ^ at.to_le_bytes()[0] ^ 0xA7).collect();
        fs::write(&path, &cipher).unwrap();
        let error = stall.phone.try_open().unwrap_err();
        assert!(is_error(&error, "storage", "not_a_ledger"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), cipher);
        assert_at_stake(&stall.phone.dir);
    }

    #[test]
    fn the_build_is_the_one_that_does_not_encrypt() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        assert!(conn.pragma_query_value(None, "cipher_version", |row| row.get::<_, String>(0)).is_err());
        assert!(!holds(b"plain", "cipher"));
    }
}
