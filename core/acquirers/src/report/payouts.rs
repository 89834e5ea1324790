//! Reports about payouts and what they are made of. Signs are the acquirer's: what is taken from the merchant is
//! negative, fees included.

use chrono::NaiveDate;
use takings_domain::{Direction, EntryType, Evidence, Money, PaymentId, PayoutId, PayoutStatus};

use super::{Worded, Wording};

/// The acquirer's word on one payout. All money is in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutReport {
    /// The payout.
    pub payout_id: PayoutId,
    /// The acquirer's version; the newest wins.
    pub version: u64,
    /// `batch`, `instant`, `adjustment`, `reissue`, raw.
    pub payout_type: String,
    /// Which way the money goes. An unknown word counts as credit.
    pub direction: Worded<Direction>,
    /// Where it stands. An unknown word counts as created.
    pub status: Worded<PayoutStatus>,
    /// How it is paid, raw.
    pub method: Option<String>,
    /// Sum before fees.
    pub gross: Money,
    /// Sum of fees, negative.
    pub fee: Money,
    /// Sum of taxes, negative.
    pub tax: Money,
    /// Sum of corrections.
    pub adjustments: Money,
    /// Sum held back, negative.
    pub withheld: Money,
    /// What the bank is told to move.
    pub net: Money,
    /// How many entries there are.
    pub entry_count: u32,
    /// The acquirer's business date.
    pub business_date: NaiveDate,
    /// When it was made, milliseconds UTC.
    pub created_at_ms: i64,
    /// When it changed last, milliseconds UTC.
    pub updated_at_ms: i64,
    /// When the bank was told, milliseconds UTC.
    pub sent_at_ms: Option<i64>,
    /// The day it should be in the bank.
    pub expected_arrival_date: Option<NaiveDate>,
    /// When it arrived, milliseconds UTC.
    pub arrived_at_ms: Option<i64>,
    /// The bank's reference.
    pub bank_reference: Option<String>,
    /// What the bank prints and can search by.
    pub end_to_end_id: String,
    /// What stands on the statement.
    pub statement_text: Option<String>,
    /// Where it goes.
    pub account: Option<AccountReport>,
    /// Why it failed or came back.
    pub failure: Option<PayoutFailure>,
    /// When the bank sent it back, milliseconds UTC.
    pub returned_at_ms: Option<i64>,
    /// The payout this one pays again.
    pub reissue_of: Option<PayoutId>,
    /// The payout that pays this one again.
    pub reissued_by: Option<PayoutId>,
    /// The payout this one was offset in.
    pub netted_into: Option<PayoutId>,
    /// On whose word it arrived. An unknown word counts as none.
    pub evidence: Worded<Evidence>,
}

/// An account, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountReport {
    /// The number, masked by the acquirer.
    pub masked: String,
    /// The bank.
    pub bank_name: Option<String>,
    /// The holder, masked by the acquirer.
    pub holder_masked: Option<String>,
    /// `corporate`, `personal_I`, `personal_II`, raw.
    pub class: Option<String>,
    /// Whether the acquirer verified it.
    pub verified: Option<bool>,
}

/// Why a payout failed or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutFailure {
    /// The cause, raw.
    pub code: String,
    /// The acquirer's wording.
    pub text: Wording,
    /// When, milliseconds UTC.
    pub at_ms: i64,
}

/// A page of payouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutsPage {
    /// The payouts.
    pub payouts: Vec<PayoutReport>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
    /// The acquirer's time of the list, milliseconds UTC.
    pub as_of_ms: i64,
}

/// One line of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryReport {
    /// Its id.
    pub entry_id: String,
    /// What it is for. An unknown word counts as adjustment.
    pub entry_type: Worded<EntryType>,
    /// The kind of a service fee, raw.
    pub kind: Option<String>,
    /// The payment, for lines about one.
    pub payment_id: Option<PaymentId>,
    /// The payment's retrieval reference number.
    pub rrn: Option<String>,
    /// The day of the sale.
    pub captured_on: Option<NaiveDate>,
    /// Before fees.
    pub gross: Money,
    /// The fee, negative.
    pub fee: Money,
    /// What it adds to the payout.
    pub net: Money,
    /// The acquirer's remark.
    pub note: Option<String>,
}

/// A page of a payout's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutEntriesPage {
    /// The payout.
    pub payout_id: PayoutId,
    /// Its version when the page was read.
    pub version: u64,
    /// The lines.
    pub entries: Vec<EntryReport>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
    /// The acquirer's time of the page, milliseconds UTC.
    pub as_of_ms: i64,
}
