//! A small till of the tests' own: it signs requests and verifies answers by the contract alone.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use sandbox_acquirer::{Config, Request, Response, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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

pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Key {
    pub(crate) fn p256(secret: u8) -> Self {
        Self::P256(p256::ecdsa::SigningKey::from_slice(&[secret; 32]).unwrap())
    }

    pub(crate) fn ed25519(secret: u8) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[secret; 32]))
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::P256(_) => "ecdsa-p256-sha256",
            Self::Ed25519(_) => "ed25519",
        }
    }

    fn jwk(&self) -> (Value, String) {
        match self {
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let bytes = point.as_bytes();
                let (x, y) = (URL_SAFE_NO_PAD.encode(&bytes[1..33]), URL_SAFE_NO_PAD.encode(&bytes[33..65]));
                let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), canonical)
            }
            Self::Ed25519(key) => {
                let x = URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes());
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (json!({"kty": "OKP", "crv": "Ed25519", "x": x}), canonical)
            }
        }
    }

    fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.jwk().1.as_bytes()))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
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

pub(crate) fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

/// A sandbox and a till that is signed on.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) till: Till,
    pub(crate) now_ms: i64,
}

pub(crate) const BASE: &str = "http://acquirer.test";

pub(crate) fn config(seed: u64, start_ms: i64) -> Config {
    Config { seed, start_ms, public_url: Some(BASE.to_owned()), journal: None }
}

impl World {
    pub(crate) fn new(start_ms: i64) -> Self {
        Self::with(Sandbox::new(config(7, start_ms)).unwrap(), Key::ed25519(1), start_ms)
    }

    /// Activates and signs on.
    pub(crate) fn with(sandbox: Sandbox, key: Key, start_ms: i64) -> Self {
        let mut world = Self { sandbox, till: Till::new(key, BASE), now_ms: start_ms };
        let code = world.admin("POST", "/admin/activation-codes", &json!({}));
        let code = world.till.scan(code["activation_code"].as_str().unwrap());
        let keys = world.sandbox.handle(start_ms, &Request::new("GET", "/v1/keys"));
        world.till.learn_keys(&keys);
        let request_id = world.till.fresh();
        let request = world.till.activation(&request_id, &code, start_ms);
        let response = world.sandbox.handle(start_ms, &request);
        assert_eq!(response.status, 201, "{}", json_of(&response));
        world.till.terminal = Some(json_of(&response)["terminal_id"].as_str().unwrap().to_owned());
        world.sign_on();
        world
    }

    pub(crate) fn admin(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.sandbox.handle(self.now_ms, &Request::json(method, path, body));
        assert!(response.status < 300, "{method} {path}: {}", json_of(&response));
        json_of(&response)
    }

    pub(crate) fn ledger(&mut self) -> Value {
        self.admin("GET", "/admin/ledger", &json!({}))
    }

    /// Sets the clock, running what is due.
    pub(crate) fn go(&mut self, to_ms: i64) {
        self.now_ms = to_ms;
        self.admin("PUT", "/admin/clock", &json!({"now_ms": to_ms}));
    }

    /// Sends and verifies the answer's signature.
    pub(crate) fn send(&mut self, method: &str, target: &str, body: Option<&Value>, key: Option<&str>) -> Response {
        let request = self.till.signed(method, target, body, key, self.now_ms);
        let response = self.sandbox.handle(self.now_ms, &request);
        assert!(response.fault.is_some() || self.till.believes(&response), "{method} {target}: not signed");
        response
    }

    pub(crate) fn get(&mut self, target: &str) -> Value {
        let response = self.send("GET", target, None, None);
        assert_eq!(response.status, 200, "{target}: {}", json_of(&response));
        json_of(&response)
    }

    pub(crate) fn sign_on(&mut self) -> Value {
        let (request_id, body) = self.till.sign_on_body();
        let target = format!("/v1/terminals/{}/sign-ons", self.till.terminal.clone().unwrap());
        let response = self.send("POST", &target, Some(&body), Some(&request_id));
        let answer = json_of(&response);
        assert_eq!(response.status, 201, "{answer}");
        self.till.session = answer["session_id"].as_str().unwrap().to_owned();
        self.till.batch = answer["batch_number"].as_str().unwrap().to_owned();
        answer
    }

    pub(crate) fn submit(&mut self, payment: &Value) -> Response {
        let mut body = self.till.envelope(self.now_ms);
        body["payment"] = payment.clone();
        let key = payment["payment_id"].as_str().unwrap().to_owned();
        self.send("POST", "/v1/payments", Some(&body), Some(&key))
    }

    /// Submits a batch; the results by payment id, and their order.
    pub(crate) fn batch(&mut self, items: &[Value]) -> (BTreeMap<String, Value>, Vec<String>) {
        let batch_id = self.till.fresh();
        let mut body = self.till.envelope(self.now_ms);
        body["batch_id"] = json!(batch_id);
        body["items"] = json!(items);
        let response = self.send("POST", "/v1/payments/batch", Some(&body), Some(&batch_id));
        assert_eq!(response.status, 200, "{}", json_of(&response));
        let results = json_of(&response)["results"].as_array().unwrap().clone();
        let order = results.iter().map(|result| result["payment_id"].as_str().unwrap().to_owned()).collect();
        (results.into_iter().map(|result| (result["payment_id"].as_str().unwrap().to_owned(), result)).collect(), order)
    }

    /// A live payment that is approved or not; its JSON.
    pub(crate) fn pay(&mut self, n: u32, amount: i64, last_four: &str) -> Value {
        let payment = self.till.payment(n, "live", amount, last_four, self.now_ms);
        json_of(&self.submit(&payment))
    }

    pub(crate) fn inquire(&mut self, lookups: &Value) -> Value {
        let request_id = self.till.fresh();
        let body = json!({"request_id": request_id, "lookups": lookups});
        let response = self.send("POST", "/v1/payments/inquiries", Some(&body), Some(&request_id));
        assert_eq!(response.status, 200, "{}", json_of(&response));
        json_of(&response)["results"].clone()
    }

    pub(crate) fn reverse(&mut self, n: u32, amount: i64) -> Response {
        let reversal_id = reversal_id(&id(n));
        let body = json!({
            "reversal_id": reversal_id, "reason": "timeout", "amount": {"amount": amount, "currency": "CNY"},
            "natural_key": {"batch_number": "000001", "stan": format!("{n:06}"), "captured_on": "2026-11-21"},
            "sent_at": rfc3339(self.now_ms), "attempt": 1,
        });
        self.send("POST", &format!("/v1/payments/{}/reversals", id(n)), Some(&body), Some(&reversal_id))
    }

    /// Every event of the feed so far: type, subject id, subject version.
    pub(crate) fn events(&mut self) -> Vec<(String, String, u64)> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("/v1/events?after={after}&limit=100&wait_s=25"));
            let wrappers = page["data"].as_array().unwrap();
            if wrappers.is_empty() {
                return events;
            }
            for wrapper in wrappers {
                let event = self.till.open_event(wrapper);
                after += 1;
                assert_eq!(event["seq"], after);
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                events.push((
                    text(&event["type"]),
                    text(&event["subject"]["id"]),
                    event["subject"]["version"].as_u64().unwrap(),
                ));
            }
            assert_eq!(page["next_after"], after);
        }
    }

    pub(crate) fn event_kinds(&mut self) -> Vec<String> {
        self.events().into_iter().map(|(kind, ..)| kind).collect()
    }
}

/// `code` of a problem.
pub(crate) fn code(response: &Response) -> String {
    json_of(response)["code"].as_str().unwrap_or("").to_owned()
}
