//! A card is presented again: what is left of the presentation before decides nothing of the next.

use takings_readers::dynaflex::commands::{CANCEL, NOTE_COMPLETE, START};
use takings_readers::dynaflex::message;
use takings_readers::dynaflex::status::Status;
use takings_readers::link::{Reassembler, Segmenter};
use takings_readers::*;

use crate::bench::{outcomes, payment};
use crate::raw::{NO_TRANSACTION, Raw};
use crate::vectors;

/// Ends with "present it again".
const TRY_AGAIN: [u8; 4] = [0x10, 0x02, 0x0D, 0x00];
const CANCELLED: [u8; 4] = [0x00, 0x03, 0x01, 0x00];
const BUSY: Status = Status::refused([0x02, 0x03, 0x08]);

/// The first presentation came to nothing, and the second is asked for: not answered yet.
fn second() -> Raw {
    let mut raw = Raw::running();
    raw.note(NOTE_COMPLETE, TRY_AGAIN);
    assert_eq!(outcomes(&raw.events()), [(Outcome::TryAgain, Some(TRY_AGAIN))]);
    raw.give(ReaderInput::Start(payment(999)));
    raw.outputs.clear();
    raw
}

#[test]
fn a_value_that_comes_twice_ends_no_second_presentation() {
    let end = message::notification(NOTE_COMPLETE, TRY_AGAIN, None);
    let mut raw = Raw::running();
    let value = raw.cut(&end).remove(0);
    raw.give(ReaderInput::Bytes(&value));
    raw.give(ReaderInput::Start(payment(999)));
    raw.outputs.clear();
    raw.give(ReaderInput::Bytes(&value));
    assert_eq!(raw.events(), [ReaderEvent::FrameLost]);
    assert!(raw.reader.has_open_payment());
    assert_eq!(raw.answer_last(Status::STARTED), START);
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    assert!(raw.events().iter().any(|event| matches!(event, ReaderEvent::OnlineRequest(_))));
}

#[test]
fn a_message_that_comes_twice_whole_is_one() {
    let mut cut = Segmenter::new();
    let mut put_together = Reassembler::new();
    let values = cut.segment(b"one", 20);
    assert_eq!(put_together.push(&values[0]).message.as_deref().map(Vec::as_slice), Some(&b"one"[..]));
    for _ in 0..2 {
        let again = put_together.push(&values[0]);
        assert!(again.repeated && !again.lost && again.message.is_none());
    }
    // The next is told from it, and one of the same number 256 later, too.
    for number in 0..256_u32 {
        let value = cut.segment(&number.to_be_bytes(), 20).remove(0);
        let received = put_together.push(&value);
        assert!(!received.lost, "{number}");
        assert_eq!(received.message.as_deref().map(Vec::as_slice), Some(&number.to_be_bytes()[..]));
    }
}

#[test]
fn a_value_that_comes_again_late_ends_no_second_presentation() {
    let end = message::notification(NOTE_COMPLETE, TRY_AGAIN, None);
    let mut raw = Raw::running();
    let value = raw.cut(&end).remove(0);
    raw.give(ReaderInput::Bytes(&value));
    raw.start_running();
    // The answer to the start and a prompt came in between.
    raw.say(&vectors::bytes("mms.ui.present.ntf"));
    raw.outputs.clear();
    raw.give(ReaderInput::Bytes(&value));
    assert_eq!(raw.events(), [ReaderEvent::FrameLost]);
    assert!(raw.reader.has_open_payment());
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    assert!(matches!(raw.events()[1..], [ReaderEvent::OnlineRequest(_)]));
}

