//! P12 opens: lists of an earlier version, a broken file, a lost key, a new phone, and what the next ledger says of them.

use std::fs;

use super::bench::{Bench, DAY, MINUTE};
use super::line::Fault;
use super::stall::Sale;
use crate::Till;
use crate::charge::ChargeOutcome;
use crate::engine::Command;
use crate::error::TillError;
use crate::views::PaymentView;

#[test]
fn lists_of_an_earlier_version_are_made_anew_while_the_stall_sells() {
    let mut bench = Bench::ready(1);
    bench.line_is_down = true;
    for n in 0..60 {
        bench.charge(&Sale::nth(n).order(&format!("order {n}")));
    }
    bench.kill();
    bench.as_an_earlier_version();
    bench.open().unwrap();
    assert!(bench.status().trouble.unwrap().detail.contains("made anew: 0 of"), "it says so");
    // Order references, limits and the queue are those of the old lists, which every sale keeps up to date.
    assert_eq!(bench.begin(&Sale::nth(7).order("order 7")).map_err(|error| error.code()), Err("order_already_charged"));
    assert_eq!(bench.charge(&Sale::nth(70)).1, ChargeOutcome::Saved);
    assert_eq!(bench.status().unsent_count, 61);
    let mut ticks = 0;
    while bench.engine().refill_owed {
        ticks += 1;
        assert!(ticks < 100, "{:?}", bench.status());
        bench.ask(Command::Tick).unwrap();
        if ticks % 2 == 0 {
            bench.kill_and_reopen();
        }
        assert_eq!(bench.charge(&Sale::nth(80 + ticks)).1, ChargeOutcome::Saved);
    }
    assert!(ticks > 1, "{ticks}: in pieces");
    bench.line_is_down = false;
    bench.live_on(60 * MINUTE);
    bench.drain();
    bench.days_later(3);
    bench.judge();
    bench.assert_verified();
    assert!(bench.payments().iter().all(|line| line.stage == "arrived"));
}

/// What the next ledger says, until somebody has heard it.
fn assert_told_until_acknowledged(bench: &mut Bench, count: u64, amount_minor: i64) {
    for _ in 0..2 {
        let trouble = bench.status().trouble.unwrap().detail;
        assert!(trouble.contains(&format!("{count} payments, {amount_minor} minor units CNY")), "{trouble}");
        let alerts = bench.alerts();
        let [lost] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!((lost.alert_kind.as_str(), lost.amount_minor), ("history_lost", Some(amount_minor)));
        assert_eq!(lost.currency.as_deref(), Some("CNY"));
        bench.kill_and_reopen();
    }
    assert!(bench.status().missing_events > 0);
    let heard = bench.alerts()[0].alert;
    bench.ask(Command::Acknowledge { upto: heard }).unwrap();
    bench.kill_and_reopen();
    assert_eq!((bench.status().trouble, bench.alerts()), (None, vec![]));
    assert!(bench.status().missing_events > 0, "lost is lost");
}

#[test]
fn a_broken_file_is_set_aside_and_the_next_ledger_tells_count_and_sum() {
    let mut bench = Bench::ready(1);
    bench.line_is_down = true;
    let sum: i64 = (0..3)
        .map(|n| {
            let id = bench.charge(&Sale::nth(n)).0;
            bench.view(id).amount_minor
        })
        .sum();
    bench.kill();
    let path = bench.dir.path().join("ledger.db");
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4_096).unwrap();
    let broken = bench.open().unwrap_err();
    assert_eq!(broken.code(), "damaged", "{broken}");
    // The process may end here, before or after it has begun the next one.
    bench.open().unwrap();
    assert_told_until_acknowledged(&mut bench, 3, sum);
}

