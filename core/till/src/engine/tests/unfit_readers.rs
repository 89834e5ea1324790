//! A reader that is silent, contradicts itself, refuses again and again, or does not stop when it is told to.

use takings_domain::EntryMode;
use takings_domain::event::{AttemptEnd, ReaderConcluded};
use takings_readers::simulated::{Behaviour, CardScript, Failure, Other};
use takings_readers::{Outcome, VendorAbout, VendorEvent};

use super::bench::{Bench, SECOND};
use super::readers::{chip, connected, not_charged, only, seen};
use super::stall::Sale;
use super::vendor::{card, started};
use crate::charge::ChargeOutcome;
use crate::engine::{Command, LinkEvent};

/// Refused for a missing key, at the start.
const NO_KEY: Failure = Failure::RefusesStart([0x02, 0x01, 0x19]);

#[test]
fn a_reader_that_says_nothing_is_given_up_and_the_charge_ends() {
    let mut bench = Bench::ready(1);
    bench.reader.fail(Failure::Silent);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    assert_eq!(bench.outcome_now(id), None, "it has its time");
    bench.pass(5 * SECOND);
    let step = bench.link(id, LinkEvent::Tick);
    assert_eq!((step.disconnect, step.writes.len()), (false, 1), "it is asked once more");
    bench.pass(5 * SECOND);
    let step = bench.link(id, LinkEvent::Tick);
    assert_eq!((step.disconnect, step.saved), (true, Some(not_charged(AttemptEnd::ReaderNoAnswer))));
    // A button pressed now, and the link that goes at last, change nothing.
    bench.link(id, LinkEvent::Cancel);
    bench.lose_link(id);
    assert_eq!(bench.outcome(id), Some(not_charged(AttemptEnd::ReaderNoAnswer)));
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved, "it speaks again");
    bench.judge();
}

#[test]
fn whoever_stops_a_charge_while_the_reader_is_asked_about_itself_stops_it() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    let step = bench.link(id, LinkEvent::Cancel);
    assert_eq!((step.disconnect, step.saved), (true, Some(not_charged(AttemptEnd::Cancelled))));
    // A shell that does not let the reader go at once starts nothing by that.
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(not_charged(AttemptEnd::Cancelled)));
    bench.lose_link(id);
    assert_eq!(bench.count(id, "card_read"), 0);
    bench.judge();
}

#[test]
fn a_card_is_not_asked_for_again_after_a_cancel_that_came_too_late() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    let tries_again = chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x0D, 0x00]));
    bench.reader.present(tries_again);
    let generation = bench.generation;
    let seen_value = bench.reader.outbound().expect("the card is seen");
    bench.link(id, LinkEvent::Bytes { generation, value: seen_value });
    writes.extend(bench.link(id, LinkEvent::Cancel).writes);
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome_now(id), Some(not_charged(AttemptEnd::Cancelled)));
    assert_eq!((bench.count(id, "attempt_started"), bench.count(id, "card_read")), (1, 0));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn an_end_that_the_reader_takes_back_leaves_a_flag_and_changes_nothing() {
    let mut bench = Bench::ready(1);
    bench.reader.fail(Failure::EndsAgain([0x10, 0x02, 0x80, 0x00]));
    let (id, outcome) = bench.charge(&Sale::offline(1_000));
    assert_eq!(outcome, ChargeOutcome::Saved);
    let timeline = bench.detail(id).timeline;
    let last = timeline.iter().rfind(|entry| entry.kind == "reader_concluded").unwrap();
    let concluded: ReaderConcluded = serde_json::from_str(&last.body).unwrap();
    assert_eq!((concluded.outcome.as_str(), concluded.code.as_str()), ("unknown", "10028000"));
    assert!(concluded.unexpected);
    bench.drain();
    assert_eq!(bench.stage(id).0, "approved");
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p7_a_reader_that_refuses_each_start_is_told_of_once() {
    let mut bench = Bench::ready(1);
    for _ in 0..3 {
        bench.reader.fail(NO_KEY);
        assert_eq!(connected(&mut bench), Some(not_charged(AttemptEnd::ReaderKeysMissing)));
    }
    assert_eq!((bench.told("reader_keys_missing"), only(&mut bench).trouble.as_deref()), (1, Some("keys_missing")));
    // Once when it was first seen, once when it refused.
    assert_eq!(seen(&mut bench), 2);
    // It takes a payment: that is over.
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved);
    assert_eq!(only(&mut bench).trouble, None);
    bench.reader.fail(NO_KEY);
    connected(&mut bench);
    assert_eq!(bench.told("reader_keys_missing"), 2, "again is told again");
}

