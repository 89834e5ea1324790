//! P7 told once: what the acquirer knew before a contact that ended well stands in the next list, also where the hint
//! that names it was lost, doubled or overtaken.

use super::book::{Book, BookPayment};
use super::facts::{Facts, Phone, Sale};
use super::p3_honest::stages;
use super::time::{DAY_MS, HOUR_MS};
use super::verdict::{At, Verdict};

const P7: &str = "P7";

/// After an acquirer was restored its feed gives numbers a second time: what a till passes over so, it hears from the list
/// of everything that changed, once a day.
const LISTED_WITHIN_MS: i64 = DAY_MS + HOUR_MS;

/// The ends of contacts with, for each, the end of the one before: whatever was in the book by then, it could read.
fn contacts(phone: &Phone) -> impl Iterator<Item = (i64, i64)> {
    let pairs = phone.synced.windows(2).filter(|pair| pair[1].1 == "done");
    pairs.map(|pair| (pair[0].0, pair[1].0)).filter(|(before_ms, ended_ms)| before_ms < ended_ms)
}

/// Each list after a contact against the book, for the payments that did not change since.
pub(super) fn book(facts: &Facts, book: &Book, verdict: &mut Verdict) {
    for (number, phone) in facts.phones.iter().enumerate() {
        for (known_ms, ended_ms) in contacts(phone) {
            let Some(listed_ms) = phone.lists.iter().copied().find(|listed_ms| *listed_ms >= ended_ms) else { break };
            let restored = facts.rollbacks.iter().any(|(_, at_ms)| *at_ms <= listed_ms);
            let known_ms = if restored { known_ms - LISTED_WITHIN_MS } else { known_ms };
            for (id, sale) in phone.sales.iter().filter(|(_, sale)| !facts.forgotten(sale)) {
                let at = At { ms: listed_ms, phone: number };
                // A copy that was put back may be from before the contact.
                if phone.forgot_of(sale) || phone.was_copied_between(known_ms, listed_ms) {
                    continue;
                }
                let Some(payment) = book.payments.get(id).filter(|payment| !payment.is_open()) else { continue };
                if payment.updated_at_ms <= known_ms {
                    stands(sale, payment, book, at, verdict);
                } else if payment.is_approved() && book.approved_ms(id).is_some_and(|when| when <= known_ms) {
                    is_answered(sale, id, at, verdict);
                }
            }
        }
    }
}

fn stands(sale: &Sale, payment: &BookPayment, book: &Book, at: At, verdict: &mut Verdict) {
    let id = &payment.payment_id;
    let Some((_, view)) = sale.shown.iter().rev().find(|(when, _)| *when <= at.ms) else { return };
    let give_back = view.stage == "needs_you" && book.undone_too_late(id);
    let stages = stages(Some(payment), view, sale, at.ms);
    verdict.check(give_back || stages.contains(&view.stage.as_str()), P7, at, || {
        let word = (payment.authorization.as_str(), payment.arrival.as_str(), payment.updated_at_ms);
        format!("payment {id} stands as {} after a contact, should be one of {stages:?}: book {word:?}", view.stage)
    });
}

/// Approved, and never anything else: the list says so, whatever clearing and payouts added since.
fn is_answered(sale: &Sale, id: &str, at: At, verdict: &mut Verdict) {
    let Some((_, view)) = sale.shown.iter().rev().find(|(when, _)| *when <= at.ms) else { return };
    let says = matches!(view.authorization.as_deref(), Some("approved" | "partially_approved"));
    verdict.check(says, P7, at, || {
        let (stage, authorization) = (&view.stage, &view.authorization);
        format!("payment {id} is approved, and stands as {stage} ({authorization:?}) after a contact")
    });
}
