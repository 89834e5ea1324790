//! What does not depend on the machine: sync calls, statements, batches and bytes. A change that makes a payment dearer
//! fails here; make the number smaller when you can, larger only with a reason.

use std::sync::{Mutex, MutexGuard, PoisonError};

use takings_bench::syncs::{self, Mode};
use takings_bench::{disk, drain, history, statements};
use takings_store::reading::payments::PaymentFilter;
use takings_store::{Ledger, Reader};
use tempfile::tempdir;

/// Statements of a sale without a line, from the merchant's tap to the reader's last word.
const MOST_OF_A_SALE: u64 = 85;
/// Statements of a waiting payment that is sent and answered, what surrounds the batches included.
const MOST_OF_A_DRAINED_PAYMENT: u64 = 39;
/// Bytes on disk for a payment with six events.
const MOST_BYTES_SIX: u64 = 2_300;
/// Bytes on disk for a payment that the till took and the acquirer answered: nine events, one of them what its receipt says.
const MOST_BYTES_ANSWERED: u64 = 2_700;

/// The counters are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = matches!(syncs::are_ours(), Ok(true));
    assert!(counted || !cfg!(target_os = "linux"), "sync calls pass by the counter");
    syncs::set(Mode::Skip);
    guard
}

#[test]
fn a_sale_without_a_line_costs_three_sync_calls_and_few_statements() {
    let _alone = alone();
    statements::watch();
    let dir = tempdir().unwrap();
    let (mut stall, _acquirer) = drain::waiting(dir.path(), 3).unwrap();
    statements::stop_watching();
    let before = syncs::calls();
    statements::take();
    stall.capture().unwrap();
    let ran = statements::take();
    // The intent; card and acceptance; the reader's last word.
    assert_eq!(syncs::calls() - before, if cfg!(target_os = "linux") { 3 } else { 0 });
    let again: Vec<_> = ran.iter().filter(|ran| ran.prepared_again > 0).collect();
    assert!(again.is_empty(), "planned anew at each use: {again:#?}");
    let count: u64 = ran.iter().map(|ran| ran.times).sum();
    assert!(count <= MOST_OF_A_SALE, "{count} statements: {ran:#?}");
}

#[test]
fn an_opening_asks_little() {
    let _alone = alone();
    let dir = tempdir().unwrap();
    history::write(dir.path(), 200, history::Life::Whole).unwrap();
    statements::watch();
    statements::take();
    let (ledger, _) = Ledger::open(history::config(dir.path())).unwrap();
    let of_writer = statements::take();
    let reader = Reader::open(&history::config(dir.path())).unwrap();
    let of_reader = statements::take();
    statements::stop_watching();
    drop(reader);
    ledger.close().unwrap();
    let count = |ran: &[statements::Ran]| ran.iter().map(|ran| ran.times).sum::<u64>();
    // The key's own four statements are those of encrypted builds.
    let key = if takings_bench::KEY.is_some() { 4 } else { 0 };
    assert!(count(&of_writer) <= 26 + key, "{of_writer:#?}");
    assert!(count(&of_reader) <= 6 + key, "{of_reader:#?}");
}

#[test]
fn a_drained_payment_costs_few_statements() {
    let _alone = alone();
    let dir = tempdir().unwrap();
    statements::watch();
    let (stall, acquirer) = drain::waiting(dir.path(), 100).unwrap();
    statements::stop_watching();
    statements::take();
    drain::drain(&stall, &acquirer, 100).unwrap();
    let ran = statements::take();
    let count: u64 = ran.iter().map(|ran| ran.times).sum();
    assert!(count <= MOST_OF_A_DRAINED_PAYMENT * 100, "{count} statements: {ran:#?}");
}

#[test]
fn a_drain_takes_as_few_batches_as_can_be_and_little_beside_the_ciphertext() {
    let _alone = alone();
    let dir = tempdir().unwrap();
    let (stall, acquirer) = drain::waiting(dir.path(), 120).unwrap();
    let (drained, _) = drain::drain(&stall, &acquirer, 120).unwrap();
    assert_eq!(drained.batches, 3, "{drained:?}");
    assert!(drained.other_requests <= 4, "{drained:?}");
    // Two commits a batch, and a few around them.
    assert!(drained.sync_calls <= 2 * 3 + 6, "{drained:?}");
    assert!(drained.bytes_beside_ciphertext() <= 700, "{drained:?}");
}

#[test]
fn a_page_is_one_query_in_one_snapshot() {
    let _alone = alone();
    let dir = tempdir().unwrap();
    history::write(dir.path(), 200, history::Life::Whole).unwrap();
    statements::watch();
    let reader = Reader::open(&history::config(dir.path())).unwrap();
    statements::stop_watching();
    statements::take();
    let page = reader.payments(&PaymentFilter::default(), 0, None, 50).unwrap();
    assert_eq!(page.rows.len(), 50);
    let ran = statements::take();
    assert!(ran.iter().all(|ran| ran.prepared_again == 0), "{ran:#?}");
    assert_eq!(ran.iter().map(|ran| ran.times).sum::<u64>(), 3, "{ran:#?}");
}

#[test]
fn a_payment_takes_little_room() {
    let _alone = alone();
    let each = |few: disk::Held, many: disk::Held, more: u64| (many.used - few.used) / more;
    let six = |payments| disk::written(payments, history::Life::SixEvents).unwrap();
    let (few, many) = (six(100), six(1_100));
    assert_eq!(many.events - few.events, 6 * 1_000);
    assert!(each(few, many, 1_000) <= MOST_BYTES_SIX, "{} B: {few:?} {many:?}", each(few, many, 1_000));
    let (few, many) = (disk::sold(40).unwrap(), disk::sold(240).unwrap());
    assert_eq!(many.1.events - few.1.events, 9 * 200);
    assert!(each(few.1, many.1, 200) <= MOST_BYTES_ANSWERED, "{} B: {few:?} {many:?}", each(few.1, many.1, 200));
    // The ciphertext is on the phone while the payment waits, and gone when it is answered.
    assert!(each(few.0, many.0, 200) > 500);
}
