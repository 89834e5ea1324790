//! Payouts as the shells read them.

use crate::wire::mirror;

mirror! {
    /// One payout.
    PayoutView of takings_till::views::PayoutView {
        /// The payout.
        payout_id: String,
        /// `created`, `sent`, `arrived`, `failed`, `returned`, `held`.
        status: String,
        /// `credit` or `debit`.
        direction: String,
        /// The acquirer's business date.
        business_date: String,
        /// Expected at the bank.
        expected_date: Option<String>,
        /// When it arrived, milliseconds UTC.
        arrived_at_ms: Option<i64>,
        /// On whose word.
        evidence: String,
        /// ISO 4217.
        currency: String,
        /// Before fees, minor units.
        gross_minor: i64,
        /// Fees, minor units, positive is a cost.
        fee_minor: i64,
        /// To the bank, minor units.
        net_minor: i64,
        /// How many entries the acquirer announced.
        entry_count: u32,
        /// How many entries were heard.
        entries_heard: u32,
        /// Net less the sum of the entries, minor units; none until all were heard.
        difference_minor: Option<i64>,
        /// What the bank can search by.
        end_to_end_id: Option<String>,
        /// The payout this one pays again.
        reissue_of: Option<String>,
        /// The payout that pays this one again, if known.
        reissued_by: Option<String>,
        /// Why it failed or came back.
        failure_code: Option<String>,
        /// True from the day after its grace on, while not arrived.
        overdue: bool,
    }
    /// One line of a payout.
    PayoutEntryView of takings_till::views::PayoutEntryView {
        /// The acquirer's id of the line.
        entry_id: String,
        /// What it is for.
        entry_type: String,
        /// The payment.
        payment_id: Option<String>,
        /// Minor units.
        gross_minor: i64,
        /// Minor units, positive is a cost.
        fee_minor: i64,
        /// Minor units.
        net_minor: i64,
    }
    /// One payout with its lines.
    PayoutDetail of takings_till::views::PayoutDetail {
        /// The payout.
        payout: PayoutView,
        /// Its lines, in the acquirer's order.
        entries: Vec<PayoutEntryView>,
    }
    /// A page of payouts, newest first.
    PayoutsPage of takings_till::views::PayoutsPage {
        /// The payouts.
        payouts: Vec<PayoutView>,
        /// Pass it as `after` for the next page; none on the last.
        next: Option<String>,
    }
}

/// Which payouts to list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PayoutQuery {
    /// Only this status.
    #[uniffi(default)]
    pub status: Option<String>,
    /// Continue after this page key: the `next` of the page before.
    #[uniffi(default)]
    pub after: Option<String>,
    /// At most this many, 1–200; 50 if not given.
    #[uniffi(default)]
    pub limit: Option<u32>,
}

impl From<PayoutQuery> for takings_till::views::PayoutQuery {
    fn from(query: PayoutQuery) -> Self {
        let PayoutQuery { status, after, limit } = query;
        Self { status, after, limit }
    }
}
