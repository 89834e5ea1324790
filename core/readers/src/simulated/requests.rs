//! How the simulated reader answers requests.

use crate::dynaflex::commands::{CANCEL, ECHO, GET_PROPERTY, NOTE_DEVICE, SELECT, SET_PROPERTY, START, SUBSCRIBE};
use crate::dynaflex::message;
use crate::dynaflex::property::Property;
use crate::dynaflex::status::Status;
use crate::tlv::{self, Tag};

use super::transaction::Transaction;
use super::{SimulatedReader, Stage};

const BAD_PARAMETER: Status = Status::refused([0x02, 0x01, 0x02]);
const NOT_RUNNING: Status = Status::refused([0x02, 0x03, 0x04]);
const TOO_LATE: Status = Status::refused([0x02, 0x03, 0x05]);
const BUSY: Status = Status::refused([0x02, 0x03, 0x08]);
const WRONG_STATE: Status = Status::refused([0x02, 0x03, 0x0D]);
const BATTERY_TOO_LOW: Status = Status::refused([0x02, 0x03, 0x16]);
const OUT_OF_SERVICE: Status = Status::refused([0x01, 0x01, 0x09]);
const NOT_AVAILABLE: Status = Status::refused([0x01, 0x01, 0x13]);

const TOO_LOW_PERCENT: u8 = 5;

/// What a request is answered with.
struct Answer {
    status: Status,
    result: Option<Vec<u8>>,
    /// The code the payment ends with after it.
    ends: Option<[u8; 4]>,
}

impl Answer {
    fn with(result: Vec<u8>) -> Self {
        Self { result: Some(result), ..Status::DONE.into() }
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self { status, result: None, ends: None }
    }
}

impl SimulatedReader {
    pub(super) fn request(&mut self, reference: u8, command: u16, body: &[u8]) {
        let Answer { status, result, ends } = self.answer(command, body);
        let response = message::response(reference, command, status, result.as_deref());
        if let Some(link) = self.link.as_mut() {
            link.messages.push_back(response);
        }
        if let Some(code) = ends {
            self.end_transaction(code);
        }
        if command == SUBSCRIBE && self.failures.has_restarted() {
            self.transaction = None;
            self.say_unasked(message::notification(NOTE_DEVICE, [0; 4], None));
        }
    }

    fn answer(&mut self, command: u16, body: &[u8]) -> Answer {
        match command {
            SUBSCRIBE => {
                if let Some(link) = self.link.as_mut() {
                    link.subscribed = true;
                }
                Answer::with(Vec::new())
            }
            ECHO => Answer::with(body.to_vec()),
            GET_PROPERTY => match Property::asked_for(body) {
                Some(property) => Answer::with(property.encode(&self.property(property))),
                None => BAD_PARAMETER.into(),
            },
            SET_PROPERTY => self.set_property(body).map_or_else(|| BAD_PARAMETER.into(), Answer::with),
            START => self.begin(body).into(),
            CANCEL => match self.transaction.as_ref().map(Transaction::is_cancellable) {
                Some(true) => Answer { ends: Some([0x00, 0x03, 0x01, 0x00]), ..Status::DONE.into() },
                Some(false) if self.stage() != Stage::OutcomeSent => TOO_LATE.into(),
                _ => NOT_RUNNING.into(),
            },
            SELECT => self.select(body),
            _ => NOT_AVAILABLE.into(),
        }
    }

    fn begin(&mut self, body: &[u8]) -> Status {
        // The batch of a payment that has ended comes before the next one starts.
        if self.stage() == Stage::OutcomeSent
            && let Some(ended) = self.transaction.take()
        {
            ended.leftovers().for_each(|note| self.say_unasked(note));
        }
        if self.transaction.is_some() {
            return BUSY;
        }
        if let Some(reason) = self.failures.refusal() {
            return Status::refused(reason);
        }
        if !self.usable || !self.keys {
            return OUT_OF_SERVICE;
        }
        if self.battery_percent <= TOO_LOW_PERCENT {
            return BATTERY_TOO_LOW;
        }
        while let Some((code, body)) = self.failures.complaint() {
            let body = (!body.is_empty()).then_some(body.as_slice());
            self.say_unasked(message::notification(NOTE_DEVICE, code, body));
        }
        self.transaction = Transaction::from_start(body);
        if self.transaction.is_some() { Status::STARTED } else { BAD_PARAMETER }
    }

    /// The cardholder chose, or did not and the payment ends.
    fn select(&mut self, body: &[u8]) -> Answer {
        let Some(transaction) = self.transaction.as_mut() else { return NOT_RUNNING.into() };
        match tlv::find(body, Tag(0x81)) {
            Ok(Some([0x00])) if transaction.chosen() => Status::STARTED.into(),
            Ok(Some([0x01])) => Answer { ends: Some([0x00, 0x03, 0x02, 0x00]), ..Status::DONE.into() },
            Ok(Some([0x02])) => Answer { ends: Some([0x00, 0x01, 0x00, 0x00]), ..Status::DONE.into() },
            Ok(Some([0x00])) => WRONG_STATE.into(),
            _ => BAD_PARAMETER.into(),
        }
    }

    fn property(&self, property: Property) -> Vec<u8> {
        match property {
            Property::OperationalStatus => vec![if self.usable { 0x02 } else { 0x01 }],
            Property::OfflineDetail => vec![u8::from(self.tampered) | u8::from(!self.keys) << 2],
            Property::Tampered => vec![u8::from(self.tampered)],
            Property::Serial => {
                let packed = format!("{:0>7}0", self.serial);
                u32::from_str_radix(&packed, 16).unwrap_or(0).to_be_bytes().to_vec()
            }
            Property::Model => b"DynaFlex II Go\0".to_vec(),
            Property::Firmware => b"1000009550-A0-SIM\0\0".to_vec(),
            Property::Battery => vec![self.battery_percent],
            Property::Charger => vec![if self.charging { 0x01 } else { 0x08 }],
            Property::TransactionKeys => u32::from(self.keys).to_be_bytes().to_vec(),
            Property::TerminalId => b"11111111".to_vec(),
            Property::MaskLeading => vec![self.mask_leading],
            Property::MaskTrailing => vec![4],
        }
    }

    /// Writes how many leading digits stay visible; nothing else of this reader can be written.
    fn set_property(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let property = Property::asked_for(body).filter(|property| *property == Property::MaskLeading)?;
        let Ok(Some(&[digits @ 0..=8])) = property.value(body) else { return None };
        self.mask_leading = digits;
        self.memory_writes = self.memory_writes.saturating_add(1);
        Some(property.encode(&[digits]))
    }
}