#[test]
fn p7_the_cold_does_not_hide_a_battery_that_is_nearly_empty() {
    let mut bench = Bench::ready(1);
    bench.reader.set_battery(12);
    for _ in 0..3 {
        bench.reader.fail(Failure::TooCold(-12));
        bench.charge(&Sale::offline(1_000));
    }
    assert_eq!((bench.told("reader_battery_low"), only(&mut bench).trouble.as_deref()), (1, Some("battery_low")));
}

/// A reader whose SDK tells no number.
fn nameless(tampered: bool) -> VendorAbout {
    VendorAbout {
        serial: String::new(),
        model: "Other".to_owned(),
        firmware: String::new(),
        battery_percent: None,
        charging: None,
        tampered,
        keys_missing: false,
    }
}

#[test]
fn p7_a_reader_without_a_number_that_was_opened_is_told_of() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let step = bench.link(id, LinkEvent::VendorUp { about: nameless(true), generation: 1 });
    assert_eq!(step.saved, Some(not_charged(AttemptEnd::ReaderTampered)));
    assert_eq!((bench.told("reader_tampered"), only(&mut bench).serial.as_str()), (1, "?"));
}

#[test]
fn p7_readers_without_a_number_are_not_opened_for_ever() {
    let mut bench = Bench::ready(1);
    let connect = |bench: &mut Bench, tampered: bool| {
        let id = bench.begin(&Sale::offline(1_000)).unwrap();
        bench.link(id, LinkEvent::VendorUp { about: nameless(tampered), generation: 1 });
        bench.ask(Command::Leave { payment: id }).unwrap();
    };
    connect(&mut bench, false);
    assert_eq!(bench.status().readers, [], "a reader without a number is not worth a record");
    connect(&mut bench, true);
    connect(&mut bench, true);
    assert_eq!(bench.told("reader_tampered"), 1);
    connect(&mut bench, false);
    assert_eq!(only(&mut bench).trouble, None, "another one, and it is well");
    connect(&mut bench, true);
    assert_eq!(bench.told("reader_tampered"), 2);
}

#[test]
fn p7_a_battery_that_stays_low_is_told_of_once_on_a_charger_or_behind_other_trouble() {
    // So low that it refuses, and on a charger.
    let mut bench = Bench::ready(1);
    bench.reader.set_battery(5);
    bench.reader.set_charging(true);
    for _ in 0..3 {
        assert_eq!(connected(&mut bench), Some(not_charged(AttemptEnd::ReaderBatteryTooLow)));
    }
    assert_eq!(bench.told("reader_battery_low"), 1);
    assert!(seen(&mut bench) <= 2, "{}", seen(&mut bench));

    let mut bench = Bench::ready(2);
    bench.reader.set_battery(12);
    bench.charge(&Sale::offline(1_000));
    bench.reader.fail(NO_KEY);
    connected(&mut bench);
    bench.charge(&Sale::offline(1_000));
    assert_eq!((bench.told("reader_battery_low"), bench.told("reader_keys_missing")), (1, 1));
    assert_eq!(only(&mut bench).trouble.as_deref(), Some("battery_low"), "it is low all the while");
}

#[test]
fn a_reader_that_never_stops_speaking_of_itself_fills_no_ledger() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let about = VendorAbout { serial: "C000001".to_owned(), ..nameless(false) };
    bench.link(id, LinkEvent::VendorUp { about, generation: 1 });
    let say = |bench: &mut Bench, event| drop(bench.link(id, LinkEvent::Vendor { generation: 1, event }));
    say(&mut bench, started(id));
    for _ in 0..100 {
        say(&mut bench, VendorEvent::BatteryLow(10));
        say(&mut bench, VendorEvent::BatteryLow(90));
    }
    assert!((2..=10).contains(&seen(&mut bench)), "{}", seen(&mut bench));
    say(&mut bench, card());
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved), "and sells");
}

#[test]
fn receipt_data_that_the_disk_refuses_does_not_make_a_saved_payment_fail() {
    let mut bench = Bench::ready(1);
    let sale = Sale { card: CardScript::new("6222", "0048", EntryMode::Chip), ..Sale::offline(1_000) };
    let id = bench.begin(&sale).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.talk_until_saved(id, sale.card);
    bench.refuse_to_write("receipt_data_read");
    bench.talk(id, &mut writes, None);
    assert_eq!((bench.outcome(id), bench.count(id, "receipt_data_read")), (Some(ChargeOutcome::Saved), 0));
    assert!(bench.status().trouble.is_some(), "and the status says what went wrong");
    bench.mend_the_disk();
    bench.ask(Command::Leave { payment: id }).unwrap();
    assert_eq!(bench.count(id, "receipt_data_read"), 1);
}

