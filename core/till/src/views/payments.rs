//! Payments, their sums, and their receipts.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// A payment's line in a list, and the head of its detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaymentView {
    /// The payment.
    pub payment_id: String,
    /// When the card was read, else when the charge began; wall clock, milliseconds UTC.
    pub captured_at_ms: i64,
    /// The day of the sale in the acquirer's zone.
    pub captured_on: NaiveDate,
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The merchant's number for the sale.
    pub order_reference: Option<String>,
    /// `live`, `deferred`, `chip_offline`; none before acceptance.
    pub class: Option<String>,
    /// `queued`, `sending`, `in_doubt`, `delivered`, `parked`; none before the payment is accepted or sent.
    pub delivery: Option<String>,
    /// The acquirer's first axis; none until reported.
    pub authorization: Option<String>,
    /// The second.
    pub clearing: Option<String>,
    /// The third, with the payout's word where it is in one.
    pub arrival: Option<String>,
    /// The one line: a word of `takings_domain::payment::Stage`.
    pub stage: String,
    /// Why, for *not charged* and *needs you*.
    pub cause: Option<String>,
    /// Where it stuck.
    pub source: Option<String>,
    /// Who acts.
    pub acts: Option<String>,
    /// What to do now.
    pub next_step: Option<String>,
    /// The day the money should be there; none where none is expected.
    pub expected_date: Option<NaiveDate>,
    /// True while the day may still move.
    pub expected_provisional: bool,
    /// On whose word it arrived; `none` until somebody says so.
    pub evidence: String,
    /// The payout it is in.
    pub payout_id: Option<String>,
    /// Its share of the payout before fees, minor units.
    pub gross_minor: Option<i64>,
    /// Its fee, minor units, positive is a cost.
    pub fee_minor: Option<i64>,
    /// Its share after fees, minor units.
    pub net_minor: Option<i64>,
    /// Accepted by the acquirer, its clock, milliseconds UTC.
    pub accepted_at_ms: Option<i64>,
    /// Approved, minor units.
    pub approved_minor: Option<i64>,
    /// Card scheme.
    pub scheme: Option<String>,
    /// The last four digits.
    pub last_four: Option<String>,
    /// Chip, contactless, stripe.
    pub entry_mode: Option<String>,
    /// System trace audit number, six digits.
    pub stan: String,
    /// The acquirer's batch at the sale.
    pub batch_number: String,
    /// Retrieval reference number.
    pub rrn: Option<String>,
    /// Approval code.
    pub auth_code: Option<String>,
    /// Response code as it came.
    pub response_code: Option<String>,
    /// Approved for less: the balance is due.
    pub partly_approved: bool,
    /// Whether the goods were handed over.
    pub service_given: Option<bool>,
    /// An earlier phone took it, and this one read it from the acquirer's list.
    pub from_acquirer: bool,
}

/// One line of a payment's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// The event's number in the ledger.
    pub seq: u64,
    /// When it was written, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// Who was at the till.
    pub operator: Option<String>,
    /// The event's kind.
    pub kind: String,
    /// The event's body, JSON.
    pub body: String,
}

/// Everything about one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaymentDetail {
    /// The line.
    pub payment: PaymentView,
    /// The history, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// Which payments to list. All given conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentQuery {
    /// Only this stage.
    pub stage: Option<String>,
    /// Sold on or after.
    pub from: Option<NaiveDate>,
    /// Sold on or before.
    pub to: Option<NaiveDate>,
    /// Exactly this amount, minor units.
    pub amount_minor: Option<i64>,
    /// The card's last four digits.
    pub last_four: Option<String>,
    /// The merchant's number for the sale.
    pub order_reference: Option<String>,
    /// Part of an order reference, RRN or approval code.
    pub text: Option<String>,
    /// Continue after this page key.
    pub after: Option<String>,
    /// At most this many, 1–200; 50 if not given.
    pub limit: Option<u32>,
}

/// A page of payments, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaymentsPage {
    /// The payments.
    pub payments: Vec<PaymentView>,
    /// Pass it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// One sum of the takings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakingsLine {
    /// The stage.
    pub stage: String,
    /// ISO 4217.
    pub currency: String,
    /// How many payments.
    pub count: u64,
    /// Their sum, minor units.
    pub amount_minor: i64,
}

/// A receipt as lines of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The payment.
    pub payment_id: String,
    /// The lines, top to bottom.
    pub lines: Vec<String>,
    /// Accepted offline: the bank may still decline.
    pub offline: bool,
    /// True for every copy after the first.
    pub reprint: bool,
}

/// Whose copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptCopy {
    /// For the customer.
    Customer,
    /// For the merchant.
    Merchant,
}
