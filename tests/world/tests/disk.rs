//! The disk itself, through SQLite; then the proofs that stand on it, short.
#![expect(clippy::unwrap_used, reason = "tests, and the helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;
use world::disk::{Disk, Failure, FailureKind, VFS};

const ROWS: i64 = 12;

fn directory() -> TempDir {
    world::directory::directory().unwrap()
}

fn open(dir: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags_and_vfs(dir.join("ledger.db"), OpenFlags::default(), VFS)?;
    if cfg!(feature = "sqlcipher") {
        conn.query_row(&format!("PRAGMA key = \"x'{}'\"", "09".repeat(32)), [], |_| Ok(()))?;
        conn.pragma(None, "cipher_log_level", "NONE", |_| Ok(()))?;
    }
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch("PRAGMA synchronous = FULL")?;
    conn.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    Ok(conn)
}

fn create(dir: &Path) -> Connection {
    let conn = open(dir).unwrap();
    conn.execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, v TEXT)").unwrap();
    conn
}

fn insert(conn: &Connection, n: i64) -> rusqlite::Result<()> {
    conn.execute("INSERT INTO t VALUES (?, ?)", (n, "x".repeat(700))).map(|_| ())
}

fn rows(conn: &Connection) -> BTreeSet<i64> {
    let mut statement = conn.prepare("SELECT n FROM t ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Draws from a seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % n
    }
}

fn cut(disk: &Disk, seed: u64) {
    let mut draws = Draws(seed);
    disk.cut_power(&mut |n| draws.below(n));
}

/// Writes rows until the process dies; which were committed, and whether all were.
fn work(conn: &Connection) -> (BTreeSet<i64>, bool) {
    let mut committed = BTreeSet::new();
    for n in 0..ROWS {
        if insert(conn, n).is_err() {
            return (committed, false);
        }
        committed.insert(n);
        if n % 5 == 4 && conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).is_err() {
            return (committed, false);
        }
    }
    (committed, true)
}

/// A power cut for each seed: in how many something committed is gone. What is there is always sound.
fn cuts(prepare: impl Fn(&Connection), seeds: std::ops::Range<u64>) -> (u32, world::disk::Counts) {
    let mut lost = 0;
    let home = directory();
    let disk = Disk::new(home.path());
    for seed in seeds {
        for file in std::fs::read_dir(home.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        drop(create(home.path()));
        let conn = open(home.path()).unwrap();
        prepare(&conn);
        disk.die_at(Some(disk.calls() + 1 + Draws(seed).below(40)));
        let (committed, finished) = work(&conn);
        assert_eq!(disk.is_dead(), !finished, "seed {seed}");
        drop(conn);
        cut(&disk, seed);
        assert!(!disk.is_dead());
        let conn = open(home.path()).unwrap();
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "seed {seed}");
        let found = rows(&conn);
        assert!(found.iter().copied().eq(0..found.len() as i64), "seed {seed}: {found:?}");
        lost += u32::from(!committed.is_subset(&found));
    }
    (lost, disk.counts())
}

#[test]
fn p1_a_power_cut_loses_nothing_that_was_synced() {
    let (lost, counts) = cuts(|_| {}, 0..300);
    assert_eq!(lost, 0);
    for reached in [counts.cuts, counts.kept, counts.torn, counts.dropped, counts.reordered, counts.directory_syncs] {
        assert!(reached > 0, "{counts:?}");
    }
}

#[test]
fn p1_the_disk_sees_what_is_not_synced() {
    let (lost, _) = cuts(|conn| conn.execute_batch("PRAGMA synchronous = NORMAL").unwrap(), 0..100);
    assert!(lost > 10, "lost in {lost} of 100");
}

