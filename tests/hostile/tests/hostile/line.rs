//! An acquirer, or whoever sits on the line, that answers without being able to sign: nothing is believed, nothing is
//! lost, and all is well when the acquirer is itself again.

use takings_domain::event::ChargeMode;
use takings_till::{ChargeOutcome, TillError};

use crate::support::{Lie, Stall, unsigned_lies};

/// A wait that ends by itself: nothing the merchant entered is wrong, nothing of ours is broken.
fn is_a_wait(error: &TillError) -> bool {
    matches!(error, TillError::RetryLater { .. })
}

/// Tells every lie on one request of a contact that somebody waits for.
fn each_lie_is_a_wait(stall: &Stall, on: &str, contact: impl Fn(&Stall) -> Result<(), TillError>) {
    for lie in unsigned_lies() {
        let before = stall.acquirer.lies_told();
        stall.acquirer.lie(on, lie.clone());
        match contact(stall) {
            Err(error) => assert!(is_a_wait(&error), "{on}, {}: {error:?}", lie.name()),
            Ok(()) => panic!("{on}, {}: believed", lie.name()),
        }
        assert!(stall.acquirer.lies_told() > before, "{on}, {}: nobody was lied to", lie.name());
        stall.acquirer.be_honest();
    }
    contact(stall).unwrap();
}

#[test]
fn keys_without_the_roots_signature_start_no_trust() {
    let stall = Stall::new();
    let code = stall.acquirer.activation_code();
    each_lie_is_a_wait(&stall, "GET /keys", |stall| stall.phone.wait(stall.phone.till().activate(&code)).map(drop));
}

#[test]
fn an_activation_that_is_not_answered_burns_no_code() {
    let stall = Stall::new();
    let code = stall.acquirer.activation_code();
    each_lie_is_a_wait(&stall, "POST /v1/terminals", |stall| {
        stall.phone.wait(stall.phone.till().activate(&code)).map(drop)
    });
    assert_eq!(stall.acquirer.book()["terminals"].as_array().unwrap().len(), 1, "one terminal came of it");
}

#[test]
fn a_sign_on_without_a_signature_is_no_session() {
    let stall = Stall::in_business();
    each_lie_is_a_wait(&stall, "POST /sign-ons", |stall| stall.phone.wait(stall.phone.till().sign_on()).map(drop));
}

#[test]
fn documents_without_a_signature_are_not_adopted_and_asked_for_again() {
    let documents =
        [("GET /risk-policy", "no_policy"), ("GET /settlement/terms", ""), ("GET /settlement/calendar", "")];
    for (at, (on, rule)) in documents.into_iter().enumerate() {
        // Each lie about one document; the first about every one.
        for lie in
            unsigned_lies().into_iter().enumerate().filter(|(lie, _)| *lie == 0 || lie % 3 == at).map(|(_, lie)| lie)
        {
            // A till that never heard the document.
            let stall = Stall::new();
            let code = stall.acquirer.activation_code();
            stall.acquirer.lie(on, lie.clone());
            let _ = stall.phone.wait(stall.phone.till().activate(&code));
            // The session stands without the document; nothing is made up in its place.
            if let Err(error) = stall.phone.wait(stall.phone.till().sign_on()) {
                assert!(is_a_wait(&error), "{on}, {}: {error:?}", lie.name());
            }
            assert!(stall.acquirer.lies_told() > 0, "{on}, {}", lie.name());
            let policy = stall.phone.wait(stall.phone.till().status()).unwrap().policy_version;
            assert_eq!(policy.is_none(), !rule.is_empty(), "{on}, {}", lie.name());
            match stall.try_charge(500, ChargeMode::Offline) {
                Ok((_, outcome)) => assert!(
                    rule.is_empty() && outcome == ChargeOutcome::Saved
                        || matches!(&outcome, ChargeOutcome::NotCharged { detail: Some(why), .. } if why == rule),
                    "{on}, {}: {outcome:?}",
                    lie.name()
                ),
                Err(error) => assert!(matches!(error, TillError::SignIn { .. }), "{on}: {error:?}"),
            }
            stall.acquirer.be_honest();
            stall.phone.wait(stall.phone.till().sign_on()).unwrap();
            let id = stall.keep(500);
            stall.heals(&[id], lie.name());
        }
    }
}

#[test]
fn p2_once_a_drain_without_a_believable_answer_is_in_doubt_and_sent_again() {
    Stall::in_business().drain_in_doubt(&unsigned_lies());
}

