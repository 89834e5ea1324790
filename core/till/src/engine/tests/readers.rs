//! The readers of the stall: what is on record of each, what is told of them, and why one took no payment.

use takings_domain::event::AttemptEnd;
use takings_domain::{EntryMode, PaymentId};
use takings_readers::simulated::{Behaviour, CardScript, Failure, SimulatedReader};

use super::bench::{Bench, DAY, HOUR, MINUTE, SECOND};
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, LinkEvent};
use crate::views::ReaderView;

pub(super) fn not_charged(why: AttemptEnd) -> ChargeOutcome {
    ChargeOutcome::NotCharged { cause: "abandoned".to_owned(), detail: Some(why.as_str().to_owned()) }
}

/// Begins a sale, connects the reader, and answers how the charge stands when neither has anything to say any more.
pub(super) fn connected(bench: &mut Bench) -> Option<ChargeOutcome> {
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    let outcome = bench.outcome_now(id);
    bench.ask(Command::Leave { payment: id }).unwrap();
    bench.reader.link_down();
    outcome
}

pub(super) fn only(bench: &mut Bench) -> ReaderView {
    let readers = bench.status().readers;
    assert_eq!(readers.len(), 1, "{readers:?}");
    readers[0].clone()
}

pub(super) fn seen(bench: &mut Bench) -> usize {
    let sql = "SELECT count(*) FROM event WHERE kind = 'reader_seen'";
    usize::try_from(bench.raw().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
}

#[test]
fn a_reader_is_on_record_with_what_it_says_of_itself() {
    let mut bench = Bench::ready(1);
    assert_eq!(bench.status().readers, []);
    bench.charge(&Sale::offline(1_000));
    let first_seen_ms = bench.now.wall_ms;
    let expected = ReaderView {
        serial: "B61378A".into(),
        model: "DynaFlex II Go".into(),
        firmware: "1000009550-A0-SIM".into(),
        battery_percent: Some(100),
        charging: Some(false),
        trouble: None,
        first_seen_ms,
        last_seen_ms: first_seen_ms,
    };
    assert_eq!(only(&mut bench), expected);

    // A reader that says the same is written down once a day, not with every customer.
    for _ in 0..5 {
        bench.pass(HOUR);
        bench.reader.set_battery(97);
        bench.reader.set_charging(true);
        bench.charge(&Sale::offline(1_000));
    }
    let last_seen_ms = bench.now.wall_ms;
    let lately = ReaderView { battery_percent: Some(97), charging: Some(true), last_seen_ms, ..expected.clone() };
    assert_eq!((seen(&mut bench), only(&mut bench)), (1, lately), "the status knows better than the record");
    bench.kill_and_reopen();
    assert_eq!(only(&mut bench), expected, "and after a restart what is on record");
    bench.pass(DAY);
    bench.charge(&Sale::offline(1_000));
    let later = only(&mut bench);
    assert_eq!((seen(&mut bench), later.first_seen_ms), (2, first_seen_ms));
    assert_eq!(later.last_seen_ms, bench.now.wall_ms);

    // Another one stands beside it; a new process knows both.
    bench.reader = SimulatedReader::new(9, "C000001");
    bench.charge(&Sale::offline(1_000));
    bench.kill_and_reopen();
    let serials: Vec<String> = bench.status().readers.into_iter().map(|reader| reader.serial).collect();
    assert_eq!(serials, ["B61378A", "C000001"]);
    bench.assert_verified();
}

#[test]
fn p7_a_low_battery_is_told_before_a_sale_and_once_until_it_was_charged() {
    let mut bench = Bench::ready(1);
    bench.reader.set_battery(15);
    let (_, outcome) = bench.charge(&Sale::offline(1_000));
    assert_eq!(outcome, ChargeOutcome::Saved, "a low battery keeps nobody from selling");
    assert_eq!(only(&mut bench).trouble.as_deref(), Some("battery_low"));
    let told = bench.alerts();
    let of = |kind: &str| told.iter().find(|alert| alert.alert_kind == kind).map(|alert| alert.subject_id.clone());
    assert_eq!(of("reader_battery_low").as_deref(), Some("B61378A"));
    assert!(told.iter().any(|alert| alert.subject_kind == "reader"));

    // It hovers at the edge: no second alert.
    for percent in [14, 16, 15, 12, 19] {
        bench.reader.set_battery(percent);
        bench.charge(&Sale::offline(1_000));
    }
    assert_eq!(bench.told("reader_battery_low"), 1);
    bench.reader.set_battery(90);
    bench.charge(&Sale::offline(1_000));
    assert_eq!(only(&mut bench).trouble, None);
    bench.reader.set_battery(10);
    bench.charge(&Sale::offline(1_000));
    assert_eq!(bench.told("reader_battery_low"), 2, "low again after it was charged");

    // On a charger it is being seen to.
    let mut bench = Bench::ready(1);
    bench.reader.set_battery(10);
    bench.reader.set_charging(true);
    bench.charge(&Sale::offline(1_000));
    assert_eq!((bench.told("reader_battery_low"), only(&mut bench).charging), (0, Some(true)));
}

#[test]
fn a_reader_that_takes_no_payment_says_why_and_nothing_is_charged() {
    type Set = fn(&mut SimulatedReader);
    let rows: [(Set, AttemptEnd, Option<&str>, Option<&str>); 4] = [
        (|reader| reader.set_tampered(true), AttemptEnd::ReaderTampered, Some("tampered"), Some("reader_tampered")),
        (
            |reader| reader.set_keys(false),
            AttemptEnd::ReaderKeysMissing,
            Some("keys_missing"),
            Some("reader_keys_missing"),
        ),
        (|reader| reader.set_usable(false), AttemptEnd::ReaderOutOfService, Some("out_of_service"), None),
        (
            |reader| reader.set_battery(5),
            AttemptEnd::ReaderBatteryTooLow,
            Some("battery_low"),
            Some("reader_battery_low"),
        ),
    ];
    for (set, why, trouble, alert) in rows {
        let mut bench = Bench::ready(1);
        set(&mut bench.reader);
        assert_eq!(connected(&mut bench), Some(not_charged(why)));
        assert_eq!(only(&mut bench).trouble.as_deref(), trouble);
        let kinds: Vec<String> = bench.alerts().into_iter().map(|alert| alert.alert_kind).collect();
        assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), alert.into_iter().collect::<Vec<_>>());
        // Tried again it says so again, and tells nobody twice.
        assert_eq!(connected(&mut bench), Some(not_charged(why)));
        assert_eq!(bench.alerts().len(), usize::from(alert.is_some()));
        assert_eq!(bench.payments().len(), 2);
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn no_payment_is_begun_in_the_minute_before_a_reader_restarts() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.reader.warn_of_reset(3);
    bench.talk(id, &mut writes, Some(CardScript::new("6222", "0048", EntryMode::Chip)));
    bench.lose_link(id);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved), "three minutes are enough");

    // Remembered over connections: the next customer's charge connects anew.
    bench.pass(2 * MINUTE + SECOND);
    assert_eq!(connected(&mut bench), Some(not_charged(AttemptEnd::ReaderRestartsSoon)));
    bench.pass(MINUTE);
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved, "it has restarted");
    bench.judge();
}

