//! P2 once: whatever is repeated, reordered or cut off, the acquirer charges each payment once.

use serde_json::json;

use super::bench::{BATCH, Bench, EVENTS, INQUIRE, LIVE, REVERSE, SECOND, SIGN_ON};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;

/// Every fault of the line, and what else the acquirer does in the sandbox's own words.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Refused,
        Fault::DropRequest,
        Fault::DropAnswer,
        Fault::HalfAnswer,
        Fault::FlipByte,
        Fault::FlipSignature,
        Fault::Portal,
        Fault::Unsigned(302, None),
        Fault::Unsigned(401, None),
        Fault::Unsigned(429, Some(5)),
        Fault::Unsigned(500, None),
        Fault::Unsigned(503, Some(5)),
        Fault::TwiceAnswered,
    ]
}

fn planted() -> Vec<serde_json::Value> {
    vec![
        json!({"kind": "duplicate"}),
        json!({"kind": "drop_request"}),
        json!({"kind": "drop_answer"}),
        json!({"kind": "half_answer"}),
        json!({"kind": "wrong_signature"}),
        json!({"kind": "status", "status": 429, "retry_after_s": 5}),
        json!({"kind": "status", "status": 503, "retry_after_s": 5}),
        json!({"kind": "status", "status": 500}),
        json!({"kind": "status", "status": 500, "processed": true}),
        json!({"kind": "status", "status": 504, "processed": true}),
        json!({"kind": "refuse", "problem": "keys-rotated"}),
        json!({"kind": "refuse", "problem": "terminal-not-signed-on"}),
        json!({"kind": "refuse", "problem": "clock-skew"}),
    ]
}

/// Every fault, planted on one path `times` times by whoever does it.
fn every_fault(path: &str, times: u32, mut case: impl FnMut(Bench, String)) {
    for (index, fault) in faults().into_iter().enumerate() {
        let mut bench = Bench::ready(index as u64 + 1);
        bench.spoil(path, times, fault.clone());
        case(bench, format!("{fault:?}"));
    }
    for (index, mut fault) in planted().into_iter().enumerate() {
        let mut bench = Bench::ready(index as u64 + 101);
        let word = fault.to_string();
        fault["on"] = json!(path);
        fault["count"] = json!(times);
        bench.plant(fault);
        case(bench, word);
    }
}

#[test]
fn p2_once_a_deferred_payment_survives_every_fault_of_its_batch() {
    for times in [1, 3] {
        every_fault(BATCH, times, |mut bench, fault| {
            let (id, outcome) = bench.charge(&Sale::offline(1_230));
            assert_eq!(outcome, ChargeOutcome::Saved, "{fault}");
            bench.drain();
            assert_eq!(bench.authorizations(id), 1, "{fault}");
            assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"), "{fault}");
            assert!(!bench.holds_card_data(id), "{fault}");
            bench.days_later(3);
            assert_eq!(bench.in_book(id).unwrap()["captures"], json!(1), "{fault}");
            assert_eq!(bench.view(id).stage, "arrived", "{fault}");
            bench.judge();
            bench.assert_verified();
        });
    }
}

#[test]
fn p2_once_a_live_payment_survives_every_fault_and_is_charged_once_or_not_at_all() {
    for times in [1, 2, 40] {
        every_fault(LIVE, times, |mut bench, fault| {
            let (id, _) = bench.charge(&Sale::live(1_230));
            bench.live_on(3 * 60 * SECOND);
            bench.good_line();
            bench.drain();
            bench.days_later(3);
            bench.judge();
            let captures = bench.in_book(id).map_or(0, |payment| payment["captures"].as_u64().unwrap());
            let (stage, cause) = bench.stage(id);
            match stage.as_str() {
                "arrived" => assert_eq!(captures, 1, "{fault}"),
                "not_charged" => assert_eq!(captures, 0, "{fault} {cause}"),
                other => panic!("{fault} x{times}: {other} {cause} {:?}", bench.kinds(id)),
            }
            assert!(!bench.holds_card_data(id), "{fault}");
            bench.assert_verified();
        });
    }
}

