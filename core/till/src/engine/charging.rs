//! Taking a card: intent on disk, then the reader; the reader's answer on disk, then the screen.

use std::collections::BTreeMap;

use takings_domain::event::{
    Abandoned, AttemptEnd, AttemptEnded, AttemptStarted, ChargeMode, ChargeStarted, DuplicateOverridden, EraseReason,
    OfflineRefused, ReaderConcluded,
};
use takings_domain::payment::Stage;
use takings_domain::policy::{self, BeforeCard, Refusal};
use takings_domain::settlement::local_date;
use takings_domain::{Currency, Money, Now, PaymentId};
use takings_readers::{
    Asked, Fault, LinkLoss, Outcome, Reader, ReaderEvent, ReaderInput, ReaderOutput, StartRequest, TimerId,
};
use takings_store::Transaction;

use super::book::Book;
use super::live::ClockFacts;
use super::{Effect, Engine, Line, Reply, Ticket};
use crate::charge::{ChargeOutcome, ChargeRequest, PromptView, Step};
use crate::error::TillError;

/// How long the reader waits for each thing the cardholder does, seconds.
const CARDHOLDER_TIMEOUT_S: u8 = 60;
/// The longest order reference and operator's name that the contract carries, in bytes of UTF-8.
const MAX_TEXT_BYTES: usize = 64;

/// What the shell tells of the link to the reader.
pub(crate) enum LinkEvent {
    Up { value_len: u32, generation: u32 },
    Bytes { generation: u32, value: Vec<u8> },
    WriteDone { generation: u32 },
    WriteFailed { generation: u32 },
    Down { generation: u32 },
    Choose(u32),
    Cancel,
    Tick,
}

/// A charge whose card is still awaited, or whose outcome somebody waits for.
pub(super) struct OpenCharge {
    operator: Option<String>,
    amount: Money,
    reader: Option<(u32, Reader)>,
    timers: BTreeMap<TimerId, i64>,
    attempt_open: bool,
    pub(super) card_read: bool,
    /// The reader's last word on a live payment, if it is the expected one: written down with the answer, or at the end.
    concluded: Option<ReaderConcluded>,
    pub(super) outcome: Option<ChargeOutcome>,
    waiting: Vec<Ticket>,
    /// Nobody holds it any more.
    left: bool,
}

impl OpenCharge {
    pub(super) fn is_decided(&self) -> bool {
        self.outcome.is_some()
    }

    fn new(operator: Option<String>, amount: Money) -> Self {
        Self {
            operator,
            amount,
            reader: None,
            timers: BTreeMap::new(),
            attempt_open: true,
            card_read: false,
            concluded: None,
            outcome: None,
            waiting: Vec::new(),
            left: false,
        }
    }
}

impl Engine {
    /// A charge that may go live belongs to the batch in force: where the session is over and there is reason to hope
    /// for a line, one is opened first, while the customer fetches the card.
    pub(super) fn ask_charge(&mut self, ticket: Ticket, request: ChargeRequest, now: Now) {
        let hopeful = self.line != Line::Down && self.state.session.is_some() && self.can_go_live(now);
        if request.mode != ChargeMode::Offline && hopeful && !self.has_session(now) && self.writable().is_ok() {
            self.waiting_charges.push((ticket, request));
            return self.open_session(now);
        }
        let reply = self.charge(request, now).map(Reply::Charging);
        self.effects.push(Effect::Reply(ticket, reply));
    }

    /// There is a session, or there will be none: the charges that waited for it begin.
    pub(super) fn begin_waiting_charges(&mut self, now: Now) {
        for (ticket, request) in std::mem::take(&mut self.waiting_charges) {
            let reply = self.charge(request, now).map(Reply::Charging);
            self.effects.push(Effect::Reply(ticket, reply));
        }
    }

