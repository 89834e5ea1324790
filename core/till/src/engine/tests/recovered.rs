//! P12 opens: lists of an earlier version, a broken file, a lost key, and what the next ledger says of them.

use std::fs;

use super::bench::{Bench, DAY, MINUTE};
use super::stall::Sale;
use crate::Till;
use crate::charge::ChargeOutcome;
use crate::engine::Command;
use crate::error::TillError;

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
