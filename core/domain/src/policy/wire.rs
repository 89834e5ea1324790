//! The policy as the contract writes it, and the way from there to [`RiskPolicy`].
//!
//! Unknown members are ignored. A member that a rule needs and that is missing makes the whole document unusable:
//! half a policy would allow more than the acquirer signed.

use serde::Deserialize;

use super::{BinRange, Liability, Limit, OnlineRequired, PolicyError, Retry, RiskPolicy, SchemeRule};
use crate::card::{EntryMode, Scheme};
use crate::money::{Currency, MAX_AMOUNT_MINOR, Money};

#[derive(Deserialize)]
struct WirePolicy {
    version: String,
    merchant_id: String,
    terminal_id: String,
    valid_from: String,
    valid_until: String,
    offline_allowed: bool,
    limits: Vec<WireLimit>,
    max_age_h: u32,
    upload_deadline_days: u32,
    max_clock_age_h: u32,
    entry_modes_allowed: Vec<String>,
    scheme_rules: Vec<WireSchemeRule>,
    #[serde(default)]
    bin_allow: Vec<WireRange>,
    #[serde(default)]
    bin_deny: Vec<WireRange>,
    online_required_if: Vec<WireOnline>,
    liability: String,
    retry: Retry,
}

#[derive(Deserialize)]
struct WireLimit {
    currency: String,
    max_amount: i64,
    max_amount_contactless_no_pin: Option<i64>,
    max_count_open: u32,
    max_total_open: i64,
    max_count_per_card_per_day: Option<u32>,
}

#[derive(Deserialize)]
struct WireSchemeRule {
    scheme: String,
    offline_allowed: bool,
    max_amount: Option<i64>,
}

#[derive(Deserialize)]
struct WireRange {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct WireOnline {
    rule: String,
    amount: Option<WireMoney>,
    n: Option<u32>,
}

#[derive(Deserialize)]
struct WireMoney {
    amount: i64,
    currency: String,
}

impl RiskPolicy {
    /// Reads the exact bytes the acquirer signed. The signature is the caller's to check.
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
        if wire.version.is_empty() {
            return Err(PolicyError::Invalid { field: "version" });
        }
        Ok(Self {
            version: wire.version,
            merchant_id: wire.merchant_id,
            terminal_id: wire.terminal_id,
            valid_from_ms: instant_ms(&wire.valid_from, "valid_from")?,
            valid_until_ms: instant_ms(&wire.valid_until, "valid_until")?,
            offline_allowed: wire.offline_allowed,
            limits: limits(wire.limits)?,
            max_age_h: wire.max_age_h,
            upload_deadline_days: wire.upload_deadline_days,
            max_clock_age_h: wire.max_clock_age_h,
            entry_modes_allowed: wire
                .entry_modes_allowed
                .iter()
                .filter_map(|word| EntryMode::from_word(word))
                .collect(),
            scheme_rules: scheme_rules(wire.scheme_rules)?,
            bin_allow: ranges(&wire.bin_allow, "bin_allow")?,
            bin_deny: ranges(&wire.bin_deny, "bin_deny")?,
            online_required_if: online_required(&wire.online_required_if),
            liability: Liability::from_word(&wire.liability).unwrap_or(Liability::Merchant),
            retry: wire.retry,
        })
    }
}

fn instant_ms(text: &str, field: &'static str) -> Result<i64, PolicyError> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.timestamp_millis())
        .map_err(|_| PolicyError::Invalid { field })
}

fn minor(amount: i64, field: &'static str) -> Result<i64, PolicyError> {
    if (0..=MAX_AMOUNT_MINOR).contains(&amount) { Ok(amount) } else { Err(PolicyError::Invalid { field }) }
}

fn limits(wire: Vec<WireLimit>) -> Result<Vec<Limit>, PolicyError> {
    let mut limits: Vec<Limit> = Vec::new();
    for limit in wire {
        // A currency this version does not know cannot be charged either.
        let Ok(currency) = Currency::from_code(&limit.currency) else { continue };
        if limits.iter().any(|known| known.currency == currency) {
            return Err(PolicyError::Invalid { field: "limits" });
        }
        let contactless = limit.max_amount_contactless_no_pin;
        limits.push(Limit {
            currency,
            max_amount_minor: minor(limit.max_amount, "max_amount")?,
            max_amount_contactless_no_pin_minor: contactless
                .map(|most| minor(most, "max_amount_contactless_no_pin"))
                .transpose()?,
            max_count_open: limit.max_count_open,
            max_total_open_minor: minor(limit.max_total_open, "max_total_open")?,
            max_count_per_card_per_day: limit.max_count_per_card_per_day,
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
            allowed: rule.offline_allowed,
            max_amount_minor: rule.max_amount.map(|most| minor(most, "scheme_rules")).transpose()?,
        });
    }
    Ok(rules)
}

fn ranges(wire: &[WireRange], field: &'static str) -> Result<Vec<BinRange>, PolicyError> {
    wire.iter()
        .map(|range| match (six_digits(&range.from), six_digits(&range.to)) {
            (Some(from), Some(to)) if from <= to => Ok(BinRange { from, to }),
            _ => Err(PolicyError::Invalid { field }),
        })
        .collect()
}

/// Exactly six digits, as a number.
pub(super) fn six_digits(digits: &str) -> Option<u32> {
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

fn online_required(wire: &[WireOnline]) -> OnlineRequired {
    let mut required = OnlineRequired::default();
    for rule in wire {
        match (rule.rule.as_str(), rule.amount.as_ref().and_then(money), rule.n) {
            ("amount_gte", Some(from), _) => required.amount_gte.push(from),
            ("every_nth", _, Some(n)) if n > 0 => {
                required.unknown_rule |= required.every_nth.is_some_and(|other| other != n);
                required.every_nth = Some(n);
            }
            ("magstripe", ..) => required.magstripe = true,
            ("fallback", ..) => required.fallback = true,
            ("manual", ..) => required.manual = true,
            // Also a rule without its amount or its number.
            _ => required.unknown_rule = true,
        }
    }
    required
}

fn money(wire: &WireMoney) -> Option<Money> {
    Money::new(wire.amount, Currency::from_code(&wire.currency).ok()?).ok()
}