#[test]
fn p3_honest_a_live_payment_without_a_believable_answer_is_not_confirmed_and_undone_or_approved_once() {
    for lie in unsigned_lies() {
        let stall = Stall::in_business();
        let id = stall.not_confirmed(&lie);
        let payment = stall.phone.payment(&id);
        assert_eq!(payment.stage, "being_confirmed", "{}: {payment:?}", lie.name());
        // The liar answers the questions after it in the same way.
        for on in ["POST /inquiries", "POST /reversals"] {
            stall.acquirer.lie(on, lie.clone());
        }
        stall.syncs(3, 60_000);
        let payment = stall.phone.payment(&id);
        // Where the request came through, the feed may have told how it ended.
        let undone = stall.acquirer.payment(&id).is_some_and(|theirs| theirs["authorization"] == "reversed");
        let honest = matches!(payment.stage.as_str(), "being_confirmed" | "needs_you");
        assert!(honest || undone && payment.stage == "not_charged", "{}: {payment:?}", lie.name());
        stall.acquirer.be_honest();
        stall.syncs(4, 20 * 60_000);
        let payment = stall.phone.payment(&id);
        assert_eq!(payment.stage, "not_charged", "{}: {payment:?}", lie.name());
        let theirs = stall.acquirer.payment(&id);
        let captures = theirs.as_ref().map_or(0.into(), |theirs| theirs["authorization"].clone());
        assert!(captures == 0 || captures == "reversed", "{}: {theirs:?}", lie.name());
        stall.verifies(lie.name());
    }
}

#[test]
fn p10_drains_a_feed_that_lies_holds_no_payment_back_and_is_read_when_it_is_true_again() {
    let stall = Stall::in_business();
    for lie in unsigned_lies() {
        for on in ["GET /events", "GET /v1/payments", "GET /payments/{}", "GET /payouts/{}", "GET /payouts/{}/entries"]
        {
            stall.acquirer.lie(on, lie.clone());
        }
        let id = stall.keep(600);
        stall.syncs(2, 60_000);
        let payment = stall.phone.payment(&id);
        assert_eq!(payment.authorization.as_deref(), Some("approved"), "{}: {payment:?}", lie.name());
        stall.heals(&[id], lie.name());
    }
    // Monday and Tuesday: the payout arrives, every payment knows it.
    stall.days(5);
    for payment in stall.phone.payments() {
        assert_eq!(payment.stage, "arrived", "{payment:?}");
    }
}

#[test]
fn a_captive_portal_on_everything_is_no_line_to_the_acquirer() {
    for lie in unsigned_lies().into_iter().take(4) {
        let stall = Stall::in_business();
        stall.acquirer.lie("*", lie.clone());
        let id = stall.keep(800);
        let report = stall.phone.sync();
        assert_eq!((report.answered, report.waiting), (0, 1), "{}: {report:?}", lie.name());
        let payment = stall.phone.payment(&id);
        assert_eq!(
            payment.delivery.as_deref(),
            Some("queued"),
            "{}: nothing was said to be sent: {payment:?}",
            lie.name()
        );
        let status = stall.phone.wait(stall.phone.till().status()).unwrap();
        assert_ne!(status.line, "up", "{}", lie.name());
        stall.heals(&[id], lie.name());
    }
}

#[test]
fn the_answer_to_another_operation_is_no_answer_though_it_is_signed() {
    let stall = Stall::in_business();
    let (_, outcome) = stall.try_charge(300, ChargeMode::PreferOnline).unwrap();
    assert!(matches!(outcome, ChargeOutcome::Approved { .. }));
    let mut kept = Vec::new();
    for of in ["GET /keys", "POST /sign-ons", "GET /risk-policy", "POST /v1/payments", "GET /events"] {
        let id = stall.keep(400);
        stall.acquirer.lie("POST /payments/batch", Lie::Former(of));
        stall.phone.sync();
        assert_eq!(stall.phone.payment(&id).delivery.as_deref(), Some("in_doubt"), "{of}");
        stall.acquirer.be_honest();
        stall.acquirer.lie("POST /v1/payments", Lie::Former(of));
        let (_, outcome) = stall.try_charge(301, ChargeMode::PreferOnline).unwrap();
        assert_eq!(outcome, ChargeOutcome::NotConfirmed, "{of}");
        kept.push(id);
        stall.heals(&kept, of);
        for on in ["POST /sign-ons", "GET /events"] {
            if on != of {
                stall.acquirer.lie(on, Lie::Former(of));
                let refused = stall.phone.wait(stall.phone.till().sign_on());
                assert_eq!(refused.is_err(), on == "POST /sign-ons", "{on} answered with {of}");
                stall.phone.sync();
                stall.acquirer.be_honest();
            }
        }
        stall.phone.wait(stall.phone.till().sign_on()).unwrap();
    }
}
