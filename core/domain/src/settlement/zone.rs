//! Instants and local dates of a time zone. Offsets change, midnights are skipped, whole days are skipped; nothing
//! here panics for it.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::SettlementError;

/// Minutes in which the clocks of a place may jump: one skipped day (Samoa, 2011) and an hour.
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

/// The local date of an instant (milliseconds since 1970 UTC) in the zone.
///
/// # Errors
/// [`SettlementError::OutOfRange`] outside the years 1 to 9999.
pub fn local_date(tz: Tz, at_ms: i64) -> Result<NaiveDate, SettlementError> {
    let utc = DateTime::from_timestamp_millis(at_ms).ok_or(SettlementError::OutOfRange)?;
    // A day of room at both ends, so that no offset can lead out of the calendar.
    in_range(utc.date_naive())?;
    in_range(utc.with_timezone(&tz).date_naive())
}

/// The date, if four digits can write its year.
pub(super) fn in_range(date: NaiveDate) -> Result<NaiveDate, SettlementError> {
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err(SettlementError::OutOfRange) }
}

/// The date so many days later.
pub(super) fn plus_days(date: NaiveDate, days: u64) -> Result<NaiveDate, SettlementError> {
    in_range(date.checked_add_days(Days::new(days)).ok_or(SettlementError::OutOfRange)?)
}

/// The first instant at which the clocks of the zone show this date and time or a later one, in milliseconds since
/// 1970 UTC. In a skipped hour that is its end, in a repeated one the first pass.
///
/// # Errors
/// [`SettlementError::OutOfRange`] outside the years 1 to 9999.
pub fn first_instant_ms(tz: Tz, date: NaiveDate, time: NaiveTime) -> Result<i64, SettlementError> {
    in_range(date)?;
    let local = NaiveDateTime::new(date, time);
    for minutes in 0..=LONGEST_GAP_MINUTES {
        let shown = local.checked_add_signed(TimeDelta::minutes(minutes)).ok_or(SettlementError::OutOfRange)?;
        if let Some(instant) = tz.from_local_datetime(&shown).earliest() {
            return Ok(instant.timestamp_millis());
        }
    }
    Err(SettlementError::OutOfRange)
}
