//! P2 once: no payment is charged or captured twice, whatever was repeated; undone is only what was live.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use takings_till::views::PaymentDetail;

use super::book::{Book, BookPayment, Reversal};
use super::facts::{Facts, Phone, Sale};
use super::time::MINUTE_MS;
use super::verdict::{At, Verdict};
use crate::record::Tap;

const P2: &str = "P2";

/// The acquirer's book at the end.
pub(super) fn book(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    counts(book, at_ms, verdict);
    natural_keys(book, at_ms, verdict);
    for payment in book.payments.values() {
        as_asked(facts, payment, at_ms, verdict);
        if book.merchant(&payment.terminal_id) != Some(payment.merchant_id.as_str()) {
            let (id, merchant) = (&payment.payment_id, &payment.merchant_id);
            verdict.in_book(P2, at_ms, format!("payment {id} of {} is {merchant}'s", payment.terminal_id));
        }
    }
    taps(facts, book, at_ms, verdict);
    orders(facts, book, at_ms, verdict);
    for reversal in &book.reversals {
        reversals(facts, book, reversal, at_ms, verdict);
    }
}

fn tally<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u32> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_default() += 1;
    }
    counts
}

fn counts(book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let asked = tally(book.authorizations.iter().map(|record| record.payment_id.as_str()));
    let captured = tally(book.captures.iter().map(|record| record.payment_id.as_str()));
    let undone = tally(book.reversals.iter().map(|record| record.payment_id.as_str()));
    for (what, counts) in [("authorised", &asked), ("captured", &captured), ("reversed", &undone)] {
        for (id, count) in counts.iter().filter(|(_, count)| **count > 1) {
            verdict.in_book(P2, at_ms, format!("payment {id} was {what} {count} times"));
        }
    }
    for payment in book.payments.values() {
        let id = &payment.payment_id;
        if payment.authorizations > 1 || payment.captures > 1 {
            let (authorizations, captures) = (payment.authorizations, payment.captures);
            verdict.in_book(P2, at_ms, format!("payment {id}: {authorizations} authorizations, {captures} captures"));
        }
        let capture = book.captures.iter().find(|capture| capture.payment_id == *id);
        if let Some(capture) = capture.filter(|capture| Some(capture.amount_minor) != payment.approved_minor) {
            let (got, wanted) = (capture.amount_minor, payment.approved_minor);
            verdict.in_book(P2, capture.at_ms, format!("payment {id} was captured over {got}, approved {wanted:?}"));
        }
    }
    if book.records != book.payments.len() {
        verdict.in_book(P2, at_ms, "two records of one payment id".to_owned());
    }
}

/// Merchant, terminal, batch, STAN and day name one payment.
fn natural_keys(book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let mut keys = BTreeMap::new();
    for payment in book.payments.values() {
        let key = (
            payment.terminal_id.as_str(),
            payment.batch_number.as_str(),
            payment.stan.as_str(),
            payment.captured_on.as_str(),
        );
        if let Some(other) = keys.insert(key, payment.payment_id.as_str()) {
            verdict.in_book(P2, at_ms, format!("payments {other} and {} have one natural key", payment.payment_id));
        }
    }
}

/// An order whose payment may be charged is not begun again, unless the merchant insists.
fn guard(phone: &Phone, at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    for PaymentDetail { payment, timeline } in list.iter().rev() {
        let id = payment.payment_id.as_str();
        let Some(order) = payment.order_reference.as_deref() else { continue };
        let insisted = timeline.iter().any(|entry| entry.kind == "duplicate_overridden");
        if let Some(other) = open.get(order).filter(|_| !insisted && !timeline.is_empty()) {
            verdict.broken(P2, at, format!("order {order} was begun as {id} while {other} stood open or charged"));
        }
        let free = |sale: &Sale| {
            sale.not_charged_ms().is_some() || sale.shown.iter().any(|(_, view)| view.stage == "not_charged")
        };
        if payment.stage != "not_charged" && !phone.sales.get(id).is_some_and(free) {
            open.insert(order, id);
        }
    }
}

