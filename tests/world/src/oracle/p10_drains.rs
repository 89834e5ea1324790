//! P10 drains: with a line for long enough everything is answered, or stands with a reason, who acts and what to do.

use serde_json::Value;
use takings_till::views::PaymentDetail;

use super::book::Book;
use super::facts::Facts;
use super::time::DAY_MS;
use super::verdict::{At, Verdict};

const P10: &str = "P10";

/// HTTP statuses of requests that no acquirer could take.
const MALFORMED: [&str; 6] = ["400", "405", "411", "413", "415", "422"];

/// What the acquirer refuses as malformed is never heard, however often it is sent. A payment refused with 422 may be
/// against its policy or too old.
pub(super) fn well_formed(book: &Book, at_ms: i64, verdict: &mut Verdict) {
    for (operation, counts) in &book.requests {
        let may_be_refused = operation == "createPayment";
        let malformed = counts.iter().filter(|(status, _)| MALFORMED.contains(&status.as_str()));
        for (status, count) in malformed.filter(|(status, _)| !(may_be_refused && *status == "422")) {
            verdict.in_book(P10, at_ms, format!("{count} requests {operation} were refused as malformed ({status})"));
        }
    }
}

/// A payment stops waiting at its deadline, whatever a wall clock says in between. Times of the world are judged: a clock
/// that was wrong when the card was taken made the deadline wrong.
pub(super) fn not_early(facts: &Facts, verdict: &mut Verdict) {
    let days = |members: &Value| members.get("upload_deadline_days").and_then(Value::as_i64);
    let Some(days) = facts.policies.iter().filter_map(|(_, members)| days(members)).min() else { return };
    for (number, phone) in facts.phones.iter().enumerate() {
        for (id, sale) in &phone.sales {
            let Some(begun_ms) = sale.begun.as_ref().map(|begun| begun.at_ms) else { continue };
            let expired = |cause: &Option<String>| matches!(cause.as_deref(), Some("expired" | "expired_in_doubt"));
            let seen = sale.shown.iter().find(|(_, view)| expired(&view.cause)).map(|(when, _)| *when);
            let Some(seen_ms) = seen.filter(|_| phone.clock_offset_ms(begun_ms) == 0) else { continue };
            verdict.check(seen_ms - begun_ms >= days * DAY_MS, P10, At { ms: seen_ms, phone: number }, || {
                format!("payment {id} stopped waiting before any deadline of {days} days")
            });
        }
    }
}

/// The last lists, a day and more after anything was done to anybody.
pub(super) fn ends(facts: &Facts, at_ms: i64, verdict: &mut Verdict) {
    let Some(healed_ms) = facts.healed_ms.filter(|healed_ms| healed_ms.saturating_add(DAY_MS) <= at_ms) else { return };
    for (number, phone) in facts.phones.iter().enumerate() {
        let at = At { ms: at_ms, phone: number };
        let begun = phone.sales.values().any(|sale| sale.begun.is_some());
        let Some(list) = phone.payments.as_ref().filter(|list| list.at_ms >= healed_ms.saturating_add(DAY_MS)) else {
            verdict.check(!begun, P10, at, || "the phone shows no list a day after everything was healed".to_owned());
            continue;
        };
        let mut since = phone.synced.iter().filter(|(when, _)| *when >= healed_ms.saturating_add(DAY_MS)).peekable();
        let asked = since.peek().is_some();
        verdict.check(!asked || since.any(|(_, ended)| ended == "done"), P10, at, || {
            "a day after healing no contact with the acquirer comes to its end".to_owned()
        });
        for PaymentDetail { payment, .. } in &list.seen {
            let (id, delivery) = (&payment.payment_id, payment.delivery.as_deref());
            // An answered reversal ends a doubt; one that an acquirer leaves by contradicting itself is the merchant's to end.
            let words = [&payment.cause, &payment.acts, &payment.next_step];
            let ended = payment.stage == "not_charged"
                || (payment.stage == "needs_you" && words.iter().all(|word| word.is_some()));
            let moving = matches!(delivery, Some("queued" | "sending")) || (delivery == Some("in_doubt") && !ended);
            verdict.check(!moving, P10, at, || format!("payment {id} is still {delivery:?}, a day after healing"));
            let open = matches!(payment.stage.as_str(), "saved_on_phone" | "being_confirmed");
            verdict.check(!open, P10, at, || {
                format!("payment {id} still stands as {}, a day after healing", payment.stage)
            });
            let why = [&payment.cause, &payment.source, &payment.acts, &payment.next_step];
            let told = why.iter().all(|word| word.is_some());
            verdict.check(delivery != Some("parked") || told, P10, at, || {
                format!("payment {id} is parked, and nobody is told what to do: {why:?}")
            });
        }
        let parked = |detail: &&PaymentDetail| detail.payment.delivery.as_deref() == Some("parked");
        let parked = u64::try_from(list.seen.iter().filter(parked).count()).unwrap_or(u64::MAX);
        if let Some(status) = phone.status.as_ref().filter(|status| status.at_ms >= list.at_ms) {
            let unsent = status.seen.unsent_count;
            verdict
                .check(unsent <= parked, P10, at, || format!("{unsent} payments are unsent, {parked} of them parked"));
        }
    }
}
