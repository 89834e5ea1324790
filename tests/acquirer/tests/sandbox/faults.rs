//! Planted faults of line and acquirer.

use sandbox_acquirer::{Delivery, Request};
use serde_json::{Value, json};

use crate::client::{SATURDAY, code, id};
use crate::world::World;

#[test]
fn a_dropped_request_is_not_processed_and_a_dropped_answer_is() {
    let mut world = World::new(SATURDAY);
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "drop_request", "count": 1}));
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "drop_answer", "count": 1}));
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "half_answer", "count": 1}));
    world.admin(
        "POST",
        "/admin/faults",
        &json!({"on": "POST /v1/payments", "kind": "delay", "delay_ms": 5, "count": 1}),
    );
    let payment = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    let seen: Vec<_> = (0..5)
        .map(|_| {
            let fault = world.submit(&payment).fault;
            (fault, world.ledger()["totals"]["authorizations"].as_u64().unwrap())
        })
        .collect();
    let wanted = [
        (Some(Delivery::DropRequest), 0),
        (Some(Delivery::DropAnswer), 1),
        (Some(Delivery::HalfAnswer), 1),
        (Some(Delivery::Delay { ms: 5 }), 1),
        (None, 1),
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn failures_that_answer() {
    let mut world = World::new(SATURDAY);
    let plant = |world: &mut World, fault: Value| world.admin("POST", "/admin/faults", &fault);
    let payment = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "status", "status": 503, "retry_after_s": 7, "count": 1}),
    );
    let unavailable = world.submit(&payment);
    assert_eq!(
        (unavailable.status, unavailable.header("retry-after"), code(&unavailable)),
        (503, Some("7"), "upstream-unavailable".to_owned())
    );
    plant(&mut world, json!({"on": "POST /v1/payments", "kind": "status", "status": 429, "count": 1}));
    assert_eq!(world.submit(&payment).header("retry-after"), Some("1"));
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "refuse", "problem": "merchant-suspended", "count": 1}),
    );
    assert_eq!(code(&world.submit(&payment)), "merchant-suspended");
    assert_eq!(world.ledger()["totals"]["payments"], 0);
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "status", "status": 504, "processed": true, "count": 1}),
    );
    assert_eq!(code(&world.submit(&payment)), "outcome-unknown");
    assert_eq!(world.submit(&payment).status, 200);
    plant(&mut world, json!({"on": "POST /v1/payments", "kind": "duplicate", "count": 1}));
    let second = world.till.payment(2, "live", 1000, "0000", SATURDAY);
    assert_eq!(world.submit(&second).header("idempotent-replayed"), Some("true"));
    assert_eq!(world.ledger()["totals"]["authorizations"], 2);
    plant(&mut world, json!({"on": "GET /v1/payments/*", "kind": "wrong_signature", "count": 1}));
    let request = world.till.signed("GET", &format!("/v1/payments/{}", id(1)), None, None, SATURDAY);
    let forged = world.sandbox.handle(SATURDAY, &request);
    assert_eq!((forged.status, world.till.believes(&forged)), (200, false));
    // Chance by seed: the same run, the same faults; and never under /admin.
    plant(&mut world, json!({"on": "*", "kind": "status", "status": 500, "probability": 0.5, "seed": 3}));
    let statuses: Vec<u16> = (0..40).map(|_| world.send("GET", "/v1/payments", None, None).status).collect();
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((10..=30).contains(&failed), "{failed} of 40");
    world.admin("DELETE", "/admin/faults", &json!({}));
    assert_eq!(world.send("GET", "/v1/payments", None, None).status, 200);
    let refused =
        world.sandbox.handle(SATURDAY, &Request::json("POST", "/admin/faults", &json!({"on": "x", "kind": "y"})));
    assert_eq!(refused.status, 400);
}
