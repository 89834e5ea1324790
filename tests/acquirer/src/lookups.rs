//! Inquiries and reversals: what a till does when it does not know.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::book::{Arrival, Authorization, Clearing, Payment, Reversal};
use crate::input::{Errors, Fields, Money, is_six_digits, is_uuid};
use crate::instant::rfc3339;
use crate::message::Request;
use crate::operations::{body_and_key, read_body};
use crate::problem::Problem;
use crate::render;
use crate::reply::Reply;
use crate::sandbox::{Caller, Sandbox};

enum Key {
    Payment(String),
    Natural(String, String, String),
    Rrn(String),
}

struct Lookup {
    reference: String,
    key: Key,
    close: bool,
}

struct ReversalRequest {
    reversal_id: String,
    reason: &'static str,
    amount: Money,
}

impl Sandbox {
    /// `POST /v1/payments/inquiries`.
    pub(crate) fn inquire(&mut self, caller: &Caller, request: &Request) -> Result<Reply, Problem> {
        let (body, _) = body_and_key(request)?;
        let read = |fields: &Fields<'_>| {
            let request_id = fields.text("request_id", is_uuid);
            let items = fields.list("lookups", 1, 100);
            Some((request_id?.to_owned(), items?.len()))
        };
        let (request_id, _) = read_body(request, read, |(request_id, _)| request_id, "/request_id")?;
        let lookups = read_lookups(&body)?;
        let compared = body.get("lookups").unwrap_or(&Value::Null).to_string();
        if let Some(reply) = self.replay(&caller.terminal_id, "inquiry", &request_id, &compared)? {
            return Ok(reply);
        }
        let results: Vec<Value> = lookups.iter().map(|lookup| self.look_up(caller, lookup)).collect();
        let reply = Reply::json(200, &json!({"request_id": request_id, "results": results}));
        self.store(&caller.terminal_id, "inquiry", &request_id, &compared, &reply);
        Ok(reply)
    }

    fn look_up(&mut self, caller: &Caller, lookup: &Lookup) -> Value {
        let mine = |payment: &&Payment| payment.terminal_id == caller.terminal_id;
        let found: Vec<&Payment> = match &lookup.key {
            Key::Payment(id) => self.book.payments.get(id).into_iter().filter(mine).collect(),
            Key::Natural(batch, stan, date) => {
                let key =
                    (caller.merchant_id.clone(), caller.terminal_id.clone(), batch.clone(), stan.clone(), date.clone());
                self.book.natural_keys.get(&key).and_then(|id| self.book.payments.get(id)).into_iter().collect()
            }
            Key::Rrn(rrn) => self.book.payments.values().filter(mine).filter(|payment| payment.rrn == *rrn).collect(),
        };
        match found.as_slice() {
            [payment] => json!({"ref": lookup.reference, "outcome": "found", "payment": self.render_payment(payment)}),
            [] => {
                let is_final = self.close(caller, lookup);
                json!({"ref": lookup.reference, "outcome": "not_received", "as_of": rfc3339(self.now_ms), "final": is_final})
            }
            several => {
                let candidates: Vec<&str> =
                    several.iter().take(20).map(|payment| payment.payment_id.as_str()).collect();
                json!({"ref": lookup.reference, "outcome": "ambiguous", "candidates": candidates})
            }
        }
    }

    /// Whether the door is closed to a late original, closing it if that was asked.
    fn close(&mut self, caller: &Caller, lookup: &Lookup) -> bool {
        let Key::Payment(payment_id) = &lookup.key else { return false };
        // A payment of another terminal's is not this one's to close.
        if self.book.payments.contains_key(payment_id) {
            return false;
        }
        let door = (caller.terminal_id.clone(), payment_id.clone());
        if lookup.close {
            self.book.closed.insert(door.clone());
        }
        self.book.closed.contains(&door)
    }

    /// `POST /v1/payments/{payment_id}/reversals`.
    pub(crate) fn reverse(&mut self, caller: &Caller, payment_id: &str, request: &Request) -> Result<Reply, Problem> {
        if !is_uuid(payment_id) {
            return Err(Problem::not_found());
        }
        let asked = read_body(request, read_reversal, |asked| &asked.reversal_id, "/reversal_id")?;
        if let Some(known) = self.book.reversals.get(&asked.reversal_id) {
            let same = known.payment_id == payment_id
                && known.terminal_id == caller.terminal_id
                && known.amount_minor == asked.amount.amount
                && known.currency == asked.amount.currency;
            if !same {
                return Err(Problem::new("idempotency-key-reused"));
            }
            return Ok(Reply::json(200, &self.render_reversal(known)).replayed());
        }
        if derived_reversal_id(payment_id).as_deref() != Some(&asked.reversal_id) {
            return Err(Problem::invalid("/reversal_id", "not_the_payments"));
        }
        let payment =
            self.book.payments.get(payment_id).filter(|payment| payment.terminal_id == caller.terminal_id).cloned();
        let (outcome, response_code) = match payment {
            Some(payment) => self.reverse_known(payment, &asked)?,
            None => {
                self.book.closed.insert((caller.terminal_id.clone(), payment_id.to_owned()));
                ("nothing_to_reverse", "25")
            }
        };
        let reversal = Reversal {
            reversal_id: asked.reversal_id,
            payment_id: payment_id.to_owned(),
            terminal_id: caller.terminal_id.clone(),
            amount_minor: asked.amount.amount,
            currency: asked.amount.currency,
            reason: asked.reason,
            outcome,
            response_code,
            processed_at_ms: self.now_ms,
        };
        self.book.reversals.insert(reversal.reversal_id.clone(), reversal.clone());
        Ok(Reply::json(201, &self.render_reversal(&reversal)))
    }

    fn reverse_known(
        &mut self,
        mut payment: Payment,
        asked: &ReversalRequest,
    ) -> Result<(&'static str, &'static str), Problem> {
        if payment.amount_minor != asked.amount.amount || payment.currency != asked.amount.currency {
            return Err(Problem::invalid("/amount", "not_the_payments"));
        }
        match (payment.authorization, payment.clearing) {
            (Authorization::Declined | Authorization::Referred, _) => Ok(("nothing_to_reverse", "12")),
            (Authorization::Reversed, _) => Ok(("already_reversed", "00")),
            (_, Clearing::Cleared) => Ok(("already_cleared", "22")),
            _ => {
                payment.authorization = Authorization::Reversed;
                payment.clearing = Clearing::None;
                payment.arrival = Arrival::NotEligible;
                payment.expected_date = None;
                payment.batch_date = None;
                payment.why("reversed", "acquirer", "nobody");
                payment.reversals.push(asked.reversal_id.clone());
                payment.touch(self.now_ms);
                self.book.uncleared.remove(&payment.payment_id);
                self.emit_payment("payment.updated", &payment);
                self.book.payments.insert(payment.payment_id.clone(), payment);
                Ok(("reversed", "00"))
            }
        }
    }

    fn render_reversal(&self, reversal: &Reversal) -> Value {
        let payment =
            self.book.payments.get(&reversal.payment_id).filter(|payment| payment.terminal_id == reversal.terminal_id);
        render::reversal(reversal, payment.map(|payment| self.render_payment(payment)))
    }
}

