//! Fees: a decimal rate, rounded half up per payment, between a least and a most. No floats.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Funding, Price, SettlementError};
use crate::money::Money;

/// Decimal places of a rate: parts per billion.
const RATE_DIGITS: usize = 9;
const ONE: u64 = 1_000_000_000;

/// A part of an amount, between 0 and 1, exact to nine decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// Reads a plain decimal: `0.0050`, `0`, `1.0`. No sign, no exponent.
    ///
    /// # Errors
    /// [`SettlementError::Invalid`] for anything else, for more than one, and for digits beyond the ninth place.
    pub fn parse(text: &str) -> Result<Self, SettlementError> {
        Self::read(text).ok_or(SettlementError::Invalid { field: "rate" })
    }

    fn read(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return None;
        }
        let part = part.trim_end_matches('0');
        if part.len() > RATE_DIGITS {
            return None;
        }
        let billionths: u64 = format!("{part:0<RATE_DIGITS$}").parse().ok()?;
        let whole: u64 = whole.parse().ok()?;
        let rate = whole.checked_mul(ONE)?.checked_add(billionths)?;
        (rate <= ONE).then_some(Self(rate))
    }

    /// Billionths.
    #[must_use]
    pub fn parts_per_billion(self) -> u64 {
        self.0
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:09}", self.0 / ONE, self.0 % ONE))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The least and the most a fee can be while the funding of the card is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRange {
    /// The least.
    pub min: Money,
    /// The most.
    pub max: Money,
}

/// The fee of one payment: amount times rate, rounded half up to the minor unit, not below the least, not above the
/// most. Where the two contradict, the most wins.
///
/// # Errors
/// [`SettlementError::NegativeAmount`]; [`SettlementError::NoPrice`] if the price is in another currency.
pub fn fee(amount: Money, price: &Price) -> Result<Money, SettlementError> {
    if amount.amount_minor() < 0 {
        return Err(SettlementError::NegativeAmount);
    }
    let of_other_currency = |bound: Option<Money>| bound.is_some_and(|sum| sum.currency() != amount.currency());
    if of_other_currency(price.cap) || of_other_currency(price.min) {
        return Err(SettlementError::NoPrice);
    }
    let exact = i128::from(amount.amount_minor()) * i128::from(price.rate.0);
    let rounded = (exact + i128::from(ONE / 2)) / i128::from(ONE);
    let fee = i64::try_from(rounded).map_err(|_| SettlementError::OutOfRange)?;
    let fee = price.min.map_or(fee, |least| fee.max(least.amount_minor()));
    let fee = price.cap.map_or(fee, |most| fee.min(most.amount_minor()));
    Money::new(fee, amount.currency()).map_err(|_| SettlementError::OutOfRange)
}

/// What the fee will be: exact when the funding is known and priced (by its own price or that of any card), else the
/// range over all prices.
///
/// # Errors
/// As [`fee`]; [`SettlementError::NoPrice`] if there is no price at all.
pub fn fee_estimate(amount: Money, pricing: &[Price], funding: Funding) -> Result<FeeRange, SettlementError> {
    let of = |wanted: Funding| pricing.iter().find(|price| price.funding == wanted);
    let own = if funding == Funding::Unknown { None } else { of(funding).or_else(|| of(Funding::Any)) };
    let candidates = own.map_or(pricing, std::slice::from_ref);
    let fees = candidates.iter().map(|price| fee(amount, price)).collect::<Result<Vec<_>, _>>()?;
    match (fees.iter().min(), fees.iter().max()) {
        (Some(min), Some(max)) => Ok(FeeRange { min: *min, max: *max }),
        _ => Err(SettlementError::NoPrice),
    }
}
