//! What a till can ask of an acquirer.

use std::fmt;

use chrono::NaiveDate;
use takings_domain::event::ReversalReason;
use takings_domain::settlement::Funding;
use takings_domain::{EntryMode, MaskedCard, Money, OperationId, PaymentId, PayoutId, ReversalId, Scheme};

use crate::jwk::PublicJwk;
use crate::report::LedgerHead;

/// One question to the acquirer. Kept while it is under way: [`crate::decode`] judges the answer by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// What the acquirer offers. Not signed.
    Capabilities,
    /// The acquirer's keys. Not signed.
    Keys,
    /// The state of its channels. Not signed.
    Health,
    /// Makes this device a terminal.
    Activate(Activation),
    /// This terminal.
    Terminal {
        /// Entity tag known.
        if_none_match: Option<String>,
    },
    /// Opens a session.
    SignOn(SignOn),
    /// The offline policy.
    RiskPolicy {
        /// Entity tag known.
        if_none_match: Option<String>,
    },
    /// Submits one payment.
    Payment(Box<SubmitOne>),
    /// Submits stored payments.
    Batch(SubmitBatch),
    /// Asks what became of payments.
    Inquire(Inquiry),
    /// Undoes a payment whose outcome is not known.
    Reverse(Reversal),
    /// One payment.
    ReadPayment {
        /// Which.
        payment_id: PaymentId,
        /// What it was for; another amount in the answer is not believed. None: the caller compares.
        amount: Option<Money>,
    },
    /// Payments of this terminal.
    ListPayments(ListQuery),
    /// The settlement terms.
    Terms {
        /// Entity tag known.
        if_none_match: Option<String>,
    },
    /// The settlement calendar.
    Calendar {
        /// First day.
        from: NaiveDate,
        /// Last day, at most 399 days later.
        to: NaiveDate,
        /// Entity tag known.
        if_none_match: Option<String>,
    },
    /// Payouts of the merchant.
    ListPayouts(ListQuery),
    /// One payout.
    ReadPayout {
        /// Which.
        payout_id: PayoutId,
    },
    /// What a payout is made of.
    PayoutEntries {
        /// Which.
        payout_id: PayoutId,
        /// Where to go on.
        cursor: Option<String>,
        /// Lines of a page, 1 to 200.
        limit: u32,
    },
    /// The feed.
    Events {
        /// The last number known.
        after: u64,
        /// Events of a page, 1 to 200.
        limit: u32,
        /// How long the acquirer may wait for one, in seconds, at most 25.
        wait_s: u32,
    },
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Only what changed at this instant or later, milliseconds UTC.
    pub updated_since_ms: Option<i64>,
    /// Only this status.
    pub status: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items of a page, 1 to 200.
    pub limit: u32,
}

/// Makes this device a terminal. On disk before it is sent: a lost answer is fetched by sending the same again.
#[derive(Clone, PartialEq, Eq)]
pub struct Activation {
    /// Its id, kept for repeats.
    pub request_id: OperationId,
    /// The first part of the activation code.
    pub code: String,
    /// The device's key; the signer's.
    pub public_key: PublicJwk,
    /// The app's version.
    pub app_version: String,
    /// The platform.
    pub platform: String,
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activation({}, {:?})", self.request_id, self.public_key)
    }
}

/// Opens a session. A new `request_id` for each send, so that the server's time in the answer is fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOn {
    /// Its id, new for each send.
    pub request_id: OperationId,
    /// The app's version.
    pub app_version: String,
    /// The phone's wall clock, milliseconds UTC.
    pub device_ms: i64,
    /// How many payments wait.
    pub queue_count: u32,
    /// Their sums, one per currency.
    pub queue_totals: Vec<Money>,
    /// When the oldest was captured, milliseconds UTC.
    pub queue_oldest_captured_at_ms: Option<i64>,
    /// The newest event of the ledger.
    pub ledger_head: Option<LedgerHead>,
}

/// How far the till trusts its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReport {
    /// Server time less the phone's, in seconds.
    pub offset_s: i64,
    /// How far off that may be, in seconds.
    pub uncertainty_s: u32,
    /// Where it is from.
    pub source: ClockSource,
}

/// Where the till has the time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSource {
    /// The last sign-on.
    SignOn,
    /// The telephone network.
    Network,
    /// Nowhere but the phone.
    None,
}

/// Submits one payment. Its idempotency key is the payment's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitOne {
    /// The session.
    pub session_id: String,
    /// The till's clock.
    pub clock: ClockReport,
    /// The payment.
    pub payment: Submission,
}

/// Submits stored payments, at most 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitBatch {
    /// Its id, new for each composition, resends included.
    pub batch_id: OperationId,
    /// The session.
    pub session_id: String,
    /// The till's clock.
    pub clock: ClockReport,
    /// The payments, each once.
    pub items: Vec<Submission>,
}

