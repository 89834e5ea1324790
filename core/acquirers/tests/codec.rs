//! Requests byte for byte, and what is believed of answers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use takings_acquirers::report::{ItemReply, LookupReply};
use takings_acquirers::signature::{content_digest, signature_base};
use takings_acquirers::{
    Alg, Answer, DeviceSigner, EncodeError, Identity, KeyRing, Method, Operation, Problem, ProblemSlug, Reply,
    SignedRequest, Unverified, Value, decode, decode_keys, encode, verify_event,
};
use takings_domain::{Arrival, Authorization, Clearing, Evidence};

use support::{
    BASE_URL, CONTEXT, assert_golden, cny, device, golden_bytes, identity, key_ring, listed, operation, operations,
    payment_id, root, signed, signed_by,
};

fn golden_answer(name: &str) -> Answer {
    signed(&operation(name), 200, &golden_bytes(&format!("answers/{name}.json")))
}

fn verified(name: &str) -> Value {
    match decode(&operation(name), &golden_answer(name), &key_ring()) {
        Reply::Verified(verified) => verified.value,
        other => panic!("{name}: {other:?}"),
    }
}

fn edited(name: &str, from: &str, to: &str) -> Reply {
    let body = String::from_utf8(golden_bytes(&format!("answers/{name}.json"))).unwrap();
    assert!(body.contains(from), "{name} has no {from}");
    let operation = operation(name);
    decode(&operation, &signed(&operation, 200, body.replace(from, to).as_bytes()), &key_ring())
}

fn unverified(reply: Reply) -> Unverified {
    match reply {
        Reply::Unverified(why) => why,
        other => panic!("believed: {other:?}"),
    }
}

// ---- requests ----

fn request_text(request: &SignedRequest) -> String {
    let mut text = format!("{} {}\n", request.method.as_str(), request.url);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    format!("{text}\n{}\n", String::from_utf8(request.body.clone()).unwrap())
}

#[test]
fn requests_are_the_golden_bytes() {
    let signer = device(Alg::Ed25519);
    for (name, operation) in operations() {
        let request = encode(&operation, &identity(&signer), &CONTEXT).unwrap();
        assert_golden(&format!("requests/{name}.txt"), &request_text(&request));
    }
    let signer = device(Alg::EcdsaP256Sha256);
    let request = encode(&operation("payment"), &identity(&signer), &CONTEXT).unwrap();
    assert_golden("requests/payment_p256.txt", &request_text(&request));
}

/// A verifier as an acquirer would write one: it trusts nothing but the received text.
fn assert_signature_holds(request: &SignedRequest, signer: &dyn DeviceSigner) {
    let header = |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let params = header("signature-input").unwrap().strip_prefix("sig1=").unwrap();
    let names = params[1..params.find(')').unwrap()].split(' ').map(|name| name.trim_matches('"'));
    let components: Vec<(&str, &str)> = names
        .map(|name| match name {
            "@method" => (name, request.method.as_str()),
            "@target-uri" => (name, request.url.as_str()),
            name => (name, header(name).unwrap()),
        })
        .collect();
    let covered: Vec<&str> = components.iter().map(|(name, _)| *name).collect();
    if request.method == Method::Post {
        assert_eq!(&covered[..4], ["@method", "@target-uri", "content-digest", "idempotency-key"]);
        assert_eq!(header("content-digest"), Some(content_digest(&request.body).as_str()));
    }
    let signature = header("signature").unwrap().strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    assert!(signer.public_jwk().verifies(signature_base(&components, params).as_bytes(), &signature));
}

#[test]
fn both_kinds_of_device_key_sign_every_operation() {
    for alg in [Alg::EcdsaP256Sha256, Alg::Ed25519] {
        let signer = device(alg);
        for (name, mut operation) in operations() {
            if let Operation::Activate(activation) = &mut operation {
                activation.public_key = signer.public_jwk();
            }
            let request = encode(&operation, &identity(&signer), &CONTEXT).unwrap();
            if matches!(name, "keys" | "health" | "capabilities") {
                assert!(request.headers.iter().all(|(name, _)| name != "signature"));
            } else {
                assert_signature_holds(&request, &signer);
            }
        }
    }
}

