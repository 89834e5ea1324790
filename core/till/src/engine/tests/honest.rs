//! P3 honest: an unknown outcome is shown as unknown; no time-out, default or unlisted code decides it.

use serde_json::json;

use super::bench::{BATCH, Bench, DAY, HOUR, INQUIRE, LIVE, MINUTE, REVERSE, SECOND};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;

fn reversed() -> ChargeOutcome {
    ChargeOutcome::NotCharged { cause: "reversed".to_owned(), detail: None }
}

#[test]
fn p3_honest_an_unlisted_code_is_undone_while_the_customer_waits() {
    let mut bench = Bench::ready(1);
    let (id, outcome) = bench.charge(&Sale::live(1_000).last_four("0099"));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    assert_eq!(bench.stage(id).0, "being_confirmed");
    bench.live_on(MINUTE);
    assert_eq!(bench.outcome(id), Some(reversed()));
    assert_eq!(bench.stage(id), ("not_charged".into(), "reversed".into()));
    assert_eq!(bench.in_book(id).unwrap()["authorization"], json!("reversed"));
    assert_eq!(bench.view(id).authorization.as_deref(), Some("reversed"), "the code is that of the payment undone");
    assert!(!bench.holds_card_data(id));
    bench.judge();
}

#[test]
fn p3_honest_an_unlisted_code_to_a_deferred_payment_parks_it_and_what_comes_later_still_counts() {
    let mut bench = Bench::ready(1);
    let (id, outcome) = bench.charge(&Sale::offline(1_000).last_four("0099"));
    assert_eq!(outcome, ChargeOutcome::Saved);
    bench.sync();
    let view = bench.view(id);
    assert_eq!((view.stage.as_str(), view.cause.as_deref()), ("needs_you", Some("unlisted_code")));
    assert_eq!((view.acts.as_deref(), view.next_step.as_deref()), (Some("merchant"), Some("contact_acquirer")));
    assert_eq!(bench.alerts().len(), 1);
    assert_eq!(bench.waiting(), 0, "parked: nothing is sent by itself");
    bench.admin("POST", &format!("/admin/payments/{id}"), &json!({"action": "approve"}));
    bench.sync();
    assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"));
    assert_eq!(bench.view(id).stage, "approved");
    assert!(!bench.holds_card_data(id));
    bench.judge();
}

#[test]
fn p3_honest_a_payment_still_processing_is_shown_so_and_its_answer_is_heard() {
    for (last_four, stage) in [("0068", "approved"), ("0069", "needs_you")] {
        let mut bench = Bench::ready(1);
        let (id, _) = bench.charge(&Sale::offline(1_000).last_four(last_four));
        bench.sync();
        let view = bench.view(id);
        assert_eq!((view.authorization.as_deref(), view.stage.as_str()), (Some("processing"), "being_confirmed"));
        bench.live_on(5 * MINUTE);
        bench.drain();
        assert_eq!(bench.view(id).stage, stage);
        assert_eq!(bench.authorizations(id), 1);
        bench.judge();
    }
}

#[test]
fn p3_honest_a_live_payment_still_processing_after_the_customers_patience_is_undone() {
    let mut bench = Bench::ready(1);
    let (id, outcome) = bench.charge(&Sale::live(1_000).last_four("0068"));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    bench.live_on(30 * SECOND);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::NotConfirmed));
    bench.live_on(80 * SECOND);
    assert_eq!(bench.outcome(id), Some(reversed()), "{:?}", bench.kinds(id));
    bench.live_on(10 * MINUTE);
    assert_eq!(bench.in_book(id).unwrap()["authorization"], json!("reversed"));
    bench.judge();
}

#[test]
fn p3_honest_no_time_out_decides_a_live_payment() {
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1, Fault::DropAnswer);
    let id = bench.charge(&Sale::live(1_000)).0;
    bench.line_is_down = true;
    for _ in 0..10 {
        bench.live_on(DAY / 4);
        assert_eq!(bench.outcome(id), Some(ChargeOutcome::NotConfirmed));
        assert!(["being_confirmed", "needs_you"].contains(&bench.stage(id).0.as_str()));
        assert!(["", "in_doubt"].contains(&bench.stage(id).1.as_str()));
    }
    // The bank did charge it: asked after, it is found.
    bench.good_line();
    bench.drain();
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    assert_eq!(bench.told("payment_confirmed_late"), 1, "the screen said not confirmed, and the customer left");
    bench.judge();
}

#[test]
fn p3_honest_a_lost_answer_is_fetched_by_sending_the_same_again_while_the_customer_waits() {
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 2, Fault::DropAnswer);
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    bench.live_on(20 * SECOND);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    let view = bench.view(id);
    assert_eq!((view.class.as_deref(), view.delivery.as_deref()), (Some("live"), Some("delivered")));
    assert_eq!(bench.in_book(id).unwrap()["requests"], json!(3));
    assert_eq!(bench.told("payment_confirmed_late"), 0, "the customer was still there");
    bench.judge();
}

