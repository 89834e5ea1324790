//! Time zones whose clocks jump, days that do not exist, and both ends of time.

use chrono::{Datelike, NaiveDate, NaiveTime};
use chrono_tz::Tz;
use proptest::prelude::*;
use takings_domain::Calendar;
use takings_domain::settlement::zone::first_instant_ms;
use takings_domain::settlement::{SettlementError, business_date, expected, local_date, overdue_after_ms};

use crate::settlement::{at, day, terms};

#[test]
fn dates_are_the_zones_own() {
    let instant = at("2026-11-21T23:30:00Z");
    for (tz, date) in [(Tz::Asia__Shanghai, "2026-11-22"), (Tz::Europe__Berlin, "2026-11-22"), (Tz::UTC, "2026-11-21")]
    {
        assert_eq!(local_date(tz, instant).unwrap(), day(date), "{tz}");
    }
    assert_eq!(local_date(Tz::America__New_York, instant).unwrap(), day("2026-11-21"));
}

#[test]
fn a_cut_off_in_the_repeated_hour_counts_from_its_first_pass() {
    // Berlin goes back from 03:00 to 02:00 on 2026-10-25; New York from 02:00 to 01:00 on 2026-11-01.
    let berlin = terms("business_day", 1, "02:30:00", "Europe/Berlin");
    let date = |text| business_date(&berlin, at(text)).unwrap();
    assert_eq!(date("2026-10-25T02:29:59+02:00"), day("2026-10-25"));
    assert_eq!(date("2026-10-25T02:30:00+02:00"), day("2026-10-26"));
    assert_eq!(date("2026-10-25T02:15:00+01:00"), day("2026-10-26"), "the hour again: never back to the day before");
    let new_york = terms("business_day", 1, "01:30:00", "America/New_York");
    assert_eq!(business_date(&new_york, at("2026-11-01T01:29:59-04:00")).unwrap(), day("2026-11-01"));
    assert_eq!(business_date(&new_york, at("2026-11-01T01:00:00-05:00")).unwrap(), day("2026-11-02"));
}

#[test]
fn a_cut_off_in_the_skipped_hour_counts_from_its_end() {
    let berlin = terms("business_day", 1, "02:30:00", "Europe/Berlin");
    assert_eq!(business_date(&berlin, at("2026-03-29T01:59:59+01:00")).unwrap(), day("2026-03-29"));
    assert_eq!(business_date(&berlin, at("2026-03-29T03:00:00+02:00")).unwrap(), day("2026-03-30"));
}

#[test]
fn a_skipped_midnight_and_a_skipped_day() {
    // Beirut's clocks go from 00:00 to 01:00 on 2026-03-29.
    let beirut = first_instant_ms(Tz::Asia__Beirut, day("2026-03-29"), NaiveTime::MIN).unwrap();
    assert_eq!(beirut, at("2026-03-29T01:00:00+03:00"));
    // Samoa had no 30 December 2011.
    let apia = first_instant_ms(Tz::Pacific__Apia, day("2011-12-30"), NaiveTime::MIN).unwrap();
    assert_eq!(apia, at("2011-12-31T00:00:00+14:00"));
    let samoa = terms("business_day", 1, "23:00:00", "Pacific/Apia");
    assert_eq!(business_date(&samoa, apia - 1).unwrap(), day("2011-12-30"));
    assert_eq!(business_date(&samoa, apia).unwrap(), day("2011-12-31"));
}

#[test]
fn overdue_is_midnight_in_the_acquirers_zone_whatever_its_offset_is_that_day() {
    let new_york = |date| {
        let tz = Tz::America__New_York;
        overdue_after_ms(day(date), &Calendar::built_in(tz), tz).unwrap()
    };
    assert_eq!(new_york("2026-10-29"), at("2026-10-31T00:00:00-04:00"));
    assert_eq!(new_york("2026-10-30"), at("2026-11-03T00:00:00-05:00"));
}

#[test]
fn a_region_without_built_in_days_counts_weekends_only() {
    let tz = Tz::Europe__Berlin;
    let berlin = terms("business_day", 1, "23:00:00", "Europe/Berlin");
    let found = expected(&berlin, &Calendar::built_in(tz), at("2026-12-24T12:00:00+01:00")).unwrap();
    assert_eq!((found.date, found.provisional), (day("2026-12-25"), true));
}

#[test]
fn both_ends_of_time_are_errors() {
    for timezone in ["Asia/Shanghai", "Pacific/Apia", "America/New_York"] {
        let terms = terms("business_day", 60, "00:00:00", timezone);
        let calendar = Calendar::built_in(terms.timezone);
        for instant in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, at("9999-12-31T12:00:00Z"), -62_135_596_800_000]
        {
            assert_eq!(expected(&terms, &calendar, instant), Err(SettlementError::OutOfRange), "{instant}");
        }
        for date in [NaiveDate::MIN, NaiveDate::MAX, day("9999-12-31")] {
            assert_eq!(overdue_after_ms(date, &calendar, terms.timezone), Err(SettlementError::OutOfRange));
        }
    }
}

proptest! {
    #![proptest_config(crate::runs())]

    #[test]
    fn later_instants_never_count_for_earlier_days(
        index in 0..chrono_tz::TZ_VARIANTS.len(), first in -2_000_000_000_000..4_000_000_000_000_i64, gap in 0..200_000_000_i64,
        hour in 0_u32..24, minute in 0_u32..60,
    ) {
        let tz = chrono_tz::TZ_VARIANTS[index];
        let terms = terms("business_day", 1, &format!("{hour:02}:{minute:02}:00"), tz.name());
        prop_assert!(business_date(&terms, first).unwrap() <= business_date(&terms, first + gap).unwrap());
    }

    #[test]
    fn the_first_instant_of_a_date_shows_it_or_a_later_one(
        index in 0..chrono_tz::TZ_VARIANTS.len(), days in 0_i32..1_000_000,
    ) {
        let tz = chrono_tz::TZ_VARIANTS[index];
        let date = NaiveDate::from_num_days_from_ce_opt(days.max(400)).unwrap();
        let first = first_instant_ms(tz, date, NaiveTime::MIN).unwrap();
        prop_assert!(local_date(tz, first).unwrap() >= date);
        // One second before it, the clocks showed an earlier date; a clock set back over midnight may show this one.
        prop_assert!(local_date(tz, first - 1_000).unwrap() <= date);
        prop_assert!(date.year() < 9999);
    }
}
