//! A charge at the reader: values to and fro, one at a time, and what the link does to them.

use std::collections::VecDeque;

use takings_domain::{EntryMode, PaymentId};
use takings_readers::simulated::{Behaviour, CardScript, SimulatedReader, Stage};
use takings_till::ChargeOutcome;
use takings_till::simulation::LinkEvent;

use crate::plan::{ReaderFault, Sale};

/// The longest value of the link, bytes.
pub const VALUE_LEN: u32 = 244;

/// See the module.
#[derive(Debug)]
pub struct Charging {
    /// The payment.
    pub id: PaymentId,
    /// The sale, by its place in the plan.
    pub sale: usize,
    /// Values for the reader.
    pub writes: VecDeque<Vec<u8>>,
    /// The card, as it is held to the reader first.
    pub card: CardScript,
    /// It was held to the reader.
    pub presented: bool,
    /// How often its holder presents it once more, where the reader asks for it.
    pub presents_again: u8,
    /// What the link does, until it has done it.
    pub fault: ReaderFault,
    /// Values so far.
    pub values: u32,
    /// Values kept back by the link.
    pub held: VecDeque<Vec<u8>>,
    /// The screen said how it stands, and that does not change any more.
    pub told: bool,
    /// What the screen said last.
    pub last_told: Option<ChargeOutcome>,
    /// The link is down, and comes back.
    pub link_is_down: bool,
    /// The reader is gone for good.
    pub reader_is_gone: bool,
    /// When it began, true time, milliseconds UTC.
    pub began_ms: i64,
    /// The card's answer was taken from the reader.
    pub gave_card_data: bool,
}

/// What comes next on the link.
pub enum Next {
    /// Tell the till.
    Tell(LinkEvent),
    /// This card is held to the reader.
    Card(CardScript),
    /// Nobody has anything to say.
    Silence,
}

impl Charging {
    /// Of a sale that was begun.
    #[must_use]
    pub fn new(id: PaymentId, sale: usize, of: &Sale, began_ms: i64) -> Self {
        Self {
            id,
            sale,
            writes: VecDeque::new(),
            card: of.card.clone(),
            presented: false,
            presents_again: of.presents_again,
            fault: of.reader,
            values: 0,
            held: VecDeque::new(),
            told: false,
            last_told: None,
            link_is_down: true,
            reader_is_gone: false,
            began_ms,
            gave_card_data: false,
        }
    }

    /// The next thing between reader and till.
    pub fn next(&mut self, reader: &mut SimulatedReader, generation: u32) -> Next {
        if self.link_is_down {
            return Next::Silence;
        }
        self.values += 1;
        if let Some(event) = self.spoil(reader, generation) {
            return Next::Tell(event);
        }
        if let Some(value) = self.writes.pop_front() {
            reader.receive(&value);
            return Next::Tell(LinkEvent::WriteDone { generation });
        }
        if let Some(value) = self.held.pop_front().or_else(|| self.fetch(reader)) {
            return Next::Tell(LinkEvent::Bytes { generation, value });
        }
        self.values -= 1;
        if reader.stage() != Stage::WaitingForCard {
            return Next::Silence;
        }
        self.next_card(reader).map_or(Next::Silence, Next::Card)
    }

    /// First as planned; then, if the reader has done with that, as the reader wants it.
    fn next_card(&mut self, reader: &SimulatedReader) -> Option<CardScript> {
        if !std::mem::replace(&mut self.presented, true) {
            return Some(self.card.clone());
        }
        let again = |entry_mode| CardScript { entry_mode, behaviour: Behaviour::Normal, ..self.card.clone() };
        let modes = [EntryMode::Chip, EntryMode::Fallback, EntryMode::Contactless];
        let card = modes.map(again).into_iter().find(|card| reader.wants(card))?;
        self.presents_again = self.presents_again.checked_sub(1)?;
        Some(card)
    }

    /// Nothing is said on this link any more.
    pub fn lose_link(&mut self, reader: &mut SimulatedReader) {
        self.link_is_down = true;
        self.writes.clear();
        self.held.clear();
        reader.link_down();
    }

    fn fetch(&mut self, reader: &mut SimulatedReader) -> Option<Vec<u8>> {
        let value = reader.outbound()?;
        self.gave_card_data |= reader.stage() >= Stage::CardDataSent;
        Some(value)
    }

    /// What the link does instead, once.
    fn spoil(&mut self, reader: &mut SimulatedReader, generation: u32) -> Option<LinkEvent> {
        let (ReaderFault::Loses(at)
        | ReaderFault::Dies(at)
        | ReaderFault::Doubles(at)
        | ReaderFault::Drops(at)
        | ReaderFault::Swaps(at)
        | ReaderFault::FailsWrite(at)
        | ReaderFault::Cancels(at)) = self.fault
        else {
            return None;
        };
        if self.values < at.max(1) {
            return None;
        }
        match self.fault {
            ReaderFault::Loses(_) | ReaderFault::Dies(_) => {
                self.reader_is_gone = matches!(self.fault, ReaderFault::Dies(_));
                self.fault = ReaderFault::None;
                self.lose_link(reader);
                Some(LinkEvent::Down { generation })
            }
            ReaderFault::FailsWrite(_) => {
                self.writes.pop_front()?;
                self.writes.clear();
                // Mostly the link goes with it; where the reader says nothing more, it stays.
                self.fault = ReaderFault::Loses(self.values.saturating_add(2));
                Some(LinkEvent::WriteFailed { generation })
            }
            ReaderFault::Cancels(_) => {
                self.fault = ReaderFault::None;
                Some(LinkEvent::Cancel)
            }
            _ => {
                if !self.writes.is_empty() {
                    return None;
                }
                let first = self.fetch(reader)?;
                match std::mem::replace(&mut self.fault, ReaderFault::None) {
                    ReaderFault::Doubles(_) => self.held.extend([first.clone(), first]),
                    ReaderFault::Swaps(_) => {
                        let second = self.fetch(reader);
                        self.held.extend(second);
                        self.held.push_back(first);
                    }
                    _ => {}
                }
                self.held.pop_front().map(|value| LinkEvent::Bytes { generation, value })
            }
        }
    }
}
