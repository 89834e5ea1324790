//! Lists and openings, short history and long, against plain SQLite doing the same on a plain table.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::types::Value;
use takings_domain::payment::Stage;
use takings_store::reading::payments::PaymentFilter;
use takings_store::{Ledger, PageKey, Reader};
use takings_till::views::PaymentQuery;

use crate::history::{self, Life};
use crate::measure::{Samples, in_turns, ratio, shown};
use crate::syncs::{self, Mode};
use crate::table::Table;
use crate::{Outcome, bare, stall};

const PAGE: u32 = 50;
/// After everything in the generated histories.
const NOW_MS: i64 = 2_000_000_000_000_000;

/// A ledger of so many payments with the plain table beside it, made if it is not there yet.
///
/// # Errors
/// As the store.
pub fn prepared(cache: &Path, payments: u64, table: &mut Table) -> Outcome<PathBuf> {
    let kind = if crate::KEY.is_some() { "cipher" } else { "plain" };
    let dir = cache.join(format!("{kind}-{payments}"));
    if dir.join("plain.db").exists() {
        return Ok(dir);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    syncs::set(Mode::Skip);
    let began = Instant::now();
    history::write(&dir, payments, Life::Whole)?;
    let took = began.elapsed();
    table.note(&format!(
        "(wrote a history of {payments} payments in {}, {} a payment)",
        shown(took),
        shown(took / u32::try_from(payments)?)
    ));
    plain_copy(&dir)?;
    syncs::set(Mode::Real);
    Ok(dir)
}

/// The payments as a plain table without anything else, in a file that is never encrypted.
fn plain_copy(dir: &Path) -> Outcome<()> {
    let conn = bare::connect(&history::config(dir).ledger_path(), crate::KEY, true)?;
    let key = if crate::KEY.is_some() { " KEY ''" } else { "" };
    let (fresh, done) = (dir.join("plain.db.new"), dir.join("plain.db"));
    conn.execute(&format!("ATTACH ? AS plain{key}"), [fresh.to_string_lossy()])?;
    let columns: Vec<String> = conn.prepare("SELECT * FROM payment")?.column_names().map(str::to_owned).collect();
    let rest = columns.iter().filter(|name| *name != "key").cloned().collect::<Vec<_>>().join(", ");
    conn.execute_batch(&format!(
        "CREATE TABLE plain.payment (key INTEGER PRIMARY KEY, {rest});
         INSERT INTO plain.payment (key, {rest}) SELECT key, {rest} FROM main.payment ORDER BY key;
         DETACH plain;"
    ))?;
    Ok(fs::rename(fresh, done)?)
}

#[derive(Default)]
struct Found {
    plain_first: Samples,
    plain_deep: Samples,
    plain_open: Samples,
    wal_open: Samples,
    first: Samples,
    deep: Samples,
    stage: Samples,
    till_first: Samples,
    till_deep: Samples,
    hand_over: Samples,
    open: Samples,
    reader_open: Samples,
    till_open: Samples,
}

/// Measures the ledger in `dir`.
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, dir: &Path, payments: u64, samples: usize) -> Outcome<()> {
    let found = measure(dir, samples)?;
    let columns = ["what", "p50", "p99", "p50 / plain SQLite"];
    table.heading(&format!("Lists and openings at {payments} payments"), &columns);
    let mut line = |what: &str, samples: &Samples, floor: &Samples| {
        table.row(&[what.to_owned(), shown(samples.p50()), shown(samples.p99()), ratio(samples.p50(), floor.p50())]);
    };
    line("plain SQLite: first 50", &found.plain_first, &found.plain_first);
    line("plain SQLite: 50 from anywhere", &found.plain_deep, &found.plain_deep);
    line("plain SQLite: open, first 50", &found.plain_open, &found.plain_open);
    line("plain SQLite in WAL, to write: open, first 50", &found.wal_open, &found.plain_open);
    line("**first page**", &found.first, &found.plain_first);
    line("**deep page**", &found.deep, &found.plain_deep);
    line("first page of a stage", &found.stage, &found.plain_first);
    line("first page through the till", &found.till_first, &found.plain_first);
    line("deep page through the till", &found.till_deep, &found.plain_deep);
    line("a hand-over to another thread and back, nothing else", &found.hand_over, &found.plain_first);
    line("a reader beside an open ledger: open, first page", &found.reader_open, &found.plain_open);
    line("**store: open, first page**", &found.open, &found.plain_open);
    line("till: open, first page", &found.till_open, &found.plain_open);
    Ok(())
}

fn measure(dir: &Path, samples: usize) -> Outcome<Found> {
    let mut found = Found::default();
    pages(&mut found, dir, samples)?;
    openings(&mut found, dir, samples.min(100))?;
    Ok(found)
}

