//! Executes an admitted request.

use serde_json::{Value, json};

use crate::input::{Errors, Fields, quoted_uuid};
use crate::instant::rfc3339;
use crate::message::Request;
use crate::problem::Problem;
use crate::render;
use crate::reply::{Reply, Search};
use crate::routes::Operation;
use crate::sandbox::{BODY_BYTES, Caller, Sandbox, Stored};

impl Sandbox {
    /// The answer to a request whose signature was verified (or needs none).
    pub(crate) fn execute(
        &mut self,
        operation: &Operation,
        caller: Option<&Caller>,
        request: &Request,
    ) -> Result<Reply, Problem> {
        match (operation, caller) {
            (Operation::Capabilities, _) => Ok(capabilities()),
            (Operation::Keys, _) => Ok(self.key_set()),
            (Operation::Health, _) => Ok(self.health()),
            (Operation::Activate, _) => self.activate(request),
            (_, Some(caller)) => self.execute_for(operation, caller, request),
            (_, None) => Err(Problem::new("terminal-unknown")),
        }
    }

    fn execute_for(&mut self, operation: &Operation, caller: &Caller, request: &Request) -> Result<Reply, Problem> {
        let search = Search::of(request.query());
        match operation {
            Operation::Terminal(id) => self.get_terminal(own(caller, id)?),
            Operation::SignOn(id) => self.sign_on(caller, own(caller, id)?, request),
            Operation::RiskPolicy(id) => Ok(self.get_policy(caller, own(caller, id)?)),
            Operation::CreatePayment => self.create_payment(caller, request),
            Operation::ListPayments => self.list_payments(caller, &search),
            Operation::CreateBatch => self.create_batch(caller, request),
            Operation::Inquire => self.inquire(caller, request),
            Operation::Payment(id) => self.get_payment(caller, id),
            Operation::Reverse(id) => self.reverse(caller, id, request),
            Operation::Terms => Ok(self.get_terms(caller)),
            Operation::Calendar => self.get_calendar(&search),
            Operation::ListPayouts => self.list_payouts(caller, &search),
            Operation::Payout(id) => self.get_payout(caller, id),
            Operation::Entries(id) => self.list_entries(caller, id, &search),
            Operation::Events => self.list_events(&caller.merchant_id, &search),
            Operation::Capabilities | Operation::Keys | Operation::Health | Operation::Activate => {
                Err(Problem::not_found())
            }
        }
    }

    fn key_set(&self) -> Reply {
        let body = json!({"keys": self.keys.jwks(), "as_of": rfc3339(self.keys.changed_ms)});
        let mut reply = Reply::json(200, &body).tagged_by_body();
        reply.root = true;
        reply
    }

    fn health(&self) -> Reply {
        let channel =
            |name: &str| self.channels.get(name).cloned().unwrap_or_else(|| json!({"channel": name, "status": "ok"}));
        let channels: Vec<Value> = ["bank_network", "clearing", "payouts"].map(channel).into();
        Reply::json(200, &json!({"as_of": rfc3339(self.now_ms), "channels": channels}))
    }

    fn get_policy(&self, caller: &Caller, terminal_id: &str) -> Reply {
        let mut members = self.policy.current().members.clone();
        members.insert("merchant_id".to_owned(), json!(caller.merchant_id));
        members.insert("terminal_id".to_owned(), json!(terminal_id));
        Reply::json(200, &Value::Object(members)).tagged(&self.policy.etag())
    }

    fn get_terms(&self, caller: &Caller) -> Reply {
        let mut members = self.terms.current().members.clone();
        members.insert("merchant_id".to_owned(), json!(caller.merchant_id));
        Reply::json(200, &Value::Object(members)).tagged(&self.terms.etag())
    }

    fn get_calendar(&self, search: &Search) -> Result<Reply, Problem> {
        let needed = |name: &str| search.date(name)?.ok_or_else(|| Problem::invalid(&format!("/{name}"), "missing"));
        let (from, to) = (needed("from")?, needed("to")?);
        let length = (to - from).num_days();
        if !(0..400).contains(&length) {
            return Err(Problem::invalid("/to", "out_of_range"));
        }
        let days: Vec<Value> =
            from.iter_days().take_while(|date| *date <= to).map(|date| render::day(&self.calendar.day(date))).collect();
        let body = json!({
            "calendar_version": self.calendar.version.to_string(), "timezone": "Asia/Shanghai",
            "published_by": "Sandbox Acquirer", "from": from, "to": to, "days": days,
        });
        Ok(Reply::json(200, &body).tagged(&self.calendar_etag()))
    }

    pub(crate) fn calendar_etag(&self) -> String {
        format!("\"cal-{}\"", self.calendar.version)
    }

    /// The stored first answer of an idempotent request, if there is one and it fits.
    pub(crate) fn replay(
        &self,
        scope: &str,
        operation: &'static str,
        key: &str,
        compared: &str,
    ) -> Result<Option<Reply>, Problem> {
        match self.stored.get(&(scope.to_owned(), operation, key.to_owned())) {
            None => Ok(None),
            Some(stored) if stored.compared == compared => {
                let reply = Reply {
                    status: stored.status,
                    headers: Vec::new(),
                    body: stored.body.clone(),
                    problem: false,
                    root: false,
                };
                Ok(Some(reply.replayed()))
            }
            Some(_) => Err(Problem::new("idempotency-key-reused")),
        }
    }

    /// Keeps the first answer.
    pub(crate) fn store(&mut self, scope: &str, operation: &'static str, key: &str, compared: &str, reply: &Reply) {
        let stored = Stored { compared: compared.to_owned(), status: reply.status, body: reply.body.clone() };
        self.stored.insert((scope.to_owned(), operation, key.to_owned()), stored);
    }
}

fn own<'a>(caller: &Caller, id: &'a str) -> Result<&'a str, Problem> {
    if caller.terminal_id == id { Ok(id) } else { Err(Problem::not_found()) }
}

fn capabilities() -> Reply {
    let body = json!({
        "contract_version": "1.0", "acquirer_name": "Sandbox Acquirer", "timezone": "Asia/Shanghai",
        "currencies": [{"code": "CNY", "exponent": 2}], "algs": ["ecdsa-p256-sha256", "ed25519"],
        "limits": {"batch_items": 100, "inquiry_lookups": 100, "page_items": 200, "body_bytes": BODY_BYTES},
        "features": ["batch", "inquiries", "reversals", "payouts", "events"],
        "keys_url": "/v1/keys", "support": {"phone": "+86 95000"},
    });
    Reply::json(200, &body).tagged_by_body()
}

/// A JSON body, and its idempotency key: the UUID in the header.
pub(crate) fn body_and_key(request: &Request) -> Result<(Value, String), Problem> {
    let body = serde_json::from_slice(&request.body).map_err(|_| Problem::not_json())?;
    match request.header("idempotency-key").and_then(quoted_uuid) {
        Some(key) => Ok((body, key.to_owned())),
        None => Err(Problem::new("idempotency-key-missing")),
    }
}

/// Reads the body with `read`, and demands that the key is the id it found.
pub(crate) fn read_body<T>(
    request: &Request,
    read: impl Fn(&Fields<'_>) -> Option<T>,
    id: impl Fn(&T) -> &str,
    pointer: &str,
) -> Result<T, Problem> {
    let (body, key) = body_and_key(request)?;
    let errors = Errors::default();
    let value = Fields::of(&body, "", &errors).and_then(|fields| read(&fields));
    let value = errors.finish(value)?;
    if id(&value) == key { Ok(value) } else { Err(Problem::invalid(pointer, "not_the_idempotency_key")) }
}
