//! The fold: events apply in order; one that cannot follow is refused, and the state stays as it was.

use thiserror::Error;

use super::sends::Sends;
use super::state::{Acceptance, Attempt, Delivery, PaymentState, ReversalState};
use crate::event::{
    Accepted, ChargeStarted, Class, EraseReason, Lane, NoticeKind, ParkReason, PaymentEvent, PaymentReported, Recorded,
    Restored, ReversalOutcome, SendResult,
};
use crate::{Arrival, Authorization, Evidence};

/// An event that cannot follow the ones before it: the history is wrong, or the engine is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {kind} (number {seq}) cannot follow: {why}")]
pub struct FoldError {
    /// The event's number.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What is wrong.
    pub why: &'static str,
}

impl PaymentState {
    /// The state after the first event.
    #[must_use]
    pub fn open(first: &Recorded<ChargeStarted>) -> Self {
        Self {
            key: first.seq,
            charge: first.event.clone(),
            operator: first.operator.clone(),
            started_at_ms: first.at.wall_ms,
            restored: None,
            attempts: Vec::new(),
            card: None,
            receipt: None,
            blob_held: false,
            acceptance: None,
            refused_by: None,
            abandoned: None,
            repeats: None,
            service_given: None,
            sends: Sends::default(),
            report: None,
            not_received_finally: false,
            refused_live: None,
            reversal: None,
            parked: None,
            expired: false,
            cancelled: false,
            noticed: Vec::new(),
            held_untold: false,
            last_seq: first.seq,
        }
    }

