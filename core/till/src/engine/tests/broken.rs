//! A disk that refuses, an engine that fails: nothing loops, nobody is told what is not on disk, and afterwards
//! everything is made good.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::super::book::Book;
use super::bench::{Bench, DAY, HOUR, LIVE, MINUTE};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, Failures, LinkEvent, Reply};

const KINDS: [&str; 21] = [
    "charge_started",
    "attempt_started",
    "card_read",
    "reader_seen",
    "reader_concluded",
    "receipt_data_read",
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

/// How a disk refuses a kind of event: at once, or at the commit.
const REFUSALS: [fn(&Bench, &str); 2] =
    [|bench, kind| bench.refuse_to_write(kind), |bench, kind| bench.fail_to_commit(kind)];

/// A charge as a shell does it that hears errors and goes on.
fn try_to_charge(bench: &mut Bench, sale: &Sale) {
    if let Ok(id) = bench.begin(sale) {
        bench.try_to_present(id, sale);
        bench.run();
        bench.outcome(id);
        bench.start(Command::Leave { payment: id });
    }
}

/// A policy whose adoption is not on disk is not in force, and is taken up once the disk can.
#[test]
fn p9_what_could_not_be_written_is_not_in_force() {
    for refuse in REFUSALS {
        let mut bench = Bench::ready(1);
        let before = bench.status().policy_version;
        bench.admin("POST", "/admin/policy", &json!({"max_age_h": 71, "version": "next"}));
        refuse(&bench, "policy_adopted");
        bench.ask(Command::Sync { budget_ms: 60_000 }).map(drop).unwrap_or_default();
        assert_eq!(bench.status().policy_version, before);
        bench.mend_the_disk();
        bench.live_on(20 * MINUTE);
        bench.sync();
        assert_eq!(bench.status().policy_version.as_deref(), Some("next"));
        bench.kill_and_reopen();
        assert_eq!(bench.status().policy_version.as_deref(), Some("next"), "and it is on disk");
    }
}

#[test]
fn a_disk_that_refuses_one_kind_of_event_loses_nothing_and_ends_nothing_in_a_loop() {
    for (kind, refuse) in KINDS.iter().flat_map(|kind| REFUSALS.map(|refuse| (*kind, refuse))) {
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
        for refuse in REFUSALS {
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

/// What time alone brings is tried again in a minute, however the disk refuses it: a till that had nothing else to do used
/// to wake each millisecond where a commit failed.
#[test]
fn p9_what_time_brings_is_not_tried_without_rest_while_no_commit_holds() {
    for refuse in REFUSALS {
        let mut bench = Bench::ready(1);
        bench.admin("POST", "/admin/bank", &json!({"action": "never"}));
        let id = bench.charge(&Sale::offline(1_000)).0;
        bench.drain();
        bench.live_on(3 * DAY + 10 * HOUR);
        bench.sync();
        refuse(&bench, "overdue_noticed");
        bench.pass(5 * DAY);
        let woken = bench.live_on(DAY);
        assert!((24 * 60 - 100..24 * 60 + 100).contains(&woken), "woken {woken} times in a day");
        assert_eq!(bench.told("payout_overdue"), 0);
        bench.mend_the_disk();
        bench.live_on(10 * MINUTE);
        assert_eq!((bench.told("payout_overdue"), bench.stage(id).1.as_str()), (1, "unknown_overdue"));
        bench.assert_verified();
    }
}

/// Whose ledger cannot be read for a while, that till wakes again by itself.
#[test]
fn p10_drains_a_till_whose_ledger_could_not_be_read_wakes_by_itself() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.ask(Command::Background).unwrap();
    let (here, away) = (bench.dir.path().to_owned(), bench.dir.path().with_extension("away"));
    std::fs::rename(&here, &away).unwrap();
    bench.doze(10 * MINUTE);
    std::fs::rename(&away, &here).unwrap();
    bench.doze(10 * MINUTE);
    assert_eq!(bench.view(id).stage, "approved");
}

/// A commit is answered with an error and was kept: the customer was told that nobody knows, and the ledger does.
#[test]
fn p3_honest_an_answer_that_was_kept_though_its_commit_failed_is_told() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::live(1_000)).unwrap();
    bench.present(id, &Sale::live(1_000));
    bench.run();
    let engine = bench.engine();
    engine.charges.get_mut(&id).unwrap().outcome = Some(ChargeOutcome::NotConfirmed);
    engine.left_open = true;
    bench.live_on(MINUTE);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
}

/// The same of a charge that was given up: cancelling it once more is no error of the till.
#[test]
fn p12_a_charge_whose_end_was_kept_though_its_commit_failed_can_be_let_go() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::live(1_000)).unwrap();
    bench.connect(id);
    let now = bench.now;
    let mut tx = bench.engine().ledger.begin().unwrap();
    let why = takings_domain::event::AttemptEnd::ReaderFault;
    tx.append_payment(now, None, id, takings_domain::event::AttemptEnded { why }.into()).unwrap();
    tx.append_payment(now, None, id, takings_domain::event::Abandoned { why }.into()).unwrap();
    tx.commit().unwrap();
    bench.lose_link(id);
    bench.link(id, LinkEvent::Cancel);
    assert!(matches!(bench.outcome(id), Some(ChargeOutcome::NotCharged { .. })));
    bench.judge();
}

/// Payments that the acquirer asks for, and whose reading brings nothing, do not end a contact before what waits is sent.
#[test]
fn p10_drains_what_waits_is_sent_though_every_question_after_a_payment_stays_silent() {
    let mut bench = Bench::ready(1);
    let silent: Vec<_> = (0..5).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    bench.drain();
    let id = bench.charge(&Sale::nth(6)).0;
    bench.engine().feed.asked_for.extend(silent);
    bench.spoil("GET /v1/payments/*", u32::MAX, Fault::Unsigned(503, None));
    bench.sync();
    assert_eq!(bench.view(id).stage, "approved", "{:?}", bench.sent);
}

/// What was left open cannot be settled: the till opens all the same, and settles it once the disk works.
#[test]
fn p12_opens_a_disk_that_refuses_what_an_opening_settles_keeps_no_till_shut() {
    for refuse in REFUSALS {
        let mut bench = Bench::ready(1);
        let id = bench.begin(&Sale::live(1_000)).unwrap();
        refuse(&bench, "abandoned");
        bench.kill_and_reopen();
        assert_eq!(bench.view(id).stage, "being_confirmed");
        bench.mend_the_disk();
        bench.live_on(10 * MINUTE);
        assert_eq!(bench.view(id).stage, "not_charged");
    }
}

/// Whoever waits for a charge that is let go hears something, also where that could not be written down.
#[test]
fn who_waits_for_a_charge_that_cannot_be_given_up_hears_that_nobody_knows() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::live(1_000)).unwrap();
    let waiting = bench.start(Command::Outcome { payment: id });
    bench.refuse_to_write("abandoned");
    assert!(bench.ask(Command::Leave { payment: id }).is_err());
    assert!(matches!(bench.reply(waiting), Some(Ok(Reply::Outcome(ChargeOutcome::NotConfirmed)))));
    bench.mend_the_disk();
    bench.live_on(10 * MINUTE);
    assert_eq!(bench.view(id).stage, "not_charged");
}
