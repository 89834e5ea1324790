//! P6 evidence, P7 told once, P11 adds up: payouts from the cut-off to the bank and back.

use serde_json::json;

use super::bench::{BATCH, Bench, DAY, HOUR, MINUTE};
use super::line::Fault;
use super::stall::Sale;
use crate::engine::Command;

const FEED: &str = super::bench::EVENTS;

fn told(bench: &Bench) -> Vec<String> {
    bench.alerts().into_iter().map(|alert| alert.alert_kind).collect()
}

/// Payouts about this bench's payments, oldest first: status, evidence.
fn payouts(bench: &Bench) -> Vec<(String, String)> {
    bench.payouts().into_iter().rev().map(|payout| (payout.status, payout.evidence)).collect()
}

#[test]
fn p6_evidence_from_created_to_arrived_to_returned_to_reissued_to_arrived() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/bank", &json!({"action": "return", "days": 1, "reason": "account_closed"}));
    let id = bench.charge(&Sale::offline(10_000)).0;
    bench.drain();
    let mut seen = Vec::new();
    for _ in 0..(7 * 48) {
        bench.pass(30 * MINUTE);
        bench.sync();
        let view = bench.view(id);
        let line = (view.stage, view.arrival.unwrap_or_default(), view.evidence, view.cause.unwrap_or_default());
        if seen.last() != Some(&line) {
            seen.push(line);
        }
    }
    let mut words: Vec<(&str, &str, &str)> =
        seen.iter().map(|(stage, _, evidence, cause)| (stage.as_str(), evidence.as_str(), cause.as_str())).collect();
    words.dedup();
    assert_eq!(
        words,
        [
            ("approved", "none", ""),
            ("on_its_way", "none", ""),
            ("arrived", "bank_notification", ""),
            ("needs_you", "none", "returned_by_bank"),
            ("on_its_way", "none", ""),
            ("arrived", "bank_notification", ""),
        ],
        "{seen:?}"
    );
    let view = bench.view(id);
    assert_eq!((view.gross_minor, view.fee_minor, view.net_minor), (Some(10_000), Some(50), Some(9_950)));
    assert_eq!(
        told(&bench),
        ["payout_sent", "payout_arrived", "payout_returned", "payout_sent", "payout_arrived"],
        "{:?}",
        bench.payouts()
    );
    let list = bench.payouts();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].reissue_of.as_ref(), Some(&list[1].payout_id));
    assert_eq!(list[1].reissued_by.as_ref(), Some(&list[0].payout_id));
    assert!(list.iter().all(|payout| payout.difference_minor == Some(0)), "P11: {list:?}");
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p6_evidence_without_the_banks_word_it_is_the_acquirers() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/bank", &json!({"action": "unconfirmed"}));
    bench.charge(&Sale::offline(10_000));
    bench.drain();
    bench.days_later(3);
    assert_eq!(payouts(&bench), [("arrived".to_owned(), "acquirer".to_owned())]);
}

#[test]
fn p7_told_once_alerts_come_once_and_in_order_over_restarts_lost_answers_and_repeated_pages() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/bank", &json!({"action": "return", "days": 1, "reason": "account_closed"}));
    for n in 0..6 {
        bench.charge(&Sale::nth(n));
    }
    bench.charge(&Sale::offline(900).last_four("0051"));
    bench.drain();
    let mut heard: Vec<(u64, String)> = Vec::new();
    for step in 0..(8 * 8) {
        bench.pass(3 * HOUR);
        for path in [FEED, "GET /v1/payouts/*", "GET /v1/payments", "GET /v1/payouts/*/entries"] {
            match step % 5 {
                0 => bench.spoil(path, 1, Fault::DropAnswer),
                1 => bench.spoil(path, 1, Fault::TwiceAnswered),
                2 => bench.spoil(path, 1, Fault::FlipByte),
                _ => {}
            }
        }
        bench.sync();
        bench.kill_and_reopen();
        for alert in bench.alerts() {
            heard.push((alert.alert, alert.alert_kind));
            if step % 2 == 0 {
                bench.ask(Command::Acknowledge { upto: alert.alert }).unwrap();
            }
        }
    }
    bench.good_line();
    bench.sync();
    let mut once = heard.clone();
    once.sort();
    once.dedup();
    // "Sent" lasts half an hour: a till that looks every three hours need not have seen it.
    let kinds: Vec<&str> = once.iter().map(|(_, kind)| kind.as_str()).filter(|kind| *kind != "payout_sent").collect();
    assert_eq!(kinds, ["declined_after_deferral", "payout_arrived", "payout_returned", "payout_arrived"]);
    // Acknowledged ones never come again; a number that goes back changes nothing.
    let last = once.last().unwrap().0;
    bench.ask(Command::Acknowledge { upto: last }).unwrap();
    bench.ask(Command::Acknowledge { upto: 1 }).unwrap();
    bench.kill_and_reopen();
    bench.sync();
    assert_eq!(bench.alerts(), []);
    bench.assert_verified();
}