    /// Writes the intent down and opens a charge. What the policy refuses before the card is on record, too.
    pub(super) fn charge(&mut self, request: ChargeRequest, now: Now) -> Result<PaymentId, TillError> {
        self.writable()?;
        let amount = asked_amount(&request)?;
        let session =
            self.state.session.clone().ok_or_else(|| TillError::sign_in("never_signed_on", "sign on first"))?;
        let terms = self.documents.terms.as_ref();
        let zone = terms.map(|terms| terms.timezone).ok_or_else(|| TillError::sign_in("no_terms", "sign on first"))?;
        let captured_on =
            local_date(zone, self.server_ms(now)).map_err(|error| TillError::fix_input("clock", error))?;
        let payment_id = PaymentId::from_parts(now.wall_ms, self.random());
        let attempt_id = self.new_attempt(now);
        let clock = self.clock_facts(now);
        let policy = self.documents.policy.as_ref();
        let mut tx = self.ledger.begin()?;
        let repeated = repeats(&mut tx, &request)?;
        let refused = (request.mode == ChargeMode::Offline)
            .then(|| before_card(&mut tx, policy, amount, &clock))
            .transpose()?
            .flatten();
        let stan = tx.next_stan()?;
        let operator = request.operator.as_deref();
        let mut append = |event| tx.append_payment(now, operator, payment_id, event);
        append(
            ChargeStarted {
                payment_id,
                amount,
                order_reference: request.order_reference.clone(),
                stan,
                batch_number: session.batch_number,
                captured_on,
                mode: request.mode,
                policy_version: policy.map(|policy| policy.version.clone()),
            }
            .into(),
        )?;
        if let Some(other) = repeated {
            append(DuplicateOverridden { other }.into())?;
        }
        match &refused {
            Some(refusal) => append(OfflineRefused { rule: refusal.rule.as_str().to_owned() }.into())?,
            None => append(AttemptStarted { attempt_id, reader_serial: None }.into())?,
        };
        tx.commit()?;
        let mut open = OpenCharge::new(request.operator, amount);
        open.outcome = refused.map(|refusal| refused_outcome(&refusal));
        self.charges.insert(payment_id, open);
        Ok(payment_id)
    }

    /// One thing that happened on the link to the reader.
    pub(super) fn link(&mut self, id: PaymentId, event: LinkEvent, now: Now) -> Result<Step, TillError> {
        let mut step = Step::default();
        let charge = self.charges.get_mut(&id).ok_or_else(|| TillError::not_found("charge", "this charge is over"))?;
        if charge.outcome.is_some() && charge.reader.is_none() {
            return self.finish_step(id, step, now);
        }
        if let LinkEvent::Up { value_len, generation } = event {
            let value_len = usize::try_from(value_len).unwrap_or(0);
            charge.reader = Some((generation, Reader::new(generation, value_len)));
            charge.timers.clear();
        }
        for input in inputs(charge, &event, now) {
            self.feed_reader(id, input, &mut step, now)?;
        }
        match event {
            LinkEvent::Down { .. } => {
                self.write_concluded(id, now)?;
                if let Some(charge) = self.charges.get_mut(&id) {
                    charge.reader = None;
                    charge.timers.clear();
                    // The customer is served: better a checkpoint now than between the next card and its answer.
                    if charge.outcome.is_some()
                        && let Err(error) = self.ledger.checkpoint_idle()
                    {
                        self.note(&error.into());
                    }
                }
            }
            LinkEvent::Cancel => self.cancel_without_reader(id, now)?,
            _ => {}
        }
        self.finish_step(id, step, now)
    }

    fn feed_reader(&mut self, id: PaymentId, input: OwnedInput, step: &mut Step, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        let Some((_, reader)) = charge.reader.as_mut() else { return Ok(()) };
        let outputs = match reader.handle(input.borrow()) {
            Ok(outputs) => outputs,
            Err(error) => return Err(TillError::fix_input("reader_input", error)),
        };
        for output in outputs {
            let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
            match output {
                ReaderOutput::Write(value) => step.writes.push(value),
                ReaderOutput::SetTimer { id, after_ms } => {
                    let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
                    charge.timers.insert(id, now.monotonic_ms.saturating_add(after_ms));
                }
                ReaderOutput::ClearTimer(id) => {
                    charge.timers.remove(&id);
                }
                ReaderOutput::Disconnect => step.disconnect = true,
                ReaderOutput::Event(event) => self.on_reader(id, event, step, now)?,
            }
        }
        Ok(())
    }

