//! From an answer to what may be believed of it. Pure; never panics, whatever the bytes.
//!
//! A result needs a signature that holds and a content that fits the question. Unsigned, only what delays is
//! believed: 401, 429, 503, and 409 that ask to sign on.

use takings_domain::{Calendar, RiskPolicy, SettlementTerms};

use crate::event_wrapper::WireEventPage;
use crate::items;
use crate::keys::{AcquirerKey, KeyRing};
use crate::message::{Answer, MAX_ANSWER_BYTES, Unverified};
use crate::operation::Operation;
use crate::problem::{Problem, WireProblem};
use crate::report::{
    BatchReport, CalendarDocument, Capabilities, EventsPage, HealthReport, InquiryReport, KeySet, PaymentReport,
    PaymentsPage, PayoutEntriesPage, PayoutReport, PayoutsPage, PolicyDocument, ReversalReport, SignOnReport,
    TerminalReport, TermsDocument,
};
use crate::webhook::{Seal, SignedDocument};
use crate::wire::payment::{WirePayment, WirePaymentPage, WireReversal};
use crate::wire::payout::{WireEntryPage, WirePayout, WirePayoutPage};
use crate::wire::terminal::{WireCalendarRange, WireCapabilities, WireHealth, WireKeySet, WireSignOn, WireTerminal};
use crate::wire::value::read;

/// The server's time in a sign-on and the time under its signature may differ by this much, milliseconds: as much as
/// the acquirer allows our clock.
const MOST_APART_MS: i64 = 300_000;

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Signed, and about what was asked.
    Verified(Box<Verified>),
    /// Signed: nothing changed since the entity tag named.
    NotModified,
    /// Refused. Without [`Problem::verified`] it is one of those that only delay.
    Problem(Problem),
    /// Not believed: whatever was asked for stays in doubt.
    Unverified(Unverified),
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was asked for.
    pub value: Value,
    /// Its entity tag, quotes included.
    pub etag: Option<String>,
    /// The server's time under the signature, Unix seconds.
    pub signed_at_s: i64,
    /// The acquirer had answered this before.
    pub replayed: bool,
}

/// What was asked for, by operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// To [`Operation::Capabilities`].
    Capabilities(Capabilities),
    /// To [`Operation::Keys`].
    Keys(KeySet),
    /// To [`Operation::Health`].
    Health(HealthReport),
    /// To [`Operation::Activate`] and [`Operation::Terminal`].
    Terminal(TerminalReport),
    /// To [`Operation::SignOn`].
    SignOn(SignOnReport),
    /// To [`Operation::RiskPolicy`].
    RiskPolicy(PolicyDocument),
    /// To [`Operation::Payment`] and [`Operation::ReadPayment`].
    Payment(Box<PaymentReport>),
    /// To [`Operation::Batch`].
    Batch(BatchReport),
    /// To [`Operation::Inquire`].
    Inquiry(InquiryReport),
    /// To [`Operation::Reverse`].
    Reversal(ReversalReport),
    /// To [`Operation::ListPayments`].
    Payments(PaymentsPage),
    /// To [`Operation::Terms`].
    Terms(TermsDocument),
    /// To [`Operation::Calendar`].
    Calendar(CalendarDocument),
    /// To [`Operation::ListPayouts`].
    Payouts(PayoutsPage),
    /// To [`Operation::ReadPayout`].
    Payout(Box<PayoutReport>),
    /// To [`Operation::PayoutEntries`].
    PayoutEntries(PayoutEntriesPage),
    /// To [`Operation::Events`].
    Events(EventsPage),
}

/// Judges an answer to `operation`.
#[must_use]
pub fn decode(operation: &Operation, answer: &Answer, keys: &KeyRing) -> Reply {
    if answer.body.len() > MAX_ANSWER_BYTES {
        return Reply::Unverified(Unverified::TooLarge);
    }
    match keys.verify_answer(answer, matches!(operation, Operation::Keys)) {
        Ok(seal) => signed(operation, answer, keys, seal).unwrap_or_else(Reply::Unverified),
        #[cfg(feature = "planted")]
        Err(_) if let Some(reply) = believed_anyway(operation, answer, keys) => reply,
        Err(why) => unsigned(operation, answer).map_or(Reply::Unverified(why), Reply::Problem),
    }
}

