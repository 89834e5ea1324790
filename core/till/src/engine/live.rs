//! The card at the till: acceptance, and the one request whose customer waits.

use takings_acquirers::ProblemSlug;
use takings_domain::event::{
    ChargeMode, EraseReason, Lane, NotReceived, ParkReason, Parked, ReversalReason, ReversalRequested, SendEnded,
    SendResult, SendStarted,
};
use takings_domain::payment::{Delivery, PaymentState};
use takings_domain::{Now, OperationId, PaymentId, ReversalId};
use takings_readers::OnlineRequest;
use takings_store::Transaction;

use super::Engine;
use super::book::Book;
use super::charging::{ReadCard, erase_blob};
use super::exchange::Slot;
use super::offline::{Judgement, accept_offline};
use super::reader::append_last_words;
use super::run::Wanted;
use super::session::SIGN_ON_BUDGET_MS;
use super::submission::BlobRecord;
use super::trouble::Trouble;
use crate::charge::ChargeOutcome;
use crate::error::TillError;

/// What became of a card that was read.
pub(super) enum Kept {
    /// Accepted or refused, by the offline policy.
    Decided(ChargeOutcome),
    /// Its send is on disk.
    Sending,
    /// It waits for the lane or for a session.
    Waiting,
}

impl Engine {
    /// The card data is here. It reaches the disk together with what is decided about it, before anybody hears of it.
    pub(super) fn on_card(&mut self, id: PaymentId, request: &OnlineRequest, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        if charge.card_read.is_some() || charge.outcome.is_some() {
            return Ok(());
        }
        let last_four = request.masked_card.last_four().to_owned();
        charge.card_read = Some(ReadCard { entry_mode: request.entry_mode, last_four });
        let op = self.new_operation(now);
        let done = match self.keep_card(id, request, op, now) {
            Ok(Kept::Sending) => self.send_live(op, id, now),
            Ok(Kept::Decided(outcome)) => {
                self.decide(id, outcome);
                Ok(())
            }
            Ok(Kept::Waiting) => {
                self.waiting_live.push_back(id);
                Ok(())
            }
            Err(error) => Err(error),
        };
        done.or_else(|error| self.card_in_question(id, error, now))
    }

    /// One commit: the card, and what is decided about it.
    pub(super) fn keep_card(
        &mut self,
        id: PaymentId,
        request: &OnlineRequest,
        op: OperationId,
        now: Now,
    ) -> Result<Kept, TillError> {
        let operator = self.operator_of(id);
        let record = BlobRecord::of(request);
        let live = self.can_go_live(now);
        let lane_free = self.slot_free(Slot::Live) && self.has_session(now);
        let clock = self.clock_facts(now);
        let policy = self.documents.policy.as_ref();
        let judgement = Judgement { policy, clock };
        let captured_at_ms = Some(self.server_ms(now)).filter(|at_ms| *at_ms != now.wall_ms);
        let mut tx = self.ledger.begin()?;
        tx.append_payment(now, operator.as_deref(), id, record.event(request, captured_at_ms).into())?;
        tx.put_card_blob(id, &record.to_bytes()?)?;
        let payment = known(&mut tx, id)?;
        if !live || payment.charge.mode == ChargeMode::Offline {
            let outcome = accept_offline(&mut tx, now, operator.as_deref(), id, &judgement)?;
            #[cfg(feature = "planted")]
            if takings_domain::planted::is("acknowledge_before_commit") && !self.planted.writing {
                self.planted.cards.push((id, request.clone(), op));
                return Ok(Kept::Decided(outcome));
            }
            tx.commit()?;
            return Ok(Kept::Decided(outcome));
        }
        #[cfg(feature = "planted")]
        if lane_free && takings_domain::planted::is("effect_before_commit") {
            tx.commit()?;
            self.planted.sends.push((id, op));
            return Ok(Kept::Sending);
        }
        if lane_free {
            let started = SendStarted { op, n: payment.sends.count.saturating_add(1), lane: Lane::Live };
            tx.append_payment(now, operator.as_deref(), id, started.into())?;
        }
        tx.commit()?;
        Ok(if lane_free { Kept::Sending } else { Kept::Waiting })
    }

