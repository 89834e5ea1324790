//! P9 bounded risk: what is taken without the bank's word stays within the acquirer's rules, by the judge's own ledger
//! of what is at risk.

use std::collections::BTreeMap;

use serde_json::Value;

use super::book::Book;
use super::facts::{Facts, Phone, Sale};
use super::p1_kept::scheme_of;
use super::time::{HOUR_MS, MINUTE_MS, instant, local_day};
use super::verdict::{At, Verdict};
use crate::record::Tap;

const P9: &str = "P9";

/// A payment that a screen called saved.
struct Saved<'a> {
    id: &'a str,
    at_ms: i64,
    amount_minor: i64,
    tap: Option<&'a Tap>,
}

/// What waited at one phone when a payment was called saved.
#[derive(Default)]
struct Open {
    count: i64,
    total_minor: i64,
    oldest_ms: Option<i64>,
    /// Of the same card, the same day, whether they still wait or not.
    of_card: i64,
}

/// Each policy from its publication on: the members of all changes so far, one over the other.
fn versions(facts: &Facts) -> Vec<(i64, BTreeMap<String, Value>)> {
    let mut members: BTreeMap<String, Value> = BTreeMap::new();
    let mut versions = Vec::new();
    for (at_ms, change) in &facts.policies {
        for (name, value) in change.as_object().into_iter().flatten() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        versions.push((*at_ms, members.clone()));
    }
    versions
}

/// Every *saved* of every phone.
pub(super) fn book(facts: &Facts, book: &Book, verdict: &mut Verdict) {
    let policies = versions(facts);
    if policies.is_empty() {
        return;
    }
    for (number, phone) in facts.phones.iter().enumerate() {
        let mut saved: Vec<Saved<'_>> = phone
            .sales
            .iter()
            .filter_map(|(id, sale)| {
                let at_ms = sale.saved_ms()?;
                let amount_minor = sale.begun.as_ref()?.amount_minor;
                Some(Saved { id, at_ms, amount_minor, tap: facts.taps_of(id).last() })
            })
            .collect();
        saved.sort_by_key(|saved| saved.at_ms);
        for (index, this) in saved.iter().enumerate() {
            let open = open(phone, book, &saved[..index], this);
            let known = known_policies(phone, &policies, this.at_ms);
            let why: Vec<String> = known.iter().filter_map(|policy| refusal(phone, policy, this, &open)).collect();
            let at = At { ms: this.at_ms, phone: number };
            // What one of the policies that this till can have had allows is allowed.
            verdict.check(known.is_empty() || why.len() < known.len(), P9, at, || {
                format!("payment {} was told saved: {}", this.id, why.join("; or by the newer policy: "))
            });
            verdict
                .check(!known.is_empty(), P9, at, || format!("payment {} was told saved, without a policy", this.id));
            clock(phone, book, policies.last(), this, &open, at, verdict);
            let names = |version: &String| {
                policies.iter().any(|(_, policy)| policy.get("version").and_then(Value::as_str) == Some(version))
            };
            let named = book.payments.get(this.id).and_then(|payment| payment.policy_version.as_ref());
            let all_named = policies.iter().all(|(_, policy)| policy.contains_key("version"));
            verdict.check(!all_named || named.is_none_or(names), P9, at, || {
                format!("payment {} was sent under policy {named:?}, which nobody published", this.id)
            });
        }
    }
}

fn open(phone: &Phone, book: &Book, before: &[Saved<'_>], this: &Saved<'_>) -> Open {
    let mut open = Open::default();
    for other in before {
        let same_card = this
            .tap
            .zip(other.tap)
            .is_some_and(|(one, two)| (one.leading.get(..4), &one.last_four) == (two.leading.get(..4), &two.last_four));
        if same_card && local_day(other.at_ms) == local_day(this.at_ms) {
            open.of_card += 1;
        }
        let sale = phone.sales.get(other.id);
        let cancelled = sale.and_then(|sale| sale.cancelled_ms).is_some_and(|when| when <= this.at_ms);
        let answered = book.answered_ms(other.id).is_some_and(|when| when <= this.at_ms);
        if cancelled || answered || sale.is_some_and(stood_still) {
            continue;
        }
        open.count += 1;
        open.total_minor += other.amount_minor;
        open.oldest_ms = Some(open.oldest_ms.unwrap_or(other.at_ms).min(other.at_ms));
    }
    open
}

/// What stands still until somebody acts counts no more: it would count for ever.
fn stood_still(sale: &Sale) -> bool {
    let cancelled = |view: &takings_till::views::PaymentView| view.cause.as_deref() == Some("cancelled_unsent");
    sale.shown.iter().any(|(_, view)| view.delivery.as_deref() == Some("parked") || cancelled(view))
        || sale.has("parked")
        || sale.has("expired")
        || sale.timeline.iter().any(|entry| entry.kind == "send_ended" && entry.body.contains("\"refused\""))
}

/// The policies that this till can have had: published by then, and none older than one it has named.
fn known_policies<'a>(
    phone: &Phone,
    policies: &'a [(i64, BTreeMap<String, Value>)],
    at_ms: i64,
) -> Vec<&'a BTreeMap<String, Value>> {
    let published: Vec<&(i64, BTreeMap<String, Value>)> = policies.iter().filter(|(when, _)| *when <= at_ms).collect();
    let named = phone.policies.iter().rev().find(|(when, _)| *when <= at_ms).and_then(|(_, version)| version.as_ref());
    let copied = phone.copied_after(i64::MIN);
    let is_named = |members: &BTreeMap<String, Value>| {
        members.get("version").and_then(Value::as_str).is_some_and(|version| Some(&version.to_owned()) == named)
    };
    let from = published.iter().position(|(_, members)| is_named(members)).filter(|_| !copied).unwrap_or(0);
    published.into_iter().skip(from).map(|(_, members)| members).collect()
}

