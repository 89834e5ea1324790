//! Money: a whole number of minor units in one currency, and arithmetic that refuses instead of wrapping.

#![deny(clippy::arithmetic_side_effects)]

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The largest magnitude, in minor units, that money may have: 2⁵³ − 1, so that a JSON reader that keeps
/// numbers as doubles reads the same figure.
pub const MAX_AMOUNT_MINOR: i64 = (1 << 53) - 1;

/// What can be wrong with a sum of money. The caller fixes the input; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The magnitude does not fit [`MAX_AMOUNT_MINOR`].
    #[error("the amount is out of range")]
    OutOfRange,
    /// Two sums in different currencies were combined.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// No ISO 4217 currency has this code, or it has no minor unit.
    #[error("the currency is unknown")]
    UnknownCurrency,
}

/// An ISO 4217 currency that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The Chinese yuan, two decimal places.
    pub const CNY: Self = Self(iso_currency::Currency::CNY);

    /// The currency with this three-letter code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] if there is none, or it has no exponent (gold, test codes).
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or(MoneyError::UnknownCurrency)
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The ISO 4217 numeric code, as EMV tag 5F2A carries it (CNY 156).
    #[must_use]
    pub fn numeric(self) -> u16 {
        self.0.numeric()
    }

    /// Decimal places: JPY 0, CNY 2, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u8 {
        self.0.exponent().and_then(|exponent| u8::try_from(exponent).ok()).unwrap_or(0)
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_code(&code).map_err(serde::de::Error::custom)
    }
}

/// A sum of money: minor units (fen, cent) of one currency. May be negative: a fee, a withdrawal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawMoney")]
pub struct Money {
    amount_minor: i64,
    currency: Currency,
}

#[derive(Deserialize)]
struct RawMoney {
    amount_minor: i64,
    currency: Currency,
}

impl TryFrom<RawMoney> for Money {
    type Error = MoneyError;
    fn try_from(raw: RawMoney) -> Result<Self, MoneyError> {
        Self::new(raw.amount_minor, raw.currency)
    }
}

impl Money {
    /// A sum of `amount_minor` minor units.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond ±[`MAX_AMOUNT_MINOR`].
    pub fn new(amount_minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if (-MAX_AMOUNT_MINOR..=MAX_AMOUNT_MINOR).contains(&amount_minor) {
            Ok(Self { amount_minor, currency })
        } else {
            Err(MoneyError::OutOfRange)
        }
    }

    /// Nothing, in this currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self { amount_minor: 0, currency }
    }

    /// Minor units.
    #[must_use]
    pub fn amount_minor(self) -> i64 {
        self.amount_minor
    }

    /// The currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The sum of both.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::OutOfRange`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let sum = self.amount_minor.checked_add(other.amount_minor).ok_or(MoneyError::OutOfRange)?;
        Self::new(sum, self.currency)
    }

    /// This less the other.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(other.negated())
    }

    /// The same sum the other way.
    #[must_use]
    pub fn negated(self) -> Self {
        // The range is symmetric, so negation cannot leave it.
        Self { amount_minor: self.amount_minor.saturating_neg(), currency: self.currency }
    }

    /// The figure with its decimal point and code: `12.34 CNY`, `500 JPY`.
    #[must_use]
    pub fn to_decimal(self) -> String {
        let exponent = usize::from(self.currency.exponent());
        let digits = format!("{:0width$}", self.amount_minor.unsigned_abs(), width = exponent.saturating_add(1));
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let (whole, part) = digits.split_at(digits.len().saturating_sub(exponent));
        if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_the_currencys_own() {
        let of = |code| Currency::from_code(code).unwrap().exponent();
        assert_eq!((of("JPY"), of("CNY"), of("KWD")), (0, 2, 3));
        assert_eq!(Currency::from_code("XAU"), Err(MoneyError::UnknownCurrency));
        assert_eq!(Currency::from_code("cny"), Err(MoneyError::UnknownCurrency));
    }

    #[test]
    fn arithmetic_refuses_what_does_not_fit() {
        let most = Money::new(MAX_AMOUNT_MINOR, Currency::CNY).unwrap();
        let one = Money::new(1, Currency::CNY).unwrap();
        assert_eq!(most.checked_add(one), Err(MoneyError::OutOfRange));
        assert_eq!(most.negated().checked_sub(one), Err(MoneyError::OutOfRange));
        let yen = Money::new(1, Currency::from_code("JPY").unwrap()).unwrap();
        assert_eq!(one.checked_add(yen), Err(MoneyError::CurrencyMismatch));
    }

    #[test]
    fn decimals_follow_the_exponent() {
        let show = |amount, code| Money::new(amount, Currency::from_code(code).unwrap()).unwrap().to_string();
        assert_eq!(show(5, "CNY"), "0.05 CNY");
        assert_eq!(show(-1234, "CNY"), "-12.34 CNY");
        assert_eq!(show(500, "JPY"), "500 JPY");
        assert_eq!(show(1, "KWD"), "0.001 KWD");
    }

    #[test]
    fn json_out_of_range_is_refused() {
        let text = r#"{"amount_minor":9007199254740992,"currency":"CNY"}"#;
        assert!(serde_json::from_str::<Money>(text).is_err());
    }
}
