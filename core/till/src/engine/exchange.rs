//! What is asked of the acquirer, and how what comes back is understood.

use takings_acquirers::http::Carried;
use takings_acquirers::{
    Answer, ClockReport, ClockSource, EncodeError, Identity, Inquiry, Lookup, Operation, Reply, Reversal,
    SigningContext, SubmitBatch, SubmitOne, Value, decode, encode,
};
use takings_domain::event::{Lane, SendStarted};
use takings_domain::{Now, OperationId, PaymentId, PayoutId, TimeAnchor};

use super::book::Book;
use super::documents::DocumentKind;
use super::live::known;
use super::submission::submission;
use super::trouble::Trouble;
use super::{Effect, Engine, Line};
use crate::charge::ChargeOutcome;
use crate::error::TillError;

/// A request's time-out is the smaller of the configured one and what is left of the budget, at least this, milliseconds.
const LEAST_TIMEOUT_MS: i64 = 1_000;

/// So long somebody with a card in the hand waits for a session before the offline policy decides, milliseconds.
const SESSION_PATIENCE_MS: i64 = 10_000;

/// One request at most is under way in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Control,
    Live,
    Drain,
    Reversal,
    Feed,
}

/// A question under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Keys,
    Activate,
    SignOn,
    Document(DocumentKind),
    Live(PaymentId),
    Inquire(PaymentId),
    Drain(Vec<PaymentId>),
    Reverse(PaymentId),
    Events,
    Payments,
    Payment(PaymentId),
    Payouts,
    Payout(PayoutId),
    Entries(PayoutId),
    /// A page of what an earlier phone took.
    EarlierPayments,
    EarlierPayouts,
}

impl Asked {
    pub(super) fn slot(&self) -> Slot {
        match self {
            Self::Keys | Self::Activate | Self::SignOn | Self::Document(_) => Slot::Control,
            Self::Live(_) | Self::Inquire(_) => Slot::Live,
            Self::Drain(_) => Slot::Drain,
            Self::Reverse(_) => Slot::Reversal,
            Self::Events
            | Self::Payments
            | Self::Payment(_)
            | Self::Payouts
            | Self::Payout(_)
            | Self::Entries(_)
            | Self::EarlierPayments
            | Self::EarlierPayouts => Slot::Feed,
        }
    }
}

/// A question with the exact form it was asked in: the answer is judged by it.
pub(super) struct InFlight {
    asked: Asked,
    pub(super) operation: Operation,
}

/// A believed answer.
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way through")]
pub(super) enum Heard {
    Value(Value),
    NotModified,
}

impl Engine {
    pub(super) fn slot_free(&self, slot: Slot) -> bool {
        !self.in_flight.values().any(|flight| flight.asked.slot() == slot)
    }

    /// Asks a question that leaves no mark in the ledger.
    pub(super) fn ask(&mut self, asked: Asked, now: Now) -> Result<(), TillError> {
        let op = self.new_operation(now);
        let operation = match &asked {
            Asked::Keys => Operation::Keys,
            Asked::Activate => self.activation()?,
            Asked::SignOn => self.sign_on(op, now)?,
            Asked::Document(kind) => self.document_question(*kind, now),
            Asked::Inquire(id) => {
                let mut tx = self.ledger.begin()?;
                let amount = Some(known(&mut tx, *id)?.charge.amount);
                let lookup = Lookup { payment_id: *id, amount, close_if_unknown: true };
                #[cfg(feature = "planted")]
                let lookup =
                    Lookup { close_if_unknown: !takings_domain::planted::is("not_found_as_not_charged"), ..lookup };
                Operation::Inquire(Inquiry { request_id: op, lookups: vec![lookup] })
            }
            Asked::Events
            | Asked::Payments
            | Asked::Payment(_)
            | Asked::Payouts
            | Asked::Payout(_)
            | Asked::Entries(_) => self.feed_question(&asked)?,
            Asked::EarlierPayments | Asked::EarlierPayouts => self.restore_question(&asked),
            Asked::Live(_) | Asked::Drain(_) | Asked::Reverse(_) => {
                return Err(TillError::internal("ask", "sends are written down first"));
            }
        };
        self.send(op, asked, operation, now)
    }

