//! Payments are executed once; inquiries and reversals bind.

use serde_json::{Value, json};

use crate::client::{DAY, HOUR, SATURDAY, code, id, json_of};
use crate::world::World;

#[test]
fn a_payment_is_executed_once_whatever_is_repeated() {
    let mut world = World::new(SATURDAY);
    let mut payment = world.till.payment(1, "live", 12_800, "0000", SATURDAY);
    let first = world.submit(&payment);
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let first = json_of(&first);
    assert_eq!(
        (&first["authorization"], &first["clearing"], &first["arrival"]),
        (&json!("approved"), &json!("accepted"), &json!("pending"))
    );
    assert_eq!(first["expected_arrival"]["date"], "2026-11-23");
    payment["attempt"] = json!(2);
    let again = world.submit(&payment);
    assert_eq!((again.status, again.header("idempotent-replayed"), json_of(&again)), (200, Some("true"), first));
    let (results, _) = world.batch(&[world.till.payment(2, "deferred_authorization", 700, "0000", SATURDAY)]);
    assert_eq!(results[&id(2)]["http_status"], 201);
    let (results, _) = world.batch(&[world.till.payment(2, "deferred_authorization", 700, "0000", SATURDAY)]);
    assert_eq!(results[&id(2)]["http_status"], 200);
    for (field, value) in
        [("amount", json!({"amount": 1, "currency": "CNY"})), ("captured_at", json!("2026-11-21T10:00:01+08:00"))]
    {
        let mut changed = payment.clone();
        changed[field] = value;
        let refused = world.submit(&changed);
        assert_eq!((refused.status, code(&refused)), (422, "idempotency-key-reused".to_owned()));
        assert_eq!(json_of(&refused)["instance"], format!("urn:uuid:{}", id(1)));
    }
    let ledger = world.ledger();
    assert_eq!(ledger["totals"]["authorizations"], 2);
    assert_eq!((&ledger["payments"][0]["requests"], &ledger["payments"][0]["authorizations"]), (&json!(4), &json!(1)));
}

#[test]
fn a_taken_natural_key_names_the_other_payment() {
    let mut world = World::new(SATURDAY);
    world.pay(1, 1000, "0000");
    let mut other = world.till.payment(2, "live", 1000, "0000", SATURDAY);
    other["stan"] = json!("000001");
    let refused = world.submit(&other);
    assert_eq!((refused.status, code(&refused)), (409, "duplicate-transaction".to_owned()));
    assert_eq!(json_of(&refused)["payment_id"], id(1));
    assert_eq!(world.ledger()["totals"]["payments"], 1);
}

#[test]
fn the_published_rules() {
    let mut world = World::new(SATURDAY);
    let rows = [
        ("0000", 12_800, "approved", "00"),
        ("0001", 12_800, "referred", "01"),
        ("0005", 12_800, "declined", "05"),
        ("0051", 12_800, "declined", "51"),
        ("0054", 12_800, "declined", "54"),
        ("0010", 12_801, "partially_approved", "10"),
        ("0068", 12_800, "processing", "68"),
        ("0069", 12_800, "processing", "68"),
        ("0099", 12_800, "processing", "ZZ"),
        ("0000", 12_805, "declined", "05"),
        ("0000", 12_851, "declined", "51"),
        ("0000", 12_854, "declined", "54"),
        ("0000", 12_861, "declined", "61"),
    ];
    for (n, (last_four, amount, authorization, response_code)) in (1..).zip(rows) {
        let payment = world.pay(n, amount, last_four);
        assert_eq!(
            (&payment["authorization"], &payment["response_code"]),
            (&json!(authorization), &json!(response_code)),
            "{last_four} {amount}"
        );
    }
    assert_eq!(world.get(&format!("/v1/payments/{}", id(6)))["approved_amount"]["amount"], 6400);
    let unlisted = world.till.payment(9, "live", 12_800, "0099", SATURDAY);
    let answer = world.submit(&unlisted);
    assert_eq!((answer.status, answer.header("location")), (202, Some(format!("/v1/payments/{}", id(9)).as_str())));
    world.go(SATURDAY + 120_000);
    let later = |world: &mut World, n: u32| world.get(&format!("/v1/payments/{}", id(n)))["authorization"].clone();
    assert_eq!(
        [later(&mut world, 7), later(&mut world, 8), later(&mut world, 9)],
        ["approved", "declined", "processing"]
    );
    assert_eq!(world.event_kinds(), ["payment.updated", "payment.updated"]);
    assert_eq!(world.sign_on()["pending_inquiries"], json!([id(9)]));
    world.admin("POST", &format!("/admin/payments/{}", id(9)), &json!({"action": "decline", "code": "05"}));
    assert_eq!(later(&mut world, 9), "declined");
}

