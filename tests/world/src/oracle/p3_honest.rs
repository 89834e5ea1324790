//! P3 honest: an unknown outcome is shown as unknown; what is said stays said; nothing is approved, or not charged,
//! before the bank made it so.

use takings_till::ChargeOutcome;
use takings_till::views::{PaymentDetail, PaymentView};

use super::book::{Book, BookPayment};
use super::facts::{Facts, Phone, Sale};
use super::time::local_day;
use super::verdict::{At, Verdict};

const P3: &str = "P3";

/// Codes that some table explains; any other is neither approval nor decline.
const LISTED: [&str; 12] = ["00", "01", "05", "10", "12", "22", "25", "51", "54", "61", "68", "77"];

/// The next word of the screen about a charge.
pub(super) fn outcome(sale: &Sale, at: At, id: &str, next: &ChargeOutcome, verdict: &mut Verdict) {
    let Some(begun) = &sale.begun else {
        return verdict.broken(P3, at, format!("the screen says {next:?} of payment {id}, which was never begun"));
    };
    if let ChargeOutcome::Approved { approved_minor } = next {
        let fits = (1..=begun.amount_minor).contains(approved_minor);
        verdict.check(fits, P3, at, || format!("payment {id}: approved over {approved_minor}, {}", begun.amount_minor));
    }
    if let ChargeOutcome::NotCharged { cause, detail: Some(code) } = next {
        // A response code of two characters that no table lists says nothing.
        let declined_by = cause == "declined" && code.len() == 2 && !LISTED.contains(&code.as_str());
        verdict
            .check(!declined_by, P3, at, || format!("payment {id}: code {code} is on no list, and told not charged"));
    }
    let Some((_, before)) = sale.told.last() else { return };
    let stays = match (before, next) {
        (ChargeOutcome::NotConfirmed, _) => true,
        (ChargeOutcome::NotCharged { .. }, ChargeOutcome::NotCharged { .. }) => true,
        (before, next) => before == next,
    };
    verdict.check(stays, P3, at, || format!("payment {id}: the screen said {before:?}, and now says {next:?}"));
}

/// Every list of payments, for itself and against what was said before.
pub(super) fn list(facts: &Facts, at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    let Some(phone) = facts.phones.get(at.phone) else { return };
    for detail in list {
        let view = &detail.payment;
        in_itself(at, detail, verdict);
        if let Some(sale) = phone.sales.get(&view.payment_id) {
            against_before(facts, phone, sale, at, view, verdict);
        }
    }
}

pub(super) fn says_charged(view: &PaymentView) -> bool {
    matches!(view.stage.as_str(), "approved" | "on_its_way" | "arrived")
}

fn says_approved(view: &PaymentView) -> bool {
    matches!(view.authorization.as_deref(), Some("approved" | "partially_approved"))
}

fn in_itself(at: At, detail: &PaymentDetail, verdict: &mut Verdict) {
    let view = &detail.payment;
    let (id, stage, authorization) = (&view.payment_id, view.stage.as_str(), view.authorization.as_deref());
    if says_charged(view) {
        verdict.check(says_approved(view), P3, at, || {
            format!("payment {id} stands as {stage}, and its authorization is {authorization:?}")
        });
    }
    let undone = detail.timeline.iter().any(|entry| entry.kind == "reversal_reported");
    if stage == "not_charged" {
        let unknown = matches!(authorization, Some("approved" | "partially_approved" | "processing"));
        verdict.check(!unknown || undone, P3, at, || {
            format!("payment {id} stands as not charged, and its authorization is {authorization:?}")
        });
    }
    let unlisted = view.response_code.as_deref().filter(|code| !LISTED.contains(code));
    if let Some(code) = unlisted {
        let decided = matches!(authorization, Some("approved" | "partially_approved" | "declined" | "referred"));
        verdict.check(!decided, P3, at, || {
            format!("payment {id}: code {code} is on no list, and stands as {authorization:?}")
        });
        verdict.check(stage != "not_charged" || undone || authorization == Some("reversed"), P3, at, || {
            format!("payment {id}: code {code} is on no list, and stands as not charged")
        });
    }
    if view.next_step.as_deref() == Some("charge_again") {
        verdict
            .check(stage == "not_charged", P3, at, || format!("payment {id}: charge again, and it stands as {stage}"));
    }
    let partly = view.approved_minor.is_some_and(|approved| approved < view.amount_minor);
    verdict.same(P3, at, &format!("partly approved of {id}"), &view.partly_approved, &partly);
    if authorization == Some("partially_approved") {
        verdict.check(partly, P3, at, || format!("payment {id} is partly approved over {:?}", view.approved_minor));
    }
    verdict.check(view.approved_minor.is_none() || says_approved(view), P3, at, || {
        format!("payment {id} shows approved {:?}, and its authorization is {authorization:?}", view.approved_minor)
    });
}

