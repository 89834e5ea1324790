//! An acquirer that signs nonsense: a signature makes an answer believable, not true. What does not fit the question or
//! what is known stays in doubt; one bad item spoils no other; all is well when the acquirer is itself again.

use serde_json::{Value, json};
use takings_domain::event::ChargeMode;
use takings_till::ChargeOutcome;

use crate::support::{Lie, Stall};

/// Changes every payment anywhere in an answer.
fn each_payment(body: &mut Value, change: &dyn Fn(&mut Value)) {
    match body {
        Value::Object(object) => {
            if object.contains_key("payment_id") && object.contains_key("authorization") {
                return change(body);
            }
            object.values_mut().for_each(|value| each_payment(value, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| each_payment(value, change)),
        _ => {}
    }
}

fn payment_lie(name: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Lie {
    Lie::edited(name, move |body| each_payment(body, &change))
}

/// Answers about a payment that no till may believe.
fn unbelievable() -> Vec<Lie> {
    vec![
        payment_lie("another amount", |payment| payment["amount"]["amount"] = json!(1)),
        payment_lie("another currency", |payment| payment["amount"]["currency"] = json!("JPY")),
        payment_lie("an amount above 2^53", |payment| payment["amount"]["amount"] = json!(9_007_199_254_740_992_i64)),
        payment_lie("an amount beyond 64 bits", |payment| payment["amount"]["amount"] = json!(1e30)),
        payment_lie("a negative amount", |payment| payment["amount"]["amount"] = json!(-500)),
        payment_lie("an amount of zero", |payment| payment["amount"]["amount"] = json!(0)),
        payment_lie("an amount as text", |payment| payment["amount"]["amount"] = json!("500")),
        payment_lie("a currency of no list", |payment| payment["amount"]["currency"] = json!("ZZZ")),
        payment_lie("more approved than asked", |payment| {
            payment["approved_amount"] = json!({"amount": 1_000_000, "currency": "CNY"});
        }),
        payment_lie("approved in another currency", |payment| {
            payment["approved_amount"] = json!({"amount": 1, "currency": "KWD"});
        }),
        payment_lie("version 0", |payment| payment["version"] = json!(0)),
        payment_lie("no version", |payment| drop(payment.as_object_mut().unwrap().remove("version"))),
        payment_lie("an authorization that is no word", |payment| payment["authorization"] = json!(null)),
        payment_lie("another payment's id", |payment| {
            payment["payment_id"] = json!("0193a1b2-0000-7000-8000-000000000001");
        }),
        payment_lie("an id that is no UUID", |payment| payment["payment_id"] = json!("' OR 1=1 --")),
        payment_lie("control characters", |payment| payment["rrn"] = json!("\u{0}\u{7}")),
        payment_lie("a year of no calendar", |payment| payment["updated_at"] = json!("99999-01-01T00:00:00Z")),
        Lie::Body("an empty list", b"[]".to_vec().into()),
        Lie::Body("null", b"null".to_vec().into()),
        Lie::Body("no JSON", b"<html>".to_vec().into()),
        Lie::Body("not UTF-8", vec![0xFF, 0xFE, b'{', b'}'].into()),
        Lie::Body("JSON 10,000 deep", [vec![b'['; 10_000], vec![b']'; 10_000]].concat().into()),
    ]
}

#[test]
fn p3_honest_a_drain_answered_with_signed_nonsense_stays_in_doubt() {
    Stall::in_business().drain_in_doubt(&unbelievable());
}

#[test]
fn p3_honest_a_live_payment_answered_with_signed_nonsense_is_not_confirmed() {
    let stall = Stall::in_business();
    for lie in unbelievable() {
        let id = stall.not_confirmed(&lie);
        stall.acquirer.be_honest();
        stall.syncs(3, 61_000);
        let payment = stall.phone.payment(&id);
        let theirs = stall.acquirer.payment(&id).unwrap();
        let ends = [("approved", "approved"), ("not_charged", "reversed")];
        let end = (payment.stage.as_str(), theirs["authorization"].as_str().unwrap());
        assert!(ends.contains(&end), "{}: {payment:?} {theirs}", lie.name());
        stall.verifies(lie.name());
    }
}

#[test]
fn p3_honest_an_inquiry_answered_with_signed_nonsense_ends_in_a_reversal() {
    for lie in unbelievable() {
        let stall = Stall::in_business();
        for on in ["POST /inquiries", "POST /reversals", "GET /payments/{}", "GET /v1/payments"] {
            stall.acquirer.lie(on, lie.clone());
        }
        let id = stall.not_confirmed(&Lie::Unsigned);
        stall.syncs(3, 61_000);
        let stage = stall.phone.payment(&id).stage;
        assert!(matches!(stage.as_str(), "being_confirmed" | "needs_you"), "{}: {stage}", lie.name());
        stall.acquirer.be_honest();
        stall.syncs(3, 20 * 60_000);
        let theirs = stall.acquirer.payment(&id).unwrap();
        assert_eq!(theirs["authorization"], "reversed", "{}", lie.name());
        assert_eq!(stall.phone.payment(&id).stage, "not_charged", "{}", lie.name());
        stall.verifies(lie.name());
    }
}

#[test]
fn p10_drains_one_item_of_signed_nonsense_spoils_no_other() {
    for lie in unbelievable().into_iter().filter(|lie| matches!(lie, Lie::Edited(..))) {
        let stall = Stall::in_business();
        let kept: Vec<String> = (0..5).map(|_| stall.keep(500)).collect();
        let (poisoned, Lie::Edited(name, edit)) = (kept[2].clone(), &lie) else { panic!() };
        let edit = edit.clone();
        let one = Lie::edited(name, move |body| {
            for result in body["results"].as_array_mut().unwrap() {
                if result["payment_id"] == poisoned.as_str() {
                    edit(result);
                }
            }
        });
        stall.acquirer.lie("POST /payments/batch", one.clone());
        // Only the batch lies: nothing else may tell about the poisoned one either.
        let report = stall.phone.sync();
        for id in &kept {
            let payment = stall.phone.payment(id);
            let poisoned = *id == kept[2];
            let authorization = (!poisoned).then_some("approved");
            assert_eq!(payment.authorization.as_deref(), authorization, "{}: {report:?} {payment:?}", lie.name());
        }
        stall.heals(&kept, lie.name());
    }
}

#[test]
fn p3_honest_a_word_of_no_list_is_never_an_approval() {
    let words = [
        payment_lie("an authorization of no list", |payment| payment["authorization"] = json!("approved_by_moonlight")),
        payment_lie("a response code of no list", |payment| payment["response_code"] = json!("ZQ")),
    ];
    for lie in words {
        let stall = Stall::in_business();
        let id = stall.keep(500);
        stall.acquirer.lie("*", lie.clone());
        stall.phone.sync();
        let payment = stall.phone.payment(&id);
        assert!(matches!(payment.stage.as_str(), "being_confirmed" | "needs_you"), "{}: {payment:?}", lie.name());
        let (live, outcome) = stall.try_charge(900, ChargeMode::PreferOnline).unwrap();
        assert_eq!(outcome, ChargeOutcome::NotConfirmed, "{}", lie.name());
        assert_ne!(stall.phone.payment(&live).stage, "approved", "{}", lie.name());
        stall.acquirer.be_honest();
        stall.syncs(3, 20 * 60_000);
        stall.verifies(lie.name());
    }
}

#[test]
fn a_clearing_or_arrival_of_no_list_changes_no_stage_for_the_better() {
    let stall = Stall::in_business();
    let id = stall.keep(500);
    stall.acquirer.lie(
        "*",
        payment_lie("words of no list", |payment| {
            payment["clearing"] = json!("teleported");
            payment["arrival"] = json!("spent");
            payment["evidence"] = json!("a feeling");
            payment["reason"] = json!("because");
        }),
    );
    stall.phone.sync();
    let payment = stall.phone.payment(&id);
    assert_eq!((payment.stage.as_str(), payment.evidence.as_str()), ("approved", "none"), "{payment:?}");
    stall.acquirer.be_honest();
    stall.days(4);
    assert_eq!(stall.phone.payment(&id).stage, "arrived");
    stall.verifies("words of no list");
}

#[test]
fn p10_drains_an_answer_that_brings_nothing_new_leaves_no_payment_sending() {
    let stall = Stall::in_business();
    let (id, outcome) = stall
        .phone
        .charge(crate::support::charge_request(500, "CNY", ChargeMode::Offline), &crate::support::Card::new("0068"))
        .unwrap();
    assert_eq!(outcome, ChargeOutcome::Saved);
    stall.phone.sync();
    assert_eq!(stall.phone.payment(&id).authorization.as_deref(), Some("processing"));
    // The same version again, with another word in it.
    stall.acquirer.lie(
        "*",
        payment_lie("another word under the same version", |payment| {
            payment["version"] = json!(1);
            payment["authorization"] = json!("approved");
            payment["response_code"] = json!("00");
        }),
    );
    stall.pass(20 * 60_000);
    stall.phone.sync();
    let payment = stall.phone.payment(&id);
    assert_ne!(payment.delivery.as_deref(), Some("sending"), "{payment:?}");
    stall.heals(&[id], "an old version");
}