#[test]
fn a_phone_that_lost_its_key_says_what_is_at_stake_and_begins_anew_only_when_asked() {
    let mut bench = Bench::ready(1);
    bench.line_is_down = true;
    let sum: i64 = (0..2)
        .map(|n| {
            let id = bench.charge(&Sale::nth(n)).0;
            bench.view(id).amount_minor
        })
        .sum();
    bench.kill();
    bench.key_secret = 8;
    for _ in 0..3 {
        assert_eq!(bench.open().unwrap_err().code(), "another_key");
    }
    let stake = Till::at_stake(bench.dir.path()).unwrap().unwrap();
    assert_eq!((stake.unsent[0].count, stake.unsent[0].amount_minor), (2, sum));
    bench.key_secret = 7;
    bench.open().unwrap();
    assert!(matches!(Till::begin_anew(bench.dir.path()), Err(TillError::Storage { code: "in_use", .. })));
    assert_eq!(bench.payments().len(), 2, "nothing was touched");
    bench.kill();
    bench.key_secret = 8;
    assert_eq!(Till::begin_anew(bench.dir.path()).unwrap().unwrap().unsent, stake.unsent);
    assert!(bench.dir.path().join("ledger.db.put-aside-1").exists());
    bench.open().unwrap();
    assert_eq!(bench.payments(), []);
    assert_told_until_acknowledged(&mut bench, 2, sum);
    bench.line_is_down = false;
    bench.live_on(DAY);
}

/// A stall with a history: approved, declined, in payouts, arrived; an order that was charged; one sale never sent.
fn with_a_history(seed: u64) -> (Bench, Vec<PaymentView>) {
    let mut bench = Bench::ready(seed);
    bench.charge(&Sale::offline(9_000).order("table 1"));
    bench.charge(&Sale::offline(800).last_four("0051").order("table 2"));
    bench.charge(&Sale::live(1_100).order("table 3"));
    bench.charge(&Sale::live(1_200).last_four("0051").order("table 4"));
    bench.drain();
    bench.days_later(3);
    for n in 0..30 {
        bench.charge(&Sale::nth(n));
    }
    bench.drain();
    let seen = bench.payments();
    bench.line_is_down = true;
    bench.charge(&Sale::offline(7_700).order("never sent"));
    bench.line_is_down = false;
    (bench, seen)
}

/// What both phones must show of a payment alike.
fn face(view: &PaymentView) -> impl PartialEq + std::fmt::Debug {
    let money = (view.amount_minor, view.approved_minor, view.gross_minor, view.fee_minor, view.net_minor);
    let axes = (view.authorization.clone(), view.clearing.clone(), view.arrival.clone(), view.evidence.clone());
    let words = (view.stage.clone(), view.cause.clone(), view.class.clone(), view.order_reference.clone());
    let names = (view.stan.clone(), view.batch_number.clone(), view.rrn.clone(), view.payout_id.clone());
    (view.payment_id.clone(), view.captured_on, money, axes, words, names)
}

fn assert_restored(bench: &mut Bench, seen: &[PaymentView], when: &str) {
    let mut found = bench.payments();
    found.sort_by(|a, b| a.payment_id.cmp(&b.payment_id));
    let mut seen = seen.to_vec();
    seen.sort_by(|a, b| a.payment_id.cmp(&b.payment_id));
    assert_eq!(found.len(), seen.len(), "{when}");
    for (found, seen) in found.iter().zip(&seen) {
        assert_eq!(face(found), face(seen), "{when}");
        let id = takings_domain::PaymentId::parse(&found.payment_id).unwrap();
        assert_eq!((bench.count(id, "restored"), found.from_acquirer), (1, true), "{when}: labelled");
        assert!(!seen.from_acquirer, "{when}: not on the phone that took it");
    }
    assert_eq!(bench.told("history_restored"), 1, "{when}");
    bench.assert_verified();
}

