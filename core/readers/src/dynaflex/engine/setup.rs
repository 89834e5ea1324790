//! What is asked after connecting: subscribe, end what another session left running, then who the
//! reader is and whether it can take payments.

use crate::digits::hex;
use crate::dynaflex::commands::{self, Command};
use crate::dynaflex::property::Property;
use crate::dynaflex::status::Status;
use crate::interface::{LinkLoss, OutOfServiceReason, ReaderAbout, ReaderEvent, TimerId};
use crate::link::Segmenter;
use crate::masked_card::clean_text;
use crate::trouble::{Fault, LOW_BATTERY_PERCENT, Refusal};

use super::Reader;

const USABLE: u8 = 0x02;
const TAMPERED: u8 = 0x01;

/// On a charger, in whatever phase of it.
const ON_CHARGER: std::ops::RangeInclusive<u8> = 0x00..=0x04;
/// On no charger.
const NO_CHARGER: u8 = 0x08;

/// Rules name cards by six leading digits, and more may not be kept.
const LEADING_DIGITS: u8 = 6;
/// Whoever looks for a payment knows it by these; no acquirer takes one without them.
const TRAILING_DIGITS: u8 = 4;

const MAX_NAME_LEN: usize = 32;

/// How far the reader is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setup {
    Asking(Known),
    Ready,
    OutOfService,
}

/// What the reader told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    asked: usize,
    status: Option<u8>,
    offline_detail: Option<u8>,
    tampered: Option<u8>,
    keys: Option<u32>,
    /// It was asked something a second time: once each time it is got to know.
    asked_again: bool,
    about: ReaderAbout,
    last_refusal: Option<Refusal>,
}

impl Setup {
    pub(super) fn start() -> Self {
        Self::Asking(Known::default())
    }

    pub(super) fn is_asking(&self) -> bool {
        matches!(self, Self::Asking(_))
    }
}

impl Known {
    fn next_property(&mut self) -> Option<Property> {
        loop {
            let property = *Property::ALL.get(self.asked)?;
            self.asked += 1;
            if property != Property::OfflineDetail || self.status != Some(USABLE) {
                return Some(property);
            }
        }
    }

    fn learn(&mut self, property: Property, value: &[u8]) {
        let byte = match value {
            [byte] => Some(*byte),
            _ => None,
        };
        match property {
            Property::OperationalStatus => self.status = byte,
            Property::OfflineDetail => self.offline_detail = byte,
            Property::Tampered => self.tampered = byte,
            Property::Serial => self.about.serial = serial(value),
            Property::Model => self.about.model = clean_text(value, MAX_NAME_LEN),
            Property::Firmware => self.about.firmware = clean_text(value, MAX_NAME_LEN),
            Property::Battery => self.about.battery_percent = byte.filter(|&percent| percent <= 100),
            Property::Charger => {
                self.about.charging = match byte {
                    Some(NO_CHARGER) => Some(false),
                    Some(state) if ON_CHARGER.contains(&state) => Some(true),
                    _ => None,
                };
            }
            Property::TransactionKeys => self.keys = value.try_into().ok().map(u32::from_be_bytes),
            Property::TerminalId => self.about.terminal_id = clean_text(value, MAX_NAME_LEN),
            Property::MaskLeading | Property::MaskTrailing => {}
        }
    }

    /// What is asked once more, its answer being lost. A reader that loses two answers is none.
    pub(super) fn ask_again(&mut self, unanswered: Command) -> Option<Command> {
        let first = !std::mem::replace(&mut self.asked_again, true);
        first.then_some(match unanswered {
            // Its memory wears: what it did with it is asked, and it is not told twice.
            Command::Set(property, _) => Command::Get(property),
            asked => asked,
        })
    }

    fn out_of_service(&self) -> Option<OutOfServiceReason> {
        if self.tampered == Some(TAMPERED) {
            return Some(OutOfServiceReason::Tampered);
        }
        match (self.status, self.tampered) {
            (Some(USABLE), Some(0)) if self.keys == Some(0) => Some(OutOfServiceReason::KeysMissing),
            (Some(USABLE), Some(0)) if !self.about.serial.is_empty() => None,
            (Some(status), _) if status != USABLE => Some(OutOfServiceReason::Offline { detail: self.offline_detail }),
            _ => Some(OutOfServiceReason::NoAnswer(self.last_refusal.unwrap_or(Refusal::Protocol))),
        }
    }
}

