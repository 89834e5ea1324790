//! A sandbox and a till that is signed on.

use std::collections::BTreeMap;

use sandbox_acquirer::{Config, Request, Response, Sandbox};
use serde_json::{Value, json};

use crate::client::{Till, id, json_of, reversal_id, rfc3339};
use crate::key::Key;

pub(crate) const BASE: &str = "http://acquirer.test";

pub(crate) fn config(seed: u64, start_ms: i64) -> Config {
    Config { seed, start_ms, public_url: Some(BASE.to_owned()), journal: None }
}

/// A sandbox and a till that is signed on.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) till: Till,
    pub(crate) now_ms: i64,
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
