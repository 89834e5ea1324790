//! Whatever an acquirer, a portal or a push sends, before the engine sees it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use serde_json::{Value as Json, json};
use takings_acquirers::report::{ItemReply, LookupReply, PaymentReport};
use takings_acquirers::{
    ActivationCode, Answer, KeyRing, Operation, Reply, SignedDocument, Value, decode, decode_keys, signed_input,
    verify_event,
};

use crate::edit::edit;
use crate::support;
use crate::tape::Tape;

const STATUSES: &[u16] = &[200, 200, 201, 202, 204, 304, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 0, 65_535];
const TIMES: &[&str] = &[
    "0",
    "1795248001",
    "-1",
    "+1",
    "01",
    "9223372036854775807",
    "-9223372036854775808",
    "1e3",
    "",
    "18446744073709551616",
];
const TEXTS: &[&str] = &[
    "",
    "root",
    "2026a",
    "v1a,",
    "v1a,AAAA v1a,BBBB",
    "\"\"",
    "\"x\"",
    "0",
    "-1",
    "4294967296",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "\u{0}",
    "钱",
];
const HEADERS: &[&str] = &[
    "kid",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "etag",
    "retry-after",
    "idempotent-replayed",
    "content-type",
];

/// First byte: the operation. Second: signed or not, an answer that was changed or the bytes themselves. Third: the status.
/// Then choices, and what is left is the body.
pub fn answers(data: &[u8]) {
    let mut tape = Tape::new(data);
    let mut operations = support::operations();
    let (name, operation) = operations.swap_remove(usize::from(tape.byte()) % operations.len());
    let how = tape.byte();
    let status = *tape.pick(STATUSES);
    let ring = support::key_ring();
    let headers = if how & 4 == 0 { Vec::new() } else { changes(&mut tape) };
    let body = if how & 2 == 0 { changed(name, &operation, &mut tape) } else { tape.rest().to_vec() };

    let mut answer = support::signed(&operation, status, &body);
    if how & 8 == 8 {
        sign_with_time(&operation, &mut answer, tape.pick::<&str>(TIMES));
    }
    if how & 1 == 1 {
        answer.headers.clear();
    }
    for (name, value) in headers {
        answer.headers.insert(0, (name, value));
    }
    judge(&operation, &answer, &ring);
    others(&body, &ring);
}

fn judge(operation: &Operation, answer: &Answer, ring: &KeyRing) {
    let reply = decode(operation, answer, ring);
    assert_eq!(reply, decode(operation, answer, ring), "the same answer is read in two ways");
    if answer.header("webhook-signature").is_none() {
        assert!(!matches!(reply, Reply::Verified(_) | Reply::NotModified), "believed without a signature");
    }
    if let Reply::Problem(problem) = &reply {
        assert!(
            !problem.verified || answer.header("webhook-signature").is_some(),
            "a refusal believed without a signature"
        );
    }
    if let Reply::Verified(verified) = reply {
        fits(operation, &verified.value);
    }
}

/// What is believed is about what was asked.
fn fits(operation: &Operation, value: &Value) {
    let same = |report: &PaymentReport| match operation {
        Operation::Payment(one) => (report.payment_id, report.amount) == (one.payment.payment_id, one.payment.amount),
        Operation::ReadPayment { payment_id, amount } => {
            report.payment_id == *payment_id && amount.is_none_or(|amount| amount == report.amount)
        }
        Operation::Batch(batch) => {
            batch.items.iter().any(|item| (item.payment_id, item.amount) == (report.payment_id, report.amount))
        }
        Operation::Inquire(inquiry) => inquiry.lookups.iter().any(|asked| {
            asked.payment_id == report.payment_id && asked.amount.is_none_or(|amount| amount == report.amount)
        }),
        _ => false,
    };
    match (value, operation) {
        (Value::Payment(report), _) => assert!(same(report), "the report of another payment"),
        (Value::Batch(report), Operation::Batch(batch)) => {
            let asked: Vec<_> = batch.items.iter().map(|item| item.payment_id).collect();
            let told: Vec<_> = report.items.iter().map(|item| item.payment_id).collect();
            assert_eq!(told, asked, "each item asked for has one reply");
            for item in &report.items {
                if let ItemReply::Payment(report) = &item.reply {
                    assert!(report.payment_id == item.payment_id && same(report), "an item's reply is another's");
                }
            }
        }
        (Value::Inquiry(report), Operation::Inquire(inquiry)) => {
            assert_eq!(report.lookups.len(), inquiry.lookups.len(), "each look-up has one reply");
            for lookup in &report.lookups {
                if let LookupReply::Found(report) = &lookup.reply {
                    assert!(report.payment_id == lookup.payment_id && same(report), "a look-up's reply is another's");
                }
            }
        }
        (Value::Reversal(report), Operation::Reverse(asked)) => {
            assert_eq!(report.payment_id, asked.payment_id, "the reversal of another payment");
        }
        _ => {}
    }
}

