//! One charge: bytes between the till and the simulated reader, and what happens to the link between them.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use takings_readers::simulated::{CardScript, Stage};
use takings_till::{ChargeOutcome, ChargeRequest, Step, TillError};

use crate::answer::Refused;
use crate::command::{Afterwards, CancelAt, Charge, Loss, Moment};
use crate::session::Session;

/// How long the values on the link may be, as a phone with a usual Bluetooth MTU has them.
const VALUE_LEN: u16 = 244;
/// How finely a wait for the customer is cut.
const TICK_MS: u64 = 1_000;

/// What is known of the charge under way.
struct Run<'a> {
    asked: &'a Charge,
    charge: takings_till::Charge,
    card: Option<CardScript>,
    next_cards: VecDeque<CardScript>,
    cancel_at: Option<CancelAt>,
    generation: u32,
    writes: VecDeque<Vec<u8>>,
    wait_ms: Option<u64>,
    disconnect: bool,
    outcome: Option<ChargeOutcome>,
    card_seen: bool,
    lost: bool,
    held: bool,
    prompts: BTreeSet<String>,
}

impl<R: BufRead, W: Write> Session<R, W> {
    /// Charges and says how it ended.
    pub(crate) fn charge(&mut self, asked: &Charge) -> Result<Value, Refused> {
        let card = asked.card.as_ref().map(crate::command::Card::script).transpose()?;
        let next_cards = asked.next_cards.iter().map(crate::command::Card::script).collect::<Result<_, _>>()?;
        self.mark("charge_start");
        let charge = self.till.charge(ChargeRequest {
            amount_minor: asked.amount_minor,
            currency: asked.currency.clone(),
            order_reference: asked.order.clone(),
            mode: asked.mode,
            charge_again: asked.again,
            operator: asked.operator.clone(),
        })?;
        self.mark("intent");
        let mut run = Run {
            asked,
            charge,
            card,
            next_cards,
            cancel_at: asked.cancel_at,
            generation: 0,
            writes: VecDeque::new(),
            wait_ms: None,
            disconnect: false,
            outcome: None,
            card_seen: false,
            lost: false,
            held: false,
            prompts: BTreeSet::new(),
        };
        self.say(&json!({"event": "started", "payment_id": run.charge.payment_id()}))?;
        self.hold(&mut run, Moment::Started)?;
        self.connect(&mut run)?;
        while run.outcome.is_none() && !run.disconnect && self.step(&mut run)? {}
        self.finish(&mut run)?;
        let prompts: Vec<_> = run.prompts.iter().collect();
        Ok(json!({"payment_id": run.charge.payment_id(), "outcome": run.outcome, "prompts": prompts}))
    }

    fn connect(&mut self, run: &mut Run<'_>) -> Result<(), Refused> {
        self.generation = self.generation.wrapping_add(1);
        run.generation = self.generation;
        run.disconnect = false;
        run.writes.clear();
        self.reader.link_up(usize::from(VALUE_LEN));
        let step = run.charge.link_up(u32::from(VALUE_LEN), run.generation)?;
        self.absorb(run, step)
    }

    /// One thing after the other; false when nothing can happen any more.
    fn step(&mut self, run: &mut Run<'_>) -> Result<bool, Refused> {
        if let Some(value) = run.writes.pop_front() {
            self.mark("reader_write");
            self.reader.receive(&value);
            let step = run.charge.write_done(run.generation)?;
            self.absorb(run, step)?;
            return Ok(true);
        }
        if let Some(value) = self.reader.outbound() {
            self.deliver(run, &value)?;
            return Ok(true);
        }
        if self.reader.stage() == Stage::WaitingForCard && run.outcome.is_none() {
            // Also after a card that was not taken.
            run.card_seen = false;
            if self.customer_arrives(run)? {
                return Ok(true);
            }
        } else if run.card_seen && self.is_over(run)? {
            return Ok(false);
        }
        self.wait(run)
    }

    /// The reader has said everything. If the till has read the card, the rest is up to it and the acquirer; if not, it waits for
    /// a value that was lost.
    fn is_over(&self, run: &Run<'_>) -> Result<bool, Refused> {
        if run.outcome.is_some() || run.disconnect {
            return Ok(true);
        }
        let detail = self.runtime.block_on(self.till.payment(run.charge.payment_id()))?;
        Ok(detail.payment.entry_mode.is_some())
    }

    /// The reader waits for a card. True if that changed something.
    fn customer_arrives(&mut self, run: &mut Run<'_>) -> Result<bool, Refused> {
        self.hold(run, Moment::BeforeCard)?;
        if self.loses_link(run, Loss::BeforeCard)? {
            return Ok(true);
        }
        if self.cancels(run, CancelAt::BeforeCard)? {
            return Ok(true);
        }
        let Some(card) = run.card.take().or_else(|| run.next_cards.pop_front()) else { return Ok(false) };
        self.state.reader_keys_used = self.reader.ksn_counter().saturating_add(1);
        self.state.save(&self.dir)?;
        self.reader.present(card);
        Ok(true)
    }