impl Reader {
    pub(super) fn begin_setup(&mut self) {
        self.ask(Command::Subscribe);
    }

    /// It restarted while the link stayed: what ran is gone, it knows no subscription and counts its messages anew.
    pub(super) fn restarted(&mut self) {
        self.fault(Fault::ReaderReset);
        if self.mute {
            return;
        }
        let loss = self.payment.take().map_or(LinkLoss::Idle, |payment| payment.link_loss());
        for id in [TimerId::Response, TimerId::Payment, TimerId::Closing] {
            self.clear_timer(id);
        }
        if self.is_asking(commands::SET_PROPERTY) {
            // Whether it heard what it is to show is not known.
            self.told_to_show.pop();
        }
        self.drop_requests();
        self.inbound.counts_anew();
        self.outbound = Segmenter::new();
        self.tell(ReaderEvent::LinkLost(loss));
        self.setup = Setup::start();
        self.begin_setup();
    }

    pub(super) fn setup_answered(&mut self, command: &Command, status: Status, body: &[u8]) {
        let Setup::Asking(mut known) = self.setup.clone() else { return };
        let next = match command {
            // Without notifications nothing would ever be told.
            Command::Subscribe if !status.is_ok() => {
                self.end_setup(&known, Some(OutOfServiceReason::NoAnswer(status.refusal())));
                return;
            }
            // A payment of an earlier session may still run: nobody would take its card data.
            // Usually nothing runs and the reader says so.
            Command::Subscribe => Some(Command::Cancel),
            Command::Get(property) => {
                let mut tell = None;
                match (status.is_ok(), property.value(body)) {
                    (true, Ok(Some(value))) => {
                        self.learn_mask(*property, value);
                        known.learn(*property, value);
                        if let &[digits] = value {
                            tell = self.make_show(*property, digits);
                        }
                    }
                    (true, _) => known.last_refusal = Some(Refusal::Protocol),
                    (false, _) => known.last_refusal = Some(status.refusal()),
                }
                tell.or_else(|| known.next_property().map(Command::Get))
            }
            // What the reader says that it does counts, not what it was told.
            Command::Set(property, _) if status.is_ok() => Some(Command::Get(*property)),
            _ => known.next_property().map(Command::Get),
        };
        match next {
            Some(command) => {
                self.setup = Setup::Asking(known);
                self.ask(command);
            }
            None => self.end_setup(&known, known.out_of_service()),
        }
    }

    /// The digits that it hides and should show: told once. What it did not tell is not written.
    fn make_show(&mut self, property: Property, shown: u8) -> Option<Command> {
        let wanted = match property {
            Property::MaskLeading => LEADING_DIGITS,
            Property::MaskTrailing => TRAILING_DIGITS,
            _ => return None,
        };
        if shown >= wanted || self.told_to_show.contains(&property) {
            return None;
        }
        self.told_to_show.push(property);
        Some(Command::Set(property, wanted))
    }

    fn learn_mask(&mut self, property: Property, value: &[u8]) {
        if let &[digits] = value {
            match property {
                Property::MaskLeading => self.mask.leading = usize::from(digits),
                Property::MaskTrailing => self.mask.trailing = usize::from(digits),
                _ => {}
            }
        }
    }

    fn end_setup(&mut self, known: &Known, reason: Option<OutOfServiceReason>) {
        let about = known.about.clone();
        if let Some(reason) = reason {
            self.setup = Setup::OutOfService;
            self.tell(ReaderEvent::OutOfService { about, reason });
            return;
        }
        self.setup = Setup::Ready;
        self.tell(ReaderEvent::Ready { about });
        if let Some(percent) = known.about.battery_percent.filter(|&p| p <= LOW_BATTERY_PERCENT) {
            self.tell(ReaderEvent::BatteryLow(percent));
        }
    }
}

/// Seven digits in four bytes: the last half is filling.
fn serial(value: &[u8]) -> String {
    let mut serial = hex(value.get(..4).unwrap_or_default());
    serial.truncate(7);
    serial
}
