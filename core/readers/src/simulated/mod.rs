//! A reader that is not there: the other end of the link, speaking the same bytes.
//!
//! For tests, demonstrations and shops without hardware. It takes values, gives values, and knows
//! time only from [`SimulatedReader::advance_ms`]. Its ciphertext is made of seeded bytes: nobody can
//! open it, so an acquirer that accepts it must go by amount and masked card.
//!
//! Messages are cut into values only when they are fetched, one by one. Whoever drops the link can
//! therefore choose the moment by [`SimulatedReader::stage`].

mod bytes;
mod card;
mod example;
mod failure;
mod requests;
mod transaction;

use std::collections::VecDeque;

use crate::dynaflex::commands::NOTE_DEVICE;
use crate::dynaflex::message;
use crate::link::{Reassembler, Segmenter};

pub use card::{BY_SIGNATURE, Behaviour, CardScript, NO_VERIFICATION};
pub use failure::{Failure, Other};

use failure::{Failures, Fate};
use transaction::{Mishaps, Next, Transaction};

/// So many other values come before one that comes again.
const REPEATED_AFTER: u8 = 3;

/// How far the simulated reader is with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No payment.
    Idle,
    /// Started, no card yet.
    WaitingForCard,
    /// A card is there; its data is not on its way yet.
    CardPresent,
    /// The cardholder has to choose an application.
    Choosing,
    /// The card data is on its way or through.
    CardDataSent,
    /// The outcome is on its way or through.
    OutcomeSent,
}

/// The simulated reader.
#[derive(Clone)]
pub struct SimulatedReader {
    seed: u64,
    serial: String,
    ksn_counter: u32,
    battery_percent: u8,
    charging: bool,
    tampered: bool,
    usable: bool,
    keys: bool,
    mask_leading: u8,
    memory_writes: u32,
    failures: Failures,
    link: Option<Link>,
    waiting_card: Option<CardScript>,
    transaction: Option<Transaction>,
}

/// What exists only while the link is up.
struct Link {
    value_len: usize,
    inbound: Reassembler,
    outbound: Segmenter,
    subscribed: bool,
    messages: VecDeque<Vec<u8>>,
    values: VecDeque<Vec<u8>>,
    /// What goes out before anything else: values that came twice or changed places.
    displaced: Option<Vec<u8>>,
    /// What comes once more, and after how many others.
    repeated: Option<(u8, Vec<u8>)>,
}

impl Clone for Link {
    /// A copy of the reader starts with a link that has nothing under way.
    fn clone(&self) -> Self {
        Self::new(self.value_len)
    }
}

impl Link {
    fn new(value_len: usize) -> Self {
        Self {
            value_len,
            inbound: Reassembler::new(),
            outbound: Segmenter::new(),
            subscribed: false,
            messages: VecDeque::new(),
            values: VecDeque::new(),
            displaced: None,
            repeated: None,
        }
    }
}

impl SimulatedReader {
    /// A charged, healthy reader. `serial` is seven hex digits; the same seed and serial make the
    /// same bytes.
    #[must_use]
    pub fn new(seed: u64, serial: &str) -> Self {
        Self {
            seed,
            serial: serial.to_ascii_uppercase(),
            ksn_counter: 0,
            battery_percent: 100,
            charging: false,
            tampered: false,
            usable: true,
            keys: true,
            mask_leading: 4,
            memory_writes: 0,
            failures: Failures::default(),
            link: None,
            waiting_card: None,
            transaction: None,
        }
    }

    /// How often a property was written: a real reader's memory wears.
    #[must_use]
    pub fn memory_writes(&self) -> u32 {
        self.memory_writes
    }

    /// How many payments have used a key so far.
    #[must_use]
    pub fn ksn_counter(&self) -> u32 {
        self.ksn_counter
    }

    /// Goes on from an earlier life: a real reader never uses a key twice.
    pub fn set_ksn_counter(&mut self, counter: u32) {
        self.ksn_counter = counter;
    }

    /// Sets the charge; at 15 percent and below the reader warns.
    pub fn set_battery(&mut self, percent: u8) {
        self.battery_percent = percent.min(100);
        if self.battery_percent <= 15 {
            let note = message::notification(NOTE_DEVICE, [0, 0x02, 0, self.battery_percent], None);
            self.say_unasked(note);
        }
    }

    /// Opens or mends the case. An opened reader is not usable.
    pub fn set_tampered(&mut self, tampered: bool) {
        self.tampered = tampered;
        self.usable = !tampered;
    }

    /// Puts it on a charger, or takes it off.
    pub fn set_charging(&mut self, charging: bool) {
        self.charging = charging;
    }

    /// Loads its keys, or loses them.
    pub fn set_keys(&mut self, loaded: bool) {
        self.keys = loaded;
    }

    /// Makes the reader call itself usable or not.
    pub fn set_usable(&mut self, usable: bool) {
        self.usable = usable;
    }

    /// From now on this goes wrong, once; what was said before does too.
    pub fn fail(&mut self, failure: Failure) {
        if failure == Failure::Silent && self.link.is_some() {
            self.failures.fall_silent();
        } else {
            self.failures.add(failure);
        }
    }

    /// What was planned with [`SimulatedReader::fail`] goes wrong no more. Returns what did since this was called last;
    /// those that count values, with none left to count.
    pub fn forget_failures(&mut self) -> Vec<Failure> {
        self.failures.forget()
    }

    /// Tells that the daily restart comes in so many minutes.
    pub fn warn_of_reset(&mut self, minutes: u8) {
        self.say_unasked(message::notification(NOTE_DEVICE, [0, 0x01, 0, 0], Some(&[minutes])));
    }

