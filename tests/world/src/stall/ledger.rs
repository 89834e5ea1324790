//! A ledger read from outside: a connection of the judge's own, the chain by its published form, and the witness's bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::KEY;

/// What a ledger says of a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paid {
    /// Asked for, minor units.
    pub amount_minor: i64,
    /// The class it was accepted in.
    pub accepted: Option<String>,
    /// What the acquirer approved, by its newest report, minor units.
    pub approved_minor: Option<i64>,
    /// The newest report's word on the authorization.
    pub authorization: Option<String>,
}

/// A ledger as the file holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// How many events.
    pub events: u64,
    /// SHA-256 over every row, link included.
    pub digest: [u8; 32],
    /// The first event that the chain does not lead to.
    pub broken_at: Option<u64>,
    /// How many are missing, by the opening's own word.
    pub missing_events: u64,
    /// By payment id.
    pub payments: BTreeMap<String, Paid>,
    /// SHA-256 over every row of each table, if they were asked for with [`tables`].
    pub tables: BTreeMap<String, [u8; 32]>,
}

/// One column, as the chain takes it.
fn column(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    bytes.push(kind);
    bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(content);
}

/// Reads the whole ledger of a directory. It writes nothing, and leaves the log as it is.
///
/// # Errors
/// The file cannot be opened or read, or a column is of another type.
pub fn read(dir: &Path) -> Result<Found, rusqlite::Error> {
    let conn = open(dir)?;
    let ledger_id: Vec<u8> = conn.query_row("SELECT value FROM meta WHERE key = 'ledger_id'", [], |row| row.get(0))?;
    let mut hash: Vec<u8> = Sha256::new().chain_update(b"takings ledger 1").chain_update(ledger_id).finalize().to_vec();
    let mut statement = conn.prepare(
        "SELECT seq, at_ms, monotonic_ms, boot_id, subject, body_version, operator, kind, body, hash
         FROM event ORDER BY seq",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Found::default();
    let mut digest = Sha256::new();
    let mut subjects = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let numbers: Vec<i64> = (0..6).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        let [seq, at_ms, monotonic_ms, boot_id, subject, body_version] = numbers[..] else { continue };
        let operator: Option<String> = row.get(6)?;
        let (kind, body): (String, String) = (row.get(7)?, row.get(8)?);
        let mut bytes = hash;
        for number in [seq, at_ms, monotonic_ms, boot_id] {
            column(&mut bytes, 1, &number.to_be_bytes());
        }
        match &operator {
            Some(operator) => column(&mut bytes, 2, operator.as_bytes()),
            None => column(&mut bytes, 0, &[]),
        }
        column(&mut bytes, 1, &subject.to_be_bytes());
        column(&mut bytes, 2, kind.as_bytes());
        column(&mut bytes, 1, &body_version.to_be_bytes());
        column(&mut bytes, 2, body.as_bytes());
        let link = Sha256::digest(&bytes);
        hash = row.get(9)?;
        found.events += 1;
        if found.broken_at.is_none() && (link.as_slice() != hash || seq.cast_unsigned() != found.events) {
            found.broken_at = Some(found.events);
        }
        digest.update(&bytes);
        digest.update(&hash);
        found.note(&mut subjects, (seq, subject), &kind, &body);
    }
    found.digest = digest.finalize().into();
    Ok(found)
}

impl Found {
    /// `subjects`: the payments by the number of their first event.
    fn note(&mut self, subjects: &mut BTreeMap<i64, String>, (seq, subject): (i64, i64), kind: &str, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        if kind == "charge_started" {
            let id = text("payment_id").unwrap_or_default();
            let amount_minor = body["amount"]["amount_minor"].as_i64().unwrap_or(0);
            self.payments.insert(id.clone(), Paid { amount_minor, ..Paid::default() });
            subjects.insert(seq, id);
        }
        let Some(paid) = subjects.get(&subject).and_then(|id| self.payments.get_mut(id)) else { return };
        match kind {
            "accepted" => paid.accepted = text("class"),
            "payment_reported" => {
                paid.approved_minor = body["approved_amount_minor"].as_i64();
                paid.authorization = text("authorization");
            }
            _ => {}
        }
    }
}

/// What every table holds, and how each was made, as SHA-256.
///
/// # Errors
/// As [`read`].
pub fn tables(dir: &Path) -> Result<BTreeMap<String, [u8; 32]>, rusqlite::Error> {
    let conn = open(dir)?;
    let mut statement = conn.prepare("SELECT name, type, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let schema: Vec<(String, String, Option<String>)> = rows.collect::<Result<_, _>>()?;
    let mut tables = BTreeMap::new();
    for (name, kind, sql) in schema {
        let mut digest = Sha256::new();
        digest.update(meaning(&sql.unwrap_or_default()));
        if kind == "table" {
            let columns = conn.prepare(&format!("SELECT * FROM \"{name}\""))?.column_count();
            let order: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
            let sql = format!("SELECT * FROM \"{name}\" ORDER BY {}", order.join(", "));
            let mut statement = conn.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    digest.update(format!("{:?};", row.get_ref(column)?));
                }
            }
        }
        tables.insert(format!("{kind} {name}"), digest.finalize().into());
    }
    Ok(tables)
}

/// What a statement says: without its remarks, its line breaks, and the case of what is not quoted.
fn meaning(sql: &str) -> String {
    let lines: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default().trim()).collect();
    let lines = lines.join(" ");
    let parts = lines.split('\'').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 0 { part.to_ascii_lowercase() } else { part.to_owned() })
        .collect::<Vec<_>>()
        .join("'")
}

fn open(dir: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags_and_vfs(dir.join("ledger.db"), flags, c"unix")?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if cfg!(feature = "sqlcipher") {
        let digits: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        for (name, value) in [("cipher_log_level", "NONE"), ("cipher_log", "off")] {
            conn.pragma(None, name, value, |_| Ok(()))?;
        }
        conn.query_row(&format!("PRAGMA key = \"x'{digits}'\""), [], |_| Ok(()))?;
    }
    Ok(conn)
}

/// The newest event the witness in this directory has seen, by its bytes: two slots of 512, each with its checksum.
#[must_use]
pub fn witness(dir: &Path) -> Option<u64> {
    let bytes = fs::read(dir.join("head")).ok()?;
    let slots = bytes.chunks_exact(512).filter_map(|slot| {
        let (body, checksum) = slot.split_at(480);
        let number = |from: usize| body.get(from..from + 8)?.try_into().ok().map(u64::from_be_bytes);
        let sound = Sha256::digest(body).as_slice() == checksum && body.starts_with(b"TKHEAD01");
        sound.then_some(()).and_then(|()| Some((number(8)?, number(16)?)))
    });
    slots.max().map(|(_, seq)| seq)
}
