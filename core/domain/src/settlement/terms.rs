//! The settlement terms the acquirer signed.

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::Deserialize;

use super::{Rate, SettlementError};
use crate::axes::words;
use crate::money::{Currency, Money};

/// The contract's bound on `n`.
const LONGEST_CYCLE: u16 = 60;

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
        /// Every card without a price of its own.
        Any => "any",
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
    pub bank_name: Option<String>,
    /// Corporate or personal, in the acquirer's word, if said.
    pub class: Option<String>,
}

/// What was agreed about when and how much is paid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementTerms {
    /// The acquirer's name for this version.
    pub version: String,
    /// The merchant they were made for; the caller compares.
    pub merchant_id: String,
    /// In force from this instant, milliseconds since 1970 UTC.
    pub valid_from_ms: i64,
    /// In force before this instant; none: until others are published.
    pub valid_until_ms: Option<i64>,
    /// The currency of caps and payouts.
    pub currency: Currency,
    /// The cycle.
    pub cycle: Cycle,
    /// Payments accepted from this time of day on count for the next day.
    pub cut_off: NaiveTime,
    /// The zone of all dates and times of the acquirer.
    pub timezone: Tz,
    /// When on its day a payout arrives; may be empty. Windows that cannot be read are left out.
    pub payout_windows: Vec<PayoutWindow>,
    /// The prices. Empty if the acquirer rounds in a way this version does not know.
    pub pricing: Vec<Price>,
    /// Nothing is paid out below this.
    pub minimum_payout: Money,
    /// Where payouts go, if said.
    pub account: Option<Account>,
}

#[derive(Deserialize)]
struct WireTerms {
    version: String,
    merchant_id: String,
    valid_from: String,
    valid_until: Option<String>,
    currency: Currency,
    cycle: WireCycle,
    cut_off: String,
    timezone: String,
    payout_windows: Vec<String>,
    pricing: Vec<WirePrice>,
    rounding: String,
    minimum_payout: WireMoney,
    account: Option<WireAccount>,
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
    cap: Option<i64>,
    min: Option<i64>,
}

#[derive(Deserialize)]
struct WireMoney {
    amount: i64,
    currency: Currency,
}

#[derive(Deserialize)]
struct WireAccount {
    masked: String,
    bank_name: Option<String>,
    class: Option<String>,
}

impl SettlementTerms {
    /// Reads the exact bytes the acquirer signed. Unknown members are ignored; the signature is the caller's to check.
    ///
    /// # Errors
    /// [`SettlementError::Unreadable`] or [`SettlementError::Invalid`]; the caller keeps the terms it has.
    pub fn parse(bytes: &[u8]) -> Result<Self, SettlementError> {
        let wire: WireTerms = serde_json::from_slice(bytes).map_err(|error| SettlementError::from(&error))?;
        let invalid = |field| SettlementError::Invalid { field };
        if wire.version.is_empty() {
            return Err(invalid("version"));
        }
        if wire.cycle.n > LONGEST_CYCLE {
            return Err(invalid("cycle"));
        }
        let known_rounding = wire.rounding == "half_up_per_payment";
        let prices = wire.pricing.iter().filter(|_| known_rounding);
        Ok(Self {
            version: wire.version,
            merchant_id: wire.merchant_id,
            valid_from_ms: instant_ms(&wire.valid_from, "valid_from")?,
            valid_until_ms: wire.valid_until.as_deref().map(|text| instant_ms(text, "valid_until")).transpose()?,
            currency: wire.currency,
            cycle: Cycle {
                basis: CycleBasis::from_word(&wire.cycle.basis).unwrap_or(CycleBasis::BusinessDay),
                n: wire.cycle.n,
            },
            cut_off: time_of_day(&wire.cut_off).ok_or(invalid("cut_off"))?,
            timezone: wire.timezone.parse().map_err(|_| invalid("timezone"))?,
            payout_windows: wire.payout_windows.iter().filter_map(|text| window(text)).collect(),
            pricing: prices.map(|line| price(line, wire.currency)).collect::<Result<_, _>>()?,
            minimum_payout: money(wire.minimum_payout.amount, wire.minimum_payout.currency, "minimum_payout")?,
            account: wire.account.map(|account| Account {
                masked: account.masked,
                bank_name: account.bank_name,
                class: account.class,
            }),
        })
    }
}

fn instant_ms(text: &str, field: &'static str) -> Result<i64, SettlementError> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.timestamp_millis())
        .map_err(|_| SettlementError::Invalid { field })
}

/// `23:00` or `23:00:00`.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()
}

fn window(text: &str) -> Option<PayoutWindow> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time_of_day(from)?, time_of_day(to)?);
    (from <= to).then_some(PayoutWindow { from, to })
}

fn price(wire: &WirePrice, currency: Currency) -> Result<Price, SettlementError> {
    Ok(Price {
        funding: Funding::from_word(&wire.funding).unwrap_or(Funding::Unknown),
        rate: Rate::parse(&wire.rate)?,
        cap: wire.cap.map(|amount| money(amount, currency, "cap")).transpose()?,
        min: wire.min.map(|amount| money(amount, currency, "min")).transpose()?,
    })
}

fn money(amount: i64, currency: Currency, field: &'static str) -> Result<Money, SettlementError> {
    let invalid = SettlementError::Invalid { field };
    if amount < 0 { Err(invalid) } else { Money::new(amount, currency).map_err(|_| invalid) }
}