    fn on_reader(&mut self, id: PaymentId, event: ReaderEvent, step: &mut Step, now: Now) -> Result<(), TillError> {
        match event {
            ReaderEvent::Ready { serial, .. } => self.start_reader(id, serial, step, now),
            ReaderEvent::Prompt { prompt, .. } => {
                let (word, text) = (prompt.id().to_owned(), prompt.text().to_owned());
                step.prompt = Some(PromptView { id: word, text, choices: Vec::new() });
                Ok(())
            }
            ReaderEvent::ChooseApplication(choices) => {
                step.prompt = Some(PromptView { id: "choose_application".into(), text: String::new(), choices });
                Ok(())
            }
            ReaderEvent::OnlineRequest(request) => self.on_card(id, &request, now),
            ReaderEvent::Outcome { outcome, code } => self.on_outcome(id, outcome, code, now),
            ReaderEvent::OutOfService { .. }
            | ReaderEvent::Refused { asked: Asked::Start, .. }
            | ReaderEvent::Fault(Fault::CardData) => self.end_attempt(id, AttemptEnd::ReaderFault, true, now),
            ReaderEvent::LinkLost(LinkLoss::BeforeOnlineRequest | LinkLoss::Idle) => {
                self.end_attempt(id, AttemptEnd::LinkLost, false, now)
            }
            ReaderEvent::LinkLost(LinkLoss::AfterOnlineRequest)
            | ReaderEvent::CardSeen(_)
            | ReaderEvent::CardRemoved
            | ReaderEvent::SeveralCards
            | ReaderEvent::Started
            | ReaderEvent::ReceiptData(_)
            | ReaderEvent::BatteryLow(_)
            | ReaderEvent::ResetSoon { .. }
            | ReaderEvent::PowerDownSoon
            | ReaderEvent::FrameLost
            | ReaderEvent::Refused { .. }
            | ReaderEvent::Fault(_) => Ok(()),
        }
    }

    /// The reader is ready: the intent (this attempt's, too) is on disk before it is told to start.
    fn start_reader(&mut self, id: PaymentId, serial: String, step: &mut Step, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        if charge.outcome.is_some() || charge.card_read {
            step.disconnect = true;
            return Ok(());
        }
        let start = StartRequest {
            amount_minor: charge.amount.amount_minor(),
            currency_numeric: charge.amount.currency().numeric(),
            currency_exponent: charge.amount.currency().exponent(),
            timeout_s: CARDHOLDER_TIMEOUT_S,
            contact: true,
            contactless: true,
            magstripe: true,
        };
        let (attempt_open, operator) = (charge.attempt_open, charge.operator.clone());
        if !attempt_open {
            let attempt_id = self.new_attempt(now);
            let mut tx = self.ledger.begin()?;
            let started = AttemptStarted { attempt_id, reader_serial: Some(serial) };
            tx.append_payment(now, operator.as_deref(), id, started.into())?;
            tx.commit()?;
            if let Some(charge) = self.charges.get_mut(&id) {
                charge.attempt_open = true;
            }
        }
        self.feed_reader(id, OwnedInput::Start(start), step, now)
    }

