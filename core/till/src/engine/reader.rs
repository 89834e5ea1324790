//! The reader's side of a charge: what the link brings becomes events, what the reader needs becomes a step.

mod last_words;
mod link_input;
mod state;

use takings_domain::event::{AttemptEnd, AttemptStarted};
use takings_domain::{Money, Now, PaymentId};
use takings_readers::{
    Asked, Fault, LinkLoss, Outcome, Prompt, Reader, ReaderAbout, ReaderEvent, ReaderOutput, ReaderSession,
    StartRequest, VendorSession,
};
use zeroize::Zeroize as _;

use super::Engine;
use super::book::Book;
use super::charging::OpenCharge;
use super::inventory::{Heard, end_of, lasting, start_refused, trouble_of};
#[cfg(feature = "planted")]
use crate::charge::ChargeOutcome;
use crate::charge::{PromptView, Step, VendorAsk, VendorCommand, VendorStart};
use crate::error::TillError;
pub(super) use last_words::append_last_words;
pub use link_input::LinkEvent;
use link_input::{OwnedInput, inputs};
pub(super) use state::ReaderWords;

/// How long the reader waits for each thing the cardholder does, seconds.
const CARDHOLDER_TIMEOUT_S: u8 = 60;
/// The reader may not be asked this now: nothing has changed.
const READER_INPUT: &str = "reader_input";
/// So often a charge takes up a reader that was lost before the card.
const MOST_LOSSES: u8 = 20;

impl Engine {
    /// One thing that happened on the link to the reader. Its bytes are wiped: a reader says names and tracks in clear.
    pub(super) fn link(&mut self, id: PaymentId, mut event: LinkEvent, now: Now) -> Result<Step, TillError> {
        let step = self.on_link(id, &event, now);
        if let LinkEvent::Bytes { value, .. } = &mut event {
            value.zeroize();
        }
        step
    }

    fn on_link(&mut self, id: PaymentId, event: &LinkEvent, now: Now) -> Result<Step, TillError> {
        let mut step = Step::default();
        let charge = self.charges.get_mut(&id).ok_or_else(|| TillError::not_found("charge", "this charge is over"))?;
        if charge.outcome.is_some() && charge.reader.is_none() {
            return self.finish_step(id, step, now);
        }
        if let Some((generation, session)) = new_session(id, event) {
            newer(charge, generation)?;
            charge.reader = Some((generation, session));
            charge.last_generation = Some(generation);
            charge.is_vendors = matches!(event, LinkEvent::VendorUp { .. });
            charge.timers.clear();
        }
        charge.cancel_asked |= matches!(event, LinkEvent::Cancel);
        for input in inputs(charge, event, now) {
            let fed = self.feed_reader(id, input, &mut step, now);
            // What a step holds is lost with its error: a reader that was to be told something waits for it in vain.
            let is_lost = fed.as_ref().is_err_and(|error| error.code() != READER_INPUT);
            if is_lost || (fed.is_err() && matches!(event, LinkEvent::Up { .. } | LinkEvent::VendorUp { .. })) {
                self.unplug(id);
            }
            // A reader that takes no payment yet has none to stop: the till needs nobody to keep it from beginning one.
            if fed.is_err() && matches!(event, LinkEvent::Cancel) && self.is_before_card(id) {
                self.unplug(id);
                step.disconnect = true;
                continue;
            }
            if let LinkEvent::Down { generation } = event {
                // Whatever the disk says of it: the link is gone, and the next one is not to be refused for that.
                self.is_gone(id, *generation);
            }
            fed?;
        }
        match event {
            LinkEvent::Down { generation } => self.after_link(id, *generation, now)?,
            LinkEvent::Cancel => self.cancel_without_reader(id, now)?,
            _ => {}
        }
        self.finish_step(id, step, now)
    }

    /// The link of that number is down. What is said late of an earlier one ends no other.
    fn is_gone(&mut self, id: PaymentId, generation: u32) {
        if self.charges.get(&id).is_some_and(|charge| charge.generation() == Some(generation)) {
            self.unplug(id);
        }
    }

    /// What could not be written while the link was there.
    fn after_link(&mut self, id: PaymentId, generation: u32, now: Now) -> Result<(), TillError> {
        self.write_last_words(id, now)?;
        let last = |charge: &OpenCharge| charge.reader.is_none() && charge.last_generation == Some(generation);
        // The customer is served: better a checkpoint now than between the next card and its answer.
        if self.charges.get(&id).is_some_and(|charge| last(charge) && charge.outcome.is_some())
            && let Err(error) = self.ledger.checkpoint_idle()
        {
            self.note(&error.into());
        }
        Ok(())
    }

    fn is_before_card(&self, id: PaymentId) -> bool {
        self.charges.get(&id).is_some_and(|charge| charge.card_read.is_none() && !charge.is_decided())
    }

