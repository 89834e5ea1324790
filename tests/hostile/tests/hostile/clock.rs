//! Clocks that are set while payments wait.

use takings_till::ChargeOutcome;

use crate::support::{Lie, Stall};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const YEAR_MS: i64 = 365 * DAY_MS;

/// Waiting payments survive a clock that is set by so much, and are sent when somebody asks.
fn waiting_payments_survive(by_ms: i64, reboot: bool) {
    let mut stall = Stall::in_business();
    let kept = vec![stall.keep(500), stall.keep(700)];
    // No line while it happens.
    stall.acquirer.lie("*", crate::support::unsigned_lies().swap_remove(0));
    stall.phone.set_clock(by_ms);
    if reboot {
        stall.phone.reboot();
    }
    stall.phone.wait(stall.phone.till().tick()).unwrap();
    for id in &kept {
        let payment = stall.phone.payment(id);
        assert_ne!(payment.delivery.as_deref(), Some("parked"), "by {by_ms} ms, reboot {reboot}: {payment:?}");
    }
    let status = stall.phone.wait(stall.phone.till().status()).unwrap();
    assert_eq!(status.unsent_count, 2, "by {by_ms} ms, reboot {reboot}: nothing expired by a clock alone");
    stall.acquirer.be_honest();
    let report = stall.phone.sync();
    let sent = stall.phone.payment(&kept[0]);
    if sent.authorization.is_none() {
        // The first contact may be what teaches the till the time.
        stall.phone.sync();
    }
    for id in &kept {
        let payment = stall.phone.payment(id);
        assert_eq!(
            payment.authorization.as_deref(),
            Some("approved"),
            "by {by_ms}, reboot {reboot}: {report:?} {payment:?}"
        );
        stall.captured_once(id, "a clock that was set");
    }
    stall.verifies("a clock that was set");
    // And on: a charge after it.
    let _ = stall.phone.wait(stall.phone.till().sign_on());
    let id = stall.keep(900);
    stall.heals(&[id], "a clock that was set");
}

#[test]
fn p1_kept_a_clock_set_back_keeps_and_sends_what_waits() {
    for by_ms in [-HOUR_MS, -DAY_MS, -YEAR_MS, -40 * YEAR_MS] {
        waiting_payments_survive(by_ms, false);
    }
}

#[test]
fn p1_kept_a_clock_set_forward_keeps_and_sends_what_waits() {
    for by_ms in [HOUR_MS, 10 * DAY_MS, YEAR_MS, 40 * YEAR_MS] {
        waiting_payments_survive(by_ms, false);
    }
}

#[test]
fn p1_kept_a_clock_set_before_a_reboot_keeps_and_sends_what_waits() {
    for by_ms in [-YEAR_MS, -DAY_MS, DAY_MS, 10 * DAY_MS, YEAR_MS] {
        waiting_payments_survive(by_ms, true);
    }
}

#[test]
fn p10_drains_a_pause_the_acquirer_asked_for_lasts_a_day_at_most_though_a_clock_was_set_back() {
    // No acquirer may ask for more than a day: what lies further ahead was reckoned by another clock.
    for (unit, hours) in [(HOUR_MS, 2), (DAY_MS, 25), (YEAR_MS, 1)] {
        let stall = Stall::in_business();
        let id = stall.keep(500);
        stall.acquirer.admin(
            "POST",
            "/admin/faults",
            &serde_json::json!({"on": "POST /v1/payments/batch", "kind": "status", "status": 503, "retry_after_s": 600, "count": 1}),
        );
        stall.phone.sync();
        assert_eq!(stall.phone.payment(&id).authorization, None);
        stall.phone.set_clock(-unit);
        stall.syncs(hours, HOUR_MS);
        let payment = stall.phone.payment(&id);
        assert_eq!(payment.authorization.as_deref(), Some("approved"), "set back by {unit} ms: {payment:?}");
    }
}

#[test]
fn p10_drains_a_live_payment_in_doubt_is_settled_though_the_clock_was_set_back() {
    let stall = Stall::in_business();
    stall.acquirer.lie("POST /v1/payments", Lie::WrongSignature);
    let (id, outcome) = stall.try_charge(700, takings_domain::event::ChargeMode::PreferOnline).unwrap();
    assert_eq!(outcome, ChargeOutcome::NotConfirmed);
    stall.phone.set_clock(-YEAR_MS);
    stall.syncs(6, 60_000);
    let payment = stall.phone.payment(&id);
    let theirs = stall.acquirer.payment(&id).unwrap();
    let ends = [("approved", "approved"), ("not_charged", "reversed")];
    let end = (payment.stage.as_str(), theirs["authorization"].as_str().unwrap());
    assert!(ends.contains(&end), "{payment:?} {theirs}");
}

#[test]
fn p9_bounded_risk_no_clock_makes_an_old_limit_young() {
    let stall = Stall::in_business();
    // A month without a line, then the clock is set back to the first hour: the age counts on.
    stall.pass(30 * DAY_MS);
    stall.phone.set_clock(-30 * DAY_MS);
    let (id, outcome) = stall.try_charge(500, takings_domain::event::ChargeMode::Offline).unwrap();
    assert!(matches!(outcome, ChargeOutcome::NotCharged { .. }), "{outcome:?}");
    assert_eq!(stall.phone.payment(&id).stage, "not_charged");
    assert_eq!(stall.phone.wait(stall.phone.till().next_alerts(50)).map(drop), Ok(()));
}

#[test]
fn p1_kept_a_till_whose_clock_is_years_wrong_sells_offline_and_is_paid() {
    for by_ms in [-9 * YEAR_MS, -3 * DAY_MS, 3 * DAY_MS, 9 * YEAR_MS] {
        let stall = Stall::new();
        stall.phone.set_clock(by_ms);
        stall.activate();
        let kept: Vec<String> = (0..3).map(|_| stall.keep(500)).collect();
        for id in &kept {
            let captured_at_ms = stall.phone.payment(id).captured_at_ms;
            assert_eq!(captured_at_ms, crate::support::START_MS, "by the acquirer's clock, not the phone's");
        }
        stall.heals(&kept, "a clock years away");
    }
}