    /// The reader's completion code: before the card it ends the charge, after it it only adds.
    fn on_outcome(
        &mut self,
        id: PaymentId,
        outcome: Outcome,
        code: Option<[u8; 4]>,
        now: Now,
    ) -> Result<(), TillError> {
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        if !charge.card_read {
            return self.end_attempt(id, attempt_end(outcome), true, now);
        }
        let operator = charge.operator.clone();
        let concluded = ReaderConcluded {
            outcome: outcome.as_str().to_owned(),
            code: code.map(|code| crate::hex::encode(&code)).unwrap_or_default(),
            unexpected: outcome != Outcome::Deferred,
        };
        // It adds nothing that a customer should wait for: no commit of its own before the shell heard how it ends.
        if !concluded.unexpected && charge.outcome != Some(ChargeOutcome::Saved) {
            if let Some(charge) = self.charges.get_mut(&id) {
                charge.concluded = Some(concluded);
            }
            return Ok(());
        }
        let mut tx = self.ledger.begin()?;
        tx.append_payment(now, operator.as_deref(), id, concluded.into())?;
        tx.commit()?;
        Ok(())
    }

    /// The presentation brought no card. Where it cannot go on, the charge is given up: nothing is charged.
    fn end_attempt(&mut self, id: PaymentId, why: AttemptEnd, give_up: bool, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        if charge.card_read || charge.outcome.is_some() {
            return Ok(());
        }
        let (operator, open) = (charge.operator.clone(), charge.attempt_open);
        let mut tx = self.ledger.begin()?;
        if open {
            tx.append_payment(now, operator.as_deref(), id, AttemptEnded { why }.into())?;
        }
        if give_up {
            tx.append_payment(now, operator.as_deref(), id, Abandoned { why }.into())?;
        }
        tx.commit()?;
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.attempt_open = false;
        }
        if give_up {
            let cause = if why == AttemptEnd::LinkLost { "interrupted" } else { "abandoned" };
            let detail = Some(why.as_str().to_owned());
            self.decide(id, ChargeOutcome::NotCharged { cause: cause.to_owned(), detail });
        }
        Ok(())
    }

    fn cancel_without_reader(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        match self.charges.get(&id) {
            Some(charge) if charge.reader.is_none() => self.end_attempt(id, AttemptEnd::Cancelled, true, now),
            _ => Ok(()),
        }
    }

    fn finish_step(&mut self, id: PaymentId, mut step: Step, now: Now) -> Result<Step, TillError> {
        if let Some(charge) = self.charges.get(&id) {
            step.saved.clone_from(&charge.outcome);
            let due = charge.timers.values().min().map(|due| due.saturating_sub(now.monotonic_ms).max(0));
            step.wait_ms = due.and_then(|wait| u64::try_from(wait).ok());
            step.disconnect |= charge.outcome.is_some() && charge.reader.is_none();
        }
        Ok(step)
    }

    /// The reader's word that was kept for another commit.
    pub(super) fn take_concluded(&mut self, id: PaymentId) -> Option<ReaderConcluded> {
        self.charges.get_mut(&id).and_then(|charge| charge.concluded.take())
    }

    /// The answer came before the reader's last word: that has no other commit to share.
    fn write_concluded(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        if self.charges.get(&id).is_none_or(|charge| charge.outcome.is_none()) {
            return Ok(());
        }
        let operator = self.operator_of(id);
        if let Some(concluded) = self.take_concluded(id) {
            let mut tx = self.ledger.begin()?;
            tx.append_payment(now, operator.as_deref(), id, concluded.into())?;
            tx.commit()?;
        }
        Ok(())
    }

    /// Tells everybody who waits how the charge stands. Only called after the commit that makes it so.
    pub(super) fn decide(&mut self, id: PaymentId, outcome: ChargeOutcome) {
        let Some(charge) = self.charges.get_mut(&id) else { return };
        charge.outcome = Some(outcome.clone());
        for ticket in std::mem::take(&mut charge.waiting) {
            self.effects.push(Effect::Reply(ticket, Ok(Reply::Outcome(outcome.clone()))));
        }
        self.forget_left(id);
    }

    /// Nobody knows yet how this charge ends, and somebody would like to.
    pub(super) fn waits_for_answer(&self, id: PaymentId) -> bool {
        let charge = self.charges.get(&id);
        charge.is_some_and(|charge| matches!(charge.outcome, None | Some(ChargeOutcome::NotConfirmed)))
    }

    /// The shell let go of the charge. Before the card it is given up; a card that was read takes its course.
    pub(super) fn leave(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        charge.left = true;
        if !charge.card_read {
            self.end_attempt(id, AttemptEnd::Cancelled, true, now)?;
        }
        self.write_concluded(id, now)?;
        self.forget_left(id);
        Ok(())
    }

    fn forget_left(&mut self, id: PaymentId) {
        if self.charges.get(&id).is_some_and(|charge| charge.left && charge.outcome.is_some()) {
            self.charges.remove(&id);
            self.repeated.remove(&id);
        }
    }

    /// Replies now if the charge is decided, else when it is.
    pub(super) fn ask_outcome(&mut self, ticket: Ticket, id: PaymentId) {
        let reply = match self.charges.get_mut(&id) {
            None => Err(TillError::not_found("charge", "this charge is over")),
            Some(charge) => match charge.outcome.clone() {
                Some(outcome) => Ok(Reply::Outcome(outcome)),
                None => return charge.waiting.push(ticket),
            },
        };
        self.effects.push(Effect::Reply(ticket, reply));
    }

    pub(super) fn operator_of(&self, id: PaymentId) -> Option<String> {
        self.charges.get(&id).and_then(|charge| charge.operator.clone())
    }
}

