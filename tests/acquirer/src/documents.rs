//! The published documents: risk policies and settlement terms, in versions.

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value, json};

use crate::calendar::{Basis, Calendar, settlement_date};
use crate::instant::{local_date, rfc3339};

const DAY_MS: i64 = 86_400_000;

/// A version of a document, without the members that name merchant and terminal.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) number: u32,
    pub(crate) version: String,
    pub(crate) members: Map<String, Value>,
}

/// All versions of one document; the last is in force.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    name: &'static str,
    all: Vec<Document>,
}

impl Versions {
    fn new(name: &'static str, first: Value) -> Self {
        let mut versions = Self { name, all: Vec::new() };
        versions.publish(&first);
        versions
    }

    pub(crate) fn policy(start_ms: i64) -> Self {
        Self::new("policy", first_policy(start_ms))
    }

    pub(crate) fn terms(start_ms: i64) -> Self {
        Self::new("terms", first_terms(start_ms))
    }

    /// Publishes the members of the version in force with these laid over it; null removes one.
    pub(crate) fn publish(&mut self, changes: &Value) -> &Document {
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX) + 1;
        let mut members = self.all.last().map(|last| last.members.clone()).unwrap_or_default();
        for (name, value) in changes.as_object().into_iter().flatten() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        let version = match changes.get("version").and_then(Value::as_str) {
            Some(version) => version.to_owned(),
            None => number.to_string(),
        };
        members.insert("version".to_owned(), json!(version));
        self.all.push(Document { number, version, members });
        self.current()
    }

    pub(crate) fn current(&self) -> &Document {
        &self.all[self.all.len() - 1]
    }

    pub(crate) fn find(&self, version: &str) -> Option<&Document> {
        self.all.iter().rev().find(|document| document.version == version)
    }

    pub(crate) fn numbered(&self, number: u32) -> &Document {
        self.all.iter().find(|document| document.number == number).unwrap_or_else(|| self.current())
    }

    /// The strong tag of the version in force.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}-{}\"", self.name, self.current().number)
    }
}

fn first_policy(start_ms: i64) -> Value {
    let from = start_ms - 30 * DAY_MS;
    json!({
        "valid_from": rfc3339(from), "valid_until": rfc3339(start_ms + 180 * DAY_MS),
        "offline_allowed": true,
        "limits": [{
            "currency": "CNY", "max_amount": 50_000, "max_amount_contactless_no_pin": 50_000,
            "max_count_open": 500, "max_total_open": 5_000_000, "max_count_per_card_per_day": 20,
        }],
        "max_age_h": 72, "upload_deadline_days": 10, "max_clock_age_h": 96,
        "entry_modes_allowed": ["chip", "contactless"],
        "scheme_rules": [
            {"scheme": "unionpay", "offline_allowed": true}, {"scheme": "visa", "offline_allowed": true},
            {"scheme": "mastercard", "offline_allowed": true}, {"scheme": "amex", "offline_allowed": false},
        ],
        "online_required_if": [{"rule": "magstripe"}, {"rule": "manual"}],
        "liability": "merchant", "on_expired_policy": "deny",
        "retry": {"max_attempts_per_contact": 3, "reversal_attempts_per_contact": 5},
    })
}

fn first_terms(start_ms: i64) -> Value {
    json!({
        "valid_from": rfc3339(start_ms - 365 * DAY_MS), "currency": "CNY",
        "cycle": {"basis": "business_day", "n": 1}, "cut_off": "23:00:00", "timezone": "Asia/Shanghai",
        "payout_windows": ["09:30-10:30"],
        "pricing": [{"funding": "debit", "rate": "0.0050", "cap": 2000, "min": 0}, {"funding": "credit", "rate": "0.0060"}],
        "rounding": "half_up_per_payment", "minimum_payout": {"amount": 100, "currency": "CNY"},
        "account": {"masked": "**** 1234", "bank_name": "Sandbox Bank", "holder_masked": "王*", "class": "personal_I", "verified": true},
    })
}

impl Document {
    fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Terms: the cut-off, local time.
    pub(crate) fn cut_off(&self) -> NaiveTime {
        NaiveTime::parse_from_str(self.text("cut_off"), "%H:%M:%S").unwrap_or(NaiveTime::MIN)
    }

    /// Terms: basis and n of the cycle.
    pub(crate) fn cycle(&self) -> (Basis, u32) {
        let cycle = self.members.get("cycle");
        let basis = match cycle.and_then(|cycle| cycle.get("basis")).and_then(Value::as_str) {
            Some("calendar_day") => Basis::CalendarDay,
            _ => Basis::BusinessDay,
        };
        let n = cycle.and_then(|cycle| cycle.get("n")).and_then(Value::as_u64).unwrap_or(1);
        (basis, u32::try_from(n).unwrap_or(1))
    }

    /// Terms: the day the money of a batch moves.
    pub(crate) fn due_date(&self, calendar: &Calendar, batch_date: NaiveDate) -> NaiveDate {
        let (basis, n) = self.cycle();
        settlement_date(calendar, basis, n, batch_date)
    }

    /// Terms: the cycle in words, `T+1` or `D+0`.
    pub(crate) fn basis_text(&self) -> String {
        let (basis, n) = self.cycle();
        let letter = if basis == Basis::BusinessDay { 'T' } else { 'D' };
        format!("{letter}+{n}")
    }

