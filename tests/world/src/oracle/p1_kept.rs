//! P1 kept: what the merchant saw taken up or accepted is in every later list, as it was.

use takings_till::views::{PaymentDetail, PaymentView};

use super::book::Book;
use super::facts::{Facts, Phone, Sale};
use super::verdict::{At, Verdict};
use crate::record::Tap;

const P1: &str = "P1";

/// Every list of payments.
pub(super) fn list(facts: &Facts, at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    let Some(phone) = facts.phones.get(at.phone) else { return };
    for (id, sale) in &phone.sales {
        let known = sale.begun.is_some() || sale.listed_ms.is_some();
        let there = list.iter().any(|detail| detail.payment.payment_id == *id);
        if known && !there && !phone.forgot(sale.since_ms()) {
            let told = sale.told.last().map(|(_, outcome)| outcome);
            verdict.broken(P1, at, format!("payment {id} is gone from the list; the screen had said {told:?}"));
        }
    }
    for detail in list {
        let view = &detail.payment;
        let sale = phone.sales.get(&view.payment_id);
        match sale.filter(|sale| sale.begun.is_some()) {
            Some(sale) => as_begun(sale, at, view, verdict),
            None => unasked(facts, phone, at, detail, verdict),
        }
        if let Some(sale) = sale {
            as_told(phone, sale, at, view, verdict);
            unchanged(phone, sale, at, view, verdict);
        }
        as_tapped(facts.taps_of(&view.payment_id), at, view, verdict);
    }
}

fn as_begun(sale: &Sale, at: At, view: &PaymentView, verdict: &mut Verdict) {
    let Some(begun) = &sale.begun else { return };
    let id = &view.payment_id;
    verdict.same(P1, at, &format!("amount of payment {id}"), &view.amount_minor, &begun.amount_minor);
    verdict.same(P1, at, &format!("order of payment {id}"), &view.order_reference, &begun.order);
}

/// A charge that nobody was told of: its intent reached the disk, and the answer was lost. Then no card was read for it.
fn unasked(facts: &Facts, phone: &Phone, at: At, detail: &PaymentDetail, verdict: &mut Verdict) {
    let view = &detail.payment;
    let id = &view.payment_id;
    let begun_here = detail.timeline.first().is_some_and(|first| first.kind == "charge_started");
    if !begun_here {
        // Heard from the acquirer, and labelled so by its first event.
        return;
    }
    let harmless = view.last_four.is_none() && matches!(view.stage.as_str(), "not_charged" | "being_confirmed");
    verdict.check(harmless, P1, at, || {
        format!("payment {id} was never begun by anybody, and stands as {} with card {:?}", view.stage, view.last_four)
    });
    let explained = phone.was_interrupted() || facts.begun_at.contains_key(id);
    verdict.check(explained, P1, at, || format!("payment {id} was never begun by anybody, and nothing went wrong"));
}

/// What the screen told of the charge stays true in the list.
fn as_told(phone: &Phone, sale: &Sale, at: At, view: &PaymentView, verdict: &mut Verdict) {
    let id = &view.payment_id;
    let class = view.class.as_deref();
    if sale.saved_ms().is_some_and(|told_ms| !phone.forgot(told_ms)) {
        verdict.check(matches!(class, Some("deferred" | "chip_offline")), P1, at, || {
            format!("payment {id} was told saved, and its class is {class:?}: should be deferred")
        });
        verdict.check(view.last_four.is_some(), P1, at, || format!("payment {id} was told saved, and has no card"));
    }
    if let Some((_, approved_minor)) = sale.approved().filter(|(told_ms, _)| !phone.forgot(*told_ms)) {
        verdict.check(class == Some("live"), P1, at, || {
            format!("payment {id} was told approved, and its class is {class:?}: should be live")
        });
        let approved = matches!(view.authorization.as_deref(), Some("approved" | "partially_approved"));
        if approved {
            let name = format!("approved amount of payment {id}, as told");
            verdict.same(P1, at, &name, &view.approved_minor, &Some(approved_minor));
        }
        verdict.check(view.authorization.is_some(), P1, at, || {
            format!("payment {id} was told approved, and the list knows no answer")
        });
    }
    if sale.cancelled_ms.is_some_and(|when| !phone.forgot(when)) {
        let cancelled = view.stage == "not_charged" && view.cause.as_deref() == Some("cancelled_unsent");
        verdict.check(cancelled, P1, at, || {
            format!("payment {id} was cancelled, and stands as {} ({:?})", view.stage, view.cause)
        });
    }
}