    /// Folds a whole history.
    ///
    /// # Errors
    /// [`FoldError`] if it does not begin with `charge_started` or an event cannot follow.
    pub fn fold(events: &[Recorded<PaymentEvent>]) -> Result<Option<Self>, FoldError> {
        let Some((first, rest)) = events.split_first() else { return Ok(None) };
        let PaymentEvent::ChargeStarted(charge) = &first.event else {
            return Err(FoldError {
                seq: first.seq,
                kind: first.event.kind(),
                why: "a payment begins with its charge",
            });
        };
        let mut state = Self::open(&Recorded {
            seq: first.seq,
            at: first.at,
            operator: first.operator.clone(),
            event: charge.clone(),
        });
        for event in rest {
            state.apply(event)?;
        }
        Ok(Some(state))
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow; the state is then unchanged.
    pub fn apply(&mut self, recorded: &Recorded<PaymentEvent>) -> Result<(), FoldError> {
        let at_ms = recorded.at.wall_ms;
        let refuse = |why| FoldError { seq: recorded.seq, kind: recorded.event.kind(), why };
        self.step(&recorded.event, at_ms).map_err(refuse)?;
        self.last_seq = recorded.seq;
        Ok(())
    }

    fn step(&mut self, event: &PaymentEvent, at_ms: i64) -> Result<(), &'static str> {
        match event {
            PaymentEvent::ChargeStarted(_) => return Err("a payment begins once"),
            PaymentEvent::Restored(restored) => self.restore(restored)?,
            PaymentEvent::AttemptStarted(_)
            | PaymentEvent::CardRead(_)
            | PaymentEvent::ReaderConcluded(_)
            | PaymentEvent::ReceiptDataRead(_)
            | PaymentEvent::AttemptEnded(_) => self.step_at_reader(event, at_ms)?,
            PaymentEvent::Accepted(accepted) => self.accept(accepted, at_ms)?,
            PaymentEvent::OfflineRefused(refused) => {
                ensure(self.acceptance.is_none(), "an accepted payment cannot be refused")?;
                ensure(!self.sends.may_have_arrived && self.sends.open.is_none(), "it may have been charged")?;
                ensure(!self.is_closed(), "it is closed already")?;
                self.refused_by = Some(refused.rule.clone());
            }
            PaymentEvent::Abandoned(abandoned) => {
                ensure(self.acceptance.is_none() && self.sends.count == 0, "it was accepted or sent")?;
                ensure(!self.is_closed(), "it is closed already")?;
                self.abandoned = Some(abandoned.why);
            }
            PaymentEvent::DuplicateOverridden(other) => self.repeats = Some(other.other),
            PaymentEvent::ServiceMarked(mark) => self.service_given = Some(mark.given),
            PaymentEvent::SendStarted(_)
            | PaymentEvent::SendEnded(_)
            | PaymentEvent::PaymentReported(_)
            | PaymentEvent::NotReceived(_)
            | PaymentEvent::ReversalRequested(_)
            | PaymentEvent::ReversalReported(_) => self.step_at_acquirer(event, at_ms)?,
            PaymentEvent::Parked(parked) => {
                let begun = self.acceptance.is_some() || self.sends.count > 0 || self.restored.is_some();
                ensure(begun, "there is nothing to park yet")?;
                ensure(!self.is_closed() || self.is_refused_live(), "a closed payment needs nobody")?;
                ensure(self.sends.open.is_none() || self.reversal.is_some(), "a send is under way")?;
                let too_late = parked.reason == ParkReason::AlreadyCleared;
                ensure(!self.is_answered() || self.is_approved() || too_late, "it has its answer")?;
                self.park(parked.reason, parked.code.clone());
            }
            PaymentEvent::Expired(_) => {
                let waits = self.acceptance.is_some() && !self.is_answered() && !self.is_closed();
                ensure(waits && !self.expired, "only what waits can expire")?;
                self.expired = true;
            }
            PaymentEvent::CancelledUnsent(_) => {
                let unsent = self.delivery() == Some(Delivery::Queued);
                #[cfg(feature = "planted")]
                let unsent = unsent || crate::planted::is("cancel_allowed_in_doubt");
                ensure(self.acceptance.is_some() && unsent, "only what certainly did not leave can be cancelled")?;
                self.cancelled = true;
            }
            PaymentEvent::BlobErased(erased) => {
                ensure(self.blob_held, "there is no card data to erase")?;
                ensure(self.may_erase(erased.why), "the card data is still needed")?;
                self.blob_held = false;
            }
            PaymentEvent::Noticed(notice) => {
                let notice = (notice.kind, notice.due_ms);
                ensure(!self.noticed.contains(&notice), "the same notice is given once")?;
                if notice.0 == NoticeKind::Held {
                    ensure(self.held_untold, "nothing is held back that its report did not tell")?;
                    self.held_untold = false;
                }
                self.noticed.push(notice);
            }
        }
        Ok(())
    }

