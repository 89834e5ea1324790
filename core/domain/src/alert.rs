//! What is worth telling, once: derived from what a fold was before and after an event.

use crate::axes::words;
use crate::event::{Class, LedgerEvent, NoticeKind, PaymentEvent, PayoutEvent};
use crate::ledger::LedgerState;
use crate::payment::PaymentState;
use crate::payout::PayoutState;
use crate::{Arrival, Authorization, PayoutStatus};

words! {
    /// Kinds of alerts. *Paid* and *arrived* are different words and different sounds.
    AlertKind {
        /// The issuer declined a payment whose customer has gone.
        DeclinedAfterDeferral => "declined_after_deferral",
        /// A payment stands still until somebody acts.
        PaymentParked => "payment_parked",
        /// A payment was not uploaded in time.
        PaymentExpired => "payment_expired",
        /// No answer within the window.
        PaymentInDoubt => "payment_in_doubt",
        /// A payment the till could not confirm was undone: nothing is charged.
        PaymentReversed => "payment_reversed",
        /// The acquirer holds a payment back.
        PaymentHeld => "payment_held",
        /// A held payment was let go.
        PaymentReleased => "payment_released",
        /// The expected day passed without the money.
        PaymentOverdue => "payment_overdue",
        /// The acquirer sent a payout to the bank.
        PayoutSent => "payout_sent",
        /// A payout arrived.
        PayoutArrived => "payout_arrived",
        /// The bank sent a payout back.
        PayoutReturned => "payout_returned",
        /// A payout was refused.
        PayoutFailed => "payout_failed",
        /// A payout is held back.
        PayoutHeld => "payout_held",
        /// A payout's header and lines differ.
        PayoutDifference => "payout_difference",
        /// Settlement terms changed.
        TermsChanged => "terms_changed",
    }
}

/// An alert's kind and the version of the fact: together with the subject they are told once.
pub type Told = (AlertKind, i64);

/// What this payment event is worth telling.
#[must_use]
pub fn of_payment(before: Option<&PaymentState>, event: &PaymentEvent, after: &PaymentState) -> Option<Told> {
    let version = after.report.as_ref().map_or(0, |report| i64::try_from(report.report_version).unwrap_or(i64::MAX));
    match event {
        PaymentEvent::PaymentReported(report) => {
            let customer_gone = after.acceptance.is_some_and(|acceptance| acceptance.class != Class::Live);
            let arrival_before = before.and_then(|before| before.report.as_ref()).map(|report| report.arrival);
            let declined = matches!(report.authorization, Authorization::Declined | Authorization::Referred);
            let newly_declined = before.and_then(PaymentState::decision) != after.decision();
            if declined && customer_gone && newly_declined {
                Some((AlertKind::DeclinedAfterDeferral, version))
            } else if report.arrival == Arrival::Held && arrival_before != Some(Arrival::Held) {
                Some((AlertKind::PaymentHeld, version))
            } else if arrival_before == Some(Arrival::Held) && report.arrival != Arrival::Held {
                Some((AlertKind::PaymentReleased, version))
            } else {
                None
            }
        }
        PaymentEvent::Parked(_) => Some((AlertKind::PaymentParked, version)),
        PaymentEvent::SendEnded(_) if before.is_some_and(|before| before.parked.is_none()) => {
            after.parked.is_some().then_some((AlertKind::PaymentParked, version))
        }
        PaymentEvent::Expired(_) => Some((AlertKind::PaymentExpired, version)),
        PaymentEvent::ReversalReported(_) if after.is_undone() => Some((AlertKind::PaymentReversed, version)),
        PaymentEvent::Noticed(notice) => Some(match notice.kind {
            NoticeKind::Overdue => (AlertKind::PaymentOverdue, notice.due_ms),
            NoticeKind::InDoubtTooLong => (AlertKind::PaymentInDoubt, notice.due_ms),
        }),
        _ => None,
    }
}

/// What this payout event is worth telling.
#[must_use]
pub fn of_payout(before: Option<&PayoutState>, event: &PayoutEvent, after: &PayoutState) -> Option<Told> {
    let version = i64::try_from(after.report.report_version).unwrap_or(i64::MAX);
    match event {
        PayoutEvent::PayoutReported(report) => {
            if before.is_some_and(|before| before.report.status == report.status) {
                return None;
            }
            let kind = match report.status {
                PayoutStatus::Created => return None,
                PayoutStatus::Sent => AlertKind::PayoutSent,
                PayoutStatus::Arrived => AlertKind::PayoutArrived,
                PayoutStatus::Failed => AlertKind::PayoutFailed,
                PayoutStatus::Returned => AlertKind::PayoutReturned,
                PayoutStatus::Held => AlertKind::PayoutHeld,
            };
            Some((kind, version))
        }
        PayoutEvent::EntriesReported(_) => None,
        PayoutEvent::Reconciled(reconciled) => {
            (reconciled.difference.amount_minor() != 0).then_some((AlertKind::PayoutDifference, version))
        }
    }
}

/// What this event of the ledger is worth telling.
#[must_use]
pub fn of_ledger(before: &LedgerState, event: &LedgerEvent, seq: u64) -> Option<Told> {
    match event {
        LedgerEvent::TermsAdopted(adopted) => {
            let changed = before.terms.as_ref().is_some_and(|known| known.version != adopted.version);
            changed.then_some((AlertKind::TermsChanged, i64::try_from(seq).unwrap_or(i64::MAX)))
        }
        _ => None,
    }
}
