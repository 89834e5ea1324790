//! One charge from the first byte of the link to its outcome.

use std::collections::{BTreeSet, VecDeque};

use takings_readers::simulated::{CardScript, Stage};
use takings_till::{ChargeOutcome, Step, TillError};

use super::card::{CardPlay, CardTaken, DemoCard};
use super::reader::DemoReader;
use super::surroundings::lock;
use crate::calls;
use crate::charge::Charge;
use crate::error::TakingsError;
use crate::wire::Wire;

/// How long the values on the link may be, as a phone with a usual Bluetooth MTU has them.
const VALUE_LEN: u32 = 244;
/// How finely a wait for the customer is cut.
const TICK_MS: u64 = 1_000;

/// A moment at which the link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    BeforeCard,
    DuringCardData,
    BetweenCardAndAnswer,
    AfterAnswer,
}

/// A moment at which the play ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Started,
    BeforeCard,
    CardData,
    Sent,
    Saved,
}

/// A moment at which the merchant presses Cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    BeforeCard,
    CardData,
}

/// Why a play does not go on: it was asked to end here, or a call failed.
enum Ended {
    Stopped,
    Failed(TakingsError),
}

impl From<TillError> for Ended {
    fn from(error: TillError) -> Self {
        Self::Failed(error.into())
    }
}

struct Play<'a> {
    reader: &'a DemoReader,
    charge: &'a takings_till::Charge,
    card: Option<CardScript>,
    again: Option<CardScript>,
    next_cards: VecDeque<CardScript>,
    cancel_at: Option<Cancel>,
    choose: u32,
    lose_at: Option<Loss>,
    stop_at: Option<Moment>,
    generation: u32,
    writes: VecDeque<Vec<u8>>,
    wait_ms: Option<u64>,
    disconnect: bool,
    outcome: Option<ChargeOutcome>,
    card_seen: bool,
    lost: bool,
    prompts: BTreeSet<String>,
    calls: u32,
}

/// Plays it.
pub(crate) fn take_card(reader: &DemoReader, charge: &Charge, asked: &CardPlay) -> Result<CardTaken, TakingsError> {
    let card = asked.card.as_ref().map(DemoCard::script).transpose()?;
    let next_cards = asked.next_cards.iter().map(DemoCard::script).collect::<Result<_, _>>()?;
    let mut play = Play {
        reader,
        charge: charge.core(),
        again: card.clone().filter(|_| asked.reconnect),
        card,
        next_cards,
        cancel_at: asked.cancel_at.as_deref().map(cancel).transpose()?,
        choose: asked.choose,
        lose_at: asked.lose_link_at.as_deref().map(loss).transpose()?,
        stop_at: asked.stop_at.as_deref().map(moment).transpose()?,
        generation: 0,
        writes: VecDeque::new(),
        wait_ms: None,
        disconnect: false,
        outcome: None,
        card_seen: false,
        lost: false,
        prompts: BTreeSet::new(),
        calls: 0,
    };
    lock(&reader.surroundings.kept_answers).next = play.stop_at == Some(Moment::Sent);
    let whole = play.whole();
    lock(&reader.surroundings.kept_answers).next = false;
    let stopped = match whole {
        Ok(()) => false,
        Err(Ended::Stopped) => true,
        Err(Ended::Failed(error)) => return Err(error),
    };
    let Play { outcome, prompts, calls, .. } = play;
    Ok(CardTaken { outcome: outcome.wire(), prompts: prompts.into_iter().collect(), stopped, calls })
}

fn loss(word: &str) -> Result<Loss, TakingsError> {
    Ok(match word {
        "before_card" => Loss::BeforeCard,
        "during_card_data" => Loss::DuringCardData,
        "between_card_and_answer" => Loss::BetweenCardAndAnswer,
        "after_answer" => Loss::AfterAnswer,
        _ => return Err(TakingsError::fix_input("lose_link_at", "no such moment")),
    })
}

fn cancel(word: &str) -> Result<Cancel, TakingsError> {
    Ok(match word {
        "before_card" => Cancel::BeforeCard,
        "card_data" => Cancel::CardData,
        _ => return Err(TakingsError::fix_input("cancel_at", "no such moment")),
    })
}

fn moment(word: &str) -> Result<Moment, TakingsError> {
    Ok(match word {
        "started" => Moment::Started,
        "before_card" => Moment::BeforeCard,
        "card_data" => Moment::CardData,
        "sent" => Moment::Sent,
        "saved" => Moment::Saved,
        _ => return Err(TakingsError::fix_input("stop_at", "no such moment")),
    })
}

