//! Reports about the terminal, its session and the acquirer.

use chrono::NaiveDate;
use takings_domain::{Currency, LedgerId, PaymentId};

use super::AccountReport;

/// The terminal, as activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalReport {
    /// The terminal.
    pub terminal_id: String,
    /// The merchant.
    pub merchant_id: String,
    /// The merchant's display name.
    pub merchant_name: String,
    /// Whether it may work: `active`; any other word means no.
    pub active: bool,
    /// The word as it came: `active`, `blocked`, `closed`.
    pub status_raw: String,
    /// The signature algorithm's name.
    pub alg: String,
    /// The thumbprint of the device's key.
    pub key_thumbprint: String,
    /// When it was activated, milliseconds UTC.
    pub activated_at_ms: i64,
    /// The acquirer's zone, an IANA name.
    pub timezone: String,
    /// The currency it takes.
    pub currency: Currency,
    /// Where payouts go.
    pub settlement_account: Option<AccountReport>,
    /// The newest trace number of this terminal, if it was active before with another key.
    pub last_stan: Option<u32>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOnReport {
    /// The session, named in every submission.
    pub session_id: String,
    /// The terminal.
    pub terminal_id: String,
    /// The batch in force.
    pub batch_number: String,
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// The acquirer's clock, milliseconds UTC.
    pub server_ms: i64,
    /// Entity tag of the policy in force.
    pub policy_etag: String,
    /// Entity tag of the terms in force.
    pub terms_etag: String,
    /// Entity tag of the calendar in force.
    pub calendar_etag: String,
    /// The session ends then, milliseconds UTC.
    pub sign_on_again_before_ms: i64,
    /// What is stored should be submitted by then, milliseconds UTC.
    pub offline_upload_deadline_ms: Option<i64>,
    /// Payments the acquirer wants to be asked about.
    pub pending_inquiries: Vec<PaymentId>,
    /// The largest head reported earlier for this ledger.
    pub witness: Option<LedgerHead>,
}

/// The newest event of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerHead {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What the acquirer offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The contract it speaks, `1.x`.
    pub contract_version: String,
    /// Its name.
    pub acquirer_name: String,
    /// Its zone, an IANA name.
    pub timezone: String,
    /// Currencies and their decimal places as this acquirer counts them. Currencies that are not known are left out.
    pub currencies: Vec<(Currency, u8)>,
    /// Signature algorithms it takes.
    pub algs: Vec<String>,
    /// The most items of a batch.
    pub batch_items: u32,
    /// The most look-ups of an inquiry.
    pub inquiry_lookups: u32,
    /// The most items of a page.
    pub page_items: u32,
    /// The most bytes of a request.
    pub body_bytes: u32,
    /// Words for what it can do.
    pub features: Vec<String>,
    /// Its telephone number.
    pub support_phone: Option<String>,
    /// Its mail address.
    pub support_email: Option<String>,
    /// Its page.
    pub support_url: Option<String>,
}

/// One channel behind the acquirer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Which: `bank_network`, `clearing`, `payouts`, raw.
    pub channel: String,
    /// How: `ok`, `degraded`, `down`, raw. An unknown word counts as degraded.
    pub status: String,
    /// Until when, milliseconds UTC.
    pub until_ms: Option<i64>,
}

/// The channels behind the acquirer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// The acquirer's time, milliseconds UTC.
    pub as_of_ms: i64,
    /// The channels.
    pub channels: Vec<Channel>,
}
