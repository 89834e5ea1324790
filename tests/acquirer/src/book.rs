//! The acquirer's and the bank's books. Field names are those of `/admin/ledger`; times are
//! milliseconds UTC, amounts minor units.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use crate::device::DeviceKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Authorization {
    Processing,
    Approved,
    PartiallyApproved,
    Declined,
    Referred,
    Reversed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Clearing {
    None,
    Accepted,
    Cleared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    Unknown,
    Pending,
    Scheduled,
    Held,
    InPayout,
    Sent,
    Arrived,
    Returned,
    Failed,
    NotEligible,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    None,
    Acquirer,
    BankNotification,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PayoutStatus {
    Created,
    Sent,
    Arrived,
    Failed,
    Returned,
}

/// An issued activation code.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActivationCode {
    pub(crate) code: String,
    pub(crate) merchant_id: String,
    pub(crate) terminal_id: String,
    pub(crate) expires_at_ms: Option<i64>,
    /// Thumbprint of the key that used it.
    pub(crate) used_by: Option<String>,
}

/// A terminal, bound to a merchant and a device key.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Terminal {
    pub(crate) terminal_id: String,
    pub(crate) merchant_id: String,
    pub(crate) status: String,
    pub(crate) version: u32,
    pub(crate) alg: &'static str,
    pub(crate) key_thumbprint: String,
    pub(crate) request_id: String,
    pub(crate) activated_at_ms: i64,
    pub(crate) sign_ons: u32,
    /// The largest ledger head of a session that was used, by ledger id: sequence and hash.
    pub(crate) witnesses: BTreeMap<String, (i64, String)>,
}

/// A sign-on session.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
    pub(crate) terminal_id: String,
    pub(crate) opened_at_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) keys_rotated: bool,
    /// The head reported with it: ledger id, sequence and hash. It bears witness once the session is used, since until then
    /// nobody knows that its answer, with the head known before, arrived.
    #[serde(skip)]
    pub(crate) head: Option<(String, i64, String)>,
}

/// (merchant, terminal, batch number, STAN, captured on).
pub(crate) type NaturalKey = (String, String, String, String, String);

/// A payment as the acquirer holds it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Payment {
    pub(crate) payment_id: String,
    pub(crate) acquirer_payment_id: String,
    pub(crate) merchant_id: String,
    pub(crate) terminal_id: String,
    pub(crate) kind: &'static str,
    #[serde(rename = "type")]
    pub(crate) type_: &'static str,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) batch_number: String,
    pub(crate) stan: String,
    pub(crate) captured_at: String,
    pub(crate) captured_at_ms: i64,
    pub(crate) captured_on: String,
    pub(crate) entry_mode: &'static str,
    pub(crate) scheme: String,
    pub(crate) masked_pan: String,
    pub(crate) last_four: String,
    pub(crate) funding: &'static str,
    pub(crate) policy_version: Option<String>,
    pub(crate) order_reference: Option<String>,
    pub(crate) operator_id: Option<String>,
    /// SHA-256 over the compared fields.
    pub(crate) fingerprint: String,
    pub(crate) version: u32,
    pub(crate) authorization: Authorization,
    pub(crate) clearing: Clearing,
    pub(crate) arrival: Arrival,
    pub(crate) evidence: Evidence,
    pub(crate) response_code: String,
    pub(crate) rrn: String,
    pub(crate) auth_code: Option<String>,
    pub(crate) approved_minor: Option<i64>,
    pub(crate) received_at_ms: i64,
    pub(crate) accepted_at_ms: Option<i64>,
    pub(crate) updated_at_ms: i64,
    pub(crate) reason: Option<String>,
    pub(crate) source: Option<&'static str>,
    pub(crate) acts: Option<&'static str>,
    pub(crate) payout_id: Option<String>,
    pub(crate) gross_minor: Option<i64>,
    pub(crate) fee_minor: Option<i64>,
    pub(crate) net_minor: Option<i64>,
    pub(crate) batch_date: Option<NaiveDate>,
    pub(crate) expected_date: Option<NaiveDate>,
    pub(crate) terms_number: u32,
    pub(crate) reversals: Vec<String>,
}

impl Payment {
    /// A change of the payment's own: next version, now.
    pub(crate) fn touch(&mut self, now_ms: i64) {
        self.version += 1;
        self.updated_at_ms = now_ms;
    }

    pub(crate) fn why(&mut self, reason: &str, source: &'static str, acts: &'static str) {
        self.reason = Some(reason.to_owned());
        self.source = Some(source);
        self.acts = Some(acts);
    }

    pub(crate) fn no_reason(&mut self) {
        self.reason = None;
        self.source = None;
        self.acts = None;
    }

    pub(crate) fn natural_key(&self) -> NaturalKey {
        (
            self.merchant_id.clone(),
            self.terminal_id.clone(),
            self.batch_number.clone(),
            self.stan.clone(),
            self.captured_on.clone(),
        )
    }

    pub(crate) fn is_approved(&self) -> bool {
        matches!(self.authorization, Authorization::Approved | Authorization::PartiallyApproved)
    }
}

/// An answered reversal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reversal {
    pub(crate) reversal_id: String,
    pub(crate) payment_id: String,
    pub(crate) terminal_id: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) reason: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) response_code: &'static str,
    pub(crate) processed_at_ms: i64,
}

