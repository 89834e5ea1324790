//! Reports about payments, batches, inquiries and reversals.

use chrono::NaiveDate;
use takings_domain::event::ReversalOutcome;
use takings_domain::{Arrival, Authorization, Clearing, Evidence, Money, OperationId, PaymentId, PayoutId, ReversalId};

use super::Worded;
use crate::message::Unverified;
use crate::problem::Problem;

/// The acquirer's word on one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentReport {
    /// The payment.
    pub payment_id: PaymentId,
    /// The terminal it was taken at.
    pub terminal_id: String,
    /// What was asked for; compared with the request wherever that is known.
    pub amount: Money,
    /// The sale as it was submitted, if the acquirer says all of it.
    pub sale: Option<SaleReport>,
    /// The acquirer's version; the newest wins.
    pub version: u64,
    /// Was it authorised. An unknown word counts as processing.
    pub authorization: Worded<Authorization>,
    /// Was it cleared. An unknown word counts as none.
    pub clearing: Worded<Clearing>,
    /// Has the money arrived. An unknown word counts as unknown.
    pub arrival: Worded<Arrival>,
    /// On whose word. An unknown word counts as none.
    pub evidence: Worded<Evidence>,
    /// Field 39, raw.
    pub response_code: Option<String>,
    /// The acquirer's wording of it.
    pub response_text: Wording,
    /// Retrieval reference number.
    pub rrn: Option<String>,
    /// The issuer's approval code.
    pub auth_code: Option<String>,
    /// What was approved; same currency as `amount`, never more.
    pub approved_amount: Option<Money>,
    /// The acquirer's own id.
    pub acquirer_payment_id: String,
    /// When the acquirer got it, milliseconds UTC.
    pub received_at_ms: i64,
    /// When the acquirer accepted it, milliseconds UTC.
    pub accepted_at_ms: Option<i64>,
    /// When it changed last, milliseconds UTC.
    pub updated_at_ms: i64,
    /// Why it stands where it stands: a word of the list of causes.
    pub reason: Option<String>,
    /// Where it stuck.
    pub source: Option<String>,
    /// Who acts next.
    pub acts: Option<String>,
    /// The payout it is in.
    pub payout_id: Option<PayoutId>,
    /// Its line in that payout.
    pub entry: Option<PaymentEntry>,
    /// Held back out of it.
    pub withheld: Option<Money>,
    /// Let go of what was held back.
    pub released: Option<Money>,
    /// The least and the most the fee will be.
    pub fee_estimate: Option<(Money, Money)>,
    /// When the money should come.
    pub expected: Option<ExpectedReport>,
    /// Its refunds.
    pub refunds: Vec<Refund>,
    /// Its chargebacks.
    pub chargebacks: Vec<Chargeback>,
}

/// A sale as a till submitted it: for a till that does not know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleReport {
    /// How it was accepted: `live`, `deferred_authorization`, `offline_advice`; other words may come.
    pub kind: String,
    /// The terminal's batch.
    pub batch_number: String,
    /// System trace audit number.
    pub stan: u32,
    /// When the card was read, milliseconds UTC.
    pub captured_at_ms: i64,
    /// The day of the sale, in the acquirer's zone.
    pub captured_on: NaiveDate,
    /// The merchant's own number for the sale.
    pub order_reference: Option<String>,
}

/// A text in two languages, either may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// Chinese.
    pub zh: Option<String>,
    /// English.
    pub en: Option<String>,
}

/// A payment's line in its payout, signs as the acquirer writes them: a fee is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentEntry {
    /// Before fees.
    pub gross: Money,
    /// The fee, negative.
    pub fee: Money,
    /// What it adds to the payout.
    pub net: Money,
}

/// The acquirer's expected day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedReport {
    /// The day, in the acquirer's zone.
    pub date: NaiveDate,
    /// The first day it could be.
    pub earliest: NaiveDate,
    /// The last day it could be.
    pub latest: NaiveDate,
    /// The cycle it was computed by, e.g. `T+1`.
    pub basis: String,
    /// May still move.
    pub provisional: bool,
}

/// A refund of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Its state, raw.
    pub state: String,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chargeback {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Its state, raw.
    pub state: String,
    /// How much is claimed.
    pub amount: Money,
}

/// A page of payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentsPage {
    /// The payments; nothing is known here of their amounts, the caller compares.
    pub payments: Vec<PaymentReport>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
    /// The acquirer's time of the list, milliseconds UTC.
    pub as_of_ms: i64,
}

/// The answer to a batch: exactly one item for each that was sent, in the order they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchReport {
    /// The batch.
    pub batch_id: OperationId,
    /// The items.
    pub items: Vec<ItemReport>,
}

/// What a batch's answer says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemReport {
    /// The payment.
    pub payment_id: PaymentId,
    /// What is said of it.
    pub reply: ItemReply,
}

/// What a batch's answer says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemReply {
    /// Its state.
    Payment(Box<PaymentReport>),
    /// It was refused, or failed.
    Problem(Problem),
    /// Nothing, or two different things: it stays in doubt.
    Missing,
    /// Something that does not fit: it stays in doubt.
    Unverified(Unverified),
}

/// The answer to an inquiry: exactly one item for each look-up, in the order they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InquiryReport {
    /// The look-ups.
    pub lookups: Vec<LookupReport>,
}

/// What an inquiry's answer says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupReport {
    /// The payment asked after.
    pub payment_id: PaymentId,
    /// What is said of it.
    pub reply: LookupReply,
}

/// What an inquiry's answer says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupReply {
    /// The acquirer has it.
    Found(Box<PaymentReport>),
    /// The acquirer does not have it.
    NotReceived {
        /// As of, the acquirer's clock, milliseconds UTC.
        as_of_ms: i64,
        /// The acquirer promises to refuse a late original.
        is_final: bool,
    },
    /// Several could be meant, or a word this version does not know: still in doubt.
    Ambiguous {
        /// The candidates.
        candidates: Vec<PaymentId>,
    },
    /// Nothing was said of it: still in doubt.
    Missing,
    /// Something that does not fit: still in doubt.
    Unverified(Unverified),
}

/// The answer to a reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalReport {
    /// The reversal.
    pub reversal_id: ReversalId,
    /// The payment.
    pub payment_id: PaymentId,
    /// What became of it; none: not answered yet, or a word this version does not know. Repeat it.
    pub outcome: Option<ReversalOutcome>,
    /// The word as it came.
    pub outcome_raw: String,
    /// Field 39, raw.
    pub response_code: Option<String>,
    /// When it was processed, milliseconds UTC.
    pub processed_at_ms: i64,
    /// The payment after it, if the acquirer has it.
    pub payment: Option<Box<PaymentReport>>,
}
