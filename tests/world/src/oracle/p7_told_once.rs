//! P7 told once: each fact worth an alert is told once, in order, kept until it is acknowledged, and true.

use std::collections::{BTreeMap, BTreeSet};

use takings_till::views::AlertView;

use super::book::{Book, BookPayment, Payout};
use super::facts::{Facts, Phone, Sale, ShownAlert};
use super::time::{DAY_MS, day_number, local_day};
use super::verdict::{At, Verdict};
use crate::record::Deed;

const P7: &str = "P7";

/// Kinds that can be true of a subject once in its life.
const ONCE: [&str; 11] = [
    "declined_after_deferral",
    "partly_approved",
    "payment_expired",
    "payment_confirmed_late",
    "payment_reversed",
    "payout_sent",
    "payout_arrived",
    "payout_returned",
    "payout_failed",
    "payout_held",
    "payment_in_doubt",
];
/// A customer waits so long for a live answer, milliseconds: see ARCHITECTURE.md.
const PATIENCE_MS: i64 = 60_000;

/// Every list of alerts.
pub(super) fn shown(phone: &mut Phone, at: At, list: &[AlertView], verdict: &mut Verdict) {
    let newest = phone.alerts.keys().next_back().copied().unwrap_or(0);
    let mut last = 0;
    for alert in list {
        let id = alert.alert;
        verdict.check(id > last, P7, at, || format!("alert {id} comes after {last}"));
        last = id;
        let heard = phone.acknowledged;
        verdict.check(id > heard, P7, at, || format!("alert {id} is shown, and was heard up to {heard}"));
        match phone.alerts.get(&id) {
            Some(before) => {
                verdict.same(P7, at, &format!("alert {id} shown again"), alert, &before.view);
            }
            None => {
                verdict.check(id > newest, P7, at, || {
                    format!("alert {id} ({}) is new, and {newest} was shown before it", alert.alert_kind)
                });
                phone.loss_noticed |= alert.alert_kind.starts_with("history_");
                twice(phone, at, alert, verdict);
                names_its_event(phone, at, alert, verdict);
                phone.alerts.insert(id, ShownAlert { first_ms: at.ms, view: alert.clone() });
            }
        }
    }
    swallowed(phone, at, list, verdict);
    phone.alerts_ms = at.ms;
}

/// The oldest come first: whatever was shown, is not acknowledged and lies before the last of this list is in it.
fn swallowed(phone: &mut Phone, at: At, list: &[AlertView], verdict: &mut Verdict) {
    let here: BTreeSet<u64> = list.iter().map(|alert| alert.alert).collect();
    let last = here.last().copied().unwrap_or(u64::MAX);
    let open = phone.alerts.range(phone.acknowledged.saturating_add(1)..).map(|(id, _)| *id);
    let gone: Vec<u64> = open.filter(|id| *id <= last && !here.contains(id)).collect();
    // The merchant's word may have reached the disk though the app died before it could say so.
    let since = phone.alerts_ms;
    let died = phone.deeds.iter().any(|(when, deed)| {
        *when >= since && matches!(deed, Deed::Killed | Deed::PowerCut | Deed::Restarted | Deed::DiskFails(_))
    });
    let first = here.first().copied().unwrap_or(u64::MAX);
    if died && gone.iter().all(|id| *id < first) {
        phone.acknowledged = gone.last().copied().unwrap_or(0).max(phone.acknowledged);
        return;
    }
    verdict.check(gone.is_empty(), P7, at, || format!("alerts {gone:?} were not heard and are not shown again"));
}

/// An alert's number is that of the event that is told: of the same moment, about the same subject.
fn names_its_event(phone: &Phone, at: At, alert: &AlertView, verdict: &mut Verdict) {
    let row = usize::try_from(alert.alert.saturating_sub(1)).ok().and_then(|at| phone.rows.get(at));
    let Some(row) = row.filter(|row| row.seq == alert.alert) else { return };
    let name = format!("time of alert {} ({})", alert.alert, alert.alert_kind);
    verdict.same(P7, at, &name, &alert.at_ms, &row.columns.at_ms);
    let first = phone.sales.get(&alert.subject_id).and_then(|sale| sale.timeline.first());
    if let Some(first) = first.filter(|_| alert.subject_kind == "payment") {
        let subject = row.columns.subject.unsigned_abs();
        verdict.check(subject == first.seq, P7, at, || {
            format!("alert {} is about {}, its event is not", alert.alert, alert.subject_id)
        });
    }
}

/// The same fact under two numbers.
fn twice(phone: &Phone, at: At, alert: &AlertView, verdict: &mut Verdict) {
    let about = |view: &AlertView| (view.alert_kind.clone(), view.subject_kind.clone(), view.subject_id.clone());
    let version = |id: u64| fact_of(phone, id);
    for (id, _) in phone.alerts.iter().filter(|(_, other)| about(&other.view) == about(alert)) {
        let once = ONCE.contains(&alert.alert_kind.as_str());
        let same = version(*id).is_some() && version(*id) == version(alert.alert);
        verdict.check(!once && !same, P7, at, || {
            let (kind, subject) = (&alert.alert_kind, &alert.subject_id);
            format!("{kind} of {subject} was told as alert {id} and again as {}", alert.alert)
        });
    }
}

