//! Sums that are kept, never counted: takings by day and stage, what waits on this phone, balances by account.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rusqlite::params_from_iter;
use takings_domain::Currency;
use takings_domain::balance::{Account, Posting};
use takings_domain::event::Class;
use takings_domain::payment::{Delivery, Stage};

use super::payment::PaymentRow;
use super::row::{Column, rows};
use super::tables::Tables;
use crate::StoreError;

rows! {
    /// A sum of the takings, before time is looked at.
    TakingsRow in "takings" {
        /// The day of the sale.
        captured_on: NaiveDate,
        /// Its currency.
        currency: Currency,
        /// The base stage.
        stage: Stage,
        /// How many payments.
        count: i64,
        /// Their sum, minor units.
        amount_minor: i64,
    }

    /// What waits for the acquirer, in one currency.
    WaitingRow in "waiting" {
        /// `unsent`: everything the acquirer has not confirmed, what is parked or expired too; `offline`: what was
        /// accepted without a line and can still be sent or answered.
        what: String,
        /// Its currency.
        currency: Currency,
        /// How many payments.
        count: i64,
        /// Their sum, minor units.
        amount_minor: i64,
    }

    /// The balance of an account on one business day.
    BalanceRow in "balance" {
        /// The account.
        account: Account,
        /// Its currency.
        currency: Currency,
        /// The business day.
        business_day: NaiveDate,
        /// Minor units.
        amount_minor: i64,
    }
}

/// Everything the acquirer has not confirmed, parked and expired payments among it: what is at stake on this phone.
pub(crate) const UNSENT: &str = "unsent";
/// Of that, what was accepted offline and still moves: what the offline policy limits.
pub(crate) const OFFLINE: &str = "offline";

impl PaymentRow {
    /// Accepted offline, not yet answered, and neither parked nor expired: those would count for ever.
    #[must_use]
    pub fn waits_offline(&self) -> bool {
        let moves = matches!(self.delivery, Some(Delivery::Queued | Delivery::Sending | Delivery::InDoubt));
        #[cfg(feature = "planted")]
        let moves = moves
            && (self.delivery == Some(Delivery::Queued)
                || !takings_domain::planted::is("limit_total_ignores_in_doubt"));
        self.unsent && moves && matches!(self.class, Some(Class::Deferred | Class::ChipOffline))
    }
}

/// Replaces what `old` added to the kept sums by what `new` adds.
pub(crate) fn replace(tables: &Tables<'_>, old: Option<&PaymentRow>, new: &PaymentRow) -> Result<(), StoreError> {
    let takings = |row: &PaymentRow| (row.captured_on, row.currency, row.stage, row.taken_minor);
    if old.map(takings) != Some(takings(new)) {
        let left = old;
        #[cfg(feature = "planted")]
        let left = left.filter(|_| !takings_domain::planted::is("takings_not_moved"));
        if let Some(old) = left {
            add_takings(tables, old, -1)?;
        }
        add_takings(tables, new, 1)?;
    }
    for (what, counts) in [
        (UNSENT, (|row| row.unsent) as fn(&PaymentRow) -> bool),
        (OFFLINE, PaymentRow::waits_offline as fn(&PaymentRow) -> bool),
    ] {
        match (old.is_some_and(counts), counts(new)) {
            (false, true) => add_waiting(tables, what, new, 1)?,
            (true, false) => add_waiting(tables, what, new, -1)?,
            // Currency and amount of a payment never change.
            (true, true) | (false, false) => {}
        }
    }
    Ok(())
}

fn add_takings(tables: &Tables<'_>, row: &PaymentRow, sign: i64) -> Result<(), StoreError> {
    let key = [row.captured_on.to_value(), row.currency.to_value(), row.stage.to_value()];
    let amount_minor = row.taken_minor.saturating_mul(sign);
    let sums = [sign.to_value(), amount_minor.to_value()];
    tables
        .prepare_cached(
            "INSERT INTO takings (captured_on, currency, stage, count, amount_minor) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (captured_on, currency, stage)
         DO UPDATE SET count = count + excluded.count, amount_minor = amount_minor + excluded.amount_minor",
        )?
        .execute(params_from_iter(key.iter().chain(&sums)))?;
    if sign < 0 {
        tables.prepare_cached(
            "DELETE FROM takings WHERE captured_on = ? AND currency = ? AND stage = ? AND count = 0 AND amount_minor = 0",
        )?
        .execute(params_from_iter(key))?;
    }
    Ok(())
}

fn add_waiting(tables: &Tables<'_>, what: &str, row: &PaymentRow, sign: i64) -> Result<(), StoreError> {
    let code = row.currency.code();
    tables
        .prepare_cached(
            "INSERT INTO waiting (what, currency, count, amount_minor) VALUES (?, ?, ?, ?)
         ON CONFLICT (what, currency)
         DO UPDATE SET count = count + excluded.count, amount_minor = amount_minor + excluded.amount_minor",
        )?
        .execute((what, code, sign, row.amount_minor.saturating_mul(sign)))?;
    if sign < 0 {
        tables
            .prepare_cached("DELETE FROM waiting WHERE what = ? AND currency = ? AND count = 0 AND amount_minor = 0")?
            .execute((what, code))?;
    }
    Ok(())
}

/// Promise P4: refuses postings that do not sum to zero in every currency.
pub(crate) fn balanced(postings: &[Posting]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for posting in postings {
        *sums.entry(posting.currency).or_default() += i128::from(posting.amount_minor);
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        None => Ok(()),
        Some((currency, sum)) => Err(StoreError::Unbalanced {
            currency: currency.code().to_owned(),
            difference_minor: i64::try_from(sum).unwrap_or(i64::MAX),
        }),
    }
}

/// Puts postings on their accounts, all or none.
pub(crate) fn post(tables: &Tables<'_>, postings: &[Posting]) -> Result<(), StoreError> {
    balanced(postings)?;
    let mut add = tables.prepare_cached(
        "INSERT INTO balance (account, currency, business_day, amount_minor) VALUES (?, ?, ?, ?)
         ON CONFLICT (account, currency, business_day) DO UPDATE SET amount_minor = amount_minor + excluded.amount_minor",
    )?;
    let mut clear = tables.prepare_cached(
        "DELETE FROM balance WHERE account = ? AND currency = ? AND business_day = ? AND amount_minor = 0",
    )?;
    for posting in postings {
        let key = [posting.account.to_value(), posting.currency.to_value(), posting.business_day.to_value()];
        add.execute(params_from_iter(key.iter().chain([&posting.amount_minor.to_value()])))?;
        clear.execute(params_from_iter(key))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posting(account: Account, code: &str, amount_minor: i64) -> Posting {
        let business_day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        Posting { account, currency: Currency::from_code(code).unwrap(), business_day, amount_minor }
    }

    #[test]
    fn p4_balanced_postings_sum_to_zero_in_every_currency() {
        let fair = [posting(Account::Phone, "CNY", 5), posting(Account::Customers, "CNY", -5)];
        assert!(balanced(&fair).is_ok());
        let mixed = [posting(Account::Phone, "CNY", 5), posting(Account::Customers, "JPY", -5)];
        assert!(matches!(balanced(&mixed), Err(StoreError::Unbalanced { difference_minor: 5, .. })));
    }
}