#[test]
fn p11_adds_up_entries_over_several_pages_killed_in_between() {
    for at in [1, 3, 5, 7, 9, 11] {
        let mut bench = Bench::ready(1);
        for n in 0..210 {
            bench.charge(&Sale::nth(n));
        }
        bench.admin("POST", "/admin/fees", &json!({"amount_minor": 700, "kind": "sim"}));
        bench.drain();
        bench.pass(3 * DAY);
        let killed = bench.killed_at(10 + 2 * at, |bench| {
            bench.sync();
        });
        if killed {
            bench.open().unwrap();
        }
        bench.sync();
        bench.sync();
        let [payout] = &bench.payouts()[..] else { panic!("{:?}", bench.payouts()) };
        assert_eq!((payout.entries_heard, payout.difference_minor), (211, Some(0)), "killed at {at}");
        let book = bench.book();
        assert_eq!(book["payouts"][0]["entries"].as_array().unwrap().len(), 211);
        let detail = bench.reading().payout(&payout.payout_id, bench.now).unwrap();
        let net: i64 = detail.entries.iter().map(|entry| entry.net_minor).sum();
        assert_eq!(net, payout.net_minor);
        assert!(bench.payments().iter().all(|line| line.stage == "arrived"));
        bench.assert_verified();
    }
}

#[test]
fn a_late_payout_is_noticed_by_the_core_and_told_once_for_all_its_payments() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/bank", &json!({"action": "never"}));
    let id = bench.charge(&Sale::offline(10_000)).0;
    let other = bench.charge(&Sale::nth(1)).0;
    bench.drain();
    bench.live_on(3 * DAY + 10 * HOUR);
    bench.sync();
    assert_eq!(bench.stage(id).0, "on_its_way", "Tuesday: one day of grace");
    bench.live_on(DAY);
    bench.kill_and_reopen();
    bench.live_on(DAY);
    for id in [id, other] {
        assert_eq!(bench.stage(id), ("needs_you".into(), "unknown_overdue".into()));
    }
    bench.live_on(2 * DAY);
    bench.sync();
    let overdue: Vec<_> = bench.alerts().into_iter().filter(|alert| alert.alert_kind.ends_with("_overdue")).collect();
    assert_eq!(overdue.len(), 1, "{overdue:?}");
    let payout = bench.view(id).payout_id;
    assert_eq!((overdue[0].alert_kind.as_str(), Some(overdue[0].subject_id.clone())), ("payout_overdue", payout));
    assert_eq!(bench.view(id).next_step.as_deref(), Some("ask_for_payout"));
}

#[test]
fn p7_told_once_a_clock_set_forward_after_the_feed_was_read_makes_no_money_late() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(10_000)).0;
    bench.drain();
    bench.kill();
    (bench.now.boot_id, bench.now.monotonic_ms) = (bench.now.boot_id + 1, 1_000);
    bench.open().unwrap();
    bench.line_is_down = true;
    bench.charge(&Sale::nth(1));
    bench.good_line();
    // The feed is read, the batch is under way, and somebody sets the clock.
    bench.spoil(BATCH, 1, Fault::Late);
    bench.start(Command::Sync { budget_ms: 120_000 });
    bench.run();
    bench.now.wall_ms += 40 * DAY;
    bench.deliver_late(false);
    bench.run();
    bench.sync();
    bench.now.wall_ms -= 40 * DAY;
    assert_eq!((bench.view(id).stage.as_str(), told(&bench)), ("approved", Vec::new()));
    bench.days_later(4);
    assert_eq!(bench.view(id).stage, "arrived");
}

#[test]
fn p7_told_once_less_money_and_held_money_in_one_report_are_both_told() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(10_000).last_four("0010")).0;
    bench.spoil(BATCH, 1, Fault::DropAnswer);
    bench.sync();
    bench.admin("POST", &format!("/admin/payments/{id}"), &json!({"action": "hold"}));
    bench.drain();
    assert_eq!(bench.view(id).cause.as_deref(), Some("risk_hold"));
    bench.sync();
    assert_eq!(told(&bench), ["partly_approved", "payment_held"]);
    bench.assert_verified();
}

