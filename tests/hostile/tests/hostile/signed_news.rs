//! An acquirer that signs nonsense about payouts, events, policies and sessions: what is heard about one thing holds
//! nothing else back, and is asked for again.

use serde_json::{Value, json};

use crate::support::{Lie, Stall};

fn payout_lies() -> Vec<Lie> {
    let edit = |name, change: fn(&mut Value)| {
        Lie::edited(name, move |body: &mut Value| {
            if body.get("payout_id").is_some() && body.get("status").is_some() {
                change(body);
            }
        })
    };
    let page = |name, change: fn(&mut Value)| {
        Lie::edited(name, move |body: &mut Value| {
            for entry in
                body["data"].as_array_mut().into_iter().flatten().filter(|entry| entry.get("entry_id").is_some())
            {
                change(entry);
            }
        })
    };
    vec![
        edit("a payout in another currency", |payout| {
            for sum in ["gross", "fee", "tax", "adjustments", "withheld", "net"] {
                payout[sum]["currency"] = json!("KWD");
            }
        }),
        edit("a payout above 2^53", |payout| payout["net"]["amount"] = json!(1_i64 << 53)),
        edit("a payout of no day", |payout| payout["business_date"] = json!("2026-02-30")),
        edit("another payout's id", |payout| payout["payout_id"] = json!("po_other")),
        page("entries in another currency", |entry| {
            for sum in ["gross", "fee", "net"] {
                entry[sum]["currency"] = json!("JPY");
            }
        }),
        page("entries of another payout", |entry| entry["payout_id"] = json!("po_other")),
        page("one entry named twice", |entry| entry["entry_id"] = json!("en_same")),
        page("entries at the edge of money", |entry| {
            for sum in ["gross", "fee", "net"] {
                entry[sum]["amount"] = json!((1_i64 << 53) - 1);
            }
        }),
    ]
}

#[test]
fn p10_drains_a_payout_of_signed_nonsense_holds_no_payment_back_and_is_read_again() {
    for lie in payout_lies() {
        let stall = Stall::in_business();
        let early: Vec<String> = (0..3).map(|_| stall.keep(500)).collect();
        stall.phone.sync();
        stall.acquirer.lie("*", lie.clone());
        // Sunday, Monday: the payout is made; the till hears nonsense about it, and goes on selling.
        stall.days(2);
        let late = stall.keep(700);
        stall.syncs(2, 20 * 60_000);
        let payment = stall.phone.payment(&late);
        assert_eq!(payment.authorization.as_deref(), Some("approved"), "{}: {payment:?}", lie.name());
        stall.acquirer.be_honest();
        stall.days(3);
        for id in early.iter().chain([&late]) {
            let payment = stall.phone.payment(id);
            assert_eq!(payment.stage, "arrived", "{}: {payment:?}", lie.name());
        }
        stall.verifies(lie.name());
    }
}

#[test]
fn p10_drains_a_payout_of_signed_nonsense_keeps_no_other_from_being_heard() {
    let stall = Stall::in_business();
    let early: Vec<String> = (0..3).map(|_| stall.keep(500)).collect();
    stall.phone.sync();
    // The first payout alone, in what only the ledger's own rules can refuse.
    let lie = Lie::edited("one entry named twice", |body: &mut Value| {
        for entry in body["data"].as_array_mut().into_iter().flatten() {
            if entry["payout_id"].as_str().is_some_and(|id| id.ends_with("_1")) {
                entry["entry_id"] = json!("en_same");
            }
        }
    });
    stall.acquirer.lie("*", lie.clone());
    stall.days(2);
    let late = stall.keep(700);
    stall.syncs(1, 60_000);
    stall.days(3);
    assert!(stall.acquirer.lies_told() > 0);
    assert_eq!(stall.phone.payment(&late).stage, "arrived");
    // That their money came the daily list of payments has told; what came of each only the payout's lines can.
    let known = |id: &String| (stall.phone.payment(id).stage, stall.phone.payment(id).net_minor.is_some());
    assert!(early.iter().all(|id| known(id) == ("arrived".to_owned(), false)));
    stall.acquirer.be_honest();
    stall.days(1);
    assert!(early.iter().all(|id| known(id) == ("arrived".to_owned(), true)));
    stall.verifies(lie.name());
}