/// A reader input that owns its bytes, so that it can be kept while the engine is borrowed.
enum OwnedInput {
    LinkUp,
    Bytes(Vec<u8>),
    WriteDone,
    WriteFailed,
    LinkDown,
    Timer(TimerId),
    Start(StartRequest),
    Cancel,
    Choose(u8),
}

impl OwnedInput {
    fn borrow(&self) -> ReaderInput<'_> {
        match self {
            Self::LinkUp => ReaderInput::LinkUp,
            Self::Bytes(bytes) => ReaderInput::Bytes(bytes),
            Self::WriteDone => ReaderInput::WriteDone,
            Self::WriteFailed => ReaderInput::WriteFailed,
            Self::LinkDown => ReaderInput::LinkDown,
            Self::Timer(id) => ReaderInput::Timer(*id),
            Self::Start(start) => ReaderInput::Start(*start),
            Self::Cancel => ReaderInput::Cancel,
            Self::Choose(index) => ReaderInput::ChooseApplication(*index),
        }
    }
}

/// What a link event means for the reader engine. Events of another link's generation mean nothing.
fn inputs(charge: &mut OpenCharge, event: &LinkEvent, now: Now) -> Vec<OwnedInput> {
    let current = charge.reader.as_ref().map(|(generation, _)| *generation);
    let if_current = |generation: &u32, input| if current == Some(*generation) { vec![input] } else { Vec::new() };
    match event {
        LinkEvent::Up { .. } => vec![OwnedInput::LinkUp],
        LinkEvent::Bytes { generation, value } => if_current(generation, OwnedInput::Bytes(value.clone())),
        LinkEvent::WriteDone { generation } => if_current(generation, OwnedInput::WriteDone),
        LinkEvent::WriteFailed { generation } => if_current(generation, OwnedInput::WriteFailed),
        LinkEvent::Down { generation } => if_current(generation, OwnedInput::LinkDown),
        LinkEvent::Choose(index) => u8::try_from(*index).map(OwnedInput::Choose).into_iter().collect(),
        LinkEvent::Cancel => vec![OwnedInput::Cancel],
        LinkEvent::Tick => {
            let due: Vec<TimerId> =
                charge.timers.iter().filter(|(_, due)| **due <= now.monotonic_ms).map(|(id, _)| *id).collect();
            for id in &due {
                charge.timers.remove(id);
            }
            due.into_iter().map(OwnedInput::Timer).collect()
        }
    }
}

