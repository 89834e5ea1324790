//! One payment inside the simulated reader: messages that are said one by one.

use std::collections::VecDeque;

use takings_domain::EntryMode;

use crate::dynaflex::commands::{NOTE_COMPLETE, NOTE_TRANSACTION, from_bcd};
use crate::dynaflex::message;
use crate::tlv::{self, Tag};

use super::Stage;
use super::bytes::{self, Making};
use super::card::{Behaviour, CardScript};
use super::failure::{Failures, Other};

/// One thing the reader does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Say this, and be there then.
    Say(Vec<u8>, Stage),
    /// Wait until the cardholder has chosen.
    AwaitChoice,
}

/// What comes next.
pub(super) enum Next {
    Say(Vec<u8>),
    Blocked,
    NeedsCard,
    Over,
}

#[derive(Debug, Clone)]
pub(super) struct Transaction {
    amount_minor: u64,
    currency_numeric: u16,
    timeout_s: u8,
    magstripe: bool,
    contact: bool,
    contactless: bool,
    waited_ms: u64,
    stage: Stage,
    steps: VecDeque<Step>,
}

impl Transaction {
    /// From the parameters of a start; none if a mandatory one is missing or wrong.
    pub(super) fn from_start(body: &[u8]) -> Option<Self> {
        let one = |level: &[u8], tag| match tlv::find(level, Tag(tag)) {
            Ok(Some([byte])) => Some(*byte),
            _ => None,
        };
        let interfaces = tlv::find(body, Tag(0xA3)).ok()?.unwrap_or_default();
        let emv = tlv::find(body, Tag(0x86)).ok()??;
        one(emv, 0x9C)?;
        let amount = tlv::find(emv, Tag(0x9F02)).ok()??;
        let amount_minor = from_bcd(amount).filter(|&minor| minor > 0 && amount.len() == 6)?;
        let currency = tlv::find(emv, Tag(0x5F2A)).ok()?.and_then(from_bcd).unwrap_or(840);
        let mut transaction = Self {
            amount_minor,
            currency_numeric: u16::try_from(currency).ok()?,
            timeout_s: one(body, 0x82)?,
            magstripe: one(interfaces, 0x81).unwrap_or(1) == 1,
            contact: one(interfaces, 0x82).unwrap_or(1) == 1,
            contactless: one(interfaces, 0x83).unwrap_or(1) & 1 == 1,
            waited_ms: 0,
            stage: Stage::WaitingForCard,
            steps: VecDeque::new(),
        };
        let invitation = bytes::prompt(transaction.invitation(), true);
        transaction.steps.push_back(Step::Say(invitation, Stage::WaitingForCard));
        Some(transaction)
    }

    fn invitation(&self) -> &'static str {
        match (self.contactless, self.contact, self.magstripe) {
            (true, true, true) => "TAP, INSERT or SWIPE CARD",
            (true, true, false) => "TAP or INSERT CARD",
            (true, false, true) => "TAP or SWIPE CARD",
            (true, false, false) => "TAP CARD",
            (false, true, true) => "INSERT OR SWIPE CARD",
            (false, true, false) => "INSERT CARD",
            (false, false, _) => "USE MAGSTRIPE",
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn timeout_s(&self) -> u8 {
        self.timeout_s
    }

    pub(super) fn takes(&self, card: &CardScript) -> bool {
        match card.entry_mode {
            EntryMode::Chip => self.contact,
            EntryMode::Contactless => self.contactless,
            EntryMode::Stripe | EntryMode::Fallback => self.magstripe,
            // No keypad, and nobody asked for it.
            EntryMode::Manual => false,
        }
    }

    pub(super) fn making<'a>(&self, seed: u64, serial: &'a str, ksn_counter: u32, visible: u8) -> Making<'a> {
        Making {
            seed,
            serial,
            ksn_counter,
            visible,
            amount_minor: self.amount_minor,
            currency_numeric: self.currency_numeric,
        }
    }

    pub(super) fn run(&mut self, steps: Vec<Step>) {
        self.stage = Stage::CardPresent;
        self.steps = steps.into();
    }

    pub(super) fn next_step(&mut self) -> Next {
        match self.steps.front() {
            Some(Step::AwaitChoice) => {
                self.stage = Stage::Choosing;
                Next::Blocked
            }
            Some(Step::Say(..)) => match self.steps.pop_front() {
                Some(Step::Say(note, stage)) => {
                    self.stage = stage;
                    Next::Say(note)
                }
                _ => Next::Blocked,
            },
            None if self.stage == Stage::WaitingForCard => Next::NeedsCard,
            None => Next::Over,
        }
    }

    /// The cardholder has chosen; says whether that was awaited.
    pub(super) fn chosen(&mut self) -> bool {
        let awaited = self.steps.front() == Some(&Step::AwaitChoice);
        if awaited {
            self.steps.pop_front();
            self.stage = Stage::CardPresent;
        }
        awaited
    }

    /// Whether it can still be cancelled.
    pub(super) fn is_cancellable(&self) -> bool {
        matches!(self.stage, Stage::WaitingForCard | Stage::Choosing)
    }

    /// What was not said yet of a payment whose outcome is out.
    pub(super) fn leftovers(self) -> impl Iterator<Item = Vec<u8>> {
        self.steps.into_iter().filter_map(|step| match step {
            Step::Say(note, _) => Some(note),
            Step::AwaitChoice => None,
        })
    }

    /// Waits for the cardholder; says whether the time is up.
    pub(super) fn wait(&mut self, elapsed_ms: u64) -> bool {
        self.waited_ms = self.waited_ms.saturating_add(elapsed_ms);
        self.is_cancellable() && self.waited_ms >= u64::from(self.timeout_s) * 1_000
    }
}

