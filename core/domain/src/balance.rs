//! Where the money is, as balances. Postings are derived from what a fold was before and after an event, and sum to
//! zero per currency (promise P4); they are not stored one by one.

use chrono::NaiveDate;

use crate::axes::words;
use crate::event::Class;
use crate::payment::PaymentState;
use crate::payout::PayoutState;
use crate::{Currency, EntryType, PayoutStatus};

words! {
    /// An account. Positive: money the merchant has, or has coming, there.
    Account {
        /// The other side of every sale: what customers' cards owe or paid.
        Customers => "customers",
        /// Accepted, unconfirmed: on this phone or under way to the acquirer.
        Phone => "phone",
        /// Approved, owed by the acquirer.
        Acquirer => "acquirer",
        /// In a payout that has not arrived, or came back.
        Payout => "payout",
        /// In the merchant's bank.
        Bank => "bank",
        /// Fees the acquirer kept.
        Fees => "fees",
        /// Lines of payouts that belong to no payment here.
        OtherEntries => "other_entries",
        /// Payouts whose header and lines differ: an item of its own, never rounded away.
        Differences => "differences",
    }
}

/// One line: an amount in minor units, put on an account for a business day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The currency.
    pub currency: Currency,
    /// The day the figure belongs to: the day of the sale, or the payout's business date.
    pub business_day: NaiveDate,
    /// Minor units; the postings of one event sum to zero.
    pub amount_minor: i64,
}

/// A payment's money: on the phone and at the acquirer, minor units.
fn payment_position(payment: Option<&PaymentState>) -> (i64, i64) {
    let Some(payment) = payment else { return (0, 0) };
    if payment.is_answered() || payment.is_closed() {
        return (0, if payment.is_undone() { 0 } else { payment.approved_minor() });
    }
    let waiting = payment.acceptance.is_some_and(|acceptance| acceptance.class != Class::Live) && !payment.expired;
    (if waiting { payment.charge.amount.amount_minor() } else { 0 }, 0)
}

/// What one event moved for a payment.
#[must_use]
pub fn payment_postings(before: Option<&PaymentState>, after: &PaymentState) -> Vec<Posting> {
    let (phone_before, acquirer_before) = payment_position(before);
    let (phone_after, acquirer_after) = payment_position(Some(after));
    let phone = phone_after.saturating_sub(phone_before);
    let acquirer = acquirer_after.saturating_sub(acquirer_before);
    let day = after.charge.captured_on;
    let mut sheet = Sheet::new(after.charge.amount.currency());
    sheet.put(Account::Phone, day, phone);
    sheet.put(Account::Acquirer, day, acquirer);
    sheet.put(Account::Customers, day, phone.saturating_add(acquirer).saturating_neg());
    sheet.lines
}

/// What one event moved for a payout.
#[must_use]
pub fn payout_postings(before: Option<&PayoutState>, after: &PayoutState) -> Vec<Posting> {
    let mut sheet = Sheet::new(after.report.net.currency());
    let day = after.report.business_date;
    let heard = before.map_or(0, |before| before.entries.len());
    // A reissue pays again what already lies on the payout account: its lines move nothing.
    if after.report.reissue_of.is_none() {
        for entry in after.entries.iter().skip(heard) {
            let from = if entry.entry_type == EntryType::Payment && entry.payment_id.is_some() {
                sheet.put(Account::Fees, day, entry.gross_minor.saturating_sub(entry.net_minor));
                (Account::Acquirer, entry.captured_on.unwrap_or(day), entry.gross_minor)
            } else {
                (Account::OtherEntries, day, entry.net_minor)
            };
            sheet.put(Account::Payout, day, entry.net_minor);
            sheet.put(from.0, from.1, from.2.saturating_neg());
        }
    }
    let difference = |state: Option<&PayoutState>| {
        let reconciled = state.and_then(|state| state.reconciled.as_ref());
        reconciled.map_or(0, |reconciled| reconciled.difference.amount_minor())
    };
    let unexplained = difference(Some(after)).saturating_sub(difference(before));
    sheet.put(Account::Payout, day, unexplained);
    sheet.put(Account::Differences, day, unexplained.saturating_neg());
    let credited = banked(Some(after)).saturating_sub(banked(before));
    sheet.put(Account::Bank, day, credited);
    sheet.put(Account::Payout, day, credited.saturating_neg());
    sheet.lines
}

fn banked(payout: Option<&PayoutState>) -> i64 {
    payout
        .filter(|payout| payout.report.status == PayoutStatus::Arrived)
        .map_or(0, |payout| payout.report.net.amount_minor())
}

struct Sheet {
    currency: Currency,
    lines: Vec<Posting>,
}

impl Sheet {
    fn new(currency: Currency) -> Self {
        Self { currency, lines: Vec::new() }
    }

    fn put(&mut self, account: Account, business_day: NaiveDate, amount_minor: i64) {
        if amount_minor == 0 {
            return;
        }
        let same = |line: &&mut Posting| line.account == account && line.business_day == business_day;
        if let Some(line) = self.lines.iter_mut().find(same) {
            line.amount_minor = line.amount_minor.saturating_add(amount_minor);
        } else {
            self.lines.push(Posting { account, currency: self.currency, business_day, amount_minor });
        }
    }
}
