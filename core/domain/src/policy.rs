//! The acquirer's signed rules for accepting cards without a line, and the judgement by them (promise P9).
//!
//! A policy allows; nothing here does. No policy, one out of its validity, a rule it does not hold or a datum the
//! reader does not show: refused. The judgement comes in two steps: [`before_card`] with what is known while the
//! customer fetches the card, [`after_card`] with what the card showed.

mod judge;
mod wire;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::axes::words;
use crate::card::{EntryMode, Scheme};
use crate::money::{Currency, Money};

pub use judge::{AfterCard, BeforeCard, after_card, before_card};

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

words! {
    /// The rule by which an offline payment was refused; goes into the event.
    Rule {
        /// No policy was ever adopted.
        NoPolicy => "no_policy",
        /// The policy's validity is over.
        PolicyExpired => "policy_expired",
        /// The policy's validity has not begun.
        PolicyNotYetValid => "policy_not_yet_valid",
        /// The policy allows no offline acceptance at all.
        OfflineNotAllowed => "offline_not_allowed",
        /// The amount is zero or negative.
        AmountNotPositive => "amount_not_positive",
        /// The policy has no limits for this currency.
        CurrencyNotAllowed => "currency_not_allowed",
        /// One payment of this amount is too much.
        AmountOverLimit => "amount_over_limit",
        /// Too much for a tap without PIN.
        ContactlessOverLimit => "contactless_over_limit",
        /// As many payments wait as may wait.
        TooManyOpen => "too_many_open",
        /// What waits, with this amount, would be too much.
        TotalOverLimit => "total_over_limit",
        /// A payment has been waiting for longer than any may.
        TooOldOpen => "too_old_open",
        /// The acquirer's clock was never heard, or too long ago.
        ClockUntrusted => "clock_untrusted",
        /// The policy denies this scheme, or does not name it.
        SchemeDenied => "scheme_denied",
        /// The scheme cannot be told from what the reader shows.
        SchemeUnknown => "scheme_unknown",
        /// The policy does not name this way of reading the card.
        EntryModeDenied => "entry_mode_denied",
        /// A rule needs digits that the reader does not show.
        DigitsHidden => "digits_hidden",
        /// The leading digits are denied, or not among those allowed.
        BinDenied => "bin_denied",
        /// This card was used as often today as it may be.
        CardLimitReached => "card_limit_reached",
        /// The policy wants this one authorised online.
        OnlineRequired => "online_required",
    }
}

words! {
    /// Who bears the loss when a payment accepted offline is declined later. Unknown words count as `merchant`.
    Liability {
        /// The acquirer.
        Acquirer => "acquirer",
        /// The merchant.
        Merchant => "merchant",
    }
}

/// Why an offline payment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("refused offline: {rule}")]
pub struct Refusal {
    /// The first rule that refused.
    pub rule: Rule,
}

/// Why the bytes are no usable policy. The policy in force stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Not the JSON of a policy: a member is missing or of another type.
    #[error("no policy at line {line}, column {column}")]
    Unreadable {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A member has a value that no rule can be made of.
    #[error("the policy's {field} is unusable")]
    Invalid {
        /// The member.
        field: &'static str,
    },
}

/// A signed policy: what may be accepted without a line, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskPolicy {
    /// The acquirer's name for this version; recorded with every charge.
    pub version: String,
    /// The merchant it was made for; the caller compares.
    pub merchant_id: String,
    /// The terminal it was made for; the caller compares.
    pub terminal_id: String,
    /// In force from this instant, milliseconds since 1970 UTC.
    pub valid_from_ms: i64,
    /// In force before this instant; nothing is accepted offline after it.
    pub valid_until_ms: i64,
    /// Whether anything may be accepted offline.
    pub offline_allowed: bool,
    /// The limits, at most one per currency.
    pub limits: Vec<Limit>,
    /// How long the oldest waiting payment may wait before nothing more is accepted offline, in hours.
    pub max_age_h: u32,
    /// How long after the sale the acquirer still takes the payment, in days.
    pub upload_deadline_days: u32,
    /// How long the acquirer's clock may go unheard before nothing more is accepted offline, in hours.
    pub max_clock_age_h: u32,
    /// The ways of reading a card that may be accepted offline; none other.
    pub entry_modes_allowed: Vec<EntryMode>,
    /// The schemes; one that is not named is denied.
    pub scheme_rules: Vec<SchemeRule>,
    /// If not empty, the first six digits must be in one of these ranges.
    pub bin_allow: Vec<BinRange>,
    /// The first six digits must be in none of these ranges.
    pub bin_deny: Vec<BinRange>,
    /// What must be authorised online whatever the limits say.
    pub online_required_if: OnlineRequired,
    /// Who bears the loss.
    pub liability: Liability,
    /// How often one contact with the acquirer may try.
    pub retry: Retry,
}

/// What may wait, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The currency; every figure is in its minor units.
    pub currency: Currency,
    /// The most for one payment.
    pub max_amount_minor: i64,
    /// The most for one tap without PIN; none: only `max_amount_minor` counts.
    pub max_amount_contactless_no_pin_minor: Option<i64>,
    /// How many payments may wait at once.
    pub max_count_open: u32,
    /// How much may wait at once.
    pub max_total_open_minor: i64,
    /// How many payments of one card on one day; none: no such rule.
    pub max_count_per_card_per_day: Option<u32>,
}

/// What the policy says of one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemeRule {
    /// The scheme.
    pub scheme: Scheme,
    /// Whether it may be accepted offline.
    pub allowed: bool,
    /// The most for one payment of this scheme, in minor units of the payment's currency; none: no rule of its own.
    pub max_amount_minor: Option<i64>,
}

/// A range of first-six-digit numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinRange {
    /// The lowest.
    pub from: u32,
    /// The highest.
    pub to: u32,
}

/// What must be authorised online.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnlineRequired {
    /// From these amounts on, one per currency.
    pub amount_gte: Vec<Money>,
    /// Every swipe.
    pub magstripe: bool,
    /// Every swipe after a failed chip.
    pub fallback: bool,
    /// Every keyed number.
    pub manual: bool,
    /// The n-th payment since the last one that was authorised online, and every n-th after. Never 0.
    pub every_nth: Option<u32>,
    /// The policy names a rule that this version does not know: it counts as met, everything must go online.
    pub unknown_rule: bool,
}

/// How often one contact with the acquirer may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Sends of one payment.
    pub max_attempts_per_contact: u32,
    /// Sends of one reversal.
    pub reversal_attempts_per_contact: u32,
}

impl RiskPolicy {
    /// The instant after which the acquirer no longer takes a payment captured at `captured_at_ms`, in milliseconds.
    #[must_use]
    pub fn deadline_ms(&self, captured_at_ms: i64) -> i64 {
        captured_at_ms.saturating_add(i64::from(self.upload_deadline_days).saturating_mul(24 * HOUR_MS))
    }

    /// The longest a payment may wait before nothing more is accepted offline, in milliseconds.
    #[must_use]
    pub fn max_age_ms(&self) -> i64 {
        i64::from(self.max_age_h).saturating_mul(HOUR_MS)
    }

    /// The longest the acquirer's clock may go unheard, in milliseconds.
    #[must_use]
    pub fn max_clock_age_ms(&self) -> i64 {
        i64::from(self.max_clock_age_h).saturating_mul(HOUR_MS)
    }
}
