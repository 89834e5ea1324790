//! The sandbox through its one face, `handle`: payments, settlement, the bank.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod client;

use client::{BASE, DAY, HOUR, Key, SATURDAY, Till, World, code, config, id, json_of, ms};
use sandbox_acquirer::{Request, Sandbox};
use serde_json::{Value, json};

#[test]
fn activation_is_replayed_for_the_same_key_and_refused_to_another() {
    for key in [Key::p256(3), Key::ed25519(3)] {
        let mut sandbox = Sandbox::new(config(1, SATURDAY)).unwrap();
        let mut till = Till::new(key, BASE);
        let issued = json_of(&sandbox.handle(SATURDAY, &Request::json("POST", "/admin/activation-codes", &json!({}))));
        let activation_code = till.scan(issued["activation_code"].as_str().unwrap());
        till.learn_keys(&sandbox.handle(SATURDAY, &Request::new("GET", "/v1/keys")));
        let request_id = till.fresh();
        let first = till.activation(&request_id, &activation_code, SATURDAY);
        let first = sandbox.handle(SATURDAY, &first);
        assert_eq!((first.status, till.believes(&first)), (201, true));
        let again = till.activation(&request_id, &activation_code, SATURDAY);
        let again = sandbox.handle(SATURDAY, &again);
        assert_eq!((again.status, &again.body, again.header("idempotent-replayed")), (201, &first.body, Some("true")));
        assert_ne!(again.header("webhook-id"), first.header("webhook-id"));
        let mut thief = Till::new(Key::ed25519(9), BASE);
        let stolen = thief.activation(&request_id, &activation_code, SATURDAY);
        assert_eq!(code(&sandbox.handle(SATURDAY, &stolen)), "activation-code-invalid");
        // A request signed by another key than the one in its body.
        let mut forged = till.activation(&request_id, &activation_code, SATURDAY);
        forged.headers = thief.activation(&request_id, &activation_code, SATURDAY).headers;
        assert_eq!(sandbox.handle(SATURDAY, &forged).status, 401);
    }
}

#[test]
fn sign_on_names_the_documents_in_force() {
    let mut world = World::with(Sandbox::new(config(1, SATURDAY)).unwrap(), Key::p256(5), SATURDAY);
    let answer = world.sign_on();
    assert_eq!((&answer["batch_number"], &answer["business_date"]), (&json!("000001"), &json!("2026-11-21")));
    let pages = [
        ("policy_etag", "/v1/terminals/T0000001/risk-policy".to_owned()),
        ("terms_etag", "/v1/settlement/terms".to_owned()),
        ("calendar_etag", "/v1/settlement/calendar?from=2026-02-13&to=2026-02-15".to_owned()),
    ];
    for (name, target) in pages {
        let response = world.send("GET", &target, None, None);
        assert_eq!(response.header("etag"), answer[name].as_str(), "{target}: {}", json_of(&response));
        let mut request = world.till.signed("GET", &target, None, None, world.now_ms);
        request.headers.push(("if-none-match".to_owned(), answer[name].as_str().unwrap().to_owned()));
        let unchanged = world.sandbox.handle(world.now_ms, &request);
        assert_eq!((unchanged.status, unchanged.body.len(), world.till.believes(&unchanged)), (304, 0, true));
    }
    let days = world.get("/v1/settlement/calendar?from=2026-02-13&to=2026-02-15");
    let kinds: Vec<&Value> = days["days"].as_array().unwrap().iter().map(|day| &day["kind"]).collect();
    assert_eq!(kinds, ["normal", "makeup_workday", "holiday"]);
    world.admin("POST", "/admin/terms", &json!({"cycle": {"basis": "calendar_day", "n": 1}}));
    assert_eq!(world.sign_on()["terms_etag"], "\"terms-2\"");
    assert_eq!(world.event_kinds(), ["terms.changed"]);
}

