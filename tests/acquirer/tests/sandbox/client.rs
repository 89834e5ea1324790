//! A small till of the tests' own: it signs requests and verifies answers by the contract alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sandbox_acquirer::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::key::Key;

/// Saturday 2026-11-21, 10:00 in Shanghai.
pub(crate) const SATURDAY: i64 = 1_795_226_400_000;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Milliseconds of an RFC 3339 instant.
pub(crate) fn ms(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

pub(crate) fn rfc3339(ms: i64) -> String {
    let zone = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
    chrono::DateTime::from_timestamp_millis(ms).unwrap().with_timezone(&zone).to_rfc3339()
}

/// The n-th payment id of a test.
pub(crate) fn id(n: u32) -> String {
    format!("019ab2c4-7c00-7000-8000-{n:012x}")
}

pub(crate) fn reversal_id(payment_id: &str) -> String {
    let payment = uuid::Uuid::parse_str(payment_id).unwrap();
    let mut hash = Sha256::new();
    hash.update(b"reversal");
    hash.update(payment.as_bytes());
    let mut bytes: [u8; 16] = hash.finalize()[..16].try_into().unwrap();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    uuid::Uuid::from_bytes(bytes).to_string()
}

pub(crate) fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

/// `code` of a problem.
pub(crate) fn code(response: &Response) -> String {
    json_of(response)["code"].as_str().unwrap_or("").to_owned()
}

/// A device: its key, and what it learnt.
pub(crate) struct Till {
    pub(crate) key: Key,
    pub(crate) base_url: String,
    pub(crate) terminal: Option<String>,
    pub(crate) session: String,
    pub(crate) batch: String,
    pub(crate) root: Option<ed25519_dalek::VerifyingKey>,
    pub(crate) keys: BTreeMap<String, ed25519_dalek::VerifyingKey>,
    nonce: u64,
    operations: u32,
}

impl Till {
    pub(crate) fn new(key: Key, base_url: &str) -> Self {
        Self {
            key,
            base_url: base_url.to_owned(),
            terminal: None,
            session: String::new(),
            batch: String::new(),
            root: None,
            keys: BTreeMap::new(),
            nonce: 0,
            operations: 0,
        }
    }

    /// A fresh id for an operation or a batch.
    pub(crate) fn fresh(&mut self) -> String {
        self.operations += 1;
        format!("019ab2c4-7c00-7000-9000-{:012x}", self.operations)
    }

    /// A signed request, `created` at `now_ms`.
    pub(crate) fn signed(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
        now_ms: i64,
    ) -> Request {
        let mut request = Request::new(method, target);
        let mut put = |name: &str, value: String| request.headers.push((name.to_owned(), value));
        put("host", self.base_url.trim_start_matches("http://").to_owned());
        let mut base = format!("\"@method\": {method}\n\"@target-uri\": {}{target}\n", self.base_url);
        let mut names = vec!["\"@method\"", "\"@target-uri\""];
        if let Some(body) = body {
            let bytes = body.to_string().into_bytes();
            let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
            base.push_str(&format!("\"content-digest\": {digest}\n"));
            names.push("\"content-digest\"");
            put("content-type", "application/json".to_owned());
            put("content-digest", digest);
            request.body = bytes;
        }
        let mut put = |name: &str, value: String| request.headers.push((name.to_owned(), value));
        if let Some(key) = key {
            base.push_str(&format!("\"idempotency-key\": \"{key}\"\n"));
            names.push("\"idempotency-key\"");
            put("idempotency-key", format!("\"{key}\""));
        }
        if let Some(terminal) = &self.terminal {
            base.push_str(&format!("\"x-terminal-id\": {terminal}\n"));
            names.push("\"x-terminal-id\"");
            put("x-terminal-id", terminal.clone());
        }
        self.nonce += 1;
        let parameters = format!(
            "({});created={};nonce=\"nonce-{:012}\";alg=\"{}\";keyid=\"{}\"",
            names.join(" "),
            now_ms.div_euclid(1000),
            self.nonce,
            self.key.alg(),
            self.key.thumbprint()
        );
        base.push_str(&format!("\"@signature-params\": {parameters}"));
        put("signature-input", format!("sig1={parameters}"));
        put("signature", format!("sig1=:{}:", STANDARD.encode(self.key.sign(base.as_bytes()))));
        request
    }

    pub(crate) fn activation(&mut self, request_id: &str, code: &str, now_ms: i64) -> Request {
        let body = json!({
            "request_id": request_id, "activation_code": code, "alg": self.key.alg(), "public_key": self.key.jwk().0,
            "device": {"app_version": "0.1.0", "platform": "test"},
        });
        self.signed("POST", "/v1/terminals", Some(&body), Some(request_id), now_ms)
    }

    /// Splits a whole activation code, checking it, and keeps the root key.
    pub(crate) fn scan(&mut self, activation_code: &str) -> String {
        let parts: Vec<&str> = activation_code.split('.').collect();
        let head = format!("{}.{}", parts[0], parts[1]);
        let digest = Sha256::digest(head.as_bytes());
        let checksum: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(checksum, parts[2]);
        let root: [u8; 32] = URL_SAFE_NO_PAD.decode(parts[1]).unwrap().try_into().unwrap();
        self.root = Some(ed25519_dalek::VerifyingKey::from_bytes(&root).unwrap());
        parts[0].to_owned()
    }

    /// Whether an answer is signed by a key this till believes.
    pub(crate) fn believes(&self, response: &Response) -> bool {
        let header = |name: &str| response.header(name).unwrap_or("");
        let kid = header("kid");
        let key = if kid == "root" { self.root } else { self.keys.get(kid).copied() };
        let message =
            [format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes(), &response.body].concat();
        let signature = header("webhook-signature").strip_prefix("v1a,").and_then(|text| STANDARD.decode(text).ok());
        match (key, signature.and_then(|bytes| ed25519_dalek::Signature::from_slice(&bytes).ok())) {
            (Some(key), Some(signature)) => key.verify_strict(&message, &signature).is_ok(),
            _ => false,
        }
    }

    /// The event in a wrapper, verified.
    pub(crate) fn open_event(&self, wrapper: &Value) -> Value {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(wrapper[name].as_str().unwrap()).unwrap();
        let payload = bytes("p");
        let head = format!("{}.{}.", wrapper["id"].as_str().unwrap(), wrapper["ts"]);
        let message = [head.as_bytes(), &payload].concat();
        let signature = ed25519_dalek::Signature::from_slice(&bytes("s")).unwrap();
        self.keys[wrapper["kid"].as_str().unwrap()].verify_strict(&message, &signature).unwrap();
        serde_json::from_slice(&payload).unwrap()
    }

    /// Takes the listed keys from an answer of `/v1/keys`.
    pub(crate) fn learn_keys(&mut self, response: &Response) {
        assert_eq!(response.header("kid"), Some("root"));
        assert!(self.believes(response));
        self.keys.clear();
        for key in json_of(response)["keys"].as_array().unwrap() {
            let x: [u8; 32] = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap().try_into().unwrap();
            self.keys
                .insert(key["kid"].as_str().unwrap().to_owned(), ed25519_dalek::VerifyingKey::from_bytes(&x).unwrap());
        }
    }

    pub(crate) fn sign_on_body(&mut self) -> (String, Value) {
        let request_id = self.fresh();
        let body = json!({
            "request_id": request_id, "app_version": "0.1.0", "device_time": "2026-11-21T10:00:00+08:00",
            "queue": {"count": 0, "totals": []},
        });
        (request_id, body)
    }

    /// A submission of the n-th payment, captured at `captured_ms`.
    pub(crate) fn payment(&self, n: u32, kind: &str, amount: i64, last_four: &str, captured_ms: i64) -> Value {
        let mut payment = json!({
            "payment_id": id(n), "kind": kind, "type": "purchase", "amount": {"amount": amount, "currency": "CNY"},
            "batch_number": self.batch, "stan": format!("{n:06}"), "captured_at": rfc3339(captured_ms),
            "captured_on": rfc3339(captured_ms)[..10], "entry_mode": "chip",
            "card": {
                "scheme": "unionpay", "masked_pan": format!("622848******{last_four}"), "funding": "unknown",
                "encrypted": {"format": "magtek_dynaflex_arqc", "key_id": "9A00", "data": STANDARD.encode(n.to_be_bytes())},
            },
            "order_reference": format!("order-{n}"), "attempt": 1,
        });
        if kind != "live" {
            payment["offline"] = json!({"approved_by": "merchant", "policy_version": "1"});
        }
        payment
    }

    pub(crate) fn envelope(&self, now_ms: i64) -> Value {
        json!({
            "session_id": self.session, "sent_at": rfc3339(now_ms),
            "clock": {"offset_s": 0, "uncertainty_s": 1, "source": "sign_on"},
        })
    }
}