#[test]
fn p2_once_a_killed_drain_sends_again_and_nothing_is_charged_twice() {
    let mut at = 1;
    loop {
        let mut bench = Bench::ready(7);
        let sales: Vec<_> = (0..3).map(|n| bench.charge(&Sale::offline(1_000 + n)).0).collect();
        let killed = bench.killed_at(at, |bench| {
            bench.sync();
        });
        if killed {
            bench.open().unwrap();
        }
        bench.drain();
        for id in &sales {
            assert_eq!(bench.authorizations(*id), 1, "killed at {at}");
            assert_eq!(bench.view(*id).authorization.as_deref(), Some("approved"), "killed at {at}");
            assert!(!bench.holds_card_data(*id), "killed at {at}");
        }
        bench.judge();
        bench.assert_verified();
        if !killed {
            break;
        }
        at += 1;
    }
    assert!(at > 4, "there are boundaries to be killed at: {at}");
}

#[test]
fn p2_once_an_item_missing_from_the_answer_stays_in_doubt_and_is_sent_again() {
    let mut bench = Bench::ready(1);
    let sales: Vec<_> = (0..4).map(|n| bench.charge(&Sale::offline(1_000 + n)).0).collect();
    // The acquirer answers a batch of three where four were sent: signed, and one is missing.
    let hidden = sales[1];
    bench.spoil(BATCH, 1, Fault::Hide(hidden));
    bench.sync();
    let view = bench.view(hidden);
    assert_eq!((view.delivery.as_deref(), view.stage.as_str()), (Some("in_doubt"), "being_confirmed"));
    for id in sales.iter().filter(|id| **id != hidden) {
        assert_eq!(bench.view(*id).authorization.as_deref(), Some("approved"));
    }
    bench.drain();
    assert_eq!(bench.authorizations(hidden), 1);
    assert_eq!(bench.view(hidden).authorization.as_deref(), Some("approved"));
    bench.judge();
}

#[test]
fn p2_once_a_refused_session_is_renewed_and_the_batch_sent_once_more_in_the_same_run() {
    for problem in ["keys-rotated", "terminal-not-signed-on"] {
        let mut bench = Bench::ready(1);
        let (id, _) = bench.charge(&Sale::offline(1_000));
        bench.plant(json!({"on": BATCH, "kind": "refuse", "problem": problem, "count": 1}));
        let report = bench.sync();
        assert_eq!((report.ended.as_str(), report.approved), ("done", 1), "{problem}: {report:?} {:?}", bench.sent);
        assert_eq!(bench.authorizations(id), 1);
        assert_eq!(bench.sent.iter().filter(|name| *name == SIGN_ON).count(), 1);
    }
}

#[test]
fn p2_once_a_sign_on_refused_in_the_middle_of_a_drain_loses_nothing() {
    let mut bench = Bench::ready(1);
    let (id, _) = bench.charge(&Sale::offline(1_000));
    bench.plant(json!({"on": BATCH, "kind": "refuse", "problem": "terminal-not-signed-on", "count": 1}));
    bench.plant(json!({"on": SIGN_ON, "kind": "refuse", "problem": "terminal-blocked", "count": 1}));
    let report = bench.sync();
    assert_ne!(report.ended, "done");
    assert_eq!(bench.view(id).delivery.as_deref(), Some("queued"));
    assert!(bench.holds_card_data(id));
    bench.drain();
    assert_eq!(bench.authorizations(id), 1);
    bench.judge();
}

#[test]
fn p2_once_a_duplicate_transaction_naming_another_payment_parks_and_tells_and_never_links_the_two() {
    for sale in [Sale::offline(1_000), Sale::live(1_000)] {
        let mut bench = Bench::ready(1);
        let path = if sale == Sale::live(1_000) { LIVE } else { BATCH };
        // Another payment took our trace number at the acquirer: the ledger of an older phone, say.
        bench.break_counter();
        let (id, _) = bench.charge(&sale);
        bench.sync();
        assert_eq!(bench.in_book(id), None, "{path}");
        let (stage, cause) = bench.stage(id);
        let expected = if path == LIVE { "not_charged" } else { "needs_you" };
        assert_eq!((stage.as_str(), cause.as_str()), (expected, "counter_broken"));
        let view = bench.view(id);
        assert_eq!((view.rrn, view.authorization), (None, None));
        if path == BATCH {
            assert_eq!(bench.view(id).next_step.as_deref(), Some("contact_acquirer"));
            assert_eq!(bench.alerts().iter().filter(|alert| alert.alert_kind == "payment_parked").count(), 1);
        }
        bench.assert_verified();
    }
}