fn against_before(facts: &Facts, phone: &Phone, sale: &Sale, at: At, view: &PaymentView, verdict: &mut Verdict) {
    let (id, stage) = (&view.payment_id, view.stage.as_str());
    let alive = says_charged(view) || matches!(stage, "being_confirmed" | "saved_on_phone");
    let kept = |when: i64| !phone.forgot(when) && !facts.forgotten(sale);
    // A disk that refuses keeps a charge without a card from being closed: it stands open until it can be written.
    let unwritten = stage == "being_confirmed" && view.delivery.is_none() && phone.disk_was_bad(at.ms);
    if sale.not_charged_ms().is_some_and(kept) {
        verdict
            .check(!alive || unwritten, P3, at, || format!("payment {id} was told not charged, and stands as {stage}"));
    }
    if sale.saved_ms().is_some_and(kept) {
        let cancelled = view.cause.as_deref() == Some("cancelled_unsent") && sale.cancel_asked;
        verdict.check(stage != "not_charged" || cancelled, P3, at, || {
            format!("payment {id} was told saved, and stands as not charged ({:?})", view.cause)
        });
    }
    if sale.approved().is_some_and(|(when, _)| kept(when)) {
        let lost = matches!(stage, "not_charged" | "being_confirmed" | "saved_on_phone");
        verdict.check(!lost, P3, at, || format!("payment {id} was told approved, and stands as {stage}"));
    }
    let freed = sale.shown.iter().find(|(when, before)| before.stage == "not_charged" && kept(*when));
    if let Some((when, _)) = freed {
        verdict.check(!alive, P3, at, || format!("payment {id} stood as not charged at {when}, and stands as {stage}"));
    }
}

/// Everything that was said, against the acquirer's book at the end.
pub(super) fn book(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    for (phone, id, sale) in facts.all_sales() {
        if facts.forgotten(sale) {
            continue;
        }
        let there = book.payments.get(id);
        let known = facts.phones.get(phone);
        // A copy from before does not know what was told, or that it was cancelled, and sends it.
        let copied = |when: i64| known.is_some_and(|known| known.forgot(when));
        for (when, outcome) in &sale.told {
            told(book, id, At { ms: *when, phone }, outcome, copied(*when), verdict);
        }
        if let Some(when) = sale.cancelled_ms.filter(|when| !copied(*when)) {
            verdict.check(there.is_none(), P3, At { ms: when, phone }, || {
                format!("payment {id} was cancelled, and the acquirer has it")
            });
        }
        for (when, view) in &sale.shown {
            // A copy from before the answer does not know it, until the feed tells.
            let cancelled = view.cause.as_deref() == Some("cancelled_unsent");
            if known.is_some_and(|known| known.was_copied_between(sale.since_ms(), *when)) || cancelled && copied(*when)
            {
                continue;
            }
            shown(book, there, At { ms: *when, phone }, view, verdict);
        }
    }
    ends(facts, book, at_ms, verdict);
}

/// What was told. A copy that does not know it any more may undo what was approved.
fn told(book: &Book, id: &str, at: At, outcome: &ChargeOutcome, copied: bool, verdict: &mut Verdict) {
    match outcome {
        ChargeOutcome::Approved { approved_minor } => {
            let there = book.payments.get(id);
            let accepted_ms = book.approved_ms(id);
            verdict.check(accepted_ms.is_some_and(|accepted_ms| accepted_ms <= at.ms), P3, at, || {
                format!("payment {id} was told approved; the bank had approved nothing (accepted at {accepted_ms:?})")
            });
            let amount = there.and_then(|payment| payment.approved_minor);
            verdict.check(accepted_ms.is_none() || amount.is_none() || amount == Some(*approved_minor), P3, at, || {
                format!("payment {id} was told approved over {approved_minor}, the book says {amount:?}")
            });
            let undone = !copied && there.is_some_and(|payment| payment.authorization == "reversed");
            verdict.check(!undone, P3, at, || format!("payment {id} was told approved, and is reversed in the book"));
        }
        ChargeOutcome::NotCharged { cause, .. } => verdict.check(is_free(book, id, at.ms), P3, at, || {
            let there = book.payments.get(id).map(|payment| payment.authorization.as_str());
            format!("payment {id} was told not charged ({cause}), and in the book it is {there:?}")
        }),
        ChargeOutcome::Saved | ChargeOutcome::NotConfirmed => {}
    }
}

/// At that moment the bank had not charged it, and it never did later.
fn is_free(book: &Book, id: &str, when: i64) -> bool {
    let Some(payment) = book.payments.get(id) else { return true };
    match payment.authorization.as_str() {
        "declined" | "referred" => book.decided_ms(id).is_some_and(|decided_ms| decided_ms <= when),
        "reversed" => book.reversed_ms(id).is_some_and(|reversed_ms| reversed_ms <= when),
        _ => false,
    }
}