    fn deliver(&mut self, run: &mut Run<'_>, value: &[u8]) -> Result<(), Refused> {
        let stage = self.reader.stage();
        if stage == Stage::CardDataSent && !run.card_seen {
            run.card_seen = true;
            self.hold(run, Moment::CardData)?;
            self.cancels(run, CancelAt::CardData)?;
            self.mark("card_data_in");
            self.pass(run, value)?;
            self.loses_link(run, Loss::DuringCardData)?;
            return Ok(());
        }
        if stage == Stage::OutcomeSent && self.loses_link(run, Loss::BetweenCardAndAnswer)? {
            return Ok(());
        }
        self.pass(run, value)?;
        if stage == Stage::OutcomeSent {
            self.loses_link(run, Loss::AfterAnswer)?;
        }
        Ok(())
    }

    fn pass(&mut self, run: &mut Run<'_>, value: &[u8]) -> Result<(), Refused> {
        let step = run.charge.bytes(run.generation, value)?;
        self.absorb(run, step)
    }

    /// Presses Cancel if this is the planned moment.
    fn cancels(&mut self, run: &mut Run<'_>, moment: CancelAt) -> Result<bool, Refused> {
        let now = run.cancel_at.take_if(|planned| *planned == moment).is_some();
        if now {
            let step = run.charge.cancel()?;
            self.absorb(run, step)?;
        }
        Ok(now)
    }

    /// Takes the link away if this is the planned moment.
    fn loses_link(&mut self, run: &mut Run<'_>, moment: Loss) -> Result<bool, Refused> {
        let Some(plan) = run.asked.link.filter(|plan| plan.lose_at == moment && !run.lost) else { return Ok(false) };
        run.lost = true;
        self.mark("link_lost");
        self.reader.link_down();
        run.writes.clear();
        let step = run.charge.link_down(run.generation)?;
        self.absorb(run, step)?;
        if plan.then == Afterwards::Reconnect && run.outcome.is_none() {
            run.card_seen = false;
            run.card = run.asked.card.as_ref().map(crate::command::Card::script).transpose()?;
            self.connect(run)?;
        } else {
            run.disconnect = true;
        }
        Ok(true)
    }

    /// Nothing moves: time passes until the next timer of the till's.
    fn wait(&mut self, run: &mut Run<'_>) -> Result<bool, Refused> {
        let Some(wait_ms) = run.wait_ms else { return Ok(false) };
        let pause_ms = wait_ms.clamp(1, TICK_MS);
        if !self.clock.advance(i64::try_from(pause_ms).unwrap_or(0)) {
            thread::sleep(Duration::from_millis(pause_ms));
        }
        self.reader.advance_ms(pause_ms);
        let step = run.charge.tick()?;
        self.absorb(run, step)?;
        Ok(true)
    }

    fn absorb(&mut self, run: &mut Run<'_>, step: Step) -> Result<(), Refused> {
        if let Some(outcome) = step.saved {
            self.decided(run, outcome)?;
        }
        run.writes.extend(step.writes);
        run.wait_ms = step.wait_ms;
        run.disconnect |= step.disconnect;
        if let Some(prompt) = step.prompt {
            run.prompts.insert(prompt.id);
            if !prompt.choices.is_empty() {
                let index = run.asked.card.as_ref().map_or(0, |card| card.choose);
                let chosen = run.charge.choose_application(index)?;
                self.absorb(run, chosen)?;
            }
        }
        Ok(())
    }

    /// The till has said how the charge stands: said on before anything else.
    fn decided(&mut self, run: &mut Run<'_>, outcome: ChargeOutcome) -> Result<(), Refused> {
        if run.outcome.is_some() {
            return Ok(());
        }
        if matches!(outcome, ChargeOutcome::Saved | ChargeOutcome::Approved { .. }) {
            let line = json!({"event": "saved", "payment_id": run.charge.payment_id(), "outcome": outcome});
            self.say(&line)?;
            self.mark("saved");
        }
        run.outcome = Some(outcome);
        self.hold(run, Moment::Saved)
    }

    /// Lets the reader say its last words, waits for the acquirer if a customer waits, gives up what cannot go on.
    fn finish(&mut self, run: &mut Run<'_>) -> Result<(), Refused> {
        while !run.lost && run.card_seen && self.step(run)? {}
        self.reader.take_card_away();
        self.reader.link_down();
        if run.outcome.is_none() && run.lost {
            let cancelled = run.charge.cancel();
            self.last_words(run, cancelled)?;
        }
        if run.outcome.is_none() {
            let outcome = self.runtime.block_on(run.charge.outcome())?;
            self.decided(run, outcome)?;
        }
        if !run.lost {
            let down = run.charge.link_down(run.generation);
            self.last_words(run, down)?;
        }
        Ok(())
    }

    /// A charge that is over has nothing more to say.
    fn last_words(&mut self, run: &mut Run<'_>, step: Result<Step, TillError>) -> Result<(), Refused> {
        match step {
            Ok(step) => self.absorb(run, step),
            Err(TillError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Stops at the asked moment until a line `{"cmd":"go"}` comes; the end of input ends the program.
    fn hold(&mut self, run: &mut Run<'_>, moment: Moment) -> Result<(), Refused> {
        if run.held || run.asked.hold_at != Some(moment) {
            return Ok(());
        }
        run.held = true;
        self.say(&json!({"event": "holding", "at": moment.as_str(), "payment_id": run.charge.payment_id()}))?;
        match self.line()? {
            None => Err(Refused::Ended),
            Some(_) => Ok(()),
        }
    }
}
