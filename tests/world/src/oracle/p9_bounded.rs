//! P9 bounded risk: what is taken without the bank's word stays within the acquirer's rules, by the judge's own ledger
//! of what is at risk.

use std::collections::BTreeMap;

use serde_json::Value;
use takings_till::ChargeOutcome;
use takings_till::views::StatusView;

use super::book::Book;
use super::facts::{Facts, Phone, Sale};
use super::p1_kept::scheme_of;
use super::time::{HOUR_MS, MINUTE_MS, instant, local_day};
use super::verdict::{At, Verdict};
use crate::record::{Deed, Tap};

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
            let open = open(facts, phone, book, &saved[..index], this);
            let known = known_policies(phone, &policies, this.at_ms);
            let why: Vec<String> = known.iter().filter_map(|policy| refusal(policy, this, &open)).collect();
            let at = At { ms: this.at_ms, phone: number };
            // What one of the policies that this till can have had allows is allowed.
            verdict.check(known.is_empty() || why.len() < known.len(), P9, at, || {
                format!("payment {} was told saved: {}", this.id, why.join("; or by the newer policy: "))
            });
            verdict
                .check(!known.is_empty(), P9, at, || format!("payment {} was told saved, without a policy", this.id));
            clock(phone, book, &known, this, &open, at, verdict);
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

fn open(facts: &Facts, phone: &Phone, book: &Book, before: &[Saved<'_>], this: &Saved<'_>) -> Open {
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
        // What the acquirer forgot may have been answered before.
        let forgotten = sale.is_some_and(|sale| facts.forgotten(sale));
        // What an older copy took, this till cannot count.
        let taken = |(of_ms, back_ms): (i64, i64)| (of_ms..=back_ms).contains(&other.at_ms) && back_ms <= this.at_ms;
        let forgotten = forgotten || phone.copies().any(taken);
        if cancelled || answered || forgotten || sale.is_some_and(|sale| stood_still(sale, phone, this)) {
            continue;
        }
        open.count += 1;
        open.total_minor += other.amount_minor;
        open.oldest_ms = Some(open.oldest_ms.unwrap_or(other.at_ms).min(other.at_ms));
    }
    open
}

/// What stands still until somebody acts counts no more: it would count for ever.
fn stood_still(sale: &Sale, phone: &Phone, this: &Saved<'_>) -> bool {
    let cancelled = |view: &takings_till::views::PaymentView| view.cause.as_deref() == Some("cancelled_unsent");
    let mut shown = sale.shown.iter().filter(|(when, _)| *when <= this.at_ms);
    // Where an older copy took this sale, numbers count from before it.
    let accepted =
        phone.sales.get(this.id).filter(|_| !phone.forgot(this.at_ms)).and_then(|sale| sale.first("accepted"));
    let accepted = accepted.map_or(u64::MAX, |entry| entry.seq);
    shown.any(|(_, view)| view.delivery.as_deref() == Some("parked") || cancelled(view))
        || sale.timeline.iter().filter(|entry| entry.seq < accepted).any(|entry| match entry.kind.as_str() {
            "parked" | "expired" | "cancelled_unsent" => true,
            "send_ended" => entry.body.contains("\"refused\""),
            _ => false,
        })
}

/// The policies that this till can have had: published by then, and none older than one it has named.
fn known_policies<'a>(
    phone: &Phone,
    policies: &'a [(i64, BTreeMap<String, Value>)],
    at_ms: i64,
) -> Vec<&'a BTreeMap<String, Value>> {
    let published: Vec<&(i64, BTreeMap<String, Value>)> = policies.iter().filter(|(when, _)| *when <= at_ms).collect();
    let named = phone.policies.iter().rev().find(|(when, _)| *when <= at_ms).and_then(|(_, version)| version.as_ref());
    let named_ms = phone.policies.iter().rev().find(|(when, _)| *when <= at_ms).map_or(i64::MIN, |(when, _)| *when);
    let copied = phone.was_copied_between(named_ms, at_ms);
    let is_named = |members: &BTreeMap<String, Value>| {
        members.get("version").and_then(Value::as_str).is_some_and(|version| Some(&version.to_owned()) == named)
    };
    let from = published.iter().position(|(_, members)| is_named(members)).filter(|_| !copied).unwrap_or(0);
    published.into_iter().skip(from).map(|(_, members)| members).collect()
}

