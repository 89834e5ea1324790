//! The judgement: one short function per step, the first rule that refuses names itself.

use super::wire::six_digits;
use super::{Limit, Refusal, RiskPolicy, Rule};
use crate::card::{EntryMode, Scheme};
use crate::money::Money;

/// What is known before the card is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeforeCard {
    /// The amount to be charged.
    pub amount: Money,
    /// How many payments accepted offline, in this currency, wait for the acquirer's answer.
    pub open_count: u32,
    /// What they sum up to.
    pub open_total: Money,
    /// The age of the oldest of them by the pessimistic clock, in milliseconds; none if none waits.
    pub oldest_open_age_ms: Option<i64>,
    /// How long ago the acquirer's clock was heard, in milliseconds; none: never.
    pub trusted_age_ms: Option<i64>,
    /// Now by the pessimistic clock, milliseconds since 1970 UTC.
    pub now_pessimistic_ms: i64,
}

/// What the card showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterCard<'a> {
    /// The amount charged.
    pub amount: Money,
    /// The scheme, from the leading digits.
    pub scheme: Scheme,
    /// How the card was read.
    pub entry_mode: EntryMode,
    /// Whether the customer's PIN was entered.
    pub pin_entered: bool,
    /// The leading digits the reader shows: six, fewer, or none.
    pub first_digits: &'a str,
    /// How many payments of this card were accepted offline today, this one not counted; none if the reader shows too
    /// little of the card to tell.
    pub card_count_today: Option<u32>,
    /// The number of this payment since the last one that was authorised online: 1, 2, …
    pub offline_sequence: u32,
    /// Now by the pessimistic clock, milliseconds since 1970 UTC.
    pub now_pessimistic_ms: i64,
}

/// Whether a payment may be accepted offline as far as can be told before the card is read.
///
/// # Errors
/// The first rule that refuses.
pub fn before_card(policy: Option<&RiskPolicy>, asked: &BeforeCard) -> Result<(), Refusal> {
    let policy = policy.ok_or(Refusal { rule: Rule::NoPolicy })?;
    refuse_if(!policy.offline_allowed, Rule::OfflineNotAllowed)?;
    in_force(policy, asked.now_pessimistic_ms)?;
    let clock_is_heard = asked.trusted_age_ms.is_some_and(|age_ms| age_ms >= 0 && age_ms <= policy.max_clock_age_ms());
    #[cfg(feature = "planted")]
    let clock_is_heard = clock_is_heard || crate::planted::is("clock_age_ignored");
    refuse_if(!clock_is_heard, Rule::ClockUntrusted)?;
    let limit = amount_allowed(policy, asked.amount)?;
    let too_many = asked.open_count >= limit.max_count_open;
    #[cfg(feature = "planted")]
    let too_many =
        too_many && !(crate::planted::is("limit_count_off_by_one") && asked.open_count == limit.max_count_open);
    refuse_if(too_many, Rule::TooManyOpen)?;
    let total_fits = asked
        .open_total
        .checked_add(asked.amount)
        .is_ok_and(|total| total.amount_minor() <= limit.max_total_open_minor);
    refuse_if(!total_fits, Rule::TotalOverLimit)?;
    let too_old = asked.oldest_open_age_ms.is_some_and(|age_ms| age_ms > policy.max_age_ms());
    refuse_if(too_old, Rule::TooOldOpen)
}

/// Whether a payment may be accepted offline now that the card is read. [`before_card`] allowed it.
///
/// # Errors
/// The first rule that refuses; the card data must then be erased.
pub fn after_card(policy: Option<&RiskPolicy>, shown: &AfterCard<'_>) -> Result<(), Refusal> {
    let policy = policy.ok_or(Refusal { rule: Rule::NoPolicy })?;
    refuse_if(!policy.offline_allowed, Rule::OfflineNotAllowed)?;
    in_force(policy, shown.now_pessimistic_ms)?;
    let limit = amount_allowed(policy, shown.amount)?;
    entry_mode_allowed(policy, shown.entry_mode)?;
    if let (EntryMode::Contactless, false, Some(most)) =
        (shown.entry_mode, shown.pin_entered, limit.max_amount_contactless_no_pin_minor)
    {
        refuse_if(shown.amount.amount_minor() > most, Rule::ContactlessOverLimit)?;
    }
    scheme_allowed(policy, shown.scheme, shown.amount)?;
    bin_allowed(policy, shown.first_digits)?;
    if let Some(most) = limit.max_count_per_card_per_day {
        let count = shown.card_count_today.ok_or(Refusal { rule: Rule::DigitsHidden })?;
        refuse_if(count >= most, Rule::CardLimitReached)?;
    }
    let nth = policy.online_required_if.every_nth;
    // A sequence of 0 means the caller lost count: the datum is missing.
    refuse_if(nth.is_some_and(|n| shown.offline_sequence.is_multiple_of(n)), Rule::OnlineRequired)
}

