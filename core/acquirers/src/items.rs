//! Answers that hold many items: each is matched by id and judged for itself.

use std::collections::BTreeMap;

use crate::decode::same_id;
use crate::message::Unverified;
use crate::operation::{Inquiry, Lookup, Submission, SubmitBatch};
use crate::problem::{Problem, WireProblem};
use crate::report::{BatchReport, InquiryReport, ItemReply, ItemReport, LookupReply, LookupReport};
use crate::wire::payment::{WireBatch, WireInquiry, WireItem, WireLookup, WirePayment};
use crate::wire::value::read;

/// Items by id. An id that was answered twice has no answer: nobody knows which one holds.
fn by_id<K: Ord, T>(items: impl Iterator<Item = (K, T)>) -> BTreeMap<K, Option<T>> {
    let mut found = BTreeMap::new();
    for (id, item) in items {
        found.entry(id).and_modify(|known| *known = None).or_insert(Some(item));
    }
    found
}

/// The answer to a batch; items that were not asked for are ignored.
pub(crate) fn batch(asked: &SubmitBatch, body: &[u8]) -> Result<BatchReport, Unverified> {
    let wire: WireBatch = read(body)?;
    same_id(&wire.batch_id.0, &asked.batch_id.to_string(), "batch_id")?;
    #[cfg(feature = "planted")]
    if takings_domain::planted::is("results_by_position") {
        return Ok(by_position(asked, &wire));
    }
    let mut results = by_id(wire.results.into_iter().map(|item| (item.payment_id.0, item)));
    let items = asked.items.iter().map(|submission| {
        let answer = results.remove(&submission.payment_id).flatten();
        let reply =
            answer.map_or(ItemReply::Missing, |wire| item(submission, &wire).unwrap_or_else(ItemReply::Unverified));
        ItemReport { payment_id: submission.payment_id, reply }
    });
    Ok(BatchReport { batch_id: asked.batch_id, items: items.collect() })
}

#[cfg(feature = "planted")]
fn by_position(asked: &SubmitBatch, wire: &WireBatch) -> BatchReport {
    let items = asked.items.iter().zip(&wire.results).map(|(asked, wire)| {
        let payment = wire.payment.as_ref().and_then(|payment| read::<WirePayment>(payment.get().as_bytes()).ok());
        let report = payment.and_then(|payment| payment.into_report(None, None).ok());
        let reply = match report {
            Some(report) => {
                let ours =
                    crate::report::PaymentReport { payment_id: asked.payment_id, amount: asked.amount, ..report };
                ItemReply::Payment(Box::new(ours))
            }
            None => item(asked, wire).unwrap_or_else(ItemReply::Unverified),
        };
        ItemReport { payment_id: asked.payment_id, reply }
    });
    BatchReport { batch_id: asked.batch_id, items: items.collect() }
}

fn item(asked: &Submission, wire: &WireItem) -> Result<ItemReply, Unverified> {
    match (wire.http_status, &wire.payment, &wire.problem) {
        (200..=202, Some(payment), None) => {
            let payment: WirePayment = read(payment.get().as_bytes())?;
            let report = payment.into_report(Some(asked.payment_id), Some(asked.amount))?;
            Ok(ItemReply::Payment(Box::new(report)))
        }
        (status @ 400..=599, None, Some(problem)) => {
            let problem: WireProblem = read(problem.get().as_bytes())?;
            let key = asked.payment_id.to_string();
            let problem = problem.into_problem(status, Some(&key))?;
            Ok(ItemReply::Problem(Problem { verified: true, ..problem }))
        }
        _ => Err(Unverified::malformed("an item")),
    }
}

/// The answer to an inquiry; results that were not asked for are ignored.
pub(crate) fn inquiry(asked: &Inquiry, body: &[u8]) -> Result<InquiryReport, Unverified> {
    let wire: WireInquiry = read(body)?;
    same_id(&wire.request_id.0, &asked.request_id.to_string(), "request_id")?;
    let mut results = by_id(wire.results.into_iter().map(|result| (result.reference.0.clone(), result)));
    let lookups = asked.lookups.iter().map(|asked| {
        let answer = results.remove(&asked.payment_id.to_string()).flatten();
        let reply =
            answer.map_or(LookupReply::Missing, |wire| lookup(asked, wire).unwrap_or_else(LookupReply::Unverified));
        LookupReport { payment_id: asked.payment_id, reply }
    });
    Ok(InquiryReport { lookups: lookups.collect() })
}

fn lookup(asked: &Lookup, wire: WireLookup) -> Result<LookupReply, Unverified> {
    let missing = || Unverified::malformed("a look-up");
    Ok(match wire.outcome.0.as_str() {
        "found" => {
            let payment: WirePayment = read(wire.payment.ok_or_else(missing)?.get().as_bytes())?;
            LookupReply::Found(Box::new(payment.into_report(Some(asked.payment_id), asked.amount)?))
        }
        "not_received" => LookupReply::NotReceived {
            as_of_ms: wire.as_of.ok_or_else(missing)?.0,
            is_final: wire.is_final.ok_or_else(missing)?,
        },
        _ => {
            let candidates = wire.candidates.map(|list| list.0).unwrap_or_default();
            LookupReply::Ambiguous { candidates: candidates.into_iter().map(|id| id.0).collect() }
        }
    })
}
