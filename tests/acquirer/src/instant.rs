//! Instants and dates in the forms the contract writes.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Asia::Shanghai;

/// RFC 3339 in the acquirer's zone, with milliseconds where there are any.
pub(crate) fn rfc3339(ms: i64) -> String {
    let form = if ms % 1000 == 0 { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%dT%H:%M:%S%.3f%:z" };
    utc(ms).with_timezone(&Shanghai).format(form).to_string()
}

/// The `Date` header (RFC 9110 IMF-fixdate).
pub(crate) fn http_date(ms: i64) -> String {
    utc(ms).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Milliseconds of an RFC 3339 instant.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_millis())
}

/// Date and time of day in the acquirer's zone.
pub(crate) fn local(ms: i64) -> NaiveDateTime {
    utc(ms).with_timezone(&Shanghai).naive_local()
}

/// Date in the acquirer's zone.
pub(crate) fn local_date(ms: i64) -> NaiveDate {
    local(ms).date()
}

/// The instant of a date and a time of day in the acquirer's zone.
pub(crate) fn at(date: NaiveDate, time: NaiveTime) -> i64 {
    match Shanghai.from_local_datetime(&date.and_time(time)).earliest() {
        Some(instant) => instant.timestamp_millis(),
        // Shanghai has had no clock change since 1991; kept total all the same.
        None => date.and_time(time).and_utc().timestamp_millis() - 8 * 3_600_000,
    }
}

/// The date whose books an acceptance falls into: from the cut-off on it is the next day's.
pub(crate) fn batch_date(accepted_at_ms: i64, cut_off: NaiveTime) -> NaiveDate {
    let local = local(accepted_at_ms);
    if local.time() >= cut_off { local.date() + Days::new(1) } else { local.date() }
}

/// A retrieval reference number's prefix: last digit of the year, day of the year, hour.
pub(crate) fn rrn_prefix(ms: i64) -> String {
    let local = local(ms);
    format!("{}{:03}{:02}", local.year().rem_euclid(10), local.ordinal(), local.hour())
}

fn utc(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{at, batch_date, http_date, parse_rfc3339, rfc3339};
    use chrono::NaiveTime;

    #[test]
    fn the_cut_off_moves_the_day() {
        let cut_off = NaiveTime::from_hms_opt(23, 0, 0).unwrap();
        let day = |text: &str| batch_date(parse_rfc3339(text).unwrap(), cut_off).to_string();
        assert_eq!(day("2026-11-20T22:59:59.999+08:00"), "2026-11-20");
        assert_eq!(day("2026-11-20T23:00:00+08:00"), "2026-11-21");
        assert_eq!(day("2026-11-20T15:30:00Z"), "2026-11-21");
    }

    #[test]
    fn instants_read_back() {
        let ms = at("2026-11-21".parse().unwrap(), NaiveTime::from_hms_opt(9, 30, 0).unwrap());
        assert_eq!(rfc3339(ms), "2026-11-21T09:30:00+08:00");
        assert_eq!(parse_rfc3339(&rfc3339(ms + 7)), Some(ms + 7));
        assert_eq!(http_date(ms), "Sat, 21 Nov 2026 01:30:00 GMT");
    }
}
