//! Sessions: cancelling, losing the link, losing a value, waiting in vain.

use takings_readers::dynaflex::commands::{CANCEL, NOTE_COMPLETE, NOTE_DEVICE, SELECT, START};
use takings_readers::dynaflex::message;
use takings_readers::dynaflex::status::Status;
use takings_readers::simulated::{Behaviour, CardScript, SimulatedReader, Stage};
use takings_readers::*;

use crate::bench::{Bench, online_requests, outcomes, payment};
use crate::raw::{NO_TRANSACTION, Raw};
use crate::vectors;

#[test]
fn requests_out_of_bounds_change_nothing() {
    let good = payment(100);
    for (request, error) in [
        (StartRequest { amount_minor: 0, ..good }, ReaderError::InvalidAmount),
        (StartRequest { amount_minor: -5, ..good }, ReaderError::InvalidAmount),
        (StartRequest { amount_minor: 1_000_000_000_000, ..good }, ReaderError::InvalidAmount),
        (StartRequest { currency_numeric: 0, ..good }, ReaderError::InvalidCurrency),
        (StartRequest { currency_numeric: 1000, ..good }, ReaderError::InvalidCurrency),
        (StartRequest { currency_exponent: 5, ..good }, ReaderError::InvalidCurrency),
        (StartRequest { timeout_s: 0, ..good }, ReaderError::InvalidTimeout),
        (StartRequest { contact: false, contactless: false, magstripe: false, ..good }, ReaderError::NoInterface),
    ] {
        let mut raw = Raw::ready();
        assert_eq!(raw.reader.handle(ReaderInput::Start(request)), Err(error));
        assert_eq!(raw.reader.handle(ReaderInput::Cancel), Err(ReaderError::NoPayment));
    }
    let mut raw = Raw::running();
    assert_eq!(raw.reader.handle(ReaderInput::Start(good)), Err(ReaderError::Busy));
    let choice = ReaderInput::ChooseApplication(0);
    assert_eq!(raw.reader.handle(choice), Err(ReaderError::NoSuchChoice));
    let mut raw = Raw::connecting();
    assert_eq!(raw.reader.handle(ReaderInput::Start(good)), Err(ReaderError::NotReady));
    assert_eq!(Reader::new(1, 20).handle(ReaderInput::Start(good)), Err(ReaderError::NotReady));
    // The largest amount fills the twelve digits.
    let mut raw = Raw::ready();
    raw.give(ReaderInput::Start(payment(999_999_999_999)));
    let body = &raw.requests[0].2;
    assert!(body.windows(9).any(|part| part == [0x9F, 0x02, 6, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99]));
}

#[test]
fn a_refused_start_is_no_payment() {
    for (status, refusal) in [
        (Status::refused([2, 3, 0x16]), Refusal::BatteryTooLow),
        (Status::refused([2, 3, 8]), Refusal::Busy),
        (Status { summary: 0x81, reason: [1, 1, 9] }, Refusal::OutOfService),
        (Status { summary: 0x77, reason: [0, 0, 0] }, Refusal::Unlisted([0x77, 0, 0, 0])),
    ] {
        let mut raw = Raw::starting();
        raw.answer_last(status);
        assert_eq!(raw.events(), [ReaderEvent::Refused { asked: Asked::Start, refusal }]);
        assert!(!raw.reader.has_open_payment() && raw.timer(TimerId::Payment).is_none());
        // Whether it runs after an unlisted answer is not known, so it is ended.
        let asked: Vec<u16> = raw.requests.iter().map(|request| request.1).collect();
        assert_eq!(asked, if status.summary == 0x77 { vec![CANCEL] } else { vec![] });
    }
}