/// What the acquirer was asked is what the merchant asked, by the card that was there, from the phone it was at.
fn as_asked(facts: &Facts, payment: &BookPayment, at_ms: i64, verdict: &mut Verdict) {
    let id = &payment.payment_id;
    let Some((phone, _, sale)) = facts.all_sales().find(|(_, known, _)| known == id) else {
        return verdict.in_book(P2, at_ms, format!("the acquirer has payment {id}, which nobody ever began"));
    };
    let Some(begun) = &sale.begun else {
        return verdict.in_book(P2, at_ms, format!("the acquirer has payment {id}, which nobody began or heard of"));
    };
    if facts.phone_of(&payment.terminal_id) != Some(phone) {
        verdict.in_book(P2, at_ms, format!("payment {id} of phone {phone} came from {}", payment.terminal_id));
    }
    if payment.amount_minor != begun.amount_minor {
        let (got, wanted) = (payment.amount_minor, begun.amount_minor);
        verdict.in_book(P2, at_ms, format!("payment {id} was asked over {got}, should be {wanted}"));
    }
    if payment.order_reference != begun.order {
        let (got, wanted) = (&payment.order_reference, &begun.order);
        verdict.in_book(P2, at_ms, format!("payment {id} was asked for order {got:?}, should be {wanted:?}"));
    }
    if payment.received_at_ms < begun.at_ms {
        verdict.in_book(P2, at_ms, format!("payment {id} reached the acquirer before it was begun"));
    }
    let taps = facts.taps_of(id);
    let is_of = |tap: &Tap| tap.pays && tap.last_four == payment.last_four && tap.entry_mode == payment.entry_mode;
    let fits = taps.iter().any(is_of);
    if !fits {
        let (four, mode) = (&payment.last_four, &payment.entry_mode);
        verdict.in_book(P2, at_ms, format!("payment {id} was asked for card {four} by {mode}; no such card was there"));
    }
    // While one boot lasts, its own clock counts on from what the acquirer said.
    let by_ms = taps.last().map_or(i64::MAX, |tap| tap.at_ms + MINUTE_MS);
    let set = facts.phones.get(phone).is_none_or(|phone| phone.clock_set_by(by_ms) && phone.booted_by(by_ms));
    let near = |tap: &Tap| (tap.at_ms - payment.captured_at_ms).abs() <= 5 * MINUTE_MS;
    if !set && !taps.iter().any(near) {
        let (said, held) = (payment.captured_at_ms, taps.last().map(|tap| tap.at_ms));
        verdict.in_book(P2, at_ms, format!("payment {id} is said to be of {said}, the card was there at {held:?}"));
    }
    let deferred = matches!(payment.kind.as_str(), "deferred_authorization" | "offline_advice");
    // A live request that was refused for now can arrive a second time on its own, later.
    let doubled = !deferred && live_before_saved(sale);
    if sale.saved_ms().is_some() != deferred && !doubled && (sale.saved_ms().is_some() || sale.approved().is_some()) {
        let told = sale.told.last().map(|(_, outcome)| outcome);
        verdict.in_book(P2, at_ms, format!("payment {id} was sent as {}, and told {told:?}", payment.kind));
    }
    if let Some(view) = sale.last_look() {
        let (seen, there) = ((&view.stan, &view.batch_number), (&payment.stan, &payment.batch_number));
        if seen != there {
            verdict.in_book(P2, at_ms, format!("payment {id}: STAN and batch {there:?}, the list says {seen:?}"));
        }
    }
}

/// The first send of a payment that was saved had been a live one.
fn live_before_saved(sale: &Sale) -> bool {
    let first = sale.first("send_started").zip(sale.first("accepted"));
    first.is_some_and(|(sent, accepted)| sent.seq < accepted.seq)
}

fn charged<'a>(book: &'a Book, id: &str) -> Option<&'a BookPayment> {
    book.payments.get(id).filter(|payment| payment.is_approved())
}

/// A card held to a reader for so many charges is charged so many times at most.
fn taps(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let mut held: BTreeMap<(usize, &str, i64), u32> = BTreeMap::new();
    for tap in facts.taps.values().filter_map(|taps| taps.iter().find(|tap| tap.pays)) {
        *held.entry((tap.phone, tap.last_four.as_str(), tap.amount_minor)).or_default() += 1;
    }
    let mut paid: BTreeMap<(usize, &str, i64), Vec<&str>> = BTreeMap::new();
    for record in &book.authorizations {
        let Some(payment) = charged(book, &record.payment_id) else { continue };
        let Some(phone) = facts.phone_of(&payment.terminal_id) else { continue };
        paid.entry((phone, record.last_four.as_str(), record.amount_minor)).or_default().push(&record.payment_id);
    }
    for (card, ids) in paid {
        let times = held.get(&card).copied().unwrap_or(0);
        if ids.len() > usize::try_from(times).unwrap_or(usize::MAX) {
            verdict.in_book(P2, at_ms, format!("card {card:?} was held up {times} times and is charged by {ids:?}"));
        }
    }
}

