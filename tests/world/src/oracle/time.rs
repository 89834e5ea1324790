//! Days and instants, by the judge's own arithmetic.

/// Milliseconds of a minute.
pub(super) const MINUTE_MS: i64 = 60_000;
/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// The acquirer's zone is Shanghai's, without summer time.
const ZONE_MS: i64 = 8 * HOUR_MS;

/// The day in the acquirer's zone, counted from 1970-01-01.
pub(super) fn local_day(at_ms: i64) -> i64 {
    at_ms.saturating_add(ZONE_MS).div_euclid(DAY_MS)
}

/// The number of a day written as `2026-11-21`.
pub(super) fn day_number(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| civil(year, month, day))
}

/// Days since 1970-01-01 of a date of our calendar.
fn civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// An RFC 3339 instant as milliseconds UTC.
pub(super) fn instant(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let mut parts = clock.splitn(3, ':');
    let (hours, minutes) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let (seconds, fraction) = parts.next()?.split_once('.').unwrap_or((clock.get(6..8)?, ""));
    let seconds = seconds.parse::<i64>().ok()?;
    let thousandths = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let local = day_number(date)? * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * 1_000 + thousandths;
    Some(local - offset(zone)?)
}

fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let size = hours.parse::<i64>().ok()? * HOUR_MS + minutes.parse::<i64>().ok()? * MINUTE_MS;
    Some(if zone.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_days_are_those_of_the_calendar() {
        assert_eq!(instant("2026-11-21T08:00:00+08:00"), Some(1_795_219_200_000));
        assert_eq!(instant("2026-11-21T00:00:00.250Z"), Some(1_795_219_200_250));
        assert_eq!(instant("2026-11-21T00:00:00.2Z"), Some(1_795_219_200_200));
        assert_eq!(day_number("1970-01-01"), Some(0));
        assert_eq!(day_number("2026-11-21"), Some(local_day(1_795_219_200_000)));
        assert_eq!(day_number("2000-03-01").zip(day_number("2000-02-28")).map(|(a, b)| a - b), Some(2));
        assert_eq!((instant("soon"), day_number("2026-13-01")), (None, None));
    }
}