#[test]
fn a_reader_that_switches_itself_off_takes_none_until_it_is_on_again() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    // It says so when the payment was given up for want of a card, and the next presentation is asked for.
    bench.reader.fail(Failure::SwitchesOff);
    let unread = chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x0D, 0x00]));
    bench.talk(id, &mut writes, Some(unread.clone()));
    bench.talk(id, &mut writes, Some(unread));
    assert_eq!(bench.outcome_now(id), Some(not_charged(AttemptEnd::ReaderSwitchesOff)));
    bench.lose_link(id);
    // Connected anew, it is on again: nobody waits out a minute.
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved);
    bench.judge();
}

#[test]
fn a_reader_whose_state_cannot_be_written_down_takes_payments_all_the_same() {
    let mut bench = Bench::ready(1);
    bench.refuse_to_write("reader_seen");
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved);
    assert!(bench.status().trouble.is_some(), "and the status says what went wrong");
    bench.mend_the_disk();
    bench.charge(&Sale::offline(1_000));
    assert_eq!(only(&mut bench).serial, "B61378A");
}

#[test]
fn values_are_cut_to_what_the_link_takes_now() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    let generation = bench.generation;
    bench.link(id, LinkEvent::ValueLen { generation, value_len: 20 });
    // What was cut before goes out as it is.
    let mut longest = 0;
    while let Some(value) = writes.pop_front() {
        bench.reader.receive(&value);
        writes.extend(bench.link(id, LinkEvent::WriteDone { generation }).writes);
        while let Some(value) = bench.reader.outbound() {
            let step = bench.link(id, LinkEvent::Bytes { generation, value });
            longest = step.writes.iter().map(Vec::len).fold(longest, usize::max);
            writes.extend(step.writes);
        }
    }
    assert_eq!(longest, 20);
    // Of another connection it says nothing.
    bench.link(id, LinkEvent::ValueLen { generation: generation + 1, value_len: 244 });
    bench.talk_until_saved(id, CardScript::new("6222", "0048", EntryMode::Chip));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
}

