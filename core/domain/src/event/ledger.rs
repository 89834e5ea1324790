//! Events about the ledger itself.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::events;
use super::words::ReaderTrouble;
use crate::{LedgerId, Money, OperationId};

events! {
    /// What can happen to a ledger.
    LedgerEvent {
        Opened => "opened",
        ActivationStarted => "activation_started",
        Activated => "activated",
        SignedOn => "signed_on",
        PolicyAdopted => "policy_adopted",
        TermsAdopted => "terms_adopted",
        CalendarAdopted => "calendar_adopted",
        ClockJumped => "clock_jumped",
        HistoryLost => "history_lost",
        HistoryRestored => "history_restored",
        ReaderSeen => "reader_seen",
    }
}

/// The first event of every ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// This ledger.
    pub ledger_id: LedgerId,
    /// RFC 7638 thumbprint of the device key this ledger belongs to.
    pub device_key_thumbprint: String,
}

/// An activation is about to be sent. Written before the first byte leaves, so that a lost answer is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationStarted {
    /// The idempotency key of every try with this code.
    pub request_id: OperationId,
    /// SHA-256 of the activation code, hex: the same code continues the same request.
    pub code_sha256: String,
}

/// The acquirer bound this phone to a merchant's terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activated {
    /// The merchant, as the acquirer names it.
    pub merchant_id: String,
    /// The merchant's display name, for receipts; empty if the acquirer gave none.
    #[serde(default)]
    pub merchant_name: String,
    /// The terminal, as the acquirer names it.
    pub terminal_id: String,
    /// The acquirer's Ed25519 root key, base64url, from the activation code.
    pub root_key: String,
    /// What the device signs with: `ecdsa-p256-sha256` or `ed25519`.
    pub alg: String,
}

/// A session with the acquirer began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOn {
    /// The session.
    pub session_id: String,
    /// The batch that new payments belong to.
    pub batch_number: String,
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// The acquirer's clock in its answer, milliseconds UTC.
    pub server_ms: i64,
    /// Server time less the phone's wall clock, milliseconds.
    pub offset_ms: i64,
    /// After this instant (server's time, milliseconds UTC) the session must be renewed.
    pub sign_on_again_before_ms: i64,
}

macro_rules! adopted {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name {
            /// The acquirer's version of the document.
            pub version: String,
            /// SHA-256 of its exact bytes, hex; the bytes are kept under it.
            pub digest: String,
            /// In force from, milliseconds UTC.
            pub valid_from_ms: i64,
            /// In force until, milliseconds UTC; none: until replaced.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub valid_until_ms: Option<i64>,
        }
    };
}

adopted! {
    /// A verified offline policy came into force.
    PolicyAdopted
}
adopted! {
    /// Verified settlement terms came into force.
    TermsAdopted
}
adopted! {
    /// A verified settlement calendar came into force.
    CalendarAdopted
}

/// The wall clock moved against the monotonic one by more than a minute within one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJumped {
    /// How far the wall clock moved beyond the time that passed, milliseconds; negative is back.
    pub by_ms: i64,
}

/// A witness knows of more than this ledger holds: its end is missing, or all of it, and another file lies beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLost {
    /// The number of the newest event that the witness saw.
    pub witness_seq: u64,
    /// The number of the newest event that was found.
    pub found_seq: u64,
    /// What the acquirer had not confirmed when the witness was written, by currency: part of it, or all, is lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsent: Vec<UnsentThen>,
}

/// What was unsent in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentThen {
    /// How many payments.
    pub count: u64,
    /// Their sum.
    pub total: Money,
}

/// What the acquirer has of this terminal from before this ledger was read into it. What an earlier phone had not sent
/// is not among it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRestored {
    /// How many payments.
    pub payments: u64,
    /// How many payouts.
    pub payouts: u64,
}

/// A card reader was connected and said how it is, or said so since. Written when its model, firmware or trouble changed or its
/// charge by ten percent, and once a day (our decision).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderSeen {
    /// Its serial number.
    pub serial: String,
    /// Model name; empty if it does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Firmware version; empty if it does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub firmware: String,
    /// Charge left, percent; none if it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// It is on a charger; none if it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charging: Option<bool>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<ReaderTrouble>,
}