#[test]
fn cancel_is_a_request_not_an_outcome() {
    let mut bench = Bench::ready(101);
    bench.give(ReaderInput::Start(payment(100))).unwrap();
    let events = bench.give(ReaderInput::Cancel).unwrap();
    assert_eq!(outcomes(&events), [(Outcome::Cancelled, Some([0, 3, 1, 0]))]);

    // Too late: the outcome still comes.
    let mut raw = Raw::running();
    raw.give(ReaderInput::Cancel);
    raw.give(ReaderInput::Cancel);
    assert_eq!(raw.requests.len(), 1, "asked once");
    raw.answer_last(Status::refused([2, 3, 5]));
    let refusal = Refusal::TooLateToCancel;
    assert_eq!(raw.events(), [ReaderEvent::Refused { asked: Asked::Cancel, refusal }]);
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    assert_eq!(online_requests(&raw.events()).len(), 1);
    assert_eq!(outcomes(&raw.events()).len(), 1);

    // Nothing runs and nothing was told: unknown, after a moment.
    let mut raw = Raw::running();
    raw.give(ReaderInput::Cancel);
    raw.answer_last(NO_TRANSACTION);
    assert!(outcomes(&raw.events()).is_empty());
    raw.fire(TimerId::Closing);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Unknown, None)]);

    // During the start the cancel waits for the start's answer.
    let mut raw = Raw::starting();
    raw.give(ReaderInput::Cancel);
    assert_eq!(raw.answer_last(Status::STARTED), START);
    assert_eq!(raw.answer_last(Status::DONE), CANCEL);
    raw.note(NOTE_COMPLETE, [0, 3, 1, 0]);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Cancelled, Some([0, 3, 1, 0]))]);
}

#[test]
fn the_end_of_a_cancelled_payment_does_not_end_the_next() {
    let mut raw = Raw::online();
    raw.give(ReaderInput::Cancel);
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    raw.give(ReaderInput::Start(payment(7)));
    raw.outputs.clear();
    assert_eq!(raw.answer_last(NO_TRANSACTION), CANCEL);
    assert_eq!(raw.answer_last(Status::STARTED), START);
    assert_eq!(raw.events(), [ReaderEvent::Started]);
    assert_eq!(raw.timer(TimerId::Closing), None);
    assert!(raw.reader.has_open_payment());
}

#[test]
fn where_the_link_went_decides_what_is_known() {
    for (stage, loss, requests) in [
        (Stage::WaitingForCard, LinkLoss::BeforeOnlineRequest, 0),
        (Stage::CardPresent, LinkLoss::BeforeOnlineRequest, 0),
        (Stage::CardDataSent, LinkLoss::AfterOnlineRequest, 1),
        (Stage::OutcomeSent, LinkLoss::Idle, 1),
    ] {
        let mut bench = Bench::ready(20);
        bench.simulated.present(CardScript::new("4111", "1111", EntryMode::Chip));
        // Stop once the message after that stage has begun: short values cut every message.
        let next = match stage {
            Stage::CardDataSent => Stage::OutcomeSent,
            other => other,
        };
        let start = ReaderInput::Start(payment(100));
        let mut events = bench.give_until(start, |now| now == next).unwrap();
        if stage == Stage::OutcomeSent {
            events.extend(bench.give(ReaderInput::WriteDone).unwrap());
        }
        events.extend(bench.give_until(ReaderInput::LinkDown, |_| true).unwrap());
        assert_eq!(events.last(), Some(&ReaderEvent::LinkLost(loss)), "{stage:?}: {events:?}");
        assert_eq!(online_requests(&events).len(), requests, "{stage:?}");
        assert!(bench.timers.is_empty(), "{:?}", bench.timers);
        assert!(!bench.reader.has_open_payment());
    }
}