fn asked_amount(request: &ChargeRequest) -> Result<Money, TillError> {
    let currency = Currency::from_code(&request.currency).map_err(|error| TillError::fix_input("currency", error))?;
    if request.amount_minor <= 0 {
        return Err(TillError::fix_input("amount", "the amount must be above zero"));
    }
    if let Some(order) = &request.order_reference
        && (order.is_empty() || order.len() > MAX_TEXT_BYTES || order.chars().any(char::is_control))
    {
        return Err(TillError::fix_input("order_reference", "1 to 64 bytes of printable text"));
    }
    if let Some(operator) = &request.operator
        && (operator.is_empty() || operator.len() > MAX_TEXT_BYTES || operator.chars().any(char::is_control))
    {
        return Err(TillError::fix_input("operator", "1 to 64 bytes of printable text"));
    }
    Money::new(request.amount_minor, currency).map_err(|error| TillError::fix_input("amount", error))
}

/// The guard against charging an order twice: the other payment, if the merchant insists.
fn repeats(tx: &mut Transaction<'_>, request: &ChargeRequest) -> Result<Option<PaymentId>, TillError> {
    let Some(order) = &request.order_reference else { return Ok(None) };
    for other in tx.payments_of_order(order)? {
        let Some(payment) = tx.payment(other)? else { continue };
        if takings_domain::payment::base(&payment, None).stage == Stage::NotCharged {
            continue;
        }
        if request.charge_again {
            return Ok(Some(other));
        }
        return Err(TillError::ask_merchant("order_already_charged", other));
    }
    Ok(None)
}

/// The policy's first judgement; none means it allows.
pub(super) fn before_card(
    tx: &mut Transaction<'_>,
    policy: Option<&takings_domain::RiskPolicy>,
    amount: Money,
    clock: &ClockFacts,
) -> Result<Option<Refusal>, TillError> {
    let exposure = tx.exposure(amount.currency())?;
    let asked = BeforeCard {
        amount,
        open_count: exposure.count,
        open_total: exposure.total,
        oldest_open_age_ms: exposure.oldest_captured_at_ms.map(|oldest| clock.age_ms(oldest)),
        trusted_age_ms: clock.trusted_age_ms,
        now_pessimistic_ms: clock.now_pessimistic_ms,
    };
    Ok(policy::before_card(policy, &asked).err())
}

pub(super) fn refused_outcome(refusal: &Refusal) -> ChargeOutcome {
    ChargeOutcome::NotCharged { cause: "offline_refused".to_owned(), detail: Some(refusal.rule.as_str().to_owned()) }
}

fn attempt_end(outcome: Outcome) -> AttemptEnd {
    match outcome {
        Outcome::TimedOut => AttemptEnd::TimedOut,
        Outcome::Cancelled => AttemptEnd::Cancelled,
        Outcome::ReadError | Outcome::TryAgain => AttemptEnd::ReadError,
        Outcome::Declined | Outcome::DeclinedOffline => AttemptEnd::Declined,
        Outcome::NotAccepted | Outcome::TryOtherInterface => AttemptEnd::NotAccepted,
        Outcome::FallbackChipRetry | Outcome::FallbackMagstripe => AttemptEnd::NotAccepted,
        Outcome::Failed => AttemptEnd::ReaderFault,
        // Approved or deferred without card data, or a code on no list: nothing can have been charged by us.
        Outcome::ApprovedByCard | Outcome::ApprovedOffline | Outcome::Deferred | Outcome::Unknown => {
            AttemptEnd::Unknown
        }
    }
}

/// Erases the ciphertext with the event that says so, if any is held.
pub(super) fn erase_blob(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    id: PaymentId,
    why: EraseReason,
) -> Result<(), TillError> {
    if tx.payment(id)?.is_some_and(|payment| payment.blob_held) {
        tx.append_payment(now, operator, id, takings_domain::event::BlobErased { why }.into())?;
        tx.erase_card_blob(id)?;
    }
    Ok(())
}
