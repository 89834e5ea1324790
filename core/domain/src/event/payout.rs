//! Events about one payout.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Direction, EntryType, Evidence, Money, PaymentId, PayoutId, PayoutStatus};

events! {
    /// What can happen to a payout.
    PayoutEvent {
        PayoutReported => "payout_reported",
        EntriesReported => "entries_reported",
        Reconciled => "reconciled",
        OverdueNoticed => "overdue_noticed",
    }
}

/// The acquirer's verified word on a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutReported {
    /// The payout.
    pub payout_id: PayoutId,
    /// The acquirer's version; the newest wins.
    pub report_version: u64,
    /// Where it stands.
    pub status: PayoutStatus,
    /// Which way the money goes.
    pub direction: Direction,
    /// Sum of the payments, before fees.
    pub gross: Money,
    /// Fees, as a positive cost.
    pub fee: Money,
    /// What the bank is told to move: the sum of the entries' net.
    pub net: Money,
    /// How many entries there are.
    pub entry_count: u32,
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// Expected at the bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<NaiveDate>,
    /// Overdue from this instant, milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_after_ms: Option<i64>,
    /// When it arrived, milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_at_ms: Option<i64>,
    /// On whose word.
    pub evidence: Evidence,
    /// What the bank prints and can search by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end_id: Option<String>,
    /// The bank's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_reference: Option<String>,
    /// The payout this one pays again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reissue_of: Option<PayoutId>,
    /// Why it failed or came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

/// One line of a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The acquirer's id of the line.
    pub entry_id: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// The payment, for lines about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The day of the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_on: Option<NaiveDate>,
    /// Before fees, minor units of the payout's currency.
    pub gross_minor: i64,
    /// Fee as a positive cost, minor units.
    pub fee_minor: i64,
    /// What it adds to the payout, minor units.
    pub net_minor: i64,
}

/// One page of a payout's entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesReported {
    /// The payout's version when the page was read.
    pub report_version: u64,
    /// Which page, from 0; a page heard again replaces nothing.
    pub page: u32,
    /// True on the last page.
    pub last: bool,
    /// The lines.
    pub entries: Vec<Entry>,
}

/// All entries are here and were added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// The payout's version.
    pub report_version: u64,
    /// The payout's net less the sum of its entries' net: zero, or an item of its own.
    pub difference: Money,
}

/// The core noticed by itself that the expected day passed without the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueNoticed {
    /// Overdue since this instant, milliseconds UTC: the same instant is noticed once.
    pub due_ms: i64,
}