#[test]
fn batch_items_stand_alone_and_come_in_any_order() {
    let mut world = World::new(SATURDAY);
    let stored = |world: &World, n: u32| {
        world.till.payment(n, "deferred_authorization", 1000 + i64::from(n) * 100, "0000", SATURDAY)
    };
    let mut items: Vec<Value> = (1..=20).map(|n| stored(&world, n)).collect();
    items[3]["kind"] = json!("live");
    items[4]["amount"]["amount"] = json!(0);
    items[5]["stan"] = items[0]["stan"].clone();
    items[6]["offline"]["policy_version"] = json!("99");
    items[7]["card"]["scheme"] = json!("amex");
    items[8]["amount"]["amount"] = json!(50_001);
    items[9]["captured_at"] = json!("2026-11-10T10:00:00+08:00");
    let (results, order) = world.batch(&items);
    let problem = |n: u32| results[&id(n)]["problem"].clone();
    assert_eq!(results.len(), 20);
    assert_ne!(order, (1..=20).map(id).collect::<Vec<_>>());
    assert_eq!(problem(4)["errors"][0]["pointer"], "/payment/kind");
    assert_eq!(problem(5)["errors"][0]["pointer"], "/payment/amount/amount");
    assert_eq!(problem(6)["code"], "duplicate-transaction");
    assert_eq!(
        [&problem(7)["rule"], &problem(8)["rule"], &problem(9)["rule"]],
        ["policy_version", "scheme", "max_amount"]
    );
    assert_eq!(problem(10)["code"], "offline-too-old");
    assert_eq!(world.ledger()["totals"]["authorizations"], 13);
    // The same payment twice, or an item without an id, spoils the whole.
    let batch_id = world.till.fresh();
    let mut body = world.till.envelope(SATURDAY);
    body["batch_id"] = json!(batch_id);
    body["items"] = json!([stored(&world, 30), stored(&world, 30)]);
    let refused = world.send("POST", "/v1/payments/batch", Some(&body), Some(&batch_id));
    assert_eq!((refused.status, json_of(&refused)["errors"][0]["code"].clone()), (422, json!("twice")));
    // The same batch id again is the first result, byte for byte.
    body["items"] = json!([stored(&world, 30), stored(&world, 31)]);
    let first = world.send("POST", "/v1/payments/batch", Some(&body), Some(&batch_id));
    let again = world.send("POST", "/v1/payments/batch", Some(&body), Some(&batch_id));
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")));
    body["items"] = json!([stored(&world, 30)]);
    let changed = world.send("POST", "/v1/payments/batch", Some(&body), Some(&batch_id));
    assert_eq!(code(&changed), "idempotency-key-reused");
}

#[test]
fn a_final_not_received_is_binding() {
    let mut world = World::new(SATURDAY);
    let look = |close: bool| json!([{"ref": "a", "payment_id": id(1), "close_if_unknown": close}]);
    let open = world.inquire(&look(false));
    assert_eq!((&open[0]["outcome"], &open[0]["final"]), (&json!("not_received"), &json!(false)));
    assert_eq!(world.inquire(&look(true))[0]["final"], true);
    assert_eq!(world.inquire(&look(false))[0]["final"], true);
    let late = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    let refused = world.submit(&late);
    assert_eq!((refused.status, code(&refused)), (409, "late-original".to_owned()));
    let known = world.pay(2, 1000, "0000");
    let lookups = json!([
        {"ref": "id", "payment_id": id(2), "close_if_unknown": true},
        {"ref": "key", "natural_key": {"batch_number": "000001", "stan": "000002", "captured_on": "2026-11-21"}},
        {"ref": "rrn", "rrn": known["rrn"]},
        {"ref": "none", "rrn": "999999999999"},
    ]);
    let found = world.inquire(&lookups);
    let outcomes: Vec<&Value> = found.as_array().unwrap().iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["found", "found", "found", "not_received"]);
    assert_eq!(found[1]["payment"], known);
}

#[test]
fn reversals_before_at_and_after_the_original() {
    let mut world = World::new(SATURDAY);
    let before = world.reverse(1, 1000);
    assert_eq!((before.status, &json_of(&before)["outcome"]), (201, &json!("nothing_to_reverse")));
    let late = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    assert_eq!(code(&world.submit(&late)), "late-original");
    world.pay(2, 1000, "0000");
    assert_eq!(world.reverse(2, 999).status, 422);
    let reversed = json_of(&world.reverse(2, 1000));
    assert_eq!(
        (&reversed["outcome"], &reversed["payment"]["authorization"], &reversed["payment"]["arrival"]),
        (&json!("reversed"), &json!("reversed"), &json!("not_eligible"))
    );
    let again = world.reverse(2, 1000);
    assert_eq!((again.status, again.header("idempotent-replayed"), json_of(&again)), (200, Some("true"), reversed));
    world.pay(3, 1000, "0005");
    assert_eq!(json_of(&world.reverse(3, 1000))["outcome"], "nothing_to_reverse");
    world.pay(4, 1000, "0000");
    world.go(SATURDAY + 14 * HOUR);
    assert_eq!(json_of(&world.reverse(4, 1000))["outcome"], "already_cleared");
    let resent = world.till.payment(2, "live", 1000, "0000", SATURDAY);
    assert_eq!((world.submit(&resent).status, world.ledger()["totals"]["authorizations"].clone()), (200, json!(3)));
    // A reversed payment is never paid out.
    world.go(SATURDAY + 3 * DAY);
    let entries = world.ledger()["payouts"][0]["entries"].clone();
    assert_eq!((entries.as_array().unwrap().len(), &entries[0]["payment_id"]), (1, &json!(id(4))));
}