fn refuse_if(refused: bool, rule: Rule) -> Result<(), Refusal> {
    if refused { Err(Refusal { rule }) } else { Ok(()) }
}

fn in_force(policy: &RiskPolicy, now_ms: i64) -> Result<(), Refusal> {
    refuse_if(now_ms < policy.valid_from_ms, Rule::PolicyNotYetValid)?;
    #[cfg(feature = "planted")]
    if crate::planted::is("policy_expired_accepted") {
        return Ok(());
    }
    refuse_if(now_ms >= policy.valid_until_ms, Rule::PolicyExpired)
}

fn amount_allowed(policy: &RiskPolicy, amount: Money) -> Result<&Limit, Refusal> {
    refuse_if(amount.amount_minor() <= 0, Rule::AmountNotPositive)?;
    let limit = policy
        .limits
        .iter()
        .find(|limit| limit.currency == amount.currency())
        .ok_or(Refusal { rule: Rule::CurrencyNotAllowed })?;
    refuse_if(amount.amount_minor() > limit.max_amount_minor, Rule::AmountOverLimit)?;
    let online = &policy.online_required_if;
    refuse_if(online.unknown_rule, Rule::OnlineRequired)?;
    let mut thresholds = online.amount_gte.iter().filter(|from| from.currency() == amount.currency()).peekable();
    // Thresholds in other currencies only cannot be compared: the datum is missing.
    refuse_if(thresholds.peek().is_none() && !online.amount_gte.is_empty(), Rule::OnlineRequired)?;
    refuse_if(thresholds.any(|from| amount.amount_minor() >= from.amount_minor()), Rule::OnlineRequired)?;
    Ok(limit)
}

/// A swipe after a failed chip is a swipe too: either rule sends it online.
fn entry_mode_allowed(policy: &RiskPolicy, entry_mode: EntryMode) -> Result<(), Refusal> {
    refuse_if(!policy.entry_modes_allowed.contains(&entry_mode), Rule::EntryModeDenied)?;
    let online = &policy.online_required_if;
    let required = match entry_mode {
        EntryMode::Stripe => online.magstripe,
        EntryMode::Fallback => online.fallback || online.magstripe,
        EntryMode::Manual => online.manual,
        EntryMode::Chip | EntryMode::Contactless => false,
    };
    refuse_if(required, Rule::OnlineRequired)
}

fn scheme_allowed(policy: &RiskPolicy, scheme: Scheme, amount: Money) -> Result<(), Refusal> {
    refuse_if(scheme == Scheme::Unknown, Rule::SchemeUnknown)?;
    let mut named = false;
    for rule in policy.scheme_rules.iter().filter(|rule| rule.scheme == scheme) {
        named = true;
        refuse_if(!rule.allowed, Rule::SchemeDenied)?;
        let over = rule.max_amount_minor.is_some_and(|most| amount.amount_minor() > most);
        refuse_if(over, Rule::AmountOverLimit)?;
    }
    refuse_if(!named, Rule::SchemeDenied)
}

fn bin_allowed(policy: &RiskPolicy, first_digits: &str) -> Result<(), Refusal> {
    if policy.bin_allow.is_empty() && policy.bin_deny.is_empty() {
        return Ok(());
    }
    let bin = first_digits.get(..6).and_then(six_digits).ok_or(Refusal { rule: Rule::DigitsHidden })?;
    refuse_if(policy.bin_deny.iter().any(|range| range.holds(bin)), Rule::BinDenied)?;
    let allowed = policy.bin_allow.is_empty() || policy.bin_allow.iter().any(|range| range.holds(bin));
    refuse_if(!allowed, Rule::BinDenied)
}

impl super::BinRange {
    fn holds(self, bin: u32) -> bool {
        (self.from..=self.to).contains(&bin)
    }
}