#[cfg(feature = "planted")]
fn believed_anyway(operation: &Operation, answer: &Answer, keys: &KeyRing) -> Option<Reply> {
    use Operation as O;
    let believed = match operation {
        O::Payment(_) | O::Batch(_) | O::Inquire(_) | O::Reverse(_) => {
            takings_domain::planted::is("unsigned_answer_believed")
        }
        O::ReadPayment { .. } | O::ListPayments(_) | O::ListPayouts(_) | O::ReadPayout { .. } => {
            takings_domain::planted::is("alert_before_verification")
        }
        _ => false,
    };
    let none = Seal { kid: String::new(), message_id: String::new(), timestamp_s: 0, signature: String::new() };
    believed.then(|| signed(operation, answer, keys, Seal::of(answer).unwrap_or(none)).ok()).flatten()
}

/// Reads a list of keys kept earlier and checks the root's signature over it again.
///
/// # Errors
/// [`Unverified`]; the caller asks for the keys anew.
pub fn decode_keys(document: &SignedDocument, keys: &KeyRing) -> Result<Vec<AcquirerKey>, Unverified> {
    let (message, signature) = document.signed_parts().ok_or(Unverified::BadSignature)?;
    keys.check_root(&document.kid, &message, &signature)?;
    read::<WireKeySet>(document.body.as_bytes())?.into_keys()
}

fn signed(operation: &Operation, answer: &Answer, keys: &KeyRing, seal: Seal) -> Result<Reply, Unverified> {
    match answer.status {
        200..=202 => {
            let signed_at_s = seal.timestamp_s;
            let etag = answer.header("etag").filter(|tag| (3..=66).contains(&tag.len())).map(str::to_owned);
            let value = value(operation, answer, keys, seal, etag.clone())?;
            let replayed = answer.header("idempotent-replayed") == Some("true");
            Ok(Reply::Verified(Box::new(Verified { value, etag, signed_at_s, replayed })))
        }
        304 if answer.body.is_empty() && asks_for_change(operation) => Ok(Reply::NotModified),
        status @ 400..=599 => {
            let wire: WireProblem = read(&answer.body)?;
            let problem = wire.into_problem(status, operation.idempotency_key().as_deref())?;
            let problem = problem.with_retry_after(answer.header("retry-after"));
            Ok(Reply::Problem(Problem { verified: true, ..problem }))
        }
        status => Err(Unverified::UnexpectedStatus { status }),
    }
}

fn asks_for_change(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Terminal { if_none_match: Some(_) }
            | Operation::RiskPolicy { if_none_match: Some(_) }
            | Operation::Terms { if_none_match: Some(_) }
            | Operation::Calendar { if_none_match: Some(_), .. }
    )
}

/// What is believed without a signature: nothing but delays.
fn unsigned(operation: &Operation, answer: &Answer) -> Option<Problem> {
    let body = read::<WireProblem>(&answer.body).ok();
    let key = operation.idempotency_key();
    let told = body.and_then(|wire| wire.into_problem(answer.status, key.as_deref()).ok());
    let problem = match answer.status {
        401 | 429 | 503 => told.or_else(|| Problem::of_status(answer.status)),
        409 => told.filter(|problem| problem.slug.is_session()),
        _ => None,
    };
    problem.map(|problem| problem.with_retry_after(answer.header("retry-after")))
}

