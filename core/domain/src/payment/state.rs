//! The fold of a payment's events.

use crate::axes::words;
use crate::event::{
    Accepted, AttemptEnd, CardRead, ChargeMode, ChargeStarted, Class, EraseReason, Lane, NoticeKind, ParkReason,
    PaymentEvent, PaymentReported, ReaderConcluded, Recorded, ReversalOutcome, SendEnded, SendResult, SendStarted,
};
use crate::{AttemptId, Authorization, OperationId, PaymentId};
use thiserror::Error;

/// How long a live payment's id is sent again before it is asked after and undone: the customer's patience.
pub const LIVE_WINDOW_MS: i64 = 60_000;

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

words! {
    /// The phone's own view of an accepted or sent payment.
    Delivery {
        /// Waiting; certainly not at the acquirer.
        Queued => "queued",
        /// A send is under way.
        Sending => "sending",
        /// It may be at the acquirer; nobody knows.
        InDoubt => "in_doubt",
        /// The acquirer has answered.
        Delivered => "delivered",
        /// Stands still until somebody acts.
        Parked => "parked",
    }
}

/// One presentation of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub attempt_id: AttemptId,
    /// The reader, if known when it began.
    pub reader_serial: Option<String>,
    /// When it began, wall clock, milliseconds UTC.
    pub started_at_ms: i64,
    /// Why it ended without a card, if it did.
    pub ended: Option<AttemptEnd>,
    /// The reader's completion code, if it came.
    pub concluded: Option<ReaderConcluded>,
}

/// The merchant's acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// How.
    pub class: Class,
    /// When, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// Must be uploaded before, milliseconds UTC.
    pub deadline_ms: Option<i64>,
}

/// The sends of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sends {
    /// How many began.
    pub count: u32,
    /// When the first began, wall clock, milliseconds UTC.
    pub first_at_ms: Option<i64>,
    /// The one without an end.
    pub open: Option<OperationId>,
    /// How the last one ended, and when (wall clock, milliseconds UTC).
    pub last_end: Option<(SendEnded, i64)>,
    /// Some send may have reached the acquirer, and nothing since has said that it did not.
    pub may_have_arrived: bool,
}

/// What is known of the reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalState {
    /// When it was decided, wall clock, milliseconds UTC.
    pub requested_at_ms: i64,
    /// Its sends.
    pub sends: Sends,
    /// The acquirer's answer.
    pub outcome: Option<ReversalOutcome>,
}

/// The newest report.
pub type Report = PaymentReported;