/// Why this policy refuses it.
fn refusal(policy: &BTreeMap<String, Value>, this: &Saved<'_>, open: &Open) -> Option<String> {
    if policy.get("offline_allowed") != Some(&Value::Bool(true)) {
        return Some("the policy allows nothing offline".to_owned());
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

/// When the acquirer's clock was heard last, true time: at a sign-on whose answer the ledger holds.
fn heard_ms(phone: &Phone, book: &Book, at_ms: i64) -> Option<i64> {
    let signed_on = phone.rows.iter().filter(|row| row.columns.kind == "signed_on");
    let server_ms = |body: &str| serde_json::from_str::<Value>(body).ok()?.get("server_ms")?.as_i64();
    let heard: Vec<i64> = signed_on.filter_map(|row| server_ms(&row.columns.body)).collect();
    if !heard.is_empty() {
        return heard.into_iter().filter(|when| *when <= at_ms).max();
    }
    let ours = |terminal: &String| phone.terminals.contains(terminal);
    let opened = book.sessions.iter().filter(|session| ours(&session.terminal_id));
    // One that was opened a moment ago may not have been heard of yet.
    opened.map(|session| session.opened_at_ms).filter(|when| *when + MINUTE_MS <= at_ms).max()
}

/// The till could know the time: it heard the acquirer's since it was switched on, or its wall clock was not set behind
/// what it was then.
fn knows_time(phone: &Phone, heard_ms: Option<i64>, at_ms: i64) -> bool {
    let Some(heard_ms) = heard_ms else { return false };
    let booted = phone.deeds.iter().any(|(when, deed)| {
        let boots = matches!(deed, Deed::PowerCut | Deed::Restarted | Deed::OlderCopy { .. });
        boots && heard_ms <= *when && *when <= at_ms
    });
    let set_back = phone.clock_offset_ms(at_ms) < phone.clock_offset_ms(heard_ms);
    !(phone.forgot(at_ms) || booted && set_back)
}

/// Limits of age, by true time: judged where the till could know it.
fn clock(
    phone: &Phone,
    book: &Book,
    policies: &[&BTreeMap<String, Value>],
    this: &Saved<'_>,
    open: &Open,
    at: At,
    verdict: &mut Verdict,
) {
    let heard_ms = heard_ms(phone, book, this.at_ms);
    if !knows_time(phone, heard_ms, this.at_ms) {
        return;
    }
    let instants = policies.iter().map(|policy| policy.get("valid_until").and_then(Value::as_str).and_then(instant));
    let until_ms = instants.map(|until| until.unwrap_or(i64::MAX)).max().unwrap_or(i64::MAX);
    verdict.check(this.at_ms <= until_ms.saturating_add(MINUTE_MS), P9, at, || {
        format!("payment {} was told saved, the policy ended at {until_ms}", this.id)
    });
    let hours = |name: &str| {
        let most = policies.iter().map(|policy| policy.get(name).and_then(Value::as_i64).unwrap_or(i64::MAX)).max();
        most.unwrap_or(i64::MAX).saturating_mul(HOUR_MS)
    };
    if let Some(oldest_ms) =
        open.oldest_ms.filter(|oldest| knows_time(phone, self::heard_ms(phone, book, *oldest), *oldest))
    {
        let age_ms = this.at_ms - oldest_ms;
        verdict.check(age_ms <= hours("max_age_h").saturating_add(MINUTE_MS), P9, at, || {
            format!("payment {} was told saved while another waits for {age_ms} ms", this.id)
        });
    }
    let age_ms = this.at_ms - heard_ms.unwrap_or(this.at_ms);
    verdict.check(age_ms <= hours("max_clock_age_h").saturating_add(MINUTE_MS), P9, at, || {
        format!("payment {} was told saved, the acquirer's clock last heard {age_ms} ms ago", this.id)
    });
}

/// What the offline policy is said to have refused, a policy that this till can have had refuses.
pub(super) fn refusals(facts: &Facts, verdict: &mut Verdict) {
    let policies = versions(facts);
    for (number, phone) in facts.phones.iter().enumerate() {
        for (id, sale) in &phone.sales {
            let Some(begun) = &sale.begun else { continue };
            for (when, outcome) in &sale.told {
                let ChargeOutcome::NotCharged { cause, detail: Some(rule) } = outcome else { continue };
                if cause != "offline_refused" {
                    continue;
                }
                let this = Saved { id, at_ms: *when, amount_minor: begun.amount_minor, tap: facts.taps_of(id).last() };
                let known = known_policies(phone, &policies, *when);
                let fits = known.is_empty() || known.iter().any(|policy| rule_refuses(policy, rule, &this));
                verdict.check(fits, P9, At { ms: *when, phone: number }, || {
                    format!("payment {id} was refused offline ({rule}), and no policy refuses it so")
                });
            }
        }
    }
}

/// Whether this rule refuses it, as far as the card and the amount alone tell.
fn rule_refuses(policy: &BTreeMap<String, Value>, rule: &str, this: &Saved<'_>) -> bool {
    let list = |name: &str| policy.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let limit = list("limits").iter().find(|limit| limit.get("currency").and_then(Value::as_str) == Some("CNY"));
    let over = |name: &str| {
        let most = limit.and_then(|limit| limit.get(name)).and_then(Value::as_i64);
        most.is_some_and(|most| this.amount_minor > most)
    };
    let mode = this.tap.map(|tap| tap.entry_mode);
    match rule {
        "offline_not_allowed" => policy.get("offline_allowed") != Some(&Value::Bool(true)),
        "amount_over_limit" => over("max_amount"),
        "contactless_over_limit" => mode == Some("contactless") && over("max_amount_contactless_no_pin"),
        "entry_mode_denied" => mode.is_some_and(|mode| !list("entry_modes_allowed").iter().any(|word| word == mode)),
        "scheme_denied" => by_card(list("entry_modes_allowed"), list("scheme_rules"), this).is_some(),
        _ => true,
    }
}

/// The limits that a status names are those of the policy it names, and its time is the acquirer's.
pub(super) fn status(facts: &Facts, phone: &Phone, at: At, status: &StatusView, verdict: &mut Verdict) {
    let policies = versions(facts);
    let named = policies
        .iter()
        .rev()
        .map(|(_, members)| members)
        .find(|members| members.get("version").and_then(Value::as_str) == status.policy_version.as_deref());
    let limits = named.and_then(|members| members.get("limits")).and_then(Value::as_array);
    for risk in &status.offline_risk {
        let of = |limit: &&Value| limit.get("currency").and_then(Value::as_str) == Some(risk.currency.as_str());
        let Some(limit) = limits.and_then(|limits| limits.iter().find(of)) else { continue };
        let most = |name: &str| limit.get(name).and_then(Value::as_i64);
        let seen = (Some(i64::from(risk.max_count)), Some(risk.max_amount_minor));
        verdict.same(
            P9,
            at,
            "limits in the status, by the policy",
            &seen,
            &(most("max_count_open"), most("max_total_open")),
        );
    }
    // While one boot lasts, its own clock counts on from what the acquirer said.
    let set = phone.clock_set_by(at.ms) && phone.booted_by(at.ms);
    if let Some(trusted_ms) = status.trusted_ms.filter(|_| !set) {
        let off_ms = trusted_ms - at.ms;
        verdict.check(off_ms.abs() <= 5 * MINUTE_MS, P9, at, || {
            format!("the till takes the acquirer's clock to be {off_ms} ms from where it is")
        });
    }
}