#[test]
fn p2_once_a_late_original_was_never_charged() {
    let mut bench = Bench::ready(1);
    // The first send is stuck on its way; the till asks, and the acquirer closes the id.
    bench.spoil(LIVE, 100, Fault::DropRequest);
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    bench.live_on(3 * 60 * SECOND);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::NotCharged { cause: "not_received".into(), detail: None }));
    assert_eq!(bench.stage(id), ("not_charged".into(), "not_received".into()));
    // The stuck request arrives at last: refused.
    let stuck = bench.first_sent(LIVE);
    bench.arrive(&stuck);
    assert_eq!(bench.in_book(id), None);
    bench.judge();

    // And the till that hears so first believes it.
    let mut bench = Bench::ready(2);
    bench.plant(json!({"on": LIVE, "kind": "refuse", "problem": "late-original", "count": 1}));
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    assert_eq!(outcome, ChargeOutcome::NotCharged { cause: "not_received".into(), detail: None });
    assert_eq!(bench.stage(id).0, "not_charged");
    assert!(!bench.holds_card_data(id));
}

#[test]
fn p2_once_answers_that_come_twice_late_or_backwards_change_nothing() {
    for backwards in [false, true] {
        let mut bench = Bench::ready(1);
        let sales: Vec<_> = (0..60).map(|n| bench.charge(&Sale::nth(n)).0).collect();
        bench.spoil(BATCH, 1, Fault::Late);
        bench.spoil(EVENTS, 1, Fault::TwiceAnswered);
        let ticket = bench.start(crate::engine::Command::Sync { budget_ms: 120_000 });
        bench.run();
        let live = Sale::live(7_700);
        let (live_id, outcome) = bench.charge(&live);
        assert_eq!(outcome, ChargeOutcome::Approved { approved_minor: 7_700 }, "a sale waits for no drain");
        let again = bench.late.iter().cloned().collect::<Vec<_>>();
        bench.deliver_late(backwards);
        for (op, carried) in again {
            bench.handle(crate::engine::Input::Answer(op, carried));
        }
        bench.run();
        assert!(bench.reply(ticket).is_some());
        bench.drain();
        for id in sales.iter().chain([&live_id]) {
            assert_eq!(bench.authorizations(*id), 1);
        }
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn p2_once_what_waits_is_sent_in_as_many_requests_as_batches_are_needed() {
    for (waiting, batches) in [(1, 1), (50, 1), (51, 2), (120, 3)] {
        let mut bench = Bench::ready(1);
        for n in 0..waiting {
            bench.charge(&Sale::nth(n));
        }
        bench.sent.clear();
        let report = bench.sync();
        assert_eq!((report.approved, report.waiting), (u32::try_from(waiting).unwrap(), 0), "{report:?}");
        let count = |name: &str| bench.sent.iter().filter(|sent| *sent == name).count();
        assert_eq!(count(BATCH), batches);
        // Beside them: one look at the feed that says that there is a line.
        assert_eq!((count(EVENTS), bench.sent.len()), (1, batches + 1), "{:?}", bench.sent);
    }
}

#[test]
fn p2_once_three_lanes_answered_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut bench = Bench::ready(1);
        bench.spoil(LIVE, 1_000, Fault::DropAnswer);
        bench.spoil(INQUIRE, 1_000, Fault::DropAnswer);
        bench.spoil(REVERSE, 1_000, Fault::DropRequest);
        let doubtful = bench.charge(&Sale::live(1_000)).0;
        bench.live_on(3 * 60 * SECOND);
        bench.good_line();
        for path in [REVERSE, BATCH, LIVE] {
            bench.spoil(path, 1, Fault::Late);
        }
        let deferred = bench.charge(&Sale::nth(1)).0;
        let ticket = bench.start(crate::engine::Command::Sync { budget_ms: 120_000 });
        bench.run();
        let sale = Sale::live(7_700);
        let live = bench.begin(&sale).unwrap();
        bench.present(live, &sale);
        bench.run();
        assert_eq!(bench.late.len(), 3, "all three lanes are under way: {:?}", bench.sent);
        let mut late: Vec<_> = std::mem::take(&mut bench.late).into_iter().map(Some).collect();
        for index in order {
            let (op, carried) = late[index].take().unwrap();
            bench.handle(crate::engine::Input::Answer(op, carried));
        }
        bench.run();
        assert!(bench.reply(ticket).is_some(), "{order:?}");
        assert_eq!(bench.stage(doubtful), ("not_charged".into(), "reversed".into()), "{order:?}");
        assert_eq!(bench.view(deferred).stage, "approved", "{order:?}");
        assert_eq!(bench.outcome(live), Some(ChargeOutcome::Approved { approved_minor: 7_700 }), "{order:?}");
        bench.judge();
        bench.assert_verified();
    }
}
