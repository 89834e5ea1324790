//! Business days in mainland China, and the date money moves by terms.
//!
//! 2025 and 2026 follow the notices of the State Council; every other year is weekends only and
//! marked provisional.

use chrono::{Datelike, Days, NaiveDate, Weekday};

type Span = ((u32, u32), (u32, u32), &'static str);

const HOLIDAYS_2025: &[Span] = &[
    ((1, 1), (1, 1), "New Year"),
    ((1, 28), (2, 4), "Spring Festival"),
    ((4, 4), (4, 6), "Qingming"),
    ((5, 1), (5, 5), "Labour Day"),
    ((5, 31), (6, 2), "Dragon Boat Festival"),
    ((10, 1), (10, 8), "National Day and Mid-Autumn"),
];
const MAKE_UP_2025: &[(u32, u32)] = &[(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)];

const HOLIDAYS_2026: &[Span] = &[
    ((1, 1), (1, 3), "New Year"),
    ((2, 15), (2, 23), "Spring Festival"),
    ((4, 4), (4, 6), "Qingming"),
    ((5, 1), (5, 5), "Labour Day"),
    ((6, 19), (6, 21), "Dragon Boat Festival"),
    ((9, 25), (9, 27), "Mid-Autumn"),
    ((10, 1), (10, 7), "National Day"),
];
const MAKE_UP_2026: &[(u32, u32)] = &[(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)];

/// What a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayKind {
    Normal,
    Weekend,
    Holiday,
    MakeUp,
}

impl DayKind {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Weekend => "weekend",
            Self::Holiday => "holiday",
            Self::MakeUp => "makeup_workday",
        }
    }

    pub(crate) fn open(self) -> bool {
        matches!(self, Self::Normal | Self::MakeUp)
    }
}

/// One day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: NaiveDate,
    pub(crate) kind: DayKind,
    pub(crate) name: Option<&'static str>,
    pub(crate) settlement_day: bool,
    pub(crate) provisional: bool,
}

/// The settlement calendar: the built-in days, and days an administrator changed.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    pub(crate) version: u32,
    /// Settlement-day flag by date, where it differs from the built-in rule.
    pub(crate) changed: std::collections::BTreeMap<NaiveDate, bool>,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        Self { version: 1, changed: std::collections::BTreeMap::new() }
    }

    pub(crate) fn day(&self, date: NaiveDate) -> Day {
        let (kind, name, provisional) = built_in(date);
        let settlement_day = self.changed.get(&date).copied().unwrap_or_else(|| kind.open());
        Day { date, kind, name, settlement_day, provisional }
    }

    pub(crate) fn is_settlement_day(&self, date: NaiveDate) -> bool {
        self.day(date).settlement_day
    }

    /// The n-th settlement day strictly after `date`; the day itself for n = 0.
    pub(crate) fn after(&self, date: NaiveDate, n: u32) -> NaiveDate {
        let mut date = date;
        for _ in 0..n {
            date = self.on_or_after(date + Days::new(1));
        }
        date
    }

    /// The first settlement day not before `date`. Gives up after a year without one.
    pub(crate) fn on_or_after(&self, date: NaiveDate) -> NaiveDate {
        let mut day = date;
        for _ in 0..366 {
            if self.is_settlement_day(day) {
                return day;
            }
            day = day + Days::new(1);
        }
        date
    }
}

/// How a cycle counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    BusinessDay,
    CalendarDay,
}

/// The day money moves for a batch, by cycle T+n or D+n.
pub(crate) fn settlement_date(calendar: &Calendar, basis: Basis, n: u32, batch_date: NaiveDate) -> NaiveDate {
    match (basis, n) {
        (Basis::CalendarDay, n) => batch_date + Days::new(u64::from(n)),
        (Basis::BusinessDay, 0) => calendar.on_or_after(batch_date),
        (Basis::BusinessDay, n) => calendar.after(batch_date, n),
    }
}

fn built_in(date: NaiveDate) -> (DayKind, Option<&'static str>, bool) {
    let (holidays, make_up): (&[Span], &[(u32, u32)]) = match date.year() {
        2025 => (HOLIDAYS_2025, MAKE_UP_2025),
        2026 => (HOLIDAYS_2026, MAKE_UP_2026),
        _ => return (weekday_kind(date), None, true),
    };
    let day = (date.month(), date.day());
    if let Some((_, _, name)) = holidays.iter().find(|(from, to, _)| *from <= day && day <= *to) {
        return (DayKind::Holiday, Some(name), false);
    }
    if make_up.contains(&day) {
        return (DayKind::MakeUp, None, false);
    }
    (weekday_kind(date), None, false)
}

fn weekday_kind(date: NaiveDate) -> DayKind {
    match date.weekday() {
        Weekday::Sat | Weekday::Sun => DayKind::Weekend,
        _ => DayKind::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::{Basis, Calendar, settlement_date};
    use chrono::NaiveDate;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Batch date, then T+0, T+1, T+2, D+0, D+1.
    #[test]
    fn cycles_over_weekends_holidays_and_make_up_days() {
        let rows = [
            ["2026-11-20", "2026-11-20", "2026-11-23", "2026-11-24", "2026-11-20", "2026-11-21"],
            ["2026-11-21", "2026-11-23", "2026-11-23", "2026-11-24", "2026-11-21", "2026-11-22"],
            ["2026-11-22", "2026-11-23", "2026-11-23", "2026-11-24", "2026-11-22", "2026-11-23"],
            ["2026-02-13", "2026-02-13", "2026-02-14", "2026-02-24", "2026-02-13", "2026-02-14"],
            ["2026-02-14", "2026-02-14", "2026-02-24", "2026-02-25", "2026-02-14", "2026-02-15"],
            ["2026-02-15", "2026-02-24", "2026-02-24", "2026-02-25", "2026-02-15", "2026-02-16"],
            ["2026-02-20", "2026-02-24", "2026-02-24", "2026-02-25", "2026-02-20", "2026-02-21"],
            ["2026-09-19", "2026-09-20", "2026-09-20", "2026-09-21", "2026-09-19", "2026-09-20"],
            ["2026-09-30", "2026-09-30", "2026-10-08", "2026-10-09", "2026-09-30", "2026-10-01"],
            ["2026-10-09", "2026-10-09", "2026-10-10", "2026-10-12", "2026-10-09", "2026-10-10"],
            ["2026-04-30", "2026-04-30", "2026-05-06", "2026-05-07", "2026-04-30", "2026-05-01"],
        ];
        let calendar = Calendar::new();
        for row in rows {
            let batch = date(row[0]);
            let got = [
                settlement_date(&calendar, Basis::BusinessDay, 0, batch),
                settlement_date(&calendar, Basis::BusinessDay, 1, batch),
                settlement_date(&calendar, Basis::BusinessDay, 2, batch),
                settlement_date(&calendar, Basis::CalendarDay, 0, batch),
                settlement_date(&calendar, Basis::CalendarDay, 1, batch),
            ];
            assert_eq!(got.map(|day| day.to_string()), [row[1], row[2], row[3], row[4], row[5]], "{}", row[0]);
        }
    }

    #[test]
    fn a_year_without_a_notice_is_weekends_only_and_provisional() {
        let calendar = Calendar::new();
        assert!(calendar.day(date("2027-10-01")).provisional);
        assert!(calendar.is_settlement_day(date("2027-10-01")));
        assert!(!calendar.is_settlement_day(date("2027-10-02")));
        assert!(!calendar.day(date("2026-10-01")).provisional);
    }
}
