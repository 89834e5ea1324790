//! Six Saturdays of 2026, and the days on which their money moves by the calendar of mainland China, T+1.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta};

/// The days of one story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Week {
    /// The market.
    pub(crate) saturday: NaiveDate,
    /// Saturday's money is paid out; the stall is open again.
    pub(crate) second: NaiveDate,
    /// The second day's payout is made and comes back; the stall is open a last time.
    pub(crate) third: NaiveDate,
    /// The third day's payout is made; the bank takes its time.
    pub(crate) slow: NaiveDate,
    /// The last look.
    pub(crate) last: NaiveDate,
}

/// (month, day) of saturday, second, third, slow and last. The second and fourth Saturday are working days in exchange for a
/// holiday, the third is followed by such a Sunday, the fifth by the May holiday, the second by the Spring Festival.
const DAYS: [[(u32, u32); 5]; 6] = [
    [(11, 21), (11, 23), (11, 24), (11, 25), (12, 1)],
    [(2, 14), (2, 24), (2, 25), (2, 26), (3, 3)],
    [(9, 19), (9, 21), (9, 22), (9, 23), (9, 30)],
    [(5, 9), (5, 11), (5, 12), (5, 13), (5, 19)],
    [(4, 25), (4, 27), (4, 28), (4, 29), (5, 8)],
    [(10, 10), (10, 12), (10, 13), (10, 14), (10, 20)],
];

/// The week of this seed; seed 1 is the one in November.
pub(crate) fn week(seed: u64) -> Week {
    let at = usize::try_from(seed.wrapping_sub(1) % 6).unwrap_or(0);
    let row = DAYS.get(at).copied().unwrap_or(DAYS[0]);
    let [saturday, second, third, slow, last] =
        row.map(|(month, day)| NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default());
    Week { saturday, second, third, slow, last }
}

/// Shanghai: eight hours ahead all year.
fn zone() -> Option<FixedOffset> {
    FixedOffset::east_opt(8 * 3600)
}

/// The instant of this time of day in Shanghai, milliseconds UTC.
pub(crate) fn at(day: NaiveDate, hour: i64, minute: i64) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    midnight + TimeDelta::hours(hour - 8).num_milliseconds() + TimeDelta::minutes(minute).num_milliseconds()
}

/// Day and time of an instant in Shanghai.
pub(crate) fn local(at_ms: i64) -> Option<DateTime<FixedOffset>> {
    DateTime::from_timestamp_millis(at_ms).zip(zone()).map(|(at, zone)| at.with_timezone(&zone))
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Weekday};

    use super::*;

    #[test]
    fn every_week_begins_with_a_saturday_and_its_days_follow() {
        for seed in 1..=6 {
            let week = week(seed);
            assert_eq!(week.saturday.weekday(), Weekday::Sat);
            assert!(
                week.saturday < week.second
                    && week.second < week.third
                    && week.third < week.slow
                    && week.slow < week.last
            );
        }
        assert_eq!(week(1), week(7));
        assert_eq!(week(1).saturday.to_string(), "2026-11-21");
        assert_eq!(week(2).saturday.to_string(), "2026-02-14");
    }

    #[test]
    fn shanghai() {
        let noon = at(week(1).saturday, 8, 0);
        assert_eq!(noon, 1_795_219_200_000);
        assert_eq!(local(noon).unwrap().format("%F %T").to_string(), "2026-11-21 08:00:00");
    }
}
