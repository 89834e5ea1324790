//! All that is known of one payment.

use super::sends::Sends;
use crate::axes::words;
use crate::event::{
    AttemptEnd, CardRead, ChargeStarted, Class, NoticeKind, ParkReason, PaymentReported, ReaderConcluded,
    ReceiptDataRead, Restored, ReversalOutcome, ReversalReason,
};
use crate::{AttemptId, PaymentId};

/// How long a live payment's id is sent again before it is asked after and undone: the customer's patience.
pub const LIVE_WINDOW_MS: i64 = 60_000;

words! {
    /// The phone's own view of an accepted or sent payment.
    Delivery {
        /// Waiting; certainly not at the acquirer.
        Queued => "queued",
        /// A send is under way.
        Sending => "sending",
        /// It may be at the acquirer; nobody knows.
        InDoubt => "in_doubt",
        /// The acquirer has answered.
        Delivered => "delivered",
        /// Stands still until somebody acts.
        Parked => "parked",
    }
}

/// One presentation of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub attempt_id: AttemptId,
    /// The reader, if known when it began.
    pub reader_serial: Option<String>,
    /// When it began, wall clock, milliseconds UTC.
    pub started_at_ms: i64,
    /// Why it ended without a card, if it did.
    pub ended: Option<AttemptEnd>,
    /// The reader's completion code, if it came.
    pub concluded: Option<ReaderConcluded>,
}

/// The merchant's acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// How.
    pub class: Class,
    /// When, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// Must be uploaded before, milliseconds UTC.
    pub deadline_ms: Option<i64>,
}

/// What is known of the reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalState {
    /// When it was decided, wall clock, milliseconds UTC.
    pub requested_at_ms: i64,
    /// Why.
    pub reason: ReversalReason,
    /// Its sends.
    pub sends: Sends,
    /// The acquirer's answer.
    pub outcome: Option<ReversalOutcome>,
}

/// The newest report.
pub type Report = PaymentReported;

/// All that is known of one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentState {
    /// The number of its first event: its key in the ledger.
    pub key: u64,
    /// What was asked.
    pub charge: ChargeStarted,
    /// Who asked.
    pub operator: Option<String>,
    /// When, wall clock, milliseconds UTC.
    pub started_at_ms: i64,
    /// It was taken elsewhere, and read in from the acquirer.
    pub restored: Option<Restored>,
    /// Every presentation, oldest first.
    pub attempts: Vec<Attempt>,
    /// The card, once read, and when (wall clock, milliseconds UTC): the moment of capture.
    pub card: Option<(CardRead, i64)>,
    /// What the reader told for the receipt.
    pub receipt: Option<ReceiptDataRead>,
    /// Ciphertext is still on the phone.
    pub blob_held: bool,
    /// The acceptance, if there is one.
    pub acceptance: Option<Acceptance>,
    /// The policy's rule that refused it.
    pub refused_by: Option<String>,
    /// Given up before a card was read.
    pub abandoned: Option<AttemptEnd>,
    /// The other payment it knowingly repeats.
    pub repeats: Option<PaymentId>,
    /// Whether the goods were handed over.
    pub service_given: Option<bool>,
    /// Submissions, on the live and drain lanes together.
    pub sends: Sends,
    /// The newest report.
    pub report: Option<Report>,
    /// The acquirer promised to refuse a late original.
    pub not_received_finally: bool,
    /// The reversal, if one was decided.
    pub reversal: Option<ReversalState>,
    /// Refused while the customer waited, before anything can have arrived: said to be not charged.
    pub refused_live: Option<ParkReason>,
    /// Parked by an event of its own or by a refusal.
    pub parked: Option<(ParkReason, Option<String>)>,
    /// The deadline passed unsent.
    pub expired: bool,
    /// The merchant cancelled before anything left.
    pub cancelled: bool,
    /// Notices given: kind and the instant each was for.
    pub noticed: Vec<(NoticeKind, i64)>,
    /// The newest report says that the money is held back, and was told for another fact: an event tells one.
    pub held_untold: bool,
    /// The number of its newest event.
    pub last_seq: u64,
}
