//! Messages over values: cut, put together, and nothing made up when something is missing.

use proptest::prelude::*;
use takings_readers::link::{LinkProblem, MAX_MESSAGE_LEN, Reassembler, Received, Segmenter};

fn push_all(link: &mut Reassembler, values: &[Vec<u8>]) -> (Vec<Vec<u8>>, usize) {
    let (mut messages, mut losses) = (Vec::new(), 0);
    for value in values {
        let Received { lost, message, .. } = link.push(value);
        losses += usize::from(lost);
        messages.extend(message.map(|message| message.to_vec()));
    }
    (messages, losses)
}

proptest! {
    #![proptest_config(crate::bench::cases(256))]

    #[test]
    fn cut_and_put_together_is_the_same(
        value_len in 20_usize..=514,
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..1500), 1..6),
    ) {
        let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
        for message in &messages {
            let values = segmenter.segment(message, value_len);
            let full = values[..values.len() - 1].iter().all(|value| value.len() == value_len);
            prop_assert!(full && values.iter().all(|value| value.len() <= value_len));
            let (got, losses) = push_all(&mut link, &values);
            prop_assert_eq!((got, losses), (vec![message.clone()], 0));
        }
    }

    /// One value lost, doubled or swapped: every message that comes out is one that went in, at most
    /// the touched ones are missing, and a loss is told by the time the next message is through.
    #[test]
    fn a_damaged_stream_never_makes_up_a_message(
        value_len in prop_oneof![3 => 20_usize..=60, 1 => 20_usize..=514],
        lengths in prop::collection::vec(1_usize..200, 2..6),
        before in prop_oneof![Just(0_usize), 250_usize..=256],
        at in any::<prop::sample::Index>(),
        damage in 0..3,
    ) {
        let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
        for _ in 0..before {
            prop_assert_eq!(push_all(&mut link, &segmenter.segment(b"before", value_len)).1, 0);
        }
        let sent: Vec<Vec<u8>> = lengths
            .iter()
            .enumerate()
            .map(|(n, &len)| (0..len).map(|i| u8::try_from((n * 31 + i) % 251).unwrap()).collect())
            .collect();
        let mut values: Vec<Vec<u8>> =
            sent.iter().flat_map(|message| segmenter.segment(message, value_len)).collect();
        let at = at.index(values.len());
        match damage {
            0 => drop(values.remove(at)),
            1 => values.insert(at, values[at].clone()),
            _ if at + 1 < values.len() => values.swap(at, at + 1),
            _ => {}
        }
        let end = segmenter.segment(b"end", value_len);
        let damaged = damage < 2 || at + 1 < values.len();
        values.extend(end);
        let (got, losses) = push_all(&mut link, &values);
        for message in &got {
            prop_assert!(sent.contains(message) || message == b"end");
        }
        prop_assert!(got.last().is_some_and(|message| message == b"end"));
        prop_assert!(got.len() + 2 >= sent.len(), "{} of {}", got.len(), sent.len());
        // A repeated last value takes nothing away, so it need not be told.
        prop_assert!(losses == 0 || damaged);
        prop_assert!(losses > 0 || got[..got.len() - 1] == sent);
    }

    #[test]
    fn nonsense_neither_panics_nor_piles_up(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..80),
    ) {
        let mut link = Reassembler::new();
        for value in &values {
            let _ = link.push(value);
            prop_assert!(link.held_len() <= MAX_MESSAGE_LEN);
        }
    }
}

#[test]
fn every_value_length_from_the_shortest_to_the_longest() {
    let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
    for value_len in 20..=514 {
        // Seven bytes go before the data of a first value, two before that of a later one.
        let (first, later) = (value_len - 7, value_len - 2);
        for len in [1, first - 1, first, first + 1, first + later, first + later + 1, first + 3 * later] {
            let message: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let values = segmenter.segment(&message, value_len);
            assert_eq!(values.len(), 1 + len.saturating_sub(first).div_ceil(later), "{len} at {value_len}");
            let (last, full) = values.split_last().unwrap();
            assert!(full.iter().all(|value| value.len() == value_len) && last.len() <= value_len);
            assert_eq!(push_all(&mut link, &values), (vec![message], 0), "{len} at {value_len}");
        }
    }
}

#[test]
fn message_counters_wrap_to_00_and_value_counters_to_01() {
    for value_len in [20, 101, 244, 514] {
        let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
        let message = vec![7; value_len + 10];
        for round in 0..600 {
            let values = segmenter.segment(&message, value_len);
            assert!(values.iter().all(|value| usize::from(value[0]) == round % 256));
            assert_eq!(push_all(&mut link, &values), (vec![message.clone()], 0));
        }
        // Long values never come to the end of their counters within a message that is taken.
        let long: Vec<u8> = (0..value_len * 600).map(|i| u8::try_from(i % 253).unwrap()).collect();
        let values = segmenter.segment(&long, value_len);
        assert_eq!((values[255][1], values[256][1]), (0xFF, 0x01));
        assert_eq!((values[510][1], values[511][1]), (0xFF, 0x01));
        assert!(values.iter().skip(1).all(|value| value[1] != 0));
        let taken = &long[..long.len().min(MAX_MESSAGE_LEN)];
        let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
        assert_eq!(push_all(&mut link, &segmenter.segment(taken, value_len)), (vec![taken.to_vec()], 0));
    }
}

#[test]
fn a_first_value_in_the_middle_starts_anew() {
    let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
    let first = segmenter.segment(&[1; 100], 20);
    let second = segmenter.segment(&[2; 40], 20);
    let values: Vec<_> = first[..3].iter().chain(&second).cloned().collect();
    assert_eq!(push_all(&mut link, &values), (vec![vec![2; 40]], 1));
}

#[test]
fn a_lost_message_is_told_once() {
    let (mut segmenter, mut link) = (Segmenter::new(), Reassembler::new());
    let lost = segmenter.segment(&[1; 100], 20);
    let next = segmenter.segment(&[2; 40], 20);
    // Its first value is gone: the rest of it is told once, the next message not again.
    let values: Vec<_> = lost[1..].iter().chain(&next).cloned().collect();
    assert_eq!(push_all(&mut link, &values), (vec![vec![2; 40]], 1));
}

#[test]
fn announced_lengths_are_bounded() {
    for (total, problem) in [
        (0, Some(LinkProblem::EmptyMessage)),
        (MAX_MESSAGE_LEN, None),
        (MAX_MESSAGE_LEN + 1, Some(LinkProblem::TooLong)),
        (usize::try_from(u32::MAX).unwrap(), Some(LinkProblem::TooLong)),
    ] {
        let mut value = vec![0, 0, 0];
        value.extend_from_slice(&u32::try_from(total).unwrap().to_be_bytes());
        value.push(1);
        assert_eq!(Reassembler::new().push(&value).problem, problem, "{total}");
    }
    for short in [&[][..], &[0], &[0, 0], &[0, 0, 0, 0, 0, 0]] {
        assert_eq!(Reassembler::new().push(short).problem, Some(LinkProblem::ShortValue));
    }
    // What comes after the announced end is not part of the message.
    let received = Reassembler::new().push(&[0, 0, 0, 0, 0, 0, 2, 8, 9, 10, 11]);
    assert_eq!(received.message.unwrap().to_vec(), [8, 9]);
}
