//! What a payment takes at the reader's engine, counted: values, and memory asked for.

use allocation_counter::measure;
use takings_bench::readers::Recording;
use takings_readers::link::{LinkProblem, Reassembler};
use takings_readers::tlv;

/// Allocations of one payment: messages put together, card data copied into what is kept, events told.
const MOST_ALLOCATIONS: u64 = 400;
/// Bytes asked for over one payment, all told.
const MOST_BYTES: u64 = 48 * 1024;

#[test]
fn a_payment_brings_so_many_values() {
    for (value_len, most) in [(244, 16), (20, 120)] {
        let (values, bytes) = Recording::of(4, value_len).unwrap().size_of_one();
        assert!((5..=most).contains(&values), "{values} values of {value_len} bytes");
        assert!((1_000..3_000).contains(&bytes), "{bytes} bytes");
    }
}

#[test]
fn an_announced_length_of_four_gibibytes_asks_for_no_memory() {
    let mut link = Reassembler::new();
    let mut refused = 0;
    let asked = measure(|| {
        for last in [0xFF, 0xFE] {
            let received = link.push(&[0, 0, 0, 0xFF, 0xFF, 0xFF, last, 1]);
            refused += usize::from(received.problem == Some(LinkProblem::TooLong));
        }
        for length in [&[0x84, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0x83, 0xFF, 0xFF, 0xFF]] {
            let mut object = [0x5A; 8];
            object[1..=length.len()].copy_from_slice(length);
            refused += usize::from(tlv::objects(&object).next().is_some_and(|found| found.is_err()));
        }
    });
    assert_eq!((refused, asked.bytes_total), (4, 0));
}

#[test]
fn a_payment_asks_for_little_memory_and_gives_it_back() {
    let recording = Recording::of(50, 244).unwrap();
    let mut reader = recording.connected().unwrap();
    let mut requests = 0;
    let asked = measure(|| requests = recording.pay(&mut reader).unwrap());
    assert_eq!(requests, 50);
    assert!(asked.count_total / 50 <= MOST_ALLOCATIONS, "{} allocations a payment", asked.count_total / 50);
    assert!(asked.bytes_total / 50 <= MOST_BYTES, "{} bytes a payment", asked.bytes_total / 50);
    // An engine does not grow with the payments it has seen.
    assert!(asked.bytes_current < 8 * 1024, "{} bytes are still held", asked.bytes_current);
}
