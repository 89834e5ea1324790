//! P11 adds up: each payout is the sum of its lines, and is what the acquirer's book says.

use takings_till::views::PayoutDetail;

use super::book::{Book, Entry, Payout};
use super::facts::{Facts, Phone};
use super::verdict::{At, Verdict};

const P11: &str = "P11";

/// Every list of payouts, in itself and against the one before.
pub(super) fn list(phone: &Phone, at: At, list: &[PayoutDetail], verdict: &mut Verdict) {
    for detail in list {
        let (payout, id) = (&detail.payout, &detail.payout.payout_id);
        let twice = list.iter().filter(|other| other.payout.payout_id == *id).count() > 1;
        verdict.check(!twice, P11, at, || format!("payout {id} is listed twice"));
        let heard = u32::try_from(detail.entries.len()).unwrap_or(u32::MAX);
        verdict.same(P11, at, &format!("lines heard of payout {id}"), &payout.entries_heard, &heard);
        verdict.check(payout.entries_heard <= payout.entry_count, P11, at, || {
            format!("payout {id} has {} lines, {} were announced", payout.entries_heard, payout.entry_count)
        });
        let sum: i64 = detail.entries.iter().map(|entry| entry.net_minor).sum();
        if payout.entries_heard == payout.entry_count
            && let Some(difference) = payout.difference_minor
        {
            verdict.same(P11, at, &format!("difference of payout {id}"), &difference, &(payout.net_minor - sum));
        }
        for entry in &detail.entries {
            let fits = entry.net_minor == entry.gross_minor - entry.fee_minor;
            verdict.check(fits, P11, at, || format!("line {} of payout {id} does not add up", entry.entry_id));
        }
    }
    for (id, looks) in &phone.payout_looks {
        let gone = list.iter().all(|detail| detail.payout.payout_id != *id);
        let before = looks.first().map_or(i64::MIN, |(when, _)| *when);
        verdict.check(!gone || phone.forgot(before), P11, at, || format!("payout {id} is gone from the list"));
    }
}

/// The payouts of the last list are those of the book.
pub(super) fn book(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    for payout in book.payouts.values() {
        let sum: i64 = payout.entries.iter().map(|entry| entry.net_minor).sum();
        if sum != payout.net_minor {
            let (id, net) = (&payout.payout_id, payout.net_minor);
            verdict.in_book(P11, at_ms, format!("the book's payout {id} is {net}, its lines are {sum}"));
        }
    }
    let Some(healed_ms) = facts.healed_ms else { return };
    let restored_ms = facts.restored_ms();
    for (number, phone) in facts.phones.iter().enumerate() {
        let Some(list) = phone.payouts.as_ref().filter(|list| list.at_ms >= healed_ms) else { continue };
        let Some(merchant) = phone.terminal().and_then(|terminal| book.merchant(terminal)) else { continue };
        let at = At { ms: at_ms, phone: number };
        let index = facts.merchant_of.get(number);
        let together = facts.merchant_of.iter().zip(&facts.phones).filter(|(of, _)| Some(*of) == index);
        for (_, other) in together {
            let theirs = other.terminal().and_then(|terminal| book.merchant(terminal));
            verdict.check(theirs.is_none_or(|theirs| theirs == merchant), P11, at, || {
                format!("phones of one merchant are {merchant}'s and {theirs:?}'s")
            });
        }
        for detail in &list.seen {
            let id = &detail.payout.payout_id;
            // What the acquirer forgot of a payout, the phone may know for ever.
            let looks = phone.payout_looks.get(id).into_iter().flatten();
            if facts.may_have_forgotten(looks.map(|(when, _)| *when)) {
                continue;
            }
            match book.payouts.get(id).filter(|there| there.merchant_id == merchant) {
                Some(there) => figures(at, detail, there, verdict),
                None => verdict.broken(P11, at, format!("payout {id} is listed, and is not the merchant's")),
            }
        }
        let ours = |there: &&Payout| there.merchant_id == merchant && there.created_at_ms > restored_ms;
        for there in book.payouts.values().filter(ours) {
            let listed = list.seen.iter().any(|detail| detail.payout.payout_id == there.payout_id);
            verdict
                .check(listed, P11, at, || format!("payout {} is in the book, and not in the list", there.payout_id));
        }
    }
}

fn figures(at: At, detail: &PayoutDetail, there: &Payout, verdict: &mut Verdict) {
    let (seen, id) = (&detail.payout, &there.payout_id);
    let mut words = |name: &str, seen: Option<&str>, wanted: Option<&str>| {
        verdict.same(P11, at, &format!("{name} of payout {id}"), &seen, &wanted);
    };
    words("status", Some(&seen.status), Some(&there.status));
    words("direction", Some(&seen.direction), Some("credit"));
    words("business day", Some(&seen.business_date.to_string()), Some(&there.business_date));
    words("expected day", seen.expected_date.map(|day| day.to_string()).as_deref(), Some(&there.payout_date));
    words("evidence", Some(&seen.evidence), Some(&there.evidence));
    words("reference", seen.end_to_end_id.as_deref(), Some(&there.end_to_end_id));
    words("reissue of", seen.reissue_of.as_deref(), there.reissue_of.as_deref());
    words("reissued by", seen.reissued_by.as_deref(), there.reissued_by.as_deref());
    words("failure", seen.failure_code.as_deref(), there.failure.as_ref().map(|(code, _)| code.as_str()));
    let mut figures = |name: &str, seen: Option<i64>, wanted: Option<i64>| {
        verdict.same(P11, at, &format!("{name} of payout {id}"), &seen, &wanted);
    };
    figures("gross", Some(seen.gross_minor), Some(there.gross_minor));
    figures("fee", Some(seen.fee_minor), Some(-there.fee_minor));
    figures("net", Some(seen.net_minor), Some(there.net_minor));
    figures("arrival", seen.arrived_at_ms, there.arrived_at_ms);
    figures("difference", seen.difference_minor, Some(0));
    let mut wanted = there.entries.clone();
    wanted.sort_by(|one, other| one.entry_id.cmp(&other.entry_id));
    let entries: Vec<Entry> = detail
        .entries
        .iter()
        .map(|entry| Entry {
            entry_id: entry.entry_id.clone(),
            kind: entry.entry_type.clone(),
            payment_id: entry.payment_id.clone(),
            gross_minor: entry.gross_minor,
            fee_minor: -entry.fee_minor,
            net_minor: entry.net_minor,
        })
        .collect();
    verdict.same(P11, at, &format!("lines of payout {id}"), &entries, &wanted);
}
