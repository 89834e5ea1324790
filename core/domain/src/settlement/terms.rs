//! The settlement terms the acquirer signed.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Rate, SettlementError};
use crate::axes::words;
use crate::money::{Currency, Money};

words! {
    /// What a settlement cycle counts.
    CycleBasis {
        /// Settlement days: T+n.
        BusinessDay => "business_day",
        /// Every day: D+n.
        CalendarDay => "calendar_day",
    }
}

words! {
    /// What the card is paid from; decides the price. Unknown words count as `unknown`.
    Funding {
        /// An account.
        Debit => "debit",
        /// A credit line.
        Credit => "credit",
        /// Money loaded before.
        Prepaid => "prepaid",
        /// Not said.
        Unknown => "unknown",
    }
}

/// How long after the day of acceptance the money is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// What is counted.
    pub basis: CycleBasis,
    /// How many of them.
    pub n: u16,
}

/// The hours of a day in which payouts reach the bank, in the acquirer's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutWindow {
    /// From.
    pub from: NaiveTime,
    /// Until.
    pub to: NaiveTime,
}

/// The price of one kind of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// For which cards.
    pub funding: Funding,
    /// The part of the amount that is kept.
    pub rate: Rate,
    /// The most that is kept of one payment.
    pub cap: Option<Money>,
    /// The least that is kept of one payment.
    pub min: Option<Money>,
}

/// Where payouts go, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account number, masked by the acquirer.
    pub masked: String,
    /// The bank's name, if said.
    pub bank: Option<String>,
    /// Corporate or personal, in the acquirer's word, if said.
    pub class: Option<String>,
}

/// What was agreed about when and how much is paid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementTerms {
    /// The acquirer's name for this version.
    pub version: String,
    /// In force from this business date.
    pub valid_from: NaiveDate,
    /// The cycle.
    pub cycle: Cycle,
    /// Payments accepted from this time of day on count for the next day.
    pub cut_off: NaiveTime,
    /// The zone of all dates and times of the acquirer.
    pub timezone: Tz,
    /// When on its day a payout arrives; may be empty.
    pub payout_windows: Vec<PayoutWindow>,
    /// The prices.
    pub pricing: Vec<Price>,
    /// Nothing is paid out below this.
    pub minimum_payout: Option<Money>,
    /// Where payouts go.
    pub account: Account,
}

#[derive(Deserialize)]
struct WireTerms {
    version: String,
    valid_from: NaiveDate,
    cycle: WireCycle,
    cut_off: String,
    timezone: String,
    #[serde(default)]
    payout_windows: Vec<String>,
    pricing: Vec<WirePrice>,
    rounding: String,
    minimum_payout: Option<WireMoney>,
    account: WireAccount,
}

#[derive(Deserialize)]
struct WireCycle {
    basis: String,
    n: u16,
}

#[derive(Deserialize)]
struct WirePrice {
    funding: String,
    rate: String,
    cap: Option<WireMoney>,
    min: Option<WireMoney>,
}

#[derive(Deserialize)]
struct WireMoney {
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct WireAccount {
    masked: String,
    bank: Option<String>,
    class: Option<String>,
}

impl SettlementTerms {
    /// Reads the exact bytes the acquirer signed. Unknown members are ignored.
    ///
    /// # Errors
    /// [`SettlementError::Unreadable`] or [`SettlementError::Invalid`]; the caller keeps the terms it has.
    pub fn parse(bytes: &[u8]) -> Result<Self, SettlementError> {
        let wire: WireTerms = serde_json::from_slice(bytes).map_err(|error| SettlementError::from(&error))?;
        let invalid = |field| SettlementError::Invalid { field };
        if wire.version.is_empty() {
            return Err(invalid("version"));
        }
        if wire.rounding != "half_up_per_payment" {
            return Err(invalid("rounding"));
        }
        Ok(Self {
            version: wire.version,
            valid_from: wire.valid_from,
            cycle: Cycle { basis: CycleBasis::from_word(&wire.cycle.basis).ok_or(invalid("cycle"))?, n: wire.cycle.n },
            cut_off: time_of_day(&wire.cut_off).ok_or(invalid("cut_off"))?,
            timezone: wire.timezone.parse().map_err(|_| invalid("timezone"))?,
            payout_windows: windows(&wire.payout_windows)?,
            pricing: wire.pricing.iter().map(price).collect::<Result<_, _>>()?,
            minimum_payout: wire.minimum_payout.as_ref().map(|sum| money(sum, "minimum_payout")).transpose()?,
            account: Account { masked: wire.account.masked, bank: wire.account.bank, class: wire.account.class },
        })
    }
}

/// `23:00` or `23:00:00`.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()
}

fn windows(wire: &[String]) -> Result<Vec<PayoutWindow>, SettlementError> {
    wire.iter()
        .map(|text| {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (time_of_day(from)?, time_of_day(to)?);
            (from <= to).then_some(PayoutWindow { from, to })
        })
        .collect::<Option<_>>()
        .ok_or(SettlementError::Invalid { field: "payout_windows" })
}

fn price(wire: &WirePrice) -> Result<Price, SettlementError> {
    Ok(Price {
        funding: Funding::from_word(&wire.funding).unwrap_or(Funding::Unknown),
        rate: Rate::parse(&wire.rate)?,
        cap: wire.cap.as_ref().map(|sum| money(sum, "cap")).transpose()?,
        min: wire.min.as_ref().map(|sum| money(sum, "min")).transpose()?,
    })
}

fn money(wire: &WireMoney, field: &'static str) -> Result<Money, SettlementError> {
    let invalid = SettlementError::Invalid { field };
    let currency = Currency::from_code(&wire.currency).map_err(|_| invalid)?;
    if wire.amount < 0 {
        return Err(invalid);
    }
    Money::new(wire.amount, currency).map_err(|_| invalid)
}
