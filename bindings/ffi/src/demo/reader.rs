//! A reader that is not there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use takings_readers::simulated::{SimulatedReader, Stage};

use super::card::{CardPlay, CardTaken, DemoCard};
use super::play;
use super::surroundings::{Surroundings, lock};
use crate::callbacks;
use crate::charge::Charge;
use crate::error::TakingsError;
use crate::guard::guarded;

/// A simulated reader: the other end of the link, speaking a real reader's bytes. Write to it what a step asks for
/// (`receive`), give the charge what it says (`outbound`), or let `take_card` do both.
#[derive(uniffi::Object)]
pub struct DemoReader {
    pub(crate) reader: Arc<Mutex<SimulatedReader>>,
    pub(crate) surroundings: Arc<Surroundings>,
    generation: AtomicU32,
}

impl DemoReader {
    pub(crate) fn new(reader: Arc<Mutex<SimulatedReader>>, surroundings: Arc<Surroundings>) -> Arc<Self> {
        Arc::new(Self { reader, surroundings, generation: AtomicU32::new(0) })
    }

    /// The number of the next link.
    pub(crate) fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

#[uniffi::export]
impl DemoReader {
    /// The link comes up. `value_len` is the usable length of one value in bytes, 244 with a usual phone. Tell the charge
    /// too.
    pub fn link_up(&self, value_len: u32) -> Result<(), TakingsError> {
        guarded(|| {
            lock(&self.reader).link_up(usize::try_from(value_len).unwrap_or(20));
            Ok(())
        })
    }

    /// The link goes: what was not fetched is lost. Tell the charge too.
    pub fn link_down(&self) -> Result<(), TakingsError> {
        guarded(|| {
            lock(&self.reader).link_down();
            Ok(())
        })
    }

    /// Takes one value the till wrote. Tell the charge `write_done`.
    pub fn receive(&self, value: Vec<u8>) -> Result<(), TakingsError> {
        guarded(|| {
            lock(&self.reader).receive(&value);
            Ok(())
        })
    }

    /// The next value for the charge's `bytes`; null if the reader has nothing to say now.
    pub fn outbound(&self) -> Result<Option<Vec<u8>>, TakingsError> {
        guarded(|| Ok(lock(&self.reader).outbound()))
    }

    /// A customer stands ready with this card: it is used as soon as the reader waits for one.
    pub fn present(&self, card: DemoCard) -> Result<(), TakingsError> {
        guarded(|| {
            lock(&self.reader).present(card.script()?);
            Ok(())
        })
    }

    /// The customer walks away with a card that was not used.
    pub fn take_card_away(&self) -> Result<(), TakingsError> {
        guarded(|| {
            lock(&self.reader).take_card_away();
            Ok(())
        })
    }

    /// How far the reader is: `idle`, `waiting_for_card`, `card_present`, `choosing`, `card_data_sent`, `outcome_sent`.
    pub fn stage(&self) -> Result<String, TakingsError> {
        guarded(|| {
            let word = match lock(&self.reader).stage() {
                Stage::Idle => "idle",
                Stage::WaitingForCard => "waiting_for_card",
                Stage::CardPresent => "card_present",
                Stage::Choosing => "choosing",
                Stage::CardDataSent => "card_data_sent",
                Stage::OutcomeSent => "outcome_sent",
            };
            Ok(word.to_owned())
        })
    }

    /// Its battery in percent, whether it was opened, whether it calls itself usable; null leaves a thing as it is.
    pub fn set_health(
        &self,
        battery_percent: Option<u32>,
        tampered: Option<bool>,
        usable: Option<bool>,
    ) -> Result<(), TakingsError> {
        guarded(|| {
            let mut reader = lock(&self.reader);
            if let Some(percent) = battery_percent {
                reader.set_battery(u8::try_from(percent).unwrap_or(100));
            }
            if let Some(tampered) = tampered {
                reader.set_tampered(tampered);
            }
            if let Some(usable) = usable {
                reader.set_usable(usable);
            }
            Ok(())
        })
    }

    /// Plays a whole charge at this reader: link, customer, card, answer. Time passes where somebody waits. Blocks until
    /// it is decided: not for the main thread.
    pub fn take_card(&self, charge: Arc<Charge>, play: CardPlay) -> Result<CardTaken, TakingsError> {
        guarded(|| {
            callbacks::refuse_inside()?;
            play::take_card(self, &charge, &play)
        })
    }
}