    /// A connection that could not be taken up, or that the reader gave up, is none: the next may come.
    fn unplug(&mut self, id: PaymentId) {
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.reader = None;
            charge.timers.clear();
        }
    }

    fn feed_reader(&mut self, id: PaymentId, input: OwnedInput, step: &mut Step, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        let Some((generation, reader)) = charge.reader.as_mut() else { return Ok(()) };
        let generation = *generation;
        let outputs = match reader.handle(input.borrow()) {
            Ok(outputs) => outputs,
            Err(error) => return Err(TillError::fix_input(READER_INPUT, error)),
        };
        for output in outputs {
            let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
            match output {
                // The charge gave it up just now.
                ReaderOutput::Write(_) | ReaderOutput::SetTimer { .. } if charge.reader.is_none() => {}
                ReaderOutput::Write(value) => step.writes.push(value),
                ReaderOutput::Command(command) => {
                    step.commands.push(VendorAsk { generation, command: vendor_command(id, &charge.amount, command) });
                }
                ReaderOutput::SetTimer { id, after_ms } => {
                    let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
                    charge.timers.insert(id, now.monotonic_ms.saturating_add(after_ms));
                }
                ReaderOutput::ClearTimer(id) => {
                    charge.timers.remove(&id);
                }
                ReaderOutput::Disconnect => {
                    step.disconnect = true;
                    self.unplug(id);
                }
                ReaderOutput::Event(event) => self.on_reader(id, event, step, now)?,
            }
        }
        Ok(())
    }

    fn on_reader(&mut self, id: PaymentId, event: ReaderEvent, step: &mut Step, now: Now) -> Result<(), TillError> {
        match event {
            ReaderEvent::Ready { about } => self.on_ready(id, about, step, now),
            ReaderEvent::OnlineRequest(request) => self.on_card(id, &request, now),
            ReaderEvent::Outcome { outcome, code } => self.on_outcome(id, (outcome, code), step, now),
            ReaderEvent::OutOfService { about, reason } => {
                let trouble = trouble_of(reason);
                self.says_of_itself(id, &about, Heard::Trouble(trouble), now);
                self.end_attempt(id, end_of(trouble), true, now)
            }
            ReaderEvent::Refused { asked: Asked::Start, refusal } => {
                self.reader_says(id, lasting(refusal).map_or(Heard::Itself, Heard::Trouble), now);
                self.end_attempt(id, start_refused(refusal), true, now)
            }
            ReaderEvent::Fault(Fault::CardData) => self.end_attempt(id, AttemptEnd::ReaderFault, true, now),
            ReaderEvent::LinkLost(LinkLoss::BeforeOnlineRequest | LinkLoss::Idle) => self.lost(id, now),
            #[cfg(feature = "planted")]
            ReaderEvent::LinkLost(_) if takings_domain::planted::is("link_lost_after_card_as_not_charged") => {
                self.decide(id, ChargeOutcome::NotCharged { cause: "link_lost".to_owned(), detail: None });
                Ok(())
            }
            said => {
                self.on_word_of_reader(id, said, step, now);
                Ok(())
            }
        }
    }

    /// What decides nothing: something to show, to add to a payment, or to know of the reader.
    fn on_word_of_reader(&mut self, id: PaymentId, event: ReaderEvent, step: &mut Step, now: Now) {
        match event {
            // How it ended is said by the charge alone.
            ReaderEvent::Prompt { prompt, .. } if prompt.is_verdict() || self.is_over(id, &prompt) => {}
            ReaderEvent::Prompt { prompt, .. } => {
                let (word, text) = (prompt.id().to_owned(), prompt.text().to_owned());
                step.prompt = Some(PromptView { id: word, text, choices: Vec::new() });
            }
            ReaderEvent::ChooseApplication(choices) => {
                step.prompt = Some(PromptView { id: "choose_application".into(), text: String::new(), choices });
            }
            ReaderEvent::ReceiptData(data) => self.on_receipt_data(id, &data, now),
            ReaderEvent::Fault(Fault::ContradictoryOutcome { second, .. }) => self.contradicted(id, Some(second), now),
            ReaderEvent::Fault(Fault::ContradictoryEnd { .. }) => self.contradicted(id, None, now),
            ReaderEvent::Started => self.reader_says(id, Heard::Works, now),
            of_itself => self.on_state_of_reader(id, &of_itself, now),
        }
    }

    fn on_ready(&mut self, id: PaymentId, about: ReaderAbout, step: &mut Step, now: Now) -> Result<(), TillError> {
        self.says_of_itself(id, &about, Heard::Itself, now);
        let serial = about.serial.clone();
        self.is_on(&serial);
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.about = Some(about);
        }
        self.start_reader(id, serial, step, now)
    }

    /// Before the card a link may come again: so often, and no more. Each time is on record. A reader that stays silent
    /// while it is connected is no lost link: the till gave it up, and the merchant sees why.
    fn lost(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        let given_up = charge.reader.is_none();
        let why = if given_up { AttemptEnd::ReaderNoAnswer } else { AttemptEnd::LinkLost };
        if charge.cancel_asked {
            return self.end_attempts(id, why, Some(AttemptEnd::Cancelled), now);
        }
        charge.losses = charge.losses.saturating_add(1);
        let give_up = given_up || charge.losses >= MOST_LOSSES;
        self.end_attempt(id, why, give_up, now)?;
        if give_up {
            // One that restarts for ever keeps its link.
            self.unplug(id);
        }
        Ok(())
    }

    /// Once the charge is decided, the reader has only the card to speak of.
    fn is_over(&self, id: PaymentId, prompt: &Prompt) -> bool {
        !prompt.is_of_the_card() && self.charges.get(&id).is_none_or(OpenCharge::is_decided)
    }

    /// The reader is ready: the intent (this attempt's, too) is on disk before it is told to start.
    pub(super) fn start_reader(
        &mut self,
        id: PaymentId,
        serial: String,
        step: &mut Step,
        now: Now,
    ) -> Result<(), TillError> {
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        if charge.outcome.is_some() || charge.card_read.is_some() {
            step.disconnect = true;
            return Ok(());
        }
        if charge.cancel_asked {
            step.disconnect = true;
            return self.end_attempt(id, AttemptEnd::Cancelled, true, now);
        }
        if let Some(why) = self.soon_away(&serial, now) {
            step.disconnect = true;
            return self.end_attempt(id, why, true, now);
        }
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        let start = StartRequest {
            amount_minor: charge.amount.amount_minor(),
            currency_numeric: charge.amount.currency().numeric(),
            currency_exponent: charge.amount.currency().exponent(),
            timeout_s: CARDHOLDER_TIMEOUT_S,
            contact: charge.presenting.contact,
            contactless: charge.presenting.contactless,
            magstripe: charge.presenting.magstripe,
            chip_failed: charge.presenting.chip_failed(),
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

    /// The reader's completion code: before the card it ends the presentation, after it it only adds.
    fn on_outcome(
        &mut self,
        id: PaymentId,
        (outcome, code): (Outcome, Option<[u8; 4]>),
        step: &mut Step,
        now: Now,
    ) -> Result<(), TillError> {
        match self.charges.get(&id) {
            None => return Ok(()),
            Some(charge) if charge.card_read.is_some() => {}
            Some(charge) if charge.outcome.is_some() => return Ok(()),
            Some(charge) => {
                // Without a code nothing was said at all; an SDK never says one.
                let silent = outcome == Outcome::Unknown && code.is_none() && !charge.is_vendors;
                let why = if silent { AttemptEnd::ReaderNoAnswer } else { attempt_end(outcome) };
                return self.present_again(id, (outcome, code), why, step, now);
            }
        }
        self.reader_concluded(id, outcome, code, now);
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
}

/// Each connection has its own number: with one that was used, what belongs to an older connection would be believed.
fn newer(charge: &OpenCharge, generation: u32) -> Result<(), TillError> {
    if charge.reader.is_some() {
        return Err(TillError::fix_input("link_is_up", "say that the former connection is down first"));
    }
    if charge.last_generation.is_some_and(|last| generation <= last) {
        return Err(TillError::fix_input(
            "generation",
            "each connection of a charge has a larger number than the last",
        ));
    }
    Ok(())
}

/// A new link begins a new session, of the kind that was plugged in.
fn new_session(id: PaymentId, event: &LinkEvent) -> Option<(u32, Box<dyn ReaderSession>)> {
    match event {
        LinkEvent::Up { value_len, generation } => {
            let value_len = usize::try_from(*value_len).unwrap_or(0);
            Some((*generation, Box::new(Reader::new(*generation, value_len))))
        }
        LinkEvent::VendorUp { generation, .. } => Some((*generation, Box::new(VendorSession::new(&id.to_string())))),
        _ => None,
    }
}

fn vendor_command(id: PaymentId, amount: &Money, command: takings_readers::VendorCommand) -> VendorCommand {
    match command {
        takings_readers::VendorCommand::Start(start) => VendorCommand::Start(VendorStart {
            charge: id.to_string(),
            amount_minor: start.amount_minor,
            currency: amount.currency().code().to_owned(),
            currency_numeric: start.currency_numeric,
            currency_exponent: start.currency_exponent,
            timeout_s: u32::from(start.timeout_s),
        }),
        takings_readers::VendorCommand::Cancel => VendorCommand::Cancel,
        takings_readers::VendorCommand::ChooseApplication(index) => {
            VendorCommand::ChooseApplication { index: u32::from(index) }
        }
    }
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
