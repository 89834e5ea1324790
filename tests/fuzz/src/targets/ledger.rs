//! A ledger's file, its log and its witness, changed below the ledger's feet.

use std::path::Path;
use std::sync::OnceLock;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use takings_store::reading::Reader;
use takings_store::{Ledger, PaymentFilter, Verification};

use crate::edit::edit;
use crate::stall::{base, directory, put_files, store};
use crate::tape::Tape;

const PAGE: usize = 4_096;
/// More changes than this say nothing new.
const MOST_CHANGES: usize = 12;
const NUMBERS: &[i64] = &[0, 1, -1, 2, 7, 255, i64::MAX, i64::MIN, 1 << 53, 1_795_219_200_000, 4_294_967_296];
const TEXTS: &[&str] =
    &["", "approved", "payment", "0", "x", "{}", "[]", "null", "2026-11-21", "CNY", "ledger_id", "\u{0}"];

/// First byte: what is changed; then the changes.
pub fn ledger(data: &[u8]) {
    let mut tape = Tape::new(data);
    let what = tape.byte();
    let dir = directory();
    let killed = what & 8 == 8;
    put_files(if killed { &base().killed } else { &base().closed }, dir.path());
    let file = dir.path().join("ledger.db");
    match what % 8 {
        0..=2 => change_file(&file, &mut tape),
        3 => change_file(&dir.path().join(if killed { "ledger.db-wal" } else { "head" }), &mut tape),
        4 => std::fs::write(&file, tape.rest()).unwrap(),
        5 => std::fs::write(dir.path().join("ledger.db-wal"), tape.rest()).unwrap(),
        _ => change_rows(&file, &mut tape),
    }
    let witness = what % 8 != 3 || killed;
    judge(dir.path(), witness);
}

/// What the base holds.
struct Truth {
    seq: u64,
    hash: [u8; 32],
    lists: String,
}

fn truth() -> &'static Truth {
    static TRUTH: OnceLock<Truth> = OnceLock::new();
    TRUTH.get_or_init(|| {
        let dir = directory();
        put_files(&base().closed, dir.path());
        let (mut ledger, _) = Ledger::open(store(dir.path())).unwrap();
        assert!(matches!(ledger.verify(), Ok(Verification::Sound { .. })), "the base is sound");
        Truth { seq: ledger.last_seq(), hash: ledger.last_hash(), lists: lists(dir.path()).unwrap() }
    })
}

/// Opening, checking and listing end in order; and what is called sound is what was written.
fn judge(dir: &Path, with_witness: bool) {
    let Ok((mut ledger, report)) = Ledger::open(store(dir)) else { return };
    assert!(!report.created || !with_witness, "a new ledger in the place of one whose witness is there");
    let verified = ledger.verify();
    let seen = lists(dir);
    let quiet = report.missing_events == 0 && report.differs_at.is_none() && report.read_only.is_none();
    if with_witness && quiet && matches!(verified, Ok(Verification::Sound { .. })) {
        let truth = truth();
        assert_eq!((ledger.last_seq(), ledger.last_hash()), (truth.seq, truth.hash), "another history is called sound");
        if let Ok(seen) = seen {
            let at = seen.bytes().zip(truth.lists.bytes()).take_while(|(one, other)| one == other).count();
            let near = |text: &str| {
                String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..text.len().min(at + 200)]).into_owned()
            };
            assert!(seen == truth.lists, "other lists are called sound: {} for {}", near(&seen), near(&truth.lists));
        }
    }
    drop(ledger);
}

/// Every list, as text.
fn lists(dir: &Path) -> Result<String, takings_store::StoreError> {
    let reader = Reader::open(&store(dir))?;
    let now_ms = base().now.wall_ms;
    let payments = reader.payments(&PaymentFilter::default(), now_ms, None, 200);
    let mut text = format!("{payments:?}");
    for row in payments.into_iter().flat_map(|page| page.rows) {
        text.push_str(&format!("{:?}", reader.payment(row.payment_id)));
    }
    let (first, last) = ("2026-01-01".parse().ok(), "2026-12-31".parse().ok());
    text.push_str(&format!("{:?}", reader.takings(first, last, now_ms)));
    text.push_str(&format!("{:?}", reader.balances()));
    text.push_str(&format!("{:?}", reader.status().map(|status| status.last_seq)));
    // Read, but no part of what the events say: nothing but the check of the whole file covers them.
    let _ = (reader.next_alerts(200), reader.verify());
    Ok(text)
}