#[test]
fn a_lost_value_is_told_and_decides_nothing() {
    // The card data is lost: "deferred" alone is not believed.
    let mut raw = Raw::running();
    raw.lose(&vectors::bytes("mms.arqc.ntf.sanitised"));
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    assert_eq!(raw.events(), [ReaderEvent::FrameLost]);
    raw.fire(TimerId::Closing);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Unknown, Some([0x10, 0x02, 0x07, 0x00]))]);

    // The outcome is lost: the payment timer asks, and then nobody knows.
    let mut raw = Raw::starting();
    assert_eq!(raw.timer(TimerId::Payment), Some(90_000));
    raw.answer_last(Status::STARTED);
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    raw.lose(&vectors::bytes("mms.done.quickchip.ntf"));
    raw.fire(TimerId::Payment);
    assert_eq!(raw.requests.len(), 1, "a cancel");
    raw.outputs.clear();
    raw.fire(TimerId::Payment);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Unknown, None)]);

    // The answer to the start is lost: what follows is believed all the same.
    let mut raw = Raw::starting();
    raw.lose(&message::response(0, START, Status::STARTED, None));
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    assert_eq!(outcomes(&raw.events())[0].0, Outcome::Deferred);
}

#[test]
fn an_unanswered_start_is_cancelled_and_stays_open() {
    let mut raw = Raw::starting();
    assert_eq!(raw.timer(TimerId::Response), Some(5_000));
    raw.requests.clear();
    raw.fire(TimerId::Response);
    assert!(raw.events().contains(&ReaderEvent::Fault(Fault::NoAnswer { command: START })));
    assert!(raw.reader.has_open_payment());
    assert_eq!(raw.answer_last(Status::DONE), CANCEL);
    raw.note(NOTE_COMPLETE, [0, 3, 1, 0]);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Cancelled, Some([0, 3, 1, 0]))]);
}

#[test]
fn after_a_failed_write_nothing_is_written_and_what_comes_is_heard() {
    let mut raw = Raw::running();
    let cancel = raw.reader.handle(ReaderInput::Cancel).unwrap();
    assert!(matches!(cancel[..], [.., ReaderOutput::Write(_)]));
    let failed = raw.reader.handle(ReaderInput::WriteFailed).unwrap();
    let timer = ReaderOutput::SetTimer { id: TimerId::Response, after_ms: 5_000 };
    assert_eq!(failed, [ReaderOutput::Event(ReaderEvent::Fault(Fault::WriteFailed)), timer]);
    // Neither a late word on that value nor another wish makes it write.
    for input in [ReaderInput::WriteDone, ReaderInput::WriteFailed, ReaderInput::Cancel] {
        assert_eq!(raw.reader.handle(input).unwrap(), []);
    }
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    assert!(matches!(raw.events()[..], [ReaderEvent::OnlineRequest(_)]));
    let outputs = raw.reader.handle(ReaderInput::Timer(TimerId::Response)).unwrap();
    assert!(outputs.contains(&ReaderOutput::Disconnect));
    assert_eq!(outputs.last(), Some(&ReaderOutput::Event(ReaderEvent::LinkLost(LinkLoss::AfterOnlineRequest))));
}

#[test]
fn a_failed_write_that_the_link_outlives_ends_the_session() {
    let mut raw = Raw::ready();
    let outputs = raw.reader.handle(ReaderInput::Start(payment(1))).unwrap();
    assert!(matches!(outputs.last(), Some(ReaderOutput::Write(_))));
    assert!(!raw.reader.handle(ReaderInput::WriteFailed).unwrap().contains(&ReaderOutput::Disconnect));
    let outputs = raw.reader.handle(ReaderInput::Timer(TimerId::Response)).unwrap();
    assert!(outputs.contains(&ReaderOutput::Disconnect));
    assert_eq!(outputs.last(), Some(&ReaderOutput::Event(ReaderEvent::LinkLost(LinkLoss::BeforeOnlineRequest))));
}

#[test]
fn a_failure_of_what_was_not_written_changes_nothing() {
    let mut raw = Raw::ready();
    assert_eq!(raw.reader.handle(ReaderInput::WriteFailed).unwrap(), []);
    raw.start_running();
}

