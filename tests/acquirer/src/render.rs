//! The contract's JSON for what the books hold.

use serde_json::{Map, Value, json};

use crate::authorise::wording;
use crate::book::{Arrival, Authorization, Book, Clearing, Entry, Payment, Payout, Reversal};
use crate::calendar::{Calendar, Day};
use crate::documents::Versions;
use crate::instant::rfc3339;

/// An object that leaves out what is not known.
struct Object(Map<String, Value>);

impl Object {
    fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self(Map::new()),
        }
    }

    fn put<T: serde::Serialize>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), json!(value));
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

pub(crate) fn money(amount: i64, currency: &str) -> Value {
    json!({"amount": amount, "currency": currency})
}

pub(crate) fn payment(book: &Book, terms: &Versions, calendar: &Calendar, payment: &Payment) -> Value {
    let reversals: Vec<Value> = payment
        .reversals
        .iter()
        .filter_map(|id| book.reversals.get(id))
        .map(|reversal| json!({"reversal_id": reversal.reversal_id, "outcome": reversal.outcome}))
        .collect();
    let mut object = Object::of(json!({
        "payment_id": payment.payment_id, "terminal_id": payment.terminal_id, "kind": payment.kind, "type": payment.type_,
        "amount": money(payment.amount_minor, &payment.currency), "batch_number": payment.batch_number, "stan": payment.stan,
        "captured_at": payment.captured_at, "captured_on": payment.captured_on, "version": payment.version,
        "authorization": payment.authorization, "clearing": payment.clearing, "arrival": payment.arrival, "evidence": payment.evidence,
        "response_code": payment.response_code, "rrn": payment.rrn, "acquirer_payment_id": payment.acquirer_payment_id,
        "received_at": rfc3339(payment.received_at_ms), "updated_at": rfc3339(payment.updated_at_ms),
        "refunds": [], "chargebacks": [], "reversals": reversals,
    }));
    object.put("response_text", wording(&payment.response_code).map(|(zh, en)| json!({"zh": zh, "en": en})));
    object.put("order_reference", payment.order_reference.as_ref());
    object.put("auth_code", payment.auth_code.as_ref());
    object.put("approved_amount", payment.approved_minor.map(|amount| money(amount, &payment.currency)));
    object.put("accepted_at", payment.accepted_at_ms.map(rfc3339));
    object.put("reason", payment.reason.as_ref());
    object.put("source", payment.source);
    object.put("acts", payment.acts);
    object.put("payout_id", payment.payout_id.as_ref());
    if let (Some(gross), Some(fee), Some(net)) = (payment.gross_minor, payment.fee_minor, payment.net_minor) {
        let currency = &payment.currency;
        object.put(
            "entry",
            Some(json!({"gross": money(gross, currency), "fee": money(fee, currency), "net": money(net, currency)})),
        );
    }
    if payment.arrival != Arrival::NotEligible {
        object.put(
            "expected_arrival",
            payment.expected_date.map(|date| {
                let day = calendar.day(date);
                json!({
                    "date": date, "earliest": date, "latest": date,
                    "basis": terms.numbered(payment.terms_number).basis_text(), "provisional": day.provisional,
                })
            }),
        );
    }
    object.done()
}

pub(crate) fn reversal(reversal: &Reversal, payment: Option<Value>) -> Value {
    let mut object = Object::of(json!({
        "reversal_id": reversal.reversal_id, "payment_id": reversal.payment_id,
        "amount": money(reversal.amount_minor, &reversal.currency), "outcome": reversal.outcome,
        "response_code": reversal.response_code, "processed_at": rfc3339(reversal.processed_at_ms),
    }));
    object.put("payment", payment);
    object.done()
}

pub(crate) fn payout(payout: &Payout, account: Option<&Value>) -> Value {
    let money = |amount: i64| money(amount, &payout.currency);
    let mut object = Object::of(json!({
        "payout_id": payout.payout_id, "version": payout.version, "type": payout.type_,
        "direction": "credit", "status": payout.status, "method": "bank_transfer",
        "gross": money(payout.gross_minor), "fee": money(payout.fee_minor), "tax": money(0),
        "adjustments": money(payout.adjustments_minor), "withheld": money(0), "net": money(payout.net_minor),
        "entry_count": payout.entries.len(), "business_date": payout.business_date,
        "period": {"from": rfc3339(payout.period_ms.0), "to": rfc3339(payout.period_ms.1)},
        "created_at": rfc3339(payout.created_at_ms), "updated_at": rfc3339(payout.updated_at_ms),
        "expected_arrival_date": payout.payout_date, "end_to_end_id": payout.end_to_end_id,
        "statement_text": format!("SANDBOX ACQUIRER {}", payout.end_to_end_id), "evidence": payout.evidence,
    }));
    object.put("sent_at", payout.sent_at_ms.map(rfc3339));
    object.put("arrived_at", payout.arrived_at_ms.map(rfc3339));
    object.put("returned_at", payout.returned_at_ms.map(rfc3339));
    object.put("bank_reference", payout.bank_reference.as_ref());
    object.put("account", account);
    object.put("failure", payout.failure.as_ref().map(|(code, at_ms)| json!({"code": code, "at": rfc3339(*at_ms)})));
    object.put("reissue_of", payout.reissue_of.as_ref());
    object.put("reissued_by", payout.reissued_by.as_ref());
    object.done()
}

pub(crate) fn entry(payout: &Payout, entry: &Entry) -> Value {
    let money = |amount: i64| money(amount, &payout.currency);
    let mut object = Object::of(json!({
        "entry_id": entry.entry_id, "payout_id": payout.payout_id, "type": entry.type_,
        "gross": money(entry.gross_minor), "fee": money(entry.fee_minor), "net": money(entry.net_minor),
    }));
    object.put("kind", entry.kind.as_ref());
    object.put("payment_id", entry.payment_id.as_ref());
    object.put("rrn", entry.rrn.as_ref());
    object.put("captured_on", entry.captured_on.as_ref());
    object.put("note", entry.note.as_ref());
    object.done()
}

pub(crate) fn day(day: &Day) -> Value {
    let mut object = Object::of(json!({
        "date": day.date, "business_day": day.kind.open(), "settlement_day": day.settlement_day, "kind": day.kind.id(),
        "status": if day.provisional { "provisional" } else { "official" },
    }));
    object.put("name", day.name);
    object.done()
}

/// What an event about a payment says: thin, no amounts.
pub(crate) fn payment_event_data(payment: &Payment) -> Value {
    let (authorization, clearing, arrival): (Authorization, Clearing, Arrival) =
        (payment.authorization, payment.clearing, payment.arrival);
    json!({"authorization": authorization, "clearing": clearing, "arrival": arrival})
}