/// Pushes, kept documents and codes that somebody typed.
fn others(body: &[u8], ring: &KeyRing) {
    assert!(body.len() <= 4_096 || verify_event(body, ring).is_err(), "a push longer than any channel carries");
    let _ = verify_event(body, ring);
    if let Ok(text) = std::str::from_utf8(body) {
        if let Ok(code) = ActivationCode::parse(text) {
            assert_eq!(ActivationCode::parse(&code.to_text()), Ok(code));
        }
        let document = SignedDocument {
            body: text.to_owned(),
            kid: "root".to_owned(),
            message_id: "m".to_owned(),
            timestamp_s: 1,
            signature: "v1a,AAAA".to_owned(),
            etag: None,
        };
        assert!(
            decode_keys(&document, ring).is_err() && ring.verify(&document).is_err(),
            "believed without a signature"
        );
    }
}

/// The right answer to the operation of this name.
fn golden(name: &str) -> Json {
    static ANSWERS: OnceLock<BTreeMap<String, Json>> = OnceLock::new();
    let all = ANSWERS.get_or_init(|| {
        let read = |name: &str| {
            let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../core/acquirers/tests/golden/answers");
            serde_json::from_slice(&std::fs::read(format!("{dir}/{name}.json")).unwrap()).unwrap()
        };
        support::operations().into_iter().map(|(name, _)| (name.to_owned(), read(name))).collect()
    });
    all[name].clone()
}

/// The right answer with some places changed; an event's payload is signed again.
fn changed(name: &str, operation: &Operation, tape: &mut Tape<'_>) -> Vec<u8> {
    let mut body: Json = golden(name);
    let inside = matches!(operation, Operation::Events { .. }) && tape.byte() & 1 == 1;
    for _ in 0..tape.byte() % 6 {
        if inside { change_event(&mut body, tape) } else { edit(&mut body, tape) }
    }
    body.to_string().into_bytes()
}

fn change_event(page: &mut Json, tape: &mut Tape<'_>) {
    let Some(wrapper) = page["data"].as_array_mut().and_then(|events| events.first_mut()) else { return };
    let payload = URL_SAFE_NO_PAD.decode(wrapper["p"].as_str().unwrap_or_default()).unwrap_or_default();
    let mut payload: Json = serde_json::from_slice(&payload).unwrap_or_default();
    edit(&mut payload, tape);
    let payload = payload.to_string().into_bytes();
    let message =
        signed_input(wrapper["id"].as_str().unwrap_or_default(), wrapper["ts"].as_i64().unwrap_or(0), &payload);
    wrapper["p"] = json!(URL_SAFE_NO_PAD.encode(&payload));
    wrapper["s"] = json!(URL_SAFE_NO_PAD.encode(support::listed().sign(&message).to_bytes()));
}

fn changes(tape: &mut Tape<'_>) -> Vec<(String, String)> {
    let count = 1 + tape.byte() % 3;
    let one = |tape: &mut Tape<'_>| {
        let name = (*tape.pick(HEADERS)).to_owned();
        let choice = tape.byte();
        let value = match choice % 3 {
            0 => (*tape.pick(TIMES)).to_owned(),
            1 => (*tape.pick(TEXTS)).to_owned(),
            _ => String::from_utf8_lossy(tape.bytes(usize::from(choice / 3))).into_owned(),
        };
        (name, value)
    };
    (0..count).map(|_| one(tape)).collect()
}

/// A signature that holds over another time.
fn sign_with_time(operation: &Operation, answer: &mut Answer, time: &str) {
    use base64::engine::general_purpose::STANDARD;
    let key = if matches!(operation, Operation::Keys) { support::root() } else { support::listed() };
    let message = [b"ans_1.", time.as_bytes(), b".", &answer.body].concat();
    let signature = format!("v1a,{}", STANDARD.encode(key.sign(&message).to_bytes()));
    for (name, value) in &mut answer.headers {
        match name.as_str() {
            "webhook-timestamp" => time.clone_into(value),
            "webhook-signature" => value.clone_from(&signature),
            _ => {}
        }
    }
}
