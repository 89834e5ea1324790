//! The link to the reader: it goes and comes back, takes no value, brings one twice, or stays while the reader restarts.

use std::collections::VecDeque;

use takings_domain::EntryMode;
use takings_domain::event::AttemptEnd;
use takings_readers::simulated::{Behaviour, CardScript, Failure};

use super::bench::{Bench, SECOND};
use super::readers::{chip, not_charged};
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::LinkEvent;

#[test]
fn a_value_that_could_not_be_written_because_the_link_is_gone_waits_for_the_next_one() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    // The first question it is asked, and its start.
    for attempts in [0, 1] {
        let mut writes = bench.connect(id);
        let generation = bench.generation;
        while bench.count(id, "attempt_started") < attempts {
            writes.drain(..).for_each(|value| bench.reader.receive(&value));
            writes.extend(bench.link(id, LinkEvent::WriteDone { generation }).writes);
            if let Some(value) = bench.reader.outbound() {
                writes.extend(bench.link(id, LinkEvent::Bytes { generation, value }).writes);
            }
        }
        assert_eq!(writes.len(), 1);
        let step = bench.link(id, LinkEvent::WriteFailed { generation });
        assert_eq!((step.disconnect, step.saved), (false, None), "the link says itself that it is gone");
        bench.lose_link(id);
        assert_eq!(bench.outcome_now(id), None);
    }
    let timeline = bench.detail(id).timeline;
    let ends = timeline.iter().filter(|entry| entry.kind == "attempt_ended").map(|entry| entry.body.as_str());
    assert_eq!(ends.collect::<Vec<_>>(), [r#"{"why":"link_lost"}"#]);
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn a_link_that_takes_no_value_and_stays_is_given_up() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    assert!(!bench.connect(id).is_empty());
    let generation = bench.generation;
    let step = bench.link(id, LinkEvent::WriteFailed { generation });
    assert!(step.wait_ms.is_some_and(|wait_ms| wait_ms <= 5_000), "{:?}", step.wait_ms);
    bench.pass(5 * SECOND);
    let step = bench.link(id, LinkEvent::Tick);
    assert_eq!((step.disconnect, step.saved), (true, Some(not_charged(AttemptEnd::ReaderNoAnswer))));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn a_cancel_that_could_not_be_written_is_a_cancel() {
    let mut bench = Bench::ready(1);
    for link_goes in [true, false] {
        let id = bench.begin(&Sale::offline(1_000)).unwrap();
        let mut writes = bench.connect(id);
        bench.talk(id, &mut writes, None);
        assert!(!bench.link(id, LinkEvent::Cancel).writes.is_empty());
        let generation = bench.generation;
        bench.link(id, LinkEvent::WriteFailed { generation });
        if !link_goes {
            bench.pass(5 * SECOND);
            bench.link(id, LinkEvent::Tick);
        }
        bench.lose_link(id);
        assert_eq!(bench.outcome(id), Some(not_charged(AttemptEnd::Cancelled)), "{link_goes}");
    }
    bench.judge();
}

#[test]
fn a_card_that_comes_after_a_value_that_could_not_be_written_is_heard() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::live(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    // Its answer is under way when somebody cancels, and the cancel does not get there.
    bench.reader.present(chip());
    bench.link(id, LinkEvent::Cancel);
    let generation = bench.generation;
    bench.link(id, LinkEvent::WriteFailed { generation });
    bench.talk(id, &mut VecDeque::new(), None);
    bench.run();
    assert_eq!(bench.outcome_now(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn what_is_said_late_of_an_earlier_connection_ends_no_other() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    bench.connect(id);
    let first = bench.generation;
    bench.lose_link(id);
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    for generation in [first, first, bench.generation + 7] {
        bench.link(id, LinkEvent::Down { generation });
    }
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn a_charge_that_was_cancelled_is_over_when_its_link_goes() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    assert!(!bench.link(id, LinkEvent::Cancel).writes.is_empty());
    assert_eq!(bench.outcome_now(id), None, "the reader may have read a card meanwhile");
    bench.lose_link(id);
    assert_eq!(bench.outcome(id), Some(not_charged(AttemptEnd::Cancelled)));
    let timeline = bench.detail(id).timeline;
    let ends = timeline.iter().filter(|entry| entry.kind == "attempt_ended").map(|entry| entry.body.as_str());
    assert_eq!(ends.collect::<Vec<_>>(), [r#"{"why":"link_lost"}"#], "and what happened is on record");
    bench.judge();
}

#[test]
fn an_end_that_comes_twice_does_not_end_the_next_presentation() {
    for damage in ["doubles_value", "repeats_value", "loses_value", "swaps_values"] {
        // Which value of the reader's it is, from the first answer to the last word of the sale.
        for at in 0..60 {
            let mut bench = Bench::ready(1);
            let failure = Failure::from_word(&format!("{damage}:{at}")).unwrap();
            let id = bench.begin(&Sale::offline(1_000)).unwrap();
            let mut writes = bench.connect(id);
            bench.reader.fail(failure);
            let tries_again = chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x0D, 0x00]));
            bench.talk(id, &mut writes, Some(tries_again));
            bench.talk(id, &mut writes, Some(chip()));
            for _ in 0..40 {
                bench.pass(5 * SECOND);
                bench.reader.advance_ms(5_000);
                bench.link(id, LinkEvent::Tick).writes.into_iter().for_each(|value| writes.push_back(value));
                bench.talk(id, &mut writes, None);
            }
            assert!(bench.outcome_now(id).is_some(), "{damage} {at}: it hangs");
            if ["doubles_value", "repeats_value"].contains(&damage) {
                assert_eq!(bench.count(id, "attempt_started"), 2, "{damage} {at}");
                assert_eq!(bench.outcome_now(id), Some(ChargeOutcome::Saved), "{damage} {at}");
            }
            assert!(bench.count(id, "attempt_started") <= 3, "{damage} {at}: {}", bench.count(id, "attempt_started"));
            bench.lose_link(id);
            bench.judge();
        }
    }
}

#[test]
fn a_reader_that_restarts_over_a_live_link_is_set_up_anew_in_the_same_charge() {
    let (mut again, mut saved_before) = (0, 0);
    for at in 0..40 {
        let mut bench = Bench::ready(1);
        let id = bench.begin(&Sale::offline(1_000)).unwrap();
        let mut writes = bench.connect(id);
        bench.reader.fail(Failure::from_word(&format!("restarts_after:{at}")).unwrap());
        for _ in 0..3 {
            bench.talk(id, &mut writes, Some(chip()));
            // A question that it did not hear to its end is asked once more.
            bench.pass(3 * SECOND);
            writes.extend(bench.link(id, LinkEvent::Tick).writes);
        }
        assert_eq!(bench.outcome_now(id), Some(ChargeOutcome::Saved), "{at}: nobody waits until a payment is overdue");
        let attempts = bench.count(id, "attempt_started");
        again += u32::from(attempts == 2);
        saved_before += u32::from(attempts == 1);
        assert!((1..=2).contains(&attempts), "{at}: {attempts}");
        assert_eq!(bench.count(id, "card_read"), 1, "{at}");
        bench.lose_link(id);
        bench.judge();
    }
    assert!(again >= 3 && saved_before >= 10, "{again} {saved_before}");
}

#[test]
fn a_link_that_goes_when_the_disk_refuses_lets_the_next_one_in() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.refuse_to_write("attempt_ended");
    bench.reader.link_down();
    let generation = bench.generation;
    assert!(bench.try_link(id, LinkEvent::Down { generation }).is_err(), "it is said");
    bench.mend_the_disk();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.lose_link(id);
    bench.judge();
    bench.assert_verified();
}

#[test]
fn a_restart_whose_loss_the_disk_refuses_hangs_nobody() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.refuse_to_write("attempt_ended");
    bench.reader.fail(Failure::RestartsAfter(0));
    bench.reader.present(chip());
    let (generation, value) = (bench.generation, bench.reader.outbound().unwrap());
    assert!(bench.try_link(id, LinkEvent::Bytes { generation, value }).is_err(), "it is said");
    bench.mend_the_disk();
    // What it was to be told was in the answer that nobody got: it is let go, and taken up with the next link.
    bench.reader.link_down();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn what_an_error_kept_from_a_reader_is_not_waited_for() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    // The first attempt's start is on disk with the charge; the second one's is not.
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.lose_link(id);
    bench.refuse_to_write("attempt_started");
    let mut writes = bench.connect(id);
    let generation = bench.generation;
    let mut refused = false;
    while !refused {
        writes.drain(..).for_each(|value| bench.reader.receive(&value));
        writes.extend(bench.link(id, LinkEvent::WriteDone { generation }).writes);
        if let Some(value) = bench.reader.outbound() {
            match bench.try_link(id, LinkEvent::Bytes { generation, value }) {
                Ok(step) => writes.extend(step.writes),
                Err(_) => refused = true,
            }
        }
    }
    assert_eq!(bench.outcome_now(id), None);
    bench.mend_the_disk();
    // A shell that goes on without letting the reader go connects it anew, and sells.
    bench.reader.link_down();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(chip()));
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn that_a_chip_failed_is_known_over_a_link_that_went() {
    let gives_up = chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x08, 0x03]));
    let swiped = CardScript::new("6222", "0048", EntryMode::Stripe).behaving(Behaviour::ChipCardSwiped);
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::live(1_000)).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(gives_up));
    bench.lose_link(id);
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, Some(swiped));
    bench.run();
    assert_eq!(bench.outcome_now(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    assert_eq!(bench.view(id).entry_mode.as_deref(), Some("fallback"));
    bench.lose_link(id);
    bench.judge();
}

#[test]
fn a_reader_that_restarts_for_ever_is_given_up() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    let mut writes = bench.connect(id);
    for nth in 0..100 {
        bench.reader.fail(Failure::RestartsAfter(3 + 5 * nth));
    }
    bench.talk(id, &mut writes, Some(chip()));
    let given_up = ChargeOutcome::NotCharged { cause: "interrupted".to_owned(), detail: Some("link_lost".to_owned()) };
    assert_eq!(bench.outcome_now(id), Some(given_up));
    assert!(bench.link(id, LinkEvent::Tick).disconnect, "and let go");
    assert!(bench.detail(id).timeline.len() < 30, "{}", bench.detail(id).timeline.len());
    bench.lose_link(id);
    bench.judge();
}
