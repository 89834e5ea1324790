//! What is asked after connecting, and of a reader that restarts: who it is, whether it can pay, what it shows of a card.

use std::cell::Cell;

use takings_readers::dynaflex::commands::{NOTE_DEVICE, SET_PROPERTY};
use takings_readers::dynaflex::message;
use takings_readers::dynaflex::property::Property;
use takings_readers::dynaflex::status::Status;
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_readers::*;

use crate::bench::{Bench, online_requests, outcomes, payment};
use crate::raw::{Raw, sound};
use crate::vectors;

fn connected(set: impl Fn(&mut SimulatedReader)) -> Vec<ReaderEvent> {
    let mut simulated = SimulatedReader::new(1, "B61378A");
    set(&mut simulated);
    Bench::with(simulated, 244).give(ReaderInput::LinkUp).unwrap()
}

#[test]
fn a_reader_that_cannot_pay_says_why() {
    let why = |set: fn(&mut SimulatedReader)| match &connected(set)[..] {
        [ReaderEvent::OutOfService { about, reason }] => {
            assert_eq!(about.serial, "B61378A", "whichever it is, it can be found");
            *reason
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(why(|reader| reader.set_tampered(true)), OutOfServiceReason::Tampered);
    assert_eq!(why(|reader| reader.set_usable(false)), OutOfServiceReason::Offline { detail: Some(0) });
    assert_eq!(why(|reader| reader.set_keys(false)), OutOfServiceReason::KeysMissing);
    let events = connected(|reader| reader.set_battery(9));
    assert!(matches!(events[..], [ReaderEvent::Ready { .. }, ReaderEvent::BatteryLow(9)]));

    // Whoever does not tell its state is not trusted; who does not tell its name is.
    let mut raw = Raw::connecting();
    raw.answer_setup(|property| match property {
        Property::Tampered => Vec::new(),
        _ => vec![2],
    });
    let reason = OutOfServiceReason::NoAnswer(Refusal::Protocol);
    assert!(matches!(&raw.events()[..], [ReaderEvent::OutOfService { reason: said, .. }] if *said == reason));
    let mut raw = Raw::connecting();
    raw.answer_setup(|property| match property {
        Property::OperationalStatus => vec![2],
        Property::Tampered => vec![0],
        Property::Serial => vec![1, 2, 3, 0x40],
        _ => Vec::new(),
    });
    assert!(
        matches!(&raw.events()[..], [ReaderEvent::Ready { about }] if about.model.is_empty() && about.battery_percent.is_none())
    );
}

#[test]
fn a_reader_is_asked_once_to_show_six_digits_and_believed_in_what_it_then_says() {
    // One that shows them already is not written to: its memory wears.
    let mut reader = SimulatedReader::new(1, "B61378A");
    for _ in 0..2 {
        let mut bench = Bench::with(reader, 244);
        bench.give(ReaderInput::LinkUp).unwrap();
        bench.simulated.link_down();
        assert_eq!(bench.simulated.memory_writes(), 1);
        reader = bench.simulated;
    }

    // One that says yes and goes on hiding is taken at its later word.
    let mut raw = Raw::connecting();
    raw.accept_sets = true;
    raw.answer_setup(|property| match property {
        Property::OperationalStatus => vec![2],
        Property::Serial => vec![0xB6, 0x13, 0x78, 0xA0],
        Property::Tampered => vec![0],
        Property::MaskLeading | Property::MaskTrailing => vec![4],
        _ => Vec::new(),
    });
    assert!(matches!(raw.events()[..], [ReaderEvent::Ready { .. }]));
    raw.start_running();
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    let events = raw.events();
    assert_eq!(online_requests(&events)[0].masked_card.first(), "5413");
}

#[test]
fn a_reader_that_hides_the_last_digits_is_told_to_show_them_once() {
    for keeps_it in [true, false] {
        let mut raw = Raw::connecting();
        raw.accept_sets = true;
        let asked = Cell::new(0);
        raw.answer_setup(|property| match property {
            Property::OperationalStatus => vec![2],
            Property::Serial => vec![0xB6, 0x13, 0x78, 0xA0],
            Property::Tampered => vec![0],
            Property::MaskLeading => vec![6],
            Property::MaskTrailing => {
                asked.set(asked.get() + 1);
                vec![if keeps_it && asked.get() > 1 { 4 } else { 0 }]
            }
            _ => Vec::new(),
        });
        assert_eq!(asked.get(), 2, "believed in what it then says");
        raw.start_running();
        raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
        match &raw.events()[..] {
            [ReaderEvent::OnlineRequest(request)] if keeps_it => assert_eq!(request.masked_card.last_four(), "0029"),
            [ReaderEvent::Fault(Fault::CardData)] if !keeps_it => {}
            other => panic!("{other:?}"),
        }
    }
}

/// No acquirer takes it, so it is not said to be saved.
#[test]
fn card_data_without_the_last_four_digits_is_no_card_data() {
    for trailing in 0..4 {
        let mut raw = Raw::connecting();
        raw.answer_setup(|property| match property {
            Property::OperationalStatus => vec![2],
            Property::Serial => vec![0xB6, 0x13, 0x78, 0xA0],
            Property::Tampered => vec![0],
            Property::MaskTrailing => vec![trailing],
            Property::MaskLeading => vec![6],
            _ => Vec::new(),
        });
        raw.start_running();
        raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
        let events = raw.events();
        assert!(events.contains(&ReaderEvent::Fault(Fault::CardData)), "{trailing}: {events:?}");
        assert!(online_requests(&events).is_empty(), "{trailing}");
    }
}

#[test]
fn a_reader_that_does_not_answer_while_connecting_is_let_go() {
    let mut raw = Raw::connecting();
    assert_eq!(raw.timer(TimerId::Response), Some(3_000));
    raw.fire(TimerId::Response);
    assert_eq!(raw.requests.len(), 2, "it is asked once more");
    assert_eq!(raw.requests[0].1, raw.requests[1].1);
    raw.fire(TimerId::Response);
    assert!(raw.outputs.contains(&ReaderOutput::Disconnect));
    assert_eq!(raw.events().last(), Some(&ReaderEvent::LinkLost(LinkLoss::Idle)));
    assert_eq!(raw.reader.handle(ReaderInput::LinkDown), Ok(vec![]));
    assert_eq!(raw.reader.handle(ReaderInput::LinkUp), Err(ReaderError::SessionOver));
    assert_eq!(raw.reader.handle(ReaderInput::Cancel), Err(ReaderError::SessionOver));
    assert_eq!(raw.reader.handle(ReaderInput::Start(payment(1))), Err(ReaderError::SessionOver));
}

#[test]
fn one_answer_that_is_lost_while_connecting_is_asked_for_again() {
    // Which of them it is, of all that are asked.
    const ASKED: u32 = 15;
    for lost in 0..ASKED {
        let mut raw = Raw::connecting();
        raw.accept_sets = true;
        let (mut answered, mut was_set) = (0, 0);
        let (mut shown, mut set_lost) = (4, false);
        while let Some((reference, command, body)) = raw.requests.pop() {
            was_set += u32::from(command == SET_PROPERTY);
            let property = Property::asked_for(&body);
            if command == SET_PROPERTY {
                shown = 6;
            }
            if answered == lost {
                answered += 1;
                set_lost = command == SET_PROPERTY;
                raw.fire(TimerId::Response);
                // What comes after all is about nothing any more.
                raw.answer(reference, command, Status::refused([2, 1, 2]), None);
                continue;
            }
            answered += 1;
            raw.answer_one(reference, command, property.map(|asked| (asked, sound(asked, shown))));
        }
        // After what is set it is asked what it shows now, answered or not.
        assert_eq!(answered, ASKED + u32::from(!set_lost), "{lost}: and one of them twice");
        assert!(matches!(raw.events().last(), Some(ReaderEvent::Ready { .. })), "{lost}");
        assert!(was_set <= 1, "its memory wears");
        raw.start_running();
    }
}

#[test]
fn a_reader_that_restarts_over_a_live_link_is_known_anew_and_what_ran_is_lost() {
    let restart = |raw: &mut Raw| {
        raw.outputs.clear();
        raw.requests.clear();
        raw.note(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00]);
    };
    for (mut raw, loss) in [
        (Raw::connecting(), LinkLoss::Idle),
        (Raw::ready(), LinkLoss::Idle),
        (Raw::starting(), LinkLoss::BeforeOnlineRequest),
        (Raw::running(), LinkLoss::BeforeOnlineRequest),
        (Raw::online(), LinkLoss::AfterOnlineRequest),
        (Raw::concluded(), LinkLoss::Idle),
    ] {
        restart(&mut raw);
        assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::ReaderReset), ReaderEvent::LinkLost(loss)]);
        assert!(!raw.reader.has_open_payment());
        raw.restart();
        raw.answer_setup(|property| sound(property, 6));
        assert!(matches!(raw.events().last(), Some(ReaderEvent::Ready { .. })), "{loss:?}");
        raw.start_running();
    }
    // A copy of the notice is none, at once or once it is known anew.
    let mut raw = Raw::ready();
    let notice = raw.cut(&message::notification(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00], None)).remove(0);
    raw.give(ReaderInput::Bytes(&notice));
    raw.outputs.clear();
    raw.give(ReaderInput::Bytes(&notice));
    assert_eq!(raw.events(), [ReaderEvent::FrameLost]);
    assert_eq!(raw.requests.len(), 1, "it subscribes once");
    // That it counts from 00 is no loss, whether the notice was counted so, too, or not.
    raw.restart();
    raw.outputs.clear();
    raw.answer_setup(|property| sound(property, 6));
    assert!(matches!(raw.events()[..], [ReaderEvent::Ready { .. }]));
    // It counts anew in both directions.
    let mut raw = Raw::ready();
    let notice = raw.cut(&message::notification(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00], None)).remove(0);
    let outputs = raw.reader.handle(ReaderInput::Bytes(&notice)).unwrap();
    assert!(outputs.iter().any(|output| matches!(output, ReaderOutput::Write(value) if value.starts_with(&[0, 0]))));
    // What is repeated until somebody takes note says nothing of now.
    let mut raw = Raw::running();
    raw.note(NOTE_DEVICE, [0x00; 4]);
    assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::ReaderReset)]);
    assert!(raw.reader.has_open_payment());
}