#[test]
fn a_new_file_may_be_missing_until_its_directory_is_synced() {
    let mut missing = 0;
    for seed in 0..40 {
        let home = directory();
        let disk = Disk::new(home.path());
        drop(create(home.path()));
        let _same = Disk::new(home.path());
        let conn = open(home.path()).unwrap();
        // The log is made, and written, and not synced.
        conn.execute_batch("PRAGMA synchronous = OFF").unwrap();
        insert(&conn, 0).unwrap();
        disk.die_at(Some(disk.calls() + 1));
        insert(&conn, 1).unwrap_err();
        drop(conn);
        cut(&disk, seed);
        let is_missing = !home.path().join("ledger.db-wal").exists();
        assert_eq!(disk.counts().names_lost, u64::from(is_missing));
        missing += u32::from(is_missing);
    }
    assert!((1..40).contains(&missing), "{missing}");

    let home = directory();
    let disk = Disk::new(home.path());
    drop(create(home.path()));
    let before = disk.counts().directory_syncs;
    let conn = open(home.path()).unwrap();
    insert(&conn, 0).unwrap();
    assert_eq!(disk.counts().directory_syncs, before + 1, "with the first sync of the log, and only then");
    insert(&conn, 1).unwrap();
    assert_eq!(disk.counts().directory_syncs, before + 1);
}

#[test]
fn a_deleted_file_may_come_back_until_its_directory_is_synced() {
    let mut back = 0;
    for seed in 0..40 {
        let home = directory();
        let disk = Disk::new(home.path());
        create(home.path()).close().unwrap();
        // Whatever lies there is on the medium from here on.
        let _same = Disk::new(home.path());
        let conn = open(home.path()).unwrap();
        insert(&conn, 0).unwrap();
        // Closing folds the log in and deletes it, without syncing the directory.
        conn.close().unwrap();
        assert!(!home.path().join("ledger.db-wal").exists());
        cut(&disk, seed);
        let is_back = home.path().join("ledger.db-wal").exists();
        assert_eq!(disk.counts().names_back, u64::from(is_back));
        back += u32::from(is_back);
        assert_eq!(rows(&open(home.path()).unwrap()), [0].into(), "an old log harms nothing");
    }
    assert!((1..40).contains(&back), "{back}");
}

#[test]
fn two_connections_wait_for_each_other() {
    let home = directory();
    let _disk = Disk::new(home.path());
    let (one, other) = (create(home.path()), open(home.path()).unwrap());
    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    insert(&one, 0).unwrap();
    let busy = insert(&other, 1).unwrap_err();
    assert_eq!(busy.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    assert_eq!(rows(&other), [].into(), "a reader sees the last commit");
    one.execute_batch("COMMIT").unwrap();
    assert_eq!(rows(&other), [0].into());
    // Closing one of two does not take the log from under the other.
    one.close().unwrap();
    assert!(home.path().join("ledger.db-wal").exists());
    insert(&other, 1).unwrap();
    assert_eq!(rows(&other), [0, 1].into());
}

#[test]
fn p1_a_killed_process_leaves_what_it_wrote() {
    let home = directory();
    let disk = Disk::new(home.path());
    drop(create(home.path()));
    let conn = open(home.path()).unwrap();
    insert(&conn, 0).unwrap();
    let before = disk.calls();
    insert(&conn, 1).unwrap();
    let calls_of_a_commit = disk.calls() - before;
    assert!(calls_of_a_commit >= 3, "frames and a sync: {calls_of_a_commit}");
    // Dead at the last call of a commit, its sync: everything was written, nobody was told.
    disk.die_at(Some(disk.calls() + calls_of_a_commit));
    insert(&conn, 2).unwrap_err();
    assert!(disk.is_dead());
    let calls = disk.calls();
    assert!(conn.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
    assert!(open(home.path()).is_err());
    assert_eq!(disk.calls(), calls, "the dead call nothing");
    drop(conn);
    disk.revive();
    assert_eq!(rows(&open(home.path()).unwrap()), [0, 1, 2].into());
    assert_eq!(disk.counts().deaths, 1);
}

#[test]
fn a_full_disk_refuses_what_grows() {
    let home = directory();
    let disk = Disk::new(home.path());
    let conn = create(home.path());
    assert_eq!(Disk::free_bytes(home.path()), u64::MAX);
    disk.set_capacity(Some(disk.used_bytes() + 20_000));
    assert_eq!(Disk::free_bytes(home.path()), 20_000);
    let full = (0..100).find_map(|n| insert(&conn, n).err()).unwrap();
    assert_eq!(full.sqlite_error_code(), Some(ErrorCode::DiskFull));
    assert!(Disk::free_bytes(home.path()) < 20_000);
    disk.set_capacity(None);
    insert(&conn, 1_000).unwrap();
}

#[test]
fn calls_fail_where_they_are_told_to() {
    for (kind, code) in [(FailureKind::Io, ErrorCode::SystemIoFailure), (FailureKind::Full, ErrorCode::DiskFull)] {
        let home = directory();
        let disk = Disk::new(home.path());
        let conn = create(home.path());
        disk.fail(Some(Failure { at_call: disk.calls() + 1, calls: 1, kind }));
        assert_eq!(insert(&conn, 0).unwrap_err().sqlite_error_code(), Some(code));
        insert(&conn, 1).unwrap();
        assert_eq!(rows(&conn), [1].into());
        assert_eq!(disk.counts().failed, 1);
    }
}

/// Whoever syncs again after a sync that failed is told that all is well, and some of it is gone.
#[test]
fn p1_a_sync_that_fails_drops_its_pages() {
    let mut gone = 0;
    for seed in 0..40 {
        let home = directory();
        let disk = Disk::new(home.path());
        let conn = create(home.path());
        conn.execute_batch("PRAGMA synchronous = NORMAL").unwrap();
        insert(&conn, 0).unwrap();
        disk.fail(Some(Failure { at_call: disk.calls() + 1, calls: 1_000, kind: FailureKind::Sync }));
        let checkpoint = || conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        checkpoint().unwrap_err();
        disk.fail(None);
        checkpoint().unwrap();
        drop(conn);
        cut(&disk, seed);
        let left = open(home.path()).and_then(|conn| conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)));
        gone += u32::from(left != Ok(1_i64));
    }
    assert!(gone > 0);
}

