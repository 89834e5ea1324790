//! The policy as the contract writes it, and the way from there to [`RiskPolicy`].
//!
//! Unknown members are ignored. A member that a rule needs and that is missing makes the whole document unusable:
//! half a policy would allow more than the acquirer signed.

use serde::Deserialize;

use super::{BinRange, Liability, Limit, OnExpired, OnlineRequired, PolicyError, Retry, RiskPolicy, SchemeRule};
use crate::card::{EntryMode, Scheme};
use crate::money::{Currency, Money};

#[derive(Deserialize)]
struct WirePolicy {
    version: String,
    valid_from: String,
    valid_until: String,
    offline_allowed: bool,
    limits: Vec<WireLimit>,
    max_age_h: u32,
    upload_deadline_days: u32,
    entry_modes_allowed: Vec<String>,
    scheme_rules: Vec<WireSchemeRule>,
    #[serde(default)]
    bin_allow: Vec<WireRange>,
    #[serde(default)]
    bin_deny: Vec<WireRange>,
    online_required_if: WireOnline,
    #[serde(default)]
    on_expired_policy: Option<WireOnExpired>,
    #[serde(default)]
    liability: Option<String>,
    #[serde(default)]
    retry: WireRetry,
}

#[derive(Deserialize, Clone)]
struct WireMoney {
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct WireLimit {
    max_amount: WireMoney,
    max_amount_contactless_no_pin: Option<WireMoney>,
    max_count_open: u32,
    max_total_open: WireMoney,
    max_per_card_per_day: Option<u32>,
}

#[derive(Deserialize)]
struct WireSchemeRule {
    scheme: String,
    offline: String,
    max_amount: Option<WireMoney>,
}

#[derive(Deserialize)]
struct WireRange {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct WireOnline {
    amount_gte: Option<WireMoney>,
    #[serde(default = "yes")]
    magstripe: bool,
    #[serde(default = "yes")]
    fallback: bool,
    #[serde(default = "yes")]
    manual: bool,
    every_nth: Option<u32>,
}

/// A missing rule on a risky way of reading the card is the strict one.
fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct WireOnExpired {
    action: String,
    grace_h: Option<u32>,
    limits: Option<Vec<WireLimit>>,
}

#[derive(Deserialize, Default)]
struct WireRetry {
    max_attempts_per_contact: Option<u32>,
    reversal_attempts_per_contact: Option<u32>,
}

impl RiskPolicy {
    /// Reads the exact bytes the acquirer signed.
    ///
    /// # Errors
    /// [`PolicyError`]; the caller keeps the policy it has.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let wire: WirePolicy = serde_json::from_slice(bytes)
            .map_err(|error| PolicyError::Unreadable { line: error.line(), column: error.column() })?;
        wire.try_into()
    }
}

impl TryFrom<WirePolicy> for RiskPolicy {
    type Error = PolicyError;