#[test]
fn a_reader_that_takes_no_value_while_connecting_is_let_go() {
    // Cut short: the first question has several values, and the first is never confirmed.
    let mut reader = Reader::new(1, 20);
    let mut raw_outputs = reader.handle(ReaderInput::LinkUp).unwrap();
    assert!(raw_outputs.iter().any(|output| matches!(output, ReaderOutput::Write(_))));
    raw_outputs = reader.handle(ReaderInput::Timer(TimerId::Response)).unwrap();
    assert!(raw_outputs.contains(&ReaderOutput::Disconnect));

    // A restart while something is still being written.
    let mut raw = Raw::running();
    let notice = raw.cut(&message::notification(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00], None)).remove(0);
    assert!(raw.reader.handle(ReaderInput::Cancel).unwrap().iter().any(|out| matches!(out, ReaderOutput::Write(_))));
    let outputs = raw.reader.handle(ReaderInput::Bytes(&notice)).unwrap();
    assert!(!outputs.iter().any(|output| matches!(output, ReaderOutput::Write(_))), "one write at a time");
    let outputs = raw.reader.handle(ReaderInput::Timer(TimerId::Response)).unwrap();
    assert!(outputs.contains(&ReaderOutput::Disconnect));
}

#[test]
fn a_reader_that_hides_digits_is_told_once_on_a_link_however_often_it_restarts() {
    let mut raw = Raw::connecting();
    raw.accept_sets = true;
    let sets = |raw: &Raw| raw.requests.iter().filter(|(_, command, _)| *command == SET_PROPERTY).count();
    let mut told = 0;
    for _ in 0..3 {
        while let Some((reference, command, body)) = raw.requests.pop() {
            let property = Property::asked_for(&body).map(|asked| (asked, sound(asked, 4)));
            raw.answer_one(reference, command, property);
            told += sets(&raw);
        }
        raw.note(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00]);
        raw.restart();
    }
    assert_eq!(told, 1, "its memory wears");

    // Where it restarts instead of saying that it heard, it is told again: hidden, the last digits cost every card.
    let mut raw = Raw::connecting();
    while raw.requests.last().is_some_and(|(_, command, _)| *command != SET_PROPERTY) {
        let (reference, command, body) = raw.requests.pop().unwrap();
        raw.answer_one(reference, command, Property::asked_for(&body).map(|asked| (asked, sound(asked, 4))));
    }
    raw.requests.clear();
    raw.note(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00]);
    raw.restart();
    raw.accept_sets = true;
    let asked = Cell::new(0);
    raw.answer_setup(|property| {
        asked.set(asked.get() + u32::from(property == Property::MaskLeading));
        sound(property, if asked.get() < 2 { 4 } else { 6 })
    });
    assert_eq!(asked.get(), 2, "before it was told, and after");
}

#[test]
fn a_payment_left_running_by_an_earlier_session_is_ended_first() {
    let mut bench = Bench::ready(244);
    bench.give(ReaderInput::Start(payment(100))).unwrap();
    assert_eq!(bench.simulated.stage(), Stage::WaitingForCard);
    let events = bench.give(ReaderInput::LinkDown).unwrap();
    assert_eq!(events, [ReaderEvent::LinkLost(LinkLoss::BeforeOnlineRequest)]);
    bench.simulated.link_down();
    assert_eq!(bench.simulated.stage(), Stage::WaitingForCard);

    let mut bench = Bench::with(bench.simulated, 244);
    let events = bench.give(ReaderInput::LinkUp).unwrap();
    assert!(matches!(events[..], [ReaderEvent::Ready { .. }]), "{events:?}");
    assert_eq!(bench.simulated.stage(), Stage::Idle);
    bench.simulated.present(CardScript::new("5413", "0029", EntryMode::Chip));
    let events = bench.give(ReaderInput::Start(payment(100))).unwrap();
    assert_eq!(online_requests(&events).len(), 1);
    assert_eq!(outcomes(&events)[0].0, Outcome::Deferred);
}