#[test]
fn a_reader_that_never_stops_contradicting_itself_is_flagged_once() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let about = VendorAbout { serial: "C000001".to_owned(), ..nameless(false) };
    bench.link(id, LinkEvent::VendorUp { about, generation: 1 });
    let say = |bench: &mut Bench, event| drop(bench.link(id, LinkEvent::Vendor { generation: 1, event }));
    say(&mut bench, started(id));
    say(&mut bench, card());
    say(&mut bench, VendorEvent::Ended(Outcome::Deferred));
    for _ in 0..50 {
        say(&mut bench, VendorEvent::Ended(Outcome::Declined));
        say(&mut bench, VendorEvent::Ended(Outcome::Failed));
        say(&mut bench, VendorEvent::Ended(Outcome::Deferred));
    }
    bench.link(id, LinkEvent::Down { generation: 1 });
    assert_eq!(bench.count(id, "reader_concluded"), 2, "how it ended, and that it took that back");
    bench.assert_verified();
}

#[test]
fn a_reader_with_codes_that_never_stops_contradicting_itself_is_flagged_once() {
    let mut bench = Bench::ready(1);
    for nth in 0..30 {
        bench.reader.fail(Failure::EndsAgain([0x10, 0x02, 0x80, nth % 7]));
    }
    let (id, outcome) = bench.charge(&Sale::offline(1_000));
    assert_eq!(outcome, ChargeOutcome::Saved);
    assert_eq!(bench.count(id, "reader_concluded"), 2, "how it ended, and that it took that back");
}

#[test]
fn a_reader_that_is_now_too_cold_and_now_too_hot_fills_no_ledger() {
    let mut bench = Bench::ready(1);
    for failure in [Failure::TooCold(-12), Failure::TooHot(60)].into_iter().cycle().take(60) {
        bench.reader.fail(failure);
    }
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved);
    assert!((2..=12).contains(&seen(&mut bench)), "{}", seen(&mut bench));
}

#[test]
fn p7_a_reader_that_never_stops_speaking_hides_no_trouble_by_it() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let about = VendorAbout { serial: "C000001".to_owned(), ..nameless(false) };
    bench.link(id, LinkEvent::VendorUp { about: about.clone(), generation: 1 });
    for percent in [10, 90].into_iter().cycle().take(30) {
        bench.link(id, LinkEvent::Vendor { generation: 1, event: VendorEvent::BatteryLow(percent) });
    }
    let lines = seen(&mut bench);
    // It is opened, says so with the next connection, and goes on speaking.
    for generation in 2..10 {
        bench.link(id, LinkEvent::Down { generation: generation - 1 });
        let tampered = VendorAbout { tampered: true, ..about.clone() };
        bench.link(id, LinkEvent::VendorUp { about: tampered, generation });
    }
    assert_eq!((bench.told("reader_tampered"), only(&mut bench).trouble.as_deref()), (1, Some("tampered")));
    assert_eq!(seen(&mut bench), lines + 1);
}

#[test]
fn p7_a_battery_that_falls_in_many_words_is_told_of() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let about = VendorAbout { serial: "C000001".to_owned(), ..nameless(false) };
    bench.link(id, LinkEvent::VendorUp { about: about.clone(), generation: 1 });
    for percent in (29..=40).rev().chain([5]) {
        bench.link(id, LinkEvent::Vendor { generation: 1, event: VendorEvent::BatteryLow(percent) });
    }
    assert_eq!((bench.told("reader_battery_low"), only(&mut bench).trouble.as_deref()), (1, Some("battery_low")));
    // And another reader, taken up for the same charge, has words of its own for the same trouble.
    bench.link(id, LinkEvent::Down { generation: 1 });
    let other = VendorAbout { serial: "C000002".to_owned(), battery_percent: Some(4), ..about };
    bench.link(id, LinkEvent::VendorUp { about: other, generation: 2 });
    assert_eq!(bench.told("reader_battery_low"), 2);
}

#[test]
fn receipt_data_of_another_payment_is_on_no_receipt_and_leaves_a_flag() {
    for other in [Other::Amount, Other::Currency, Other::Card] {
        let mut bench = Bench::ready(1);
        bench.reader.fail(Failure::OtherReceiptData(other));
        let (id, outcome) = bench.charge(&Sale::offline(1_000));
        assert_eq!(outcome, ChargeOutcome::Saved);
        assert_eq!(bench.count(id, "receipt_data_read"), 0, "{other:?}");
        let timeline = bench.detail(id).timeline;
        let words = timeline.iter().filter(|entry| entry.kind == "reader_concluded");
        assert_eq!(words.filter(|entry| entry.body.contains("\"unexpected\":true")).count(), 1);
        bench.drain();
        assert_eq!(bench.stage(id).0, "approved", "{other:?}");
        bench.judge();
    }
}
