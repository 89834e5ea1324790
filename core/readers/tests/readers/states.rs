//! Every "operation complete" code, in every state of the engine.

use takings_readers::dynaflex::commands::{CANCEL, NOTE_COMPLETE, NOTE_TRANSACTION, START};
use takings_readers::dynaflex::message;
use takings_readers::dynaflex::property::Property;
use takings_readers::dynaflex::status::Status;
use takings_readers::outcome::Completion;
use takings_readers::{Fault, Outcome, ReaderEvent, ReaderInput, TimerId};

use crate::bench::{outcomes, payment};
use crate::chance::Chance;
use crate::outcomes::{listed, meaning, needs_card_data};
use crate::raw::Raw;
use crate::vectors;

/// Every listed code, and some that are on no list.
fn codes() -> Vec<[u8; 4]> {
    let unlisted = [[0x20, 0, 0, 0], [0xFF; 4], [0x10, 0x02, 0x11, 0x00], [0x00; 4]];
    listed().keys().copied().chain(unlisted).collect()
}

/// What the engine knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// There is none, or none that a code can be about.
    Nothing,
    /// It runs.
    Running,
    /// Its card data has come.
    CardData,
}

/// A state by name, what the engine knows in it, and how it gets there.
type State = (&'static str, Knows, fn() -> Raw);

/// Every state of the engine before an end was told.
const STATES: &[State] = &[
    ("connecting", Knows::Nothing, Raw::connecting),
    ("out of service", Knows::Nothing, out_of_service),
    ("ready", Knows::Nothing, Raw::ready),
    ("starting", Knows::Nothing, Raw::starting),
    ("starting, to be cancelled", Knows::Nothing, || with(Raw::starting(), ReaderInput::Cancel)),
    ("waiting to start again", Knows::Nothing, waits_to_start),
    ("over and done", Knows::Nothing, || with(Raw::concluded(), ReaderInput::Timer(TimerId::Closing))),
    ("link gone", Knows::Nothing, || with(Raw::online(), ReaderInput::LinkDown)),
    ("running", Knows::Running, Raw::running),
    ("the answer to the start was lost", Knows::Running, start_answer_lost),
    ("the start was never answered", Knows::Running, || with(Raw::starting(), ReaderInput::Timer(TimerId::Response))),
    ("choosing", Knows::Running, choosing),
    ("card data that was unusable", Knows::Running, unusable),
    ("chosen", Knows::Running, || with(choosing(), ReaderInput::ChooseApplication(1))),
    ("cancelling", Knows::Running, || with(Raw::running(), ReaderInput::Cancel)),
    ("too late to cancel", Knows::Running, || refused_cancel(Raw::running())),
    ("overdue", Knows::Running, || with(Raw::running(), ReaderInput::Timer(TimerId::Payment))),
    ("card data", Knows::CardData, Raw::online),
    ("card data, cancelling", Knows::CardData, || with(Raw::online(), ReaderInput::Cancel)),
    ("card data, too late to cancel", Knows::CardData, || refused_cancel(Raw::online())),
    ("card data, overdue", Knows::CardData, || with(Raw::online(), ReaderInput::Timer(TimerId::Payment))),
];

fn with(mut raw: Raw, input: ReaderInput<'_>) -> Raw {
    raw.give(input);
    raw
}

fn out_of_service() -> Raw {
    let mut raw = Raw::connecting();
    raw.answer_setup(|property| vec![if property == Property::Tampered { 1 } else { 2 }]);
    assert!(matches!(raw.events().last(), Some(ReaderEvent::OutOfService { .. })));
    raw
}

fn start_answer_lost() -> Raw {
    let mut raw = Raw::starting();
    raw.lose(&message::response(0, START, Status::STARTED, None));
    raw
}

fn choosing() -> Raw {
    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.ui.select.ntf"));
    assert!(matches!(raw.events()[..], [ReaderEvent::ChooseApplication(_)]));
    raw
}

/// The reader is still at the payment before.
fn waits_to_start() -> Raw {
    let mut raw = with(Raw::concluded(), ReaderInput::Start(payment(999)));
    raw.answer_last(Status::refused([2, 3, 8]));
    assert_eq!(raw.timer(TimerId::Closing), Some(1_000));
    raw
}

fn unusable() -> Raw {
    let mut raw = Raw::running();
    raw.say(&message::notification(NOTE_TRANSACTION, [0x10, 0x08, 0x02, 0x02], Some(&[0x70, 0x01, 0x00])));
    assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::CardData)]);
    raw
}

