//! How the till is, and what its errands brought.

use chrono::NaiveDate;
use serde::Serialize;

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
    /// `done`, `no_line`, `waiting` (something is due later, or news could not be read), `budget`, `sign_in`, `unverified`.
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
    /// The card readers that were connected, by serial number.
    pub readers: Vec<ReaderView>,
    /// What went wrong last, if the newest contact with the acquirer did not end well or the phone's disk refused.
    pub trouble: Option<TroubleView>,
}

/// A card reader, as it last said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReaderView {
    /// Its serial number.
    pub serial: String,
    /// Model name; empty if it does not tell.
    pub model: String,
    /// Firmware version; empty if it does not tell.
    pub firmware: String,
    /// Charge left, percent.
    pub battery_percent: Option<u32>,
    /// It is on a charger.
    pub charging: Option<bool>,
    /// What is wrong with it: a word of `takings_domain::event::ReaderTrouble`.
    pub trouble: Option<String>,
    /// First connected, wall clock, milliseconds UTC.
    pub first_seen_ms: i64,
    /// Last said so, wall clock, milliseconds UTC: on record when something changed, and once a day.
    pub last_seen_ms: i64,
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
    /// `payment`, `payout`, `reader` or `ledger`.
    pub subject_kind: String,
    /// The payment's or payout's id, the reader's serial number.
    pub subject_id: String,
    /// The money it is about, minor units, where it is about money.
    pub amount_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
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
