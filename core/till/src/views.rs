//! What the shell reads: plain records, ready to show.

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

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutView {
    /// The payout.
    pub payout_id: String,
    /// `created`, `sent`, `arrived`, `failed`, `returned`, `held`.
    pub status: String,
    /// `credit` or `debit`.
    pub direction: String,
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// Expected at the bank.
    pub expected_date: Option<NaiveDate>,
    /// When it arrived, milliseconds UTC.
    pub arrived_at_ms: Option<i64>,
    /// On whose word.
    pub evidence: String,
    /// ISO 4217.
    pub currency: String,
    /// Before fees, minor units.
    pub gross_minor: i64,
    /// Fees, minor units, positive is a cost.
    pub fee_minor: i64,
    /// To the bank, minor units.
    pub net_minor: i64,
    /// How many entries the acquirer announced.
    pub entry_count: u32,
    /// How many entries were heard.
    pub entries_heard: u32,
    /// Net less the sum of the entries, minor units; none until all were heard.
    pub difference_minor: Option<i64>,
    /// What the bank can search by.
    pub end_to_end_id: Option<String>,
    /// The payout this one pays again.
    pub reissue_of: Option<String>,
    /// The payout that pays this one again, if known.
    pub reissued_by: Option<String>,
    /// Why it failed or came back.
    pub failure_code: Option<String>,
    /// True from the day after its grace on, while not arrived.
    pub overdue: bool,
}

/// One line of a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutEntryView {
    /// The acquirer's id of the line.
    pub entry_id: String,
    /// What it is for.
    pub entry_type: String,
    /// The payment.
    pub payment_id: Option<String>,
    /// Minor units.
    pub gross_minor: i64,
    /// Minor units, positive is a cost.
    pub fee_minor: i64,
    /// Minor units.
    pub net_minor: i64,
}

/// Which payouts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayoutQuery {
    /// Only this status.
    pub status: Option<String>,
    /// Continue after this page key.
    pub after: Option<String>,
    /// At most this many, 1–200; 50 if not given.
    pub limit: Option<u32>,
}

/// A page of payouts, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutsPage {
    /// The payouts.
    pub payouts: Vec<PayoutView>,
    /// Pass it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// One payout with its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutDetail {
    /// The payout.
    pub payout: PayoutView,
    /// Its lines, in the acquirer's order.
    pub entries: Vec<PayoutEntryView>,
}

/// What an activation brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActivationView {
    /// The merchant, as the acquirer names it.
    pub merchant_id: String,
    /// The terminal.
    pub terminal_id: String,
}

/// What a sign-on brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignOnView {
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// The batch of new payments.
    pub batch_number: String,
    /// The offline policy in force.
    pub policy_version: Option<String>,
    /// The settlement terms in force.
    pub terms_version: Option<String>,
    /// The calendar in force.
    pub calendar_version: Option<String>,
    /// Server time less wall clock, milliseconds.
    pub offset_ms: i64,
}

/// What a sync did, and why it stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// `done`, `no_line`, `waiting` (something is due later), `budget`, `sign_in`, `unverified`.
    pub ended: String,
    /// Requests that left.
    pub requests: u32,
    /// Payments sent, repeats included.
    pub sent: u32,
    /// Payments that got their answer.
    pub answered: u32,
    /// Of these, approved.
    pub approved: u32,
    /// Of these, declined.
    pub declined: u32,
    /// Events read from the feed.
    pub events: u32,
    /// Still unsent or unanswered.
    pub waiting: u64,
    /// The next thing is due at, wall clock, milliseconds UTC.
    pub next_due_ms: Option<i64>,
    /// What went wrong last, for support.
    pub detail: Option<String>,
}

/// How the till is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// Merchant and terminal, once activated.
    pub activation: Option<ActivationView>,
    /// Signed on, and the session is not over.
    pub signed_on: bool,
    /// The batch of new payments.
    pub batch_number: Option<String>,
    /// The phone's wall clock, milliseconds UTC.
    pub now_ms: i64,
    /// The acquirer's clock as well as we know it, milliseconds UTC.
    pub trusted_ms: Option<i64>,
    /// `unknown`, `up`, `down`: by the last request.
    pub line: String,
    /// Payments on this phone alone or in doubt.
    pub unsent_count: u64,
    /// Their sums.
    pub unsent: Vec<SumView>,
    /// Age of the oldest, milliseconds.
    pub oldest_unsent_age_ms: Option<i64>,
    /// The offline policy in force.
    pub policy_version: Option<String>,
    /// How much of it is used, for each currency it allows.
    pub offline_risk: Vec<OfflineRiskView>,
    /// The ledger's newest event.
    pub last_seq: u64,
    /// Events that a witness outside the file says are missing.
    pub missing_events: u64,
    /// The ledger can only be read, and why.
    pub read_only: Option<String>,
    /// What went wrong last, if the newest contact with the acquirer did not end well or the phone's disk refused.
    pub trouble: Option<TroubleView>,
}

/// What customers went away with that no bank has confirmed yet, against what the acquirer allows. Minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfflineRiskView {
    /// ISO 4217.
    pub currency: String,
    /// How many payments wait.
    pub count: u32,
    /// The most that may.
    pub max_count: u32,
    /// Their sum.
    pub amount_minor: i64,
    /// The most it may be.
    pub max_amount_minor: i64,
    /// Age of the oldest by the reading of the clock that makes it oldest, milliseconds.
    pub oldest_age_ms: Option<i64>,
}

/// Something that went wrong while nobody was waiting for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TroubleView {
    /// When, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// What, for support.
    pub detail: String,
}

/// What a ledger's witness says of it, also when the ledger itself cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtStakeView {
    /// How many events the ledger held.
    pub events: u64,
    /// What had no answer of the acquirer's.
    pub unsent: Vec<UnsentView>,
}

/// Unsent payments in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnsentView {
    /// ISO 4217.
    pub currency: String,
    /// How many payments.
    pub count: u64,
    /// Their sum, minor units.
    pub amount_minor: i64,
}

/// A sum in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SumView {
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount_minor: i64,
}

/// One alert, told until acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertView {
    /// Its number: acknowledge up to it.
    pub alert: u64,
    /// When the fact was written down, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// A word of `takings_domain::alert::AlertKind`.
    pub alert_kind: String,
    /// `payment`, `payout` or `ledger`.
    pub subject_kind: String,
    /// The payment's or payout's id.
    pub subject_id: String,
    /// The money it is about, minor units, where it is about money.
    pub amount_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
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

/// What a check of the whole ledger found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Every event, hash, projection and balance holds.
    pub sound: bool,
    /// How many events there are.
    pub events: u64,
    /// The first bad event's number.
    pub broken_at: Option<u64>,
    /// Events that the head names and the ledger lacks.
    pub missing_events: u64,
    /// What is wrong, for support.
    pub detail: Option<String>,
}