fn shown(book: &Book, there: Option<&BookPayment>, at: At, view: &PaymentView, verdict: &mut Verdict) {
    let (id, stage) = (&view.payment_id, view.stage.as_str());
    let authorization = view.authorization.as_deref();
    if says_charged(view) || says_approved(view) {
        let accepted_ms = book.approved_ms(id);
        verdict.check(accepted_ms.is_some_and(|accepted_ms| accepted_ms <= at.ms), P3, at, || {
            format!("payment {id} stood as {stage}, {authorization:?}; the bank approved it at {accepted_ms:?}")
        });
        let amount = there.and_then(|payment| payment.approved_minor);
        verdict.check(accepted_ms.is_none() || amount.is_none() || view.approved_minor == amount, P3, at, || {
            format!("payment {id} showed approved {:?}, the book says {amount:?}", view.approved_minor)
        });
    }
    if stage == "not_charged" {
        verdict.check(is_free(book, id, at.ms), P3, at, || {
            let word = there.map(|payment| payment.authorization.as_str());
            format!("payment {id} stood as not charged ({:?}), and in the book it is {word:?}", view.cause)
        });
    }
    if matches!(authorization, Some("declined" | "referred" | "reversed")) {
        let decided_ms = book.reversed_ms(id).or(book.decided_ms(id));
        verdict.check(decided_ms.is_some_and(|decided_ms| decided_ms <= at.ms), P3, at, || {
            format!("payment {id} showed {authorization:?}; the book decided at {decided_ms:?}")
        });
    }
    if authorization.is_some() {
        let received_ms = there.map(|payment| payment.received_at_ms);
        verdict.check(received_ms.is_some_and(|received_ms| received_ms <= at.ms), P3, at, || {
            format!("payment {id} showed {authorization:?}; the acquirer received it at {received_ms:?}")
        });
    }
}

/// At the end each payment stands as the book has it.
fn ends(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    for (phone, known) in facts.phones.iter().enumerate() {
        let Some(list) = known.payments.as_ref().filter(|list| facts.healed_ms <= Some(list.at_ms)) else { continue };
        if facts.healed_ms.is_none() {
            continue;
        }
        for detail in &list.seen {
            let view = &detail.payment;
            let Some(sale) = known.sales.get(&view.payment_id) else { continue };
            if facts.forgotten(sale) || known.forgot_of(sale) {
                continue;
            }
            let there = book.payments.get(&view.payment_id);
            let cause = there.and_then(|there| cause_of(there, &view.stage));
            // What was undone too late is the merchant's to give back, wherever the money is.
            let cause = cause.filter(|_| !book.undone_too_late(&view.payment_id) || view.stage != "needs_you");
            verdict.check(cause.is_none() || view.cause.as_deref() == cause, P3, At { ms: at_ms, phone }, || {
                format!("payment {} ends as {} for {:?}, should be {cause:?}", view.payment_id, view.stage, view.cause)
            });
            let stages = stages(book.payments.get(&view.payment_id), view, sale, at_ms);
            let give_back = view.stage == "needs_you" && book.undone_too_late(&view.payment_id);
            verdict.check(give_back || stages.contains(&view.stage.as_str()), P3, At { ms: at_ms, phone }, || {
                let there = book.payments.get(&view.payment_id);
                let word = there.map(|payment| (payment.authorization.as_str(), payment.arrival.as_str()));
                format!(
                    "payment {} ends as {}, should be one of {stages:?}: book {word:?}",
                    view.payment_id, view.stage
                )
            });
        }
    }
}

/// Why it stands so, where the book leaves no doubt.
fn cause_of(there: &BookPayment, stage: &str) -> Option<&'static str> {
    Some(match (stage, there.authorization.as_str(), there.arrival.as_str()) {
        ("needs_you", "declined" | "referred", _) => "declined_after_deferral",
        ("not_charged", "reversed", _) => "reversed",
        ("needs_you", _, "held") => "risk_hold",
        ("needs_you", _, "returned") => "returned_by_bank",
        ("needs_you", _, "failed") => "account_invalid",
        _ => return None,
    })
}

/// The stages that a payment of the book may have.
pub(super) fn stages(
    there: Option<&BookPayment>,
    view: &PaymentView,
    sale: &Sale,
    at_ms: i64,
) -> &'static [&'static str] {
    let Some(payment) = there else { return &["not_charged", "needs_you"] };
    let overdue = payment.expected_date.as_deref().and_then(super::time::day_number);
    let may_be_late =
        overdue.is_some_and(|day| day < local_day(at_ms)) || view.cause.as_deref() == Some("already_cleared");
    let taken = sale.saved_ms().is_some() || sale.approved().is_some() || sale.has("accepted");
    match (payment.authorization.as_str(), payment.arrival.as_str()) {
        ("reversed", _) if !taken => &["not_charged"],
        ("reversed", _) => &[],
        ("declined" | "referred", _) if taken => &["needs_you"],
        ("declined" | "referred", _) => &["not_charged"],
        ("processing", _) => &["needs_you", "being_confirmed"],
        (_, "arrived") => &["arrived"],
        (_, "in_payout" | "sent") if may_be_late => &["on_its_way", "needs_you"],
        (_, "in_payout" | "sent") => &["on_its_way"],
        (_, "held" | "returned" | "failed") => &["needs_you"],
        _ if may_be_late => &["approved", "needs_you"],
        _ => &["approved"],
    }
}