impl Play<'_> {
    fn whole(&mut self) -> Result<(), Ended> {
        self.may_stop(Moment::Started)?;
        self.connect()?;
        while self.outcome.is_none() && !self.disconnect && self.step()? {}
        self.finish()
    }

    fn may_stop(&self, moment: Moment) -> Result<(), Ended> {
        if self.stop_at == Some(moment) { Err(Ended::Stopped) } else { Ok(()) }
    }

    fn connect(&mut self) -> Result<(), Ended> {
        self.generation = self.reader.next_generation();
        self.disconnect = false;
        self.writes.clear();
        lock(&self.reader.reader).link_up(usize::try_from(VALUE_LEN).unwrap_or(20));
        let step = self.charge.link_up(VALUE_LEN, self.generation)?;
        self.absorb(step)
    }

    /// One thing after the other; false when nothing can happen any more.
    fn step(&mut self) -> Result<bool, Ended> {
        if let Some(value) = self.writes.pop_front() {
            lock(&self.reader.reader).receive(&value);
            let step = self.charge.write_done(self.generation)?;
            self.absorb(step)?;
            return Ok(true);
        }
        let (said, stage) = {
            let mut reader = lock(&self.reader.reader);
            (reader.outbound(), reader.stage())
        };
        if let Some(value) = said {
            self.deliver(&value, stage)?;
            return Ok(true);
        }
        if stage == Stage::WaitingForCard && self.outcome.is_none() {
            // Also after a card that was not taken.
            self.card_seen = false;
            if self.customer_arrives()? {
                return Ok(true);
            }
        } else if self.card_seen && self.is_over()? {
            return Ok(false);
        }
        self.wait()
    }

    /// The reader waits for a card. True if that changed something.
    fn customer_arrives(&mut self) -> Result<bool, Ended> {
        self.may_stop(Moment::BeforeCard)?;
        if self.loses_link(Loss::BeforeCard)? {
            return Ok(true);
        }
        if self.cancels(Cancel::BeforeCard)? {
            return Ok(true);
        }
        let Some(card) = self.card.take().or_else(|| self.next_cards.pop_front()) else { return Ok(false) };
        lock(&self.reader.reader).present(card);
        Ok(true)
    }

    fn deliver(&mut self, value: &[u8], stage: Stage) -> Result<(), Ended> {
        if stage == Stage::CardDataSent && !self.card_seen {
            self.card_seen = true;
            self.may_stop(Moment::CardData)?;
            self.cancels(Cancel::CardData)?;
            self.pass(value)?;
            self.loses_link(Loss::DuringCardData)?;
            return Ok(());
        }
        if stage == Stage::OutcomeSent && self.loses_link(Loss::BetweenCardAndAnswer)? {
            return Ok(());
        }
        self.pass(value)?;
        if stage == Stage::OutcomeSent {
            self.loses_link(Loss::AfterAnswer)?;
        }
        Ok(())
    }

    fn pass(&mut self, value: &[u8]) -> Result<(), Ended> {
        let step = self.charge.bytes(self.generation, value)?;
        self.absorb(step)?;
        if self.stop_at == Some(Moment::Sent) && self.card_seen && self.outcome.is_none() {
            // When it answers this, what the value brought has left.
            let step = self.charge.tick()?;
            self.absorb(step)?;
            if !lock(&self.reader.surroundings.kept_answers).next {
                return Err(Ended::Stopped);
            }
        }
        Ok(())
    }

    /// Presses Cancel if this is the planned moment.
    fn cancels(&mut self, moment: Cancel) -> Result<bool, Ended> {
        let now = self.cancel_at.take_if(|planned| *planned == moment).is_some();
        if now {
            let step = self.charge.cancel()?;
            self.absorb(step)?;
        }
        Ok(now)
    }

    /// Takes the link away if this is the planned moment.
    fn loses_link(&mut self, moment: Loss) -> Result<bool, Ended> {
        if self.lost || self.lose_at != Some(moment) {
            return Ok(false);
        }
        self.lost = true;
        lock(&self.reader.reader).link_down();
        self.writes.clear();
        let step = self.charge.link_down(self.generation)?;
        self.absorb(step)?;
        match self.again.take() {
            Some(card) if self.outcome.is_none() => {
                self.card_seen = false;
                self.card = Some(card);
                self.connect()?;
            }
            _ => self.disconnect = true,
        }
        Ok(true)
    }

    /// The card was read, and the reader says no more: the rest is up to the till and the acquirer, who has answered when the till
    /// answers this. What is open then, the till waits for: a value that was lost.
    fn is_over(&mut self) -> Result<bool, Ended> {
        if self.outcome.is_none() && !self.disconnect {
            let step = self.charge.tick()?;
            self.absorb(step)?;
        }
        Ok(self.outcome.is_some() || self.disconnect)
    }

    /// Nothing moves: time passes until the next timer of the till's.
    fn wait(&mut self) -> Result<bool, Ended> {
        let Some(wait_ms) = self.wait_ms else { return Ok(false) };
        self.reader.surroundings.pass(wait_ms.clamp(1, TICK_MS));
        let step = self.charge.tick()?;
        self.absorb(step)?;
        Ok(true)
    }

    fn absorb(&mut self, step: Step) -> Result<(), Ended> {
        self.calls = self.calls.saturating_add(1);
        if let Some(outcome) = step.saved {
            self.decided(outcome)?;
        }
        self.writes.extend(step.writes);
        self.wait_ms = step.wait_ms;
        self.disconnect |= step.disconnect;
        if let Some(prompt) = step.prompt {
            self.prompts.insert(prompt.id);
            if !prompt.choices.is_empty() {
                let chosen = self.charge.choose_application(self.choose)?;
                self.absorb(chosen)?;
            }
        }
        Ok(())
    }

    fn decided(&mut self, outcome: ChargeOutcome) -> Result<(), Ended> {
        if self.outcome.is_some() {
            return Ok(());
        }
        self.outcome = Some(outcome);
        self.may_stop(Moment::Saved)
    }

    /// Lets the reader say its last words, waits for the acquirer if a customer waits, gives up what cannot go on.
    fn finish(&mut self) -> Result<(), Ended> {
        while !self.lost && self.card_seen && self.step()? {}
        {
            let mut reader = lock(&self.reader.reader);
            reader.take_card_away();
            reader.link_down();
        }
        if self.outcome.is_none() && self.lost {
            let cancelled = self.charge.cancel();
            self.last_words(cancelled)?;
        }
        if self.outcome.is_none() {
            let outcome = calls::wait_for(self.charge.outcome())?;
            self.decided(outcome)?;
        }
        if !self.lost {
            let down = self.charge.link_down(self.generation);
            self.last_words(down)?;
        }
        Ok(())
    }

    /// A charge that is over has nothing more to say.
    fn last_words(&mut self, step: Result<Step, TillError>) -> Result<(), Ended> {
        match step {
            Ok(step) => self.absorb(step),
            Err(TillError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