/// "Operation complete" with this code.
pub(super) fn complete(code: [u8; 4]) -> Vec<u8> {
    message::notification(NOTE_COMPLETE, code, None)
}

fn information(code: [u8; 4]) -> Vec<u8> {
    message::notification(NOTE_TRANSACTION, code, None)
}

/// What goes wrong with this card beyond what it does itself.
#[derive(Default)]
pub(super) struct Mishaps {
    /// The card data is not encrypted as it must be.
    pub(super) spoilt: bool,
    /// It ends again, so.
    pub(super) other_ends: Vec<[u8; 4]>,
    pub(super) no_receipt_data: bool,
    pub(super) other_receipt_data: Option<Other>,
}

impl Mishaps {
    /// All that wait for a card.
    pub(super) fn of(failures: &mut Failures) -> Self {
        Self {
            spoilt: failures.spoils_card_data(),
            other_ends: std::iter::from_fn(|| failures.another_end()).collect(),
            no_receipt_data: failures.no_receipt_data(),
            other_receipt_data: failures.other_receipt_data(),
        }
    }
}

/// What happens once this card is there.
pub(super) fn script(making: &Making<'_>, card: &CardScript, timeout_s: u8, mishaps: &Mishaps) -> Vec<Step> {
    let technology = card.technology();
    let here = |note| Step::Say(note, Stage::CardPresent);
    let seen = match card.entry_mode {
        EntryMode::Chip => Some([0x10, 0x01, 0x02, 0x00]),
        EntryMode::Contactless => Some([0x20, 0x01, 0x04, 0x00]),
        EntryMode::Stripe | EntryMode::Fallback => Some([0x08, 0x01, 0x01, 0x00]),
        EntryMode::Manual => None,
    };
    let mut steps: Vec<Step> = seen.into_iter().map(|code| here(information(code))).collect();
    let deferred = [technology, 0x02, 0x07, 0x00];
    match &card.behaviour {
        Behaviour::Normal | Behaviour::ChipCardSwiped => online(&mut steps, making, card, deferred, mishaps),
        Behaviour::RemovedEarly => {
            steps.push(here(information([technology, 0x01, 0x03, 0x00])));
            end(&mut steps, [technology, 0x02, 0x08, 0x00]);
        }
        Behaviour::CollisionThenNormal => {
            let collision = here(information([0x20, 0x01, 0x05, 0x00]));
            steps.splice(0..0, [collision, here(bytes::prompt("PRESENT ONE CARD ONLY", true))]);
            online(&mut steps, making, card, deferred, mishaps);
        }
        Behaviour::ChooseApplication(items) => {
            steps.push(Step::Say(bytes::choice(items, timeout_s), Stage::Choosing));
            steps.push(Step::AwaitChoice);
            online(&mut steps, making, card, deferred, mishaps);
        }
        Behaviour::UserCancels => end(&mut steps, [0x00, 0x03, 0x02, 0x00]),
        Behaviour::EndsWith(code) => end(&mut steps, *code),
        Behaviour::OnlineThenEndsWith(code) => online(&mut steps, making, card, *code, mishaps),
        Behaviour::CardDataTwice => {
            steps.push(Step::Say(making.arqc(card), Stage::CardDataSent));
            online(&mut steps, making, card, deferred, mishaps);
        }
    }
    steps
}

fn end(steps: &mut Vec<Step>, code: [u8; 4]) {
    steps.push(Step::Say(complete(code), Stage::OutcomeSent));
}

/// Card data, outcome, batch, and the card is gone.
fn online(steps: &mut Vec<Step>, making: &Making<'_>, card: &CardScript, code: [u8; 4], mishaps: &Mishaps) {
    let chip = card.entry_mode == EntryMode::Chip;
    let data = if mishaps.spoilt { making.spoilt_arqc(card) } else { making.arqc(card) };
    steps.push(Step::Say(data, Stage::CardDataSent));
    if chip {
        steps.push(Step::Say(bytes::prompt("REMOVE CARD", false), Stage::CardDataSent));
    }
    end(steps, code);
    mishaps.other_ends.iter().for_each(|other| end(steps, *other));
    if !mishaps.no_receipt_data {
        let batch = match mishaps.other_receipt_data {
            None => making.batch(card),
            Some(Other::Amount) => Making { amount_minor: making.amount_minor + 1, ..*making }.batch(card),
            Some(Other::Currency) => Making { currency_numeric: making.currency_numeric ^ 1, ..*making }.batch(card),
            Some(Other::Card) => making.batch(&CardScript { last_four: "9995".to_owned(), ..card.clone() }),
        };
        steps.push(Step::Say(batch, Stage::OutcomeSent));
    }
    if chip || card.entry_mode == EntryMode::Contactless {
        let gone = information([card.technology(), 0x01, 0x03, 0x00]);
        steps.push(Step::Say(gone, Stage::OutcomeSent));
    }
}