fn value(
    operation: &Operation,
    answer: &Answer,
    keys: &KeyRing,
    seal: Seal,
    etag: Option<String>,
) -> Result<Value, Unverified> {
    let body = answer.body.as_slice();
    Ok(match operation {
        Operation::Capabilities => Value::Capabilities(read::<WireCapabilities>(body)?.into()),
        Operation::Health => Value::Health(read::<WireHealth>(body)?.into()),
        Operation::Keys => {
            let keys = read::<WireKeySet>(body)?.into_keys()?;
            Value::Keys(KeySet { signed: document(seal, body, etag)?, keys })
        }
        Operation::Activate(activation) => {
            let wire: WireTerminal = read(body)?;
            same_id(&wire.request_id.0, &activation.request_id.to_string(), "request_id")?;
            let report = TerminalReport::from(wire);
            same_id(&report.key_thumbprint, &activation.public_key.thumbprint(), "key_thumbprint")?;
            Value::Terminal(report)
        }
        Operation::Terminal { .. } => Value::Terminal(read::<WireTerminal>(body)?.into()),
        Operation::SignOn(sign_on) => {
            let wire: WireSignOn = read(body)?;
            same_id(&wire.request_id.0, &sign_on.request_id.to_string(), "request_id")?;
            let report: SignOnReport = wire.try_into()?;
            // Everything is dated by this clock: it must be the one that signed.
            let apart_ms = report.server_ms.saturating_sub(seal.timestamp_s.saturating_mul(1_000));
            if apart_ms.abs() > MOST_APART_MS {
                return Err(Unverified::Mismatch { field: "server_time" });
            }
            Value::SignOn(report)
        }
        Operation::Payment(one) => {
            let (id, amount) = (one.payment.payment_id, one.payment.amount);
            Value::Payment(Box::new(read::<WirePayment>(body)?.into_report(Some(id), Some(amount))?))
        }
        Operation::ReadPayment { payment_id, amount } => {
            Value::Payment(Box::new(read::<WirePayment>(body)?.into_report(Some(*payment_id), *amount)?))
        }
        Operation::Batch(batch) => Value::Batch(items::batch(batch, body)?),
        Operation::Inquire(inquiry) => Value::Inquiry(items::inquiry(inquiry, body)?),
        Operation::Reverse(reversal) => {
            Value::Reversal(read::<WireReversal>(body)?.into_report(reversal.payment_id, reversal.amount)?)
        }
        Operation::ListPayments(_) => Value::Payments(read::<WirePaymentPage>(body)?.into_page()?),
        Operation::ListPayouts(_) => Value::Payouts(read::<WirePayoutPage>(body)?.into_page()?),
        Operation::ReadPayout { payout_id } => {
            Value::Payout(Box::new(read::<WirePayout>(body)?.into_report(Some(payout_id))?))
        }
        Operation::PayoutEntries { payout_id, .. } => {
            Value::PayoutEntries(read::<WireEntryPage>(body)?.into_page(payout_id)?)
        }
        Operation::Events { after, .. } => Value::Events(read::<WireEventPage>(body)?.into_page(*after, keys)?),
        Operation::RiskPolicy { .. } | Operation::Terms { .. } | Operation::Calendar { .. } => {
            documents(operation, document(seal, body, etag)?)?
        }
    })
}

/// Policy, terms and calendar: kept whole, read by the domain.
fn documents(operation: &Operation, signed: SignedDocument) -> Result<Value, Unverified> {
    let body = signed.body.as_bytes();
    Ok(match operation {
        Operation::RiskPolicy { .. } => {
            let policy = RiskPolicy::parse(body).map_err(Unverified::malformed)?;
            Value::RiskPolicy(PolicyDocument { signed, policy })
        }
        Operation::Calendar { from, to, .. } => {
            let range: WireCalendarRange = read(body)?;
            if (range.from.0, range.to.0) != (*from, *to) {
                return Err(Unverified::Mismatch { field: "from" });
            }
            let calendar = Calendar::parse(body).map_err(Unverified::malformed)?;
            let version = range.calendar_version.0;
            Value::Calendar(CalendarDocument { signed, calendar, version, from: *from, to: *to })
        }
        _ => {
            let terms = SettlementTerms::parse(body).map_err(Unverified::malformed)?;
            Value::Terms(TermsDocument { signed, terms })
        }
    })
}

fn document(seal: Seal, body: &[u8], etag: Option<String>) -> Result<SignedDocument, Unverified> {
    let text = str::from_utf8(body).map_err(|_| Unverified::malformed("no UTF-8"))?;
    Ok(SignedDocument::new(seal, text, etag))
}

pub(crate) fn same_id(got: &str, asked: &str, field: &'static str) -> Result<(), Unverified> {
    if got == asked { Ok(()) } else { Err(Unverified::Mismatch { field }) }
}