#[test]
fn what_the_contract_has_no_room_for_is_not_sent() {
    let signer = device(Alg::Ed25519);
    let refused = |operation: &Operation| encode(operation, &identity(&signer), &CONTEXT).unwrap_err();
    let batch = |change: &dyn Fn(&mut takings_acquirers::SubmitBatch)| {
        let Operation::Batch(mut batch) = operation("batch") else { panic!() };
        change(&mut batch);
        refused(&Operation::Batch(batch))
    };
    let invalid = |field| EncodeError::Invalid { field };
    assert_eq!(batch(&|batch| batch.items.clear()), invalid("items"));
    assert_eq!(batch(&|batch| batch.items[1] = batch.items[0].clone()), invalid("items"));
    assert_eq!(batch(&|batch| batch.items[0].amount = cny(0)), invalid("amount"));
    assert_eq!(batch(&|batch| batch.items[0].stan = 0), invalid("stan"));
    assert_eq!(batch(&|batch| batch.items[0].batch_number = "1".into()), invalid("batch_number"));
    assert_eq!(batch(&|batch| batch.items[0].offline = None), invalid("offline"));
    assert_eq!(batch(&|batch| batch.items[0].order_reference = Some("\n".into())), invalid("order_reference"));
    let nobody = Identity { base_url: BASE_URL, terminal_id: None, signer: &signer };
    assert_eq!(encode(&operation("terms"), &nobody, &CONTEXT).unwrap_err(), EncodeError::NoTerminal);
    let other = device(Alg::EcdsaP256Sha256);
    assert_eq!(encode(&operation("activate"), &identity(&other), &CONTEXT).unwrap_err(), EncodeError::OtherKey);
}

