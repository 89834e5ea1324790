//! The day the money is due, counted from the acquirer's acceptance, and the instant it is overdue.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::zone::{first_instant_ms, in_range, local_date, plus_days};
use super::{Calendar, Certainty, CycleBasis, SettlementError, SettlementTerms};
use crate::axes::words;

/// No calendar closes banks for so long; a longer search means the calendar holds no settlement day.
const LONGEST_SEARCH_DAYS: u32 = 366;
/// The longest closure a later notice may still announce, in days: what a provisional window is widened by.
const LONGEST_CLOSURE_DAYS: u64 = 9;

words! {
    /// Whose date it is.
    Basis {
        /// The acquirer named it.
        Acquirer => "acquirer",
        /// Counted here, by terms and calendar.
        Computed => "computed",
    }
}

/// The day the money of a payment is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedArrival {
    /// The day, in the acquirer's zone.
    pub date: NaiveDate,
    /// The first day it could be.
    pub earliest: NaiveDate,
    /// The last day it could be.
    pub latest: NaiveDate,
    /// Whose date it is.
    pub basis: Basis,
    /// Whether a later notice, or an acceptance later than assumed, may move it.
    pub provisional: bool,
    /// From this instant on the money is overdue, milliseconds since 1970 UTC.
    pub overdue_after_ms: i64,
}

/// The day a payment accepted at this instant counts for: the local date, from the cut-off on the next.
///
/// The cut-off of a day is an instant, the first at which the acquirer's clocks show it, so that a later acceptance
/// never counts for an earlier day, not even in the repeated hour of autumn.
///
/// # Errors
/// [`SettlementError::OutOfRange`] outside the years 1 to 9999.
pub fn business_date(terms: &SettlementTerms, accepted_at_ms: i64) -> Result<NaiveDate, SettlementError> {
    let local = local_date(terms.timezone, accepted_at_ms)?;
    let mut date = in_range(local.pred_opt().ok_or(SettlementError::OutOfRange)?)?;
    while accepted_at_ms >= first_instant_ms(terms.timezone, date, terms.cut_off)? {
        date = plus_days(date, 1)?;
    }
    Ok(date)
}

/// When the money of a payment the acquirer accepted at this instant is due.
///
/// T+0: its business date or the next settlement day; T+n: the n-th settlement day after; D+n: n days after.
///
/// # Errors
/// [`SettlementError::OutOfRange`], [`SettlementError::NoSettlementDay`].
pub fn expected(
    terms: &SettlementTerms,
    calendar: &Calendar,
    accepted_at_ms: i64,
) -> Result<ExpectedArrival, SettlementError> {
    let from = business_date(terms, accepted_at_ms)?;
    let n = terms.cycle.n;
    let (date, provisional) = match terms.cycle.basis {
        CycleBasis::CalendarDay => (plus_days(from, u64::from(n))?, false),
        CycleBasis::BusinessDay if n == 0 => settlement_day_from(calendar, from)?,
        CycleBasis::BusinessDay => nth_settlement_day_after(calendar, from, n)?,
    };
    let (earliest, latest) = if provisional {
        (plus_days(from, u64::from(n))?.min(date), plus_days(date, LONGEST_CLOSURE_DAYS)?)
    } else {
        (date, date)
    };
    let overdue_after_ms = overdue_after_ms(date, calendar, terms.timezone)?;
    Ok(ExpectedArrival { date, earliest, latest, basis: Basis::Computed, provisional, overdue_after_ms })
}

/// What [`expected`] would say if the acquirer accepted at this instant: always provisional.
///
/// # Errors
/// As [`expected`].
pub fn expected_if_accepted(
    terms: &SettlementTerms,
    calendar: &Calendar,
    now_ms: i64,
) -> Result<ExpectedArrival, SettlementError> {
    Ok(ExpectedArrival { provisional: true, ..expected(terms, calendar, now_ms)? })
}

impl ExpectedArrival {
    /// The day the acquirer named, with our instant of being overdue.
    ///
    /// # Errors
    /// As [`overdue_after_ms`].
    pub fn of_acquirer(
        date: NaiveDate,
        window: Option<(NaiveDate, NaiveDate)>,
        provisional: bool,
        calendar: &Calendar,
        tz: Tz,
    ) -> Result<Self, SettlementError> {
        let (earliest, latest) = window.unwrap_or((date, date));
        let overdue_after_ms = overdue_after_ms(date, calendar, tz)?;
        Ok(Self { date, earliest, latest, basis: Basis::Acquirer, provisional, overdue_after_ms })
    }
}

/// The instant from which money due on this date is overdue: one settlement day of grace, then the midnight after it,
/// in the acquirer's zone; milliseconds since 1970 UTC.
///
/// # Errors
/// [`SettlementError::OutOfRange`], [`SettlementError::NoSettlementDay`].
pub fn overdue_after_ms(date: NaiveDate, calendar: &Calendar, tz: Tz) -> Result<i64, SettlementError> {
    let (grace, _) = nth_settlement_day_after(calendar, in_range(date)?, 1)?;
    first_instant_ms(tz, plus_days(grace, 1)?, NaiveTime::MIN)
}

/// The first settlement day on or after the date, and whether a day looked at was provisional.
fn settlement_day_from(calendar: &Calendar, date: NaiveDate) -> Result<(NaiveDate, bool), SettlementError> {
    let mut candidate = date;
    let mut provisional = false;
    for _ in 0..LONGEST_SEARCH_DAYS {
        let day = calendar.day(candidate);
        provisional |= day.certainty == Certainty::Provisional;
        if day.settlement {
            return Ok((candidate, provisional));
        }
        candidate = plus_days(candidate, 1)?;
    }
    Err(SettlementError::NoSettlementDay)
}

fn nth_settlement_day_after(
    calendar: &Calendar,
    date: NaiveDate,
    n: u16,
) -> Result<(NaiveDate, bool), SettlementError> {
    let mut found = date;
    let mut provisional = false;
    for _ in 0..n {
        let (next, guessed) = settlement_day_from(calendar, plus_days(found, 1)?)?;
        found = next;
        provisional |= guessed;
    }
    Ok((found, provisional))
}