#[test]
fn notifications_may_come_between_request_and_response() {
    let mut raw = Raw::starting();
    raw.say(&vectors::bytes("mms.lowbatt.ntf"));
    raw.say(&vectors::bytes("mms.reset.occurred.ntf"));
    raw.say(&message::notification(NOTE_DEVICE, [0, 1, 0, 0], Some(&[3])));
    raw.note(NOTE_DEVICE, [4, 0, 0, 0xFB]);
    // Another reference, then another command, then the right one.
    raw.answer(0x77, START, Status::STARTED, None);
    let (reference, ..) = raw.requests[0];
    raw.answer(reference, CANCEL, Status::DONE, None);
    raw.answer_last(Status::STARTED);
    assert_eq!(
        raw.events(),
        [
            ReaderEvent::BatteryLow(13),
            ReaderEvent::Fault(Fault::ReaderReset),
            ReaderEvent::ResetSoon { minutes: 3 },
            ReaderEvent::Fault(Fault::TooCold(-5)),
            ReaderEvent::Fault(Fault::UnmatchedResponse { command: START }),
            ReaderEvent::Fault(Fault::UnmatchedResponse { command: CANCEL }),
            ReaderEvent::Started,
        ]
    );
}

#[test]
fn the_cardholder_chooses() {
    let mut bench = Bench::ready(33);
    let items = vec!["DEBIT".to_owned(), "CREDIT".to_owned()];
    let card = CardScript::new("6222", "0048", EntryMode::Chip).behaving(Behaviour::ChooseApplication(items.clone()));
    bench.simulated.present(card);
    let events = bench.give(ReaderInput::Start(payment(100))).unwrap();
    assert_eq!(events.last(), Some(&ReaderEvent::ChooseApplication(items)));
    assert_eq!(bench.simulated.stage(), Stage::Choosing);
    assert_eq!(bench.give(ReaderInput::ChooseApplication(2)), Err(ReaderError::NoSuchChoice));
    let events = bench.give(ReaderInput::ChooseApplication(1)).unwrap();
    assert_eq!(online_requests(&events).len(), 1);

    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.ui.select.ntf"));
    raw.give(ReaderInput::ChooseApplication(0));
    assert_eq!(raw.requests[0].2, [0x81, 1, 0, 0x82, 1, 0]);
    assert_eq!(raw.answer_last(Status::refused([2, 3, 0x0D])), SELECT);
    let refusal = Refusal::WrongState;
    assert_eq!(raw.events().last(), Some(&ReaderEvent::Refused { asked: Asked::Choice, refusal }));
}

#[test]
fn prompts_have_ids() {
    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.ui.present.ntf"));
    raw.say(&vectors::bytes("mms.ui.remove.ntf"));
    assert_eq!(
        raw.events(),
        [
            ReaderEvent::Prompt { prompt: Prompt::TapInsertOrSwipe, cancellable: true },
            ReaderEvent::Prompt { prompt: Prompt::RemoveCard, cancellable: false },
        ]
    );
    for prompt in Prompt::KNOWN {
        assert_eq!(Prompt::from_text(prompt.text().as_bytes()), *prompt);
    }
    let unknown = Prompt::from_text(b"HOLD STILL\nPLEASE\x07");
    assert_eq!(unknown, Prompt::Other("HOLD STILL PLEASE".into()));
    assert_eq!(Prompt::from_text(b"4111 1111 1111 1111 OK").text(), "**** **** **** **** OK");
    assert_eq!(Prompt::from_text(b"\0"), Prompt::Clear);
}