/// What is fixed at the sale never changes from one list to the next.
fn unchanged(phone: &Phone, sale: &Sale, at: At, view: &PaymentView, verdict: &mut Verdict) {
    let Some((when, before)) = sale.shown.last() else { return };
    if phone.copies().any(|(of_ms, back_ms)| back_ms >= *when && of_ms <= *when) {
        return;
    }
    let id = &view.payment_id;
    verdict.same(P1, at, &format!("amount of {id}"), &view.amount_minor, &before.amount_minor);
    verdict.same(P1, at, &format!("currency of {id}"), &view.currency, &before.currency);
    verdict.same(P1, at, &format!("order of {id}"), &view.order_reference, &before.order_reference);
    verdict.same(P1, at, &format!("STAN of {id}"), &view.stan, &before.stan);
    verdict.same(P1, at, &format!("batch of {id}"), &view.batch_number, &before.batch_number);
    verdict.same(P1, at, &format!("day of sale of {id}"), &view.captured_on, &before.captured_on);
    if before.last_four.is_some() {
        verdict.same(P1, at, &format!("card of {id}"), &view.last_four, &before.last_four);
        verdict.same(P1, at, &format!("scheme of {id}"), &view.scheme, &before.scheme);
        verdict.same(P1, at, &format!("entry mode of {id}"), &view.entry_mode, &before.entry_mode);
        verdict.same(P1, at, &format!("capture of {id}"), &view.captured_at_ms, &before.captured_at_ms);
    }
    let deferred = |view: &PaymentView| matches!(view.class.as_deref(), Some("deferred" | "chip_offline"));
    if deferred(before) {
        verdict.check(deferred(view), P1, at, || format!("payment {id} was deferred, and is {:?} now", view.class));
    }
    if before.service_given.is_some() {
        verdict.same(P1, at, &format!("service mark of {id}"), &view.service_given.is_some(), &true);
    }
}

/// The card in the list is the one that was held to the reader.
fn as_tapped(taps: &[Tap], at: At, view: &PaymentView, verdict: &mut Verdict) {
    let id = &view.payment_id;
    let Some(last_four) = view.last_four.as_deref() else { return };
    let Some(tap) = taps.iter().find(|tap| tap.last_four == last_four) else {
        let cards: Vec<&str> = taps.iter().map(|tap| tap.last_four.as_str()).collect();
        return verdict.broken(P1, at, format!("payment {id} shows card {last_four}; held to the reader: {cards:?}"));
    };
    let mode = view.entry_mode.as_deref();
    let modes: Vec<&str> = taps.iter().filter(|tap| tap.pays).map(|tap| tap.entry_mode).collect();
    verdict.check(mode.is_some_and(|mode| modes.contains(&mode)), P1, at, || {
        format!("payment {id} shows entry mode {mode:?}, should be one of {modes:?}")
    });
    if let Some(scheme) = scheme_of(&tap.leading) {
        verdict.check(view.scheme.as_deref() == Some(scheme), P1, at, || {
            format!("payment {id} shows scheme {:?}, should be {scheme}", view.scheme)
        });
    }
}

/// The scheme of leading digits where they leave no doubt.
pub(super) fn scheme_of(leading: &str) -> Option<&'static str> {
    let two = leading.get(..2)?;
    match two {
        "62" => Some("unionpay"),
        "34" | "37" => Some("amex"),
        "51" | "52" | "53" | "54" | "55" => Some("mastercard"),
        "35" => Some("jcb"),
        _ if leading.starts_with('4') => Some("visa"),
        _ => None,
    }
}

/// What the acquirer has of a phone is in the phone's list at the end, and stands there as the phone's own.
pub(super) fn book(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    for payment in book.payments.values() {
        let Some(number) = facts.phone_of(&payment.terminal_id) else { continue };
        let Some(phone) = facts.phones.get(number) else { continue };
        let at = At { ms: at_ms, phone: number };
        let Some(list) = &phone.payments else { continue };
        // A request may arrive just after its phone was put back to a time before it.
        let begun_ms = phone.sales.get(&payment.payment_id).map_or(i64::MAX, Sale::since_ms);
        let copied = phone.forgot(begun_ms) || phone.forgot(payment.received_at_ms);
        if phone.terminal() != Some(payment.terminal_id.as_str()) || copied {
            continue;
        }
        let there = list.seen.iter().any(|detail| detail.payment.payment_id == payment.payment_id);
        verdict.check(there || list.at_ms < payment.received_at_ms, P1, at, || {
            format!("the acquirer has payment {} of this phone, and the phone's list lacks it", payment.payment_id)
        });
    }
    for (number, phone) in facts.phones.iter().enumerate() {
        if let Some(lost_ms) = phone.history_lost_ms {
            verdict.check(phone.loss_noticed || !phone.loss_is_witnessed, P1, At { ms: at_ms, phone: number }, || {
                format!(
                    "history was lost when an older copy was put back (seen at {lost_ms}); a witness knows, and the till never said so"
                )
            });
        }
    }
}
