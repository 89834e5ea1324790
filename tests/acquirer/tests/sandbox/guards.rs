//! Signatures, clocks, and requests without sense.

use sandbox_acquirer::{Request, Sandbox};
use serde_json::json;

use crate::client::{SATURDAY, code, id, json_of};
use crate::key::Key;
use crate::world::{World, config};

/// Changes one thing of a signed request.
type Spoil = fn(&mut Request);

fn header<'a>(request: &'a mut Request, name: &str) -> &'a mut String {
    &mut request.headers.iter_mut().find(|(key, _)| key == name).unwrap().1
}

#[test]
fn a_request_that_was_touched_is_refused() {
    let mut world = World::new(SATURDAY);
    let spoils: [(&str, Spoil, &str); 10] = [
        ("body", |request| request.body[20] ^= 1, "signature-invalid"),
        ("target", |request| request.target = "/v1/payments?x=1".to_owned(), "signature-invalid"),
        ("digest", |request| header(request, "content-digest").replace_range(9..10, "A"), "signature-invalid"),
        ("key", |request| *header(request, "idempotency-key") = format!("\"{}\"", id(77)), "signature-invalid"),
        ("terminal", |request| *header(request, "x-terminal-id") = "T0000002".to_owned(), "signature-invalid"),
        (
            "nonce",
            |request| {
                *header(request, "signature-input") = header(request, "signature-input").replace("nonce-", "nonce_")
            },
            "signature-invalid",
        ),
        (
            "alg",
            |request| {
                *header(request, "signature-input") = header(request, "signature-input").replace("ed25519", "none")
            },
            "signature-invalid",
        ),
        (
            "uncovered",
            |request| {
                *header(request, "signature-input") =
                    header(request, "signature-input").replace(" \"content-digest\"", "")
            },
            "signature-invalid",
        ),
        ("unsigned", |request| request.headers.retain(|(name, _)| name != "signature"), "signature-invalid"),
        (
            "content type",
            |request| *header(request, "content-type") = "text/plain".to_owned(),
            "unsupported-media-type",
        ),
    ];
    for (n, (name, spoil, wanted)) in (1..).zip(spoils) {
        let mut body = world.till.envelope(SATURDAY);
        body["payment"] = world.till.payment(n, "live", 1000, "0000", SATURDAY);
        let mut request = world.till.signed("POST", "/v1/payments", Some(&body), Some(&id(n)), SATURDAY);
        spoil(&mut request);
        let refused = world.sandbox.handle(SATURDAY, &request);
        assert_eq!(code(&refused), wanted, "{name}: {}", json_of(&refused));
        assert!(world.till.believes(&refused), "{name}");
    }
    assert_eq!(world.ledger()["totals"]["payments"], 0);
}

#[test]
fn old_clocks_used_nonces_and_foreign_terminals() {
    let mut world = World::new(SATURDAY);
    for (seconds, status) in [(-301, 401), (-300, 200), (300, 200), (301, 401)] {
        let request = world.till.signed("GET", "/v1/payments", None, None, SATURDAY + seconds * 1000);
        let answer = world.sandbox.handle(SATURDAY, &request);
        assert_eq!(answer.status, status, "{seconds} s");
        if status == 401 {
            assert_eq!(json_of(&answer)["server_time"], "2026-11-21T10:00:00+08:00");
            assert_eq!(answer.header("date"), Some("Sat, 21 Nov 2026 02:00:00 GMT"));
        }
    }
    let request = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(world.sandbox.handle(SATURDAY, &request).status, 200);
    assert_eq!(code(&world.sandbox.handle(SATURDAY + 1000, &request)), "signature-invalid");
    let mut other = World::with(Sandbox::new(config(8, SATURDAY)).unwrap(), Key::ed25519(2), SATURDAY);
    std::mem::swap(&mut other.till, &mut world.till);
    let stranger = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &stranger)), "signature-invalid");
    std::mem::swap(&mut other.till, &mut world.till);
    world.till.terminal = None;
    let nameless = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &nameless)), "terminal-unknown");
    world.till.terminal = Some("T0000009".to_owned());
    let foreign = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &foreign)), "terminal-unknown");
    world.till.terminal = Some("T0000001".to_owned());
    world.admin("POST", "/admin/terminals/T0000001", &json!({"status": "blocked"}));
    let blocked = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &blocked)), "terminal-blocked");
}

#[test]
fn requests_without_sense_get_a_signed_problem() {
    let mut world = World::new(SATURDAY);
    let answers = [
        ("GET", "/v1/nothing", None, None, 404),
        ("GET", "/v1/terminals/T0000002", None, None, 404),
        ("DELETE", "/v1/payments", None, None, 405),
        ("GET", "/v1/settlement/calendar?from=2026-01-01&to=2028-01-01", None, None, 422),
        ("POST", "/v1/payments", Some(json!({})), None, 400),
        ("POST", "/v1/payments", Some(json!({})), Some(id(1)), 422),
        (
            "POST",
            "/v1/payments/inquiries",
            Some(json!({"request_id": id(1), "lookups": [{"ref": "a"}]})),
            Some(id(1)),
            422,
        ),
        (
            "POST",
            "/v1/payments/inquiries",
            Some(json!({"request_id": id(2), "lookups": [{"ref": "a", "rrn": "1"}]})),
            Some(id(1)),
            422,
        ),
    ];
    for (method, target, body, key, status) in answers {
        let answer = world.send(method, target, body.as_ref(), key.as_deref());
        assert_eq!(answer.status, status, "{method} {target}: {}", json_of(&answer));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}