/// Why this policy refuses it.
fn refusal(phone: &Phone, policy: &BTreeMap<String, Value>, this: &Saved<'_>, open: &Open) -> Option<String> {
    if policy.get("offline_allowed") != Some(&Value::Bool(true)) {
        return Some("the policy allows nothing offline".to_owned());
    }
    if !phone.clock_went_back() {
        let when = |name: &str| policy.get(name).and_then(Value::as_str).and_then(instant);
        if let Some(until_ms) = when("valid_until").filter(|until_ms| this.at_ms > until_ms + MINUTE_MS) {
            return Some(format!("the policy ended at {until_ms}"));
        }
    }
    let list = |name: &str| policy.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let limit = list("limits").iter().find(|limit| limit.get("currency").and_then(Value::as_str) == Some("CNY"));
    let Some(limit) = limit else { return Some("no limits for this currency".to_owned()) };
    amounts(limit, this, open)
        .or_else(|| by_card(list("entry_modes_allowed"), list("scheme_rules"), this))
        .or_else(|| list("online_required_if").iter().find_map(|rule| online_required(rule, this)))
}

fn amounts(limit: &Value, this: &Saved<'_>, open: &Open) -> Option<String> {
    let most = |name: &str| limit.get(name).and_then(Value::as_i64);
    let over = |name: &str, used: i64| {
        most(name).filter(|most| used > *most).map(|most| format!("{name} is {most}, this makes {used}"))
    };
    let tapped = this.tap.is_some_and(|tap| tap.entry_mode == "contactless");
    over("max_amount", this.amount_minor)
        .or_else(|| over("max_amount_contactless_no_pin", if tapped { this.amount_minor } else { 0 }))
        .or_else(|| over("max_count_open", open.count + 1))
        .or_else(|| over("max_total_open", open.total_minor + this.amount_minor))
        .or_else(|| over("max_count_per_card_per_day", open.of_card + 1))
}

fn by_card(modes: &[Value], schemes: &[Value], this: &Saved<'_>) -> Option<String> {
    let tap = this.tap?;
    if !modes.iter().any(|mode| mode.as_str() == Some(tap.entry_mode)) {
        return Some(format!("entry mode {} is not allowed", tap.entry_mode));
    }
    let scheme = scheme_of(&tap.leading)?;
    let rule = schemes.iter().find(|rule| rule.get("scheme").and_then(Value::as_str) == Some(scheme));
    let allowed = rule.and_then(|rule| rule.get("offline_allowed")) == Some(&Value::Bool(true));
    if !allowed {
        return Some(format!("scheme {scheme} is not allowed"));
    }
    let most = rule.and_then(|rule| rule.get("max_amount")).and_then(Value::as_i64);
    most.filter(|most| this.amount_minor > *most).map(|most| format!("scheme {scheme} is allowed up to {most}"))
}

fn online_required(rule: &Value, this: &Saved<'_>) -> Option<String> {
    let mode = this.tap.map(|tap| tap.entry_mode);
    match rule.get("rule").and_then(Value::as_str)? {
        "magstripe" if mode == Some("stripe") => Some("a swipe must go online".to_owned()),
        "manual" if mode == Some("manual") => Some("a keyed number must go online".to_owned()),
        _ => None,
    }
}

/// Limits of age, by true time: judged where no clock was set back.
fn clock(
    phone: &Phone,
    book: &Book,
    policy: Option<&(i64, BTreeMap<String, Value>)>,
    this: &Saved<'_>,
    open: &Open,
    at: At,
    verdict: &mut Verdict,
) {
    let Some((_, policy)) = policy.filter(|_| !phone.clock_went_back() && !phone.copied_after(i64::MIN)) else {
        return;
    };
    let hours = |name: &str| policy.get(name).and_then(Value::as_i64).map(|hours| hours * HOUR_MS);
    if let Some((most_ms, oldest_ms)) = hours("max_age_h").zip(open.oldest_ms) {
        let age_ms = this.at_ms - oldest_ms;
        verdict.check(age_ms <= most_ms + MINUTE_MS, P9, at, || {
            format!("payment {} was told saved while another waits for {age_ms} ms", this.id)
        });
    }
    let ours = |terminal: &String| phone.terminals.contains(terminal);
    let opened = book.sessions.iter().filter(|session| ours(&session.terminal_id));
    let heard_ms = opened.map(|session| session.opened_at_ms).filter(|when| *when <= this.at_ms).max();
    if let Some((most_ms, heard_ms)) = hours("max_clock_age_h").zip(heard_ms) {
        let age_ms = this.at_ms - heard_ms;
        verdict.check(age_ms <= most_ms + MINUTE_MS, P9, at, || {
            format!("payment {} was told saved, the acquirer's clock last heard {age_ms} ms ago", this.id)
        });
    }
}