/// The one id a payment's reversal may have: UUID version 8 from SHA-256("reversal" ‖ payment id).
fn derived_reversal_id(payment_id: &str) -> Option<String> {
    let payment = uuid::Uuid::parse_str(payment_id).ok()?;
    let mut hash = Sha256::new();
    hash.update(b"reversal");
    hash.update(payment.as_bytes());
    let mut bytes: [u8; 16] = hash.finalize().get(..16)?.try_into().ok()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Some(uuid::Uuid::from_bytes(bytes).to_string())
}

fn read_reversal(fields: &Fields<'_>) -> Option<ReversalRequest> {
    let reversal_id = fields.text("reversal_id", is_uuid);
    let reason =
        fields.word("reason", &["timeout", "terminal_fault", "bad_response_signature", "customer_cancel", "other"]);
    let amount = fields.money("amount", 1);
    if let Some(key) = fields.object("natural_key") {
        read_natural_key(&key);
    }
    fields.instant("sent_at");
    fields.int("attempt", 1, 1_000_000);
    Some(ReversalRequest { reversal_id: reversal_id?.to_owned(), reason: reason?, amount: amount? })
}

fn read_natural_key(key: &Fields<'_>) -> Option<Key> {
    let batch = key.text("batch_number", is_six_digits);
    let stan = key.text("stan", is_six_digits);
    let date = key.date("captured_on");
    Some(Key::Natural(batch?.to_owned(), stan?.to_owned(), date?.to_owned()))
}

fn read_lookups(body: &Value) -> Result<Vec<Lookup>, Problem> {
    let errors = Errors::default();
    let mut lookups: Vec<Lookup> = Vec::new();
    for (index, item) in body.get("lookups").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let pointer = format!("/lookups/{index}");
        let Some(lookup) = Fields::of(item, &pointer, &errors).and_then(|fields| read_lookup(&fields)) else {
            continue;
        };
        if lookups.iter().any(|other| other.reference == lookup.reference) {
            errors.add(format!("{pointer}/ref"), "twice");
        }
        lookups.push(lookup);
    }
    errors.finish(Some(lookups))
}

fn read_lookup(fields: &Fields<'_>) -> Option<Lookup> {
    let reference = fields.text("ref", |text| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    });
    let close = fields.flag("close_if_unknown");
    let named = ["payment_id", "natural_key", "rrn"].into_iter().filter(|name| fields.has(name)).count();
    if named != 1 {
        fields.error("payment_id", "exactly_one");
        return None;
    }
    let by_id = fields.text_if("payment_id", is_uuid).map(|id| Key::Payment(id.to_owned()));
    let by_natural_key = || fields.object_if("natural_key").and_then(|key| read_natural_key(&key));
    let is_rrn = |text: &str| (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let by_rrn = || fields.text_if("rrn", is_rrn).map(|rrn| Key::Rrn(rrn.to_owned()));
    let key = by_id.or_else(by_natural_key).or_else(by_rrn);
    Some(Lookup { reference: reference?.to_owned(), key: key?, close })
}

#[cfg(test)]
mod tests {
    use super::derived_reversal_id;

    #[test]
    fn a_payment_has_one_reversal_id() {
        let id = derived_reversal_id("019ab2c4-7c00-7000-8000-000000000001").unwrap();
        assert_eq!(id.as_bytes()[14], b'8');
        assert_eq!(derived_reversal_id("019ab2c4-7c00-7000-8000-000000000001"), Some(id));
    }
}