#[test]
fn p3_honest_past_the_window_the_till_asks_and_believes_only_a_final_word() {
    // Never received: asked, closed, not charged.
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1_000, Fault::DropRequest);
    let id = bench.charge(&Sale::live(1_000)).0;
    bench.live_on(3 * MINUTE);
    assert_eq!(bench.count(id, "not_received"), 1);
    assert_eq!(bench.stage(id), ("not_charged".into(), "not_received".into()));
    assert!(!bench.holds_card_data(id));
    bench.judge();

    // Received, all answers lost: asked, found, approved.
    let mut bench = Bench::ready(2);
    bench.spoil(LIVE, 1_000, Fault::DropAnswer);
    let id = bench.charge(&Sale::live(1_000)).0;
    bench.live_on(3 * MINUTE);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    bench.judge();
}

#[test]
fn p3_honest_a_reversal_is_repeated_until_it_is_answered_also_over_restarts() {
    for lost in [Fault::DropRequest, Fault::DropAnswer, Fault::FlipByte] {
        let mut bench = Bench::ready(1);
        bench.spoil(LIVE, 1_000, Fault::DropAnswer);
        bench.spoil(INQUIRE, 1_000, Fault::DropAnswer);
        bench.spoil(REVERSE, 6, lost);
        let id = bench.charge(&Sale::live(1_000)).0;
        bench.live_on(3 * MINUTE);
        assert_eq!(bench.count(id, "reversal_requested"), 1, "{:?} {:?}", bench.kinds(id), bench.sent);
        for _ in 0..3 {
            bench.kill_and_reopen();
            bench.sync();
            bench.live_on(MINUTE);
        }
        bench.live_on(2 * HOUR);
        assert_eq!(bench.stage(id), ("not_charged".into(), "reversed".into()));
        assert!(bench.count(id, "reversal_reported") <= 1, "by its answer, or by the feed");
        assert_eq!(bench.in_book(id).unwrap()["authorization"], json!("reversed"));
        assert_eq!(bench.book()["reversals"].as_array().unwrap().len(), 1, "a repeat does not fork");
        assert!(!bench.holds_card_data(id));
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn p3_honest_undoing_that_comes_too_late_says_so_and_names_the_refund() {
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1_000, Fault::DropAnswer);
    bench.spoil(INQUIRE, 1_000, Fault::DropAnswer);
    bench.spoil(REVERSE, 1_000, Fault::DropRequest);
    let id = bench.charge(&Sale::live(1_000)).0;
    bench.live_on(3 * MINUTE);
    bench.line_is_down = true;
    bench.live_on(DAY);
    bench.good_line();
    bench.drain();
    let view = bench.view(id);
    assert_eq!((view.stage.as_str(), view.cause.as_deref()), ("needs_you", Some("already_cleared")));
    assert_eq!(view.next_step.as_deref(), Some("refund"));
    bench.judge();
}

#[test]
fn p3_honest_answers_that_cannot_be_believed_are_no_answers() {
    for fault in [Fault::FlipByte, Fault::FlipSignature, Fault::Portal, Fault::Unsigned(302, None)] {
        let mut bench = Bench::ready(1);
        bench.spoil(LIVE, 1, fault.clone());
        bench.spoil(BATCH, 1, fault.clone());
        let (live, outcome) = bench.charge(&Sale::live(1_000));
        assert_eq!(outcome, ChargeOutcome::NotConfirmed, "{fault:?}");
        let (deferred, _) = bench.charge(&Sale::offline(1_100));
        bench.sync();
        for id in [live, deferred] {
            let view = bench.view(id);
            assert!(view.authorization.is_none() || bench.authorizations(id) == 1, "{fault:?}");
            assert!(bench.kinds(id).iter().any(|kind| kind == "send_ended"), "{fault:?}");
        }
        let bodies: Vec<String> = bench.detail(deferred).timeline.into_iter().map(|entry| entry.body).collect();
        assert!(bodies.iter().any(|body| body.contains("unverified")), "{fault:?}");
        bench.live_on(2 * MINUTE);
        bench.drain();
        assert_eq!(bench.view(deferred).authorization.as_deref(), Some("approved"));
        bench.judge();
    }
}

#[test]
fn p3_honest_a_decline_is_told_with_its_code_and_a_partial_approval_with_its_sum() {
    let mut bench = Bench::ready(1);
    let (id, outcome) = bench.charge(&Sale::live(1_000).last_four("0051"));
    assert_eq!(outcome, ChargeOutcome::NotCharged { cause: "declined".into(), detail: Some("51".into()) });
    assert_eq!(bench.stage(id), ("not_charged".into(), "declined".into()));
    assert!(!bench.holds_card_data(id));
    let (id, outcome) = bench.charge(&Sale::live(1_001).last_four("0010"));
    assert_eq!(outcome, ChargeOutcome::Approved { approved_minor: 500 });
    assert!(bench.view(id).partly_approved);
    let (id, outcome) = bench.charge(&Sale::live(1_002).last_four("0001"));
    assert!(matches!(outcome, ChargeOutcome::NotCharged { .. }), "{outcome:?}");
    assert_eq!(bench.view(id).authorization.as_deref(), Some("referred"));
    let (id, _) = bench.charge(&Sale::offline(1_003).last_four("0051"));
    bench.sync();
    let view = bench.view(id);
    assert_eq!((view.stage.as_str(), view.cause.as_deref()), ("needs_you", Some("declined_after_deferral")));
    assert_eq!(bench.alerts().iter().filter(|alert| alert.alert_kind == "declined_after_deferral").count(), 1);
    bench.judge();
}

#[test]
fn p3_honest_what_certainly_did_not_leave_is_judged_offline_and_what_may_have_left_is_not() {
    // Not sent, not executed: the policy decides.
    for fault in
        [json!({"kind": "status", "status": 429, "retry_after_s": 5}), json!({"kind": "status", "status": 503})]
    {
        let mut bench = Bench::ready(1);
        let mut fault = fault;
        fault["on"] = json!(LIVE);
        bench.plant(fault);
        let (id, outcome) = bench.charge(&Sale::live(1_000));
        assert_eq!(outcome, ChargeOutcome::Saved);
        assert_eq!(bench.view(id).class.as_deref(), Some("deferred"));
    }
    let mut bench = Bench::ready(2);
    bench.line_is_down = true;
    assert_eq!(bench.charge(&Sale::live(1_000)).1, ChargeOutcome::Saved);
    let mut online_only = Sale::live(1_000);
    online_only.mode = takings_domain::event::ChargeMode::RequireOnline;
    let (id, outcome) = bench.charge(&online_only);
    let refused = ChargeOutcome::NotCharged { cause: "offline_refused".into(), detail: Some("online_required".into()) };
    assert_eq!(outcome, refused);
    assert_eq!(bench.stage(id), ("not_charged".into(), "offline_refused".into()));
    assert!(!bench.holds_card_data(id));
    // It may have left, says somebody without a key: in doubt.
    let mut bench = Bench::ready(3);
    bench.spoil(LIVE, 1, Fault::Unsigned(503, Some(5)));
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    assert_eq!(bench.view(id).delivery.as_deref(), Some("in_doubt"));
}

#[test]
fn p3_honest_a_code_on_no_list_is_no_decline_and_no_approval_whatever_word_stands_beside_it() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000).last_four("0068")).0;
    bench.sync();
    bench.admin("POST", &format!("/admin/payments/{id}"), &json!({"action": "decline", "code": "ZY"}));
    bench.sync();
    assert_eq!(bench.in_book(id).unwrap()["authorization"], json!("declined"));
    let view = bench.view(id);
    assert_eq!((view.stage.as_str(), view.cause.as_deref()), ("needs_you", Some("unlisted_code")));
    assert_eq!(view.authorization.as_deref(), Some("processing"), "not what the word says");
    bench.assert_verified();
}

