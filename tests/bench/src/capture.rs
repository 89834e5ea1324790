//! From the card's bytes to *saved*, against one sync call and one row.

use std::path::Path;
use std::time::Duration;

use takings_store::Ledger;

use crate::acquirer::Acquirer;
use crate::bare::{BareFile, BareTable};
use crate::measure::{Samples, in_turns, ratio, shown};
use crate::stall::Stall;
use crate::syncs::{self, Mode};
use crate::table::Table;
use crate::{BLOB_LEN, Outcome, history};

/// Captures of one turn.
const PER_TURN: usize = 20;

#[derive(Default)]
struct Found {
    append: Samples,
    overwrite: Samples,
    row: Samples,
    commit: Samples,
    intent: Samples,
    saved: Samples,
}

/// Measures on the disk of `dir`, and with a sync call of exactly 2 ms on `ram` (a RAM file system).
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, dir: &Path, ram: Option<&Path>, samples: usize) -> Outcome<()> {
    let columns = ["what", "sync calls", "p50", "p99", "p50 / sync call", "p50 / one row", "p99 / p50"];
    let disk = measure(dir, Mode::Real, samples)?;
    table.heading("Capture, on the disk", &columns);
    show(table, &disk, disk.append.p50());
    match ram {
        Some(ram) => {
            let wait = Duration::from_millis(2);
            let slow = measure(ram, Mode::Wait(2_000), samples.min(1_000))?;
            table.heading("Capture, every sync call exactly 2 ms, files in RAM", &columns);
            show(table, &slow, wait);
        }
        None => table.note("No RAM file system here: the 2 ms sync call was left out."),
    }
    Ok(())
}

fn measure(dir: &Path, mode: Mode, samples: usize) -> Outcome<Found> {
    let dir = tempfile::tempdir_in(dir)?;
    let mut found = Found::default();
    syncs::set(Mode::Skip);
    let acquirer = Acquirer::start()?;
    acquirer.allow_many()?;
    let mut stall = Stall::open(&dir.path().join("till"), acquirer.url())?;
    stall.activate(&acquirer.activation_code()?)?;
    let (mut ledger, _) = Ledger::open(history::config(&dir.path().join("store")))?;
    let mut append = BareFile::create(&dir.path().join("append"))?;
    let mut overwrite = BareFile::create(&dir.path().join("overwrite"))?;
    overwrite.append()?;
    let row = BareTable::create(&dir.path().join("row.db"))?;
    let blob = [0x5a; BLOB_LEN];
    let mut number = 0;
    // The first commits after a start are dearer than all others.
    for _ in 0..PER_TURN {
        stall.capture()?;
        row.insert()?;
    }
    syncs::set(mode);
    let Found { append: appended, overwrite: overwritten, row: rows, commit, intent, saved } = &mut found;
    in_turns(
        samples.div_ceil(PER_TURN),
        &mut [
            &mut || (0..PER_TURN).try_for_each(|_| appended.time(|| append.append())),
            &mut || (0..PER_TURN).try_for_each(|_| overwritten.time(|| overwrite.overwrite())),
            &mut || (0..PER_TURN).try_for_each(|_| rows.time(|| row.insert())),
            &mut || {
                (0..PER_TURN).try_for_each(|_| {
                    number += 1;
                    let mut tx = ledger.begin()?;
                    history::intent(&mut tx, number)?;
                    tx.commit()?;
                    commit.time(|| {
                        let mut tx = ledger.begin()?;
                        history::acceptance(&mut tx, number, Some(&blob))?;
                        Ok(tx.commit()?)
                    })?;
                    // As the till does between customers.
                    ledger.checkpoint_idle()?;
                    Ok(())
                })
            },
            &mut || {
                (0..PER_TURN).try_for_each(|_| {
                    let captured = stall.capture()?;
                    intent.push(captured.intent);
                    saved.push(captured.saved);
                    Ok(())
                })
            },
        ],
    )?;
    syncs::set(Mode::Real);
    stall.close()?;
    ledger.close()?;
    Ok(found)
}

fn show(table: &mut Table, found: &Found, floor: Duration) {
    let row = found.row.p50();
    let mut line = |what: &str, calls: &str, samples: &Samples| {
        let (p50, p99) = (samples.p50(), samples.p99());
        table.row(&[
            what.to_owned(),
            calls.to_owned(),
            shown(p50),
            shown(p99),
            ratio(p50, floor),
            ratio(p50, row),
            ratio(p99, p50),
        ]);
    };
    line("append 4 kB, sync", "1", &found.append);
    line("overwrite 4 kB, sync", "1", &found.overwrite);
    line("SQLite, one row of 400 B, commit", "1", &found.row);
    line("store: card, acceptance, ciphertext, commit", "1", &found.commit);
    line("till: the merchant's tap → intent on disk", "1", &found.intent);
    line("**till: last card bytes in → *saved* out**", "1", &found.saved);
}
