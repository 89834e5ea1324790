//! What is worth telling, once: derived from what a fold was before and after an event.

use crate::axes::words;
use crate::event::{Class, LedgerEvent, NoticeKind, PaymentEvent, PayoutEvent, ReaderTrouble};
use crate::ledger::LedgerState;
use crate::payment::{LIVE_WINDOW_MS, PaymentState};
use crate::payout::PayoutState;
use crate::{Authorization, Money, PayoutStatus};

words! {
    /// Kinds of alerts. *Paid* and *arrived* are different words and different sounds.
    AlertKind {
        /// The issuer declined a payment whose customer has gone.
        DeclinedAfterDeferral => "declined_after_deferral",
        /// The bank approved less than the customer went away with.
        PartlyApproved => "partly_approved",
        /// A payment stands still until somebody acts.
        PaymentParked => "payment_parked",
        /// A payment was not uploaded in time.
        PaymentExpired => "payment_expired",
        /// No answer within the window.
        PaymentInDoubt => "payment_in_doubt",
        /// A payment was approved when its customer had stopped waiting: charged, and perhaps without the goods.
        PaymentConfirmedLate => "payment_confirmed_late",
        /// A payment the till could not confirm was undone: nothing is charged.
        PaymentReversed => "payment_reversed",
        /// The acquirer holds a payment back.
        PaymentHeld => "payment_held",
        /// A held payment was let go.
        PaymentReleased => "payment_released",
        /// The expected day passed without the money.
        PaymentOverdue => "payment_overdue",
        /// The expected day of a payout passed without the money.
        PayoutOverdue => "payout_overdue",
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
        /// A part of this ledger, or an earlier one, is lost, with what it had not sent.
        HistoryLost => "history_lost",
        /// Earlier payments were read in from the acquirer; what was never sent is not among them.
        HistoryRestored => "history_restored",
        /// A card reader was opened: it takes no payments any more.
        ReaderTampered => "reader_tampered",
        /// A card reader has no usable keys.
        ReaderKeysMissing => "reader_keys_missing",
        /// A card reader's charge is low.
        ReaderBatteryLow => "reader_battery_low",
    }
}

/// An alert's kind and the version of the fact: together with the subject they are told once.
pub type Told = (AlertKind, i64);

/// What this payment event is worth telling.
#[must_use]
pub fn of_payment(before: Option<&PaymentState>, event: &PaymentEvent, after: &PaymentState) -> Option<Told> {
    let version = after.report.as_ref().map_or(0, |report| i64::try_from(report.report_version).unwrap_or(i64::MAX));
    let newly = |holds: fn(&PaymentState) -> bool| holds(after) && !before.is_some_and(holds);
    match event {
        PaymentEvent::PaymentReported(_) => of_report(before, after).map(|kind| (kind, version)),
        PaymentEvent::Parked(_) => Some((AlertKind::PaymentParked, version)),
        // Refused while the customer waits is told on the spot, by the charge itself.
        PaymentEvent::SendEnded(_) | PaymentEvent::ReversalReported(_) if newly(stands_still) => {
            Some((AlertKind::PaymentParked, version))
        }
        PaymentEvent::Accepted(_) if is_confirmed_late(after) => Some((AlertKind::PaymentConfirmedLate, version)),
        PaymentEvent::Expired(_) => Some((AlertKind::PaymentExpired, version)),
        PaymentEvent::ReversalReported(_) if newly(PaymentState::is_undone) && !before.is_some_and(is_reversed) => {
            Some((AlertKind::PaymentReversed, version))
        }
        PaymentEvent::Noticed(notice) => Some(match notice.kind {
            NoticeKind::Overdue => (AlertKind::PaymentOverdue, notice.due_ms),
            NoticeKind::InDoubtTooLong => (AlertKind::PaymentInDoubt, notice.due_ms),
            NoticeKind::Held => (AlertKind::PaymentHeld, version),
        }),
        _ => None,
    }
}

/// Live, and approved after the window in which the customer waits: what the screen said then was "not confirmed".
fn is_confirmed_late(payment: &PaymentState) -> bool {
    let taken = payment.acceptance.filter(|acceptance| acceptance.class == Class::Live);
    let waited_ms = taken.zip(payment.sends.first_at_ms).map(|(taken, first_ms)| taken.at_ms.saturating_sub(first_ms));
    waited_ms.is_some_and(|waited_ms| waited_ms >= LIVE_WINDOW_MS)
}