#[test]
fn the_simulated_customers_behave_as_scripted() {
    let chip = || CardScript::new("5413", "0029", EntryMode::Chip);
    let tap = || CardScript::new("4111", "1111", EntryMode::Contactless);
    let swipe = || CardScript::new("3714", "8431", EntryMode::Stripe);
    for (card, outcome, requests) in [
        (chip(), Outcome::Deferred, 1),
        (chip().behaving(Behaviour::RemovedEarly), Outcome::Failed, 0),
        (chip().behaving(Behaviour::UserCancels), Outcome::Cancelled, 0),
        (chip().behaving(Behaviour::CardDataTwice), Outcome::Deferred, 1),
        (chip().behaving(Behaviour::EndsWith([0x10, 2, 8, 3])), Outcome::FallbackMagstripe, 0),
        (chip().behaving(Behaviour::OnlineThenEndsWith([0x10, 2, 0x80, 0])), Outcome::Declined, 1),
        (chip().behaving(Behaviour::OnlineThenEndsWith([9, 9, 9, 9])), Outcome::Unknown, 1),
        (tap().behaving(Behaviour::CollisionThenNormal), Outcome::Deferred, 1),
        (swipe(), Outcome::Deferred, 1),
        (CardScript { number_len: 15, ..swipe() }, Outcome::Deferred, 1),
        (CardScript::new("5413", "0029", EntryMode::Fallback), Outcome::Deferred, 1),
    ] {
        let mut bench = Bench::ready(182);
        bench.simulated.present(card.clone());
        let events = bench.give(ReaderInput::Start(payment(31_00))).unwrap();
        assert_eq!(outcomes(&events).len(), 1, "{card:?}: {events:?}");
        assert_eq!(outcomes(&events)[0].0, outcome, "{card:?}");
        assert_eq!(online_requests(&events).len(), requests, "{card:?}");
        for request in online_requests(&events) {
            assert_eq!(request.entry_mode, card.entry_mode);
            assert_eq!(request.masked_card.last_four(), card.last_four);
            assert!(request.masked_card.first().starts_with(&card.leading), "{:?}", request.masked_card.first());
        }
    }
}

#[test]
fn no_card_in_time() {
    let mut bench = Bench::ready(244);
    bench.give(ReaderInput::Start(payment(100))).unwrap();
    bench.simulated.advance_ms(59_999);
    assert_eq!(bench.give(ReaderInput::WriteDone), Ok(vec![]));
    bench.simulated.advance_ms(1);
    let events = bench.give(ReaderInput::WriteDone).unwrap();
    assert_eq!(outcomes(&events), [(Outcome::TimedOut, Some([0, 1, 0, 0]))]);
    // A card for an interface that is off is not read.
    let taps_only = StartRequest { contact: false, magstripe: false, ..payment(100) };
    bench.simulated.present(CardScript::new("4111", "1111", EntryMode::Chip));
    let events = bench.give(ReaderInput::Start(taps_only)).unwrap();
    assert!(outcomes(&events).is_empty());
    assert_eq!(bench.simulated.stage(), Stage::WaitingForCard);
}

#[test]
fn the_reader_never_uses_a_key_twice_and_the_same_seed_makes_the_same_bytes() {
    let day = |seed, start| {
        let mut simulated = SimulatedReader::new(seed, "B61378A");
        simulated.set_ksn_counter(start);
        let mut bench = Bench::with(simulated, 244);
        bench.give(ReaderInput::LinkUp).unwrap();
        let mut requests = Vec::new();
        for _ in 0..3 {
            bench.simulated.present(CardScript::new("4111", "1111", EntryMode::Chip));
            let events = bench.give(ReaderInput::Start(payment(100))).unwrap();
            requests.push(online_requests(&events)[0].clone());
        }
        requests
    };
    let requests = day(5, 0);
    assert_eq!(requests, day(5, 0));
    assert_ne!(requests[0].blob, day(6, 0)[0].blob);
    assert_ne!(requests[0].blob, requests[1].blob);
    assert_eq!(requests[1], day(5, 1)[0]);
    let keys: Vec<&str> = requests.iter().map(|request| request.ksn_hex.as_str()).collect();
    assert_eq!(keys, ["9010010B61378A000001", "9010010B61378A000002", "9010010B61378A000003"]);
}
