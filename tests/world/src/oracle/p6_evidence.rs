//! P6 evidence: *arrived* names whose word it is, that word was given, and a return is heard.

use takings_till::views::{PaymentDetail, PayoutDetail};

use super::book::{Book, Payout};
use super::facts::{Facts, Phone};
use super::verdict::{At, Verdict};

const P6: &str = "P6";

/// Every list of payments.
pub(super) fn list(at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    for PaymentDetail { payment, .. } in list {
        let arrived = payment.stage == "arrived";
        verdict.check(!arrived || payment.evidence != "none", P6, at, || {
            format!("payment {} arrived, on nobody's word", payment.payment_id)
        });
        let known = matches!(payment.arrival.as_deref(), Some("arrived"));
        verdict.check(!arrived || known, P6, at, || {
            format!("payment {} stands as arrived, its money as {:?}", payment.payment_id, payment.arrival)
        });
    }
}

/// Every list of payouts, with the payments that were listed beside it.
pub(super) fn payouts(at: At, list: &[PayoutDetail], verdict: &mut Verdict) {
    for PayoutDetail { payout, .. } in list {
        let arrived = payout.status == "arrived";
        verdict.check(!arrived || payout.evidence != "none", P6, at, || {
            format!("payout {} arrived, on nobody's word", payout.payout_id)
        });
        verdict.check(!arrived || payout.arrived_at_ms.is_some(), P6, at, || {
            format!("payout {} arrived, nobody knows when", payout.payout_id)
        });
    }
}

/// Everything that was said to have arrived, against the bank's book.
pub(super) fn book(facts: &Facts, book: &Book, verdict: &mut Verdict) {
    for (number, phone) in facts.phones.iter().enumerate() {
        said_of_payments(facts, phone, number, book, verdict);
        for (id, looks) in &phone.payout_looks {
            let Some(there) = book.payouts.get(id) else { continue };
            for (when, look) in looks.iter().filter(|(_, look)| look.payout.status == "arrived") {
                let at = At { ms: *when, phone: number };
                said(book, there, at, &format!("payout {id}"), &look.payout.evidence, verdict);
            }
        }
    }
}

fn said_of_payments(facts: &Facts, phone: &Phone, number: usize, book: &Book, verdict: &mut Verdict) {
    for (id, sale) in phone.sales.iter().filter(|(_, sale)| !facts.forgotten(sale)) {
        for (when, view) in sale.shown.iter().filter(|(_, view)| view.stage == "arrived") {
            let at = At { ms: *when, phone: number };
            let payout = view.payout_id.as_ref().and_then(|payout| book.payouts.get(payout));
            match payout {
                Some(payout) => {
                    let inside = payout.entries.iter().any(|entry| entry.payment_id.as_ref() == Some(id));
                    verdict.check(inside, P6, at, || {
                        format!("payment {id} arrived with payout {}, which has no line for it", payout.payout_id)
                    });
                    said(book, payout, at, &format!("payment {id}"), &view.evidence, verdict);
                }
                None => verdict.broken(
                    P6,
                    at,
                    format!("payment {id} arrived with payout {:?}, which is in no book", view.payout_id),
                ),
            }
        }
    }
}

/// The bank credited it before anybody said so, and the evidence is that of the credit.
fn said(book: &Book, payout: &Payout, at: At, what: &str, evidence: &str, verdict: &mut Verdict) {
    let credited = book.bank.iter().any(|line| {
        line.payout_id == payout.payout_id
            && line.direction == "credit"
            && line.at_ms <= at.ms
            && line.amount_minor == payout.net_minor
            && line.merchant_id == payout.merchant_id
    });
    verdict.check(credited, P6, at, || format!("{what} was said to have arrived; the bank had credited nothing"));
    let wanted = payout.evidence_of_arrival();
    verdict.check(evidence == wanted, P6, at, || format!("{what} arrived by {evidence:?}, the evidence is {wanted:?}"));
    // Once the till has heard of the return it may not stand as arrived; the end is judged with the book's own state.
}

/// At the end: what the bank took back has not arrived, what it credited has.
pub(super) fn ends(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let Some(healed_ms) = facts.healed_ms else { return };
    for (number, phone) in facts.phones.iter().enumerate() {
        let Some(list) = phone.payments.as_ref().filter(|list| list.at_ms >= healed_ms) else { continue };
        for PaymentDetail { payment, .. } in &list.seen {
            let Some(payout) = payment.payout_id.as_ref().and_then(|id| book.payouts.get(id)) else { continue };
            let newest = book.newest_of(payout);
            let balance: i64 = book
                .bank
                .iter()
                .filter(|line| line.payout_id == newest.payout_id)
                .map(|line| if line.direction == "credit" { line.amount_minor } else { -line.amount_minor })
                .sum();
            let sale = phone.sales.get(&payment.payment_id);
            if sale.is_none_or(|sale| facts.forgotten(sale) || phone.forgot_of(sale)) {
                continue;
            }
            let at = At { ms: at_ms, phone: number };
            verdict.check(payment.stage != "arrived" || balance == newest.net_minor, P6, at, || {
                format!("payment {} ends as arrived; the bank keeps {balance} of it", payment.payment_id)
            });
            verdict.same(
                P6,
                at,
                &format!("evidence of payment {} at the end", payment.payment_id),
                &payment.evidence,
                &newest.evidence,
            );
        }
    }
}
