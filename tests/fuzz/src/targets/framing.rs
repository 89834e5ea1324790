//! A link's values: anything put together, and anything cut and put together again.

use std::collections::BTreeSet;

use takings_readers::link::{MAX_MESSAGE_LEN, MIN_VALUE_LEN, Reassembler, Segmenter};

use crate::tape::Tape;

/// The longest value any link has.
const MAX_VALUE_LEN: usize = 514;

/// The input: two bytes that pick the length of our own values, then a reader's values, each after one byte for its length.
pub fn framing(data: &[u8]) {
    let mut tape = Tape::new(data);
    let value_len = MIN_VALUE_LEN + tape.word() % (MAX_VALUE_LEN - MIN_VALUE_LEN + 1);
    let (mut link, mut pair) = (Reassembler::new(), (Segmenter::new(), Reassembler::new()));
    // By the message's number: a copy of an earlier one, even one of the same number, may come in between.
    let mut announced = BTreeSet::new();
    let (mut came, mut told) = (0, 0);
    while !tape.is_over() {
        let count = usize::from(tape.byte());
        let value = tape.bytes(count);
        let received = link.push(value);
        came += value.len();
        if let [counter, 0, _, a, b, c, d, ..] = *value {
            announced.insert((counter, u32::from_be_bytes([a, b, c, d])));
        }
        if let Some(message) = received.message {
            assert!(received.problem.is_none() && link.held_len() == 0);
            let total = u32::try_from(message.len()).expect("no longer than it may be");
            assert!(total > 0 && announced.contains(&(value[0], total)));
            told += message.len();
        }
        // No byte is held that did not come, and none is told twice.
        assert!(link.held_len() <= MAX_MESSAGE_LEN && told + link.held_len() <= came);
        through(&mut pair, value, value_len);
    }
    through(&mut pair, data, value_len);
    // At the shortest length these are more values than a counter counts.
    let long: Vec<u8> = data.iter().copied().cycle().take(5_000).collect();
    through(&mut pair, &long, value_len);
}

/// A message comes out as it went in, with its last value, and nothing is said to be missing.
fn through((segmenter, link): &mut (Segmenter, Reassembler), message: &[u8], value_len: usize) {
    if message.is_empty() {
        return;
    }
    let values = segmenter.segment(message, value_len);
    let (last, full) = values.split_last().expect("a value at least");
    assert!(full.iter().all(|value| value.len() == value_len) && last.len() <= value_len);
    for value in full {
        let received = link.push(value);
        assert!(!received.lost && !received.repeated);
        assert!(received.problem.is_none() && received.message.is_none());
    }
    let received = link.push(last);
    assert!(!received.lost && !received.repeated && received.problem.is_none());
    assert_eq!(received.message.as_deref().map(Vec::as_slice), Some(message));
}
