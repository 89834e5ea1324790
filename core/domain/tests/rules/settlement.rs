//! The expected day: the table, the fallbacks, and what must hold for any instant.

use chrono::{DateTime, Datelike, NaiveDate, Weekday};
use proptest::prelude::*;
use serde_json::{Value, json};
use takings_domain::settlement::{
    Basis, Certainty, Region, SettlementError, business_date, expected, expected_if_accepted, overdue_after_ms,
};
use takings_domain::{Calendar, ExpectedArrival, SettlementTerms};

pub(crate) fn terms(basis: &str, n: u16, cut_off: &str, timezone: &str) -> SettlementTerms {
    read(&document(basis, n, cut_off, timezone)).unwrap()
}

fn document(basis: &str, n: u16, cut_off: &str, timezone: &str) -> Value {
    json!({
        "version": "1", "merchant_id": "M000001", "valid_from": "2026-01-01T00:00:00+08:00", "currency": "CNY",
        "cycle": {"basis": basis, "n": n}, "cut_off": cut_off, "timezone": timezone,
        "payout_windows": ["09:00-12:00"],
        "pricing": [{"funding": "debit", "rate": "0.0050", "cap": 2000, "min": 0},
                    {"funding": "credit", "rate": "0.0060"}],
        "rounding": "half_up_per_payment", "minimum_payout": {"amount": 100, "currency": "CNY"},
        "account": {"masked": "**** 1234", "bank_name": "Sandbox Bank", "class": "personal_I", "verified": true}
    })
}

fn read(document: &Value) -> Result<SettlementTerms, SettlementError> {
    SettlementTerms::parse(&serde_json::to_vec(document).unwrap())
}

fn china(basis: &str, n: u16) -> SettlementTerms {
    terms(basis, n, "23:00:00", "Asia/Shanghai")
}

fn built_in() -> Calendar {
    Calendar::built_in(chrono_tz::Asia::Shanghai)
}

pub(crate) fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Accepted (Chinese time), business date, then the day by T+0, T+1, T+2, D+0, D+1; all of 2026.
const TABLE: [[&str; 7]; 12] = [
    ["11-20T10:00", "11-20", "11-20", "11-23", "11-24", "11-20", "11-21"],
    ["11-20T23:30", "11-21", "11-23", "11-23", "11-24", "11-21", "11-22"],
    ["11-21T12:00", "11-21", "11-23", "11-23", "11-24", "11-21", "11-22"],
    ["11-22T22:59", "11-22", "11-23", "11-23", "11-24", "11-22", "11-23"],
    ["02-13T15:00", "02-13", "02-13", "02-14", "02-24", "02-13", "02-14"],
    ["02-14T10:00", "02-14", "02-14", "02-24", "02-25", "02-14", "02-15"],
    ["02-14T23:30", "02-15", "02-24", "02-24", "02-25", "02-15", "02-16"],
    ["02-20T09:00", "02-20", "02-24", "02-24", "02-25", "02-20", "02-21"],
    ["09-19T18:00", "09-19", "09-20", "09-20", "09-21", "09-19", "09-20"],
    ["09-30T22:00", "09-30", "09-30", "10-08", "10-09", "09-30", "10-01"],
    ["10-09T12:00", "10-09", "10-09", "10-10", "10-12", "10-09", "10-10"],
    ["04-30T20:00", "04-30", "04-30", "05-06", "05-07", "04-30", "05-01"],
];

const CYCLES: [(&str, u16); 5] =
    [("business_day", 0), ("business_day", 1), ("business_day", 2), ("calendar_day", 0), ("calendar_day", 1)];

#[test]
fn the_settlement_table() {
    for row in TABLE {
        let accepted = at(&format!("2026-{}:00+08:00", row[0]));
        assert_eq!(business_date(&china("business_day", 1), accepted).unwrap(), day(&format!("2026-{}", row[1])));
        for (index, (basis, n)) in CYCLES.into_iter().enumerate() {
            let found = expected(&china(basis, n), &built_in(), accepted).unwrap();
            let due = day(&format!("2026-{}", row[index + 2]));
            assert_eq!(found.date, due, "{} {basis} {n}", row[0]);
            assert_eq!((found.earliest, found.latest), (due, due));
            assert_eq!((found.basis, found.provisional), (Basis::Computed, false));
        }
    }
}

#[test]
fn the_cut_off_belongs_to_the_next_day() {
    let date = |text| business_date(&china("business_day", 1), at(text)).unwrap();
    assert_eq!(date("2026-11-20T22:59:59.999+08:00"), day("2026-11-20"));
    assert_eq!(date("2026-11-20T23:00:00+08:00"), day("2026-11-21"));
    let midnight = terms("business_day", 1, "00:00:00", "Asia/Shanghai");
    assert_eq!(business_date(&midnight, at("2026-11-20T00:00:00+08:00")).unwrap(), day("2026-11-21"));
}