/// One sale with one card after the other; each is presented when the reader waits for a card.
fn presented(bench: &mut Bench, sale: &Sale, cards: Vec<CardScript>) -> (PaymentId, Option<ChargeOutcome>) {
    let id = bench.begin(sale).unwrap();
    let mut writes = bench.connect(id);
    for card in cards {
        bench.talk(id, &mut writes, Some(card));
    }
    bench.run();
    let outcome = bench.outcome_now(id);
    bench.lose_link(id);
    (id, outcome)
}

pub(super) fn chip() -> CardScript {
    CardScript::new("6222", "0048", EntryMode::Chip)
}

#[test]
fn a_card_that_could_not_be_read_is_presented_again_in_the_same_charge() {
    let again = |entry_mode, code| CardScript::new("6222", "0048", entry_mode).behaving(Behaviour::EndsWith(code));
    let fails = again(EntryMode::Chip, [0x10, 0x02, 0x0F, 0x02]);
    let swiped = CardScript::new("6222", "0048", EntryMode::Stripe).behaving(Behaviour::ChipCardSwiped);
    let rows = [
        // A swipe that could not be read, and a second one.
        (
            vec![
                again(EntryMode::Stripe, [0x08, 0x03, 0x05, 0x00]),
                CardScript::new("6222", "0048", EntryMode::Stripe),
            ],
            "stripe",
        ),
        // A tap that is not taken is inserted.
        (vec![again(EntryMode::Contactless, [0x20, 0x02, 0x01, 0x00]), chip()], "chip"),
        // A chip that failed three times is swiped; one whose reader says so, at once.
        (vec![fails.clone(), fails.clone(), fails.clone(), swiped.clone()], "fallback"),
        (vec![again(EntryMode::Chip, [0x10, 0x02, 0x08, 0x03]), swiped.clone()], "fallback"),
        // A card with a chip that is swiped first is inserted, once the reader is done with the swipe.
        (vec![fails.clone(), fails, swiped.clone(), chip()], "chip"),
        (vec![swiped, chip()], "chip"),
    ];
    for (cards, entry_mode) in rows {
        let mut bench = Bench::ready(1);
        let presentations = cards.len();
        // Swipes are for when there is a line.
        let (id, outcome) = presented(&mut bench, &Sale::live(1_000), cards);
        assert_eq!(outcome, Some(ChargeOutcome::Approved { approved_minor: 1_000 }), "{entry_mode}");
        assert_eq!(bench.view(id).entry_mode.as_deref(), Some(entry_mode));
        assert_eq!(bench.count(id, "attempt_started"), presentations, "each is on record");
        assert_eq!(bench.count(id, "attempt_ended"), presentations - 1);
        assert_eq!(bench.authorizations(id), 1);
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn presentations_are_bounded_and_the_last_reason_is_told() {
    let unread =
        CardScript::new("6222", "0048", EntryMode::Stripe).behaving(Behaviour::EndsWith([0x08, 0x03, 0x05, 0x00]));
    let mut bench = Bench::ready(1);
    let (id, outcome) = presented(&mut bench, &Sale::offline(1_000), vec![unread.clone(); 9]);
    assert_eq!(outcome, Some(not_charged(AttemptEnd::ReadError)));
    assert_eq!(bench.count(id, "attempt_started"), 5);

    // The customer gives up: nobody came again is not why.
    let mut bench = Bench::ready(2);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(unread));
    assert_eq!(bench.outcome_now(id), None, "the reader waits for the next try");
    bench.pass(61 * SECOND);
    bench.reader.advance_ms(61_000);
    bench.talk(id, &mut writes, None);
    assert_eq!(bench.outcome_now(id), Some(not_charged(AttemptEnd::ReadError)));
    let timeline = bench.detail(id).timeline;
    let ends = timeline.iter().filter(|entry| entry.kind == "attempt_ended").map(|entry| entry.body.as_str());
    assert_eq!(ends.collect::<Vec<_>>(), [r#"{"why":"read_error"}"#, r#"{"why":"timed_out"}"#], "each by its own end");
    bench.judge();
}