/// A line of a payout. Fees and deductions are negative; net = gross + fee.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) entry_id: String,
    #[serde(rename = "type")]
    pub(crate) type_: &'static str,
    pub(crate) kind: Option<String>,
    pub(crate) payment_id: Option<String>,
    pub(crate) rrn: Option<String>,
    pub(crate) captured_on: Option<String>,
    pub(crate) gross_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) net_minor: i64,
    pub(crate) note: Option<String>,
}

/// What the bank will do with a payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub(crate) enum BankPlan {
    Late {
        days: u32,
    },
    Never,
    /// Given back: before the credit, or `days` settlement days after it.
    Return {
        before_arrival: bool,
        days: u32,
        reason: String,
        reissue: bool,
    },
    /// Refused instead of credited.
    Reject {
        reason: String,
        reissue: bool,
    },
    /// Credited, but the bank does not tell the acquirer.
    Unconfirmed,
}

/// A payout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Payout {
    pub(crate) payout_id: String,
    pub(crate) merchant_id: String,
    pub(crate) version: u32,
    #[serde(rename = "type")]
    pub(crate) type_: &'static str,
    pub(crate) status: PayoutStatus,
    pub(crate) currency: String,
    pub(crate) gross_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) adjustments_minor: i64,
    pub(crate) net_minor: i64,
    pub(crate) business_date: NaiveDate,
    pub(crate) payout_date: NaiveDate,
    pub(crate) period_ms: (i64, i64),
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) sent_at_ms: Option<i64>,
    pub(crate) arrived_at_ms: Option<i64>,
    pub(crate) returned_at_ms: Option<i64>,
    pub(crate) failure: Option<(String, i64)>,
    pub(crate) end_to_end_id: String,
    pub(crate) bank_reference: Option<String>,
    pub(crate) evidence: Evidence,
    pub(crate) reissue_of: Option<String>,
    pub(crate) reissued_by: Option<String>,
    pub(crate) plan: Option<BankPlan>,
    pub(crate) entries: Vec<Entry>,
}

/// A line of the bank's book.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BankLine {
    pub(crate) line: usize,
    pub(crate) at_ms: i64,
    pub(crate) booked_on: NaiveDate,
    pub(crate) merchant_id: String,
    /// `credit` to or `debit` from the merchant's account.
    pub(crate) direction: &'static str,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    /// The payout's `end_to_end_id`.
    pub(crate) reference: String,
    pub(crate) bank_reference: String,
    pub(crate) payout_id: String,
}

/// A bank action that waits for its payout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WaitingPlan {
    pub(crate) business_date: Option<NaiveDate>,
    pub(crate) payout_date: Option<NaiveDate>,
    pub(crate) plan: BankPlan,
}

/// A fee that waits for the next payout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WaitingFee {
    pub(crate) merchant_id: String,
    pub(crate) kind: String,
    pub(crate) amount_minor: i64,
    pub(crate) note: Option<String>,
}

/// One executed authorization: the independent record of what the bank was asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuthorizationRecord {
    pub(crate) at_ms: i64,
    pub(crate) payment_id: String,
    pub(crate) last_four: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) captured_at_ms: i64,
    pub(crate) response_code: String,
}

/// One capture handed to clearing at a cut-off.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CaptureRecord {
    pub(crate) at_ms: i64,
    pub(crate) payment_id: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) batch_date: NaiveDate,
}

/// Everything the acquirer and the bank know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) merchants: BTreeMap<String, String>,
    pub(crate) codes: BTreeMap<String, ActivationCode>,
    pub(crate) keys: BTreeMap<String, DeviceKey>,
    pub(crate) terminals: BTreeMap<String, Terminal>,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) payments: BTreeMap<String, Payment>,
    pub(crate) natural_keys: BTreeMap<NaturalKey, String>,
    /// (terminal, payment): a late original is refused.
    pub(crate) closed: BTreeSet<(String, String)>,
    /// Submissions seen by payment id, refused ones and repeats included.
    pub(crate) submissions: BTreeMap<String, u32>,
    pub(crate) authorizations: Vec<AuthorizationRecord>,
    pub(crate) captures: Vec<CaptureRecord>,
    /// Approved and not yet cleared.
    pub(crate) uncleared: BTreeSet<String>,
    /// Cleared and not yet in a payout, held ones included.
    pub(crate) awaiting: BTreeSet<String>,
    pub(crate) reversals: BTreeMap<String, Reversal>,
    pub(crate) payouts: BTreeMap<String, Payout>,
    pub(crate) waiting_plans: Vec<WaitingPlan>,
    pub(crate) waiting_fees: Vec<WaitingFee>,
    pub(crate) bank_lines: Vec<BankLine>,
    pub(crate) counters: Counters,
}

/// Numbers already given away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) codes: u32,
    pub(crate) terminals: u32,
    pub(crate) sessions: u32,
    pub(crate) payments: u32,
    pub(crate) payouts: u32,
    pub(crate) entries: u32,
    pub(crate) answers: u64,
}

impl Counters {
    /// Counts one up and returns the new number.
    pub(crate) fn next(counter: &mut u32) -> u32 {
        *counter += 1;
        *counter
    }
}
