//! P4 balanced: lists, sums and states are one; at the end they are the acquirer's.

use std::collections::BTreeMap;

use takings_till::views::{PaymentDetail, PaymentView, StatusView, TakingsLine, VerifyReport};

use super::book::{Book, BookPayment};
use super::facts::{Facts, Look, Phone};
use super::verdict::{At, Verdict};

const P4: &str = "P4";

/// Every list of payments, in itself.
pub(super) fn list(at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    let mut before = u64::MAX;
    for detail in list {
        let (view, id) = (&detail.payment, &detail.payment.payment_id);
        let first = detail.timeline.first().map_or(0, |entry| entry.seq);
        verdict.check(first > 0, P4, at, || format!("payment {id} has no history"));
        verdict.check(first < before, P4, at, || format!("payment {id}: twice in the list, or out of order"));
        before = first;
        numbers(at, view, verdict);
        history(at, detail, verdict);
    }
}

fn numbers(at: At, view: &PaymentView, verdict: &mut Verdict) {
    let id = &view.payment_id;
    let shares = (view.gross_minor, view.fee_minor, view.net_minor);
    let whole = match shares {
        (None, None, None) => true,
        (Some(gross), Some(fee), Some(net)) => net == gross - fee,
        _ => false,
    };
    verdict.check(whole, P4, at, || format!("payment {id}: gross, fee and net are {shares:?}"));
    verdict.check(view.amount_minor > 0, P4, at, || format!("payment {id} is over {}", view.amount_minor));
    let needs = (&view.cause, &view.source, &view.acts, &view.next_step);
    let told = needs.0.is_some() && needs.1.is_some() && needs.2.is_some() && needs.3.is_some();
    let wanted = matches!(view.stage.as_str(), "needs_you" | "not_charged");
    verdict.check(!wanted || told, P4, at, || format!("payment {id} stands as {}, why: {needs:?}", view.stage));
    let reported = [view.authorization.is_some(), view.clearing.is_some(), view.arrival.is_some()];
    verdict
        .check(reported == [reported[0]; 3], P4, at, || format!("payment {id}: axes reported in part: {reported:?}"));
}

/// The newest report in the history is what the line says, and versions only rise.
fn history(at: At, detail: &PaymentDetail, verdict: &mut Verdict) {
    let (view, id) = (&detail.payment, &detail.payment.payment_id);
    let mut version = 0;
    let mut newest = None;
    for entry in detail.timeline.iter().filter(|entry| entry.kind == "payment_reported") {
        let Ok(report) = serde_json::from_str::<serde_json::Value>(&entry.body) else { continue };
        let next = report["report_version"].as_u64().unwrap_or(0);
        verdict.check(next > version, P4, at, || format!("payment {id}: version {next} was written after {version}"));
        version = next;
        newest = Some(report);
    }
    let word = |name: &str| newest.as_ref().and_then(|report| report[name].as_str()).map(str::to_owned);
    let pairs = [
        ("authorization", &view.authorization),
        ("clearing", &view.clearing),
        ("code", &view.response_code),
        ("rrn", &view.rrn),
        ("auth_code", &view.auth_code),
    ];
    for (name, seen) in pairs {
        verdict.same(P4, at, &format!("{name} of payment {id}, by its history"), seen, &word(name));
    }
    let accepted = newest.as_ref().and_then(|report| report["accepted_at_ms"].as_i64());
    verdict.same(P4, at, &format!("acceptance of payment {id}, by its history"), &view.accepted_at_ms, &accepted);
}

/// Sums by stage are those of the list that was read with them.
pub(super) fn takings(at: At, list: &[PaymentDetail], sums: &[TakingsLine], verdict: &mut Verdict) {
    let mut wanted: BTreeMap<(&str, &str), (u64, i64)> = BTreeMap::new();
    for PaymentDetail { payment, .. } in list {
        let sum = wanted.entry((&payment.stage, &payment.currency)).or_default();
        *sum = (sum.0 + 1, sum.1 + payment.approved_minor.unwrap_or(payment.amount_minor));
    }
    let mut seen: BTreeMap<(&str, &str), (u64, i64)> = BTreeMap::new();
    for line in sums {
        let sum = seen.entry((&line.stage, &line.currency)).or_default();
        *sum = (sum.0 + line.count, sum.1 + line.amount_minor);
    }
    seen.retain(|_, sum| *sum != (0, 0));
    verdict.same(P4, at, "takings by stage: count and sum", &seen, &wanted);
}

fn is_unsent(view: &PaymentView) -> bool {
    let waits = matches!(view.delivery.as_deref(), Some("queued" | "sending" | "in_doubt" | "parked"));
    let unanswered = matches!(view.authorization.as_deref(), None | Some("processing"));
    waits && unanswered && view.stage != "not_charged"
}