fn pages(found: &mut Found, dir: &Path, samples: usize) -> Outcome<()> {
    let plain = bare::connect(&dir.join("plain.db"), None, false)?;
    let keys = some_keys(&plain, samples)?;
    let (till, runtime) = stall::reopen(dir, "http://127.0.0.1:9")?;
    let reader = Reader::open(&history::config(dir))?;
    let (all, arrived) =
        (PaymentFilter::default(), PaymentFilter { stage: Some(Stage::Arrived), ..Default::default() });
    let Found { plain_first, plain_deep, first, deep, stage, till_first, till_deep, hand_over, .. } = found;
    let other = stall::line_threads()?;
    let query = |after: Option<String>| PaymentQuery { limit: Some(PAGE), after, ..PaymentQuery::default() };
    for key in keys {
        let after: PageKey = key.to_string().parse()?;
        in_turns(
            1,
            &mut [
                &mut || plain_first.time(|| plain_page(&plain, i64::MAX)),
                &mut || first.time(|| full(reader.payments(&all, NOW_MS, None, PAGE)?.rows.len())),
                &mut || plain_deep.time(|| plain_page(&plain, key)),
                &mut || deep.time(|| full(reader.payments(&all, NOW_MS, Some(after), PAGE)?.rows.len())),
                &mut || stage.time(|| full(reader.payments(&arrived, 0, None, PAGE)?.rows.len())),
                &mut || till_first.time(|| full(runtime.block_on(till.payments(query(None)))?.payments.len())),
                &mut || {
                    let asked = query(Some(key.to_string()));
                    till_deep.time(|| full(runtime.block_on(till.payments(asked))?.payments.len()))
                },
                &mut || hand_over.time(|| Ok(runtime.block_on(other.handle().spawn_blocking(|| ()))?)),
            ],
        )?;
    }
    runtime.block_on(till.shutdown())?;
    Ok(())
}

fn openings(found: &mut Found, dir: &Path, samples: usize) -> Outcome<()> {
    let all = PaymentFilter::default();
    let config = history::config(dir);
    let plain = dir.join("plain.db");
    let wal = dir.join("plain-wal.db");
    fs::copy(&plain, &wal)?;
    let Found { plain_open, wal_open, open, reader_open, till_open, .. } = found;
    in_turns(
        samples,
        &mut [
            &mut || plain_open.time(|| plain_page(&bare::connect(&plain, None, false)?, i64::MAX)),
            &mut || wal_open.time(|| plain_page(&bare::connect(&wal, None, true)?, i64::MAX)),
            &mut || {
                let (ledger, reader) = open.time(|| {
                    let (ledger, _) = Ledger::open(config.clone())?;
                    let reader = Reader::open(&config)?;
                    full(reader.payments(&all, NOW_MS, None, PAGE)?.rows.len())?;
                    Ok((ledger, reader))
                })?;
                drop(reader);
                reader_open.time(|| full(Reader::open(&config)?.payments(&all, NOW_MS, None, PAGE)?.rows.len()))?;
                Ok(ledger.close()?)
            },
            &mut || {
                let (till, runtime) = till_open.time(|| {
                    let (till, runtime) = stall::reopen(dir, "http://127.0.0.1:9")?;
                    let query = PaymentQuery { limit: Some(PAGE), ..PaymentQuery::default() };
                    full(runtime.block_on(till.payments(query))?.payments.len())?;
                    Ok((till, runtime))
                })?;
                Ok(runtime.block_on(till.shutdown())?)
            },
        ],
    )?;
    Ok(fs::remove_file(wal)?)
}

fn plain_page(conn: &Connection, before: i64) -> Outcome<()> {
    let mut statement = conn.prepare_cached("SELECT * FROM payment WHERE key < ? ORDER BY key DESC LIMIT 50")?;
    let columns = statement.column_count();
    let rows = statement.query_map([before], |row| (0..columns).map(|at| row.get(at)).collect())?;
    let rows: Vec<Vec<Value>> = rows.collect::<Result<_, _>>()?;
    full(rows.len())
}

fn full(rows: usize) -> Outcome<()> {
    if rows == 50 { Ok(()) } else { Err(format!("a page of {rows}").into()) }
}

/// Keys all over the history, in no order, each with a full page before it.
fn some_keys(conn: &Connection, count: usize) -> Outcome<Vec<i64>> {
    let (low, high): (i64, i64) = conn.query_row(
        "SELECT (SELECT key FROM payment ORDER BY key LIMIT 1 OFFSET 51), max(key) FROM payment",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let span = u64::try_from(high - low)?.max(1);
    (0..u64::try_from(count)?)
        .map(|turn| Ok(low + i64::try_from(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) % span)?))
        .collect()
}
