//! A disk that refuses, an engine that fails: nothing loops, nobody is told what is not on disk, and afterwards
//! everything is made good.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::bench::{Bench, DAY, LIVE, MINUTE};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, Failures, Reply};

const KINDS: [&str; 19] = [
    "charge_started",
    "attempt_started",
    "card_read",
    "reader_concluded",
    "accepted",
    "offline_refused",
    "send_started",
    "send_ended",
    "payment_reported",
    "blob_erased",
    "reversal_requested",
    "reversal_reported",
    "not_received",
    "parked",
    "signed_on",
    "policy_adopted",
    "payout_reported",
    "entries_reported",
    "reconciled",
];

/// A charge as a shell does it that hears errors and goes on.
fn try_to_charge(bench: &mut Bench, sale: &Sale) {
    if let Ok(id) = bench.begin(sale) {
        bench.try_to_present(id, sale);
        bench.run();
        bench.outcome(id);
        bench.start(Command::Leave { payment: id });
    }
}

#[test]
fn a_disk_that_refuses_one_kind_of_event_loses_nothing_and_ends_nothing_in_a_loop() {
    let refusals: [fn(&Bench, &str); 2] =
        [|bench, kind| bench.refuse_to_write(kind), |bench, kind| bench.fail_to_commit(kind)];
    for (kind, refuse) in KINDS.iter().flat_map(|kind| refusals.map(|refuse| (*kind, refuse))) {
        let mut bench = Bench::ready(1);
        let kept = bench.charge(&Sale::nth(1)).0;
        bench.admin("POST", "/admin/policy", &json!({"max_age_h": 71}));
        refuse(&bench, kind);
        try_to_charge(&mut bench, &Sale::live(2_000));
        try_to_charge(&mut bench, &Sale::nth(3));
        try_to_charge(&mut bench, &Sale::live(4_000).last_four("0099"));
        try_to_charge(&mut bench, &Sale::offline(4_100).last_four("0099"));
        let amex = takings_readers::simulated::CardScript::new("3714", "8431", takings_domain::EntryMode::Chip);
        try_to_charge(&mut bench, &Sale { card: amex, ..Sale::offline(4_200) });
        bench.spoil(LIVE, 3, Fault::DropRequest);
        try_to_charge(&mut bench, &Sale::live(5_000));
        bench.ask(Command::Sync { budget_ms: 60_000 }).map(drop).unwrap_or_default();
        let woken = bench.live_on(10 * MINUTE);
        assert!(woken < 400, "{kind}: woken {woken} times in ten minutes");
        bench.judge();
        bench.mend_the_disk();
        bench.good_line();
        bench.live_on(20 * MINUTE);
        bench.drain();
        bench.days_later(4);
        bench.judge();
        assert_eq!(bench.view(kept).stage, "arrived", "{kind}");
        for line in bench.payments() {
            assert!(
                ["arrived", "not_charged", "needs_you"].contains(&line.stage.as_str()),
                "{kind}: {line:?} {:?}",
                bench.kinds(takings_domain::PaymentId::parse(&line.payment_id).unwrap())
            );
        }
        assert_eq!(bench.status().policy_version.as_deref(), Some("2"), "{kind}");
        assert!(bench.payouts().iter().all(|payout| payout.difference_minor == Some(0)), "{kind}");
        bench.assert_verified();
    }
}

#[test]
fn a_card_that_could_not_be_written_down_is_not_charged_and_not_called_saved() {
    for (kind, sale) in
        [("card_read", Sale::offline(1_000)), ("accepted", Sale::offline(1_000)), ("send_started", Sale::live(1_000))]
    {
        let mut bench = Bench::ready(1);
        bench.refuse_to_write(kind);
        let id = bench.begin(&sale).unwrap();
        bench.try_to_present(id, &sale);
        assert!(matches!(bench.outcome(id), Some(ChargeOutcome::NotCharged { .. })), "{kind}");
        bench.mend_the_disk();
        bench.live_on(MINUTE);
        assert_eq!(bench.stage(id), ("not_charged".into(), "interrupted".into()), "{kind}");
        bench.drain();
        assert_eq!(bench.in_book(id), None);
        // And the order can be charged again.
        assert!(matches!(bench.charge(&sale).1, ChargeOutcome::Saved | ChargeOutcome::Approved { .. }));
    }
}

#[test]
fn a_commit_that_fails_is_not_called_saved_and_the_till_goes_on() {
    for (kind, sale) in
        [("card_read", Sale::offline(1_000)), ("accepted", Sale::offline(1_000)), ("send_started", Sale::live(1_000))]
    {
        let mut bench = Bench::ready(1);
        bench.fail_to_commit(kind);
        let id = bench.begin(&sale).unwrap();
        bench.try_to_present(id, &sale);
        assert!(matches!(bench.outcome(id), Some(ChargeOutcome::NotCharged { .. })), "{kind}");
        bench.mend_the_disk();
        bench.live_on(MINUTE);
        assert_eq!(bench.stage(id).0, "not_charged", "{kind}");
        assert!(matches!(bench.charge(&sale).1, ChargeOutcome::Saved | ChargeOutcome::Approved { .. }));
        bench.drain();
        bench.judge();
    }
}

#[test]
fn an_answer_that_could_not_be_written_down_is_fetched_again() {
    let mut bench = Bench::ready(1);
    bench.refuse_to_write("payment_reported");
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    bench.mend_the_disk();
    bench.live_on(40_000);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    assert_eq!(bench.authorizations(id), 1);
    assert!(matches!(bench.ask(Command::Verify), Ok(Reply::Verified(report)) if report.sound));
}

