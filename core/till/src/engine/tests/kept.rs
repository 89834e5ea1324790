//! P1 kept: what the merchant saw accepted is there after any crash; what was in between is settled honestly.

use super::bench::{BATCH, Bench, MINUTE, SECOND};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;

/// Kills a charge at every boundary in turn. `check` sees the till after it was opened again.
fn every_boundary(sale: &Sale, mut check: impl FnMut(&mut Bench, u32)) -> u32 {
    let mut at = 0;
    loop {
        at += 1;
        let mut bench = Bench::ready(u64::from(at));
        let killed = bench.killed_at(at, |bench| {
            bench.charge(sale);
        });
        if !killed {
            return at - 1;
        }
        bench.open().unwrap();
        check(&mut bench, at);
        bench.live_on(3 * MINUTE);
        bench.drain();
        bench.days_later(3);
        bench.judge();
        bench.assert_verified();
        for line in bench.payments() {
            let id = takings_domain::PaymentId::parse(&line.payment_id).unwrap();
            assert!(["arrived", "not_charged"].contains(&line.stage.as_str()), "killed at {at}: {line:?}");
            assert!(!bench.holds_card_data(id), "killed at {at}");
        }
    }
}

#[test]
fn p1_kept_a_deferred_charge_killed_at_every_boundary() {
    let (mut interrupted, mut saved) = (0, 0);
    let boundaries = every_boundary(&Sale::offline(1_000), |bench, at| {
        let told = bench.told.values().any(|told| told.contains(&ChargeOutcome::Saved));
        let [line] = &bench.payments()[..] else { panic!("killed at {at}: the intent is on disk") };
        let id = takings_domain::PaymentId::parse(&line.payment_id).unwrap();
        match (line.stage.as_str(), line.cause.as_deref()) {
            ("saved_on_phone", None) => {
                saved += 1;
                assert!(bench.holds_card_data(id), "killed at {at}");
            }
            ("not_charged", Some("interrupted")) => {
                interrupted += 1;
                assert!(!told, "killed at {at}: told saved, and gone");
                assert!(!bench.holds_card_data(id), "killed at {at}");
                assert_eq!(line.next_step.as_deref(), Some("charge_again"));
            }
            other => panic!("killed at {at}: {other:?}"),
        }
    });
    assert!(boundaries > 20 && interrupted > 10 && saved > 2, "{boundaries} {interrupted} {saved}");
}

#[test]
fn p1_kept_a_live_charge_killed_at_every_boundary() {
    let mut seen = std::collections::BTreeSet::new();
    every_boundary(&Sale::live(1_000), |bench, at| {
        let [line] = &bench.payments()[..] else { panic!("killed at {at}: the intent is on disk") };
        let id = takings_domain::PaymentId::parse(&line.payment_id).unwrap();
        seen.insert((line.stage.clone(), line.cause.clone().unwrap_or_default()));
        match (line.stage.as_str(), line.delivery.as_deref()) {
            ("not_charged", _) => assert_eq!(bench.authorizations(id), 0, "killed at {at}"),
            ("being_confirmed", Some("in_doubt")) => assert!(bench.holds_card_data(id), "killed at {at}"),
            ("approved", Some("delivered")) => {
                assert_eq!(bench.authorizations(id), 1, "killed at {at}");
                assert!(!bench.holds_card_data(id), "killed at {at}");
            }
            other => panic!("killed at {at}: {other:?}"),
        }
    });
    let stages: Vec<&str> = seen.iter().map(|(stage, _)| stage.as_str()).collect();
    assert_eq!(stages, ["approved", "being_confirmed", "not_charged"]);
}

#[test]
fn p1_kept_a_restart_looks_the_order_up_before_it_charges_again() {
    let mut bench = Bench::ready(1);
    let sale = Sale::live(1_000).order("A-1");
    bench.spoil(super::bench::LIVE, 1, Fault::DropAnswer);
    let id = bench.charge(&sale).0;
    bench.kill_and_reopen();
    let refused = bench.begin(&sale).unwrap_err();
    assert_eq!((refused.code(), refused.to_string().contains(&id.to_string())), ("order_already_charged", true));
    // What was interrupted is safe to repeat.
    let other = Sale::offline(1_000).order("A-2");
    bench.begin(&other).unwrap();
    bench.kill_and_reopen();
    assert_eq!(bench.charge(&other).1, ChargeOutcome::Saved);
    // And a merchant who knows better is on record.
    let again = Sale { again: true, ..sale };
    let second = bench.begin(&again).unwrap();
    assert_eq!(bench.count(second, "duplicate_overridden"), 1);
}

#[test]
fn p1_kept_a_reopened_till_goes_on_with_the_same_trace_numbers_and_other_ids() {
    let mut bench = Bench::ready(1);
    let first = bench.charge(&Sale::offline(1_000)).0;
    bench.begin(&Sale::offline(1_100)).unwrap();
    bench.kill_and_reopen();
    let third = bench.charge(&Sale::offline(1_200)).0;
    assert_eq!((bench.view(first).stan.as_str(), bench.view(third).stan.as_str()), ("000001", "000003"));
    bench.drain();
    bench.judge();
}

#[test]
fn p1_kept_card_data_goes_with_the_answer_the_cancel_and_the_refusal() {
    let mut bench = Bench::ready(1);
    let answered = bench.charge(&Sale::offline(1_000)).0;
    bench.drain();
    let cancelled = bench.charge(&Sale::offline(1_100)).0;
    bench.cancel(cancelled).unwrap();
    let refused = bench
        .charge(&Sale {
            card: takings_readers::simulated::CardScript::new("3714", "8431", takings_domain::EntryMode::Chip),
            ..Sale::offline(1_200)
        })
        .0;
    for id in [answered, cancelled, refused] {
        assert!(!bench.holds_card_data(id));
        assert_eq!(bench.count(id, "blob_erased"), 1, "{:?}", bench.kinds(id));
    }
    // In doubt it stays, whatever happens, until there is a word.
    let doubtful = bench.charge(&Sale::offline(1_300)).0;
    bench.spoil(BATCH, 5, Fault::DropAnswer);
    bench.sync();
    bench.kill_and_reopen();
    assert!(bench.holds_card_data(doubtful));
    bench.live_on(30 * SECOND);
    bench.good_line();
    bench.drain();
    assert!(!bench.holds_card_data(doubtful));
}
