//! Events about one payment.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::events;
use super::words::{
    AttemptEnd, ChargeMode, Class, EraseReason, Lane, NoticeKind, ParkReason, ReversalOutcome, ReversalReason,
    SendResult, Verification, Via,
};
use crate::settlement::ExpectedArrival;
use crate::{
    Arrival, AttemptId, Authorization, Clearing, EntryMode, Evidence, MaskedCard, Money, OperationId, PaymentId,
    PayoutId, ReversalId, Scheme,
};

events! {
    /// What can happen to a payment.
    PaymentEvent {
        ChargeStarted => "charge_started",
        Restored => "restored",
        AttemptStarted => "attempt_started",
        CardRead => "card_read",
        ReaderConcluded => "reader_concluded",
        ReceiptDataRead => "receipt_data_read",
        AttemptEnded => "attempt_ended",
        Accepted => "accepted",
        OfflineRefused => "offline_refused",
        Abandoned => "abandoned",
        DuplicateOverridden => "duplicate_overridden",
        ServiceMarked => "service_marked",
        SendStarted => "send_started",
        SendEnded => "send_ended",
        PaymentReported => "payment_reported",
        NotReceived => "not_received",
        ReversalRequested => "reversal_requested",
        ReversalReported => "reversal_reported",
        Parked => "parked",
        Expired => "expired",
        CancelledUnsent => "cancelled_unsent",
        BlobErased => "blob_erased",
        Noticed => "noticed",
    }
}

/// The merchant asked for money. On disk before the card is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeStarted {
    /// The payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// The merchant's own number for the sale: the guard against charging twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_reference: Option<String>,
    /// System trace audit number, 1–999999; consumed even if abandoned.
    pub stan: u32,
    /// The acquirer's batch at that moment.
    pub batch_number: String,
    /// The day of the sale in the acquirer's zone.
    pub captured_on: NaiveDate,
    /// How it may reach the acquirer.
    pub mode: ChargeMode,
    /// The offline policy in force, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<String>,
}

/// This payment was taken by another phone, or into a ledger that is lost: what is known of it is what the acquirer
/// says. It follows its first event at once, and nothing is ever sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// How it was accepted there.
    pub class: Class,
    /// When the card was read, milliseconds UTC.
    pub captured_at_ms: i64,
}

/// A reader was asked for a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// This presentation.
    pub attempt_id: AttemptId,
    /// The reader's serial number, if it said so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_serial: Option<String>,
}

/// The reader's answer is on disk. The ciphertext itself lies in a deletable table, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRead {
    /// Chip, tap, swipe.
    pub entry_mode: EntryMode,
    /// From the leading digits.
    pub scheme: Scheme,
    /// Six and four digits at most.
    pub card: MaskedCard,
    /// Length of the ciphertext blob in bytes.
    pub blob_len: u32,
    /// SHA-256 of the blob, hex.
    pub blob_sha256: String,
    /// When it was read by the acquirer's clock, as well as the phone knew it, milliseconds UTC: the phone's own may be
    /// years away, and this is what deadlines and the acquirer go by. None: the same as the event's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_at_ms: Option<i64>,
}

/// The reader's completion code. It adds to a payment; it never changes one in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderConcluded {
    /// The reader-neutral outcome, e.g. `deferred`.
    pub outcome: String,
    /// The reader's own code, hex.
    pub code: String,
    /// True if this is not what a stored Quick Chip payment ends with: shown as a flag.
    #[serde(default)]
    pub unexpected: bool,
}

/// What the reader told for the receipt: allow-listed, no card data. Once, after the card was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptDataRead {
    /// The application on the card, EMV tag `9F06`, upper-case hex of 5 to 16 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aid: Option<String>,
    /// The application's name, EMV tag `9F12` or `50`, printable ASCII, 16 characters at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// How the cardholder was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// A signature line is to be printed.
    #[serde(default)]
    pub signature: bool,
    /// Terminal verification results, EMV tag `95`, upper-case hex of 5 bytes, where the reader tells them in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tvr: Option<String>,
    /// Transaction status information, EMV tag `9B`, upper-case hex of 2 bytes, where the reader tells it in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsi: Option<String>,
}

/// The attempt brought no usable card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// Why.
    pub why: AttemptEnd,
}

/// The merchant may let the goods go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Fixed from now on.
    pub class: Class,
    /// Must be uploaded before, milliseconds UTC; none for a live approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<i64>,
}

/// The offline policy said no; nothing is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineRefused {
    /// The rule, a word of [`crate::policy::Rule`].
    pub rule: String,
}

/// The merchant gave up before a card was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandoned {
    /// Why the last attempt ended.
    pub why: AttemptEnd,
}

/// The merchant charged an order again, knowing of the other payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateOverridden {
    /// The other payment of the same order reference.
    pub other: PaymentId,
}

/// Whether the goods were handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceMarked {
    /// True: given.
    pub given: bool,
}

/// A send is about to leave. Committed before it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendStarted {
    /// The exchange; many payments of one batch share it.
    pub op: OperationId,
    /// The how-many-th send of this payment on this lane, from 1.
    pub n: u32,
    /// By which lane.
    pub lane: Lane,
}

/// A send ended without a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendEnded {
    /// The exchange.
    pub op: OperationId,
    /// As in the start.
    pub n: u32,
    /// By which lane.
    pub lane: Lane,
    /// How.
    pub result: SendResult,
    /// The acquirer's problem code, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The acquirer asked us to wait this long, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

/// The acquirer's verified word on a payment: all three axes under one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReported {
    /// How we heard.
    pub via: Via,
    /// The acquirer's version of the payment; the newest wins.
    pub report_version: u64,
    /// Was it authorised.
    pub authorization: Authorization,
    /// Was it cleared.
    pub clearing: Clearing,
    /// Has the money arrived.
    pub arrival: Arrival,
    /// On whose word.
    pub evidence: Evidence,
    /// Field 39, e.g. `00`; the raw code is always kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Retrieval reference number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// The issuer's approval code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<String>,
    /// What was approved, minor units of the payment's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_amount_minor: Option<i64>,
    /// Accepted by the acquirer, its clock, milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at_ms: Option<i64>,
    /// When the money should come: the acquirer's day, or ours where it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedArrival>,
    /// Our own day where the acquirer's differs: kept for the log, never shown as the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_date: Option<NaiveDate>,
    /// The acquirer's reason, a word of the list of causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The payout it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<PayoutId>,
    /// Held back out of this payment, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld_minor: Option<i64>,
}

/// The acquirer says it has no such payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReceived {
    /// As of, the acquirer's clock, milliseconds UTC.
    pub as_of_ms: i64,
    /// The acquirer's promise to refuse a late original.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// A reversal will be sent until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversalRequested {
    /// Its id, derived from the payment's.
    pub reversal_id: ReversalId,
    /// Why.
    pub reason: ReversalReason,
}

/// The acquirer's verified answer to a reversal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversalReported {
    /// What became of it.
    pub outcome: ReversalOutcome,
}

/// The payment stands still until somebody acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Why.
    pub reason: ParkReason,
    /// The acquirer's code, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The deadline for uploading passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// The deadline that passed, milliseconds UTC.
    pub by_ms: i64,
}

/// The merchant cancelled what had certainly not left the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledUnsent {}

/// The reader's ciphertext is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobErased {
    /// Why.
    pub why: EraseReason,
}

/// The core noticed something without being told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// What.
    pub kind: NoticeKind,
    /// For which instant, milliseconds UTC: the same notice is given once.
    pub due_ms: i64,
}
