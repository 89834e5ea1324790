//! Other queues keeping one record of 400 bytes, each as durably as it can.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use queue_file::QueueFile;
use redb::{Database, TableDefinition};

use crate::bare::BareTable;
use crate::measure::{Samples, in_turns, ratio, shown};
use crate::table::Table;
use crate::{Outcome, syncs};

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const PER_TURN: usize = 20;

/// Measures on the disk of `dir`.
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, dir: &Path, samples: usize) -> Outcome<()> {
    let dir = tempfile::tempdir_in(dir)?;
    let record = [7_u8; 400];
    let mut raw = OpenOptions::new().create(true).append(true).open(dir.path().join("raw"))?;
    let redb = Database::create(dir.path().join("redb"))?;
    let mut queue = QueueFile::open(dir.path().join("queue-file"))?;
    let sqlite = BareTable::create(&dir.path().join("sqlite"))?;
    let mut key = 0;
    let mut found: [(&str, Samples, u64); 4] = Default::default();
    let names =
        ["raw: append, fdatasync", "redb 4: one write transaction", "queue-file: add", "SQLite: one row, commit"];
    for (slot, name) in found.iter_mut().zip(names) {
        slot.0 = name;
    }
    let [raw_found, redb_found, queue_found, sqlite_found] = &mut found;
    in_turns(
        samples.div_ceil(PER_TURN),
        &mut [
            &mut || {
                turn(raw_found, || {
                    raw.write_all(&record)?;
                    Ok(raw.sync_data()?)
                })
            },
            &mut || {
                turn(redb_found, || {
                    key += 1;
                    let write = redb.begin_write()?;
                    write.open_table(RECORDS)?.insert(key, &record[..])?;
                    Ok(write.commit()?)
                })
            },
            &mut || turn(queue_found, || Ok(queue.add(&record)?)),
            &mut || turn(sqlite_found, || sqlite.insert()),
        ],
    )?;
    table
        .heading("Other queues: one record of 400 B kept", &["what", "sync calls a record", "p50", "p99", "p50 / raw"]);
    let floor = found[0].1.p50();
    for (name, samples, calls) in &found {
        table.row(&[
            (*name).to_owned(),
            crate::measure::hundredths(u128::from(*calls), samples.len() as u128),
            shown(samples.p50()),
            shown(samples.p99()),
            ratio(samples.p50(), floor),
        ]);
    }
    Ok(())
}

fn turn(found: &mut (&str, Samples, u64), mut work: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let before = syncs::calls();
    for _ in 0..PER_TURN {
        found.1.time(&mut work)?;
    }
    found.2 += syncs::calls() - before;
    Ok(())
}