fn refused_cancel(raw: Raw) -> Raw {
    let mut raw = with(raw, ReaderInput::Cancel);
    assert_eq!(raw.answer_last(Status::refused([2, 3, 5])), CANCEL);
    raw
}

/// Says this code and holds what is told, at once and after a while, against the table.
fn tell(state: &State, code: [u8; 4]) {
    let (name, knows, make) = state;
    let what = format!("{code:02X?} while {name}");
    let mut raw = make();
    let open = raw.reader.has_open_payment();
    raw.outputs.clear();
    raw.note(NOTE_COMPLETE, code);
    let told = outcomes(&raw.events());
    let (at_once, later) = match (knows, meaning(code)) {
        (Knows::Nothing, _) => {
            assert!(raw.outputs.is_empty(), "{what}: {:?}", raw.outputs);
            (vec![], vec![])
        }
        (_, Completion::Interim | Completion::Irrelevant) => (vec![], vec![]),
        (_, Completion::Confirmation) => (vec![], vec![(Outcome::Unknown, None)]),
        (Knows::Running, Completion::Decided(end)) if needs_card_data(end) => {
            (vec![], vec![(Outcome::Unknown, Some(code))])
        }
        (_, Completion::Decided(outcome)) => (vec![(outcome, Some(code))], vec![]),
    };
    assert_eq!(told, at_once, "{what}");
    assert_eq!(raw.reader.has_open_payment(), open && at_once.is_empty(), "{what}");
    if let Some(after_ms) = raw.timer(TimerId::Closing) {
        assert_eq!(after_ms, 5_000, "{what}");
        raw.fire(TimerId::Closing);
    }
    assert_eq!(outcomes(&raw.events()), [at_once, later].concat(), "{what}");
}

#[test]
fn p3_every_code_in_every_state() {
    for code in codes() {
        for state in STATES {
            tell(state, code);
        }
    }
}

#[test]
fn p3_five_hundred_codes_that_nobody_listed() {
    let mut chance = Chance::new(500);
    let known: Vec<[u8; 4]> = listed().keys().copied().collect();
    let mut told = 0;
    while told < 500 {
        // Any four bytes, or a listed code with one byte changed.
        let mut code = std::array::from_fn(|_| chance.byte());
        if chance.below(2) == 0 {
            code = chance.pick(&known);
            code[chance.below(4)] = chance.byte();
        }
        if listed().contains_key(&code) {
            continue;
        }
        told += 1;
        assert_eq!(meaning(code), Completion::Decided(Outcome::Unknown));
        for state in STATES.iter().filter(|state| state.1 != Knows::Nothing) {
            tell(state, code);
        }
    }
}

#[test]
fn whichever_end_came_first_stands() {
    for (&first, end) in listed() {
        let Completion::Decided(outcome) = *end else { continue };
        let mut raw = Raw::online();
        raw.note(NOTE_COMPLETE, first);
        assert_eq!(outcomes(&raw.events()), [(outcome, Some(first))]);
        for second in codes() {
            raw.outputs.clear();
            raw.note(NOTE_COMPLETE, second);
            let differs = matches!(meaning(second), Completion::Decided(end) if end != outcome);
            let wanted: &[ReaderEvent] = &[ReaderEvent::Fault(Fault::ContradictoryOutcome { first, second })];
            assert_eq!(raw.events(), if differs { wanted } else { &[] }, "{first:02X?}, then {second:02X?}");
        }
    }
}

#[test]
fn an_end_that_waits_for_card_data_and_another_one() {
    let waits = |end: &Completion| matches!(end, Completion::Decided(end) if needs_card_data(*end));
    let mut firsts = 0;
    for (&first, _) in listed().iter().filter(|(_, end)| waits(end)) {
        firsts += 1;
        for second in codes() {
            let mut raw = Raw::running();
            raw.note(NOTE_COMPLETE, first);
            assert_eq!(raw.events(), []);
            raw.note(NOTE_COMPLETE, second);
            let contradicts = matches!(meaning(second), Completion::Decided(_)) && meaning(second) != meaning(first);
            let wanted = if contradicts { vec![(Outcome::Unknown, Some(second))] } else { vec![] };
            assert_eq!(outcomes(&raw.events()), wanted, "{first:02X?}, then {second:02X?}");
            raw.fire(TimerId::Closing);
            assert!(matches!(outcomes(&raw.events())[..], [(Outcome::Unknown, _)]), "{first:02X?}, then {second:02X?}");
        }
    }
    assert_eq!(firsts, 40);
}
