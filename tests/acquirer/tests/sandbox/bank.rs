//! What a bank does with a payout.

use serde_json::{Value, json};

use crate::client::{DAY, SATURDAY, id, ms};
use crate::world::World;

/// A world with one payment of 100.00, and the bank told to do this with its payout.
fn with_bank(action: &Value) -> World {
    let mut world = World::new(SATURDAY);
    world.pay(1, 10_000, "0000");
    world.admin("POST", "/admin/bank", action);
    world
}

fn arrival(world: &mut World) -> String {
    world.get(&format!("/v1/payments/{}", id(1)))["arrival"].as_str().unwrap().to_owned()
}

fn balance(world: &mut World) -> i64 {
    world.admin("GET", "/admin/bank", &json!({}))["balances_minor"]["M000001 CNY"].as_i64().unwrap_or(0)
}

#[test]
fn a_late_bank_credits_later() {
    let mut world = with_bank(&json!({"action": "late", "days": 2, "payout_date": "2026-11-23"}));
    world.go(ms("2026-11-25T10:29:59+08:00"));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("sent", 0));
    world.go(ms("2026-11-25T10:30:00+08:00"));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("arrived", 9950));
    let mut world = with_bank(&json!({"action": "never"}));
    world.go(SATURDAY + 30 * DAY);
    assert_eq!(arrival(&mut world), "sent");
    let payout_id = world.ledger()["payouts"][0]["payout_id"].as_str().unwrap().to_owned();
    world.admin("POST", "/admin/bank", &json!({"action": "credit", "payout_id": payout_id}));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("arrived", 9950));
}

#[test]
fn a_returned_payout_is_paid_again() {
    let mut world = with_bank(&json!({"action": "return", "reason": "account_closed", "business_date": "2026-11-21"}));
    world.go(ms("2026-11-23T10:30:00+08:00"));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("arrived", 9950));
    world.go(ms("2026-11-23T15:00:00+08:00"));
    let payment = world.get(&format!("/v1/payments/{}", id(1)));
    assert_eq!(
        (&payment["arrival"], &payment["reason"], &payment["evidence"]),
        (&json!("returned"), &json!("returned_by_bank"), &json!("none"))
    );
    assert_eq!(balance(&mut world), 0);
    world.go(ms("2026-11-24T10:30:00+08:00"));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("arrived", 9950));
    let payouts = world.get("/v1/payouts")["data"].clone();
    let find = |kind: &str| payouts.as_array().unwrap().iter().find(|payout| payout["type"] == kind).unwrap().clone();
    let (old, new) = (find("batch"), find("reissue"));
    assert_eq!(
        (&old["status"], &old["failure"]["code"], &old["reissued_by"]),
        (&json!("returned"), &json!("account_closed"), &new["payout_id"])
    );
    assert_eq!((&new["reissue_of"], &new["net"], &new["status"]), (&old["payout_id"], &old["net"], &json!("arrived")));
    let entries = |world: &mut World, payout: &Value| {
        let page = world.get(&format!("/v1/payouts/{}/entries", payout["payout_id"].as_str().unwrap()));
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| [entry["payment_id"].clone(), entry["net"].clone()])
            .collect::<Vec<_>>()
    };
    assert_eq!(entries(&mut world, &old), entries(&mut world, &new));
    let kinds = world.event_kinds();
    assert_eq!(
        kinds[1..],
        [
            "payout.created",
            "payout.sent",
            "payout.arrived",
            "payout.returned",
            "payout.created",
            "payout.reissued",
            "payout.sent",
            "payout.arrived"
        ]
        .map(str::to_owned)
    );
}

#[test]
fn the_other_ways_of_a_bank() {
    let at_eleven = ms("2026-11-23T11:00:00+08:00");
    let cases = [
        (json!({"action": "return", "before_arrival": true, "reissue": false}), "returned", "none", 0),
        (json!({"action": "reject", "reason": "invalid_account_number", "reissue": false}), "failed", "none", 0),
        (json!({"action": "unconfirmed"}), "arrived", "acquirer", 9950),
    ];
    for (action, status, evidence, money) in cases {
        let mut world = with_bank(&action);
        world.go(at_eleven);
        let payout = world.get("/v1/payouts")["data"][0].clone();
        assert_eq!((&payout["status"], &payout["evidence"]), (&json!(status), &json!(evidence)), "{action}");
        assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), (status, money), "{action}");
        world.go(SATURDAY + 10 * DAY);
        assert_eq!(world.get("/v1/payouts")["data"].as_array().unwrap().len(), 1, "{action}");
    }
    // A payout that arrived long ago can still come back.
    let mut world = with_bank(&json!({"action": "late", "days": 0}));
    world.go(SATURDAY + 10 * DAY);
    let payout_id = world.ledger()["payouts"][0]["payout_id"].clone();
    world.admin("POST", "/admin/bank", &json!({"action": "return", "payout_id": payout_id, "reissue": false}));
    assert_eq!((arrival(&mut world).as_str(), balance(&mut world)), ("returned", 0));
    world.admin("POST", "/admin/bank", &json!({"action": "reissue", "payout_id": payout_id}));
    assert_eq!(arrival(&mut world), "in_payout");
}