/// The version, or the day, of the fact that an event of this number wrote down.
fn fact_of(phone: &Phone, id: u64) -> Option<String> {
    let at = usize::try_from(id.checked_sub(1)?).ok()?;
    let row = phone.rows.get(at).filter(|row| row.seq == id)?;
    let body: serde_json::Value = serde_json::from_str(&row.columns.body).ok()?;
    let names = ["report_version", "due_ms", "version", "witness_seq"];
    names.iter().find_map(|name| body.get(*name)).map(|value| format!("{} {value}", row.columns.kind))
}

/// Every alert that was shown is true, by the books.
pub(super) fn true_facts(facts: &Facts, book: &Book, verdict: &mut Verdict) {
    for (number, phone) in facts.phones.iter().enumerate() {
        for alert in phone.alerts.values() {
            let at = At { ms: alert.first_ms, phone: number };
            match alert.view.subject_kind.as_str() {
                "payment" => of_payment(facts, phone, book, at, &alert.view, verdict),
                "payout" => of_payout(phone, book, at, &alert.view, verdict),
                _ => {}
            }
        }
    }
}

fn of_payment(facts: &Facts, phone: &Phone, book: &Book, at: At, alert: &AlertView, verdict: &mut Verdict) {
    let (id, kind) = (&alert.subject_id, alert.alert_kind.as_str());
    let Some(sale) = phone.sales.get(id) else {
        return verdict.broken(P7, at, format!("{kind} of payment {id}, which is not of this phone"));
    };
    if facts.forgotten(sale) || phone.forgot_of(sale) {
        return;
    }
    if let Some(begun) = &sale.begun {
        verdict.same(P7, at, &format!("amount in {kind} of {id}"), &alert.amount_minor, &Some(begun.amount_minor));
    }
    let there = book.payments.get(id);
    let is = |holds: fn(&BookPayment) -> bool| there.is_some_and(holds);
    let by_then = |when: Option<i64>| when.is_some_and(|when| when <= at.ms);
    let holds = match kind {
        "declined_after_deferral" => is(BookPayment::is_declined) && by_then(book.decided_ms(id)),
        "partly_approved" => by_then(book.answered_ms(id)) && book.was_approved_in_part(id),
        "payment_reversed" => book.reversals.iter().any(|undone| {
            undone.payment_id == *id && undone.outcome != "already_cleared" && undone.processed_at_ms <= at.ms
        }),
        "payment_confirmed_late" => by_then(book.approved_ms(id)) && sale.saved_ms().is_none(),
        "payment_overdue" => {
            let expected = there.and_then(|payment| payment.expected_date.as_deref()).and_then(day_number);
            expected.is_none_or(|expected| expected < local_day(at.ms))
        }
        _ => true,
    };
    verdict.check(holds, P7, at, || format!("{kind} of payment {id} was told, and is not so in the book"));
}

fn of_payout(phone: &Phone, book: &Book, at: At, alert: &AlertView, verdict: &mut Verdict) {
    let (id, kind) = (&alert.subject_id, alert.alert_kind.as_str());
    let merchant = phone.terminal().and_then(|terminal| book.merchant(terminal));
    let Some(there) = book.payouts.get(id) else {
        return verdict.broken(P7, at, format!("{kind} of payout {id}, which is in no book"));
    };
    verdict.check(merchant == Some(there.merchant_id.as_str()), P7, at, || {
        format!("{kind} of payout {id}, which is {}'s", there.merchant_id)
    });
    if kind != "payout_difference" {
        verdict.same(P7, at, &format!("amount in {kind} of {id}"), &alert.amount_minor, &Some(there.net_minor));
    }
    let holds = match kind {
        "payout_sent" | "payout_arrived" | "payout_failed" | "payout_returned" => {
            let status = kind.trim_start_matches("payout_");
            there.reached_ms(status).is_some_and(|when| when <= at.ms)
        }
        "payout_difference" => there.entries.iter().map(|entry| entry.net_minor).sum::<i64>() != there.net_minor,
        "payout_overdue" => day_number(&there.payout_date).is_some_and(|day| day < local_day(at.ms)),
        _ => false,
    };
    verdict.check(holds, P7, at, || format!("{kind} of payout {id} was told, and is not so in the book"));
}