fn of_report(before: Option<&PaymentState>, after: &PaymentState) -> Option<AlertKind> {
    let newly = |holds: fn(&PaymentState) -> bool| holds(after) && !before.is_some_and(holds);
    if after.restored.is_some() && before.is_none_or(|before| before.report.is_none()) {
        // Old news of another phone's: it stands in the lists.
        return None;
    }
    let held_before = before.is_some_and(PaymentState::is_held);
    #[cfg(feature = "planted")]
    if crate::planted::is("late_decline_not_told") && newly(is_declined) {
        return None;
    }
    if newly(is_declined) && after.acceptance.is_some() {
        Some(AlertKind::DeclinedAfterDeferral)
    } else if newly(PaymentState::is_short) && after.is_deferred() {
        Some(AlertKind::PartlyApproved)
    } else if newly(PaymentState::is_charged_after_all) {
        Some(AlertKind::PaymentParked)
    } else if newly(is_reversed) && !after.is_closed() {
        Some(AlertKind::PaymentReversed)
    } else if after.is_held() && !held_before {
        Some(AlertKind::PaymentHeld)
    } else if !after.is_held() && held_before {
        Some(AlertKind::PaymentReleased)
    } else {
        None
    }
}

fn stands_still(payment: &PaymentState) -> bool {
    payment.parked.is_some() && !payment.is_closed()
}

fn is_declined(payment: &PaymentState) -> bool {
    matches!(payment.decision(), Some(Authorization::Declined | Authorization::Referred)) && !payment.is_closed()
}

fn is_reversed(payment: &PaymentState) -> bool {
    matches!(payment.decision(), Some(Authorization::Reversed | Authorization::Voided))
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
        PayoutEvent::OverdueNoticed(notice) => Some((AlertKind::PayoutOverdue, notice.due_ms)),
    }
}

/// What this event of the ledger is worth telling.
#[must_use]
pub fn of_ledger(before: &LedgerState, event: &LedgerEvent, seq: u64) -> Option<Told> {
    let version = i64::try_from(seq).unwrap_or(i64::MAX);
    match event {
        LedgerEvent::TermsAdopted(adopted) => {
            let changed = before.terms.as_ref().is_some_and(|known| known.version != adopted.version);
            changed.then_some((AlertKind::TermsChanged, version))
        }
        LedgerEvent::HistoryLost(_) => Some((AlertKind::HistoryLost, version)),
        LedgerEvent::HistoryRestored(_) => Some((AlertKind::HistoryRestored, version)),
        LedgerEvent::ReaderSeen(seen) => {
            let known = before.readers.get(&seen.serial);
            // A battery that is still low is no news, whatever else was wrong meanwhile.
            let is_told = |trouble: &ReaderTrouble| {
                known.is_some_and(|known| {
                    known.seen.trouble == Some(*trouble) || (known.low && *trouble == ReaderTrouble::BatteryLow)
                })
            };
            seen.trouble.filter(|trouble| !is_told(trouble)).and_then(of_reader).map(|kind| (kind, version))
        }
        _ => None,
    }
}

/// What keeps a reader from working, and is no matter of the moment.
fn of_reader(trouble: ReaderTrouble) -> Option<AlertKind> {
    match trouble {
        ReaderTrouble::Tampered => Some(AlertKind::ReaderTampered),
        ReaderTrouble::KeysMissing => Some(AlertKind::ReaderKeysMissing),
        ReaderTrouble::BatteryLow => Some(AlertKind::ReaderBatteryLow),
        ReaderTrouble::Locked
        | ReaderTrouble::OutOfService
        | ReaderTrouble::NoAnswer
        | ReaderTrouble::TooCold
        | ReaderTrouble::TooHot => None,
    }
}

/// The money that the alert of this event of the ledger is about, if it is about money of one currency.
#[must_use]
pub fn about_of_ledger(event: &LedgerEvent) -> Option<Money> {
    match event {
        LedgerEvent::HistoryLost(lost) => match lost.unsent.as_slice() {
            [only] => Some(only.total),
            _ => None,
        },
        _ => None,
    }
}