#[test]
fn p7_told_once_a_feed_of_signed_nonsense_loses_no_hint() {
    let lies = [
        Lie::edited("a cursor far ahead", |body| {
            if body.get("next_after").is_some() {
                body["next_after"] = json!(9_007_199_254_740_991_i64);
            }
        }),
        Lie::edited("events signed by a stranger", |body| {
            for event in body["data"].as_array_mut().into_iter().flatten().filter(|event| event.get("p").is_some()) {
                event["s"] = json!("A".repeat(86));
            }
        }),
        Lie::edited("events cut short", |body| {
            for event in body["data"].as_array_mut().into_iter().flatten().filter(|event| event.get("p").is_some()) {
                event["p"] = json!("eyJ4Ijox");
            }
        }),
        Lie::edited("no events where there are some", |body| {
            if body.get("next_after").is_some() {
                body["data"] = json!([]);
            }
        }),
    ];
    for lie in lies {
        let stall = Stall::in_business();
        let id = stall.keep(500);
        stall.phone.sync();
        stall.acquirer.lie("GET /events", lie.clone());
        stall.days(3);
        stall.acquirer.be_honest();
        stall.syncs(2, 60_000);
        let payment = stall.phone.payment(&id);
        assert_eq!(payment.stage, "arrived", "{}: {payment:?}", lie.name());
        stall.verifies(lie.name());
    }
}

#[test]
fn p9_bounded_risk_a_policy_for_somebody_else_or_of_no_form_is_not_adopted() {
    let lies = [
        Lie::edited("another terminal's policy", |body| body["terminal_id"] = json!("T9999999")),
        Lie::edited("another merchant's policy", |body| body["merchant_id"] = json!("M999999")),
        Lie::edited("limits that are no list", |body| body["limits"] = json!("plenty")),
        Lie::edited("a validity of no calendar", |body| body["valid_until"] = json!("soon")),
        Lie::Body("an empty policy", b"{}".to_vec().into()),
    ];
    for lie in lies {
        let stall = Stall::in_business();
        let before = stall.phone.wait(stall.phone.till().status()).unwrap().policy_version;
        stall.acquirer.admin("POST", "/admin/policy", &json!({"scheme_deny": []}));
        stall.acquirer.lie("GET /risk-policy", lie.clone());
        let _ = stall.phone.wait(stall.phone.till().sign_on());
        let status = stall.phone.wait(stall.phone.till().status()).unwrap();
        assert_eq!(status.policy_version, before, "{}: the old one stays in force", lie.name());
        let id = stall.keep(500);
        stall.heals(&[id], lie.name());
        let status = stall.phone.wait(stall.phone.till().sign_on()).map(|view| view.policy_version);
        assert_ne!(status.unwrap(), before, "{}: heard again", lie.name());
    }
}

#[test]
fn a_sign_on_that_answers_another_question_is_no_session() {
    let lies = [
        Lie::edited("another request's answer", |body| {
            body["request_id"] = json!("0193a1b2-0000-7000-8000-000000000001")
        }),
        Lie::edited("a batch of seven digits", |body| body["batch_number"] = json!("0000001")),
        Lie::edited("no server time", |body| body["server_time"] = json!("now")),
        Lie::edited("a server time of another age", |body| body["server_time"] = json!("2099-01-01T00:00:00Z")),
        Lie::edited("another terminal's session", |body| body["terminal_id"] = json!("T9999999")),
    ];
    let stall = Stall::in_business();
    let id = stall.keep(500);
    for lie in lies {
        stall.acquirer.lie("POST /sign-ons", lie.clone());
        let refused = stall.phone.wait(stall.phone.till().sign_on());
        let error = refused.expect_err(lie.name());
        assert!(crate::support::is_error(&error, "retry_later", "unverified"), "{}: {error:?}", lie.name());
        stall.acquirer.be_honest();
        stall.phone.wait(stall.phone.till().tick()).unwrap();
        assert_ne!(stall.phone.payment(&id).delivery.as_deref(), Some("parked"), "{}", lie.name());
    }
    stall.phone.wait(stall.phone.till().sign_on()).unwrap();
    stall.heals(&[id], "a sign-on");
}