#[test]
fn overdue_from_the_midnight_after_one_settlement_day_of_grace() {
    let overdue = |date| overdue_after_ms(day(date), &built_in(), chrono_tz::Asia::Shanghai).unwrap();
    assert_eq!(overdue("2026-11-23"), at("2026-11-25T00:00:00+08:00"));
    assert_eq!(overdue("2026-11-20"), at("2026-11-24T00:00:00+08:00"), "a weekend in between");
    assert_eq!(overdue("2026-02-13"), at("2026-02-15T00:00:00+08:00"), "a make-up Saturday counts");
    assert_eq!(overdue("2026-02-14"), at("2026-02-25T00:00:00+08:00"), "the spring festival does not");
}

#[test]
fn an_unknown_year_counts_weekends_only_and_is_provisional() {
    for year in [1999, 2023, 2027, 2031, 9000] {
        let found =
            expected(&china("business_day", 1), &built_in(), at(&format!("{year}-10-01T12:00:00+08:00"))).unwrap();
        assert!(found.provisional, "{year}");
        assert!(!matches!(found.date.weekday(), Weekday::Sat | Weekday::Sun));
        assert!(found.earliest <= found.date && found.date < found.latest);
    }
    let friday = expected(&china("business_day", 1), &built_in(), at("2027-02-05T12:00:00+08:00")).unwrap();
    assert_eq!(friday.date, day("2027-02-08"));
}

#[test]
fn the_last_days_of_a_year_wait_for_the_next_notice() {
    let calendar = built_in();
    assert_eq!(calendar.day(day("2026-12-25")).certainty, Certainty::Official);
    assert_eq!(calendar.day(day("2026-12-26")).certainty, Certainty::Provisional);
    assert_eq!(calendar.day(day("2025-12-31")).certainty, Certainty::Official);
    let source = Calendar::built_in_source(Region::China, 2026).unwrap();
    assert_eq!((source.published_on, source.valid_through), (day("2025-11-04"), day("2026-12-25")));
    assert_eq!(Calendar::built_in_source(Region::China, 2027), None);
}

#[test]
fn calendar_days_need_no_calendar() {
    let found = expected(&china("calendar_day", 1), &built_in(), at("2031-10-01T12:00:00+08:00")).unwrap();
    assert_eq!((found.date, found.provisional), (day("2031-10-02"), false));
}

fn acquirers_calendar(days: Value) -> Result<Calendar, SettlementError> {
    let document = json!({"calendar_version": "7", "timezone": "Asia/Shanghai", "published_by": "Sandbox",
        "from": "2026-01-01", "to": "2027-12-31", "days": days});
    Calendar::parse(&serde_json::to_vec(&document).unwrap())
}

#[test]
fn the_acquirers_calendar_wins_over_the_built_in_one() {
    // This acquirer's bank does not work on the make-up Saturday.
    let calendar = acquirers_calendar(json!([
        {"date": "2026-02-14", "business_day": true, "settlement_day": false, "kind": "makeup_workday", "status": "official"},
        {"date": "2027-02-08", "business_day": false, "settlement_day": false, "kind": "holiday", "status": "official"},
        {"date": "2027-02-09", "business_day": true, "settlement_day": true, "kind": "normal", "status": "official"},
        {"date": "2027-02-10", "business_day": true, "settlement_day": true, "kind": "normal", "status": "who knows"},
    ]))
    .unwrap();
    assert_eq!(calendar.version(), Some("7"));
    let due = |text| expected(&china("business_day", 1), &calendar, at(text)).unwrap();
    assert_eq!(due("2026-02-13T15:00:00+08:00").date, day("2026-02-24"));
    assert_eq!(due("2026-11-21T12:00:00+08:00").date, day("2026-11-23"), "built in");
    let next_year = due("2027-02-07T12:00:00+08:00");
    assert_eq!((next_year.date, next_year.provisional), (day("2027-02-09"), false));
    assert!(due("2027-02-09T12:00:00+08:00").provisional, "an unknown word is provisional");
}

#[test]
fn an_empty_list_is_no_year_without_holidays() {
    let calendar = acquirers_calendar(json!([])).unwrap();
    let due = expected(&china("business_day", 1), &calendar, at("2026-09-30T22:00:00+08:00")).unwrap();
    assert_eq!((due.date, due.provisional), (day("2026-10-08"), false));
}

#[test]
fn a_date_named_twice_must_agree() {
    let line = |settles| json!({"date": "2026-02-14", "settlement_day": settles, "status": "official"});
    assert!(acquirers_calendar(json!([line(true), line(true)])).is_ok());
    assert!(acquirers_calendar(json!([line(true), line(false)])).is_err());
    assert!(acquirers_calendar(json!([{"date": "2026-02-30", "settlement_day": true}])).is_err());
}

