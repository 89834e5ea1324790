//! The acquirer's and the bank's books, as `/admin/ledger` of the sandbox gives them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// After so long the bank answers for cards ending in 0068.
const LATER_MS: i64 = 120_000;

/// A payment as the acquirer holds it. Times are milliseconds UTC, amounts minor units.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BookPayment {
    pub(super) payment_id: String,
    pub(super) merchant_id: String,
    pub(super) terminal_id: String,
    pub(super) kind: String,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) batch_number: String,
    pub(super) stan: String,
    pub(super) captured_at_ms: i64,
    pub(super) captured_on: String,
    pub(super) entry_mode: String,
    pub(super) scheme: String,
    pub(super) last_four: String,
    pub(super) policy_version: Option<String>,
    pub(super) order_reference: Option<String>,
    pub(super) authorization: String,
    pub(super) clearing: String,
    pub(super) arrival: String,
    pub(super) response_code: String,
    pub(super) rrn: String,
    pub(super) auth_code: Option<String>,
    pub(super) approved_minor: Option<i64>,
    pub(super) received_at_ms: i64,
    pub(super) accepted_at_ms: Option<i64>,
    pub(super) updated_at_ms: i64,
    pub(super) payout_id: Option<String>,
    pub(super) gross_minor: Option<i64>,
    pub(super) fee_minor: Option<i64>,
    pub(super) net_minor: Option<i64>,
    pub(super) expected_date: Option<String>,
    pub(super) authorizations: u32,
    pub(super) captures: u32,
}

impl BookPayment {
    pub(super) fn is_approved(&self) -> bool {
        matches!(self.authorization.as_str(), "approved" | "partially_approved")
    }

    pub(super) fn is_declined(&self) -> bool {
        matches!(self.authorization.as_str(), "declined" | "referred")
    }

    pub(super) fn is_open(&self) -> bool {
        self.authorization == "processing"
    }
}

/// One time the bank was asked.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Authorization {
    pub(super) at_ms: i64,
    pub(super) payment_id: String,
    pub(super) last_four: String,
    pub(super) amount_minor: i64,
    pub(super) response_code: String,
}

/// One time a payment was handed to clearing.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Capture {
    pub(super) at_ms: i64,
    pub(super) payment_id: String,
    pub(super) amount_minor: i64,
}

/// An answered reversal.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reversal {
    pub(super) reversal_id: String,
    pub(super) payment_id: String,
    pub(super) terminal_id: String,
    pub(super) amount_minor: i64,
    pub(super) outcome: String,
    pub(super) processed_at_ms: i64,
}

/// A line of a payout; a fee is negative.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) entry_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) payment_id: Option<String>,
    pub(super) gross_minor: i64,
    pub(super) fee_minor: i64,
    pub(super) net_minor: i64,
}

/// A payout; its fee is negative.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Payout {
    pub(super) payout_id: String,
    pub(super) merchant_id: String,
    pub(super) status: String,
    pub(super) gross_minor: i64,
    pub(super) fee_minor: i64,
    pub(super) net_minor: i64,
    pub(super) business_date: String,
    pub(super) payout_date: String,
    pub(super) created_at_ms: i64,
    pub(super) sent_at_ms: Option<i64>,
    pub(super) arrived_at_ms: Option<i64>,
    pub(super) failure: Option<(String, i64)>,
    pub(super) end_to_end_id: String,
    pub(super) evidence: String,
    pub(super) reissue_of: Option<String>,
    pub(super) reissued_by: Option<String>,
    pub(super) plan: Option<Value>,
    pub(super) entries: Vec<Entry>,
}

impl Payout {
    /// When it first stood so, if it ever did, milliseconds UTC.
    pub(super) fn reached_ms(&self, status: &str) -> Option<i64> {
        match status {
            "created" => Some(self.created_at_ms),
            "sent" => self.sent_at_ms,
            "arrived" => self.arrived_at_ms,
            "failed" | "returned" => self.failure.as_ref().filter(|_| self.status == status).map(|(_, at_ms)| *at_ms),
            _ => None,
        }
    }

    /// On whose word it arrived when it did.
    pub(super) fn evidence_of_arrival(&self) -> &'static str {
        let action = self.plan.as_ref().and_then(|plan| plan.get("action")).and_then(Value::as_str);
        if action == Some("unconfirmed") { "acquirer" } else { "bank_notification" }
    }
}