#[test]
fn p3_honest_an_inquiry_that_is_refused_is_not_repeated_without_end_and_decides_nothing() {
    for problem in ["terminal-not-signed-on", "clock-skew"] {
        let mut bench = Bench::ready(1);
        bench.spoil(LIVE, 1, Fault::DropAnswer);
        let id = bench.charge(&Sale::live(1_000)).0;
        bench.pass(2 * MINUTE);
        bench.plant(json!({"on": INQUIRE, "kind": "refuse", "problem": problem}));
        bench.sync();
        bench.live_on(HOUR);
        assert!(bench.sent.iter().filter(|name| *name == INQUIRE).count() < 40, "{problem}: {}", bench.sent.len());
        assert_eq!(bench.outcome(id), Some(ChargeOutcome::NotConfirmed), "{problem}");
        bench.good_line();
        bench.drain();
        assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }), "{problem}");
        bench.judge();
    }
}

#[test]
fn p3_honest_the_window_of_a_payment_in_doubt_is_as_long_under_a_wrong_clock() {
    for wrong_by_ms in [-3 * HOUR, 3 * HOUR] {
        let mut bench = Bench::ready(1);
        bench.now.wall_ms += wrong_by_ms;
        bench.spoil(LIVE, 1, Fault::DropAnswer);
        let id = bench.begin(&Sale::live(1_000)).unwrap();
        bench.present(id, &Sale::live(1_000));
        bench.run();
        bench.line_is_down = true;
        bench.live_on(50 * SECOND);
        assert_eq!((bench.stage(id).0.as_str(), bench.told("payment_in_doubt")), ("being_confirmed", 0));
        bench.live_on(5 * MINUTE);
        assert_eq!((bench.stage(id).1.as_str(), bench.told("payment_in_doubt")), ("in_doubt", 1));
        bench.good_line();
        bench.live_on(5 * MINUTE);
        bench.judge();
    }
}
