//! Activation, sign-on, and when a session ends.

use sandbox_acquirer::{Request, Sandbox};
use serde_json::{Value, json};

use crate::client::{DAY, HOUR, SATURDAY, Till, code, id, json_of};
use crate::key::Key;
use crate::world::{BASE, World, config};

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
fn the_witness_is_the_largest_head_of_a_session_that_was_used() {
    let mut world = World::new(SATURDAY);
    let mut payments = 0;
    let mut witness = |seq: u64, used: bool| {
        let (request_id, mut body) = world.till.sign_on_body();
        body["ledger_head"] = json!({"ledger_id": id(1), "seq": seq, "hash": "ab".repeat(32)});
        let response = json_of(&world.send("POST", "/v1/terminals/T0000001/sign-ons", Some(&body), Some(&request_id)));
        if used {
            payments += 1;
            world.till.session = response["session_id"].as_str().unwrap().to_owned();
            world.pay(payments, 1_000, "0000");
        }
        response["witness"]["seq"].clone()
    };
    assert_eq!([witness(5, true), witness(3, true)], [Value::Null, json!(5)]);
    // Its answer may be lost: the next one still hears of the earlier head.
    assert_eq!([witness(9, false), witness(9, true), witness(9, true)], [json!(5), json!(5), json!(9)]);
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