/// An order is paid once, unless the merchant insisted.
fn orders(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let mut paid: BTreeMap<(usize, &str), Vec<(&str, &Sale)>> = BTreeMap::new();
    for (phone, id, sale) in facts.all_sales() {
        let order = sale.begun.as_ref().and_then(|begun| begun.order.as_deref());
        if let (Some(order), Some(_)) = (order, charged(book, id)) {
            paid.entry((phone, order)).or_default().push((id, sale));
        }
    }
    for ((phone, order), sales) in paid {
        let insisted = sales.iter().filter(|(_, sale)| sale.has("duplicate_overridden")).count();
        let known = facts.phones.get(phone);
        let copied = |sale: &Sale| known.is_none_or(|known| known.forgot_of(sale));
        let forgotten = sales.iter().any(|(_, sale)| copied(sale) || facts.forgotten(sale));
        if sales.len() > 1 + insisted && !forgotten {
            let ids: Vec<&str> = sales.iter().map(|(id, _)| *id).collect();
            verdict.in_book(P2, at_ms, format!("order {order} of phone {phone} is charged by {ids:?}"));
        }
    }
}

/// Undone is only what was live, whole, and by the one id that belongs to it.
fn reversals(facts: &Facts, book: &Book, reversal: &Reversal, at_ms: i64, verdict: &mut Verdict) {
    let id = &reversal.payment_id;
    let mut broken = |what: String| verdict.in_book(P2, at_ms, format!("reversal of payment {id}: {what}"));
    if let Some(payment) = book.payments.get(id) {
        if payment.kind != "live" {
            broken(format!("the customer had gone with the goods ({})", payment.kind));
        }
        if reversal.amount_minor != payment.amount_minor {
            broken(format!("over {}, the payment is {}", reversal.amount_minor, payment.amount_minor));
        }
    }
    if derived(id).as_deref() != Some(reversal.reversal_id.as_str()) {
        broken(format!("its id {} is not the payment's", reversal.reversal_id));
    }
    let sale = facts.all_sales().find(|(_, known, _)| known == id);
    let Some((phone, _, sale)) = sale else { return broken("nobody ever began that payment".to_owned()) };
    if facts.phone_of(&reversal.terminal_id) != Some(phone) {
        broken(format!("by {}, another's terminal", reversal.terminal_id));
    }
    if sale.saved_ms().is_some() {
        broken("it was told saved: the customer had gone with the goods".to_owned());
    }
    let knew = |told_ms: i64| !facts.phones.get(phone).is_some_and(|phone| phone.forgot(told_ms));
    if let Some((told_ms, _)) = sale.approved().filter(|(told_ms, _)| !facts.forgotten(sale) && knew(*told_ms)) {
        broken(format!("it was told approved at {told_ms}"));
    }
}

/// UUID version 8 of SHA-256("reversal" ‖ payment id).
pub(super) fn derived(payment_id: &str) -> Option<String> {
    let digits: Vec<u8> = payment_id.bytes().filter(|byte| *byte != b'-').collect();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let id: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
    let digest = Sha256::new().chain_update(b"reversal").chain_update(&id).finalize();
    let mut bytes: [u8; 16] = digest.get(..16)?.try_into().ok()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// Every list: trace numbers, batch and day name one payment of this terminal.
pub(super) fn list(phone: &Phone, at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    guard(phone, at, list, verdict);
    let mut keys = BTreeMap::new();
    for PaymentDetail { payment, .. } in list {
        let key = (payment.batch_number.as_str(), payment.stan.as_str(), payment.captured_on);
        if let Some(other) = keys.insert(key, payment.payment_id.as_str()) {
            let id = &payment.payment_id;
            verdict.broken(P2, at, format!("payments {other} and {id} have one STAN {}", payment.stan));
        }
    }
}