    /// Terms: the least a payout may be, minor units.
    pub(crate) fn minimum_payout(&self) -> i64 {
        self.members.get("minimum_payout").and_then(|money| money.get("amount")).and_then(Value::as_i64).unwrap_or(0)
    }

    /// Terms: the fee on a payment by the card's funding, minor units, as a positive number.
    pub(crate) fn fee(&self, funding: &str, amount: i64) -> i64 {
        let rows = self.members.get("pricing").and_then(Value::as_array);
        let row = |wanted: &str| {
            rows.into_iter().flatten().find(|row| row.get("funding").and_then(Value::as_str) == Some(wanted))
        };
        let Some(row) = row(funding).or_else(|| row("any")) else { return 0 };
        let number = |name: &str| row.get(name).and_then(Value::as_i64);
        let rate = row.get("rate").and_then(Value::as_str).and_then(rate_ppm).unwrap_or(0);
        let fee = share(amount, rate).max(number("min").unwrap_or(0));
        number("cap").map_or(fee, |cap| fee.min(cap))
    }

    /// Policy: why a stored payment may not be accepted under this version, if so.
    pub(crate) fn offline_refusal(&self, payment: &OfflineFacts<'_>) -> Option<&'static str> {
        if self.members.get("offline_allowed") != Some(&json!(true)) {
            return Some("offline_allowed");
        }
        let instant = |name: &str| crate::instant::parse_rfc3339(self.text(name)).unwrap_or(0);
        if payment.captured_ms < instant("valid_from") || payment.captured_ms > instant("valid_until") {
            return Some("policy_validity");
        }
        let list = |name: &str| self.members.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let limit =
            list("limits").iter().find(|limit| limit.get("currency").and_then(Value::as_str) == Some(payment.currency));
        let Some(limit) = limit else { return Some("currency") };
        if payment.amount > limit.get("max_amount").and_then(Value::as_i64).unwrap_or(0) {
            return Some("max_amount");
        }
        if !list("entry_modes_allowed").iter().any(|mode| mode.as_str() == Some(payment.entry_mode)) {
            return Some("entry_mode");
        }
        let rule =
            list("scheme_rules").iter().find(|rule| rule.get("scheme").and_then(Value::as_str) == Some(payment.scheme));
        let allowed = rule.is_some_and(|rule| rule.get("offline_allowed") == Some(&json!(true)));
        if !allowed
            || rule
                .and_then(|rule| rule.get("max_amount"))
                .and_then(Value::as_i64)
                .is_some_and(|max| payment.amount > max)
        {
            return Some("scheme");
        }
        let within = |range: &Value| {
            let bound = |name: &str| range.get(name).and_then(Value::as_str).unwrap_or("");
            bound("from") <= payment.bin && payment.bin <= bound("to")
        };
        let allow = list("bin_allow");
        let denied = payment.bin.len() == 6 && list("bin_deny").iter().any(within);
        if denied || (!allow.is_empty() && !allow.iter().any(within)) {
            return Some("bin");
        }
        None
    }

    /// Policy: days after capture within which a stored payment must come.
    pub(crate) fn upload_deadline_ms(&self) -> i64 {
        self.members.get("upload_deadline_days").and_then(Value::as_i64).unwrap_or(0) * DAY_MS
    }

    /// Policy: the last instant at which something captured now may come.
    pub(crate) fn upload_deadline(&self, now_ms: i64) -> i64 {
        let day = local_date(now_ms + self.upload_deadline_ms());
        crate::instant::at(day, NaiveTime::MIN)
    }
}

/// What the policy judges of a stored payment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfflineFacts<'a> {
    pub(crate) captured_ms: i64,
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    pub(crate) entry_mode: &'a str,
    pub(crate) scheme: &'a str,
    /// The first six digits, or fewer if fewer are visible.
    pub(crate) bin: &'a str,
}

/// Millionths of a rate such as `0.0050`.
fn rate_ppm(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 6 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(whole.parse::<i64>().ok()?.checked_mul(1_000_000)? + fraction)
}

/// `amount` × `ppm` / 10⁶, half up.
fn share(amount: i64, ppm: i64) -> i64 {
    let product = i128::from(amount) * i128::from(ppm) + 500_000;
    i64::try_from(product.div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Versions;
    use serde_json::json;

    #[test]
    fn fees_to_the_fen() {
        let terms = Versions::terms(0);
        let debit = [(1, 0), (100, 1), (10_050, 50), (399_900, 2000), (400_000, 2000), (1_000_000, 2000)];
        let credit = [(99, 1), (10_050, 60), (399_900, 2399), (1_000_000, 6000)];
        for (amount, fee) in debit {
            assert_eq!(terms.current().fee("debit", amount), fee, "debit {amount}");
        }
        for (amount, fee) in credit {
            assert_eq!(terms.current().fee("credit", amount), fee, "credit {amount}");
        }
    }

    #[test]
    fn a_new_version_lies_over_the_old() {
        let mut terms = Versions::terms(0);
        terms.publish(&json!({"cycle": {"basis": "calendar_day", "n": 0}}));
        assert_eq!((terms.current().basis_text().as_str(), terms.etag().as_str()), ("D+0", "\"terms-2\""));
        assert_eq!(terms.numbered(1).basis_text(), "T+1");
        assert_eq!(terms.current().minimum_payout(), 100);
    }
}