    /// What was accepted without a line stays accepted; a live payment is what the acquirer's report makes of it.
    fn restore(&mut self, restored: &Restored) -> Result<(), &'static str> {
        ensure(self.last_seq == self.key, "what was taken elsewhere begins with it")?;
        self.sends.may_have_arrived = true;
        if restored.class != Class::Live {
            let (class, at_ms) = (restored.class, restored.captured_at_ms);
            self.acceptance = Some(Acceptance { class, at_ms, deadline_ms: None });
        }
        self.restored = Some(restored.clone());
        Ok(())
    }

    fn step_at_reader(&mut self, event: &PaymentEvent, at_ms: i64) -> Result<(), &'static str> {
        match event {
            PaymentEvent::AttemptStarted(started) => {
                ensure(self.restored.is_none(), "it was taken elsewhere")?;
                ensure(self.card.is_none() && !self.is_closed(), "the card was read or the charge given up")?;
                self.attempts.push(Attempt {
                    attempt_id: started.attempt_id,
                    reader_serial: started.reader_serial.clone(),
                    started_at_ms: at_ms,
                    ended: None,
                    concluded: None,
                });
            }
            PaymentEvent::CardRead(read) => {
                ensure(self.card.is_none() && !self.is_closed(), "a card is read once, before it is given up")?;
                ensure(!self.attempts.is_empty(), "nobody asked for a card")?;
                self.card = Some((read.clone(), at_ms));
                self.blob_held = true;
            }
            PaymentEvent::ReaderConcluded(code) => {
                let attempt = self.attempts.last_mut().ok_or("nobody asked for a card")?;
                attempt.concluded = Some(code.clone());
            }
            PaymentEvent::ReceiptDataRead(receipt) => {
                ensure(self.card.is_some(), "no card was read")?;
                ensure(self.receipt.is_none(), "a receipt's data is read once")?;
                self.receipt = Some(receipt.clone());
            }
            PaymentEvent::AttemptEnded(ended) => {
                let attempt = self.attempts.last_mut().ok_or("nobody asked for a card")?;
                attempt.ended = Some(ended.why);
            }
            _ => return Err("not an event of the reader's side"),
        }
        Ok(())
    }

    fn step_at_acquirer(&mut self, event: &PaymentEvent, at_ms: i64) -> Result<(), &'static str> {
        match event {
            PaymentEvent::SendStarted(started) => {
                self.may_send(started.lane)?;
                self.sends_of(started.lane)?.start(started, at_ms)
            }
            PaymentEvent::SendEnded(ended) => {
                self.sends_of(ended.lane)?.end(ended, at_ms)?;
                if ended.result == SendResult::Refused && ended.lane != Lane::Reversal && !self.is_undone() {
                    self.park(ParkReason::Refused, ended.code.clone());
                }
                Ok(())
            }
            PaymentEvent::PaymentReported(report) => {
                let newer = self.report.as_ref().is_none_or(|known| known.report_version < report.report_version);
                #[cfg(feature = "planted")]
                let newer = newer || crate::planted::is("version_ignored");
                ensure(newer, "only a newer report is written down")?;
                self.hear(report, at_ms);
                Ok(())
            }
            PaymentEvent::NotReceived(absent) => {
                ensure(self.report.is_none(), "the acquirer has reported on it")?;
                if absent.is_final {
                    self.sends.answered();
                    self.sends.may_have_arrived = false;
                    self.not_received_finally = true;
                }
                Ok(())
            }
            PaymentEvent::ReversalRequested(requested) => {
                ensure(self.reversal.is_none(), "a reversal is decided once")?;
                // Promise P2's other half: goods that left with the customer are never undone by a time-out.
                let waits = self.acceptance.is_none();
                #[cfg(feature = "planted")]
                let waits = waits || crate::planted::is("reverse_deferred");
                ensure(waits, "an accepted payment is never reversed by itself")?;
                ensure(self.restored.is_none(), "it was taken elsewhere")?;
                let sent = self.sends.may_have_arrived || self.sends.open.is_some();
                let charged = sent && !self.is_closed() && (!self.is_answered() || self.is_approved());
                ensure(charged, "there is nothing to undo")?;
                self.reversal = Some(ReversalState {
                    requested_at_ms: at_ms,
                    reason: requested.reason,
                    sends: Sends::default(),
                    outcome: None,
                });
                Ok(())
            }
            PaymentEvent::ReversalReported(answer) => {
                let reversal = self.reversal.as_mut().ok_or("no reversal was asked for")?;
                ensure(reversal.outcome.is_none(), "a reversal is answered once")?;
                reversal.sends.answered();
                reversal.outcome = Some(answer.outcome);
                let too_late = answer.outcome == ReversalOutcome::AlreadyCleared;
                self.parked = too_late.then_some((ParkReason::AlreadyCleared, None));
                Ok(())
            }
            _ => Err("not an event of the acquirer's side"),
        }
    }

    fn park(&mut self, reason: ParkReason, code: Option<String>) {
        self.parked = Some((reason, code));
        let nothing_there = self.sends.open.is_none() && !self.sends.may_have_arrived;
        let live = self.acceptance.is_none() && self.reversal.is_none();
        if live && nothing_there && reason != ParkReason::AlreadyCleared {
            self.refused_live = Some(reason);
        }
    }

    fn hear(&mut self, report: &PaymentReported, at_ms: i64) {
        if report.authorization == Authorization::Processing {
            let lane = if self.acceptance.is_some() { Lane::Drain } else { Lane::Live };
            self.sends.in_progress(lane, at_ms);
        }
        self.sends.answered();
        self.sends.may_have_arrived = true;
        // A newer word may resolve what stood still; whoever decides parks it again if it does not. What came too
        // late to undo stays so until the acquirer says that it is undone.
        let charged = matches!(
            report.authorization,
            Authorization::Processing | Authorization::Approved | Authorization::PartiallyApproved
        );
        if !(self.is_too_late() && charged) {
            self.parked = None;
        }
        let mut report = report.clone();
        if report.arrival == Arrival::Arrived && report.evidence == Evidence::None {
            // Promise P6: the report itself is the acquirer's word.
            report.evidence = Evidence::Acquirer;
        }
        let (was_short, was_held) = (self.is_short(), self.is_held());
        // Old news of another phone's stands in the lists.
        let is_news = self.restored.is_none() || self.report.is_some();
        self.report = Some(report);
        let short = self.is_short() && !was_short && self.is_deferred();
        self.held_untold = is_news && short && self.is_held() && !was_held;
    }

    fn may_send(&self, lane: Lane) -> Result<(), &'static str> {
        ensure(!self.is_closed(), "nothing may be sent for a closed payment")?;
        if let Some(reversal) = &self.reversal {
            ensure(lane == Lane::Reversal, "it is being undone")?;
            return ensure(reversal.outcome.is_none(), "the reversal was answered");
        }
        ensure(lane != Lane::Reversal, "no reversal was asked for")?;
        ensure(self.card.is_some(), "there is no card to charge")?;
        ensure((lane == Lane::Drain) == self.acceptance.is_some(), "not the lane of this payment")?;
        let waits = !self.is_answered() && !self.expired && self.parked.is_none() && self.blob_held;
        ensure(waits, "nothing more is to be sent")
    }

    fn accept(&mut self, accepted: &Accepted, at_ms: i64) -> Result<(), &'static str> {
        let taken = self.card.is_some() || (self.restored.is_some() && accepted.class == Class::Live);
        ensure(taken, "no card was read")?;
        ensure(self.acceptance.is_none(), "acceptance is decided once")?;
        ensure(self.reversal.is_none(), "it is being undone")?;
        ensure(!self.is_closed(), "it is closed already")?;
        if accepted.class == Class::Live {
            // Promise P3: only the acquirer's word makes a live payment good.
            ensure(self.is_approved(), "nobody has approved it")?;
        } else {
            // A live payment that may be at the acquirer stays live and in doubt.
            ensure(!self.sends.may_have_arrived && self.sends.open.is_none(), "it may have been charged live")?;
            ensure(accepted.deadline_ms.is_some(), "what is accepted offline has a deadline")?;
        }
        self.acceptance = Some(Acceptance { class: accepted.class, at_ms, deadline_ms: accepted.deadline_ms });
        Ok(())
    }

    fn sends_of(&mut self, lane: Lane) -> Result<&mut Sends, &'static str> {
        match lane {
            Lane::Live | Lane::Drain => Ok(&mut self.sends),
            Lane::Reversal => {
                self.reversal.as_mut().map(|reversal| &mut reversal.sends).ok_or("no reversal was asked for")
            }
        }
    }

    fn may_erase(&self, why: EraseReason) -> bool {
        match why {
            EraseReason::Answered => self.is_answered() || self.is_closed(),
            EraseReason::Refused => self.refused_by.is_some(),
            EraseReason::Cancelled => self.cancelled,
            EraseReason::Expired => self.expired,
        }
    }
}

pub(super) fn ensure(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}
