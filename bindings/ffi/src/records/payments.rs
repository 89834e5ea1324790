//! Payments as the shells read them.

use crate::error::TakingsError;
use crate::wire::day;
use crate::wire::mirror;

mirror! {
    /// A payment's line in a list, and the head of its detail.
    PaymentView of takings_till::views::PaymentView {
        /// The payment.
        payment_id: String,
        /// When the card was read, else when the charge began; wall clock, milliseconds UTC.
        captured_at_ms: i64,
        /// The day of the sale in the acquirer's zone.
        captured_on: String,
        /// Minor units.
        amount_minor: i64,
        /// ISO 4217.
        currency: String,
        /// The merchant's number for the sale.
        order_reference: Option<String>,
        /// `live`, `deferred`, `chip_offline`; none before acceptance.
        payment_class = class: Option<String>,
        /// `queued`, `sending`, `in_doubt`, `delivered`, `parked`; none before the payment is accepted or sent.
        delivery: Option<String>,
        /// The acquirer's first axis; none until reported.
        authorization: Option<String>,
        /// The second.
        clearing: Option<String>,
        /// The third, with the payout's word where it is in one.
        arrival: Option<String>,
        /// The one line: a word for `text_of` with the kind *stage*.
        stage: String,
        /// Why, for *not charged* and *needs you*: a word for `text_of`, like `acts` and `next_step`.
        cause: Option<String>,
        /// Where it stuck.
        source: Option<String>,
        /// Who acts.
        acts: Option<String>,
        /// What to do now.
        next_step: Option<String>,
        /// The day the money should be there; none where none is expected.
        expected_date: Option<String>,
        /// True while the day may still move.
        expected_provisional: bool,
        /// On whose word it arrived; `none` until somebody says so.
        evidence: String,
        /// The payout it is in.
        payout_id: Option<String>,
        /// Its share of the payout before fees, minor units.
        gross_minor: Option<i64>,
        /// Its fee, minor units, positive is a cost.
        fee_minor: Option<i64>,
        /// Its share after fees, minor units.
        net_minor: Option<i64>,
        /// Accepted by the acquirer, its clock, milliseconds UTC.
        accepted_at_ms: Option<i64>,
        /// Approved, minor units.
        approved_minor: Option<i64>,
        /// Card scheme.
        scheme: Option<String>,
        /// The last four digits.
        last_four: Option<String>,
        /// Chip, contactless, stripe.
        entry_mode: Option<String>,
        /// System trace audit number, six digits.
        stan: String,
        /// The acquirer's batch at the sale.
        batch_number: String,
        /// Retrieval reference number.
        rrn: Option<String>,
        /// Approval code.
        auth_code: Option<String>,
        /// Response code as it came.
        response_code: Option<String>,
        /// Approved for less: the balance is due.
        partly_approved: bool,
        /// Whether the goods were handed over.
        service_given: Option<bool>,
        /// An earlier phone took it, and this one read it from the acquirer's list.
        from_acquirer: bool,
    }
    /// One line of a payment's history.
    TimelineEntry of takings_till::views::TimelineEntry {
        /// The event's number in the ledger.
        seq: u64,
        /// When it was written, wall clock, milliseconds UTC.
        at_ms: i64,
        /// Who was at the till.
        operator: Option<String>,
        /// The event's kind.
        kind: String,
        /// The event's body, JSON.
        body: String,
    }
    /// Everything about one payment.
    PaymentDetail of takings_till::views::PaymentDetail {
        /// The line.
        payment: PaymentView,
        /// The history, oldest first.
        timeline: Vec<TimelineEntry>,
    }
    /// A page of payments, newest first.
    PaymentsPage of takings_till::views::PaymentsPage {
        /// The payments.
        payments: Vec<PaymentView>,
        /// Pass it as `after` for the next page; none on the last.
        next: Option<String>,
    }
    /// One sum of the takings.
    TakingsLine of takings_till::views::TakingsLine {
        /// The stage.
        stage: String,
        /// ISO 4217.
        currency: String,
        /// How many payments.
        count: u64,
        /// Their sum, minor units.
        amount_minor: i64,
    }
    /// A receipt as lines of text.
    Receipt of takings_till::views::Receipt {
        /// The payment.
        payment_id: String,
        /// The lines, top to bottom.
        lines: Vec<String>,
        /// Accepted offline: the bank may still decline.
        offline: bool,
        /// True for every copy after the first.
        reprint: bool,
    }
}

/// Which payments to list. All given conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct PaymentQuery {
    /// Only this stage.
    #[uniffi(default)]
    pub stage: Option<String>,
    /// Sold on or after this day, `2026-11-21`.
    #[uniffi(default)]
    pub from_day: Option<String>,
    /// Sold on or before this day.
    #[uniffi(default)]
    pub to_day: Option<String>,
    /// Exactly this amount, minor units.
    #[uniffi(default)]
    pub amount_minor: Option<i64>,
    /// The card's last four digits.
    #[uniffi(default)]
    pub last_four: Option<String>,
    /// The merchant's number for the sale.
    #[uniffi(default)]
    pub order_reference: Option<String>,
    /// Part of an order reference, RRN or approval code.
    #[uniffi(default)]
    pub text: Option<String>,
    /// Continue after this page key: the `next` of the page before.
    #[uniffi(default)]
    pub after: Option<String>,
    /// At most this many, 1–200; 50 if not given.
    #[uniffi(default)]
    pub limit: Option<u32>,
}

impl PaymentQuery {
    pub(crate) fn core(self) -> Result<takings_till::views::PaymentQuery, TakingsError> {
        let Self { stage, from_day, to_day, amount_minor, last_four, order_reference, text, after, limit } = self;
        let (from, to) = (from_day.as_deref().map(day).transpose()?, to_day.as_deref().map(day).transpose()?);
        Ok(takings_till::views::PaymentQuery {
            stage,
            from,
            to,
            amount_minor,
            last_four,
            order_reference,
            text,
            after,
            limit,
        })
    }
}

/// Whose copy of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReceiptCopy {
    /// For the customer.
    Customer,
    /// For the merchant.
    Merchant,
}

impl From<ReceiptCopy> for takings_till::views::ReceiptCopy {
    fn from(copy: ReceiptCopy) -> Self {
        match copy {
            ReceiptCopy::Customer => Self::Customer,
            ReceiptCopy::Merchant => Self::Merchant,
        }
    }
}
