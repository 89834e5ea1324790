//! What a payment's fold says when asked.

use super::state::{Delivery, PaymentState};
use crate::event::{ChargeMode, Class, ParkReason, ReversalOutcome};
use crate::{Arrival, Authorization, PaymentId};

impl PaymentState {
    /// The payment's id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.charge.payment_id
    }

    /// When the card was read, by the acquirer's clock as well as the phone knew it, milliseconds UTC; before that when
    /// the charge began, by the phone's.
    #[must_use]
    pub fn captured_at_ms(&self) -> i64 {
        let elsewhere = || self.restored.as_ref().map_or(self.started_at_ms, |restored| restored.captured_at_ms);
        self.card.as_ref().map_or_else(elsewhere, |(read, at_ms)| read.captured_at_ms.unwrap_or(*at_ms))
    }

    /// The acquirer's clock less the phone's when the card was read, milliseconds.
    pub(crate) fn clock_offset_ms(&self) -> i64 {
        let read = self.card.as_ref().and_then(|(read, at_ms)| read.captured_at_ms.zip(Some(*at_ms)));
        read.map_or(0, |(captured_at_ms, at_ms)| captured_at_ms.saturating_sub(at_ms))
    }

    /// The acquirer's final word on authorization, if there is one: anything but `processing`.
    #[must_use]
    pub fn decision(&self) -> Option<Authorization> {
        self.report.as_ref().map(|report| report.authorization).filter(|word| *word != Authorization::Processing)
    }

    /// A final answer is here: nothing more is to be sent.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.decision().is_some()
    }

    /// The money was or will be taken, as far as the acquirer said.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        matches!(self.decision(), Some(Authorization::Approved | Authorization::PartiallyApproved))
    }

    /// Approved for less than was asked.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_approved() && self.approved_minor() < self.charge.amount.amount_minor()
    }

    /// The acquirer holds the money back.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.arrival == Arrival::Held)
    }

    /// What was approved, minor units; zero without an approval.
    #[must_use]
    pub fn approved_minor(&self) -> i64 {
        match (&self.report, self.is_approved()) {
            (Some(report), true) => report.approved_amount_minor.unwrap_or(self.charge.amount.amount_minor()),
            _ => 0,
        }
    }

    /// Certainly not charged: undone, or given up here and nothing heard since says otherwise.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_undone() || (self.is_given_up() && !self.is_charged_there())
    }

    /// Given up here as certainly not charged, yet the acquirer has approved it: only giving the money back helps.
    #[must_use]
    pub fn is_charged_after_all(&self) -> bool {
        self.is_given_up() && self.is_approved() && !self.is_undone()
    }

    fn is_given_up(&self) -> bool {
        self.refused_by.is_some()
            || self.is_refused_live()
            || self.abandoned.is_some()
            || self.cancelled
            || (self.not_received_finally && !self.is_deferred())
    }

    /// Undoing it came too late: charged, whatever was said before.
    pub(super) fn is_too_late(&self) -> bool {
        self.parked.as_ref().is_some_and(|(reason, _)| *reason == ParkReason::AlreadyCleared)
    }

    fn is_charged_there(&self) -> bool {
        self.is_too_late() || self.report.is_some() && (self.is_approved() || !self.is_answered())
    }

    /// The acquirer refused to take it while the customer waited, and no earlier send can have arrived.
    #[must_use]
    pub fn is_refused_live(&self) -> bool {
        self.refused_live.is_some()
    }

    /// A reversal was answered: nothing is charged.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        use ReversalOutcome as O;
        let outcome = self.reversal.as_ref().and_then(|reversal| reversal.outcome);
        matches!(outcome, Some(O::Reversed | O::NothingToReverse | O::AlreadyReversed))
    }

    /// Read but neither accepted nor sent nor closed: the app ended in between.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.acceptance.is_none() && self.sends.count == 0 && !self.is_closed() && self.report.is_none()
    }

    /// The phone's view; none before the payment is accepted or sent.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        if self.is_closed() && self.report.is_none() {
            return None;
        }
        if self.acceptance.is_none() && self.sends.count == 0 {
            return None;
        }
        Some(if self.is_answered() {
            if self.parked.is_some() { Delivery::Parked } else { Delivery::Delivered }
        } else if self.parked.is_some() || self.expired {
            Delivery::Parked
        } else if self.sends.open.is_some() {
            Delivery::Sending
        } else if self.sends.may_have_arrived {
            Delivery::InDoubt
        } else {
            Delivery::Queued
        })
    }

    /// The customer has gone with the goods.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.acceptance.is_some_and(|acceptance| acceptance.class != Class::Live)
    }

    /// Asked for live and not (yet) accepted: the customer waits, or has been let go with nothing.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.is_deferred() && self.charge.mode != ChargeMode::Offline
    }
}