#[test]
fn a_copy_is_known_sixteen_messages_long_and_takes_nothing_from_the_one_under_way() {
    for behind in 1..=16_usize {
        let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
        let copies = cut.segment(&[7; 50], 20);
        copies.iter().for_each(|value| drop(put_together.push(value)));
        for number in 1..behind {
            assert!(put_together.push(&cut.segment(&[number.to_be_bytes()[7]], 20)[0]).message.is_some());
        }
        let next = cut.segment(&[9; 50], 20);
        let (first, rest) = next.split_at(2);
        first.iter().for_each(|value| assert!(!put_together.push(value).lost));
        for copy in &copies {
            let late = put_together.push(copy);
            assert!(late.repeated && !late.lost && late.message.is_none(), "{behind}");
        }
        let whole = rest.iter().filter_map(|value| put_together.push(value).message).next();
        assert_eq!(whole.as_deref().map(Vec::as_slice), Some(&[9; 50][..]), "{behind}");
    }
}

#[test]
fn a_value_that_comes_twice_at_once_takes_nothing_from_its_message() {
    for doubled in 0..4 {
        let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
        let message: Vec<u8> = (0..60).collect();
        let values = cut.segment(&message, 20);
        assert_eq!(values.len(), 4);
        let mut whole = Vec::new();
        for (at, value) in values.iter().enumerate() {
            whole.extend(put_together.push(value).message);
            if at == doubled {
                let again = put_together.push(value);
                assert!(again.repeated && !again.lost && again.message.is_none(), "{doubled}");
            }
        }
        assert_eq!(whole.len(), 1);
        assert_eq!(*whole[0], message, "{doubled}");
    }
    // One that comes again amid those after it.
    for (copied, after) in [(1, 3), (1, 9), (2, 4), (250, 262), (255, 257), (2, 18), (250, 266)] {
        let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
        let message: Vec<u8> = (0..5_000_usize).map(|at| (at % 251) as u8).collect();
        let values = cut.segment(&message, 20);
        let mut whole = None;
        for (at, value) in values.iter().enumerate() {
            whole = put_together.push(value).message;
            if at == after {
                let again = put_together.push(&values[copied]);
                assert!(again.repeated && !again.lost, "{copied} after {after}");
            }
        }
        assert_eq!(whole.as_deref(), Some(&message), "{copied} after {after}");
    }
    // One that is missing is a loss, and what counts backwards where nothing was is nonsense.
    let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
    let values = cut.segment(&[1; 400], 20);
    drop(put_together.push(&values[0]));
    assert!(put_together.push(&values[2]).lost);
    let mut put_together = Reassembler::new();
    drop(put_together.push(&values[0]));
    drop(put_together.push(&values[1]));
    let mut backwards = values[1].clone();
    backwards[1] = 0xFE;
    assert!(put_together.push(&backwards).lost);
    // The same number with something else in it is no copy.
    let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
    let mut values = cut.segment(&[1; 60], 20);
    values.iter().take(2).for_each(|value| drop(put_together.push(value)));
    values[1][5] = 2;
    assert!(put_together.push(&values[1]).lost);
}

#[test]
fn a_copy_lets_nothing_that_is_left_of_the_presentation_before_end_the_next() {
    let end = message::notification(NOTE_COMPLETE, TRY_AGAIN, None);
    let mut raw = Raw::running();
    let value = raw.cut(&end).remove(0);
    raw.give(ReaderInput::Bytes(&value));
    raw.give(ReaderInput::Start(payment(999)));
    raw.outputs.clear();
    // Its start is not answered yet: a copy, and another end of before.
    raw.give(ReaderInput::Bytes(&value));
    raw.note(NOTE_COMPLETE, [0x10, 0x02, 0x80, 0x00]);
    assert_eq!(raw.events(), [ReaderEvent::FrameLost]);
    assert!(raw.reader.has_open_payment());
}

#[test]
fn a_reader_that_counts_anew_is_heard() {
    let (mut cut, mut put_together) = (Segmenter::new(), Reassembler::new());
    for number in 0..9_u8 {
        assert!(put_together.push(&cut.segment(&[number], 20)[0]).message.is_some());
    }
    let mut anew = Segmenter::new();
    for number in 100..109_u8 {
        let received = put_together.push(&anew.segment(&[number], 20)[0]);
        assert_eq!(received.message.as_deref().map(Vec::as_slice), Some(&[number][..]));
        assert_eq!(received.lost, number == 100, "told once");
    }
}