#[test]
fn p10_drains_a_payment_that_the_acquirer_has_forgotten_undecided_is_undone() {
    let mut bench = Bench::ready(1);
    let backup = bench.sandbox.clone();
    let id = bench.charge(&Sale::live(10_000).last_four("0068")).0;
    assert_eq!(bench.stage(id).0, "being_confirmed");
    bench.sandbox = backup;
    // Too late to send it again: it is asked about.
    bench.pass(10 * MINUTE);
    bench.live_on(HOUR);
    bench.sync();
    assert_eq!((bench.stage(id).0.as_str(), bench.waiting()), ("not_charged", 0));
    bench.judge();
}

#[test]
fn a_feed_whose_past_is_gone_is_made_good_by_lists() {
    for at in 0..14 {
        let mut bench = Bench::ready(1);
        bench.charge(&Sale::offline(9_000));
        bench.drain();
        bench.days_later(1);
        let sales: Vec<_> = (0..3).map(|n| bench.charge(&Sale::nth(n)).0).collect();
        bench.drain();
        // Two months in a drawer: whatever the feed said in the meantime is no longer kept.
        bench.pass(60 * DAY);
        let killed = at > 0 && bench.killed_at(2 * at, |bench| drop(bench.sync()));
        if killed {
            bench.open().unwrap();
        }
        bench.sync();
        for id in &sales {
            assert_eq!(bench.view(*id).stage, "arrived", "{at}: {:?}", bench.sent);
        }
        assert!(bench.payouts().iter().all(|payout| payout.difference_minor == Some(0)), "{:?}", bench.payouts());
        let id = bench.charge(&Sale::live(10_100)).0;
        bench.days_later(5);
        assert_eq!(bench.view(id).stage, "arrived");
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn an_event_that_a_restored_acquirer_numbers_anew_is_made_good_by_the_daily_lists() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(9_000)).0;
    bench.drain();
    let backup = bench.sandbox.clone();
    for n in 1..=3 {
        bench.admin("POST", "/admin/terms", &json!({"cycle": {"basis": "business_day", "n": n}}));
    }
    bench.sync();
    bench.sandbox = backup;
    // Its event has a number that the till has heard.
    bench.admin("POST", &format!("/admin/payments/{id}"), &json!({"action": "decline", "code": "51"}));
    bench.pass(HOUR);
    bench.sync();
    assert_eq!(bench.view(id).stage, "approved", "nothing has told it yet");
    bench.pass(DAY);
    bench.sync();
    assert_eq!(bench.stage(id), ("needs_you".into(), "declined_after_deferral".into()));
    // And no oftener than daily.
    let lists = |bench: &Bench| bench.sent.iter().filter(|sent| *sent == "GET /v1/payouts").count();
    let before = lists(&bench);
    for _ in 0..47 {
        bench.pass(30 * MINUTE);
        bench.sync();
    }
    assert_eq!((before, lists(&bench) - before), (1, 0));
    bench.pass(HOUR);
    bench.sync();
    assert_eq!(lists(&bench), 2);
}

#[test]
fn new_terms_are_adopted_from_the_feed_and_told() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/terms", &json!({"cycle": {"basis": "business_day", "n": 2}}));
    bench.sync();
    assert_eq!(bench.engine().state.terms.as_ref().unwrap().version, "2");
    assert_eq!(told(&bench), ["terms_changed"]);
    bench.sync();
    bench.kill_and_reopen();
    bench.sync();
    assert_eq!(told(&bench), ["terms_changed"]);
}

#[test]
fn a_new_policy_is_adopted_from_the_feed_though_its_first_answers_are_lost() {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/policy", &json!({"offline_allowed": false}));
    for fault in [Fault::DropAnswer, Fault::FlipByte, Fault::Portal] {
        bench.spoil("GET /v1/terminals/*/risk-policy", 1, fault);
        bench.sync();
        bench.kill_and_reopen();
    }
    bench.good_line();
    bench.sync();
    assert_eq!(bench.status().policy_version.as_deref(), Some("2"), "{:?}", bench.sent);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    assert_eq!(bench.stage(id), ("not_charged".into(), "offline_refused".into()));
    // Nothing more to fetch.
    bench.sent.clear();
    bench.sync();
    assert_eq!(bench.sent, [FEED]);
}