/// Every fact of the books that deserves an alert was told, once.
pub(super) fn all_told(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let Some(healed_ms) = facts.healed_ms else { return };
    for (number, phone) in facts.phones.iter().enumerate() {
        if phone.payments.as_ref().is_none_or(|list| list.at_ms < healed_ms) {
            continue;
        }
        // What was told before a copy was put back may stand in the copy as told.
        let copied_ms = phone.last_copy_ms();
        let at = At { ms: at_ms, phone: number };
        let mut told: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for alert in phone.alerts.values() {
            *told.entry((alert.view.alert_kind.as_str(), alert.view.subject_id.as_str())).or_default() += 1;
        }
        let late = late_for_long(phone, healed_ms.max(copied_ms), at_ms);
        for (what, subjects) in late {
            let told = subjects.iter().any(|(kind, id)| told.contains_key(&(*kind, id.as_str())));
            verdict.check(told, P7, at, || format!("{what} is late for more than a day, and nobody was told"));
        }
        let mut deserves = |kind: &str, id: &str| {
            let times = told.get(&(kind, id)).copied().unwrap_or(0);
            verdict.check(times > 0, P7, at, || format!("{kind} of {id} is so in the book, and was never told"));
        };
        let whole = |sale: &Sale| sale.since_ms() > copied_ms && !facts.forgotten(sale);
        for (id, sale) in phone.sales.iter().filter(|(_, sale)| whole(sale)) {
            payment_facts(book, id, sale, &mut deserves);
        }
        let merchant = phone.terminal().and_then(|terminal| book.merchant(terminal));
        let ours = |payout: &&Payout| merchant == Some(payout.merchant_id.as_str());
        let since_ms = facts.restored_ms().max(copied_ms);
        let reached = |payout: &Payout| payout.reached_ms(&payout.status).is_some_and(|when| when > since_ms);
        for payout in book.payouts.values().filter(ours).filter(|payout| reached(payout)) {
            if matches!(payout.status.as_str(), "sent" | "arrived" | "failed" | "returned") {
                deserves(&format!("payout_{}", payout.status), &payout.payout_id);
            }
        }
    }
}

/// What may have told it: kind and subject.
type Tellings = Vec<(&'static str, String)>;

/// What a screen called late a day long, with nothing going wrong, and which alerts would have told it.
fn late_for_long(phone: &Phone, healed_ms: i64, at_ms: i64) -> Vec<(String, Tellings)> {
    let mut late = Vec::new();
    // What an older copy took is on no list any more.
    let last_ms = phone.payments.as_ref().map_or(i64::MIN, |list| list.at_ms);
    for (id, sale) in phone.sales.iter().filter(|(_, sale)| sale.listed_ms >= Some(last_ms)) {
        for (place, (when, view)) in sale.shown.iter().enumerate() {
            let until_ms = sale.shown.get(place + 1).map_or(at_ms, |(next, _)| *next);
            let unknown = view.stage == "needs_you" && view.cause.as_deref() == Some("unknown_overdue");
            if unknown && until_ms - (*when).max(healed_ms) > DAY_MS {
                let payout = view.payout_id.clone().unwrap_or_default();
                late.push((
                    format!("payment {id}, so shown at {when},"),
                    vec![("payment_overdue", id.clone()), ("payout_overdue", payout)],
                ));
            }
        }
    }
    for (id, looks) in &phone.payout_looks {
        for (place, (when, look)) in looks.iter().enumerate() {
            let until_ms = looks.get(place + 1).map_or(at_ms, |(next, _)| *next);
            if look.payout.overdue && until_ms - (*when).max(healed_ms) > DAY_MS {
                late.push((format!("payout {id}"), vec![("payout_overdue", id.clone())]));
            }
        }
    }
    late
}

fn payment_facts(book: &Book, id: &str, sale: &Sale, deserves: &mut impl FnMut(&str, &str)) {
    let there = book.payments.get(id);
    let deferred = sale.saved_ms().is_some();
    let taken = deferred || sale.has("accepted");
    if taken && there.is_some_and(BookPayment::is_declined) {
        deserves("declined_after_deferral", id);
    }
    if deferred && there.is_some_and(|payment| payment.authorization == "partially_approved") {
        deserves("partly_approved", id);
    }
    let undone = book
        .reversals
        .iter()
        .any(|undone| undone.payment_id == id && matches!(undone.outcome.as_str(), "reversed" | "nothing_to_reverse"));
    if undone && there.is_none_or(|payment| payment.authorization == "reversed") {
        deserves("payment_reversed", id);
    }
    let took = sale.first("accepted").zip(sale.first("send_started"));
    let late = took.is_some_and(|(accepted, sent)| accepted.at_ms - sent.at_ms >= PATIENCE_MS);
    let unheard = sale.approved().is_none() && !deferred;
    let live = there.is_some_and(|payment| payment.kind == "live" && payment.is_approved());
    if late && unheard && live {
        deserves("payment_confirmed_late", id);
    }
    let cause = sale.last_look().filter(|view| view.stage == "needs_you").and_then(|view| view.cause.as_deref());
    match cause {
        Some("refused_by_acquirer" | "counter_broken" | "unlisted_code" | "already_cleared") => {
            deserves("payment_parked", id);
        }
        Some("expired" | "expired_in_doubt") => deserves("payment_expired", id),
        Some("risk_hold") => deserves("payment_held", id),
        _ => {}
    }
}
