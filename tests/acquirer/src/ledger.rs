//! `/admin/ledger`: the whole book, as the judge.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

impl Sandbox {
    /// Everything the acquirer and the bank hold. Equal states give equal JSON.
    pub(crate) fn ledger(&self) -> Value {
        let book = &self.book;
        let count = |ids: &mut dyn Iterator<Item = &String>| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for id in ids {
                *counts.entry(id.clone()).or_default() += 1;
            }
            counts
        };
        let authorized = count(&mut book.authorizations.iter().map(|record| &record.payment_id));
        let captured = count(&mut book.captures.iter().map(|record| &record.payment_id));
        let of = |counts: &BTreeMap<String, u32>, id: &str| counts.get(id).copied().unwrap_or(0);
        let payments: Vec<Value> = book
            .payments
            .values()
            .map(|payment| {
                let mut value = json!(payment);
                value["requests"] = json!(of(&book.submissions, &payment.payment_id));
                value["authorizations"] = json!(of(&authorized, &payment.payment_id));
                value["captures"] = json!(of(&captured, &payment.payment_id));
                value
            })
            .collect();
        let natural_keys: Vec<Value> = book
            .natural_keys
            .iter()
            .map(|((merchant, terminal, batch, stan, date), payment)| {
                json!({
                    "merchant_id": merchant, "terminal_id": terminal, "batch_number": batch, "stan": stan,
                    "captured_on": date, "payment_id": payment,
                })
            })
            .collect();
        let closed: Vec<Value> = book
            .closed
            .iter()
            .map(|(terminal, payment)| json!({"terminal_id": terminal, "payment_id": payment}))
            .collect();
        let list = |values: &mut dyn Iterator<Item = Value>| values.collect::<Vec<Value>>();
        json!({
            "now_ms": self.now_ms,
            "seed": self.seed,
            "merchants": book.merchants,
            "activation_codes": list(&mut book.codes.values().map(|code| json!(code))),
            "terminals": list(&mut book.terminals.values().map(|terminal| json!(terminal))),
            "sessions": book.sessions,
            "payments": payments,
            "natural_keys": natural_keys,
            "submissions": book.submissions,
            "closed": closed,
            "authorizations": book.authorizations,
            "captures": book.captures,
            "reversals": list(&mut book.reversals.values().map(|reversal| json!(reversal))),
            "payouts": list(&mut book.payouts.values().map(|payout| json!(payout))),
            "bank": self.bank_state(),
            "events": self.feeds.summary(),
            "requests": self.requests,
            "contacts": self.contacts,
            "faults": self.faults.rules(),
            "faults_fired": self.faults.fired(),
            "documents": {
                "policy": self.policy.current().version, "terms": self.terms.current().version,
                "calendar": self.calendar.version.to_string(), "kid": self.keys.current(),
            },
            "totals": {
                "payments": book.payments.len(), "authorizations": book.authorizations.len(), "captures": book.captures.len(),
                "reversals": book.reversals.len(), "payouts": book.payouts.len(), "answers": book.counters.answers,
            },
        })
    }
}