#[test]
fn a_new_phone_reads_the_terminals_history_and_says_what_is_not_in_it() {
    let (mut bench, seen) = with_a_history(1);
    let old = bench.on_a_new_phone();
    let authorizations = bench.book()["authorizations"].as_array().unwrap().len();
    bench.sync();
    assert_restored(&mut bench, &seen, "at once");
    assert_eq!(bench.alerts().len(), 1, "old news is told by the lists alone: {:?}", bench.alerts());
    let trouble = bench.status().trouble.unwrap().detail;
    assert!(trouble.contains("34 payments and 1 payouts") && trouble.contains("had not sent"), "{trouble}");
    // The old phone's own witness says how much that is, where it can still be read.
    let stake = Till::at_stake(old.path()).unwrap().unwrap();
    assert_eq!((stake.unsent[0].count, stake.unsent[0].amount_minor), (1, 7_700));
    // Orders that were charged are known; those that were declined, or never sent, are free.
    for (order, free) in
        [("table 1", false), ("table 2", false), ("table 3", false), ("table 4", true), ("never sent", true)]
    {
        let asked = bench.begin(&Sale::offline(100).order(order));
        assert_eq!(asked.is_ok(), free, "{order}: {asked:?}");
        if let Ok(payment) = asked {
            bench.ask(Command::Leave { payment }).unwrap();
        }
    }
    // Its own sales get trace numbers that nobody had.
    let id = bench.charge(&Sale::live(5_000)).0;
    let stan: u32 = bench.view(id).stan.parse().unwrap();
    assert!(stan > 1_000 && seen.iter().all(|view| view.stan.parse::<u32>().unwrap() < stan), "{stan}");
    let upto = bench.alerts().last().unwrap().alert;
    bench.ask(Command::Acknowledge { upto }).unwrap();
    assert_eq!(bench.status().trouble, None);
    bench.days_later(4);
    let undecided = |view: &PaymentView| !["arrived", "not_charged", "needs_you"].contains(&view.stage.as_str());
    assert_eq!(bench.payments().into_iter().find(undecided), None);
    let more = bench.book()["authorizations"].as_array().unwrap().len() - authorizations;
    assert_eq!(more, 1, "nothing of the old phone's was sent again");
    bench.told.clear();
    bench.judge();
    bench.assert_verified();
}

#[test]
fn a_restore_that_is_cut_off_anywhere_goes_on_and_ends_alike() {
    let (first, seen) = with_a_history(1);
    drop(first);
    for at in 1.. {
        let (mut bench, _) = with_a_history(1);
        bench.on_a_new_phone();
        let killed = bench.killed_at(at, |bench| drop(bench.sync()));
        if killed {
            bench.open().unwrap();
        }
        // Where the lists cannot be had the feed goes first, and what it brings is told as always.
        if at % 3 == 0 {
            bench.spoil("GET /v1/payments", 1, Fault::DropAnswer);
            bench.spoil("GET /v1/payouts", 1, Fault::FlipByte);
            bench.sync();
        }
        bench.sync();
        bench.sync();
        assert_restored(&mut bench, &seen, &format!("killed at {at}"));
        assert!(at % 3 == 0 || bench.alerts().len() == 1, "killed at {at}: {:?}", bench.alerts());
        if !killed {
            assert!(at > 5, "{at}");
            return;
        }
    }
}

#[test]
fn the_old_phone_is_refused_once_another_one_is_the_terminal() {
    let (mut bench, _) = with_a_history(1);
    let old = bench.on_a_new_phone();
    bench.sync();
    bench.kill();
    let new = std::mem::replace(&mut bench.dir, old);
    bench.key_secret -= 1;
    bench.open().unwrap();
    bench.sent.clear();
    bench.ask(Command::Sync { budget_ms: 60_000 }).map(drop).unwrap_or_default();
    assert!(bench.sent.len() < 5, "a refusal is not asked for without end: {:?}", bench.sent);
    bench.live_on(60 * MINUTE);
    assert!(bench.sent.len() < 60, "{} requests in an hour", bench.sent.len());
    assert_eq!(bench.status().unsent_count, 1, "kept, and at nobody's");
    drop(new);
}
