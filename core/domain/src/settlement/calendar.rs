//! Which days settle: the acquirer's own list first, then data compiled in from published notices, then weekends only.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::SettlementError;
use super::calendar_data::BUILT_IN;
use crate::axes::words;

words! {
    /// A region whose business days are compiled in.
    Region {
        /// Mainland China: weekends, holidays and make-up working days as the State Council publishes them.
        China => "china",
    }
}

words! {
    /// How sure it is that a day settles or not.
    Certainty {
        /// Published.
        Official => "official",
        /// A guess that a later notice may change.
        Provisional => "provisional",
    }
}

/// One day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Whether money moves on it.
    pub settlement: bool,
    /// How sure that is.
    pub certainty: Certainty,
}

/// One compiled-in year.
#[derive(Debug)]
pub(super) struct BuiltInYear {
    /// Whose days.
    pub(super) region: Region,
    /// The year.
    pub(super) year: i32,
    /// One bit per day of the year from 1 January: set if it is a business day.
    pub(super) business_days: [u64; 6],
    /// The day the notice was published: year, month, day.
    pub(super) published_on: (i32, u32, u32),
    /// The notice.
    pub(super) source: &'static str,
    /// The last day the notice speaks of with certainty: the next year's notice may still reach into the days after.
    pub(super) valid_through: (i32, u32, u32),
}

/// Where a compiled-in year comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInSource {
    /// The notice.
    pub source: &'static str,
    /// The day it was published.
    pub published_on: NaiveDate,
    /// The last day it speaks of with certainty.
    pub valid_through: NaiveDate,
}

/// The settlement calendar of one acquirer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    version: Option<String>,
    days: BTreeMap<NaiveDate, Day>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct WireCalendar {
    calendar_version: String,
    timezone: String,
    days: Vec<WireDay>,
}

#[derive(Deserialize)]
struct WireDay {
    date: NaiveDate,
    settlement_day: bool,
    status: Option<String>,
}

impl Region {
    /// The region whose acquirers keep this time zone.
    #[must_use]
    pub fn of_timezone(tz: Tz) -> Option<Self> {
        (tz == Tz::Asia__Shanghai).then_some(Self::China)
    }
}

impl Calendar {
    /// The compiled-in days of the region that keeps this time zone; weekends only where none are.
    #[must_use]
    pub fn built_in(tz: Tz) -> Self {
        Self { version: None, days: BTreeMap::new(), region: Region::of_timezone(tz) }
    }

    /// Reads the acquirer's list, the exact bytes it signed; days it does not name come from the region's data. The
    /// signature is the caller's to check.
    ///
    /// An empty list says nothing of any day: it never means that there are no holidays.
    ///
    /// # Errors
    /// [`SettlementError::Unreadable`]; [`SettlementError::Invalid`] if a date is named twice with different words.
    pub fn parse(bytes: &[u8]) -> Result<Self, SettlementError> {
        let wire: WireCalendar = serde_json::from_slice(bytes).map_err(|error| SettlementError::from(&error))?;
        let region = wire.timezone.parse().ok().and_then(Region::of_timezone);
        let mut days = BTreeMap::new();
        for day in wire.days {
            let certainty = match day.status.as_deref() {
                Some("official") => Certainty::Official,
                _ => Certainty::Provisional,
            };
            let read = Day { settlement: day.settlement_day, certainty };
            if days.insert(day.date, read).is_some_and(|earlier| earlier != read) {
                return Err(SettlementError::Invalid { field: "days" });
            }
        }
        Ok(Self { version: Some(wire.calendar_version), days, region })
    }

    /// The acquirer's name for this version; none for compiled-in data.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What is known of a day.
    #[must_use]
    pub fn day(&self, date: NaiveDate) -> Day {
        self.days.get(&date).copied().or_else(|| self.built_in_day(date)).unwrap_or_else(|| Day {
            settlement: !matches!(date.weekday(), Weekday::Sat | Weekday::Sun),
            certainty: Certainty::Provisional,
        })
    }

    fn built_in_day(&self, date: NaiveDate) -> Option<Day> {
        let year = built_in_year(self.region?, date.year())?;
        let bit = usize::try_from(date.ordinal0()).ok()?;
        let word = year.business_days.get(bit / 64)?;
        let (valid_year, month, day) = year.valid_through;
        let certain = (date.year(), date.month(), date.day()) <= (valid_year, month, day);
        Some(Day {
            settlement: word >> (bit % 64) & 1 == 1,
            certainty: if certain { Certainty::Official } else { Certainty::Provisional },
        })
    }

    /// Where the compiled-in data of a year comes from, if there is any.
    #[must_use]
    pub fn built_in_source(region: Region, year: i32) -> Option<BuiltInSource> {
        let year = built_in_year(region, year)?;
        let date = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day);
        Some(BuiltInSource {
            source: year.source,
            published_on: date(year.published_on)?,
            valid_through: date(year.valid_through)?,
        })
    }
}

fn built_in_year(region: Region, year: i32) -> Option<&'static BuiltInYear> {
    BUILT_IN.iter().find(|built_in| built_in.region == region && built_in.year == year)
}