    fn try_from(wire: WirePolicy) -> Result<Self, PolicyError> {
        let valid_from_ms = instant_ms(&wire.valid_from, "valid_from")?;
        let valid_until_ms = instant_ms(&wire.valid_until, "valid_until")?;
        if wire.version.is_empty() {
            return Err(PolicyError::Invalid { field: "version" });
        }
        Ok(Self {
            version: wire.version,
            valid_from_ms,
            valid_until_ms,
            offline_allowed: wire.offline_allowed,
            limits: limits(wire.limits)?,
            max_age_h: wire.max_age_h,
            upload_deadline_days: wire.upload_deadline_days,
            entry_modes_allowed: wire
                .entry_modes_allowed
                .iter()
                .filter_map(|word| EntryMode::from_word(word))
                .collect(),
            scheme_rules: scheme_rules(wire.scheme_rules)?,
            bin_allow: ranges(&wire.bin_allow, "bin_allow")?,
            bin_deny: ranges(&wire.bin_deny, "bin_deny")?,
            online_required_if: online_required(wire.online_required_if)?,
            on_expired: on_expired(wire.on_expired_policy)?,
            liability: wire.liability.and_then(|word| Liability::from_word(&word)).unwrap_or(Liability::Merchant),
            retry: Retry {
                max_attempts_per_contact: wire.retry.max_attempts_per_contact.unwrap_or(3),
                reversal_attempts_per_contact: wire.retry.reversal_attempts_per_contact.unwrap_or(3),
            },
        })
    }
}

fn instant_ms(text: &str, field: &'static str) -> Result<i64, PolicyError> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.timestamp_millis())
        .map_err(|_| PolicyError::Invalid { field })
}

fn money(wire: &WireMoney, field: &'static str) -> Result<Money, PolicyError> {
    let invalid = PolicyError::Invalid { field };
    let currency = Currency::from_code(&wire.currency).map_err(|_| invalid.clone())?;
    if wire.amount < 0 {
        return Err(invalid);
    }
    Money::new(wire.amount, currency).map_err(|_| invalid)
}

fn minor_in(wire: &WireMoney, currency: Currency, field: &'static str) -> Result<i64, PolicyError> {
    let sum = money(wire, field)?;
    if sum.currency() == currency { Ok(sum.amount_minor()) } else { Err(PolicyError::Invalid { field }) }
}

fn limits(wire: Vec<WireLimit>) -> Result<Vec<Limit>, PolicyError> {
    let mut limits: Vec<Limit> = Vec::new();
    for limit in wire {
        // A currency this build does not know cannot be charged either.
        let Ok(currency) = Currency::from_code(&limit.max_amount.currency) else { continue };
        if limits.iter().any(|known| known.currency == currency) {
            return Err(PolicyError::Invalid { field: "limits" });
        }
        let contactless = limit.max_amount_contactless_no_pin.as_ref();
        limits.push(Limit {
            currency,
            max_amount_minor: minor_in(&limit.max_amount, currency, "max_amount")?,
            max_amount_contactless_no_pin_minor: contactless
                .map(|sum| minor_in(sum, currency, "max_amount_contactless_no_pin"))
                .transpose()?,
            max_count_open: limit.max_count_open,
            max_total_open_minor: minor_in(&limit.max_total_open, currency, "max_total_open")?,
            max_per_card_per_day: limit.max_per_card_per_day,
        });
    }
    Ok(limits)
}

fn scheme_rules(wire: Vec<WireSchemeRule>) -> Result<Vec<SchemeRule>, PolicyError> {
    let mut rules = Vec::new();
    for rule in wire {
        // No card reads as a scheme without a name here, so such a rule can be left out.
        let Some(scheme) = Scheme::from_word(&rule.scheme) else { continue };
        rules.push(SchemeRule {
            scheme,
            allowed: rule.offline == "allow",
            max_amount: rule.max_amount.as_ref().map(|sum| money(sum, "scheme_rules")).transpose()?,
        });
    }
    Ok(rules)
}

fn ranges(wire: &[WireRange], field: &'static str) -> Result<Vec<BinRange>, PolicyError> {
    wire.iter()
        .map(|range| match (first_six(&range.from), first_six(&range.to)) {
            (Some(from), Some(to)) if from <= to => Ok(BinRange { from, to }),
            _ => Err(PolicyError::Invalid { field }),
        })
        .collect()
}

/// Exactly six digits, as a number.
pub(super) fn first_six(digits: &str) -> Option<u32> {
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

fn online_required(wire: WireOnline) -> Result<OnlineRequired, PolicyError> {
    if wire.every_nth == Some(0) {
        return Err(PolicyError::Invalid { field: "every_nth" });
    }
    Ok(OnlineRequired {
        amount_gte: wire.amount_gte.as_ref().map(|sum| money(sum, "amount_gte")).transpose()?,
        magstripe: wire.magstripe,
        fallback: wire.fallback,
        manual: wire.manual,
        every_nth: wire.every_nth,
    })
}

fn on_expired(wire: Option<WireOnExpired>) -> Result<OnExpired, PolicyError> {
    match wire {
        Some(WireOnExpired { action, grace_h: Some(grace_h), limits: Some(reduced) }) if action == "reduced" => {
            Ok(OnExpired::Reduced { grace_h, limits: limits(reduced)? })
        }
        _ => Ok(OnExpired::Deny),
    }
}