fn change_file(file: &Path, tape: &mut Tape<'_>) {
    let mut bytes = std::fs::read(file).unwrap_or_default();
    for _ in 0..MOST_CHANGES {
        if tape.is_over() || bytes.is_empty() {
            break;
        }
        let how = tape.byte();
        let at = (tape.word() << 8 | usize::from(tape.byte())) % bytes.len();
        let page = at / PAGE * PAGE;
        match how % 8 {
            0 | 1 => bytes[at] ^= 1 << (how / 8 % 8),
            2 => {
                let new = tape.bytes(usize::from(how / 8));
                let end = (at + new.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&new[..end - at]);
            }
            3 => bytes.truncate(at),
            4 => bytes.truncate(page),
            5 if page + PAGE <= bytes.len() => bytes[page..page + PAGE].fill(0),
            6 => {
                let from = usize::from(tape.byte()) * PAGE;
                if from + PAGE <= bytes.len() && page + PAGE <= bytes.len() {
                    bytes.copy_within(from..from + PAGE, page);
                }
            }
            _ => bytes.extend_from_slice(tape.bytes(usize::from(how))),
        }
    }
    std::fs::write(file, bytes).unwrap();
}

/// Somebody with SQLite: rows, without the triggers in the way; sometimes with a chain made to fit.
fn change_rows(file: &Path, tape: &mut Tape<'_>) {
    let conn = Connection::open(file).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
    let triggers = texts(&conn, "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name");
    for name in texts(&conn, "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name") {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    let tables =
        texts(&conn, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
    for _ in 0..MOST_CHANGES {
        if tape.is_over() {
            break;
        }
        match tape.byte() % 5 {
            0 | 1 => change_body(&conn, tape),
            2 => relink(&conn),
            3 => drop(conn.execute("DELETE FROM event WHERE seq = ?", [tape.byte()])),
            _ => {
                let table = tape.pick(&tables).clone();
                change_cell(&conn, &table, tape);
            }
        }
    }
    for sql in triggers {
        conn.execute_batch(&sql).unwrap();
    }
}

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn change_body(conn: &Connection, tape: &mut Tape<'_>) {
    let seq = i64::from(tape.byte()) % i64::try_from(truth().seq).unwrap() + 1;
    let body: Result<String, _> = conn.query_row("SELECT body FROM event WHERE seq = ?", [seq], |row| row.get(0));
    let Ok(mut body) = serde_json::from_str(&body.unwrap_or_default()) else { return };
    edit(&mut body, tape);
    let _ = conn.execute("UPDATE event SET body = ? WHERE seq = ?", params![body.to_string(), seq]);
}

fn change_cell(conn: &Connection, table: &str, tape: &mut Tape<'_>) {
    let columns = texts(conn, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
    let column = tape.pick(&columns);
    let count = usize::from(tape.byte() % 40);
    let value = match tape.byte() % 6 {
        0 => Sql::Null,
        1 | 2 => Sql::Integer(*tape.pick(NUMBERS)),
        3 => Sql::Text((*tape.pick(TEXTS)).to_owned()),
        4 => Sql::Blob(tape.bytes(count).to_vec()),
        _ => Sql::Text(String::from_utf8_lossy(tape.bytes(count)).into_owned()),
    };
    let row = tape.byte();
    let sql = format!(
        "UPDATE \"{table}\" SET \"{column}\" = ? WHERE rowid IN (SELECT rowid FROM \"{table}\" LIMIT 1 OFFSET ?)"
    );
    // What the table does not take does not happen.
    let _ = conn.execute(&sql, params![value, row % 16]);
}

/// The chain of ARCHITECTURE.md, made anew over the rows as they are now.
fn relink(conn: &Connection) {
    let id: Vec<u8> =
        conn.query_row("SELECT value FROM meta WHERE key = 'ledger_id'", [], |row| row.get(0)).unwrap_or_default();
    let mut hash = Sha256::new().chain_update(b"takings ledger 1").chain_update(&id).finalize().to_vec();
    let columns = "seq, at_ms, monotonic_ms, boot_id, operator, subject, kind, body_version, body";
    let Ok(mut statement) = conn.prepare(&format!("SELECT {columns} FROM event ORDER BY seq")) else { return };
    let rows = statement.query_map([], |row| (0..9).map(|at| row.get::<_, Sql>(at)).collect::<Result<Vec<_>, _>>());
    let rows: Vec<Vec<Sql>> = rows.map(|rows| rows.flatten().collect()).unwrap_or_default();
    for row in rows {
        let mut link = Sha256::new().chain_update(&hash);
        for column in &row {
            let (kind, bytes) = match column {
                Sql::Null => (0_u8, Vec::new()),
                Sql::Integer(number) => (1, number.to_be_bytes().to_vec()),
                Sql::Text(text) => (2, text.clone().into_bytes()),
                Sql::Blob(bytes) => (3, bytes.clone()),
                Sql::Real(_) => return,
            };
            let length = u32::try_from(bytes.len()).unwrap();
            link = link.chain_update([kind]).chain_update(length.to_be_bytes()).chain_update(bytes);
        }
        hash = link.finalize().to_vec();
        let _ = conn.execute("UPDATE event SET hash = ? WHERE seq = ?", params![hash, row[0]]);
    }
}
