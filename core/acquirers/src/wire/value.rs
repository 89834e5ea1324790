//! The small values of the contract, each with its bounds.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use takings_domain::{Currency, Money, PaymentId};

use crate::message::Unverified;
use crate::report::Worded;

/// Reads JSON. Errors name the place, never a value: answers hold what belongs in no log.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unverified> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Syntax | serde_json::error::Category::Eof => "no JSON",
            _ => "not the contract's JSON",
        };
        Unverified::malformed(format_args!("{kind}, line {} column {}", error.line(), error.column()))
    })
}

/// Text of 1 to `N` bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<const N: usize>(pub(crate) String);

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sound = !text.is_empty() && text.len() <= N && !text.chars().any(char::is_control);
        if sound { Ok(Self(text)) } else { Err(D::Error::custom("text out of bounds")) }
    }
}

/// A word or an id.
pub(crate) type Name = Text<64>;
/// Text for people: up to 400 characters.
pub(crate) type Prose = Text<1600>;

/// The texts of optional members.
pub(crate) fn text<const N: usize>(value: Option<Text<N>>) -> Option<String> {
    value.map(|text| text.0)
}

/// A word as it came and what this version makes of it.
pub(crate) fn worded<T>(word: Name, known: fn(&str) -> Option<T>, otherwise: T) -> Worded<T> {
    Worded { value: known(&word.0).unwrap_or(otherwise), raw: word.0 }
}

/// A list of at most `N` items.
#[derive(Debug, Clone)]
pub(crate) struct List<T, const N: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for List<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::deserialize(deserializer)?;
        if items.len() <= N { Ok(Self(items)) } else { Err(D::Error::custom("too many items")) }
    }
}

/// An instant, in milliseconds since 1970 UTC, of the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) i64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<40>::deserialize(deserializer)?;
        let instant = DateTime::parse_from_rfc3339(&text.0).map_err(|_| D::Error::custom("no instant"))?;
        let utc = instant.to_utc();
        if !(1970..=9999).contains(&utc.year()) {
            return Err(D::Error::custom("an instant out of range"));
        }
        Ok(Self(utc.timestamp_millis()))
    }
}

/// The instant as requests write it, or none outside the years that have one.
pub(crate) fn instant_text(at_ms: i64) -> Option<String> {
    let at = DateTime::<Utc>::from_timestamp_millis(at_ms)?;
    (1970..=9999).contains(&at.year()).then(|| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A day, `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date(pub(crate) NaiveDate);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<10>::deserialize(deserializer)?;
        let date = NaiveDate::parse_from_str(&text.0, "%Y-%m-%d").map_err(|_| D::Error::custom("no date"))?;
        if text.0.len() == 10 { Ok(Self(date)) } else { Err(D::Error::custom("no date")) }
    }
}

/// Money as the contract writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "RawMoney")]
pub(crate) struct MoneyIn(pub(crate) Money);

#[derive(Deserialize)]
struct RawMoney {
    amount: i64,
    currency: Currency,
}

impl TryFrom<RawMoney> for MoneyIn {
    type Error = takings_domain::MoneyError;
    fn try_from(raw: RawMoney) -> Result<Self, Self::Error> {
        Money::new(raw.amount, raw.currency).map(Self)
    }
}

/// Money as requests write it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct MoneyOut {
    amount: i64,
    currency: Currency,
}

impl From<Money> for MoneyOut {
    fn from(money: Money) -> Self {
        Self { amount: money.amount_minor(), currency: money.currency() }
    }
}

/// A payment's id: a UUID in its usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) PaymentId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<36>::deserialize(deserializer)?;
        if text.0.len() != 36 {
            return Err(D::Error::custom("no UUID"));
        }
        PaymentId::parse(&text.0).map(Self).map_err(|_| D::Error::custom("no UUID"))
    }
}

/// The version of an object: 1 to 2⁵³ − 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version(pub(crate) u64);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = u64::deserialize(deserializer)?;
        if (1..1 << 53).contains(&version) { Ok(Self(version)) } else { Err(D::Error::custom("no version")) }
    }
}