/// All that is known of one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentState {
    /// The number of its first event: its key in the ledger.
    pub key: u64,
    /// What was asked.
    pub charge: ChargeStarted,
    /// Who asked.
    pub operator: Option<String>,
    /// When, wall clock, milliseconds UTC.
    pub started_at_ms: i64,
    /// Every presentation, oldest first.
    pub attempts: Vec<Attempt>,
    /// The card, once read, and when (wall clock, milliseconds UTC): the moment of capture.
    pub card: Option<(CardRead, i64)>,
    /// Ciphertext is still on the phone.
    pub blob_held: bool,
    /// The acceptance, if there is one.
    pub acceptance: Option<Acceptance>,
    /// The policy's rule that refused it.
    pub refused_by: Option<String>,
    /// Given up before a card was read.
    pub abandoned: Option<AttemptEnd>,
    /// The other payment it knowingly repeats.
    pub repeats: Option<PaymentId>,
    /// Whether the goods were handed over.
    pub service_given: Option<bool>,
    /// Submissions, on the live and drain lanes together.
    pub sends: Sends,
    /// The newest report.
    pub report: Option<Report>,
    /// The acquirer promised to refuse a late original.
    pub not_received_finally: bool,
    /// The reversal, if one was decided.
    pub reversal: Option<ReversalState>,
    /// Parked by an event of its own or by a refusal.
    pub parked: Option<(ParkReason, Option<String>)>,
    /// The deadline passed unsent.
    pub expired: bool,
    /// The merchant cancelled before anything left.
    pub cancelled: bool,
    /// Notices given: kind and the instant each was for.
    pub noticed: Vec<(NoticeKind, i64)>,
    /// The number of its newest event.
    pub last_seq: u64,
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
            attempts: Vec::new(),
            card: None,
            blob_held: false,
            acceptance: None,
            refused_by: None,
            abandoned: None,
            repeats: None,
            service_given: None,
            sends: Sends::default(),
            report: None,
            not_received_finally: false,
            reversal: None,
            parked: None,
            expired: false,
            cancelled: false,
            noticed: Vec::new(),
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
            PaymentEvent::AttemptStarted(started) => {
                ensure(self.card.is_none() && self.abandoned.is_none(), "the card was read or the charge given up")?;
                self.attempts.push(Attempt {
                    attempt_id: started.attempt_id,
                    reader_serial: started.reader_serial.clone(),
                    started_at_ms: at_ms,
                    ended: None,
                    concluded: None,
                });
            }
            PaymentEvent::CardRead(read) => {
                ensure(self.card.is_none() && self.abandoned.is_none(), "a card is read once, before it is given up")?;
                ensure(!self.attempts.is_empty(), "nobody asked for a card")?;
                self.card = Some((read.clone(), at_ms));
                self.blob_held = true;
            }
            PaymentEvent::ReaderConcluded(code) => {
                let attempt = self.attempts.last_mut().ok_or("nobody asked for a card")?;
                attempt.concluded = Some(code.clone());
            }
            PaymentEvent::AttemptEnded(ended) => {
                let attempt = self.attempts.last_mut().ok_or("nobody asked for a card")?;
                attempt.ended = Some(ended.why);
            }
            PaymentEvent::Accepted(accepted) => self.accept(accepted, at_ms)?,
            PaymentEvent::OfflineRefused(refused) => {
                ensure(self.acceptance.is_none(), "an accepted payment cannot be refused")?;
                ensure(!self.sends.may_have_arrived, "it may have been charged")?;
                self.refused_by = Some(refused.rule.clone());
            }
            PaymentEvent::Abandoned(abandoned) => {
                ensure(self.acceptance.is_none() && self.sends.count == 0, "it was accepted or sent")?;
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
            PaymentEvent::Parked(parked) => self.parked = Some((parked.reason, parked.code.clone())),
            PaymentEvent::Expired(_) => {
                ensure(self.acceptance.is_some() && !self.is_answered(), "only what waits can expire")?;
                self.expired = true;
            }
            PaymentEvent::CancelledUnsent(_) => {
                ensure(
                    self.delivery() == Some(Delivery::Queued),
                    "only what certainly did not leave can be cancelled",
                )?;
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
                self.noticed.push(notice);
            }
        }
        Ok(())
    }

    fn step_at_acquirer(&mut self, event: &PaymentEvent, at_ms: i64) -> Result<(), &'static str> {
        match event {
            PaymentEvent::SendStarted(started) => {
                ensure(self.card.is_some(), "there is no card to charge")?;
                ensure(!self.is_closed(), "nothing may be sent for a closed payment")?;
                self.sends_of(started.lane)?.start(started, at_ms)
            }
            PaymentEvent::SendEnded(ended) => {
                self.sends_of(ended.lane)?.end(ended, at_ms)?;
                if ended.result == SendResult::Refused && ended.lane != Lane::Reversal {
                    self.parked = Some((ParkReason::Refused, ended.code.clone()));
                }
                Ok(())
            }
            PaymentEvent::PaymentReported(report) => {
                let newer = self.report.as_ref().is_none_or(|known| known.report_version < report.report_version);
                ensure(newer, "only a newer report is written down")?;
                self.sends.answered();
                self.sends.may_have_arrived = true;
                // A newer word may resolve what stood still; whoever decides parks it again if it does not.
                self.parked = None;
                self.report = Some(report.clone());
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
            PaymentEvent::ReversalRequested(_) => {
                ensure(self.reversal.is_none(), "a reversal is decided once")?;
                // Promise P2's other half: goods that left with the customer are never undone by a time-out.
                ensure(self.acceptance.is_none(), "an accepted payment is never reversed by itself")?;
                self.reversal = Some(ReversalState { requested_at_ms: at_ms, sends: Sends::default(), outcome: None });
                Ok(())
            }
            PaymentEvent::ReversalReported(answer) => {
                let reversal = self.reversal.as_mut().ok_or("no reversal was asked for")?;
                reversal.sends.answered();
                reversal.outcome = Some(answer.outcome);
                Ok(())
            }
            _ => Err("not an event of the acquirer's side"),
        }
    }

    fn accept(&mut self, accepted: &Accepted, at_ms: i64) -> Result<(), &'static str> {
        ensure(self.card.is_some(), "no card was read")?;
        ensure(self.acceptance.is_none() && self.refused_by.is_none(), "acceptance is decided once")?;
        ensure(self.reversal.is_none(), "it is being undone")?;
        if accepted.class == Class::Deferred {
            // A live payment that may be at the acquirer stays live and in doubt.
            ensure(!self.sends.may_have_arrived && self.sends.open.is_none(), "it may have been charged live")?;
            ensure(accepted.deadline_ms.is_some(), "a deferred payment has a deadline")?;
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

    /// The payment's id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.charge.payment_id
    }

    /// When the card was read, else when the charge began; wall clock, milliseconds UTC.
    #[must_use]
    pub fn captured_at_ms(&self) -> i64 {
        self.card.as_ref().map_or(self.started_at_ms, |(_, at_ms)| *at_ms)
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

    /// What was approved, minor units; zero without an approval.
    #[must_use]
    pub fn approved_minor(&self) -> i64 {
        match (&self.report, self.is_approved()) {
            (Some(report), true) => report.approved_amount_minor.unwrap_or(self.charge.amount.amount_minor()),
            _ => 0,
        }
    }

    /// Certainly not charged, and nothing will change that: refused, abandoned, cancelled, or undone before any approval.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.refused_by.is_some()
            || self.abandoned.is_some()
            || self.cancelled
            || self.is_undone()
            || (self.not_received_finally && self.acceptance.is_none())
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

impl Sends {
    fn start(&mut self, started: &SendStarted, at_ms: i64) -> Result<(), &'static str> {
        ensure(self.open.is_none(), "one send at a time")?;
        ensure(self.count.checked_add(1) == Some(started.n), "the attempt counter is out of step")?;
        self.count = started.n;
        self.first_at_ms.get_or_insert(at_ms);
        self.open = Some(started.op);
        Ok(())
    }

    fn end(&mut self, ended: &SendEnded, at_ms: i64) -> Result<(), &'static str> {
        ensure(self.open == Some(ended.op) && self.count == ended.n, "this send is not under way")?;
        self.open = None;
        match ended.result {
            // An earlier send may still have arrived: "not sent" speaks of this one only.
            SendResult::NotSent => {}
            SendResult::Maybe | SendResult::InProgress | SendResult::Unverified => self.may_have_arrived = true,
            SendResult::Refused => {}
        }
        self.last_end = Some((ended.clone(), at_ms));
        Ok(())
    }

    fn answered(&mut self) {
        self.open = None;
    }
}

fn ensure(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}