#[test]
fn the_same_seed_leaves_the_same_rows() {
    let run = |seed: u64| {
        let home = directory();
        let disk = Disk::new(home.path());
        let conn = create(home.path());
        disk.die_at(Some(disk.calls() + 20));
        work(&conn);
        drop(conn);
        cut(&disk, seed);
        let conn = open(home.path()).unwrap();
        (rows(&conn), disk.counts())
    };
    assert_eq!(run(7), run(7));
}

#[test]
fn the_witness_may_be_older_or_torn_but_only_at_its_sectors() {
    let home = directory();
    let disk = Disk::new(home.path());
    let slot = |n: u8| vec![n; 512];
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        for n in 0..10_u8 {
            std::fs::write(home.path().join("head"), [slot(n), slot(n + 1)].concat()).unwrap();
            disk.note_beside();
        }
        cut(&disk, seed);
        let head = std::fs::read(home.path().join("head")).unwrap();
        let (one, other) = head.split_at(512);
        assert!(one.iter().all(|byte| *byte == one[0]) && other.iter().all(|byte| *byte == other[0]));
        seen.insert((one[0], other[0]));
    }
    assert!(seen.len() > 4, "{seen:?}");
    assert!(seen.iter().any(|(one, other)| *other != one + 1), "none is torn: {seen:?}");
}

// The proofs, short: `cargo world` makes them long.

#[test]
fn p1_power_cuts_lose_nothing_that_a_screen_called_good() {
    let args = world::power::PowerArgs { cuts: 200, seed: 1, normal: false };
    let report = world::power::run(&args, &mut |_| {}).unwrap();
    assert_eq!((report.failed, report.lost), (0, 0), "{:#?}", report.failures);
    assert!(report.told > 200 && report.cuts_in_recovery > 100 && report.books > 20, "{report:#?}");
}

#[test]
fn p1_a_disk_that_fails_at_any_call_makes_no_screen_lie() {
    let args = world::sweep::SweepArgs { every: 37, seed: 1 };
    let report = world::sweep::run(&args, &mut |_| {}).unwrap();
    assert_eq!(report.failed, 0, "{:#?}", report.failures);
    assert!(report.reversed > 0 && report.refused > 0 && report.full_to_the_end > 0, "{report:#?}");
}

#[test]
fn p5_files_that_somebody_changed_are_noticed() {
    let args = world::tamper::TamperArgs { files: 100, seed: 1 };
    let report = world::tamper::run(&args, &mut |_| {}).unwrap();
    assert_eq!(report.failed, 0, "{:#?}", report.failures);
    assert!(report.files > 60, "{report:#?}");
}