    /// A card could not be written down or sent, or nobody knows whether it was written. Nothing left the phone; what
    /// the ledger holds now decides what the screen may say.
    fn card_in_question(&mut self, id: PaymentId, error: TillError, now: Now) -> Result<(), TillError> {
        self.left_open = true;
        let found = self.ledger.begin().and_then(|mut tx| tx.payment(id));
        let payment = match found {
            Ok(payment) => payment,
            Err(_) => {
                self.decide(id, ChargeOutcome::NotConfirmed);
                return Err(error);
            }
        };
        match payment.filter(|payment| payment.card.is_some()) {
            Some(payment) if payment.acceptance.is_some() => self.decide(id, ChargeOutcome::Saved),
            Some(payment) if payment.sends.open.is_some() => {
                return self.live_trouble(id, Trouble::NotSent { why: error.to_string() }, now);
            }
            _ => {
                // Only a commit that holds makes sure that a failed one does not come back with the next process.
                let outcome = match self.give_up_interrupted(id, now) {
                    Ok(()) => {
                        let detail = Some(error.code().to_owned());
                        ChargeOutcome::NotCharged { cause: "interrupted".to_owned(), detail }
                    }
                    Err(_) => ChargeOutcome::NotConfirmed,
                };
                self.decide(id, outcome);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The acquirer may be asked now; if need be a session is opened first, while the customer waits.
    pub(super) fn can_go_live(&self, now: Now) -> bool {
        self.state.activated.is_some() && !self.held(now)
    }

    pub(super) fn has_session(&self, now: Now) -> bool {
        self.session_valid(now) && self.keys.is_some()
    }

    /// Somebody waits for a session: the contact under way opens one, or a new contact does.
    pub(super) fn open_session(&mut self, now: Now) {
        match &mut self.run {
            Some(run) => run.need_sign_on = true,
            None => self.begin_run(Wanted::Time, SIGN_ON_BUDGET_MS, now),
        }
    }

    /// The next customer in the queue: sent if there is a session, else one is opened. Nobody waits where the acquirer
    /// asked for a pause.
    pub(super) fn serve_waiting_live(&mut self, now: Now) -> Result<(), TillError> {
        if self.waiting_live.is_empty() {
            return Ok(());
        }
        if self.held(now) && self.slot_free(Slot::Live) {
            return self.give_up_waiting_live(now);
        }
        if !self.has_session(now) {
            if self.session_is_hopeless() {
                return self.give_up_waiting_live(now);
            }
            self.open_session(now);
            return Ok(());
        }
        while self.slot_free(Slot::Live)
            && let Some(id) = self.waiting_live.pop_front()
        {
            self.next_live(id, now).or_else(|error| self.card_in_question(id, error, now))?;
        }
        Ok(())
    }

    /// A session was opened just now and is none: another one would not be, either.
    pub(super) fn session_is_hopeless(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.signed_on)
    }

    /// Starts the next send on the live lane: first customers who wait for the lane, then what is in doubt.
    pub(super) fn next_live(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let op = self.new_operation(now);
        let operator = self.operator_of(id);
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.is_closed() || payment.is_answered() || payment.sends.open.is_some() || !payment.blob_held {
            return Ok(());
        }
        let started = SendStarted { op, n: payment.sends.count.saturating_add(1), lane: Lane::Live };
        tx.append_payment(now, operator.as_deref(), id, started.into())?;
        tx.commit()?;
        self.send_live(op, id, now)
    }

    /// The live send ended without a report.
    pub(super) fn live_trouble(&mut self, id: PaymentId, trouble: Trouble, now: Now) -> Result<(), TillError> {
        // The acquirer closed this id earlier: what it refuses now can never have been charged.
        if trouble.code() == Some(ProblemSlug::LateOriginal.as_str()) && matches!(trouble, Trouble::Refused { .. }) {
            return self.not_received(id, self.server_ms(now), true, now);
        }
        let (operator, words) = (self.operator_of(id), self.last_words(id));
        if !matches!(trouble, Trouble::NotSent { .. }) {
            // A customer waits for what is in doubt: rests of before do not count.
            self.rest_over();
        }
        let clock = self.clock_facts(now);
        let judgement = Judgement { policy: self.documents.policy.as_ref(), clock };
        let again = trouble.wants_sign_on() && !self.repeated.contains(&id);
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        let Some(op) = payment.sends.open else { return Ok(()) };
        append_last_words(&mut tx, now, operator.as_deref(), id, &words)?;
        let ended = SendEnded {
            op,
            n: payment.sends.count,
            lane: Lane::Live,
            result: trouble.result(),
            code: trouble.code().map(str::to_owned),
            retry_after_ms: trouble.retry_after_ms(),
        };
        tx.append_payment(now, operator.as_deref(), id, ended.into())?;
        if trouble.is_duplicate_transaction() {
            let code = trouble.code().map(str::to_owned);
            let parked = Parked { reason: ParkReason::CounterBroken, code };
            tx.append_payment(now, operator.as_deref(), id, parked.into())?;
        }
        let payment = known(&mut tx, id)?;
        let outcome = match payment.delivery() {
            None => {
                erase_blob(&mut tx, now, operator.as_deref(), id, EraseReason::Answered)?;
                let detail = trouble.code().map(str::to_owned);
                Some(ChargeOutcome::NotCharged { cause: "refused_by_acquirer".to_owned(), detail })
            }
            Some(Delivery::Queued) if again => None,
            Some(Delivery::Queued) => Some(accept_offline(&mut tx, now, operator.as_deref(), id, &judgement)?),
            Some(_) => Some(ChargeOutcome::NotConfirmed),
        };
        tx.commit()?;
        self.last_words_are_written(id, &words);
        if again && outcome.is_none() {
            self.repeated.insert(id);
            self.waiting_live.push_back(id);
        }
        #[cfg(feature = "planted")]
        let outcome = outcome.map(|outcome| match &trouble {
            Trouble::Maybe { why, .. }
                if takings_domain::planted::is("timeout_as_decline")
                    || (why == ProblemSlug::RequestInProgress.as_str()
                        && takings_domain::planted::is("in_progress_409_as_declined")) =>
            {
                ChargeOutcome::NotCharged { cause: "declined".to_owned(), detail: None }
            }
            _ => outcome,
        });
        if let Some(outcome) = outcome {
            self.decide(id, outcome);
        }
        Ok(())
    }

    /// Customers who wait for a session that cannot be had: the offline policy decides.
    pub(super) fn give_up_waiting_live(&mut self, now: Now) -> Result<(), TillError> {
        while let Some(id) = self.waiting_live.pop_front() {
            match self.judge_waiting(id, now) {
                Ok(outcome) => self.decide(id, outcome),
                Err(error) => self.card_in_question(id, error, now)?,
            }
        }
        Ok(())
    }

    fn judge_waiting(&mut self, id: PaymentId, now: Now) -> Result<ChargeOutcome, TillError> {
        let operator = self.operator_of(id);
        let judgement = Judgement { policy: self.documents.policy.as_ref(), clock: self.clock_facts(now) };
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.acceptance.is_some() || payment.is_closed() || payment.sends.may_have_arrived {
            return Ok(ChargeOutcome::NotConfirmed);
        }
        let outcome = accept_offline(&mut tx, now, operator.as_deref(), id, &judgement)?;
        tx.commit()?;
        Ok(outcome)
    }

    /// The acquirer promised that it has no such payment and will refuse it for ever.
    pub(super) fn not_received(
        &mut self,
        id: PaymentId,
        as_of_ms: i64,
        is_final: bool,
        now: Now,
    ) -> Result<(), TillError> {
        let (operator, words) = (self.operator_of(id), self.last_words(id));
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.report.is_some() {
            // It had this payment undecided, and has forgotten it since: asking on would bring the same for ever.
            drop(tx);
            return self.request_reversal(id, ReversalReason::Other, now);
        }
        append_last_words(&mut tx, now, operator.as_deref(), id, &words)?;
        tx.append_payment(now, operator.as_deref(), id, NotReceived { as_of_ms, is_final }.into())?;
        if is_final && payment.acceptance.is_none() {
            erase_blob(&mut tx, now, operator.as_deref(), id, EraseReason::Answered)?;
        }
        tx.commit()?;
        self.last_words_are_written(id, &words);
        if is_final {
            self.decide(id, ChargeOutcome::NotCharged { cause: "not_received".to_owned(), detail: None });
        } else {
            self.request_reversal(id, ReversalReason::Timeout, now)?;
        }
        Ok(())
    }

    /// Decides to undo a live payment that nobody can confirm. Never one whose customer has gone with the goods.
    pub(super) fn request_reversal(
        &mut self,
        id: PaymentId,
        reason: ReversalReason,
        now: Now,
    ) -> Result<(), TillError> {
        let operator = self.operator_of(id);
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.reversal.is_some() || payment.acceptance.is_some() || payment.is_answered() || payment.is_closed() {
            return Ok(());
        }
        let requested = ReversalRequested { reversal_id: ReversalId::of(id), reason };
        tx.append_payment(now, operator.as_deref(), id, requested.into())?;
        tx.commit()?;
        Ok(())
    }
}

/// The fold of a payment that must be there.
pub(super) fn known(tx: &mut Transaction<'_>, id: PaymentId) -> Result<PaymentState, TillError> {
    tx.payment(id)?.ok_or_else(|| TillError::not_found("payment", id))
}

impl Trouble {
    /// How the send ended, in the ledger's words.
    pub(super) fn result(&self) -> SendResult {
        match self {
            Self::NotSent { .. } | Self::NotExecuted { .. } => SendResult::NotSent,
            Self::Maybe { .. } => SendResult::Maybe,
            Self::Unverified { .. } => SendResult::Unverified,
            Self::Refused { .. } => SendResult::Refused,
        }
    }
}