#[test]
fn p8_no_card_data_in_debug_output() {
    let signer = device(Alg::Ed25519);
    let operation = operation("payment");
    let request = encode(&operation, &identity(&signer), &CONTEXT).unwrap();
    let text = format!("{operation:?} {request:?} {signer:?}");
    for secret in ["476173", "3q2+7w", "DEADBEEF", "222, 173"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

// ---- answers ----

#[test]
fn answers_read_as_the_golden_reports() {
    for (name, _) in operations() {
        let text = match verified(name) {
            // What the domain makes of a document is the domain's to test.
            Value::RiskPolicy(document) => format!("{:#?}\npolicy {}\n", document.signed, document.policy.version),
            Value::Terms(document) => format!("{:#?}\nterms {}\n", document.signed, document.terms.version),
            Value::Calendar(document) => format!("{:#?}\ncalendar {}\n", document.signed, document.version),
            value => format!("{value:#?}\n"),
        };
        assert_golden(&format!("replies/{name}.txt"), &text);
    }
}

#[test]
fn unknown_words_count_as_the_contracts_default_and_are_kept() {
    let Value::Payments(page) = verified("list_payments") else { panic!() };
    let payment = &page.payments[0];
    assert_eq!(
        (payment.authorization.value, payment.authorization.raw.as_str()),
        (Authorization::Processing, "pondered")
    );
    assert_eq!((payment.clearing.value, payment.clearing.raw.as_str()), (Clearing::None, "vanished"));
    assert_eq!((payment.arrival.value, payment.arrival.raw.as_str()), (Arrival::Unknown, "teleported"));
    // The merchant's word is the merchant's alone.
    assert_eq!((payment.evidence.value, payment.evidence.raw.as_str()), (Evidence::None, "merchant"));
}

#[test]
fn p3_honest_an_item_is_believed_only_by_id_and_amount() {
    let Value::Batch(batch) = verified("batch") else { panic!() };
    let replies: Vec<_> = batch.items.iter().map(|item| (item.payment_id, &item.reply)).collect();
    assert!(matches!(&replies[0], (id, ItemReply::Payment(payment)) if *id == payment_id(1) && payment.version == 1));
    let refusal = |problem: &Problem| problem.slug == ProblemSlug::OfflineTooOld && problem.verified;
    assert!(matches!(&replies[1], (_, ItemReply::Problem(problem)) if refusal(problem)));
    assert_eq!(replies[2].1, &ItemReply::Unverified(Unverified::Mismatch { field: "amount" }));
    assert_eq!(replies[3].1, &ItemReply::Missing);
    assert_eq!(replies.len(), 4);
}

#[test]
fn p3_honest_an_item_answered_twice_stays_in_doubt() {
    let body = String::from_utf8(golden_bytes("answers/batch.json")).unwrap();
    let twice = body.replace("0000000009\",\"http_status\":201", "0000000001\",\"http_status\":201");
    assert_ne!(twice, body);
    let operation = operation("batch");
    let Reply::Verified(reply) = decode(&operation, &signed(&operation, 200, twice.as_bytes()), &key_ring()) else {
        panic!()
    };
    let Value::Batch(batch) = reply.value else { panic!() };
    assert_eq!(batch.items[0].reply, ItemReply::Missing);
}

#[test]
fn an_inquiry_answers_for_each_payment() {
    let Value::Inquiry(inquiry) = verified("inquiry") else { panic!() };
    assert!(matches!(&inquiry.lookups[0].reply, LookupReply::Found(payment) if payment.payment_id == payment_id(1)));
    let as_of_ms = 1_795_248_180_000;
    assert_eq!(inquiry.lookups[1].reply, LookupReply::NotReceived { as_of_ms, is_final: true });
    assert_eq!(inquiry.lookups[2].reply, LookupReply::Missing);
}

#[test]
fn p2_once_a_signed_answer_about_something_else_is_not_believed() {
    let mismatch = |field| Unverified::Mismatch { field };
    let other = ("019ab2c4-7c00-7000-8000-000000000001", "019ab2c4-7c00-7000-8000-000000000002");
    let amount = ("\"amount\":{\"amount\":12800,", "\"amount\":{\"amount\":12801,");
    let currency =
        ("\"amount\":{\"amount\":12800,\"currency\":\"CNY\"", "\"amount\":{\"amount\":12800,\"currency\":\"USD\"");
    let approved = ("\"approved_amount\":{\"amount\":12800,", "\"approved_amount\":{\"amount\":12801,");
    for (name, (from, to), why) in [
        ("payment", other, "payment_id"),
        ("payment", amount, "amount"),
        ("payment", currency, "currency"),
        ("payment", approved, "approved_amount"),
        ("read_payment", other, "payment_id"),
        ("read_payment", amount, "amount"),
        ("reversal", other, "payment_id"),
        ("reversal", amount, "amount"),
        ("reversal", ("40ad0794", "40ad0795"), "reversal_id"),
        ("batch", ("0000000000d1", "0000000000d2"), "batch_id"),
        ("inquiry", ("0000000000c1", "0000000000c2"), "request_id"),
        ("sign_on", ("0000000000b1", "0000000000b2"), "request_id"),
        ("activate", ("0000000000a1", "0000000000a2"), "request_id"),
        ("activate", ("\"key_thumbprint\":\"", "\"key_thumbprint\":\"x"), "key_thumbprint"),
        ("read_payout", ("po_20261123_1", "po_20261123_2"), "payout_id"),
        (
            "read_payout",
            ("\"fee\":{\"amount\":-64,\"currency\":\"CNY\"", "\"fee\":{\"amount\":-64,\"currency\":\"USD\""),
            "currency",
        ),
        ("payout_entries", ("po_20261123_1\",\"type", "po_20261123_2\",\"type"), "payout_id"),
        ("calendar", ("\"to\":\"2026-02-15\"", "\"to\":\"2026-02-16\""), "from"),
        ("events", ("\"next_after\":7", "\"next_after\":5"), "next_after"),
    ] {
        assert_eq!(unverified(edited(name, from, to)), mismatch(why), "{name} {why}");
    }
}

#[test]
fn values_outside_the_contract_are_not_believed() {
    for (name, from, to) in [
        ("payment", "\"amount\":12800", "\"amount\":12800.0"),
        ("payment", "\"amount\":12800", "\"amount\":9007199254740993"),
        ("payment", "\"version\":1", "\"version\":0"),
        ("payment", "\"updated_at\":\"2026-11-21T", "\"updated_at\":\"21.11.2026 "),
        ("payment", "\"T0000001\"", "\"T\\u0000\""),
        ("payment", "\"version\":1,", ""),
        ("payment", "\"version\":1,", "\"version\":1,\"version\":2,"),
        ("sign_on", "\"000001\"", "\"00001\""),
        ("keys", "\"2026a\"", "\"root\""),
        ("risk_policy", "\"max_age_h\":72,", ""),
    ] {
        assert!(matches!(unverified(edited(name, from, to)), Unverified::Malformed { .. }), "{name} {to}");
    }
}

#[test]
fn unsigned_answers_only_ever_delay() {
    let ring = key_ring();
    let portal = |status| Answer { status, headers: Vec::new(), body: b"<html>log in</html>".to_vec() };
    let problem = |status: u16, code: &str| Answer {
        status,
        headers: vec![("retry-after".into(), "7".into())],
        body: format!(r#"{{"type":"x","title":"x","status":{status},"code":"{code}","retry":"never"}}"#).into_bytes(),
    };
    for (name, operation) in operations() {
        let plain = Answer { headers: Vec::new(), ..golden_answer(name) };
        assert_eq!(decode(&operation, &plain, &ring), Reply::Unverified(Unverified::NoSignature), "{name}");
        for status in [200, 201, 301, 302, 304, 400, 403, 404, 409, 422, 500, 502, 504] {
            let reply = decode(&operation, &portal(status), &ring);
            assert_eq!(reply, Reply::Unverified(Unverified::NoSignature), "{name} {status}");
        }
        for (status, code) in [(409, "duplicate-transaction"), (409, "late-original"), (422, "validation"), (403, "x")]
        {
            assert!(matches!(decode(&operation, &problem(status, code), &ring), Reply::Unverified(_)));
        }
        for status in [401, 429, 503] {
            let Reply::Problem(heard) = decode(&operation, &portal(status), &ring) else { panic!("{status}") };
            assert!(!heard.verified && heard.http == status);
        }
        for slug in ["terminal-not-signed-on", "batch-mismatch", "keys-rotated"] {
            let Reply::Problem(heard) = decode(&operation, &problem(409, slug), &ring) else { panic!("{slug}") };
            assert!(heard.slug.is_session() && !heard.verified);
            assert_eq!(heard.retry_after_s, Some(7));
        }
    }
}

#[test]
fn a_signed_refusal_is_read_and_fits_one_request_only() {
    let operation = operation("payment");
    let body = |instance: &str| {
        format!(
            r#"{{"type":"x","title":"x","status":409,"code":"duplicate-transaction","retry":"never",{instance}
            "payment_id":"019ab2c4-7c00-7000-8000-000000000009","retry_after_s":9999999}}"#
        )
    };
    let read = |instance: &str, status| {
        decode(&operation, &signed(&operation, status, body(instance).as_bytes()), &key_ring())
    };
    let Reply::Problem(problem) = read("", 409) else { panic!() };
    assert!(problem.verified);
    assert_eq!(problem.slug, ProblemSlug::DuplicateTransaction);
    assert_eq!(problem.existing_payment_id, Some(payment_id(9)));
    assert_eq!(problem.retry_after_s, Some(86_400));
    let ours = r#""instance":"urn:uuid:019ab2c4-7c00-7000-8000-000000000001","#;
    assert!(matches!(read(ours, 409), Reply::Problem(_)));
    let other = r#""instance":"urn:uuid:019ab2c4-7c00-7000-8000-000000000002","#;
    assert_eq!(unverified(read(other, 409)), Unverified::Mismatch { field: "instance" });
    assert_eq!(unverified(read("", 422)), Unverified::Mismatch { field: "status" });
    assert_eq!(unverified(read("", 302)), Unverified::UnexpectedStatus { status: 302 });
}

#[test]
fn not_modified_needs_a_question_and_a_signature() {
    let policy = operation("risk_policy");
    assert_eq!(decode(&policy, &signed(&policy, 304, b""), &key_ring()), Reply::NotModified);
    let terms = operation("terms");
    assert!(matches!(decode(&terms, &signed(&terms, 304, b""), &key_ring()), Reply::Unverified(_)));
}

// ---- keys ----

#[test]
fn only_the_root_signs_keys_and_it_signs_nothing_else() {
    let body = golden_bytes("answers/keys.json");
    let keys = operation("keys");
    let mut ring = KeyRing::new(root().verifying_key().to_bytes());
    let by_listed = signed_by("2026a", &listed(), 200, &body);
    assert!(matches!(decode(&keys, &by_listed, &key_ring()), Reply::Unverified(Unverified::UnknownKey { .. })));
    let terms = operation("terms");
    let by_root = signed_by("root", &root(), 200, &golden_bytes("answers/terms.json"));
    assert!(matches!(decode(&terms, &by_root, &key_ring()), Reply::Unverified(Unverified::UnknownKey { .. })));

    let unknown = Unverified::UnknownKey { kid: "2026a".into() };
    assert_eq!(decode(&terms, &golden_answer("terms"), &ring), Reply::Unverified(unknown));
    let Reply::Verified(reply) = decode(&keys, &signed(&keys, 200, &body), &ring) else { panic!() };
    let Value::Keys(set) = reply.value else { panic!() };
    assert_eq!(decode_keys(&set.signed, &ring).as_ref(), Ok(&set.keys));
    ring.replace(set.keys);
    let Reply::Verified(reply) = decode(&terms, &golden_answer("terms"), &ring) else { panic!() };
    let Value::Terms(document) = reply.value else { panic!() };
    assert_eq!(ring.verify(&document.signed), Ok(()));
    let mut changed = document.signed;
    changed.body = changed.body.replace("0.0050", "0.0005");
    assert_eq!(ring.verify(&changed), Err(Unverified::BadSignature));
    ring.replace(Vec::new());
    assert!(matches!(decode(&terms, &golden_answer("terms"), &ring), Reply::Unverified(Unverified::UnknownKey { .. })));
}

// ---- events ----

const EVENT: &str = concat!(
    r#"{"id":"evt_01JD0000000000000000000001","type":"payment.arrived","timestamp":"2026-11-23T02:15:00Z","#,
    r#""merchant_id":"m_1","seq":7,"subject":{"kind":"payment","id":"0193a1b2-0000-7000-8000-000000000001","#,
    r#""version":7},"data":{"arrival":"arrived","evidence":"acquirer"}}"#
);

fn wrapped(id: &str, signature: &[u8]) -> Vec<u8> {
    let (payload, signature) = (URL_SAFE_NO_PAD.encode(EVENT), URL_SAFE_NO_PAD.encode(signature));
    format!(r#"{{"v":1,"kid":"2026a","id":"{id}","ts":1795400100,"p":"{payload}","s":"{signature}"}}"#).into_bytes()
}

#[test]
fn a_push_is_verified_by_the_published_vector() {
    let signature = "9OHA62ptdPA1pysPqfVPO35b0bKPtCgAgF6T6etFdZZWy4gxX+seoEmNydpr6wNbFy2mDmZ7z6IdMwAMyxhaBw==";
    let signature = STANDARD.decode(signature).unwrap();
    let event = verify_event(&wrapped("evt_01JD0000000000000000000001", &signature), &key_ring()).unwrap();
    assert_eq!((event.seq, event.event_type.as_str(), event.subject.version), (7, "payment.arrived", 7));
    let other = wrapped("evt_01JD0000000000000000000002", &signature);
    assert_eq!(verify_event(&other, &key_ring()), Err(Unverified::BadSignature));
    let id = "evt_other";
    let resigned = listed().sign(&takings_acquirers::signed_input(id, 1_795_400_100, EVENT.as_bytes())).to_bytes();
    assert_eq!(verify_event(&wrapped(id, &resigned), &key_ring()), Err(Unverified::Mismatch { field: "id" }));
    assert_eq!(verify_event(&[b' '; 5000], &key_ring()), Err(Unverified::TooLarge));
}

#[test]
fn an_event_that_does_not_verify_is_left_out_of_its_page() {
    let Reply::Verified(reply) = edited("events", "\"s\":\"9O", "\"s\":\"8O") else { panic!() };
    let Value::Events(page) = reply.value else { panic!() };
    assert_eq!((page.events.len(), page.rejected), (0, vec![Unverified::BadSignature]));
}

// ---- whatever comes ----

fn flipped(answer: &Answer, at: usize, mask: u8) -> Option<Answer> {
    let mut changed = answer.clone();
    if at < changed.body.len() {
        changed.body[at] ^= mask;
        return Some(changed);
    }
    let mut at = at - changed.body.len();
    for (name, value) in &mut changed.headers {
        let sealed = matches!(name.as_str(), "kid" | "webhook-id" | "webhook-timestamp" | "webhook-signature");
        if sealed && at < value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[at] ^= mask & 0x7F;
            *value = String::from_utf8(bytes).ok()?;
            return Some(changed);
        }
        at = at.saturating_sub(if sealed { value.len() } else { 0 });
    }
    None
}

#[test]
fn one_changed_byte_anywhere_and_nothing_is_believed() {
    let ring = key_ring();
    for (name, operation) in operations() {
        let answer = golden_answer(name);
        let sealed = answer.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        // Every byte of the seal; of the body every 37th: a signature check each.
        let places = (0..answer.body.len()).step_by(37).chain(answer.body.len()..answer.body.len() + sealed);
        for at in places {
            let Some(changed) = flipped(&answer, at, 1) else { continue };
            assert!(matches!(decode(&operation, &changed, &ring), Reply::Unverified(_)), "{name} byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic_and_are_never_believed(
        status in 100_u16..600,
        body in proptest::collection::vec(any::<u8>(), 0..400),
        headers in proptest::collection::vec(("[a-z-]{0,20}|kid|webhook-id|webhook-signature", "\\PC{0,40}"), 0..8),
    ) {
        let answer = Answer { status, headers, body };
        for (_, operation) in operations() {
            let reply = decode(&operation, &answer, &key_ring());
            prop_assert!(!matches!(reply, Reply::Verified(_) | Reply::NotModified), "{reply:?}");
        }
        let _ = verify_event(&answer.body, &key_ring());
    }

    /// The same with a good signature: a hostile or broken acquirer may be refused, never crash us.
    #[test]
    fn signed_nonsense_never_panics(
        which in 0_usize..19,
        cut in 0_usize..1000,
        noise in proptest::collection::vec(any::<u8>(), 0..24),
        status in prop_oneof![Just(200_u16), Just(304), Just(409), Just(503)],
    ) {
        let (name, operation) = operations().swap_remove(which);
        let mut body = golden_bytes(&format!("answers/{name}.json"));
        let at = body.len() * cut / 1000;
        body.splice(at..(at + noise.len()).min(body.len()), noise);
        let _ = decode(&operation, &signed(&operation, status, &body), &key_ring());
    }

    #[test]
    fn another_key_is_never_believed(seed in any::<[u8; 32]>()) {
        let operation = operation("payment");
        let answer = signed_by("2026a", &SigningKey::from_bytes(&seed), 200, &golden_bytes("answers/payment.json"));
        prop_assert_eq!(decode(&operation, &answer, &key_ring()), Reply::Unverified(Unverified::BadSignature));
    }
}
