//! Where the time of an opening goes: its parts, each by itself.

use std::path::Path;

use takings_acquirers::http::{HttpConfig, HttpTransport};
use takings_store::reading::payments::PaymentFilter;
use takings_store::{Ledger, Reader};

use crate::measure::{Samples, in_turns, shown};
use crate::table::Table;
use crate::{Outcome, bare, history, stall, statements};

/// How often each part is measured.
const ROUNDS: usize = 200;

/// Times the parts of opening the ledger in `dir`, and lists the statements of one opening.
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, dir: &Path) -> Outcome<()> {
    let config = history::config(dir);
    let mut parts: [(&str, Samples); 7] = [
        ("SQLite alone: open the ledger's file, read its schema", Samples::default()),
        ("store: lock, witness, settings, identity, newest events checked", Samples::default()),
        ("store: a reader beside it", Samples::default()),
        ("its first page", Samples::default()),
        ("till: client and TLS", Samples::default()),
        ("till: threads for the line, started and stopped", Samples::default()),
        ("a hand-over to another thread and back", Samples::default()),
    ];
    let [alone, store, reader, page, client, threads, hand_over] = &mut parts;
    let url = "http://127.0.0.1:9";
    let tokio = stall::line_threads()?;
    let caller = tokio::runtime::Builder::new_current_thread().build()?;
    in_turns(
        ROUNDS,
        &mut [
            &mut || {
                let conn = alone.1.time(|| {
                    let conn = bare::connect(&config.ledger_path(), crate::KEY, false)?;
                    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
                    Ok((conn, tables))
                })?;
                drop(conn);
                Ok(())
            },
            &mut || {
                let (ledger, _) = store.1.time(|| Ok(Ledger::open(config.clone())?))?;
                let beside = reader.1.time(|| Ok(Reader::open(&config)?))?;
                page.1.time(|| Ok(beside.payments(&PaymentFilter::default(), 0, None, 50)?))?;
                drop(beside);
                Ok(ledger.close()?)
            },
            &mut || client.1.time(|| Ok(HttpTransport::new(&HttpConfig::new(url)).map(drop)?)),
            &mut || threads.1.time(|| stall::line_threads().map(tokio::runtime::Runtime::shutdown_background)),
            &mut || hand_over.1.time(|| Ok(caller.block_on(tokio.handle().spawn_blocking(|| ()))?)),
        ],
    )?;
    table.heading("An opening, part by part", &["what", "p50", "p99"]);
    for (what, samples) in &parts {
        table.row(&[(*what).to_owned(), shown(samples.p50()), shown(samples.p99())]);
    }
    statements::watch();
    statements::take();
    let (ledger, _) = Ledger::open(config.clone())?;
    let of_writer = statements::take_count();
    let beside = Reader::open(&config)?;
    let of_reader = statements::take_count();
    statements::stop_watching();
    drop(beside);
    ledger.close()?;
    table.note(&format!("Statements of an opening: {of_writer} of the writer, {of_reader} of a reader."));
    Ok(())
}