#[test]
fn an_answer_that_was_lost_holds_no_second_presentation_back() {
    let mut raw = Raw::ready();
    raw.give(ReaderInput::Start(payment(999)));
    let (reference, command, _) = raw.requests.pop().expect("a start");
    raw.lose(&message::response(reference, command, Status::STARTED, None));
    raw.note(NOTE_COMPLETE, TRY_AGAIN);
    assert_eq!(outcomes(&raw.events()), [(Outcome::TryAgain, Some(TRY_AGAIN))]);
    raw.outputs.clear();
    raw.give(ReaderInput::Start(payment(999)));
    let (other, command, _) = raw.requests.pop().expect("a second start");
    assert_ne!((other, command), (reference, START));
    // Answered after all, the first changes nothing.
    raw.answer(reference, START, Status::refused([2, 3, 8]), None);
    assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::UnmatchedResponse { command: START })]);
    raw.answer(other, START, Status::STARTED, None);
    assert_eq!(raw.events().last(), Some(&ReaderEvent::Started));
}

#[test]
fn nothing_is_started_after_a_cancel_that_met_a_busy_reader() {
    let mut raw = second();
    let (reference, ..) = raw.requests.pop().expect("a start");
    raw.give(ReaderInput::Cancel);
    raw.answer(reference, START, BUSY, None);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Cancelled, None)]);
    assert_eq!(raw.answer_last(NO_TRANSACTION), CANCEL);
    raw.fire(TimerId::Closing);
    assert!(raw.requests.is_empty(), "{:?}", raw.requests);
    assert!(!raw.reader.has_open_payment());
}

#[test]
fn what_ended_while_it_waited_to_start_is_not_started() {
    let mut raw = second();
    assert_eq!(raw.answer_last(BUSY), START);
    assert_eq!(raw.timer(TimerId::Closing), Some(1_000));
    // A loss, and then a word that can be about anything.
    raw.lose(&message::notification(NOTE_COMPLETE, TRY_AGAIN, None));
    raw.note(NOTE_COMPLETE, TRY_AGAIN);
    assert_eq!(outcomes(&raw.events()).len(), 1);
    raw.fire(TimerId::Closing);
    assert!(raw.requests.is_empty(), "{:?}", raw.requests);
}

#[test]
fn a_cancel_whose_end_is_lost_is_over_soon() {
    let mut raw = Raw::running();
    raw.give(ReaderInput::Cancel);
    assert_eq!(raw.answer_last(Status::DONE), CANCEL);
    assert_eq!(raw.timer(TimerId::Payment), Some(10_000));
    raw.lose(&message::notification(NOTE_COMPLETE, CANCELLED, None));
    raw.fire(TimerId::Payment);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Unknown, None)]);
}

#[test]
fn receipt_data_of_the_presentation_before_takes_no_receipts_place() {
    let mut raw = second();
    assert_eq!(raw.answer_last(Status::STARTED), START);
    raw.outputs.clear();
    raw.say(&vectors::bytes("mms.batch.ntf"));
    assert_eq!(raw.events(), []);
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    raw.say(&vectors::bytes("mms.batch.ntf"));
    let receipts = raw.events().into_iter().filter(|event| matches!(event, ReaderEvent::ReceiptData(_)));
    assert_eq!(receipts.count(), 1);
}

#[test]
fn a_timer_that_a_late_word_set_ends_no_second_presentation() {
    let mut raw = second();
    let (reference, ..) = raw.requests.pop().expect("a start");
    // Something was lost, so that what comes can be about the new one; and the end before is confirmed.
    raw.lose(&message::notification(NOTE_COMPLETE, TRY_AGAIN, None));
    raw.note(NOTE_COMPLETE, [0x10, 0x04, 0x07, 0x00]);
    assert_eq!(raw.timer(TimerId::Closing), Some(5_000));
    raw.answer(reference, START, Status::STARTED, None);
    assert_eq!(raw.timer(TimerId::Closing), None);
    assert!(raw.reader.has_open_payment());
}