/// What waits, as the status says it, is what waits in the list that was read with it.
pub(super) fn status(at: At, list: &[PaymentDetail], status: &StatusView, verdict: &mut Verdict) {
    let unsent: Vec<&PaymentView> = list.iter().map(|detail| &detail.payment).filter(|view| is_unsent(view)).collect();
    let count = u64::try_from(unsent.len()).unwrap_or(u64::MAX);
    verdict.same(P4, at, "unsent count of the status, by the list", &status.unsent_count, &count);
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for view in &unsent {
        *sums.entry(&view.currency).or_default() += view.amount_minor;
    }
    let seen: BTreeMap<&str, i64> = status.unsent.iter().map(|sum| (sum.currency.as_str(), sum.amount_minor)).collect();
    verdict.same(P4, at, "unsent sums of the status, by the list", &seen, &sums);
    verdict.same(P4, at, "age of the oldest unsent is known", &status.oldest_unsent_age_ms.is_some(), &(count > 0));
    for risk in &status.offline_risk {
        let open: Vec<&&PaymentView> = unsent
            .iter()
            .filter(|view| {
                view.currency == risk.currency
                    && matches!(view.class.as_deref(), Some("deferred" | "chip_offline"))
                    && view.delivery.as_deref() != Some("parked")
            })
            .collect();
        let sum: i64 = open.iter().map(|view| view.amount_minor).sum();
        let (seen, wanted) = ((u64::from(risk.count), risk.amount_minor), (open.len() as u64, sum));
        verdict.same(P4, at, "offline risk used, by the list", &seen, &wanted);
    }
    let newest = list.iter().filter_map(|detail| detail.timeline.last()).map(|entry| entry.seq).max().unwrap_or(0);
    verdict.check(newest <= status.last_seq, P4, at, || {
        format!("the list knows event {newest}, the status only {}", status.last_seq)
    });
}

/// The till's own check is one more screen.
pub(super) fn verified(phone: &Phone, at: At, report: &VerifyReport, verdict: &mut Verdict) {
    let excused = phone.history_lost_ms.is_some() || phone.copies().next().is_some();
    verdict.check(report.sound || excused && report.broken_at.is_none(), P4, at, || {
        format!("the till finds its ledger unsound: {report:?}")
    });
}

/// At the end every figure that the book has, too, is the book's.
pub(super) fn book(facts: &Facts, book: &Book, at_ms: i64, verdict: &mut Verdict) {
    let Some(healed_ms) = facts.healed_ms else { return };
    for (number, phone) in facts.phones.iter().enumerate() {
        let Some(Look { seen: list, .. }) = phone.payments.as_ref().filter(|list| list.at_ms >= healed_ms) else {
            continue;
        };
        for PaymentDetail { payment: view, .. } in list {
            let Some(sale) = phone.sales.get(&view.payment_id) else { continue };
            if facts.forgotten(sale) || phone.forgot_of(sale) {
                continue;
            }
            let at = At { ms: at_ms, phone: number };
            match book.payments.get(&view.payment_id) {
                Some(there) => figures(at, view, there, verdict),
                None => verdict.check(view.authorization.is_none() && view.payout_id.is_none(), P4, at, || {
                    format!("payment {} is not in the book, and shows an answer or a payout", view.payment_id)
                }),
            }
        }
    }
}

fn figures(at: At, view: &PaymentView, there: &BookPayment, verdict: &mut Verdict) {
    let id = &view.payment_id;
    let mut words = |name: &str, seen: Option<&str>, wanted: Option<&str>| {
        verdict.same(P4, at, &format!("{name} of payment {id} at the end, by the book"), &seen, &wanted);
    };
    words("currency", Some(&view.currency), Some(&there.currency));
    words("authorization", view.authorization.as_deref(), Some(&there.authorization));
    words("clearing", view.clearing.as_deref(), Some(&there.clearing));
    words("arrival", view.arrival.as_deref(), Some(&there.arrival));
    words("response code", view.response_code.as_deref(), Some(&there.response_code));
    words("RRN", view.rrn.as_deref(), Some(&there.rrn));
    words("approval code", view.auth_code.as_deref(), there.auth_code.as_deref());
    words("scheme", view.scheme.as_deref(), Some(&there.scheme));
    words("entry mode", view.entry_mode.as_deref(), Some(&there.entry_mode));
    words("last four", view.last_four.as_deref(), Some(&there.last_four));
    words("day of sale", Some(&view.captured_on.to_string()), Some(&there.captured_on));
    if there.is_approved() {
        let expected = view.expected_date.map(|date| date.to_string());
        words("expected day", expected.as_deref(), there.expected_date.as_deref());
    }
    if let Some(payout) = &there.payout_id {
        words("payout", view.payout_id.as_deref(), Some(payout));
    }
    let mut figures = |name: &str, seen: Option<i64>, wanted: Option<i64>| {
        verdict.same(P4, at, &format!("{name} of payment {id} at the end, by the book"), &seen, &wanted);
    };
    figures("amount", Some(view.amount_minor), Some(there.amount_minor));
    figures("acceptance", view.accepted_at_ms, there.accepted_at_ms);
    figures("capture", Some(view.captured_at_ms), Some(there.captured_at_ms));
    figures("approved", view.approved_minor, there.approved_minor.filter(|_| there.is_approved()));
    if there.payout_id.is_some() {
        figures("gross", view.gross_minor, there.gross_minor);
        figures("fee", view.fee_minor, there.fee_minor.map(|fee| -fee));
        figures("net", view.net_minor, there.net_minor);
    }
}