    /// A customer stands ready with this card: it is used as soon as a payment waits for a card and
    /// the interface is enabled. It replaces a card that was not used.
    pub fn present(&mut self, card: CardScript) {
        self.waiting_card = Some(card);
    }

    /// Whether a payment waits for a card that is presented so, and none stands ready.
    #[must_use]
    pub fn wants(&self, card: &CardScript) -> bool {
        let waits = self.transaction.as_ref().filter(|payment| payment.stage() == Stage::WaitingForCard);
        self.waiting_card.is_none() && waits.is_some_and(|payment| payment.takes(card))
    }

    /// The customer walks away with the card that was not used.
    pub fn take_card_away(&mut self) {
        self.waiting_card = None;
    }

    /// The link comes up; counters start anew, nothing is subscribed. `value_len` in bytes.
    pub fn link_up(&mut self, value_len: usize) {
        self.link = Some(Link::new(value_len));
        self.failures.link_up();
    }

    /// The link goes: what was not fetched is lost. A payment that waits for a card goes on waiting;
    /// one that has read its card is over.
    pub fn link_down(&mut self) {
        self.link = None;
        if self.stage() != Stage::WaitingForCard {
            self.transaction = None;
        }
    }

    /// How far the payment is, by what was fetched.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.transaction.as_ref().map_or(Stage::Idle, Transaction::stage)
    }

    /// Takes one value the host wrote.
    pub fn receive(&mut self, value: &[u8]) {
        let Some(link) = self.link.as_mut() else { return };
        if let Some(bytes) = link.inbound.push(value).message
            && let Ok(message::Message::Request { reference, command, body }) = message::parse(&bytes)
        {
            self.request(reference, command, body);
        }
    }

    /// The next value to notify, or none if there is nothing to say now.
    pub fn outbound(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.failures.is_silent() {
                return None;
            }
            if let Some(value) = self.link.as_mut()?.displaced.take() {
                return Some(value);
            }
            let link = self.link.as_mut()?;
            if let Some((_, value)) = link.repeated.take_if(|(left, _)| *left == 0) {
                return Some(value);
            }
            let value = self.next_value()?;
            if let Some((left, _)) = self.link.as_mut()?.repeated.as_mut() {
                *left = left.saturating_sub(1);
            }
            match self.failures.fate() {
                None => return Some(value),
                Some(Fate::Lost) => {}
                Some(Fate::Last) => self.failures.fall_silent(),
                Some(Fate::Doubled) => {
                    self.link.as_mut()?.displaced = Some(value.clone());
                    return Some(value);
                }
                Some(Fate::Repeated) => {
                    self.link.as_mut()?.repeated = Some((REPEATED_AFTER, value.clone()));
                    return Some(value);
                }
                Some(Fate::Restarts) => self.restart(),
                Some(Fate::Swapped) => {
                    let Some(next) = self.next_value() else {
                        // It waits for two that follow each other.
                        self.failures.not_swapped_yet();
                        return Some(value);
                    };
                    self.link.as_mut()?.displaced = Some(value);
                    return Some(next);
                }
            }
        }
    }

    /// Nothing is left of what it did or knew of the link; only the link itself stays, and hears of it.
    fn restart(&mut self) {
        self.transaction = None;
        if let Some(link) = self.link.as_mut() {
            *link = Link::new(link.value_len);
            link.messages.push_back(message::notification(NOTE_DEVICE, [0x00, 0x03, 0x00, 0x00], None));
        }
    }

    fn next_value(&mut self) -> Option<Vec<u8>> {
        loop {
            let link = self.link.as_mut()?;
            if let Some(value) = link.values.pop_front() {
                return Some(value);
            }
            if let Some(message) = link.messages.pop_front() {
                link.values = link.outbound.segment(&message, link.value_len).into();
                continue;
            }
            let note = self.next_note()?;
            self.say_unasked(note);
        }
    }

    /// Time passes. A payment without a card ends after its timeout.
    pub fn advance_ms(&mut self, elapsed_ms: u64) {
        if let Some(transaction) = self.transaction.as_mut()
            && transaction.wait(elapsed_ms)
        {
            self.end_transaction([0x00, 0x01, 0x00, 0x00]);
        }
    }

    fn next_note(&mut self) -> Option<Vec<u8>> {
        loop {
            let transaction = self.transaction.as_mut()?;
            match transaction.next_step() {
                Next::Say(note) => return Some(note),
                Next::Blocked => return None,
                Next::Over => self.transaction = None,
                Next::NeedsCard => {
                    let card = self.waiting_card.take_if(|card| transaction.takes(card))?;
                    self.ksn_counter += 1;
                    let making = transaction.making(self.seed, &self.serial, self.ksn_counter, self.mask_leading);
                    let mishaps = if card.gives_data() { Mishaps::of(&mut self.failures) } else { Mishaps::default() };
                    let steps = transaction::script(&making, &card, transaction.timeout_s(), &mishaps);
                    transaction.run(steps);
                }
            }
        }
    }

    /// Queues a notification; without a subscription nobody hears it.
    fn say_unasked(&mut self, note: Vec<u8>) {
        if let Some(link) = self.link.as_mut().filter(|link| link.subscribed) {
            link.messages.push_back(note);
        }
    }

    fn end_transaction(&mut self, code: [u8; 4]) {
        self.transaction = None;
        self.say_unasked(transaction::complete(code));
    }
}

impl std::fmt::Debug for SimulatedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedReader")
            .field("serial", &self.serial)
            .field("ksn_counter", &self.ksn_counter)
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}