#[test]
fn a_customer_who_waits_for_the_lane_hears_when_the_disk_refuses() {
    for kind in ["send_started", "accepted", "offline_refused", "send_ended"] {
        let refusals: [fn(&Bench, &str); 2] =
            [|bench, kind| bench.refuse_to_write(kind), |bench, kind| bench.fail_to_commit(kind)];
        for refuse in refusals {
            let mut bench = Bench::ready(1);
            bench.spoil(LIVE, 1, Fault::Late);
            let (first, second) = (Sale::live(1_000), Sale::live(2_000));
            let (a, b) = (bench.begin(&first).unwrap(), bench.begin(&second).unwrap());
            bench.present(a, &first);
            bench.present(b, &second);
            bench.run();
            assert_eq!(bench.outcome_now(b), None);
            refuse(&bench, kind);
            bench.line_is_down = kind != "send_started";
            bench.deliver_late(false);
            assert!(bench.outcome_now(b).is_some(), "{kind}: nobody is left waiting");
            bench.mend_the_disk();
            bench.good_line();
            bench.live_on(5 * MINUTE);
            bench.drain();
            bench.days_later(3);
            bench.outcome(a);
            bench.outcome(b);
            bench.judge();
            for id in [a, b] {
                let stage = bench.stage(id).0;
                assert!(["arrived", "not_charged"].contains(&stage.as_str()), "{kind}: {stage} {:?}", bench.kinds(id));
            }
            bench.assert_verified();
        }
    }
}

/// Time passes for an engine that is opened again wherever it fails. Answers how often it failed.
fn live_on_through_failures(bench: &mut Bench, minutes: u32) -> u32 {
    let mut failed = 0;
    for _ in 0..minutes {
        if catch_unwind(AssertUnwindSafe(|| bench.live_on(MINUTE))).is_err() {
            failed += 1;
            bench.kill_and_reopen();
            assert!(bench.status().trouble.is_some_and(|trouble| trouble.detail.contains("the engine failed")));
        }
    }
    failed
}

#[test]
fn p10_drains_an_answer_at_which_the_engine_fails_each_time_stops_no_other_payment() {
    let mut bench = Bench::ready(1);
    bench.line_is_down = true;
    let ids: Vec<_> = (0..5).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    bench.line_is_down = false;
    bench.failures.plant(ids[2]);
    let failed = live_on_through_failures(&mut bench, 30);
    assert_eq!(failed, 3, "then its answers are not read any more");
    for (n, id) in ids.iter().enumerate() {
        let view = bench.view(*id);
        let wanted = if n == 2 { ("being_confirmed", None) } else { ("approved", Some("approved")) };
        assert_eq!((view.stage.as_str(), view.authorization.as_deref()), wanted, "{n}");
    }
    assert!(bench.holds_card_data(ids[2]));
    // A version of the app that can read it finds everything in its place.
    bench.failures = Failures::default();
    bench.kill_and_reopen();
    bench.drain();
    bench.days_later(3);
    bench.judge();
    assert!(ids.iter().all(|id| bench.stage(*id).0 == "arrived" && bench.authorizations(*id) == 1));
    bench.assert_verified();
}

#[test]
fn p3_honest_a_live_payment_at_whose_answers_the_engine_fails_is_called_neither_charged_nor_free() {
    let mut bench = Bench::ready(1);
    let sale = Sale::live(1_000);
    let id = bench.begin(&sale).unwrap();
    bench.failures.plant(id);
    bench.present(id, &sale);
    assert!(catch_unwind(AssertUnwindSafe(|| bench.run())).is_err());
    bench.kill_and_reopen();
    // The answer itself, the question after it, the undoing, and what the feed points at: each three times at most.
    let failed = live_on_through_failures(&mut bench, 60);
    assert!((3..12).contains(&failed), "{failed}");
    assert_eq!(bench.stage(id), ("needs_you".into(), "in_doubt".into()));
    assert_eq!(bench.told("payment_in_doubt"), 1);
    let other = bench.charge(&Sale::live(2_000)).1;
    assert_eq!(other, ChargeOutcome::Approved { approved_minor: 2_000 });
    bench.failures = Failures::default();
    bench.kill_and_reopen();
    bench.live_on(DAY);
    bench.drain();
    assert_eq!(bench.stage(id).0, "not_charged");
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p5_documents_and_card_data_that_somebody_changed_are_found_by_the_check() {
    let changes = [
        "UPDATE reference SET bytes = CAST(replace(bytes, 'CNY', 'CNX') AS BLOB) WHERE kind = 'policy'",
        "UPDATE reference SET bytes = CAST(replace(bytes, 'v1a,', 'v1b,') AS BLOB) WHERE kind = 'terms'",
        "DELETE FROM reference WHERE kind = 'keys'",
        "UPDATE reference SET kind = 'polity' WHERE kind = 'policy'",
        "UPDATE card_blob SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB)",
        "INSERT INTO event_kind VALUES ('payout_reported', 1)",
    ];
    for change in changes {
        let mut bench = Bench::ready(1);
        bench.charge(&Sale::offline(1_000));
        bench.assert_verified();
        bench.tamper(change);
        let found = bench.ask(Command::Verify);
        assert!(matches!(&found, Ok(Reply::Verified(report)) if !report.sound), "{change}: {found:?}");
    }
}