    /// Sends a live payment whose start is on disk.
    pub(super) fn send_live(&mut self, op: OperationId, id: PaymentId, now: Now) -> Result<(), TillError> {
        let (session_id, clock) = (self.session_id()?, self.clock_report(now));
        let payment = {
            let mut tx = self.ledger.begin()?;
            let payment = known(&mut tx, id)?;
            submission(&payment, tx.card_blob(id)?.as_deref().map(Vec::as_slice))?
        };
        self.send(op, Asked::Live(id), Operation::Payment(Box::new(SubmitOne { session_id, clock, payment })), now)
    }

    /// Writes the starts of a batch down, in one commit, and sends it.
    pub(super) fn start_batch(&mut self, ids: &[PaymentId], now: Now) -> Result<(), TillError> {
        let (session_id, clock) = (self.session_id()?, self.clock_report(now));
        let op = self.new_operation(now);
        let mut items = Vec::with_capacity(ids.len());
        let mut tx = self.ledger.begin()?;
        for id in ids {
            let before = known(&mut tx, *id)?;
            let n = before.sends.count.saturating_add(1);
            tx.append_payment(now, None, *id, SendStarted { op, n, lane: Lane::Drain }.into())?;
            let payment = known(&mut tx, *id)?;
            items.push(submission(&payment, tx.card_blob(*id)?.as_deref().map(Vec::as_slice))?);
        }
        tx.commit()?;
        if let Some(run) = &mut self.run {
            run.report.sent = run.report.sent.saturating_add(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        }
        let batch = SubmitBatch { batch_id: op, session_id, clock, items };
        self.send(op, Asked::Drain(ids.to_vec()), Operation::Batch(batch), now)
    }

    /// Writes the start of a reversal's send down and sends it. It needs no session and waits for none.
    pub(super) fn start_reversal(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let op = self.new_operation(now);
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        let Some(reversal) = &payment.reversal else { return Ok(()) };
        let n = reversal.sends.count.saturating_add(1);
        tx.append_payment(now, None, id, SendStarted { op, n, lane: Lane::Reversal }.into())?;
        tx.commit()?;
        let reversal = Reversal {
            payment_id: id,
            amount: payment.charge.amount,
            reason: reversal.reason,
            batch_number: payment.charge.batch_number.clone(),
            stan: payment.charge.stan,
            captured_on: payment.charge.captured_on,
            attempt: n,
        };
        self.send(op, Asked::Reverse(id), Operation::Reverse(reversal), now)
    }

    fn send(&mut self, op: OperationId, asked: Asked, operation: Operation, now: Now) -> Result<(), TillError> {
        let context = SigningContext { now_ms: self.server_ms(now), nonce: self.random() };
        let terminal = self.state.activated.as_ref().map(|activated| activated.terminal_id.clone());
        let identity =
            Identity { base_url: &self.acquirer_url, terminal_id: terminal.as_deref(), signer: self.key.as_ref() };
        let encoded = encode(&operation, &identity, &context);
        let customer = matches!(&asked, Asked::Live(id) if self.waits_for_answer(*id));
        let for_session =
            asked.slot() == Slot::Control && !(self.waiting_charges.is_empty() && self.waiting_live.is_empty());
        let patience_ms = if for_session { SESSION_PATIENCE_MS } else { i64::MAX };
        #[cfg(feature = "planted")]
        if asked.slot() == Slot::Live {
            self.drop_batch_under_way();
        }
        self.in_flight.insert(op, InFlight { asked, operation });
        match encoded {
            Ok(request) => {
                // A customer's answer is awaited in full, whatever a sync's budget says.
                let budget_ms = self.run.as_ref().filter(|_| !customer).map(|run| run.left_ms(now));
                let left_ms = budget_ms.unwrap_or(i64::MAX).max(LEAST_TIMEOUT_MS).min(patience_ms);
                let timeout_ms = self.request_timeout_ms.min(u64::try_from(left_ms).unwrap_or(u64::MAX));
                if let Some(run) = &mut self.run {
                    run.report.requests = run.report.requests.saturating_add(1);
                }
                self.effects.push(Effect::Send { op, request, timeout_ms });
            }
            // A defect of ours: no later line would make it better. It is refused as the acquirer would.
            Err(error @ EncodeError::Invalid { .. }) => {
                self.answer_ourselves(op, Trouble::Refused { code: error.to_string(), existing: None }, now);
            }
            // Nothing left the phone: the same road as a refused connection, with the reason kept.
            Err(error) => self.answer(op, Carried::NotSent(error.to_string()), now),
        }
        Ok(())
    }

    /// A request came to its end.
    pub(super) fn answer(&mut self, op: OperationId, carried: Carried, now: Now) {
        let Some(InFlight { asked, operation }) = self.in_flight.remove(&op) else { return };
        let unreadable = self.failures.is_enough(&asked);
        if !unreadable {
            self.failures.begin(&asked);
        }
        let heard = match carried {
            Carried::NotSent(why) => Err(Trouble::NotSent { why }),
            #[cfg(feature = "planted")]
            Carried::Maybe(why) if takings_domain::planted::is("maybe_as_not_sent") => Err(Trouble::NotSent { why }),
            Carried::Maybe(why) => Err(Trouble::Maybe { why, retry_after_ms: None, signed: false }),
            Carried::Answer(_) if unreadable => {
                let why = "the engine failed at answers like this one".to_owned();
                Err(Trouble::Unverified { why, unknown_key: false })
            }
            Carried::Answer(answer) => self.understand(&operation, &answer),
        };
        match &heard {
            Ok(_) => self.line_up(),
            Err(Trouble::NotSent { why }) => self.line_down(why),
            Err(trouble) => self.hear_trouble(trouble, now),
        }
        self.conclude(asked, heard, now);
        self.failures.end();
    }

    /// A question that never left ends as if it had been refused.
    fn answer_ourselves(&mut self, op: OperationId, trouble: Trouble, now: Now) {
        let Some(InFlight { asked, .. }) = self.in_flight.remove(&op) else { return };
        self.conclude(asked, Err(trouble), now);
    }

    fn conclude(&mut self, asked: Asked, heard: Result<Heard, Trouble>, now: Now) {
        let customer = if let Asked::Live(id) = &asked { Some(*id) } else { None };
        let about = asked.clone();
        let done = match self.dispatch(asked, heard, now) {
            Err(error) if error.is_about_one_subject() => {
                self.note(&error);
                self.disbelieve(about, &error, now)
            }
            done => done,
        };
        if let Err(error) = done {
            self.note(&error);
            // What could not be written down is settled as after a crash; a customer hears that nobody knows.
            self.left_open = true;
            if let Some(id) = customer {
                self.decide(id, ChargeOutcome::NotConfirmed);
            }
            if let Some(run) = &mut self.run {
                run.stop("storage", Some(error));
            }
        }
    }

    /// The acquirer signed something that the ledger's rules refuse: it is not believed, and stops nobody else's.
    fn disbelieve(&mut self, asked: Asked, error: &TillError, now: Now) -> Result<(), TillError> {
        let trouble = Trouble::Unverified { why: error.to_string(), unknown_key: false };
        // There is a line, and somebody who signs: news that are not believed are no silence.
        if asked.slot() != Slot::Feed {
            self.hear_trouble(&trouble, now);
        } else if let Some(run) = &mut self.run {
            run.report.detail = Some(error.to_string());
        }
        match asked {
            Asked::Keys | Asked::Activate | Asked::SignOn => {
                self.control_trouble(&trouble);
                Ok(())
            }
            Asked::Document(kind) => {
                self.forgo_document(kind, &trouble);
                Ok(())
            }
            Asked::Live(id) => self.live_trouble(id, trouble, now),
            Asked::Inquire(id) => self.inquiry_trouble(id, &trouble, now),
            Asked::Drain(ids) => self.batch_trouble(&ids, &trouble, now),
            Asked::Reverse(id) => self.reversal_trouble(id, &trouble, now),
            asked @ (Asked::Events
            | Asked::Payments
            | Asked::Payouts
            | Asked::Payment(_)
            | Asked::Payout(_)
            | Asked::Entries(_)
            | Asked::EarlierPayments
            | Asked::EarlierPayouts) => self.disbelieve_news(asked, trouble, now),
        }
    }

    fn understand(&self, operation: &Operation, answer: &Answer) -> Result<Heard, Trouble> {
        let ring = self.ring().ok_or_else(|| Trouble::Unverified { why: "no_keys".into(), unknown_key: true })?;
        match decode(operation, answer, ring) {
            Reply::Verified(verified) => Ok(Heard::Value(verified.value)),
            Reply::NotModified => Ok(Heard::NotModified),
            Reply::Problem(problem) => Err(Trouble::of(&problem)),
            Reply::Unverified(why) => Err(Trouble::unverified(&why)),
        }
    }

    fn hear_trouble(&mut self, trouble: &Trouble, now: Now) {
        if let Some(wait_ms) = trouble.retry_after_ms() {
            self.hold(wait_ms, now);
        }
        if let Trouble::NotExecuted { server_ms: Some(server_ms), .. } = trouble {
            self.told_clock = Some(TimeAnchor { server_ms: *server_ms, heard_at: now });
        }
        let silent = trouble.is_silence();
        if silent {
            self.line = Line::Unknown;
        } else {
            self.line_up();
        }
        let needs_sign_on = trouble.wants_sign_on();
        self.session_refused |= needs_sign_on;
        if let Some(run) = &mut self.run {
            run.silences = run.silences.saturating_add(u32::from(silent));
            run.need_sign_on |= needs_sign_on && run.may_sign_on_again();
            run.need_keys |= trouble.wants_keys() && run.may_read_keys_again();
            run.report.detail = trouble.code().map(str::to_owned);
        }
    }

    fn dispatch(&mut self, asked: Asked, heard: Result<Heard, Trouble>, now: Now) -> Result<(), TillError> {
        match (asked, heard) {
            (Asked::Keys, Ok(Heard::Value(Value::Keys(keys)))) => self.on_keys(keys),
            (Asked::Activate, Ok(Heard::Value(Value::Terminal(terminal)))) => self.on_activated(&terminal, now),
            (Asked::SignOn, Ok(Heard::Value(Value::SignOn(report)))) => self.on_signed_on(&report, now),
            (Asked::Document(kind), Ok(heard)) => self.on_document(kind, heard, now),
            (Asked::Document(kind), Err(trouble)) => {
                self.forgo_document(kind, &trouble);
                Ok(())
            }
            (Asked::Keys | Asked::Activate | Asked::SignOn, Err(trouble)) => {
                self.control_trouble(&trouble);
                Ok(())
            }
            (Asked::Live(id), Ok(Heard::Value(Value::Payment(report)))) => self.on_live_report(id, &report, now),
            (Asked::Live(id), Err(trouble)) => self.live_trouble(id, trouble, now),
            (Asked::Inquire(id), Ok(Heard::Value(Value::Inquiry(report)))) => self.on_inquiry(id, report, now),
            (Asked::Inquire(id), Err(trouble)) => self.inquiry_trouble(id, &trouble, now),
            (Asked::Drain(ids), Ok(Heard::Value(Value::Batch(report)))) => self.on_batch(&ids, report, now),
            (Asked::Drain(ids), Err(trouble)) => self.batch_trouble(&ids, &trouble, now),
            (Asked::Reverse(id), Ok(Heard::Value(Value::Reversal(report)))) => self.on_reversal(id, &report, now),
            (Asked::Reverse(id), Err(trouble)) => self.reversal_trouble(id, &trouble, now),
            (asked, heard) => self.on_feed(asked, heard, now),
        }
    }

    fn session_id(&self) -> Result<String, TillError> {
        let session = self.state.session.as_ref().map(|session| session.session_id.clone());
        session.ok_or_else(|| TillError::sign_in("never_signed_on", "sign on first"))
    }

    fn clock_report(&self, now: Now) -> ClockReport {
        match self.state.anchor {
            Some(anchor) => ClockReport {
                offset_s: anchor.offset_ms() / 1_000,
                uncertainty_s: if anchor.heard_at.boot_id == now.boot_id { 2 } else { 120 },
                source: ClockSource::SignOn,
            },
            None => ClockReport { offset_s: 0, uncertainty_s: 86_400, source: ClockSource::None },
        }
    }
}