#[test]
fn the_witness_is_the_largest_head_reported() {
    let mut world = World::new(SATURDAY);
    let mut witness = |seq: u64| {
        let (request_id, mut body) = world.till.sign_on_body();
        body["ledger_head"] = json!({"ledger_id": id(1), "seq": seq, "hash": "ab".repeat(32)});
        let response = world.send("POST", "/v1/terminals/T0000001/sign-ons", Some(&body), Some(&request_id));
        json_of(&response)["witness"]["seq"].clone()
    };
    assert_eq!([witness(5), witness(3), witness(9), witness(9)], [Value::Null, json!(5), json!(5), json!(9)]);
}

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
fn sessions_end_and_batches_change_at_the_cut_off() {
    let mut world = World::new(SATURDAY);
    let stored = world.till.payment(1, "deferred_authorization", 1000, "0000", SATURDAY);
    world.go(SATURDAY + 14 * HOUR);
    let late = world.till.payment(2, "live", 1000, "0000", world.now_ms);
    let refused = world.submit(&late);
    assert_eq!(
        (code(&refused), json_of(&refused)["batch_number"].clone()),
        ("batch-mismatch".to_owned(), json!("000002"))
    );
    assert_eq!(world.batch(&[stored]).0[&id(1)]["http_status"], 201);
    world.go(SATURDAY + DAY);
    let refused = world.submit(&late);
    assert_eq!((refused.status, code(&refused)), (409, "terminal-not-signed-on".to_owned()));
    assert_eq!(world.sign_on()["batch_number"], "000002");
    let live = world.till.payment(2, "live", 1000, "0000", world.now_ms);
    assert_eq!(world.submit(&live).status, 201);
    world.admin("POST", "/admin/keys/rotate", &json!({"refuse_sessions": true}));
    let keys = world.sandbox.handle(world.now_ms, &Request::new("GET", "/v1/keys"));
    world.till.learn_keys(&keys);
    let live = world.till.payment(3, "live", 1000, "0000", world.now_ms);
    assert_eq!(code(&world.submit(&live)), "keys-rotated");
    world.sign_on();
    assert_eq!(world.submit(&live).status, 201);
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

#[test]
fn from_cut_off_to_the_bank_to_the_fen() {
    let mut world = World::new(SATURDAY);
    let amounts =
        [(1, 1, "6228"), (2, 10_050, "6228"), (3, 399_900, "6228"), (4, 10_050, "4761"), (5, 399_900, "4761")];
    for (n, amount, bin) in amounts {
        let mut payment = world.till.payment(n, "live", amount, "0000", SATURDAY);
        payment["card"]["masked_pan"] = json!(format!("{bin}********0000"));
        payment["card"]["scheme"] = json!(if bin == "4761" { "visa" } else { "unionpay" });
        assert_eq!(json_of(&world.submit(&payment))["authorization"], "approved");
    }
    world.pay(6, 20_000, "0010");
    world.go(ms("2026-11-21T23:00:00+08:00"));
    let scheduled = world.get(&format!("/v1/payments/{}", id(1)));
    assert_eq!(
        (&scheduled["clearing"], &scheduled["arrival"], &scheduled["version"]),
        (&json!("cleared"), &json!("scheduled"), &json!(2))
    );
    world.go(ms("2026-11-23T09:29:59+08:00"));
    assert_eq!(world.get("/v1/payouts")["data"], json!([]));
    let mut seen = Vec::new();
    for time in ["09:30", "10:00", "10:30"] {
        world.go(ms(&format!("2026-11-23T{time}:00+08:00")));
        let payment = world.get(&format!("/v1/payments/{}", id(1)));
        seen.push((
            payment["arrival"].as_str().unwrap().to_owned(),
            payment["evidence"].as_str().unwrap().to_owned(),
            payment["version"].as_u64().unwrap(),
        ));
    }
    let wanted = [("in_payout", "none", 3), ("sent", "none", 4), ("arrived", "bank_notification", 5)];
    assert_eq!(seen, wanted.map(|(arrival, evidence, version)| (arrival.to_owned(), evidence.to_owned(), version)));
    let payout = world.get("/v1/payouts?status=arrived")["data"][0].clone();
    let payout_id = payout["payout_id"].as_str().unwrap().to_owned();
    let entries = world.get(&format!("/v1/payouts/{payout_id}/entries?limit=200"))["data"].clone();
    let entries = entries.as_array().unwrap();
    let lines: Vec<[i64; 3]> = entries
        .iter()
        .map(|entry| ["gross", "fee", "net"].map(|name| entry[name]["amount"].as_i64().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            [1, 0, 1],
            [10_050, -50, 10_000],
            [399_900, -2000, 397_900],
            [10_050, -60, 9990],
            [399_900, -2399, 397_501],
            [10_000, -50, 9950]
        ]
    );
    let sum: i64 = lines.iter().map(|line| line[2]).sum();
    assert_eq!(
        (&payout["net"]["amount"], &payout["entry_count"], &payout["business_date"]),
        (&json!(sum), &json!(6), &json!("2026-11-21"))
    );
    assert_eq!(payout["gross"]["amount"].as_i64().unwrap() + payout["fee"]["amount"].as_i64().unwrap(), sum);
    let end_to_end = payout["end_to_end_id"].as_str().unwrap();
    assert!(end_to_end.len() <= 15 && end_to_end.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    let bank = world.ledger()["bank"].clone();
    assert_eq!((&bank["lines"][0]["amount_minor"], &bank["lines"][0]["reference"]), (&json!(sum), &json!(end_to_end)));
    assert_eq!(bank["balances_minor"]["M000001 CNY"], sum);
    let kinds = world.event_kinds();
    assert_eq!(kinds[..6], ["payment.scheduled"; 6].map(str::to_owned));
    assert_eq!(kinds[6..], ["payout.created", "payout.sent", "payout.arrived"].map(str::to_owned));
}

#[test]
fn the_settlement_table() {
    let rows = [
        ("2026-11-20T10:00", ["2026-11-20", "2026-11-23", "2026-11-24", "2026-11-20", "2026-11-21"]),
        ("2026-11-20T23:30", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-21", "2026-11-22"]),
        ("2026-11-21T12:00", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-21", "2026-11-22"]),
        ("2026-11-22T22:59", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-22", "2026-11-23"]),
        ("2026-02-13T15:00", ["2026-02-13", "2026-02-14", "2026-02-24", "2026-02-13", "2026-02-14"]),
        ("2026-02-14T10:00", ["2026-02-14", "2026-02-24", "2026-02-25", "2026-02-14", "2026-02-15"]),
        ("2026-02-14T23:30", ["2026-02-24", "2026-02-24", "2026-02-25", "2026-02-15", "2026-02-16"]),
        ("2026-02-20T09:00", ["2026-02-24", "2026-02-24", "2026-02-25", "2026-02-20", "2026-02-21"]),
        ("2026-09-19T18:00", ["2026-09-20", "2026-09-20", "2026-09-21", "2026-09-19", "2026-09-20"]),
        ("2026-09-30T22:00", ["2026-09-30", "2026-10-08", "2026-10-09", "2026-09-30", "2026-10-01"]),
        ("2026-10-09T12:00", ["2026-10-09", "2026-10-10", "2026-10-12", "2026-10-09", "2026-10-10"]),
        ("2026-04-30T20:00", ["2026-04-30", "2026-05-06", "2026-05-07", "2026-04-30", "2026-05-01"]),
    ];
    let cycles =
        [("business_day", 0), ("business_day", 1), ("business_day", 2), ("calendar_day", 0), ("calendar_day", 1)];
    for (accepted, dates) in rows {
        for ((basis, n), date) in cycles.into_iter().zip(dates) {
            let start = ms(&format!("{accepted}:00+08:00"));
            let mut world = World::new(start);
            world.admin("POST", "/admin/terms", &json!({"cycle": {"basis": basis, "n": n}}));
            let payment = world.pay(1, 1000, "0000");
            assert_eq!(payment["expected_arrival"]["date"], date, "{accepted} {basis} {n}");
            // And the money does move on that day.
            world.go(start + 20 * DAY);
            let payout = world.get("/v1/payouts")["data"][0].clone();
            assert_eq!(
                (&payout["expected_arrival_date"], &payout["status"]),
                (&json!(date), &json!("arrived")),
                "{accepted} {basis} {n}"
            );
            assert_eq!(payout["arrived_at"].as_str().unwrap()[..10], *date, "{accepted} {basis} {n}");
        }
    }
}

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

#[test]
fn held_payments_wait_and_small_sums_too() {
    let mut world = World::new(SATURDAY);
    world.pay(1, 10_000, "0000");
    world.pay(2, 50, "0000");
    let hold = format!("/admin/payments/{}", id(1));
    world.admin("POST", &hold, &json!({"action": "hold", "reason": "risk_hold"}));
    world.go(ms("2026-11-23T12:00:00+08:00"));
    let held = world.get(&format!("/v1/payments/{}", id(1)));
    assert_eq!(
        (&held["arrival"], &held["reason"], &held["acts"]),
        (&json!("held"), &json!("risk_hold"), &json!("merchant"))
    );
    let small = world.get(&format!("/v1/payments/{}", id(2)));
    assert_eq!(
        (&small["reason"], &small["expected_arrival"]["date"]),
        (&json!("minimum_payout"), &json!("2026-11-24"))
    );
    world.admin("POST", &hold, &json!({"action": "release"}));
    assert_eq!(world.get(&format!("/v1/payments/{}", id(1)))["expected_arrival"]["date"], "2026-11-24");
    world.admin("POST", "/admin/fees", &json!({"amount_minor": 3000, "kind": "sim", "note": "2026"}));
    world.go(ms("2026-11-24T12:00:00+08:00"));
    let payout = world.get("/v1/payouts")["data"][0].clone();
    assert_eq!(
        (&payout["net"]["amount"], &payout["adjustments"]["amount"], &payout["entry_count"]),
        (&json!(10_000 - 50 + 50 - 3000), &json!(-3000), &json!(3))
    );
    let kinds = world.event_kinds();
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!(
        [count("payment.held"), count("payment.released"), count("payment.scheduled"), count("payment.updated")],
        [1, 1, 1, 2]
    );
}

#[test]
fn pages_and_their_cursors() {
    let mut world = World::new(SATURDAY);
    for n in 1..=7 {
        world.pay(n, 1000, if n == 7 { "0005" } else { "0000" });
    }
    let mut ids = Vec::new();
    let mut target = "/v1/payments?limit=3".to_owned();
    let mut cursor;
    loop {
        let page = world.get(&target);
        ids.extend(
            page["data"].as_array().unwrap().iter().map(|payment| payment["payment_id"].as_str().unwrap().to_owned()),
        );
        cursor = target;
        match page["next_cursor"].as_str() {
            Some(next) => target = format!("/v1/payments?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids, (1..=7).map(id).collect::<Vec<_>>());
    assert_eq!(world.get("/v1/payments?status=declined")["data"].as_array().unwrap().len(), 1);
    world.go(SATURDAY + 14 * HOUR);
    let since = world.get("/v1/payments?updated_since=2026-11-21T23:00:00%2B08:00");
    assert_eq!(since["data"].as_array().unwrap().len(), 6);
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=rubbish", "updated_since=yesterday", "status=A"] {
        assert_eq!(world.send("GET", &format!("/v1/payments?{bad}"), None, None).status, 422, "{bad}");
    }
    world.go(SATURDAY + 10 * DAY);
    assert_eq!(code(&world.send("GET", &cursor, None, None)), "cursor-expired");
    // The feed forgets after its retention.
    world.go(SATURDAY + 40 * DAY);
    assert_eq!(code(&world.send("GET", "/v1/events?after=1", None, None)), "cursor-expired");
    assert_eq!(world.send("GET", "/v1/events?after=0", None, None).status, 200, "0 asks for all that is kept");
    let last = world.ledger()["events"]["M000001"]["last_seq"].as_u64().unwrap();
    assert_eq!(world.get(&format!("/v1/events?after={last}"))["next_after"], last);
    assert_eq!(world.send("GET", "/v1/events", None, None).status, 422);
}