/// A line of the bank's book.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BankLine {
    pub(super) at_ms: i64,
    pub(super) merchant_id: String,
    pub(super) direction: String,
    pub(super) amount_minor: i64,
    pub(super) payout_id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Terminal {
    pub(super) terminal_id: String,
    pub(super) merchant_id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Session {
    pub(super) terminal_id: String,
    pub(super) opened_at_ms: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Bank {
    lines: Vec<BankLine>,
}

#[derive(Debug, Clone, Deserialize)]
struct Raw {
    payments: Vec<BookPayment>,
    authorizations: Vec<Authorization>,
    captures: Vec<Capture>,
    reversals: Vec<Reversal>,
    payouts: Vec<Payout>,
    bank: Bank,
    terminals: Vec<Terminal>,
    sessions: BTreeMap<String, Session>,
    /// Answered requests by operation and status.
    requests: BTreeMap<String, BTreeMap<String, u32>>,
}

/// The whole.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) payments: BTreeMap<String, BookPayment>,
    /// How many records of a payment there were under one id: never more than one.
    pub(super) records: usize,
    pub(super) authorizations: Vec<Authorization>,
    pub(super) captures: Vec<Capture>,
    pub(super) reversals: Vec<Reversal>,
    pub(super) payouts: BTreeMap<String, Payout>,
    pub(super) bank: Vec<BankLine>,
    pub(super) sessions: Vec<Session>,
    /// Answered requests by operation and status.
    pub(super) requests: BTreeMap<String, BTreeMap<String, u32>>,
    merchant_of: BTreeMap<String, String>,
}

impl Book {
    /// Reads the sandbox's JSON.
    pub(super) fn read(value: &Value) -> Result<Self, serde_json::Error> {
        let raw = Raw::deserialize(value)?;
        let merchant_of =
            raw.terminals.into_iter().map(|terminal| (terminal.terminal_id, terminal.merchant_id)).collect();
        let records = raw.payments.len();
        let payments = raw.payments.into_iter().map(|payment| (payment.payment_id.clone(), payment)).collect();
        let payouts = raw.payouts.into_iter().map(|payout| (payout.payout_id.clone(), payout)).collect();
        Ok(Self {
            payments,
            records,
            authorizations: raw.authorizations,
            captures: raw.captures,
            reversals: raw.reversals,
            payouts,
            bank: raw.bank.lines,
            sessions: raw.sessions.into_values().collect(),
            requests: raw.requests,
            merchant_of,
        })
    }

    pub(super) fn merchant(&self, terminal_id: &str) -> Option<&str> {
        self.merchant_of.get(terminal_id).map(String::as_str)
    }

    /// When the bank's answer was final, milliseconds UTC; none while there is none, or for what is not here.
    pub(super) fn decided_ms(&self, payment_id: &str) -> Option<i64> {
        let payment = self.payments.get(payment_id).filter(|payment| !payment.is_open())?;
        let asked = self.authorizations.iter().find(|record| record.payment_id == payment_id)?;
        Some(match payment.accepted_at_ms {
            Some(accepted_at_ms) => accepted_at_ms,
            None if asked.response_code == payment.response_code => asked.at_ms,
            None => payment.updated_at_ms,
        })
    }

    /// When the bank gave a final answer first: it may have taken it back since.
    pub(super) fn answered_ms(&self, payment_id: &str) -> Option<i64> {
        let approved_ms = self.approved_ms(payment_id);
        approved_ms.or_else(|| self.decided_ms(payment_id))
    }

    /// When the bank approved it, also where it declined it afterwards.
    pub(super) fn approved_ms(&self, payment_id: &str) -> Option<i64> {
        let payment = self.payments.get(payment_id)?;
        let asked = || self.authorizations.iter().find(|record| record.payment_id == payment_id);
        payment.accepted_at_ms.or_else(|| match asked()?.response_code.as_str() {
            "00" | "10" => Some(asked()?.at_ms),
            "68" if payment.last_four == "0068" => Some(asked()?.at_ms.saturating_add(LATER_MS)),
            _ => None,
        })
    }

    /// The bank approved less than it was asked for, also where it declined it afterwards.
    pub(super) fn was_approved_in_part(&self, payment_id: &str) -> bool {
        self.authorizations.iter().any(|record| record.payment_id == payment_id && record.response_code == "10")
    }

    /// A reversal of it was answered, and it came too late.
    pub(super) fn undone_too_late(&self, payment_id: &str) -> bool {
        self.reversals.iter().any(|reversal| reversal.payment_id == payment_id && reversal.outcome == "already_cleared")
    }

    /// When it was undone.
    pub(super) fn reversed_ms(&self, payment_id: &str) -> Option<i64> {
        let undone = |reversal: &&Reversal| reversal.payment_id == payment_id && reversal.outcome == "reversed";
        self.reversals.iter().find(undone).map(|reversal| reversal.processed_at_ms)
    }

    /// The last payout of a chain of reissues.
    pub(super) fn newest_of<'a>(&'a self, payout: &'a Payout) -> &'a Payout {
        let mut newest = payout;
        for _ in 0..self.payouts.len() {
            match newest.reissued_by.as_ref().and_then(|id| self.payouts.get(id)) {
                Some(next) => newest = next,
                None => break,
            }
        }
        newest
    }
}
