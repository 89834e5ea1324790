//! Payouts and their lines.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

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