#[test]
fn a_calendar_without_any_settlement_day_is_an_error() {
    let start = day("2026-01-01");
    let days: Vec<Value> = start
        .iter_days()
        .take(800)
        .map(|date| json!({"date": date, "settlement_day": false, "status": "official"}))
        .collect();
    let calendar = acquirers_calendar(json!(days)).unwrap();
    let accepted = at("2026-03-01T12:00:00+08:00");
    assert_eq!(expected(&china("business_day", 1), &calendar, accepted), Err(SettlementError::NoSettlementDay));
}

#[test]
fn the_acquirers_day_with_our_instant_of_being_overdue() {
    let tz = chrono_tz::Asia::Shanghai;
    let found = ExpectedArrival::of_acquirer(day("2026-11-23"), None, false, &built_in(), tz).unwrap();
    assert_eq!((found.basis, found.overdue_after_ms), (Basis::Acquirer, at("2026-11-25T00:00:00+08:00")));
    let json = serde_json::to_string(&found).unwrap();
    assert!(json.contains(r#""date":"2026-11-23""#) && json.contains(r#""basis":"acquirer""#), "{json}");
    assert_eq!(serde_json::from_str::<ExpectedArrival>(&json).unwrap(), found);
}

#[test]
fn before_acceptance_it_is_provisional() {
    let now = at("2026-11-21T12:00:00+08:00");
    let found = expected_if_accepted(&china("business_day", 1), &built_in(), now).unwrap();
    assert_eq!((found.date, found.provisional), (day("2026-11-23"), true));
}

#[test]
fn terms_that_cannot_be_used_are_refused() {
    assert_eq!(china("business_day", 1).account.unwrap().masked, "**** 1234");
    for (member, value) in [
        ("version", json!("")),
        ("timezone", json!("Mars/Olympus")),
        ("cut_off", json!("24:00:00")),
        ("currency", json!("XQQ")),
        ("cycle", json!({"basis": "business_day", "n": 61})),
        ("pricing", json!([{"funding": "debit", "rate": "0.5%"}])),
        ("pricing", json!([{"funding": "debit", "rate": "0.0050", "cap": -1}])),
        ("pricing", json!([{"funding": "debit", "rate": 0.005}])),
        ("valid_from", json!("2026-01-01")),
        ("minimum_payout", json!(null)),
    ] {
        let mut document = document("business_day", 1, "23:00:00", "Asia/Shanghai");
        document[member] = value;
        assert!(read(&document).is_err(), "{member}");
    }
}

#[test]
fn an_unknown_way_of_rounding_leaves_no_price() {
    let mut document = document("business_day", 1, "23:00:00", "Asia/Shanghai");
    document["rounding"] = json!("bankers");
    assert_eq!(read(&document).unwrap().pricing, []);
}

/// Instants of 2024 to 2027.
fn instants() -> impl Strategy<Value = i64> {
    1_704_067_200_000..1_830_297_600_000_i64
}

fn cycles() -> impl Strategy<Value = SettlementTerms> {
    (prop::bool::ANY, 0_u16..6, 0_u32..24, 0_u32..60).prop_map(|(business, n, hour, minute)| {
        let basis = if business { "business_day" } else { "calendar_day" };
        terms(basis, n, &format!("{hour:02}:{minute:02}:00"), "Asia/Shanghai")
    })
}

proptest! {
    #![proptest_config(crate::runs())]

    #[test]
    fn later_acceptance_never_means_earlier_money(terms in cycles(), first in instants(), gap in 0..864_000_000_i64) {
        let earlier = expected(&terms, &built_in(), first).unwrap();
        let later = expected(&terms, &built_in(), first + gap).unwrap();
        prop_assert!(earlier.date <= later.date);
        prop_assert!(earlier.overdue_after_ms <= later.overdue_after_ms);
    }

    #[test]
    fn money_by_settlement_days_is_due_on_one(n in 0_u16..6, accepted in instants()) {
        let calendar = built_in();
        let found = expected(&china("business_day", n), &calendar, accepted).unwrap();
        prop_assert!(calendar.day(found.date).settlement);
        prop_assert!(found.earliest <= found.date && found.date <= found.latest);
        prop_assert!(found.date >= business_date(&china("business_day", n), accepted).unwrap());
        prop_assert!(found.overdue_after_ms > accepted);
    }

    #[test]
    fn a_longer_cycle_never_means_earlier_money(n in 0_u16..6, accepted in instants()) {
        let due = |n| expected(&china("business_day", n), &built_in(), accepted).unwrap().date;
        prop_assert!(due(n) <= due(n + 1));
    }

    #[test]
    fn no_instant_panics(accepted in any::<i64>(), terms in cycles()) {
        let _ = expected(&terms, &built_in(), accepted);
    }

    #[test]
    fn documents_from_outside_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SettlementTerms::parse(&bytes);
        let _ = Calendar::parse(&bytes);
    }
}