/// How a payment was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionKind {
    /// The customer waits.
    Live,
    /// The customer was let go, the bank is asked now.
    DeferredAuthorization,
    /// The chip approved.
    OfflineAdvice,
}

/// Who approved an offline payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovedBy {
    /// The chip.
    Card,
    /// The merchant, within the policy.
    Merchant,
}

/// The risk under which an offline payment was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineRisk {
    /// Who approved it.
    pub approved_by: ApprovedBy,
    /// By which policy.
    pub policy_version: String,
    /// How many were open then, this one included.
    pub count_open: Option<u32>,
    /// How much was open then, this one included.
    pub total_open: Option<Money>,
}

/// One payment as it is submitted. Everything but `attempt` is the same at each resend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id.
    pub payment_id: PaymentId,
    /// How it was taken.
    pub kind: SubmissionKind,
    /// What it is for, more than nothing.
    pub amount: Money,
    /// The batch of its capture, six digits.
    pub batch_number: String,
    /// Its trace number, 1 to 999,999.
    pub stan: u32,
    /// The number on the receipt, at most 20 bytes.
    pub receipt_number: Option<String>,
    /// When the card was read, milliseconds UTC.
    pub captured_at_ms: i64,
    /// The same as a day in the acquirer's zone.
    pub captured_on: NaiveDate,
    /// How the card was read.
    pub entry_mode: EntryMode,
    /// The card.
    pub card: Card,
    /// Allow-listed EMV tags, TLV bytes; empty for none.
    pub emv_tlv: Vec<u8>,
    /// Required unless live.
    pub offline: Option<OfflineRisk>,
    /// The merchant's reference, at most 64 bytes.
    pub order_reference: Option<String>,
    /// Who was at the till, at most 64 bytes.
    pub operator_id: Option<String>,
    /// How often it was sent, this time included.
    pub attempt: u32,
}

/// A card, as far as the till may know it.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// The scheme.
    pub scheme: Scheme,
    /// What is visible of the number; four last digits are needed.
    pub masked: MaskedCard,
    /// Debit, credit; `any` counts as unknown.
    pub funding: Funding,
    /// The reader's format, a word of `a-z 0-9 _ . -`.
    pub format: String,
    /// The reader's key.
    pub key_id: String,
    /// The key serial number, if the reader gives one.
    pub ksn: Vec<u8>,
    /// What the reader encrypted, verbatim, at most 48 KiB.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({}, {}, {} bytes)", self.scheme, self.masked, self.ciphertext.len())
    }
}

/// Asks what became of payments, at most 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Its id, new for each send.
    pub request_id: OperationId,
    /// The payments, each once.
    pub lookups: Vec<Lookup>,
}

/// Asks what became of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    /// Which.
    pub payment_id: PaymentId,
    /// What it was for; another amount in the answer is not believed. None: the caller compares.
    pub amount: Option<Money>,
    /// Asks the acquirer to refuse it from now on if it is not there. Never for a payment that shall be resent.
    pub close_if_unknown: bool,
}

/// Undoes a payment whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The payment.
    pub payment_id: PaymentId,
    /// What it was for.
    pub amount: Money,
    /// Why.
    pub reason: ReversalReason,
    /// Its batch, six digits.
    pub batch_number: String,
    /// Its trace number.
    pub stan: u32,
    /// Its day in the acquirer's zone.
    pub captured_on: NaiveDate,
    /// How often the reversal was sent, this time included.
    pub attempt: u32,
}

impl Reversal {
    /// Its id, made from the payment's, so that a repeat cannot fork.
    #[must_use]
    pub fn reversal_id(&self) -> ReversalId {
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("reversal_with_random_id") {
            return ReversalId::from_bytes(
                ReversalId::of(self.payment_id).as_bytes().map(|byte| byte ^ self.attempt as u8),
            );
        }
        ReversalId::of(self.payment_id)
    }
}

impl Operation {
    /// Whether it is a POST: whether something may have happened though no answer came.
    #[must_use]
    pub fn is_post(&self) -> bool {
        self.idempotency_key().is_some()
    }

    /// The id in `Idempotency-Key`, for those that do something.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<String> {
        match self {
            Self::Activate(activation) => Some(activation.request_id.to_string()),
            Self::SignOn(sign_on) => Some(sign_on.request_id.to_string()),
            Self::Payment(one) => Some(one.payment.payment_id.to_string()),
            Self::Batch(batch) => Some(batch.batch_id.to_string()),
            Self::Inquire(inquiry) => Some(inquiry.request_id.to_string()),
            Self::Reverse(reversal) => Some(reversal.reversal_id().to_string()),
            _ => None,
        }
    }
}
